// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Users and their files: STATE/UID/identity (root and pins) and
 * STATE/UID/blocked. Owns the only copies in memory. Must not decide what a
 * pin or a block means. Called by call.c and the bus objects.
 *
 * Security: a file that is there but cannot be understood is an error that a
 * person has to look at, never a reason to make a new one: a new root would
 * look to every contact like a man in the middle, and lost pins would let one in.
 */
#include "user.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "bounds.h"
#include "policy.h"
#include "util/file.h"
#include "util/macro.h"

#define BLOCKED_VERSION 1
#define BLOCKED_LEN	2

int users_init(struct users *users, const char *state_dir)
{
	LIST_INIT(&users->all);
	users->count = 0;
	users->dir_fd = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return users->dir_fd < 0 ? -errno : 0;
}

static void drop(struct user *user)
{
	LIST_REMOVE(user, all);
	user->users->count--;
	identity_free(user->identity);
	free(user);
}

void users_deinit(struct users *users)
{
	while (!LIST_EMPTY(&users->all))
		drop(LIST_FIRST(&users->all));
	if (users->dir_fd >= 0)
		close(users->dir_fd);
	users->dir_fd = -1;
}

/* The user's own directory, with @create made if absent. */
static int open_dir(const struct user *user, bool create, int *ret_fd)
{
	char name[16];
	int fd;

	snprintf(name, sizeof(name), "%u", user->uid);
	if (create && mkdirat(user->users->dir_fd, name, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(user->users->dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

static int load_blocked(struct user *user)
{
	_cleanup_close_ int fd = -1;
	uint8_t bytes[BLOCKED_LEN];
	ssize_t length;
	int r;

	r = open_dir(user, false, &fd);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	length = file_read_private(fd, "blocked", bytes, sizeof(bytes));
	if (length == -ENOENT)
		return 0;
	if (length < 0)
		return (int)length;
	if (length != BLOCKED_LEN || bytes[0] != BLOCKED_VERSION ||
	    (bytes[1] & ~POLICY_KIND_ALL) != 0)
		return -EBADMSG;
	user->blocked = bytes[1];
	return 0;
}

/* A uid costs nothing to whoever has a range of them: those that only looked make room. */
static bool make_room(struct users *users)
{
	struct user *user;

	LIST_FOREACH(user, &users->all, all)
	{
		if (user->held == 0 && !user->unsaved) {
			drop(user);
			return true;
		}
	}
	return false;
}

int user_get(struct users *users, uid_t uid, struct user **ret_user)
{
	struct user *user;
	int r;

	LIST_FOREACH(user, &users->all, all)
	{
		if (user->uid == uid) {
			*ret_user = user;
			return 0;
		}
	}
	if (users->count >= BOUND_USERS && !make_room(users))
		return -ENOSPC;
	user = calloc(1, sizeof(*user));
	if (user == NULL)
		return -ENOMEM;
	user->users = users;
	user->uid = uid;
	LIST_INSERT_HEAD(&users->all, user, all);
	users->count++;
	r = load_blocked(user);
	if (r < 0) {
		fprintf(stderr,
			SD_ERR
			"The file %u/blocked in the state directory cannot be used: %s. "
			"Both kinds stay blocked for this user until it is unblocked or repaired.\n",
			uid, strerror(-r));
		user->blocked = POLICY_KIND_ALL;
	}
	*ret_user = user;
	return 0;
}

int user_identity(struct user *user, bool create, struct identity **ret_identity)
{
	_cleanup_close_ int fd = -1;
	_cleanup_(crypto_secret_free_p) void *data = NULL;
	ssize_t length;
	int r;

	if (user->identity != NULL) {
		*ret_identity = user->identity;
		return 0;
	}
	r = open_dir(user, create, &fd);
	if (r < 0)
		return r;
	data = crypto_secret_new(IDENTITY_ENCODED_MAX);
	if (data == NULL)
		return errno > 0 ? -errno : -ENOMEM;
	length = file_read_private(fd, "identity", data, IDENTITY_ENCODED_MAX);
	r = length < 0 ? (int)length : 0;
	if (r >= 0) {
		r = identity_decode(&user->identity, data, (size_t)length);
	} else if (r == -ENOENT && create) {
		r = identity_new(&user->identity);
		if (r >= 0)
			r = user_save(user);
		if (r < 0)
			user->identity = identity_free(user->identity);
	}
	if (r < 0 && r != -ENOENT)
		fprintf(stderr,
			SD_ERR
			"The file %u/identity in the state directory cannot be used: %s. Restore it from a "
			"backup, or move it away and compare numbers with every contact again.\n",
			user->uid, strerror(-r));
	if (r < 0)
		return r;
	*ret_identity = user->identity;
	return 0;
}

int user_save(struct user *user)
{
	_cleanup_close_ int fd = -1;
	uint8_t *data = NULL;
	size_t length;
	int r;

	r = identity_encode(user->identity, &data, &length);
	if (r < 0)
		return r;
	r = open_dir(user, true, &fd);
	if (r >= 0)
		r = file_write_private(fd, "identity", data, length);
	crypto_secret_free(data);
	user->unsaved |= r < 0;
	if (r < 0)
		fprintf(stderr,
			SD_ERR
			"The file %u/identity in the state directory cannot be written: %s.\n",
			user->uid, strerror(-r));
	return r;
}

int user_set_blocked(struct user *user, uint32_t kinds)
{
	const uint8_t bytes[BLOCKED_LEN] = { BLOCKED_VERSION, (uint8_t)kinds };
	_cleanup_close_ int fd = -1;
	int r;

	user->blocked = kinds;
	r = open_dir(user, true, &fd);
	if (r >= 0)
		r = file_write_private(fd, "blocked", bytes, sizeof(bytes));
	user->unsaved |= r < 0;
	if (r < 0)
		fprintf(stderr,
			SD_ERR
			"The file %u/blocked in the state directory cannot be written: %s.\n",
			user->uid, strerror(-r));
	return r;
}
