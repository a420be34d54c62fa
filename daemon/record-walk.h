/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads segments, in order, and tells what is there and what is wrong with it. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record-keyring.h"
#include "record-segment.h"
#include "record.h"

enum walk_problem {
	WALK_TORN, /* the end of the segment is a part of a record: it was being written when the machine stopped */
	WALK_DAMAGED,	/* a cell was changed */
	WALK_UNCHAINED, /* a cell does not follow the one before: changed, swapped or dropped there */
	WALK_NOT_RECORD, /* genuine cells that are no record */
	WALK_MISSING,	 /* cells between two segments are not there */
	WALK_OVERLAP,	 /* two segments claim the same numbers */
	WALK_HEADER,	 /* a header was changed */
	WALK_FOREIGN,	 /* sealed to another journal key */
	WALK_NO_KEY,	 /* its day's key is not in the key file */
	WALK_VERSION,	 /* written by a newer version */
	WALK_PROBLEM_COUNT,
};

/**
 * struct walk_place - where something is
 * @segment: as walk_segment() was told
 * @day: of the segment
 * @number: of the cell
 * @offset: in the segment, bytes
 * @count: cells
 */
struct walk_place {
	const char *segment;
	uint32_t day;
	uint64_t number;
	size_t offset;
	uint64_t count;
};

enum walk_anchor {
	WALK_ANCHOR_NONE, /* none was given, or it is of what was deleted since */
	WALK_ANCHOR_HELD,
	WALK_ANCHOR_CHANGED, /* what is stored under its number is something else */
};

/**
 * struct walk - the state of reading
 * @keyring: the user's
 * @private_key: the journal's
 * @on_record: @on_problem: told in the order of the segments
 * @anchor_number: @anchor_tag: an anchor to compare with; @anchor says the result
 * @next: number of the next cell; @tag: of the last; both are the anchor of now
 * @started: there was a segment
 * @records: @problems: how many
 */
struct walk {
	const struct keyring *keyring;
	const uint8_t *private_key;
	void (*on_record)(void *userdata, const struct record *record,
			  const struct walk_place *place);
	void (*on_problem)(void *userdata, enum walk_problem problem,
			   const struct walk_place *place);
	void *userdata;
	bool has_anchor;
	uint64_t anchor_number;
	uint8_t anchor_tag[SEGMENT_TAG_LEN];
	enum walk_anchor anchor;
	bool started;
	uint64_t next;
	uint8_t tag[SEGMENT_TAG_LEN];
	uint64_t records, problems;
};

/**
 * walk_segment - read one segment, after those before it
 * @name: for messages
 * @bytes: the whole file
 *
 * Whatever the bytes are, what can be read after a damage is read, and memory does not grow. Return: 0 or -ENOMEM.
 */
int walk_segment(struct walk *walk, const char *name, const uint8_t *bytes, size_t len);

/** walk_end - after the last: is the anchor accounted for? */
void walk_end(struct walk *walk);

/** walk_problem_text - what that means, and what to do */
const char *walk_problem_text(enum walk_problem problem);
