// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What callgatectl reads of a call history: any bytes as record, key file and segment, and genuine segments that were changed.
 *
 * Input: failing allocations u8, which u8, then the bytes. which % 4: 0 a record, 1 a key file, 2 a segment, 3 changes to a
 * genuine segment: count u8, so many of (offset u16, bits u8), then the cells' contents.
 */
#include "fuzz.h"

#include "record-walk.h"

#define DAY 20000u

static uint8_t private_key[CRYPTO_KEY_LEN] = { 1 }, public_key[CRYPTO_KEY_LEN];
static struct keyring keyring;
static struct segment_keys keys;
static uint64_t told;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	crypto_x25519_public(private_key, public_key);
	keyring.n = 1;
	keyring.days[0] = (struct keyring_day){ .day = DAY, .generation = 1, .until = DAY + 7 };
	return crypto_init();
}

static void on_record(void *userdata, const struct record *record, const struct walk_place *place)
{
	static char text[RECORD_TEXT_MAX];
	const struct record_field *fields;
	size_t n = record_fields(&fields);
	uint8_t bytes[RECORD_LEN_MAX];

	told++;
	for (size_t i = 0; i < n; i++)
		fields[i].get(record, text, sizeof(text));
	MUST(record_encode(record, bytes) > 0);
}

static void on_problem(void *userdata, enum walk_problem problem, const struct walk_place *place)
{
	MUST(*walk_problem_text(problem));
}

static int walk_over(const uint8_t *bytes, size_t len, struct walk *ret_walk)
{
	int r;

	*ret_walk = (struct walk){
		.keyring = &keyring,
		.private_key = private_key,
		.on_record = on_record,
		.on_problem = on_problem,
	};
	told = 0;
	r = walk_segment(ret_walk, "fuzz", bytes, len);
	if (r == 0)
		walk_end(ret_walk);
	MUST(told == ret_walk->records && told <= len / SEGMENT_CELL_LEN);
	return r;
}

static void a_record(const uint8_t *bytes, size_t len)
{
	struct record record;
	uint8_t again[RECORD_LEN_MAX];

	if (record_decode(&record, bytes, len) < 0)
		return;
	on_record(NULL, &record, NULL);
	MUST(record_encode(&record, again) == (int)len && memcmp(again, bytes, len) == 0);
}

static void a_key_file(const uint8_t *bytes, size_t len)
{
	static uint8_t again[KEYRING_ENCODED_MAX];
	static struct keyring read;

	if (keyring_decode(&read, bytes, len) < 0)
		return;
	MUST(keyring_encode(&read, again) == len && memcmp(again, bytes, len) == 0);
	keyring_expire(&read, DAY, 7);
	keyring_today(&read, DAY, 7);
	keyring_drop(&read, DAY);
}

static void a_changed_segment(struct reader *in)
{
	const struct segment_head head = { .day = DAY, .generation = 1 };
	uint8_t changes[64][3], tag[SEGMENT_TAG_LEN], *bytes;
	size_t n = take_u8(in) % 64, cells, data, len;
	uint64_t number = 0;
	bool changed = false;
	struct walk walk;

	take(in, changes, 3 * n);
	data = in->left < 8192 ? in->left : 8192;
	cells = segment_cells(data);
	len = SEGMENT_HEADER_LEN + cells * SEGMENT_CELL_LEN;
	bytes = calloc(1, len);
	if (!bytes)
		return;
	segment_begin(&head, keyring.days[0].key, public_key, &keys, bytes, tag);
	segment_seal(&keys, &number, tag, in->p, data, bytes + SEGMENT_HEADER_LEN);
	for (size_t i = 0; i < n; i++) {
		bytes[get_be16(changes[i]) % len] ^= changes[i][2];
		changed |= changes[i][2] != 0;
	}
	if (walk_over(bytes, len, &walk) == 0 && !changed)
		MUST(walk.next == cells && walk.problems + walk.records <= cells + 1);
	free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader in = { .p = data, .left = size };
	uint8_t failing = take_u8(&in), which = take_u8(&in) % 4, *bytes;
	struct walk walk;

	bytes = exact(in.p, in.left);
	fuzz_memory(failing);
	switch (which) {
	case 0:
		a_record(bytes, in.left);
		break;
	case 1:
		a_key_file(bytes, in.left);
		break;
	case 2:
		walk_over(bytes, in.left, &walk);
		break;
	case 3:
		a_changed_segment(&in);
		break;
	}
	fuzz_memory(0);
	free(bytes);
	return 0;
}
