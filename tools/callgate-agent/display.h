/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CALLGATE_AGENT_DISPLAY_H
#define CALLGATE_AGENT_DISPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <systemd/sd-bus.h>

/**
 * struct display - where this user's questions can be shown
 * @session: logind's name of it
 * @seat: where its hands are
 * @name: for DISPLAY; NULL under Wayland
 * @connection: to the compositor, under Wayland; otherwise 0
 * @server: who has to be at the other end of a connection to it
 */
struct display {
	char *session;
	char *seat;
	char *name;
	int connection;
	pid_t server;
};

/*
 * The display of the session of ours that is active on a seat, by logind's word. On failure a negative errno
 * and the end of a sentence.
 */
int display_find(struct display *ret, sd_bus *bus, const char **ret_why);
void display_clear(struct display *display);
/* Is it still in front? */
bool display_is_active(const struct display *display);

#endif
