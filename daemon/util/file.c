// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Small private files: read with suspicion, replaced whole. Knows nothing of what is in them and keeps no copy. Called by
 * whoever stores an identity or a journal's head.
 */
#include "util/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/macro.h"

static ssize_t read_all(int fd, uint8_t *p, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = read(fd, p + done, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

static int write_all(int fd, const uint8_t *p, size_t len)
{
	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

ssize_t file_read_private(int dir, const char *name, void *ret, size_t size)
{
	/* O_NONBLOCK: a fifo in its place must not hold us. */
	_cleanup_close_ int fd =
		openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	ssize_t len;
	uint8_t more;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || st.st_mode & 077 || st.st_nlink != 1)
		return -EPERM;
	if (st.st_size < 0 || (uint64_t)st.st_size > size)
		return -EFBIG;
	len = read_all(fd, ret, size);
	if (len < 0)
		return len;
	/* It may have grown since. */
	if ((size_t)len == size && read_all(fd, &more, 1) != 0)
		return -EFBIG;
	return len;
}

static int write_temporary(int dir, const char *temporary, const void *data, size_t len)
{
	_cleanup_close_ int fd =
		openat(dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	int r;

	if (fd < 0)
		return -errno;
	/* Whatever the umask and a default ACL made of it. */
	r = fchmod(fd, 0600) < 0 ? -errno : write_all(fd, data, len);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	/* Some file systems tell of a full disk only at close. */
	if (close(take_fd(&fd)) < 0 && r == 0)
		r = -errno;
	return r;
}

int file_write_private(int dir, const char *name, const void *data, size_t len)
{
	char temporary[256];
	uint64_t tag;
	int r;

	if (!*name || strchr(name, '/'))
		return -EINVAL;
	if (getrandom(&tag, sizeof(tag), 0) != sizeof(tag))
		return -EIO;
	r = snprintf(temporary, sizeof(temporary), ".%s.%016llx", name, (unsigned long long)tag);
	if (r < 0 || (size_t)r >= sizeof(temporary))
		return -ENAMETOOLONG;
	r = write_temporary(dir, temporary, data, len);
	if (r == 0 && renameat(dir, temporary, dir, name) < 0)
		r = -errno;
	if (r < 0) {
		if (r != -EEXIST)
			unlinkat(dir, temporary, 0);
		return r;
	}
	return fsync(dir) < 0 ? -errno : 0;
}

bool file_is_temporary(const char *name)
{
	const char *tag = strrchr(name, '.');

	return name[0] == '.' && tag > name + 1 && strlen(tag + 1) == 16 &&
	       strspn(tag + 1, "0123456789abcdef") == 16;
}
