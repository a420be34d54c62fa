#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What stands on the screen in a rectangle of $DISPLAY.

    picture.py X Y WIDTH HEIGHT             a digest, and of how many values it is
    picture.py X Y WIDTH HEIGHT --odd       middle of what is not as its upper left corner, or nothing
    picture.py X Y WIDTH HEIGHT --changes   "ready", then each change: when (CLOCK_BOOTTIME, µs), for ever
"""
import ctypes
import hashlib
import sys
import time

LOOK_S = 0.005

x, y, width, height = map(int, sys.argv[1:5])
xlib = ctypes.CDLL("libX11.so.6")
xlib.XOpenDisplay.restype = ctypes.c_void_p
xlib.XDefaultRootWindow.argtypes, xlib.XDefaultRootWindow.restype = [ctypes.c_void_p], ctypes.c_ulong
xlib.XGetImage.argtypes = [ctypes.c_void_p, ctypes.c_ulong, ctypes.c_int, ctypes.c_int, ctypes.c_uint, ctypes.c_uint,
                           ctypes.c_ulong, ctypes.c_int]
xlib.XGetImage.restype = ctypes.POINTER(ctypes.c_uint8)
xlib.XFree.argtypes = [ctypes.c_void_p]
display = xlib.XOpenDisplay(None)
root = xlib.XDefaultRootWindow(display)


def look():
    """Its pixels, and the bytes in a line of them."""
    image = ctypes.cast(xlib.XGetImage(display, root, x, y, width, height, 2 ** 64 - 1, 2), ctypes.c_void_p).value
    # struct XImage: the pixels' address at 16, bytes in a line at 44.
    data = ctypes.c_void_p.from_address(image + 16).value
    line = ctypes.c_int.from_address(image + 44).value
    seen = ctypes.string_at(data, line * height)
    xlib.XFree(data)
    xlib.XFree(image)
    return seen, line


def odd(pixels, line):
    """Four bytes a pixel."""
    corner = pixels[:3]
    found = [(n % line // 4, n // line) for n in range(0, len(pixels), 4) if pixels[n:n + 3] != corner]
    if found:
        print(x + sum(at[0] for at in found) // len(found), y + sum(at[1] for at in found) // len(found))


pixels, line = look()
if sys.argv[5:] == ["--odd"]:
    odd(pixels, line)
elif sys.argv[5:] == ["--changes"]:
    print("ready", flush=True)
    while True:
        now, _ = look()
        if now != pixels:
            print(time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000, flush=True)
            pixels = now
        time.sleep(LOOK_S)
else:
    print(hashlib.sha256(pixels).hexdigest(), len(set(pixels)))
