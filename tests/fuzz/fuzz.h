/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What every fuzzer here shares: reading the input as choices, and memory that runs out when the input says so.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "crypto.h"
#include "util/bytes.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* What must hold whatever comes in. */
#define MUST(x)                  \
	do {                     \
		if (!(x))        \
			abort(); \
	} while (0)

/**
 * fuzz_memory - from now on, allocation number @failing fails, or from 64 on a choice of one in eight; 0: none
 *
 * Stands in for malloc(), calloc(), realloc(), strdup() and crypto_secret_new() of the code under test, see alloc.c.
 */
void fuzz_memory(uint8_t failing);

/* Fills from the input; zeros when it is used up. */
static inline void take(struct reader *in, void *ret, size_t len)
{
	size_t n = len < in->left ? len : in->left;

	memset(ret, 0, len);
	memcpy(ret, in->p, n);
	in->p += n;
	in->left -= n;
}

static inline uint8_t take_u8(struct reader *in)
{
	uint8_t v;

	take(in, &v, 1);
	return v;
}

static inline uint64_t take_u64(struct reader *in)
{
	uint8_t v[8];

	take(in, v, sizeof(v));
	return get_be64(v);
}

/* A copy of exactly this size, so that the sanitizer sees each byte read beyond it. */
static inline uint8_t *exact(const void *p, size_t len)
{
	uint8_t *copy = malloc(len ?: 1);

	MUST(copy);
	if (len)
		memcpy(copy, p, len);
	return copy;
}
