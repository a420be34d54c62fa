/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CALLGATE_BYSTANDER_H
#define CALLGATE_BYSTANDER_H

#include <sys/types.h>

#include "gate.h"

#define SECOND 1000000000ull

/* A process that only waits, as @uid. */
pid_t bystander(uid_t uid);
void bystander_end(pid_t pid);
/* Runs @body in a child and returns what it returned. */
int in_child(int (*body)(void *arg), void *arg);
/* An order for both kinds and five seconds. */
struct gate_order order_for(struct gate *gate, pid_t pid, uint64_t session);
/* How many grants are in force. */
int grant_count(struct gate *gate);

/* Refusals carry a sentence. */
#define EXPECT_REFUSED(gate, call, err)         \
	do {                                    \
		EXPECT_EQ(call, err);           \
		EXPECT(gate_sentence(gate)[0]); \
	} while (0)

#endif
