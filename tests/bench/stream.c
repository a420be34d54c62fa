// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What each operation of a running capture costs: QBUF, DQBUF, poll and read of a camera (vivid), READI and
 * the mapped way of a microphone (snd-aloop). Called in the virtual machine by tests/bench/guest-stream, without the module
 * and with it.
 *
 * Only operations that find what they ask for are measured, so none of them sleeps. The program is the controller and
 * the granted process in one, which is as good as any other.
 *
 * Usage: stream none | none-crowd | process-N | cgroup-N | sessions-N | crowd   [REPETITIONS]
 * none: there is no module. N grants in all, the others those of other processes or groups; sessions-N: N of this
 * process, of which the oldest covers; crowd: 64 processes have the camera open, and four capture from a camera each.
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
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "grants.h"
#include "recorder.h"
#include "sample.h"

#define BUFFERS	    32
#define REPETITIONS 11
#define CROWD	    64
#define CAPTURING   4
#define WIDTH	    320
#define HEIGHT	    180

static const char *scenario = "none";
static unsigned int repetitions = REPETITIONS;

/* ---- a camera -------------------------------------------------------------------------------------------------- */

_Noreturn static void die(const char *what)
{
	grants_die(what);
}

static void must_ioctl(int fd, unsigned long cmd, void *arg, const char *what)
{
	if (ioctl(fd, cmd, arg))
		die(what);
}

static struct v4l2_buffer buffer(unsigned int index)
{
	return (struct v4l2_buffer){ .index = index,
				     .type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
				     .memory = V4L2_MEMORY_MMAP };
}

/* The smallest picture, as often as the camera makes one. */
static int open_camera(const char *node, int flags)
{
	struct v4l2_format format = {
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
		.fmt.pix = { .width = WIDTH, .height = HEIGHT, .pixelformat = V4L2_PIX_FMT_YUYV }
	};
	struct v4l2_streamparm rate = { .type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
					.parm.capture.timeperframe = { 1, 120 } };
	int fd = open(node, O_RDWR | O_CLOEXEC | flags);

	if (fd < 0)
		die(node);
	must_ioctl(fd, VIDIOC_S_FMT, &format, "S_FMT");
	must_ioctl(fd, VIDIOC_S_PARM, &rate, "S_PARM");
	return fd;
}

static void begin_capture(int fd)
{
	struct v4l2_requestbuffers request = { .count = BUFFERS,
					       .type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
					       .memory = V4L2_MEMORY_MMAP };
	int type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
	struct v4l2_buffer b;
	unsigned int i;

	must_ioctl(fd, VIDIOC_REQBUFS, &request, "REQBUFS");
	if (request.count != BUFFERS)
		die("fewer buffers");
	for (i = 0; i < BUFFERS; i++) {
		b = buffer(i);
		must_ioctl(fd, VIDIOC_QBUF, &b, "QBUF");
	}
	must_ioctl(fd, VIDIOC_STREAMON, &type, "STREAMON");
}

/* Until every buffer holds a picture. */
static void wait_for_all(int fd)
{
	struct v4l2_buffer b;
	unsigned int i;

	for (i = 0; i < BUFFERS; i++) {
		for (;;) {
			b = buffer(i);
			must_ioctl(fd, VIDIOC_QUERYBUF, &b, "QUERYBUF");
			if (b.flags & V4L2_BUF_FLAG_DONE)
				break;
			usleep(5000);
		}
	}
}

static void stream_camera(void)
{
	struct sample poll_s = {}, dqbuf = {}, qbuf = {}, loop = {};
	int fd = open_camera("/dev/video0", 0);
	struct v4l2_buffer b[BUFFERS];
	unsigned int rep, i;
	uint64_t t[4];

	begin_capture(fd);
	for (rep = 0; rep < repetitions; rep++) {
		grants_renew();
		wait_for_all(fd);
		for (i = 0; i < BUFFERS; i++) {
			struct pollfd p = { .fd = fd, .events = POLLIN };
			int ready, taken;

			b[i] = buffer(0);
			t[0] = sample_clock();
			ready = poll(&p, 1, 0);
			t[1] = sample_clock();
			taken = ioctl(fd, VIDIOC_DQBUF, &b[i]);
			t[2] = sample_clock();
			if (ready != 1 || !(p.revents & POLLIN) || taken)
				die("poll or DQBUF");
			sample_add(&poll_s, (double)(t[1] - t[0]));
			sample_add(&dqbuf, (double)(t[2] - t[1]));
			sample_add(&loop, (double)(t[2] - t[0]));
		}
		for (i = 0; i < BUFFERS; i++) {
			t[0] = sample_clock();
			if (ioctl(fd, VIDIOC_QBUF, &b[i]))
				die("QBUF");
			t[1] = sample_clock();
			sample_add(&qbuf, (double)(t[1] - t[0]));
			loop.value[i] += (double)(t[1] - t[0]);
		}
		sample_repetition(&poll_s);
		sample_repetition(&dqbuf);
		sample_repetition(&qbuf);
		sample_repetition(&loop);
	}
	sample_print(&qbuf, scenario, "QBUF", "instructions");
	sample_print(&dqbuf, scenario, "DQBUF", "instructions");
	sample_print(&poll_s, scenario, "poll", "instructions");
	sample_print(&loop, scenario, "poll, DQBUF, QBUF", "instructions");
	close(fd);
}

static void read_camera(void)
{
	int fd = open_camera("/dev/video0", O_NONBLOCK);
	static char picture[2 * WIDTH * HEIGHT];
	struct sample whole = {};
	unsigned int rep, i;
	uint64_t t[2];
	ssize_t n;

	for (rep = 0; rep < repetitions; rep++) {
		grants_renew();
		for (i = 0; i < BUFFERS / 2; i++) {
			struct pollfd p = { .fd = fd, .events = POLLIN };

			if (poll(&p, 1, 10000) != 1)
				die("poll in read mode");
			t[0] = sample_clock();
			n = read(fd, picture, sizeof(picture));
			t[1] = sample_clock();
			if (n != (ssize_t)sizeof(picture))
				die("read");
			sample_add(&whole, (double)(t[1] - t[0]));
		}
		sample_repetition(&whole);
	}
	sample_print(&whole, scenario, "read", "instructions");
	close(fd);
}

/* ---- a microphone ---------------------------------------------------------------------------------------------- */

/* Compiled for each way, so that the choice is not between the two looks at the clock. */
static inline __attribute__((always_inline)) void read_periods(bool mapped, const char *name)
{
	static int16_t data[RECORDER_PERIOD];
	struct sample sample = {};
	unsigned int rep, i;
	uint64_t t[2];
	long n;
	int fd;

	fd = recorder_open(mapped);
	if (fd < 0)
		die(name);
	for (rep = 0; rep < repetitions; rep++) {
		grants_renew();
		if (!recorder_again(fd))
			die("microphone: does not start again");
		for (i = 0; i < RECORDER_PERIODS; i++) {
			if (!recorder_wait(fd))
				die("microphone: nothing comes");
			t[0] = sample_clock();
			n = mapped ? recorder_advance(fd, RECORDER_PERIOD)
				   : recorder_readi(fd, data, RECORDER_PERIOD);
			t[1] = sample_clock();
			if (mapped ? n < 0 : n != RECORDER_PERIOD)
				die(name);
			sample_add(&sample, (double)(t[1] - t[0]));
		}
		sample_repetition(&sample);
	}
	close(fd);
	sample_print(&sample, scenario, name, "instructions");
}

static void read_microphone(void)
{
	read_periods(false, "READI");
	read_periods(true, "mmap capture");
}

/* ---- a crowd --------------------------------------------------------------------------------------------------- */

/* The first few capture from a camera each, when they have been granted; all have the measured one open. */
_Noreturn static void crowd_member(unsigned int i, int go, int ready)
{
	struct v4l2_buffer b;
	char node[32], c;
	int fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	open_camera("/dev/video0", 0);
	if (write(ready, "o", 1) != 1)
		_exit(1);
	if (i && i < CAPTURING) {
		snprintf(node, sizeof(node), "/dev/video%u", i);
		fd = open_camera(node, 0);
		if (read(go, &c, 1) != 1)
			_exit(1);
		begin_capture(fd);
		if (write(ready, "s", 1) != 1)
			_exit(1);
		for (;;) {
			b = buffer(0);
			must_ioctl(fd, VIDIOC_DQBUF, &b, "another's DQBUF");
			must_ioctl(fd, VIDIOC_QBUF, &b, "another's QBUF");
		}
	}
	close(ready);
	for (;;)
		pause();
}

static void gather_crowd(void)
{
	int go[2], ready[2];
	unsigned int i;
	pid_t pid;
	char c;

	if (pipe(go) || pipe(ready))
		die("pipe");
	for (i = 1; i < CROWD; i++) {
		pid = fork();
		if (pid < 0)
			die("fork");
		if (pid == 0)
			crowd_member(i, go[0], ready[1]);
		if (i < CAPTURING)
			grants_also(pid);
	}
	grants_renew();
	if (write(go[1], "goo", CAPTURING - 1) != CAPTURING - 1)
		die("pipe");
	/* Ours would keep the pipe from ending when they end. */
	close(ready[1]);
	for (i = 0; i < CROWD - 1 + CAPTURING - 1; i++)
		if (read(ready[0], &c, 1) != 1)
			die("the crowd ended");
}

int main(int argc, char **argv)
{
	unsigned int n = 1;

	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: stream SCENARIO [REPETITIONS]\n");
		return 2;
	}
	scenario = argv[1];
	if (argc == 3)
		repetitions = atoi(argv[2]);
	sscanf(scenario, "%*[a-z]-%u", &n);
	if (!strncmp(scenario, "process", 7))
		grants_prepare(GRANTS_PROCESS, n, 1);
	else if (!strncmp(scenario, "cgroup", 6))
		grants_prepare(GRANTS_CGROUP, n, 1);
	else if (!strncmp(scenario, "sessions", 8))
		grants_prepare(GRANTS_PROCESS, 1, n);
	else if (!strcmp(scenario, "crowd"))
		grants_prepare(GRANTS_PROCESS, 1, 1);
	else if (strncmp(scenario, "none", 4))
		return 2;
	if (strstr(scenario, "crowd"))
		gather_crowd();
	stream_camera();
	if (strstr(scenario, "crowd"))
		return 0;
	read_camera();
	read_microphone();
	return 0;
}
