# SPDX-License-Identifier: LGPL-2.1-or-later
"""Questions under Wayland: the compositor of the seat, who presses there, and displays that are put in its place."""
import time
import traceback

import console
import latency
import password
import sitting
from desk import BTN_LEFT, LIMIT_S, NO_HAND, SEEN_S, button, until
from demo import Program
from sway import Sway
from unit import ok


class Hand:
    """The real pointer, which comes the last few pixels itself."""

    def __init__(self, monitor, desk):
        self.monitor = monitor
        self.desk = desk

    def move(self, x, y):
        self.desk.put_pointer(x - 4, y - 4)
        self.monitor.do("mouse_move 4 4")

    def click(self):
        self.monitor.do("mouse_button 1")
        self.monitor.do("mouse_button 0")

    def key(self, name):
        self.monitor.do("sendkey " + name)


def forgers(asker, desk, hand, forger):
    x, y = button(asker.ask())
    made = desk.virtual_click(x, y)
    ok(made.returncode == 0, "a program makes itself a pointer in the compositor", made.stderr)
    ok(asker.answer() == "ended denied" and NO_HAND in asker.why(), "whose click is not believed", asker.why())
    x, y = button(asker.ask())
    desk.put_pointer(x, y)
    desk.press()
    ok(asker.answer() == "ended denied" and NO_HAND in asker.why(), "nor is one that the compositor makes for a program", asker.why())
    asker.ask()
    made = desk.type("Tab", "space")
    ok(made.returncode == 0 and asker.answer() == "ended denied" and NO_HAND in asker.why(), "nor a key of a keyboard that a program made",
       made.stderr + asker.why())
    place = asker.ask()
    made = desk.wtype("Tab", "space")
    time.sleep(SEEN_S)
    ok(made.returncode == 0 and desk.question(), "wtype's keys, which have no time, allow nothing", made.stderr)
    hand.move(*button(place))
    hand.click()
    ok(asker.answer() == "approved 3", "where the press of a hand then does", asker.why())
    hand.move(*button(asker.ask()))
    forger.press(BTN_LEFT)
    ok(asker.answer() == "ended denied" and NO_HAND in asker.why(), "nor a press on a device that a program made (uinput)", asker.why())


def click(desk, place):
    """As a program has it done."""
    desk.put_pointer(*button(place))
    desk.press()


def displays(asker, desk, hand, alice):
    control = desk.nest()
    seat, other = desk.socket(desk.control), desk.socket(control or desk.control)
    ok(seat and other and seat != other, "another compositor of hers serves a display", (seat, other))
    rogue = Program(alice.argv("env", "XDG_RUNTIME_DIR=/run/user/1000", "WAYLAND_DISPLAY=" + other, "/usr/libexec/callgate-agent"))
    rogue.expect("ready", LIMIT_S)
    place = asker.ask()
    ok(place and not desk.question(control), "an agent that was started there asks on the seat's", rogue.text)
    hand.move(*button(place))
    hand.click()
    ok(asker.answer() == "approved 3", "where a hand can allow", rogue.text)
    rogue.stop()
    desk.rename(seat, "kept")
    desk.rename(other, seat)
    asker.ask(shown=False)
    ok(asker.answer() == "ended denied" and "cannot be asked" in asker.why() and not desk.question(control),
       "a compositor in the place of the seat's is not asked on", asker.why())
    desk.rename("kept", other)
    place = asker.ask()
    ok(place and not desk.question(control), "one whose name another took is found by who it is", asker.why())
    hand.move(*button(place))
    hand.click()
    ok(asker.answer() == "approved 3", "and a hand can allow there", asker.why())


def run_all(monitor, alice, make_asker, forger, presses, by_bus):
    """presses, by_bus: parts that are the same on every desktop, of desktop.py."""
    desk = Sway()
    begun = time.time()
    opened = desk.open()
    ok(opened, "alice's session under Wayland has a compositor", desk.journal([], begun - 1)[-3000:] + read("/tmp/sway.alice.log"))
    if not opened:
        return
    ready = until(lambda: "ready" in desk.journal(["_COMM=callgate-agent"], begun))
    ok(ready, "her agent runs there", desk.user("status", "callgate-agent").stdout)
    # A loaded machine takes its time for a window.
    sitting.configure("[prompt]\ntimeout = 300\n")
    asker = make_asker(desk)
    hand = Hand(monitor, desk)
    parts = ((presses, (desk, hand)), (forgers, (desk, hand, forger)), (by_bus, (desk, hand)), (displays, (desk, hand, alice)),
             (password.run_all, (desk, alice, click)), (console.run_all, (desk, hand)), (latency.run_all, (alice,)))
    for part, arguments in parts:
        try:
            part(asker, *arguments)
        except Exception:  # pylint: disable=broad-except
            # A window that did not come, say: the rest is worth knowing all the same.
            ok(False, f"{part.__module__}.{part.__name__} can go on", traceback.format_exc())
            asker.process.kill()
            asker = make_asker(desk)


def read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()[-5000:]
    except OSError:
        return ""
