// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The watchers and their twin.
 *
 * Owns their processes and the memory that they share with the test. They use
 * system calls only, and open and close what they try, so that each round is a
 * program that has just come. A watcher expects one answer, EACCES: also "try
 * again" or "busy" would mean that the gate let it pass to the driver.
 */
#include "watch.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/videodev2.h>
#include <poll.h>
#include <signal.h>
#include <sound/asound.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "camera.h"
#include "gate.h"
#include "harness.h"

#define MAX_WATCHERS 8
#define MICROPHONE   "/dev/snd/pcmC0D0c"
#define NOT_TRIED    (-10000)
/* Of the twin, for a frame or a period: generous, for TCG on a busy machine. */
#define PATIENCE     10000

static const char *const names[WATCH_WAYS] = {
	[WATCH_POLL] = "poll",
	[WATCH_READ] = "read",
	[WATCH_BUFFERS] = "REQBUFS",
	[WATCH_CREATE] = "CREATE_BUFS",
	[WATCH_MMAP] = "mmap",
	[WATCH_QUEUE] = "QBUF",
	[WATCH_START] = "STREAMON",
	[WATCH_DEQUEUE] = "DQBUF",
	[WATCH_EXPORT] = "EXPBUF",
	[WATCH_MIC_READ] = "a read of the microphone",
	[WATCH_MIC_START] = "a start of the microphone",
};

/**
 * struct shared - between the test and its watchers
 * @gated: odd while the gate is known to be loaded; another number after each pause
 * @busy: of each watcher
 * @rounds: that were judged
 * @tried: each way, in these rounds
 * @found: ways that let somebody through, as bits
 * @answer: of the way that did so first
 */
static struct shared {
	atomic_uint gated;
	atomic_bool busy[MAX_WATCHERS];
	atomic_ulong rounds;
	atomic_ulong tried[WATCH_WAYS];
	atomic_uint found;
	long answer[WATCH_WAYS];
} * shared;

static pid_t watchers[MAX_WATCHERS];
static int watcher_count;
static char camera[64];

static long control(int fd, unsigned long command, void *argument)
{
	return ioctl(fd, command, argument) < 0 ? -errno : 0;
}

/* ---- the camera ------------------------------------------------------------------------------------------------ */

/* A poll that is let in answers with input, one that is denied with an error. */
static long poll_input(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int n = poll(&p, 1, ms);

	if (n > 0 && p.revents & POLLIN)
		return 1;
	return n > 0 && p.revents & POLLERR ? -EACCES : -EAGAIN;
}

static void try_reading(long *answers, int patience)
{
	static char frame[4 << 20];
	int fd = open(camera, O_RDWR | O_NONBLOCK);

	if (fd < 0)
		return;
	answers[WATCH_POLL] = poll_input(fd, patience);
	answers[WATCH_READ] = read(fd, frame, sizeof(frame)) < 0 ? -errno : 1;
	close(fd);
}

static long map_first(int fd, const struct v4l2_buffer *buffer, void **ret_map)
{
	void *map = mmap(NULL, buffer->length, PROT_READ, MAP_SHARED, fd, buffer->m.offset);

	*ret_map = map == MAP_FAILED ? NULL : map;
	return *ret_map ? 0 : -errno;
}

static void try_streaming(long *answers, int patience)
{
	struct v4l2_requestbuffers request = { .count = 2,
					       .type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
					       .memory = V4L2_MEMORY_MMAP };
	struct v4l2_create_buffers create = { .count = 1,
					      .memory = V4L2_MEMORY_MMAP,
					      .format.type = V4L2_BUF_TYPE_VIDEO_CAPTURE };
	struct v4l2_buffer buffer = { .type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
				      .memory = V4L2_MEMORY_MMAP };
	struct v4l2_exportbuffer export = { .type = V4L2_BUF_TYPE_VIDEO_CAPTURE };
	int fd = open(camera, O_RDWR | O_NONBLOCK);
	int type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
	void *map;

	if (fd < 0)
		return;
	answers[WATCH_BUFFERS] = control(fd, VIDIOC_REQBUFS, &request);
	control(fd, VIDIOC_G_FMT, &create.format);
	answers[WATCH_CREATE] = control(fd, VIDIOC_CREATE_BUFS, &create);
	/* A guess does for one who has no buffers. */
	if (control(fd, VIDIOC_QUERYBUF, &buffer))
		buffer.length = 4096;
	answers[WATCH_MMAP] = map_first(fd, &buffer, &map);
	answers[WATCH_QUEUE] = control(fd, VIDIOC_QBUF, &buffer);
	answers[WATCH_START] = control(fd, VIDIOC_STREAMON, &type);
	if (patience)
		poll_input(fd, patience);
	answers[WATCH_DEQUEUE] = control(fd, VIDIOC_DQBUF, &buffer);
	answers[WATCH_EXPORT] = control(fd, VIDIOC_EXPBUF, &export);
	if (!answers[WATCH_EXPORT])
		close(export.fd);
	if (map)
		munmap(map, buffer.length);
	close(fd);
}

/* ---- the microphone -------------------------------------------------------------------------------------------- */

static void fix(struct snd_pcm_hw_params *p, int which, unsigned int value)
{
	p->intervals[which - SNDRV_PCM_HW_PARAM_FIRST_INTERVAL] =
		(struct snd_interval){ .min = value, .max = value, .integer = 1 };
}

static void choose(struct snd_pcm_hw_params *p, int which, unsigned int value)
{
	struct snd_mask *mask = &p->masks[which - SNDRV_PCM_HW_PARAM_FIRST_MASK];

	memset(mask, 0, sizeof(*mask));
	mask->bits[value / 32] = 1u << value % 32;
}

static long prepare(int fd, int access)
{
	struct snd_pcm_hw_params p = { .rmask = ~0u };
	int i;

	memset(p.masks, 0xff, sizeof(p.masks));
	for (i = SNDRV_PCM_HW_PARAM_FIRST_INTERVAL; i <= SNDRV_PCM_HW_PARAM_LAST_INTERVAL; i++)
		p.intervals[i - SNDRV_PCM_HW_PARAM_FIRST_INTERVAL] =
			(struct snd_interval){ .max = ~0u };
	choose(&p, SNDRV_PCM_HW_PARAM_ACCESS, access);
	choose(&p, SNDRV_PCM_HW_PARAM_FORMAT, SNDRV_PCM_FORMAT_S16_LE);
	fix(&p, SNDRV_PCM_HW_PARAM_CHANNELS, 1);
	fix(&p, SNDRV_PCM_HW_PARAM_RATE, 8000);
	fix(&p, SNDRV_PCM_HW_PARAM_PERIOD_SIZE, 400);
	fix(&p, SNDRV_PCM_HW_PARAM_BUFFER_SIZE, 6400);
	return control(fd, SNDRV_PCM_IOCTL_HW_PARAMS, &p)
		       ?: control(fd, SNDRV_PCM_IOCTL_PREPARE, NULL);
}

/*
 * What a try answered. Where the machine was suspended after the preparation,
 * ALSA's core refuses whoever asks, and nothing was tried.
 */
static long recorded(int fd, long answer)
{
	struct snd_pcm_status status = {};

	if ((answer == -ESTRPIPE || answer == -EBADFD) &&
	    !control(fd, SNDRV_PCM_IOCTL_STATUS, &status) &&
	    status.state == SNDRV_PCM_STATE_SUSPENDED)
		return NOT_TRIED;
	return answer;
}

static void try_recording(long *answers, int patience)
{
	short samples[400];
	struct snd_xferi transfer = { .buf = samples, .frames = 400 };
	uint64_t end = harness_now() + patience * 1000000ull;
	int fd = open(MICROPHONE, O_RDWR | O_NONBLOCK);

	if (fd < 0)
		return;
	if (!prepare(fd, SNDRV_PCM_ACCESS_RW_INTERLEAVED)) {
		do {
			answers[WATCH_MIC_READ] =
				control(fd, SNDRV_PCM_IOCTL_READI_FRAMES, &transfer);
		} while (answers[WATCH_MIC_READ] == -EAGAIN && harness_now() < end);
		answers[WATCH_MIC_READ] = recorded(fd, answers[WATCH_MIC_READ]);
	}
	close(fd);
	fd = open(MICROPHONE, O_RDWR | O_NONBLOCK);
	if (fd < 0)
		return;
	if (!prepare(fd, SNDRV_PCM_ACCESS_MMAP_INTERLEAVED))
		answers[WATCH_MIC_START] = recorded(fd, control(fd, SNDRV_PCM_IOCTL_START, NULL));
	close(fd);
}

static void try_all(long *answers, int patience)
{
	int i;

	for (i = 0; i < WATCH_WAYS; i++)
		answers[i] = NOT_TRIED;
	try_reading(answers, patience);
	try_streaming(answers, patience);
	try_recording(answers, patience);
}

/* ---- processes ------------------------------------------------------------------------------------------------- */

static void become(uid_t uid)
{
	struct stat st = {};

	stat(MICROPHONE, &st);
	/* Nothing of the controller, and of nobody else, may live on in this one. */
	close_range(3, ~0u, 0);
	if (setgroups(0, NULL) || setresgid(st.st_gid, st.st_gid, st.st_gid) ||
	    setresuid(uid, uid, uid))
		_exit(9);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static void judge(const long *answers)
{
	int i;

	for (i = 0; i < WATCH_WAYS; i++) {
		if (answers[i] == NOT_TRIED)
			continue;
		atomic_fetch_add(&shared->tried[i], 1);
		if (answers[i] == -EACCES)
			continue;
		shared->answer[i] = answers[i];
		atomic_fetch_or(&shared->found, 1u << i);
	}
}

static void watch(int me)
{
	long answers[WATCH_WAYS];
	unsigned int before;

	for (;;) {
		atomic_store(&shared->busy[me], true);
		before = atomic_load(&shared->gated);
		if (before % 2) {
			try_all(answers, 0);
			if (atomic_load(&shared->gated) == before) {
				judge(answers);
				atomic_fetch_add(&shared->rounds, 1);
			}
		}
		atomic_store(&shared->busy[me], false);
		/* Leaves the processor to what is tested. */
		usleep(1000);
	}
}

static void need_devices(void)
{
	if (!camera_find(V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_READWRITE, camera, sizeof(camera)) ||
	    access(MICROPHONE, F_OK))
		harness_skip("no vivid camera or no microphone at " MICROPHONE);
}

void watch_begin(int count)
{
	int i;

	need_devices();
	ASSERT(count <= MAX_WATCHERS);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	ASSERT(shared != MAP_FAILED);
	shared->gated = 1;
	watcher_count = count;
	for (i = 0; i < count; i++) {
		watchers[i] = fork();
		ASSERT(watchers[i] >= 0);
		if (watchers[i] == 0) {
			become(WATCH_UID);
			watch(i);
		}
	}
}

unsigned long watch_end(const char *what)
{
	unsigned int found = atomic_load(&shared->found);
	unsigned long rounds = atomic_load(&shared->rounds);
	int i;

	for (i = 0; i < watcher_count; i++) {
		/* One that died saw nothing. */
		EXPECT_EQ(waitpid(watchers[i], NULL, WNOHANG), 0);
		kill(watchers[i], SIGKILL);
		waitpid(watchers[i], NULL, 0);
	}
	for (i = 0; i < WATCH_WAYS; i++) {
		if (found & 1u << i)
			harness_fail(__FILE__, __LINE__, "%s answered %ld to one without a grant",
				     names[i], shared->answer[i]);
		if (!atomic_load(&shared->tried[i]))
			harness_fail(__FILE__, __LINE__, "nobody tried %s", names[i]);
	}
	harness_note("%s; meanwhile %d programs without a grant tried %d ways %lu times: %s", what,
		     watcher_count, WATCH_WAYS, rounds, found ? "LET IN" : "nothing came through");
	return rounds;
}

static bool all_idle(void *unused)
{
	int i;

	for (i = 0; i < watcher_count; i++)
		if (atomic_load(&shared->busy[i]))
			return false;
	return true;
}

void watch_pause(void)
{
	if (atomic_load(&shared->gated) % 2)
		atomic_fetch_add(&shared->gated, 1);
	ASSERT(harness_wait(all_idle, NULL, 20000));
}

void watch_resume(void)
{
	if (atomic_load(&shared->gated) % 2 == 0)
		atomic_fetch_add(&shared->gated, 1);
}

void watch_twin(struct gate *gate)
{
	long *answers = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t session = 0x7771;
	int go[2], ready[2], i;
	pid_t pid;
	char c;

	need_devices();
	ASSERT(answers != MAP_FAILED && !pipe(go) && !pipe(ready));
	pid = fork();
	ASSERT(pid >= 0);
	if (pid == 0) {
		dup2(go[0], 0);
		dup2(ready[1], 1);
		become(TWIN_UID);
		if (write(1, "x", 1) != 1 || read(0, &c, 1) != 1)
			_exit(1);
		try_all(answers, PATIENCE);
		_exit(0);
	}
	ASSERT(read(ready[0], &c, 1) == 1);
	ASSERT_EQ(gate_allow(gate, pid, session, CALLGATE_KIND_ALL, 9900), 0);
	ASSERT(write(go[1], "x", 1) == 1);
	ASSERT(waitpid(pid, NULL, 0) == pid);
	for (i = 0; i < WATCH_WAYS; i++) {
		if (answers[i] < 0)
			harness_fail(__FILE__, __LINE__, "%s answered %ld to the twin with a grant",
				     names[i], answers[i]);
	}
	EXPECT_EQ(gate_end(gate, session), 0);
	munmap(answers, 4096);
	close(go[0]);
	close(go[1]);
	close(ready[0]);
	close(ready[1]);
}
