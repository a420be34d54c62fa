#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the daemon refuses: bad input, strangers, wrong agents, answers that are no answers, damaged state.

Each refusal has a twin that is allowed.
"""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from rig import *  # noqa: E402,F403

if os.geteuid() != 0:
    plan_skip("needs root, to act as several users")

place = Place()
SHORT = "[prompt]\ntimeout = 2\n[channel]\nheartbeat = 1000\n[unverified]\nseconds = 3\n"
alice = Side(place, "alice", ALICE, config=SHORT)
bob = Side(place, "bob", BOB, gate=False, config=SHORT.replace("timeout = 2", "timeout = 5"))
watcher = Actor(alice.bus, ALICE)
watcher.manager("Subscribe")
mallory = Actor(alice.bus, MALLORY)


def end_of(path, limit=LIMIT):
    event = watcher.take(lambda e: e.get("member") == "SessionRemoved" and e["arguments"][0] == path, limit)
    return event["arguments"][1]["EndReason"] if event else None


def creates(contact="bob", kinds=3, subject=None, options=None):
    """The refusal of a CreateSession; an allowed one is ended."""
    subject = {"pidfd": subject or alice.subject} if not isinstance(subject, dict) else subject
    said = alice.app.refusal(ROOT_PATH, MANAGER, "CreateSession", "suha{sv}", contact, kinds, subject,
                             {"options": options or {}})
    for path, _ in alice.app.manager("ListSessions"):
        alice.app.call(path, SESSION, "End")
    return said


# ---- arguments
ok(creates() == "allowed", "a session with good arguments is made")
for contact, what in (("", "an empty name"), ("x" * 64, "a name of 64 bytes"), ("a\nb", "a name with a line break"),
                      ("a\x1b[2J", "a name with a control sequence"), ("\u202ebob", "a name with a direction override"),
                      (" bob", "a name that begins with a space")):
    ok(creates(contact) == "BadArgument", what + " is refused")
ok(creates("x" * 63) == "allowed", "a name of 63 bytes is not")
ok(creates(kinds=8) == "BadArgument" and creates(kinds=2 ** 32 - 1) == "BadArgument", "unknown kinds are refused")
ok(creates(options={"scoop": True}) == "BadArgument" and "scoop" in alice.app.said, "an unknown option is refused by name")
ok(creates(options={"scope": "yes"}) == "BadArgument", "an option of the wrong type is refused")
ok(creates(subject={"file": "/etc/passwd"}) == "BadArgument", "a subject that is no pidfd is refused")
theirs = mallory.spawn()
ok(creates(subject=theirs) == "NotAllowed", "a subject of another user is refused")
ok(alice.app.refusal(ROOT_PATH + "/session/0", SESSION, "End") == "NotFound" and
   alice.app.refusal(ROOT_PATH + "/session", SESSION, "End") == "NotFound", "unknown sessions are NotFound")
ok(alice.app.refusal(ROOT_PATH + "/peer/00", "org.callgate1.Peer", "Forget") == "NotFound", "unknown peers are NotFound")
ok(alice.app.refusal(ROOT_PATH, MANAGER, "Block", "u", 0) == "BadArgument" and
   alice.app.refusal(ROOT_PATH, MANAGER, "Block", "u", 8) == "BadArgument", "blocking unknown kinds is refused")
for init, what in (("", "an empty blob"), ("01", "a short one"), ("00" * 88, "one of zeros"), ("ff" * 9000, "a long one")):
    ok(alice.app.refusal(ROOT_PATH, MANAGER, "AcceptSession", "aysuha{sv}", {"bytes": init}, "x", 1,
                         {"pidfd": alice.subject}, {"options": {}}) == "BadBlob", what + " is no call")

# ---- too many
subjects = alice.subject
paths = []
said = "allowed"
while said == "allowed" and len(paths) < 40:
    said = alice.app.refusal(ROOT_PATH, MANAGER, "CreateSession", "suha{sv}", "bob", 1, {"pidfd": alice.subject},
                             {"options": {}})
    paths = alice.app.manager("ListSessions")
ok(said == "Limit" and len(paths) <= 16, f"{len(paths)} sessions are the most that may be asked for at a time")
for path, _ in paths:
    alice.app.call(path, SESSION, "End")
ok(creates() == "allowed", "after they ended there is room again")
mine = [Actor(alice.bus, MALLORY) for _ in range(2)]
ok([a.refusal(ROOT_PATH, MANAGER, "Subscribe") for a in mine] == ["allowed"] * 2, "any user may subscribe")

# ---- what ended sessions left running in their scopes
if alice.daemon.scopes:
    left = []
    said = "allowed"
    while said == "allowed" and len(left) < 20:
        left.append(alice.app.spawn())
        said = creates(subject=left[-1], options={"scope": True})
    ok(said == "Limit" and len(left) == 17, f"a user's scopes are {len(left) - 1}, ended sessions or not")
    alice.app.do("kill", pid=left[0])
    ok(wait_for(lambda: creates(subject=left[-1], options={"scope": True}) == "allowed"), "an emptied one is used again")
    for pid in left[1:]:
        alice.app.do("kill", pid=pid)
else:
    for _ in range(2):
        ok(True, "scopes # SKIP no control groups of version 2")

# ---- who may be an agent
plain = Actor(alice.bus, MALLORY)
grouped = Actor(alice.bus, MALLORY, [AGENT_GROUP])


def registers(actor, options=None):
    return actor.refusal(ROOT_PATH, MANAGER, "RegisterAgent", "oa{sv}", "/agent", {"options": options or {}})


ok(registers(plain) == "NotAllowed", "a program without the group is no agent")
alice.gate.exes[grouped.process.pid] = "/tmp/evil"
ok(registers(grouped) == "NotAllowed", "nor is one that root does not own")
del alice.gate.exes[grouped.process.pid]
ok(registers(grouped, {"terminal": True, "pseudo": True}) == "NotAllowed", "nor one on a pseudo-terminal")
ok(registers(grouped) == "allowed", "a program of root's with the group is")
ok(mallory.refusal(ROOT_PATH, MANAGER, "UnregisterAgent", "o", "/agent") == "NotFound",
   "nobody else may take it away")
alice.agent.events.clear()
path = alice.app.create("bob", 3, alice.subject)
ok(alice.agent.wait("Approve") and not grouped.wait("Approve", 0.3), "another user's agent is not asked")
alice.app.call(path, SESSION, "End")
ok(alice.agent.wait("Cancel")["arguments"][0] == path, "an open question is withdrawn when the call ends")
grouped.call(ROOT_PATH, MANAGER, "UnregisterAgent", "o", "/agent")
theirs = mallory.spawn()
ok(mallory.refusal(ROOT_PATH, MANAGER, "CreateSession", "suha{sv}", "bob", 1, {"pidfd": theirs}, {"options": {}}) ==
   "NoAgent", "without an agent nothing can be asked")

# ---- after a no
def asked(path):
    return alice.agent.take(lambda e: e["event"] == "Approve" and e["arguments"][0] == path)


def say_no(contact):
    path = alice.app.create(contact, MICROPHONE, alice.subject)
    alice.agent.reply(asked(path), "bu", False, 3)
    return end_of(path)


def ask_again(allow):
    """The error of AskAgain, and whether the agent was asked."""
    serial = alice.app.start_call(ROOT_PATH, MANAGER, "AskAgain")
    question = alice.agent.wait("Confirm", 1)
    if question:
        alice.agent.reply(question, "b", allow)
    try:
        alice.app.answer_to(serial)
        return "allowed", bool(question)
    except Failed as error:
        return error.name, bool(question)


def paused():
    return len([e for e in alice.agent.events if e["event"] == "Notify" and e["arguments"][0] == "paused"])


ok(ask_again(True) == ("allowed", False), "before a no there is nothing to be asked again about")
ok(say_no("bob") == "denied" and not alice.app.wait_signal("Blob", 0), "no is a no")
alice.agent.events.clear()
said = [alice.app.refusal(ROOT_PATH, MANAGER, "CreateSession", "suha{sv}", "bob", MICROPHONE, {"pidfd": alice.subject},
                          {"options": {}}) for _ in range(3)]
ok(said == ["Denied"] * 3 and "callgatectl retry" in alice.app.said and wait_for(paused) == 1 and
   not alice.agent.wait("Approve", 0.2), "it is not asked about again in a new session, and that it was tried is told once",
   (said, alice.app.said))
ok(creates(contact="carol") == "allowed", "another call is asked about")
ok(ask_again(False) == ("Denied", True) and ask_again(True) == ("Denied", False) and creates() == "Denied",
   "whether it should be, the user is asked once")
ok(say_no("carol") == "denied" and ask_again(True) == ("allowed", True) and creates() == "allowed" and
   creates(contact="carol") == "allowed", "and a yes lifts it")
for contact in ("dave", "erin", "frank"):
    say_no(contact)
ok(creates(contact="grace") == "Denied" and ask_again(True)[0] == "allowed" and creates(contact="grace") == "allowed",
   "three times no is a no to the program, whomever it names")
path = alice.app.create("bob", MICROPHONE, alice.subject)
alice.agent.do("answer", serial=asked(path)["serial"], error="org.callgate1.Error.Denied")
ok(end_of(path) == "denied" and creates() == "allowed", "an agent that could not ask said no this once")

alice.agent.events.clear()

# ---- answers
for name, signature, result, reason in (
        ("yes to more than was asked", "bu", (True, 3), "denied"),
        ("yes to nothing", "bu", (True, 0), "denied"), ("an answer of another form", "s", ("yes",), "denied")):
    path = alice.app.create("bob", MICROPHONE, alice.subject)
    alice.agent.reply(asked(path), signature, *result)
    ok(end_of(path) == reason and not alice.app.wait_signal("Blob", 0), name + " is a no")
path = alice.app.create("bob", MICROPHONE, alice.subject)
alice.agent.wait("Approve")
ok(end_of(path) == "unanswered", "no answer in time is a no")
ok(alice.agent.take(lambda e: e["event"] == "Cancel" and e["arguments"][0] == path), "and the question is taken down")
path = alice.app.create("bob", MICROPHONE, alice.subject)
alice.agent.reply(alice.agent.wait("Approve"), "bu", True, 1)
ok(alice.app.wait_signal("Blob", path=path), "yes to what was asked is a yes")
alice.app.call(path, SESSION, "End")
ok(end_of(path) == "ended", "End ends")

# ---- the subject changes between question and answer
subject = alice.app.spawn("sh", "-c", "read line; exec sleep 3000")
path = alice.app.create("bob", 3, subject)
question = alice.agent.wait("Approve")
alice.app.do("poke", pid=subject)
ok(wait_for(lambda: runs(subject, "sleep")), "the subject became another program")
alice.agent.reply(question, "bu", True, 3)
ok(end_of(path) == "subject-exec" and not alice.app.wait_signal("Blob", 0.2, path),
   "an approval is not for what the subject became")

# ---- comparing
path, other, relay = start_call(alice, bob)
numbers = compare(alice, bob, "differs", None)
ok(end_of(path) == "differs" and alice.gate.allowed() == 0, "numbers that differ end the call")
ok(wait_for(lambda: bob.properties(other) is None, 5), "on both sides")
relay.stop()
path, other, relay = start_call(alice, bob)
ok(wait_for(lambda: alice.gate.allowed()) == MICROPHONE, "before comparing the microphone may be used")
ok(end_of(path) == "not-compared" and alice.gate.allowed() == 0, "but not for longer than the policy says")
relay.stop()
alice.agent.events.clear()
bob.agent.events.clear()
path, other, relay = start_call(alice, bob)
compare(alice, bob, "unverified", None)
ok(wait_for(lambda: (alice.properties(path) or {}).get("PeerAuthentication") == "pinned") and
   alice.gate.allowed() == MICROPHONE, "going on without comparing leaves the microphone only")
alice.app.call(path, SESSION, "End")
relay.stop()
wait_for(lambda: bob.properties(other) is None, 5)

# ---- somebody else's key
path, other, relay = start_call(alice, bob, contact="carol")
ok(end_of(path) == "mismatch", "a key that is known under another name ends the call")
notice = alice.agent.take(lambda e: e["event"] == "Notify" and e["arguments"][0] == "mismatch")
ok(notice and "not carol" in notice["arguments"][1] and "as bob" in notice["arguments"][1], "and the user is told whose it is", notice)
bob.app.call(other, SESSION, "End")
relay.stop()
wait_for(lambda: bob.properties(other) is None, 5)

# ---- changed key
bob.daemon.end()
subprocess.run(["rm", "-r", f"{bob.daemon.state}/{BOB}"], check=True)
bob.daemon.start()
bob.agent.become_agent()
alice.agent.events.clear()
bob.agent.events.clear()
path, other, relay = start_call(alice, bob)
ok(end_of(path) == "mismatch" and alice.gate.allowed() == 0, "a contact with another key ends the call")
notice = alice.agent.take(lambda e: e["event"] == "Notify" and e["arguments"][0] == "mismatch")
ok(notice and all(word in notice["arguments"][1] for word in ("for bob has another key", "new machine", "somebody between you",
                                                              "interfering", "Ask bob in another way", "peers forget")),
   "and the user is told in plain words what it can mean, and what to do", notice)
ok(not bob.agent.wait("Compare", 0.3), "before the caller's key was told")
bob.app.call(other, SESSION, "End")
relay.stop()
peer, shown = alice.app.manager("ListPeers")[0]
ok(shown["Authentication"] == "pinned" and len(shown["Keys"]) == 1, "the pin is what it was", shown)

# ---- contacts
PEER = "org.callgate1.Peer"
ok(mallory.refusal(peer, PEER, "Forget") == "NotFound", "another user cannot change a contact")
ok(alice.app.refusal(peer, PEER, "Verify", "s", "00") == "BadArgument", "nor can a key be verified that it does not have")
serial = alice.app.start_call(peer, PEER, "Rename", "s", "robert")
question = alice.agent.wait("Confirm")
ok(question["arguments"][0] == "rename" and question["arguments"][1]["NewName"] == "robert", "renaming is asked")
alice.agent.reply(question, "b", True)
alice.app.answer_to(serial)
peer, shown = alice.app.manager("ListPeers")[0]
ok(shown["Name"] == "robert", "and done")
serial = alice.app.start_call(peer, PEER, "Verify", "s", shown["Keys"][0])
alice.agent.reply(alice.agent.wait("Confirm"), "b", True)
alice.app.answer_to(serial)
ok(alice.app.get(peer, PEER, "Authentication") == "verified", "a key is verified with the user's word")
serial = alice.app.start_call(peer, PEER, "Forget")
alice.agent.reply(alice.agent.wait("Confirm"), "b", False)
try:
    alice.app.answer_to(serial)
    said = "allowed"
except Failed as error:
    said = error.name
ok(said == "Denied" and len(alice.app.manager("ListPeers")) == 1, "without it nothing is forgotten")
serial = alice.app.start_call(peer, PEER, "Forget")
alice.agent.reply(alice.agent.wait("Confirm"), "b", True)
alice.app.answer_to(serial)
ok(alice.app.manager("ListPeers") == [], "with it the contact is gone")

# ---- the agent vanishes, blocks, the gate goes away
path = alice.app.create("bob", 3, alice.subject)
alice.agent.wait("Approve")
alice.agent.stop()
ok(end_of(path) == "agent-gone", "a question dies with its agent")
ok(creates() == "NoAgent", "and there is nobody to ask any more")
alice.agent = Actor(alice.bus, ALICE, [AGENT_GROUP])
alice.agent.become_agent()
ok(creates() == "allowed", "until the next one comes")
alice.app.manager("Block", "u", CAMERA)
ok(creates(kinds=3) == "Blocked" and creates(kinds=MICROPHONE) == "allowed", "a blocked kind cannot be asked for")
alice.daemon.end()
alice.daemon.start()
alice.agent.become_agent()
watcher.manager("Subscribe")
ok(alice.app.get(ROOT_PATH, MANAGER, "Blocked") == CAMERA, "a restart does not unblock")
serial = alice.app.start_call(ROOT_PATH, MANAGER, "Unblock", "u", CAMERA)
alice.agent.reply(alice.agent.wait("Confirm"), "b", True)
alice.app.answer_to(serial)
alice.agent.events.clear()
bob.agent.events.clear()
path, other, relay = start_call(alice, bob)
compare(alice, bob)
wait_for(lambda: alice.gate.allowed() == 3)
alice.app.manager("Block", "u", 3)
ok(end_of(path) == "blocked" and alice.gate.allowed() == 0, "blocking all that a call captures ends it")
relay.stop()
serial = alice.app.start_call(ROOT_PATH, MANAGER, "Unblock", "u", 3)
alice.agent.reply(alice.agent.wait("Confirm"), "b", True)
alice.app.answer_to(serial)
wait_for(lambda: bob.properties(other) is None, 5)
path, other, relay = start_call(alice, bob)
wait_for(lambda: alice.gate.allowed() == 3)
alice.gate.event("gone 0")
ok(wait_for(lambda: alice.properties(path)["Granted"] == 0), "when the gate goes away nothing counts as granted")
ok(wait_for(lambda: not bob.properties(other)["PeerGate"], 5), "and the other side is told")
alice.app.call(path, SESSION, "End")
relay.stop()

# ---- state and configuration
identity = f"{alice.daemon.state}/{ALICE}/identity"
ok(os.stat(identity).st_mode & 0o777 == 0o600 and os.stat(alice.daemon.state).st_mode & 0o777 == 0o700,
   "the identity is private to the daemon")
alice.daemon.end()
with open(identity, "rb") as file:
    before = file.read()
with open(identity, "r+b") as file:
    file.seek(60)
    file.write(b"\xff\xff\xff")
    file.truncate(len(before) - 1)
with open(identity, "rb") as file:
    damaged = file.read()
alice.daemon.start()
alice.agent.become_agent()
ok(creates() == "Failed" and "damaged" in alice.app.said, "a damaged identity is an error", alice.app.said)
with open(identity, "rb") as file:
    ok(file.read() == damaged, "and is never replaced by a new one")
with open(identity, "wb") as file:
    file.write(before)
ok(creates() == "allowed", "once it is restored calls work again")
second = subprocess.run([DAEMON, "--config", alice.daemon.config, "--state-dir", alice.daemon.state, "--user", "nobody",
                         "--scopes", alice.daemon.scopes or "/nonexistent"],
                        env=dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=alice.bus.address,
                                 ASAN_OPTIONS="detect_leaks=0"), capture_output=True, text=True, timeout=20,
                        check=False)
ok(second.returncode == 1 and "another callgated" in second.stderr, "a second daemon on the bus says why it ends",
   second.stderr)
with open(f"{place.path}/bad.conf", "w") as file:
    file.write("[prompt]\ntimeout = 5\nspeed = 9\n")
bad = subprocess.run([DAEMON, "--config", f"{place.path}/bad.conf"], capture_output=True, text=True, check=False)
ok(bad.returncode == 1 and "bad.conf:3:" in bad.stderr, "a bad configuration is refused with file and line", bad.stderr)
ok(alice.daemon.end() == 0 and bob.daemon.end() == 0, "both daemons end well", alice.daemon.log()[-2000:])
ok("Sanitizer" not in alice.daemon.log() + bob.daemon.log(), "without a word from the sanitizers")
finish()
