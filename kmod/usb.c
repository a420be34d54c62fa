// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keeps usbfs off the interfaces of cameras and microphones.
 *
 * Owns one record an interface, and the authorized bit of those that capture.
 * Decides nothing about a caller, gates no operation and binds no driver
 * (usb-restore.c does). Called by main.c, and by the driver core for each USB
 * interface that comes, goes, is bound or unbound.
 *
 * Security: whoever may write to a node of /dev/bus/usb can take an interface
 * from its driver and read its endpoints, past every V4L2 and ALSA operation.
 * usbfs cannot be stopped from detaching a driver. But each of its ways to an
 * endpoint other than 0 (bulk, interrupt and isochronous transfers, streams,
 * halts, alternate settings, control requests to an interface or endpoint)
 * claims the interface first, and a claim fails while intf->authorized is 0.
 * That bit is read when a driver binds and at no other time, so a bound driver
 * works with it at 0. It is 0 from the interface's appearance on, and 1 only
 * while a driver other than usbfs is being bound to an interface of the same
 * device (uvcvideo and snd-usb-audio claim the others of their function in
 * their probe). Binding holds the device's lock, which usbfs takes for each of
 * its calls. Only asynchronous probing, a boot option, goes without that lock;
 * what usbfs claims then is taken away again by the worker.
 *
 * An interface that usbfs had at load is taken away too. One whose record
 * cannot be allocated stays closed, for drivers as well: whether its driver
 * feeds a device nobody would notice later. Except a hub's, a disk's, or one for
 * people's hands. At load that fails the loading.
 *
 * The worker binds the driver again after an unprivileged process took it off,
 * so that detaching stops the camera for a moment and not until it is plugged
 * again. What a privileged process unbinds stays unbound, and closed.
 *
 * Which interfaces: those that have the audio or video class in any alternate
 * setting, and those whose driver is seen to feed a V4L2 or sound device when it
 * is unbound, whatever their class.
 *
 * Open: root, who may write to the interface's authorized attribute. Interfaces
 * of a vendor's class to which no driver has been bound since they were plugged
 * in. Control requests to the device, and vendor requests, reach endpoint 0
 * unclaimed: no class standard moves pictures or sound there, but a device's own
 * protocol may; they also let a program with the node break the device. Still
 * image, HID and Bluetooth interfaces are not capture interfaces here.
 * Permissive mode does not open the claim. Shown by usb_test.c, uvc_test.c
 * and usb_sound_test.c.
 */
#include "usb.h"

#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/device.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/usb.h>
#include <linux/user_namespace.h>

#include "device.h"
#include "usb-guard.h"

/* usb-guard.h says what they are. */
DEFINE_MUTEX(callgate_usb_lock);
LIST_HEAD(callgate_usb_guards);
/* While loading: nothing is closed yet that a failure could leave closed. */
static bool loading;
static int failed;

static typeof_member(struct device_driver, bus) usb_bus;

static bool is_interface(const struct device *dev)
{
	return dev->type && !strcmp(dev->type->name, "usb_interface");
}

static bool is_device(const struct device *dev)
{
	return dev->type && !strcmp(dev->type->name, "usb_device");
}

static bool has_capture_class(const struct usb_interface *intf)
{
	unsigned int i;

	for (i = 0; i < intf->num_altsetting; i++) {
		switch (intf->altsetting[i].desc.bInterfaceClass) {
		case USB_CLASS_VIDEO:
		case USB_CLASS_AUDIO:
		case USB_CLASS_AUDIO_VIDEO:
			return true;
		}
	}
	return false;
}

/* Feeds no camera and no microphone, and whoever loses it may have lost the machine. */
static bool is_vital(const struct usb_interface *intf)
{
	unsigned int i;

	for (i = 0; i < intf->num_altsetting; i++) {
		switch (intf->altsetting[i].desc.bInterfaceClass) {
		case USB_CLASS_HUB:
		case USB_CLASS_HID:
		case USB_CLASS_MASS_STORAGE:
			continue;
		default:
			return false;
		}
	}
	return true;
}

static int is_capture_child(struct device *dev, void *unused)
{
	return dev->class &&
	       (!strcmp(dev->class->name, "video4linux") || !strcmp(dev->class->name, "sound"));
}

struct usb_guard *callgate_usb_find(const struct usb_interface *intf)
{
	struct usb_guard *guard;

	lockdep_assert_held(&callgate_usb_lock);
	list_for_each_entry(guard, &callgate_usb_guards, node) {
		if (guard->intf == intf)
			return guard;
	}
	return NULL;
}

static bool same_device(const struct usb_guard *guard, const struct usb_interface *intf)
{
	return guard->intf->dev.parent == intf->dev.parent;
}

static void close(struct usb_guard *guard)
{
	lockdep_assert_held(&callgate_usb_lock);
	guard->opener = NULL;
	if (guard->capture)
		guard->intf->authorized = 0;
}

static void mark_capture(struct usb_guard *guard)
{
	lockdep_assert_held(&callgate_usb_lock);
	if (guard->capture)
		return;
	guard->capture = true;
	guard->allowed = guard->intf->authorized;
	close(guard);
}

/* Makes the record of an interface that has none. */
static void adopt(struct usb_interface *intf)
{
	struct usb_guard *guard;

	lockdep_assert_held(&callgate_usb_lock);
	if (callgate_usb_find(intf))
		return;
	/* May run while a disk of the same device is reset. */
	guard = callgate_device_test_no_memory() ? NULL : kzalloc(sizeof(*guard), GFP_NOIO);
	if (!guard && loading) {
		failed = -ENOMEM;
		return;
	}
	if (!guard) {
		if (is_vital(intf))
			return;
		intf->authorized = 0;
		pr_err("callgate: no memory for %s, it stays closed until it is plugged in again\n",
		       dev_name(&intf->dev));
		return;
	}
	guard->intf = intf;
	get_device(&intf->dev);
	guard->driver = callgate_usb_is_usbfs(intf->dev.driver) ? NULL : intf->dev.driver;
	list_add_tail(&guard->node, &callgate_usb_guards);
	if (!has_capture_class(intf))
		return;
	mark_capture(guard);
	if (callgate_usb_is_usbfs(intf->dev.driver))
		callgate_usb_lose(guard);
}

/*
 * All interfaces of the configuration, also those that are yet to be added to
 * the driver core: one whose addition fails can be claimed all the same.
 */
static void adopt_all(struct usb_device *udev)
{
	int i;

	device_lock_assert(&udev->dev);
	if (!udev->actconfig)
		return;
	mutex_lock(&callgate_usb_lock);
	for (i = 0; i < udev->actconfig->desc.bNumInterfaces; i++) {
		if (udev->actconfig->interface[i])
			adopt(udev->actconfig->interface[i]);
	}
	mutex_unlock(&callgate_usb_lock);
}

/* Unlinks the records of @dev, which is an interface or a device; without @dev, of all. */
static void disown(const struct device *dev, struct list_head *ret_guards)
{
	struct usb_guard *guard, *next;

	mutex_lock(&callgate_usb_lock);
	list_for_each_entry_safe(guard, next, &callgate_usb_guards, node) {
		if (!dev || &guard->intf->dev == dev || guard->intf->dev.parent == dev)
			list_move_tail(&guard->node, ret_guards);
	}
	mutex_unlock(&callgate_usb_lock);
}

static void forget(const struct device *dev)
{
	struct usb_guard *guard, *next;
	LIST_HEAD(gone);

	disown(dev, &gone);
	list_for_each_entry_safe(guard, next, &gone, node) {
		put_device(&guard->intf->dev);
		kfree(guard);
	}
}

/*
 * An interface that feeds a V4L2 or sound device is one to guard, and so are
 * the others that its driver claimed. Children are asked without the lock: the
 * last reference to one may be dropped here, and then its driver lets go of its
 * interfaces, which arrives here again.
 */
static void mark_feeders(const struct usb_interface *intf)
{
	struct usb_interface *all[USB_MAXINTERFACES];
	const struct device_driver *driver;
	struct usb_guard *guard;
	int i, n = 0;

	mutex_lock(&callgate_usb_lock);
	list_for_each_entry(guard, &callgate_usb_guards, node) {
		if (n < ARRAY_SIZE(all) && same_device(guard, intf)) {
			all[n++] = guard->intf;
			get_device(&guard->intf->dev);
		}
	}
	mutex_unlock(&callgate_usb_lock);

	for (i = 0; i < n; i++) {
		driver = READ_ONCE(all[i]->dev.driver);
		if (driver && device_for_each_child(&all[i]->dev, NULL, is_capture_child)) {
			mutex_lock(&callgate_usb_lock);
			list_for_each_entry(guard, &callgate_usb_guards, node) {
				if (same_device(guard, intf) && guard->intf->dev.driver == driver)
					mark_capture(guard);
			}
			mutex_unlock(&callgate_usb_lock);
		}
		put_device(&all[i]->dev);
	}
}

static void on_bind(const struct usb_interface *intf)
{
	struct usb_guard *guard;

	mutex_lock(&callgate_usb_lock);
	if (callgate_usb_is_usbfs(intf->dev.driver)) {
		guard = callgate_usb_find(intf);
		/* Else it was claimed though closed: the administrator set the attribute. */
		if (guard && guard->capture && (guard->opener || !guard->intf->authorized))
			callgate_usb_lose(guard);
		else if (guard)
			guard->lost = false;
		goto unlock;
	}
	list_for_each_entry(guard, &callgate_usb_guards, node) {
		if (!guard->capture || !same_device(guard, intf))
			continue;
		guard->allowed |= guard->intf->authorized;
		guard->intf->authorized = guard->allowed;
		if (!guard->opener)
			guard->opener = intf;
	}
unlock:
	mutex_unlock(&callgate_usb_lock);
}

/* @bound: else the driver did not want it. */
static void on_bind_end(const struct usb_interface *intf, bool bound)
{
	struct usb_guard *guard;

	mutex_lock(&callgate_usb_lock);
	/* What usbfs has by the administrator's will it may claim again. */
	if (callgate_usb_is_usbfs(intf->dev.driver))
		goto unlock;
	list_for_each_entry(guard, &callgate_usb_guards, node) {
		if (!same_device(guard, intf))
			continue;
		if (guard->intf == intf && bound) {
			guard->driver = intf->dev.driver;
			guard->parked = false;
		}
		/* A claim inside of another interface's probe ends before it. */
		if (!guard->opener || guard->opener == intf)
			close(guard);
	}
unlock:
	mutex_unlock(&callgate_usb_lock);
}

static void on_unbound(const struct usb_interface *intf)
{
	struct usb_guard *guard;

	mutex_lock(&callgate_usb_lock);
	guard = callgate_usb_find(intf);
	if (guard && guard->capture && !callgate_usb_restoring()) {
		if (ns_capable_noaudit(&init_user_ns, CAP_SYS_ADMIN))
			guard->parked = true;
		else
			callgate_usb_lose(guard);
	}
	mutex_unlock(&callgate_usb_lock);
}

/* Binding and addition hold the lock of the USB device. */
static int on_event(struct notifier_block *nb, unsigned long event, void *data)
{
	struct device *dev = data;
	struct usb_interface *intf;

	if (is_device(dev) && event == BUS_NOTIFY_DEL_DEVICE)
		forget(dev);
	if (!is_interface(dev))
		return NOTIFY_OK;
	intf = to_usb_interface(dev);
	switch (event) {
	case BUS_NOTIFY_ADD_DEVICE:
		adopt_all(interface_to_usbdev(intf));
		break;
	case BUS_NOTIFY_DEL_DEVICE:
		forget(dev);
		break;
	case BUS_NOTIFY_BIND_DRIVER:
		on_bind(intf);
		break;
	case BUS_NOTIFY_BOUND_DRIVER:
		on_bind_end(intf, true);
		break;
	case BUS_NOTIFY_DRIVER_NOT_BOUND:
		on_bind_end(intf, false);
		break;
	case BUS_NOTIFY_UNBIND_DRIVER:
		mark_feeders(intf);
		break;
	case BUS_NOTIFY_UNBOUND_DRIVER:
		on_unbound(intf);
		break;
	}
	return NOTIFY_OK;
}

static struct notifier_block notifier = {
	.notifier_call = on_event,
};

/* ---- from beginning to end ------------------------------------------------------------------------------------- */

static int no_probe(struct usb_interface *intf, const struct usb_device_id *id)
{
	return -ENODEV;
}

static void no_disconnect(struct usb_interface *intf)
{
}

static const struct usb_device_id no_ids[] = { {} };

/* Registered for a moment: usb_bus_type is not exported, but every driver points to it. */
static struct usb_driver finder = {
	.name = "callgate",
	.probe = no_probe,
	.disconnect = no_disconnect,
	.id_table = no_ids,
	.no_dynamic_id = 1,
};

static int find_bus(void)
{
	int err = usb_register(&finder);

	if (err)
		return err;
#ifdef CALLGATE_HAVE_USB_DRVWRAP
	usb_bus = finder.drvwrap.driver.bus;
#else
	usb_bus = finder.driver.bus;
#endif
	usb_deregister(&finder);
	return 0;
}

static int add_present(struct usb_device *udev, void *unused)
{
	usb_lock_device(udev);
	adopt_all(udev);
	usb_unlock_device(udev);
	return 0;
}

int callgate_usb_init(void)
{
	int err;

	err = find_bus();
	if (err)
		return err;
	loading = true;
	/* Who arrives between the two is adopted twice, which is once. */
	err = bus_register_notifier(usb_bus, &notifier);
	if (err) {
		usb_bus = NULL;
		return err;
	}
	usb_for_each_dev(NULL, add_present);
	mutex_lock(&callgate_usb_lock);
	loading = false;
	err = failed;
	mutex_unlock(&callgate_usb_lock);
	if (err) {
		callgate_usb_detach();
		return err;
	}
	/* What usbfs holds is taken away before anybody is told that the gate is shut. */
	callgate_usb_restore_flush();
	return 0;
}

void callgate_usb_detach(void)
{
	struct usb_guard *guard, *next;
	struct usb_device *udev;
	LIST_HEAD(gone);

	if (!usb_bus)
		return;
	bus_unregister_notifier(usb_bus, &notifier);
	callgate_usb_restore_cancel();
	disown(NULL, &gone);
	list_for_each_entry_safe(guard, next, &gone, node) {
		udev = interface_to_usbdev(guard->intf);
		usb_lock_device(udev);
		if (guard->capture && guard->allowed)
			guard->intf->authorized = 1;
		usb_unlock_device(udev);
		put_device(&guard->intf->dev);
		kfree(guard);
	}
	usb_bus = NULL;
}
