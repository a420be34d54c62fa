#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The window as a screen reader has it, and buttons that a program activates from there: a real accessibility bus."""
import os
import subprocess
import sys

import gi
from prompt import APPROVE, COMPARE, Display, Window, done, ok, until

display = Display()
bus = subprocess.Popen(["dbus-daemon", "--session", "--print-address", "--nofork"], stdout=subprocess.PIPE, text=True,
                       env=dict(os.environ, DISPLAY=display.name))
ADDRESS = bus.stdout.readline().strip()
os.environ.update(DBUS_SESSION_BUS_ADDRESS=ADDRESS, DISPLAY=display.name)
gi.require_version("Atspi", "2.0")
from gi.repository import Atspi, GLib  # noqa: E402


def below(node):
    yield node
    for i in range(node.get_child_count()):
        child = node.get_child_at_index(i)
        if child:
            yield from below(child)


def find_app():
    desktop = Atspi.get_desktop(0)
    try:
        apps = [desktop.get_child_at_index(i) for i in range(desktop.get_child_count())]
        return next((app for app in apps if app and app.get_name() == "callgate-prompt" and app.get_child_count()), None)
    except GLib.GError:
        # The last one has gone meanwhile.
        return None


def tree():
    """Role and name of everything in the window, and the thing itself."""
    app = until(find_app)
    return [(node.get_role_name(), node.get_name(), node) for node in below(app)] if app else []


def names(of, role):
    return [name for kind, name, _ in of if kind == role]


def show(facts, language="en"):
    window = Window(display, facts, language, DBUS_SESSION_BUS_ADDRESS=ADDRESS, GTK_A11Y="atspi")
    until(lambda: any(role == "push button" for role, _, _ in tree()))
    return window


def close(window):
    window.close()
    until(lambda: not find_app())


def activate(name):
    """As any program of the user can."""
    node = next(node for role, found, node in tree() if found == name and role == "push button")
    return Atspi.Action.do_action(node, 0)


def state(name, what):
    return any(found == name and role != "label" and node.get_state_set().contains(what) for role, found, node in tree())


def test_names():
    window = show(APPROVE)
    seen = tree()
    ok(("dialog", "Callgate") in [(role, name) for role, name, _ in seen], "the window is a dialog, of which a screen reader says what stands in it",
       seen)
    ok(names(seen, "push button") == ["Deny", "Allow for this call"], "its buttons have their names", names(seen, "push button"))
    ok(names(seen, "check box") == ["Camera and microphone", "Microphone only"], "the choice, too", names(seen, "check box"))
    labels = names(seen, "label")
    ok("To: \u2068bob\u2069" in labels and "What captures: \u2068" + APPROVE["Subject"] + "\u2069" in labels,
       "what stands below a heading is told with it", labels)
    ok("Their key is known, and you compared the numbers." in labels, "and whether the other side is verified", labels)
    close(window)
    window = show(COMPARE)
    seen = tree()
    ok("3 1 1, 3 0 6, 6 0 7" in names(seen, "label"), "the number is told digit by digit", names(seen, "label"))
    ok(names(seen, "push button") == ["They differ: end the call", "Later: microphone only", "They are the same"], "with its answers",
       names(seen, "push button"))
    close(window)
    window = show(APPROVE, "de")
    ok(names(tree(), "push button")[0] == "Ablehnen", "in German, too", names(tree(), "push button"))
    close(window)


def test_activate():
    window = show(APPROVE).armed()
    ok(until(lambda: state("Allow for this call", Atspi.StateType.SENSITIVE)), "a button that is armed says so")
    ok(activate("Allow for this call") and until(lambda: state("Allow for this call", Atspi.StateType.FOCUSED)),
       "activated by a program it only has the keyboard", tree())
    answer = window.answer_to(lambda: display.key("space"))
    ok(answer[:2] == ["allow", "key"], "a press allows", answer)
    window = show(APPROVE)
    activate("Deny")
    answer = window.answer()
    ok(answer and answer[0] == "deny", "it may deny", answer)


try:
    test_names()
    test_activate()
finally:
    bus.terminate()
    display.stop()
sys.exit(done())
