/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A message, with or without a descriptor, between a test and the programs that act for it. */
#ifndef KSELFTEST_PASSING_H
#define KSELFTEST_PASSING_H

#include <sys/types.h>

/* fd: -1 for none. Ends the process where the other end is gone. */
void passing_send(int sock, const void *data, size_t size, int fd);
/* flags: of recvmsg(). The bytes received, 0 when the other end is gone; *ret_fd is -1 where none came. */
ssize_t passing_receive(int sock, void *data, size_t size, int flags, int *ret_fd);

#endif
