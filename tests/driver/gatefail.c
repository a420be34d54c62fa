// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes the driver core's addition of one device fail, as it does when memory runs out there: the caller of
 * device_add() is told so, and nothing was added.
 *
 * Owns the probe. Knows nothing of the gate, and is loaded by tests only.
 */
#include <linux/device.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/string.h>

static char *name = "";
module_param(name, charp, 0400);
MODULE_PARM_DESC(name, "the end of the device's name, as in \":1.1\"");

static uint failed;
module_param(failed, uint, 0400);
MODULE_PARM_DESC(failed, "read only: how many additions failed");

static int no_memory(struct device *dev)
{
	return -ENOMEM;
}

/* Runs where device_add() begins, with its arguments and its return address: what it jumps to stands in for it. */
static int before_addition(struct kprobe *probe, struct pt_regs *regs)
{
	const struct device *dev = (void *)regs_get_kernel_argument(regs, 0);
	size_t length = strlen(dev_name(dev)), wanted = strlen(name);

	if (!wanted || length < wanted || strcmp(dev_name(dev) + length - wanted, name))
		return 0;
	failed++;
	instruction_pointer_set(regs, (unsigned long)no_memory);
	return 1;
}

/* With it the probe is never made a plain jump, which could not be led elsewhere. */
static void after_addition(struct kprobe *probe, struct pt_regs *regs, unsigned long flags)
{
}

static struct kprobe probe = {
	.symbol_name = "device_add",
	.pre_handler = before_addition,
	.post_handler = after_addition,
};

static int __init gatefail_init(void)
{
	return register_kprobe(&probe);
}

static void __exit gatefail_exit(void)
{
	unregister_kprobe(&probe);
}

module_init(gatefail_init);
module_exit(gatefail_exit);
MODULE_DESCRIPTION("Makes the addition of a device fail, for tests");
MODULE_LICENSE("GPL");
