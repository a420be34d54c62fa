// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The state file of an identity: any bytes, and changes to what they gave, while memory runs out.
 *
 * Input: failing allocations u8, length u16 and that many bytes of the file, then operations: op u8 and what it takes.
 */
#include <errno.h>

#include "fuzz.h"
#include "identity.h"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	return crypto_init();
}

static void text(struct reader *in, char *ret, size_t max)
{
	size_t len = take_u8(in) % max;

	take(in, ret, len);
	ret[len] = '\0';
}

static void change(struct identity *id, struct reader *in)
{
	char label[64] = "exe:/", name[32], other[32];
	uint8_t key[IDENTITY_KEY_LEN] = {}, public[IDENTITY_KEY_LEN];
	const struct identity_pin *pins;
	size_t n = identity_pins(id, &pins);
	uint8_t op = take_u8(in);

	key[0] = take_u8(in) % 8;
	text(in, label + (op & 64 ? 5 : 0), 50);
	text(in, name, sizeof(name));
	text(in, other, sizeof(other));
	/* Strings that the identity holds itself. */
	if (op & 128 && n) {
		const struct identity_pin *pin = &pins[key[0] % n];

		switch (op % 3) {
		case 0:
			identity_rename(id, pin->label, pin->name, other);
			break;
		case 1:
			MUST(identity_forget(id, pin->label, pin->name) > 0);
			break;
		case 2:
			MUST(identity_match(id, pin->label, pin->name, pin->key) ==
			     IDENTITY_MATCH_OK);
			break;
		}
		return;
	}
	switch (op % 6) {
	case 0:
		identity_pin(id, label, name, key, op >> 3 & 3);
		break;
	case 1:
		identity_rename(id, label, name, other);
		break;
	case 2:
		identity_forget(id, label, name);
		break;
	case 3:
		identity_match(id, label, op & 8 ? name : NULL, key);
		break;
	case 4:
		identity_by_key(id, label, key, NULL);
		break;
	case 5:
		identity_static_key(id, label, key, public);
		break;
	}
}

/* What was taken is written again as the same bytes. */
static void same_again(const struct identity *id, const uint8_t *file, size_t len)
{
	uint8_t *again;
	size_t n;
	int r = identity_encode(id, &again, &n);

	if (r < 0) {
		MUST(r == -ENOMEM);
		return;
	}
	MUST(n <= IDENTITY_ENCODED_MAX);
	if (file)
		MUST(n == len && memcmp(again, file, n) == 0);
	crypto_secret_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader in = { .p = data, .left = size };
	uint8_t failing = take_u8(&in), head[2], *file;
	struct identity *id = NULL;
	size_t len;

	take(&in, head, sizeof(head));
	len = get_be16(head) < in.left ? get_be16(head) : in.left;
	file = exact(in.p, len);
	in.p += len;
	in.left -= len;
	fuzz_memory(failing);
	if (identity_decode(&id, file, len) == 0) {
		same_again(id, file, len);
		while (in.left)
			change(id, &in);
		same_again(id, NULL, 0);
		fuzz_memory(0);
		same_again(id, NULL, 0);
	}
	fuzz_memory(0);
	identity_free(id);
	free(file);
	return 0;
}
