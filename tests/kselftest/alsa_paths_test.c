// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The less trodden ways to a microphone's samples: what another holder of the
 * file does, a launcher that leaves a mapping behind, restarts after a drain, an
 * overrun or a suspend, dsnoop, and what ran before the gate began to enforce.
 * Acts as the controller; the microphone is snd-aloop's.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <sound/asound.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gate.h"
#include "harness.h"
#include "microphone.h"

#define MIC_A  "pcmC0D0c/0"
#define MIC_B  "pcmC0D0c/1"
#define FEED_A "pcmC0D1p/0"
#define PLAY   "pcmC0D0p/5"

#define ALICE	   1000
#define MALLORY	   1001
#define SESSION	   7
/* Until a program has started, or recorded for a second, on a busy machine. */
#define PROGRAM_MS 30000

static struct gate *gate;

static void allow_in(struct mic *mic, uint64_t session)
{
	ASSERT_EQ(gate_allow(gate, mic->pid, session, CALLGATE_KIND_MICROPHONE, 9900), 0);
}

static void allow(struct mic *mic)
{
	allow_in(mic, SESSION);
}

static struct mic *feed(void)
{
	struct mic *mic = mic_start(ALICE);

	ASSERT_EQ(mic_ready(mic, 0, FEED_A, MIC_RW), 0);
	mic_send(mic, MIC_PLAY, 0, 0);
	return mic;
}

/* ---- operations of these tests --------------------------------------------------------------------------------- */

static long op_poll(struct mic_state *s, int slot, int ms)
{
	struct pollfd p = { .fd = s->fd[slot], .events = POLLIN };
	int n = poll(&p, 1, ms);

	return n < 0 ? -errno : n ? p.revents : 0;
}

/* Waits for nothing: what it began goes on. */
static long op_drain(struct mic_state *s, int slot, int unused)
{
	long r = 0;

	fcntl(s->fd[slot], F_SETFL, O_NONBLOCK);
	if (ioctl(s->fd[slot], SNDRV_PCM_IOCTL_DRAIN))
		r = -errno;
	fcntl(s->fd[slot], F_SETFL, 0);
	return r;
}

static long op_resume(struct mic_state *s, int slot, int unused)
{
	return ioctl(s->fd[slot], SNDRV_PCM_IOCTL_RESUME) ? -errno : 0;
}

static long software(int fd, unsigned int start, unsigned int stop)
{
	struct snd_pcm_sw_params sw = {
		.period_step = 1,
		.avail_min = MIC_PERIOD,
		.start_threshold = start,
		.stop_threshold = stop,
		.proto = SNDRV_PCM_VERSION,
	};

	return ioctl(fd, SNDRV_PCM_IOCTL_SW_PARAMS, &sw) ? -errno : 0;
}

/* A full buffer ends the capture. */
static long op_overrun(struct mic_state *s, int slot, int unused)
{
	return software(s->fd[slot], 1, MIC_BUFFER);
}

/* Writing starts nothing. */
static long op_late(struct mic_state *s, int slot, int unused)
{
	return software(s->fd[slot], 1u << 30, MIC_BUFFER);
}

static struct mic *watched;
static long wanted;

static bool in_state(void *unused)
{
	return mic_call(watched, MIC_STATE, 0, 0) == wanted;
}

static bool reaches(struct mic *mic, long state)
{
	watched = mic;
	wanted = state;
	return harness_wait(in_state, NULL, 10000);
}

static int streams(void)
{
	struct gate_message *list;
	int n = gate_dump(gate, CALLGATE_CMD_STREAM_GET, &list);

	if (n >= 0)
		free(list);
	return n;
}

static uint64_t denied(void)
{
	struct gate_message stats;

	ASSERT_EQ(gate_stats(gate, &stats), 0);
	return stats.denied;
}

static bool idle(void *unused)
{
	return streams() == 0;
}

/* ---- other holders of the file --------------------------------------------------------------------------------- */

TEST(deny_start_after_another_one_dropped_it)
{
	struct mic *victim, *attacker;

	gate = gate_open_bound();
	feed();
	victim = mic_start(ALICE);
	attacker = mic_start(MALLORY);
	allow(victim);
	ASSERT_EQ(mic_ready(victim, 0, MIC_A, MIC_MAP), 0);
	ASSERT_EQ(mic_open(attacker, 0, MIC_A, O_APPEND), 0);
	ASSERT_EQ(mic_call(victim, MIC_START, 0, 0), 0);
	EXPECT_EQ(mic_call(victim, MIC_READ, 0, MIC_PERIOD), MIC_PERIOD);
	/* It may disturb, and gains nothing. */
	EXPECT_EQ(mic_call(attacker, MIC_DROP, 0, 0), 0);
	EXPECT_EQ(mic_call(attacker, MIC_MMAP, 0, 0), -EACCES);
	EXPECT_EQ(mic_call(attacker, MIC_PREPARE, 0, 0), 0);
	EXPECT_EQ(mic_call(attacker, MIC_START, 0, 0), -EACCES);
	EXPECT_EQ(mic_call(attacker, MIC_READ, 0, MIC_PERIOD), -EACCES);
	EXPECT_EQ(streams(), 0);
	EXPECT_EQ(mic_call(victim, MIC_START, 0, 0), 0);
	EXPECT_EQ(mic_call(victim, MIC_READ, 0, MIC_PERIOD), MIC_PERIOD);
	EXPECT_EQ(mic_call(attacker, MIC_READ, 0, MIC_PERIOD), -EACCES);
	EXPECT_EQ(mic_call(attacker, MIC_MMAP, 0, 0), -EACCES);
}

/* Maps while it is allowed to, leaves the mapping to a child, and becomes a program that will be granted. */
TEST(deny_launcher_that_maps_forks_and_execs)
{
	struct mic *app, *keeper;

	gate = gate_open_bound();
	feed();
	app = mic_start(ALICE);
	ASSERT_EQ(mic_ready(app, 0, MIC_A, MIC_MAP), 0);
	ASSERT_EQ(mic_call(app, MIC_MMAP, 0, 0), 0);
	keeper = mic_fork(app);
	ASSERT_EQ(mic_call(app, MIC_EXEC, 0, 0), 0);
	allow(app);
	EXPECT_EQ(mic_call(app, MIC_START, 0, 0), -EACCES);
	EXPECT_EQ(mic_call(app, MIC_READ, 0, MIC_PERIOD), -EACCES);
	EXPECT_EQ(mic_call(keeper, MIC_START, 0, 0), -EACCES);
	/* New parameters cannot be had while it is mapped. */
	EXPECT(mic_call(app, MIC_PARAMS, 0, MIC_MAP) < 0);
	EXPECT_EQ(mic_call(keeper, MIC_MAP_LOUD, 0, 0), 0);
	EXPECT_EQ(streams(), 0);
	mic_end(keeper);
	EXPECT_EQ(mic_call(app, MIC_PARAMS, 0, MIC_MAP), 0);
	EXPECT_EQ(mic_call(app, MIC_PREPARE, 0, 0), 0);
	EXPECT_EQ(mic_call(app, MIC_START, 0, 0), 0);
	EXPECT_EQ(mic_call(app, MIC_READ, 0, MIC_PERIOD), MIC_PERIOD);
}

/* ---- restarts -------------------------------------------------------------------------------------------------- */

TEST(deny_restart_after_xrun)
{
	struct mic *mic;

	gate = gate_open_bound();
	mic = mic_start(ALICE);
	allow(mic);
	ASSERT_EQ(mic_ready(mic, 0, MIC_A, MIC_RW), 0);
	ASSERT_EQ(mic_run(mic, op_overrun, 0, 0), 0);
	ASSERT_EQ(mic_call(mic, MIC_START, 0, 0), 0);
	ASSERT(reaches(mic, (long)SNDRV_PCM_STATE_XRUN));
	EXPECT(harness_wait(idle, NULL, 5000));
	EXPECT_EQ(mic_call(mic, MIC_READ, 0, MIC_PERIOD), -EPIPE);
	ASSERT_EQ(gate_end(gate, SESSION), 0);
	EXPECT_EQ(mic_call(mic, MIC_PREPARE, 0, 0), 0);
	EXPECT_EQ(mic_call(mic, MIC_START, 0, 0), -EACCES);
	EXPECT_EQ(mic_call(mic, MIC_READ, 0, MIC_PERIOD), -EACCES);
	EXPECT_EQ(streams(), 0);
	allow(mic);
	EXPECT_EQ(mic_call(mic, MIC_START, 0, 0), 0);
	EXPECT_EQ(streams(), 1);
}

TEST(deny_restart_after_drain)
{
	struct mic *mic;

	gate = gate_open_bound();
	mic = mic_start(ALICE);
	allow(mic);
	ASSERT_EQ(mic_ready(mic, 0, MIC_A, MIC_RW), 0);
	EXPECT_EQ(mic_call(mic, MIC_READ, 0, MIC_PERIOD), MIC_PERIOD);
	EXPECT_EQ(mic_run(mic, op_poll, 0, 10000), POLLIN);
	mic_run(mic, op_drain, 0, 0);
	EXPECT_EQ(streams(), 0);
	ASSERT_EQ(gate_end(gate, SESSION), 0);
	EXPECT(mic_call(mic, MIC_READ, 0, MIC_PERIOD) < 0);
	mic_call(mic, MIC_DROP, 0, 0);
	EXPECT_EQ(mic_call(mic, MIC_PREPARE, 0, 0), 0);
	EXPECT_EQ(mic_call(mic, MIC_START, 0, 0), -EACCES);
	allow(mic);
	EXPECT_EQ(mic_call(mic, MIC_START, 0, 0), 0);
	EXPECT_EQ(mic_call(mic, MIC_READ, 0, MIC_PERIOD), MIC_PERIOD);
}

/* Draining starts what is prepared; the PCM core does not look at what came of it, but no driver was asked. */
TEST(deny_drain_of_playback_linked_with_capture)
{
	struct mic *mic;
	uint64_t before;

	gate = gate_open_bound();
	mic = mic_start(MALLORY);
	ASSERT_EQ(mic_ready(mic, 0, PLAY, MIC_RW), 0);
	ASSERT_EQ(mic_ready(mic, 1, MIC_B, MIC_RW), 0);
	ASSERT_EQ(mic_run(mic, op_late, 0, 0), 0);
	ASSERT_EQ(mic_call(mic, MIC_LINK, 0, 1), 0);
	EXPECT_EQ(mic_call(mic, MIC_FILL, 0, 0), MIC_BUFFER);
	before = denied();
	mic_run(mic, op_drain, 0, 0);
	EXPECT(denied() > before);
	EXPECT_EQ(mic_call(mic, MIC_STATE, 1, 0), (long)SNDRV_PCM_STATE_PREPARED);
	EXPECT_EQ(streams(), 0);
	EXPECT_EQ(mic_call(mic, MIC_DROP, 0, 0), 0);
	EXPECT_EQ(mic_call(mic, MIC_PREPARE, 0, 0), 0);
	EXPECT_EQ(mic_call(mic, MIC_FILL, 0, 0), MIC_BUFFER);
	allow(mic);
	before = denied();
	mic_run(mic, op_drain, 0, 0);
	EXPECT(reaches(mic, (long)SNDRV_PCM_STATE_SETUP));
	EXPECT_EQ(denied(), before);
}

/* ---- the end of a grant ---------------------------------------------------------------------------------------- */

TEST(wake_a_poll_when_revoked)
{
	struct mic *mic;

	gate = gate_open_bound();
	mic = mic_start(ALICE);
	allow(mic);
	ASSERT_EQ(mic_ready(mic, 0, MIC_A, MIC_RW), 0);
	/* Never full enough: it holds no more than that, and overruns do not end it. */
	ASSERT_EQ(mic_call(mic, MIC_PATIENT, 0, 0), 0);
	ASSERT_EQ(mic_call(mic, MIC_START, 0, 0), 0);
	mic_send_run(mic, op_poll, 0, 30000);
	ASSERT_EQ(gate_end(gate, SESSION), 0);
	EXPECT(mic_result(mic, 15000) & POLLERR);
	EXPECT_EQ(mic_call(mic, MIC_STATE, 0, 0), (long)SNDRV_PCM_STATE_SETUP);
}

TEST(disturb_no_other_ones_capture)
{
	struct mic *first, *second;
	int i;

	gate = gate_open_bound();
	first = mic_start(ALICE);
	second = mic_start(ALICE);
	allow_in(first, SESSION);
	allow_in(second, SESSION + 1);
	ASSERT_EQ(mic_ready(first, 0, MIC_A, MIC_RW), 0);
	ASSERT_EQ(mic_ready(second, 0, MIC_B, MIC_RW), 0);
	ASSERT_EQ(mic_call(first, MIC_START, 0, 0), 0);
	ASSERT_EQ(mic_call(second, MIC_START, 0, 0), 0);
	EXPECT_EQ(streams(), 2);
	ASSERT_EQ(gate_end(gate, SESSION), 0);
	ASSERT(reaches(first, (long)SNDRV_PCM_STATE_SETUP));
	for (i = 0; i < 5; i++)
		EXPECT_EQ(mic_call(second, MIC_READ, 0, MIC_PERIOD), MIC_PERIOD);
	EXPECT_EQ(mic_call(second, MIC_STATE, 0, 0), (long)SNDRV_PCM_STATE_RUNNING);
	EXPECT_EQ(streams(), 1);
}

/* ---- dsnoop ---------------------------------------------------------------------------------------------------- */

static int cgroup;

/* In the granted group, as a user who may use sound. */
static pid_t record(const char *seconds)
{
	struct stat st = {};
	pid_t pid;

	stat("/dev/snd/controlC0", &st);
	pid = fork();
	if (pid)
		return pid;
	if (system("echo $PPID >/sys/fs/cgroup/mics/cgroup.procs") || setgroups(0, NULL) ||
	    setresgid(st.st_gid, st.st_gid, st.st_gid) || setresuid(ALICE, ALICE, ALICE))
		_exit(99);
	setenv("HOME", "/tmp/mics", 1);
	execlp("arecord", "arecord", "-q", "-D", "shared", "-d", seconds, "-f", "S16_LE", "-r",
	       "48000", "-c", "2", "-t", "raw", "/dev/null", NULL);
	_exit(98);
}

/* A program may take longer to start than a grant lasts, so it is given anew meanwhile. */
struct recording {
	struct gate_order order;
	pid_t pid;
	int status;
};

static bool running(void *arg)
{
	struct recording *recording = arg;

	recording->order.deadline = harness_now() + 9900 * 1000000ull;
	ASSERT_EQ(gate_grant(gate, &recording->order, NULL), 0);
	return streams() == 1;
}

static bool ended(void *arg)
{
	struct recording *recording = arg;

	running(recording);
	return waitpid(recording->pid, &recording->status, WNOHANG) == recording->pid;
}

/* The first one reads; a second one needs a mapping of what the first one's grant fills. */
TEST_LIMIT(dsnoop_serves_one_program, 120)
{
	struct recording second = { .order = { .session = SESSION,
					       .has_uid = true,
					       .uid = ALICE,
					       .kinds = CALLGATE_KIND_MICROPHONE } };
	pid_t first;
	int status;

	gate = gate_open_bound();
	if (system("command -v arecord >/dev/null"))
		harness_skip("no arecord");
	ASSERT_EQ(system("mkdir -p /tmp/mics /sys/fs/cgroup/mics && chmod 755 /tmp/mics && "
			 "echo 'pcm.shared { type dsnoop ipc_key 4711 slave { pcm \"hw:0,0,0\" "
			 "rate 48000 channels 2 } }' >/tmp/mics/.asoundrc"),
		  0);
	cgroup = open("/sys/fs/cgroup/mics", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ASSERT(cgroup >= 0);
	second.order.cgroup_fd = cgroup;
	ASSERT(!running(&second));
	first = record("600");
	ASSERT(harness_wait(running, &second, PROGRAM_MS));
	second.pid = record("1");
	ASSERT(harness_wait(ended, &second, PROGRAM_MS));
	EXPECT(WIFEXITED(second.status) && WEXITSTATUS(second.status) == 1);
	/* The first one goes on, and when it has gone another one has the microphone. */
	EXPECT_EQ(waitpid(first, &status, WNOHANG), 0);
	EXPECT_EQ(streams(), 1);
	kill(first, SIGTERM);
	ASSERT_EQ(waitpid(first, &status, 0), first);
	EXPECT(harness_wait(idle, NULL, 10000));
	second.pid = record("1");
	ASSERT(harness_wait(ended, &second, PROGRAM_MS));
	EXPECT(WIFEXITED(second.status) && WEXITSTATUS(second.status) == 0);
}

/* ---- before the gate ------------------------------------------------------------------------------------------- */

static bool unloaded(void *unused)
{
	return syscall(SYS_delete_module, "callgate", O_NONBLOCK) == 0 || errno == ENOENT;
}

static void load(const char *parameters)
{
	char command[200];

	snprintf(command, sizeof(command),
		 ". /run/rig/config && insmod /callgate/$BUILD/module/$(uname -r)/callgate.ko %s",
		 parameters);
	ASSERT_EQ(system(command), 0);
}

TEST(permissive_capture_from_before_loading_ends_with_the_mode)
{
	struct mic *mic = mic_start(ALICE);
	uint8_t mode;

	ASSERT(harness_wait(unloaded, NULL, 10000));
	ASSERT_EQ(mic_ready(mic, 0, MIC_A, MIC_MAP), 0);
	ASSERT_EQ(mic_call(mic, MIC_PATIENT, 0, 0), 0);
	ASSERT_EQ(mic_call(mic, MIC_MMAP, 0, 0), 0);
	ASSERT_EQ(mic_call(mic, MIC_START, 0, 0), 0);
	load("permissive=1");
	gate = gate_open_bound();
	EXPECT_EQ(mic_call(mic, MIC_STATE, 0, 0), (long)SNDRV_PCM_STATE_RUNNING);
	ASSERT_EQ(gate_mode(gate, CALLGATE_MODE_ENFORCING, &mode), 0);
	EXPECT(reaches(mic, (long)SNDRV_PCM_STATE_SETUP));
	EXPECT_EQ(mic_call(mic, MIC_PREPARE, 0, 0), 0);
	EXPECT_EQ(mic_call(mic, MIC_START, 0, 0), -EACCES);
	ASSERT_EQ(mic_call(mic, MIC_CLOSE, 0, 0), 0);
	gate_close(gate);
	ASSERT(harness_wait(unloaded, NULL, 10000));
	load("");
}

/*
 * Suspends the devices, and resumes them after some seconds. Last, because a
 * folder that the machine shares with its host does not survive that.
 */
TEST(deny_resume_after_suspend)
{
	struct mic *mic = mic_start(ALICE), *other = mic_start(ALICE);

	gate = gate_open_bound();
	if (access("/sys/power/pm_test", W_OK))
		harness_skip("this kernel cannot test suspending");
	allow_in(mic, SESSION);
	allow_in(other, SESSION + 1);
	ASSERT_EQ(mic_ready(mic, 0, MIC_A, MIC_RW), 0);
	ASSERT_EQ(mic_ready(other, 0, MIC_B, MIC_RW), 0);
	ASSERT_EQ(mic_call(mic, MIC_START, 0, 0), 0);
	ASSERT_EQ(mic_call(other, MIC_START, 0, 0), 0);
	if (system("echo devices >/sys/power/pm_test && echo freeze >/sys/power/state"))
		harness_skip("this machine does not suspend");
	ASSERT_EQ(mic_call(mic, MIC_STATE, 0, 0), (long)SNDRV_PCM_STATE_SUSPENDED);
	EXPECT_EQ(streams(), 0);
	gate_revoke(gate, 0, SESSION);
	allow_in(other, SESSION + 1);
	EXPECT_EQ(mic_run(mic, op_resume, 0, 0), -EACCES);
	EXPECT_EQ(mic_call(mic, MIC_STATE, 0, 0), (long)SNDRV_PCM_STATE_SUSPENDED);
	EXPECT_EQ(mic_run(other, op_resume, 0, 0), 0);
	EXPECT_EQ(mic_call(other, MIC_STATE, 0, 0), (long)SNDRV_PCM_STATE_RUNNING);
	EXPECT_EQ(streams(), 1);
}

int main(int argc, char **argv)
{
	harness_leave_shares(argv);
	mic_main(argc, argv);
	return harness_main(argc, argv);
}
