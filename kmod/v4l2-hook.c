// SPDX-License-Identifier: GPL-2.0-only
/*
 * The interposed V4L2 file operations: who may go through, and when.
 *
 * Owns no state. Each operation asks check.c about current, calls the driver,
 * and tells v4l2-file.c what that changed. Called by the V4L2 core through
 * vdev->fops, from system calls, io_uring and epoll.
 *
 * Security: open, enumeration and negotiation pass, or apps would not find
 * the camera; frames cannot flow without REQBUFS, STREAMON, QBUF, DQBUF, read,
 * poll or mmap, and each of these is judged by current at each call. A
 * received descriptor or a forked child is therefore judged as itself. What
 * an ioctl carries lies in user memory that can change under us: it only ever
 * decides whether to wait, never whether to allow.
 *
 * Buffers are mapped, exported and filled only through the file that asked for
 * them and by the process that did. Otherwise an app could, while it is
 * allowed, map the buffers of another one and keep watching them after its own
 * grant ended. v4l2-buffers.c keeps that.
 */
#include "v4l2-hook.h"

#include <linux/module.h>
#include <linux/poll.h>
#include <linux/videodev2.h>
#include <media/videobuf2-core.h>

#include "check.h"

#define INPUT_EVENTS (EPOLLIN | EPOLLRDNORM | EPOLLRDBAND)

const struct v4l2_file_operations *callgate_v4l2_ungated_fops(struct file *file)
{
	struct video_device *vdev = video_devdata(file);
	const struct v4l2_file_operations *fops = callgate_v4l2_driver_fops(vdev);

	if (!video_is_registered(vdev) || READ_ONCE(vdev->fops) == &callgate_v4l2_closed_fops)
		return NULL;
	return fops;
}

int callgate_v4l2_ask(struct v4l2_gate *gate, struct file *file, enum callgate_op op)
{
	if (file->f_flags & O_NONBLOCK)
		return callgate_check(&gate->dev, op);
	return callgate_ask(&gate->dev, op);
}

long callgate_v4l2_check_again(struct v4l2_gate *gate, struct file *file, long ret)
{
	if (!callgate_check_quiet(&gate->dev))
		return ret;
	if (ret >= 0)
		callgate_v4l2_file_lapsed(gate, file);
	/* A killed caller goes; a restarted call is judged anew. */
	return ret == -ERESTARTSYS ? ret : -EACCES;
}

static int hook_v4l2_open(struct file *file)
{
	const struct v4l2_file_operations *fops;
	struct v4l2_gate_file *rec;
	struct v4l2_gate *gate;
	int ret;

	gate = callgate_v4l2_enter(file);
	if (!gate) {
		fops = callgate_v4l2_ungated_fops(file);
		if (!fops || fops->open == hook_v4l2_open)
			ret = -ENODEV;
		else
			ret = fops->open ? fops->open(file) : 0;
		goto leave;
	}
	/* One record for each driver's file handle, charged to the opener's memory cgroup as well. */
	rec = callgate_v4l2_file_new();
	if (IS_ERR(rec)) {
		ret = PTR_ERR(rec);
		goto leave;
	}
	ret = 0;
	if (gate->orig->open)
		ret = gate->orig->open(file);
	if (!ret)
		callgate_v4l2_file_link(gate, rec, file);
	else
		callgate_v4l2_file_free(rec);
leave:
	callgate_v4l2_leave(gate);
	return ret;
}

static int hook_v4l2_release(struct file *file)
{
	const struct v4l2_file_operations *fops;
	struct v4l2_gate *gate;
	int ret = 0;

	gate = callgate_v4l2_enter(file);
	if (gate) {
		callgate_v4l2_file_release(gate, file);
		fops = gate->orig;
	} else {
		/* Also for a node that is gone: the driver's handle must be freed. */
		fops = callgate_v4l2_driver_fops(video_devdata(file));
	}
	if (fops && fops->release && fops->release != hook_v4l2_release)
		ret = fops->release(file);
	callgate_v4l2_leave(gate);
	return ret;
}

/* Does a read-mode capture run through this file? Read without the lock: for what is only reported or repeated. */
static __always_inline bool reads(const struct v4l2_gate *gate, const struct file *file)
{
	struct vb2_queue *q = gate->vdev->queue;

	return q && READ_ONCE(q->fileio) && READ_ONCE(q->owner) == file->private_data;
}

/*
 * The first read starts the capture inside the driver and may then sleep for
 * long, so the capture is entered before the driver is called: a revocation
 * must find it. The frame is in the caller's buffer when the second check
 * denies; that cannot be taken back, but nothing follows it.
 */
static ssize_t gated_read(struct v4l2_gate *gate, struct file *file, char __user *buf, size_t size,
			  loff_t *off)
{
	struct vb2_queue *q = gate->vdev->queue;
	u64 starts = 0;
	ssize_t ret;

	/* A node that cannot be read is not worth a prompt. */
	if (gate->vdev->device_caps & V4L2_CAP_READWRITE)
		ret = callgate_v4l2_ask(gate, file, CALLGATE_OP_READ);
	else
		ret = callgate_check(&gate->dev, CALLGATE_OP_READ);
	if (ret) {
		callgate_v4l2_file_denied(gate, file);
		return ret;
	}

	if (!reads(gate, file)) {
		ret = callgate_v4l2_file_began(gate, file, &starts);
		if (ret)
			return ret;
	}
	ret = gate->orig->read(file, buf, size, off);
	/* Entered for nothing? Where the queue cannot be asked, these two errors say that nothing was begun. */
	if (starts && ret < 0)
		callgate_v4l2_file_stopped(gate, file, starts,
					   !q && (ret == -EINVAL || ret == -EBUSY));
	return callgate_v4l2_check_again(gate, file, ret);
}

static ssize_t hook_v4l2_read(struct file *file, char __user *buf, size_t size, loff_t *off)
{
	const struct v4l2_file_operations *fops;
	struct v4l2_gate *gate;
	ssize_t ret;

	gate = callgate_v4l2_enter(file);
	if (gate) {
		ret = gated_read(gate, file, buf, size, off);
	} else {
		fops = callgate_v4l2_ungated_fops(file);
		ret = -ENODEV;
		if (fops && fops->read && fops->read != hook_v4l2_read)
			ret = fops->read(file, buf, size, off);
	}
	callgate_v4l2_leave(gate);
	return ret;
}

/*
 * A denied poll still calls the driver, without the input events: the caller
 * must be on the driver's wait queues, or an epoll set made while denied would
 * stay silent after a grant, and events (EPOLLPRI) are nobody's picture. Asked
 * without input no driver starts a read-mode capture in poll.
 * EPOLLERR where input was asked for, so that the app tries and learns the
 * reason; never otherwise, or a waiter for EPOLLPRI would spin.
 */
static noinline __poll_t denied_poll(struct v4l2_gate *gate, struct file *file,
				     struct poll_table_struct *wait)
{
	struct poll_table_struct masked = { ._key = ~(__poll_t)0 };
	__poll_t asked = poll_requested_events(wait);
	__poll_t events;

	if (!wait)
		wait = &masked;
	wait->_key = asked & ~INPUT_EVENTS;
	events = gate->orig->poll(file, wait) & ~INPUT_EVENTS;
	wait->_key = asked;
	return asked & INPUT_EVENTS ? events | EPOLLERR : events;
}

static noinline __poll_t lapsed_poll(struct v4l2_gate *gate, struct file *file, __poll_t events)
{
	if (!callgate_check_quiet(&gate->dev))
		return events;
	callgate_v4l2_file_lapsed(gate, file);
	return (events & ~INPUT_EVENTS) | EPOLLERR;
}

/* In read mode the driver's poll starts the capture. Without a vb2 queue the first input shows it. */
static noinline void began_in_poll(struct v4l2_gate *gate, struct file *file, bool idle,
				   __poll_t events)
{
	struct vb2_queue *q = gate->vdev->queue;
	u64 starts;

	if (q ? idle && reads(gate, file)
	      : gate->vdev->device_caps & V4L2_CAP_READWRITE && events & INPUT_EVENTS)
		callgate_v4l2_file_began(gate, file, &starts);
}

/* No read mode runs that one knows of: after poll one may. */
static __always_inline bool is_idle(const struct v4l2_gate *gate)
{
	return !gate->vdev->queue || !READ_ONCE(gate->vdev->queue->fileio);
}

static noinline __poll_t gated_poll(struct v4l2_gate *gate, struct file *file,
				    struct poll_table_struct *wait)
{
	__poll_t asked = poll_requested_events(wait) & INPUT_EVENTS;
	bool idle = is_idle(gate);
	__poll_t events;

	if (callgate_check_quiet(&gate->dev)) {
		callgate_v4l2_file_denied(gate, file);
		return denied_poll(gate, file, wait);
	}
	callgate_v4l2_buffers_renew(gate, file);
	events = gate->orig->poll(file, wait);
	if (!asked)
		return events;
	began_in_poll(gate, file, idle, events);
	return lapsed_poll(gate, file, events);
}

static noinline __poll_t ungated_poll(struct file *file, struct poll_table_struct *wait);

/* Something has changed; the buffers may have gone, and then it was this poll that began a read mode. */
static noinline __poll_t poll_again(struct v4l2_gate *gate, struct file *file,
				    struct poll_table_struct *wait, __poll_t events)
{
	if (!(poll_requested_events(wait) & INPUT_EVENTS))
		return events;
	began_in_poll(gate, file, true, events);
	return lapsed_poll(gate, file, events);
}

/* Short where the grant is found at once, as the operations on buffers below. */
static __poll_t hook_v4l2_poll(struct file *file, struct poll_table_struct *wait)
{
	struct v4l2_gate *gate;
	__poll_t events;
	long epoch;

	callgate_enter();
	rcu_read_lock_sched();
	gate = callgate_v4l2_gate_get_sched(file);
	if (unlikely(!gate)) {
		rcu_read_unlock_sched();
		events = ungated_poll(file, wait);
		goto leave;
	}
	/* Only what starts nothing: buffers are there, which REQBUFS asked for. */
	if (unlikely(!callgate_ticket_good(&gate->ticket, file, &epoch))) {
		rcu_read_unlock_sched();
		events = gated_poll(gate, file, wait);
		goto put;
	}
	rcu_read_unlock_sched();
	events = gate->orig->poll(file, wait);
	if (unlikely(!callgate_ticket_holds(&gate->ticket, epoch)))
		events = poll_again(gate, file, wait, events);
put:
	callgate_v4l2_gate_put(gate);
leave:
	callgate_leave();
	return events;
}

static noinline __poll_t ungated_poll(struct file *file, struct poll_table_struct *wait)
{
	const struct v4l2_file_operations *fops = callgate_v4l2_ungated_fops(file);

	if (!fops || !fops->poll || fops->poll == hook_v4l2_poll)
		return EPOLLERR | EPOLLHUP | EPOLLPRI;
	return fops->poll(file, wait);
}

/* Runs under mmap_lock: checks, never waits. */
static int gated_mmap(struct v4l2_gate *gate, struct file *file, struct vm_area_struct *vma)
{
	int ret;

	ret = callgate_check(&gate->dev, CALLGATE_OP_MMAP);
	if (ret)
		return ret;
	ret = callgate_v4l2_buffers_map(gate, file, CALLGATE_OP_MMAP);
	if (ret)
		return ret;
	ret = gate->orig->mmap(file, vma);
	callgate_v4l2_buffers_mapped(gate, file);
	return ret;
}

static int hook_v4l2_mmap(struct file *file, struct vm_area_struct *vma)
{
	const struct v4l2_file_operations *fops;
	struct v4l2_gate *gate;
	int ret;

	gate = callgate_v4l2_enter(file);
	if (gate) {
		ret = gated_mmap(gate, file, vma);
	} else {
		fops = callgate_v4l2_ungated_fops(file);
		ret = -ENODEV;
		if (fops && fops->mmap && fops->mmap != hook_v4l2_mmap)
			ret = fops->mmap(file, vma);
	}
	callgate_v4l2_leave(gate);
	return ret;
}

void callgate_v4l2_hook(struct v4l2_file_operations *fops, const struct v4l2_file_operations *orig)
{
	*fops = *orig;
	fops->open = hook_v4l2_open;
	fops->release = hook_v4l2_release;
	if (orig->read)
		fops->read = hook_v4l2_read;
	if (orig->poll)
		fops->poll = hook_v4l2_poll;
	if (orig->mmap)
		fops->mmap = hook_v4l2_mmap;
	if (orig->unlocked_ioctl)
		fops->unlocked_ioctl = callgate_v4l2_hook_ioctl;
#ifdef CONFIG_COMPAT
	if (orig->compat_ioctl32)
		fops->compat_ioctl32 = callgate_v4l2_hook_compat_ioctl;
#endif
}

static int closed_open(struct file *file)
{
	return -EACCES;
}

static ssize_t closed_read(struct file *file, char __user *buf, size_t size, loff_t *off)
{
	return -EACCES;
}

static __poll_t closed_poll(struct file *file, struct poll_table_struct *wait)
{
	return EPOLLERR;
}

static int closed_mmap(struct file *file, struct vm_area_struct *vma)
{
	return -EACCES;
}

static long closed_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return -EACCES;
}

/* hook_v4l2_release finds no record and passes on to the driver: files may have been open before. */
const struct v4l2_file_operations callgate_v4l2_closed_fops = {
	.owner = THIS_MODULE,
	.open = closed_open,
	.release = hook_v4l2_release,
	.read = closed_read,
	.poll = closed_poll,
	.mmap = closed_mmap,
	.unlocked_ioctl = closed_ioctl,
};
