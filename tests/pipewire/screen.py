#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A screen that is shared by the portal: Debian 13's sway without a screen of its own and xdg-desktop-portal-wlr, then GNOME's mutter and
xdg-desktop-portal-gnome, with xdg-desktop-portal, behind PipeWire with Callgate's layer, and once without. TAP.

Usage: tests/pipewire/screen.py [--root FOLDER] [sway] [gnome] (as root; after `make tests`)
"""
import argparse
import json
import os
import re
import signal
import time

from desktop import *  # noqa: F403

VIEWER = (PORTAL, "share", VICTIM, "--video", "--fd", "FD", "--node", "NODE", "{path}")
GSTREAMER = (PORTAL, "share", "gst-launch-1.0", "-q", "pipewiresrc", "fd=FD", "path=NODE", "!", "video/x-raw", "!", "filesink", "buffer-mode=2",
             "location={path}")
# What somebody may try to get by the way to the screen.
TRIES = (
    ("for the microphone", ("--target", "microphone")),
    ("for any microphone", ()),
    ("for the camera", ("--video", "--target", "camera")),
    ("for what is played", ("--sink",)),
)
GNOME = "/callgate/tests/pipewire/gnome.py"
DEVICES = {"Node microphone", "Node camera"}
MANAGERS = ("env", "PIPEWIRE_REMOTE=pipewire-0-manager")


class Sway:
    """A compositor and what is needed to share its one output. What it shows is a grey."""

    node = "xdg-desktop-portal-wlr"
    recorder = None
    waits = False
    logs = ("sway", "screens", "portal")

    def __init__(self, desktop):
        self.desktop, self.grey = desktop, 0
        self.socket = PLACE + "/sway"
        put_config("sway", "xwayland disable\noutput HEADLESS-1 mode --custom 640x360@30Hz\n")
        put_config("xdg-desktop-portal-wlr/config", "[screencast]\noutput_name=HEADLESS-1\nchooser_type=none\nmax_fps=30\n")
        desktop.begin("sway", "sway", "--config", PLACE + "/config/sway", WLR_BACKENDS="headless", WLR_RENDERER="pixman",
                      WLR_LIBINPUT_NO_DEVICES="1", SWAYSOCK=self.socket)
        self.good = (wait_for(lambda: os.path.exists(self.socket), LONG) and wait_for(self.display, LONG) and
                     start_portal(desktop, "env", "WAYLAND_DISPLAY=" + self.display(), "LD_PRELOAD=/callgate/build/tests/pipewire/nogpu.so",
                                  "/usr/libexec/xdg-desktop-portal-wlr", "-l", "INFO"))

    def display(self):
        return next((name for name in os.listdir(PLACE) if re.fullmatch(r"wayland-\d+", name)), None)

    def show(self):
        """Another grey than before."""
        self.grey = self.grey % 240 + 16
        self.desktop.run("swaymsg", "--socket", self.socket, "output", "HEADLESS-1", "bg", "#" + f"{self.grey:02x}" * 3, "solid_color")

    def agree(self, begun):
        """It asks nobody."""


class Gnome:
    """The same, of GNOME's: mutter draws without a GPU, its portal asks in a window that somebody clicks in."""

    node = "mutter"
    # As GNOME's own recorder and remote desktop do: without the portal, by the ordinary socket.
    recorder = (GNOME, "record", VICTIM, "--video", "--node", "NODE", "{path}")
    # A connection for each screen, which waits for WirePlumber by itself.
    waits = True
    logs = ("mutter", "wall", "screens", "portal")
    share_button = ("592", "22")
    # Nothing else that D-Bus would start for it.
    environment = {"WAYLAND_DISPLAY": "wayland-9", "XDG_SESSION_TYPE": "wayland", "GSK_RENDERER": "cairo", "GIO_USE_VFS": "local",
                   "GSETTINGS_BACKEND": "memory", "GTK_A11Y": "none"}

    def __init__(self, desktop):
        self.desktop, self.grey = desktop, 0
        self.wall = PLACE + "/config/wall"
        self.show()
        desktop.begin("mutter", "mutter", "--headless", "--wayland", "--no-x11", "--virtual-monitor", "640x360@30",
                      "--wayland-display", self.environment["WAYLAND_DISPLAY"], LIBGL_ALWAYS_SOFTWARE="1", GSETTINGS_BACKEND="memory")
        self.good = wait_for(lambda: os.path.exists(f"{PLACE}/{self.environment['WAYLAND_DISPLAY']}"), LONG)
        desktop.begin("wall", GNOME, "wall", self.wall, **self.environment)
        self.good = self.good and start_portal(desktop, "env", *(f"{name}={value}" for name, value in self.environment.items()),
                                               "/usr/libexec/xdg-desktop-portal-gnome", name="gnome")

    def show(self):
        """Another grey than before."""
        self.grey = self.grey % 240 + 16
        with open(self.wall + ".new", "w", encoding="ascii") as file:
            file.write("#" + f"{self.grey:02x}" * 3)
        os.rename(self.wall + ".new", self.wall)

    def agree(self, begun):
        """Until it has. Who clicks before there is a window to click in, clicks at the wall."""
        def click():
            self.desktop.run(GNOME, "click", *self.share_button)
            return wait_for(begun, 1)
        wait_for(click, LONG)


def picture(app):
    try:
        with open(app.path, encoding="ascii") as file:
            return int(file.read().split()[3])
    except (OSError, IndexError, ValueError):
        return None


def log_of(desktop, app):
    name = os.path.basename(app.path)
    return desktop.log(name) if os.path.exists(f"{PLACE}/{name}.log") else ""


def share(screen, words, counter=None, talk=None):
    """By the portal, whose user agrees. @talk: in that call."""
    app = talk.app(words, counter) if talk else outside(screen.desktop, words, counter)
    screen.agree(lambda: os.path.exists(app.path))
    return app


def sees(screen, apps, what):
    """A new grey comes to each, in a stream that was not stopped for a moment since it began. Now and then xdg-desktop-portal-wlr leaves a
    picture out."""
    for name, app in apps:
        before = app.got()
        for _ in range(10):
            screen.show()
            good = wait_for(lambda: app.got() > before and picture(app) == screen.grey, 3)
            if good:
                break
        log = log_of(screen.desktop, app)
        ok(good and log.count("paused") <= 1 and app.errors() == 0, f"{what} the screen is {name}",
           (picture(app), screen.grey, log, screen.desktop.log("screens"), screen.desktop.log("wireplumber")))


def sees_too(screen, app, what):
    """Something comes. Of two streams of one screen xdg-desktop-portal-wlr gives each picture to one, with or without Callgate."""
    ok(wait_for(lambda: screen.show() or app.got() > 0, LONG), what, (log_of(screen.desktop, app), screen.desktop.log("wireplumber")))


def connection_of(desktop, app):
    """What PipeWire says that the app's connection sees; None: there is none."""
    def name(o):
        props = (o.get("info") or o).get("props", {})
        return o["type"].split(":")[-1] + " " + next(
            (str(props[key]) for key in ("core.name", "node.name", "application.name", "factory.name", "metadata.name") if key in props), "")
    objects = {o["id"]: o for o in json.loads(desktop.run(*MANAGERS, "pw-dump").stdout)}
    own = None
    for number, o in objects.items():
        props = o.get("info", {}).get("props", {})
        if o["type"].endswith(":Client") and props.get("application.process.id") in app.pids():
            own = number
    if own is None:
        return None
    shown = desktop.run(*MANAGERS, "pw-cli", "get-permissions", str(own)).stdout
    given = dict(re.findall(r"(\d+|default): ([-rwxml]{5})", shown))
    return [name(o) for number, o in objects.items() if number != own and "r" in given.get(str(number), given.get("default", ""))]


def sees_only(screen, app, what, shared=True):
    """The core, the factory for its stream, the screen, and at most Callgate's source out of which nothing comes."""
    wanted, seen = {"Core pipewire-0", "Factory client-node"} | ({"Node " + screen.node} if shared else set()), [None]

    def look():
        seen[0] = connection_of(screen.desktop, app)
        return seen[0] is not None and wanted <= set(seen[0]) <= wanted | {"Node callgate-hold"}
    ok(wait_for(look), f"{what}, the portal's connection shows {'the screen and nothing else' if shared else 'nothing, the screen neither'}", seen[0])


def sees_beside(screen, app, what, devices=frozenset()):
    """By the ordinary socket."""
    seen = [None]

    def look():
        seen[0] = connection_of(screen.desktop, app)
        return seen[0] is not None and "Node " + screen.node in seen[0] and set(seen[0]) & DEVICES == devices
    ok(wait_for(look), f"{what}, the recorder's connection shows the screen, {'microphone and camera' if devices else 'no microphone and no camera'}",
       seen[0])


def begin(compositor, desktop, what):
    """The one, and who sees what it shows from now on."""
    print(f"# {compositor.__name__}", flush=True)
    ok(desktop.server(), f"PipeWire is up, {what}", (desktop.log("pipewire"), desktop.log("wireplumber")))
    screen = compositor(desktop)
    ok(screen.good, "and a compositor with its portal", [desktop.log(name) for name in screen.logs])
    apps = [("seen", share(screen, VIEWER))]
    if screen.recorder:
        apps.append(("recorded without the portal", outside(desktop, screen.recorder)))
    return screen, apps


def without_layer(compositor, desktop):
    """The rig works, and this is what the portal gives by itself."""
    screen, apps = begin(compositor, desktop, "without Callgate's layer")
    sees(screen, apps, "without it")
    sees_only(screen, apps[0][1], "without it")
    if screen.recorder:
        sees_beside(screen, apps[1][1], "without it", DEVICES)
    desktop.stop()


def another(screen, apps, what):
    """One that begins now. Its stream is a screen of its own to PipeWire."""
    viewer = share(screen, VIEWER)
    sees_too(screen, viewer, f"who asks for the screen {what} sees it too")
    sees_only(screen, viewer, what)
    first = connection_of(screen.desktop, apps[0][1])
    ok(first.count("Node " + screen.node) == 1, "which is not shown to who asked before", first)
    viewer.stop()
    if screen.recorder:
        recorder = outside(screen.desktop, screen.recorder)
        sees_too(screen, recorder, f"who records it without the portal {what} sees it too")
        sees_beside(screen, recorder, what)
        recorder.stop()


def sockets(part):
    """How many it has. PipeWire's own tools stand still with WirePlumber."""
    folder = f"/proc/{part.pid}/fd"
    return sum(os.readlink(f"{folder}/{fd}").startswith("socket:") for fd in os.listdir(folder))


def at_once(screen):
    """While WirePlumber stands still the screen comes, and the portal connects for it: WirePlumber hears of both at once."""
    portal, wireplumber = (screen.desktop.parts[name] for name in ("portal", "wireplumber"))
    before = sockets(portal)
    wireplumber.send_signal(signal.SIGSTOP)
    viewer = outside(screen.desktop, VIEWER)
    screen.agree(lambda: sockets(portal) > before)
    come = wait_for(lambda: sockets(portal) > before, LONG)
    time.sleep(SETTLE_S)
    wireplumber.send_signal(signal.SIGCONT)
    ok(come, "the portal connects while WirePlumber stands still")
    sees_too(screen, viewer, "who asked for the screen meanwhile sees it")
    viewer.stop()


def with_layer(compositor, desktop, alice, bob, first):
    screen, apps = begin(compositor, desktop, "with Callgate's layer")
    sees(screen, apps, "without callgate-pipewire")
    sees_only(screen, apps[0][1], "without callgate-pipewire")
    if not screen.waits:
        at_once(screen)
    if screen.recorder:
        sees_beside(screen, apps[1][1], "without callgate-pipewire")
    tries = [(f"who asks {word} by the portal's connection", share(screen, (PORTAL, "share", VICTIM, "--fd", "FD", *options, "{path}")))
             for word, options in TRIES]
    tries += [(f"who says he is the portal's, and asks {word},", outside(desktop, (VICTIM, "--portal", *options, "{path}"))) for word, options in TRIES]
    held(desktop, tries, "without callgate-pipewire")
    desktop.manage()
    ok(wait_for(desktop.managed, LONG), "callgate-pipewire comes", desktop.log("callgate-pipewire"))
    sees(screen, apps, "with callgate-pipewire")
    another(screen, apps, "outside a call")
    answer_portal(desktop, "0")
    asker = outside(desktop, (PORTAL, "ask", VICTIM, "--video", "--target", "camera", "{path}"))
    sees_only(screen, asker, "to who asked for the camera outside a call", shared=False)
    asker.stop()
    recorder = share(screen, GSTREAMER, "size")
    sees_too(screen, recorder, "GStreamer's pipewiresrc records it")
    recorder.stop()
    held(desktop, tries, "outside a call")
    ok(not alice.agent.wait("Approve", 0), "and nobody was asked")
    # ---- a call of another program
    talk = Talk(alice, bob, desktop, MICROPHONE | CAMERA | SPEAKER, first=first)
    if not ok(talk.live, "another program's call is live", alice.properties(talk.path)):
        finish()
    microphone, camera = talk.app((VICTIM, "{path}")), talk.app((VICTIM, "--video", "--target", "camera", "{path}"))
    ok(microphone.flows() and camera.flows(), "it captures microphone and camera", desktop.log("callgate-pipewire"))
    sees(screen, apps, "in a call of another")
    another(screen, apps, "in a call of another")
    own = share(screen, VIEWER, talk=talk)
    sees_too(screen, own, "the call's own program sees it by the portal")
    own.stop()
    if screen.recorder:
        own = talk.app(screen.recorder)
        sees_too(screen, own, "and without it")
        sees_beside(screen, own, "to it", DEVICES)
        own.stop()
    block(alice, CAMERA)
    time.sleep(SETTLE_S)
    before = camera.got()
    sees(screen, apps, "with the camera blocked")
    another(screen, apps, "with the camera blocked")
    ok(camera.got() == before, "while the call's program gets nothing of the camera", camera.got() - before)
    unblock(alice, CAMERA)
    ok(camera.flows(), "unblocked, it does")
    sees(screen, apps, "with the block lifted")
    desktop.parts["callgate-pipewire"].kill()
    desktop.end("callgate-pipewire")
    time.sleep(SETTLE_S)
    before = microphone.got()
    sees(screen, apps, "with callgate-pipewire killed in the call")
    another(screen, apps, "with callgate-pipewire killed in the call")
    ok(microphone.got() == before, "while the call's program gets nothing", microphone.got() - before)
    desktop.manage()
    ok(microphone.flows(), "started again, it has the call's program capture on", desktop.log("callgate-pipewire"))
    sees(screen, apps, "with callgate-pipewire started again")
    held(desktop, tries, "in the call of another")
    talk.end()
    talk.stop()
    sees(screen, apps, "after the call")
    held(desktop, tries, "after the call")
    ok("was linked" not in desktop.log("callgate-pipewire"), "and no link was one that is not allowed", desktop.log("callgate-pipewire"))
    desktop.stop()


COMPOSITORS = {"sway": Sway, "gnome": Gnome}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--root", help="a folder that is there (default: one is made, once)")
    parser.add_argument("compositors", nargs="*", default=list(COMPOSITORS), metavar="|".join(COMPOSITORS), help="default: both")
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        plan_skip("needs root, to act as several users and to change into a folder")
    place = Place()
    root = Root(arguments.root or folder("screen"), ROBUST)
    programs = f"[sound]\nmanager = {root.path}/usr/libexec/callgate-pipewire\nserver = {root.path}/usr/bin/pipewire\n"
    alice = Side(place, "alice", ALICE, config="[channel]\nheartbeat = 1000\n" + programs)
    bob = Side(place, "bob", BOB, gate=False, config="[channel]\nheartbeat = 1000\n")
    for number, name in enumerate(arguments.compositors):
        root.install(layer=False)
        without_layer(COMPOSITORS[name], Desktop(root))
        root.install()
        desktop = Desktop(root)
        desktop.bus = alice.bus.address
        with_layer(COMPOSITORS[name], desktop, alice, bob, first=number == 0)
    finish()


if __name__ == "__main__":
    main()
