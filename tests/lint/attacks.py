#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every test that doc/protocol.md names in its table of attacks exists and is run. TAP.

A row's last cell is a list of SOURCE: NAME, NAME; SOURCE: NAME. For the source "mitm" a name is a test of
tests/unit/test-mitm.c, which has to be in the list of those that it runs; for "bus/call.py", a file below tests, a name is in
quotes and part of a result's text there.
"""

import os
import re
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TITLE = "## 10. Attacks, and the tests that make them"


def read(*path):
    try:
        with open(os.path.join(TOP, *path), encoding="utf-8") as file:
            return file.read()
    except OSError:
        return None


def names_of(text):
    """The names in a list, in quotes or bare; whatever else stands there is a mistake."""
    names = re.findall(r'\s*(?:"([^"]*)"|(\w+))\s*(?:,|$)', text)
    rest = re.sub(r'\s*(?:"[^"]*"|\w+)\s*(?:,|$)', "", text)
    return [quoted or bare for quoted, bare in names], rest.strip()


def missing(cell):
    """What is wrong with a row's tests."""
    for part in re.split(r';\s*(?=[\w./-]+: )', cell):
        source, colon, listed = part.partition(":")
        source = source.strip()
        script = "/" in source
        text = read("tests", *source.split("/")) if script else read("tests", "unit", f"test-{source}.c")
        if not colon or text is None:
            yield f"there is no '{source}'"
            continue
        names, rest = names_of(listed)
        if rest or not names:
            yield f"'{listed.strip()}' is no list of names"
        for name in names:
            runs = re.escape(name) if script else rf'UNIT\(&u, {name}\)|cmocka_unit_test\({name}\)|{{ "{name}",'
            if not re.search(runs, text):
                yield f"{source} runs no '{name}'"


def main():
    page = read("doc", "protocol.md") or ""
    rows = re.findall(r"^\| (.+?) \| (.+) \|$", page.partition(TITLE)[2], re.MULTILINE)
    rows = [row for row in rows if row[1] != "tests"]
    print("TAP version 13")
    print(f"1..{len(rows) + 1}")
    bad = [] if len(rows) >= 36 else [f"{len(rows)} rows, at least 36 are known"]
    for line in bad:
        print(f"# doc/protocol.md: {line}")
    print(f"{'not ok' if bad else 'ok'} 1 - the table of attacks is there")
    for number, (attack, cell) in enumerate(rows, 2):
        wrong = list(missing(cell))
        for line in wrong:
            print(f"# {attack}: {line}")
        bad += wrong
        print(f"{'not ok' if wrong else 'ok'} {number} - {attack}")
    sys.exit(1 if bad else 0)


main()
