#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Connects to the system bus, writes its name there into a file, and becomes another program that keeps the connection:
connected.py FILE PROGRAM [ARG...]"""
import os
import sys

import dbus

link = dbus.SystemBus(private=True)
os.set_inheritable(link.get_unix_fd(), True)
with open(sys.argv[1], "w", encoding="ascii") as file:
    file.write(link.get_unique_name())
os.execvp(sys.argv[2], sys.argv[2:])
