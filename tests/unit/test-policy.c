// SPDX-License-Identifier: LGPL-2.1-or-later
/* The configuration's keys and bounds, and the names that may be shown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "config.h"
#include "policy.h"
#include "util/text.h"

static void defaults_are_the_protocol(void **state)
{
	struct policy policy;

	policy_init(&policy);
	assert_true(policy.prompt_ns == 60000000000ull);
	assert_false(policy.pseudo_terminal);
	assert_true(policy.unverified_ns == 120000000000ull);
	assert_int_equal(policy.unverified_kinds, POLICY_KIND_MICROPHONE);
	assert_int_equal(policy.heartbeat_ms, 2000);
	assert_int_equal(policy.history_days, 7);
	assert_int_equal(policy.history_unit, 900);
	assert_true(policy.history_deny);
	assert_string_equal(policy.agent_group, "callgate-agent");
}

static const struct {
	const char *section, *name, *value;
	bool good;
} values[] = {
	{ "prompt", "timeout", "1", true },
	{ "prompt", "timeout", "600", true },
	{ "prompt", "timeout", "0", false },
	{ "prompt", "timeout", "601", false },
	{ "prompt", "timeout", "-1", false },
	{ "prompt", "timeout", "5s", false },
	{ "prompt", "timeout", "", false },
	{ "prompt", "timeout", "99999999999999999999", false },
	{ "prompt", "pseudo_terminal", "yes", true },
	{ "prompt", "pseudo_terminal", "true", false },
	{ "unverified", "seconds", "5", true },
	{ "unverified", "seconds", "0", false },
	{ "unverified", "kinds", "none", true },
	{ "unverified", "kinds", "microphone camera", true },
	{ "unverified", "kinds", "camera", false },
	{ "channel", "heartbeat", "1000", true },
	{ "channel", "heartbeat", "15000", true },
	{ "channel", "heartbeat", "999", false },
	{ "channel", "heartbeat", "15001", false },
	{ "history", "days", "0", true },
	{ "history", "days", "90", true },
	{ "history", "days", "91", false },
	{ "history", "unit", "60", true },
	{ "history", "unit", "86400", true },
	{ "history", "unit", "59", false },
	{ "history", "unit", "7000", false },
	{ "history", "full", "continue", true },
	{ "history", "full", "ignore", false },
	{ "agent", "group", "callgate-agent", true },
	{ "agent", "group", "", false },
	{ "sound", "manager", "/usr/libexec/callgate-pipewire", true },
	{ "sound", "manager", "callgate-pipewire", false },
	{ "sound", "server", "/usr/bin/pipewire", true },
	{ "sound", "server", "", false },
	{ "prompt", "Timeout", "5", false },
	{ "", "timeout", "5", false },
	{ "other", "key", "1", false },
};

static void bounds_hold(void **state)
{
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct policy policy, before;
		const char *why = NULL;

		policy_init(&policy);
		before = policy;
		if (policy_set(&policy, values[i].section, values[i].name, values[i].value, &why) !=
		    values[i].good)
			fail_msg("[%s] %s = %s", values[i].section, values[i].name,
				 values[i].value);
		assert_non_null(why);
		if (!values[i].good)
			assert_memory_equal(&policy, &before, sizeof(policy));
	}
}

static int read_text(const char *text, struct policy *ret_policy)
{
	char path[] = "/tmp/test-policy-XXXXXX";
	int fd = mkstemp(path), r;
	struct config_error error;

	assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
	r = config_read(path, ret_policy, &error);
	unlink(path);
	return r;
}

static void files_are_read_whole_or_not_at_all(void **state)
{
	struct config_error error;
	struct policy policy;

	assert_int_equal(config_read("/nonexistent/callgate.conf", &policy, &error), 0);
	assert_true(policy.prompt_ns == 60000000000ull);
	assert_int_equal(read_text("# c\n[prompt]\ntimeout = 7\npseudo_terminal=yes\n", &policy),
			 0);
	assert_true(policy.prompt_ns == 7000000000ull && policy.pseudo_terminal);
	assert_true(read_text("[prompt]\ntimeout = 8\ntimeuot = 9\n", &policy) < 0);
	assert_true(read_text("[prompt]\nwhat is this\n", &policy) < 0);
	assert_true(read_text("timeout = 9\n", &policy) < 0);
	assert_true(policy.prompt_ns == 7000000000ull);
}

static void names_show_themselves(void **state)
{
	static const char *const good[] = { "bob", "Žofie Nováková", "李", "a b", "🙂" };
	static const char *const bad[] = { "",
					   " bob",
					   "bob ",
					   "a\nb",
					   "a\033[2Jb",
					   "a\x7f",
					   "\xc0\xaf",
					   "a\xff",
					   "\xed\xa0\x80",
					   "a\xe2\x80\xae"
					   "b",
					   "\xe2\x80\x8b",
					   "\xef\xbb\xbf"
					   "bob",
					   "\xc2\x85",
					   "\xf4\x90\x80\x80",
					   "ab\xe2\x80",
					   "a\xe3\x85\xa4",
					   "a\xcd\x8f",
					   "a\xef\xb8\x8f",
					   "a\xe2\xa0\x80" };
	char shown[16];

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(text_is_name(good[i], 63));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(text_is_name(bad[i], 63));
	assert_true(text_is_name("12345", 5));
	assert_false(text_is_name("123456", 5));
	text_show(shown, sizeof(shown),
		  "a\033[31m\xff"
		  "b");
	assert_string_equal(shown, "a?[31m?b");
	text_show(shown, 4, "ab李");
	assert_string_equal(shown, "ab");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_the_protocol),
		cmocka_unit_test(bounds_hold),
		cmocka_unit_test(files_are_read_whole_or_not_at_all),
		cmocka_unit_test(names_show_themselves),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
