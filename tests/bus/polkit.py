#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Administrative changes with the real polkitd, on the test's bus, with rules and actions of its own; and with its agent for terminals, which asks
for an administrator's password, one of the test's."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from mounts import own_mounts  # noqa: E402

POLKITD = "/usr/lib/polkit-1/polkitd"
RULES, ACTIONS = "/etc/polkit-1/rules.d", "/usr/share/polkit-1/actions"

if os.geteuid() != 0 or not os.path.exists(POLKITD):
    print("1..0 # SKIP needs root and polkitd")
    sys.exit(0)
own_mounts()
from rig import *  # noqa: E402,F403

place = Place()
for folder in (RULES, ACTIONS):
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", folder], check=True)
with open(f"{ROOT}/data/polkit/org.callgate1.policy", encoding="utf-8") as source, \
        open(f"{ACTIONS}/org.callgate1.policy", "w", encoding="utf-8") as target:
    # The test's daemon is another user.
    target.write(source.read().replace("unix-user:callgate", "unix-user:nobody"))
bus = Bus(place, "bus")
daemon = Daemon(place, bus, "alice", Gate(place, "gate"))
user, other, root = Actor(bus, ALICE), Actor(bus, BOB), Actor(bus, 0)


class Polkit:
    def __init__(self):
        self.process = subprocess.Popen([POLKITD, "--no-debug"], env=dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=bus.address),
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        things.append(self)

    def stop(self):
        self.process.terminate()
        self.process.wait()


def tries(actor):
    return [actor.refusal(ROOT_PATH, MANAGER, *call) for call in (
        ("SetMode", "s", "enforcing"), ("ReloadPolicy",), ("EndSessionsOf", "u", MALLORY),
        ("GetMetrics", "a{sv}", {"options": {}}))]


def allow(*actions, result="YES"):
    with open(RULES + "/50-test.rules", "w", encoding="utf-8") as file:
        file.write("polkit.addRule(function(action, subject) {\n  if (subject.user == 'daemon' && "
                   f"{['org.callgate1.' + action for action in actions]}.indexOf(action.id) >= 0)\n"
                   f"    return polkit.Result.{result};\n}});\n")


NO, YES = ["NotAllowed"] * 4, ["allowed"] * 4
ok(tries(user) == NO and tries(root) == YES, "without polkit only root does any of it")
Polkit()
wait_for(lambda: user.call("/org/freedesktop/DBus", "org.freedesktop.DBus", "NameHasOwner", "s", "org.freedesktop.PolicyKit1",
                           to="org.freedesktop.DBus"))
ok(tries(user) == NO and tries(root) == YES, "polkit authorises nobody by itself")
allow("reload-policy")
ok(wait_for(lambda: tries(user) == ["NotAllowed", "allowed", "NotAllowed", "NotAllowed"]), "a rule of its authorises one action",
   tries(user))
allow("set-mode", "reload-policy", "end-sessions", "read-metrics")
ok(wait_for(lambda: tries(user) == YES), "or all", tries(user))
ok(tries(other) == NO, "and that user only")


# ---- an administrator's password

CTL = os.path.join(ROOT, os.environ.get("BUILD", "build"), "callgatectl")
ADMIN = "an-administrators-word"


def typed(word, *command):
    """The status of a user's command and what stood on the terminal, on which polkit's agent asked for a password."""
    done = subprocess.run(["setpriv", "--reuid", str(ALICE), "--regid", str(ALICE), "--clear-groups", f"{ROOT}/tests/bus/lib/password.py", word, *command],
                          capture_output=True, text=True, check=False, env=dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=bus.address))
    return done.returncode, done.stdout + done.stderr


def administrator():
    """Root's password, for those who are in this test's mounts."""
    made = subprocess.run(["openssl", "passwd", "-6", ADMIN], capture_output=True, text=True, check=True).stdout.strip()
    with open("/etc/shadow", encoding="ascii") as file:
        text = re.sub(r"^root:[^:]*:\d*:", f"root:{made}:20000:", file.read(), flags=re.M)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run"], check=True)
    with open("/run/shadow", "w", encoding="ascii") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(text)
    subprocess.run(["mount", "--bind", "/run/shadow", "/etc/shadow"], check=True)
    # Where the program that checks the password, which is setuid, looks for the bus.
    os.mkdir("/run/dbus")
    os.symlink(bus.address[len("unix:path="):], "/run/dbus/system_bus_socket")
    with open(RULES + "/10-admin.rules", "w", encoding="utf-8") as file:
        file.write('polkit.addAdminRule(function() { return ["unix-user:root"]; });\n')


def mode():
    return user.get(ROOT_PATH, MANAGER, "Gate")


administrator()
allow("set-mode", "reload-policy", "end-sessions", "read-metrics", result="AUTH_ADMIN")
ok(wait_for(lambda: tries(user) == NO and "pkttyagent" in user.said), "where a password is wanted and nobody can ask for it, that is said", user.said)
status, text = typed("a-wrong-word", CTL, "permissive")
ok(status == 1 and "whether capture is denied outside calls" in text and "Only an administrator" in text and mode() == "present",
   "a wrong password is refused, and nothing is changed", (status, text))
status, text = typed(ADMIN, CTL, "permissive")
ok(status == 0 and mode() == "permissive", "an administrator's is accepted", (status, text))
status, text = typed(ADMIN, CTL, "enforce", "--yes")
ok(status == 0 and mode() == "present", "each time anew", (status, text))
os.unlink(RULES + "/50-test.rules")
ok(wait_for(lambda: tries(user) == NO) and tries(root) == YES, "without the rule it is root's again")
ok(daemon.end() == 0, "the daemon ends well")
finish()
