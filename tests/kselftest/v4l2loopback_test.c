// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A node with both directions and buffers that live for ever: the
 * distribution's v4l2loopback. Acts as the controller and as the program that
 * captures; a child feeds the node. Runs as root in the virtual machine.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gate.h"
#include "harness.h"

#define NODE	"/dev/video9"
#define WIDTH	160
#define HEIGHT	120
#define FRAME	(WIDTH * HEIGHT * 2)
#define SESSION 3

static struct gate *gate;
/* What the feeder fills its frames with. */
static volatile uint8_t *shown;
static sigjmp_buf fault;

static void begin(void)
{
	if (system("lsmod | grep -q ^v4l2loopback") &&
	    system(". /run/rig/config && insmod /callgate/$BUILD/driver/$(uname -r)/v4l2loopback/"
		   "v4l2loopback.ko video_nr=9 2>/dev/null"))
		harness_skip("v4l2loopback is not built for this kernel");
	gate = gate_open_bound();
	ASSERT(gate_device(gate, "video9") != 0);
}

static void allow(void)
{
	ASSERT_EQ(gate_allow(gate, getpid(), SESSION, CALLGATE_KIND_CAMERA, 9000), 0);
}

static int try(int fd, unsigned long command, void *argument)
{
	return ioctl(fd, command, argument) < 0 ? -errno : 0;
}

static _Noreturn void feed(int ready)
{
	struct v4l2_format format = { .type = V4L2_BUF_TYPE_VIDEO_OUTPUT };
	static uint8_t frame[FRAME];
	int fd = open(NODE, O_RDWR);

	format.fmt.pix.width = WIDTH;
	format.fmt.pix.height = HEIGHT;
	format.fmt.pix.pixelformat = V4L2_PIX_FMT_YUYV;
	format.fmt.pix.sizeimage = FRAME;
	if (fd < 0 || try(fd, VIDIOC_S_FMT, &format))
		_exit(1);
	for (;;) {
		memset(frame, *shown, sizeof(frame));
		if (write(fd, frame, sizeof(frame)) != FRAME)
			_exit(2);
		if (ready >= 0 && write(ready, "x", 1) != 1)
			_exit(3);
		ready = -1;
		usleep(20000);
	}
}

/* A program without a grant, which writes pictures into the node. */
static void feeder_start(void)
{
	int ready[2];
	pid_t pid;
	char c;

	shown = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT(shown != MAP_FAILED);
	*shown = 0x11;
	ASSERT(pipe(ready) == 0);
	pid = fork();
	ASSERT(pid >= 0);
	if (pid == 0)
		feed(ready[1]);
	close(ready[1]);
	ASSERT(read(ready[0], &c, 1) == 1);
}

static int request(int fd, uint32_t type)
{
	struct v4l2_requestbuffers r = { .count = 2, .type = type, .memory = V4L2_MEMORY_MMAP };

	return try(fd, VIDIOC_REQBUFS, &r);
}

/* The first buffer's mapping, queued and streaming. */
static volatile uint8_t *stream(int fd)
{
	enum v4l2_buf_type type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
	struct v4l2_buffer b = { .type = type, .memory = V4L2_MEMORY_MMAP };
	void *map;

	ASSERT_EQ(request(fd, type), 0);
	ASSERT_EQ(try(fd, VIDIOC_QUERYBUF, &b), 0);
	map = mmap(NULL, b.length, PROT_READ, MAP_SHARED, fd, b.m.offset);
	ASSERT(map != MAP_FAILED);
	ASSERT_EQ(try(fd, VIDIOC_QBUF, &b), 0);
	ASSERT_EQ(try(fd, VIDIOC_STREAMON, &type), 0);
	return map;
}

static bool frame_comes(void *fd)
{
	struct v4l2_buffer b = { .type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP };

	return try(*(int *)fd, VIDIOC_DQBUF, &b) == 0;
}

static void on_fault(int signo)
{
	siglongjmp(fault, 1);
}

/* What the mapping shows; -1: it is not there any more. */
static int look(volatile uint8_t *map)
{
	signal(SIGBUS, on_fault);
	return sigsetjmp(fault, 1) ? -1 : map[0];
}

static bool is_gone(void *map)
{
	return look(map) == -1;
}

struct seen {
	volatile uint8_t *map;
	int byte;
};

static bool shows(void *arg)
{
	struct seen *seen = arg;

	return look(seen->map) == seen->byte;
}

TEST_LIMIT(deny_reading_what_another_program_may_write, 300)
{
	struct v4l2_capability cap;
	uint8_t frame[FRAME];
	int fd;

	begin();
	feeder_start();
	fd = open(NODE, O_RDWR | O_NONBLOCK);
	ASSERT(fd >= 0);
	EXPECT_EQ(try(fd, VIDIOC_QUERYCAP, &cap), 0);
	EXPECT_EQ(read(fd, frame, sizeof(frame)) < 0 ? -errno : 0, -EACCES);
	EXPECT_EQ(request(fd, V4L2_BUF_TYPE_VIDEO_CAPTURE), -EACCES);
	EXPECT(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED);
	allow();
	stream(fd);
	EXPECT(harness_wait(frame_comes, &fd, 10000));
}

TEST(revoked_mapping_is_gone)
{
	struct seen seen;
	int fd;

	begin();
	feeder_start();
	allow();
	fd = open(NODE, O_RDWR | O_NONBLOCK);
	ASSERT(fd >= 0);
	seen = (struct seen){ stream(fd), 0x22 };
	EXPECT(harness_wait(frame_comes, &fd, 10000));
	/* The driver fills the buffer whether it is queued or not. */
	*shown = seen.byte;
	EXPECT(harness_wait(shows, &seen, 10000));
	ASSERT_EQ(gate_end(gate, SESSION), 0);
	EXPECT(harness_wait(is_gone, (void *)seen.map, 10000));
	*shown = 0x33;
	EXPECT_EQ(request(fd, V4L2_BUF_TYPE_VIDEO_CAPTURE), -EACCES);
	EXPECT_EQ(look(seen.map), -1);
	allow();
	seen = (struct seen){ stream(fd), 0x33 };
	EXPECT(harness_wait(shows, &seen, 10000));
}

/* The type of a buffer lies in the caller's memory, so that the gate cannot tell the directions apart. */
TEST(deny_output_buffers_of_a_node_with_both_directions)
{
	int fd;

	begin();
	fd = open(NODE, O_RDWR | O_NONBLOCK);
	ASSERT(fd >= 0);
	EXPECT_EQ(request(fd, V4L2_BUF_TYPE_VIDEO_OUTPUT), -EACCES);
	allow();
	EXPECT_EQ(request(fd, V4L2_BUF_TYPE_VIDEO_OUTPUT), 0);
}

HARNESS_MAIN
