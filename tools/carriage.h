/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CALLGATE_CARRIAGE_H
#define CALLGATE_CARRIAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

/*
 * A frame: type u8, length of the payload u32 big-endian, payload.
 *
 * HELLO  the sender's name, UTF-8, 1 to 63 bytes; once, first
 * BLOB   one blob between the daemons
 * MEDIA  one SFrame frame
 * END    one SFrame frame with an empty plaintext: no more MEDIA follows
 * CREDIT u32 big-endian: so many more bytes of MEDIA payload may be sent
 */
enum carriage_type {
	CARRIAGE_HELLO = 1,
	CARRIAGE_BLOB = 2,
	CARRIAGE_MEDIA = 3,
	CARRIAGE_END = 4,
	CARRIAGE_CREDIT = 5,
};

#define CARRIAGE_NAME_MAX  63
#define CARRIAGE_BLOB_MAX  1024
#define CARRIAGE_PLAIN_MAX 16384
#define CARRIAGE_MEDIA_MAX (CARRIAGE_PLAIN_MAX + 64)
#define CARRIAGE_END_MAX   64
/* What a receiver may have to hold of media that its program has not read yet. */
#define CARRIAGE_WINDOW	   (256 * 1024)

struct carriage;

/**
 * struct carriage_ops - what the owner of a carriage hears
 * @hello: the other side's name, checked
 * @blob: one blob
 * @media: one frame of media; @end is true for the last
 * @room: media can be queued again, or everything was sent
 * @closed: the stream is over: reason is a sentence's end for people, error 0 where the other side just closed it
 *
 * A callback may call every function but carriage_free().
 */
struct carriage_ops {
	void (*hello)(void *userdata, const char *name);
	void (*blob)(void *userdata, const uint8_t *data, size_t len);
	void (*media)(void *userdata, const uint8_t *data, size_t len, bool end);
	void (*room)(void *userdata);
	void (*closed)(void *userdata, int error, const char *reason);
};

/**
 * carriage_connect() - connect to the relay
 * @via: tcp:HOST:PORT or unix:PATH
 * @ret_why: on failure a static sentence's end for people
 *
 * Return: a descriptor, or a negative errno. Waits at most ten seconds.
 */
int carriage_connect(const char *via, const char **ret_why);
/* Whether via has one of the two forms. */
bool carriage_is_address(const char *via);

/* Takes the descriptor, also when it fails. */
int carriage_new(sd_event *event, int fd, const struct carriage_ops *ops, void *userdata,
		 struct carriage **ret);
struct carriage *carriage_free(struct carriage *carriage);

int carriage_send_hello(struct carriage *carriage, const char *name);
/* Blobs overtake media. May drop the oldest of very many: they are made to be lost. */
int carriage_send_blob(struct carriage *carriage, const void *data, size_t len);
/* -ENOBUFS unless carriage_has_room(). */
int carriage_send_media(struct carriage *carriage, const void *data, size_t len);
int carriage_send_end(struct carriage *carriage, const void *data, size_t len);
/* Allow the other side so many more bytes of media. */
int carriage_grant(struct carriage *carriage, uint32_t bytes);

/* Whether a whole frame of media can be queued now. */
bool carriage_has_room(const struct carriage *carriage);
/* Whether everything that was sent has left this process. */
bool carriage_is_flushed(const struct carriage *carriage);
/* Stop or go on reading. */
void carriage_pause(struct carriage *carriage, bool pause);

#endif
