/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The key file of a user's journal: the days' keys, and what was deleted. Pure: journal.c stores the bytes. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "crypto.h"
#include "record.h"

#define KEYRING_DAYS_MAX   128
#define KEYRING_RETAIN_MAX 90 /* days; the others leave room for days that the clock invented */
#define KEYRING_ENTRY_LEN  (12 + CRYPTO_KEY_LEN)
#define KEYRING_HEAD_LEN   (4 + 1 + CRYPTO_KEY_LEN + 8 + 4 + 4 + 1 + 4 + 2)
#define KEYRING_ENCODED_MAX \
	(KEYRING_HEAD_LEN + KEYRING_DAYS_MAX * KEYRING_ENTRY_LEN + CRYPTO_HASH_LEN)

/* Why the last deletion was made. */
enum keyring_deletion {
	KEYRING_NOTHING,
	KEYRING_EXPIRED,
	KEYRING_BEFORE,
	KEYRING_ALL,
	KEYRING_PEER,
	KEYRING_DELETION_COUNT,
};

/**
 * struct keyring_day
 * @day: days since 1970, UTC
 * @generation: of its key
 * @until: the day at which the key is destroyed
 */
struct keyring_day {
	uint32_t day;
	uint32_t generation;
	uint32_t until;
	uint8_t key[CRYPTO_KEY_LEN];
};

/**
 * struct keyring - in secret memory
 * @has_public: the user has set a journal key; without one nothing can be written
 * @floor: number of the first cell that was not deleted
 * @generation: the last that was used
 * @deleted_day: @deletion: when and why something was deleted last
 * @rewritten_day: when the days were rewritten last, for --peer; 0: never. Anchors from before do not fit any more
 */
struct keyring {
	uint8_t has_public;
	uint8_t public_key[CRYPTO_KEY_LEN];
	uint64_t floor;
	uint32_t generation;
	uint32_t deleted_day;
	uint8_t deletion;
	uint32_t rewritten_day;
	size_t n;
	struct keyring_day days[KEYRING_DAYS_MAX];
};

/** keyring_new - an empty one, in secret memory; NULL when there is none */
struct keyring *keyring_new(void);
/** keyring_free - takes NULL, returns NULL */
struct keyring *keyring_free(struct keyring *keyring);

DEFINE_CLEANUP(struct keyring *, keyring_free);

/** keyring_encode - Return: the length */
size_t keyring_encode(const struct keyring *keyring, uint8_t ret[KEYRING_ENCODED_MAX]);

/** keyring_decode - Return: 0; -EBADMSG for anything that keyring_encode() would not have written; -EPROTONOSUPPORT */
int keyring_decode(struct keyring *ret_keyring, const void *data, size_t len);

/** keyring_find - the key of a day and generation, or NULL */
const struct keyring_day *keyring_find(const struct keyring *keyring, uint32_t day,
				       uint32_t generation);

/**
 * keyring_today - the newest key of a day, made if there is none
 * @today: by the clock, which may have been set back or forward since the other days were made
 *
 * Return: the entry, or NULL at KEYRING_DAYS_MAX.
 */
struct keyring_day *keyring_today(struct keyring *keyring, uint32_t today, uint32_t retain);

/**
 * keyring_expire - drop the days whose time has come
 *
 * A day that lies in the future, because the clock was wrong when it was written, goes as if it had been written today.
 * Return: how many were dropped, or whose end was drawn nearer: whether to write the file.
 */
size_t keyring_expire(struct keyring *keyring, uint32_t today, uint32_t retain);

/** keyring_drop - drop the days before one. Return: how many */
size_t keyring_drop(struct keyring *keyring, uint32_t before);

/** keyring_pseudonym - of a peer's key, on one day; cannot be made or compared once the day's key is gone */
void keyring_pseudonym(const struct keyring_day *day, const uint8_t peer_key[CRYPTO_KEY_LEN],
		       uint8_t ret_peer[RECORD_PEER_LEN]);
