#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs a command on a terminal of its own, where polkit's agent asks for a password, and types one. Prints what stood there.

Usage: password.py WORD COMMAND...
"""
import os
import pty
import select
import signal
import sys
import tempfile
import termios
import time

LIMIT = 150  # seconds; polkit's own helper waits after a wrong password
# What a user would type; systemctl does the same for its own questions.
WITH_AGENT = 'mkfifo "$0" && { pkttyagent --process $$ --notify-fd 9 9>"$0" & } && cat "$0" && exec "$@"'


def typed(word, command):
    """The command's status, and the terminal's text."""
    folder = tempfile.mkdtemp()
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp("sh", ["sh", "-c", WITH_AGENT, folder + "/there", *command])
    text, answered, end = "", False, time.monotonic() + LIMIT
    while time.monotonic() < end:
        try:
            if select.select([terminal], [], [], 0.1)[0]:
                text += os.read(terminal, 4096).decode(errors="replace")
        except OSError:
            break
        # What is typed while the terminal still echoes is thrown away.
        if not answered and "Password: " in text and not termios.tcgetattr(terminal)[3] & termios.ECHO:
            answered = True
            os.write(terminal, word.encode() + b"\n")
    else:
        os.kill(pid, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.unlink(folder + "/there")
    os.rmdir(folder)
    return (status if answered else 3), text


if __name__ == "__main__":
    done, said = typed(sys.argv[1], sys.argv[2:])
    print(said)
    sys.exit(done)
