/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CALLGATE_PRIVILEGE_H
#define CALLGATE_PRIVILEGE_H

#include <stdbool.h>
#include <sys/types.h>

/**
 * privilege_drop() - become this user for good
 * @keep_bind: keep CAP_MAC_ADMIN, and nothing else
 * Return: 0 or negative errno, after which the process must end.
 */
int privilege_drop(uid_t uid, gid_t gid, bool keep_bind);
/* The gate is bound: what @keep_bind kept goes as well. Not before privilege_drop(). 0 or negative errno. */
int privilege_bound(void);
/* No core dumps, no other process of the same user looks in, no new privileges. */
int privilege_close(void);

#endif
