#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""One bus connection with a user id of its own, driven over standard input and output.

lib/rig.py starts one for every part in a test (app, agent, stranger), because a
process has one user id and the bus asks the kernel for it. Each line in is a
command, each line out an answer or an event, in JSON.
"""
import json
import os
import signal
import subprocess
import sys

import dbus
import dbus.lowlevel
import dbus.mainloop.glib
from gi.repository import GLib

NAME = "org.callgate1"
# What a test answers itself, as an agent, as polkit, as systemd or as logind.
SERVED = (NAME + ".Agent", "org.freedesktop.PolicyKit1.Authority", "org.freedesktop.systemd1.Manager", "org.freedesktop.login1.Manager",
          "org.freedesktop.DBus.Properties")
asked = {}
children = {}
unread = b""


def out(**line):
    print(json.dumps(line), flush=True)


def plain(value):
    if isinstance(value, dbus.types.UnixFd):
        fd = value.take()
        data = b""
        while True:
            part = os.read(fd, 65536)
            if not part:
                break
            data += part
        os.close(fd)
        return data.hex()
    if isinstance(value, (dbus.ByteArray, bytes)):
        return bytes(value).hex()
    if isinstance(value, dbus.Array) and value.signature == "y":
        return bytes(value).hex()
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, dbus.Boolean):
        return bool(value)
    if isinstance(value, int):
        return int(value)
    return str(value)


def made(value):
    """Arguments that JSON has no form for."""
    if isinstance(value, dict) and "pidfd" in value:
        fd = os.pidfd_open(value["pidfd"])
        made_fd = dbus.types.UnixFd(fd)
        os.close(fd)
        return made_fd
    if isinstance(value, dict) and "pipe" in value:
        read, write = os.pipe()
        os.write(write, bytes.fromhex(value["pipe"]))
        if not value.get("open"):
            os.close(write)
        made_fd = dbus.types.UnixFd(read)
        os.close(read)
        return made_fd
    if isinstance(value, dict) and "file" in value:
        with open(value["file"], "rb") as file:
            return dbus.types.UnixFd(file)
    if isinstance(value, dict) and "bytes" in value:
        return dbus.ByteArray(bytes.fromhex(value["bytes"]))
    if isinstance(value, dict) and "job" in value:
        return dbus.Struct((dbus.UInt32(value["job"]), dbus.ObjectPath("/job")), signature="uo", variant_level=1)
    if isinstance(value, dict) and "options" in value:
        return dbus.Dictionary({k: made(v) for k, v in value["options"].items()}, signature="sv")
    return value


def do_call(command):
    serial = command["id"]
    message = dbus.lowlevel.MethodCallMessage(command.get("to", NAME), command["path"], command["interface"],
                                              command["method"])
    try:
        message.append(signature=command["signature"], *[made(a) for a in command["arguments"]])
    except (TypeError, ValueError, UnicodeError, OSError) as error:
        out(id=serial, error="local", message=str(error))
        return

    def reply(answer):
        arguments = answer.get_args_list()
        if isinstance(answer, dbus.lowlevel.ErrorMessage):
            out(id=serial, error=answer.get_error_name(), message=str(arguments[0]) if arguments else "")
        else:
            out(id=serial, result=[plain(a) for a in arguments])
    bus.send_message_with_reply(message, reply, timeout_s=60)


def do_spawn(command):
    child = subprocess.Popen(command["argv"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    children[child.pid] = child
    out(id=command["id"], result=child.pid)


def do_emit(command):
    message = dbus.lowlevel.SignalMessage(command["path"], command["interface"], command["member"])
    message.append(signature=command["signature"], *[made(a) for a in command["arguments"]])
    bus.send_message(message)
    out(id=command["id"], result=None)


def do_poke(command):
    """A line to a child's standard input."""
    children[command["pid"]].stdin.write(b"go\n")
    children[command["pid"]].stdin.flush()
    out(id=command["id"], result=None)


def do_kill(command):
    child = children.pop(command["pid"])
    child.send_signal(signal.SIGKILL)
    child.wait()
    out(id=command["id"], result=None)


def do_answer(command):
    message = asked.pop(command["serial"])
    if "error" in command:
        reply = dbus.lowlevel.ErrorMessage(message, command["error"], "as the test says")
    else:
        reply = dbus.lowlevel.MethodReturnMessage(message)
        reply.append(signature=command["signature"], *[made(a) for a in command["result"]])
    bus.send_message(reply)
    out(id=command["id"], result=None)


def on_message(connection, message):
    if isinstance(message, dbus.lowlevel.SignalMessage):
        if message.get_interface() != "org.freedesktop.DBus":
            out(event="signal", member=message.get_member(), path=message.get_path(),
                destination=message.get_destination(),
                arguments=[plain(a) for a in message.get_args_list(byte_arrays=True)])
        return dbus.lowlevel.HANDLER_RESULT_NOT_YET_HANDLED
    if isinstance(message, dbus.lowlevel.MethodCallMessage) and message.get_interface() in SERVED:
        asked[message.get_serial()] = message
        out(event=message.get_member(), serial=message.get_serial(), sender=message.get_sender(),
            arguments=[plain(a) for a in message.get_args_list()])
        return dbus.lowlevel.HANDLER_RESULT_HANDLED
    return dbus.lowlevel.HANDLER_RESULT_NOT_YET_HANDLED


def on_input(channel, condition):
    """Two lines may come at once, and the second must not wait in a buffer for the third."""
    global unread
    data = os.read(0, 65536)
    if not data:
        loop.quit()
        return False
    *lines, unread = (unread + data).split(b"\n")
    for line in lines:
        command = json.loads(line)
        try:
            globals()["do_" + command["do"]](command)
        except (KeyError, OSError, dbus.DBusException) as error:
            out(id=command["id"], error="local", message=repr(error))
    return True


dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
bus = dbus.bus.BusConnection(sys.argv[1])
bus.add_message_filter(on_message)
loop = GLib.MainLoop()
GLib.io_add_watch(0, GLib.PRIORITY_DEFAULT, GLib.IO_IN | GLib.IO_HUP, on_input)
out(event="ready", name=bus.get_unique_name())
loop.run()
for one in children.values():
    one.kill()
