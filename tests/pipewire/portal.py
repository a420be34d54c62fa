#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The camera portal's two neighbours, for apps.py and tests/vm/guest/pipewire.py: a desktop that answers its question, and a program that
asks it. The portal itself, xdg-desktop-portal, is the real one.

Usage: portal.py desktop FILE        answers with the number that stands in FILE: 0 is a yes
       portal.py ask PROGRAM...      asks for the camera; runs the program with "--fd NUMBER" once it has a connection to PipeWire
"""
import os
import sys

import dbus
import dbus.mainloop.glib
import dbus.service
from gi.repository import GLib

NAME = "org.freedesktop.impl.portal.desktop.callgate"
PORTAL, PATH = "org.freedesktop.portal.Desktop", "/org/freedesktop/portal/desktop"
CAMERA = "org.freedesktop.portal.Camera"


class Desktop(dbus.service.Object):
    answers = ""

    @dbus.service.method("org.freedesktop.impl.portal.Access", in_signature="osssssa{sv}", out_signature="ua{sv}")
    def AccessDialog(self, _handle, _app, _parent, title, _subtitle, _body, _options):
        with open(self.answers, encoding="ascii") as file:
            answer = int(file.read())
        print("asked: " + title, flush=True)
        return dbus.UInt32(answer), dbus.Dictionary({}, signature="sv")


def ask(bus, program):
    camera = dbus.Interface(bus.get_object(PORTAL, PATH), CAMERA)
    loop, said = GLib.MainLoop(), []

    def on_response(response, _):
        said.append(int(response))
        loop.quit()
    token = f"callgate{os.getpid()}"
    bus.add_signal_receiver(on_response, "Response", "org.freedesktop.portal.Request",
                            path=f"{PATH}/request/{bus.get_unique_name()[1:].replace('.', '_')}/{token}")
    camera.AccessCamera({"handle_token": token})
    loop.run()
    print(f"the portal said {said[0]}", flush=True)
    try:
        fd = camera.OpenPipeWireRemote({}).take()
    except dbus.DBusException as error:
        print("refused: " + error.get_dbus_name(), flush=True)
        return 3
    os.set_inheritable(fd, True)
    os.execv(program[0], [program[0], "--fd", str(fd), *program[1:]])


def main():
    dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
    bus = dbus.SessionBus()
    if sys.argv[1] == "ask":
        return ask(bus, sys.argv[2:])
    Desktop.answers = sys.argv[2]
    name = dbus.service.BusName(NAME, bus)
    Desktop(bus, PATH, name)
    GLib.MainLoop().run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
