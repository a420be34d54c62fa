/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef KSELFTEST_URING_H
#define KSELFTEST_URING_H

#include <stddef.h>

/* Who does it: the caller itself if it can, a worker of the ring, or the ring's polling thread. */
enum uring_mode {
	URING_INLINE,
	URING_ASYNC,
	URING_SQPOLL,
	URING_MODES
};

/* One operation on a ring of its own: its result, or a negative errno. */
long uring_read(int fd, void *data, size_t size, enum uring_mode mode);
long uring_poll(int fd, unsigned int events, enum uring_mode mode);

#endif
