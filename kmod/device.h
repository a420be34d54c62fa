/* SPDX-License-Identifier: GPL-2.0-only */
/* Gated devices: the registry that the subsystems fill. */
#ifndef CALLGATE_DEVICE_H
#define CALLGATE_DEVICE_H

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/percpu.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include "limits.h"
#include "subject.h"
#include "verdict.h"

struct callgate_device;

/**
 * struct callgate_device_ops - what a subsystem does for the gate
 * @revoke: stop every stream of the device for which callgate_stream_allowed()
 *	says no. Process context, its own work item, no lock held.
 * @release: free the subsystem's record that embeds the device; last reference.
 */
struct callgate_device_ops {
	void (*revoke)(struct callgate_device *dev);
	void (*release)(struct callgate_device *dev);
};

/**
 * struct callgate_denied - denied attempts of one image, reported by a worker
 * @who: its pid is referenced while @count is not 0
 * @count: since the last report
 * @op: the last one, enum callgate_op
 * @last_report: ns on CLOCK_BOOTTIME, or 0
 */
struct callgate_denied {
	struct callgate_who who;
	u32 count;
	u8 op;
	u64 last_report;
};

/**
 * struct callgate_capture - one stream's facts, for a report
 * @who: who started it; its pid is referenced
 * @id: of the stream
 * @grant: 0 in permissive mode
 * @session: of @grant
 * @since: ns on CLOCK_BOOTTIME
 * @reason: 0 while it runs, else enum callgate_reason
 * @reported: the controller was told of its start
 */
struct callgate_capture {
	struct callgate_who who;
	u64 id;
	u64 grant;
	u64 session;
	u64 since;
	u8 reason;
	bool reported;
};

/**
 * struct callgate_device - one V4L2 capture node or ALSA capture substream
 * @id: never re-used
 * @kinds: CALLGATE_KIND_* mask, all of which a grant must hold
 * @name: for people
 * @node: the node's name below /dev, and of ALSA the substream's number
 * @ops: the subsystem's
 * @kref: the last one calls ops->release
 * @all: in the registry
 * @lock: raw facts of reporting; taken with interrupts off (from ALSA triggers); innermost
 * @streams: running struct callgate_stream; guarded by @lock
 * @stopped: ended captures, oldest first; guarded by @lock
 * @stopped_count: of them; guarded by @lock
 * @denied: guarded by @lock
 * @removed: nothing is queued any more but last reports; written under @lock
 * @revoke: one work item a device, on the gate's unbound queue
 * @report: sends what @streams, @stopped and @denied have not reported yet; holds a reference while queued
 */
struct callgate_device {
	u32 id;
	u32 kinds;
	char name[CALLGATE_NAME_MAX + 1];
	char node[CALLGATE_NODE_MAX + 1];
	const struct callgate_device_ops *ops;
	struct kref kref;
	struct list_head all;
	spinlock_t lock;
	struct list_head streams;
	struct callgate_capture stopped[CALLGATE_MAX_STOPPED];
	u32 stopped_count;
	struct callgate_denied denied[CALLGATE_MAX_DENIED];
	bool removed;
	struct work_struct revoke;
	struct delayed_work report;
};

/* The queue of revocations and reports: unbound, of high priority, not frozen. */
extern struct workqueue_struct *callgate_device_queue;
int callgate_device_init(void);
void callgate_device_exit(void);

/* Registers the device and tells the controller. The caller owns the first reference. Does not allocate, cannot fail. */
void callgate_device_add(struct callgate_device *dev, const struct callgate_device_ops *ops,
			 u32 kinds, const char *name, const char *node);
/* Unregisters: cancels its requests, waits for its work, tells the controller. May sleep. The
 * reference of callgate_device_add() stays the caller's. Idempotent.
 */
void callgate_device_remove(struct callgate_device *dev);
void callgate_device_get(struct callgate_device *dev);
void callgate_device_put(struct callgate_device *dev);

/* Runs ops->revoke soon, also where no stream is known: one may have run before the gate came. Any context. */
void callgate_device_revoke(struct callgate_device *dev);
/* The same for every device: a grant ended. */
void callgate_device_revoke_all(void);

/* Is there a device with this id? */
bool callgate_device_exists(u32 id);
/* The device with the lowest id above @after, referenced; NULL: no more. */
struct callgate_device *callgate_device_next(u32 after);
/* Changes whenever a device comes or goes. */
u32 callgate_device_generation(void);

#ifdef CALLGATE_TEST
/* Test builds widen the windows in which a wrapper runs uncounted, and those in which it is counted and asleep. */
void callgate_device_test_delay(void);
void callgate_device_test_sleep(void);
/* Is there to be no memory for the record of what comes? */
bool callgate_device_test_no_memory(void);
#else
static inline void callgate_device_test_delay(void)
{
}

static inline void callgate_device_test_sleep(void)
{
}

static inline bool callgate_device_test_no_memory(void)
{
	return false;
}
#endif

/*
 * In-flight wrappers. Each interposed operation runs between enter and leave,
 * so that unloading can wait for those that sleep inside a driver. Per-CPU:
 * writes no shared cache line; may begin and end on different CPUs.
 */
DECLARE_PER_CPU(long, callgate_inflight);
static inline void callgate_enter(void)
{
	callgate_device_test_delay();
	this_cpu_inc(callgate_inflight);
	callgate_device_test_sleep();
}

static inline void callgate_leave(void)
{
	callgate_device_test_sleep();
	this_cpu_dec(callgate_inflight);
	callgate_device_test_delay();
}

/* Restore has been done by the subsystem: wait until no interposed operation can be running any more. */
void callgate_device_drain(void);

#endif
