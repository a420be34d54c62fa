// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The camera gate against a vivid camera: each operation denied and, as its
 * twin, allowed; who is judged; what a poll may say; read mode. The test is the
 * controller, and its children are the apps.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "camera.h"
#include "v4l2_fixture.h"

TEST(enumerate_while_denied)
{
	struct app *a = app(0);

	EXPECT_EQ(app_call(a, APP_ENUMERATE, 0), 0);
	EXPECT_EQ(app_call(a, APP_SUBSCRIBE, 0), 0);
	EXPECT_EQ(app_call(a, APP_CONTROL, 0), 0);
	EXPECT_EQ(app_call(a, APP_OFF, 0), 0);
}

TEST(deny_every_operation_without_grant)
{
	struct app *a = app(O_NONBLOCK);

	EXPECT_EQ(app_call(a, APP_REQBUFS, 4), -EACCES);
	EXPECT_EQ(app_call(a, APP_CREATE, 4), -EACCES);
	EXPECT_EQ(app_call(a, APP_ON, 0), -EACCES);
	EXPECT_EQ(app_call(a, APP_READ, 4096), -EACCES);

	/* The others need buffers to be more than an error of the driver. */
	allow(a);
	ASSERT_EQ(app_call(a, APP_REQBUFS, 4), 4);
	ASSERT_EQ(app_call(a, APP_QBUF, 0), 0);
	forbid(a);
	EXPECT_EQ(app_call(a, APP_MMAP, 0), -EACCES);
	EXPECT_EQ(app_call(a, APP_QBUF, 1), -EACCES);
	EXPECT_EQ(app_call(a, APP_PREPARE, 1), -EACCES);
	EXPECT_EQ(app_call(a, APP_DQBUF, 0), -EACCES);
	EXPECT_EQ(app_call(a, APP_EXPBUF, 0), -EACCES);
	EXPECT_EQ(app_call(a, APP_ON, 0), -EACCES);
	EXPECT_EQ(app_call(a, APP_REQBUFS, 0), 0);
}

TEST(allow_every_operation_with_grant)
{
	struct app *a = app(0);

	allow(a);
	ASSERT_EQ(app_call(a, APP_REQBUFS, 4), 4);
	EXPECT_EQ(app_call(a, APP_MMAP, 0), 0);
	EXPECT_EQ(app_call(a, APP_PREPARE, 0), 0);
	EXPECT_EQ(app_call(a, APP_QBUF, 0), 0);
	EXPECT_EQ(app_call(a, APP_QBUF, 1), 1);
	EXPECT_EQ(app_call(a, APP_QBUF, 2), 2);
	EXPECT_EQ(app_call(a, APP_EXPBUF, 0), 0);
	EXPECT_EQ(streams(a), 0);
	EXPECT_EQ(app_call(a, APP_ON, 0), 0);
	EXPECT_EQ(streams(a), 1);
	EXPECT_EQ(app_frames(a, 3), 0);
	app_send(a, APP_POLL, POLLIN, 5000);
	EXPECT_EQ(app_result(a, 6000), POLLIN);
	EXPECT_EQ(app_call(a, APP_OFF, 0), 0);
	EXPECT_EQ(streams(a), 0);
	EXPECT_EQ(app_call(a, APP_MUNMAP, 0), 0);
	EXPECT_EQ(app_call(a, APP_REQBUFS, 0), 0);
	allow(a);
	EXPECT_EQ(app_call(a, APP_CREATE, 2), 0);
	EXPECT_EQ(app_call(a, APP_REQBUFS, 0), 0);
	EXPECT_EQ(app_call(a, APP_READ, 4096), 4096);
}

/* STREAMOFF of another type stops nothing, so nothing may be forgotten. */
TEST(keep_the_stream_on_wrong_streamoff)
{
	struct app *a = app(0);

	allow(a);
	ASSERT_EQ(app_stream(a), 0);
	EXPECT(app_call(a, APP_OFF_WRONG, 0) != 0);
	EXPECT_EQ(app_call(a, APP_READ, 4096), -EBUSY);
	EXPECT_EQ(streams(a), 1);
	forbid(a);
	EXPECT(stopped(a));
}

TEST(hold_a_blocking_caller)
{
	struct app *a = app(0);
	uint64_t id;

	app_send(a, APP_REQBUFS, 4, 0);
	id = request(a, CALLGATE_OP_BUFFERS);
	ASSERT(id != 0);
	EXPECT_EQ(app_result(a, 300), APP_BUSY);
	allow(a);
	EXPECT_EQ(verdict(id, CALLGATE_VERDICT_ALLOW), 0);
	EXPECT_EQ(app_result(a, 5000), 4);

	forbid(a);
	app_send(a, APP_ON, 0, 0);
	id = request(a, CALLGATE_OP_START);
	ASSERT(id != 0);
	EXPECT_EQ(verdict(id, CALLGATE_VERDICT_DENY), 0);
	EXPECT_EQ(app_result(a, 5000), -EACCES);

	app_send(a, APP_READ, 4096, 0);
	id = request(a, CALLGATE_OP_READ);
	ASSERT(id != 0);
	/* An answer without a grant opens nothing. */
	EXPECT_EQ(verdict(id, CALLGATE_VERDICT_ALLOW), 0);
	EXPECT_EQ(app_result(a, 5000), -EACCES);
}

TEST(deny_a_held_caller_that_nobody_reads)
{
	struct app *a = app(0);
	int64_t begun = boottime_ms();

	app_send(a, APP_REQBUFS, 4, 0);
	EXPECT_EQ(app_result(a, 6000), -EACCES);
	EXPECT(boottime_ms() - begun >= CALLGATE_READ_SECONDS * 1000 - 100);
}

TEST(deny_a_held_caller_when_the_controller_dies)
{
	struct app *a = app(0);
	uint64_t id;

	app_send(a, APP_READ, 4096, 0);
	id = request(a, CALLGATE_OP_READ);
	ASSERT(id != 0);
	unbind();
	EXPECT_EQ(app_result(a, 1500), -EACCES);
	/* And without one nobody is held. */
	EXPECT_EQ(app_call(a, APP_READ, 4096), -EACCES);
}

TEST(kill_a_held_caller)
{
	struct app *a = app(0);
	uint64_t id;

	app_send(a, APP_READ, 4096, 0);
	id = request(a, CALLGATE_OP_READ);
	ASSERT(id != 0);
	end(a);
	EXPECT_EQ(verdict(id, CALLGATE_VERDICT_ALLOW), -ENOENT);
}

TEST(never_hold_a_nonblocking_caller)
{
	struct app *a = app(O_NONBLOCK);

	app_send(a, APP_REQBUFS, 4, 0);
	EXPECT_EQ(app_result(a, 1000), -EACCES);
	app_send(a, APP_READ, 4096, 0);
	EXPECT_EQ(app_result(a, 1000), -EACCES);
}

TEST(deny_another_process_during_a_capture)
{
	struct app *a = app(0), *b = app(0), *child;

	allow(a);
	ASSERT_EQ(app_stream(a), 0);
	EXPECT_EQ(app_call(b, APP_FLAGS, O_NONBLOCK), 0);
	EXPECT_EQ(app_call(b, APP_REQBUFS, 4), -EACCES);
	EXPECT_EQ(app_call(b, APP_READ, 4096), -EACCES);
	EXPECT_EQ(app_call(b, APP_MMAP, 0), -EACCES);

	/* The approved file in other hands. */
	ASSERT_EQ(app_give(a, b), 0);
	EXPECT_EQ(app_call(b, APP_DQBUF, 0), -EACCES);
	EXPECT_EQ(app_call(b, APP_QBUF, 0), -EACCES);
	EXPECT_EQ(app_call(b, APP_MMAP, 0), -EACCES);
	app_send(b, APP_POLL, POLLIN, 1000);
	EXPECT_EQ(app_result(b, 2000), POLLERR);

	/* Its child has its mappings and its file, but is not it. */
	child = app_fork(a);
	ASSERT(child != NULL);
	EXPECT_EQ(app_call(child, APP_DQBUF, 0), -EACCES);
	EXPECT_EQ(app_call(child, APP_MMAP, 0), -EACCES);
	app_end(child);
	EXPECT_EQ(app_frames(a, 2), 0);

	/* The twin: the same file, once the other is allowed too, but not the first one's buffers. */
	allow(b);
	EXPECT(app_call(b, APP_DQBUF, 0) >= 0);
	EXPECT_EQ(app_call(b, APP_QBUF, 0), -EACCES);
	EXPECT_EQ(app_call(b, APP_MMAP, 0), -EACCES);
	EXPECT_EQ(app_call(a, APP_OFF, 0), 0);
	EXPECT_EQ(app_stream(b), 0);
	EXPECT_EQ(app_frames(b, 2), 0);
}

TEST(deny_after_exec)
{
	struct app *a = app(0);

	allow(a);
	ASSERT_EQ(app_stream(a), 0);
	ASSERT_EQ(app_call(a, APP_EXEC, 0), 0);
	EXPECT_EQ(app_call(a, APP_DQBUF, 0), -EACCES);
	EXPECT_EQ(app_call(a, APP_MMAP, 0), -EACCES);
	allow(a);
	EXPECT(app_call(a, APP_DQBUF, 0) >= 0);
}

TEST(map_only_the_own_buffers)
{
	struct app *a = app(0), *b = app(0);

	allow(a);
	allow(b);
	ASSERT_EQ(app_stream(a), 0);
	EXPECT_EQ(app_call(b, APP_MMAP, 0), -EACCES);
	EXPECT_EQ(app_call(a, APP_MMAP, 0), 0);
}

TEST(nonblocking_capture)
{
	struct app *a = app(O_NONBLOCK);
	int i;
	long r;

	allow(a);
	ASSERT_EQ(app_stream(a), 0);
	for (i = 0; i < 3; i++) {
		app_send(a, APP_POLL, POLLIN, 3000);
		EXPECT_EQ(app_result(a, 4000), POLLIN);
		r = app_call(a, APP_DQBUF, 0);
		EXPECT(r >= 0);
		EXPECT_EQ(app_call(a, APP_QBUF, r), r);
	}
	forbid(a);
	EXPECT_EQ(app_call(a, APP_DQBUF, 0), -EACCES);
}

TEST(poll_while_denied_does_not_spin_or_start)
{
	struct app *a = app(0), *b = app(0);

	/* A waiter for events alone sleeps, and wakes by an event. */
	ASSERT_EQ(app_call(a, APP_SUBSCRIBE, 0), 0);
	app_send(a, APP_POLL, POLLPRI, 500);
	EXPECT_EQ(app_result(a, 3000), 0);
	app_send(a, APP_POLL, POLLPRI, 5000);
	EXPECT_EQ(app_result(a, 300), APP_BUSY);
	EXPECT_EQ(app_call(b, APP_CONTROL, 0), 0);
	EXPECT_EQ(app_result(a, 3000), POLLPRI);

	/* A waiter for input is told at once, and has started nothing: the camera is free. */
	app_send(b, APP_POLL, POLLIN, 5000);
	EXPECT_EQ(app_result(b, 3000), POLLERR);
	allow(a);
	EXPECT_EQ(app_stream(a), 0);
}

/* An epoll set that was made while denied must hear of frames after a grant. */
TEST(epoll_from_before_the_grant)
{
	struct app *a = app(O_NONBLOCK);

	ASSERT_EQ(app_call(a, APP_EPOLL_ADD, EPOLLIN | EPOLLET), 0);
	EXPECT_EQ(app_call(a, APP_EPOLL_WAIT, 1000), EPOLLERR);
	EXPECT_EQ(app_call(a, APP_EPOLL_WAIT, 300), 0);
	allow(a);
	ASSERT_EQ(app_stream(a), 0);
	EXPECT_EQ(app_call(a, APP_EPOLL_WAIT, 5000), EPOLLIN);
}

TEST(poll_starts_a_listed_capture_in_read_mode)
{
	struct app *a = app(0);

	allow(a);
	app_send(a, APP_POLL, POLLIN, 5000);
	EXPECT_EQ(app_result(a, 6000), POLLIN);
	EXPECT_EQ(streams(a), 1);
	forbid(a);
	EXPECT(stopped(a));
}

int main(int argc, char **argv)
{
	app_main(argc, argv);
	return harness_main(argc, argv);
}
