// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * daemon/identity.c: derivation, pins, the decoder against damage; daemon/util/file.c, which stores the bytes.
 */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "identity.h"
#include "unit.h"
#include "util/file.h"

#define APP_X "exe:/usr/bin/x"
#define APP_Y "flatpak:org.example.Y"

static const uint8_t key_1[32] = { 1 }, key_2[32] = { 2 }, key_3[32] = { 3 };

static struct identity *fresh(void)
{
	struct identity *id = NULL;

	assert_int_equal(identity_new(&id), 0);
	return id;
}

/* Two contacts of X, one of them with two keys, and one of Y. */
static struct identity *with_pins(void)
{
	struct identity *id = fresh();

	assert_int_equal(identity_pin(id, APP_X, "bob", key_1, IDENTITY_VERIFIED), 0);
	assert_int_equal(identity_pin(id, APP_X, "bob", key_2, IDENTITY_PINNED), 0);
	assert_int_equal(identity_pin(id, APP_X, "zoë 日本", key_3, IDENTITY_PINNED), 0);
	assert_int_equal(identity_pin(id, APP_Y, "robert", key_1, IDENTITY_PINNED), 0);
	return id;
}

static void labels_have_keys_of_their_own(void **state)
{
	_cleanup_(identity_free_p) struct identity *a = fresh(), *b = fresh();
	uint8_t s1[32], s2[32], p1[32], p2[32], p3[32];

	assert_int_equal(identity_static_key(a, APP_X, s1, p1), 0);
	assert_int_equal(identity_static_key(a, APP_X, s2, p2), 0);
	assert_memory_equal(s1, s2, 32);
	assert_memory_equal(p1, p2, 32);
	crypto_x25519_public(s1, p3);
	assert_memory_equal(p1, p3, 32);
	assert_int_equal(identity_static_key(a, APP_Y, s2, p2), 0);
	assert_memory_not_equal(p1, p2, 32);
	assert_int_equal(identity_static_key(b, APP_X, s2, p2), 0);
	assert_memory_not_equal(p1, p2, 32);
}

/* Computed with Python's hmac module from protocol.md's formula. */
static void static_key_is_the_formula(void **state)
{
	static const uint8_t file[] = "CGID\1"
				      "0123456789abcdef0123456789abcdef\0";
	static const uint8_t expected[32] = { 0x43, 0x5c, 0x6e, 0x50, 0x32, 0x89, 0x7f, 0x8b,
					      0x80, 0xe8, 0x15, 0x65, 0x24, 0xe5, 0x89, 0x92,
					      0xcd, 0x85, 0x31, 0xc5, 0xff, 0xe4, 0x82, 0x7b,
					      0xbd, 0x54, 0x75, 0xf1, 0x5e, 0x5f, 0xca, 0xad };
	_cleanup_(identity_free_p) struct identity *id = NULL;
	uint8_t s[32], p[32];

	assert_int_equal(identity_decode(&id, file, sizeof(file)), 0);
	assert_int_equal(identity_static_key(id, APP_X, s, p), 0);
	assert_memory_equal(s, expected, 32);
}

static void labels_are_checked(void **state)
{
	static const char *const bad[] = { "",		"exe:",	      "exe:usr/bin/x", "exe:/",
					   "other:x",	"flatpak:",   "/usr/bin/x",    "exe:/a\nb",
					   "exe:/\xff", "Exe:/usr/x", "user:relative" };
	static const char *const good[] = {
		APP_X, APP_Y, "snap:x", "script:-", "appimage:x.AppImage", "user:/home/u/bin/tool"
	};
	_cleanup_(identity_free_p) struct identity *id = fresh();
	char longest[IDENTITY_LABEL_MAX + 2];
	uint8_t s[32], p[32];

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(identity_static_key(id, bad[i], s, p), -EINVAL);
		assert_int_equal(identity_pin(id, bad[i], "bob", key_1, IDENTITY_PINNED), -EINVAL);
	}
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_int_equal(identity_static_key(id, good[i], s, p), 0);
	memset(longest, 'a', sizeof(longest));
	memcpy(longest, "exe:/", 5);
	longest[IDENTITY_LABEL_MAX + 1] = '\0';
	assert_int_equal(identity_static_key(id, longest, s, p), -EINVAL);
	longest[IDENTITY_LABEL_MAX] = '\0';
	assert_int_equal(identity_static_key(id, longest, s, p), 0);
}

static void names_are_checked(void **state)
{
	static const char *const bad[] = { "",	   "a\nb",     "a\tb",	  "\x7f",
					   "\xc3", "\xc0\xaf", "a\x1b[1m" };
	_cleanup_(identity_free_p) struct identity *id = fresh();
	char longest[IDENTITY_NAME_MAX + 2];

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(identity_pin(id, APP_X, bad[i], key_1, IDENTITY_PINNED), -EINVAL);
	memset(longest, 'n', sizeof(longest));
	longest[IDENTITY_NAME_MAX + 1] = '\0';
	assert_int_equal(identity_pin(id, APP_X, longest, key_1, IDENTITY_PINNED), -EINVAL);
	longest[IDENTITY_NAME_MAX] = '\0';
	assert_int_equal(identity_pin(id, APP_X, longest, key_1, IDENTITY_PINNED), 0);
	assert_int_equal(identity_pin(id, APP_X, "bob", key_2, IDENTITY_UNKNOWN), -EINVAL);
	assert_int_equal(identity_pin(id, APP_X, "bob", key_2, IDENTITY_AUTH_COUNT), -EINVAL);
	assert_int_equal(identity_pin(id, APP_X, "bob", key_2, IDENTITY_PINNED), 0);
}

static void lookups_tell_who_is_there(void **state)
{
	_cleanup_(identity_free_p) struct identity *id = with_pins();
	enum identity_auth auth;

	assert_non_null(identity_by_key(id, APP_X, key_1, &auth));
	assert_int_equal(auth, IDENTITY_VERIFIED);
	assert_string_equal(identity_by_key(id, APP_X, key_2, &auth)->name, "bob");
	assert_int_equal(auth, IDENTITY_PINNED);
	assert_null(identity_by_key(id, APP_Y, key_2, &auth));
	assert_int_equal(auth, IDENTITY_UNKNOWN);

	assert_int_equal(identity_match(id, APP_X, "bob", key_1), IDENTITY_MATCH_OK);
	assert_int_equal(identity_match(id, APP_X, "bob", key_2), IDENTITY_MATCH_OK);
	assert_int_equal(identity_match(id, APP_X, NULL, key_2), IDENTITY_MATCH_OK);
	assert_int_equal(identity_match(id, APP_X, "bob", key_3), IDENTITY_MATCH_OTHER);
	assert_int_equal(identity_match(id, APP_X, "eve", key_1), IDENTITY_MATCH_OTHER);
	assert_int_equal(identity_match(id, APP_Y, "robert", key_2), IDENTITY_MATCH_MISMATCH);
	assert_int_equal(identity_match(id, APP_Y, "bob", key_2), IDENTITY_MATCH_NEW);
	assert_int_equal(identity_match(id, APP_Y, NULL, key_2), IDENTITY_MATCH_NEW);
}

static void pin_is_raised_never_lowered_nor_replaced(void **state)
{
	_cleanup_(identity_free_p) struct identity *id = with_pins();
	enum identity_auth auth;

	assert_int_equal(identity_pin(id, APP_X, "bob", key_1, IDENTITY_PINNED), 0);
	identity_by_key(id, APP_X, key_1, &auth);
	assert_int_equal(auth, IDENTITY_VERIFIED);
	assert_int_equal(identity_pin(id, APP_X, "bob", key_2, IDENTITY_VERIFIED), 0);
	identity_by_key(id, APP_X, key_2, &auth);
	assert_int_equal(auth, IDENTITY_VERIFIED);
	assert_int_equal(identity_pin(id, APP_X, "eve", key_1, IDENTITY_VERIFIED), -EEXIST);
	assert_string_equal(identity_by_key(id, APP_X, key_1, NULL)->name, "bob");
}

static void rename_and_forget_take_all_keys_of_one_label(void **state)
{
	_cleanup_(identity_free_p) struct identity *id = with_pins();
	const struct identity_pin *pins;

	assert_int_equal(identity_rename(id, APP_X, "bob", "zoë 日本"), -EEXIST);
	assert_int_equal(identity_rename(id, APP_X, "nobody", "x"), -ENOENT);
	assert_int_equal(identity_rename(id, APP_X, "bob", "a\nb"), -EINVAL);
	/* With the pin's own string as the old name. */
	identity_pins(id, &pins);
	assert_int_equal(identity_rename(id, APP_X, pins[0].name, "robert"), 0);
	assert_string_equal(identity_by_key(id, APP_X, key_1, NULL)->name, "robert");
	assert_string_equal(identity_by_key(id, APP_X, key_2, NULL)->name, "robert");
	assert_int_equal(identity_rename(id, APP_X, "robert", "robert"), 0);
	identity_pins(id, &pins);
	assert_int_equal(identity_forget(id, pins[0].label, pins[0].name), 2);
	assert_null(identity_by_key(id, APP_X, key_1, NULL));
	assert_non_null(identity_by_key(id, APP_Y, key_1, NULL));
	assert_int_equal(identity_forget(id, APP_X, "robert"), 0);
	assert_int_equal(identity_pins(id, &pins), 2);
}

static void pins_are_bounded(void **state)
{
	_cleanup_(identity_free_p) struct identity *id = fresh();
	uint8_t key[32] = {};

	for (unsigned int i = 0; i < IDENTITY_PINS_MAX; i++) {
		key[0] = (uint8_t)i;
		key[1] = (uint8_t)(i >> 8);
		assert_int_equal(identity_pin(id, APP_X, "bob", key, IDENTITY_PINNED), 0);
	}
	key[2] = 1;
	assert_int_equal(identity_pin(id, APP_X, "bob", key, IDENTITY_PINNED), -ENOSPC);
}

static void encoding_round_trips(void **state)
{
	_cleanup_(identity_free_p) struct identity *id = with_pins(), *back = NULL;
	const struct identity_pin *a, *b;
	uint8_t s1[32], s2[32], p1[32], p2[32], *data, *again;
	size_t len, again_len, n;

	assert_int_equal(identity_encode(id, &data, &len), 0);
	assert_true(len <= IDENTITY_ENCODED_MAX);
	assert_int_equal(identity_decode(&back, data, len), 0);
	n = identity_pins(id, &a);
	assert_int_equal(identity_pins(back, &b), n);
	for (size_t i = 0; i < n; i++) {
		assert_string_equal(a[i].label, b[i].label);
		assert_string_equal(a[i].name, b[i].name);
		assert_memory_equal(a[i].key, b[i].key, 32);
		assert_int_equal(a[i].auth, b[i].auth);
	}
	identity_static_key(id, APP_X, s1, p1);
	identity_static_key(back, APP_X, s2, p2);
	assert_memory_equal(s1, s2, 32);
	assert_int_equal(identity_encode(back, &again, &again_len), 0);
	assert_int_equal(len, again_len);
	assert_memory_equal(data, again, len);
	crypto_secret_free(again);
	crypto_secret_free(data);
}

/* Whatever the decoder takes, the encoder gives back byte for byte: there is one encoding, and nothing is read past the end. */
static void decoder_takes_only_what_the_encoder_gives(void **state)
{
	_cleanup_(identity_free_p) struct identity *id = with_pins();
	uint8_t *data, *bad, *again;
	size_t len, again_len;

	assert_int_equal(identity_encode(id, &data, &len), 0);
	for (size_t cut = 0; cut < len; cut++) {
		struct identity *other = NULL;

		bad = malloc(cut + 1);
		memcpy(bad, data, cut);
		assert_int_equal(identity_decode(&other, bad, cut), -EBADMSG);
		assert_null(other);
		free(bad);
	}
	bad = malloc(len + 1);
	memcpy(bad, data, len);
	bad[len] = 0;
	assert_int_equal(identity_decode(&(struct identity *){ NULL }, bad, len + 1), -EBADMSG);
	for (size_t i = 0; i < len; i++) {
		for (unsigned int x = 1; x < 256; x <<= 1) {
			struct identity *other = NULL;

			bad[i] ^= (uint8_t)x;
			if (identity_decode(&other, bad, len) == 0) {
				assert_int_equal(identity_encode(other, &again, &again_len), 0);
				assert_int_equal(again_len, len);
				assert_memory_equal(again, bad, len);
				crypto_secret_free(again);
				identity_free(other);
			}
			bad[i] ^= (uint8_t)x;
		}
	}
	/* The second pin with the first one's key: head 39 bytes, first pin 53. */
	assert_int_equal(bad[39 + 53 + 1], key_2[0]);
	bad[39 + 53 + 1] = key_1[0];
	assert_int_equal(identity_decode(&(struct identity *){ NULL }, bad, len), -EBADMSG);
	bad[39 + 53 + 1] = key_2[0];
	bad[4] = 2;
	assert_int_equal(identity_decode(&(struct identity *){ NULL }, bad, len), -EPROTONOSUPPORT);
	bad[4] = 0;
	assert_int_equal(identity_decode(&(struct identity *){ NULL }, bad, len), -EBADMSG);
	free(bad);
	crypto_secret_free(data);
}

static void auth_names(void **state)
{
	assert_string_equal(identity_auth_name(IDENTITY_UNKNOWN), "unknown");
	assert_string_equal(identity_auth_name(IDENTITY_PINNED), "pinned");
	assert_string_equal(identity_auth_name(IDENTITY_VERIFIED), "verified");
	assert_null(identity_auth_name(IDENTITY_AUTH_COUNT));
}

/* ---- files ---- */

static int test_dir = -1;
static char test_path[] = "/tmp/callgate-unit-XXXXXX";

static size_t entries(void)
{
	DIR *d = fdopendir(openat(test_dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	size_t n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

static void file_is_written_whole_and_read_back(void **state)
{
	uint8_t back[64];
	struct stat st;
	mode_t old = umask(0);

	assert_int_equal(file_write_private(test_dir, "a", "first", 5), 0);
	assert_int_equal(file_write_private(test_dir, "a", "second", 6), 0);
	umask(old);
	assert_int_equal(file_read_private(test_dir, "a", back, sizeof(back)), 6);
	assert_memory_equal(back, "second", 6);
	assert_int_equal(fstatat(test_dir, "a", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(entries(), 1);
	assert_int_equal(file_read_private(test_dir, "a", back, 6), 6);
	assert_int_equal(file_read_private(test_dir, "a", back, 5), -EFBIG);
	assert_int_equal(file_read_private(test_dir, "none", back, sizeof(back)), -ENOENT);
}

static void deny_reading_files_that_others_can_reach(void **state)
{
	uint8_t back[64];

	assert_int_equal(file_write_private(test_dir, "a", "x", 1), 0);
	assert_int_equal(symlinkat("a", test_dir, "link"), 0);
	assert_int_equal(file_read_private(test_dir, "link", back, sizeof(back)), -ELOOP);
	assert_int_equal(unlinkat(test_dir, "link", 0), 0);
	assert_int_equal(fchmodat(test_dir, "a", 0640, 0), 0);
	assert_int_equal(file_read_private(test_dir, "a", back, sizeof(back)), -EPERM);
	assert_int_equal(fchmodat(test_dir, "a", 0600, 0), 0);
	assert_int_equal(file_read_private(test_dir, "a", back, sizeof(back)), 1);
	assert_int_equal(linkat(test_dir, "a", test_dir, "b", 0), 0);
	assert_int_equal(file_read_private(test_dir, "a", back, sizeof(back)), -EPERM);
	assert_int_equal(unlinkat(test_dir, "b", 0), 0);
	assert_int_equal(mkfifoat(test_dir, "fifo", 0600), 0);
	assert_int_equal(file_read_private(test_dir, "fifo", back, sizeof(back)), -EPERM);
	assert_int_equal(unlinkat(test_dir, "fifo", 0), 0);
	if (geteuid() == 0) {
		assert_int_equal(fchownat(test_dir, "a", 65534, 65534, 0), 0);
		assert_int_equal(file_read_private(test_dir, "a", back, sizeof(back)), -EPERM);
		assert_int_equal(fchownat(test_dir, "a", 0, 0, 0), 0);
	}
	assert_int_equal(file_read_private(test_dir, "a", back, sizeof(back)), 1);
}

static void failed_write_leaves_the_old_file(void **state)
{
	uint8_t back[64];

	assert_int_equal(file_write_private(test_dir, "a", "old", 3), 0);
	assert_int_equal(file_write_private(test_dir, "../a", "new", 3), -EINVAL);
	assert_int_equal(file_write_private(test_dir, "", "new", 3), -EINVAL);
	/* A directory cannot be replaced by a file. */
	assert_int_equal(mkdirat(test_dir, "d", 0700), 0);
	assert_int_equal(file_write_private(test_dir, "d", "new", 3), -EISDIR);
	assert_int_equal(unlinkat(test_dir, "d", AT_REMOVEDIR), 0);
	assert_int_equal(entries(), 1);
	assert_int_equal(file_read_private(test_dir, "a", back, sizeof(back)), 3);
	assert_memory_equal(back, "old", 3);
}

int main(void)
{
	struct unit u = {};
	int r;

	if (!mkdtemp(test_path))
		return 1;
	test_dir = open(test_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	UNIT(&u, labels_have_keys_of_their_own);
	UNIT(&u, static_key_is_the_formula);
	UNIT(&u, labels_are_checked);
	UNIT(&u, names_are_checked);
	UNIT(&u, lookups_tell_who_is_there);
	UNIT(&u, pin_is_raised_never_lowered_nor_replaced);
	UNIT(&u, rename_and_forget_take_all_keys_of_one_label);
	UNIT(&u, pins_are_bounded);
	UNIT(&u, encoding_round_trips);
	UNIT(&u, decoder_takes_only_what_the_encoder_gives);
	UNIT(&u, auth_names);
	UNIT(&u, file_is_written_whole_and_read_back);
	UNIT(&u, deny_reading_files_that_others_can_reach);
	UNIT(&u, failed_write_leaves_the_old_file);
	r = unit_run(&u);
	unlinkat(test_dir, "a", 0);
	close(test_dir);
	rmdir(test_path);
	return r;
}
