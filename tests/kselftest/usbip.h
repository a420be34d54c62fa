/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A USB device that is a process: a camera of the video class, bulk or isochronous, a microphone
 * of the audio class, or both in one device. It is plugged into vhci_hcd.
 */
#ifndef KSELFTEST_USBIP_H
#define KSELFTEST_USBIP_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define USBIP_CAMERA	  1 /* interfaces 0 (control) and 1 (streaming, endpoint 0x81) */
#define USBIP_MICROPHONE  2 /* interfaces 2 (control) and 3 (streaming, endpoint 0x82) */
/* The camera's interfaces say a vendor's class, and the device is one that uvcvideo knows all the same. */
#define USBIP_VENDOR	  4
/* The camera's endpoint is isochronous, in setting 1 of its streaming interface. */
#define USBIP_ISOCHRONOUS 8
/* Also isochronous: setting 0 of the streaming interface says a vendor's class, only setting 1 says what it is. */
#define USBIP_HIDDEN	  16
/* An interface for people's hands, which no driver wants: the last one of the device. */
#define USBIP_KEYBOARD	  32
/* The microphone has a second streaming interface: 5, endpoint 0x83. */
#define USBIP_TWO_STREAMS 64

#define USBIP_ENDPOINT	   0x81
#define USBIP_WIDTH	   64
#define USBIP_HEIGHT	   48
#define USBIP_FRAME_SIZE   (USBIP_WIDTH * USBIP_HEIGHT * 2)
/* Each frame holds this from end to end, and so does the sound. */
#define USBIP_PATTERN	   "camera-of-callgate-tests"
#define USBIP_PATTERN_SIZE (sizeof(USBIP_PATTERN) - 1)

/**
 * struct usbip_shared - between the device's process and the test
 * @frames: sent
 * @paused: send no frames, let the host wait
 * @deaf: and answer nothing at all from the next request of a class on, for some seconds
 */
struct usbip_shared {
	int frames;
	int paused;
	int deaf;
};

/**
 * struct usbip - a device that is plugged in
 * @pid: its process, whose end unplugs it
 * @pulled: its process has ended
 * @name: "5-1"
 * @node: in /dev/bus/usb, open to everybody
 */
struct usbip {
	pid_t pid;
	bool pulled;
	unsigned int functions;
	struct usbip_shared *shared;
	char name[32];
	char node[64];
};

/* Plugs a device in and waits until it is configured; NULL if that does not come about. Loads vhci_hcd. */
struct usbip *usbip_plug(unsigned int functions);
/* The same, and it may be deaf from the beginning. */
struct usbip *usbip_plug_deaf(unsigned int functions, bool deaf);
/* Pulls it out and waits until it is gone; frees. */
bool usbip_unplug(struct usbip *dev);
/* Pulls it out, waits for nothing; then usbip_unplug() does the rest. */
void usbip_pull(struct usbip *dev);
/* Waits until one that was pulled out has no driver any more. */
bool usbip_gone(struct usbip *dev);

/* The name of the driver of an interface; "" for none. */
const char *usbip_driver(const struct usbip *dev, int interface);
/* Waits until the interface has this driver, or none (""). */
bool usbip_wait_driver(const struct usbip *dev, int interface, const char *driver);
/* Writes to an attribute of the interface. Negative errno. */
int usbip_write(const struct usbip *dev, int interface, const char *attribute, const char *text);
/* Waits for the camera's capture node ("/dev/video2"), which everybody may then open. */
bool usbip_video(const struct usbip *dev, char *ret_node, size_t size);
/* Waits for the microphone's PCM ("/dev/snd/pcmC1D0c"). */
bool usbip_sound(const struct usbip *dev, char *ret_node, size_t size);

/* Does @data hold the pattern? */
bool usbip_is_pattern(const void *data, size_t size);

#endif
