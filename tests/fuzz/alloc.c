// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Memory that runs out when the fuzzer's input says so (the linker's --wrap). Secrets are plain memory here: the sanitizer
 * knows its bounds, and locking would be slow. X25519 of the same two keys is computed once: most inputs are near a genuine
 * handshake. Linked into every fuzzer.
 */
#include <errno.h>

#include "fuzz.h"

static _Thread_local uint8_t failing;
static _Thread_local unsigned int count;

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
char *__wrap_strdup(const char *s);
void *__wrap_crypto_secret_new(size_t size);
void *__wrap_crypto_secret_free(void *p);

int __real_crypto_x25519(const uint8_t *a, const uint8_t *b, uint8_t *ret);
int __wrap_crypto_x25519(const uint8_t *a, const uint8_t *b, uint8_t *ret);

void fuzz_memory(uint8_t mask)
{
	failing = mask;
	count = 0;
}

static bool runs_out(void)
{
	unsigned int n = count++;
	bool out = failing < 64 ? n + 1 == failing
				: ((n * 0x9e3779b1u ^ failing * 0x85ebca6bu) >> 16 & 7) == 0;

	if (failing && out)
		errno = ENOMEM;
	return failing && out;
}

void *__wrap_malloc(size_t size)
{
	return runs_out() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return runs_out() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	return runs_out() ? NULL : __real_realloc(p, size);
}

char *__wrap_strdup(const char *s)
{
	size_t size = strlen(s) + 1;
	char *copy = runs_out() ? NULL : __real_malloc(size);

	return copy ? memcpy(copy, s, size) : NULL;
}

void *__wrap_crypto_secret_new(size_t size)
{
	return runs_out() ? NULL : __real_calloc(1, size);
}

void *__wrap_crypto_secret_free(void *p)
{
	free(p);
	return NULL;
}

int __wrap_crypto_x25519(const uint8_t *a, const uint8_t *b, uint8_t *ret)
{
	static struct {
		uint8_t a[32], b[32], shared[32];
		bool used;
	} known[256];
	unsigned int at = (a[0] * 31u + a[1] * 17u + b[0] * 7u + b[1] * 3u + b[31]) % 256;
	int r;

	if (known[at].used && memcmp(known[at].a, a, 32) == 0 && memcmp(known[at].b, b, 32) == 0) {
		memcpy(ret, known[at].shared, 32);
		return 0;
	}
	r = __real_crypto_x25519(a, b, ret);
	if (r == 0) {
		known[at].used = true;
		memcpy(known[at].a, a, 32);
		memcpy(known[at].b, b, 32);
		memcpy(known[at].shared, ret, 32);
	}
	return r;
}
