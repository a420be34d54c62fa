/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CALLGATE_AGENT_AUTH_H
#define CALLGATE_AGENT_AUTH_H

#include <stdbool.h>
#include <systemd/sd-bus.h>

struct agent_auth;

/**
 * agent_auth_new() - have the user say by his password that he is there
 * @on_terminal: ask on the controlling terminal, which nobody else may read meanwhile; otherwise the
 *	desktop asks
 * @done: called once, unless it is freed before; yes: polkit authorised it. May free it
 *
 * Negative errno where nobody can be asked.
 */
int agent_auth_new(struct agent_auth **ret, sd_bus *bus, bool on_terminal,
		   void (*done)(void *userdata, bool yes), void *userdata);
struct agent_auth *agent_auth_free(struct agent_auth *auth);

#endif
