// SPDX-License-Identifier: GPL-2.0-only
/*
 * The trigger that stands in front of the driver's: what starts a capture, what
 * stops it, and what a revocation does about one that runs.
 *
 * Owns no state: it changes a capture's facts under the stream lock of every
 * member of the group, which the PCM core holds around a trigger. Decides
 * nothing about a caller. Called by the PCM core, and by the gate's worker.
 * alsa-hook.c says at its top why this is enough.
 */
#include "alsa-gate.h"

#include <linux/preempt.h>

#include "check.h"

static int may_start(struct snd_pcm_substream *substream)
{
	struct alsa_capture *capture;
	struct snd_pcm_substream *s;
	int err;

	alsa_assert_locked(substream);
	snd_pcm_group_for_each_entry(s, substream) {
		if (s->stream != SNDRV_PCM_STREAM_CAPTURE)
			continue;
		capture = alsa_capture(callgate_alsa_gate(s));
		/* In an interrupt, current is whoever was interrupted. */
		if (!capture || !in_task())
			return -EACCES;
		/* Being closed, and still linked. */
		if (!capture->gate.open)
			return -EBADFD;
		err = callgate_check(&capture->dev, CALLGATE_OP_START);
		if (!err && alsa_mapped_by_not_current(capture))
			err = callgate_deny(&capture->dev, CALLGATE_OP_START);
		if (err)
			return err;
	}
	snd_pcm_group_for_each_entry(s, substream) {
		capture = alsa_capture(callgate_alsa_gate(s));
		if (capture)
			capture->dirty = true;
	}
	return 0;
}

/*
 * A driver that handles the group at once names the member that it was called
 * for as the others' trigger_master; the PCM core then leaves them out.
 */
static bool handled_by(const struct snd_pcm_substream *s, const struct snd_pcm_substream *master)
{
	return s == master || s->runtime->trigger_master == master;
}

static void note_started(struct snd_pcm_substream *substream)
{
	struct alsa_capture *capture;
	struct snd_pcm_substream *s;

	snd_pcm_group_for_each_entry(s, substream) {
		capture = alsa_capture(callgate_alsa_gate(s));
		if (capture && capture->gate.open && handled_by(s, substream))
			callgate_stream_start(&capture->dev, &capture->stream);
	}
}

static void note_stopped_one(struct snd_pcm_substream *s)
{
	struct alsa_capture *capture = alsa_capture(callgate_alsa_gate(s));

	if (capture)
		callgate_stream_stop(&capture->dev, &capture->stream, alsa_end_reason(s));
}

static void note_stopped(struct snd_pcm_substream *substream)
{
	struct snd_pcm_substream *s;

	/*
	 * The end of a drain stops one playback substream alone, without the
	 * group's lock: its list must not be walked then. Draining has ended
	 * the captures of the group before.
	 */
	if (substream->stream == SNDRV_PCM_STREAM_PLAYBACK &&
	    substream->runtime->state == SNDRV_PCM_STATE_DRAINING)
		return;
	snd_pcm_group_for_each_entry(s, substream) {
		if (s == substream || (s->runtime && handled_by(s, substream)))
			note_stopped_one(s);
	}
}

static int trigger_gated(struct alsa_gate *gate, int cmd)
{
	struct snd_pcm_substream *substream = gate->substream;
	int err;

	switch (cmd) {
	case SNDRV_PCM_TRIGGER_START:
	case SNDRV_PCM_TRIGGER_RESUME:
	case SNDRV_PCM_TRIGGER_PAUSE_RELEASE:
		err = may_start(substream);
		if (err)
			return err;
		err = gate->orig->trigger(substream, cmd);
		if (err >= 0)
			note_started(substream);
		return err;
	case SNDRV_PCM_TRIGGER_STOP:
	case SNDRV_PCM_TRIGGER_SUSPEND:
	case SNDRV_PCM_TRIGGER_PAUSE_PUSH:
		err = gate->orig->trigger(substream, cmd);
		/* The PCM core believes a failed stop, but leaves running what cannot be paused. */
		if (err >= 0 || cmd != SNDRV_PCM_TRIGGER_PAUSE_PUSH)
			note_stopped(substream);
		return err;
	default:
		return gate->orig->trigger(substream, cmd);
	}
}

int callgate_alsa_hook_trigger(struct snd_pcm_substream *substream, int cmd)
{
	struct alsa_gate *gate;
	int err = -ENODEV;

	callgate_enter();
	gate = callgate_alsa_gate(substream);
	if (!WARN_ON_ONCE(!gate))
		err = trigger_gated(gate, cmd);
	callgate_leave();
	return err;
}

static bool runs(const struct alsa_capture *capture)
{
	struct snd_pcm_substream *substream = capture->gate.substream;

	alsa_assert_locked(substream);
	return callgate_stream_running(&capture->stream) ||
	       (substream->runtime && snd_pcm_running(substream));
}

/*
 * A stranger's mapping is left from a permissive mode that has ended. So is a
 * capture that ran before the gate came: nobody knows who started it.
 */
static bool may_run(struct alsa_capture *capture)
{
	const struct callgate_stream *stream = &capture->stream;

	if (callgate_check_permissive())
		return true;
	return callgate_stream_running(stream) && callgate_stream_allowed(&capture->dev, stream) &&
	       !alsa_mapped_by_other(capture, stream->image.pid, stream->image.exec_id);
}

void callgate_alsa_revoke(struct callgate_device *dev)
{
	struct alsa_capture *capture = container_of(dev, struct alsa_capture, dev);
	struct snd_pcm_substream *substream = capture->gate.substream;
	struct callgate_stream *stream = &capture->stream;
	unsigned long flags;

	mutex_lock(&capture->stopping);
	snd_pcm_stream_lock_irqsave(substream, flags);
	if (capture->gate.open && runs(capture) && !may_run(capture)) {
		callgate_stream_stop(dev, stream, CALLGATE_REASON_REVOKED);
		snd_pcm_stop(substream, SNDRV_PCM_STATE_SETUP);
	}
	snd_pcm_stream_unlock_irqrestore(substream, flags);
	mutex_unlock(&capture->stopping);
}
