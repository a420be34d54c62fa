#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Apps behind PipeWire, at the speed of this machine: Debian 13's PipeWire and WirePlumber run in a folder, with sources of
software, and a stand-in for the kernel. What the kernel does is not seen here: tests/vm/pipewire_test has real devices. TAP.

Usage: tests/pipewire/apps.py [--runs N] [--browsers] (as root; after `make tests`)

--runs N: so many times a program outside, and one of the call, blocked and allowed again (3). --browsers: Chromium and Firefox too, in a larger folder.
"""
import argparse
import hashlib
import json
import os
import re
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
LOOKED_S = 3.0  # while somebody asks for all objects of PipeWire again and again
PATIENCE_S = 35  # more than libpulse and GStreamer wait for an answer
SETTLE_S = 0.3  # in which what was on its way has come
LONG = 30
PLACE = "/tmp/callgate-pipewire"
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


def folder(browsers):
    """Debian 13, made once for each list of packages. Where everybody may look: the daemon wants to see whose a program is."""
    digest = hashlib.sha256()
    for name in ("rootfs", "packages-debian13"):
        with open(f"{TOP}/tests/vm/{name}", "rb") as file:
            digest.update(file.read())
    path = f"/var/cache/callgate-test/debian13-{digest.hexdigest()[:16]}{'-browsers' if browsers else ''}"
    if not os.path.isdir(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        shutil.rmtree(path + ".new", ignore_errors=True)
        print("# progress a Debian 13 is made in " + path, flush=True)
        with tempfile.TemporaryDirectory() as tests:
            # The list of packages stands beside the program; a longer one beside a copy of it.
            shutil.copytree(f"{TOP}/tests", tests, dirs_exist_ok=True, ignore=lambda folder, names: [
                name for name in names if folder == f"{TOP}/tests" and name not in ("vm", "debian13", "release")])
            if browsers:
                with open(f"{tests}/vm/packages-debian13", "a", encoding="ascii") as file:
                    file.write("chromium\nfirefox-esr\nfonts-dejavu-core\n")
            subprocess.run([f"{tests}/vm/rootfs", path + ".new", "debian13"], check=True, stdout=sys.stderr)
        os.rename(path + ".new", path)
    return path

# One sounds, and stands still for good when it runs out of buffers, as it does beside a sink; the other is silent and robust.
SOUNDING, ROBUST = ("audiotestsrc", "Audio/Source"), ("support.null-audio-sink", "Audio/Source/Virtual")


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
        for source, target in (("data/pipewire/60-callgate.conf", "pipewire/pipewire.conf.d/60-callgate.conf"),
                               ("data/wireplumber/wireplumber.conf.d/60-callgate.conf",
                                "wireplumber/wireplumber.conf.d/60-callgate.conf"),
                               ("data/wireplumber/scripts/callgate/hold.lua", "wireplumber/scripts/callgate/hold.lua")):
            target = f"{path}/usr/share/{target}"
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copyfile(f"{TOP}/{source}", target)
        with open(f"{path}/usr/share/pipewire/pipewire.conf.d/90-test.conf", "w", encoding="ascii") as file:
            file.write(CONFIG % microphone)
        # Where only root can put something, as the daemon wants it.
        program = f"{path}/usr/libexec/callgate-pipewire"
        shutil.copyfile(f"{TOP}/build/callgate-pipewire", program + ".new")
        os.chmod(program + ".new", 0o755)
        os.rename(program + ".new", program)

    def stop(self):
        for target in reversed(self.mounts):
            subprocess.run(["umount", "-R", "-l", target], check=False)


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

    def server(self, sound=True):
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


def stops(page, what):
    """Silent in the end. What a browser has taken and not given to its page yet, it gives: seconds of it on a busy machine, just after it began."""
    begun = time.monotonic()
    good = wait_for(lambda: time.monotonic() - max(page.at, begun) > 3, 15)
    ok(good, f"{what} ({max(0, page.at - begun):.1f} s later)", page.heard)


def browse(alice, bob, desktop):
    """Asked outside and in a call: refused, allowed, stopped, and allowed again without being started or loaded again."""
    import browsers
    for name, command, limit in browsers.BROWSERS:
        page = browsers.Page()
        home, words = prepare_browser(name, command, page)
        desktop.begin(name, *words)
        ok(wait_for(lambda: page.said, 120), f"{name} comes and asks for the microphone", desktop.log(name))
        time.sleep(8)
        ok(page.at == 0, f"outside a call {name} hears nothing ({', '.join(sorted(set(page.said)))})", page.said)
        desktop.end(name)
        page = browsers.Page()
        # A block of all that a call asked for would end it.
        talk = Talk(alice, bob, desktop, MICROPHONE | CAMERA)
        begun = time.monotonic()
        talk.app(command(home, page.address))
        good = talk.live and wait_for(lambda: page.sounds(begun), 120)
        ok(good, f"in a call {name} hears the microphone", (page.said, desktop.dump() and desktop.log("callgate-pipewire")))
        block(alice, MICROPHONE)
        stops(page, f"blocked, {name} hears nothing")
        said = len(page.said)
        unblock(alice, MICROPHONE)
        begun = time.monotonic()
        at = wait_for(lambda: page.sounds(begun), 120)
        ok(at and at - begun <= limit, f"allowed again, {name} hears it without being started again ({(at or begun) - begun:.2f} s)",
           page.said[said:])
        talk.end()
        stops(page, f"after the call {name} hears nothing")
        talk.stop()
        end_browser(home)


def end_browser(home):
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if home.encode() in file.read():
                    os.kill(int(pid), signal.SIGKILL)
        except OSError:
            pass


def prepare_browser(name, command, page):
    home = f"{PLACE}/home/{name}"
    shutil.rmtree(home, ignore_errors=True)
    os.makedirs(home)
    words = command(home, page.address)
    subprocess.run(["chown", "-R", f"{ALICE}:{ALICE}", home], check=True)
    return home, words


def browse_cameras(alice, bob, desktop):
    """The camera in browsers, natively, by the portal: its user's no and yes, and then Callgate's."""
    import browsers
    ok(start_portal(desktop), "the desktop's portal comes", desktop.log("portal"))
    desktop.begin("picture", VICTIM, "--camera", "picture", PLACE + "/picture", PIPEWIRE_REMOTE="pipewire-0-manager")
    for name, command, limit in browsers.BROWSERS:
        talk = Talk(alice, bob, desktop, MICROPHONE | CAMERA)
        for answer, what in (("1", "in a call, refused by the portal's user,"), ("0", "outside a call, allowed by him,")):
            asked = desktop.log("answers").count("asked")
            answer_portal(desktop, answer)
            page = browsers.Page("video")
            home, words = prepare_browser(name, command, page)
            if answer == "1":
                talk.app(words)
            else:
                desktop.begin(name, *words)
            ok(wait_for(lambda: desktop.log("answers").count("asked") > asked, 120), f"{what} {name} has asked the portal",
               (page.said, desktop.log("portal")))
            time.sleep(8)
            ok(page.at == 0, f"{what} it gets no picture ({', '.join(sorted(set(page.said)))})", page.said)
            desktop.end(name)
            end_browser(home)
        page = browsers.Page("video")
        home, words = prepare_browser(name, command, page)
        begun = time.monotonic()
        talk.app(words)
        good = talk.live and wait_for(lambda: page.sounds(begun), 120)
        ok(good, f"in a call, allowed by him, {name} gets pictures ({', '.join(page.said)})",
           (page.said, desktop.log("callgate-pipewire"), desktop.log("portal")))
        said = len(page.said)
        block(alice, CAMERA)
        stops(page, f"blocked, {name} gets none")
        unblock(alice, CAMERA)
        begun = time.monotonic()
        at = wait_for(lambda: page.sounds(begun), 60)
        # Firefox ends the track; its page asks again, each third of a second.
        ok(at and at - begun <= limit + page.said[said:].count("ended"), f"allowed again, {name} gets pictures without being started again ({(at or begun) - begun:.2f} s"
           f"{', its page: ' + ', '.join(page.said[said:]) if page.said[said:] else ''})", page.said[said:])
        talk.end()
        stops(page, f"after the call {name} gets none")
        talk.stop()
        end_browser(home)


VICTIM = "/callgate/build/tests/pipewire/victim"
DIES = "/callgate/build/tests/pipewire/dies"
# What captures a microphone, as people have it; and by what its capture is seen.
CLIENTS = (
    ("a native stream", None, (VICTIM, "{path}")),
    ("pw-record", "size", ("pw-record", "--target=microphone", "{path}")),
    ("parec", "size", ("parec", "--raw", "--latency-msec=100", "{path}")),
    ("parec of the source for streams that are held", "size", ("parec", "--raw", "--latency-msec=100", "--device=callgate-hold", "{path}")),
    ("arecord through the plug-in", "size", ("arecord", "-q", "-D", "pipewire", "-f", "S16_LE", "-r", "48000", "-c", "2", "{path}")),
    ("GStreamer's pipewiresrc", "size", ("gst-launch-1.0", "-q", "pipewiresrc", "!", "audio/x-raw", "!", "filesink", "buffer-mode=2",
                                         "location={path}")),
)
CAMERAS = (
    ("a native camera stream", None, (VICTIM, "--video", "{path}")),
)
SPEAKERS = (
    ("a native stream of what is played", None, (VICTIM, "--sink", "{path}")),
    ("parec of a monitor", "size", ("parec", "--raw", "--latency-msec=100", "--device=sink.monitor", "{path}")),
    ("pw-record of a sink", "size", ("pw-record", "-P", "{{ stream.capture.sink=true }}", "--target=sink", "{path}")),
)


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


def resume(apps, begun):
    """How long each took to go on, by its name; whoever did not is not in it."""
    before, took = [app.got() for _, app in apps], {}

    def look():
        for (name, app), was in zip(apps, before):
            if name not in took and app.got() > was:
                took[name] = time.monotonic() - begun
        return len(took) == len(apps)
    wait_for(look, LONG)
    return took


def life(alice, desktop, talk, clients, kind, word, wait):
    """Each app of a call: waits without failing, captures, is stopped by a block without failing, and captures again."""
    block(alice, kind)
    apps = [(name, talk.app(words, counter)) for name, counter, words in clients]
    held(desktop, apps, f"blocked from the beginning, for {wait} s", wait)
    unblock(alice, kind)
    first = resume(apps, time.monotonic())
    for name, app in apps:
        ok(name in first and first[name] <= RESUME_S,
           f"in a call {name} captures within {RESUME_S:.0f} s of its being allowed ({first.get(name, -1):.2f} s)",
           (desktop.log("callgate-pipewire"), desktop.log("wireplumber")))
    late, slowest = 0, {}
    for _ in range(3):
        block(alice, kind)
        # GStreamer passes on what it has, in large pieces.
        time.sleep(1)
        before = [app.got() for _, app in apps]
        time.sleep(HELD_S)
        late += sum(app.got() - was for (_, app), was in zip(apps, before))
        unblock(alice, kind)
        for name, took in resume(apps, time.monotonic()).items():
            slowest[name] = max(slowest.get(name, 0), took)
    ok(late == 0, f"blocked, none of them gets more of the {word}, 3 times", late)
    for name, app in apps:
        ok(app.alive() and name in slowest and slowest[name] <= RESUME_S,
           f"allowed again, {name} goes on within {RESUME_S:.0f} s without being started again"
           f" ({slowest.get(name, -1):.2f} s at most)", slowest)
    ok(all(app.errors() == 0 for _, app in apps if app.counter is None), "and a native stream was told of no error")
    return apps


PORTAL = "/callgate/tests/pipewire/portal.py"
BY_PORTAL = (PORTAL, "ask", VICTIM, "--video", "{path}")


def start_portal(desktop):
    """The real portal, and a desktop that answers no until PLACE/answer says 0."""
    for name, text in (("answer", "1"), ("callgate.portal", "[portal]\nDBusName=org.freedesktop.impl.portal.desktop.callgate\n"
                                         "Interfaces=org.freedesktop.impl.portal.Access;\n"),
                       ("portals.conf", "[preferred]\ndefault=callgate\n")):
        with open(f"{PLACE}/config/{name}", "w", encoding="ascii") as file:
            file.write(text)
        os.chown(f"{PLACE}/config/{name}", ALICE, ALICE)
    desktop.begin("permissions", "/usr/libexec/xdg-permission-store")
    desktop.begin("answers", PORTAL, "desktop", PLACE + "/config/answer")

    def on_bus(name):
        return desktop.run("gdbus", "wait", "--session", "--timeout", "1", name).returncode == 0
    wait_for(lambda: on_bus("org.freedesktop.impl.portal.PermissionStore") and on_bus("org.freedesktop.impl.portal.desktop.callgate"), LONG)
    desktop.begin("portal", "/usr/libexec/xdg-desktop-portal", XDG_DESKTOP_PORTAL_DIR=PLACE + "/config")
    return wait_for(lambda: on_bus("org.freedesktop.portal.Desktop"), LONG)


def answer_portal(desktop, answer):
    """From now on; what was said before is forgotten."""
    with open(PLACE + "/config/answer", "w", encoding="ascii") as file:
        file.write(answer)
    desktop.run("gdbus", "call", "--session", "-d", "org.freedesktop.impl.portal.PermissionStore", "-o", "/org/freedesktop/impl/portal/PermissionStore",
                "-m", "org.freedesktop.impl.portal.PermissionStore.Delete", "devices", "camera")


def portal(alice, desktop, talk):
    """The camera by xdg-desktop-portal: its user's no and yes, and then Callgate's."""
    ok(start_portal(desktop), "the desktop's portal comes", desktop.log("portal"))

    def said(app, text):
        return wait_for(lambda: text in desktop.log(os.path.basename(app.path)), LONG)
    refused = outside(desktop, BY_PORTAL)
    ok(said(refused, "refused: org.freedesktop.portal.Error.NotAllowed") and "asked: " in desktop.log("answers"),
       "whom the portal's user refuses the camera gets no connection by the portal", desktop.log(os.path.basename(refused.path)))
    answer_portal(desktop, "0")
    other = outside(desktop, BY_PORTAL)
    ok(said(other, "paused"), "whom he allows it gets one", desktop.log(os.path.basename(other.path)))
    held(desktop, [("it", other)], "outside the call")
    own = talk.app(BY_PORTAL)
    ok(own.flows(), "in the call a program gets pictures by the portal", (desktop.log("callgate-pipewire"), desktop.log("portal")))
    block(alice, CAMERA)
    time.sleep(SETTLE_S)
    before = own.got()
    time.sleep(HELD_S)
    ok(own.got() == before, "blocked, it gets no more", own.got() - before)
    unblock(alice, CAMERA)
    took = own.flows()
    ok(took and took <= RESUME_S, f"allowed again, it goes on ({took or -1:.2f} s)")
    ok(other.got() == 0 and other.alive() and own.errors() == 0, "and the other never got any, and none failed", other.got())
    own.stop()
    other.stop()


def unheard(alice, desktop, talk):
    """Blocked and allowed again before WirePlumber, stopped, has heard the former."""
    own = talk.app(CLIENTS[0][2])
    ok(own.flows(), "a new program of the call captures at once")
    os.kill(desktop.parts["wireplumber"].pid, signal.SIGSTOP)
    block(alice, MICROPHONE)
    time.sleep(SETTLE_S)
    before = own.got()
    time.sleep(SETTLE_S)
    ok(own.got() == before, "blocked while WirePlumber stands still it gets nothing", own.got() - before)
    unblock(alice, MICROPHONE)
    time.sleep(SETTLE_S)
    os.kill(desktop.parts["wireplumber"].pid, signal.SIGCONT)
    took = own.flows()
    ok(took and took <= RESUME_S, f"allowed before WirePlumber goes on, it goes on with it ({took or -1:.2f} s)",
       desktop.log("wireplumber"))
    own.stop()


def deafen(desktop):
    """Somebody dies at the managers' socket while he binds what callgate-pipewire says: to PipeWire he goes on binding it, and it passes on nothing."""
    manager = desktop.parts["callgate-pipewire"].pid
    # Whoever binds it waits for its owner's answer.
    os.kill(manager, signal.SIGSTOP)
    status = desktop.run(DIES).returncode
    os.kill(manager, signal.SIGCONT)
    return status == 0


def deaf(alice, desktop, talk):
    own = talk.app(CLIENTS[0][2])
    ok(own.flows(), "a new program of the call captures")
    for number in range(3):
        ok(deafen(desktop) and own.flows(), f"somebody dies while he binds what callgate-pipewire says, and it goes on ({number + 1})")
        block(alice, MICROPHONE)
        time.sleep(SETTLE_S)
        before = own.got()
        time.sleep(HELD_S)
        ok(own.got() == before, "blocked then, it gets nothing", own.got() - before)
        ok(deafen(desktop), "another dies so")
        unblock(alice, MICROPHONE)
        took = own.flows()
        ok(took and took <= RESUME_S, f"allowed again, it goes on ({took or -1:.2f} s)", desktop.log("callgate-pipewire"))
    ok(own.errors() == 0, "without an error", own.errors())
    ok("was linked" not in desktop.log("callgate-pipewire"), "and without a link that was not allowed", desktop.log("callgate-pipewire"))
    own.stop()


def sees_sources(desktop, app):
    """Whether PipeWire shows the app's client anything that is captured from, by PipeWire's own word."""
    managers = ("env", "PIPEWIRE_REMOTE=pipewire-0-manager")
    objects = json.loads(desktop.run(*managers, "pw-dump").stdout)
    sources = {o["id"] for o in objects if o["type"].endswith(":Node") and o["info"]["props"].get("node.name") in ("microphone", "camera")}
    client = next(o["id"] for o in objects if o["type"].endswith(":Client") and o["info"]["props"].get("pipewire.sec.pid") in app.pids())
    shown = dict(re.findall(r"(\d+): ([-rwxml]+)", desktop.run(*managers, "pw-cli", "get-permissions", str(client)).stdout))
    return any("r" in shown.get(str(source), "") for source in sources)


def without_manager(desktop, talk):
    """Also where the last object was not its only one."""
    own = talk.app(CLIENTS[0][2])
    ok(own.flows() and sees_sources(desktop, own), "a new program of the call captures, and sees what it captures from")
    desktop.parts["callgate-pipewire"].kill()
    desktop.end("callgate-pipewire")
    time.sleep(SETTLE_S)
    before = own.got()
    time.sleep(HELD_S)
    ok(own.got() == before, "when callgate-pipewire is killed it gets nothing more", own.got() - before)
    ok(wait_for(lambda: not sees_sources(desktop, own), LONG), "and sees nothing that captures")
    desktop.manage()
    ok(own.flows() and own.errors() == 0, "started again, it captures on, without an error", (own.errors(), desktop.log("callgate-pipewire")))
    own.stop()


def many(alice, desktop, talk, runs):
    """Buffers at the victims: of a new program outside the call each time, and of the call's own while it is blocked."""
    # Of what changes while somebody begins to look, PipeWire does not tell others.
    desktop.begin("looker", "sh", "-c", "while :; do pw-dump >/dev/null; done", PIPEWIRE_REMOTE="pipewire-0-manager")
    own = talk.app(CLIENTS[0][2])
    ok(own.flows(), "a new program of the call captures")
    outside_got = blocked_got = allowed = 0
    slowest = 0.0
    for run in range(runs):
        block(alice, MICROPHONE)
        other = outside(desktop, CLIENTS[0][2])
        time.sleep(SETTLE_S)
        before = own.got()
        time.sleep(SETTLE_S)
        blocked_got += own.got() - before
        unblock(alice, MICROPHONE)
        took = own.flows()
        allowed += took is not False
        slowest = max(slowest, took or 0)
        outside_got += other.got()
        other.stop()
        if run % 50 == 49:
            print(f"# progress {run + 1} of {runs} runs, {blocked_got} and {outside_got} buffers, load {os.getloadavg()[0]:.1f}",
                  flush=True)
    ok(outside_got == 0, f"in {runs} runs programs outside the call got {outside_got} buffers", outside_got)
    ok(blocked_got == 0, f"in {runs} blocks the call's own got {blocked_got} buffers once {SETTLE_S} s were over", blocked_got)
    ok(allowed == runs and slowest <= LOOKED_S, f"and captured again each time ({slowest:.2f} s at most)", (allowed, slowest))
    ok(own.errors() == 0, "without an error", own.errors())
    own.stop()
    desktop.end("looker")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--browsers", action="store_true")
    parser.add_argument("--root", help="a folder that is there (default: one is made, once)")
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        plan_skip("needs root, to act as several users and to change into a folder")
    place = Place()
    root = Root(arguments.root or folder(arguments.browsers), SOUNDING if arguments.browsers else ROBUST)
    desktop = Desktop(root)
    programs = (f"[sound]\nmanager = {root.path}/usr/libexec/callgate-pipewire\nserver = {root.path}/usr/bin/pipewire\n")
    alice = Side(place, "alice", ALICE, config="[channel]\nheartbeat = 1000\n" + programs)
    bob = Side(place, "bob", BOB, gate=False, config="[channel]\nheartbeat = 1000\n")
    desktop.bus = alice.bus.address
    if not ok(desktop.server(), "PipeWire is up, with a microphone, a camera and a sink of software",
              (desktop.log("pipewire"), desktop.log("wireplumber"))):
        finish()
    # ---- outside a call
    early = [(name, outside(desktop, words, counter)) for name, counter, words in (*CLIENTS, *CAMERAS, *SPEAKERS)]
    held(desktop, early, "without callgate-pipewire")
    desktop.manage()
    ok(wait_for(desktop.managed, LONG), "callgate-pipewire comes", desktop.log("callgate-pipewire"))
    held(desktop, early, "outside a call")
    outside(desktop, (VICTIM, "--show", "screen", "{path}"))
    viewer = outside(desktop, (VICTIM, "--video", "--target", "screen", "{path}"))
    ok(viewer.flows(), "what a program shows, as a screen is shared, another sees", desktop.log("wireplumber"))
    ok(not alice.agent.wait("Approve", 0), "and nobody was asked")
    # ---- in a call
    if arguments.browsers:
        talk = Talk(alice, bob, desktop, MICROPHONE, first=True)
        ok(talk.live, "a first call is live", alice.properties(talk.path))
        talk.end()
        talk.stop()
        browse_cameras(alice, bob, desktop)
        browse(alice, bob, desktop)
        finish()
    talk = Talk(alice, bob, desktop, MICROPHONE | CAMERA | SPEAKER, first=True)
    if not ok(talk.live, "a call is live that asked for all three kinds", alice.properties(talk.path)):
        finish()
    player = desktop.begin("player", "sh", "-c", "while paplay --raw --rate=48000 --channels=2 /dev/urandom; do :; done")
    apps = life(alice, desktop, talk, CLIENTS, MICROPHONE, "microphone", PATIENCE_S)
    # The camera of software stands still when a second program comes to it.
    portal(alice, desktop, talk)
    apps += life(alice, desktop, talk, CAMERAS, CAMERA, "camera", HELD_S)
    apps += life(alice, desktop, talk, SPEAKERS, SPEAKER, "speaker", HELD_S)
    block(alice, SPEAKER)
    time.sleep(0.3)
    ok(apps[0][1].flows(), "a block of the speaker alone leaves the microphone")
    unblock(alice, SPEAKER)
    ok(apps[-1][1].flows(), "and is lifted")
    unheard(alice, desktop, talk)
    deaf(alice, desktop, talk)
    without_manager(desktop, talk)
    many(alice, desktop, talk, arguments.runs)
    held(desktop, early, f"more than {PATIENCE_S} s later, outside the call")
    for _, app in early:
        app.stop()
    others = [(name, outside(desktop, words, counter)) for name, counter, words in (*CLIENTS, *CAMERAS, *SPEAKERS)]
    held(desktop, others, "meanwhile, outside the call")
    ok(viewer.flows() and viewer.errors() == 0, "and what is shown is seen on and on")
    talk.end()
    # As after a block.
    time.sleep(1)
    before = [app.got() for _, app in apps]
    time.sleep(HELD_S)
    got = {name: app.got() - was for (name, app), was in zip(apps, before)}
    ok(not any(got.values()), "after the call nobody gets anything", got)
    ok(all(app.alive() for _, app in apps), "and nobody fails of it", [name for name, app in apps if not app.alive()])
    talk.stop()
    # ---- a call without the speaker
    talk = Talk(alice, bob, desktop, MICROPHONE)
    ok(talk.live, "a call is live that asked for the microphone alone", alice.properties(talk.path))
    microphone, played = talk.app(CLIENTS[0][2]), [(name, talk.app(words, counter)) for name, counter, words in SPEAKERS]
    ok(microphone.flows(), "its program captures")
    held(desktop, played, "in it")
    talk.end()
    talk.stop()
    ok(player.poll() is None, "what plays played on")
    # ---- and one with nothing else
    talk = Talk(alice, bob, desktop, SPEAKER)
    ok(talk.live, "a call is live that asked for the speaker alone", alice.properties(talk.path))
    microphone, heard = [("the microphone", talk.app(CLIENTS[0][2]))], talk.app(SPEAKERS[0][2])
    ok(heard.flows(), "its program hears what is played")
    held(desktop, microphone, "in it")
    ok(alice.gate.allowed() == 0, "and the kernel is told of nothing", alice.gate.grants)
    talk.end()
    talk.stop()
    finish()


if __name__ == "__main__":
    main()
