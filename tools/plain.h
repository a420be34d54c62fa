/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CALLGATE_PLAIN_H
#define CALLGATE_PLAIN_H

/* Bits of every kinds mask, as in doc/dbus.md. */
#define KIND_MICROPHONE 1
#define KIND_CAMERA	2
#define KIND_BOTH	3
#define KIND_SPEAKER	4 /* what is played; behind a sound server only */
#define KIND_ALL	7

/**
 * plain_copy() - a copy that is safe to print on a terminal
 *
 * Control characters, characters that reverse or hide text, and malformed bytes
 * become \x.. or \u{....}; a backslash is doubled, so that no text can imitate that.
 *
 * Return: the copy, to be freed; NULL when memory is out.
 */
char *plain_copy(const char *text);

/* A mask of kinds in words: "camera and microphone", "nothing". */
const char *plain_kinds(unsigned kinds);

#endif
