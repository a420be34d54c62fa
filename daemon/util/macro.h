/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Cleanup attributes and the few macros that every file wants. An owning local is declared with _cleanup_(fn), where fn
 * takes a pointer to the variable; DEFINE_CLEANUP makes such a function from one that frees.
 */
#pragma once

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(fn) __attribute__((cleanup(fn)))

#define DEFINE_CLEANUP(type, fn)           \
	static inline void fn##_p(type *p) \
	{                                  \
		if (*p)                    \
			fn(*p);            \
	}                                  \
	struct cleanup_needs_a_semicolon

static inline void macro_free_p(void *p)
{
	free(*(void **)p);
}

static inline void macro_close_p(int *fd)
{
	if (*fd >= 0) {
		int saved = errno;

		close(*fd);
		errno = saved;
	}
}

#define _cleanup_free_	_cleanup_(macro_free_p)
#define _cleanup_close_ _cleanup_(macro_close_p)

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Hands a pointer to the caller and leaves NULL for the cleanup attribute. */
#define TAKE_PTR(p)                         \
	({                                  \
		__typeof__(p) taken_ = (p); \
		(p) = NULL;                 \
		taken_;                     \
	})

static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}
