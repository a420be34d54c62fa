#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The administrator's rules: what they deny, how they are read anew in the middle of a call, and that a broken file loosens nothing."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from rig import *  # noqa: E402,F403

if os.geteuid() != 0:
    plan_skip("needs root, to act as several users")

place = Place()
alice = Side(place, "alice", ALICE, config="[channel]\nheartbeat = 1000\n")
bob = Side(place, "bob", BOB, gate=False)
root, mallory = Actor(alice.bus, 0), Actor(alice.bus, MALLORY)
watcher = Actor(alice.bus, ALICE)
watcher.manager("Subscribe")
APP = "exe:" + os.path.realpath("/usr/bin/python3")


def creates(app=None, subject=None, kinds=3, contact="bob"):
    """The refusal of a CreateSession; an allowed one is ended."""
    app = app or alice.app
    said = app.refusal(ROOT_PATH, MANAGER, "CreateSession", "suha{sv}", contact, kinds,
                       {"pidfd": subject or alice.subject}, {"options": {}})
    for path, _ in app.manager("ListSessions"):
        if path not in kept:
            app.call(path, SESSION, "End")
    alice.agent.events.clear()
    return said


def rules(text, name="50-test.conf"):
    alice.daemon.rule(name, text)
    return root.refusal(ROOT_PATH, MANAGER, "ReloadPolicy")


def state():
    return alice.app.get(ROOT_PATH, MANAGER, "Policy")


kept = []
ok(state() == "loaded" and creates() == "allowed", "without rules every call is asked")

# ---- broken at the start
alice.daemon.end()
alice.daemon.rule("50-test.conf", "[rule ok]\naction = ask\n[rule a]\naction = alow\n")
alice.daemon.start()
alice.agent.become_agent()
watcher.manager("Subscribe")
ok(state() == "broken" and "50-test.conf:4:10: " in alice.daemon.log(), "a file that is not understood at the start is told with its place",
   alice.daemon.log())
ok(creates() == "NotAllowed" and "policy check" in alice.app.said, "and no call is allowed", alice.app.said)
ok(rules("[rule a]\naction = ak\n") == "Failed" and creates() == "NotAllowed" and state() == "broken",
   "nor after a reload that is no better")
ok(rules("[rule a]\naction = ask\n") == "allowed" and creates() == "allowed" and state() == "loaded",
   "once it is corrected and read anew calls are asked")

# ---- what rules decide
ok(rules(f"# why\n[rule no-python]\naction = deny\napp = {APP}\n") == "allowed" and creates() == "NotAllowed" and
   f"{alice.daemon.rules}/50-test.conf:2 (rule no-python)" in alice.app.said, "an app is denied, and told by which rule",
   alice.app.said)
ok(rules(f"[rule script]\naction = deny\napp = {SCRIPT}\n") == "allowed" and creates() == "NotAllowed",
   "by what the interpreter runs as well as by the interpreter", alice.app.said)
ok(rules("[rule other]\naction = deny\napp = exe:/usr/bin/other\n") == "allowed" and creates() == "allowed",
   "a rule about another app does not deny this one")
ok(rules(f"[rule user]\naction = deny\nuser = {ALICE}\n") == "allowed" and creates() == "NotAllowed",
   "a user is denied")
ok(rules(f"[rule user]\naction = deny\nuser = {BOB}\n") == "allowed" and creates() == "allowed", "another user is not")
shed = Actor(alice.bus, ALICE, gid=60000)
grouped = Actor(alice.bus, ALICE, [60001])
ok(rules(f"[rule group]\naction = deny\ngroup = {ALICE}\n") == "allowed" and creates(shed) == "NotAllowed",
   "who shed a group is still in it, by the account database", shed.said)
ok(rules("[rule group]\naction = deny\ngroup = 60001\n") == "allowed" and creates(grouped) == "NotAllowed" and
   creates() == "allowed", "a group that the kernel says counts, too")
rules("[rule camera]\naction = deny\nkinds = camera\n")
path = alice.app.create("bob", 3, alice.subject)
question = alice.agent.asked_about(path)
ok(alice.properties(path)["Kinds"] == MICROPHONE and question["arguments"][1]["Kinds"] == MICROPHONE,
   "a denied kind is not asked about")
alice.app.call(path, SESSION, "End")
ok(creates(kinds=CAMERA) == "NotAllowed" and creates(kinds=0) == "allowed", "alone it is refused; to listen is not")
ok(rules("[rule first]\naction = ask\n", "10-first.conf") == "allowed" and creates(kinds=CAMERA) == "allowed",
   "an earlier file decides first")
alice.daemon.rule("10-first.conf", None)
rules("[rule quick]\naction = ask\nprompt_seconds = 1\n")
path = alice.app.create("bob", 3, alice.subject)
question = alice.agent.asked_about(path)
event = watcher.take(lambda e: e.get("member") == "SessionRemoved" and e["arguments"][0] == path)
ok(question["arguments"][1]["Timeout"] == 1 and event and event["arguments"][1]["EndReason"] == "unanswered",
   "a rule's question is open as long as it says", event)

# ---- who may ask
rules("[rule console]\naction = ask\nask_on = console\n")
ok(creates() == "NoAgent" and "on a text console" in alice.app.said, "where a rule wants a console a window is not asked",
   alice.app.said)
console = Actor(alice.bus, ALICE, [AGENT_GROUP])
console.manager("RegisterAgent", "oa{sv}", "/agent", {"options": {"terminal": True}})
newest = Actor(alice.bus, ALICE, [AGENT_GROUP])
newest.become_agent()
path = alice.app.create("bob", 3, alice.subject)
ok(console.asked_about(path) and not newest.wait("Approve", 0.2), "an agent on a console is, though another one is newer")
alice.app.call(path, SESSION, "End")
console.stop()
newest.stop()

# ---- unknown peers, and in the middle of a call
rules("[rule strangers]\naction = deny\npeer = unknown\n")
alice.agent.events.clear()
bob.agent.events.clear()
path, other, relay = start_call(alice, bob)
kept.append(path)
question = alice.agent.wait("Compare")
ok(question and alice.properties(path)["State"] == "live" and alice.gate.allowed() == 0,
   "to a stranger nothing is captured, and the numbers are asked for")
alice.agent.reply(question, "s", "matches")
bob.agent.reply(bob.agent.wait("Compare"), "s", "matches")
ok(wait_for(lambda: alice.gate.allowed()) == 3, "once the numbers match it is", alice.properties(path))
rules("[rule camera]\naction = deny\nkinds = camera\n")
ok(wait_for(lambda: alice.gate.allowed() == MICROPHONE) and alice.properties(path)["State"] == "live" and
   alice.properties(path)["Granted"] == MICROPHONE, "new rules count at once in a call that goes on")
rules("[rule console]\naction = ask\nask_on = console\n")
ok(wait_for(lambda: alice.gate.allowed() == 0) and alice.properties(path)["State"] == "live",
   "an approval in a window is none where a rule wants a console")
rules("[rule all]\naction = ask\n")
ok(wait_for(lambda: alice.gate.allowed() == 3), "and what they take away they give back")
ok(rules("[rule all]\naction = ask\nnonsense\n") == "Failed" and ":3:1: " in root.said and state() == "old" and
   creates() == "allowed" and alice.properties(path)["State"] == "live" and alice.gate.allowed() == 3,
   "a broken file at a reload leaves the rules as they were", root.said)
alice.daemon.rule("50-test.conf", "[rule all]\naction = deny\n")
alice.daemon.process.send_signal(signal.SIGHUP)
ok(wait_for(lambda: alice.gate.allowed() == 0) and state() == "loaded" and creates() == "NotAllowed" and
   alice.properties(path)["State"] == "live", "SIGHUP does the same as ReloadPolicy")
rules("[rule all]\naction = ask\n")
with open(alice.daemon.config, "a", encoding="utf-8") as file:
    file.write("[prompt]\ntimeout = 7\n[history]\ndays = 3\n")
ok(root.refusal(ROOT_PATH, MANAGER, "ReloadPolicy") == "allowed" and "when the service is restarted" in alice.daemon.log(),
   "the configuration is read anew as well, but for what only a start can change")
held = alice.app.create("bob", 3, alice.subject)
ok(alice.agent.asked_about(held)["arguments"][1]["Timeout"] == 7, "its keys count then")
alice.app.call(held, SESSION, "End")
os.chmod(f"{alice.daemon.rules}/50-test.conf", 0o666)
ok(root.refusal(ROOT_PATH, MANAGER, "ReloadPolicy") == "Failed" and "others than root" in root.said,
   "a file that anybody could change is not taken", root.said)
os.chmod(f"{alice.daemon.rules}/50-test.conf", 0o644)

# ---- what is remembered
HISTORY = "org.callgate1.History"
alice.app.call(ROOT_PATH, HISTORY, "SetKey", "ay", {"bytes": "07" * 32})


def remembered():
    try:
        return sum(size for _, _, size in alice.app.call(ROOT_PATH, HISTORY, "List")[1])
    except Failed:
        return 0


creates()
size = remembered()
rules("[rule forget]\naction = ask\nhistory = no\n")
creates()
ok(size > 0 and remembered() == size, "nothing is kept of a session where a rule says so", (size, remembered()))
rules("[rule all]\naction = ask\n")
creates()
ok(remembered() > size, "of another one it is", (size, remembered()))

# ---- held captures
alice.gate.event("device 7 2 video0 Test camera")
ids = iter(range(900, 999))


def attempt(app_subject):
    number = next(ids)
    alice.gate.event(f"request {number} " + alice.gate.capture(app_subject, 7, 2))
    return number


for seconds, what in ((0, "is not held at all"), (1, "is held for no longer than a rule says")):
    rules(f"[rule hold]\naction = ask\nhold_seconds = {seconds}\n")
    subject = alice.app.spawn()
    held = alice.app.create("bob", 3, subject)
    number = attempt(subject)
    ok(wait_for(lambda: alice.gate.verdicts.get(number) is False) and alice.properties(held)["State"] == "new",
       "a capture before the call is live " + what)
    alice.app.call(held, SESSION, "End")
rules("[rule hold]\naction = ask\nhold_seconds = 60\n")
subject = alice.app.spawn()
held = alice.app.create("bob", 3, subject)
number = attempt(subject)
ok(wait_for(lambda: alice.gate.verdicts.get(number) is not None, 1.5) is False, "with another rule it is held")
alice.app.call(held, SESSION, "End")
ok(wait_for(lambda: alice.gate.verdicts.get(number) is False), "until the call ends")

# ---- who may do this
ok([alice.app.refusal(ROOT_PATH, MANAGER, "ReloadPolicy"), mallory.refusal(ROOT_PATH, MANAGER, "EndSessionsOf", "u", ALICE)] ==
   ["NotAllowed"] * 2 and alice.properties(path)["State"] == "live", "users neither reload nor end the calls of others")
alice.daemon.rule("50-test.conf", "broken")
ok(root.manager("EndSessionsOf", "u", BOB) == 0 and root.manager("EndSessionsOf", "u", ALICE) == 1 and
   wait_for(lambda: alice.properties(path) is None), "root ends the calls of a user")
relay.stop()
ok(alice.daemon.end() == 0 and bob.daemon.end() == 0, "both daemons end well", alice.daemon.log()[-2000:])
ok("Sanitizer" not in alice.daemon.log(), "without a word from the sanitizers")
finish()
