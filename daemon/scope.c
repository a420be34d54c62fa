// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The pool of control groups. Made by main.c while it is root; used by call.c
 * afterwards. Must not take a process by number alone, and never gives a scope
 * to a session while anything is left in it.
 *
 * Security: the kernel checks who may move a process into a group with the
 * credentials of whoever opened its cgroup.procs. Root opened these, so the
 * daemon can use them after it has dropped its privileges; users cannot
 * open them. A grant to a group therefore reaches only what the daemon moved
 * there, and what that started.
 */
#include "scope.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "bounds.h"
#include "process.h"
#include "util/macro.h"

/* @uid: of the session that had it last; (uid_t)-1: none of this daemon's life. */
struct scope {
	int dir_fd;
	int procs_fd;
	uint64_t id;
	uid_t uid;
	bool taken;
	char name[16];
};

struct scopes {
	struct scope scope[BOUND_SCOPES];
};

DEFINE_CLEANUP(struct scopes *, scopes_free);

static bool is_unified(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
}

static int open_scope(int pool_fd, int number, struct scope *scope)
{
	_cleanup_close_ int dir_fd = -1, procs_fd = -1;
	struct stat st;

	snprintf(scope->name, sizeof(scope->name), "s%d", number);
	if (mkdirat(pool_fd, scope->name, 0755) < 0 && errno != EEXIST)
		return -errno;
	dir_fd = openat(pool_fd, scope->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	/* Whatever the umask: the daemon has to look into it when it is root no more. */
	if (dir_fd < 0 || fchmod(dir_fd, 0755) < 0 || fstat(dir_fd, &st) < 0)
		return -errno;
	if (st.st_uid != 0 || (st.st_mode & 022) != 0)
		return -EPERM;
	scope->id = st.st_ino;
	procs_fd = openat(dir_fd, "cgroup.procs", O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	if (procs_fd < 0 || fstat(procs_fd, &st) < 0)
		return -errno;
	if (st.st_uid != 0 || (st.st_mode & 022) != 0)
		return -EPERM;
	scope->dir_fd = take_fd(&dir_fd);
	scope->procs_fd = take_fd(&procs_fd);
	return 0;
}

int scopes_new(struct scopes **ret_scopes, const char *dir)
{
	static const char *const tops[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };
	_cleanup_(scopes_free_p) struct scopes *scopes = NULL;
	_cleanup_close_ int pool_fd = -1;
	char path[64];
	int r;

	for (size_t i = 0; dir == NULL && i < ARRAY_SIZE(tops); i++) {
		if (!is_unified(tops[i]))
			continue;
		snprintf(path, sizeof(path), "%s/callgate", tops[i]);
		dir = path;
	}
	if (dir == NULL)
		return -ENOENT;
	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		return -errno;
	if (!is_unified(dir))
		return -ENOENT;
	pool_fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (pool_fd < 0 || fchmod(pool_fd, 0755) < 0)
		return -errno;
	scopes = calloc(1, sizeof(*scopes));
	if (scopes == NULL)
		return -ENOMEM;
	for (int i = 0; i < BOUND_SCOPES; i++)
		scopes->scope[i] = (struct scope){ .dir_fd = -1, .procs_fd = -1, .uid = (uid_t)-1 };
	for (int i = 0; i < BOUND_SCOPES; i++) {
		r = open_scope(pool_fd, i, &scopes->scope[i]);
		if (r < 0)
			return r;
	}
	*ret_scopes = TAKE_PTR(scopes);
	return 0;
}

struct scopes *scopes_free(struct scopes *scopes)
{
	if (scopes == NULL)
		return NULL;
	for (int i = 0; i < BOUND_SCOPES; i++) {
		if (scopes->scope[i].dir_fd >= 0)
			close(scopes->scope[i].dir_fd);
		if (scopes->scope[i].procs_fd >= 0)
			close(scopes->scope[i].procs_fd);
	}
	free(scopes);
	return NULL;
}

/* Not populated, by its own word; anything else means no. */
static bool is_empty(const struct scope *scope)
{
	_cleanup_close_ int fd = openat(scope->dir_fd, "cgroup.events", O_RDONLY | O_CLOEXEC);
	char text[256];
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return false;
	text[n] = '\0';
	return strstr(text, "populated 0") != NULL;
}

int scope_take(struct scopes *scopes, uid_t uid, struct scope **ret_scope)
{
	struct scope *found = NULL;
	unsigned int own = 0;

	for (int i = 0; i < BOUND_SCOPES; i++) {
		struct scope *scope = &scopes->scope[i];

		if (scope->taken || !is_empty(scope))
			own += scope->uid == uid;
		else if (found == NULL)
			found = scope;
	}
	/* What a session started stays in its scope as long as it likes: one user must not keep them all. */
	if (own >= BOUND_SCOPES_UID)
		return -EDQUOT;
	if (found == NULL)
		return -ENOSPC;
	found->taken = true;
	found->uid = uid;
	*ret_scope = found;
	return 0;
}

int scope_take_again(struct scopes *scopes, uint64_t id, uid_t uid, struct scope **ret_scope)
{
	for (int i = 0; i < BOUND_SCOPES; i++) {
		struct scope *scope = &scopes->scope[i];

		if (scope->id != id || scope->taken)
			continue;
		scope->taken = true;
		scope->uid = uid;
		*ret_scope = scope;
		return 0;
	}
	return -ENOENT;
}

int scope_enter(struct scope *scope, int pidfd)
{
	char text[16];
	pid_t pid;
	int n, r;

	r = process_pid(pidfd, &pid);
	if (r < 0)
		return r;
	n = snprintf(text, sizeof(text), "%d", pid);
	if (write(scope->procs_fd, text, (size_t)n) != n)
		return -errno;
	return process_alive(pidfd) ? 0 : -ESRCH;
}

struct scope *scope_put(struct scope *scope)
{
	if (scope != NULL)
		scope->taken = false;
	return NULL;
}

int scope_fd(const struct scope *scope)
{
	return scope->dir_fd;
}

uint64_t scope_id(const struct scope *scope)
{
	return scope->id;
}

const char *scope_name(const struct scope *scope)
{
	return scope->name;
}
