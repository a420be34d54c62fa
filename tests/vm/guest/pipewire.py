#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Capture through PipeWire, inside a Debian 13 that booted with Callgate. TAP.

Run by tests/vm/pipewire_test; with the word "all" also what takes longer, with "many" only blocks, TIMES of them, under load. Alice's session has PipeWire, WirePlumber and callgate-pipewire as units of her own. Her
calls are the demo's; what captures counts the buffers that it gets.
"""
import json
import os
import signal
import subprocess
import sys
import time

import demo
import unit
from demo import Call, Person, Program, Relay, wait_for
from unit import LONG, ok

sys.path.insert(0, "/callgate/tests/pipewire")
from counted import Counted  # noqa: E402

UID = 1000
RUNTIME = f"/run/user/{UID}"
VICTIM = f"/callgate/{os.environ.get('BUILD', 'build')}/tests/pipewire/victim"
TIMES = int(os.environ.get("TIMES", "3"))
HELD_S = 2  # how long something is watched that must not happen
SETTLE_S = 0.3  # in which what was on its way has come
OURS = ("callgate-hold", "callgate-camera")


class Desktop(Person):
    """A person whose session has a bus and PipeWire."""

    def argv(self, *command):
        return ["setpriv", "--reuid", self.name, "--regid", self.name, "--init-groups", "--reset-env", "env",
                f"XDG_RUNTIME_DIR={RUNTIME}", f"DBUS_SESSION_BUS_ADDRESS=unix:path={RUNTIME}/bus", *command]

    def systemctl(self, *words):
        return demo.run(self.argv("systemctl", "--user", *words), LONG)

    def running(self, unit):
        return self.systemctl("is-active", unit)[1].strip() == "active"


class Capture(Counted):
    """A program that captures, and how much it got: by the victim's own count, or by what it wrote."""

    number = 0

    def __init__(self, person, *command, counter=None):
        Capture.number += 1
        self.path = f"{demo.PLACE}/capture-{Capture.number}"
        self.counter = counter
        self.program = Program(person.argv(*(word.format(path=self.path) for word in command)))

    def alive(self):
        return self.program.process.poll() is None

    def flows(self, limit=LONG):
        before = self.got()
        return wait_for(lambda: self.got() > before, limit)

    def pid(self):
        return self.program.pid()

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


def of_class(objects, media_class):
    return [o for o in objects if o["type"].endswith(":Node") and
            o["info"]["props"].get("media.class", "").startswith(media_class)]


def nodes(person, media_class):
    return of_class(dump(person), media_class)


def cameras(person):
    """Devices, not what callgate-pipewire has for single streams."""
    return [o for o in nodes(person, "Video/Source") if o["info"]["props"].get("node.name") not in OURS]


def has_devices(person):
    objects = dump(person)
    return all(of_class(objects, kind) for kind in ("Audio/Source", "Video/Source", "Audio/Sink"))


def link(objects, media_class):
    """How a victim asks for a link with the first node of this class that captures."""
    node = next(o["id"] for o in objects if o["type"].endswith(":Node") and
                o["info"]["props"].get("media.class") == media_class and o["info"]["props"].get("node.name") not in OURS)
    ports = [str(o["id"]) for o in objects if o["type"].endswith(":Port") and o["info"]["direction"] == "output" and
             o["info"]["props"].get("node.id") == node]
    return ["--link", str(node)] + (["--port", ports[0]] if ports else [])


def graph(person):
    """For people who look for what went wrong."""
    return "\n".join(f"{o['id']} {o['info']['props'].get('media.class')} {o['info']['props'].get('node.name')} "
                     f"{o['info'].get('state')} {o['info'].get('error')}" for o in nodes(person, ""))


def start_session(alice):
    subprocess.run(["loginctl", "enable-linger", "alice"], check=True)
    wait_for(lambda: os.path.exists(RUNTIME + "/bus"), LONG)
    alice.systemctl("mask", "filter-chain.service")
    alice.systemctl("start", "pipewire.service", "wireplumber.service", "pipewire-pulse.socket")
    return wait_for(lambda: has_devices(alice), LONG, 0.5)


def tone(path):
    with open(path, "wb") as file:
        file.write(os.urandom(4 * 48000))


def plays(alice):
    status, text = demo.run(alice.argv("paplay", "--raw", "--rate=48000", "--channels=2", "--format=s16le",
                                       demo.PLACE + "/noise"), LONG)
    return status == 0, text


# Takes one format in its life. Where there is no camera at all, WirePlumber tells it so, and it ends.
PICTURES = ("gst-launch-1.0", "-q", "pipewiresrc", "!", "video/x-raw", "!", "filesink", "buffer-mode=2", "location={path}")
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


def held(alice, captures, when):
    good, text = plays(alice)
    ok(good, f"{when}: sound plays", text)
    time.sleep(HELD_S)
    for name, capture in captures:
        ok(capture.got() == 0, f"{when}: {name} gets nothing", capture.got())
    ok(all(capture.alive() for _, capture in captures), f"{when}: and no program fails of it",
       [name + ": " + capture.program.text for name, capture in captures if not capture.alive()])


def outside(alice):
    """The same programs, before callgate-pipewire is gone and after."""
    captures = [(name, Capture(alice, *command, counter=counter)) for name, counter, command in CLIENTS]
    wait_for(lambda: len(nodes(alice, "Stream/Input")) >= len(CLIENTS), LONG, 0.5)
    held(alice, captures, "outside a call")
    alice.systemctl("stop", "callgate-pipewire")
    held(alice, captures, "without callgate-pipewire")
    for _, capture in captures:
        capture.stop()
    alice.systemctl("start", "callgate-pipewire")


class Inside:
    """A program that runs in a call's scope, found by the file that it writes."""

    text = ""

    def __init__(self, path):
        self.path = path

    def pid(self):
        def find():
            for pid in filter(str.isdigit, os.listdir("/proc")):
                try:
                    with open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as file:
                        words = file.read().split("\0")
                except OSError:
                    continue
                if any(self.path in word for word in words) and words[0] != "sh":
                    return int(pid)
            return None
        return wait_for(find, LONG, 0.1)

    def stop(self):
        pid = self.pid()
        os.kill(pid, signal.SIGTERM)
        wait_for(lambda: not os.path.exists(f"/proc/{pid}"), LONG)


class Talk:
    """A call whose command waits in the session's scope and does there what it is told."""

    def __init__(self, alice, bob, number, first, *options):
        self.alice = alice
        self.relay = Relay(demo.PLACE, number)
        self.orders = f"{demo.PLACE}/orders-{number}"
        os.mkfifo(self.orders)
        os.chmod(self.orders, 0o666)
        self.call = Call(alice, bob, self.relay, ["sh", "-c", f"while read -r line; do eval \"$line\" & done <>{self.orders}"],
                         ["sh", "-c", "cat >/dev/null"], *options)
        self.call.approve(first)

    def live(self):
        return wait_for(lambda: any(s.get("State") == "live" or s.get("state") == "live" for s in self.sessions()), LONG, 0.2)

    def sessions(self):
        status, text = self.alice.ctl("status", "--json")
        return json.loads(text).get("sessions", []) if status == 0 else []

    def capture(self, *command, counter=None):
        """A program inside the scope."""
        Capture.number += 1
        capture = Capture.__new__(Capture)
        capture.path = f"{demo.PLACE}/capture-{Capture.number}"
        capture.counter = counter
        capture.program = Inside(capture.path)
        with open(self.orders, "w", encoding="ascii") as file:
            file.write(" ".join(word.format(path=capture.path) for word in command) + "\n")
        return capture

    def end(self):
        self.alice.ctl("end", "--all")

    def stop(self):
        self.call.stop()
        self.relay.tell("quit")


# Owns the portal's name, and becomes another program in the same process, connected as before.
PORTAL = """
import os, sys
import dbus
bus = dbus.SessionBus()
bus.request_name("org.freedesktop.portal.Desktop")
for fd in os.listdir("/proc/self/fd"):
    try:
        os.set_inheritable(int(fd), True)
    except OSError:
        pass
os.execv(sys.argv[1], sys.argv[1:])
"""


def still(captures):
    """What each got in a while, in which it should get nothing."""
    before = [capture.got() for capture in captures]
    time.sleep(HELD_S)
    return [capture.got() - was for capture, was in zip(captures, before)]


def client_of(person, pid):
    """PipeWire's number for a process's client."""
    for o in dump(person):
        if o["type"].endswith(":Client") and o["info"]["props"].get("pipewire.sec.pid") == pid:
            return o["id"]
    return None


def in_a_call(alice, talk):
    mine = talk.capture(VICTIM, "{path}")
    ok(mine.flows(), "in a call its program gets sound", graph(alice))
    for name, counter, command in CLIENTS[:3]:
        more = talk.capture(*command, counter=counter)
        ok(more.flows(), f"so does {name} in the same call", graph(alice))
        more.stop()

    objects = dump(alice)
    microphone, source, sink = (link(objects, kind) for kind in ("Audio/Source", "Video/Source", "Audio/Sink"))
    pid = mine.pid()
    hostile = {
        "another program": victim(alice),
        "one that waits for the camera": victim(alice, "--video"),
        "one of the same name": victim(alice, "--name", "callgatectl"),
        "one that links itself": victim(alice, *microphone),
        "one that links itself with the camera": victim(alice, "--video", *source),
        "one that links itself with what is played": victim(alice, *sink),
        "the call's own, of what is played,": talk.capture(VICTIM, "--sink", "{path}"),
        "one that has the portal's name": Capture(alice, "python3", "-c", PORTAL, VICTIM, *microphone, "{path}"),
        "one that says it is pipewire-pulse's, for the call's program": victim(alice, "--claim", str(pid)),
    }
    wait_for(lambda: len(nodes(alice, "Stream/Input")) >= 1 + len(hostile), LONG, 0.5)
    got = dict(zip(hostile, still(list(hostile.values()))))
    for name, capture in hostile.items():
        ok(got[name] == 0 and capture.got() == 0, f"meanwhile {name} gets nothing",
           (capture.got(), capture.program.text))
    good, text = plays(alice)
    ok(good, "and sound plays", text)
    # Some of them ask for links twenty times a second, each on PipeWire's only thread.
    for capture in hostile.values():
        capture.stop()

    # ---- whose a client of pipewire-pulse is
    honest = talk.capture("parec", "--raw", "{path}", counter="size")
    ok(honest.flows(), "a client of pipewire-pulse captures in the call")
    forger = Capture(alice, "parec", "--raw", f"--property=application.process.id={honest.pid()}", "{path}",
                     counter="size")
    wait_for(lambda: len([o for o in dump(alice) if o["type"].endswith(":Client") and o["info"]["props"].get(
        "application.name") == "parec"]) >= 2, LONG, 0.5)
    got = still([forger])
    ok(got == [0] and forger.got() == 0, "one that claims the process of another's gets nothing", forger.got())
    forger.stop()
    ok(honest.flows(), "and when it is gone the other's goes on")
    honest.stop()

    # ---- numbers that are used again
    number = client_of(alice, mine.pid())
    mine.stop()
    taken, other = None, None
    # The next that comes gets it, mostly; it may be something else that comes.
    for _ in range(8):
        other = victim(alice)
        other.program.expect("paused", LONG)
        taken = client_of(alice, other.program.process.pid)
        got = still([other])
        if taken == number or any(got):
            break
        other.stop()
        mine = talk.capture(VICTIM, "{path}")
        mine.flows()
        number = client_of(alice, mine.pid())
        mine.stop()
    ok(taken == number and not any(got), "one that got the number of a client of the call gets nothing",
       (number, taken, got, other.program.text))
    other.stop()


class Camera:
    """A USB camera, plugged in until it is pulled out."""

    def __init__(self, alice):
        self.alice = alice
        self.before = len(cameras(alice))
        self.process = subprocess.Popen([VICTIM.replace("victim", "usb-camera")], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.node = self.process.stdout.readline()

    def comes(self):
        return self.node and wait_for(lambda: len(cameras(self.alice)) > self.before, LONG, 0.5)

    def pull(self):
        self.process.stdin.close()
        return self.process.wait(LONG) == 0 and wait_for(lambda: len(cameras(self.alice)) <= self.before, LONG, 0.5)


def hot_plug(alice, talk):
    """A camera that comes while it is waited for."""
    plugged = Camera(alice)
    ok(plugged.comes(), "a USB camera comes", graph(alice))
    camera, waiting = talk.capture(VICTIM, "--video", "{path}"), victim(alice, "--video")
    ok(camera.flows(), "the call's program gets pictures", graph(alice))
    talk.pictures, held = talk.capture(*PICTURES, counter="size"), Capture(alice, *PICTURES, counter="size")
    ok(talk.pictures.flows(), "so does GStreamer in the same call", graph(alice))
    ok(plugged.pull(), "it is pulled out", graph(alice))
    talk.camera = Camera(alice)
    ok(talk.camera.comes(), "and another plugged in", graph(alice))
    fresh = talk.capture(VICTIM, "--video", "{path}")
    ok(fresh.flows(), "a camera that is plugged in goes to the call's program", graph(alice))
    ok(waiting.got() == 0, "and not to another that waited for it", waiting.got())
    ok(talk.pictures.flows(), "GStreamer, that had the first, goes on with it", graph(alice))
    ok(held.got() == 0 and held.alive(), "and waits outside the call", (held.got(), held.program.text))
    held.stop()
    waiting.stop()
    return fresh


def profiles(alice, talk):
    """The sound card's profile is switched off and on again in the call: its microphone goes, and another comes."""
    mine, waiting = talk.capture(VICTIM, "{path}"), victim(alice)
    ok(mine.flows(), "before a change of the profile the call's program captures", graph(alice))
    card = next(o for o in dump(alice) if o["type"].endswith(":Device") and o["info"]["props"].get("media.class") == "Audio/Device")
    before = card["info"]["params"]["Profile"][0]["index"]
    off = next(p["index"] for p in card["info"]["params"]["EnumProfile"] if p["name"] == "off")
    for index in (off, before):
        alice_tells = demo.run(alice.argv("wpctl", "set-profile", str(card["id"]), str(index)), LONG)
        found = wait_for(lambda: any(node["info"]["props"].get("device.id") for node in nodes(alice, "Audio/Source")) == (index == before),
                         LONG, 0.5)
        if not found:
            print("# " + str(alice_tells))
    ok(mine.flows(), "with the profile off and on again it captures", graph(alice))
    ok(waiting.got() == 0 and mine.errors() == 0, "and another does not, and nobody fails of it", (waiting.got(), mine.errors()))
    waiting.stop()
    mine.stop()


def revoke(alice, talk, camera, times):
    """Blocked by the user, and allowed again."""
    mine = talk.capture(VICTIM, "{path}")
    ok(mine.flows(), "a new program of the call captures at once")
    leaked = late = 0
    slowest = 0.0
    for _ in range(times):
        alice.ctl("block", "microphone")
        wait_for(lambda: "microphone" not in kinds_of(alice), LONG)
        time.sleep(0.2)
        leaked += still([mine])[0]
        unblock = Program(alice.argv(demo.CTL, "unblock", "microphone"))
        alice.answer("allow")
        unblock.wait(LONG)
        begun = demo.now()
        late += not mine.flows()
        slowest = max(slowest, demo.now() - begun)
        # PipeWire may hand on what lies in a buffer that nobody fills any more.
        late += not wait_for(lambda: "microphone" in kinds_of(alice), LONG)
    ok(leaked == 0, f"with the microphone blocked it gets no more, {times} times", leaked)
    ok(late == 0, f"allowed again, it captures again each time ({slowest:.1f} s at most)", graph(alice))
    ok(mine.errors() == 0, "and was told of no error", mine.errors())
    ok(camera.flows() and talk.pictures.flows(), "the camera went on")
    return mine


def many(alice, talk, camera, times):
    """Buffers at the victims, by turns of microphone and camera: of a new program outside the call, and of the call's own while the kind is blocked."""
    own = {"microphone": [talk.capture(VICTIM, "{path}")], "camera": [camera, talk.pictures]}
    options = {"microphone": (), "camera": ("--video",)}

    def got(kind):
        return [capture.got() for capture in own[kind]]
    ok(own["microphone"][0].flows(), "a new program of the call captures, and now the machine is busy")
    busy = [Program(["sh", "-c", "while :; do :; done"]) for _ in range(os.cpu_count())]
    outside_got = blocked_got = real = 0
    took = {kind: [] for kind in own}
    for number in range(times):
        kind = ("microphone", "camera")[number % 2]
        alice.ctl("block", kind)
        wait_for(lambda: kind not in kinds_of(alice), LONG)
        other = victim(alice, *options[kind])
        time.sleep(SETTLE_S)
        before = got(kind)
        time.sleep(SETTLE_S)
        blocked_got += sum(got(kind)) - sum(before)
        before = got(kind)
        unblock = Program(alice.argv(demo.CTL, "unblock", kind))
        alice.answer("allow")
        unblock.wait(LONG)
        begun = demo.now()
        if wait_for(lambda: all(now > was for now, was in zip(got(kind), before)), LONG, 0.02):
            took[kind].append(demo.now() - begun)
        # PipeWire may hand on what lies in a buffer that nobody fills any more.
        real += bool(wait_for(lambda: kind in kinds_of(alice), LONG))
        outside_got += other.got()
        other.stop()
        if number % 10 == 9:
            print(f"# progress {number + 1} of {times}: {blocked_got} and {outside_got} buffers, {took[kind][-1:]} s", flush=True)
    for program in busy:
        program.stop()
    ok(outside_got == 0, f"in {times} runs programs outside the call got {outside_got} buffers", outside_got)
    ok(blocked_got == 0, f"in {times} blocks the call's own got {blocked_got} buffers once {SETTLE_S} s were over", blocked_got)
    for kind, took_s in took.items():
        took_s.sort()
        middle, most = (took_s[len(took_s) // 2], took_s[-1]) if took_s else (0, 0)
        ok(len(took_s) == (times + (kind == "microphone")) // 2, f"allowed again, the {kind} came again, after {middle:.2f} s in the middle, {most:.2f} s at most",
           (len(took_s), graph(alice)))
    ok(real == times, "each time from the device", real)
    captures = sum(own.values(), [])
    ok(sum(capture.errors() for capture in captures if capture.counter is None) == 0, "and nobody was told of an error")
    return captures


def kinds_of(alice):
    return {kind for stream in demo.streams(alice) or () for kind in stream["kinds"]}


def restarts(alice, talk):
    """Each part goes and comes in the call."""
    for service in ("wireplumber", "callgate-pipewire", "pipewire"):
        alice.systemctl("restart", service)
        good = wait_for(lambda: alice.running("callgate-pipewire") and alice.running("wireplumber"), LONG, 0.5)
        other, mine = victim(alice), talk.capture(VICTIM, "{path}")
        ok(good and mine.flows(), f"after a restart of {service} in the call its program captures", graph(alice))
        ok(other.got() == 0, "and no other does", other.got())
        other.stop()
    return mine


def at_the_end(alice, talk, captures):
    begun = demo.now()
    talk.end()
    said = demo.now() - begun
    wait_for(lambda: not demo.streams(alice), LONG)
    took = demo.now() - begun - said
    time.sleep(0.2)
    got = still(captures)
    idle = wait_for(lambda: all(node["info"]["state"] == "suspended" for node in nodes(alice, "Audio/Source")
                                if node["info"]["props"].get("device.id")), LONG, 0.5)
    ok(idle, "the microphone is suspended when nobody captures", graph(alice))
    ok(not any(got), f"after the call nobody gets anything (to say so took {said:.1f} s, its end {took:.1f} s)", got)
    good, text = plays(alice)
    ok(good, "and sound plays", text)


def tripwire(alice, bob):
    """A program that reaches the managers' socket gets round this layer: what it does is seen."""
    talk = Talk(alice, bob, 2, False, "--speaker")
    mine = talk.capture(VICTIM, "{path}")
    ok(talk.live() and mine.flows(), "in another call its program captures", talk.sessions())
    heard, other = talk.capture(VICTIM, "--sink", "{path}"), victim(alice, "--sink")
    ok(heard.flows(), "in a call that asked for the speaker its program hears what is played", graph(alice))
    ok(still([other]) == [0], "and no other does", other.got())
    heard.stop()
    other.stop()
    intruder = Capture(alice, "env", "PIPEWIRE_REMOTE=pipewire-0-manager", VICTIM, *link(dump(alice), "Audio/Source"), "{path}")
    told = alice.agent.expect("got at the microphone through the sound server", LONG)
    ok(told, "the user is told that somebody got at the microphone past the manager", alice.agent.text[-500:])
    wait_for(lambda: not demo.streams(alice), LONG)
    time.sleep(0.2)
    ok(still([intruder, mine]) == [0, 0], f"and capture through PipeWire is shut (it got {intruder.got()} buffers)")
    intruder.stop()
    alice.systemctl("restart", "callgate-pipewire")
    ok(mine.flows(), "until callgate-pipewire is started again")
    alice.systemctl("stop", "callgate-pipewire")
    # The device stands still at once; the link goes when WirePlumber gets to it.
    wait_for(lambda: not demo.streams(alice), LONG)
    ok(wait_for(lambda: still([mine]) == [0], LONG), "without callgate-pipewire the call's program gets nothing either")
    talk.end()
    talk.stop()


def calls(alice, words):
    everything = "all" in words
    os.makedirs("/etc/callgate", exist_ok=True)
    with open("/etc/callgate/callgate.conf", "w", encoding="utf-8") as file:
        file.write("[prompt]\npseudo_terminal = yes\n")
    subprocess.run(["systemctl", "restart", "callgate"], check=True)
    _, demo.BOB_PID = demo.start_bob()
    # systemd mounts the hierarchy so that a namespace bounds it: his programs have to be below its root.
    inside = ["nsenter", "--target", str(demo.BOB_PID), "--net", "--mount", "--cgroup", "--uts"]
    bob = Person("bob", ["sh", "-c", 'echo $$ >/sys/fs/cgroup/bob/cgroup.procs; exec "$@"', "sh", *inside])
    for person in (alice, bob):
        if not person.start_agent():
            ok(False, f"{person.name}'s agent starts", person.agent.text)
    talk = Talk(alice, bob, 1, first=True)
    if not ok(talk.live(), "a call is live", talk.sessions() or talk.call.caller.text):
        return
    if "many" in words:
        at_the_end(alice, talk, many(alice, talk, hot_plug(alice, talk), TIMES))
        talk.stop()
        return
    in_a_call(alice, talk)
    captures = [talk.capture(VICTIM, "{path}")]
    ok(captures[0].flows(), "a new program of the call captures", graph(alice))
    if everything:
        captures += [hot_plug(alice, talk), talk.pictures]
        profiles(alice, talk)
        captures += [revoke(alice, talk, captures[-1], TIMES), restarts(alice, talk)]
    at_the_end(alice, talk, captures)
    talk.stop()
    if everything:
        tripwire(alice, bob)


def main():
    os.makedirs(demo.PLACE, exist_ok=True)
    os.chmod(demo.PLACE, 0o1777)
    tone(demo.PLACE + "/noise")
    alice = Desktop("alice")
    if not ok(start_session(alice), "PipeWire is up, with a microphone, a camera and a sink", dump(alice)):
        return 1
    ok(wait_for(lambda: alice.running("callgate-pipewire"), LONG, 0.5), "callgate-pipewire comes with it",
       alice.systemctl("status", "--no-pager", "callgate-pipewire")[1])
    if "many" not in sys.argv:
        outside(alice)
    calls(alice, sys.argv[1:])
    print(f"1..{unit.count}", flush=True)
    if unit.failed:
        print(subprocess.run(["journalctl", "--no-pager", "-o", "cat", "-n", "80"], capture_output=True, text=True,
                             check=False).stdout, file=sys.stderr)
    return 1 if unit.failed else 0


if __name__ == "__main__":
    signal.alarm(int(os.environ.get("LIMIT", "1500")))
    sys.exit(main())
