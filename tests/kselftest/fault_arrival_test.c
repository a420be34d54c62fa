// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Memory that runs out while the module is loaded, and while a device comes.
 *
 * Runs as root on a kernel with fault injection: the debug kernel. The nth
 * allocation of one system call fails; n goes up until the call ends without
 * meeting it. Whatever fails, the module is not loaded, or what it should gate is
 * denied, or cannot be opened. The devices are those of tests/driver: what vivid
 * does with a failure is a use after free of its own (in 6.1), and ends a debug
 * kernel.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/types.h>
#include <linux/usbdevice_fs.h>
#include <dirent.h>
#include <sound/compress_offload.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fault.h"
#include "gate.h"
#include "harness.h"
#include "v4l2_fixture.h"

#define PLATFORM "/sys/bus/platform/"
#define USER	 1000
#define LONG	 3600
#define SESSION	 5
#define NODE	 "/tmp/node"

/* ---- what has come, if it has --------------------------------------------------------------------------------- */

/* Its first entry that begins with @begin, below @dir; false if there is none. */
static bool find_entry(const char *dir, const char *begin, char *ret_path, size_t size)
{
	struct dirent *entry;
	DIR *d = opendir(dir);
	bool found = false;

	while (d && !found && (entry = readdir(d))) {
		found = !strncmp(entry->d_name, begin, strlen(begin));
		if (found)
			snprintf(ret_path, size, "%s/%s", dir, entry->d_name);
	}
	if (d)
		closedir(d);
	return found;
}

/* Opens the device that @sysfs describes by a node of our own: the usual one may not have been made. */
static int open_device(const char *sysfs, int flags)
{
	unsigned int major, minor;
	char path[800];
	FILE *f;
	int fd, n;

	snprintf(path, sizeof(path), "%s/dev", sysfs);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	n = fscanf(f, "%u:%u", &major, &minor);
	fclose(f);
	ASSERT(n == 2);
	unlink(NODE);
	ASSERT(mknod(NODE, S_IFCHR | 0600, makedev(major, minor)) == 0);
	fd = open(NODE, flags | O_NONBLOCK | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

enum arrival {
	ABSENT,
	CLOSED, /* cannot be opened */
	DENIED,
	OPEN
};

static enum arrival camera(const char *device)
{
	char dir[300], path[600], byte;
	enum arrival r = DENIED;
	int fd;

	snprintf(dir, sizeof(dir), "%s/video4linux", device);
	if (!find_entry(dir, "video", path, sizeof(path)))
		return ABSENT;
	fd = open_device(path, O_RDWR);
	if (fd < 0)
		return CLOSED;
	if (read(fd, &byte, 1) == 1 || fault_buffers(fd) == 0)
		r = OPEN;
	close(fd);
	return r;
}

/* Of the capture PCMs of the card the worst: one that is open, then one that cannot be opened. */
static enum arrival microphone(const char *device)
{
	char dir[300], card[600], path[700], begin[32];
	enum arrival r = ABSENT;
	int pcm, fd;

	snprintf(dir, sizeof(dir), "%s/sound", device);
	if (!find_entry(dir, "card", card, sizeof(card)))
		return ABSENT;
	for (pcm = 0; pcm < 3; pcm++) {
		snprintf(begin, sizeof(begin), "pcmC%dD%dc", atoi(strrchr(card, '/') + 5), pcm);
		if (!find_entry(card, begin, path, sizeof(path)))
			continue;
		fd = open_device(path, O_RDWR);
		if (fd < 0) {
			r = r != OPEN ? CLOSED : r;
			continue;
		}
		if (fault_start_capture(fd) == 0)
			r = OPEN;
		else if (r == ABSENT)
			r = DENIED;
		close(fd);
	}
	return r;
}

/* Compressed capture (device 0) of the card. */
static enum arrival compressed(const char *device)
{
	struct snd_compr_params params = {
		.buffer = { .fragment_size = 1024, .fragments = 4 },
		.codec = { .id = SND_AUDIOCODEC_PCM, .ch_in = 1, .ch_out = 1, .sample_rate = 8000 },
	};
	char dir[300], card[600], path[700], begin[32];
	enum arrival r;
	int fd;

	snprintf(dir, sizeof(dir), "%s/sound", device);
	if (!find_entry(dir, "card", card, sizeof(card)))
		return ABSENT;
	snprintf(begin, sizeof(begin), "comprC%dD0", atoi(strrchr(card, '/') + 5));
	if (!find_entry(card, begin, path, sizeof(path)))
		return ABSENT;
	fd = open_device(path, O_RDONLY);
	if (fd < 0)
		return CLOSED;
	ASSERT_EQ(ioctl(fd, SNDRV_COMPRESS_SET_PARAMS, &params), 0);
	r = ioctl(fd, SNDRV_COMPRESS_START) == 0 ? OPEN : DENIED;
	close(fd);
	return r;
}

/* ---- devices that come ----------------------------------------------------------------------------------------- */

struct counts {
	int tried, absent, closed, denied;
};

/* Of one fault. */
static void count(struct counts *counts, enum arrival arrival, const char *what, int n)
{
	counts->tried++;
	switch (arrival) {
	case ABSENT:
		counts->absent++;
		break;
	case CLOSED:
		counts->closed++;
		break;
	case DENIED:
		counts->denied++;
		break;
	case OPEN:
		harness_fail(__FILE__, __LINE__, "fault %d: %s is open to all", n, what);
		break;
	}
}

static void note(const char *what, const struct counts *counts)
{
	harness_note("%s: %d faults, %d times it did not come, %d could not be opened, %d denied",
		     what, counts->tried, counts->absent, counts->closed, counts->denied);
}

/* Each fault of what happens when @device is bound to its driver. */
static struct counts arrive(const char *driver, const char *device,
			    enum arrival (*look)(const char *device))
{
	char bind[128], unbind[128], sysfs[128];
	struct counts counts = {};
	bool happened = true;
	int n, fd;

	snprintf(bind, sizeof(bind), PLATFORM "drivers/%s/bind", driver);
	snprintf(unbind, sizeof(unbind), PLATFORM "drivers/%s/unbind", driver);
	snprintf(sysfs, sizeof(sysfs), PLATFORM "devices/%s", device);
	for (n = 1; happened && n < FAULT_SWEEP; n++) {
		write_file(unbind, device);
		fd = open(bind, O_WRONLY | O_CLOEXEC);
		ASSERT(fd >= 0);
		fault_arm(n);
		if (write(fd, device, strlen(device)) < 0)
			EXPECT(errno != ENODEV);
		happened = fault_disarm();
		close(fd);
		count(&counts, look(sysfs), device, n);
	}
	counts.tried--; /* the last one met none */
	note(device, &counts);
	EXPECT(!happened);
	/* Without a fault it is there and gated. */
	EXPECT_EQ(look(sysfs), DENIED);
	return counts;
}

/* Which number an allocation has changes with what is cached, so that one sweep may miss the gate's own. */
static struct counts arrive_until_closed(const char *driver, const char *device,
					 enum arrival (*look)(const char *device))
{
	struct counts counts = arrive(driver, device, look);

	for (int i = 0; i < 5 && !counts.closed; i++)
		counts = arrive(driver, device, look);
	return counts;
}

static void insert(const char *driver)
{
	char command[256];

	snprintf(command, sizeof(command), "/sys/module/%s", driver);
	if (access(command, F_OK) == 0)
		return;
	snprintf(command, sizeof(command),
		 ". /run/rig/config && insmod /callgate/$BUILD/driver/$(uname -r)/%s.ko", driver);
	ASSERT_EQ(system(command), 0);
}

TEST_LIMIT(camera_that_comes_is_denied, LONG)
{
	struct counts counts;
	struct gate *gate;

	fault_prepare();
	insert("gatecam");
	counts = arrive_until_closed("gatecam", "gatecam.0", camera);
	EXPECT(counts.tried > 20 && counts.closed > 0);
	gate = gate_open_bound();
	ASSERT_EQ(gate_allow(gate, getpid(), SESSION, CALLGATE_KIND_CAMERA, 9000), 0);
	EXPECT_EQ(camera(PLATFORM "devices/gatecam.0"), OPEN);
}

/* ---- USB ------------------------------------------------------------------------------------------------------- */

#define USB "/sys/bus/usb/devices/"

/* The machine's own audio device: what is plugged in by USB/IP makes allocations whose failure that driver does not survive. */
static bool find_usb_audio(char *ret_name, size_t size)
{
	struct dirent *entry;
	char path[400], text[16];
	bool found = false;
	DIR *d = opendir(USB);
	FILE *f;

	while (d && !found && (entry = readdir(d))) {
		snprintf(path, sizeof(path), USB "%.60s:1.0/bInterfaceClass", entry->d_name);
		f = fopen(path, "re");
		found = f && fgets(text, sizeof(text), f) && !strncmp(text, "01", 2);
		if (f)
			fclose(f);
		if (found)
			snprintf(ret_name, size, "%.60s", entry->d_name);
	}
	if (d)
		closedir(d);
	return found;
}

static int read_number(const char *name, const char *attribute)
{
	char path[128];
	int n = -1;
	FILE *f;

	snprintf(path, sizeof(path), USB "%s/%s", name, attribute);
	f = fopen(path, "re");
	if (f && fscanf(f, "%d", &n) != 1)
		n = -1;
	if (f)
		fclose(f);
	return n;
}

/* Does an ordinary user of the device's node get hold of one of its interfaces? */
static bool user_gets(const char *name)
{
	struct usbdevfs_disconnect_claim command = {};
	int status = 0, fd;
	char node[64];
	pid_t pid;

	snprintf(node, sizeof(node), "/dev/bus/usb/%03d/%03d", read_number(name, "busnum"),
		 read_number(name, "devnum"));
	ASSERT(chmod(node, 0666) == 0);
	pid = fork();
	if (pid == 0) {
		if (setgroups(0, NULL) || setresgid(USER, USER, USER) ||
		    setresuid(USER, USER, USER))
			_exit(9);
		fd = open(node, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			_exit(8);
		for (; command.interface < 4; command.interface++)
			status |= ioctl(fd, USBDEVFS_DISCONNECT_CLAIM, &command) == 0;
		_exit(status);
	}
	ASSERT(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) < 2);
	return WEXITSTATUS(status);
}

static bool is_unloaded(void *unused)
{
	int err = unload();

	return err == 0 || err == -ENOENT;
}

/* Its interfaces come anew, and nobody has ever bound a driver to them. */
TEST_LIMIT(usb_interfaces_that_come_cannot_be_claimed, LONG)
{
	bool happened = true;
	char name[64], path[128];
	int n, fd, err = 0, failed = 0;

	fault_prepare();
	if (!find_usb_audio(name, sizeof(name)))
		harness_skip("this machine has no USB audio device");
	snprintf(path, sizeof(path), USB "%s/bConfigurationValue", name);
	for (n = 1; happened && n < FAULT_SWEEP; n++) {
		ASSERT_EQ(write_file(path, "0"), 0);
		fd = open(path, O_WRONLY | O_CLOEXEC);
		ASSERT(fd >= 0);
		fault_arm(n);
		err = write(fd, "1", 1) < 0 ? -errno : 0;
		happened = fault_disarm();
		close(fd);
		failed += err != 0;
		if (user_gets(name))
			harness_fail(__FILE__, __LINE__, "fault %d: it can be claimed", n);
	}
	harness_note("%d faults, %d times it was not configured", n - 2, failed);
	EXPECT(n > 20 && !happened);
	EXPECT_EQ(err, 0);
	/* The same user, without a gate. */
	ASSERT(harness_wait(is_unloaded, NULL, 60000));
	EXPECT(user_gets(name));
	ASSERT_EQ(load(), 0);
}

/* ---- loading --------------------------------------------------------------------------------------------------- */

/*
 * Of the initialisation only: what the kernel does before it, it does for every module, and some of it warns. The test
 * build of the module counts from its beginning.
 */
TEST_LIMIT(loading_fails_or_denies, LONG)
{
	int n, fd, err = 0, refused = 0, loaded = 0;
	char usb[64] = "", parameter[64];
	bool happened = true;

	fault_prepare();
	find_usb_audio(usb, sizeof(usb));
	if (system(". /run/rig/config && "
		   "cp /callgate/$BUILD/module-test/$(uname -r)/callgate.ko /tmp/"))
		harness_skip("no test module for this kernel; 'make module-test' builds one");
	fd = open("/tmp/callgate.ko", O_RDONLY | O_CLOEXEC);
	ASSERT(fd >= 0);
	for (n = 1; happened && n < FAULT_SWEEP; n++) {
		ASSERT(harness_wait(is_unloaded, NULL, 60000));
		snprintf(parameter, sizeof(parameter), "test_fail_nth=%d", n);
		err = syscall(SYS_finit_module, fd, parameter, 0) ? -errno : 0;
		happened = fault_disarm();
		if (err) {
			EXPECT_EQ(unload(), -ENOENT);
			refused++;
		} else {
			fault_expect_denied("loaded", n);
			EXPECT(!usb[0] || !user_gets(usb));
			loaded++;
		}
	}
	EXPECT_EQ(err, 0);
	harness_note("%d faults: %d times not loaded, %d times loaded and everything denied", n - 2,
		     refused, loaded - 1);
	EXPECT(refused > 10 && !happened);
}

/* ---- last, because a substream that is closed keeps the module for ever ---------------------------------------- */

/* Without playback: the sound core of 6.1 forgets to take back the first stream of a PCM whose second one fails. */
TEST_LIMIT(microphone_that_comes_is_denied, LONG)
{
	struct counts counts;
	struct gate *gate;

	fault_prepare();
	insert("gatetest");
	ASSERT_EQ(write_file("/sys/module/gatetest/parameters/playback", "0"), 0);
	counts = arrive_until_closed("gatetest", "gatetest.0", microphone);
	EXPECT(counts.tried > 40 && counts.closed > 0);
	gate = gate_open_bound();
	ASSERT_EQ(gate_allow(gate, getpid(), SESSION, CALLGATE_KIND_MICROPHONE, 9000), 0);
	EXPECT_EQ(microphone(PLATFORM "devices/gatetest.0"), OPEN);
}

TEST_LIMIT(compressed_capture_that_comes_is_denied, LONG)
{
	struct counts counts;
	struct gate *gate;

	fault_prepare();
	if (system("modprobe snd-compress"))
		harness_skip("this kernel has no compressed sound");
	insert("gatecompr");
	counts = arrive_until_closed("gatecompr", "gatecompr.0", compressed);
	EXPECT(counts.tried > 20 && counts.closed > 0);
	gate = gate_open_bound();
	ASSERT_EQ(gate_allow(gate, getpid(), SESSION, CALLGATE_KIND_MICROPHONE, 9000), 0);
	EXPECT_EQ(compressed(PLATFORM "devices/gatecompr.0"), OPEN);
}

int main(int argc, char **argv)
{
	return fault_main(argc, argv);
}
