#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The private call history where the daemon is killed, and where the disk is full: what is lost, who is told."""
import glob
import json
import os
import pwd
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from rig import *  # noqa: E402,F403

if os.geteuid() != 0:
    plan_skip("needs root, to act as several users")

CTL = os.path.join(ROOT, "build", "callgatectl")


class Disk:
    """A small file system for the daemon's state."""

    def __init__(self, path):
        self.path = path
        owner = pwd.getpwnam("nobody")
        os.mkdir(path, 0o700)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size=256k,mode=0700,uid={owner.pw_uid},gid={owner.pw_gid}",
                               "callgate-test", path], capture_output=True, text=True, check=False)
        self.error = done.stderr.strip() if done.returncode else None
        things.append(self)

    def fill(self):
        with open(f"{self.path}/filler", "ab", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass

    def empty(self):
        os.unlink(f"{self.path}/filler")

    def stop(self):
        subprocess.run(["umount", "-l", self.path], stderr=subprocess.DEVNULL, check=False)


place = Place()
disk = Disk(f"{place.path}/alice.state")
if disk.error:
    plan_skip("no file system can be mounted here: " + disk.error)
alice = Side(place, "alice", ALICE, config="[history]\nunit = 60\n")
HOME = f"{place.path}/home"
os.mkdir(HOME, 0o700)
os.chown(HOME, ALICE, ALICE)
JOURNAL = f"{alice.daemon.state}/{ALICE}/journal"


def ctl(*arguments):
    done = subprocess.run(["setpriv", "--reuid", str(ALICE), "--regid", str(ALICE), "--clear-groups", CTL, "history", *arguments],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
                          env=dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=alice.bus.address, HOME=HOME))
    return done.returncode, done.stdout, done.stderr


def records():
    return json.loads(ctl("--json")[1])


def denied():
    return sum(r["count"] for r in records()["history"] if r["type"] == "denied")


def written():
    """Cells on the disk, which the daemon is not asked for: whoever asks makes it write."""
    return sum((os.path.getsize(name) - 256) // 512 for name in glob.glob(JOURNAL + "/*-*"))


def again(how=signal.SIGTERM, config=None):
    alice.daemon.end(how)
    if config:
        with open(alice.daemon.config, "a") as file:
            file.write(config)
    alice.gate.client = None
    alice.daemon.start()
    alice.agent = Actor(alice.bus, ALICE, [AGENT_GROUP])
    alice.agent.become_agent()
    alice.app = Actor(alice.bus, ALICE)
    alice.subject = alice.app.spawn()
    wait_for(lambda: alice.gate.client)
    alice.gate.event("device 7 3 video0 Test camera")


def attempt(count):
    seen = sum(d["Count"] for d in alice.app.manager("ListDenials"))
    alice.gate.event("denied 0 " + alice.gate.capture(alice.subject, 7, 2, count=count))
    wait_for(lambda: sum(d["Count"] for d in alice.app.manager("ListDenials")) == seen + count)


made = 0


def begin():
    """A session, approved; its path, or the error."""
    global made
    refused = alice.app.refusal(ROOT_PATH, MANAGER, "CreateSession", "suha{sv}", "bob", 3, {"pidfd": alice.subject},
                                {"options": {}})
    if refused != "allowed":
        return None, refused, alice.app.said
    made += 1
    path = alice.app.manager("ListSessions")[0][0]
    question = alice.agent.wait("Approve")
    alice.agent.reply(question, "bu", True, 3)
    return path, refused, ""


def end(path):
    alice.app.call(path, SESSION, "End")
    wait_for(lambda: alice.properties(path) is None)


def sessions():
    return len([r for r in records()["history"] if r["type"] == "session"])


def told():
    event = alice.agent.take(lambda e: e["event"] == "Notify" and e["arguments"][0] == "history", 0.3)
    return event and event["arguments"][1]


ok(ctl()[0] == 0, "a key is made")

# ---- the daemon is killed
attempt(1)
attempt(3)
ok(written() == 2, "a first attempt is on the disk at once, more when they have doubled", written())
attempt(3)
ok(written() == 2, "fewer wait", written())
again(signal.SIGKILL)
ok(denied() == 4, "and are lost where the daemon is killed then: less than half", denied())
attempt(2)
attempt(1)
before = written()
ok(wait_for(lambda: written() == before + 1), "but they wait for a bounded time only", (before, written()))
again(signal.SIGKILL)
ok(denied() == 7, "after which no kill loses them", denied())
attempt(4)
attempt(1)
again(signal.SIGTERM)
ok(denied() == 12, "an ordinary end writes what waits", denied())
ok(not records()["problems"], "and nothing of all that is damage", records()["problems"])

# ---- the disk is full, and no call may be without a record
def near_edge():
    """The next record takes another page, which a full disk does not have."""
    return 4096 - os.path.getsize(sorted(glob.glob(JOURNAL + "/*-*"))[-1]) % 4096 < 512


count = 1
attempt(count)
while not near_edge():
    attempt(count)
    count *= 2
path, _, _ = begin()
disk.fill()
end(path)
ok(sessions() == 1, "a call that was allowed is recorded also where the disk is full when it ends: its room was reserved", records())
for n in range(20):
    path, refused, said = begin()
    if not path:
        break
    end(path)
ok(refused == "Failed" and "No space left" in said and "make room" in said, "then there is no new call, and it is said why", (refused, said))
message = told()
ok(message and "No space left" in message and "no call is allowed" in message, "the user is told", message)
begin()
ok(told() is None, "once, not with each call")
disk.empty()
path, refused, said = begin()
ok(path, "and there is a call once there is room", (refused, said))
end(path)
again()
ok(sessions() == made and not records()["problems"], "nothing else came of it", (made, records()))

# ---- the disk is full, and calls go on
again(config="[history]\nfull = continue\n")
disk.fill()
path, refused, said = begin()
ok(path, "where the policy says so calls go on", (refused, said))
end(path)
message = wait_for(told)
ok(message and "No space left" in message and "Calls go on" in message, "and the user is told", message)
disk.empty()
path, _, _ = begin()
end(path)
ok(wait_for(lambda: sessions() == made) and not records()["problems"],
   "what could not be written waited, and is there once there is room", (made, records()))
disk.fill()
status, out, err = ctl("forget", "--all")
ok(status == 0 and records()["history"] == [], "forgetting works on a full disk", (status, err))
disk.empty()

# ---- the journal may not be written at all
again(config="[history]\nfull = deny\n")
alice.daemon.end()
os.chmod(JOURNAL, 0o500)
again()
path, refused, said = begin()
ok(refused == "Failed" and "Permission denied" in said, "the same where it may not be written", (refused, said))
os.chmod(JOURNAL, 0o700)
path, refused, said = begin()
ok(path, "and may be again", (refused, said))
finish()
