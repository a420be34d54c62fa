// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which PCM substreams are gated, from their appearance to their end.
 *
 * Owns the table of records and the swapped substream->ops. Decides nothing
 * about a caller and keeps no fact of a capture: alsa-hook.c does. Called by
 * main.c, and by the driver core for each sound device that comes or goes.
 *
 * Security: the class interface sees a PCM before the sound core lets anyone
 * open it, so there is no first operation that escapes. Playback substreams
 * are interposed too, for their triggers, which may start a linked capture. A
 * substream whose record cannot be allocated cannot be opened. A substream
 * that is open when the module is loaded is taken to be mapped by a stranger
 * and full of sound, and is stopped if it runs.
 *
 * The record is found by the substream's address, not by the address of the
 * table, so that it is also found when another module has put a table on top.
 *
 * Removal. A sound card is disconnected under pcm->open_mutex, and its files
 * may be closed much later. A record whose substream is closed is freed at
 * once: the mutex keeps it closed, so that no hook runs. One whose substream is
 * open keeps its hooks until the last close, which frees it. Unloading gives
 * everything back whatever its state, waits until no hook runs, and frees then.
 *
 * Locks: register_mutex, pcm->open_mutex, sound_mutex and the class's own are
 * held around add_dev and remove_dev in one order or the other, so none of them
 * is taken there. gates_lock is inside them and outside the stream lock.
 */
#include "alsa.h"

#include <linux/hashtable.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "alsa-compat.h"
#include "alsa-gate.h"
#include "check.h"
#include "compat.h"

/* A sound card with a substream that was open when the module was loaded. */
struct opened {
	struct list_head node;
	struct snd_pcm *pcm;
};

/* Guards what follows, and each record's membership. */
static DEFINE_MUTEX(gates_lock);
static DEFINE_HASHTABLE(gates, 8);
static LIST_HEAD(dead);
static LIST_HEAD(opened);
/* While loading: what add_dev met, because its return value is ignored. */
static bool loading;
static int failed;
/* Substreams that got callgate_alsa_closed_ops: they keep the module. */
static unsigned int closed;
static bool detaching;
static bool registered;

struct alsa_gate *callgate_alsa_gate(const struct snd_pcm_substream *substream)
{
	struct alsa_gate *gate;

	rcu_read_lock_sched();
	hash_for_each_possible_rcu(gates, gate, node, (unsigned long)substream,
				   rcu_read_lock_sched_held()) {
		if (gate->substream == substream)
			break;
	}
	rcu_read_unlock_sched();
	return gate;
}

/* ---- tables ------------------------------------------------------------------------------------ */

static void swap_ops(struct alsa_gate *gate, const struct snd_pcm_ops *orig)
{
	gate->orig = orig;
	callgate_alsa_fill_ops(gate);
	/* Whoever finds the table finds it filled. */
	smp_store_release(&gate->substream->ops, (const struct snd_pcm_ops *)&gate->ops);
}

static void restore_ops(struct alsa_gate *gate)
{
	if (READ_ONCE(gate->substream->ops) == &gate->ops)
		WRITE_ONCE(gate->substream->ops, gate->orig);
}

void callgate_alsa_reswap(struct alsa_gate *gate, const struct snd_pcm_ops *before)
{
	struct snd_pcm_substream *substream = gate->substream;
	const struct snd_pcm_ops *now;
	unsigned long flags;

	if (READ_ONCE(substream->ops) == before)
		return;
	snd_pcm_stream_lock_irqsave(substream, flags);
	now = substream->ops;
	/* Unloading gives the table back, for good. */
	if (now != before && now != &gate->ops && !READ_ONCE(detaching))
		swap_ops(gate, now);
	snd_pcm_stream_unlock_irqrestore(substream, flags);
}

/* ---- records ----------------------------------------------------------------------------------- */

static void capture_release(struct callgate_device *dev)
{
	struct alsa_capture *capture = container_of(dev, struct alsa_capture, dev);

	put_pid(capture->mapper);
	kfree_rcu(capture, gate.rcu);
}

static const struct callgate_device_ops capture_ops = {
	.revoke = callgate_alsa_revoke,
	.release = capture_release,
};

static struct alsa_gate *gate_new(struct snd_pcm_substream *substream, struct device *dev)
{
	struct snd_pcm *pcm = substream->pcm;
	struct alsa_capture *capture;
	struct alsa_gate *gate;
	char name[CALLGATE_NAME_MAX + 1], node[CALLGATE_NODE_MAX + 1];

	if (callgate_device_test_no_memory())
		return NULL;
	if (substream->stream == SNDRV_PCM_STREAM_PLAYBACK) {
		gate = kzalloc(sizeof(*gate), GFP_KERNEL);
		if (!gate)
			return NULL;
	} else {
		capture = kzalloc(sizeof(*capture), GFP_KERNEL);
		if (!capture)
			return NULL;
		gate = &capture->gate;
		gate->capture = true;
		mutex_init(&capture->stopping);
		callgate_stream_init(&capture->stream);
		capture->dirty = true;
		capture->mapped = true;
		scnprintf(name, sizeof(name), "%s: %s", pcm->card->shortname,
			  pcm->name[0] ? pcm->name : pcm->id);
		scnprintf(node, sizeof(node), "%s/%d", dev_name(dev), substream->number);
		callgate_device_add(&capture->dev, &capture_ops, CALLGATE_KIND_MICROPHONE, name,
				    node);
	}
	gate->substream = substream;
	INIT_LIST_HEAD(&gate->dead);
	return gate;
}

static void gate_free(struct alsa_gate *gate)
{
	struct alsa_capture *capture = alsa_capture(gate);

	lockdep_assert_held(&gates_lock);
	hash_del_rcu(&gate->node);
	if (capture)
		callgate_device_put(&capture->dev);
	else
		kfree_rcu(gate, rcu);
}

/* Nothing remembers the driver's table, so the module stays for ever. */
static void close_for_good(struct snd_pcm_substream *substream, struct device *dev)
{
	lockdep_assert_held(&gates_lock);
	if (loading) {
		failed = -ENOMEM;
		return;
	}
	pr_err("callgate: out of memory: %s/%d cannot be opened until the machine is restarted\n",
	       dev_name(dev), substream->number);
	__module_get(THIS_MODULE);
	closed++;
	WRITE_ONCE(substream->ops, &callgate_alsa_closed_ops);
}

static void gate_add(struct snd_pcm_substream *substream, struct device *dev)
{
	struct alsa_gate *gate = gate_new(substream, dev);
	unsigned long flags;

	lockdep_assert_held(&gates_lock);
	if (!gate) {
		close_for_good(substream, dev);
		return;
	}
	hash_add_rcu(gates, &gate->node, (unsigned long)substream);
	snd_pcm_stream_lock_irqsave(substream, flags);
	swap_ops(gate, substream->ops);
	/* Pairs with whoever opens: sees the hooks, or is seen here. take_opened() asks for certain. */
	smp_mb();
	gate->open = READ_ONCE(substream->ref_count) > 0;
	snd_pcm_stream_unlock_irqrestore(substream, flags);
}

/* Gives the driver's table back, but leaves the record where a running hook finds it. */
static void gate_kill(struct alsa_gate *gate)
{
	struct alsa_capture *capture = alsa_capture(gate);
	unsigned long flags;

	lockdep_assert_held(&gates_lock);
	snd_pcm_stream_lock_irqsave(gate->substream, flags);
	gate->removed = true;
	restore_ops(gate);
	if (capture)
		callgate_stream_stop(&capture->dev, &capture->stream, CALLGATE_REASON_REMOVED);
	snd_pcm_stream_unlock_irqrestore(gate->substream, flags);
	if (list_empty(&gate->dead))
		list_add(&gate->dead, &dead);
}

static void gate_remove(struct alsa_gate *gate)
{
	struct alsa_capture *capture = alsa_capture(gate);
	unsigned long flags;
	bool open;

	/* A revocation takes the stream lock, and @stopping, but nothing that is held here. */
	if (capture)
		callgate_device_remove(&capture->dev);
	mutex_lock(&gates_lock);
	if (detaching) {
		gate_kill(gate);
	} else {
		snd_pcm_stream_lock_irqsave(gate->substream, flags);
		gate->removed = true;
		open = gate->open;
		if (!open)
			restore_ops(gate);
		snd_pcm_stream_unlock_irqrestore(gate->substream, flags);
		if (!open)
			gate_free(gate);
	}
	mutex_unlock(&gates_lock);
}

void callgate_alsa_retire(struct alsa_gate *gate)
{
	unsigned long flags;

	mutex_lock(&gates_lock);
	if (list_empty(&gate->dead)) {
		snd_pcm_stream_lock_irqsave(gate->substream, flags);
		restore_ops(gate);
		snd_pcm_stream_unlock_irqrestore(gate->substream, flags);
		gate_free(gate);
	}
	mutex_unlock(&gates_lock);
}

/* ---- sound devices ----------------------------------------------------------------------------- */

/* The PCM stream behind a device of the sound class, which also holds cards, controls, timers and more. */
static struct snd_pcm_str *pcm_str_of(struct device *dev)
{
	unsigned int card, device;
	struct snd_pcm_str *pstr;
	char direction;
	int end = 0;

	if (sscanf(dev_name(dev), "pcmC%uD%u%c%n", &card, &device, &direction, &end) < 3 ||
	    dev_name(dev)[end])
		return NULL;
	pstr = callgate_pcm_str(dev);
	if (!pstr || !callgate_pcm_str_is(pstr, dev) || !pstr->pcm)
		return NULL;
	if (pstr != &pstr->pcm->streams[direction == 'c' ? SNDRV_PCM_STREAM_CAPTURE
							 : SNDRV_PCM_STREAM_PLAYBACK])
		return NULL;
	if (pstr->pcm->card->number != card || pstr->pcm->device != device)
		return NULL;
	return pstr;
}

/* Remembers a PCM that is in use, and keeps its card. */
static void note_opened(struct snd_pcm *pcm)
{
	struct opened *entry = kmalloc(sizeof(*entry), GFP_KERNEL);

	lockdep_assert_held(&gates_lock);
	if (!entry) {
		failed = -ENOMEM;
		return;
	}
	get_device(&pcm->card->card_dev);
	entry->pcm = pcm;
	list_add_tail(&entry->node, &opened);
}

static int add_device(struct device *dev)
{
	struct snd_pcm_str *pstr = pcm_str_of(dev);
	struct snd_pcm_substream *substream;
	bool in_use = false;

	if (!pstr)
		return 0;
	mutex_lock(&gates_lock);
	for (substream = pstr->substream; substream; substream = substream->next) {
		gate_add(substream, dev);
		in_use |= READ_ONCE(substream->ref_count) > 0;
	}
	if (in_use)
		note_opened(pstr->pcm);
	mutex_unlock(&gates_lock);
	return 0;
}

static void remove_device(struct device *dev)
{
	struct snd_pcm_str *pstr = pcm_str_of(dev);
	struct snd_pcm_substream *substream;
	struct alsa_gate *gate;

	if (!pstr)
		return;
	for (substream = pstr->substream; substream; substream = substream->next) {
		gate = callgate_alsa_gate(substream);
		if (gate)
			gate_remove(gate);
	}
}

CALLGATE_CLASS_INTERFACE(interface, add_device, remove_device);

/* ---- what was open before ---------------------------------------------------------------------- */

static void take_opened_substream(struct snd_pcm_substream *substream)
{
	struct alsa_gate *gate = callgate_alsa_gate(substream);
	struct alsa_capture *capture = alsa_capture(gate);
	unsigned long flags;

	lockdep_assert_held(&substream->pcm->open_mutex);
	if (!gate || gate->removed)
		return;
	if (capture && substream->ref_count > 0 && !capture->held)
		capture->held = try_module_get(THIS_MODULE);
	snd_pcm_stream_lock_irqsave(substream, flags);
	gate->open = substream->ref_count > 0;
	if (capture && gate->open && substream->runtime && snd_pcm_running(substream) &&
	    callgate_check_quiet(&capture->dev))
		snd_pcm_stop(substream, SNDRV_PCM_STATE_SETUP);
	snd_pcm_stream_unlock_irqrestore(substream, flags);
}

static void take_opened(void)
{
	struct snd_pcm_substream *substream;
	struct opened *entry, *next;
	int stream;

	/* Nothing is added once loading is over. */
	list_for_each_entry_safe(entry, next, &opened, node) {
		mutex_lock(&entry->pcm->open_mutex);
		for_each_pcm_streams(stream) {
			substream = entry->pcm->streams[stream].substream;
			for (; substream; substream = substream->next)
				take_opened_substream(substream);
		}
		mutex_unlock(&entry->pcm->open_mutex);
		put_device(&entry->pcm->card->card_dev);
		list_del(&entry->node);
		kfree(entry);
	}
}

/* ---- for main.c -------------------------------------------------------------------------------- */

int callgate_alsa_init(void)
{
	int err;

	loading = true;
	interface.class = CALLGATE_SOUND_CLASS;
	err = class_interface_register(&interface);
	if (err)
		return err;
	registered = true;
	mutex_lock(&gates_lock);
	loading = false;
	err = failed;
	mutex_unlock(&gates_lock);
	take_opened();
	if (err) {
		callgate_alsa_detach();
		callgate_device_drain();
		callgate_alsa_free();
	}
	return err;
}

int callgate_alsa_detachable(void)
{
	struct alsa_gate *gate;
	bool detachable;
	int bucket;

	mutex_lock(&gates_lock);
	detachable = !closed;
	hash_for_each(gates, bucket, gate, node) {
		if (READ_ONCE(gate->substream->ops) != &gate->ops || (gate->capture && gate->open))
			detachable = false;
	}
	mutex_unlock(&gates_lock);
	return detachable;
}

int callgate_alsa_covered(void)
{
	struct alsa_gate *gate;
	int covered = false;
	int bucket;

	mutex_lock(&gates_lock);
	hash_for_each(gates, bucket, gate, node)
		covered |= !gate->removed && READ_ONCE(gate->substream->ops) != &gate->ops;
	mutex_unlock(&gates_lock);
	return covered;
}

static void put_held(struct alsa_gate *gate)
{
	struct alsa_capture *capture = alsa_capture(gate);

	if (capture && capture->held) {
		capture->held = false;
		module_put(THIS_MODULE);
	}
}

void callgate_alsa_detach(void)
{
	struct alsa_gate *gate;
	int bucket;

	if (!registered)
		return;
	registered = false;
	mutex_lock(&gates_lock);
	WRITE_ONCE(detaching, true);
	mutex_unlock(&gates_lock);
	class_interface_unregister(&interface);
	mutex_lock(&gates_lock);
	/* Those whose device is gone, but which are still open. */
	hash_for_each(gates, bucket, gate, node)
		gate_kill(gate);
	mutex_unlock(&gates_lock);
}

void callgate_alsa_free(void)
{
	struct alsa_gate *gate, *next;

	mutex_lock(&gates_lock);
	list_for_each_entry_safe(gate, next, &dead, dead) {
		list_del(&gate->dead);
		put_held(gate);
		gate_free(gate);
	}
	detaching = false;
	mutex_unlock(&gates_lock);
}
