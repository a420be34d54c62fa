// SPDX-License-Identifier: GPL-2.0-only
/*
 * How a driver is made to stop a capture against its owner's will.
 *
 * Owns nothing and knows no grant: v4l2-file.c decides which file, and holds
 * it. Called by v4l2-file.c, in process context, with no lock held.
 *
 * Locks, in this order: the request mutex of the media device, then the
 * queue's or the node's lock, as the V4L2 core takes them for an ioctl.
 */
#include "v4l2-gate.h"

#include <linux/mm.h>
#include <linux/videodev2.h>
#include <media/media-device.h>
#include <media/v4l2-device.h>
#include <media/v4l2-ioctl.h>
#include <media/videobuf2-v4l2.h>

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

/* Are there buffers of @type still, although they were to be freed? */
static bool keeps_buffers(struct video_device *vdev, struct file *file, u32 type)
{
	const struct v4l2_ioctl_ops *ops = vdev->ioctl_ops;
	struct v4l2_plane planes[VIDEO_MAX_PLANES] = {};
	struct v4l2_buffer buffer = { .type = type, .memory = V4L2_MEMORY_MMAP };

	if (!has_ioctl(vdev, VIDIOC_QUERYBUF) || !ops->vidioc_querybuf)
		return false;
	if (V4L2_TYPE_IS_MULTIPLANAR(type)) {
		buffer.m.planes = planes;
		buffer.length = ARRAY_SIZE(planes);
	}
	return !ops->vidioc_querybuf(file, file->private_data, &buffer);
}

static bool stream_off(struct video_device *vdev, struct file *file, u32 type)
{
	const struct v4l2_ioctl_ops *ops = vdev->ioctl_ops;

	if (!has_ioctl(vdev, VIDIOC_STREAMOFF) || !ops->vidioc_streamoff)
		return false;
	return !ops->vidioc_streamoff(file, file->private_data, type);
}

/*
 * A driver with its own queue: every type that the node can have.
 * @ret_kept: some buffers were to be freed and were not
 */
static bool stop_types(struct video_device *vdev, struct file *file, bool buffers, bool *ret_kept)
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
		if (!buffers)
			continue;
		free_buffers(vdev, file, types[i].type);
		*ret_kept |= keeps_buffers(vdev, file, types[i].type);
	}
	return off;
}

/* The driver draws into the screen's memory by itself. Only some drivers of old kernels can. */
static bool overlay_off(struct video_device *vdev, struct file *file)
{
	const struct v4l2_ioctl_ops *ops = vdev->ioctl_ops;

	if (!has_ioctl(vdev, VIDIOC_OVERLAY) || !ops->vidioc_overlay)
		return true;
	return !ops->vidioc_overlay(file, file->private_data, 0);
}

/*
 * Read mode has no ioctl that stops it. Releasing the queue under its lock is
 * what closing the file does; a reader asleep inside keeps others from
 * starting until it has left (waiting_in_dqbuf), so it never meets their buffers.
 */
static bool stop_queue(struct video_device *vdev, struct file *file, bool buffers, bool locked)
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
	if (buffers)
		free_buffers(vdev, file, q->type);
	return !vb2_is_streaming(q);
}

static struct mutex *lock_of(struct video_device *vdev)
{
	struct vb2_queue *q = vdev->queue;

	return q && q->lock ? q->lock : vdev->lock;
}

static struct mutex *lock_requests(struct video_device *vdev)
{
	struct mutex *requests;

	if (!v4l2_device_supports_requests(vdev->v4l2_dev))
		return NULL;
	requests = &vdev->v4l2_dev->mdev->req_queue_mutex;
	mutex_lock(requests);
	return requests;
}

bool callgate_v4l2_stop(struct video_device *vdev, struct file *file, unsigned int what)
{
	struct mutex *requests = lock_requests(vdev);
	struct mutex *lock = lock_of(vdev);
	bool off = true, kept = false;

	if (lock)
		mutex_lock(lock);
	/* The driver of a node that is gone stops by itself. */
	if (video_is_registered(vdev)) {
		if (what & CALLGATE_V4L2_OVERLAY)
			off = overlay_off(vdev, file);
		if (!(what & CALLGATE_V4L2_STREAM))
			;
		else if (vdev->queue)
			off &= stop_queue(vdev, file, what & CALLGATE_V4L2_BUFFERS, lock);
		else
			off &= stop_types(vdev, file, what & CALLGATE_V4L2_BUFFERS, &kept);
	}
	if (lock)
		mutex_unlock(lock);
	if (requests)
		mutex_unlock(requests);
	/*
	 * v4l2loopback has the same buffers for ever, and fills them for others.
	 * Every mapping of the node goes, also the feeder's: none of them can be
	 * told from the revoked one's. Whoever touches his dies (SIGBUS).
	 */
	if (kept)
		unmap_mapping_range(file->f_mapping, 0, 0, 1);
	return off;
}

void callgate_v4l2_stop_unknown(struct video_device *vdev, bool (*known)(void *owner, void *arg),
				void *arg)
{
	struct mutex *requests = lock_requests(vdev);
	struct mutex *lock = lock_of(vdev);
	struct vb2_queue *q = vdev->queue;

	if (lock) {
		mutex_lock(lock);
		if (video_is_registered(vdev) && q->owner && !known(q->owner, arg)) {
			vb2_queue_release(q);
			q->owner = NULL;
		}
		mutex_unlock(lock);
	}
	if (requests)
		mutex_unlock(requests);
}
