#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compares kmod/uapi/callgate.h with kmod/uapi/callgate.yaml, name by name and number by number, and the manual with the
kernel's schema for such files. TAP."""

import os
import re
import subprocess
import sys
import tempfile

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
HEADER = os.path.join(TOP, "kmod", "uapi", "callgate.h")
SPEC = os.path.join(TOP, "kmod", "uapi", "callgate.yaml")

try:
    import yaml
except ImportError:
    print("TAP version 13\n1..0 # SKIP python3-yaml is not installed; run 'make setup'")
    sys.exit(0)


def constant(prefix, name):
    return (prefix + name).replace("-", "_").upper()


def from_spec(spec):
    """What the manual promises: {C name: number}, by group."""
    groups = {}
    for definition in spec["definitions"]:
        prefix = f"callgate-{definition['name']}-"
        flags = definition["type"] == "flags"
        groups[definition["name"]] = {
            constant(prefix, entry): 1 << i if flags else i for i, entry in enumerate(definition["entries"])
        }
    attributes = spec["attribute-sets"][0]
    groups["attr"] = {
        constant(attributes["name-prefix"], a["name"]): i + 1 for i, a in enumerate(attributes["attributes"])
    }
    operations = spec["operations"]
    groups["cmd"] = {
        constant(operations["name-prefix"], o["name"]): i + 1 for i, o in enumerate(operations["list"])
    }
    return groups


def from_header(names):
    """What the C compiler makes of each name: {C name: number}; a name that is missing is left out."""
    known = set(re.findall(r"\bCALLGATE_[A-Z0-9_]+\b", open(HEADER, encoding="utf-8").read()))
    names = [n for n in names if n in known]
    lines = "\n".join(f'\tprintf("%s %lld\\n", "{n}", (long long){n});' for n in names)
    program = f'#include <stdio.h>\n#include "{HEADER}"\nint main(void)\n{{\n{lines}\n}}\n'
    with tempfile.TemporaryDirectory() as folder:
        source, binary = os.path.join(folder, "a.c"), os.path.join(folder, "a")
        with open(source, "w", encoding="utf-8") as f:
            f.write(program)
        subprocess.run(["cc", "-o", binary, source], check=True)
        out = subprocess.run([binary], check=True, capture_output=True, text=True).stdout
    return {name: int(number) for name, number in (line.split() for line in out.splitlines())}


def used(spec):
    """Every attribute that an operation names, with the operation."""
    for operation in spec["operations"]["list"]:
        for side in ("do", "dump"):
            for part in ("request", "reply"):
                for name in operation.get(side, {}).get(part, {}).get("attributes", []):
                    yield operation["name"], name
        for name in operation.get("event", {}).get("attributes", []):
            yield operation["name"], name


def by_schema(spec):
    """(What the kernel's schema and its generic client find wrong, or None; why it cannot be said)."""
    try:
        import jsonschema
    except ImportError:
        return None, "python3-jsonschema is not installed; run 'make setup'"
    found = subprocess.run([os.path.join(TOP, "tests", "ynl")], capture_output=True, text=True, check=False)
    if found.returncode != 0:
        return None, found.stderr.strip()
    folder = found.stdout.strip()
    with open(f"{folder}/Documentation/netlink/{spec['protocol']}.yaml", encoding="utf-8") as file:
        validator = jsonschema.Draft7Validator(yaml.safe_load(file))
    bad = [f"{'/'.join(map(str, error.path))}: {error.message}" for error in validator.iter_errors(spec)]
    sys.path.insert(0, f"{folder}/tools/net/ynl")
    from lib.nlspec import SpecFamily
    family = SpecFamily(SPEC, schema_path="")
    bad += [f"the client does not know {operation['name']}" for operation in spec["operations"]["list"]
            if operation["name"] not in family.msgs]
    return bad, ""


def main():
    spec = yaml.safe_load(open(SPEC, encoding="utf-8"))
    groups = from_spec(spec)
    header = open(HEADER, encoding="utf-8").read()
    values = from_header([n for g in groups.values() for n in g])
    results = []

    for group, wanted in groups.items():
        bad = [f"{n} is {values.get(n, 'missing')}, not {v}" for n, v in wanted.items() if values.get(n) != v]
        results.append((f"the numbers of {group} are those of the manual", bad))

    # The other direction: nothing in an enum or mask of the header that the manual does not have.
    helpers = {"CALLGATE_A_UNSPEC", "CALLGATE_A_MAX", "CALLGATE_CMD_UNSPEC", "CALLGATE_CMD_MAX", "CALLGATE_KIND_ALL"}
    prefixes = {"attr": "CALLGATE_A_", "cmd": "CALLGATE_CMD_"}
    for group, wanted in groups.items():
        prefix = prefixes.get(group, f"CALLGATE_{group.upper()}_")
        names = {n for n in re.findall(r"\bCALLGATE_[A-Z0-9_]+\b", header) if n.startswith(prefix) and n != prefix}
        bad = [f"{n} is not in callgate.yaml" for n in sorted(names - set(wanted) - helpers)]
        results.append((f"the manual names every constant of {group}", bad))

    names = {a["name"] for a in spec["attribute-sets"][0]["attributes"]}
    bad = [f"{operation} names {name}" for operation, name in used(spec) if name not in names]
    results.append(("every operation uses attributes that exist", bad))

    bad = []
    for name, wanted in (("NAME", spec["name"]),):
        if f'#define CALLGATE_GENL_{name}    "{wanted}"' not in header:
            bad.append(f"CALLGATE_GENL_{name} is not {wanted}")
    results.append(("the family has the manual's name", bad))

    bad, why = by_schema(spec)
    what = "the kernel's schema and generic client take the manual"
    results.append((what if bad is not None else f"{what} # SKIP {why}", bad or []))

    print(f"TAP version 13\n1..{len(results)}")
    for i, (what, bad) in enumerate(results, 1):
        print(f"{'not ok' if bad else 'ok'} {i} - {what}")
        for line in bad:
            print(f"# {line}")
    return any(bad for _, bad in results)


if __name__ == "__main__":
    sys.exit(main())
