// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Text that strangers chose and people will read: the daemon's and the tools' one
 * measure of what may be shown. Knows nothing of cameras, nothing of the locale.
 * Must not let through what makes a terminal or a window show something else
 * than the bytes say: control characters, direction overrides, invisible
 * characters, malformed UTF-8.
 */
#include "text.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

size_t text_decode(const char *string, uint32_t *ret_point)
{
	const unsigned char *text = (const unsigned char *)string;
	uint32_t point, least;
	size_t length;

	if (text[0] == '\0')
		return 0;
	if (text[0] < 0x80) {
		*ret_point = text[0];
		return 1;
	}
	if ((text[0] & 0xe0) == 0xc0) {
		point = text[0] & 0x1f;
		length = 2;
		least = 0x80;
	} else if ((text[0] & 0xf0) == 0xe0) {
		point = text[0] & 0x0f;
		length = 3;
		least = 0x800;
	} else if ((text[0] & 0xf8) == 0xf0) {
		point = text[0] & 0x07;
		length = 4;
		least = 0x10000;
	} else {
		return 0;
	}
	for (size_t i = 1; i < length; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		point = point << 6 | (text[i] & 0x3f);
	}
	if (point < least || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
		return 0;
	*ret_point = point;
	return length;
}

/* Controls, fillers, joiners, marks and overrides of direction, odd spaces, private use, non-characters. */
static const struct {
	uint32_t first, last;
} hidden[] = {
	{ 0x0000, 0x001f },   { 0x007f, 0x009f },    { 0x00ad, 0x00ad }, { 0x034f, 0x034f },
	{ 0x0600, 0x0605 },   { 0x061c, 0x061c },    { 0x06dd, 0x06dd }, { 0x070f, 0x070f },
	{ 0x115f, 0x1160 },   { 0x17b4, 0x17b5 },    { 0x180b, 0x180f }, { 0x2000, 0x200f },
	{ 0x2028, 0x202f },   { 0x205f, 0x206f },    { 0x2800, 0x2800 }, { 0x3000, 0x3000 },
	{ 0x3164, 0x3164 },   { 0xe000, 0xf8ff },    { 0xfe00, 0xfe0f }, { 0xfeff, 0xfeff },
	{ 0xffa0, 0xffa0 },   { 0xfff0, 0xfffb },    { 0xfffe, 0xffff }, { 0x1bca0, 0x1bca3 },
	{ 0x1d173, 0x1d17a }, { 0xe0000, 0x10ffff },
};

bool text_is_hidden(uint32_t point)
{
	for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
		if (point >= hidden[i].first && point <= hidden[i].last)
			return true;
	return (point & 0xfffe) == 0xfffe;
}

bool text_is_name(const char *text, size_t max)
{
	size_t length = strnlen(text, max + 1);

	if (length == 0 || length > max || text[0] == ' ' || text[length - 1] == ' ')
		return false;
	while (*text != '\0') {
		uint32_t point;
		size_t step = text_decode(text, &point);

		if (step == 0 || text_is_hidden(point))
			return false;
		text += step;
	}
	return true;
}

void text_show(char *ret_out, size_t size, const char *text)
{
	size_t used = 0;

	while (*text != '\0') {
		uint32_t point;
		size_t step = text_decode(text, &point);
		bool good = step > 0 && !text_is_hidden(point);
		size_t out = good ? step : 1;

		if (used + out + 1 > size)
			break;
		if (good)
			memcpy(ret_out + used, text, step);
		else
			ret_out[used] = '?';
		used += out;
		text += step > 0 ? step : 1;
	}
	ret_out[used] = '\0';
}

bool text_to_number(const char *text, unsigned long min, unsigned long max,
		    unsigned long *ret_number)
{
	unsigned long number;
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	number = strtoul(text, &end, 10);
	if (errno != 0 || *end != '\0' || number < min || number > max)
		return false;
	*ret_number = number;
	return true;
}
