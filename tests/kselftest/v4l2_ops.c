// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * More operations of the camera apps. Runs in the apps: what is static here
 * belongs to one of them.
 */
#include "v4l2_ops.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/media.h>
#include <linux/videodev2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "stall.h"
#include "uring.h"

/* In headers of 6.10 and later. */
struct remove_buffers {
	uint32_t index, count, type, reserved[13];
};
#define REMOVE_BUFS _IOWR('V', 104, struct remove_buffers)

static uint32_t type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
static uint32_t memory = V4L2_MEMORY_MMAP;
/* What USERPTR and DMABUF buffers are made of. */
static void *pages[CAMERA_BUFFERS];
static int exported[CAMERA_BUFFERS] = { -1, -1, -1, -1 };
static size_t page_bytes;

static long control(int fd, unsigned long command, void *argument)
{
	return ioctl(fd, command, argument) < 0 ? -errno : 0;
}

static long checksum(const void *data, size_t size)
{
	uint32_t total = 1;
	size_t n;

	for (n = 0; data && n < size; n += 5)
		total = total * 31 + ((const volatile uint8_t *)data)[n];
	return total & 0x7fffffff;
}

long op_type(struct app_state *s, long value)
{
	type = value;
	return 0;
}

long op_memory(struct app_state *s, long value)
{
	memory = value;
	return 0;
}

static bool planes(void)
{
	return type == V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE;
}

static struct v4l2_buffer buffer(long index, struct v4l2_plane *plane)
{
	struct v4l2_buffer b = { .index = index, .type = type, .memory = memory };

	if (planes()) {
		memset(plane, 0, VIDEO_MAX_PLANES * sizeof(*plane));
		b.m.planes = plane;
		b.length = VIDEO_MAX_PLANES;
	}
	return b;
}

long op_reqbufs(struct app_state *s, long count)
{
	struct v4l2_requestbuffers r = { .count = count, .type = type, .memory = memory };
	long err = control(s->fd, VIDIOC_REQBUFS, &r);

	return err ?: (long)r.count;
}

long op_create(struct app_state *s, long count)
{
	struct v4l2_create_buffers c = { .count = count, .memory = memory, .format.type = type };

	return control(s->fd, VIDIOC_G_FMT, &c.format) ?: control(s->fd, VIDIOC_CREATE_BUFS, &c);
}

long op_remove(struct app_state *s, long index)
{
	struct remove_buffers r = { .index = index, .count = 1, .type = type };

	return control(s->fd, REMOVE_BUFS, &r);
}

static size_t picture_size(struct app_state *s)
{
	struct v4l2_format f = { .type = type };

	return control(s->fd, VIDIOC_G_FMT, &f) ? 0 : f.fmt.pix.sizeimage;
}

/* From a vivid output, which is not gated: memory of a device that is not this one. */
static long output_buffer(long index, size_t size)
{
	struct v4l2_create_buffers c = { .count = 1,
					 .memory = V4L2_MEMORY_MMAP,
					 .format.type = V4L2_BUF_TYPE_VIDEO_OUTPUT };
	struct v4l2_exportbuffer e = { .type = V4L2_BUF_TYPE_VIDEO_OUTPUT };
	static char node[64];
	static int fd = -1;
	long err;

	if (fd < 0) {
		if (!camera_find(V4L2_CAP_VIDEO_OUTPUT, node, sizeof(node)))
			return -ENODEV;
		fd = open(node, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			return -errno;
	}
	err = control(fd, VIDIOC_G_FMT, &c.format);
	if (c.format.fmt.pix.sizeimage < size)
		c.format.fmt.pix.sizeimage = size;
	err = err ?: control(fd, VIDIOC_CREATE_BUFS, &c);
	e.index = c.index;
	err = err ?: control(fd, VIDIOC_EXPBUF, &e);
	if (err)
		return err;
	exported[index] = e.fd;
	pages[index] = mmap(NULL, size, PROT_READ, MAP_SHARED, e.fd, 0);
	return pages[index] == MAP_FAILED ? -errno : 0;
}

static long give_memory(struct app_state *s, struct v4l2_buffer *b)
{
	long err = 0;

	if (memory == V4L2_MEMORY_MMAP)
		return 0;
	page_bytes = picture_size(s);
	if (memory == V4L2_MEMORY_USERPTR && !pages[b->index])
		pages[b->index] = mmap(NULL, page_bytes, PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (memory == V4L2_MEMORY_DMABUF && exported[b->index] < 0)
		err = output_buffer(b->index, page_bytes);
	if (memory == V4L2_MEMORY_USERPTR)
		b->m.userptr = (unsigned long)pages[b->index];
	else
		b->m.fd = exported[b->index];
	b->length = page_bytes;
	return err;
}

static long on_buffer(struct app_state *s, unsigned long command, long index)
{
	struct v4l2_plane plane[VIDEO_MAX_PLANES];
	struct v4l2_buffer b = buffer(index, plane);
	long err = command == VIDIOC_DQBUF ? 0 : give_memory(s, &b);

	err = err ?: control(s->fd, command, &b);
	return err ?: (long)b.index;
}

long op_qbuf(struct app_state *s, long index)
{
	return on_buffer(s, VIDIOC_QBUF, index);
}

long op_prepare(struct app_state *s, long index)
{
	return on_buffer(s, VIDIOC_PREPARE_BUF, index);
}

long op_dqbuf(struct app_state *s, long unused)
{
	return on_buffer(s, VIDIOC_DQBUF, 0);
}

long op_on(struct app_state *s, long unused)
{
	return control(s->fd, VIDIOC_STREAMON, &type);
}

long op_off(struct app_state *s, long unused)
{
	return control(s->fd, VIDIOC_STREAMOFF, &type);
}

long op_query(struct app_state *s, long index)
{
	struct v4l2_plane plane[VIDEO_MAX_PLANES];
	struct v4l2_buffer b = buffer(index, plane);

	return control(s->fd, VIDIOC_QUERYBUF, &b);
}

long op_map(struct app_state *s, long index)
{
	struct v4l2_plane plane[VIDEO_MAX_PLANES];
	struct v4l2_buffer b = buffer(index, plane);
	long err = control(s->fd, VIDIOC_QUERYBUF, &b);
	off_t at = planes() ? plane[0].m.mem_offset : b.m.offset;
	void *p;

	if (err)
		return err;
	p = mmap(NULL, planes() ? plane[0].length : b.length, PROT_READ, MAP_SHARED, s->fd, at);
	if (p == MAP_FAILED)
		return -errno;
	if (s->map[index])
		munmap(s->map[index], s->length[index]);
	s->map[index] = p;
	s->length[index] = planes() ? plane[0].length : b.length;
	return 0;
}

long op_stream(struct app_state *s, long unused)
{
	long r = op_reqbufs(s, CAMERA_BUFFERS);
	long i, n = r < CAMERA_BUFFERS ? r : CAMERA_BUFFERS;

	for (i = 0; i < n && r >= 0; i++)
		r = op_qbuf(s, i);
	return r < 0 ? r : op_on(s, 0);
}

static void *export_map;
static size_t export_size;

long op_export(struct app_state *s, long index)
{
	struct v4l2_exportbuffer e = { .type = type, .index = index, .flags = O_CLOEXEC };
	long err = control(s->fd, VIDIOC_EXPBUF, &e);

	if (err)
		return err;
	export_size = lseek(e.fd, 0, SEEK_END);
	export_map = mmap(NULL, export_size, PROT_READ, MAP_SHARED, e.fd, 0);
	close(e.fd);
	return export_map == MAP_FAILED ? -errno : 0;
}

long op_export_sum(struct app_state *s, long unused)
{
	return checksum(export_map, export_size);
}

long op_memory_sum(struct app_state *s, long unused)
{
	long total = 0;
	int i;

	for (i = 0; i < CAMERA_BUFFERS; i++)
		total ^= checksum(pages[i], page_bytes);
	return total;
}

long op_control(struct app_state *s, long id_value)
{
	struct v4l2_control c = { .id = id_value >> 8, .value = id_value & 0xff };

	return control(s->fd, VIDIOC_S_CTRL, &c);
}

long op_overlay(struct app_state *s, long on)
{
	int value = on;

	return control(s->fd, VIDIOC_OVERLAY, &value);
}

long op_screen(struct app_state *s, long unused)
{
	struct v4l2_format f = { .type = V4L2_BUF_TYPE_VIDEO_CAPTURE };
	struct v4l2_framebuffer screen = {};
	char node[64];
	long err;
	int fd;

	if (!camera_find(V4L2_CAP_VIDEO_OUTPUT | V4L2_CAP_VIDEO_OUTPUT_OVERLAY, node, sizeof(node)))
		return -ENODEV;
	fd = open(node, O_RDWR | O_CLOEXEC);
	err = control(fd, VIDIOC_G_FBUF, &screen);
	close(fd);
	fd = open(s->node, O_RDWR | O_CLOEXEC);
	err = err ?: control(fd, VIDIOC_G_FMT, &f);
	f.fmt.pix.pixelformat = screen.fmt.pixelformat;
	err = err ?: control(fd, VIDIOC_S_FMT, &f);
	err = err ?: control(fd, VIDIOC_S_FBUF, &screen);
	close(fd);
	return err;
}

static int request_fd = -1;

/* Of the media devices the one that takes this node's buffers into its requests. */
long op_request(struct app_state *s, long index)
{
	struct v4l2_plane plane[VIDEO_MAX_PLANES];
	struct v4l2_buffer b;
	long err = -ENODEV;
	glob_t g;
	size_t i;
	int fd;

	if (glob("/dev/media*", 0, NULL, &g))
		return -ENODEV;
	for (i = 0; i < g.gl_pathc && err == -ENODEV; i++) {
		fd = open(g.gl_pathv[i], O_RDWR | O_CLOEXEC);
		if (fd < 0 || ioctl(fd, MEDIA_IOC_REQUEST_ALLOC, &request_fd))
			continue;
		close(fd);
		b = buffer(index, plane);
		b.flags = V4L2_BUF_FLAG_REQUEST_FD;
		b.request_fd = request_fd;
		err = control(s->fd, VIDIOC_QBUF, &b);
		if (err == -EINVAL || err == -ENOENT)
			err = -ENODEV;
	}
	globfree(&g);
	return err;
}

long op_request_queue(struct app_state *s, long unused)
{
	return control(request_fd, MEDIA_REQUEST_IOC_QUEUE, NULL);
}

long op_uring_read(struct app_state *s, long mode)
{
	char data[4096];

	return uring_read(s->fd, data, sizeof(data), mode);
}

long op_uring_poll(struct app_state *s, long mode)
{
	return uring_poll(s->fd, 1 /* POLLIN */, mode);
}

long op_cpu(struct app_state *s, long unused)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000 +
	       (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1000;
}

/* ---- 32 bit ---------------------------------------------------------------------------------------------------- */

#ifdef __x86_64__

/* As i386 lays it out. */
struct buffer32 {
	uint32_t index, type, bytesused, flags, field;
	int32_t seconds, microseconds;
	uint32_t timecode[4], sequence, memory, offset, length, reserved, request;
};
_Static_assert(sizeof(struct buffer32) == 68, "not i386's struct v4l2_buffer");

/* The gate of 32-bit programs is open to others too; the kernel then takes the caller for one. */
static long int80(long number, long a, long b, long c, long d, long e, long f)
{
	long r;

	asm volatile("xchg %%rbp, %[f]\n\tint $0x80\n\txchg %%rbp, %[f]"
		     : "=a"(r), [f] "+r"(f)
		     : "a"(number), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
		     : "memory", "cc", "r8", "r9", "r10", "r11");
	return (int)r;
}

static void *low(size_t size)
{
	static void *p;

	if (!p)
		p = mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	memset(p, 0, size);
	return p;
}

static long control32(struct app_state *s, unsigned long command, void *argument)
{
	return int80(54, s->fd, command, (long)argument, 0, 0, 0);
}

long op32_reqbufs(struct app_state *s, long count)
{
	struct v4l2_requestbuffers *r = low(sizeof(*r));
	long err;

	*r = (struct v4l2_requestbuffers){ .count = count, .type = type, .memory = memory };
	err = control32(s, VIDIOC_REQBUFS, r);
	return err ?: (long)r->count;
}

static long on_buffer32(struct app_state *s, int number, long index, uint32_t *ret_offset)
{
	struct buffer32 *b = low(sizeof(*b));
	long err;

	b->index = index;
	b->type = type;
	b->memory = memory;
	err = control32(s, _IOWR('V', number, struct buffer32), b);
	if (ret_offset)
		*ret_offset = b->offset;
	return err ?: (long)b->index;
}

long op32_qbuf(struct app_state *s, long index)
{
	return on_buffer32(s, 15, index, NULL);
}

long op32_dqbuf(struct app_state *s, long unused)
{
	return on_buffer32(s, 17, 0, NULL);
}

long op32_on(struct app_state *s, long unused)
{
	int *p = low(sizeof(*p));

	*p = type;
	return control32(s, VIDIOC_STREAMON, p);
}

long op32_off(struct app_state *s, long unused)
{
	int *p = low(sizeof(*p));

	*p = type;
	return control32(s, VIDIOC_STREAMOFF, p);
}

long op32_export(struct app_state *s, long index)
{
	struct v4l2_exportbuffer *e = low(sizeof(*e));
	long err;

	*e = (struct v4l2_exportbuffer){ .type = type, .index = index };
	err = control32(s, VIDIOC_EXPBUF, e);
	if (!err)
		close(e->fd);
	return err;
}

long op32_map(struct app_state *s, long index)
{
	uint32_t offset = 0;
	long r;

	/* It may have none any more, which is not the question here. */
	on_buffer32(s, 9, index, &offset);
	r = int80(192, 0, 4096, PROT_READ, MAP_SHARED, s->fd, offset >> 12);
	if (r < 0 && r > -4096)
		return r;
	munmap((void *)(r & 0xffffffff), 4096);
	return 0;
}

long op32_read(struct app_state *s, long size)
{
	return int80(3, s->fd, (long)low(size), size, 0, 0, 0);
}

#endif

/* ---- operations that stop in the driver ------------------------------------------------------------------------ */

static struct {
	int fd;
	void *at;
} stalled;

static long stall_in_read(void *unused)
{
	ssize_t n = read(stalled.fd, stalled.at, 4096);

	return n < 0 ? -errno : n;
}

static long stall_in_ioctl_reqbufs(void *unused)
{
	return control(stalled.fd, VIDIOC_REQBUFS, stalled.at);
}

static long stall(long (*fn)(void *unused))
{
	int r = stall_thread(fn, NULL);

	return r ?: stall_reached(10000) ? 1 : -ETIMEDOUT;
}

long op_stall_read(struct app_state *s, long unused)
{
	stalled.fd = s->fd;
	stalled.at = stall_page();
	return stalled.at ? stall(stall_in_read) : -errno;
}

/* Only the count lies before the page that stops: the gate looks at it before the driver gets the rest. */
long op_stall_reqbufs(struct app_state *s, long count)
{
	stalled.fd = s->fd;
	stalled.at = stall_page();
	if (!stalled.at)
		return -errno;
	stalled.at = (char *)stalled.at - sizeof(uint32_t);
	*(uint32_t *)stalled.at = count;
	return stall(stall_in_ioctl_reqbufs);
}

long op_stall_end(struct app_state *s, long unused)
{
	stall_end();
	return stall_result(10000);
}
