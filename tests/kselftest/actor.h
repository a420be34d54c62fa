/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Programs of which only one thing matters: who they are when they take a
 * picture. Each is a process with its own executable, ids, threads, namespaces and
 * cgroup, and does one thing at a time as it is told.
 */
#ifndef KSELFTEST_ACTOR_H
#define KSELFTEST_ACTOR_H

#include <stdbool.h>
#include <sys/types.h>

/* What actor_result() returns while the order has not been carried out. */
#define ACTOR_BUSY 1000000

enum actor_op {
	ACTOR_FRAME,	       /* one picture by the main thread, through a file of its own; 0 */
	ACTOR_FRAME_OF_THREAD, /* a: uids of that thread alone, 0: as the others */
	ACTOR_FRAME_OF_FORK,
	ACTOR_FRAME_OF_SHARER, /* by a process that shares its memory and files */
	ACTOR_FRAME_INSIDE,    /* by a child that is cloned into the cgroup @text */
	ACTOR_RUN,	       /* a child that executes @text, which takes a picture; its answer */
	ACTOR_ASK,	       /* a thread asks for buffers on a blocking file; answers at once */
	ACTOR_ANSWER,	       /* what that thread got */
	ACTOR_STREAM,	       /* begins a capture and keeps it */
	ACTOR_NEXT,	       /* the next picture of it */
	ACTOR_EXEC,	       /* goes on as the program @text, with the file of the capture */
	ACTOR_EXEC_BY_THREAD,
	ACTOR_BOUNCE,	/* a thread of each program executes the other one, @text first, for ever */
	ACTOR_CHILD,	/* see actor_child() */
	ACTOR_SETUID,	/* a: real and effective, b: saved */
	ACTOR_UNSHARE,	/* a: flags */
	ACTOR_ENTER,	/* writes its id to the file @text */
	ACTOR_BECOME,	/* says that its executable is @text */
	ACTOR_VM_READ,	/* looks with process_vm_readv() at address @text of process a */
	ACTOR_MEM_READ, /* the same through /proc/PID/mem */
	ACTOR_TRACE,	/* attaches to process a and lets go */
	ACTOR_FETCH,	/* takes descriptor b of process a as its own capture */
};

struct actor {
	pid_t pid;
	int sock;
};

/* The main function must call this first: it is where every actor begins. */
void actor_main(int argc, char **argv);

/* A process of @uid that executes @path, a copy of this program; NULL: this one. */
struct actor *actor_start(const char *path, const char *node, uid_t uid);
/* A child of @parent that executes the same program. */
struct actor *actor_child(struct actor *parent);
void actor_end(struct actor *actor);

/* 0 or more, or a negative errno. */
long actor_call(struct actor *actor, enum actor_op op, int a, int b, const char *text);
void actor_send(struct actor *actor, enum actor_op op, int a, int b, const char *text);
long actor_result(struct actor *actor, int ms);
long actor_do(struct actor *actor, enum actor_op op);

#endif
