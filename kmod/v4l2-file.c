// SPDX-License-Identifier: GPL-2.0-only
/*
 * Open files of gated nodes, the captures that run through them, and how a
 * capture is stopped against its owner's will.
 *
 * Owns one record for each open file, in which the capture is entered. Judges
 * nobody. Called by v4l2-hook.c at every operation that can start or stop a
 * capture, and by the gate's worker when a grant has ended.
 *
 * Security: a capture must be entered here for as long as the driver streams,
 * or a revocation would not find it. So it is entered on the way in or before
 * the second check, and taken out only where the queue itself says that it is
 * off, under the lock that starters take, or the file is released.
 *
 * Revoking holds a reference to the file instead of excluding its release: a
 * release then happens after the stop, and nothing that the driver does while
 * it unregisters the node has to wait for us. Order of locks while stopping:
 * the request mutex of the media device, then the queue's or the node's lock;
 * gate->lock is not held then.
 */
#include "v4l2-gate.h"

#include <linux/file.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/videodev2.h>
#include <media/media-device.h>
#include <media/v4l2-device.h>
#include <media/v4l2-ioctl.h>
#include <media/videobuf2-v4l2.h>

#include "v4l2-compat.h"
#include "stream.h"

/**
 * struct v4l2_gate_file - one open file of a gated node
 * @node: in gate->files
 * @file: its address; a reference is taken only to stop it
 * @stream: the capture that runs through it
 * @starting: operations inside the driver that may start one
 * @starts: counts them, so that a stop that raced with a start is not believed
 * @lapsed: its user lost the grant in the middle of an operation: stop it whether or not it streams
 * @pass: the last revocation run that tried it
 */
struct v4l2_gate_file {
	struct hlist_node node;
	struct file *file;
	struct callgate_stream stream;
	u32 starting;
	u64 starts;
	bool lapsed;
	u64 pass;
};

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
	kfree(rec);
	module_put(THIS_MODULE);
}

static struct v4l2_gate_file *find(struct v4l2_gate *gate, const struct file *file)
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
	unused = gate->removed || find(gate, file);
	if (!unused)
		hash_add(gate->files, &rec->node, (unsigned long)file);
	spin_unlock(&gate->lock);
	if (unused)
		callgate_v4l2_file_free(rec);
}

static void unlink_locked(struct v4l2_gate *gate, struct v4l2_gate_file *rec, u8 reason)
{
	lockdep_assert_held(&gate->lock);
	hash_del(&rec->node);
	if (gate->owner == rec->file)
		gate->owner = NULL;
	callgate_stream_stop(&gate->dev, &rec->stream, reason);
}

void callgate_v4l2_file_release(struct v4l2_gate *gate, struct file *file)
{
	struct v4l2_gate_file *rec;

	spin_lock(&gate->lock);
	rec = find(gate, file);
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
	known = find(gate, file);
	spin_unlock(&gate->lock);
	return known;
}

/* A file that was open before the gate came gets its record at the first operation that needs one. */
static int adopt(struct v4l2_gate *gate, struct file *file)
{
	struct v4l2_gate_file *rec;

	if (is_known(gate, file))
		return 0;
	rec = callgate_v4l2_file_new();
	if (IS_ERR(rec))
		return PTR_ERR(rec);
	callgate_v4l2_file_link(gate, rec, file);
	return 0;
}

int callgate_v4l2_file_starting(struct v4l2_gate *gate, struct file *file)
{
	struct v4l2_gate_file *rec;
	int r;

	r = adopt(gate, file);
	if (r)
		return r;
	spin_lock(&gate->lock);
	rec = find(gate, file);
	if (rec) {
		rec->starting++;
		rec->starts++;
	}
	spin_unlock(&gate->lock);
	return rec ? 0 : -ENODEV;
}

void callgate_v4l2_file_started(struct v4l2_gate *gate, struct file *file, bool success)
{
	struct v4l2_gate_file *rec;

	spin_lock(&gate->lock);
	rec = find(gate, file);
	if (rec) {
		rec->starting--;
		if (success)
			callgate_stream_start(&gate->dev, &rec->stream);
	}
	spin_unlock(&gate->lock);
}

int callgate_v4l2_file_began(struct v4l2_gate *gate, struct file *file, u64 *ret_starts)
{
	struct v4l2_gate_file *rec;
	int r;

	r = adopt(gate, file);
	if (r)
		return r;
	spin_lock(&gate->lock);
	rec = find(gate, file);
	if (rec) {
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
	rec = find(gate, file);
	if (rec)
		starts = rec->starts;
	spin_unlock(&gate->lock);
	return starts;
}

static bool stop_file(struct video_device *vdev, struct file *file, bool buffers);

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
	rec = find(gate, file);
	running = rec && callgate_stream_running(&rec->stream);
	spin_unlock(&gate->lock);
	if (!running)
		return;
	if (!q && !off)
		off = stop_file(gate->vdev, file, false);

	spin_lock(&gate->lock);
	rec = find(gate, file);
	if (rec && !rec->starting && rec->starts == starts && (off || (q && !vb2_is_streaming(q))))
		callgate_stream_stop(&gate->dev, &rec->stream, CALLGATE_REASON_STOPPED);
	spin_unlock(&gate->lock);
}

void callgate_v4l2_file_buffers(struct v4l2_gate *gate, struct file *file, bool has)
{
	spin_lock(&gate->lock);
	if (has)
		gate->owner = gate->removed ? NULL : file;
	else if (gate->owner == file)
		gate->owner = NULL;
	spin_unlock(&gate->lock);
}

/*
 * vb2 knows the owner by the file's handle. Elsewhere it is the last file that
 * asked with success: drivers refuse others while one holds buffers.
 */
bool callgate_v4l2_file_owns(struct v4l2_gate *gate, struct file *file)
{
	struct vb2_queue *q = gate->vdev->queue;
	bool owns;

	spin_lock(&gate->lock);
	if (q && q->owner)
		owns = q->owner == file->private_data;
	else
		owns = gate->owner == file;
	spin_unlock(&gate->lock);
	return owns;
}

void callgate_v4l2_file_lapsed(struct v4l2_gate *gate, struct file *file)
{
	struct v4l2_gate_file *rec;

	/* Without memory for a record its operations stay denied; only the stop has to wait for its close. */
	adopt(gate, file);
	spin_lock(&gate->lock);
	rec = find(gate, file);
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

static bool has_ioctl(struct video_device *vdev, unsigned int cmd)
{
	return vdev->ioctl_ops && test_bit(_IOC_NR(cmd), vdev->valid_ioctls);
}

/* Frees the buffers of @type: the owner goes with them, and old mappings show no new frame. */
static bool free_buffers(struct video_device *vdev, struct file *file, u32 type)
{
	static const u32 memories[] = { V4L2_MEMORY_MMAP, V4L2_MEMORY_USERPTR, V4L2_MEMORY_DMABUF };
	const struct v4l2_ioctl_ops *ops = vdev->ioctl_ops;
	size_t i;

	if (!has_ioctl(vdev, VIDIOC_REQBUFS) || !ops->vidioc_reqbufs)
		return false;
	/* With count 0 any memory that the queue supports will do. */
	for (i = 0; i < ARRAY_SIZE(memories); i++) {
		struct v4l2_requestbuffers req = { .type = type, .memory = memories[i] };

		if (!ops->vidioc_reqbufs(file, file->private_data, &req))
			return true;
	}
	return false;
}

static bool stream_off(struct video_device *vdev, struct file *file, u32 type)
{
	const struct v4l2_ioctl_ops *ops = vdev->ioctl_ops;

	if (!has_ioctl(vdev, VIDIOC_STREAMOFF) || !ops->vidioc_streamoff)
		return false;
	return !ops->vidioc_streamoff(file, file->private_data, type);
}

/* A driver with its own queue: every type that the node can have. */
static bool stop_types(struct video_device *vdev, struct file *file, bool buffers)
{
	static const struct {
		u32 cap, type;
	} types[] = {
		{ V4L2_CAP_VIDEO_CAPTURE, V4L2_BUF_TYPE_VIDEO_CAPTURE },
		{ V4L2_CAP_VIDEO_CAPTURE_MPLANE, V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE },
		{ V4L2_CAP_META_CAPTURE, V4L2_BUF_TYPE_META_CAPTURE },
		{ V4L2_CAP_VBI_CAPTURE, V4L2_BUF_TYPE_VBI_CAPTURE },
		{ V4L2_CAP_SLICED_VBI_CAPTURE, V4L2_BUF_TYPE_SLICED_VBI_CAPTURE },
		{ V4L2_CAP_VIDEO_OUTPUT, V4L2_BUF_TYPE_VIDEO_OUTPUT },
		{ V4L2_CAP_VIDEO_OUTPUT_MPLANE, V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE },
	};
	bool off = false;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(types); i++) {
		if (!(vdev->device_caps & types[i].cap))
			continue;
		off |= stream_off(vdev, file, types[i].type);
		if (buffers)
			free_buffers(vdev, file, types[i].type);
	}
	return off;
}

/*
 * Read mode has no ioctl that stops it. Releasing the queue under its lock is
 * what closing the file does; a reader asleep inside keeps others from
 * starting until it has left (waiting_in_dqbuf), so it never meets their buffers.
 */
static bool stop_queue(struct video_device *vdev, struct file *file, bool locked)
{
	struct vb2_queue *q = vdev->queue;

	if (q->owner && q->owner != file->private_data)
		return true;
	if (vb2_fileio_is_active(q)) {
		if (!locked)
			return false;
		vb2_queue_release(q);
		q->owner = NULL;
		return true;
	}
	stream_off(vdev, file, q->type);
	free_buffers(vdev, file, q->type);
	return !vb2_is_streaming(q);
}

static bool stop_file(struct video_device *vdev, struct file *file, bool buffers)
{
	struct vb2_queue *q = vdev->queue;
	struct mutex *requests = NULL;
	struct mutex *lock;
	bool off;

	if (v4l2_device_supports_requests(vdev->v4l2_dev)) {
		requests = &vdev->v4l2_dev->mdev->req_queue_mutex;
		mutex_lock(requests);
	}
	lock = q && q->lock ? q->lock : vdev->lock;
	if (lock)
		mutex_lock(lock);

	/* The driver of a node that is gone stops by itself. */
	if (!video_is_registered(vdev))
		off = true;
	else if (q)
		off = stop_queue(vdev, file, lock);
	else
		off = stop_types(vdev, file, buffers);

	if (lock)
		mutex_unlock(lock);
	if (requests)
		mutex_unlock(requests);
	return off;
}

/* A file to stop, with a reference. A file without references is being released, which stops it. */
static struct file *next_to_stop(struct v4l2_gate *gate, u64 pass)
{
	struct v4l2_gate_file *rec;
	struct file *file = NULL;
	int bkt;

	spin_lock(&gate->lock);
	hash_for_each(gate->files, bkt, rec, node) {
		if (rec->pass == pass)
			continue;
		if (!rec->lapsed && (!callgate_stream_running(&rec->stream) ||
				     callgate_stream_allowed(&gate->dev, &rec->stream)))
			continue;
		rec->pass = pass;
		rec->lapsed = false;
		file = callgate_get_file_active(&rec->file);
		if (file)
			break;
	}
	spin_unlock(&gate->lock);
	return file;
}

void callgate_v4l2_file_revoke(struct callgate_device *dev)
{
	struct v4l2_gate *gate = container_of(dev, struct v4l2_gate, dev);
	struct v4l2_gate_file *rec;
	struct file *file;
	bool off, stuck;
	u64 pass, starts;

	spin_lock(&gate->lock);
	pass = ++gate->pass;
	spin_unlock(&gate->lock);

	while ((file = next_to_stop(gate, pass))) {
		starts = callgate_v4l2_file_stopping(gate, file);
		off = stop_file(gate->vdev, file, true);
		spin_lock(&gate->lock);
		rec = find(gate, file);
		if (rec && off && !rec->starting && rec->starts == starts) {
			if (gate->owner == file)
				gate->owner = NULL;
			callgate_stream_stop(&gate->dev, &rec->stream, CALLGATE_REASON_REVOKED);
		}
		stuck = rec && !off && callgate_stream_running(&rec->stream);
		spin_unlock(&gate->lock);
		if (stuck)
			pr_warn_ratelimited(
				"callgate: %s: the driver does not stop a revoked capture before its file is closed\n",
				gate->dev.node);
		fput(file);
	}
}
