#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tries to type "allow" on a terminal of the same user's, as another program of his: typist.py TERMINAL. Says "typed" where it could."""
import fcntl
import os
import sys
import termios

fd = os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY)
os.write(fd, b"allow\r\n")


def type_all():
    for letter in b"allow\n":
        fcntl.ioctl(fd, termios.TIOCSTI, bytes([letter]))


def take():
    """The terminal for its own."""
    if os.fork() == 0:
        os.setsid()
        try:
            fcntl.ioctl(fd, termios.TIOCSCTTY, 0)
            type_all()
        except OSError:
            os._exit(1)
        os._exit(0)
    if os.wait()[1] != 0:
        raise PermissionError


for way in (type_all, take):
    try:
        way()
        print("typed", way.__name__)
    except OSError as error:
        print("refused", way.__name__, error)
