// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Text that others chose, made safe to show. Owns no state; must not depend on
 * the locale, which a caller of the setgid agent chooses. Called by callgatectl
 * and the terminal agent for every string that comes from the bus or the relay.
 *
 * Security: a name with an escape sequence could repaint a question, and one
 * with a bidirectional override could reverse it. Nothing that is not plainly
 * visible passes plain_copy().
 */
#include "plain.h"

#include "util/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *plain_copy(const char *text)
{
	/* One byte becomes at most four, two at least make \u{......}. */
	size_t room = 5 * strlen(text) + 1;
	char *out = malloc(room), *p = out;
	uint32_t c;

	if (!out)
		return NULL;
	while (*text) {
		size_t n = text_decode(text, &c);

		if (n == 0) {
			p += sprintf(p, "\\x%02x", (uint8_t)*text);
			n = 1;
		} else if (c == '\\') {
			p = stpcpy(p, "\\\\");
		} else if (c < 0x80 && text_is_hidden(c)) {
			p += sprintf(p, "\\x%02x", c);
		} else if (text_is_hidden(c)) {
			p += sprintf(p, "\\u{%x}", c);
		} else {
			p = mempcpy(p, text, n);
		}
		text += n;
	}
	*p = '\0';
	return out;
}

const char *plain_kinds(unsigned kinds)
{
	static const char *const names[KIND_ALL + 1] = {
		"nothing",
		"microphone",
		"camera",
		"camera and microphone",
		"speaker",
		"microphone and speaker",
		"camera and speaker",
		"camera, microphone and speaker",
	};

	return names[kinds & KIND_ALL];
}
