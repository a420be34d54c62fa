#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where secrets are in the memory of a daemon with a live call, and that a core dump of it has none. The same search finds a
contact's name, which is no secret.

With --swap DEVICE, which tests/vm/swap_test gives in a machine of its own: the daemon's memory is pressed out to that device,
and the device is searched."""
import glob
import mmap
import os
import re
import signal
import subprocess
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT_DIR = os.path.realpath(os.path.join(HERE, "..", ".."))
BUILD = os.environ.get("BUILD", os.path.join(ROOT_DIR, "build"))
# The one that is installed: a sanitizer's mlock() does nothing.
os.environ["CALLGATE_DAEMON"] = os.path.join(os.path.realpath(BUILD), "callgated")
sys.path.insert(0, os.path.join(HERE, "lib"))
from rig import *  # noqa: E402,F403
import sodium  # noqa: E402

if os.geteuid() != 0:
    plan_skip("needs root, to act as several users")

SHIM = os.path.join(os.path.realpath(BUILD), "tests", "dumpable.so")
MARKER = b"no-secret-" + os.urandom(8).hex().encode()
NOBODY = 65534


class Mapping:
    def __init__(self, start, end, name):
        self.start, self.end, self.name = start, end, name
        self.flags, self.size, self.locked = (), 0, 0

    def __repr__(self):
        return f"{self.start:x}-{self.end:x} {self.name} {' '.join(self.flags)}"


def mappings(pid):
    found = []
    with open(f"/proc/{pid}/smaps", encoding="utf-8") as file:
        for line in file:
            words = line.split()
            if re.match(r"^[0-9a-f]+-[0-9a-f]+ ", line):
                start, end = (int(x, 16) for x in words[0].split("-"))
                found.append(Mapping(start, end, words[5] if len(words) > 5 else "anonymous"))
            elif line.startswith("VmFlags:"):
                found[-1].flags = tuple(words[1:])
            elif line.startswith("Size:"):
                found[-1].size = int(words[1])
            elif line.startswith("Locked:"):
                found[-1].locked = int(words[1])
    return found


def where(pid, needles):
    """For each of them, the mappings of a running process that hold it."""
    found = [[] for _ in needles]
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for mapping in mappings(pid):
            if "rd" not in mapping.flags or mapping.name.startswith("[v"):
                continue
            memory.seek(mapping.start)
            try:
                data = memory.read(mapping.end - mapping.start)
            except OSError:
                continue
            for needle, places in zip(needles, found):
                if needle in data:
                    places.append(mapping)
    return found


def group_for_pressure(device):
    """A control group whose memory can be taken away without touching this program's, which knows the secrets."""
    subprocess.run(["mkswap", device], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["swapon", device], check=True)
    with open("/sys/fs/cgroup/cgroup.subtree_control", "w", encoding="utf-8") as file:
        file.write("+memory")
    os.makedirs("/sys/fs/cgroup/pressed", exist_ok=True)
    return "/sys/fs/cgroup/pressed"


def press_out(pid, group, device):
    """As a machine short of memory would. How much is out, and what is on the swap device then."""
    def more():
        try:
            with open(group + "/memory.reclaim", "w", encoding="utf-8") as file:
                file.write("64M")
        except OSError:
            pass
        with open(f"/proc/{pid}/status", encoding="utf-8") as file:
            swapped = next(int(line.split()[1]) for line in file if line.startswith("VmSwap:"))
        return swapped, on(device)
    wait_for(lambda: MARKER in more()[1])
    return more()


def on(device):
    """All of a device, past the page cache."""
    fd = os.open(device, os.O_RDONLY | os.O_DIRECT)
    data = b""
    buffer = mmap.mmap(-1, 1 << 20)
    while True:
        count = os.preadv(fd, [buffer], len(data))
        if count <= 0:
            break
        data += buffer[:count]
    os.close(fd)
    return data


def core_limit(pid):
    with open(f"/proc/{pid}/limits", encoding="utf-8") as file:
        return next(line.split()[4:6] for line in file if line.startswith("Max core file size"))


place = Place()
alice = Side(place, "alice", ALICE, gate=False)
bob = Side(place, "bob", BOB, gate=False)
dumps = f"{place.path}/dumps"
os.mkdir(dumps)
os.chown(dumps, NOBODY, NOBODY)
swap = sys.argv[2] if sys.argv[1:2] == ["--swap"] else None
pressed = group_for_pressure(swap) if swap else None
alice.daemon.end()
alice.daemon.start(cwd=dumps, group=pressed, LD_PRELOAD=SHIM)
alice.agent.become_agent()
path, other, relay = start_call(alice, bob, contact=MARKER.decode())
compare(alice, bob)
ok(wait_for(lambda: (alice.properties(path) or {}).get("PeerAuthentication") == "verified"), "a call is live and verified")
keys = bytes.fromhex(alice.app.call(path, SESSION, "MediaKeys"))
label = alice.properties(path)["App"]
secret = sodium.secret_of(alice.daemon.state)
with open(f"{alice.daemon.state}/{ALICE}/identity", "rb") as file:
    root = sodium.root_of(sodium.opened(file.read(), secret))
secrets = {
    "the identity's root": root,
    "the static private key": sodium.static_key(root, label),
    "the sealing key": sodium.key_of(secret)[0],
    "the key file's bytes": secret,
}
for at in range(0, len(keys), 38):
    secrets[f"the media key {keys[at]}/{keys[at + 1]}"] = keys[at + 6:at + 38]
pid = alice.daemon.process.pid


def channel_keys():
    """What in the daemon's secret memory opens the call's messages: nobody else can tell."""
    blobs = [bytes.fromhex(blob) for blob in relay.seen]
    data = [blob for blob in blobs if blob[1] == 4][-8:]
    found = []
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for mapping in mappings(pid):
            if not {"dd", "rd"} <= set(mapping.flags) or mapping.name.startswith("[v"):
                continue
            memory.seek(mapping.start)
            page = memory.read(mapping.end - mapping.start)
            keys = {page[at:at + 32] for at in range(len(page) - 31) if page[at:at + 32].count(0) < 8}
            found += [key for key in keys if any(sodium.opens_data(key, blob) for blob in data)]
    return found


# ---- in memory
ok(wait_for(lambda: len(channel_keys()) >= 2), "both channel keys are in the daemon's secret memory: they open its messages")
for number, value in enumerate(channel_keys()):
    secrets[f"channel key {number}"] = value
if not swap:
    seen, *places = where(pid, [MARKER, *secrets.values()])
    places = dict(zip(secrets, places))
    ok(seen and not any("dd" in m.flags for m in seen), "the search of memory finds the contact's name in plain memory", seen)
    ok(places["the identity's root"] and places["the sealing key"], "and the identity's root and the sealing key, which are in use")
    loose = {name: [m for m in found if not {"lo", "dd", "wf"} <= set(m.flags)] for name, found in places.items()}
    ok(len(secrets) >= 10 and not any(loose.values()),
       f"wherever one of {len(secrets)} secrets is, memory is locked, left out of dumps and wiped in a fork",
       {name: found for name, found in loose.items() if found})
private = [m for m in mappings(pid) if {"dd", "wf"} <= set(m.flags)]
ok(private and all(m.locked == m.size for m in private), "all of that memory is locked, each page", private)

# ---- on a swap device
if swap:
    kilobytes, disk = press_out(pid, pressed, swap)
    ok(MARKER in disk, f"with {kilobytes} KiB of the daemon pressed out, the search finds the contact's name on the swap device")
    ok(not [name for name, value in secrets.items() if value in disk], f"and none of {len(secrets)} secrets",
       [name for name, value in secrets.items() if value in disk])
    relay.stop()
    finish()

# ---- in a core dump
pattern = open("/proc/sys/kernel/core_pattern", encoding="utf-8").read().strip()
if "/" in pattern or pattern.startswith("|") or core_limit(pid) != ["unlimited", "unlimited"]:
    for _ in range(3):
        ok(True, f"core dump # SKIP this machine sends core dumps to {pattern}, limited to {core_limit(pid)}")
else:
    owner = os.stat(f"/proc/{pid}/mem").st_uid
    alice.daemon.end(signal.SIGSEGV)
    cores = glob.glob(dumps + "/*")
    core = open(cores[0], "rb").read() if cores else b""
    ok(owner == NOBODY and core[:4] == b"\x7fELF", "a daemon that was made dumpable leaves a core dump", cores)
    ok(MARKER in core and b"org.callgate1" in core, f"the search finds the contact's name in its {len(core)} bytes")
    ok(core and not [name for name, value in secrets.items() if value in core], "and none of the secrets",
       [name for name, value in secrets.items() if value in core])

# ---- as it is: not dumpable at all
pid = bob.daemon.process.pid
ok(os.stat(f"/proc/{pid}/mem").st_uid == 0, "as it is, the daemon's memory is root's")
peek = subprocess.run(["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups", "head", "-c", "1",
                       f"/proc/{pid}/mem"], capture_output=True, text=True, check=False)
ok(peek.returncode != 0 and "denied" in peek.stderr, "another process of its user cannot look in", peek.stderr)
ok(core_limit(pid) == ["0", "0"], "its limit of core dumps is 0, and cannot be raised by itself")
relay.stop()
finish()
