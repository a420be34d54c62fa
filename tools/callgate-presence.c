// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * callgate-presence: tells callgate-agent when a hand presses something on this
 * seat. Started by it for as long as a question is on the screen, with a socket at
 * standard input; runs as a user of its own with the group of the input devices.
 * Must not say more than that: kind and time of a press.
 *
 * Security: the socket must have been made by a process with the agents' group,
 * which the kernel vouches for; nobody else can have the keyboard listened to. The
 * kernel hands over the primary button, touch and the space bar only; no other key
 * reaches this process. Devices that a program made (uinput) are not listened to, nor
 * those of uhid where more than root may make them. Enter is not among the keys,
 * because it always says no.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <linux/input.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <systemd/sd-device.h>
#include <unistd.h>

#define AGENT_GROUP  "callgate-agent"
#define DEVICES_MAX  64
#define LONG_BITS    (8 * sizeof(unsigned long))
#define LONGS(bits)  (((bits) + LONG_BITS - 1) / LONG_BITS)
#define INPUT_FOLDER "/dev/input"

static const uint16_t keys[] = { BTN_LEFT, BTN_TOUCH, KEY_SPACE };

static void set_bit(unsigned long *bits, unsigned int bit)
{
	bits[bit / LONG_BITS] |= 1ul << (bit % LONG_BITS);
}

static bool test_bit(const unsigned long *bits, unsigned int bit)
{
	return bits[bit / LONG_BITS] & 1ul << (bit % LONG_BITS);
}

static bool is_key(unsigned int code)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (keys[i] == code)
			return true;
	return false;
}

/* Was it made by hardware? The kernel puts what programs make below devices/virtual. */
static bool is_hardware(const char *syspath)
{
	struct stat st;

	if (strncmp(syspath, "/sys/devices/virtual/", strlen("/sys/devices/virtual/")) != 0)
		return true;
	/* Bluetooth keyboards come from a daemon of root's through uhid. */
	if (strncmp(syspath, "/sys/devices/virtual/misc/uhid/",
		    strlen("/sys/devices/virtual/misc/uhid/")) != 0)
		return false;
	return stat("/dev/uhid", &st) == 0 && st.st_uid == 0 && (st.st_mode & 022) == 0;
}

static bool is_of_seat(sd_device *device, const char *seat)
{
	const char *of;

	if (sd_device_get_property_value(device, "ID_SEAT", &of) < 0)
		of = "seat0";
	return strcmp(of, seat) == 0;
}

/* Lets nothing through but what is in keys. */
static int mask(int fd)
{
	unsigned long types[LONGS(EV_CNT)] = { 0 }, codes[LONGS(KEY_CNT)] = { 0 };
	struct input_mask masks[] = {
		{ .type = EV_KEY, .codes_size = sizeof(codes), .codes_ptr = (uintptr_t)codes },
		{ .type = 0, .codes_size = sizeof(types), .codes_ptr = (uintptr_t)types },
	};
	int clock = CLOCK_MONOTONIC;

	set_bit(types, EV_KEY);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		set_bit(codes, keys[i]);
	for (size_t i = 0; i < sizeof(masks) / sizeof(masks[0]); i++)
		if (ioctl(fd, EVIOCSMASK, &masks[i]) < 0)
			return -errno;
	return ioctl(fd, EVIOCSCLOCKID, &clock) < 0 ? -errno : 0;
}

static bool has_keys(int fd)
{
	unsigned long codes[LONGS(KEY_CNT)] = { 0 };

	if (ioctl(fd, EVIOCGBIT(EV_KEY, sizeof(codes)), codes) < 0)
		return false;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (test_bit(codes, keys[i]))
			return true;
	return false;
}

/* The device, masked; -1 where it is not one to listen to. */
static int open_device(const char *name, const char *seat)
{
	char path[sizeof(INPUT_FOLDER) + NAME_MAX + 2];
	sd_device *device = NULL;
	const char *syspath;
	struct stat st;
	bool good;
	int fd;

	snprintf(path, sizeof(path), INPUT_FOLDER "/%s", name);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -1;
	good = fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) &&
	       sd_device_new_from_stat_rdev(&device, &st) >= 0 &&
	       sd_device_get_syspath(device, &syspath) >= 0 && is_hardware(syspath) &&
	       is_of_seat(device, seat) && has_keys(fd) && mask(fd) == 0;
	sd_device_unref(device);
	if (!good) {
		close(fd);
		return -1;
	}
	return fd;
}

static nfds_t open_devices(const char *seat, struct pollfd *ret_polls, nfds_t n)
{
	DIR *folder = opendir(INPUT_FOLDER);
	struct dirent *entry;
	int fd;

	while (folder && n < DEVICES_MAX && (entry = readdir(folder))) {
		if (strncmp(entry->d_name, "event", 5) != 0)
			continue;
		fd = open_device(entry->d_name, seat);
		if (fd >= 0)
			ret_polls[n++] = (struct pollfd){ .fd = fd, .events = POLLIN };
	}
	if (folder)
		closedir(folder);
	return n;
}

/* A finger on a touch pad moves the pointer, and tapping clicks with it. */
static const char *kind_of(int fd, uint16_t code)
{
	unsigned long properties[LONGS(INPUT_PROP_CNT)] = { 0 };

	if (code == KEY_SPACE)
		return "key";
	if (code == BTN_LEFT)
		return "pointer";
	if (ioctl(fd, EVIOCGPROP(sizeof(properties)), properties) < 0)
		return "touch";
	return test_bit(properties, INPUT_PROP_DIRECT) ? "touch" : "pointer";
}

/* False: the socket or this device is gone. */
static bool pass_on(int fd)
{
	struct input_event event;
	char line[64];
	ssize_t n;

	for (;;) {
		n = read(fd, &event, sizeof(event));
		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		if (n != sizeof(event))
			return false;
		/* The first ones may be from before the mask. */
		if (event.type != EV_KEY || event.value != 1 || !is_key(event.code))
			continue;
		snprintf(line, sizeof(line), "%s %" PRIu64 "\n", kind_of(fd, event.code),
			 (uint64_t)event.input_event_sec * 1000 + event.input_event_usec / 1000);
		if (send(STDIN_FILENO, line, strlen(line), MSG_NOSIGNAL) < 0)
			return false;
	}
}

static int listen_to(const char *seat)
{
	struct pollfd polls[DEVICES_MAX] = { { .fd = STDIN_FILENO, .events = POLLIN } };
	nfds_t n = open_devices(seat, polls, 1);

	if (n == 1) {
		fprintf(stderr,
			"callgate-presence: no keyboard, pointer or touch screen of %s can be read; "
			"is this program installed set-id to the group of /dev/input?\n",
			seat);
		return 1;
	}
	if (send(STDIN_FILENO, "ready\n", 6, MSG_NOSIGNAL) < 0)
		return 1;
	for (;;) {
		if (poll(polls, n, -1) < 0 && errno != EINTR)
			return 1;
		/* It says nothing to us: its end is the end. */
		if (polls[0].revents)
			return 0;
		for (nfds_t i = 1; i < n; i++) {
			if (polls[i].revents && !pass_on(polls[i].fd)) {
				close(polls[i].fd);
				polls[i].fd = -1;
			}
		}
	}
}

/* Was the socket made by an agent? */
static bool is_agent(void)
{
	const struct group *group = getgrnam(AGENT_GROUP);
	struct ucred peer;
	socklen_t length = sizeof(peer);

	return group && getsockopt(STDIN_FILENO, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
	       peer.gid == group->gr_gid;
}

static bool is_seat_name(const char *name)
{
	size_t length = strlen(name);

	return length >= 4 && length < 32 && strncmp(name, "seat", 4) == 0 &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == length;
}

int main(int argc, char **argv)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();

	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		puts("Usage: callgate-presence SEAT\n\n"
		     "Tells callgate-agent, which starts it, when a hand presses something.\n"
		     "See callgate-agent(1).");
		return 0;
	}
	if (argc != 2 || !is_seat_name(argv[1])) {
		fputs("callgate-presence: callgate-agent starts this program; see --help\n",
		      stderr);
		return 2;
	}
	/* What the user started is the user's no more: he cannot signal or trace it. */
	if (clearenv() != 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0 ||
	    prctl(PR_SET_DUMPABLE, 0) < 0 || chdir("/") < 0)
		return 1;
	if (!is_agent()) {
		fputs("callgate-presence: only callgate-agent may start this program\n", stderr);
		return 1;
	}
	return listen_to(argv[1]);
}
