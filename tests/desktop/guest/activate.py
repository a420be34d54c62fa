#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Activates a button of the question by the accessibility bus, as any program of the user can: activate.py NAME."""
import sys
import time

import gi

gi.require_version("Atspi", "2.0")
from gi.repository import Atspi, GLib  # noqa: E402


def below(node):
    yield node
    for i in range(node.get_child_count()):
        yield from below(node.get_child_at_index(i))


def find(name):
    desktop = Atspi.get_desktop(0)
    try:
        apps = [desktop.get_child_at_index(i) for i in range(desktop.get_child_count())]
        return next((node for app in apps if app and app.get_name() == "callgate-prompt" for node in below(app)
                     if node.get_role_name() == "push button" and node.get_name() == name), None)
    except GLib.GError:
        return None


end = time.monotonic() + 120
while not (button := find(sys.argv[1])) and time.monotonic() < end:
    time.sleep(0.1)
print(bool(button) and Atspi.Action.do_action(button, 0))
