#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The netlink fuzzer: messages made from the manual (kmod/uapi/callgate.yaml), right, nearly right and broken.

Usage: fuzz_netlink.py SECONDS [SEED]        prints TAP

Runs as root in the virtual machine. The seed decides commands, attributes and how they are broken; process ids, cookies
and times are those of the run. While it runs, watchers without a grant (the program "watcher" beside it) try every way to
a frame. So it never asks for what would let them in by right: permissive mode, and detach.
"""

import collections
import errno
import fcntl
import os
import random
import select
import signal
import socket
import struct
import subprocess
import sys
import time

import yaml

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
SPEC = yaml.safe_load(open(os.path.join(TOP, "kmod/uapi/callgate.yaml"), encoding="utf-8"))
WATCHER = os.path.join(TOP, os.environ.get("BUILD", "build"), "tests/soak/watcher")

ATTRS = {a["name"]: (i + 1, a["type"]) for i, a in enumerate(SPEC["attribute-sets"][0]["attributes"])}
OPS = {o["name"]: (i + 1, o) for i, o in enumerate(SPEC["operations"]["list"])}
REQUESTS = [n for n, (_, o) in OPS.items() if "do" in o or "dump" in o]
SIZES = {"u8": 1, "u32": 4, "u64": 8}

# _IOWR and _IOW of struct callgate_request.
REQUEST_SIZE = 48
IOC_NEXT, IOC_ANSWER = 3 << 30 | REQUEST_SIZE << 16 | 0xC6 << 8, 1 << 30 | REQUEST_SIZE << 16 | 0xC6 << 8 | 1
REQUEST, ACK, DUMP = 1, 4, 0x300
ERROR, DONE = 2, 3
VIDIOC_REQBUFS = 0xC0145608
# What a refusal may be. Anything else is a finding: a fault is no answer.
REFUSALS = {getattr(errno, n) for n in (
    "EPERM", "EINVAL", "ERANGE", "ENOENT", "ESRCH", "EBUSY", "ENODEV", "ENOSPC", "EOPNOTSUPP", "EBADF", "ENOTDIR",
    "EACCES", "EMSGSIZE", "EPROTO")}
REFUSALS_OF_A_FILE = {errno.EAGAIN, errno.ENOENT, errno.ENOTCONN, errno.EINVAL, errno.ENOTTY}


class Sock:
    """A netlink socket of the family, bound or not."""

    def __init__(self, family):
        self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
        self.sock.bind((0, 0))
        self.sock.setblocking(False)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.family = family
        self.seq = 0

    def message(self, cmd, body, flags=REQUEST | ACK, version=1, reserved=0, kind=None):
        self.seq += 1
        data = struct.pack("=BBH", cmd & 255, version, reserved) + body
        head = struct.pack("=IHHII", 16 + len(data), self.family if kind is None else kind, flags, self.seq, 0)
        return head + data

    def send(self, data):
        try:
            self.sock.send(data)
        except OSError as e:
            return e.errno
        return 0

    def read(self, wait=0.0):
        """Yields (type, seq, payload)."""
        if wait and not select.select([self.sock], [], [], wait)[0]:
            return
        while True:
            try:
                data = self.sock.recv(1 << 16)
            except BlockingIOError:
                return
            except OSError as e:
                if e.errno == errno.ENOBUFS:
                    continue
                raise
            while len(data) >= 16:
                size, kind, _, seq, _ = struct.unpack_from("=IHHII", data)
                if size < 16 or size > len(data):
                    break
                yield kind, seq, data[16:size]
                data = data[(size + 3) & ~3:]


def attr(number, payload, kind_flags=0, size=None):
    size = 4 + len(payload) if size is None else size
    return struct.pack("=HH", size & 0xFFFF, (number | kind_flags) & 0xFFFF) + payload + b"\0" * (-len(payload) % 4)


def attrs_of(data):
    found = {}
    data = data[4:]
    while len(data) >= 4:
        size, kind = struct.unpack_from("=HH", data)
        if size < 4 or size > len(data):
            break
        found[kind & 0x3FFF] = data[4:size]
        data = data[(size + 3) & ~3:]
    return found


def number(found, name):
    raw = found.get(ATTRS[name][0])
    return int.from_bytes(raw, "little") if raw else 0


def family_id():
    sock = Sock(16)
    sock.send(sock.message(3, attr(2, SPEC["name"].encode() + b"\0"), flags=REQUEST))
    for _, _, payload in sock.read(5):
        found = attrs_of(payload)
        if 1 in found:
            return int.from_bytes(found[1][:2], "little")
    raise SystemExit("Bail out! no family callgate: is the module loaded?")


def bystander(uid):
    """Somebody to grant to, who does nothing."""
    pid = os.fork()
    if pid == 0:
        # An inherited copy would keep the controller's socket open.
        os.closerange(3, 1024)
        os.setresuid(uid, uid, uid)
        while True:
            signal.pause()
    return pid


def asker():
    """Is held again and again, so that there are requests to answer."""
    pid = os.fork()
    if pid:
        return pid
    os.closerange(3, 1024)
    os.setresgid(1000, 1000, 1000)
    while True:
        try:
            fd = os.open("/dev/video0", os.O_RDWR)
            fcntl.ioctl(fd, VIDIOC_REQBUFS, struct.pack("=IIIII", 2, 1, 1, 0, 0))
        except OSError:
            pass
        finally:
            os.close(fd)
        time.sleep(0.01)


class Fuzzer:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.family = family_id()
        self.people = [bystander(0), bystander(1000), bystander(1000), asker()]
        self.cookies, self.grants, self.devices = {}, [], []
        self.cgroups = self.make_cgroups()
        self.sent = collections.Counter()
        self.good = collections.Counter()
        self.answers = collections.Counter()
        self.findings = []
        self.pending = {}
        self.controllers = 0
        self.new_controller()

    def make_cgroups(self):
        folder = "/sys/fs/cgroup/callgate-fuzz"
        os.makedirs(folder, exist_ok=True)
        return [os.open(folder, os.O_RDONLY | os.O_DIRECTORY), os.open("/dev/null", os.O_RDONLY),
                os.open("/", os.O_RDONLY | os.O_DIRECTORY)]

    def new_controller(self):
        """Ours again, whoever of ours it was before; the place is free as soon as that socket is closed."""
        for _ in range(50):
            self.sock = Sock(self.family)
            self.other = Sock(self.family)
            self.sock.send(self.sock.message(OPS["bind"][0], b""))
            for kind, _, payload in self.sock.read(10):
                if kind == ERROR and struct.unpack_from("=i", payload)[0] == 0:
                    self.good["bind"] += 1
                    self.controllers += 1
                    return
            time.sleep(0.1)
        self.findings.append("nobody can become the controller")

    # ---- values

    def value(self, name):
        r = self.random
        now = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        pid = r.choice(self.people)
        plausible = {
            "tgid": [pid, pid, os.getpid()],
            "cookie": list(self.cookies.values()) or [1],
            "cgroup-fd": self.cgroups,
            "uid": [0, 1000, 1000],
            "device": [0] + self.devices,
            "kinds": [1, 2, 3],
            "session": list(range(1, 20)),
            "grant": self.grants[-5:] or [1],
            "deadline": [now + r.randrange(1, 10 ** 10), now + r.randrange(1, 10 ** 8)],
            # Never permissive; nor does any value below end in 1.
            "mode": [0],
        }.get(name)
        if plausible and r.random() < 0.85:
            return r.choice(plausible)
        return r.choice([0, 2, 1 << 31, (1 << 32) - 1, 1 << 63, (1 << 64) - 1, r.getrandbits(64) | 2, now | 2])

    def attribute(self, name):
        r = self.random
        kind, type_ = ATTRS[name]
        size = SIZES.get(type_)
        if size is None:
            payload = bytes(r.getrandbits(8) for _ in range(r.choice([0, 1, 8, 63, 64, 300])))
        else:
            payload = (self.value(name) & ((1 << 8 * size) - 1)).to_bytes(size, "little")
        chance = r.random()
        if chance < 0.04:
            payload = payload[:r.randrange(len(payload) + 1)] if r.random() < 0.5 else payload + b"\2" * r.randrange(9)
        if chance > 0.98:
            return attr(kind, payload, size=r.choice([0, 3, 5, 200, 0xFFFF]))
        return attr(kind, payload, r.choice([0] * 40 + [0x8000, 0x4000]))

    def pair(self):
        """A process and the cookie that belongs to it."""
        if not self.cookies:
            return b""
        pid = self.random.choice(list(self.cookies))
        return attr(ATTRS["tgid"][0], struct.pack("=I", pid)) + attr(ATTRS["cookie"][0],
                                                                  struct.pack("=Q", self.cookies[pid]))

    def body(self, op):
        r = self.random
        names = list(OPS[op][1].get("do", {}).get("request", {}).get("attributes", []))
        parts = []
        if op == "grant" and r.random() < 0.8:
            names = [n for n in names if n not in ("tgid", "cookie", "cgroup-fd", "uid")]
            if r.random() < 0.8:
                parts.append(self.pair())
            else:
                names += ["cgroup-fd", "uid"]
        if op == "revoke" and r.random() < 0.9:
            names = [r.choice(names)]
        parts += [self.attribute(n) for n in names if r.random() < 0.95]
        while r.random() < 0.06:
            parts.append(self.attribute(r.choice(list(ATTRS))))
        if r.random() < 0.1:
            r.shuffle(parts)
        return b"".join(parts)

    def build(self, sock, bound):
        r = self.random
        op = r.choice(REQUESTS)
        # Who may would open the gate by right.
        if bound and op == "detach":
            op = "stats-get"
        cmd, what = OPS[op]
        flags = REQUEST | ACK | (DUMP if "dump" in what else 0)
        body = self.body(op)
        if r.random() < 0.03:
            flags ^= r.choice([ACK, DUMP, 0x800, REQUEST])
        chance = r.random()
        if chance < 0.02:
            cmd = r.choice([0, 30, 77, 255])
        data = sock.message(cmd, body, flags, version=r.choice([1] * 20 + [0, 2, 255]),
                            reserved=r.choice([0] * 30 + [1, 0xFFFF]))
        self.pending[id(sock), sock.seq] = op
        self.sent[op] += 1
        if chance > 0.97 and op != "mode":
            data = self.broken(data)
        return data

    def broken(self, data):
        """Cut, longer than it says, or with other bytes behind the command."""
        r = self.random
        data = bytearray(data)
        if r.random() < 0.3:
            struct.pack_into("=I", data, 0, r.choice([0, 15, 16, 19, len(data) + 1, len(data) * 2, 1 << 31]))
        elif r.random() < 0.5:
            data = data[:r.randrange(len(data) + 1)]
        else:
            for _ in range(r.randrange(1, 6)):
                if len(data) > 20:
                    data[r.randrange(20, len(data))] = r.getrandbits(8)
        return bytes(data)

    # ---- answers

    def learn(self, op, payload):
        found = attrs_of(payload)
        if op == "identify" and number(found, "tgid") in self.people:
            self.cookies[number(found, "tgid")] = number(found, "cookie")
        if op == "grant":
            self.grants.append(number(found, "grant"))
        if op == "device-get":
            self.devices = sorted(set(self.devices + [number(found, "device")]))[-20:]
        if op == "mode" and ATTRS["mode"][0] in found and number(found, "mode") != 0:
            self.findings.append("the mode is permissive")

    def listen(self, sock, wait=0.0):
        for kind, seq, payload in sock.read(wait):
            op = self.pending.get((id(sock), seq), "?")
            if kind == ERROR:
                self.pending.pop((id(sock), seq), None)
                err = -struct.unpack_from("=i", payload)[0]
                self.answers[errno.errorcode.get(err, str(err)) if err else "ok"] += 1
                if not err:
                    self.good[op] += 1
                elif err not in REFUSALS:
                    self.findings.append(f"{op} was answered with {errno.errorcode.get(err, err)}")
            elif kind == DONE:
                self.good[op] += 1
            elif kind == self.family:
                self.learn(op, payload)

    # ---- held callers

    def ask_file(self, fd):
        """Reads and answers, with rubbish between; True when somebody was read."""
        r = self.random
        found = False
        os.set_blocking(fd, False)
        for _ in range(r.randrange(1, 6)):
            data = bytearray(REQUEST_SIZE)
            try:
                fcntl.ioctl(fd, IOC_NEXT, data)
                found = True
                if r.random() < 0.3:
                    data[r.randrange(len(data))] = r.getrandbits(8)
                # Allow takes a grant besides.
                struct.pack_into("=I", data, 8, r.choice([0, 1, 1, 2, 1 << 31]))
                fcntl.ioctl(fd, r.choice([IOC_NEXT, IOC_ANSWER, r.getrandbits(32)]), data)
            except OSError as error:
                if error.errno not in REFUSALS_OF_A_FILE:
                    self.findings.append(f"a requests file answered with {errno.errorcode.get(error.errno, error.errno)}")
        return found

    def use_files(self):
        """All that are open here, also those whose controller has gone or whose number was lost with an answer."""
        for name in os.listdir("/proc/self/fd"):
            try:
                if os.readlink(f"/proc/self/fd/{name}") != "anon_inode:[callgate]":
                    continue
            except OSError:
                continue
            self.good["read"] += self.ask_file(int(name))
            os.close(int(name))

    # ---- the run

    def replace_a_bystander(self):
        i = self.random.randrange(len(self.people) - 1)
        os.kill(self.people[i], signal.SIGKILL)
        os.waitpid(self.people[i], 0)
        self.cookies.pop(self.people[i], None)
        self.people[i] = bystander(self.random.choice([0, 1000]))

    def step(self):
        r = self.random
        bound = r.random() < 0.9
        sock = self.sock if bound else self.other
        data = self.build(sock, bound)
        if r.random() < 0.03:
            data += b"\0" * (-len(data) % 4) + self.build(sock, bound)
        sock.send(data)
        self.listen(sock)
        chance = r.random()
        if chance < 0.004:
            # Dies with answers and events on their way.
            self.sock.sock.close()
            self.new_controller()
        elif chance < 0.006:
            self.replace_a_bystander()
        elif chance < 0.009:
            # A dump that is begun and left.
            left = Sock(self.family)
            left.send(left.message(OPS["bind"][0], b""))
            left.send(left.message(OPS["device-get"][0], b"", REQUEST | DUMP))
            left.sock.close()
        if r.random() < 0.01:
            self.use_files()
        if len(self.pending) > 1000:
            self.pending.clear()
        del self.grants[:-50]

    def end(self):
        self.sock.sock.close()
        self.other.sock.close()
        for pid in self.people:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def start_watcher():
    watcher = subprocess.Popen([WATCHER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    for line in watcher.stdout:
        if line.startswith("# watching"):
            return watcher
        print("# " + line, end="")
    raise SystemExit("Bail out! no watcher")


def main():
    if len(sys.argv) < 2:
        print(__doc__.split("\n\n")[1], file=sys.stderr)
        return 2
    seconds = int(sys.argv[1])
    seed = int(sys.argv[2], 0) if len(sys.argv) > 2 else random.SystemRandom().getrandbits(64)
    print(f"TAP version 13\n1..3\n# seed {seed:#x}, {seconds} s", flush=True)
    watcher = start_watcher()
    fuzzer = Fuzzer(seed)
    end = time.monotonic() + seconds
    while time.monotonic() < end and len(fuzzer.findings) < 10:
        fuzzer.step()
    fuzzer.listen(fuzzer.sock, 2)
    fuzzer.end()
    out, _ = watcher.communicate()

    print(f"# {sum(fuzzer.sent.values())} messages, {fuzzer.controllers} controllers, answers:",
          ", ".join(f"{n} {c}" for n, c in fuzzer.answers.most_common()))
    print("# succeeded:", ", ".join(f"{n} {c}" for n, c in fuzzer.good.most_common()))
    for line in fuzzer.findings:
        print("# " + line)
    missing = [op for op in [*REQUESTS, "read"] if op != "detach" and not fuzzer.good[op]]
    for op in missing:
        print(f"# {op} never succeeded")
    print("".join(f"# {line}\n" for line in out.splitlines()), end="")
    watched = watcher.returncode == 0 and "nothing came through" in out
    results = [(not fuzzer.findings, "every_answer_is_one_of_the_manual"),
               # The twin: a fuzzer that is always refused tests nothing.
               (not missing, "every_command_succeeds_at_times"),
               (watched, "nothing_comes_through_without_a_grant")]
    for i, (good, name) in enumerate(results, 1):
        print(f"{'ok' if good else 'not ok'} {i} - {name}")
    return 0 if all(good for good, _ in results) else 1


if __name__ == "__main__":
    sys.exit(main())
