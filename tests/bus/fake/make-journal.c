// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Fills a journal whose user has set a key: make-journal DIR RECORDS. A week until today, the same every time but for the days;
 * what a person could have done, over and over. For tests of what people are shown.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "journal.h"
#include "record.h"

/* So many records would otherwise wait for the disk a hundred thousand times. */
int fdatasync(int fd)
{
	return 0;
}

static const struct {
	const char *app, *level, *auth, *end;
	uint32_t hour, minutes, microphone, camera;
} calls[] = {
	{ "exe:/usr/bin/callgatectl", "keyed", "verified", "ended", 9, 45, 2650, 2640 },
	{ "exe:/usr/bin/firefox-esr", "channel", "pinned", "peer-closed", 11, 30, 1720, 0 },
	{ "exe:/usr/bin/callgatectl", "keyed", "verified", "ended", 14, 75, 4400, 3100 },
	{ "user:/home/alice/<b>bin</b>/softphone", "channel", "unknown", "lapsed", 16, 15, 300, 0 },
	{ "exe:/usr/bin/firefox-esr", "none", "unknown", "denied", 17, 0, 0, 0 },
	{ "exe:/usr/bin/callgatectl", "keyed", "verified", "ended", 20, 60, 3500, 3500 },
};

static struct record session(uint32_t day, size_t i)
{
	struct record record = { .type = RECORD_SESSION, .unit = 900 };
	uint32_t which = (uint32_t)(i % 6);

	record.start = day * 86400ull + calls[which].hour * 3600 + i * 5 % 7 * 900;
	record.end = record.start + calls[which].minutes * 60;
	record.seconds[0] = calls[which].microphone;
	record.seconds[1] = calls[which].camera;
	record.kinds = (record.seconds[0] ? RECORD_MICROPHONE : 0) |
		       (record.seconds[1] ? RECORD_CAMERA : 0);
	record.incoming = i % 2;
	snprintf(record.app, sizeof(record.app), "%s", calls[which].app);
	snprintf(record.level, sizeof(record.level), "%s", calls[which].level);
	snprintf(record.auth, sizeof(record.auth), "%s", calls[which].auth);
	snprintf(record.end_reason, sizeof(record.end_reason), "%s", calls[which].end);
	memset(record.peer, (int)(which * 37 + 9), sizeof(record.peer));
	if (record.seconds[0])
		record_add_use(&record, "/usr/bin/ffmpeg", RECORD_MICROPHONE, record.seconds[0]);
	if (record.seconds[1])
		record_add_use(&record, "/usr/bin/ffmpeg", RECORD_CAMERA, record.seconds[1]);
	return record;
}

static struct record denial(uint32_t day, size_t i)
{
	struct record record = { .type = RECORD_DENIED, .unit = 86400 };

	record.start = record.end = day * 86400ull;
	record.count = 1 + (uint32_t)(i % 4);
	record.kinds = i % 3 ? RECORD_MICROPHONE : RECORD_CAMERA;
	snprintf(record.app, sizeof(record.app), "%s",
		 i % 2 ? "/opt/game/launcher" : "/home/alice/<script>alert(1)</script>");
	return record;
}

int main(int argc, char **argv)
{
	uint32_t today = journal_day((uint64_t)time(NULL)), day;
	size_t n = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
	uint8_t bytes[RECORD_LEN_MAX];
	struct journal *journal;
	struct record record;
	int dir, len;

	if (!n || crypto_init() < 0)
		return 2;
	dir = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || journal_open(&journal, dir, 7) < 0)
		return 1;
	for (size_t i = 0; i < n; i++) {
		day = today - 6 + (uint32_t)(i * 7 / n);
		record = i % 7 == 4 ? denial(day, i) : session(day, i);
		len = record_encode(&record, bytes);
		if (len < 0 || journal_append(journal, day, bytes, (size_t)len) < 0)
			return 1;
	}
	journal_free(journal);
	return 0;
}
