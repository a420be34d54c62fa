// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * daemon/crypto.c against Project Wycheproof's vectors, and what it promises about memory.
 */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"
#include "vectors.h"
#include "util/window.h"

static json_t *x25519, *hkdf;

static void x25519_agrees_with_wycheproof_and_refuses_low_order_points(void **state)
{
	size_t g, t, zero = 0, tried = 0;
	json_t *group, *test;

	json_array_foreach(json_object_get(x25519, "testGroups"), g, group)
	{
		json_array_foreach(json_object_get(group, "tests"), t, test)
		{
			struct bytes public, private, shared;
			uint8_t out[32], any = 0;
			int r;

			vectors_hex(test, "public", &public);
			vectors_hex(test, "private", &private);
			vectors_hex(test, "shared", &shared);
			assert_int_equal(public.len, 32);
			r = crypto_x25519(private.p, public.p, out);
			for (size_t i = 0; i < 32; i++)
				any |= shared.p[i];
			assert_int_equal(r, any ? 0 : -EPROTO);
			assert_memory_equal(out, shared.p, 32);
			zero += !any;
			tried++;
		}
	}
	assert_true(tried >= 500);
	assert_true(zero > 0);
}

static void hkdf_agrees_with_wycheproof(void **state)
{
	size_t g, t, tried = 0;
	json_t *group, *test;

	json_array_foreach(json_object_get(hkdf, "testGroups"), g, group)
	{
		json_array_foreach(json_object_get(group, "tests"), t, test)
		{
			size_t size = (size_t)json_integer_value(json_object_get(test, "size"));
			bool valid = strcmp(vectors_text(test, "result"), "valid") == 0;
			static uint8_t out[20000];
			struct bytes ikm, salt, info, okm;
			uint8_t prk[64];
			int r;

			vectors_hex(test, "ikm", &ikm);
			vectors_hex(test, "salt", &salt);
			vectors_hex(test, "info", &info);
			vectors_hex(test, "okm", &okm);
			crypto_hkdf_extract(salt.p, salt.len,
					    &(struct crypto_part){ ikm.p, ikm.len }, 1, prk);
			r = crypto_hkdf_expand(prk, &(struct crypto_part){ info.p, info.len }, 1,
					       out, size);
			assert_int_equal(r, valid ? 0 : -EINVAL);
			if (valid)
				assert_memory_equal(out, okm.p, size);
			tried++;
		}
	}
	assert_true(tried >= 80);
}

static void hkdf_refuses_absurd_lengths(void **state)
{
	static uint8_t out[255 * 64];
	uint8_t prk[64] = { 1 };

	assert_int_equal(crypto_hkdf_expand(prk, NULL, 0, out, 0), -EINVAL);
	assert_int_equal(crypto_hkdf_expand(prk, NULL, 0, out, sizeof(out) + 1), -EINVAL);
	assert_int_equal(crypto_hkdf_expand(prk, NULL, 0, out, sizeof(out)), 0);
}

static void unknown_cipher_is_refused(void **state)
{
	assert_null(crypto_aead_get(CRYPTO_AEAD_COUNT));
	assert_non_null(crypto_aead_get(CRYPTO_CHACHA20_POLY1305));
}

static void secret_memory_is_zeroed_and_usable(void **state)
{
	uint8_t *p = crypto_secret_new(5000);

	assert_non_null(p);
	for (size_t i = 0; i < 5000; i++)
		assert_int_equal(p[i], 0);
	memset(p, 0xaa, 5000);
	assert_null(crypto_secret_free(p));
	assert_null(crypto_secret_free(NULL));
	assert_null(crypto_secret_new(0));
}

static void secret_memory_is_wiped_when_freed_and_zeroed_when_handed_out_again(void **state)
{
	uint8_t *p[20], *again;

	for (size_t i = 0; i < 20; i++) {
		p[i] = crypto_secret_new(777);
		assert_non_null(p[i]);
		memset(p[i], 0x77, 777);
	}
	for (size_t i = 0; i < 20; i++)
		crypto_secret_free(p[i]);
	/* The first one freed is kept, so it can be looked at. */
	for (size_t b = 0; b < 777; b++)
		assert_int_equal(p[0][b], 0);
	again = crypto_secret_new(777);
	assert_non_null(again);
	for (size_t b = 0; b < 777; b++)
		assert_int_equal(again[b], 0);
	crypto_secret_free(again);
}

static void secret_memory_that_was_overrun_ends_the_program(void **state)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		uint8_t *p;

		/* A process of its own: a child does not free its parent's secrets. */
		if (crypto_init() < 0)
			_exit(1);
		p = crypto_secret_new(48);
		p[-1] ^= 1;
		crypto_secret_free(p);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void secret_memory_is_empty_in_a_forked_child(void **state)
{
	uint8_t *p = crypto_secret_new(32);
	int status;
	pid_t pid;

	assert_non_null(p);
	memset(p, 0x5a, 32);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		uint8_t any = 0;

		for (size_t i = 0; i < 32; i++)
			any |= p[i];
		/* Must not abort over the canary, which is gone as well. */
		crypto_secret_free(p);
		_exit(any ? 1 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(p[31], 0x5a);
	crypto_secret_free(p);
}

static int probe(const char *how)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		execl(LOCK_PROBE, LOCK_PROBE, how, NULL);
		_exit(126);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void secret_memory_is_locked_undumpable_and_wiped_on_fork(void **state)
{
	assert_int_equal(probe("locked"), 0);
}

static void forked_child_finds_no_secret_in_all_its_memory(void **state)
{
	assert_int_equal(probe("forked"), 0);
}

static void deny_secret_memory_that_cannot_be_locked(void **state)
{
	assert_int_equal(probe("unlockable"), 0);
}

static void equal_compares_every_byte(void **state)
{
	uint8_t a[64] = {}, b[64] = {};

	assert_true(crypto_equal(a, b, sizeof(a)));
	for (size_t i = 0; i < sizeof(a); i++) {
		b[i] = 1;
		assert_false(crypto_equal(a, b, sizeof(a)));
		b[i] = 0;
	}
}

/* ---- the replay window, which both the channel and the media use ---- */

static void window_takes_each_number_once(void **state)
{
	struct window w = {};

	assert_true(window_fresh(&w, 0));
	for (uint64_t i = 0; i < 5000; i++) {
		assert_true(window_fresh(&w, i));
		window_mark(&w, i);
		assert_false(window_fresh(&w, i));
	}
}

static void window_edge_is_at_1024(void **state)
{
	struct window w = {};

	window_mark(&w, 5000);
	assert_true(window_fresh(&w, 5000 - 1023));
	assert_false(window_fresh(&w, 5000 - 1024));
	window_mark(&w, 5000 - 1023);
	assert_false(window_fresh(&w, 5000 - 1023));
	/* Moving on by one forgets the oldest and takes the newest. */
	window_mark(&w, 5001);
	assert_false(window_fresh(&w, 5000));
	assert_false(window_fresh(&w, 5000 - 1023));
	assert_true(window_fresh(&w, 5001 - 1023));
}

static void window_jump_clears_what_it_passes(void **state)
{
	struct window w = {};

	for (uint64_t i = 0; i < 1024; i++)
		window_mark(&w, i);
	window_mark(&w, 1500);
	for (uint64_t i = 1500 - 1023; i < 1024; i++)
		assert_false(window_fresh(&w, i));
	for (uint64_t i = 1024; i < 1500; i++)
		assert_true(window_fresh(&w, i));
	window_mark(&w, 1500 + 4096);
	for (uint64_t i = 1500 + 4096 - 1023; i < 1500 + 4096; i++)
		assert_true(window_fresh(&w, i));
}

static void window_never_wraps(void **state)
{
	struct window w = {};

	assert_false(window_fresh(&w, UINT64_MAX));
	window_mark(&w, UINT64_MAX - 1);
	assert_false(window_fresh(&w, UINT64_MAX));
	assert_false(window_fresh(&w, UINT64_MAX - 1));
	assert_true(window_fresh(&w, UINT64_MAX - 2));
	assert_false(window_fresh(&w, 0));
}

int main(void)
{
	struct unit u = {};

	if (crypto_init() < 0)
		return 1;
	UNIT(&u, hkdf_refuses_absurd_lengths);
	UNIT(&u, unknown_cipher_is_refused);
	UNIT(&u, secret_memory_is_zeroed_and_usable);
	UNIT(&u, secret_memory_is_wiped_when_freed_and_zeroed_when_handed_out_again);
	UNIT(&u, secret_memory_that_was_overrun_ends_the_program);
	UNIT(&u, secret_memory_is_empty_in_a_forked_child);
	UNIT(&u, secret_memory_is_locked_undumpable_and_wiped_on_fork);
	UNIT(&u, forked_child_finds_no_secret_in_all_its_memory);
	UNIT(&u, deny_secret_memory_that_cannot_be_locked);
	UNIT(&u, equal_compares_every_byte);
	UNIT(&u, window_takes_each_number_once);
	UNIT(&u, window_edge_is_at_1024);
	UNIT(&u, window_jump_clears_what_it_passes);
	UNIT(&u, window_never_wraps);
	x25519 = vectors_load(&u, "x25519", "wycheproof/x25519_test.json");
	if (x25519)
		UNIT(&u, x25519_agrees_with_wycheproof_and_refuses_low_order_points);
	hkdf = vectors_load(&u, "hkdf_sha512", "wycheproof/hkdf_sha512_test.json");
	if (hkdf)
		UNIT(&u, hkdf_agrees_with_wycheproof);
	return unit_run(&u);
}
