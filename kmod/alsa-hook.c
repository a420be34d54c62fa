// SPDX-License-Identifier: GPL-2.0-only
/*
 * The PCM operations that stand in front of the driver's.
 *
 * Owns the facts of a capture substream (dirty, mapper, its stream) and the
 * order in which they change, with alsa-trigger.c, which starts and stops.
 * Decides nothing about a caller (check.c does) and knows no device's coming or
 * going (alsa.c does). Called by the PCM core. Never waits for a verdict:
 * buffer_mutex or the stream lock is held here, and an application expects a
 * trigger to be quick.
 *
 * Security. Samples reach a program in two ways: copied by read, which asks at
 * each period, or through a mapped buffer, which nothing can ask about later.
 * So a buffer is mapped either by someone who holds a grant, or while it is
 * clean (cleared since the last start) and its file is the only one; and it is
 * filled only for a caller who holds a grant and is the one who mapped it, if
 * anybody did. Both questions are put under the stream lock, which orders a
 * mapping against a start: whichever is second sees the first. So while it runs,
 * only who started it has it mapped, and one grant's end ends both. As this is asked
 * at the start, it does not matter how somebody came by the substream: a file
 * attached by O_APPEND, inherited, passed, or linked to another one.
 *
 * A group starts as one, and some drivers start all of it from the first
 * member, which may be a playback stream, without calling the others. So each
 * start asks for every capture member. The PCM core holds the stream lock of
 * each member meanwhile.
 *
 * Lifetime. In a hook the substream is open. Closing takes @stopping before
 * the PCM core frees the runtime, and a revocation holds it while it stops the
 * substream, because snd_pcm_stop() may let go of the stream lock to take the
 * group's. @open is cleared there under the stream lock: no revocation and no
 * start of the group touches the substream from then on. pcm->open_mutex would
 * do as well, but is held while a device is removed, which waits for the
 * revocation.
 */
#include "alsa-gate.h"

#include <linux/dma-mapping.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>
#include <linux/uio.h>
#include <sound/pcm_params.h>

#include "alsa-compat.h"
#include "check.h"

static bool started_by_not_current(const struct alsa_capture *capture)
{
	const struct callgate_image *image = &capture->stream.image;

	alsa_assert_locked(capture->gate.substream);
	return callgate_stream_running(&capture->stream) &&
	       (image->pid != task_tgid(current) ||
		image->exec_id != READ_ONCE(current->self_exec_id));
}

struct pid *callgate_alsa_forget_mapper(struct alsa_capture *capture)
{
	struct pid *pid = capture->mapper;

	capture->mapper = NULL;
	capture->mapped = false;
	return pid;
}

/* ---- open and close, under pcm->open_mutex ----------------------------------------------------- */

/*
 * Setting an mmap op where the driver has none makes the PCM core believe that
 * the buffer can be mapped. Tells whether it would have believed so anyway.
 */
static bool can_mmap(struct snd_pcm_substream *substream, const struct snd_pcm_ops *orig)
{
	const struct snd_dma_buffer *buffer = snd_pcm_get_dma_buf(substream)
						      ?: &substream->dma_buffer;

	if (orig->mmap || orig->page)
		return true;
	switch (buffer->dev.type) {
	case SNDRV_DMA_TYPE_UNKNOWN:
	case SNDRV_DMA_TYPE_CONTINUOUS:
	case SNDRV_DMA_TYPE_VMALLOC:
		return true;
	default:
		return dma_can_mmap(buffer->dev.dev);
	}
}

static void set_open(struct alsa_gate *gate, bool open)
{
	unsigned long flags;

	snd_pcm_stream_lock_irqsave(gate->substream, flags);
	gate->open = open;
	snd_pcm_stream_unlock_irqrestore(gate->substream, flags);
}

static int hook_mmap(struct snd_pcm_substream *substream, struct vm_area_struct *area);

static int open_gated(struct alsa_gate *gate)
{
	struct snd_pcm_substream *substream = gate->substream;
	const struct snd_pcm_ops *before = READ_ONCE(substream->ops);
	struct alsa_capture *capture = alsa_capture(gate);
	int err;

	if (capture && !try_module_get(THIS_MODULE))
		return -ENODEV;
	set_open(gate, true);
	err = gate->orig->open(substream);
	callgate_alsa_reswap(gate, before);
	if (err < 0) {
		set_open(gate, false);
		if (capture)
			module_put(THIS_MODULE);
		return err;
	}
	if (capture) {
		capture->held = true;
		gate->ops.mmap = can_mmap(substream, gate->orig) ? hook_mmap : NULL;
	}
	return err;
}

static int hook_open(struct snd_pcm_substream *substream)
{
	struct alsa_gate *gate;
	int err = -ENODEV;

	callgate_enter();
	gate = callgate_alsa_gate(substream);
	if (!WARN_ON_ONCE(!gate))
		err = open_gated(gate);
	callgate_leave();
	return err;
}

static void end_capture(struct alsa_capture *capture)
{
	struct snd_pcm_substream *substream = capture->gate.substream;
	unsigned long flags;
	struct pid *pid;

	mutex_lock(&capture->stopping);
	snd_pcm_stream_lock_irqsave(substream, flags);
	capture->gate.open = false;
	callgate_stream_stop(&capture->dev, &capture->stream, alsa_end_reason(substream));
	pid = callgate_alsa_forget_mapper(capture);
	snd_pcm_stream_unlock_irqrestore(substream, flags);
	mutex_unlock(&capture->stopping);
	put_pid(pid);
}

static int close_gated(struct alsa_gate *gate)
{
	struct snd_pcm_substream *substream = gate->substream;
	const struct snd_pcm_ops *before = READ_ONCE(substream->ops);
	struct alsa_capture *capture = alsa_capture(gate);
	bool held = false;
	int err;

	if (capture) {
		end_capture(capture);
		held = capture->held;
		capture->held = false;
	} else {
		set_open(gate, false);
	}
	err = gate->orig->close(substream);
	callgate_alsa_reswap(gate, before);
	if (gate->removed)
		callgate_alsa_retire(gate);
	if (held)
		module_put(THIS_MODULE);
	return err;
}

static int hook_close(struct snd_pcm_substream *substream)
{
	struct alsa_gate *gate;
	int err = -ENODEV;

	callgate_enter();
	gate = callgate_alsa_gate(substream);
	if (!WARN_ON_ONCE(!gate))
		err = close_gated(gate);
	callgate_leave();
	return err;
}

static int hook_closed_open(struct snd_pcm_substream *substream)
{
	return -EACCES;
}

const struct snd_pcm_ops callgate_alsa_closed_ops = {
	.open = hook_closed_open,
};

/* ---- hw_params, under runtime->buffer_mutex: nobody copies, maps or starts --------------------- */

/* Does what the PCM core leaves undone when there is a copy op. Without one of the driver's own only. */
static bool clear_buffer(struct alsa_gate *gate, const struct snd_pcm_hw_params *params)
{
	struct snd_pcm_runtime *runtime = gate->substream->runtime;
	size_t size = runtime->dma_bytes;

	if (!runtime->dma_area || callgate_pcm_has_copy(gate->orig))
		return false;
	if (params->info & SNDRV_PCM_INFO_MMAP)
		size = PAGE_ALIGN(size);
	memset(runtime->dma_area, 0, size);
	return true;
}

static int hw_params_gated(struct alsa_gate *gate, struct snd_pcm_hw_params *params)
{
	struct snd_pcm_substream *substream = gate->substream;
	const struct snd_pcm_ops *before = READ_ONCE(substream->ops);
	struct alsa_capture *capture = alsa_capture(gate);
	struct pid *pid = NULL;
	unsigned long flags;
	bool cleared;
	int err = 0;

	if (gate->orig->hw_params)
		err = gate->orig->hw_params(substream, params);
	callgate_alsa_reswap(gate, before);
	if (err < 0 || !capture)
		return err;
	cleared = clear_buffer(gate, params);
	snd_pcm_stream_lock_irqsave(substream, flags);
	if (cleared)
		capture->dirty = false;
	if (!atomic_read(&substream->mmap_count))
		pid = callgate_alsa_forget_mapper(capture);
	snd_pcm_stream_unlock_irqrestore(substream, flags);
	put_pid(pid);
	return err;
}

static int hook_hw_params(struct snd_pcm_substream *substream, struct snd_pcm_hw_params *params)
{
	struct alsa_gate *gate;
	int err = -ENODEV;

	callgate_enter();
	gate = callgate_alsa_gate(substream);
	if (!WARN_ON_ONCE(!gate))
		err = hw_params_gated(gate, params);
	callgate_leave();
	return err;
}

/* ---- mmap, under mmap_lock --------------------------------------------------------------------- */

/*
 * ref_count changes under pcm->open_mutex only, which must not be taken here.
 * A file that is attached just after it was read finds a mapper, and so can
 * start nothing into this mapping and map nothing itself.
 */
static int may_map(struct alsa_capture *capture)
{
	int err = 0;

	alsa_assert_locked(capture->gate.substream);
	if (alsa_mapped_by_not_current(capture) || started_by_not_current(capture))
		err = callgate_deny(&capture->dev, CALLGATE_OP_MMAP);
	else if ((capture->dirty || capture->gate.substream->ref_count != 1) &&
		 callgate_check_quiet(&capture->dev))
		err = callgate_check(&capture->dev, CALLGATE_OP_MMAP);
	if (err || capture->mapped)
		return err;
	capture->mapped = true;
	capture->mapper = get_pid(task_tgid(current));
	capture->mapper_exec_id = READ_ONCE(current->self_exec_id);
	return 0;
}

static int mmap_gated(struct alsa_capture *capture, struct vm_area_struct *area)
{
	struct snd_pcm_substream *substream = capture->gate.substream;
	const struct snd_pcm_ops *orig = capture->gate.orig;
	unsigned long flags;
	int err;

	if (!can_mmap(substream, orig))
		return -ENXIO;
	snd_pcm_stream_lock_irqsave(substream, flags);
	err = may_map(capture);
	snd_pcm_stream_unlock_irqrestore(substream, flags);
	/* Where the driver refuses now, the mapper stays noted: another of its threads may have succeeded. */
	if (err)
		return err;
	if (orig->mmap)
		return orig->mmap(substream, area);
	return snd_pcm_lib_default_mmap(substream, area);
}

static int hook_mmap(struct snd_pcm_substream *substream, struct vm_area_struct *area)
{
	struct alsa_capture *capture;
	int err = -ENODEV;

	callgate_enter();
	capture = alsa_capture(callgate_alsa_gate(substream));
	if (!WARN_ON_ONCE(!capture))
		err = mmap_gated(capture, area);
	callgate_leave();
	return err;
}

/* ---- copy, under no lock ----------------------------------------------------------------------- */

/* Where the PCM core's own copying reads, for drivers without a copy op. NULL: there is no such buffer. */
static void *copy_source(struct snd_pcm_substream *substream, int channel, unsigned long pos)
{
	struct snd_pcm_runtime *runtime = substream->runtime;

	if (!runtime->dma_area)
		return NULL;
	return runtime->dma_area + pos + channel * (runtime->dma_bytes / runtime->channels);
}

static noinline struct alsa_capture *copy_ask(struct alsa_capture *capture, int *ret_err)
{
	if (WARN_ON_ONCE(!capture))
		return NULL;
	*ret_err = 0;
	if (!callgate_check_traced() && callgate_check_cgroup(&capture->dev)) {
		callgate_check_count();
		return capture;
	}
	*ret_err = callgate_check(&capture->dev, CALLGATE_OP_READ);
	return *ret_err ? NULL : capture;
}

/* Asks once for each period. NULL: the copy ends with @ret_err, which is an error before. */
static __always_inline struct alsa_capture *may_copy(const struct snd_pcm_substream *substream,
						     int *ret_err)
{
	struct alsa_capture *capture;
	bool sure;

	capture = alsa_capture(callgate_alsa_gate(substream));
	rcu_read_lock_sched();
	sure = likely(capture) && !callgate_check_traced() && callgate_check_quick(&capture->dev);
	rcu_read_unlock_sched();
	if (unlikely(!sure))
		return copy_ask(capture, ret_err);
	callgate_check_count();
	*ret_err = 0;
	return capture;
}

#ifdef CALLGATE_HAVE_PCM_COPY_USER

static int hook_copy_user(struct snd_pcm_substream *substream, int channel, unsigned long pos,
			  void __user *buf, unsigned long bytes)
{
	struct alsa_capture *capture;
	int err = -ENODEV;
	void *source;

	callgate_enter();
	capture = may_copy(substream, &err);
	if (unlikely(!capture))
		goto out;
	if (capture->gate.orig->copy_user) {
		err = capture->gate.orig->copy_user(substream, channel, pos, buf, bytes);
		goto out;
	}
	source = copy_source(substream, channel, pos);
	if (!source)
		err = -EINVAL;
	else if (copy_to_user(buf, source, bytes))
		err = -EFAULT;
out:
	callgate_leave();
	return err;
}

static int hook_copy_kernel(struct snd_pcm_substream *substream, int channel, unsigned long pos,
			    void *buf, unsigned long bytes)
{
	struct alsa_capture *capture;
	int err = -ENODEV;
	void *source;

	callgate_enter();
	capture = may_copy(substream, &err);
	if (unlikely(!capture))
		goto out;
	if (capture->gate.orig->copy_kernel) {
		err = capture->gate.orig->copy_kernel(substream, channel, pos, buf, bytes);
		goto out;
	}
	source = copy_source(substream, channel, pos);
	if (source)
		memcpy(buf, source, bytes);
	else
		err = -EINVAL;
out:
	callgate_leave();
	return err;
}

#else

static int hook_copy(struct snd_pcm_substream *substream, int channel, unsigned long pos,
		     struct iov_iter *iter, unsigned long bytes)
{
	struct alsa_capture *capture;
	int err = -ENODEV;
	void *source;

	callgate_enter();
	capture = may_copy(substream, &err);
	if (unlikely(!capture))
		goto out;
	if (capture->gate.orig->copy) {
		err = capture->gate.orig->copy(substream, channel, pos, iter, bytes);
		goto out;
	}
	source = copy_source(substream, channel, pos);
	if (!source)
		err = -EINVAL;
	else if (copy_to_iter(source, bytes, iter) != bytes)
		err = -EFAULT;
out:
	callgate_leave();
	return err;
}

#endif

/* ---- the table --------------------------------------------------------------------------------- */

void callgate_alsa_fill_ops(struct alsa_gate *gate)
{
	struct snd_pcm_ops ops = *gate->orig;

	ops.open = hook_open;
	ops.close = hook_close;
	ops.trigger = callgate_alsa_hook_trigger;
	if (ops.hw_params || gate->capture)
		ops.hw_params = hook_hw_params;
	if (gate->capture) {
		/* The PCM core looks at it once in open, and then asks for a buffer mapping's access mode. */
		ops.mmap = hook_mmap;
#ifdef CALLGATE_HAVE_PCM_COPY_USER
		ops.copy_user = hook_copy_user;
		ops.copy_kernel = hook_copy_kernel;
#else
		ops.copy = hook_copy;
#endif
	}
	/* Filled on the stack: a table in use never shows the driver's own operation in between. */
	gate->ops = ops;
}
