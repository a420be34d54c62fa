// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Makes and renews grants by the thousand, for programs that measure.
 *
 * Owns the controller's socket, the idle processes and the cgroups that the other grants are for. Only
 * the module's own caps bound it: CALLGATE_MAX_GRANTS in all, CALLGATE_MAX_GRANTS_SUBJECT for each.
 */
#include "grants.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gate.h"
#include "harness.h"

#define PER_SUBJECT 64 /* CALLGATE_MAX_GRANTS_SUBJECT */
#define ALSO_MAX    8
#define DEADLINE    9900000000ull

static struct gate *gate;
static unsigned int grants, own_sessions;
static int own_group = -1, *groups;
static pid_t *processes, also[ALSO_MAX];
static unsigned int also_count;

_Noreturn void grants_die(const char *what)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void check(int err, const char *what)
{
	if (!err)
		return;
	fprintf(stderr, "bench: %s: %s %s\n", what, strerror(-err), gate_sentence(gate));
	exit(1);
}

static void grant(pid_t pid, int group, uint64_t session, uint32_t kinds)
{
	struct gate_order order = { .session = session,
				    .cgroup_fd = group,
				    .has_uid = true,
				    .kinds = kinds,
				    .deadline = harness_now() + DEADLINE };

	if (group >= 0)
		check(gate_grant(gate, &order, NULL), "grant to a cgroup");
	else
		check(gate_allow(gate, pid, session, kinds, DEADLINE / 1000000), "grant");
}

void grants_renew(void)
{
	static uint64_t others_due;
	bool due = harness_now() >= others_due;
	unsigned int i, s;

	if (!gate)
		return;
	/* Thousands take their time. */
	for (i = 0; due && i + 1 < grants; i++)
		grant(processes[i / PER_SUBJECT], groups[i / PER_SUBJECT], 1000 + i % PER_SUBJECT,
		      CALLGATE_KIND_ALL);
	if (i)
		others_due = harness_now() + DEADLINE / 3;
	for (i = 0; i < also_count; i++)
		grant(also[i], -1, 1, CALLGATE_KIND_ALL);
	for (s = 1; s <= own_sessions; s++)
		grant(getpid(), own_group, s,
		      s == 1 ? CALLGATE_KIND_ALL : CALLGATE_KIND_MICROPHONE);
}

static pid_t idle_process(void)
{
	pid_t pid = fork();

	if (pid < 0)
		grants_die("fork");
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close_range(3, ~0u, 0);
	for (;;)
		pause();
}

static int make_group(const char *name)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/sys/fs/cgroup/%s", name);
	if (mkdir(path, 0755) && errno != EEXIST)
		grants_die(path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		grants_die(path);
	return fd;
}

static void enter(int group)
{
	int fd = openat(group, "cgroup.procs", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, "0", 1) != 1)
		grants_die("cgroup.procs");
	close(fd);
}

void grants_prepare(enum grants_way way, unsigned int count, unsigned int own)
{
	unsigned int i, n = (count + PER_SUBJECT - 1) / PER_SUBJECT;
	char name[32];

	grants = count;
	own_sessions = own;
	gate = gate_open();
	if (!gate)
		grants_die("no gate");
	check(gate_bind(gate, NULL), "bind");
	processes = calloc(n, sizeof(*processes));
	groups = calloc(n, sizeof(*groups));
	if (!processes || !groups)
		grants_die("memory");
	for (i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "bench-%u", i);
		groups[i] = way == GRANTS_CGROUP && count > 1 ? make_group(name) : -1;
		processes[i] = way == GRANTS_PROCESS && count > 1 ? idle_process() : 0;
	}
	if (way == GRANTS_CGROUP) {
		own_group = make_group("bench");
		enter(own_group);
	}
	grants_renew();
}

void grants_also(pid_t pid)
{
	if (also_count < ALSO_MAX)
		also[also_count++] = pid;
}
