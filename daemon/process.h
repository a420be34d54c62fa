/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Processes: who they are, and the label of the app that they run. */
#ifndef CALLGATE_PROCESS_H
#define CALLGATE_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "bounds.h"

#define PROCESS_EXE_MAX 1023

/**
 * struct process_facts - one process image
 * @cookie: names the image; changes with exec. Meaningful when @proven
 * @start_time: ns on CLOCK_BOOTTIME
 * @cgroup: id in the unified hierarchy
 * @exe: path of the executable; when not @proven, whatever name the process goes by
 * @traced: a debugger is attached
 * @proven: the gate said so
 */
struct process_facts {
	pid_t pid;
	uint64_t cookie;
	uint64_t start_time;
	uid_t uid;
	uint64_t cgroup;
	char exe[PROCESS_EXE_MAX + 1];
	bool traced;
	bool proven;
};

/**
 * struct process_source - the gate, as far as this file may know it
 * @identify: 0; -ESRCH when there is no such process; -ENODEV when there is no gate
 */
struct process_source {
	int (*identify)(void *userdata, pid_t pid, struct process_facts *ret_facts);
	void *userdata;
};

/* The process behind a pidfd. -EBADF: not a pidfd. -ESRCH: it ended. -EPERM: it is in another pid namespace. */
int process_pid(int pidfd, pid_t *ret_pid);
bool process_alive(int pidfd);

/**
 * process_identify() - who is behind a pidfd now
 *
 * Asks the gate; without one, reads what /proc shows everybody and marks it unproven.
 * Return: 0; -ESRCH when it ended before the answer was complete; another negative errno.
 */
int process_identify(const struct process_source *source, int pidfd,
		     struct process_facts *ret_facts);

/* Is the path a regular file that, with each directory above it, only root can change? -ENOENT: no file there. */
int process_root_owned(const char *path);

/**
 * process_label() - the app's label, protocol.md "Identity"
 * @ret_label: BOUND_LABEL + 1 bytes: "exe:" and a root-owned path, "user:" and another, "name:" when unproven
 * Return: 0; -ESTALE when the running file is no longer there; -EILSEQ when it has a name that cannot be shown.
 */
int process_label(const struct process_facts *facts, char *ret_label);

#endif
