// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The bytes of a segment. Pure. Must not know files or what a record says. Called by journal.c, which can only write, and
 * by callgatectl, which has the private key.
 *
 *   header: magic 4, day 4, generation 4, first 8, previous 32, nonce 24, wrapped seed 96, zeros, tag 32
 *   cell:   (more 1, length 2, data, zeros) sealed, tag 32
 *
 * Security: the seed is sealed to the user's public key, so the writer cannot read it back, and that is wrapped under the
 * day's key, so that destroying the day's key destroys the segment for everybody. From the seed come a ratchet and the chain
 * key. Each cell has a key of its own, and the ratchet steps over it: what the writer holds opens no earlier cell. A tag is
 * keyed by the chain key and covers the tag before, the number and the cell. Cells have one size, so a file tells how
 * many there are and nothing of what is in them, a torn one is seen by its length, and damage in one hides no other.
 */
#include "record-segment.h"

#include <errno.h>
#include <string.h>

#include "util/bytes.h"
#include "util/macro.h"

#define SEED_LEN    CRYPTO_KEY_LEN
#define SEALED_LEN  (SEED_LEN + CRYPTO_BOX_EXTRA)
#define WRAPPED_LEN (SEALED_LEN + CRYPTO_TAG_LEN)
#define AT_NONCE    52
#define AT_WRAPPED  (AT_NONCE + CRYPTO_XNONCE_LEN)
#define AT_ZEROS    (AT_WRAPPED + WRAPPED_LEN)
#define AT_TAG	    (SEGMENT_HEADER_LEN - SEGMENT_TAG_LEN)
#define INNER_LEN   (3 + SEGMENT_CELL_DATA)
#define AT_CELL_TAG (SEGMENT_CELL_LEN - SEGMENT_TAG_LEN)

_Static_assert(AT_ZEROS <= AT_TAG, "the header has room");
_Static_assert(INNER_LEN + CRYPTO_TAG_LEN == AT_CELL_TAG, "a cell is filled");

static const uint8_t magic[4] = { 'C', 'G', 'J', 1 };
/* Every key is used once. */
static const uint8_t no_nonce[CRYPTO_XNONCE_LEN];

static void derive(const uint8_t key[CRYPTO_KEY_LEN], const char *what, uint8_t *ret)
{
	const struct crypto_part part = { what, strlen(what) };

	crypto_blake2b(key, &part, 1, ret);
}

static void keys_from(const uint8_t seed[SEED_LEN], struct segment_keys *keys)
{
	derive(seed, "callgate/1 journal ratchet", keys->ratchet);
	derive(seed, "callgate/1 journal chain", keys->chain);
}

static void header_tag(const uint8_t chain[CRYPTO_KEY_LEN], const uint8_t *header, uint8_t *ret)
{
	const struct crypto_part parts[] = { { "header", 6 }, { header, AT_TAG } };

	crypto_blake2b(chain, parts, ARRAY_SIZE(parts), ret);
}

static void cell_tag(const uint8_t chain[CRYPTO_KEY_LEN], const uint8_t *before, uint64_t number,
		     const uint8_t *cell, uint8_t *ret)
{
	uint8_t be[8];
	const struct crypto_part parts[] = {
		{ "cell", 4 },
		{ before, SEGMENT_TAG_LEN },
		{ be, sizeof(be) },
		{ cell, AT_CELL_TAG },
	};

	put_be64(be, number);
	crypto_blake2b(chain, parts, ARRAY_SIZE(parts), ret);
}

void segment_begin(const struct segment_head *head, const uint8_t day_key[CRYPTO_KEY_LEN],
		   const uint8_t public_key[CRYPTO_KEY_LEN], struct segment_keys *keys,
		   uint8_t ret_header[SEGMENT_HEADER_LEN], uint8_t ret_tag[SEGMENT_TAG_LEN])
{
	uint8_t seed[SEED_LEN], sealed[SEALED_LEN];

	memset(ret_header, 0, SEGMENT_HEADER_LEN);
	memcpy(ret_header, magic, sizeof(magic));
	put_be32(ret_header + 4, head->day);
	put_be32(ret_header + 8, head->generation);
	put_be64(ret_header + 12, head->first);
	memcpy(ret_header + 20, head->previous, SEGMENT_TAG_LEN);
	crypto_random(ret_header + AT_NONCE, CRYPTO_XNONCE_LEN);
	crypto_random(seed, sizeof(seed));
	keys_from(seed, keys);
	crypto_box_seal_for(public_key, seed, sizeof(seed), sealed);
	crypto_wipe(seed, sizeof(seed));
	crypto_xseal(day_key, ret_header + AT_NONCE, ret_header, AT_NONCE, sealed, sizeof(sealed),
		     ret_header + AT_WRAPPED);
	header_tag(keys->chain, ret_header, ret_header + AT_TAG);
	memcpy(ret_tag, ret_header + AT_TAG, SEGMENT_TAG_LEN);
}

int segment_peek(const uint8_t *bytes, size_t len, struct segment_head *ret_head)
{
	if (len < SEGMENT_HEADER_LEN || memcmp(bytes, magic, 3) != 0)
		return -EBADMSG;
	if (bytes[3] != magic[3])
		return bytes[3] > magic[3] ? -EPROTONOSUPPORT : -EBADMSG;
	ret_head->day = get_be32(bytes + 4);
	ret_head->generation = get_be32(bytes + 8);
	ret_head->first = get_be64(bytes + 12);
	memcpy(ret_head->previous, bytes + 20, SEGMENT_TAG_LEN);
	return 0;
}

int segment_open(const uint8_t header[SEGMENT_HEADER_LEN], const uint8_t day_key[CRYPTO_KEY_LEN],
		 const uint8_t private_key[CRYPTO_KEY_LEN], struct segment_keys *keys,
		 uint8_t ret_tag[SEGMENT_TAG_LEN])
{
	uint8_t sealed[SEALED_LEN], seed[SEED_LEN], tag[SEGMENT_TAG_LEN];

	if (crypto_xopen(day_key, header + AT_NONCE, header, AT_NONCE, header + AT_WRAPPED,
			 WRAPPED_LEN, sealed) < 0)
		return -EBADMSG;
	if (crypto_box_open_with(private_key, sealed, sizeof(sealed), seed) < 0)
		return -ENOKEY;
	keys_from(seed, keys);
	crypto_wipe(seed, sizeof(seed));
	header_tag(keys->chain, header, tag);
	if (!crypto_equal(tag, header + AT_TAG, sizeof(tag))) {
		crypto_wipe(keys, sizeof(*keys));
		return -EBADMSG;
	}
	memcpy(ret_tag, tag, sizeof(tag));
	return 0;
}

size_t segment_cells(size_t len)
{
	return len ? (len + SEGMENT_CELL_DATA - 1) / SEGMENT_CELL_DATA : 1;
}

/* The key of the cell at hand; afterwards nothing here can give it again. */
static void step(struct segment_keys *keys, uint8_t ret_key[CRYPTO_KEY_LEN])
{
	derive(keys->ratchet, "callgate/1 journal cell", ret_key);
	derive(keys->ratchet, "callgate/1 journal next", keys->ratchet);
}

void segment_seal(struct segment_keys *keys, uint64_t *number, uint8_t tag[SEGMENT_TAG_LEN],
		  const void *data, size_t len, uint8_t *ret)
{
	uint8_t inner[INNER_LEN], key[CRYPTO_KEY_LEN], be[8];
	const uint8_t *p = data;

	do {
		size_t take = len < SEGMENT_CELL_DATA ? len : SEGMENT_CELL_DATA;

		memset(inner, 0, sizeof(inner));
		inner[0] = take < len;
		put_be16(inner + 1, (uint16_t)take);
		memcpy(inner + 3, p, take);
		put_be64(be, *number);
		step(keys, key);
		crypto_xseal(key, no_nonce, be, sizeof(be), inner, sizeof(inner), ret);
		cell_tag(keys->chain, tag, *number, ret, ret + AT_CELL_TAG);
		memcpy(tag, ret + AT_CELL_TAG, SEGMENT_TAG_LEN);
		++*number;
		p += take;
		len -= take;
		ret += SEGMENT_CELL_LEN;
	} while (len);
	crypto_wipe(key, sizeof(key));
	crypto_wipe(inner, sizeof(inner));
}

const uint8_t *segment_cell_tag(const uint8_t cell[SEGMENT_CELL_LEN])
{
	return cell + AT_CELL_TAG;
}

enum segment_result segment_unseal(struct segment_keys *keys, uint64_t number,
				   uint8_t tag[SEGMENT_TAG_LEN],
				   const uint8_t cell[SEGMENT_CELL_LEN],
				   uint8_t ret_data[SEGMENT_CELL_DATA], size_t *ret_len,
				   bool *ret_more)
{
	uint8_t inner[INNER_LEN], key[CRYPTO_KEY_LEN], be[8], wanted[SEGMENT_TAG_LEN];
	enum segment_result result = SEGMENT_DAMAGED;
	bool chained;

	put_be64(be, number);
	step(keys, key);
	cell_tag(keys->chain, tag, number, cell, wanted);
	chained = crypto_equal(wanted, cell + AT_CELL_TAG, sizeof(wanted));
	memcpy(tag, cell + AT_CELL_TAG, SEGMENT_TAG_LEN);
	if (crypto_xopen(key, no_nonce, be, sizeof(be), cell, AT_CELL_TAG, inner) == 0 &&
	    inner[0] <= 1 && get_be16(inner + 1) <= SEGMENT_CELL_DATA) {
		*ret_more = inner[0];
		*ret_len = get_be16(inner + 1);
		memcpy(ret_data, inner + 3, *ret_len);
		result = chained ? SEGMENT_GOOD : SEGMENT_UNCHAINED;
	}
	crypto_wipe(key, sizeof(key));
	crypto_wipe(inner, sizeof(inner));
	return result;
}

int segment_check(const uint8_t *bytes, size_t len, const uint8_t chain[CRYPTO_KEY_LEN],
		  uint64_t *ret_cells, uint8_t ret_tag[SEGMENT_TAG_LEN])
{
	uint8_t tag[SEGMENT_TAG_LEN], before[SEGMENT_TAG_LEN];
	struct segment_head head;
	uint64_t n;

	if (segment_peek(bytes, len, &head) < 0 ||
	    (len - SEGMENT_HEADER_LEN) % SEGMENT_CELL_LEN != 0)
		return -EBADMSG;
	header_tag(chain, bytes, tag);
	if (!crypto_equal(tag, bytes + AT_TAG, sizeof(tag)))
		return -EBADMSG;
	n = (len - SEGMENT_HEADER_LEN) / SEGMENT_CELL_LEN;
	if (head.first > UINT64_MAX - n)
		return -EBADMSG;
	for (uint64_t i = 0; i < n; i++) {
		const uint8_t *cell = bytes + SEGMENT_HEADER_LEN + i * SEGMENT_CELL_LEN;

		memcpy(before, tag, sizeof(tag));
		cell_tag(chain, before, head.first + i, cell, tag);
		if (!crypto_equal(tag, segment_cell_tag(cell), sizeof(tag)))
			return -EBADMSG;
	}
	*ret_cells = n;
	memcpy(ret_tag, tag, sizeof(tag));
	return 0;
}
