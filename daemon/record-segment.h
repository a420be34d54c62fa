/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The bytes of a segment: a header, then cells of one size. Pure: journal.c writes the files, callgatectl reads them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto.h"

#define SEGMENT_HEADER_LEN 256
#define SEGMENT_CELL_LEN   512
/* What a cell carries of a record. */
#define SEGMENT_CELL_DATA  (SEGMENT_CELL_LEN - CRYPTO_HASH_LEN - CRYPTO_TAG_LEN - 3)
#define SEGMENT_TAG_LEN	   CRYPTO_HASH_LEN

/**
 * struct segment_head - what a header says
 * @day: days since 1970, UTC
 * @generation: which of the day's keys wraps the seed; a rewritten day gets a new one
 * @first: number of the first cell; cells of a user are counted through all segments
 * @previous: tag of the cell before @first; zeros where everything before was deleted
 */
struct segment_head {
	uint32_t day;
	uint32_t generation;
	uint64_t first;
	uint8_t previous[SEGMENT_TAG_LEN];
};

/**
 * struct segment_keys - in secret memory; what opens the cells from here on, and no cell before
 * @ratchet: one step for each cell
 * @chain: authenticates; never on disk
 */
struct segment_keys {
	uint8_t ratchet[CRYPTO_KEY_LEN];
	uint8_t chain[CRYPTO_KEY_LEN];
};

/**
 * segment_begin - make a header with a new seed
 * @day_key: wraps the sealed seed
 * @public_key: the journal key of the user, to whom the seed is sealed
 * @keys: secret memory, filled
 * @ret_tag: of the header, which the first cell continues
 */
void segment_begin(const struct segment_head *head, const uint8_t day_key[CRYPTO_KEY_LEN],
		   const uint8_t public_key[CRYPTO_KEY_LEN], struct segment_keys *keys,
		   uint8_t ret_header[SEGMENT_HEADER_LEN], uint8_t ret_tag[SEGMENT_TAG_LEN]);

/** segment_peek - the fields of a header without any key. Return: 0; -EBADMSG; -EPROTONOSUPPORT for a newer version */
int segment_peek(const uint8_t *bytes, size_t len, struct segment_head *ret_head);

/**
 * segment_open - the keys of a segment, for its reader
 *
 * Return: 0; -EBADMSG: the header was changed, or is not of this day key; -ENOKEY: it is sealed to another journal key.
 */
int segment_open(const uint8_t header[SEGMENT_HEADER_LEN], const uint8_t day_key[CRYPTO_KEY_LEN],
		 const uint8_t private_key[CRYPTO_KEY_LEN], struct segment_keys *keys,
		 uint8_t ret_tag[SEGMENT_TAG_LEN]);

/** segment_cells - how many cells @len bytes of a record take */
size_t segment_cells(size_t len);

/**
 * segment_seal - the next cells, for one record
 * @keys: taken one step further for each cell; what opened them is wiped
 * @number: of the first of them; counted on
 * @tag: of the cell before; replaced
 * @ret: segment_cells(@len) * SEGMENT_CELL_LEN bytes
 */
void segment_seal(struct segment_keys *keys, uint64_t *number, uint8_t tag[SEGMENT_TAG_LEN],
		  const void *data, size_t len, uint8_t *ret);

enum segment_result {
	SEGMENT_GOOD,
	SEGMENT_UNCHAINED, /* genuine by itself, but it does not follow the cell before, or its tag was changed */
	SEGMENT_DAMAGED,
};

/**
 * segment_unseal - open the next cell
 * @keys: taken one step further, whatever the result
 * @tag: of the cell before as the file has it; replaced
 * @ret_more: the record goes on in the next cell
 */
enum segment_result segment_unseal(struct segment_keys *keys, uint64_t number,
				   uint8_t tag[SEGMENT_TAG_LEN],
				   const uint8_t cell[SEGMENT_CELL_LEN],
				   uint8_t ret_data[SEGMENT_CELL_DATA], size_t *ret_len,
				   bool *ret_more);

/** segment_cell_tag - of the cell, as the file has it */
const uint8_t *segment_cell_tag(const uint8_t cell[SEGMENT_CELL_LEN]);

/**
 * segment_check - is this a whole segment, by the chain key alone?
 * @ret_cells: how many; @ret_tag: of the last
 *
 * Return: 0 or -EBADMSG.
 */
int segment_check(const uint8_t *bytes, size_t len, const uint8_t chain[CRYPTO_KEY_LEN],
		  uint64_t *ret_cells, uint8_t ret_tag[SEGMENT_TAG_LEN]);
