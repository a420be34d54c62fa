// SPDX-License-Identifier: LGPL-2.1-or-later
/* After a no: what is not asked again, for how long, and what ends it. */
#include "unit.h"

#include "pause.h"

#define S    1000000000ull
#define NOW  (5000 * S)
#define SHUT BOUND_PAUSE_SECONDS

static const struct pause_subject bob = { 1, "exe:/usr/bin/call", "", "bob" };
static const struct pause_subject carol = { 1, "exe:/usr/bin/call", "", "carol" };
static const struct pause_subject dave = { 1, "exe:/usr/bin/call", "", "dave" };
static const struct pause_subject other = { 1, "exe:/usr/bin/other", "", "bob" };
static const struct pause_subject stranger = { 2, "exe:/usr/bin/call", "", "bob" };

static uint32_t left(struct pauses *p, const struct pause_subject *subject, uint64_t now)
{
	bool first;

	return pause_left(p, subject, now, &first);
}

static void a_no_is_about_one_call_of_one_program_of_one_user(void **state)
{
	struct pauses p = {};

	assert_int_equal(left(&p, &bob, NOW), 0);
	pause_denied(&p, &bob, NOW);
	assert_int_equal(left(&p, &bob, NOW), SHUT);
	assert_int_equal(left(&p, &bob, NOW + (SHUT - 1) * S), 1);
	assert_int_equal(left(&p, &bob, NOW + SHUT * S), 0);
	assert_int_equal(left(&p, &carol, NOW), 0);
	assert_int_equal(left(&p, &other, NOW), 0);
	assert_int_equal(left(&p, &stranger, NOW), 0);
}

static void it_doubles_up_to_a_bound_and_is_forgotten(void **state)
{
	uint64_t now = NOW, seconds = SHUT;
	struct pauses p = {};

	for (int i = 0; i < 8; i++) {
		pause_denied(&p, &bob, now);
		assert_int_equal(left(&p, &bob, now), seconds);
		now += seconds * S;
		seconds = seconds * 2 < BOUND_PAUSE_MAX ? seconds * 2 : BOUND_PAUSE_MAX;
	}
	assert_int_equal(seconds, BOUND_PAUSE_MAX);
	now += BOUND_PAUSE_FORGET * S;
	pause_denied(&p, &bob, now);
	assert_int_equal(left(&p, &bob, now), SHUT);
}

static void a_yes_ends_it(void **state)
{
	struct pauses p = {};

	pause_denied(&p, &bob, NOW);
	pause_denied(&p, &bob, NOW);
	pause_allowed(&p, &bob);
	assert_int_equal(left(&p, &bob, NOW), 0);
	pause_denied(&p, &bob, NOW);
	assert_int_equal(left(&p, &bob, NOW), SHUT);
}

static void other_names_do_not_help_for_long(void **state)
{
	struct pauses p = {};

	pause_denied(&p, &bob, NOW);
	pause_denied(&p, &carol, NOW);
	assert_int_equal(left(&p, &dave, NOW), 0);
	pause_denied(&p, &dave, NOW);
	assert_int_equal(
		left(&p, &(struct pause_subject){ 1, "exe:/usr/bin/call", "", "eve" }, NOW), SHUT);
	assert_int_equal(left(&p, &other, NOW), 0);
	assert_int_equal(left(&p, &stranger, NOW), 0);
}

/* What is not proven a program chooses itself: another script, another path, another sandbox. */
static void other_names_of_itself_neither(void **state)
{
	static const struct pause_subject scripts[] = {
		{ 1, "script:a", "exe:/usr/bin/python3", "bob" },
		{ 1, "script:b", "exe:/usr/bin/python3", "bob" },
		{ 1, "script:c", "exe:/usr/bin/python3", "bob" },
		{ 1, "script:d", "exe:/usr/bin/python3", "bob" },
	};
	static const struct pause_subject copies[] = {
		{ 1, "user:/home/a/1", "", "bob" },
		{ 1, "user:/home/a/2", "", "bob" },
		{ 1, "user:/home/a/3", "", "bob" },
		{ 1, "user:/home/a/4", "", "bob" },
	};
	struct pauses p = {};

	for (int i = 0; i < BOUND_PAUSE_DENIALS; i++) {
		assert_int_equal(left(&p, &scripts[i], NOW), 0);
		pause_denied(&p, &scripts[i], NOW);
		assert_int_equal(left(&p, &copies[i], NOW), 0);
		pause_denied(&p, &copies[i], NOW);
	}
	assert_int_equal(left(&p, &scripts[3], NOW), SHUT);
	assert_int_equal(left(&p, &copies[3], NOW), SHUT);
	assert_int_equal(left(&p, &bob, NOW), 0);
}

static void it_is_told_once_and_may_be_lifted_once(void **state)
{
	struct pauses p = {};
	bool first = false, asked = true;

	assert_false(pause_ask_lift(&p, 1, NOW, &asked));
	pause_denied(&p, &bob, NOW);
	assert_int_equal(pause_left(&p, &bob, NOW, &first), SHUT);
	assert_true(first);
	assert_int_equal(pause_left(&p, &bob, NOW, &first), SHUT);
	assert_false(first);
	assert_false(pause_ask_lift(&p, 2, NOW, &asked));
	assert_true(pause_ask_lift(&p, 1, NOW, &asked));
	assert_false(asked);
	assert_true(pause_ask_lift(&p, 1, NOW, &asked));
	assert_true(asked);
	pause_lift(&p, 2);
	assert_int_equal(left(&p, &bob, NOW), SHUT);
	pause_lift(&p, 1);
	assert_int_equal(left(&p, &bob, NOW), 0);
	pause_denied(&p, &bob, NOW);
	assert_true(pause_ask_lift(&p, 1, NOW, &asked));
	assert_false(asked);
}

/* Whoever fills the table with his own pushes out his own. */
static void nobody_pushes_out_what_others_said(void **state)
{
	struct pauses p = {};
	char name[16];

	pause_denied(&p, &stranger, NOW);
	for (int i = 0; i < 3 * BOUND_PAUSES; i++) {
		snprintf(name, sizeof(name), "c%d", i);
		pause_denied(&p, &(struct pause_subject){ 1, "exe:/usr/bin/call", "", name },
			     NOW + (uint64_t)i);
	}
	assert_int_equal(left(&p, &stranger, NOW), SHUT);
	assert_true(left(&p, &bob, NOW) > 0);
}

int main(void)
{
	struct unit u = {};

	UNIT(&u, a_no_is_about_one_call_of_one_program_of_one_user);
	UNIT(&u, it_doubles_up_to_a_bound_and_is_forgotten);
	UNIT(&u, a_yes_ends_it);
	UNIT(&u, other_names_do_not_help_for_long);
	UNIT(&u, other_names_of_itself_neither);
	UNIT(&u, it_is_told_once_and_may_be_lifted_once);
	UNIT(&u, nobody_pushes_out_what_others_said);
	return unit_run(&u);
}
