// SPDX-License-Identifier: LGPL-2.1-or-later
/* The envelopes around an identity: what is taken, and that nothing else is. */
#include "unit.h"

#include "identity-seal.h"
#include "util/bytes.h"

static const uint8_t secret_1[CRYPTO_KEY_LEN] = { 1, 2, 3 }, secret_2[CRYPTO_KEY_LEN] = { 9 };
static const uint8_t peer[IDENTITY_KEY_LEN] = { 7, 7 };

static struct identity *some_identity(void)
{
	struct identity *id;

	assert_int_equal(identity_new(&id), 0);
	assert_int_equal(identity_pin(id, "exe:/usr/bin/call", "bob", peer, IDENTITY_VERIFIED), 0);
	return id;
}

static void assert_same(const struct identity *a, const struct identity *b)
{
	uint8_t *bytes_a, *bytes_b;
	size_t len_a, len_b;

	assert_int_equal(identity_encode(a, &bytes_a, &len_a), 0);
	assert_int_equal(identity_encode(b, &bytes_b, &len_b), 0);
	assert_int_equal(len_a, len_b);
	assert_memory_equal(bytes_a, bytes_b, len_a);
	crypto_secret_free(bytes_a);
	crypto_secret_free(bytes_b);
}

static int unseal(const struct seal_key *key, uint32_t uid, const uint8_t *data, size_t len)
{
	struct identity *id = NULL;
	int r = identity_unseal(&id, key, uid, data, len);

	assert_true((r == 0) == (id != NULL));
	identity_free(id);
	return r;
}

static void sealed_is_opened_again(void **state)
{
	struct identity *id = some_identity(), *again;
	struct seal_key key;
	uint8_t *data, *twice;
	size_t len, twice_len;

	seal_key_init(&key, secret_1);
	assert_int_equal(identity_seal(id, &key, 1000, &data, &len), 0);
	assert_int_equal(identity_unseal(&again, &key, 1000, data, len), 0);
	assert_same(id, again);
	/* A nonce is never used twice. */
	assert_int_equal(identity_seal(id, &key, 1000, &twice, &twice_len), 0);
	assert_int_equal(len, twice_len);
	assert_memory_not_equal(data + SEAL_HEAD_LEN, twice + SEAL_HEAD_LEN, len - SEAL_HEAD_LEN);
	/* Neither the root nor a name stands in it. */
	assert_null(memmem(data, len, "bob", 3));
	assert_null(memmem(data, len, peer, sizeof(peer)));
	free(data);
	free(twice);
	identity_free(again);
	identity_free(id);
}

static void deny_other_users_and_other_keys(void **state)
{
	struct identity *id = some_identity();
	struct seal_key key, other;
	uint8_t *data;
	size_t len;

	seal_key_init(&key, secret_1);
	seal_key_init(&other, secret_2);
	assert_int_equal(identity_seal(id, &key, 1000, &data, &len), 0);
	assert_int_equal(unseal(&key, 1001, data, len), -EXDEV);
	assert_int_equal(unseal(&other, 1000, data, len), -ENOKEY);
	/* Another uid written over it, and another key's id: the associated data. */
	put_be32(data + 6, 1001);
	assert_int_equal(unseal(&key, 1001, data, len), -EBADMSG);
	put_be32(data + 6, 1000);
	memcpy(data + 10, other.id, sizeof(other.id));
	assert_int_equal(unseal(&other, 1000, data, len), -EBADMSG);
	memcpy(data + 10, key.id, sizeof(key.id));
	assert_int_equal(unseal(&key, 1000, data, len), 0);
	free(data);
	identity_free(id);
}

static void deny_every_changed_bit_and_every_cut(void **state)
{
	struct identity *id = some_identity();
	struct seal_key key;
	uint8_t *data;
	size_t len;

	seal_key_init(&key, secret_1);
	assert_int_equal(identity_seal(id, &key, 1000, &data, &len), 0);
	for (size_t i = 0; i < len; i++) {
		for (unsigned int bit = 1; bit < 256; bit <<= 1) {
			data[i] ^= (uint8_t)bit;
			assert_true(unseal(&key, 1000, data, len) < 0);
			data[i] ^= (uint8_t)bit;
		}
		assert_int_equal(unseal(&key, 1000, data, i), -EBADMSG);
	}
	data = realloc(data, len + 1);
	data[len] = 0;
	assert_int_equal(unseal(&key, 1000, data, len + 1), -EBADMSG);
	data[4] = 2;
	assert_int_equal(unseal(&key, 1000, data, len), -EPROTONOSUPPORT);
	data[4] = 1;
	assert_int_equal(unseal(&key, 1000, data, len), 0);
	free(data);
	identity_free(id);
}

static void deny_an_identity_that_is_not_sealed(void **state)
{
	struct identity *id = some_identity();
	struct seal_key key;
	uint8_t *data;
	size_t len;

	seal_key_init(&key, secret_1);
	assert_int_equal(identity_encode(id, &data, &len), 0);
	assert_int_equal(unseal(&key, 1000, data, len), -ENOMSG);
	crypto_secret_free(data);
	identity_free(id);
}

/* ---- to carry away ---- */

static int unpack(const uint8_t *key, const uint8_t *data, size_t len)
{
	struct identity *id = NULL;
	int r = identity_unpack(&id, key, data, len);

	assert_true((r == 0) == (id != NULL));
	identity_free(id);
	return r;
}

static void carried_is_opened_again_with_its_passphrase_alone(void **state)
{
	struct carry_head head = { .passes = 1, .mib = CRYPTO_STRETCH_MIB_MIN, .salt = { 5 } }, got;
	struct identity *id = some_identity(), *again;
	uint8_t key[CRYPTO_KEY_LEN], other[CRYPTO_KEY_LEN], *data;
	size_t len;

	assert_int_equal(crypto_stretch("correct horse", 13, head.salt, 1, head.mib, key), 0);
	assert_int_equal(crypto_stretch("correct house", 13, head.salt, 1, head.mib, other), 0);
	assert_int_equal(identity_pack(id, &head, key, &data, &len), 0);
	assert_int_equal(carry_head_read(&got, data, len), 0);
	assert_memory_equal(&got, &head, sizeof(head));
	assert_int_equal(unpack(other, data, len), -EBADMSG);
	assert_int_equal(identity_unpack(&again, key, data, len), 0);
	assert_same(id, again);
	for (size_t i = 0; i < len; i++) {
		data[i] ^= 1;
		assert_true(unpack(key, data, len) < 0);
		data[i] ^= 1;
		assert_true(unpack(key, data, i) < 0);
	}
	assert_int_equal(unpack(key, data, len), 0);
	data[4] = 2;
	assert_int_equal(carry_head_read(&got, data, len), -EPROTONOSUPPORT);
	free(data);
	identity_free(again);
	identity_free(id);
}

static void deny_parameters_that_cost_too_much(void **state)
{
	static const struct {
		uint8_t passes;
		uint32_t mib;
		int result;
	} cases[] = {
		{ 1, 8, 0 },	       { 8, 512, 0 },
		{ 0, 256, -ERANGE },   { 9, 256, -ERANGE },
		{ 255, 256, -ERANGE }, { 3, 7, -ERANGE },
		{ 3, 513, -ERANGE },   { 3, UINT32_MAX, -ERANGE },
	};
	uint8_t data[CARRY_HEAD_LEN + CRYPTO_TAG_LEN + 50] = { 'C', 'G', 'C', 'F', 1 },
						       key[CRYPTO_KEY_LEN];
	struct carry_head head;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		data[5] = cases[i].passes;
		put_be32(data + 6, cases[i].mib);
		assert_int_equal(carry_head_read(&head, data, sizeof(data)), cases[i].result);
		/* And once more where the memory would be taken. */
		if (cases[i].result < 0)
			assert_int_equal(crypto_stretch("x", 1, data, cases[i].passes, cases[i].mib,
							key),
					 -EINVAL);
	}
}

static void stretch_depends_on_all_that_it_is_given(void **state)
{
	uint8_t salt[CRYPTO_SALT_LEN] = { 1 }, key[4][CRYPTO_KEY_LEN], again[CRYPTO_KEY_LEN];

	assert_int_equal(crypto_stretch("a", 1, salt, 1, 8, key[0]), 0);
	assert_int_equal(crypto_stretch("b", 1, salt, 1, 8, key[1]), 0);
	assert_int_equal(crypto_stretch("a", 1, salt, 2, 8, key[2]), 0);
	assert_int_equal(crypto_stretch("a", 1, salt, 1, 9, key[3]), 0);
	assert_int_equal(crypto_stretch("a", 1, salt, 1, 8, again), 0);
	assert_memory_equal(key[0], again, sizeof(again));
	for (size_t i = 0; i < 4; i++)
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(key[i], key[j], CRYPTO_KEY_LEN);
}

int main(void)
{
	struct unit u = {};

	UNIT(&u, sealed_is_opened_again);
	UNIT(&u, deny_other_users_and_other_keys);
	UNIT(&u, deny_every_changed_bit_and_every_cut);
	UNIT(&u, deny_an_identity_that_is_not_sealed);
	UNIT(&u, carried_is_opened_again_with_its_passphrase_alone);
	UNIT(&u, deny_parameters_that_cost_too_much);
	UNIT(&u, stretch_depends_on_all_that_it_is_given);
	return unit_run(&u);
}
