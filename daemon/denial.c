// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Owns the list of programs that tried to capture outside a call. In memory
 * only: it says what people use, and is needed once, before enforcing. Called by
 * manager.c. Must not decide anything.
 */
#include "denial.h"

#include <string.h>

static struct denial *place(struct denials *denials, const struct process_facts *who)
{
	struct denial *oldest = &denials->denial[0];

	for (size_t i = 0; i < BOUND_DENIALS; i++) {
		struct denial *denial = &denials->denial[i];

		if (denial->last != 0 && denial->uid == who->uid &&
		    strcmp(denial->exe, who->exe) == 0)
			return denial;
		if (denial->last < oldest->last)
			oldest = denial;
	}
	*oldest = (struct denial){ .uid = who->uid };
	memcpy(oldest->exe, who->exe, sizeof(oldest->exe));
	return oldest;
}

void denial_note(struct denials *denials, const struct capture *attempt, uint64_t now)
{
	struct denial *denial = place(denials, &attempt->who);

	denial->kinds |= attempt->kinds;
	denial->count += attempt->count;
	denial->last = now != 0 ? now : 1;
}
