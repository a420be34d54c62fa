#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What tests/vm/machine does inside its machine: one function for each boot. Lines of a result go to standard output."""
import glob
import json
import os
import pty
import re
import subprocess
import sys
import time

STEP = "/var/lib/machine-step"
LONG = 120  # seconds for what an idle machine does in one
PASSWORD = "callgate1"
KEY = "/var/lib/dkms/mok.pub"
STRICT = "/etc/callgate/strict"
# What the kernel's two ways to refuse, by its configuration or by its lockdown, become in kmod's words.
REFUSED = re.compile("Key was rejected|not permitted", re.I)
RELEASE = os.uname().release


def ok(good, what, seen=""):
    print(f"{'ok' if good else 'not ok'} - {what}")
    if not good:
        print("# " + str(seen)[-6000:].strip().replace("\n", "\n# "))
    sys.stdout.flush()


def run(*argv, limit=LONG, **options):
    try:
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True,
                              check=False, timeout=limit, errors="replace", **options)
    except subprocess.TimeoutExpired as late:
        return None, f"{argv}: not finished after {limit} s: {late.stdout}"
    return done.returncode, done.stdout


def soon(question):
    end = time.monotonic() + LONG
    while not (answer := question()) and time.monotonic() < end:
        time.sleep(0.2)
    return answer


# ---- who captures

def size(path):
    return os.path.getsize(path) if os.path.exists(path) else 0


def captures(who="alice"):
    """What of camera and microphone gives that user anything."""
    def take(*argv):
        run("rm", "-f", "/tmp/taken")
        text = run("timeout", "60", "setpriv", "--reuid", who, "--regid", who, "--init-groups", *argv)[1]
        said.append(text)
        return size("/tmp/taken") > 44

    said = []
    card = [name for name in os.listdir("/sys/class/sound") if re.fullmatch(r"pcmC\d+D1c", name)][0][4:-3]
    got = {"camera": take("v4l2-ctl", "-d", "/dev/video0", "--stream-mmap", "--stream-count", "1", "--stream-to", "/tmp/taken"),
           "microphone": take("arecord", "-q", "-D", f"hw:{card},1", "-f", "S16_LE", "-r", "48000", "-c", "2", "-d", "1", "/tmp/taken")}
    return {name for name in got if got[name]}, said


def early():
    """What came of the capture that was tried as soon as there was a camera: "captured" or "denied"."""
    soon(lambda: os.path.exists("/run/early.done"))
    with open("/run/early.said", encoding="utf-8", errors="replace") as file:
        text = file.read()
    if size("/run/early.picture"):
        return "captured"
    return "denied" if "Permission denied" in text else "failed: " + text


# ---- what is there

def gate():
    try:
        with open("/sys/module/callgate/parameters/attached", encoding="ascii") as file:
            return file.read().strip() == "Y"
    except FileNotFoundError:
        return False


def built(release):
    return glob.glob(f"/lib/modules/{release}/updates/dkms/callgate.ko*")


def signer(release):
    code, text = run("modinfo", "-k", release, "-F", "signer", "callgate")
    return text.strip() if code == 0 else ""


def doctor():
    text = run("callgatectl", "doctor", "--json")[1]
    try:
        return {line["check"]: line for line in json.loads(text)}
    except json.JSONDecodeError:
        return {"module": {"ok": None, "what": text, "do": ""}}


def dmesg():
    return run("dmesg")[1]


def unsigned():
    """A copy of the module without its signature."""
    path = "/tmp/callgate.ko"
    run("cp", built(RELEASE)[0], path)
    run("strip", "--strip-debug", path)
    return path


def trigger():
    run("udevadm", "trigger", "--action=add", "--subsystem-match=video4linux", "--subsystem-match=sound")
    run("udevadm", "settle", "-t", str(LONG))


def strict(on):
    """Is what a user may do what the word says?"""
    os.makedirs(os.path.dirname(STRICT), exist_ok=True)
    if on:
        with open(STRICT, "w", encoding="ascii"):
            pass
    elif os.path.exists(STRICT):
        os.unlink(STRICT)
    trigger()
    soon(lambda: (os.stat("/dev/video0").st_mode & 0o777 == 0o600) == on)
    got, said = captures()
    return got == (set() if on else {"camera", "microphone"}), said


def enrol():
    """mokutil asks for a password on a terminal, twice."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execvp("mokutil", ["mokutil", "--import", KEY])
    text = b""
    try:
        for prompt in (b"password:", b"again:"):
            while prompt not in text:
                text += os.read(fd, 1024)
            text = b""
            os.write(fd, PASSWORD.encode() + b"\n")
        while data := os.read(fd, 1024):
            text += data
    except OSError:
        pass
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, text


# ---- one for each boot

def installed(other):
    ok("SecureBoot enabled" in run("mokutil", "--sb-state")[1] and
       "[integrity]" in open("/sys/kernel/security/lockdown", encoding="ascii").read(),
       "Secure Boot is on, and the kernel locked down", run("mokutil", "--sb-state"))
    ok(built(RELEASE) and signer(RELEASE), f"the module is signed with a key of this machine's: {signer(RELEASE)}")
    ok(not gate() and run("systemctl", "is-failed", "callgate-module")[1].strip() == "failed", "the start went on without it",
       run("systemctl", "status", "callgate-module")[1])
    ok(early() == "captured" and captures()[0] == {"camera", "microphone"}, "everything captures, from the start on", (early(), captures()))
    code, text = run("modprobe", "callgate")
    ok(code != 0 and REFUSED.search(text) and not gate(), "its key is not enrolled: the kernel refuses it", text)
    line = doctor()["module"]
    ok(not line["ok"] and f"'{signer(RELEASE)}' signed it" in line["what"] and "mokutil --import" in line["do"],
       "doctor says so, and what to do", line)
    module = built(RELEASE)[0]
    bare = unsigned()
    code, text = run("insmod", bare)
    ok(code != 0 and REFUSED.search(text) and not gate(), "one that nobody signed is refused too", text)
    run("mv", module, module + ".kept")
    run("cp", bare, module)
    line = doctor()["module"]
    ok(not line["ok"] and "not signed" in line["what"] and "dkms build" in line["do"], "which doctor tells apart", line)
    run("mv", module + ".kept", module)
    good, seen = strict(True)
    ok(good, "meanwhile the devices are closed, in strict mode", seen)
    good, seen = strict(False)
    ok(good, "or left as they were", seen)
    good, seen = enrol()
    ok(good, "the key is handed in, for shim to ask about", seen)


def enrolled(other):
    ok("already enrolled" in run("mokutil", "--test-key", KEY)[1], "the key is enrolled", run("mokutil", "--test-key", KEY))
    ok(gate() and run("systemctl", "is-active", "callgate")[1].strip() == "active", "the module is loaded at the start, with the daemon",
       (run("systemctl", "status", "callgate", "callgate-module")[1], dmesg()[-2000:]))
    code, text = run("callgatectl", "enforce", "--yes")
    ok(code == 0 and captures()[0] == set(), "and enforces when it is told to", (text, captures()))
    run("systemctl", "stop", "callgate")
    run("rmmod", "callgate")
    code, text = run("insmod", unsigned())
    ok(code != 0 and REFUSED.search(text) and not gate(), "without its signature it is still refused", text)
    ok(run("modprobe", "callgate")[0] == 0 and gate(), "and with it, it is not", dmesg()[-2000:])
    run("systemctl", "start", "callgate")
    print("upgrade", flush=True)


def upgraded(other):
    ok(RELEASE == other, f"the machine started with {other}", RELEASE)
    ok(early() == "denied", "and denied what tried to capture as soon as there was a camera", early())
    ok(gate() and captures()[0] == set(), "everything is denied", (captures(), dmesg()[-2000:]))
    line = doctor()
    ok(line["module"]["ok"] and line["gate"]["ok"] and line["devices"]["ok"], "doctor finds nothing wrong with the gate", line)


def main():
    steps = (installed, enrolled, upgraded)
    step = int(open(STEP, encoding="ascii").read()) if os.path.exists(STEP) else 0
    if step >= len(steps):
        return
    print(f"# step {step + 1} of {len(steps)}: {steps[step].__name__}, kernel {RELEASE}", flush=True)
    with open("/share/other", encoding="ascii") as file:
        other = file.read().strip()
    try:
        steps[step](other)
    except Exception as wrong:  # pylint: disable=broad-except
        ok(False, f"{steps[step].__name__} could be carried out", repr(wrong))
    with open(STEP, "w", encoding="ascii") as file:
        file.write(str(step + 1))
    os.sync()
    if step + 1 == len(steps):
        print("end", flush=True)
    run("systemctl", "poweroff")


if __name__ == "__main__":
    main()
