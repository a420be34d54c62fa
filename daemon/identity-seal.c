// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Owns the two envelopes around an encoded identity. Pure: keys come as arguments, from vault.c and passphrase.c, files and
 * the bus are others'. Called by user.c and bus-identity.c.
 *
 * Security argument: everything in front of the ciphertext is its associated data, so no field can be changed. In the state
 * file that is the version, what the file is for, whose it is and which key sealed it: moved to another user's folder it is
 * refused. It does not tell an older file from the newest: whoever can put files back can put an old one back. In the carried
 * file the parameters of Argon2id are bounded before they cost anything.
 *
 * State file, integers big-endian: "CGSL", version u8 = 1, purpose u8 = 1, uid u32, key id 8, nonce 24, then the encoded
 * identity under XChaCha20-Poly1305. key = HKDF-SHA-512(ikm = the machine's secret, info = "callgate/1 seal key", 32),
 * key id likewise with "callgate/1 seal id", 8 bytes.
 *
 * Carried file: "CGCF", version u8 = 1, passes u8, MiB u32, salt 16, nonce 24, then the same under the passphrase's key.
 */
#include "identity-seal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/bytes.h"

#define SEAL_VERSION	 1
#define PURPOSE_IDENTITY 1
#define CARRY_VERSION	 1

static const uint8_t seal_magic[4] = { 'C', 'G', 'S', 'L' };
static const uint8_t carry_magic[4] = { 'C', 'G', 'C', 'F' };

static void derive(const uint8_t *secret, const char *what, void *ret, size_t len)
{
	const struct crypto_part ikm = { secret, CRYPTO_KEY_LEN }, info = { what, strlen(what) };
	uint8_t prk[CRYPTO_SHA512_LEN];

	crypto_hkdf_extract(NULL, 0, &ikm, 1, prk);
	crypto_hkdf_expand(prk, &info, 1, ret, len);
	crypto_wipe(prk, sizeof(prk));
}

void seal_key_init(struct seal_key *key, const uint8_t secret[CRYPTO_KEY_LEN])
{
	derive(secret, "callgate/1 seal key", key->key, sizeof(key->key));
	derive(secret, "callgate/1 seal id", key->id, sizeof(key->id));
}

/* The head and behind it the identity under the key; the head's last bytes become the nonce. */
static int enclose(const struct identity *id, const uint8_t *key, const uint8_t *head,
		   size_t head_len, uint8_t **ret, size_t *ret_len)
{
	uint8_t *plain, *data, *nonce;
	size_t len;
	int r = identity_encode(id, &plain, &len);

	if (r < 0)
		return r;
	data = malloc(head_len + len + CRYPTO_TAG_LEN);
	if (!data) {
		crypto_secret_free(plain);
		return -ENOMEM;
	}
	memcpy(data, head, head_len);
	nonce = data + head_len - CRYPTO_XNONCE_LEN;
	crypto_random(nonce, CRYPTO_XNONCE_LEN);
	crypto_xseal(key, nonce, data, head_len, plain, len, data + head_len);
	crypto_secret_free(plain);
	*ret = data;
	*ret_len = head_len + len + CRYPTO_TAG_LEN;
	return 0;
}

static int disclose(struct identity **ret, const uint8_t *key, const uint8_t *data, size_t head_len,
		    size_t len)
{
	_cleanup_(crypto_secret_free_p) void *plain = NULL;
	size_t plain_len;

	if (len <= head_len + CRYPTO_TAG_LEN ||
	    len > head_len + IDENTITY_ENCODED_MAX + CRYPTO_TAG_LEN)
		return -EBADMSG;
	plain_len = len - head_len - CRYPTO_TAG_LEN;
	plain = crypto_secret_new(plain_len);
	if (!plain)
		return errno ? -errno : -ENOMEM;
	if (crypto_xopen(key, data + head_len - CRYPTO_XNONCE_LEN, data, head_len, data + head_len,
			 len - head_len, plain) < 0)
		return -EBADMSG;
	return identity_decode(ret, plain, plain_len);
}

int identity_seal(const struct identity *id, const struct seal_key *key, uint32_t uid,
		  uint8_t **ret, size_t *ret_len)
{
	uint8_t head[SEAL_HEAD_LEN] = {}, *p = head;

	p = mempcpy(p, seal_magic, sizeof(seal_magic));
	*p++ = SEAL_VERSION;
	*p++ = PURPOSE_IDENTITY;
	put_be32(p, uid);
	memcpy(p + 4, key->id, sizeof(key->id));
	return enclose(id, key->key, head, sizeof(head), ret, ret_len);
}

int identity_unseal(struct identity **ret, const struct seal_key *key, uint32_t uid,
		    const void *data, size_t len)
{
	struct reader r = { .p = data, .left = len };
	const uint8_t *magic = reader_take(&r, sizeof(seal_magic)), *id;
	uint8_t version = reader_u8(&r), purpose;

	if (magic && memcmp(magic, IDENTITY_MAGIC, IDENTITY_MAGIC_LEN) == 0)
		return -ENOMSG;
	if (!magic || memcmp(magic, seal_magic, sizeof(seal_magic)) != 0 || version == 0)
		return -EBADMSG;
	if (version > SEAL_VERSION)
		return -EPROTONOSUPPORT;
	purpose = reader_u8(&r);
	if (reader_be32(&r) != uid)
		return r.bad ? -EBADMSG : -EXDEV;
	id = reader_take(&r, SEAL_KEY_ID_LEN);
	if (!id || purpose != PURPOSE_IDENTITY)
		return -EBADMSG;
	if (memcmp(id, key->id, SEAL_KEY_ID_LEN) != 0)
		return -ENOKEY;
	return disclose(ret, key->key, data, SEAL_HEAD_LEN, len);
}

/* ---- to carry away ---- */

void carry_head_new(struct carry_head *ret)
{
	ret->passes = CARRY_PASSES;
	ret->mib = CARRY_MIB;
	crypto_random(ret->salt, sizeof(ret->salt));
}

int carry_head_read(struct carry_head *ret, const void *data, size_t len)
{
	struct reader r = { .p = data, .left = len };
	const uint8_t *magic = reader_take(&r, sizeof(carry_magic));
	uint8_t version = reader_u8(&r);
	struct carry_head head;

	if (!magic || memcmp(magic, carry_magic, sizeof(carry_magic)) != 0 || version == 0)
		return -EBADMSG;
	if (version > CARRY_VERSION)
		return -EPROTONOSUPPORT;
	head.passes = reader_u8(&r);
	head.mib = reader_be32(&r);
	reader_copy(&r, head.salt, sizeof(head.salt));
	reader_take(&r, CRYPTO_XNONCE_LEN);
	if (r.bad || r.left <= CRYPTO_TAG_LEN || len > CARRY_MAX)
		return -EBADMSG;
	if (head.passes < 1 || head.passes > CRYPTO_STRETCH_PASSES_MAX ||
	    head.mib < CRYPTO_STRETCH_MIB_MIN || head.mib > CRYPTO_STRETCH_MIB_MAX)
		return -ERANGE;
	*ret = head;
	return 0;
}

int identity_pack(const struct identity *id, const struct carry_head *head,
		  const uint8_t key[CRYPTO_KEY_LEN], uint8_t **ret, size_t *ret_len)
{
	uint8_t bytes[CARRY_HEAD_LEN] = {}, *p = bytes;

	p = mempcpy(p, carry_magic, sizeof(carry_magic));
	*p++ = CARRY_VERSION;
	*p++ = (uint8_t)head->passes;
	put_be32(p, head->mib);
	memcpy(p + 4, head->salt, sizeof(head->salt));
	return enclose(id, key, bytes, sizeof(bytes), ret, ret_len);
}

int identity_unpack(struct identity **ret, const uint8_t key[CRYPTO_KEY_LEN], const void *data,
		    size_t len)
{
	struct carry_head head;
	int r = carry_head_read(&head, data, len);

	return r < 0 ? r : disclose(ret, key, data, CARRY_HEAD_LEN, len);
}
