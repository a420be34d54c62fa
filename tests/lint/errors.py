#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each error that a method of the D-Bus API can end with stands with it in doc/dbus.md, and no other. TAP.

What a method can end with is what its handler's code reaches, calls and callbacks that it names included. That each may end
with Failed is said once there; what introspection and the bus library answer has other names.
"""
import glob
import os
import re
import sys

TOP = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(TOP, "tests", "bus", "lib"))
from documented import documented  # noqa: E402

# Where a word does not mean that the code goes there.
NOT_REACHED = {
    # A call that goes out brings no blob.
    "CreateSession": {"BadBlob"},
    "CreateLocal": {"BadBlob"},
    # One passphrase is asked for both ways: these are of the way in, or out.
    "ExportIdentity": {"NotAllowed", "Exists"},
    "ImportIdentity": {"NotFound"},
    # Of a new name.
    "Forget": {"BadArgument"},
}
# The objects of Session and Peer are looked up before a handler runs: bus-session.c and bus-peer.c, find_object.
LOOKED_UP = {"org.callgate1.Session", "org.callgate1.Peer"}
METHODS = 36
COMMENT, STRING = re.compile(r"/\*.*?\*/", re.S), re.compile(r'"(?:\\.|[^"\\\n])*"')
FUNCTION = re.compile(r"^(static )?[a-z_][\w *]*?\b(\w+)\([^;{}]*?\)\n\{\n(.*?)^\}", re.S | re.M)
METHOD = re.compile(r'^\t(?:SD_BUS_METHOD_WITH_ARGS|METHOD|NO_RESULT|NO_ARGS|NOTHING)\("(\w+)",(.*?)\),?\n(?=\t[A-Z]|\})', re.S | re.M)
count = 0
failed = 0


def ok(good, name, seen=""):
    global count, failed
    count += 1
    failed += not good
    print(f"{'ok' if good else 'not ok'} {count} - {name}")
    if not good:
        print("# " + str(seen).replace("\n", "\n# "))


class Code:
    def __init__(self):
        self.bodies, self.shared, self.texts = {}, {}, {}
        for path in sorted(glob.glob(os.path.join(TOP, "daemon", "*.c"))):
            with open(path, encoding="utf-8") as file:
                text = self.texts[path] = COMMENT.sub("", file.read())
            for is_static, name, body in FUNCTION.findall(STRING.sub('""', text)):
                self.bodies[path, name] = body
                if not is_static:
                    self.shared[name] = (path, name)

    def find(self, path, word):
        return (path, word) if (path, word) in self.bodies else self.shared.get(word)

    def reach(self, start):
        """The names of the refusals that a function's code leads to."""
        seen, todo, errors = {start}, [start], set()
        while todo:
            path, name = todo.pop()
            if name == "refusal_error":
                continue
            body = self.bodies[path, name]
            errors.update(word.title().replace("_", "") for word in re.findall(r"\bREFUSAL_([A-Z_]+)\b", body))
            for word in set(re.findall(r"(?<!->)(?<![.\w])[a-z_]\w+", body)):
                found = self.find(path, word)
                if found and found not in seen:
                    seen.add(found)
                    todo.append(found)
        return errors

    def methods(self):
        """Each method, by interface and name, with what it can end with."""
        for path, text in self.texts.items():
            interface = "org.callgate1." + os.path.basename(path)[len("bus-"):-len(".c")].title()
            for name, rest in METHOD.findall(text):
                handler = [found for word in re.findall(r"\b[a-z_]\w+", STRING.sub("", rest)) if (found := self.find(path, word))]
                if handler:
                    yield (interface, name), self.reach(handler[-1])


def main():
    can, written = dict(Code().methods()), documented()
    ok(len(can) >= METHODS, "the daemon's methods are found", sorted(can))
    for method in sorted({*can, *written}):
        interface, name = method
        errors = can.get(method, {"no handler of this name"}) - {"Failed"} - NOT_REACHED.get(name, set())
        errors |= {"NotFound"} if interface in LOOKED_UP else set()
        said = written.get(method)
        ok(said is not None and said - {"Failed"} == errors, f"{interface.rsplit('.', 1)[1]}.{name}: its errors are written down",
           f"doc/dbus.md has {said and sorted(said)}, the code {sorted(errors)}")
    print(f"1..{count}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
