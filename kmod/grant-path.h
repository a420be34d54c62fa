/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The short way to a yes, for every buffer of a running capture. For check.c; what it reads is grant.c's.
 *
 * It says yes only where callgate_rule_covers() would, from fewer facts: a pointer that the grant holds a reference to
 * stands for what it points to. Whoever gets no yes here asks callgate_grant_find(). What comes with each buffer of a camera does not even
 * look the grant up: it compares the facts of a yes that was given before, which are good while callgate_grant_epoch stands still.
 *
 * Security: the deadline is on CLOCK_BOOTTIME, which takes long to read. So a grant that was found by the clock
 * is good, by jiffies, until its deadline or for CALLGATE_PATH_JIFFIES, whichever is earlier. Jiffies stand still while the
 * machine sleeps: grant.c takes the short way away before it does.
 */
#ifndef CALLGATE_GRANT_PATH_H
#define CALLGATE_GRANT_PATH_H

#include <linux/cgroup.h>
#include <linux/cred.h>
#include <linux/hash.h>
#include <linux/jiffies.h>
#include <linux/mm_types.h>
#include <linux/rculist.h>
#include <linux/sched/signal.h>

#include "grant.h"

#define CALLGATE_PATH_JIFFIES HZ

struct grant;

/**
 * struct callgate_terms - what the path reads
 * @node: in a bucket of processes or of cgroups
 * @rule: what is allowed
 * @mm: of a process; the grant's reference. Each image has its own: it stands for @rule.exec_id
 * @exe: of a process; the grant's reference, and @rule.exe is its inode
 * @cred: of a process; the grant's reference, and its uids are @rule.uid
 * @until: the short way is open before these jiffies; the one field that changes
 * @grant: for the writing side
 * @id: never re-used
 * @session: the controller's number
 * @rcu: frees replaced terms
 */
struct callgate_terms {
	struct hlist_node node;
	struct callgate_rule rule;
	const struct mm_struct *mm;
	const struct file *exe;
	const struct cred *cred;
	unsigned long until;
	struct grant *grant;
	u64 id;
	u64 session;
	struct rcu_head rcu;
};

extern struct hlist_head callgate_grant_processes[1 << CALLGATE_GRANT_HASH_BITS];
extern struct hlist_head callgate_grant_cgroups[1 << CALLGATE_GRANT_HASH_BITS];
/* Counts what may make an answer untrue: grants that ended or became less, and holders of buffers that changed. */
extern atomic_long_t callgate_grant_epoch;
/* Grants for cgroups. */
extern u32 callgate_grant_cgroup_count;

#ifdef CALLGATE_TEST
/* Test builds can be told that the machine sleeps: jiffies as they then stand still. */
unsigned long callgate_path_jiffies(void);
#else
static __always_inline unsigned long callgate_path_jiffies(void)
{
	return jiffies;
}
#endif

/* time_before(), which leaves a store behind where the kernel clears every variable. */
static __always_inline bool callgate_path_open(unsigned long until)
{
	return (long)(callgate_path_jiffies() - until) < 0;
}

static __always_inline bool callgate_path_terms(const struct callgate_terms *terms, u32 device,
						u32 kinds, unsigned long until)
{
	return (terms->rule.kinds & kinds) == kinds &&
	       (!terms->rule.device || terms->rule.device == device) && callgate_path_open(until);
}

/* With preemption off, which is a read side of RCU; as the next one. NULL: no yes. */
static __always_inline const struct callgate_terms *callgate_path_process(u32 device, u32 kinds,
									  unsigned long *ret_until)
{
	const struct task_struct *task = current;
	const struct pid *pid = task->signal->pids[PIDTYPE_TGID];
	const struct callgate_terms *terms;

	hlist_for_each_entry_rcu(
		terms, &callgate_grant_processes[hash_ptr((void *)pid, CALLGATE_GRANT_HASH_BITS)],
		node, rcu_read_lock_sched_held()) {
		if (terms->rule.pid != pid)
			continue;
		/* Terms of a process have an mm: whoever has none any more gets no yes here. */
		if (terms->mm != task->mm || terms->cred != current_cred() ||
		    terms->exe != rcu_access_pointer(terms->mm->exe_file))
			return NULL;
		*ret_until = READ_ONCE(terms->until);
		if (callgate_path_terms(terms, device, kinds, *ret_until))
			return terms;
	}
	return NULL;
}

/* The same by a grant for current's cgroup, which it returns: the grant references it. */
static inline const struct cgroup *callgate_path_cgroup(u32 device, u32 kinds,
							unsigned long *ret_until)
{
	const struct cgroup *group = task_dfl_cgroup(current);
	const struct cred *cred = current_cred();
	const struct callgate_terms *terms;
	u64 id = cgroup_id(group);
	u32 uid;

	if (!current->mm || current->flags & PF_KTHREAD)
		return NULL;
	hlist_for_each_entry_rcu(terms,
				 &callgate_grant_cgroups[hash_64(id, CALLGATE_GRANT_HASH_BITS)],
				 node, rcu_read_lock_sched_held()) {
		uid = terms->rule.uid;
		*ret_until = READ_ONCE(terms->until);
		if (terms->rule.cgroup == id && __kuid_val(cred->uid) == uid &&
		    __kuid_val(cred->euid) == uid && __kuid_val(cred->suid) == uid &&
		    callgate_path_terms(terms, device, kinds, *ret_until))
			return group;
	}
	return NULL;
}

/**
 * struct callgate_ticket - a yes that was given to the one who uses a file
 * @epoch: callgate_grant_epoch from before the answer. Written last and read first
 * @until: in jiffies; not before them: ask again
 * @file: that it is for; NULL: there is no ticket
 * @pid: the process, which the owner of the ticket keeps
 * @mm: current's; by a process's grant, which references it, it stands for the image
 * @cred: current's, which a process's grant references; unused by a cgroup's
 * @exe: current's, likewise
 * @group: by a cgroup's grant, which references it: the group of which current is a member; NULL: by a process's
 * @exec_id: the image, for a cgroup's grant, which references none
 * @uid: all three of current's, likewise
 *
 * One writer at a time; read without a lock. Whoever replaces the facts changes callgate_grant_epoch before, so a reader who finds it
 * unchanged at the end has read the facts of one ticket.
 */
struct callgate_ticket {
	long epoch;
	unsigned long until;
	const struct file *file;
	const struct pid *pid;
	const struct mm_struct *mm;
	const struct cred *cred;
	const struct file *exe;
	const struct cgroup *group;
	u64 exec_id;
	u32 uid;
};

/*
 * May current do with @file what the ticket was given for? With preemption off. False says nothing. @ret_epoch: for
 * callgate_ticket_holds().
 */
static __always_inline bool callgate_ticket_good(const struct callgate_ticket *ticket,
						 const struct file *file, long *ret_epoch)
{
	long epoch = smp_load_acquire(&ticket->epoch); /* pairs with be_sure() */
	const struct task_struct *task = current;
	const struct cred *cred = current_cred();
	const struct mm_struct *mm = task->mm;
	const struct cgroup *group = READ_ONCE(ticket->group);

	*ret_epoch = epoch;
	/* A ticket has an mm: whoever has none any more gets no yes here. */
	if (READ_ONCE(ticket->file) != file || READ_ONCE(ticket->mm) != mm ||
	    READ_ONCE(ticket->pid) != task->signal->pids[PIDTYPE_TGID])
		return false;
	if (!group) {
		if (READ_ONCE(ticket->cred) != cred ||
		    READ_ONCE(ticket->exe) != rcu_access_pointer(mm->exe_file))
			return false;
	} else {
		u32 uid = READ_ONCE(ticket->uid);

		if (group != task_dfl_cgroup(current) || __kuid_val(cred->uid) != uid ||
		    __kuid_val(cred->euid) != uid || __kuid_val(cred->suid) != uid ||
		    READ_ONCE(ticket->exec_id) != READ_ONCE(task->self_exec_id))
			return false;
	}
	if (!callgate_path_open(READ_ONCE(ticket->until)))
		return false;
	smp_rmb(); /* pairs with whoever changes the epoch before the facts */
	return epoch == atomic_long_read(&callgate_grant_epoch);
}

/* Is that still so, after the driver? The caller itself is who it was: it was inside the kernel. */
static __always_inline bool callgate_ticket_holds(const struct callgate_ticket *ticket, long epoch)
{
	const struct cgroup *group = READ_ONCE(ticket->group);
	unsigned long until = READ_ONCE(ticket->until);
	bool member = true;

	/* Root may have moved it out meanwhile. */
	if (group) {
		rcu_read_lock_sched();
		member = group == task_dfl_cgroup(current);
		rcu_read_unlock_sched();
	}
	smp_rmb(); /* as above: these were the facts of the ticket that was good before */
	return likely(member) && likely(callgate_path_open(until)) &&
	       likely(epoch == atomic_long_read(&callgate_grant_epoch));
}
#endif
