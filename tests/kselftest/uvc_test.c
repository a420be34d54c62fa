// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The gate on a real USB driver: uvcvideo, with a camera that is a process.
 * Denied and allowed, then pulled out or unbound at each moment.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/usbdevice_fs.h>
#include <linux/videodev2.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "camera.h"
#include "gate.h"
#include "harness.h"
#include "stall.h"
#include "usbip.h"
#include "v4l2_ops.h"

#define USER	 1000
#define SESSION	 7
#define BUFFERS	 4
#define UVCVIDEO "uvcvideo"

static struct gate *gate;
static struct usbip *dev;
/* What the tests of cameras that go plug in. */
static unsigned int camera = USBIP_CAMERA;
static char node[64];

static void plug(unsigned int functions)
{
	if (system("modprobe -a uvcvideo snd-usb-audio"))
		harness_skip("no uvcvideo or snd-usb-audio");
	if (!gate)
		gate = gate_open_bound();
	dev = usbip_plug(functions);
	ASSERT(dev);
	if (functions & USBIP_CAMERA) {
		ASSERT(usbip_wait_driver(dev, 1, UVCVIDEO));
		ASSERT(usbip_video(dev, node, sizeof(node)));
	}
}

static struct app *open_app(int flags)
{
	struct app *app = app_start(node, USER);

	ASSERT_EQ(app_call(app, APP_OPEN, flags), 0);
	return app;
}

static void allow(const struct app *app)
{
	ASSERT_EQ(gate_allow(gate, app->pid, SESSION, CALLGATE_KIND_CAMERA, 9900), 0);
}

static uint64_t held_request(const struct app *app)
{
	struct callgate_request request;

	while (gate_read(gate, 5000, &request)) {
		if (request.tgid == (uint32_t)app->pid)
			return request.id;
	}
	return 0;
}

static bool is_out_of_list(void *unused)
{
	return !gate_device(gate, strrchr(node, '/') + 1);
}

static int frames(void)
{
	return __atomic_load_n(&dev->shared->frames, __ATOMIC_RELAXED);
}

static bool is_still(void *last)
{
	int before = *(int *)last;

	*(int *)last = frames();
	usleep(150000);
	return frames() == before;
}

/* ---- this process as a viewer, which can say what is in a frame ------------------------------------------------- */

static int take_frame(int fd, void *const *maps)
{
	struct v4l2_buffer b = { .type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP };
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int good;

	if (poll(&p, 1, 5000) != 1 || ioctl(fd, VIDIOC_DQBUF, &b))
		return -1;
	good = b.bytesused == USBIP_FRAME_SIZE && usbip_is_pattern(maps[b.index], b.bytesused);
	return ioctl(fd, VIDIOC_QBUF, &b) ? -1 : good;
}

static int fails(const char *what, int fd)
{
	harness_note("%s: %s", what, strerror(errno));
	close(fd);
	return -1;
}

/* How many of five frames hold the pattern; -1 on an error. */
static int view(void)
{
	struct v4l2_requestbuffers request = { .count = BUFFERS,
					       .type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
					       .memory = V4L2_MEMORY_MMAP };
	int type = V4L2_BUF_TYPE_VIDEO_CAPTURE, fd, good = 0;
	void *maps[BUFFERS] = {};
	unsigned int i;

	fd = open(node, O_RDWR | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, VIDIOC_REQBUFS, &request) || request.count != BUFFERS)
		return fails("asking for buffers", fd);
	for (i = 0; i < BUFFERS; i++) {
		struct v4l2_buffer b = { .index = i,
					 .type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
					 .memory = V4L2_MEMORY_MMAP };

		if (ioctl(fd, VIDIOC_QUERYBUF, &b))
			return fails("looking at buffers", fd);
		maps[i] = mmap(NULL, b.length, PROT_READ, MAP_SHARED, fd, b.m.offset);
		if (maps[i] == MAP_FAILED || ioctl(fd, VIDIOC_QBUF, &b))
			return fails("mapping and queueing buffers", fd);
	}
	if (ioctl(fd, VIDIOC_STREAMON, &type))
		return fails("starting", fd);
	for (i = 0; i < 5; i++)
		good += take_frame(fd, maps);
	for (i = 0; i < BUFFERS; i++)
		munmap(maps[i], USBIP_FRAME_SIZE);
	close(fd);
	return good;
}

static void expect_view(void)
{
	ASSERT(usbip_wait_driver(dev, 1, UVCVIDEO));
	ASSERT(usbip_video(dev, node, sizeof(node)));
	ASSERT_EQ(gate_allow(gate, getpid(), SESSION + 1, CALLGATE_KIND_CAMERA, 9900), 0);
	EXPECT_EQ(view(), 5);
	EXPECT_EQ(gate_end(gate, SESSION + 1), 0);
}

/* ---- denied and allowed ---------------------------------------------------------------------------------------- */

TEST(enumerate_while_denied)
{
	plug(USBIP_CAMERA);
	EXPECT_EQ(app_call(open_app(0), APP_ENUMERATE, 0), 0);
}

TEST(deny_without_grant)
{
	struct app *app;

	plug(USBIP_CAMERA);
	app = open_app(O_NONBLOCK);
	EXPECT_EQ(app_call(app, APP_REQBUFS, 4), -EACCES);
	EXPECT_EQ(app_call(app, APP_CREATE, 4), -EACCES);
	EXPECT_EQ(app_call(app, APP_ON, 0), -EACCES);
	EXPECT_EQ(app_call(app, APP_POLL, POLLIN) & POLLIN, 0);
	EXPECT_EQ(frames(), 0);
}

TEST(allow_with_grant_and_see_the_pattern)
{
	plug(USBIP_CAMERA);
	expect_view();
	EXPECT(frames() >= 5);
}

TEST(stop_when_revoked)
{
	struct app *app;
	int last = -1;

	plug(USBIP_CAMERA);
	app = open_app(0);
	allow(app);
	ASSERT_EQ(app_stream(app), 0);
	ASSERT_EQ(app_frames(app, 3), 0);
	ASSERT_EQ(gate_end(gate, SESSION), 0);
	EXPECT(harness_wait(is_still, &last, 5000));
	EXPECT_EQ(app_call(app, APP_DQBUF, 0), -EACCES);
	/* Another app has the camera at once, though the first one holds its file. */
	expect_view();
}

/* In newer kernels the driver's queue names its owner. */
static bool tells_owner(void)
{
	struct utsname name;

	return uname(&name) == 0 && atoi(name.release) >= 7;
}

static bool nobody_streams(void *unused)
{
	struct gate_message *list = NULL;
	int n = gate_dump(gate, CALLGATE_CMD_STREAM_GET, &list);

	free(list);
	return n == 0;
}

/* Somebody who is told that he cannot stop does not start again. */
TEST(streamoff_after_a_revocation_is_no_error)
{
	struct app *app, *other;

	plug(USBIP_CAMERA);
	app = open_app(0);
	other = open_app(0);
	allow(app);
	ASSERT_EQ(app_stream(app), 0);
	if (!tells_owner())
		EXPECT_EQ(app_run(other, op_off, 0), -EBUSY);
	ASSERT_EQ(gate_end(gate, SESSION), 0);
	EXPECT(harness_wait(nobody_streams, NULL, 5000));
	EXPECT_EQ(app_run(app, op_off, 0), 0);
	if (!tells_owner())
		EXPECT_EQ(app_run(other, op_off, 0), -EBUSY);
	EXPECT_EQ(app_call(app, APP_ON, 0), -EACCES);
	/* While another one has the device it is one. */
	allow(other);
	ASSERT_EQ(app_stream(other), 0);
	EXPECT_EQ(app_run(app, op_off, 0), -EBUSY);
	EXPECT_EQ(app_frames(other, 3), 0);
	EXPECT_EQ(app_run(other, op_off, 0), 0);
	EXPECT_EQ(app_call(other, APP_REQBUFS, 0), 0);
	allow(app);
	ASSERT_EQ(app_stream(app), 0);
	EXPECT_EQ(app_frames(app, 3), 0);
	EXPECT_EQ(app_run(app, op_off, 0), 0);
}

/* Where the driver knows the owner, but does not tell; see kmod/v4l2-buffers.c. */
TEST(deny_mapping_while_another_one_asks)
{
	struct app *a, *b;

	if (!stall_permit())
		harness_skip("no userfaultfd");
	plug(USBIP_CAMERA);
	a = open_app(0);
	b = open_app(0);
	allow(a);
	allow(b);
	ASSERT_EQ(app_call(a, APP_REQBUFS, BUFFERS), BUFFERS);
	/* A probe gives nothing back. */
	EXPECT_EQ(app_run(a, op_create, 0), 0);
	EXPECT_EQ(app_run(a, op_map, 0), 0);
	ASSERT_EQ(app_run(b, op_stall_reqbufs, 2), 1);
	EXPECT_EQ(app_run(a, op_map, 0), tells_owner() ? 0 : -EBUSY);
	EXPECT(app_run(b, op_stall_end, 0) < 0);
	EXPECT_EQ(app_run(a, op_map, 0), 0);
	EXPECT_EQ(app_call(b, APP_MMAP_BLIND, 0), -EACCES);
}

TEST(wake_a_blocked_dqbuf_when_revoked)
{
	struct app *app;

	plug(USBIP_CAMERA);
	app = open_app(0);
	allow(app);
	dev->shared->paused = 1;
	ASSERT_EQ(app_stream(app), 0);
	app_send(app, APP_DQBUF, 0, 0);
	EXPECT_EQ(app_result(app, 200), APP_BUSY);
	ASSERT_EQ(gate_end(gate, SESSION), 0);
	EXPECT_EQ(app_result(app, 5000), -EACCES);
}

/* ---- gone at each moment --------------------------------------------------------------------------------------- */

/*
 * Until the driver has let go, as unbinding does too: the media core, of itself, has a NULL pointer where a camera's last file is
 * closed while its media device is unregistered (media_device_unregister_entity() looks before it locks).
 */
static void pull(void)
{
	usbip_pull(dev);
	EXPECT(usbip_gone(dev));
}

static void unbind_driver(void)
{
	char name[64];

	snprintf(name, sizeof(name), "%s:1.0", dev->name);
	EXPECT_EQ(usbip_write(dev, 0, "driver/unbind", name), 0);
}

/* An ordinary program resets the device under the app's feet. */
static void reset(void)
{
	int fd = open(dev->node, O_RDWR | O_CLOEXEC);

	EXPECT(fd >= 0 && ioctl(fd, USBDEVFS_RESET) == 0);
	close(fd);
}

/* A driver that is stopping the camera waits up to five seconds for each control transfer that nobody answers. */
#define GONE_MS 20000

/* Afterwards the app has nothing, nothing hangs, and a new camera works. */
static void expect_gone(struct app *app)
{

	EXPECT(app_call(app, APP_DQBUF, 0) < 0);
	EXPECT(app_call(app, APP_ON, 0) < 0);
	EXPECT_EQ(app_call(app, APP_CLOSE, 0), 0);
	app_end(app);
	EXPECT(harness_wait(is_out_of_list, NULL, 10000));
	EXPECT(usbip_unplug(dev));
	gate_forget(gate);
	plug(camera);
	expect_view();
	EXPECT(usbip_unplug(dev));
}

static void gone_while_denied(void (*go)(void))
{
	struct app *app;

	plug(camera);
	app = open_app(O_NONBLOCK);
	EXPECT_EQ(app_call(app, APP_REQBUFS, 4), -EACCES);
	go();
	expect_gone(app);
}

static void gone_while_held(void (*go)(void))
{
	struct app *app;
	uint64_t request;
	long r;

	plug(camera);
	app = open_app(0);
	app_send(app, APP_REQBUFS, 4, 0);
	request = held_request(app);
	ASSERT(request != 0);
	go();
	r = app_result(app, 5000);
	EXPECT(r == -EACCES || r == -ENODEV);
	EXPECT(gate_verdict(gate, request, CALLGATE_VERDICT_ALLOW) < 0);
	expect_gone(app);
}

static void gone_while_streaming(void (*go)(void))
{
	struct app *app;
	long r;

	plug(camera);
	app = open_app(0);
	allow(app);
	ASSERT_EQ(app_stream(app), 0);
	ASSERT_EQ(app_frames(app, 3), 0);
	dev->shared->paused = 1;
	do {
		app_send(app, APP_DQBUF, 0, 0);
		r = app_result(app, 300);
	} while (r >= 0 && r < APP_BUSY);
	EXPECT_EQ(r, APP_BUSY);
	go();
	r = app_result(app, GONE_MS);
	EXPECT(r < 0);
	expect_gone(app);
}

static void gone_while_revoking(void (*go)(void))
{
	struct app *app;
	int i;

	for (i = 0; i < 4; i++) {
		plug(camera);
		app = open_app(0);
		allow(app);
		ASSERT_EQ(app_stream(app), 0);
		ASSERT_EQ(app_frames(app, 1), 0);
		app_send(app, APP_DQBUF, 0, 0);
		/* Each time the two meet a little later. */
		EXPECT_EQ(gate_end(gate, SESSION), 0);
		usleep(i * 700);
		go();
		EXPECT(app_result(app, GONE_MS) < APP_BUSY);
		expect_gone(app);
	}
}

TEST(unplug_while_denied)
{
	gone_while_denied(pull);
}

TEST(unplug_while_held)
{
	gone_while_held(pull);
}

TEST(unplug_while_streaming)
{
	gone_while_streaming(pull);
}

TEST_LIMIT(unplug_while_revoking, 180)
{
	gone_while_revoking(pull);
}

TEST(unbind_while_denied)
{
	gone_while_denied(unbind_driver);
}

TEST(unbind_while_held)
{
	gone_while_held(unbind_driver);
}

TEST(unbind_while_streaming)
{
	gone_while_streaming(unbind_driver);
}

TEST_LIMIT(unbind_while_revoking, 180)
{
	gone_while_revoking(unbind_driver);
}

/* The driver comes back by itself, under a node of its own. */
TEST(reset_while_streaming)
{
	struct app *app;

	plug(USBIP_CAMERA);
	app = open_app(0);
	allow(app);
	ASSERT_EQ(app_stream(app), 0);
	ASSERT_EQ(app_frames(app, 2), 0);
	reset();
	EXPECT(app_call(app, APP_ON, 0) < 0);
	EXPECT_EQ(app_call(app, APP_CLOSE, 0), 0);
	expect_view();
	/* And the new one is gated like the old one. */
	app_end(app);
	app = open_app(O_NONBLOCK);
	EXPECT_EQ(app_call(app, APP_REQBUFS, 4), -EACCES);
}

/* ---- packets instead of whole frames ---------------------------------------------------------------------------- */

TEST(deny_and_allow_an_isochronous_camera)
{
	struct app *app;
	int last = -1;

	plug(USBIP_CAMERA | USBIP_ISOCHRONOUS);
	app = open_app(O_NONBLOCK);
	EXPECT_EQ(app_call(app, APP_REQBUFS, 4), -EACCES);
	EXPECT_EQ(app_call(app, APP_ON, 0), -EACCES);
	EXPECT_EQ(frames(), 0);

	expect_view();
	EXPECT(harness_wait(is_still, &last, 5000));

	ASSERT_EQ(app_call(app, APP_FLAGS, 0), 0);
	allow(app);
	ASSERT_EQ(app_stream(app), 0);
	ASSERT_EQ(app_frames(app, 3), 0);
	ASSERT_EQ(gate_revoke(gate, 0, SESSION), 0);
	last = -1;
	EXPECT(harness_wait(is_still, &last, 5000));
	EXPECT_EQ(app_call(app, APP_DQBUF, 0), -EACCES);
	/* The driver's stop ends with a control transfer, which takes the device its time. */
	EXPECT(harness_wait(nobody_streams, NULL, 10000));
	expect_view();
}

TEST(unplug_an_isochronous_camera_while_streaming)
{
	camera |= USBIP_ISOCHRONOUS;
	gone_while_streaming(pull);
}

TEST_LIMIT(unplug_an_isochronous_camera_while_revoking, 180)
{
	camera |= USBIP_ISOCHRONOUS;
	gone_while_revoking(pull);
}

int main(int argc, char **argv)
{
	app_main(argc, argv);
	return harness_main(argc, argv);
}
