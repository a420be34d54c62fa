# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests with independent peers share: records over pipes, our end of the channel, TAP."""
import contextlib
import json
import os
import struct
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.realpath(os.path.join(HERE, "..", "..", ".."))
BUILD = os.path.join(ROOT, os.environ.get("BUILD", "build"))
ENDPOINT = os.path.join(BUILD, "tests", "peers", "endpoint")
LIMIT = 60
HANGUP = 1

done = 0
failed = 0


def plan_skip(reason):
    print(f"1..0 # SKIP {reason}", flush=True)
    sys.exit(0)


def bail_out(reason):
    print(f"Bail out! {reason}", flush=True)
    sys.exit(1)


def ok(good, name, seen=""):
    global done, failed
    done += 1
    failed += not good
    print(f"{'ok' if good else 'not ok'} {done} - {name}", flush=True)
    if not good and seen != "":
        print(f"# {seen}", flush=True)
    return good


def finish():
    print(f"1..{done}", flush=True)
    sys.exit(1 if failed else 0)


def installed(package):
    """Whether Debian's package is here; tests/setup installs it."""
    found = subprocess.run(["dpkg-query", "-W", "-f", "${db:Status-Status}", package], capture_output=True, text=True)
    return found.stdout == "installed"


class Pipes:
    """A child that speaks in records: u32 length, a letter, bytes."""

    def __init__(self, command, env=None):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env)
        # A peer that hangs fails the test instead of stopping it.
        self.watch = threading.Timer(LIMIT, self.process.kill)
        self.watch.daemon = True
        self.watch.start()

    def put(self, letter, data=b""):
        # A peer that has said all may be gone already; one that died too early has no last word to be read.
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(struct.pack(">I", 1 + len(data)) + letter + data)
            self.process.stdin.flush()

    def get(self):
        head = self.process.stdout.read(4)
        if len(head) < 4:
            raise EOFError(f"{self.process.args[0]} ended with status {self.process.wait()}")
        data = self.process.stdout.read(struct.unpack(">I", head)[0])
        return data[:1], data[1:]

    def turn(self):
        """The blobs of one turn, and the JSON that ends it."""
        blobs = []
        while True:
            letter, data = self.get()
            if letter == b"J":
                return blobs, json.loads(data)
            blobs.append(data)

    def stop(self):
        self.watch.cancel()
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.stop()


class Endpoint(Pipes):
    """Our channel. `state` is what it last said; blobs to carry collect in `out`."""

    def __init__(self, role, private=None):
        super().__init__([ENDPOINT, role, (private or os.urandom(32)).hex()])
        self.out = []
        self.hear()

    def hear(self):
        blobs, self.state = self.turn()
        self.out += blobs
        return self.state["result"]

    def command(self, letter, data=b""):
        self.put(letter, data)
        return self.hear()

    def receive(self, blob):
        return self.command(b"B", blob)

    def advance(self, ms):
        return self.command(b"T", struct.pack(">Q", ms))

    def accept(self, i2r=3, r2i=3):
        return self.command(b"A", struct.pack(">HH", i2r, r2i))

    def set_local(self, granted, captured, sas=0, gate=1):
        return self.command(b"S", struct.pack(">HHBB", granted, captured, sas, gate))

    def tell(self, programs):
        return self.command(b"P", b"".join(struct.pack(">II24s", mic, cam, name.encode()) for name, mic, cam in programs))

    def close(self, reason=HANGUP):
        return self.command(b"C", bytes([reason]))

    def media_keys(self):
        self.command(b"K")
        keys = dict(self.state["keys"])
        keys.pop("none")
        return keys

    def take(self):
        blobs, self.out = self.out, []
        return blobs


def check_handshake(name, command, env=None):
    """A peer in another language, in both roles: handshake, number, media keys and one DATA each way; and its twin that
    computes wrongly, so that equal is known to mean something. A peer takes its role and how to be wrong as
    arguments, speaks B records, and ends with one J: sas, keys, data (what it read of our DATA)."""
    def run(role, wrong):
        ours = "responder" if role == "initiator" else "initiator"
        with Endpoint(ours) as end, Pipes(command + [role, wrong], env) as peer:
            said = None
            while said is None:
                for blob in end.take():
                    peer.put(b"B", blob)
                letter, data = peer.get()
                if letter == b"J":
                    said = json.loads(data)
                    break
                end.receive(data)
                if end.state.get("state") == "new":
                    end.accept()
                if end.state.get("state") == "closed":
                    return end.state, None, {}
            live = end.state["state"] == "live"
            return end.state, said, end.media_keys() if live else {}

    for role in ("initiator", "responder"):
        state, said, keys = run(role, "right")
        ok(state.get("state") == "live" and state["end"] == "", f"{name} as {role}: handshake, READY and one DATA", state)
        ok(said is not None and said["sas"] == state.get("sas"), f"{name} as {role}: the same number", (said, state))
        ok(len(keys) == 6 and said is not None and said["keys"] == keys, f"{name} as {role}: the same six media keys",
           (said, keys))
        ok(said is not None and said["data"] == {"number": 1, "echo": 0 if role == "initiator" else 1},
           f"{name} as {role}: it reads our first DATA", said)
        state, said, keys = run(role, "number")
        ok(said is not None and said["sas"] != state.get("sas"), f"{name} as {role}, which forgets the responder's key in "
           "the number: numbers differ", (said, state))
        state, said, keys = run(role, "keys")
        ok(said is not None and len(keys) == 6 and not set(said["keys"].values()) & set(keys.values()),
           f"{name} as {role}, which takes the contributions in the wrong order: keys differ", (said, keys))
    state, said, keys = run("initiator", "commitment")
    ok(state["end"] == "commitment" and "sas" not in state and said is None,
       f"{name} as initiator, which commits to another nonce than it reveals, is denied a number", state)
