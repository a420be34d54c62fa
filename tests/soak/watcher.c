// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The watchers as a program of their own, for a fuzzer that is none: they watch
 * until standard input ends. The twin goes before and after, when nobody else is
 * the controller. Says "# watching" when the controller's place is free.
 */
#include <stdio.h>
#include <unistd.h>

#include "gate.h"
#include "harness.h"
#include "watch.h"

static void twin(void)
{
	struct gate *gate = gate_open_bound();

	watch_twin(gate);
	gate_close(gate);
}

TEST_LIMIT(nothing_comes_through_without_a_grant, 24 * 3600)
{
	char c;

	twin();
	watch_begin(2);
	harness_note("watching");
	while (read(0, &c, 1) > 0)
		;
	watch_end("watched");
	twin();
}

HARNESS_MAIN
