/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One user's identity: the root from which every label's static key comes, and the pins. Pure: daemon/util/file.h stores
 * the bytes.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto.h"

#define IDENTITY_KEY_LEN   CRYPTO_KEY_LEN
#define IDENTITY_NAME_MAX  128	/* bytes of UTF-8 */
#define IDENTITY_LABEL_MAX 1087 /* class and path */
#define IDENTITY_PINS_MAX  256
/* An encoded identity is never longer: head, then the largest pins. */
#define IDENTITY_ENCODED_MAX \
	(64 + IDENTITY_PINS_MAX * (IDENTITY_KEY_LEN + 5 + IDENTITY_NAME_MAX + IDENTITY_LABEL_MAX))

/* How an encoded identity begins. */
#define IDENTITY_MAGIC	   "CGID"
#define IDENTITY_MAGIC_LEN 4

/* What is known about the key at the other end. */
enum identity_auth {
	IDENTITY_UNKNOWN,
	IDENTITY_PINNED,   /* seen before under this name */
	IDENTITY_VERIFIED, /* and the numbers were compared */
	IDENTITY_AUTH_COUNT,
};

/**
 * struct identity_pin - one key of one contact, as one label knows it
 * @label: the local app's
 * @name: what the local user calls the contact; several pins with one name are one contact with several keys
 * @key: the contact's static public key
 * @auth: IDENTITY_PINNED or IDENTITY_VERIFIED
 */
struct identity_pin {
	char *label;
	char *name;
	uint8_t key[IDENTITY_KEY_LEN];
	enum identity_auth auth;
};

struct identity;

/** identity_new - a new root. Return: 0 or a negative errno; free with identity_free() */
int identity_new(struct identity **ret);

/**
 * identity_decode - read what identity_encode() wrote
 *
 * Return: 0; -EBADMSG for anything that it would not have written; -EPROTONOSUPPORT for a newer version byte; -ENOMEM or
 * -EPERM without locked memory.
 */
int identity_decode(struct identity **ret, const void *data, size_t len);

/**
 * identity_encode - bytes for the state file; they hold the root
 * @ret: secret memory, for crypto_secret_free()
 *
 * Return: 0 or a negative errno.
 */
int identity_encode(const struct identity *id, uint8_t **ret, size_t *ret_len);

/** identity_free - wipe and free; takes NULL, returns NULL */
struct identity *identity_free(struct identity *id);

DEFINE_CLEANUP(struct identity *, identity_free);

/**
 * identity_static_key - the key pair by which contacts of @label know this user
 * @ret_private: should be secret memory
 *
 * Return: 0, or -EINVAL for a label that identity_label_valid() refuses.
 */
int identity_static_key(const struct identity *id, const char *label,
			uint8_t ret_private[IDENTITY_KEY_LEN],
			uint8_t ret_public[IDENTITY_KEY_LEN]);

/** identity_label_valid - "flatpak:", "snap:", "exe:/", "user:/" or, where no gate proves it, "name:"; then printable text */
bool identity_label_valid(const char *label);

/**
 * identity_pin - remember a key, or raise an existing pin
 *
 * A pin that exists for (@label, @key) keeps the better of both states; its name must be the same.
 *
 * Return: 0; -EINVAL for a bad label, name or state; -EEXIST when the key is pinned under another name; -ENOSPC at
 * IDENTITY_PINS_MAX; -ENOMEM.
 */
int identity_pin(struct identity *id, const char *label, const char *name,
		 const uint8_t key[IDENTITY_KEY_LEN], enum identity_auth auth);

/**
 * identity_rename - give a contact another name, all its keys under @label
 *
 * Return: 0; -ENOENT; -EEXIST when the new name is another contact's; -EINVAL; -ENOMEM, with nothing renamed.
 */
int identity_rename(struct identity *id, const char *label, const char *name, const char *new_name);

/** identity_forget - drop a contact's pins under @label. Return: how many they were */
size_t identity_forget(struct identity *id, const char *label, const char *name);

/** identity_pins - all of them, in the order of pinning; valid until the next change. Return: how many */
size_t identity_pins(const struct identity *id, const struct identity_pin **ret);

/** identity_by_key - the pin of a key under a label, or NULL; in @ret_auth, if wanted, its state */
const struct identity_pin *identity_by_key(const struct identity *id, const char *label,
					   const uint8_t key[IDENTITY_KEY_LEN],
					   enum identity_auth *ret_auth);

/* What calling @name and finding @key means. */
enum identity_match {
	IDENTITY_MATCH_NEW,	 /* no pin has this name, and none this key */
	IDENTITY_MATCH_OK,	 /* a pin of this name has this key */
	IDENTITY_MATCH_MISMATCH, /* this name is pinned with other keys: block the call */
	IDENTITY_MATCH_OTHER,	 /* this key is pinned, under another name: block the call */
};

/** identity_match - compare who was meant with who is there; a NULL @name asks about the key alone */
enum identity_match identity_match(const struct identity *id, const char *label, const char *name,
				   const uint8_t key[IDENTITY_KEY_LEN]);

/** identity_auth_name - "unknown", "pinned", "verified"; NULL for another number */
const char *identity_auth_name(enum identity_auth auth);

#define IDENTITY_FINGERPRINT_LEN (2 * IDENTITY_KEY_LEN + 1)
/** identity_fingerprint - a public key as text, with its NUL */
void identity_fingerprint(const uint8_t key[IDENTITY_KEY_LEN], char ret[IDENTITY_FINGERPRINT_LEN]);
