#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What callgated itself takes: its start, its idling, its memory and work as sessions grow, its journal and its report.

Runs the real daemon on a private bus of the tests' own (tests/bus/lib/rig.py), as root. Prints lines of JSON as tests/bench/sample.h
does. Work is processor time, or instructions where valgrind counts them.
"""
import json
import os
import pwd
import resource
import statistics
import subprocess
import sys
import time

TOP = os.path.realpath(os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", ".."))
sys.path.insert(0, os.path.join(TOP, "tests", "bus", "lib"))
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import measure  # noqa: E402
from rig import *  # noqa: E402,F403

TURNS = 5
IDLE_S = 10
# BOUND_SESSIONS is 1024; the daemon that is measured allows more, to see what comes beyond.
SESSIONS = [0, 100, 250, 500, 1000, 2000, 5000, 10000]
PART = 20
RECORDS = [1000, 10000, 50000]
PARTS = 3
COUNTED = 100
CALLS = 500
BINARY = os.path.join(TOP, "build", "tests", "callgated-many")
# Each session's keys lie in pages of their own, between others that nobody may touch.
MAPS_EACH = 40
MAPS = "/proc/sys/vm/max_map_count"
MORE = os.path.join(TOP, "build", "tests", "bench", "callgated-10000")


def tell(scenario, what, unit, *values):
    spread = {"low": min(values), "high": max(values)} if len(values) > 1 else {}
    print(json.dumps({"scenario": scenario, "what": what, "unit": unit, "median": statistics.median(values), **spread,
                      "n": len(values)}), flush=True)


def work_of(pid):
    """Nanoseconds that a process has run."""
    with open(f"/proc/{pid}/schedstat", encoding="ascii") as file:
        return int(file.read().split()[0])


def status_of(pid, key):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(key + ":"))


def wakeups(pid):
    return status_of(pid, "voluntary_ctxt_switches") + status_of(pid, "nonvoluntary_ctxt_switches")


class Crowd:
    """Opens and closes sessions of one connection, and beats in each (tests/bus/fake/crowd.c)."""

    def __init__(self, bus, daemon):
        self.pid = daemon.process.pid
        self.process = subprocess.Popen([os.path.join(TOP, "build", "tests", "bus", "crowd"), bus.address],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
                                        extra_groups=[AGENT_GROUP])

    def do(self, what):
        before = work_of(self.pid)
        self.process.stdin.write(what + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        if answer != "ok":
            sys.exit(f"bench: crowd: {answer or 'it died'}")
        return work_of(self.pid) - before

    def stop(self):
        self.process.kill()
        self.process.wait()


def start(place, bus):
    took = []
    for turn in range(TURNS):
        daemon = Daemon(place, bus, f"start{turn}", binary=BINARY)
        took.append(work_of(daemon.process.pid) / 1000)
        daemon.end()
    tell("daemon", "start", "us", *took)


def idle(place, bus):
    daemon = Daemon(place, bus, "idle", binary=BINARY)
    pid = daemon.process.pid
    wait_for(lambda: wakeups(pid) == (time.sleep(1) or wakeups(pid)), 60)
    before = wakeups(pid)
    # What is measured is that nothing happens in this time.
    time.sleep(IDLE_S)
    tell("daemon", f"wake-ups in {IDLE_S} s without a session", "count", wakeups(pid) - before)
    daemon.end()


def sessions(place, bus):
    with open(MAPS, encoding="ascii") as file:
        maps = int(file.read())
    # Where it may be raised: else tests/bench/lock.c says what becomes of it.
    try:
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    except ValueError:
        pass
    try:
        set_maps(max(maps, MAPS_EACH * SESSIONS[-1]))
        grow(place, bus)
    finally:
        set_maps(maps)


def set_maps(n):
    with open(MAPS, "w", encoding="ascii") as file:
        file.write(str(n))


def grow(place, bus):
    daemon = Daemon(place, bus, "sessions", config="[channel]\nheartbeat = 15000\n", binary=MORE)
    pid = daemon.process.pid
    crowd = Crowd(bus, daemon)
    for n in SESSIONS:
        if n:
            crowd.do(f"open {n}")
        tell("daemon", f"memory with {n} sessions", "KiB", status_of(pid, "VmRSS"))
        opened, closed = [], []
        for _ in range(TURNS):
            opened.append(crowd.do(f"open {n + PART}") / PART / 1000)
            closed.append(crowd.do(f"close {n}") / PART / 1000)
        tell("daemon", f"opening a session beside {n}", "us", *opened)
        tell("daemon", f"closing a session beside {n}", "us", *closed)
        if n:
            tell("daemon", f"a heartbeat among {n}", "us", *(crowd.do("beat") / n / 1000 for _ in range(TURNS)))
    # Not asked to end: it would close each session in turn.
    daemon.stop()
    crowd.stop()


CLIENT = f"""
import dbus, sys, time
bus = dbus.bus.BusConnection(sys.argv[1])
def method(name, path, interface, method):
    return dbus.Interface(bus.get_object(name, path, introspect=False), interface).get_dbus_method(method)
ours = method("org.callgate1", "/org/callgate1", "org.freedesktop.DBus.Properties", "Get")
bare = method("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "GetId")
for turn in range({TURNS} + 1):
    for call in (lambda: ours("org.callgate1.Manager", "Version")), bare:
        begun = time.perf_counter()
        for i in range({CALLS}):
            call()
        print({CALLS} / (time.perf_counter() - begun))
"""


def calls(place, bus):
    """Method calls one after the other: the daemon's, and the bus's own smallest, of the same client in turns; the first does not count."""
    daemon = Daemon(place, bus, "calls", binary=BINARY)
    before = work_of(daemon.process.pid)
    done = subprocess.run([sys.executable, "-c", CLIENT, bus.address], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"bench: the client of the bus: {done.stderr.strip().splitlines()[-1]}")
    rates = [float(line) for line in done.stdout.splitlines()][2:]
    tell("daemon", "property read over D-Bus", "per s", *rates[::2])
    tell("daemon", "the bus's own GetId, in turns", "per s", *rates[1::2])
    took = (work_of(daemon.process.pid) - before) / ((TURNS + 1) * CALLS) / 1000
    tell("daemon", "property read over D-Bus, the daemon's part", "us", took)
    daemon.end()


def counts(as_user, owner, ctl, home, daemon, journal):
    """Instructions of one record: what more of them take more."""
    appended, reported = [], []
    for n in (COUNTED, 2 * COUNTED):
        daemon.end()
        appended.append(as_user(owner.pw_uid, owner.pw_gid, os.path.join(TOP, "build", "tests", "make-journal"), journal, str(n),
                                count=True))
        daemon.start()
        reported.append(as_user(ALICE, ALICE, ctl, "report", f"{home}/counted-{n}.html", count=True))
    tell("daemon", "append to the journal, counted", "instructions", (appended[1] - appended[0]) / COUNTED)
    tell("daemon", "one record more in a report, counted", "instructions", (reported[1] - reported[0]) / (2 * COUNTED))


def report(place, bus):
    daemon = Daemon(place, bus, "report", binary=BINARY)
    home = f"{place.path}/home"
    os.mkdir(home, 0o700)
    os.chown(home, ALICE, ALICE)
    owner = pwd.getpwnam(daemon.user)
    journal = f"{daemon.state}/{ALICE}/journal"

    def as_user(uid, gid, *command, count=False):
        """Microseconds of its processor time, or its instructions."""
        begun = resource.getrusage(resource.RUSAGE_CHILDREN)
        whole = ["setpriv", "--reuid", str(uid), "--regid", str(gid), "--clear-groups", *(measure.COUNTING if count else []), *command]
        done = subprocess.run(whole, check=True, cwd=home if uid == ALICE else "/", stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE if count else None, text=True,
                              env=dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=bus.address, HOME=home, LC_ALL="C.UTF-8"))
        if count:
            return measure.count_in(done.stderr)
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return (used.ru_utime + used.ru_stime - begun.ru_utime - begun.ru_stime) * 1e6

    ctl = os.path.join(TOP, "build", "callgatectl")
    as_user(ALICE, ALICE, ctl, "history")
    counts(as_user, owner, ctl, home, daemon, journal)
    there = 3 * COUNTED
    for n in RECORDS:
        daemon.end()
        part = (n - there) // PARTS
        tell("daemon", f"append to the journal, up to {n} records", "us", *(
            as_user(owner.pw_uid, owner.pw_gid, os.path.join(TOP, "build", "tests", "make-journal"), journal, str(part)) / part
            for _ in range(PARTS)))
        there += PARTS * part
        daemon.start()
        tell("daemon", f"report of {n} records", "ms", *(
            as_user(ALICE, ALICE, ctl, "report", f"{home}/{n}-{turn}.html") / 1000 for turn in range(PARTS)))
    daemon.end()


def main():
    if os.geteuid() != 0:
        sys.exit("bench: needs root, to be an agent and several users")
    place = Place()
    bus = Bus(place, "bench")
    parts = {"start": start, "idle": idle, "sessions": sessions, "calls": calls, "report": report}
    for name in sys.argv[1:] or parts:
        parts[name](place, bus)


if __name__ == "__main__":
    main()
