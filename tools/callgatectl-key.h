/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The user's own key of the call history: a private file, under a passphrase or not. */
#ifndef CALLGATE_CALLGATECTL_KEY_H
#define CALLGATE_CALLGATECTL_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto.h"

/**
 * struct history_key - in secret memory
 * @private_key: opens the history
 * @sign_seed: signs exports, and nothing else
 */
struct history_key {
	uint8_t private_key[CRYPTO_KEY_LEN];
	uint8_t sign_seed[CRYPTO_KEY_LEN];
};

/* How a key file is protected; the number is its byte. */
enum key_lock {
	KEY_OPEN,
	KEY_PASSPHRASE,
	KEY_SECRET_SERVICE, /* a passphrase that the Secret Service keeps */
	KEY_LOCKS,
};

/* Where it is, for messages; static. NULL: there is no home directory. */
const char *key_path(void);

/**
 * key_read - the key of the calling user
 * @passphrase_fd: where to read a passphrase from, or NULL: the terminal
 * @ret_protected: it has a passphrase, typed or kept by the Secret Service
 *
 * Return: CTL_OK with the key for crypto_secret_free(), or NULL in it when there is no such file; else what was wrong, explained.
 */
int key_read(const char *passphrase_fd, struct history_key **ret_key, bool *ret_protected);

/* Writes a key, or a new one where key is NULL, which is returned in it. Asks for a passphrase, or makes one that nobody knows. */
int key_write(struct history_key **key, enum key_lock lock, const char *passphrase_fd);

#endif
