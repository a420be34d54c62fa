/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Raw USB on a device of usbip.c, by the user whose node it is: past every driver's device. */
#ifndef KSELFTEST_USBFS_H
#define KSELFTEST_USBFS_H

#include "usbip.h"

#define USBFS_USER 1000

/* Turns the calling process, a child, into that user with the node open. Nothing below works before. */
void usbfs_become_user(const struct usbip *dev);
/* What @act returns in such a process, which ends with it. */
long usbfs_as_user(const struct usbip *dev, long (*act)(void));

/* Each: 0 or more, or a negative errno. */
long usbfs_control(unsigned long command, void *argument);
long usbfs_claim(unsigned int interface);
long usbfs_detach(int interface);
/* Both in one call, under the device's lock: nobody can come between. */
long usbfs_detach_claim(unsigned int interface);
long usbfs_set_interface(unsigned int interface, unsigned int setting);
/* USBDEVFS_URB_TYPE_*; does not wait. Claims by itself if it must, as the next two do. */
long usbfs_submit(unsigned char type, unsigned char endpoint);
long usbfs_clear_halt(void);
/* 1 if the pattern came, 0 if something else. @size: of a packet. */
long usbfs_read_bulk(void);
long usbfs_read_iso(unsigned int interface, unsigned char endpoint, unsigned int size);

#endif
