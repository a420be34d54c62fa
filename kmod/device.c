// SPDX-License-Identifier: GPL-2.0-only
/*
 * The registry of gated devices and the queue that works for them.
 *
 * Owns the ids, the list and when a device's work may still run; the memory is
 * the subsystem's. Knows nothing of V4L2 or ALSA. Called by the subsystems when
 * devices come and go, by main.c when a grant ended, by netlink.c for dumps.
 *
 * A device is in the list before its subsystem lets anybody in, so a revocation
 * cannot miss it. Each device has its own revocation work on an unbound queue: a
 * caller that stalls one driver delays no other device's.
 */
#include "device.h"

#include <linux/delay.h>
#include <linux/moduleparam.h>
#include <linux/rcupdate.h>
#include <linux/rcupdate_wait.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "event.h"
#include "report.h"
#include "request.h"
#include "stats.h"

DEFINE_PER_CPU(long, callgate_inflight);
DEFINE_PER_CPU(struct callgate_stats, callgate_stats);

struct workqueue_struct *callgate_device_queue;

/* Guards the list and the ids; dev->lock nests inside. */
static DEFINE_SPINLOCK(devices_lock);
static LIST_HEAD(devices);
static u32 last_id;
static u32 generation;

#ifdef CALLGATE_TEST
static uint test_delay_ms;
module_param(test_delay_ms, uint, 0600);
MODULE_PARM_DESC(test_delay_ms, "test builds: delay at both ends of each interposed operation");

static uint test_sleep_ms;
module_param(test_sleep_ms, uint, 0600);
MODULE_PARM_DESC(test_sleep_ms, "test builds: sleep inside of each interposed operation that may");

static bool test_no_memory;
module_param(test_no_memory, bool, 0600);
MODULE_PARM_DESC(test_no_memory, "test builds: there is no memory for what comes");

static uint test_no_grace;
module_param(test_no_grace, uint, 0600);
MODULE_PARM_DESC(
	test_no_grace,
	"test builds: unload without a grace period before (1) or after (2) waiting for those inside");

static bool test_no_drain;
module_param(test_no_drain, bool, 0600);
MODULE_PARM_DESC(test_no_drain, "test builds: unload without waiting for anybody");

void callgate_device_test_delay(void)
{
	/* Busy, because a wrapper does not sleep there either. */
	if (READ_ONCE(test_delay_ms))
		mdelay(test_delay_ms);
}

void callgate_device_test_sleep(void)
{
	/* A trigger comes with the stream lock. */
	if (READ_ONCE(test_sleep_ms) && !irqs_disabled())
		msleep(test_sleep_ms);
}

bool callgate_device_test_no_memory(void)
{
	return READ_ONCE(test_no_memory);
}

static int lose_memory(const char *value, const struct kernel_param *param)
{
	/* Printed, or the compiler leaves the allocation out. */
	pr_info("callgate: lost %p on purpose\n", kzalloc(64, GFP_KERNEL));
	return 0;
}

static const struct kernel_param_ops test_leak_ops = { .set = lose_memory };
module_param_cb(test_leak, &test_leak_ops, NULL, 0200);
MODULE_PARM_DESC(test_leak, "test builds: each write loses a piece of memory");
#else
static const bool test_no_drain;
static const uint test_no_grace;
#endif

int callgate_device_init(void)
{
	callgate_device_queue = alloc_workqueue("callgate", WQ_UNBOUND | WQ_HIGHPRI, 0);
	return callgate_device_queue ? 0 : -ENOMEM;
}

void callgate_device_exit(void)
{
	WARN_ON(!list_empty(&devices));
	destroy_workqueue(callgate_device_queue);
}

static void revoke_work(struct work_struct *work)
{
	struct callgate_device *dev = container_of(work, struct callgate_device, revoke);

	dev->ops->revoke(dev);
}

void callgate_device_add(struct callgate_device *dev, const struct callgate_device_ops *ops,
			 u32 kinds, const char *name, const char *node)
{
	dev->ops = ops;
	dev->kinds = kinds;
	strscpy(dev->name, name, sizeof(dev->name));
	strscpy(dev->node, node, sizeof(dev->node));
	kref_init(&dev->kref);
	spin_lock_init(&dev->lock);
	INIT_LIST_HEAD(&dev->streams);
	dev->stopped_count = 0;
	memset(dev->denied, 0, sizeof(dev->denied));
	dev->removed = false;
	INIT_WORK(&dev->revoke, revoke_work);
	INIT_DELAYED_WORK(&dev->report, callgate_report_work);

	spin_lock_irq(&devices_lock);
	dev->id = ++last_id;
	list_add_tail(&dev->all, &devices);
	generation++;
	spin_unlock_irq(&devices_lock);
	callgate_event_device(dev, true);
}

void callgate_device_remove(struct callgate_device *dev)
{
	bool removed;

	spin_lock_irq(&dev->lock);
	removed = dev->removed;
	WRITE_ONCE(dev->removed, true);
	spin_unlock_irq(&dev->lock);
	if (removed)
		return;

	spin_lock_irq(&devices_lock);
	list_del(&dev->all);
	generation++;
	spin_unlock_irq(&devices_lock);
	callgate_request_cancel(dev);
	cancel_work_sync(&dev->revoke);
	if (cancel_delayed_work_sync(&dev->report))
		callgate_device_put(dev);
	callgate_report_flush(dev);
	callgate_event_device(dev, false);
}

void callgate_device_get(struct callgate_device *dev)
{
	kref_get(&dev->kref);
}

static void release_device(struct kref *kref)
{
	struct callgate_device *dev = container_of(kref, struct callgate_device, kref);

	WARN_ON(!list_empty(&dev->streams));
	dev->ops->release(dev);
}

void callgate_device_put(struct callgate_device *dev)
{
	kref_put(&dev->kref, release_device);
}

void callgate_device_revoke(struct callgate_device *dev)
{
	unsigned long flags;

	smp_mb(); /* pairs with callgate_stream_start() */
	spin_lock_irqsave(&dev->lock, flags);
	if (!dev->removed)
		queue_work(callgate_device_queue, &dev->revoke);
	spin_unlock_irqrestore(&dev->lock, flags);
}

void callgate_device_revoke_all(void)
{
	struct callgate_device *dev;
	unsigned long flags;

	spin_lock_irqsave(&devices_lock, flags);
	list_for_each_entry(dev, &devices, all)
		callgate_device_revoke(dev);
	spin_unlock_irqrestore(&devices_lock, flags);
}

struct callgate_device *callgate_device_next(u32 after)
{
	struct callgate_device *dev, *found = NULL;

	spin_lock_irq(&devices_lock);
	list_for_each_entry(dev, &devices, all) {
		if (dev->id <= after)
			continue;
		callgate_device_get(dev);
		found = dev;
		break;
	}
	spin_unlock_irq(&devices_lock);
	return found;
}

bool callgate_device_exists(u32 id)
{
	struct callgate_device *dev;
	bool found = false;

	spin_lock_irq(&devices_lock);
	list_for_each_entry(dev, &devices, all)
		found |= dev->id == id;
	spin_unlock_irq(&devices_lock);
	return found;
}

u32 callgate_device_generation(void)
{
	return READ_ONCE(generation);
}

/*
 * Operations end on any CPU, so one counter says nothing and only the sum does.
 * Nobody enters any more, hence a sum that is read while CPUs leave is never
 * smaller than the number of those who are still inside.
 */
static long inflight(void)
{
	long sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu(callgate_inflight, cpu));
	return sum;
}

void callgate_device_drain(void)
{
	int round;

	/*
	 * First round: whoever has fetched one of our functions has counted
	 * itself. Then those who sleep inside a driver come back. Second round:
	 * whoever has uncounted itself has returned.
	 */
	for (round = 0; round < 2 && !test_no_drain; round++) {
		if (!(test_no_grace & 1 << round)) {
			synchronize_rcu_tasks();
			synchronize_rcu();
		}
		while (inflight())
			msleep(20);
	}
	flush_workqueue(callgate_device_queue);
}
