/* SPDX-License-Identifier: GPL-2.0-only */
/* The record of one interposed PCM substream: what alsa.c, alsa-hook.c and alsa-trigger.c share. */
#ifndef CALLGATE_ALSA_GATE_H
#define CALLGATE_ALSA_GATE_H

#include <linux/lockdep.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <sound/core.h>
#include <sound/pcm.h>

#include "device.h"
#include "stream.h"

/**
 * struct alsa_gate - one substream of either direction
 * @node: in the table of records, by @substream; writes guarded by alsa.c's gates_lock
 * @dead: in the list of what callgate_alsa_free() frees; guarded by gates_lock
 * @substream: alive for as long as the record is in the table
 * @orig: the driver's operations
 * @ops: @orig with the hooks in it; substream->ops points here
 * @capture: embedded in a struct alsa_capture
 * @open: from before the driver's open to before its close; written under the stream lock
 * @removed: its device is gone; written under the stream lock. An open substream
 *	keeps its record, and its hooks, until it is closed.
 * @rcu: frees the record
 */
struct alsa_gate {
	struct hlist_node node;
	struct list_head dead;
	struct snd_pcm_substream *substream;
	const struct snd_pcm_ops *orig;
	struct snd_pcm_ops ops;
	struct rcu_head rcu;
	bool capture;
	bool open;
	bool removed;
};

/**
 * struct alsa_capture - a capture substream
 * @gate: what it has in common with playback
 * @dev: as the gate knows it
 * @stream: running from a trigger that starts to one that stops; changed under the stream lock
 * @stopping: keeps a substream from being closed while it is revoked; outside the stream lock
 * @held: a module reference belongs to the open substream; guarded by pcm->open_mutex
 * @dirty: a start reached the driver since the buffer was last cleared; guarded by the stream lock
 * @mapped: the buffer may be mapped by @mapper; guarded by the stream lock, as the two below
 * @mapper: the process, referenced; NULL with @mapped: unknown, equal to nobody
 * @mapper_exec_id: its image
 */
struct alsa_capture {
	struct alsa_gate gate;
	struct callgate_device dev;
	struct callgate_stream stream;
	struct mutex stopping;
	bool held;
	bool dirty;
	bool mapped;
	struct pid *mapper;
	u64 mapper_exec_id;
};

static inline struct alsa_capture *alsa_capture(struct alsa_gate *gate)
{
	return gate && gate->capture ? container_of(gate, struct alsa_capture, gate) : NULL;
}

static inline void alsa_assert_locked(const struct snd_pcm_substream *substream)
{
	if (substream->pcm->nonatomic)
		lockdep_assert_held(&substream->self_group.mutex);
	else
		lockdep_assert_held(&substream->self_group.lock);
}

/* Would somebody else see what is captured? With the stream lock. */
static inline bool alsa_mapped_by_other(const struct alsa_capture *capture, const void *pid,
					u64 exec_id)
{
	alsa_assert_locked(capture->gate.substream);
	return capture->mapped && (capture->mapper != pid || capture->mapper_exec_id != exec_id);
}

static inline bool alsa_mapped_by_not_current(const struct alsa_capture *capture)
{
	return alsa_mapped_by_other(capture, task_tgid(current), READ_ONCE(current->self_exec_id));
}

/* Of a capture that stops and was not revoked. */
static inline u8 alsa_end_reason(const struct snd_pcm_substream *substream)
{
	return substream->pcm->card->shutdown ? CALLGATE_REASON_REMOVED : CALLGATE_REASON_STOPPED;
}

/* alsa.c */

/* The record of a substream, or NULL. The caller is inside one of its operations or holds its stream lock. */
struct alsa_gate *callgate_alsa_gate(const struct snd_pcm_substream *substream);
/* A driver may have replaced the table while it ran: @before is what substream->ops was. Puts the hooks back. */
void callgate_alsa_reswap(struct alsa_gate *gate, const struct snd_pcm_ops *before);
/* Last close of a substream whose device is gone: frees the record. Process context, no stream lock. */
void callgate_alsa_retire(struct alsa_gate *gate);

/* alsa-hook.c */

/* Fills gate->ops: the hooks over gate->orig. With the stream lock, or before the table is used. */
void callgate_alsa_fill_ops(struct alsa_gate *gate);
/* Forgets who mapped the buffer. Returns a pid for the caller to put when the lock is released. With the stream lock. */
struct pid *callgate_alsa_forget_mapper(struct alsa_capture *capture);
/* What a substream without record gets: it cannot be opened. */
extern const struct snd_pcm_ops callgate_alsa_closed_ops;

/* alsa-trigger.c */

int callgate_alsa_hook_trigger(struct snd_pcm_substream *substream, int cmd);
/* callgate_device_ops.revoke */
void callgate_alsa_revoke(struct callgate_device *dev);

#endif
