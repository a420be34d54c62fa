#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The main job, step by step, inside the VM: two people, two daemons, one relay.

Run by tests/vm/demo as root in the rig, with the module loaded and Alice's
daemon on the system bus. Every step acts as a person would (typing at a
terminal, running an unmodified program) and is checked by what comes out: an
error text, a picture, a tone, a time. Prints each step as it happens and exits
non-zero when one fails.
"""
import argparse
import glob
import json
import math
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import threading
import time

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
CTL = "/usr/bin/callgatectl"
AGENT = "/usr/libexec/callgate-agent-tty"
CAMERA = "/dev/video0"
PLACE = "/tmp/demo"
TONE_HZ = 1000
HEARTBEAT_S = 2.0 * 1.2  # default interval and its jitter, protocol.md
DEAD_S = 10.0  # five intervals
GRANT_S = 10.0  # the longest deadline of a grant
BUSY_S = 6.0  # what an emulated machine with two cores may add to any of these

results = []
tap = False


def say(text=""):
    print(("# " if tap and text else "") + text, flush=True)


def now():
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def check(step, what, good, seen=""):
    results.append((step, what, bool(good), seen))
    say(f"  {'ok  ' if good else 'FAIL'} {what}{': ' + seen if seen else ''}")
    if tap:
        print(f"{'ok' if good else 'not ok'} {len(results)} - {what}", flush=True)
    return good


def wait_for(question, limit, pause=0.05):
    """The first true answer of question(), or its last answer at the limit."""
    end = now() + limit
    while True:
        answer = question()
        if answer or now() > end:
            return answer
        time.sleep(pause)


class Program:
    """A program, its output as it came, and when."""

    def __init__(self, argv, terminal=False, stdout=None):
        self.text = ""
        self.lines = []
        self.seen = 0
        self.changed = threading.Condition()
        if terminal:
            master, slave = pty.openpty()
            self.process = subprocess.Popen(
                argv, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
                preexec_fn=lambda: __import__("fcntl").ioctl(0, 0x540E, 0))
            os.close(slave)
            self.input = self.output = master
        else:
            read, write = os.pipe()
            self.process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=stdout or write, stderr=write,
                start_new_session=True)
            os.close(write)
            self.input, self.output = None, read
        self.thread = threading.Thread(target=self._collect, daemon=True)
        self.thread.start()

    def _collect(self):
        rest = ""
        while True:
            try:
                data = os.read(self.output, 65536)
            except OSError:
                data = b""
            with self.changed:
                if not data:
                    if self.input is None:
                        os.close(self.output)
                    self.changed.notify_all()
                    return
                text = data.decode(errors="replace")
                self.text += text
                *whole, rest = (rest + text).split("\n")
                self.lines += [(now(), line.rstrip("\r")) for line in whole]
                self.changed.notify_all()

    def expect(self, pattern, limit):
        """Wait for a pattern after the last one that was found; the match or None."""
        end = now() + limit
        with self.changed:
            while True:
                match = re.compile(pattern, re.S).search(self.text, self.seen)
                if match:
                    self.seen = match.end()
                    return match
                if now() > end or not self.changed.wait(max(0.01, min(0.2, end - now()))):
                    if now() > end:
                        return None

    def type(self, text):
        os.write(self.input, text.encode())

    def wait(self, limit):
        """The exit status, or None at the limit."""
        try:
            status = self.process.wait(limit)
            self.thread.join(2)
            return status
        except subprocess.TimeoutExpired:
            return None

    def stop(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            if self.wait(5) is None:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.wait(5)


def run(argv, limit=60):
    program = Program(argv)
    status = program.wait(limit)
    if status is None:
        program.stop()
    return status, program.text


class Person:
    """A user with an agent on a terminal, in one of the two worlds."""

    def __init__(self, name, inside=()):
        self.name = name
        self.inside = list(inside)
        self.agent = None

    def argv(self, *command):
        return [*self.inside, "setpriv", "--reuid", self.name, "--regid", self.name, "--init-groups",
                "--reset-env", *command]

    def start_agent(self):
        self.agent = Program(self.argv(AGENT), terminal=True)
        return self.agent.expect(r"(?i)ready|waiting|registered", 20)

    def ctl(self, *arguments, limit=30):
        return run(self.argv(CTL, *arguments), limit)

    def question(self, limit=60):
        """The text of the next question at the terminal, once it may be answered; or None."""
        match = self.agent.expect(r"Callgate:.*?Type[^\n]*\n> ", limit)
        return match.group(0).replace("\r", "") if match else None

    def answer(self, reply, limit=60):
        """Answer one question; returns its text."""
        text = self.question(limit)
        if text:
            self.agent.type(reply + "\n")
        return text


def streams(person):
    status, text = person.ctl("status", "--json")
    if status != 0:
        return None
    return json.loads(text)["streams"]


def last_line(text):
    lines = text.strip().splitlines()
    return lines[-1].strip() if lines else "(nothing)"


def denied_camera(person):
    _, text = run(person.argv("v4l2-ctl", "-d", CAMERA, "--stream-mmap", "--stream-count=2"))
    return "Permission denied" in text, last_line(text)


def denied_microphone(person):
    # Whichever substream is free: the one of the call is busy, which would be a refusal of another kind.
    device = MICROPHONE.rsplit(",", 1)[0]
    status, text = run(person.argv("arecord", "-q", "-D", device, "-f", "S16_LE", "-r", "48000",
                                   "-c", "2", "-d", "1", "-t", "raw", "/dev/null"))
    return status != 0 and "Permission denied" in text, last_line(text)


def find_microphone():
    for line in open("/proc/asound/cards"):
        match = re.match(r"\s*(\d+) \[\S+\s*\]: Loopback", line)
        if match:
            return int(match.group(1))
    sys.exit("demo: no snd-aloop card; is the module loaded?")


def feed_tone(card, end=0):
    """A sine on one of the loopback's other ends, for ever."""
    rate, count = 48000, 48000
    period = b"".join(struct.pack("<hh", *(2 * [int(12000 * math.sin(2 * math.pi * TONE_HZ * n / rate))]))
                      for n in range(count))
    read, write = os.pipe()
    player = subprocess.Popen(["aplay", "-q", "-D", f"hw:{card},0,{end}", "-f", "S16_LE", "-r", str(rate),
                               "-c", "2", "-t", "raw", "-"], stdin=read, stderr=subprocess.DEVNULL)
    os.close(read)

    def pump():
        try:
            while True:
                os.write(write, period)
        except OSError:
            pass
    threading.Thread(target=pump, daemon=True).start()
    return player


def goertzel(samples, rate, frequency):
    factor = 2 * math.cos(2 * math.pi * frequency / rate)
    a = b = 0.0
    for sample in samples:
        a, b = sample + factor * a - b, a
    return a * a + b * b - factor * a * b


def tone_in(path):
    """Share of the energy at the tone's frequency, of all energy; and the number of samples."""
    data = open(path, "rb").read()
    at = data.find(b"data")
    if data[:4] != b"RIFF" or at < 0:
        return 0.0, 0
    channels, rate = struct.unpack("<HI", data[22:28])
    body = data[at + 8:]
    total = len(body) // 2
    samples = struct.unpack(f"<{total}h", body[:2 * total])[::channels]
    samples = samples[len(samples) // 3:][:4800]
    energy = sum(s * s for s in samples)
    if not energy:
        return 0.0, len(samples)
    return 2 * goertzel(samples, rate, TONE_HZ) / (len(samples) * energy), total // channels


def bars_in(path):
    """How many of vivid's eight colour bars stand where they should in a picture."""
    raw = subprocess.run(["ffmpeg", "-v", "error", "-i", path, "-vf", "scale=160:90", "-f", "rawvideo",
                          "-pix_fmt", "rgb24", "-"], stdout=subprocess.PIPE, check=False).stdout
    if len(raw) != 160 * 90 * 3:
        return 0
    wanted = [(1, 1, 1), (1, 1, 0), (0, 1, 1), (0, 1, 0), (1, 0, 1), (1, 0, 0), (0, 0, 1), (0, 0, 0)]
    found = 0
    for bar, colour in enumerate(wanted):
        column = [raw[3 * (y * 160 + bar * 20 + 10):][:3] for y in range(60, 86)]
        mean = [sum(p[c] for p in column) / len(column) for c in range(3)]
        found += all((value > 80) == bool(on) for value, on in zip(mean, colour))
    return found


def plain_media_in(path, received):
    """Which marks of unsealed media stand in a relay's dump; and its size.

    Container, codec names, the tone's own samples, and pieces of what arrived.
    Each mark is long enough that sealed bytes do not show it by chance.
    """
    data = open(path, "rb").read()
    media = open(received, "rb").read() if os.path.exists(received) else b""
    tone = b"".join(struct.pack("<hh", *(2 * [int(12000 * math.sin(2 * math.pi * TONE_HZ * n / 48000))]))
                    for n in range(12))
    pieces = [media[at:at + 16] for at in range(0, len(media) - 16, max(1, len(media) // 500))]
    pieces = [piece for piece in pieces if len(set(piece)) > 8]
    marks = {"the container": media[:16] or None, "V_MJPEG": b"V_MJPEG", "A_PCM": b"A_PCM/INT/LIT", "the tone": tone}
    found = [name for name, mark in marks.items() if mark and mark in data]
    seen = sum(piece in data for piece in pieces)
    return found + ([f"{seen} of {len(pieces)} pieces"] if seen else []), len(data)


class Relay:
    """The rig's relay between the two worlds: carries, dumps, and is cut without a word."""

    def __init__(self, where, number):
        self.alice = f"unix:{PLACE}/relay-{number}"  # no sockets live on a shared folder
        self.port = 4000 + number
        self.bob = f"tcp:127.0.0.1:{self.port}"
        self.dump = f"{where}/relay-{number}.dump"
        self.control = f"{PLACE}/relay-{number}.control"
        self.program = Program([sys.executable, f"{ROOT}/tests/relay.py", "--a", self.alice, "--b", self.bob,
                                      "--b-netns-pid", str(BOB_PID), "--dump", self.dump, "--control", self.control])
        if not wait_for(lambda: os.path.exists(self.control) and os.path.exists(self.alice[5:]), 20):
            sys.exit("demo: the relay did not start: " + self.program.text)
        os.chmod(self.alice[5:], 0o666)

    def tell(self, word):
        with open(self.control, "w") as control:
            control.write(word + "\n")


CAPTURE = ["ffmpeg", "-nostdin", "-v", "error", "-f", "v4l2", "-video_size", "320x180", "-framerate", "5",
           "-i", CAMERA, "-f", "alsa", "-sample_rate", "48000", "-channels", "2", "-i", "{mic}",
           "-c:v", "mjpeg", "-q:v", "3", "-c:a", "pcm_s16le", "-flush_packets", "1", "-f", "matroska", "-"]


class Call:
    """One call from Alice to Bob, approved by both at their terminals."""

    def __init__(self, alice, bob, relay, command, sink, *options):
        self.alice, self.bob = alice, bob
        self.callee = Program(bob.argv(CTL, "answer", "--camera", "--microphone", "--via", relay.bob,
                                       "--as", "bob", "--", *sink))
        self.caller = Program(alice.argv(CTL, "call", "bob", "--camera", "--microphone", "--via", relay.alice,
                                         "--as", "alice", *options, "--", *command))

    def approve(self, first):
        """Both type "allow"; at the first call both compare the numbers. Returns what was shown."""
        shown = {"alice": self.alice.answer("allow"), "bob": self.bob.answer("allow")}
        if first:
            for person in (self.alice, self.bob):
                text = person.question() or ""
                number = re.search(r"Number\W+(\d{3} \d{3} \d{3})", text)
                shown[person.name + "-compare"] = text
                shown[person.name + "-sas"] = number.group(1) if number else None
            shown["early"] = bool(streams(self.alice))
            same = shown["alice-sas"] and shown["alice-sas"] == shown["bob-sas"]
            for person in (self.alice, self.bob):
                person.agent.type("matches\n" if same else "differs\n")
        return shown

    def capturing(self, limit=60):
        return wait_for(lambda: {kind for s in streams(self.alice) or () for kind in s["kinds"]}
                        >= {"camera", "microphone"}, limit, 0.2)

    def trouble(self):
        """What the caller's end said last, if it ended."""
        return "" if self.caller.process.poll() is None else last_line(self.caller.text)

    def stop(self):
        self.caller.stop()
        self.callee.stop()


def when_stopped(monitor, since, count=2):
    """When the last of count streams stopped, by the kernel's events; or None."""
    def stopped():
        seen = [at for at, line in monitor.lines if at >= since and '"StreamStopped"' in line]
        return seen[count - 1] if len(seen) >= count else None
    return stopped


def step_1(alice):
    say("1. Nothing captures, and everything can be listed")
    for name, (good, seen) in {"v4l2-ctl on the camera": denied_camera(alice),
                               "arecord on the microphone": denied_microphone(alice)}.items():
        check(1, name + " is denied", good, seen)
    for name, source in {"camera": ["-f", "v4l2", "-i", CAMERA],
                         "microphone": ["-f", "alsa", "-i", MICROPHONE]}.items():
        kept = f"{PLACE}/kept.nut"
        _, text = run(alice.argv("ffmpeg", "-nostdin", "-v", "error", "-y", *source, "-t", "1", "-c", "copy",
                                 "-f", "data", "-map", "0", kept))
        size = os.path.getsize(kept) if os.path.exists(kept) else 0
        # ffmpeg passes on the camera's error as it is, the sound library's as an input/output error.
        check(1, f"ffmpeg on the {name} is denied and gets nothing",
              size == 0 and re.search("Permission denied|Input/output error", text), last_line(text))
    for name, command, mark in (
            ("v4l2-ctl --all", ["v4l2-ctl", "-d", CAMERA, "--all"], "vivid"),
            ("v4l2-ctl --list-formats-ext", ["v4l2-ctl", "-d", CAMERA, "--list-formats-ext"], "YUYV"),
            ("arecord -l", ["arecord", "-l"], "Loopback"),
            ("arecord --dump-hw-params", ["arecord", "-D", MICROPHONE, "--dump-hw-params", "-d", "1",
                                          "/dev/null"], "HW Params of device")):
        status, text = run(alice.argv(*command))
        check(1, name + " works", mark in text and (status == 0 or "dump" in name))


def step_2_and_3(alice, bob, monitor, where):
    say("2. Alice calls Bob, each approves once, both compare the number")
    relay = Relay(where, 1)
    picture, sound, copy = f"{where}/picture.png", f"{where}/tone.wav", f"{where}/received.mkv"
    sink = ["sh", "-c", f"tee {copy} | ffmpeg -nostdin -v error -y -i - -map 0:v -frames:v 1 -update 1 "
            f"{picture} -map 0:a -t 2 {sound}; cat >/dev/null"]
    call = Call(alice, bob, relay, [a.format(mic=MICROPHONE) for a in CAPTURE], sink, "--tell-programs")
    shown = call.approve(first=True)
    for name in ("alice", "bob"):
        for text in (shown[name], shown[name + "-compare"]):
            say(f"  {name}'s terminal:")
            for line in (text or "(nothing)").strip().splitlines():
                say("    | " + line)
    text = shown["alice"] or ""
    check(2, "Alice's prompt names Bob, the app and both devices", all(
        word in text.lower() for word in ("bob", "callgatectl", "camera", "microphone")))
    text = shown["bob"] or ""
    check(2, "Bob's prompt says who the app claims is calling, unproven",
          re.search(r"App says\W+alice", text) and "unproven" in text)
    check(2, "both agents show the same number", shown["alice-sas"] and shown["alice-sas"] == shown["bob-sas"],
          f"{shown['alice-sas']} and {shown['bob-sas']}")
    check(2, "nothing was captured before the numbers were confirmed", not shown["early"])
    check(2, "camera and microphone then run", call.capturing(), call.trouble())
    say("3. The call is encrypted and real")
    both = wait_for(lambda: all(os.path.exists(f) and os.path.getsize(f) for f in (picture, sound))
                    and os.path.getsize(sound) > 2 * 2 * 48000, 90, 0.5)
    check(3, "Bob's side wrote a picture and a sound", both)
    say("4. Meanwhile another program of the same user is still denied")
    for name, (good, seen) in {"camera": denied_camera(alice), "microphone": denied_microphone(alice)}.items():
        check(4, f"the {name} is denied to it", good, seen)
    check(4, "and the call goes on", call.capturing(5))
    say("5. Bob hangs up")
    at = now()
    call.callee.process.send_signal(signal.SIGINT)
    last = wait_for(when_stopped(monitor, at), HEARTBEAT_S + BUSY_S)
    check(5, "Alice's capture stopped within a heartbeat", last and last - at <= HEARTBEAT_S + 1,
          f"{last - at:.2f} s" if last else "it did not stop")
    status = call.caller.wait(20)
    said = re.findall(r"callgatectl: (.*)", call.caller.text)
    check(5, "Alice's command was ended", status is not None, said[-1] if said else "")
    used = "ffmpeg had the camera for \\d+ s and the microphone for \\d+ s"
    own, told = re.search("/usr/bin/" + used, call.caller.text), wait_for(lambda: re.search("says that there " + used, call.callee.text), 10)
    check(5, "she is told which programs had them meanwhile", own, own.group(0) if own else last_line(call.caller.text))
    check(5, "and Bob is, because she wanted that", told, told.group(0) if told else last_line(call.callee.text))
    call.stop()
    relay.tell("quit")
    bars = bars_in(picture) if both else 0
    check(3, "the picture shows the camera's colour bars", bars == 8, f"{bars} of 8 bars")
    share, count = tone_in(sound) if both else (0, 0)
    check(3, "the sound is the microphone's tone", share > 0.8, f"{100 * share:.0f} % at {TONE_HZ} Hz, {count} samples")
    marks, size = plain_media_in(relay.dump, copy)
    check(3, "the relay saw nothing of it", both and size > 50000 and not marks,
          f"{size} bytes, {', '.join(marks) or 'no mark of media'}")
    control = f"{where}/control.dump"
    subprocess.run(["cp", copy, control], check=False)
    relay = Relay(where, 2)
    source = Program(["socat", "-u", f"FILE:{copy}", "UNIX-CONNECT:" + relay.alice[5:]])
    target = Program([*bob.inside, "socat", "-u", f"TCP:127.0.0.1:{relay.port}", "OPEN:/dev/null"])
    source.wait(20)
    wait_for(lambda: both and os.path.getsize(relay.dump) >= os.path.getsize(copy), 20)
    target.stop()
    marks, size = plain_media_in(relay.dump, copy)
    check(3, "the same search finds it in an unsealed run", len(marks) == 5, ", ".join(marks))
    relay.tell("quit")


def call_again(alice, bob, where, number, output=("-f", "matroska", "-")):
    relay = Relay(where, number)
    command = [a.format(mic=MICROPHONE) for a in CAPTURE[:-3]] + list(output)
    call = Call(alice, bob, relay, command, ["sh", "-c", "cat >/dev/null"])
    call.approve(first=False)
    return relay, call


def step_5_again(alice, bob, monitor, where):
    relay, call = call_again(alice, bob, where, 3)
    check(5, "another app is approved on the same devices", call.capturing(), call.trouble())
    at = now()
    status, text = alice.ctl("end", "--all")
    last = wait_for(when_stopped(monitor, at), 10)
    check(5, "Alice hangs up: capture stopped at once", last and last - at <= 1.5,
          f"{last - at:.2f} s with the command's own start" if last else text)
    call.stop()
    relay.tell("quit")


def step_6(alice, bob, monitor, where):
    say("6. The relay is cut without a word")
    relay, call = call_again(alice, bob, where, 4)
    check(6, "the call runs", call.capturing())
    at = now()
    relay.tell("cut")
    last = wait_for(when_stopped(monitor, at), DEAD_S + BUSY_S)
    check(6, "capture ended at the dead time", last and last - at <= DEAD_S + 1,
          f"{last - at:.2f} s of at most {DEAD_S:.0f}" if last else "it did not stop")
    check(6, "and not long before it", last and last - at >= DEAD_S - 2 * HEARTBEAT_S - 1)
    call.stop()
    relay.tell("quit")


def capturing_by_kernel():
    """The microphones that run by the sound core's own word, the gate's and the daemon's aside."""
    found = []
    for path in glob.glob("/proc/asound/card*/pcm*c/sub*/status"):
        with open(path, encoding="ascii") as file:
            if "state: RUNNING" in file.read():
                found.append(path)
    return found


def step_7(alice, bob, where):
    say("7. The daemon is killed in a running call")
    # An app that goes on by itself, and a callgatectl that cannot stop it: only the kernel is left.
    relay, call = call_again(alice, bob, where, 5, output=("-f", "null", "-"))
    check(7, "the call runs", call.capturing() and capturing_by_kernel(), call.trouble())
    call.caller.process.send_signal(signal.SIGSTOP)
    pid = int(open("/run/callgated.pid").read())
    at = now()
    os.kill(pid, signal.SIGKILL)
    ended = wait_for(lambda: not capturing_by_kernel(), GRANT_S + BUSY_S)
    took = now() - at
    check(7, "capture ended at the grant's deadline", ended and took <= GRANT_S + 1,
          f"{took:.2f} s of at most {GRANT_S:.0f}")
    check(7, "and it was the deadline that ended it", took >= 2)
    call.caller.process.send_signal(signal.SIGCONT)
    for name, (good, seen) in {"camera": denied_camera(alice), "microphone": denied_microphone(alice)}.items():
        check(7, f"without the daemon the {name} is denied", good, seen)
    call.stop()
    relay.tell("quit")
    alice.agent.stop()
    subprocess.run([f"{ROOT}/tests/vm/guest/start-daemon"], check=False)
    alice.start_agent()
    relay, call = call_again(alice, bob, where, 6)
    check(7, "with the daemon back a new call works", call.capturing(), call.trouble())
    call.stop()
    relay.tell("quit")


def start_bob():
    """Bob's machine: his own network, bus, control groups and files. Returns a pid that lives in it."""
    program = Program([f"{ROOT}/tests/vm/guest/bob"])
    ready = program.expect(r"ready (\d+)", 60)
    if not ready:
        sys.exit("demo: Bob's side did not start: " + program.text)
    return program, int(ready.group(1))


def show_logs(*people):
    """What the daemons said, for whoever has to find out why a step failed."""
    for person in people:
        _, text = run([*person.inside, "tail", "-n", "20", "/run/callgated.log"])
        say(f"{person.name}'s daemon said:")
        for line in text.splitlines():
            say("  " + line)


def main():
    global MICROPHONE, BOB_PID, tap
    guest = os.path.dirname(os.path.realpath(__file__))
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", default="/tmp/demo", help="where pictures, sounds and dumps go")
    parser.add_argument("--tap", action="store_true", help="print the results for a test runner")
    arguments = parser.parse_args()
    tap = arguments.tap
    where = os.path.realpath(arguments.out)
    os.makedirs(where, exist_ok=True)
    os.makedirs(PLACE, exist_ok=True)
    for folder in (where, PLACE):
        os.chmod(folder, 0o1777)
    # Terminal windows are all that a person has in this machine; policy must say so.
    subprocess.run([f"{guest}/install"], check=True)
    os.makedirs("/etc/callgate", exist_ok=True)
    with open("/etc/callgate/callgate.conf", "w") as file:
        file.write("[prompt]\npseudo_terminal = yes\n")
    if subprocess.run([f"{guest}/start-daemon"], check=False).returncode:
        sys.exit("demo: Alice's daemon did not start")
    card = find_microphone()
    MICROPHONE = f"hw:{card},1,0"
    feed_tone(card)
    _, BOB_PID = start_bob()
    alice = Person("alice")
    bob = Person("bob", ["nsenter", "--target", str(BOB_PID), "--net", "--mount", "--cgroup", "--uts"])
    begun = now()
    step_1(alice)
    for person in (alice, bob):
        if not person.start_agent():
            sys.exit(f"demo: {person.name}'s agent did not start: {person.agent.text}")
    status, text = bob.ctl("status")
    check(2, "Bob's daemon says that it has no gate", "absent" in text, text.strip().splitlines()[0] if text else "")
    monitor = Program(alice.argv(CTL, "monitor", "--json"))
    step_2_and_3(alice, bob, monitor, where)
    step_5_again(alice, bob, monitor, where)
    step_6(alice, bob, monitor, where)
    step_7(alice, bob, where)
    failed = [entry for entry in results if not entry[2]]
    say()
    say(f"8. Summary, after {now() - begun:.0f} s")
    for step, what, good, seen in sorted(results, key=lambda entry: entry[0]):
        say(f"  {step}  {'ok  ' if good else 'FAIL'} {what}{' (' + seen + ')' if seen else ''}")
    with open(f"{where}/result.json", "w") as file:
        json.dump([dict(step=s, what=w, ok=g, seen=n) for s, w, g, n in results], file, indent=1)
    if tap:
        print(f"1..{len(results)}", flush=True)
    else:
        say(f"{len(results) - len(failed)} passed, {len(failed)} failed, 0 skipped")
    if failed:
        show_logs(alice, bob)
    for person in (alice, bob):
        person.agent.stop()
    monitor.stop()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
