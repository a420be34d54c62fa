#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who may include whom. TAP.

The layers below, from the ground up: a file includes its own layer and lower ones, never a higher one. In a layer
marked apart, a file sees only its own noun (the part of its name before the first dash). A file that no
layer names belongs to the layer marked default.
"""

import fnmatch
import os
import re
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# (name, patterns, options)
KMOD = [
    ("ground", ["uapi/*", "limits.h", "compat.h", "stats.h", "trace.h"], ()),
    ("facts", ["verdict.*", "grant.*", "grant-path.*", "subject.*", "path.*"], ()),
    ("gate", ["*"], ("default",)),
    ("subsystem", ["v4l2*", "alsa*", "usb*", "netlink*"], ("apart",)),
    ("main", ["main.c"], ()),
]
DAEMON = [
    ("util", ["util/*"], ()),
    ("crypto", ["crypto.*", "bounds.h"], ()),
    ("pure", ["policy*", "session.*", "noise.*", "channel*", "identity*", "record*", "pause.*"], ("pure",)),
    ("stateful", ["*"], ("default",)),
    ("edge", ["gate*", "bus*"], ()),
    ("manager", ["manager*"], ()),
    ("main", ["main.c"], ()),
]
# What the tools may take from the daemon.
SHARED = ["daemon/util/*", "daemon/crypto.h", "daemon/record*.h", "daemon/bounds.h", "daemon/policy*.h", "daemon/config.h"]
# Who may know the netlink family's constants, besides the module.
NETLINK = ["daemon/gate*", "tests/*"]
# Libraries that a pure file never sees, and who alone may see some of them.
LIBRARIES = re.compile(r"^(systemd/|sodium|netlink/|openssl/|dbus/)")
ONLY = [(re.compile(r"^sodium"), ["daemon/crypto.c", "tests/*"]),
        (re.compile(r"^openssl/"), ["daemon/crypto*.c", "tests/*"]),
        (re.compile(r"^netlink/"), ["daemon/gate*", "tests/*"])]

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def matches(name, patterns):
    return any(fnmatch.fnmatch(name, p) for p in patterns)


def layer(layers, name):
    fallback = None
    for level, (_, patterns, options) in enumerate(layers):
        if "default" in options:
            fallback = level
        elif matches(name, patterns):
            return level
    return fallback


def noun(name):
    return os.path.basename(name).split(".")[0].split("-")[0]


def sources(folder):
    found = []
    for where, _, files in os.walk(os.path.join(TOP, folder)):
        found += [os.path.relpath(os.path.join(where, f), TOP) for f in files if f.endswith((".c", ".h"))]
    return sorted(found)


FILES = [f for folder in ("kmod", "daemon", "tools", "tests") for f in sources(folder)]
EXISTS = set(FILES)


def includes(path):
    """Yields (line number, system?, text, file of this tree or None)."""
    with open(os.path.join(TOP, path), encoding="utf-8") as file:
        for number, text in enumerate(file, 1):
            found = INCLUDE.match(text)
            if not found:
                continue
            name = found.group(2)
            where = [os.path.dirname(path)]
            where += ["kmod", "kmod/uapi"] if path.startswith(("kmod/", "tests/")) else ["daemon", "tools", "kmod/uapi"]
            where += ["daemon", "tools"] if path.startswith("tests/") else []
            tried = [os.path.normpath(os.path.join(w, name)) for w in where]
            yield number, found.group(1) == "<", name, next((t for t in tried if t in EXISTS), None)


def own_header_first():
    for path in FILES:
        own = path[:-2] + ".h"
        if not path.endswith(".c") or own not in EXISTS or path.startswith("tests/"):
            continue
        first = next(includes(path), None)
        if first is None or first[3] != own:
            yield f"{path}: its first include must be its own header {os.path.basename(own)}"


def no_shared_names():
    # The module and user space never meet in one program; each must be unambiguous in itself.
    for side in (("kmod/",), ("daemon/", "tools/")):
        seen = {}
        for path in FILES:
            if path.endswith(".h") and path.startswith(side):
                name = os.path.basename(path)
                if name in seen:
                    yield f"{path}: {seen[name]} has the same name"
                seen[name] = path


def arrows(folder, layers):
    for path in FILES:
        if not path.startswith(folder + "/"):
            continue
        name = path[len(folder) + 1:]
        mine = layer(layers, name)
        for number, _, text, target in includes(path):
            if not target or not target.startswith(folder + "/"):
                continue
            other = layer(layers, target[len(folder) + 1:])
            if other > mine:
                yield f"{path}:{number}: {text} is above it ({layers[mine][0]} must not see {layers[other][0]})"
            elif other == mine and "apart" in layers[mine][2] and noun(path) != noun(target):
                yield f"{path}:{number}: {text}: files of the layer {layers[mine][0]} never see each other"


def pure_files():
    for path in FILES:
        if not path.startswith("daemon/"):
            continue
        if "pure" not in DAEMON[layer(DAEMON, path[len("daemon/"):])][2]:
            continue
        for number, _, text, _ in includes(path):
            if LIBRARIES.match(text):
                yield f"{path}:{number}: a pure file must not see {text}"


def library_callers():
    for path in FILES:
        for number, _, text, _ in includes(path):
            for pattern, allowed in ONLY:
                if pattern.match(text) and not matches(path, allowed):
                    yield f"{path}:{number}: {text} belongs to {allowed[0]} alone"


def borders():
    for path in FILES:
        for number, _, text, target in includes(path):
            if not target:
                continue
            where = f"{path}:{number}: {text}"
            if path.startswith("tools/") and target.startswith("daemon/") and not matches(target, SHARED):
                yield f"{where}: the tools reach the daemon through D-Bus only"
            if path.startswith("daemon/") and target.startswith("tools/"):
                yield f"{where}: the daemon does not know the tools"
            if path.startswith("kmod/") and not target.startswith("kmod/"):
                yield f"{where}: the module stands alone"
            if target == "kmod/uapi/callgate.h" and not path.startswith("kmod/") and not matches(path, NETLINK):
                yield f"{where}: only {NETLINK[0]} speaks netlink"
            if path.startswith(("daemon/", "tools/")) and target.startswith("kmod/") and "/uapi/" not in target:
                yield f"{where}: user space sees kmod/uapi only"


def main():
    checks = [
        ("a .c includes its own header first", own_header_first()),
        ("no two headers share a name", no_shared_names()),
        ("kmod: arrows point down", arrows("kmod", KMOD)),
        ("daemon: arrows point down", arrows("daemon", DAEMON)),
        ("pure files see no library", pure_files()),
        ("each library has its one caller", library_callers()),
        ("module, daemon and tools keep their borders", borders()),
    ]
    print("TAP version 13")
    print(f"1..{len(checks)}")
    bad = 0
    for number, (name, complaints) in enumerate(checks, 1):
        found = list(complaints)
        bad += bool(found)
        print(f"{'not ok' if found else 'ok'} {number} - {name}")
        for text in found:
            print(f"# {text}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
