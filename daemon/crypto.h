/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The primitives that Callgate uses, and memory for secrets. No library's header is visible from here.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/macro.h"

#define CRYPTO_KEY_LEN	  32
#define CRYPTO_NONCE_LEN  12
#define CRYPTO_TAG_LEN	  16
#define CRYPTO_SHA512_LEN 64
#define CRYPTO_XNONCE_LEN 24
#define CRYPTO_SALT_LEN	  16
#define CRYPTO_HASH_LEN	  32 /* of BLAKE2b as used here */
#define CRYPTO_BOX_EXTRA  48 /* what a sealed box is longer than its content */
#define CRYPTO_SIGN_LEN	  64

/**
 * crypto_init - make the library ready; call first, once, in every process
 *
 * Return: 0, or -EIO when the library has no randomness or did not start: nothing else may be called then.
 */
int crypto_init(void);

/**
 * crypto_secret_new - zeroed memory for secrets
 * @size: bytes, at least 1
 *
 * Locked into RAM, left out of core dumps, empty in a forked child, between guard pages.
 *
 * Return: the memory, or NULL with errno: EPERM or ENOMEM also when it could not be locked (raise LimitMEMLOCK).
 */
void *crypto_secret_new(size_t size);

/**
 * crypto_secret_free - wipe and free; takes NULL, returns NULL
 *
 * In a forked child the memory is already empty and is left alone. A few wiped pieces stay locked for the next caller.
 */
void *crypto_secret_free(void *p);

DEFINE_CLEANUP(void *, crypto_secret_free);

/** crypto_wipe - overwrite in a way that the compiler may not leave out */
void crypto_wipe(void *p, size_t len);

/** crypto_equal - compare in a time that depends on @len alone */
bool crypto_equal(const void *a, const void *b, size_t len);

/** crypto_random - fill with random bytes that are fit for keys */
void crypto_random(void *p, size_t len);

/**
 * crypto_x25519 - RFC 7748
 *
 * Return: 0, or -EPROTO when the result is all zeros (a point of low order); @ret_shared is then zeros.
 */
int crypto_x25519(const uint8_t private_key[CRYPTO_KEY_LEN],
		  const uint8_t public_key[CRYPTO_KEY_LEN], uint8_t ret_shared[CRYPTO_KEY_LEN]);

/** crypto_x25519_public - the public key of a private one */
void crypto_x25519_public(const uint8_t private_key[CRYPTO_KEY_LEN],
			  uint8_t ret_public[CRYPTO_KEY_LEN]);

/**
 * struct crypto_part - one piece of a message, so that concatenations need no buffer
 */
struct crypto_part {
	const void *data;
	size_t len;
};

/** crypto_sha512 - hash of the @n parts in order */
void crypto_sha512(const struct crypto_part *parts, size_t n, uint8_t ret_hash[CRYPTO_SHA512_LEN]);

/** crypto_hmac_sha512 - HMAC of the @n parts in order; any key length; @ret_mac may overlap nothing */
void crypto_hmac_sha512(const void *key, size_t key_len, const struct crypto_part *parts, size_t n,
			uint8_t ret_mac[CRYPTO_SHA512_LEN]);

/** crypto_hkdf_extract - RFC 5869 with SHA-512; an absent salt is (NULL, 0) */
void crypto_hkdf_extract(const void *salt, size_t salt_len, const struct crypto_part *ikm, size_t n,
			 uint8_t ret_prk[CRYPTO_SHA512_LEN]);

/**
 * crypto_hkdf_expand - RFC 5869 with SHA-512
 * @info: @n parts
 * @ret: @len bytes
 *
 * Return: 0, or -EINVAL when @len is 0 or more than 255 * 64.
 */
int crypto_hkdf_expand(const uint8_t prk[CRYPTO_SHA512_LEN], const struct crypto_part *info,
		       size_t n, void *ret, size_t len);

/**
 * crypto_xseal - XChaCha20-Poly1305, for what is stored: its nonce is long enough to be random
 * @ret: @len + CRYPTO_TAG_LEN bytes; may be @plain
 */
void crypto_xseal(const uint8_t key[CRYPTO_KEY_LEN], const uint8_t nonce[CRYPTO_XNONCE_LEN],
		  const void *ad, size_t ad_len, const void *plain, size_t len, void *ret);

/** crypto_xopen - the reverse; writes @len - CRYPTO_TAG_LEN bytes. Return: 0; -EBADMSG when it is not genuine */
int crypto_xopen(const uint8_t key[CRYPTO_KEY_LEN], const uint8_t nonce[CRYPTO_XNONCE_LEN],
		 const void *ad, size_t ad_len, const void *cipher, size_t len, void *ret);

/* What Argon2id can be asked for here. */
#define CRYPTO_STRETCH_PASSES_MAX 8
#define CRYPTO_STRETCH_MIB_MIN	  8
#define CRYPTO_STRETCH_MIB_MAX	  512

/**
 * crypto_stretch - a key from a passphrase, with Argon2id version 1.3 of one lane; takes seconds on purpose
 *
 * May run in a thread of its own: touches nothing but its arguments.
 *
 * Return: 0; -EINVAL for @passes or @mib outside the bounds above; -ENOMEM.
 */
int crypto_stretch(const void *passphrase, size_t len, const uint8_t salt[CRYPTO_SALT_LEN],
		   uint32_t passes, uint32_t mib, uint8_t ret_key[CRYPTO_KEY_LEN]);

enum crypto_aead_id {
	CRYPTO_CHACHA20_POLY1305, /* RFC 8439 */
	CRYPTO_AES_256_GCM,
	CRYPTO_AEAD_COUNT,
};

/* Whose code runs. */
enum crypto_backend {
	CRYPTO_SODIUM,
	CRYPTO_OPENSSL,
	CRYPTO_BY_LENGTH, /* libsodium below CRYPTO_LONG bytes, OpenSSL from there on: both make the same bytes */
	CRYPTO_BACKEND_COUNT,
};

/*
 * From this length on OpenSSL's AES-256-GCM is the faster one wherever both run: it uses vector AES, and below this its set-up
 * costs as much as it saves. tests/bench/channel measures both.
 */
#define CRYPTO_LONG 4096

/**
 * struct crypto_aead - one authenticated cipher: 32-byte key, 12-byte nonce, 16-byte tag
 * @name: for people
 * @backend: whose code it is
 * @seal: writes @len + CRYPTO_TAG_LEN bytes; @ret may be @plain. Return: 0; -EIO when the library failed and -EMSGSIZE for
 *	more than it takes at once: nothing may be sent then
 * @open: writes @len - CRYPTO_TAG_LEN bytes; @ret may be @cipher. What is not genuine leaves zeros or what was there, never a
 *	plaintext. Return: 0, or -EBADMSG
 *
 * Taken from crypto_aead_get() only: a cipher that this machine cannot run has no such struct.
 */
struct crypto_aead {
	const char *name;
	enum crypto_backend backend;
	int (*seal)(const uint8_t key[CRYPTO_KEY_LEN], const uint8_t nonce[CRYPTO_NONCE_LEN],
		    const void *ad, size_t ad_len, const void *plain, size_t len, void *ret);
	int (*open)(const uint8_t key[CRYPTO_KEY_LEN], const uint8_t nonce[CRYPTO_NONCE_LEN],
		    const void *ad, size_t ad_len, const void *cipher, size_t len, void *ret);
};

/**
 * crypto_aead_get - a cipher, or NULL where this machine cannot run it safely: then seal nothing
 *
 * AES-256-GCM is libsodium's where the CPU has AES-NI and PCLMUL (without them its instructions are illegal) and OpenSSL's
 * otherwise, and for long messages. The choice is made once, the first time it is asked for, in one thread.
 */
const struct crypto_aead *crypto_aead_get(enum crypto_aead_id id);

/** crypto_aead_from - the same of one backend, to compare them; NULL where it has none */
const struct crypto_aead *crypto_aead_from(enum crypto_aead_id id, enum crypto_backend backend);

/** crypto_aead_choose - which of two, either of which may be NULL; NULL when both are */
const struct crypto_aead *crypto_aead_choose(const struct crypto_aead *sodium,
					     const struct crypto_aead *openssl);

/** crypto_openssl_gcm - crypto.c's way to crypto-openssl.c */
const struct crypto_aead *crypto_openssl_gcm(void);

/**
 * crypto_blake2b - BLAKE2b-256 of the @n parts in order
 * @key: 32 bytes, or NULL for a hash without a key; may be @ret_hash
 */
void crypto_blake2b(const uint8_t *key, const struct crypto_part *parts, size_t n,
		    uint8_t ret_hash[CRYPTO_HASH_LEN]);

/** crypto_box_seal_for - a sealed box: only the private key opens it, not its maker. Writes @len + CRYPTO_BOX_EXTRA bytes */
void crypto_box_seal_for(const uint8_t public_key[CRYPTO_KEY_LEN], const void *plain, size_t len,
			 void *ret);

/** crypto_box_open_with - writes @len - CRYPTO_BOX_EXTRA bytes. Return: 0, or -EBADMSG */
int crypto_box_open_with(const uint8_t private_key[CRYPTO_KEY_LEN], const void *cipher, size_t len,
			 void *ret);

/** crypto_sign_public - Ed25519 public key of a seed */
void crypto_sign_public(const uint8_t seed[CRYPTO_KEY_LEN], uint8_t ret_public[CRYPTO_KEY_LEN]);

/** crypto_sign_with - Ed25519 signature of a whole message */
void crypto_sign_with(const uint8_t seed[CRYPTO_KEY_LEN], const void *message, size_t len,
		      uint8_t ret_signature[CRYPTO_SIGN_LEN]);
