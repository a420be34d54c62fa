/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Descriptors that the service manager keeps while the daemon is started again. */
#ifndef CALLGATE_STORE_H
#define CALLGATE_STORE_H

#include <stdbool.h>

#define STORE_GATE	   "gate"
#define STORE_SESSIONS	   "sessions"
#define STORE_SESSIONS_KEY "sessions-key"

#define STORE_MAX 3

/* What was handed in at the start, by name; -1: nothing, or taken. */
struct store {
	int fds[STORE_MAX];
};

/* Takes what the service manager handed in; closes what it does not know. */
void store_init(struct store *store);
void store_deinit(struct store *store);
/* -1: there is none. Once for each name. */
int store_take(struct store *store, const char *name);

/* Have a descriptor kept under this name, whatever becomes of this process. false: nobody keeps it. */
bool store_put(const char *name, int fd);
/* Have it closed; nothing happens where none is kept. */
void store_remove(const char *name);
/* Waits until the service manager has done all of the above. */
void store_settle(void);

#endif
