/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One picture of a camera, by whoever calls. Each function: 0 or more, or a negative errno. */
#ifndef KSELFTEST_FRAME_H
#define KSELFTEST_FRAME_H

#include <stdbool.h>
#include <stddef.h>

/* A picture of @node through a file of its own, which does not wait to be allowed. */
long frame_take(const char *node);
/* Asks @node for buffers, and waits to be allowed. */
long frame_ask(const char *node);
/* Begins a capture; its descriptor. The buffers stay mapped until the process ends or calls exec. */
long frame_begin(const char *node);
/* The next picture of it. */
long frame_next(int fd);
/* Is there anything but zeros? */
bool frame_any(const void *data, size_t length);

#endif
