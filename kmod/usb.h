/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CALLGATE_USB_H
#define CALLGATE_USB_H

#include <linux/kconfig.h>

#if IS_ENABLED(CONFIG_USB)
/* Keeps usbfs off every present and future capture interface. Process context. Negative errno: nothing is left behind. */
int callgate_usb_init(void);
/* Lets usbfs have the interfaces again. Idempotent. Before the devices of V4L2 and ALSA are given back. May sleep. */
void callgate_usb_detach(void);
#else
static inline int callgate_usb_init(void)
{
	return 0;
}

static inline void callgate_usb_detach(void)
{
}
#endif

#endif
