#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""callgatectl seal and unseal: against SFrame written here over python3-cryptography, and against what goes wrong in a
pipe. TAP."""
import fcntl
import hashlib
import hmac
import os
import struct
import subprocess
import sys
import tempfile

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", ".."))
CTL = os.path.join(ROOT, os.environ.get("BUILD", "build"), "callgatectl")
DIRECTIONS = ("caller", "answerer")
KINDS = ("", "microphone", "camera", "both")
FAILED, USAGE, FORGED = 1, 2, 6
PLAIN_MAX = 4 << 20

try:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
except ImportError:
    print("1..0 # SKIP python3-cryptography is not installed; run 'make setup'")
    sys.exit(0)

done = failed = 0
place = tempfile.TemporaryDirectory(prefix="callgate-seal-")


def ok(good, name, seen=""):
    global done, failed
    done += 1
    failed += not good
    print(f"{'ok' if good else 'not ok'} {done} - {name}", flush=True)
    if not good and seen != "":
        print(f"# {str(seen)[:600]}", flush=True)


def record(direction, kind, key):
    return struct.pack(">BBI", direction, kind, 0) + key


KEYS = {(d, k): os.urandom(32) for d in (0, 1) for k in (1, 2, 3)}
RECORDS = b"".join(record(d, k, key) for (d, k), key in KEYS.items())
copies = 0


def key_file(data=RECORDS, mode=0o600):
    global copies
    copies += 1
    path = os.path.join(place.name, f"keys{copies}")
    with open(path, "wb") as file:
        file.write(data)
    os.chmod(path, mode)
    return path


def run(verb, data, *arguments, fds=()):
    return subprocess.run([CTL, verb, *arguments], input=data, capture_output=True, pass_fds=fds, timeout=60)


def which(direction, kind):
    return ("--direction", DIRECTIONS[direction], "--kind", KINDS[kind])


def frames(*plains):
    return b"".join(struct.pack(">I", len(p)) + p for p in plains)


def split(data):
    out = []
    while data:
        n = struct.unpack(">I", data[:4])[0]
        out.append(data[4:4 + n])
        data = data[4 + n:]
    return out


def mac(key, data):
    return hmac.new(key, data, hashlib.sha512).digest()


def header(kid, ctr):
    number = ctr.to_bytes((ctr.bit_length() + 7) // 8, "big") if ctr > 7 else b""
    return bytes([kid << 4 | (8 | len(number) - 1 if number else ctr)]) + number


def sframe(direction, kind, ctr, plain, key=None):
    """RFC 9605, AES_256_GCM_SHA512_128."""
    kid = direction * 4 + kind
    prk = mac(bytes(64), key or KEYS[direction, kind])
    name = struct.pack(">QH", kid, 5)
    secret = mac(prk, b"SFrame 1.0 Secret key " + name + b"\x01")[:32]
    salt = mac(prk, b"SFrame 1.0 Secret salt " + name + b"\x01")[:12]
    nonce = (int.from_bytes(salt, "big") ^ ctr).to_bytes(12, "big")
    head = header(kid, ctr)
    return head + AESGCM(secret).encrypt(nonce, plain, head)


def agrees_with_sframe():
    plains = [b"", b"a", os.urandom(16), os.urandom(1200), os.urandom(4095), os.urandom(4096), os.urandom(PLAIN_MAX)]
    plains += [bytes([i % 256]) for i in range(300)]
    for direction, kind in KEYS:
        use = plains if (direction, kind) == (0, 1) else plains[:4]
        name = f"{DIRECTIONS[direction]}'s {KINDS[kind]}"
        expected = [sframe(direction, kind, ctr, plain) for ctr, plain in enumerate(use)]
        r = run("seal", frames(*use), "--key", key_file(), *which(direction, kind))
        ok(r.returncode == 0 and split(r.stdout) == expected, f"seal makes the frames of RFC 9605: {name}", r.stderr)
        r = run("unseal", frames(*expected), "--key", key_file(), *which(direction, kind))
        ok(r.returncode == 0 and split(r.stdout) == use, f"unseal opens them: {name}", r.stderr)


def streams():
    data = os.urandom(3 * 16384 + 5)
    for text in (data, b""):
        sealed = run("seal", text, "--stream", "--key", key_file(), *which(0, 3))
        r = run("unseal", sealed.stdout, "--stream", "--key", key_file(), *which(0, 3))
        ok(r.returncode == 0 and r.stdout == text, f"a stream of {len(text)} bytes comes out as it went in", r.stderr)
    parts = [data[:100], data[100:200], data[200:300], b""]
    sealed = [sframe(0, 3, ctr, part) for ctr, part in enumerate(parts)]
    arguments = ("--stream", "--key", key_file(), *which(0, 3))
    r = run("unseal", frames(*sealed), *arguments)
    ok(r.returncode == 0 and r.stdout == data[:300], "a stream in frames is joined", r.stderr)
    for name, broken, good, word in (
            ("without its end", sealed[:3], 300, b"cut off"),
            ("with a frame missing", sealed[:1] + sealed[2:], 100, b"frame 2 is missing"),
            ("with frames exchanged", [sealed[0], sealed[2], sealed[1], sealed[3]], 100, b"frame 2 is missing"),
            ("that goes on behind its end", sealed + [sframe(0, 3, 4, b"more")], 300, b"frame 5"),
            ("of nothing at all", [], 0, b"cut off")):
        r = run("unseal", frames(*broken), *arguments)
        ok(r.returncode == FORGED and r.stdout == data[:good] and word in r.stderr, f"deny a stream {name}", r)


def forgeries():
    good = [sframe(0, 1, ctr, b"frame %d" % ctr) for ctr in range(4)]
    use = ("--key", key_file(), *which(0, 1))
    r = run("unseal", frames(good[2], good[0], good[3]), *use)
    ok(r.returncode == 0 and split(r.stdout) == [b"frame 2", b"frame 0", b"frame 3"],
       "allow frames that are lost or out of order", r)
    changed = good[1][:-1] + bytes([good[1][-1] ^ 1])
    for name, data, arguments, word in (
            ("a changed frame", [good[0], changed], use, b"frame 2 was changed"),
            ("a frame that comes again", [good[0], good[0]], use, b"frame 2 was here before"),
            ("a frame too old", [good[0], sframe(0, 1, 2000, b"x"), good[1]], use, b"frame 3 was here before, or is too old"),
            ("another direction's frame", [sframe(1, 1, 0, b"x")], use, b"another direction or kind"),
            ("a frame reflected to its sender", [good[0]], ("--key", key_file(), *which(1, 1)), b"another direction or kind"),
            ("another key", [good[0]], ("--key", key_file(record(0, 1, os.urandom(32)))), b"under another key"),
            ("an empty frame", [b""], use, b"frame 1 was changed"),
            ("a frame shorter than a tag", [b"\x10" + bytes(15)], use, b"frame 1 was changed"),
            ("a header that is not the shortest", [b"\x18\x00" + good[0][1:]], use, b"frame 1 was changed")):
        r = run("unseal", frames(*data), *arguments)
        genuine = [b"frame 0", b"x"][:len(data) - 1]
        ok(r.returncode == FORGED and split(r.stdout) == genuine and word in r.stderr, f"deny {name}", r)


def cuts():
    good = frames(b"first", b"second")
    sealed = frames(*(sframe(0, 1, ctr, p) for ctr, p in enumerate((b"first", b"second"))))
    for verb, data, count in (("seal", good, 2), ("unseal", sealed, 2)):
        bad = []
        first = 4 + struct.unpack(">I", data[:4])[0]
        for cut in range(1, len(data)):
            r = run(verb, data[:cut], "--key", key_file(record(0, 1, KEYS[0, 1])))
            whole = cut == first
            if r.returncode != (0 if whole else FAILED) or (not whole and b"ends in the middle of frame" not in r.stderr) \
                    or len(split(r.stdout)) != (cut >= first):
                bad.append((cut, r))
        ok(not bad, f"deny {verb} of an input that is cut anywhere but between frames", bad)
        r = run(verb, data, "--key", key_file(record(0, 1, KEYS[0, 1])))
        ok(r.returncode == 0 and len(split(r.stdout)) == count, f"allow {verb} of the whole", r)
    for verb, size in (("seal", PLAIN_MAX + 1), ("unseal", PLAIN_MAX + 34), ("seal", 0xffffffff), ("unseal", 0xffffffff)):
        r = run(verb, struct.pack(">I", size) + bytes(100), "--key", key_file(record(0, 1, KEYS[0, 1])))
        ok(r.returncode == FAILED and b"frame 1 of the input says that it has" in r.stderr and not r.stdout,
           f"deny {verb} of a frame of {size} bytes", r)


def keys():
    path = key_file()
    first = run("seal", frames(b"x"), "--key", path, *which(0, 1))
    again = run("seal", frames(b"x"), "--key", path, *which(0, 1))
    ok(first.returncode == 0 and again.returncode == FAILED and not again.stdout and b"sealed a stream already" in again.stderr,
       "deny a second stream under one key", again)
    with open(path, "rb") as file:
        left = file.read()
    ok(KEYS[0, 1] not in left and all(key in left for which_key, key in KEYS.items() if which_key != (0, 1)),
       "the key that sealed is erased in the file, the others are not")
    r = run("seal", frames(b"x"), "--key", path, *which(0, 2))
    ok(r.returncode == 0, "allow another key of the same file", r)
    r = run("unseal", frames(sframe(0, 1, 0, b"x")), "--key", path, *which(0, 1))
    ok(r.returncode == FAILED and b"sealed a stream already" in r.stderr, "deny unseal under a key of zeros", r)

    path = key_file()
    with open(path, "rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        r = run("seal", frames(b"x"), "--key", path, *which(0, 1))
        ok(r.returncode == FAILED and not r.stdout and b"cannot erase" in r.stderr, "deny a key file that is in use", r)
    r = run("seal", frames(b"x"), "--key", path, *which(0, 1))
    ok(r.returncode == 0, "allow it afterwards", r)
    for verb, data in (("seal", b"x"), ("unseal", sframe(0, 1, 0, b"x"))):
        r = run(verb, frames(data), "--key", key_file(mode=0o640), *which(0, 1))
        ok(r.returncode == FAILED and b"others may read" in r.stderr and not r.stdout,
           f"deny {verb} with a key file that the group can read", r)

    def by_descriptor(data, number=None):
        reading, writing = os.pipe()
        os.write(writing, data)
        os.close(writing)
        try:
            return run("seal", frames(b"x"), "--key-fd", number or str(reading), *which(0, 1), fds=(reading,))
        finally:
            os.close(reading)

    r = by_descriptor(RECORDS)
    ok(r.returncode == 0 and split(r.stdout) == [sframe(0, 1, 0, b"x")], "allow keys from a pipe", r)
    path = key_file()
    with open(path, "rb") as file:
        first = run("seal", frames(b"x"), "--key-fd", str(file.fileno()), *which(0, 1), fds=(file.fileno(),))
        again = run("seal", frames(b"x"), "--key-fd", str(file.fileno()), *which(0, 1), fds=(file.fileno(),))
    ok(first.returncode == 0 and again.returncode == FAILED and b"already" in again.stderr,
       "deny a second stream under a file that is handed over open", again)
    for number in ("0", "2", "-1", "x", "", "99999999999999999999"):
        r = by_descriptor(RECORDS, number or " ")
        ok(r.returncode == USAGE and b"--key-fd wants" in r.stderr, f"deny descriptor '{number}'", r)
    r = by_descriptor(RECORDS, "900")
    ok(r.returncode == FAILED and b"cannot open" in r.stderr, "deny a descriptor that is not open", r)

    for name, data, status, word in (
            ("an empty key file", b"", FAILED, b"holds no list"),
            ("a key file that is cut short", RECORDS[:-1], FAILED, b"cut short"),
            ("a key file that is too long", RECORDS * 3, FAILED, b"holds no list"),
            ("a file without the key", record(1, 2, KEYS[1, 2]), FAILED, b"no key for this direction and kind"),
            ("a key of an epoch that version 1 does not have", b"\0\x01\0\0\0\x01" + KEYS[0, 1], FAILED, b"no key for"),
            ("the same key twice", record(0, 1, KEYS[0, 1]) * 2, USAGE, b"several keys")):
        r = run("seal", frames(b"x"), "--key", key_file(data), *which(0, 1))
        ok(r.returncode == status and word in r.stderr and not r.stdout, f"deny {name}", r)
    for name, arguments, word in (
            ("no key", (), b"either --key FILE or --key-fd"),
            ("two keys", ("--key", key_file(), "--key-fd", "3"), b"either --key FILE or --key-fd"),
            ("no choice among several", ("--key", key_file()), b"--direction and --kind"),
            ("a direction that is none", ("--key", key_file(), "--direction", "up"), b"caller or answerer"),
            ("a kind that is none", ("--key", key_file(), "--kind", "screen"), b"microphone, camera or both"),
            ("an option of another verb", ("--key", key_file(), "--via", "x"), b"no such option"),
            ("an argument", ("--key", key_file(), "file"), b"too many arguments")):
        r = run("seal", frames(b"x"), *arguments)
        ok(r.returncode == USAGE and word in r.stderr and not r.stdout, f"deny {name}", r)
    r = run("seal", frames(b"x"), "--key", os.path.join(place.name, "absent"))
    ok(r.returncode == FAILED and b"No such file" in r.stderr, "deny a file that is not there", r)
    for verb in ("seal", "unseal"):
        r = run(verb, b"", "--help")
        ok(r.returncode == 0 and b"--key-fd N" in r.stdout and b"--stream" in r.stdout, f"{verb} --help explains the options", r)


def main():
    agrees_with_sframe()
    streams()
    forgeries()
    cuts()
    keys()
    print(f"1..{done}")
    sys.exit(1 if failed else 0)


main()
