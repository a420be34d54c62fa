// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Who is asking, on a real capture: another program in the same process, threads,
 * processes that share memory, namespaces, changed users, other file systems, and
 * what a program of the same user can do to an approved one. Each denial has
 * its twin that is allowed. Control groups are in cgroup_test.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actor.h"
#include "camera.h"
#include "gate.h"
#include "harness.h"
#include "v4l2_fixture.h"

#define USER  1000
#define OTHER 2000

static struct gate *gate;
static char node[64];

static void begin(void)
{
	if (!camera_find(V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_READWRITE, node, sizeof(node)))
		harness_skip("no vivid camera that can be read");
	gate = gate_open_bound();
}

static struct actor *start(const char *path, uid_t uid)
{
	if (!gate)
		begin();
	return actor_start(path, node, uid);
}

static int grant(const struct actor *actor)
{
	return gate_allow(gate, actor->pid, actor->pid, CALLGATE_KIND_CAMERA, 9900);
}

/* A copy of this program; the name is its file. */
static const char *copy(const char *path, mode_t mode)
{
	char command[600];

	snprintf(command, sizeof(command), "cp /proc/%d/exe %s", getpid(), path);
	ASSERT_EQ(system(command), 0);
	ASSERT_EQ(chmod(path, mode), 0);
	return path;
}

static const char *other_program(void)
{
	return copy("/tmp/other", 0755);
}

TEST(deny_everybody_without_a_grant)
{
	struct actor *a = start(NULL, USER), *b = start(NULL, USER);

	EXPECT_EQ(actor_do(a, ACTOR_FRAME), -EACCES);
	ASSERT_EQ(grant(a), 0);
	EXPECT_EQ(actor_do(a, ACTOR_FRAME), 0);
	EXPECT_EQ(actor_do(b, ACTOR_FRAME), -EACCES);
	ASSERT_EQ(grant(b), 0);
	EXPECT_EQ(actor_do(b, ACTOR_FRAME), 0);
}

static void after_exec(enum actor_op op)
{
	struct actor *a = start(NULL, USER);

	ASSERT_EQ(grant(a), 0);
	ASSERT_EQ(actor_do(a, ACTOR_STREAM), 0);
	ASSERT_EQ(actor_do(a, ACTOR_NEXT), 0);
	ASSERT_EQ(actor_call(a, op, 0, 0, other_program()), 0);
	/* The file of the running capture went with it, and the grant is in force. */
	EXPECT_EQ(actor_do(a, ACTOR_NEXT), -EACCES);
	EXPECT_EQ(actor_do(a, ACTOR_FRAME), -EACCES);
	/* The first program's capture holds the camera until it is stopped. */
	ASSERT_EQ(gate_end(gate, a->pid), 0);
	ASSERT(gate_wait(gate, CALLGATE_CMD_STREAM_STOPPED_EVENT, 10000, NULL));
	ASSERT_EQ(grant(a), 0);
	ASSERT_EQ(actor_do(a, ACTOR_STREAM), 0);
	EXPECT_EQ(actor_do(a, ACTOR_NEXT), 0);
}

TEST(deny_another_program_after_exec)
{
	after_exec(ACTOR_EXEC);
}

TEST(deny_another_program_after_exec_by_a_thread)
{
	after_exec(ACTOR_EXEC_BY_THREAD);
}

/*
 * While threads of it call exec again and again: the first program's cookie never comes with the second one's
 * name, or a person would be asked about the one and a grant made for the other.
 */
TEST_LIMIT(identify_never_mixes_two_programs, 120)
{
	const char *one = copy("/tmp/one", 0755), *two = other_program();
	struct actor *a = start(one, USER);
	struct gate_message last = {}, now;
	uint64_t end = harness_now() + 3000000000ull, late = end + 100000000000ull;
	int programs = 0;

	actor_send(a, ACTOR_BOUNCE, 0, 0, two);
	while (harness_now() < end || (programs <= 5 && harness_now() < late)) {
		if (gate_identify(gate, a->pid, &now))
			continue;
		if (now.cookie == last.cookie)
			EXPECT(!strcmp(now.exe, last.exe));
		programs += now.cookie != last.cookie;
		last = now;
	}
	EXPECT(programs > 5);
}

/* The question is asked for one program and answered when another one runs. */
TEST(deny_an_answer_that_comes_after_exec)
{
	struct actor *a = start(NULL, USER);
	struct gate_order order = { .session = 1, .cgroup_fd = -1, .kinds = CALLGATE_KIND_CAMERA };
	struct callgate_request request;

	ASSERT_EQ(actor_do(a, ACTOR_ASK), 0);
	ASSERT(gate_read(gate, 10000, &request));
	ASSERT_EQ(request.tgid, a->pid);
	ASSERT_EQ(actor_call(a, ACTOR_EXEC, 0, 0, other_program()), 0);
	EXPECT_EQ(gate_verdict(gate, request.id, CALLGATE_VERDICT_ALLOW), -ENOENT);
	order.tgid = request.tgid;
	order.cookie = request.cookie;
	order.deadline = harness_now() + 9000000000ull;
	EXPECT_EQ(gate_grant(gate, &order, NULL), -ESRCH);
	EXPECT_EQ(actor_do(a, ACTOR_FRAME), -EACCES);

	/* The twin: asked and answered while the same program runs. */
	gate_forget(gate);
	ASSERT_EQ(actor_do(a, ACTOR_ASK), 0);
	ASSERT(gate_read(gate, 10000, &request));
	order.cookie = request.cookie;
	EXPECT_EQ(gate_grant(gate, &order, NULL), 0);
	EXPECT_EQ(gate_verdict(gate, request.id, CALLGATE_VERDICT_ALLOW), 0);
	EXPECT_EQ(actor_do(a, ACTOR_ANSWER), 0);
	EXPECT_EQ(actor_do(a, ACTOR_FRAME), 0);
}

TEST(deny_another_process_with_the_same_id)
{
	struct actor *a = start(NULL, USER), *b;
	char last[16];
	pid_t pid = a->pid;

	if (access("/proc/sys/kernel/ns_last_pid", W_OK))
		harness_skip("no ns_last_pid in this kernel");
	ASSERT_EQ(grant(a), 0);
	EXPECT_EQ(actor_do(a, ACTOR_FRAME), 0);
	actor_end(a);
	snprintf(last, sizeof(last), "%d", pid - 1);
	ASSERT_EQ(write_file("/proc/sys/kernel/ns_last_pid", last), 0);
	b = start(NULL, USER);
	if (b->pid != pid)
		harness_skip("the number went to somebody else");
	EXPECT_EQ(actor_do(b, ACTOR_FRAME), -EACCES);
	ASSERT_EQ(gate_end(gate, pid), 0);
	ASSERT_EQ(grant(b), 0);
	EXPECT_EQ(actor_do(b, ACTOR_FRAME), 0);
}

TEST(allow_threads_and_deny_processes_of_the_granted_one)
{
	struct actor *a = start(NULL, USER), *child;

	ASSERT_EQ(grant(a), 0);
	EXPECT_EQ(actor_do(a, ACTOR_FRAME_OF_THREAD), 0);
	EXPECT_EQ(actor_do(a, ACTOR_FRAME_OF_FORK), -EACCES);
	EXPECT_EQ(actor_do(a, ACTOR_FRAME_OF_SHARER), -EACCES);
	EXPECT_EQ(actor_call(a, ACTOR_RUN, 0, 0, other_program()), -EACCES);
	child = actor_child(a);
	ASSERT(child);
	EXPECT_EQ(actor_do(child, ACTOR_FRAME), -EACCES);
	ASSERT_EQ(grant(child), 0);
	EXPECT_EQ(actor_do(child, ACTOR_FRAME), 0);
	EXPECT_EQ(actor_do(child, ACTOR_FRAME_OF_THREAD), 0);
}

TEST(deny_while_any_of_its_uids_differs)
{
	struct actor *a = start(NULL, 0);

	ASSERT_EQ(grant(a), 0);
	EXPECT_EQ(actor_do(a, ACTOR_FRAME), 0);
	EXPECT_EQ(actor_call(a, ACTOR_FRAME_OF_THREAD, USER, 0, NULL), -EACCES);
	EXPECT_EQ(actor_do(a, ACTOR_FRAME_OF_THREAD), 0);
	ASSERT_EQ(actor_call(a, ACTOR_SETUID, USER, 0, NULL), 0);
	EXPECT_EQ(actor_do(a, ACTOR_FRAME), -EACCES);
	EXPECT_EQ(grant(a), -EPERM);
	ASSERT_EQ(actor_call(a, ACTOR_SETUID, 0, 0, NULL), 0);
	EXPECT_EQ(actor_do(a, ACTOR_FRAME), 0);
	ASSERT_EQ(actor_call(a, ACTOR_SETUID, 0, USER, NULL), 0);
	EXPECT_EQ(actor_do(a, ACTOR_FRAME), -EACCES);
	/* Another user altogether is another grant. */
	ASSERT_EQ(actor_call(a, ACTOR_SETUID, USER, USER, NULL), 0);
	EXPECT_EQ(actor_do(a, ACTOR_FRAME), -EACCES);
	ASSERT_EQ(grant(a), 0);
	EXPECT_EQ(actor_do(a, ACTOR_FRAME), 0);
}

TEST(deny_a_setuid_program_of_another_user)
{
	struct actor *a = start(NULL, USER);
	const char *path = copy("/tmp/setuid", 04755);

	ASSERT_EQ(grant(a), 0);
	ASSERT_EQ(actor_call(a, ACTOR_EXEC, 0, 0, path), 0);
	EXPECT_EQ(grant(a), -EPERM);
	EXPECT_EQ(actor_do(a, ACTOR_FRAME), -EACCES);
	ASSERT_EQ(chmod(path, 0755), 0);
	ASSERT_EQ(actor_call(a, ACTOR_SETUID, USER, USER, NULL), 0);
	ASSERT_EQ(actor_call(a, ACTOR_EXEC, 0, 0, path), 0);
	ASSERT_EQ(grant(a), 0);
	EXPECT_EQ(actor_do(a, ACTOR_FRAME), 0);
}

/* The same process and exec, which now says that it is another program. */
TEST(deny_a_process_that_changed_its_executable)
{
	struct actor *a = start(copy("/tmp/honest", 0755), 0);

	ASSERT_EQ(grant(a), 0);
	EXPECT_EQ(actor_do(a, ACTOR_FRAME), 0);
	ASSERT_EQ(actor_call(a, ACTOR_BECOME, 0, 0, other_program()), 0);
	EXPECT_EQ(actor_do(a, ACTOR_FRAME), -EACCES);
	/* A renewal does not take the new one for good. */
	ASSERT_EQ(grant(a), 0);
	EXPECT_EQ(actor_do(a, ACTOR_FRAME), -EACCES);
	ASSERT_EQ(actor_call(a, ACTOR_BECOME, 0, 0, "/tmp/honest"), 0);
	EXPECT_EQ(actor_do(a, ACTOR_FRAME), 0);
}

/* The same in the middle of a capture, whose every picture was allowed until then. */
TEST(deny_the_next_picture_to_one_who_became_another)
{
	struct actor *a = start(copy("/tmp/honest", 0755), 0);

	ASSERT_EQ(grant(a), 0);
	ASSERT_EQ(actor_do(a, ACTOR_STREAM), 0);
	EXPECT_EQ(actor_do(a, ACTOR_NEXT), 0);
	ASSERT_EQ(actor_call(a, ACTOR_BECOME, 0, 0, other_program()), 0);
	EXPECT_EQ(actor_do(a, ACTOR_NEXT), -EACCES);
	ASSERT_EQ(actor_call(a, ACTOR_BECOME, 0, 0, "/tmp/honest"), 0);
	EXPECT_EQ(actor_do(a, ACTOR_NEXT), 0);
}

TEST(deny_the_next_picture_to_one_with_other_credentials)
{
	struct actor *a = start(copy("/tmp/honest", 0755), 0);

	ASSERT_EQ(grant(a), 0);
	ASSERT_EQ(actor_do(a, ACTOR_STREAM), 0);
	EXPECT_EQ(actor_do(a, ACTOR_NEXT), 0);
	EXPECT_EQ(actor_do(a, ACTOR_NEXT), 0);
	ASSERT_EQ(actor_call(a, ACTOR_SETUID, USER, 0, NULL), 0);
	EXPECT_EQ(actor_do(a, ACTOR_NEXT), -EACCES);
	ASSERT_EQ(actor_call(a, ACTOR_SETUID, 0, 0, NULL), 0);
	EXPECT_EQ(actor_do(a, ACTOR_NEXT), 0);
}

static void map_users(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
	ASSERT_EQ(write_file(path, "0 1000 1\n1 2000 1\n"), 0);
}

TEST(deny_another_user_of_its_user_namespace)
{
	struct actor *a = start(NULL, USER);

	ASSERT_EQ(grant(a), 0);
	ASSERT_EQ(actor_call(a, ACTOR_UNSHARE, CLONE_NEWUSER, 0, NULL), 0);
	map_users(a->pid);
	/* Root there is the same user to the gate. */
	ASSERT_EQ(actor_call(a, ACTOR_SETUID, 0, 0, NULL), 0);
	EXPECT_EQ(actor_do(a, ACTOR_FRAME), 0);
	ASSERT_EQ(actor_call(a, ACTOR_SETUID, 1, 1, NULL), 0);
	EXPECT_EQ(actor_do(a, ACTOR_FRAME), -EACCES);
	ASSERT_EQ(grant(a), 0);
	EXPECT_EQ(actor_do(a, ACTOR_FRAME), 0);
}

TEST(deny_children_in_other_namespaces)
{
	static const int flags[] = { CLONE_NEWUSER | CLONE_NEWPID, CLONE_NEWNS, CLONE_NEWNET,
				     CLONE_NEWCGROUP };
	struct actor *a, *child;
	size_t i;

	for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		/* A new user namespace needs no privilege; the others need one inside. */
		a = start(NULL, USER);
		ASSERT_EQ(grant(a), 0);
		ASSERT_EQ(actor_call(a, ACTOR_UNSHARE, CLONE_NEWUSER | flags[i], 0, NULL), 0);
		EXPECT_EQ(actor_do(a, ACTOR_FRAME), 0);
		child = actor_child(a);
		ASSERT(child);
		EXPECT_EQ(actor_do(child, ACTOR_FRAME), -EACCES);
		/* By its number in the initial namespace, whatever it is in its own. */
		ASSERT_EQ(gate_allow(gate, child->pid, 7, CALLGATE_KIND_CAMERA, 9900), 0);
		EXPECT_EQ(actor_do(child, ACTOR_FRAME), 0);
		actor_end(child);
		actor_end(a);
	}
}

/* ---- file systems ---------------------------------------------------------------------------------------------- */

static void make(const char *command)
{
	if (system(command)) {
		harness_fail(__FILE__, __LINE__, "failed: %s", command);
		harness_end();
	}
}

/* From @one to the file @two, whose path or inode number may be the same. */
static void between(const char *one, const char *two)
{
	struct actor *a = start(one, USER);
	struct gate_message identity;

	EXPECT_EQ(actor_do(a, ACTOR_FRAME), -EACCES);
	ASSERT_EQ(grant(a), 0);
	EXPECT_EQ(actor_do(a, ACTOR_FRAME), 0);
	ASSERT_EQ(grant(a), 0);
	ASSERT_EQ(actor_call(a, ACTOR_EXEC, 0, 0, two), 0);
	EXPECT_EQ(actor_do(a, ACTOR_FRAME), -EACCES);
	ASSERT_EQ(gate_identify(gate, a->pid, &identity), 0);
	EXPECT(!strcmp(identity.exe, two));
	ASSERT_EQ(grant(a), 0);
	EXPECT_EQ(actor_do(a, ACTOR_FRAME), 0);
	actor_end(a);
}

TEST(deny_another_program_on_overlayfs)
{
	struct actor *a;

	make("mkdir -p /tmp/ovl && mount -t tmpfs ovl /tmp/ovl && cd /tmp/ovl && mkdir low up work all");
	copy("/tmp/ovl/low/one", 0755);
	copy("/tmp/ovl/low/two", 0755);
	make("mount -t overlay -o lowerdir=/tmp/ovl/low,upperdir=/tmp/ovl/up,workdir=/tmp/ovl/work "
	     "ovl /tmp/ovl/all");
	between("/tmp/ovl/all/one", "/tmp/ovl/all/two");

	/* Copied up while it captures, it is still the same program. */
	a = start("/tmp/ovl/all/one", USER);
	ASSERT_EQ(grant(a), 0);
	ASSERT_EQ(actor_do(a, ACTOR_STREAM), 0);
	make("chown 0:0 /tmp/ovl/all/one && [ -e /tmp/ovl/up/one ]");
	ASSERT_EQ(grant(a), 0);
	EXPECT_EQ(actor_do(a, ACTOR_NEXT), 0);
	actor_end(a);
}

/* A snapshot has the same inode numbers in the same file system. */
TEST(deny_another_program_on_btrfs)
{
	struct stat one, two;
	struct actor *a;

	make("truncate -s 128M /tmp/btrfs.img && mkfs.btrfs -q /tmp/btrfs.img >/dev/null && mkdir -p /tmp/btrfs && "
	     "modprobe -a loop btrfs && mount -o loop /tmp/btrfs.img /tmp/btrfs && "
	     "btrfs -q subvolume create /tmp/btrfs/a");
	copy("/tmp/btrfs/a/prog", 0755);
	make("btrfs -q subvolume snapshot /tmp/btrfs/a /tmp/btrfs/b");
	ASSERT(!stat("/tmp/btrfs/a/prog", &one) && !stat("/tmp/btrfs/b/prog", &two));
	EXPECT_EQ(one.st_ino, two.st_ino);
	between("/tmp/btrfs/a/prog", "/tmp/btrfs/b/prog");

	a = start("/tmp/btrfs/a/prog", 0);
	ASSERT_EQ(grant(a), 0);
	ASSERT_EQ(actor_call(a, ACTOR_BECOME, 0, 0, "/tmp/btrfs/b/prog"), 0);
	EXPECT_EQ(actor_do(a, ACTOR_FRAME), -EACCES);
	ASSERT_EQ(actor_call(a, ACTOR_BECOME, 0, 0, "/tmp/btrfs/a/prog"), 0);
	EXPECT_EQ(actor_do(a, ACTOR_FRAME), 0);
	actor_end(a);
}

/* ---- other programs of the same user --------------------------------------------------------------------------- */

/* Where the camera's buffer is mapped, and the descriptor of its file. */
static void look_into(pid_t pid, char *ret_address, int *ret_fd)
{
	char path[64], line[600], target[300];
	FILE *maps;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "r");
	ASSERT(maps);
	*ret_address = 0;
	while (!*ret_address && fgets(line, sizeof(line), maps))
		if (strstr(line, node))
			snprintf(ret_address, 32, "%.*s", (int)strcspn(line, "-"), line);
	fclose(maps);
	*ret_fd = -1;
	for (fd = 0; fd < 64; fd++) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
		n = readlink(path, target, sizeof(target) - 1);
		if (n < 0)
			continue;
		target[n] = 0;
		if (!strcmp(target, node))
			*ret_fd = fd;
	}
	ASSERT(*ret_address && *ret_fd >= 0);
}

static void scope(const char *level)
{
	int err = write_file("/proc/sys/kernel/yama/ptrace_scope", level);

	if (err)
		harness_skip("no yama in this kernel: %s", strerror(-err));
}

struct attack {
	const char *yama;
	bool by_parent;
	long memory; /* what reading and tracing come to */
};

static void attack(const struct attack *attack)
{
	struct actor *parent, *victim, *thief;
	char address[32];
	int i, fd;

	scope("0");
	parent = start(NULL, USER);
	victim = actor_child(parent);
	thief = attack->by_parent ? parent : start(NULL, USER);
	ASSERT(victim);
	ASSERT_EQ(grant(victim), 0);
	ASSERT_EQ(actor_do(victim, ACTOR_STREAM), 0);
	/* Then each of its buffers has held a picture. */
	for (i = 0; i < 4; i++)
		ASSERT_EQ(actor_do(victim, ACTOR_NEXT), 0);
	look_into(victim->pid, address, &fd);
	scope(attack->yama);

	EXPECT_EQ(actor_call(thief, ACTOR_VM_READ, victim->pid, 0, address), attack->memory);
	EXPECT_EQ(actor_call(thief, ACTOR_MEM_READ, victim->pid, 0, address),
		  attack->memory ? -EACCES : 0);
	EXPECT_EQ(actor_call(thief, ACTOR_TRACE, victim->pid, 0, NULL), attack->memory);
	EXPECT_EQ(actor_call(thief, ACTOR_FETCH, victim->pid, fd, NULL), attack->memory);
	if (!attack->memory) {
		/* With the victim's own file in hand, whose capture runs. */
		EXPECT_EQ(actor_do(thief, ACTOR_NEXT), -EACCES);
		EXPECT_EQ(actor_do(victim, ACTOR_NEXT), 0);
		/* Nor with a grant of its own: the buffers are the victim's to queue. */
		ASSERT_EQ(grant(thief), 0);
		EXPECT_EQ(actor_do(thief, ACTOR_NEXT), -EACCES);
	}
	EXPECT_EQ(actor_do(victim, ACTOR_NEXT), 0);
	scope("0");
}

/* The gate cannot close these: a program of the same user reads the approved one's memory. */
TEST(yama_0_lets_anyone_read_memory_but_a_fetched_descriptor_is_denied)
{
	attack(&(struct attack){ "0", false, 0 });
}

TEST(yama_1_closes_memory_to_strangers)
{
	attack(&(struct attack){ "1", false, -EPERM });
}

TEST(yama_1_leaves_memory_open_to_the_parent)
{
	attack(&(struct attack){ "1", true, 0 });
}

TEST(yama_2_closes_memory_to_the_parent_too)
{
	attack(&(struct attack){ "2", true, -EPERM });
}

/* The trusted program, with a library of the thief's. */
TEST(deny_a_preloaded_copy_of_the_granted_program)
{
	struct actor *a = start(NULL, USER);
	char self[300], command[800];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	ASSERT(n > 0);
	self[n] = 0;
	*strrchr(self, '/') = 0;
	ASSERT_EQ(grant(a), 0);
	EXPECT_EQ(actor_do(a, ACTOR_FRAME), 0);
	/* Only into that program, and not into those that start it. */
	snprintf(command, sizeof(command),
		 "setpriv --reuid %d --clear-groups env PRELOAD_NODE=%s LD_PRELOAD=%s/preload.so "
		 "%s/subject_test --frame nowhere",
		 USER, node, self, self);
	EXPECT_EQ(WEXITSTATUS(system(command)), EACCES);
	/* The same way leads to a picture where nothing is denied. */
	ASSERT_EQ(gate_mode(gate, CALLGATE_MODE_PERMISSIVE, NULL), 0);
	EXPECT_EQ(WEXITSTATUS(system(command)), 0);
	ASSERT_EQ(gate_mode(gate, CALLGATE_MODE_ENFORCING, NULL), 0);
}

int main(int argc, char **argv)
{
	actor_main(argc, argv);
	return harness_main(argc, argv);
}
