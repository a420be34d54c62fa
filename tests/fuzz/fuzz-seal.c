// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The envelopes of an identity, on disk and to carry away: any bytes, and genuine envelopes around any bytes, while memory runs
 * out. An envelope that is taken with a changed byte would be a forgery.
 *
 * Input: failing allocations u8, how u8, flip u16, then the file or what to seal in it.
 */
#include <errno.h>

#include "fuzz.h"
#include "identity-seal.h"

#define UID 1000

static struct seal_key key;
static uint8_t known[CRYPTO_KEY_LEN] = { 1 };

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	int r = crypto_init();

	seal_key_init(&key, known);
	return r;
}

/* A genuine envelope around what is no identity, as a leaked key would allow. */
static uint8_t *wrap(bool carried, const uint8_t *plain, size_t len, size_t *ret_len)
{
	size_t head = carried ? CARRY_HEAD_LEN : SEAL_HEAD_LEN;
	uint8_t *data = calloc(1, head + len + CRYPTO_TAG_LEN);

	MUST(data);
	if (carried) {
		memcpy(data, "CGCF\1\1", 6);
		put_be32(data + 6, CRYPTO_STRETCH_MIB_MIN);
	} else {
		memcpy(data, "CGSL\1\1", 6);
		put_be32(data + 6, UID);
		memcpy(data + 10, key.id, sizeof(key.id));
	}
	crypto_xseal(carried ? known : key.key, data + head - CRYPTO_XNONCE_LEN, data, head, plain,
		     len, data + head);
	*ret_len = head + len + CRYPTO_TAG_LEN;
	return data;
}

static int take_in(bool carried, const uint8_t *data, size_t len, struct identity **ret)
{
	return carried ? identity_unpack(ret, known, data, len)
		       : identity_unseal(ret, &key, UID, data, len);
}

/* What was taken is sealed again, and taken again. */
static void round_trip(bool carried, const struct identity *id)
{
	struct carry_head head = { .passes = 1, .mib = CRYPTO_STRETCH_MIB_MIN };
	struct identity *again = NULL;
	uint8_t *data = NULL;
	size_t len;
	int r;

	r = carried ? identity_pack(id, &head, known, &data, &len)
		    : identity_seal(id, &key, UID, &data, &len);
	if (r == 0)
		r = take_in(carried, data, len, &again);
	MUST(r == 0 || r == -ENOMEM);
	identity_free(again);
	free(data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader in = { .p = data, .left = size };
	uint8_t failing = take_u8(&in), how = take_u8(&in), flip[2], *file;
	bool carried = how & 1, genuine = how & 2;
	struct identity *id = NULL;
	struct carry_head head;
	size_t len = in.left, at;
	int r;

	take(&in, flip, sizeof(flip));
	len = in.left;
	file = genuine ? wrap(carried, in.p, len, &len) : exact(in.p, len);
	at = len ? get_be16(flip) % len : 0;
	if (genuine && how & 4)
		file[at] ^= 1 + (how >> 3);
	carry_head_read(&head, file, len);
	fuzz_memory(failing);
	r = take_in(carried, file, len, &id);
	MUST((r == 0) == (id != NULL));
	/* Without the key nobody makes one. */
	MUST(r != 0 || (genuine && !(how & 4)));
	if (id)
		round_trip(carried, id);
	fuzz_memory(0);
	identity_free(id);
	free(file);
	return 0;
}
