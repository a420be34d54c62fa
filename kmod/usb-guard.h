/* SPDX-License-Identifier: GPL-2.0-only */
/* The record of one USB interface: what usb.c and usb-restore.c share. */
#ifndef CALLGATE_USB_GUARD_H
#define CALLGATE_USB_GUARD_H

#include <linux/device.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/string.h>
#include <linux/usb.h>

/**
 * struct usb_guard - an interface of an active configuration
 * @node: in callgate_usb_guards
 * @intf: referenced
 * @opener: the interface whose binding opened this one, compared only; NULL: closed
 * @driver: the last that was bound, compared only
 * @capture: a camera's or a microphone's; never cleared
 * @allowed: what the administrator said by the authorized attribute
 * @parked: unbound by a privileged process
 * @lost: the worker has to look at it
 *
 * The lock of the USB device serialises binding and usbfs, not these fields:
 * an interface may be unbound without it.
 */
struct usb_guard {
	struct list_head node;
	struct usb_interface *intf;
	const struct usb_interface *opener;
	const struct device_driver *driver;
	bool capture;
	bool allowed;
	bool parked;
	bool lost;
};

/* Guards the list, every record and the authorized bit of capture interfaces. Nests inside the device locks; nothing inside. */
extern struct mutex callgate_usb_lock;
extern struct list_head callgate_usb_guards;

/* No two drivers of a bus share a name. */
static inline bool callgate_usb_is_usbfs(const struct device_driver *driver)
{
	return driver && !strcmp(driver->name, "usbfs");
}

/* usb.c */

/* The record of @intf, or NULL. With the lock. */
struct usb_guard *callgate_usb_find(const struct usb_interface *intf);

/* usb-restore.c */

/* An interface has lost its driver, or usbfs has it: the worker will look at it. With the lock. */
void callgate_usb_lose(struct usb_guard *guard);
/* Is it the worker that calls? */
bool callgate_usb_restoring(void);
/* Waits until the worker has done what it has to do now. May sleep. */
void callgate_usb_restore_flush(void);
/* The same, and nothing is left to be done. Nobody loses anything any more. */
void callgate_usb_restore_cancel(void);

#endif
