// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Sliding window against replay, as a bitmap ring. Numbers may come in any order within WINDOW_BITS of the highest; each
 * is taken once. Looking and marking are separate so that an unauthenticated number can never move the window.
 */
#include "util/window.h"

#include <string.h>

static bool bit_get(const struct window *w, uint64_t seq)
{
	unsigned int bit = seq % WINDOW_BITS;

	return w->seen[bit / 64] >> (bit % 64) & 1;
}

static void bit_set(struct window *w, uint64_t seq)
{
	unsigned int bit = seq % WINDOW_BITS;

	w->seen[bit / 64] |= UINT64_C(1) << (bit % 64);
}

static void bit_clear(struct window *w, uint64_t seq)
{
	unsigned int bit = seq % WINDOW_BITS;

	w->seen[bit / 64] &= ~(UINT64_C(1) << (bit % 64));
}

bool window_fresh(const struct window *w, uint64_t seq)
{
	if (seq == UINT64_MAX)
		return false;
	if (!w->any || seq > w->highest)
		return true;
	if (w->highest - seq >= WINDOW_BITS)
		return false;
	return !bit_get(w, seq);
}

void window_mark(struct window *w, uint64_t seq)
{
	if (!w->any) {
		w->any = true;
		w->highest = seq;
	} else if (seq > w->highest) {
		if (seq - w->highest >= WINDOW_BITS)
			memset(w->seen, 0, sizeof(w->seen));
		else
			for (uint64_t s = w->highest + 1; s < seq; s++)
				bit_clear(w, s);
		w->highest = seq;
	}
	bit_set(w, seq);
}
