#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What bash offers after callgatectl. TAP."""
import os
import subprocess
import sys

TOP = os.path.realpath(os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", ".."))
BUILD = os.path.join(TOP, os.environ.get("BUILD", "build"))
SCRIPT = """. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _callgatectl; printf '%s\\n' "${COMPREPLY[@]}\""""
CASES = (
    (("en",), {"end", "enforce"}, "verbs"),
    (("enforce", "--"), {"--yes", "--json", "--help"}, "a verb's own options"),
    (("call", "bob", "--v"), {"--via"}, "also behind an argument"),
    (("block", "ca"), {"camera"}, "kinds"),
    (("peers", "f"), {"forget"}, "changes of a peer"),
    (("policy", "ex"), {"explain"}, "what policy does"),
    (("policy", "explain", "--peer", "p"), {"pinned"}, "the values of an option"),
    (("call", "bob", "--", "ffmpeg", "--"), {""}, "nothing for the command of a call"),
    (("sing", "--"), {"--help"}, "no options for a verb that does not exist"),
)

failed = 0
print(f"1..{len(CASES)}")
for number, (words, wanted, what) in enumerate(CASES, 1):
    done = subprocess.run(["bash", "-c", SCRIPT, "bash", f"{TOP}/data/completions/callgatectl", "callgatectl", *words],
                          capture_output=True, text=True, check=False, env=dict(os.environ, PATH=f"{BUILD}:/usr/bin:/bin"))
    good = set(done.stdout.rstrip("\n").split("\n")) == wanted
    failed += not good
    print(f"{'ok' if good else 'not ok'} {number} - {what}")
    if not good:
        print(f"# {done.stdout!r} {done.stderr!r}")
sys.exit(1 if failed else 0)
