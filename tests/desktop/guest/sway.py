# SPDX-License-Identifier: LGPL-2.1-or-later
"""Alice's session under Wayland, with sway, which tells where its windows are and lets any program of hers press anything."""
import json
import os
import subprocess

from desk import FOLDER, HERE, SEEN_S, Desk, until
from tree import find


class Sway(Desk):
    """The socket's name is the seat's or another's: a compositor without a screen runs beside it."""

    kind, terminal, unit = "wayland", 8, "alice-wayland"

    def __init__(self):
        super().__init__(HERE + "/session-wayland")
        self.environment = ["env", "XDG_RUNTIME_DIR=" + FOLDER, "HOME=/home/alice"]
        self.control = None

    def is_open(self):
        """Once it answers: the file name of its control."""
        for name in sorted(os.listdir(FOLDER)) if os.path.isdir(FOLDER) else []:
            if name.startswith("sway-ipc.") and self.msg("get_seats", control=f"{FOLDER}/{name}"):
                self.control = f"{FOLDER}/{name}"
        return self.control

    def msg(self, kind, *words, control=None):
        done = self.as_alice("env", "SWAYSOCK=" + (control or self.control), "swaymsg", "--raw", "--type", kind, *words)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def tell(self, *words, control=None):
        return self.msg("command", "--", " ".join(map(str, words)), control=control)

    def question(self, control=None):
        """What the compositor says of the window, or None."""
        return find(self.msg("get_tree", control=control) or {})

    def window(self, limit=120):
        def place():
            node = self.question()
            return node and tuple(node["rect"][name] for name in ("x", "y", "width", "height"))
        return until(place, limit)

    def gone(self, limit=120):
        return until(lambda: not self.question(), limit)

    def close(self):
        self.tell('[title="^Callgate$"]', "kill")

    def put_pointer(self, x, y):
        self.tell("seat", "seat0", "cursor", "set", x, y)

    def press(self):
        """As a program of hers can have it pressed."""
        self.tell("seat", "seat0", "cursor", "press", "button1")
        self.tell("seat", "seat0", "cursor", "release", "button1")

    def virtual_click(self, x, y):
        """By a pointer that a program made in the compositor."""
        screen = self.msg("get_outputs")[0]["rect"]
        return self.as_alice("env", "WAYLAND_DISPLAY=" + self.socket(self.control), HERE + "/pointer.py", x, y, screen["width"],
                             screen["height"])

    def type(self, *keys):
        """By a keyboard that a program made in the compositor, once the window has got the keys back from it."""
        return self.as_alice("env", "WAYLAND_DISPLAY=" + self.socket(self.control), HERE + "/keyboard.py", 2 * SEEN_S, *keys)

    def wtype(self, *keys):
        """Likewise by one that wtype made, whose presses have no time."""
        return self.as_alice("env", "WAYLAND_DISPLAY=" + self.socket(self.control), "wtype", "-s", 2000 * SEEN_S,
                             *[word for key in keys for word in ("-k", key)])

    def socket(self, control):
        """Which display the compositor with this control serves."""
        return next(iter(self.displays(int(control.split(".")[-2]))), "")

    @staticmethod
    def displays(pid):
        """The names of the sockets on which a process listens."""
        with open("/proc/net/unix", encoding="ascii") as file:
            sockets = {words[6]: words[7] for words in map(str.split, file) if len(words) == 8}
        mine = {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
        return sorted(path.rsplit("/", 1)[1] for inode, path in sockets.items() if f"socket:[{inode}]" in mine and "/wayland-" in path)

    def nest(self):
        """Another compositor of hers: its control, once it serves a display."""
        before = set(os.listdir(FOLDER))
        environment = ["env", "XDG_RUNTIME_DIR=" + FOLDER, "WLR_BACKENDS=headless", "WLR_LIBINPUT_NO_DEVICES=1", "WLR_RENDERER=pixman"]
        with open("/dev/null", "w+", encoding="ascii") as null:
            subprocess.Popen(self.argv(*environment, "sway", "--config", "/dev/null"), stdin=null, stdout=null, stderr=null)
        def control():
            name = next((n for n in set(os.listdir(FOLDER)) - before if n.startswith("sway-ipc.")), None)
            return name and self.msg("get_seats", control=f"{FOLDER}/{name}") and f"{FOLDER}/{name}"
        return until(control)

    def rename(self, old, new):
        self.as_alice("mv", f"{FOLDER}/{old}", f"{FOLDER}/{new}")
