/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A journal on disk and its reader, for the tests of both. */
#pragma once

#include "unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal.h"
#include "record-walk.h"
#include "record.h"

#define DAY0	     20000u
#define RIG_FILES    16
#define RIG_RECORDS  64
#define RIG_FILE_MAX (1 << 20)

struct rig_file {
	char name[JOURNAL_NAME_MAX];
	size_t len;
	uint8_t *bytes;
};

/* What reading gave. */
struct rig_seen {
	size_t n;
	uint32_t marks[RIG_RECORDS];
	unsigned int problems[WALK_PROBLEM_COUNT];
	size_t total;
	uint64_t number[WALK_PROBLEM_COUNT];
	size_t offset[WALK_PROBLEM_COUNT];
};

static uint8_t rig_private[CRYPTO_KEY_LEN], rig_public[CRYPTO_KEY_LEN];

static inline void rig_keys(void)
{
	crypto_random(rig_private, sizeof(rig_private));
	crypto_x25519_public(rig_private, rig_public);
}

/* A session that is known by the seconds of its microphone; @long_app: takes more than one cell. */
static inline struct record rig_record(uint32_t mark, bool long_app)
{
	struct record record = {
		.type = RECORD_SESSION,
		.start = 900,
		.end = 1800,
		.unit = 900,
		.kinds = RECORD_MICROPHONE,
		.seconds = { mark, 0 },
		.level = "channel",
		.auth = "verified",
		.end_reason = "ended",
	};

	strcpy(record.app, "exe:/usr/bin/callgatectl");
	if (long_app)
		memset(record.app + strlen(record.app), 'x', 700);
	record.peer[0] = 7;
	record_add_use(&record, "/usr/bin/ffmpeg", RECORD_MICROPHONE, mark);
	return record;
}

static inline int rig_append(struct journal *journal, uint32_t day, uint32_t mark, bool long_app)
{
	const struct record record = rig_record(mark, long_app);
	uint8_t bytes[RECORD_LEN_MAX];
	int len = record_encode(&record, bytes);

	assert_true(len > 0);
	return journal_append(journal, day, bytes, (size_t)len);
}

static inline int rig_remove_one(const char *path, const struct stat *st, int type,
				 struct FTW *where)
{
	return remove(path);
}

static inline void rig_remove(const char *path)
{
	nftw(path, rig_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline int rig_dir(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static inline void rig_new_dir(char *path)
{
	strcpy(path, "/dev/shm/callgate-journal-XXXXXX");
	if (!mkdtemp(path)) {
		strcpy(path, "/tmp/callgate-journal-XXXXXX");
		assert_non_null(mkdtemp(path));
	}
}

static inline int rig_by_first(const void *a, const void *b)
{
	return strcmp(((const struct rig_file *)a)->name + 18,
		      ((const struct rig_file *)b)->name + 18);
}

/* Every segment file that is there, in order, and the key file. */
static inline size_t rig_read(const char *path, struct rig_file *files, struct keyring *keyring)
{
	static uint8_t bytes[RIG_FILE_MAX];
	const struct dirent *entry;
	DIR *dir = opendir(path);
	size_t n = 0;

	assert_non_null(dir);
	memset(keyring, 0, sizeof(*keyring));
	while ((entry = readdir(dir))) {
		int fd;
		ssize_t len;

		if (entry->d_name[0] == '.')
			continue;
		fd = openat(dirfd(dir), entry->d_name, O_RDONLY | O_CLOEXEC);
		len = read(fd, bytes, sizeof(bytes));
		assert_true(len >= 0);
		close(fd);
		if (!strcmp(entry->d_name, JOURNAL_KEYS)) {
			assert_int_equal(keyring_decode(keyring, bytes, (size_t)len), 0);
			continue;
		}
		assert_true(n < RIG_FILES);
		snprintf(files[n].name, sizeof(files[n].name), "%.47s", entry->d_name);
		files[n].len = (size_t)len;
		files[n].bytes = malloc((size_t)len + 1);
		memcpy(files[n++].bytes, bytes, (size_t)len);
	}
	closedir(dir);
	qsort(files, n, sizeof(files[0]), rig_by_first);
	return n;
}

static inline void rig_free(struct rig_file *files, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(files[i].bytes);
}

static inline void rig_on_record(void *userdata, const struct record *record,
				 const struct walk_place *place)
{
	struct rig_seen *seen = userdata;

	if (seen->n < RIG_RECORDS)
		seen->marks[seen->n] = record->seconds[0];
	seen->n++;
}

static inline void rig_on_problem(void *userdata, enum walk_problem problem,
				  const struct walk_place *place)
{
	struct rig_seen *seen = userdata;

	seen->problems[problem]++;
	seen->number[problem] = place->number;
	seen->offset[problem] = place->offset;
	seen->total += problem != WALK_TORN;
}

static inline void rig_walk_begin(struct walk *walk, const struct keyring *keyring,
				  struct rig_seen *seen)
{
	*seen = (struct rig_seen){ 0 };
	*walk = (struct walk){
		.keyring = keyring,
		.private_key = rig_private,
		.on_record = rig_on_record,
		.on_problem = rig_on_problem,
		.userdata = seen,
	};
}

static inline void rig_walk(const struct rig_file *files, size_t n, const struct keyring *keyring,
			    struct walk *walk, struct rig_seen *seen)
{
	rig_walk_begin(walk, keyring, seen);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(walk_segment(walk, files[i].name, files[i].bytes, files[i].len),
				 0);
	walk_end(walk);
}

/* Everything from the disk. */
static inline void rig_look(const char *path, struct walk *walk, struct rig_seen *seen)
{
	static struct keyring keyring;
	struct rig_file files[RIG_FILES];
	size_t n = rig_read(path, files, &keyring);

	rig_walk(files, n, &keyring, walk, seen);
	rig_free(files, n);
}

static inline bool rig_has(const struct rig_seen *seen, uint32_t mark)
{
	for (size_t i = 0; i < seen->n; i++)
		if (seen->marks[i] == mark)
			return true;
	return false;
}
