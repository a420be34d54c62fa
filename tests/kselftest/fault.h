/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory that runs out for this process, and what must be denied whatever fails. */
#ifndef KSELFTEST_FAULT_H
#define KSELFTEST_FAULT_H

#include <stdbool.h>

/* More than any call makes. */
#define FAULT_SWEEP 4000

/* Skips the test on a kernel that injects no faults. */
void fault_prepare(void);
/* The @n-th allocation, or copy from and to user memory, of this thread fails from now on. */
void fault_arm(int n);
/* No more. Did it happen? */
bool fault_disarm(void);

/* Asks for buffers. Negative errno. */
long fault_buffers(int fd);
/* Sets up a PCM for read() and starts it. Negative errno. */
long fault_start_capture(int fd);

/* Each camera that there is; one that cannot be opened is denied too. */
void fault_expect_camera_denied(const char *when, int n);
/* Each substream of the first card. */
void fault_expect_microphones_denied(const char *when, int n);
void fault_expect_denied(const char *when, int n);

/*
 * main() of a test that uses the above: what a fault hits must be the kernel under test, not what the C library and the
 * kernel arrange between them.
 */
int fault_main(int argc, char **argv);

#endif
