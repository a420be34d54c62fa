#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A man in the middle between two daemons, written out in full: he relays, grinds, aborts and splices, and floods.

He speaks the protocol through tests/peers/lib/callgate.py. What the two users see is what their agents are asked. Where he is
measured, only the low bits of the numbers are compared, so that he wins often enough to be counted; each of up to 9 bits is
worth exactly one half. Last, a protection is taken out, and he wins.
"""
import copy
import math
import os
import sys
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "lib"))
sys.path.append(os.path.join(HERE, "..", "peers", "lib"))
from rig import *  # noqa: E402,F403

if os.geteuid() != 0:
    plan_skip("needs root, to act as several users")
try:
    from callgate import DATA, FIN, INIT, RESP, Peer, number  # noqa: E402
    from dissononce.dh.private import PrivateKey  # noqa: E402
    from dissononce.dh.x25519.x25519 import X25519DH  # noqa: E402
except ImportError as error:
    plan_skip(f"{error}; run 'make setup'")

PAIRS = 40
CARELESS = os.path.join(os.path.dirname(DAEMON), "callgated-careless")


class Half:
    """He and one of the two: what he does is what the Peer does, but for what `side` wants of him."""

    def __init__(self, side, role):
        self.side, self.peer, self.path, self.seen = side, Peer(role, 0), None, None

    def carry(self, until):
        """Blobs both ways until `until` says so; whether it did."""
        end = time.monotonic() + LIMIT
        while True:
            for blob in self.peer.take():
                self.deliver(blob)
            if until() or time.monotonic() > end:
                return until()
            event = self.side.app.wait_signal("Blob", 0.1, self.path)
            if event:
                self.peer.receive(bytes.fromhex(event["arguments"][0]))

    def deliver(self, blob):
        return self.side.app.refusal(self.path, SESSION, "Deliver", "ay", {"bytes": blob.hex()})

    def hear(self, kind):
        """The next blob of that kind from the daemon; others are passed over."""
        while True:
            blob = bytes.fromhex(self.side.app.wait_signal("Blob", path=self.path)["arguments"][0])
            if blob[1] == kind:
                return blob

    def approve(self):
        question = self.side.agent.take(lambda e: e["event"] == "Approve" and e["arguments"][0] == self.path)
        self.side.agent.reply(question, "bu", True, 3)

    def shown(self, limit=LIMIT):
        """What the user is asked to compare, or None."""
        question = self.side.agent.take(lambda e: e["event"] == "Compare" and e["arguments"][0] == self.path, limit)
        return question["arguments"][1] if question else None

    def end(self):
        self.side.app.refusal(self.path, SESSION, "End")
        self.side.agent.events.clear()


def to_alice():
    """Alice called, and he has her INIT."""
    half = Half(alice, "responder")
    half.path = alice.app.create("bob", 3, alice.subject)
    half.approve()
    half.peer.receive(half.hear(INIT))
    half.peer.accept()
    return half


def to_bob(side=None, peer=None):
    """He called, Bob approved, and he has Bob's RESP; FIN is made but not sent."""
    half = Half(side or bob, "initiator")
    half.peer = peer or half.peer
    init = half.peer.take()[0]
    half.path = half.side.app.accept(init.hex(), "alice", 3, half.side.subject)
    half.approve()
    half.resp = half.hear(RESP)
    half.peer.receive(half.resp)
    return half


def digits(text):
    return int(text.replace(" ", ""))


def same(a, b, bits):
    return (digits(a) ^ digits(b)) % (1 << bits) == 0


def finish_with(half):
    """Up to the question; the number that its user sees, which is the one that he computed."""
    return half.shown() if half.carry(lambda: half.peer.confirmed) else None


def grind(half, wanted, bits, keys=False):
    """Another secret, or another key, in the FIN to Bob, so that his number ends as `wanted` does; how many he tried."""
    peer, dh, tries = half.peer, X25519DH(), 0
    hs, nonce, key = peer.before_fin, peer.nonce, peer.s
    peer.take()
    while True:
        tries += 1
        if keys:
            key = dh.generate_keypair(PrivateKey(os.urandom(32)))
        else:
            nonce = os.urandom(32)
        sas = number(peer.prologue, nonce, peer.peer_nonce, key.public.data, hs.rs.data, hs.e.public.data, hs.re.data)
        if same(sas, wanted, bits):
            break
    peer.nonce, peer.s, peer.hs = nonce, key, hs
    hs._s = key  # it has no other way
    peer.send(FIN, peer.write(peer.nonce + peer.m))
    peer.derive()
    return tries


class Grinder(Peer):
    """Keeps the handshake as it was before FIN."""

    def take_resp(self, blob):
        before = copy.deepcopy(self.hs)
        result = super().take_resp(blob)
        before.read_message(blob[18:], bytearray())
        self.before_fin = before
        return result


place = Place()
SLOW = "[channel]\nheartbeat = 15000\n"
alice = Side(place, "alice", ALICE, config=SLOW)
bob = Side(place, "bob", BOB, gate=False, config=SLOW)

# ---- he relays
alices, bobs, honest = [], [], 0
for i in range(PAIRS):
    a, b = to_alice(), to_bob()
    # In either order; neither helps.
    for half in (a, b) if i % 2 else (b, a):
        seen = finish_with(half)
        honest += seen is not None and seen == half.peer.sas
        (alices if half is a else bobs).append(seen)
    a.end()
    b.end()
ok(honest == 2 * PAIRS, "he completes with either side, and each user sees the number of that side", honest)
ok(not [1 for a, b in zip(alices, bobs) if a == b], "no two users who were to compare saw the same number")
for bits in (3, 5, 7):
    # Any of Alice's runs with any of Bob's. Each two of these pairs are independent, which gives the sum its variance; its
    # tails are longer than a binomial one's, hence six errors.
    n = PAIRS * PAIRS
    wins = sum(same(a, b, bits) for a in alices for b in bobs)
    due = n / 2 ** bits
    error = math.sqrt(due * (1 - 2 ** -bits))
    print(f"# relaying: number of {bits} bits: {wins} of {n} pairs agree; {due:.1f} were due, error {error:.1f}")
    ok(abs(wins - due) <= 6 * error, f"at {bits} bits he wins as often as the bound says")
print("# the whole number: 1 in 10^9 for each pair of approvals")

# ---- he grinds
for keys, what in ((False, "secret"), (True, "key")):
    a, b = to_alice(), to_bob(peer=Grinder("initiator", 0))
    wanted = finish_with(a)
    tries = grind(b, wanted, 6, keys)
    ok(same(b.peer.sas, wanted, 6), f"he finds a {what} that would make Bob's number end as Alice's", tries)
    ended = b.carry(lambda: bob.properties(b.path) is None)
    ok(ended and b.shown(0.3) is None, f"but Bob's daemon ends the call and shows no number ({what})")
    a.end()
    b.end()
b = to_bob(peer=Grinder("initiator", 0))
ok(finish_with(b), "with what he committed to, Bob is shown a number")
b.end()

# ---- he aborts
a, b = to_alice(), to_bob()
blob = Peer("initiator", 0).take()[0]
blob = blob[:2] + b.peer.sid + blob[18:]
ok(bob.app.refusal(ROOT_PATH, MANAGER, "AcceptSession", "aysuha{sv}", {"bytes": blob.hex()}, "alice", 3,
                   {"pidfd": bob.subject}, {"options": {}}) == "BadBlob" and b.deliver(blob) == "BadBlob" and
   not bob.app.wait_signal("Blob", 0.3, b.path) and not bob.agent.wait("Approve", 0),
   "calling Bob again in the same session brings no second answer and no second question")
wanted = finish_with(a)
other = Half(alice, "responder")
other.path = a.path
other.peer.receive(a.peer.taken[INIT])
other.peer.accept()
ok(a.deliver(other.peer.take()[0]) == "BadBlob" and a.side.properties(a.path)["State"] == "live" and
   other.shown(0.3) is None, "answering Alice again brings no second FIN and no second number")
b.end()
ok(b.deliver(b.peer.take()[0]) == "NotFound", "what he broke off cannot be gone on with")
a.end()

# ---- he splices
a, b = to_alice(), to_bob()
mixed = Half(bob, "initiator")
mixed.path = bob.app.accept(a.peer.taken[INIT].hex(), "alice", 3, bob.subject)
mixed.approve()
resp = mixed.hear(RESP)
ok(a.deliver(b.resp) == "BadBlob" and a.deliver(b.resp[:2] + a.peer.sid + b.resp[18:]) == "BadBlob",
   "Bob's answer to him is none to Alice")
ok(a.deliver(resp) == "allowed", "Bob's answer to Alice is")
fin = a.hear(FIN)
ok(mixed.deliver(b.peer.take()[0]) == "BadBlob", "his FIN is none to Bob's call with Alice")
ok(b.deliver(fin) == "BadBlob" and b.deliver(fin[:2] + b.peer.sid + fin[18:]) == "BadBlob", "nor is Alice's in his call")
ok(mixed.deliver(fin) == "allowed", "left alone, Alice's FIN is taken")

# ---- capture before READY: Alice has sent FIN, Bob's READY waits here
ready = mixed.hear(DATA)
ok(alice.gate.allowed() == 0 and not wait_for(lambda: alice.gate.allowed(), 1) and alice.properties(a.path)["Granted"] == 0,
   "before READY nothing may be captured")
ok(a.deliver(ready) == "allowed" and wait_for(lambda: alice.gate.allowed() == MICROPHONE), "with READY the microphone may be")
mixed.deliver(a.hear(DATA))
ok((seen := a.shown()) is not None and seen == mixed.shown(), "and both users see the same number")
for half in (a, b, mixed):
    half.end()

# ---- he floods
bob.app.events.clear()
running, refused = to_bob(), {}
for i in range(24):
    init = Peer("initiator", 0).take()[0]
    said = bob.app.refusal(ROOT_PATH, MANAGER, "AcceptSession", "aysuha{sv}", {"bytes": init.hex()}, f"caller {i}", 3,
                           {"pidfd": bob.subject}, {"options": {}})
    refused[said] = refused.get(said, 0) + 1
open_now = bob.app.manager("ListSessions")
ok(refused.get("Limit", 0) + refused.get("allowed", 0) == 24 and len(open_now) == refused["allowed"] + 1 <= 16,
   "a flood of INITs opens no more than the cap", refused)
ok(not bob.app.take(lambda e: e.get("member") == "Blob" and e["path"] != running.path, 0.3), "and is not answered")
ok(finish_with(running), "a call that the user approved before goes on, to the comparison")
for path, _ in open_now:
    bob.app.call(path, SESSION, "End")
bob.agent.events.clear()
b = to_bob()
ok(finish_with(b), "afterwards a call comes through")
b.end()

# ---- without the one-run rule: Bob's user lets every run through on one word
a = to_alice()
wanted = finish_with(a)
runs_made = 0
for _ in range(200):
    b = to_bob()
    runs_made += 1
    if same(b.peer.sas, wanted, 4):
        break
    b.end()
seen = finish_with(b)
print(f"# one approval, many runs: number of 4 bits: won after {runs_made} runs")
ok(seen is not None and same(seen, wanted, 4), "with many runs for one approval he wins")
a.end()
b.end()

# ---- without the commitment
careless = Side(place, "careless", BOB, gate=False, config=SLOW, binary=CARELESS)
a, b = to_alice(), to_bob(careless, Grinder("initiator", 0, wrong=("zeros",)))
wanted = finish_with(a)
tries = grind(b, wanted, 12)
seen = finish_with(b)
print(f"# without the commitment: number of 12 bits: Alice sees {wanted}, Bob {seen}, after {tries} tries")
ok(seen is not None and same(seen, wanted, 12), "without the commitment he wins, at 12 bits, with one approval of each")
a.end()
b.end()
for side in (alice, bob, careless):
    ok(side.daemon.end() == 0 and "Sanitizer" not in side.daemon.log(), "the daemon ends well", side.daemon.log()[-2000:])
finish()
