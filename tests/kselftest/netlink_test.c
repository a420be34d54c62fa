// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The netlink family: who may use it, and what it makes of bad input.
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

TEST(allow_root_to_bind)
{
	struct gate *gate = gate_open();
	uint8_t mode = 9;

	ASSERT(gate);
	EXPECT_EQ(gate_bind(gate, &mode), 0);
	EXPECT_EQ(mode, CALLGATE_MODE_ENFORCING);
}

static int bind_without_capability(void *unused)
{
	struct gate *gate;

	if (setresuid(1000, 1000, 1000))
		return 1;
	gate = gate_open();
	if (!gate)
		return 2;
	if (gate_bind(gate, NULL) != -EPERM)
		return 3;
	return gate_sentence(gate)[0] ? 0 : 4;
}

TEST(deny_to_bind_without_the_capability)
{
	EXPECT_EQ(in_child(bind_without_capability, NULL), 0);
}

/* In a user namespace of its own a user has every capability, and none that counts. */
static int bind_in_namespace(void *unused)
{
	struct gate *gate;

	if (setresuid(1000, 1000, 1000))
		return 1;
	if (unshare(CLONE_NEWUSER))
		return 77;
	gate = gate_open();
	if (!gate)
		return 2;
	return gate_bind(gate, NULL) == -EPERM ? 0 : 3;
}

TEST(deny_to_bind_from_a_user_namespace)
{
	int result = in_child(bind_in_namespace, NULL);

	if (result == 77)
		harness_skip("no user namespaces here");
	EXPECT_EQ(result, 0);
}

static int find_family(void *unused)
{
	if (unshare(CLONE_NEWNET))
		return 1;
	return gate_open() ? 2 : 0;
}

TEST(deny_to_see_the_family_in_another_network_namespace)
{
	struct gate *gate = gate_open();

	EXPECT_EQ(in_child(find_family, NULL), 0);
	EXPECT(gate);
}

/* A capable process that was given a socket which somebody else opened. */
static int open_socket(void *arg)
{
	int *fds = arg;
	char control[CMSG_SPACE(sizeof(int))] = {};
	struct iovec iov = { .iov_base = "x", .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	int fd;

	if (setresuid(1000, 1000, 1000))
		return 1;
	fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	return sendmsg(fds[1], &msg, 0) == 1 ? 0 : 2;
}

static int bind_raw(int fd, uint16_t family)
{
	struct {
		struct nlmsghdr nl;
		struct genlmsghdr genl;
	} request = { .nl = { .nlmsg_len = sizeof(request),
			      .nlmsg_type = family,
			      .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
			      .nlmsg_seq = 5 },
		      .genl = { .cmd = CALLGATE_CMD_BIND, .version = 1 } };
	char answer[4096];
	ssize_t size;

	ASSERT(send(fd, &request, sizeof(request), 0) == sizeof(request));
	size = recv(fd, answer, sizeof(answer), 0);
	ASSERT(size >= (ssize_t)sizeof(struct nlmsghdr));
	if (((struct nlmsghdr *)answer)->nlmsg_type != NLMSG_ERROR)
		return 0;
	return ((struct nlmsgerr *)NLMSG_DATA(answer))->error;
}

TEST(deny_to_bind_a_socket_that_an_incapable_process_opened)
{
	struct gate *gate = gate_open();
	char control[CMSG_SPACE(sizeof(int))], c;
	struct iovec iov = { .iov_base = &c, .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	int fds[2], fd, own;

	ASSERT(gate && socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
	ASSERT_EQ(in_child(open_socket, fds), 0);
	ASSERT(recvmsg(fds[0], &msg, 0) == 1);
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	EXPECT_EQ(bind_raw(fd, gate_family(gate)), -EPERM);
	own = socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC);
	EXPECT_EQ(bind_raw(own, gate_family(gate)), 0);
}

TEST(deny_a_second_controller)
{
	struct gate *first = gate_open_bound();
	struct gate *second = gate_open();

	ASSERT(second);
	EXPECT_REFUSED(second, gate_bind(second, NULL), -EBUSY);
	EXPECT_REFUSED(first, gate_bind(first, NULL), -EBUSY);
	gate_close(first);
	EXPECT_EQ(gate_bind(second, NULL), 0);
}

static int bind_and_die(void *unused)
{
	struct gate *gate = gate_open();

	return gate && gate_bind(gate, NULL) == 0 ? 0 : 1;
}

TEST(allow_another_controller_after_the_first_died)
{
	struct gate *gate = gate_open();
	int i;

	ASSERT(gate);
	for (i = 0; i < 20; i++)
		ASSERT_EQ(in_child(bind_and_die, NULL), 0);
	EXPECT_EQ(gate_bind(gate, NULL), 0);
}

static int command(void *arg)
{
	struct gate *gate = arg;

	if (setresuid(1000, 1000, 1000))
		return 1;
	return gate_mode(gate, -1, NULL) == 0 ? 0 : 2;
}

/* An fd store, or a daemon that dropped its capabilities. */
TEST(allow_commands_on_the_bound_socket_without_the_capability)
{
	struct gate *gate = gate_open_bound();

	EXPECT_EQ(in_child(command, gate), 0);
}

TEST(deny_every_command_without_binding)
{
	struct gate *gate = gate_open(), *bound = NULL;
	struct gate_message message, *objects = NULL;
	struct gate_order order = {
		.session = 1, .tgid = getpid(), .cookie = 1, .cgroup_fd = -1, .kinds = 3
	};
	static const uint8_t dumps[] = { CALLGATE_CMD_DEVICE_GET, CALLGATE_CMD_GRANT_GET,
					 CALLGATE_CMD_STREAM_GET };
	int round;
	size_t i;

	ASSERT(gate);
	order.deadline = harness_now() + SECOND;
	/* While nobody is bound, and while somebody else is. */
	for (round = 0; round < 2; round++) {
		EXPECT_REFUSED(gate, gate_identify(gate, getpid(), &message), -EPERM);
		EXPECT_REFUSED(gate, gate_grant(gate, &order, NULL), -EPERM);
		EXPECT_REFUSED(gate, gate_revoke(gate, 1, 0), -EPERM);
		EXPECT_REFUSED(gate, gate_requests(gate), -EPERM);
		EXPECT_REFUSED(gate, gate_mode(gate, CALLGATE_MODE_PERMISSIVE, NULL), -EPERM);
		EXPECT_REFUSED(gate, gate_mode(gate, -1, NULL), -EPERM);
		EXPECT_REFUSED(gate, gate_detach(gate), -EPERM);
		EXPECT_REFUSED(gate, gate_stats(gate, &message), -EPERM);
		for (i = 0; i < sizeof(dumps); i++)
			/* Linux 6.1 hands no sentence on from the start of a dump. */
			EXPECT_EQ(gate_dump(gate, dumps[i], &objects), -EPERM);
		if (round == 0)
			bound = gate_open_bound();
	}
	for (i = 0; i < sizeof(dumps); i++)
		EXPECT(gate_dump(bound, dumps[i], &objects) >= 0);
	EXPECT_EQ(gate_stats(bound, &message), 0);
	EXPECT_EQ(gate_identify(bound, getpid(), &message), 0);
}

TEST(identify_says_who_a_process_is)
{
	struct gate *gate = gate_open_bound();
	pid_t pid = bystander(1234);
	struct gate_message who, again, other;
	char path[1024] = "";

	ASSERT(readlink("/proc/self/exe", path, sizeof(path) - 1) > 0);
	ASSERT_EQ(gate_identify(gate, pid, &who), 0);
	EXPECT_EQ(who.tgid, pid);
	EXPECT_EQ(who.uid, 1234);
	EXPECT(who.cookie != 0);
	EXPECT(who.cgroup != 0);
	EXPECT(who.start_time != 0 && who.start_time <= harness_now());
	EXPECT(GATE_HAS(&who, CALLGATE_A_TRACED));
	EXPECT_EQ(who.traced, 0);
	if (strcmp(who.exe, path))
		harness_fail(__FILE__, __LINE__, "exe is '%s', not '%s'", who.exe, path);
	ASSERT_EQ(gate_identify(gate, pid, &again), 0);
	EXPECT_EQ(again.cookie == who.cookie, 1);
	ASSERT_EQ(gate_identify(gate, getpid(), &other), 0);
	EXPECT(other.cookie != who.cookie);
	bystander_end(pid);
	EXPECT_REFUSED(gate, gate_identify(gate, pid, &again), -ESRCH);
}

TEST(identify_says_that_a_process_is_traced)
{
	struct gate *gate = gate_open_bound();
	pid_t pid = bystander(0);
	struct gate_message who;

	ASSERT_EQ(gate_identify(gate, pid, &who), 0);
	EXPECT_EQ(who.traced, 0);
	ASSERT(ptrace(PTRACE_SEIZE, pid, NULL, NULL) == 0);
	ASSERT_EQ(gate_identify(gate, pid, &who), 0);
	EXPECT_EQ(who.traced, 1);
}

TEST(deny_to_identify_what_is_no_process)
{
	struct gate *gate = gate_open_bound();
	struct gate_message who;

	EXPECT_REFUSED(gate, gate_identify(gate, 0, &who), -ERANGE);
	EXPECT_REFUSED(gate, gate_identify(gate, 2, &who), -ESRCH); /* kthreadd */
	EXPECT_REFUSED(gate, gate_identify(gate, 0x7fffffff, &who), -ESRCH);
	EXPECT_REFUSED(gate, gate_identify(gate, 0xffffffff, &who), -ESRCH);
	EXPECT_EQ(gate_identify(gate, 1, &who), 0);
}

static int hide_behind_mount(void *arg)
{
	/* What this process runs has, in a namespace of its own, the name of something else. */
	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return 77;
	if (mount("tmpfs", "/mnt", "tmpfs", 0, NULL))
		return 77;
	if (system("cp /bin/sleep /mnt/trusted") || mount("/mnt", "/mnt", NULL, MS_BIND, NULL))
		return 77;
	if (write(*(int *)arg, "x", 1) != 1)
		return 77;
	execl("/mnt/trusted", "trusted", "50", NULL);
	return 77;
}

static bool has_called_exec(void *arg)
{
	char link[64], path[256] = "";

	snprintf(link, sizeof(link), "/proc/%d/exe", *(int *)arg);
	return readlink(link, path, sizeof(path) - 1) > 0 && strstr(path, "trusted");
}

TEST(identify_gives_no_path_that_only_another_mount_namespace_knows)
{
	struct gate *gate = gate_open_bound();
	struct gate_message who;
	int ready[2];
	pid_t pid;
	char c;

	ASSERT(pipe(ready) == 0);
	pid = fork();
	if (pid == 0)
		_exit(hide_behind_mount(&ready[1]));
	close(ready[1]);
	if (read(ready[0], &c, 1) != 1)
		harness_skip("cannot make a mount namespace");
	ASSERT(harness_wait(has_called_exec, &pid, 20000));
	ASSERT_EQ(gate_identify(gate, pid, &who), 0);
	EXPECT(!GATE_HAS(&who, CALLGATE_A_EXE));
	bystander_end(pid);
}

static bool runs(void *arg)
{
	char link[64], path[256] = "";

	snprintf(link, sizeof(link), "/proc/%d/exe", *(int *)arg);
	return readlink(link, path, sizeof(path) - 1) > 0 && !strncmp(path, "/mnt/", 5);
}

static pid_t run(const char *path)
{
	pid_t pid = fork();

	ASSERT(pid >= 0);
	if (pid == 0) {
		execl(path, path, "50", NULL);
		_exit(1);
	}
	ASSERT(harness_wait(runs, &pid, 20000));
	return pid;
}

/* A file system that is mounted as a whole, a part of it, and a single file; then the file has no name any more. */
TEST(identify_names_a_file_by_the_mount_that_it_runs_from)
{
	static const char *const paths[] = { "/mnt/a/b/program", "/mnt/part/b/program",
					     "/mnt/file" };
	struct gate *gate = gate_open_bound();
	struct gate_message who;
	pid_t pid;

	if (mount("tmpfs", "/mnt", "tmpfs", 0, NULL))
		harness_skip("cannot mount");
	ASSERT_EQ(
		system("mkdir -p /mnt/a/b /mnt/part && cp /bin/sleep /mnt/a/b/program && touch /mnt/file"),
		0);
	ASSERT(mount("/mnt/a", "/mnt/part", NULL, MS_BIND, NULL) == 0);
	ASSERT(mount(paths[0], paths[2], NULL, MS_BIND, NULL) == 0);
	for (size_t i = 0; i < 3; i++) {
		pid = run(paths[i]);
		ASSERT_EQ(gate_identify(gate, pid, &who), 0);
		if (strcmp(who.exe, paths[i]))
			harness_fail(__FILE__, __LINE__, "exe is '%s', not '%s'", who.exe,
				     paths[i]);
		bystander_end(pid);
	}
	pid = run(paths[0]);
	ASSERT(unlink(paths[1]) == 0);
	ASSERT_EQ(gate_identify(gate, pid, &who), 0);
	EXPECT(!GATE_HAS(&who, CALLGATE_A_EXE));
	bystander_end(pid);
	EXPECT_EQ(umount(paths[2]), 0);
	EXPECT_EQ(umount("/mnt/part"), 0);
	EXPECT_EQ(umount2("/mnt", MNT_DETACH), 0);
}

TEST(deny_revoke_of_what_is_not_there)
{
	struct gate *gate = gate_open_bound();

	EXPECT_REFUSED(gate, gate_revoke(gate, 0xffffffffffffffff, 0), -ENOENT);
	EXPECT_REFUSED(gate, gate_revoke(gate, 0, 0xffffffffffffffff), -ENOENT);
	EXPECT_REFUSED(gate, gate_revoke(gate, 1, 1), -EINVAL);
	EXPECT_REFUSED(gate, gate_revoke(gate, 0, 0), -EINVAL);
}

TEST(switch_the_mode)
{
	struct gate *gate = gate_open_bound();
	uint8_t mode = 9;

	EXPECT_EQ(gate_mode(gate, CALLGATE_MODE_PERMISSIVE, &mode), 0);
	EXPECT_EQ(mode, CALLGATE_MODE_PERMISSIVE);
	EXPECT_EQ(gate_mode(gate, -1, &mode), 0);
	EXPECT_EQ(mode, CALLGATE_MODE_PERMISSIVE);
	EXPECT_REFUSED(gate, gate_mode(gate, 2, &mode), -ERANGE);
	EXPECT_EQ(gate_mode(gate, CALLGATE_MODE_ENFORCING, &mode), 0);
	EXPECT_EQ(mode, CALLGATE_MODE_ENFORCING);
}

static const uint8_t commands[] = {
	CALLGATE_CMD_IDENTIFY, CALLGATE_CMD_GRANT, CALLGATE_CMD_REVOKE,	   CALLGATE_CMD_REQUESTS,
	CALLGATE_CMD_DETACH,   CALLGATE_CMD_MODE,  CALLGATE_CMD_STATS_GET,
};

/* A policy names what a command takes; the rest of the attributes is refused. */
TEST(deny_attributes_that_a_command_does_not_take)
{
	struct gate *gate = gate_open_bound();
	struct nl_msg *msg;
	size_t i;

	for (i = 0; i < sizeof(commands); i++) {
		msg = gate_begin(gate, commands[i], 0);
		nla_put_u8(msg, CALLGATE_A_TRACED, 1);
		EXPECT_REFUSED(gate, gate_send(gate, msg, NULL), -EINVAL);
		msg = gate_begin(gate, commands[i], 0);
		nla_put_u32(msg, CALLGATE_A_MAX + 1, 1);
		EXPECT_REFUSED(gate, gate_send(gate, msg, NULL), -EINVAL);
		msg = gate_begin(gate, commands[i], 0);
		nla_put_u32(msg, 0x3fff, 1);
		EXPECT_REFUSED(gate, gate_send(gate, msg, NULL), -EINVAL);
	}
	EXPECT_EQ(gate_mode(gate, -1, NULL), 0);
}

TEST(deny_attributes_of_a_wrong_size)
{
	struct gate *gate = gate_open_bound();
	static const int attrs[] = { CALLGATE_A_SESSION, CALLGATE_A_TGID,  CALLGATE_A_COOKIE,
				     CALLGATE_A_UID,	 CALLGATE_A_KINDS, CALLGATE_A_DEVICE,
				     CALLGATE_A_DEADLINE };
	char bytes[64] = { 1 };
	struct nl_msg *msg;
	size_t i, size;

	for (i = 0; i < sizeof(attrs) / sizeof(attrs[0]); i++) {
		for (size = 0; size < 20; size++) {
			if (size == 4 || size == 8)
				continue;
			msg = gate_begin(gate, CALLGATE_CMD_GRANT, 0);
			nla_put(msg, attrs[i], size, bytes);
			/* Too short is a range error for the core, too long is invalid. */
			EXPECT(gate_send(gate, msg, NULL) < 0);
			EXPECT(gate_sentence(gate)[0]);
		}
	}
	EXPECT_EQ(grant_count(gate), 0);
}

TEST(deny_oversized_messages)
{
	struct gate *gate = gate_open_bound();
	static char bytes[30000];
	struct nl_msg *msg;
	int i;

	msg = gate_begin(gate, CALLGATE_CMD_IDENTIFY, 0);
	nla_put(msg, CALLGATE_A_TGID, sizeof(bytes), bytes);
	EXPECT_REFUSED(gate, gate_send(gate, msg, NULL), -EINVAL);
	msg = gate_begin(gate, CALLGATE_CMD_IDENTIFY, 0);
	for (i = 0; i < 3000; i++)
		nla_put_u32(msg, CALLGATE_A_EXE, i);
	EXPECT_REFUSED(gate, gate_send(gate, msg, NULL), -EINVAL);
	EXPECT_EQ(gate_mode(gate, -1, NULL), 0);
}

/* Headers that lie: every length of a message that is cut or says that it goes on. */
TEST(deny_messages_that_are_cut)
{
	struct gate *gate = gate_open_bound();
	struct nl_msg *msg;
	struct nlmsghdr *header;
	uint32_t full, size;
	char copy[512];

	msg = gate_begin(gate, CALLGATE_CMD_GRANT, NLM_F_ACK);
	nla_put_u64(msg, CALLGATE_A_SESSION, 1);
	nla_put_u32(msg, CALLGATE_A_TGID, getpid());
	nla_put_u64(msg, CALLGATE_A_COOKIE, 1);
	nla_put_u64(msg, CALLGATE_A_DEADLINE, harness_now() + SECOND);
	nla_put_u32(msg, CALLGATE_A_KINDS, 3);
	header = nlmsg_hdr(msg);
	header->nlmsg_pid = 0;
	full = header->nlmsg_len;
	ASSERT(full < sizeof(copy));
	memcpy(copy, header, full);
	for (size = NLMSG_HDRLEN; size < full; size++) {
		((struct nlmsghdr *)copy)->nlmsg_len = size;
		EXPECT(gate_send_raw(gate, copy, size) < 0);
	}
	((struct nlmsghdr *)copy)->nlmsg_len = full;
	EXPECT_REFUSED(gate, gate_send_raw(gate, copy, full), -ESRCH); /* the cookie */
	EXPECT_EQ(grant_count(gate), 0);
}

TEST(deny_reserved_fields_and_unknown_commands)
{
	struct gate *gate = gate_open_bound();
	struct gate_message *objects;
	struct nl_msg *msg;
	int cmd;

	msg = gate_begin(gate, CALLGATE_CMD_MODE, 0);
	((struct genlmsghdr *)nlmsg_data(nlmsg_hdr(msg)))->reserved = 1;
	EXPECT_REFUSED(gate, gate_send(gate, msg, NULL), -EINVAL);
	EXPECT_EQ(gate_send(gate, gate_begin(gate, CALLGATE_CMD_UNSPEC, 0), NULL), -EOPNOTSUPP);
	for (cmd = CALLGATE_CMD_DENIED_EVENT; cmd < 256; cmd++)
		EXPECT_EQ(gate_send(gate, gate_begin(gate, cmd, 0), NULL), -EOPNOTSUPP);
	EXPECT_EQ(gate_send(gate, gate_begin(gate, CALLGATE_CMD_DEVICE_GET, 0), NULL), -EOPNOTSUPP);
	EXPECT_EQ(gate_dump(gate, CALLGATE_CMD_BIND, &objects), -EOPNOTSUPP);
	EXPECT(gate_dump(gate, CALLGATE_CMD_DEVICE_GET, &objects) >= 0);
}

/* Reproducible rubbish: nothing is opened, and the gate answers afterwards. */
TEST(deny_rubbish)
{
	struct gate *gate = gate_open_bound();
	unsigned int seed = 20240501;
	struct {
		struct nlmsghdr nl;
		struct genlmsghdr genl;
		unsigned char rest[200];
	} message;
	int round;
	size_t i;

	for (round = 0; round < 3000; round++) {
		for (i = 0; i < sizeof(message.rest); i++)
			message.rest[i] = rand_r(&seed) % (round % 2 ? 256 : 32);
		message.nl = (struct nlmsghdr){ .nlmsg_len = NLMSG_HDRLEN + GENL_HDRLEN +
							     rand_r(&seed) % sizeof(message.rest),
						.nlmsg_type = gate_family(gate),
						.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
						.nlmsg_seq = 5000000 + round };
		message.genl =
			(struct genlmsghdr){ .cmd = commands[rand_r(&seed) % sizeof(commands)],
					     .version = 1 };
		/* Without attributes these mean something. */
		if (message.nl.nlmsg_len < NLMSG_HDRLEN + GENL_HDRLEN + 4)
			continue;
		EXPECT(gate_send_raw(gate, &message, message.nl.nlmsg_len) < 0);
	}
	EXPECT_EQ(grant_count(gate), 0);
	EXPECT_EQ(gate_mode(gate, -1, NULL), 0);
}

/* Each process may join any group of any family: the gate has none. */
TEST(offer_no_multicast_group)
{
	struct gate *gate = gate_open();
	struct gate *bound = gate_open_bound();
	struct gate_message event;
	int group;

	ASSERT(gate);
	for (group = 1; group < 64; group++)
		setsockopt(gate_fd(gate), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group,
			   sizeof(group));
	EXPECT_EQ(gate_allow(bound, getpid(), 1, 3, 500), 0);
	EXPECT_EQ(gate_revoke(bound, 0, 1), 0);
	EXPECT(!gate_wait(gate, CALLGATE_CMD_UNSPEC, 200, &event));
}

HARNESS_MAIN
