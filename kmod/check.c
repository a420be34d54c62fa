// SPDX-License-Identifier: GPL-2.0-only
/*
 * The questions that the subsystems ask: may current capture, now?
 *
 * Owns the mode. Every answer starts as -EACCES and only a grant that is found
 * makes it 0; permissive mode changes what is returned, never what is found or
 * reported. Called from every interposed operation.
 *
 * The allow path reads current, one hash bucket and jiffies (now and then a clock) under RCU, and adds
 * to this CPU's counters: no lock, no shared cache line, no allocation.
 */
#include "check.h"

#include "grant.h"
#include "report.h"
#include "request.h"
#include "stats.h"
#include "subject.h"
#include "trace.h"

static bool permissive __read_mostly;

bool callgate_check_permissive(void)
{
	return READ_ONCE(permissive);
}

void callgate_check_set_permissive(bool value)
{
	WRITE_ONCE(permissive, value);
	if (!value)
		callgate_device_revoke_all();
}

struct callgate_pass callgate_check_cgroup(const struct callgate_device *dev, long *ret_epoch)
{
	struct callgate_pass pass = {};

	*ret_epoch = atomic_long_read(&callgate_grant_epoch);
	smp_rmb(); /* as in callgate_check_quick() */
	if (!READ_ONCE(callgate_grant_cgroup_count))
		return pass;
	rcu_read_lock_sched();
	pass = callgate_path_cgroup(dev->id, dev->kinds);
	rcu_read_unlock_sched();
	return pass;
}

bool callgate_check_member(u64 cgroup)
{
	bool member;

	rcu_read_lock_sched();
	member = cgroup_id(task_dfl_cgroup(current)) == cgroup;
	rcu_read_unlock_sched();
	return member;
}

u64 callgate_check_grant(const struct callgate_device *dev)
{
	unsigned long until;
	bool found;
	u64 id = 0;

	rcu_read_lock_sched();
	found = callgate_path_process(dev->id, dev->kinds, &until, &id);
	rcu_read_unlock_sched();
	return found ? id : 0;
}

static bool quick(const struct callgate_device *dev)
{
	long epoch;

	return callgate_check_grant(dev) || callgate_check_cgroup(dev, &epoch).cgroup;
}

static bool covered(struct callgate_device *dev)
{
	struct callgate_image image;

	if (likely(quick(dev)))
		return true;
	callgate_subject_current(&image, callgate_grant_needs_cgroup());
	return callgate_grant_find(&image, dev->id, dev->kinds, NULL, NULL);
}

static bool counted(struct callgate_device *dev, enum callgate_op op)
{
	bool ok = covered(dev);

	callgate_stat_inc(CALLGATE_STAT_CHECKS);
	trace_callgate_check(dev->id, op, ok);
	if (!ok)
		callgate_stat_inc(CALLGATE_STAT_DENIED);
	return ok;
}

static int refuse(struct callgate_device *dev, enum callgate_op op)
{
	callgate_report_denied(dev, op);
	return callgate_check_permissive() ? 0 : -EACCES;
}

int callgate_check(struct callgate_device *dev, enum callgate_op op)
{
	return likely(counted(dev, op)) ? 0 : refuse(dev, op);
}

int callgate_deny(struct callgate_device *dev, enum callgate_op op)
{
	callgate_stat_inc(CALLGATE_STAT_DENIED);
	trace_callgate_check(dev->id, op, false);
	return refuse(dev, op);
}

int callgate_check_quiet(struct callgate_device *dev)
{
	return covered(dev) || callgate_check_permissive() ? 0 : -EACCES;
}

int callgate_ask(struct callgate_device *dev, enum callgate_op op)
{
	int err;

	if (likely(counted(dev, op)))
		return 0;
	if (callgate_check_permissive()) {
		callgate_report_denied(dev, op);
		return 0;
	}
	err = callgate_request_hold(dev, op);
	switch (err) {
	case 0:
		return callgate_check_quiet(dev);
	case -EBUSY:
		/* Not held, so the controller has not heard of it. */
		callgate_report_denied(dev, op);
		return -EACCES;
	case -ERESTARTSYS:
	case -EINTR:
		return err;
	}
	return -EACCES;
}
