/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A page that stops whoever touches it, also the kernel, until it is let go:
 * how a program holds up an operation inside a driver.
 */
#ifndef KSELFTEST_STALL_H
#define KSELFTEST_STALL_H

#include <stdbool.h>

/* As root, once: ordinary users may have such pages. False: this kernel has none. */
bool stall_permit(void);

/* Two pages, the second of which stops; this is where that begins. NULL: errno. One at a time for a process. */
void *stall_page(void);
/* Has somebody run into it? */
bool stall_reached(int ms);
/* Lets it go. */
void stall_end(void);

/* Runs @fn on a thread of its own, and gives its result, or -EBUSY after @ms. One at a time. */
int stall_thread(long (*fn)(void *arg), void *arg);
long stall_result(int ms);

#endif
