#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The daemon as a systemd unit, inside a virtual machine that booted with it. TAP.

Run by tests/vm/systemd_test; with the word "call" only what a call is needed for. Its calls are the demo's: two people, one of whom has his daemon in
namespaces of his own.
"""
import fcntl
import os
import re
import signal
import struct
import subprocess
import sys
import time

import demo
from demo import Call, Person, Relay, capturing_by_kernel, denied_camera, denied_microphone, wait_for

ASKERS = 10  # the daemon reads four at once
REQBUFS, SOME_BUFFERS = 0xC0145608, struct.pack("=5I", 2, 1, 1, 0, 0)  # VIDIOC_REQBUFS: two, of a camera, to be mapped
ASKED_S = 20  # an answer that got lost takes 65 s
LONG = 120  # seconds that a loaded, emulated machine may take for what takes one
WATCHDOG_S = 15
IDLE_S = 10
MAC_ADMIN = 1 << 33  # the capability
VT_ACTIVATE = 0x5606  # linux/vt.h
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


def systemctl(*words):
    return subprocess.run(["systemctl", *words], capture_output=True, text=True, check=False)


def show(unit, name):
    return systemctl("show", "-P", name, unit).stdout.strip()


def daemon():
    return int(show("callgate", "MainPID") or 0)


def status(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


def wakeups():
    facts = status(daemon())
    return int(facts["voluntary_ctxt_switches"]) + int(facts["nonvoluntary_ctxt_switches"])


def slept():
    before = wakeups()
    time.sleep(IDLE_S)
    return wakeups() - before


def running(but):
    """The pid of another daemon than this one, once it is up."""
    return wait_for(lambda: show("callgate", "ActiveState") == "active" and daemon() != but and daemon(), LONG, 0.5)


def ctl(*words):
    return demo.run([demo.CTL, *words], LONG)


def closed(alice):
    return denied_camera(alice)[0] and denied_microphone(alice)[0]


def boot(alice):
    # The manager's own words: callgate.service may start the module's once more, and its times are then the last ones.
    said = subprocess.run(["journalctl", "--no-pager", "-b", "-o", "cat", "SYSLOG_IDENTIFIER=systemd"], capture_output=True, text=True,
                          check=False).stdout.splitlines()
    order = [next((n for n, line in enumerate(said) if line.startswith(start)), -1)
             for start in ("Finished callgate-module.service", "Starting systemd-udev-trigger.service", "Started callgate.service",
                           "Starting systemd-user-sessions.service")]
    ok(0 <= order[0] < order[1] < order[2] < order[3], "module, drivers, daemon, and only then people's programs",
       (order, [line for line in said if "callgate" in line]))
    facts = status(daemon())
    ok(facts["Uid"].split() == [str(__import__("pwd").getpwnam("callgate").pw_uid)] * 4 and
       int(facts["CapPrm"], 16) == int(facts["CapEff"], 16) == int(facts["CapAmb"], 16) == 0 and
       facts["NoNewPrivs"] == "1" and facts["Seccomp"] == "2", "the daemon is its own user without a capability", facts)
    ok(closed(alice), "after the boot everything is denied")
    scope = os.stat("/sys/fs/cgroup/callgate/s0/cgroup.procs")
    ok(scope.st_uid == 0 and not scope.st_mode & 0o022, "the control groups are root's")
    wait_for(lambda: wakeups() == (time.sleep(1) or wakeups()), LONG)
    ok(slept() == 0, f"in {IDLE_S} s without a session the daemon does not wake up")


def crowd():
    """Many are held before the daemon reads any of them."""
    asked, begun = [], time.monotonic()
    go, gone = os.pipe()
    for _ in range(ASKERS):
        pid = os.fork()
        if pid == 0:
            os.close(gone)
            with open(demo.CAMERA, "rb", buffering=0) as camera:
                os.read(go, 1)
                try:
                    fcntl.ioctl(camera, REQBUFS, SOME_BUFFERS)
                except PermissionError:
                    os._exit(0)
            os._exit(1)
        asked.append(pid)
    os.close(go)
    os.kill(daemon(), signal.SIGSTOP)
    os.close(gone)
    time.sleep(0.5)
    os.kill(daemon(), signal.SIGCONT)
    refused = sum(os.waitpid(pid, 0)[1] == 0 for pid in asked)
    took = time.monotonic() - begun
    ok(refused == ASKERS and took < ASKED_S, f"{ASKERS} who asked at once are all refused", f"{refused} after {took:.1f} s")


def modes(alice):
    code, text = ctl("permissive")
    ok(code == 0 and "permissive" in text and not denied_camera(alice)[0], "root makes it permissive: capture works",
       text)
    ok(wait_for(lambda: "/usr/bin/v4l2-ctl" in ctl("enforce", "--yes", "--json")[1], 20, 1),
       "enforce shows what it will deny")
    ok(closed(alice), "and then denies it")
    code, text = demo.run(alice.argv(demo.CTL, "permissive"))
    ok(code == 1 and "administrator" in text and closed(alice), "a user without polkit's word changes nothing", text)
    ctl("permissive")
    before = daemon()
    systemctl("restart", "callgate")
    ok(running(before) and "Gate: permissive" in ctl("status")[1], "the mode outlives a restart")
    ctl("enforce", "--yes")


def loaded():
    return os.path.isdir("/sys/module/callgate")


def disabled(alice):
    """A service that is not enabled brings no gate at the boot, which would lock everybody out."""
    systemctl("disable", "callgate")
    ok(show("callgate-module", "UnitFileState") == "disabled", "with the service its module is switched off",
       show("callgate-module", "UnitFileState"))
    systemctl("stop", "callgate")
    demo.run(["modprobe", "-r", "callgate"], LONG)
    demo.run(["modprobe", "-r", "vivid"], LONG)
    demo.run(["modprobe", "vivid"], LONG)
    ok(wait_for(lambda: not denied_camera(alice)[0], LONG, 0.5) and not loaded(),
       "a camera that comes then is not gated", denied_camera(alice))
    systemctl("enable", "callgate")
    systemctl("start", "callgate")
    ok(loaded() and closed(alice) and show("callgate-module", "UnitFileState") == "enabled",
       "the service brings the gate with it", systemctl("status", "callgate-module").stdout)


ADMIN = "an-administrators-word"
CONSOLE = 5


def passwords(alice):
    """On a console of hers, where polkit asks for an administrator's password."""
    subprocess.run(["chpasswd"], input=f"root:{ADMIN}\n", text=True, check=True)
    subprocess.run(["systemd-run", "--quiet", "--unit", "alice-console", "-p", "User=alice", "-p", "PAMName=login", "-p", f"TTYPath=/dev/tty{CONSOLE}",
                    "-p", "StandardInput=tty", "-p", f"UtmpIdentifier=tty{CONSOLE}", "-p", "UtmpMode=user", "-E", "XDG_SESSION_TYPE=tty",
                    "-E", "XDG_SESSION_CLASS=user", "-E", "XDG_SEAT=seat0", "-E", f"XDG_VTNR={CONSOLE}", "sleep", "infinity"], check=True)

    def display():
        status, text = demo.run(["loginctl", "show-user", "alice", "-p", "Display", "--value"])
        return status == 0 and text.strip()
    session = wait_for(display, LONG, 0.5)
    with open("/dev/tty0", "w", encoding="ascii") as console:
        fcntl.ioctl(console, VT_ACTIVATE, CONSOLE)
    ok(wait_for(lambda: demo.run(["loginctl", "show-user", "alice", "-p", "State", "--value"])[1].strip() == "active", LONG, 0.5),
       "alice has a console in front", demo.run(["loginctl", "list-sessions"])[1])

    def there(*words):
        return demo.run(["sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"', f"/sys/fs/cgroup/user.slice/user-1000.slice/session-{session}.scope",
                         *alice.argv(*words)], 2 * LONG)

    code, text = there(demo.CTL, "permissive")
    ok(code == 1 and "pkttyagent" in text and closed(alice), "where nobody can ask for a password she is told so", text)
    code, text = there("/callgate/tests/bus/lib/password.py", "a-wrong-word", demo.CTL, "permissive")
    ok(code == 1 and "whether capture is denied outside calls" in text and "Only an administrator" in text and closed(alice),
       "a wrong one is refused, and nothing is changed", text)
    code, text = there("/callgate/tests/bus/lib/password.py", ADMIN, demo.CTL, "permissive")
    ok(code == 0 and "permissive" in text and not denied_camera(alice)[0], "an administrator's own is accepted", text)
    ctl("enforce", "--yes")
    ok(closed(alice), "root takes it back")
    systemctl("stop", "alice-console")
    wait_for(lambda: "alice" not in demo.run(["loginctl", "--no-legend", "list-sessions"])[1], LONG, 0.5)


def late(alice):
    """A module that comes after the daemon, as after an installation."""
    ctl("permissive")
    systemctl("mask", "--runtime", "callgate-module")
    systemctl("stop", "callgate")
    demo.run(["modprobe", "-r", "callgate"], LONG)
    systemctl("start", "callgate")
    facts, before = status(daemon()), ctl("status")[1]
    ok(int(facts["CapPrm"], 16) == int(facts["CapEff"], 16) == MAC_ADMIN and "Gate: absent" in before and not loaded(),
       "without a module the daemon keeps the capability to bind it", (facts, before))
    before = daemon()
    demo.run(["modprobe", "callgate"], LONG)
    ok(wait_for(lambda: "Gate: permissive" in ctl("status")[1], LONG, 0.5) and not denied_camera(alice)[0],
       "one that comes is bound at once, and made permissive where that was decided", ctl("status"))
    ok(daemon() == before and int(status(before)["CapPrm"], 16) == 0, "and the capability is gone", status(before))
    ctl("enforce", "--yes")
    ok(closed(alice), "then it can enforce")
    systemctl("unmask", "--runtime", "callgate-module")


RULES_D = "/etc/callgate/policy.d/50-test.conf"
RULES_POLKIT = "/etc/polkit-1/rules.d/50-test.rules"
GROUP = "cameras"
ACTIONS = ("set-mode", "reload-policy", "end-sessions")


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def administration(alice):
    """With the real polkitd, whose rules are the administrator's."""
    def user(*words):
        return demo.run(alice.argv(demo.CTL, *words), LONG)

    known = [subprocess.run(["pkaction", "--verbose", "--action-id", "org.callgate1." + action], capture_output=True,
                            text=True, check=False).stdout for action in ACTIONS]
    ok(all("implicit any:      no" in text and "implicit active:   auth_admin" in text for text in known),
       "polkit knows the actions", known)
    tries = (("permissive",), ("policy", "reload"), ("end", "--user", "mallory"))
    denied = [user(*words) for words in tries]
    ok(all(code == 1 and "administrator" in text for code, text in denied) and show("polkit", "ActiveState") == "active",
       "it runs, and a user whom it does not authorise does none of them", denied)
    passwords(alice)
    demo.run(["groupadd", "--force", GROUP])
    demo.run(["gpasswd", "--add", "alice", GROUP])
    write(RULES_POLKIT, "polkit.addRule(function(action, subject) {\n"
          "  if (['org.callgate1.set-mode', 'org.callgate1.reload-policy'].indexOf(action.id) >= 0 && "
          f"subject.isInGroup('{GROUP}'))\n    return polkit.Result.YES;\n}});\n")
    wait_for(lambda: user("policy", "reload")[0] == 0, LONG, 0.5)
    allowed = [user(*words) for words in tries]
    ok([code for code, _ in allowed] == [0, 0, 1] and not denied_camera(alice)[0],
       "a rule of the administrator's lets a group set the mode and reload, and nothing else", allowed)
    code, text = user("enforce", "--yes")
    ok(code == 0 and closed(alice), "both ways", text)
    others = [demo.run(Person("bob").argv(demo.CTL, *words), LONG) for words in tries]
    ok(all(code == 1 and "administrator" in text for code, text in others) and closed(alice), "who is not in it does neither", others)
    os.unlink(RULES_POLKIT)
    ok(wait_for(lambda: user("policy", "reload")[0] == 1, LONG, 0.5) and "administrator" in user("permissive")[1] and closed(alice),
       "without the rule it is root's again")


def reload(alice):
    write(RULES_D, "[rule all]\naction = alow\n")
    before = daemon()
    refused = systemctl("reload", "callgate")
    ok(refused.returncode != 0 and daemon() == before and "Policy: old" in ctl("status")[1],
       "systemctl reload fails where a rule is not understood", refused.stderr)
    log = subprocess.run(["journalctl", "--no-pager", "-u", "callgate"], capture_output=True, text=True, check=False).stdout
    ok(RULES_D + ":2:10: an action is ask or deny" in log, "the journal says where", log[-2000:])
    write(RULES_D, "[rule all]\naction = ask\n")
    ok(systemctl("reload", "callgate").returncode == 0 and daemon() == before and closed(alice), "corrected it is read anew")
    os.unlink(RULES_D)
    # Bob's machine begins with a copy of what is here, which is one file.
    os.rmdir(os.path.dirname(RULES_D))
    systemctl("reload", "callgate")


def crash(alice):
    before = daemon()
    os.kill(before, signal.SIGSEGV)
    ok(running(before), "a daemon that crashes is started again")
    ok(closed(alice), "and everything is denied")
    systemctl("stop", "callgate")
    ok(show("callgate", "ActiveState") == "inactive" and closed(alice), "without a daemon everything is denied too")
    if os.path.exists("/callgate/build/ynl/done"):
        client = subprocess.run(["/callgate/tests/vm/guest/ynl.py"], capture_output=True, text=True, check=False)
        ok(client.returncode == 0, "the kernel's generic netlink client binds and asks", client.stdout + client.stderr)
    else:
        ok(True, "the kernel's generic netlink client # SKIP no kernel source from 6.12 on")
    systemctl("start", "callgate")


# Two pictures a second, so slowly that the camera of a loaded machine misses none.
FRAMES = demo.PLACE + "/frames"
COUNT_FRAMES = ["sh", "-c", f"arecord -q -D $0 -f S16_LE -r 48000 -c 2 -t raw /dev/null & v4l2-ctl -d {demo.CAMERA} "
                "--set-fmt-video width=320,height=180 --set-parm 2 --stream-mmap 16 --verbose --stream-count 10000 "
                f">{FRAMES} 2>&1; echo over >>{FRAMES}; wait"]


def frames():
    """The numbers that the camera's driver gave to the pictures so far."""
    try:
        with open(FRAMES, encoding="utf-8") as file:
            return [int(number) for number in re.findall(r"cap dqbuf.*seq:\s*(\d+)", file.read())]
    except FileNotFoundError:
        return []


def camera_since(alice):
    return [s["since"] for s in demo.streams(alice) or () if "camera" in s["kinds"]]


def over():
    """Did the program that counts them end?"""
    with open(FRAMES, encoding="utf-8") as file:
        return file.read().endswith("over\n")


def rules(text):
    write(RULES_D, text)
    return systemctl("reload", "callgate").returncode == 0


def rules_count(alice, call):
    """New rules in a call: those about somebody else change nothing, those about one of its kinds end the capture of that kind."""
    before, since, count = daemon(), camera_since(alice), len(frames())
    ok(rules("[rule other]\naction = deny\napp = exe:/usr/bin/other\n") and
       wait_for(lambda: len(frames()) > count + 4, LONG, 0.2) and frames() == list(range(frames()[0], frames()[0] + len(frames()))) and
       since and camera_since(alice) == since and daemon() == before, "a reload in a call does not touch what it captures",
       (since, camera_since(alice), frames()[-20:], call.caller.text))
    ok(rules("[rule camera]\naction = deny\nkinds = camera\n") and wait_for(over, LONG, 0.2) and
       wait_for(lambda: camera_since(alice) == [], LONG, 0.2), "one that takes the camera away ends the camera's capture",
       (camera_since(alice), frames()[-20:], call.caller.text))
    ok({kind for s in demo.streams(alice) or () for kind in s["kinds"]} == {"microphone"} and capturing_by_kernel() and
       call.caller.process.poll() is None and call.callee.process.poll() is None and daemon() == before,
       "and neither the microphone's nor the call", (demo.streams(alice), call.caller.text))
    os.unlink(RULES_D)
    systemctl("reload", "callgate")


def begin(alice, bob, number, command, first=False):
    relay = Relay(demo.PLACE, number)
    call = Call(alice, bob, relay, command, ["sh", "-c", "cat >/dev/null"])
    call.approve(first=first)
    ok(call.capturing(LONG) and capturing_by_kernel(), "a call captures under the unit's restrictions",
       "\n".join((call.caller.text, call.callee.text, alice.agent.text, bob.agent.text)))
    return relay, call


def end(relay, call):
    call.stop()
    relay.tell("quit")


def restart(alice, bob):
    """In a call, whose capture goes on; and the same with what carries it over taken out."""
    relay, call = begin(alice, bob, 1, [*COUNT_FRAMES, demo.MICROPHONE], first=True)
    wait_for(lambda: len(frames()) > 4, LONG, 0.2)
    before, since, count = daemon(), camera_since(alice), len(frames())
    done = systemctl("restart", "callgate")
    ok(done.returncode == 0 and running(before), "the daemon is restarted in a call", done.stderr)
    # More than a grant lasts, so that the new daemon has renewed it.
    wait_for(lambda: len(frames()) > count + 2 * (demo.GRANT_S + 2) or call.caller.process.poll() is not None, LONG, 0.2)
    seen = frames()
    ok(len(seen) > count + 2 * demo.GRANT_S and seen == list(range(seen[0], seen[0] + len(seen))),
       f"no picture is missing, {len(seen) - count} of them after the restart", (seen, call.caller.text))
    ok(since and camera_since(alice) == since and capturing_by_kernel(), "nothing was stopped and begun again",
       (since, camera_since(alice)))
    ok("goes on" in call.caller.text, "the caller was told", call.caller.text)
    rules_count(alice, call)
    os.makedirs("/run/systemd/system/callgate.service.d", exist_ok=True)
    with open("/run/systemd/system/callgate.service.d/forget.conf", "w", encoding="utf-8") as file:
        file.write("[Service]\nFileDescriptorStoreMax=0\n")
    systemctl("daemon-reload")
    before = daemon()
    systemctl("restart", "callgate")
    # Its command may see the end of the capture before callgatectl sees the end of the call.
    ok(running(before) and wait_for(lambda: not capturing_by_kernel(), demo.GRANT_S + demo.BUSY_S) and
       call.caller.wait(LONG) is not None, "where nothing is kept, a restart ends the call", call.caller.text)
    end(relay, call)
    os.unlink("/run/systemd/system/callgate.service.d/forget.conf")
    systemctl("daemon-reload")
    before = daemon()
    systemctl("restart", "callgate")
    running(before)


def kill(alice, bob, command):
    """In a call; the caller's own program is stopped, so that it cannot be the one who ends the capture."""
    relay, call = begin(alice, bob, 2, command)
    call.caller.process.send_signal(signal.SIGSTOP)
    before = daemon()
    begun = demo.now()
    os.kill(before, signal.SIGKILL)
    ok(wait_for(lambda: not capturing_by_kernel(), demo.GRANT_S + demo.BUSY_S),
       f"when the daemon is killed the capture ends ({demo.now() - begun:.1f} s)")
    ok(running(before) and not (demo.streams(alice) or ()), "and the next daemon knows nothing of the call")
    call.caller.process.send_signal(signal.SIGCONT)
    end(relay, call)


def hang(alice, bob, command):
    """In a call; the caller's own program is stopped, so that only the kernel can end the capture."""
    relay, call = begin(alice, bob, 3, command)
    call.caller.process.send_signal(signal.SIGSTOP)
    before = daemon()
    call.caller.process.send_signal(signal.SIGSTOP)
    begun = demo.now()
    os.kill(before, signal.SIGSTOP)
    ok(wait_for(lambda: not capturing_by_kernel(), demo.GRANT_S + demo.BUSY_S),
       f"when the daemon hangs the capture ends ({demo.now() - begun:.1f} s)")
    after = running(before)
    ok(after and not os.path.exists(f"/proc/{before}"), f"it is killed and started again ({demo.now() - begun:.1f} s)")
    ok(closed(alice), "and everything is denied")
    call.caller.process.send_signal(signal.SIGCONT)
    end(relay, call)


def main():
    os.makedirs(demo.PLACE, exist_ok=True)
    os.chmod(demo.PLACE, 0o1777)
    alice = Person("alice")
    card = demo.find_microphone()
    demo.MICROPHONE = f"hw:{card},1,0"
    if "call" not in sys.argv[1:]:
        boot(alice)
        crowd()
        modes(alice)
        administration(alice)
        reload(alice)
        crash(alice)
        disabled(alice)
        late(alice)
    os.makedirs("/etc/callgate", exist_ok=True)
    with open("/etc/callgate/callgate.conf", "w", encoding="utf-8") as file:
        file.write("[prompt]\npseudo_terminal = yes\n")
    # Without it the daemon has run until here.
    subprocess.run("mkdir -p /etc/credstore.encrypted && head -c 32 /dev/urandom | systemd-creds encrypt --with-key=host "
                   "--name=callgate.key - /etc/credstore.encrypted/callgate.key", shell=True, check=False)
    before = daemon()
    systemctl("restart", "callgate")
    sealed = demo.run(["busctl", "get-property", "org.callgate1", "/org/callgate1", "org.callgate1.Manager", "SealedBy"])[1]
    ok(running(before) and "credential" in sealed, "a sealing key that is put into the credential store is used", sealed)
    demo.feed_tone(card)
    _, demo.BOB_PID = demo.start_bob()
    # systemd mounts the hierarchy so that a namespace bounds it: his programs have to be below its root.
    inside = ["nsenter", "--target", str(demo.BOB_PID), "--net", "--mount", "--cgroup", "--uts"]
    bob = Person("bob", ["sh", "-c", 'echo $$ >/sys/fs/cgroup/bob/cgroup.procs; exec "$@"', "sh", *inside])
    for person in (alice, bob):
        if not person.start_agent():
            ok(False, f"{person.name}'s agent starts", person.agent.text)
    command = [word.format(mic=demo.MICROPHONE) for word in demo.CAPTURE[:-3]] + ["-f", "null", "-"]
    restart(alice, bob)
    kill(alice, bob, command)
    hang(alice, bob, command)
    print(f"1..{count}", flush=True)
    if failed:
        print(subprocess.run(["journalctl", "--no-pager", "-n", "60"], capture_output=True, text=True,
                             check=False).stdout, file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
