#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A recorder of a user's. For each line at its standard input one at its output: "local" asks to capture outside a call,
"state" says what became of that, "read" reads a picture from the camera, "next" one more from the file that it keeps open, "end" ends it."""
import errno
import os
import sys

import dbus

NAME, ROOT, MANAGER, SESSION = "org.callgate1", "/org/callgate1", "org.callgate1.Manager", "org.callgate1.Session"
CAMERA = "/dev/video0"
bus = dbus.SystemBus()
path = None
kept = -1


def local():
    global path
    pidfd = os.pidfd_open(os.getpid())
    manager = dbus.Interface(bus.get_object(NAME, ROOT, introspect=False), MANAGER)
    path = manager.CreateLocal(dbus.UInt32(2), dbus.types.UnixFd(pidfd), {}, signature="uha{sv}")
    os.close(pidfd)
    return "asked"


def state():
    session = bus.get_object(NAME, path, introspect=False)
    facts = session.GetAll(SESSION, dbus_interface="org.freedesktop.DBus.Properties")
    return f"{facts['State']} {facts['Granted']}"


def read():
    try:
        fd = os.open(CAMERA, os.O_RDWR)
        try:
            return "picture" if os.read(fd, 1 << 22) else "nothing"
        finally:
            os.close(fd)
    except OSError as error:
        return errno.errorcode[error.errno]


def following():
    global kept
    try:
        kept = os.open(CAMERA, os.O_RDWR) if kept < 0 else kept
        return "picture" if os.read(kept, 1 << 22) else "nothing"
    except OSError as error:
        return errno.errorcode[error.errno]


def end():
    bus.get_object(NAME, path, introspect=False).End(dbus_interface=SESSION)
    return "ended"


print("ready", flush=True)
for line in sys.stdin:
    try:
        print({"local": local, "state": state, "read": read, "next": following, "end": end}[line.strip()](), flush=True)
    except dbus.DBusException as error:
        print(error.get_dbus_name().rsplit(".", 1)[1], flush=True)
