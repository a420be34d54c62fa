/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The envelopes in which an identity is kept: under the machine's key, or under a passphrase to carry it away. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "crypto.h"
#include "identity.h"

/* ---- on disk ---- */

#define SEAL_KEY_ID_LEN 8
#define SEAL_HEAD_LEN	(4 + 1 + 1 + 4 + SEAL_KEY_ID_LEN + CRYPTO_XNONCE_LEN)
#define SEAL_MAX	(SEAL_HEAD_LEN + IDENTITY_ENCODED_MAX + CRYPTO_TAG_LEN)

/**
 * struct seal_key - what the machine seals with; keep it in secret memory
 * @key: for XChaCha20-Poly1305
 * @id: names it in each file, so that a file of another machine is not taken for a damaged one
 */
struct seal_key {
	uint8_t key[CRYPTO_KEY_LEN];
	uint8_t id[SEAL_KEY_ID_LEN];
};

/** seal_key_init - from the 32 secret bytes that the machine keeps */
void seal_key_init(struct seal_key *key, const uint8_t secret[CRYPTO_KEY_LEN]);

/**
 * identity_seal - the bytes of the state file of @uid
 * @ret: for free()
 *
 * Return: 0 or a negative errno.
 */
int identity_seal(const struct identity *id, const struct seal_key *key, uint32_t uid,
		  uint8_t **ret, size_t *ret_len);

/**
 * identity_unseal - what identity_seal() wrote for the same user with the same key, and nothing else
 *
 * Return: 0; -ENOMSG for an identity that is not sealed at all; -ENOKEY when another key sealed it; -EXDEV when it is
 * another user's; -EPROTONOSUPPORT for a newer version; -EBADMSG for everything else that is not genuine; -ENOMEM or -EPERM
 * without locked memory.
 */
int identity_unseal(struct identity **ret, const struct seal_key *key, uint32_t uid,
		    const void *data, size_t len);

/* ---- to carry away ---- */

#define CARRY_HEAD_LEN	     (4 + 1 + 1 + 4 + CRYPTO_SALT_LEN + CRYPTO_XNONCE_LEN)
#define CARRY_MAX	     (CARRY_HEAD_LEN + IDENTITY_ENCODED_MAX + CRYPTO_TAG_LEN)
/* What is written. A reader takes every value that crypto_stretch() takes. */
#define CARRY_PASSES	     3
#define CARRY_MIB	     256
#define CARRY_PASSPHRASE_MIN 12
#define CARRY_PASSPHRASE_MAX 255

/**
 * struct carry_head - what a carried file says about itself, unproven until it is opened
 */
struct carry_head {
	uint32_t passes;
	uint32_t mib;
	uint8_t salt[CRYPTO_SALT_LEN];
};

/** carry_head_new - for a file to be made: a fresh salt */
void carry_head_new(struct carry_head *ret);

/**
 * carry_head_read - before anybody is asked for a passphrase
 *
 * Return: 0; -EBADMSG when it is no such file or cut off; -EPROTONOSUPPORT for a newer version; -ERANGE when it asks for more
 * memory or time than crypto_stretch() gives.
 */
int carry_head_read(struct carry_head *ret, const void *data, size_t len);

/** identity_pack - under the key that crypto_stretch() made for @head. @ret: for free() */
int identity_pack(const struct identity *id, const struct carry_head *head,
		  const uint8_t key[CRYPTO_KEY_LEN], uint8_t **ret, size_t *ret_len);

/** identity_unpack - Return: 0; -EBADMSG for another passphrase or a damaged file; else as carry_head_read() */
int identity_unpack(struct identity **ret, const uint8_t key[CRYPTO_KEY_LEN], const void *data,
		    size_t len);
