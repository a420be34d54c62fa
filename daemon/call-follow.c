// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Brings a call's command, and what it started, back into the call's scope: the user's
 * service manager moves whoever asks it to, as Chromium asks for itself and Flatpak for
 * its apps. Called by manager.c for what was denied or is held, and by manager-calls.c
 * with each grant. Must not bring in what the command did not start.
 *
 * Security: what it started is what descends from it by the kernel's word. That is what
 * the scope holds anyway, but for processes whose parents ended outside of it, which are
 * not found and stay denied, as is what was started before the call. No process can make
 * itself a child of another's. Each on the way is held by a pidfd before it is asked about
 * once more, so that a number that is used again leads to nobody else.
 */
#include "call.h"

#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bounds.h"
#include "call-private.h"
#include "process.h"
#include "scope.h"

/* Whose child it is, and since when: ns on CLOCK_BOOTTIME, in the kernel's steps of 10 ms. @ret_parent 0: it cannot be read. */
static void read_birth(pid_t pid, pid_t *ret_parent, uint64_t *ret_since)
{
	char path[32], text[512];
	unsigned long long ticks;
	const char *end;
	FILE *file;
	size_t n;
	int parent;

	*ret_parent = 0;
	*ret_since = 0;
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (file == NULL)
		return;
	n = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[n] = '\0';
	/* Behind the name, which may hold anything. */
	end = strrchr(text, ')');
	if (end == NULL || sscanf(end + 1,
				  " %*c %d %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
				  "%*s %*s %*s %llu",
				  &parent, &ticks) != 2)
		return;
	*ret_parent = parent;
	*ret_since = ticks * (SESSION_NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK));
}

static bool is_child_of(pid_t child, pid_t pid)
{
	uint64_t since;
	pid_t parent;

	read_birth(child, &parent, &since);
	return parent == pid;
}

/*
 * From @pid upwards to @leader, both with it; how many, or 0 where that is not above it,
 * or one on the way is from before @since.
 */
static size_t open_way(pid_t pid, pid_t leader, uint64_t since, int fds[BOUND_DESCENT])
{
	pid_t child = 0, parent;
	uint64_t born;
	size_t n = 0;

	while (pid > 1 && n < BOUND_DESCENT) {
		fds[n] = (int)syscall(SYS_pidfd_open, pid, 0);
		if (fds[n] < 0)
			break;
		n++;
		read_birth(pid, &parent, &born);
		if (child != 0 && (!is_child_of(child, pid) || !process_alive(fds[n - 2])))
			break;
		if (!process_alive(fds[n - 1]) || (pid != leader && born < since))
			break;
		if (pid == leader)
			return n;
		child = pid;
		pid = parent;
	}
	while (n > 0)
		close(fds[--n]);
	return 0;
}

static bool follow(struct call *call, pid_t pid)
{
	int fds[BOUND_DESCENT], r = 0;
	pid_t leader;
	size_t n;

	if (process_pid(call->pidfd, &leader) < 0)
		return false;
	n = open_way(pid, leader, call->began, fds);
	if (n == 0)
		return false;
	/* The uppermost first: what it starts meanwhile is in then. */
	for (size_t i = n; i > 0; i--) {
		if (r == 0)
			r = scope_enter(call->scope, fds[i - 1]);
		close(fds[i - 1]);
	}
	return r == 0 && process_alive(call->pidfd);
}

struct call *calls_follow(struct calls *calls, const struct process_facts *who)
{
	struct call *call = calls_by_image(calls, who);

	if (call != NULL)
		return call;
	CALL_FOREACH_OF(call, calls, who->uid)
	{
		if (call->uid == who->uid && call->subject.proven && call->scope != NULL &&
		    follow(call, who->pid))
			return call;
	}
	return NULL;
}

void call_follow(struct call *call)
{
	struct process_facts now;

	if (call->scope != NULL &&
	    call->calls->hooks->identify(call->calls->userdata, call->pidfd, &now) == 0 &&
	    now.proven && now.cgroup != scope_id(call->scope))
		scope_enter(call->scope, call->pidfd);
}
