#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The example clients of doc/examples, in C and in Python, in a call with each other, either way."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from rig import *  # noqa: E402,F403

EXAMPLES = {"C": [os.path.join(ROOT, os.environ.get("BUILD", "build"), "doc/examples/call")],
            "Python": ["/usr/bin/python3", f"{ROOT}/doc/examples/call.py"]}

if os.geteuid() != 0:
    plan_skip("needs root, to act as several users")

place = Place()
alice = Side(place, "alice", ALICE)
bob = Side(place, "bob", BOB)


class Example:
    def __init__(self, side, language, *arguments, stdin):
        self.log = f"{place.path}/{len(things)}.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--reuid", str(side.uid), "--regid", str(side.uid), "--clear-groups", *EXAMPLES[language],
                 *arguments], stdin=stdin, stdout=subprocess.PIPE, stderr=log,
                env=dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=side.bus.address))
        things.append(self)

    def said(self):
        with open(self.log, encoding="utf-8") as file:
            return file.read().splitlines()

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def carry(source, target, cut):
    """What an app's signalling would do. To close is to hang up."""
    for line in source:
        if cut.is_set():
            break
        try:
            target.write(line)
            target.flush()
        except OSError:
            break


for caller, answerer in (("C", "Python"), ("Python", "C")):
    cut = threading.Event()
    one = Example(alice, caller, "bob", stdin=subprocess.PIPE)
    question = alice.agent.wait("Approve")
    ok(question and question["arguments"][1]["Contact"] == "bob" and question["arguments"][1]["Kinds"] == 3,
       f"the example in {caller} asks for a call", one.said())
    alice.agent.reply(question, "bu", True, 3)
    two = Example(bob, answerer, "--answer", "alice", stdin=subprocess.PIPE)
    for source, target in ((one, two), (two, one)):
        threading.Thread(target=carry, args=(source.process.stdout, target.process.stdin, cut), daemon=True).start()
    question = bob.agent.wait("Approve")
    ok(question and question["arguments"][1]["Incoming"], f"the example in {answerer} answers it", two.said())
    bob.agent.reply(question, "bu", True, 3)
    numbers = compare(alice, bob)
    ok(wait_for(lambda: alice.gate.allowed() == 3 and bob.gate.allowed() == 3) and len(set(numbers)) == 1,
       "the call is live on both sides", (one.said(), two.said()))
    ok(wait_for(lambda: "keys 6" in one.said() and "keys 6" in two.said()), "both fetched media keys", (one.said(), two.said()))
    cut.set()
    one.process.stdin.close()
    ok(one.process.wait(LIMIT) == 0 and one.said()[-1] == "ended ended" and alice.gate.allowed() == 0,
       f"the example in {caller} ends the call", one.said())
    two.process.stdin.close()
    ok(two.process.wait(LIMIT) == 0 and "state live" in two.said() and bob.gate.allowed() == 0,
       f"and so does the one in {answerer}", two.said())

alice.agent.stop()
for language in EXAMPLES:
    refused = Example(alice, language, "bob", stdin=subprocess.DEVNULL)
    ok(refused.process.wait(LIMIT) == 1 and "callgate-agent" in refused.said()[-1], f"the example in {language} says why it cannot",
       refused.said())
ok(alice.daemon.end() == 0 and bob.daemon.end() == 0, "both daemons end well")
finish()
