/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the daemon keeps for a user, in memory and under the state directory. */
#ifndef CALLGATE_USER_H
#define CALLGATE_USER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "identity.h"

/**
 * struct user
 * @held: how many point here; 0: may be forgotten, and read again, when others need the room
 * @unsaved: what is in memory could not be written
 * @blocked: kinds that no session of the user may capture; kept on disk, so that a restart does not unblock
 */
struct user {
	LIST_ENTRY(user) all;
	struct users *users;
	uid_t uid;
	unsigned int held;
	bool unsaved;
	uint32_t blocked;
	struct identity *identity;
};

struct users {
	LIST_HEAD(, user) all;
	int dir_fd;
	unsigned int count;
};

/* -errno: the directory cannot be used. */
int users_init(struct users *users, const char *state_dir);
void users_deinit(struct users *users);

/* 0; -ENOSPC: too many users; another negative errno. Valid until the next call, unless @held is raised. */
int user_get(struct users *users, uid_t uid, struct user **ret_user);
/* 0; -ENOENT: there is none yet, and @create is false; another negative errno: it is damaged or cannot be read. */
int user_identity(struct user *user, bool create, struct identity **ret_identity);
/* After each change of the identity. On failure memory and disk differ: the next start has the old state. */
int user_save(struct user *user);
/* Takes effect in memory even where it cannot be written. */
int user_set_blocked(struct user *user, uint32_t kinds);

#endif
