#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who may do what over D-Bus: each method and property that introspection shows, with each kind of caller. What the table
below does not have, or doc/dbus.md does not, fails."""
import os
import re
import sys
import xml.etree.ElementTree as ET

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from rig import *  # noqa: E402,F403

BUS = "org.freedesktop.DBus"
PROPERTIES = BUS + ".Properties"
PEER, DEVICE, HISTORY = "org.callgate1.Peer", "org.callgate1.Device", "org.callgate1.History"
SOUND = "org.callgate1.Sound"
OPTIONS = {"options": {}}

if os.geteuid() != 0:
    plan_skip("needs root, to act as several users")

place = Place()
alice = Side(place, "alice", ALICE)
bob = Side(place, "bob", BOB, gate=False)
# The other user has an agent, so that a refusal is about who asks and not about nobody being there to answer.
theirs = Actor(alice.bus, MALLORY, [AGENT_GROUP])
theirs.become_agent()
ears = Actor(alice.bus, MALLORY)
ears.call("/org/freedesktop/DBus", BUS, "AddMatch", "s", "type='signal'", to=BUS)
callers = {
    "owner": alice.app,
    "same": Actor(alice.bus, ALICE),
    "agent": alice.agent,
    "fake": Actor(alice.bus, ALICE),
    "other": Actor(alice.bus, MALLORY),
    "root": Actor(alice.bus, 0),
}
MINE = ("owner", "same", "agent", "fake")
alice.gate.event("device 7 2 video0 Test camera")
path, far, relay = start_call(alice, bob)
compare(alice, bob)
wait_for(lambda: alice.gate.allowed() == 3)
peer = wait_for(lambda: alice.app.manager("ListPeers"))[0][0]
device = wait_for(lambda: alice.app.manager("ListDevices"))[0][0]
alice.gate.event("stream 44 " + alice.gate.capture(alice.subject, 7, 2, int(path.rsplit("/", 1)[1], 16)))
wait_for(lambda: alice.app.manager("ListStreams"))


def who(mine, other="NotFound", root=None, **some):
    """What each caller gets: the user's own, another user, root; and who of the own gets something else."""
    return {**{name: mine for name in MINE}, "other": other, "root": other if root is None else root, **some}


# What an agent has to confirm is denied here by the agent: that it was asked is the point.
ASKED, DONE = who("Denied"), who("allowed", "allowed")
ADMIN = who("NotAllowed", "NotAllowed", "allowed")
TABLE = {
    MANAGER: {
        "CreateSession": ("suha{sv}", ("bob", 1, {"pidfd": alice.subject}, OPTIONS), who("allowed", "NotAllowed", "NoAgent")),
        "AcceptSession": ("aysuha{sv}", ({"bytes": "00"}, "x", 1, {"pidfd": alice.subject}, OPTIONS),
                          who("BadBlob", "NotAllowed", "NoAgent")),
        "CreateLocal": ("uha{sv}", (1, {"pidfd": alice.subject}, OPTIONS), who("NotAllowed", "NotAllowed", "NoAgent")),
        "ListSessions": ("", (), DONE), "ListDevices": ("", (), DONE), "ListPeers": ("", (), DONE),
        "ListStreams": ("", (), DONE), "ListDenials": ("", (), DONE),
        "SetMode": ("s", ("enforcing",), ADMIN), "ReloadPolicy": ("", (), ADMIN),
        "GetMetrics": ("a{sv}", (OPTIONS,), ADMIN), "EndSessionsOf": ("u", (BOB,), ADMIN),
        "ExportIdentity": ("a{sv}", (OPTIONS,), who("Denied")),
        "ImportIdentity": ("aya{sv}", ({"bytes": "00" * 100}, OPTIONS), who("BadArgument", "BadArgument")),
        "RegisterAgent": ("oa{sv}", ("/agent", OPTIONS), who("NotAllowed", "NotAllowed", agent="allowed")),
        "UnregisterAgent": ("o", ("/agent",), who("NotFound", agent="allowed")),
        "AskAgain": ("", (), DONE), "Block": ("u", (MICROPHONE,), DONE), "Unblock": ("u", (MICROPHONE,), who("Denied", "Denied", "NoAgent")),
        "Subscribe": ("", (), DONE), "Unsubscribe": ("", (), DONE),
    },
    SESSION: {
        "Deliver": ("ay", ({"bytes": "00"},), who("NotOwner", owner="BadBlob")),
        "MediaKeys": ("", (), who("NotOwner", owner="allowed")),
        "End": ("", (), who("allowed")),
    },
    PEER: {"Rename": ("s", ("robert",), ASKED), "Forget": ("", (), ASKED), "Verify": ("s", (None,), ASKED)},
    DEVICE: {},
    SOUND: {
        "Attach": ("h", ({"pidfd": alice.subject},), who("NotAllowed", "NotAllowed")),
        "Watch": ("h", ({"pidfd": alice.subject},), who("NotOwner", "NotOwner")),
        "Unwatch": ("u", (1,), who("NotOwner", "NotOwner")), "Use": ("uu", (1, 1), who("NotOwner", "NotOwner")),
        "Linked": ("uu", (1, 1), who("NotOwner", "NotOwner")), "Intruder": ("su", ("x", 1), who("NotOwner", "NotOwner")),
    },
    HISTORY: {
        "GetKey": ("", (), DONE), "List": ("", (), DONE), "SetKey": ("ay", ({"bytes": "07" * 32},), DONE),
        "Open": ("s", ("../identity",), who("NotFound")), "Forget": ("u", (1,), DONE),
        "Replace": ("taya(uayayh)", (0, {"bytes": "00"}, []), who("BadArgument", "BadArgument")),
    },
}
PATHS = {MANAGER: ROOT_PATH, HISTORY: ROOT_PATH, SOUND: ROOT_PATH, SESSION: path, PEER: peer, DEVICE: device}
# Objects that another user does not see.
HIDDEN = (SESSION, PEER)


def interfaces(xml):
    return {node.get("name"): node for node in ET.fromstring(xml[xml.index("<node"):]).findall("interface")
            if node.get("name").startswith("org.callgate1")}


def members(node, kind):
    return sorted(child.get("name") for child in node.findall(kind))


def shape(node):
    """All that a client can rely on."""
    lines = []
    for child in node:
        if child.tag in ("method", "signal", "property"):
            arguments = [(arg.get("name"), arg.get("type"), arg.get("direction") if child.tag == "method" else None)
                         for arg in child.findall("arg")]
            lines.append((child.tag, child.get("name"), child.get("type"), child.get("access"), arguments))
    return sorted(lines, key=str)


found = {}
for object_path in {*PATHS.values()}:
    found.update(interfaces(alice.app.call(object_path, BUS + ".Introspectable", "Introspect")))
ok(sorted(found) == sorted(TABLE), "there are the interfaces that the table has, and no more", sorted(found))
wrong = [name for name in TABLE if members(found[name], "method") != sorted(TABLE[name])]
ok(not wrong, "each method has a line in the table", [(name, members(found[name], "method")) for name in wrong])
wrong = []
for name, node in found.items():
    with open(f"{ROOT}/data/dbus/{name}.xml", encoding="utf-8") as file:
        if shape(interfaces(file.read())[name]) != shape(node):
            wrong.append(name)
ok(not wrong, "the XML files say what the service offers", wrong)
with open(f"{ROOT}/doc/dbus.md", encoding="utf-8") as file:
    sections = re.split(r"^## ", file.read(), flags=re.M)
wrong = []
for name, node in found.items():
    text = "".join(section for section in sections if name in section.split("\n")[0])
    wrong += [f"{name}.{child.get('name')}" for child in node if child.tag in ("method", "signal", "property")
              and not re.search(rf"\b{child.get('name')}\b", text)]
ok(not wrong, "doc/dbus.md has each of their members", wrong)

# ---- everybody calls everything


def refuse_questions(agent):
    """Each question but those about calls gets a no, at once."""
    def run():
        while True:
            event = agent.take(lambda e: e["event"] in ("Confirm", "Passphrase"))
            if not event:
                continue
            if event["event"] == "Confirm":
                agent.reply(event, "b", False)
            else:
                agent.do("answer", serial=event["serial"], error="org.callgate1.Agent.Error.Cancelled")
    threading.Thread(target=run, daemon=True).start()


refuse_questions(alice.agent)
refuse_questions(theirs)
key = alice.app.get(peer, PEER, "Keys")[0]
# What gives the others something to work on comes first, what takes it away last.
ORDER = {"SetKey": -1, "Block": 1, "Unblock": 2, "End": 3, "Forget": 4}
lines = [(interface, method) for interface in TABLE for method in TABLE[interface]]
for interface, method in sorted(lines, key=lambda line: ORDER.get(line[1], 0)):
    signature, arguments, expected = TABLE[interface][method]
    arguments = [key if argument is None else argument for argument in arguments]
    got = {}
    for name, actor in callers.items():
        where = PATHS[interface]
        if method == "End":
            # One for each: an end is final.
            where = alice.app.create("bob", CAMERA, alice.subject)
        got[name] = actor.refusal(where, interface, method, signature, *arguments)
        if method in ("End", "CreateSession"):
            for extra, _ in alice.app.manager("ListSessions"):
                if extra != path:
                    alice.app.call(extra, SESSION, "End")
        if method == "UnregisterAgent" and name == "agent":
            actor.become_agent()
    ok(got == expected, f"{interface.rsplit('.', 1)[1]}.{method}: " + ", ".join(
        f"{result} for {', '.join(n for n in got if expected[n] == result)}" for result in dict.fromkeys(expected.values())),
       {name: result for name, result in got.items() if result != expected[name]})

# ---- properties
for interface, node in found.items():
    wrong = {}
    for name, actor in callers.items():
        hidden = interface in HIDDEN and name not in MINE
        want = "NotFound" if hidden else "allowed"
        results = [actor.refusal(PATHS[interface], PROPERTIES, "GetAll", "s", interface),
                   actor.refusal(PATHS[interface], BUS + ".Introspectable", "Introspect")]
        results += [actor.refusal(PATHS[interface], PROPERTIES, "Get", "ss", interface, one)
                    for one in members(node, "property")]
        if set(results) != {want}:
            wrong[name] = results
        wrong.update({f"{name} sets {one}": True for one in members(node, "property")
                      if actor.refusal(PATHS[interface], PROPERTIES, "Set", "ssv", interface, one, "x") == "allowed"})
    ok(not wrong, f"{interface.rsplit('.', 1)[1]}: properties are read by those who see the object, written by nobody", wrong)
lists = {name: [len(actor.manager(method)) for method in ("ListSessions", "ListPeers", "ListDevices", "ListStreams")]
         for name, actor in callers.items()}
ok(all(lists[name] == [1, 1, 1, 1] for name in MINE) and lists["other"] == lists["root"] == [0, 0, 1, 1],
   "lists have what is the caller's", lists)
strangers = [callers[name].manager("ListStreams")[0] for name in ("other", "root")]
ok(all(not {"Pid", "Executable", "Session", "App"} & set(stream) for stream in strangers) and
   "Pid" in callers["same"].manager("ListStreams")[0], "of another user's capture only that it runs is told", strangers)
ok(callers["other"].get(ROOT_PATH, MANAGER, "Blocked") == MICROPHONE and callers["root"].get(ROOT_PATH, MANAGER, "Blocked") ==
   MICROPHONE and callers["same"].get(ROOT_PATH, MANAGER, "Blocked") == MICROPHONE and alice.properties(path)["Granted"] == CAMERA,
   "a block is each user's own, and lasts without the agent's yes", alice.properties(path))

# ---- nothing is broadcast
heard = [event for event in ears.events if event["event"] == "signal"]
ok(not heard, "who listens to all signals of the bus hears nothing", heard)
callers["other"].manager("Subscribe")
callers["same"].manager("Subscribe")
alice.gate.event("denied 0 " + alice.gate.capture(alice.subject, 7, 1))
alice.app.call(path, SESSION, "End")
ok(callers["same"].wait_signal("SessionRemoved") and callers["same"].wait_signal("Denied"), "a subscriber hears what is the own user's")
ok(not [event for event in callers["other"].events if event["event"] == "signal"] and
   not [event for event in ears.events if event["event"] == "signal"], "another user's hears nothing of it",
   (callers["other"].events, ears.events))
relay.stop()
ok(alice.daemon.end() == 0, "the daemon ends well", alice.daemon.log()[-2000:])
ok("Sanitizer" not in alice.daemon.log(), "without a word from the sanitizers")
finish()
