// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Memory that runs out for this process: /proc/self/fail-nth of a kernel with
 * fault injection. And what must be denied whatever fails, which a test asks
 * for after each fault.
 */
#include "fault.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <sound/asound.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "harness.h"
#include "v4l2_fixture.h"

#define FAULTS "/sys/kernel/debug/"
#define SUBS   8

static int nth = -1;
static pid_t owner;

/* The file belongs to the process that opened it. */
static bool open_counter(void)
{
	if (owner == getpid())
		return true;
	if (nth >= 0)
		close(nth);
	nth = open("/proc/self/fail-nth", O_RDWR | O_CLOEXEC);
	owner = getpid();
	return nth >= 0;
}

void fault_prepare(void)
{
	static const char *const kinds[] = { "failslab", "fail_page_alloc", "fail_usercopy" };
	char path[128];
	size_t i;

	if (!open_counter())
		harness_skip(
			"this kernel injects no faults; 'make check-debug' runs one that does");
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		/* A trace of each fault would be taken for a complaint. */
		snprintf(path, sizeof(path), FAULTS "%s/verbose", kinds[i]);
		ASSERT_EQ(write_file(path, "0"), 0);
	}
	ASSERT_EQ(write_file(FAULTS "failslab/ignore-gfp-wait", "N"), 0);
	ASSERT_EQ(write_file(FAULTS "fail_page_alloc/ignore-gfp-wait", "N"), 0);
	ASSERT_EQ(write_file(FAULTS "fail_page_alloc/min-order", "0"), 0);
}

void fault_arm(int n)
{
	char text[16];
	int size = snprintf(text, sizeof(text), "%d", n);

	ASSERT(open_counter());
	ASSERT(pwrite(nth, text, size, 0) == size);
}

bool fault_disarm(void)
{
	char text[16] = "";
	bool happened = pread(nth, text, sizeof(text) - 1, 0) > 0 && atoi(text) == 0;

	/* What is left of the count may meet this write. */
	while (pwrite(nth, "0", 1, 0) != 1)
		;
	return happened;
}

long fault_buffers(int fd)
{
	struct v4l2_requestbuffers request = { .count = 2,
					       .type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
					       .memory = V4L2_MEMORY_MMAP };

	return ioctl(fd, VIDIOC_REQBUFS, &request) ? -errno : 0;
}

void fault_expect_camera_denied(const char *when, int n)
{
	int type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
	char node[64], byte;
	int i, fd;

	for (i = 0; i < 8; i++) {
		snprintf(node, sizeof(node), "/dev/video%d", i);
		fd = open(node, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		if (fd < 0)
			continue;
		/* Of vivid's nodes the output ones are not gated. */
		if (fault_buffers(fd) == 0 || read(fd, &byte, 1) > 0 ||
		    ioctl(fd, VIDIOC_STREAMON, &type) == 0)
			harness_fail(__FILE__, __LINE__, "%s, fault %d: %s is open to all", when, n,
				     node);
		close(fd);
	}
}

long fault_start_capture(int fd)
{
	struct snd_pcm_hw_params p = { .rmask = ~0u };
	int i;

	memset(p.masks, 0xff, sizeof(p.masks));
	for (i = 0; i <= SNDRV_PCM_HW_PARAM_LAST_INTERVAL - SNDRV_PCM_HW_PARAM_FIRST_INTERVAL; i++)
		p.intervals[i] = (struct snd_interval){ .max = ~0u };
	if (ioctl(fd, SNDRV_PCM_IOCTL_HW_PARAMS, &p) || ioctl(fd, SNDRV_PCM_IOCTL_PREPARE))
		return -errno;
	return ioctl(fd, SNDRV_PCM_IOCTL_START) ? -errno : 0;
}

/* Each substream of each device: the next open takes the next one. */
void fault_expect_microphones_denied(const char *when, int n)
{
	int device, i, fds[SUBS];
	char node[64];

	for (device = 0; device < 2; device++) {
		snprintf(node, sizeof(node), "/dev/snd/pcmC0D%dc", device);
		for (i = 0; i < SUBS; i++) {
			fds[i] = open(node, O_RDWR | O_NONBLOCK | O_CLOEXEC);
			if (fds[i] >= 0 && fault_start_capture(fds[i]) == 0)
				harness_fail(__FILE__, __LINE__,
					     "%s, fault %d: %s/%d is open to all", when, n, node,
					     i);
		}
		for (i = 0; i < SUBS; i++)
			if (fds[i] >= 0)
				close(fds[i]);
	}
}

void fault_expect_denied(const char *when, int n)
{
	fault_expect_camera_denied(when, n);
	fault_expect_microphones_denied(when, n);
}

int fault_main(int argc, char **argv)
{
	const char *tunables = "glibc.pthread.rseq=0", *set = getenv("GLIBC_TUNABLES");

	if (!set || strcmp(set, tunables)) {
		setenv("GLIBC_TUNABLES", tunables, 1);
		execv("/proc/self/exe", argv);
		return 1;
	}
	/* The kernel names it where it reports a failed allocation; see tests/vm/complaints. */
	prctl(PR_SET_NAME, "fault_test");
	return harness_main(argc, argv);
}
