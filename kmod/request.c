// SPDX-License-Identifier: GPL-2.0-only
/*
 * Held callers.
 *
 * Owns the list of requests and the wait. A request lives on its caller's
 * stack, so that keeping it allocates nothing; whoever answers it unlinks it first
 * and wakes the caller under the lock, and the caller takes that lock before it
 * returns. Does not decide: an answer of allow lets check.c look for a grant.
 * Called by check.c, by request-file.c with what the controller does, and by
 * device.c.
 *
 * Everything that is not a timely answer denies: no controller, a full list,
 * nobody who reads, a device that is removed.
 * The limits are in running time, not in CLOCK_BOOTTIME: the controller is
 * frozen in suspend as well. One work item looks after all of them while there
 * are any, since a timer for each would be set and taken back with each.
 */
#include "request.h"

#include <linux/freezer.h>
#include <linux/jiffies.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/workqueue.h>

#include "event.h"
#include "report.h"
#include "stats.h"
#include "subject.h"
#include "trace.h"

#define LOOK_JIFFIES (HZ / 4)

/**
 * struct request - one held caller, on its stack
 * @node: in @requests until it is answered
 * @who: the caller; its pid is referenced
 * @task: its thread
 * @dev: of its open file
 * @id: never re-used
 * @until: in jiffies; then it is denied, read or not
 * @read_until: in jiffies; then it is denied unless it was read
 * @op: enum callgate_op
 * @read: the controller has heard of it
 * @answered: unlinked, and @verdict is valid
 * @verdict: CALLGATE_VERDICT_*
 */
struct request {
	struct list_head node;
	struct callgate_who who;
	struct task_struct *task;
	struct callgate_device *dev;
	u64 id;
	unsigned long until;
	unsigned long read_until;
	u8 op;
	bool read;
	bool answered;
	u8 verdict;
};

DECLARE_WAIT_QUEUE_HEAD(callgate_request_readers);

static void look(struct work_struct *work);
static DECLARE_DELAYED_WORK(look_work, look);

/* Guards everything below and the fields above. Who is waiting cannot end before it has taken it, so it may be woken under it. */
static DEFINE_SPINLOCK(requests_lock);
static LIST_HEAD(requests);
/* The first that was not read, or NULL: those before it were, those behind it were not. */
static struct request *unread;
static u32 request_count;
static u64 last_id;
static bool looking;

static struct request *next_of(struct request *request)
{
	return list_is_last(&request->node, &requests) ? NULL : list_next_entry(request, node);
}

static void answer(struct request *request, u8 verdict)
{
	lockdep_assert_held(&requests_lock);
	if (unread == request)
		WRITE_ONCE(unread, next_of(request));
	list_del(&request->node);
	request_count--;
	request->verdict = verdict;
	WRITE_ONCE(request->answered, true);
	wake_up_process(request->task);
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
		same += other->who.image.uid == request->who.image.uid;
	return same >= CALLGATE_MAX_REQUESTS_UID ? -EBUSY : 0;
}

static void enter(struct request *request)
{
	lockdep_assert_held(&requests_lock);
	request->id = ++last_id;
	request->until = jiffies + CALLGATE_HOLD_SECONDS * HZ;
	request->read_until = jiffies + CALLGATE_READ_SECONDS * HZ;
	list_add_tail(&request->node, &requests);
	request_count++;
	if (!unread)
		WRITE_ONCE(unread, request);
	if (!looking)
		queue_delayed_work(callgate_device_queue, &look_work, LOOK_JIFFIES);
	looking = true;
}

/* Denies those whose time is over. */
static void look(struct work_struct *work)
{
	struct request *request, *next;

	spin_lock(&requests_lock);
	list_for_each_entry_safe(request, next, &requests, node) {
		if (time_after_eq(jiffies, request->read ? request->until : request->read_until))
			answer(request, CALLGATE_VERDICT_DENY);
	}
	looking = request_count != 0;
	if (looking)
		queue_delayed_work(callgate_device_queue, &look_work, LOOK_JIFFIES);
	spin_unlock(&requests_lock);
}

static int wait_for_answer(const struct request *request)
{
	int err = 0;

	for (;;) {
		set_current_state(TASK_KILLABLE | TASK_FREEZABLE);
		if (READ_ONCE(request->answered))
			break;
		if (fatal_signal_pending(current)) {
			err = -ERESTARTSYS;
			break;
		}
		schedule();
	}
	__set_current_state(TASK_RUNNING);
	return err;
}

int callgate_request_hold(struct callgate_device *dev, u8 op)
{
	struct request request = { .dev = dev, .task = current, .op = op };
	int err;

	callgate_who_current(&request.who);

	spin_lock(&requests_lock);
	err = admit(&request);
	if (!err)
		enter(&request);
	spin_unlock(&requests_lock);
	if (err)
		goto put;

	callgate_stat_inc(CALLGATE_STAT_ASKED);
	wake_up_interruptible_poll(&callgate_request_readers, EPOLLIN | EPOLLRDNORM);
	err = wait_for_answer(&request);

	spin_lock(&requests_lock);
	if (!request.answered)
		answer(&request, CALLGATE_VERDICT_DENY);
	spin_unlock(&requests_lock);
	if (!err && request.verdict != CALLGATE_VERDICT_ALLOW)
		err = -EACCES;
	/* Also one who was killed: the controller is to hear of each who asked. */
	if (!request.read)
		callgate_report_denied(dev, op);
	trace_callgate_request(request.id, dev->id, op, err);
put:
	callgate_who_put(&request.who);
	return err;
}

bool callgate_request_unread(void)
{
	return READ_ONCE(unread);
}

int callgate_request_read(unsigned long controller, struct callgate_request *ret_request)
{
	struct request *request;
	int err = -ENOTCONN;

	spin_lock(&requests_lock);
	if (controller != callgate_controller_generation())
		goto unlock;
	request = unread;
	err = request ? 0 : -EAGAIN;
	if (request) {
		WRITE_ONCE(unread, next_of(request));
		request->read = true;
		*ret_request = (struct callgate_request){
			.id = request->id,
			.op = request->op,
			.device = request->dev->id,
			.kinds = request->dev->kinds,
			.tgid = pid_nr(request->who.pid),
			.uid = request->who.image.uid,
			.cookie = request->who.cookie,
			.cgroup = request->who.image.cgroup,
		};
	}
unlock:
	spin_unlock(&requests_lock);
	return err;
}

void callgate_request_rewind(void)
{
	struct request *request;

	spin_lock(&requests_lock);
	list_for_each_entry(request, &requests, node) {
		if (request->read)
			request->read_until = jiffies + CALLGATE_READ_SECONDS * HZ;
		request->read = false;
	}
	WRITE_ONCE(unread, list_first_entry_or_null(&requests, struct request, node));
	spin_unlock(&requests_lock);
	wake_up_interruptible_all(&callgate_request_readers);
}

static int answer_id(unsigned long controller, u64 id, u8 verdict, bool read)
{
	struct request *request;

	lockdep_assert_held(&requests_lock);
	if (controller != callgate_controller_generation())
		return -ENOTCONN;
	list_for_each_entry(request, &requests, node) {
		if (request->id == id) {
			request->read = read;
			answer(request, verdict);
			return 0;
		}
	}
	return -ENOENT;
}

int callgate_request_answer(unsigned long controller, u64 id, u8 verdict)
{
	int err;

	spin_lock(&requests_lock);
	err = answer_id(controller, id, verdict, true);
	spin_unlock(&requests_lock);
	return err;
}

void callgate_request_lose(unsigned long controller, u64 id)
{
	spin_lock(&requests_lock);
	answer_id(controller, id, CALLGATE_VERDICT_DENY, false);
	spin_unlock(&requests_lock);
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
	/* Readers whose controller has gone see that. */
	if (!dev)
		wake_up_interruptible_all(&callgate_request_readers);
}

void callgate_request_exit(void)
{
	callgate_request_cancel(NULL);
	cancel_delayed_work_sync(&look_work);
}
