// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Grants: for whom they can be made, how long they last, when they are refused.
 *
 * Runs as root against the loaded module, needs no device. Every refusal has its
 * twin that is accepted.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/genetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bystander.h"
#include "gate.h"
#include "harness.h"

TEST(allow_a_grant_and_its_renewal)
{
	struct gate *gate = gate_open_bound();
	pid_t pid = bystander(1000);
	struct gate_order order = order_for(gate, pid, 77);
	struct gate_message *grants;
	uint64_t first = 0, second = 0, other = 0;

	ASSERT_EQ(gate_grant(gate, &order, &first), 0);
	EXPECT(first != 0);
	order.deadline += SECOND;
	order.kinds = 0; /* left as it is */
	ASSERT_EQ(gate_grant(gate, &order, &second), 0);
	EXPECT_EQ(first, second);
	ASSERT_EQ(gate_dump(gate, CALLGATE_CMD_GRANT_GET, &grants), 1);
	EXPECT_EQ(grants[0].grant, first);
	EXPECT_EQ(grants[0].session, 77);
	EXPECT_EQ(grants[0].tgid, pid);
	EXPECT_EQ(grants[0].cookie == order.cookie, 1);
	EXPECT_EQ(grants[0].uid, 1000);
	EXPECT_EQ(grants[0].kinds, 3);
	EXPECT_EQ(grants[0].device, 0);
	EXPECT_EQ(grants[0].deadline, order.deadline);
	free(grants);

	/* Another session of the same process is another grant. */
	order.session = 78;
	order.kinds = CALLGATE_KIND_CAMERA;
	ASSERT_EQ(gate_grant(gate, &order, &other), 0);
	EXPECT(other != first);
	EXPECT_EQ(grant_count(gate), 2);
	EXPECT_EQ(gate_revoke(gate, first, 0), 0);
	EXPECT_EQ(grant_count(gate), 1);
	EXPECT_REFUSED(gate, gate_revoke(gate, first, 0), -ENOENT);
	EXPECT_REFUSED(gate, gate_revoke(gate, 0, 77), -ENOENT);
	EXPECT_EQ(gate_revoke(gate, 0, 78), 0);
	EXPECT_EQ(grant_count(gate), 0);
}

TEST(deny_a_grant_for_a_process_that_is_gone)
{
	struct gate *gate = gate_open_bound();
	pid_t pid = bystander(0);
	struct gate_order order = order_for(gate, pid, 1);

	EXPECT_EQ(gate_grant(gate, &order, NULL), 0);
	bystander_end(pid);
	EXPECT_REFUSED(gate, gate_grant(gate, &order, NULL), -ESRCH);
	EXPECT_EQ(gate_revoke(gate, 0, 1), 0);
}

static pid_t self_execing(int go[2])
{
	pid_t pid;
	char c;

	ASSERT(pipe(go) == 0);
	pid = fork();
	ASSERT(pid >= 0);
	if (pid == 0) {
		if (read(go[0], &c, 1) != 1)
			_exit(1);
		execl("/bin/sleep", "trusted", "50", NULL);
		_exit(1);
	}
	return pid;
}

static bool runs_sleep(void *arg)
{
	char link[64], path[256] = "", wanted[256] = "";

	snprintf(link, sizeof(link), "/proc/%d/exe", *(int *)arg);
	return readlink(link, path, sizeof(path) - 1) > 0 &&
	       readlink("/proc/self/exe", wanted, sizeof(wanted) - 1) > 0 && strcmp(path, wanted);
}

TEST(deny_a_grant_for_a_process_that_called_exec)
{
	struct gate *gate = gate_open_bound();
	struct gate_order order;
	int go[2];
	pid_t pid = self_execing(go);

	order = order_for(gate, pid, 1);
	EXPECT_EQ(gate_grant(gate, &order, NULL), 0);
	ASSERT(write(go[1], "x", 1) == 1);
	ASSERT(harness_wait(runs_sleep, &pid, 20000));
	EXPECT_REFUSED(gate, gate_grant(gate, &order, NULL), -ESRCH);
	/* Identified again it is a process like any other. */
	order = order_for(gate, pid, 2);
	EXPECT_EQ(gate_grant(gate, &order, NULL), 0);
	bystander_end(pid);
	gate_revoke(gate, 0, 1);
	gate_revoke(gate, 0, 2);
}

/* The same number, another process. */
TEST(deny_a_grant_for_a_process_id_that_was_used_again)
{
	struct gate *gate = gate_open_bound();
	pid_t pid = bystander(0), again;
	struct gate_order order = order_for(gate, pid, 1);
	FILE *last;

	bystander_end(pid);
	last = fopen("/proc/sys/kernel/ns_last_pid", "w");
	if (!last)
		harness_skip("no ns_last_pid in this kernel");
	fprintf(last, "%d", pid - 1);
	fclose(last);
	again = bystander(0);
	if (again != pid)
		harness_skip("the number went to somebody else");
	EXPECT_REFUSED(gate, gate_grant(gate, &order, NULL), -ESRCH);
	order = order_for(gate, again, 1);
	EXPECT_EQ(gate_grant(gate, &order, NULL), 0);
	gate_revoke(gate, 0, 1);
	bystander_end(again);
}

TEST(deny_a_grant_with_a_wrong_cookie)
{
	struct gate *gate = gate_open_bound();
	struct gate_order order = order_for(gate, getpid(), 1);
	uint64_t cookie = order.cookie;
	int bit;

	for (bit = 0; bit < 64; bit++) {
		order.cookie = cookie ^ (1ull << bit);
		EXPECT_REFUSED(gate, gate_grant(gate, &order, NULL), -ESRCH);
	}
	order.cookie = cookie;
	EXPECT_EQ(gate_grant(gate, &order, NULL), 0);
	EXPECT_EQ(gate_revoke(gate, 0, 1), 0);
}

TEST(deny_a_grant_with_another_uid)
{
	struct gate *gate = gate_open_bound();
	pid_t pid = bystander(1000);
	struct gate_order order = order_for(gate, pid, 1);

	order.has_uid = true;
	order.uid = 1001;
	EXPECT_REFUSED(gate, gate_grant(gate, &order, NULL), -EINVAL);
	order.uid = 1000;
	EXPECT_EQ(gate_grant(gate, &order, NULL), 0);
	EXPECT_EQ(gate_revoke(gate, 0, 1), 0);
	bystander_end(pid);
}

TEST(deny_a_grant_for_a_process_with_mixed_uids)
{
	struct gate *gate = gate_open_bound();
	struct gate_order order;
	int ready[2];
	pid_t pid;
	char c;

	ASSERT(pipe(ready) == 0);
	pid = fork();
	if (pid == 0) {
		if (setresuid(1000, 0, 0) || write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	ASSERT(read(ready[0], &c, 1) == 1);
	order = order_for(gate, pid, 1);
	EXPECT_REFUSED(gate, gate_grant(gate, &order, NULL), -EPERM);
	bystander_end(pid);
}

TEST(deny_deadlines_out_of_range)
{
	struct gate *gate = gate_open_bound();
	struct gate_order order = order_for(gate, getpid(), 1);
	uint64_t bad[] = { 1, 0x7fffffffffffffff, 0x8000000000000000, 0xffffffffffffffff, 0, 0, 0 };
	size_t i;

	bad[4] = harness_now() - 1000;
	bad[5] = harness_now() + 11 * SECOND;
	bad[6] = harness_now() + 3600 * SECOND;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		order.deadline = bad[i];
		EXPECT_REFUSED(gate, gate_grant(gate, &order, NULL), -ERANGE);
	}
	EXPECT_EQ(grant_count(gate), 0);
	order.deadline = harness_now() + 10 * SECOND;
	EXPECT_EQ(gate_grant(gate, &order, NULL), 0);
	/* A refused renewal leaves the grant as it is. */
	order.deadline = harness_now() + 11 * SECOND;
	EXPECT_REFUSED(gate, gate_grant(gate, &order, NULL), -ERANGE);
	EXPECT_EQ(grant_count(gate), 1);
	EXPECT_EQ(gate_revoke(gate, 0, 1), 0);
	order.deadline = 0;
	EXPECT_REFUSED(gate, gate_grant(gate, &order, NULL), -EINVAL);
}

static bool no_grants(void *gate)
{
	return grant_count(gate) == 0;
}

TEST(end_grants_at_their_deadline)
{
	struct gate *gate = gate_open_bound();
	struct gate_order order = order_for(gate, getpid(), 1);
	uint64_t start = harness_now();

	order.deadline = start + SECOND;
	EXPECT_EQ(gate_grant(gate, &order, NULL), 0);
	order.session = 2;
	order.deadline = start + SECOND / 2;
	EXPECT_EQ(gate_grant(gate, &order, NULL), 0);
	EXPECT_EQ(grant_count(gate), 2);
	/* A renewal in time moves the end. */
	order.deadline = start + 2 * SECOND;
	EXPECT_EQ(gate_grant(gate, &order, NULL), 0);
	EXPECT(harness_wait(no_grants, gate, 10000));
	EXPECT(harness_now() >= start + 2 * SECOND);
}

TEST(keep_grants_until_their_deadline_when_the_controller_dies)
{
	struct gate *gate = gate_open_bound();
	struct gate_order order = order_for(gate, getpid(), 1);

	order.deadline = harness_now() + 3 * SECOND;
	EXPECT_EQ(gate_grant(gate, &order, NULL), 0);
	gate_close(gate);
	gate = gate_open_bound();
	EXPECT_EQ(grant_count(gate), 1);
	EXPECT(harness_wait(no_grants, gate, 10000));
}

static int grant_u32(struct gate *gate, const struct gate_order *order, int attr, uint32_t value)
{
	struct nl_msg *msg = gate_begin(gate, CALLGATE_CMD_GRANT, 0);

	nla_put_u64(msg, CALLGATE_A_SESSION, order->session);
	nla_put_u32(msg, CALLGATE_A_TGID, order->tgid);
	nla_put_u64(msg, CALLGATE_A_COOKIE, order->cookie);
	nla_put_u64(msg, CALLGATE_A_DEADLINE, order->deadline);
	if (attr != CALLGATE_A_KINDS)
		nla_put_u32(msg, CALLGATE_A_KINDS, 3);
	nla_put_u32(msg, attr, value);
	return gate_send(gate, msg, NULL);
}

TEST(deny_absurd_sessions_kinds_and_devices)
{
	struct gate *gate = gate_open_bound();
	struct gate_order order = order_for(gate, getpid(), 0);
	uint32_t kinds;

	EXPECT_REFUSED(gate, gate_grant(gate, &order, NULL), -ERANGE);
	order.session = 0xffffffffffffffff;
	for (kinds = 4; kinds; kinds <<= 1)
		EXPECT_REFUSED(gate, grant_u32(gate, &order, CALLGATE_A_KINDS, kinds), -ERANGE);
	EXPECT_REFUSED(gate, grant_u32(gate, &order, CALLGATE_A_KINDS, 0xffffffff), -ERANGE);
	EXPECT_REFUSED(gate, grant_u32(gate, &order, CALLGATE_A_KINDS, 0), -ERANGE);
	EXPECT_REFUSED(gate, grant_u32(gate, &order, CALLGATE_A_DEVICE, 0xffffffff), -ENODEV);
	order.kinds = 0;
	EXPECT_REFUSED(gate, gate_grant(gate, &order, NULL), -EINVAL);
	EXPECT_EQ(grant_count(gate), 0);
	EXPECT_EQ(grant_u32(gate, &order, CALLGATE_A_KINDS, 1), 0);
	EXPECT_EQ(grant_u32(gate, &order, CALLGATE_A_DEVICE, 0), 0);
	EXPECT_EQ(gate_revoke(gate, 0, order.session), 0);
}

TEST(deny_a_grant_without_or_with_two_subjects)
{
	struct gate *gate = gate_open_bound();
	struct gate_order order = order_for(gate, getpid(), 1), half = order;

	half.cookie = 0;
	EXPECT_REFUSED(gate, gate_grant(gate, &half, NULL), -EINVAL);
	half = order;
	half.tgid = 0;
	EXPECT_REFUSED(gate, gate_grant(gate, &half, NULL), -EINVAL);
	half = order;
	half.cgroup_fd = 0;
	EXPECT_REFUSED(gate, gate_grant(gate, &half, NULL), -EINVAL);
	EXPECT_EQ(gate_grant(gate, &order, NULL), 0);
	EXPECT_EQ(gate_revoke(gate, 0, 1), 0);
}

/* The unified hierarchy, mounted here if nobody else did. */
static const char *hierarchy(void)
{
	static const char *const usual[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };
	static char own[] = "/tmp/callgate-cgroup-XXXXXX";
	char procs[256];
	size_t i;

	for (i = 0; i < 2; i++) {
		snprintf(procs, sizeof(procs), "%s/cgroup.procs", usual[i]);
		if (access(procs, F_OK) == 0)
			return usual[i];
	}
	ASSERT(mkdtemp(own));
	ASSERT(mount("none", own, "cgroup2", 0, NULL) == 0);
	return own;
}

static int grant_cgroup(struct gate *gate, int fd, uint32_t uid, uint64_t *ret_grant)
{
	struct gate_order order = { .session = 5,
				    .cgroup_fd = fd,
				    .has_uid = true,
				    .uid = uid,
				    .kinds = 3,
				    .deadline = harness_now() + 5 * SECOND };

	return gate_grant(gate, &order, ret_grant);
}

TEST(deny_a_cgroup_that_its_user_could_enter)
{
	struct gate *gate = gate_open_bound();
	static const char *const doors[] = { "", "/cgroup.procs", "/cgroup.threads" };
	char folder[256], path[300];
	uint64_t grant;
	size_t i;
	int fd;

	snprintf(folder, sizeof(folder), "%s/callgate-test-%d", hierarchy(), getpid());
	ASSERT(mkdir(folder, 0755) == 0);
	fd = open(folder, O_RDONLY | O_DIRECTORY);
	ASSERT(fd >= 0);
	EXPECT_EQ(grant_cgroup(gate, fd, 1000, &grant), 0);
	for (i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s%s", folder, doors[i]);
		ASSERT(chown(path, 1000, -1) == 0);
		EXPECT_REFUSED(gate, grant_cgroup(gate, fd, 1000, NULL), -EPERM);
		ASSERT(chown(path, 0, -1) == 0);
		ASSERT(chmod(path, i ? 0664 : 0775) == 0);
		EXPECT_REFUSED(gate, grant_cgroup(gate, fd, 1000, NULL), -EPERM);
		ASSERT(chmod(path, i ? 0646 : 0757) == 0);
		EXPECT_REFUSED(gate, grant_cgroup(gate, fd, 1000, NULL), -EPERM);
		ASSERT(chmod(path, i ? 0644 : 0755) == 0);
		EXPECT_EQ(grant_cgroup(gate, fd, 1000, &grant), 0);
	}
	/* A root-owned file mounted over a door does not hide it. */
	snprintf(path, sizeof(path), "%s/cgroup.procs", folder);
	ASSERT(chown(path, 1000, -1) == 0);
	ASSERT(mount("/proc/version", path, NULL, MS_BIND, NULL) == 0);
	EXPECT_REFUSED(gate, grant_cgroup(gate, fd, 1000, NULL), -EPERM);
	ASSERT(umount(path) == 0);
	EXPECT_EQ(gate_revoke(gate, 0, 5), 0);
	close(fd);
	EXPECT_EQ(rmdir(folder), 0);
}

TEST(deny_descriptors_that_are_no_cgroup)
{
	struct gate *gate = gate_open_bound();
	struct gate_order order = { .session = 5,
				    .kinds = 3,
				    .deadline = harness_now() + 5 * SECOND };
	char procs[256];
	int fd;

	EXPECT_REFUSED(gate, grant_cgroup(gate, 0x7ffffff0, 0, NULL), -EBADF);
	fd = open("/", O_RDONLY | O_DIRECTORY);
	EXPECT_REFUSED(gate, grant_cgroup(gate, fd, 0, NULL), -EINVAL);
	snprintf(procs, sizeof(procs), "%s/cgroup.procs", hierarchy());
	fd = open(procs, O_RDONLY);
	ASSERT(fd >= 0);
	EXPECT_REFUSED(gate, grant_cgroup(gate, fd, 0, NULL), -EINVAL);
	order.cgroup_fd = open(hierarchy(), O_RDONLY | O_DIRECTORY);
	EXPECT_REFUSED(gate, gate_grant(gate, &order, NULL), -EINVAL); /* no uid */
}

TEST(deny_too_many_sessions_of_one_process)
{
	struct gate *gate = gate_open_bound();
	struct gate_order order = order_for(gate, getpid(), 0);
	int err = 0;

	order.deadline = harness_now() + 9 * SECOND;
	while (!err && order.session < 1000) {
		order.session++;
		err = gate_grant(gate, &order, NULL);
	}
	EXPECT_EQ(err, -ENOSPC);
	EXPECT_EQ(order.session, 65);
	order.session = 64; /* renewing what is there still works */
	EXPECT_EQ(gate_grant(gate, &order, NULL), 0);
	EXPECT_EQ(grant_count(gate), 64);
	while (order.session)
		EXPECT_EQ(gate_revoke(gate, 0, order.session--), 0);
}

#define PROCESSES 12
#define SESSIONS  60

/* All of them have to be made before the first one ends. */
static void make_many(struct gate *gate, const pid_t *pids, int count)
{
	struct gate_order order;
	int i;

	for (i = 0; i < count; i++) {
		order = order_for(gate, pids[i], 1);
		order.deadline = harness_now() + 10 * SECOND;
		for (order.session = 1; order.session <= SESSIONS; order.session++)
			ASSERT_EQ(gate_grant(gate, &order, NULL), 0);
	}
}

static void end_many(struct gate *gate)
{
	int session;

	for (session = 1; session <= SESSIONS; session++)
		EXPECT_EQ(gate_end(gate, session), 0);
	EXPECT_EQ(grant_count(gate), 0);
}

TEST_LIMIT(dump_many_grants_once_each, 200)
{
	struct gate *gate = gate_open_bound();
	struct gate_message *grants;
	pid_t pids[PROCESSES];
	int i, count, many;

	for (i = 0; i < PROCESSES; i++)
		pids[i] = bystander(0);
	/* Fewer on a slow machine, but more than one message holds. */
	for (many = PROCESSES;; many /= 2) {
		make_many(gate, pids, many);
		count = gate_dump(gate, CALLGATE_CMD_GRANT_GET, &grants);
		if (count == many * SESSIONS || many == PROCESSES / 4)
			break;
		free(grants);
		end_many(gate);
	}
	if (count < many * SESSIONS)
		harness_skip("this machine is too slow: %d of %d are left", count, many * SESSIONS);
	harness_note("%d grants", count);
	for (i = 1; i < count; i++)
		EXPECT(grants[i].grant > grants[i - 1].grant);
	free(grants);
	end_many(gate);
	for (i = 0; i < PROCESSES; i++)
		bystander_end(pids[i]);
}

HARNESS_MAIN
