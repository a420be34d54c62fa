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
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bystander.h"
#include "camera.h"
#include "gate.h"
#include "harness.h"
#include "v4l2_fixture.h"

#define FAULTS	"/sys/kernel/debug/"
#define SWEEP	4000 /* more than any call makes */
#define NOBODY	(-ENODATA)
#define LONG	3600
#define SUBS	8
#define SESSION 5

static int nth = -1;

/* ---- faults
 * ----------------------------------------------------------------------------------------------------
 */

static void prepare(void)
{
	static const char *const kinds[] = { "failslab", "fail_page_alloc", "fail_usercopy" };
	char path[128];
	size_t i;

	nth = open("/proc/self/fail-nth", O_RDWR | O_CLOEXEC);
	if (nth < 0)
		harness_skip(
			"this kernel injects no faults; 'make check-debug' runs one that does");
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		/* A trace of each fault would be taken for a complaint. */
		snprintf(path, sizeof(path), FAULTS "%s/verbose", kinds[i]);
		ASSERT_EQ(write_file(path, "0"), 0);
	}
	ASSERT_EQ(write_file(FAULTS "failslab/ignore-gfp-wait", "N"), 0);
	ASSERT_EQ(write_file(FAULTS "fail_page_alloc/ignore-gfp-wait", "N"), 0);
	ASSERT_EQ(write_file(FAULTS "fail_page_alloc/min-order", "0"), 0);
}

static void arm(int n)
{
	char text[16];
	int size = snprintf(text, sizeof(text), "%d", n);

	ASSERT(pwrite(nth, text, size, 0) == size);
}

/* Did it happen? */
static bool disarm(void)
{
	char text[16] = "";
	bool happened = pread(nth, text, sizeof(text) - 1, 0) > 0 && atoi(text) == 0;

	/* What is left of the count may meet this write. */
	while (pwrite(nth, "0", 1, 0) != 1)
		;
	return happened;
}

/* ---- what must be denied
 * ---------------------------------------------------------------------------------------
 */

static long buffers(int fd)
{
	struct v4l2_requestbuffers request = { .count = 2,
					       .type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
					       .memory = V4L2_MEMORY_MMAP };

	return ioctl(fd, VIDIOC_REQBUFS, &request) ? -errno : 0;
}

/* A camera that cannot be opened is denied too; one that is not there is no
 * camera. */
static void expect_camera_denied(const char *when, int n)
{
	int type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
	char node[64], byte;
	int i, fd;

	for (i = 0; i < 8; i++) {
		snprintf(node, sizeof(node), "/dev/video%d", i);
		fd = open(node, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		if (fd < 0)
			continue;
		/* Of vivid's nodes the output ones are not gated. */
		if (buffers(fd) == 0 || read(fd, &byte, 1) > 0 ||
		    ioctl(fd, VIDIOC_STREAMON, &type) == 0)
			harness_fail(__FILE__, __LINE__, "%s, fault %d: %s is open to all", when, n,
				     node);
		close(fd);
	}
}

static long start_capture(int fd)
{
	struct snd_pcm_hw_params p = { .rmask = ~0u };
	int i;

	memset(p.masks, 0xff, sizeof(p.masks));
	for (i = 0; i <= SNDRV_PCM_HW_PARAM_LAST_INTERVAL - SNDRV_PCM_HW_PARAM_FIRST_INTERVAL; i++)
		p.intervals[i] = (struct snd_interval){ .max = ~0u };
	if (ioctl(fd, SNDRV_PCM_IOCTL_HW_PARAMS, &p) || ioctl(fd, SNDRV_PCM_IOCTL_PREPARE))
		return -errno;
	return ioctl(fd, SNDRV_PCM_IOCTL_START) ? -errno : 0;
}

/* Each substream of each device: the next open takes the next one. */
static void expect_microphones_denied(const char *when, int n)
{
	int device, i, fds[SUBS];
	char node[64];

	for (device = 0; device < 2; device++) {
		snprintf(node, sizeof(node), "/dev/snd/pcmC0D%dc", device);
		for (i = 0; i < SUBS; i++) {
			fds[i] = open(node, O_RDWR | O_NONBLOCK | O_CLOEXEC);
			if (fds[i] >= 0 && start_capture(fds[i]) == 0)
				harness_fail(__FILE__, __LINE__,
					     "%s, fault %d: %s/%d is open to all", when, n, node,
					     i);
		}
		for (i = 0; i < SUBS; i++)
			if (fds[i] >= 0)
				close(fds[i]);
	}
}

static void expect_denied(const char *when, int n)
{
	expect_camera_denied(when, n);
	expect_microphones_denied(when, n);
}

static bool unloaded(void *unused)
{
	int err = unload();

	return err == 0 || err == -ENOENT;
}

/* ---- commands
 * --------------------------------------------------------------------------------------------------
 */

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
	arm(n);
	if (send(p.fd, header, header->nlmsg_len, 0) < 0)
		err = -errno;
	else if (header->nlmsg_flags & NLM_F_DUMP)
		recv(p.fd, buffer, sizeof(buffer), MSG_DONTWAIT | MSG_PEEK);
	*ret_happened = disarm();
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

	prepare();
	for (n = 1; happened && n < SWEEP; n++) {
		gate = gate_open();
		other = gate_open();
		ASSERT(gate && other);
		err = send_failing(gate, gate_begin(gate, CALLGATE_CMD_BIND, 0), n, &happened);
		/* Who was told that it failed is not the controller. Nobody knows it of a
     * lost answer. */
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

	prepare();
	gate = gate_open_bound();
	for (n = 1; happened && n < SWEEP; n++) {
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
	expect_denied("mode", 0);
}

static struct nl_msg *command(struct gate *gate, int which, const struct gate_order *order)
{
	static const uint8_t dumps[] = { CALLGATE_CMD_DEVICE_GET, CALLGATE_CMD_GRANT_GET,
					 CALLGATE_CMD_REQUEST_GET, CALLGATE_CMD_STREAM_GET };
	struct nl_msg *msg;

	if (which < 4)
		return gate_begin(gate, dumps[which], NLM_F_DUMP);
	switch (which) {
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

TEST_LIMIT(commands_that_fail_change_nothing, LONG)
{
	pid_t pid;
	struct gate_order order;
	struct gate *gate;
	int which, n, err, faults = 0;
	bool happened;

	prepare();
	pid = bystander(1000);
	gate = gate_open_bound();
	order = order_for(gate, pid, SESSION);
	for (which = 0; which < 8; which++) {
		happened = true;
		for (n = 1; happened && n < SWEEP; n++) {
			gate_revoke(gate, 0, SESSION);
			if (which == 6)
				EXPECT_EQ(gate_allow(gate, pid, SESSION, 1, 9000), 0);
			err = send_failing(gate, command(gate, which, &order), n, &happened);
			/* Refused with a word is refused. An answer that was lost may stand for
       * either. */
			if (which == 7 && err && err != NOBODY)
				EXPECT_EQ(grant_count(gate), 0);
			if (which == 6 && !err)
				EXPECT_EQ(grant_count(gate), 0);
			faults += happened;
		}
		EXPECT_EQ(err, 0);
	}
	gate_revoke(gate, 0, SESSION);
	expect_enforcing(gate, "commands", 0);
	expect_denied("commands", 0);
	harness_note("%d faults in 8 commands", faults);
	EXPECT(faults > 40);
	bystander_end(pid);
}

/* ---- capture
 * ---------------------------------------------------------------------------------------------------
 */

/* All of a short capture, going on after what failed. How many of its steps
 * were let through. */
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
	through += buffers(p.fd) == 0;
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
	through = start_capture(fd) == 0;
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
		close(nth);
		nth = open("/proc/self/fail-nth", O_RDWR | O_CLOEXEC);
		mlockall(MCL_CURRENT);
		if (nth < 0 || read(go[0], &c, 1) != 1)
			_exit(255);
		arm(n);
		through = body();
		_exit(disarm() ? through | HAPPENED : through);
	}
	if (gate)
		EXPECT_EQ(gate_allow(gate, pid, SESSION, CALLGATE_KIND_ALL, 9900), 0);
	ASSERT(write(go[1], "x", 1) == 1);
	close(go[0]);
	close(go[1]);
	ASSERT(waitpid(pid, &status, 0) == pid);
	if (gate)
		EXPECT_EQ(gate_revoke(gate, 0, SESSION), 0);
	if (WIFSIGNALED(status))
		return HAPPENED;
	ASSERT(WEXITSTATUS(status) != 255);
	return WEXITSTATUS(status);
}

/* @gate: to be granted by; NULL: nothing is. Returns how much came through when
 * no fault was met. */
static int sweep(int (*body)(void), struct gate *gate)
{
	int n, through;

	for (n = 1; n < SWEEP; n++) {
		through = try_capture(body, n, gate);
		if (!gate)
			EXPECT_EQ(through & ~HAPPENED, 0);
		if (!(through & HAPPENED))
			break;
	}
	EXPECT(n < SWEEP);
	harness_note("%d faults %s a grant", n - 1, gate ? "with" : "without");
	return through;
}

TEST_LIMIT(capture_that_fails_is_denied, LONG)
{
	struct gate_message *streams = NULL;
	struct gate *gate;

	prepare();
	gate = gate_open_bound();
	sweep(capture, NULL);
	sweep(record, NULL);
	EXPECT_EQ(sweep(capture, gate), 6);
	EXPECT_EQ(sweep(record, gate), 1);
	EXPECT_EQ(gate_dump(gate, CALLGATE_CMD_STREAM_GET, &streams), 0);
	free(streams);
	expect_denied("captured", 0);
	gate_close(gate);
	/* Every file gave back its reference. */
	EXPECT(harness_wait(unloaded, NULL, 20000));
	EXPECT_EQ(load(), 0);
}

/* What a fault hits must be the kernel under test, not what the C library and
 * the kernel arrange between them (rseq). */
int main(int argc, char **argv)
{
	const char *tunables = "glibc.pthread.rseq=0", *set = getenv("GLIBC_TUNABLES");

	if (!set || strcmp(set, tunables)) {
		setenv("GLIBC_TUNABLES", tunables, 1);
		execv("/proc/self/exe", argv);
		return 1;
	}
	/* The kernel names it where it reports a failed allocation; see
   * tests/vm/complaints. */
	prctl(PR_SET_NAME, "fault_test");
	return harness_main(argc, argv);
}
