// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A file of rules: whatever is in it, it is taken whole or refused with its place; and what it then decides is never
 * more than the configuration's loosest.
 *
 * The text is not followed by a zero byte, as no file is.
 *
 * Input: which allocation fails u8, kinds u8, peer u8, uid u8, then the file.
 */
#include <stdio.h>

#include "config.h"
#include "fuzz.h"
#include "policy-rules.h"

#define S 1000000000ull

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	return crypto_init();
}

static bool find_user(const char *name, uid_t *ret_uid)
{
	*ret_uid = (uid_t)strlen(name);
	return name[0] == 'u';
}

static bool find_group(const char *name, gid_t *ret_gid)
{
	*ret_gid = (gid_t)strlen(name);
	return name[0] == 'g';
}

static const struct rule_names names = { find_user, find_group };

static void decide(struct rules *rules, const struct rule_facts *facts, uint32_t kinds)
{
	struct policy policy, got;
	bool asked;

	policy_init(&policy);
	rules->complete = true;
	asked = rules_decide(rules, &policy, facts, kinds, &got);
	MUST((got.kinds & ~kinds) == 0);
	MUST(asked || got.kinds == 0 || got.asks == 0);
	MUST(got.prompt_ns >= S && got.prompt_ns <= 600 * S);
	MUST(got.lifetime_ns >= 60 * S && got.lifetime_ns <= POLICY_LIFE_S * S);
	MUST(got.hold_ns <= POLICY_HOLD_S * S && got.unverified_ns <= 3600 * S);
	MUST((got.unverified_kinds & ~POLICY_KIND_ALL) == 0);
	for (unsigned int i = 0; i < rules->n_rules; i++) {
		const struct rule *rule = rules->rule[i];

		MUST(rule->action == RULE_ASK || rule->action == RULE_DENY);
		MUST(rule->name[0] != '\0' && rule->line > 0 && rule->file < rules->n_files);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader in = { .p = data, .left = size };
	uint8_t failing = take_u8(&in);
	const uint32_t kinds = take_u8(&in) & POLICY_KIND_ALL;
	const struct rule_facts facts = {
		.app = "exe:/usr/bin/app",
		.peer = take_u8(&in) % _RULE_PEER_MAX,
		.uid = take_u8(&in),
		.groups = (const gid_t[]){ 2, 3 },
		.n_groups = 2,
	};
	struct rules *rules = rules_new();
	struct config_error error = { "" };
	size_t len = in.left;
	char *text = (char *)exact(in.p, len);
	int r;

	MUST(rules);
	fuzz_memory(failing);
	r = config_parse_rules(rules, &names, "f", text, len, &error);
	fuzz_memory(0);
	if (r == 0)
		decide(rules, &facts, kinds);
	else
		MUST(strncmp(error.text, "f:", 2) == 0 && strlen(error.text) > 4);
	rules_free(rules);
	free(text);
	return 0;
}
