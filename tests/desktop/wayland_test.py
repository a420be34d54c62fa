#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The window alone, under Wayland: who presses there, and over which connection."""
import os
import socket
import sys

from compositor import Compositor
from prompt import APPROVE, COMPARE, SHOTS, Window, done, ok

GUEST = os.path.join(os.path.dirname(os.path.realpath(__file__)), "guest")
POINTER, KEYBOARD = GUEST + "/pointer.py", GUEST + "/keyboard.py"
display = Compositor()


def test_presses():
    window = Window(display, APPROVE)
    place = window.button()
    window.click_last_button()
    ok(window.is_open(), "a click in the first second allows nothing")
    answer = window.armed().answer_to(window.click_last_button)
    ok(answer[:2] == ["allow", "pointer"], "a click after it does", answer)
    display.move(*place)
    window = Window(display, APPROVE).armed()
    answer = window.answer_to(display.click)
    ok(answer[:2] == ["allow", "pointer"], "of a pointer that lay there, too", answer)
    window = Window(display, APPROVE).armed()
    answer = window.answer_to(lambda: display.key("Tab", "space"))
    ok(answer[:2] == ["allow", "key"], "and the space bar", answer)
    window = Window(display, COMPARE).armed()
    display.key("Escape")
    answer = window.answer()
    ok(answer and answer[0] == "dismiss", "Escape is a no for this time", answer)
    window = Window(display, APPROVE).armed()
    display.tell('[title="^Callgate$"]', "kill")
    answer = window.answer()
    ok(answer and answer[0] == "dismiss", "so is closing", answer)


def test_moment():
    """A program may choose what moment its pointer's press is said to be of."""
    def press(ago):
        return display.run(POINTER, *map(str, place), "900", "900", str(ago))
    window = Window(display, APPROVE)
    place = window.button()
    window.armed()
    said = press(60000)
    ok(said.returncode == 0 and window.is_open(), "a press of before the window could be answered allows nothing", said.stderr)
    answer = window.answer_to(lambda: press(0))
    ok(answer[:2] == ["allow", "pointer"], "one of now does", answer)
    window = Window(display, APPROVE).armed()
    said = display.run("wtype", "-s", "2500", "-k", "Tab", "-k", "space")
    ok(said.returncode == 0 and window.is_open(), "keys that are said to be of no moment allow nothing", said.stderr)
    window.close()
    window = Window(display, APPROVE).armed()
    answer = window.answer_to(lambda: display.run(KEYBOARD, "2.5", "Tab", "space"))
    ok(answer[:2] == ["allow", "key"], "those of now do", answer)


def test_connection():
    """As the broker hands it over: nothing else leads to the compositor."""
    def show(server):
        link = socket.socket(socket.AF_UNIX)
        link.connect(display.socket)
        with link:
            return Window(display, dict(APPROVE, Server=str(server)), inherit=[link.fileno()], XDG_RUNTIME_DIR="/nonexistent",
                          WAYLAND_DISPLAY="none", WAYLAND_SOCKET=str(link.fileno()))
    window = show(display.process.pid)
    answer = window.armed().answer_to(window.click_last_button)
    ok(answer[:2] == ["allow", "pointer"], "a connection that was handed over is asked on", answer)
    window = show(os.getpid())
    ok(window.answer() == [] and window.process.returncode == 1, "not when another process is at its end", window.process.returncode)


def test_pictures():
    for name, facts in (("wayland-approve", APPROVE), ("wayland-compare", dict(COMPARE, Style="dark"))):
        window = Window(display, facts).armed()
        path = window.shoot(name)
        ok(os.path.getsize(path) > 1000, f"{name} is drawn", SHOTS)
        window.close()


try:
    test_presses()
    test_moment()
    test_connection()
    test_pictures()
finally:
    display.stop()
sys.exit(done())
