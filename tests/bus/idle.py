#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The daemon starts with little work and sleeps while there is no session: it is not scheduled once. With a call, it is."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from rig import *  # noqa: E402,F403

IDLE_S = 10
START_MS = 100

if os.geteuid() != 0:
    plan_skip("needs root, to act as several users")


def wakeups(side):
    with open(f"/proc/{side.daemon.process.pid}/status") as file:
        return sum(int(line.split()[1]) for line in file if "ctxt_switches" in line)


def start_cost(daemon):
    """Milliseconds that the processor was at it since the program began, with its name on the bus."""
    with open(f"/proc/{daemon.process.pid}/schedstat") as file:
        return int(file.read().split()[0]) / 1e6


place = Place()
# As it is installed: no sanitizer, the real gate's code, and nothing in the state directory.
plain = Daemon(place, Bus(place, "plain"), "plain", binary=os.path.join(ROOT, os.environ.get("BUILD", "build"), "callgated"))
cost = start_cost(plain)
ok(0 < cost <= START_MS, f"it starts within {START_MS} ms of processor time: {cost:.1f} ms", cost)
plain.end()
plain.start()
cost = start_cost(plain)
ok(0 < cost <= START_MS, f"also with a state directory: {cost:.1f} ms", cost)
plain.stop()
alice = Side(place, "alice", ALICE)
bob = Side(place, "bob", BOB, gate=False)


def slept(side):
    before = wakeups(side)
    time.sleep(IDLE_S)
    return wakeups(side) - before


wait_for(lambda: wakeups(alice) == (time.sleep(1) or wakeups(alice)))
times = slept(alice)
ok(times == 0, f"in {IDLE_S} s without a session the daemon does not wake up", times)
path, other, relay = start_call(alice, bob)
compare(alice, bob)
times = slept(alice)
ok(times > 0, "while in a call it does", times)
alice.app.call(path, SESSION, "End")
wait_for(lambda: not alice.properties(path))
wait_for(lambda: wakeups(alice) == (time.sleep(1) or wakeups(alice)), 60)
times = slept(alice)
ok(times == 0, f"in {IDLE_S} s after the last session it does not wake up", times)
finish()
