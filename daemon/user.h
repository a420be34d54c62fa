/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the daemon keeps for a user, in memory and under the state directory. */
#ifndef CALLGATE_USER_H
#define CALLGATE_USER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "identity.h"
#include "vault.h"

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

/**
 * struct users
 * @vault: seals the identities; not owned; opened before any identity is asked for
 */
struct users {
	LIST_HEAD(, user) all;
	int dir_fd;
	unsigned int count;
	const struct vault *vault;
};

/* -EWOULDBLOCK: another process has the directory; another negative errno: it cannot be used. */
int users_init(struct users *users, const char *state_dir, const struct vault *vault);
void users_deinit(struct users *users);
/* Is there any identity that is sealed, or cannot be looked at? Then a new sealing key must not be made. */
bool users_have_sealed(const struct users *users);
/**
 * users_reseal() - seal every identity under the vault's key: those under its old key, and those of before there were seals
 *
 * Prints what became of each. Each is replaced whole or stays as it is: when interrupted, run it again.
 * Return: 0, or the negative errno of the last that could not be.
 */
int users_reseal(struct users *users);

/* 0; -ENOSPC: too many users; another negative errno. Valid until the next call, unless @held is raised. */
int user_get(struct users *users, uid_t uid, struct user **ret_user);
/* 0; -ENOENT: there is none yet, and @create is false; another negative errno: user_identity_why() says what it means. */
int user_identity(struct user *user, bool create, struct identity **ret_identity);
/* The end of the sentence "The identity file of this user ...", with what to do. */
const char *user_identity_why(int r);
/* Take another identity in the place of what there is, if anything. On failure the user has what he had. */
int user_replace(struct user *user, struct identity *identity);
/* After each change of the identity. On failure memory and disk differ: the next start has the old state. */
int user_save(struct user *user);
/* Takes effect in memory even where it cannot be written. */
int user_set_blocked(struct user *user, uint32_t kinds);

/* A directory inside the user's own; with @create made if absent. 0; -ENOENT; another negative errno. */
int user_subdir(const struct user *user, const char *name, bool create, int *ret_fd);
/* Calls back for each user that has a directory, @dir_fd negative where it cannot be opened, until one returns other than 0. */
int users_each(const struct users *users,
	       int (*each)(const struct users *users, uid_t uid, int dir_fd, void *userdata),
	       void *userdata);

#endif
