#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A call with dbus-python, as an app would make it: this process is what captures.

The app's own signalling carries the blobs; here they are lines of hexadecimal, out at standard output and in at standard
input, so that two of these (or this and call.c) make a call when each one's output is the other's input. Its end of file
ends the call.

    call.py CONTACT             calls; CONTACT is the name by which the user knows the other side
    call.py --answer CLAIMED    waits for the first blob; CLAIMED is what the app says the caller's name is

doc/dbus.md explains each method and error.
"""
import os
import sys

import dbus
import dbus.mainloop.glib
from gi.repository import GLib

NAME, ROOT = "org.callgate1", "/org/callgate1"
MANAGER, SESSION = NAME + ".Manager", NAME + ".Session"
KINDS = 3  # microphone and camera
RECORD = 38


class Call:
    def __init__(self):
        self.bus = dbus.SystemBus()
        self.loop = GLib.MainLoop()
        self.session = None
        self.state = ""
        # Before the session is there, so that its first signal is not missed.
        self.bus.add_signal_receiver(self.on_blob, "Blob", SESSION, NAME)
        self.bus.add_signal_receiver(self.on_changed, "PropertiesChanged", dbus.PROPERTIES_IFACE, NAME)
        self.bus.add_signal_receiver(self.on_removed, "SessionRemoved", MANAGER, NAME, ROOT)

    def begin(self, name, blob=None):
        """Asks the user; the first Blob comes once the answer is yes. blob is the first one of a call that came in."""
        manager = dbus.Interface(self.bus.get_object(NAME, ROOT, introspect=False), MANAGER)
        # Who captures: this process, for as long as it does not become another program.
        fd = os.pidfd_open(os.getpid())
        subject = dbus.types.UnixFd(fd)
        os.close(fd)
        options = dbus.Dictionary({}, signature="sv")
        if blob is None:
            path = manager.CreateSession(name, dbus.UInt32(KINDS), subject, options)
        else:
            path = manager.AcceptSession(dbus.ByteArray(blob), name, dbus.UInt32(KINDS), subject, options)
        self.session = dbus.Interface(self.bus.get_object(NAME, path, introspect=False), SESSION)
        self.path = path

    def on_blob(self, blob):
        print(bytes(blob).hex(), flush=True)

    def on_changed(self, interface, changed, invalidated):
        state = changed.get("State", self.state)
        if state == self.state:
            return
        self.state = state
        print("state", state, file=sys.stderr, flush=True)
        if state == "live":
            self.fetch_keys()

    def fetch_keys(self):
        """The session's media keys, for an app that encrypts its media with them."""
        with os.fdopen(self.session.MediaKeys().take(), "rb") as pipe:
            print("keys", len(pipe.read()) // RECORD, file=sys.stderr, flush=True)

    def on_removed(self, path, properties):
        if self.session and path == self.path:
            print("ended", properties["EndReason"], file=sys.stderr, flush=True)
            self.loop.quit()

    def on_input(self, channel, condition):
        """A line has come from the other side; or it has closed, and the call ends."""
        line = sys.stdin.buffer.raw.readline()
        try:
            if not line:
                self.session.End()
            else:
                self.session.Deliver(dbus.ByteArray(bytes.fromhex(line.decode().strip())))
        except dbus.DBusException as error:
            # BadBlob does no harm: the call goes on without that blob.
            print(error.get_dbus_message(), file=sys.stderr, flush=True)
        return bool(line)


def main():
    answer = len(sys.argv) == 3 and sys.argv[1] == "--answer"
    if len(sys.argv) != 2 and not answer:
        print("Usage: call.py CONTACT | call.py --answer CLAIMED", file=sys.stderr)
        return 2
    dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
    call = Call()
    # Past Python's buffer, so that the loop sees each line.
    blob = bytes.fromhex(sys.stdin.buffer.raw.readline().decode().strip()) if answer else None
    try:
        call.begin(sys.argv[-1], blob)
    except dbus.DBusException as error:
        # The service's errors say what happened and what to do.
        print("no session:", error.get_dbus_message(), file=sys.stderr)
        return 1
    GLib.io_add_watch(0, GLib.PRIORITY_DEFAULT, GLib.IO_IN | GLib.IO_HUP, call.on_input)
    call.loop.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
