// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The device's side of the USB/IP protocol, over a socket pair.
 *
 * Answers the host controller: the few class requests that uvcvideo and
 * snd-usb-audio make, and frames and samples at their pace as long as the host
 * asks for them; what the device says it is stands in usbip-descriptors.c. Runs in
 * a process of its own. Called by usbip.c.
 */
#include "usbip-peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness.h"
#include "usbip-descriptors.h"
#include "usbip.h"

#define CMD_SUBMIT 1
#define CMD_UNLINK 2
#define RET_SUBMIT 3
#define RET_UNLINK 4

#define PACKETS	     64
#define PENDING	     32
#define FRAME_MS     33
#define DEAF_MS	     5000
#define UVC_HEADER   2
#define SOUND_PACKET 16
#define VIDEO_PACKET (UVC_HEADER + USBIP_FRAME_SIZE)

/* All fields are big-endian on the wire. */
struct header {
	uint32_t command, seqnum, devid, direction, ep;
	union {
		struct {
			uint32_t flags, length, start_frame, packets, interval;
			uint8_t setup[8];
		} submit;
		struct {
			uint32_t status, length, start_frame, packets, errors, pad[2];
		} ret;
		struct {
			uint32_t seqnum, pad[6];
		} unlink;
	};
};

_Static_assert(sizeof(struct header) == 48, "the header of USB/IP has 48 bytes");

struct packet {
	uint32_t offset, length, actual, status;
};

/* A transfer that the host has asked for and that waits for its time. */
struct pending {
	uint32_t seqnum;
	uint32_t length;
	uint32_t count;
	struct packet packets[PACKETS];
};

struct queue {
	struct pending list[PENDING];
	int count;
	uint64_t next;
};

struct peer {
	int sock;
	unsigned int functions;
	struct usbip_shared *shared;
	char serial[16];
	uint8_t configuration;
	uint8_t brightness;
	uint8_t probe[34];
	uint8_t fid;
	uint32_t sent; /* of the frame, in isochronous packets */
	struct queue video, audio;
	uint64_t samples;
};

/* ---- control requests ------------------------------------------------------------------------------------------ */

static int get_video(const struct peer *p, const uint8_t *setup, uint8_t *out)
{
	int selector = setup[3], interface = setup[4], request = setup[1];
	bool stream = interface == 1 && (selector == 1 || selector == 2);
	uint16_t value;

	if (request == 0x86) {
		out[0] = 3;
		return 1;
	}
	if (request == 0x85) {
		memcpy(out, (uint8_t[]){ LE16(stream ? 34 : 2) }, 2);
		return 2;
	}
	if (stream) {
		memcpy(out, p->probe, sizeof(p->probe));
		return sizeof(p->probe);
	}
	if (interface != 0 || setup[5] != 2 || selector != 2)
		return -EPIPE;
	switch (request) {
	case 0x81:
		value = p->brightness;
		break;
	case 0x83:
		value = 255;
		break;
	case 0x84:
		value = 1;
		break;
	case 0x87:
		value = 128;
		break;
	default:
		value = 0;
	}
	memcpy(out, (uint8_t[]){ LE16(value) }, 2);
	return 2;
}

static int control_in(const struct peer *p, const uint8_t *setup, uint8_t *out)
{
	if ((setup[0] & 0x60) == 0x20)
		return (p->functions & USBIP_CAMERA) && setup[4] < 2 ? get_video(p, setup, out)
								     : -EPIPE;
	switch (setup[1]) {
	case 0: /* GET_STATUS */
		memset(out, 0, 2);
		return 2;
	case 6:
		return usbip_descriptor(p->functions, p->serial, setup, out);
	case 8: /* GET_CONFIGURATION */
		out[0] = p->configuration;
		return 1;
	case 10: /* GET_INTERFACE */
		out[0] = 0;
		return 1;
	}
	return -EPIPE;
}

static int control_out(struct peer *p, const uint8_t *setup, const uint8_t *data, size_t size)
{
	if ((setup[0] & 0x60) == 0x20) {
		/* A probe or commit chooses between one format, one frame and one interval. */
		if (setup[4] == 1)
			return 0;
		if (setup[4] == 0 && setup[5] == 2 && size >= 1) {
			p->brightness = data[0];
			return 0;
		}
		return -EPIPE;
	}
	switch (setup[1]) {
	case 9: /* SET_CONFIGURATION */
		p->configuration = setup[2];
		return 0;
	case 11: /* SET_INTERFACE: a stream begins with a whole frame */
		p->sent = 0;
		return 0;
	case 1: /* CLEAR_FEATURE */
	case 3: /* SET_FEATURE */
		return 0;
	}
	return -EPIPE;
}

/* ---- the wire -------------------------------------------------------------------------------------------------- */

static void receive(struct peer *p, void *data, size_t size)
{
	if (size && recv(p->sock, data, size, MSG_WAITALL) != (ssize_t)size)
		_exit(0);
}

static void transmit(struct peer *p, const void *data, size_t size)
{
	size_t done = 0;
	ssize_t n;

	while (done < size) {
		n = send(p->sock, (const uint8_t *)data + done, size - done, MSG_NOSIGNAL);
		if (n <= 0)
			_exit(0);
		done += n;
	}
}

static void reply(struct peer *p, uint32_t command, uint32_t seqnum, int status, uint32_t length,
		  uint32_t packets)
{
	struct header h = { .command = htonl(command), .seqnum = htonl(seqnum) };

	h.ret.status = htonl(status);
	h.ret.length = htonl(length);
	h.ret.packets = htonl(packets);
	transmit(p, &h, sizeof(h));
}

static void fill_pattern(uint8_t *data, size_t size, uint64_t phase)
{
	size_t i;

	for (i = 0; i < size; i++)
		data[i] = USBIP_PATTERN[(phase + i) % USBIP_PATTERN_SIZE];
}

static void queue_pop(struct queue *q, int index)
{
	memmove(&q->list[index], &q->list[index + 1], (q->count - index - 1) * sizeof(q->list[0]));
	q->count--;
}

static void send_frame(struct peer *p)
{
	static uint8_t data[VIDEO_PACKET];
	struct pending *t = &p->video.list[0];
	uint32_t size = t->length < sizeof(data) ? t->length : sizeof(data);

	p->fid ^= 1;
	data[0] = UVC_HEADER;
	data[1] = 0x80 | 2 | p->fid;
	fill_pattern(data + UVC_HEADER, USBIP_FRAME_SIZE, 0);
	reply(p, RET_SUBMIT, t->seqnum, 0, size, 0);
	transmit(p, data, size);
	queue_pop(&p->video, 0);
	__atomic_add_fetch(&p->shared->frames, 1, __ATOMIC_RELAXED);
}

/* As much of the frames as the packets of one transfer hold; one begins where the last one ends. */
static void send_packets(struct peer *p)
{
	static uint8_t data[PACKETS * ISO_PACKET];
	struct pending *t = &p->video.list[0];
	uint32_t i, size = 0, n;

	for (i = 0; i < t->count; i++) {
		n = ntohl(t->packets[i].length);
		n = n < ISO_PACKET ? n : ISO_PACKET;
		if (n < UVC_HEADER + 1)
			_exit(1);
		n -= UVC_HEADER;
		if (n > USBIP_FRAME_SIZE - p->sent)
			n = USBIP_FRAME_SIZE - p->sent;
		if (!p->sent)
			p->fid ^= 1;
		data[size] = UVC_HEADER;
		data[size + 1] = 0x80 | p->fid;
		fill_pattern(data + size + UVC_HEADER, n, p->sent);
		p->sent += n;
		if (p->sent == USBIP_FRAME_SIZE) {
			data[size + 1] |= 2;
			p->sent = 0;
			__atomic_add_fetch(&p->shared->frames, 1, __ATOMIC_RELAXED);
		}
		size += UVC_HEADER + n;
		t->packets[i].actual = htonl(UVC_HEADER + n);
		t->packets[i].status = 0;
	}
	reply(p, RET_SUBMIT, t->seqnum, 0, size, t->count);
	transmit(p, data, size);
	transmit(p, t->packets, t->count * sizeof(t->packets[0]));
	queue_pop(&p->video, 0);
}

static void send_sound(struct peer *p)
{
	static uint8_t data[PACKETS * SOUND_PACKET];
	struct pending *t = &p->audio.list[0];
	uint32_t i, size = 0, n;

	for (i = 0; i < t->count; i++) {
		n = ntohl(t->packets[i].length);
		n = n < SOUND_PACKET ? n : SOUND_PACKET;
		fill_pattern(data + size, n, p->samples);
		p->samples += n;
		size += n;
		t->packets[i].actual = htonl(n);
		t->packets[i].status = 0;
	}
	reply(p, RET_SUBMIT, t->seqnum, 0, size, t->count);
	transmit(p, data, size);
	transmit(p, t->packets, t->count * sizeof(t->packets[0]));
	queue_pop(&p->audio, 0);
}

/* Not for ever: where usbfs waits for the driver that waits here, nobody else would end it. */
static void stay_deaf(const struct peer *p)
{
	uint64_t until = harness_now() + DEAF_MS * 1000000ull;

	while (__atomic_load_n(&p->shared->deaf, __ATOMIC_RELAXED) && harness_now() < until)
		usleep(1000);
	__atomic_store_n(&p->shared->deaf, 0, __ATOMIC_RELAXED);
}

static void on_control(struct peer *p, const struct header *h, const uint8_t *data)
{
	static uint8_t out[4096];
	uint32_t length = ntohl(h->submit.length);
	int n;

	if ((h->submit.setup[0] & 0x60) == 0x20)
		stay_deaf(p);
	if (ntohl(h->direction)) {
		n = control_in(p, h->submit.setup, out);
		if (n > (int)length)
			n = length;
		reply(p, RET_SUBMIT, ntohl(h->seqnum), n < 0 ? n : 0, n < 0 ? 0 : n, 0);
		if (n > 0)
			transmit(p, out, n);
		return;
	}
	n = control_out(p, h->submit.setup, data, length);
	reply(p, RET_SUBMIT, ntohl(h->seqnum), n, n < 0 ? 0 : length, 0);
}

static void on_submit(struct peer *p, const struct header *h)
{
	static uint8_t data[65536];
	uint32_t length = ntohl(h->submit.length), count = ntohl(h->submit.packets);
	uint32_t ep = ntohl(h->ep);
	struct pending t = { .seqnum = ntohl(h->seqnum), .length = length };
	struct queue *q = ep == AUDIO_EP ? &p->audio : &p->video;

	if (!ntohl(h->direction)) {
		if (length > sizeof(data))
			_exit(1);
		receive(p, data, length);
	}
	if (ep == 0) {
		on_control(p, h, data);
		return;
	}
	/* Other kinds of transfers say none, or all ones. */
	if ((ep == AUDIO_EP || p->functions & USBIP_ISOCHRONOUS) && count <= PACKETS) {
		t.count = count;
		receive(p, t.packets, count * sizeof(t.packets[0]));
	}
	if (q->count == PENDING)
		_exit(1);
	if (q->count == 0 && ep == AUDIO_EP)
		q->next = harness_now() + 1000000ull * count;
	q->list[q->count++] = t;
}

static bool drop(struct queue *q, uint32_t seqnum)
{
	int i;

	for (i = 0; i < q->count; i++) {
		if (q->list[i].seqnum == seqnum) {
			queue_pop(q, i);
			return true;
		}
	}
	return false;
}

static void on_message(struct peer *p)
{
	struct header h;
	uint32_t seqnum;
	bool found;

	receive(p, &h, sizeof(h));
	switch (ntohl(h.command)) {
	case CMD_SUBMIT:
		on_submit(p, &h);
		break;
	case CMD_UNLINK:
		seqnum = ntohl(h.unlink.seqnum);
		found = drop(&p->video, seqnum) || drop(&p->audio, seqnum);
		reply(p, RET_UNLINK, ntohl(h.seqnum), found ? -ECONNRESET : 0, 0, 0);
		break;
	default:
		_exit(1);
	}
}

static _Noreturn void serve(struct peer *p)
{
	struct pollfd pollfd = { .fd = p->sock, .events = POLLIN };
	uint64_t now;

	for (;;) {
		if (poll(&pollfd, 1, p->video.count || p->audio.count ? 2 : 100) > 0)
			on_message(p);
		now = harness_now();
		if (p->video.count && now >= p->video.next &&
		    !__atomic_load_n(&p->shared->paused, __ATOMIC_RELAXED)) {
			if (p->functions & USBIP_ISOCHRONOUS)
				send_packets(p);
			else
				send_frame(p);
			p->video.next = now + FRAME_MS * 1000000ull;
		}
		while (p->audio.count && now >= p->audio.next) {
			send_sound(p);
			if (p->audio.count)
				p->audio.next += 1000000ull * p->audio.list[0].count;
		}
	}
}

void usbip_peer_run(unsigned int functions, struct usbip_shared *shared, int sock)
{
	struct peer *p = calloc(1, sizeof(*p));

	if (!p)
		_exit(1);
	p->sock = sock;
	p->functions = functions;
	p->shared = shared;
	p->brightness = 128;
	snprintf(p->serial, sizeof(p->serial), "%d", getpid());
	memcpy(p->probe,
	       (uint8_t[]){ LE16(0), 1, 1, LE32(FRAME_INTERVAL_100NS), LE16(0), LE16(0), LE16(0),
			    LE16(0), LE16(0), LE32(USBIP_FRAME_SIZE), LE32(VIDEO_PACKET),
			    LE32(1000000), 3, 0, 0, 0 },
	       sizeof(p->probe));
	if (functions & USBIP_ISOCHRONOUS)
		memcpy(p->probe + 22, (uint8_t[]){ LE32(ISO_PACKET) }, 4);
	serve(p);
}
