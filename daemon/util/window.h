/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define WINDOW_BITS 1024

/**
 * struct window - which sequence numbers have been seen
 * @highest: the highest one, meaningful once @any is set
 * @any: at least one was seen
 * @seen: bit seq % WINDOW_BITS for the WINDOW_BITS numbers up to @highest
 *
 * All zeros is an empty window. It plays no part in secrecy; it is copied freely.
 */
struct window {
	uint64_t highest;
	bool any;
	uint64_t seen[WINDOW_BITS / 64];
};

/**
 * window_fresh - may this number still be taken?
 *
 * False for a number that was seen, that lies WINDOW_BITS or more below the highest, or that is UINT64_MAX (a counter
 * that reached it can only wrap). Changes nothing: ask before authenticating, mark after.
 */
bool window_fresh(const struct window *w, uint64_t seq);

/**
 * window_mark - remember an authenticated number for which window_fresh() is true
 */
void window_mark(struct window *w, uint64_t seq);
