/* SPDX-License-Identifier: GPL-2.0-only */
/* What the controller allowed, and until when. */
#ifndef CALLGATE_GRANT_H
#define CALLGATE_GRANT_H

#include "limits.h"
#include "subject.h"
#include "verdict.h"

/**
 * struct callgate_grant_order - what a GRANT command asks for
 * @session: the controller's number, never 0
 * @process: the subject, or NULL when it is @cgroup
 * @cgroup: the subject, or NULL when it is @process
 * @uid: of a cgroup's processes; unused with @process
 * @kinds: NULL leaves them as they are; needed the first time
 * @device: NULL leaves it as it is, at first every device
 * @deadline: ns on CLOCK_BOOTTIME
 */
struct callgate_grant_order {
	u64 session;
	const struct callgate_identity *process;
	struct cgroup *cgroup;
	u32 uid;
	const u32 *kinds;
	const u32 *device;
	u64 deadline;
};

/**
 * struct callgate_grant_facts - one grant, for a dump
 * @id: never re-used
 * @session: the controller's number
 * @cookie: of the process; 0 for a cgroup's grant
 * @tgid: 0 for a cgroup's grant
 * @rule: what it allows
 */
struct callgate_grant_facts {
	u64 id;
	u64 session;
	u64 cookie;
	u32 tgid;
	struct callgate_rule rule;
};

/* @ended: called in process context after grants ended, when none of them is found any more. */
int __must_check callgate_grant_init(void (*ended)(void));
/* Ends every grant and waits for their memory. Nobody checks any more. */
void callgate_grant_exit(void);

/*
 * callgate_grant_find() - is there a grant for @image on this device now?
 * @ret_id, @ret_session: of the grant that covers it; may be NULL
 * Any context. Takes no lock, allocates nothing, does not depend on the number of grants.
 */
bool __must_check callgate_grant_find(const struct callgate_image *image, u32 device, u32 kinds,
				      u64 *ret_id, u64 *ret_session);

/* Must the image that callgate_grant_find() gets carry a cgroup? */
bool callgate_grant_needs_cgroup(void);

/*
 * Creates or renews the grant of (session, subject). -ERANGE: deadline. -EINVAL: a first grant
 * without kinds. -EPERM: mixed uids. -ENOSPC: full. May sleep.
 */
int callgate_grant_renew(const struct callgate_grant_order *order, u64 *ret_id,
			 struct netlink_ext_ack *extack);

/* Ends the grant @id, or every grant of @session; 0 matches any. -ENOENT: none. May sleep. */
int callgate_grant_revoke(u64 id, u64 session);

/* Every grant with an id above @after, in their order, until @each says false. @each must not call back. */
void callgate_grant_walk(u64 after,
			 bool (*each)(const struct callgate_grant_facts *facts, void *arg),
			 void *arg);
/* Changes whenever a grant comes, goes or changes. */
u32 callgate_grant_generation(void);

#endif
