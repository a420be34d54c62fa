// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The administrator's rules: their keys, their bounds, and which of them
 * decides. Pure; config.c reads the files, call.c asks. Must not have an action
 * that allows: a rule can deny, or say how the user is asked. What it loosens is
 * what [unverified] could loosen for everybody.
 *
 * Security: each kind is decided apart, so that a rule about the camera cannot
 * be passed by asking for the microphone as well; where two rules speak for one
 * session, the stricter word counts. Rules that were not read to the end deny
 * everything.
 */
#include "policy-rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/text.h"

#define NS_PER_S 1000000000ull

/* A key's name and what a value of it is; the order is enum rule_key. */
static const struct {
	const char *name, *value;
} keys[] = {
	[RULE_KEY_APP] = { "app",
			   "an app is a label such as exe:/usr/bin/app, with * for any text; at most "
			   "16 lines of it" },
	[RULE_KEY_USER] = { "user",
			    "users are names or numbers of accounts that exist, at most 16" },
	[RULE_KEY_GROUP] = { "group",
			     "groups are names or numbers of groups that exist, at most 16" },
	[RULE_KEY_KINDS] = { "kinds",
			     "kinds are microphone, camera, speaker, or several of the words" },
	[RULE_KEY_PEER] = { "peer",
			    "a peer is unknown, pinned, verified, or several of the words" },
	[RULE_KEY_ACTION] = { "action",
			      "an action is ask or deny; nothing is captured without somebody's yes" },
	[RULE_KEY_ASK_ON] = { "ask_on",
			      "what is asked on is window, console, terminal, or several of the words" },
	[RULE_KEY_PROMPT] = { "prompt_seconds", "a number of seconds from 1 to 600" },
	[RULE_KEY_LIFETIME] = { "lifetime_seconds",
				"a number of seconds from 60 to 43200, which are 12 hours" },
	[RULE_KEY_HOLD] = { "hold_seconds", "a number of seconds from 0 to 65" },
	[RULE_KEY_UNVERIFIED_KINDS] = { "unverified_kinds",
					"kinds are none, or microphone, camera, speaker, or several of the words" },
	[RULE_KEY_UNVERIFIED_SECONDS] = { "unverified_seconds",
					  "a number of seconds from 1 to 3600" },
	[RULE_KEY_HISTORY] = { "history", "history is yes or no" },
	[RULE_KEY_LOCAL] = { "local",
			     "local is deny or ask: what becomes of a capture that is no call" },
	[RULE_KEY_LOCAL_SECONDS] = { "local_seconds", "a number of seconds from 1 to 3600" },
};

_Static_assert(sizeof(keys) / sizeof(keys[0]) == _RULE_KEY_MAX, "each key has a name");

#define CONDITIONS                                                                                \
	(1u << RULE_KEY_APP | 1u << RULE_KEY_USER | 1u << RULE_KEY_GROUP | 1u << RULE_KEY_KINDS | \
	 1u << RULE_KEY_PEER)

static bool has(const struct rule *rule, enum rule_key key)
{
	return (rule->has & 1u << key) != 0;
}

/* ---- reading ------------------------------------------------------------------------------------- */

struct rules *rules_new(void)
{
	return calloc(1, sizeof(struct rules));
}

struct rules *rules_free(struct rules *rules)
{
	if (rules == NULL)
		return NULL;
	for (unsigned int i = 0; i < rules->n_rules; i++) {
		for (unsigned int app = 0; app < rules->rule[i]->n_apps; app++)
			free(rules->rule[i]->apps[app]);
		free(rules->rule[i]);
	}
	for (unsigned int i = 0; i < rules->n_files; i++)
		free(rules->file[i]);
	free(rules);
	return NULL;
}

const char *rules_begin_file(struct rules *rules, const char *path)
{
	if (rules->n_files == BOUND_RULE_FILES)
		return "there are more than 64 files with rules; put several into one";
	rules->file[rules->n_files] = strdup(path);
	if (rules->file[rules->n_files] == NULL)
		return "there is no memory for it";
	rules->n_files++;
	return NULL;
}

const char *rules_begin_rule(struct rules *rules, unsigned int line)
{
	struct rule *rule;

	if (rules->n_rules == BOUND_RULES)
		return "there are more than 256 rules; one rule can name several apps and users";
	rule = calloc(1, sizeof(*rule));
	if (rule == NULL)
		return "there is no memory for it";
	rule->file = rules->n_files - 1;
	rule->line = line;
	rules->rule[rules->n_rules++] = rule;
	return NULL;
}

static const char *set_name(struct rule *rule, const char *section)
{
	static const char bad[] =
		"a section is [rule NAME], where NAME is 1 to 40 bytes of text that can be shown";
	const char *name = section + strlen("rule ");

	if (strncmp(section, "rule ", strlen("rule ")) != 0 || !text_is_name(name, RULE_NAME_MAX))
		return bad;
	snprintf(rule->name, sizeof(rule->name), "%s", name);
	return NULL;
}

/* The next word of a list; false: there is none, or it is too long for any value. */
static bool next_word(const char **list, char *ret_word, size_t size)
{
	size_t length;

	*list += strspn(*list, " \t");
	length = strcspn(*list, " \t");
	if (length == 0 || length >= size)
		return false;
	memcpy(ret_word, *list, length);
	ret_word[length] = '\0';
	*list += length;
	return true;
}

/* A list of words out of a few as a mask; each at most once, one at least. */
static bool set_words(uint32_t *mask, const char *value, const char *const *words, size_t n)
{
	uint32_t found = 0;
	char word[16];
	size_t i;

	while (next_word(&value, word, sizeof(word))) {
		for (i = 0; i < n && strcmp(words[i], word) != 0; i++)
			continue;
		if (i == n || (found & 1u << i) != 0)
			return false;
		found |= 1u << i;
	}
	if (*value != '\0' || found == 0)
		return false;
	*mask = found;
	return true;
}

static bool set_seconds(uint64_t *ns, const char *value, unsigned long min, unsigned long max)
{
	unsigned long number;

	if (!text_to_number(value, min, max, &number))
		return false;
	*ns = number * NS_PER_S;
	return true;
}

static bool add_app(struct rule *rule, const char *value)
{
	if (rule->n_apps == BOUND_RULE_VALUES || *value == '\0')
		return false;
	rule->apps[rule->n_apps] = strdup(value);
	if (rule->apps[rule->n_apps] == NULL)
		return false;
	rule->n_apps++;
	return true;
}

static bool find_user(const struct rule_names *names, const char *word, uint32_t *ret_number)
{
	uid_t uid;

	if (!names->user(word, &uid))
		return false;
	*ret_number = uid;
	return true;
}

static bool find_group(const struct rule_names *names, const char *word, uint32_t *ret_number)
{
	gid_t gid;

	if (!names->group(word, &gid))
		return false;
	*ret_number = gid;
	return true;
}

static bool set_accounts(uint32_t *numbers, unsigned int *n, const char *value,
			 const struct rule_names *names,
			 bool (*find)(const struct rule_names *, const char *, uint32_t *))
{
	unsigned long number;
	char word[64];

	while (next_word(&value, word, sizeof(word))) {
		if (*n == BOUND_RULE_VALUES)
			return false;
		if (text_to_number(word, 0, UINT32_MAX - 1, &number))
			numbers[*n] = (uint32_t)number;
		else if (!find(names, word, &numbers[*n]))
			return false;
		(*n)++;
	}
	return *value == '\0' && *n > 0;
}

static bool set_action(enum rule_action *action, const char *value)
{
	if (strcmp(value, "ask") == 0)
		*action = RULE_ASK;
	else if (strcmp(value, "deny") == 0)
		*action = RULE_DENY;
	else
		return false;
	return true;
}

static bool set_value(struct rule *rule, const struct rule_names *names, enum rule_key key,
		      const char *value)
{
	static const char *const kinds[] = { "microphone", "camera", "speaker" };
	static const char *const peers[] = { "unknown", "pinned", "verified" };
	static const char *const asks[] = { "window", "console", "terminal" };
	struct policy *terms = &rule->terms;

	switch (key) {
	case RULE_KEY_APP:
		return add_app(rule, value);
	case RULE_KEY_USER:
		return set_accounts(rule->users, &rule->n_users, value, names, find_user);
	case RULE_KEY_GROUP:
		return set_accounts(rule->groups, &rule->n_groups, value, names, find_group);
	case RULE_KEY_KINDS:
		return set_words(&rule->kinds, value, kinds, 3);
	case RULE_KEY_PEER:
		return set_words(&rule->peers, value, peers, 3);
	case RULE_KEY_ACTION:
		return set_action(&rule->action, value);
	case RULE_KEY_ASK_ON:
		return set_words(&terms->asks, value, asks, 3);
	case RULE_KEY_PROMPT:
		return set_seconds(&terms->prompt_ns, value, 1, 600);
	case RULE_KEY_LIFETIME:
		return set_seconds(&terms->lifetime_ns, value, 60, POLICY_LIFE_S);
	case RULE_KEY_HOLD:
		return set_seconds(&terms->hold_ns, value, 0, POLICY_HOLD_S);
	case RULE_KEY_UNVERIFIED_KINDS:
		return strcmp(value, "none") == 0 ||
		       set_words(&terms->unverified_kinds, value, kinds, 3);
	case RULE_KEY_UNVERIFIED_SECONDS:
		return set_seconds(&terms->unverified_ns, value, 1, 3600);
	case RULE_KEY_HISTORY:
		terms->history = strcmp(value, "yes") == 0;
		return terms->history || strcmp(value, "no") == 0;
	case RULE_KEY_LOCAL:
		terms->local = strcmp(value, "ask") == 0;
		return terms->local || strcmp(value, "deny") == 0;
	case RULE_KEY_LOCAL_SECONDS:
		return set_seconds(&terms->local_ns, value, 1, POLICY_LOCAL_S);
	case _RULE_KEY_MAX:
		break;
	}
	return false;
}

const char *rules_set(struct rules *rules, const struct rule_names *names, const char *section,
		      const char *name, const char *value, bool *ret_at_value)
{
	struct rule *rule = rules->n_rules > 0 ? rules->rule[rules->n_rules - 1] : NULL;
	const char *why = NULL;
	unsigned int key = 0;

	*ret_at_value = false;
	if (rule == NULL || rule->file != rules->n_files - 1 || section[0] == '\0')
		return "this key is in no section; a rule begins with [rule NAME]";
	if (rule->name[0] == '\0')
		why = set_name(rule, section);
	if (why != NULL)
		return why;
	while (key < _RULE_KEY_MAX && strcmp(keys[key].name, name) != 0)
		key++;
	if (key == _RULE_KEY_MAX)
		return "there is no such key; the keys of a rule are app, user, group, kinds, peer, action, "
		       "ask_on, prompt_seconds, lifetime_seconds, hold_seconds, unverified_kinds, "
		       "unverified_seconds, history, local, local_seconds";
	if (has(rule, key) && key != RULE_KEY_APP)
		return "the rule has this key already";
	*ret_at_value = true;
	if (!set_value(rule, names, key, value))
		return keys[key].value;
	rule->has |= 1u << key;
	return NULL;
}

const char *rules_end_rule(struct rules *rules)
{
	const struct rule *rule = rules->n_rules > 0 ? rules->rule[rules->n_rules - 1] : NULL;

	if (rule == NULL || rule->file != rules->n_files - 1)
		return NULL;
	if (rule->action == RULE_UNDECIDED)
		return "this rule decides nothing; give it action = ask or action = deny";
	if (rule->action == RULE_DENY && (rule->has & ~(CONDITIONS | 1u << RULE_KEY_ACTION)) != 0)
		return "a rule that denies asks nobody and lets nothing live; it has conditions only";
	return NULL;
}

/* ---- deciding ------------------------------------------------------------------------------------ */

/* * stands for any text, also for none, and is the only special character. */
static bool matches(const char *pattern, const char *text)
{
	const char *star = NULL, *retry = NULL;

	while (*text != '\0') {
		if (*pattern == '*') {
			star = pattern++;
			retry = text;
		} else if (*pattern == *text) {
			pattern++;
			text++;
		} else if (star != NULL) {
			pattern = star + 1;
			text = ++retry;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

/* Both: a program must not get round a rule about its executable by what it says of itself. */
static bool app_matches(const struct rule *rule, const struct rule_facts *facts)
{
	const char *exe = facts->exe != NULL ? facts->exe : "";

	for (unsigned int i = 0; i < rule->n_apps; i++)
		if (matches(rule->apps[i], facts->app) ||
		    (*exe != '\0' && matches(rule->apps[i], exe)))
			return true;
	return false;
}

static bool user_matches(const struct rule *rule, uid_t uid)
{
	for (unsigned int i = 0; i < rule->n_users; i++)
		if (rule->users[i] == uid)
			return true;
	return false;
}

static bool group_matches(const struct rule *rule, const struct rule_facts *facts)
{
	for (unsigned int i = 0; i < rule->n_groups; i++)
		for (size_t j = 0; j < facts->n_groups; j++)
			if (rule->groups[i] == facts->groups[j])
				return true;
	return false;
}

const char *rule_mismatch(const struct rule *rule, const struct rule_facts *facts, uint32_t kind)
{
	if (has(rule, RULE_KEY_APP) && !app_matches(rule, facts))
		return keys[RULE_KEY_APP].name;
	if (has(rule, RULE_KEY_USER) && !user_matches(rule, facts->uid))
		return keys[RULE_KEY_USER].name;
	if (has(rule, RULE_KEY_GROUP) && !group_matches(rule, facts))
		return keys[RULE_KEY_GROUP].name;
	if (has(rule, RULE_KEY_KINDS) && (rule->kinds & kind) == 0)
		return keys[RULE_KEY_KINDS].name;
	if (has(rule, RULE_KEY_PEER) && (rule->peers & 1u << facts->peer) == 0)
		return keys[RULE_KEY_PEER].name;
	return NULL;
}

const struct rule *rules_find(const struct rules *rules, const struct rule_facts *facts,
			      uint32_t kind)
{
	for (unsigned int i = 0; i < rules->n_rules; i++)
		if (rule_mismatch(rules->rule[i], facts, kind) == NULL)
			return rules->rule[i];
	return NULL;
}

bool rules_want_groups(const struct rules *rules)
{
	for (unsigned int i = 0; i < rules->n_rules; i++)
		if (has(rules->rule[i], RULE_KEY_GROUP))
			return true;
	return false;
}

static uint64_t shorter(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* What the rule says of one kind, in the place of what the configuration says. */
static struct policy terms_of(const struct rule *rule, const struct policy *policy)
{
	struct policy terms = *policy;

	if (rule == NULL)
		return terms;
	if (has(rule, RULE_KEY_ASK_ON))
		terms.asks = rule->terms.asks;
	if (has(rule, RULE_KEY_PROMPT))
		terms.prompt_ns = rule->terms.prompt_ns;
	if (has(rule, RULE_KEY_LIFETIME))
		terms.lifetime_ns = rule->terms.lifetime_ns;
	if (has(rule, RULE_KEY_HOLD))
		terms.hold_ns = rule->terms.hold_ns;
	if (has(rule, RULE_KEY_UNVERIFIED_KINDS))
		terms.unverified_kinds = rule->terms.unverified_kinds;
	if (has(rule, RULE_KEY_UNVERIFIED_SECONDS))
		terms.unverified_ns = rule->terms.unverified_ns;
	if (has(rule, RULE_KEY_HISTORY))
		terms.history = rule->terms.history;
	if (has(rule, RULE_KEY_LOCAL))
		terms.local = rule->terms.local;
	if (has(rule, RULE_KEY_LOCAL_SECONDS))
		terms.local_ns = rule->terms.local_ns;
	return terms;
}

static void tighten(struct policy *all, const struct policy *one)
{
	all->asks &= one->asks;
	all->prompt_ns = shorter(all->prompt_ns, one->prompt_ns);
	all->lifetime_ns = shorter(all->lifetime_ns, one->lifetime_ns);
	all->hold_ns = shorter(all->hold_ns, one->hold_ns);
	all->unverified_ns = shorter(all->unverified_ns, one->unverified_ns);
	all->history = all->history && one->history;
	all->local = all->local && one->local;
	all->local_ns = shorter(all->local_ns, one->local_ns);
	all->kinds |= one->kinds;
	all->unverified_kinds |= one->unverified_kinds;
}

/* false: the kind is denied. */
static bool decide_kind(const struct rules *rules, const struct policy *policy,
			const struct rule_facts *facts, uint32_t kind, struct policy *ret_terms)
{
	const struct rule *rule;

	if (!rules->complete)
		return false;
	rule = rules_find(rules, facts, kind);
	if (rule != NULL && rule->action != RULE_ASK)
		return false;
	*ret_terms = terms_of(rule, policy);
	ret_terms->kinds &= kind;
	ret_terms->unverified_kinds &= kind;
	return ret_terms->asks != 0;
}

bool rules_decide(const struct rules *rules, const struct policy *policy,
		  const struct rule_facts *facts, uint32_t kinds, struct policy *ret_policy)
{
	/* A session that asks for nothing to capture is one question, too. */
	const uint32_t asked[] = { kinds & POLICY_KIND_MICROPHONE, kinds & POLICY_KIND_CAMERA,
				   kinds & POLICY_KIND_SPEAKER };
	struct policy all = *policy, one;
	bool any = false;

	all.kinds = 0;
	all.unverified_kinds = 0;
	for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
		if ((asked[i] == 0 && kinds != 0) ||
		    !decide_kind(rules, policy, facts, asked[i], &one))
			continue;
		if (any)
			tighten(&all, &one);
		else
			all = one;
		any = true;
	}
	*ret_policy = all;
	return any && all.asks != 0;
}

void rule_place(const struct rules *rules, const struct rule *rule, char *ret_text, size_t size)
{
	snprintf(ret_text, size, "%s:%u (rule %s)", rules->file[rule->file], rule->line,
		 rule->name);
}
