#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every test that kmod/SECURITY.md names exists, and each program that it names. TAP."""

import glob
import os
import re
import sys

os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))

DOCUMENT = "kmod/SECURITY.md"


def named(text):
    """(program, test) of each `program: test, test` in the text."""
    for span in re.findall(r"`([^`]*)`", text):
        match = re.fullmatch(r"\s*(\w+_test):\s*(.*)", span, re.S)
        if match:
            for test in re.split(r"[,\s]+", match[2].strip()):
                yield match[1], test


def there():
    """The tests of each program."""
    tests = {}
    for path in glob.glob("tests/kselftest/*_test.c") + glob.glob("tests/soak/*_test.c"):
        with open(path, encoding="utf-8") as file:
            found = re.findall(r"^TEST(?:_LIMIT)?\((\w+)", file.read(), re.M)
        tests[os.path.basename(path)[:-2]] = set(found)
    return tests


def main():
    with open(DOCUMENT, encoding="utf-8") as file:
        pairs = list(named(file.read()))
    tests = there()
    bad = [f"{program}: {test}" for program, test in pairs if test not in tests.get(program, ())]
    print("TAP version 13\n1..2")
    print(f"{'ok' if len(pairs) > 40 else 'not ok'} 1 - {DOCUMENT} names tests: {len(pairs)}")
    print(f"{'not ok' if bad else 'ok'} 2 - each of them exists")
    for name in bad:
        print(f"# {DOCUMENT}: there is no test {name}")
    return 1 if bad or len(pairs) <= 40 else 0


sys.exit(main())
