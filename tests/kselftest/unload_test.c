// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Loading, detaching and unloading.
 *
 * Runs as root with the module loaded and a camera at /dev/video0. Each test
 * leaves the module loaded.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "gate.h"
#include "harness.h"

#define CAMERA "/dev/video0"

static int unload(void)
{
	return syscall(SYS_delete_module, "callgate", O_NONBLOCK) ? -errno : 0;
}

static int load(const char *parameters)
{
	struct utsname system;
	char path[256];
	int fd, err;

	uname(&system);
	snprintf(path, sizeof(path), "build/module/%s/callgate.ko", system.release);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		harness_skip("no %s here; run in the project's folder after 'make module'", path);
	err = syscall(SYS_finit_module, fd, parameters, 0) ? -errno : 0;
	close(fd);
	return err;
}

static void need_camera(void)
{
	if (access(CAMERA, F_OK))
		harness_skip("no camera at " CAMERA);
}

static int ask_for_buffers(int fd, int count)
{
	struct v4l2_requestbuffers request = { .count = count,
					       .type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
					       .memory = V4L2_MEMORY_MMAP };

	return ioctl(fd, VIDIOC_REQBUFS, &request) ? -errno : 0;
}

/* What a new file of the camera answers. */
static int try_camera(void)
{
	int fd = open(CAMERA, O_RDWR | O_NONBLOCK);
	int err;

	ASSERT(fd >= 0);
	err = ask_for_buffers(fd, 2);
	close(fd);
	return err;
}

TEST(allow_to_unload_and_load_again)
{
	struct gate *gate;
	int i;

	need_camera();
	for (i = 0; i < 5; i++) {
		EXPECT_EQ(try_camera(), -EACCES);
		ASSERT_EQ(unload(), 0);
		EXPECT_EQ(try_camera(), 0);
		EXPECT(!gate_open());
		ASSERT_EQ(load(""), 0);
		gate = gate_open_bound();
		EXPECT(gate_device(gate, "video0"));
		gate_close(gate);
	}
	EXPECT_EQ(try_camera(), -EACCES);
}

TEST(deny_to_unload_while_a_gated_file_is_open)
{
	int fd;

	need_camera();
	fd = open(CAMERA, O_RDWR | O_NONBLOCK);
	ASSERT(fd >= 0);
	EXPECT_EQ(unload(), -EWOULDBLOCK);
	EXPECT_EQ(ask_for_buffers(fd, 2), -EACCES);
	close(fd);
	EXPECT_EQ(unload(), 0);
	EXPECT_EQ(load(""), 0);
}

/* With a controller, grants, a pending deadline and reports on their way. */
TEST(allow_to_unload_in_full_swing)
{
	struct gate *gate;
	int i;

	need_camera();
	for (i = 0; i < 5; i++) {
		gate = gate_open_bound();
		EXPECT_EQ(gate_allow(gate, getpid(), 1, CALLGATE_KIND_ALL, 9000), 0);
		EXPECT_EQ(gate_allow(gate, getpid(), 2, CALLGATE_KIND_ALL, 300), 0);
		EXPECT_EQ(try_camera(), 0);
		EXPECT_EQ(gate_end(gate, 1), 0);
		usleep(60000 * i);
		ASSERT_EQ(unload(), 0);
		ASSERT_EQ(load(""), 0);
		/* The old socket is nobody now. */
		EXPECT(gate_mode(gate, -1, NULL) < 0);
		gate_close(gate);
	}
	EXPECT_EQ(try_camera(), -EACCES);
}

TEST(detach_gives_the_devices_back)
{
	struct gate *gate;
	struct gate_message *devices;
	int fd;

	need_camera();
	gate = gate_open_bound();
	fd = open(CAMERA, O_RDWR | O_NONBLOCK);
	ASSERT(fd >= 0);
	EXPECT_EQ(gate_detach(gate), -EBUSY);
	EXPECT(gate_sentence(gate)[0]);
	EXPECT_EQ(ask_for_buffers(fd, 2), -EACCES);
	close(fd);
	EXPECT_EQ(gate_detach(gate), 0);
	EXPECT_EQ(gate_detach(gate), 0);
	EXPECT_EQ(gate_dump(gate, CALLGATE_CMD_DEVICE_GET, &devices), 0);
	EXPECT_EQ(try_camera(), 0);
	gate_close(gate);
	EXPECT_EQ(unload(), 0);
	EXPECT_EQ(load(""), 0);
	EXPECT_EQ(try_camera(), -EACCES);
}

TEST(load_in_permissive_mode)
{
	struct gate *gate;
	uint8_t mode = 9;

	need_camera();
	ASSERT_EQ(unload(), 0);
	ASSERT_EQ(load("permissive=1"), 0);
	EXPECT_EQ(try_camera(), 0);
	gate = gate_open();
	ASSERT(gate);
	EXPECT_EQ(gate_bind(gate, &mode), 0);
	EXPECT_EQ(mode, CALLGATE_MODE_PERMISSIVE);
	EXPECT_EQ(gate_mode(gate, CALLGATE_MODE_ENFORCING, NULL), 0);
	EXPECT_EQ(try_camera(), -EACCES);
	ASSERT_EQ(unload(), 0);
	ASSERT_EQ(load(""), 0);
}

HARNESS_MAIN
