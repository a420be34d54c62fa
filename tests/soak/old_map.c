// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Captures into a mapping as an ordinary program does, and looks at the mapping.
 *
 * Owns a capture's file and mapping. Judges nothing: fuzz_syscall.c knows when
 * there was a grant. Called by threads of its processes, so it keeps nothing.
 */
#include "old_map.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <poll.h>
#include <sound/asound.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define BUFFERS 3
#define PLACES	4096

static bool start_camera(struct old_map *old)
{
	struct v4l2_requestbuffers request = { .count = BUFFERS,
					       .type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
					       .memory = V4L2_MEMORY_MMAP };
	int type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
	struct v4l2_buffer b;
	unsigned int i;

	if (ioctl(old->fd, VIDIOC_REQBUFS, &request))
		return false;
	for (i = 0; i < request.count; i++) {
		b = (struct v4l2_buffer){ .index = i,
					  .type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
					  .memory = V4L2_MEMORY_MMAP };
		if (ioctl(old->fd, VIDIOC_QUERYBUF, &b))
			return false;
		if (!i) {
			old->map.at =
				mmap(NULL, b.length, PROT_READ, MAP_SHARED, old->fd, b.m.offset);
			old->map.length = b.length;
		}
		if (old->map.at == MAP_FAILED || ioctl(old->fd, VIDIOC_QBUF, &b))
			return false;
	}
	return !ioctl(old->fd, VIDIOC_STREAMON, &type);
}

static bool start_microphone(struct old_map *old)
{
	uint64_t random = 1;
	int place;

	/* The beginning of the script: parameters, mapping, PREPARE, START. */
	for (place = 0; place < 4; place++)
		if (fuzz_do(FUZZ_MIC, place, old->fd, -1, &old->map, &random).value < 0)
			return false;
	return true;
}

bool old_map_start(struct old_map *old, const char *node)
{
	bool started;

	if (old->fd < 0)
		old->fd = open(node, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (old->fd < 0)
		return false;
	started = old->kind == FUZZ_CAMERA ? start_camera(old) : start_microphone(old);
	if (!started)
		old_map_end(old);
	return started;
}

void old_map_pump(struct old_map *old)
{
	struct v4l2_buffer b = { .type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP };
	uint64_t random = 1;

	if (old->kind == FUZZ_CAMERA) {
		if (!ioctl(old->fd, VIDIOC_DQBUF, &b))
			ioctl(old->fd, VIDIOC_QBUF, &b);
		return;
	}
	/* One that has overrun is prepared and started again. */
	if (fuzz_do(FUZZ_MIC, 2, old->fd, -1, &old->map, &random).value == 0)
		fuzz_do(FUZZ_MIC, 3, old->fd, -1, &old->map, &random);
}

static size_t sample(const struct fuzz_map *map, uint8_t *samples)
{
	const volatile uint8_t *at = map->at;
	size_t n, step = map->length / PLACES + 1;

	for (n = 0; n < PLACES && n * step < map->length; n++)
		samples[n] = at[n * step];
	return n;
}

bool old_map_shows_new(const struct old_map *old, int ms)
{
	uint8_t before[PLACES], after[PLACES];
	size_t i, n = sample(&old->map, before);

	poll(NULL, 0, ms);
	sample(&old->map, after);
	for (i = 0; i < n; i++)
		if (after[i] && after[i] != before[i])
			return true;
	return false;
}

void old_map_end(struct old_map *old)
{
	if (old->map.at && old->map.at != MAP_FAILED)
		munmap(old->map.at, old->map.length);
	old->map = (struct fuzz_map){};
	if (old->kind == FUZZ_MIC) {
		ioctl(old->fd, SNDRV_PCM_IOCTL_DROP);
		return;
	}
	close(old->fd);
	old->fd = -1;
}
