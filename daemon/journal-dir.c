// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The directory of a journal: what is on the disk, read anew each time. Owns the names of the segments, and which of them
 * count: those whose day and generation are in the key file. Must not hold a key longer than a call. Called by journal.c.
 */
#include "journal-dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/file.h"
#include "util/macro.h"

/* A daemon that restarts for ever must not fill a directory that is read whole. */
#define PARTS_MAX   4096u
#define PARTS_FIRST 16u

/* ---- the key file -------------------------------------------------------------------------------- */

int journal_dir_load(int dir, struct keyring **ret_keyring)
{
	_cleanup_(crypto_secret_free_p) void *bytes = crypto_secret_new(KEYRING_ENCODED_MAX);
	_cleanup_(keyring_free_p) struct keyring *keyring = keyring_new();
	ssize_t len;
	int r;

	if (!bytes || !keyring)
		return -ENOMEM;
	len = file_read_private(dir, JOURNAL_KEYS, bytes, KEYRING_ENCODED_MAX);
	if (len < 0 && len != -ENOENT)
		return (int)len;
	if (len >= 0) {
		r = keyring_decode(keyring, bytes, (size_t)len);
		if (r < 0)
			return r;
	}
	*ret_keyring = TAKE_PTR(keyring);
	return 0;
}

int journal_dir_save(int dir, const struct keyring *keyring)
{
	_cleanup_(crypto_secret_free_p) void *bytes = crypto_secret_new(KEYRING_ENCODED_MAX);

	if (!bytes)
		return -ENOMEM;
	return file_write_private(dir, JOURNAL_KEYS, bytes, keyring_encode(keyring, bytes));
}

/* ---- the segments -------------------------------------------------------------------------------- */

void journal_part_name(uint32_t day, uint32_t generation, uint64_t first, char *ret)
{
	snprintf(ret, JOURNAL_NAME_MAX, "%08" PRIx32 "-%08" PRIx32 "-%016" PRIx64, day, generation,
		 first);
}

bool journal_part_parse(const char *name, struct journal_part *ret_part)
{
	struct journal_part part;

	if (strlen(name) != 34 || sscanf(name, "%8" SCNx32 "-%8" SCNx32 "-%16" SCNx64, &part.day,
					 &part.generation, &part.first) != 3)
		return false;
	journal_part_name(part.day, part.generation, part.first, part.name);
	/* Only the one spelling that is written. */
	if (strcmp(part.name, name) != 0)
		return false;
	part.size = 0;
	*ret_part = part;
	return true;
}

static int in_order(const void *a, const void *b)
{
	const struct journal_part *one = a, *other = b;

	return (one->first > other->first) - (one->first < other->first);
}

/* A denial looks each time; most journals have few segments. */
static int make_room(struct journal_part **parts, size_t *room)
{
	size_t more = *room ? 2 * *room : PARTS_FIRST;
	struct journal_part *grown;

	if (more > PARTS_MAX)
		return -ENOSPC;
	grown = reallocarray(*parts, more, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	*parts = grown;
	*room = more;
	return 0;
}

int journal_dir_scan(int at, const struct keyring *keyring, bool sweep,
		     struct journal_part **ret_parts, size_t *ret_n)
{
	_cleanup_free_ struct journal_part *parts = NULL;
	int fd = openat(at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	const struct dirent *entry;
	struct journal_part part;
	struct stat st;
	size_t n = 0, room = 0;
	DIR *dir;

	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	if (!dir) {
		r = -errno;
		close(fd);
		return r;
	}
	r = make_room(&parts, &room);
	while (r == 0 && (errno = 0, entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..") ||
		    !strcmp(entry->d_name, JOURNAL_KEYS))
			continue;
		if (!journal_part_parse(entry->d_name, &part) ||
		    !keyring_find(keyring, part.day, part.generation)) {
			if (sweep && unlinkat(at, entry->d_name, 0) < 0)
				r = -errno;
			continue;
		}
		if (fstatat(at, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
			r = -errno;
			break;
		}
		part.size = (uint64_t)st.st_size;
		if (n == room)
			r = make_room(&parts, &room);
		if (r == 0)
			parts[n++] = part;
	}
	closedir(dir);
	if (r < 0)
		return r;
	qsort(parts, n, sizeof(*parts), in_order);
	*ret_parts = TAKE_PTR(parts);
	*ret_n = n;
	return 0;
}

static uint64_t cells_of(const struct journal_part *part)
{
	return part->size < SEGMENT_HEADER_LEN
		       ? 0
		       : (part->size - SEGMENT_HEADER_LEN) / SEGMENT_CELL_LEN;
}

/* Read by the tag alone: the daemon has nothing to check it with, the reader has. */
static int last_tag(int dir, const struct journal_part *part, uint64_t *ret_next, uint8_t *ret_tag)
{
	_cleanup_close_ int fd =
		openat(dir, part->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	off_t end = (off_t)(SEGMENT_HEADER_LEN + cells_of(part) * SEGMENT_CELL_LEN);

	if (fd < 0)
		return -errno;
	if (pread(fd, ret_tag, SEGMENT_TAG_LEN, end - SEGMENT_TAG_LEN) != SEGMENT_TAG_LEN)
		return -EIO;
	*ret_next = part->first + cells_of(part);
	return 0;
}

int journal_dir_standing(int dir, const struct keyring *keyring, bool tidy, uint64_t *ret_number,
			 uint8_t *ret_tag)
{
	const struct journal_part *last = NULL;
	_cleanup_free_ struct journal_part *parts = NULL;
	size_t n;
	int r;

	r = journal_dir_scan(dir, keyring, false, &parts, &n);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		if (cells_of(&parts[i]))
			last = &parts[i];
		else if (tidy && unlinkat(dir, parts[i].name, 0) < 0)
			return -errno;
	}
	*ret_number = keyring->floor;
	memset(ret_tag, 0, SEGMENT_TAG_LEN);
	return last ? last_tag(dir, last, ret_number, ret_tag) : 0;
}
