/* SPDX-License-Identifier: GPL-2.0-only */
/* One gated V4L2 node, shared by v4l2.c (which nodes), v4l2-hook.c (operations) and v4l2-file.c (captures). */
#ifndef CALLGATE_V4L2_GATE_H
#define CALLGATE_V4L2_GATE_H

#include <linux/hashtable.h>
#include <linux/percpu-refcount.h>
#include <media/v4l2-dev.h>

#include "device.h"

/**
 * struct v4l2_gate - one gated node
 * @dev: what the rest of the module sees; its release frees this
 * @vdev: the node; valid for whoever holds one of its files, and until @removed
 * @orig: the driver's table
 * @fops: the copy that replaces it; never changes after it was published
 * @inflight: operations that use this record; killed when the node is given back
 * @lock: guards @files, @owner, @removed and @pass and every field of the records; process context; dev.lock nests inside
 * @files: struct v4l2_gate_file of the open files, by address of the file
 * @owner: the file that last asked for buffers with success; only it may map them. Compared, never followed
 * @removed: the node was given back or is gone; no record is made and no work queued from then on
 * @pass: counts revocation runs, so that one run tries each file once
 * @destroy: the part of removal that waits
 */
struct v4l2_gate {
	struct callgate_device dev;
	struct video_device *vdev;
	const struct v4l2_file_operations *orig;
	struct v4l2_file_operations fops;
	struct percpu_ref inflight;
	spinlock_t lock;
	DECLARE_HASHTABLE(files, 6);
	struct file *owner;
	bool removed;
	u64 pass;
	struct work_struct destroy;
};

/* v4l2.c */

/* The record of a file's node, held against freeing. NULL: the node was given back; ask callgate_v4l2_driver_fops(). */
struct v4l2_gate *callgate_v4l2_gate_get(struct video_device *vdev);
static inline void callgate_v4l2_gate_put(struct v4l2_gate *gate)
{
	percpu_ref_put(&gate->inflight);
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

/* v4l2-file.c: all take gate->lock themselves; process context. */

/* Opening: allocate before the driver's open, then link or free. */
struct v4l2_gate_file *callgate_v4l2_file_new(void);
void callgate_v4l2_file_link(struct v4l2_gate *gate, struct v4l2_gate_file *rec, struct file *file);
void callgate_v4l2_file_free(struct v4l2_gate_file *rec);
/* Forgets a file that is being released; its capture counts as stopped. */
void callgate_v4l2_file_release(struct v4l2_gate *gate, struct file *file);
/* Forgets every file: the node is gone or given back. Caller has set gate->removed. */
void callgate_v4l2_file_release_all(struct v4l2_gate *gate);
bool callgate_v4l2_file_any(struct v4l2_gate *gate);

/* Around an operation that may start a capture. starting() adopts a file that was open before the gate came. */
int callgate_v4l2_file_starting(struct v4l2_gate *gate, struct file *file);
void callgate_v4l2_file_started(struct v4l2_gate *gate, struct file *file, bool success);
/*
 * Both in one, for a capture that begins as a side effect. @ret_starts: what stopping() would
 * return now, or 0 if it ran before.
 */
int callgate_v4l2_file_began(struct v4l2_gate *gate, struct file *file, u64 *ret_starts);
/* Around an operation that may stop a capture: the first value goes into the second call. */
u64 callgate_v4l2_file_stopping(struct v4l2_gate *gate, struct file *file);
void callgate_v4l2_file_stopped(struct v4l2_gate *gate, struct file *file, u64 starts, bool off);
/* @file asked for buffers with success (@has), or gave them back. */
void callgate_v4l2_file_buffers(struct v4l2_gate *gate, struct file *file, bool has);
/* May @file map the node's buffers: are they its own? */
bool callgate_v4l2_file_owns(struct v4l2_gate *gate, struct file *file);
/* Current lost its grant during an operation on @file: stop that file. */
void callgate_v4l2_file_lapsed(struct v4l2_gate *gate, struct file *file);
/* Current was denied on @file: stop it if it was open before the gate came, and nobody has judged it yet. */
void callgate_v4l2_file_denied(struct v4l2_gate *gate, struct file *file);
/* ops->revoke */
void callgate_v4l2_file_revoke(struct callgate_device *dev);

#endif
