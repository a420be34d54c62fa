#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who sits at the machine: what becomes of calls when another user is in front, and when the screen is locked.

The test is logind here, on the bus and in its files, in mounts of its own.
"""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from rig import *  # noqa: E402,F403

if os.geteuid() != 0:
    plan_skip("needs root, to act as several users")
if "CALLGATE_TEST_MOUNTS" not in os.environ:
    os.environ["CALLGATE_TEST_MOUNTS"] = "1"
    os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", *sys.orig_argv])
os.makedirs("/run/systemd", exist_ok=True)
subprocess.run(["mount", "-t", "tmpfs", "none", "/run/systemd"], check=True)
for folder in ("users", "sessions", "seats"):
    os.mkdir(f"/run/systemd/{folder}")
LOGIN, LOGIN_SESSION = "/org/freedesktop/login1", "org.freedesktop.login1.Session"
MINE = LOGIN + "/session/_31"
BUS = "org.freedesktop.DBus"


def sits(seats, active):
    """Alice's sessions, in logind's file; replaced whole, as logind does."""
    with open("/run/systemd/users/.new", "w", encoding="utf-8") as file:
        file.write(f"NAME=alice\nSTATE=active\nONLINE_SEATS={seats}\nACTIVE_SEATS={active}\n")
    os.rename("/run/systemd/users/.new", f"/run/systemd/users/{ALICE}")


class Logind:
    """Answers what the daemon asks."""

    def __init__(self, bus):
        self.actor = Actor(bus, 0)
        self.facts = {"User": {"job": ALICE}, "LockedHint": False, "Active": True}
        self.asked = 0
        self.actor.call("/org/freedesktop/DBus", BUS, "RequestName", "su", "org.freedesktop.login1", 0, to=BUS)
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            event = self.actor.take(lambda e: e["event"] in ("ListSessions", "GetAll"))
            if event and event["event"] == "ListSessions":
                self.actor.reply(event, "a(susso)", [["1", ALICE, "alice", "seat0", MINE]])
            elif event:
                self.actor.reply(event, "a{sv}", {"options": dict(self.facts)})
                self.asked += 1

    def becomes(self, **facts):
        before = self.asked
        self.facts.update(facts)
        self.actor.do("emit", path=MINE, interface=BUS + ".Properties", member="PropertiesChanged", signature="sa{sv}as",
                      arguments=[LOGIN_SESSION, {"options": {}}, []])
        return wait_for(lambda: self.asked > before)


def configure(text):
    with open(alice.daemon.config, "w", encoding="utf-8") as file:
        file.write(f"[agent]\ngroup = {AGENT_GROUP}\n[channel]\nheartbeat = 1000\n" + text)
    return root.refusal(ROOT_PATH, MANAGER, "ReloadPolicy")


def end_of(path):
    event = watcher.take(lambda e: e.get("member") == "SessionRemoved" and e["arguments"][0] == path)
    return event and event["arguments"][1]["EndReason"]


def question_of(path, limit=LIMIT):
    return alice.agent.take(lambda e: e["event"] == "Approve" and e["arguments"][0] == path, limit)


place = Place()
alice = Side(place, "alice", ALICE, config="[channel]\nheartbeat = 1000\n")
bob = Side(place, "bob", BOB, gate=False, config="[channel]\nheartbeat = 1000\n")
root, watcher = Actor(alice.bus, 0), Actor(alice.bus, ALICE)
watcher.manager("Subscribe")

# ---- somebody else is in front
path, other, relay = start_call(alice, bob)
compare(alice, bob)
ok(wait_for(lambda: alice.gate.allowed() == 3), "who has no session on a seat is not away")
sits("seat0", "seat0")
ok(not wait_for(lambda: alice.gate.allowed() != 3, 0.5), "nor who is in front on one")
sits("seat0", "")
ok(wait_for(lambda: alice.gate.allowed() == 0) and alice.properties(path)["Granted"] == 0 and
   alice.properties(path)["State"] == "live", "when somebody else is in front nothing is captured; the call stays connected")
alice.gate.event("device 7 2 video0 Test camera")
alice.gate.event("request 950 " + alice.gate.capture(alice.subject, 7, 2))
ok(wait_for(lambda: alice.gate.verdicts.get(950) is False), "and what tries is denied, not held")
sits("seat0", "seat0")
ok(wait_for(lambda: alice.gate.allowed() == 3), "back in front, what was allowed is captured")
sits("seat0 seat1", "seat1")
ok(not wait_for(lambda: alice.gate.allowed() != 3, 0.5), "one of several seats is enough")

# ---- the screen is locked
logind = Logind(alice.bus)
logind.actor.do("emit", path=LOGIN, interface="org.freedesktop.login1.Manager", member="SessionNew", signature="so", arguments=["1", MINE])
wait_for(lambda: logind.asked)
ok(logind.becomes(LockedHint=True) and not wait_for(lambda: alice.gate.allowed() != 3, 0.5), "behind a locked screen a call goes on")
held = alice.app.create("carol", 3, alice.subject)
ok(not question_of(held, 0.5) and alice.properties(held)["State"] == "new", "a new one waits, unasked")
logind.becomes(LockedHint=False)
ok(question_of(held), "once it is unlocked it is asked about")
alice.app.call(held, SESSION, "End")
logind.becomes(LockedHint=True, Active=False)
held = alice.app.create("carol", 3, alice.subject)
ok(question_of(held), "a locked session that is not in front locks nothing")
alice.app.call(held, SESSION, "End")
logind.becomes(Active=True)
stranger = Actor(alice.bus, MALLORY)
stranger.do("emit", path=LOGIN, interface="org.freedesktop.login1.Manager", member="SessionRemoved", signature="so", arguments=["1", MINE])
held = alice.app.create("carol", 3, alice.subject)
ok(not question_of(held, 0.5), "nobody but logind says that it is gone")
alice.app.call(held, SESSION, "End")
ok(configure("[prompt]\ntimeout = 1\n") == "allowed", "the configuration is read anew")
held = alice.app.create("carol", 3, alice.subject)
ok(end_of(held) == "unanswered", "it waits no longer than a question stays open")
ok(alice.gate.allowed() == 3 and configure("[lock]\ncalls = end\n") == "allowed" and wait_for(lambda: alice.gate.allowed() == 0) and
   end_of(path) == "locked", "where the policy says so a locked screen ends calls")
logind.becomes(LockedHint=False)
held = alice.app.create("carol", 3, alice.subject)
ok(question_of(held), "and unlocked they begin anew")

# ---- from elsewhere
def asks_here(**options):
    agent = Actor(alice.bus, ALICE, [AGENT_GROUP])
    options = options or {"terminal": True, "pseudo": True}
    said = agent.refusal(ROOT_PATH, MANAGER, "RegisterAgent", "oa{sv}", "/agent", {"options": options})
    agent.stop()
    return said, agent.said


def session(name, remote):
    with open(f"/run/systemd/sessions/{name}", "w", encoding="utf-8") as file:
        file.write(f"UID={ALICE}\nACTIVE=1\nREMOTE={remote}\n")


session(1, 0)
session(2, 1)
configure("")
sits("seat0", "seat0\nONLINE_SESSIONS=1")
WITH_PASSWORD = {"terminal": True, "pseudo": True, "password": True}
said = asks_here()
ok(said[0] == "NotAllowed" and "--password" in said[1] and asks_here(**WITH_PASSWORD)[0] == "allowed",
   "as delivered one on a pseudo-terminal may only ask where it wants the password for a yes", said)
configure("[prompt]\npseudo_terminal = yes\n")
ok(asks_here()[0] == "allowed", "at the machine an agent may ask on a pseudo-terminal, where the policy says so")
sits("seat0", "seat0\nONLINE_SESSIONS=1 2")
said = asks_here()
ok(said[0] == "NotAllowed" and "not at this machine" in said[1], "while its user has a session over the network it may not", said)
ok(asks_here(**WITH_PASSWORD)[0] == "NotAllowed", "nor with a password")
ok(asks_here(terminal=True)[0] == "allowed" and asks_here(pseudo=False)[0] == "allowed",
   "an agent on a text console or in a window, which is at the machine, may")
configure("[prompt]\npseudo_terminal = yes\nremote = yes\n")
ok(asks_here()[0] == "allowed", "unless the policy says that, too")
relay.stop()
ok(alice.daemon.end() == 0 and bob.daemon.end() == 0, "both daemons end well", alice.daemon.log()[-2000:])
ok("Sanitizer" not in alice.daemon.log(), "without a word from the sanitizers")
finish()
