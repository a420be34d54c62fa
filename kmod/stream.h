/* SPDX-License-Identifier: GPL-2.0-only */
/* Running captures: who, since when, under which grant. */
#ifndef CALLGATE_STREAM_H
#define CALLGATE_STREAM_H

#include "device.h"

/**
 * struct callgate_stream - embedded in the subsystem's record of a file or substream
 * @node: in dev->streams while running; guarded by dev->lock
 * @image: who started it
 * @pid: referenced while running
 * @cookie: what identify answers for @image
 * @id: 0 while not running; never re-used
 * @grant: that covered the start; 0 in permissive mode
 * @session: of @grant
 * @since: ns on CLOCK_BOOTTIME
 * @reported: the controller was told
 */
struct callgate_stream {
	struct list_head node;
	struct callgate_image image;
	struct pid *pid;
	u64 cookie;
	u64 id;
	u64 grant;
	u64 session;
	u64 since;
	bool reported;
};

void callgate_stream_init(struct callgate_stream *stream);

/* Current's capture runs from now on. Any context. No effect if it runs already. The started event is sent by a worker. */
void callgate_stream_start(struct callgate_device *dev, struct callgate_stream *stream);

/* The capture ended. Any context. No effect if it does not run. @reason: enum callgate_reason.
 * The stream may be freed on return.
 */
void callgate_stream_stop(struct callgate_device *dev, struct callgate_stream *stream, u8 reason);

/* Is there a grant for this image on the device? Any context. True in permissive mode. */
bool callgate_stream_image_allowed(struct callgate_device *dev, const struct callgate_image *image);
/* Is there still a grant for whoever started the stream? For ops->revoke. Any context. True in permissive mode. */
bool __must_check callgate_stream_allowed(struct callgate_device *dev,
					  const struct callgate_stream *stream);

/* A running stream's facts, its pid referenced once more. With dev->lock held. */
void callgate_stream_capture(const struct callgate_stream *stream,
			     struct callgate_capture *ret_capture);

/*
 * callgate_stream_next() - the running stream with the lowest id above @after
 * @ret_capture: to be given back with callgate_who_put(&ret_capture->who)
 * @ret_device: referenced
 */
bool callgate_stream_next(u64 after, struct callgate_capture *ret_capture,
			  struct callgate_device **ret_device);
/* Changes whenever a stream starts or stops. */
u32 callgate_stream_generation(void);

static inline bool callgate_stream_running(const struct callgate_stream *stream)
{
	return READ_ONCE(stream->id) != 0;
}

#endif
