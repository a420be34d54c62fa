/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An agent that says yes to everything, for what measures and needs no person. */
#ifndef TESTS_YES_H
#define TESTS_YES_H

#include <systemd/sd-bus.h>

/**
 * struct yes - the agent
 * @compared: what it says of the numbers
 * @comparisons: how often it was asked for that
 */
struct yes {
	const char *compared;
	unsigned int comparisons;
};

/* Serves /agent on @bus and registers it with the daemon. @yes lives as long as @bus. 0 or a negative errno. */
int yes_register(struct yes *yes, sd_bus *bus);

#endif
