// SPDX-License-Identifier: GPL-2.0-only
/*
 * Held callers.
 *
 * Owns the list of requests and the wait. A request lives on its caller's
 * stack, so that keeping it allocates nothing; whoever answers it unlinks it first
 * and wakes the caller under the lock, and the caller takes that lock before it
 * returns. The caller writes the event itself, after it was linked: an answer may
 * come before it sleeps, and of two callers at the same time either may be told of
 * first. Does not decide: an answer of allow lets check.c look for a grant.
 * Called by check.c, by netlink.c with answers, and by device.c.
 *
 * Everything that is not a timely answer denies: no controller, a full list, an
 * event that did not get through, no acknowledgment, a device that is removed.
 * The limits are in running time, not in CLOCK_BOOTTIME: the controller is
 * frozen in suspend as well.
 */
#include "request.h"

#include <linux/freezer.h>
#include <linux/jiffies.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/timekeeping.h>

#include "stats.h"
#include "trace.h"

/**
 * struct request - one held caller, on its stack
 * @node: in @requests until it is answered
 * @dev: of the caller's open file
 * @held: what is reported; written before it is linked, but for seen
 * @task: the caller
 * @answered: unlinked, and @verdict is valid
 * @verdict: CALLGATE_VERDICT_*
 */
struct request {
	struct list_head node;
	struct callgate_device *dev;
	struct callgate_held held;
	struct task_struct *task;
	bool answered;
	u8 verdict;
};

/* Guards everything below and the fields above. Who is waiting cannot end before it has taken it, so it may be woken under it. */
static DEFINE_SPINLOCK(requests_lock);
static LIST_HEAD(requests);
static u32 request_count;
static u64 last_id;
static u32 generation;

static void answer(struct request *request, u8 verdict)
{
	lockdep_assert_held(&requests_lock);
	list_del(&request->node);
	request_count--;
	generation++;
	request->verdict = verdict;
	WRITE_ONCE(request->answered, true);
	wake_up_process(request->task);
}

static struct request *find(u64 id)
{
	struct request *request;

	lockdep_assert_held(&requests_lock);
	list_for_each_entry(request, &requests, node) {
		if (request->held.id == id)
			return request;
	}
	return NULL;
}

/* Under the lock: whoever cancels has first made sure that one of these says no. */
static int admit(const struct request *request)
{
	const struct request *other;
	u32 same = 0;

	lockdep_assert_held(&requests_lock);
	if (!callgate_controller_present())
		return -ENOTCONN;
	if (READ_ONCE(request->dev->removed))
		return -EACCES;
	if (request_count >= CALLGATE_MAX_REQUESTS)
		return -EBUSY;
	list_for_each_entry(other, &requests, node)
		same += other->held.who.image.uid == request->held.who.image.uid;
	return same >= CALLGATE_MAX_REQUESTS_UID ? -EBUSY : 0;
}

/* Until it is answered, or, where that is asked for, seen. What is left of @left, 0 when it is over, or -ERESTARTSYS. */
static long wait_until(const struct request *request, bool or_seen, long left)
{
	for (;;) {
		set_current_state(TASK_KILLABLE | TASK_FREEZABLE);
		if (READ_ONCE(request->answered) || (or_seen && READ_ONCE(request->held.seen)))
			break;
		if (fatal_signal_pending(current)) {
			left = -ERESTARTSYS;
			break;
		}
		if (!left)
			break;
		left = schedule_timeout(left);
	}
	__set_current_state(TASK_RUNNING);
	return left;
}

static long wait_for_answer(const struct request *request)
{
	long left = wait_until(request, true, CALLGATE_SEEN_SECONDS * HZ);

	if (left < 0 || READ_ONCE(request->answered) || !READ_ONCE(request->held.seen))
		return left;
	left += (CALLGATE_HOLD_SECONDS - CALLGATE_SEEN_SECONDS) * HZ;
	return wait_until(request, false, left);
}

int callgate_request_hold(struct callgate_device *dev, u8 op)
{
	struct request request = {
		.dev = dev,
		.task = current,
		.verdict = CALLGATE_VERDICT_DENY,
		.held = { .device = dev->id, .kinds = dev->kinds, .op = op },
	};
	long left;
	int err;

	callgate_who_current(&request.held.who);
	request.held.since = ktime_get_boottime_ns();

	spin_lock(&requests_lock);
	err = admit(&request);
	if (!err) {
		request.held.id = ++last_id;
		list_add_tail(&request.node, &requests);
		request_count++;
		generation++;
	}
	spin_unlock(&requests_lock);
	if (err)
		goto put;

	callgate_stat_inc(CALLGATE_STAT_ASKED);
	/* The controller's buffer may be full: a caller of whom it will never hear is not kept. */
	if (callgate_event_request(&request.held))
		callgate_request_answer(request.held.id, CALLGATE_VERDICT_DENY);
	left = wait_for_answer(&request);

	spin_lock(&requests_lock);
	if (!request.answered)
		answer(&request, CALLGATE_VERDICT_DENY);
	spin_unlock(&requests_lock);
	if (left < 0)
		err = left;
	else
		err = request.verdict == CALLGATE_VERDICT_ALLOW ? 0 : -EACCES;
	trace_callgate_request(request.held.id, dev->id, op, err);
put:
	callgate_who_put(&request.held.who);
	return err;
}

int callgate_request_seen(u64 id)
{
	struct request *request;

	spin_lock(&requests_lock);
	request = find(id);
	if (request && !request->held.seen) {
		WRITE_ONCE(request->held.seen, true);
		generation++;
		wake_up_process(request->task);
	}
	spin_unlock(&requests_lock);
	return request ? 0 : -ENOENT;
}

int callgate_request_answer(u64 id, u8 verdict)
{
	struct request *request;

	spin_lock(&requests_lock);
	request = find(id);
	if (request)
		answer(request, verdict);
	spin_unlock(&requests_lock);
	return request ? 0 : -ENOENT;
}

void callgate_request_cancel(struct callgate_device *dev)
{
	struct request *request, *next;

	spin_lock(&requests_lock);
	list_for_each_entry_safe(request, next, &requests, node) {
		if (!dev || request->dev == dev)
			answer(request, CALLGATE_VERDICT_DENY);
	}
	spin_unlock(&requests_lock);
}

bool callgate_request_next(u64 after, struct callgate_held *ret_held)
{
	struct request *request;
	bool found = false;

	spin_lock(&requests_lock);
	list_for_each_entry(request, &requests, node) {
		if (request->held.id <= after)
			continue;
		*ret_held = request->held;
		get_pid(ret_held->who.pid);
		found = true;
		break;
	}
	spin_unlock(&requests_lock);
	return found;
}

u32 callgate_request_generation(void)
{
	return READ_ONCE(generation);
}

void callgate_request_exit(void)
{
	callgate_request_cancel(NULL);
}
