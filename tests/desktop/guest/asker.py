#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A program of a user's that wants to capture in calls. For each line "KINDS [CONTACT]" at its standard input it asks
for a session, and prints what became of it: "approved KINDS" once the daemon offers the call, or the reason of its end."""
import os
import sys

import dbus
import dbus.mainloop.glib
from gi.repository import GLib

NAME, ROOT, MANAGER, SESSION = "org.callgate1", "/org/callgate1", "org.callgate1.Manager", "org.callgate1.Session"


def say(*words):
    print(*words, flush=True)


class Asker:
    def __init__(self):
        dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
        self.bus = dbus.SystemBus()
        self.path = None
        # Another contact each time: after a no the same one is not asked about for a while.
        self.asked = 0
        self.bus.add_signal_receiver(self.on_blob, "Blob", SESSION, NAME, path_keyword="path")
        self.bus.add_signal_receiver(self.on_removed, "SessionRemoved", MANAGER, NAME)
        GLib.io_add_watch(0, GLib.IO_IN | GLib.IO_HUP, self.on_line)
        self.loop = GLib.MainLoop()

    def on_line(self, fd, condition):
        line = sys.stdin.readline()
        if not line:
            self.loop.quit()
            return False
        pidfd = os.pidfd_open(os.getpid())
        manager = dbus.Interface(self.bus.get_object(NAME, ROOT, introspect=False), MANAGER)
        try:
            self.asked += 1
            kinds, *contact = line.split()
            self.path = manager.CreateSession(contact[0] if contact else f"bob{self.asked}", dbus.UInt32(int(kinds)),
                                              dbus.types.UnixFd(pidfd), {},
                                              signature="suha{sv}", timeout=30)
        except dbus.DBusException as error:
            say("error", error.get_dbus_name())
        os.close(pidfd)
        return True

    def on_blob(self, blob, path):
        if path != self.path:
            return
        self.path = None
        session = self.bus.get_object(NAME, path, introspect=False)
        say("approved", int(session.Get(SESSION, "Approved", dbus_interface="org.freedesktop.DBus.Properties")))
        session.End(dbus_interface=SESSION)

    def on_removed(self, path, facts):
        if path == self.path:
            self.path = None
            say("ended", facts["EndReason"])


asker = Asker()
say("ready")
asker.loop.run()
