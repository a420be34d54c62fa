#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What Python itself says only when it comes to the line: names that nothing defines, and imports that nobody uses. TAP.

pyflakes does it. What a module of ours has, it does not know, of `from X import *` or where X.name is written; that is looked up here, in all
modules of that name.
"""

import ast
import os
import subprocess
import sys

from pyflakes import checker, messages

os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))

STAR = (messages.ImportStarUsed, messages.ImportStarUsage)
# What a rig imports may be for who takes all of it.
USED_BY_OTHERS = messages.UnusedImport


def sources():
    files = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], capture_output=True, text=True, check=True).stdout.splitlines()
    for path in files:
        if os.path.isfile(path) and not os.path.islink(path):
            with open(path, "rb") as file:
                first = file.readline()
            if path.endswith(".py") or (first.startswith(b"#!") and b"python3" in first):
                yield path


def look(path):
    with open(path, encoding="utf-8") as file:
        tree = ast.parse(file.read(), path)
    return checker.Checker(tree, path), tree


def module_scope(result):
    return next(scope for scope in result.deadScopes if isinstance(scope, checker.ModuleScope))


def names_of(module, looked, seen=()):
    """What `from module import *` may bring."""
    found = set()
    for path, (result, _) in looked.items():
        if os.path.basename(path) != module + ".py" or path in seen:
            continue
        for name, binding in module_scope(result).items():
            if isinstance(binding, checker.StarImportation):
                found |= names_of(binding.fullName, looked, (*seen, path))
            elif not name.startswith("_"):
                found.add(name)
    return found


def missing(path, looked):
    """Each X.name where X is a module of ours that has no such name."""
    scope = module_scope(looked[path][0])
    ours = {os.path.basename(each)[:-3] for each in looked if each.endswith(".py")}
    for node in ast.walk(looked[path][1]):
        if not isinstance(node, ast.Attribute) or not isinstance(node.value, ast.Name) or node.value.id not in ours:
            continue
        module = node.value.id
        if isinstance(scope.get(module), checker.Importation) and node.attr not in names_of(module, looked) and not node.attr.startswith("_"):
            yield f"{path}:{node.lineno}: '{module}' has no '{node.attr}'"


def complaints(path, looked, is_rig):
    yield from missing(path, looked)
    for message in looked[path][0].messages:
        if isinstance(message, messages.ImportStarUsage):
            name, modules = message.message_args
            if any(name in names_of(module, looked) for module in modules.split(", ")):
                continue
        elif isinstance(message, STAR) or (is_rig and isinstance(message, USED_BY_OTHERS)):
            continue
        yield str(message)


def main():
    looked = {path: look(path) for path in sources()}
    rigs = {binding.fullName + ".py" for result, _ in looked.values() for binding in module_scope(result).values()
            if isinstance(binding, checker.StarImportation)}
    print(f"TAP version 13\n1..{len(looked)}")
    bad = 0
    for number, path in enumerate(looked, 1):
        found = list(complaints(path, looked, os.path.basename(path) in rigs))
        bad += bool(found)
        print(f"{'not ok' if found else 'ok'} {number} - {path}")
        for line in found:
            print("# " + line)
    return 1 if bad else 0


sys.exit(main())
