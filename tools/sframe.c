// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Owns the format of sealed media frames: RFC 9605 with AES_256_GCM_SHA512_128. Must not know sockets, files or the bus.
 * Called by callgatectl's call and answer.
 *
 * Security argument: one base key is one stream, one sender and one run, so counting up from 0 never repeats a nonce. The
 * receiver knows which key id it expects, takes each counter once, and marks it only after the frame proved genuine. There is
 * one encoding of a header, so a frame cannot be changed and still be the same frame.
 */
#include "sframe.h"

#include <errno.h>
#include <string.h>

#include "util/bytes.h"

#define SUITE	    0x0005
/* Section 4.3: the bit that says that a number follows in bytes, and the field with their count less one, or the number. */
#define FIELD_LONG  8
#define FIELD_VALUE 7

/* Bytes that @v takes after the first one; a number below 8 takes none. */
static unsigned int extra_bytes(uint64_t v)
{
	unsigned int n = 0;

	if (v <= FIELD_VALUE)
		return 0;
	for (; v; v >>= 8)
		n++;
	return n;
}

static uint8_t field(uint64_t v)
{
	unsigned int n = extra_bytes(v);

	return (uint8_t)(n ? FIELD_LONG | (n - 1) : v);
}

static uint8_t *number_put(uint8_t *p, uint64_t v)
{
	for (unsigned int n = extra_bytes(v); n; n--)
		*p++ = (uint8_t)(v >> (8 * (n - 1)));
	return p;
}

size_t sframe_header_put(uint8_t ret[SFRAME_HEADER_MAX], const struct sframe_header *h)
{
	uint8_t *p = ret;

	*p++ = (uint8_t)(field(h->kid) << 4 | field(h->ctr));
	p = number_put(p, h->kid);
	p = number_put(p, h->ctr);
	return (size_t)(p - ret);
}

static uint64_t number_get(struct reader *r, uint8_t f)
{
	unsigned int n = (f & FIELD_VALUE) + 1u;
	uint64_t v = 0;

	if (!(f & FIELD_LONG))
		return f;
	for (unsigned int i = 0; i < n; i++)
		v = v << 8 | reader_u8(r);
	if (extra_bytes(v) != n)
		r->bad = true;
	return v;
}

size_t sframe_header_get(const void *data, size_t len, struct sframe_header *ret)
{
	struct reader r = { .p = data, .left = len };
	uint8_t first = reader_u8(&r);
	struct sframe_header h;

	h.kid = number_get(&r, first >> 4);
	h.ctr = number_get(&r, first & 15);
	if (r.bad)
		return 0;
	*ret = h;
	return len - r.left;
}

/* Section 4.4.2. */
static void derive(uint64_t kid, const void *base_key, size_t base_key_len, uint8_t *key,
		   uint8_t *salt)
{
	static const char key_label[] = "SFrame 1.0 Secret key ";
	static const char salt_label[] = "SFrame 1.0 Secret salt ";
	const struct crypto_part ikm = { base_key, base_key_len };
	uint8_t id[10], prk[CRYPTO_SHA512_LEN];
	const struct crypto_part key_info[] = { { key_label, sizeof(key_label) - 1 },
						{ id, sizeof(id) } };
	const struct crypto_part salt_info[] = { { salt_label, sizeof(salt_label) - 1 },
						 { id, sizeof(id) } };

	put_be64(id, kid);
	put_be16(id + 8, SUITE);
	crypto_hkdf_extract(NULL, 0, &ikm, 1, prk);
	crypto_hkdf_expand(prk, key_info, ARRAY_SIZE(key_info), key, CRYPTO_KEY_LEN);
	crypto_hkdf_expand(prk, salt_info, ARRAY_SIZE(salt_info), salt, CRYPTO_NONCE_LEN);
	crypto_wipe(prk, sizeof(prk));
}

int sframe_sender_init(struct sframe_sender *s, uint64_t kid, const void *base_key,
		       size_t base_key_len)
{
	*s = (struct sframe_sender){ .kid = kid, .aead = crypto_aead_get(CRYPTO_AES_256_GCM) };
	if (!s->aead)
		return -ENOTSUP;
	derive(kid, base_key, base_key_len, s->key, s->salt);
	return 0;
}

int sframe_receiver_init(struct sframe_receiver *r, uint64_t kid, const void *base_key,
			 size_t base_key_len)
{
	*r = (struct sframe_receiver){ .kid = kid, .aead = crypto_aead_get(CRYPTO_AES_256_GCM) };
	if (!r->aead)
		return -ENOTSUP;
	derive(kid, base_key, base_key_len, r->key, r->salt);
	return 0;
}

void sframe_sender_wipe(struct sframe_sender *s)
{
	crypto_wipe(s, sizeof(*s));
}

void sframe_receiver_wipe(struct sframe_receiver *r)
{
	crypto_wipe(r, sizeof(*r));
}

/* The salt, with the counter over its last eight bytes. */
static void nonce_of(const uint8_t *salt, uint64_t ctr, uint8_t *ret)
{
	uint8_t be[8];

	put_be64(be, ctr);
	memcpy(ret, salt, CRYPTO_NONCE_LEN);
	for (int i = 0; i < 8; i++)
		ret[CRYPTO_NONCE_LEN - 8 + i] ^= be[i];
}

/* What is authenticated: the header, then the metadata. Return: its length, 0 when the metadata is too long. */
static size_t ad_of(const uint8_t *header, size_t header_len, const void *metadata,
		    size_t metadata_len, uint8_t ret[SFRAME_HEADER_MAX + SFRAME_METADATA_MAX])
{
	if (metadata_len > SFRAME_METADATA_MAX)
		return 0;
	memcpy(ret, header, header_len);
	if (metadata_len)
		memcpy(ret + header_len, metadata, metadata_len);
	return header_len + metadata_len;
}

int sframe_seal(struct sframe_sender *s, const void *metadata, size_t metadata_len,
		const void *plain, size_t len, uint8_t *ret, size_t *ret_len)
{
	const struct sframe_header h = { .kid = s->kid, .ctr = s->next };
	uint8_t ad[SFRAME_HEADER_MAX + SFRAME_METADATA_MAX], nonce[CRYPTO_NONCE_LEN];
	size_t head, ad_len;
	int r;

	if (s->next == UINT64_MAX)
		return -EOVERFLOW;
	head = sframe_header_put(ret, &h);
	ad_len = ad_of(ret, head, metadata, metadata_len, ad);
	if (!ad_len)
		return -EINVAL;
	nonce_of(s->salt, h.ctr, nonce);
	r = s->aead->seal(s->key, nonce, ad, ad_len, plain, len, ret + head);
	if (r < 0)
		return r;
	s->next++;
	*ret_len = head + len + CRYPTO_TAG_LEN;
	return 0;
}

int sframe_open(struct sframe_receiver *r, const void *metadata, size_t metadata_len,
		const void *frame, size_t len, uint8_t *ret, size_t *ret_len)
{
	uint8_t ad[SFRAME_HEADER_MAX + SFRAME_METADATA_MAX], nonce[CRYPTO_NONCE_LEN];
	const uint8_t *p = frame;
	struct sframe_header h;
	size_t head, ad_len;

	head = sframe_header_get(frame, len, &h);
	if (!head || len - head < CRYPTO_TAG_LEN)
		return -EBADMSG;
	if (h.kid != r->kid)
		return -ENOKEY;
	if (!window_fresh(&r->window, h.ctr))
		return -EALREADY;
	ad_len = ad_of(p, head, metadata, metadata_len, ad);
	if (!ad_len)
		return -EINVAL;
	nonce_of(r->salt, h.ctr, nonce);
	if (r->aead->open(r->key, nonce, ad, ad_len, p + head, len - head, ret) < 0)
		return -EBADMSG;
	window_mark(&r->window, h.ctr);
	*ret_len = len - head - CRYPTO_TAG_LEN;
	return 0;
}
