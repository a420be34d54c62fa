// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Another module on top of the gate, or below it: tests/stack/stack.c.
 *
 * Runs as root with the gate loaded. Each test leaves the gate loaded and the
 * other module unloaded.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/videodev2.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "camera.h"
#include "frame.h"
#include "gate.h"
#include "harness.h"
#include "v4l2_fixture.h"

static char node[64];
static char microphone[64];

/* The first PCM that captures; the rig's has no other user. */
static void find_devices(void)
{
	glob_t found;

	if (!camera_find(V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_READWRITE, node, sizeof(node)))
		harness_skip("no vivid camera that can be read");
	if (glob("/dev/snd/pcmC*D0c", 0, NULL, &found))
		harness_skip("no microphone");
	snprintf(microphone, sizeof(microphone), "%s", found.gl_pathv[0]);
	globfree(&found);
}

static int stack(const char *parameter, const char *value)
{
	char self[300], path[600], parameters[100];
	struct utsname name;
	ssize_t n;
	int fd, r;

	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n < 0 || uname(&name))
		return -errno;
	self[n] = 0;
	for (r = 0; r < 3 && strrchr(self, '/'); r++)
		*strrchr(self, '/') = 0;
	snprintf(path, sizeof(path), "%s/stack/%s/stack.ko", self, name.release);
	snprintf(parameters, sizeof(parameters), "%s=%s", parameter, value);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = syscall(SYS_finit_module, fd, parameters, 0) ? -errno : 0;
	close(fd);
	return r;
}

static int unstack(void)
{
	return syscall(SYS_delete_module, "stack", O_NONBLOCK) ? -errno : 0;
}

static void under(const char *parameter, const char *value)
{
	struct gate *gate = gate_open_bound();

	ASSERT_EQ(stack(parameter, value), 0);
	EXPECT_EQ(frame_take(node), -EACCES);
	EXPECT_EQ(gate_detach(gate), -EBUSY);
	EXPECT(strstr(gate_sentence(gate), "another module"));
	/* Refused as a whole: the gate is still there. */
	EXPECT_EQ(frame_take(node), -EACCES);
	ASSERT_EQ(gate_allow(gate, getpid(), 1, CALLGATE_KIND_CAMERA, 9000), 0);
	EXPECT_EQ(frame_take(node), 0);
	ASSERT_EQ(gate_end(gate, 1), 0);
	ASSERT_EQ(unstack(), 0);
	EXPECT_EQ(gate_detach(gate), 0);
	EXPECT_EQ(frame_take(node), 0);
	gate_close(gate);
	ASSERT_EQ(unload(), 0);
	ASSERT_EQ(load(), 0);
	EXPECT_EQ(frame_take(node), -EACCES);
}

TEST(deny_to_detach_a_camera_under_another_module)
{
	find_devices();
	under("camera", node);
}

TEST(deny_to_detach_a_microphone_under_another_module)
{
	find_devices();
	under("microphone", microphone);
}

/* In a child, because it waits. */
static pid_t begin_to_unload(void)
{
	pid_t pid = fork();

	ASSERT(pid >= 0);
	if (pid == 0)
		_exit(syscall(SYS_delete_module, "callgate", 0) ? errno : 0);
	return pid;
}

static bool says_that_it_waits(void *unused)
{
	static char log[1 << 20];
	int n = klogctl(3 /* read all */, log, sizeof(log) - 1);

	log[n > 0 ? n : 0] = 0;
	return strstr(log, "unloading waits");
}

static bool ended(void *pid)
{
	int status;

	return waitpid(*(pid_t *)pid, &status, WNOHANG) == *(pid_t *)pid && WIFEXITED(status) &&
	       !WEXITSTATUS(status);
}

static void unload_under(const char *parameter, const char *value)
{
	pid_t pid;

	klogctl(5 /* clear */, NULL, 0);
	ASSERT_EQ(stack(parameter, value), 0);
	pid = begin_to_unload();
	EXPECT(harness_wait(says_that_it_waits, NULL, 20000));
	/* The other module still calls the gate's code; nothing may capture meanwhile. */
	EXPECT(frame_take(node) < 0);
	EXPECT_EQ(waitpid(pid, NULL, WNOHANG), 0);
	ASSERT_EQ(unstack(), 0);
	EXPECT(harness_wait(ended, &pid, 30000));
	EXPECT_EQ(frame_take(node), 0);
	ASSERT_EQ(load(), 0);
	EXPECT_EQ(frame_take(node), -EACCES);
}

TEST(wait_with_unloading_under_another_module_on_a_camera)
{
	find_devices();
	unload_under("camera", node);
}

TEST(wait_with_unloading_under_another_module_on_a_microphone)
{
	find_devices();
	unload_under("microphone", microphone);
}

TEST(deny_above_another_module)
{
	find_devices();
	ASSERT_EQ(unload(), 0);
	ASSERT_EQ(stack("camera", node), 0);
	EXPECT_EQ(frame_take(node), 0);
	ASSERT_EQ(load(), 0);
	EXPECT_EQ(frame_take(node), -EACCES);
	/* The gate gives back what it found, and then the other may go. */
	ASSERT_EQ(unload(), 0);
	EXPECT_EQ(frame_take(node), 0);
	ASSERT_EQ(unstack(), 0);
	ASSERT_EQ(load(), 0);
	EXPECT_EQ(frame_take(node), -EACCES);
}

HARNESS_MAIN
