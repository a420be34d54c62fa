// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Held callers and denied ones, as the controller sees them.
 *
 * Runs as root with the module loaded and a camera at /dev/video0. The callers
 * are children that ask a camera for buffers, which is where a blocking file is
 * held; what happens to frames is another program's matter.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gate.h"
#include "harness.h"

#define CAMERA "/dev/video0"
#define SECOND 1000000000ull

static int ask_for_buffers(int fd)
{
	struct v4l2_requestbuffers request = { .count = 2,
					       .type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
					       .memory = V4L2_MEMORY_MMAP };

	return ioctl(fd, VIDIOC_REQBUFS, &request) ? errno : 0;
}

/* A child that asks once and exits with the errno. */
static pid_t caller(uid_t uid, int flags)
{
	pid_t pid = fork();
	int fd;

	ASSERT(pid >= 0);
	if (pid)
		return pid;
	/* An inherited copy would keep the controller's socket open. */
	close_range(3, ~0u, 0);
	fd = open(CAMERA, O_RDWR | flags);
	if (fd < 0)
		_exit(200);
	if (uid && (setresgid(uid, uid, uid) || setresuid(uid, uid, uid)))
		_exit(201);
	_exit(ask_for_buffers(fd));
}

static bool has_ended(void *arg)
{
	siginfo_t info = {};

	return waitid(P_PID, *(pid_t *)arg, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid;
}

/* The caller's errno; -1 while it is held at the end of @ms; -signal. */
static int result(pid_t pid, unsigned int ms)
{
	int status;

	if (!harness_wait(has_ended, &pid, ms))
		return -1;
	ASSERT(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static struct gate *controller(void)
{
	if (access(CAMERA, F_OK))
		harness_skip("no camera at " CAMERA);
	return gate_open_bound();
}

static struct gate_message next_request(struct gate *gate)
{
	struct gate_message request;

	ASSERT(gate_wait(gate, CALLGATE_CMD_REQUEST_EVENT, 20000, &request));
	return request;
}

static int held(struct gate *gate)
{
	struct gate_message *requests = NULL;
	int count = gate_dump(gate, CALLGATE_CMD_REQUEST_GET, &requests);

	free(requests);
	return count;
}

TEST(deny_a_caller_whose_request_is_answered_with_deny)
{
	struct gate *gate = controller();
	pid_t pid = caller(1000, 0);
	struct gate_message request = next_request(gate), who, *requests;
	char path[1024] = "";

	ASSERT(readlink("/proc/self/exe", path, sizeof(path) - 1) > 0);
	ASSERT_EQ(gate_identify(gate, pid, &who), 0);
	EXPECT_EQ(request.tgid, pid);
	EXPECT_EQ(request.uid, 1000);
	EXPECT_EQ(request.cookie == who.cookie, 1);
	EXPECT_EQ(request.cgroup, who.cgroup);
	EXPECT(request.kinds & CALLGATE_KIND_CAMERA);
	EXPECT_EQ(request.op, CALLGATE_OP_BUFFERS);
	EXPECT_EQ(request.device, gate_device(gate, "video0"));
	EXPECT(request.since != 0 && request.since <= harness_now());
	EXPECT(!strcmp(request.exe, path));
	ASSERT_EQ(gate_dump(gate, CALLGATE_CMD_REQUEST_GET, &requests), 1);
	EXPECT_EQ(requests[0].request, request.request);
	EXPECT_EQ(requests[0].seen, 0);
	free(requests);
	EXPECT_EQ(gate_seen(gate, request.request), 0);
	EXPECT_EQ(gate_seen(gate, request.request), 0);
	ASSERT_EQ(gate_dump(gate, CALLGATE_CMD_REQUEST_GET, &requests), 1);
	EXPECT_EQ(requests[0].seen, 1);
	free(requests);
	EXPECT_EQ(result(pid, 0), -1);
	EXPECT_EQ(gate_verdict(gate, request.request, CALLGATE_VERDICT_DENY), 0);
	EXPECT_EQ(gate_verdict(gate, request.request, CALLGATE_VERDICT_ALLOW), -ENOENT);
	EXPECT_EQ(gate_seen(gate, request.request), -ENOENT);
	EXPECT_EQ(result(pid, 20000), EACCES);
	EXPECT_EQ(held(gate), 0);
}

/* Its own root would make it a shorter name, which a person would read. */
TEST(name_a_caller_by_a_root_that_it_did_not_choose)
{
	struct gate *gate = controller();
	char path[1024] = "", folder[1024];
	struct gate_message request;
	pid_t pid;
	int fd;

	ASSERT(readlink("/proc/self/exe", path, sizeof(path) - 1) > 0);
	strcpy(folder, path);
	*strrchr(folder, '/') = '\0';
	pid = fork();
	ASSERT(pid >= 0);
	if (pid == 0) {
		close_range(3, ~0u, 0);
		fd = open(CAMERA, O_RDWR);
		if (fd < 0 || chroot(folder) || chdir("/"))
			_exit(200);
		_exit(ask_for_buffers(fd));
	}
	request = next_request(gate);
	EXPECT_EQ(request.tgid, pid);
	EXPECT(!strcmp(request.exe, path));
	EXPECT_EQ(gate_verdict(gate, request.request, CALLGATE_VERDICT_DENY), 0);
	EXPECT_EQ(result(pid, 20000), EACCES);
}

TEST(allow_a_caller_with_a_grant_and_a_verdict)
{
	struct gate *gate = controller();
	pid_t pid = caller(1000, 0);
	struct gate_message request = next_request(gate);

	EXPECT_EQ(gate_allow(gate, pid, 1, CALLGATE_KIND_ALL, 9000), 0);
	EXPECT_EQ(result(pid, 100), -1);
	EXPECT_EQ(gate_verdict(gate, request.request, CALLGATE_VERDICT_ALLOW), 0);
	EXPECT_EQ(result(pid, 20000), 0);
	EXPECT_EQ(gate_revoke(gate, 0, 1), 0);
}

TEST(deny_a_caller_with_a_verdict_but_no_grant)
{
	struct gate *gate = controller();
	pid_t pid = caller(1000, 0);
	struct gate_message request = next_request(gate);

	/* Of the wrong kind, and somebody else's. */
	EXPECT_EQ(gate_allow(gate, pid, 1, CALLGATE_KIND_MICROPHONE, 9000), 0);
	EXPECT_EQ(gate_allow(gate, getpid(), 1, CALLGATE_KIND_ALL, 9000), 0);
	EXPECT_EQ(gate_verdict(gate, request.request, CALLGATE_VERDICT_ALLOW), 0);
	EXPECT_EQ(result(pid, 20000), EACCES);
	EXPECT_EQ(gate_revoke(gate, 0, 1), 0);
}

TEST(deny_a_request_that_nobody_has_seen)
{
	struct gate *gate = controller();
	uint64_t start = harness_now();
	pid_t pid = caller(1000, 0);

	next_request(gate);
	EXPECT_EQ(result(pid, 20000), EACCES);
	EXPECT(harness_now() - start >= 2 * SECOND);
	EXPECT_EQ(held(gate), 0);
}

TEST(hold_a_request_that_was_seen_and_deny_it_with_the_controllers_end)
{
	struct gate *gate = controller();
	pid_t pid = caller(1000, 0);
	struct gate_message request = next_request(gate);

	EXPECT_EQ(gate_seen(gate, request.request), 0);
	EXPECT_EQ(result(pid, 4000), -1);
	gate_close(gate);
	EXPECT_EQ(result(pid, 5000), EACCES);
}

TEST(deny_at_once_without_a_controller)
{
	uint64_t start = harness_now();
	struct gate *gate = controller();

	gate_close(gate);
	EXPECT_EQ(result(caller(1000, 0), 20000), EACCES);
	EXPECT(harness_now() - start < 2 * SECOND);
}

TEST_LIMIT(deny_at_the_end_of_the_longest_hold, 100)
{
	struct gate *gate = controller();
	uint64_t start = harness_now();
	pid_t pid = caller(1000, 0);

	EXPECT_EQ(gate_seen(gate, next_request(gate).request), 0);
	EXPECT_EQ(result(pid, 80000), EACCES);
	EXPECT(harness_now() - start >= 64 * SECOND);
	EXPECT(harness_now() - start < 75 * SECOND);
}

TEST(forget_a_request_whose_caller_was_killed)
{
	struct gate *gate = controller();
	pid_t pid = caller(1000, 0);
	struct gate_message request = next_request(gate);

	kill(pid, SIGKILL);
	EXPECT_EQ(result(pid, 5000), -SIGKILL);
	EXPECT_EQ(gate_seen(gate, request.request), -ENOENT);
	EXPECT_EQ(gate_verdict(gate, request.request, CALLGATE_VERDICT_ALLOW), -ENOENT);
	EXPECT_EQ(held(gate), 0);
}

/* Not one signal that a program can catch ends the wait: the app would see a lie. */
TEST(hold_a_caller_that_gets_a_harmless_signal)
{
	struct gate *gate = controller();
	pid_t pid = caller(1000, 0);
	struct gate_message request = next_request(gate);

	kill(pid, SIGCONT);
	kill(pid, SIGWINCH);
	EXPECT_EQ(result(pid, 300), -1);
	EXPECT_EQ(gate_verdict(gate, request.request, CALLGATE_VERDICT_DENY), 0);
	EXPECT_EQ(result(pid, 20000), EACCES);
}

TEST(hold_no_more_than_the_cap_of_one_uid)
{
	struct gate *gate = controller();
	struct gate_message request, stats;
	pid_t pids[32], other;
	int i, many = 0;

	for (i = 0; i < 32; i++) {
		pids[i] = caller(1000, 0);
		request = next_request(gate);
		many += gate_seen(gate, request.request) == 0;
	}
	ASSERT_EQ(many, 32);
	/* One more is denied at once and only reported. */
	EXPECT_EQ(result(caller(1000, 0), 20000), EACCES);
	EXPECT(gate_wait(gate, CALLGATE_CMD_DENIED_EVENT, 5000, &request));
	EXPECT_EQ(request.uid, 1000);
	EXPECT_EQ(held(gate), 32);
	/* Somebody else still has room. */
	other = caller(1001, 0);
	request = next_request(gate);
	EXPECT_EQ(request.uid, 1001);
	EXPECT_EQ(gate_verdict(gate, request.request, CALLGATE_VERDICT_DENY), 0);
	EXPECT_EQ(result(other, 20000), EACCES);
	gate_stats(gate, &stats);
	EXPECT(stats.asked >= 33);
	gate_close(gate);
	for (i = 0; i < 32; i++)
		EXPECT_EQ(result(pids[i], 10000), EACCES);
}

/* A controller that does not read: who cannot be reported is not held. */
TEST(deny_a_request_that_does_not_fit_into_the_controllers_buffer)
{
	struct gate *gate = controller();
	struct gate_message before, after;
	pid_t pids[8];
	int size = 0;
	int i;

	ASSERT(setsockopt(gate_fd(gate), SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)) == 0);
	ASSERT_EQ(gate_stats(gate, &before), 0);
	for (i = 0; i < 8; i++)
		pids[i] = caller(1000 + i, 0);
	for (i = 0; i < 8; i++)
		EXPECT_EQ(result(pids[i], 20000), EACCES);
	gate_forget(gate);
	ASSERT_EQ(gate_stats(gate, &after), 0);
	EXPECT(after.lost > before.lost);
}

TEST(deny_a_nonblocking_caller_at_once_and_report_it)
{
	struct gate *gate = controller();
	struct gate_message event;
	pid_t pid = caller(1000, O_NONBLOCK);

	EXPECT_EQ(result(pid, 20000), EACCES);
	ASSERT(gate_wait(gate, CALLGATE_CMD_DENIED_EVENT, 5000, &event));
	EXPECT_EQ(event.tgid, pid);
	EXPECT_EQ(event.uid, 1000);
	EXPECT_EQ(event.count, 1);
	EXPECT_EQ(event.op, CALLGATE_OP_BUFFERS);
	EXPECT_EQ(held(gate), 0);
}

TEST(report_one_image_once_a_second)
{
	struct gate *gate = controller();
	struct gate_message event;
	uint64_t start;
	unsigned int total = 0, events = 0;
	int fd;

	fd = open(CAMERA, O_RDWR | O_NONBLOCK);
	ASSERT(fd >= 0);
	start = harness_now();
	while (harness_now() - start < 3 * SECOND) {
		EXPECT_EQ(ask_for_buffers(fd), EACCES);
		total++;
		usleep(1000);
	}
	while (gate_wait(gate, CALLGATE_CMD_DENIED_EVENT, 1500, &event)) {
		EXPECT_EQ(event.tgid, getpid());
		events++;
		total -= event.count;
	}
	EXPECT_EQ(total, 0);
	EXPECT(events >= 3 && events <= 5);
}

TEST(allow_everything_in_permissive_mode_and_report_it)
{
	struct gate *gate = controller();
	struct gate_message event;
	pid_t pid;

	ASSERT_EQ(gate_mode(gate, CALLGATE_MODE_PERMISSIVE, NULL), 0);
	pid = caller(1000, 0);
	EXPECT_EQ(result(pid, 20000), 0);
	EXPECT(gate_wait(gate, CALLGATE_CMD_DENIED_EVENT, 5000, &event));
	EXPECT_EQ(event.tgid, pid);
	ASSERT_EQ(gate_mode(gate, CALLGATE_MODE_ENFORCING, NULL), 0);
	EXPECT_EQ(result(caller(1000, O_NONBLOCK), 20000), EACCES);
}

static bool binds(void *arg)
{
	return gate_bind(arg, NULL) == 0;
}

/* A child that was just forked may hold a copy of the last socket for a moment. */
static struct gate *bind_again(void)
{
	struct gate *gate = gate_open();

	ASSERT(gate);
	ASSERT(harness_wait(binds, gate, 10000));
	return gate;
}

/* Controllers that come and go while callers do: nobody gets through, nothing is left. */
TEST_LIMIT(deny_all_while_controllers_come_and_go, 120)
{
	struct gate *gate = controller();
	pid_t pids[16];
	int round, i;

	for (round = 0; round < 15; round++) {
		for (i = 0; i < 16; i++)
			pids[i] = caller(1000 + i % 2, 0);
		usleep(20000 * (round % 4));
		gate_close(gate);
		gate = bind_again();
		usleep(5000);
		gate_close(gate);
		for (i = 0; i < 16; i++)
			EXPECT_EQ(result(pids[i], 10000), EACCES);
		gate = bind_again();
		EXPECT_EQ(held(gate), 0);
	}
}

HARNESS_MAIN
