#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""callgate-pipewire on a machine whose PipeWire it cannot use: it says why, and what still works. TAP.

Where it can be used is tests/vm/pipewire_test.
"""
import os
import subprocess
import sys

sys.dont_write_bytecode = True
from fake import BUILD, Tap  # noqa: E402

PROGRAM = os.path.join(BUILD, "callgate-pipewire")
tap = Tap()
ok = tap.ok


def run(*words):
    done = subprocess.run([PROGRAM, *words], capture_output=True, text=True, timeout=60, check=False,
                          stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout, done.stderr


version = run("--version")
old = version[1].split()[-1].startswith("0.") if version[1] else False
ok(version[0] == 0 and "PipeWire" in version[1], "it says with which PipeWire it runs", version)
seen = run("--help")
ok(seen[0] == 0 and seen[1].startswith("Usage:") and "Exit status" in seen[1], "--help explains", seen)
for wrong in ("--wrong", "wrong"):
    seen = run(wrong)
    ok(seen[0] == 2 and "--help" in seen[2], f"'{wrong}' is a wrong argument", seen)
if old:
    seen = run()
    ok(seen[0] == 3 and version[1].split()[-1] in seen[2] and "V4L2" in seen[2] and "ALSA" in seen[2],
       "a PipeWire that is too old is refused, with what still works", seen)
else:
    ok(True, "a PipeWire that is too old is refused # SKIP this one is new enough")
sys.exit(tap.done())
