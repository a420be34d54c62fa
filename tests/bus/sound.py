#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a sound server may: who can speak for it, and that it holds what its linked clients' session holds, for as long."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from rig import *  # noqa: E402,F403

SOUND = "org.callgate1.Sound"
MANAGER_EXE = os.path.realpath("/usr/bin/python3")
SERVER_EXE = os.path.realpath("/usr/bin/sleep")
OTHER_EXE = os.path.realpath("/usr/bin/env")
CONFIG = f"[sound]\nmanager = {MANAGER_EXE}\nserver = {SERVER_EXE}\n"

if os.geteuid() != 0:
    plan_skip("needs root, to act as several users")

place = Place()
alice = Side(place, "alice", ALICE, config=CONFIG)
bob = Side(place, "bob", BOB, gate=False)
alice.gate.event("device 7 3 card0 Test card")
program = Actor(alice.bus, ALICE)
server = program.spawn()
stranger = program.spawn()


def attach(actor, process):
    return actor.refusal(ROOT_PATH, SOUND, "Attach", "h", {"pidfd": process})


def held():
    """What the kernel lets the server do."""
    return alice.gate.further.get(server, {}).get("kinds", 0)


def changed(kinds):
    return program.take(lambda e: e["event"] == "signal" and e["member"] == "Changed" and e["arguments"] == [client, kinds])


# ---- who may speak for it
alice.gate.exes[program.process.pid] = OTHER_EXE
ok(attach(program, server) == "NotAllowed", "another program than the configured one may not manage a sound server")
del alice.gate.exes[program.process.pid]
alice.gate.exes[server] = OTHER_EXE
ok(attach(program, server) == "NotAllowed" and "[sound] server" in program.said,
   "another program than the configured one is no sound server", program.said)
del alice.gate.exes[server]
ok(attach(Actor(alice.bus, MALLORY), server) == "NotFound", "nor is another user's")
ok(attach(program, server) == "allowed", "the configured one may", program.said)
second = Actor(alice.bus, ALICE)
ok(attach(second, server) == "Exists", "one for each user")
ok(second.refusal(ROOT_PATH, SOUND, "Watch", "h", {"pidfd": stranger}) == "NotOwner", "and nobody else speaks for it")

# ---- what it may
outside, kinds = program.call(ROOT_PATH, SOUND, "Watch", "h", {"pidfd": stranger})
ok(kinds == 0 and program.call(ROOT_PATH, SOUND, "Use", "uu", outside, 3) == 0 and not held(),
   "a client without a call is let capture nothing")
client, kinds = program.call(ROOT_PATH, SOUND, "Watch", "h", {"pidfd": alice.subject})
ok(kinds == 0, "nor one whose call has not begun")
path, other, relay = start_call(alice, bob)
compare(alice, bob)
ok(changed(3), "when it is live, the manager is told")
ok(alice.gate.allowed() == 3 and not held(), "the server may nothing as long as no client is linked")
ok(program.call(ROOT_PATH, SOUND, "Use", "uu", client, 1) == 1 and held() == 1, "then what the client is linked for", held())
ok(program.call(ROOT_PATH, SOUND, "Use", "uu", outside, 3) == 0 and held() == 1, "and nothing for the other client")
first = alice.gate.further[server]["deadline"]
ok(wait_for(lambda: alice.gate.further[server]["deadline"] > first), "it is renewed with the call's own grant")
program.call(ROOT_PATH, SOUND, "Use", "uu", client, 0)
ok(not held() and alice.gate.allowed() == 3, "unlinked, the server's grant ends and the call's does not", alice.gate.further)
program.call(ROOT_PATH, SOUND, "Use", "uu", client, 3)
program.call(ROOT_PATH, SOUND, "Unwatch", "u", client)
ok(not held(), "so it does when the client goes")
client, kinds = program.call(ROOT_PATH, SOUND, "Watch", "h", {"pidfd": alice.subject})
ok(kinds == 3 and program.call(ROOT_PATH, SOUND, "Use", "uu", client, 3) == 3 and held() == 3, "and comes with the next")
alice.app.call(path, SESSION, "End")
ok(wait_for(lambda: not held()) and changed(0),
   "the call's end ends it")
relay.stop()
wait_for(lambda: (bob.properties(other) or {}).get("State", "gone") == "gone")

# ---- the manager goes, the tripwire
path, other, relay = start_call(alice, bob)
wait_for(lambda: alice.gate.allowed() == 3)
ok(program.call(ROOT_PATH, SOUND, "Use", "uu", client, 3) == 3 and held() == 3, "in the next call it is linked again")
alice.agent.events.clear()
program.call(ROOT_PATH, SOUND, "Intruder", "su", "/usr/bin/cheese\n", 2)
told = alice.agent.wait("Notify")
ok(not held() and program.call(ROOT_PATH, SOUND, "Use", "uu", client, 3) == 0 and not held(),
   "an intruder shuts the server, for approved clients as well", alice.gate.further)
ok(told and "/usr/bin/cheese?" in told["arguments"][1] and "camera" in told["arguments"][1], "and the user is told who", told)
ok(alice.gate.allowed() == 3, "what the call's own process captures goes on")
program.stop()
second.call("/org/freedesktop/DBus", "org.freedesktop.DBus", "GetId", to="org.freedesktop.DBus")
ok(wait_for(lambda: attach(second, server) == "allowed"), "a new manager begins anew", second.said)
client, kinds = second.call(ROOT_PATH, SOUND, "Watch", "h", {"pidfd": alice.subject})
ok(second.call(ROOT_PATH, SOUND, "Use", "uu", client, 3) == 3 and held() == 3, "and may again")
second.stop()
ok(wait_for(lambda: not held()), "without a manager the server may nothing")
alice.app.call(path, SESSION, "End")
relay.stop()
finish()
