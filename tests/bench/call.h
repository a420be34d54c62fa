/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A call through callgated, of which this process is the app, the agent that approves it and the other end. */
#ifndef BENCH_CALL_H
#define BENCH_CALL_H

#include <stdbool.h>
#include <sys/types.h>

enum call_ending {
	CALL_ENDED,  /* the app ends the session over D-Bus */
	CALL_CLOSED, /* the other end closes the channel */
};

/* Joins the system bus. Ends the program where something fails, as all of these. */
void call_connect(void);
/* A session for process @pid, of both kinds; until it has its grants. */
void call_begin(pid_t pid);
/* What the daemon and the channel want in the meantime; waits a millisecond at most. */
void call_serve(void);
/* Returns when the daemon has taken the order. */
void call_end_by(enum call_ending how);

#endif
