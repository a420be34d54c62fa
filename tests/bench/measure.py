# SPDX-License-Identifier: LGPL-2.1-or-later
"""How the programs of this folder are run, here or in the virtual machine, and what they print is read."""
import json
import os
import re
import shlex
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("BUILD", "build")

CAMERAS = "n_devs=4 node_types=0x1,0x1,0x1,0x1 multiplanar=1,1,1,1"


class Failed(Exception):
    """A measurement that did not come about, and why."""


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


# What was run, for who wants to run it again.
commands = []


def note(command):
    commands.append(" ".join(map(shlex.quote, command)))
    say(commands[-1])


def run(command):
    note(command)
    return subprocess.run(command, cwd=TOP, capture_output=True, text=True, check=False)


def lines_of(command):
    """The JSON lines (tests/bench/sample.h) that a command prints; what else it prints is passed on."""
    note(command)
    found = []
    with subprocess.Popen(command, cwd=TOP, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if line.startswith("{"):
                found.append(json.loads(line))
                if len(found) == 1 or found[-1]["scenario"] != found[-2]["scenario"]:
                    say(found[-1]["scenario"])
            else:
                sys.stderr.write(line)
    if process.returncode:
        raise Failed(f"status {process.returncode} of: {' '.join(command)}")
    return found


COUNTING = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]


def count_in(text):
    """What valgrind counted."""
    found = re.search(r"Collected : (\d+)", text)
    if not found:
        raise Failed(f"valgrind counted nothing: {text[-500:]}")
    return int(found.group(1))


def counted(*command):
    """Instructions of a program."""
    done = run(COUNTING + list(command))
    if done.returncode:
        raise Failed(f"status {done.returncode} of valgrind with {' '.join(command)}: {done.stderr[-500:]}")
    return count_in(done.stderr)


def find_release(kernel):
    found = subprocess.run([os.path.join(TOP, "tests", "release"), kernel], capture_output=True, text=True, check=False)
    if found.returncode:
        raise Failed(f"no kernel headers begin with {kernel!r}. Run 'tests/setup --kernel {kernel}' as root.")
    return found.stdout.strip()


def machine(release, *options):
    return [os.path.join("tests", "vm", "run"), "--kernel", release, *options, "--"]


def guest(program):
    return f"/callgate/{BUILD}/tests/bench/{program}"


def stream(release, flavours, repetitions, scenarios):
    """Instructions of each operation, see tests/bench/guest-stream."""
    return lines_of(machine(release, "--count", "--no-module", "--timeout", "3000", "--vivid", CAMERAS) +
                    ["/callgate/tests/bench/guest-stream", BUILD, ",".join(flavours), str(repetitions), *scenarios])


def find(results, scenario, what):
    for r in results:
        if r["scenario"] == scenario and r["what"] == what:
            return r
    return None


def value(result):
    """What counts of a result. A read copies a whole picture, and in some repetitions the camera makes another one meanwhile."""
    return result["low"] if result["what"] == "read" else result["median"]


def added(results, scenario, what):
    """How many instructions the gate adds."""
    base = "none-crowd" if "crowd" in scenario else "none"
    return value(find(results, scenario, what)) - value(find(results, base, what))
