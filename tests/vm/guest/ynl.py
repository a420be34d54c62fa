#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The kernel's generic netlink client, which knows nothing of Callgate but kmod/uapi/callgate.yaml, as the controller. Run by
tests/vm/guest/unit.py while no daemon runs; exits with 0, or says what went wrong."""
import os
import sys

TOP = "/callgate"
sys.path.insert(0, f"{TOP}/build/ynl/tools/net/ynl")
from lib import NlError, YnlFamily  # noqa: E402

SPEC = f"{TOP}/kmod/uapi/callgate.yaml"


def errno_of(family, command, values):
    try:
        family.do(command, values)
        return 0
    except NlError as error:
        return -error.nl_msg.error


def main():
    gate, second = YnlFamily(SPEC, schema=""), YnlFamily(SPEC, schema="")
    seen = {"mode": gate.do("bind", {})["mode"], "second": errno_of(second, "bind", {}),
            "unbound": errno_of(second, "stats-get", {}),
            "me": gate.do("identify", {"tgid": os.getpid()}), "devices": gate.dump("device-get", {}),
            "streams": gate.dump("stream-get", {}), "stats": gate.do("stats-get", {}),
            "nobody": errno_of(gate, "identify", {"tgid": 4194303})}
    print(seen)
    good = (seen["mode"] == "enforcing" and seen["second"] == 16 and seen["unbound"] == 1 and seen["nobody"] == 3 and
            seen["me"]["exe"].startswith("/usr/bin/python3") and seen["me"]["uid"] == 0 and
            any("camera" in device["kinds"] for device in seen["devices"]) and seen["streams"] == [] and
            seen["stats"]["stat-checks"] > 0)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
