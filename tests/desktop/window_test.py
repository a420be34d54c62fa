#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The window alone, on a display of its own: what it shows, when it may be answered, what each way of answering says.

The display has no hands but XTEST's, which the window cannot tell from real ones; what an answer is worth is the
broker's to say. Pictures of each state go to build/screenshots, for people to look at.
"""
import os
import re
import subprocess
import sys
import tempfile
import time

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.environ.get("BUILD", os.path.join(TOP, "build"))
PROMPT = os.path.join(TOP, BUILD, "callgate-prompt")
SHOTS = os.path.join(TOP, BUILD, "screenshots")
LIMIT_S = 20
ARM_S = 1.0

APPROVE = {"Question": "approve", "Incoming": "0", "Contact": "bob", "ContactClaimed": "0", "PeerAuthentication": "verified",
           "App": "exe:/usr/bin/callgatectl", "AppProven": "1",
           "Subject": "/usr/bin/callgatectl and what it starts (scope s0)", "Kinds": "3"}
INCOMING = dict(APPROVE, Incoming="1", Contact="alice", ContactClaimed="1", PeerAuthentication="unknown")
COMPARE = {"Question": "compare", "Concerning": "311 306 607", "Contact": "alice", "ContactClaimed": "1",
           "PeerAuthentication": "unknown"}
HISTORY = {"Question": "confirm", "Concerning": "history-key", "App": "exe:/usr/bin/callgatectl", "AppProven": "0", "Days": "4"}
FORGET = {"Question": "confirm", "Concerning": "forget", "Name": "bob", "App": "exe:/usr/bin/callgatectl"}

count = failed = 0


def ok(good, what, seen=None):
    global count, failed
    count += 1
    failed += not good
    print(f"{'ok' if good else 'not ok'} {count} - {what}", flush=True)
    if not good and seen is not None:
        print(f"# {seen!r}", flush=True)


def until(question, limit=LIMIT_S):
    end = time.monotonic() + limit
    while True:
        answer = question()
        if answer or time.monotonic() > end:
            return answer
        time.sleep(0.02)


class Display:
    """-noreset: it would refuse the next window while it starts anew after the last one has gone."""

    def __init__(self):
        read, write = os.pipe()
        self.process = subprocess.Popen(["Xvfb", "-displayfd", str(write), "-screen", "0", "900x900x24", "-noreset", "-nolisten", "tcp"],
                                        pass_fds=(write,), stderr=subprocess.DEVNULL)
        os.close(write)
        with os.fdopen(read) as file:
            self.name = ":" + file.readline().strip()

    def do(self, *argv):
        return subprocess.run(["xdotool", *map(str, argv)], env=dict(os.environ, DISPLAY=self.name), check=False,
                              capture_output=True, text=True, timeout=30).stdout.strip()

    def stop(self):
        self.process.terminate()
        self.process.wait()


class Window:
    """One question, shown; the time since it was mapped is counted by the test's clock, which is later than its own."""

    def __init__(self, facts, language="en", display=None):
        self.display = display or DISPLAY
        env = {"DISPLAY": self.display.name, "HOME": "/nonexistent", "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8",
               "LANGUAGE": language, "GDK_BACKEND": "x11", "GSK_RENDERER": "cairo", "GTK_A11Y": "none",
               "GSETTINGS_BACKEND": "memory", "DBUS_SESSION_BUS_ADDRESS": "disabled:"}
        self.process = subprocess.Popen([PROMPT, "--locale-dir", os.path.join(TOP, BUILD, "locale")], env=env,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        words = [word for pair in facts.items() for word in pair]
        self.process.stdin.write(b"".join(word.encode() + b"\0" for word in words))
        self.process.stdin.close()
        self.process.stdin = None
        self.id = until(lambda: self.display.do("search", "--onlyvisible", "--name", "^Callgate$").split("\n")[0])
        self.shown = time.monotonic()

    def place(self):
        found = dict(re.findall(r"(\w+)=(\d+)", self.display.do("getwindowgeometry", "--shell", self.id)))
        return tuple(int(found[name]) for name in ("X", "Y", "WIDTH", "HEIGHT"))

    def click_last_button(self):
        x, y, width, height = self.place()
        self.display.do("mousemove", x + width - 60, y + height - 34, "click", 1)

    def key(self, *names):
        self.display.do("windowfocus", self.id)
        self.display.do("key", *names)

    def armed(self):
        time.sleep(max(0, self.shown + 2.5 * ARM_S - time.monotonic()))
        return self

    def answer(self, limit=LIMIT_S):
        try:
            out, _ = self.process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            return None
        return out.decode().split()

    def is_open(self):
        time.sleep(0.3)
        return self.process.poll() is None

    def shoot(self, name):
        os.makedirs(SHOTS, exist_ok=True)
        path = os.path.join(SHOTS, name + ".png")
        subprocess.run(["import", "-display", self.display.name, "-window", self.id, path], check=False)
        return path

    def close(self):
        self.process.kill()
        self.process.wait()


def colours(path):
    said = subprocess.run(["identify", "-format", "%k %w %h", path], capture_output=True, text=True, check=False).stdout
    return [int(n) for n in said.split()] or [0, 0, 0]


def test_arming():
    window = Window(APPROVE)
    window.click_last_button()
    ok(window.is_open(), "a click in the first second allows nothing")
    window.armed().click_last_button()
    answer = window.answer()
    ok(answer and answer[:2] == ["allow", "pointer"], "a click after it does", answer)
    now = time.monotonic() * 1000 % 2 ** 32
    ok(answer and 0 <= now - int(answer[2]) < 1000 * LIMIT_S, "and says when it was pressed", (answer, now))


def test_still_pointer():
    """It lies where the button will appear."""
    window = Window(APPROVE)
    x, y, width, height = window.place()
    window.close()
    DISPLAY.do("mousemove", x + width - 60, y + height - 34)
    window = Window(APPROVE)
    DISPLAY.do("click", "--repeat", 3, "--delay", 60, 1)
    ok(window.is_open(), "a pointer that lay there allows nothing in the first second")
    window.armed()
    DISPLAY.do("click", 1)
    answer = window.answer()
    ok(answer and answer[:2] == ["allow", "pointer"], "after it, it need not move first", answer)


def test_let_go_elsewhere():
    window = Window(APPROVE).armed()
    x, y, width, height = window.place()
    DISPLAY.do("mousemove", x + width - 60, y + height - 34, "mousedown", 1, "mousemove", x + 20, y + 20, "mouseup", 1)
    ok(window.is_open(), "a press that is let go elsewhere allows nothing")
    DISPLAY.do("mousemove", x + 20, y + 20, "mousedown", 1, "mousemove", x + width - 60, y + height - 34, "mouseup", 1)
    ok(window.is_open(), "nor does one that was begun elsewhere")
    DISPLAY.do("click", 3)
    ok(window.is_open(), "nor another button of the pointer")
    window.key("alt+a")
    ok(window.is_open(), "the letter of the button goes to it, and presses nothing")
    window.key("space")
    answer = window.answer()
    ok(answer and answer[:2] == ["allow", "key"], "which the space bar does", answer)


def test_choice():
    window = Window(APPROVE).armed()
    window.key("alt+m")
    window.key("alt+c")
    window.click_last_button()
    ok(window.is_open(), "the camera added back in the second before a press is not allowed by it")
    window.shown = time.monotonic()
    window.armed().click_last_button()
    answer = window.answer()
    ok(answer and answer[0] == "allow", "when it was seen, it is", answer)


def test_settings():
    """Any program may call itself the keeper of an X display's settings."""
    def picture():
        window = Window(COMPARE).armed()
        said = subprocess.run(["identify", "-format", "%w %h %#", window.shoot("settings")], capture_output=True, text=True, check=False).stdout
        window.close()
        return said
    before = picture()
    with tempfile.NamedTemporaryFile("w") as file:
        file.write('Gtk/FontName "DejaVu Serif 30"\nNet/ThemeName "HighContrastInverse"\nNet/IconThemeName "hicolor"\n'
                   'Xft/DPI 300000\nXft/Antialias 0\n')
        file.flush()
        keeper = subprocess.Popen(["xsettingsd", "-c", file.name], env=dict(os.environ, DISPLAY=DISPLAY.name), stderr=subprocess.PIPE)
        keeper.stderr.readline()
        after = picture()
        ok(keeper.poll() is None, "another program keeps the display's settings")
        keeper.terminate()
        keeper.wait()
    ok(before and before == after, "which have no say in what the window looks like", (before, after))


def test_answers():
    for keys, what in ((["Return"], "Return"), (["Escape"], "Escape"), (["Tab", "Return"], "Return on the other button")):
        window = Window(APPROVE).armed()
        window.key(*keys)
        answer = window.answer()
        ok(answer and answer[0] == "deny", what + " denies", answer)
    window = Window(APPROVE).armed()
    window.display.do("windowkill", window.id)
    ok(window.answer() == [], "a window that is destroyed gives no answer")
    window = Window(FORGET)
    window.key("Tab", "space")
    answer = window.answer(3) or ["still open"]
    window.close()
    ok(answer[0] in ("deny", "still open"), "the space bar in the first second allows nothing", answer)
    window = Window(FORGET).armed()
    window.key("Tab")
    window.key("space")
    answer = window.answer()
    ok(answer and answer[:2] == ["allow", "key"], "after it, on the button, it does", answer)
    window = Window(APPROVE).armed()
    window.key("Shift+Tab")
    window.key("Down")
    window.armed().click_last_button()
    answer = window.answer()
    ok(answer and answer[0] == "allow-microphone", "the microphone alone can be chosen", answer)
    for facts, word in ((COMPARE, "matches"), (FORGET, "allow"), (HISTORY, "allow"), (dict(APPROVE, Kinds="1"), "allow")):
        window = Window(facts).armed()
        window.click_last_button()
        answer = window.answer()
        ok(answer and answer[:2] == [word, "pointer"], f"the last button of '{facts['Question']}' says '{word}'", answer)
    window = Window(COMPARE).armed()
    window.key("Escape")
    answer = window.answer()
    ok(answer and answer[0] == "deny", "numbers that nobody answered for are not confirmed", answer)


def test_input():
    for data, what in ((b"", "nothing"), (b"Question\0approve", "a text without its end"), (b"Question\0", "a name without a value"),
                       (b"Question\0approve\0" + b"x\0" * 99999, "too much"), (b"Question\0\xff\0", "malformed text"),
                       (b"Question\0steal\0", "a question of an unknown kind"),
                       (b"Question\0confirm\0Concerning\0give\0", "an action of an unknown kind")):
        done = subprocess.run([PROMPT], input=data, capture_output=True, check=False, timeout=60,
                              env={"DISPLAY": DISPLAY.name, "PATH": "/usr/bin", "GDK_BACKEND": "x11"})
        ok(done.returncode == 2 and done.stdout == b"" and b"callgate-prompt: " in done.stderr, what + " is no question",
           (done.returncode, done.stdout, done.stderr[-200:]))
    done = subprocess.run([PROMPT], input=b"Question\0approve\0", capture_output=True, check=False,
                          env={"DISPLAY": ":9999", "PATH": "/usr/bin", "GDK_BACKEND": "x11"})
    ok(done.returncode == 1 and done.stdout == b"", "without a display there is no answer", done)


def test_server():
    """Who serves the display is the broker's to say; here it is Xvfb."""
    facts = b"Question\0approve\0Contact\0bob\0Server\0%d\0"
    env = {"DISPLAY": DISPLAY.name, "PATH": "/usr/bin", "GDK_BACKEND": "x11", "GSK_RENDERER": "cairo"}
    done = subprocess.run([PROMPT], input=facts % os.getpid(), capture_output=True, check=False, env=env, timeout=60)
    ok(done.returncode == 1 and done.stdout == b"" and b"not served" in done.stderr, "a display that another process serves is not asked on",
       (done.returncode, done.stdout, done.stderr[-200:]))
    window = Window(dict(APPROVE, Server=str(DISPLAY.process.pid))).armed()
    window.click_last_button()
    answer = window.answer()
    ok(answer and answer[:2] == ["allow", "pointer"], "the one that the broker looked at is", answer)


def test_pictures():
    long = dict(APPROVE, Contact="Müller-Lüdenscheidt <b>&amp;</b> " * 2, Subject="/opt/a/" + "very-long-path/" * 30)
    hebrew = dict(INCOMING, Contact="שלום עולם")
    states = {"approve-light": (APPROVE, "en"), "approve-dark": (dict(APPROVE, Style="dark"), "en"),
              "approve-contrast": (dict(APPROVE, Style="contrast", Scale="150"), "en"),
              "incoming": (INCOMING, "en"), "compare": (COMPARE, "en"), "compare-dark": (dict(COMPARE, Style="dark"), "en"),
              "forget": (FORGET, "en"), "history-key": (HISTORY, "en"), "tells": (dict(APPROVE, TellsPrograms="1"), "en"), "long": (long, "en"), "right-to-left": (hebrew, "en"),
              "german": (INCOMING, "de"), "chinese": (COMPARE, "zh_CN")}
    sizes = {}
    for name, (facts, language) in states.items():
        window = Window(facts, language)
        time.sleep(1.5 * ARM_S)
        sizes[name] = colours(window.shoot(name))
        window.close()
        ok(sizes[name][0] > 20 and sizes[name][1] <= 900 and sizes[name][2] <= 900, f"{name} is drawn and fits", sizes[name])
    area = {name: size[1] * size[2] for name, size in sizes.items()}
    ok(area["approve-contrast"] > 1.5 * area["approve-light"], "larger text makes a larger window", sizes)


DISPLAY = Display()
try:
    for test in (test_arming, test_still_pointer, test_let_go_elsewhere, test_choice, test_settings, test_answers, test_input, test_server, test_pictures):
        test()
finally:
    DISPLAY.stop()
print(f"1..{count}")
sys.exit(1 if failed else 0)
