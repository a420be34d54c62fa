/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who gets a user's events. */
#ifndef CALLGATE_LISTENER_H
#define CALLGATE_LISTENER_H

#include <sys/queue.h>
#include <sys/types.h>

#include "watch.h"

struct listener {
	LIST_ENTRY(listener) all;
	uid_t uid;
	char *name;
	struct watch watch;
};

struct listeners {
	LIST_HEAD(, listener) all;
	struct watches *watches;
};

void listeners_init(struct listeners *listeners, struct watches *watches);
void listeners_deinit(struct listeners *listeners);

/* 0 also when it listens already; -ENOSPC: the user has too many. */
int listener_add(struct listeners *listeners, uid_t uid, const char *name);
void listener_remove(struct listeners *listeners, const char *name);

#endif
