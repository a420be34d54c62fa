// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * How long a capture goes on after its session has ended: from before whatever ends it to the last picture, or
 * samples, that a program which takes each as soon as it comes could still take. Called in the virtual machine by
 * tests/bench/guest-ask.
 *
 * The program that captures is a child, which notes the time of each picture; the parent ends the session: as the controller, with REVOKE, or,
 * while callgated is that, over D-Bus and by closing the channel, in turns.
 *
 * It ends at any moment between two pictures or periods, which the seed chooses.
 *
 * Usage: revoke bare|daemon|counted|counted-daemon [TIMES [SEED]]
 *   counted: the same in a machine whose clock is its instructions, so that its time is not the host's
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "call.h"
#include "gate.h"
#include "grants.h"
#include "harness.h"
#include "recorder.h"
#include "sample.h"

#define TIMES	1000
#define BUFFERS 4
/* Before a revocation: the capture has to run. */
#define FIRST	3

/**
 * struct shared - what the child tells
 * @go: the parent has granted; counts captures
 * @taken: pictures or periods of this capture
 * @last: when the last of them came
 * @denied: when the first operation was refused, 0 before
 */
struct shared {
	unsigned int go, taken;
	uint64_t last, denied;
};

/**
 * struct way - how a session begins and ends
 * @name: what is said of its end
 */
struct way {
	const char *name;
	void (*begin)(pid_t pid);
	void (*serve)(void);
	void (*end)(void);
};

static struct shared *shared;
static struct gate *gate;
static uint32_t random_state = 1;

static void note(void)
{
	__atomic_store_n(&shared->last, sample_now(), __ATOMIC_RELEASE);
	__atomic_add_fetch(&shared->taken, 1, __ATOMIC_ACQ_REL);
}

/* Begins and takes pictures until it is refused. False: something else went wrong. */
static bool watch(void)
{
	struct v4l2_requestbuffers request = { .count = BUFFERS,
					       .type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
					       .memory = V4L2_MEMORY_MMAP };
	struct v4l2_streamparm rate = { .type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
					.parm.capture.timeperframe = { 1, 60 } };
	struct v4l2_format format = {
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
		.fmt.pix = { .width = 320, .height = 180, .pixelformat = V4L2_PIX_FMT_YUYV }
	};
	int fd = open("/dev/video0", O_RDWR | O_CLOEXEC), type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
	struct v4l2_buffer b;
	bool good = true;

	if (fd < 0)
		return false;
	/* The last capture's file lives until the gate, too, has let it go. */
	while (ioctl(fd, VIDIOC_S_FMT, &format))
		if (errno != EBUSY || usleep(1000))
			return false;
	if (ioctl(fd, VIDIOC_S_PARM, &rate) || ioctl(fd, VIDIOC_REQBUFS, &request))
		return false;
	for (unsigned int i = 0; i < request.count; i++) {
		b = (struct v4l2_buffer){ .index = i, .type = type, .memory = V4L2_MEMORY_MMAP };
		good &= !ioctl(fd, VIDIOC_QBUF, &b);
	}
	good = good && !ioctl(fd, VIDIOC_STREAMON, &type);
	while (good) {
		b = (struct v4l2_buffer){ .type = type, .memory = V4L2_MEMORY_MMAP };
		if (ioctl(fd, VIDIOC_DQBUF, &b))
			break;
		note();
		if (ioctl(fd, VIDIOC_QBUF, &b))
			break;
	}
	good = good && errno == EACCES;
	close(fd);
	return good;
}

static bool listen_to(void)
{
	static int16_t data[2 * RECORDER_PERIOD];
	int fd = recorder_open(false);
	long n;

	if (fd < 0)
		return false;
	/* The last read may bring less. */
	do {
		recorder_wait(fd);
		n = recorder_readi(fd, data, RECORDER_PERIOD);
		if (n > 0)
			note();
	} while (n > 0 || errno == EAGAIN);
	close(fd);
	/* Stopped while it slept, or refused. */
	return errno == EACCES || errno == EBADFD;
}

_Noreturn static void capture(bool (*run)(void))
{
	unsigned int done = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		while (__atomic_load_n(&shared->go, __ATOMIC_ACQUIRE) == done)
			usleep(500);
		done++;
		if (!run()) {
			perror("bench: capture");
			_exit(1);
		}
		__atomic_store_n(&shared->denied, sample_now(), __ATOMIC_RELEASE);
	}
}

/* ---- who ends a session ---------------------------------------------------------------------------------------- */

static void must(int err)
{
	if (!err)
		return;
	fprintf(stderr, "bench: %s\n", strerror(-err));
	exit(1);
}

static void gate_begins(pid_t pid)
{
	gate_forget(gate);
	must(gate_allow(gate, pid, 1, CALLGATE_KIND_ALL, 9000));
}

static void gate_serves(void)
{
	usleep(500);
}

static void gate_ends(void)
{
	must(gate_revoke(gate, 0, 1));
}

static void app_ends(void)
{
	call_end_by(CALL_ENDED);
}

static void other_ends(void)
{
	call_end_by(CALL_CLOSED);
}

static const struct way bare[] = { { "REVOKE", gate_begins, gate_serves, gate_ends } };
static const struct way daemon_ways[] = {
	{ "Session.End", call_begin, call_serve, app_ends },
	{ "the other end's CLOSE", call_begin, call_serve, other_ends },
};

/* ---- one after the other --------------------------------------------------------------------------------------- */

struct result {
	struct sample frame, refused;
	unsigned int late;
};

static void wait_for_child(const struct way *way, pid_t pid)
{
	if (waitpid(pid, NULL, WNOHANG) == pid)
		exit(1);
	way->serve();
}

/* Less than @limit. */
static uint64_t next_random(uint64_t limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return random_state % limit;
}

static void end_once(const struct way *way, pid_t pid, double interval, struct result *result)
{
	uint64_t begun, last, end;

	shared->taken = 0;
	shared->denied = 0;
	way->begin(pid);
	__atomic_add_fetch(&shared->go, 1, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(&shared->taken, __ATOMIC_ACQUIRE) < FIRST)
		wait_for_child(way, pid);
	end = sample_now() + next_random((uint64_t)interval);
	while (sample_now() < end)
		wait_for_child(way, pid);
	begun = sample_now();
	way->end();
	while (!__atomic_load_n(&shared->denied, __ATOMIC_ACQUIRE))
		wait_for_child(way, pid);
	last = shared->last > begun ? shared->last - begun : 0;
	result->late += (double)last > interval;
	sample_add(&result->frame, (double)last / 1000);
	sample_add(&result->refused, (double)(shared->denied - begun) / 1000);
}

static void tell(struct result *result, const char *what, const char *way, const char *unit_of,
		 double interval)
{
	char name[120];

	/* Each is a repetition of one; the first is not dropped. */
	result->frame.repetitions = result->refused.repetitions = 1;
	sample_repetition(&result->frame);
	sample_repetition(&result->refused);
	snprintf(name, sizeof(name), "from %s to the last %s", way, unit_of);
	sample_print(&result->frame, what, name, "us");
	snprintf(name, sizeof(name), "from %s to the refusal", way);
	sample_print(&result->refused, what, name, "us");
	snprintf(name, sizeof(name), "from %s, later than one interval of %.2f ms", way,
		 interval / 1e6);
	sample_print_one(what, name, "count", result->late);
}

static void measure(const char *what, const char *unit_of, double interval, bool (*run)(void),
		    unsigned int times, const struct way *ways, unsigned int n)
{
	struct result results[2] = {};
	unsigned int i;
	pid_t pid;

	memset(shared, 0, sizeof(*shared));
	pid = fork();
	if (pid < 0)
		grants_die("fork");
	if (pid == 0) {
		if (gate)
			close(gate_fd(gate));
		capture(run);
	}
	for (i = 0; i < times * n; i++)
		end_once(&ways[i % n], pid, interval, &results[i % n]);
	for (i = 0; i < n; i++)
		tell(&results[i], what, ways[i].name, unit_of, interval);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

int main(int argc, char **argv)
{
	unsigned int times = argc > 2 ? (unsigned int)atoi(argv[2]) : TIMES;
	static const char *const modes[] = { "bare", "daemon", "counted", "counted-daemon" };
	bool bare_gate, counted;
	const struct way *ways;
	unsigned int n, mode = 0;

	while (mode < 4 && argc > 1 && strcmp(argv[1], modes[mode]))
		mode++;
	if (argc > 3)
		random_state = (uint32_t)strtoul(argv[3], NULL, 10);
	if (argc < 2 || argc > 4 || mode == 4 || !times || !random_state) {
		fprintf(stderr,
			"usage: revoke bare|daemon|counted|counted-daemon [TIMES [SEED]]\n");
		return 2;
	}
	bare_gate = mode % 2 == 0;
	counted = mode >= 2;
	ways = bare_gate ? bare : daemon_ways;
	n = bare_gate ? 1 : 2;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED)
		grants_die("memory");
	if (bare_gate) {
		gate = gate_open();
		if (!gate || gate_bind(gate, NULL))
			grants_die("bind");
	} else {
		call_connect();
	}
	measure(counted ? "counted-camera" : "camera", "picture", 1e9 / 60, watch, times, ways, n);
	measure(counted ? "counted-microphone" : "microphone", "period",
		1e9 * RECORDER_PERIOD / 48000, listen_to, times, ways, n);
	return 0;
}
