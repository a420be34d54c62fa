# SPDX-License-Identifier: LGPL-2.1-or-later
"""A connection to a Wayland compositor, as far as pointer.py and keyboard.py need one: Debian has no program that does what they do."""
import os
import socket
import struct
import sys

DISPLAY = 1


class Connection:
    def __init__(self):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(os.path.join(os.environ["XDG_RUNTIME_DIR"], os.environ["WAYLAND_DISPLAY"]))
        self.file = self.socket.makefile("rb")
        self.next = DISPLAY + 1
        self.registry = self.new()
        self.names = {}
        self.send(DISPLAY, 1, self.registry)
        for target, opcode, body in self.events():
            if target == self.registry and opcode == 0:
                name, length = struct.unpack_from("=II", body)
                self.names[body[8:8 + length - 1].decode()] = name

    def bind(self, interface):
        if interface not in self.names:
            sys.exit("this compositor has no " + interface)
        bound = self.new()
        self.send(self.registry, 0, self.names[interface], 1, bound, text=interface)
        return bound

    def new(self):
        """The protocol wants them in order."""
        self.next += 1
        return self.next - 1

    def send(self, target, opcode, *numbers, text=None, file=None):
        """A text stands between the first number and the rest; a file goes beside them."""
        body = struct.pack("=I", numbers[0]) if numbers else b""
        if text is not None:
            data = text.encode() + b"\0"
            body += struct.pack("=I", len(data)) + data.ljust((len(data) + 3) // 4 * 4, b"\0")
        body += struct.pack(f"={len(numbers[1:])}I", *numbers[1:])
        socket.send_fds(self.socket, [struct.pack("=II", target, (8 + len(body)) << 16 | opcode) + body], [] if file is None else [file])

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
