#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The private call history: what is recorded of real sessions, who can read it, and what forgetting leaves."""
import glob
import json
import math
import os
import pty
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from rig import *  # noqa: E402,F403

if os.geteuid() != 0:
    plan_skip("needs root, to act as several users")

CTL = os.path.join(ROOT, "build", "callgatectl")
HISTORY = "org.callgate1.History"
FOREIGN = "this part was sealed to another key: it is another user's, or from before your key was replaced"
WORKER = ThreadPoolExecutor(1)
HEART = "[channel]\nheartbeat = 1000\n"

place = Place()
alice = Side(place, "alice", ALICE, config=HEART + "[history]\nunit = 60\n")
bob = Side(place, "bob", BOB, gate=False, config=HEART)


def home(uid):
    path = f"{place.path}/home-{uid}"
    if not os.path.isdir(path):
        os.mkdir(path, 0o700)
        os.chown(path, uid, uid)
    return path


def ctl(side, *arguments, uid=None, text=None):
    """callgatectl history as a user; a passphrase, or two lines, go through descriptor 0."""
    uid = side.uid if uid is None else uid
    command = ["setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups", CTL, "history", *arguments]
    if text is not None:
        command += ["--passphrase-fd", "0"]
    done = subprocess.run(command, input=text or "", capture_output=True, text=True, timeout=60, check=False,
                          env=dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=side.bus.address, HOME=home(uid)))
    return done.returncode, done.stdout, done.stderr


def records(side, **options):
    status, out, err = ctl(side, "--json", **options)
    try:
        return json.loads(out)
    except ValueError:
        return {"history": [], "status": status, "error": err, "out": out}


def journal(side):
    return f"{side.daemon.state}/{side.uid}/journal"


def segments(side):
    return sorted(glob.glob(journal(side) + "/*-*"))


def call():
    """A whole call with captures: of the session, and of a program outside of it. Between how many seconds they took."""
    path, other, relay = start_call(alice, bob)
    if not alice.known:
        compare(alice, bob)
        alice.known = True
    wait_for(lambda: alice.gate.allowed() == 3)
    session = next(iter(alice.gate.grants))
    first = time.monotonic()
    alice.gate.event("stream 9 " + alice.gate.capture(alice.subject, 7, 2, session))
    alice.gate.event("stream 10 " + alice.gate.capture(alice.loner, 7, 1))
    wait_for(lambda: len(alice.app.manager("ListStreams")) == 2)
    started = time.monotonic()
    least = time.monotonic() - started
    alice.app.call(path, SESSION, "End")
    most = time.monotonic() - first
    wait_for(lambda: alice.properties(path) is None)
    alice.gate.event("stop 9 0")
    alice.gate.event("stop 10 0")
    wait_for(lambda: not alice.app.manager("ListStreams"))
    wait_for(lambda: bob.properties(other) is None)
    relay.stop()
    return math.ceil(least), math.ceil(most)


alice.known = False
alice.loner = alice.app.spawn("sleep", "2001")
alice.gate.event("device 7 3 video0 Test camera")

# ---- before there is a key
least, most = call()
ok(not segments(alice), "without a key of the user's nothing is on the disk")
status, out, err = ctl(alice)
ok(status == 0 and "A key for your call history was made now" in err and "no passphrase" in out,
   "the first look makes a key and says that it has no passphrase", (status, out, err))
key = f"{home(ALICE)}/.local/share/callgate/history.key"
ok(os.stat(key).st_mode & 0o7777 == 0o600 and os.stat(key).st_uid == ALICE, "which is for the user alone")
seen = records(alice)
ok(len(seen["history"]) == 1 and not seen["damaged"] and not seen["problems"], "the call that had waited is there", seen)
one = seen["history"][0]
ok(one["type"] == "session" and one["app"] == SCRIPT and one["kinds"] == "camera" and
   one["authentication"] == "verified" and one["end_reason"] == "ended" and one["level"] == "channel" and
   one["direction"] == "outgoing" and one["contact"] == "bob", "with app, kinds, level, why it ended, and who", one)
ok(least <= one["camera_seconds"] <= most and one["microphone_seconds"] == 0, "and the seconds of its own captures", one)
ok("/sleep" in one["programs"] and "camera" in one["programs"] and "microphone" in one["programs"],
   "and which programs captured while it lasted, also outside of it", one)
ok(one["start"] % 60 == 0 and one["end"] % 60 == 0 and abs(one["start"] - time.time()) < 1200, "times are rounded", one)
text = json.dumps(seen)
ok("Test camera" not in text and str(alice.subject) not in text.replace(str(one["start"]), ""),
   "no device and no process number", text)

# ---- which programs had camera or microphone: told at the end, to both sides
def programs(side, path):
    """The signal to the owner, and the sentence to the agent."""
    signal = side.app.wait_signal("Programs", path=path)
    notice = side.agent.take(lambda e: e["event"] == "Notify" and e["arguments"][0] == "programs" and
                             e["arguments"][2]["Session"] == path)
    return signal and signal["arguments"], notice and notice["arguments"][1]


def telling(a_tells, b_tells):
    """A call in which two programs of Alice's capture, one outside of it; what each side is told at its end."""
    options = {"tell-programs": True}
    path = alice.app.create("bob", 3, alice.subject, **(options if a_tells else {}))
    question = alice.agent.wait("Approve")
    ok(question["arguments"][1]["TellsPrograms"] == a_tells, f"the question says whether the other side is told: {a_tells}")
    alice.agent.reply(question, "bu", True, 3)
    init = alice.app.wait_signal("Blob", path=path)["arguments"][0]
    other = bob.app.accept(init, "alice", 3, bob.subject, **(options if b_tells else {}))
    bob.agent.reply(bob.agent.wait("Approve"), "bu", True, 3)
    relay = Relay(alice.app, path, bob.app, other)
    wait_for(lambda: alice.gate.allowed() == 3)
    session = next(iter(alice.gate.grants))
    alice.gate.event("stream 19 " + alice.gate.capture(alice.subject, 7, 2, session))
    alice.gate.event("stream 20 " + alice.gate.capture(alice.loner, 7, 1))
    wait_for(lambda: (bob.properties(other) or {}).get("PeerCaptured") == 2)
    # One program is one heartbeat. Three of each side: one before the second capture, one that is late, one that has both.
    seen = len(relay.seen)
    wait_for(lambda: len(relay.seen) >= seen + 6)
    alice.app.call(path, SESSION, "End")
    result = programs(alice, path), programs(bob, other)
    alice.gate.event("stop 19 0")
    alice.gate.event("stop 20 0")
    wait_for(lambda: not alice.app.manager("ListStreams"))
    wait_for(lambda: bob.properties(other) is None)
    relay.stop()
    return result


SLEEP = os.path.realpath("/usr/bin/sleep")
(own, sentence), (theirs, their_sentence) = telling(True, False)
ok(own and len(own[0]) == 1 and own[0][0][0] == SLEEP and own[0][0][1] > 0 and own[0][0][2] > 0 and not own[1],
   "at the end the owner is told which programs had them, and for how many seconds", own)
ok(sentence and f'"{SLEEP}": camera' in sentence and "machine says" not in sentence, "and so is the user, in words", sentence)
ok(theirs and theirs[0] == [] and theirs[1] and len(theirs[2]) == 1 and theirs[2][0][0] == "sleep" and
   theirs[2][0][1] > 0 and theirs[2][0][2] > 0, "and the other side, which was told: the names, and no path", theirs)
ok(their_sentence and "there was no gate, which alone sees" in their_sentence and
   'alice\'s machine says of itself: "sleep": camera' in their_sentence and "only its word" in their_sentence,
   "in words, and that it is only the other machine's", their_sentence)
(own, sentence), (theirs, their_sentence) = telling(False, True)
ok(theirs and not theirs[1] and "says of itself" not in their_sentence, "who does not want it does not tell", (theirs, their_sentence))
ok(own and not own[1] and "says of itself" not in sentence, "nor does who has no gate, and does not know", (own, sentence))
ok(len(records(alice)["history"]) == 3 and "says" not in json.dumps(records(alice)),
   "what the other side told is not kept")

# ---- denied attempts
for n in (1, 1, 3):
    alice.gate.event("denied 0 " + alice.gate.capture(alice.loner, 7, 2, count=n))
denied = wait_for(lambda: [r for r in records(alice)["history"] if r["type"] == "denied"])
total = wait_for(lambda: sum(r["count"] for r in records(alice)["history"] if r["type"] == "denied") == 5)
ok(total and denied[0]["start"] % 86400 == 0 and denied[0]["kinds"] == "camera" and "sleep" in denied[0]["app"],
   "denied attempts are counted by program, kind and day", denied)

# ---- forms
status, out, err = ctl(alice)
ok(status == 0 and "call to   bob" in out and "denied" in out and "level channel" in out, "a table for people", out)
status, out, err = ctl(alice, "--csv")
ok(out.splitlines()[0].startswith("type,start,end") and len(out.splitlines()) == 1 + len(records(alice)["history"]),
   "CSV", out)
status, out, err = ctl(alice, "export", f"{home(ALICE)}/export.json")
ok(status == 0, "the export is written", err)
exported = json.load(open(f"{home(ALICE)}/export.json"))
with open(f"{place.path}/public.der", "wb") as file:
    file.write(bytes.fromhex("302a300506032b6570032100" + exported["signed_by"]))
check = ["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", f"{place.path}/public.der", "-rawin",
         "-in", f"{home(ALICE)}/export.json", "-sigfile", f"{home(ALICE)}/export.json.sig"]
ok(subprocess.run(check, capture_output=True, check=False).returncode == 0 and
   len(exported["history"]) == len(records(alice)["history"]), "and OpenSSL finds its signature good")
with open(f"{home(ALICE)}/export.json", "a") as file:
    file.write(" ")
ok(subprocess.run(check, capture_output=True, check=False).returncode != 0, "but not once it was changed")

# ---- other users
seen = records(alice, uid=MALLORY)
ok(seen["history"] == [] and seen.get("damaged") == 0, "another user sees a history of their own, which is empty", seen)
stranger = Actor(alice.bus, MALLORY)
name = os.path.basename(segments(alice)[0])
ok(stranger.refusal(ROOT_PATH, HISTORY, "Open", "s", name) == "NotFound", "and gets no file of hers by its name")
ok(stranger.refusal(ROOT_PATH, HISTORY, "Open", "s", "../../1/journal/" + name) == "NotFound", "nor by a path")
ok(alice.app.refusal(ROOT_PATH, HISTORY, "Open", "s", name) == "allowed", "which she gets herself")
ok(alice.app.refusal(ROOT_PATH, HISTORY, "Open", "s", "../identity") == "NotFound", "but no other file of the daemon's")
stranger.call(ROOT_PATH, HISTORY, "Forget", "u", 0xffffffff)
ok(len(records(alice)["history"]) >= 2, "what another user forgets is not hers")
status, out, err = ctl(alice, uid=MALLORY, *["--json"])
shutil.copy(key, f"{place.path}/stolen")

# ---- the passphrase
status, out, err = ctl(alice, "passphrase", text="correct horse\n")
ok(status == 0, "the key is put under a passphrase", err)
with open(key, "rb") as a, open(f"{place.path}/stolen", "rb") as b:
    ok(b.read()[-64:-32] not in a.read(), "and is not in the file in clear any more")
status, out, err = ctl(alice, text="wrong horse\n")
ok(status == 3 and "not the passphrase" in err and not out, "a wrong passphrase is told", (status, err))
status, out, err = ctl(alice)
ok(status == 1 and "--passphrase-fd" in err, "and none, where there is no terminal", (status, err))
status, out, err = ctl(alice, text="correct horse\n")
ok(status == 0 and "no passphrase" not in out and "bob" in out, "the right one opens", (status, out, err))


def on_terminal(*answers):
    """The same on a terminal of its own: what stood there, and the status."""
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update(DBUS_SYSTEM_BUS_ADDRESS=alice.bus.address, HOME=home(ALICE))
        os.execvp("setpriv", ["setpriv", "--reuid", str(ALICE), "--regid", str(ALICE), "--clear-groups", CTL, "history"])
    shown, answers = b"", list(answers)
    while True:
        try:
            part = os.read(fd, 4096)
        except OSError:
            break
        if not part:
            break
        shown += part
        # Asked for only once the echo is off.
        if answers and b"Passphrase" in shown:
            os.write(fd, answers.pop(0))
    os.close(fd)
    return shown.decode(errors="replace"), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


shown, status = on_terminal(b"correct horse\n")
ok(status == 0 and "bob" in shown and "correct" not in shown, "on a terminal it is asked for and not shown", shown)
shown, status = on_terminal(b"\x03")
ok(status != 0 and "no passphrase was given" in shown, "and an interrupt is a no", (shown, status))
shutil.copy(f"{place.path}/stolen", key)
os.chown(key, ALICE, ALICE)
os.chmod(key, 0o644)
status, out, err = ctl(alice)
ok(status == 1 and "0600" in err, "a key that others may read is refused", err)
os.chmod(key, 0o600)

# ---- the anchor, damage
call()
status, anchor, err = ctl(alice, "anchor")
anchor = anchor.strip()
ok(status == 0 and ":" in anchor, "an anchor is printed", err)
call()
status, out, err = ctl(alice, "--anchor", anchor)
ok(status == 0, "and holds while records are added", (status, err))
saved = f"{place.path}/saved"
alice.daemon.end()
shutil.copytree(journal(alice), saved)
last = segments(alice)[-1]
with open(last, "r+b") as file:
    file.seek(-700, os.SEEK_END)
    byte = file.read(1)
    file.seek(-1, os.SEEK_CUR)
    file.write(bytes([byte[0] ^ 4]))
alice.daemon.start()
status, out, err = ctl(alice)
ok(status == 6 and "damage: a record was changed" in err and os.path.basename(last) in err and "call to   bob" in out,
   "damage is told with its place, and the rest is shown", (status, err))
alice.daemon.end()
shutil.rmtree(journal(alice))
shutil.copytree(saved, journal(alice))
subprocess.run(["chown", "-R", alice.daemon.user, journal(alice)], check=True)
os.chmod(journal(alice), 0o700)
os.truncate(segments(alice)[-1], 256 + 512)
alice.daemon.start()
status, out, err = ctl(alice)
ok(status == 0, "a cut end shows nothing by itself", (status, err))
status, out, err = ctl(alice, "--anchor", anchor)
ok(status == 6 and "anchor does not fit" in err, "but does not fit the anchor", (status, err))
alice.agent = Actor(alice.bus, ALICE, [AGENT_GROUP])
alice.agent.become_agent()
alice.app = Actor(alice.bus, ALICE)
alice.subject = alice.app.spawn()
alice.loner = alice.app.spawn("sleep", "2001")
wait_for(lambda: alice.gate.client)
alice.gate.event("device 7 3 video0 Test camera")

# ---- another key in the place of hers
serial = alice.app.start_call(ROOT_PATH, HISTORY, "SetKey", "ay", {"bytes": "09" + "00" * 31})
question = alice.agent.wait("Confirm")
ok(question and question["arguments"][0] == "history-key", "another journal key is confirmed at the agent", question)
alice.agent.reply(question, "b", False)
try:
    alice.app.answer_to(serial)
    refused = "allowed"
except Failed as error:
    refused = error.name
ok(refused == "Denied", "and refused without it")
ok(question["arguments"][1]["Days"] == 1 and question["arguments"][1]["App"] == SCRIPT and
   not question["arguments"][1]["AppProven"], "the question says who wants it and how much opens with the old key only",
   question["arguments"])


def setup(allow):
    """A new key while the old one is away, as callgatectl makes it; the agent's answer."""
    asking = WORKER.submit(ctl, alice, "setup")
    asked = alice.agent.wait("Confirm")
    if asked:
        alice.agent.reply(asked, "b", allow)
    return asked, asking.result()


os.rename(key, key + ".old")
asked, (status, out, err) = setup(False)
ok(asked and status == 3 and not os.path.exists(key), "callgatectl's new key is asked for, and is gone again after a no", (status, err))
asked, (status, out, err) = setup(True)
ok(asked and status == 0, "after a yes the history has it", (status, err))
call()
status, out, err = ctl(alice)
ok(status == 6 and FOREIGN in err and out.count("call to   bob") == 1,
   "what came before is told as sealed to another key, what came after opens", (status, out, err))
os.rename(key + ".old", key)
asked, (status, out, err) = setup(True)
seen = records(alice)
ok(asked and status == 0 and len(seen["history"]) == 1 and [p["message"] for p in seen["problems"]] == [FOREIGN],
   "with the old key back, the old records open again", (status, err, seen))
status, out, err = ctl(alice, "forget", "--peer", "bob")
ok(status == 1 and "another key than yours" in err, "a peer in it is not forgotten by halves", (status, err))
ctl(alice, "forget", "--all")
ok(alice.app.refusal(ROOT_PATH, HISTORY, "SetKey", "ay", {"bytes": "00" * 32}) == "BadArgument",
   "a key that would seal to nobody is refused")

# ---- forgetting
call()
alice.gate.event("denied 0 " + alice.gate.capture(alice.loner, 7, 1))
wait_for(lambda: [r for r in records(alice)["history"] if r["type"] == "denied"])
before = records(alice)["history"]
sessions = [r for r in before if r["type"] == "session"]
old = f"{place.path}/old"
shutil.copytree(journal(alice), old)
status, out, err = ctl(alice, "forget", "--peer", "nobody-of-that-name")
ok(status == 1 and "nothing was changed" in err, "a peer that is not there is told", err)
status, out, err = ctl(alice, "forget", "--peer", "bob")
after = records(alice)
ok(status == 0 and f"Forgot {len(sessions)} record" in out, "a peer is forgotten", (status, out, err))
ok(not after["damaged"] and not [r for r in after["history"] if r.get("contact") == "bob"] and
   [r for r in after["history"] if r["type"] == "denied"], "what stays is whole", after)
names = {os.path.basename(f) for f in segments(alice)}
ok(not names & set(os.listdir(old)), "in new files")
call()
ok(records(alice)["damaged"] == 0 and [r for r in records(alice)["history"] if r.get("contact") == "bob"],
   "and the history goes on")
alice.daemon.end()
for file in os.listdir(old):
    if file != "keys":
        shutil.copy(f"{old}/{file}", journal(alice))
alice.daemon.start()
ok(not set(os.listdir(old)) - {"keys"} & {os.path.basename(f) for f in segments(alice)} and
   not records(alice)["damaged"], "old files that are put back are dead")
status, out, err = ctl(alice, "forget", "--before", "2026-02-30")
ok(status == 2, "a day that does not exist is refused", err)
status, out, err = ctl(alice, "forget", "--all", text="no key is asked\n")
ok(status == 0 and not segments(alice), "all is forgotten without unlocking", (status, out, err))
status, out, err = ctl(alice)
ok(records(alice)["history"] == [] and "Nothing is recorded" in out and "you forgot everything" in out,
   "nothing is left, and that it was deleted is said", out)

# ---- a machine that keeps none
alice.daemon.end()
with open(alice.daemon.config, "a") as file:
    file.write("[history]\ndays = 0\n")
alice.daemon.start()
status, out, err = ctl(alice)
ok(status == 1 and "keeps no call history" in err, "a machine that keeps none says so", err)
finish()
