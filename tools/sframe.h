/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SFrame, RFC 9605, one cipher suite: AES_256_GCM_SHA512_128 (0x0005). One frame in, one frame out; how frames are carried
 * is the caller's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto.h"
#include "util/window.h"

#define SFRAME_HEADER_MAX     17
#define SFRAME_METADATA_MAX   256
#define SFRAME_OVERHEAD	      (SFRAME_HEADER_MAX + CRYPTO_TAG_LEN)
/* Callgate's use of the key id: direction (0 initiator to responder) and kind of the media. */
#define SFRAME_KID(dir, kind) ((uint64_t)(dir)*4 + (kind))

/**
 * struct sframe_header - the two numbers at the front of a frame
 */
struct sframe_header {
	uint64_t kid;
	uint64_t ctr;
};

/** sframe_header_put - the one shortest encoding. Return: its length, at most SFRAME_HEADER_MAX */
size_t sframe_header_put(uint8_t ret[SFRAME_HEADER_MAX], const struct sframe_header *h);

/**
 * sframe_header_get - read a header
 *
 * Return: its length; 0 when it is cut short or is not the shortest encoding of its numbers.
 */
size_t sframe_header_get(const void *data, size_t len, struct sframe_header *ret);

/**
 * struct sframe_sender - seals the frames of one stream; lives in secret memory
 *
 * The counter starts at 0 and is never stored: a base key is used by one sender, for one run.
 */
struct sframe_sender {
	uint64_t kid, next;
	uint8_t key[CRYPTO_KEY_LEN], salt[CRYPTO_NONCE_LEN];
	const struct crypto_aead *aead;
};

/**
 * struct sframe_receiver - opens the frames of one stream; lives in secret memory
 *
 * Takes each counter once, in any order within WINDOW_BITS of the highest.
 */
struct sframe_receiver {
	uint64_t kid;
	uint8_t key[CRYPTO_KEY_LEN], salt[CRYPTO_NONCE_LEN];
	const struct crypto_aead *aead;
	struct window window;
};

/**
 * sframe_sender_init - derive the key and salt of a stream
 * @base_key: the media base key; any length, Callgate's are 32 bytes
 *
 * Return: 0, or -ENOTSUP when neither library has AES-256-GCM here: refuse the call's media and say so.
 */
int sframe_sender_init(struct sframe_sender *s, uint64_t kid, const void *base_key,
		       size_t base_key_len);
int sframe_receiver_init(struct sframe_receiver *r, uint64_t kid, const void *base_key,
			 size_t base_key_len);

void sframe_sender_wipe(struct sframe_sender *s);
void sframe_receiver_wipe(struct sframe_receiver *r);

/**
 * sframe_seal - one frame
 * @metadata: authenticated, not carried
 * @ret: room for @len + SFRAME_OVERHEAD bytes, apart from @plain
 *
 * Return: 0; -EOVERFLOW when the counter is used up; -EINVAL for more metadata than SFRAME_METADATA_MAX.
 */
int sframe_seal(struct sframe_sender *s, const void *metadata, size_t metadata_len,
		const void *plain, size_t len, uint8_t *ret, size_t *ret_len);

/**
 * sframe_open - one frame
 * @ret: room for @len bytes, apart from @frame; of use on success only
 *
 * Return: 0; -EBADMSG for a bad header or a frame that is not genuine; -ENOKEY for another stream's key id; -EALREADY for a
 * counter that was taken or is too old; -EINVAL as sframe_seal().
 */
int sframe_open(struct sframe_receiver *r, const void *metadata, size_t metadata_len,
		const void *frame, size_t len, uint8_t *ret, size_t *ret_len);
