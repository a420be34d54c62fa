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

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	uint32_t first, last;
} hidden[] = {
	{ 0x0000, 0x001f },   { 0x007f, 0x009f },    { 0x00ad, 0x00ad }, { 0x034f, 0x034f },
	{ 0x0600, 0x0605 },   { 0x061c, 0x061c },    { 0x06dd, 0x06dd }, { 0x070f, 0x070f },
	{ 0x115f, 0x1160 },   { 0x17b4, 0x17b5 },    { 0x180b, 0x180f }, { 0x2000, 0x200f },
	{ 0x2028, 0x202f },   { 0x205f, 0x206f },    { 0x2800, 0x2800 }, { 0x3000, 0x3000 },
	{ 0x3164, 0x3164 },   { 0xd800, 0xf8ff },    { 0xfe00, 0xfe0f }, { 0xfeff, 0xfeff },
	{ 0xffa0, 0xffa0 },   { 0xfff0, 0xfffb },    { 0xfffe, 0xffff }, { 0x1bca0, 0x1bca3 },
	{ 0x1d173, 0x1d17a }, { 0xe0000, 0x10ffff },
};

size_t plain_decode(const char *text, uint32_t *ret)
{
	const uint8_t *p = (const uint8_t *)text;
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t c;
	size_t n;

	if (p[0] == 0)
		return 0;
	if (p[0] < 0x80) {
		*ret = p[0];
		return 1;
	}
	if (p[0] >= 0xc2 && p[0] < 0xe0)
		n = 2;
	else if (p[0] >= 0xe0 && p[0] < 0xf0)
		n = 3;
	else if (p[0] >= 0xf0 && p[0] < 0xf5)
		n = 4;
	else
		return 0;
	c = p[0] & (0x7f >> n);
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0;
	*ret = c;
	return n;
}

bool plain_is_hidden(uint32_t c)
{
	for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
		if (c >= hidden[i].first && c <= hidden[i].last)
			return true;
	return false;
}

bool plain_is_name(const char *text, size_t max)
{
	uint32_t c;
	size_t n;

	if (!*text || strlen(text) > max)
		return false;
	for (; *text; text += n) {
		n = plain_decode(text, &c);
		if (n == 0 || plain_is_hidden(c))
			return false;
	}
	return true;
}

char *plain_copy(const char *text)
{
	/* One byte becomes at most four, two at least make \u{......}. */
	size_t room = 5 * strlen(text) + 1;
	char *out = malloc(room), *p = out;
	uint32_t c;

	if (!out)
		return NULL;
	while (*text) {
		size_t n = plain_decode(text, &c);

		if (n == 0) {
			p += sprintf(p, "\\x%02x", (uint8_t)*text);
			n = 1;
		} else if (c == '\\') {
			p = stpcpy(p, "\\\\");
		} else if (c < 0x80 && plain_is_hidden(c)) {
			p += sprintf(p, "\\x%02x", c);
		} else if (plain_is_hidden(c)) {
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
	switch (kinds & KIND_BOTH) {
	case KIND_MICROPHONE:
		return "microphone";
	case KIND_CAMERA:
		return "camera";
	case KIND_BOTH:
		return "camera and microphone";
	}
	return "nothing";
}
