// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Memory that runs out when the fuzzer's input says so (the linker's --wrap). Secrets are plain memory here: the sanitizer
 * knows its bounds, and locking would be slow. Linked into every fuzzer.
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

void fuzz_memory(uint8_t mask)
{
	failing = mask;
	count = 0;
}

static bool runs_out(void)
{
	if (!failing || !(failing >> count++ % 8 & 1))
		return false;
	errno = ENOMEM;
	return true;
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
