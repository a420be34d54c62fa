// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Devices as few drivers make them: tests/driver, built for the kernel under test. Acts as the controller, runs as root in the virtual machine.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/videodev2.h>
#include <pthread.h>
#include <sound/asound.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gate.h"
#include "harness.h"
#include "microphone.h"
#include "usbfs.h"
#include "usbip.h"

#define ALICE	1000
#define SESSION 5

enum {
	NONATOMIC,
	CHANGING,
	COPYING
};

static struct gate *gate;

/* "pcmC1D2c/0" of the test card. The next call overwrites it. */
static const char *node(int pcm, char direction)
{
	static char name[2][32];
	static int turn;
	char link[32] = "";

	if (readlink("/proc/asound/GateTest", link, sizeof(link) - 1) < 5)
		return "none";
	turn = !turn;
	snprintf(name[turn], sizeof(name[turn]), "pcmC%dD%d%c/0", atoi(link + 4), pcm, direction);
	return name[turn];
}

/* Loaded and named once; a test that was ended in between has perhaps not done both. */
static void begin(void)
{
	char path[64];
	struct stat st;

	if (access("/proc/asound/GateTest", F_OK))
		ASSERT_EQ(system(". /run/rig/config && insmod "
				 "/callgate/$BUILD/driver/$(uname -r)/gatetest.ko"),
			  0);
	if (access("/sys/module/gatecam", F_OK))
		ASSERT_EQ(system(". /run/rig/config && insmod "
				 "/callgate/$BUILD/driver/$(uname -r)/gatecam.ko nodes=3"),
			  0);
	snprintf(path, sizeof(path), "/dev/snd/%.*s", (int)strcspn(node(COPYING, 'c'), "/"),
		 node(COPYING, 'c'));
	if (stat(path, &st) || st.st_gid == 0)
		ASSERT_EQ(system("tests/vm/guest/devices"), 0);
	gate = gate_open_bound();
	ASSERT(gate_device(gate, node(COPYING, 'c')) != 0);
}

static void allow(struct mic *mic)
{
	ASSERT_EQ(gate_allow(gate, mic->pid, SESSION, CALLGATE_KIND_MICROPHONE, 9000), 0);
}

static void revoke_all(void)
{
	ASSERT_EQ(gate_end(gate, SESSION), 0);
}

struct state_of {
	struct mic *mic;
	long state;
};

static bool in_state(void *arg)
{
	struct state_of *of = arg;

	return mic_call(of->mic, MIC_STATE, 0, 0) == of->state;
}

static bool prepares(void *mic)
{
	return mic_call(mic, MIC_PREPARE, 0, 0) == 0;
}

static void expect_read_is_gated(struct mic *mic)
{
	EXPECT_EQ(mic_call(mic, MIC_READ, 0, MIC_PERIOD), -EACCES);
	allow(mic);
	EXPECT_EQ(mic_call(mic, MIC_PREPARE, 0, 0), 0);
	EXPECT_EQ(mic_call(mic, MIC_READ, 0, MIC_PERIOD), MIC_PERIOD);
	EXPECT(mic_call(mic, MIC_LOUD, 0, 0) > 0);
	revoke_all();
	/* It is busy until it has been stopped. */
	EXPECT(harness_wait(prepares, mic, 10000));
	EXPECT_EQ(mic_call(mic, MIC_READ, 0, MIC_PERIOD), -EACCES);
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

/* ---- the stream lock is a mutex ------------------------------------------------------------------------------- */

TEST_LIMIT(deny_read_of_a_nonatomic_pcm, 300)
{
	struct mic *mic = mic_start(ALICE);

	begin();
	ASSERT_EQ(mic_ready(mic, 0, node(NONATOMIC, 'c'), MIC_RW), 0);
	expect_read_is_gated(mic);
}

TEST(deny_start_of_a_mapped_nonatomic_pcm)
{
	struct state_of stopped;
	struct mic *mic = mic_start(ALICE);

	begin();
	ASSERT_EQ(mic_ready(mic, 0, node(NONATOMIC, 'c'), MIC_MAP), 0);
	ASSERT_EQ(mic_call(mic, MIC_MMAP, 0, 0), 0);
	EXPECT_EQ(mic_call(mic, MIC_START, 0, 0), -EACCES);
	EXPECT_EQ(mic_call(mic, MIC_MAP_LOUD, 0, 0), 0);
	allow(mic);
	ASSERT_EQ(mic_call(mic, MIC_START, 0, 0), 0);
	revoke_all();
	stopped = (struct state_of){ mic, (long)SNDRV_PCM_STATE_SETUP };
	EXPECT(harness_wait(in_state, &stopped, 10000));
	EXPECT_EQ(mic_call(mic, MIC_PREPARE, 0, 0), 0);
	EXPECT_EQ(mic_call(mic, MIC_START, 0, 0), -EACCES);
}

TEST(deny_pause_release_of_a_nonatomic_pcm)
{
	struct state_of stopped;
	struct mic *mic = mic_start(ALICE);

	begin();
	allow(mic);
	ASSERT_EQ(mic_ready(mic, 0, node(NONATOMIC, 'c'), MIC_RW), 0);
	ASSERT_EQ(mic_call(mic, MIC_START, 0, 0), 0);
	EXPECT_EQ(mic_call(mic, MIC_PAUSE, 0, 1), 0);
	EXPECT_EQ(mic_call(mic, MIC_PAUSE, 0, 0), 0);
	EXPECT_EQ(mic_call(mic, MIC_PAUSE, 0, 1), 0);
	revoke_all();
	EXPECT_EQ(mic_call(mic, MIC_PAUSE, 0, 0), -EACCES);
	allow(mic);
	EXPECT_EQ(mic_call(mic, MIC_PAUSE, 0, 0), 0);
	stopped = (struct state_of){ mic, (long)SNDRV_PCM_STATE_RUNNING };
	EXPECT(in_state(&stopped));
}

static int streams_of(const struct mic *mic)
{
	struct gate_message *streams = NULL;
	int i, n, count = 0;

	n = gate_dump(gate, CALLGATE_CMD_STREAM_GET, &streams);
	for (i = 0; i < n; i++)
		count += streams[i].tgid == (uint32_t)mic->pid;
	free(streams);
	return n < 0 ? n : count;
}

/* It runs on, so it is still a capture to be stopped. */
TEST(pause_that_the_driver_refuses_is_not_a_stop)
{
	struct state_of stopped;
	struct mic *mic = mic_start(ALICE);

	begin();
	allow(mic);
	ASSERT_EQ(mic_ready(mic, 0, node(NONATOMIC, 'c'), MIC_RW), 0);
	ASSERT_EQ(mic_call(mic, MIC_START, 0, 0), 0);
	EXPECT_EQ(mic_call(mic, MIC_PAUSE, 0, 1), 0);
	EXPECT_EQ(streams_of(mic), 0);
	EXPECT_EQ(mic_call(mic, MIC_PAUSE, 0, 0), 0);
	EXPECT_EQ(streams_of(mic), 1);
	ASSERT_EQ(system("echo 1 >/sys/module/gatetest/parameters/refuse_pause"), 0);
	EXPECT_EQ(mic_call(mic, MIC_PAUSE, 0, 1), -EIO);
	EXPECT_EQ(system("echo 0 >/sys/module/gatetest/parameters/refuse_pause"), 0);
	EXPECT_EQ(streams_of(mic), 1);
	revoke_all();
	stopped = (struct state_of){ mic, (long)SNDRV_PCM_STATE_SETUP };
	EXPECT(harness_wait(in_state, &stopped, 10000));
	EXPECT_EQ(streams_of(mic), 0);
}

static int parameter(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[16] = "";

	ASSERT(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	return atoi(text);
}

static bool is_starting(void *unused)
{
	return parameter("/sys/module/gatetest/parameters/starting") == 1;
}

/* The question was answered with yes; the driver, under the same lock, takes its time. */
TEST(stop_a_start_whose_grant_ends_in_the_driver)
{
	struct state_of stopped;
	struct mic *mic = mic_start(ALICE);

	begin();
	allow(mic);
	ASSERT_EQ(mic_ready(mic, 0, node(NONATOMIC, 'c'), MIC_RW), 0);
	ASSERT_EQ(system("echo 2000 >/sys/module/gatetest/parameters/start_ms"), 0);
	mic_send(mic, MIC_START, 0, 0);
	ASSERT(harness_wait(is_starting, NULL, 10000));
	revoke_all();
	EXPECT(is_starting(NULL));
	ASSERT_EQ(system("echo 0 >/sys/module/gatetest/parameters/start_ms"), 0);
	EXPECT_EQ(mic_result(mic, 10000), 0);
	stopped = (struct state_of){ mic, (long)SNDRV_PCM_STATE_SETUP };
	EXPECT(harness_wait(in_state, &stopped, 10000));
	EXPECT_EQ(mic_call(mic, MIC_PREPARE, 0, 0), 0);
	EXPECT_EQ(mic_call(mic, MIC_START, 0, 0), -EACCES);
}

TEST(deny_start_of_a_nonatomic_group_from_its_playback_member)
{
	struct mic *mic = mic_start(ALICE);

	begin();
	ASSERT_EQ(mic_ready(mic, 0, node(NONATOMIC, 'c'), MIC_RW), 0);
	ASSERT_EQ(mic_ready(mic, 1, node(NONATOMIC, 'p'), MIC_RW), 0);
	ASSERT_EQ(mic_call(mic, MIC_LINK, 1, 0), 0);
	mic_call(mic, MIC_FILL, 1, 0);
	EXPECT_EQ(mic_call(mic, MIC_START, 1, 0), -EACCES);
	EXPECT_EQ(mic_call(mic, MIC_STATE, 0, 0), (long)SNDRV_PCM_STATE_PREPARED);
	allow(mic);
	EXPECT_EQ(mic_call(mic, MIC_START, 1, 0), 0);
	EXPECT_EQ(mic_call(mic, MIC_STATE, 0, 0), (long)SNDRV_PCM_STATE_RUNNING);
}

/* A revocation and the last close meet under the mutex in one order or the other. */
TEST(revoke_a_nonatomic_pcm_while_it_is_closed)
{
	struct mic *mic = mic_start(ALICE);
	int i;

	begin();
	for (i = 0; i < 30; i++) {
		allow(mic);
		ASSERT_EQ(mic_ready(mic, 0, node(NONATOMIC, 'c'), MIC_RW), 0);
		ASSERT_EQ(mic_call(mic, MIC_START, 0, 0), 0);
		mic_send(mic, MIC_CLOSE, 0, 0);
		revoke_all();
		ASSERT_EQ(mic_result(mic, 10000), 0);
	}
	ASSERT_EQ(mic_ready(mic, 0, node(NONATOMIC, 'c'), MIC_RW), 0);
	expect_read_is_gated(mic);
}

/* ---- another table of operations in hw_params -------------------------------------------------------------- */

TEST(deny_read_after_the_driver_changed_its_operations)
{
	struct mic *mic = mic_start(ALICE);

	begin();
	ASSERT_EQ(mic_ready(mic, 0, node(CHANGING, 'c'), MIC_RW), 0);
	expect_read_is_gated(mic);
	ASSERT_EQ(mic_call(mic, MIC_PARAMS, 0, MIC_STEREO), 0);
	ASSERT_EQ(mic_call(mic, MIC_PREPARE, 0, 0), 0);
	expect_read_is_gated(mic);
	ASSERT_EQ(mic_call(mic, MIC_PARAMS, 0, MIC_RW), 0);
	ASSERT_EQ(mic_call(mic, MIC_PREPARE, 0, 0), 0);
	expect_read_is_gated(mic);
}

TEST(deny_start_after_the_driver_changed_its_operations)
{
	struct mic *mic = mic_start(ALICE);

	begin();
	ASSERT_EQ(mic_ready(mic, 0, node(CHANGING, 'c'), MIC_RW), 0);
	EXPECT_EQ(mic_call(mic, MIC_START, 0, 0), -EACCES);
	allow(mic);
	EXPECT_EQ(mic_call(mic, MIC_START, 0, 0), 0);
}

/* The driver's copy operation makes the PCM core leave the buffer as it is, so nobody knows that it is clean. */
TEST(deny_mapping_what_the_new_operations_leave_uncleared)
{
	struct mic *mic = mic_start(ALICE);

	begin();
	ASSERT_EQ(mic_ready(mic, 0, node(CHANGING, 'c'), MIC_MAP), 0);
	EXPECT_EQ(mic_call(mic, MIC_MMAP, 0, 0), -EACCES);
	allow(mic);
	EXPECT_EQ(mic_call(mic, MIC_MMAP, 0, 0), 0);
	EXPECT_EQ(mic_call(mic, MIC_START, 0, 0), 0);
}

TEST(give_back_the_operations_that_the_driver_put_last)
{
	struct mic *mic = mic_start(ALICE);

	begin();
	/* Leaves the other table than the one at registration. */
	ASSERT_EQ(mic_ready(mic, 0, node(CHANGING, 'c'), MIC_RW), 0);
	EXPECT_EQ(mic_call(mic, MIC_READ, 0, MIC_PERIOD), -EACCES);
	ASSERT_EQ(mic_call(mic, MIC_CLOSE, 0, 0), 0);
	gate_close(gate);
	ASSERT(harness_wait(unloaded, NULL, 10000));
	ASSERT_EQ(mic_ready(mic, 0, node(CHANGING, 'c'), MIC_RW), 0);
	EXPECT_EQ(mic_call(mic, MIC_READ, 0, MIC_PERIOD), MIC_PERIOD);
	ASSERT_EQ(mic_call(mic, MIC_CLOSE, 0, 0), 0);
	ASSERT_EQ(system(". /run/rig/config && insmod "
			 "/callgate/$BUILD/module/$(uname -r)/callgate.ko"),
		  0);
	begin();
	ASSERT_EQ(mic_ready(mic, 0, node(CHANGING, 'c'), MIC_RW), 0);
	expect_read_is_gated(mic);
}

/* ---- a copy operation, and nothing to map -------------------------------------------------------------------- */

TEST(deny_read_through_the_drivers_own_copy)
{
	struct mic *mic = mic_start(ALICE);

	begin();
	ASSERT_EQ(mic_ready(mic, 0, node(COPYING, 'c'), MIC_RW), 0);
	expect_read_is_gated(mic);
	ASSERT_EQ(mic_call(mic, MIC_CLOSE, 0, 0), 0);
	/* The gate makes nothing mappable that was not. */
	allow(mic);
	EXPECT(mic_ready(mic, 0, node(COPYING, 'c'), MIC_MAP) < 0);
}

/* ---- cameras: tests/driver/gatecam.c ------------------------------------------------------------------------ */

static long ask(int fd, int type)
{
	struct v4l2_requestbuffers request = { .count = 2,
					       .type = type,
					       .memory = V4L2_MEMORY_MMAP };

	return ioctl(fd, VIDIOC_REQBUFS, &request) ? -errno : 0;
}

/* The camera's nth node. */
static int open_node(int n)
{
	char path[32], pattern[] = "/sys/bus/platform/devices/gatecam.0/video4linux/video*";
	glob_t found;
	int fd;

	ASSERT(glob(pattern, 0, NULL, &found) == 0 && (int)found.gl_pathc > n);
	snprintf(path, sizeof(path), "/dev/%s", strrchr(found.gl_pathv[n], '/') + 1);
	globfree(&found);
	fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Which of them it is lies in user memory when it is asked. */
TEST(deny_both_directions_of_a_node_that_has_both)
{
	int fd;
	char c;

	begin();
	fd = open_node(1);
	EXPECT_EQ(ask(fd, V4L2_BUF_TYPE_VIDEO_CAPTURE), -EACCES);
	EXPECT_EQ(ask(fd, V4L2_BUF_TYPE_VIDEO_OUTPUT), -EACCES);
	EXPECT(read(fd, &c, 1) == -1 && errno == EACCES);
	ASSERT_EQ(gate_allow(gate, getpid(), SESSION, CALLGATE_KIND_CAMERA, 9000), 0);
	EXPECT_EQ(ask(fd, V4L2_BUF_TYPE_VIDEO_CAPTURE), 0);
	EXPECT_EQ(ask(fd, V4L2_BUF_TYPE_VIDEO_OUTPUT), 0);
	EXPECT_EQ(read(fd, &c, 1), 1);
	close(fd);
}

TEST(leave_a_memory_to_memory_node_alone)
{
	int fd;
	char c;

	begin();
	fd = open_node(0);
	EXPECT(read(fd, &c, 1) == -1 && errno == EACCES);
	close(fd);
	fd = open_node(2);
	EXPECT_EQ(ask(fd, V4L2_BUF_TYPE_VIDEO_CAPTURE), 0);
	EXPECT_EQ(read(fd, &c, 1), 1);
	close(fd);
}

static bool is_mapping(void *unused)
{
	return parameter("/sys/module/gatecam/parameters/mapping") == 1;
}

static bool is_freed(void *unused)
{
	return parameter("/sys/module/gatecam/parameters/freed") != 0;
}

static void *map_it(void *fd)
{
	return mmap(NULL, 4096, PROT_READ, MAP_SHARED, *(int *)fd, 0);
}

/* The driver maps what the file had when it began, so nobody may give that away meanwhile. */
TEST(giving_buffers_away_waits_for_a_mapping)
{
	pthread_t thread;
	void *map;
	int fd;

	begin();
	fd = open_node(0);
	ASSERT_EQ(gate_allow(gate, getpid(), SESSION, CALLGATE_KIND_CAMERA, 9900), 0);
	ASSERT_EQ(ask(fd, V4L2_BUF_TYPE_VIDEO_CAPTURE), 0);
	ASSERT_EQ(system("echo 3000 >/sys/module/gatecam/parameters/mmap_ms"), 0);
	/* A page fault of this thread would wait for the mapping, too. */
	mlockall(MCL_CURRENT);
	ASSERT(pthread_create(&thread, NULL, map_it, &fd) == 0);
	ASSERT(harness_wait(is_mapping, NULL, 10000));
	EXPECT_EQ(ask(fd, V4L2_BUF_TYPE_VIDEO_CAPTURE), 0);
	EXPECT(!is_mapping(NULL));
	ASSERT(pthread_join(thread, &map) == 0);
	EXPECT(map != MAP_FAILED);
	ASSERT_EQ(system("echo 0 >/sys/module/gatecam/parameters/mmap_ms"), 0);
	close(fd);
}

/* As above: what the driver finds for a mapping must not be freed under it. */
TEST(revocation_waits_for_a_mapping)
{
	int fd, to[2];
	pid_t pid;
	char c;

	begin();
	fd = open_node(0);
	ASSERT(fd >= 0 && pipe(to) == 0);
	pid = fork();
	if (pid == 0) {
		if (read(to[0], &c, 1) != 1 || ask(fd, V4L2_BUF_TYPE_VIDEO_CAPTURE))
			_exit(1);
		_exit(map_it(&fd) == MAP_FAILED);
	}
	ASSERT_EQ(gate_allow(gate, pid, SESSION, CALLGATE_KIND_CAMERA, 9900), 0);
	ASSERT_EQ(system("echo 3000 >/sys/module/gatecam/parameters/mmap_ms;"
			 " echo 0 >/sys/module/gatecam/parameters/freed"),
		  0);
	ASSERT(write(to[1], "", 1) == 1);
	ASSERT(harness_wait(is_mapping, NULL, 10000));
	revoke_all();
	EXPECT(is_mapping(NULL));
	EXPECT(harness_wait(is_freed, NULL, 10000));
	EXPECT_EQ(parameter("/sys/module/gatecam/parameters/freed"), 1);
	ASSERT(waitpid(pid, NULL, 0) == pid);
	ASSERT_EQ(system("echo 0 >/sys/module/gatecam/parameters/mmap_ms"), 0);
	close(fd);
}

/* It takes the driver away. */
TEST(driver_leaves_while_it_is_gated)
{
	struct mic *mic = mic_start(ALICE);
	struct gate_message event;

	begin();
	ASSERT_EQ(mic_ready(mic, 0, node(NONATOMIC, 'c'), MIC_RW), 0);
	EXPECT(system("rmmod gatetest 2>/dev/null") != 0);
	ASSERT_EQ(mic_call(mic, MIC_CLOSE, 0, 0), 0);
	gate_forget(gate);
	EXPECT_EQ(system("rmmod gatetest"), 0);
	EXPECT(gate_wait(gate, CALLGATE_CMD_DEVICE_REMOVED_EVENT, 10000, &event));
	gate_close(gate);
	begin();
}

/* ---- no memory for what comes; last, because a substream that stays closed keeps the module for ever ---------- */

#define PLATFORM "/sys/bus/platform/drivers/"

static void need_test_module(void)
{
	if (access("/sys/module/callgate/parameters/test_no_memory", F_OK) == 0)
		return;
	if (system(". /run/rig/config && "
		   "test -e /callgate/$BUILD/module-test/$(uname -r)/callgate.ko"))
		harness_skip("no test module for this kernel; 'make module-test' builds one");
	ASSERT(harness_wait(unloaded, NULL, 10000));
	ASSERT_EQ(system(". /run/rig/config && "
			 "insmod /callgate/$BUILD/module-test/$(uname -r)/callgate.ko"),
		  0);
}

static void set_memory(bool there)
{
	ASSERT_EQ(system(there ? "echo 0 >/sys/module/callgate/parameters/test_no_memory"
			       : "echo 1 >/sys/module/callgate/parameters/test_no_memory"),
		  0);
}

TEST(camera_that_comes_without_memory_stays_closed)
{
	int fd;
	char c;

	begin();
	gate_close(gate);
	need_test_module();
	begin();
	ASSERT_EQ(system("echo gatecam.0 >" PLATFORM "gatecam/unbind"), 0);
	set_memory(false);
	ASSERT_EQ(system("echo gatecam.0 >" PLATFORM "gatecam/bind"), 0);
	set_memory(true);
	ASSERT_EQ(gate_allow(gate, getpid(), SESSION, CALLGATE_KIND_ALL, 9000), 0);
	EXPECT_EQ(open_node(0), -EACCES);
	/* With memory it is gated, and with a grant it works. */
	ASSERT_EQ(system("echo gatecam.0 >" PLATFORM "gatecam/unbind"), 0);
	ASSERT_EQ(system("echo gatecam.0 >" PLATFORM "gatecam/bind"), 0);
	fd = open_node(0);
	EXPECT_EQ(read(fd, &c, 1), 1);
	EXPECT_EQ(gate_end(gate, SESSION), 0);
	EXPECT(read(fd, &c, 1) == -1 && errno == EACCES);
	close(fd);
}

/* 1 if one of the two can be had. */
static long claim_either(void)
{
	bool control = usbfs_detach_claim(0) == 0, stream = usbfs_detach_claim(1) == 0;

	return control || stream;
}

static void usb_camera_without_memory(unsigned int functions)
{
	struct usbip *dev;

	begin();
	gate_close(gate);
	need_test_module();
	if (system("modprobe -a uvcvideo"))
		harness_skip("no uvcvideo");
	set_memory(false);
	dev = usbip_plug(functions);
	set_memory(true);
	ASSERT(dev);
	EXPECT_EQ(usbfs_as_user(dev, claim_either), 0);
	EXPECT(!*usbip_driver(dev, 0) && !*usbip_driver(dev, 1));
	EXPECT(usbip_unplug(dev));
	/* Plugged in again with memory, it works. */
	dev = usbip_plug(functions);
	ASSERT(dev && usbip_wait_driver(dev, 1, "uvcvideo"));
	EXPECT_EQ(usbfs_as_user(dev, claim_either), 0);
	EXPECT(usbip_unplug(dev));
}

TEST(usb_camera_that_comes_without_memory_cannot_be_claimed)
{
	usb_camera_without_memory(USBIP_CAMERA);
}

/* Its class says nothing, and its driver would be seen only when it is unbound. */
TEST(usb_camera_of_a_vendors_class_without_memory_cannot_be_claimed)
{
	usb_camera_without_memory(USBIP_CAMERA | USBIP_VENDOR);
}

static bool is_authorized(const struct usbip *dev, int interface)
{
	char path[100];

	snprintf(path, sizeof(path), "/sys/bus/usb/devices/%s:1.%d/authorized", dev->name,
		 interface);
	return parameter(path) == 1;
}

/* Whoever loses those may have lost the machine, and they film nobody. */
TEST(usb_keyboard_that_comes_without_memory_works)
{
	struct usbip *dev;

	begin();
	gate_close(gate);
	need_test_module();
	set_memory(false);
	dev = usbip_plug(USBIP_CAMERA | USBIP_KEYBOARD);
	set_memory(true);
	ASSERT(dev);
	EXPECT(!is_authorized(dev, 0));
	EXPECT(!is_authorized(dev, 1));
	EXPECT(is_authorized(dev, 4));
	EXPECT(usbip_unplug(dev));
}

TEST(microphone_that_comes_without_memory_stays_closed)
{
	struct mic *mic = mic_start(ALICE);

	begin();
	gate_close(gate);
	need_test_module();
	begin();
	ASSERT_EQ(system("echo gatetest.0 >" PLATFORM "gatetest/unbind"), 0);
	set_memory(false);
	ASSERT_EQ(system("echo gatetest.0 >" PLATFORM "gatetest/bind"), 0);
	set_memory(true);
	ASSERT_EQ(system("tests/vm/guest/devices"), 0);
	allow(mic);
	EXPECT_EQ(mic_open(mic, 0, node(NONATOMIC, 'c'), 0), -EACCES);
	EXPECT_EQ(mic_open(mic, 0, node(NONATOMIC, 'p'), 0), -EACCES);
	/* Nobody remembers the driver's operations. */
	EXPECT_EQ(gate_detach(gate), -EBUSY);
	/* The next card that comes with memory works. */
	ASSERT_EQ(system("echo gatetest.0 >" PLATFORM "gatetest/unbind"), 0);
	ASSERT_EQ(system("echo gatetest.0 >" PLATFORM "gatetest/bind"), 0);
	ASSERT_EQ(system("tests/vm/guest/devices"), 0);
	revoke_all();
	ASSERT_EQ(mic_ready(mic, 0, node(NONATOMIC, 'c'), MIC_RW), 0);
	expect_read_is_gated(mic);
}

static bool has_come(void *time)
{
	return harness_now() > *(uint64_t *)time;
}

/* A read of the camera after its grant's deadline, which came while jiffies stood still; @suspend: and the machine was suspended. */
static long read_after_sleep(bool suspend)
{
	uint64_t end;
	long r;
	int fd;
	char c;

	fd = open_node(0);
	ASSERT(fd >= 0);
	end = harness_now() + 5100000000ull;
	ASSERT_EQ(gate_allow(gate, getpid(), SESSION, CALLGATE_KIND_CAMERA, 5000), 0);
	ASSERT_EQ(read(fd, &c, 1), 1);
	ASSERT_EQ(system("echo 1 >/sys/module/callgate/parameters/test_asleep"), 0);
	/* The first read after it is found by the clock, and opens the short way. */
	ASSERT_EQ(read(fd, &c, 1), 1);
	if (suspend)
		ASSERT_EQ(system("echo freeze >/sys/power/state"), 0);
	ASSERT(harness_wait(has_come, &end, 20000));
	r = read(fd, &c, 1);
	r = r < 0 ? -errno : r;
	EXPECT_EQ(system("echo 0 >/sys/module/callgate/parameters/test_asleep"), 0);
	close(fd);
	return r;
}

/* Last of all: the rig's shared folders do not come back from a suspend, so nothing may be read from there afterwards. */
TEST(jiffies_are_not_believed_across_a_suspend)
{
	begin();
	gate_close(gate);
	need_test_module();
	begin();
	if (system("echo devices >/sys/power/pm_test && echo 1 >/sys/module/suspend/parameters/pm_test_delay"))
		harness_skip("this kernel cannot try a suspend");
	ASSERT(mlockall(MCL_CURRENT) == 0);
	/* Without a suspend they are believed: what the notice of one is there for. */
	EXPECT_EQ(read_after_sleep(false), 1);
	EXPECT_EQ(read_after_sleep(true), -EACCES);
	EXPECT_EQ(system("echo none >/sys/power/pm_test"), 0);
}

int main(int argc, char **argv)
{
	harness_leave_shares(argv);
	mic_main(argc, argv);
	return harness_main(argc, argv);
}
