// SPDX-License-Identifier: LGPL-2.1-or-later
/* The administrator's rules: what is refused and where it says the fault is, which rule decides, and how terms join. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "config.h"
#include "policy-rules.h"

#define S    1000000000ull
#define MIC  POLICY_KIND_MICROPHONE
#define CAM  POLICY_KIND_CAMERA
#define BOTH POLICY_KIND_DEVICES
#define ALL  POLICY_KIND_ALL

static bool find_user(const char *name, uid_t *ret_uid)
{
	*ret_uid = 1000;
	return strcmp(name, "alice") == 0;
}

static bool find_group(const char *name, gid_t *ret_gid)
{
	*ret_gid = 50;
	return strcmp(name, "staff") == 0;
}

static const struct rule_names names = { find_user, find_group };

static int parse(struct rules *rules, const char *text, struct config_error *error)
{
	return config_parse_rules(rules, &names, "x", text, strlen(text), error);
}

/* ---- what is refused, and where */

#define R "[rule a]\naction = ask\n"

static const struct {
	const char *text, *at; /* NULL: nothing is wrong */
} texts[] = {
	{ "", NULL },
	{ "# nothing\n\n", NULL },
	{ R, NULL },
	{ "[rule a]\naction = deny", NULL },
	{ "[rule a]\r\naction = deny\r\n", NULL },
	{ "[rule a]\naction = deny ; why\n", NULL },
	{ R
	  "app = exe:/usr/bin/*\napp = user:/home/b\nuser = alice 0\ngroup = 7 staff\nkinds = camera\n"
	  "peer = unknown pinned\nask_on = window console\nprompt_seconds = 5\nlifetime_seconds = 60\n"
	  "hold_seconds = 0\nunverified_kinds = none\nunverified_seconds = 9\nhistory = no\n",
	  NULL },
	{ R R, NULL },
	/* Nothing allows. */
	{ "[rule a]\naction = allow\n", "x:2:10: an action is ask or deny" },
	{ "[rule a]\naction = ask deny\n", "x:2:10: an action is ask or deny" },
	/* The place. */
	{ "# c\n[rule a]\nkind = camera\n", "x:3:1: there is no such key" },
	{ "[rule a]\nkinds =   video\n", "x:2:11: kinds are" },
	{ "[rule a]\nuser\t: mallory\n", "x:2:8: users are" },
	{ "[rule a]\nnonsense\n", "x:2:1: this is no [section]" },
	{ "[rule a\n", "x:1:1: this is no [section]" },
	{ "action = ask\n", "x:1:1: this key is in no section" },
	{ "[rules]\naction = ask\n", "x:2:1: a section is [rule NAME]" },
	{ "[rule ]\naction = ask\n", "x:2:1: a section is [rule NAME]" },
	{ "[rule 1234567890123456789012345678901234567890x]\naction = ask\n", "x:2:1: a section" },
	{ "[rule a]\n\n[rule b]\naction = ask\n", "x:1:1: this rule decides nothing" },
	{ R "[rule b]\nkinds = camera\n", "x:3:1: this rule decides nothing" },
	{ "[rule a]\naction = deny\nprompt_seconds = 5\n", "x:1:1: a rule that denies" },
	{ R "kinds = camera\nkinds = camera\n", "x:4:1: the rule has this key already" },
	{ "[rule a]\naction = ask\n continued\n", "x:3:1: the line begins with a space" },
	/* Bounds. */
	{ R "lifetime_seconds = 59\n", "x:3:20: a number" },
	{ R "lifetime_seconds = 43201\n", "x:3:20: a number" },
	{ R "hold_seconds = 66\n", "x:3:16: a number" },
	{ R "prompt_seconds = 0\n", "x:3:18: a number" },
	{ R "unverified_seconds = 3601\n", "x:3:22: a number" },
	{ R "unverified_kinds = all\n", "x:3:20: kinds are" },
	{ R "history = maybe\n", "x:3:11: history is" },
	{ R "kinds = camera camera\n", "x:3:9: kinds are" },
	{ R "kinds =\n", "x:3:8: kinds are" },
	{ R "peer = friend\n", "x:3:8: a peer is" },
	{ R "ask_on = telephone\n", "x:3:10: what is asked on" },
	{ R "group = nobody-has-it\n", "x:3:9: groups are" },
	{ R "user = 4294967295\n", "x:3:8: users are" },
	{ R "user = 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17\n", "x:3:8: users are" },
};

static void what_is_wrong_is_refused_with_its_place(void **state)
{
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct config_error error = { "" };
		struct rules *rules = rules_new();
		int r = parse(rules, texts[i].text, &error);

		if (texts[i].at == NULL
			    ? r != 0
			    : r >= 0 || strncmp(error.text, texts[i].at, strlen(texts[i].at)) != 0)
			fail_msg("%s: %d, %s", texts[i].text, r, error.text);
		rules_free(rules);
	}
}

static void long_lines_and_zero_bytes_are_refused(void **state)
{
	static const char zero[] = "[rule a]\naction = ask\0deny\n";
	struct config_error error;
	char text[600] = R "app = exe:/";
	struct rules *rules = rules_new();

	/* What the parser's buffer would cut in two. */
	memset(text + strlen(text), 'a', 200);
	strcat(text, "\n");
	assert_true(parse(rules, text, &error) < 0);
	assert_non_null(strstr(error.text, "x:3:199: the line is too long"));
	rules_free(rules);
	rules = rules_new();
	assert_true(config_parse_rules(rules, &names, "x", zero, sizeof(zero) - 1, &error) < 0);
	assert_non_null(strstr(error.text, "x:2:1: there is a zero byte"));
	rules_free(rules);
}

static void there_is_an_end_to_rules(void **state)
{
	struct config_error error;
	struct rules *rules = rules_new();
	char *text = calloc(BOUND_RULES + 1, strlen(R) + 1);

	for (int i = 0; i < BOUND_RULES; i++)
		strcat(text, R);
	assert_int_equal(parse(rules, text, &error), 0);
	rules_free(rules);
	rules = rules_new();
	strcat(text, R);
	assert_true(parse(rules, text, &error) < 0);
	assert_non_null(strstr(error.text, "x:513:1: there are more than 256 rules"));
	rules_free(rules);
	free(text);
}

/* ---- who decides */

static const gid_t staff[] = { 50 };

static const struct {
	const char *name, *text;
	struct rule_facts facts;
	uint32_t kinds, left; /* of the kinds */
	bool asked;
} rows[] = {
	{ "ask_without_a_rule", "", { .app = "exe:/a", .uid = 1 }, BOTH, BOTH, true },
	{ "ask_for_the_speaker_too", "", { .app = "exe:/a", .uid = 1 }, ALL, ALL, true },
	{ "deny_the_speaker",
	  "[rule a]\nkinds = speaker\naction = deny\n",
	  { .app = "exe:/a", .uid = 1 },
	  ALL,
	  BOTH,
	  true },
	{ "deny_all_but_the_speaker",
	  "[rule a]\nkinds = camera microphone\naction = deny\n",
	  { .app = "exe:/a", .uid = 1 },
	  ALL,
	  POLICY_KIND_SPEAKER,
	  true },
	{ "deny_by_a_rule_for_all",
	  "[rule d]\naction = deny\n",
	  { .app = "exe:/a", .uid = 1 },
	  BOTH,
	  0,
	  false },
	{ "deny_to_listen_by_a_rule_for_all",
	  "[rule d]\naction = deny\n",
	  { .app = "exe:/a", .uid = 1 },
	  0,
	  0,
	  false },
	{ "ask_to_listen_with_a_rule_for_kinds",
	  "[rule d]\naction = deny\nkinds = camera microphone\n",
	  { .app = "exe:/a", .uid = 1 },
	  0,
	  0,
	  true },
	{ "first_match_asks",
	  R "app = exe:/a\n[rule d]\naction = deny\n",
	  { .app = "exe:/a", .uid = 1 },
	  BOTH,
	  BOTH,
	  true },
	{ "first_match_denies",
	  "[rule d]\naction = deny\napp = exe:/a\n" R,
	  { .app = "exe:/a", .uid = 1 },
	  BOTH,
	  0,
	  false },
	{ "second_app_of_a_rule",
	  "[rule d]\naction = deny\napp = exe:/x\napp = exe:/a*z\n",
	  { .app = "exe:/a/b/z", .uid = 1 },
	  BOTH,
	  0,
	  false },
	{ "another_app",
	  "[rule d]\naction = deny\napp = exe:/a*z\n",
	  { .app = "exe:/a/b/zz!", .uid = 1 },
	  BOTH,
	  BOTH,
	  true },
	{ "a_star_is_no_dot",
	  "[rule d]\naction = deny\napp = exe:/a\n",
	  { .app = "exe:/ab", .uid = 1 },
	  BOTH,
	  BOTH,
	  true },
	{ "deny_what_a_denied_executable_interprets",
	  "[rule d]\naction = deny\napp = exe:/a\n",
	  { .app = "script:/x", .exe = "exe:/a", .uid = 1 },
	  BOTH,
	  0,
	  false },
	{ "deny_what_is_interpreted",
	  "[rule d]\naction = deny\napp = script:/x\n",
	  { .app = "script:/x", .exe = "exe:/a", .uid = 1 },
	  BOTH,
	  0,
	  false },
	{ "ask_for_what_neither_is",
	  "[rule d]\naction = deny\napp = exe:/b\napp = script:/y\n",
	  { .app = "script:/x", .exe = "exe:/a", .uid = 1 },
	  BOTH,
	  BOTH,
	  true },
	{ "user_by_name",
	  "[rule d]\naction = deny\nuser = alice\n",
	  { .app = "a", .uid = 1000 },
	  BOTH,
	  0,
	  false },
	{ "another_user",
	  "[rule d]\naction = deny\nuser = alice\n",
	  { .app = "a", .uid = 1 },
	  BOTH,
	  BOTH,
	  true },
	{ "group",
	  "[rule d]\naction = deny\ngroup = staff\n",
	  { .app = "a", .uid = 1, .groups = staff, .n_groups = 1 },
	  BOTH,
	  0,
	  false },
	{ "another_group",
	  "[rule d]\naction = deny\ngroup = staff\n",
	  { .app = "a", .uid = 1 },
	  BOTH,
	  BOTH,
	  true },
	{ "one_kind_is_denied",
	  "[rule d]\naction = deny\nkinds = camera\n",
	  { .app = "a", .uid = 1 },
	  BOTH,
	  MIC,
	  true },
	{ "the_kind_is_denied_alone",
	  "[rule d]\naction = deny\nkinds = camera\n",
	  { .app = "a", .uid = 1 },
	  CAM,
	  0,
	  false },
	{ "unknown_peers_are_denied",
	  "[rule d]\naction = deny\npeer = unknown\n",
	  { .app = "a", .uid = 1, .peer = RULE_PEER_UNKNOWN },
	  BOTH,
	  0,
	  false },
	{ "pinned_peers_are_not",
	  "[rule d]\naction = deny\npeer = unknown\n",
	  { .app = "a", .uid = 1, .peer = RULE_PEER_PINNED },
	  BOTH,
	  BOTH,
	  true },
	{ "no_agent_may_ask_for_both",
	  "[rule m]\naction = ask\nkinds = microphone\nask_on = window\n"
	  "[rule c]\naction = ask\nkinds = camera\nask_on = console\n",
	  { .app = "a", .uid = 1 },
	  BOTH,
	  BOTH,
	  false },
	{ "all_conditions_hold_or_none",
	  "[rule d]\naction = deny\nuser = alice\ngroup = staff\n",
	  { .app = "a", .uid = 1000 },
	  BOTH,
	  BOTH,
	  true },
};

static void the_first_rule_that_matches_decides(void **state)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rules *rules = rules_new();
		struct config_error error;
		struct policy policy, got;
		bool asked;

		policy_init(&policy);
		assert_int_equal(parse(rules, rows[i].text, &error), 0);
		rules->complete = true;
		asked = rules_decide(rules, &policy, &rows[i].facts, rows[i].kinds, &got);
		if (asked != rows[i].asked || got.kinds != rows[i].left)
			fail_msg("%s: %d, kinds %u", rows[i].name, asked, got.kinds);
		rules->complete = false;
		assert_false(rules_decide(rules, &policy, &rows[i].facts, rows[i].kinds, &got));
		assert_int_equal(got.kinds, 0);
		rules_free(rules);
	}
}

static void two_rules_for_one_session_join_to_the_stricter(void **state)
{
	static const char text[] =
		"[rule m]\naction = ask\nkinds = microphone\nlifetime_seconds = 600\nprompt_seconds = 5\n"
		"unverified_kinds = microphone camera\nhold_seconds = 3\nask_on = window console\n"
		"[rule c]\naction = ask\nkinds = camera\nlifetime_seconds = 900\nunverified_kinds = none\n"
		"unverified_seconds = 7\nhistory = no\nask_on = console terminal\n";
	const struct rule_facts facts = { .app = "a" };
	struct rules *rules = rules_new();
	struct config_error error;
	struct policy policy, got;

	policy_init(&policy);
	assert_int_equal(parse(rules, text, &error), 0);
	rules->complete = true;
	assert_true(rules_decide(rules, &policy, &facts, BOTH, &got));
	assert_true(got.lifetime_ns == 600 * S && got.prompt_ns == 5 * S && got.hold_ns == 3 * S);
	assert_true(got.unverified_ns == 7 * S && !got.history);
	assert_int_equal(got.unverified_kinds, MIC);
	assert_int_equal(got.asks, POLICY_ASK_CONSOLE);
	assert_true(rules_decide(rules, &policy, &facts, CAM, &got));
	assert_true(got.lifetime_ns == 900 * S && got.prompt_ns == policy.prompt_ns);
	assert_int_equal(got.unverified_kinds, 0);
	rules_free(rules);
}

/* ---- the folder */

static void put(const char *dir, const char *name, const char *text, mode_t mode)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	chmod(path, mode);
}

static void files_count_in_the_order_of_their_names(void **state)
{
	char dir[] = "/tmp/test-rules-XXXXXX", place[128], path[128];
	struct config_error error;
	struct rules *rules;

	assert_int_equal(config_read_rules("/nonexistent/policy.d", &rules, &error), 0);
	assert_true(rules->complete && rules->n_rules == 0);
	rules_free(rules);
	assert_non_null(mkdtemp(dir));
	put(dir, "20-b.conf", "[rule second]\naction = deny\n", 0644);
	put(dir, "10-a.conf", "\n[rule first]\naction = ask\n", 0644);
	put(dir, "10-a.conf~", "nonsense", 0644);
	put(dir, ".hidden.conf", "nonsense", 0644);
	assert_int_equal(config_read_rules(dir, &rules, &error), 0);
	assert_true(rules->complete && rules->n_rules == 2);
	rule_place(rules, rules->rule[0], place, sizeof(place));
	snprintf(path, sizeof(path), "%s/10-a.conf:2 (rule first)", dir);
	assert_string_equal(place, path);
	rules_free(rules);
	put(dir, "30-c.conf", "[rule third]\naction = maybe\n", 0644);
	assert_true(config_read_rules(dir, &rules, &error) < 0);
	assert_false(rules->complete);
	assert_non_null(strstr(error.text, "/30-c.conf:2:10: "));
	rules_free(rules);
	put(dir, "30-c.conf", "", 0666);
	assert_true(config_read_rules(dir, &rules, &error) < 0);
	assert_false(rules->complete);
	assert_non_null(strstr(error.text, "others than root can change"));
	rules_free(rules);
	for (const char *const *name =
		     (const char *const[]){ "20-b.conf", "10-a.conf", "10-a.conf~", ".hidden.conf",
					    "30-c.conf", NULL };
	     *name != NULL; name++) {
		snprintf(path, sizeof(path), "%s/%s", dir, *name);
		unlink(path);
	}
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_wrong_is_refused_with_its_place),
		cmocka_unit_test(long_lines_and_zero_bytes_are_refused),
		cmocka_unit_test(there_is_an_end_to_rules),
		cmocka_unit_test(the_first_rule_that_matches_decides),
		cmocka_unit_test(two_rules_for_one_session_join_to_the_stricter),
		cmocka_unit_test(files_count_in_the_order_of_their_names),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
