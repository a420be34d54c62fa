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
APT = 5000  # for unpacking and compiling, on a loaded machine
OWN = "/root/callgate-key"
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


def apt(*words):
    begun = time.monotonic()
    code, text = run("apt-get", "-y", "-q", "-o", "Dpkg::Use-Pty=0", *words, limit=APT, env=dict(os.environ, DEBIAN_FRONTEND="noninteractive"))
    print(f"# apt-get {words[0]}: {time.monotonic() - begun:.0f} s", flush=True)
    return code == 0, text


def left():
    """What there is of the packages, with each kernel's modules."""
    return run("sh", "-c", "ls -d /etc/callgate* /var/lib/callgate* /usr/src/callgate* /var/lib/dkms/callgate* /usr/libexec/callgate* "
               "/usr/bin/callgate* /lib/modules/*/updates/dkms/callgate* /etc/kernel/*/callgate /etc/systemd/system/*/callgate* 2>/dev/null")[1]


def by_hand():
    """The commands of doc/install.md for a key of one's own: those until it is handed in, and those after."""
    with open("/callgate/doc/install.md", encoding="utf-8") as file:
        words = file.read().split("After `make install`, by hand", 1)[1].split("\n## ", 1)[0]
    blocks = re.findall(r"(?:^    .*\n)+", words, re.M)
    until = [block for block in blocks if "openssl" in block]
    return "".join(until), "".join(block for block in blocks if block not in until)


def typed(*argv, where="/"):
    """A program that asks for a password, twice."""
    pid, fd = pty.fork()
    if pid == 0:
        os.chdir(where)
        os.execvp(argv[0], argv)
    text = seen = b""
    try:
        for prompt in (b"password:", b"again:"):
            while prompt not in text:
                text += os.read(fd, 1024)
            seen, text = seen + text, b""
            os.write(fd, PASSWORD.encode() + b"\n")
        while data := os.read(fd, 1024):
            seen += data
    except OSError:
        pass
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, seen + text


# ---- one for each boot

def installed(other):
    ok("SecureBoot enabled" in run("mokutil", "--sb-state")[1] and
       "[integrity]" in open("/sys/kernel/security/lockdown", encoding="ascii").read(),
       "Secure Boot is on, and the kernel locked down", run("mokutil", "--sb-state"))
    ok(early() == "captured" and captures()[0] == {"camera", "microphone"} and not left(), "everything captures on a machine without Callgate",
       (early(), captures(), left()))
    good, text = apt("update")
    good, text = apt("install", "/share/callgate.deb", "/share/callgate-dkms.deb") if good else (False, text)
    ok(good and built(RELEASE) and "Setting up dkms" in text and "Setting up libsodium23" in text,
       f"apt installs the packages while it runs, with what they need, and DKMS builds the module for {RELEASE}", text)
    print("# " + "\n# ".join(line for line in text.splitlines() if "callgate" in line), flush=True)
    ok("the kernel module is not loaded: NOTHING IS DENIED" in text, "and the installation says that the kernel refused it", text)
    ok(signer(RELEASE), f"signed with a key of this machine's: {signer(RELEASE)}")
    ok(not gate() and run("systemctl", "is-active", "callgate")[1].strip() == "active" and "Gate: absent" in run("callgatectl", "status")[1],
       "the daemon runs and says that there is no gate", run("callgatectl", "status"))
    ok(captures()[0] == {"camera", "microphone"}, "everything still captures", captures())
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
    code, text = run("callgatectl", "enforce", "--yes")
    ok("it will be enforcing once its module is loaded" in text, "enforce is for when there is a gate", text)
    good, seen = typed("mokutil", "--import", KEY)
    ok(good, "the key is handed in, for shim to ask about", seen)
    os.mkdir(OWN, 0o700)
    good, seen = typed("sh", "-ec", by_hand()[0], where=OWN)
    ok(good and b"callgate.der" in b"".join(os.listdir(os.fsencode(OWN))), "and one of the administrator's own, in the words of the document", seen)


def enrolled(other):
    ok(early() == "denied", "what tried to capture as soon as there was a camera was denied", early())
    ok("already enrolled" in run("mokutil", "--test-key", KEY)[1], "the key is enrolled", run("mokutil", "--test-key", KEY))
    ok(gate() and run("systemctl", "is-active", "callgate")[1].strip() == "active", "the module is loaded at the start, with the daemon",
       (run("systemctl", "status", "callgate", "callgate-module")[1], dmesg()[-2000:]))
    ok(captures()[0] == set(), "everything is denied", captures())
    run("systemctl", "stop", "callgate")
    run("rmmod", "callgate")
    code, text = run("insmod", unsigned())
    ok(code != 0 and REFUSED.search(text) and not gate(), "without its signature it is still refused", text)
    ok(run("modprobe", "callgate")[0] == 0 and gate(), "and with it, it is not", dmesg()[-2000:])
    run("systemctl", "start", "callgate")
    good, text = apt("--no-install-recommends", "install", "linux-image-" + other, "linux-headers-" + other)
    ok(good and built(other) and built(RELEASE) and signer(other) == signer(RELEASE),
       f"apt installs the kernel {other} while it runs, and DKMS builds and signs the module for it and keeps the other", text)
    ok("Generating grub configuration file" in text and "no module callgate" not in text, "its hooks put it into GRUB's menu, and nothing is missing", text)
    ok(captures()[0] == set(), "everything stays denied", captures())


def upgraded(other):
    ok(RELEASE == other, f"GRUB started the kernel {other} by itself", (RELEASE, run("grep", "-n", "linux", "/boot/grub/grub.cfg")))
    ok(early() == "denied", "what tried to capture as soon as there was a camera was denied", early())
    ok(gate() and captures()[0] == set(), "everything is denied", (captures(), dmesg()[-2000:]))
    line = doctor()
    ok(line["module"]["ok"] and line["gate"]["ok"] and line["devices"]["ok"], "doctor finds nothing wrong with the gate", line)
    good, text = apt("purge", "callgate", "callgate-dkms")
    ok(good and not gate() and captures()[0] == {"camera", "microphone"}, "purging opens the devices while it runs", (text, captures()))
    ok(not left(), "and leaves nothing behind, for either kernel", left() + text)
    with open("/share/build", encoding="ascii") as file:
        code, text = run("/callgate/data/install", "--build", "/callgate/" + file.read().strip(), "--kernel", RELEASE, limit=APT)
    ok(code == 0, "what make install does puts a module there", text)
    code, text = run("modprobe", "callgate")
    ok(code != 0 and REFUSED.search(text) and not gate(), "which is refused, as nobody signed it", text)
    code, text = run("sh", "-exc", by_hand()[1], cwd=OWN)
    ok(code == 0 and gate() and captures()[0] == set(), "signed in the words of the document it loads, and denies", (text, dmesg()[-2000:], captures()))
    ok(signer(RELEASE) == "Callgate" and "already enrolled" in run("mokutil", "--test-key", OWN + "/callgate.der")[1], "by the administrator's key",
       signer(RELEASE))


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
