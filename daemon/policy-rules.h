/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The administrator's rules: for each kind that a session asks for the first one that matches decides, and what it
 * says takes the place of what the configuration says. Pure.
 */
#ifndef CALLGATE_POLICY_RULES_H
#define CALLGATE_POLICY_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "bounds.h"
#include "policy.h"

#define RULE_NAME_MAX 40

/* What is known of the other side. */
enum rule_peer {
	RULE_PEER_UNKNOWN,
	RULE_PEER_PINNED,
	RULE_PEER_VERIFIED,
	_RULE_PEER_MAX
};
#define RULE_PEER_ANY ((1u << _RULE_PEER_MAX) - 1)

enum rule_action {
	RULE_UNDECIDED, /* only while it is read */
	RULE_ASK,
	RULE_DENY,
};

/* Keys that a rule has: 1 << enum. */
enum rule_key {
	RULE_KEY_APP,
	RULE_KEY_USER,
	RULE_KEY_GROUP,
	RULE_KEY_KINDS,
	RULE_KEY_PEER,
	RULE_KEY_ACTION,
	RULE_KEY_ASK_ON,
	RULE_KEY_PROMPT,
	RULE_KEY_LIFETIME,
	RULE_KEY_HOLD,
	RULE_KEY_UNVERIFIED_KINDS,
	RULE_KEY_UNVERIFIED_SECONDS,
	RULE_KEY_HISTORY,
	RULE_KEY_LOCAL,
	RULE_KEY_LOCAL_SECONDS,
	_RULE_KEY_MAX
};

/**
 * struct rule - one [rule] section
 * @file: index into the rules' files; @line: of its section
 * @has: keys that it has; a condition that it does not have holds for all
 * @apps: @users: @groups: any of them
 * @peers: 1 << enum rule_peer
 * @terms: what it says, where @has says that it does
 */
struct rule {
	char name[RULE_NAME_MAX + 1];
	unsigned int file, line;
	uint32_t has;
	enum rule_action action;
	unsigned int n_apps, n_users, n_groups;
	char *apps[BOUND_RULE_VALUES];
	uid_t users[BOUND_RULE_VALUES];
	gid_t groups[BOUND_RULE_VALUES];
	uint32_t kinds;
	uint32_t peers;
	struct policy terms;
};

/**
 * struct rules - all files, in order
 * @complete: every file was read to its end; until then everything is denied
 */
struct rules {
	unsigned int n_rules, n_files;
	struct rule *rule[BOUND_RULES];
	char *file[BOUND_RULE_FILES];
	bool complete;
};

/* Numbers of users and groups; false: there is none of that name. */
struct rule_names {
	bool (*user)(const char *name, uid_t *ret_uid);
	bool (*group)(const char *name, gid_t *ret_gid);
};

/* NULL: no memory. */
struct rules *rules_new(void);
/* Takes NULL. Returns NULL. */
struct rules *rules_free(struct rules *rules);

/* ---- reading; each returns NULL, or a static sentence that says what is wrong */

const char *rules_begin_file(struct rules *rules, const char *path);
/* A section begins; its name comes with the first key. */
const char *rules_begin_rule(struct rules *rules, unsigned int line);
/* One key of the rule that began last. @ret_at_value: it is the value that is wrong, not the key or the section. */
const char *rules_set(struct rules *rules, const struct rule_names *names, const char *section,
		      const char *name, const char *value, bool *ret_at_value);
/* The section, or the file, ends. */
const char *rules_end_rule(struct rules *rules);

/* ---- deciding */

/**
 * struct rule_facts - what rules are about
 * @app: label of the calling program
 * @exe: of its executable, where @app is only what the program says of itself; a rule about either holds. May be NULL
 * @groups: that the user is in
 */
struct rule_facts {
	const char *app;
	const char *exe;
	uid_t uid;
	const gid_t *groups;
	size_t n_groups;
	enum rule_peer peer;
};

/* The first condition that does not hold, or NULL. @kind: one, or 0 for a session that captures nothing. */
const char *rule_mismatch(const struct rule *rule, const struct rule_facts *facts, uint32_t kind);
/* The rule that decides, or NULL: the configuration alone does. */
const struct rule *rules_find(const struct rules *rules, const struct rule_facts *facts,
			      uint32_t kind);
/* Does any rule look at groups? */
bool rules_want_groups(const struct rules *rules);

/**
 * rules_decide() - what holds for a session that asks for these kinds
 * @policy: the configuration
 * @ret_policy: the same with what the rules say of each kind; where they say it differently, the stricter; .kinds has
 *	those kinds only that are not denied
 * Return: false if all is denied.
 */
bool rules_decide(const struct rules *rules, const struct policy *policy,
		  const struct rule_facts *facts, uint32_t kinds, struct policy *ret_policy);

/* "file:line (rule NAME)". */
void rule_place(const struct rules *rules, const struct rule *rule, char *ret_text, size_t size);

#endif
