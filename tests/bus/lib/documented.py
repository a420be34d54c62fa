# SPDX-License-Identifier: LGPL-2.1-or-later
"""What doc/dbus.md says of the errors of each method."""
import os
import re

DOC = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "..", "doc", "dbus.md")


def names(text):
    """The short names of the section Errors."""
    section = text.split("\n## Errors\n")[1].split("\n## ")[0]
    return set(re.findall(r"`([A-Z]\w+)`", section))


def documented():
    """{(interface, method): short names of errors}, of the tables that have a column of errors."""
    with open(DOC, encoding="utf-8") as file:
        text = file.read()
    known, found = names(text), {}
    for section in text.split("\n## ")[1:]:
        interfaces = re.findall(r"org\.callgate1\.\w+", section.split("\n")[0])
        column = None
        for line in section.split("\n"):
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")] if line.startswith("|") else []
            if not cells:
                column = None
            elif cells[0] == "method":
                column = cells.index("errors") if "errors" in cells else None
            elif column is not None and re.fullmatch(r"[A-Z]\w+", cells[0]):
                found[interfaces[0], cells[0]] = set(re.findall(r"\b[A-Z]\w+", cells[column])) & known
    return found
