/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CALLGATE_INDICATOR_NOTICE_H
#define CALLGATE_INDICATOR_NOTICE_H

#include "state.h"

#define NOTICES_MAX 32

/**
 * struct notice - what the desktop's notifications show
 * @id: of the one that stands while something captures; 0: none
 * @kinds: it was last shown for these
 * @pending: it was sent and has no number yet
 * @told: programs whose denied attempt was told lately
 */
struct notice {
	struct state *state;
	uint32_t id;
	char *shown;
	bool pending, wanted;
	struct {
		char *program;
		unsigned int kinds;
		uint64_t at;
	} told[NOTICES_MAX];
	unsigned int next;
};

int notice_start(struct notice *notice);
void notice_stop(struct notice *notice);
/* wanted: there is no tray, so that it has to say what captures. */
void notice_update(struct notice *notice, bool wanted);
/* A program was denied. Told once in a while for each program. */
void notice_denied(struct notice *notice, const struct client_dict *attempt);

#endif
