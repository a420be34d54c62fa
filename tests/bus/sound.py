#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""org.callgate1.Sound: what a sound server is granted, for whom of its clients, and until when."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from rig import *  # noqa: E402,F403

if os.geteuid() != 0:
    plan_skip("needs root, to act as several users")

SOUND = "org.callgate1.Sound"

place = Place()
PROGRAMS = f"[sound]\nmanager = {os.path.realpath('/usr/bin/python3')}\nserver = {os.path.realpath('/usr/bin/cat')}\n"
alice = Side(place, "alice", ALICE, config="[channel]\nheartbeat = 1000\n" + PROGRAMS)
bob = Side(place, "bob", BOB, gate=False, config="[channel]\nheartbeat = 1000\n")
manager, stranger = Actor(alice.bus, ALICE), Actor(alice.bus, MALLORY)
server, other = alice.app.spawn("cat"), alice.app.spawn()


def sound(actor, method, signature, *arguments):
    return actor.call(ROOT_PATH, SOUND, method, signature, *arguments)


def refusal(actor, method, signature, *arguments):
    return actor.refusal(ROOT_PATH, SOUND, method, signature, *arguments)


def served():
    """Kinds that the kernel holds for the server."""
    return alice.gate.further.get(server, {}).get("kinds", 0)


# ---- who may
ok(refusal(bob.app, "Attach", "h", {"pidfd": bob.subject}) == "NotAllowed", "without a gate nobody manages a sound server")
ok(refusal(stranger, "Attach", "h", {"pidfd": server}) == "NotFound", "nobody manages another user's")
ok(refusal(manager, "Watch", "h", {"pidfd": other}) == "NotOwner", "nothing is said before Attach")
ok(refusal(manager, "Attach", "h", {"pidfd": other}) == "NotAllowed" and "[sound] server" in manager.said,
   "another program than the configured one is no sound server", manager.said)
alice.gate.exes[manager.process.pid] = os.path.realpath("/usr/bin/env")
ok(refusal(manager, "Attach", "h", {"pidfd": server}) == "NotAllowed" and "[sound] manager" in manager.said,
   "another program than the configured one does not manage it", manager.said)
del alice.gate.exes[manager.process.pid]
ok(refusal(manager, "Attach", "h", {"pipe": "00"}) == "BadArgument", "what is no pidfd is refused")
ok(refusal(manager, "Attach", "h", {"pidfd": server}) == "allowed", "the user's is managed by a program of the user")
ok(refusal(alice.app, "Attach", "h", {"pidfd": server}) == "Exists", "by one at a time")
ok(refusal(alice.app, "Watch", "h", {"pidfd": other}) == "NotOwner", "and by no other")
ok(refusal(manager, "Watch", "h", {"pidfd": stranger.spawn()}) == "NotFound", "a client is of the same user")
ok(refusal(manager, "Use", "uu", 77, 1) == "NotFound", "or known")

# ---- outside a call
mine, kinds = sound(manager, "Watch", "h", {"pidfd": alice.subject})
theirs, more = sound(manager, "Watch", "h", {"pidfd": other})
ok(kinds == more == 0 and mine != theirs, "outside a call no client may anything", (kinds, more))
ok(sound(manager, "Use", "uu", mine, 3) == 0 and served() == 0, "and the server is granted nothing")

# ---- in a call
path, _, relay = start_call(alice, bob)
compare(alice, bob)
ok(wait_for(lambda: alice.gate.allowed() == 3), "a call is live")
told = [manager.wait_signal("Changed")["arguments"] for _ in range(2)]
ok([mine, 3] in told and all(id == mine for id, _ in told), "its client is told of, and no other", told)
ok(served() == 0, "a session alone grants the server nothing")
ok(sound(manager, "Use", "uu", theirs, 3) == 0 and served() == 0, "nor does a client that no session covers")
ok(sound(manager, "Use", "uu", mine, 1) == 1 and served() == 1, "one that is linked for the microphone grants that")
deadline = alice.gate.further[server]["deadline"]
ok(wait_for(lambda: alice.gate.further[server]["deadline"] > deadline, 15), "and it is renewed with the session's")
again, kinds = sound(manager, "Watch", "h", {"pidfd": alice.subject})
ok(kinds == 3 and sound(manager, "Use", "uu", again, 2) == 2 and served() == 3, "a second one adds to it")
ok(sound(manager, "Use", "uu", mine, 0) == 0 and served() == 2, "and when the first is not linked any more, that ends")
ok(refusal(manager, "Unwatch", "u", again) == "allowed" and served() == 0, "with the last the server's grant ends")
ok(alice.gate.allowed() == 3, "while the session's own goes on")

# ---- less, and more again
sound(manager, "Use", "uu", mine, 3)
alice.app.manager("Block", "u", 1)
ok(wait_for(lambda: served() == 2), "what the user blocks is taken from the server, too", served())
ok((manager.wait_signal("Changed") or {}).get("arguments") == [mine, 2], "and the manager is told")
ok(sound(manager, "Use", "uu", mine, 3) == 2 and served() == 2, "it does not get it by asking")

# ---- an intruder
ok(refusal(manager, "Intruder", "su", "evil", 2) == "allowed" and served() == 0, "after an intruder the server has nothing")
question = alice.agent.wait("Notify")
ok(question and "evil" in question["arguments"][1], "the user is told who it was", question)
ok(sound(manager, "Use", "uu", mine, 2) == 0 and served() == 0, "and gets nothing any more")
manager.stop()
manager = Actor(alice.bus, ALICE)
ok(wait_for(lambda: refusal(manager, "Attach", "h", {"pidfd": server}) == "allowed"), "until it is managed anew")
mine, kinds = sound(manager, "Watch", "h", {"pidfd": alice.subject})
ok(kinds == 2 and sound(manager, "Use", "uu", mine, 2) == 2 and served() == 2, "then it is granted again", kinds)

# ---- ends
manager.stop()
ok(wait_for(lambda: served() == 0) == True, "when the manager goes, the server's grant does")  # noqa: E712
manager = Actor(alice.bus, ALICE)
wait_for(lambda: refusal(manager, "Attach", "h", {"pidfd": server}) == "allowed")
mine, _ = sound(manager, "Watch", "h", {"pidfd": alice.subject})
sound(manager, "Use", "uu", mine, 2)
ok(served() == 2, "granted once more")
alice.app.call(path, SESSION, "End")
ok(served() == 0 and alice.gate.allowed() == 0, "when the session ends, the server's grant does")
ok((manager.wait_signal("Changed") or {}).get("arguments") == [mine, 0], "and the manager is told")
relay.stop()
finish()
