#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs a program as a user in a session of logind's that came over the network, as sshd would: USER COMMAND..."""
import os
import pwd
import sys

import dbus

user = pwd.getpwnam(sys.argv[1])
manager = dbus.Interface(dbus.SystemBus().get_object("org.freedesktop.login1", "/org/freedesktop/login1"),
                         "org.freedesktop.login1.Manager")
# What is started from here on is in it, and it ends with the descriptor.
session = manager.CreateSession(dbus.UInt32(user.pw_uid), dbus.UInt32(os.getpid()), "sshd", "tty", "user", "", "",
                                dbus.UInt32(0), "", "", True, "", "elsewhere", dbus.Array([], "(sv)"),
                                signature="uusssssussbssa(sv)")
kept = session[3].take()
child = os.fork()
if child == 0:
    os.initgroups(user.pw_name, user.pw_gid)
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)
    os.execvp(sys.argv[2], sys.argv[2:])
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
