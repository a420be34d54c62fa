#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The terminal agent against a fake daemon: what it shows, what it takes for an answer, whom it believes."""
import os
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import dbus  # noqa: E402
from fake import AGENT, AGENT_INTERFACE, Bus, Fake, Program, Tap, Thread, until  # noqa: E402

SESSION = dbus.ObjectPath("/org/callgate1/session/1")
ARM_S = 1.0
HINT = "Type [^\n]*\n> "
ASKED = "Callgate:.*?" + HINT

tap = Tap()
bus = Bus()
fake = Fake(bus.address)
loop = Thread()


# A no has effects, nobody's answer has none: doc/dbus.md.
SILENCE = "org.callgate1.Error.Denied"


def details(**more):
    facts = {"Incoming": False, "Contact": "bob", "ContactClaimed": False, "PeerAuthentication": "unknown",
             "App": "exe:/usr/bin/callgatectl", "AppProven": True, "Subject": "/usr/bin/ffmpeg",
             "Kinds": dbus.UInt32(3), "Timeout": dbus.UInt32(30)}
    facts.update(more)
    return dbus.Dictionary(facts, signature="sv")


def start():
    fake.agent = None
    agent = Program(AGENT, terminal=True)
    if not agent.expect("ready") or not until(lambda: fake.agent):
        tap.ok(False, "the agent registers", agent.text)
        sys.exit(tap.done())
    return agent


def ask(method, signature, *arguments):
    before = len(fake.asked)
    loop.do(lambda: fake.ask(method, *arguments, signature=signature))
    return before


def answer(before, limit=10):
    until(lambda: len(fake.asked) > before, limit)
    return fake.asked[before][1] if len(fake.asked) > before else None


def approve(agent, typed, **more):
    before = ask("Approve", "oa{sv}", SESSION, details(**more))
    if not agent.expect(ASKED):
        return None
    agent.type(typed)
    return answer(before)


def test_answers(agent):
    for typed, allow, kinds in (("allow", True, 3), ("allow microphone", True, 1), ("  ALLOW Camera ", True, 2),
                                ("deny", False, 0)):
        tap.ok(approve(agent, typed + "\n") == (allow, kinds), f"'{typed.strip()}' answers {allow} for {kinds}",
               fake.asked[-1:])
    tap.ok(approve(agent, "allow\n", Kinds=dbus.UInt32(1)) == (True, 1), "one kind asked is one kind allowed")
    tap.ok(approve(agent, "deny\n", TellsPrograms=True) == (False, 0) and "Tells them:" in agent.text,
           "what the other side will be told is in the question", agent.text[-900:])
    tap.ok("Protected:  not yet" in agent.text and approve(agent, "deny\n", Level="keyed") == (False, 0) and
           "Protected:  both apps took the keys" in agent.text, "how far sound and picture are bound to the call", agent.text[-900:])
    tap.ok(approve(agent, "deny\n", AppName="Camera") == (False, 0) and "Called:" in agent.text,
           "and what the system calls the program", agent.text[-900:])
    tap.ok(approve(agent, "yes\nallow\n")[0], "a wrong word is asked again")
    tap.ok(approve(agent, "y\n\n") == SILENCE, "two wrong words are no answer")
    tap.ok(approve(agent, "allow camera\nallow\n", Kinds=dbus.UInt32(1)) == (True, 1),
           "a kind that was not asked for is no answer")
    tap.ok(approve(agent, "\x04") == SILENCE, "nor is the end of input")
    tap.ok(approve(agent, "x" * 600 + "allow\ndeny\n") == (False, 0), "an overlong line is no answer")


def test_typeahead(agent):
    agent.type("allow\nallow\n")
    time.sleep(0.3)
    shown = time.monotonic()
    before = ask("Approve", "oa{sv}", SESSION, details())
    agent.expect("May it")
    agent.type("allow\n")
    time.sleep(0.2)
    agent.type("allow\nall")
    hint = agent.expect(HINT, 5)
    tap.ok(hint and time.monotonic() - shown >= ARM_S * 0.95, "a question is armed a second after it is shown")
    time.sleep(0.5)
    tap.ok(len(fake.asked) == before, "what was typed before that answers nothing", fake.asked[before:])
    agent.type("allow\n")
    tap.ok(answer(before) == (True, 3), "what is typed after it does, without the rest of an older line")
    tap.ok(approve(agent, "deny\nallow\n") == (False, 0), "of two lines typed at once the first counts")
    before = ask("Approve", "oa{sv}", SESSION, details())
    agent.expect(HINT)
    time.sleep(0.3)
    tap.ok(len(fake.asked) == before, "and the second is not an answer to the next question")
    agent.type("deny\n")
    answer(before)


def test_timeout(agent):
    before = ask("Approve", "oa{sv}", SESSION, details(Timeout=dbus.UInt32(2)))
    begun = time.monotonic()
    tap.ok(answer(before) == SILENCE and 1.5 < time.monotonic() - begun < 4, "no answer in time is an error, not a no")
    before = ask("Compare", "osa{sv}", SESSION, "123 456 789", details(Timeout=dbus.UInt32(2)))
    tap.ok(answer(before) == "org.callgate1.Error.Denied", "no comparison in time is an error, not an answer")
    agent.seen = len(agent.text)


def test_text(agent):
    before = ask("Approve", "oa{sv}", SESSION, details(
        Incoming=True, ContactClaimed=True, AppProven=False,
        Contact="al\u001b[2Jice\u202egnirts\u200b\n  Known: verified"))
    text = agent.expect(ASKED).group(0)
    agent.type("deny\n")
    answer(before)
    tap.ok("\x1b" not in text and "\u202e" not in text and "\u200b" not in text,
           "control and direction characters do not reach the terminal", repr(text))
    tap.ok("al\\x1b[2Jice\\u{202e}gnirts\\u{200b}\\x0a" in text, "they are shown as what they are", repr(text))
    tap.ok("\n  Known" not in text and "App says" in text and "unproven" in text,
           "a claimed name is marked and cannot begin a line", repr(text))
    before = ask("Approve", "oa{sv}", SESSION, details(Subject="/x/" + "A" * 70 + " Known: you verified it " * 6))
    text = agent.expect(ASKED).group(0)
    agent.type("deny\n")
    answer(before)
    tap.ok(max(len(line) for line in text.splitlines()) <= 72, "a long value is continued under itself", text)
    tap.ok("debugger" not in text, "nothing is said of a debugger where there is none", text)
    before = ask("Approve", "oa{sv}", SESSION, details(Traced=True))
    text = agent.expect(ASKED).group(0)
    agent.type("deny\n")
    answer(before)
    tap.ok("debugger is attached" in text and max(len(line) for line in text.splitlines()) <= 72,
           "a debugger at the program that captures is told", text)


def test_local(agent):
    """What captures outside a call: no contact, and what that means is said."""
    before = ask("Approve", "oa{sv}", SESSION, details(Local=True, Seconds=dbus.UInt32(600), Contact="", AppProven=False, Traced=True))
    text = agent.expect(ASKED).group(0)
    agent.type("allow microphone\n")
    tap.ok(answer(before) == (True, 1) and "outside a call" in text and "NOT A CALL, NOT ENCRYPTED" in text and
           "600 seconds at most" in text and "Known:" not in text and "Calls:" not in text,
           "capture outside a call is asked about as what it is, with its time", text)
    tap.ok("/usr/bin/ffmpeg" in text and "camera" in text and "microphone" in text and "unproven" in text and "debugger is attached" in text,
           "who captures, with what, and what is not proven", text)
    before = ask("Approve", "oa{sv}", SESSION, details(Local=True, Seconds=dbus.UInt32(600), Contact=""))
    text = agent.expect(ASKED).group(0)
    agent.type("deny\n")
    tap.ok(answer(before) == (False, 0) and "unproven" not in text and "debugger" not in text, "what is proven is not called unproven; no is no", text)
    tap.ok(approve(agent, "deny\n") == (False, 0) and "NOT A CALL" not in agent.text[agent.text.rindex("Callgate:"):],
           "nothing of this is said of a call", agent.text[-900:])


def test_compare(agent):
    for word, wanted in (("matches", ("matches",)), ("differs", ("differs",)), ("unverified", ("unverified",))):
        before = ask("Compare", "osa{sv}", SESSION, "123 456 789", details())
        text = agent.expect(ASKED).group(0)
        agent.type(word + "\n")
        tap.ok(answer(before) == wanted and "123 456 789" in text and "imitate" in text,
               f"the number is shown with its warning and '{word}' is given back", text)
    before = ask("Confirm", "sa{sv}", "forget", details(Name="bob"))
    text = agent.expect(ASKED).group(0)
    tap.ok("bob" in text and "exe:/usr/bin/callgatectl" in text, "a change names the contact and its app", text)
    agent.type("allow\n")
    tap.ok(answer(before) == (True,), "a change is confirmed")
    before = ask("Confirm", "sa{sv}", "history-key", details(Days=dbus.UInt32(4), AppProven=False))
    text = agent.expect(ASKED).group(0)
    tap.ok("4 days open with the old key only" in text and "exe:/usr/bin/callgatectl" in text and "unproven" in text,
           "another key for the history: who asks and what it costs", text)
    agent.type("allow\n")
    tap.ok(answer(before) == (True,), "and it is confirmed")
    before = ask("Confirm", "sa{sv}", "something new", details())
    tap.ok(answer(before) == (False,), "a change of an unknown kind is denied without a question")


def test_queue(agent):
    first = ask("Approve", "oa{sv}", SESSION, details())
    second = ask("Approve", "oa{sv}", dbus.ObjectPath("/org/callgate1/session/2"), details(Contact="carol"))
    loop.do(lambda: fake.ask("Notify", "denied", "arecord was denied", details(), signature="ssa{sv}"))
    agent.expect("bob.*?Type [^\n]*\n")
    tap.ok("carol" not in agent.text[agent.seen:] and len(fake.asked) <= first + 1, "questions queue")
    loop.do(lambda: fake.ask("Cancel", SESSION, signature="o"))
    tap.ok(agent.expect("withdrawn.*?arecord was denied.*?carol.*?Type [^\n]*\n"),
           "Cancel takes a question down, news come after it, then the next question", agent.text[-600:])
    agent.type("allow\n")
    until(lambda: sum(m == "Approve" for m, _ in fake.asked[min(first, second):]) == 2)
    got = [reply for m, reply in fake.asked[min(first, second):] if m == "Approve"]
    tap.ok(got == [SILENCE, (True, 3)], "the withdrawn one was no answer, the other was answered", got)
    before = len(fake.asked)
    for n in range(12):
        ask("Approve", "oa{sv}", dbus.ObjectPath(f"/s/{n}"), details())
    until(lambda: len(fake.asked) >= before + 4)
    tap.ok([r for _, r in fake.asked[before:]] == 4 * ["org.callgate1.Error.Denied"],
           "more than eight open questions are refused", fake.asked[before:])
    for n in range(8):
        loop.do(lambda n=n: fake.ask("Cancel", dbus.ObjectPath(f"/s/{n}"), signature="o"))
    until(lambda: len(fake.asked) >= before + 12 + 8)


def test_stranger(agent):
    stranger = dbus.bus.BusConnection(bus.address)
    sender, path, _ = fake.agent
    shown = len(agent.text)
    try:
        stranger.call_blocking(sender, path, AGENT_INTERFACE, "Approve", "oa{sv}", (SESSION, details()), timeout=5)
        refused = "answered"
    except dbus.DBusException as error:
        refused = error.get_dbus_name()
    tap.ok(refused == "org.freedesktop.DBus.Error.AccessDenied" and "May it" not in agent.text[shown:],
           "a question from another connection is refused and not shown", refused)
    tap.ok(approve(agent, "allow\n") == (True, 3), "while the daemon's is asked")


def test_end(agent):
    before = ask("Approve", "oa{sv}", SESSION, details())
    agent.expect(HINT)
    agent.process.send_signal(signal.SIGINT)
    tap.ok(answer(before) == SILENCE and agent.wait() == 0, "an interrupt answers nothing and ends the agent")
    agent = start()
    before = ask("Approve", "oa{sv}", SESSION, details())
    agent.expect(HINT)
    os.close(agent.tty)
    tap.ok(answer(before) in (SILENCE, "org.freedesktop.DBus.Error.NoReply") and agent.wait() is not None,
           "a hang-up answers nothing and ends the agent", fake.asked[before:])
    fake.refusal = ("NotAllowed", "pseudo-terminals are not allowed; see callgate.conf")
    agent = Program(AGENT, terminal=True)
    tap.ok(agent.wait() == 1 and "callgate.conf" in agent.text, "a refused agent says why and ends", agent.text)
    fake.refusal = None
    no_tty = Program(AGENT)
    tap.ok(no_tty.wait() == 1 and "--tty" in no_tty.text, "without a terminal it says what to do", no_tty.text)


def test_restart(agent):
    before = ask("Approve", "oa{sv}", SESSION, details())
    agent.expect(HINT)
    fake.agent = None
    loop.do(lambda: fake.link.release_name("org.callgate1"))
    tap.ok(agent.expect("withdrawn.*gone"), "when the daemon goes its question is taken down", agent.text[-300:])
    answer(before)
    loop.do(lambda: fake.link.request_name("org.callgate1"))
    tap.ok(agent.expect("ready") and fake.agent, "and the agent registers with the next one")


def main():
    agent = start()
    tap.ok(fake.agent[2] == {"terminal": True, "pseudo": True}, "it says that it asks on a pseudo-terminal", fake.agent)
    for test in (test_answers, test_typeahead, test_timeout, test_text, test_local, test_compare, test_queue, test_stranger,
                 test_restart, test_end):
        test(agent)
    agent.stop()
    bus.stop()
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
