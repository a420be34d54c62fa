#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The terminal agent with --password, against a fake daemon and the real polkitd, with rules and actions of its own: what it takes for a yes.

Nobody types a password here: polkit's rules say what one that is right or wrong would. The real one: tests/desktop/guest/password.py.
"""
import atexit
import os
import subprocess
import sys

POLKITD = "/usr/lib/polkit-1/polkitd"
RULES, ACTIONS = "/etc/polkit-1/rules.d", "/usr/share/polkit-1/actions"
USER = "daemon"

if os.geteuid() != 0 or not os.path.exists(POLKITD):
    print("1..0 # SKIP needs root and polkitd")
    sys.exit(0)
if os.environ.get("CALLGATE_OWN_MOUNTS") != "1":
    os.execvpe("unshare", ["unshare", "--mount", "--propagation", "private", "/usr/bin/python3", os.path.realpath(__file__)],
               dict(os.environ, CALLGATE_OWN_MOUNTS="1"))

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import dbus  # noqa: E402
from fake import AGENT, TOP, Bus, Fake, Program, Tap, Thread, until  # noqa: E402

SESSION = dbus.ObjectPath("/org/callgate1/session/1")
SILENCE = "org.callgate1.Error.Denied"
RULE = "polkit.addRule(function(action, subject) {{ if (action.id == 'org.callgate1.{}' && subject.user == '{}') return polkit.Result.YES; }});\n"

for folder in (RULES, ACTIONS):
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", folder], check=True)
subprocess.run(["cp", f"{TOP}/data/polkit/org.callgate1.policy", ACTIONS], check=True)
tap, bus = Tap(), Bus()
atexit.register(bus.stop)
os.chmod(bus.dir, 0o755)
fake, loop = Fake(bus.address), Thread()
agent = Program("setpriv", "--reuid", USER, "--regid", USER, "--clear-groups", AGENT, "--password", terminal=True)
atexit.register(agent.stop)
if not tap.ok(agent.expect("ready") and until(lambda: fake.agent) and fake.agent[2] == {"terminal": True, "pseudo": True, "password": True},
              "the agent tells the daemon that it wants a password", agent.text):
    sys.exit(tap.done())


def ask(typed, method="Approve", signature="oa{sv}", arguments=(SESSION,), hint="Type "):
    details = dbus.Dictionary({"Contact": "bob", "App": "exe:/usr/bin/x", "Subject": "/usr/bin/x", "Kinds": dbus.UInt32(3),
                               "Timeout": dbus.UInt32(60)}, signature="sv")
    before = len(fake.asked)
    loop.do(lambda: fake.ask(method, *arguments, details, signature=signature))
    if typed:
        agent.expect(hint + "[^\n]*\n> ")
        agent.type(typed + "\n")
    until(lambda: len(fake.asked) > before, 30)
    return fake.asked[before][1] if len(fake.asked) > before else None


def compare(typed):
    return ask(typed, "Compare", "osa{sv}", (SESSION, "123 456 789"))


def rules(*texts):
    with open(RULES + "/50-test.rules", "w", encoding="utf-8") as file:
        file.write("".join(texts))


tap.ok(ask("allow") == SILENCE and "without your password" in agent.text, "without polkit a yes is none", agent.text[-500:])
tap.ok(ask("deny") == (False, 0) and compare("differs") == ("differs",), "a no needs none")
polkit = subprocess.Popen([POLKITD, "--no-debug"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
atexit.register(polkit.wait)
atexit.register(polkit.terminate)
names = dbus.Interface(dbus.bus.BusConnection(bus.address).get_object("org.freedesktop.DBus", "/org/freedesktop/DBus"), "org.freedesktop.DBus")
until(lambda: names.NameHasOwner("org.freedesktop.PolicyKit1"))
tap.ok(ask("allow") == SILENCE, "nor where polkit finds nobody to ask for the password", agent.text[-500:])
rules(RULE.format("approve", "nobody"), RULE.format("set-mode", USER))
tap.ok(ask("allow") == SILENCE, "nor where it authorises another user, or something else", agent.text[-500:])
rules(RULE.format("approve", USER))
tap.ok(until(lambda: ask("allow microphone") == (True, 1), 60), "a yes is one that polkit authorises, as it was typed", agent.text[-500:])
tap.ok(compare("matches") == ("matches",) and compare("unverified") == ("unverified",), "so is a comparison")
tap.ok(ask("allow", "Confirm", "sa{sv}", ("forget",)) == (True,), "so is a change")
tap.ok(ask("deny") == (False, 0), "and a no stays one")
tap.ok(ask(None, "Passphrase", "sa{sv}", ("export",)) == SILENCE, "a passphrase is not asked for where others can read it")
sys.exit(tap.done())
