#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Chromium and Firefox as they are, on a desktop with Callgate: refused, asked, allowed. TAP. Run by tests/desktop/desktop_test.

Alice has a page of somebody's who makes calls (page.html) open in a browser. Another browser, in which the same page is open, is what she calls
Bob with. What each gets is what its page says that it saw.
"""
import http.server
import json
import os
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "vm", "guest"))
import demo  # noqa: E402
import unit  # noqa: E402
from demo import Call, Person, Program, Relay, capturing_by_kernel, run, streams  # noqa: E402
from desk import Desk, Hand, Monitor, until  # noqa: E402
from desktop import HERE, SEEN_S, button, install, open_desk, prepare  # noqa: E402
from sitting import configure  # noqa: E402
from unit import ok  # noqa: E402

# A browser takes a minute to start on an emulated machine with nothing else to do.
LIMIT_S = 900
PORT = 8000
ENVIRONMENT = ["env", "DISPLAY=:0", "HOME=/home/alice", "XDG_RUNTIME_DIR=/run/user/1000",
               "DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/1000/bus"]
FRAMES, TONES = 10, 5


def progress(*words):
    print("# progress", *words, flush=True)


class Pages(http.server.BaseHTTPRequestHandler):
    """Gives the page out, and keeps what each of them said last, and when."""
    facts = {}

    def do_GET(self):
        with open(HERE + "/page.html", "rb") as file:
            page = file.read()
        self.send_response(200 if self.path.startswith("/?") else 404)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        if self.path.startswith("/?"):
            self.wfile.write(page)

    def do_POST(self):
        said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.facts[said["who"]] = dict(said, at=time.monotonic())
        self.send_response(204)
        self.end_headers()

    def log_message(self, *words):
        pass


class Page:
    """One page: what it said of itself."""

    def __init__(self, who):
        self.who = who

    def __call__(self, name):
        return Pages.facts.get(self.who, {}).get(name, 0)

    def all(self):
        return Pages.facts.get(self.who)

    def lives(self):
        """It says something anew."""
        before = self("at")
        return until(lambda: self("at") > before, LIMIT_S, 0.5)

    def runs(self):
        """Frames with the camera's bars and sounds with the tone, after now."""
        since = {"frames": self("frames"), "tones": self("tones")}

        def more(name, count):
            # A page that was loaded anew counts from nothing.
            since[name] = min(since[name], self(name))
            return self(name) > since[name] + count
        return until(lambda: all([more("frames", FRAMES), more("tones", TONES), self("bars") == 8]), LIMIT_S, 0.5)

    def tries(self, kind):
        """How often it was refused, at once or by what it had got ending."""
        return self("refused" + kind) + self("ended" + kind)

    def is_refused(self, kinds=("Camera", "Microphone")):
        """Each, once more after now."""
        before = {kind: self.tries(kind) for kind in kinds}
        return until(lambda: all(self.tries(kind) > before[kind] for kind in kinds), LIMIT_S, 0.5)


class Chromium:
    name = "Chromium"
    # Its own question is answered; the devices are the machine's. A child that its parent's first word does not reach in time ends itself,
    # in the 15 s that are usual even where both only wait for a processor.
    options = ["--use-fake-ui-for-media-stream", "--autoplay-policy=no-user-gesture-required", "--no-first-run", "--no-default-browser-check",
               "--password-store=basic", "--disable-gpu", "--disable-sync", "--disable-background-networking", "--disable-component-update",
               "--disable-extensions", "--disable-hang-monitor", "--ipc-connection-timeout=900", "--window-size=500,400", "--window-position=0,100"]

    @staticmethod
    def command(who):
        return [*ENVIRONMENT, "chromium", f"--user-data-dir=/home/alice/{who}", *Chromium.options, f"--app=http://localhost:{PORT}/?{who}"]

    # Its processes that capture, each with what.
    processes = [["camera"], ["microphone"]]

    @staticmethod
    def is_the_one(kind, line):
        """Whether a process with this command line is the one for that kind."""
        return {"camera": "video_capture.mojom.VideoCaptureService", "microphone": "audio.mojom.AudioService"}[kind] in line


class Firefox:
    name = "Firefox"
    preferences = {"media.navigator.permission.disabled": True, "media.autoplay.default": 0, "browser.shell.checkDefaultBrowser": False,
                   "datareporting.policy.dataSubmissionEnabled": False, "browser.aboutwelcome.enabled": False, "app.update.enabled": False,
                   "browser.sessionstore.resume_from_crash": False, "toolkit.startup.max_resumed_crashes": -1,
                   "browser.tabs.warnOnClose": False, "network.captive-portal-service.enabled": False,
                   # More than 255, which ALSA says that it has, are too many for the library that Firefox captures by.
                   "media.getusermedia.audio.max_channels": 2}

    @staticmethod
    def command(who):
        """Started again where it ends, as by one who does not let himself be put off."""
        profile = f"/home/alice/{who}"
        with open(f"/tmp/{who}.js", "w", encoding="utf-8") as file:
            file.writelines(f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in Firefox.preferences.items())
        again = f"mkdir -p {profile}; cp /tmp/{who}.js {profile}/user.js; while :; do firefox-esr --no-remote --profile {profile} " \
                f"'http://localhost:{PORT}/?{who}'; sleep 1; done"
        return [*ENVIRONMENT, "MOZ_CRASHREPORTER_DISABLE=1", "sh", "-c", again]

    # Its first one does.
    processes = [["camera", "microphone"]]

    @staticmethod
    def is_the_one(kind, line):
        return "firefox" in line and "-contentproc" not in line


def command_line(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def capturer(alice, kind):
    """The process that the kernel names for a running capture of this kind."""
    return next((int(s["pid"]) for s in streams(alice) or () if kind in s["kinds"]), 0)


class Table:
    """Two people, a desk and the hand at it."""

    def __init__(self):
        self.alice = Person("alice")
        install()
        # A browser that believes it is offline does not try again when a page did not load.
        for words in ("add dummy0 type dummy", "set dummy0 up"):
            run(["ip", "link", *words.split()])
        run(["ip", "address", "add", "192.0.2.1/24", "dev", "dummy0"])
        run(["ip", "route", "add", "default", "via", "192.0.2.2"])
        self.bob = prepare()
        # A machine on which a browser starts takes its time for a window.
        configure("[prompt]\ntimeout = 600\npseudo_terminal = yes\n")
        # Nor is a daemon one that hangs where a browser has both processors for 15 s.
        run(["systemctl", "service-watchdogs", "no"])
        # A browser takes whichever end is free.
        card = int(demo.MICROPHONE.split(":")[1].split(",")[0])
        for end in (1, 2):
            demo.feed_tone(card, end)
        with open("/etc/asound.conf", "w", encoding="utf-8") as file:
            file.write(f'pcm.!default {{ type asym; playback.pcm "plughw:{card},1"; capture.pcm "plughw:{card},1" }}\n'
                       f"ctl.!default {{ type hw; card {card} }}\n")
        self.desk = Desk(HERE + "/session")
        self.hand = Hand(Monitor(), self.desk)

    def press(self, allow=True):
        """Answers the question that comes, with a hand."""
        place = self.desk.window(LIMIT_S)
        if not place:
            return False
        if not allow:
            time.sleep(SEEN_S)
            self.hand.key("esc")
            return self.desk.gone()

        def pressed():
            time.sleep(SEEN_S)
            self.hand.move(*button(self.desk.window(1) or place))
            self.hand.click()
            return self.desk.gone(10)
        return until(pressed)

    def call(self, number, command, compare=False, allow=True):
        """Alice calls Bob with a browser; up to the last answer."""
        now = Call(self.alice, self.bob, Relay(demo.PLACE, number), command, ["sh", "-c", "cat >/dev/null"])
        if not self.press(allow) or not allow:
            return now
        progress("asked and answered")
        if not self.bob.answer("allow", LIMIT_S) or (compare and not self.bob.question(LIMIT_S)):
            progress("Bob is not asked:", self.bob.agent.text[-1000:], now.callee.text, now.caller.text)
            return now
        if compare:
            self.press()
            self.bob.agent.type("matches\n")
            progress("compared")
        return now


def outside(table, browser, plain):
    """Without a call. Whether it is worth going on."""
    program = Program(table.alice.argv(*browser.command(plain.who)))
    good = ok(plain.is_refused(), f"{browser.name} without a call gets neither camera nor microphone, and its page is told so",
              (plain.all(), program.text[-3000:]))
    print("#", plain("camera"), "/", plain("microphone"), flush=True)
    if good:
        ok(plain("frames") == 0 and plain("tones") == 0 and plain.lives() and program.process.poll() is None,
           "nothing arrives, and it goes on running", plain.all())
    return program, good


def restarted(table, browser, page, kinds):
    """What captures these is killed; the browser, or who started it, starts another one."""
    def holder():
        held = {capturer(table.alice, kind) for kind in kinds}
        pid = held.pop()
        return pid if not held and all(browser.is_the_one(kind, command_line(pid)) for kind in kinds) else 0

    before, what = until(holder), " and ".join(kinds)
    print("#", what, before, command_line(before)[:200], flush=True)
    if not ok(before, f"{what}: held by the process that the browser has for it", streams(table.alice)):
        return
    os.kill(before, signal.SIGKILL)
    after = until(lambda: (now := holder()) != before and now, LIMIT_S, 0.5)
    ok(after and page.runs(), "killed, it is started again, and the call goes on with the new one", (before, after, page.all()))


def pause(program, signal_number):
    """What waits meanwhile would take the processor from the other."""
    os.killpg(program.process.pid, signal_number)


def in_call(table, browser, program, plain, page, now):
    if not ok(page.runs(), f"the call's {browser.name} sees the camera's bars and hears the tone", (page.all(), now.caller.text[-3000:])):
        return False
    progress(page.all())
    for kinds in browser.processes:
        restarted(table, browser, page, kinds)
    pause(program, signal.SIGCONT)
    ok(plain.is_refused() and plain("frames") == 0 and plain("tones") == 0, f"meanwhile the other {browser.name}, the same program, is refused",
       plain.all())
    return True


def end(table, page, now):
    """With the one who would end the browser stopped: what is left is the kernel."""
    now.caller.process.send_signal(signal.SIGSTOP)
    # It may have been overrun just now.
    ran = until(capturing_by_kernel)
    table.alice.ctl("end", "--all")
    ok(until(lambda: not streams(table.alice)), "the end of the call ends both captures")
    ok(ran and not capturing_by_kernel(), "the microphone's by the sound core's word, too", (ran, capturing_by_kernel()))
    ok(page.is_refused(), "the page is refused from then on, or hears and sees that nothing comes", page.all())
    # A browser that is behind has shown by now what it had got before.
    frames, tones = page("frames"), page("tones")
    ok(page.is_refused() and (page("frames"), page("tones")) == (frames, tones), "and gets nothing of that any more", (frames, tones, page.all(), capturing_by_kernel()))
    now.caller.process.send_signal(signal.SIGCONT)
    ok(now.caller.wait(LIMIT_S) is not None, "its browser is closed with the call", now.caller.text[-3000:])


def try_browser(table, browser):
    plain, page = Page("outside"), Page("inside")
    progress("starting", browser.name)
    program, good = outside(table, browser, plain)
    if not good:
        program.stop()
        return
    pause(program, signal.SIGSTOP)
    progress("a call that is denied")
    denied = table.call(1, browser.command(page.who), allow=False)
    ok(denied.caller.wait(LIMIT_S) == 3 and not page.all(), "asked and denied, the browser of the call does not even start", denied.caller.text[-3000:])
    denied.stop()
    progress("a call that is allowed")
    now = table.call(2, browser.command(page.who), compare=True)
    if in_call(table, browser, program, plain, page, now):
        end(table, page, now)
    now.stop()
    pause(program, signal.SIGCONT)
    program.stop()


def main():
    names = {"chromium": Chromium, "firefox": Firefox}
    server = http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Pages)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    table = Table()
    if open_desk(table.desk):
        ok(table.bob.start_agent(), "Bob has his terminal", table.bob.agent.text)
        try_browser(table, names[sys.argv[1]])
    print(f"1..{unit.count}", flush=True)
    if unit.failed:
        print(run(["journalctl", "--no-pager", "-n", "100"])[1], file=sys.stderr)
    return 1 if unit.failed else 0


if __name__ == "__main__":
    sys.exit(main())
