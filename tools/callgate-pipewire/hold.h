/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A source out of which nothing comes, for streams that wait. */
#ifndef CALLGATE_HOLD_H
#define CALLGATE_HOLD_H

#include <pipewire/pipewire.h>
#include <stdint.h>

struct hold {
	struct pw_stream *stream;
	struct spa_hook listener;
	void (*known)(void *userdata, uint64_t serial);
	void *userdata;
};

/* @known: is told which node it is. -errno: streams are held without it. */
int hold_open(struct hold *hold, struct pw_core *core,
	      void (*known)(void *userdata, uint64_t serial), void *userdata);
void hold_close(struct hold *hold);

#endif
