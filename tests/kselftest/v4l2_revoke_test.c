// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The end of a grant on a vivid camera: by its deadline, by the controller, by
 * the controller's death; in stream and in read mode; with the app asleep in
 * the driver. After each, another app has the camera and sees its own frames
 * only. And the end of the device and of the module under running captures.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "camera.h"
#include "v4l2_fixture.h"

#define UNBIND "/sys/bus/platform/drivers/vivid/unbind"
#define BIND   "/sys/bus/platform/drivers/vivid/bind"

/* Takes every frame and gives none back, so that the next DQBUF sleeps for ever. */
static void drain(struct app *a)
{
	int i;

	for (i = 0; i < CAMERA_BUFFERS; i++)
		EXPECT(app_call(a, APP_DQBUF, 0) >= 0);
	app_send(a, APP_DQBUF, 0, 0);
	EXPECT_EQ(app_result(a, 300), APP_BUSY);
}

TEST(end_with_the_deadline)
{
	struct app *a = app(0);
	int64_t begun;

	allow(a);
	ASSERT_EQ(app_stream(a), 0);
	drain(a);
	/* Only now, because a busy machine takes long to get there. */
	begun = boottime_ms();
	allow_for(a, 2500);
	EXPECT_EQ(app_result(a, 9000), -EACCES);
	EXPECT(boottime_ms() - begun >= 2000);
	EXPECT(boottime_ms() - begun < 8000);
	EXPECT(stopped(a));
	EXPECT_EQ(app_call(a, APP_DQBUF, 0), -EACCES);
}

TEST(go_on_while_renewed)
{
	struct app *a = app(0);
	int i;

	allow_for(a, 2500);
	ASSERT_EQ(app_stream(a), 0);
	/* Often, because a frame on a busy machine is slow. */
	for (i = 0; i < 50; i++) {
		allow_for(a, 2500);
		ASSERT_EQ(app_frames(a, 1), 0);
	}
}

TEST(end_when_revoked_and_free_the_camera)
{
	struct app *a = app(0), *b = app(0);
	long before, other;

	allow(a);
	ASSERT_EQ(app_stream(a), 0);
	drain(a);
	forbid(a);
	EXPECT_EQ(app_result(a, 3000), -EACCES);
	EXPECT(stopped(a));

	/* The first still has its file and mappings. */
	allow(b);
	EXPECT_EQ(app_stream(b), 0);
	EXPECT_EQ(app_frames(b, 2), 0);
	before = app_call(a, APP_SUM, 0);
	other = app_call(b, APP_SUM, 0);
	EXPECT_EQ(app_frames(b, 2 * CAMERA_BUFFERS), 0);
	EXPECT_EQ(app_call(a, APP_SUM, 0), before);
	EXPECT(app_call(b, APP_SUM, 0) != other);
	EXPECT_EQ(streams(b), 1);

	/* And may come back when the other is done. */
	EXPECT_EQ(app_call(b, APP_OFF, 0), 0);
	EXPECT_EQ(app_call(b, APP_MUNMAP, 0), 0);
	EXPECT_EQ(app_call(b, APP_REQBUFS, 0), 0);
	allow(a);
	EXPECT_EQ(app_call(a, APP_MUNMAP, 0), 0);
	EXPECT_EQ(app_stream(a), 0);
	EXPECT_EQ(app_frames(a, 2), 0);
}

TEST(end_read_mode_when_revoked)
{
	struct app *a = app(0), *b = app(0);

	allow(a);
	EXPECT_EQ(app_call(a, APP_READ, 4096), 4096);
	EXPECT_EQ(streams(a), 1);
	forbid(a);
	EXPECT(stopped(a));
	EXPECT_EQ(app_call(a, APP_FLAGS, O_NONBLOCK), 0);
	EXPECT_EQ(app_call(a, APP_READ, 4096), -EACCES);
	allow(b);
	EXPECT_EQ(app_call(b, APP_READ, 4096), 4096);
	EXPECT_EQ(app_call(b, APP_CLOSE, 0), 0);
	EXPECT_EQ(streams(b), 0);
	allow(a);
	EXPECT_EQ(app_call(a, APP_FLAGS, 0), 0);
	EXPECT_EQ(app_call(a, APP_READ, 4096), 4096);
}

TEST(end_read_mode_nonblocking)
{
	struct app *a = app(O_NONBLOCK), *b = app(0);
	long r;

	allow(a);
	r = app_call(a, APP_READ, 4096);
	EXPECT(r == -EAGAIN || r == 4096);
	EXPECT_EQ(streams(a), 1);
	forbid(a);
	EXPECT(stopped(a));
	allow(b);
	EXPECT_EQ(app_stream(b), 0);
}

TEST(end_when_the_controller_dies_at_the_deadline)
{
	struct app *a = app(0);

	allow_for(a, 3000);
	ASSERT_EQ(app_stream(a), 0);
	unbind();
	EXPECT_EQ(app_frames(a, 2), 0);
	drain(a);
	EXPECT_EQ(app_result(a, 5000), -EACCES);
	bind_again();
	EXPECT(stopped(a));
}

TEST(end_of_the_file_ends_the_stream)
{
	struct app *a = app(0);

	allow(a);
	ASSERT_EQ(app_stream(a), 0);
	EXPECT_EQ(streams(a), 1);
	EXPECT_EQ(app_call(a, APP_CLOSE, 0), 0);
	EXPECT_EQ(streams(a), 0);
	ASSERT_EQ(app_call(a, APP_OPEN, 0), 0);
	ASSERT_EQ(app_stream(a), 0);
	end(a);
	EXPECT(idle());
}

/* Nothing is left of it, and what comes back is gated. */
static void expect_gone(struct app *a)
{
	EXPECT(idle());
	EXPECT_EQ(cameras(), 0);
	EXPECT(app_call(a, APP_DQBUF, 0) < 0);
	EXPECT(app_call(a, APP_ON, 0) < 0);
	EXPECT_EQ(app_call(a, APP_CLOSE, 0), 0);
	end(a);
	EXPECT_EQ(write_file(BIND, "vivid.0"), 0);
	ASSERT(find_camera());
	a = app(O_NONBLOCK);
	EXPECT_EQ(app_call(a, APP_REQBUFS, 4), -EACCES);
	allow(a);
	EXPECT_EQ(app_stream(a), 0);
	end(a);
	EXPECT(idle());
}

TEST(unbind_while_denied)
{
	struct app *a = app(O_NONBLOCK);

	EXPECT_EQ(app_call(a, APP_REQBUFS, 4), -EACCES);
	EXPECT_EQ(write_file(UNBIND, "vivid.0"), 0);
	expect_gone(a);
}

TEST(unbind_while_held)
{
	struct app *a = app(0);
	uint64_t id;

	app_send(a, APP_REQBUFS, 4, 0);
	id = request(a, CALLGATE_OP_BUFFERS);
	ASSERT(id != 0);
	EXPECT_EQ(write_file(UNBIND, "vivid.0"), 0);
	EXPECT(app_result(a, 3000) < 0);
	expect_gone(a);
}

TEST(unbind_while_streaming)
{
	struct app *a = app(0);

	allow(a);
	ASSERT_EQ(app_stream(a), 0);
	EXPECT_EQ(app_frames(a, 1), 0);
	EXPECT_EQ(write_file(UNBIND, "vivid.0"), 0);
	EXPECT_EQ(app_call(a, APP_DQBUF, 0), -ENODEV);
	expect_gone(a);
}

/* Each time the two meet a little later. */
TEST_LIMIT(unbind_while_revoking, 180)
{
	struct app *a;
	int i;

	for (i = 0; i < 4; i++) {
		a = app(0);
		allow(a);
		ASSERT_EQ(app_stream(a), 0);
		EXPECT_EQ(app_frames(a, 1), 0);
		app_send(a, APP_DQBUF, 0, 0);
		forbid(a);
		usleep(i * 700);
		EXPECT_EQ(write_file(UNBIND, "vivid.0"), 0);
		EXPECT(app_result(a, 5000) < APP_BUSY);
		expect_gone(a);
	}
}

/* Last: it takes the module out, and puts it back. */
TEST(unload_only_when_unused)
{
	struct app *a = app(O_NONBLOCK);

	unbind();
	/* The kernel's word for a module that is in use. */
	EXPECT_EQ(unload(), -EWOULDBLOCK);
	EXPECT_EQ(app_call(a, APP_CLOSE, 0), 0);
	ASSERT_EQ(unload(), 0);

	/* Ungated, and a file from now is gated when the module comes back. */
	ASSERT_EQ(app_call(a, APP_OPEN, 0), 0);
	EXPECT_EQ(app_stream(a), 0);
	EXPECT_EQ(app_frames(a, 2), 0);
	ASSERT_EQ(load(), 0);
	EXPECT_EQ(app_call(a, APP_DQBUF, 0), -EACCES);
	EXPECT_EQ(app_call(a, APP_READ, 4096), -EACCES);
	/* Its buffers may be gone by now. */
	EXPECT(app_call(a, APP_MMAP, 0) < 0);
	/* It is stopped at that first denial. */
	EXPECT(emptied(a));
	bind_again();
	allow(a);
	EXPECT(app_call(a, APP_DQBUF, 0) < 0);
	EXPECT_EQ(app_stream(a), 0);
	EXPECT_EQ(app_frames(a, 2), 0);
	EXPECT_EQ(app_call(a, APP_CLOSE, 0), 0);
}

int main(int argc, char **argv)
{
	app_main(argc, argv);
	return harness_main(argc, argv);
}
