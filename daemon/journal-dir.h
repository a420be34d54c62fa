/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The files of a journal, as they lie in its directory. Each function: 0 or a negative errno, if it does not say otherwise. */
#ifndef CALLGATE_JOURNAL_DIR_H
#define CALLGATE_JOURNAL_DIR_H

#include "journal.h"

/** journal_dir_load - the key file; an empty ring where there is none. Return: also -EBADMSG: damaged */
int journal_dir_load(int dir, struct keyring **ret_keyring);
int journal_dir_save(int dir, const struct keyring *keyring);

/** journal_part_name - @ret has JOURNAL_NAME_MAX bytes */
void journal_part_name(uint32_t day, uint32_t generation, uint64_t first, char *ret);
/** journal_part_parse - Return: false: no name that is written */
bool journal_part_parse(const char *name, struct journal_part *ret_part);

/** journal_dir_scan - all segments whose keys are there, in order; with @sweep removes everything else */
int journal_dir_scan(int dir, const struct keyring *keyring, bool sweep,
		     struct journal_part **ret_parts, size_t *ret_n);

/**
 * journal_dir_standing - where the journal stands, by what is on the disk
 * @tidy: remove the segments without a whole cell: the next one begins at the same number
 * @ret_number: @ret_tag: of the next cell, and of the last
 */
int journal_dir_standing(int dir, const struct keyring *keyring, bool tidy, uint64_t *ret_number,
			 uint8_t *ret_tag);

#endif
