#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Apps in Flatpak's sandbox, in a snap and in an AppImage, as their own tools make and start them: what they are called, refused, asked, allowed.
TAP. Run by tests/desktop/desktop_test.

What they run on and the apps are made here of this machine's files, because nothing can be fetched; Flatpak and snapd do with them what
they do with others.
"""
import os
import re
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "vm", "guest"))
import demo  # noqa: E402
import unit  # noqa: E402
from demo import Person, run  # noqa: E402
from desk import FOLDER, LIMIT_S, Desk, Hand, Monitor, button, until  # noqa: E402
from desktop import SEEN_S, install, open_desk, prepare  # noqa: E402
from naming import sessions  # noqa: E402
from sitting import Recorder, as_delivered, configure  # noqa: E402
from unit import ok  # noqa: E402

HERE = os.path.dirname(os.path.realpath(__file__))
APP, RUNTIME, BRANCH = "org.example.Recorder", "org.example.Platform", "stable"
WORK = "/home/alice/apps"
PYTHON = os.path.realpath("/usr/bin/python3")
ENVIRONMENT = ("env", "HOME=/home/alice", "XDG_RUNTIME_DIR=" + FOLDER, f"DBUS_SESSION_BUS_ADDRESS=unix:path={FOLDER}/bus",
               "XDG_DATA_DIRS=/usr/local/share:/usr/share")
# A runtime's loader makes itself a list of what it can load at the first start.
PROGRAMS = (PYTHON, "/bin/dash", "/sbin/ldconfig")
FLATPAK = ("flatpak", "run", "--user", APP)
SNAP = ("snap", "run", "recorder")
IMAGE = WORK + "/Recorder.AppImage"

RUNTIME_FACTS = f"""[Runtime]
name={RUNTIME}
runtime={RUNTIME}/x86_64/{BRANCH}
sdk={RUNTIME}/x86_64/{BRANCH}
"""
APP_FACTS = f"""[Application]
name={APP}
runtime={RUNTIME}/x86_64/{BRANCH}
sdk={RUNTIME}/x86_64/{BRANCH}
command=recorder

[Context]
devices=all;

[System Bus Policy]
org.callgate1=talk
"""
BASE_FACTS = """name: core
version: '1'
type: os
summary: What snaps run on
description: Made of this machine's files
"""
# Where snapd mounts what is this machine's or the app's.
BASE_PLACES = ("dev", "etc/alternatives", "etc/ssl", "home", "media", "meta", "mnt", "proc", "root", "run", "snap", "sys", "tmp", "usr/lib/modules",
               "usr/lib/snapd", "usr/share/fonts", "usr/src", "var/lib/extrausers", "var/lib/snapd/hostfs", "var/lib/snapd/lib", "var/log",
               "var/snap", "var/tmp")
SNAPD = "/usr/lib/snapd/snap-exec"
# By devmode alone it may use the camera and the bus: what else lets a snap do that is the store's.
SNAP_FACTS = """name: recorder
version: '1'
summary: A recorder
description: One of a user's
confinement: devmode
grade: devel
apps:
  recorder:
    command: bin/recorder
"""
# As the usual one does, which is not in Debian: mounts what is behind it, and starts that.
IMAGE_RUNTIME = """#!/bin/sh
APPDIR=$(mktemp -d /tmp/.mount_RecordXXXXXX) && export APPDIR
squashfuse -o offset={size},fsname="${{0##*/}}" "$0" "$APPDIR" || exit 1
"$APPDIR/AppRun" "$@"
fusermount3 -u "$APPDIR"
exit
"""
IMAGE_APP = """#!/bin/sh
PYTHONHOME=/usr exec "$APPDIR/usr/bin/recorder" "$APPDIR/recorder.py"
"""


class Sandboxed(Recorder):
    """The same recorder, started as its sandbox starts it."""

    def __init__(self, person, *argv):  # pylint: disable=super-init-not-called
        self.process = subprocess.Popen(person.argv(*ENVIRONMENT, *argv), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.started = self.process.stdout.readline().strip() == "ready"


def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)


def libraries(paths):
    said = run(["ldd", *paths])[1]
    return sorted(set(re.findall(r"(/\S+) \(0x", said)))


def make_files(folder, programs=PROGRAMS):
    """Python, and what it needs to speak on the bus."""
    files = folder + "/usr"
    packages = "/usr/lib/python3/dist-packages"
    standard = "/usr/lib/" + os.path.basename(PYTHON)
    shutil.copytree(standard, files + standard[4:], ignore=shutil.ignore_patterns("__pycache__", "test", "config-*"))
    os.makedirs(files + packages[4:])
    for name in os.listdir(packages):
        if name == "dbus":
            shutil.copytree(f"{packages}/{name}", files + f"{packages}/{name}"[4:])
        elif name.startswith("_dbus"):
            shutil.copy(f"{packages}/{name}", files + packages[4:])
    extensions = [os.path.join(at, name) for at, _, names in os.walk(files) for name in names if name.endswith(".so")]
    for name in ("bin", "etc"):
        os.makedirs(f"{files}/{name}")
    for program in PROGRAMS:
        shutil.copy(program, files + "/bin")
    for name, target in (("python3", os.path.basename(PYTHON)), ("sh", "dash")):
        os.symlink(target, f"{files}/bin/{name}")
    for library in libraries([*programs, *extensions]):
        place = files + ("" if library.startswith("/lib64/") else "/lib/x86_64-linux-gnu/")
        place += library if library.startswith("/lib64/") else ""
        os.makedirs(os.path.dirname(place), exist_ok=True)
        shutil.copy(library, place)


def make_runtime(folder):
    make_files(folder)
    os.makedirs(folder + "/files")
    write(folder + "/metadata", RUNTIME_FACTS)


def make_app(folder):
    os.makedirs(folder + "/files/bin")
    os.makedirs(folder + "/export")
    shutil.copy(HERE + "/recorder.py", folder + "/files/bin/recorder")
    os.chmod(folder + "/files/bin/recorder", 0o755)
    write(folder + "/metadata", APP_FACTS)


def make_base(folder):
    make_files(folder, (*PROGRAMS, SNAPD))
    for name in BASE_PLACES:
        os.makedirs(f"{folder}/{name}", exist_ok=True)
    for name in ("bin", "lib", "lib64", "sbin"):
        os.makedirs(f"{folder}/usr/{name}", exist_ok=True)
        os.symlink("usr/" + name, f"{folder}/{name}")
    shutil.copy(SNAPD, folder + SNAPD)
    # Older than this machine's, which is used then.
    write(folder + "/usr/lib/snapd/info", "VERSION=1\n")
    for name in ("nsswitch.conf", "hosts"):
        write(f"{folder}/etc/{name}", "")
    write(folder + "/meta/snap.yaml", BASE_FACTS)


def install_snap():
    make_base(WORK + "/base")
    write(WORK + "/snap/meta/snap.yaml", SNAP_FACTS)
    os.makedirs(WORK + "/snap/bin")
    shutil.copy(HERE + "/recorder.py", WORK + "/snap/bin/recorder")
    os.chmod(WORK + "/snap/bin/recorder", 0o755)
    steps = (("systemctl", "start", "snapd.socket", "snapd.service"), ("snap", "wait", "system", "seed.loaded"),
             ("snap", "pack", "--compression=lzo", "--filename=base.snap", WORK + "/base", WORK),
             ("snap", "pack", "--filename=recorder.snap", WORK + "/snap", WORK),
             ("snap", "install", "--dangerous", WORK + "/base.snap"),
             ("snap", "install", "--dangerous", "--devmode", WORK + "/recorder.snap"))
    for step in steps:
        status, text = run(step, 600)
        if status:
            return ok(False, " ".join(step), text)
    return ok("recorder" in run(["snap", "list"])[1], "snapd has an app and what it runs on installed")


def make_image(folder):
    write(folder + "/AppRun", IMAGE_APP, 0o755)
    os.makedirs(folder + "/usr/bin")
    shutil.copy(PYTHON, folder + "/usr/bin/recorder")
    shutil.copy(HERE + "/recorder.py", folder)
    run(["mksquashfs", folder, folder + ".squashfs", "-quiet", "-no-progress", "-all-root", "-comp", "gzip"])
    size = len(IMAGE_RUNTIME.format(size=1000))
    with open(IMAGE, "wb") as file, open(folder + ".squashfs", "rb") as rest:
        head = IMAGE_RUNTIME.format(size=f"{size:04d}").encode()
        assert len(head) == size
        file.write(head)
        shutil.copyfileobj(rest, file)
    os.chmod(IMAGE, 0o755)


class Table:
    def __init__(self, desk, hand, alice):
        self.desk, self.hand, self.alice = desk, hand, alice

    def do(self, *argv):
        status, text = run(self.alice.argv(*ENVIRONMENT, *argv), 600)
        return status == 0, text

    def allowed(self):
        place = self.desk.window()
        if not place:
            return False
        time.sleep(SEEN_S)
        self.hand.move(*button(place))
        self.hand.click()
        return self.desk.gone()


def install_flatpak(table):
    make_runtime(WORK + "/runtime")
    make_app(WORK + "/app")
    run(["chown", "-R", "alice:alice", WORK])
    steps = (("flatpak", "build-export", "--runtime", WORK + "/repo", WORK + "/runtime", BRANCH),
             ("flatpak", "build-export", WORK + "/repo", WORK + "/app", BRANCH),
             ("flatpak", "remote-add", "--user", "--no-gpg-verify", "here", WORK + "/repo"),
             ("flatpak", "install", "--user", "--noninteractive", "here", f"{APP}//{BRANCH}"))
    for step in steps:
        good, text = table.do(*step)
        if not good:
            return ok(False, " ".join(step[:2]), text)
    return ok(APP in table.do("flatpak", "list", "--user")[1], "Flatpak has an app and its runtime installed")


def use(table, what, start, name):
    """Refused before it is asked about, allowed after, refused again; and what it is called meanwhile."""
    recorder = Sandboxed(table.alice, *start)
    if not ok(recorder.started and recorder.do("read") == "EACCES", f"{what} starts, and is refused outside of what was allowed"):
        return
    said = recorder.do("local")
    shown = [(one["app"], one["app_proven"]) for one in sessions(table.alice)]
    ok(said == "asked" and shown == [(name, False)], f"it is called {name}, which is its own word", (said, shown))
    ok(table.allowed() and recorder.becomes("live 2") and recorder.do("read") == "picture", "allowed by a hand it captures", recorder.do("state"))
    other = Sandboxed(table.alice, *start)
    ok(other.started and other.do("read") == "EACCES", "the same app, started again, was not allowed that")
    other.process.kill()
    recorder.do("end")
    ok(until(lambda: recorder.do("read") == "EACCES"), "at the end it is refused again")
    recorder.process.kill()


def in_call(table, bob):
    """A call's command that Flatpak starts, which has the user's service manager move what it started into a unit of its own."""
    kept, start = demo.PLACE + "/sandboxed", " ".join((*ENVIRONMENT, *FLATPAK))

    def said():
        with open(kept, encoding="utf-8") as file:
            return file.read().split()

    relay = demo.Relay(demo.PLACE, 9)
    call = demo.Call(table.alice, bob, relay, ["sh", "-c", f"(while sleep 1; do echo read; done) | {start} >{kept}"],
                     ["sh", "-c", "cat >/dev/null"])
    answered = [table.allowed(), bob.answer("allow", LIMIT_S), bob.question(LIMIT_S), table.allowed()]
    bob.agent.type("matches\n")
    ok(all(answered) and until(lambda: os.path.exists(kept)), "a call has an app in Flatpak's sandbox as its command", (answered, call.caller.text))
    unit_of = run(["sh", "-c", "cat /proc/$(pgrep -n -f /app/bin/recorder)/cgroup"])[1]
    ok(until(lambda: "picture" in said()), "where it captures", (said(), unit_of, call.caller.text))
    other = Sandboxed(table.alice, *FLATPAK)
    ok(other.started and other.do("read") == "EACCES", "the same app outside of the call does not")
    other.process.kill()
    call.stop()
    relay.tell("quit")


def main():
    alice = Person("alice")
    install()
    bob = prepare()
    desk = Desk(HERE + "/session")
    table = Table(desk, Hand(Monitor(), desk), alice)
    if open_desk(desk):
        run(["modprobe", "fuse"])
        configure("[local]\naction = ask\nseconds = 3600\n[prompt]\ntimeout = 300\n")
        if install_flatpak(table):
            use(table, "an app in Flatpak's sandbox", FLATPAK, "flatpak:" + APP)
            ok(bob.start_agent(), "Bob has his terminal", bob.agent.text)
            in_call(table, bob)
        if install_snap():
            use(table, "a snap", SNAP, "snap:recorder")
        make_image(WORK + "/image")
        use(table, "an AppImage", (IMAGE,), "appimage:" + os.path.basename(IMAGE))
        as_delivered()
    print(f"1..{unit.count}", flush=True)
    if unit.failed:
        print(run(["journalctl", "--no-pager", "-n", "60"])[1], file=sys.stderr)
    return 1 if unit.failed else 0


if __name__ == "__main__":
    sys.exit(main())
