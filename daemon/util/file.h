/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/**
 * file_read_private - read a small file that only this process's user may read or write
 * @dir: open directory, or AT_FDCWD
 * @name: one path component, or a path with AT_FDCWD; the last component is not followed if it is a link
 * @ret: room for @size bytes
 *
 * Return: the length; -ENOENT; -ELOOP for a symbolic link; -EPERM unless it is a regular file with one name, owned by this
 * user and closed to group and others; -EFBIG when it is longer than @size; another negative errno.
 */
ssize_t file_read_private(int dir, const char *name, void *ret, size_t size);

/**
 * file_write_private - replace a file durably: after a crash it has the old bytes or the new ones
 * @dir: open directory, not AT_FDCWD
 * @name: one path component
 *
 * Temporary file of mode 0600 beside it, fsync, rename, fsync of the directory.
 *
 * Return: 0 or a negative errno; the old file is then untouched, unless only the last fsync failed.
 */
int file_write_private(int dir, const char *name, const void *data, size_t len);

/** file_is_temporary - is this a name that file_write_private() uses beside the file, and may have left in a crash? */
bool file_is_temporary(const char *name);
