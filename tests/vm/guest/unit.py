#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The daemon as a systemd unit, inside a virtual machine that booted with it. TAP.

Run by tests/vm/systemd_test; with the word "call" only what a call is needed for. Its calls are the demo's: two people, one of whom has his daemon in
namespaces of his own.
"""
import os
import signal
import subprocess
import sys
import time

import demo
from demo import Call, Person, Relay, capturing_by_kernel, denied_camera, denied_microphone, wait_for

LONG = 120  # seconds that a loaded, emulated machine may take for what takes one
WATCHDOG_S = 15
IDLE_S = 10
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
    order = [int(show(unit, "ActiveEnterTimestampMonotonic") or 0)
             for unit in ("systemd-modules-load", "callgate", "systemd-user-sessions")]
    ok(0 < order[0] < order[1] < order[2], "module, daemon, and only then people's programs", order)
    facts = status(daemon())
    ok(facts["Uid"].split() == [str(__import__("pwd").getpwnam("callgate").pw_uid)] * 4 and
       int(facts["CapPrm"], 16) == int(facts["CapEff"], 16) == int(facts["CapAmb"], 16) == 0 and
       facts["NoNewPrivs"] == "1" and facts["Seccomp"] == "2", "the daemon is its own user without a capability", facts)
    ok(closed(alice), "after the boot everything is denied")
    scope = os.stat("/sys/fs/cgroup/callgate/s0/cgroup.procs")
    ok(scope.st_uid == 0 and not scope.st_mode & 0o022, "the control groups are root's")
    wait_for(lambda: wakeups() == (time.sleep(1) or wakeups()), LONG)
    ok(slept() == 0, f"in {IDLE_S} s without a session the daemon does not wake up")


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


def crash(alice):
    before = daemon()
    os.kill(before, signal.SIGSEGV)
    ok(running(before), "a daemon that crashes is started again")
    ok(closed(alice), "and everything is denied")
    systemctl("stop", "callgate")
    ok(show("callgate", "ActiveState") == "inactive" and closed(alice), "without a daemon everything is denied too")
    systemctl("start", "callgate")


def hang(alice, bob):
    """In a call; the caller's own program is stopped, so that only the kernel can end the capture."""
    for person in (alice, bob):
        if not person.start_agent():
            ok(False, f"{person.name}'s agent starts", person.agent.text)
    relay = Relay(demo.PLACE, 1)
    command = [word.format(mic=demo.MICROPHONE) for word in demo.CAPTURE[:-3]] + ["-f", "null", "-"]
    call = Call(alice, bob, relay, command, ["sh", "-c", "cat >/dev/null"])
    call.approve(first=True)
    if not ok(call.capturing(LONG) and capturing_by_kernel(), "a call captures under the unit's restrictions",
              "\n".join((call.caller.text, call.callee.text, alice.agent.text, bob.agent.text))):
        return
    call.caller.process.send_signal(signal.SIGSTOP)
    before = daemon()
    begun = demo.now()
    os.kill(before, signal.SIGSTOP)
    ok(wait_for(lambda: not capturing_by_kernel(), demo.GRANT_S + demo.BUSY_S),
       f"when the daemon hangs the capture ends ({demo.now() - begun:.1f} s)")
    after = running(before)
    ok(after and not os.path.exists(f"/proc/{before}"), f"it is killed and started again ({demo.now() - begun:.1f} s)")
    ok(closed(alice), "and everything is denied")
    call.caller.process.send_signal(signal.SIGCONT)
    call.stop()
    relay.tell("quit")


def main():
    os.makedirs(demo.PLACE, exist_ok=True)
    os.chmod(demo.PLACE, 0o1777)
    alice = Person("alice")
    card = demo.find_microphone()
    demo.MICROPHONE = f"hw:{card},1,0"
    if "call" not in sys.argv[1:]:
        boot(alice)
        modes(alice)
        crash(alice)
    os.makedirs("/etc/callgate", exist_ok=True)
    with open("/etc/callgate/callgate.conf", "w", encoding="utf-8") as file:
        file.write("[prompt]\npseudo_terminal = yes\n")
    before = daemon()
    systemctl("restart", "callgate")
    running(before)
    demo.feed_tone(card)
    _, demo.BOB_PID = demo.start_bob()
    # systemd mounts the hierarchy so that a namespace bounds it: his programs have to be below its root.
    inside = ["nsenter", "--target", str(demo.BOB_PID), "--net", "--mount", "--cgroup", "--uts"]
    hang(alice, Person("bob", ["sh", "-c", 'echo $$ >/sys/fs/cgroup/bob/cgroup.procs; exec "$@"', "sh", *inside]))
    print(f"1..{count}", flush=True)
    if failed:
        print(subprocess.run(["journalctl", "--no-pager", "-n", "60"], capture_output=True, text=True,
                             check=False).stdout, file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
