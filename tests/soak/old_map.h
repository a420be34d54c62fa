/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A capture whose mapping is looked at while there is a grant, and after it: then it must show nothing new. */
#ifndef CALLGATE_OLD_MAP_H
#define CALLGATE_OLD_MAP_H

#include <stdbool.h>

#include "fuzz_ops.h"

/**
 * struct old_map - a running capture
 * @fd: its file; -1: none yet
 * @map: of its first buffer, or of the microphone's
 */
struct old_map {
	enum fuzz_kind kind;
	int fd;
	struct fuzz_map map;
};

/*
 * Opens the node if it is not open, maps and starts; false, with nothing mapped, if that is denied or the device is busy.
 */
bool old_map_start(struct old_map *old, const char *node);
/* Does what a program that captures would do from time to time, whatever comes of it. */
void old_map_pump(struct old_map *old);
/* Does it show anything in @ms that it did not show before? Silence and black are nothing new. */
bool old_map_shows_new(const struct old_map *old, int ms);
/* A microphone's file stays open: others would take the substream. */
void old_map_end(struct old_map *old);

#endif
