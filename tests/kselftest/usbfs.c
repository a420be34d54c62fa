// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Raw USB as any program with the device's node may ask for it.
 *
 * Owns the node's descriptor, of which a process has one. Knows nothing of the
 * gate. Called by the USB tests.
 */
#include "usbfs.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/usbdevice_fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

static int node_fd;

long usbfs_control(unsigned long command, void *argument)
{
	int r = ioctl(node_fd, command, argument);

	return r < 0 ? -errno : r;
}

long usbfs_claim(unsigned int interface)
{
	return usbfs_control(USBDEVFS_CLAIMINTERFACE, &interface);
}

long usbfs_detach(int interface)
{
	struct usbdevfs_ioctl command = { .ifno = interface, .ioctl_code = USBDEVFS_DISCONNECT };

	return usbfs_control(USBDEVFS_IOCTL, &command);
}

long usbfs_detach_claim(unsigned int interface)
{
	struct usbdevfs_disconnect_claim command = { .interface = interface };

	return usbfs_control(USBDEVFS_DISCONNECT_CLAIM, &command);
}

long usbfs_read_bulk(void)
{
	static char data[USBIP_FRAME_SIZE + 512];
	struct usbdevfs_bulktransfer transfer = {
		.ep = USBIP_ENDPOINT, .len = sizeof(data), .timeout = 3000, .data = data
	};
	long n = usbfs_control(USBDEVFS_BULK, &transfer);

	return n < 0 ? n : usbip_is_pattern(data, n);
}

long usbfs_submit(unsigned char type, unsigned char endpoint)
{
	static struct {
		struct usbdevfs_urb urb;
		struct usbdevfs_iso_packet_desc packet;
	} request;
	static char data[512];

	request.urb = (struct usbdevfs_urb){ .type = type,
					     .endpoint = endpoint,
					     .buffer = data,
					     .buffer_length = 96,
					     .number_of_packets = type == USBDEVFS_URB_TYPE_ISO };
	request.packet.length = 96;
	return usbfs_control(USBDEVFS_SUBMITURB, &request.urb);
}

long usbfs_read_iso(unsigned int interface, unsigned char endpoint, unsigned int size)
{
	struct usbdevfs_setinterface setting = { interface, 1 };
	static struct {
		struct usbdevfs_urb urb;
		struct usbdevfs_iso_packet_desc packets[8];
	} request;
	static char data[8 * 1024];
	size_t n = 0;
	void *done;
	long r;
	int i;

	r = usbfs_control(USBDEVFS_SETINTERFACE, &setting);
	if (r)
		return r;
	request.urb = (struct usbdevfs_urb){ .type = USBDEVFS_URB_TYPE_ISO,
					     .endpoint = endpoint,
					     .flags = USBDEVFS_URB_ISO_ASAP,
					     .buffer = data,
					     .buffer_length = 8 * size,
					     .number_of_packets = 8 };
	for (i = 0; i < 8; i++)
		request.packets[i].length = size;
	r = usbfs_control(USBDEVFS_SUBMITURB, &request.urb)
		    ?: usbfs_control(USBDEVFS_REAPURB, &done);
	if (r)
		return r;
	for (i = 0; i < 8; i++) {
		memmove(data + n, data + i * size, request.packets[i].actual_length);
		n += request.packets[i].actual_length;
	}
	return usbip_is_pattern(data, n);
}

long usbfs_set_interface(unsigned int interface, unsigned int setting)
{
	struct usbdevfs_setinterface command = { interface, setting };

	return usbfs_control(USBDEVFS_SETINTERFACE, &command);
}

long usbfs_clear_halt(void)
{
	unsigned int endpoint = USBIP_ENDPOINT;

	return usbfs_control(USBDEVFS_CLEAR_HALT, &endpoint);
}

void usbfs_become_user(const struct usbip *dev)
{
	if (setgroups(0, NULL) || setresgid(USBFS_USER, USBFS_USER, USBFS_USER) ||
	    setresuid(USBFS_USER, USBFS_USER, USBFS_USER))
		_exit(9);
	node_fd = open(dev->node, O_RDWR | O_CLOEXEC);
}

long usbfs_as_user(const struct usbip *dev, long (*act)(void))
{
	int fds[2], status;
	long r = -EPIPE;
	pid_t pid;

	ASSERT(pipe(fds) == 0);
	pid = fork();
	if (pid == 0) {
		usbfs_become_user(dev);
		r = node_fd < 0 ? -errno : act();
		if (write(fds[1], &r, sizeof(r)) != sizeof(r))
			_exit(9);
		_exit(0);
	}
	close(fds[1]);
	if (read(fds[0], &r, sizeof(r)) != sizeof(r))
		harness_fail(__FILE__, __LINE__, "the user's process ended");
	close(fds[0]);
	waitpid(pid, &status, 0);
	return r;
}
