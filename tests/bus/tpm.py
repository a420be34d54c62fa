#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The sealing key as a systemd credential that a TPM holds: systemd's own program seals and opens it, with a software TPM in the
chip's place, as the service manager does for LoadCredentialEncrypted=. The disk alone, or in another machine, gives nothing."""
import os
import shutil
import socket
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from rig import *  # noqa: E402,F403
import sodium  # noqa: E402

if os.geteuid() != 0:
    plan_skip("needs root, to act as several users")
for program in ("swtpm", "systemd-creds"):
    if not shutil.which(program):
        plan_skip(f"{program} is not installed; make setup installs it")

NAME = "callgate.key"
place = Place()


class Tpm:
    """A chip: what it keeps is its own, and survives that the machine is off."""

    def __init__(self, name):
        self.path = f"{place.path}/{name}"
        self.socket = self.path + ".sock"
        os.mkdir(self.path)
        self.process = None
        things.append(self)
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            ["swtpm", "socket", "--tpm2", "--tpmstate", "dir=" + self.path, "--server", "type=unixio,path=" + self.socket,
             "--ctrl", f"type=unixio,path={self.socket}.ctrl", "--flags", "not-need-init,startup-clear"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(lambda: os.path.exists(self.socket))

    def stop(self):
        """TPM2_Shutdown first: a chip that loses its power unsaid counts that as an attempt to guess."""
        if self.process.poll() is None:
            with socket.socket(socket.AF_UNIX) as link:
                link.connect(self.socket)
                link.sendall(bytes.fromhex("80010000000c000001450000"))
                link.recv(64)
        self.process.kill()
        self.process.wait()
        for path in (self.socket, self.socket + ".ctrl"):
            if os.path.exists(path):
                os.unlink(path)

    def creds(self, what, source, target, name=NAME):
        more = ["--with-key=tpm2"] if what == "encrypt" else []
        done = subprocess.run(["systemd-creds", what, f"--tpm2-device=swtpm:path={self.socket}", "--name=" + name, *more, source,
                               target], capture_output=True, text=True, check=False)
        return done.returncode, done.stderr


def boot(tpm, credential, name=NAME):
    """What the service manager does: opens the credential for the service, which then starts. What went wrong, or "". The chip is
    new to it each time, as after power on: without a resource manager, attempts that failed would fill it up."""
    tpm.stop()
    tpm.start()
    shutil.rmtree(f"{place.path}/run", ignore_errors=True)
    os.mkdir(f"{place.path}/run", 0o700)
    os.umask(0o377)
    code, said = tpm.creds("decrypt", credential, f"{place.path}/run/{name}", name)
    os.umask(0o022)
    return said if code else ""


def starts(side):
    """The daemon anew; whether it runs."""
    if side.daemon.process.poll() is None:
        side.daemon.end()
    side.before = len(side.daemon.log())
    side.daemon.start(CREDENTIALS_DIRECTORY=f"{place.path}/run")
    return side.daemon.process.poll() is None


def calls(side):
    side.agent.become_agent()
    said = side.app.refusal(ROOT_PATH, MANAGER, "CreateSession", "suha{sv}", "bob", 1, {"pidfd": side.subject}, {"options": {}})
    for path, _ in side.app.manager("ListSessions"):
        side.app.call(path, SESSION, "End")
    return said


def disk(*paths):
    """All bytes below these paths."""
    data = b""
    for path in paths:
        for folder, _, files in os.walk(path):
            for file in files:
                with open(os.path.join(folder, file), "rb") as one:
                    data += one.read()
    return data


chip, other = Tpm("chip"), Tpm("other")
os.mkdir(f"{place.path}/credstore")
secret = os.urandom(32)
with open(f"{place.path}/secret", "wb") as file:
    file.write(secret)
stored = f"{place.path}/credstore/{NAME}"
code, said = chip.creds("encrypt", f"{place.path}/secret", stored)
os.unlink(f"{place.path}/secret")
ok(code == 0, "the TPM seals a credential", said)

alice = Side(place, "alice", ALICE, gate=False)
alice.daemon.end()
shutil.rmtree(alice.daemon.state)
ok(boot(chip, stored) == "" and starts(alice) and calls(alice) == "allowed", "with it, the service starts and calls", alice.daemon.log())
ok(alice.app.get(ROOT_PATH, MANAGER, "SealedBy") == "credential" and not os.path.exists(f"{alice.daemon.state}/key"),
   "its identities are sealed by the credential, and there is no key file")
with open(f"{alice.daemon.state}/{ALICE}/identity", "rb") as file:
    identity = file.read()
root = sodium.root_of(sodium.opened(identity, secret))
thief = disk(alice.daemon.state, f"{place.path}/credstore")
ok(identity in thief and not any(s in thief for s in (root, secret, sodium.key_of(secret)[0])),
   f"on the disk are {len(thief)} bytes, the sealed identity, and no key")
ok(boot(chip, stored) == "" and starts(alice) and calls(alice) == "allowed", "after the machine was off it goes on")

ok(boot(other, stored) != "", "in another machine the TPM does not open the credential")
ok(not starts(alice) and "key is missing" in alice.daemon.log()[alice.before:] and
   not os.path.exists(f"{alice.daemon.state}/key"), "and without it the service does not start, nor make a key")
ok("name" in boot(chip, stored, "other.key"), "a credential that was renamed is not opened")
with open(stored, "r+b") as file:
    middle = os.path.getsize(stored) // 2
    file.seek(middle)
    byte = file.read(1)
    file.seek(middle)
    file.write(b"A" if byte != b"A" else b"B")
ok(boot(chip, stored) != "", "nor one that was changed")
with open(stored, "r+b") as file:
    file.seek(middle)
    file.write(byte)
said = boot(chip, stored)
ok(said == "" and starts(alice) and calls(alice) == "allowed", "the right one is",
   said + alice.app.said + alice.daemon.log()[alice.before:])
with open(f"{alice.daemon.state}/{ALICE}/identity", "rb") as file:
    ok(sodium.root_of(sodium.opened(file.read(), secret)) == root, "and the identity is still the same")
finish()
