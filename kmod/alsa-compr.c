// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which devices of compressed capture are gated (/dev/snd/comprC*, where the sound card's own processor
 * encodes), from their appearance to their end.
 *
 * Owns the records and what stands in the drivers' tables. Decides nothing about a caller
 * and keeps no fact of a capture: alsa-compr-hook.c does. Called by main.c, and by the driver core for each sound
 * device that comes or goes.
 *
 * Security: a file keeps the table that it was opened with, and whoever opens has taken it long
 * before he calls it. So the hooks are put into the driver's table and not
 * another table into their place: what is open before the gate comes is asked as
 * well, and nobody is left with a table that is gone. Drivers may share one; a playback
 * stream is passed on.
 */
#include "alsa-compr.h"

#include <linux/module.h>
#include <linux/slab.h>
#include <sound/core.h>

#include "alsa-compat.h"
#include "alsa-compr-gate.h"
#include "check.h"
#include "compat.h"

DEFINE_SPINLOCK(callgate_compr_books);
static LIST_HEAD(gates);
static LIST_HEAD(tables);
/* While loading: what add_dev met, because its return value is ignored. With callgate_compr_books. */
static bool loading;
static int failed;
/* Devices that got closed_ops: they keep the module. */
static unsigned int closed;
static bool registered;

struct compr_table *callgate_compr_table(const struct snd_compr_ops *ops)
{
	struct compr_table *table;

	lockdep_assert_held(&callgate_compr_books);
	list_for_each_entry(table, &tables, node) {
		if (table->ops == ops)
			return table;
	}
	return NULL;
}

struct compr_gate *callgate_compr_gate(const struct snd_compr *compr)
{
	struct compr_gate *gate;

	lockdep_assert_held(&callgate_compr_books);
	list_for_each_entry(gate, &gates, node) {
		if (gate->compr == compr)
			return gate;
	}
	return NULL;
}

static int closed_open(struct snd_compr_stream *stream)
{
	return -EACCES;
}

/* Whoever cannot open has no use for the others. */
static struct snd_compr_ops closed_ops = {
	.open = closed_open,
};

/* ---- tables ------------------------------------------------------------------------------------ */

static void put_table(struct compr_table *table)
{
	lockdep_assert_held(&callgate_compr_books);
	if (--table->users)
		return;
	callgate_compr_unhook(table);
	list_del_init(&table->node);
}

/* Uses @spare if nobody has @ops yet. */
static struct compr_table *get_table(struct snd_compr_ops *ops, struct compr_table *spare)
{
	struct compr_table *table = callgate_compr_table(ops);

	lockdep_assert_held(&callgate_compr_books);
	if (!table) {
		table = spare;
		table->ops = ops;
		callgate_compr_hook(table);
		list_add_tail(&table->node, &tables);
	}
	table->users++;
	table->refs++;
	return table;
}

void callgate_compr_retire(struct compr_gate *gate)
{
	bool last;

	spin_lock(&callgate_compr_books);
	last = gate->removed && list_empty(&gate->files) && !list_empty(&gate->node);
	if (last) {
		list_del_init(&gate->node);
		put_table(gate->table);
	}
	spin_unlock(&callgate_compr_books);
	if (last)
		callgate_device_put(&gate->dev);
}

/* ---- sound devices ----------------------------------------------------------------------------- */

static void release(struct callgate_device *dev)
{
	struct compr_gate *gate = container_of(dev, struct compr_gate, dev);
	bool last;

	spin_lock(&callgate_compr_books);
	last = --gate->table->refs == 0;
	spin_unlock(&callgate_compr_books);
	if (last)
		kfree(gate->table);
	kfree(gate);
}

static const struct callgate_device_ops device_ops = {
	.revoke = callgate_compr_revoke,
	.release = release,
};

/* snd_compr.dev was the device itself before it became a pointer. */
static bool is_device_of(const struct snd_compr *compr, const struct device *dev)
{
	const void *field = &compr->dev;

	return __builtin_types_compatible_p(typeof_member(struct snd_compr, dev), struct device)
		       ? field == dev
		       : *(const struct device *const *)field == dev;
}

/*
 * No pointer leads from the device to it. A card's list changes only while its driver sets the
 * card up, which is what calls us, or takes it down, which waits for us to have seen the device off.
 */
static struct snd_compr *compr_of(struct device *dev)
{
	struct snd_device *entry;
	unsigned int card, device;
	struct snd_card *owner;
	int length = 0;

	if (sscanf(dev_name(dev), "comprC%uD%u%n", &card, &device, &length) < 2 ||
	    dev_name(dev)[length] || !dev->parent || strncmp(dev_name(dev->parent), "card", 4))
		return NULL;
	owner = container_of(dev->parent, struct snd_card, card_dev);
	list_for_each_entry(entry, &owner->devices, list) {
		if (entry->type == SNDRV_DEV_COMPRESS && is_device_of(entry->device_data, dev))
			return entry->device_data;
	}
	return NULL;
}

static void close_for_good(struct snd_compr *compr, const struct device *dev)
{
	bool fail;

	spin_lock(&callgate_compr_books);
	fail = loading;
	if (fail)
		failed = -ENOMEM;
	spin_unlock(&callgate_compr_books);
	if (fail)
		return;
	pr_err("callgate: out of memory: %s cannot be opened until the machine is restarted\n",
	       dev_name(dev));
	__module_get(THIS_MODULE);
	closed++;
	WRITE_ONCE(compr->ops, &closed_ops);
}

static int add_device(struct device *dev)
{
	struct snd_compr *compr = compr_of(dev);
	struct compr_gate *gate;
	struct compr_table *spare;

	if (!compr || compr->direction != SND_COMPRESS_CAPTURE)
		return 0;
	if (callgate_device_test_no_memory())
		goto no_memory;
	gate = kzalloc(sizeof(*gate), GFP_KERNEL);
	if (!gate)
		goto no_memory;
	spare = kzalloc(sizeof(*spare), GFP_KERNEL);
	if (!spare) {
		kfree(gate);
		goto no_memory;
	}
	gate->compr = compr;
	gate->sound = dev;
	mutex_init(&gate->lock);
	INIT_LIST_HEAD(&gate->files);
	callgate_device_add(&gate->dev, &device_ops, CALLGATE_KIND_MICROPHONE,
			    compr->card->shortname, dev_name(dev));
	spin_lock(&callgate_compr_books);
	gate->table = get_table(compr->ops, spare);
	list_add_tail(&gate->node, &gates);
	spin_unlock(&callgate_compr_books);
	if (gate->table != spare)
		kfree(spare);
	return 0;

no_memory:
	close_for_good(compr, dev);
	return 0;
}

static struct compr_gate *gate_of(const struct device *dev)
{
	struct compr_gate *gate, *found = NULL;

	spin_lock(&callgate_compr_books);
	list_for_each_entry(gate, &gates, node) {
		if (gate->sound == dev && !gate->removed)
			found = gate;
	}
	spin_unlock(&callgate_compr_books);
	return found;
}

static void remove_device(struct device *dev)
{
	struct compr_gate *gate = gate_of(dev);

	if (!gate)
		return;
	callgate_device_remove(&gate->dev);
	spin_lock(&callgate_compr_books);
	gate->removed = true;
	spin_unlock(&callgate_compr_books);
	callgate_compr_retire(gate);
}

CALLGATE_CLASS_INTERFACE(interface, add_device, remove_device);

/* ---- for main.c -------------------------------------------------------------------------------- */

int callgate_compr_init(void)
{
	int err;

	loading = true;
	interface.class = CALLGATE_SOUND_CLASS;
	err = class_interface_register(&interface);
	if (err)
		return err;
	registered = true;
	spin_lock(&callgate_compr_books);
	loading = false;
	err = failed;
	spin_unlock(&callgate_compr_books);
	if (err)
		callgate_compr_detach();
	return err;
}

int callgate_compr_detachable(void)
{
	struct compr_gate *gate;
	bool detachable;

	spin_lock(&callgate_compr_books);
	detachable = !closed;
	list_for_each_entry(gate, &gates, node) {
		if (!callgate_compr_on_top(gate->table) || !list_empty(&gate->files))
			detachable = false;
	}
	spin_unlock(&callgate_compr_books);
	return detachable;
}

int callgate_compr_covered(void)
{
	struct compr_table *table;
	int covered = false;

	spin_lock(&callgate_compr_books);
	list_for_each_entry(table, &tables, node)
		covered |= !callgate_compr_on_top(table);
	spin_unlock(&callgate_compr_books);
	return covered;
}

void callgate_compr_detach(void)
{
	if (!registered)
		return;
	registered = false;
	class_interface_unregister(&interface);
}
