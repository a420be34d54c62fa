/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef KSELFTEST_USBIP_PEER_H
#define KSELFTEST_USBIP_PEER_H

struct usbip_shared;

/* Is the device at @sock, whose other end the host controller has, until that is closed. @functions: USBIP_CAMERA and so on. */
_Noreturn void usbip_peer_run(unsigned int functions, struct usbip_shared *shared, int sock);

#endif
