// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Microphones that come and go, the module that comes and goes, and drivers
 * that work differently: snd-dummy with a copy operation of its own, and the
 * OSS emulation. Acts as the controller, runs as root in the virtual machine.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sound/asound.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gate.h"
#include "harness.h"
#include "microphone.h"

#define MIC	"pcmC0D0c/0"
#define PLAY	"pcmC0D1p/0"
#define DUMMY	"pcmC1D0c/0"
#define ALICE	1000
#define SESSION 9

static struct gate *gate;

static void allow(struct mic *mic, unsigned int ms)
{
	ASSERT_EQ(gate_allow(gate, mic->pid, SESSION, CALLGATE_KIND_MICROPHONE, ms), 0);
}

static int unload(void)
{
	return syscall(SYS_delete_module, "callgate", O_NONBLOCK) ? -errno : 0;
}

static bool unloaded(void *unused)
{
	int r = unload();

	return r == 0 || r == -ENOENT;
}

static void load(void)
{
	ASSERT_EQ(system(". /run/rig/config && insmod "
			 "/callgate/$BUILD/module/$(uname -r)/callgate.ko"),
		  0);
}

static void name_nodes(void)
{
	ASSERT_EQ(system("tests/vm/guest/devices"), 0);
}

/* ---- the module ------------------------------------------------------------------------------------------------ */

TEST(deny_unloading_while_a_capture_is_open)
{
	struct mic *mic = mic_start(ALICE);

	gate = gate_open_bound();
	ASSERT_EQ(mic_open(mic, 0, MIC, 0), 0);
	EXPECT(unload() < 0);
	EXPECT_EQ(gate_detach(gate), -EBUSY);
	ASSERT_EQ(mic_call(mic, MIC_CLOSE, 0, 0), 0);
	EXPECT_EQ(gate_detach(gate), 0);
	gate_close(gate);
	ASSERT(harness_wait(unloaded, NULL, 10000));
	/* And nothing of it is left: the microphone works, ungated. */
	ASSERT_EQ(mic_ready(mic, 0, MIC, MIC_RW), 0);
	EXPECT_EQ(mic_call(mic, MIC_READ, 0, MIC_PERIOD), MIC_PERIOD);
	ASSERT_EQ(mic_call(mic, MIC_CLOSE, 0, 0), 0);
	load();
	ASSERT_EQ(mic_ready(mic, 0, MIC, MIC_RW), 0);
	EXPECT_EQ(mic_call(mic, MIC_READ, 0, MIC_PERIOD), -EACCES);
}

TEST(playback_goes_on_while_the_module_comes_and_goes)
{
	struct mic *play = mic_start(ALICE), *mic = mic_start(ALICE);
	int i;

	ASSERT_EQ(mic_ready(play, 0, PLAY, MIC_RW), 0);
	mic_send(play, MIC_PLAY, 0, 0);
	for (i = 0; i < 3; i++) {
		ASSERT(harness_wait(unloaded, NULL, 10000));
		EXPECT_EQ(mic_result(play, 200), MIC_BUSY);
		load();
		EXPECT_EQ(mic_result(play, 200), MIC_BUSY);
	}
	gate = gate_open_bound();
	ASSERT_EQ(mic_ready(mic, 0, MIC, MIC_RW), 0);
	EXPECT_EQ(mic_call(mic, MIC_READ, 0, MIC_PERIOD), -EACCES);
	allow(mic, 9000);
	EXPECT_EQ(mic_call(mic, MIC_READ, 0, MIC_PERIOD), MIC_PERIOD);
}

TEST(capture_that_ran_before_loading_is_stopped)
{
	struct mic *mic = mic_start(ALICE);

	ASSERT(harness_wait(unloaded, NULL, 10000));
	ASSERT_EQ(mic_ready(mic, 0, MIC, MIC_MAP), 0);
	/* No overrun, however long loading takes. */
	ASSERT_EQ(mic_call(mic, MIC_PATIENT, 0, 0), 0);
	ASSERT_EQ(mic_call(mic, MIC_MMAP, 0, 0), 0);
	ASSERT_EQ(mic_call(mic, MIC_START, 0, 0), 0);
	load();
	gate = gate_open_bound();
	EXPECT_EQ(mic_call(mic, MIC_STATE, 0, 0), (long)SNDRV_PCM_STATE_SETUP);
	EXPECT(unload() < 0);
	EXPECT_EQ(mic_call(mic, MIC_PREPARE, 0, 0), 0);
	EXPECT_EQ(mic_call(mic, MIC_START, 0, 0), -EACCES);
	/* Nobody saw who mapped it. */
	allow(mic, 9000);
	EXPECT_EQ(mic_call(mic, MIC_START, 0, 0), -EACCES);
	EXPECT_EQ(mic_call(mic, MIC_MUNMAP, 0, 0), 0);
	EXPECT_EQ(mic_call(mic, MIC_PARAMS, 0, MIC_MAP), 0);
	EXPECT_EQ(mic_call(mic, MIC_PREPARE, 0, 0), 0);
	EXPECT_EQ(mic_call(mic, MIC_START, 0, 0), 0);
	ASSERT_EQ(mic_call(mic, MIC_CLOSE, 0, 0), 0);
	gate_close(gate);
	EXPECT(harness_wait(unloaded, NULL, 10000));
	load();
}

/* ---- devices --------------------------------------------------------------------------------------------------- */

#define ALOOP "/sys/bus/platform/drivers/snd_aloop/"

/* Returns when the card's last file is closed: so it is another process that waits. */
static pid_t pull(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(system("echo snd_aloop.0 >" ALOOP "unbind") != 0);
	return pid;
}

static bool is_out_of_list(void *unused)
{
	return !gate_device(gate, MIC);
}

/* Afterwards the program has nothing, nothing hangs, and a new card is gated. */
static void expect_gone(struct mic *mic, pid_t puller)
{
	int status;

	EXPECT(harness_wait(is_out_of_list, NULL, 10000));
	EXPECT(mic_call(mic, MIC_START, 0, 0) < 0);
	EXPECT(mic_call(mic, MIC_READ, 0, MIC_PERIOD) < 0);
	EXPECT_EQ(mic_call(mic, MIC_CLOSE, 0, 0), 0);
	ASSERT_EQ(waitpid(puller, &status, 0), puller);
	EXPECT_EQ(status, 0);
	EXPECT_EQ(gate_device(gate, MIC), 0);
	ASSERT_EQ(system("echo snd_aloop.0 >" ALOOP "bind"), 0);
	name_nodes();
	/* A test without a grant has nothing to take back. */
	gate_revoke(gate, 0, SESSION);
	ASSERT_EQ(mic_ready(mic, 0, MIC, MIC_RW), 0);
	EXPECT_EQ(mic_call(mic, MIC_READ, 0, MIC_PERIOD), -EACCES);
	allow(mic, 9000);
	EXPECT_EQ(mic_call(mic, MIC_READ, 0, MIC_PERIOD), MIC_PERIOD);
	EXPECT_EQ(mic_call(mic, MIC_CLOSE, 0, 0), 0);
	gate_revoke(gate, 0, SESSION);
}

TEST(unplugged_while_it_captures)
{
	struct gate_message event;
	struct mic *mic = mic_start(ALICE);
	uint32_t before;
	pid_t puller;

	gate = gate_open_bound();
	before = gate_device(gate, MIC);
	allow(mic, 9000);
	ASSERT_EQ(mic_ready(mic, 0, MIC, MIC_MAP), 0);
	ASSERT_EQ(mic_call(mic, MIC_MMAP, 0, 0), 0);
	ASSERT_EQ(mic_call(mic, MIC_START, 0, 0), 0);
	puller = pull();
	ASSERT(gate_wait(gate, CALLGATE_CMD_STREAM_STOPPED_EVENT, 10000, &event));
	EXPECT_EQ(event.reason, CALLGATE_REASON_REMOVED);
	EXPECT(gate_wait(gate, CALLGATE_CMD_DEVICE_REMOVED_EVENT, 10000, &event));
	expect_gone(mic, puller);
	EXPECT(gate_device(gate, MIC) > before);
}

TEST(unplugged_while_denied)
{
	struct mic *mic = mic_start(ALICE);

	gate = gate_open_bound();
	ASSERT_EQ(mic_ready(mic, 0, MIC, MIC_MAP), 0);
	EXPECT_EQ(mic_call(mic, MIC_MMAP, 0, 0), 0);
	EXPECT_EQ(mic_call(mic, MIC_START, 0, 0), -EACCES);
	expect_gone(mic, pull());
}

TEST(unplugged_while_a_read_waits)
{
	struct mic *mic = mic_start(ALICE);
	pid_t puller;

	gate = gate_open_bound();
	allow(mic, 9000);
	ASSERT_EQ(mic_ready(mic, 0, MIC, MIC_RW), 0);
	ASSERT_EQ(mic_call(mic, MIC_PATIENT, 0, 0), 0);
	ASSERT_EQ(mic_call(mic, MIC_START, 0, 0), 0);
	mic_send(mic, MIC_READ, 0, MIC_BUFFER);
	puller = pull();
	EXPECT(mic_result(mic, 10000) != MIC_BUSY);
	expect_gone(mic, puller);
}

/* Each time the two meet a little later. */
TEST_LIMIT(unplugged_while_revoking, 180)
{
	struct mic *mic = mic_start(ALICE);
	pid_t puller;
	int i;

	gate = gate_open_bound();
	for (i = 0; i < 4; i++) {
		allow(mic, 9000);
		ASSERT_EQ(mic_ready(mic, 0, MIC, MIC_RW), 0);
		EXPECT_EQ(mic_call(mic, MIC_READ, 0, MIC_PERIOD), MIC_PERIOD);
		mic_send(mic, MIC_READ, 0, MIC_PERIOD);
		EXPECT_EQ(gate_end(gate, SESSION), 0);
		usleep(i * 700);
		puller = pull();
		EXPECT(mic_result(mic, 10000) != MIC_BUSY);
		expect_gone(mic, puller);
	}
}

/* A driver whose copy operation gives out nothing, and whose buffer the PCM core does not clear. */
TEST(hot_plugged_driver_with_a_copy_operation)
{
	struct gate_message event;
	struct mic *mic = mic_start(ALICE);

	gate = gate_open_bound();
	gate_forget(gate);
	if (system("modprobe snd-dummy model=dummy pcm_devs=1 pcm_substreams=2"))
		harness_skip("snd-dummy does not load");
	name_nodes();
	EXPECT(gate_wait(gate, CALLGATE_CMD_DEVICE_ADDED_EVENT, 3000, &event));
	ASSERT(gate_device(gate, DUMMY) != 0);
	ASSERT_EQ(mic_ready(mic, 0, DUMMY, MIC_RW), 0);
	EXPECT_EQ(mic_call(mic, MIC_READ, 0, MIC_PERIOD), -EACCES);
	EXPECT(system("rmmod snd-dummy 2>/dev/null") != 0);
	allow(mic, 9000);
	EXPECT_EQ(mic_call(mic, MIC_READ, 0, MIC_PERIOD), MIC_PERIOD);
	ASSERT_EQ(mic_call(mic, MIC_CLOSE, 0, 0), 0);
	EXPECT_EQ(system("rmmod snd-dummy"), 0);
	EXPECT(gate_wait(gate, CALLGATE_CMD_DEVICE_REMOVED_EVENT, 3000, &event));
}

/*
 * HDA starts a whole group from its first member and never calls the others.
 * Needs such a card: tests/vm/run --qemu '-device intel-hda -device hda-duplex'.
 */
TEST(deny_group_started_by_the_driver_from_its_playback_member)
{
	struct gate_message event;
	struct mic *mic = mic_start(ALICE);

	if (system("grep -qs ^0x0403 /sys/bus/pci/devices/*/class"))
		harness_skip("this machine has no HDA card");
	gate = gate_open_bound();
	if (system("modprobe -q -a snd-hda-codec-generic snd-hda-intel"))
		harness_skip("this kernel has no driver for HDA cards");
	ASSERT(gate_wait(gate, CALLGATE_CMD_DEVICE_ADDED_EVENT, 60000, &event));
	name_nodes();
	ASSERT_EQ(mic_ready(mic, 0, "pcmC1D0p/0", MIC_STEREO), 0);
	ASSERT_EQ(mic_ready(mic, 1, DUMMY, MIC_STEREO), 0);
	/* What is linked to goes first. */
	ASSERT_EQ(mic_call(mic, MIC_LINK, 1, 0), 0);
	mic_call(mic, MIC_FILL, 0, 0);
	EXPECT_EQ(mic_call(mic, MIC_START, 0, 0), -EACCES);
	EXPECT_EQ(mic_call(mic, MIC_STATE, 1, 0), (long)SNDRV_PCM_STATE_PREPARED);
	allow(mic, 9000);
	EXPECT_EQ(mic_call(mic, MIC_START, 0, 0), 0);
	EXPECT_EQ(mic_call(mic, MIC_STATE, 1, 0), (long)SNDRV_PCM_STATE_RUNNING);
	ASSERT(gate_wait(gate, CALLGATE_CMD_STREAM_STARTED_EVENT, 3000, &event));
	EXPECT_EQ(event.device, gate_device(gate, DUMMY));
	EXPECT_EQ(mic_call(mic, MIC_DROP, 0, 0), 0);
	EXPECT(gate_wait(gate, CALLGATE_CMD_STREAM_STOPPED_EVENT, 3000, &event));
}

/* The last one: the emulation cannot be unloaded while it has devices. */
TEST(oss_emulation_is_gated)
{
	struct mic *mic = mic_start(ALICE);

	if (system("modprobe snd-pcm-oss 2>/dev/null") || access("/dev/dsp", F_OK))
		harness_skip("this kernel has no OSS emulation");
	ASSERT_EQ(system("chmod 666 /dev/dsp"), 0);
	gate = gate_open_bound();
	ASSERT_EQ(mic_open(mic, 0, "/dev/dsp", 0), 0);
	EXPECT(mic_call(mic, MIC_DSP_READ, 0, 1024) < 0);
	ASSERT_EQ(mic_call(mic, MIC_CLOSE, 0, 0), 0);
	allow(mic, 9000);
	ASSERT_EQ(mic_open(mic, 0, "/dev/dsp", 0), 0);
	EXPECT_EQ(mic_call(mic, MIC_DSP_READ, 0, 1024), 1024);
}

int main(int argc, char **argv)
{
	mic_main(argc, argv);
	return harness_main(argc, argv);
}
