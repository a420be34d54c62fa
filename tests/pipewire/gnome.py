#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What GNOME's desktop does beside mutter, its compositor, for screen.py.

Usage: gnome.py wall FILE          fills the screen with the grey that stands in FILE, each time that it is another
       gnome.py click X Y          clicks there, as a remote desktop's hand does
       gnome.py record PROGRAM...  has the screen shared without the portal, as GNOME's own recorder does; runs the program with the
                                   stream's number for "NODE"
"""
import subprocess
import sys
import time

import dbus
import dbus.mainloop.glib
import gi
from gi.repository import GLib

LEFT_BUTTON = 0x110
CORNER = -10000.0
POLL_MS = 20
MUTTER = "org.gnome.Mutter."
PAUSE_S = 0.1  # a hand's


def session(bus, kind, *options):
    """A new one of mutter's, by the program that asks for it."""
    service = dbus.Interface(bus.get_object(MUTTER + kind, "/" + (MUTTER + kind).replace(".", "/")), MUTTER + kind)
    return dbus.Interface(bus.get_object(MUTTER + kind, service.CreateSession(*options)), f"{MUTTER}{kind}.Session")


def click(bus, x, y):
    hand = session(bus, "RemoteDesktop")
    hand.Start()
    for step in (lambda: hand.NotifyPointerMotionRelative(CORNER, CORNER), lambda: hand.NotifyPointerMotionRelative(float(x), float(y)),
                 lambda: hand.NotifyPointerButton(LEFT_BUTTON, True), lambda: hand.NotifyPointerButton(LEFT_BUTTON, False)):
        time.sleep(PAUSE_S)
        step()
    hand.Stop()


def record(bus, program):
    """The screen is shared for as long as this program is on the bus."""
    cast, loop, nodes = session(bus, "ScreenCast", dbus.Dictionary({}, signature="sv")), GLib.MainLoop(), []

    def on_added(node):
        nodes.append(int(node))
        loop.quit()
    stream = cast.RecordMonitor("", dbus.Dictionary({}, signature="sv"))
    bus.add_signal_receiver(on_added, "PipeWireStreamAdded", MUTTER + "ScreenCast.Stream", path=stream)
    cast.Start()
    loop.run()
    print(f"shared: {nodes[0]}", flush=True)
    return subprocess.call([word.replace("NODE", str(nodes[0])) for word in program])


def wall(path):
    gi.require_version("Gtk", "4.0")
    gi.require_version("Gdk", "4.0")
    from gi.repository import Gdk, Gtk

    Gtk.init()
    window, style, shown = Gtk.Window(decorated=False), Gtk.CssProvider(), [None]
    Gtk.StyleContext.add_provider_for_display(Gdk.Display.get_default(), style, Gtk.STYLE_PROVIDER_PRIORITY_USER)

    def look():
        with open(path, encoding="ascii") as file:
            grey = file.read()
        if grey != shown[0]:
            shown[0] = grey
            style.load_from_string(f"window {{ background: {grey}; }}")
        return True
    look()
    window.maximize()
    window.present()
    GLib.timeout_add(POLL_MS, look)
    GLib.MainLoop().run()


def main():
    if sys.argv[1] == "wall":
        return wall(sys.argv[2])
    dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
    bus = dbus.SessionBus()
    if sys.argv[1] == "click":
        return click(bus, *sys.argv[2:])
    return record(bus, sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
