// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Reads segments: opens each, follows the chain through all of them, puts records together and tells every problem with its
 * place. Pure: the bytes are an argument, never trusted, and whatever they are the rest is still read. Must not decide
 * what to do about a problem. Called by callgatectl; fuzzed.
 */
#include "record-walk.h"

#include <errno.h>
#include <string.h>

#include "util/macro.h"

static const char *const problems[] = {
	[WALK_TORN] =
		"the last record of this part is not whole: it was being written when the machine stopped",
	[WALK_DAMAGED] = "a record was changed after it was written",
	[WALK_UNCHAINED] =
		"a record does not follow the one before it: something was changed, moved or taken out here",
	[WALK_NOT_RECORD] =
		"something here is genuine but no record; a newer version may have written it",
	[WALK_MISSING] = "records are missing here",
	[WALK_OVERLAP] =
		"this part repeats numbers that were there already: an old copy was put back",
	[WALK_HEADER] = "the head of this part was changed: none of it can be read",
	[WALK_FOREIGN] =
		"this part was sealed to another key: it is another user's, or from before your key was replaced",
	[WALK_NO_KEY] =
		"the key of this day is gone: it was deleted, and only the file was put back",
	[WALK_VERSION] = "this part was written by a newer version of Callgate",
};

const char *walk_problem_text(enum walk_problem problem)
{
	return problem < WALK_PROBLEM_COUNT ? problems[problem] : "";
}

static void tell(struct walk *walk, enum walk_problem problem, const struct walk_place *place)
{
	walk->problems += problem != WALK_TORN;
	walk->on_problem(walk->userdata, problem, place);
}

/* Cells are compared with the anchor where they are genuine. */
static void compare(struct walk *walk, uint64_t number, const uint8_t *tag)
{
	if (!walk->has_anchor || number != walk->anchor_number || walk->anchor != WALK_ANCHOR_NONE)
		return;
	walk->anchor = crypto_equal(tag, walk->anchor_tag, SEGMENT_TAG_LEN) ? WALK_ANCHOR_HELD
									    : WALK_ANCHOR_CHANGED;
}

/* Does the segment follow what was read before? */
static void join(struct walk *walk, const struct segment_head *head, struct walk_place *place)
{
	uint64_t wanted = walk->started ? walk->next : walk->keyring->floor;

	place->number = head->first;
	if (head->first > wanted) {
		place->number = wanted;
		place->count = head->first - wanted;
		tell(walk, WALK_MISSING, place);
	} else if (head->first < wanted) {
		place->count = wanted - head->first;
		tell(walk, WALK_OVERLAP, place);
	} else if (walk->started && memcmp(head->previous, walk->tag, SEGMENT_TAG_LEN) != 0) {
		tell(walk, WALK_UNCHAINED, place);
	}
	place->count = 1;
}

struct assembly {
	struct segment_keys keys;
	uint8_t cell[SEGMENT_CELL_DATA];
	uint8_t record[RECORD_LEN_MAX];
	struct record decoded;
	size_t len;
	bool broken, open;
};

static void take_cell(struct walk *walk, struct assembly *a, const uint8_t *cell, uint64_t number,
		      uint8_t *tag, struct walk_place *place)
{
	size_t len;
	bool more;

	switch (segment_unseal(&a->keys, number, tag, cell, a->cell, &len, &more)) {
	case SEGMENT_DAMAGED:
		tell(walk, WALK_DAMAGED, place);
		/* Whether it was the last of its record is not known: what follows either is a record or the rest of this one. */
		a->broken = true;
		a->open = false;
		a->len = 0;
		return;
	case SEGMENT_UNCHAINED:
		tell(walk, WALK_UNCHAINED, place);
		break;
	case SEGMENT_GOOD:
		break;
	}
	if (a->len + len > sizeof(a->record)) {
		tell(walk, WALK_NOT_RECORD, place);
		a->broken = true;
		a->len = 0;
	} else {
		memcpy(a->record + a->len, a->cell, len);
		a->len += len;
	}
	a->open = more;
	if (more)
		return;
	if (record_decode(&a->decoded, a->record, a->len) == 0) {
		walk->records++;
		walk->on_record(walk->userdata, &a->decoded, place);
	} else if (!a->broken) {
		tell(walk, WALK_NOT_RECORD, place);
	}
	a->len = 0;
	a->broken = false;
}

static void take_cells(struct walk *walk, struct assembly *a, const uint8_t *bytes, size_t len,
		       uint8_t *tag, struct walk_place *place)
{
	size_t at = SEGMENT_HEADER_LEN;

	for (; len - at >= SEGMENT_CELL_LEN; at += SEGMENT_CELL_LEN) {
		place->number = walk->next;
		place->offset = at;
		take_cell(walk, a, bytes + at, walk->next, tag, place);
		memcpy(walk->tag, tag, SEGMENT_TAG_LEN);
		compare(walk, walk->next, tag);
		walk->next++;
	}
	place->number = walk->next;
	place->offset = at;
	if (at < len || a->open)
		tell(walk, WALK_TORN, place);
}

int walk_segment(struct walk *walk, const char *name, const uint8_t *bytes, size_t len)
{
	struct walk_place place = { .segment = name, .count = 1 };
	_cleanup_(crypto_secret_free_p) void *memory = NULL;
	const struct keyring_day *day;
	uint8_t tag[SEGMENT_TAG_LEN];
	struct segment_head head;
	struct assembly *a;
	uint64_t cells;
	int r;

	r = segment_peek(bytes, len, &head);
	if (r < 0) {
		tell(walk, r == -EPROTONOSUPPORT ? WALK_VERSION : WALK_HEADER, &place);
		return 0;
	}
	place.day = head.day;
	place.number = head.first;
	day = keyring_find(walk->keyring, head.day, head.generation);
	if (!day) {
		tell(walk, WALK_NO_KEY, &place);
		return 0;
	}
	cells = (len - SEGMENT_HEADER_LEN) / SEGMENT_CELL_LEN;
	memory = crypto_secret_new(sizeof(*a));
	if (!memory)
		return -ENOMEM;
	a = memory;
	r = segment_open(bytes, day->key, walk->private_key, &a->keys, tag);
	if (r < 0) {
		tell(walk, r == -ENOKEY ? WALK_FOREIGN : WALK_HEADER, &place);
		/* What it says of itself cannot be trusted, but the next one is measured by it in any case. */
		if (r == -ENOKEY && head.first <= UINT64_MAX - cells) {
			walk->started = true;
			walk->next = head.first + cells;
			memcpy(walk->tag,
			       cells ? segment_cell_tag(bytes + SEGMENT_HEADER_LEN +
							(cells - 1) * SEGMENT_CELL_LEN)
				     : bytes + SEGMENT_HEADER_LEN - SEGMENT_TAG_LEN,
			       SEGMENT_TAG_LEN);
		}
		return 0;
	}
	if (head.first > UINT64_MAX - cells) {
		tell(walk, WALK_HEADER, &place);
		return 0;
	}
	join(walk, &head, &place);
	/* The writer goes back over a segment that got no cell. */
	if (cells == 0) {
		place.offset = SEGMENT_HEADER_LEN;
		if (len > SEGMENT_HEADER_LEN)
			tell(walk, WALK_TORN, &place);
		return 0;
	}
	walk->started = true;
	walk->next = head.first;
	/* An anchor of the end of the segment before is covered by this header as well. */
	if (head.first)
		compare(walk, head.first - 1, head.previous);
	memcpy(walk->tag, tag, sizeof(tag));
	take_cells(walk, a, bytes, len, tag, &place);
	return 0;
}

void walk_end(struct walk *walk)
{
	/* Younger than what was deleted, older than what is there, and not there. */
	if (walk->has_anchor && walk->anchor == WALK_ANCHOR_NONE &&
	    walk->anchor_number >= walk->keyring->floor)
		walk->anchor = WALK_ANCHOR_CHANGED;
}
