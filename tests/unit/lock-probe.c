// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Asks what secret memory is really like, from a program without sanitizers: their mlock() does nothing. Run by test-crypto.
 *
 * Usage: lock-probe locked | unlockable | forked. Exit status 0: as it should be.
 */
#include <errno.h>
#include <grp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
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

#define MASK 0x5a

/* How often the bytes that @masked hides are in what this process can read of itself. -1: cannot look. */
static int memory_has(const uint8_t *masked, size_t len)
{
	unsigned long start, end;
	char line[512], mode[8];
	FILE *f = fopen("/proc/self/maps", "re");
	int found = 0;

	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx %7s", &start, &end, mode) != 3 || mode[0] != 'r' ||
		    strstr(line, "[v"))
			continue;
		for (const uint8_t *p = (const uint8_t *)start; p + len <= (const uint8_t *)end;
		     p++) {
			size_t i = 0;

			while (i < len && (p[i] ^ MASK) == masked[i])
				i++;
			found += i == len;
		}
	}
	fclose(f);
	return found;
}

/* What a forked child finds when it looks through all of its memory. */
static int forked(void)
{
	uint8_t masked[2][32], *secret = crypto_secret_new(32), *marker = malloc(32);
	int status;
	pid_t pid;

	if (!secret || !marker)
		return 2;
	/* Kept masked, or the search would find what it looks for where it is told. */
	crypto_random(masked, sizeof(masked));
	for (size_t i = 0; i < 32; i++) {
		secret[i] = masked[0][i] ^ MASK;
		marker[i] = masked[1][i] ^ MASK;
	}
	/* Here both are found. */
	if (memory_has(masked[0], 32) < 1 || memory_has(masked[1], 32) < 1)
		return 2;
	pid = fork();
	if (pid == 0)
		_exit(memory_has(masked[1], 32) < 1 ? 2 : memory_has(masked[0], 32) != 0);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return 2;
	free(marker);
	crypto_secret_free(secret);
	return WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
	if (argc != 2 || crypto_init() < 0)
		return 2;
	if (strcmp(argv[1], "locked") == 0)
		return locked();
	if (strcmp(argv[1], "unlockable") == 0)
		return unlockable();
	if (strcmp(argv[1], "forked") == 0)
		return forked();
	return 2;
}
