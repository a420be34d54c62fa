/* SPDX-License-Identifier: GPL-2.0-only */
/* What the interposed V4L2 operations share: v4l2-hook.c and v4l2-ioctl.c. */
#ifndef CALLGATE_V4L2_HOOK_H
#define CALLGATE_V4L2_HOOK_H

#include <linux/compat.h>

#include "v4l2-gate.h"

static __always_inline struct v4l2_gate *callgate_v4l2_enter(struct file *file)
{
	callgate_enter();
	return callgate_v4l2_gate_get(file);
}

static __always_inline void callgate_v4l2_leave(struct v4l2_gate *gate)
{
	if (likely(gate))
		callgate_v4l2_gate_put(gate);
	callgate_leave();
}

/*
 * An operation that was on its way in while its node was given back: the
 * driver's table is in place again. A node that is gone runs nothing.
 */
const struct v4l2_file_operations *callgate_v4l2_ungated_fops(struct file *file);

/*
 * Only a blocking file is held: io_uring runs a non-blocking one inline under
 * its lock, and real-time threads open non-blocking.
 */
int callgate_v4l2_ask(struct v4l2_gate *gate, struct file *file, enum callgate_op op);

/*
 * The second check, after the driver has returned: a grant that ended while
 * the caller slept in the driver gets nothing. Where the driver reported an
 * error nothing was begun or delivered and there is nothing to stop.
 */
long callgate_v4l2_check_again(struct v4l2_gate *gate, struct file *file, long ret);

/* v4l2-ioctl.c */

long callgate_v4l2_hook_ioctl(struct file *file, unsigned int cmd, unsigned long arg);
#ifdef CONFIG_COMPAT
long callgate_v4l2_hook_compat_ioctl(struct file *file, unsigned int cmd, unsigned long arg);
#endif

#endif
