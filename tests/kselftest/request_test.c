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
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
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

static struct callgate_request next_request(struct gate *gate)
{
	struct callgate_request request;

	ASSERT(gate_read(gate, 20000, &request));
	return request;
}

TEST(deny_a_caller_whose_request_is_answered_with_deny)
{
	struct gate *gate = controller();
	pid_t pid = caller(1000, 0);
	struct callgate_request request = next_request(gate);
	struct gate_message who;
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
	EXPECT(!strcmp(who.exe, path));
	EXPECT_EQ(gate_held(gate), 1);
	EXPECT_EQ(result(pid, 0), -1);
	EXPECT_EQ(gate_verdict(gate, request.id, CALLGATE_VERDICT_DENY), 0);
	EXPECT_EQ(gate_verdict(gate, request.id, CALLGATE_VERDICT_ALLOW), -ENOENT);
	EXPECT_EQ(result(pid, 20000), EACCES);
	EXPECT_EQ(gate_held(gate), 0);
}

/* Its own root would make it a shorter name, which a person would read. */
TEST(name_a_caller_by_a_root_that_it_did_not_choose)
{
	struct gate *gate = controller();
	char path[1024] = "", folder[1024];
	struct callgate_request request;
	struct gate_message who;
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
	ASSERT_EQ(gate_identify(gate, pid, &who), 0);
	EXPECT(who.cookie == request.cookie);
	EXPECT(!strcmp(who.exe, path));
	EXPECT_EQ(gate_verdict(gate, request.id, CALLGATE_VERDICT_DENY), 0);
	EXPECT_EQ(result(pid, 20000), EACCES);
}

TEST(allow_a_caller_with_a_grant_and_a_verdict)
{
	struct gate *gate = controller();
	pid_t pid = caller(1000, 0);
	struct callgate_request request = next_request(gate);

	EXPECT_EQ(gate_allow(gate, pid, 1, CALLGATE_KIND_ALL, 9000), 0);
	EXPECT_EQ(result(pid, 100), -1);
	EXPECT_EQ(gate_verdict(gate, request.id, CALLGATE_VERDICT_ALLOW), 0);
	EXPECT_EQ(result(pid, 20000), 0);
	EXPECT_EQ(gate_revoke(gate, 0, 1), 0);
}

TEST(deny_a_caller_with_a_verdict_but_no_grant)
{
	struct gate *gate = controller();
	pid_t pid = caller(1000, 0);
	struct callgate_request request = next_request(gate);

	/* Of the wrong kind, and somebody else's. */
	EXPECT_EQ(gate_allow(gate, pid, 1, CALLGATE_KIND_MICROPHONE, 9000), 0);
	EXPECT_EQ(gate_allow(gate, getpid(), 1, CALLGATE_KIND_ALL, 9000), 0);
	EXPECT_EQ(gate_verdict(gate, request.id, CALLGATE_VERDICT_ALLOW), 0);
	EXPECT_EQ(result(pid, 20000), EACCES);
	EXPECT_EQ(gate_revoke(gate, 0, 1), 0);
}

static int file_of(struct gate *gate)
{
	int fd = gate_requests(gate);

	ASSERT(fd >= 0);
	EXPECT(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	return fd;
}

static void expect_report(struct gate *gate, pid_t pid)
{
	struct gate_message event;

	EXPECT(gate_wait(gate, CALLGATE_CMD_DENIED_EVENT, 5000, &event));
	EXPECT_EQ(event.tgid, pid);
	EXPECT_EQ(event.op, CALLGATE_OP_BUFFERS);
}

TEST(deny_a_request_that_nobody_has_read)
{
	struct gate *gate = controller();
	uint64_t start = harness_now();
	pid_t pid = caller(1000, 0);

	EXPECT_EQ(result(pid, 20000), EACCES);
	EXPECT(harness_now() - start >= 2 * SECOND);
	expect_report(gate, pid);
	EXPECT_EQ(gate_held(gate), 0);
}

static bool is_asking(void *arg)
{
	struct pollfd pfd = { .fd = *(int *)arg, .events = POLLIN };

	return poll(&pfd, 1, 0) == 1;
}

/* Or one could try without a trace, and end before anybody looks. */
TEST(report_a_caller_that_was_killed_before_it_was_read)
{
	struct gate *gate = controller();
	int fd = file_of(gate);
	pid_t pid = caller(1000, 0);

	ASSERT(harness_wait(is_asking, &fd, 20000));
	kill(pid, SIGKILL);
	EXPECT_EQ(result(pid, 5000), -SIGKILL);
	expect_report(gate, pid);
}

TEST(hold_a_request_that_was_read_and_deny_it_with_the_controllers_end)
{
	struct gate *gate = controller();
	pid_t pid = caller(1000, 0);

	next_request(gate);
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

	next_request(gate);
	EXPECT_EQ(result(pid, 20000), -1);
	/* Neither a new file nor another look makes it longer. */
	EXPECT_EQ(gate_held(gate), 1);
	EXPECT_EQ(result(pid, 80000), EACCES);
	EXPECT(harness_now() - start >= 64 * SECOND);
	EXPECT(harness_now() - start < 75 * SECOND);
}

TEST(forget_a_request_whose_caller_was_killed)
{
	struct gate *gate = controller();
	pid_t pid = caller(1000, 0);
	struct callgate_request request = next_request(gate);

	kill(pid, SIGKILL);
	EXPECT_EQ(result(pid, 5000), -SIGKILL);
	EXPECT_EQ(gate_verdict(gate, request.id, CALLGATE_VERDICT_ALLOW), -ENOENT);
	EXPECT_EQ(gate_held(gate), 0);
}

/* Not one signal that a program can catch ends the wait: the app would see a lie. */
TEST(hold_a_caller_that_gets_a_harmless_signal)
{
	struct gate *gate = controller();
	pid_t pid = caller(1000, 0);
	struct callgate_request request = next_request(gate);

	kill(pid, SIGCONT);
	kill(pid, SIGWINCH);
	EXPECT_EQ(result(pid, 300), -1);
	EXPECT_EQ(gate_verdict(gate, request.id, CALLGATE_VERDICT_DENY), 0);
	EXPECT_EQ(result(pid, 20000), EACCES);
}

TEST(hold_no_more_than_the_cap_of_one_uid)
{
	struct gate *gate = controller();
	struct gate_message event, stats;
	struct callgate_request request;
	pid_t pids[32], other;
	int i;

	for (i = 0; i < 32; i++) {
		pids[i] = caller(1000, 0);
		next_request(gate);
	}
	/* One more is denied at once and only reported. */
	EXPECT_EQ(result(caller(1000, 0), 20000), EACCES);
	EXPECT(gate_wait(gate, CALLGATE_CMD_DENIED_EVENT, 5000, &event));
	EXPECT_EQ(event.uid, 1000);
	EXPECT_EQ(gate_held(gate), 32);
	/* Somebody else still has room. */
	other = caller(1001, 0);
	request = next_request(gate);
	EXPECT_EQ(request.uid, 1001);
	EXPECT_EQ(gate_verdict(gate, request.id, CALLGATE_VERDICT_DENY), 0);
	EXPECT_EQ(result(other, 20000), EACCES);
	gate_stats(gate, &stats);
	EXPECT(stats.asked >= 33);
	gate_close(gate);
	for (i = 0; i < 32; i++)
		EXPECT_EQ(result(pids[i], 10000), EACCES);
}

/* Neither a full socket nor the number of those who ask loses one. */
TEST(tell_of_each_caller_while_the_controllers_buffer_is_full)
{
	struct gate *gate = controller();
	struct callgate_request request;
	pid_t pids[8];
	int size = 0;
	int i;

	ASSERT(setsockopt(gate_fd(gate), SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)) == 0);
	for (i = 0; i < 8; i++)
		pids[i] = caller(1000 + i, 0);
	for (i = 0; i < 8; i++) {
		request = next_request(gate);
		EXPECT_EQ(gate_verdict(gate, request.id, CALLGATE_VERDICT_DENY), 0);
	}
	for (i = 0; i < 8; i++)
		EXPECT_EQ(result(pids[i], 20000), EACCES);
}

static int next_of(int fd, struct callgate_request *request)
{
	return ioctl(fd, CALLGATE_IOC_NEXT, request) ? -errno : 0;
}

/* The shortest controller there can be: one call answers and waits for the next. */
TEST(answer_one_and_read_the_next_in_one_call)
{
	struct gate *gate = controller();
	struct callgate_request request = {};
	int fd = file_of(gate);
	pid_t pid = caller(1000, 0), other;

	ASSERT_EQ(next_of(fd, &request), 0);
	EXPECT_EQ(request.tgid, pid);
	other = caller(1001, 0);
	request.verdict = CALLGATE_VERDICT_DENY;
	ASSERT_EQ(next_of(fd, &request), 0);
	EXPECT_EQ(request.tgid, other);
	EXPECT_EQ(result(pid, 20000), EACCES);
	EXPECT_EQ(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	EXPECT_EQ(next_of(fd, &request), -EAGAIN);
	EXPECT_EQ(result(other, 20000), EACCES);
	/* An answer that comes too late is no reason not to get the next. */
	pid = caller(1000, 0);
	ASSERT(harness_wait(has_ended, &pid, 300) == false);
	ASSERT_EQ(next_of(fd, &request), 0);
	EXPECT_EQ(request.tgid, pid);
	EXPECT_EQ(ioctl(fd, CALLGATE_IOC_ANSWER, &request), 0);
	EXPECT_EQ(result(pid, 20000), EACCES);
}

/* As a daemon that was started again does. */
TEST(begin_a_new_file_with_all_who_are_held)
{
	struct gate *gate = controller();
	struct callgate_request request = {}, again = {};
	int fd = file_of(gate);
	pid_t pid = caller(1000, 0);

	ASSERT_EQ(next_of(fd, &request), 0);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	EXPECT_EQ(next_of(fd, &again), -EAGAIN);
	close(fd);
	fd = file_of(gate);
	ASSERT_EQ(next_of(fd, &again), 0);
	EXPECT(again.id == request.id && again.cookie == request.cookie);
	EXPECT_EQ(result(pid, 3000), -1);
	close(fd);
	/* And from one that nobody reads it gets no longer than the first time. */
	fd = file_of(gate);
	EXPECT_EQ(result(pid, 20000), EACCES);
	expect_report(gate, pid);
}

/* Whoever has a copy of a file can do nothing with it once its controller has gone. */
TEST(deny_a_file_whose_controller_has_gone)
{
	struct gate *gate = controller(), *second;
	struct callgate_request request = {};
	int fd = file_of(gate);
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	pid_t pid, reader = fork();

	ASSERT(reader >= 0);
	if (reader == 0) {
		/* Waits in it meanwhile. */
		close(gate_fd(gate));
		_exit(-next_of(fd, &request));
	}
	EXPECT_EQ(result(reader, 300), -1);
	gate_close(gate);
	EXPECT_EQ(result(reader, 20000), ENOTCONN);
	EXPECT_EQ(next_of(fd, &request), -ENOTCONN);
	EXPECT_EQ(poll(&pfd, 1, 0), 1);
	EXPECT(pfd.revents & POLLHUP);
	second = gate_open_bound();
	pid = caller(1000, 0);
	request = next_request(second);
	EXPECT_EQ(request.tgid, pid);
	request.verdict = CALLGATE_VERDICT_ALLOW;
	EXPECT_EQ(ioctl(fd, CALLGATE_IOC_ANSWER, &request) ? errno : 0, ENOTCONN);
	EXPECT_EQ(next_of(fd, &request), -ENOTCONN);
	EXPECT_EQ(result(pid, 300), -1);
	EXPECT_EQ(gate_verdict(second, request.id, CALLGATE_VERDICT_DENY), 0);
	EXPECT_EQ(result(pid, 20000), EACCES);
}

TEST(deny_what_is_no_answer)
{
	struct gate *gate = controller();
	struct callgate_request request = {};
	int fd = file_of(gate);
	pid_t pid = caller(1000, 0);

	ASSERT_EQ(next_of(fd, &request), 0);
	request.verdict = CALLGATE_VERDICT_ALLOW + 1;
	EXPECT_EQ(ioctl(fd, CALLGATE_IOC_ANSWER, &request) ? errno : 0, EINVAL);
	request.verdict = CALLGATE_VERDICT_ALLOW;
	request.id = 0;
	EXPECT_EQ(ioctl(fd, CALLGATE_IOC_ANSWER, &request) ? errno : 0, ENOENT);
	request.id = 0x7777777777;
	EXPECT_EQ(ioctl(fd, CALLGATE_IOC_ANSWER, &request) ? errno : 0, ENOENT);
	EXPECT_EQ(ioctl(fd, CALLGATE_IOC_ANSWER, NULL) ? errno : 0, EFAULT);
	EXPECT_EQ(ioctl(fd, CALLGATE_IOC_NEXT, NULL) ? errno : 0, EFAULT);
	EXPECT_EQ(ioctl(fd, FIONREAD, &request) ? errno : 0, ENOTTY);
	EXPECT_EQ(result(pid, 300), -1);
	EXPECT_EQ(gate_held(gate), 1);
}

/* Where the request cannot be written nobody would ever answer it. */
TEST(deny_a_caller_who_was_read_into_nowhere)
{
	struct gate *gate = controller();
	int fd = file_of(gate);
	void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pid_t pid = caller(1000, 0);

	ASSERT(page != MAP_FAILED);
	EXPECT_EQ(ioctl(fd, CALLGATE_IOC_NEXT, page) ? errno : 0, EFAULT);
	EXPECT_EQ(result(pid, 1500), EACCES);
	expect_report(gate, pid);
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
	EXPECT_EQ(gate_held(gate), 0);
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
		EXPECT_EQ(gate_held(gate), 0);
	}
}

HARNESS_MAIN
