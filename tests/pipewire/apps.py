#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Apps behind PipeWire, at the speed of this machine: Debian 13's PipeWire and WirePlumber run in a folder, with sources of
software, and a stand-in for the kernel. What the kernel does is not seen here: tests/vm/pipewire_test has real devices. TAP.

Usage: tests/pipewire/apps.py [--runs N] [--browsers] (as root; after `make tests`)

--runs N: so many times a program outside, and one of the call, blocked and allowed again (3). --browsers: Chromium and Firefox too, in a larger folder.
"""
import argparse
import json
import os
import re
import signal
import time

import browsers
from desktop import *  # noqa: F403

LISTENERS = 5
NEW_S = 2.0  # so long they are told of none
LOOKED_S = 3.0  # while somebody asks for all objects of PipeWire again and again
PATIENCE_S = 35  # more than libpulse and GStreamer wait for an answer
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
BY_PORTAL = (PORTAL, "ask", VICTIM, "--video", "{path}")


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


def managers_view(desktop, kind="Node"):
    """All objects of a kind, as a program at the managers' socket sees them."""
    text = desktop.run("env", "PIPEWIRE_REMOTE=pipewire-0-manager", "pw-dump").stdout
    return [o for o in json.loads(text[text.index("["):]) if o["type"].endswith(":" + kind)]


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


def pictures(*target):
    """GStreamer's pipewiresrc for a camera: its stream takes one format in its life, and so has a relay."""
    return ("gst-launch-1.0", "-q", "pipewiresrc", *target, "!", "video/x-raw", "!", "filesink", "buffer-mode=2", "location={path}")


PICTURES = (("GStreamer's pipewiresrc for a camera", "size", pictures()),)


def named(desktop, *names):
    """The nodes of these names."""
    return [o for o in managers_view(desktop) if o["info"]["props"].get("node.name") in names]


def relayed(desktop):
    """The nodes of callgate-pipewire that streams of pictures are linked with."""
    return [o["id"] for o in named(desktop, "callgate-camera")]


def captured(desktop, name):
    """How many relays are linked with a camera."""
    names = {o["id"]: o["info"]["props"].get("node.name") for o in managers_view(desktop)}
    return len([o for o in managers_view(desktop, "Link") if names.get(o["info"]["output-node-id"]) == name and
                names.get(o["info"]["input-node-id"]) == "callgate-relay"])


def quiet(apps):
    """They get nothing, and live on."""
    time.sleep(SETTLE_S)
    before = [app.got() for app in apps]
    time.sleep(HELD_S)
    return [app.got() for app in apps] == before and all(app.alive() for app in apps)


def relays(alice, desktop, talk):
    """Streams that have a relay, of a camera that they ask for by its name, and that comes and goes."""
    def seconds():
        return named(desktop, "second")

    def plug():
        desktop.begin("second", VICTIM, "--camera", "second", PLACE + "/second", PIPEWIRE_REMOTE="pipewire-0-manager")
        return wait_for(seconds, LONG)
    ok(plug(), "a second camera comes")
    own = [talk.app(pictures("target-object=second"), "size")]
    ok(own[0].flows(), "a program with a relay captures from it", desktop.log("callgate-pipewire"))
    desktop.end("second")
    screen = outside(desktop, (VICTIM, "--show", "second", "{path}"))
    ok(wait_for(seconds, LONG) and quiet(own), "what somebody shows under the camera's name does not come by the relay", own[0].got())
    ok("was linked" not in desktop.log("callgate-pipewire"), "nor is it linked", desktop.log("callgate-pipewire"))
    screen.stop()
    ok(plug() and own[0].flows(), "the camera comes again, and it goes on")
    own.append(talk.app(pictures("target-object=second"), "size"))
    native = talk.app((VICTIM, "--video", "--target", "second", "{path}"))
    ok(all(app.flows() for app in (*own, native)), "two programs with a relay and one without capture from it at once", desktop.log("callgate-pipewire"))
    both = list(zip(("the first", "the second"), own))
    for number in range(3):
        block(alice, CAMERA)
        ok(quiet(own), f"blocked, neither of the two gets more ({number + 1})")
        unblock(alice, CAMERA)
        took = resume(both, time.monotonic())
        ok(len(took) == 2 and max(took.values()) <= RESUME_S, f"allowed again, both go on within {RESUME_S:.0f} s ({max(took.values(), default=-1):.2f} s)")
    # Gives no picture back, as a program that has paused.
    os.kill(own[0].pids()[0], signal.SIGSTOP)
    time.sleep(HELD_S)
    ok(own[1].flows(), "one that stands still does not hold up the other")
    os.kill(own[0].pids()[0], signal.SIGCONT)
    ok(own[0].flows(), "and captures when it goes on")
    desktop.end("second")
    ok(quiet(own), "the camera goes, and neither gets more, nor fails")
    ok(plug() and all(app.flows() for app in own), "the camera comes again, and both go on", desktop.log("callgate-pipewire"))
    for app in (own[1], native):
        app.stop()
    ok(own[0].flows() and captured(desktop, "second") == 1, "one that ends does not disturb the other")
    # ---- who asks for none gets the one that the user has chosen
    desktop.run("env", "PIPEWIRE_REMOTE=pipewire-0-manager", "wpctl", "set-default", str(seconds()[0]["id"]))
    app = talk.app(pictures(), "size")
    ok(app.flows() and captured(desktop, "second") == 2, "who asks for no camera gets the default one's pictures", desktop.log("callgate-pipewire"))
    app.stop()
    # ---- who is not the one that a relay is for
    ok(wait_for(lambda: len(relayed(desktop)) == 1, LONG), "a relay goes with its stream", relayed(desktop))
    relay = relayed(desktop)[0]
    port = next(o["id"] for o in managers_view(desktop, "Port") if o["info"]["props"].get("node.id") == relay)
    itself = (VICTIM, "--video", "--link", str(relay), "--port", str(port), "{path}")
    other, inside = outside(desktop, itself), talk.app(itself)
    time.sleep(HELD_S)
    ok(other.got() == 0 and inside.got() == 0, "who links himself with another's relay gets nothing, in the call or outside", (other.got(), inside.got()))
    other.stop()
    inside.stop()
    fake = outside(desktop, (VICTIM, "--camera", "fake", "{path}"))
    played = wait_for(lambda: named(desktop, "fake"), LONG)[0]
    taken = outside(desktop, pictures(f"target-object={played['info']['props']['object.serial']}"), "size")
    greedy = outside(desktop, ("gst-launch-1.0", "-q", *("pipewiresrc", "target-object=second", "!", "video/x-raw", "!", "fakesink") * 5, *pictures("target-object=second")[2:]))
    ok(wait_for(lambda: len(relayed(desktop)) == 5, LONG) and not wait_for(lambda: len(relayed(desktop)) > 5, HELD_S),
       "one program has four relays at most, and of a camera that a program plays there is none", relayed(desktop))
    for app in (fake, taken, greedy):
        app.stop()
    ok("was linked" not in desktop.log("callgate-pipewire") and own[0].flows(), "which disturbs nobody", desktop.log("callgate-pipewire"))
    intruder = outside(desktop, ("env", "PIPEWIRE_REMOTE=pipewire-0-manager", *itself))
    ok(wait_for(lambda: "was linked without being allowed" in desktop.log("callgate-pipewire"), LONG), "at the managers' socket he is seen")
    time.sleep(SETTLE_S)
    before = [intruder.got(), own[0].got()]
    time.sleep(HELD_S)
    ok([intruder.got(), own[0].got()] == before, f"and capture is shut (he got {before[0]} pictures)", (before, intruder.got(), own[0].got()))
    intruder.stop()
    own[0].stop()
    desktop.end("callgate-pipewire")
    desktop.manage()
    fresh = talk.app(pictures("target-object=second"), "size")
    ok(fresh.flows(), "until callgate-pipewire is started again", desktop.log("callgate-pipewire"))
    fresh.stop()
    desktop.end("second")


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
    # Firefox dies of a camera that goes as soon as it has come.
    late = talk.app((*BY_PORTAL[:3], "--late", *BY_PORTAL[3:]))
    ok(late.flows(), "a program that says nothing at first by its portal's connection gets pictures", desktop.log("portal"))
    ok(late.gone() == 0, "and what it was shown did not go again", late.gone())
    late.stop()


def told(talk):
    """Firefox stands still for good where it is told of a microphone just as it begins to listen for changes; so nobody is."""
    begun = time.time()
    listeners = [talk.app(("sh", "-c", 'timeout 30 stdbuf -oL pactl subscribe | while read -r line; do echo "$(date +%s.%N) $line"; done >{path}'))
                 for _ in range(LISTENERS)]

    def heard(app):
        try:
            with open(app.path, encoding="ascii") as file:
                return [float(line.split()[0]) - begun for line in file if "'new' on source #" in line]
        except FileNotFoundError:
            return []
    good = wait_for(lambda: all(map(heard, listeners)), LONG)
    ok(good, f"{LISTENERS} pulse clients of the call that listen for changes are told of the microphone", list(map(heard, listeners)))
    first = min(sum(map(heard, listeners), [LONG]))
    ok(first >= NEW_S, f"and not as they begin to ({first:.1f} s later)")


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


def sees(desktop, app, *names):
    """Whether PipeWire shows the app's client a node of one of these names, by PipeWire's own word."""
    client = next(o["id"] for o in managers_view(desktop, "Client") if o["info"]["props"].get("pipewire.sec.pid") in app.pids())
    told = desktop.run("env", "PIPEWIRE_REMOTE=pipewire-0-manager", "pw-cli", "get-permissions", str(client)).stdout
    shown = dict(re.findall(r"(\d+): ([-rwxml]+)", told))
    return any("r" in shown.get(str(source["id"]), "") for source in named(desktop, *names))


def sees_sources(desktop, app):
    return sees(desktop, app, "microphone", "camera")


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
    others = [(name, talk.app(words, counter)) for name, counter, words in CLIENTS[1:5]]
    ok(all(app.flows() for _, app in others), "so do others")
    for number in range(3):
        desktop.parts["callgate-pipewire"].kill()
        desktop.end("callgate-pipewire")
        desktop.manage()
        # Nobody has seen it go by then.
        time.sleep(2)
        stuck = [name for name, app in [("it", own), *others] if not app.flows(5)]
        ok(not stuck, f"killed and started at once, all capture on ({number + 1})", (stuck, desktop.log("callgate-pipewire")))
    for app in (own, *(app for _, app in others)):
        app.stop()


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
    root = Root(arguments.root or folder("browsers" if arguments.browsers else None), SOUNDING if arguments.browsers else ROBUST)
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
        browsers.browse_cameras(alice, bob, desktop)
        browsers.browse(alice, bob, desktop)
        finish()
    talk = Talk(alice, bob, desktop, MICROPHONE | CAMERA | SPEAKER, first=True)
    if not ok(talk.live, "a call is live that asked for all three kinds", alice.properties(talk.path)):
        finish()
    player = desktop.begin("player", "sh", "-c", "while paplay --raw --rate=48000 --channels=2 /dev/urandom; do :; done")
    waiting = [(name, outside(desktop, words, counter)) for name, counter, words in PICTURES]
    apps = life(alice, desktop, talk, CLIENTS, MICROPHONE, "microphone", PATIENCE_S)
    held(desktop, waiting, f"more than {PATIENCE_S} s, outside the call")
    ok(sees(desktop, waiting[0][1], "callgate-camera") and not sees_sources(desktop, waiting[0][1]),
       "who waits for a camera sees its relay, and no camera")
    ok(not sees(desktop, early[0][1], "callgate-camera"), "who waits for a microphone sees none")
    for _, app in waiting:
        app.stop()
    # The camera of software stands still when a second program comes to it.
    for _, app in life(alice, desktop, talk, PICTURES, CAMERA, "camera", PATIENCE_S):
        app.stop()
    portal(alice, desktop, talk)
    apps += life(alice, desktop, talk, CAMERAS, CAMERA, "camera", HELD_S)
    apps += life(alice, desktop, talk, SPEAKERS, SPEAKER, "speaker", HELD_S)
    block(alice, SPEAKER)
    time.sleep(0.3)
    ok(apps[0][1].flows(), "a block of the speaker alone leaves the microphone")
    unblock(alice, SPEAKER)
    ok(apps[-1][1].flows(), "and is lifted")
    told(talk)
    unheard(alice, desktop, talk)
    deaf(alice, desktop, talk)
    relays(alice, desktop, talk)
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
