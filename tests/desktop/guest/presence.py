#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""callgate-presence in the virtual machine: what it hears, from whom, and for whom it listens.

The keyboard and the pointer are QEMU's own, worked through its monitor; what is forged is forged with uinput.
"""
import grp
import os
import pwd
import select
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "vm", "guest"))
import unit  # noqa: E402
from desk import BTN_LEFT, KEY_SPACE, LIMIT_S, Bluetooth, Forger, Monitor, until  # noqa: E402
from unit import ok  # noqa: E402

HELPER = "/usr/libexec/callgate-presence"
QUIET_S = 2

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


def devices():
    return sorted(name for name in os.listdir("/dev/input") if name.startswith("event"))


def as_udev_does():
    for name in devices():
        os.chown("/dev/input/" + name, 0, grp.getgrnam("input").gr_gid)
        os.chmod("/dev/input/" + name, 0o660)


def bluetooth():
    """Its keyboards come from a daemon of root's through /dev/uhid; through one that others may use they could come from anybody."""
    before = devices()
    keyboard = Bluetooth()
    ok(until(lambda: len(devices()) > len(before)), "a keyboard comes by Bluetooth", before)
    as_udev_does()
    for mode, heard, what in ((0o600, True, "it is heard, where only root can make one"), (0o666, False, "where others can, it is not")):
        os.chmod("/dev/uhid", mode)
        helper = Helper()
        helper.line(LIMIT_S)
        keyboard.press()
        said = helper.line(LIMIT_S if heard else QUIET_S)
        ok((said is not None and said[:1] == ["key"]) == heard, what, said)
        helper.end()
    keyboard.close()


def main():
    for module in ("evdev", "uinput", "psmouse", "hid_generic", "uhid"):
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
    bluetooth()


signal.alarm(900)
main()
print(f"1..{unit.count}")
sys.exit(1 if unit.failed else 0)
