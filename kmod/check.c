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

bool callgate_check_cgroup(const struct callgate_device *dev)
{
	unsigned long until;
	bool yes;

	if (!READ_ONCE(callgate_grant_cgroup_count))
		return false;
	rcu_read_lock_sched();
	yes = callgate_path_cgroup(dev->id, dev->kinds, &until);
	rcu_read_unlock_sched();
	return yes;
}

bool callgate_check_ticket(const struct callgate_device *dev, const struct file *file,
			   struct callgate_ticket *ret_ticket)
{
	struct callgate_ticket ticket = { .epoch = atomic_long_read(&callgate_grant_epoch) };
	const struct callgate_terms *terms;

	smp_rmb(); /* what becomes untrue from here on changes the epoch afterwards */
	rcu_read_lock_sched();
	terms = callgate_path_process(dev->id, dev->kinds, &ticket.until);
	if (terms) {
		/* Not mm's, which another thread may have changed since. */
		ticket.exe = terms->exe;
		ticket.cred = terms->cred;
	} else if (READ_ONCE(callgate_grant_cgroup_count)) {
		ticket.group = callgate_path_cgroup(dev->id, dev->kinds, &ticket.until);
	}
	rcu_read_unlock_sched();
	if (!terms && !ticket.group)
		return false;
	ticket.file = file;
	ticket.pid = task_tgid(current);
	ticket.mm = current->mm;
	if (ticket.group) {
		ticket.exec_id = READ_ONCE(current->self_exec_id);
		ticket.uid = __kuid_val(current_uid());
	}
	*ret_ticket = ticket;
	return true;
}

static bool quick(const struct callgate_device *dev)
{
	bool yes;

	rcu_read_lock_sched();
	yes = callgate_check_quick(dev);
	rcu_read_unlock_sched();
	return yes || callgate_check_cgroup(dev);
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
