/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CALLGATE_INDICATOR_STATE_H
#define CALLGATE_INDICATOR_STATE_H

#include "client.h"

#include <libintl.h>
#include <stdbool.h>

#define _(text) gettext(text)

/**
 * struct state - what the daemon says at this moment
 * @client: the connection to it
 * @desk: the user's own bus
 * @calls, @streams: as ListSessions and ListStreams gave them
 * @ids: a number for each call, which it keeps
 * @blocked: kinds
 * @gate: present, absent, permissive; or "" where the daemon does not run
 */
struct state {
	struct client client;
	sd_bus *desk;
	struct client_list calls, streams;
	int *ids, next_id;
	unsigned int blocked;
	char *gate;
};

/* Asks the daemon for all of it. */
void state_refresh(struct state *state);
void state_clear(struct state *state);

/* Kinds that anybody captures with now. */
unsigned int state_kinds(const struct state *state);
/* Texts of what goes on; the caller frees them. NULL where memory is out. */
char *state_title(const struct state *state);
char *state_call(const struct client_dict *call);
/* NULL also for a stream of a call of this user's, which has a line already. */
char *state_stream(const struct client_dict *stream);
/* All lines, each ended by a newline. */
char *state_summary(const struct state *state);

void state_end(struct state *state, const char *path);
void state_block(struct state *state, unsigned int kinds, bool block);

#endif
