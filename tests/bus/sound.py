#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""org.callgate1.Sound: what a sound server is granted, for whom of its clients, and until when; what is played."""
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from rig import *  # noqa: E402,F403

if os.geteuid() != 0:
    plan_skip("needs root, to act as several users")

SOUND = "org.callgate1.Sound"
SPEAKER = 4
DOUBT_S = 10  # in which the server may capture what nobody is linked with
CTL = os.path.join(ROOT, "build", "callgatectl")

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


def manage():
    """A new manager, and the number of the session's process."""
    actor = Actor(alice.bus, ALICE)
    wait_for(lambda: refusal(actor, "Attach", "h", {"pidfd": server}) == "allowed")
    return actor, sound(actor, "Watch", "h", {"pidfd": alice.subject})[0]


def history():
    """What callgatectl shows to Alice of her calls, the newest last."""
    home = f"{place.path}/home"
    if not os.path.isdir(home):
        os.mkdir(home, 0o700)
        os.chown(home, ALICE, ALICE)
    done = subprocess.run(["setpriv", "--reuid", str(ALICE), "--regid", str(ALICE), "--clear-groups", CTL, "history", "--json",
                           "--passphrase-fd", "0"], input="", capture_output=True, text=True, timeout=60, check=False,
                          env=dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=alice.bus.address, HOME=home))
    try:
        return [entry for entry in json.loads(done.stdout)["history"] if entry["type"] == "session"]
    except ValueError:
        return [done.stdout + done.stderr]


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
mark = len(alice.gate.log)
ok(sound(manager, "Use", "uu", mine, 0) == 0 and served() == 2, "and when the first is not linked any more, that ends")
ok(not [entry for entry in alice.gate.log[mark:] if entry[1].startswith("revoke")], "while the other's kind goes on, without a break",
   alice.gate.log[mark:])
ok(refusal(manager, "Unwatch", "u", again) == "allowed" and served() == 0, "with the last the server's grant ends")
ok(alice.gate.allowed() == 3, "while the session's own goes on")

# ---- less, and more again
sound(manager, "Use", "uu", mine, 3)
mark = len(alice.gate.log)
alice.app.manager("Block", "u", 1)
ok(wait_for(lambda: served() == 2), "what the user blocks is taken from the server, too", served())
ok(not [entry for entry in alice.gate.log[mark:] if entry[1].startswith("revoke")], "and what is not blocked goes on", alice.gate.log[mark:])
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

# ---- what is played
manager.stop()
unblock = alice.app.start_call(ROOT_PATH, MANAGER, "Unblock", "u", 1)
alice.agent.reply(alice.agent.wait("Confirm"), "b", True)
alice.app.answer_to(unblock)
path, _, relay = start_call(alice, bob, kinds=SPEAKER | 1, approve_kinds=1, bob_kinds=3)
ok(wait_for(lambda: alice.gate.allowed() == 1), "a call that asked for the speaker, and got the microphone only, is live")
manager, mine = manage()
ok(sound(manager, "Use", "uu", mine, SPEAKER) == 0, "its program does not hear what is played")
alice.app.call(path, SESSION, "End")
relay.stop()
wait_for(lambda: alice.properties(path) is None)
wait_for(lambda: manager.wait_signal("Changed", 0) is None)
path, _, relay = start_call(alice, bob, kinds=SPEAKER | 1)
ok(wait_for(lambda: (alice.properties(path) or {}).get("Granted") == SPEAKER | 1), "one that got both is live",
   alice.properties(path))
ok(alice.gate.allowed() == 1, "the kernel is told of the microphone alone", alice.gate.allowed())
ok(wait_for(lambda: sound(manager, "Use", "uu", mine, SPEAKER) == SPEAKER), "its program hears what is played")
ok(served() == 0, "for which the kernel lets the server capture nothing", served())
theirs, more = sound(manager, "Watch", "h", {"pidfd": other})
ok(more == 0 and sound(manager, "Use", "uu", theirs, SPEAKER) == 0, "another program does not hear it")
time.sleep(1)
alice.app.manager("Block", "u", SPEAKER)
ok(wait_for(lambda: sound(manager, "Use", "uu", mine, SPEAKER | 1) == 1) and served() == 1,
   "the user can block it alone; the microphone goes on")
session = next(iter(alice.gate.grants))

# ---- what the kernel sees, and who is linked
alice.gate.event("device 7 1 pcmC0D1c Test microphone")
ok(refusal(alice.app, "Linked", "uu", 1, 0) == "NotOwner", "only the manager says who is linked")
sound(manager, "Linked", "uu", 1, 0)
alice.gate.event("stream 61 " + alice.gate.capture(server, 7, 1, session))
wait_for(lambda: len(alice.app.manager("ListStreams")) == 1)
begun = time.monotonic()
ok(not wait_for(lambda: served() == 0, DOUBT_S + 2), "the server goes on with one microphone for one that is linked")
sound(manager, "Linked", "uu", 0, 0)
ok(served() == 1, "when the last is not linked any more, it has a moment")
sound(manager, "Linked", "uu", 1, 0)
ok(not wait_for(lambda: served() == 0, DOUBT_S + 2), "in which it can be linked again")
alice.gate.event("stream 62 " + alice.gate.capture(server, 7, 1, session))
wait_for(lambda: len(alice.app.manager("ListStreams")) == 2)
begun = time.monotonic()
ok(wait_for(lambda: served() == 0, DOUBT_S + 20), "with a second one that nobody shows, it is shut")
ok(time.monotonic() - begun > DOUBT_S - 1, "after that moment", time.monotonic() - begun)
question = alice.agent.take(lambda e: e["event"] == "Notify" and "cat captures with the microphone" in e["arguments"][1])
ok(question, "and the user is told")
ok(sound(manager, "Use", "uu", mine, 1) == 0 and served() == 0, "until it is managed anew")
alice.app.call(path, SESSION, "End")
wait_for(lambda: alice.properties(path) is None)
relay.stop()

# ---- what is kept of it
seen = history()
one = seen[-1]
ok(isinstance(one, dict) and "speaker" in one["kinds"] and "speaker" in one["programs"] and "sleep" in one["programs"],
   "the history says that it was heard, by which program, and for how long", one)
ok(all("speaker" not in entry["kinds"] for entry in seen[:-1]), "and of the calls before that it was not", seen)

# ---- a client that the user's service manager moved out of its session's scope
alice.subject = alice.app.spawn("sh", "-c", "read line; sleep 3002 & exec sleep 3003")
if alice.daemon.scopes:
    path, _, relay = start_call(alice, bob, scope=True)
    wait_for(lambda: alice.gate.allowed() == 3)
    alice.app.do("poke", pid=alice.subject)
    late = wait_for(lambda: children(alice.subject))[0]
    things.insert(0, Child(late))
    move_out(alice.daemon, late)
    manager.stop()
    manager, _ = manage()
    ok(sound(manager, "Watch", "h", {"pidfd": late})[1] == 3 and cgroup_of(late) == cgroup_of(alice.subject),
       "is brought back, and its session covers it")
    ok(sound(manager, "Watch", "h", {"pidfd": other})[1] == 0, "another program of the user is not")
    alice.app.call(path, SESSION, "End")
    relay.stop()
else:
    for _ in range(2):
        ok(True, "scopes # SKIP no control groups of version 2")
finish()
