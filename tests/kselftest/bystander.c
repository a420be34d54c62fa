// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Processes that grants are made for, and the grants' orders: what the tests of
 * the netlink family share. Judges nothing.
 */
#include "bystander.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

pid_t bystander(uid_t uid)
{
	int ready[2];
	pid_t pid;
	char c;

	ASSERT(pipe(ready) == 0);
	pid = fork();
	ASSERT(pid >= 0);
	if (pid == 0) {
		if (uid && (setresgid(uid, uid, uid) || setresuid(uid, uid, uid)))
			_exit(1);
		if (write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	ASSERT(read(ready[0], &c, 1) == 1);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

void bystander_end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

int in_child(int (*body)(void *arg), void *arg)
{
	pid_t pid = fork();
	int status;

	ASSERT(pid >= 0);
	if (pid == 0)
		_exit(body(arg));
	ASSERT(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

struct gate_order order_for(struct gate *gate, pid_t pid, uint64_t session)
{
	struct gate_order order = { .session = session, .cgroup_fd = -1, .kinds = 3 };
	struct gate_message identity;

	ASSERT_EQ(gate_identify(gate, pid, &identity), 0);
	order.tgid = pid;
	order.cookie = identity.cookie;
	order.deadline = harness_now() + 5 * SECOND;
	return order;
}

int grant_count(struct gate *gate)
{
	struct gate_message *grants = NULL;
	int count = gate_dump(gate, CALLGATE_CMD_GRANT_GET, &grants);

	free(grants);
	return count;
}
