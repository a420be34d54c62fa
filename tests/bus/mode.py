#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""From reporting to enforcing and back: who may, what is kept, and what is told of it."""
import os
import pty
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from rig import *  # noqa: E402,F403

POLKIT = "org.freedesktop.PolicyKit1"
BUS = "org.freedesktop.DBus"

if os.geteuid() != 0:
    plan_skip("needs root, to act as several users")

MAC_ADMIN = 1 << 33


class Nowhere:
    """Where a gate will be."""

    def __init__(self, place, name):
        self.path = f"{place.path}/{name}.gate"


place = Place()
bus = Bus(place, "bus")
daemon = Daemon(place, bus, "alice", Nowhere(place, "gate"))
root, user, stranger = Actor(bus, 0), Actor(bus, ALICE), Actor(bus, MALLORY)


def shown():
    return user.get(ROOT_PATH, MANAGER, "Gate")


def change(actor, mode):
    return actor.refusal(ROOT_PATH, MANAGER, "SetMode", "s", mode)


def capabilities():
    with open(f"/proc/{daemon.process.pid}/status", encoding="ascii") as file:
        return {line[:6]: int(line.split()[1], 16) for line in file if line.startswith(("CapPrm", "CapEff", "CapAmb", "CapInh"))}


ok(shown() == "absent" and capabilities() == {"CapPrm": MAC_ADMIN, "CapEff": MAC_ADMIN, "CapAmb": 0, "CapInh": 0},
   "without a gate the daemon keeps the capability to bind one, and no other", (shown(), capabilities()))
gate = daemon.gate = Gate(place, "gate")
os.chmod(gate.path, 0o666)
agent = Actor(bus, ALICE, [AGENT_GROUP])
agent.become_agent()
user.refusal(ROOT_PATH, MANAGER, "CreateSession", "suha{sv}", "bob", 1, {"pidfd": user.spawn()}, {"options": {}})
ok(shown() == "present" and set(capabilities().values()) == {0}, "once one is bound that is dropped as well", (user.said, shown(), capabilities()))
agent.stop()
daemon.end()
daemon.start()
ok(shown() == "present" and set(capabilities().values()) == {0}, "where one is there at the start, at once", (shown(), capabilities()))

ok(shown() == "present" and gate.mode == "enforcing", "without a decision the gate enforces")
ok(change(user, "permissive") == "NotAllowed" and gate.mode == "enforcing", "a user may not change it, without polkit")
ok(change(root, "off") == "BadArgument" and gate.mode == "enforcing", "there are two modes")
ok(change(root, "permissive") == "allowed" and gate.mode == "permissive" and shown() == "permissive",
   "root makes it permissive")

# ---- what would be denied
gate.event("device 7 2 video0 Test camera")
pid = user.spawn()
other = stranger.spawn("cat")
for _ in range(2):
    gate.event("denied 0 " + gate.capture(pid, 7, 2, count=3))
gate.event("denied 0 " + gate.capture(other, 7, 1))
listed = wait_for(lambda: len(root.manager("ListDenials")) == 2 and root.manager("ListDenials"))
mine = [entry for entry in listed or () if entry["Uid"] == ALICE]
ok(mine and mine[0]["Executable"].endswith("sleep") and mine[0]["Kinds"] == 2 and mine[0]["Count"] == 6 and
   mine[0]["Last"] > 0, "root sees each program, what it wanted and how often", listed)
ok([entry["Uid"] for entry in user.manager("ListDenials")] == [ALICE], "a user sees the own ones only")

# ---- callgatectl enforce, which shows that and asks
CTL = os.path.join(ROOT, os.environ.get("BUILD", "build"), "callgatectl")


def enforce(answer):
    """Its status, and what stood on the terminal before the question; without an answer there is no terminal."""
    environment = dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=bus.address)
    if answer is None:
        done = subprocess.run([CTL, "enforce"], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, env=environment)
        return done.returncode, done.stdout + done.stderr, gate.mode
    master, slave = pty.openpty()
    asks = subprocess.Popen([CTL, "enforce"], stdin=slave, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)
    os.close(slave)
    shown_to_them = b""
    while b'Type "yes": ' not in shown_to_them and (data := os.read(asks.stdout.fileno(), 4096)):
        shown_to_them += data
    before = gate.mode
    os.write(master, answer.encode() + b"\n")
    code = asks.wait(LIMIT)
    os.close(master)
    return code, shown_to_them.decode(), before


for answer, status, what in ((None, 2, "nobody is asked without a terminal, and nothing changed"), ("no", 3, "what is denied then is shown; a no changes nothing"),
                             ("yes", 0, "a yes does")):
    code, text, before = enforce(answer)
    ok(code == status and before == "permissive" and ("sleep" in text and "cat" in text and "6 times" in text) and
       gate.mode == ("enforcing" if answer == "yes" else "permissive"), "enforce: " + what, (code, text, before, gate.mode))
change(root, "permissive")

# ---- kept
daemon.end()
gate.mode = "enforcing"
daemon.start()
ok(wait_for(lambda: gate.mode == "permissive") and shown() == "permissive", "the decision outlives a restart")
ok(change(root, "enforcing") == "allowed" and gate.mode == "enforcing" and shown() == "present", "root enforces again")
daemon.end()
daemon.start()
ok(gate.mode == "enforcing", "and that outlives a restart, too")
daemon.end()
gate.mode = "permissive"
daemon.start()
ok(shown() == "permissive" and gate.mode == "permissive", "a module that was loaded permissive is left so")
change(root, "enforcing")
daemon.end()
with open(daemon.state + "/mode", "w", encoding="ascii") as file:
    file.write("perhaps\n")
daemon.start()
ok(gate.mode == "enforcing" and "holds neither" in daemon.log(), "a decision that cannot be read means enforcing")

# ---- polkit
polkit = Actor(bus, 0)
polkit.call("/org/freedesktop/DBus", BUS, "RequestName", "su", POLKIT, 4, to=BUS)
for allowed, result in ((False, "NotAllowed"), (True, "allowed")):
    serial = user.start_call(ROOT_PATH, MANAGER, "SetMode", "s", "permissive")
    question = polkit.wait("CheckAuthorization")
    subject, action = question["arguments"][:2]
    polkit.reply(question, "(bba{ss})", (allowed, False, {}))
    try:
        user.answer_to(serial)
        got = "allowed"
    except Failed as error:
        got = error.name
    ok(got == result and (gate.mode == "permissive") == allowed and action == "org.callgate1.set-mode" and
       subject == ["system-bus-name", {"name": user.name}], f"polkit's {'yes' if allowed else 'no'} is heard",
       (got, question))
change(root, "enforcing")
users = [Actor(bus, ALICE) for _ in range(4)]
serials = [one.start_call(ROOT_PATH, MANAGER, "SetMode", "s", "permissive") for one in users]
asked = [polkit.wait("CheckAuthorization") for _ in serials]
ok(all(asked) and change(stranger, "permissive") == "Limit", "no more than four wait for it")
polkit.stop()
answers = []
for one, serial in zip(users, serials):
    try:
        answers.append(one.answer_to(serial))
    except Failed as error:
        answers.append(error.name)
ok(answers == 4 * ["NotAllowed"] and gate.mode == "enforcing", "polkit that dies says no", answers)
ok(daemon.end() == 0, "the daemon ends well", daemon.log())
finish()
