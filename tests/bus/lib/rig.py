# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the bus tests share: private buses, real daemons with a fake gate, actors, TAP."""
import atexit
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

from documented import documented

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.realpath(os.path.join(HERE, "..", "..", ".."))
DAEMON = os.environ.get("CALLGATE_DAEMON", os.path.join(ROOT, "build", "tests", "callgated-fake"))
AGENT_GROUP = 4242
# Users of every Debian; the bus does not serve uids that nobody has.
ALICE, BOB, MALLORY = 1, 2, 3
# A machine that is emulated wants more.
LIMIT = int(os.environ.get("CALLGATE_LIMIT", "15"))
# What an actor is called: never by its interpreter.
SCRIPT = "script:" + os.path.join(HERE, "actor.py")
MANAGER = "org.callgate1.Manager"
SESSION = "org.callgate1.Session"
ROOT_PATH = "/org/callgate1"
MICROPHONE, CAMERA = 1, 2

BUS_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><listen>unix:path={path}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_type="method_call"/>
<allow send_type="signal"/><allow send_requested_reply="true" send_type="method_return"/>
<allow send_requested_reply="true" send_type="error"/><allow receive_type="method_call"/>
<allow receive_type="method_return"/><allow receive_type="error"/><allow receive_type="signal"/></policy>
</busconfig>"""

done = 0
failed = 0
refused = set()  # (interface, method, error)
things = []


def plan_skip(reason):
    print(f"1..0 # SKIP {reason}", flush=True)
    sys.exit(0)


def ok(good, name, seen=""):
    global done, failed
    done += 1
    if not good:
        failed += 1
    print(f"{'ok' if good else 'not ok'} {done} - {name}", flush=True)
    if not good and seen != "":
        print(f"# {seen}", flush=True)
    return good


def check_refusals():
    """What the daemon refused in this test is what doc/dbus.md says that it may refuse."""
    written = documented()
    unknown = [f"{interface}.{method}: {error}" for interface, method, error in sorted(refused)
               if (interface, method) in written and error not in written[interface, method] | {"Failed"}]
    if refused:
        ok(not unknown, "doc/dbus.md has each error that came, with its method", unknown)


def tell_logs():
    """Of a test that failed: what its daemons said last."""
    for daemon in [thing for thing in things if isinstance(thing, Daemon)]:
        print(f"# {daemon.log_path}, exit status {daemon.process and daemon.process.poll()}:", flush=True)
        for line in daemon.log().splitlines()[-20:]:
            print("#   " + line, flush=True)


def excepthook(*exception):
    sys.__excepthook__(*exception)
    tell_logs()


sys.excepthook = excepthook


def finish():
    if failed:
        tell_logs()
    cleanup()
    check_refusals()
    print(f"1..{done}", flush=True)
    sys.exit(1 if failed else 0)


def wait_for(question, limit=LIMIT):
    """The first true answer, or the last one at the limit."""
    end = time.monotonic() + limit
    while True:
        answer = question()
        if answer or time.monotonic() > end:
            return answer
        time.sleep(0.02)


def runs(pid, name):
    """Whether the process is in that program. Its command line would not tell: a shell's names what it is yet to call."""
    with open(f"/proc/{pid}/comm", encoding="utf-8") as file:
        return file.read() == name + "\n"


def cleanup():
    """The subjects, which keep control groups in use, go before those; what is stopped may add to the list."""
    for thing in reversed(things[:]):
        thing.stop()
    for thing in things:
        if isinstance(thing, Scopes):
            thing.stop()


atexit.register(cleanup)


class Place:
    """A directory that all users can pass through."""

    def __init__(self):
        self.path = tempfile.mkdtemp(prefix="callgate-bus-")
        os.chmod(self.path, 0o755)
        things.append(self)

    def stop(self):
        shutil.rmtree(self.path, ignore_errors=True)


class Bus:
    def __init__(self, place, name):
        path = f"{place.path}/{name}.socket"
        config = f"{place.path}/{name}.conf"
        with open(config, "w") as file:
            file.write(BUS_CONFIG.format(path=path))
        self.address = "unix:path=" + path
        self.process = subprocess.Popen(["dbus-daemon", "--nofork", "--config-file=" + config],
                                        stderr=subprocess.DEVNULL)
        things.append(self)
        wait_for(lambda: os.path.exists(path))

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait()


def image_of(pid):
    """What tells one process image from another, as the kernel's cookie does; None when it is gone."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        if fields[0] == "Z":
            return None
        exe = os.readlink(f"/proc/{pid}/exe")
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            arguments = file.read()
        return fields[19], exe, arguments, os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return None


def cgroup_of(pid):
    with open(f"/proc/{pid}/cgroup") as file:
        for line in file:
            if line.startswith("0::"):
                for top in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified"):
                    try:
                        if os.path.exists(top + "/cgroup.procs"):
                            return os.stat(top + line[3:].strip()).st_ino
                    except OSError:
                        return 0
    return 0


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(word) for word in file.read().split()]


def move_out(daemon, *pids):
    """Into the control group of this test, as a service manager does it that runs as root."""
    with open("/proc/self/cgroup") as file:
        own = next(line.strip()[3:] for line in file if line.startswith("0::"))
    top = os.path.dirname(daemon.scopes)
    for pid in pids:
        with open(f"{top}{own}/cgroup.procs", "w") as file:
            file.write(str(pid))


class Gate:
    """The kernel's part: says who processes are, remembers grants, sends events."""

    def __init__(self, place, name, mode="enforcing"):
        self.path = f"{place.path}/{name}.gate"
        self.server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.server.bind(self.path)
        self.server.listen(1)
        self.mode = mode
        self.grants = {}
        self.further = {}  # a session's grants to others than its subject, by process
        self.log = []
        self.verdicts = {}
        self.exes = {}
        self.refuse_grants = 0
        self.client = None
        threading.Thread(target=self._serve, daemon=True).start()
        things.append(self)

    def _serve(self):
        while True:
            try:
                self.client, _ = self.server.accept()
            except OSError:
                return
            while True:
                try:
                    line = self.client.recv(4096)
                except OSError:
                    break
                if not line:
                    break
                answer = self._answer(line.decode().split())
                try:
                    self.client.send(answer.encode())
                except OSError:
                    break

    def cookie(self, pid):
        image = image_of(pid)
        return image and int.from_bytes(hashlib.sha256(repr((pid, image)).encode()).digest()[:7], "big")

    def _answer(self, words):
        now = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        if words[0] in ("bind", "adopt"):
            return "ok " + self.mode
        if words[0] == "grants":
            return "ok " + ",".join(f"{session} {session} {0 if g['cgroup'] else g['pid']} {g['cookie']} {g['cgroup']} "
                                    f"{g['uid']} {g['kinds']}" for session, g in self.grants.items())
        if words[0] == "mode":
            self.mode = words[1]
            return "ok"
        if words[0] == "identify":
            pid = int(words[1])
            image = image_of(pid)
            if not image:
                return "error 3"
            return f"ok {image[3]} {self.cookie(pid)} {cgroup_of(pid)} 0 {self.exes.get(pid, image[1])}"
        if words[0] == "grant":
            session, pid, cookie, cgroup, uid, kinds, deadline = map(int, words[1:])
            if self.refuse_grants:
                return f"error {self.refuse_grants}"
            if not cgroup and self.cookie(pid) != cookie:
                return "error 3"
            if deadline <= now or deadline > now + 10_000_000_000:
                return "error 34"
            terms = dict(pid=pid, cookie=cookie, cgroup=cgroup, uid=uid, kinds=kinds, deadline=deadline)
            first = self.grants.get(session)
            if first and (first["cgroup"], not cgroup and first["pid"]) != (cgroup, not cgroup and pid):
                self.further[pid] = dict(terms, session=session)
            else:
                self.grants[session] = terms
                self.log.append((now, "grant", session, kinds, deadline))
            return f"ok {pid}"
        if words[0] == "revoke-grant":
            if not self.further.pop(int(words[1]), None):
                self.grants.pop(int(words[1]), None)
            self.log.append((now, words[0], int(words[1]), 0, 0))
            return "ok"
        if words[0] == "revoke":
            self.grants.pop(int(words[1]), None)
            for pid in [pid for pid, terms in self.further.items() if terms["session"] == int(words[1])]:
                self.further.pop(pid)
            self.log.append((now, words[0], int(words[1]), 0, 0))
            return "ok"
        if words[0] == "verdict":
            self.verdicts[int(words[1])] = words[2] == "1"
            return "ok"
        return "error 22"

    def allowed(self):
        """Kinds that any grant allows now."""
        now = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        kinds = 0
        for grant in list(self.grants.values()):
            if grant["deadline"] > now:
                kinds |= grant["kinds"]
        return kinds

    def event(self, text):
        self.client.send(("event " + text).encode())

    def capture(self, pid, device, kinds, session=0, count=1):
        image = image_of(pid)
        return (f"{device} {kinds} {pid} {self.cookie(pid)} {image[3]} {cgroup_of(pid)} {session} "
                f"{time.clock_gettime_ns(time.CLOCK_BOOTTIME)} {count} {self.exes.get(pid, image[1])}")

    def stop(self):
        self.server.close()
        if self.client:
            self.client.close()


# Puts descriptors where sd_listen_fds(3) looks for them.
HAND_IN = """
import fcntl, os, sys
high = [fcntl.fcntl(int(fd), fcntl.F_DUPFD, 100) for fd in sys.argv[1].split(",")]
for at, fd in enumerate(high):
    os.dup2(fd, 3 + at)
os.closerange(3 + len(high), 256)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execvp(sys.argv[2], sys.argv[2:])
"""


class Daemon:
    def __init__(self, place, bus, name, gate=None, config="", user="nobody", binary=DAEMON, **more):
        self.place, self.bus, self.gate, self.user, self.binary = place, bus, gate, user, binary
        self.state = f"{place.path}/{name}.state"
        self.config = f"{place.path}/{name}.callgate.conf"
        self.rules = f"{place.path}/{name}.policy.d"
        self.log_path = f"{place.path}/{name}.log"
        self.scopes = None
        for top in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified"):
            if os.path.exists(top + "/cgroup.procs"):
                self.scopes = f"{top}/callgate-test-{os.getpid()}-{name}"
        with open(self.config, "w") as file:
            file.write(f"[agent]\ngroup = {AGENT_GROUP}\n" + config)
        self.process = None
        things.append(self)
        self.start(**more)

    def start(self, cwd=None, group=None, fds=None, **more):
        """@fds: by name, as the service manager hands in what it stored."""
        environment = dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=self.bus.address,
                           ASAN_OPTIONS="detect_leaks=0:abort_on_error=0:exitcode=99", NOTIFY_SOCKET="")
        environment.update(more)
        environment.pop("CALLGATE_FAKE_GATE", None)
        if self.gate:
            environment["CALLGATE_FAKE_GATE"] = self.gate.path
        command = [self.binary, "--config", self.config, "--rules", self.rules, "--state-dir", self.state, "--user",
                   self.user]
        if self.scopes:
            command += ["--scopes", self.scopes]
        if group:
            command = ["sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"', group, *command]
        given = list((fds or {}).values())
        if given:
            environment.update(LISTEN_FDS=str(len(given)), LISTEN_FDNAMES=":".join(fds))
            command = [sys.executable, "-c", HAND_IN, ",".join(map(str, given)), *command]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(command, env=environment, stderr=log, stdout=log, cwd=cwd, pass_fds=given)
        wait_for(lambda: self.process.poll() is not None or self.has_name())

    def has_name(self):
        return subprocess.run(["dbus-send", "--bus=" + self.bus.address, "--print-reply", "--dest=org.callgate1",
                               ROOT_PATH, "org.freedesktop.DBus.Peer.Ping"], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, check=False).returncode == 0

    def rule(self, name, text):
        """Writes a file of rules, or takes it away; whoever wants it to count has the daemon reload."""
        os.makedirs(self.rules, exist_ok=True)
        if text is None:
            os.unlink(f"{self.rules}/{name}")
            return
        with open(f"{self.rules}/{name}", "w", encoding="utf-8") as file:
            file.write(text)

    def log(self):
        with open(self.log_path, errors="replace") as file:
            return file.read()

    def end(self, how=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(LIMIT)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.scopes and os.path.isdir(self.scopes):
            things.append(Scopes(self.scopes))
            self.scopes = None


class Scopes:
    """What a daemon's pool leaves behind; gone once the subjects are."""

    def __init__(self, path):
        self.path = path

    def stop(self):
        wait_for(self.remove, 3)

    def remove(self):
        for scope in os.listdir(self.path) if os.path.isdir(self.path) else ():
            if os.path.isdir(f"{self.path}/{scope}"):
                try:
                    os.rmdir(f"{self.path}/{scope}")
                except OSError:
                    return False
        if os.path.isdir(self.path):
            os.rmdir(self.path)
        return True


class Failed(Exception):
    def __init__(self, name, message):
        super().__init__(f"{name}: {message}")
        self.name = name.replace("org.callgate1.Error.", "")
        self.message = message


class Child:
    """A subject: outlives its actor where a test wants that, but not the test."""

    def __init__(self, pid):
        self.pidfd = os.pidfd_open(pid)

    def stop(self):
        if self.pidfd >= 0:
            try:
                signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
            except ProcessLookupError:
                pass
            os.close(self.pidfd)
            self.pidfd = -1


class Actor:
    """A connection of some user; see actor.py."""

    def __init__(self, bus, uid, groups=(), gid=None):
        argv = ["/usr/bin/python3", os.path.join(HERE, "actor.py"), bus.address]
        if uid:
            argv = ["setpriv", "--reuid", str(uid), "--regid", str(uid if gid is None else gid),
                    *(["--groups", ",".join(map(str, groups))] if groups else ["--clear-groups"]), *argv]
        self.uid = uid
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.answers = {}
        self.called = {}
        self.events = []
        self.changed = threading.Condition()
        self.sending = threading.Lock()
        self.next = 1
        threading.Thread(target=self._read, daemon=True).start()
        things.append(self)
        self.name = self.wait("ready")["name"]

    def _read(self):
        for line in self.process.stdout:
            message = json.loads(line)
            with self.changed:
                if "id" in message:
                    self.answers[message["id"]] = message
                else:
                    message["at"] = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
                    self.events.append(message)
                self.changed.notify_all()

    def send(self, do, **command):
        # A relay sends for the same actor from a thread of its own.
        with self.sending:
            serial = self.next
            self.next += 1
            self.process.stdin.write(json.dumps(dict(command, id=serial, do=do)) + "\n")
            self.process.stdin.flush()
        return serial

    def answer_to(self, serial, limit=LIMIT):
        with self.changed:
            if not self.changed.wait_for(lambda: serial in self.answers, limit):
                raise Failed("timeout", "no answer from the actor")
            answer = self.answers.pop(serial)
        method = self.called.pop(serial, ("", ""))
        if "error" in answer:
            error = Failed(answer["error"], answer["message"])
            if error.name != answer["error"]:
                refused.add((*method, error.name))
            raise error
        return answer["result"]

    def do(self, do, **command):
        return self.answer_to(self.send(do, **command))

    def start_call(self, path, interface, method, signature="", *arguments, **more):
        serial = self.send("call", path=path, interface=interface, method=method, signature=signature, arguments=arguments, **more)
        self.called[serial] = (interface, method)
        return serial

    def call(self, path, interface, method, signature="", *arguments, **more):
        result = self.answer_to(self.start_call(path, interface, method, signature, *arguments, **more))
        return result[0] if len(result) == 1 else result

    def refusal(self, path, interface, method, signature="", *arguments, **more):
        """The error's name, or "allowed"."""
        self.said = ""
        try:
            self.call(path, interface, method, signature, *arguments, **more)
            return "allowed"
        except Failed as error:
            self.said = error.message
            return error.name

    def manager(self, method, signature="", *arguments):
        return self.call(ROOT_PATH, MANAGER, method, signature, *arguments)

    def get(self, path, interface, name):
        return self.call(path, "org.freedesktop.DBus.Properties", "Get", "ss", interface, name)

    def take(self, wanted, limit=LIMIT):
        """Remove and return the first event that wanted() likes, or None."""
        def find():
            for event in self.events:
                if wanted(event):
                    return event
            return None
        with self.changed:
            self.changed.wait_for(find, limit)
            event = find()
            if event:
                self.events.remove(event)
            return event

    def wait(self, name, limit=LIMIT):
        return self.take(lambda event: event["event"] == name, limit)

    def asked_about(self, path, limit=LIMIT):
        """The question whether to allow that session: one about another that ended may still be on its way."""
        return self.take(lambda event: event["event"] == "Approve" and event["arguments"][0] == path, limit)

    def wait_signal(self, member, limit=LIMIT, path=None):
        return self.take(lambda event: event["event"] == "signal" and event["member"] == member and
                         (path is None or event["path"] == path), limit)

    def reply(self, event, signature, *result):
        self.do("answer", serial=event["serial"], signature=signature, result=result)

    def become_agent(self):
        self.manager("RegisterAgent", "oa{sv}", "/agent", {"options": {}})

    def create(self, contact="bob", kinds=3, subject=None, **options):
        return self.manager("CreateSession", "suha{sv}", contact, kinds, {"pidfd": subject}, {"options": options})

    def accept(self, init, claimed="alice", kinds=3, subject=None, **options):
        return self.manager("AcceptSession", "aysuha{sv}", {"bytes": init}, claimed, kinds, {"pidfd": subject},
                            {"options": options})

    def spawn(self, *argv):
        pid = self.do("spawn", argv=argv or ("sleep", "1000"))
        things.insert(0, Child(pid))
        return pid

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Relay(threading.Thread):
    """Carries blobs between two sessions of two actors, as the apps would; can be cut, and keeps what it saw."""

    def __init__(self, one, one_path, other, other_path, change=None):
        super().__init__(daemon=True)
        self.ends = ((one, one_path, other, other_path), (other, other_path, one, one_path))
        self.change = change
        self.is_cut = False
        self.seen = []
        self.errors = []
        self.ending = threading.Event()
        self.start()

    def run(self):
        while not self.ending.is_set():
            moved = False
            for source, source_path, target, target_path in self.ends:
                event = source.wait_signal("Blob", 0, source_path)
                if not event:
                    continue
                moved = True
                blob = event["arguments"][0]
                self.seen.append(blob)
                if self.is_cut:
                    continue
                if self.change:
                    blob = self.change(blob)
                if blob is None:
                    continue
                try:
                    target.call(target_path, SESSION, "Deliver", "ay", {"bytes": blob})
                except Failed as error:
                    self.errors.append(error.name)
            if not moved:
                time.sleep(0.01)

    def cut(self):
        self.is_cut = True

    def stop(self):
        self.ending.set()
        self.join()


class Side:
    """One machine: a bus, a daemon, a user with an agent and an app."""

    def __init__(self, place, name, uid, gate=True, config="", binary=DAEMON, **more):
        self.place, self.uid = place, uid
        self.bus = Bus(place, name)
        self.gate = Gate(place, name) if gate else None
        self.daemon = Daemon(place, self.bus, name, self.gate, config, binary=binary, **more)
        self.agent = Actor(self.bus, uid, [AGENT_GROUP])
        self.agent.become_agent()
        self.app = Actor(self.bus, uid)
        self.subject = self.app.spawn()

    def properties(self, path):
        for own, values in self.app.manager("ListSessions"):
            if own == path:
                return values
        return None


def start_call(alice, bob, kinds=3, change=None, approve_kinds=None, contact="bob", claimed="alice", bob_kinds=3,
               subject=None, **options):
    """A call up to both Compare questions or whatever comes instead; (alice's path, bob's path, relay)."""
    path = alice.app.create(contact, kinds, subject or alice.subject, **options)
    question = alice.agent.asked_about(path)
    alice.agent.reply(question, "bu", True, kinds if approve_kinds is None else approve_kinds)
    init = alice.app.wait_signal("Blob", path=path)["arguments"][0]
    other = bob.app.accept(init, claimed, bob_kinds, bob.subject)
    question = bob.agent.asked_about(other)
    bob.agent.reply(question, "bu", True, bob_kinds)
    return path, other, Relay(alice.app, path, bob.app, other, change)


def compare(alice, bob, word="matches", other="matches"):
    """Both answer Compare; the two numbers that they saw."""
    numbers = []
    for side, answer in ((alice, word), (bob, other)):
        question = side.agent.wait("Compare")
        numbers.append(question["arguments"][1] if question else None)
        if question and answer:
            side.agent.reply(question, "s", answer)
    return numbers
