#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""callgatectl identity and peers with the real daemon and the real agent on a terminal: a person moves to another machine, and
changes what is remembered of people."""
import json
import os
import stat
import subprocess
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "bus", "lib")]
import rig  # noqa: E402
from fake import AGENT, CTL, Program  # noqa: E402
from rig import ALICE, AGENT_GROUP, BOB, Place, Side, compare, ok, start_call, wait_for  # noqa: E402

if os.geteuid() != 0:
    rig.plan_skip("needs root, to act as several users")

PASSPHRASE = "correct horse  battery"
LIMIT = 60
PSEUDO = "[prompt]\npseudo_terminal = yes\n"
place = Place()
home = f"{place.path}/home"
os.mkdir(home)
os.chown(home, ALICE, ALICE)


class Ctl:
    """callgatectl of a side's user, under way."""

    def __init__(self, side, *arguments):
        self.side = side
        self.process = subprocess.Popen(
            ["setpriv", "--reuid", str(side.uid), "--regid", str(side.uid), "--clear-groups", CTL, *arguments],
            env=dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=side.bus.address), cwd=home, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def answers(self, *lines):
        """Type one line at each of the agent's "> "; what it showed."""
        shown = ""
        for line in lines:
            found = self.side.terminal.expect("(.*?)\n> ", LIMIT)
            shown += found.group(0) if found else "(nothing)"
            self.side.terminal.type(line + "\n")
        return shown

    def end(self):
        out, err = self.process.communicate(timeout=LIMIT)
        return self.process.returncode, out, err


def give_agent(made):
    """The real one, on a terminal; it is newer than the rig's, so it is asked."""
    made.terminal = Program("setpriv", "--reuid", str(ALICE), "--regid", str(ALICE), "--groups", str(AGENT_GROUP), AGENT,
                            terminal=True, env=dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=made.bus.address))
    return made.terminal.expect("ready", LIMIT)


alice = Side(place, "alice", ALICE, gate=False, config=PSEUDO)
bob = Side(place, "bob", BOB, gate=False)
path, other, relay = start_call(alice, bob)
compare(alice, bob)
wait_for(lambda: (alice.properties(path) or {}).get("PeerAuthentication") == "verified")
alice.app.call(path, rig.SESSION, "End")
relay.stop()
new = Side(place, "new", ALICE, gate=False, config=PSEUDO)
ok(give_agent(alice) and give_agent(new), "two machines with an agent each", alice.terminal.text + new.terminal.text)

# ---- export
ctl = Ctl(alice, "identity", "export", "me")
shown = ctl.answers("too short", PASSPHRASE, "something else", PASSPHRASE, PASSPHRASE)
code, out, err = ctl.end()
ok(code == 0 and out.startswith("Wrote me.") and "agent asks" in err, "an export is made", (code, out, err))
ok("export your identity" in shown and "1 keys" in shown and "too short" in shown and "not the same" in shown,
   "the agent says what goes, and asks twice", shown)
ok(PASSPHRASE not in alice.terminal.text and "something else" not in alice.terminal.text, "and shows nothing of what is typed",
   alice.terminal.text)
info = os.stat(f"{home}/me")
with open(f"{home}/me", "rb") as file:
    data = file.read()
ok(stat.S_IMODE(info.st_mode) == 0o600 and data[:5] == b"CGCF\x01", "the file is its user's alone", oct(info.st_mode))
code, _, err = Ctl(alice, "identity", "export", "me").end()
ok(code == 1 and "exists" in err, "what is there is not written over, and nobody asked", err)
ctl = Ctl(alice, "identity", "export", "other", "--json")
ctl.answers("")
code, out, err = ctl.end()
ok(code == 3 and out == "" and "no passphrase" in err and not os.path.exists(f"{home}/other"), "an empty line refuses", (code, err))
ctl = Ctl(alice, "identity", "export", "/proc/nowhere")
ctl.answers(PASSPHRASE, PASSPHRASE)
code, _, err = ctl.end()
ok(code == 1 and "cannot be written" in err, "a file that cannot be written is told", err)

# ---- import
for name, content, says in (("cut", data[:50], "cut off"), ("long", bytes(600000), "too long"), ("note", b"hello", "no exported")):
    with open(f"{home}/{name}", "wb") as file:
        file.write(content)
    code, _, err = Ctl(new, "identity", "import", name).end()
    ok(code == 1 and says in err, f"a file that is {name} is refused", err)
code, _, err = Ctl(new, "identity", "import", "none").end()
ok(code == 1 and "none" in err, "as is one that is not there", err)
ctl = Ctl(new, "identity", "import", "me")
ctl.answers("correct house  battery")
code, _, err = ctl.end()
ok(code == 1 and "not the one of this file" in err, "a wrong passphrase is told", err)
ctl = Ctl(new, "identity", "import", "me", "--json")
shown = ctl.answers(PASSPHRASE)
code, out, err = ctl.end()
ok(code == 0 and json.loads(out) == {"contacts": 1} and err == "" and "LOSES" not in shown, "the right one brings one contact", (out, err))
code, _, err = Ctl(new, "identity", "import", "me").end()
ok(code == 1 and "--replace" in err, "what is there is not replaced unsaid", err)
ctl = Ctl(new, "identity", "import", "me", "--replace")
shown = ctl.answers("")
code, _, err = ctl.end()
ok(code == 3 and "LOSES" in shown, "said so, the agent tells what would be lost", shown)
code, _, err = Ctl(new, "identity", "export", "x", "--replace").end()
ok(code == 2, "an export replaces nothing", err)

# ---- people
code, out, _ = Ctl(new, "peers", "--json").end()
peers = json.loads(out)
ok(code == 0 and len(peers) == 1 and peers[0]["name"] == "bob" and peers[0]["authentication"] == "verified", "bob came along", out)
ctl = Ctl(new, "peers", "rename", "bob", "robert", "--json")
shown = ctl.answers("allow")
code, out, err = ctl.end()
ok(code == 0 and json.loads(out) == {"changed": True} and "robert" in shown, "he is renamed", (out, err))
ctl = Ctl(new, "peers", "forget", "robert")
ctl.answers("deny")
code, _, err = ctl.end()
ok(code == 3 and "nothing was changed" in err, "who is asked can say no", err)
ctl = Ctl(new, "peers", "verify", "robert")
shown = ctl.answers("allow")
code, out, err = ctl.end()
ok(code == 0 and peers[0]["keys"][0][:16] in shown, "a key is verified", (shown, err))
code, _, err = Ctl(new, "peers", "verify", "robert", "00").end()
ok(code == 1 and "fingerprint" in err, "one that he does not have is not", err)
ctl = Ctl(new, "peers", "forget", "robert")
ctl.answers("allow")
code, out, _ = ctl.end()
ok(code == 0 and json.loads(Ctl(new, "peers", "--json").end()[1]) == [], "he is forgotten", out)
alice.terminal.stop()
new.terminal.stop()
ok("Sanitizer" not in alice.daemon.log() + new.daemon.log(), "without a word from the sanitizers")
rig.finish()
