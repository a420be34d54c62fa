#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A daemon that is restarted in the middle of a call. The test is the service manager: it keeps descriptors and knows the job."""
import fcntl
import os
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from rig import *  # noqa: E402,F403

BUS = "org.freedesktop.DBus"
SYSTEMD = "org.freedesktop.systemd1"
F_ADD_SEALS, ALL_SEALS = 1033, 15
DEAD_S = 5  # of the heartbeat below
FIN = "03"  # the type of a blob, its second byte
CONFIG = "[channel]\nheartbeat = 1000\n"

if os.geteuid() != 0:
    plan_skip("needs root, to act as several users")


class Store(threading.Thread):
    """The service manager's side of sd_notify(3)."""

    def __init__(self, place, name):
        super().__init__(daemon=True)
        self.path = f"{place.path}/{name}.notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        os.chmod(self.path, 0o666)
        self.fds = {}
        self.start()

    def run(self):
        while True:
            data, fds, _, _ = socket.recv_fds(self.socket, 4096, 16)
            words = dict(line.split("=", 1) for line in data.decode().splitlines())
            if words.get("FDSTORE") and words.get("FDPOLL") == "0":
                self.fds[words["FDNAME"]] = fds.pop()
            elif words.get("FDSTOREREMOVE"):
                fds.append(self.fds.pop(words["FDNAME"], None))
            for fd in fds:
                if fd is not None:
                    os.close(fd)


class Systemd(threading.Thread):
    """Says what job is under way for the daemon's unit."""

    def __init__(self, bus):
        super().__init__(daemon=True)
        self.actor = Actor(bus, 0)
        self.actor.call("/org/freedesktop/DBus", BUS, "RequestName", "su", SYSTEMD, 4, to=BUS)
        self.job = "restart"
        self.asked = 0
        self.start()

    def run(self):
        while True:
            event = self.actor.take(lambda e: e["event"] in ("GetUnitByPID", "Get"), 1)
            if not event:
                continue
            self.asked += 1
            if event["event"] == "GetUnitByPID":
                self.actor.reply(event, "o", "/unit")
            elif event["arguments"][1] == "Job":
                self.actor.reply(event, "v", {"job": 7 if self.job else 0})
            else:
                self.actor.reply(event, "v", self.job)


place = Place()
store = Store(place, "alice")
notify = {"NOTIFY_SOCKET": store.path}
alice = Side(place, "alice", ALICE, config=CONFIG, **notify)
bob = Side(place, "bob", BOB, config=CONFIG)
systemd = Systemd(alice.bus)


def begin(**options):
    """A live call of hers; (path, his path, relay)."""
    call = start_call(alice, bob, **options)
    wait_for(lambda: (alice.properties(call[0]) or {}).get("Granted") == 3)
    return call


def restart(how=signal.SIGTERM, fds=None, register=True):
    """Whether it ended well, and what the gate was told meanwhile."""
    before = len(alice.gate.log)
    status = alice.daemon.end(how)
    kept = store.fds if fds is None else fds
    alice.daemon.start(fds=kept, **notify)
    if register:
        alice.agent.become_agent()
    return status == (0 if how == signal.SIGTERM else -how), alice.gate.log[before:]


def state(side, path):
    return (side.properties(path) or {}).get("State", "gone")


def ended(side, path):
    """What its app was told, before the name vanished."""
    def told(event):
        return event["event"] == "signal" and event["member"] == "PropertiesChanged" and event["path"] == path and \
            event["arguments"][1].get("EndReason")
    event = side.app.take(told)
    return event and event["arguments"][1]["EndReason"]


def revoked(log):
    return [entry for entry in log if entry[1].startswith("revoke")]


def lives_on(call, what):
    """Longer than any proof of life from before can reach."""
    began = time.monotonic()
    seen = len(call[2].seen)
    wait_for(lambda: time.monotonic() > began + DEAD_S + 1 or state(alice, call[0]) != "live" or
             state(bob, call[1]) != "live", DEAD_S + LIMIT)
    ok(state(alice, call[0]) == state(bob, call[1]) == "live" and len(call[2].seen) > seen + 4 and
       alice.gate.allowed() == 3, what, (alice.properties(call[0]), bob.properties(call[1]), alice.daemon.log()))


def over(call, what):
    ok(state(alice, call[0]) == "gone" and not alice.gate.allowed(), what,
       (alice.properties(call[0]), alice.gate.grants, alice.daemon.log()))
    call[2].stop()
    bob.app.refusal(call[1], SESSION, "End")
    wait_for(lambda: state(bob, call[1]) == "gone")


# ---- a restart
ok(wait_for(lambda: "gate" in store.fds), "the gate's socket is kept from the beginning", store.fds)

# ---- while the numbers are being compared
call = start_call(alice, bob)
first = alice.agent.wait("Compare")
bob.agent.reply(bob.agent.wait("Compare"), "s", "matches")
good, log = restart(register=False)
ok(first and good and not revoked(log) and state(alice, call[0]) == "live", "a call whose numbers are being compared goes on",
   (log, alice.properties(call[0])))
alice.agent.become_agent()
again = alice.agent.wait("Compare")
ok(again and again["arguments"][:2] == first["arguments"][:2], "and the next agent is asked, for the same number", (first, again))
alice.agent.reply(again, "s", "matches")
ok(wait_for(lambda: alice.properties(call[0])["Granted"] == 3), "whose answer counts", alice.properties(call[0]))
alice.app.call(call[0], SESSION, "End")
call[2].stop()
wait_for(lambda: state(bob, call[1]) == "gone")

call = begin()
systemd.asked = 0
shown = alice.properties(call[0])
good, log = restart()
ok(good and systemd.asked == 3, "the daemon asks what becomes of it", systemd.asked)
ok(not revoked(log) and any(entry[1] == "grant" and entry[2] == int(call[0][-16:], 16) for entry in log),
   "nothing is revoked, and the grant is renewed", log)
ok(alice.properties(call[0]) == shown, "the session is as it was", (shown, alice.properties(call[0])))
ok(set(store.fds) == {"gate"}, "what was handed over is not kept", store.fds)
lives_on(call, "and the call goes on")
restart()
lives_on(call, "also after another restart")
alice.app.call(call[0], SESSION, "End")
ok(wait_for(lambda: state(bob, call[1]) == "gone") and not alice.gate.allowed(), "and ends for both")
call[2].stop()

# ---- what is not a restart
call = begin()
systemd.job = "stop"
good, log = restart()
ok(good and revoked(log), "a daemon that is stopped ends the call at once", log)
ok(wait_for(lambda: state(bob, call[1]) == "gone"), "and tells the other side")
over(call, "nothing of it is left")
call = begin()
systemd.job = ""
restart()
over(call, "the same where no job is under way")
systemd.job = "restart"

call = begin()
good, log = restart(signal.SIGKILL)
ok([entry for entry in log if entry[1] == "revoke-grant"], "after a crash the next daemon ends what it does not know", log)
over(call, "and no call is left")

# ---- a handover that is not whole
call = begin()
alice.daemon.end()
restart(fds={"gate": store.fds["gate"]})
over(call, "without what was handed over the call ends")
call = begin()
alice.daemon.end()
kept = {name: os.dup(fd) for name, fd in store.fds.items()}
alice.daemon.start(fds=store.fds, **notify)
ok(state(alice, call[0]) == "live", "with it the call goes on")
restart(signal.SIGKILL, fds=kept)
over(call, "what was read once cannot be read again")
for fd in kept.values():
    os.close(fd)

call = begin()
alice.daemon.end()
with open(store.fds["sessions"], "rb", closefd=False) as file:
    content = bytearray(os.pread(file.fileno(), 65536, 0))
content[100] ^= 1
forged = os.memfd_create("forged", os.MFD_ALLOW_SEALING)
os.write(forged, content)
fcntl.fcntl(forged, F_ADD_SEALS, ALL_SEALS)
restart(fds=dict(store.fds, sessions=forged))
over(call, "what was changed is not taken")
ok("cannot be taken over" in alice.daemon.log(), "and the log says so", alice.daemon.log())
os.close(forged)

# ---- what changed meanwhile
call = begin()
alice.daemon.end()
alice.app.do("kill", pid=alice.subject)
alice.daemon.start(fds=store.fds, **notify)
alice.agent.become_agent()
over(call, "a subject that ended meanwhile ends its call")
alice.subject = alice.app.spawn()

app = alice.app
alice.app = Actor(alice.bus, ALICE)
alice.subject = alice.app.spawn()
call = begin()
alice.daemon.end()
call[2].stop()
alice.app.stop()
alice.app = app
alice.subject = alice.app.spawn()
alice.daemon.start(fds=store.fds, **notify)
alice.agent.become_agent()
over(call, "an owner that went meanwhile ends its call")

call = begin()
alice.daemon.end()
alice.gate.grants[99] = dict(pid=1, cookie=5, cgroup=0, uid=ALICE, kinds=3, deadline=2**63)
alice.daemon.start(fds=store.fds, **notify)
alice.agent.become_agent()
ok(99 not in alice.gate.grants and call and state(alice, call[0]) == "live", "a grant that no session accounts for is ended")
alice.app.call(call[0], SESSION, "End")
call[2].stop()
wait_for(lambda: state(bob, call[1]) == "gone")

# ---- a scope, and a question that is open
call = begin(scope=True)
path = alice.app.create("carol", 3, alice.subject)
question = alice.agent.wait("Approve")
restart()
ok(question and state(alice, path) == "gone" and ended(alice, path) == "restarted", "a session that is not allowed yet ends, and says why",
   alice.properties(path))
lives_on(call, "a call in a scope goes on beside it")
ok("scope" in alice.properties(call[0])["Subject"], "in its scope", alice.properties(call[0]))
call[2].stop()

# ---- while calls are being set up: one that rings, and one whose last message of the handshake gets lost
path = alice.app.create("carol", 3, alice.subject)
alice.agent.reply(alice.agent.wait("Approve"), "bu", True, 3)
init = alice.app.wait_signal("Blob", path=path)
ok(init and state(alice, path) == "ringing", "a call rings", alice.properties(path))
mine, theirs, relay = start_call(alice, bob, change=lambda blob: None if blob[2:4] == FIN else blob)
ok(wait_for(lambda: state(alice, mine) == "handshaking"), "another one is in the handshake", alice.properties(mine))
good, log = restart()
ok(good and ended(alice, path) == ended(alice, mine) == "restarted", "both end with the restart, and say why",
   (alice.properties(path), alice.properties(mine), alice.app.events))
ids = {int(one[-16:], 16) for one in (path, mine)}
ok(state(alice, path) == state(alice, mine) == "gone" and not [entry for entry in log if entry[1] == "grant" and entry[2] in ids],
   "and nothing is granted for them", log)
relay.stop()
bob.app.refusal(theirs, SESSION, "End")
call = begin()
lives_on(call, "the next call is set up as ever")
call[2].stop()
alice.app.call(call[0], SESSION, "End")
wait_for(lambda: state(bob, call[1]) == "gone")

# ---- nobody compares
store = Store(place, "dora")
notify = {"NOTIFY_SOCKET": store.path}
dora = Side(place, "dora", MALLORY, config=CONFIG + "[unverified]\nseconds = 8\n", **notify)
systemd = Systemd(dora.bus)
call = start_call(dora, bob, contact="bert", claimed="dora")
dora.agent.wait("Compare")
bob.agent.reply(bob.agent.wait("Compare"), "s", "matches")
dora.daemon.end()
dora.daemon.start(fds=store.fds, **notify)
ok(state(dora, call[0]) == "live", "without an agent the call goes on", dora.daemon.log())
ok(wait_for(lambda: state(dora, call[0]) == "gone", 20), "until the time for comparing is over")
call[2].stop()

# ---- another bus, which gives the same names to others
dora.agent.become_agent()
call = start_call(dora, bob, contact="bert", claimed="dora")
wait_for(lambda: dora.gate.allowed())
ok(dora.gate.allowed() == MICROPHONE, "a call of hers captures", dora.gate.grants)
dora.daemon.end()
call[2].stop()
dora.bus.stop()
Bus(place, "dora")
dora.daemon.start(fds=store.fds, **notify)
ok("cannot be taken over" in dora.daemon.log() and not dora.gate.allowed(), "and ends where the bus is another one",
   (dora.daemon.log(), dora.gate.grants))
finish()
