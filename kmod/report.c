// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a device has to tell: denied attempts, started and stopped captures.
 *
 * Facts are noted in the device's own fixed slots, from any context, under its
 * lock; a worker writes the events. Called by check.c, stream.c and device.c.
 * Must not allocate, sleep or send where facts are noted.
 *
 * One image causes at most one denied event a second on a device, however often
 * it tries. A full table forgets the attempt's report, never the denial; an
 * event that is dropped here is counted as lost.
 */
#include "report.h"

#include <linux/string.h>
#include <linux/timekeeping.h>

#include "event.h"
#include "stats.h"
#include "stream.h"

#define DENIED_INTERVAL_NS (CALLGATE_DENIED_INTERVAL_S * (u64)NSEC_PER_SEC)

/* Whoever queues it takes a reference for the run. */
static void queue_after(struct callgate_device *dev, unsigned long delay)
{
	lockdep_assert_held(&dev->lock);
	callgate_device_get(dev);
	if (mod_delayed_work(callgate_device_queue, &dev->report, delay))
		callgate_device_put(
			dev); /* it was queued already; the caller has one, so never the last */
}

void callgate_report_queue(struct callgate_device *dev)
{
	queue_after(dev, 0);
}

/* When this slot may be reported, as a delay in ns. */
static u64 due_in(const struct callgate_denied *slot, u64 now)
{
	u64 age = now - slot->last_report;

	if (!slot->last_report || age >= DENIED_INTERVAL_NS)
		return 0;
	return DENIED_INTERVAL_NS - age;
}

static struct callgate_denied *find_slot(struct callgate_device *dev,
					 const struct callgate_who *who, u64 now)
{
	struct callgate_denied *slot, *unused = NULL;
	int i;

	for (i = 0; i < CALLGATE_MAX_DENIED; i++) {
		slot = &dev->denied[i];
		if ((slot->count || slot->last_report) && slot->who.cookie == who->cookie)
			return slot;
		if (!slot->count && !due_in(slot, now))
			unused = unused ?: slot;
	}
	if (unused)
		unused->last_report = 0;
	return unused;
}

void callgate_report_denied(struct callgate_device *dev, u8 op)
{
	struct callgate_denied *slot;
	struct callgate_who who;
	unsigned long flags;
	u64 now;

	if (!callgate_controller_present())
		return;
	now = ktime_get_coarse_boottime_ns();
	callgate_who_current(&who);
	spin_lock_irqsave(&dev->lock, flags);
	slot = dev->removed ? NULL : find_slot(dev, &who, now);
	if (!slot) {
		callgate_stat_inc(CALLGATE_STAT_LOST);
	} else if (slot->count++) {
		slot->op = op;
	} else {
		slot->who = who;
		slot->op = op;
		who.pid = NULL;
		/* A run that is queued already comes back for what is due later. */
		if (!due_in(slot, now))
			queue_after(dev, 0);
		else if (!delayed_work_pending(&dev->report))
			queue_after(dev, nsecs_to_jiffies(due_in(slot, now)) + 1);
	}
	spin_unlock_irqrestore(&dev->lock, flags);
	callgate_who_put(&who);
}

/* Takes out the oldest stopped capture, else an unreported running one. */
static bool take_capture(struct callgate_device *dev, struct callgate_capture *ret_capture)
{
	struct callgate_stream *stream;

	lockdep_assert_held(&dev->lock);
	if (dev->stopped_count) {
		*ret_capture = dev->stopped[0];
		dev->stopped_count--;
		memmove(&dev->stopped[0], &dev->stopped[1],
			dev->stopped_count * sizeof(dev->stopped[0]));
		return true;
	}
	list_for_each_entry(stream, &dev->streams, node) {
		if (stream->reported)
			continue;
		stream->reported = true;
		callgate_stream_capture(stream, ret_capture);
		return true;
	}
	return false;
}

static void send_capture(struct callgate_device *dev, struct callgate_capture *capture)
{
	u8 reason = capture->reason;

	if (reason && !capture->reported) {
		capture->reason = CALLGATE_REASON_UNSPEC;
		callgate_event_stream(dev, capture);
		capture->reason = reason;
	}
	callgate_event_stream(dev, capture);
	callgate_who_put(&capture->who);
}

/* Takes out a denied slot that is due; else says when the next one is. */
static bool take_denied(struct callgate_device *dev, bool all, struct callgate_denied *ret_denied,
			u64 *ret_next)
{
	u64 now = ktime_get_coarse_boottime_ns();
	struct callgate_denied *slot;
	int i;

	lockdep_assert_held(&dev->lock);
	*ret_next = U64_MAX;
	for (i = 0; i < CALLGATE_MAX_DENIED; i++) {
		slot = &dev->denied[i];
		if (!slot->count)
			continue;
		if (!all && due_in(slot, now)) {
			*ret_next = min(*ret_next, due_in(slot, now));
			continue;
		}
		*ret_denied = *slot;
		slot->count = 0;
		slot->who.pid = NULL;
		slot->last_report = now;
		return true;
	}
	return false;
}

static void send_all(struct callgate_device *dev, bool all)
{
	struct callgate_capture capture;
	struct callgate_denied denied;
	u64 next;

	spin_lock_irq(&dev->lock);
	while (take_capture(dev, &capture)) {
		spin_unlock_irq(&dev->lock);
		send_capture(dev, &capture);
		spin_lock_irq(&dev->lock);
	}
	while (take_denied(dev, all, &denied, &next)) {
		spin_unlock_irq(&dev->lock);
		callgate_event_denied(dev, &denied);
		callgate_who_put(&denied.who);
		spin_lock_irq(&dev->lock);
	}
	if (next != U64_MAX && !dev->removed && !delayed_work_pending(&dev->report))
		queue_after(dev, nsecs_to_jiffies(next) + 1);
	spin_unlock_irq(&dev->lock);
}

void callgate_report_work(struct work_struct *work)
{
	struct callgate_device *dev = container_of(work, struct callgate_device, report.work);

	send_all(dev, false);
	callgate_device_put(dev);
}

void callgate_report_flush(struct callgate_device *dev)
{
	send_all(dev, true);
}
