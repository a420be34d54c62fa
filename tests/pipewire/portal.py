#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The portal's neighbours, for apps.py, screen.py and tests/vm/guest/pipewire.py: a desktop that answers its question, and programs that
ask it. The portal itself, xdg-desktop-portal, is the real one.

Usage: portal.py desktop FILE        answers with the number that stands in FILE: 0 is a yes
       portal.py ask PROGRAM...      asks for the camera; runs the program with "--fd NUMBER" once it has a connection to PipeWire
       portal.py share PROGRAM...    asks for the screen; runs the program with the connection's number for "FD", the stream's for "NODE"
"""
import os
import subprocess
import sys

import dbus
import dbus.mainloop.glib
import dbus.service
from gi.repository import GLib

NAME = "org.freedesktop.impl.portal.desktop.callgate"
PORTAL, PATH = "org.freedesktop.portal.Desktop", "/org/freedesktop/portal/desktop"
CAMERA, SCREEN = "org.freedesktop.portal.Camera", "org.freedesktop.portal.ScreenCast"


class Desktop(dbus.service.Object):
    answers = ""

    @dbus.service.method("org.freedesktop.impl.portal.Access", in_signature="osssssa{sv}", out_signature="ua{sv}")
    def AccessDialog(self, _handle, _app, _parent, title, _subtitle, _body, _options):
        with open(self.answers, encoding="ascii") as file:
            answer = int(file.read())
        print("asked: " + title, flush=True)
        return dbus.UInt32(answer), dbus.Dictionary({}, signature="sv")


def response(bus, method, *arguments, **options):
    """What the portal says in the end, and with it."""
    loop, said = GLib.MainLoop(), []

    def on_response(*words):
        said.extend(words)
        loop.quit()
    token = f"callgate{os.getpid()}"
    receiver = bus.add_signal_receiver(on_response, "Response", "org.freedesktop.portal.Request",
                                       path=f"{PATH}/request/{bus.get_unique_name()[1:].replace('.', '_')}/{token}")
    method(*arguments, {"handle_token": token, **options})
    loop.run()
    receiver.remove()
    print(f"the portal said {int(said[0])}", flush=True)
    return said


def ask(bus, program):
    camera = dbus.Interface(bus.get_object(PORTAL, PATH), CAMERA)
    response(bus, camera.AccessCamera)
    try:
        fd = camera.OpenPipeWireRemote({}).take()
    except dbus.DBusException as error:
        print("refused: " + error.get_dbus_name(), flush=True)
        return 3
    os.set_inheritable(fd, True)
    os.execv(program[0], [program[0], "--fd", str(fd), *program[1:]])


def share(bus, program):
    """The screen is shared for as long as this program is on the bus."""
    cast = dbus.Interface(bus.get_object(PORTAL, PATH), SCREEN)
    session = dbus.ObjectPath(response(bus, cast.CreateSession, session_handle_token="callgate")[1]["session_handle"])
    response(bus, cast.SelectSources, session, types=dbus.UInt32(1))
    code, results = response(bus, cast.Start, session, "")
    if code != 0:
        return 3
    fd, node = cast.OpenPipeWireRemote(session, {}).take(), results["streams"][0][0]
    print(f"shared: {node}", flush=True)
    process = subprocess.Popen([word.replace("FD", str(fd)).replace("NODE", str(node)) for word in program], pass_fds=[fd])
    os.close(fd)
    return process.wait()


def main():
    dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
    bus = dbus.SessionBus()
    if sys.argv[1] == "ask":
        return ask(bus, sys.argv[2:])
    if sys.argv[1] == "share":
        return share(bus, sys.argv[2:])
    Desktop.answers = sys.argv[2]
    name = dbus.service.BusName(NAME, bus)
    Desktop(bus, PATH, name)
    GLib.MainLoop().run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
