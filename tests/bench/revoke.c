// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * How long a capture goes on after its session has ended: from before the controller's REVOKE to the last picture, or
 * samples, that a program which takes each as soon as it comes could still take. Called in the virtual machine by
 * tests/bench/guest-ask.
 *
 * The program that captures is a child, which notes the time of each picture; the parent is the controller.
 *
 * Usage: revoke [TIMES]
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

static struct shared *shared;

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

static void measure(const char *what, const char *unit_of, double interval, bool (*run)(void),
		    unsigned int times)
{
	struct sample frame = {}, refused = {};
	struct gate *gate = gate_open();
	unsigned int i, late = 0;
	uint64_t begun, last;
	char name[80];
	pid_t pid;
	int err;

	if (!gate || gate_bind(gate, NULL))
		grants_die("bind");
	memset(shared, 0, sizeof(*shared));
	pid = fork();
	if (pid < 0)
		grants_die("fork");
	if (pid == 0) {
		close(gate_fd(gate));
		capture(run);
	}
	for (i = 0; i < times; i++) {
		shared->taken = 0;
		shared->denied = 0;
		err = gate_allow(gate, pid, 1, CALLGATE_KIND_ALL, 9000);
		__atomic_add_fetch(&shared->go, 1, __ATOMIC_ACQ_REL);
		while (!err && __atomic_load_n(&shared->taken, __ATOMIC_ACQUIRE) < FIRST) {
			if (waitpid(pid, NULL, WNOHANG) == pid)
				exit(1);
			usleep(1000);
		}
		begun = sample_now();
		err = err ?: gate_revoke(gate, 0, 1);
		if (err) {
			fprintf(stderr, "bench: %s\n", strerror(-err));
			exit(1);
		}
		while (!__atomic_load_n(&shared->denied, __ATOMIC_ACQUIRE)) {
			if (waitpid(pid, NULL, WNOHANG) == pid)
				exit(1);
			usleep(500);
		}
		last = shared->last > begun ? shared->last - begun : 0;
		late += (double)last > interval;
		sample_add(&frame, (double)last / 1000);
		sample_add(&refused, (double)(shared->denied - begun) / 1000);
		gate_forget(gate);
	}
	/* Each is a repetition of one; the first is not dropped. */
	frame.repetitions = refused.repetitions = 1;
	sample_repetition(&frame);
	sample_repetition(&refused);
	snprintf(name, sizeof(name), "from REVOKE to the last %s", unit_of);
	sample_print(&frame, what, name, "us");
	snprintf(name, sizeof(name), "from REVOKE to the refusal");
	sample_print(&refused, what, name, "us");
	snprintf(name, sizeof(name), "later than one interval of %.2f ms", interval / 1e6);
	sample_print_one(what, name, "count", late);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	gate_close(gate);
}

int main(int argc, char **argv)
{
	unsigned int times = argc > 1 ? (unsigned int)atoi(argv[1]) : TIMES;

	if (argc > 2 || !times) {
		fprintf(stderr, "usage: revoke [TIMES]\n");
		return 2;
	}
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED)
		grants_die("memory");
	measure("camera", "picture", 1e9 / 60, watch, times);
	measure("microphone", "period", 1e9 * RECORDER_PERIOD / 48000, listen_to, times);
	return 0;
}
