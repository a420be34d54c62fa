# SPDX-License-Identifier: LGPL-2.1-or-later
"""A bus of one's own and a fake org.callgate1 on it, to test the tools without a daemon.

The fake keeps doc/dbus.md's form and none of its promises: its blobs are made
up, its keys are hashes of the session's id. Both ends of a call may talk to
the same fake. It runs in a thread of the test program.
"""
import hashlib
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time

import dbus
import dbus.lowlevel
import dbus.mainloop.glib
import dbus.service
from gi.repository import GLib

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.path.join(TOP, os.environ.get("BUILD", "build"))
CTL = os.path.join(BUILD, "callgatectl")
AGENT = os.path.join(BUILD, "callgate-agent-tty")
ROOT = "/org/callgate1"
MANAGER, SESSION, AGENT_INTERFACE = "org.callgate1.Manager", "org.callgate1.Session", "org.callgate1.Agent"
INIT, RESP, FIN, DATA, CLOSE = 1, 2, 3, 4, 5
HEARTBEAT_MS = 200

CONFIG = """<busconfig><listen>unix:path={0}/bus</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*"/>
<allow send_type="*"/><allow receive_type="*"/></policy></busconfig>"""


class Bus:
    """A message bus of one's own, as the system bus of this process and its children."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="callgate-tools-")
        with open(self.dir + "/conf", "w") as file:
            file.write(CONFIG.format(self.dir))
        self.process = subprocess.Popen(["dbus-daemon", "--config-file", self.dir + "/conf", "--nofork",
                                         "--print-address"], stdout=subprocess.PIPE)
        self.process.stdout.readline()
        self.address = f"unix:path={self.dir}/bus"
        os.environ["DBUS_SYSTEM_BUS_ADDRESS"] = self.address

    def stop(self):
        self.process.terminate()
        self.process.wait()
        subprocess.run(["rm", "-rf", self.dir], check=False)


class Error(dbus.DBusException):
    def __init__(self, name, text):
        super().__init__(text)
        self._dbus_error_name = "org.callgate1.Error." + name


def blob(kind, sid, body=b""):
    return bytes([1, kind]) + sid + body


class Session(dbus.service.Object):
    def __init__(self, fake, path, owner, sid, incoming, contact, kinds, subject):
        super().__init__(fake.link, path)
        self.fake, self.path, self.owner, self.sid = fake, path, owner, sid
        self.tells = False
        self.subject = subject
        self.beats = []
        self.facts = {
            "State": "new", "Incoming": incoming, "Contact": contact, "ContactClaimed": incoming,
            "PeerAuthentication": "unknown", "App": "exe:/usr/bin/callgatectl", "AppProven": False,
            "Subject": "scope", "Kinds": dbus.UInt32(kinds), "Approved": dbus.UInt32(0),
            "Granted": dbus.UInt32(0), "Level": "channel", "PeerCaptured": dbus.UInt32(0), "PeerGate": False,
            "Opened": dbus.UInt64(int(time.time())), "EndReason": "", "EndMessage": "",
        }

    def change(self, **news):
        self.facts.update(news)
        self.fake.tell(self.owner, self.path, "org.freedesktop.DBus.Properties", "PropertiesChanged", "sa{sv}as",
                       SESSION, news, [])

    def send(self, data):
        self.fake.tell(self.owner, self.path, SESSION, "Blob", "ay", dbus.ByteArray(data))

    def approve(self):
        self.change(State="ringing", Approved=dbus.UInt32(self.facts["Kinds"] & self.fake.approve))
        self.send(blob(RESP if self.facts["Incoming"] else INIT, self.sid))
        return False

    def live(self):
        if self.facts["State"] == "live":
            return
        # As the real one: the peer is new, so the camera waits for the numbers.
        self.change(State="live", Granted=dbus.UInt32(self.facts["Approved"] & self.fake.grant & 1))
        if self.fake.grant & 2:
            GLib.timeout_add(300, self.verified)
        GLib.timeout_add(HEARTBEAT_MS, self.beat)

    def verified(self):
        if self.facts["State"] == "live":
            self.change(PeerAuthentication="verified",
                        Granted=dbus.UInt32(self.facts["Approved"] & self.fake.grant))
        return False

    def beat(self):
        if self.facts["State"] != "live":
            return False
        self.send(blob(DATA, self.sid, struct.pack(">d", time.monotonic())))
        return True

    def close(self, reason, message):
        if self.facts["State"] != "closed":
            if self.fake.programs:
                self.fake.tell(self.owner, self.path, SESSION, "Programs", "a(suu)ba(suu)", *self.fake.programs)
            self.change(State="closed", Granted=dbus.UInt32(0), EndReason=reason, EndMessage=message)

    @dbus.service.method(SESSION, in_signature="ay", byte_arrays=True)
    def Deliver(self, data):
        if len(data) < 18 or data[2:18] != self.sid:
            self.fake.rejected += 1
            raise Error("BadBlob", "not of this session")
        kind = data[1]
        if kind == RESP:
            self.send(blob(FIN, self.sid))
        elif kind == FIN:
            self.send(blob(DATA, self.sid, struct.pack(">d", time.monotonic())))
            self.live()
        elif kind == DATA:
            sent, = struct.unpack(">d", data[18:26])
            self.beats.append((time.monotonic(), time.monotonic() - sent))
            self.live()
        elif kind == CLOSE:
            self.close("peer-closed", "The other side hung up.")

    @dbus.service.method(SESSION, out_signature="h")
    def MediaKeys(self):
        if self.facts["State"] != "live":
            raise Error("NotLive", "wait until the call is live")
        read, write = os.pipe()
        for direction in (0, 1):
            for kind in (1, 2, 3):
                os.write(write, struct.pack(">BBI", direction, kind, 0) + self.key(direction, kind))
        os.close(write)
        fd = dbus.types.UnixFd(read)
        os.close(read)
        return fd

    def key(self, direction, kind):
        return hashlib.sha256(self.sid + bytes([direction, kind])).digest()

    @dbus.service.method(SESSION)
    def End(self):
        self.fake.ended += 1
        self.send(blob(CLOSE, self.sid))
        self.close("ended", "You ended the call.")

    @dbus.service.method("org.freedesktop.DBus.Properties", in_signature="s", out_signature="a{sv}")
    def GetAll(self, interface):
        return self.facts


class Fake(dbus.service.Object):
    """org.callgate1.Manager. Its attributes say how it behaves."""

    def __init__(self, address, own=True):
        self.gate, self.blocked, self.refusal = "present", 0, None
        self.approve, self.grant, self.ask_agent = 3, 3, False
        self.programs = None
        self.sessions, self.subscribers, self.rejected, self.ended = [], [], 0, 0
        self.streams, self.devices, self.peers = [], [], []
        self.agent, self.with_agent = None, False
        self.asked = []
        self.number = 0
        self.loop = GLib.MainLoop()
        self.link = dbus.bus.BusConnection(address, mainloop=dbus.mainloop.glib.DBusGMainLoop())
        self.name = dbus.service.BusName("org.callgate1", self.link) if own else None
        super().__init__(self.link, ROOT)

    def tell(self, to, path, interface, member, signature, *arguments):
        m = dbus.lowlevel.SignalMessage(path, interface, member)
        m.set_destination(to)
        m.append(*arguments, signature=signature)
        self.link.send_message(m)

    def event(self, member, signature, *arguments):
        for to in self.subscribers:
            self.tell(to, ROOT, MANAGER, member, signature, *arguments)

    def make(self, sender, sid, incoming, contact, kinds, subject, options):
        if self.refusal:
            raise Error(*self.refusal)
        if not options.get("scope"):
            raise Error("BadArgument", "the test wants a scope")
        self.number += 1
        session = Session(self, f"{ROOT}/session/{self.number}", sender, sid, incoming, contact, kinds, subject)
        session.tells = bool(options.get("tell-programs"))
        self.sessions.append(session)
        GLib.timeout_add(50, session.approve)
        return session.path

    @dbus.service.method(MANAGER, in_signature="suha{sv}", out_signature="o", sender_keyword="sender")
    def CreateSession(self, contact, kinds, subject, options, sender):
        return self.make(sender, os.urandom(16), False, contact, kinds, subject.take(), options)

    @dbus.service.method(MANAGER, in_signature="aysuha{sv}", out_signature="o", sender_keyword="sender",
                         byte_arrays=True)
    def AcceptSession(self, init, claimed, kinds, subject, options, sender):
        if len(init) != 18:
            self.rejected += 1
            raise Error("BadBlob", "this is no INIT")
        return self.make(sender, bytes(init[2:18]), True, claimed, kinds, subject.take(), options)

    def objects(self, entries):
        return dbus.Array([dbus.Struct((dbus.ObjectPath(p), dbus.Dictionary(d, signature="sv")), signature="oa{sv}")
                           for p, d in entries], signature="(oa{sv})")

    @dbus.service.method(MANAGER, out_signature="a(oa{sv})")
    def ListSessions(self):
        return self.objects([(s.path, s.facts) for s in self.sessions if s.facts["State"] != "closed"])

    @dbus.service.method(MANAGER, out_signature="a(oa{sv})")
    def ListDevices(self):
        return self.objects(self.devices)

    @dbus.service.method(MANAGER, out_signature="a(oa{sv})")
    def ListPeers(self):
        return self.objects(self.peers)

    @dbus.service.method(MANAGER, out_signature="aa{sv}")
    def ListStreams(self):
        return dbus.Array([dbus.Dictionary(s, signature="sv") for s in self.streams], signature="a{sv}")

    @dbus.service.method(MANAGER, in_signature="u")
    def Block(self, kinds):
        self.blocked |= kinds
        self.event("PropertiesChanged", "sa{sv}as", MANAGER, {"Blocked": dbus.UInt32(self.blocked)}, [])

    @dbus.service.method(MANAGER, in_signature="u")
    def Unblock(self, kinds):
        if self.refusal:
            raise Error(*self.refusal)
        self.blocked &= ~kinds
        self.event("PropertiesChanged", "sa{sv}as", MANAGER, {"Blocked": dbus.UInt32(self.blocked)}, [])

    @dbus.service.method(MANAGER, sender_keyword="sender")
    def Subscribe(self, sender):
        self.subscribers.append(sender)

    @dbus.service.method(MANAGER, in_signature="oa{sv}", sender_keyword="sender")
    def RegisterAgent(self, path, options, sender):
        if self.refusal:
            raise Error(*self.refusal)
        self.agent = (sender, path, dict(options))

    @dbus.service.method("org.freedesktop.DBus.Properties", in_signature="s", out_signature="a{sv}")
    def GetAll(self, interface):
        return {"Version": "0.1", "Gate": self.gate, "Blocked": dbus.UInt32(self.blocked),
                "Agent": self.agent is not None or self.with_agent}

    @dbus.service.method("org.freedesktop.DBus.Properties", in_signature="ss", out_signature="v")
    def Get(self, interface, name):
        return self.GetAll(interface)[name]

    def ask(self, method, *arguments, signature=None):
        """Ask the agent; the answer arrives in self.asked as (method, reply or error name)."""
        sender, path, _ = self.agent
        self.link.call_async(sender, path, AGENT_INTERFACE, method, signature, arguments,
                                   lambda *reply: self.asked.append((method, reply)),
                                   lambda error: self.asked.append((method, error.get_dbus_name())))


class Thread:
    """Runs the main loop; do() runs something in it and returns what that returned."""

    def __init__(self):
        self.loop = GLib.MainLoop()
        self.thread = threading.Thread(target=self.loop.run, daemon=True)
        self.thread.start()

    @staticmethod
    def do(function):
        done, result = threading.Event(), []

        def call():
            try:
                result.append(function())
            except Exception as error:  # pylint: disable=broad-except
                result.append(error)
            done.set()
            return False
        GLib.idle_add(call)
        if not done.wait(10):
            raise TimeoutError("the fake does not answer")
        if isinstance(result[0], Exception):
            raise result[0]
        return result[0]


class Program:
    """A program and what it wrote, on a terminal or through pipes."""

    def __init__(self, *argv, terminal=False, stdout=None, **options):
        self.text, self.seen = "", 0
        self.changed = threading.Condition()
        if terminal:
            self.tty, slave = pty.openpty()
            self.process = subprocess.Popen(
                argv, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
                preexec_fn=lambda: __import__("fcntl").ioctl(0, termios.TIOCSCTTY, 0), **options)
            os.close(slave)
            source = self.tty
        else:
            source, write = os.pipe()
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL,
                                            stdout=write if stdout is None else stdout, stderr=write,
                                            start_new_session=True, **options)
            os.close(write)
        self.thread = threading.Thread(target=self.collect, args=(source,), daemon=True)
        self.thread.start()

    def collect(self, source):
        while True:
            try:
                # A read under way would keep a terminal open that the test has closed.
                if not select.select([source], [], [], 0.05)[0]:
                    continue
                data = os.read(source, 65536)
            except OSError:
                data = b""
            with self.changed:
                self.text += data.decode(errors="replace")
                self.changed.notify_all()
            if not data:
                return

    def expect(self, pattern, limit=10):
        """Wait for a pattern behind the last one that was found; its match, or None."""
        end = time.monotonic() + limit
        with self.changed:
            while True:
                match = re.compile(pattern, re.S).search(self.text, self.seen)
                if match:
                    self.seen = match.end()
                    return match
                if not self.changed.wait(max(0, end - time.monotonic())) and time.monotonic() >= end:
                    return None

    def type(self, text):
        os.write(self.tty, text.encode())

    def wait(self, limit=15):
        try:
            status = self.process.wait(limit)
        except subprocess.TimeoutExpired:
            return None
        self.thread.join(1)
        return status

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()


class Tap:
    def __init__(self):
        self.count, self.failed = 0, 0

    def ok(self, good, what, seen=None):
        self.count += 1
        self.failed += not good
        print(f"{'ok' if good else 'not ok'} {self.count} - {what}", flush=True)
        if not good and seen is not None:
            for line in str(seen).splitlines():
                print("# " + line, flush=True)
        return good

    def done(self):
        print(f"1..{self.count}", flush=True)
        return 1 if self.failed else 0


def until(question, limit=10):
    end = time.monotonic() + limit
    while True:
        answer = question()
        if answer or time.monotonic() > end:
            return answer
        time.sleep(0.02)


def readable(fd):
    return bool(select.select([fd], [], [], 0)[0])


if not os.path.exists(CTL):
    print(f"1..0 # SKIP {CTL} is not built")
    sys.exit(0)
