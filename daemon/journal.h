/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The sealed, append-only files of one user's call history. */
#ifndef CALLGATE_JOURNAL_H
#define CALLGATE_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bounds.h"
#include "record-keyring.h"
#include "record-segment.h"

#define JOURNAL_NAME_MAX 48
#define JOURNAL_KEYS	 "keys"

struct journal;

/**
 * journal_open - also finishes what a crash left half done
 * @dir: the journal's directory; taken, also on failure
 * @retain: days, 1 to KEYRING_RETAIN_MAX
 *
 * A key file that is damaged is told by every function but journal_forget() of all, with -EBADMSG.
 *
 * Return: 0 or a negative errno.
 */
int journal_open(struct journal **ret_journal, int dir, uint32_t retain);
struct journal *journal_free(struct journal *journal);

/* Days since 1970, UTC. */
uint32_t journal_day(uint64_t seconds);

/** journal_public - the journal key. Return: 0 or -ENOKEY: the user has set none */
int journal_public(struct journal *journal, uint8_t ret_public[CRYPTO_KEY_LEN]);
/** journal_set_public - from now on seal to this key. Return: 0 or a negative errno */
int journal_set_public(struct journal *journal, const uint8_t public_key[CRYPTO_KEY_LEN]);

/**
 * journal_ready - make sure that there is a segment for today, and room for one more record
 *
 * Return: 0; -ENOKEY; -ENOSPC and others: nothing can be written now.
 */
int journal_ready(struct journal *journal, uint32_t today);

/**
 * journal_append - write one record durably
 *
 * Return: 0; a negative errno as journal_ready(), and then nothing of it is there.
 */
int journal_append(struct journal *journal, uint32_t today, const void *data, size_t len);

/** journal_pseudonym - of a peer, today. Return: 0 or a negative errno */
int journal_pseudonym(struct journal *journal, uint32_t today,
		      const uint8_t peer_key[CRYPTO_KEY_LEN], uint8_t ret_peer[RECORD_PEER_LEN]);

/** journal_expire - destroy the keys of the days whose time has come. Return: 0 or a negative errno */
int journal_expire(struct journal *journal, uint32_t today);

/** journal_forget - destroy the keys of all days before one; UINT32_MAX: of all. Return: 0 or a negative errno */
int journal_forget(struct journal *journal, uint32_t before, uint32_t today);

/**
 * struct journal_part - a segment that is there
 */
struct journal_part {
	char name[JOURNAL_NAME_MAX];
	uint32_t day;
	uint32_t generation;
	uint64_t first;
	uint64_t size;
};

/** journal_list - the segments in order; to be freed. Return: 0 or a negative errno */
int journal_list(struct journal *journal, struct journal_part **ret_parts, size_t *ret_n);

/** journal_file - read-only descriptor of a segment, or of JOURNAL_KEYS. Return: it or a negative errno */
int journal_file(struct journal *journal, const char *name);

/**
 * struct journal_new - a day as its owner wants it to be
 * @bytes: a whole segment
 * @chain: its chain key
 */
struct journal_new {
	uint32_t day;
	uint8_t key[CRYPTO_KEY_LEN];
	uint8_t chain[CRYPTO_KEY_LEN];
	const uint8_t *bytes;
	size_t len;
};

/**
 * journal_replace - put rewritten days in the place of all that is there
 * @next: @tag: where the journal stood when it was read; all zeros for an empty one
 *
 * Return: 0; -ESTALE: something was written since, read again; -EBADMSG: they are not what they should be: in order, chained,
 * each of a day that is there, under a generation above the last one, no more than there was; another negative errno.
 */
int journal_replace(struct journal *journal, uint32_t today, uint64_t next,
		    const uint8_t tag[SEGMENT_TAG_LEN], const struct journal_new *days, size_t n);

#endif
