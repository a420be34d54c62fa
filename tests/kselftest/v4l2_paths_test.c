// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The less trodden ways to a camera's frames: io_uring, 32-bit programs, other
 * kinds of memory, exported buffers, requests, buffers in other hands, and
 * callers who hold up the driver while their grant ends. Each is denied and, as
 * its twin, allowed. Needs two vivid cameras, the second multi-planar; see
 * rules.mk.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "stall.h"
#include "uring.h"
#include "v4l2_fixture.h"
#include "v4l2_ops.h"

/* ---- other system calls ---------------------------------------------------------------------------------------- */

TEST(deny_io_uring_in_every_way)
{
	struct app *a = app(O_NONBLOCK), *b = app(0);
	long mode;

	for (mode = 0; mode < URING_MODES; mode++) {
		EXPECT_EQ(app_run(a, op_uring_read, mode), -EACCES);
		EXPECT_EQ(app_run(a, op_uring_poll, mode), POLLERR);
	}
	/* Nothing was started: the camera is free. */
	allow(b);
	for (mode = 0; mode < URING_MODES; mode++) {
		EXPECT_EQ(app_run(b, op_uring_read, mode), 4096);
		EXPECT_EQ(app_run(b, op_uring_poll, mode), POLLIN);
	}
	EXPECT_EQ(streams(b), 1);
	forbid(b);
	EXPECT(stopped(b));
	ASSERT_EQ(app_call(b, APP_FLAGS, O_NONBLOCK), 0);
	for (mode = 0; mode < URING_MODES; mode++)
		EXPECT_EQ(app_run(b, op_uring_read, mode), -EACCES);
}

/* A ring asks poll first, which says "error" at once, and must not go on asking while the reader is held. */
TEST(hold_io_uring_without_spinning)
{
	struct app *a = app(0);
	long before, spent;
	uint64_t id;

	before = app_run(a, op_cpu, 0);
	app_send_run(a, op_uring_read, URING_INLINE);
	id = request(a, CALLGATE_OP_READ);
	ASSERT(id != 0);
	EXPECT_EQ(app_result(a, 1500), APP_BUSY);
	allow(a);
	EXPECT_EQ(verdict(id, CALLGATE_VERDICT_ALLOW), 0);
	EXPECT_EQ(app_result(a, 10000), 4096);
	spent = app_run(a, op_cpu, 0) - before;
	harness_note("held for 1500 ms, %ld ms of them busy", spent);
	EXPECT(spent < 750);
}

TEST(deny_32_bit_program)
{
	struct app *a = app(O_NONBLOCK);

	EXPECT_EQ(app_run(a, op32_reqbufs, 4), -EACCES);
	EXPECT_EQ(app_run(a, op32_on, 0), -EACCES);
	EXPECT_EQ(app_run(a, op32_read, 4096), -EACCES);
	allow(a);
	ASSERT_EQ(app_run(a, op32_reqbufs, 4), 4);
	EXPECT_EQ(app_run(a, op32_map, 0), 0);
	EXPECT_EQ(app_run(a, op32_qbuf, 0), 0);
	EXPECT_EQ(app_run(a, op32_export, 0), 0);
	forbid(a);
	EXPECT_EQ(app_run(a, op32_qbuf, 1), -EACCES);
	EXPECT_EQ(app_run(a, op32_dqbuf, 0), -EACCES);
	EXPECT_EQ(app_run(a, op32_map, 0), -EACCES);
	EXPECT_EQ(app_run(a, op32_export, 0), -EACCES);
	EXPECT_EQ(app_run(a, op32_reqbufs, 0), 0);
}

TEST(allow_32_bit_program)
{
	struct app *a = app(0);
	int i;

	allow(a);
	ASSERT_EQ(app_run(a, op32_reqbufs, 4), 4);
	for (i = 0; i < 4; i++)
		EXPECT_EQ(app_run(a, op32_qbuf, i), i);
	EXPECT_EQ(app_run(a, op32_on, 0), 0);
	EXPECT_EQ(streams(a), 1);
	EXPECT(app_run(a, op32_dqbuf, 0) >= 0);
	EXPECT_EQ(app_run(a, op32_off, 0), 0);
	EXPECT_EQ(streams(a), 0);
	EXPECT_EQ(app_run(a, op32_reqbufs, 0), 0);
	EXPECT_EQ(app_run(a, op32_read, 4096), 4096);
}

TEST(deny_node_that_was_made_elsewhere)
{
	struct stat st;
	struct app *a;

	ASSERT(find_camera());
	ASSERT_EQ(stat(camera_node(), &st), 0);
	unlink("/tmp/lens");
	ASSERT_EQ(mknod("/tmp/lens", S_IFCHR | 0666, st.st_rdev), 0);
	ASSERT_EQ(chmod("/tmp/lens", 0666), 0);
	a = app_on("/tmp/lens", O_NONBLOCK);
	EXPECT_EQ(app_call(a, APP_REQBUFS, 4), -EACCES);
	EXPECT_EQ(app_call(a, APP_READ, 4096), -EACCES);
	allow(a);
	EXPECT_EQ(app_stream(a), 0);
	unlink("/tmp/lens");
}

/* ---- buffers --------------------------------------------------------------------------------------------------- */

/* Lets @b stream for some frames, while @read of @a shows what @a can see. */
static void expect_dead(struct app *a, app_fn read, struct app *b)
{
	long before;

	allow(b);
	ASSERT_EQ(app_run(b, op_type, V4L2_BUF_TYPE_VIDEO_CAPTURE), 0);
	EXPECT_EQ(app_stream(b), 0);
	before = app_run(a, read, 0);
	EXPECT_EQ(app_frames(b, 2 * CAMERA_BUFFERS), 0);
	EXPECT_EQ(app_run(a, read, 0), before);
}

TEST(revoked_export_shows_nothing_more)
{
	struct app *a = app(0), *b = app(0);
	long before;

	allow(a);
	ASSERT_EQ(app_stream(a), 0);
	ASSERT_EQ(app_run(a, op_export, 0), 0);
	before = app_run(a, op_export_sum, 0);
	EXPECT_EQ(app_frames(a, 2 * CAMERA_BUFFERS), 0);
	EXPECT(app_run(a, op_export_sum, 0) != before);
	forbid(a);
	EXPECT(stopped(a));
	EXPECT_EQ(app_run(a, op_export, 0), -EACCES);
	expect_dead(a, op_export_sum, b);
}

static void use_memory(long memory)
{
	struct app *a = app(O_NONBLOCK), *b = app(0);
	int i;

	ASSERT_EQ(app_run(a, op_memory, memory), 0);
	EXPECT_EQ(app_run(a, op_reqbufs, 4), -EACCES);
	allow(a);
	ASSERT_EQ(app_run(a, op_stream, 0), 0);
	EXPECT_EQ(streams(a), 1);
	/* One frame at least has come into the memory. */
	app_send(a, APP_POLL, POLLIN, 10000);
	EXPECT_EQ(app_result(a, 11000), POLLIN);
	EXPECT(app_run(a, op_dqbuf, 0) >= 0);
	EXPECT(app_run(a, op_memory_sum, 0) != 0);
	forbid(a);
	EXPECT(stopped(a));
	for (i = 0; i < CAMERA_BUFFERS; i++)
		EXPECT_EQ(app_run(a, op_qbuf, i), -EACCES);
	EXPECT_EQ(app_run(a, op_dqbuf, 0), -EACCES);
	expect_dead(a, op_memory_sum, b);
}

TEST(revoked_user_pages_see_nothing_more)
{
	use_memory(V4L2_MEMORY_USERPTR);
}

TEST(revoked_imported_buffers_see_nothing_more)
{
	char node[64];

	if (!camera_find(V4L2_CAP_VIDEO_OUTPUT, node, sizeof(node)))
		harness_skip("no device to take the memory from");
	use_memory(V4L2_MEMORY_DMABUF);
}

/* Both are allowed, and one file is in both hands: what one mapped must not be filled by the other. */
TEST(deny_using_buffers_that_another_one_holds)
{
	struct app *a = app(0), *b = app(O_NONBLOCK);
	long before;

	allow(a);
	allow(b);
	ASSERT_EQ(app_call(a, APP_REQBUFS, 4), 4);
	ASSERT_EQ(app_call(a, APP_MMAP, 0), 0);
	ASSERT_EQ(app_give(a, b), 0);
	EXPECT_EQ(app_call(b, APP_QBUF, 0), -EACCES);
	EXPECT_EQ(app_call(b, APP_PREPARE, 0), -EACCES);
	EXPECT_EQ(app_call(b, APP_EXPBUF, 0), -EACCES);
	EXPECT_EQ(app_call(b, APP_CREATE, 1), -EACCES);
	EXPECT_EQ(app_call(b, APP_MMAP, 0), -EACCES);
	EXPECT_EQ(app_call(b, APP_ON, 0), -EACCES);
	EXPECT_EQ(app_call(a, APP_QBUF, 0), 0);
	/* It may have buffers of its own, and then the old ones are nobody's. */
	EXPECT_EQ(app_stream(b), 0);
	before = app_call(a, APP_SUM, 0);
	EXPECT_EQ(app_frames(b, 2 * CAMERA_BUFFERS), 0);
	EXPECT_EQ(app_call(a, APP_SUM, 0), before);
	EXPECT_EQ(app_call(a, APP_QBUF, 0), -EACCES);
	EXPECT_EQ(app_call(a, APP_MMAP, 0), -EACCES);
}

TEST(deny_using_buffers_from_before_fork_and_exec)
{
	struct app *a = app(0), *child;

	allow(a);
	ASSERT_EQ(app_stream(a), 0);
	child = app_fork(a);
	ASSERT(child != NULL);
	EXPECT_EQ(app_call(child, APP_QBUF, 0), -EACCES);
	allow(child);
	EXPECT_EQ(app_call(child, APP_QBUF, 0), -EACCES);
	EXPECT(app_call(child, APP_DQBUF, 0) >= 0);
	app_end(child);
	EXPECT_EQ(app_frames(a, 2), 0);
	ASSERT_EQ(app_call(a, APP_EXEC, 0), 0);
	EXPECT_EQ(app_call(a, APP_QBUF, 0), -EACCES);
	allow(a);
	EXPECT_EQ(app_call(a, APP_QBUF, 0), -EACCES);
	EXPECT_EQ(app_call(a, APP_OFF, 0), 0);
	EXPECT_EQ(app_stream(a), 0);
	EXPECT_EQ(app_frames(a, 2), 0);
}

static bool is_free(void *app)
{
	return app_call(app, APP_REQBUFS, 2) == 2;
}

/* It never streamed, but what it mapped would show what somebody else captures through that file. */
TEST(free_buffers_that_never_streamed)
{
	struct app *a = app(0), *b = app(0);

	allow(a);
	allow(b);
	ASSERT_EQ(app_call(a, APP_REQBUFS, 4), 4);
	ASSERT_EQ(app_call(a, APP_MMAP, 0), 0);
	EXPECT_EQ(app_call(b, APP_REQBUFS, 2), -EBUSY);
	forbid(a);
	EXPECT(harness_wait(is_free, b, 10000));
	EXPECT_EQ(app_call(b, APP_REQBUFS, 0), 0);
	/* The same file in other hands. */
	ASSERT_EQ(app_give(a, b), 0);
	EXPECT(app_call(b, APP_QBUF, 0) < 0);
	EXPECT_EQ(app_stream(b), 0);
	EXPECT_EQ(app_frames(b, 2), 0);
}

/* Who gives the buffers away in one thread must not map what comes instead in another. */
TEST(deny_mapping_while_buffers_are_given_away)
{
	struct app *a = app(0), *b = app(0);

	if (!stall_permit())
		harness_skip("no userfaultfd");
	allow(a);
	allow(b);
	ASSERT_EQ(app_call(a, APP_REQBUFS, 4), 4);
	ASSERT_EQ(app_run(a, op_map, 0), 0);
	ASSERT_EQ(app_run(a, op_stall_reqbufs, 0), 1);
	EXPECT_EQ(app_run(a, op_map, 0), -EBUSY);
	EXPECT_EQ(app_run(a, op_export, 0), -EBUSY);
	/* Its arguments are nonsense. */
	EXPECT_EQ(app_run(a, op_stall_end, 0), -EINVAL);
	EXPECT_EQ(app_run(a, op_map, 0), 0);
	EXPECT_EQ(app_run(a, op_export, 0), 0);
	/* Somebody else who asks disturbs nobody, where the driver knows the owner. */
	ASSERT_EQ(app_run(b, op_stall_reqbufs, 2), 1);
	EXPECT_EQ(app_run(a, op_map, 0), 0);
	EXPECT_EQ(app_run(b, op_stall_end, 0), -EINVAL);
}

/* The buffer stays in the request when its user has lost the camera. */
TEST(revoked_request_captures_nothing)
{
	struct app *a = app(0), *b = app(0);

	if (system("chmod 666 /dev/media* 2>/dev/null"))
		harness_skip("this kernel has no media devices");
	allow(a);
	ASSERT_EQ(app_call(a, APP_REQBUFS, 4), 4);
	ASSERT_EQ(app_call(a, APP_MMAP, 0), 0);
	if (app_run(a, op_request, 0) == -ENODEV)
		harness_skip("no media device takes requests");
	EXPECT_EQ(app_call(a, APP_ON, 0), 0);
	EXPECT_EQ(app_run(a, op_request_queue, 0), 0);
	EXPECT_EQ(app_call(a, APP_DQBUF, 0), 0);
	ASSERT_EQ(app_run(a, op_request, 1), 0);
	forbid(a);
	EXPECT(stopped(a));
	EXPECT(app_run(a, op_request_queue, 0) < 0);
	EXPECT(app_run(a, op_request, 2) < 0);
	allow(b);
	EXPECT_EQ(app_stream(b), 0);
	EXPECT_EQ(app_frames(b, 2), 0);
}

/* ---- callers inside the driver --------------------------------------------------------------------------------- */

TEST(wake_a_read_that_waits_in_the_driver)
{
	struct app *a = app(0), *b = app(0);

	allow(a);
	EXPECT_EQ(app_call(a, APP_READ, 4096), 4096);
	ASSERT_EQ(app_run(a, op_control, VIVID_DROP(100)), 0);
	while (app_send(a, APP_READ, 1 << 16, 0), app_result(a, 1000) != APP_BUSY)
		;
	forbid(a);
	EXPECT_EQ(app_result(a, 10000), -EACCES);
	EXPECT(stopped(a));
	ASSERT_EQ(app_run(b, op_control, VIVID_DROP(0)), 0);
	allow(b);
	EXPECT_EQ(app_call(b, APP_READ, 4096), 4096);
}

TEST(wake_a_poll_when_revoked)
{
	struct app *a = app(0);

	allow(a);
	ASSERT_EQ(app_stream(a), 0);
	ASSERT_EQ(app_run(a, op_control, VIVID_DROP(100)), 0);
	while (app_send(a, APP_POLL, POLLIN, 20000), app_result(a, 1000) != APP_BUSY)
		EXPECT(app_call(a, APP_DQBUF, 0) >= 0);
	forbid(a);
	EXPECT_EQ(app_result(a, 10000), POLLERR);
	EXPECT(stopped(a));
	ASSERT_EQ(app_run(a, op_control, VIVID_DROP(0)), 0);
}

/* Its grant ends between the question and the driver. */
TEST(stop_a_start_that_passed_just_before)
{
	struct app *a = app(0), *b = app(0), *m;
	int i;

	if (!stall_permit() || access("/dev/swradio0", F_OK) || chmod("/dev/swradio0", 0666))
		harness_skip("no userfaultfd or no second node with the camera's lock");
	m = app_on("/dev/swradio0", 0);
	allow(a);
	ASSERT_EQ(app_call(a, APP_REQBUFS, 4), 4);
	ASSERT_EQ(app_call(a, APP_MMAP, 0), 0);
	for (i = 0; i < 4; i++)
		ASSERT_EQ(app_call(a, APP_QBUF, i), i);
	ASSERT_EQ(app_run(m, op_stall_read, 0), 1);
	app_send(a, APP_ON, 0, 0);
	EXPECT_EQ(app_result(a, 500), APP_BUSY);
	forbid(a);
	EXPECT_EQ(app_result(a, 500), APP_BUSY);
	EXPECT_EQ(app_run(m, op_stall_end, 0), 4096);
	EXPECT_EQ(app_result(a, 10000), -EACCES);
	EXPECT(stopped(a));
	allow(b);
	EXPECT(harness_wait(is_free, b, 10000));
	end(m);
}

/* Only the stalled device waits, and even there nothing more is allowed. */
TEST(revoke_a_caller_that_holds_up_the_driver)
{
	struct app *a = app(0), *b = app(O_NONBLOCK), *c;
	char other[64];

	if (!stall_permit() ||
	    !camera_find(V4L2_CAP_VIDEO_CAPTURE_MPLANE | V4L2_CAP_STREAMING, other, sizeof(other)))
		harness_skip("no userfaultfd or no second camera");
	c = app_on(other, 0);
	allow(a);
	allow(b);
	allow(c);
	ASSERT_EQ(app_run(c, op_type, V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE), 0);
	ASSERT_EQ(app_run(c, op_stream, 0), 0);
	ASSERT_EQ(app_run(a, op_stall_read, 0), 1);
	forbid(a);
	EXPECT_EQ(app_call(a, APP_DQBUF, 0), -EACCES);
	EXPECT_EQ(app_call(a, APP_QBUF, 0), -EACCES);
	EXPECT_EQ(app_call(a, APP_EXPBUF, 0), -EACCES);
	EXPECT_EQ(app_call(a, APP_MMAP_BLIND, 0), -EACCES);
	EXPECT_EQ(app_call(a, APP_FLAGS, O_NONBLOCK), 0);
	EXPECT_EQ(app_call(a, APP_ON, 0), -EACCES);
	EXPECT_EQ(app_call(a, APP_READ, 4096), -EACCES);
	EXPECT_EQ(streams(a), 1);
	/* The other camera goes on, and is revoked when it is its turn. */
	EXPECT(app_run(c, op_dqbuf, 0) >= 0);
	forbid(c);
	EXPECT(stopped(c));
	EXPECT_EQ(streams(a), 1);
	EXPECT_EQ(app_run(a, op_stall_end, 0), -EACCES);
	EXPECT(stopped(a));
	EXPECT(harness_wait(is_free, b, 10000));
}

TEST(disturb_no_other_ones_capture)
{
	struct app *a = app(0), *b, *m = app(O_NONBLOCK);
	char other[64];
	int i;

	if (!camera_find(V4L2_CAP_VIDEO_CAPTURE_MPLANE | V4L2_CAP_STREAMING, other, sizeof(other)))
		harness_skip("no second camera");
	b = app_on(other, 0);
	ASSERT_EQ(app_run(b, op_type, V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE), 0);
	allow(a);
	allow(b);
	ASSERT_EQ(app_stream(a), 0);
	ASSERT_EQ(app_run(b, op_stream, 0), 0);
	/* Grants of others end, and strangers knock. */
	for (i = 0; i < 5; i++) {
		allow(m);
		EXPECT(app_call(m, APP_REQBUFS, 4) < 0);
		EXPECT(app_call(m, APP_READ, 4096) < 0);
		forbid(m);
		EXPECT_EQ(app_call(m, APP_REQBUFS, 4), -EACCES);
		EXPECT_EQ(app_call(m, APP_OFF, 0), -EBUSY);
		EXPECT_EQ(app_frames(a, 1), 0);
	}
	forbid(a);
	EXPECT(stopped(a));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(app_run(b, op_qbuf, app_run(b, op_dqbuf, 0)) >= 0, 1);
	EXPECT_EQ(streams(b), 1);
}

int main(int argc, char **argv)
{
	app_main(argc, argv);
	return harness_main(argc, argv);
}
