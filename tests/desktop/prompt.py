# SPDX-License-Identifier: LGPL-2.1-or-later
"""callgate-prompt by itself, on a display of its own: for tests of what it shows and says."""
import functools
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "tools"))
import fake  # noqa: E402
from fake import BUILD, Tap  # noqa: E402

PROMPT = os.path.join(BUILD, "callgate-prompt")
SHOTS = os.path.join(BUILD, "screenshots")
LIMIT_S = 20
ARM_S = 1.0

APPROVE = {"Question": "approve", "Incoming": "0", "Contact": "bob", "ContactClaimed": "0", "PeerAuthentication": "verified", "Level": "none",
           "App": "exe:/usr/bin/callgatectl", "AppProven": "1",
           "Subject": "/usr/bin/callgatectl and what it starts (scope s0)", "Kinds": "3"}
INCOMING = dict(APPROVE, Incoming="1", Contact="alice", ContactClaimed="1", PeerAuthentication="unknown")
COMPARE = {"Question": "compare", "Concerning": "311 306 607", "Contact": "alice", "ContactClaimed": "1",
           "PeerAuthentication": "unknown"}
HISTORY = {"Question": "confirm", "Concerning": "history-key", "App": "exe:/usr/bin/callgatectl", "AppProven": "0", "Days": "4"}
LOCAL = {"Question": "approve", "Local": "1", "Seconds": "300", "App": "script:/usr/bin/memo", "AppProven": "0", "AppName": "Voice Memo",
         "AppIcon": "audio-input-microphone", "Subject": "script:/usr/bin/memo, by its own word; run by /usr/bin/python3.11", "Kinds": "1"}
FORGET = {"Question": "confirm", "Concerning": "forget", "Name": "bob", "App": "exe:/usr/bin/callgatectl"}

tap = Tap()
ok, done = tap.ok, tap.done
until = functools.partial(fake.until, limit=LIMIT_S)


def since(moment, answer):
    """How many milliseconds after it the press was: its time is one of 32 bits."""
    return (int(answer[2]) - int(moment) + 2 ** 31) % 2 ** 32 - 2 ** 31


class Display:
    """An X server. -noreset: it would refuse the next window while it starts anew after the last one has gone."""

    def __init__(self):
        read, write = os.pipe()
        self.process = subprocess.Popen(["Xvfb", "-displayfd", str(write), "-screen", "0", "900x900x24", "-noreset", "-nolisten", "tcp"],
                                        pass_fds=(write,), stderr=subprocess.DEVNULL)
        os.close(write)
        with os.fdopen(read) as file:
            self.name = ":" + file.readline().strip()
        self.environment = {"DISPLAY": self.name, "GDK_BACKEND": "x11"}

    def do(self, *argv):
        return subprocess.run(["xdotool", *map(str, argv)], env=dict(os.environ, DISPLAY=self.name), check=False,
                              capture_output=True, text=True, timeout=30).stdout.strip()

    def window(self):
        return self.do("search", "--onlyvisible", "--name", "^Callgate$").split("\n")[0]

    def place(self):
        """Of the window: left, top, width, height."""
        found = dict(re.findall(r"(\w+)=(\d+)", self.do("getwindowgeometry", "--shell", self.window())))
        return tuple(int(found[name]) for name in ("X", "Y", "WIDTH", "HEIGHT"))

    def move(self, x, y):
        self.do("mousemove", x, y)

    def click(self):
        self.do("click", 1)

    def key(self, *names):
        self.do("windowfocus", self.window())
        self.do("key", *names)

    def shoot(self, path):
        subprocess.run(["import", "-display", self.name, "-window", self.window(), path], check=False)

    def stop(self):
        self.process.terminate()
        self.process.wait()


class Window:
    """One question, shown; the time since it was mapped is counted by the test's clock, which is later than its own."""

    def __init__(self, display, facts, language="en", inherit=(), **environment):
        self.display = display
        env = {"HOME": "/nonexistent", "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "LANGUAGE": language, "GSK_RENDERER": "cairo",
               "GTK_A11Y": "none", "GSETTINGS_BACKEND": "memory", "DBUS_SESSION_BUS_ADDRESS": "disabled:",
               **display.environment, **environment}
        self.process = subprocess.Popen([PROMPT, "--locale-dir", os.path.join(BUILD, "locale")], env=env, pass_fds=inherit,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        words = [word for pair in facts.items() for word in pair]
        self.process.stdin.write(b"".join(word.encode() + b"\0" for word in words))
        self.process.stdin.close()
        self.process.stdin = None
        until(lambda: display.window() or self.process.poll() is not None)
        self.shown = time.monotonic()

    def button(self, mirrored=False):
        """The last one, which allows."""
        x, y, width, height = self.display.place()
        return x + (60 if mirrored else width - 60), y + height - 34

    def click_last_button(self, mirrored=False):
        self.display.move(*self.button(mirrored))
        self.display.click()

    def armed(self):
        time.sleep(max(0, self.shown + 2.5 * ARM_S - time.monotonic()))
        return self

    def answer(self, limit=LIMIT_S):
        try:
            out, _ = self.process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            return None
        return out.decode().split()

    def answer_to(self, press):
        """What the window answers to this; an answer that it gave to what was before shows by its time."""
        begun = time.monotonic() * 1000
        press()
        said = self.answer()
        return said if said and since(begun, said) >= -1 else ["early", said]

    def is_open(self):
        time.sleep(0.3)
        return self.process.poll() is None

    def shoot(self, name):
        os.makedirs(SHOTS, exist_ok=True)
        path = os.path.join(SHOTS, name + ".png")
        self.display.shoot(path)
        return path

    def close(self):
        self.process.kill()
        self.process.wait()
