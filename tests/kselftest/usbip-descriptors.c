// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the devices of usbip.c say they are. Owns nothing and keeps nothing.
 */
#include "usbip-descriptors.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "usbip.h"

/* clang-format off */
#define CAMERA_CONTROL								\
	/* association; control interface */					\
	8, 11, 0, 2, 0x0e, 3, 0, 0,						\
	9, 4, 0, 0, 0, 0x0e, 1, 0, 0,						\
	/* header, camera terminal, processing unit with a brightness, output terminal */ \
	13, 0x24, 1, LE16(0x0110), LE16(13 + 18 + 12 + 9), LE32(1000000), 1, 1,	\
	18, 0x24, 2, 1, LE16(0x0201), 0, 0, LE16(0), LE16(0), LE16(0), 3, 0, 0, 0, \
	12, 0x24, 5, 2, 1, LE16(0), 2, 1, 0, 0, 0,				\
	9, 0x24, 3, 3, LE16(0x0101), 0, 2, 0

/* Of the streaming interface: header, format YUY2, frame, colours. */
#define CAMERA_FORMAT								\
	14, 0x24, 1, 1, LE16(14 + 27 + 30 + 6), USBIP_ENDPOINT, 0, 3, 0, 0, 0, 1, 0, \
	27, 0x24, 4, 1, 1, 'Y', 'U', 'Y', '2', 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71, \
	16, 1, 0, 0, 0, 0,							\
	30, 0x24, 5, 1, 0, LE16(USBIP_WIDTH), LE16(USBIP_HEIGHT), LE32(USBIP_FRAME_SIZE * 8 * 30), \
	LE32(USBIP_FRAME_SIZE * 8 * 30), LE32(USBIP_FRAME_SIZE), LE32(FRAME_INTERVAL_100NS), 1, \
	LE32(FRAME_INTERVAL_100NS),						\
	6, 0x24, 13, 1, 1, 4

static const uint8_t bulk_descriptors[] = {
	CAMERA_CONTROL,
	9, 4, 1, 0, 1, 0x0e, 2, 0, 0,
	CAMERA_FORMAT,
	7, 5, USBIP_ENDPOINT, 2, LE16(512), 0,
};

/* A setting without an endpoint, and one with a packet each millisecond. */
static const uint8_t iso_descriptors[] = {
	CAMERA_CONTROL,
	9, 4, 1, 0, 0, 0x0e, 2, 0, 0,
	CAMERA_FORMAT,
	9, 4, 1, 1, 1, 0x0e, 2, 0, 0,
	7, 5, USBIP_ENDPOINT, 5, LE16(ISO_PACKET), 4,
};

/* Association; control interface: header, the numbers of the streaming interfaces, microphone, output terminal. */
#define SOUND_CONTROL(size, ...)						\
	8, 11, 2, 2, 1, 1, 0, 0,						\
	9, 4, 2, 0, 0, 1, 1, 0, 0,						\
	size, 0x24, 1, LE16(0x0100), LE16((size) + 12 + 9), (size) - 8, __VA_ARGS__, \
	12, 0x24, 2, 1, LE16(0x0201), 0, 1, LE16(0), 0, 0,			\
	9, 0x24, 3, 2, LE16(0x0101), 0, 1, 0

/* Streaming interface: silent setting; 8000 samples a second of 16 bit, in packets of a millisecond. */
#define SOUND_STREAM(interface, endpoint)					\
	9, 4, interface, 0, 0, 1, 2, 0, 0,					\
	9, 4, interface, 1, 1, 1, 2, 0, 0,					\
	7, 0x24, 1, 2, 1, LE16(1),						\
	11, 0x24, 2, 1, 1, 2, 16, 1, 0x40, 0x1f, 0,				\
	9, 5, 0x80 | (endpoint), 5, LE16(32), 4, 0, 0,				\
	7, 0x25, 1, 0, 0, LE16(0)

static const uint8_t microphone_descriptors[] = {
	SOUND_CONTROL(9, 3),
	SOUND_STREAM(3, AUDIO_EP),
};

static const uint8_t two_streams_descriptors[] = {
	SOUND_CONTROL(10, 3, 5),
	SOUND_STREAM(3, AUDIO_EP),
	SOUND_STREAM(5, AUDIO_EP + 1),
};

static const uint8_t keyboard_descriptors[] = {
	9, 4, 4, 0, 0, 3, 0, 0, 0,
};
/* clang-format on */

/* The class of a camera's interfaces, and of their association, where it is a vendor's. */
static void make_vendor(uint8_t *data, size_t size)
{
	size_t at;

	for (at = 0; at < size; at += data[at]) {
		if (data[at + 1] == 4)
			data[at + 5] = 0xff;
		if (data[at + 1] == 11)
			data[at + 4] = 0xff;
	}
}

static void hide_class(uint8_t *data, size_t size)
{
	size_t at;

	for (at = 0; at < size; at += data[at]) {
		if (data[at + 1] == 4 && data[at + 2] == 1 && data[at + 3] == 0)
			data[at + 5] = 0xff;
	}
}

static size_t get_configuration(unsigned int functions, uint8_t *out)
{
	bool iso = functions & USBIP_ISOCHRONOUS;
	const uint8_t *camera = iso ? iso_descriptors : bulk_descriptors;
	size_t camera_size = iso ? sizeof(iso_descriptors) : sizeof(bulk_descriptors);
	size_t size = 9;
	int count = 0;

	if (functions & USBIP_CAMERA) {
		memcpy(out + size, camera, camera_size);
		if (functions & USBIP_VENDOR)
			make_vendor(out + size, camera_size);
		if (functions & USBIP_HIDDEN)
			hide_class(out + size, camera_size);
		size += camera_size;
		count += 2;
	}
	if (functions & USBIP_TWO_STREAMS) {
		memcpy(out + size, two_streams_descriptors, sizeof(two_streams_descriptors));
		size += sizeof(two_streams_descriptors);
		count += 3;
	} else if (functions & USBIP_MICROPHONE) {
		memcpy(out + size, microphone_descriptors, sizeof(microphone_descriptors));
		size += sizeof(microphone_descriptors);
		count += 2;
	}
	if (functions & USBIP_KEYBOARD) {
		memcpy(out + size, keyboard_descriptors, sizeof(keyboard_descriptors));
		size += sizeof(keyboard_descriptors);
		count++;
	}
	memcpy(out, (uint8_t[]){ 9, 2, LE16(size), count, 1, 0, 0x80, 50 }, 9);
	return size;
}

static size_t get_string(const char *serial, int index, uint8_t *out)
{
	const char *text = index == 3 ? serial : index == 2 ? "Test camera" : "Callgate";
	size_t i, n = strlen(text);

	if (index == 0) {
		memcpy(out, (uint8_t[]){ 4, 3, LE16(0x0409) }, 4);
		return 4;
	}
	out[0] = 2 + 2 * n;
	out[1] = 3;
	for (i = 0; i < n; i++) {
		out[2 + 2 * i] = text[i];
		out[3 + 2 * i] = 0;
	}
	return out[0];
}

int usbip_descriptor(unsigned int functions, const char *serial, const uint8_t *setup, uint8_t *out)
{
	bool vendor = functions & USBIP_VENDOR;
	uint16_t id[2] = { vendor ? 0x046d : 0x1209, vendor ? 0x08c1 : 0x0001 };

	switch (setup[3]) {
	case 1:
		memcpy(out,
		       (uint8_t[]){ 18, 1, LE16(0x0200), 0xef, 2, 1, 64, LE16(id[0]), LE16(id[1]),
				    LE16(0x0100), 1, 2, 3, 1 },
		       18);
		return 18;
	case 2:
		return get_configuration(functions, out);
	case 3:
		return get_string(serial, setup[2], out);
	}
	return -EPIPE;
}
