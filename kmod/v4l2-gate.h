/* SPDX-License-Identifier: GPL-2.0-only */
/* One gated V4L2 node, shared by v4l2.c (which nodes), v4l2-hook.c (operations) and v4l2-file.c (captures). */
#ifndef CALLGATE_V4L2_GATE_H
#define CALLGATE_V4L2_GATE_H

#include <linux/fs.h>
#include <linux/hashtable.h>
#include <linux/percpu.h>
#include <linux/rculist.h>
#include <linux/sched/signal.h>
#include <linux/wait.h>
#include <media/v4l2-dev.h>

#include "device.h"
#include "grant-path.h"
#include "stream.h"

/**
 * struct v4l2_gate_file - one open file of a gated node
 * @node: in gate->files
 * @file: its address; a reference is taken only to stop it
 * @stream: the capture that runs through it
 * @starting: operations inside the driver that may start one
 * @starts: counts them, so that a stop that raced with a start is not believed
 * @overlay: @stream is, also or only, an overlay
 * @lapsed: its user lost the grant in the middle of an operation: stop it whether or not it streams
 * @ended: a revocation ended its capture, and none was started since
 * @pass: the last revocation run that tried it
 * @holder: who asked for its buffers, and alone may map and fill them; its pid is NULL while there are none
 * @holds: counts the holders, so that a revocation that raced with a new one forgets the old one only
 * @strangers: somebody whom nobody judged may hold its buffers: from before the gate, or in permissive mode
 * @handing: operations inside the driver that may give its buffers away
 * @mapping: mappings of its buffers in progress
 */
struct v4l2_gate_file {
	struct hlist_node node;
	struct file *file;
	struct callgate_stream stream;
	u32 starting;
	u64 starts;
	bool overlay;
	bool lapsed;
	bool ended;
	u64 pass;
	struct callgate_who holder;
	u64 holds;
	bool strangers;
	u32 handing;
	u32 mapping;
};

/**
 * struct v4l2_gate - one gated node
 * @dev: what the rest of the module sees; its release frees this
 * @vdev: the node; valid for whoever holds one of its files, and until @removed
 * @orig: the driver's table
 * @fops: the copy that replaces it; never changes after it was published
 * @cdev: the node's; an inode that was opened as this node points to it
 * @inflight: operations that use this record, counted where they begin and where they end
 * @unlinked: nobody begins any more, for @destroy
 * @lock: guards what follows but @idle and @destroy, and every field of the records; process context; dev.lock nests inside
 * @files: struct v4l2_gate_file of the open files, by address of the file
 * @owner: the file that last asked for buffers with success; only it may map them. Compared, never followed
 * @keeps_owner: the driver was seen to keep the queue's owner itself, which is then the truth
 * @ticket: of the holder of a file's buffers; read without the lock by what comes with each buffer
 * @asking: operations inside the driver that ask for buffers, where it does not
 * @mapping: mappings in progress
 * @idle: woken when one has ended
 * @removed: the node was given back or is gone; no record is made and no work queued from then on
 * @pass: counts revocation runs, so that one run tries each file once
 * @destroy: the part of removal that waits
 */
struct v4l2_gate {
	struct callgate_device dev;
	struct video_device *vdev;
	const struct v4l2_file_operations *orig;
	struct v4l2_file_operations fops;
	const struct cdev *cdev;
	long __percpu *inflight;
	spinlock_t lock;
	DECLARE_HASHTABLE(files, 6);
	struct file *owner;
	bool keeps_owner;
	struct callgate_ticket ticket;
	u32 asking;
	u32 mapping;
	wait_queue_head_t idle;
	bool removed;
	u64 pass;
	bool unlinked;
	struct delayed_work destroy;
};

/* v4l2.c */

/* As many as the V4L2 core has minors; a minor is re-used only after its node's last file is closed. */
#define CALLGATE_V4L2_MINORS 256
/* By minor: published after it is complete, cleared after the driver's table is back. */
extern struct v4l2_gate __rcu *callgate_v4l2_gates[CALLGATE_V4L2_MINORS];

/*
 * The record of a file's node, held against freeing. NULL: the node was given back; ask callgate_v4l2_driver_fops().
 * By hand, with preemption off and a counter, because it is asked for every buffer.
 */
static __always_inline struct v4l2_gate *callgate_v4l2_gate_get_sched(const struct file *file)
{
	const struct inode *inode = file_inode(file);
	struct v4l2_gate *gate;

	/* A minor beyond that finds another node's record or none. */
	gate = rcu_dereference_sched(callgate_v4l2_gates[(u8)iminor(inode)]);
	if (unlikely(!gate || gate->cdev != inode->i_cdev))
		return NULL;
	this_cpu_inc(*gate->inflight);
	return gate;
}

static inline struct v4l2_gate *callgate_v4l2_gate_get(const struct file *file)
{
	struct v4l2_gate *gate;

	rcu_read_lock_sched();
	gate = callgate_v4l2_gate_get_sched(file);
	rcu_read_unlock_sched();
	return gate;
}

static __always_inline void callgate_v4l2_gate_put(struct v4l2_gate *gate)
{
	this_cpu_dec(*gate->inflight);
}

/* The table of a node without record; after callgate_v4l2_gate_get() failed. */
const struct v4l2_file_operations *callgate_v4l2_driver_fops(struct video_device *vdev);
/* Runs the node's revocation soon. Caller holds gate->lock. */
void callgate_v4l2_revoke_soon(struct v4l2_gate *gate);

/* v4l2-hook.c */

/* Makes @fops the gate's copy of the driver's table: absent operations stay absent. */
void callgate_v4l2_hook(struct v4l2_file_operations *fops, const struct v4l2_file_operations *orig);
/* For a node that has no record because memory ran out: every operation denied, release passed on. */
extern const struct v4l2_file_operations callgate_v4l2_closed_fops;

/* v4l2-stop.c */

enum {
	CALLGATE_V4L2_STREAM = 1,
	CALLGATE_V4L2_BUFFERS = 2,
	CALLGATE_V4L2_OVERLAY = 4,
};

/* Stops @what of it that runs through @file, as its owner would. The caller holds the file. False: it may still run. */
bool callgate_v4l2_stop(struct video_device *vdev, struct file *file, unsigned int what);
/* Stops a vb2 queue whose owner nobody knows: one from before the gate came. The caller holds @vdev. */
void callgate_v4l2_stop_unknown(struct video_device *vdev, bool (*known)(void *owner, void *arg),
				void *arg);

/* v4l2-buffers.c: all take gate->lock themselves; process context. */

/*
 * Around REQBUFS and CREATE_BUFS. @wants: more than none, as far as one can tell. begin() waits for
 * mappings of the file that are in progress; 0, or an error with which the operation ends.
 */
int callgate_v4l2_buffers_begin(struct v4l2_gate *gate, struct file *file, bool wants);
/* @anew: it was REQBUFS, which leaves nothing of what was there. */
void callgate_v4l2_buffers_end(struct v4l2_gate *gate, struct file *file, bool wants, bool anew,
			       bool success);
/* The same around a revocation. @off: they are gone; the first value goes into the second call. */
u64 callgate_v4l2_buffers_take(struct v4l2_gate *gate, struct file *file);
void callgate_v4l2_buffers_taken(struct v4l2_gate *gate, struct file *file, u64 holds, bool off);
/* Nobody is sure any more who holds the file's buffers. Caller holds gate->lock, and changes that afterwards. */
void callgate_v4l2_be_unsure(struct v4l2_gate *gate, const struct v4l2_gate_file *rec);
/* Is current the one who may fill the file's buffers? 0 or what ends the operation. */
int callgate_v4l2_buffers_held(struct v4l2_gate *gate, struct file *file, enum callgate_op op);
/* The holder's ticket was too old, or something has ended elsewhere: makes it good again. Of anybody else's it is left as it is. */
void callgate_v4l2_buffers_renew(struct v4l2_gate *gate, struct file *file);
/* The same of a mapping or an export. Until mapped() the file keeps its buffers. Never waits. */
int callgate_v4l2_buffers_map(struct v4l2_gate *gate, struct file *file, enum callgate_op op);
void callgate_v4l2_buffers_mapped(struct v4l2_gate *gate, struct file *file);
/* May whoever holds the file's buffers keep them? Caller holds gate->lock. */
bool callgate_v4l2_buffers_allowed(struct v4l2_gate *gate, const struct v4l2_gate_file *rec);

/* v4l2-file.c: all take gate->lock themselves; process context. */

/* Opening: allocate before the driver's open, then link or free. */
struct v4l2_gate_file *callgate_v4l2_file_new(void);
void callgate_v4l2_file_link(struct v4l2_gate *gate, struct v4l2_gate_file *rec, struct file *file);
void callgate_v4l2_file_free(struct v4l2_gate_file *rec);
/* The record of @file, or NULL. Caller holds gate->lock. */
struct v4l2_gate_file *callgate_v4l2_file_find(struct v4l2_gate *gate, const struct file *file);
/* A file that was open before the gate came gets its record at the first operation that needs one. */
int callgate_v4l2_file_adopt(struct v4l2_gate *gate, struct file *file);
/* Forgets a file that is being released; its capture counts as stopped. */
void callgate_v4l2_file_release(struct v4l2_gate *gate, struct file *file);
/* Forgets every file: the node is gone or given back. Caller has set gate->removed. */
void callgate_v4l2_file_release_all(struct v4l2_gate *gate);
bool callgate_v4l2_file_any(struct v4l2_gate *gate);

/* Around an operation that may start a capture. starting() adopts a file that was open before the gate came. */
int callgate_v4l2_file_starting(struct v4l2_gate *gate, struct file *file);
void callgate_v4l2_file_started(struct v4l2_gate *gate, struct file *file, bool success,
				bool overlay);
/*
 * Both in one, for a capture that begins as a side effect. @ret_starts: what stopping() would
 * return now, or 0 if it ran before.
 */
int callgate_v4l2_file_began(struct v4l2_gate *gate, struct file *file, u64 *ret_starts);
/* Around an operation that may stop a capture: the first value goes into the second call. */
u64 callgate_v4l2_file_stopping(struct v4l2_gate *gate, struct file *file);
void callgate_v4l2_file_stopped(struct v4l2_gate *gate, struct file *file, u64 starts, bool off);
/* Did a revocation end what ran through it last, and has nobody else taken the device? */
bool callgate_v4l2_file_ended(struct v4l2_gate *gate, struct file *file);
/* The overlay is off. @starts: from stopping(), before it was. */
void callgate_v4l2_file_overlay_ended(struct v4l2_gate *gate, struct file *file, u64 starts);
/* Current lost its grant during an operation on @file: stop that file. */
void callgate_v4l2_file_lapsed(struct v4l2_gate *gate, struct file *file);
/* Current was denied on @file: stop it if it was open before the gate came, and nobody has judged it yet. */
void callgate_v4l2_file_denied(struct v4l2_gate *gate, struct file *file);
/* ops->revoke */
void callgate_v4l2_file_revoke(struct callgate_device *dev);

#endif
