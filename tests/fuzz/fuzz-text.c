// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Text from outside: hexadecimal, names, numbers, lines of the configuration,
 * and what is shown on a terminal.
 *
 * Input: which u8, then the text, for a line of the configuration three texts with a NUL between them.
 */
#include "fuzz.h"
#include "plain.h"
#include "policy.h"
#include "util/hex.h"
#include "util/text.h"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	return crypto_init();
}

static void hex(const char *text, size_t room)
{
	uint8_t *bytes = malloc(room ?: 1);
	ssize_t n = hex_decode(text, bytes, room);
	char *again;

	MUST(n <= (ssize_t)room);
	if (n >= 0) {
		again = malloc(2 * (size_t)n + 1);
		hex_encode(bytes, (size_t)n, again);
		MUST(strlen(again) == strlen(text) && strcasecmp(again, text) == 0);
		free(again);
	}
	free(bytes);
}

static void name(const char *text, size_t max)
{
	size_t size = max + 4;
	char *shown = malloc(size);

	text_show(shown, size, text);
	MUST(strlen(shown) < size);
	if (text_is_name(text, max)) {
		MUST(strlen(text) >= 1 && strlen(text) <= max);
		MUST(strcmp(shown, text) == 0);
	}
	free(shown);
}

static void line(const char *text, size_t len)
{
	const char *name = text + strlen(text) + 1, *value, *why = NULL;
	struct policy p, before;

	if ((size_t)(name - text) > len)
		return;
	value = name + strlen(name) + 1;
	if ((size_t)(value - text) > len)
		return;
	memset(&p, 0, sizeof(p));
	policy_init(&p);
	memcpy(&before, &p, sizeof(p));
	if (!policy_set(&p, text, name, value, &why))
		MUST(why && memcmp(&before, &p, sizeof(p)) == 0);
	MUST(p.prompt_ns && p.unverified_ns && p.heartbeat_ms >= 1000 && p.heartbeat_ms <= 15000);
	MUST(!(p.unverified_kinds & ~POLICY_KIND_ALL));
}

/* Nothing of it may move the cursor, hide or turn text. */
static void terminal(const char *text)
{
	char *copy = plain_copy(text);
	uint32_t c;
	size_t n;

	MUST(copy);
	for (const char *p = copy; *p; p += n) {
		n = text_decode(p, &c);
		MUST(n && !text_is_hidden(c));
	}
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned long number = 0;
	char *text;

	if (!size)
		return 0;
	text = malloc(size);
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	switch (data[0] % 6) {
	case 0:
		hex(text, size);
		break;
	case 1:
		hex(text, data[0]);
		break;
	case 2:
		name(text, 1 + data[0]);
		break;
	case 3:
		if (text_to_number(text, 3, 1000, &number))
			MUST(number >= 3 && number <= 1000);
		break;
	case 4:
		line(text, size - 1);
		break;
	case 5:
		terminal(text);
		break;
	}
	free(text);
	return 0;
}
