# SPDX-License-Identifier: LGPL-2.1-or-later
"""A Wayland compositor in a window of an X server, whose pointer and keys are XTEST's."""
import json
import os
import shutil
import subprocess
import sys
import tempfile

from prompt import Display, until

sys.path.append(os.path.join(os.path.dirname(os.path.realpath(__file__)), "guest"))
from tree import find  # noqa: E402

# It will not run as root.
NOBODY = ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups"] if os.getuid() == 0 else []


class Compositor:
    """sway, as a display of prompt.py."""

    def __init__(self, folder=None, wrapper=()):
        self.screen = Display()
        self.folder = folder or tempfile.mkdtemp(prefix="callgate-wayland.")
        before = set(os.listdir(self.folder))
        with open(self.folder + "/config", "w", encoding="ascii") as file:
            file.write("xwayland disable\noutput X11-1 resolution 900x900\nseat * hide_cursor 0\n")
        if NOBODY:
            shutil.chown(self.folder, "nobody")
        env = {"PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": self.folder, "WLR_BACKENDS": "x11", "WLR_RENDERER": "pixman",
               "DISPLAY": self.screen.name, **{n: os.environ[n] for n in ("DBUS_SYSTEM_BUS_ADDRESS", "SESSION_FILE") if n in os.environ}}
        with open(self.folder + "/log", "w", encoding="ascii") as log:
            self.process = subprocess.Popen([*NOBODY, *wrapper, "sway", "--config", self.folder + "/config"], env=env, stderr=log)
        def new(kind):
            return next((self.folder + "/" + name for name in set(os.listdir(self.folder)) - before
                         if name.startswith(kind) and not name.endswith(".lock")), None)
        self.control, self.socket = until(lambda: new("sway-ipc.")), until(lambda: new("wayland-"))
        until(lambda: self.msg("get_outputs"))
        self.environment = {"GDK_BACKEND": "wayland", "XDG_RUNTIME_DIR": self.folder, "WAYLAND_DISPLAY": os.path.basename(self.socket)}

    def run(self, *argv):
        return subprocess.run(argv, env=dict(os.environ, SWAYSOCK=self.control, XDG_RUNTIME_DIR=self.folder, WAYLAND_DISPLAY=self.socket),
                              capture_output=True, text=True, check=False, timeout=30)

    def msg(self, kind, *words):
        said = self.run("swaymsg", "--raw", "--type", kind, *words)
        return json.loads(said.stdout) if said.returncode == 0 else None

    def tell(self, *words):
        self.msg("command", "--", " ".join(map(str, words)))

    def window(self):
        return find(self.msg("get_tree") or {})

    def place(self):
        rect = self.window()["rect"]
        return tuple(rect[name] for name in ("x", "y", "width", "height"))

    def move(self, x, y):
        self.screen.move(x, y)

    def click(self):
        self.screen.click()

    def key(self, *names):
        self.screen.do("key", *names)

    def shoot(self, path):
        x, y, width, height = self.place()
        self.run("grim", "-g", f"{x},{y} {width}x{height}", path)

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.screen.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
