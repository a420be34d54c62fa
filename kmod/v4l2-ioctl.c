// SPDX-License-Identifier: GPL-2.0-only
/*
 * The interposed V4L2 ioctls, most of what v4l2-hook.c says of all operations.
 *
 * Owns no state. Called by the V4L2 core through vdev->fops. Must not look at
 * what an ioctl carries to decide whether to allow: it lies in user memory that
 * can change under us, and only ever decides whether to wait.
 *
 * Security: an ioctl that is not named here passes, or apps could not
 * enumerate and negotiate; frames cannot flow without one that is.
 */
#include "v4l2-hook.h"

#include <linux/compat.h>
#include <linux/uaccess.h>
#include <linux/videodev2.h>

#include "check.h"

/* VIDIOC_REMOVE_BUFS came in 6.10. */
#define REMOVE_BUFS_NR 104

typedef long (*ioctl_fn)(struct file *, unsigned int, unsigned long);

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
	if (call == callgate_v4l2_hook_compat_ioctl)
		return true;
#endif
	return call == callgate_v4l2_hook_ioctl;
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
		ret = callgate_v4l2_ask(gate, file, CALLGATE_OP_BUFFERS);
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
	return wants ? callgate_v4l2_check_again(gate, file, ret) : ret;
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
	return callgate_v4l2_check_again(gate, file, ret);
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
	return callgate_v4l2_check_again(gate, file, call(file, cmd, arg));
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

	ret = callgate_v4l2_ask(gate, file, CALLGATE_OP_START);
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
	return callgate_v4l2_check_again(gate, file, ret);
}

static long ioctl_stop(struct v4l2_gate *gate, struct file *file, ioctl_fn call, unsigned int cmd,
		       unsigned long arg)
{
	u64 starts = callgate_v4l2_file_stopping(gate, file);
	long ret = call(file, cmd, arg);

	if (ret >= 0)
		callgate_v4l2_file_stopped(gate, file, starts, false);
	/*
	 * uvcvideo lets nobody stop but who holds the device, as a revocation ended. To stop what stands still is no error
	 * elsewhere, and PipeWire never starts a camera again that it could not stop. Where another one has taken the
	 * device since, the driver's answer stands.
	 */
	if (ret == -EBUSY && callgate_v4l2_file_ended(gate, file))
		return 0;
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
	case _IOC_NR(VIDIOC_DQBUF):
		callgate_v4l2_buffers_renew(gate, file);
		fallthrough;
	default:
		return callgate_v4l2_check_again(gate, file, call(file, cmd, arg));
	}
}

static noinline long ungated_ioctl(struct file *file, unsigned int cmd, unsigned long arg,
				   bool compat)
{
	const struct v4l2_file_operations *fops = callgate_v4l2_ungated_fops(file);
	ioctl_fn call = fops ? driver_ioctl(fops, compat) : NULL;

	return call && !is_hook(call) ? call(file, cmd, arg) : -ENODEV;
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
	long epoch, ret;

	callgate_enter();
	rcu_read_lock_sched();
	gate = callgate_v4l2_gate_get_sched(file);
	if (unlikely(!gate)) {
		rcu_read_unlock_sched();
		ret = ungated_ioctl(file, cmd, arg, false);
		goto leave;
	}
	if (callgate_check_traced() ||
	    unlikely(!callgate_ticket_good(&gate->ticket, file, &epoch))) {
		rcu_read_unlock_sched();
		ret = gated_ioctl(gate, file, gate->orig->unlocked_ioctl, cmd, arg);
		goto put;
	}
	callgate_check_count();
	rcu_read_unlock_sched();
	ret = gate->orig->unlocked_ioctl(file, cmd, arg);
	if (unlikely(!callgate_ticket_holds(&gate->ticket, epoch)))
		ret = queue ? queue_again(gate, file, CALLGATE_OP_QUEUE, ret)
			    : callgate_v4l2_check_again(gate, file, ret);
put:
	callgate_v4l2_gate_put(gate);
leave:
	callgate_leave();
	return ret;
}

/* Not traced apart from callgate_v4l2_hook_ioctl(), which is one of the same. */
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
	struct v4l2_gate *gate = callgate_v4l2_enter(file);
	long ret;

	if (gate)
		ret = gated_ioctl(gate, file, driver_ioctl(gate->orig, compat), cmd, arg);
	else
		ret = ungated_ioctl(file, cmd, arg, compat);
	callgate_v4l2_leave(gate);
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

long callgate_v4l2_hook_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	if (is_command(cmd, VIDIOC_QBUF))
		return hook_qbuf(file, cmd, arg);
	if (is_command(cmd, VIDIOC_DQBUF))
		return hook_dqbuf(file, cmd, arg);
	return hook_other(file, cmd, arg, false);
}

#ifdef CONFIG_COMPAT
long callgate_v4l2_hook_compat_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return hook_other(file, cmd, arg, true);
}
#endif
