#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A thousand sessions at once in one daemon: its work is linear in their number, and each takes no more than 16 KiB.

Work is the processor time of the daemon, the least of several rounds: a busy machine adds to it and takes nothing away.
"""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from rig import *  # noqa: E402,F403

if os.geteuid() != 0:
    plan_skip("needs root, to be an agent")

FEW, MANY = 100, 1000
LINEAR, SIZE = 1.5, 16384
ROUNDS, MORE = 4, 40
PART = 20

place = Place()
bus = Bus(place, "many")
daemon = Daemon(place, bus, "many", config="[channel]\nheartbeat = 15000\n",
                binary=os.path.join(ROOT, "build", "tests", "callgated-many"))


def work():
    """Nanoseconds that the daemon has run."""
    with open(f"/proc/{daemon.process.pid}/schedstat") as file:
        return int(file.read().split()[0])


def memory():
    """Bytes of the daemon that are in memory."""
    with open(f"/proc/{daemon.process.pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS:")) * 1024


class Crowd:
    def __init__(self):
        self.process = subprocess.Popen([os.path.join(ROOT, "build", "tests", "bus", "crowd"), bus.address],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
                                        extra_groups=[AGENT_GROUP])
        things.append(self)

    def do(self, what):
        """The daemon's work for it."""
        before = work()
        self.process.stdin.write(what + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        if answer != "ok":
            print(f"Bail out! crowd: {answer or 'it died'}; {daemon.log()[-1000:]}", flush=True)
            sys.exit(1)
        return work() - before

    def stop(self):
        self.process.kill()
        self.process.wait()


def least(measure, enough=lambda best: True):
    """The least of several measurements; of more of them while it is not small enough."""
    best = float("inf")
    for turn in range(MORE):
        best = min(best, measure())
        if turn + 1 >= ROUNDS and enough(best):
            break
    return best


def opening(crowd, n):
    """The work for one of PART sessions more than n, which are then closed again."""
    took = crowd.do(f"open {n + PART}") / PART
    crowd.do(f"close {n}")
    return took


crowd = Crowd()
crowd.do(f"open {FEW}")
few = memory()
first = least(lambda: opening(crowd, FEW))
few_beat = least(lambda: crowd.do("beat") / FEW)
crowd.do(f"open {MANY - PART}")
last = least(lambda: opening(crowd, MANY - PART), lambda best: best <= LINEAR * first)
crowd.do(f"open {MANY}")
size = (memory() - few) / (MANY - FEW)
many_beat = least(lambda: crowd.do("beat") / MANY, lambda best: best <= LINEAR * few_beat)
print(f"# opening one more than {FEW}: {first / 1000:.0f} us; the last {PART} of {MANY}: {last / 1000:.0f} us each")
print(f"# a heartbeat among {FEW}: {few_beat / 1000:.1f} us; among {MANY}: {many_beat / 1000:.1f} us")
print(f"# a session: {size:.0f} bytes")
ok(last <= LINEAR * first, "to open a session costs the same however many are open", (first, last))
ok(many_beat <= LINEAR * few_beat, "to take a heartbeat costs the same however many are open", (few_beat, many_beat))
ok(size <= SIZE, f"a session takes no more than {SIZE} bytes", size)
crowd.stop()
ok(wait_for(daemon.has_name, 30) and daemon.process.poll() is None, "the daemon outlives its callers")
ok(daemon.end() == 0, "and ends well", daemon.log()[-2000:])
finish()
