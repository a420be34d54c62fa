# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who sits at the machine: another user in front, a locked screen, a session that came over the network. A part of desktop.py.

What captures is a recorder of alice's, outside a call, so that there is no other side that could end it.
"""
import os
import subprocess
import time

import demo
from demo import Program, run
from desk import LIMIT_S, until
from unit import ok, systemctl

HERE = os.path.dirname(os.path.realpath(__file__))
CONF = "/etc/callgate/callgate.conf"
QUIET_S = 3


class Recorder:
    def __init__(self, person, *start):
        self.process = subprocess.Popen(person.argv(*start, HERE + "/recorder.py"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.process.stdout.readline()

    def do(self, word):
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def becomes(self, state, limit=LIMIT_S):
        return until(lambda: self.do("state") == state, limit)


def configure(text):
    os.makedirs("/etc/callgate", exist_ok=True)
    with open(CONF, "w", encoding="utf-8") as file:
        file.write(text)
    return run([demo.CTL, "policy", "reload"])


def lock(desk, locked):
    """As her screen locker tells logind."""
    session = run(["loginctl", "show-seat", "-p", "ActiveSession", "--value", "seat0"])[1].strip()
    path = run(["busctl", "--json=short", "call", "org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager",
                "GetSession", "s", session])[1].split('"')[-2]
    return desk.as_alice("busctl", "call", "org.freedesktop.login1", path, "org.freedesktop.login1.Session", "SetLockedHint", "b",
                         "true" if locked else "false")


def allow(desk, hand, button, seen_s):
    place = desk.window()
    if not place:
        return False
    time.sleep(seen_s)
    hand.move(*button(place))
    hand.click()
    return desk.gone()


def run_all(desk, hand, alice, button, seen_s):
    recorder = Recorder(alice)
    ok(recorder.do("local") == "NotAllowed", "as delivered a recorder may not even ask")
    said = configure("[local]\naction = ask\nseconds = 3600\n")
    recorder.do("local")
    ok(allow(desk, hand, button, seen_s) and recorder.becomes("live 2") and recorder.do("read") == "picture",
       "where the policy says so she is asked in a window, and it captures", said)

    # ---- another user
    desk.front(1)
    ok(recorder.becomes("live 0") and recorder.do("read") == "EACCES", "when her session is not in front nothing captures",
       recorder.do("state"))
    desk.front(7)
    ok(recorder.becomes("live 2") and recorder.do("read") == "picture", "when it is again, what she had allowed does")

    # ---- a locked screen
    said = lock(desk, True)
    second = Recorder(alice)
    ok(second.do("local") == "asked" and not desk.window(QUIET_S) and second.do("state") == "new 0",
       "while the screen is locked what is new waits", said)
    ok(recorder.do("state") == "live 2" and recorder.do("read") == "picture", "and what runs goes on")
    lock(desk, False)
    ok(allow(desk, hand, button, seen_s) and second.becomes("live 2"), "unlocked it is asked about", second.do("state"))
    second.do("end")
    configure("[local]\naction = ask\nseconds = 3600\n[lock]\ncalls = end\n")
    ok(recorder.do("state") == "live 2", "a policy that ends calls when the screen is locked ends none before")
    lock(desk, True)
    ok(recorder.becomes("NotFound") and recorder.do("read") == "EACCES", "then it does")
    lock(desk, False)

    # ---- from elsewhere
    configure("[prompt]\npseudo_terminal = yes\n")
    elsewhere = Program([HERE + "/remote.py", "alice", demo.AGENT], terminal=True)
    ok(elsewhere.expect("not at this machine", LIMIT_S), "in a session that came over the network nobody can approve", elsewhere.text)
    elsewhere.stop()
    here = Program(alice.argv(demo.AGENT), terminal=True)
    # Whatever she started elsewhere is over.
    ok(here.expect("ready", LIMIT_S), "on a terminal at the machine she can", here.text)
    here.stop()
    configure("[prompt]\npseudo_terminal = yes\nremote = yes\n")
    elsewhere = Program([HERE + "/remote.py", "alice", demo.AGENT], terminal=True)
    ok(elsewhere.expect("ready", LIMIT_S), "unless the policy says so", elsewhere.text + systemctl("status", "systemd-logind").stdout)
    elsewhere.stop()
    os.unlink(CONF)
    run([demo.CTL, "policy", "reload"])
