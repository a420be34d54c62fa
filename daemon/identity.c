// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Owns one user's root and pins, and their encoding. Pure: no file, no bus. Must not decide what a mismatch leads to, and
 * never replaces a pin by itself. Called by the session and peer code; stored through util/file.c.
 *
 * Security argument: the root lives in secret memory and leaves it only encoded, into secret memory. The decoder takes
 * exactly what the encoder gives: every length bounded, every name one that can be shown, no pin twice, nothing left over.
 *
 * Encoding, integers big-endian: "CGID", version u8 = 1, root 32, number of pins u16; each pin: state u8, key 32,
 * name length u8 and name, label length u16 and label.
 */
#include "identity.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/bytes.h"
#include "util/hex.h"
#include "util/text.h"

#define ENCODING_VERSION 1
#define ENCODING_HEAD	 (IDENTITY_MAGIC_LEN + 1 + IDENTITY_KEY_LEN + 2)

/* @root: secret memory, IDENTITY_KEY_LEN bytes. */
struct identity {
	uint8_t *root;
	struct identity_pin *pins;
	size_t n_pins;
};

bool identity_label_valid(const char *label)
{
	static const char *const classes[] = { "flatpak:", "snap:",  "appimage:", "script:",
					       "exe:/",	   "user:/", "name:" };

	if (!text_is_name(label, IDENTITY_LABEL_MAX))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
		if (strncmp(label, classes[i], strlen(classes[i])) == 0)
			return label[strlen(classes[i])] != '\0';
	return false;
}

static bool name_valid(const char *name)
{
	return text_is_name(name, IDENTITY_NAME_MAX);
}

static int identity_alloc(struct identity **ret)
{
	_cleanup_(identity_free_p) struct identity *id = calloc(1, sizeof(*id));

	if (!id)
		return -ENOMEM;
	id->root = crypto_secret_new(IDENTITY_KEY_LEN);
	if (!id->root)
		return errno ? -errno : -ENOMEM;
	id->pins = calloc(IDENTITY_PINS_MAX, sizeof(*id->pins));
	if (!id->pins)
		return -ENOMEM;
	*ret = TAKE_PTR(id);
	return 0;
}

int identity_new(struct identity **ret)
{
	int r = identity_alloc(ret);

	if (r < 0)
		return r;
	crypto_random((*ret)->root, IDENTITY_KEY_LEN);
	return 0;
}

static void pin_free(struct identity_pin *pin)
{
	free(pin->label);
	free(pin->name);
}

struct identity *identity_free(struct identity *id)
{
	if (!id)
		return NULL;
	for (size_t i = 0; i < id->n_pins; i++)
		pin_free(&id->pins[i]);
	free(id->pins);
	crypto_secret_free(id->root);
	free(id);
	return NULL;
}

int identity_static_key(const struct identity *id, const char *label,
			uint8_t ret_private[IDENTITY_KEY_LEN], uint8_t ret_public[IDENTITY_KEY_LEN])
{
	static const char prefix[] = "callgate/1 static";
	const struct crypto_part ikm = { id->root, IDENTITY_KEY_LEN };
	const struct crypto_part info[] = { { prefix, sizeof(prefix) - 1 },
					    { label, strlen(label) } };
	uint8_t prk[CRYPTO_SHA512_LEN];
	int r;

	if (!identity_label_valid(label))
		return -EINVAL;
	crypto_hkdf_extract(NULL, 0, &ikm, 1, prk);
	r = crypto_hkdf_expand(prk, info, ARRAY_SIZE(info), ret_private, IDENTITY_KEY_LEN);
	crypto_wipe(prk, sizeof(prk));
	if (r < 0)
		return r;
	crypto_x25519_public(ret_private, ret_public);
	return 0;
}

/* ---- pins ---- */

static struct identity_pin *find(const struct identity *id, const char *label,
				 const uint8_t key[IDENTITY_KEY_LEN])
{
	for (size_t i = 0; i < id->n_pins; i++)
		if (memcmp(id->pins[i].key, key, IDENTITY_KEY_LEN) == 0 &&
		    strcmp(id->pins[i].label, label) == 0)
			return &id->pins[i];
	return NULL;
}

static bool pin_is(const struct identity_pin *pin, const char *label, const char *name)
{
	return strcmp(pin->name, name) == 0 && strcmp(pin->label, label) == 0;
}

int identity_pin(struct identity *id, const char *label, const char *name,
		 const uint8_t key[IDENTITY_KEY_LEN], enum identity_auth auth)
{
	struct identity_pin *old, pin = { .auth = auth };

	if (!identity_label_valid(label) || !name_valid(name) ||
	    (auth != IDENTITY_PINNED && auth != IDENTITY_VERIFIED))
		return -EINVAL;
	old = find(id, label, key);
	if (old) {
		if (strcmp(old->name, name) != 0)
			return -EEXIST;
		if (auth > old->auth)
			old->auth = auth;
		return 0;
	}
	if (id->n_pins == IDENTITY_PINS_MAX)
		return -ENOSPC;
	pin.label = strdup(label);
	pin.name = strdup(name);
	memcpy(pin.key, key, IDENTITY_KEY_LEN);
	if (!pin.label || !pin.name) {
		pin_free(&pin);
		return -ENOMEM;
	}
	id->pins[id->n_pins++] = pin;
	return 0;
}

int identity_rename(struct identity *id, const char *label, const char *name, const char *new_name)
{
	char *names[IDENTITY_PINS_MAX] = {};
	bool any = false;

	if (!name_valid(new_name))
		return -EINVAL;
	if (strcmp(name, new_name) != 0)
		for (size_t i = 0; i < id->n_pins; i++)
			if (pin_is(&id->pins[i], label, new_name))
				return -EEXIST;
	for (size_t i = 0; i < id->n_pins; i++) {
		if (!pin_is(&id->pins[i], label, name))
			continue;
		any = true;
		names[i] = strdup(new_name);
		if (!names[i]) {
			for (size_t j = 0; j < i; j++)
				free(names[j]);
			return -ENOMEM;
		}
	}
	/* @name may be one of the strings that go now; it is not looked at again. */
	for (size_t i = 0; i < id->n_pins; i++) {
		if (!names[i])
			continue;
		free(id->pins[i].name);
		id->pins[i].name = names[i];
	}
	return any ? 0 : -ENOENT;
}

size_t identity_forget(struct identity *id, const char *label, const char *name)
{
	struct identity_pin gone[IDENTITY_PINS_MAX];
	size_t kept = 0, n = 0;

	for (size_t i = 0; i < id->n_pins; i++) {
		if (pin_is(&id->pins[i], label, name))
			gone[n++] = id->pins[i];
		else
			id->pins[kept++] = id->pins[i];
	}
	id->n_pins = kept;
	/* Last, because @label and @name may be strings of these. */
	for (size_t i = 0; i < n; i++)
		pin_free(&gone[i]);
	return n;
}

size_t identity_pins(const struct identity *id, const struct identity_pin **ret)
{
	*ret = id->pins;
	return id->n_pins;
}

const struct identity_pin *identity_by_key(const struct identity *id, const char *label,
					   const uint8_t key[IDENTITY_KEY_LEN],
					   enum identity_auth *ret_auth)
{
	const struct identity_pin *pin = find(id, label, key);

	if (ret_auth)
		*ret_auth = pin ? pin->auth : IDENTITY_UNKNOWN;
	return pin;
}

enum identity_match identity_match(const struct identity *id, const char *label, const char *name,
				   const uint8_t key[IDENTITY_KEY_LEN])
{
	const struct identity_pin *pin = find(id, label, key);

	if (pin)
		return !name || strcmp(pin->name, name) == 0 ? IDENTITY_MATCH_OK
							     : IDENTITY_MATCH_OTHER;
	if (name)
		for (size_t i = 0; i < id->n_pins; i++)
			if (pin_is(&id->pins[i], label, name))
				return IDENTITY_MATCH_MISMATCH;
	return IDENTITY_MATCH_NEW;
}

const char *identity_auth_name(enum identity_auth auth)
{
	switch (auth) {
	case IDENTITY_UNKNOWN:
		return "unknown";
	case IDENTITY_PINNED:
		return "pinned";
	case IDENTITY_VERIFIED:
		return "verified";
	case IDENTITY_AUTH_COUNT:
		break;
	}
	return NULL;
}

void identity_fingerprint(const uint8_t key[IDENTITY_KEY_LEN], char ret[IDENTITY_FINGERPRINT_LEN])
{
	hex_encode(key, IDENTITY_KEY_LEN, ret);
}

/* ---- encoding ---- */

int identity_encode(const struct identity *id, uint8_t **ret, size_t *ret_len)
{
	size_t len = ENCODING_HEAD;
	uint8_t *data, *p;

	for (size_t i = 0; i < id->n_pins; i++)
		len += 1 + IDENTITY_KEY_LEN + 1 + strlen(id->pins[i].name) + 2 +
		       strlen(id->pins[i].label);
	data = crypto_secret_new(len);
	if (!data)
		return errno ? -errno : -ENOMEM;
	p = mempcpy(data, IDENTITY_MAGIC, IDENTITY_MAGIC_LEN);
	*p++ = ENCODING_VERSION;
	p = mempcpy(p, id->root, IDENTITY_KEY_LEN);
	put_be16(p, (uint16_t)id->n_pins);
	p += 2;
	for (size_t i = 0; i < id->n_pins; i++) {
		const struct identity_pin *pin = &id->pins[i];
		size_t name_len = strlen(pin->name), label_len = strlen(pin->label);

		*p++ = (uint8_t)pin->auth;
		p = mempcpy(p, pin->key, IDENTITY_KEY_LEN);
		*p++ = (uint8_t)name_len;
		p = mempcpy(p, pin->name, name_len);
		put_be16(p, (uint16_t)label_len);
		p = mempcpy(p + 2, pin->label, label_len);
	}
	*ret = data;
	*ret_len = len;
	return 0;
}

/* A string of @len bytes that holds no NUL; the caller's buffer has room for @max and the NUL. */
static bool read_text(struct reader *r, size_t len, size_t max, char *ret)
{
	if (len > max)
		return false;
	reader_copy(r, ret, len);
	ret[len] = '\0';
	return !r->bad && strlen(ret) == len;
}

static int read_pin(struct reader *r, struct identity *id)
{
	char name[IDENTITY_NAME_MAX + 1], label[IDENTITY_LABEL_MAX + 1];
	uint8_t auth = reader_u8(r);
	const uint8_t *key = reader_take(r, IDENTITY_KEY_LEN);

	if (!key || auth >= IDENTITY_AUTH_COUNT ||
	    !read_text(r, reader_u8(r), IDENTITY_NAME_MAX, name) ||
	    !read_text(r, reader_be16(r), IDENTITY_LABEL_MAX, label))
		return -EBADMSG;
	if (find(id, label, key))
		return -EBADMSG;
	switch (identity_pin(id, label, name, key, auth)) {
	case 0:
		return 0;
	case -ENOMEM:
		return -ENOMEM;
	default:
		return -EBADMSG;
	}
}

int identity_decode(struct identity **ret, const void *data, size_t len)
{
	_cleanup_(identity_free_p) struct identity *id = NULL;
	struct reader r = { .p = data, .left = len };
	const uint8_t *head = reader_take(&r, IDENTITY_MAGIC_LEN);
	uint8_t version = reader_u8(&r);
	size_t n;
	int err;

	if (!head || memcmp(head, IDENTITY_MAGIC, IDENTITY_MAGIC_LEN) != 0 || version == 0)
		return -EBADMSG;
	if (version > ENCODING_VERSION)
		return -EPROTONOSUPPORT;
	err = identity_alloc(&id);
	if (err < 0)
		return err;
	reader_copy(&r, id->root, IDENTITY_KEY_LEN);
	n = reader_be16(&r);
	if (n > IDENTITY_PINS_MAX)
		return -EBADMSG;
	for (size_t i = 0; i < n; i++) {
		err = read_pin(&r, id);
		if (err < 0)
			return err;
	}
	if (!reader_done(&r))
		return -EBADMSG;
	*ret = TAKE_PTR(id);
	return 0;
}
