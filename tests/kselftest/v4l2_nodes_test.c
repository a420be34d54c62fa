// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Kinds of nodes beside the plain camera: multi-planar, metadata, overlay.
 * And what was there before the gate, or before it began to
 * enforce. Needs two vivid cameras, the first with a screen, the second multi-planar; see rules.mk.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "v4l2_fixture.h"
#include "v4l2_ops.h"

static void deny_and_allow(const char *node, long type)
{
	struct app *a = app_on(node, O_NONBLOCK), *b = app_on(node, 0);

	ASSERT_EQ(app_run(a, op_type, type), 0);
	ASSERT_EQ(app_run(b, op_type, type), 0);
	EXPECT_EQ(app_run(a, op_reqbufs, 4), -EACCES);
	EXPECT_EQ(app_run(a, op_create, 4), -EACCES);
	EXPECT_EQ(app_run(a, op_on, 0), -EACCES);
	EXPECT_EQ(app_call(a, APP_READ, 4096), -EACCES);
	EXPECT_EQ(app_call(a, APP_MMAP_BLIND, 0), -EACCES);
	allow(b);
	ASSERT_EQ(app_run(b, op_stream, 0), 0);
	EXPECT_EQ(app_run(b, op_map, 0), 0);
	EXPECT_EQ(streams(b), 1);
	EXPECT(app_run(b, op_dqbuf, 0) >= 0);
	EXPECT(app_run(b, op_qbuf, 0) >= 0 || app_run(b, op_qbuf, 1) >= 0);
	/* In other hands. */
	ASSERT_EQ(app_give(b, a), 0);
	EXPECT_EQ(app_run(a, op_dqbuf, 0), -EACCES);
	EXPECT_EQ(app_run(a, op_qbuf, 0), -EACCES);
	EXPECT_EQ(app_run(a, op_export, 0), -EACCES);
	EXPECT_EQ(app_call(a, APP_MMAP_BLIND, 0), -EACCES);
	forbid(b);
	EXPECT(stopped(b));
	EXPECT_EQ(app_run(b, op_dqbuf, 0), -EACCES);
	EXPECT_EQ(app_run(b, op_qbuf, 0), -EACCES);
	allow(a);
	EXPECT_EQ(app_run(a, op_stream, 0), 0);
}

TEST(deny_multi_planar_camera)
{
	char node[64];

	if (!camera_find(V4L2_CAP_VIDEO_CAPTURE_MPLANE, node, sizeof(node)))
		harness_skip("no multi-planar camera");
	deny_and_allow(node, V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE);
}

TEST(deny_metadata_node)
{
	char node[64];

	if (!camera_find(V4L2_CAP_META_CAPTURE, node, sizeof(node)))
		harness_skip("no metadata node");
	deny_and_allow(node, V4L2_BUF_TYPE_META_CAPTURE);
}

TEST(stop_an_overlay_when_revoked)
{
	struct app *a = app(O_NONBLOCK), *b = app(0);
	struct app_state root = { .fd = -1 };
	long r;

	snprintf(root.node, sizeof(root.node), "%s", camera_node());
	r = op_screen(&root, 0);
	if (r)
		harness_skip("no overlay: %s", strerror(-r));
	EXPECT_EQ(app_run(a, op_overlay, 1), -EACCES);
	EXPECT_EQ(streams(a), 0);
	allow(a);
	allow(b);
	EXPECT_EQ(app_run(a, op_overlay, 1), 0);
	EXPECT_EQ(streams(a), 1);
	EXPECT_EQ(app_run(b, op_overlay, 1), -EBUSY);
	/* It goes on while a stream beside it ends. */
	EXPECT_EQ(app_stream(a), 0);
	EXPECT_EQ(app_call(a, APP_OFF, 0), 0);
	EXPECT_EQ(app_run(b, op_overlay, 1), -EBUSY);
	EXPECT_EQ(streams(a), 1);
	forbid(a);
	EXPECT(stopped(a));
	/* The screen is free. */
	EXPECT_EQ(app_run(b, op_overlay, 1), 0);
	EXPECT_EQ(streams(b), 1);
	EXPECT_EQ(app_run(b, op_overlay, 0), 0);
	EXPECT_EQ(streams(b), 0);
	EXPECT_EQ(app_run(a, op_overlay, 1), -EACCES);
}

TEST(deny_removing_buffers)
{
	struct app *a = app(O_NONBLOCK);
	long r;

	EXPECT_EQ(app_run(a, op_remove, 0), -EACCES);
	allow(a);
	ASSERT_EQ(app_call(a, APP_REQBUFS, 4), 4);
	r = app_run(a, op_remove, 3);
	/* Older kernels do not have it. */
	if (r == -ENOTTY)
		harness_note("this kernel has no VIDIOC_REMOVE_BUFS");
	else
		EXPECT_EQ(r, 0);
	forbid(a);
	EXPECT_EQ(app_run(a, op_remove, 2), -EACCES);
}

static bool is_free(void *app)
{
	return app_call(app, APP_REQBUFS, 2) == 2;
}

/* Whatever was let pass: streams, and buffers that do not stream. */
TEST(end_of_permissive_mode_frees_the_camera)
{
	struct app *a = app(0), *b = app(0);

	set_mode(CALLGATE_MODE_PERMISSIVE);
	EXPECT_EQ(app_stream(a), 0);
	EXPECT_EQ(app_frames(a, 2), 0);
	set_mode(CALLGATE_MODE_ENFORCING);
	EXPECT(stopped(a));
	allow(b);
	EXPECT(harness_wait(is_free, b, 10000));
	EXPECT_EQ(app_call(b, APP_REQBUFS, 0), 0);

	set_mode(CALLGATE_MODE_PERMISSIVE);
	ASSERT_EQ(app_call(a, APP_MUNMAP, 0), 0);
	ASSERT_EQ(app_call(a, APP_REQBUFS, 4), 4);
	ASSERT_EQ(app_call(a, APP_MMAP, 0), 0);
	EXPECT_EQ(app_call(b, APP_REQBUFS, 2), -EBUSY);
	set_mode(CALLGATE_MODE_ENFORCING);
	EXPECT(harness_wait(is_free, b, 10000));
}

/* What somebody without a grant mapped then must not show what a granted one captures afterwards. */
TEST(end_of_permissive_mode_frees_what_strangers_mapped)
{
	struct app *a = app(0), *b = app(0);
	long before;

	allow(a);
	ASSERT_EQ(app_stream(a), 0);
	ASSERT_EQ(app_give(a, b), 0);
	set_mode(CALLGATE_MODE_PERMISSIVE);
	EXPECT_EQ(app_run(b, op_map, 0), 0);
	EXPECT_EQ(app_frames(a, 2), 0);
	set_mode(CALLGATE_MODE_ENFORCING);
	EXPECT(stopped(a));
	EXPECT_EQ(app_call(a, APP_MUNMAP, 0), 0);
	EXPECT_EQ(app_stream(a), 0);
	before = app_call(b, APP_SUM, 0);
	EXPECT_EQ(app_frames(a, 2 * CAMERA_BUFFERS), 0);
	EXPECT_EQ(app_call(b, APP_SUM, 0), before);
}

/* Last: it takes the module out, and puts it back. */
TEST(capture_that_ran_before_loading_is_stopped)
{
	struct app *a, *b;
	long before;

	ASSERT(find_camera());
	ASSERT_EQ(unload(), 0);
	a = app_start(camera_node(), 1000);
	ASSERT_EQ(app_call(a, APP_OPEN, 0), 0);
	ASSERT_EQ(app_stream(a), 0);
	EXPECT_EQ(app_frames(a, 2), 0);
	ASSERT_EQ(load(), 0);
	b = app(0);
	allow(b);
	/* Its user has done nothing since, and somebody else has the camera. */
	EXPECT(harness_wait(is_free, b, 10000));
	/* Stopped once more for this, while the other captures. */
	EXPECT_EQ(app_call(a, APP_DQBUF, 0), -EACCES);
	EXPECT_EQ(app_stream(b), 0);
	before = app_call(a, APP_SUM, 0);
	EXPECT_EQ(app_frames(b, 2 * CAMERA_BUFFERS), 0);
	EXPECT_EQ(app_call(a, APP_SUM, 0), before);
	end(b);
	allow(a);
	ASSERT_EQ(app_call(a, APP_MUNMAP, 0), 0);
	EXPECT_EQ(app_stream(a), 0);
	EXPECT_EQ(app_frames(a, 2), 0);
}

int main(int argc, char **argv)
{
	app_main(argc, argv);
	return harness_main(argc, argv);
}
