// SPDX-License-Identifier: GPL-2.0-only
/*
 * The grants in force: subject x kinds x device x deadline, per session.
 *
 * Owns the table and its references (struct pid, executable, cgroup). Does not
 * decide who may order a grant: netlink.c lets only the controller. Knows no
 * device: main.c hands it a function that is called when grants ended.
 *
 * The path reads terms under RCU. Terms are never changed (but for how long the short way of grant-path.h is
 * open), only replaced, so that a reader sees kinds, device and deadline of one order. The references
 * are dropped after a grace period: an address that a reader compares cannot
 * meanwhile have become another process's. The deadline is compared at every
 * read; the timer only cleans up and stops what runs.
 */
#include "grant.h"

#include <linux/cgroup.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/hash.h>
#include <linux/hrtimer.h>
#include <linux/kstrtox.h>
#include <linux/llist.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/netlink.h>
#include <linux/rculist.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/suspend.h>
#include <linux/timekeeping.h>
#include <linux/timerqueue.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "grant-path.h"
#include "trace.h"

/**
 * struct grant - what keeps the terms true
 * @all: in the order of ids
 * @due: in the queue of deadlines
 * @terms: as of the last order
 * @pid: referenced, or NULL
 * @exe: referenced, or NULL
 * @cred: referenced, or NULL
 * @mm: referenced, or NULL; only its address matters
 * @cgroup: referenced, or NULL
 * @cookie: of the process, or 0
 * @rcu: when no reader compares the references any more
 * @dead: in the list of what drop_dead() frees
 */
struct grant {
	struct list_head all;
	struct timerqueue_node due;
	struct callgate_terms *terms;
	struct pid *pid;
	struct file *exe;
	const struct cred *cred;
	struct mm_struct *mm;
	struct cgroup *cgroup;
	u64 cookie;
	struct rcu_head rcu;
	struct llist_node dead;
};

struct hlist_head callgate_grant_processes[1 << CALLGATE_GRANT_HASH_BITS];
struct hlist_head callgate_grant_cgroups[1 << CALLGATE_GRANT_HASH_BITS];
atomic_long_t callgate_grant_epoch;
/* Written under grants_lock. */
u32 callgate_grant_cgroup_count;
/* The machine goes to sleep: the clock is asked each time. */
static bool sleeping;

/* Guards everything below and the writing side of the buckets; nothing nests inside. */
static DEFINE_MUTEX(grants_lock);
static LIST_HEAD(grants);
static struct timerqueue_head deadlines = { .rb_root = RB_ROOT_CACHED };
static u64 last_id;
static u32 grant_count;
static u32 generation;

static struct hrtimer timer;
static void (*on_ended)(void);

static struct hlist_head *bucket_of(const struct callgate_rule *rule)
{
	if (rule->pid)
		return &callgate_grant_processes[hash_ptr((void *)rule->pid,
							  CALLGATE_GRANT_HASH_BITS)];
	return &callgate_grant_cgroups[hash_64(rule->cgroup, CALLGATE_GRANT_HASH_BITS)];
}

static struct callgate_terms *find_in(const struct hlist_head *bucket,
				      const struct callgate_image *image, u32 device, u32 kinds,
				      u64 now)
{
	struct callgate_terms *terms;

	hlist_for_each_entry_rcu(terms, bucket, node) {
		if (callgate_rule_covers(&terms->rule, image, device, kinds, now))
			return terms;
	}
	return NULL;
}

/* Opens the short way, see grant-path.h. @begun: jiffies from before @now was read. */
static void open_path(struct callgate_terms *terms, unsigned long begun, u64 now)
{
	u64 ahead = nsecs_to_jiffies64(terms->rule.deadline - now);

	if (!READ_ONCE(sleeping))
		WRITE_ONCE(terms->until, begun + min_t(u64, ahead, CALLGATE_PATH_JIFFIES));
}

bool callgate_grant_find(const struct callgate_image *image, u32 device, u32 kinds, u64 *ret_id,
			 u64 *ret_session)
{
	unsigned long begun = callgate_path_jiffies();
	u64 now = ktime_get_coarse_boottime_ns();
	struct callgate_terms *terms;
	struct hlist_head *bucket;

	rcu_read_lock();
	bucket = &callgate_grant_processes[hash_ptr((void *)image->pid, CALLGATE_GRANT_HASH_BITS)];
	terms = find_in(bucket, image, device, kinds, now);
	if (!terms && image->cgroup) {
		bucket = &callgate_grant_cgroups[hash_64(image->cgroup, CALLGATE_GRANT_HASH_BITS)];
		terms = find_in(bucket, image, device, kinds, now);
	}
	if (terms)
		open_path(terms, begun, now);
	if (terms && ret_id)
		*ret_id = terms->id;
	if (terms && ret_session)
		*ret_session = terms->session;
	rcu_read_unlock();
	return terms;
}

bool callgate_grant_needs_cgroup(void)
{
	return READ_ONCE(callgate_grant_cgroup_count) != 0;
}

static void arm_timer(void)
{
	struct timerqueue_node *next = timerqueue_getnext(&deadlines);

	lockdep_assert_held(&grants_lock);
	if (next)
		hrtimer_start(&timer, next->expires, HRTIMER_MODE_ABS);
}

static void free_grant(struct grant *grant)
{
	put_pid(grant->pid);
	if (grant->exe)
		fput(grant->exe);
	put_cred(grant->cred);
	if (grant->mm)
		mmdrop(grant->mm);
	if (grant->cgroup)
		cgroup_put(grant->cgroup);
	kfree(grant->terms);
	kfree(grant);
}

static LLIST_HEAD(dead);

static void drop_dead(struct work_struct *unused)
{
	struct grant *grant, *next;

	llist_for_each_entry_safe(grant, next, llist_del_all(&dead), dead)
		free_grant(grant);
}

static DECLARE_WORK(drop_work, drop_dead);

/* In a softirq, where the last reference to an mm must not be dropped: that takes a lock which tasks hold with softirqs on. */
static void readers_are_gone(struct rcu_head *rcu)
{
	struct grant *grant = container_of(rcu, struct grant, rcu);

	if (llist_add(&grant->dead, &dead))
		queue_work(callgate_unbound_queue(), &drop_work);
}

/* Whoever passed before asks again. */
static void end_passes(void)
{
	smp_mb__before_atomic(); /* whoever sees the new epoch sees what it stands for */
	atomic_long_inc(&callgate_grant_epoch);
}

static void end_grant(struct grant *grant)
{
	lockdep_assert_held(&grants_lock);
	trace_callgate_revoke(grant->terms->id, grant->terms->session);
	hlist_del_rcu(&grant->terms->node);
	timerqueue_del(&deadlines, &grant->due);
	list_del(&grant->all);
	if (grant->cgroup)
		WRITE_ONCE(callgate_grant_cgroup_count, callgate_grant_cgroup_count - 1);
	grant_count--;
	generation++;
	end_passes();
	call_rcu(&grant->rcu, readers_are_gone);
}

static void end_expired(struct work_struct *work)
{
	struct timerqueue_node *next;
	bool ended = false;

	mutex_lock(&grants_lock);
	for (;;) {
		next = timerqueue_getnext(&deadlines);
		if (!next || next->expires > ktime_get_boottime())
			break;
		end_grant(container_of(next, struct grant, due));
		ended = true;
	}
	arm_timer();
	mutex_unlock(&grants_lock);
	if (ended)
		on_ended();
}

static DECLARE_WORK(expire_work, end_expired);

#ifdef CALLGATE_TEST
/* What the short way takes for jiffies while the machine is to be asleep; 0: it is not. */
static unsigned long test_jiffies;

unsigned long callgate_path_jiffies(void)
{
	return READ_ONCE(test_jiffies) ?: jiffies;
}

static bool is_asleep(void)
{
	return READ_ONCE(test_jiffies);
}

static int set_asleep(const char *value, const struct kernel_param *param)
{
	bool asleep;
	int err = kstrtobool(value, &asleep);

	if (err)
		return err;
	WRITE_ONCE(test_jiffies, asleep ? jiffies | 1 : 0);
	queue_work(system_highpri_wq, &expire_work);
	return 0;
}

static const struct kernel_param_ops test_asleep_ops = { .set = set_asleep };
module_param_cb(test_asleep, &test_asleep_ops, NULL, 0200);
MODULE_PARM_DESC(
	test_asleep,
	"test builds: jiffies stand still and no deadline is noticed, as while the machine sleeps");
#else
static bool is_asleep(void)
{
	return false;
}
#endif

static enum hrtimer_restart deadline_reached(struct hrtimer *unused)
{
	if (!is_asleep())
		queue_work(system_highpri_wq, &expire_work);
	return HRTIMER_NORESTART;
}

/* The grant of this order's session and subject, or NULL. @ret_same: grants of the subject. */
static struct grant *find_grant(const struct callgate_grant_order *order,
				const struct callgate_rule *rule, u32 *ret_same)
{
	const struct callgate_rule *other;
	struct grant *found = NULL;
	struct callgate_terms *terms;

	lockdep_assert_held(&grants_lock);
	*ret_same = 0;
	hlist_for_each_entry(terms, bucket_of(rule), node) {
		other = &terms->rule;
		if (other->pid != rule->pid || other->exec_id != rule->exec_id ||
		    other->cgroup != rule->cgroup || other->uid != rule->uid)
			continue;
		++*ret_same;
		if (terms->session == order->session)
			found = terms->grant;
	}
	return found;
}

static struct grant *new_grant(const struct callgate_grant_order *order)
{
	struct grant *grant = kzalloc(sizeof(*grant), GFP_KERNEL_ACCOUNT);

	if (!grant)
		return NULL;
	timerqueue_init(&grant->due);
	if (order->process) {
		grant->pid = get_pid(order->process->pid);
		grant->exe = get_file(order->process->exe);
		grant->cred = get_cred(order->process->cred);
		grant->mm = order->process->mm;
		mmgrab(grant->mm);
		grant->cookie = order->process->cookie;
	} else {
		css_get(&order->cgroup->self);
		grant->cgroup = order->cgroup;
	}
	return grant;
}

static void rule_of_subject(const struct callgate_grant_order *order, struct callgate_rule *rule)
{
	memset(rule, 0, sizeof(*rule));
	if (order->process) {
		rule->pid = order->process->pid;
		rule->exec_id = order->process->exec_id;
		rule->exe = file_inode(order->process->exe);
		rule->uid = order->process->uid;
	} else {
		rule->cgroup = cgroup_id(order->cgroup);
		rule->uid = order->uid;
	}
	rule->deadline = order->deadline;
}

static int check_order(const struct callgate_grant_order *order, struct netlink_ext_ack *extack)
{
	u64 now = ktime_get_boottime_ns();

	if (order->deadline <= now) {
		NL_SET_ERR_MSG(extack, "The deadline has passed");
		return -ERANGE;
	}
	if (order->deadline - now > CALLGATE_GRANT_MAX_SECONDS * (u64)NSEC_PER_SEC) {
		NL_SET_ERR_MSG(extack, "The deadline is more than 10 seconds ahead; renew instead");
		return -ERANGE;
	}
	if (order->process && (order->process->euid != order->process->uid ||
			       order->process->suid != order->process->uid)) {
		NL_SET_ERR_MSG(extack, "The process runs with more than one uid");
		return -EPERM;
	}
	return 0;
}

int callgate_grant_renew(const struct callgate_grant_order *order, u64 *ret_id,
			 struct netlink_ext_ack *extack)
{
	struct callgate_terms *terms, *old = NULL;
	bool narrowed = false, less = false;
	struct grant *grant;
	u32 same;
	int err;

	err = check_order(order, extack);
	if (err)
		return err;
	terms = kzalloc(sizeof(*terms), GFP_KERNEL_ACCOUNT);
	if (!terms)
		return -ENOMEM;
	rule_of_subject(order, &terms->rule);

	mutex_lock(&grants_lock);
	grant = find_grant(order, &terms->rule, &same);
	if (grant) {
		old = grant->terms;
		terms->id = old->id;
		terms->rule.kinds = order->kinds ? *order->kinds : old->rule.kinds;
		terms->rule.device = order->device ? *order->device : old->rule.device;
		terms->rule.exe = old->rule.exe;
		narrowed = (old->rule.kinds & ~terms->rule.kinds) ||
			   (terms->rule.device && terms->rule.device != old->rule.device);
		less = narrowed || terms->rule.deadline < old->rule.deadline;
		timerqueue_del(&deadlines, &grant->due);
	} else {
		err = -EINVAL;
		if (!order->kinds) {
			NL_SET_ERR_MSG(extack, "A new grant needs its kinds");
			goto unlock;
		}
		err = -ENOSPC;
		if (grant_count >= CALLGATE_MAX_GRANTS || same >= CALLGATE_MAX_GRANTS_SUBJECT) {
			NL_SET_ERR_MSG(extack, "Too many grants are in force; revoke some first");
			goto unlock;
		}
		err = -ENOMEM;
		grant = new_grant(order);
		if (!grant)
			goto unlock;
		terms->id = ++last_id;
		terms->rule.kinds = *order->kinds;
		terms->rule.device = order->device ? *order->device : 0;
		list_add_tail(&grant->all, &grants);
		grant_count++;
		if (grant->cgroup)
			WRITE_ONCE(callgate_grant_cgroup_count, callgate_grant_cgroup_count + 1);
	}
	terms->session = order->session;
	terms->grant = grant;
	terms->mm = grant->mm;
	terms->exe = grant->exe;
	terms->cred = grant->cred;
	/* Not open yet. */
	terms->until = callgate_path_jiffies();
	grant->terms = terms;
	if (old) {
		hlist_replace_rcu(&old->node, &terms->node);
		kfree_rcu(old, rcu);
	} else if (same) {
		/* Behind the first of each subject, so that many of one are in nobody's way. */
		hlist_add_tail_rcu(&terms->node, bucket_of(&terms->rule));
	} else {
		hlist_add_head_rcu(&terms->node, bucket_of(&terms->rule));
	}
	if (less)
		end_passes();
	grant->due.expires = ns_to_ktime(order->deadline);
	timerqueue_add(&deadlines, &grant->due);
	arm_timer();
	generation++;
	trace_callgate_grant(terms->id, terms->session, terms->rule.kinds, terms->rule.device,
			     terms->rule.deadline);
	*ret_id = terms->id;
	mutex_unlock(&grants_lock);
	if (narrowed)
		on_ended();
	return 0;

unlock:
	mutex_unlock(&grants_lock);
	kfree(terms);
	return err;
}

int callgate_grant_revoke(u64 id, u64 session)
{
	struct grant *grant, *next;
	bool ended = false;

	mutex_lock(&grants_lock);
	list_for_each_entry_safe(grant, next, &grants, all) {
		if ((id && grant->terms->id != id) || (session && grant->terms->session != session))
			continue;
		end_grant(grant);
		ended = true;
	}
	mutex_unlock(&grants_lock);
	if (!ended)
		return -ENOENT;
	on_ended();
	return 0;
}

void callgate_grant_walk(u64 after,
			 bool (*each)(const struct callgate_grant_facts *facts, void *arg),
			 void *arg)
{
	struct callgate_grant_facts facts;
	struct grant *grant;

	mutex_lock(&grants_lock);
	list_for_each_entry(grant, &grants, all) {
		if (grant->terms->id <= after)
			continue;
		facts.id = grant->terms->id;
		facts.session = grant->terms->session;
		facts.cookie = grant->cookie;
		facts.tgid = grant->pid ? pid_nr(grant->pid) : 0;
		facts.rule = grant->terms->rule;
		if (!each(&facts, arg))
			break;
	}
	mutex_unlock(&grants_lock);
}

u32 callgate_grant_generation(void)
{
	return READ_ONCE(generation);
}

/* Jiffies stand still while the machine sleeps, the deadlines do not. */
static int on_sleep(struct notifier_block *block, unsigned long event, void *data)
{
	struct grant *grant;

	switch (event) {
	case PM_SUSPEND_PREPARE:
	case PM_HIBERNATION_PREPARE:
	case PM_RESTORE_PREPARE:
		WRITE_ONCE(sleeping, true);
		/* For open_path(). */
		synchronize_rcu();
		mutex_lock(&grants_lock);
		list_for_each_entry(grant, &grants, all)
			WRITE_ONCE(grant->terms->until, callgate_path_jiffies());
		end_passes();
		mutex_unlock(&grants_lock);
		break;
	case PM_POST_SUSPEND:
	case PM_POST_HIBERNATION:
	case PM_POST_RESTORE:
		WRITE_ONCE(sleeping, false);
		break;
	}
	return NOTIFY_DONE;
}

static struct notifier_block sleep_block = {
	.notifier_call = on_sleep,
};

int callgate_grant_init(void (*ended)(void))
{
	on_ended = ended;
	callgate_hrtimer_init(&timer, deadline_reached, CLOCK_BOOTTIME);
	return register_pm_notifier(&sleep_block);
}

void callgate_grant_exit(void)
{
	unregister_pm_notifier(&sleep_block);
	callgate_grant_revoke(0, 0);
	hrtimer_cancel(&timer);
	cancel_work_sync(&expire_work);
	rcu_barrier();
	flush_work(&drop_work);
}
