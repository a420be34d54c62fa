// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Preloaded into a daemon by secrets.py: the process stays dumpable, and its core dump may be as long as can be. So it is the memory's
 * own protection that is looked at in its core dump, and not only that there is none.
 */
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

int prctl(int option, ...)
{
	unsigned long arguments[4];
	va_list list;

	va_start(list, option);
	for (int i = 0; i < 4; i++)
		arguments[i] = va_arg(list, unsigned long);
	va_end(list);
	if (option == PR_SET_DUMPABLE)
		arguments[0] = 1;
	return (int)syscall(SYS_prctl, option, arguments[0], arguments[1], arguments[2],
			    arguments[3]);
}

int setrlimit(__rlimit_resource_t resource, const struct rlimit *limit)
{
	struct rlimit most;

	if (resource == RLIMIT_CORE) {
		if (getrlimit(RLIMIT_CORE, &most) < 0)
			return -1;
		most.rlim_cur = most.rlim_max;
		limit = &most;
	}
	return (int)syscall(SYS_prlimit64, 0, resource, limit, NULL);
}
