// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Owns every call into libsodium, and the choice between its AES-256-GCM and OpenSSL's (crypto-openssl.c). Must not know what
 * is encrypted or why, and keeps no key. Called by the pure protocol
 * files, by the identity and journal code, and by the tools' media path.
 *
 * Security argument: nothing is built here but HKDF, which RFC 5869 defines by HMAC and which libsodium 1.0.18 lacks.
 * Failures of the library are answers, never assumptions: no start without randomness, no secret memory that is not
 * locked, no X25519 result of zero, no AES without the instructions for it.
 */
#include "crypto.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The process that may free secrets; a forked child holds emptied copies whose canaries are gone. */
static pid_t owner;

/* In front of every piece of secret memory, inside its guard pages. */
struct head {
	size_t size;
	uint64_t canary;
};

/*
 * Pieces that were freed, wiped and kept: still locked and guarded, ready to be handed out again. To map, lock, guard and unmap one
 * costs as much as the arithmetic of a whole handshake.
 */
#define SPARE_MAX 8
static uint8_t *spare[SPARE_MAX];
static uint64_t canary;

int crypto_init(void)
{
	if (sodium_init() < 0)
		return -EIO;
	owner = getpid();
	if (!canary)
		randombytes_buf(&canary, sizeof(canary));
	return 0;
}

/* sodium_malloc aligns the end of a piece, so its front may lie anywhere. */
static struct head head_of(const uint8_t *piece)
{
	struct head h;

	memcpy(&h, piece, sizeof(h));
	return h;
}

static void *take_spare(size_t size)
{
	void *p = NULL;

	if (getpid() != owner)
		return NULL;
	for (size_t i = 0; i < SPARE_MAX && !p; i++) {
		if (!spare[i] || head_of(spare[i]).size != size)
			continue;
		p = spare[i] + sizeof(struct head);
		spare[i] = NULL;
	}
	return p;
}

void *crypto_secret_new(size_t size)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), start, end;
	const struct head head = { size, canary };
	size_t whole = size + sizeof(head);
	uint8_t *p;

	if (!size || whole < size) {
		errno = EINVAL;
		return NULL;
	}
	p = take_spare(size);
	if (p)
		return p;
	p = sodium_malloc(whole);
	if (!p) {
		errno = ENOMEM;
		return NULL;
	}
	/* sodium_malloc locks too but hides that it failed. */
	if (sodium_mlock(p, whole) != 0) {
		int saved = errno ? errno : ENOMEM;

		sodium_free(p);
		errno = saved;
		return NULL;
	}
#ifdef MADV_WIPEONFORK
	start = (uintptr_t)p & ~(page - 1);
	end = ((uintptr_t)p + whole + page - 1) & ~(page - 1);
	/* EINVAL: a kernel before 4.14. The daemon does not fork while it holds secrets; this is the second line. */
	if (madvise((void *)start, end - start, MADV_WIPEONFORK) != 0 && errno != EINVAL) {
		int saved = errno;

		sodium_free(p);
		errno = saved;
		return NULL;
	}
#endif
	memset(p, 0, whole);
	memcpy(p, &head, sizeof(head));
	return p + sizeof(head);
}

void *crypto_secret_free(void *p)
{
	uint8_t *piece;
	struct head head;

	if (!p || getpid() != owner)
		return NULL;
	piece = (uint8_t *)p - sizeof(head);
	head = head_of(piece);
	/* Somebody wrote in front of the piece: nothing here can be trusted any more. */
	if (head.canary != canary)
		abort();
	crypto_wipe(p, head.size);
	for (size_t i = 0; i < SPARE_MAX; i++)
		if (!spare[i]) {
			spare[i] = piece;
			return NULL;
		}
	sodium_free(piece);
	return NULL;
}

void crypto_wipe(void *p, size_t len)
{
	sodium_memzero(p, len);
}

bool crypto_equal(const void *a, const void *b, size_t len)
{
	return sodium_memcmp(a, b, len) == 0;
}

void crypto_random(void *p, size_t len)
{
	randombytes_buf(p, len);
}

int crypto_x25519(const uint8_t private_key[CRYPTO_KEY_LEN],
		  const uint8_t public_key[CRYPTO_KEY_LEN], uint8_t ret_shared[CRYPTO_KEY_LEN])
{
	if (crypto_scalarmult_curve25519(ret_shared, private_key, public_key) != 0 ||
	    sodium_is_zero(ret_shared, CRYPTO_KEY_LEN)) {
		crypto_wipe(ret_shared, CRYPTO_KEY_LEN);
		return -EPROTO;
	}
	return 0;
}

void crypto_x25519_public(const uint8_t private_key[CRYPTO_KEY_LEN],
			  uint8_t ret_public[CRYPTO_KEY_LEN])
{
	crypto_scalarmult_curve25519_base(ret_public, private_key);
}

void crypto_sha512(const struct crypto_part *parts, size_t n, uint8_t ret_hash[CRYPTO_SHA512_LEN])
{
	crypto_hash_sha512_state st;

	crypto_hash_sha512_init(&st);
	for (size_t i = 0; i < n; i++)
		crypto_hash_sha512_update(&st, parts[i].data, parts[i].len);
	crypto_hash_sha512_final(&st, ret_hash);
	crypto_wipe(&st, sizeof(st));
}

void crypto_hmac_sha512(const void *key, size_t key_len, const struct crypto_part *parts, size_t n,
			uint8_t ret_mac[CRYPTO_SHA512_LEN])
{
	crypto_auth_hmacsha512_state st;

	crypto_auth_hmacsha512_init(&st, key, key_len);
	for (size_t i = 0; i < n; i++)
		crypto_auth_hmacsha512_update(&st, parts[i].data, parts[i].len);
	crypto_auth_hmacsha512_final(&st, ret_mac);
	crypto_wipe(&st, sizeof(st));
}

void crypto_hkdf_extract(const void *salt, size_t salt_len, const struct crypto_part *ikm, size_t n,
			 uint8_t ret_prk[CRYPTO_SHA512_LEN])
{
	static const uint8_t no_salt[CRYPTO_SHA512_LEN];

	if (!salt_len) {
		salt = no_salt;
		salt_len = sizeof(no_salt);
	}
	crypto_hmac_sha512(salt, salt_len, ikm, n, ret_prk);
}

int crypto_hkdf_expand(const uint8_t prk[CRYPTO_SHA512_LEN], const struct crypto_part *info,
		       size_t n, void *ret, size_t len)
{
	uint8_t block[CRYPTO_SHA512_LEN], counter = 0;
	crypto_auth_hmacsha512_state keyed, st;
	uint8_t *out = ret;

	if (!len || len > 255 * CRYPTO_SHA512_LEN)
		return -EINVAL;
	crypto_auth_hmacsha512_init(&keyed, prk, CRYPTO_SHA512_LEN);
	while (len) {
		size_t take = len < sizeof(block) ? len : sizeof(block);

		st = keyed;
		if (counter)
			crypto_auth_hmacsha512_update(&st, block, sizeof(block));
		for (size_t i = 0; i < n; i++)
			crypto_auth_hmacsha512_update(&st, info[i].data, info[i].len);
		counter++;
		crypto_auth_hmacsha512_update(&st, &counter, 1);
		crypto_auth_hmacsha512_final(&st, block);
		memcpy(out, block, take);
		out += take;
		len -= take;
	}
	crypto_wipe(&keyed, sizeof(keyed));
	crypto_wipe(&st, sizeof(st));
	crypto_wipe(block, sizeof(block));
	return 0;
}

void crypto_xseal(const uint8_t key[CRYPTO_KEY_LEN], const uint8_t nonce[CRYPTO_XNONCE_LEN],
		  const void *ad, size_t ad_len, const void *plain, size_t len, void *ret)
{
	crypto_aead_xchacha20poly1305_ietf_encrypt(ret, NULL, plain, len, ad, ad_len, NULL, nonce,
						   key);
}

int crypto_xopen(const uint8_t key[CRYPTO_KEY_LEN], const uint8_t nonce[CRYPTO_XNONCE_LEN],
		 const void *ad, size_t ad_len, const void *cipher, size_t len, void *ret)
{
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(ret, NULL, NULL, cipher, len, ad, ad_len,
						       nonce, key) != 0)
		return -EBADMSG;
	return 0;
}

int crypto_stretch(const void *passphrase, size_t len, const uint8_t salt[CRYPTO_SALT_LEN],
		   uint32_t passes, uint32_t mib, uint8_t ret_key[CRYPTO_KEY_LEN])
{
	if (passes < 1 || passes > CRYPTO_STRETCH_PASSES_MAX || mib < CRYPTO_STRETCH_MIB_MIN ||
	    mib > CRYPTO_STRETCH_MIB_MAX)
		return -EINVAL;
	if (crypto_pwhash_argon2id(ret_key, CRYPTO_KEY_LEN, passphrase, len, salt, passes,
				   (size_t)mib << 20, crypto_pwhash_argon2id_ALG_ARGON2ID13) != 0)
		return -ENOMEM;
	return 0;
}

static int chachapoly_seal(const uint8_t *key, const uint8_t *nonce, const void *ad, size_t ad_len,
			   const void *plain, size_t len, void *ret)
{
	crypto_aead_chacha20poly1305_ietf_encrypt(ret, NULL, plain, len, ad, ad_len, NULL, nonce,
						  key);
	return 0;
}

static int chachapoly_open(const uint8_t *key, const uint8_t *nonce, const void *ad, size_t ad_len,
			   const void *cipher, size_t len, void *ret)
{
	if (crypto_aead_chacha20poly1305_ietf_decrypt(ret, NULL, NULL, cipher, len, ad, ad_len,
						      nonce, key) != 0)
		return -EBADMSG;
	return 0;
}

static int gcm_seal(const uint8_t *key, const uint8_t *nonce, const void *ad, size_t ad_len,
		    const void *plain, size_t len, void *ret)
{
	crypto_aead_aes256gcm_encrypt(ret, NULL, plain, len, ad, ad_len, NULL, nonce, key);
	return 0;
}

static int gcm_open(const uint8_t *key, const uint8_t *nonce, const void *ad, size_t ad_len,
		    const void *cipher, size_t len, void *ret)
{
	if (crypto_aead_aes256gcm_decrypt(ret, NULL, NULL, cipher, len, ad, ad_len, nonce, key) !=
	    0)
		return -EBADMSG;
	return 0;
}

static int long_seal(const uint8_t *key, const uint8_t *nonce, const void *ad, size_t ad_len,
		     const void *plain, size_t len, void *ret)
{
	if (len < CRYPTO_LONG)
		return gcm_seal(key, nonce, ad, ad_len, plain, len, ret);
	return crypto_openssl_gcm()->seal(key, nonce, ad, ad_len, plain, len, ret);
}

static int long_open(const uint8_t *key, const uint8_t *nonce, const void *ad, size_t ad_len,
		     const void *cipher, size_t len, void *ret)
{
	if (len < CRYPTO_LONG)
		return gcm_open(key, nonce, ad, ad_len, cipher, len, ret);
	return crypto_openssl_gcm()->open(key, nonce, ad, ad_len, cipher, len, ret);
}

const struct crypto_aead *crypto_aead_from(enum crypto_aead_id id, enum crypto_backend backend)
{
	static const struct crypto_aead chachapoly = {
		.name = "ChaCha20-Poly1305",
		.backend = CRYPTO_SODIUM,
		.seal = chachapoly_seal,
		.open = chachapoly_open,
	};
	static const struct crypto_aead gcm = {
		.name = "AES-256-GCM",
		.backend = CRYPTO_SODIUM,
		.seal = gcm_seal,
		.open = gcm_open,
	};

	if (id == CRYPTO_CHACHA20_POLY1305)
		return backend == CRYPTO_SODIUM ? &chachapoly : NULL;
	if (id != CRYPTO_AES_256_GCM)
		return NULL;
	switch (backend) {
	case CRYPTO_SODIUM:
		return crypto_aead_aes256gcm_is_available() ? &gcm : NULL;
	case CRYPTO_OPENSSL:
		return crypto_openssl_gcm();
	case CRYPTO_BY_LENGTH:
	case CRYPTO_BACKEND_COUNT:
		break;
	}
	return NULL;
}

const struct crypto_aead *crypto_aead_choose(const struct crypto_aead *sodium,
					     const struct crypto_aead *openssl)
{
	static const struct crypto_aead by_length = {
		.name = "AES-256-GCM",
		.backend = CRYPTO_BY_LENGTH,
		.seal = long_seal,
		.open = long_open,
	};

	if (sodium && openssl)
		return &by_length;
	return sodium ? sodium : openssl;
}

const struct crypto_aead *crypto_aead_get(enum crypto_aead_id id)
{
	static const struct crypto_aead *gcm;

	if (id != CRYPTO_AES_256_GCM)
		return crypto_aead_from(id, CRYPTO_SODIUM);
	if (!gcm)
		gcm = crypto_aead_choose(crypto_aead_from(id, CRYPTO_SODIUM),
					 crypto_aead_from(id, CRYPTO_OPENSSL));
	return gcm;
}

void crypto_blake2b(const uint8_t *key, const struct crypto_part *parts, size_t n,
		    uint8_t ret_hash[CRYPTO_HASH_LEN])
{
	crypto_generichash_blake2b_state st;

	crypto_generichash_blake2b_init(&st, key, key ? CRYPTO_KEY_LEN : 0, CRYPTO_HASH_LEN);
	for (size_t i = 0; i < n; i++)
		crypto_generichash_blake2b_update(&st, parts[i].data, parts[i].len);
	crypto_generichash_blake2b_final(&st, ret_hash, CRYPTO_HASH_LEN);
	crypto_wipe(&st, sizeof(st));
}

void crypto_box_seal_for(const uint8_t public_key[CRYPTO_KEY_LEN], const void *plain, size_t len,
			 void *ret)
{
	/* Fails for a public key of low order only; then what is there must not be readable by everybody. */
	if (crypto_box_seal(ret, plain, len, public_key) != 0)
		randombytes_buf(ret, len + CRYPTO_BOX_EXTRA);
}

int crypto_box_open_with(const uint8_t private_key[CRYPTO_KEY_LEN], const void *cipher, size_t len,
			 void *ret)
{
	uint8_t public_key[CRYPTO_KEY_LEN];

	crypto_scalarmult_curve25519_base(public_key, private_key);
	return crypto_box_seal_open(ret, cipher, len, public_key, private_key) == 0 ? 0 : -EBADMSG;
}

void crypto_sign_public(const uint8_t seed[CRYPTO_KEY_LEN], uint8_t ret_public[CRYPTO_KEY_LEN])
{
	uint8_t secret[crypto_sign_ed25519_SECRETKEYBYTES];

	crypto_sign_ed25519_seed_keypair(ret_public, secret, seed);
	crypto_wipe(secret, sizeof(secret));
}

void crypto_sign_with(const uint8_t seed[CRYPTO_KEY_LEN], const void *message, size_t len,
		      uint8_t ret_signature[CRYPTO_SIGN_LEN])
{
	uint8_t secret[crypto_sign_ed25519_SECRETKEYBYTES], public_key[CRYPTO_KEY_LEN];

	crypto_sign_ed25519_seed_keypair(public_key, secret, seed);
	crypto_sign_ed25519_detached(ret_signature, NULL, message, len, secret);
	crypto_wipe(secret, sizeof(secret));
}
