#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Capture through PipeWire, inside a Debian 13 that booted with Callgate. TAP.

Run by tests/vm/pipewire_test. Alice's session has PipeWire, WirePlumber and callgate-pipewire as units of her own. Her
calls are the demo's; what captures counts the buffers that it gets.
"""
import json
import os
import re
import signal
import subprocess
import sys
import time

import demo
from demo import Call, Person, Program, Relay, wait_for

LONG = 120  # seconds that a loaded, emulated machine may take for what takes one
UID = 1000
RUNTIME = f"/run/user/{UID}"
VICTIM = f"/callgate/{os.environ.get('BUILD', 'build')}/tests/pipewire/victim"
HELD_S = 2  # how long something is watched that must not happen
count = 0
failed = 0


def ok(good, what, seen=""):
    global count, failed
    count += 1
    failed += not good
    print(f"{'ok' if good else 'not ok'} {count} - {what}", flush=True)
    if not good and seen:
        print("# " + str(seen).replace("\n", "\n# "), flush=True)
    return good


class Desktop(Person):
    """A person whose session has a bus and PipeWire."""

    def argv(self, *command):
        return ["setpriv", "--reuid", self.name, "--regid", self.name, "--init-groups", "--reset-env", "env",
                f"XDG_RUNTIME_DIR={RUNTIME}", f"DBUS_SESSION_BUS_ADDRESS=unix:path={RUNTIME}/bus", *command]

    def systemctl(self, *words):
        return demo.run(self.argv("systemctl", "--user", *words), LONG)

    def running(self, unit):
        return self.systemctl("is-active", unit)[1].strip() == "active"


class Capture:
    """A program that captures, and how much it got: by the victim's own count, or by what it wrote."""

    number = 0

    def __init__(self, person, *command, counter=None):
        Capture.number += 1
        self.path = f"{demo.PLACE}/capture-{Capture.number}"
        self.counter = counter
        self.program = Program(person.argv(*(word.format(path=self.path) for word in command)))

    def buffers(self):
        try:
            if self.counter == "size":
                # A header without sound is nothing.
                return max(0, os.path.getsize(self.path) - 128)
            with open(self.path, encoding="ascii") as file:
                return int(file.read().split()[0])
        except (OSError, IndexError, ValueError):
            return 0

    def errors(self):
        with open(self.path, encoding="ascii") as file:
            return int(file.read().split()[1])

    def alive(self):
        return self.program.process.poll() is None

    def flows(self, limit=LONG):
        before = self.buffers()
        return wait_for(lambda: self.buffers() > before, limit)

    def stop(self):
        self.program.stop()


def victim(person, *options):
    return Capture(person, VICTIM, *options, "{path}")


def dump(person):
    """What the managers' socket shows."""
    _, text = demo.run(person.argv("pw-dump"), LONG)
    try:
        return json.loads(text[text.index("["):])
    except ValueError:
        return []


def nodes(person, media_class):
    return [o for o in dump(person) if o["type"].endswith(":Node") and
            o["info"]["props"].get("media.class", "").startswith(media_class)]


def start_session(alice):
    subprocess.run(["loginctl", "enable-linger", "alice"], check=True)
    wait_for(lambda: os.path.exists(RUNTIME + "/bus"), LONG)
    alice.systemctl("mask", "filter-chain.service")
    alice.systemctl("start", "pipewire.service", "wireplumber.service", "pipewire-pulse.socket")
    return wait_for(lambda: nodes(alice, "Audio/Source") and nodes(alice, "Video/Source") and nodes(alice, "Audio/Sink"),
                    LONG, 0.5)


def tone(path):
    with open(path, "wb") as file:
        file.write(os.urandom(4 * 48000))


def plays(alice):
    status, text = demo.run(alice.argv("paplay", "--raw", "--rate=48000", "--channels=2", "--format=s16le",
                                       demo.PLACE + "/noise"), LONG)
    return status == 0, text


CLIENTS = (
    ("pw-record", "size", ("pw-record", "{path}")),
    ("parec", "size", ("parec", "--raw", "{path}")),
    ("arecord through the plug-in", "size", ("arecord", "-q", "-D", "pipewire", "-f", "S16_LE", "-r", "48000", "-c", "2",
                                             "{path}")),
    ("GStreamer", "size", ("gst-launch-1.0", "-q", "pipewiresrc", "!", "audio/x-raw", "!", "filesink", "location={path}")),
    ("a microphone's stream", None, (VICTIM, "{path}")),
    ("a camera's stream", None, (VICTIM, "--video", "{path}")),
    ("a monitor's stream", None, (VICTIM, "--sink", "{path}")),
)


def held(alice, when):
    captures = [(name, Capture(alice, *command, counter=counter)) for name, counter, command in CLIENTS]
    wait_for(lambda: len(nodes(alice, "Stream/Input")) >= len(CLIENTS), LONG, 0.5)
    good, text = plays(alice)
    ok(good, f"{when}: sound plays", text)
    time.sleep(HELD_S)
    for name, capture in captures:
        ok(capture.buffers() == 0, f"{when}: {name} gets nothing", capture.buffers())
    ok(all(capture.alive() for _, capture in captures), f"{when}: and no program fails of it",
       [name + ": " + capture.program.text for name, capture in captures if not capture.alive()])
    for _, capture in captures:
        capture.stop()


def main():
    os.makedirs(demo.PLACE, exist_ok=True)
    os.chmod(demo.PLACE, 0o1777)
    tone(demo.PLACE + "/noise")
    alice = Desktop("alice")
    if not ok(start_session(alice), "PipeWire is up, with a microphone, a camera and a sink", dump(alice)):
        return 1
    ok(wait_for(lambda: alice.running("callgate-pipewire"), LONG, 0.5), "callgate-pipewire comes with it",
       alice.systemctl("status", "--no-pager", "callgate-pipewire")[1])
    held(alice, "outside a call")
    alice.systemctl("stop", "callgate-pipewire")
    held(alice, "without callgate-pipewire")
    alice.systemctl("start", "callgate-pipewire")
    print(f"1..{count}", flush=True)
    if failed:
        print(subprocess.run(["journalctl", "--no-pager", "-o", "cat", "-n", "80"], capture_output=True, text=True,
                             check=False).stdout, file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    signal.alarm(1500)
    sys.exit(main())
