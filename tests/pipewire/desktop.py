# SPDX-License-Identifier: LGPL-2.1-or-later
"""A desktop behind PipeWire, at the speed of this machine: Debian 13's PipeWire and WirePlumber run in a folder, with sources of
software, and a stand-in for the kernel. For apps.py, browsers.py and screen.py."""
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

TOP = os.path.realpath(os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", ".."))
sys.path.insert(0, os.path.join(TOP, "tests", "bus", "lib"))
from counted import Counted  # noqa: E402
from rig import *  # noqa: E402,F403

MICROPHONE, CAMERA, SPEAKER = 1, 2, 4
HELD_S = 1.5
RESUME_S = 1.0
SETTLE_S = 0.3  # in which what was on its way has come
LONG = 30
PLACE = "/tmp/callgate-pipewire"
VICTIM = "/callgate/build/tests/pipewire/victim"
PORTAL = "/callgate/tests/pipewire/portal.py"
CONFIG = """
context.spa-libs = {
    audiotestsrc = audiotestsrc/libspa-audiotestsrc
    videotestsrc = videotestsrc/libspa-videotestsrc
}
context.objects = [
    { factory = adapter args = { factory.name = %s node.name = microphone media.class = %s node.description = Microphone audio.position = [ FL FR ] } }
    { factory = adapter args = { factory.name = support.null-audio-sink node.name = sink media.class = Audio/Sink object.linger = true audio.position = [ FL FR ] monitor.channel-volumes = true } }
    { factory = spa-node-factory args = { factory.name = videotestsrc node.name = camera media.class = Video/Source node.description = Camera } }
]
"""
# What else a folder may hold.
MORE = {
    "browsers": ("chromium", "firefox-esr", "fonts-dejavu-core"),
    "screen": ("sway", "swaybg", "xdg-desktop-portal-wlr",
               "mutter", "xdg-desktop-portal-gnome", "libgl1-mesa-dri", "gir1.2-gtk-4.0", "fonts-dejavu-core"),
}


def folder(more=None):
    """Debian 13, made once for each list of packages. Where everybody may look: the daemon wants to see whose a program is."""
    digest = hashlib.sha256()
    for name in ("rootfs", "packages-debian13"):
        with open(f"{TOP}/tests/vm/{name}", "rb") as file:
            digest.update(file.read())
    digest.update(" ".join(MORE.get(more, ())).encode())
    path = f"/var/cache/callgate-test/debian13-{digest.hexdigest()[:16]}{'-' + more if more else ''}"
    if not os.path.isdir(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        shutil.rmtree(path + ".new", ignore_errors=True)
        print("# progress a Debian 13 is made in " + path, flush=True)
        with tempfile.TemporaryDirectory() as tests:
            # The list of packages stands beside the program; a longer one beside a copy of it.
            shutil.copytree(f"{TOP}/tests", tests, dirs_exist_ok=True, ignore=lambda folder, names: [
                name for name in names if folder == f"{TOP}/tests" and name not in ("vm", "debian13", "release")])
            with open(f"{tests}/vm/packages-debian13", "a", encoding="ascii") as file:
                file.writelines(package + "\n" for package in MORE.get(more, ()))
            subprocess.run([f"{tests}/vm/rootfs", path + ".new", "debian13"], check=True, stdout=sys.stderr)
        os.rename(path + ".new", path)
    return path


# One sounds, and stands still for good when it runs out of buffers, as it does beside a sink; the other is silent and robust.
SOUNDING, ROBUST = ("audiotestsrc", "Audio/Source"), ("support.null-audio-sink", "Audio/Source/Virtual")
# Callgate's layer, and where it is installed below /usr/share.
LAYER = (
    ("data/pipewire/60-callgate.conf", "pipewire/pipewire.conf.d/60-callgate.conf"),
    ("data/wireplumber/wireplumber.conf.d/60-callgate.conf", "wireplumber/wireplumber.conf.d/60-callgate.conf"),
    ("data/wireplumber/scripts/callgate/hold.lua", "wireplumber/scripts/callgate/hold.lua"),
)


class Root:
    """Debian 13 in a folder of its own, which only root can change, with what of this machine it needs."""

    def __init__(self, path, microphone):
        self.path = path
        self.mounts = []
        things.append(self)
        for source, target in (("/proc", "proc"), ("/sys", "sys"), ("/dev", "dev"), ("/tmp", "tmp"), (TOP, "callgate")):
            target = f"{path}/{target}"
            os.makedirs(target, exist_ok=True)
            subprocess.run(["mount", "--rbind" if source in ("/sys", "/dev") else "--bind", source, target], check=True)
            subprocess.run(["mount", "--make-rslave", target], check=True)
            self.mounts.append(target)
        self.install()
        with open(f"{path}/usr/share/pipewire/pipewire.conf.d/90-test.conf", "w", encoding="ascii") as file:
            file.write(CONFIG % microphone)
        # Where only root can put something, as the daemon wants it.
        program = f"{path}/usr/libexec/callgate-pipewire"
        shutil.copyfile(f"{TOP}/build/callgate-pipewire", program + ".new")
        os.chmod(program + ".new", 0o755)
        os.rename(program + ".new", program)

    def install(self, layer=True):
        """Callgate's layer, or nothing of it. For what is started then."""
        for source, target in LAYER:
            target = f"{self.path}/usr/share/{target}"
            os.makedirs(os.path.dirname(target), exist_ok=True)
            if layer:
                shutil.copyfile(f"{TOP}/{source}", target)
            elif os.path.exists(target):
                os.unlink(target)

    def stop(self):
        while self.mounts:
            subprocess.run(["umount", "-R", "-l", self.mounts.pop()], check=False)


class Desktop:
    """Alice's session: a bus, PipeWire, WirePlumber, pipewire-pulse, callgate-pipewire."""

    def __init__(self, root):
        self.root, self.parts = root, {}
        self.bus = ""
        shutil.rmtree(PLACE, ignore_errors=True)
        for folder in ("", "/home", "/config", "/state"):
            os.makedirs(PLACE + folder, exist_ok=True)
            os.chmod(PLACE + folder, 0o700)
            os.chown(PLACE + folder, ALICE, ALICE)
        things.append(self)

    def argv(self, *words, **more):
        environment = dict(HOME=PLACE + "/home", XDG_RUNTIME_DIR=PLACE, XDG_CONFIG_HOME=PLACE + "/config", LANG="C.UTF-8",
                           XDG_STATE_HOME=PLACE + "/state", DBUS_SESSION_BUS_ADDRESS=f"unix:path={PLACE}/bus",
                           DBUS_SYSTEM_BUS_ADDRESS=self.bus, **more)
        return ["chroot", self.root.path, "setpriv", "--reuid", str(ALICE), "--regid", str(ALICE), "--clear-groups",
                "--reset-env", "env", *(f"{name}={value}" for name, value in environment.items()), *words]

    def begin(self, name, *words, **more):
        with open(f"{PLACE}/{name}.log", "ab") as log:
            self.parts[name] = subprocess.Popen(self.argv(*words, **more), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                                start_new_session=True)
        return self.parts[name]

    def end(self, name):
        part = self.parts.pop(name, None)
        if part and part.poll() is None:
            os.killpg(part.pid, signal.SIGTERM)
            try:
                part.wait(5)
            except subprocess.TimeoutExpired:
                os.killpg(part.pid, signal.SIGKILL)
                part.wait()

    def log(self, name):
        with open(f"{PLACE}/{name}.log", encoding="utf-8", errors="replace") as file:
            return file.read()[-1500:]

    def run(self, *words):
        return subprocess.run(self.argv(*words), capture_output=True, text=True, timeout=60, check=False)

    def dump(self):
        text = self.run("pw-dump").stdout
        try:
            return json.loads(text[text.index("["):])
        except ValueError:
            return []

    def managed(self):
        return 'Found "callgate"' in self.run("timeout", "2", "env", "PIPEWIRE_REMOTE=pipewire-0-manager", "pw-metadata", "-n",
                                              "callgate").stdout

    def nodes(self, media_class):
        return [o for o in self.dump() if o["type"].endswith(":Node") and
                o["info"]["props"].get("media.class", "").startswith(media_class)]

    def server(self):
        self.begin("bus", "dbus-daemon", "--session", "--nofork", "--nopidfile", f"--address=unix:path={PLACE}/bus")
        wait_for(lambda: os.path.exists(PLACE + "/bus"), LONG)
        self.begin("pipewire", "pipewire")
        wait_for(lambda: os.path.exists(PLACE + "/pipewire-0-manager"), LONG)
        self.begin("wireplumber", "wireplumber")
        self.begin("pulse", "pipewire-pulse")
        return wait_for(lambda: self.nodes("Audio/Source") and self.nodes("Video/Source") and self.nodes("Audio/Sink"), LONG)

    def manage(self):
        self.begin("callgate-pipewire", "/usr/libexec/callgate-pipewire")

    def stop(self):
        for name in reversed(list(self.parts)):
            self.end(name)


class App(Counted):
    """A program, in the call's control group or outside, and what it got."""

    number = 0

    def __init__(self, words, begin, counter=None):
        App.number += 1
        self.path = f"{PLACE}/capture-{App.number:04}"
        self.counter = counter
        self.words = [word.format(path=self.path) for word in words]
        begin(self)

    def flows(self, limit=LONG):
        before, begun = self.got(), time.monotonic()
        return wait_for(lambda: self.got() > before, limit) and time.monotonic() - begun

    def alive(self):
        return self.pids() != []

    def pids(self):
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    words = file.read().split(b"\0")
                uid = os.stat(f"/proc/{pid}").st_uid
            except OSError:
                continue
            if uid == ALICE and any(self.path.encode() in word for word in words) and words[0] not in (b"sh", b"/bin/sh"):
                found.append(int(pid))
        return found

    def stop(self):
        for pid in self.pids():
            try:
                os.kill(pid, signal.SIGTERM)
            except ProcessLookupError:
                pass
        wait_for(lambda: not self.alive(), 5)


class Talk:
    """A call of Alice's whose programs run in its control group."""

    def __init__(self, alice, bob, desktop, kinds, first=False):
        self.alice, self.desktop, self.kinds = alice, desktop, kinds
        self.orders = f"{PLACE}/orders-{time.monotonic_ns()}"
        os.mkfifo(self.orders)
        os.chmod(self.orders, 0o666)
        shell = subprocess.Popen(desktop.argv("sh", "-c", f"while read -r line; do eval \"$line\" & done <>{self.orders}"),
                                 start_new_session=True)
        wait_for(lambda: os.readlink(f"/proc/{shell.pid}/exe").endswith("sh"), LONG)
        self.shell = shell
        self.path, self.other, self.relay = start_call(alice, bob, kinds=kinds, subject=shell.pid, scope=True)
        if first:
            compare(alice, bob)
        self.live = wait_for(lambda: (alice.properties(self.path) or {}).get("Granted") == kinds, LONG)

    def app(self, words, counter=None):
        def begin(app):
            with open(self.orders, "w", encoding="ascii") as file:
                file.write(" ".join("'" + word + "'" for word in app.words) + "\n")
        return App(words, begin, counter)

    def end(self):
        self.alice.app.call(self.path, SESSION, "End")
        wait_for(lambda: self.alice.properties(self.path) is None, LONG)
        self.relay.stop()

    def stop(self):
        os.killpg(self.shell.pid, signal.SIGKILL)
        self.shell.wait()


def outside(desktop, words, counter=None):
    def begin(app):
        desktop.begin(os.path.basename(app.path), *app.words)
    return App(words, begin, counter)


def block(alice, kinds):
    alice.app.manager("Block", "u", kinds)


def unblock(alice, kinds):
    """Until the user's yes has been said; the time from there on counts."""
    serial = alice.app.start_call(ROOT_PATH, MANAGER, "Unblock", "u", kinds)
    alice.agent.reply(alice.agent.wait("Confirm"), "b", True)
    alice.app.answer_to(serial)


def held(desktop, apps, what, wait=HELD_S):
    """They wait, in PipeWire, and do not only fail to come so far."""
    def come():
        return len(desktop.nodes("Stream/Input")) >= len(apps)
    ok(wait_for(come, LONG), f"{what}: all wait in PipeWire", [o["info"]["props"] for o in desktop.nodes("Stream/Input")])
    time.sleep(wait)
    for name, app in apps:
        ok(app.got() == 0, f"{what}: {name} gets nothing", app.got())
    ok(all(app.alive() for _, app in apps), f"{what}: and no program fails of it",
       [name for name, app in apps if not app.alive()])


IMPL = "org.freedesktop.impl.portal."


def put_config(name, text):
    path = f"{PLACE}/config/{name}"
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
    os.chown(path, ALICE, ALICE)


def start_portal(desktop, *screens, name="wlr"):
    """The real portal, and a desktop that answers no until PLACE/config/answer says 0. @screens: the program that shares screens,
    @name: how it is called on the bus."""
    put_config("answer", "1")
    put_config("callgate.portal", f"[portal]\nDBusName={IMPL}desktop.callgate\nInterfaces={IMPL}Access;\n")
    put_config("screens.portal", f"[portal]\nDBusName={IMPL}desktop.{name}\nInterfaces={IMPL}ScreenCast;\n")
    put_config("portals.conf", "[preferred]\ndefault=callgate\n" + (f"{IMPL}ScreenCast=screens\n" if screens else ""))
    desktop.begin("permissions", "/usr/libexec/xdg-permission-store")
    desktop.begin("answers", PORTAL, "desktop", PLACE + "/config/answer")
    names = [IMPL + "PermissionStore", IMPL + "desktop.callgate"]
    if screens:
        desktop.begin("screens", *screens)
        names.append(IMPL + "desktop." + name)

    def on_bus(name):
        return desktop.run("gdbus", "wait", "--session", "--timeout", "1", name).returncode == 0
    wait_for(lambda: all(map(on_bus, names)), LONG)
    desktop.begin("portal", "/usr/libexec/xdg-desktop-portal", XDG_DESKTOP_PORTAL_DIR=PLACE + "/config")
    return wait_for(lambda: on_bus("org.freedesktop.portal.Desktop"), LONG)


def answer_portal(desktop, answer):
    """From now on; what was said before is forgotten."""
    with open(PLACE + "/config/answer", "w", encoding="ascii") as file:
        file.write(answer)
    desktop.run("gdbus", "call", "--session", "-d", "org.freedesktop.impl.portal.PermissionStore", "-o", "/org/freedesktop/impl/portal/PermissionStore",
                "-m", "org.freedesktop.impl.portal.PermissionStore.Delete", "devices", "camera")
