# SPDX-License-Identifier: LGPL-2.1-or-later
"""The call channel of doc/protocol.md over dissononce, written from that page alone and sharing nothing with daemon/.

Times are milliseconds, given by the caller. Small on purpose: what the page calls an error raises Broken, which ends the
peer; what it says to drop returns a word for the test.
"""
import copy
import hashlib
import hmac
import os
import random
import struct

from dissononce.cipher.chachapoly import ChaChaPolyCipher
from dissononce.dh.private import PrivateKey
from dissononce.dh.x25519.x25519 import X25519DH
from dissononce.exceptions.decrypt import DecryptFailedException
from dissononce.hash.sha512 import SHA512Hash
from dissononce.processing.handshakepatterns.interactive.XX import XXHandshakePattern
from dissononce.processing.impl.cipherstate import CipherState
from dissononce.processing.impl.handshakestate import HandshakeState
from dissononce.processing.impl.symmetricstate import SymmetricState

INIT, RESP, FIN, DATA = 1, 2, 3, 4
READY, HEARTBEAT, CLOSE, PROGRAMS = 1, 2, 3, 4
DIFFERS = 2
WINDOW = 1024
REMEMBERED = 64
NEVER = float("inf")


class Broken(Exception):
    """The other side broke a rule; args[0] is the reason byte for CLOSE."""


def sha512(data):
    return hashlib.sha512(data).digest()


def mac(key, data):
    return hmac.new(key, data, hashlib.sha512).digest()


def expand(prk, info, length):
    assert length <= 64
    return mac(prk, info + b"\x01")[:length]


def commitment(sid, static, nonce):
    return sha512(b"callgate/1 commit" + sid + static + nonce)[:32]


def prologue(sid, offer):
    return b"callgate/1\x00" + struct.pack(">H", 1) + sid + offer


def number(prologue_bytes, r_i, r_r, s_i, s_r, e_i, e_r):
    prk = mac(sha512(prologue_bytes), r_i + r_r)
    n = int.from_bytes(expand(prk, b"callgate/1 sas" + s_i + s_r + e_i + e_r, 8), "big") % 10 ** 9
    text = f"{n:09d}"
    return f"{text[:3]} {text[3:6]} {text[6:]}"


def media_key(prk, direction, kind):
    return expand(prk, b"callgate/1 sframe " + struct.pack(">BBI", direction, kind, 0), 32)


class Peer:
    """One end. `wrong` names what it gets wrong on purpose: commitment, zeros (for one), number, echo, level, interval; or that it
    is of the version that knows lists of programs: programs."""

    def __init__(self, role, now, wrong=(), dice=None):
        dh = X25519DH()
        self.initiator = role == "initiator"
        self.wrong = wrong
        self.dice = dice or random.Random(1)
        self.now = self.born = now
        self.s = dh.generate_keypair(PrivateKey(os.urandom(32)))
        self.hs = HandshakeState(SymmetricState(CipherState(ChaChaPolyCipher()), SHA512Hash()), dh)
        self.nonce, self.m = os.urandom(32), os.urandom(32)
        self.peer_nonce = self.peer_m = None
        self.out, self.taken, self.sent = [], {}, {}
        self.tx = self.rx = self.sas = self.prk = None
        self.seq = self.seen = 0
        self.marked = set()
        self.sent_at = {}
        self.confirmed, self.alive_until = False, 0
        self.captured = self.granted = self.compared = 0
        self.fetched = [0, 0]
        self.peer = {}
        self.ended, self.peer_reason = "", 0
        self.step_at, self.resend_at, self.gap = now, NEVER, 500
        self.beat_at = NEVER
        self.beats_heard = 0
        self.accepted, self.interval = (0, 0), 0
        self.bit = 0x8000 if "programs" in wrong else 0
        self.tells, self.round, self.at, self.pieces, self.programs = None, 0, 0, {}, None
        if self.initiator:
            self.sid = os.urandom(16)
            self.offer = b"\x01\x01" + struct.pack(">HH", 3 | self.bit, 3 | self.bit)
            self.begin()
            committed = os.urandom(32) if "commitment" in wrong else self.nonce
            sent = bytes(32) if "zeros" in wrong else commitment(self.sid, self.s.public.data, committed)
            self.send(INIT, self.offer + self.write(sent))

    def begin(self):
        self.prologue = prologue(self.sid, self.offer)
        self.hs.initialize(XXHandshakePattern(), self.initiator, self.prologue, s=self.s)

    # ---- handshake ----

    def write(self, payload):
        message = bytearray()
        self.keys = self.hs.write_message(payload, message)
        return bytes(message)

    def read(self, message):
        """The payload; the handshake moves only when the message is genuine."""
        trial, payload = copy.deepcopy(self.hs), bytearray()
        self.keys = trial.read_message(message, payload)
        self.hs = trial
        return bytes(payload)

    def send(self, kind, body, repeat=True):
        blob = struct.pack(">BB", 1, kind) + self.sid + body
        self.sent[kind] = blob
        self.out.append(blob)
        self.step_at, self.gap = self.now, 1000
        self.resend_at = self.now + 500 if repeat else NEVER
        return blob

    def derive(self):
        own, other = self.s.public.data, self.hs.rs.data
        e_own, e_other = self.hs.e.public.data, self.hs.re.data
        both = (self.nonce, self.peer_nonce, own, other, e_own, e_other)
        if not self.initiator:
            both = (self.peer_nonce, self.nonce, other, own, e_other, e_own)
        if "number" in self.wrong:
            both = both[:3] + (b"",) + both[4:]
        self.sas = number(self.prologue, *both)
        self.tx, self.rx = self.keys if self.initiator else self.keys[::-1]

    def derive_media(self):
        contributions = self.m + self.peer_m if self.initiator else self.peer_m + self.m
        self.prk = mac(self.hs.symmetricstate.get_handshake_hash(), contributions)

    def media_keys(self):
        for direction in (0, 1):
            self.fetched[direction] |= self.accepted[direction]
        return {f"{d}.{k}": media_key(self.prk, d, k).hex() for d in (0, 1) for k in (1, 2, 3)
                if k & ~self.accepted[d] == 0}

    def accept(self, i2r=3, r2i=3, interval=2000):
        self.accepted, self.interval = (i2r, r2i), interval
        said = 999 if "interval" in self.wrong else interval
        offered = struct.unpack(">HH", self.offer[-4:])
        i2r, r2i = i2r | offered[0] & self.bit, r2i | offered[1] & self.bit
        self.send(RESP, self.write(self.nonce + struct.pack(">BHHH25x", 1, i2r, r2i, said)))

    def take_init(self, blob):
        self.sid, count = blob[2:18], blob[18]
        self.offer = blob[18:23 + count]
        assert len(blob) == 87 + count and 1 in blob[19:19 + count]
        self.begin()
        self.committed = self.read(blob[23 + count:])
        assert len(self.committed) == 32

    def take_resp(self, blob):
        if len(blob) != 178:
            return "malformed"
        payload = self.read(blob[18:])
        self.peer_nonce = payload[:32]
        version, i2r, r2i, self.interval = struct.unpack(">BHHH", payload[32:39])
        if version != 1 or (i2r | r2i) & ~(3 | self.bit) or not 1000 <= self.interval <= 15000 or any(payload[39:]):
            raise Broken(6)
        self.accepted = (i2r & 3, r2i & 3)
        self.send(FIN, self.write(self.nonce + self.m))
        self.fin_at = self.now
        self.derive()
        return "ok"

    def take_fin(self, blob):
        if len(blob) != 146:
            return "malformed"
        payload = self.read(blob[18:])
        self.peer_nonce, self.peer_m = payload[:32], payload[32:]
        if commitment(self.sid, self.hs.rs.data, self.peer_nonce) != self.committed:
            self.ended = "commitment"
            return "ended"
        self.derive()
        self.derive_media()
        self.sent[READY] = self.make(READY, self.m)
        self.out.append(self.sent[READY])
        self.step_at, self.resend_at = self.now, NEVER
        return "ok"

    # ---- DATA ----

    def level(self, kind):
        wanted = [d for d in (0, 1) if self.accepted[d] & kind]
        if not wanted:
            return 0
        if "level" in self.wrong:
            return 77
        return 2 if all(self.fetched[d] & kind for d in wanted) else 1

    def make(self, kind, tail=b"", echo=None):
        self.seq += 1
        echo = self.seen if echo is None else echo
        if "echo" in self.wrong and kind == HEARTBEAT:
            echo = 0
        plain = struct.pack(">BQIQHHBBBB", kind, self.seq, 0, echo, self.captured, self.granted, self.level(1),
                            self.level(2), self.compared, 1) + tail
        plain += bytes(64 - len(plain))
        head = struct.pack(">BB", 1, DATA) + self.sid + struct.pack(">IQ", 0, self.seq)
        self.tx.set_nonce(self.seq)
        self.sent_at[self.seq] = self.now
        self.sent_at.pop(self.seq - REMEMBERED, None)
        return head + self.tx.encrypt_with_ad(head, plain)

    def beat(self):
        self.out.append(self.make(HEARTBEAT) if self.tells is None else self.make(PROGRAMS, self.piece()))
        self.beat_at = self.now + self.interval * self.dice.uniform(0.8, 1.2)

    def piece(self):
        """The next program of (name, microphone, camera), round after round."""
        if self.at >= len(self.tells):
            self.at = 0
        self.round = (self.round + (self.at == 0)) % 256
        name, mic, cam = self.tells[self.at] if self.tells else ("", 0, 0)
        self.at += 1
        return struct.pack(">BBBII24s", self.round, max(self.at - 1, 0) if self.tells else 0, len(self.tells), mic, cam, name.encode())

    def take_programs(self, tail):
        number, index, total, mic, cam, name = struct.unpack(">BBBII24s", tail)
        name = name.rstrip(b"\0").decode()
        assert total <= 8 and (index < total and name and 0 < mic + cam <= 86400 if total else not any(tail[1:]))
        if (number, total) != self.pieces.get("of"):
            self.pieces = {"of": (number, total)}
        if total:
            self.pieces[index] = [name, mic, cam]
        if len(self.pieces) == total + 1:
            self.programs = [self.pieces[i] for i in range(total)]

    def take_data(self, blob):
        if len(blob) != 110:
            return "malformed"
        epoch, seq = struct.unpack(">IQ", blob[18:30])
        if self.rx is None:
            return "unexpected"
        if epoch:
            return "epoch"
        if seq in self.marked or seq + WINDOW <= max(self.marked, default=0):
            return "replayed"
        self.rx.set_nonce(seq)
        plain = self.rx.decrypt_with_ad(blob[:30], blob[30:])
        self.marked.add(seq)
        kind, again, echo_epoch, echo, captured, granted, mic, cam, sas, gate = struct.unpack(">BQIQHHBBBB", plain[:29])
        tail, used = plain[29:], {READY: 32, HEARTBEAT: 0, CLOSE: 9, **({PROGRAMS: 35} if self.bit else {})}.get(kind)
        if used is None or any(tail[used:]) or again != seq or sas > 2 or gate > 1:
            raise Broken(6)
        if kind == READY and (not self.initiator or self.confirmed or seq != 1):
            raise Broken(6)
        if kind in (HEARTBEAT, PROGRAMS) and self.initiator and not self.confirmed:
            raise Broken(6)
        if echo_epoch or echo > self.seq or (echo == 0 and kind in (HEARTBEAT, PROGRAMS)):
            raise Broken(8)
        if (captured | granted) & ~self.accepted[1 if self.initiator else 0]:
            raise Broken(7)
        if kind == CLOSE:
            if struct.unpack(">Q", tail[1:9])[0] != seq - 1:
                raise Broken(6)
            self.peer_reason = tail[0]
            self.end("sas-differs" if sas == DIFFERS else "peer-closed")
            return "ended"
        if sas == DIFFERS:
            raise Broken(2)
        if seq > self.seen:
            self.seen = seq
            if kind == PROGRAMS:
                self.take_programs(tail)
            self.peer = {"captured": captured, "granted": granted, "sas": sas, "gate": gate, "levels": [mic, cam]}
        sent = self.fin_at if echo == 0 else self.sent_at.get(echo)
        if sent is not None:
            self.alive_until = max(self.alive_until, sent + 5 * self.interval)
        self.beats_heard += kind in (HEARTBEAT, PROGRAMS)
        if not self.confirmed:
            self.confirmed = True
            if kind == READY:
                self.peer_m = tail[:32]
                self.derive_media()
            self.beat()
        return "ok"

    # ---- order and time ----

    def receive(self, blob):
        self.tick(self.now)
        if self.ended:
            return "closed"
        if len(blob) < 18 or len(blob) > 192 or blob[0] != 1:
            return "malformed"
        kind = blob[1]
        if not self.initiator and kind == INIT and not self.taken:
            self.taken[INIT] = blob
            self.take_init(blob)
            return "ok"
        if blob[2:18] != self.sid:
            return "foreign"
        try:
            if kind == DATA:
                return self.take_data(blob)
            wanted = {RESP: self.initiator, FIN: not self.initiator and RESP in self.sent, INIT: not self.initiator}
            if not wanted.get(kind):
                return "unexpected"
            if kind in self.taken:
                if blob != self.taken[kind]:
                    return "conflict"
                if kind == FIN and not self.confirmed:
                    self.out.append(self.sent[READY])
                return "duplicate"
            result = self.take_resp(blob) if kind == RESP else self.take_fin(blob)
            self.taken[kind] = blob
            return result
        except DecryptFailedException:
            return "forged"
        except Broken as broken:
            self.close(broken.args[0])
            return "ended"

    def end(self, why):
        self.ended = why
        self.tx = self.rx = self.prk = self.sas = None
        self.resend_at = self.beat_at = NEVER

    def close(self, reason):
        if self.tx and not self.ended:
            self.out = [self.make(CLOSE, struct.pack(">BQ", reason, self.seq))] * 3
        self.end({1: "hangup", 2: "sas-differs", 4: "lost", 7: "media", 8: "echo"}.get(reason, "violation"))

    def tick(self, now):
        self.now = now
        if self.ended:
            return
        if not self.confirmed:
            person = FIN not in self.sent if self.initiator else RESP not in self.sent
            if now >= self.step_at + (120000 if person else 30000):
                self.end("no-answer")
            elif now >= self.resend_at:
                self.out.append(self.sent[FIN if FIN in self.sent else INIT] if self.initiator else self.sent[RESP])
                self.resend_at, self.gap = now + self.gap, min(2 * self.gap, 4000)
        elif now >= self.alive_until + 30000:
            self.close(4)
        elif now >= self.beat_at:
            self.beat()

    def due(self):
        """When tick() is wanted next, at the latest."""
        return self.alive_until + 30000 if self.confirmed and self.beat_at == NEVER else min(self.beat_at, self.resend_at)

    @property
    def state(self):
        if self.ended:
            return "closed"
        if self.confirmed:
            return "live" if self.now < self.alive_until else "stalled"
        return "handshaking" if {RESP, FIN} & set(self.sent) else "ringing" if self.initiator else "new"

    def take(self):
        blobs, self.out = self.out, []
        return blobs
