#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The history key under a passphrase that a real Secret Service keeps: GNOME Keyring, on a session bus of the user's own."""
import glob
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from rig import *  # noqa: E402,F403

if os.geteuid() != 0:
    plan_skip("needs root, to act as several users")
if not shutil.which("gnome-keyring-daemon"):
    plan_skip("gnome-keyring is not installed; run 'make setup'")

CTL = os.path.join(ROOT, "build", "callgatectl")
LIBRARY = next(iter(glob.glob("/usr/lib/*/libsecret-1.so.0")), None)
AS_ALICE = ["setpriv", "--reuid", str(ALICE), "--regid", str(ALICE), "--clear-groups"]

place = Place()
bus = Bus(place, "alice")
daemon = Daemon(place, bus, "alice")
session = Bus(place, "session")
home = f"{place.path}/home"
for path in (home, f"{home}/run"):
    os.mkdir(path, 0o700)
    os.chown(path, ALICE, ALICE)
KEY = f"{home}/.local/share/callgate/history.key"
ENVIRONMENT = {"DBUS_SYSTEM_BUS_ADDRESS": bus.address, "DBUS_SESSION_BUS_ADDRESS": session.address, "HOME": home,
               "XDG_RUNTIME_DIR": f"{home}/run", "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}


class Keyring:
    """Unlocked with the password of Alice's login, as a desktop does it, or left locked."""

    def __init__(self, password=None):
        self.process = subprocess.Popen([*AS_ALICE, "gnome-keyring-daemon", "--foreground", "--components=secrets",
                                         *(["--unlock"] if password else [])], env=ENVIRONMENT, stdin=subprocess.PIPE,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=home)
        self.process.stdin.write(password or b"")
        self.process.stdin.close()
        things.append(self)
        wait_for(lambda: self.locked() == (password is None))

    def locked(self):
        """Its collection's word; None while there is none."""
        done = subprocess.run([*AS_ALICE, "dbus-send", "--bus=" + session.address, "--print-reply",
                               "--dest=org.freedesktop.secrets", "/org/freedesktop/secrets/aliases/default",
                               "org.freedesktop.DBus.Properties.Get", "string:org.freedesktop.Secret.Collection",
                               "string:Locked"], capture_output=True, text=True, check=False)
        return {"boolean true": True, "boolean false": False}.get(done.stdout.strip().rsplit("   ", 1)[-1])

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait()


def history(*arguments, text="", before=(), **environment):
    done = subprocess.run([*before, *AS_ALICE, CTL, "history", *arguments], input=text, capture_output=True, text=True, timeout=60,
                          check=False, env={**ENVIRONMENT, **environment}, cwd=home)
    return done.returncode, done.stdout, done.stderr


ok(history()[0] == 0, "a key is made, without a passphrase")
with open(KEY, "rb") as file:
    clear = file.read()[-64:]

# ---- none is there
status, out, err = history("passphrase", "--secret-service")
with open(KEY, "rb") as file:
    ok(status == 4 and "nothing was changed" in err and file.read()[-64:] == clear,
       "without a Secret Service nothing is changed, and it is said why", (status, err))
hidden = ("unshare", "--mount", "sh", "-c", f'mount --bind /dev/null {LIBRARY} && exec "$@"', "sh")
status, out, err = history("passphrase", "--secret-service", before=hidden)
ok(status == 4 and "install libsecret-1-0" in err, "nor without the library, which everything else works without", (status, err))
status, out, err = history(before=hidden)
ok(status == 0, "as this does", (status, err))

# ---- it keeps the passphrase
keyring = Keyring(b"login")
ok(keyring.locked() is False, "GNOME Keyring runs and is open")
status, out, err = history("passphrase", "--secret-service")
ok(status == 0 and "Secret Service keeps" in out, "a passphrase is made and given to it", (status, out, err))
with open(KEY, "rb") as file:
    data = file.read()
ok(data[4] == 2 and clear[:32] not in data and clear[32:] not in data, "and the key is not in the file in clear any more")
status, out, err = history()
ok(status == 0 and "has no passphrase" not in out, "the history opens with it, and nothing is asked", (status, out, err))

# ---- it is locked, gone, or another one
keyring.stop()
status, out, err = history()
ok(status == 4 and "did not give the passphrase" in err and not out, "with the keyring gone it does not open, and says why", (status, err))
keyring = Keyring(b"login")
ok(history()[0] == 0, "and opens again when it is back")
keyring.stop()
keyring = Keyring()
status, out, err = history()
ok(keyring.locked() and status == 4 and not out, "a keyring that is locked, with nobody there to ask, gives nothing", (status, err))
keyring.stop()
os.rename(f"{home}/.local/share/keyrings", f"{home}/.local/share/keyrings.away")
keyring = Keyring(b"login")
status, out, err = history()
ok(status == 4 and "it has none" in err, "a keyring without it is told", (status, err))
keyring.stop()
shutil.rmtree(f"{home}/.local/share/keyrings")
os.rename(f"{home}/.local/share/keyrings.away", f"{home}/.local/share/keyrings")
keyring = Keyring(b"login")
status, out, err = history("--passphrase-fd", "0", text="a guess\n")
ok(status == 3 and "not the passphrase" in err, "a guess opens nothing", (status, err))

# ---- back to a passphrase of one's own
status, out, err = history("passphrase", "--passphrase-fd", "0", text="a guess\ncorrect horse\n")
ok(status == 3, "who does not have the old one sets none", (status, err))
status, out, err = history("passphrase", "--secret-service")
ok(status == 0 and history()[0] == 0, "a new random one takes the place of the old", (status, err))
shutil.copy(KEY, KEY + ".new")
with open(KEY, "wb") as file:
    file.write(data)
status, out, err = history()
ok(status == 4 and "it has none" in err, "which nobody keeps any more", (status, err))
shutil.copy(KEY + ".new", KEY)
os.chmod(os.path.dirname(KEY), 0o500)
status, out, err = history("passphrase", "--secret-service")
os.chmod(os.path.dirname(KEY), 0o700)
ok(status == 1 and "cannot be written" in err and history()[0] == 0, "where the file cannot be written the old one still opens", (status, err))
finish()
