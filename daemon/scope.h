/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Control groups that root owns, into which the daemon can put a session's processes and nobody else can go. */
#ifndef CALLGATE_SCOPE_H
#define CALLGATE_SCOPE_H

#include <stdint.h>
#include <sys/types.h>

struct scopes;
struct scope;

/**
 * scopes_new() - make or find the pool; needs root
 * @dir: a directory of the unified hierarchy, made if absent; NULL: "callgate" at its top
 * Return: 0; -ENOENT where there is no unified hierarchy; another negative errno.
 */
int scopes_new(struct scopes **ret_scopes, const char *dir);
/* Its scopes have been put back. Returns NULL. */
struct scopes *scopes_free(struct scopes *scopes);

/* An empty scope. -ENOSPC: all are in use, or hold processes of earlier sessions. -EDQUOT: too many of them are the user's. */
int scope_take(struct scopes *scopes, uid_t uid, struct scope **ret_scope);
/* The scope of that id, for a session that had it in an earlier life of the daemon. -ENOENT: none, or it is taken. */
int scope_take_again(struct scopes *scopes, uint64_t id, uid_t uid, struct scope **ret_scope);
/* Moves the process behind the pidfd in. -ESRCH: it ended. */
int scope_enter(struct scope *scope, int pidfd);
/* Takes NULL. The processes stay where they are; the scope is used again when they are gone. Returns NULL. */
struct scope *scope_put(struct scope *scope);

int scope_fd(const struct scope *scope);
uint64_t scope_id(const struct scope *scope);
const char *scope_name(const struct scope *scope);

#endif
