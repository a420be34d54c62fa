/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* As much of the kernel's type information as loading one program of the BPF LSM takes. */
#ifndef BENCH_BTF_H
#define BENCH_BTF_H

#include <stdint.h>

/* Reads /sys/kernel/btf/vmlinux; -1 with errno. */
int btf_load(void);
/* The type id of a function; 0: there is none. */
uint32_t btf_function(const char *name);
/* Where in a structure a member lies, in bytes; -1: nowhere. */
int btf_offset(const char *structure, const char *member);

#endif
