// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Compressed capture: tests/driver/gatecompr.c, built for the kernel under test. Acts as the controller, runs as root in the virtual machine.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/types.h>
#include <sound/compress_offload.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "gate.h"
#include "harness.h"
#include "microphone.h"

#define ALICE	   1000
#define SESSION	   6
#define LOUD	   0x5a
#define PLATFORM   "/sys/bus/platform/drivers/gatecompr/"
#define PARAMETERS "/sys/module/gatecompr/parameters/"

static struct gate *gate;
static int card;

/* ---- what a program does --------------------------------------------------------------------------------------- */

static long result(int r)
{
	return r < 0 ? -errno : r;
}

/* @a: 0 to capture, 1 to play. With its parameters, so that it only has to be started. */
static long op_open(struct mic_state *s, int slot, int a)
{
	struct snd_compr_params params = {
		.buffer = { .fragment_size = 1024, .fragments = 4 },
		.codec = { .id = SND_AUDIOCODEC_PCM, .ch_in = 1, .ch_out = 1, .sample_rate = 8000 },
	};
	char path[64];

	snprintf(path, sizeof(path), "/dev/snd/comprC%dD%d", card, a);
	s->fd[slot] = open(path, (a ? O_WRONLY : O_RDONLY) | O_CLOEXEC);
	if (s->fd[slot] < 0)
		return -errno;
	return result(ioctl(s->fd[slot], SNDRV_COMPRESS_SET_PARAMS, &params));
}

static long op_start(struct mic_state *s, int slot, int a)
{
	return result(ioctl(s->fd[slot], SNDRV_COMPRESS_START));
}

static long op_pause(struct mic_state *s, int slot, int a)
{
	return result(ioctl(s->fd[slot], a ? SNDRV_COMPRESS_PAUSE : SNDRV_COMPRESS_RESUME));
}

static long op_stop(struct mic_state *s, int slot, int a)
{
	return result(ioctl(s->fd[slot], SNDRV_COMPRESS_STOP));
}

/* How many bytes of sound; waits for some. */
static long op_read(struct mic_state *s, int slot, int a)
{
	uint64_t until = harness_now() + 5000000000ull;
	unsigned char data[512];
	long n, i, loud = 0;

	do {
		memset(data, 0, sizeof(data));
		n = result(read(s->fd[slot], data, sizeof(data)));
	} while (n == 0 && harness_now() < until);
	for (i = 0; i < n; i++)
		loud += data[i] == LOUD;
	return n < 0 ? n : loud;
}

static long op_write(struct mic_state *s, int slot, int a)
{
	char data[512] = "";

	return result(write(s->fd[slot], data, sizeof(data)));
}

/* ---- the tests' ground ----------------------------------------------------------------------------------------- */

static const char *node(void)
{
	static char name[32];

	snprintf(name, sizeof(name), "comprC%dD0", card);
	return name;
}

static void begin(void)
{
	char link[32] = "", command[64];

	if (access("/proc/asound/GateCompr", F_OK)) {
		if (system("modprobe snd-compress"))
			harness_skip("this kernel has no compressed sound");
		ASSERT_EQ(system(". /run/rig/config && insmod "
				 "/callgate/$BUILD/driver/$(uname -r)/gatecompr.ko"),
			  0);
	}
	ASSERT(readlink("/proc/asound/GateCompr", link, sizeof(link) - 1) > 4);
	card = atoi(link + 4);
	snprintf(command, sizeof(command), "chmod 666 /dev/snd/comprC%d*", card);
	ASSERT_EQ(system(command), 0);
	gate = gate_open_bound();
}

static struct mic *program(void)
{
	struct mic *mic = mic_start(ALICE);

	ASSERT_EQ(mic_run(mic, op_open, 0, 0), 0);
	return mic;
}

static void allow(struct mic *mic, unsigned int ms)
{
	ASSERT_EQ(gate_allow(gate, mic->pid, SESSION, CALLGATE_KIND_MICROPHONE, ms), 0);
}

static void revoke_all(void)
{
	ASSERT_EQ(gate_revoke(gate, 0, SESSION), 0);
}

static bool is_still(void *unused)
{
	int fd = open(PARAMETERS "running", O_RDONLY | O_CLOEXEC);
	char c = '?';

	ASSERT(fd >= 0 && read(fd, &c, 1) == 1);
	close(fd);
	return c == '0';
}

static int unload(void)
{
	return syscall(SYS_delete_module, "callgate", O_NONBLOCK) ? -errno : 0;
}

static bool unloaded(void *unused)
{
	return unload() == 0;
}

static void load(const char *flavour)
{
	char command[128];

	snprintf(command, sizeof(command),
		 ". /run/rig/config && insmod /callgate/$BUILD/%s/$(uname -r)/callgate.ko",
		 flavour);
	ASSERT_EQ(system(command), 0);
}

/* ---- the tests ------------------------------------------------------------------------------------------------- */

TEST(deny_without_grant_and_allow_with_one)
{
	struct mic *mic;

	begin();
	mic = program();
	EXPECT(gate_device(gate, node()) != 0);
	EXPECT_EQ(mic_run(mic, op_start, 0, 0), -EACCES);
	EXPECT_EQ(mic_run(mic, op_read, 0, 0), -EACCES);
	EXPECT(is_still(NULL));
	allow(mic, 9900);
	EXPECT_EQ(mic_run(mic, op_start, 0, 0), 0);
	EXPECT(mic_run(mic, op_read, 0, 0) > 0);
	EXPECT_EQ(mic_run(mic, op_stop, 0, 0), 0);
	EXPECT(is_still(NULL));
}

TEST(deny_with_grant_for_the_camera)
{
	struct mic *mic;

	begin();
	mic = program();
	ASSERT_EQ(gate_allow(gate, mic->pid, SESSION, CALLGATE_KIND_CAMERA, 9900), 0);
	EXPECT_EQ(mic_run(mic, op_start, 0, 0), -EACCES);
}

TEST(stop_when_revoked)
{
	struct mic *mic;

	begin();
	mic = program();
	allow(mic, 9900);
	ASSERT_EQ(mic_run(mic, op_start, 0, 0), 0);
	ASSERT(mic_run(mic, op_read, 0, 0) > 0);
	revoke_all();
	EXPECT(harness_wait(is_still, NULL, 10000));
	EXPECT_EQ(mic_run(mic, op_read, 0, 0), -EACCES);
	EXPECT_EQ(mic_run(mic, op_start, 0, 0), -EACCES);
	allow(mic, 9900);
	EXPECT_EQ(mic_run(mic, op_start, 0, 0), 0);
	EXPECT(mic_run(mic, op_read, 0, 0) > 0);
}

TEST(stop_with_the_deadline)
{
	struct mic *mic;

	begin();
	mic = program();
	allow(mic, 1500);
	ASSERT_EQ(mic_run(mic, op_start, 0, 0), 0);
	EXPECT(!is_still(NULL));
	EXPECT(harness_wait(is_still, NULL, 20000));
}

TEST(deny_resume_after_the_grant_ended)
{
	struct mic *mic;

	begin();
	mic = program();
	allow(mic, 9900);
	ASSERT_EQ(mic_run(mic, op_start, 0, 0), 0);
	EXPECT_EQ(mic_run(mic, op_pause, 0, 1), 0);
	EXPECT_EQ(mic_run(mic, op_pause, 0, 0), 0);
	EXPECT_EQ(mic_run(mic, op_pause, 0, 1), 0);
	revoke_all();
	EXPECT_EQ(mic_run(mic, op_pause, 0, 0), -EACCES);
	EXPECT(is_still(NULL));
}

/* Neither to read from nor to stop. */
TEST(deny_whom_the_file_was_passed_to)
{
	struct mic *mic, *other;

	begin();
	mic = program();
	other = mic_start(ALICE);
	allow(mic, 9900);
	ASSERT_EQ(mic_run(mic, op_start, 0, 0), 0);
	ASSERT_EQ(mic_give(mic, 0, other, 0), 0);
	EXPECT_EQ(mic_run(other, op_read, 0, 0), -EACCES);
	EXPECT(!is_still(NULL));
	EXPECT(mic_run(mic, op_read, 0, 0) > 0);
	EXPECT_EQ(mic_run(mic, op_stop, 0, 0), 0);
	EXPECT_EQ(mic_run(other, op_start, 0, 0), -EACCES);
	EXPECT_EQ(mic_run(mic, op_start, 0, 0), 0);
}

TEST(leave_playback_alone)
{
	struct mic *mic;

	begin();
	mic = mic_start(ALICE);
	ASSERT_EQ(mic_run(mic, op_open, 0, 1), 0);
	EXPECT_EQ(mic_run(mic, op_write, 0, 0), 512);
	EXPECT_EQ(mic_run(mic, op_start, 0, 0), 0);
}

/* A revocation and the close meet in one order or the other. */
TEST(revoke_while_it_is_closed)
{
	struct mic *mic;
	int i;

	begin();
	mic = mic_start(ALICE);
	for (i = 0; i < 30; i++) {
		ASSERT_EQ(mic_run(mic, op_open, 0, 0), 0);
		allow(mic, 9900);
		ASSERT_EQ(mic_run(mic, op_start, 0, 0), 0);
		mic_send(mic, MIC_CLOSE, 0, 0);
		revoke_all();
		ASSERT_EQ(mic_result(mic, 10000), 0);
		EXPECT(is_still(NULL));
	}
}

TEST(capture_that_ran_before_loading_is_stopped)
{
	struct mic *mic, *idle;

	begin();
	gate_close(gate);
	ASSERT(harness_wait(unloaded, NULL, 10000));
	mic = program();
	idle = program();
	ASSERT_EQ(mic_run(mic, op_start, 0, 0), 0);
	EXPECT(mic_run(mic, op_read, 0, 0) > 0);
	load("module");
	begin();
	EXPECT_EQ(mic_run(mic, op_read, 0, 0), -EACCES);
	EXPECT(is_still(NULL));
	EXPECT_EQ(mic_run(idle, op_start, 0, 0), -EACCES);
	allow(mic, 9900);
	EXPECT_EQ(mic_run(mic, op_start, 0, 0), 0);
	EXPECT(mic_run(mic, op_read, 0, 0) > 0);
	EXPECT_EQ(unload(), -EWOULDBLOCK);
	revoke_all();
	EXPECT(harness_wait(is_still, NULL, 10000));
}

TEST(device_that_comes_again_is_gated)
{
	struct gate_message event;
	struct mic *mic;

	begin();
	gate_forget(gate);
	ASSERT_EQ(system("echo gatecompr.0 >" PLATFORM "unbind"), 0);
	EXPECT(gate_wait(gate, CALLGATE_CMD_DEVICE_REMOVED_EVENT, 10000, &event));
	ASSERT_EQ(system("echo gatecompr.0 >" PLATFORM "bind"), 0);
	gate_close(gate);
	begin();
	mic = program();
	EXPECT_EQ(mic_run(mic, op_start, 0, 0), -EACCES);
	allow(mic, 9900);
	EXPECT_EQ(mic_run(mic, op_start, 0, 0), 0);
}

/* Last: what stays closed keeps the module for ever. */
TEST(device_that_comes_without_memory_stays_closed)
{
	struct mic *mic;

	begin();
	gate_close(gate);
	if (system(". /run/rig/config && "
		   "test -e /callgate/$BUILD/module-test/$(uname -r)/callgate.ko"))
		harness_skip("no test module for this kernel; 'make module-test' builds one");
	ASSERT(harness_wait(unloaded, NULL, 10000));
	load("module-test");
	begin();
	ASSERT_EQ(system("echo gatecompr.0 >" PLATFORM "unbind"), 0);
	ASSERT_EQ(system("echo 1 >/sys/module/callgate/parameters/test_no_memory"), 0);
	ASSERT_EQ(system("echo gatecompr.0 >" PLATFORM "bind"), 0);
	ASSERT_EQ(system("echo 0 >/sys/module/callgate/parameters/test_no_memory"), 0);
	gate_close(gate);
	begin();
	mic = mic_start(ALICE);
	allow(mic, 9900);
	EXPECT_EQ(mic_run(mic, op_open, 0, 0), -EACCES);
	EXPECT_EQ(mic_run(mic, op_open, 0, 1), 0);
	EXPECT_EQ(gate_detach(gate), -EBUSY);
}

int main(int argc, char **argv)
{
	mic_main(argc, argv);
	return harness_main(argc, argv);
}
