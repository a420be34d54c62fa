/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CALLGATE_PLAIN_H
#define CALLGATE_PLAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bits of every kinds mask, as in doc/dbus.md. */
#define KIND_MICROPHONE 1
#define KIND_CAMERA	2
#define KIND_BOTH	3

/**
 * plain_decode() - the first character of a UTF-8 string
 * @text: ends with a zero byte
 * @ret: the code point
 *
 * Return: its length in bytes, or 0 for malformed, overlong, surrogate or empty input.
 */
size_t plain_decode(const char *text, uint32_t *ret);

/* Whether a character is a control character, or reverses or hides text. */
bool plain_is_hidden(uint32_t c);

/* Whether a string is a name to show: valid UTF-8, not empty, at most max bytes, nothing invisible. */
bool plain_is_name(const char *text, size_t max);

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
