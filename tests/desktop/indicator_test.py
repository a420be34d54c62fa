#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""callgate-indicator against a fake daemon, a tray and a desktop's notifications, each on a real bus."""
import glob
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "tools"))
import dbus  # noqa: E402
import dbus.mainloop.glib  # noqa: E402
import dbus.service  # noqa: E402
from fake import BUILD, Bus, Fake, Program, Session, Tap, Thread, until  # noqa: E402

INDICATOR = os.path.join(BUILD, "callgate-indicator")
LOCALES = os.path.join(BUILD, "locale")
WATCHER, ITEM, MENU = "org.kde.StatusNotifierWatcher", "org.kde.StatusNotifierItem", "com.canonical.dbusmenu"
NOTES = "org.freedesktop.Notifications"
PROPERTIES = "org.freedesktop.DBus.Properties"
CAMERA, MICROPHONE = 2, 1


class Tray(dbus.service.Object):
    """Looks at the item that registers, as a panel does."""

    def __init__(self, address):
        self.link = dbus.bus.BusConnection(address)
        self.item, self.signals = None, []
        self.name = dbus.service.BusName(WATCHER, self.link)
        super().__init__(self.link, "/StatusNotifierWatcher")
        self.link.add_signal_receiver(lambda *_, member: self.signals.append(member), dbus_interface=ITEM, member_keyword="member")
        self.link.add_signal_receiver(lambda *_: self.signals.append("LayoutUpdated"), "LayoutUpdated", MENU)

    @dbus.service.method(WATCHER, in_signature="s", sender_keyword="sender")
    def RegisterStatusNotifierItem(self, service, sender):
        self.item = sender

    @dbus.service.method(PROPERTIES, in_signature="ss", out_signature="v")
    def Get(self, interface, name):
        return True

    def leave(self):
        self.item = None
        self.remove_from_connection()
        self.link.release_name(WATCHER)
        del self.name
        self.link.close()


class Notes(dbus.service.Object):
    """A desktop's notifications: what stands, and what was ever said."""

    def __init__(self, address):
        self.link = dbus.bus.BusConnection(address)
        self.stands, self.said, self.number = {}, [], 0
        self.name = dbus.service.BusName(NOTES, self.link)
        super().__init__(self.link, "/org/freedesktop/Notifications")

    @dbus.service.method(NOTES, in_signature="susssasa{sv}i", out_signature="u")
    def Notify(self, app, replaces, icon, summary, body, actions, hints, timeout):
        if not replaces:
            self.number += 1
        number = int(replaces) or self.number
        self.stands[number] = (str(summary), str(body), [str(a) for a in actions], dict(hints), int(timeout))
        self.said.append(str(body))
        return dbus.UInt32(number)

    @dbus.service.method(NOTES, in_signature="u")
    def CloseNotification(self, number):
        self.stands.pop(int(number), None)
        self.NotificationClosed(number, dbus.UInt32(3))

    @dbus.service.signal(NOTES, signature="uu")
    def NotificationClosed(self, number, reason):
        pass

    @dbus.service.signal(NOTES, signature="us")
    def ActionInvoked(self, number, action):
        pass


def stream(kinds, session, uid=None, executable="/usr/bin/ffmpeg"):
    return {"Device": dbus.ObjectPath("/org/callgate1/device/1"), "DeviceName": "Test", "Node": "/dev/video0",
            "Kinds": dbus.UInt32(kinds), "Uid": dbus.UInt32(os.getuid() if uid is None else uid), "Pid": dbus.UInt32(7),
            "Executable": executable, "App": "", "Session": dbus.ObjectPath(session),
            "Since": dbus.UInt64(int(time.clock_gettime(time.CLOCK_BOOTTIME) * 1e6))}


dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
tap = Tap()
done = subprocess.run([INDICATOR, "--help"], capture_output=True, text=True, check=False)
tap.ok(done.returncode == 0 and "Usage" in done.stdout, "--help helps", done)
done = subprocess.run([INDICATOR, "now"], capture_output=True, text=True, check=False)
tap.ok(done.returncode == 2 and "Usage" in done.stderr, "an argument is refused", done)

bus, desk = Bus(), Bus()
os.environ["DBUS_SYSTEM_BUS_ADDRESS"] = bus.address
fake = Fake(bus.address)
tray, notes = Tray(desk.address), Notes(desk.address)
loop = Thread()
env = dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=bus.address, DBUS_SESSION_BUS_ADDRESS=desk.address, LC_ALL="C.UTF-8", LANGUAGE="en")
looker = dbus.bus.BusConnection(desk.address)
indicator = Program(INDICATOR, "--locale-dir", LOCALES, env=env)


def drawn():
    """The icon has a picture in the theme that comes with the package, which is all that some panels look in."""
    name = str(look("IconName"))
    return name if glob.glob(f"/usr/share/icons/Adwaita/scalable/*/{name}.svg") else None


def ask(path, interface, method, signature, *arguments):
    return looker.call_blocking(tray.item, path, interface, method, signature, arguments, timeout=20)


def look(name):
    return ask("/StatusNotifierItem", PROPERTIES, "Get", "ss", ITEM, name)


def menu():
    """Number to label and state, in order."""
    revision, (root, _, children) = ask(look("Menu"), MENU, "GetLayout", "iias", 0, -1, dbus.Array([], signature="s"))
    return {int(i): (str(p.get("label", "")), int(p.get("toggle-state", -1))) for i, p, _ in children}


def click(number):
    ask(look("Menu"), MENU, "Event", "isvu", number, "clicked", dbus.Int32(0, variant_level=1), 0)


def entry(words):
    return next((number for number, (label, _) in menu().items() if words in label), None)


def capture(*streams):
    def change():
        fake.streams = list(streams)
        fake.event("StreamStarted", "a{sv}", streams[0] if streams else stream(2, "/"))
    loop.do(change)


tap.ok(until(lambda: tray.item and fake.subscribers), "it shows itself in the tray and listens to the daemon", indicator.text)
tap.ok(until(lambda: look("Title") == "Camera and microphone are shut") and look("Status") == "Passive",
       "where nothing captures it says so and keeps out of the way", (look("Title"), look("Status")))


def add_call(number=1):
    session = Session(fake, f"/org/callgate1/session/{number}", ":1.0", b"x" * 16, False, "<b>bob</b>_1", 3, 0)
    session.facts.update(State="live", Granted=dbus.UInt32(3))
    fake.sessions.append(session)
    fake.event("SessionAdded", "oa{sv}", dbus.ObjectPath(session.path), session.facts)


loop.do(add_call)
tap.ok(until(lambda: look("Status") == "Active") and drawn() == "call-start-symbolic", "a call in which nothing is captured yet does not look as if",
       look("IconName"))
capture(stream(MICROPHONE, "/org/callgate1/session/1"))
tap.ok(until(lambda: look("Title") == "In use: microphone") and drawn() == "audio-input-microphone-symbolic", "a microphone is one", look("IconName"))
capture(stream(CAMERA, "/org/callgate1/session/1"), stream(MICROPHONE, "/org/callgate1/session/1"))
tap.ok(until(lambda: look("Title") == "In use: camera and microphone") and look("Status") == "Active" and drawn() == "camera-web-symbolic",
       "what captures is shown", look("Title"))
line = str(look("ToolTip")[3])
tap.ok("<b>bob</b>_1, through exe:/usr/bin/callgatectl: camera and microphone; running, level channel, since " in line and
       line.count("\n") == 1, "with the call's other end, program, kinds, state, level and time", line)
tap.ok({"NewIcon", "NewTitle", "NewStatus", "NewToolTip", "LayoutUpdated"} <= set(tray.signals), "the tray is told to look", tray.signals)
tap.ok(entry("<b>bob</b>__1") and entry("End this call"), "the menu has the call and its end", menu())
answer = ask(look("Menu"), MENU, "GetGroupProperties", "aias", dbus.Array([0], signature="i"), dbus.Array([], signature="s"))
tap.ok([int(number) for number, _ in answer] == [0] and answer[0][1].get("children-display") == "submenu", "the menu itself has properties, too", answer)
tap.ok(notes.said == [], "where there is a tray there is no notification", notes.said)
capture(stream(CAMERA, "/org/callgate1/session/1"), stream(MICROPHONE, "/", uid=os.getuid() + 1, executable=""), stream(CAMERA, "/"))
tap.ok(until(lambda: "Another user: microphone" in str(look("ToolTip")[3])) and "/usr/bin/ffmpeg: camera, outside" in str(look("ToolTip")[3]),
       "another user's capture and one outside calls have lines of their own", look("ToolTip")[3])

click(entry("End this call"))
tap.ok(until(lambda: fake.ended == 1), "a click ends the call", fake.ended)
loop.do(lambda: fake.event("SessionRemoved", "oa{sv}", dbus.ObjectPath("/org/callgate1/session/1"), {"EndReason": "ended"}))
tap.ok(until(lambda: not entry("bob")), "which is gone from the menu then", menu())
for words, kinds in (("Block the camera", 2), ("Block the microphone", 3)):
    click(entry(words))
    tap.ok(until(lambda k=kinds, w=words: fake.blocked == k and menu()[entry(w)][1] == 1), words + " does", fake.blocked)
capture()
tap.ok(menu()[entry("Block both")][1] == 1 and until(lambda: drawn() == "camera-disabled-symbolic") and look("Status") == "Active", "and both are blocked, to be seen",
       (menu(), look("IconName")))
click(entry("Block both"))
tap.ok(until(lambda: fake.blocked == 0 and menu()[entry("Block both")][1] == 0), "and unblocked")
click(12345)
tap.ok(until(lambda: look("Title")), "a click on nothing does nothing")

capture()
loop.do(tray.leave)
loop.do(lambda: add_call(2))
capture(stream(CAMERA, "/org/callgate1/session/2"))
note = until(lambda: next(iter(notes.stands.values()), None))
tap.ok(note and note[0] == "In use: camera" and "&lt;b&gt;bob" in note[1] and note[3].get("resident") and note[4] == 0,
       "without a tray a notification stands, and its text is no markup", note or indicator.text)
if note:
    number = next(iter(notes.stands))
    loop.do(lambda: notes.ActionInvoked(number + 7, "end"))
    loop.do(lambda: notes.ActionInvoked(number, "end"))
    tap.ok(until(lambda: fake.ended == 2), "a click on it ends the call", fake.ended)
capture()
tap.ok(until(lambda: not notes.stands), "it goes with the last capture", notes.stands)


def deny(executable, kinds, in_call=False):
    loop.do(lambda: fake.event("Denied", "a{sv}", {"Executable": executable, "Kinds": dbus.UInt32(kinds), "Count": dbus.UInt32(1),
                                                   "InCall": in_call}))


notes.said.clear()
for _ in range(5):
    deny("/usr/bin/firefox", MICROPHONE)
deny("/usr/bin/cheese", CAMERA, in_call=True)
deny("/usr/bin/cheese", CAMERA)
tap.ok(until(lambda: len(notes.said) == 2) and notes.said == ["/usr/bin/firefox tried to use your microphone outside a call.",
                                                             "/usr/bin/cheese tried to use your camera outside a call."],
       "a program that tries outside a call is told once, in a call not at all", notes.said)
stranger = dbus.bus.BusConnection(bus.address)
message = dbus.lowlevel.SignalMessage("/org/callgate1", "org.callgate1.Manager", "Denied")
message.set_destination(fake.subscribers[0])
message.append({"Executable": "/usr/bin/liar", "Kinds": dbus.UInt32(1)}, signature="a{sv}")
stranger.send_message(message)
stranger.flush()
deny("/usr/bin/mirror", CAMERA)
tap.ok(until(lambda: len(notes.said) == 3) and "mirror" in notes.said[2], "another connection's word is not believed", notes.said)

loop.do(lambda: fake.link.release_name("org.callgate1"))
tray = loop.do(lambda: Tray(desk.address))
tap.ok(until(lambda: tray.item and "does not run" in str(look("Title"))), "a tray that comes later is found, a daemon that went is told",
       indicator.text)
indicator.stop()
tray.item = None
german = Program(INDICATOR, "--locale-dir", LOCALES, env=dict(env, LANGUAGE="de"))
tap.ok(until(lambda: tray.item and "Callgate läuft nicht" in str(look("Title"))), "it speaks German", look("Title"))
german.stop()
bus.stop()
desk.stop()
sys.exit(tap.done())
