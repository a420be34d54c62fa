// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A user cannot fill the kernel's log: a flood of denials of every kind, and how
 * many lines of it are the gate's.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <stdio.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <unistd.h>

#include "camera.h"
#include "frame.h"
#include "gate.h"
#include "harness.h"
#include "v4l2_fixture.h"

#define FLOOD 5000
/* The kernel's rate limit lets ten lines through in five seconds; the test may take long. */
#define FEW   20

static int lines(const char *word)
{
	static char log[1 << 22];
	int count = 0, n = klogctl(3 /* read all */, log, sizeof(log) - 1);
	char *at;

	ASSERT(n >= 0);
	log[n] = 0;
	for (at = log; (at = strstr(at, word)); at += strlen(word))
		count++;
	return count;
}

TEST(count_the_lines_of_the_log)
{
	int i, before = lines("flood: ");
	FILE *log;

	/* Else the kernel limits what we write, too. */
	ASSERT_EQ(write_file("/proc/sys/kernel/printk_devkmsg", "on\n"), 0);
	log = fopen("/dev/kmsg", "w");
	ASSERT(log);
	setvbuf(log, NULL, _IONBF, 0);
	for (i = 0; i < 2 * FEW; i++)
		fprintf(log, "flood: %d\n", i);
	fclose(log);
	EXPECT_EQ(lines("flood: ") - before, 2 * FEW);
}

TEST_LIMIT(write_few_lines_in_a_flood_of_denials, 120)
{
	struct gate *gate = gate_open_bound();
	struct gate_message before, after;
	char node[64], data[64];
	int i, fd, first;

	if (!camera_find(V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_READWRITE, node, sizeof(node)))
		harness_skip("no vivid camera that can be read");
	fd = open(node, O_RDWR | O_NONBLOCK);
	ASSERT(fd >= 0);
	ASSERT_EQ(gate_stats(gate, &before), 0);
	first = lines("callgate");
	for (i = 0; i < FLOOD; i++) {
		if (read(fd, data, sizeof(data)) >= 0 || errno != EACCES)
			harness_fail(__FILE__, __LINE__, "read is not denied");
		if (mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) != MAP_FAILED)
			harness_fail(__FILE__, __LINE__, "mmap is not denied");
		if (i % 100)
			continue;
		EXPECT_EQ(frame_take(node), -EACCES);
		/* An event a second, which leave the answer no room if the flood takes long. */
		gate_forget(gate);
	}
	EXPECT(lines("callgate") - first <= FEW);
	ASSERT_EQ(gate_stats(gate, &after), 0);
	EXPECT(after.denied - before.denied >= 2 * FLOOD);
	close(fd);
}

HARNESS_MAIN
