/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Denials that were answered and are still to be written down and told. */
#ifndef CALLGATE_DENIAL_LATER_H
#define CALLGATE_DENIAL_LATER_H

#include <systemd/sd-event.h>

#include "bounds.h"
#include "capture.h"

/**
 * struct denial_later - a ring of attempts
 * @attempt: the oldest at @first; each stands for @count attempts of one process image on one device
 * @timer: off while there is none
 */
struct denial_later {
	struct capture attempt[BOUND_DENIED_LATER];
	unsigned int first, n;
	sd_event_source *timer;
	void (*tell)(void *userdata, const struct capture *attempt);
	void *userdata;
};

int denial_later_init(struct denial_later *later, sd_event *event,
		      void (*tell)(void *userdata, const struct capture *attempt), void *userdata);
/* Forgets what was not told. Does nothing with one that is all zeroes. */
void denial_later_deinit(struct denial_later *later);
/* One attempt more, whatever its count; copied. Where there is no room the oldest is told at once. */
void denial_later_add(struct denial_later *later, const struct capture *attempt);
/* Tells all now. */
void denial_later_flush(struct denial_later *later);

#endif
