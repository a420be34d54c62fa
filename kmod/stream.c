// SPDX-License-Identifier: GPL-2.0-only
/*
 * Running captures: who started them, since when, under which grant.
 *
 * Owns the ids and each device's list; the memory is the subsystem's. Stops
 * nothing itself: it tells the device's worker, which calls the subsystem.
 * Called by the subsystems from any context, also from ALSA triggers.
 *
 * A start and the end of its grant can cross. Each side first writes and then
 * reads what the other wrote: the start links the stream and then looks for its
 * grant, the end unlinks the grant and then looks for streams. At least one of
 * them sees the other, so that no stream outlives its grant unnoticed.
 */
#include "stream.h"

#include <linux/timekeeping.h>

#include "check.h"
#include "grant.h"
#include "report.h"
#include "stats.h"
#include "trace.h"

static atomic64_t last_id;
static atomic_t generation;

void callgate_stream_init(struct callgate_stream *stream)
{
	memset(stream, 0, sizeof(*stream));
	INIT_LIST_HEAD(&stream->node);
}

void callgate_stream_capture(const struct callgate_stream *stream,
			     struct callgate_capture *ret_capture)
{
	*ret_capture = (struct callgate_capture){
		.who = { .image = stream->image,
			 .pid = get_pid(stream->pid),
			 .cookie = stream->cookie },
		.id = stream->id,
		.grant = stream->grant,
		.session = stream->session,
		.since = stream->since,
		.reported = stream->reported,
	};
}

void callgate_stream_start(struct callgate_device *dev, struct callgate_stream *stream)
{
	struct callgate_who who;
	u64 grant = 0, session = 0;
	unsigned long flags;
	bool covered;

	callgate_who_current(&who);
	spin_lock_irqsave(&dev->lock, flags);
	if (stream->id) {
		spin_unlock_irqrestore(&dev->lock, flags);
		callgate_who_put(&who);
		return;
	}
	stream->image = who.image;
	stream->pid = who.pid;
	stream->cookie = who.cookie;
	stream->since = ktime_get_boottime_ns();
	stream->reported = false;
	list_add_tail(&stream->node, &dev->streams);
	WRITE_ONCE(stream->id, atomic64_inc_return(&last_id));
	atomic_inc(&generation);
	smp_mb(); /* pairs with callgate_device_revoke() */
	covered = callgate_grant_find(&who.image, dev->id, dev->kinds, &grant, &session);
	stream->grant = grant;
	stream->session = session;
	trace_callgate_stream(stream->id, dev->id, grant, 0);
	callgate_report_queue(dev);
	if (!covered && !callgate_check_permissive() && !dev->removed)
		queue_work(callgate_device_queue, &dev->revoke);
	spin_unlock_irqrestore(&dev->lock, flags);
}

void callgate_stream_stop(struct callgate_device *dev, struct callgate_stream *stream, u8 reason)
{
	struct callgate_capture capture;
	unsigned long flags;

	spin_lock_irqsave(&dev->lock, flags);
	if (!stream->id) {
		spin_unlock_irqrestore(&dev->lock, flags);
		return;
	}
	callgate_stream_capture(stream, &capture);
	capture.reason = reason;
	trace_callgate_stream(stream->id, dev->id, stream->grant, reason);
	list_del_init(&stream->node);
	put_pid(stream->pid); /* never the last one: the capture holds one */
	stream->pid = NULL;
	WRITE_ONCE(stream->id, 0);
	atomic_inc(&generation);
	if (reason == CALLGATE_REASON_REVOKED)
		callgate_stat_inc(CALLGATE_STAT_REVOKED);
	if (dev->stopped_count < CALLGATE_MAX_STOPPED) {
		dev->stopped[dev->stopped_count++] = capture;
		capture.who.pid = NULL;
	} else {
		callgate_stat_inc(CALLGATE_STAT_LOST);
	}
	callgate_report_queue(dev);
	spin_unlock_irqrestore(&dev->lock, flags);
	callgate_who_put(&capture.who);
}

bool callgate_stream_image_allowed(struct callgate_device *dev, const struct callgate_image *image)
{
	if (callgate_check_permissive())
		return true;
	return callgate_grant_find(image, dev->id, dev->kinds, NULL, NULL);
}

bool callgate_stream_allowed(struct callgate_device *dev, const struct callgate_stream *stream)
{
	return callgate_stream_image_allowed(dev, &stream->image);
}

static bool next_of_device(struct callgate_device *dev, u64 after,
			   struct callgate_capture *ret_capture)
{
	const struct callgate_stream *stream, *best = NULL;

	spin_lock_irq(&dev->lock);
	list_for_each_entry(stream, &dev->streams, node) {
		if (stream->id > after && (!best || stream->id < best->id))
			best = stream;
	}
	if (best)
		callgate_stream_capture(best, ret_capture);
	spin_unlock_irq(&dev->lock);
	return best;
}

bool callgate_stream_next(u64 after, struct callgate_capture *ret_capture,
			  struct callgate_device **ret_device)
{
	struct callgate_device *dev, *best_dev = NULL;
	struct callgate_capture capture, best;
	u32 id = 0;

	while ((dev = callgate_device_next(id))) {
		id = dev->id;
		if (!next_of_device(dev, after, &capture)) {
			callgate_device_put(dev);
			continue;
		}
		if (best_dev && best.id < capture.id) {
			callgate_who_put(&capture.who);
			callgate_device_put(dev);
			continue;
		}
		if (best_dev) {
			callgate_who_put(&best.who);
			callgate_device_put(best_dev);
		}
		best = capture;
		best_dev = dev;
	}
	if (!best_dev)
		return false;
	*ret_capture = best;
	*ret_device = best_dev;
	return true;
}

u32 callgate_stream_generation(void)
{
	return atomic_read(&generation);
}
