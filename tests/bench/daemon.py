#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What callgated itself takes: its start, its idling, its memory and work as sessions grow, its journal and its report.

Runs the real daemon on a private bus of the tests' own (tests/bus/lib/rig.py), as root. Prints lines of JSON as tests/bench/sample.h
does. Work is processor time, the least of several turns: a busy machine adds to it and takes nothing away.
"""
import json
import os
import pwd
import resource
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
COUNTED = 100
CALLS = 500
BINARY = os.path.join(TOP, "build", "tests", "callgated-many")
# Each session's keys lie in a locked page, between others that nobody may touch.
LOCKED, MAPS_EACH = 4096, 40
MAPS = "/proc/sys/vm/max_map_count"
MORE = os.path.join(TOP, "build", "tests", "bench", "callgated-10000")


def tell(scenario, what, unit, value):
    print(json.dumps({"scenario": scenario, "what": what, "unit": unit, "median": value, "n": 1}), flush=True)


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
    best = float("inf")
    for turn in range(TURNS):
        daemon = Daemon(place, bus, f"start{turn}", binary=BINARY)
        best = min(best, work_of(daemon.process.pid))
        daemon.end()
    tell("daemon", "start", "us", best / 1000)


def idle(place, bus):
    daemon = Daemon(place, bus, "idle", binary=BINARY)
    pid = daemon.process.pid
    wait_for(lambda: wakeups(pid) == (time.sleep(1) or wakeups(pid)), 60)
    before = wakeups(pid)
    # What is measured is that nothing happens in this time.
    time.sleep(IDLE_S)
    tell("daemon", f"wake-ups in {IDLE_S} s without a session", "count", wakeups(pid) - before)
    daemon.end()


def allowed():
    """How many sessions this machine lets a daemon have that root starts, with some to spare."""
    try:
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    except ValueError:
        pass
    locked = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]
    return SESSIONS[-1] if locked == resource.RLIM_INFINITY else locked // LOCKED - PART - 10


def sessions(place, bus):
    with open(MAPS, encoding="ascii") as file:
        maps = int(file.read())
    most = [n for n in SESSIONS if n <= allowed()]
    try:
        set_maps(max(maps, MAPS_EACH * most[-1]))
        grow(place, bus, most)
    finally:
        set_maps(maps)


def set_maps(n):
    with open(MAPS, "w", encoding="ascii") as file:
        file.write(str(n))


def grow(place, bus, most):
    daemon = Daemon(place, bus, "sessions", config="[channel]\nheartbeat = 15000\n", binary=MORE)
    pid = daemon.process.pid
    crowd = Crowd(bus, daemon)
    for n in most:
        if n:
            crowd.do(f"open {n}")
        tell("daemon", f"memory with {n} sessions", "KiB", status_of(pid, "VmRSS"))
        took = []
        for _ in range(TURNS):
            took.append(crowd.do(f"open {n + PART}") / PART)
            crowd.do(f"close {n}")
        tell("daemon", f"opening a session beside {n}", "us", min(took) / 1000)
        if n:
            tell("daemon", f"a heartbeat among {n}", "us", min(crowd.do("beat") / n for _ in range(TURNS)) / 1000)
    crowd.stop()
    daemon.end()


def calls(place, bus):
    """Method calls one after the other: the daemon's, and the bus's own smallest, of the same client in the same minute."""
    daemon = Daemon(place, bus, "calls", binary=BINARY)
    client = (
        "import dbus,sys,time\n"
        "bus=dbus.bus.BusConnection(sys.argv[1])\n"
        "def rate(name,path,interface,method,*arguments):\n"
        "    call=dbus.Interface(bus.get_object(name,path,introspect=False),interface).get_dbus_method(method)\n"
        "    call(*arguments)\n"
        "    best=0\n"
        "    for turn in range(5):\n"
        "        begun=time.perf_counter()\n"
        f"        for i in range({CALLS}): call(*arguments)\n"
        f"        best=max(best,{CALLS}/(time.perf_counter()-begun))\n"
        "    return best\n"
        "print(rate('org.callgate1','/org/callgate1','org.freedesktop.DBus.Properties','Get','org.callgate1.Manager','Version'))\n"
        "print(rate('org.freedesktop.DBus','/org/freedesktop/DBus','org.freedesktop.DBus','GetId'))\n")
    done = subprocess.run([sys.executable, "-c", client, bus.address], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"bench: the client of the bus: {done.stderr.strip().splitlines()[-1]}")
    ours, bare = (float(x) for x in done.stdout.split())
    tell("daemon", "property read over D-Bus", "per s", ours)
    tell("daemon", "the bus's own GetId", "per s", bare)
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
        took = as_user(owner.pw_uid, owner.pw_gid, os.path.join(TOP, "build", "tests", "make-journal"), journal, str(n - there))
        tell("daemon", f"append to the journal, up to {n} records", "us", took / (n - there))
        there = n
        daemon.start()
        took = as_user(ALICE, ALICE, ctl, "report", f"{home}/{n}.html")
        tell("daemon", f"report of {n} records", "ms", took / 1000)
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
