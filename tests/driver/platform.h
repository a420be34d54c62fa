/* SPDX-License-Identifier: GPL-2.0-only */
/* What the drivers for tests have in common: one device, which is there as long as the module. */
#ifndef GATE_PLATFORM_H
#define GATE_PLATFORM_H

#include <linux/err.h>
#include <linux/module.h>
#include <linux/platform_device.h>

#ifdef GATETEST_REMOVE_INT
#define GATE_REMOVED	  int
#define GATE_REMOVED_DONE 0
#else
#define GATE_REMOVED void
#define GATE_REMOVED_DONE
#endif

/* @probe_: @remove_: int and void of a struct platform_device, which is bound and unbound through sysfs as @name_ as well */
#define GATE_PLATFORM_DRIVER(name_, probe_, remove_)                                       \
	static GATE_REMOVED gate_platform_remove(struct platform_device *pdev)             \
	{                                                                                  \
		remove_(pdev);                                                             \
		return GATE_REMOVED_DONE;                                                  \
	}                                                                                  \
	static struct platform_driver gate_platform_driver = {                             \
		.probe = probe_,                                                           \
		.remove = gate_platform_remove,                                            \
		.driver = { .name = name_ },                                               \
	};                                                                                 \
	static struct platform_device *gate_platform_device;                               \
	static int __init gate_platform_init(void)                                         \
	{                                                                                  \
		int err = platform_driver_register(&gate_platform_driver);                 \
                                                                                           \
		if (err)                                                                   \
			return err;                                                        \
		gate_platform_device = platform_device_register_simple(name_, 0, NULL, 0); \
		if (IS_ERR(gate_platform_device))                                          \
			platform_driver_unregister(&gate_platform_driver);                 \
		return PTR_ERR_OR_ZERO(gate_platform_device);                              \
	}                                                                                  \
	static void __exit gate_platform_exit(void)                                        \
	{                                                                                  \
		platform_device_unregister(gate_platform_device);                          \
		platform_driver_unregister(&gate_platform_driver);                         \
	}                                                                                  \
	module_init(gate_platform_init);                                                   \
	module_exit(gate_platform_exit)

#endif
