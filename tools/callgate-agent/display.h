/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CALLGATE_AGENT_DISPLAY_H
#define CALLGATE_AGENT_DISPLAY_H

#include <stdbool.h>
#include <stddef.h>

/**
 * struct display - where this user's questions can be shown
 * @session: logind's name of it
 * @seat: where its hands are
 * @name: for DISPLAY
 */
struct display {
	char *session;
	char *seat;
	char *name;
};

/*
 * The display of the session of ours that is active on a seat, by logind's word. On failure a negative errno
 * and the end of a sentence.
 */
int display_find(struct display *ret, const char **ret_why);
void display_clear(struct display *display);
/* Is it still in front? */
bool display_is_active(const struct display *display);

#endif
