/* SPDX-License-Identifier: GPL-2.0-only */
/* Who is asking, and who a process id names. */
#ifndef CALLGATE_SUBJECT_H
#define CALLGATE_SUBJECT_H

#include <linux/pid.h>

#include "limits.h"
#include "path.h"
#include "verdict.h"

struct cgroup;
struct cred;
struct file;
struct mm_struct;
struct netlink_ext_ack;

/**
 * struct callgate_who - one process image, kept for a report
 * @image: as the path saw it
 * @pid: referenced, or NULL when nothing is kept
 * @cookie: what identify answers for this image
 */
struct callgate_who {
	struct callgate_image image;
	struct pid *pid;
	u64 cookie;
};

/**
 * struct callgate_identity - one process, as it was under its exec lock
 * @pid: referenced
 * @exe: referenced; never NULL
 * @mm: referenced, as an address only; never NULL
 * @cred: referenced; of its main thread
 * @exec_id: self_exec_id
 * @cookie: a number for this image, as long as the module is loaded
 * @start_time: ns on CLOCK_BOOTTIME
 * @cgroup: id in the unified hierarchy
 * @tgid: in the initial pid namespace
 * @uid: real uid in the initial user namespace
 * @euid: effective uid
 * @suid: saved uid
 * @traced: a debugger is attached to one of its threads
 */
struct callgate_identity {
	struct pid *pid;
	struct file *exe;
	struct mm_struct *mm;
	const struct cred *cred;
	u64 exec_id;
	u64 cookie;
	u64 start_time;
	u64 cgroup;
	u32 tgid;
	u32 uid, euid, suid;
	bool traced;
};

/* Chooses this load's cookie key. */
void callgate_subject_init(void);

/*
 * callgate_subject_current() - current's image
 * @cgroup: also its cgroup, else 0. Any context; takes no lock.
 */
void callgate_subject_current(struct callgate_image *image, bool cgroup);

/* Current, for keeping. Any context. */
void callgate_who_current(struct callgate_who *who);
void callgate_who_copy(struct callgate_who *to, const struct callgate_who *from);
void callgate_who_put(struct callgate_who *who);

/*
 * callgate_subject_identify() - who is process @tgid of the initial pid namespace
 * -ESRCH: nobody, a kernel thread or a process that has exited. -EAGAIN: it is inside exec.
 */
int __must_check callgate_subject_identify(u32 tgid, struct callgate_identity *ret_identity,
					   struct netlink_ext_ack *extack);
void callgate_identity_put(struct callgate_identity *identity);

/*
 * callgate_subject_cgroup() - the cgroup of the sender's descriptor @fd, referenced
 * Proves that only root can put processes into it: -EPERM otherwise.
 */
struct cgroup *__must_check callgate_subject_cgroup(u32 fd, struct netlink_ext_ack *extack);

/* What a kept image is called; unknown also when it has exited or called exec. @who needs its pid. May sleep. */
void callgate_who_path(const struct callgate_who *who, struct callgate_path *ret_path);

#endif
