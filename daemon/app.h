/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which app a process is, as far as anybody can say. */
#ifndef CALLGATE_APP_H
#define CALLGATE_APP_H

#include <stdbool.h>

#include "process.h"

/**
 * struct app
 * @label: protocol.md "Identity"; what keys, contacts and rules go by
 * @exe: the executable's own label where @label is what the program says of itself; else empty
 * @proven: the kernel says @label
 */
struct app {
	char label[BOUND_LABEL + 1];
	char exe[BOUND_LABEL + 1];
	bool proven;
};

/**
 * app_identify() - the app that a process runs
 *
 * Reads /proc by the number in @facts: whoever needs to know that it is still that process holds a pidfd.
 * Return: 0; -ESTALE: the running file is no longer there; -EILSEQ: it has no name that can be shown; -ENXIO: it is in a
 * sandbox that does not say which app it is.
 */
int app_identify(const struct process_facts *facts, struct app *ret_app);

#endif
