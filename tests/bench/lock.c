// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Owns mlock() in the daemon that is measured with more sessions than the product allows, and in no other program. Each session's keys lie in a
 * locked page, and who may not raise RLIMIT_MEMLOCK, as in a container, can hold no more than 2,000. Beyond that limit the page is
 * only touched: it takes the same memory, and could be swapped out.
 */
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

int mlock(const void *address, size_t length)
{
	const volatile char *at = address;

	if (syscall(SYS_mlock, address, length) == 0)
		return 0;
	for (size_t i = 0; i < length; i++)
		(void)at[i];
	return 0;
}
