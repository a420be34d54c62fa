#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The rig's relay: carries bytes between two ends, dumps them, and misbehaves on command.

Listens on two addresses, pairs the first connection of one with the first of
the other, and forwards bytes both ways as long as both live. It never looks
into what it carries. Everything that passes goes to --dump, in the order in which it passed.

Words, one a line, written to the --control fifo (made if it is not there):
  cut         stop forwarding, without a word: both connections stay open
  cut a|b     only what comes from that end
  join        forward again what is held
  delay MS    let everything be this much late
  flip        change one bit of the next bytes from a that are longer than 1000
  quit        close everything and end

SIGUSR1 is "cut", SIGTERM and SIGINT are "quit". --drip NUMBER forwards at most so many bytes at once.
"""
import argparse
import collections
import ctypes
import errno
import os
import select
import signal
import socket
import sys
import time

CLONE_NEWNET = 0x40000000
HELD_MAX = 256 * 1024


def fail(text):
    sys.exit("relay: " + text)


def enter_netns(path):
    """Enter a network namespace; returns a function that goes back."""
    libc = ctypes.CDLL(None, use_errno=True)
    back = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(path, os.O_RDONLY)
    if libc.setns(there, CLONE_NEWNET) != 0:
        fail(f"cannot enter {path}: {os.strerror(ctypes.get_errno())}")
    os.close(there)

    def leave():
        if libc.setns(back, CLONE_NEWNET) != 0:
            fail("cannot return to the own network namespace")
        os.close(back)
    return leave


def listen(address, netns=None):
    """tcp:HOST:PORT, unix:PATH, or fd:NUMBER for a socket that was inherited and listens already."""
    leave = enter_netns(netns) if netns else None
    kind, _, rest = address.partition(":")
    if kind == "tcp":
        host, _, port = rest.rpartition(":")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host.strip("[]"), int(port)))
    elif kind == "unix":
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            os.unlink(rest)
        except FileNotFoundError:
            pass
        listener.bind(rest)
    elif kind == "fd":
        listener = socket.socket(fileno=int(rest))
    else:
        fail(f"'{address}' is none of tcp:HOST:PORT, unix:PATH, fd:NUMBER")
    listener.listen(8)
    if leave:
        leave()
    return listener


class End:
    """One of a pair: what it sent and the other has not got yet."""

    def __init__(self, name, sock):
        self.name = name
        self.sock = sock
        self.other = None
        self.held = collections.deque()  # (time at which it may go, bytes)
        self.size = 0
        self.finished = False  # it sends no more
        self.told = False  # and the other was told
        sock.setblocking(False)
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class Relay:
    def __init__(self, arguments):
        netns = {"a": arguments.a_netns, "b": arguments.b_netns}
        if arguments.b_netns_pid:
            netns["b"] = f"/proc/{arguments.b_netns_pid}/ns/net"
        self.listeners = {name: listen(getattr(arguments, name), netns[name]) for name in "ab"}
        self.waiting = {"a": collections.deque(), "b": collections.deque()}
        self.ends = []
        self.dump = open(arguments.dump, "wb", buffering=0) if arguments.dump else None
        self.control = self.open_control(arguments.control) if arguments.control else None
        self.words = b""
        # A signal must end the waiting.
        self.wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.drip = arguments.drip or 65536
        self.delay = 0.0
        self.cut = set()
        self.flip = False
        self.running = True

    @staticmethod
    def open_control(path):
        try:
            os.mkfifo(path, 0o600)
        except FileExistsError:
            pass
        # For writing too: without a writer a fifo is always at its end.
        return os.open(path, os.O_RDWR | os.O_NONBLOCK)

    def obey(self, word):
        parts = word.split()
        if not parts:
            return
        if parts[0] == "cut":
            self.cut |= set(parts[1:] or "ab")
        elif parts[0] == "join":
            self.cut.clear()
        elif parts[0] == "delay" and len(parts) == 2 and parts[1].isdigit():
            self.delay = int(parts[1]) / 1000
        elif parts[0] == "flip":
            self.flip = True
        elif parts[0] == "quit":
            self.running = False
        else:
            print(f"relay: unknown word '{word}'", file=sys.stderr, flush=True)

    def read_control(self):
        try:
            self.words += os.read(self.control, 4096)
        except BlockingIOError:
            return
        *lines, self.words = self.words.split(b"\n")
        for line in lines:
            self.obey(line.decode(errors="replace"))

    def accept(self, name):
        sock, _ = self.listeners[name].accept()
        # What it sends before it has a partner stays in the kernel.
        self.waiting[name].append(End(name, sock))
        if self.waiting["a"] and self.waiting["b"]:
            a, b = self.waiting["a"].popleft(), self.waiting["b"].popleft()
            a.other, b.other = b, a
            self.ends += [a, b]

    def read(self, end):
        try:
            data = end.sock.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            end.finished = True
            return
        if self.flip and end.name == "a" and len(data) > 1000:
            self.flip = False
            data = data[:900] + bytes([data[900] ^ 1]) + data[901:]
        if self.dump:
            self.dump.write(data)
        end.held.append((time.monotonic() + self.delay, data))
        end.size += len(data)

    def write(self, end):
        """Give the other end what is due."""
        now = time.monotonic()
        while end.held and end.held[0][0] <= now and end.name not in self.cut:
            due, data = end.held[0]
            try:
                count = end.other.sock.send(data[:self.drip])
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno not in (errno.EPIPE, errno.ECONNRESET):
                    raise
                end.held.clear()
                end.size = 0
                return
            end.size -= count
            if count == len(data):
                end.held.popleft()
            else:
                end.held[0] = (due, data[count:])
            if self.drip < 65536:
                return
        if end.finished and not end.held and not end.told and end.name not in self.cut:
            end.told = True
            try:
                end.other.sock.shutdown(socket.SHUT_WR)
            except OSError:
                pass

    def sweep(self):
        for end in [e for e in self.ends if e.told and e.other.told]:
            end.sock.close()
            self.ends.remove(end)

    def turn(self):
        now = time.monotonic()
        reading = [self.wake[0], *self.listeners.values()]
        if self.control is not None:
            reading.append(self.control)
        writing, wait = [], None
        by_socket = {}
        for end in self.ends:
            by_socket[end.sock] = end
            if not end.finished and end.size < HELD_MAX and end.name not in self.cut:
                reading.append(end.sock)
            if end.held and end.name not in self.cut:
                if end.held[0][0] <= now:
                    writing.append(end.other.sock)
                else:
                    wait = min(wait or 9e9, end.held[0][0] - now)
        readable, writable, _ = select.select(reading, writing, [], wait)
        for ready in readable:
            if ready is self.control:
                self.read_control()
            elif ready is self.wake[0]:
                os.read(ready, 4096)
            elif ready in by_socket:
                self.read(by_socket[ready])
            else:
                self.accept(next(n for n, s in self.listeners.items() if s is ready))
        for end in list(self.ends):
            if end.other.sock in writable or end.held or end.finished:
                self.write(end)
        self.sweep()

    def run(self):
        while self.running:
            try:
                self.turn()
            except InterruptedError:
                pass


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in "ab":
        parser.add_argument(f"--{name}", required=True, help="tcp:HOST:PORT, unix:PATH or fd:NUMBER")
        parser.add_argument(f"--{name}-netns", help="listen in this network namespace (a file)")
    parser.add_argument("--b-netns-pid", type=int, help="listen for b in the network namespace of this process")
    parser.add_argument("--dump", help="write all that passes to this file")
    parser.add_argument("--control", help="a fifo to take words from")
    parser.add_argument("--drip", type=int, help="forward at most so many bytes at once")
    arguments = parser.parse_args()
    try:
        relay = Relay(arguments)
    except OSError as error:
        fail(f"cannot listen: {error}")
    signal.signal(signal.SIGUSR1, lambda *_: relay.obey("cut"))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: relay.obey("quit"))
    signal.set_wakeup_fd(relay.wake[1])
    print("ready", flush=True)
    relay.run()


if __name__ == "__main__":
    main()
