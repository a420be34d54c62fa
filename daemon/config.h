/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CALLGATE_CONFIG_H
#define CALLGATE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "policy-rules.h"
#include "policy.h"

#define CONFIG_FILE  "/etc/callgate/callgate.conf"
#define CONFIG_RULES "/etc/callgate/policy.d"

/**
 * struct config_error - what is wrong with a file
 * @text: "file:line:column: what is wrong", or without numbers where it is no line's fault
 */
struct config_error {
	char text[640];
};

/* A file that is absent means the defaults. Return: 0 or negative errno, with the error filled in. */
int config_read(const char *path, struct policy *ret_policy, struct config_error *ret_error);

/* One file of rules, out of memory. @path: for messages. Return: 0 or negative errno. */
int config_parse_rules(struct rules *rules, const struct rule_names *names, const char *path,
		       const char *text, size_t len, struct config_error *ret_error);

/* One file of rules, whoever may change it. */
int config_check_rules(struct rules *rules, const char *path, struct config_error *ret_error);

/*
 * Each *.conf of a folder, in the order of their names. An absent folder means no rules. Return: 0 or negative errno;
 * *ret_rules are then what was read until there, incomplete: they deny everything. NULL where there is no memory.
 */
int config_read_rules(const char *dir, struct rules **ret_rules, struct config_error *ret_error);

#endif
