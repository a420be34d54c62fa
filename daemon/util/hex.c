// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Hexadecimal of public values: session ids, fingerprints, test vectors. Table lookups depend on the data, so secrets do
 * not come here.
 */
#include "util/hex.h"

#include <errno.h>

void hex_encode(const void *p, size_t len, char *ret)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *b = p;

	for (size_t i = 0; i < len; i++) {
		ret[2 * i] = digits[b[i] >> 4];
		ret[2 * i + 1] = digits[b[i] & 15];
	}
	ret[2 * len] = '\0';
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

ssize_t hex_decode(const char *text, void *ret, size_t size)
{
	uint8_t *b = ret;
	size_t n = 0;

	for (; text[0]; text += 2, n++) {
		int high = digit(text[0]);
		int low = text[1] ? digit(text[1]) : -1;

		if (high < 0 || low < 0)
			return -EINVAL;
		if (n == size)
			return -ENOSPC;
		b[n] = (uint8_t)(high << 4 | low);
	}
	return (ssize_t)n;
}
