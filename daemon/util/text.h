/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CALLGATE_TEXT_H
#define CALLGATE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * text_decode() - the first character of a UTF-8 string
 * @text: ends with a zero byte
 * @ret_point: the code point
 *
 * Return: its length in bytes, or 0 for malformed, overlong, surrogate or empty input.
 */
size_t text_decode(const char *text, uint32_t *ret_point);

/* Is this a control or private character, or one that reverses, joins or hides text? */
bool text_is_hidden(uint32_t point);

/* Is this a name that can be shown in a prompt: 1 to max bytes of valid UTF-8, without control and
 * direction characters, not beginning or ending with a space?
 */
bool text_is_name(const char *text, size_t max);

/* A copy of any bytes that is safe to show: what text_is_name() would refuse becomes '?'. */
void text_show(char *ret_out, size_t size, const char *text);

/* A decimal number of min to max and nothing else. */
bool text_to_number(const char *text, unsigned long min, unsigned long max,
		    unsigned long *ret_number);

#endif
