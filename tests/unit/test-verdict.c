// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * kmod/verdict.c in user space: each fact of a rule denies on its own, and each
 * deny has the same rule with the fact put right, which allows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kernel-shim/types.h"

#include "../../kmod/verdict.c"

#define MICROPHONE 1
#define CAMERA	   2

static const char pid, other_pid, exe, other_exe;

static const struct callgate_image image = {
	.pid = &pid,
	.exec_id = 7,
	.cgroup = 40,
	.exe = &exe,
	.uid = 1000,
	.euid = 1000,
	.suid = 1000,
	.user = true,
};

static const struct callgate_rule process_rule = {
	.pid = &pid,
	.exec_id = 7,
	.exe = &exe,
	.uid = 1000,
	.kinds = CAMERA,
	.deadline = 100,
};

static const struct callgate_rule cgroup_rule = {
	.cgroup = 40,
	.uid = 1000,
	.kinds = CAMERA | MICROPHONE,
	.deadline = 100,
};

static bool covers(const struct callgate_rule *rule, const struct callgate_image *who)
{
	return callgate_rule_covers(rule, who, 3, CAMERA, 99);
}

static void allow_the_process_itself(void **state)
{
	assert_true(covers(&process_rule, &image));
	assert_true(covers(&cgroup_rule, &image));
}

#define DENY_IMAGE(name, field, value)                     \
	static void name(void **state)                     \
	{                                                  \
		struct callgate_image who = image;         \
                                                           \
		who.field = (value);                       \
		assert_false(covers(&process_rule, &who)); \
		who.field = image.field;                   \
		assert_true(covers(&process_rule, &who));  \
	}

DENY_IMAGE(deny_another_process, pid, &other_pid)
DENY_IMAGE(deny_no_process, pid, NULL)
DENY_IMAGE(deny_after_exec, exec_id, 8)
DENY_IMAGE(deny_another_executable, exe, &other_exe)
DENY_IMAGE(deny_no_executable, exe, NULL)
DENY_IMAGE(deny_another_uid, uid, 1001)
DENY_IMAGE(deny_another_effective_uid, euid, 0)
DENY_IMAGE(deny_another_saved_uid, suid, 0)
DENY_IMAGE(deny_without_memory, user, false)

static void deny_in_another_cgroup(void **state)
{
	struct callgate_image who = image;

	who.cgroup = 41;
	assert_false(covers(&cgroup_rule, &who));
	who.cgroup = 40;
	assert_true(covers(&cgroup_rule, &who));
}

static void deny_in_the_cgroup_with_another_uid(void **state)
{
	struct callgate_image who = image;

	who.suid = 1001;
	assert_false(covers(&cgroup_rule, &who));
	who.suid = 1000;
	assert_true(covers(&cgroup_rule, &who));
}

static void allow_any_process_in_the_cgroup(void **state)
{
	struct callgate_image who = image;

	who.pid = &other_pid;
	who.exec_id = 99;
	who.exe = &other_exe;
	assert_true(covers(&cgroup_rule, &who));
	who.user = false;
	assert_false(covers(&cgroup_rule, &who));
}

/* Zeroes are absent facts and equal nothing, not even each other. */
static void deny_with_an_empty_rule(void **state)
{
	struct callgate_rule rule = { .uid = 1000, .kinds = CAMERA, .deadline = 100 };
	struct callgate_image who = image;

	who.cgroup = 0;
	who.pid = NULL;
	who.exe = NULL;
	assert_false(covers(&rule, &who));
	rule.cgroup = who.cgroup = 40;
	assert_true(covers(&rule, &who));
}

static void deny_with_a_rule_without_executable(void **state)
{
	struct callgate_rule rule = process_rule;
	struct callgate_image who = image;

	rule.exe = NULL;
	who.exe = NULL;
	assert_false(covers(&rule, &who));
}

static void deny_from_the_deadline_on(void **state)
{
	assert_true(callgate_rule_covers(&process_rule, &image, 3, CAMERA, 99));
	assert_false(callgate_rule_covers(&process_rule, &image, 3, CAMERA, 100));
	assert_false(callgate_rule_covers(&process_rule, &image, 3, CAMERA, UINT64_MAX));
}

static void deny_a_kind_that_is_not_granted(void **state)
{
	assert_false(callgate_rule_covers(&process_rule, &image, 3, MICROPHONE, 0));
	assert_false(callgate_rule_covers(&process_rule, &image, 3, MICROPHONE | CAMERA, 0));
	assert_true(callgate_rule_covers(&process_rule, &image, 3, CAMERA, 0));
	assert_true(callgate_rule_covers(&cgroup_rule, &image, 3, MICROPHONE | CAMERA, 0));
}

static void deny_a_device_without_kinds(void **state)
{
	assert_false(callgate_rule_covers(&cgroup_rule, &image, 3, 0, 0));
}

static void deny_another_device(void **state)
{
	struct callgate_rule rule = process_rule;

	rule.device = 3;
	assert_true(callgate_rule_covers(&rule, &image, 3, CAMERA, 0));
	assert_false(callgate_rule_covers(&rule, &image, 4, CAMERA, 0));
	rule.device = 0;
	assert_true(callgate_rule_covers(&rule, &image, 4, CAMERA, 0));
}

/* Every subset of kinds asked of every subset granted. */
static void deny_every_set_of_kinds_that_is_not_contained(void **state)
{
	struct callgate_rule rule = cgroup_rule;
	u32 asked;

	for (rule.kinds = 0; rule.kinds < 8; rule.kinds++) {
		for (asked = 0; asked < 8; asked++)
			assert_int_equal(callgate_rule_covers(&rule, &image, 1, asked, 0),
					 asked && (asked & rule.kinds) == asked);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(allow_the_process_itself),
		cmocka_unit_test(deny_another_process),
		cmocka_unit_test(deny_no_process),
		cmocka_unit_test(deny_after_exec),
		cmocka_unit_test(deny_another_executable),
		cmocka_unit_test(deny_no_executable),
		cmocka_unit_test(deny_another_uid),
		cmocka_unit_test(deny_another_effective_uid),
		cmocka_unit_test(deny_another_saved_uid),
		cmocka_unit_test(deny_without_memory),
		cmocka_unit_test(deny_in_another_cgroup),
		cmocka_unit_test(deny_in_the_cgroup_with_another_uid),
		cmocka_unit_test(allow_any_process_in_the_cgroup),
		cmocka_unit_test(deny_with_an_empty_rule),
		cmocka_unit_test(deny_with_a_rule_without_executable),
		cmocka_unit_test(deny_from_the_deadline_on),
		cmocka_unit_test(deny_a_kind_that_is_not_granted),
		cmocka_unit_test(deny_a_device_without_kinds),
		cmocka_unit_test(deny_another_device),
		cmocka_unit_test(deny_every_set_of_kinds_that_is_not_contained),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
