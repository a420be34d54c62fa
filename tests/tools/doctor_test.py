#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""callgatectl doctor: what it finds with a fake daemon, and on machines that differ from this one by what is mounted."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import dbus  # noqa: E402
from fake import BUILD, CTL, TOP, Bus, Fake, Tap, Thread  # noqa: E402

tap = Tap()
bus = Bus()
fake = Fake(bus.address)
loop = Thread()


def ctl(*arguments, **options):
    done = subprocess.run([CTL, "doctor", *arguments], capture_output=True, text=True, timeout=60, check=False,
                          stdin=subprocess.DEVNULL, **options)
    return done.returncode, done.stdout, done.stderr


# The module as this machine's kernel would have it, signed or not; then what is put over the machine's own files.
BUILT = """mkdir -p /lib/modules/$(uname -r)/updates && cp "$1" /lib/modules/$(uname -r)/updates/callgate.ko &&
depmod $(uname -r) || exit 1
"""
SIGNED = """openssl req -new -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=Owner of a test/" -keyout /mnt/key -outform DER \
-out /mnt/der 2>/dev/null && "$2" sha256 /mnt/key /mnt/der /lib/modules/$(uname -r)/updates/callgate.ko || exit 1
"""
LOCKED = """mount -t tmpfs none /sys/kernel && mkdir /sys/kernel/security &&
echo "none [integrity] confidentiality" >/sys/kernel/security/lockdown || exit 1
"""
MICROPHONE = "mount -t tmpfs none /sys/class && mkdir -p /sys/class/sound/pcmC9D0c || exit 1\n"
YAMA = """mount -t tmpfs none /proc/sys/kernel && mkdir /proc/sys/kernel/yama &&
echo {} >/proc/sys/kernel/yama/ptrace_scope || exit 1
"""


def doctor_on(script, module, sign):
    """What doctor finds on a machine that differs from this one by a script."""
    script = "mount -t tmpfs none /lib/modules && mount -t tmpfs none /mnt || exit 1\n" + script + 'exec "$3" doctor --json'
    done = subprocess.run(["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", module, sign, CTL],
                          capture_output=True, text=True, check=False)
    try:
        return {line["check"]: line for line in json.loads(done.stdout)}
    except json.JSONDecodeError:
        return {"said": done.stdout + done.stderr}


def machines():
    release = subprocess.run([TOP + "/tests/release"], capture_output=True, text=True, check=False).stdout.strip()
    module, sign = f"{BUILD}/module/{release}/callgate.ko", f"/lib/modules/{release}/build/scripts/sign-file"
    sign = os.path.realpath(sign)
    if os.geteuid() != 0 or not os.path.exists(module) or not os.path.exists(sign):
        tap.ok(True, "doctor on other machines # SKIP needs root, and the module: make module")
        return

    kernel = os.uname().release
    for what, script, check, *words in (
            ("that the module is not loaded", BUILT, "module", "not loaded", "modprobe callgate"),
            ("that it is not built for this kernel", "", "module", f"not built for this kernel, {kernel}", f"linux-headers-{kernel}"),
            ("that it is not signed where it has to be", BUILT + LOCKED, "module", "not signed", "sign-file"),
            ("whose key it is that signed it", BUILT + SIGNED + LOCKED, "module", "'Owner of a test' signed it", "mokutil --import"),
            ("a device that is not gated", MICROPHONE, "devices", "/dev/snd/pcmC9D0c captures past the gate", "report it"),
            ("that programs read each other's memory", YAMA.format(0), "ptrace", "any program of yours", "ptrace_scope=1")):
        line = doctor_on(script, module, sign).get(check, {"ok": True})
        tap.ok(not line["ok"] and all(word in line["what"] + line["do"] for word in words), "doctor finds " + what, line)
    fake.devices = [("/d/9", {"Name": "card", "Kinds": dbus.UInt32(1), "Node": "pcmC9D0c/0", "InUse": False})]
    line = doctor_on(MICROPHONE, module, sign).get("devices", {})
    tap.ok(line.get("ok") and line["what"].startswith("1 "), "and one that is, is fine", line)
    line = doctor_on(YAMA.format(1), module, sign).get("ptrace", {})
    tap.ok(line.get("ok"), "as is a kernel that keeps programs apart", line)


def usual():
    found = {}
    for gate in ("present", "permissive", "absent"):
        fake.gate = gate
        _, out, _ = ctl("--json")
        found[gate] = {line["check"]: line for line in json.loads(out)}
    fake.gate = "present"
    tap.ok(found["present"]["daemon"]["ok"] and found["present"]["gate"]["ok"], "doctor finds a gate that denies",
           found["present"])
    tap.ok(not found["permissive"]["gate"]["ok"] and "callgatectl enforce" in found["permissive"]["gate"]["do"],
           "and one that only reports, with what to do", found["permissive"])
    tap.ok(not found["absent"]["gate"]["ok"] and found["absent"]["gate"]["do"], "and none", found["absent"])
    user = ["setpriv", "--reuid", "1", "--regid", "1", "--clear-groups", CTL, "doctor", "--json"]
    for fake.with_agent, version in ((False, "0.3.65"), (True, "1.4.2")):
        with open(bus.dir + "/pipewire", "w", encoding="ascii") as file:
            file.write(f"#!/bin/sh\necho Compiled with libpipewire 1.0.0\necho Linked with libpipewire {version}\n")
        os.chmod(bus.dir, 0o755)
        os.chmod(bus.dir + "/pipewire", 0o755)
        done = subprocess.run(user, capture_output=True, text=True, check=False,
                              env=dict(os.environ, PATH=f"{bus.dir}:{os.environ['PATH']}"))
        found = {line["check"]: line for line in json.loads(done.stdout)}
        good = fake.with_agent
        tap.ok(found["asking"]["ok"] == good and bool(found["asking"]["do"]) != good,
               f"doctor sees {'that somebody asks' if good else 'that nobody asks'}", found["asking"])
        tap.ok(found["pipewire"]["ok"] == good and version in found["pipewire"]["what"],
               f"and PipeWire {version}", found["pipewire"])
    code, out, _ = ctl(env={"DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nonexistent"})
    tap.ok(code == 1 and "BAD   daemon" in out and "do: " in out, "without a bus it says so and exits with 1", out)


try:
    usual()
    machines()
finally:
    bus.stop()
sys.exit(tap.done())
