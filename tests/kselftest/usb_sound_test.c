// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The gate on a real USB driver: snd-usb-audio, with a microphone that is a
 * process. Denied and allowed, then pulled out, unbound or detached at each moment.
 */
#include <errno.h>
#include <fcntl.h>
#include <sound/asound.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gate.h"
#include "harness.h"
#include "microphone.h"
#include "usbfs.h"
#include "usbip.h"

#define USER	1000
#define SESSION 7
#define CONTROL 2
#define STREAM	3
#define SOUND	"snd-usb-audio"

static struct gate *gate;
static struct usbip *dev;
/* "pcmC1D0c/0" */
static char where[80];

static void plug(void)
{
	char node[64];

	if (system("modprobe -a uvcvideo " SOUND))
		harness_skip("no uvcvideo or " SOUND);
	if (!gate)
		gate = gate_open_bound();
	if (!dev)
		dev = usbip_plug(USBIP_CAMERA | USBIP_MICROPHONE);
	ASSERT(dev && usbip_wait_driver(dev, STREAM, SOUND));
	ASSERT(usbip_sound(dev, node, sizeof(node)));
	ASSERT_EQ(system("chmod 666 /dev/snd/*"), 0);
	snprintf(where, sizeof(where), "%s/0", strrchr(node, '/') + 1);
}

static void allow(const struct mic *mic)
{
	ASSERT_EQ(gate_allow(gate, mic->pid, SESSION, CALLGATE_KIND_MICROPHONE, 9900), 0);
}

/* A program that is ready to read, and does not wait: a whole period takes longer than the PCM core waits on a debug kernel. */
static struct mic *open_microphone(void)
{
	struct mic *mic = mic_start(USER);

	ASSERT_EQ(mic_open(mic, 0, where, O_NONBLOCK), 0);
	ASSERT_EQ(mic_call(mic, MIC_PARAMS, 0, MIC_RW), 0);
	ASSERT_EQ(mic_call(mic, MIC_PREPARE, 0, 0), 0);
	return mic;
}

static bool hears(void *arg)
{
	struct mic *mic = arg;
	long n = mic_call(mic, MIC_READ, 0, MIC_PERIOD);

	return n > 0 && mic_call(mic, MIC_LOUD, 0, 0) == n;
}

static bool hears_in_map(void *mic)
{
	return mic_call(mic, MIC_MAP_LOUD, 0, 0) > MIC_PERIOD;
}

static bool is_stopped(void *mic)
{
	return mic_call(mic, MIC_STATE, 0, 0) == SNDRV_PCM_STATE_SETUP;
}

static long keep_map(struct mic_state *s, int slot, int a)
{
	memcpy(s->data, s->map[slot], MIC_BUFFER * sizeof(s->data[0]));
	return 0;
}

static long is_map_other(struct mic_state *s, int slot, int a)
{
	return memcmp(s->data, s->map[slot], MIC_BUFFER * sizeof(s->data[0])) != 0;
}

/* The sound repeats itself, but not in step with the buffer. */
static bool map_changes(void *mic)
{
	return mic_run(mic, is_map_other, 0, 0) == 1;
}

/* ---- denied and allowed ---------------------------------------------------------------------------------------- */

TEST(deny_and_allow_reading)
{
	struct mic *mic;

	plug();
	mic = open_microphone();
	EXPECT_EQ(mic_call(mic, MIC_READ, 0, MIC_PERIOD), -EACCES);
	EXPECT_EQ(mic_call(mic, MIC_START, 0, 0), -EACCES);

	allow(mic);
	EXPECT(harness_wait(hears, mic, 10000));

	ASSERT_EQ(gate_end(gate, SESSION), 0);
	/* The check comes at once, the stop soon after it. */
	EXPECT(mic_call(mic, MIC_READ, 0, MIC_PERIOD) < 0);
	EXPECT(harness_wait(is_stopped, mic, 5000));
	EXPECT_EQ(mic_call(mic, MIC_PREPARE, 0, 0), 0);
	EXPECT_EQ(mic_call(mic, MIC_READ, 0, MIC_PERIOD), -EACCES);
}

/* Its buffer is the driver's own, into which it copies what came in packets. */
TEST(deny_and_allow_a_mapping)
{
	struct mic *mic;

	plug();
	mic = mic_start(USER);
	ASSERT_EQ(mic_ready(mic, 0, where, MIC_MAP), 0);
	ASSERT_EQ(mic_call(mic, MIC_MMAP, 0, 0), 0);
	EXPECT_EQ(mic_call(mic, MIC_START, 0, 0), -EACCES);
	EXPECT_EQ(mic_call(mic, MIC_MAP_LOUD, 0, 0), 0);

	allow(mic);
	ASSERT_EQ(mic_call(mic, MIC_START, 0, 0), 0);
	EXPECT(harness_wait(hears_in_map, mic, 10000));
	ASSERT_EQ(mic_run(mic, keep_map, 0, 0), 0);
	EXPECT(harness_wait(map_changes, mic, 10000));

	ASSERT_EQ(gate_end(gate, SESSION), 0);
	EXPECT(harness_wait(is_stopped, mic, 5000));
	ASSERT_EQ(mic_run(mic, keep_map, 0, 0), 0);
	EXPECT(!harness_wait(map_changes, mic, 300));
	EXPECT_EQ(mic_call(mic, MIC_PREPARE, 0, 0), 0);
	EXPECT_EQ(mic_call(mic, MIC_START, 0, 0), -EACCES);
}

/* ---- gone at each moment --------------------------------------------------------------------------------------- */

static void pull(void)
{
	usbip_pull(dev);
}

static void unbind_driver(void)
{
	char name[64];

	snprintf(name, sizeof(name), "%s:1.%d", dev->name, CONTROL);
	EXPECT_EQ(usbip_write(dev, CONTROL, "driver/unbind", name), 0);
}

static long detach_and_claim(void)
{
	long r = usbfs_detach(CONTROL);

	return r ?: usbfs_detach_claim(STREAM);
}

/* Whose node it is takes it from its driver, and does not get it. */
static void detach(void)
{
	long r = usbfs_as_user(dev, detach_and_claim);

	EXPECT(r == -ENODEV || r == -EBUSY);
}

/* What was open is dead, and nothing hangs. A detached one comes back by itself, the others are plugged in anew. */
static void expect_gone(struct mic *mic, void (*go)(void))
{
	long n;

	do
		n = mic_call(mic, MIC_READ, 0, MIC_PERIOD);
	while (n > 0 || n == -EAGAIN);
	EXPECT(n < 0);
	EXPECT_EQ(mic_call(mic, MIC_CLOSE, 0, 0), 0);
	mic_end(mic);
	if (go != detach) {
		EXPECT(usbip_unplug(dev));
		dev = NULL;
	}
	plug();
	mic = open_microphone();
	EXPECT_EQ(mic_call(mic, MIC_READ, 0, MIC_PERIOD), -EACCES);
	allow(mic);
	EXPECT(harness_wait(hears, mic, 10000));
	mic_end(mic);
	ASSERT_EQ(gate_end(gate, SESSION), 0);
}

static void gone_while_denied(void (*go)(void))
{
	struct mic *mic;

	plug();
	mic = open_microphone();
	EXPECT_EQ(mic_call(mic, MIC_READ, 0, MIC_PERIOD), -EACCES);
	go();
	expect_gone(mic, go);
}

static void gone_while_running(void (*go)(void))
{
	struct mic *mic;

	plug();
	mic = open_microphone();
	allow(mic);
	EXPECT(harness_wait(hears, mic, 10000));
	go();
	expect_gone(mic, go);
}

static void gone_while_revoking(void (*go)(void))
{
	struct mic *mic;
	int i;

	for (i = 0; i < 3; i++) {
		plug();
		mic = open_microphone();
		allow(mic);
		EXPECT(harness_wait(hears, mic, 10000));
		/* Each time the two meet a little later. */
		EXPECT_EQ(gate_end(gate, SESSION), 0);
		usleep(i * 700);
		go();
		expect_gone(mic, go);
	}
}

TEST(unplug_while_denied)
{
	gone_while_denied(pull);
}

TEST(unplug_while_running)
{
	gone_while_running(pull);
}

TEST_LIMIT(unplug_while_revoking, 180)
{
	gone_while_revoking(pull);
}

TEST(unbind_while_running)
{
	gone_while_running(unbind_driver);
}

TEST_LIMIT(unbind_while_revoking, 180)
{
	gone_while_revoking(unbind_driver);
}

TEST(detach_while_denied)
{
	gone_while_denied(detach);
}

TEST(detach_while_running)
{
	gone_while_running(detach);
}

TEST_LIMIT(detach_while_revoking, 180)
{
	gone_while_revoking(detach);
}

int main(int argc, char **argv)
{
	mic_main(argc, argv);
	return harness_main(argc, argv);
}
