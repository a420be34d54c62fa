#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Clicks with a pointer that it makes in the compositor, as any program may that the compositor lets: pointer.py X Y WIDTH HEIGHT
[AGO_MS, as if it had been so long before]."""
import sys
import time

from wire import Connection

BTN_LEFT = 0x110

wayland = Connection()
manager = wayland.bind("zwlr_virtual_pointer_manager_v1")
pointer = wayland.new()
wayland.send(manager, 0, 0, pointer)


def now():
    return (int(time.monotonic() * 1000) - ago) & 0xFFFFFFFF


x, y, width, height, *rest = map(int, sys.argv[1:])
ago = rest[0] if rest else 0
for apart in (8, 0):
    wayland.send(pointer, 1, now(), x - apart, y - apart, width, height)
    wayland.send(pointer, 4)
list(wayland.events())
for state in (1, 0):
    wayland.send(pointer, 2, now(), BTN_LEFT, state)
    wayland.send(pointer, 4)
    list(wayland.events())
    time.sleep(0.1)
