#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the daemon tells a real journald, in a /run of its own: message ids, fields, and the catalogue that explains them."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from mounts import own_mounts  # noqa: E402

JOURNALD = "/lib/systemd/systemd-journald"
SOCKETS = "/run/systemd/journal"

if os.geteuid() != 0 or not os.path.exists(JOURNALD):
    print("1..0 # SKIP needs root and systemd-journald")
    sys.exit(0)
own_mounts()
from rig import *  # noqa: E402,F403

subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run"], check=True)
os.makedirs(SOCKETS)
os.makedirs("/run/log/journal")
place = Place()


class Journald:
    def __init__(self):
        self.process = subprocess.Popen([JOURNALD], stderr=subprocess.DEVNULL)
        things.append(self)

    def stop(self):
        self.process.terminate()
        self.process.wait()


class Logged(Daemon):
    """Its standard error is the journal's, as systemd makes it."""

    def start(self, *words, **more):
        stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        stream.connect(SOCKETS + "/stdout")
        stream.sendall(b"callgated\n\n6\n1\n0\n0\n0\n")
        stat = os.fstat(stream.fileno())
        real = subprocess.Popen

        def popen(command, **options):
            return real(command, **{**options, "stderr": stream.fileno()})
        subprocess.Popen = popen
        try:
            super().start(*words, JOURNAL_STREAM=f"{stat.st_dev}:{stat.st_ino}", **more)
        finally:
            subprocess.Popen = real
            stream.close()


def entries(event):
    lines = subprocess.run(["journalctl", "--no-pager", "-o", "json", "CALLGATE_EVENT=" + event], capture_output=True,
                           text=True, check=False).stdout.splitlines()
    return [json.loads(line) for line in lines]


def told(event, count=1):
    return wait_for(lambda: len(entries(event)) >= count and entries(event)) or entries(event)


# ---- the catalogue
with open(f"{ROOT}/daemon/util/log.c", encoding="utf-8") as file:
    ids = dict(re.findall(r'\{\s*"([a-z-]+)",\s*"([0-9a-f]{32})"', file.read()))
os.makedirs(f"{place.path}/usr/lib/systemd/catalog")
os.makedirs(f"{place.path}/var/lib/systemd/catalog")
shutil.copy(f"{ROOT}/data/callgate.catalog", f"{place.path}/usr/lib/systemd/catalog")
made = subprocess.run(["journalctl", "--root", place.path, "--update-catalog"], capture_output=True, text=True, check=False)
listed = subprocess.run(["journalctl", "--root", place.path, "--list-catalog"], capture_output=True, text=True,
                        check=False).stdout
ok(made.returncode == 0 and len(set(ids.values())) == len(ids) > 10 and
   sorted(line.split()[0] for line in listed.splitlines() if "Callgate:" in line) == sorted(ids.values()),
   "the catalogue has each message id, and no other", (made.stderr, listed))
with open(f"{ROOT}/data/callgate.catalog", encoding="utf-8") as file:
    ok(set(re.findall(r"@([A-Z_]+)@", file.read())) <= {"CALLGATE_UID", "CALLGATE_EVENT"}, "it names fields that there are")

# ---- events
Journald()
wait_for(lambda: os.path.exists(SOCKETS + "/socket") and os.path.exists(SOCKETS + "/stdout"))
bus = Bus(place, "bus")
gate = Gate(place, "gate")
os.makedirs(f"{place.path}/alice.policy.d")
with open(f"{place.path}/alice.policy.d/50.conf", "w", encoding="utf-8") as file:
    file.write("[rule a]\naction = alow\n")
daemon = Logged(place, bus, "alice", gate)
one = told("policy-broken")
ok(one and one[0]["MESSAGE_ID"] == ids["policy-broken"] and one[0]["PRIORITY"] == "2" and
   "50.conf:2:10: an action is ask or deny" in one[0]["MESSAGE"] and "CALLGATE_UID" not in one[0],
   "rules that are not understood are told with id, priority and place", one)
root = Actor(bus, 0)
daemon.rule("50.conf", "[rule a]\naction = ask\n")
root.manager("ReloadPolicy")
ok(told("policy-read"), "that they were read anew is, too")
daemon.rule("50.conf", "nonsense\n")
root.refusal(ROOT_PATH, MANAGER, "ReloadPolicy")
one = told("policy-kept")
ok(one and one[0]["PRIORITY"] == "3" and one[0]["MESSAGE_ID"] == ids["policy-kept"], "and that they were not", one)
root.manager("SetMode", "s", "permissive")
root.manager("EndSessionsOf", "u", ALICE)
one, other = told("mode-changed"), told("sessions-ended")
ok(one and one[0]["CALLGATE_UID"] == "0" and "permissive" in one[0]["MESSAGE"] and other and
   other[0]["CALLGATE_UID"] == "0" and f"user {ALICE}" in other[0]["MESSAGE"], "what an administrator did has who did it",
   (one, other))
user = Actor(bus, ALICE)
user.manager("Block", "u", CAMERA)
daemon.end()
blocked = f"{daemon.state}/{ALICE}/blocked"
with open(blocked, "w", encoding="ascii") as file:
    file.write("perhaps\n")
daemon.start()
user.get(ROOT_PATH, MANAGER, "Blocked")
one = told("state-failed")
ok(one and one[0]["CALLGATE_UID"] == str(ALICE), "what is about a user has the user in a field", one)
subprocess.run(["mount", "--bind", f"{place.path}/var/lib/systemd/catalog", "/var/lib/systemd/catalog"], check=True)
explained = subprocess.run(["journalctl", "--no-pager", "-x", "CALLGATE_EVENT=state-failed"], capture_output=True, text=True,
                           check=False).stdout
subprocess.run(["umount", "/var/lib/systemd/catalog"], check=True)
ok("restore it from a backup" in explained and f"The user is {ALICE}," in explained, "journalctl -x explains it", explained)

# ---- without a journal
plain = Daemon(place, Bus(place, "other"), "bob", None)
ok("<4>The gate is absent" in plain.log() and not [e for e in entries("gate-absent") if "_PID" in e and
                                                   e["_PID"] == str(plain.process.pid)],
   "where standard error is not the journal's it is written there", plain.log())
ok(plain.end() == 0 and daemon.end() == 0, "both end well", plain.log())
finish()
