// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Noise_XX_25519_ChaChaPoly_SHA512, revision 34 of the Noise Protocol Framework, and nothing else of it: one pattern, no
 * pre-shared keys, no negotiation. Pure: bytes in, bytes out; the ephemeral key comes from the caller. Called by channel.c.
 * Must not keep state of its own, nor decide what a payload means.
 *
 * Security argument: the pattern is a table of the specification's tokens and one loop runs it in both directions. Reading
 * never changes the caller's state. Every DH result of zero stops the handshake. Checked against published vectors.
 */
#include "noise.h"

#include <errno.h>
#include <string.h>

#include "util/bytes.h"

enum token {
	TOKEN_END,
	TOKEN_E,
	TOKEN_S,
	TOKEN_EE,
	TOKEN_ES,
	TOKEN_SE,
};

static const enum token pattern[NOISE_XX_MESSAGES][5] = {
	{ TOKEN_E },
	{ TOKEN_E, TOKEN_EE, TOKEN_S, TOKEN_ES },
	{ TOKEN_S, TOKEN_SE },
};

static const char protocol_name[] = "Noise_XX_25519_ChaChaPoly_SHA512";

#define PART(p, n)           \
	(struct crypto_part) \
	{                    \
		(p), (n)     \
	}

static void mix_hash(struct noise_handshake *hs, const void *data, size_t len)
{
	const struct crypto_part parts[] = { PART(hs->hash, NOISE_HASH_LEN), PART(data, len) };
	uint8_t hash[NOISE_HASH_LEN];

	crypto_sha512(parts, 2, hash);
	memcpy(hs->hash, hash, sizeof(hash));
}

/* HKDF with two outputs, section 4.3 of the specification: RFC 5869 with an empty info. */
static void hkdf2(const uint8_t *chain, const void *ikm, size_t len, uint8_t *ret)
{
	const struct crypto_part part = PART(ikm, len);
	uint8_t prk[NOISE_HASH_LEN];

	crypto_hkdf_extract(chain, NOISE_HASH_LEN, &part, 1, prk);
	crypto_hkdf_expand(prk, NULL, 0, ret, 2 * NOISE_HASH_LEN);
	crypto_wipe(prk, sizeof(prk));
}

static void cipher_key(struct noise_cipher *c, const uint8_t *key)
{
	memcpy(c->key, key, NOISE_KEY_LEN);
	c->nonce = 0;
	c->has_key = true;
}

static int mix_dh(struct noise_handshake *hs, const uint8_t *private_key, const uint8_t *public_key)
{
	uint8_t shared[NOISE_KEY_LEN], out[2 * NOISE_HASH_LEN];
	int r;

	r = crypto_x25519(private_key, public_key, shared);
	if (r < 0)
		return r;
	hkdf2(hs->chain, shared, sizeof(shared), out);
	memcpy(hs->chain, out, NOISE_HASH_LEN);
	cipher_key(&hs->cipher, out + NOISE_HASH_LEN);
	crypto_wipe(shared, sizeof(shared));
	crypto_wipe(out, sizeof(out));
	return 0;
}

/* ChaChaPoly's nonce: four zero bytes, then the counter in little-endian order (section 12.3). */
static void cipher_nonce(const struct noise_cipher *c, uint8_t ret[CRYPTO_NONCE_LEN])
{
	memset(ret, 0, 4);
	for (int i = 0; i < 8; i++)
		ret[4 + i] = (uint8_t)(c->nonce >> (8 * i));
}

int noise_cipher_seal(struct noise_cipher *c, const void *ad, size_t ad_len, const void *plain,
		      size_t len, uint8_t *ret)
{
	const struct crypto_aead *aead = crypto_aead_get(CRYPTO_CHACHA20_POLY1305);
	uint8_t nonce[CRYPTO_NONCE_LEN];
	int r;

	if (!c->has_key) {
		if (len)
			memmove(ret, plain, len);
		return 0;
	}
	if (c->nonce == UINT64_MAX)
		return -EOVERFLOW;
	cipher_nonce(c, nonce);
	r = aead->seal(c->key, nonce, ad, ad_len, plain, len, ret);
	if (r < 0)
		return r;
	c->nonce++;
	return 0;
}

int noise_cipher_open(struct noise_cipher *c, const void *ad, size_t ad_len, const void *cipher,
		      size_t len, uint8_t *ret)
{
	const struct crypto_aead *aead = crypto_aead_get(CRYPTO_CHACHA20_POLY1305);
	uint8_t nonce[CRYPTO_NONCE_LEN];

	if (!c->has_key) {
		if (len)
			memmove(ret, cipher, len);
		return 0;
	}
	if (c->nonce == UINT64_MAX)
		return -EOVERFLOW;
	if (len < CRYPTO_TAG_LEN)
		return -EBADMSG;
	cipher_nonce(c, nonce);
	if (aead->open(c->key, nonce, ad, ad_len, cipher, len, ret) < 0)
		return -EBADMSG;
	c->nonce++;
	return 0;
}

static size_t tag_len(const struct noise_handshake *hs)
{
	return hs->cipher.has_key ? CRYPTO_TAG_LEN : 0;
}

static int encrypt_and_hash(struct noise_handshake *hs, const void *plain, size_t len, uint8_t *ret,
			    size_t size, size_t *done)
{
	size_t out = len + tag_len(hs);
	int r;

	if (out > size - *done)
		return -ENOSPC;
	r = noise_cipher_seal(&hs->cipher, hs->hash, NOISE_HASH_LEN, plain, len, ret + *done);
	if (r < 0)
		return r;
	mix_hash(hs, ret + *done, out);
	*done += out;
	return 0;
}

static int decrypt_and_hash(struct noise_handshake *hs, const uint8_t *in, size_t len, uint8_t *ret)
{
	int r;

	r = noise_cipher_open(&hs->cipher, hs->hash, NOISE_HASH_LEN, in, len, ret);
	if (r < 0)
		return r;
	mix_hash(hs, in, len);
	return 0;
}

/* The DH tokens name the initiator's key first. */
static int run_dh(struct noise_handshake *hs, enum token t)
{
	bool own_s = false, their_s = false;

	switch (t) {
	case TOKEN_EE:
		break;
	case TOKEN_ES:
		own_s = !hs->initiator;
		their_s = hs->initiator;
		break;
	case TOKEN_SE:
		own_s = hs->initiator;
		their_s = !hs->initiator;
		break;
	case TOKEN_END:
	case TOKEN_E:
	case TOKEN_S:
		return -EINVAL;
	}
	if (their_s ? !hs->has_rs : !hs->has_re)
		return -EINVAL;
	return mix_dh(hs, own_s ? hs->s : hs->e, their_s ? hs->rs : hs->re);
}

void noise_handshake_init(struct noise_handshake *hs, bool initiator, const void *prologue,
			  size_t prologue_len, const uint8_t s[NOISE_KEY_LEN], const uint8_t *s_pub,
			  const uint8_t e[NOISE_KEY_LEN])
{
	_Static_assert(sizeof(protocol_name) - 1 <= NOISE_HASH_LEN, "a longer name is hashed");

	memset(hs, 0, sizeof(*hs));
	memcpy(hs->hash, protocol_name, sizeof(protocol_name) - 1);
	memcpy(hs->chain, hs->hash, NOISE_HASH_LEN);
	hs->initiator = initiator;
	memcpy(hs->s, s, NOISE_KEY_LEN);
	if (s_pub)
		memcpy(hs->s_pub, s_pub, NOISE_KEY_LEN);
	else
		crypto_x25519_public(s, hs->s_pub);
	memcpy(hs->e, e, NOISE_KEY_LEN);
	crypto_x25519_public(e, hs->e_pub);
	mix_hash(hs, prologue, prologue_len);
}

void noise_handshake_wipe(struct noise_handshake *hs)
{
	crypto_wipe(hs, sizeof(*hs));
}

static bool own_turn(const struct noise_handshake *hs)
{
	return hs->initiator == (hs->next % 2 == 0);
}

int noise_handshake_write(struct noise_handshake *hs, const void *payload, size_t payload_len,
			  uint8_t *ret, size_t size, size_t *ret_len)
{
	size_t done = 0;
	int r = -EINVAL;

	if (hs->next >= NOISE_XX_MESSAGES || !own_turn(hs))
		return -EINVAL;
	if (size > NOISE_MSG_MAX)
		size = NOISE_MSG_MAX;
	for (const enum token *t = pattern[hs->next]; *t != TOKEN_END; t++) {
		switch (*t) {
		case TOKEN_E:
			if (size - done < NOISE_KEY_LEN)
				return -ENOSPC;
			memcpy(ret + done, hs->e_pub, NOISE_KEY_LEN);
			mix_hash(hs, hs->e_pub, NOISE_KEY_LEN);
			done += NOISE_KEY_LEN;
			r = 0;
			break;
		case TOKEN_S:
			r = encrypt_and_hash(hs, hs->s_pub, NOISE_KEY_LEN, ret, size, &done);
			break;
		case TOKEN_EE:
		case TOKEN_ES:
		case TOKEN_SE:
			r = run_dh(hs, *t);
			break;
		case TOKEN_END:
			return -EINVAL;
		}
		if (r < 0)
			return r;
	}
	r = encrypt_and_hash(hs, payload, payload_len, ret, size, &done);
	if (r < 0)
		return r;
	hs->next++;
	*ret_len = done;
	return 0;
}

static int read_tokens(struct noise_handshake *hs, struct reader *in)
{
	const uint8_t *p;
	int r = -EINVAL;

	for (const enum token *t = pattern[hs->next]; *t != TOKEN_END; t++) {
		switch (*t) {
		case TOKEN_E:
			p = reader_take(in, NOISE_KEY_LEN);
			if (!p)
				return -EBADMSG;
			memcpy(hs->re, p, NOISE_KEY_LEN);
			hs->has_re = true;
			mix_hash(hs, p, NOISE_KEY_LEN);
			r = 0;
			break;
		case TOKEN_S:
			p = reader_take(in, NOISE_KEY_LEN + tag_len(hs));
			if (!p)
				return -EBADMSG;
			r = decrypt_and_hash(hs, p, NOISE_KEY_LEN + tag_len(hs), hs->rs);
			hs->has_rs = r == 0;
			break;
		case TOKEN_EE:
		case TOKEN_ES:
		case TOKEN_SE:
			r = run_dh(hs, *t);
			break;
		case TOKEN_END:
			return -EINVAL;
		}
		if (r < 0)
			return r;
	}
	return 0;
}

int noise_handshake_read(const struct noise_handshake *hs, struct noise_handshake *ret_next,
			 const uint8_t *msg, size_t len, uint8_t *ret, size_t size, size_t *ret_len)
{
	struct reader in = { .p = msg, .left = len };
	size_t payload_len;
	int r;

	if (hs->next >= NOISE_XX_MESSAGES || own_turn(hs))
		return -EINVAL;
	if (len > NOISE_MSG_MAX)
		return -EBADMSG;
	*ret_next = *hs;
	r = read_tokens(ret_next, &in);
	if (r < 0)
		goto fail;
	r = -EBADMSG;
	if (in.left < tag_len(ret_next))
		goto fail;
	payload_len = in.left - tag_len(ret_next);
	r = -ENOSPC;
	if (payload_len > size)
		goto fail;
	r = decrypt_and_hash(ret_next, in.p, in.left, ret);
	if (r < 0)
		goto fail;
	ret_next->next++;
	*ret_len = payload_len;
	return 0;
fail:
	noise_handshake_wipe(ret_next);
	return r;
}

int noise_handshake_split(const struct noise_handshake *hs, struct noise_cipher *ret_i2r,
			  struct noise_cipher *ret_r2i)
{
	uint8_t out[2 * NOISE_HASH_LEN];

	if (hs->next != NOISE_XX_MESSAGES)
		return -EINVAL;
	hkdf2(hs->chain, NULL, 0, out);
	cipher_key(ret_i2r, out);
	cipher_key(ret_r2i, out + NOISE_HASH_LEN);
	crypto_wipe(out, sizeof(out));
	return 0;
}
