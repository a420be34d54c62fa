# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a program got that captures: by the victim's own count, or by what it wrote."""
import os

HEADER = 128  # bytes; one without sound is nothing


class Counted:
    """@path: of the victim's file, or, where @counter is "size", of one with the sound itself."""

    def got(self):
        try:
            if self.counter == "size":
                return max(0, os.path.getsize(self.path) - HEADER)
            with open(self.path, encoding="ascii") as file:
                return int(file.read().split()[0])
        except (OSError, IndexError, ValueError):
            return 0

    def errors(self):
        with open(self.path, encoding="ascii") as file:
            return int(file.read().split()[1])

    def gone(self):
        with open(self.path, encoding="ascii") as file:
            return int(file.read().split()[4])
