// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The way of one picture from a camera, by system calls only.
 *
 * Owns nothing. Called by actors, and by what is preloaded into other programs.
 */
#include "frame.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <poll.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define BUFFERS	 2
#define PATIENCE 20000

struct mapping {
	void *data;
	size_t length;
};

static long control(int fd, unsigned long command, void *argument)
{
	return ioctl(fd, command, argument) < 0 ? -errno : 0;
}

static long request(int fd)
{
	struct v4l2_requestbuffers r = { .count = BUFFERS,
					 .type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
					 .memory = V4L2_MEMORY_MMAP };

	return control(fd, VIDIOC_REQBUFS, &r);
}

static struct v4l2_buffer buffer(int index)
{
	return (struct v4l2_buffer){ .index = index,
				     .type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
				     .memory = V4L2_MEMORY_MMAP };
}

static long start(int fd, struct mapping *maps)
{
	int i, type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
	struct v4l2_buffer b;
	long err;
	void *p;

	err = request(fd);
	for (i = 0; !err && i < BUFFERS; i++) {
		b = buffer(i);
		err = control(fd, VIDIOC_QUERYBUF, &b);
		if (err)
			return err;
		p = mmap(NULL, b.length, PROT_READ, MAP_SHARED, fd, b.m.offset);
		if (p == MAP_FAILED)
			return -errno;
		maps[i] = (struct mapping){ p, b.length };
		err = control(fd, VIDIOC_QBUF, &b);
	}
	return err ?: control(fd, VIDIOC_STREAMON, &type);
}

/* The index of the next buffer. */
static long dequeue(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct v4l2_buffer b = buffer(0);
	long err;

	if (poll(&p, 1, PATIENCE) < 0)
		return -errno;
	err = control(fd, VIDIOC_DQBUF, &b);
	return err ?: (long)b.index;
}

bool frame_any(const void *data, size_t length)
{
	const uint8_t *bytes = data;
	size_t i;

	for (i = 0; i < length; i++)
		if (bytes[i])
			return true;
	return false;
}

long frame_take(const char *node)
{
	struct mapping maps[BUFFERS] = {};
	int i, fd;
	long r;

	fd = open(node, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = start(fd, maps);
	if (!r)
		r = dequeue(fd);
	if (r >= 0)
		r = frame_any(maps[r].data, maps[r].length) ? 0 : -ENODATA;
	for (i = 0; i < BUFFERS; i++)
		if (maps[i].data)
			munmap(maps[i].data, maps[i].length);
	close(fd);
	return r;
}

long frame_ask(const char *node)
{
	int fd = open(node, O_RDWR | O_CLOEXEC);
	long r;

	if (fd < 0)
		return -errno;
	r = request(fd);
	close(fd);
	return r;
}

long frame_begin(const char *node)
{
	struct mapping maps[BUFFERS];
	int fd = open(node, O_RDWR | O_NONBLOCK);
	long err;

	if (fd < 0)
		return -errno;
	err = start(fd, maps);
	if (err)
		close(fd);
	return err ?: fd;
}

long frame_next(int fd)
{
	struct v4l2_buffer b;
	long index = dequeue(fd);

	if (index < 0)
		return index;
	b = buffer(index);
	return control(fd, VIDIOC_QBUF, &b);
}
