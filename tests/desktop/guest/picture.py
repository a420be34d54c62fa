#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A digest of what stands on the screen in a rectangle: picture.py X Y WIDTH HEIGHT, of $DISPLAY."""
import ctypes
import hashlib
import sys

x, y, width, height = map(int, sys.argv[1:5])
xlib = ctypes.CDLL("libX11.so.6")
xlib.XOpenDisplay.restype = ctypes.c_void_p
xlib.XDefaultRootWindow.argtypes, xlib.XDefaultRootWindow.restype = [ctypes.c_void_p], ctypes.c_ulong
xlib.XGetImage.argtypes = [ctypes.c_void_p, ctypes.c_ulong, ctypes.c_int, ctypes.c_int, ctypes.c_uint, ctypes.c_uint,
                           ctypes.c_ulong, ctypes.c_int]
xlib.XGetImage.restype = ctypes.POINTER(ctypes.c_uint8)
display = xlib.XOpenDisplay(None)
image = ctypes.cast(xlib.XGetImage(display, xlib.XDefaultRootWindow(display), x, y, width, height, 2 ** 64 - 1, 2), ctypes.c_void_p).value
# struct XImage: the pixels' address at 16, bytes in a line at 44.
data = ctypes.c_void_p.from_address(image + 16).value
line = ctypes.c_int.from_address(image + 44).value
pixels = ctypes.string_at(data, line * height)
print(hashlib.sha256(pixels).hexdigest(), len(set(pixels)))
