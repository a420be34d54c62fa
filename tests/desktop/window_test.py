#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The window alone, on a display of its own: what it shows, when it may be answered, what each way of answering says.

The display has no hands but XTEST's, which the window cannot tell from real ones; what an answer is worth is the
broker's to say. Pictures of each state go to build/screenshots, for people to look at.
"""
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

from prompt import APPROVE, COMPARE, FORGET, HISTORY, INCOMING, LIMIT_S, LOCAL, PROMPT, SHOTS, Display, Window, done, ok, since

SIDE_BY_SIDE = 5


def colours(path):
    said = subprocess.run(["identify", "-format", "%k", path], capture_output=True, text=True, check=False).stdout
    return int(said or 0)


def test_arming():
    window = Window(DISPLAY, APPROVE)
    window.click_last_button()
    ok(window.is_open(), "a click in the first second allows nothing")
    answer = window.armed().answer_to(window.click_last_button)
    ok(answer[:2] == ["allow", "pointer"], "a click after it does", answer)
    ago = -since(time.monotonic() * 1000, answer) if answer[0] == "allow" else -1
    ok(0 <= ago < 1000 * LIMIT_S, "and says when it was pressed", (answer, ago))


def test_still_pointer():
    """It lies where the button will appear."""
    window = Window(DISPLAY, APPROVE)
    place = window.button()
    window.close()
    DISPLAY.move(*place)
    window = Window(DISPLAY, APPROVE)
    DISPLAY.do("click", "--repeat", 3, "--delay", 60, 1)
    ok(window.is_open(), "a pointer that lay there allows nothing in the first second")
    answer = window.armed().answer_to(lambda: DISPLAY.do("click", 1))
    ok(answer[:2] == ["allow", "pointer"], "after it, it need not move first", answer)


def test_let_go_elsewhere():
    window = Window(DISPLAY, APPROVE).armed()
    x, y = window.button()
    DISPLAY.do("mousemove", x, y, "mousedown", 1, "mousemove", 20, 20, "mouseup", 1)
    ok(window.is_open(), "a press that is let go elsewhere allows nothing")
    DISPLAY.do("mousemove", 20, 20, "mousedown", 1, "mousemove", x, y, "mouseup", 1)
    ok(window.is_open(), "nor does one that was begun elsewhere")
    DISPLAY.do("click", 3)
    ok(window.is_open(), "nor another button of the pointer")
    DISPLAY.key("alt+a")
    ok(window.is_open(), "the letter of the button goes to it, and presses nothing")
    answer = window.answer_to(lambda: DISPLAY.key("space"))
    ok(answer[:2] == ["allow", "key"], "which the space bar does", answer)


def test_choice():
    window = Window(DISPLAY, APPROVE).armed()
    DISPLAY.key("alt+m")
    DISPLAY.key("alt+c")
    window.click_last_button()
    ok(window.is_open(), "the camera added back in the second before a press is not allowed by it")
    window.shown = time.monotonic()
    answer = window.armed().answer_to(window.click_last_button)
    ok(answer[0] == "allow", "when it was seen, it is", answer)


def test_settings():
    """Any program may call itself the keeper of an X display's settings."""
    def picture():
        window = Window(DISPLAY, COMPARE).armed()
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
        window = Window(DISPLAY, APPROVE).armed()
        DISPLAY.key(*keys)
        answer = window.answer()
        ok(answer and answer[0] == "dismiss", what + " is a no for this time", answer)
    window = Window(DISPLAY, APPROVE).armed()
    DISPLAY.do("windowkill", DISPLAY.window())
    ok(window.answer() == [], "a window that is destroyed gives no answer")
    window = Window(DISPLAY, FORGET)
    DISPLAY.key("Tab", "space")
    answer = window.answer(3) or ["still open"]
    window.close()
    ok(answer[0] in ("deny", "still open"), "the space bar in the first second allows nothing", answer)
    window = Window(DISPLAY, FORGET).armed()
    DISPLAY.key("Tab")
    DISPLAY.key("space")
    answer = window.answer()
    ok(answer and answer[:2] == ["allow", "key"], "after it, on the button, it does", answer)
    window = Window(DISPLAY, APPROVE).armed()
    DISPLAY.key("Shift+Tab")
    DISPLAY.key("Down")
    window.armed().click_last_button()
    answer = window.answer()
    ok(answer and answer[0] == "allow-microphone", "the microphone alone can be chosen", answer)
    for facts, word in ((COMPARE, "matches"), (FORGET, "allow"), (HISTORY, "allow"), (LOCAL, "allow"), (dict(APPROVE, Kinds="1"), "allow")):
        window = Window(DISPLAY, facts).armed()
        window.click_last_button()
        answer = window.answer()
        ok(answer and answer[:2] == [word, "pointer"], f"the last button of '{facts['Question']}' says '{word}'", answer)
    window = Window(DISPLAY, COMPARE).armed()
    DISPLAY.key("Escape")
    answer = window.answer()
    ok(answer and answer[0] == "dismiss", "numbers that nobody answered for are not confirmed", answer)


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
    window = Window(DISPLAY, dict(APPROVE, Server=str(DISPLAY.process.pid))).armed()
    window.click_last_button()
    answer = window.answer()
    ok(answer and answer[:2] == ["allow", "pointer"], "the one that the broker looked at is", answer)


def shot(name):
    return os.path.join(SHOTS, name + ".png")


def darkness(path):
    """Of each column."""
    width, _ = map(int, subprocess.run(["identify", "-format", "%w %h", path], capture_output=True, text=True, check=True).stdout.split())
    grey = subprocess.run(["convert", path, "-colorspace", "gray", "-resize", f"{width}x1!", "-depth", "8", "gray:-"],
                          capture_output=True, check=True).stdout
    return [255 - value for value in grey]


def test_right_to_left():
    """An Arabic window is mirrored."""
    window = Window(DISPLAY, APPROVE, "ar").armed()
    window.click_last_button()
    ok(window.is_open(), "where text runs from right to left nothing that allows is at the right")
    answer = window.answer_to(lambda: window.click_last_button(mirrored=True))
    ok(answer[:2] == ["allow", "pointer"], "it is at the left", answer)


def look_at_numbers(languages):
    """A number is read in the same order at both ends, whichever way the text around it runs."""
    for language in languages:
        more = [a - b for a, b in zip(*(darkness(shot(f"order-{language}-{first}")) for first in (888, 111)))]
        # The eights have more ink: what they darken lies on their side.
        half = len(more) // 2
        ok(sum(more[:half]) > 0 > sum(more[half:]), f"the number's first digits are at the left ({language})", more)


def look_at_levels(levels):
    seen = [subprocess.run(["identify", "-format", "%#", shot("level-" + level)], capture_output=True, text=True, check=True).stdout
            for level in levels]
    ok(len(set(seen)) == len(levels) - 1 and seen[0] == seen[-1], "how far the media is bound to the call is shown; an unknown level is none", seen)


def test_pictures():
    long = dict(APPROVE, Contact="Müller-Lüdenscheidt <b>&amp;</b> " * 2, Subject="/opt/a/" + "very-long-path/" * 30)
    hebrew = dict(INCOMING, Contact="שלום עולם")
    states = {"approve-light": (APPROVE, "en"), "approve-dark": (dict(APPROVE, Style="dark"), "en"),
              "approve-contrast": (dict(APPROVE, Style="contrast", Scale="150"), "en"),
              "approve-microphone": (dict(APPROVE, Kinds="1", AppProven="0", Traced="1"), "en"), "approve-chinese": (APPROVE, "zh_CN"),
              "incoming": (INCOMING, "en"), "incoming-german": (INCOMING, "de"), "tells": (dict(APPROVE, TellsPrograms="1"), "en"),
              "compare": (COMPARE, "en"), "compare-dark": (dict(COMPARE, Style="dark"), "en"), "compare-german": (COMPARE, "de"),
              "compare-contrast": (dict(COMPARE, Style="contrast"), "en"), "compare-chinese": (COMPARE, "zh_CN"),
              "forget": (FORGET, "en"), "rename": (dict(FORGET, Concerning="rename", NewName="Bob from work"), "en"),
              "verify": (dict(FORGET, Concerning="verify", Fingerprint="3f2a 9c11 " * 8), "en"),
              "unblock": (dict(FORGET, Concerning="unblock", Kinds="3"), "en"), "history-key": (HISTORY, "en"),
              "history-key-german": (HISTORY, "de"), "long": (long, "en"), "long-word": (dict(INCOMING, Contact="W" * 300), "en"),
              "right-to-left": (hebrew, "en"), "approve-arabic": (APPROVE, "ar"),
              "compare-arabic": (dict(COMPARE, Level="channel"), "ar"), "incoming-arabic": (dict(hebrew, Style="dark"), "ar"), "local": (LOCAL, "en"), "local-german": (LOCAL, "de"), "local-chinese": (LOCAL, "zh_CN"),
              "large-german": (dict(COMPARE, Scale="200"), "de"), "large-long": (dict(long, Scale="300"), "en")}
    levels = ("none", "channel", "keyed", "other")
    states |= {"level-" + level: (dict(COMPARE, Level=level), "en") for level in levels}
    states |= {f"order-{language}-{number[:3]}": (dict(COMPARE, Concerning=number), language)
               for language in ("en", "ar") for number in ("888 888 111", "111 888 888")}

    def draw(display, names):
        for name in names:
            window = Window(display, *states[name]).armed()
            yield name, (colours(window.shoot(name)), display.place()[2:])
            window.close()

    # On displays of their own, side by side: each waits until it is armed.
    displays = [Display() for _ in range(SIDE_BY_SIDE)]
    with ThreadPoolExecutor() as pool:
        sizes = dict(one for drawn in pool.map(lambda i: list(draw(displays[i], list(states)[i::SIDE_BY_SIDE])), range(SIDE_BY_SIDE))
                     for one in drawn)
    for display in displays:
        display.stop()
    for name, (seen, size) in sizes.items():
        ok(seen > 20 and max(size) <= 900, f"{name} is drawn and fits", (seen, size))
    look_at_levels(levels)
    look_at_numbers(("en", "ar"))
    area = {name: size[0] * size[1] for name, (_, size) in sizes.items()}
    ok(area["approve-contrast"] > 1.5 * area["approve-light"], "larger text makes a larger window", sizes)


DISPLAY = Display()
try:
    for test in (test_arming, test_still_pointer, test_let_go_elsewhere, test_choice, test_settings, test_answers, test_input, test_server,
                 test_right_to_left, test_pictures):
        test()
finally:
    DISPLAY.stop()
sys.exit(done())
