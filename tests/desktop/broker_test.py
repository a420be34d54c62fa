#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""callgate-agent under Wayland: on which compositor it asks. What logind keeps is written by this test, in folders that
only it sees; the library that reads it, the bus and the compositors are real. What a press is worth, the virtual
machine tests (desktop_test): the helper that hears hands is a silent one here."""
import os
import pwd
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tools"))
if os.getuid() != 0:
    print("1..0 # SKIP only root can give it folders of its own")
    sys.exit(0)
if "--inside" not in sys.argv:
    os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable, __file__, "--inside"])

import dbus  # noqa: E402
import dbus.mainloop.glib  # noqa: E402
import dbus.service  # noqa: E402
from compositor import NOBODY, Compositor  # noqa: E402
from fake import BUILD, TOP, Bus, Fake, Program, Tap, Thread, until  # noqa: E402

SESSION = dbus.ObjectPath("/org/callgate1/session/1")
POLKITD, RULES, ACTIONS = "/usr/lib/polkit-1/polkitd", "/etc/polkit-1/rules.d", "/usr/share/polkit-1/actions"
PORTAL = "/usr/libexec/xdg-desktop-portal"
RULE = "polkit.addRule(function(action, subject) { if (action.id == 'org.callgate1.approve' && subject.user == 'nobody') return polkit.Result.YES; });\n"
UID = pwd.getpwnam("nobody").pw_uid
FOLDER = f"/run/user/{UID}"
FACTS = {"ACTIVE": "1", "STATE": "active", "REMOTE": "0", "TYPE": "wayland", "CLASS": "user", "SEAT": "seat0", "UID": UID, "USER": "nobody"}

tap = Tap()
portal = None


def prepare():
    with open(PORTAL, "rb") as file:
        portal_program = file.read()
    for folder in ("/usr/libexec", "/run/systemd", "/run/user", RULES, ACTIONS):
        os.makedirs(folder, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "none", folder], check=True)
    for folder in (FOLDER, "/run/systemd/seats", "/run/systemd/sessions", "/run/systemd/users"):
        os.mkdir(folder)
    shutil.chown(FOLDER, "nobody")
    shutil.copy(BUILD + "/callgate-prompt", "/usr/libexec")
    with open(PORTAL, "wb") as file:
        file.write(portal_program)
    os.chmod(PORTAL, 0o755)
    shutil.copy(TOP + "/data/polkit/org.callgate1.policy", ACTIONS)
    presence("exec cat >/dev/null")


def presence(command):
    """What the helper does that would hear hands. In another file each time: one may still be running."""
    with open("/usr/libexec/new", "w", encoding="ascii") as file:
        file.write(f"#!/bin/sh\n{command}\n")
    os.chmod("/usr/libexec/new", 0o755)
    os.rename("/usr/libexec/new", "/usr/libexec/callgate-presence")


def write(name, facts):
    with open("/run/systemd/" + name, "w", encoding="ascii") as file:
        file.write("".join(f"{key}={value}\n" for key, value in facts.items()))


def seat(controller, uid=UID, **changed):
    """One session in front; controller: the name of the bus connection to which logind gave the devices, or None."""
    write("seats/seat0", {"ACTIVE": "c1", "ACTIVE_UID": uid, "SESSIONS": "c1", "CAN_GRAPHICAL": 1})
    facts = dict(FACTS, UID=uid, **changed)
    write("sessions/c1", dict(facts, CONTROLLER=controller) if controller else facts)


class Notes(dbus.service.Object):
    """The desktop's notifications, on the user's own bus."""

    def __init__(self, link):
        self.said = []
        self.name = dbus.service.BusName("org.freedesktop.Notifications", link)
        super().__init__(link, "/org/freedesktop/Notifications")

    @dbus.service.method("org.freedesktop.Notifications", in_signature="susssasa{sv}i", out_signature="u")
    def Notify(self, app, replaces, icon, summary, body, actions, hints, timeout):
        self.said.append((str(summary), str(body), [str(a) for a in actions]))
        return dbus.UInt32(1)


class Portal(dbus.service.Object):
    """A desktop that has no other notifications than those which the portal, xdg-desktop-portal itself, passes on."""
    NAME = "org.freedesktop.impl.portal.desktop.callgate"
    FILE = f"[portal]\nDBusName={NAME}\nInterfaces=org.freedesktop.impl.portal.Notification;\nUseIn=callgate\n"

    def __init__(self, link):
        self.said = []
        self.name = dbus.service.BusName(self.NAME, link)
        super().__init__(link, "/org/freedesktop/portal/desktop")
        with open(FOLDER + "/callgate.portal", "w", encoding="ascii") as file:
            file.write(self.FILE)
        self.program = subprocess.Popen([*NOBODY, "env", "-i", "XDG_DESKTOP_PORTAL_DIR=" + FOLDER, "XDG_CURRENT_DESKTOP=callgate",
                                         "XDG_RUNTIME_DIR=" + FOLDER, f"DBUS_SESSION_BUS_ADDRESS=unix:path={FOLDER}/bus", "GSETTINGS_BACKEND=memory",
                                         PORTAL], stderr=subprocess.DEVNULL)

    @dbus.service.method("org.freedesktop.impl.portal.Notification", in_signature="ssa{sv}")
    def AddNotification(self, app, name, facts):
        self.said.append({str(key): str(value) for key, value in facts.items()})

    def stop(self):
        self.program.terminate()
        self.program.wait()


class Seated(Compositor):
    """With a connection to the bus, as one that asks logind for devices has it."""

    def __init__(self):
        super().__init__(FOLDER, [sys.executable, HERE + "/connected.py", FOLDER + "/name"])
        with open(FOLDER + "/name", encoding="ascii") as file:
            self.name = file.read()


# The window can be answered after a second, by its clock.
SEEN_S = 2.5
UNANSWERED = "org.callgate1.Error.Denied"

prepare()
bus = Bus()
os.chmod(bus.dir, 0o755)
fake = Fake(bus.address)
loop = Thread()
mine, other = Seated(), Seated()
names = dbus.Interface(dbus.bus.BusConnection(bus.address).get_object("org.freedesktop.DBus", "/org/freedesktop/DBus"), "org.freedesktop.DBus")
desk = subprocess.Popen([*NOBODY, "dbus-daemon", "--config-file", bus.dir + "/conf", "--nofork", "--print-address",
                         f"--address=unix:path={FOLDER}/bus"], stdout=subprocess.PIPE)
desk.stdout.readline()
link = dbus.bus.BusConnection(f"unix:path={FOLDER}/bus", mainloop=dbus.mainloop.glib.DBusGMainLoop())
notes = Notes(link)
seat(mine.name)
agent = Program(*NOBODY, BUILD + "/callgate-agent")
tap.ok(agent.expect("ready") and until(lambda: fake.agent), "the agent registers", agent.text)


def answers():
    """To the questions alone: that to a Cancel comes once the window has gone, when the next question may be on its way."""
    return [reply for method, reply in fake.asked if method == "Approve"]


def ask():
    """A question: how many have been answered before it."""
    before = len(answers())
    details = dbus.Dictionary({"Contact": "bob", "Kinds": dbus.UInt32(3), "Timeout": dbus.UInt32(60)}, signature="sv")
    loop.do(lambda: fake.ask("Approve", SESSION, details, signature="oa{sv}"))
    return before


def asked_on(compositor, elsewhere, what):
    before = ask()
    tap.ok(until(lambda: compositor.window() or len(answers()) > before) and compositor.window() and not elsewhere.window(), what, agent.text)
    loop.do(lambda: fake.ask("Cancel", SESSION, signature="o"))
    tap.ok(until(lambda: len(answers()) > before and not compositor.window()) and answers()[before] == UNANSWERED, "and no answer when it is withdrawn",
           fake.asked)


def refused(why, what):
    before = ask()
    tap.ok(until(lambda: len(answers()) > before) and answers()[before] == UNANSWERED and agent.expect(why) and
           not mine.window() and not other.window(), what, (before, fake.asked, mine.window(), other.window(), agent.text))


def pressed(press):
    """The answer once it was pressed, by whatever: no hand is heard here."""
    before = ask()
    until(mine.window)
    time.sleep(SEEN_S)
    x, y, width, height = mine.place()
    press(x + width - 60, y + height - 34)
    until(lambda: len(answers()) > before and not mine.window())
    return answers()[before] if len(answers()) > before else None


def click(x, y):
    mine.move(x, y)
    mine.click()


def letter(x, y):
    """As a switch or a screen reader activates the button, without a press."""
    mine.key("alt+a")


def password(begin):
    """Instead of a hand: what polkit says, which a rule does here for whoever would type his password."""
    agent = begin()
    for key in ("Escape", "Return"):
        tap.ok(pressed(lambda x, y, key=key: mine.key(key)) == UNANSWERED, key + " is no answer, of which nothing is remembered", agent.text)
    tap.ok(pressed(lambda x, y: mine.key("alt+d")) == (False, 0), "the button that denies is one", agent.text)
    tap.ok(pressed(click) == UNANSWERED and agent.expect("no hand"), "what no hand pressed is not believed", agent.text)
    agent.stop()
    agent = begin("--password")
    tap.ok(pressed(click) == UNANSWERED and agent.expect("no password"), "nor where a password is wanted and polkit does not run", agent.text)
    polkit = subprocess.Popen([POLKITD, "--no-debug"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    tap.ok(until(lambda: names.NameHasOwner("org.freedesktop.PolicyKit1")) and pressed(click) == UNANSWERED and agent.expect("no password"),
           "or finds nobody to ask for it", agent.text)
    with open(RULES + "/50-test.rules", "w", encoding="ascii") as file:
        file.write(RULE)
    tap.ok(until(lambda: pressed(click) == (True, 3), 30), "where polkit authorises it it is", agent.text)
    tap.ok(pressed(letter) == (True, 3), "also what was activated without a press", agent.text)
    presence("exit 1")
    tap.ok(pressed(click) == (True, 3), "and where there is no helper that hears hands", agent.text)
    agent.stop()
    agent = begin()
    before = ask()
    tap.ok(until(lambda: len(answers()) > before) and answers()[before] == UNANSWERED and agent.expect("callgate-presence does not run"),
           "without which nobody is asked where no password is wanted", agent.text)
    agent.stop()
    presence("exec cat >/dev/null")
    polkit.terminate()
    polkit.wait()


def begin(*options):
    fake.agent = None
    started = Program(*NOBODY, BUILD + "/callgate-agent", *options)
    until(lambda: fake.agent)
    return started


try:
    asked_on(mine, other, "the compositor of the seat is asked on")
    seat(other.name)
    asked_on(other, mine, "of two, the one to which logind gave the devices")
    seat(None)
    refused("no compositor that logind gave", "none, where it gave them to nobody")
    tap.ok(until(lambda: notes.said) and "no compositor that logind gave" in notes.said[0][1] and notes.said[0][2] == [],
           "the user is told, with nothing to press", notes.said)
    seat(":1.9999")
    refused("no compositor that logind gave", "or to one that is gone")
    seat(mine.name, TYPE="tty")
    refused("not graphical", "nor in a session that is not graphical")
    seat(mine.name, REMOTE="1")
    refused("is remote", "nor in a remote one")
    seat(mine.name, uid=UID - 1)
    refused("no session of yours", "nor in somebody else's")
    seat(mine.name)
    os.rename(mine.socket, FOLDER + "/kept")
    os.rename(other.socket, mine.socket)
    refused("no compositor that logind gave", "another compositor that took the socket's name is not asked on")
    os.rename(FOLDER + "/kept", other.socket)
    asked_on(mine, other, "the right one is found under whichever name")
    tap.ok(len(notes.said) == 1, "and told once, however often it is tried", notes.said)
    agent.stop()
    password(begin)
    link.release_name("org.freedesktop.Notifications")
    portal = Portal(link)
    user = dbus.Interface(link.get_object("org.freedesktop.DBus", "/org/freedesktop/DBus"), "org.freedesktop.DBus")
    tap.ok(until(lambda: user.NameHasOwner("org.freedesktop.portal.Desktop")), "xdg-desktop-portal runs")
    agent = begin()
    seat(None)
    refused("no compositor that logind gave", "where the desktop has only a portal nobody is asked either")
    tap.ok(until(lambda: any("no compositor that logind gave" in said["body"] for said in portal.said)) and
           all(set(said) == {"title", "body", "priority"} for said in portal.said), "the user is told by it, with nothing to press", portal.said)
finally:
    agent.stop()
    if portal:
        portal.stop()
    desk.terminate()
    mine.stop()
    other.stop()
    bus.stop()
sys.exit(tap.done())
