#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The whole way of a question on a desktop, in a machine that booted systemd with Callgate installed. TAP.

Alice sits at the screen: a session of logind's, an X server, callgate-agent as a unit of hers. The hands are QEMU's
monitor. Everybody who forges a press does so before the eyes of the same daemon that believes hers.
"""
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "vm", "guest"))
import demo  # noqa: E402
import naming  # noqa: E402
import sitting  # noqa: E402
import unit  # noqa: E402
import wayland  # noqa: E402
from demo import Call, Person, Program, Relay, capturing_by_kernel, denied_camera, run  # noqa: E402
from desk import BTN_LEFT, LIMIT_S, NO_HAND, SEEN_S, Desk, Forger, Hand, Monitor, button, until  # noqa: E402
from unit import ctl, ok, show, systemctl  # noqa: E402

HERE = os.path.dirname(os.path.realpath(__file__))


class Asker:
    """tests/desktop/guest/asker.py, kept running."""

    def __init__(self, desk, person):
        self.desk = desk
        self.process = subprocess.Popen(person.argv(HERE + "/asker.py"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ready = self.process.stdout.readline().strip() == "ready"

    def ask(self, kinds=3, shown=True, contact=""):
        """Has the question on the screen, armed: its place."""
        self.begun = time.time()
        self.process.stdin.write(f"{kinds} {contact}\n")
        self.process.stdin.flush()
        if not shown:
            return None
        place = self.desk.window()
        time.sleep(SEEN_S)
        return place

    def line(self):
        """What became of it, where it is asked without a window."""
        self.last = self.process.stdout.readline().strip()
        return self.last

    def answer(self):
        """What became of it, once the window is gone: the next one is not taken for it."""
        self.line()
        self.desk.gone()
        return self.last

    def why(self):
        """The answer, and what the agent said of it."""
        return self.last + "\n" + self.desk.journal(["_COMM=callgate-agent"], self.begun - 1)


def install():
    """What the packages left, where they were installed: a machine that only reports, until somebody says otherwise."""
    packages = ["callgate", "callgate-agent"]
    seen = run(["dpkg-query", "-W", "-f", "${db:Status-Status} ", *packages])[1]
    if "no packages found" in seen:
        return
    ok(seen.split() == ["installed"] * len(packages) and "Gate: permissive" in ctl("status")[1], "the packages are installed",
       seen + ctl("status")[1])
    code, text = ctl("enforce", "--yes")
    ok(code == 0 and "Gate: present" in ctl("status")[1], "and the gate enforces from now on", text)


def prepare():
    """Bob is another machine with a terminal; alice has a desk and no right to type."""
    os.makedirs(demo.PLACE, exist_ok=True)
    os.chmod(demo.PLACE, 0o1777)
    card = demo.find_microphone()
    demo.MICROPHONE = f"hw:{card},1,0"
    demo.feed_tone(card)
    os.makedirs("/etc/callgate", exist_ok=True)
    with open("/etc/callgate/callgate.conf", "w", encoding="utf-8") as file:
        file.write("[prompt]\npseudo_terminal = yes\n")
    _, demo.BOB_PID = demo.start_bob()
    os.unlink("/etc/callgate/callgate.conf")
    inside = ["nsenter", "--target", str(demo.BOB_PID), "--net", "--mount", "--cgroup", "--uts"]
    return Person("bob", ["sh", "-c", 'echo $$ >/sys/fs/cgroup/bob/cgroup.procs; exec "$@"', "sh", *inside])


def open_desk(desk):
    opened = desk.open()
    ok(opened, "alice's session has an X server", systemctl("status", desk.unit).stdout)
    if not opened:
        print(desk.journal([], time.time() - 100), open("/tmp/Xorg.alice.log").read()[-5000:], file=sys.stderr)
        return False
    sessions = run(["loginctl", "--no-legend", "list-sessions"])[1]
    seat = run(["loginctl", "show-seat", "seat0"])[1]
    ok("alice" in sessions and "ActiveSession=" in seat, "which logind has in front on the seat", sessions + seat)
    ready = until(lambda: "ready" in desk.journal(["_COMM=callgate-agent"], time.time() - 600))
    ok(ready, "her agent runs as a unit of hers", desk.user("status", "callgate-agent").stdout)
    return ready


def call(alice, bob, desk, hand):
    """The main job, with a hand."""
    relay = Relay(demo.PLACE, 1)
    command = [word.format(mic=demo.MICROPHONE) for word in demo.CAPTURE[:-3]] + ["-f", "null", "-"]
    now = Call(alice, bob, relay, command, ["sh", "-c", "cat >/dev/null"])
    begun = time.time()
    place = desk.window()
    ok(place, "alice is asked in a window", now.caller.text + desk.journal(["_COMM=callgate-agent"], begun - 1))
    if not place:
        return
    time.sleep(SEEN_S)
    ok(not capturing_by_kernel() and denied_camera(alice)[0], "nothing is captured meanwhile")
    ok(hand.move(*button(place)), "a hand moves the pointer to the button", (place, desk.pointer()))
    hand.click()
    desk.gone()
    bob.answer("allow")
    text = bob.question() or ""
    place = desk.window()
    ok(place, "the numbers are to be compared in a window", now.caller.text + desk.journal(["_COMM=callgate-agent"], begun - 1))
    if not place:
        return
    time.sleep(SEEN_S)
    hand.move(*button(place))
    hand.click()
    bob.agent.type("matches\n")
    ok(now.capturing(LIMIT_S) and capturing_by_kernel(), "two presses, and the call captures",
       "\n".join((now.caller.text, now.callee.text, text, desk.journal(["_COMM=callgate-agent"], begun - 1))))
    ok(denied_camera(alice)[0], "while another program of hers is denied")
    now.stop()
    relay.tell("quit")
    ok(until(lambda: not capturing_by_kernel()), "and it ends with the call")


def presses(asker, desk, hand):
    """What allows, and what denies: each from a question of its own."""
    hand.move(*button(asker.ask()))
    hand.click()
    ok(asker.answer() == "approved 3", "a press of a hand on the button allows", asker.why())
    asker.ask()
    hand.key("tab")
    hand.key("spc")
    ok(asker.answer() == "approved 3", "so does the space bar under a hand", asker.why())
    asker.ask()
    hand.key("esc")
    ok(asker.answer() == "ended denied", "Escape denies", asker.why())
    asker.ask()
    desk.close()
    ok(asker.answer() == "ended denied", "a window that was closed denies", asker.why())


def forgers(asker, desk, hand, forger):
    """Each press reaches the window, which answers; and is not believed."""
    place = asker.ask()
    x, y = button(place)
    desk.xdo("mousemove", x - 8, y - 8, "mousemove", x, y, "click", 1)
    ok(asker.answer() == "ended denied" and NO_HAND in asker.why(), "a click that a program made (XTEST) is not believed", asker.why())
    asker.ask()
    desk.xdo("key", "Tab")
    desk.xdo("key", "space")
    ok(asker.answer() == "ended denied" and NO_HAND in asker.why(), "nor a key of a program's", asker.why())
    hand.move(*button(asker.ask()))
    forger.press(BTN_LEFT)
    ok(asker.answer() == "ended denied" and NO_HAND in asker.why(), "nor a press on a device that a program made (uinput)", asker.why())
    # A hand types in another window; a program clicks meanwhile.
    desk.nest()
    place = asker.ask()
    # Armed anew, because the keyboard went elsewhere.
    desk.focus_nested()
    time.sleep(SEEN_S)
    x, y = button(place)
    desk.xdo("mousemove", x - 8, y - 8, "mousemove", x, y)
    for _ in range(3):
        hand.key("spc")
    desk.xdo("click", 1)
    hand.key("spc")
    ok(asker.answer() == "ended denied" and NO_HAND in asker.why(), "nor a program's click while a hand types elsewhere", asker.why())


def displays(asker, desk, hand, alice):
    """Whoever starts the agent, and whatever he puts in the way: the question comes on the seat's own display, or not at all."""
    rogue = Program(alice.argv("env", "DISPLAY=:5", "/usr/libexec/callgate-agent"))
    rogue.expect("ready", LIMIT_S)
    place = asker.ask()
    ok(place and not desk.on_nested(), "an agent that was started on a nested display asks on the seat's", rogue.text)
    hand.move(*button(place))
    hand.click()
    ok(asker.answer() == "approved 3", "where a hand can allow", rogue.text)
    rogue.stop()
    desk.rename("X0", "kept")
    desk.rename("X5", "X0")
    asker.ask(shown=False)
    ok(asker.answer() == "ended denied" and "cannot be asked" in asker.why(), "a nested display in the place of the seat's is not asked on",
       asker.why())
    desk.rename("X0", "X5")
    desk.rename("kept", "X0")
    hand.move(*button(asker.ask()))
    hand.click()
    ok(asker.answer() == "approved 3", "put back it is", asker.why())


def clothes(asker, desk):
    """The user's own style sheets and fonts: whoever writes them would draw another question."""
    def picture():
        # No is no this once where the window was closed, so that the same contact is asked about.
        place = asker.ask(contact="carol")
        seen = desk.picture(place)
        desk.close()
        asker.answer()
        return place, seen

    def by_hand():
        window = subprocess.Popen(desk.argv("/usr/libexec/callgate-prompt"), stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
        window.stdin.write(b"Question\0approve\0Contact\0bob\0Kinds\0001\0")
        window.stdin.close()
        place = desk.window()
        time.sleep(SEEN_S)
        seen = desk.picture(place)
        window.kill()
        window.wait()
        desk.gone()
        return seen

    before, plain = picture(), by_hand()
    desk.dress()
    after, dressed = picture(), by_hand()
    ok(before[1] and before == after, "the user's style and fonts do not change the window", (before, after))
    ok(plain != dressed, "which would change it", (plain, dressed))


def by_bus(asker, desk, hand):
    """The button, activated by a program that speaks to the window as a screen reader does."""
    place = asker.ask()
    said = desk.activate("Allow for this call")
    ok("True" in said, "a program activates the button by the accessibility bus", said)
    time.sleep(SEEN_S)
    hand.move(*button(place))
    hand.click()
    ok(asker.answer() == "approved 3", "which allows nothing; the press of a hand then does", asker.why())


def seats(asker, desk, hand):
    """Somebody else's terminal is in front. logind learns of a switch a moment later."""
    def in_front():
        return run(["loginctl", "show-seat", "-p", "ActiveSession", "--value", "seat0"])[1].strip()

    desk.front(1)
    until(lambda: not in_front())
    asker.ask(shown=False)
    ok(asker.answer() == "ended denied" and "no session of yours is in front" in asker.why(), "while her session is not in front she is not asked",
       asker.why())
    desk.front(7)
    until(in_front)
    hand.move(*button(asker.ask()))
    hand.click()
    ok(asker.answer() == "approved 3", "back in front she is", asker.why())


def on_x11(alice, bob, monitor, forger, alone):
    desk = Desk(HERE + "/session")
    hand = Hand(monitor, desk)
    if not open_desk(desk) or not ok(bob.start_agent(), "Bob has his terminal", bob.agent.text):
        return
    if not alone:
        call(alice, bob, desk, hand)
    sitting.run_all(desk, hand, alice, bob, button, SEEN_S, alone)
    naming.run_all(alice)
    if alone:
        return
    asker = Asker(desk, alice)
    ok(asker.ready, "a program of hers asks for calls", asker.ready)
    presses(asker, desk, hand)
    forgers(asker, desk, hand, forger)
    displays(asker, desk, hand, alice)
    clothes(asker, desk)
    seats(asker, desk, hand)


def main():
    word = sys.argv[1:]
    monitor = Monitor()
    alice = Person("alice")
    forger = Forger()
    install()
    bob = prepare()
    if word == ["wayland"]:
        wayland.run_all(monitor, alice, lambda desk: Asker(desk, alice), forger, presses, by_bus)
    else:
        on_x11(alice, bob, monitor, forger, word == ["sitting"])
    print(f"1..{unit.count}", flush=True)
    if unit.failed:
        print(subprocess.run(["journalctl", "--no-pager", "-n", "100"], capture_output=True, text=True,
                             check=False).stdout, file=sys.stderr)
    return 1 if unit.failed else 0


if __name__ == "__main__":
    sys.exit(main())
