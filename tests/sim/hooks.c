// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Stands in for a few functions of daemon/crypto.h (the linker's --wrap): tells oracle.c of every message when it is sealed and
 * looks for a nonce that is used twice; X25519 among the few keys of the simulator is computed once and remembered, which
 * makes it fast and changes no result; secret memory is plain memory here. Called by the channel, without its knowledge.
 */
#include "sim.h"

#include <stdlib.h>
#include <string.h>

#include "util/bytes.h"

static struct world *current;

/* ---- nonces ---- */

#define SEALED_MAX (1 << 18)

static struct sealed {
	uint64_t key[2], nonce, digest;
	uint32_t stamp;
} sealed[SEALED_MAX];
static uint32_t sealed_stamp;
static unsigned int sealed_n;

void hooks_begin(struct world *w)
{
	current = w;
	sealed_stamp++;
	sealed_n = 0;
}

static uint64_t digest(uint64_t h, const void *p, size_t len)
{
	const uint8_t *b = p;
	uint64_t word;

	for (; len >= sizeof(word); len -= sizeof(word), b += sizeof(word)) {
		memcpy(&word, b, sizeof(word));
		h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 32;
	}
	for (size_t i = 0; i < len; i++)
		h = (h ^ b[i]) * UINT64_C(0x100000001b3);
	return h ^ h >> 29;
}

static void note_nonce(struct world *w, const uint8_t *key, const uint8_t *nonce, uint64_t what)
{
	struct sealed s = { .digest = what, .stamp = sealed_stamp };
	size_t at;

	memcpy(s.key, key, sizeof(s.key));
	memcpy(&s.nonce, nonce + 4, sizeof(s.nonce));
	if (++sealed_n > SEALED_MAX / 2) {
		w->cut = true;
		return;
	}
	at = (s.key[0] ^ s.nonce * UINT64_C(0x9e3779b97f4a7c15) >> 20) % SEALED_MAX;
	while (sealed[at].stamp == sealed_stamp) {
		if (memcmp(sealed[at].key, s.key, sizeof(s.key)) == 0 &&
		    sealed[at].nonce == s.nonce) {
			if (sealed[at].digest != what)
				wrong(w, "two messages under one key and nonce");
			return;
		}
		at = (at + 1) % SEALED_MAX;
	}
	sealed[at] = s;
}

const struct crypto_aead *__real_crypto_aead_get(enum crypto_aead_id id);
const struct crypto_aead *__wrap_crypto_aead_get(enum crypto_aead_id id);

static int seal_seen(const uint8_t *key, const uint8_t *nonce, const void *ad, size_t ad_len,
		     const void *plain, size_t len, void *ret)
{
	const struct crypto_aead *real = __real_crypto_aead_get(CRYPTO_CHACHA20_POLY1305);
	uint8_t copy[CHANNEL_BLOB_MAX];
	struct world *w = current;

	memcpy(copy, plain, len);
	w->tally->seals++;
	if (ad_len == WIRE_DATA_AD_LEN && w->acting)
		oracle_message(w->acting, key, get_be64((const uint8_t *)ad + 22), copy);
	note_nonce(w, key, nonce,
		   digest(digest(UINT64_C(0xcbf29ce484222325), ad, ad_len), copy, len));
	return real->seal(key, nonce, ad, ad_len, copy, len, ret);
}

const struct crypto_aead *__wrap_crypto_aead_get(enum crypto_aead_id id)
{
	static struct crypto_aead seen;

	if (!seen.name) {
		seen = *__real_crypto_aead_get(id);
		seen.seal = seal_seen;
	}
	return &seen;
}

/* ---- X25519, remembered ---- */

#define REMEMBERED_MAX (1 << 15)

static struct remembered {
	uint8_t private_key[32], public_key[32], shared[32];
	bool used;
} remembered[REMEMBERED_MAX];
static unsigned int remembered_n;

int __real_crypto_x25519(const uint8_t *a, const uint8_t *b, uint8_t *ret);
int __wrap_crypto_x25519(const uint8_t *a, const uint8_t *b, uint8_t *ret);
void __real_crypto_x25519_public(const uint8_t *a, uint8_t *ret);
void __wrap_crypto_x25519_public(const uint8_t *a, uint8_t *ret);
void *__wrap_crypto_secret_new(size_t size);
void *__wrap_crypto_secret_free(void *p);

static struct remembered *remember(const uint8_t *a, const uint8_t *b)
{
	size_t at = digest(digest(1, a, 32), b, 32) % REMEMBERED_MAX;

	while (remembered[at].used && (memcmp(remembered[at].private_key, a, 32) != 0 ||
				       memcmp(remembered[at].public_key, b, 32) != 0))
		at = (at + 1) % REMEMBERED_MAX;
	return &remembered[at];
}

int __wrap_crypto_x25519(const uint8_t *a, const uint8_t *b, uint8_t *ret)
{
	struct remembered *m = remember(a, b);
	int r;

	if (m->used) {
		memcpy(ret, m->shared, 32);
		return 0;
	}
	r = __real_crypto_x25519(a, b, ret);
	if (r == 0 && remembered_n < REMEMBERED_MAX / 2) {
		remembered_n++;
		m->used = true;
		memcpy(m->private_key, a, 32);
		memcpy(m->public_key, b, 32);
		memcpy(m->shared, ret, 32);
	}
	return r;
}

/* The base point's multiple, under a public key that nobody has. */
void __wrap_crypto_x25519_public(const uint8_t *a, uint8_t *ret)
{
	static const uint8_t base[32] = { 0xff };
	struct remembered *m = remember(a, base);

	if (!m->used) {
		__real_crypto_x25519_public(a, m->shared);
		memcpy(m->private_key, a, 32);
		memcpy(m->public_key, base, 32);
		m->used = true;
		remembered_n++;
	}
	memcpy(ret, m->shared, 32);
}

void *__wrap_crypto_secret_new(size_t size)
{
	return calloc(1, size);
}

void *__wrap_crypto_secret_free(void *p)
{
	free(p);
	return NULL;
}
