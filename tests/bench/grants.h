/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* As many grants as a measurement needs; the calling process is controller and subject in one. */
#ifndef BENCH_GRANTS_H
#define BENCH_GRANTS_H

#include <sys/types.h>

enum grants_way {
	GRANTS_PROCESS,
	GRANTS_CGROUP,
};

/*
 * Binds to the gate and makes @count grants, one of them for this process or its group, the others for others. @own: how
 * many sessions this process is in; only the oldest covers a camera. Ends the program on failure.
 */
void grants_prepare(enum grants_way way, unsigned int count, unsigned int own);
/* One more process that may capture. */
void grants_also(pid_t pid);
/* All of them anew, before one reaches its deadline. Nothing where grants_prepare() was not called. */
void grants_renew(void);

/* Ends the program with @what and errno. */
_Noreturn void grants_die(const char *what);

#endif
