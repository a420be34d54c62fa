// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Endurance: the same thing a thousand times and more, while watchers see to it
 * that nothing comes through.
 *
 * Runs as root in the virtual machine with the module loaded. The variable SOAK
 * is the percentage of the full numbers, 100 by default. Each test says how often
 * it did what it is about.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <signal.h>
#include <sound/asound.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bystander.h"
#include "camera.h"
#include "gate.h"
#include "harness.h"
#include "microphone.h"
#include "v4l2_fixture.h"
#include "watch.h"

#define HOURS	 (6 * 3600)
#define WATCHERS 2
#define USER	 1000
#define MIC	 "pcmC0D0c/7"

static int times(int full)
{
	const char *percent = getenv("SOAK");
	int n = full * (percent ? atoi(percent) : 100) / 100;

	return n > 0 ? n : 1;
}

/* The same choices every time. */
static unsigned int draw(unsigned int below)
{
	static unsigned int state = 20240607;

	state = state * 1664525 + 1013904223;
	return (state >> 8) % below;
}

static void twin(void)
{
	struct gate *gate = gate_open_bound();

	watch_twin(gate);
	gate_close(gate);
}

static void begin(void)
{
	twin();
	watch_begin(WATCHERS);
}

/* Printed now and then, for people who wait. */
static void progress(const char *what, int done, int all)
{
	static uint64_t last;

	if (harness_now() - last < 30 * SECOND)
		return;
	last = harness_now();
	harness_note("%s: %d of %d", what, done, all);
}

/* ---- loading and unloading ------------------------------------------------------------------------------------- */

static bool unloaded(void *unused)
{
	return unload() == 0;
}

/* Open before the gate: what runs must stop, and rmmod must see it. */
static void load_while_they_run(struct app *app, struct mic *mic)
{
	ASSERT_EQ(app_call(app, APP_OPEN, 0), 0);
	ASSERT_EQ(app_stream(app), 0);
	ASSERT_EQ(app_frames(app, 1), 0);
	ASSERT_EQ(mic_ready(mic, 0, MIC, MIC_MAP), 0);
	ASSERT_EQ(mic_call(mic, MIC_PATIENT, 0, 0), 0);
	ASSERT_EQ(mic_call(mic, MIC_MMAP, 0, 0), 0);
	ASSERT_EQ(mic_call(mic, MIC_START, 0, 0), 0);
	ASSERT_EQ(load(), 0);
	watch_resume();
	EXPECT_EQ(unload(), -EWOULDBLOCK);
	EXPECT_EQ(app_call(app, APP_DQBUF, 0), -EACCES);
	EXPECT_EQ(mic_call(mic, MIC_STATE, 0, 0), (long)SNDRV_PCM_STATE_SETUP);
	EXPECT_EQ(mic_call(mic, MIC_CLOSE, 0, 0), 0);
	/* The camera alone keeps the module too, once its file is known. */
	EXPECT_EQ(unload(), -EWOULDBLOCK);
	EXPECT_EQ(app_call(app, APP_CLOSE, 0), 0);
}

TEST_LIMIT(load_while_a_stream_runs_and_unload, HOURS)
{
	int i, n = times(1000);
	char node[64], what[100];
	struct app *app;
	struct mic *mic;

	begin();
	camera_find(V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_READWRITE, node, sizeof(node));
	app = app_start(node, USER);
	mic = mic_start(USER);
	for (i = 0; i < n; i++) {
		watch_pause();
		ASSERT(harness_wait(unloaded, NULL, 20000));
		load_while_they_run(app, mic);
		progress("loaded and unloaded", i, n);
	}
	app_end(app);
	mic_end(mic);
	snprintf(what, sizeof(what), "%d cycles of load, refused rmmod, close, unload", n);
	watch_end(what);
	twin();
}

/* ---- the controller dies --------------------------------------------------------------------------------------- */

/* Asks for buffers on a blocking file, where it is held, and exits with the errno. */
static pid_t asker(uid_t uid)
{
	struct v4l2_requestbuffers request = { .count = 2,
					       .type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
					       .memory = V4L2_MEMORY_MMAP };
	pid_t pid = fork();
	int fd;

	ASSERT(pid >= 0);
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close_range(3, ~0u, 0);
	fd = open("/dev/video0", O_RDWR);
	if (fd < 0 || setresgid(uid, uid, uid) || setresuid(uid, uid, uid))
		_exit(200);
	_exit(ioctl(fd, VIDIOC_REQBUFS, &request) ? errno : 0);
}

/* Everything that a daemon does, until it is killed. */
static void control(pid_t subject)
{
	struct gate *gate = gate_open_bound();
	struct callgate_request request;
	struct gate_message *objects;
	uint64_t session;

	for (session = 1;; session = session % 50 + 1) {
		gate_allow(gate, subject, session, CALLGATE_KIND_CAMERA, 300);
		if (gate_read(gate, 0, &request))
			gate_verdict(gate, request.id, session % 2);
		if (gate_dump(gate, CALLGATE_CMD_GRANT_GET, &objects) >= 0)
			free(objects);
		gate_revoke(gate, 0, session / 2 + 1);
	}
}

TEST_LIMIT(controllers_die_at_any_moment, HOURS)
{
	int i, n = times(1000), status, denied = 0;
	pid_t controller, held, subject = bystander(USER);
	char what[100];

	begin();
	for (i = 0; i < n; i++) {
		controller = fork();
		ASSERT(controller >= 0);
		if (controller == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			control(subject);
		}
		held = asker(USER);
		usleep(draw(30000));
		ASSERT(!kill(controller, SIGKILL) && waitpid(controller, &status, 0) == controller);
		/* Killed while it worked, and not by its own failure. */
		EXPECT(WIFSIGNALED(status));
		/* Whoever it held is let go of at once, with no. */
		ASSERT(waitpid(held, &status, 0) == held);
		ASSERT_EQ(WIFEXITED(status) ? WEXITSTATUS(status) : -1, EACCES);
		denied++;
		progress("controllers died", i, n);
	}
	snprintf(what, sizeof(what), "%d controllers killed at random, %d askers denied", n,
		 denied);
	watch_end(what);
	bystander_end(subject);
	twin();
}

/* ---- grants ---------------------------------------------------------------------------------------------------- */

#define SUBJECTS 10
#define SESSIONS 50

static bool no_grants(void *gate)
{
	return grant_count(gate) == 0;
}

TEST_LIMIT(grants_given_renewed_and_expired, HOURS)
{
	int i, n = times(10000), given = 0, renewed = 0, expired = 0, batch, err;
	struct gate_order orders[SUBJECTS], order;
	pid_t subjects[SUBJECTS];
	uint64_t first, again, begun;
	struct gate *gate;
	char what[100];

	begin();
	gate = gate_open_bound();
	for (i = 0; i < SUBJECTS; i++) {
		subjects[i] = bystander(USER + i % 2);
		orders[i] = order_for(gate, subjects[i], 1);
	}
	while (given < n) {
		batch = n - given < SUBJECTS * SESSIONS ? n - given : SUBJECTS * SESSIONS;
		for (i = 0; i < batch; i++) {
			order = orders[i % SUBJECTS];
			order.session = 100 + i / SUBJECTS;
			begun = harness_now();
			order.deadline = begun + 9 * SECOND;
			ASSERT_EQ(gate_grant(gate, &order, &first), 0);
			given++;
			/* The renewed one ends soon, so that nobody waits long. On a busy machine too soon. */
			do {
				order.deadline = harness_now() + SECOND + draw(SECOND);
				err = gate_grant(gate, &order, &again);
			} while (err == -ERANGE);
			ASSERT_EQ(err, 0);
			/* A machine that stood still for so long let the first one end. */
			EXPECT(first == again || harness_now() > begun + 9 * SECOND);
			renewed++;
		}
		ASSERT(harness_wait(no_grants, gate, 30000));
		expired += batch;
		progress("grants", given, n);
	}
	for (i = 0; i < SUBJECTS; i++)
		bystander_end(subjects[i]);
	snprintf(what, sizeof(what), "%d grants given, %d renewed, %d expired", given, renewed,
		 expired);
	watch_end(what);
	watch_twin(gate);
}

/* ---- held callers ---------------------------------------------------------------------------------------------- */

#define BATCH 20

static bool nobody_held(void *gate)
{
	return gate_held(gate) == 0;
}

TEST_LIMIT(held_callers_are_killed, HOURS)
{
	int i, n = times(1000), killed = 0, batch, status;
	struct callgate_request request;
	pid_t askers[BATCH];
	struct gate *gate;
	char what[100];

	begin();
	gate = gate_open_bound();
	while (killed < n) {
		batch = n - killed < BATCH ? n - killed : BATCH;
		/* Half of them die before they were read. */
		for (i = 0; i < batch; i++) {
			askers[i] = asker(USER + i % 2);
			if (i % 2)
				ASSERT(gate_read(gate, 20000, &request));
		}
		for (i = 0; i < batch; i++)
			kill(askers[i], SIGKILL);
		for (i = 0; i < batch; i++) {
			ASSERT(waitpid(askers[i], &status, 0) == askers[i]);
			/* Too slow to read, on a busy machine, is a denial. */
			if (WIFSIGNALED(status))
				killed++;
			else
				EXPECT_EQ(WEXITSTATUS(status), EACCES);
		}
		ASSERT(harness_wait(nobody_held, gate, 10000));
		gate_forget(gate);
		progress("held callers killed", killed, n);
	}
	snprintf(what, sizeof(what), "%d held callers killed", killed);
	watch_end(what);
	watch_twin(gate);
}

/* ---- suspend --------------------------------------------------------------------------------------------------- */

TEST_LIMIT(suspend_while_a_caller_is_held, HOURS)
{
	int i, n = times(20), err, status;
	struct callgate_request request;
	struct gate *gate;
	char what[100];
	pid_t pid;

	if (write_file("/sys/power/pm_test", "devices"))
		harness_skip("this kernel cannot try a suspend");
	write_file("/sys/module/suspend/parameters/pm_test_delay", "1");
	begin();
	gate = gate_open_bound();
	for (i = 0; i < n; i++) {
		pid = asker(USER);
		ASSERT(gate_read(gate, 20000, &request));
		/* A caller that could not be frozen would make it fail with EBUSY. */
		err = write_file("/sys/power/state", "freeze");
		ASSERT_EQ(err, 0);
		/* Still held, and still answered. */
		EXPECT_EQ(waitpid(pid, &status, WNOHANG), 0);
		EXPECT_EQ(gate_verdict(gate, request.id, CALLGATE_VERDICT_DENY), 0);
		ASSERT(waitpid(pid, &status, 0) == pid);
		EXPECT_EQ(WEXITSTATUS(status), EACCES);
		gate_forget(gate);
		progress("suspended", i, n);
	}
	write_file("/sys/power/pm_test", "none");
	snprintf(what, sizeof(what), "%d suspends with a prompt pending", n);
	watch_end(what);
	watch_twin(gate);
}

int main(int argc, char **argv)
{
	harness_leave_shares(argv);
	app_main(argc, argv);
	mic_main(argc, argv);
	return harness_main(argc, argv);
}
