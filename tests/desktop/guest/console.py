# SPDX-License-Identifier: LGPL-2.1-or-later
"""Questions on a text console: alice's session on a terminal of the machine, whose keys a hand presses. A part of desktop.py."""
import subprocess
import time

import demo
from desk import HERE, LIMIT_S, Desk, button, until
from unit import ok, systemctl

TERMINAL, UNIT = 9, "alice-console"
HINT = 'Type "allow"'


def screen():
    """The text on it."""
    try:
        with open(f"/dev/vcs{TERMINAL}", encoding="ascii", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def type_line(hand, word):
    for letter in word:
        hand.key(letter)
    hand.key("ret")


def ask(asker):
    before = screen().count(HINT)
    asker.ask(shown=False)
    return until(lambda: screen().count(HINT) > before)


def run_all(asker, desk, hand):
    """Without the agent that asks in windows, which would be asked first or last, as they came."""
    desk.user("stop", "callgate-agent")
    subprocess.run(["systemd-run", "--quiet", "--unit", UNIT, "-p", "User=alice", "-p", "PAMName=login", "-p", f"TTYPath=/dev/tty{TERMINAL}",
                    "-p", "StandardInput=tty", "-p", "StandardOutput=tty", "-p", f"UtmpIdentifier=tty{TERMINAL}", "-p", "UtmpMode=user",
                    "-E", "XDG_SESSION_TYPE=tty", "-E", "XDG_SESSION_CLASS=user", "-E", "XDG_SEAT=seat0", "-E", f"XDG_VTNR={TERMINAL}",
                    demo.AGENT], check=True)
    Desk.front(TERMINAL)
    ok(until(lambda: "ready" in screen()) and "pseudo" not in screen(), "an agent is ready on a text console", screen() + systemctl("status", UNIT).stdout)
    ok(ask(asker), "a question is asked there", screen())
    type_line(hand, "allow")
    ok(asker.line() == "approved 3", "and a hand that types there allows", screen())
    ok(ask(asker), "the next one is asked", screen())
    forged = desk.as_alice(HERE + "/typist.py", f"/dev/tty{TERMINAL}")
    ok("refused" in forged.stdout and "typed" not in forged.stdout, "a program of hers cannot type there", forged.stdout + forged.stderr)
    time.sleep(1)
    type_line(hand, "deny")
    ok(asker.line() == "ended denied", "where only the hand's answer counts", screen())
    systemctl("stop", UNIT)
    Desk.front(desk.terminal)
    ok(until(lambda: desk.who_is_in_front() == "alice", LIMIT_S), "back on her desktop", desk.who_is_in_front())
    desk.start_agent()
    place = asker.ask()

    def pressed():
        hand.move(*button(place))
        hand.click()
        return desk.gone(10)
    # A compositor may take its devices back with the first that one of them says, which is lost.
    until(pressed)
    ok(asker.answer() == "approved 3", "where the press of a hand allows", asker.why())
