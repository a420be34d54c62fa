/* SPDX-License-Identifier: GPL-2.0-only */
/* One device of compressed capture: what alsa-compr.c and alsa-compr-hook.c share. */
#ifndef CALLGATE_ALSA_COMPR_GATE_H
#define CALLGATE_ALSA_COMPR_GATE_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <sound/compress_driver.h>

#include "device.h"

/**
 * struct compr_table - a driver's table, with our hooks in it
 * @node: in tables
 * @ops: the driver's
 * @orig: what was in it
 * @users: devices that have it
 * @refs: records that point to it
 */
struct compr_table {
	struct list_head node;
	struct snd_compr_ops *ops;
	struct snd_compr_ops orig;
	unsigned int users;
	unsigned int refs;
};

/**
 * struct compr_gate - a device of compressed capture
 * @dev: as the gate knows it
 * @node: in gates
 * @compr: alive until @removed
 * @sound: its device of the sound class, compared only
 * @table: of @compr
 * @lock: inside compr->lock, outside callgate_compr_books; a writer of @files holds callgate_compr_books as well
 * @files: struct compr_file
 * @removed: the device is gone, its last file is not; guarded by callgate_compr_books
 */
struct compr_gate {
	struct callgate_device dev;
	struct list_head node;
	struct snd_compr *compr;
	const struct device *sound;
	struct compr_table *table;
	struct mutex lock;
	struct list_head files;
	bool removed;
};

/* Guards the lists, each table's contents, users and refs, and @removed. */
extern spinlock_t callgate_compr_books;

/* alsa-compr.c */

/* The table at this address, or NULL. With callgate_compr_books, as the next. */
struct compr_table *callgate_compr_table(const struct snd_compr_ops *ops);
/* The record of a device, or NULL. */
struct compr_gate *callgate_compr_gate(const struct snd_compr *compr);
/* A file was closed: of a device that is gone, the last one takes the record along. No lock held. */
void callgate_compr_retire(struct compr_gate *gate);

/* alsa-compr-hook.c */

/* Puts the hooks in front of what is in the table. With callgate_compr_books, as the next two. */
void callgate_compr_hook(struct compr_table *table);
/* Nobody has put anything in front of them. */
bool callgate_compr_on_top(const struct compr_table *table);
/* Gives the driver's operations back, if so. */
void callgate_compr_unhook(struct compr_table *table);
/* callgate_device_ops.revoke */
void callgate_compr_revoke(struct callgate_device *dev);

#endif
