// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Plugging devices in, and what became of them.
 *
 * Owns the process that is the device (usbip-peer.c) and its socket to the host
 * controller. Knows nothing of the gate. Called by the USB tests.
 */
#include "usbip.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"
#include "usbip-peer.h"

#define SPEED_HIGH 3
#define PORTS	   8
#define SYSFS	   "/sys/bus/usb/devices/"

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		err = -errno;
	close(fd);
	return err;
}

static bool read_text(const char *path, char *ret_text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, ret_text, size - 1);
	close(fd);
	if (n < 0)
		return false;
	ret_text[n] = 0;
	ret_text[strcspn(ret_text, "\n")] = 0;
	return true;
}

static pid_t start_peer(unsigned int functions, struct usbip_shared *shared, int sock, int other)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close(other);
	usbip_peer_run(functions, shared, sock);
}

/* Into the first free port; one that was pulled out lately may still be busy. */
static bool attach(int sock)
{
	char text[64];
	int port, i;

	for (i = 0; i < 200; i++) {
		for (port = 0; port < PORTS; port++) {
			snprintf(text, sizeof(text), "%d %d %d %d", port, sock, 0x10001 + port,
				 SPEED_HIGH);
			if (!write_text("/sys/devices/platform/vhci_hcd.0/attach", text))
				return true;
		}
		usleep(20000);
	}
	return false;
}

static bool find_device(void *arg)
{
	struct usbip *dev = arg;
	char path[300], text[64], wanted[16];
	int bus, number;
	bool found = false;
	size_t i;
	glob_t g;

	snprintf(wanted, sizeof(wanted), "%d", dev->pid);
	if (glob(SYSFS "*/serial", 0, NULL, &g))
		return false;
	for (i = 0; i < g.gl_pathc && !found; i++) {
		if (!read_text(g.gl_pathv[i], text, sizeof(text)) || strcmp(text, wanted))
			continue;
		g.gl_pathv[i][strlen(g.gl_pathv[i]) - strlen("/serial")] = 0;
		snprintf(dev->name, sizeof(dev->name), "%s", g.gl_pathv[i] + strlen(SYSFS));
		snprintf(path, sizeof(path), SYSFS "%s/busnum", dev->name);
		if (!read_text(path, text, sizeof(text)))
			continue;
		bus = atoi(text);
		snprintf(path, sizeof(path), SYSFS "%s/devnum", dev->name);
		if (!read_text(path, text, sizeof(text)))
			continue;
		number = atoi(text);
		snprintf(dev->node, sizeof(dev->node), "/dev/bus/usb/%03d/%03d", bus, number);
		snprintf(path, sizeof(path), SYSFS "%s/bConfigurationValue", dev->name);
		found = read_text(path, text, sizeof(text)) && atoi(text) == 1 &&
			!chmod(dev->node, 0666);
	}
	globfree(&g);
	return found;
}

static bool is_gone(void *arg)
{
	const struct usbip *dev = arg;
	char path[300], text[64];

	snprintf(path, sizeof(path), SYSFS "%s/serial", dev->name);
	return !read_text(path, text, sizeof(text)) || atoi(text) != dev->pid;
}

struct usbip *usbip_plug(unsigned int functions)
{
	return usbip_plug_deaf(functions, false);
}

struct usbip *usbip_plug_deaf(unsigned int functions, bool deaf)
{
	struct usbip *dev = calloc(1, sizeof(*dev));
	int pair[2];
	bool ok;

	if (!dev || system("modprobe -a vhci_hcd") ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return NULL;
	dev->functions = functions;
	dev->shared = mmap(NULL, sizeof(*dev->shared), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (dev->shared == MAP_FAILED)
		return NULL;
	dev->shared->deaf = deaf;
	dev->pid = start_peer(functions, dev->shared, pair[1], pair[0]);
	close(pair[1]);
	ok = attach(pair[0]);
	close(pair[0]);
	if (!ok || !harness_wait(find_device, dev, 20000)) {
		harness_note("the device does not come up");
		usbip_pull(dev);
		return NULL;
	}
	return dev;
}

void usbip_pull(struct usbip *dev)
{
	if (dev->pulled)
		return;
	kill(dev->pid, SIGKILL);
	waitpid(dev->pid, NULL, 0);
	dev->pulled = true;
}

bool usbip_gone(struct usbip *dev)
{
	return harness_wait(is_gone, dev, 20000);
}

bool usbip_unplug(struct usbip *dev)
{
	bool gone;

	usbip_pull(dev);
	gone = usbip_gone(dev);
	munmap(dev->shared, sizeof(*dev->shared));
	free(dev);
	return gone;
}

const char *usbip_driver(const struct usbip *dev, int interface)
{
	static char target[300];
	char path[300];
	ssize_t n;

	snprintf(path, sizeof(path), SYSFS "%s:1.%d/driver", dev->name, interface);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return "";
	target[n] = 0;
	return strrchr(target, '/') + 1;
}

struct wait_driver {
	const struct usbip *dev;
	int interface;
	const char *driver;
};

static bool has_driver(void *arg)
{
	const struct wait_driver *w = arg;

	return !strcmp(usbip_driver(w->dev, w->interface), w->driver);
}

bool usbip_wait_driver(const struct usbip *dev, int interface, const char *driver)
{
	return harness_wait(has_driver, &(struct wait_driver){ dev, interface, driver }, 10000);
}

int usbip_write(const struct usbip *dev, int interface, const char *attribute, const char *text)
{
	char path[300];

	snprintf(path, sizeof(path), SYSFS "%s:1.%d/%s", dev->name, interface, attribute);
	return write_text(path, text);
}

struct wait_node {
	char pattern[200];
	char *ret_node;
	size_t size;
	bool video;
};

/* Of uvcvideo's two nodes the second one is for metadata. */
static bool has_node(void *arg)
{
	struct wait_node *w = arg;
	char path[400], text[16];
	bool found = false;
	size_t i;
	glob_t g;

	if (glob(w->pattern, 0, NULL, &g))
		return false;
	for (i = 0; i < g.gl_pathc && !found; i++) {
		snprintf(path, sizeof(path), "%s/index", g.gl_pathv[i]);
		if (w->video && (!read_text(path, text, sizeof(text)) || atoi(text)))
			continue;
		snprintf(w->ret_node, w->size, "/dev/%s%s", w->video ? "" : "snd/",
			 strrchr(g.gl_pathv[i], '/') + 1);
		found = !chmod(w->ret_node, 0666);
	}
	globfree(&g);
	return found;
}

bool usbip_video(const struct usbip *dev, char *ret_node, size_t size)
{
	struct wait_node w = { .ret_node = ret_node, .size = size, .video = true };

	snprintf(w.pattern, sizeof(w.pattern), SYSFS "%s:1.0/video4linux/video*", dev->name);
	return harness_wait(has_node, &w, 10000);
}

bool usbip_sound(const struct usbip *dev, char *ret_node, size_t size)
{
	struct wait_node w = { .ret_node = ret_node, .size = size };

	snprintf(w.pattern, sizeof(w.pattern), SYSFS "%s:1.2/sound/card*/pcmC*c", dev->name);
	return harness_wait(has_node, &w, 10000);
}

bool usbip_is_pattern(const void *data, size_t size)
{
	return memmem(data, size, USBIP_PATTERN, USBIP_PATTERN_SIZE) != NULL;
}
