/* SPDX-License-Identifier: GPL-2.0-only */
/* What the V4L2 files meet differently between kernels; probed by type and by macro, not by version number. */
#ifndef CALLGATE_V4L2_COMPAT_H
#define CALLGATE_V4L2_COMPAT_H

#include <linux/fs.h>

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
