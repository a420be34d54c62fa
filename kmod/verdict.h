/* SPDX-License-Identifier: GPL-2.0-only */
/* (who, device, grant) -> covered or not. Pure: compiled by the unit tests too. */
#ifndef CALLGATE_VERDICT_H
#define CALLGATE_VERDICT_H

#include <linux/types.h>

/**
 * struct callgate_image - one process image as the path reads it
 * @pid: struct pid of the thread group; compared by address, never followed
 * @exec_id: self_exec_id; changes with exec
 * @cgroup: id of the cgroup of the unified hierarchy
 * @exe: inode of the executable; compared by address, never followed
 * @uid: real uid in the initial user namespace
 * @euid: effective uid
 * @suid: saved uid
 * @user: false for kernel threads and tasks without an mm, which nothing covers
 */
struct callgate_image {
	const void *pid;
	u64 exec_id;
	u64 cgroup;
	const void *exe;
	u32 uid, euid, suid;
	bool user;
};

/**
 * struct callgate_rule - what one grant allows
 * @pid: the process, or NULL for a cgroup rule
 * @exec_id: its image
 * @cgroup: the cgroup of a rule without @pid
 * @exe: executable of a process rule
 * @uid: all three uids must equal it
 * @kinds: CALLGATE_KIND_* mask
 * @device: one device, or 0 for every device of @kinds
 * @deadline: ns on CLOCK_BOOTTIME; covers nothing from then on
 */
struct callgate_rule {
	const void *pid;
	u64 exec_id;
	u64 cgroup;
	const void *exe;
	u32 uid;
	u32 kinds;
	u32 device;
	u64 deadline;
};

/**
 * callgate_rule_covers() - does this rule let this image capture from this device now?
 * @rule: one grant's
 * @image: who captures
 * @device: id of the device
 * @kinds: every kind of the device must be in the rule
 * @now: ns on CLOCK_BOOTTIME
 * Return: whether everything that the rule names is so
 */
bool callgate_rule_covers(const struct callgate_rule *rule, const struct callgate_image *image,
			  u32 device, u32 kinds, u64 now);

#endif
