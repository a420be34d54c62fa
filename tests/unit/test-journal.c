// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The journal's files: the power cut before every write, sync, rename and removal and at every byte of an append, a full disk,
 * deletion that lasts, and clocks that are wrong. The linker's --wrap puts this file between the journal and the C library.
 */
#include "journal-rig.h"

#include <time.h>

ssize_t __real_pwrite(int fd, const void *p, size_t len, off_t at);
ssize_t __real_write(int fd, const void *p, size_t len);
int __real_fsync(int fd);
int __real_fdatasync(int fd);
int __real_renameat(int a, const char *from, int b, const char *to);
int __real_unlinkat(int dir, const char *name, int flags);
int __real_ftruncate(int fd, off_t len);
ssize_t __wrap_pwrite(int fd, const void *p, size_t len, off_t at);
ssize_t __wrap_write(int fd, const void *p, size_t len);
int __wrap_fsync(int fd);
int __wrap_fdatasync(int fd);
int __wrap_renameat(int a, const char *from, int b, const char *to);
int __wrap_unlinkat(int dir, const char *name, int flags);
int __wrap_ftruncate(int fd, off_t len);

/* ---- the machine that stops ----------------------------------------------------------------------- */

/*
 * left: calls until the power fails; -1: never. bytes: how much of the pwrite that fails reaches the disk. lose: what was not
 * synced yet does not. full: the disk has no room.
 */
static struct {
	long left;
	size_t bytes;
	bool lose, dead, full;
	int unsynced;
	off_t synced_at;
	bool renamed;
	int rename_dir;
	char renamed_to[64];
	bool had_old;
} power;

static void forget_unsynced(void)
{
	if (!power.lose)
		return;
	if (power.unsynced >= 0)
		assert_int_equal(__real_ftruncate(power.unsynced, power.synced_at), 0);
	if (power.renamed && power.had_old)
		assert_int_equal(__real_renameat(power.rename_dir, ".old", power.rename_dir,
						 power.renamed_to),
				 0);
	else if (power.renamed)
		assert_int_equal(__real_unlinkat(power.rename_dir, power.renamed_to, 0), 0);
}

/* Is this the call at which it happens, or after it? */
static bool cut(void)
{
	if (power.dead) {
		errno = EIO;
		return true;
	}
	if (power.left < 0 || power.left-- > 0)
		return false;
	power.dead = true;
	forget_unsynced();
	errno = EIO;
	return true;
}

static void power_on(long left, bool lose)
{
	memset(&power, 0, sizeof(power));
	power.left = left;
	power.lose = lose;
	power.unsynced = -1;
}

static ssize_t put(int fd, const void *p, size_t len, off_t at, bool positioned)
{
	bool was_dead = power.dead;

	if (power.full) {
		/* As a real one: what fits is written. */
		if (positioned && len > 100)
			return __real_pwrite(fd, p, 100, at);
		errno = ENOSPC;
		return -1;
	}
	if (cut()) {
		if (!was_dead && positioned && power.bytes && !power.lose)
			assert_true(__real_pwrite(fd, p, power.bytes < len ? power.bytes : len,
						  at) > 0);
		errno = EIO;
		return -1;
	}
	if (positioned) {
		power.unsynced = fd;
		power.synced_at = at;
		return __real_pwrite(fd, p, len, at);
	}
	return __real_write(fd, p, len);
}

ssize_t __wrap_pwrite(int fd, const void *p, size_t len, off_t at)
{
	return put(fd, p, len, at, true);
}

ssize_t __wrap_write(int fd, const void *p, size_t len)
{
	return put(fd, p, len, 0, false);
}

int __wrap_fsync(int fd)
{
	if (cut())
		return -1;
	if (power.renamed && power.had_old)
		__real_unlinkat(power.rename_dir, ".old", 0);
	power.renamed = false;
	return 0;
}

int __wrap_fdatasync(int fd)
{
	if (cut())
		return -1;
	power.unsynced = -1;
	return 0;
}

int __wrap_renameat(int a, const char *from, int b, const char *to)
{
	if (cut())
		return -1;
	power.had_old = power.lose && linkat(b, to, b, ".old", 0) == 0;
	power.renamed = power.lose;
	power.rename_dir = b;
	snprintf(power.renamed_to, sizeof(power.renamed_to), "%s", to);
	return __real_renameat(a, from, b, to);
}

int __wrap_unlinkat(int dir, const char *name, int flags)
{
	return cut() ? -1 : __real_unlinkat(dir, name, flags);
}

int __wrap_ftruncate(int fd, off_t len)
{
	return cut() ? -1 : __real_ftruncate(fd, len);
}

/* ---- cuts ---------------------------------------------------------------------------------------- */

struct outcome {
	uint32_t written; /* marks 1 to this were acknowledged */
	bool forgot;	  /* and so was the deletion of the first day */
	bool began, ended;
};

/* A life of a journal; stops where the power fails. */
static struct outcome live(const char *path)
{
	struct outcome o = { 0 };
	struct journal *journal;

	if (journal_open(&journal, rig_dir(path), 7) < 0)
		return o;
	if (journal_set_public(journal, rig_public) < 0)
		goto out;
	for (uint32_t mark = 1; mark <= 6; mark++) {
		if (rig_append(journal, DAY0 + (mark > 3), mark, mark % 3 == 2) < 0)
			goto out;
		o.written = mark;
	}
	if (journal_forget(journal, DAY0 + 1, DAY0 + 1) < 0)
		goto out;
	o.forgot = true;
	if (rig_append(journal, DAY0 + 1, 7, true) < 0)
		goto out;
	o.written = 7;
	o.ended = true;
out:
	journal_free(journal);
	return o;
}

static void check_after(const char *path, const struct outcome *o)
{
	struct journal *journal;
	struct rig_seen seen;
	struct walk walk;

	power_on(-1, false);
	assert_int_equal(journal_open(&journal, rig_dir(path), 7), 0);
	rig_look(path, &walk, &seen);
	assert_int_equal(seen.total, 0);
	for (uint32_t mark = o->forgot ? 4 : 1; mark <= o->written; mark++) {
		/* Deleted or not, but not half: the deletion was under way once six were written. */
		if (mark <= 3 && o->written >= 6 && !rig_has(&seen, 1)) {
			assert_false(rig_has(&seen, mark));
			continue;
		}
		assert_true(rig_has(&seen, mark));
	}
	if (o->forgot)
		assert_false(rig_has(&seen, 1) || rig_has(&seen, 2) || rig_has(&seen, 3));
	/* Whoever comes after goes on as if nothing had been. */
	assert_int_equal(journal_set_public(journal, rig_public), 0);
	assert_int_equal(rig_append(journal, DAY0 + 1, 99, false), 0);
	assert_int_equal(rig_append(journal, DAY0 + 1, 100, true), 0);
	rig_look(path, &walk, &seen);
	assert_int_equal(seen.total, 0);
	assert_true(rig_has(&seen, 99) && rig_has(&seen, 100));
	journal_free(journal);
}

static long cut_everywhere(bool lose)
{
	char path[64];
	long cuts = 0;

	for (;; cuts++) {
		struct outcome o;

		rig_new_dir(path);
		power_on(cuts, lose);
		o = live(path);
		check_after(path, &o);
		rig_remove(path);
		if (o.ended)
			return cuts;
	}
}

static void a_cut_before_any_step_loses_at_most_the_record_being_written(void **state)
{
	assert_true(cut_everywhere(false) > 40);
}

static void also_where_what_was_not_synced_is_lost(void **state)
{
	assert_true(cut_everywhere(true) > 40);
}

static void a_cut_at_any_byte_of_an_append_loses_that_record_only(void **state)
{
	char path[64];

	for (size_t bytes = 1; bytes < 3 * SEGMENT_CELL_LEN; bytes++) {
		struct journal *journal;
		struct rig_seen seen;
		struct walk walk;
		bool whole = bytes >= 3 * SEGMENT_CELL_LEN;

		rig_new_dir(path);
		power_on(-1, false);
		assert_int_equal(journal_open(&journal, rig_dir(path), 7), 0);
		assert_int_equal(journal_set_public(journal, rig_public), 0);
		assert_int_equal(rig_append(journal, DAY0, 1, false), 0);
		power.left = 0;
		power.bytes = bytes;
		assert_true(rig_append(journal, DAY0, 2, true) < 0);
		journal_free(journal);
		power_on(-1, false);
		rig_look(path, &walk, &seen);
		assert_int_equal(seen.total, 0);
		/* Two cells: bytes past both are the whole record. */
		whole = bytes >= 2 * SEGMENT_CELL_LEN;
		assert_int_equal(seen.problems[WALK_TORN], whole ? 0 : 1);
		assert_int_equal(seen.n, whole ? 2 : 1);
		assert_int_equal(journal_open(&journal, rig_dir(path), 7), 0);
		assert_int_equal(rig_append(journal, DAY0, 3, true), 0);
		rig_look(path, &walk, &seen);
		assert_int_equal(seen.total, 0);
		assert_true(rig_has(&seen, 1) && rig_has(&seen, 3));
		journal_free(journal);
		rig_remove(path);
		if (whole)
			break;
	}
}

/* ---- disks, clocks, keys -------------------------------------------------------------------------- */

static char dir[64];
static struct journal *journal;

static int set_up(void **state)
{
	power_on(-1, false);
	rig_new_dir(dir);
	return journal_open(&journal, rig_dir(dir), 7) < 0 ||
	       journal_set_public(journal, rig_public) < 0;
}

static int tear_down(void **state)
{
	journal = journal_free(journal);
	rig_remove(dir);
	return 0;
}

static void a_full_disk_is_told_and_harms_nothing(void **state)
{
	struct rig_seen seen;
	struct walk walk;

	assert_int_equal(rig_append(journal, DAY0, 1, false), 0);
	power.full = true;
	assert_int_equal(rig_append(journal, DAY0, 2, true), -ENOSPC);
	assert_int_equal(rig_append(journal, DAY0, 3, false), -ENOSPC);
	assert_int_equal(journal_ready(journal, DAY0), -ENOSPC);
	power.full = false;
	assert_int_equal(rig_append(journal, DAY0, 4, false), 0);
	rig_look(dir, &walk, &seen);
	assert_int_equal(seen.total + seen.problems[WALK_TORN], 0);
	assert_int_equal(seen.n, 2);
	assert_true(rig_has(&seen, 1) && rig_has(&seen, 4));
}

static void without_a_journal_key_nothing_is_written(void **state)
{
	struct journal *other;
	char path[64];

	rig_new_dir(path);
	assert_int_equal(journal_open(&other, rig_dir(path), 7), 0);
	assert_int_equal(rig_append(other, DAY0, 1, false), -ENOKEY);
	assert_int_equal(journal_set_public(other, rig_public), 0);
	assert_int_equal(rig_append(other, DAY0, 1, false), 0);
	journal_free(other);
	rig_remove(path);
}

static void each_start_and_each_day_begin_a_part_of_their_own(void **state)
{
	struct journal_part *parts;
	struct rig_seen seen;
	struct walk walk;
	size_t n;

	assert_int_equal(rig_append(journal, DAY0, 1, false), 0);
	assert_int_equal(rig_append(journal, DAY0, 2, false), 0);
	journal_free(journal);
	assert_int_equal(journal_open(&journal, rig_dir(dir), 7), 0);
	assert_int_equal(rig_append(journal, DAY0, 3, false), 0);
	assert_int_equal(rig_append(journal, DAY0 + 1, 4, false), 0);
	assert_int_equal(journal_list(journal, &parts, &n), 0);
	assert_int_equal(n, 3);
	assert_int_equal(parts[0].first + 2, parts[1].first);
	assert_int_equal(parts[2].day, DAY0 + 1);
	free(parts);
	rig_look(dir, &walk, &seen);
	assert_int_equal(seen.total, 0);
	assert_int_equal(seen.n, 4);
}

static void days_expire_by_themselves(void **state)
{
	struct rig_seen seen;
	struct walk walk;

	for (uint32_t i = 0; i < 10; i++)
		assert_int_equal(rig_append(journal, DAY0 + i, i, false), 0);
	rig_look(dir, &walk, &seen);
	assert_int_equal(seen.n, 7);
	assert_false(rig_has(&seen, 2));
	assert_true(rig_has(&seen, 3));
	assert_int_equal(seen.total, 0);
	assert_int_equal(journal_expire(journal, DAY0 + 100), 0);
	rig_look(dir, &walk, &seen);
	assert_int_equal(seen.n + seen.total, 0);
	assert_int_equal(rig_append(journal, DAY0 + 100, 5, false), 0);
	rig_look(dir, &walk, &seen);
	assert_int_equal(seen.n, 1);
	assert_int_equal(seen.total, 0);
}

static void a_clock_set_back_loses_nothing_and_keeps_nothing_for_ever(void **state)
{
	struct rig_seen seen;
	struct walk walk;

	assert_int_equal(rig_append(journal, DAY0 + 30000, 1, false), 0);
	assert_int_equal(rig_append(journal, DAY0, 2, false), 0);
	assert_int_equal(rig_append(journal, DAY0 - 3, 3, false), 0);
	assert_int_equal(rig_append(journal, DAY0, 4, false), 0);
	rig_look(dir, &walk, &seen);
	assert_int_equal(seen.n, 4);
	assert_int_equal(seen.total, 0);
	assert_int_equal(journal_expire(journal, DAY0 + 8), 0);
	rig_look(dir, &walk, &seen);
	assert_int_equal(seen.n + seen.total, 0);
}

static const uint8_t peer_key[CRYPTO_KEY_LEN] = { 5 };

/* Copies of everything but the key file, taken before; what can be done with them afterwards. */
static void copies_cannot_be_opened(const struct rig_file *copies, size_t n,
				    const uint8_t *peer_then)
{
	static struct keyring now;
	struct rig_file files[RIG_FILES];
	struct rig_seen seen;
	struct walk walk;
	size_t m = rig_read(dir, files, &now);

	rig_walk(copies, n, &now, &walk, &seen);
	assert_int_equal(seen.n, 0);
	assert_int_equal(seen.problems[WALK_NO_KEY], n);
	/* With each key that is there, for whatever day. */
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < now.n; j++) {
			struct segment_keys *keys = crypto_secret_new(sizeof(*keys));
			uint8_t tag[SEGMENT_TAG_LEN];

			assert_int_equal(segment_open(copies[i].bytes, now.days[j].key, rig_private,
						      keys, tag),
					 -EBADMSG);
			crypto_secret_free(keys);
		}
	/* Nor does any of them make the pseudonym that stands in the copies. */
	for (size_t j = 0; j < now.n && peer_then; j++) {
		uint8_t peer_now[RECORD_PEER_LEN];

		keyring_pseudonym(&now.days[j], peer_key, peer_now);
		assert_memory_not_equal(peer_now, peer_then, sizeof(peer_now));
	}
	rig_free(files, m);
	/* Put back, they are swept away. */
	for (size_t i = 0; i < n; i++) {
		int at = rig_dir(dir), fd = openat(at, copies[i].name, O_WRONLY | O_CREAT, 0600);

		assert_true(fd >= 0);
		assert_int_equal(__real_write(fd, copies[i].bytes, copies[i].len), copies[i].len);
		close(fd);
		close(at);
	}
	journal_free(journal);
	assert_int_equal(journal_open(&journal, rig_dir(dir), 7), 0);
	rig_look(dir, &walk, &seen);
	assert_int_equal(seen.problems[WALK_NO_KEY], 0);
}

static void what_was_forgotten_stays_so_for_those_with_copies(void **state)
{
	struct rig_file copies[RIG_FILES];
	static struct keyring before;
	uint8_t one[RECORD_PEER_LEN], two[RECORD_PEER_LEN];
	struct rig_seen seen;
	struct walk walk;
	size_t n;

	assert_int_equal(rig_append(journal, DAY0, 1, false), 0);
	assert_int_equal(journal_pseudonym(journal, DAY0, peer_key, one), 0);
	assert_int_equal(rig_append(journal, DAY0 + 1, 2, false), 0);
	n = rig_read(dir, copies, &before);
	/* The twin: with the key file of then they open. */
	rig_walk(copies, n, &before, &walk, &seen);
	assert_int_equal(seen.n, 2);
	keyring_pseudonym(&before.days[0], peer_key, two);
	assert_memory_equal(one, two, sizeof(one));
	assert_int_equal(journal_forget(journal, DAY0 + 1, DAY0 + 1), 0);
	copies_cannot_be_opened(copies, 1, one);
	rig_look(dir, &walk, &seen);
	assert_int_equal(seen.n, 1);
	assert_true(rig_has(&seen, 2));
	assert_int_equal(seen.total, 0);
	assert_int_equal(journal_forget(journal, UINT32_MAX, DAY0 + 1), 0);
	copies_cannot_be_opened(copies, n, one);
	assert_int_equal(journal_pseudonym(journal, DAY0, peer_key, two), 0);
	assert_memory_not_equal(one, two, sizeof(one));
	rig_free(copies, n);
}

/* ---- rewriting ------------------------------------------------------------------------------------ */

/* What callgatectl does for --peer: the same days without some records. */
static struct journal_new rewrite(const struct keyring *now, uint64_t first,
				  const uint8_t *previous, uint32_t day, uint32_t generation,
				  const uint32_t *marks, size_t n, uint8_t *ret_tag)
{
	struct segment_head head = { .day = day, .generation = generation, .first = first };
	struct segment_keys *keys = crypto_secret_new(sizeof(*keys));
	struct journal_new made = { .day = day };
	uint8_t *bytes = malloc(SEGMENT_HEADER_LEN + n * SEGMENT_CELL_LEN), plain[RECORD_LEN_MAX];

	memcpy(head.previous, previous, SEGMENT_TAG_LEN);
	crypto_random(made.key, sizeof(made.key));
	segment_begin(&head, made.key, now->public_key, keys, bytes, ret_tag);
	for (size_t i = 0; i < n; i++) {
		struct record record = rig_record(marks[i], false);
		int len = record_encode(&record, plain);

		segment_seal(keys, &first, ret_tag, plain, (size_t)len,
			     bytes + SEGMENT_HEADER_LEN + i * SEGMENT_CELL_LEN);
	}
	memcpy(made.chain, keys->chain, sizeof(made.chain));
	made.bytes = bytes;
	made.len = SEGMENT_HEADER_LEN + n * SEGMENT_CELL_LEN;
	crypto_secret_free(keys);
	return made;
}

static void rewritten_days_take_the_place_of_the_old(void **state)
{
	static const uint32_t day0[] = { 1, 3 }, day1[] = { 5 };
	struct rig_file copies[RIG_FILES];
	static struct keyring before;
	uint8_t tag[SEGMENT_TAG_LEN] = { 0 }, none[SEGMENT_TAG_LEN] = { 0 }, mid[SEGMENT_TAG_LEN];
	struct journal_new days[2];
	struct rig_seen seen;
	struct walk walk;
	size_t n;

	for (uint32_t i = 1; i <= 5; i++)
		assert_int_equal(rig_append(journal, DAY0 + (i > 3), i, false), 0);
	n = rig_read(dir, copies, &before);
	rig_walk(copies, n, &before, &walk, &seen);
	assert_int_equal(seen.n, 5);
	days[0] = rewrite(&before, 0, none, DAY0, before.generation + 1, day0, 2, mid);
	days[1] = rewrite(&before, 2, mid, DAY0 + 1, before.generation + 2, day1, 1, tag);
	/* Not after something else was written; not in another order, changed, or of a day that is not there. */
	assert_int_equal(journal_replace(journal, DAY0 + 1, walk.next - 1, walk.tag, days, 2),
			 -ESTALE);
	assert_int_equal(journal_replace(journal, DAY0 + 1, walk.next, walk.tag, days + 1, 1),
			 -EBADMSG);
	((uint8_t *)days[1].bytes)[SEGMENT_HEADER_LEN + 7] ^= 1;
	assert_int_equal(journal_replace(journal, DAY0 + 1, walk.next, walk.tag, days, 2),
			 -EBADMSG);
	((uint8_t *)days[1].bytes)[SEGMENT_HEADER_LEN + 7] ^= 1;
	days[1].day++;
	assert_int_equal(journal_replace(journal, DAY0 + 1, walk.next, walk.tag, days, 2),
			 -EBADMSG);
	days[1].day--;
	rig_look(dir, &walk, &seen);
	assert_int_equal(seen.n, 5);
	assert_int_equal(seen.total, 0);
	/* Nor where there is no room; and what was half written does not come to life. */
	power.full = true;
	assert_int_equal(journal_replace(journal, DAY0 + 1, walk.next, walk.tag, days, 2), -ENOSPC);
	power.full = false;
	rig_look(dir, &walk, &seen);
	assert_int_equal(seen.n, 5);
	assert_int_equal(journal_replace(journal, DAY0 + 1, walk.next, walk.tag, days, 2), 0);
	rig_look(dir, &walk, &seen);
	assert_int_equal(seen.total, 0);
	assert_int_equal(seen.n, 3);
	assert_true(rig_has(&seen, 1) && rig_has(&seen, 3) && rig_has(&seen, 5));
	copies_cannot_be_opened(copies, n, NULL);
	assert_int_equal(rig_append(journal, DAY0 + 1, 6, true), 0);
	rig_look(dir, &walk, &seen);
	assert_int_equal(seen.total, 0);
	assert_int_equal(seen.n, 4);
	rig_free(copies, n);
	free((void *)days[0].bytes);
	free((void *)days[1].bytes);
}

static void a_cut_while_days_are_replaced_leaves_the_old_or_the_new(void **state)
{
	static const uint32_t marks[] = { 2 };
	bool done = false;

	for (long left = 0; !done; left++)
		for (int lose = 0; lose < 2; lose++) {
			static struct keyring now;
			struct rig_file files[RIG_FILES];
			uint8_t tag[SEGMENT_TAG_LEN], none[SEGMENT_TAG_LEN] = { 0 };
			struct journal_new day;
			struct journal *other;
			struct rig_seen seen;
			struct walk walk;
			char path[64];
			size_t n;

			rig_new_dir(path);
			power_on(-1, false);
			assert_int_equal(journal_open(&other, rig_dir(path), 7), 0);
			assert_int_equal(journal_set_public(other, rig_public), 0);
			assert_int_equal(rig_append(other, DAY0, 1, false), 0);
			assert_int_equal(rig_append(other, DAY0, 2, false), 0);
			n = rig_read(path, files, &now);
			rig_walk(files, n, &now, &walk, &seen);
			rig_free(files, n);
			day = rewrite(&now, 0, none, DAY0, now.generation + 1, marks, 1, tag);
			power_on(left, lose);
			done = journal_replace(other, DAY0, walk.next, walk.tag, &day, 1) == 0;
			journal_free(other);
			power_on(-1, false);
			assert_int_equal(journal_open(&other, rig_dir(path), 7), 0);
			rig_look(path, &walk, &seen);
			assert_int_equal(seen.total, 0);
			assert_true(rig_has(&seen, 2));
			assert_int_equal(seen.n, rig_has(&seen, 1) ? 2 : 1);
			if (done)
				assert_false(rig_has(&seen, 1));
			journal_free(other);
			free((void *)day.bytes);
			rig_remove(path);
		}
}

/* ---- damage, cost --------------------------------------------------------------------------------- */

static void a_damaged_key_file_is_an_error_that_forgetting_all_ends(void **state)
{
	struct journal *other;
	int at = rig_dir(dir), fd;

	assert_int_equal(rig_append(journal, DAY0, 1, false), 0);
	fd = openat(at, JOURNAL_KEYS, O_RDWR);
	assert_true(__real_pwrite(fd, "x", 1, 50) == 1);
	close(fd);
	close(at);
	assert_int_equal(journal_open(&other, rig_dir(dir), 7), 0);
	assert_int_equal(journal_ready(other, DAY0), -EBADMSG);
	journal_free(other);
	assert_int_equal(journal_ready(journal, DAY0 + 1), -EBADMSG);
	assert_int_equal(journal_forget(journal, UINT32_MAX - 1, DAY0), -EBADMSG);
	assert_int_equal(journal_forget(journal, UINT32_MAX, DAY0), 0);
	assert_int_equal(rig_append(journal, DAY0, 1, false), -ENOKEY);
	assert_int_equal(journal_set_public(journal, rig_public), 0);
	assert_int_equal(rig_append(journal, DAY0, 1, false), 0);
}

static void only_files_of_the_journal_are_handed_out(void **state)
{
	struct journal_part *parts;
	size_t n;
	int fd;

	assert_int_equal(rig_append(journal, DAY0, 1, false), 0);
	assert_int_equal(journal_list(journal, &parts, &n), 0);
	fd = journal_file(journal, parts[0].name);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	close(fd);
	fd = journal_file(journal, JOURNAL_KEYS);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(journal_file(journal, "../identity"), -ENOENT);
	assert_int_equal(journal_file(journal, "../../../../../etc/passwd"), -ENOENT);
	assert_int_equal(journal_file(journal, ""), -ENOENT);
	free(parts);
}

static void a_record_costs_less_than_a_millisecond(void **state)
{
	struct timespec from, to;
	int64_t us;

	assert_int_equal(rig_append(journal, DAY0, 1, false), 0);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
	for (uint32_t i = 0; i < 500; i++)
		assert_int_equal(rig_append(journal, DAY0, i, false), 0);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
	us = (to.tv_sec - from.tv_sec) * 1000000 + (to.tv_nsec - from.tv_nsec) / 1000;
	printf("# %lld us of CPU a record\n", (long long)(us / 500));
	assert_true(us / 500 < 1000);
}

int main(void)
{
#define ON_DISK(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cut_before_any_step_loses_at_most_the_record_being_written),
		cmocka_unit_test(also_where_what_was_not_synced_is_lost),
		cmocka_unit_test(a_cut_at_any_byte_of_an_append_loses_that_record_only),
		ON_DISK(a_full_disk_is_told_and_harms_nothing),
		ON_DISK(without_a_journal_key_nothing_is_written),
		ON_DISK(each_start_and_each_day_begin_a_part_of_their_own),
		ON_DISK(days_expire_by_themselves),
		ON_DISK(a_clock_set_back_loses_nothing_and_keeps_nothing_for_ever),
		ON_DISK(what_was_forgotten_stays_so_for_those_with_copies),
		ON_DISK(rewritten_days_take_the_place_of_the_old),
		cmocka_unit_test(a_cut_while_days_are_replaced_leaves_the_old_or_the_new),
		ON_DISK(a_damaged_key_file_is_an_error_that_forgetting_all_ends),
		ON_DISK(only_files_of_the_journal_are_handed_out),
		ON_DISK(a_record_costs_less_than_a_millisecond),
	};

	if (crypto_init() < 0)
		return 1;
	rig_keys();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
