// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Memory that runs out, at each place in turn.
 *
 * Runs as root on a kernel with fault injection: the debug kernel. The nth
 * allocation, or copy from and to user memory, of a command or a capture fails;
 * n goes up until it ends without meeting it. Whatever fails, what was refused
 * has not happened, and who has no grant is denied. The rig looks for splats,
 * and with --leaks for what was lost.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/videodev2.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <poll.h>
#include <sound/asound.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bystander.h"
#include "camera.h"
#include "fault.h"
#include "gate.h"
#include "harness.h"
#include "v4l2_fixture.h"

#define NOBODY	(-ENODATA)
#define LONG	3600
#define SESSION 5

static bool unloaded(void *unused)
{
	int err = unload();

	return err == 0 || err == -ENOENT;
}

/* ---- commands ------------------------------------------------------------------------------------------------------ */

/* Sends with the nth thing failing and reads what answer there is. */
static int send_failing(struct gate *gate, struct nl_msg *msg, int n, bool *ret_happened)
{
	struct nlmsghdr *header = nlmsg_hdr(msg);
	uint32_t seq = header->nlmsg_seq;
	static char buffer[32768];
	int err = NOBODY, left;
	struct pollfd p = { .fd = gate_fd(gate), .events = POLLIN };

	header->nlmsg_pid = 0;
	header->nlmsg_flags |= NLM_F_ACK;
	fault_arm(n);
	if (send(p.fd, header, header->nlmsg_len, 0) < 0)
		err = -errno;
	else if (header->nlmsg_flags & NLM_F_DUMP)
		recv(p.fd, buffer, sizeof(buffer), MSG_DONTWAIT | MSG_PEEK);
	*ret_happened = fault_disarm();
	nlmsg_free(msg);
	while (err == NOBODY && poll(&p, 1, 200) == 1) {
		left = recv(p.fd, buffer, sizeof(buffer), 0);
		for (header = (void *)buffer; left > 0 && nlmsg_ok(header, left);
		     header = nlmsg_next(header, &left)) {
			if (header->nlmsg_seq == seq && header->nlmsg_type == NLMSG_ERROR)
				err = ((struct nlmsgerr *)nlmsg_data(header))->error;
			if (header->nlmsg_seq == seq && header->nlmsg_type == NLMSG_DONE)
				err = 0;
		}
	}
	return err;
}

static void expect_enforcing(struct gate *gate, const char *when, int n)
{
	uint8_t mode = 9;

	EXPECT_EQ(gate_mode(gate, -1, &mode), 0);
	if (mode != CALLGATE_MODE_ENFORCING)
		harness_fail(__FILE__, __LINE__, "%s, fault %d: the mode is %d", when, n, mode);
}

TEST_LIMIT(bind_that_fails_binds_nobody, LONG)
{
	struct gate *gate, *other;
	bool happened = true;
	int n, err, failed = 0;

	fault_prepare();
	for (n = 1; happened && n < FAULT_SWEEP; n++) {
		gate = gate_open();
		other = gate_open();
		ASSERT(gate && other);
		err = send_failing(gate, gate_begin(gate, CALLGATE_CMD_BIND, 0), n, &happened);
		/* Who was told that it failed is not the controller. Nobody knows it of a lost answer. */
		if (err && err != NOBODY) {
			failed++;
			EXPECT_EQ(gate_bind(other, NULL), 0);
		}
		gate_close(gate);
		gate_close(other);
	}
	harness_note("%d faults, %d refused", n - 2, failed);
	EXPECT(failed > 0);
	EXPECT_EQ(err, 0);
}

TEST_LIMIT(mode_that_fails_stays, LONG)
{
	struct gate *gate;
	bool happened = true;
	int n, err = 0, failed = 0;
	struct nl_msg *msg;
	uint8_t mode;

	fault_prepare();
	gate = gate_open_bound();
	for (n = 1; happened && n < FAULT_SWEEP; n++) {
		msg = gate_begin(gate, CALLGATE_CMD_MODE, 0);
		nla_put_u8(msg, CALLGATE_A_MODE, CALLGATE_MODE_PERMISSIVE);
		err = send_failing(gate, msg, n, &happened);
		if (err && err != NOBODY) {
			failed++;
			expect_enforcing(gate, "permissive was refused", n);
		}
		EXPECT_EQ(gate_mode(gate, CALLGATE_MODE_ENFORCING, &mode), 0);
	}
	harness_note("%d faults, %d refused", n - 2, failed);
	EXPECT(failed > 0);
	EXPECT_EQ(err, 0);
	fault_expect_denied("mode", 0);
}

static struct nl_msg *command(struct gate *gate, int which, const struct gate_order *order)
{
	static const uint8_t dumps[] = { CALLGATE_CMD_DEVICE_GET, CALLGATE_CMD_GRANT_GET,
					 CALLGATE_CMD_STREAM_GET };
	struct nl_msg *msg;

	if (which < 3)
		return gate_begin(gate, dumps[which], NLM_F_DUMP);
	switch (which) {
	case 3:
		return gate_begin(gate, CALLGATE_CMD_REQUESTS, 0);
	case 4:
		msg = gate_begin(gate, CALLGATE_CMD_IDENTIFY, 0);
		nla_put_u32(msg, CALLGATE_A_TGID, order->tgid);
		return msg;
	case 5:
		return gate_begin(gate, CALLGATE_CMD_STATS_GET, 0);
	case 6:
		msg = gate_begin(gate, CALLGATE_CMD_REVOKE, 0);
		nla_put_u64(msg, CALLGATE_A_SESSION, SESSION);
		return msg;
	default:
		msg = gate_begin(gate, CALLGATE_CMD_GRANT, 0);
		nla_put_u64(msg, CALLGATE_A_SESSION, SESSION);
		nla_put_u32(msg, CALLGATE_A_TGID, order->tgid);
		nla_put_u64(msg, CALLGATE_A_COOKIE, order->cookie);
		nla_put_u32(msg, CALLGATE_A_KINDS, CALLGATE_KIND_ALL);
		nla_put_u64(msg, CALLGATE_A_DEADLINE, harness_now() + 9 * SECOND);
		return msg;
	}
}

/* How many requests files are open here; none is left. */
static int close_requests(void)
{
	char path[32], link[64] = "";
	int fd, closed = 0;

	for (fd = 3; fd < 256; fd++) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		if (readlink(path, link, sizeof(link) - 1) <= 0 ||
		    strcmp(link, "anon_inode:[callgate]"))
			continue;
		close(fd);
		closed++;
	}
	return closed;
}

TEST_LIMIT(commands_that_fail_change_nothing, LONG)
{
	pid_t pid;
	struct gate_order order;
	struct gate *gate;
	int which, n, err, files, faults = 0;
	bool happened;

	fault_prepare();
	pid = bystander(1000);
	gate = gate_open_bound();
	order = order_for(gate, pid, SESSION);
	for (which = 0; which < 8; which++) {
		happened = true;
		for (n = 1; happened && n < FAULT_SWEEP; n++) {
			gate_revoke(gate, 0, SESSION);
			if (which == 6)
				EXPECT_EQ(gate_allow(gate, pid, SESSION, 1, 9000), 0);
			err = send_failing(gate, command(gate, which, &order), n, &happened);
			/* Refused with a word is refused. An answer that was lost may stand for either. */
			if (which == 7 && err && err != NOBODY)
				EXPECT_EQ(grant_count(gate), 0);
			if (which == 6 && !err)
				EXPECT_EQ(grant_count(gate), 0);
			files = close_requests();
			if (err != NOBODY)
				EXPECT_EQ(files, which == 3 && !err);
			faults += happened;
		}
		EXPECT_EQ(err, 0);
	}
	gate_revoke(gate, 0, SESSION);
	expect_enforcing(gate, "commands", 0);
	fault_expect_denied("commands", 0);
	harness_note("%d faults in 8 commands", faults);
	EXPECT(faults > 40);
	bystander_end(pid);
}

/* ---- capture ------------------------------------------------------------------------------------------------------- */

/* All of a short capture, going on after what failed. How many of its steps were let through. */
static int capture(void)
{
	struct v4l2_buffer buffer = { .type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
				      .memory = V4L2_MEMORY_MMAP };
	struct pollfd p = { .events = POLLIN };
	int type = V4L2_BUF_TYPE_VIDEO_CAPTURE, through = 0;
	void *map;

	p.fd = open("/dev/video0", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (p.fd < 0)
		return 0;
	through += fault_buffers(p.fd) == 0;
	buffer.length = ioctl(p.fd, VIDIOC_QUERYBUF, &buffer) ? 4096 : buffer.length;
	map = mmap(NULL, buffer.length, PROT_READ, MAP_SHARED, p.fd, 0);
	through += map != MAP_FAILED;
	through += ioctl(p.fd, VIDIOC_QBUF, &buffer) == 0;
	through += ioctl(p.fd, VIDIOC_STREAMON, &type) == 0;
	through += poll(&p, 1, through ? 500 : 0) > 0 && p.revents & POLLIN;
	through += ioctl(p.fd, VIDIOC_DQBUF, &buffer) == 0;
	if (map != MAP_FAILED)
		munmap(map, buffer.length);
	close(p.fd);
	return through;
}

static int record(void)
{
	int fd = open("/dev/snd/pcmC0D0c", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	int through;

	if (fd < 0)
		return 0;
	through = fault_start_capture(fd) == 0;
	close(fd);
	return through;
}

#define HAPPENED 16

/*
 * One fault in a child of its own: it may meet a page of the program itself and
 * then ends it by a signal, which is as good as any other error.
 */
static int try_capture(int (*body)(void), int n, struct gate *gate)
{
	int go[2], status, through;
	pid_t pid;
	char c;

	ASSERT(pipe(go) == 0);
	pid = fork();
	ASSERT(pid >= 0);
	if (pid == 0) {
		mlockall(MCL_CURRENT);
		if (read(go[0], &c, 1) != 1)
			_exit(255);
		fault_arm(n);
		through = body();
		_exit(fault_disarm() ? through | HAPPENED : through);
	}
	if (gate)
		EXPECT_EQ(gate_allow(gate, pid, SESSION, CALLGATE_KIND_ALL, 9900), 0);
	ASSERT(write(go[1], "x", 1) == 1);
	close(go[0]);
	close(go[1]);
	ASSERT(waitpid(pid, &status, 0) == pid);
	if (gate)
		EXPECT_EQ(gate_end(gate, SESSION), 0);
	if (WIFSIGNALED(status))
		return HAPPENED;
	ASSERT(WEXITSTATUS(status) != 255);
	return WEXITSTATUS(status);
}

/* @gate: to be granted by; NULL: nothing is. Returns how much came through when no fault was met. */
static int sweep(int (*body)(void), struct gate *gate)
{
	int n, through;

	for (n = 1; n < FAULT_SWEEP; n++) {
		through = try_capture(body, n, gate);
		if (!gate)
			EXPECT_EQ(through & ~HAPPENED, 0);
		if (!(through & HAPPENED))
			break;
	}
	EXPECT(n < FAULT_SWEEP);
	harness_note("%d faults %s a grant", n - 1, gate ? "with" : "without");
	return through;
}

TEST_LIMIT(capture_that_fails_is_denied, LONG)
{
	struct gate_message *streams = NULL;
	struct gate *gate;

	fault_prepare();
	gate = gate_open_bound();
	sweep(capture, NULL);
	sweep(record, NULL);
	EXPECT_EQ(sweep(capture, gate), 6);
	EXPECT_EQ(sweep(record, gate), 1);
	EXPECT_EQ(gate_dump(gate, CALLGATE_CMD_STREAM_GET, &streams), 0);
	free(streams);
	fault_expect_denied("captured", 0);
	gate_close(gate);
	/* Every file gave back its reference. */
	EXPECT(harness_wait(unloaded, NULL, 20000));
	EXPECT_EQ(load(), 0);
}

int main(int argc, char **argv)
{
	return fault_main(argc, argv);
}
