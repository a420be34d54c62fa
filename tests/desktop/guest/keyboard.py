#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Presses keys of a keyboard that it makes in the compositor, as any program may that the compositor lets: keyboard.py PAUSE_S KEYSYM...

Unlike wtype, which gives its presses no time, it says that they are of now. The pause is before: for a keyboard that comes the compositor
takes the keys from the window and gives them back, and what can be pressed there is so a second later.
"""
import os
import sys
import time

from wire import Connection

# The first that X's numbers of keys leave free, and the protocol's number of the same key.
FIRST, APART = 9, 8
XKB_V1 = 1

pause, *keys = sys.argv[1:]
codes = "".join(f"<K{n}> = {FIRST + n};" for n in range(len(keys)))
symbols = "".join(f"key <K{n}> {{[{key}]}};" for n, key in enumerate(keys))
keymap = (f'xkb_keymap {{ xkb_keycodes "made" {{ minimum = 8; maximum = 255; {codes} }}; xkb_types "made" {{ include "complete" }}; '
          f'xkb_compatibility "made" {{ include "complete" }}; xkb_symbols "made" {{ {symbols} }}; }};').encode() + b"\0"

wayland = Connection()
seat = wayland.bind("wl_seat")
manager = wayland.bind("zwp_virtual_keyboard_manager_v1")
keyboard = wayland.new()
wayland.send(manager, 0, seat, keyboard)
file = os.memfd_create("keymap")
os.write(file, keymap)
wayland.send(keyboard, 0, XKB_V1, len(keymap), file=file)
list(wayland.events())
time.sleep(float(pause))
for n in range(len(keys)):
    for state in (1, 0):
        wayland.send(keyboard, 1, int(time.monotonic() * 1000) & 0xFFFFFFFF, FIRST - APART + n, state)
        list(wayland.events())
        time.sleep(0.1)
