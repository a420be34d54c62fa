#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Clicks with a pointer that it makes in the compositor, as any program may that the compositor lets: pointer.py X Y WIDTH HEIGHT
[AGO_MS, as if it had been so long before].

Speaks Wayland itself (zwlr_virtual_pointer_manager_v1): Debian has no program that does.
"""
import os
import socket
import struct
import sys
import time

DISPLAY = 1
BTN_LEFT = 0x110


class Connection:
    def __init__(self):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(os.path.join(os.environ["XDG_RUNTIME_DIR"], os.environ["WAYLAND_DISPLAY"]))
        self.file = self.socket.makefile("rb")
        self.next = DISPLAY + 1

    def new(self):
        """The protocol wants them in order."""
        self.next += 1
        return self.next - 1

    def send(self, target, opcode, *numbers, text=None):
        """A text stands between the first number and the rest."""
        body = struct.pack("=I", numbers[0]) if numbers else b""
        if text is not None:
            data = text.encode() + b"\0"
            body += struct.pack("=I", len(data)) + data.ljust((len(data) + 3) // 4 * 4, b"\0")
        body += struct.pack(f"={len(numbers[1:])}I", *numbers[1:])
        self.socket.sendall(struct.pack("=II", target, (8 + len(body)) << 16 | opcode) + body)

    def events(self):
        """All that comes until the compositor has done what was asked of it."""
        done = self.new()
        self.send(DISPLAY, 0, done)
        while True:
            target, word = struct.unpack("=II", self.file.read(8))
            body = self.file.read((word >> 16) - 8)
            if target == DISPLAY and word & 0xFFFF == 0:
                sys.exit("the compositor refused: " + body[12:].decode(errors="replace"))
            if target == done:
                return
            yield target, word & 0xFFFF, body


wayland = Connection()
registry = wayland.new()
wayland.send(DISPLAY, 1, registry)
names = {}
for target, opcode, body in wayland.events():
    if target == registry and opcode == 0:
        name, length = struct.unpack_from("=II", body)
        names[body[8:8 + length - 1].decode()] = name
if "zwlr_virtual_pointer_manager_v1" not in names:
    sys.exit("this compositor lets no program make a pointer")
manager, pointer = wayland.new(), wayland.new()
wayland.send(registry, 0, names["zwlr_virtual_pointer_manager_v1"], 1, manager, text="zwlr_virtual_pointer_manager_v1")
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
