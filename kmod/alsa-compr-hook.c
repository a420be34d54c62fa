// SPDX-License-Identifier: GPL-2.0-only
/*
 * The operations of compressed capture that stand in front of the driver's.
 *
 * Owns a record of each open file. Decides nothing about a caller (check.c does) and knows no
 * device's coming or going (alsa-compr.c does, and says why the hooks are where they are). Called by the
 * compress core, and by the gate's worker for a revocation. Never waits for a verdict: the device's lock is held.
 *
 * Security: nothing is ever mapped here, and each file has a stream of its own.
 * So a sample reaches a program by read() alone, which asks at each call, whoever
 * holds the file; and a start, or the end of a pause, asks too. The end of the grant
 * of whoever started stops the stream.
 *
 * Locks: compr->lock, then gate->lock, then callgate_compr_books. compr->lock is not held when a file
 * is closed: gate->lock keeps its stream from being stopped twice at once.
 *
 * Open: what a read() was copying when the grant ended is in its buffer.
 */
#include "alsa-compr-gate.h"

#include <linux/module.h>
#include <linux/slab.h>
#include <sound/core.h>

#include "check.h"
#include "stream.h"

/* An open file. Freed when it is closed, when nothing else happens to it any more. */
struct compr_file {
	struct list_head node;
	struct snd_compr_stream *stream;
	struct callgate_stream capture;
};

/**
 * struct call - one operation of the compress core
 * @gate: referenced; NULL: a playback stream, or one of a device without record
 * @orig: the driver's operations
 * @unknown: a capture that is to be gated and has no record yet
 */
struct call {
	struct compr_gate *gate;
	struct snd_compr_ops orig;
	bool unknown;
};

static void begin(struct call *call, const struct snd_compr_stream *stream)
{
	bool capture = stream->direction == SND_COMPRESS_CAPTURE;
	struct compr_table *table;

	callgate_enter();
	spin_lock(&callgate_compr_books);
	call->gate = capture ? callgate_compr_gate(stream->device) : NULL;
	table = call->gate ? call->gate->table : callgate_compr_table(stream->ops);
	call->orig = table ? table->orig : *stream->ops;
	call->unknown = capture && table && !call->gate;
	if (call->gate)
		callgate_device_get(&call->gate->dev);
	spin_unlock(&callgate_compr_books);
}

static void end(struct call *call)
{
	if (call->gate)
		callgate_device_put(&call->gate->dev);
	callgate_leave();
}

/* ---- files ------------------------------------------------------------------------------------- */

static struct compr_file *find_file(struct compr_gate *gate, const struct snd_compr_stream *stream)
{
	struct compr_file *file;

	lockdep_assert_held(&gate->lock);
	list_for_each_entry(file, &gate->files, node) {
		if (file->stream == stream)
			return file;
	}
	return NULL;
}

static struct compr_file *new_file(struct snd_compr_stream *stream)
{
	struct compr_file *file;

	if (!try_module_get(THIS_MODULE))
		return NULL;
	file = kzalloc(sizeof(*file), GFP_KERNEL_ACCOUNT);
	if (!file) {
		module_put(THIS_MODULE);
		return NULL;
	}
	callgate_stream_init(&file->capture);
	file->stream = stream;
	return file;
}

static void link_file(struct compr_gate *gate, struct compr_file *file)
{
	lockdep_assert_held(&gate->lock);
	spin_lock(&callgate_compr_books);
	list_add_tail(&file->node, &gate->files);
	spin_unlock(&callgate_compr_books);
}

static void free_file(struct compr_file *file)
{
	kfree(file);
	module_put(THIS_MODULE);
}

/* The file's record; one that was open before the gate came gets it now. NULL: no memory. */
static struct compr_file *adopt_file(struct compr_gate *gate, struct snd_compr_stream *stream)
{
	struct compr_file *file = find_file(gate, stream);

	if (file)
		return file;
	file = new_file(stream);
	if (file)
		link_file(gate, file);
	return file;
}

/* As the compress core stops a stream. */
static void stop(const struct compr_gate *gate, struct snd_compr_stream *stream)
{
	struct snd_compr_runtime *runtime = stream->runtime;

	lockdep_assert_held(&gate->lock);
	gate->table->orig.trigger(stream, SNDRV_PCM_TRIGGER_STOP);
	runtime->total_bytes_available = 0;
	runtime->total_bytes_transferred = 0;
	runtime->state = SNDRV_PCM_STATE_SETUP;
	wake_up(&runtime->sleep);
}

static bool runs(const struct snd_compr_stream *stream)
{
	switch ((__force int)stream->runtime->state) {
	case (__force int)SNDRV_PCM_STATE_RUNNING:
	case (__force int)SNDRV_PCM_STATE_DRAINING:
	case (__force int)SNDRV_PCM_STATE_PAUSED:
		return true;
	}
	return false;
}

/* Under compr->lock and gate->lock. A file that nobody has judged yet is stopped; of a known one, others are denied only. */
static void stop_unjudged(struct compr_gate *gate, struct snd_compr_stream *stream)
{
	if (callgate_check_permissive() || find_file(gate, stream) || !runs(stream))
		return;
	stop(gate, stream);
}

void callgate_compr_revoke(struct callgate_device *dev)
{
	struct compr_gate *gate = container_of(dev, struct compr_gate, dev);
	struct compr_file *file;

	/* Whoever removes the device waits for us first. */
	mutex_lock(&gate->compr->lock);
	mutex_lock(&gate->lock);
	list_for_each_entry(file, &gate->files, node) {
		if (!callgate_stream_running(&file->capture) ||
		    callgate_stream_allowed(dev, &file->capture))
			continue;
		callgate_stream_stop(dev, &file->capture, CALLGATE_REASON_REVOKED);
		if (runs(file->stream))
			stop(gate, file->stream);
	}
	mutex_unlock(&gate->lock);
	mutex_unlock(&gate->compr->lock);
}

/* ---- the operations: with compr->lock, but for a close ----------------------------------------- */

static int open_gated(struct call *call, struct snd_compr_stream *stream)
{
	struct compr_file *file = new_file(stream);
	int err;

	if (!file)
		return -ENOMEM;
	err = call->orig.open(stream);
	if (err) {
		free_file(file);
		return err;
	}
	mutex_lock(&call->gate->lock);
	link_file(call->gate, file);
	mutex_unlock(&call->gate->lock);
	return 0;
}

static int hook_open(struct snd_compr_stream *stream)
{
	struct call call;
	int err;

	begin(&call, stream);
	if (call.unknown)
		err = -EACCES;
	else if (call.gate)
		err = open_gated(&call, stream);
	else
		err = call.orig.open(stream);
	end(&call);
	return err;
}

static void close_gated(struct compr_gate *gate, struct snd_compr_stream *stream)
{
	struct compr_file *file;

	mutex_lock(&gate->lock);
	file = find_file(gate, stream);
	if (file) {
		spin_lock(&callgate_compr_books);
		list_del(&file->node);
		spin_unlock(&callgate_compr_books);
		callgate_stream_stop(&gate->dev, &file->capture, CALLGATE_REASON_STOPPED);
	}
	mutex_unlock(&gate->lock);
	if (file)
		free_file(file);
	callgate_compr_retire(gate);
}

static int hook_free(struct snd_compr_stream *stream)
{
	struct call call;
	int err;

	begin(&call, stream);
	if (call.gate)
		close_gated(call.gate, stream);
	err = call.orig.free(stream);
	end(&call);
	return err;
}

static int start_gated(struct call *call, struct snd_compr_stream *stream, int cmd)
{
	struct compr_gate *gate = call->gate;
	struct compr_file *file;
	int err;

	err = callgate_check(&gate->dev, CALLGATE_OP_START);
	if (err)
		return err;
	mutex_lock(&gate->lock);
	file = adopt_file(gate, stream);
	err = file ? call->orig.trigger(stream, cmd) : -ENOMEM;
	/* Looks for the grant once more. */
	if (!err)
		callgate_stream_start(&gate->dev, &file->capture);
	mutex_unlock(&gate->lock);
	return err;
}

static int stop_gated(struct call *call, struct snd_compr_stream *stream, int cmd)
{
	struct compr_gate *gate = call->gate;
	struct compr_file *file;
	int err = 0;

	mutex_lock(&gate->lock);
	file = find_file(gate, stream);
	/* Closed while it was revoked, or after: it has stopped. */
	if (cmd != SNDRV_PCM_TRIGGER_STOP || !file || callgate_stream_running(&file->capture) ||
	    runs(stream))
		err = call->orig.trigger(stream, cmd);
	if (file && !err)
		callgate_stream_stop(&gate->dev, &file->capture, CALLGATE_REASON_STOPPED);
	mutex_unlock(&gate->lock);
	return err;
}

static int hook_trigger(struct snd_compr_stream *stream, int cmd)
{
	struct call call;
	int err;

	begin(&call, stream);
	switch (cmd) {
	case SNDRV_PCM_TRIGGER_START:
	case SNDRV_PCM_TRIGGER_RESUME:
	case SNDRV_PCM_TRIGGER_PAUSE_RELEASE:
		if (call.unknown)
			err = -EACCES;
		else if (call.gate)
			err = start_gated(&call, stream, cmd);
		else
			err = call.orig.trigger(stream, cmd);
		break;
	case SNDRV_PCM_TRIGGER_STOP:
	case SNDRV_PCM_TRIGGER_SUSPEND:
	case SNDRV_PCM_TRIGGER_PAUSE_PUSH:
		err = call.gate ? stop_gated(&call, stream, cmd) : call.orig.trigger(stream, cmd);
		break;
	default:
		err = call.orig.trigger(stream, cmd);
	}
	end(&call);
	return err;
}

static int copy_gated(struct call *call, struct snd_compr_stream *stream, char __user *buf,
		      size_t count)
{
	int err = callgate_check(&call->gate->dev, CALLGATE_OP_READ);

	if (!err)
		return call->orig.copy(stream, buf, count);
	mutex_lock(&call->gate->lock);
	stop_unjudged(call->gate, stream);
	mutex_unlock(&call->gate->lock);
	return err;
}

static int hook_copy(struct snd_compr_stream *stream, char __user *buf, size_t count)
{
	struct call call;
	int n;

	begin(&call, stream);
	if (call.unknown)
		n = -EACCES;
	else if (call.gate)
		n = copy_gated(&call, stream, buf, count);
	else
		n = call.orig.copy(stream, buf, count);
	end(&call);
	return n;
}

/* ---- the table --------------------------------------------------------------------------------- */

void callgate_compr_hook(struct compr_table *table)
{
	struct snd_compr_ops *ops = table->ops;

	lockdep_assert_held(&callgate_compr_books);
	table->orig = *ops;
	WRITE_ONCE(ops->open, hook_open);
	WRITE_ONCE(ops->free, hook_free);
	WRITE_ONCE(ops->trigger, hook_trigger);
	if (ops->copy)
		WRITE_ONCE(ops->copy, hook_copy);
}

bool callgate_compr_on_top(const struct compr_table *table)
{
	const struct snd_compr_ops *ops = table->ops;

	lockdep_assert_held(&callgate_compr_books);
	return ops->open == hook_open && ops->free == hook_free && ops->trigger == hook_trigger &&
	       (!table->orig.copy || ops->copy == hook_copy);
}

void callgate_compr_unhook(struct compr_table *table)
{
	struct snd_compr_ops *ops = table->ops;

	lockdep_assert_held(&callgate_compr_books);
	if (!callgate_compr_on_top(table))
		return;
	WRITE_ONCE(ops->open, table->orig.open);
	WRITE_ONCE(ops->free, table->orig.free);
	WRITE_ONCE(ops->trigger, table->orig.trigger);
	WRITE_ONCE(ops->copy, table->orig.copy);
}
