/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CALLGATE_MANAGER_H
#define CALLGATE_MANAGER_H

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "policy.h"
#include "scope.h"
#include "vault.h"

struct manager;

/* Where the policy is read from, also at a reload; the strings stay the caller's. */
struct manager_files {
	const char *config, *rules;
};

/**
 * manager_new() - everything that needs privileges: binds the gate
 * @scopes: taken; may be NULL
 * @vault: not taken; its credential was read already
 * Return: 0 or negative errno. A gate that is absent is no error.
 */
int manager_new(struct manager **ret_manager, sd_event *event, const struct policy *policy,
		const struct manager_files *files, struct scopes *scopes, struct vault *vault);
/* Does the gate obey? Otherwise the privilege to bind it is still needed. */
bool manager_has_gate(const struct manager *manager);
/* After the privileges were dropped: opens the state and the bus, and takes the name. Prints what fails. */
int manager_start(struct manager *manager, const char *state_dir);
/* Tells the service manager that all of this is done. */
void manager_ready(const struct manager *manager);
/* Reads the policy anew; sessions go on. Prints how it went. */
void manager_reload(struct manager *manager);
/* Ends every session politely, revokes, and sends what there is to send; or hands them over to the next process. */
void manager_stop(struct manager *manager);
/* Returns NULL. */
struct manager *manager_free(struct manager *manager);

#endif
