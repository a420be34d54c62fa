// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Owns the form in which secrets lie in memory while no daemon runs. Called by manager.c. Must not know what they are.
 *
 * A memfd that is sealed against every change cannot be erased either, and its pages may be swapped once the control group
 * that was charged for them is gone. So it holds ciphertext, and its key lies in a pipe beside it: what is in a pipe is never
 * swapped, and is gone when it has been read. Reading therefore erases: the memfd that others may still hold is noise then.
 * The key is made for one sealing, hence the nonce of zeros.
 *
 * The memfd, from its start: "CGHO", version u8 = 1, ciphertext and tag of XChaCha20-Poly1305 with those five bytes as
 * associated data. No version but one's own is read: who cannot read it ends every call.
 */
#include "handover.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static const uint8_t head[HANDOVER_HEAD_LEN] = { 'C', 'G', 'H', 'O', 1 };
static const uint8_t nonce[CRYPTO_XNONCE_LEN];

static int write_all(int fd, const uint8_t *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

static int read_all(int fd, uint8_t *ret, size_t len)
{
	for (size_t at = 0; at < len;) {
		ssize_t n = pread(fd, ret + at, len - at, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EBADMSG;
		at += (size_t)n;
	}
	return 0;
}

static int put_key(const uint8_t *key, int *ret_fd)
{
	_cleanup_close_ int in = -1, out = -1;
	int fds[2], r;

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	out = fds[0];
	in = fds[1];
	r = write_all(in, key, CRYPTO_KEY_LEN);
	if (r >= 0)
		*ret_fd = take_fd(&out);
	return r;
}

int handover_write(const void *data, size_t len, int *ret_fd, int *ret_key_fd)
{
	_cleanup_(crypto_secret_free_p) void *key = crypto_secret_new(CRYPTO_KEY_LEN);
	_cleanup_close_ int fd = -1, key_fd = -1;
	_cleanup_free_ uint8_t *sealed = NULL;
	int r;

	if (key == NULL)
		return errno > 0 ? -errno : -ENOMEM;
	if (len > HANDOVER_MAX)
		return -E2BIG;
	sealed = malloc(len + CRYPTO_TAG_LEN);
	if (sealed == NULL)
		return -ENOMEM;
	crypto_random(key, CRYPTO_KEY_LEN);
	crypto_xseal(key, nonce, head, sizeof(head), data, len, sealed);
	fd = memfd_create("callgate-sessions", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	r = write_all(fd, head, sizeof(head));
	if (r >= 0)
		r = write_all(fd, sealed, len + CRYPTO_TAG_LEN);
	if (r >= 0 && fcntl(fd, F_ADD_SEALS, SEALS) < 0)
		r = -errno;
	if (r >= 0)
		r = put_key(key, &key_fd);
	if (r < 0)
		return r;
	*ret_fd = take_fd(&fd);
	*ret_key_fd = take_fd(&key_fd);
	return 0;
}

/* Takes the key out of its pipe, for good. */
static int take_key(int fd, uint8_t *ret_key)
{
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISFIFO(st.st_mode) || fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return -EBADMSG;
	n = read(fd, ret_key, CRYPTO_KEY_LEN);
	return n == CRYPTO_KEY_LEN ? 0 : -ENOKEY;
}

int handover_read(int fd, int key_fd, void **ret, size_t *ret_len)
{
	_cleanup_(crypto_secret_free_p) void *key = crypto_secret_new(CRYPTO_KEY_LEN);
	_cleanup_(crypto_secret_free_p) void *plain = NULL;
	_cleanup_free_ uint8_t *sealed = NULL;
	struct stat st;
	size_t len;
	int r;

	if (key == NULL)
		return errno > 0 ? -errno : -ENOMEM;
	/* First of all, so that nothing that goes wrong below leaves it there. */
	r = take_key(key_fd, key);
	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || fcntl(fd, F_GET_SEALS) != SEALS ||
	    st.st_size <= HANDOVER_HEAD_LEN + CRYPTO_TAG_LEN ||
	    (uintmax_t)st.st_size > HANDOVER_HEAD_LEN + HANDOVER_MAX + CRYPTO_TAG_LEN)
		return -EBADMSG;
	sealed = malloc((size_t)st.st_size);
	len = (size_t)st.st_size - HANDOVER_HEAD_LEN - CRYPTO_TAG_LEN;
	plain = crypto_secret_new(len);
	if (sealed == NULL || plain == NULL)
		return -ENOMEM;
	r = read_all(fd, sealed, (size_t)st.st_size);
	if (r < 0)
		return r;
	if (memcmp(sealed, head, sizeof(head)) != 0 ||
	    crypto_xopen(key, nonce, sealed, HANDOVER_HEAD_LEN, sealed + HANDOVER_HEAD_LEN,
			 len + CRYPTO_TAG_LEN, plain) < 0)
		return -EBADMSG;
	*ret = TAKE_PTR(plain);
	*ret_len = len;
	return 0;
}
