// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Programs that take pictures on command.
 *
 * Owns one capture each. Judges nothing and grants nothing: the test is the
 * controller. Every actor begins with exec, because a process that only changed
 * its user is not open to the other processes of that user, and would hide
 * what these can do.
 */
#include "actor.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/sched.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "frame.h"
#include "passing.h"

#define PATIENCE 20000

struct order {
	int op, a, b;
	char text[256];
};

struct state {
	char node[64];
	int sock, fd;
	pthread_t asking;
	long answer;
};

static void reply(int sock, long value, int fd)
{
	passing_send(sock, &value, sizeof(value), fd);
}

/* ---- who does it ----------------------------------------------------------------------------------------------- */

struct errand {
	const struct state *state;
	int uid;
	const char *program;
	long result;
};

static void *frame_of_thread(void *arg)
{
	struct errand *errand = arg;

	/* The system call changes this thread alone; the library would change them all. */
	if (errand->uid && syscall(SYS_setresuid, errand->uid, errand->uid, errand->uid)) {
		errand->result = -errno;
		return NULL;
	}
	errand->result = frame_take(errand->state->node);
	return NULL;
}

static long by_thread(const struct state *s, int uid)
{
	struct errand errand = { .state = s, .uid = uid };
	pthread_t thread;

	if (pthread_create(&thread, NULL, frame_of_thread, &errand))
		return -EAGAIN;
	pthread_join(thread, NULL);
	return errand.result;
}

static int frame_of_sharer(void *arg)
{
	struct errand *errand = arg;

	errand->result = frame_take(errand->state->node);
	return 0;
}

static long by_sharer(const struct state *s)
{
	struct errand errand = { .state = s, .result = -ECHILD };
	const size_t size = 256 * 1024;
	char *stack;
	pid_t pid;

	stack = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (stack == MAP_FAILED)
		return -errno;
	pid = clone(frame_of_sharer, stack + size, CLONE_VM | CLONE_FILES | CLONE_FS | SIGCHLD,
		    &errand);
	if (pid < 0)
		return -errno;
	waitpid(pid, NULL, 0);
	return errand.result;
}

static long status_of(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -ECHILD;
}

static long by_fork(const struct state *s)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(-frame_take(s->node));
	return status_of(pid);
}

static long by_child_inside(const struct state *s, const char *cgroup)
{
	struct clone_args args = { .flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD };
	int fd = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	pid_t pid;

	if (fd < 0)
		return -errno;
	args.cgroup = fd;
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0)
		_exit(-frame_take(s->node));
	close(fd);
	return status_of(pid);
}

static long by_program(const struct state *s, const char *program)
{
	pid_t pid = fork();

	if (pid == 0) {
		execl(program, program, "--frame", s->node, NULL);
		_exit(errno);
	}
	return status_of(pid);
}

/* Like a program that does not know of the gate: it is held. */
static void *ask(void *arg)
{
	struct state *s = arg;

	s->answer = frame_ask(s->node);
	return NULL;
}

static long by_waiting_thread(struct state *s)
{
	return pthread_create(&s->asking, NULL, ask, s) ? -EAGAIN : 0;
}

static long answer_of_thread(struct state *s)
{
	return pthread_join(s->asking, NULL) ? -ESRCH : s->answer;
}

static long go_on_as(const struct state *s, const char *program)
{
	char sock[16], fd[16];

	snprintf(sock, sizeof(sock), "%d", s->sock);
	snprintf(fd, sizeof(fd), "%d", s->fd);
	execl(program, program, "--actor", s->node, sock, fd, NULL);
	return -errno;
}

static void *exec_in_thread(void *arg)
{
	struct errand *errand = arg;

	errand->result = go_on_as(errand->state, errand->program);
	return NULL;
}

static long exec_by_thread(const struct state *s, const char *program)
{
	struct errand errand = { .state = s, .program = program };
	pthread_t thread;

	if (pthread_create(&thread, NULL, exec_in_thread, &errand))
		return -EAGAIN;
	pthread_join(thread, NULL);
	return errand.result;
}

static void *bounce_in_thread(void *arg)
{
	char **argv = arg;

	/* Its own name becomes the next one's argument. */
	execl(argv[2], argv[2], "--bounce", argv[0], NULL);
	_exit(9);
}

static void bounce(char **argv)
{
	pthread_t thread;

	pthread_create(&thread, NULL, bounce_in_thread, argv);
	for (;;)
		pause();
}

static long beget(const struct state *s)
{
	struct state child = *s;
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	pid = fork();
	if (pid == 0) {
		child.sock = dup(pair[1]);
		child.fd = -1;
		close(s->sock);
		go_on_as(&child, "/proc/self/exe");
		_exit(9);
	}
	close(pair[1]);
	reply(s->sock, pid, pair[0]);
	close(pair[0]);
	return 0;
}

/* Puts a copy of each mapping of the executable in its place, because the kernel changes it only then. */
static long leave_executable(void)
{
	char line[600], exe[300] = "", path[300];
	unsigned long from[32], to[32];
	int count = 0, i, prot[32];
	char perms[5];
	void *copy;
	FILE *maps;

	if (readlink("/proc/self/exe", exe, sizeof(exe) - 1) < 0)
		return -errno;
	maps = fopen("/proc/self/maps", "r");
	if (!maps)
		return -errno;
	while (count < 32 && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx %4s %*s %*s %*s %299s", &from[count], &to[count], perms,
			   path) != 4 ||
		    strcmp(path, exe))
			continue;
		prot[count] = (perms[0] == 'r' ? PROT_READ : 0) |
			      (perms[1] == 'w' ? PROT_WRITE : 0) |
			      (perms[2] == 'x' ? PROT_EXEC : 0);
		count++;
	}
	fclose(maps);
	for (i = 0; i < count; i++) {
		size_t size = to[i] - from[i];

		copy = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (copy == MAP_FAILED)
			return -errno;
		memcpy(copy, (void *)from[i], size);
		if (mprotect(copy, size, prot[i]) ||
		    mremap(copy, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)from[i]) ==
			    MAP_FAILED)
			return -errno;
	}
	return 0;
}

static long become(const char *path)
{
	long err = leave_executable();
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (!err && prctl(PR_SET_MM, PR_SET_MM_EXE_FILE, fd, 0, 0))
		err = -errno;
	close(fd);
	return err;
}

static long enter(const char *path)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	long err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, "0", 1) != 1)
		err = -errno;
	close(fd);
	return err;
}

/* ---- what a program of the same user tries --------------------------------------------------------------------- */

static long vm_read(pid_t pid, uintptr_t address)
{
	char page[4096];
	struct iovec to = { page, sizeof(page) }, from = { (void *)address, sizeof(page) };

	if (process_vm_readv(pid, &to, 1, &from, 1, 0) < 0)
		return -errno;
	return frame_any(page, sizeof(page)) ? 0 : -ENODATA;
}

static long mem_read(pid_t pid, uintptr_t address)
{
	char path[64], page[4096];
	long r = 0;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (pread(fd, page, sizeof(page), address) < 0)
		r = -errno;
	else if (!frame_any(page, sizeof(page)))
		r = -ENODATA;
	close(fd);
	return r;
}

static long trace(pid_t pid)
{
	if (ptrace(PTRACE_SEIZE, pid, 0, 0))
		return -errno;
	/* A tracee is let go only while it is stopped. */
	if (ptrace(PTRACE_INTERRUPT, pid, 0, 0) || waitpid(pid, NULL, __WALL) != pid)
		return -errno;
	return ptrace(PTRACE_DETACH, pid, 0, 0) ? -errno : 0;
}

static long fetch(struct state *s, pid_t pid, int fd)
{
	int pidfd = syscall(SYS_pidfd_open, pid, 0);
	long r = 0;

	if (pidfd < 0)
		return -errno;
	s->fd = syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	if (s->fd < 0)
		r = -errno;
	close(pidfd);
	return r;
}

/* ---- orders ---------------------------------------------------------------------------------------------------- */

static long obey(struct state *s, const struct order *o)
{
	switch ((enum actor_op)o->op) {
	case ACTOR_FRAME:
		return frame_take(s->node);
	case ACTOR_FRAME_OF_THREAD:
		return by_thread(s, o->a);
	case ACTOR_FRAME_OF_FORK:
		return by_fork(s);
	case ACTOR_FRAME_OF_SHARER:
		return by_sharer(s);
	case ACTOR_FRAME_INSIDE:
		return by_child_inside(s, o->text);
	case ACTOR_RUN:
		return by_program(s, o->text);
	case ACTOR_ASK:
		return by_waiting_thread(s);
	case ACTOR_ANSWER:
		return answer_of_thread(s);
	case ACTOR_STREAM:
		return (s->fd = frame_begin(s->node)) < 0 ? s->fd : 0;
	case ACTOR_NEXT:
		return frame_next(s->fd);
	case ACTOR_EXEC:
		return go_on_as(s, o->text);
	case ACTOR_EXEC_BY_THREAD:
		return exec_by_thread(s, o->text);
	case ACTOR_BOUNCE: {
		char own[300] = "";

		if (readlink("/proc/self/exe", own, sizeof(own) - 1) > 0)
			bounce((char *[]){ own, "--bounce", (char *)o->text, NULL });
		return -errno;
	}
	case ACTOR_CHILD:
		return beget(s);
	case ACTOR_SETUID:
		return setresuid(o->a, o->a, o->b) ? -errno : 0;
	case ACTOR_UNSHARE:
		return unshare(o->a) ? -errno : 0;
	case ACTOR_ENTER:
		return enter(o->text);
	case ACTOR_BECOME:
		return become(o->text);
	case ACTOR_VM_READ:
		return vm_read(o->a, strtoul(o->text, NULL, 16));
	case ACTOR_MEM_READ:
		return mem_read(o->a, strtoul(o->text, NULL, 16));
	case ACTOR_TRACE:
		return trace(o->a);
	case ACTOR_FETCH:
		return fetch(s, o->a, o->b);
	}
	return -ENOSYS;
}

static void serve(struct state *s)
{
	struct order o;
	long r;

	while (recv(s->sock, &o, sizeof(o), 0) == sizeof(o)) {
		r = obey(s, &o);
		/* A parent has answered with its child's socket. */
		if (o.op != ACTOR_CHILD || r)
			reply(s->sock, r, -1);
	}
	_exit(0);
}

void actor_main(int argc, char **argv)
{
	struct state s = {};

	if (argc == 3 && !strcmp(argv[1], "--frame"))
		_exit(-frame_take(argv[2]));
	if (argc == 3 && !strcmp(argv[1], "--bounce"))
		bounce(argv);
	if (argc != 5 || strcmp(argv[1], "--actor"))
		return;
	/* A test that ends closes the other end; this is for one that is killed meanwhile. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(s.node, sizeof(s.node), "%s", argv[2]);
	s.sock = atoi(argv[3]);
	s.fd = atoi(argv[4]);
	reply(s.sock, 0, -1);
	serve(&s);
}

/* ---- in the test ----------------------------------------------------------------------------------------------- */

struct actor *actor_start(const char *path, const char *node, uid_t uid)
{
	struct actor *actor = calloc(1, sizeof(*actor));
	struct state s = { .fd = -1 };
	int pair[2];

	if (!actor || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) {
		perror("actor: socketpair");
		exit(9);
	}
	actor->sock = pair[0];
	actor->pid = fork();
	if (actor->pid == 0) {
		if (setgroups(0, NULL) || setresgid(uid, uid, uid) || setresuid(uid, uid, uid))
			_exit(9);
		snprintf(s.node, sizeof(s.node), "%s", node);
		s.sock = dup(pair[1]);
		/* Nothing of the controller may live on in this one. */
		close_range(3, s.sock - 1, CLOSE_RANGE_CLOEXEC);
		close_range(s.sock + 1, ~0u, CLOSE_RANGE_CLOEXEC);
		go_on_as(&s, path ?: "/proc/self/exe");
		_exit(9);
	}
	close(pair[1]);
	if (actor_result(actor, PATIENCE)) {
		fprintf(stderr, "actor: %s does not start\n", path ?: "this program");
		exit(9);
	}
	return actor;
}

void actor_end(struct actor *actor)
{
	kill(actor->pid, SIGKILL);
	/* Another actor's child is waited for by its parent's end. */
	waitpid(actor->pid, NULL, 0);
	close(actor->sock);
	free(actor);
}

void actor_send(struct actor *actor, enum actor_op op, int a, int b, const char *text)
{
	struct order o = { .op = op, .a = a, .b = b };

	snprintf(o.text, sizeof(o.text), "%s", text ?: "");
	if (send(actor->sock, &o, sizeof(o), MSG_NOSIGNAL) < 0) {
		perror("actor: send");
		_exit(9);
	}
}

static long result_fd(struct actor *actor, int ms, int *ret_fd)
{
	struct pollfd p = { .fd = actor->sock, .events = POLLIN };
	long value;

	*ret_fd = -1;
	if (poll(&p, 1, ms) != 1)
		return ACTOR_BUSY;
	if (passing_receive(actor->sock, &value, sizeof(value), MSG_CMSG_CLOEXEC, ret_fd) !=
	    sizeof(value))
		return -ESRCH;
	return value;
}

long actor_result(struct actor *actor, int ms)
{
	int fd;

	return result_fd(actor, ms, &fd);
}

long actor_call(struct actor *actor, enum actor_op op, int a, int b, const char *text)
{
	actor_send(actor, op, a, b, text);
	return actor_result(actor, PATIENCE);
}

long actor_do(struct actor *actor, enum actor_op op)
{
	return actor_call(actor, op, 0, 0, NULL);
}

struct actor *actor_child(struct actor *parent)
{
	struct actor *child = calloc(1, sizeof(*child));

	actor_send(parent, ACTOR_CHILD, 0, 0, NULL);
	child->pid = result_fd(parent, PATIENCE, &child->sock);
	if (child->sock < 0 || actor_result(child, PATIENCE)) {
		free(child);
		return NULL;
	}
	return child;
}
