// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Grants for a control group, on a real capture: who is in it, who can get in,
 * and what its own members may do. The groups are root's, as the daemon's are.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "actor.h"
#include "camera.h"
#include "gate.h"
#include "harness.h"
#include "v4l2_fixture.h"

#define USER 1000

static struct gate *gate;
static char node[64];
static char inside[128];
static char self[300];

/* The group of this test; it lives as long as the machine. */
static void begin(void)
{
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	ASSERT(n > 0);
	self[n] = 0;
	if (!camera_find(V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_READWRITE, node, sizeof(node)))
		harness_skip("no vivid camera that can be read");
	if (access("/sys/fs/cgroup/cgroup.procs", F_OK))
		harness_skip("no unified hierarchy at /sys/fs/cgroup");
	snprintf(inside, sizeof(inside), "/sys/fs/cgroup/callgate-%d", getpid());
	ASSERT_EQ(mkdir(inside, 0755), 0);
	gate = gate_open_bound();
}

static struct actor *start(uid_t uid)
{
	if (!gate)
		begin();
	return actor_start(NULL, node, uid);
}

/* Anew, or for longer: a debug kernel on a busy machine does little in ten seconds. */
static int grant_group_of(uid_t uid)
{
	struct gate_order order = { .session = getpid(),
				    .cgroup_fd = open(inside, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
				    .has_uid = true,
				    .uid = uid,
				    .kinds = CALLGATE_KIND_CAMERA,
				    .deadline = harness_now() + 9900000000ull };
	int err = gate_grant(gate, &order, NULL);

	close(order.cgroup_fd);
	return err;
}

static int grant_group(void)
{
	return grant_group_of(USER);
}

/* Root does it, as the daemon does. */
static void move(const struct actor *actor, const char *group, const char *below)
{
	char path[200], pid[16];

	snprintf(path, sizeof(path), "%s%s/cgroup.procs", group, below);
	snprintf(pid, sizeof(pid), "%d", actor->pid);
	ASSERT_EQ(write_file(path, pid), 0);
}

static const char *door(void)
{
	static char path[200];

	snprintf(path, sizeof(path), "%s/cgroup.procs", inside);
	return path;
}

TEST(allow_the_processes_of_the_group)
{
	struct actor *a = start(USER), *stranger = start(USER), *child;

	move(a, inside, "");
	EXPECT_EQ(actor_do(a, ACTOR_FRAME), -EACCES);
	ASSERT_EQ(grant_group(), 0);
	EXPECT_EQ(actor_do(a, ACTOR_FRAME), 0);
	EXPECT_EQ(actor_do(a, ACTOR_FRAME_OF_THREAD), 0);
	EXPECT_EQ(actor_do(a, ACTOR_FRAME_OF_FORK), 0);
	EXPECT_EQ(actor_do(a, ACTOR_FRAME_OF_SHARER), 0);
	child = actor_child(a);
	ASSERT(child);
	ASSERT_EQ(grant_group(), 0);
	EXPECT_EQ(actor_do(child, ACTOR_FRAME), 0);
	EXPECT_EQ(actor_do(stranger, ACTOR_FRAME), -EACCES);
}

TEST(deny_who_left_the_group)
{
	struct actor *a = start(USER);

	move(a, inside, "");
	ASSERT_EQ(grant_group(), 0);
	ASSERT_EQ(actor_do(a, ACTOR_STREAM), 0);
	EXPECT_EQ(actor_do(a, ACTOR_NEXT), 0);
	move(a, "/sys/fs/cgroup", "");
	EXPECT_EQ(actor_do(a, ACTOR_NEXT), -EACCES);
	EXPECT_EQ(actor_do(a, ACTOR_FRAME), -EACCES);
	move(a, inside, "");
	ASSERT_EQ(grant_group(), 0);
	EXPECT_EQ(actor_do(a, ACTOR_NEXT), 0);
}

TEST(deny_the_next_picture_to_a_member_that_became_another_user)
{
	struct actor *a = start(0);

	move(a, inside, "");
	ASSERT_EQ(grant_group_of(0), 0);
	ASSERT_EQ(actor_do(a, ACTOR_STREAM), 0);
	EXPECT_EQ(actor_do(a, ACTOR_NEXT), 0);
	ASSERT_EQ(actor_call(a, ACTOR_SETUID, USER, 0, NULL), 0);
	EXPECT_EQ(actor_do(a, ACTOR_NEXT), -EACCES);
	ASSERT_EQ(actor_call(a, ACTOR_SETUID, 0, 0, NULL), 0);
	EXPECT_EQ(actor_do(a, ACTOR_NEXT), 0);
}

TEST(deny_a_group_below)
{
	struct actor *a = start(USER);
	char below[160];

	snprintf(below, sizeof(below), "%s/below", inside);
	ASSERT_EQ(mkdir(below, 0755), 0);
	ASSERT_EQ(grant_group(), 0);
	move(a, inside, "/below");
	EXPECT_EQ(actor_do(a, ACTOR_FRAME), -EACCES);
	move(a, inside, "");
	ASSERT_EQ(grant_group(), 0);
	EXPECT_EQ(actor_do(a, ACTOR_FRAME), 0);
}

TEST(stop_the_captures_of_the_group_when_revoked)
{
	struct actor *a = start(USER), *b = start(USER);

	move(a, inside, "");
	ASSERT_EQ(grant_group(), 0);
	ASSERT_EQ(actor_do(a, ACTOR_STREAM), 0);
	EXPECT_EQ(actor_do(a, ACTOR_NEXT), 0);
	ASSERT_EQ(gate_end(gate, getpid()), 0);
	ASSERT(gate_wait(gate, CALLGATE_CMD_STREAM_STOPPED_EVENT, 10000, NULL));
	EXPECT_EQ(actor_do(a, ACTOR_NEXT), -EACCES);
	/* The camera is free. */
	ASSERT_EQ(gate_allow(gate, b->pid, 1, CALLGATE_KIND_CAMERA, 9000), 0);
	EXPECT_EQ(actor_do(b, ACTOR_FRAME), 0);
}

TEST(deny_a_user_to_move_himself_in)
{
	struct actor *a = start(USER);

	ASSERT_EQ(grant_group(), 0);
	EXPECT_EQ(actor_call(a, ACTOR_ENTER, 0, 0, door()), -EACCES);
	EXPECT_EQ(actor_call(a, ACTOR_FRAME_INSIDE, 0, 0, inside), -EACCES);
	EXPECT_EQ(actor_do(a, ACTOR_FRAME), -EACCES);
	move(a, inside, "");
	ASSERT_EQ(grant_group(), 0);
	EXPECT_EQ(actor_do(a, ACTOR_FRAME), 0);
}

/* The twin: these ways lead in where a user owns the door, which is why no grant is made for such a group. */
TEST(deny_a_grant_for_a_group_with_an_open_door)
{
	struct actor *a = start(USER);

	ASSERT_EQ(grant_group(), 0);
	/* Where he comes from must be his as well. */
	ASSERT_EQ(chmod("/sys/fs/cgroup/cgroup.procs", 0666), 0);
	ASSERT_EQ(chmod(door(), 0666), 0);
	EXPECT_EQ(actor_call(a, ACTOR_FRAME_INSIDE, 0, 0, inside), 0);
	EXPECT_EQ(actor_call(a, ACTOR_ENTER, 0, 0, door()), 0);
	EXPECT_EQ(actor_do(a, ACTOR_FRAME), 0);
	/* The next renewal is refused, and the grant runs out. */
	EXPECT_EQ(grant_group(), -EPERM);
	ASSERT_EQ(chmod("/sys/fs/cgroup/cgroup.procs", 0644), 0);
	ASSERT_EQ(chmod(door(), 0644), 0);
	EXPECT_EQ(grant_group(), 0);
}

TEST(deny_another_user_in_the_group)
{
	struct actor *a = start(USER), *root = start(0);
	char path[] = "/tmp/setuid", command[400];

	snprintf(command, sizeof(command), "cp %s %s && chmod 4755 %s", self, path, path);
	ASSERT_EQ(system(command), 0);
	move(a, inside, "");
	move(root, inside, "");
	ASSERT_EQ(grant_group(), 0);
	EXPECT_EQ(actor_do(root, ACTOR_FRAME), -EACCES);
	/* A setuid program has another effective user. */
	EXPECT_EQ(actor_call(a, ACTOR_RUN, 0, 0, path), -EACCES);
	ASSERT_EQ(chmod(path, 0755), 0);
	ASSERT_EQ(grant_group(), 0);
	EXPECT_EQ(actor_call(a, ACTOR_RUN, 0, 0, path), 0);
	ASSERT_EQ(actor_call(root, ACTOR_SETUID, USER, 0, NULL), 0);
	EXPECT_EQ(actor_do(root, ACTOR_FRAME), -EACCES);
	ASSERT_EQ(actor_call(root, ACTOR_SETUID, USER, USER, NULL), 0);
	ASSERT_EQ(grant_group(), 0);
	EXPECT_EQ(actor_do(root, ACTOR_FRAME), 0);
}

/* The program that the group runs, with a library of the thief's: only who is inside already may start it there. */
TEST(deny_a_preloaded_program_outside_the_group)
{
	struct actor *a = start(USER), *thief = start(USER);
	char script[] = "/tmp/preloaded";
	FILE *file = fopen(script, "w");

	ASSERT(file);
	fprintf(file,
		"#!/bin/sh\nPRELOAD_NODE=$2 LD_PRELOAD=%.*s/preload.so exec %s --frame nowhere\n",
		(int)(strrchr(self, '/') - self), self, self);
	fclose(file);
	ASSERT_EQ(chmod(script, 0755), 0);
	move(a, inside, "");
	ASSERT_EQ(grant_group(), 0);
	EXPECT_EQ(actor_do(a, ACTOR_FRAME), 0);
	EXPECT_EQ(actor_call(thief, ACTOR_RUN, 0, 0, script), -EACCES);
	ASSERT_EQ(grant_group(), 0);
	EXPECT_EQ(actor_call(a, ACTOR_RUN, 0, 0, script), 0);
}

int main(int argc, char **argv)
{
	actor_main(argc, argv);
	return harness_main(argc, argv);
}
