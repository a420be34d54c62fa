#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""callgate-indicator in a panel that people have, Xfce's, against a fake daemon: the icon comes, a click opens the list, its entries work.

Needs a display, Xvfb's. Pictures of it go to build/screenshots, for people to look at.
"""
import os
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tools"))
import dbus  # noqa: E402
import dbus.mainloop.glib  # noqa: E402
from fake import BUILD, Bus, Fake, Program, Session, Tap, Thread, until  # noqa: E402

INDICATOR = os.path.join(BUILD, "callgate-indicator")
SHOTS = os.path.join(BUILD, "screenshots")
CAMERA, MICROPHONE = 2, 1
CALL = "/org/callgate1/session/1"
# The left end of the panel that guest/panel.xml describes.
PLACE = (0, 2, 200, 26)


def stream(kinds):
    return {"Device": dbus.ObjectPath("/org/callgate1/device/1"), "DeviceName": "Test", "Node": "/dev/video0", "Kinds": dbus.UInt32(kinds),
            "Uid": dbus.UInt32(os.getuid()), "Pid": dbus.UInt32(7), "Executable": "/usr/bin/ffmpeg", "App": "", "Session": dbus.ObjectPath(CALL),
            "Since": dbus.UInt64(int(time.clock_gettime(time.CLOCK_BOOTTIME) * 1e6))}


class Desktop:
    """A display, a session bus and a panel."""

    def __init__(self, system):
        self.home = tempfile.mkdtemp(prefix="callgate-panel-")
        folder = self.home + "/.config/xfce4/xfconf/xfce-perchannel-xml"
        os.makedirs(folder)
        shutil.copy(os.path.join(HERE, "guest", "panel.xml"), folder + "/xfce4-panel.xml")
        read, write = os.pipe()
        self.programs = [subprocess.Popen(["Xvfb", "-displayfd", str(write), "-screen", "0", "900x300x24", "-noreset", "-nolisten", "tcp"],
                                          pass_fds=(write,), stderr=subprocess.DEVNULL)]
        os.close(write)
        with os.fdopen(read, encoding="ascii") as file:
            display = ":" + file.readline().strip()
        self.env = {"DISPLAY": display, "HOME": self.home, "XDG_RUNTIME_DIR": self.home, "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8",
                    "LANGUAGE": "en", "NO_AT_BRIDGE": "1", "DBUS_SYSTEM_BUS_ADDRESS": system}
        self.programs.append(subprocess.Popen(["dbus-daemon", "--session", "--nofork", "--print-address"], stdout=subprocess.PIPE, env=self.env,
                                              stderr=subprocess.DEVNULL, text=True))
        self.env["DBUS_SESSION_BUS_ADDRESS"] = self.programs[-1].stdout.readline().strip()

    def start(self, *argv):
        program = Program(*argv, env=self.env)
        self.programs.append(program.process)
        return program

    def do(self, *argv):
        return subprocess.run([*map(str, argv)], env=self.env, check=False, capture_output=True, text=True, timeout=60).stdout.strip()

    def hosts(self):
        return "true" in self.do("busctl", "--user", "get-property", "org.kde.StatusNotifierWatcher", "/StatusNotifierWatcher",
                                 "org.kde.StatusNotifierWatcher", "IsStatusNotifierHostRegistered")

    def icon(self):
        """The middle of what stands at the panel's left end, or None."""
        words = self.do(HERE + "/guest/picture.py", *PLACE, "--odd").split()
        return tuple(map(int, words)) if words else None

    def picture(self):
        return self.do(HERE + "/guest/picture.py", *PLACE)

    def menus(self):
        """Whether a menu is open: a window that is taller than the panel, and not the screen."""
        shown = self.do("xdotool", "search", "--onlyvisible", "--class", "wrapper|panel").split()
        heights = [int(self.do("xdotool", "getwindowgeometry", "--shell", w).partition("HEIGHT=")[2].split("\n")[0] or 0) for w in shown]
        return any(40 < height < 300 for height in heights)

    def open_menu(self):
        place = until(self.icon)
        if not place:
            return False
        self.do("xdotool", "mousemove", *place, "click", 1)
        return until(self.menus)

    def choose(self, down):
        """That which is so many keys down among what can be chosen."""
        self.do("xdotool", "key", *["Down"] * down)
        self.do("xdotool", "key", "Return")
        return until(lambda: not self.menus())

    def shoot(self, name):
        os.makedirs(SHOTS, exist_ok=True)
        self.do("import", "-window", "root", f"{SHOTS}/panel-{name}.png")

    def stop(self):
        for program in reversed(self.programs):
            program.terminate()
            program.wait()
        shutil.rmtree(self.home)


dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
tap = Tap()
bus = Bus()
fake = Fake(bus.address)
loop = Thread()
desktop = Desktop(bus.address)
panel = desktop.start("xfce4-panel")
tap.ok(until(desktop.hosts), "the panel shows items", panel.text)
indicator = desktop.start(INDICATOR, "--locale-dir", os.path.join(BUILD, "locale"))
tap.ok(until(lambda: fake.subscribers) and desktop.icon() is None, "where nothing captures it has no icon there", desktop.icon())


def call():
    session = Session(fake, CALL, ":1.0", b"x" * 16, False, "bob", 3, 0)
    session.facts.update(State="live", Granted=dbus.UInt32(3), PeerAuthentication="verified")
    fake.sessions.append(session)
    fake.event("SessionAdded", "oa{sv}", dbus.ObjectPath(CALL), session.facts)


def capture(*streams):
    """When the signal went out (CLOCK_BOOTTIME, µs)."""
    fake.streams = list(streams)
    now = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000
    fake.event("StreamStarted" if streams else "StreamStopped", "a{sv}", stream(CAMERA))
    return now


loop.do(call)
tap.ok(until(desktop.icon), "a call brings one", (indicator.text, panel.text))
idle = desktop.picture()
desktop.shoot("call")
watcher = desktop.start(HERE + "/guest/picture.py", *map(str, PLACE), "--changes")
until(lambda: "ready" in watcher.text)
begun = loop.do(lambda: capture(stream(CAMERA), stream(MICROPHONE)))
tap.ok(until(lambda: watcher.text.split()[1:]) and desktop.picture() != idle, "when it captures the icon is another one", watcher.text)
drawn = watcher.text.split()[1:2]
print(f"# on the screen {(int(drawn[0]) - begun) / 1000 if drawn else -1:.0f} ms after the daemon's signal", flush=True)
watcher.stop()
in_use = desktop.picture()
tap.ok(desktop.open_menu(), "a click on it opens the list", panel.text)
desktop.shoot("menu")
tap.ok(desktop.choose(4) and until(lambda: fake.blocked == 3), "whose last entry blocks both", fake.blocked)
loop.do(capture)
tap.ok(until(lambda: desktop.picture() not in (idle, in_use)), "which is to be seen")
desktop.shoot("blocked")
tap.ok(desktop.open_menu() and desktop.choose(4) and until(lambda: fake.blocked == 0), "and unblocks both", fake.blocked)
tap.ok(desktop.open_menu() and desktop.choose(1) and until(lambda: fake.ended == 1), "its first entry ends the call", fake.ended)
loop.do(lambda: fake.event("SessionRemoved", "oa{sv}", dbus.ObjectPath(CALL), {"EndReason": "ended"}))
tap.ok("LIBDBUSMENU" not in panel.text, "the panel has nothing to complain of", panel.text)
tap.ok(until(lambda: desktop.icon() is None), "and then there is no icon any more", desktop.icon())
indicator.stop()
desktop.stop()
bus.stop()
sys.exit(tap.done())
