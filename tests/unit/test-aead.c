// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The ciphers of daemon/crypto.c and daemon/crypto-openssl.c: against Project Wycheproof's vectors, both backends of AES-256-GCM
 * against each other, and what happens where a machine has one of them or none.
 */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sframe.h"
#include "unit.h"
#include "vectors.h"

#define LENGTH_MAX 4200
#define AD_MAX	   300

static json_t *chachapoly, *gcm;
static const struct crypto_aead *backends[CRYPTO_BACKEND_COUNT];
static const char *const backend_names[CRYPTO_BACKEND_COUNT] = { "libsodium", "openssl",
								 "by length" };

/* The linker puts this in place of the real one for everybody but crypto.c. */
static bool absent;
const struct crypto_aead *__real_crypto_aead_get(enum crypto_aead_id id);
const struct crypto_aead *__wrap_crypto_aead_get(enum crypto_aead_id id);

const struct crypto_aead *__wrap_crypto_aead_get(enum crypto_aead_id id)
{
	return absent && id == CRYPTO_AES_256_GCM ? NULL : __real_crypto_aead_get(id);
}

static size_t aead_run(const struct crypto_aead *aead, const json_t *root)
{
	size_t g, t, tried = 0;
	json_t *group, *test;

	json_array_foreach(json_object_get(root, "testGroups"), g, group)
	{
		if (json_integer_value(json_object_get(group, "keySize")) != 256 ||
		    json_integer_value(json_object_get(group, "ivSize")) != 96 ||
		    json_integer_value(json_object_get(group, "tagSize")) != 128)
			continue;
		json_array_foreach(json_object_get(group, "tests"), t, test)
		{
			bool valid = strcmp(vectors_text(test, "result"), "valid") == 0;
			static struct bytes key, iv, ad, msg, ct, tag;
			static uint8_t out[20016];

			vectors_hex(test, "key", &key);
			vectors_hex(test, "iv", &iv);
			vectors_hex(test, "aad", &ad);
			vectors_hex(test, "msg", &msg);
			vectors_hex(test, "ct", &ct);
			vectors_hex(test, "tag", &tag);
			memcpy(ct.p + ct.len, tag.p, tag.len);
			ct.len += tag.len;
			assert_int_equal(aead->open(key.p, iv.p, ad.p, ad.len, ct.p, ct.len, out),
					 valid ? 0 : -EBADMSG);
			tried++;
			if (!valid)
				continue;
			assert_memory_equal(out, msg.p, msg.len);
			assert_int_equal(aead->seal(key.p, iv.p, ad.p, ad.len, msg.p, msg.len, out),
					 0);
			assert_memory_equal(out, ct.p, ct.len);
		}
	}
	return tried;
}

static void chacha20_poly1305_agrees_with_wycheproof(void **state)
{
	assert_true(aead_run(crypto_aead_get(CRYPTO_CHACHA20_POLY1305), chachapoly) >= 300);
}

static void aes_256_gcm_of_libsodium_agrees_with_wycheproof(void **state)
{
	assert_true(aead_run(backends[CRYPTO_SODIUM], gcm) >= 60);
}

static void aes_256_gcm_of_openssl_agrees_with_wycheproof(void **state)
{
	assert_true(aead_run(backends[CRYPTO_OPENSSL], gcm) >= 60);
}

static void aes_256_gcm_by_length_agrees_with_wycheproof(void **state)
{
	assert_true(aead_run(backends[CRYPTO_BY_LENGTH], gcm) >= 60);
}

/* One random input and what each backend makes of it. */
static struct input {
	uint8_t key[CRYPTO_KEY_LEN], nonce[CRYPTO_NONCE_LEN], ad[AD_MAX];
	uint8_t plain[LENGTH_MAX], sealed[LENGTH_MAX + CRYPTO_TAG_LEN];
	size_t ad_len, len;
} in;

static void draw(size_t len)
{
	uint16_t n;

	crypto_random(&in, sizeof(in));
	crypto_random(&n, sizeof(n));
	in.ad_len = n % (AD_MAX + 1);
	in.len = len;
	assert_int_equal(backends[CRYPTO_SODIUM]->seal(in.key, in.nonce, in.ad, in.ad_len, in.plain,
						       len, in.sealed),
			 0);
}

static int open_in(const struct crypto_aead *aead, size_t len, uint8_t *ret)
{
	return aead->open(in.key, in.nonce, in.ad, in.ad_len, in.sealed, len, ret);
}

static void backends_make_the_same_bytes_at_every_length(void **state)
{
	static uint8_t out[LENGTH_MAX + CRYPTO_TAG_LEN];

	for (size_t len = 0; len <= LENGTH_MAX; len++) {
		draw(len);
		for (size_t b = 0; b < CRYPTO_BACKEND_COUNT; b++) {
			assert_int_equal(backends[b]->seal(in.key, in.nonce, in.ad, in.ad_len,
							   in.plain, len, out),
					 0);
			assert_memory_equal(out, in.sealed, len + CRYPTO_TAG_LEN);
			assert_int_equal(open_in(backends[b], len + CRYPTO_TAG_LEN, out), 0);
			assert_memory_equal(out, in.plain, len);
		}
	}
}

static void backends_seal_and_open_in_place(void **state)
{
	static uint8_t room[LENGTH_MAX + CRYPTO_TAG_LEN];

	for (size_t len = 0; len <= LENGTH_MAX; len += 7) {
		draw(len);
		for (size_t b = 0; b < CRYPTO_BACKEND_COUNT; b++) {
			memcpy(room, in.plain, len);
			assert_int_equal(backends[b]->seal(in.key, in.nonce, in.ad, in.ad_len, room,
							   len, room),
					 0);
			assert_memory_equal(room, in.sealed, len + CRYPTO_TAG_LEN);
			assert_int_equal(backends[b]->open(in.key, in.nonce, in.ad, in.ad_len, room,
							   len + CRYPTO_TAG_LEN, room),
					 0);
			assert_memory_equal(room, in.plain, len);
		}
	}
}

static void backends_agree_on_a_frame_of_4_mib(void **state)
{
	size_t len = 4u << 20;
	uint8_t *plain = malloc(len), *a = malloc(len + CRYPTO_TAG_LEN),
		*b = malloc(len + CRYPTO_TAG_LEN);

	assert_true(plain && a && b);
	draw(0);
	crypto_random(plain, len);
	assert_int_equal(backends[CRYPTO_SODIUM]->seal(in.key, in.nonce, in.ad, in.ad_len, plain,
						       len, a),
			 0);
	assert_int_equal(backends[CRYPTO_OPENSSL]->seal(in.key, in.nonce, in.ad, in.ad_len, plain,
							len, b),
			 0);
	assert_memory_equal(a, b, len + CRYPTO_TAG_LEN);
	free(plain);
	free(a);
	free(b);
}

/* Refused by every backend, and no byte of the plaintext comes out. */
static void assert_refused(size_t len)
{
	static uint8_t out[LENGTH_MAX];

	for (size_t b = 0; b < CRYPTO_BACKEND_COUNT; b++) {
		memset(out, 0, sizeof(out));
		assert_int_equal(open_in(backends[b], len, out), -EBADMSG);
		for (size_t i = 0; i < sizeof(out); i++)
			assert_int_equal(out[i], 0);
	}
}

static void flip(uint8_t *p, size_t at)
{
	p[at] ^= (uint8_t)(1u << (at % 8));
}

static const size_t edges[] = { 0, 1, 15, 16, 17, 64, 2048, 4095, 4096, 4097 };

static void backends_refuse_one_changed_bit_anywhere(void **state)
{
	for (size_t e = 0; e < ARRAY_SIZE(edges); e++) {
		size_t step = edges[e] < 100 ? 1 : 97;
		size_t sealed = edges[e] + CRYPTO_TAG_LEN;

		draw(edges[e]);
		for (size_t i = 0; i < sealed; i += step) {
			flip(in.sealed, i);
			assert_refused(sealed);
			flip(in.sealed, i);
		}
		for (size_t i = sealed - CRYPTO_TAG_LEN; i < sealed; i++) {
			flip(in.sealed, i);
			assert_refused(sealed);
			flip(in.sealed, i);
		}
		for (size_t i = 0; i < in.ad_len; i += step) {
			flip(in.ad, i);
			assert_refused(sealed);
			flip(in.ad, i);
		}
		flip(in.key, e);
		assert_refused(sealed);
		flip(in.key, e);
		flip(in.nonce, e);
		assert_refused(sealed);
		flip(in.nonce, e);
		/* The twin: with everything put back it opens. */
		for (size_t b = 0; b < CRYPTO_BACKEND_COUNT; b++) {
			static uint8_t out[LENGTH_MAX];

			assert_int_equal(open_in(backends[b], sealed, out), 0);
			assert_memory_equal(out, in.plain, edges[e]);
		}
	}
}

static void backends_refuse_another_length(void **state)
{
	for (size_t e = 0; e < ARRAY_SIZE(edges); e++) {
		draw(edges[e]);
		for (size_t cut = 1; cut <= edges[e] + CRYPTO_TAG_LEN; cut += 1 + cut / 8)
			assert_refused(edges[e] + CRYPTO_TAG_LEN - cut);
		in.ad_len = in.ad_len ? in.ad_len - 1 : 1;
		assert_refused(edges[e] + CRYPTO_TAG_LEN);
	}
}

static void choice_is_libsodium_for_short_and_openssl_for_long_and_either_alone(void **state)
{
	const struct crypto_aead *sodium = backends[CRYPTO_SODIUM];
	const struct crypto_aead *openssl = backends[CRYPTO_OPENSSL];

	assert_int_equal(crypto_aead_choose(sodium, openssl)->backend, CRYPTO_BY_LENGTH);
	assert_ptr_equal(crypto_aead_choose(sodium, NULL), sodium);
	assert_ptr_equal(crypto_aead_choose(NULL, openssl), openssl);
}

static void no_other_cipher_stands_in(void **state)
{
	assert_null(crypto_aead_from(CRYPTO_CHACHA20_POLY1305, CRYPTO_OPENSSL));
	assert_null(crypto_aead_from(CRYPTO_AES_256_GCM, CRYPTO_BACKEND_COUNT));
	assert_null(crypto_aead_from(CRYPTO_AEAD_COUNT, CRYPTO_OPENSSL));
	assert_null(crypto_aead_get(CRYPTO_AEAD_COUNT));
	assert_null(crypto_aead_choose(NULL, NULL));
}

static void frames_are_refused_without_a_cipher_and_sealed_with_one(void **state)
{
	struct sframe_receiver r;
	struct sframe_sender s;
	uint8_t key[32] = { 1 };

	absent = true;
	assert_int_equal(sframe_sender_init(&s, 1, key, sizeof(key)), -ENOTSUP);
	assert_int_equal(sframe_receiver_init(&r, 1, key, sizeof(key)), -ENOTSUP);
	absent = false;
	assert_int_equal(sframe_sender_init(&s, 1, key, sizeof(key)), 0);
	assert_int_equal(sframe_receiver_init(&r, 1, key, sizeof(key)), 0);
}

/* A configuration under which OpenSSL's default context has no cipher at all. */
static const char trap[] =
	"openssl_conf = a\n[a]\nproviders = b\n[b]\nnull = c\n[c]\nactivate = 1\n";

static int probe(const char *how)
{
	char path[] = "/tmp/callgate-aead-XXXXXX";
	int fd = mkstemp(path), status;
	pid_t pid;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, trap, strlen(trap)), strlen(trap));
	close(fd);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		setenv("OPENSSL_CONF", path, 1);
		execl("/proc/self/exe", "test-aead", how, NULL);
		_exit(126);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	unlink(path);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* The other side of probe(): 0 when there is a cipher, 1 when there is none. */
static int probed(const char *how)
{
	EVP_CIPHER *fetched;
	int r;

	if (strcmp(how, "ours") == 0)
		return crypto_aead_from(CRYPTO_AES_256_GCM, CRYPTO_OPENSSL) ? 0 : 1;
	fetched = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	r = fetched ? 0 : 1;
	EVP_CIPHER_free(fetched);
	return r;
}

static void openssl_reads_no_configuration_file(void **state)
{
	assert_int_equal(probe("ours"), 0);
	/* The twin: without our care the same file takes the cipher away. */
	assert_int_equal(probe("default"), 1);
}

int main(int argc, char **argv)
{
	struct unit u = {};
	bool both = true;

	if (crypto_init() < 0)
		return 1;
	if (argc == 2)
		return probed(argv[1]);
	backends[CRYPTO_SODIUM] = crypto_aead_from(CRYPTO_AES_256_GCM, CRYPTO_SODIUM);
	backends[CRYPTO_OPENSSL] = crypto_aead_from(CRYPTO_AES_256_GCM, CRYPTO_OPENSSL);
	backends[CRYPTO_BY_LENGTH] =
		crypto_aead_choose(backends[CRYPTO_SODIUM], backends[CRYPTO_OPENSSL]);
	for (size_t b = 0; b < CRYPTO_BACKEND_COUNT; b++)
		if (!backends[b]) {
			unit_skip(&u, backend_names[b], "this machine has no AES-256-GCM there");
			both = false;
		}
	UNIT(&u, no_other_cipher_stands_in);
	UNIT(&u, frames_are_refused_without_a_cipher_and_sealed_with_one);
	UNIT(&u, openssl_reads_no_configuration_file);
	if (both) {
		UNIT(&u, choice_is_libsodium_for_short_and_openssl_for_long_and_either_alone);
		UNIT(&u, backends_make_the_same_bytes_at_every_length);
		UNIT(&u, backends_seal_and_open_in_place);
		UNIT(&u, backends_agree_on_a_frame_of_4_mib);
		UNIT(&u, backends_refuse_one_changed_bit_anywhere);
		UNIT(&u, backends_refuse_another_length);
	}
	chachapoly =
		vectors_load(&u, "chacha20_poly1305", "wycheproof/chacha20_poly1305_test.json");
	if (chachapoly)
		UNIT(&u, chacha20_poly1305_agrees_with_wycheproof);
	gcm = vectors_load(&u, "aes_256_gcm", "wycheproof/aes_gcm_test.json");
	if (gcm && backends[CRYPTO_SODIUM])
		UNIT(&u, aes_256_gcm_of_libsodium_agrees_with_wycheproof);
	if (gcm && backends[CRYPTO_OPENSSL])
		UNIT(&u, aes_256_gcm_of_openssl_agrees_with_wycheproof);
	if (gcm && both)
		UNIT(&u, aes_256_gcm_by_length_agrees_with_wycheproof);
	return unit_run(&u);
}
