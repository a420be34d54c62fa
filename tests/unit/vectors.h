/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Published vectors, which lie beside the project and not in it. A file that is not there makes its tests skip.
 */
#pragma once

#include <assert.h>
#include <jansson.h>

#include "unit.h"
#include "util/hex.h"

#define VECTORS_DIR "../shared/vectors/"

struct bytes {
	size_t len;
	uint8_t p[20000];
};

/* The file with every number of 19 digits or more in quotes: jansson's integers are signed. The caller frees it. */
static inline char *vectors_read(FILE *f)
{
	size_t size = 0, out = 0, digits;
	char *text = NULL, *ret;
	bool string = false;

	if (getdelim(&text, &size, '\0', f) < 0)
		abort();
	ret = malloc(2 * strlen(text) + 1);
	if (!ret)
		abort();
	for (const char *p = text; *p; p++) {
		digits = string ? 0 : strspn(p, "0123456789");
		if (digits >= 19) {
			out += (size_t)sprintf(ret + out, "\"%.*s\"", (int)digits, p);
			p += digits - 1;
			continue;
		}
		if (*p == '"' && (p == text || p[-1] != '\\'))
			string = !string;
		ret[out++] = *p;
	}
	ret[out] = '\0';
	free(text);
	return ret;
}

static inline json_t *vectors_load(struct unit *u, const char *what, const char *file)
{
	char path[256], *text;
	json_error_t error;
	json_t *root;
	FILE *f;

	snprintf(path, sizeof(path), VECTORS_DIR "%s", file);
	f = fopen(path, "re");
	if (!f) {
		unit_skip(u, what, "the published vectors are not in " VECTORS_DIR);
		return NULL;
	}
	text = vectors_read(f);
	fclose(f);
	root = json_loads(text, 0, &error);
	free(text);
	if (!root) {
		/* There but unreadable is a failure, not a skip. */
		printf("Bail out! %s: line %d: %s\n", path, error.line, error.text);
		exit(1);
	}
	return root;
}

static inline uint64_t vectors_number(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return json_is_string(value) ? strtoull(json_string_value(value), NULL, 10)
				     : (uint64_t)json_integer_value(value);
}

static inline const char *vectors_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static inline const struct bytes *vectors_decode(const char *text, struct bytes *ret)
{
	ssize_t n = hex_decode(text, ret->p, sizeof(ret->p));

	assert_true(n >= 0);
	ret->len = (size_t)n;
	return ret;
}

static inline const struct bytes *vectors_hex(const json_t *object, const char *key,
					      struct bytes *ret)
{
	return vectors_decode(vectors_text(object, key), ret);
}
