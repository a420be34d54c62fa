#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""callgate-presence in the virtual machine: what it hears, from whom, and for whom it listens.

The keyboard and the pointer are QEMU's own, worked through its monitor; what is forged is forged with uinput.
"""
import fcntl
import grp
import os
import pwd
import select
import signal
import socket
import struct
import subprocess
import sys
import time

HELPER = "/usr/libexec/callgate-presence"
PORTS = "/sys/class/virtio-ports"
LIMIT_S = 60
QUIET_S = 2
EV_KEY, KEY_SPACE, BTN_LEFT = 1, 57, 0x110
UI_SET_EVBIT, UI_SET_KEYBIT, UI_DEV_SETUP, UI_DEV_CREATE = 0x40045564, 0x40045565, 0x405C5503, 0x5501

count = failed = 0


def ok(good, what, seen=None):
    global count, failed
    count += 1
    failed += not good
    print(f"{'ok' if good else 'not ok'} {count} - {what}", flush=True)
    if not good and seen is not None:
        print(f"# {seen!r}", flush=True)


class Helper:
    """The helper with a socket that was made under the group."""

    def __init__(self, group="callgate-agent", seat="seat0"):
        os.setegid(grp.getgrnam(group).gr_gid)
        self.socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        os.setegid(0)
        self.process = subprocess.Popen([HELPER, seat], stdin=theirs, stderr=subprocess.PIPE,
                                        user=pwd.getpwnam("alice").pw_uid, group=pwd.getpwnam("alice").pw_gid,
                                        extra_groups=[])
        theirs.close()

    def line(self, limit):
        if not select.select([self.socket], [], [], limit)[0]:
            return None
        return self.socket.recv(64).decode().split()

    def lines(self):
        """All that it says until it has been quiet for a while."""
        said = []
        while (line := self.line(QUIET_S)):
            said.append(line)
        return said

    def end(self):
        self.socket.close()
        return self.process.wait(LIMIT_S)


class Forger:
    """A keyboard and pointer that a program made."""

    def __init__(self):
        self.fd = os.open("/dev/uinput", os.O_WRONLY)
        fcntl.ioctl(self.fd, UI_SET_EVBIT, EV_KEY)
        for key in (KEY_SPACE, BTN_LEFT):
            fcntl.ioctl(self.fd, UI_SET_KEYBIT, key)
        # A bus and an identity like a real one's: it may claim what it likes.
        fcntl.ioctl(self.fd, UI_DEV_SETUP, struct.pack("HHHH80sI", 0x11, 1, 1, 1, b"AT Translated Set 2 keyboard", 0))
        fcntl.ioctl(self.fd, UI_DEV_CREATE)

    def press(self, key):
        for kind, code, value in ((EV_KEY, key, 1), (0, 0, 0), (EV_KEY, key, 0), (0, 0, 0)):
            os.write(self.fd, struct.pack("llHHi", 0, 0, kind, code, value))


class Monitor:
    """QEMU's own, at the other end of a port of this machine."""

    def __init__(self):
        for port in os.listdir(PORTS):
            with open(f"{PORTS}/{port}/name", encoding="ascii") as file:
                if file.read().strip() == "monitor":
                    self.fd = os.open("/dev/" + port, os.O_RDWR | os.O_NONBLOCK)

    def do(self, command):
        os.write(self.fd, command.encode() + b"\n")
        # What it answers is of no interest, but must not pile up.
        try:
            while os.read(self.fd, 4096):
                pass
        except BlockingIOError:
            pass


def devices():
    return sorted(name for name in os.listdir("/dev/input") if name.startswith("event"))


def as_udev_does():
    for name in devices():
        os.chown("/dev/input/" + name, 0, grp.getgrnam("input").gr_gid)
        os.chmod("/dev/input/" + name, 0o660)


def until(question):
    end = time.monotonic() + LIMIT_S
    while not question() and time.monotonic() < end:
        time.sleep(0.1)


def main():
    for module in ("evdev", "uinput", "psmouse"):
        subprocess.run(["modprobe", module], check=True)
    subprocess.run(["/callgate/tests/vm/guest/install"], check=True, stdout=subprocess.DEVNULL)
    monitor = Monitor()
    until(lambda: len(devices()) >= 2)
    before = devices()
    forger = Forger()
    until(lambda: len(devices()) > len(before))
    as_udev_does()

    for group in ("root", "input"):
        helper = Helper(group)
        status = helper.process.wait(LIMIT_S)
        ok(status == 1 and helper.line(0) in (None, []), f"a socket of the group {group} is not served", status)
    helper = Helper(seat="../x")
    ok(helper.process.wait(LIMIT_S) == 2, "nor a seat whose name is none")
    helper = Helper(seat="seat9")
    status = helper.process.wait(LIMIT_S)
    ok(status == 1 and b"seat9" in helper.process.stderr.read(), "a seat without devices is told", status)

    helper = Helper()
    ok(helper.line(LIMIT_S) == ["ready"], "a socket of the agents' group is")
    monitor.do("sendkey spc")
    line = helper.line(LIMIT_S)
    now = time.monotonic() * 1000
    ok(line and line[0] == "key" and 0 <= now - int(line[1]) < 1000 * LIMIT_S, "the space bar is heard, and when", (line, now))
    monitor.do("mouse_button 1")
    monitor.do("mouse_button 0")
    line = helper.line(LIMIT_S)
    ok(line and line[0] == "pointer", "the primary button is heard", line)
    helper.lines()
    for key in ("a", "ret", "shift-a", "esc", "1"):
        monitor.do("sendkey " + key)
    monitor.do("mouse_button 4")
    monitor.do("mouse_button 0")
    monitor.do("mouse_move 5 5")
    ok(helper.lines() == [], "no other key, button or movement is")
    forger.press(KEY_SPACE)
    forger.press(BTN_LEFT)
    ok(helper.lines() == [], "what a program forges is not heard, whatever it calls itself")
    monitor.do("sendkey spc")
    ok(helper.line(LIMIT_S), "while a hand still is")

    with open(f"/proc/{helper.process.pid}/status", encoding="ascii") as file:
        facts = dict(line.split(":", 1) for line in file)
    ids = {int(n) for n in facts["Uid"].split()}
    ok(ids == {pwd.getpwnam("callgate-presence").pw_uid}, "it is a user of its own", ids)
    done = subprocess.run(["kill", "-KILL", str(helper.process.pid)], user=pwd.getpwnam("alice").pw_uid, check=False,
                          capture_output=True)
    ok(done.returncode != 0 and helper.process.poll() is None, "whom the one who started it cannot signal", done)
    ok(helper.end() == 0, "it ends with its socket")


signal.alarm(900)
main()
print(f"1..{count}")
sys.exit(1 if failed else 0)
