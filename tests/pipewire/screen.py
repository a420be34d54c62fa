#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A screen that is shared by the portal: Debian 13's sway without a screen of its own, xdg-desktop-portal-wlr and xdg-desktop-portal,
behind PipeWire with Callgate's layer, and once without. TAP.

Usage: tests/pipewire/screen.py [--root FOLDER] (as root; after `make tests`)
"""
import argparse
import json
import os
import re
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
MANAGERS = ("env", "PIPEWIRE_REMOTE=pipewire-0-manager")


class Screen:
    """A compositor and what is needed to share its one output. What it shows is a grey."""

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


def picture(app):
    try:
        with open(app.path, encoding="ascii") as file:
            return int(file.read().split()[3])
    except (OSError, IndexError, ValueError):
        return None


def log_of(desktop, app):
    name = os.path.basename(app.path)
    return desktop.log(name) if os.path.exists(f"{PLACE}/{name}.log") else ""


def sees(screen, app, what):
    """A new grey comes, in a stream that was not stopped for a moment since it began. Now and then xdg-desktop-portal-wlr leaves a picture out."""
    before = app.got()
    for _ in range(10):
        screen.show()
        good = wait_for(lambda: app.got() > before and picture(app) == screen.grey, 3)
        if good:
            break
    log = log_of(screen.desktop, app)
    ok(good and log.count("paused") <= 1 and app.errors() == 0, f"{what} the screen is seen",
       (picture(app), screen.grey, log, screen.desktop.log("screens"), screen.desktop.log("wireplumber")))


def sees_too(screen, app, what):
    """Something comes. Of two streams of one screen xdg-desktop-portal-wlr gives each picture to one, with or without Callgate."""
    ok(wait_for(lambda: screen.show() or app.got() > 0, LONG), what, (log_of(screen.desktop, app), screen.desktop.log("wireplumber")))


def connection_of(desktop, app):
    """What PipeWire says that the app's connection by the portal sees; None: there is no such connection."""
    def name(o):
        props = (o.get("info") or o).get("props", {})
        return o["type"].split(":")[-1] + " " + next(
            (str(props[key]) for key in ("core.name", "node.name", "application.name", "factory.name", "metadata.name") if key in props), "")
    objects = {o["id"]: o for o in json.loads(desktop.run(*MANAGERS, "pw-dump").stdout)}
    own = None
    for number, o in objects.items():
        props = o.get("info", {}).get("props", {})
        if o["type"].endswith(":Client") and "pipewire.access.portal.app_id" in props and props.get("application.process.id") in app.pids():
            own = number
    if own is None:
        return None
    shown = desktop.run(*MANAGERS, "pw-cli", "get-permissions", str(own)).stdout
    return {name(objects[int(number)]) for number, bits in re.findall(r"(\d+): ([-rwxml]{5})", shown)
            if "r" in bits and int(number) != own and int(number) in objects}


def sees_only(desktop, app, what, more=("Node xdg-desktop-portal-wlr",)):
    """The core, the factory for its stream, the screen, and at most Callgate's source out of which nothing comes."""
    wanted, seen = {"Core pipewire-0", "Factory client-node", *more}, [None]

    def look():
        seen[0] = connection_of(desktop, app)
        return seen[0] is not None and wanted <= seen[0] <= wanted | {"Node callgate-hold"}
    ok(wait_for(look), f"{what}, the portal's connection shows {'the screen and nothing else' if more else 'nothing, the screen neither'}", seen[0])


def begin(desktop, what):
    ok(desktop.server(), f"PipeWire is up, {what}", (desktop.log("pipewire"), desktop.log("wireplumber")))
    screen = Screen(desktop)
    ok(screen.good, "and a compositor with its portal", (desktop.log("sway"), desktop.log("screens"), desktop.log("portal")))
    return screen, outside(desktop, VIEWER)


def without_layer(desktop):
    """The rig works, and this is what the portal gives by itself."""
    screen, viewer = begin(desktop, "without Callgate's layer")
    sees(screen, viewer, "without it")
    sees_only(desktop, viewer, "without it")
    desktop.stop()


def another(screen, what):
    """One that begins now."""
    viewer = outside(screen.desktop, VIEWER)
    sees_too(screen, viewer, f"who asks for the screen {what} sees it too")
    sees_only(screen.desktop, viewer, what)
    viewer.stop()


def with_layer(desktop, alice, bob):
    screen, viewer = begin(desktop, "with Callgate's layer")
    sees(screen, viewer, "without callgate-pipewire")
    sees_only(desktop, viewer, "without callgate-pipewire")
    tries = [(f"who asks {word} by the portal's connection", outside(desktop, (PORTAL, "share", VICTIM, "--fd", "FD", *options, "{path}")))
             for word, options in TRIES]
    tries += [(f"who says he is the portal's, and asks {word},", outside(desktop, (VICTIM, "--portal", *options, "{path}"))) for word, options in TRIES]
    held(desktop, tries, "without callgate-pipewire")
    desktop.manage()
    ok(wait_for(desktop.managed, LONG), "callgate-pipewire comes", desktop.log("callgate-pipewire"))
    sees(screen, viewer, "with callgate-pipewire")
    another(screen, "outside a call")
    answer_portal(desktop, "0")
    asker = outside(desktop, (PORTAL, "ask", VICTIM, "--video", "--target", "camera", "{path}"))
    sees_only(desktop, asker, "to who asked for the camera outside a call", more=())
    asker.stop()
    recorder = outside(desktop, GSTREAMER, "size")
    sees_too(screen, recorder, "GStreamer's pipewiresrc records it")
    recorder.stop()
    held(desktop, tries, "outside a call")
    ok(not alice.agent.wait("Approve", 0), "and nobody was asked")
    # ---- a call of another program
    talk = Talk(alice, bob, desktop, MICROPHONE | CAMERA | SPEAKER, first=True)
    if not ok(talk.live, "another program's call is live", alice.properties(talk.path)):
        finish()
    microphone, camera = talk.app((VICTIM, "{path}")), talk.app((VICTIM, "--video", "--target", "camera", "{path}"))
    ok(microphone.flows() and camera.flows(), "it captures microphone and camera", desktop.log("callgate-pipewire"))
    sees(screen, viewer, "in a call of another")
    another(screen, "in a call of another")
    own = talk.app(VIEWER)
    sees_too(screen, own, "the call's own program sees it by the portal")
    own.stop()
    block(alice, CAMERA)
    time.sleep(SETTLE_S)
    before = camera.got()
    sees(screen, viewer, "with the camera blocked")
    another(screen, "with the camera blocked")
    ok(camera.got() == before, "while the call's program gets nothing of the camera", camera.got() - before)
    unblock(alice, CAMERA)
    ok(camera.flows(), "unblocked, it does")
    sees(screen, viewer, "with the block lifted")
    desktop.parts["callgate-pipewire"].kill()
    desktop.end("callgate-pipewire")
    time.sleep(SETTLE_S)
    before = microphone.got()
    sees(screen, viewer, "with callgate-pipewire killed in the call")
    another(screen, "with callgate-pipewire killed in the call")
    ok(microphone.got() == before, "while the call's program gets nothing", microphone.got() - before)
    desktop.manage()
    ok(microphone.flows(), "started again, it has the call's program capture on", desktop.log("callgate-pipewire"))
    sees(screen, viewer, "with callgate-pipewire started again")
    held(desktop, tries, "in the call of another")
    talk.end()
    talk.stop()
    sees(screen, viewer, "after the call")
    held(desktop, tries, "after the call")
    ok("was linked" not in desktop.log("callgate-pipewire"), "and no link was one that is not allowed", desktop.log("callgate-pipewire"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--root", help="a folder that is there (default: one is made, once)")
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        plan_skip("needs root, to act as several users and to change into a folder")
    place = Place()
    root = Root(arguments.root or folder("screen"), ROBUST)
    root.install(layer=False)
    without_layer(Desktop(root))
    root.install()
    desktop = Desktop(root)
    programs = f"[sound]\nmanager = {root.path}/usr/libexec/callgate-pipewire\nserver = {root.path}/usr/bin/pipewire\n"
    alice = Side(place, "alice", ALICE, config="[channel]\nheartbeat = 1000\n" + programs)
    bob = Side(place, "bob", BOB, gate=False, config="[channel]\nheartbeat = 1000\n")
    desktop.bus = alice.bus.address
    with_layer(desktop, alice, bob)
    finish()


if __name__ == "__main__":
    main()
