#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""callgatectl metrics: read by a stock parser, right, and silent about who talks with whom."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from rig import *  # noqa: E402,F403

try:
    from prometheus_client.openmetrics.parser import text_string_to_metric_families
except ImportError:
    plan_skip("python3-prometheus-client is not installed; run 'make setup'")
CTL = os.path.join(ROOT, os.environ.get("BUILD", "build"), "callgatectl")

if os.geteuid() != 0:
    plan_skip("needs root, to act as several users")

place = Place()
alice = Side(place, "alice", ALICE, config="[prompt]\ntimeout = 2\n")
bob = Side(place, "bob", BOB, gate=False)


def run(*options, uid=None):
    command = [CTL, "metrics", *options]
    if uid:
        command = ["setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups", *command]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60,
                          env=dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=alice.bus.address))


def metrics(*options):
    """{(name, one label's value or ""): number}. The parser raises at what is not OpenMetrics."""
    text = run(*options).stdout
    return text, {(sample.name, next(iter(sample.labels.values()), "")): sample.value
                  for family in text_string_to_metric_families(text) for sample in family.samples}


def is_parsed(text):
    try:
        list(text_string_to_metric_families(text))
        return True
    except ValueError:
        return False


text, before = metrics()
ok(before[("callgate_gate", "present")] == 1 and before[("callgate_gate", "absent")] == 0 and
   before[("callgate_policy", "loaded")] == 1 and before[("callgate_agents", "")] == 1 and
   before[("callgate_start_time_seconds", "")] <= time.time(), "a stock parser reads what there is before any call", text)
ok(not is_parsed(text.replace("# EOF", "")) and not is_parsed(text.replace("_total", "")), "and would not read something else")
ok(not [value for (name, _), value in before.items() if name.startswith("callgate_sessions") and value], "with every count at 0")

alice.gate.event("device 7 2 video0 Test camera")
wait_for(lambda: alice.app.manager("ListDevices"))
path, other, relay = start_call(alice, bob)
compare(alice, bob)
wait_for(lambda: alice.gate.allowed() == 3)
alice.gate.event("stream 44 " + alice.gate.capture(alice.subject, 7, 2, int(path.rsplit("/", 1)[1], 16)))
wait_for(lambda: alice.app.manager("ListStreams"))
stranger = Actor(alice.bus, MALLORY).spawn()
alice.gate.event("denied 0 " + alice.gate.capture(stranger, 7, 2, count=3))
_, during = wait_for(lambda: metrics()[1].get(("callgate_denied_total", "camera")) == 3 and metrics()) or metrics()
ok(during[("callgate_sessions", "live")] == 1 and during[("callgate_sessions_begun_total", "out")] == 1 and
   during[("callgate_captures", "camera")] == 1 and during[("callgate_captures", "microphone")] == 0 and
   during[("callgate_devices", "camera")] == 1 and during[("callgate_grants_total", "given")] >= 1,
   "in a call it is counted with what it captures", during)
ok(during[("callgate_denied_total", "camera")] == 3 and during[("callgate_denied_total", "microphone")] == 0,
   "each denied attempt is")
alice.gate.event("stop 44")
wait_for(lambda: not alice.app.manager("ListStreams"))
alice.app.call(path, SESSION, "End")
relay.stop()
# After a no the same contact is not asked about for a while.
for answer, contact in ((False, "carol"), (None, "dave")):
    path = alice.app.create(contact, 1, alice.subject)
    question = alice.agent.wait("Approve")
    if answer is not None:
        alice.agent.reply(question, "bu", answer, 1)
    wait_for(lambda: alice.properties(path) is None)
alice.app.manager("Block", "u", CAMERA)
ok(alice.app.refusal(ROOT_PATH, MANAGER, "CreateSession", "suha{sv}", "bob", CAMERA, {"pidfd": alice.subject},
                     {"options": {}}) == "Blocked", "one more is refused")
text, after = metrics()
ok(after[("callgate_sessions", "live")] == 0 and after[("callgate_captures", "camera")] == 0 and
   after[("callgate_capture_seconds_total", "camera")] > 0 and after[("callgate_captures_begun_total", "camera")] == 1 and
   [after[("callgate_sessions_ended_total", reason)] for reason in ("ended", "denied", "unanswered", "lapsed")] == [1, 1, 1, 0] and
   after[("callgate_sessions_refused_total", "")] == 1, "afterwards each end has its reason", text)
ok(after[("callgate_session_duration_seconds_count", "")] == 3 and after[("callgate_session_duration_seconds_bucket", "+Inf")] == 3 and
   after[("callgate_session_duration_seconds_sum", "")] >= 2 and after[("callgate_questions_total", "timeout")] == 1 and
   after[("callgate_questions_total", "answered")] == 3 and after[("callgate_question_duration_seconds_bucket", "60.0")] == 4,
   "and the durations are those of calls and questions", text)
secrets = ("bob", "carol", "dave", "alice", "python", "actor.py", "sleep", "exe:", "script:", "Test camera")
ok(not [word for word in secrets if word in text], "nobody's name and no program's stands in it", text)
text, apps = metrics("--apps")
ok([value for (name, app), value in apps.items() if name == "callgate_app_sessions_total" and app == SCRIPT] == [3] and
   [value for (name, app), value in apps.items() if name == "callgate_app_denied_total" and "sleep" in app] == [3] and
   not [word for word in ("bob", "carol", "dave") if word in text], "asked for, programs do, but never the other side", text)
refused = run(uid=ALICE)
ok(refused.returncode == 1 and not refused.stdout and "administrator" in refused.stderr, "a user is told nothing of all users",
   refused)
ok(alice.daemon.end() == 0 and "Sanitizer" not in alice.daemon.log(), "the daemon ends well", alice.daemon.log()[-2000:])
finish()
