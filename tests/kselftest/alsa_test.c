// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Who may capture from a microphone, and every way round that is known.
 *
 * Acts as the controller. The microphone is snd-aloop's: what is played on
 * device 1 is captured from device 0. Each denial has a twin that is allowed.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sound/asound.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gate.h"
#include "harness.h"
#include "microphone.h"

#define MIC_A  "pcmC0D0c/0"
#define MIC_B  "pcmC0D0c/1"
#define FEED_A "pcmC0D1p/0"
#define PLAY   "pcmC0D0p/5"

#define ALICE	1000
#define MALLORY 1001
#define SESSION 7

static struct gate *gate;

static void allow(struct mic *mic, unsigned int ms)
{
	ASSERT_EQ(gate_allow(gate, mic->pid, SESSION, CALLGATE_KIND_MICROPHONE, ms), 0);
}

/* Plays a tone into @where's other end, for as long as the test runs. */
static struct mic *feed(const char *where)
{
	struct mic *mic = mic_start(ALICE);

	ASSERT_EQ(mic_ready(mic, 0, where, MIC_RW), 0);
	mic_send(mic, MIC_PLAY, 0, 0);
	return mic;
}

/* Reads until there is sound; the last result, or how much of it was loud. */
static long listen(struct mic *mic, int slot)
{
	long r = 0;
	int i;

	for (i = 0; i < 20; i++) {
		r = mic_call(mic, MIC_READ, slot, MIC_PERIOD);
		if (r < 0)
			return r;
		r = mic_call(mic, MIC_LOUD, slot, 0);
		if (r > MIC_PERIOD / 2)
			return r;
	}
	return r;
}

static struct mic *mic_of_map;

static bool map_is_loud(void *slot)
{
	return mic_call(mic_of_map, MIC_MAP_LOUD, (long)slot, 0) > MIC_BUFFER / 2;
}

static bool hears_in_map(struct mic *mic, int slot)
{
	mic_of_map = mic;
	return harness_wait(map_is_loud, (void *)(long)slot, 5000);
}

static uint64_t denied(void)
{
	struct gate_message stats;

	ASSERT_EQ(gate_stats(gate, &stats), 0);
	return stats.denied;
}

/* ---- read ------------------------------------------------------------------------------------------------------ */

TEST(deny_read_without_grant)
{
	struct gate_message event;
	struct mic *mic;

	gate = gate_open_bound();
	mic = mic_start(MALLORY);
	ASSERT_EQ(mic_ready(mic, 0, MIC_A, MIC_RW), 0);
	EXPECT_EQ(mic_call(mic, MIC_READ, 0, MIC_PERIOD), -EACCES);
	EXPECT_EQ(mic_call(mic, MIC_STATE, 0, 0), (long)SNDRV_PCM_STATE_PREPARED);
	ASSERT(gate_wait(gate, CALLGATE_CMD_DENIED_EVENT, 3000, &event));
	EXPECT_EQ(event.tgid, mic->pid);
	EXPECT_EQ(event.uid, MALLORY);
	EXPECT_EQ(event.op, CALLGATE_OP_START);
	EXPECT_EQ(event.kinds, CALLGATE_KIND_MICROPHONE);
	EXPECT_EQ(event.device, gate_device(gate, MIC_A));
}

TEST(allow_read_with_grant)
{
	struct gate_message event;
	struct mic *mic;

	gate = gate_open_bound();
	feed(FEED_A);
	mic = mic_start(ALICE);
	ASSERT_EQ(mic_ready(mic, 0, MIC_A, MIC_RW), 0);
	allow(mic, 9000);
	EXPECT(listen(mic, 0) > 0);
	ASSERT(gate_wait(gate, CALLGATE_CMD_STREAM_STARTED_EVENT, 3000, &event));
	EXPECT_EQ(event.tgid, mic->pid);
	EXPECT_EQ(event.session, SESSION);
	EXPECT_EQ(event.device, gate_device(gate, MIC_A));
	EXPECT_EQ(mic_call(mic, MIC_DROP, 0, 0), 0);
	ASSERT(gate_wait(gate, CALLGATE_CMD_STREAM_STOPPED_EVENT, 3000, &event));
	EXPECT_EQ(event.reason, CALLGATE_REASON_STOPPED);
}

TEST(deny_read_with_grant_for_the_camera)
{
	struct mic *mic;

	gate = gate_open_bound();
	mic = mic_start(ALICE);
	ASSERT_EQ(mic_ready(mic, 0, MIC_A, MIC_RW), 0);
	ASSERT_EQ(gate_allow(gate, mic->pid, SESSION, CALLGATE_KIND_CAMERA, 9000), 0);
	EXPECT_EQ(mic_call(mic, MIC_READ, 0, MIC_PERIOD), -EACCES);
	allow(mic, 9000);
	EXPECT_EQ(mic_call(mic, MIC_READ, 0, MIC_PERIOD), MIC_PERIOD);
}

TEST(deny_start_without_grant)
{
	struct mic *mic;

	gate = gate_open_bound();
	mic = mic_start(MALLORY);
	ASSERT_EQ(mic_ready(mic, 0, MIC_A, MIC_RW), 0);
	EXPECT_EQ(mic_call(mic, MIC_START, 0, 0), -EACCES);
	allow(mic, 9000);
	EXPECT_EQ(mic_call(mic, MIC_START, 0, 0), 0);
}

TEST(deny_substream_that_the_grant_does_not_name)
{
	struct mic *mic;
	uint32_t device;

	gate = gate_open_bound();
	device = gate_device(gate, MIC_B);
	ASSERT(device != 0);
	mic = mic_start(ALICE);
	ASSERT_EQ(mic_ready(mic, 0, MIC_A, MIC_RW), 0);
	ASSERT_EQ(mic_ready(mic, 1, MIC_B, MIC_RW), 0);
	ASSERT_EQ(gate_allow_device(gate, mic->pid, SESSION, CALLGATE_KIND_MICROPHONE, device,
				    9000),
		  0);
	EXPECT_EQ(mic_call(mic, MIC_READ, 0, MIC_PERIOD), -EACCES);
	EXPECT_EQ(mic_call(mic, MIC_READ, 1, MIC_PERIOD), MIC_PERIOD);
}

TEST(permissive_mode_reports_only)
{
	struct gate_message event;
	struct mic *mic;
	uint8_t mode;

	gate = gate_open_bound();
	ASSERT_EQ(gate_mode(gate, CALLGATE_MODE_PERMISSIVE, &mode), 0);
	mic = mic_start(MALLORY);
	ASSERT_EQ(mic_ready(mic, 0, MIC_A, MIC_RW), 0);
	EXPECT_EQ(mic_call(mic, MIC_READ, 0, MIC_PERIOD), MIC_PERIOD);
	EXPECT(gate_wait(gate, CALLGATE_CMD_DENIED_EVENT, 3000, &event));
	ASSERT_EQ(gate_mode(gate, CALLGATE_MODE_ENFORCING, &mode), 0);
	ASSERT(gate_wait(gate, CALLGATE_CMD_STREAM_STOPPED_EVENT, 3000, &event));
	EXPECT_EQ(event.reason, CALLGATE_REASON_REVOKED);
	EXPECT_EQ(mic_call(mic, MIC_STATE, 0, 0), (long)SNDRV_PCM_STATE_SETUP);
}

/* ---- mmap ------------------------------------------------------------------------------------------------------ */

TEST(deny_start_of_mapped_capture_without_grant)
{
	struct mic *mic;

	gate = gate_open_bound();
	feed(FEED_A);
	mic = mic_start(MALLORY);
	ASSERT_EQ(mic_ready(mic, 0, MIC_A, MIC_MAP), 0);
	ASSERT_EQ(mic_call(mic, MIC_MMAP, 0, 0), 0);
	EXPECT_EQ(mic_call(mic, MIC_START, 0, 0), -EACCES);
	usleep(300000);
	EXPECT_EQ(mic_call(mic, MIC_MAP_LOUD, 0, 0), 0);
	allow(mic, 9000);
	EXPECT_EQ(mic_call(mic, MIC_START, 0, 0), 0);
	EXPECT(hears_in_map(mic, 0));
}

/* The order in which sound servers do it: map, then start; and again with new parameters. */
TEST(allow_mapping_again_after_new_parameters)
{
	struct mic *mic;

	gate = gate_open_bound();
	feed(FEED_A);
	mic = mic_start(ALICE);
	allow(mic, 9000);
	ASSERT_EQ(mic_ready(mic, 0, MIC_A, MIC_MAP), 0);
	ASSERT_EQ(mic_call(mic, MIC_MMAP, 0, 0), 0);
	ASSERT_EQ(mic_call(mic, MIC_START, 0, 0), 0);
	EXPECT(hears_in_map(mic, 0));
	EXPECT_EQ(mic_call(mic, MIC_DROP, 0, 0), 0);
	EXPECT_EQ(mic_call(mic, MIC_MUNMAP, 0, 0), 0);
	EXPECT_EQ(gate_end(gate, SESSION), 0);
	/* New parameters clear the buffer, so that no grant is needed. */
	EXPECT_EQ(mic_call(mic, MIC_PARAMS, 0, MIC_MAP), 0);
	EXPECT_EQ(mic_call(mic, MIC_MMAP, 0, 0), 0);
	EXPECT_EQ(mic_call(mic, MIC_MAP_LOUD, 0, 0), 0);
}

TEST(deny_mapping_of_what_was_captured)
{
	struct mic *mic;

	gate = gate_open_bound();
	feed(FEED_A);
	mic = mic_start(ALICE);
	allow(mic, 9000);
	ASSERT_EQ(mic_ready(mic, 0, MIC_A, MIC_MAP), 0);
	EXPECT(listen(mic, 0) > 0);
	EXPECT_EQ(mic_call(mic, MIC_DROP, 0, 0), 0);
	EXPECT_EQ(gate_end(gate, SESSION), 0);
	EXPECT_EQ(mic_call(mic, MIC_MMAP, 0, 0), -EACCES);
	allow(mic, 9000);
	EXPECT_EQ(mic_call(mic, MIC_MMAP, 0, 0), 0);
	EXPECT(mic_call(mic, MIC_MAP_LOUD, 0, 0) > 0);
}

/* ---- files that are attached with O_APPEND --------------------------------------------------------------------- */

static void attach(struct mic **ret_victim, struct mic **ret_attacker, int access)
{
	gate = gate_open_bound();
	*ret_victim = mic_start(ALICE);
	*ret_attacker = mic_start(MALLORY);
	ASSERT_EQ(mic_ready(*ret_victim, 0, MIC_A, access), 0);
	ASSERT_EQ(mic_open(*ret_attacker, 0, MIC_A, O_APPEND), 0);
}

TEST(deny_read_and_map_through_file_attached_before_start)
{
	struct mic *victim, *attacker;

	attach(&victim, &attacker, MIC_MAP);
	allow(victim, 9000);
	/* Clean, but not the only file. */
	EXPECT_EQ(mic_call(attacker, MIC_MMAP, 0, 0), -EACCES);
	EXPECT_EQ(mic_call(victim, MIC_START, 0, 0), 0);
	EXPECT_EQ(mic_call(attacker, MIC_READ, 0, MIC_PERIOD), -EACCES);
	EXPECT_EQ(mic_call(attacker, MIC_MMAP, 0, 0), -EACCES);
	EXPECT_EQ(mic_call(victim, MIC_READ, 0, MIC_PERIOD), MIC_PERIOD);
	EXPECT_EQ(mic_call(victim, MIC_MMAP, 0, 0), 0);
}

TEST(deny_read_and_map_through_file_attached_after_start)
{
	struct mic *victim, *attacker;

	gate = gate_open_bound();
	victim = mic_start(ALICE);
	attacker = mic_start(MALLORY);
	allow(victim, 9000);
	ASSERT_EQ(mic_ready(victim, 0, MIC_A, MIC_MAP), 0);
	ASSERT_EQ(mic_call(victim, MIC_START, 0, 0), 0);
	ASSERT_EQ(mic_open(attacker, 0, MIC_A, O_APPEND), 0);
	EXPECT_EQ(mic_call(attacker, MIC_READ, 0, MIC_PERIOD), -EACCES);
	EXPECT_EQ(mic_call(attacker, MIC_MMAP, 0, 0), -EACCES);
	/* Its own grant lets it read, but not map what somebody else's grant keeps filling. */
	allow(attacker, 9000);
	EXPECT_EQ(mic_call(attacker, MIC_READ, 0, MIC_PERIOD), MIC_PERIOD);
	EXPECT_EQ(mic_call(attacker, MIC_MMAP, 0, 0), -EACCES);
	EXPECT_EQ(mic_call(victim, MIC_MMAP, 0, 0), 0);
}

TEST(deny_start_into_another_ones_mapping)
{
	struct mic *victim, *attacker;

	gate = gate_open_bound();
	victim = mic_start(ALICE);
	attacker = mic_start(MALLORY);
	allow(victim, 9000);
	ASSERT_EQ(mic_ready(attacker, 0, MIC_A, MIC_MAP), 0);
	ASSERT_EQ(mic_call(attacker, MIC_MMAP, 0, 0), 0);
	ASSERT_EQ(mic_open(victim, 0, MIC_A, O_APPEND), 0);
	EXPECT_EQ(mic_call(victim, MIC_START, 0, 0), -EACCES);
	EXPECT_EQ(mic_call(victim, MIC_MMAP, 0, 0), -EACCES);
	EXPECT_EQ(mic_call(victim, MIC_READ, 0, MIC_PERIOD), -EACCES);
	/* The mapping is gone with the last parameters. */
	EXPECT_EQ(mic_call(attacker, MIC_MUNMAP, 0, 0), 0);
	EXPECT_EQ(mic_call(victim, MIC_PARAMS, 0, MIC_MAP), 0);
	EXPECT_EQ(mic_call(victim, MIC_PREPARE, 0, 0), 0);
	EXPECT_EQ(mic_call(victim, MIC_START, 0, 0), 0);
}

TEST(deny_mapping_what_the_last_holder_left)
{
	struct mic *victim, *attacker;

	attach(&victim, &attacker, MIC_MAP);
	feed(FEED_A);
	allow(victim, 9000);
	EXPECT(listen(victim, 0) > 0);
	EXPECT_EQ(mic_call(victim, MIC_DROP, 0, 0), 0);
	EXPECT_EQ(mic_call(victim, MIC_CLOSE, 0, 0), 0);
	EXPECT_EQ(mic_call(attacker, MIC_MMAP, 0, 0), -EACCES);
}

TEST(allow_mapping_what_the_last_holder_left_clean)
{
	struct mic *victim, *attacker;

	attach(&victim, &attacker, MIC_MAP);
	EXPECT_EQ(mic_call(victim, MIC_CLOSE, 0, 0), 0);
	EXPECT_EQ(mic_call(attacker, MIC_MMAP, 0, 0), 0);
	EXPECT_EQ(mic_call(attacker, MIC_MAP_LOUD, 0, 0), 0);
}

TEST(new_owner_finds_the_buffer_cleared)
{
	struct mic *victim, *attacker;

	gate = gate_open_bound();
	feed(FEED_A);
	victim = mic_start(ALICE);
	allow(victim, 9000);
	ASSERT_EQ(mic_ready(victim, 0, MIC_A, MIC_MAP), 0);
	ASSERT_EQ(mic_call(victim, MIC_MMAP, 0, 0), 0);
	ASSERT_EQ(mic_call(victim, MIC_START, 0, 0), 0);
	EXPECT(hears_in_map(victim, 0));
	mic_end(victim);
	attacker = mic_start(MALLORY);
	ASSERT_EQ(mic_open(attacker, 0, MIC_A, 0), 0);
	ASSERT_EQ(mic_call(attacker, MIC_PARAMS, 0, MIC_MAP), 0);
	ASSERT_EQ(mic_call(attacker, MIC_MMAP, 0, 0), 0);
	EXPECT_EQ(mic_call(attacker, MIC_MAP_LOUD, 0, 0), 0);
}

/* ---- groups ---------------------------------------------------------------------------------------------------- */

/* Links @attacker's MIC_B to @victim's MIC_A, through an attached file that is closed again. */
static void link_attack(struct mic **ret_victim, struct mic **ret_attacker, int access)
{
	attach(ret_victim, ret_attacker, MIC_RW);
	ASSERT_EQ(mic_ready(*ret_attacker, 1, MIC_B, access), 0);
	if (access == MIC_MAP)
		ASSERT_EQ(mic_call(*ret_attacker, MIC_MMAP, 1, 0), 0);
	ASSERT_EQ(mic_call(*ret_attacker, MIC_LINK, 1, 0), 0);
	ASSERT_EQ(mic_call(*ret_attacker, MIC_CLOSE, 0, 0), 0);
	allow(*ret_victim, 9000);
}

TEST(deny_start_of_group_with_another_ones_mapping)
{
	struct mic *victim, *attacker;

	link_attack(&victim, &attacker, MIC_MAP);
	EXPECT_EQ(mic_call(victim, MIC_START, 0, 0), -EACCES);
	EXPECT_EQ(mic_call(attacker, MIC_STATE, 1, 0), (long)SNDRV_PCM_STATE_PREPARED);
	/* Without it the victim's stream starts. Closing a member stops the group. */
	mic_end(attacker);
	EXPECT_EQ(mic_call(victim, MIC_PREPARE, 0, 0), 0);
	EXPECT_EQ(mic_call(victim, MIC_START, 0, 0), 0);
}

TEST(deny_read_and_map_of_stream_started_by_group)
{
	struct mic *victim, *attacker;

	link_attack(&victim, &attacker, MIC_RW);
	EXPECT_EQ(mic_call(victim, MIC_START, 0, 0), 0);
	EXPECT_EQ(mic_call(attacker, MIC_STATE, 1, 0), (long)SNDRV_PCM_STATE_RUNNING);
	EXPECT_EQ(mic_call(attacker, MIC_READ, 1, MIC_PERIOD), -EACCES);
	EXPECT_EQ(mic_call(victim, MIC_READ, 0, MIC_PERIOD), MIC_PERIOD);
}

TEST(deny_start_of_playback_linked_with_capture)
{
	struct gate_message event;
	struct mic *mic;

	gate = gate_open_bound();
	mic = mic_start(MALLORY);
	ASSERT_EQ(mic_ready(mic, 0, PLAY, MIC_RW), 0);
	ASSERT_EQ(mic_ready(mic, 1, MIC_B, MIC_RW), 0);
	ASSERT_EQ(mic_call(mic, MIC_LINK, 0, 1), 0);
	mic_call(mic, MIC_FILL, 0, 0);
	EXPECT_EQ(mic_call(mic, MIC_STATE, 0, 0), (long)SNDRV_PCM_STATE_PREPARED);
	EXPECT_EQ(mic_call(mic, MIC_STATE, 1, 0), (long)SNDRV_PCM_STATE_PREPARED);
	EXPECT(gate_wait(gate, CALLGATE_CMD_DENIED_EVENT, 3000, &event));
	allow(mic, 9000);
	EXPECT_EQ(mic_call(mic, MIC_START, 0, 0), 0);
	EXPECT_EQ(mic_call(mic, MIC_STATE, 1, 0), (long)SNDRV_PCM_STATE_RUNNING);
	ASSERT(gate_wait(gate, CALLGATE_CMD_STREAM_STARTED_EVENT, 3000, &event));
	EXPECT_EQ(event.device, gate_device(gate, MIC_B));
	EXPECT_EQ(mic_call(mic, MIC_DROP, 0, 0), 0);
	EXPECT(gate_wait(gate, CALLGATE_CMD_STREAM_STOPPED_EVENT, 3000, &event));
}

TEST(playback_alone_needs_no_grant)
{
	struct mic *mic;

	gate = gate_open_bound();
	mic = mic_start(MALLORY);
	ASSERT_EQ(mic_ready(mic, 0, PLAY, MIC_RW), 0);
	EXPECT_EQ(mic_call(mic, MIC_FILL, 0, 0), MIC_BUFFER);
	EXPECT_EQ(mic_call(mic, MIC_STATE, 0, 0), (long)SNDRV_PCM_STATE_RUNNING);
}

/* ---- other processes with the same file ------------------------------------------------------------------------- */

TEST(deny_read_by_forked_child)
{
	struct mic *mic, *child;

	gate = gate_open_bound();
	mic = mic_start(ALICE);
	allow(mic, 9000);
	ASSERT_EQ(mic_ready(mic, 0, MIC_A, MIC_RW), 0);
	ASSERT_EQ(mic_call(mic, MIC_START, 0, 0), 0);
	child = mic_fork(mic);
	EXPECT_EQ(mic_call(child, MIC_READ, 0, MIC_PERIOD), -EACCES);
	EXPECT_EQ(mic_call(mic, MIC_READ, 0, MIC_PERIOD), MIC_PERIOD);
}

TEST(deny_read_after_exec)
{
	struct mic *mic;

	gate = gate_open_bound();
	mic = mic_start(ALICE);
	allow(mic, 9000);
	ASSERT_EQ(mic_ready(mic, 0, MIC_A, MIC_RW), 0);
	EXPECT_EQ(mic_call(mic, MIC_READ, 0, MIC_PERIOD), MIC_PERIOD);
	ASSERT_EQ(mic_call(mic, MIC_EXEC, 0, 0), 0);
	EXPECT(mic_call(mic, MIC_READ, 0, MIC_PERIOD) < 0);
	mic_call(mic, MIC_PREPARE, 0, 0);
	EXPECT_EQ(mic_call(mic, MIC_READ, 0, MIC_PERIOD), -EACCES);
	allow(mic, 9000);
	EXPECT_EQ(mic_call(mic, MIC_READ, 0, MIC_PERIOD), MIC_PERIOD);
}

TEST(deny_read_with_file_that_was_passed)
{
	struct mic *victim, *attacker;

	gate = gate_open_bound();
	victim = mic_start(ALICE);
	attacker = mic_start(MALLORY);
	allow(victim, 9000);
	ASSERT_EQ(mic_ready(victim, 0, MIC_A, MIC_MAP), 0);
	ASSERT_EQ(mic_call(victim, MIC_START, 0, 0), 0);
	ASSERT_EQ(mic_give(victim, 0, attacker, 0), 0);
	EXPECT_EQ(mic_call(attacker, MIC_READ, 0, MIC_PERIOD), -EACCES);
	EXPECT_EQ(mic_call(attacker, MIC_MMAP, 0, 0), -EACCES);
	EXPECT_EQ(mic_call(victim, MIC_READ, 0, MIC_PERIOD), MIC_PERIOD);
}

/* ---- the end of a grant ---------------------------------------------------------------------------------------- */

TEST(deadline_ends_blocked_read)
{
	struct gate_message event;
	uint64_t begun, ended;
	struct mic *mic;
	long r;

	gate = gate_open_bound();
	mic = mic_start(ALICE);
	ASSERT_EQ(mic_ready(mic, 0, MIC_A, MIC_RW), 0);
	/* Such a read would come back after 0.8 s: shorter than the grant here. */
	ASSERT_EQ(mic_call(mic, MIC_PATIENT, 0, 0), 0);
	allow(mic, 500);
	begun = harness_now();
	r = mic_call(mic, MIC_READ, 0, MIC_BUFFER);
	ended = harness_now();
	EXPECT_EQ(r, -EBADFD);
	EXPECT(ended - begun >= 400000000);
	ASSERT(gate_wait(gate, CALLGATE_CMD_STREAM_STOPPED_EVENT, 3000, &event));
	EXPECT_EQ(event.reason, CALLGATE_REASON_REVOKED);
	EXPECT_EQ(mic_call(mic, MIC_STATE, 0, 0), (long)SNDRV_PCM_STATE_SETUP);
	EXPECT_EQ(mic_call(mic, MIC_PREPARE, 0, 0), 0);
	EXPECT_EQ(mic_call(mic, MIC_START, 0, 0), -EACCES);
}

TEST(allow_long_read_within_the_deadline)
{
	struct mic *mic;
	int tries = 20;
	long r;

	gate = gate_open_bound();
	mic = mic_start(ALICE);
	ASSERT_EQ(mic_ready(mic, 0, MIC_A, MIC_RW), 0);
	ASSERT_EQ(mic_call(mic, MIC_PATIENT, 0, 0), 0);
	/* The sound core gives up a read that takes a tenth longer than its sound does, as on a busy machine. */
	do {
		allow(mic, 9000);
		r = mic_call(mic, MIC_READ, 0, MIC_BUFFER);
	} while (r == -EIO && --tries);
	EXPECT_EQ(r, MIC_BUFFER);
}

TEST(revoked_mapping_hears_nothing_more)
{
	struct gate_message event;
	struct mic *mic;
	long before;

	gate = gate_open_bound();
	mic = mic_start(ALICE);
	allow(mic, 9000);
	ASSERT_EQ(mic_ready(mic, 0, MIC_A, MIC_MAP), 0);
	ASSERT_EQ(mic_call(mic, MIC_PATIENT, 0, 0), 0);
	ASSERT_EQ(mic_call(mic, MIC_MMAP, 0, 0), 0);
	ASSERT_EQ(mic_call(mic, MIC_START, 0, 0), 0);
	EXPECT_EQ(gate_end(gate, SESSION), 0);
	ASSERT(gate_wait(gate, CALLGATE_CMD_STREAM_STOPPED_EVENT, 3000, &event));
	EXPECT_EQ(event.reason, CALLGATE_REASON_REVOKED);
	before = mic_call(mic, MIC_MAP_LOUD, 0, 0);
	/* The sound begins only now. */
	feed(FEED_A);
	usleep(700000);
	EXPECT_EQ(mic_call(mic, MIC_MAP_LOUD, 0, 0), before);
	EXPECT_EQ(mic_call(mic, MIC_PREPARE, 0, 0), 0);
	EXPECT_EQ(mic_call(mic, MIC_START, 0, 0), -EACCES);
	allow(mic, 9000);
	EXPECT_EQ(mic_call(mic, MIC_START, 0, 0), 0);
	EXPECT(hears_in_map(mic, 0));
}

TEST(another_program_captures_at_once_after_revoke)
{
	struct mic *first, *second;
	struct gate_message event;

	gate = gate_open_bound();
	first = mic_start(ALICE);
	second = mic_start(ALICE);
	ASSERT_EQ(gate_allow(gate, first->pid, SESSION, CALLGATE_KIND_MICROPHONE, 9000), 0);
	ASSERT_EQ(gate_allow(gate, second->pid, SESSION + 1, CALLGATE_KIND_MICROPHONE, 9000), 0);
	ASSERT_EQ(mic_ready(first, 0, MIC_A, MIC_RW), 0);
	ASSERT_EQ(mic_call(first, MIC_START, 0, 0), 0);
	ASSERT_EQ(gate_end(gate, SESSION), 0);
	ASSERT(gate_wait(gate, CALLGATE_CMD_STREAM_STOPPED_EVENT, 3000, &event));
	EXPECT(mic_call(first, MIC_READ, 0, MIC_PERIOD) < 0);
	/* Although the first one does not let go of its file. */
	ASSERT_EQ(mic_open(second, 0, MIC_A, O_APPEND), 0);
	EXPECT_EQ(mic_call(second, MIC_PREPARE, 0, 0), 0);
	EXPECT_EQ(mic_call(second, MIC_READ, 0, MIC_PERIOD), MIC_PERIOD);
	EXPECT_EQ(mic_call(first, MIC_READ, 0, MIC_PERIOD), -EACCES);
}

TEST(deny_pause_release_after_revoke)
{
	struct mic *mic;

	gate = gate_open_bound();
	mic = mic_start(ALICE);
	allow(mic, 9000);
	ASSERT_EQ(mic_ready(mic, 0, MIC_A, MIC_RW), 0);
	ASSERT_EQ(mic_call(mic, MIC_START, 0, 0), 0);
	ASSERT_EQ(mic_call(mic, MIC_PAUSE, 0, 1), 0);
	EXPECT_EQ(mic_call(mic, MIC_PAUSE, 0, 0), 0);
	ASSERT_EQ(mic_call(mic, MIC_PAUSE, 0, 1), 0);
	ASSERT_EQ(gate_end(gate, SESSION), 0);
	EXPECT_EQ(mic_call(mic, MIC_PAUSE, 0, 0), -EACCES);
	EXPECT_EQ(mic_call(mic, MIC_STATE, 0, 0), (long)SNDRV_PCM_STATE_PAUSED);
	/* And it can still be given up. */
	EXPECT_EQ(mic_call(mic, MIC_DROP, 0, 0), 0);
	EXPECT_EQ(mic_call(mic, MIC_STATE, 0, 0), (long)SNDRV_PCM_STATE_SETUP);
}

/* ---- what needs no grant --------------------------------------------------------------------------------------- */

TEST(probing_is_not_denied_and_not_reported)
{
	struct gate_message event;
	struct mic *mic;
	uint64_t before;
	int access;

	gate = gate_open_bound();
	mic = mic_start(MALLORY);
	before = denied();
	for (access = MIC_RW; access <= MIC_MAP; access++) {
		EXPECT_EQ(mic_open(mic, 0, MIC_A, O_NONBLOCK), 0);
		EXPECT_EQ(mic_call(mic, MIC_REFINE, 0, 0), 0);
		EXPECT_EQ(mic_call(mic, MIC_PARAMS, 0, access), 0);
		if (access == MIC_MAP)
			EXPECT_EQ(mic_call(mic, MIC_MMAP, 0, 0), 0);
		EXPECT_EQ(mic_call(mic, MIC_PREPARE, 0, 0), 0);
		EXPECT_EQ(mic_call(mic, MIC_STATUS, 0, 0), 0);
		EXPECT_EQ(mic_call(mic, MIC_DROP, 0, 0), 0);
		EXPECT_EQ(mic_call(mic, MIC_CLOSE, 0, 0), 0);
	}
	EXPECT_EQ(denied(), before);
	EXPECT(!gate_wait(gate, CALLGATE_CMD_DENIED_EVENT, 200, &event));
}

TEST(each_substream_is_a_device)
{
	struct gate_message *devices;
	int n, i, seen = 0;

	gate = gate_open_bound();
	n = gate_dump(gate, CALLGATE_CMD_DEVICE_GET, &devices);
	ASSERT(n > 0);
	for (i = 0; i < n; i++) {
		if (strncmp(devices[i].node, "pcmC0D", 6))
			continue;
		seen++;
		EXPECT_EQ(devices[i].kinds, CALLGATE_KIND_MICROPHONE);
		EXPECT(strstr(devices[i].name, "Loopback") != NULL);
	}
	EXPECT_EQ(seen, 16);
	free(devices);
}

TEST(running_capture_is_listed)
{
	struct gate_message *streams;
	struct mic *mic;

	gate = gate_open_bound();
	mic = mic_start(ALICE);
	allow(mic, 9000);
	ASSERT_EQ(mic_ready(mic, 0, MIC_A, MIC_RW), 0);
	EXPECT_EQ(gate_dump(gate, CALLGATE_CMD_STREAM_GET, &streams), 0);
	ASSERT_EQ(mic_call(mic, MIC_START, 0, 0), 0);
	ASSERT_EQ(gate_dump(gate, CALLGATE_CMD_STREAM_GET, &streams), 1);
	EXPECT_EQ(streams[0].tgid, mic->pid);
	EXPECT_EQ(streams[0].session, SESSION);
	EXPECT_EQ(mic_call(mic, MIC_CLOSE, 0, 0), 0);
	EXPECT_EQ(gate_dump(gate, CALLGATE_CMD_STREAM_GET, &streams), 0);
}

int main(int argc, char **argv)
{
	mic_main(argc, argv);
	return harness_main(argc, argv);
}
