// SPDX-License-Identifier: GPL-2.0-only
/*
 * Open files of gated nodes, the captures that run through them, and when one
 * is stopped against its owner's will (how: v4l2-stop.c).
 *
 * Owns one record for each open file, in which the capture is entered. Judges
 * nobody. Called by v4l2-hook.c at every operation that can start or stop a
 * capture, and by the gate's worker when a grant has ended.
 *
 * Security: a capture must be entered here for as long as the driver streams,
 * or a revocation would not find it. So it is entered on the way in or before
 * the second check, and taken out only where the queue itself says that it is
 * off, under the lock that starters take, or the file is released. What was
 * opened before the gate came has no record; where the driver keeps the queue's
 * owner, a capture of such a file is stopped at load, or when a permissive mode
 * ends, else at the file's first denied operation.
 *
 * Revoking holds a reference to the file, or to the node, instead of excluding
 * its release: a release then happens after the stop, and nothing that the
 * driver does while it unregisters the node has to wait for us. gate->lock is
 * not held while something is stopped.
 */
#include "v4l2-gate.h"

#include <linux/file.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <media/videobuf2-core.h>

#include "check.h"
#include "v4l2-compat.h"

/* While a file is open the module stays: each record holds a reference to it. */
struct v4l2_gate_file *callgate_v4l2_file_new(void)
{
	struct v4l2_gate_file *rec;

	/* Fails only while the module is being unloaded. */
	if (!try_module_get(THIS_MODULE))
		return ERR_PTR(-ENODEV);
	rec = kzalloc(sizeof(*rec), GFP_KERNEL_ACCOUNT);
	if (!rec) {
		module_put(THIS_MODULE);
		return ERR_PTR(-ENOMEM);
	}
	callgate_stream_init(&rec->stream);
	return rec;
}

void callgate_v4l2_file_free(struct v4l2_gate_file *rec)
{
	callgate_who_put(&rec->holder);
	kfree(rec);
	module_put(THIS_MODULE);
}

struct v4l2_gate_file *callgate_v4l2_file_find(struct v4l2_gate *gate, const struct file *file)
{
	struct v4l2_gate_file *rec;

	lockdep_assert_held(&gate->lock);
	hash_for_each_possible(gate->files, rec, node, (unsigned long)file)
		if (rec->file == file)
			return rec;
	return NULL;
}

void callgate_v4l2_file_link(struct v4l2_gate *gate, struct v4l2_gate_file *rec, struct file *file)
{
	bool unused;

	rec->file = file;
	spin_lock(&gate->lock);
	unused = gate->removed || callgate_v4l2_file_find(gate, file);
	if (!unused)
		hash_add(gate->files, &rec->node, (unsigned long)file);
	spin_unlock(&gate->lock);
	if (unused)
		callgate_v4l2_file_free(rec);
}

static void unlink_locked(struct v4l2_gate *gate, struct v4l2_gate_file *rec, u8 reason)
{
	lockdep_assert_held(&gate->lock);
	callgate_v4l2_be_unsure(gate, rec);
	hash_del(&rec->node);
	if (gate->owner == rec->file)
		gate->owner = NULL;
	callgate_stream_stop(&gate->dev, &rec->stream, reason);
}

void callgate_v4l2_file_release(struct v4l2_gate *gate, struct file *file)
{
	struct v4l2_gate_file *rec;

	spin_lock(&gate->lock);
	rec = callgate_v4l2_file_find(gate, file);
	if (rec)
		unlink_locked(gate, rec, CALLGATE_REASON_STOPPED);
	spin_unlock(&gate->lock);
	if (rec)
		callgate_v4l2_file_free(rec);
}

static struct v4l2_gate_file *first(struct v4l2_gate *gate)
{
	struct v4l2_gate_file *rec;
	int bkt;

	lockdep_assert_held(&gate->lock);
	hash_for_each(gate->files, bkt, rec, node)
		return rec;
	return NULL;
}

void callgate_v4l2_file_release_all(struct v4l2_gate *gate)
{
	struct v4l2_gate_file *rec;

	do {
		spin_lock(&gate->lock);
		rec = first(gate);
		if (rec)
			unlink_locked(gate, rec, CALLGATE_REASON_REMOVED);
		spin_unlock(&gate->lock);
		if (rec)
			callgate_v4l2_file_free(rec);
	} while (rec);
}

bool callgate_v4l2_file_any(struct v4l2_gate *gate)
{
	bool any;

	spin_lock(&gate->lock);
	any = first(gate);
	spin_unlock(&gate->lock);
	return any;
}

static bool is_known(struct v4l2_gate *gate, struct file *file)
{
	bool known;

	spin_lock(&gate->lock);
	known = callgate_v4l2_file_find(gate, file);
	spin_unlock(&gate->lock);
	return known;
}

int callgate_v4l2_file_adopt(struct v4l2_gate *gate, struct file *file)
{
	struct v4l2_gate_file *rec;

	if (is_known(gate, file))
		return 0;
	rec = callgate_v4l2_file_new();
	if (IS_ERR(rec))
		return PTR_ERR(rec);
	rec->strangers = true;
	callgate_v4l2_file_link(gate, rec, file);
	return 0;
}

int callgate_v4l2_file_starting(struct v4l2_gate *gate, struct file *file)
{
	struct v4l2_gate_file *rec;
	int r;

	r = callgate_v4l2_file_adopt(gate, file);
	if (r)
		return r;
	spin_lock(&gate->lock);
	rec = callgate_v4l2_file_find(gate, file);
	if (rec) {
		rec->starting++;
		rec->starts++;
	}
	spin_unlock(&gate->lock);
	return rec ? 0 : -ENODEV;
}

void callgate_v4l2_file_started(struct v4l2_gate *gate, struct file *file, bool success,
				bool overlay)
{
	struct v4l2_gate_file *rec;

	spin_lock(&gate->lock);
	rec = callgate_v4l2_file_find(gate, file);
	if (rec) {
		rec->starting--;
		rec->overlay |= success && overlay;
		if (success) {
			rec->ended = false;
			callgate_stream_start(&gate->dev, &rec->stream);
		}
	}
	spin_unlock(&gate->lock);
}

int callgate_v4l2_file_began(struct v4l2_gate *gate, struct file *file, u64 *ret_starts)
{
	struct v4l2_gate_file *rec;
	int r;

	r = callgate_v4l2_file_adopt(gate, file);
	if (r)
		return r;
	spin_lock(&gate->lock);
	rec = callgate_v4l2_file_find(gate, file);
	if (rec) {
		rec->ended = false;
		rec->starts++;
		*ret_starts = callgate_stream_running(&rec->stream) ? 0 : rec->starts;
		callgate_stream_start(&gate->dev, &rec->stream);
	}
	spin_unlock(&gate->lock);
	return rec ? 0 : -ENODEV;
}

u64 callgate_v4l2_file_stopping(struct v4l2_gate *gate, struct file *file)
{
	struct v4l2_gate_file *rec;
	u64 starts = 0;

	spin_lock(&gate->lock);
	rec = callgate_v4l2_file_find(gate, file);
	if (rec)
		starts = rec->starts;
	spin_unlock(&gate->lock);
	return starts;
}

/*
 * The driver said that it stopped something. Believed only if the queue is
 * off, or @off says so; a driver that keeps its queue to itself (uvcvideo on
 * 6.1) may say yes to STREAMOFF of a type that it does not have, so there the
 * stop is repeated with the right one.
 */
void callgate_v4l2_file_stopped(struct v4l2_gate *gate, struct file *file, u64 starts, bool off)
{
	struct vb2_queue *q = gate->vdev->queue;
	struct v4l2_gate_file *rec;
	bool running;

	spin_lock(&gate->lock);
	rec = callgate_v4l2_file_find(gate, file);
	running = rec && callgate_stream_running(&rec->stream);
	spin_unlock(&gate->lock);
	if (!running)
		return;
	if (!q && !off)
		off = callgate_v4l2_stop(gate->vdev, file, CALLGATE_V4L2_STREAM);

	spin_lock(&gate->lock);
	rec = callgate_v4l2_file_find(gate, file);
	if (rec && !rec->overlay && !rec->starting && rec->starts == starts &&
	    (off || (q && !vb2_is_streaming(q))))
		callgate_stream_stop(&gate->dev, &rec->stream, CALLGATE_REASON_STOPPED);
	spin_unlock(&gate->lock);
}

bool callgate_v4l2_file_ended(struct v4l2_gate *gate, struct file *file)
{
	struct v4l2_gate_file *rec;
	bool ended = false, taken = false;
	int bkt;

	spin_lock(&gate->lock);
	hash_for_each(gate->files, bkt, rec, node) {
		if (rec->file == file)
			ended = rec->ended;
		else
			taken |= rec->holder.pid || callgate_stream_running(&rec->stream);
	}
	spin_unlock(&gate->lock);
	return ended && !taken;
}

void callgate_v4l2_file_overlay_ended(struct v4l2_gate *gate, struct file *file, u64 starts)
{
	struct v4l2_gate_file *rec;

	spin_lock(&gate->lock);
	rec = callgate_v4l2_file_find(gate, file);
	if (rec && !rec->starting && rec->starts == starts)
		rec->overlay = false;
	spin_unlock(&gate->lock);
}

void callgate_v4l2_file_lapsed(struct v4l2_gate *gate, struct file *file)
{
	struct v4l2_gate_file *rec;

	/* Without memory for a record its operations stay denied; only the stop has to wait for its close. */
	callgate_v4l2_file_adopt(gate, file);
	spin_lock(&gate->lock);
	rec = callgate_v4l2_file_find(gate, file);
	if (rec) {
		rec->lapsed = true;
		callgate_v4l2_revoke_soon(gate);
	}
	spin_unlock(&gate->lock);
}

/*
 * Only what was open before: a known file's captures are entered, and whoever
 * else got hold of it must not be able to stop them.
 */
void callgate_v4l2_file_denied(struct v4l2_gate *gate, struct file *file)
{
	if (!is_known(gate, file))
		callgate_v4l2_file_lapsed(gate, file);
}

/* A handle from before the gate, or what another module opened, is in no record. */
static bool is_handle(void *owner, void *arg)
{
	struct v4l2_gate *gate = arg;
	struct v4l2_gate_file *rec;
	bool found = false;
	int bkt;

	spin_lock(&gate->lock);
	hash_for_each(gate->files, bkt, rec, node)
		found |= rec->file->private_data == owner;
	spin_unlock(&gate->lock);
	return found;
}

static void stop_unknown(struct v4l2_gate *gate)
{
	struct video_device *vdev = NULL;

	if (callgate_check_permissive())
		return;
	/* Until it was removed, the driver core holds the node. */
	spin_lock(&gate->lock);
	if (!gate->removed && gate->vdev->queue && READ_ONCE(gate->vdev->queue->owner))
		vdev = gate->vdev;
	if (vdev)
		get_device(&vdev->dev);
	spin_unlock(&gate->lock);
	if (!vdev)
		return;
	callgate_v4l2_stop_unknown(vdev, is_handle, gate);
	put_device(&vdev->dev);
}

static bool may_stay(struct v4l2_gate *gate, const struct v4l2_gate_file *rec)
{
	if (rec->lapsed || !callgate_v4l2_buffers_allowed(gate, rec))
		return false;
	return !callgate_stream_running(&rec->stream) ||
	       callgate_stream_allowed(&gate->dev, &rec->stream);
}

/* A file to stop, with a reference. A file without references is being released, which stops it. */
static struct file *next_to_stop(struct v4l2_gate *gate, u64 pass, bool *ret_overlay)
{
	struct v4l2_gate_file *rec;
	struct file *file = NULL;
	int bkt;

	spin_lock(&gate->lock);
	hash_for_each(gate->files, bkt, rec, node) {
		if (rec->pass == pass || may_stay(gate, rec))
			continue;
		rec->pass = pass;
		rec->lapsed = false;
		*ret_overlay = rec->overlay;
		file = callgate_get_file_active(&rec->file);
		if (file)
			break;
	}
	spin_unlock(&gate->lock);
	return file;
}

/* False: it may still run. */
static bool stop_file(struct v4l2_gate *gate, struct file *file, bool overlay)
{
	unsigned int what = CALLGATE_V4L2_STREAM | CALLGATE_V4L2_BUFFERS;
	struct v4l2_gate_file *rec;
	u64 starts, holds;
	bool off, runs;

	/* First what waits for no mapping: from then on no frame comes. */
	starts = callgate_v4l2_file_stopping(gate, file);
	callgate_v4l2_stop(gate->vdev, file,
			   CALLGATE_V4L2_STREAM | (overlay ? CALLGATE_V4L2_OVERLAY : 0));
	holds = callgate_v4l2_buffers_take(gate, file);
	off = callgate_v4l2_stop(gate->vdev, file, overlay ? what | CALLGATE_V4L2_OVERLAY : what);
	callgate_v4l2_buffers_taken(gate, file, holds, off);

	spin_lock(&gate->lock);
	rec = callgate_v4l2_file_find(gate, file);
	if (rec && off && !rec->starting && rec->starts == starts) {
		rec->overlay = false;
		rec->ended |= callgate_stream_running(&rec->stream);
		callgate_stream_stop(&gate->dev, &rec->stream, CALLGATE_REASON_REVOKED);
	}
	runs = rec && !off && callgate_stream_running(&rec->stream);
	spin_unlock(&gate->lock);
	return !runs;
}

void callgate_v4l2_file_revoke(struct callgate_device *dev)
{
	struct v4l2_gate *gate = container_of(dev, struct v4l2_gate, dev);
	struct file *file;
	bool overlay;
	u64 pass;

	spin_lock(&gate->lock);
	pass = ++gate->pass;
	spin_unlock(&gate->lock);

	while ((file = next_to_stop(gate, pass, &overlay))) {
		if (!stop_file(gate, file, overlay))
			pr_warn_ratelimited(
				"callgate: %s: the driver does not stop a revoked capture before its file is closed\n",
				gate->dev.node);
		fput(file);
	}
	stop_unknown(gate);
}
