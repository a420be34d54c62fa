#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A person moves to another machine: export and import through the agent, and what of it is refused."""
import os
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from rig import *  # noqa: E402,F403
import sodium  # noqa: E402

if os.geteuid() != 0:
    plan_skip("needs root, to act as several users")

PASSPHRASE = b"correct horse battery"
place = Place()
alice = Side(place, "alice", ALICE, config="[prompt]\ntimeout = 1\n[channel]\nheartbeat = 1000\n")
new = Side(place, "new", ALICE)
bob = Side(place, "bob", BOB, gate=False, config="[channel]\nheartbeat = 1000\n")


def pipe(data, still_open=False):
    return {"pipe": data.hex(), "open": still_open}


def start(side, method, *arguments, **options):
    return side.app.start_call(ROOT_PATH, MANAGER, method, "aya{sv}" if arguments else "a{sv}", *arguments, {"options": options})


def outcome(side, serial):
    """What came of it: the answer, or the error's name; what was said is in side.said."""
    side.said = ""
    try:
        return side.app.answer_to(serial, LIMIT * 2)[0]
    except Failed as error:
        side.said = error.message
        return error.name


def export(side, passphrase=PASSPHRASE):
    serial = start(side, "ExportIdentity")
    side.question = side.agent.wait("Passphrase")
    if side.question:
        side.agent.reply(side.question, "h", pipe(passphrase) if isinstance(passphrase, bytes) else passphrase)
    return outcome(side, serial)


def bring(side, data, passphrase=PASSPHRASE, **options):
    serial = start(side, "ImportIdentity", {"bytes": data.hex()}, **options)
    side.question = side.agent.wait("Passphrase", 1)
    if side.question:
        side.agent.reply(side.question, "h", pipe(passphrase))
    return outcome(side, serial)


def known(side):
    with open(f"{side.daemon.state}/{side.uid}/identity", "rb") as file:
        return sodium.opened(file.read(), sodium.secret_of(side.daemon.state))


# ---- who has none, and a first contact
ok(export(alice) == "NotFound" and "first call" in alice.said and not alice.question, "who has no identity cannot export one", alice.said)
path, other, relay = start_call(alice, bob)
compare(alice, bob)
ok(wait_for(lambda: (alice.properties(path) or {}).get("PeerAuthentication") == "verified"), "alice and bob know each other")

# ---- export, in the middle of a call
before = time.monotonic()
file = export(alice)
took = time.monotonic() - before
data = bytes.fromhex(file)
ok(data[:5] == b"CGCF\x01" and known(alice) not in data and b"bob" not in data, "an export is sealed", file[:60])
passes, mib = data[5], struct.unpack(">I", data[6:10])[0]
ok((passes, mib) == (3, 256), "with Argon2id over 256 MiB, three times", (passes, mib))
action, details = alice.question["arguments"]
ok(action == "export" and details["Contacts"] == 1 and details["App"], "the agent is told who asks and what goes", details)
ok(alice.properties(path)["State"] == "live", f"the call lived on while the key was made ({took:.1f} s)")

# ---- what is no passphrase
for what, answer in (("a short one", b"elevenbytes"), ("an empty one", b""), ("one of 256 bytes", b"x" * 256),
                     ("a pipe that is not closed", pipe(PASSPHRASE, True)), ("a file", {"file": "/etc/passwd"})):
    ok(export(alice, answer) == "BadArgument" and "12 to 255" in alice.said, f"{what} is refused", alice.said)
serial = start(alice, "ExportIdentity")
alice.agent.do("answer", serial=alice.agent.wait("Passphrase")["serial"], error="org.callgate1.Error.Denied")
ok(outcome(alice, serial) == "Denied", "without a passphrase nothing is exported")
serial = start(alice, "ExportIdentity")
question = alice.agent.wait("Passphrase")
alice.agent.reply(question, "s", PASSPHRASE.decode())
ok(outcome(alice, serial) == "Denied", "nor with one that came in a message")
serials = [start(alice, "ExportIdentity") for _ in range(2)]
questions = [alice.agent.wait("Passphrase") for _ in range(2)]
for question in questions:
    alice.agent.reply(question, "h", pipe(PASSPHRASE))
ended = sorted(len(outcome(alice, serial)) for serial in serials)
ok(ended == [len("Limit"), len(file)], "one is made at a time", ended)
stranger = Actor(alice.bus, MALLORY)
ok(stranger.refusal(ROOT_PATH, MANAGER, "ExportIdentity", "a{sv}", {"options": {}}) == "NotFound",
   "another user exports his own identity, which he has not")
ok(alice.app.refusal(ROOT_PATH, MANAGER, "ExportIdentity", "a{sv}", {"options": {"uid": True}}) == "BadArgument",
   "no option names another user")

# ---- import on the new machine
for what, bad, says in (("nothing", b"", "no exported identity"), ("rubbish", os.urandom(300), "no exported identity"),
                        ("a file that was cut off", data[:60], "no exported identity"),
                        ("a sealed identity of a disk", b"CGSL" + data[4:], "no exported identity"),
                        ("a later version", data[:4] + b"\x02" + data[5:], "newer version"),
                        ("4 TiB of Argon2id", data[:6] + struct.pack(">I", 1 << 22) + data[10:], "more memory"),
                        ("255 passes", data[:5] + b"\xff" + data[6:], "more memory"),
                        ("no pass at all", data[:5] + b"\x00" + data[6:], "more memory")):
    ok(bring(new, bad) == "BadArgument" and says in new.said and not new.question, f"{what} is refused unasked", new.said)
ok(bring(new, data, b"correct house battery") == "BadArgument" and "passphrase" in new.said, "a wrong passphrase is told",
   new.said)
ok(not os.path.exists(f"{new.daemon.state}/{ALICE}/identity"), "none of this wrote anything")
ok(bring(new, data) == 1 and new.question["arguments"][1]["Replaces"] is False, "the right one brings the contact", new.said)
ok(known(new) == known(alice), "and the identity is the same, under another machine's key")
ok(new.app.manager("ListPeers")[0][1]["Authentication"] == "verified", "bob is verified there")
alice.app.call(path, SESSION, "End")
relay.stop()
wait_for(lambda: bob.properties(other) is None, 5)
path, other, relay = start_call(new, bob)
ok(wait_for(lambda: (bob.properties(other) or {}).get("PeerAuthentication") == "verified") and
   not new.agent.wait("Compare", 0.2), "bob's machine knows her on the new one, without comparing")

# ---- import over what is there
ok(bring(new, data, replace=True) == "NotAllowed" and "call open" in new.said, "not while a call is open", new.said)
new.app.call(path, SESSION, "End")
relay.stop()
ok(bring(new, data) == "Exists" and "lost" in new.said and not new.question, "contacts are never replaced unsaid", new.said)
plain = known(new)
serial = start(new, "ImportIdentity", {"bytes": file}, replace=True)
question = new.agent.wait("Passphrase")
ok(question["arguments"][1]["Replaces"] is True and question["arguments"][1]["Contacts"] == 1, "said so, the agent is told what would go")
new.agent.do("answer", serial=question["serial"], error="org.callgate1.Error.Denied")
ok(outcome(new, serial) == "Denied" and known(new) == plain, "and without its word nothing is changed")
ok(bring(new, data, replace=True) == 1, "with both it is done")
serial = start(new, "ImportIdentity", {"bytes": file}, replace=True)
question = new.agent.wait("Passphrase")
subject = new.app.create("bob", 1, new.subject)
new.agent.reply(question, "h", pipe(PASSPHRASE))
ok(outcome(new, serial) == "NotAllowed", "a call that began meanwhile stops it", new.said)
new.app.call(subject, SESSION, "End")

# ---- the end of the agent, of whoever asks, of the daemon
serial = start(alice, "ExportIdentity")
question = alice.agent.wait("Passphrase")
alice.app.stop()
alice.agent.reply(question, "h", pipe(PASSPHRASE))
alice.app = Actor(alice.bus, ALICE)
ok(wait_for(lambda: not isinstance(export(alice), int) and alice.question), "whoever asked may be gone when it is done")
serial = start(alice, "ExportIdentity")
alice.agent.wait("Passphrase")
alice.agent.stop()
ok(outcome(alice, serial) == "Denied", "a question dies with its agent")
ok(alice.app.refusal(ROOT_PATH, MANAGER, "ExportIdentity", "a{sv}", {"options": {}}) == "NoAgent", "without one nothing can be asked")
alice.agent = Actor(alice.bus, ALICE, [AGENT_GROUP])
alice.agent.become_agent()
start(alice, "ExportIdentity")
alice.agent.reply(alice.agent.wait("Passphrase"), "h", pipe(PASSPHRASE))
ok(alice.daemon.end() == 0 and new.daemon.end() == 0 and bob.daemon.end() == 0, "the daemons end well, one with a key in the making",
   alice.daemon.log()[-2000:])
ok("Sanitizer" not in alice.daemon.log() + new.daemon.log(), "without a word from the sanitizers")
finish()
