#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Administrative changes with the real polkitd, on the test's bus, with rules and actions of its own."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
POLKITD = "/usr/lib/polkit-1/polkitd"
RULES, ACTIONS = "/etc/polkit-1/rules.d", "/usr/share/polkit-1/actions"

if os.geteuid() != 0 or not os.path.exists(POLKITD):
    print("1..0 # SKIP needs root and polkitd")
    sys.exit(0)
if os.environ.get("CALLGATE_OWN_MOUNTS") != "1":
    os.execvpe("unshare", ["unshare", "--mount", "--propagation", "private", "/usr/bin/python3", os.path.realpath(__file__)],
               dict(os.environ, CALLGATE_OWN_MOUNTS="1"))
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
allow("set-mode", "reload-policy", "end-sessions", "read-metrics", result="AUTH_ADMIN")
ok(wait_for(lambda: tries(user) == NO and "pkttyagent" in user.said), "where a password is wanted and nobody can ask for it, that is said", user.said)
os.unlink(RULES + "/50-test.rules")
ok(wait_for(lambda: tries(user) == NO) and tries(root) == YES, "without the rule it is root's again")
ok(daemon.end() == 0, "the daemon ends well")
finish()
