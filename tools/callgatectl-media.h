/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CALLGATE_CALLGATECTL_MEDIA_H
#define CALLGATE_CALLGATECTL_MEDIA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct media;

/**
 * media_new() - take the keys that the daemon gave
 * @keys: reading end of the pipe with records of 38 bytes (doc/dbus.md); not closed
 * @incoming: whether we were called, which says what direction is ours
 * @kind: of what we send: 1, 2, or 3 for one mixed stream
 * @ret_why: on failure a sentence's end for people
 */
int media_new(int keys, bool incoming, unsigned kind, struct media **ret, const char **ret_why);
struct media *media_free(struct media *media);

/* Seal what fits one frame of the carriage; an empty plaintext is the end of media. -ENOKEY: that kind was not approved. */
int media_seal(struct media *media, const void *plain, size_t len, uint8_t *ret, size_t room,
	       size_t *ret_len);

/**
 * media_open() - open one frame of the other side
 * @ret: room for len bytes; written only when the frame is genuine
 *
 * Return: 0; -EALREADY for one that came before, out of order or not for us now: drop it;
 * -EBADMSG for one that is not genuine.
 */
int media_open(struct media *media, const void *frame, size_t len, uint8_t *ret, size_t *ret_len);

/* Frames that never arrived. */
uint64_t media_lost(const struct media *media);

#endif
