/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every difference between kernels that the common files meet. Probed by what
 * a header offers, not by version number: stable branches take backports.
 * CALLGATE_HAVE_* come from Kbuild.
 */
#ifndef CALLGATE_COMPAT_H
#define CALLGATE_COMPAT_H

#include <linux/device.h>
#include <linux/device/class.h>
#include <linux/fs.h>
#include <linux/fs_struct.h>
#include <linux/hrtimer.h>
#include <linux/mm_types.h>
#include <linux/namei.h>
#include <linux/rcupdate.h>
#include <linux/sched/task.h>
#include <linux/workqueue.h>

/* A reference to the executable of @mm, or NULL. The caller keeps @mm alive. */
static inline struct file *callgate_get_exe_file(struct mm_struct *mm)
{
	struct file *file;

	rcu_read_lock();
#ifdef get_file_rcu
	/* The macro takes the file; a file that is being released is tried again. */
	do {
		file = rcu_dereference(mm->exe_file);
	} while (file && !get_file_rcu(file));
#else
	file = get_file_rcu(&mm->exe_file);
#endif
	rcu_read_unlock();
	return file;
}

/* The existing file @name in the directory @base itself, never in what is mounted there. */
static inline struct dentry *callgate_lookup(const char *name, struct dentry *base)
{
#ifdef CALLGATE_HAVE_LOOKUP_NOPERM
	return lookup_noperm_positive_unlocked(&QSTR(name), base);
#else
	return lookup_positive_unlocked(name, base, strlen(name));
#endif
}

/* The root that programs are started in; init_task and kernel threads have an empty one in newer kernels. */
static inline void callgate_initial_root(struct path *ret_root)
{
#ifdef CALLGATE_HAVE_USERSPACE_INIT_FS
	get_fs_root(userspace_init_fs, ret_root);
#else
	get_fs_root(init_task.fs, ret_root);
#endif
}

/* d_path() against that root. In a kernel thread only. */
static inline char *callgate_initial_d_path(const struct path *path, char *buf, int size)
{
#ifdef CALLGATE_HAVE_USERSPACE_INIT_FS
	char *name;

	scoped_with_init_fs()
	{
		name = d_path(path, buf, size);
	}
	return name;
#else
	return d_path(path, buf, size);
#endif
}

/* The shared queue of work that is bound to no processor. */
static inline struct workqueue_struct *callgate_unbound_queue(void)
{
#ifdef CALLGATE_HAVE_SYSTEM_DFL_WQ
	return system_dfl_wq;
#else
	return system_unbound_wq;
#endif
}

static inline void callgate_hrtimer_init(struct hrtimer *timer,
					 enum hrtimer_restart (*function)(struct hrtimer *),
					 clockid_t clock)
{
#ifdef CALLGATE_HAVE_HRTIMER_SETUP
	hrtimer_setup(timer, function, clock, HRTIMER_MODE_ABS);
#else
	hrtimer_init(timer, clock, HRTIMER_MODE_ABS);
	timer->function = function;
#endif
}

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

#endif
