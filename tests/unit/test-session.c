// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The facts of a session as a table: one session that may capture, and for each fact the same
 * session with that fact taken away. Each denial stands beside the allowance that it is made from.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "session.h"

#define S	SESSION_NS_PER_S
#define NOW	(100000 * S)
#define NOTHING 0u
#define MIC	POLICY_KIND_MICROPHONE
#define CAMERA	POLICY_KIND_CAMERA
#define BOTH	POLICY_KIND_DEVICES
#define SPEAKER POLICY_KIND_SPEAKER

static const struct session_facts running = {
	.asked = BOTH,
	.approved = true,
	.approved_kinds = BOTH,
	.approved_on = POLICY_ASK_CONSOLE,
	.offered = true,
	.met = true,
	.confirmed = true,
	.confirmed_at = NOW - 30 * S,
	.alive_until = NOW + 9 * S,
	.verification = SESSION_VERIFIED,
	.gate = true,
};

struct row {
	const char *name;
	void (*change)(struct session_facts *facts, struct policy *policy);
	uint32_t granted;
	uint64_t seconds;
	enum session_state state;
};

#define CHANGE(name) static void name(struct session_facts *f, struct policy *p)
CHANGE(nothing)
{
}
CHANGE(not_approved)
{
	f->approved = false;
}
CHANGE(approved_no_kinds)
{
	f->approved_kinds = 0;
}
CHANGE(approved_camera_only)
{
	f->approved_kinds = CAMERA;
}
CHANGE(approved_elsewhere)
{
	p->asks = POLICY_ASK_WINDOW | POLICY_ASK_TERMINAL;
}
CHANGE(approved_there)
{
	p->asks = POLICY_ASK_CONSOLE;
}
CHANGE(approved_nowhere)
{
	f->approved_on = 0;
}
CHANGE(camera_denied)
{
	p->kinds = MIC;
}
CHANGE(all_denied)
{
	p->kinds = 0;
}
CHANGE(nearly_too_old)
{
	p->lifetime_ns = 33 * S;
}
CHANGE(too_old)
{
	p->lifetime_ns = 30 * S;
}
CHANGE(approved_more_than_asked)
{
	f->asked = MIC;
}
CHANGE(unknown_kind)
{
	f->asked = f->approved_kinds = 8;
}
CHANGE(not_offered)
{
	f->confirmed = f->met = f->offered = false;
}
CHANGE(not_met)
{
	f->confirmed = f->met = false;
}
CHANGE(not_confirmed)
{
	f->confirmed = false;
}
CHANGE(not_alive)
{
	f->alive_until = NOW;
}
CHANGE(never_alive)
{
	f->alive_until = 0;
}
CHANGE(alive_for_a_moment)
{
	f->alive_until = NOW + 2 * S;
}
CHANGE(alive_for_long)
{
	f->alive_until = NOW + 75 * S;
}
CHANGE(uncompared)
{
	f->verification = SESSION_UNCOMPARED;
}
CHANGE(uncompared_late)
{
	f->verification = SESSION_UNCOMPARED;
	f->confirmed_at = NOW - 117 * S;
}
CHANGE(uncompared_too_long)
{
	f->verification = SESSION_UNCOMPARED;
	f->confirmed_at = NOW - 120 * S;
}
CHANGE(uncompared_strict)
{
	f->verification = SESSION_UNCOMPARED;
	p->unverified_kinds = 0;
}
CHANGE(uncompared_loose)
{
	f->verification = SESSION_UNCOMPARED;
	p->unverified_kinds = BOTH;
}
CHANGE(unverified)
{
	f->verification = SESSION_UNVERIFIED;
	f->confirmed_at = NOW - 600 * S;
}
CHANGE(unverified_strict)
{
	f->verification = SESSION_UNVERIFIED;
	p->unverified_kinds = 0;
}
/* One that is no call: said yes to 30 s ago, for a minute. */
CHANGE(local)
{
	f->local = true;
	f->alive_until = NOW + 30 * S;
	f->verification = SESSION_UNVERIFIED;
	p->local = true;
	p->unverified_kinds = 0;
}
CHANGE(local_without_policy)
{
	local(f, p);
	p->local = false;
}
CHANGE(local_almost_over)
{
	local(f, p);
	f->alive_until = NOW + 2 * S;
}
CHANGE(local_over)
{
	local(f, p);
	f->alive_until = NOW;
}
CHANGE(local_shortened)
{
	local(f, p);
	p->local_ns = 33 * S;
}
CHANGE(local_shortened_too_far)
{
	local(f, p);
	p->local_ns = 30 * S;
}
CHANGE(local_not_approved)
{
	local(f, p);
	f->approved = false;
}
CHANGE(local_without_gate)
{
	local(f, p);
	f->gate = false;
}
CHANGE(away)
{
	f->away = true;
}
CHANGE(locked)
{
	f->locked = true;
}
CHANGE(camera_blocked)
{
	f->blocked = CAMERA;
}
CHANGE(all_blocked)
{
	f->blocked = BOTH;
}
CHANGE(speaker_too)
{
	f->asked = f->approved_kinds = BOTH | SPEAKER;
}
CHANGE(speaker_not_approved)
{
	f->asked = BOTH | SPEAKER;
}
CHANGE(speaker_unverified)
{
	f->asked = f->approved_kinds = BOTH | SPEAKER;
	f->verification = SESSION_UNVERIFIED;
}
CHANGE(speaker_blocked)
{
	f->asked = f->approved_kinds = BOTH | SPEAKER;
	f->blocked = SPEAKER;
}
CHANGE(no_gate)
{
	f->gate = false;
}
CHANGE(nearly_expired)
{
	f->confirmed_at = NOW + 3 * S - SESSION_LONGEST_NS;
}
CHANGE(expired)
{
	f->confirmed_at = NOW - SESSION_LONGEST_NS;
}
CHANGE(ended)
{
	f->end = SESSION_END_ENDED;
}

static const struct row rows[] = {
	{ "allow_with_every_fact", nothing, BOTH, 9, SESSION_LIVE },
	{ "deny_without_approval", not_approved, NOTHING, 0, SESSION_NEW },
	{ "deny_with_no_kinds_approved", approved_no_kinds, NOTHING, 0, SESSION_LIVE },
	{ "allow_what_was_approved", approved_camera_only, CAMERA, 9, SESSION_LIVE },
	{ "deny_what_was_not_asked", approved_more_than_asked, MIC, 9, SESSION_LIVE },
	{ "deny_unknown_kind", unknown_kind, NOTHING, 0, SESSION_LIVE },
	{ "deny_before_the_first_blob", not_offered, NOTHING, 0, SESSION_NEW },
	{ "deny_while_ringing", not_met, NOTHING, 0, SESSION_RINGING },
	{ "deny_while_handshaking", not_confirmed, NOTHING, 0, SESSION_HANDSHAKING },
	{ "deny_at_dead_time", not_alive, NOTHING, 0, SESSION_STALLED },
	{ "deny_without_proof_of_life", never_alive, NOTHING, 0, SESSION_STALLED },
	{ "allow_no_longer_than_alive", alive_for_a_moment, BOTH, 2, SESSION_LIVE },
	{ "allow_no_longer_than_a_grant", alive_for_long, BOTH, 10, SESSION_LIVE },
	{ "allow_microphone_before_comparing", uncompared, MIC, 9, SESSION_LIVE },
	{ "allow_no_longer_than_the_grace", uncompared_late, MIC, 3, SESSION_LIVE },
	{ "deny_after_the_grace", uncompared_too_long, NOTHING, 0, SESSION_LIVE },
	{ "deny_uncompared_by_policy", uncompared_strict, NOTHING, 0, SESSION_LIVE },
	{ "allow_uncompared_by_policy", uncompared_loose, BOTH, 9, SESSION_LIVE },
	{ "allow_microphone_unverified", unverified, MIC, 9, SESSION_LIVE },
	{ "deny_unverified_by_policy", unverified_strict, NOTHING, 0, SESSION_LIVE },
	{ "allow_what_is_no_call", local, BOTH, 10, SESSION_LIVE },
	{ "deny_what_is_no_call_without_policy", local_without_policy, NOTHING, 0, SESSION_LIVE },
	{ "allow_no_longer_than_the_user_was_told", local_almost_over, BOTH, 2, SESSION_LIVE },
	{ "deny_later_than_the_user_was_told", local_over, NOTHING, 0, SESSION_STALLED },
	{ "allow_no_longer_than_policy_says_by_now", local_shortened, BOTH, 3, SESSION_LIVE },
	{ "deny_later_than_policy_says_by_now", local_shortened_too_far, NOTHING, 0, SESSION_LIVE },
	{ "deny_what_is_no_call_without_approval", local_not_approved, NOTHING, 0, SESSION_NEW },
	{ "deny_what_is_no_call_without_gate", local_without_gate, NOTHING, 0, SESSION_LIVE },
	{ "deny_while_somebody_else_is_in_front", away, NOTHING, 0, SESSION_LIVE },
	{ "allow_behind_a_locked_screen", locked, BOTH, 9, SESSION_LIVE },
	{ "deny_blocked_camera", camera_blocked, MIC, 9, SESSION_LIVE },
	{ "deny_all_blocked", all_blocked, NOTHING, 0, SESSION_LIVE },
	{ "allow_the_speaker_too", speaker_too, BOTH | SPEAKER, 9, SESSION_LIVE },
	{ "deny_the_speaker_unapproved", speaker_not_approved, BOTH, 9, SESSION_LIVE },
	{ "deny_the_speaker_unverified", speaker_unverified, MIC, 9, SESSION_LIVE },
	{ "deny_the_speaker_blocked", speaker_blocked, BOTH, 9, SESSION_LIVE },
	{ "deny_without_gate", no_gate, NOTHING, 0, SESSION_LIVE },
	{ "allow_no_longer_than_12_hours", nearly_expired, BOTH, 3, SESSION_LIVE },
	{ "deny_after_12_hours", expired, NOTHING, 0, SESSION_LIVE },
	{ "deny_what_was_approved_elsewhere", approved_elsewhere, NOTHING, 0, SESSION_LIVE },
	{ "deny_what_was_approved_nowhere", approved_nowhere, NOTHING, 0, SESSION_LIVE },
	{ "allow_what_was_approved_there", approved_there, BOTH, 9, SESSION_LIVE },
	{ "deny_the_camera_by_a_rule", camera_denied, MIC, 9, SESSION_LIVE },
	{ "deny_all_by_a_rule", all_denied, NOTHING, 0, SESSION_LIVE },
	{ "allow_no_longer_than_a_rule_says", nearly_too_old, BOTH, 3, SESSION_LIVE },
	{ "deny_later_than_a_rule_says", too_old, NOTHING, 0, SESSION_LIVE },
	{ "deny_after_the_end", ended, NOTHING, 0, SESSION_CLOSED },
};

static void run_row(void **state)
{
	const struct row *row = *state;
	struct session_facts facts = running;
	struct policy policy;
	uint64_t until = 1;

	policy_init(&policy);
	row->change(&facts, &policy);
	assert_int_equal(session_granted(&facts, &policy, NOW, &until), row->granted);
	assert_int_equal(until, row->granted != 0 ? NOW + row->seconds * S : 0);
	assert_int_equal(session_state(&facts, NOW), row->state);
}

static void zero_facts_deny(void **state)
{
	const struct session_facts facts = { .asked = 0 };
	struct policy policy;
	uint64_t until;

	policy_init(&policy);
	assert_int_equal(session_granted(&facts, &policy, NOW, &until), 0);
	assert_int_equal(session_state(&facts, NOW), SESSION_NEW);
	assert_true(session_next_change(&facts, &policy, NOW) == UINT64_MAX);
}

/* Every subset of the boolean facts: only the full one allows. */
static void only_all_facts_allow(void **state)
{
	struct policy policy;
	uint64_t until;

	policy_init(&policy);
	for (unsigned int bits = 0; bits < 32; bits++) {
		struct session_facts facts = running;

		facts.approved = bits & 1;
		facts.confirmed = bits & 2;
		facts.gate = bits & 4;
		facts.alive_until = bits & 8 ? NOW + S : NOW - S;
		facts.end = bits & 16 ? SESSION_OPEN : SESSION_END_ENDED;
		assert_int_equal(session_granted(&facts, &policy, NOW, &until),
				 bits == 31 ? BOTH : NOTHING);
	}
}

static void time_alone_ends(void **state)
{
	struct session_facts facts = running;
	struct policy policy;

	policy_init(&policy);
	assert_int_equal(session_expiry(&facts, &policy, NOW), SESSION_OPEN);
	assert_int_equal(session_expiry(&facts, &policy,
					facts.alive_until + SESSION_STALLED_NS - 1),
			 SESSION_OPEN);
	assert_int_equal(session_expiry(&facts, &policy, facts.alive_until + SESSION_STALLED_NS),
			 SESSION_END_LAPSED);
	facts.confirmed_at = NOW - SESSION_LONGEST_NS;
	assert_int_equal(session_expiry(&facts, &policy, NOW), SESSION_END_EXPIRED);
	facts.confirmed_at = NOW - 60 * S;
	policy.lifetime_ns = 61 * S;
	assert_int_equal(session_expiry(&facts, &policy, NOW), SESSION_OPEN);
	policy.lifetime_ns = 60 * S;
	assert_int_equal(session_expiry(&facts, &policy, NOW), SESSION_END_EXPIRED);
	/* No policy makes it longer. */
	policy.lifetime_ns = UINT64_MAX;
	facts.confirmed_at = NOW - SESSION_LONGEST_NS;
	assert_int_equal(session_expiry(&facts, &policy, NOW), SESSION_END_EXPIRED);
	facts.confirmed = false;
	assert_int_equal(session_expiry(&facts, &policy, NOW), SESSION_OPEN);
}

static void next_change_is_the_nearest(void **state)
{
	struct session_facts facts = running;
	struct policy policy;

	policy_init(&policy);
	assert_true(session_next_change(&facts, &policy, NOW) == NOW + 9 * S);
	assert_true(session_next_change(&facts, &policy, NOW + 9 * S) == NOW + 39 * S);
	facts.verification = SESSION_UNCOMPARED;
	facts.confirmed_at = NOW - 118 * S;
	assert_true(session_next_change(&facts, &policy, NOW) == NOW + 2 * S);
	facts.end = SESSION_END_ENDED;
	assert_true(session_next_change(&facts, &policy, NOW) == UINT64_MAX);
}

static void each_end_has_a_name_and_a_sentence(void **state)
{
	for (int a = SESSION_OPEN + 1; a < _SESSION_END_MAX; a++) {
		assert_true(strlen(session_end_name(a)) > 0);
		assert_true(strlen(session_end_sentence(a, false)) > 20);
		assert_true(strlen(session_end_sentence(a, true)) > 20);
		for (int b = a + 1; b < _SESSION_END_MAX; b++)
			assert_string_not_equal(session_end_name(a), session_end_name(b));
	}
	assert_string_equal(session_end_name(SESSION_OPEN), "");
	for (int a = 0; a < _SESSION_STATE_MAX; a++)
		for (int b = a + 1; b < _SESSION_STATE_MAX; b++)
			assert_string_not_equal(session_state_name(a), session_state_name(b));
}

int main(void)
{
	struct CMUnitTest tests[sizeof(rows) / sizeof(rows[0]) + 5] = {
		cmocka_unit_test(zero_facts_deny),
		cmocka_unit_test(only_all_facts_allow),
		cmocka_unit_test(time_alone_ends),
		cmocka_unit_test(next_change_is_the_nearest),
		cmocka_unit_test(each_end_has_a_name_and_a_sentence),
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		tests[5 + i] =
			(struct CMUnitTest){ rows[i].name, run_row, NULL, NULL, (void *)&rows[i] };
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
