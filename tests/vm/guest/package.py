#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The Debian package, inside a virtual machine that booted with it. TAP. Run by tests/vm/package_test."""
import grp
import os
import subprocess
import sys

import unit
from demo import Person, Program, denied_camera, run
from unit import LONG, ctl, daemon, ok, running, show, systemctl


def gate():
    return ctl("status")[1].splitlines()[:1]


def dpkg(*words):
    return run(["dpkg", "--force-depends", *words], LONG)


def answer(question, word):
    subprocess.run(["debconf-set-selections"], input=f"callgate callgate/{question} boolean {word}\n", text=True,
                   check=True)


def main():
    alice = Person("alice")
    ok(show("callgate", "ActiveState") == "active" and os.path.isdir("/sys/module/callgate"),
       "after the first boot module and daemon are there", systemctl("status", "callgate").stdout)
    agent = os.stat("/usr/libexec/callgate-agent-tty")
    ok(agent.st_mode & 0o7777 == 0o2755 and agent.st_gid == grp.getgrnam("callgate-agent").gr_gid,
       "the agent is setgid to its group")
    ok("permissive" in str(gate()) and not denied_camera(alice)[0], "first contact: reported, not denied", gate())
    code, text = ctl("enforce", "--yes")
    ok(code == 0 and "/usr/bin/v4l2-ctl" in text and denied_camera(alice)[0], "enforce names it and denies it", text)
    before = daemon()
    systemctl("restart", "callgate")
    ok(running(before) and denied_camera(alice)[0], "also after a restart", gate())
    before = daemon()
    code, text = dpkg("-i", "/share/callgate.deb")
    ok(code == 0 and running(before) and denied_camera(alice)[0] and "permissive" not in str(gate()), "and after an upgrade, which replaces the daemon",
       (text, gate()))

    # The kernel's command line of this machine has callgate.permissive=1.
    systemctl("stop", "callgate")
    run(["rmmod", "callgate"])
    ok(not os.path.isdir("/sys/module/callgate"), "the module can be unloaded")
    run(["modprobe", "callgate"], LONG)
    ok(not denied_camera(alice)[0], "callgate.permissive=1 on the kernel's command line recovers a machine")
    systemctl("start", "callgate")
    ok(not denied_camera(alice)[0] and "permissive" in str(gate()), "and the daemon leaves it so", gate())
    ctl("enforce", "--yes")

    ok(denied_camera(alice)[0], "until somebody enforces")
    code, text = dpkg("-r", "callgate")
    ok(code == 0 and not os.path.isdir("/sys/module/callgate") and not denied_camera(alice)[0],
       "removing the package opens the devices", text)
    ok(os.path.exists("/var/lib/callgate/mode"), "and keeps what was decided")
    # One who keeps what others know the users by, and not the histories.
    own = "/var/lib/callgate/1000"
    os.makedirs(own + "/journal", exist_ok=True)
    for name in ("/var/lib/callgate/key", own + "/identity", own + "/journal/keys"):
        with open(name, "a", encoding="utf-8"):
            pass
    asks = Program(["env", "DEBIAN_FRONTEND=teletype", "DEBCONF_NOWARNINGS=yes", "LINES=200", "dpkg", "--force-depends", "-P", "callgate"],
                   terminal=True)
    asked = []
    for about, word in (("identities", "no"), ("histories", "yes")):
        asked.append(bool(asks.expect(f"Delete the [^?]*{about}[^?]*\\? .*?\\[yes/no\\] ", LONG)))
        asks.type(word + "\n")
    code, text = asks.wait(LONG), asks.text
    ok(asked == [True, True], "purging asks about identities and histories", text)
    ok(code == 0 and os.path.exists(own + "/identity") and os.path.exists("/var/lib/callgate/key") and
       not os.path.exists(own + "/journal") and not os.path.exists("/var/lib/callgate/mode"),
       "purging keeps identities where that is the answer, and no history", text)
    answer("purge-identities", "true")
    answer("strict", "true")
    code, text = dpkg("-i", "/share/callgate.deb")
    ok(code == 0 and os.path.exists("/etc/callgate/strict"), "strict mode is an answer, too", text)
    unit.write(unit.RULES_D, "[rule all]\naction = ask\n")
    code, text = dpkg("-P", "callgate")
    left = subprocess.run(["find", "/var/lib/callgate", "/etc/callgate", "/usr/libexec/callgated",
                           "/etc/systemd/system/multi-user.target.wants/callgate.service",
                           "/etc/systemd/system/sysinit.target.wants/callgate-module.service"], capture_output=True,
                          text=True, check=False).stdout
    left += run(["grep", "-E", "^callgate", "/etc/passwd", "/etc/group", "/etc/shadow"])[1]
    ok(code == 0 and not left, "otherwise purging leaves nothing behind", text + left)
    print(f"1..{unit.count}", flush=True)
    return 1 if unit.failed else 0


if __name__ == "__main__":
    sys.exit(main())
