#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""callgate-agent against a fake daemon, on a machine where logind shows no session of ours: everything is a no."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "tools"))
import dbus  # noqa: E402
from fake import AGENT_INTERFACE, BUILD, Bus, Fake, Program, Tap, Thread, until  # noqa: E402

AGENT = os.path.join(BUILD, "callgate-agent")
SESSION = dbus.ObjectPath("/org/callgate1/session/1")

tap = Tap()
for argv, what in ((["--style", "pink"], "an unknown style"), (["--scale", "9"], "a text too small"),
                   (["--scale", "1e9"], "a size that is no number"), (["--language", "../../x"], "a language that is a path"),
                   (["now"], "an argument")):
    done = subprocess.run([AGENT, *argv], capture_output=True, text=True, check=False)
    tap.ok(done.returncode == 2 and "--style" in done.stderr, what + " is refused", done)
done = subprocess.run([AGENT, "--help"], capture_output=True, text=True, check=False)
tap.ok(done.returncode == 0 and "Usage" in done.stdout, "--help helps", done)

bus = Bus()
fake = Fake(bus.address)
loop = Thread()
agent = Program(AGENT)
tap.ok(agent.expect("ready") and until(lambda: fake.agent) and fake.agent[2] == {},
       "it registers, and does not say that it is a terminal", fake.agent)


def ask(method, signature, *arguments):
    before = len(fake.asked)
    loop.do(lambda: fake.ask(method, *arguments, signature=signature))
    until(lambda: len(fake.asked) > before)
    return fake.asked[-1][1] if len(fake.asked) > before else None


details = dbus.Dictionary({"Contact": "bob", "Kinds": dbus.UInt32(3), "Timeout": dbus.UInt32(30)}, signature="sv")
tap.ok(ask("Approve", "oa{sv}", SESSION, details) == "org.callgate1.Error.Denied", "without a session in front nobody answers", fake.asked)
tap.ok(agent.expect("cannot be asked: no session"), "and it says why", agent.text)
tap.ok(ask("Compare", "osa{sv}", SESSION, "123 456 789", details) == "org.callgate1.Error.Denied", "nor confirmed", fake.asked)
tap.ok(ask("Confirm", "sa{sv}", "forget", details) == (False,), "nor changed", fake.asked)
loop.do(lambda: fake.ask("Notify", "ended", "the call\u001b[2J ended", details, signature="ssa{sv}"))
tap.ok(agent.expect(r"the call\\x1b\[2J ended"), "what the daemon tells is written down, cleaned", agent.text)
stranger = dbus.bus.BusConnection(bus.address)
try:
    stranger.call_blocking(fake.agent[0], fake.agent[1], AGENT_INTERFACE, "Approve", "oa{sv}", (SESSION, details), timeout=10)
    refused = "answered"
except dbus.DBusException as error:
    refused = error.get_dbus_name()
tap.ok(refused == "org.freedesktop.DBus.Error.AccessDenied", "another connection's question is refused", refused)
agent.stop()
bus.stop()
sys.exit(tap.done())
