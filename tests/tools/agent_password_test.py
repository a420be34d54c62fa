#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The terminal agent with --password, against a fake daemon: what it takes for a yes. polkitd, pkttyagent and PAM are real, and see
rules, actions and a password of the test's, in folders that only it sees.
"""
import atexit
import os
import subprocess
import sys
import termios

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "bus", "lib"))
from mounts import own_mounts  # noqa: E402

POLKITD = "/usr/lib/polkit-1/polkitd"
RULES, ACTIONS = "/etc/polkit-1/rules.d", "/usr/share/polkit-1/actions"
USER, PASSWORD = "daemon", "correct horse"

if os.geteuid() != 0 or not os.path.exists(POLKITD):
    print("1..0 # SKIP needs root and polkitd")
    sys.exit(0)
own_mounts()

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


def give_password():
    """To the user, and the test's bus to programs that know the system's only."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run/dbus"], check=True)
    os.symlink(bus.dir + "/bus", "/run/dbus/system_bus_socket")
    made = subprocess.run(["openssl", "passwd", "-6", PASSWORD], capture_output=True, text=True, check=True).stdout.strip()
    with open("/etc/shadow", encoding="utf-8") as file:
        others = [line for line in file if not line.startswith(USER + ":")]
    with open(bus.dir + "/shadow", "w", encoding="utf-8") as file:
        file.write("".join([*others, f"{USER}:{made}:20000:0:99999:7:::\n"]))
    os.chmod(bus.dir + "/shadow", 0o600)
    subprocess.run(["mount", "--bind", bus.dir + "/shadow", "/etc/shadow"], check=True)


os.makedirs("/run/dbus", exist_ok=True)
give_password()
atexit.register(bus.stop)
os.chmod(bus.dir, 0o755)
fake, loop = Fake(bus.address), Thread()
agent = Program("setpriv", "--reuid", USER, "--regid", USER, "--clear-groups", AGENT, "--password", terminal=True)
atexit.register(agent.stop)
if not tap.ok(agent.expect("ready") and until(lambda: fake.agent) and fake.agent[2] == {"terminal": True, "pseudo": True, "password": True},
              "the agent tells the daemon that it wants a password", agent.text):
    sys.exit(tap.done())


def ask(typed, method="Approve", signature="oa{sv}", arguments=(SESSION,), password=None):
    details = dbus.Dictionary({"Contact": "bob", "App": "exe:/usr/bin/x", "Subject": "/usr/bin/x", "Kinds": dbus.UInt32(3),
                               "Timeout": dbus.UInt32(60)}, signature="sv")
    before = len(fake.asked)
    loop.do(lambda: fake.ask(method, *arguments, details, signature=signature))
    if typed:
        agent.expect("Type [^\n]*\n> ")
        agent.type(typed + "\n")
    # What was typed before the terminal is silent is thrown away.
    if password is not None and agent.expect("Password: ", 20) and until(lambda: not termios.tcgetattr(agent.tty)[3] & termios.ECHO):
        agent.type(password + "\n")
    until(lambda: len(fake.asked) > before, 30)
    return fake.asked[before][1] if len(fake.asked) > before else None


def compare(typed, password=None):
    return ask(typed, "Compare", "osa{sv}", (SESSION, "123 456 789"), password)


def rules(*texts):
    with open(RULES + "/50-test.rules", "w", encoding="utf-8") as file:
        file.write("".join(texts))


tap.ok(ask("allow") == SILENCE and agent.expect("without your password"), "without polkit a yes is none", agent.text[-500:])
tap.ok(ask("deny") == (False, 0) and compare("differs") == ("differs",), "a no needs none")
polkit = subprocess.Popen([POLKITD, "--no-debug"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
atexit.register(polkit.wait)
atexit.register(polkit.terminate)
names = dbus.Interface(dbus.bus.BusConnection(bus.address).get_object("org.freedesktop.DBus", "/org/freedesktop/DBus"), "org.freedesktop.DBus")
until(lambda: names.NameHasOwner("org.freedesktop.PolicyKit1"))
tap.ok(ask("allow", password="wrong") == SILENCE, "nor is it with a wrong password", agent.text[-500:])
tap.ok(ask("allow microphone", password=PASSWORD) == (True, 1), "with the user's own it is one", agent.text[-500:])
tap.ok(PASSWORD not in agent.text, "which is not shown", agent.text)
tap.ok(compare("matches", PASSWORD) == ("matches",), "a comparison is one, too", agent.text[-500:])
rules(RULE.format("approve", USER).replace("YES", "NO"))
tap.ok(until(lambda: ask("allow") == SILENCE and agent.text.count("Password:") == 3, 60), "where a rule of the administrator's says no, nobody is asked for it",
       agent.text[-500:])
rules(RULE.format("approve", "nobody"), RULE.format("set-mode", USER))
tap.ok(until(lambda: ask("allow", password="wrong") == SILENCE), "a rule that authorises another user, or something else, changes nothing", agent.text[-500:])
rules(RULE.format("approve", USER))
tap.ok(until(lambda: ask("allow microphone") == (True, 1), 60), "a yes is one that polkit authorises, as it was typed", agent.text[-500:])
tap.ok(compare("unverified") == ("unverified",), "so is a comparison")
tap.ok(ask("allow", "Confirm", "sa{sv}", ("forget",)) == (True,), "so is a change")
tap.ok(ask("deny") == (False, 0), "and a no stays one")
tap.ok(ask(None, "Passphrase", "sa{sv}", ("export",)) == SILENCE, "a passphrase is not asked for where others can read it")
sys.exit(tap.done())
