// SPDX-License-Identifier: LGPL-2.1-or-later
/* The primitives of what is stored: XChaCha20-Poly1305, BLAKE2b, sealed boxes, Argon2id, Ed25519. */
#include "unit.h"

#include "util/hex.h"

static uint8_t rig_private[CRYPTO_KEY_LEN], rig_public[CRYPTO_KEY_LEN];

/* draft-irtf-cfrg-xchacha-03, A.3.1 */
static void xchacha_gives_the_published_tag(void **state)
{
	static const char plain[] =
		"Ladies and Gentlemen of the class of '99: If I could offer you "
		"only one tip for the future, sunscreen would be it.";
	uint8_t key[32], nonce[24], ad[12], out[sizeof(plain) - 1 + 16], tag[16], back[sizeof(out)];

	hex_decode("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f", key, 32);
	hex_decode("404142434445464748494a4b4c4d4e4f5051525354555657", nonce, 24);
	hex_decode("50515253c0c1c2c3c4c5c6c7", ad, 12);
	hex_decode("c0875924c1c7987947deafd8780acf49", tag, 16);
	crypto_xseal(key, nonce, ad, sizeof(ad), plain, sizeof(plain) - 1, out);
	assert_memory_equal(out + sizeof(plain) - 1, tag, 16);
	assert_int_equal(crypto_xopen(key, nonce, ad, sizeof(ad), out, sizeof(out), back), 0);
	assert_memory_equal(back, plain, sizeof(plain) - 1);
	ad[0] ^= 1;
	assert_int_equal(crypto_xopen(key, nonce, ad, sizeof(ad), out, sizeof(out), back),
			 -EBADMSG);
}

static void blake2b_is_b2sum(void **state)
{
	const struct crypto_part parts[] = { { "a", 1 }, { "bc", 2 } };
	uint8_t hash[32], wanted[32], keyed[32];

	/* b2sum -l 256 of "abc" */
	hex_decode("bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319", wanted, 32);
	crypto_blake2b(NULL, parts, 2, hash);
	assert_memory_equal(hash, wanted, 32);
	crypto_blake2b(wanted, parts, 2, keyed);
	assert_memory_not_equal(hash, keyed, 32);
}

static void a_sealed_box_opens_for_its_owner_alone(void **state)
{
	uint8_t other[32], box[5 + CRYPTO_BOX_EXTRA], back[5];

	crypto_random(other, sizeof(other));
	crypto_box_seal_for(rig_public, "hello", 5, box);
	assert_int_equal(crypto_box_open_with(rig_private, box, sizeof(box), back), 0);
	assert_memory_equal(back, "hello", 5);
	assert_int_equal(crypto_box_open_with(other, box, sizeof(box), back), -EBADMSG);
}

static void a_passphrase_gives_its_key(void **state)
{
	const uint8_t salt[CRYPTO_SALT_LEN] = "somesaltsomesalt";
	uint8_t one[32], two[32], wanted[32];

	/* echo -n password | argon2 somesaltsomesalt -id -t 2 -k 65536 -p 1 -l 32 -r */
	hex_decode("fc33b78139231d34b71626bd6245c1d72efa190ad605c3d8166a72adcedfa2c2", wanted, 32);
	assert_int_equal(crypto_stretch("password", 8, salt, 2, 64, one), 0);
	assert_memory_equal(one, wanted, 32);
	assert_int_equal(crypto_stretch("passwore", 8, salt, 2, 64, two), 0);
	assert_memory_not_equal(one, two, 32);
	assert_int_equal(crypto_stretch("password", 8, salt, 0, 64, two), -EINVAL);
	assert_int_equal(crypto_stretch("password", 8, salt, 2, 1, two), -EINVAL);
}

/* RFC 8032, 7.1, test 2 */
static void ed25519_signs_as_published(void **state)
{
	uint8_t seed[32], public_key[32], wanted[64], signature[CRYPTO_SIGN_LEN];

	hex_decode("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb", seed, 32);
	crypto_sign_public(seed, public_key);
	hex_decode("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", wanted, 32);
	assert_memory_equal(public_key, wanted, 32);
	crypto_sign_with(seed, "r", 1, signature);
	hex_decode("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
		   "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
		   wanted, 64);
	assert_memory_equal(signature, wanted, 64);
}

int main(void)
{
	struct unit u = {};

	if (crypto_init() < 0)
		return 1;
	crypto_random(rig_private, sizeof(rig_private));
	crypto_x25519_public(rig_private, rig_public);
	UNIT(&u, xchacha_gives_the_published_tag);
	UNIT(&u, blake2b_is_b2sum);
	UNIT(&u, a_sealed_box_opens_for_its_owner_alone);
	UNIT(&u, a_passphrase_gives_its_key);
	UNIT(&u, ed25519_signs_as_published);
	return unit_run(&u);
}
