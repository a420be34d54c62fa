/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What every cmocka program here shares: the headers in the order that cmocka wants, a list of tests that can grow at run
 * time, and skips with a reason, which cmocka's own skip() cannot give. The harness reads "# SKIP reason" from a test's name.
 */
#pragma once

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crypto.h"

struct unit {
	struct CMUnitTest tests[96];
	size_t n;
};

static inline void unit_add(struct unit *u, const char *name, CMUnitTestFunction test)
{
	if (u->n == sizeof(u->tests) / sizeof(u->tests[0]))
		abort();
	u->tests[u->n++] = (struct CMUnitTest){ .name = name, .test_func = test };
}

#define UNIT(u, test) unit_add(u, #test, test)

static inline void unit_nothing(void **state)
{
}

static inline void unit_skip(struct unit *u, const char *what, const char *why)
{
	char *name = NULL;

	if (asprintf(&name, "%s # SKIP %s", what, why) < 0)
		abort();
	unit_add(u, name, unit_nothing);
}

static inline int unit_run(struct unit *u)
{
	int r;

	if (crypto_init() < 0) {
		puts("Bail out! libsodium did not start");
		return 1;
	}
	cmocka_set_message_output(CM_OUTPUT_TAP);
	r = _cmocka_run_group_tests("unit", u->tests, u->n, NULL, NULL);
	/* The names that unit_skip() made. */
	for (size_t i = 0; i < u->n; i++)
		if (u->tests[i].test_func == unit_nothing)
			free((void *)(uintptr_t)u->tests[i].name);
	return r;
}
