/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/**
 * hex_encode - bytes as lower-case hexadecimal
 * @p: bytes
 * @len: how many
 * @ret: 2 * @len + 1 characters, with the final NUL
 *
 * Not constant-time: for public values only.
 */
void hex_encode(const void *p, size_t len, char *ret);

/**
 * hex_decode - hexadecimal of either case to bytes
 * @text: NUL-terminated
 * @ret: room for @size bytes; contents are undefined on failure
 * @size: at most this many
 *
 * Return: number of bytes, -EINVAL for an odd length or another character, -ENOSPC when it does not fit.
 */
ssize_t hex_decode(const char *text, void *ret, size_t size);
