# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a program is called, by the kernel's word and by its own: in units of the user's manager, in a sandbox. A part of desktop.py."""
import json

from demo import CTL, run
from sitting import HERE, Recorder, as_delivered, configure
from unit import ok

RUNTIME = "XDG_RUNTIME_DIR=/run/user/1000"
# As a sandbox's files are: in mounts of its own, where the kernel finds no path of this machine's.
SANDBOX = ("unshare", "--user", "--map-current-user", "--mount")


def sessions(alice):
    return json.loads(run(alice.argv(CTL, "sessions", "--json"))[1])


def named(alice, *start):
    """The session's app, and whether that is proven; the error where it was refused."""
    recorder = Recorder(alice, *start)
    said = recorder.do("local")
    if said != "asked":
        return said
    shown = sessions(alice)
    recorder.do("end")
    recorder.process.kill()
    recorder.process.wait()
    return [(one["app"], one["app_proven"]) for one in shown]


def scope(unit):
    return ("env", RUNTIME, "systemd-run", "--user", "--quiet", "--scope", "--unit", unit)


def run_all(alice):
    configure("[local]\naction = ask\n")
    script = [(f"script:{HERE}/recorder.py", False)]
    seen = named(alice)
    ok(seen == script, "a script is named, not its interpreter, and as its own word", seen)
    seen = named(alice, *scope("app-flatpak-org.example.Fake-4711.scope"))
    ok(seen == script, "in a unit of another name, which any program can make, it is the same", seen)
    seen = named(alice, *scope("app-flatpak-org.example.Recorder-4712.scope"), *SANDBOX)
    ok(seen == [("flatpak:org.example.Recorder", False)], "in a sandbox it is what its unit says, as a claim", seen)
    seen = named(alice, *scope("snap.recorder.recorder-4713.scope"), *SANDBOX)
    ok(seen == [("snap:recorder", False)], "likewise one of Snap's", seen)
    seen = named(alice, *SANDBOX)
    ok(seen == "NotAllowed", "a sandbox that no unit names is refused", seen)
    as_delivered()
