// SPDX-License-Identifier: LGPL-2.1-or-later
/* Bytes that pass to the next process, once. */
#include "handover.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"
#include "util/macro.h"

static const uint8_t secret[] = "the keys of every call";

struct pair {
	int fd, key_fd;
};

static struct pair written(void)
{
	struct pair pair = { -1, -1 };

	assert_int_equal(handover_write(secret, sizeof(secret), &pair.fd, &pair.key_fd), 0);
	return pair;
}

static int read_it(const struct pair *pair)
{
	size_t len = 0;
	void *data = NULL;
	int r = handover_read(pair->fd, pair->key_fd, &data, &len);

	if (r == 0) {
		assert_int_equal(len, sizeof(secret));
		assert_memory_equal(data, secret, len);
	} else {
		assert_null(data);
	}
	crypto_secret_free(data);
	return r;
}

static void done(struct pair *pair)
{
	close(pair->fd);
	close(pair->key_fd);
}

static size_t content(int fd, uint8_t *ret, size_t size)
{
	ssize_t n = pread(fd, ret, size, 0);

	assert_true(n > 0);
	return (size_t)n;
}

/* A memfd like that of handover_write(), with other content. */
static int imitated(const uint8_t *data, size_t len, unsigned int seals)
{
	int fd = memfd_create("imitated", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_int_equal(write(fd, data, len), len);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

#define ALL_SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static void read_what_was_written(void **state)
{
	struct pair pair = written();

	assert_int_equal(read_it(&pair), 0);
	done(&pair);
}

static void deny_a_second_reading(void **state)
{
	struct pair pair = written(), copy = { dup(pair.fd), dup(pair.key_fd) };

	assert_int_equal(read_it(&pair), 0);
	assert_int_equal(read_it(&pair), -ENOKEY);
	assert_int_equal(read_it(&copy), -ENOKEY);
	done(&pair);
	done(&copy);
}

static void leave_no_secret_in_the_memfd(void **state)
{
	struct pair pair = written();
	uint8_t bytes[256];
	size_t len = content(pair.fd, bytes, sizeof(bytes));

	assert_null(memmem(bytes, len, "keys", 4));
	done(&pair);
}

static void deny_changing_it(void **state)
{
	struct pair pair = written();

	assert_int_equal(fcntl(pair.fd, F_GET_SEALS), ALL_SEALS);
	assert_int_equal(pwrite(pair.fd, "x", 1, 0), -1);
	assert_int_equal(ftruncate(pair.fd, 3), -1);
	assert_true(mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED, pair.fd, 0) == MAP_FAILED);
	assert_int_equal(read_it(&pair), 0);
	done(&pair);
}

static void deny_without_each_seal(void **state)
{
	static const unsigned int seals[] = { F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW,
					      F_SEAL_WRITE };
	uint8_t bytes[256];

	for (size_t i = 0; i < ARRAY_SIZE(seals); i++) {
		struct pair pair = written();
		size_t len = content(pair.fd, bytes, sizeof(bytes));

		close(pair.fd);
		pair.fd = imitated(bytes, len, ALL_SEALS & ~seals[i]);
		assert_int_equal(read_it(&pair), -EBADMSG);
		done(&pair);
	}
}

static void allow_a_copy_with_every_seal(void **state)
{
	struct pair pair = written();
	uint8_t bytes[256];
	size_t len = content(pair.fd, bytes, sizeof(bytes));

	close(pair.fd);
	pair.fd = imitated(bytes, len, ALL_SEALS);
	assert_int_equal(read_it(&pair), 0);
	done(&pair);
}

static void deny_each_changed_byte(void **state)
{
	uint8_t bytes[256];

	for (size_t at = 0;; at++) {
		struct pair pair = written();
		size_t len = content(pair.fd, bytes, sizeof(bytes));

		close(pair.fd);
		if (at == len) {
			close(pair.key_fd);
			break;
		}
		bytes[at] ^= 0x10;
		pair.fd = imitated(bytes, len, ALL_SEALS);
		assert_int_equal(read_it(&pair), -EBADMSG);
		/* And it was the only try. */
		assert_int_equal(read_it(&pair), -ENOKEY);
		done(&pair);
	}
}

static void deny_each_length(void **state)
{
	uint8_t bytes[256];

	for (size_t cut = 1;; cut++) {
		struct pair pair = written();
		size_t len = content(pair.fd, bytes, sizeof(bytes));

		close(pair.fd);
		if (cut > len) {
			close(pair.key_fd);
			break;
		}
		pair.fd = imitated(bytes, len - cut, ALL_SEALS);
		assert_int_equal(read_it(&pair), -EBADMSG);
		done(&pair);
	}
}

static void deny_anothers_key(void **state)
{
	struct pair one = written(), other = written(), mixed = { one.fd, other.key_fd };

	assert_int_equal(read_it(&mixed), -EBADMSG);
	done(&one);
	done(&other);
}

static void deny_what_is_no_pipe_and_no_memfd(void **state)
{
	struct pair pair = written(), swapped = { pair.key_fd, pair.fd };
	int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct pair plain = { file, pair.key_fd };

	assert_int_equal(read_it(&swapped), -EBADMSG);
	assert_int_equal(read_it(&plain), -EBADMSG);
	close(file);
	done(&pair);
}

static void deny_more_than_the_cap(void **state)
{
	struct pair pair;
	uint8_t *much = calloc(1, HANDOVER_MAX + 1);

	assert_int_equal(handover_write(much, HANDOVER_MAX + 1, &pair.fd, &pair.key_fd), -E2BIG);
	assert_int_equal(handover_write(much, HANDOVER_MAX, &pair.fd, &pair.key_fd), 0);
	free(much);
	done(&pair);
}

int main(void)
{
	struct unit u = { .n = 0 };

	UNIT(&u, read_what_was_written);
	UNIT(&u, deny_a_second_reading);
	UNIT(&u, leave_no_secret_in_the_memfd);
	UNIT(&u, deny_changing_it);
	UNIT(&u, deny_without_each_seal);
	UNIT(&u, allow_a_copy_with_every_seal);
	UNIT(&u, deny_each_changed_byte);
	UNIT(&u, deny_each_length);
	UNIT(&u, deny_anothers_key);
	UNIT(&u, deny_what_is_no_pipe_and_no_memfd);
	UNIT(&u, deny_more_than_the_cap);
	return unit_run(&u);
}
