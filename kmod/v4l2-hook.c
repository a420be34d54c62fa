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
#include "v4l2-gate.h"

#include <linux/compat.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/uaccess.h>
#include <linux/videodev2.h>
#include <media/videobuf2-core.h>

#include "check.h"

/* VIDIOC_REMOVE_BUFS came in 6.10. */
#define REMOVE_BUFS_NR 104

#define INPUT_EVENTS (EPOLLIN | EPOLLRDNORM | EPOLLRDBAND)

static __always_inline struct v4l2_gate *hook_enter(struct file *file)
{
	callgate_enter();
	return callgate_v4l2_gate_get(file);
}

static __always_inline void hook_leave(struct v4l2_gate *gate)
{
	if (likely(gate))
		callgate_v4l2_gate_put(gate);
	callgate_leave();
}

/*
 * An operation that was on its way in while its node was given back: the
 * driver's table is in place again. A node that is gone runs nothing.
 */
static const struct v4l2_file_operations *ungated_fops(struct file *file)
{
	struct video_device *vdev = video_devdata(file);
	const struct v4l2_file_operations *fops = callgate_v4l2_driver_fops(vdev);

	if (!video_is_registered(vdev) || READ_ONCE(vdev->fops) == &callgate_v4l2_closed_fops)
		return NULL;
	return fops;
}

/*
 * Only a blocking file is held: io_uring runs a non-blocking one inline under
 * its lock, and real-time threads open non-blocking.
 */
static int ask_or_check(struct v4l2_gate *gate, struct file *file, enum callgate_op op)
{
	if (file->f_flags & O_NONBLOCK)
		return callgate_check(&gate->dev, op);
	return callgate_ask(&gate->dev, op);
}

/*
 * The second check, after the driver has returned: a grant that ended while
 * the caller slept in the driver gets nothing. Where the driver reported an
 * error nothing was begun or delivered and there is nothing to stop.
 */
static noinline long check_again(struct v4l2_gate *gate, struct file *file, long ret)
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

	gate = hook_enter(file);
	if (!gate) {
		fops = ungated_fops(file);
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
	hook_leave(gate);
	return ret;
}

static int hook_v4l2_release(struct file *file)
{
	const struct v4l2_file_operations *fops;
	struct v4l2_gate *gate;
	int ret = 0;

	gate = hook_enter(file);
	if (gate) {
		callgate_v4l2_file_release(gate, file);
		fops = gate->orig;
	} else {
		/* Also for a node that is gone: the driver's handle must be freed. */
		fops = callgate_v4l2_driver_fops(video_devdata(file));
	}
	if (fops && fops->release && fops->release != hook_v4l2_release)
		ret = fops->release(file);
	hook_leave(gate);
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
		ret = ask_or_check(gate, file, CALLGATE_OP_READ);
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
	return check_again(gate, file, ret);
}

static ssize_t hook_v4l2_read(struct file *file, char __user *buf, size_t size, loff_t *off)
{
	const struct v4l2_file_operations *fops;
	struct v4l2_gate *gate;
	ssize_t ret;

	gate = hook_enter(file);
	if (gate) {
		ret = gated_read(gate, file, buf, size, off);
	} else {
		fops = ungated_fops(file);
		ret = -ENODEV;
		if (fops && fops->read && fops->read != hook_v4l2_read)
			ret = fops->read(file, buf, size, off);
	}
	hook_leave(gate);
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

/* Of a cgroup's grant; as hook_v4l2_poll(). */
static noinline __poll_t poll_in_cgroup(struct v4l2_gate *gate, struct file *file,
					struct poll_table_struct *wait)
{
	struct callgate_pass pass;
	__poll_t events;
	long epoch;

	pass = callgate_check_cgroup(&gate->dev, &epoch);
	if (!pass.cgroup || READ_ONCE(gate->sure_file) != file)
		return gated_poll(gate, file, wait);
	events = gate->orig->poll(file, wait);
	if (likely(callgate_check_holds(pass.until, epoch) && callgate_check_member(pass.cgroup)))
		return events;
	return poll_again(gate, file, wait, events);
}

/* Short where the grant is found at once, as the operations on buffers below. */
static __poll_t hook_v4l2_poll(struct file *file, struct poll_table_struct *wait)
{
	struct v4l2_gate *gate;
	unsigned long until;
	__poll_t events;
	long epoch;
	u64 id;

	callgate_enter();
	rcu_read_lock_sched();
	gate = callgate_v4l2_gate_get_sched(file);
	if (unlikely(!gate)) {
		rcu_read_unlock_sched();
		events = ungated_poll(file, wait);
		goto leave;
	}
	/* Only what starts nothing: buffers are there, which REQBUFS asked for. */
	if (unlikely(!callgate_check_quick(&gate->dev, &until, &epoch, &id)) ||
	    unlikely(READ_ONCE(gate->sure_file) != file)) {
		rcu_read_unlock_sched();
		events = poll_in_cgroup(gate, file, wait);
		goto put;
	}
	rcu_read_unlock_sched();
	events = gate->orig->poll(file, wait);
	if (unlikely(!callgate_check_holds(until, epoch)))
		events = poll_again(gate, file, wait, events);
put:
	callgate_v4l2_gate_put(gate);
leave:
	callgate_leave();
	return events;
}

static noinline __poll_t ungated_poll(struct file *file, struct poll_table_struct *wait)
{
	const struct v4l2_file_operations *fops = ungated_fops(file);

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

	gate = hook_enter(file);
	if (gate) {
		ret = gated_mmap(gate, file, vma);
	} else {
		fops = ungated_fops(file);
		ret = -ENODEV;
		if (fops && fops->mmap && fops->mmap != hook_v4l2_mmap)
			ret = fops->mmap(file, vma);
	}
	hook_leave(gate);
	return ret;
}

typedef long (*ioctl_fn)(struct file *, unsigned int, unsigned long);

static long hook_v4l2_ioctl(struct file *file, unsigned int cmd, unsigned long arg);
#ifdef CONFIG_COMPAT
static long hook_v4l2_compat_ioctl(struct file *file, unsigned int cmd, unsigned long arg);
#endif

static __always_inline ioctl_fn driver_ioctl(const struct v4l2_file_operations *fops, bool compat)
{
#ifdef CONFIG_COMPAT
	if (compat)
		return fops->compat_ioctl32;
#endif
	return fops->unlocked_ioctl;
}

static bool is_hook(ioctl_fn call)
{
#ifdef CONFIG_COMPAT
	if (call == hook_v4l2_compat_ioctl)
		return true;
#endif
	return call == hook_v4l2_ioctl;
}

/*
 * How many buffers REQBUFS or CREATE_BUFS asks for; the same place in the
 * 32-bit layout. Advisory: the driver reads it again. Unreadable counts as many.
 */
static bool wants_buffers(unsigned int nr, unsigned long arg)
{
	const u32 __user *words = (const u32 __user *)arg;
	u32 count;

	if (get_user(count, words + (nr == _IOC_NR(VIDIOC_CREATE_BUFS) ? 1 : 0)))
		return true;
	return count > 0;
}

static long ioctl_buffers(struct v4l2_gate *gate, struct file *file, ioctl_fn call,
			  unsigned int cmd, unsigned long arg)
{
	bool anew = _IOC_NR(cmd) == _IOC_NR(VIDIOC_REQBUFS);
	bool wants = wants_buffers(_IOC_NR(cmd), arg);
	u64 starts;
	long ret;

	if (wants) {
		ret = ask_or_check(gate, file, CALLGATE_OP_BUFFERS);
		if (ret) {
			callgate_v4l2_file_denied(gate, file);
			return ret;
		}
		/* To those that are there only their holder may add. */
		ret = anew ? 0 : callgate_v4l2_buffers_held(gate, file, CALLGATE_OP_BUFFERS);
		if (ret)
			return ret;
	}
	ret = callgate_v4l2_buffers_begin(gate, file, wants);
	if (ret)
		return ret;
	starts = callgate_v4l2_file_stopping(gate, file);
	ret = call(file, cmd, arg);
	callgate_v4l2_buffers_end(gate, file, wants, anew, ret >= 0);
	/* Drivers refuse REQBUFS while they stream. */
	if (ret >= 0 && anew)
		callgate_v4l2_file_stopped(gate, file, starts, false);
	return wants ? check_again(gate, file, ret) : ret;
}

/* PREPARE_BUF and QBUF: what is queued, and what it pins, stays when the caller has gone. */
static noinline long queue_again(struct v4l2_gate *gate, struct file *file, enum callgate_op op,
				 long ret)
{
	/* Others may have asked for buffers anew while we were in the driver. */
	if (ret >= 0 && callgate_v4l2_buffers_held(gate, file, op)) {
		callgate_v4l2_file_lapsed(gate, file);
		return -EACCES;
	}
	return check_again(gate, file, ret);
}

static long ioctl_queue(struct v4l2_gate *gate, struct file *file, ioctl_fn call, unsigned int cmd,
			unsigned long arg)
{
	enum callgate_op op = _IOC_NR(cmd) == _IOC_NR(VIDIOC_QBUF) ? CALLGATE_OP_QUEUE
								   : CALLGATE_OP_BUFFERS;
	long ret;

	ret = callgate_v4l2_buffers_held(gate, file, op);
	if (ret)
		return ret;
	return queue_again(gate, file, op, call(file, cmd, arg));
}

/* An exported buffer is as good as a mapped one. */
static long ioctl_export(struct v4l2_gate *gate, struct file *file, ioctl_fn call, unsigned int cmd,
			 unsigned long arg)
{
	long ret;

	ret = callgate_v4l2_buffers_map(gate, file, CALLGATE_OP_BUFFERS);
	if (ret)
		return ret;
	/* Not across the driver: it reads user memory, which can make it wait, and a revocation with it. */
	callgate_v4l2_buffers_mapped(gate, file);
	return check_again(gate, file, call(file, cmd, arg));
}

/*
 * VIDIOC_OVERLAY starts and stops, and its argument lies in user memory. So
 * each is asked about and taken for a start; what looks like a stop is made
 * one before it is believed.
 */
static bool is_on(unsigned long arg)
{
	int on;

	return get_user(on, (const int __user *)arg) || on;
}

static void overlay_ended(struct v4l2_gate *gate, struct file *file)
{
	u64 starts = callgate_v4l2_file_stopping(gate, file);

	if (!callgate_v4l2_stop(gate->vdev, file, CALLGATE_V4L2_OVERLAY))
		return;
	callgate_v4l2_file_overlay_ended(gate, file, starts);
	if (gate->vdev->queue)
		callgate_v4l2_file_stopped(gate, file, starts, false);
}

static long ioctl_start(struct v4l2_gate *gate, struct file *file, ioctl_fn call, unsigned int cmd,
			unsigned long arg)
{
	bool overlay = _IOC_NR(cmd) == _IOC_NR(VIDIOC_OVERLAY);
	long ret;

	ret = ask_or_check(gate, file, CALLGATE_OP_START);
	if (ret) {
		callgate_v4l2_file_denied(gate, file);
		return ret;
	}
	/* Into the buffers of another one nobody starts. */
	ret = overlay ? 0 : callgate_v4l2_buffers_held(gate, file, CALLGATE_OP_START);
	if (ret)
		return ret;
	ret = callgate_v4l2_file_starting(gate, file);
	if (ret)
		return ret;
	ret = call(file, cmd, arg);
	callgate_v4l2_file_started(gate, file, ret >= 0, overlay);
	if (overlay && ret >= 0 && !is_on(arg))
		overlay_ended(gate, file);
	/* A revocation that came while we were in the driver left the stream entered, for us to look again. */
	if (ret < 0 && callgate_check_quiet(&gate->dev))
		callgate_v4l2_file_lapsed(gate, file);
	return check_again(gate, file, ret);
}

static long ioctl_stop(struct v4l2_gate *gate, struct file *file, ioctl_fn call, unsigned int cmd,
		       unsigned long arg)
{
	u64 starts = callgate_v4l2_file_stopping(gate, file);
	long ret = call(file, cmd, arg);

	if (ret >= 0)
		callgate_v4l2_file_stopped(gate, file, starts, false);
	return ret;
}

static noinline long gated_ioctl(struct v4l2_gate *gate, struct file *file, ioctl_fn call,
				 unsigned int cmd, unsigned long arg)
{
	enum callgate_op op;
	long ret;

	if (_IOC_TYPE(cmd) != 'V')
		return call(file, cmd, arg);

	switch (_IOC_NR(cmd)) {
	case _IOC_NR(VIDIOC_REQBUFS):
	case _IOC_NR(VIDIOC_CREATE_BUFS):
		return ioctl_buffers(gate, file, call, cmd, arg);
	case _IOC_NR(VIDIOC_STREAMON):
	case _IOC_NR(VIDIOC_OVERLAY):
		return ioctl_start(gate, file, call, cmd, arg);
	case _IOC_NR(VIDIOC_STREAMOFF):
		return ioctl_stop(gate, file, call, cmd, arg);
	case _IOC_NR(VIDIOC_QBUF):
		op = CALLGATE_OP_QUEUE;
		break;
	case _IOC_NR(VIDIOC_DQBUF):
		op = CALLGATE_OP_DEQUEUE;
		break;
	case _IOC_NR(VIDIOC_PREPARE_BUF):
	case _IOC_NR(VIDIOC_EXPBUF):
	case REMOVE_BUFS_NR:
		op = CALLGATE_OP_BUFFERS;
		break;
	default:
		return call(file, cmd, arg);
	}

	ret = callgate_check(&gate->dev, op);
	if (ret) {
		callgate_v4l2_file_denied(gate, file);
		return ret;
	}

	switch (_IOC_NR(cmd)) {
	case _IOC_NR(VIDIOC_QBUF):
	case _IOC_NR(VIDIOC_PREPARE_BUF):
		return ioctl_queue(gate, file, call, cmd, arg);
	case _IOC_NR(VIDIOC_EXPBUF):
		return ioctl_export(gate, file, call, cmd, arg);
	default:
		return check_again(gate, file, call(file, cmd, arg));
	}
}

static noinline long ungated_ioctl(struct file *file, unsigned int cmd, unsigned long arg,
				   bool compat)
{
	const struct v4l2_file_operations *fops = ungated_fops(file);
	ioctl_fn call = fops ? driver_ioctl(fops, compat) : NULL;

	return call && !is_hook(call) ? call(file, cmd, arg) : -ENODEV;
}

/* Of a cgroup's grant; as hook_buffer(). */
static noinline long buffer_in_cgroup(struct v4l2_gate *gate, struct file *file, unsigned int cmd,
				      unsigned long arg, bool queue)
{
	struct callgate_pass pass;
	long epoch, ret;
	bool sure;

	pass = callgate_check_cgroup(&gate->dev, &epoch);
	sure = pass.cgroup && !callgate_check_traced() &&
	       (!queue || callgate_v4l2_surely_held(gate, file, epoch));
	if (!sure)
		return gated_ioctl(gate, file, gate->orig->unlocked_ioctl, cmd, arg);
	callgate_check_count();
	ret = gate->orig->unlocked_ioctl(file, cmd, arg);
	if (likely(callgate_check_holds(pass.until, epoch) && callgate_check_member(pass.cgroup)))
		return ret;
	return queue ? queue_again(gate, file, CALLGATE_OP_QUEUE, ret)
		     : check_again(gate, file, ret);
}

/*
 * QBUF and DQBUF come with each picture. Where everything that gated_ioctl() would ask is sure, they are passed on and
 * nothing is asked again unless something has changed meanwhile. All in one function, for calls and saved
 * registers would cost more than the questions.
 */
static __always_inline long hook_buffer(struct file *file, unsigned int cmd, unsigned long arg,
					bool queue)
{
	struct v4l2_gate *gate;
	unsigned long until;
	long epoch, ret;
	u64 id;

	callgate_enter();
	rcu_read_lock_sched();
	gate = callgate_v4l2_gate_get_sched(file);
	if (unlikely(!gate)) {
		rcu_read_unlock_sched();
		ret = ungated_ioctl(file, cmd, arg, false);
		goto leave;
	}
	if (callgate_check_traced() ||
	    unlikely(!callgate_check_quick(&gate->dev, &until, &epoch, &id)) ||
	    unlikely(queue && !callgate_v4l2_surely_granted(gate, file, id))) {
		rcu_read_unlock_sched();
		ret = buffer_in_cgroup(gate, file, cmd, arg, queue);
		goto put;
	}
	callgate_check_count();
	rcu_read_unlock_sched();
	ret = gate->orig->unlocked_ioctl(file, cmd, arg);
	if (unlikely(!callgate_check_holds(until, epoch)))
		ret = queue ? queue_again(gate, file, CALLGATE_OP_QUEUE, ret)
			    : check_again(gate, file, ret);
put:
	callgate_v4l2_gate_put(gate);
leave:
	callgate_leave();
	return ret;
}

/* Not traced apart from hook_v4l2_ioctl(), which is one of the same. */
static noinline notrace long hook_qbuf(struct file *file, unsigned int cmd, unsigned long arg)
{
	return hook_buffer(file, cmd, arg, true);
}

static noinline notrace long hook_dqbuf(struct file *file, unsigned int cmd, unsigned long arg)
{
	return hook_buffer(file, cmd, arg, false);
}

static noinline long hook_other(struct file *file, unsigned int cmd, unsigned long arg, bool compat)
{
	struct v4l2_gate *gate = hook_enter(file);
	long ret;

	if (gate)
		ret = gated_ioctl(gate, file, driver_ioctl(gate->orig, compat), cmd, arg);
	else
		ret = ungated_ioctl(file, cmd, arg, compat);
	hook_leave(gate);
	return ret;
}

/*
 * By type and number, not by the whole command: 32-bit programs' commands arrive with
 * 32-bit sizes, and older structure layouts share the number too.
 */
static bool is_command(unsigned int cmd, unsigned int wanted)
{
	return (u16)cmd == (u16)wanted;
}

static long hook_v4l2_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	if (is_command(cmd, VIDIOC_QBUF))
		return hook_qbuf(file, cmd, arg);
	if (is_command(cmd, VIDIOC_DQBUF))
		return hook_dqbuf(file, cmd, arg);
	return hook_other(file, cmd, arg, false);
}

#ifdef CONFIG_COMPAT
static long hook_v4l2_compat_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return hook_other(file, cmd, arg, true);
}
#endif

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
		fops->unlocked_ioctl = hook_v4l2_ioctl;
#ifdef CONFIG_COMPAT
	if (orig->compat_ioctl32)
		fops->compat_ioctl32 = hook_v4l2_compat_ioctl;
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
