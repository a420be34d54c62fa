// SPDX-License-Identifier: GPL-2.0-only
/*
 * Init and exit.
 *
 * Owns the order: the books are ready and the family answers before the first
 * device is gated, and every device is given back before the books close. Until
 * the last step of init nothing that was gated opens, because there is no grant.
 */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched.h>

#include "alsa-compr.h"
#include "alsa.h"
#include "check.h"
#include "device.h"
#include "grant.h"
#include "netlink.h"
#include "request.h"
#include "subject.h"
#include "usb.h"
#include "v4l2.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

static bool permissive;
module_param(permissive, bool, 0444);
MODULE_PARM_DESC(permissive, "start in permissive mode: report, deny nothing");

/* Guards writing @attached; the subsystems' locks nest inside. */
static DEFINE_MUTEX(attach_lock);
static bool attached;

static int refuse_attached(const char *value, const struct kernel_param *param)
{
	return -EINVAL;
}

static const struct kernel_param_ops attached_ops = {
	.set = refuse_attached,
	.get = param_get_bool,
};

/* What udev rules ask. */
module_param_cb(attached, &attached_ops, &attached, 0444);
MODULE_PARM_DESC(attached, "read only: the gate holds the devices");

#if defined(CALLGATE_TEST) && defined(CONFIG_FAULT_INJECTION)
static uint test_fail_nth;
module_param(test_fail_nth, uint, 0400);
MODULE_PARM_DESC(test_fail_nth, "test builds: which allocation of the initialisation fails");

/* From here on, because what is done before is the kernel's, and warns if it fails. */
static void begin_failing(void)
{
	current->fail_nth = test_fail_nth;
}
#else
static void begin_failing(void)
{
}
#endif

static void set_attached(bool value)
{
	lockdep_assert_held(&attach_lock);
	WRITE_ONCE(attached, value);
	kobject_uevent(&THIS_MODULE->mkobj.kobj, KOBJ_CHANGE);
}

static void give_back(void)
{
	lockdep_assert_held(&attach_lock);
	callgate_usb_detach();
	callgate_v4l2_detach();
	callgate_alsa_detach();
	callgate_compr_detach();
	callgate_device_drain();
	callgate_v4l2_free();
	callgate_alsa_free();
	set_attached(false);
}

/*
 * A module that put its table over ours goes on calling our code, and nothing of
 * it holds us: its user has to unload it first. Nobody opens a camera meanwhile.
 */
static void wait_for_the_top(void)
{
	bool said = false;

	while (callgate_v4l2_covered() || callgate_alsa_covered() || callgate_compr_covered()) {
		if (!said)
			pr_warn("callgate: another module sits on top of the gate, unloading waits until it is unloaded\n");
		said = true;
		msleep(100);
	}
}

static int attach(void)
{
	int err;

	lockdep_assert_held(&attach_lock);
	err = callgate_v4l2_init();
	if (err)
		return err;
	err = callgate_alsa_init();
	if (err)
		goto detach_v4l2;
	err = callgate_compr_init();
	if (err)
		goto detach_alsa;
	err = callgate_usb_init();
	if (err)
		goto detach_compr;
	set_attached(true);
	return 0;

detach_compr:
	callgate_compr_detach();
detach_alsa:
	callgate_alsa_detach();
detach_v4l2:
	callgate_v4l2_detach();
	callgate_device_drain();
	callgate_v4l2_free();
	callgate_alsa_free(); /* nothing, of a side that did not come up */
	return err;
}

static int detach(void)
{
	int err = 0;

	mutex_lock(&attach_lock);
	if (attached && callgate_v4l2_detachable() && callgate_alsa_detachable() &&
	    callgate_compr_detachable())
		give_back();
	else if (attached)
		err = -EBUSY;
	mutex_unlock(&attach_lock);
	return err;
}

static int __init callgate_init(void)
{
	int err;

	begin_failing();
	callgate_subject_init();
	callgate_check_set_permissive(permissive);
	err = callgate_device_init();
	if (err)
		return err;
	err = callgate_grant_init(callgate_device_revoke_all);
	if (err)
		goto exit_device;
	mutex_lock(&attach_lock);
	err = attach();
	mutex_unlock(&attach_lock);
	if (err)
		goto exit_request;
	/* Last: a controller may hold a file of ours from here on, which a failure would pull its code from under. */
	err = callgate_netlink_init(detach);
	if (err)
		goto give_back;
	return 0;

give_back:
	mutex_lock(&attach_lock);
	give_back();
	mutex_unlock(&attach_lock);
exit_request:
	callgate_request_exit();
	callgate_grant_exit();
exit_device:
	callgate_device_exit();
	return err;
}

static void __exit callgate_exit(void)
{
	mutex_lock(&attach_lock);
	if (attached) {
		wait_for_the_top();
		give_back();
	}
	mutex_unlock(&attach_lock);
	callgate_netlink_exit();
	callgate_request_exit();
	callgate_grant_exit();
	callgate_device_exit();
}

module_init(callgate_init);
module_exit(callgate_exit);

MODULE_DESCRIPTION("Denies camera and microphone capture outside approved calls");
MODULE_LICENSE("GPL");
