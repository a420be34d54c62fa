// SPDX-License-Identifier: LGPL-2.1-or-later
/* The record codec and the list of what is recorded; segments that somebody changed; the days of a key file. */
#include "journal-rig.h"

#include <sys/resource.h>

/* ---- the codec ----------------------------------------------------------------------------------- */

static struct record denied(void)
{
	struct record record = { .type = RECORD_DENIED,
				 .start = 86400,
				 .end = 86400,
				 .unit = 86400,
				 .kinds = RECORD_CAMERA,
				 .count = 3 };

	strcpy(record.app, "exe:/usr/bin/spy");
	return record;
}

static void a_record_comes_back_as_it_was(void **state)
{
	struct record records[] = { rig_record(12, false), rig_record(UINT32_MAX, true), denied() };
	uint8_t bytes[RECORD_LEN_MAX], again[RECORD_LEN_MAX];

	records[1].incoming = true;
	for (int i = 0; i < 20; i++) {
		char program[300];

		memset(program, 'a' + i, 280);
		program[280] = '\0';
		record_add_use(&records[1], program, RECORD_CAMERA, 5);
	}
	assert_int_equal(records[1].n_uses, RECORD_USES_MAX);
	assert_string_equal(records[1].uses[RECORD_USES_MAX - 1].program, "others");
	for (size_t i = 0; i < 3; i++) {
		struct record back = { 0 };
		int len = record_encode(&records[i], bytes);

		assert_true(len > 0);
		assert_int_equal(record_decode(&back, bytes, (size_t)len), 0);
		assert_int_equal(record_encode(&back, again), len);
		assert_memory_equal(bytes, again, (size_t)len);
		assert_string_equal(back.app, records[i].app);
		assert_int_equal(back.n_uses, records[i].n_uses);
		/* A byte more or less is no record. */
		assert_int_equal(record_decode(&back, bytes, (size_t)len - 1), -EBADMSG);
		bytes[len] = 0;
		assert_int_equal(record_decode(&back, bytes, (size_t)len + 1), -EBADMSG);
	}
}

static void what_would_hide_something_is_refused(void **state)
{
	uint8_t bytes[RECORD_LEN_MAX];
	struct record record = rig_record(1, false);

	record.start++;
	assert_int_equal(record_encode(&record, bytes), -EINVAL);
	record = rig_record(1, false);
	strcpy(record.level, "Channel 7");
	assert_int_equal(record_encode(&record, bytes), -EINVAL);
	record = denied();
	record.peer[3] = 1;
	assert_int_equal(record_encode(&record, bytes), -EINVAL);
	record = denied();
	record.unit = 0;
	assert_int_equal(record_encode(&record, bytes), -EINVAL);
}

/* The list that people are shown is the list of what is stored: changing any byte of a record shows in one of its fields. */
static void the_list_tells_everything_that_is_stored(void **state)
{
	const struct record_field *fields;
	size_t n = record_fields(&fields), changed = 0;
	struct record record = rig_record(12, false), back;
	static char before[32][RECORD_TEXT_MAX], after[RECORD_TEXT_MAX];
	uint8_t bytes[RECORD_LEN_MAX];
	int len = record_encode(&record, bytes);

	for (size_t i = 0; i < n; i++)
		fields[i].get(&record, before[i], sizeof(before[i]));
	for (int at = 2; at < len; at++) {
		bool told = false;

		bytes[at] ^= 1;
		if (record_decode(&back, bytes, (size_t)len) == 0) {
			changed++;
			for (size_t i = 0; i < n; i++) {
				fields[i].get(&back, after, sizeof(after));
				told |= strcmp(before[i], after) != 0;
			}
			assert_true(told);
		}
		bytes[at] ^= 1;
	}
	assert_true(changed > 30);
}

static void times_are_rounded_down(void **state)
{
	assert_int_equal(record_coarsen(1799, 900), 900);
	assert_int_equal(record_coarsen(1800, 900), 1800);
	assert_int_equal(record_coarsen(7, 0), 7);
}

/* ---- segments that somebody changed --------------------------------------------------------------- */

#define CELLS 5

/* Two segments of CELLS records each, on one day. */
static struct rig_file files[2];
static struct keyring keyring;

static void make_segments(void)
{
	struct segment_keys *keys = crypto_secret_new(sizeof(*keys));
	struct segment_head head = { .day = DAY0 };
	uint8_t bytes[RECORD_LEN_MAX], tag[SEGMENT_TAG_LEN] = { 0 };
	const struct keyring_day *day;
	uint64_t number = 0;

	memset(&keyring, 0, sizeof(keyring));
	day = keyring_today(&keyring, DAY0, 7);
	for (uint32_t i = 0; i < 2; i++) {
		head.generation = day->generation;
		head.first = number;
		memcpy(head.previous, tag, sizeof(tag));
		files[i].len = SEGMENT_HEADER_LEN + CELLS * SEGMENT_CELL_LEN;
		files[i].bytes = realloc(files[i].bytes, files[i].len);
		snprintf(files[i].name, sizeof(files[i].name), "segment-%u", i);
		segment_begin(&head, day->key, rig_public, keys, files[i].bytes, tag);
		for (uint32_t j = 0; j < CELLS; j++) {
			struct record record = rig_record(10 * i + j, false);
			int len = record_encode(&record, bytes);

			assert_int_equal(segment_cells((size_t)len), 1);
			segment_seal(keys, &number, tag, bytes, (size_t)len,
				     files[i].bytes + SEGMENT_HEADER_LEN + j * SEGMENT_CELL_LEN);
		}
	}
	crypto_secret_free(keys);
}

static uint8_t *cell(uint32_t segment, uint32_t i)
{
	return files[segment].bytes + SEGMENT_HEADER_LEN + i * SEGMENT_CELL_LEN;
}

static void an_unchanged_journal_has_no_problem(void **state)
{
	struct rig_seen seen;
	struct walk walk;

	make_segments();
	rig_walk(files, 2, &keyring, &walk, &seen);
	assert_int_equal(seen.n, 2 * CELLS);
	assert_int_equal(seen.total + seen.problems[WALK_TORN], 0);
	assert_int_equal(seen.marks[CELLS], 10);
	assert_int_equal(walk.next, 2 * CELLS);
}

static void every_flip_is_told_with_its_place(void **state)
{
	struct rig_seen seen;
	struct walk walk;

	make_segments();
	for (size_t at = 0; at < files[0].len; at++) {
		size_t in_cell =
			at < SEGMENT_HEADER_LEN ? 0 : (at - SEGMENT_HEADER_LEN) / SEGMENT_CELL_LEN;

		files[0].bytes[at] ^= (uint8_t)(1u << at % 8);
		rig_walk(files, 2, &keyring, &walk, &seen);
		files[0].bytes[at] ^= (uint8_t)(1u << at % 8);
		assert_true(seen.total > 0);
		/* The rest is still read. */
		assert_true(seen.n >= CELLS);
		if (at < SEGMENT_HEADER_LEN)
			continue;
		assert_true(seen.n >= 2 * CELLS - 1);
		if (seen.problems[WALK_DAMAGED]) {
			assert_int_equal(seen.number[WALK_DAMAGED], in_cell);
			assert_int_equal(seen.offset[WALK_DAMAGED],
					 SEGMENT_HEADER_LEN + in_cell * SEGMENT_CELL_LEN);
			assert_false(rig_has(&seen, (uint32_t)in_cell));
		} else {
			assert_true(seen.problems[WALK_UNCHAINED] > 0);
		}
	}
}

static void swaps_and_drops_are_told(void **state)
{
	uint8_t saved[SEGMENT_CELL_LEN];
	struct rig_seen seen;
	struct walk walk;

	for (uint32_t i = 0; i < CELLS - 1; i++) {
		make_segments();
		memcpy(saved, cell(0, i), sizeof(saved));
		memcpy(cell(0, i), cell(0, i + 1), sizeof(saved));
		memcpy(cell(0, i + 1), saved, sizeof(saved));
		rig_walk(files, 2, &keyring, &walk, &seen);
		assert_true(seen.problems[WALK_DAMAGED] >= 2);
		assert_true(seen.n >= 2 * CELLS - 2);

		make_segments();
		memmove(cell(0, i), cell(0, i + 1), (CELLS - 1 - i) * SEGMENT_CELL_LEN);
		files[0].len -= SEGMENT_CELL_LEN;
		rig_walk(files, 2, &keyring, &walk, &seen);
		assert_true(seen.problems[WALK_DAMAGED] > 0);
		assert_int_equal(seen.problems[WALK_MISSING], 1);
	}
	/* The last record of the first segment: the next segment knows of it. */
	make_segments();
	files[0].len -= SEGMENT_CELL_LEN;
	rig_walk(files, 2, &keyring, &walk, &seen);
	assert_int_equal(seen.problems[WALK_MISSING], 1);
	assert_int_equal(seen.number[WALK_MISSING], CELLS - 1);
	/* The whole first segment; and both in the wrong order. */
	make_segments();
	rig_walk(files + 1, 1, &keyring, &walk, &seen);
	assert_int_equal(seen.problems[WALK_MISSING], 1);
	assert_int_equal(seen.n, CELLS);
}

static void another_head_or_key_is_told(void **state)
{
	uint8_t saved[CRYPTO_KEY_LEN];
	struct rig_seen seen;
	struct walk walk;

	make_segments();
	memcpy(files[0].bytes, files[1].bytes, SEGMENT_HEADER_LEN);
	rig_walk(files, 2, &keyring, &walk, &seen);
	assert_true(seen.total > 0);
	assert_true(rig_has(&seen, 10) && !rig_has(&seen, 0));
	/* Somebody else's journal. */
	make_segments();
	memcpy(saved, rig_private, sizeof(saved));
	rig_keys();
	rig_walk(files, 2, &keyring, &walk, &seen);
	memcpy(rig_private, saved, sizeof(saved));
	crypto_x25519_public(rig_private, rig_public);
	assert_int_equal(seen.problems[WALK_FOREIGN], 2);
	assert_int_equal(seen.n, 0);
	/* The day was deleted, its files were put back. */
	make_segments();
	keyring_drop(&keyring, UINT32_MAX);
	rig_walk(files, 2, &keyring, &walk, &seen);
	assert_int_equal(seen.problems[WALK_NO_KEY], 2);
	assert_int_equal(seen.n, 0);
	/* Written by a newer version. */
	make_segments();
	files[0].bytes[3]++;
	rig_walk(files, 2, &keyring, &walk, &seen);
	assert_int_equal(seen.problems[WALK_VERSION], 1);
}

static void an_anchor_tells_a_cut_end_and_a_forged_journal(void **state)
{
	struct rig_seen seen;
	struct walk walk, again;

	make_segments();
	rig_walk(files, 2, &keyring, &walk, &seen);
	for (int forged = 0; forged < 3; forged++) {
		if (forged == 1)
			files[1].len -= SEGMENT_CELL_LEN;
		/* All made anew, by one who has the public key and the key file. */
		if (forged == 2)
			make_segments();
		rig_walk_begin(&again, &keyring, &seen);
		again.has_anchor = true;
		again.anchor_number = walk.next - 1;
		memcpy(again.anchor_tag, walk.tag, SEGMENT_TAG_LEN);
		for (int i = 0; i < 2; i++)
			walk_segment(&again, files[i].name, files[i].bytes, files[i].len);
		walk_end(&again);
		assert_int_equal(again.anchor, forged ? WALK_ANCHOR_CHANGED : WALK_ANCHOR_HELD);
		/* Without the anchor there is nothing to be seen. */
		assert_int_equal(seen.total, 0);
	}
	make_segments();
}

static void what_the_writer_holds_opens_nothing_that_it_wrote(void **state)
{
	struct segment_keys *keys = crypto_secret_new(sizeof(*keys)), *copy;
	struct segment_head head = { .day = 1 };
	uint8_t header[SEGMENT_HEADER_LEN], tag[SEGMENT_TAG_LEN], day_key[CRYPTO_KEY_LEN] = { 1 };
	uint8_t out[3 * SEGMENT_CELL_LEN], data[SEGMENT_CELL_DATA], *first = out,
								    one[SEGMENT_TAG_LEN];
	uint64_t number = 0;
	size_t len;
	bool more;

	copy = crypto_secret_new(sizeof(*copy));
	segment_begin(&head, day_key, rig_public, keys, header, tag);
	for (int i = 0; i < 3; i++) {
		*copy = *keys;
		segment_seal(keys, &number, tag, "secret", 6, first + i * SEGMENT_CELL_LEN);
		/* The twin: what it held before does open it. */
		assert_int_not_equal(segment_unseal(copy, (uint64_t)i, one,
						    first + i * SEGMENT_CELL_LEN, data, &len,
						    &more),
				     SEGMENT_DAMAGED);
	}
	for (int ahead = 0; ahead < 8; ahead++)
		for (uint64_t i = 0; i < 3; i++) {
			*copy = *keys;
			for (int k = 0; k <= ahead; k++)
				assert_int_equal(segment_unseal(copy, i, one,
								first + i * SEGMENT_CELL_LEN, data,
								&len, &more),
						 SEGMENT_DAMAGED);
		}
	crypto_secret_free(keys);
	crypto_secret_free(copy);
}

static void a_tag_covers_everything_before_it(void **state)
{
	struct segment_keys *keys = crypto_secret_new(sizeof(*keys)), copy;
	struct segment_head head = { .day = 1 };
	uint8_t header[SEGMENT_HEADER_LEN], one[SEGMENT_TAG_LEN], two[SEGMENT_TAG_LEN];
	uint8_t day_key[CRYPTO_KEY_LEN] = { 1 }, out[SEGMENT_CELL_LEN], other[SEGMENT_CELL_LEN];
	uint64_t number = 0, again = 0;

	segment_begin(&head, day_key, rig_public, keys, header, one);
	memcpy(two, one, sizeof(two));
	copy = *keys;
	segment_seal(keys, &number, one, "this", 4, out);
	segment_seal(&copy, &again, two, "that", 4, other);
	segment_seal(keys, &number, one, "same", 4, out);
	segment_seal(&copy, &again, two, "same", 4, other);
	assert_memory_equal(out, other, SEGMENT_CELL_LEN - SEGMENT_TAG_LEN);
	assert_memory_not_equal(one, two, sizeof(one));
	crypto_secret_free(keys);
}

/* ---- days ---------------------------------------------------------------------------------------- */

static void days_end_also_where_the_clock_was_wrong(void **state)
{
	const uint32_t wrong = DAY0 + 30000;
	struct keyring *k = keyring_new();

	keyring_today(k, DAY0, 7);
	assert_int_equal(keyring_expire(k, DAY0 + 6, 7), 0);
	assert_int_equal(k->n, 1);
	assert_int_equal(keyring_expire(k, DAY0 + 7, 7), 1);
	assert_int_equal(k->n, 0);
	assert_int_equal(k->deletion, KEYRING_EXPIRED);
	/* Far ahead by mistake, then right again: gone after as many days as any other. */
	keyring_today(k, wrong, 7);
	assert_true(keyring_expire(k, DAY0, 7) > 0);
	assert_int_equal(k->n, 1);
	assert_int_equal(k->days[0].until, DAY0 + 7);
	assert_int_equal(keyring_expire(k, DAY0 + 6, 7), 0);
	assert_int_equal(keyring_expire(k, DAY0 + 7, 7), 1);
	assert_int_equal(k->n, 0);
	/* A shorter retention counts at once, a longer one for new days only. */
	keyring_today(k, DAY0, 7);
	assert_int_equal(keyring_expire(k, DAY0 + 1, 3), 1);
	assert_int_equal(keyring_expire(k, DAY0 + 1, 30), 0);
	assert_int_equal(keyring_expire(k, DAY0 + 3, 30), 1);
	keyring_free(k);
}

static void a_key_file_comes_back_or_not_at_all(void **state)
{
	struct keyring *k = keyring_new(), *back = keyring_new();
	static uint8_t bytes[KEYRING_ENCODED_MAX];
	size_t len;

	for (uint32_t i = 0; i < KEYRING_DAYS_MAX; i++)
		assert_non_null(keyring_today(k, i, 7));
	assert_null(keyring_today(k, KEYRING_DAYS_MAX, 7));
	len = keyring_encode(k, bytes);
	assert_int_equal(len, KEYRING_ENCODED_MAX);
	assert_int_equal(keyring_decode(back, bytes, len), 0);
	assert_memory_equal(k, back, sizeof(*k));
	for (size_t at = 0; at < len; at++) {
		bytes[at] ^= 1;
		assert_int_equal(keyring_decode(back, bytes, len), -EBADMSG);
		bytes[at] ^= 1;
	}
	keyring_free(k);
	keyring_free(back);
}

static void pseudonyms_differ_by_day_and_go_with_its_key(void **state)
{
	uint8_t peer[CRYPTO_KEY_LEN] = { 9 }, one[16], two[16], again[16];
	struct keyring *k = keyring_new();

	keyring_pseudonym(keyring_today(k, DAY0, 7), peer, one);
	keyring_pseudonym(keyring_today(k, DAY0, 7), peer, again);
	keyring_pseudonym(keyring_today(k, DAY0 + 1, 7), peer, two);
	assert_memory_equal(one, again, 16);
	assert_memory_not_equal(one, two, 16);
	keyring_drop(k, UINT32_MAX);
	keyring_pseudonym(keyring_today(k, DAY0, 7), peer, again);
	assert_memory_not_equal(one, again, 16);
	keyring_free(k);
}

/* ---- size ---------------------------------------------------------------------------------------- */

static long resident(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_maxrss;
}

static void a_million_records_take_no_more_memory_than_few(void **state)
{
	const uint32_t each = 20000, segments = 50;
	struct segment_keys *keys = crypto_secret_new(sizeof(*keys));
	struct segment_head head = { .day = DAY0 };
	uint8_t record_bytes[RECORD_LEN_MAX], tag[SEGMENT_TAG_LEN] = { 0 };
	size_t size = SEGMENT_HEADER_LEN + (size_t)each * SEGMENT_CELL_LEN;
	uint8_t *bytes = malloc(size);
	const struct keyring_day *day;
	struct rig_seen seen;
	struct walk walk;
	uint64_t number = 0;
	long after_one = 0;

	make_segments();
	day = keyring_today(&keyring, DAY0, 7);
	head.generation = day->generation;
	rig_walk_begin(&walk, &keyring, &seen);
	for (uint32_t i = 0; i < segments; i++) {
		head.first = number;
		memcpy(head.previous, tag, sizeof(tag));
		segment_begin(&head, day->key, rig_public, keys, bytes, tag);
		for (uint32_t j = 0; j < each; j++) {
			struct record record = rig_record(j, false);
			int len = record_encode(&record, record_bytes);

			segment_seal(keys, &number, tag, record_bytes, (size_t)len,
				     bytes + SEGMENT_HEADER_LEN + (size_t)j * SEGMENT_CELL_LEN);
		}
		assert_int_equal(walk_segment(&walk, "", bytes, size), 0);
		if (i == 0)
			after_one = resident();
	}
	assert_int_equal(walk.records, 1000000);
	assert_int_equal(seen.total, 0);
	/* KiB; the other forty-nine parts may not add to it. */
	assert_true(resident() - after_one < 4096);
	free(bytes);
	crypto_secret_free(keys);
}

int main(void)
{
	struct unit u = {};
	int r;

	if (crypto_init() < 0)
		return 1;
	rig_keys();
	UNIT(&u, a_record_comes_back_as_it_was);
	UNIT(&u, what_would_hide_something_is_refused);
	UNIT(&u, the_list_tells_everything_that_is_stored);
	UNIT(&u, times_are_rounded_down);
	UNIT(&u, an_unchanged_journal_has_no_problem);
	UNIT(&u, every_flip_is_told_with_its_place);
	UNIT(&u, swaps_and_drops_are_told);
	UNIT(&u, another_head_or_key_is_told);
	UNIT(&u, an_anchor_tells_a_cut_end_and_a_forged_journal);
	UNIT(&u, what_the_writer_holds_opens_nothing_that_it_wrote);
	UNIT(&u, a_tag_covers_everything_before_it);
	UNIT(&u, days_end_also_where_the_clock_was_wrong);
	UNIT(&u, a_key_file_comes_back_or_not_at_all);
	UNIT(&u, pseudonyms_differ_by_day_and_go_with_its_key);
	UNIT(&u, a_million_records_take_no_more_memory_than_few);
	r = unit_run(&u);
	free(files[0].bytes);
	free(files[1].bytes);
	return r;
}
