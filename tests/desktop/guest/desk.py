# SPDX-License-Identifier: LGPL-2.1-or-later
"""A desk in the virtual machine: hands (QEMU's monitor), programs that forge them, and alice's session on the screen."""
import fcntl
import os
import re
import struct
import subprocess
import time

PORTS = "/sys/class/virtio-ports"
LIMIT_S = 120
EV_KEY, EV_REL, KEY_SPACE, BTN_LEFT = 1, 2, 57, 0x110
UI_SET_EVBIT, UI_SET_KEYBIT, UI_SET_RELBIT, UI_DEV_SETUP, UI_DEV_CREATE = 0x40045564, 0x40045565, 0x40045566, 0x405C5503, 0x5501
VT_ACTIVATE, VT_WAITACTIVE = 0x5606, 0x5607
DISPLAY = ":0"
# From the window's right and lower edge to the middle of its last button, which is the one that allows.
BUTTON = (60, 34)
# The window is armed a second after it was seen, by its clock, which is a loaded machine's.
SEEN_S = 2
NO_HAND = "no hand at this seat pressed it"
FOLDER = "/run/user/1000"
HERE = os.path.dirname(os.path.realpath(__file__))


def until(question, limit=LIMIT_S, pause=0.1):
    """The first true answer, or the last one at the limit."""
    end = time.monotonic() + limit
    while True:
        answer = question()
        if answer or time.monotonic() > end:
            return answer
        time.sleep(pause)


def button(place):
    return place[0] + place[2] - BUTTON[0], place[1] + place[3] - BUTTON[1]


class Forger:
    """A keyboard and pointer that a program made."""

    def __init__(self):
        self.fd = os.open("/dev/uinput", os.O_WRONLY)
        for kind in (EV_KEY, EV_REL):
            fcntl.ioctl(self.fd, UI_SET_EVBIT, kind)
        for key in (KEY_SPACE, BTN_LEFT):
            fcntl.ioctl(self.fd, UI_SET_KEYBIT, key)
        for axis in (0, 1):
            fcntl.ioctl(self.fd, UI_SET_RELBIT, axis)
        # A bus and an identity like a real one's: it may claim what it likes.
        fcntl.ioctl(self.fd, UI_DEV_SETUP, struct.pack("HHHH80sI", 0x11, 1, 1, 1, b"AT Translated Set 2 keyboard", 0))
        fcntl.ioctl(self.fd, UI_DEV_CREATE)

    def press(self, key):
        """Held for a while: drivers take what is shorter for a bouncing contact."""
        for value in (1, 0):
            for kind, code in ((EV_KEY, key), (0, 0)):
                os.write(self.fd, struct.pack("llHHi", 0, 0, kind, code, value if kind else 0))
            time.sleep(0.1)

    def close(self):
        os.close(self.fd)


class Bluetooth:
    """A keyboard that comes the way that Bluetooth's do: from a daemon of root's, through uhid."""

    # Eight modifiers, a byte for nothing, six keys.
    DESCRIPTOR = bytes.fromhex("05010906a101050719e029e71500250175019508810295017508810195067508150025650507190029658100c0")
    CREATE2, INPUT2, BUS_BLUETOOTH, SPACE = 11, 12, 5, 0x2C

    def __init__(self):
        self.fd = os.open("/dev/uhid", os.O_RDWR)
        os.write(self.fd, struct.pack("<I128s64s64sHHIIII4096s", self.CREATE2, b"Keyboard", b"", b"", len(self.DESCRIPTOR), self.BUS_BLUETOOTH,
                                      1, 1, 1, 0, self.DESCRIPTOR))

    def press(self):
        for key in (self.SPACE, 0):
            report = bytes((0, 0, key, 0, 0, 0, 0, 0))
            os.write(self.fd, struct.pack("<IH4096s", self.INPUT2, len(report), report))
            time.sleep(0.1)

    def close(self):
        os.close(self.fd)


class Monitor:
    """QEMU's own, at the other end of a port of this machine."""

    def __init__(self):
        for port in os.listdir(PORTS):
            with open(f"{PORTS}/{port}/name", encoding="ascii") as file:
                if file.read().strip() == "monitor":
                    self.fd = os.open("/dev/" + port, os.O_RDWR | os.O_NONBLOCK)

    def do(self, command):
        os.write(self.fd, command.encode() + b"\n")
        # What it answers is of no interest, but must not pile up.
        try:
            while os.read(self.fd, 4096):
                pass
        except BlockingIOError:
            pass


class Hand:
    """Moves the real pointer and presses the real buttons and keys; looks at the screen for where the pointer is."""

    def __init__(self, monitor, desk):
        self.monitor = monitor
        self.desk = desk

    def move(self, x, y):
        """
        True once the pointer is there: a few pixels off is there. It moves in any case, because the window takes a
        press only where it saw the pointer come.
        """
        self.monitor.do("mouse_move -8 -8")

        def there():
            at = self.desk.pointer()
            dx, dy = x - at[0], y - at[1]
            if abs(dx) <= 2 and abs(dy) <= 2:
                return True
            self.monitor.do(f"mouse_move {max(-100, min(100, dx))} {max(-100, min(100, dy))}")
            return False
        return until(there, pause=0.15)

    def click(self):
        self.monitor.do("mouse_button 1")
        self.monitor.do("mouse_button 0")

    def key(self, name):
        self.monitor.do("sendkey " + name)


class Desk:
    """Alice's session on the seat: a real one, opened by PAM, with an X server that logind gives the devices to."""

    kind, terminal, unit = "x11", 7, "alice-desktop"

    def __init__(self, script):
        self.environment = ["env", "DISPLAY=" + DISPLAY, "HOME=/home/alice"]
        self.script = script

    def argv(self, *argv):
        return ["setpriv", "--reuid", "alice", "--regid", "alice", "--init-groups", *self.environment, *map(str, argv)]

    def as_alice(self, *argv):
        return subprocess.run(self.argv(*argv), capture_output=True, text=True, check=False, timeout=LIMIT_S)

    @staticmethod
    def front(terminal):
        with open("/dev/tty0", "w", encoding="ascii") as console:
            fcntl.ioctl(console, VT_ACTIVATE, terminal)
            fcntl.ioctl(console, VT_WAITACTIVE, terminal)

    def open(self):
        terminal = str(self.terminal)
        subprocess.run(["systemd-run", "--quiet", "--unit", self.unit, "-p", "User=alice", "-p", "PAMName=login",
                        "-p", "TTYPath=/dev/tty" + terminal, "-p", "StandardInput=tty", "-p", "StandardOutput=journal",
                        "-p", "UtmpIdentifier=tty" + terminal, "-p", "UtmpMode=user", "-E", "XDG_SESSION_TYPE=" + self.kind,
                        "-E", "XDG_SESSION_CLASS=user", "-E", "XDG_SEAT=seat0", "-E", "XDG_VTNR=" + terminal, self.script], check=True)
        self.front(self.terminal)
        return until(self.is_open)

    def is_open(self):
        return self.as_alice("xdotool", "getmouselocation").returncode == 0

    @staticmethod
    def other_session(name, terminal):
        """Another person's session on the seat, of a shell; in front."""
        subprocess.run(["systemd-run", "--quiet", "--unit", name + "-console", "-p", "User=" + name, "-p", "PAMName=login",
                        "-p", f"TTYPath=/dev/tty{terminal}", "-p", "StandardInput=tty", "-p", f"UtmpIdentifier=tty{terminal}",
                        "-p", "UtmpMode=user", "-E", "XDG_SESSION_TYPE=tty", "-E", "XDG_SESSION_CLASS=user", "-E", "XDG_SEAT=seat0",
                        "-E", f"XDG_VTNR={terminal}", "sleep", "infinity"], check=True)
        # Before logind knows of it an empty terminal would be in front.
        until(lambda: name in subprocess.run(["loginctl", "--no-legend", "list-sessions"], capture_output=True, text=True,
                                             check=False).stdout)
        Desk.front(terminal)

    @staticmethod
    def who_is_in_front():
        """By logind: a user's name, or nothing."""
        shown = subprocess.run(["loginctl", "show-seat", "-p", "ActiveSession", "--value", "seat0"], capture_output=True, text=True,
                               check=False).stdout.strip()
        return shown and subprocess.run(["loginctl", "show-session", "-p", "Name", "--value", shown], capture_output=True, text=True,
                                        check=False).stdout.strip()

    def user(self, *words):
        """systemctl --user, as alice."""
        return self.as_alice("env", "XDG_RUNTIME_DIR=" + FOLDER, "systemctl", "--user", *words)

    def start_agent(self):
        """The one of her desktop, up to where it can be asked."""
        begun = time.time()
        self.user("start", "callgate-agent")
        return until(lambda: "ready" in self.journal(["_COMM=callgate-agent"], begun))

    def activate(self, name):
        """By the accessibility bus."""
        return self.as_alice("env", f"DBUS_SESSION_BUS_ADDRESS=unix:path={FOLDER}/bus", HERE + "/activate.py", name).stdout

    def xdo(self, *words):
        return self.as_alice("xdotool", *words).stdout.strip()

    def pointer(self):
        found = dict(re.findall(r"(\w):(\d+)", self.xdo("getmouselocation")))
        return (int(found.get("x", -1)), int(found.get("y", -1)))

    def window(self, limit=LIMIT_S):
        """Place and size of the question on the screen, or None."""
        def place():
            name = self.xdo("search", "--onlyvisible", "--name", "^Callgate$").split("\n")[0]
            found = dict(re.findall(r"(\w+)=(\d+)", self.xdo("getwindowgeometry", "--shell", name))) if name else {}
            return tuple(int(found[name]) for name in ("X", "Y", "WIDTH", "HEIGHT")) if len(found) >= 4 else None
        return until(place, limit)

    def gone(self, limit=LIMIT_S):
        return until(lambda: not self.xdo("search", "--onlyvisible", "--name", "^Callgate$"), limit)

    def close(self):
        name = self.xdo("search", "--onlyvisible", "--name", "^Callgate$").split("\n")[0]
        self.xdo("windowkill", name)

    def nest(self):
        """Another display, in a window of alice's."""
        self.nested = subprocess.Popen(self.argv("Xephyr", ":5", "-screen", "600x400", "-title", "nested"), stderr=subprocess.DEVNULL)
        return until(lambda: self.xdo("search", "--onlyvisible", "--name", "nested"))

    def focus_nested(self):
        self.xdo("windowfocus", self.xdo("search", "--onlyvisible", "--name", "nested").split("\n")[0])

    def rename(self, old, new):
        """A display's socket: a server without root's rights has it in her name."""
        self.as_alice("mv", f"/tmp/.X11-unix/{old}", f"/tmp/.X11-unix/{new}")

    def on_nested(self):
        return self.as_alice("env", "DISPLAY=:5", "xdotool", "search", "--onlyvisible", "--name", "^Callgate$").stdout.strip()

    def picture(self, place):
        return self.as_alice(HERE + "/picture.py", *place).stdout.strip()

    def dress(self):
        """Style and fonts as an attacker of the same user would write them."""
        for folder, name, text in (("gtk-4.0", "gtk.css", "* { color: #fff; background: #fff; font-size: 30px; }"),
                                   ("fontconfig", "fonts.conf", "<fontconfig><match><edit name='size' mode='assign'><double>30"
                                                                "</double></edit></match></fontconfig>")):
            self.as_alice("mkdir", "-p", f"/home/alice/.config/{folder}")
            with open(f"/home/alice/.config/{folder}/{name}", "w", encoding="utf-8") as file:
                file.write(text)

    def journal(self, unit, since):
        words = ["journalctl", "--no-pager", "-o", "cat", "--since", f"@{since}"]
        return subprocess.run([*words, *unit], capture_output=True, text=True, check=False).stdout
