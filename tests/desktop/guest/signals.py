#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a subscriber gets of the daemon's signals: for each StreamStarted the kernel's time of the start and when the signal came
(CLOCK_BOOTTIME, µs)."""
import time

import dbus
import dbus.mainloop.glib
from gi.repository import GLib


def on_started(stream):
    now = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000
    print(int(stream["Since"]), now, flush=True)


dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
bus = dbus.SystemBus()
bus.add_signal_receiver(on_started, "StreamStarted", "org.callgate1.Manager", "org.callgate1")
bus.get_object("org.callgate1", "/org/callgate1", introspect=False).Subscribe(dbus_interface="org.callgate1.Manager")
print("ready", flush=True)
GLib.MainLoop().run()
