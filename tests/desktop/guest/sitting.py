# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who sits at the machine: another user in front, a locked screen, a session that came over the network. A part of desktop.py.

But for the first, what captures is a recorder of alice's, outside a call: allowed by a window, for a while, in the history.
"""
import json
import os
import subprocess
import time

import demo
from demo import Program, run
from desk import LIMIT_S, until
from unit import ok, systemctl

HERE = os.path.dirname(os.path.realpath(__file__))
WINDOW_AGENT = "/usr/libexec/callgate-agent"
CONF = "/etc/callgate/callgate.conf"
QUIET_S = 3
# Long enough for a loaded machine to read a picture in it.
SHORT_S = 15


class Recorder:
    def __init__(self, person, *start):
        self.process = subprocess.Popen(person.argv(*start, HERE + "/recorder.py"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.process.stdout.readline()

    def do(self, word):
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def becomes(self, state, limit=LIMIT_S):
        return until(lambda: self.do("state") == state, limit)


def configure(text):
    os.makedirs("/etc/callgate", exist_ok=True)
    with open(CONF, "w", encoding="utf-8") as file:
        file.write(text)
    return run([demo.CTL, "policy", "reload"])


def as_delivered():
    os.unlink(CONF)
    run([demo.CTL, "policy", "reload"])


def lock(desk, locked):
    """As her screen locker tells logind."""
    session = run(["loginctl", "show-seat", "-p", "ActiveSession", "--value", "seat0"])[1].strip()
    path = run(["busctl", "--json=short", "call", "org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager",
                "GetSession", "s", session])[1].split('"')[-2]
    return desk.as_alice("busctl", "call", "org.freedesktop.login1", path, "org.freedesktop.login1.Session", "SetLockedHint", "b",
                         "true" if locked else "false")


def allow(desk, hand, button, seen_s):
    place = desk.window()
    if not place:
        return False
    time.sleep(seen_s)
    hand.move(*button(place))
    hand.click()
    return desk.gone()


def asking():
    """Long before its window is on the screen."""
    return run(["pgrep", "-x", "callgate-prompt"])[0] == 0


def run_all(desk, hand, alice, bob, button, seen_s, alone):
    """@alone: the two have not called each other yet, and there is time for what takes long."""
    def allowed():
        return allow(desk, hand, button, seen_s)

    begun = time.monotonic()
    another_user(desk, alice, bob, allowed, first=alone)
    recorder = outside_a_call(desk, alice, allowed)
    locked_screen(desk, alice, recorder, allowed)
    recorder = for_a_while(alice, allowed) if alone else None
    from_elsewhere(alice)
    if alone:
        time_is_over(alice, recorder)
    as_delivered()
    print(f"# {time.monotonic() - begun:.0f} s", flush=True)


def another_user(desk, alice, bob, allowed, first):
    """A call whose command records again and again, as an app would that is told that it may not."""
    relay = demo.Relay(demo.PLACE, 7)
    record = f"while :; do arecord -q -D {demo.MICROPHONE} -f S16_LE -r 48000 -c 2 -t raw /dev/null 2>/dev/null; sleep 0.2; done"
    call = demo.Call(alice, bob, relay, ["sh", "-c", record], ["sh", "-c", "cat >/dev/null"])
    answered = [allowed(), bob.answer("allow")]
    if first:
        answered += [bob.question(), allowed()]
        bob.agent.type("matches\n")
    ok(all(answered) and until(demo.capturing_by_kernel), "a call of alice's captures", (answered, call.caller.text, call.callee.text))
    desk.other_session("mallory", 8)
    ok(until(lambda: desk.who_is_in_front() == "mallory") and until(lambda: not demo.capturing_by_kernel()),
       "when mallory's session is in front it captures no more", desk.who_is_in_front())
    ok(not until(demo.capturing_by_kernel, QUIET_S) and facts(alice) == [("live", [])] and call.caller.process.poll() is None,
       "it stays connected, and its command is still denied", (facts(alice), call.caller.text))
    desk.front(7)
    ok(until(demo.capturing_by_kernel) and desk.who_is_in_front() == "alice", "when alice's is again it goes on, unasked", call.caller.text)
    call.stop()
    relay.tell("quit")
    until(lambda: not facts(alice))
    systemctl("stop", "mallory-console")


def facts(alice):
    """State and what may be captured, of each of her sessions."""
    return [(one["state"], one["granted"]) for one in json.loads(run(alice.argv(demo.CTL, "sessions", "--json"))[1] or "[]")]


def outside_a_call(desk, alice, allowed):
    recorder = Recorder(alice)
    ok(recorder.do("local") == "NotAllowed" and recorder.do("read") == "EACCES", "as delivered a recorder may not even ask")
    said = configure("[local]\naction = ask\nseconds = 3600\n")
    recorder.do("local")
    ok(allowed() and recorder.becomes("live 2") and recorder.do("read") == "picture" and recorder.do("next") == "picture",
       "where the policy says so she is asked in a window, and it captures", said)
    desk.front(1)
    ok(recorder.becomes("live 0") and recorder.do("read") == "EACCES" and not desk.who_is_in_front(),
       "when an empty terminal is in front nothing new captures", recorder.do("state"))
    seen = recorder.do("next")
    ok(seen not in ("picture", "nothing"), "nor what captured already", seen)
    desk.front(7)
    ok(recorder.becomes("live 2") and recorder.do("read") == "picture", "when her session is again, what she had allowed does")
    return recorder


def locked_screen(desk, alice, recorder, allowed):
    said = lock(desk, True)
    second = Recorder(alice)
    ok(second.do("local") == "asked" and not until(asking, QUIET_S) and second.do("state") == "new 0",
       "while the screen is locked what is new waits", said)
    ok(recorder.do("state") == "live 2" and recorder.do("read") == "picture", "and what runs goes on")
    lock(desk, False)
    ok(until(asking) and allowed() and second.becomes("live 2"), "unlocked it is asked about", second.do("state"))
    second.do("end")
    configure("[local]\naction = ask\nseconds = 3600\n[lock]\ncalls = end\n")
    ok(recorder.do("state") == "live 2", "a policy that ends calls when the screen is locked ends none before")
    lock(desk, True)
    ok(recorder.becomes("NotFound") and recorder.do("read") == "EACCES", "then it does")
    lock(desk, False)


def for_a_while(alice, allowed):
    """What is looked at next meanwhile takes some of it."""
    run(alice.argv(demo.CTL, "history", "setup"))
    configure(f"[local]\naction = ask\nseconds = {SHORT_S}\n")
    recorder = Recorder(alice)
    recorder.do("local")
    ok(allowed() and recorder.becomes("live 2") and recorder.do("next") == "picture", f"for {SHORT_S} s it captures", recorder.do("state"))
    return recorder


def time_is_over(alice, recorder):
    """It ends by itself, and is in her history as what it was."""
    ok(recorder.becomes("NotFound") and recorder.do("next") not in ("picture", "nothing") and recorder.do("read") == "EACCES",
       "when its time is over it does not", recorder.do("state"))
    text = run(alice.argv(demo.CTL, "history", "--json"))[1]
    kept = json.loads(text)["history"] if text.startswith("{") else [{}]
    mine = [one for one in kept if one.get("end_reason") == "expired"]
    ok(len(mine) == 1 and mine[0]["level"] == "local" and mine[0]["app"] == f"script:{HERE}/recorder.py" and
       mine[0]["kinds"] == "camera" and 0 < mine[0]["camera_seconds"] <= SHORT_S + 1,
       "the history says who, what, that it was no call, and why it ended", text)


def from_elsewhere(alice):
    configure("[local]\naction = ask\n[prompt]\npseudo_terminal = yes\n")
    elsewhere = Program([HERE + "/remote.py", "alice", demo.AGENT], terminal=True)
    ok(elsewhere.expect("not at this machine", LIMIT_S), "in a session that came over the network nobody can approve", elsewhere.text)
    elsewhere.stop()
    elsewhere = Program([HERE + "/remote.py", "alice", WINDOW_AGENT], terminal=True)
    ok(elsewhere.expect("not at this machine", LIMIT_S), "nor does an agent that asks in a window begin there", elsewhere.text)
    elsewhere.stop()

    def here():
        """logind learns a moment later that the session elsewhere is over."""
        agent = Program(alice.argv(demo.AGENT), terminal=True)
        said = agent.expect("ready|not at this machine", LIMIT_S)
        agent.stop()
        return said and said.group(0) == "ready"
    ok(until(here), "on a terminal at the machine she can")
    configure("[local]\naction = ask\n[prompt]\npseudo_terminal = yes\nremote = yes\n")
    elsewhere = Program([HERE + "/remote.py", "alice", demo.AGENT], terminal=True)
    ok(elsewhere.expect("ready", LIMIT_S), "unless the policy says so", elsewhere.text + systemctl("status", "systemd-logind").stdout)
    elsewhere.stop()
