/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the user said no to, and is not asked about again for a while. In memory only. Pure: time is an argument. */
#ifndef CALLGATE_PAUSE_H
#define CALLGATE_PAUSE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "bounds.h"

/**
 * struct pause
 * @app: @contact: of the call; @whole: of all that the program asks, whomever it names
 * @denials: without a yes between them
 * @at: of the last one; @until: nothing is asked, ns on CLOCK_BOOTTIME
 * @told: the user knows that it was tried again
 * @lift_asked: whether it may be asked about after all, the user was asked
 */
struct pause {
	uid_t uid;
	bool whole;
	char app[BOUND_LABEL + 1];
	char contact[BOUND_NAME + 1];
	unsigned int denials;
	uint64_t at, until;
	bool told, lift_asked;
};

struct pauses {
	struct pause pause[BOUND_PAUSES];
};

/**
 * struct pause_subject - what is asked about
 * @app: label of the program; @exe: of its executable, where that is another; else empty
 * @contact: whom it wants to call; empty: nobody
 */
struct pause_subject {
	uid_t uid;
	const char *app, *exe, *contact;
};

void pause_denied(struct pauses *pauses, const struct pause_subject *subject, uint64_t now);
/* The user said yes: this program starts anew. */
void pause_allowed(struct pauses *pauses, const struct pause_subject *subject);
/* Seconds until it may be asked about; 0: now. @ret_first: it was not tried in this pause yet. */
uint32_t pause_left(struct pauses *pauses, const struct pause_subject *subject, uint64_t now,
		    bool *ret_first);
/* Is anything of the user's paused? @ret_asked: and was he asked whether it should be, in each of these pauses? Notes that he is now. */
bool pause_ask_lift(struct pauses *pauses, uid_t uid, uint64_t now, bool *ret_asked);
void pause_lift(struct pauses *pauses, uid_t uid);

#endif
