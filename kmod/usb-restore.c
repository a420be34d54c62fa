// SPDX-License-Identifier: GPL-2.0-only
/*
 * Gives the interfaces of cameras and microphones back to their drivers.
 *
 * Owns the worker that takes from usbfs what it must not have, and binds the
 * driver again to what an unprivileged process took from it. Keeps no record and
 * opens nothing: binding does that, which usb.c sees. Called by usb.c.
 */
#include "usb-guard.h"

#include <linux/workqueue.h>

/* Detaching in a loop costs at most one probe in this time. */
#define SETTLE_DELAY (HZ / 20)

static void settle(struct work_struct *work);
static DECLARE_DELAYED_WORK(settle_work, settle);

void callgate_usb_lose(struct usb_guard *guard)
{
	lockdep_assert_held(&callgate_usb_lock);
	guard->lost = true;
	queue_delayed_work(system_freezable_wq, &settle_work, SETTLE_DELAY);
}

bool callgate_usb_restoring(void)
{
	return current_work() == &settle_work.work;
}

/*
 * Never lets go of what it claimed beside an interface that it lost, and finds
 * it taken when it is bound again. Others (uvcvideo) do when their last file is
 * closed, and would take it from their successor.
 */
static bool keeps_claims(const struct device_driver *driver)
{
	return driver && !strcmp(driver->name, "snd-usb-audio");
}

/* Has no driver, and nobody who may do so wanted that? */
static bool is_orphan(struct usb_interface *intf)
{
	struct usb_guard *guard;
	bool orphan;

	if (!device_is_registered(&intf->dev) || intf->dev.driver)
		return false;
	mutex_lock(&callgate_usb_lock);
	guard = callgate_usb_find(intf);
	orphan = guard && guard->capture && !guard->parked;
	mutex_unlock(&callgate_usb_lock);
	return orphan;
}

static void attach_orphans(struct usb_device *udev)
{
	struct usb_interface *intf;
	int i;

	device_lock_assert(&udev->dev);
	for (i = 0; udev->actconfig && i < udev->actconfig->desc.bNumInterfaces; i++) {
		intf = udev->actconfig->interface[i];
		if (intf && is_orphan(intf) && device_attach(&intf->dev) < 0)
			pr_warn_ratelimited("callgate: %s could not be attached again\n",
					    dev_name(&intf->dev));
	}
}

/* All of them before anything is attached: a probe wants all of its function's interfaces. */
static void take_from_usbfs(struct usb_device *udev)
{
	struct usb_interface *intf;
	struct usb_guard *guard;
	bool lost;
	int i;

	device_lock_assert(&udev->dev);
	for (i = 0; udev->actconfig && i < udev->actconfig->desc.bNumInterfaces; i++) {
		intf = udev->actconfig->interface[i];
		if (!intf || !callgate_usb_is_usbfs(intf->dev.driver))
			continue;
		mutex_lock(&callgate_usb_lock);
		guard = callgate_usb_find(intf);
		lost = guard && guard->lost;
		if (lost)
			guard->lost = false;
		mutex_unlock(&callgate_usb_lock);
		if (!lost)
			continue;
		pr_warn_ratelimited("callgate: %s: taken from usbfs\n", dev_name(&intf->dev));
		usb_driver_release_interface(to_usb_driver(intf->dev.driver), intf);
	}
}

static void release_from(struct usb_device *udev, const struct device_driver *driver)
{
	struct usb_interface *intf;
	int i;

	device_lock_assert(&udev->dev);
	for (i = 0; udev->actconfig && i < udev->actconfig->desc.bNumInterfaces; i++) {
		intf = udev->actconfig->interface[i];
		if (intf && intf->dev.driver == driver)
			usb_driver_release_interface(to_usb_driver(intf->dev.driver), intf);
	}
}

/* Ends that @intf is lost, whatever comes of it. */
static void restore(struct usb_interface *intf)
{
	struct usb_device *udev = interface_to_usbdev(intf);
	const struct device_driver *driver = NULL;
	struct usb_guard *guard;

	usb_lock_device(udev);
	take_from_usbfs(udev);
	mutex_lock(&callgate_usb_lock);
	guard = callgate_usb_find(intf);
	if (guard) {
		guard->lost = false;
		driver = guard->driver;
	}
	mutex_unlock(&callgate_usb_lock);
	if (!guard)
		goto unlock;

	if (keeps_claims(driver) && is_orphan(intf))
		release_from(udev, driver);
	attach_orphans(udev);
	/*
	 * A streaming interface matches no driver by itself. The one that had it
	 * must probe its control interface again.
	 */
	if (driver && is_orphan(intf)) {
		release_from(udev, driver);
		attach_orphans(udev);
	}
unlock:
	usb_unlock_device(udev);
}

/* The next that was lost, referenced. */
static struct usb_interface *next_lost(void)
{
	struct usb_interface *intf = NULL;
	struct usb_guard *guard;

	mutex_lock(&callgate_usb_lock);
	list_for_each_entry(guard, &callgate_usb_guards, node) {
		if (guard->lost) {
			intf = guard->intf;
			get_device(&intf->dev);
			break;
		}
	}
	mutex_unlock(&callgate_usb_lock);
	return intf;
}

static void settle(struct work_struct *work)
{
	struct usb_interface *intf;

	while ((intf = next_lost())) {
		restore(intf);
		put_device(&intf->dev);
	}
}

void callgate_usb_restore_flush(void)
{
	flush_delayed_work(&settle_work);
}

void callgate_usb_restore_cancel(void)
{
	cancel_delayed_work_sync(&settle_work);
}
