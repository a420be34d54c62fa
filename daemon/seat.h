/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who sits at the machine, by logind's word. */
#ifndef CALLGATE_SEAT_H
#define CALLGATE_SEAT_H

#include <stdbool.h>
#include <sys/queue.h>
#include <sys/types.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>
#include <systemd/sd-login.h>

#include "bounds.h"

/* Whether a user's session on a seat is in front, as looked up last. */
struct seat_user {
	uid_t uid;
	bool known, away;
};

/* A session of logind's. */
struct seat_login {
	LIST_ENTRY(seat_login) all;
	struct seats *seats;
	char path[BOUND_LOGIN_PATH + 1];
	sd_bus_slot *slot;
	uid_t uid;
	bool locked, active;
};

/**
 * struct seats
 * @changed: somebody came, went, locked or unlocked
 * @users: a ring
 */
struct seats {
	sd_bus *bus;
	sd_event *event;
	sd_login_monitor *monitor;
	sd_event_source *io;
	sd_bus_slot *slots[4];
	void (*changed)(void *userdata);
	void *userdata;
	struct seat_user users[BOUND_USERS];
	unsigned int next_user;
	LIST_HEAD(, seat_login) logins;
	unsigned int n_logins;
};

/* Where there is no logind nobody is ever away, locked out or remote. Negative errno: no memory. */
int seats_init(struct seats *seats, sd_bus *bus, sd_event *event, void (*changed)(void *userdata),
	       void *userdata);
void seats_deinit(struct seats *seats);

/* The user has a session on a seat of this machine, and somebody else's is in front there, or nobody's. */
bool seats_away(struct seats *seats, uid_t uid);
/* The user's session that is in front is locked. */
bool seats_locked(const struct seats *seats, uid_t uid);
/* The process is in a session that is not at this machine. One in no session is not. */
bool seats_remote_session(pid_t pid);
/* Whoever uses this process may sit elsewhere: its session is remote, or it has none and the user has one that is. */
bool seats_remote(pid_t pid, uid_t uid);

#endif
