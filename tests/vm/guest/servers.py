#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sound servers that are one program to the kernel: PulseAudio without PipeWire, and JACK. Inside the VM, TAP.

Run by tests/vm/servers, as root, with the module loaded. Outside a session the server captures nothing, whoever asks it. A session
whose subject is the server lets it, and then all of its clients hear what it captures; the session's end stops it.
"""
import os
import signal
import subprocess
import sys
import time

import demo
import unit
from demo import Person, Program, wait_for
from unit import LONG, ok

PLACE = "/tmp/servers"
RUNTIME = "/run/user/1000"
HELD_S = 2  # how long something is watched that must not happen
SETTLE_S = 0.3  # in which what was on its way has come
SILENT = 64  # of 32767: what snd-aloop gives where nothing is played


class Alice(Person):
    def argv(self, *command):
        return ["setpriv", "--reuid", "alice", "--regid", "alice", "--init-groups", "--reset-env", "env", f"XDG_RUNTIME_DIR={RUNTIME}",
                f"HOME={PLACE}/home", "JACK_NO_AUDIO_RESERVATION=1", *command]


class Pulse:
    """PulseAudio with its modules for this machine's sound card, and nothing else."""

    name = "PulseAudio"
    client = "parec"

    def __init__(self, card):
        modules = (f"module-alsa-source device=hw:{card},1,0 source_name=microphone",
                   f"module-alsa-sink device=hw:{card},1,1 sink_name=speaker", "module-native-protocol-unix", "module-suspend-on-idle timeout=1")
        self.words = ["pulseaudio", "-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1", "--disallow-exit=no", "--high-priority=no",
                      "--realtime=no", *(f"--load={module}" for module in modules)]

    def up(self, alice):
        return demo.run(alice.argv("pactl", "info"))[0] == 0

    def record(self, path):
        return ["parec", "--raw", "--format=s16le", "--rate=48000", "--channels=2", "--latency-msec=100", "--device=microphone", path]

    def play(self, alice):
        return demo.run(alice.argv("sh", "-c", "head -c 96000 /dev/zero | paplay --raw --rate=48000 --channels=2 --device=speaker"))[0] == 0


class Jack:
    """JACK with this machine's sound card."""

    name = "JACK"
    client = "jack_rec"

    def __init__(self, card):
        self.words = ["jackd", "--no-realtime", "--name", "default", "--no-mlock", "-d", "alsa", "-C", f"hw:{card},1,0", "-P", f"hw:{card},1,1", "-r", "48000",
                      "-p", "1024", "-n", "4"]
        self.plays = self.words[:self.words.index("-C")] + self.words[self.words.index("-P"):]

    def up(self, alice):
        return demo.run(alice.argv("jack_lsp"))[0] == 0

    def record(self, path):
        return ["jack_rec", "-f", path, "-d", "120", "system:capture_1"]


def loudest(path):
    """The loudest of the samples in a file of them, whatever its header is; 0 where there is none."""
    try:
        with open(path, "rb") as file:
            data = file.read()[128:]
    except OSError:
        return 0
    return max((abs(int.from_bytes(data[at:at + 2], "little", signed=True)) for at in range(0, len(data) - 1, 2)), default=0)


class Client:
    """A program of the server's, and what it wrote."""

    number = 0

    def __init__(self, alice, server, words=None):
        Client.number += 1
        self.path = f"{PLACE}/client-{Client.number}.raw"
        self.program = Program(alice.argv(*(words or server.record)(self.path)))

    def hears(self, limit=LONG):
        return wait_for(lambda: loudest(self.path) > SILENT, limit, 0.2)

    def stop(self):
        self.program.stop()


def start(alice, server, words, *before):
    program = Program(alice.argv(*before, *words))
    wait_for(lambda: program.process.poll() is not None or server.up(alice), LONG, 0.2)
    return program


def session(alice, server):
    program = Program(alice.argv(demo.CTL, "local", "--microphone", "--", *server.words))
    text = alice.answer("allow")
    wait_for(lambda: program.process.poll() is not None or server.up(alice), LONG, 0.2)
    return program, text


def covered(alice, server):
    """The server as a session's subject: all its clients hear, nobody else does, and the kernel ends it. callgatectl, which would end the server, stands still."""
    ours, asked = session(alice, server)
    ok(asked and server.up(alice), f"{server.name} comes up as a session's subject", ours.text[-800:])
    client = Client(alice, server)
    ok(client.hears(), f"then {server.client} hears the microphone, though no session covers it", (ours.text + client.program.text)[-1500:])
    good, seen = demo.denied_microphone(alice)
    ok(good, "a program that opens the device itself is denied still", seen)
    ours.process.send_signal(signal.SIGSTOP)
    status, text = alice.ctl("end", "--all")
    stopped = wait_for(lambda: not demo.streams(alice), LONG)
    time.sleep(SETTLE_S)
    size = os.path.getsize(client.path)
    time.sleep(HELD_S)
    ok(status == 0 and stopped and os.path.getsize(client.path) == size, "the session's end stops it", (text, os.path.getsize(client.path) - size))
    return ours, client


def pulse(alice, card):
    server = Pulse(card)
    alone = start(alice, server, server.words)
    listed = demo.run(alice.argv("pactl", "list", "short", "sources"))[1]
    ok("microphone" in listed, "outside a session PulseAudio comes up and lists the microphone", (listed, alone.text[-800:]))
    client = Client(alice, server)
    time.sleep(HELD_S)
    ok(loudest(client.path) == 0 and client.program.process.poll() is None, "parec waits for it and hears nothing", loudest(client.path))
    ok(server.play(alice), "what plays, plays")
    client.stop()
    alone.stop()
    ours, client = covered(alice, server)
    ok(server.up(alice) and server.play(alice), "and PulseAudio goes on to play", ours.text[-800:])
    client.stop()
    ours.process.send_signal(signal.SIGCONT)
    ours.stop()


def jack(alice, card):
    server = Jack(card)
    alone = start(alice, server, server.words)
    ok(alone.wait(LONG) and "Permission denied" in alone.text, "outside a session JACK does not come up with the microphone", alone.text[-800:])
    alone = start(alice, server, server.plays)
    ok(server.up(alice), "without it it does", alone.text[-800:])
    alone.stop()
    ours, client = covered(alice, server)
    gone = wait_for(lambda: not server.up(alice), LONG, 0.2)
    ok(gone and "Permission denied" in ours.text, "and JACK, which cannot go on without it, ends", ours.text[-800:])
    client.stop()
    ours.process.send_signal(signal.SIGCONT)
    ours.stop()


def main():
    for folder in (PLACE, PLACE + "/home", RUNTIME):
        os.makedirs(folder, exist_ok=True)
        os.chmod(folder, 0o700)
        os.chown(folder, 1000, 1000)
    subprocess.run(["/callgate/tests/vm/guest/install"], check=True)
    os.makedirs("/etc/callgate", exist_ok=True)
    with open("/etc/callgate/callgate.conf", "w", encoding="ascii") as file:
        file.write("[prompt]\npseudo_terminal = yes\n[local]\naction = ask\n")
    subprocess.run(["/callgate/tests/vm/guest/start-daemon"], check=True)
    card = demo.find_microphone()
    demo.MICROPHONE = f"hw:{card},1,0"
    demo.feed_tone(card)
    alice = Alice("alice")
    alice.start_agent()
    pulse(alice, card)
    jack(alice, card)
    print(f"1..{unit.count}", flush=True)
    return 1 if unit.failed else 0


if __name__ == "__main__":
    sys.exit(main())
