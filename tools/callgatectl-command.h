/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CALLGATE_CALLGATECTL_COMMAND_H
#define CALLGATE_CALLGATECTL_COMMAND_H

#include <stdbool.h>
#include <sys/types.h>

/**
 * struct command - the program that a call is for
 * @pid: leads a process group of its own; 0 once it was reaped
 * @pidfd: readable when it ended
 * @go: what lets it begin
 * @error: readable once it began: end of file, or an errno
 * @in: writing end of its standard input, or -1
 * @out: reading end of its standard output, or -1
 */
struct command {
	pid_t pid;
	int pidfd, go, error, in, out;
	bool begun;
};

#define COMMAND_INIT                                                    \
	{                                                               \
		.pidfd = -1, .go = -1, .error = -1, .in = -1, .out = -1 \
	}

/**
 * command_fork() - make the process, which waits
 * @argv: what it will execute
 * @feed: give it a pipe as standard input, else it gets an empty one
 * @collect: give it a pipe as standard output, else it shares ours
 *
 * Call it before anything is opened that the process should not hold. It ends
 * with us, and if it was never told to begin it never executes anything.
 */
int command_fork(char **argv, bool feed, bool collect, struct command *ret);
int command_begin(struct command *command);
/* 0 when it executes its program, else the negative errno. Call it once error is readable. */
int command_check(struct command *command);
/* To the whole process group. One that has not begun just ends. */
void command_signal(struct command *command, int number);
/* After pidfd became readable: its wait status. */
int command_reap(struct command *command, int *ret_status);
void command_close_in(struct command *command);
void command_close_out(struct command *command);
/* Kills and reaps what is left. */
void command_deinit(struct command *command);

#endif
