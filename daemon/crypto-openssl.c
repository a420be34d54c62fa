// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Owns every call into OpenSSL's libcrypto: AES-256-GCM and nothing else. Must not keep a key beyond one call. Called by
 * crypto.c, which chooses between this and libsodium.
 *
 * Security argument: the library gets a context of its own and no configuration file, so nothing that the environment names
 * can put another provider in place of the built-in cipher. The expanded key exists in ordinary memory only while one frame
 * is sealed or opened, and the library wipes it with the context. A plaintext whose tag is wrong is wiped, not returned.
 */
#include "crypto.h"

#include <errno.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

static OSSL_LIB_CTX *library;
static EVP_CIPHER *gcm;

/* A context with key, nonce and associated data taken; NULL when the library refuses. */
static EVP_CIPHER_CTX *begin(bool seal, const uint8_t *key, const uint8_t *nonce, const void *ad,
			     size_t ad_len)
{
	EVP_CIPHER_CTX *x = EVP_CIPHER_CTX_new();
	int n;

	if (x && EVP_CipherInit_ex2(x, gcm, key, nonce, seal, NULL) == 1 &&
	    (!ad_len || EVP_CipherUpdate(x, NULL, &n, ad, (int)ad_len) == 1))
		return x;
	EVP_CIPHER_CTX_free(x);
	return NULL;
}

/* The library counts in int; a length that does not fit is no frame of ours. */
static bool fits(size_t ad_len, size_t len)
{
	return ad_len <= INT_MAX && len <= INT_MAX - CRYPTO_TAG_LEN;
}

static int gcm_seal(const uint8_t *key, const uint8_t *nonce, const void *ad, size_t ad_len,
		    const void *plain, size_t len, void *ret)
{
	uint8_t *out = ret, nothing[CRYPTO_TAG_LEN];
	EVP_CIPHER_CTX *x;
	int n, r = -EIO;

	if (!fits(ad_len, len))
		return -EMSGSIZE;
	x = begin(true, key, nonce, ad, ad_len);
	if (!x)
		return -EIO;
	if ((!len || EVP_CipherUpdate(x, out, &n, plain, (int)len) == 1) &&
	    EVP_CipherFinal_ex(x, nothing, &n) == 1 &&
	    EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_AEAD_GET_TAG, CRYPTO_TAG_LEN, out + len) == 1)
		r = 0;
	EVP_CIPHER_CTX_free(x);
	return r;
}

static int gcm_open(const uint8_t *key, const uint8_t *nonce, const void *ad, size_t ad_len,
		    const void *cipher, size_t len, void *ret)
{
	const uint8_t *in = cipher;
	uint8_t nothing[CRYPTO_TAG_LEN], tag[CRYPTO_TAG_LEN];
	EVP_CIPHER_CTX *x;
	int n, r = -EBADMSG;

	if (len < CRYPTO_TAG_LEN || !fits(ad_len, len))
		return -EBADMSG;
	len -= CRYPTO_TAG_LEN;
	/* Copied first: @ret may be @cipher, and the library's pointer is not const. */
	for (int i = 0; i < CRYPTO_TAG_LEN; i++)
		tag[i] = in[len + i];
	x = begin(false, key, nonce, ad, ad_len);
	if (!x)
		return -EBADMSG;
	if ((!len || EVP_CipherUpdate(x, ret, &n, in, (int)len) == 1) &&
	    EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_AEAD_SET_TAG, CRYPTO_TAG_LEN, tag) == 1 &&
	    EVP_CipherFinal_ex(x, nothing, &n) == 1)
		r = 0;
	EVP_CIPHER_CTX_free(x);
	if (r < 0 && len)
		crypto_wipe(ret, len);
	return r;
}

const struct crypto_aead *crypto_openssl_gcm(void)
{
	static const struct crypto_aead aead = {
		.name = "AES-256-GCM",
		.backend = CRYPTO_OPENSSL,
		.seal = gcm_seal,
		.open = gcm_open,
	};

	if (gcm)
		return &aead;
	if (!library && OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) == 1)
		library = OSSL_LIB_CTX_new();
	if (library)
		gcm = EVP_CIPHER_fetch(library, "AES-256-GCM", "provider=default");
	return gcm ? &aead : NULL;
}
