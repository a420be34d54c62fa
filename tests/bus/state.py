#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Identities at rest: sealed under the machine's key, refused when they are another's, changed or not sealed, never made anew
in the place of one that is there; what a crash, a full disk or a lost key leave behind."""
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from rig import *  # noqa: E402,F403
import sodium  # noqa: E402

if os.geteuid() != 0:
    plan_skip("needs root, to act as several users")

NOBODY = 65534
place = Place()
alice = Side(place, "alice", ALICE)
other = Side(place, "other", BOB, gate=False)
mallory = Actor(alice.bus, MALLORY)
mallory_agent = Actor(alice.bus, MALLORY, [AGENT_GROUP])
state = alice.daemon.state
file_of = {uid: f"{state}/{uid}/identity" for uid in (ALICE, MALLORY)}


def read(path):
    with open(path, "rb") as file:
        return file.read()


def write(path, data, uid=NOBODY, mode=0o600):
    if os.path.lexists(path):
        os.unlink(path)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    os.write(fd, data)
    os.fchown(fd, uid, 65534)
    os.close(fd)


def asks(side, app=None):
    """The refusal of a call, "allowed" when it is made; what was said is in app.said."""
    app = app or side.app
    said = app.refusal(ROOT_PATH, MANAGER, "CreateSession", "suha{sv}", "bob", MICROPHONE,
                       {"pidfd": side.subject if app is side.app else app.spawn()}, {"options": {}})
    for path, _ in app.manager("ListSessions"):
        app.call(path, SESSION, "End")
    return said


def again(side, agent=True, **environment):
    """The daemon once more; what it said since."""
    side.daemon.end()
    before = len(side.daemon.log())
    side.daemon.start(**environment)
    if agent and side.daemon.process.poll() is None:
        side.agent.become_agent()
    return side.daemon.log()[before:]


def reseal(side, **environment):
    done = subprocess.run([DAEMON, "--reseal", "--state-dir", side.daemon.state, "--user", "nobody"], text=True,
                          env=dict(os.environ, ASAN_OPTIONS="detect_leaks=0", **environment), capture_output=True, check=False)
    return done.returncode, done.stdout + done.stderr


# ---- what is written
ok(asks(alice) == "allowed", "the first call makes an identity")
ok(not mallory_agent.become_agent() and asks(alice, mallory) == "allowed", "one for each user")
asks(other)
secret = sodium.secret_of(state)
good = read(file_of[ALICE])
plain = sodium.opened(good, secret)
ok(plain[:4] == b"CGID" and len(sodium.root_of(plain)) == 32 and plain[:37] not in good and sodium.root_of(plain) not in good,
   "the root is sealed as the manual says: another program opens it with the key file")
st = os.stat(f"{state}/key")
ok(st.st_mode & 0o7777 == 0o600 and st.st_uid == NOBODY, "the key file is the daemon's alone", st)
ok(sodium.secret_of(other.daemon.state) != secret, "another machine has another key")
again(alice)
ok(asks(alice) == "allowed" and sodium.opened(read(file_of[ALICE]), secret) == plain, "a restart opens it again")

# ---- what is refused, each time with the right one as its twin
renamed = sodium.sealed(plain, secret, MALLORY)
for data, says, what in (
        (read(file_of[MALLORY]), "another user", "another user's file"),
        (renamed, "another user", "one's own file, sealed for another"),
        (good[:6] + MALLORY.to_bytes(4, "big") + good[10:], "another user", "a file with another user's number"),
        (read(f"{other.daemon.state}/{BOB}/identity"), "another user", "another machine's and user's file"),
        (sodium.sealed(plain, sodium.secret_of(other.daemon.state), ALICE), "another key", "another machine's file"),
        (good[:-1] + bytes([good[-1] ^ 1]), "damaged", "a file with a changed bit"),
        (good[:90], "damaged", "a file that was cut off"),
        (b"", "damaged", "an empty file"),
        (plain, "not sealed", "a file that is not sealed"),
        (good[:4] + b"\x02" + good[5:], "newer version", "a file of a later version")):
    again(alice, agent=False)
    write(file_of[ALICE], data)
    alice.agent.become_agent()
    ok(asks(alice) == "Failed" and says in alice.app.said and says in alice.daemon.log() and read(file_of[ALICE]) == data,
       f"{what} is refused, told and left alone", alice.app.said)
write(file_of[ALICE], good, mode=0o640)
ok(asks(alice) == "Failed" and "private" in alice.app.said, "a file that others can read is refused", alice.app.said)
os.unlink(file_of[ALICE])
write(f"{state}/elsewhere", good)
os.symlink("../elsewhere", file_of[ALICE])
ok(asks(alice) == "Failed" and "link" in alice.app.said, "a link is not followed", alice.app.said)
os.unlink(f"{state}/elsewhere")
os.rename(f"{state}/{ALICE}", f"{state}/aside")
os.symlink("aside", f"{state}/{ALICE}")
ok(asks(alice) in ("Failed", "NotAllowed") and sorted(os.listdir(f"{state}/aside")) == ["identity", "journal"], "nor a link to a folder")
os.unlink(f"{state}/{ALICE}")
os.rename(f"{state}/aside", f"{state}/{ALICE}")
mallory_agent.become_agent()
ok(asks(alice, mallory) == "allowed", "meanwhile other users call")
write(file_of[ALICE], good)
ok(asks(alice) == "allowed", "and with the right file back, so does this one")

# ---- the key
key = read(f"{state}/key")
alice.daemon.end()
for data, mode, says, what in ((None, 0, "key is missing", "without its key"),
                               (key[:-1], 0o600, "cannot be used", "with half a key"),
                               (key, 0o644, "cannot be used", "with a key that others can read")):
    os.unlink(f"{state}/key")
    if data:
        write(f"{state}/key", data, mode=mode)
    before = len(alice.daemon.log())
    alice.daemon.start()
    ok(alice.daemon.process.poll() == 1 and says in alice.daemon.log()[before:] and
       (data is None) == (not os.path.exists(f"{state}/key")) and read(file_of[ALICE]) == good,
       f"{what} the daemon does not start, and makes none", alice.daemon.log()[before:])
    write(f"{state}/key", key)
write(f"{state}/key", read(f"{other.daemon.state}/key"))
again(alice)
ok(asks(alice) == "Failed" and "another key" in alice.app.said, "another machine's key opens nothing", alice.app.said)
write(f"{state}/key", key)
again(alice)
ok(asks(alice) == "allowed", "the right one does")

# ---- a credential takes its place
credentials = f"{place.path}/credentials"
os.mkdir(credentials)
os.chmod(credentials, 0o700)
new_secret = os.urandom(32)
for data, mode, says, what in ((new_secret[:31], 0o400, "32 random bytes", "a short credential"),
                               (new_secret + b"\n", 0o400, "32 random bytes", "a long one"),
                               (new_secret, 0o444, "cannot be used", "one that everybody can read")):
    write(f"{credentials}/callgate.key", data, uid=0, mode=mode)
    said = again(alice, CREDENTIALS_DIRECTORY=credentials)
    ok(alice.daemon.process.poll() == 1 and says in said, f"{what} stops the start", said)
write(f"{credentials}/callgate.key", new_secret, uid=0, mode=0o400)
again(alice, CREDENTIALS_DIRECTORY=credentials)
ok(asks(alice) == "Failed" and "another key" in alice.app.said, "with a credential the key file's seals count no more",
   alice.app.said)
code, said = reseal(alice, CREDENTIALS_DIRECTORY=credentials)
ok(code == 1 and "another callgated" in said, "sealing anew waits for the daemon to end", said)
alice.daemon.end()
write(file_of[MALLORY], good)
code, said = reseal(alice, CREDENTIALS_DIRECTORY=credentials)
ok(code == 1 and f"{ALICE}: sealed now" in said and f"{MALLORY}: left as it is" in said and "not needed" not in said,
   "sealing anew leaves what it cannot open, says so and fails", said)
os.unlink(file_of[MALLORY])
code, said = reseal(alice, CREDENTIALS_DIRECTORY=credentials)
ok(code == 0 and f"{ALICE}: sealed already" in said and "not needed any more" in said,
   "run again it goes on where it was", said)
ok(sodium.opened(read(file_of[ALICE]), new_secret) == plain, "and the identity is the same, under the credential")
os.unlink(f"{state}/key")
again(alice, CREDENTIALS_DIRECTORY=credentials)
ok(asks(alice) == "allowed" and not os.path.exists(f"{state}/key"), "with the credential alone calls work")
os.rename(f"{credentials}/callgate.key", f"{credentials}/callgate.old")
said = again(alice, CREDENTIALS_DIRECTORY=credentials)
ok(alice.daemon.process.poll() == 1 and "callgate.key" in said and not os.path.exists(f"{state}/key"),
   "a renamed credential is missed by its name, and no key is made instead", said)
os.rename(f"{credentials}/callgate.old", f"{credentials}/callgate.key")
again(alice, CREDENTIALS_DIRECTORY=credentials)
ok(asks(alice) == "allowed", "with its name back, calls work")

# ---- from before there were seals
alice.daemon.end()
shutil.rmtree(f"{state}/{ALICE}")
os.mkdir(f"{state}/{ALICE}", 0o700)
os.chown(f"{state}/{ALICE}", NOBODY, NOBODY)
write(file_of[ALICE], plain)
write(f"{state}/{ALICE}/.identity.0123456789abcdef", plain[:30])
write(f"{state}/{ALICE}/.note", b"mine")
code, said = reseal(alice)
ok(code == 0 and "sealed now" in said and sodium.opened(read(file_of[ALICE]), sodium.secret_of(state)) == plain,
   "an identity of before is sealed by hand, as it is", said)
ok(sorted(os.listdir(f"{state}/{ALICE}")) == [".note", "identity"], "what a crash left half written is swept away, and nothing else",
   os.listdir(f"{state}/{ALICE}"))
again(alice)
ok(asks(alice) == "allowed", "then calls work")

# ---- a full disk
alice.daemon.end()
full = f"{place.path}/full"
os.mkdir(full)
if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=700,uid=65534", "none", full], stderr=subprocess.DEVNULL,
                  check=False).returncode == 0:
    shutil.copytree(state, f"{full}/state", copy_function=shutil.copy2)
    subprocess.run(["chown", "-R", "nobody:nogroup", f"{full}/state"], check=True)
    before = read(f"{full}/state/{ALICE}/identity")
    with open(f"{full}/rest", "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1024))
        except OSError:
            pass
    alice.daemon.state = f"{full}/state"
    alice.daemon.start()
    alice.agent.become_agent()
    mallory_agent.become_agent()
    said = asks(alice, mallory)
    ok(said == "Failed" and not os.path.exists(f"{full}/state/{MALLORY}/identity"),
       "on a full disk no identity is made, and the call is refused", said)
    ok(asks(alice) == "allowed" and read(f"{full}/state/{ALICE}/identity") == before, "those that are there work on")
    alice.daemon.end()
    subprocess.run(["umount", full], check=True)
else:
    for _ in range(2):
        ok(True, "a full disk # SKIP no tmpfs can be mounted here")
ok("Sanitizer" not in alice.daemon.log() + other.daemon.log(), "without a word from the sanitizers")
finish()
