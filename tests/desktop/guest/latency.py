#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""From a stream's start, by the kernel's own time, to the daemon's signal as a subscriber has it in his hands. TAP.

A part of desktop.py; alone on a machine whose clock counts its instructions: tests/vm/run --count --daemon -- this file.
"""
import os
import statistics
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "vm", "guest"))
import unit  # noqa: E402
from demo import CAMERA, CTL, Person, Program, run, wait_for  # noqa: E402
from unit import ok  # noqa: E402

LIMIT_MS = 100
ROUNDS = 30
HERE = os.path.dirname(os.path.realpath(__file__))


def run_all(_, alice, rounds=ROUNDS, alone=False):
    """Where nothing is denied a stream needs no call, and the way of its event is the same. @alone: nothing else delays it."""
    run([CTL, "permissive"])
    subscriber = Program(alice.argv(HERE + "/signals.py"))
    subscriber.expect("ready", 120)
    for _ in range(rounds):
        run(alice.argv("v4l2-ctl", "-d", CAMERA, "--stream-mmap", "--stream-count=1"))
    wait_for(lambda: len(subscriber.lines) > rounds, 30)
    subscriber.stop()
    run([CTL, "enforce", "--yes"])
    lags = sorted((int(now) - int(since)) / 1000 for since, now in (line.split() for _, line in subscriber.lines[1:]))
    if not ok(len(lags) == rounds and lags[0] > 0, f"each of {rounds} streams has its signal", subscriber.text):
        return
    middle, late = statistics.median(lags), lags[-(rounds // 100) - 1]
    print(f"# from the kernel's event to the daemon's signal, received: median {middle:.1f} ms, latest {late:.1f} ms of {rounds}", flush=True)
    ok((late if alone else middle) <= LIMIT_MS, f"in {LIMIT_MS} ms" + ("" if alone else ", as a rule"), lags)


if __name__ == "__main__":
    run_all(None, Person("alice"), alone=True)
    print(f"1..{unit.count}")
    sys.exit(1 if unit.failed else 0)
