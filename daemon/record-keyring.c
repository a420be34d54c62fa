// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The key file's bytes, and which days it still has. Pure: time is an argument. Must not know files. Called by journal.c, and
 * by callgatectl, which gets the file to read.
 *
 * Security: whatever was written on a day can be opened with that day's key only, here and nowhere else. So to delete a day is
 * to write this file without its key. Pseudonyms are keyed by the day's key too: they go with it, and two days
 * cannot be joined by them.
 */
#include "record-keyring.h"

#include <errno.h>
#include <string.h>

#include "util/bytes.h"
#include "util/macro.h"

static const uint8_t magic[4] = { 'C', 'G', 'K', 1 };

static void checksum(const uint8_t *data, size_t len, uint8_t *ret)
{
	const struct crypto_part part = { data, len };

	crypto_blake2b(NULL, &part, 1, ret);
}

struct keyring *keyring_new(void)
{
	return crypto_secret_new(sizeof(struct keyring));
}

struct keyring *keyring_free(struct keyring *keyring)
{
	return crypto_secret_free(keyring);
}

size_t keyring_encode(const struct keyring *keyring, uint8_t ret[KEYRING_ENCODED_MAX])
{
	uint8_t *p = ret;

	memcpy(p, magic, sizeof(magic));
	p[4] = keyring->has_public;
	p += 5;
	memcpy(p, keyring->public_key, CRYPTO_KEY_LEN);
	p += CRYPTO_KEY_LEN;
	put_be64(p, keyring->floor);
	put_be32(p + 8, keyring->generation);
	put_be32(p + 12, keyring->deleted_day);
	p[16] = keyring->deletion;
	put_be32(p + 17, keyring->rewritten_day);
	put_be16(p + 21, (uint16_t)keyring->n);
	p += 23;
	for (size_t i = 0; i < keyring->n; i++) {
		const struct keyring_day *day = &keyring->days[i];

		put_be32(p, day->day);
		put_be32(p + 4, day->generation);
		put_be32(p + 8, day->until);
		memcpy(p + 12, day->key, CRYPTO_KEY_LEN);
		p += KEYRING_ENTRY_LEN;
	}
	/* Accidents only: who can change the file can compute it. */
	checksum(ret, (size_t)(p - ret), p);
	return (size_t)(p - ret) + CRYPTO_HASH_LEN;
}

int keyring_decode(struct keyring *ret_keyring, const void *data, size_t len)
{
	struct reader in = { .p = data, .left = len };
	uint8_t head[4], sum[CRYPTO_HASH_LEN];
	struct keyring *keyring = ret_keyring;

	if (len < KEYRING_HEAD_LEN + CRYPTO_HASH_LEN)
		return -EBADMSG;
	checksum(data, len - CRYPTO_HASH_LEN, sum);
	if (!crypto_equal(sum, (const uint8_t *)data + len - CRYPTO_HASH_LEN, sizeof(sum)))
		return -EBADMSG;
	in.left -= CRYPTO_HASH_LEN;
	reader_copy(&in, head, sizeof(head));
	if (memcmp(head, magic, 3) != 0)
		return -EBADMSG;
	if (head[3] != magic[3])
		return head[3] > magic[3] ? -EPROTONOSUPPORT : -EBADMSG;
	memset(keyring, 0, sizeof(*keyring));
	keyring->has_public = reader_u8(&in);
	reader_copy(&in, keyring->public_key, CRYPTO_KEY_LEN);
	keyring->floor = (uint64_t)reader_be32(&in) << 32;
	keyring->floor |= reader_be32(&in);
	keyring->generation = reader_be32(&in);
	keyring->deleted_day = reader_be32(&in);
	keyring->deletion = reader_u8(&in);
	keyring->rewritten_day = reader_be32(&in);
	keyring->n = reader_be16(&in);
	if (keyring->n > KEYRING_DAYS_MAX || keyring->has_public > 1 ||
	    keyring->deletion >= KEYRING_DELETION_COUNT)
		goto bad;
	for (size_t i = 0; i < keyring->n; i++) {
		struct keyring_day *day = &keyring->days[i];

		day->day = reader_be32(&in);
		day->generation = reader_be32(&in);
		day->until = reader_be32(&in);
		reader_copy(&in, day->key, CRYPTO_KEY_LEN);
	}
	if (reader_done(&in))
		return 0;
bad:
	crypto_wipe(keyring, sizeof(*keyring));
	return -EBADMSG;
}

const struct keyring_day *keyring_find(const struct keyring *keyring, uint32_t day,
				       uint32_t generation)
{
	for (size_t i = 0; i < keyring->n; i++)
		if (keyring->days[i].day == day && keyring->days[i].generation == generation)
			return &keyring->days[i];
	return NULL;
}

struct keyring_day *keyring_today(struct keyring *keyring, uint32_t today, uint32_t retain)
{
	struct keyring_day *found = NULL;

	for (size_t i = 0; i < keyring->n; i++)
		if (keyring->days[i].day == today &&
		    (!found || found->generation < keyring->days[i].generation))
			found = &keyring->days[i];
	if (found || keyring->n == KEYRING_DAYS_MAX)
		return found;
	found = &keyring->days[keyring->n++];
	found->day = today;
	found->generation = ++keyring->generation;
	found->until = today + retain;
	crypto_random(found->key, sizeof(found->key));
	return found;
}

static void drop_day(struct keyring *keyring, size_t i)
{
	keyring->n--;
	memmove(&keyring->days[i], &keyring->days[i + 1],
		(keyring->n - i) * sizeof(keyring->days[0]));
	crypto_wipe(&keyring->days[keyring->n], sizeof(keyring->days[0]));
}

size_t keyring_expire(struct keyring *keyring, uint32_t today, uint32_t retain)
{
	size_t changed = 0;

	for (size_t i = 0; i < keyring->n;) {
		struct keyring_day *day = &keyring->days[i];
		uint32_t written = day->day > today ? today : day->day;

		if (day->until > written + retain) {
			day->until = written + retain;
			changed++;
		}
		if (day->until > today) {
			i++;
			continue;
		}
		drop_day(keyring, i);
		keyring->deletion = KEYRING_EXPIRED;
		keyring->deleted_day = today;
		changed++;
	}
	return changed;
}

size_t keyring_drop(struct keyring *keyring, uint32_t before)
{
	size_t dropped = 0;

	for (size_t i = 0; i < keyring->n;) {
		if (keyring->days[i].day >= before) {
			i++;
			continue;
		}
		drop_day(keyring, i);
		dropped++;
	}
	return dropped;
}

void keyring_pseudonym(const struct keyring_day *day, const uint8_t peer_key[CRYPTO_KEY_LEN],
		       uint8_t ret_peer[RECORD_PEER_LEN])
{
	static const char purpose[] = "callgate/1 journal peer";
	const struct crypto_part parts[] = { { purpose, sizeof(purpose) - 1 },
					     { peer_key, CRYPTO_KEY_LEN } };
	uint8_t hash[CRYPTO_HASH_LEN];

	crypto_blake2b(day->key, parts, ARRAY_SIZE(parts), hash);
	memcpy(ret_peer, hash, RECORD_PEER_LEN);
}
