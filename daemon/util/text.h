/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CALLGATE_TEXT_H
#define CALLGATE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

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
