#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Capture that is not a call: denied as delivered; where the policy says so asked each time, for a while, and recorded as what it is."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from rig import *  # noqa: E402,F403

if os.geteuid() != 0:
    plan_skip("needs root, to act as several users")

place = Place()
alice = Side(place, "alice", ALICE)
root, watcher = Actor(alice.bus, 0), Actor(alice.bus, ALICE)
watcher.manager("Subscribe")
home = f"{place.path}/home"
os.mkdir(home)
os.chown(home, ALICE, ALICE)
alice.gate.event("device 7 2 video0 Test camera")


def local(kinds=3, subject=None, **options):
    return alice.app.manager("CreateLocal", "uha{sv}", kinds, {"pidfd": subject or alice.subject}, {"options": options})


def refused(kinds=3, **options):
    return alice.app.refusal(ROOT_PATH, MANAGER, "CreateLocal", "uha{sv}", kinds, {"pidfd": alice.subject},
                             {"options": options})


def rules(text):
    alice.daemon.rule("50-test.conf", text)
    root.manager("ReloadPolicy")


def answered(allow, kinds=3, **options):
    """The session, once it is asked about, with the question's details."""
    path = local(3, **options)
    question = alice.agent.wait("Approve")
    alice.agent.reply(question, "bu", allow, kinds if allow else 0)
    return path, question["arguments"][1]


def end_of(path):
    event = watcher.take(lambda e: e.get("member") == "SessionRemoved" and e["arguments"][0] == path)
    return event and event["arguments"][1]


# ---- as delivered
ok(refused() == "NotAllowed" and "[local]" in alice.app.said and "callgatectl call" in alice.app.said and
   not alice.agent.wait("Approve", 0.3), "without a word in the policy it is refused, unasked, with what to do", alice.app.said)
ok(alice.app.refusal(ROOT_PATH, MANAGER, "CreateSession", "suha{sv}", "bob", 1, {"pidfd": alice.subject}, {"options": {}}) ==
   "allowed", "where a call is asked about")
for path, _ in alice.app.manager("ListSessions"):
    alice.app.call(path, SESSION, "End")
alice.agent.events.clear()
rules("[rule other]\naction = ask\napp = exe:/usr/bin/other\nlocal = ask\n")
ok(refused() == "NotAllowed", "a rule for another program is none for this one")

# ---- with local = ask
rules(f"[rule memo]\naction = ask\napp = {SCRIPT}\nlocal = ask\nlocal_seconds = 600\n")
subject = alice.app.spawn()
path = local(3, subject)
question = alice.agent.wait("Approve")
details = question["arguments"][1]
ok(details["Local"] and details["Seconds"] == 600 and details["Contact"] == "" and details["App"] == SCRIPT and
   not details["AppProven"] and "sleep" in details["Subject"] and details["Kinds"] == 3,
   "the question says that it is no call, who, with what and for how long", details)
alice.gate.event("request 901 " + alice.gate.capture(subject, 7, 2))
alice.gate.event("device 8 1 pcmC0D0c/0 Test microphone")
alice.gate.event("request 902 " + alice.gate.capture(subject, 8, 1))
alice.gate.event("request 903 " + alice.gate.capture(subject, 7, 2))
ok(not wait_for(lambda: 901 in alice.gate.verdicts, 0.3) and alice.gate.allowed() == 0 and
   alice.properties(path)["State"] == "new", "until it is answered nothing is granted")
ok(not alice.agent.wait("Approve", 0), "all that it tries meanwhile is the one question")
alice.agent.reply(question, "bu", True, 3)
ok(wait_for(lambda: alice.gate.allowed() == 3) and wait_for(lambda: all(map(alice.gate.verdicts.get, (901, 902, 903)))),
   "a yes grants, and lets what waited begin", alice.gate.verdicts)
seen = alice.properties(path)
ok(seen["Local"] and seen["State"] == "live" and seen["Level"] == "none" and seen["Contact"] == "" and seen["Granted"] == 3,
   "the session says what it is", seen)
status = subprocess.run(["setpriv", "--reuid", str(ALICE), "--clear-groups", f"{ROOT}/build/callgatectl", "status"],
                        env=dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=alice.bus.address), capture_output=True, text=True,
                        check=False).stdout
ok("not a call, not encrypted" in status, "and so does the status", status)
ok(alice.app.refusal(path, SESSION, "MediaKeys") == "NotLive" and
   alice.app.refusal(path, SESSION, "Deliver", "ay", {"bytes": "00"}) == "BadBlob" and
   not alice.app.wait_signal("Blob", 0.2, path), "nothing of it goes to anybody, and it has no keys")
alice.gate.event("stream 44 " + alice.gate.capture(subject, 7, 2, int(path.rsplit("/", 1)[1], 16)))
wait_for(lambda: alice.app.manager("ListStreams"))
rules("[rule memo]\naction = ask\n")
ok(wait_for(lambda: alice.gate.allowed() == 0), "a policy that does not say so any more stops it")
rules("[rule memo]\naction = ask\nlocal = ask\n")
ok(wait_for(lambda: alice.gate.allowed() == 3), "and gives it back")
alice.app.manager("Block", "u", CAMERA)
ok(wait_for(lambda: alice.gate.allowed() == MICROPHONE), "a block counts here, too")
alice.app.call(path, SESSION, "End")
event = end_of(path)
ok(event["EndReason"] == "ended" and "call" not in event["EndMessage"] and alice.gate.allowed() == 0, "it can be ended", event)
serial = alice.app.start_call(ROOT_PATH, MANAGER, "Unblock", "u", CAMERA)
alice.agent.reply(alice.agent.wait("Confirm"), "b", True)
alice.app.answer_to(serial)
alice.gate.event("stop 44 0")

# ---- each time, and for a while
path, _ = answered(False)
event = end_of(path)
ok(event["EndReason"] == "denied" and alice.gate.allowed() == 0 and refused() == "Denied",
   "it is asked about each time, and a no is a no, for a while", event)
serial = alice.app.start_call(ROOT_PATH, MANAGER, "AskAgain")
alice.agent.reply(alice.agent.wait("Confirm"), "b", True)
alice.app.answer_to(serial)
rules("[rule memo]\naction = ask\nlocal = ask\nlocal_seconds = 2\n")
other = alice.app.spawn("sleep", "1001")
path, details = answered(True, MICROPHONE, subject=other)
granted = wait_for(lambda: alice.gate.allowed())
deadline = next(iter(alice.gate.grants.values()))["deadline"]
event = end_of(path)
ok(details["Seconds"] == 2 and granted == MICROPHONE and event["EndReason"] == "expired" and alice.gate.allowed() == 0,
   "it ends by itself when the time is over that the question said", event)
ok(deadline < time.clock_gettime_ns(time.CLOCK_BOOTTIME), "the kernel was never told a later one")
ok(refused(0) == "BadArgument" and refused(**{"tell-programs": True}) == "BadArgument",
   "to capture nothing, or to tell nobody of programs, is no request")

# ---- from the command line
rules("[rule memo]\naction = ask\nlocal = ask\n")


def by_ctl(allow, *command):
    """Runs it through callgatectl local; who was asked about, the exit code, what was written."""
    run = subprocess.Popen(["setpriv", "--reuid", str(ALICE), "--regid", str(ALICE), "--clear-groups", f"{ROOT}/build/callgatectl", "local",
                            "--microphone", "--", *command], env=dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=alice.bus.address),
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    question = alice.agent.wait("Approve")
    alice.agent.reply(question, "bu", allow, 1 if allow else 0)
    out, err = run.communicate(timeout=LIMIT)
    return question["arguments"][1], run.returncode, out, err


if alice.daemon.scopes:
    details, code, out, err = by_ctl(True, "sh", "-c", "echo captured")
    ok(details["Local"] and details["App"].endswith("/callgatectl") and "what it starts" in details["Subject"] and code == 0 and
       out == "captured\n", "callgatectl local runs a command that may", (details, code, out, err))
    details, code, out, err = by_ctl(False, "sh", "-c", "echo captured")
    ok(code == 3 and out == "" and "did not allow" in err, "or does not begin it", (code, out, err))
else:
    for _ in range(2):
        ok(True, "callgatectl local # SKIP no control groups of version 2")
serial = alice.app.start_call(ROOT_PATH, MANAGER, "AskAgain")
if alice.daemon.scopes:
    alice.agent.reply(alice.agent.wait("Confirm"), "b", True)
alice.app.answer_to(serial)

# ---- a restart
rules("[rule memo]\naction = ask\nlocal = ask\n")
path, _ = answered(True, subject=alice.app.spawn("sleep", "1002"))
wait_for(lambda: alice.gate.allowed() == 3)
alice.daemon.end()
ok(end_of(path)["EndReason"] == "shutdown" and alice.gate.allowed() == 0, "it ends with the service")
alice.daemon.start()
alice.agent.become_agent()

# ---- what is remembered
command = ["setpriv", "--reuid", str(ALICE), "--regid", str(ALICE), "--clear-groups", f"{ROOT}/build/callgatectl", "history"]
environment = dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=alice.bus.address, HOME=home)
subprocess.run(command, env=environment, capture_output=True, check=False)  # Makes the key.
path, _ = answered(True, subject=alice.app.spawn("sleep", "1003"))
wait_for(lambda: alice.gate.allowed() == 3)
alice.app.call(path, SESSION, "End")
text = subprocess.run(command, env=environment, capture_output=True, text=True, check=False).stdout
one = json.loads(subprocess.run([*command, "--json"], env=environment, capture_output=True, text=True,
                                check=False).stdout)["history"][-1]
ok("not a call, not encrypted" in text and one["level"] == "local" and one["app"] == SCRIPT, "the history says what it was",
   (text, one))
ok(alice.daemon.end() == 0 and "Sanitizer" not in alice.daemon.log(), "the daemon ends well, without a word from the sanitizers",
   alice.daemon.log()[-2000:])
finish()
