// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whose the buffers of an open file are.
 *
 * Owns, for each file, the one process image that asked for its buffers (the
 * holder) and what is in progress on them. Judges no grant (check.c does) and
 * stops nothing (v4l2-file.c does). Called by v4l2-hook.c around each
 * operation that gives out, maps or fills buffers, and by the revocation.
 *
 * Security. A mapping, an exported dma-buf or a page pinned by QBUF outlives
 * the question that allowed it. So only the holder maps, exports and queues,
 * whoever else has the file; and the file is stopped, and its buffers freed,
 * as soon as the grant of its holder or that of whoever started it has ended,
 * also when it does not stream. A REQBUFS that succeeds frees all buffers that
 * were there before, and makes its caller the holder.
 *
 * A mapping goes through the file that the buffers belong to, and the driver
 * does not ask whether that is still so when it finds them. So nobody may give
 * a file's buffers away while it is being mapped, nor map it meanwhile: a
 * mapping, under mmap_lock, is refused; REQBUFS and a revocation wait. An
 * export is not waited for, because its program could hold it up: there the
 * drivers ask for the owner themselves, under their lock. Where
 * the driver does not keep the owner in its vb2 queue, ours is the last file
 * that asked with success, and may be stale while another one asks; so there
 * whoever asks holds off the node's mappings.
 */
#include "v4l2-gate.h"

#include <linux/wait.h>
#include <media/videobuf2-core.h>

#include "check.h"

static bool is_current(const struct callgate_who *who)
{
	return who->image.pid == task_tgid(current) &&
	       who->image.exec_id == READ_ONCE(current->self_exec_id);
}

static void look_at_owner(struct v4l2_gate *gate)
{
	const struct vb2_queue *q = gate->vdev->queue;

	lockdep_assert_held(&gate->lock);
	if (q && READ_ONCE(q->owner))
		gate->keeps_owner = true;
}

static bool owns(struct v4l2_gate *gate, const struct file *file)
{
	const void *owner;

	look_at_owner(gate);
	if (!gate->keeps_owner)
		return gate->owner == file;
	owner = READ_ONCE(gate->vdev->queue->owner);
	return owner && owner == file->private_data;
}

static void be_unsure(struct v4l2_gate *gate)
{
	lockdep_assert_held(&gate->lock);
	WRITE_ONCE(gate->ticket.file, NULL);
	smp_mb__before_atomic(); /* whoever begins with the new epoch finds no ticket */
	atomic_long_inc(&callgate_grant_epoch);
	smp_mb__after_atomic(); /* and whoever sees anything that follows sees the epoch */
}

void callgate_v4l2_be_unsure(struct v4l2_gate *gate, const struct v4l2_gate_file *rec)
{
	if (gate->ticket.file == rec->file)
		be_unsure(gate);
}

static bool same_facts(const struct callgate_ticket *a, const struct callgate_ticket *b)
{
	return a->file == b->file && a->pid == b->pid && a->mm == b->mm && a->cred == b->cred &&
	       a->exe == b->exe && a->group == b->group && a->exec_id == b->exec_id &&
	       a->uid == b->uid;
}

/*
 * Lets the path know what the lock has decided: current is the holder. Where only the time has passed, or something that has ended
 * elsewhere, no reader is disturbed: else each of several captures would make the others ask again, for ever.
 */
static void be_sure(struct v4l2_gate *gate, const struct v4l2_gate_file *rec)
{
	struct callgate_ticket *to = &gate->ticket, ticket;

	lockdep_assert_held(&gate->lock);
	if (!callgate_check_ticket(&gate->dev, rec->file, &ticket))
		return;
	if (!same_facts(&ticket, to)) {
		be_unsure(gate);
		if (!callgate_check_ticket(&gate->dev, rec->file, &ticket))
			return;
		WRITE_ONCE(to->pid, ticket.pid);
		WRITE_ONCE(to->mm, ticket.mm);
		WRITE_ONCE(to->cred, ticket.cred);
		WRITE_ONCE(to->exe, ticket.exe);
		WRITE_ONCE(to->group, ticket.group);
		WRITE_ONCE(to->exec_id, ticket.exec_id);
		WRITE_ONCE(to->uid, ticket.uid);
		WRITE_ONCE(to->file, ticket.file);
	}
	WRITE_ONCE(to->until, ticket.until);
	smp_store_release(&to->epoch, ticket.epoch); /* pairs with callgate_ticket_good() */
}

static void set_holder(struct v4l2_gate *gate, struct v4l2_gate_file *rec, bool held)
{
	struct callgate_who old = rec->holder, holder;

	lockdep_assert_held(&gate->lock);
	callgate_v4l2_be_unsure(gate, rec);
	rec->holds++;
	rec->holder.pid = NULL;
	callgate_who_put(&old);
	if (!held)
		return;
	callgate_who_current(&holder);
	rec->holder = holder;
}

/* Where nobody holds buffers there are none, and the driver says so; or they are for whoever comes first. */
static bool held_by_current(struct v4l2_gate *gate, struct v4l2_gate_file *rec)
{
	lockdep_assert_held(&gate->lock);
	if (rec->strangers)
		return false;
	if (!rec->holder.pid)
		set_holder(gate, rec, true);
	return is_current(&rec->holder);
}

static bool quiet(struct v4l2_gate *gate, struct file *file, bool node)
{
	struct v4l2_gate_file *rec;
	bool quiet;

	spin_lock(&gate->lock);
	rec = callgate_v4l2_file_find(gate, file);
	quiet = !rec || !(node && !gate->keeps_owner ? gate->mapping : rec->mapping);
	spin_unlock(&gate->lock);
	return quiet;
}

int callgate_v4l2_buffers_begin(struct v4l2_gate *gate, struct file *file, bool wants)
{
	struct v4l2_gate_file *rec;
	int r;

	r = callgate_v4l2_file_adopt(gate, file);
	if (r)
		return r;
	spin_lock(&gate->lock);
	rec = callgate_v4l2_file_find(gate, file);
	if (rec) {
		look_at_owner(gate);
		rec->handing++;
		gate->asking += wants;
	}
	spin_unlock(&gate->lock);
	if (!rec)
		return -ENODEV;
	r = wait_event_killable(gate->idle, quiet(gate, file, true));
	if (r)
		callgate_v4l2_buffers_end(gate, file, wants, false, false);
	return r;
}

void callgate_v4l2_buffers_end(struct v4l2_gate *gate, struct file *file, bool wants, bool anew,
			       bool success)
{
	struct v4l2_gate_file *rec;
	bool has;

	spin_lock(&gate->lock);
	gate->asking -= wants;
	look_at_owner(gate);
	has = wants && (!gate->keeps_owner || owns(gate, file));
	rec = callgate_v4l2_file_find(gate, file);
	if (rec)
		rec->handing--;
	/* CREATE_BUFS gives nothing back. */
	if (!rec || !success || !(has || anew)) {
		spin_unlock(&gate->lock);
		return;
	}
	if (has)
		gate->owner = file;
	else if (gate->owner == file)
		gate->owner = NULL;
	if (anew) {
		set_holder(gate, rec, has);
		rec->strangers = false;
	}
	spin_unlock(&gate->lock);
}

u64 callgate_v4l2_buffers_take(struct v4l2_gate *gate, struct file *file)
{
	struct v4l2_gate_file *rec;
	u64 holds = 0;

	spin_lock(&gate->lock);
	rec = callgate_v4l2_file_find(gate, file);
	if (rec) {
		rec->handing++;
		holds = rec->holds;
	}
	spin_unlock(&gate->lock);
	/* A mapping waits in the driver for what a stop waits for too, if for anything. */
	wait_event(gate->idle, quiet(gate, file, false));
	return holds;
}

void callgate_v4l2_buffers_taken(struct v4l2_gate *gate, struct file *file, u64 holds, bool off)
{
	struct v4l2_gate_file *rec;

	spin_lock(&gate->lock);
	rec = callgate_v4l2_file_find(gate, file);
	if (rec) {
		rec->handing--;
		if (off && rec->holds == holds) {
			set_holder(gate, rec, false);
			rec->strangers = false;
			if (gate->owner == file)
				gate->owner = NULL;
		}
	}
	spin_unlock(&gate->lock);
}

/* Adopts the file, so that what a permissive mode lets pass is known when it ends. */
static int judge(struct v4l2_gate *gate, struct file *file, enum callgate_op op, bool map)
{
	struct v4l2_gate_file *rec;
	int r;

	r = callgate_v4l2_file_adopt(gate, file);
	if (r)
		return r;
	spin_lock(&gate->lock);
	rec = callgate_v4l2_file_find(gate, file);
	if (!rec) {
		r = -ENODEV;
	} else if (map && (rec->handing || (!gate->keeps_owner && gate->asking))) {
		r = -EBUSY;
	} else if (!held_by_current(gate, rec) || (map && !owns(gate, file))) {
		r = callgate_deny(&gate->dev, op);
		if (!r) {
			callgate_v4l2_be_unsure(gate, rec);
			rec->strangers = true;
		}
	}
	if (!r && !map && !rec->strangers)
		be_sure(gate, rec);
	if (!r && map) {
		rec->mapping++;
		gate->mapping++;
	}
	spin_unlock(&gate->lock);
	return r;
}

void callgate_v4l2_buffers_renew(struct v4l2_gate *gate, struct file *file)
{
	struct v4l2_gate_file *rec;

	if (READ_ONCE(gate->ticket.file) != file)
		return;
	spin_lock(&gate->lock);
	rec = callgate_v4l2_file_find(gate, file);
	if (rec && rec->holder.pid && is_current(&rec->holder) && !rec->strangers)
		be_sure(gate, rec);
	spin_unlock(&gate->lock);
}

int callgate_v4l2_buffers_held(struct v4l2_gate *gate, struct file *file, enum callgate_op op)
{
	return judge(gate, file, op, false);
}

int callgate_v4l2_buffers_map(struct v4l2_gate *gate, struct file *file, enum callgate_op op)
{
	return judge(gate, file, op, true);
}

void callgate_v4l2_buffers_mapped(struct v4l2_gate *gate, struct file *file)
{
	struct v4l2_gate_file *rec;

	spin_lock(&gate->lock);
	rec = callgate_v4l2_file_find(gate, file);
	if (rec)
		rec->mapping--;
	gate->mapping--;
	spin_unlock(&gate->lock);
	wake_up_all(&gate->idle);
}

bool callgate_v4l2_buffers_allowed(struct v4l2_gate *gate, const struct v4l2_gate_file *rec)
{
	lockdep_assert_held(&gate->lock);
	if (callgate_check_permissive())
		return true;
	if (rec->strangers)
		return false;
	return !rec->holder.pid || callgate_stream_image_allowed(&gate->dev, &rec->holder.image);
}
