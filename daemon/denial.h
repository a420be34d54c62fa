/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which programs were denied, or would have been in permissive mode, since the daemon started. */
#ifndef CALLGATE_DENIAL_H
#define CALLGATE_DENIAL_H

#include <stddef.h>
#include <stdint.h>

#include "bounds.h"
#include "capture.h"

/**
 * struct denial - one program of one user
 * @kinds: of every attempt
 * @count: attempts, as the gate counted them
 * @last: CLOCK_REALTIME, seconds; 0: this entry is free
 */
struct denial {
	uid_t uid;
	uint32_t kinds;
	uint64_t count;
	uint64_t last;
	char exe[PROCESS_EXE_MAX + 1];
};

struct denials {
	struct denial denial[BOUND_DENIALS];
};

/* When the list is full the one that is over for longest makes room. */
void denial_note(struct denials *denials, const struct capture *attempt, uint64_t now);

#endif
