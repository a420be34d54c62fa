/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto.h"

#define NOISE_KEY_LEN	  CRYPTO_KEY_LEN
#define NOISE_HASH_LEN	  CRYPTO_SHA512_LEN
#define NOISE_MSG_MAX	  65535
/* The pattern's messages: -> e; <- e, ee, s, es; -> s, se. */
#define NOISE_XX_MESSAGES 3

/**
 * struct noise_cipher - CipherState
 * @key: meaningful once @has_key
 * @nonce: of the next message
 * @has_key: without a key, text passes unchanged
 */
struct noise_cipher {
	uint8_t key[NOISE_KEY_LEN];
	uint64_t nonce;
	bool has_key;
};

/**
 * struct noise_handshake - HandshakeState and SymmetricState of one end
 * @cipher: of the handshake's encrypted parts
 * @chain: chaining key
 * @hash: handshake hash so far; after the last message, the channel binding
 * @initiator: which end this is
 * @next: number of the next message, 0 to NOISE_XX_MESSAGES
 * @s: own static private key; @s_pub its public key
 * @e: own ephemeral private key; @e_pub its public key
 * @rs: the other end's static public key, meaningful once @has_rs
 * @re: the other end's ephemeral public key, meaningful once @has_re
 *
 * A plain value: a copy is a clone. Holds secrets, so it lives in secret memory and ends in noise_handshake_wipe().
 */
struct noise_handshake {
	struct noise_cipher cipher;
	uint8_t chain[NOISE_HASH_LEN];
	uint8_t hash[NOISE_HASH_LEN];
	bool initiator, has_rs, has_re;
	unsigned int next;
	uint8_t s[NOISE_KEY_LEN], s_pub[NOISE_KEY_LEN];
	uint8_t e[NOISE_KEY_LEN], e_pub[NOISE_KEY_LEN];
	uint8_t rs[NOISE_KEY_LEN], re[NOISE_KEY_LEN];
};

/**
 * noise_handshake_init - begin
 * @s: own static private key
 * @s_pub: its public key, or NULL to have it computed
 * @e: own ephemeral private key: fresh random bytes, used for this handshake only
 */
void noise_handshake_init(struct noise_handshake *hs, bool initiator, const void *prologue,
			  size_t prologue_len, const uint8_t s[NOISE_KEY_LEN], const uint8_t *s_pub,
			  const uint8_t e[NOISE_KEY_LEN]);

/** noise_handshake_wipe - forget all of it */
void noise_handshake_wipe(struct noise_handshake *hs);

/**
 * noise_handshake_write - make the next message
 * @ret: room for @size bytes
 *
 * Return: 0 with the length in @ret_len; -EPROTO at a zero DH result; -EINVAL when it is not this end's turn; -ENOSPC.
 * After an error @hs is unusable.
 */
int noise_handshake_write(struct noise_handshake *hs, const void *payload, size_t payload_len,
			  uint8_t *ret, size_t size, size_t *ret_len);

/**
 * noise_handshake_read - read the next message without committing to it
 * @hs: left as it is, so that a forged message does no harm
 * @ret_next: the state after the message; wiped on failure. Copy it over @hs to commit.
 * @ret: the payload, room for @size bytes
 *
 * Return: 0; -EBADMSG when the message is not genuine or too short; -EPROTO at a zero DH result; -EINVAL when it is not
 * this end's turn; -ENOSPC.
 */
int noise_handshake_read(const struct noise_handshake *hs, struct noise_handshake *ret_next,
			 const uint8_t *msg, size_t len, uint8_t *ret, size_t size,
			 size_t *ret_len);

/**
 * noise_handshake_split - the two transport ciphers after the last message
 * @ret_i2r: initiator to responder
 * @ret_r2i: responder to initiator
 *
 * Return: 0, or -EINVAL before the last message.
 */
int noise_handshake_split(const struct noise_handshake *hs, struct noise_cipher *ret_i2r,
			  struct noise_cipher *ret_r2i);

/**
 * noise_cipher_seal - EncryptWithAd under the nonce in @c, which is then advanced
 * @ret: @len bytes, and CRYPTO_TAG_LEN more when there is a key
 *
 * Return: 0, or -EOVERFLOW at the reserved last nonce.
 */
int noise_cipher_seal(struct noise_cipher *c, const void *ad, size_t ad_len, const void *plain,
		      size_t len, uint8_t *ret);

/**
 * noise_cipher_open - DecryptWithAd under the nonce in @c, which is advanced on success only
 *
 * Return: 0, -EBADMSG, or -EOVERFLOW at the reserved last nonce.
 */
int noise_cipher_open(struct noise_cipher *c, const void *ad, size_t ad_len, const void *cipher,
		      size_t len, uint8_t *ret);
