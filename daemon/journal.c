// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * One user's journal: a directory with the key file and the segments. Owns the open segment and its keys. Must not know
 * what a record says, and cannot read one: it holds no private key. Called by history.c and bus-history.c.
 *
 * Files: "keys" (record-keyring.c), and "DAY-GENERATION-FIRST" in hexadecimal for each segment. A segment whose day and
 * generation are not in the key file is dead, whoever put it there, and is removed. So the rename of the key file is the one
 * step that creates, deletes and replaces; everything before it can be lost, everything after it can be done again.
 *
 * A segment is never continued: its keys are only in memory. Each start, each day and each failed write begins a new one,
 * which names the last tag of the one before.
 */
#include "journal.h"

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

#define DAY_SECONDS 86400u
/* A daemon that restarts for ever must not fill a directory that is read whole. */
#define PARTS_MAX   4096u
/* Bytes of the longest record. */
#define CELLS_MAX   ((RECORD_LEN_MAX / SEGMENT_CELL_DATA + 1) * SEGMENT_CELL_LEN)

/**
 * struct journal
 * @fd: of the open segment, or -1
 * @size: of it, with whole records only
 * @number: of the next cell; @tag: of the last. Valid while a segment is open
 */
struct journal {
	int dir;
	uint32_t retain;
	int fd;
	uint32_t day;
	off_t size;
	uint64_t number;
	uint8_t tag[SEGMENT_TAG_LEN];
	struct segment_keys *keys;
};

uint32_t journal_day(uint64_t seconds)
{
	uint64_t day = seconds / DAY_SECONDS;

	/* Clocks beyond that are wrong, and days are added to. */
	return day > UINT32_MAX / 2 ? UINT32_MAX / 2 : (uint32_t)day;
}

/* ---- the key file -------------------------------------------------------------------------------- */

static int load(const struct journal *journal, struct keyring **ret_keyring)
{
	_cleanup_(crypto_secret_free_p) void *bytes = crypto_secret_new(KEYRING_ENCODED_MAX);
	_cleanup_(keyring_free_p) struct keyring *keyring = keyring_new();
	ssize_t len;
	int r;

	if (!bytes || !keyring)
		return -ENOMEM;
	len = file_read_private(journal->dir, JOURNAL_KEYS, bytes, KEYRING_ENCODED_MAX);
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

static int save(const struct journal *journal, const struct keyring *keyring)
{
	_cleanup_(crypto_secret_free_p) void *bytes = crypto_secret_new(KEYRING_ENCODED_MAX);

	if (!bytes)
		return -ENOMEM;
	return file_write_private(journal->dir, JOURNAL_KEYS, bytes,
				  keyring_encode(keyring, bytes));
}

/* ---- the segments -------------------------------------------------------------------------------- */

static void part_name(uint32_t day, uint32_t generation, uint64_t first, char *ret)
{
	snprintf(ret, JOURNAL_NAME_MAX, "%08" PRIx32 "-%08" PRIx32 "-%016" PRIx64, day, generation,
		 first);
}

static bool parse_part(const char *name, struct journal_part *ret_part)
{
	struct journal_part part;

	if (strlen(name) != 34 || sscanf(name, "%8" SCNx32 "-%8" SCNx32 "-%16" SCNx64, &part.day,
					 &part.generation, &part.first) != 3)
		return false;
	part_name(part.day, part.generation, part.first, part.name);
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

/* All whose keys are there, in order; with @sweep removes everything else. */
static int scan(const struct journal *journal, const struct keyring *keyring, bool sweep,
		struct journal_part **ret_parts, size_t *ret_n)
{
	_cleanup_free_ struct journal_part *parts = NULL;
	int fd = openat(journal->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	const struct dirent *entry;
	struct journal_part part;
	struct stat st;
	size_t n = 0;
	DIR *dir;

	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	if (!dir) {
		r = -errno;
		close(fd);
		return r;
	}
	parts = calloc(PARTS_MAX, sizeof(*parts));
	if (!parts)
		r = -ENOMEM;
	while (r == 0 && (errno = 0, entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..") ||
		    !strcmp(entry->d_name, JOURNAL_KEYS))
			continue;
		if (!parse_part(entry->d_name, &part) ||
		    !keyring_find(keyring, part.day, part.generation)) {
			if (sweep && unlinkat(journal->dir, entry->d_name, 0) < 0)
				r = -errno;
			continue;
		}
		if (fstatat(journal->dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
			r = -errno;
			break;
		}
		part.size = (uint64_t)st.st_size;
		if (n == PARTS_MAX)
			r = -ENOSPC;
		else
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
static int last_tag(const struct journal *journal, const struct journal_part *part,
		    uint64_t *ret_next, uint8_t *ret_tag)
{
	_cleanup_close_ int fd =
		openat(journal->dir, part->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	off_t end = (off_t)(SEGMENT_HEADER_LEN + cells_of(part) * SEGMENT_CELL_LEN);

	if (fd < 0)
		return -errno;
	if (pread(fd, ret_tag, SEGMENT_TAG_LEN, end - SEGMENT_TAG_LEN) != SEGMENT_TAG_LEN)
		return -EIO;
	*ret_next = part->first + cells_of(part);
	return 0;
}

/*
 * Where the journal stands, by what is on the disk. With @tidy removes the segments without a whole cell: the next one begins
 * at the same number.
 */
static int standing(const struct journal *journal, const struct keyring *keyring, bool tidy,
		    uint64_t *ret_number, uint8_t *ret_tag)
{
	const struct journal_part *last = NULL;
	_cleanup_free_ struct journal_part *parts = NULL;
	size_t n;
	int r;

	r = scan(journal, keyring, false, &parts, &n);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		if (cells_of(&parts[i]))
			last = &parts[i];
		else if (tidy && unlinkat(journal->dir, parts[i].name, 0) < 0)
			return -errno;
	}
	*ret_number = keyring->floor;
	memset(ret_tag, 0, SEGMENT_TAG_LEN);
	return last ? last_tag(journal, last, ret_number, ret_tag) : 0;
}

static void close_segment(struct journal *journal)
{
	if (journal->fd >= 0) {
		/* What reserve() took and nobody needed. */
		if (ftruncate(journal->fd, journal->size) < 0)
			journal->size = 0;
		close(journal->fd);
	}
	journal->fd = -1;
	crypto_wipe(journal->keys, sizeof(*journal->keys));
}

static int begin_segment(struct journal *journal, struct keyring *keyring, uint32_t today)
{
	uint8_t header[SEGMENT_HEADER_LEN];
	const struct keyring_day *day;
	char name[JOURNAL_NAME_MAX];
	uint32_t generation = keyring->generation;
	struct segment_head head;
	int r;

	day = keyring_today(keyring, today, journal->retain);
	if (!day)
		return -ENOSPC;
	/* The key first: without it the segment would be swept away. */
	if (keyring->generation != generation) {
		r = save(journal, keyring);
		if (r < 0)
			return r;
	}
	head = (struct segment_head){ .day = today, .generation = day->generation };
	r = standing(journal, keyring, true, &head.first, head.previous);
	if (r < 0)
		return r;
	segment_begin(&head, day->key, keyring->public_key, journal->keys, header, journal->tag);
	part_name(head.day, head.generation, head.first, name);
	r = file_write_private(journal->dir, name, header, sizeof(header));
	if (r < 0)
		return r;
	journal->fd = openat(journal->dir, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (journal->fd < 0)
		return -errno;
	journal->day = today;
	journal->number = head.first;
	journal->size = SEGMENT_HEADER_LEN;
	return 0;
}

/* ---- opening ------------------------------------------------------------------------------------- */

int journal_open(struct journal **ret_journal, int dir, uint32_t retain)
{
	_cleanup_(keyring_free_p) struct keyring *keyring = NULL;
	_cleanup_free_ struct journal_part *parts = NULL;
	struct journal *journal = calloc(1, sizeof(*journal));
	size_t n;
	int r;

	if (!journal) {
		close(dir);
		return -ENOMEM;
	}
	journal->dir = dir;
	journal->fd = -1;
	journal->retain = retain;
	journal->keys = crypto_secret_new(sizeof(*journal->keys));
	r = journal->keys ? load(journal, &keyring) : -ENOMEM;
	if (r >= 0)
		r = scan(journal, keyring, true, &parts, &n);
	/* Everything but to forget it all will say so. */
	if (r == -EBADMSG)
		r = 0;
	if (r < 0) {
		journal_free(journal);
		return r;
	}
	*ret_journal = journal;
	return 0;
}

struct journal *journal_free(struct journal *journal)
{
	if (!journal)
		return NULL;
	if (journal->keys)
		close_segment(journal);
	crypto_secret_free(journal->keys);
	close(journal->dir);
	free(journal);
	return NULL;
}

int journal_public(struct journal *journal, uint8_t ret_public[CRYPTO_KEY_LEN])
{
	_cleanup_(keyring_free_p) struct keyring *keyring = NULL;
	int r = load(journal, &keyring);

	if (r < 0)
		return r;
	if (!keyring->has_public)
		return -ENOKEY;
	memcpy(ret_public, keyring->public_key, CRYPTO_KEY_LEN);
	return 0;
}

int journal_set_public(struct journal *journal, const uint8_t public_key[CRYPTO_KEY_LEN])
{
	_cleanup_(keyring_free_p) struct keyring *keyring = NULL;
	int r = load(journal, &keyring);

	if (r < 0)
		return r;
	close_segment(journal);
	keyring->has_public = 1;
	memcpy(keyring->public_key, public_key, CRYPTO_KEY_LEN);
	return save(journal, keyring);
}

/* ---- writing ------------------------------------------------------------------------------------- */

static int ready(struct journal *journal, uint32_t today)
{
	_cleanup_(keyring_free_p) struct keyring *keyring = NULL;
	int r;

	if (journal->fd >= 0 && journal->day == today)
		return 0;
	close_segment(journal);
	r = journal_expire(journal, today);
	if (r >= 0)
		r = load(journal, &keyring);
	if (r < 0)
		return r;
	if (!keyring->has_public)
		return -ENOKEY;
	r = begin_segment(journal, keyring, today);
	if (r < 0)
		close_segment(journal);
	return r;
}

/* A record that fits now must still fit when its call ends. A file system that cannot promise that is taken as it is. */
static int reserve(const struct journal *journal)
{
	if (fallocate(journal->fd, FALLOC_FL_KEEP_SIZE, journal->size, CELLS_MAX) == 0)
		return 0;
	return errno == ENOSPC || errno == EDQUOT ? -errno : 0;
}

int journal_ready(struct journal *journal, uint32_t today)
{
	int r = ready(journal, today);

	return r < 0 ? r : reserve(journal);
}

static int write_all(int fd, const uint8_t *p, size_t len, off_t at)
{
	while (len) {
		ssize_t n = pwrite(fd, p, len, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		p += n;
		at += n;
		len -= (size_t)n;
	}
	return fdatasync(fd) < 0 ? -errno : 0;
}

int journal_append(struct journal *journal, uint32_t today, const void *data, size_t len)
{
	uint8_t cells[CELLS_MAX];
	size_t size = segment_cells(len) * SEGMENT_CELL_LEN;
	int r;

	if (size > sizeof(cells))
		return -EMSGSIZE;
	r = ready(journal, today);
	if (r < 0)
		return r;
	segment_seal(journal->keys, &journal->number, journal->tag, data, len, cells);
	r = write_all(journal->fd, cells, size, journal->size);
	if (r < 0) {
		/* The ratchet is past these cells, and what is left of them must not stand before others. */
		if (ftruncate(journal->fd, journal->size) < 0)
			r = r == -ENOSPC ? r : -EIO;
		close_segment(journal);
		return r;
	}
	journal->size += (off_t)size;
	return 0;
}

int journal_pseudonym(struct journal *journal, uint32_t today,
		      const uint8_t peer_key[CRYPTO_KEY_LEN], uint8_t ret_peer[RECORD_PEER_LEN])
{
	_cleanup_(keyring_free_p) struct keyring *keyring = NULL;
	const struct keyring_day *day;
	int r = ready(journal, today);

	if (r >= 0)
		r = load(journal, &keyring);
	if (r < 0)
		return r;
	day = keyring_today(keyring, today, journal->retain);
	if (!day)
		return -ENOSPC;
	keyring_pseudonym(day, peer_key, ret_peer);
	return 0;
}

/* ---- deleting ------------------------------------------------------------------------------------ */

/*
 * The new key file is the deletion; the files without a key are only room to be had back. Where there is none for it on a full
 * disk, @sweep lets the files go first that will have no key: they are what is to be deleted. Should the machine stop just
 * then they are missing, which the reader says, and can be forgotten again.
 */
static int commit(struct journal *journal, struct keyring *keyring, uint64_t next, bool sweep)
{
	_cleanup_free_ struct journal_part *parts = NULL;
	size_t n;
	int r;

	r = scan(journal, keyring, false, &parts, &n);
	if (r < 0)
		return r;
	keyring->floor = n ? parts[0].first : next;
	free(TAKE_PTR(parts));
	r = save(journal, keyring);
	if ((r == -ENOSPC || r == -EDQUOT) && sweep) {
		r = scan(journal, keyring, true, &parts, &n);
		free(TAKE_PTR(parts));
		if (r >= 0)
			r = save(journal, keyring);
	}
	if (r < 0)
		return r;
	return scan(journal, keyring, true, &parts, &n);
}

int journal_expire(struct journal *journal, uint32_t today)
{
	_cleanup_(keyring_free_p) struct keyring *keyring = NULL;
	uint8_t tag[SEGMENT_TAG_LEN];
	uint64_t next;
	int r;

	r = load(journal, &keyring);
	if (r >= 0)
		r = standing(journal, keyring, false, &next, tag);
	if (r < 0)
		return r;
	if (!keyring_expire(keyring, today, journal->retain))
		return 0;
	if (journal->fd >= 0 && journal->day != today)
		close_segment(journal);
	return commit(journal, keyring, next, true);
}

int journal_forget(struct journal *journal, uint32_t before, uint32_t today)
{
	_cleanup_(keyring_free_p) struct keyring *keyring = NULL;
	uint8_t tag[SEGMENT_TAG_LEN];
	uint64_t next;
	int r;

	r = load(journal, &keyring);
	/* Whoever wants all gone gets it also where nothing can be read any more. */
	if (r == -EBADMSG && before == UINT32_MAX) {
		keyring = keyring_new();
		r = keyring ? 0 : -ENOMEM;
	}
	if (r >= 0)
		r = standing(journal, keyring, false, &next, tag);
	if (r < 0)
		return r;
	close_segment(journal);
	keyring_drop(keyring, before);
	keyring->deleted_day = today;
	keyring->deletion = before == UINT32_MAX ? KEYRING_ALL : KEYRING_BEFORE;
	return commit(journal, keyring, next, true);
}

/* ---- handing out --------------------------------------------------------------------------------- */

int journal_list(struct journal *journal, struct journal_part **ret_parts, size_t *ret_n)
{
	_cleanup_(keyring_free_p) struct keyring *keyring = NULL;
	int r = load(journal, &keyring);

	return r < 0 ? r : scan(journal, keyring, false, ret_parts, ret_n);
}

int journal_file(struct journal *journal, const char *name)
{
	struct journal_part part;
	int fd;

	if (strcmp(name, JOURNAL_KEYS) != 0 && !parse_part(name, &part))
		return -ENOENT;
	fd = openat(journal->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

/* ---- replacing ----------------------------------------------------------------------------------- */

/* Fills in the new key file. */
static int check_new(struct keyring *keyring, uint64_t cells_before, const struct journal_new *days,
		     size_t n)
{
	uint64_t next = keyring->floor, cells, total = 0;
	uint8_t tag[SEGMENT_TAG_LEN] = { 0 };
	struct keyring_day kept[KEYRING_DAYS_MAX];
	uint32_t generation = keyring->generation;
	struct segment_head head;
	int r = 0;

	if (n > KEYRING_DAYS_MAX)
		return -EBADMSG;
	for (size_t i = 0; i < n && r == 0; i++) {
		const struct keyring_day *old = NULL;

		for (size_t j = 0; j < keyring->n; j++)
			if (keyring->days[j].day == days[i].day)
				old = &keyring->days[j];
		if (!old || segment_peek(days[i].bytes, days[i].len, &head) < 0 ||
		    head.day != days[i].day || head.generation <= generation ||
		    head.first != next || memcmp(head.previous, tag, SEGMENT_TAG_LEN) != 0 ||
		    segment_check(days[i].bytes, days[i].len, days[i].chain, &cells, tag) < 0) {
			r = -EBADMSG;
			break;
		}
		generation = head.generation;
		next += cells;
		total += cells;
		kept[i] = (struct keyring_day){ .day = head.day,
						.generation = generation,
						.until = old->until };
		memcpy(kept[i].key, days[i].key, CRYPTO_KEY_LEN);
	}
	if (r == 0 && total > cells_before)
		r = -EBADMSG;
	if (r == 0) {
		memcpy(keyring->days, kept, n * sizeof(kept[0]));
		keyring->n = n;
		keyring->generation = generation;
	}
	crypto_wipe(kept, sizeof(kept));
	return r;
}

static void scan_and_sweep(const struct journal *journal)
{
	_cleanup_(keyring_free_p) struct keyring *keyring = NULL;
	_cleanup_free_ struct journal_part *parts = NULL;
	size_t n;

	if (load(journal, &keyring) == 0)
		scan(journal, keyring, true, &parts, &n);
}

int journal_replace(struct journal *journal, uint32_t today, uint64_t next,
		    const uint8_t tag[SEGMENT_TAG_LEN], const struct journal_new *days, size_t n)
{
	_cleanup_(keyring_free_p) struct keyring *keyring = NULL;
	uint8_t now_tag[SEGMENT_TAG_LEN];
	char name[JOURNAL_NAME_MAX];
	struct segment_head head;
	uint64_t now_next, old_floor;
	int r;

	r = load(journal, &keyring);
	if (r >= 0)
		r = standing(journal, keyring, false, &now_next, now_tag);
	if (r < 0)
		return r;
	if (now_next != next || memcmp(now_tag, tag, SEGMENT_TAG_LEN) != 0)
		return -ESTALE;
	old_floor = keyring->floor;
	r = check_new(keyring, next - old_floor, days, n);
	if (r < 0)
		return r;
	close_segment(journal);
	for (size_t i = 0; i < n && r == 0; i++) {
		segment_peek(days[i].bytes, days[i].len, &head);
		part_name(head.day, head.generation, head.first, name);
		r = file_write_private(journal->dir, name, days[i].bytes, days[i].len);
	}
	if (r < 0) {
		/* What was written would come to life when its generation is used again. */
		scan_and_sweep(journal);
		return r;
	}
	keyring->deleted_day = keyring->rewritten_day = today;
	keyring->deletion = KEYRING_PEER;
	return commit(journal, keyring, old_floor, false);
}
