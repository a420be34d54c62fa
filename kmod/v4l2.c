// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which V4L2 nodes are gated, from their appearance to their end.
 *
 * Owns the table of gated nodes and the swapped vdev->fops. Decides nothing
 * about a caller (v4l2-hook.c asks check.c) and stops no capture (v4l2-file.c).
 * Called by main.c, and by the driver core for each node that comes or goes.
 *
 * Security: the class interface sees a node before the V4L2 core lets anyone
 * open it, so there is no first operation that escapes. A node whose record
 * cannot be allocated gets a static table that denies everything. The record
 * is found by minor number, not by the address of the table, so that it is
 * also found when another module has put a table on top of ours.
 *
 * Removal runs under whatever locks the driver holds while it unregisters,
 * among them the queue's. A revocation takes those same locks. So removal
 * waits for nothing: it unlinks, and a work item does what has to wait.
 */
#include "v4l2.h"

#include <linux/completion.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>
#include <media/v4l2-device.h>
#include <media/videobuf2-core.h>

#include "compat.h"
#include "v4l2-gate.h"

#define CAPTURE_CAPS \
	(V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_VIDEO_CAPTURE_MPLANE | V4L2_CAP_META_CAPTURE)
#define M2M_CAPS (V4L2_CAP_VIDEO_M2M | V4L2_CAP_VIDEO_M2M_MPLANE)

struct v4l2_gate __rcu *callgate_v4l2_gates[CALLGATE_V4L2_MINORS];
/* The drivers' tables; also of a node without record. */
static const struct v4l2_file_operations *drivers[CALLGATE_V4L2_MINORS];
/* Guards writes to both and to vdev->fops; innermost but for gate->lock, never held across a call outward. */
static DEFINE_SPINLOCK(slots_lock);
static atomic_t live;
static struct workqueue_struct *workqueue;

static bool has_slot(const struct video_device *vdev)
{
	return vdev->minor >= 0 && vdev->minor < CALLGATE_V4L2_MINORS;
}

static struct v4l2_gate *gate_at(int minor)
{
	return rcu_dereference_protected(callgate_v4l2_gates[minor], true);
}

const struct v4l2_file_operations *callgate_v4l2_driver_fops(struct video_device *vdev)
{
	const struct v4l2_file_operations *fops;

	/* Pairs with give_back(): who sees no record sees the driver's table. */
	smp_rmb();
	fops = READ_ONCE(vdev->fops);
	if (fops == &callgate_v4l2_closed_fops)
		fops = has_slot(vdev) ? drivers[vdev->minor] : NULL;
	return fops;
}

void callgate_v4l2_revoke_soon(struct v4l2_gate *gate)
{
	lockdep_assert_held(&gate->lock);
	if (!gate->removed)
		queue_work(callgate_device_queue, &gate->dev.revoke);
}

static void gate_release(struct callgate_device *dev)
{
	struct v4l2_gate *gate = container_of(dev, struct v4l2_gate, dev);

	free_percpu(gate->inflight);
	kfree(gate);
	if (atomic_dec_and_test(&live))
		wake_up_var(&live);
}

static const struct callgate_device_ops gate_ops = {
	.revoke = callgate_v4l2_file_revoke,
	.release = gate_release,
};

/* As in callgate_device_drain(): nobody begins any more, so the sum never says too little. */
static long inflight(const struct v4l2_gate *gate)
{
	long sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(*per_cpu_ptr(gate->inflight, cpu));
	return sum;
}

/* Comes again rather than wait: an operation may sleep in the driver, and this queue be frozen. */
static void gate_destroy(struct work_struct *work)
{
	struct v4l2_gate *gate = container_of(work, struct v4l2_gate, destroy.work);

	if (!gate->unlinked) {
		callgate_device_remove(&gate->dev);
		/* Whoever has found the record has counted itself. */
		synchronize_rcu();
		gate->unlinked = true;
	}
	if (inflight(gate)) {
		queue_delayed_work(workqueue, &gate->destroy, HZ / 50);
		return;
	}
	/* And whoever has uncounted itself has left it. */
	synchronize_rcu();
	callgate_device_put(&gate->dev);
}

/*
 * Only nodes of the video type: VBI, radio, SDR and touch nodes are not
 * gated. A memory-to-memory node captures nothing but what its user feeds it.
 * One that has both directions without saying so is fed by one program and read
 * by others (v4l2loopback), and which of the two it says may change.
 * READWRITE with AUDIO and no picture is how encoders offer raw sound.
 */
static u32 kinds_of(const struct video_device *vdev)
{
	u32 caps = vdev->device_caps;

	if (vdev->vfl_type != VFL_TYPE_VIDEO)
		return 0;
	if (caps & M2M_CAPS)
		return 0;
	if (caps & CAPTURE_CAPS || vdev->vfl_dir == VFL_DIR_M2M)
		return CALLGATE_KIND_CAMERA;
	if (vdev->vfl_dir == VFL_DIR_RX && caps & V4L2_CAP_READWRITE && caps & V4L2_CAP_AUDIO)
		return CALLGATE_KIND_MICROPHONE;
	return 0;
}

static struct v4l2_gate *gate_new(struct video_device *vdev)
{
	struct v4l2_gate *gate;

	if (callgate_device_test_no_memory())
		return NULL;
	gate = kzalloc(sizeof(*gate), GFP_KERNEL);
	if (!gate)
		return NULL;
	gate->inflight = alloc_percpu(long);
	if (!gate->inflight) {
		kfree(gate);
		return NULL;
	}
	gate->vdev = vdev;
	gate->cdev = vdev->cdev;
	gate->orig = vdev->fops;
	spin_lock_init(&gate->lock);
	hash_init(gate->files);
	init_waitqueue_head(&gate->idle);
	INIT_DELAYED_WORK(&gate->destroy, gate_destroy);
	callgate_v4l2_hook(&gate->fops, gate->orig);
	return gate;
}

/*
 * Takes the gate off a node. Under another module's table ours cannot be
 * taken out: then the record stays, denies, and goes when its minor is used
 * again, which proves that the node's last file is closed.
 */
static void give_back(int minor, struct v4l2_gate *gate, bool gone)
{
	struct video_device *vdev = gate->vdev;

	spin_lock(&gate->lock);
	gate->removed = true;
	spin_unlock(&gate->lock);

	spin_lock(&slots_lock);
	if (!gone && cmpxchg(&vdev->fops, &gate->fops, gate->orig) != &gate->fops) {
		spin_unlock(&slots_lock);
		pr_warn("callgate: %s: another module sits on top, the node stays closed\n",
			gate->dev.node);
		callgate_v4l2_file_release_all(gate);
		return;
	}
	/* Pairs with callgate_v4l2_driver_fops(). */
	smp_store_release(&callgate_v4l2_gates[minor], NULL);
	spin_unlock(&slots_lock);

	callgate_v4l2_file_release_all(gate);
	queue_delayed_work(workqueue, &gate->destroy, 0);
}

/*
 * The driver core ignores the result, so failure must close the node itself.
 * For a new node this runs under videodev_lock and before the node can be opened.
 */
static int node_add(struct device *dev)
{
	struct video_device *vdev = to_video_device(dev);
	struct v4l2_gate *gate;
	u32 kinds;

	if (!vdev->fops || dev->devt != MKDEV(VIDEO_MAJOR, vdev->minor))
		return 0;
	kinds = kinds_of(vdev);
	if (!kinds)
		return 0;
	if (WARN_ON_ONCE(!has_slot(vdev))) {
		WRITE_ONCE(vdev->fops, &callgate_v4l2_closed_fops);
		return 0;
	}

	gate = gate_at(vdev->minor);
	if (gate)
		give_back(vdev->minor, gate, true);

	drivers[vdev->minor] = vdev->fops;
	gate = gate_new(vdev);
	if (!gate) {
		pr_err("callgate: no memory for %s, it stays closed\n",
		       video_device_node_name(vdev));
		WRITE_ONCE(vdev->fops, &callgate_v4l2_closed_fops);
		return -ENOMEM;
	}
	atomic_inc(&live);
	callgate_device_add(&gate->dev, &gate_ops, kinds, vdev->name, video_device_node_name(vdev));

	spin_lock(&slots_lock);
	rcu_assign_pointer(callgate_v4l2_gates[vdev->minor], gate);
	/* Whoever finds the table finds the record. */
	smp_store_release(&vdev->fops, &gate->fops);
	spin_unlock(&slots_lock);
	/* Somebody captures already, unasked. */
	if (vdev->queue && READ_ONCE(vdev->queue->owner))
		callgate_device_revoke(&gate->dev);
	return 0;
}

/* The node is gone, or the gate is being detached. Waits for nothing, see above. */
static void node_remove(struct device *dev)
{
	struct video_device *vdev = to_video_device(dev);
	struct v4l2_gate *gate;

	if (!has_slot(vdev))
		return;
	gate = gate_at(vdev->minor);
	if (gate && gate->vdev == vdev) {
		give_back(vdev->minor, gate, false);
		return;
	}
	spin_lock(&slots_lock);
	if (vdev->fops == &callgate_v4l2_closed_fops)
		WRITE_ONCE(vdev->fops, drivers[vdev->minor]);
	spin_unlock(&slots_lock);
}

CALLGATE_CLASS_INTERFACE(v4l2_interface, node_add, node_remove);

/**
 * struct probe - what find_class() registers for a moment
 * @vdev: a node of our own
 * @v4l2_dev: its parent
 * @gone: its last reference was dropped
 */
struct probe {
	struct video_device vdev;
	struct v4l2_device v4l2_dev;
	struct completion gone;
};

static int probe_open(struct file *file)
{
	return -ENODEV;
}

static int probe_close(struct file *file)
{
	return 0;
}

static const struct v4l2_file_operations probe_fops = {
	.owner = THIS_MODULE,
	.open = probe_open,
	.release = probe_close,
};

static void probe_release(struct video_device *vdev)
{
	complete(&container_of(vdev, struct probe, vdev)->gone);
}

/*
 * The V4L2 class is not exported, but every registered node points to it. A
 * touch node is a kind that no desktop opens by itself.
 */
static int find_class(typeof_member(struct class_interface, class) * ret_class)
{
	struct probe *probe;
	int r;

	probe = kzalloc(sizeof(*probe), GFP_KERNEL);
	if (!probe)
		return -ENOMEM;
	init_completion(&probe->gone);
	strscpy(probe->v4l2_dev.name, "callgate", sizeof(probe->v4l2_dev.name));
	strscpy(probe->vdev.name, "callgate", sizeof(probe->vdev.name));
	r = v4l2_device_register(NULL, &probe->v4l2_dev);
	if (r)
		goto free;
	probe->vdev.v4l2_dev = &probe->v4l2_dev;
	probe->vdev.device_caps = V4L2_CAP_TOUCH;
	probe->vdev.fops = &probe_fops;
	probe->vdev.release = probe_release;
	r = video_register_device(&probe->vdev, VFL_TYPE_TOUCH, -1);
	if (r)
		goto unregister;
	*ret_class = probe->vdev.dev.class;
	video_unregister_device(&probe->vdev);
	wait_for_completion(&probe->gone);
unregister:
	v4l2_device_unregister(&probe->v4l2_dev);
free:
	kfree(probe);
	return r;
}

int callgate_v4l2_init(void)
{
	int r;

	workqueue = alloc_workqueue("callgate_v4l2", WQ_UNBOUND | WQ_FREEZABLE, 0);
	if (!workqueue)
		return -ENOMEM;
	r = find_class(&v4l2_interface.class);
	if (r)
		goto destroy;
	r = class_interface_register(&v4l2_interface);
	if (r)
		goto destroy;
	return 0;
destroy:
	v4l2_interface.class = NULL;
	destroy_workqueue(workqueue);
	workqueue = NULL;
	return r;
}

int callgate_v4l2_detachable(void)
{
	struct v4l2_gate *gate;
	int i, r = 1;

	spin_lock(&slots_lock);
	for (i = 0; i < CALLGATE_V4L2_MINORS && r; i++) {
		gate = gate_at(i);
		if (!gate)
			continue;
		/* A removed node that is still here lies under another table; its vdev may be gone. */
		if (gate->removed || READ_ONCE(gate->vdev->fops) != &gate->fops ||
		    callgate_v4l2_file_any(gate))
			r = 0;
	}
	spin_unlock(&slots_lock);
	return r;
}

int callgate_v4l2_covered(void)
{
	struct v4l2_gate *gate;
	int covered = false;
	int i;

	spin_lock(&slots_lock);
	for (i = 0; i < CALLGATE_V4L2_MINORS && !covered; i++) {
		gate = gate_at(i);
		covered = gate && !gate->removed && READ_ONCE(gate->vdev->fops) != &gate->fops;
	}
	spin_unlock(&slots_lock);
	return covered;
}

void callgate_v4l2_detach(void)
{
	if (!v4l2_interface.class)
		return;
	class_interface_unregister(&v4l2_interface);
	v4l2_interface.class = NULL;
	flush_workqueue(workqueue);
}

void callgate_v4l2_free(void)
{
	struct v4l2_gate *gate;
	int i;

	if (!workqueue)
		return;
	for (i = 0; i < CALLGATE_V4L2_MINORS; i++) {
		gate = gate_at(i);
		if (gate)
			give_back(i, gate, true);
	}
	flush_workqueue(workqueue);
	wait_var_event(&live, !atomic_read(&live));
	destroy_workqueue(workqueue);
	workqueue = NULL;
}
