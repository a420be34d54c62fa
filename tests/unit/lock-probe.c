// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Asks what secret memory is really like, from a program without sanitizers: their mlock() does nothing. Run by test-crypto.
 *
 * Usage: lock-probe locked | unlockable. Exit status 0: as it should be.
 */
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "crypto.h"

/* Whether the entry of /proc/self/smaps that holds @p has @flag; -1 when there is no such file. */
static int smaps_has(const void *p, const char *flag)
{
	FILE *f = fopen("/proc/self/smaps", "re");
	unsigned long start, end, at = (unsigned long)p;
	char line[512];
	int inside = 0, found = 0;

	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			inside = at >= start && at < end;
		else if (inside && strncmp(line, "VmFlags:", 8) == 0)
			found = strstr(line, flag) != NULL;
	}
	fclose(f);
	return found;
}

static int locked(void)
{
	void *p = crypto_secret_new(100);
	int r;

	if (!p)
		return 1;
	/* Locked, left out of dumps, emptied at fork. */
	r = smaps_has(p, " lo") != 1 || smaps_has(p, " dd") != 1 || smaps_has(p, " wf") != 1;
	crypto_secret_free(p);
	return r;
}

static int unlockable(void)
{
	const struct rlimit none = {};
	void *p;

	if (setrlimit(RLIMIT_MEMLOCK, &none) < 0)
		return 2;
	if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setgid(65534) < 0 || setuid(65534) < 0))
		return 2;
	errno = 0;
	p = crypto_secret_new(100);
	return p != NULL || (errno != EPERM && errno != ENOMEM);
}

int main(int argc, char **argv)
{
	if (argc != 2 || crypto_init() < 0)
		return 2;
	if (strcmp(argv[1], "locked") == 0)
		return locked();
	if (strcmp(argv[1], "unlockable") == 0)
		return unlockable();
	return 2;
}
