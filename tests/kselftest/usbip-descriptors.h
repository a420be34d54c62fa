/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CALLGATE_USBIP_DESCRIPTORS_H
#define CALLGATE_USBIP_DESCRIPTORS_H

#include <stdint.h>

#define AUDIO_EP	     2
#define ISO_PACKET	     1024
#define LE16(x)		     ((x)&0xff), (((x) >> 8) & 0xff)
#define LE32(x)		     LE16((x)&0xffff), LE16(((x) >> 16) & 0xffff)
#define FRAME_INTERVAL_100NS 333333

/**
 * usbip_descriptor - the answer to GET_DESCRIPTOR
 * @functions: USBIP_CAMERA and so on
 * @setup: of the control transfer
 * Return: its bytes in @out, which has room for any; -EPIPE: there is no such descriptor
 */
int usbip_descriptor(unsigned int functions, const char *serial, const uint8_t *setup,
		     uint8_t *out);

#endif
