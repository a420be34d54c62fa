/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel's short names of integers, for pure files of the module in user space. */
#ifndef CALLGATE_KERNEL_SHIM_TYPES_H
#define CALLGATE_KERNEL_SHIM_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#endif
