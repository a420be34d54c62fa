#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""callgatectl policy: what it says of files, and which rule it says decides. TAP."""
import json
import os
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
from fake import CTL, Tap  # noqa: E402

tap = Tap()
ok = tap.ok


def ctl(*words):
    done = subprocess.run([CTL, "policy", *words], capture_output=True, text=True, check=False, timeout=30)
    return done.returncode, done.stdout, done.stderr


def explain(*words):
    code, out, err = ctl("explain", "--rules", folder, "--json", *words)
    return {entry["kind"]: (entry["action"], entry["rule"], entry["line"]) for entry in json.loads(out)} if code == 0 else err


with tempfile.TemporaryDirectory() as top:
    os.chmod(top, 0o755)
    folder = top + "/policy.d"
    os.mkdir(folder)
    good, bad, config = folder + "/50-good.conf", top + "/bad.conf", top + "/callgate.conf"
    with open(good, "w", encoding="utf-8") as file:
        file.write("# why\n[rule camera]\napp = exe:/usr/bin/zo*\nkinds = camera\naction = deny\n\n"
                   "[rule root]\nuser = 0\npeer = verified\naction = ask\nlifetime_seconds = 60\n\n[rule rest]\nuser = 0\naction = deny\n")
    with open(bad, "w", encoding="utf-8") as file:
        file.write("[rule a]\naction = allow\n")
    with open(config, "w", encoding="utf-8") as file:
        file.write("[prompt]\ntimeout = soon\n")
    code, out, err = ctl("check", good)
    ok(code == 0 and "understood" in out, "a file that is understood is said to be", err)
    code, out, err = ctl("check", good, bad)
    ok(code == 1 and f"{bad}:2:10: an action is ask or deny" in err and "50-good" not in err,
       "one that is not has file, line and column", err)
    code, out, err = ctl("check", config)
    ok(code == 1 and f"{config}:2:11: " in err, "so has the configuration", err)
    code, out, err = ctl("check", "--json", good, bad)
    ok(code == 1 and [entry["good"] for entry in json.loads(out)] == [True, False], "for programs as well", out)
    ok(ctl("check", top + "/nothing.conf")[0] == 1 and ctl("check", folder)[0] == 1, "what is no file is an error")
    ok(ctl("check", "--rules", folder)[0] in (0, 1) and ctl("explain")[0] == 2 and ctl("sing")[0] == 2 and
       ctl("explain", "--app", "/a", "--peer", "friend")[0] == 2 and ctl("explain", "--app", "/a", "--kind", "smell")[0] == 2,
       "wrong usage is told by the status")
    seen = explain("--app", "/usr/bin/zoom", "--user", "65000")
    ok(seen == {"microphone": ("ask", "", 0), "camera": ("deny", "camera", 2)}, "each kind is decided apart", seen)
    seen = explain("--app", "/usr/bin/other", "--user", "0", "--kind", "camera")
    ok(seen == {"camera": ("deny", "rest", 13)}, "a rule about a verified peer is not for an unknown one", seen)
    seen = explain("--app", "/usr/bin/other", "--user", "root", "--peer", "verified", "--kind", "camera")
    ok(seen == {"camera": ("ask", "root", 7)}, "it is for a verified one, and comes first", seen)
    seen = explain("--app", "/usr/bin/zoom", "--kind", "none", "--user", "65000")
    ok(seen == {"none": ("ask", "", 0)}, "to listen is decided without the rules for kinds", seen)
    code, out, err = ctl("explain", "--rules", folder, "--app", "/usr/bin/zoom", "--kind", "camera")
    ok(code == 0 and f"{good}:2 (rule camera): decides" in out, "people are told by which line", out)
    code, out, err = ctl("explain", "--rules", folder, "--app", "/usr/bin/other", "--user", "0", "--kind", "camera")
    ok(f"{good}:2 (rule camera): app is another" in out and f"{good}:7 (rule root): peer is another" in out,
       "and why those before it do not", out)
    with open(folder + "/60-local.conf", "w", encoding="utf-8") as file:
        file.write("[rule memo]\napp = exe:/usr/bin/memo\naction = ask\nlocal = ask\nlocal_seconds = 90\n")
    code, out, err = ctl("explain", "--rules", folder, "--app", "/usr/bin/memo", "--user", "65000", "--kind", "microphone")
    ok(code == 0 and "outside a call asked each time, for at most 90 s" in out, "what a rule lets capture outside a call is told", out)
    code, text, err = ctl("explain", "--rules", folder, "--app", "/usr/bin/memo", "--user", "65000", "--kind", "microphone", "--json")
    seen = json.loads(text)[0] if code == 0 else {}
    ok((seen.get("local"), seen.get("local_seconds"), seen.get("rule")) == ("ask", 90, "memo"), "for programs as well", text)
    code, out, err = ctl("explain", "--rules", folder, "--app", "/usr/bin/other", "--user", "65000", "--kind", "microphone")
    seen = json.loads(ctl("explain", "--rules", folder, "--app", "/usr/bin/other", "--user", "65000", "--kind", "microphone", "--json")[1])[0]
    ok("outside a call denied" in out and seen["local"] == "deny", "of another program, that it may not", (out, seen))
    os.chmod(good, 0o666)
    code, out, err = ctl("explain", "--rules", folder, "--app", "/a")
    ok(code == 1 and "others than root" in err, "a file that the service would not take is not explained", err)
sys.exit(tap.done())
