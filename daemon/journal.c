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

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "journal-dir.h"
#include "util/file.h"
#include "util/macro.h"

#define DAY_SECONDS 86400u
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
		r = journal_dir_save(journal->dir, keyring);
		if (r < 0)
			return r;
	}
	head = (struct segment_head){ .day = today, .generation = day->generation };
	r = journal_dir_standing(journal->dir, keyring, true, &head.first, head.previous);
	if (r < 0)
		return r;
	segment_begin(&head, day->key, keyring->public_key, journal->keys, header, journal->tag);
	journal_part_name(head.day, head.generation, head.first, name);
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
	r = journal->keys ? journal_dir_load(journal->dir, &keyring) : -ENOMEM;
	if (r >= 0)
		r = journal_dir_scan(journal->dir, keyring, true, &parts, &n);
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
	int r = journal_dir_load(journal->dir, &keyring);

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
	int r = journal_dir_load(journal->dir, &keyring);

	if (r < 0)
		return r;
	close_segment(journal);
	keyring->has_public = 1;
	memcpy(keyring->public_key, public_key, CRYPTO_KEY_LEN);
	return journal_dir_save(journal->dir, keyring);
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
		r = journal_dir_load(journal->dir, &keyring);
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
		r = journal_dir_load(journal->dir, &keyring);
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

	r = journal_dir_scan(journal->dir, keyring, false, &parts, &n);
	if (r < 0)
		return r;
	keyring->floor = n ? parts[0].first : next;
	free(TAKE_PTR(parts));
	r = journal_dir_save(journal->dir, keyring);
	if ((r == -ENOSPC || r == -EDQUOT) && sweep) {
		r = journal_dir_scan(journal->dir, keyring, true, &parts, &n);
		free(TAKE_PTR(parts));
		if (r >= 0)
			r = journal_dir_save(journal->dir, keyring);
	}
	if (r < 0)
		return r;
	return journal_dir_scan(journal->dir, keyring, true, &parts, &n);
}

int journal_expire(struct journal *journal, uint32_t today)
{
	_cleanup_(keyring_free_p) struct keyring *keyring = NULL;
	uint8_t tag[SEGMENT_TAG_LEN];
	uint64_t next;
	int r;

	r = journal_dir_load(journal->dir, &keyring);
	if (r >= 0)
		r = journal_dir_standing(journal->dir, keyring, false, &next, tag);
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

	r = journal_dir_load(journal->dir, &keyring);
	/* Whoever wants all gone gets it also where nothing can be read any more. */
	if (r == -EBADMSG && before == UINT32_MAX) {
		keyring = keyring_new();
		r = keyring ? 0 : -ENOMEM;
	}
	if (r >= 0)
		r = journal_dir_standing(journal->dir, keyring, false, &next, tag);
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
	int r = journal_dir_load(journal->dir, &keyring);

	return r < 0 ? r : journal_dir_scan(journal->dir, keyring, false, ret_parts, ret_n);
}

int journal_file(struct journal *journal, const char *name)
{
	struct journal_part part;
	int fd;

	if (strcmp(name, JOURNAL_KEYS) != 0 && !journal_part_parse(name, &part))
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

	if (journal_dir_load(journal->dir, &keyring) == 0)
		journal_dir_scan(journal->dir, keyring, true, &parts, &n);
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

	r = journal_dir_load(journal->dir, &keyring);
	if (r >= 0)
		r = journal_dir_standing(journal->dir, keyring, false, &now_next, now_tag);
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
		journal_part_name(head.day, head.generation, head.first, name);
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
