# SPDX-License-Identifier: LGPL-2.1-or-later
"""A password in the place of a hand: the real polkitd, pkttyagent and PAM. A part of desktop.py."""
import subprocess
import termios

import demo
from demo import Program
from desk import LIMIT_S, until
from unit import ok

PASSWORD = "correct horse"
WINDOW_AGENT = "/usr/libexec/callgate-agent"
PRESS_S = 10


def type_password(terminal, password):
    """What was typed before the terminal is silent is thrown away."""
    if not until(lambda: not termios.tcgetattr(terminal.input)[3] & termios.ECHO):
        return False
    terminal.type(password + "\n")
    return True


def on_pseudo_terminal(alice, asker):
    agent = Program(alice.argv(demo.AGENT), terminal=True)
    ok(agent.expect("pseudo-terminal is off", LIMIT_S), "as delivered an agent on a pseudo-terminal is refused", agent.text)
    agent.stop()
    agent = Program(alice.argv(demo.AGENT, "--password"), terminal=True)
    ok(agent.expect("ready", LIMIT_S), "one that wants the password for a yes is not", agent.text)
    for password, answer, what in (("wrong", "ended denied", "with a wrong password a yes is none"), (PASSWORD, "approved 3", "with hers it is")):
        asker.ask(shown=False)
        agent.expect('Type "allow"', LIMIT_S)
        agent.type("allow\n")
        asked = agent.expect("Password: ", LIMIT_S)
        ok(asked and type_password(agent, password) and asker.line() == answer, what, agent.text)
    agent.stop()


def in_window(alice, asker, click):
    """polkit's own agent on a terminal, where a desktop would have a dialogue; a program presses the button."""
    agent = Program(alice.argv("env", "XDG_RUNTIME_DIR=/run/user/1000", WINDOW_AGENT, "--password"))
    agent.expect("ready", LIMIT_S)
    dialogue = Program(alice.argv("pkttyagent", "--process", str(agent.process.pid)), terminal=True)
    for password, answer, what in (("wrong", "ended denied", "a press of no hand is not believed with a wrong password"),
                                   (PASSWORD, "approved 3", "with hers it is")):
        place = asker.ask()
        # A press of before the window can be answered is none.
        asked = until(lambda: click(place) or dialogue.expect("Password: ", PRESS_S))
        ok(asked and type_password(dialogue, password) and asker.answer() == answer, what, agent.text + dialogue.text)
    dialogue.stop()
    agent.stop()


def run_all(asker, desk, alice, click):
    """Without the agent of her desktop, and with it again at the end."""
    subprocess.run(["chpasswd"], input=f"alice:{PASSWORD}\n", text=True, check=True)
    desk.user("stop", "callgate-agent")
    on_pseudo_terminal(alice, asker)
    in_window(alice, asker, lambda place: click(desk, place))
    desk.start_agent()
