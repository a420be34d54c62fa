/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sealed bytes that pass from one process of the daemon to the next, once. */
#ifndef CALLGATE_HANDOVER_H
#define CALLGATE_HANDOVER_H

#include <stddef.h>
#include <stdint.h>

#include "bounds.h"
#include "crypto.h"

#define HANDOVER_HEAD_LEN 5
#define HANDOVER_MAX	  ((size_t)BOUND_SESSIONS * 8192 + 64)

/**
 * handover_write() - seal bytes into a memfd
 * @ret_fd: its content cannot be changed any more by anybody
 * @ret_key_fd: a pipe with the key, for one reading
 *
 * Return: 0 or negative errno.
 */
int handover_write(const void *data, size_t len, int *ret_fd, int *ret_key_fd);

/**
 * handover_read() - the reverse; afterwards nobody can do it again
 * @fd, @key_fd: stay the caller's
 * @ret: crypto_secret_free() it
 *
 * Return: 0; -EBADMSG for anything that handover_write() did not make, or made for another version; -ENOKEY: it was read
 * before; another negative errno.
 */
int handover_read(int fd, int key_fd, void **ret, size_t *ret_len);

#endif
