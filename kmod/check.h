/* SPDX-License-Identifier: GPL-2.0-only */
/* The questions that the subsystems ask. */
#ifndef CALLGATE_CHECK_H
#define CALLGATE_CHECK_H

#include "device.h"
#include "grant-path.h"
#include "stats.h"
#include "trace.h"

/*
 * callgate_check() - may current capture from @dev now?
 * Any context, any lock: takes no lock that another CPU can hold on the allow
 * path, writes no shared cache line, allocates nothing. A denial is counted and
 * (rate-limited, by a worker) reported with @op.
 * Returns 0 or -EACCES; always 0 in permissive mode (the denial is still reported).
 */
int __must_check callgate_check(struct callgate_device *dev, enum callgate_op op);

/*
 * callgate_check_quick() - the short way to a yes by a process's grant, put into operations that come with each period
 * With preemption off. Not counted: callgate_check_count(). False says nothing; then ask callgate_check().
 */
static __always_inline bool callgate_check_quick(const struct callgate_device *dev)
{
	unsigned long until;

	return callgate_path_process(dev->id, dev->kinds, &until);
}

/* The same by a cgroup's grant. Switches preemption off itself. */
bool callgate_check_cgroup(const struct callgate_device *dev);
/* Makes a ticket of current's for @file, where the short way says yes. Its owner has to keep current's pid. */
bool callgate_check_ticket(const struct callgate_device *dev, const struct file *file,
			   struct callgate_ticket *ret_ticket);

/* Whoever traces checks sees each one: no short way then. */
static __always_inline bool callgate_check_traced(void)
{
	return trace_callgate_check_enabled();
}

static __always_inline void callgate_check_count(void)
{
	callgate_stat_inc(CALLGATE_STAT_CHECKS);
}

/*
 * callgate_deny() - a denial for a reason other than a missing grant, after callgate_check()
 * Counted and reported as one. Any context. Returns -EACCES; 0 in permissive mode.
 */
int __must_check callgate_deny(struct callgate_device *dev, enum callgate_op op);

/* callgate_check_quiet() - the same, without counting or reporting a denial; for poll and re-checks. */
int __must_check callgate_check_quiet(struct callgate_device *dev);

/*
 * callgate_ask() - callgate_check(), but where it would deny, hold the caller,
 * ask the controller and check again after the verdict. Sleeps (killable, freezable), no lock held.
 * Denied at once when there is no controller or a cap is reached. Returns 0, -EACCES, or
 * -ERESTARTSYS/-EINTR when killed.
 */
int __must_check callgate_ask(struct callgate_device *dev, enum callgate_op op);

/* Report only: every question is answered with yes. Any context. */
bool callgate_check_permissive(void);
void callgate_check_set_permissive(bool permissive);

#endif
