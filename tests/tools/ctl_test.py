#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""callgatectl against a fake daemon: its verbs, its exit codes, and whole calls through the rig's relay."""
import hashlib
import json
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import dbus  # noqa: E402
from fake import CTL, TOP, Bus, Fake, Program, Tap, Thread, until  # noqa: E402

HELLO, BLOB, MEDIA, END, CREDIT = 1, 2, 3, 4, 5

tap = Tap()
bus = Bus()
fake = Fake(bus.address)
loop = Thread()


def ctl(*arguments, limit=20, **options):
    try:
        done = subprocess.run([CTL, *arguments], capture_output=True, timeout=limit, check=False,
                              stdin=subprocess.DEVNULL, **options)
    except subprocess.TimeoutExpired:
        return None, "", "timed out"
    return done.returncode, done.stdout.decode(), done.stderr.decode()


class Relay:
    def __init__(self, number):
        self.a = f"unix:{bus.dir}/relay-{number}-a"
        self.b = f"unix:{bus.dir}/relay-{number}-b"
        self.control = f"{bus.dir}/relay-{number}-control"
        self.dump = f"{bus.dir}/relay-{number}-dump"
        self.program = Program(f"{TOP}/tests/relay.py", "--a", self.a, "--b", self.b, "--control", self.control,
                               "--dump", self.dump)
        if not self.program.expect("ready"):
            sys.exit("the relay did not start: " + self.program.text)

    def tell(self, word):
        with open(self.control, "w", encoding="ascii") as control:
            control.write(word + "\n")

    def dumped(self):
        with open(self.dump, "rb") as file:
            return file.read()

    def stop(self):
        self.tell("quit")
        status = self.program.wait(5)
        self.program.stop()
        return status


class Call:
    """A caller and a callee at one relay."""

    count = 0

    def __init__(self, source, sink, call=(), answer=(), kinds=("--camera", "--microphone")):
        Call.count += 1
        fake.sessions.clear()
        self.relay = Relay(Call.count)
        self.callee = Program(CTL, "answer", *kinds, "--via", self.relay.b, "--as", "bob", *answer, "--", *sink)
        self.caller = Program(CTL, "call", "bob", *kinds, "--via", self.relay.a, "--as", "alice", *call, "--",
                              *source)

    def runs(self, limit=10):
        return self.caller.expect("runs", limit) and self.callee.expect("runs", limit)

    def end(self):
        for program in (self.caller, self.callee):
            program.stop()
        return self.relay.stop()


def test_usage():
    code, out, _ = ctl("--help")
    tap.ok(code == 0 and "status" in out and "answer" in out and "Exit status" in out, "--help lists the verbs")
    for verb in ("status", "devices", "sessions", "peers", "block", "unblock", "local", "retry", "end", "doctor", "enforce", "permissive", "monitor", "agent", "call",
                 "answer", "identity"):
        code, out, _ = ctl(verb, "--help")
        tap.ok(code == 0 and out.startswith(f"Usage: callgatectl {verb}"), f"{verb} --help explains it", out)
    for arguments, says in (((), "say what to do"), (("sing",), "no such verb"), (("status", "--all"), "no such option"),
                            (("status", "x"), "too many"), (("end",), "--all"), (("block", "ears"), "none of camera"),
                            (("call", "bob"), "after --"), (("call", "--camera", "--via", "unix:/x", "--", "cat"), "missing"),
                            (("call", "bob", "--via", "unix:/x", "--", "cat"), "--camera"),
                            (("call", "bob", "--camera", "--", "cat"), "--via"),
                            (("call", "bob", "--camera", "--via", "relay:1", "--", "cat"), "tcp:HOST:PORT"),
                            (("call", "bob", "--camera", "--via", "unix:" + "x" * 200, "--", "cat"), "unix:PATH"),
                            (("call", "b\u202eob", "--camera", "--via", "unix:/x", "--", "cat"), "visible"),
                            (("answer", "--camera", "--via", "unix:/x", "--as", "a\nb", "--", "cat"), "--as"),
                            (("answer", "--camera", "--via"), "wants a value"), (("peers", "forget"), "forget NAME"), (("identity", "export"), "missing"),
                            (("identity", "eat", "me"), "export FILE")):
        code, _, err = ctl(*arguments)
        tap.ok(code == 2 and says in err, f"wrong usage is refused: {' '.join(arguments)[:40]}", err)


def test_lists():
    fake.streams = [{"Device": dbus.ObjectPath("/d/1"), "DeviceName": "vi\u001bvid", "Node": "video0",
                     "Kinds": dbus.UInt32(2), "Uid": dbus.UInt32(0), "Pid": dbus.UInt32(7),
                     "Executable": "/usr/bin/ffmpeg", "Session": dbus.ObjectPath("/"), "Since": dbus.UInt64(1000000)}]
    fake.devices = [("/d/1", {"Name": "vivid", "Kinds": dbus.UInt32(2), "Node": "video0", "InUse": True})]
    fake.peers = [("/p/1", {"Name": "bob", "App": "exe:/x", "Authentication": "verified",
                            "Keys": dbus.Array(["ab cd"], signature="s")})]
    code, out, _ = ctl("status")
    tap.ok(code == 0 and out.startswith("Gate: present") and "OUTSIDE ANY CALL" in out and "\x1b" not in out,
           "status tells people what captures", out)
    code, out, _ = ctl("status", "--json")
    status = json.loads(out)
    tap.ok(code == 0 and status["gate"] == "present" and status["streams"][0]["kinds"] == ["camera"] and
           status["streams"][0]["device_name"] == "vi\x1bvid" and "\x1b" not in out, "and programs, in JSON", out)
    code, out, _ = ctl("devices", "--json")
    tap.ok(code == 0 and json.loads(out)[0]["in_use"] is True, "devices", out)
    code, out, _ = ctl("peers", "--json")
    tap.ok(code == 0 and json.loads(out)[0]["keys"] == ["ab cd"], "peers", out)
    code, out, _ = ctl("peers")
    tap.ok(code == 0 and "bob (verified)" in out, "peers for people", out)
    code, _, err = ctl("peers", "forget", "carol")
    tap.ok(code == 1 and "no peer" in err, "an unknown peer is said to be one", err)
    code, out, _ = ctl("sessions")
    tap.ok(code == 0 and "no calls" in out, "no sessions", out)
    fake.streams = []
    fake.gate = "absent"
    _, out, _ = ctl("status")
    tap.ok("Gate: absent" in out and "nothing is enforced" in out, "an absent gate is said", out)
    fake.gate = "present"


def test_changes():
    code, out, _ = ctl("block", "camera", "--json")
    tap.ok(code == 0 and json.loads(out) == {"blocked": ["camera"]} and fake.blocked == 2, "block camera", out)
    code, out, _ = ctl("block")
    tap.ok(code == 0 and fake.blocked == 7, "block all", out)
    fake.refusal = ("Denied", "you said no")
    code, _, err = ctl("unblock")
    tap.ok(code == 3 and "you said no" in err, "a denied unblock exits with 3", err)
    fake.refusal = None
    code, out, _ = ctl("unblock", "microphone")
    tap.ok(code == 0 and fake.blocked == 6, "unblock", out)
    code, out, _ = ctl("unblock", "speaker", "--json")
    tap.ok(code == 0 and fake.blocked == 2 and json.loads(out) == {"blocked": ["camera"]}, "unblock the speaker", out)
    fake.blocked = 0
    code, _, err = ctl("end", "17")
    tap.ok(code == 1 and "17" in err, "ending what is not there fails", err)
    code, out, _ = ctl("end", "--all")
    tap.ok(code == 0 and "Ended 0 calls" in out, "ending all of none does not", out)


def test_monitor():
    monitor = Program(CTL, "monitor", "--json")
    until(lambda: fake.subscribers)
    stream = dbus.Dictionary({"Kinds": dbus.UInt32(1), "DeviceName": "loop", "Executable": "/usr/bin/arecord"},
                             signature="sv")
    loop.do(lambda: fake.event("StreamStopped", "a{sv}", stream))
    line = monitor.expect("[^\n]*StreamStopped[^\n]*\n")
    tap.ok(line and json.loads(line.group(0)) == {"event": "StreamStopped", "kinds": ["microphone"],
                                                  "device_name": "loop", "executable": "/usr/bin/arecord"},
           "monitor prints events as JSON", monitor.text)
    stranger = Fake(bus.address, own=False)
    stranger.subscribers = list(fake.subscribers)
    loop.do(lambda: stranger.event("StreamStarted", "a{sv}", stream))
    loop.do(lambda: fake.event("DeviceRemoved", "o", dbus.ObjectPath("/d/9")))
    tap.ok(monitor.expect("DeviceRemoved") and "StreamStarted" not in monitor.text,
           "but not those of other connections", monitor.text)
    loop.do(lambda: fake.link.release_name("org.callgate1"))
    tap.ok(monitor.expect("DaemonStopped"), "it says when the daemon goes")
    code, _, err = ctl("status")
    tap.ok(code == 4 and "does not run" in err, "without the daemon the exit code is 4", err)
    fake.subscribers.clear()
    loop.do(lambda: fake.link.request_name("org.callgate1"))
    tap.ok(monitor.expect("DaemonStarted") and until(lambda: fake.subscribers), "and subscribes to the next one")
    monitor.process.send_signal(signal.SIGTERM)
    tap.ok(monitor.wait() == 0, "it ends when told to")
    code, _, err = ctl("status", env={"DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nonexistent"})
    tap.ok(code == 4 and "system bus" in err, "without a bus the exit code is 4 too", err)


def test_call():
    data = random.Random(1).randbytes(3_000_000)
    path, copy = bus.dir + "/data", bus.dir + "/copy"
    with open(path, "wb") as file:
        file.write(data)
    call = Call(["cat", path], ["sh", "-c", f"cat >{copy}"])
    codes = call.caller.wait(30), call.callee.wait(30)
    got = open(copy, "rb").read() if os.path.exists(copy) else b""
    tap.ok(codes == (0, 0), "a call runs to its end and both ends say 0", (codes, call.caller.text, call.callee.text))
    tap.ok(got == data, "what the one command wrote the other read", (len(got), len(data)))
    dump = call.relay.dumped()
    tap.ok(len(dump) > len(data) and not any(data[i:i + 16] in dump for i in range(0, len(data), 99991)),
           "and the relay saw none of it")
    tap.ok(call.end() == 0, "the relay ends when told to")


def test_programs():
    fake.programs = ([("/usr/bin/x\033[2J", dbus.UInt32(3), dbus.UInt32(4))], True, [("theirs", dbus.UInt32(0), dbus.UInt32(5))])
    call = Call(["echo", "hello"], ["cat"], call=("--tell-programs",))
    codes = call.caller.wait(20), call.callee.wait(20)
    tells = [s.tells for s in fake.sessions if not s.facts["Incoming"]], [s.tells for s in fake.sessions if s.facts["Incoming"]]
    tap.ok(codes == (0, 0) and tells == ([True], [False]), "--tell-programs, and only that, has the other side told", (codes, tells))
    tap.ok("[2J had the camera for 4 s and the microphone for 3 s" in call.caller.text and "\033[2J" not in call.caller.text and
           "the other side says that there theirs had the camera for 5 s" in call.caller.text,
           "at the end it says which programs had camera or microphone, and whose word it is", call.caller.text)
    call.end()
    fake.programs = (dbus.Array([], signature="(suu)"), True, dbus.Array([], signature="(suu)"))
    call = Call(["echo", "hello"], ["cat"])
    call.caller.wait(20)
    tap.ok("no program of yours had camera or microphone" in call.caller.text and
           "no program there had camera or microphone" in call.caller.text, "and that none had", call.caller.text)
    call.end()
    fake.programs = None


def test_sandbox():
    out = bus.dir + "/child"
    script = (f"ls -l /proc/self/fd >{out}; grep -E '^Sig(Blk|Ign)' /proc/self/status >>{out}; "
              f"ps -o pgid= -p $$ >>{out}; echo $$ >>{out}; readlink /proc/self/fd/0 >>{out}; echo ok")
    call = Call(["sh", "-c", script], ["cat"], kinds=("--microphone",))
    codes = call.caller.wait(20), call.callee.wait(20)
    text = open(out, encoding="ascii").read() if os.path.exists(out) else ""
    fds = [line.split()[8] for line in text.splitlines() if "->" in line]
    tap.ok(codes == (0, 0) and set(fds) <= {"0", "1", "2", "3"}, "the command holds no descriptor of ours", text)
    masks = dict(line.split(":\t") for line in text.splitlines() if line.startswith("Sig"))
    # 32 and 33 are the C library's own; it lets nobody touch them, so they stay as they were inherited.
    kept = 1 << 31 | 1 << 32
    tap.ok(int(masks["SigBlk"], 16) == 0 and int(masks["SigIgn"], 16) & ~kept == 0,
           "and no signal is blocked or ignored in it", text)
    tap.ok("/dev/null" in text, "its input is empty", text)
    tap.ok("ok\n" in call.callee.text, "and the answering command's output is its own", call.callee.text)
    call.end()


def test_both_ways():
    got = bus.dir + "/both"
    call = Call(["sh", "-c", f"echo from-alice; cat >{got}"],
                ["sh", "-c", "read line; echo \"bob heard $line\"; cat"], call=("--receive",), answer=("--send",))
    codes = call.caller.wait(20), call.callee.wait(20)
    text = open(got, encoding="ascii").read() if os.path.exists(got) else ""
    tap.ok(text == "bob heard from-alice\n", "both directions carry media", (codes, text, call.caller.text,
                                                                             call.callee.text))
    call.end()


def test_backpressure():
    call = Call(["sh", "-c", "exec cat /dev/zero"], ["sh", "-c", "sleep 3; exec head -c 3000000 >/dev/null"])
    call.runs()
    time.sleep(2.5)
    rss = max(int(line.split()[1]) for p in (call.caller, call.callee)
              for line in open(f"/proc/{p.process.pid}/status", encoding="ascii") if line.startswith("VmHWM"))
    late = [wait for s in fake.sessions for _, wait in s.beats]
    tap.ok(len(call.relay.dumped()) < 1_500_000 and rss < 40_000,
           "a command that does not read stops the one that writes, and nobody's memory grows",
           (len(call.relay.dumped()), rss))
    tap.ok(len(late) > 10 and max(late) < 0.5, "and proofs of life stay timely all the while", (len(late), late[-3:]))
    tap.ok(call.callee.wait(20) == 0, "when the reading command is done the call ends")
    tap.ok(call.caller.wait(10) == 5 and "hung up" in call.caller.text, "and the other end says so with 5",
           call.caller.text)
    call.end()


def alive(marker):
    return subprocess.run(["pgrep", "-f", marker], stdout=subprocess.DEVNULL, check=False).returncode == 0


def test_hang_up():
    call = Call(["sh", "-c", "while :; do echo tick; sleep 0.1; done; : hang-up-1"], ["sh", "-c", "cat >/dev/null"])
    call.runs()
    begun = time.monotonic()
    call.callee.process.send_signal(signal.SIGINT)
    code = call.caller.wait(5)
    tap.ok(code == 5 and time.monotonic() - begun < 2 and "hung up" in call.caller.text,
           "when the other side hangs up the command is stopped and the exit code is 5", (code, call.caller.text))
    tap.ok(call.callee.wait(5) == 0 and not alive("hang-up-1"), "who hung up ends with 0; nothing is left running")
    call.end()
    call = Call(["sh", "-c", "trap '' TERM; while :; do echo tick; sleep 0.1; done; : hang-up-2"],
                ["sh", "-c", "cat >/dev/null; echo finished in order"])
    call.runs()
    call.caller.process.send_signal(signal.SIGINT)
    code = call.caller.wait(8)
    tap.ok(code == 0 and not alive("hang-up-2"), "a command that ignores SIGTERM is killed", (code, call.caller.text))
    tap.ok(call.callee.wait(5) == 0 and "finished in order" in call.callee.text,
           "the other side's command gets the end of its input first", call.callee.text)
    call.end()
    call = Call(["sh", "-c", "while :; do echo tick; sleep 0.1; done; : hang-up-3"], ["cat"])
    call.runs()
    call.caller.process.kill()
    call.caller.process.wait()
    tap.ok(until(lambda: not alive("hang-up-3"), 3), "with SIGKILL for callgatectl its command ends too")
    call.end()
    call = Call(["sh", "-c", "while :; do echo tick; sleep 0.1; done"], ["sh", "-c", "cat >/dev/null"])
    call.runs()
    code, out, _ = ctl("end", "--all")
    tap.ok(code == 0 and call.caller.wait(5) == 5 and call.callee.wait(5) == 5, "`end --all` ends it at both ends", out)
    call.end()


def test_denied():
    fake.refusal = ("Denied", "you said no")
    call = Call(["cat", "/dev/zero"], ["cat"])
    tap.ok(call.caller.wait() == 3 and "you said no" in call.caller.text, "a denied call exits with 3", call.caller.text)
    fake.refusal = ("NoAgent", "start callgatectl agent")
    call.end()
    call = Call(["cat", "/dev/zero"], ["cat"])
    tap.ok(call.caller.wait() == 4 and "callgatectl agent" in call.caller.text, "without an agent 4", call.caller.text)
    fake.refusal = None
    call.end()
    fake.approve = 1
    call = Call(["sh", "-c", f"touch {bus.dir}/ran"], ["cat"])
    code = call.caller.wait()
    tap.ok(code == 3 and "microphone" in call.caller.text and not os.path.exists(bus.dir + "/ran"),
           "a command that needs more than was allowed is not started", (code, call.caller.text))
    fake.approve = 3
    call.end()
    fake.grant = 1
    call = Call(["sh", "-c", f"touch {bus.dir}/ran"], ["cat"])
    waits = call.caller.expect("waits until")
    time.sleep(0.7)
    tap.ok(waits and not os.path.exists(bus.dir + "/ran"), "nor one whose camera waits for the numbers", call.caller.text)
    call.caller.process.send_signal(signal.SIGINT)
    tap.ok(call.caller.wait(5) == 5 and not os.path.exists(bus.dir + "/ran"), "hanging up before that exits with 5")
    fake.grant = 3
    call.end()
    call = Call(["/nonexistent/program"], ["cat"])
    tap.ok(call.caller.wait() == 1 and "No such file" in call.caller.text, "a command that cannot run is said",
           call.caller.text)
    call.end()
    call = Call(["sh", "-c", "exit 7"], ["cat"])
    tap.ok(call.caller.wait() == 1 and "status 7" in call.caller.text, "a command that fails exits with 1",
           call.caller.text)
    call.end()
    code, _, err = ctl("call", "bob", "--camera", "--via", "unix:/nonexistent", "--", "cat")
    tap.ok(code == 1 and "relay" in err, "a relay that is not there is said", err)


def test_gone():
    call = Call(["sh", "-c", "while :; do echo tick; sleep 0.1; done"], ["cat"])
    call.runs()
    call.relay.stop()
    codes = call.caller.wait(8), call.callee.wait(8)
    tap.ok(codes == (5, 5) and "relay" in call.caller.text, "when the relay goes both exit with 5", codes)
    call = Call(["sh", "-c", "while :; do echo tick; sleep 0.1; done"], ["cat"])
    call.runs()
    loop.do(lambda: fake.link.release_name("org.callgate1"))
    away = call.caller.expect("callgated is gone", 8) and call.callee.expect("callgated is gone", 8)
    loop.do(lambda: fake.link.request_name("org.callgate1"))
    tap.ok(away and call.caller.expect("goes on", 8) and call.callee.expect("goes on", 8) and
           call.caller.process.poll() is None, "a daemon that is restarted takes the call up again", call.caller.text)
    loop.do(lambda: fake.link.release_name("org.callgate1"))
    loop.do(lambda: [s.remove_from_connection() for s in fake.sessions])
    loop.do(lambda: fake.link.request_name("org.callgate1"))
    codes = call.caller.wait(8), call.callee.wait(8)
    tap.ok(codes == (4, 4), "both exit with 4 where it knows nothing of the call", (codes, call.caller.text))
    call.end()
    call = Call(["sh", "-c", "while :; do echo tick; sleep 0.1; done"], ["cat"])
    call.runs()
    loop.do(lambda: fake.link.release_name("org.callgate1"))
    codes = call.caller.wait(20), call.callee.wait(20)
    tap.ok(codes == (4, 4), "when the daemon goes for good both exit with 4", (codes, call.caller.text))
    loop.do(lambda: fake.link.request_name("org.callgate1"))
    call.end()


def test_tampering():
    call = Call(["cat", "/dev/zero"], ["sh", "-c", "cat >/dev/null"])
    call.runs()
    time.sleep(0.3)
    call.relay.tell("flip")
    code = call.callee.wait(10)
    tap.ok(code == 5 and ("changed it" in call.callee.text or "framing" in call.callee.text),
           "one flipped bit of media ends the call", (code, call.callee.text))
    call.end()


def frame(kind, data):
    return struct.pack(">BI", kind, len(data)) + data


class Peer:
    """The other side of `answer`, by hand."""

    def __init__(self, sink=("sh", "-c", "cat >/dev/null"), *options):
        fake.sessions.clear()
        path = f"{bus.dir}/peer"
        if os.path.exists(path):
            os.unlink(path)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen(1)
        self.program = Program(CTL, "answer", "--microphone", "--via", "unix:" + path, *options, "--", *sink)
        listener.settimeout(10)
        self.socket, _ = listener.accept()
        self.socket.settimeout(10)
        self.sid = hashlib.sha256(os.urandom(8)).digest()[:16]

    def send(self, kind, data):
        try:
            self.socket.sendall(frame(kind, data))
        except OSError:
            pass

    def receive(self):
        head = self.socket.recv(5, socket.MSG_WAITALL)
        if len(head) < 5:
            return None, b""
        kind, length = struct.unpack(">BI", head)
        return kind, self.socket.recv(length, socket.MSG_WAITALL)

    def until(self, wanted):
        while True:
            kind, data = self.receive()
            if kind in (wanted, None):
                return data

    def live(self):
        """As the initiator's daemon would; returns the granted window."""
        self.send(HELLO, b"mallory")
        self.send(BLOB, bytes([1, 1]) + self.sid)
        self.until(BLOB)
        self.send(BLOB, bytes([1, 3]) + self.sid)
        return struct.unpack(">I", self.until(CREDIT))[0]

    def seal(self, counter, plain, direction=0, kind=1, key_kind=None):
        """RFC 9605 with another library."""
        from cryptography.hazmat.primitives import hashes, hmac
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

        def expand(secret, info, length):
            return HKDFExpand(hashes.SHA512(), length, info).derive(secret)
        base = hashlib.sha256(self.sid + bytes([direction, key_kind or kind])).digest()
        extract = hmac.HMAC(b"", hashes.SHA512())
        extract.update(base)
        secret = extract.finalize()
        kid = direction * 4 + kind
        suffix = struct.pack(">QH", kid, 5)
        key = expand(secret, b"SFrame 1.0 Secret key " + suffix, 32)
        salt = expand(secret, b"SFrame 1.0 Secret salt " + suffix, 12)
        if counter < 8:
            header = bytes([kid << 4 | counter])
        else:
            header = bytes([kid << 4 | 8, counter])
        nonce = (int.from_bytes(salt, "big") ^ counter).to_bytes(12, "big")
        return header + AESGCM(key).encrypt(nonce, plain, header)

    def end(self):
        code = self.program.wait(10)
        self.program.stop()
        self.socket.close()
        return code


def test_hostile_peer():
    for name, sends in (("a frame before the name", [frame(BLOB, b"x")]),
                        ("an unknown type", [frame(HELLO, b"m"), frame(9, b"x")]),
                        ("an empty frame", [frame(HELLO, b"")]),
                        ("a name with an escape", [frame(HELLO, b"a\x1b[2J")]),
                        ("a name with a zero byte", [frame(HELLO, b"a\0b")]),
                        ("a name that is too long", [frame(HELLO, b"m" * 64)]),
                        ("a second name", [frame(HELLO, b"m"), frame(HELLO, b"n")]),
                        ("a blob that is too long", [frame(HELLO, b"m"), struct.pack(">BI", BLOB, 1 << 31)]),
                        ("media nobody asked for", [frame(HELLO, b"m"), frame(MEDIA, b"x" * 100)]),
                        ("an absurd credit", [frame(HELLO, b"m"), frame(CREDIT, b"\xff" * 4)])):
        peer = Peer()
        for data in sends:
            peer.socket.sendall(data)
        tap.ok(peer.end() == 5, f"{name} ends the call", peer.program.text)
    peer = Peer()
    peer.send(HELLO, "mallory".encode())
    for _ in range(8):
        peer.send(BLOB, bytes([1, 1]) + os.urandom(40))
    for _ in range(5):  # as the initiator's daemon repeats it
        time.sleep(0.2)
        peer.send(BLOB, bytes([1, 1]) + peer.sid)
    tap.ok(peer.until(BLOB)[:2] == b"\1\2", "rubbish before the real INIT does not keep it from being answered")
    peer.program.process.send_signal(signal.SIGINT)
    tap.ok(peer.end() == 5, "Ctrl-C while it rings hangs up")

    copy = bus.dir + "/peer-copy"
    peer = Peer(("sh", "-c", f"cat >{copy}"))
    tap.ok(peer.live() == 256 * 1024, "media is granted once the keys are there", peer.program.text)
    for counter, text in ((0, b"one "), (1, b"two "), (1, b"two "), (3, b"four "), (2, b"three "), (9, b"ten")):
        peer.send(MEDIA, peer.seal(counter, text))
    peer.send(END, peer.seal(10, b""))
    code = peer.end()
    got = open(copy, "rb").read()
    tap.ok(code == 0 and got == b"one two four ten", "replayed and late frames are dropped", (code, got))
    tap.ok("media was lost" in peer.program.text, "and a gap is said", peer.program.text)

    def forged(name, kind, make):
        peer = Peer()
        peer.live()
        peer.send(MEDIA, peer.seal(0, b"hello"))
        peer.send(kind, make(peer))
        tap.ok(peer.end() == 5 and "changed it" in peer.program.text, name + " ends the call", peer.program.text)
    forged("a reflected direction", MEDIA, lambda p: p.seal(1, b"x", direction=1))
    forged("another kind's key", MEDIA, lambda p: p.seal(1, b"x", key_kind=2))
    forged("an unsealed frame", MEDIA, lambda p: b"plaintext, hello world, hello")
    forged("an end that is not sealed", END, lambda p: b"\x10" + b"\0" * 16)
    forged("an end of media sent as media", MEDIA, lambda p: p.seal(1, b""))
    peer = Peer()
    window = peer.live()
    piece = peer.seal(0, b"x" * 16000)
    for counter in range(window // len(piece) + 2):
        peer.send(MEDIA, peer.seal(counter, b"x" * 16000))
        time.sleep(0.05)
    time.sleep(0.5)
    tap.ok(peer.program.process.poll() is None, "more than a window is taken by a command that reads", peer.program.text)
    peer.program.process.send_signal(signal.SIGINT)
    peer.end()
    peer = Peer(("sleep", "30"))
    window = peer.live()
    for counter in range(window // len(piece) + 8):
        peer.send(MEDIA, peer.seal(counter, b"x" * 16000))
    tap.ok(peer.end() == 5 and "more media" in peer.program.text, "media beyond the window ends the call",
           peer.program.text)


def main():
    for test in (test_usage, test_lists, test_changes, test_monitor, test_call, test_programs, test_sandbox, test_both_ways,
                 test_backpressure, test_hang_up, test_denied, test_gone, test_tampering, test_hostile_peer):
        test()
    bus.stop()
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
