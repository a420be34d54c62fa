// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Users and their files: STATE/UID/identity (root and pins, sealed) and
 * STATE/UID/blocked. Owns the only copies in memory. Must not decide what a
 * pin or a block means. Called by call.c and the bus objects.
 *
 * Security: a file that is there but cannot be understood is an error that a
 * person has to look at, never a reason to make a new one: a new root would
 * look to every contact like a man in the middle, and lost pins would let one in.
 * One that is not sealed is refused as well, or who writes to the disk could plant
 * a root that he knows; users_reseal(), which root starts by hand, takes it.
 */
#include "user.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bounds.h"
#include "policy.h"
#include "util/file.h"
#include "util/log.h"
#include "util/macro.h"
#include "util/text.h"

#define BLOCKED_VERSION 1
#define BLOCKED_LEN	2

/* The directory of a user: a name that is a uid as this file writes it. */
static bool read_uid(const char *name, uid_t *ret_uid)
{
	char again[16];
	unsigned long uid;

	if (!text_to_number(name, 0, UINT32_MAX - 1, &uid))
		return false;
	snprintf(again, sizeof(again), "%lu", uid);
	*ret_uid = (uid_t)uid;
	return strcmp(again, name) == 0;
}

static DIR *list(int dir_fd)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (dir == NULL && fd >= 0)
		close(fd);
	return dir;
}

/* What a crash in the middle of a write left behind. */
static void sweep(int dir_fd)
{
	const struct dirent *entry;
	DIR *dir = list(dir_fd);

	if (dir == NULL)
		return;
	while ((entry = readdir(dir)) != NULL)
		if (file_is_temporary(entry->d_name))
			unlinkat(dir_fd, entry->d_name, 0);
	closedir(dir);
}

static int open_user_dir(const struct users *users, const char *name)
{
	int fd = openat(users->dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int users_init(struct users *users, const char *state_dir, const struct vault *vault)
{
	const struct dirent *entry;
	uid_t uid;
	DIR *dir;
	int fd;

	LIST_INIT(&users->all);
	users->count = 0;
	users->vault = vault;
	users->dir_fd = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (users->dir_fd < 0 || flock(users->dir_fd, LOCK_EX | LOCK_NB) < 0)
		return -errno;
	dir = list(users->dir_fd);
	if (dir == NULL)
		return -errno;
	sweep(users->dir_fd);
	while ((entry = readdir(dir)) != NULL) {
		fd = read_uid(entry->d_name, &uid) ? open_user_dir(users, entry->d_name) : -1;
		if (fd < 0)
			continue;
		sweep(fd);
		close(fd);
	}
	closedir(dir);
	return 0;
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
	if (create && mkdirat(user->users->dir_fd, name, 0700) == 0) {
		/* Or a crash could take it, with what is then written in it. */
		if (fsync(user->users->dir_fd) < 0)
			return -errno;
	} else if (create && errno != EEXIST) {
		return -errno;
	}
	fd = open_user_dir(user->users, name);
	if (fd < 0)
		return fd;
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
		log_event(LOG_EVENT_STATE_FAILED, uid,
			  "The file %u/blocked in the state directory cannot be used: %s. "
			  "All kinds stay blocked for this user until it is unblocked or repaired.",
			  uid, strerror(-r));
		user->blocked = POLICY_KIND_ALL;
	}
	*ret_user = user;
	return 0;
}

const char *user_identity_why(int r)
{
	switch (r) {
	case -ENOMSG:
		return "is not sealed. If it is from before identities were sealed, stop the service and run "
		       "'callgated --reseal' once";
	case -ENOKEY:
		return "was sealed under another key: it is from another machine, or this one's credential or key "
		       "file was changed. Put the right one back, or carry an identity with 'callgatectl "
		       "identity export'";
	case -EXDEV:
		return "belongs to another user. Put the right one back";
	case -EPROTONOSUPPORT:
		return "was written by a newer version of the service. Install that";
	case -EPERM:
	case -ELOOP:
		return "is a link, or is not private to the service's user. Look who changed that";
	case -EBADMSG:
	case -EFBIG:
		return "is damaged. Restore it from a backup";
	default:
		return "cannot be read";
	}
}

static int load(const struct users *users, uid_t uid, int dir_fd, const struct seal_key *key,
		struct identity **ret_identity)
{
	_cleanup_free_ uint8_t *data = malloc(SEAL_MAX);
	ssize_t length;

	if (data == NULL)
		return -ENOMEM;
	length = file_read_private(dir_fd, "identity", data, SEAL_MAX);
	return length < 0 ? (int)length
			  : identity_unseal(ret_identity, key, uid, data, (size_t)length);
}

static int store(const struct users *users, uid_t uid, int dir_fd, const struct identity *identity)
{
	_cleanup_free_ uint8_t *data = NULL;
	size_t length;
	int r = identity_seal(identity, users->vault->key, uid, &data, &length);

	return r < 0 ? r : file_write_private(dir_fd, "identity", data, length);
}

int user_subdir(const struct user *user, const char *name, bool create, int *ret_fd)
{
	_cleanup_close_ int dir = -1;
	int fd, r = open_dir(user, create, &dir);

	if (r < 0)
		return r;
	if (create && mkdirat(dir, name, 0700) == 0) {
		if (fsync(dir) < 0)
			return -errno;
	} else if (create && errno != EEXIST) {
		return -errno;
	}
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

int user_identity(struct user *user, bool create, struct identity **ret_identity)
{
	_cleanup_close_ int fd = -1;
	int r;

	if (user->identity != NULL) {
		*ret_identity = user->identity;
		return 0;
	}
	r = open_dir(user, create, &fd);
	if (r < 0)
		return r;
	r = load(user->users, user->uid, fd, user->users->vault->key, &user->identity);
	if (r == -ENOENT && create) {
		r = identity_new(&user->identity);
		if (r >= 0)
			r = user_save(user);
		if (r < 0)
			user->identity = identity_free(user->identity);
	}
	if (r < 0 && r != -ENOENT)
		log_event(
			LOG_EVENT_STATE_FAILED, user->uid,
			"The file %u/identity in the state directory %s; or move it away and compare "
			"numbers with every contact again (%s).",
			user->uid, user_identity_why(r), strerror(-r));
	if (r < 0)
		return r;
	*ret_identity = user->identity;
	return 0;
}

int user_save(struct user *user)
{
	_cleanup_close_ int fd = -1;
	int r;

	r = open_dir(user, true, &fd);
	if (r >= 0)
		r = store(user->users, user->uid, fd, user->identity);
	user->unsaved |= r < 0;
	if (r < 0)
		log_event(LOG_EVENT_STATE_FAILED, user->uid,
			  "The file %u/identity in the state directory cannot be written: %s.",
			  user->uid, strerror(-r));
	return r;
}

int user_replace(struct user *user, struct identity *identity)
{
	bool unsaved = user->unsaved;
	struct identity *old = user->identity;
	int r;

	user->identity = identity;
	r = user_save(user);
	if (r < 0) {
		user->identity = old;
		user->unsaved = unsaved;
		return r;
	}
	identity_free(old);
	return 0;
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
		log_event(LOG_EVENT_STATE_FAILED, user->uid,
			  "The file %u/blocked in the state directory cannot be written: %s.",
			  user->uid, strerror(-r));
	return r;
}

/* ---- all of them ------------------------------------------------------------------------------- */

int users_each(const struct users *users,
	       int (*each)(const struct users *users, uid_t uid, int dir_fd, void *userdata),
	       void *userdata)
{
	DIR *dir = list(users->dir_fd);
	const struct dirent *entry;
	uid_t uid;
	int fd, r = 0;

	if (dir == NULL)
		return -errno;
	while (r == 0 && (entry = readdir(dir)) != NULL) {
		if (!read_uid(entry->d_name, &uid))
			continue;
		fd = open_user_dir(users, entry->d_name);
		r = each(users, uid, fd, userdata);
		if (fd >= 0)
			close(fd);
	}
	closedir(dir);
	return r;
}

static int is_sealed(const struct users *users, uid_t uid, int dir_fd, void *userdata)
{
	_cleanup_free_ uint8_t *data = malloc(SEAL_MAX);
	ssize_t length;

	if (dir_fd < 0 || data == NULL)
		return 1;
	length = file_read_private(dir_fd, "identity", data, SEAL_MAX);
	if (length == -ENOENT)
		return 0;
	return length < IDENTITY_MAGIC_LEN || memcmp(data, IDENTITY_MAGIC, IDENTITY_MAGIC_LEN) != 0;
}

bool users_have_sealed(const struct users *users)
{
	return users_each(users, is_sealed, NULL) != 0;
}

/* An identity of before there were seals. */
static int load_plain(int dir_fd, struct identity **ret_identity)
{
	_cleanup_(crypto_secret_free_p) void *data = crypto_secret_new(IDENTITY_ENCODED_MAX);
	ssize_t length;

	if (data == NULL)
		return errno > 0 ? -errno : -ENOMEM;
	length = file_read_private(dir_fd, "identity", data, IDENTITY_ENCODED_MAX);
	return length < 0 ? (int)length : identity_decode(ret_identity, data, (size_t)length);
}

static int reseal(const struct users *users, uid_t uid, int dir_fd, void *userdata)
{
	_cleanup_(identity_free_p) struct identity *identity = NULL;
	const struct vault *vault = users->vault;
	int *result = userdata, r;

	r = dir_fd < 0 ? dir_fd : load(users, uid, dir_fd, vault->key, &identity);
	if (r == 0) {
		printf("%u: sealed already\n", uid);
		return 0;
	}
	if (r == -ENOENT)
		return 0;
	if (r == -ENOKEY && vault->old != NULL)
		r = load(users, uid, dir_fd, vault->old, &identity);
	else if (r == -ENOMSG)
		r = load_plain(dir_fd, &identity);
	if (r == 0)
		r = store(users, uid, dir_fd, identity);
	if (r == 0) {
		printf("%u: sealed now\n", uid);
		return 0;
	}
	printf("%u: left as it is: the file %u/identity %s (%s)\n", uid, uid, user_identity_why(r),
	       strerror(-r));
	*result = r;
	return 0;
}

int users_reseal(struct users *users)
{
	int result = 0, r = users_each(users, reseal, &result);

	return r < 0 ? r : result;
}
