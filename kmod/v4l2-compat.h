/* SPDX-License-Identifier: GPL-2.0-only */
/* What the V4L2 files meet differently between kernels; probed by type and by macro, not by version number. */
#ifndef CALLGATE_V4L2_COMPAT_H
#define CALLGATE_V4L2_COMPAT_H

#include <linux/device/class.h>
#include <linux/fs.h>

/* The callbacks of a class interface had the interface itself as a second argument up to 6.3. */
#define CALLGATE_CLASS_INTERFACE(name, add, remove)                                                \
	static int __maybe_unused name##_add_two(struct device *dev, struct class_interface *intf) \
	{                                                                                          \
		return add(dev);                                                                   \
	}                                                                                          \
	static void __maybe_unused name##_remove_two(struct device *dev,                           \
						     struct class_interface *intf)                 \
	{                                                                                          \
		remove(dev);                                                                       \
	}                                                                                          \
	static struct class_interface name = {                                                     \
		.add_dev = __builtin_choose_expr(                                                  \
			__builtin_types_compatible_p(typeof_member(struct class_interface,         \
								   add_dev),                       \
						     int (*)(struct device *)),                    \
			add, name##_add_two),                                                      \
		.remove_dev = __builtin_choose_expr(                                               \
			__builtin_types_compatible_p(typeof_member(struct class_interface,         \
								   remove_dev),                    \
						     void (*)(struct device *)),                   \
			remove, name##_remove_two),                                                \
	}

/* A reference to *@file unless it is being released already. The caller keeps it from being freed. */
static inline struct file *callgate_get_file_active(struct file **file)
{
#ifdef get_file_rcu
	return get_file_rcu(*file) ? *file : NULL;
#else
	return get_file_active(file);
#endif
}

#endif
