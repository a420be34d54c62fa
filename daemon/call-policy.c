// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the administrator's rules say of a session: at its beginning, and again
 * whenever more is known of the other side, or the rules are read anew. Called
 * by call-open.c and call.c. Must not widen: what was left of the kinds at the
 * beginning is all that a session can ever capture.
 *
 * Security: who is in a group says the account database, or the kernel when the
 * connection was made. Either is enough, because a process can shed groups
 * and cannot gain any. An account database that does not answer denies.
 */
#include "call-private.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "util/macro.h"

#define PASSWD_MAX 4096

static enum rule_peer peer_of(enum identity_auth auth)
{
	switch (auth) {
	case IDENTITY_PINNED:
		return RULE_PEER_PINNED;
	case IDENTITY_VERIFIED:
		return RULE_PEER_VERIFIED;
	case IDENTITY_UNKNOWN:
	case IDENTITY_AUTH_COUNT:
		break;
	}
	return RULE_PEER_UNKNOWN;
}

/* The user's groups behind those of the connection. Negative errno: nobody knows. */
static int find_groups(const struct call *call, gid_t groups[CALL_GROUPS_MAX], size_t *ret_n)
{
	int room = CALL_GROUPS_MAX - (int)call->n_groups, r;
	struct passwd entry, *user;
	char text[PASSWD_MAX];

	memcpy(groups, call->groups, call->n_groups * sizeof(groups[0]));
	*ret_n = call->n_groups;
	r = getpwuid_r(call->uid, &entry, text, sizeof(text), &user);
	if (r != 0)
		return -r;
	if (user == NULL)
		return 0;
	if (getgrouplist(user->pw_name, user->pw_gid, groups + call->n_groups, &room) < 0)
		return -E2BIG;
	*ret_n += (size_t)room;
	return 0;
}

/* What holds now, as far as the rules say. false: all is denied. */
static bool decide(const struct call *call, enum rule_peer peer, struct policy *ret_policy)
{
	const struct calls *calls = call->calls;
	gid_t groups[CALL_GROUPS_MAX];
	struct rule_facts facts = { .app = call->app,
				    .exe = call->app_exe,
				    .uid = call->uid,
				    .groups = groups,
				    .peer = peer };

	if (rules_want_groups(calls->rules) && find_groups(call, groups, &facts.n_groups) < 0) {
		*ret_policy = *calls->policy;
		ret_policy->kinds = 0;
		return false;
	}
	return rules_decide(calls->rules, calls->policy, &facts, call->facts.asked, ret_policy);
}

/* The first rule that denies, for people. */
static int refuse_by_rule(const struct call *call, struct refusal *ret_refusal)
{
	const struct rules *rules = call->calls->rules;
	struct rule_facts facts = { .app = call->app, .exe = call->app_exe, .uid = call->uid };
	const struct rule *rule;
	gid_t groups[CALL_GROUPS_MAX];
	uint32_t kind = call->facts.asked & -call->facts.asked;
	char place[200];

	if (!rules->complete)
		return refuse(
			ret_refusal, REFUSAL_NOT_ALLOWED,
			"The rules for calls cannot be understood, so none is allowed. For the "
			"administrator: 'callgatectl policy check' says where.");
	facts.groups = groups;
	if (rules_want_groups(rules) && find_groups(call, groups, &facts.n_groups) < 0)
		return refuse(
			ret_refusal, REFUSAL_NOT_ALLOWED,
			"Nobody says in which groups you are, and the rules for calls want to know; "
			"try again later.");
	rule = rules_find(rules, &facts, kind);
	if (rule == NULL)
		return refuse(ret_refusal, REFUSAL_NOT_ALLOWED,
			      "The administrator's rules do not allow this call.");
	rule_place(rules, rule, place, sizeof(place));
	return refuse(ret_refusal, REFUSAL_NOT_ALLOWED,
		      "The administrator's rules do not allow this program's call: %s.", place);
}

int call_policy_begin(struct call *call, const struct call_request *request,
		      struct refusal *ret_refusal)
{
	uint32_t kinds = 0;
	bool any = false;

	call->asks = POLICY_ASK_ALL;
	if (request->n_groups > CALL_GROUPS_MAX)
		return -E2BIG;
	call->groups = calloc(request->n_groups + 1, sizeof(call->groups[0]));
	if (call->groups == NULL)
		return -ENOMEM;
	call->n_groups = request->n_groups;
	if (call->n_groups > 0)
		memcpy(call->groups, request->groups, call->n_groups * sizeof(call->groups[0]));
	/* One that is no call has nobody whom the rules could know. */
	/* Who the other side is will only be known in the call: only what is denied for everybody is refused now. */
	for (int peer = 0; peer < (call->facts.local ? 1 : _RULE_PEER_MAX); peer++) {
		if (!decide(call, (enum rule_peer)peer, &call->policy))
			continue;
		kinds |= call->policy.kinds;
		call->asks &= call->policy.asks;
		any = true;
	}
	if (call->asks == 0)
		return refuse(
			ret_refusal, REFUSAL_NOT_ALLOWED,
			"The administrator's rules contradict each other about where this call is to be "
			"asked; show them 'callgatectl policy explain'.");
	if (!any || (kinds == 0 && call->facts.asked != 0))
		return refuse_by_rule(call, ret_refusal);
	if (call->facts.local && !call->policy.local)
		return refuse(
			ret_refusal, REFUSAL_NOT_ALLOWED,
			"Nothing is captured outside a call on this machine. Make a call (callgatectl call), or have the "
			"administrator let you be asked: action = ask under [local] in callgate.conf, or local = ask in a "
			"rule.");
	call->facts.asked &= kinds;
	call_policy_update(call);
	return 0;
}

void call_policy_update(struct call *call)
{
	if (call->policy_generation == call->calls->generation && call->policy_auth == call->auth)
		return;
	call->policy_generation = call->calls->generation;
	call->policy_auth = call->auth;
	if (!decide(call, peer_of(call->auth), &call->policy))
		call->policy.kinds = 0;
}
