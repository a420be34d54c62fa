// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the ends tell each other about themselves, media keys and levels, and how a call is ended.
 */
#include "channel-rig.h"

#define DEAD (10 * SEC) /* five intervals of two seconds */

/* ---- claims ---- */

static void claims_reach_the_other_end(void **state)
{
	struct channel_claims claims;
	struct rig t = {};

	rig_live(&t);
	assert_true(channel_peer_claims(t.a, &claims));
	assert_true(claims.gate);
	assert_true(channel_peer_claims(t.b, &claims));
	assert_false(claims.gate);
	assert_int_equal(channel_set_local(t.a, 3, 2, CHANNEL_SAS_MATCHES, true, t.now), 0);
	/* A change does not wait for the interval. */
	rig_run(&t, 300 * MSEC);
	assert_true(channel_peer_claims(t.b, &claims));
	assert_int_equal(claims.granted, 3);
	assert_int_equal(claims.captured, 2);
	assert_int_equal(claims.sas, CHANNEL_SAS_MATCHES);
	assert_true(claims.gate);
	assert_int_equal(claims.level[0], CHANNEL_LEVEL_CHANNEL);
	rig_free(&t);
}

static void claims_before_ready_are_in_ready(void **state)
{
	struct channel_claims claims;
	struct rig t = {};
	struct blob b;

	rig_fin(&t, &b);
	assert_int_equal(channel_set_local(t.b, 1, 0, CHANNEL_SAS_NOT_COMPARED, true, t.now), 0);
	assert_int_equal(rig_give(&t, t.b, &b), CHANNEL_OK);
	rig_must_pop(t.b, WIRE_DATA, &b);
	assert_false(channel_peer_claims(t.a, &claims));
	assert_int_equal(rig_give(&t, t.a, &b), CHANNEL_OK);
	assert_true(channel_peer_claims(t.a, &claims));
	assert_int_equal(claims.granted, 1);
	rig_free(&t);
}

static void old_claims_do_not_replace_new_ones(void **state)
{
	struct channel_claims claims;
	struct blob older, newer;
	struct rig t = {};
	struct puppet p;

	puppet_live(&t, &p);
	puppet_data(&p, 2,
		    (struct wire_data){ .type = WIRE_HEARTBEAT, .echo_seq = 1, .captured = 1 },
		    &older);
	puppet_data(&p, 3, (struct wire_data){ .type = WIRE_HEARTBEAT, .echo_seq = 1 }, &newer);
	assert_int_equal(rig_give(&t, t.a, &newer), CHANNEL_OK);
	assert_int_equal(rig_give(&t, t.a, &older), CHANNEL_OK);
	assert_true(channel_peer_claims(t.a, &claims));
	assert_int_equal(claims.captured, 0);
	assert_int_equal(t.a->rx_seq, 3);
	rig_free(&t);
}

static void deny_claiming_what_was_not_accepted(void **state)
{
	struct rig t = {};

	rig_ring(&t);
	assert_int_equal(channel_set_local(t.a, 1, 0, 0, true, t.now), -EINVAL);
	assert_int_equal(channel_set_local(t.b, 1, 0, 0, true, t.now), -EINVAL);
	rig_free(&t);
	t = (struct rig){};
	rig_live(&t);
	assert_int_equal(channel_set_local(t.a, 3, 3, 0, true, t.now), 0);
	assert_int_equal(channel_set_local(t.a, 4, 0, 0, true, t.now), -EINVAL);
	assert_int_equal(channel_set_local(t.b, 2, 0, 0, true, t.now), -EINVAL);
	assert_int_equal(channel_set_local(t.b, 0, 2, 0, true, t.now), -EINVAL);
	assert_int_equal(channel_set_local(t.b, 1, 1, 0, true, t.now), 0);
	assert_int_equal(channel_set_local(t.b, 1, 1, CHANNEL_SAS_COUNT, true, t.now), -EINVAL);
	rig_free(&t);
}

static void changing_claims_often_does_not_flood(void **state)
{
	struct rig t = {};
	struct blob b;
	size_t n = 0;

	rig_live(&t);
	for (int i = 0; i < 10000; i++) {
		t.now += MSEC;
		channel_set_local(t.a, (uint16_t)(i % 4), 0, 0, true, t.now);
		channel_tick(t.a, t.now);
		while (rig_pop(t.a, &b))
			n++;
	}
	/* Five dead-time intervals with eight messages each, at most. */
	assert_true(n > 5 && n <= 41);
	rig_free(&t);
}

static void numbers_that_differ_end_both_sides(void **state)
{
	struct rig t = {};

	rig_live(&t);
	assert_int_equal(channel_set_local(t.a, 0, 0, CHANNEL_SAS_DIFFERS, true, t.now), 0);
	assert_int_equal(channel_end_reason(t.a), CHANNEL_END_SAS_DIFFERS);
	rig_carry(&t);
	assert_int_equal(channel_end_reason(t.b), CHANNEL_END_SAS_DIFFERS);
	rig_free(&t);
}

/* ---- media keys and levels ---- */

static void media_keys_agree_and_differ(void **state)
{
	static const struct {
		enum channel_dir dir;
		unsigned int kind;
	} all[] = { { 0, 1 }, { 0, 2 }, { 0, 3 }, { 1, 1 } };
	uint8_t a[4][32], b[32];
	struct rig t = {};

	rig_live(&t);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(channel_media_key(t.a, all[i].dir, all[i].kind, t.now, a[i]), 0);
		assert_int_equal(channel_media_key(t.b, all[i].dir, all[i].kind, t.now, b), 0);
		assert_memory_equal(a[i], b, 32);
		for (int j = 0; j < i; j++)
			assert_memory_not_equal(a[i], a[j], 32);
	}
	rig_free(&t);
}

static void media_keys_are_refused(void **state)
{
	struct rig t = {};
	struct blob b;
	uint8_t key[32];

	rig_ready(&t, &b);
	assert_int_equal(channel_media_key(t.b, 0, 1, t.now, key), -ENOTCONN);
	assert_int_equal(channel_media_key(t.a, 0, 1, t.now, key), -ENOTCONN);
	rig_free(&t);

	t = (struct rig){};
	rig_live(&t);
	assert_int_equal(channel_media_key(t.a, 0, 0, t.now, key), -EINVAL);
	assert_int_equal(channel_media_key(t.a, 0, 4, t.now, key), -EINVAL);
	assert_int_equal(channel_media_key(t.a, 2, 1, t.now, key), -EINVAL);
	assert_int_equal(channel_media_key(t.a, 1, 2, t.now, key), -EACCES);
	assert_int_equal(channel_media_key(t.a, 1, 3, t.now, key), -EACCES);
	assert_int_equal(channel_media_key(t.a, 1, 1, t.now, key), 0);
	assert_int_equal(channel_media_key(t.a, 1, 1, channel_alive_until(t.a), key), -ENOTCONN);
	channel_close(t.a, CHANNEL_END_HANGUP, t.now);
	assert_int_equal(channel_media_key(t.a, 1, 1, t.now, key), -ENOTCONN);
	rig_free(&t);
}

static void level_is_the_weaker_of_both_ends(void **state)
{
	struct rig t = {};
	uint8_t key[32];

	rig_live(&t);
	rig_run(&t, 3 * SEC);
	assert_int_equal(channel_level(t.a, CHANNEL_CAMERA), CHANNEL_LEVEL_CHANNEL);
	assert_int_equal(channel_level(t.b, CHANNEL_MICROPHONE), CHANNEL_LEVEL_CHANNEL);
	assert_int_equal(channel_level(t.a, CHANNEL_MIXED), CHANNEL_LEVEL_NONE);
	channel_media_key(t.a, CHANNEL_I2R, CHANNEL_CAMERA, t.now, key);
	rig_run(&t, 3 * SEC);
	assert_int_equal(channel_level(t.a, CHANNEL_CAMERA), CHANNEL_LEVEL_CHANNEL);
	channel_media_key(t.b, CHANNEL_I2R, CHANNEL_CAMERA, t.now, key);
	rig_run(&t, 3 * SEC);
	assert_int_equal(channel_level(t.a, CHANNEL_CAMERA), CHANNEL_LEVEL_KEYED);
	assert_int_equal(channel_level(t.b, CHANNEL_CAMERA), CHANNEL_LEVEL_KEYED);
	/* The microphone goes both ways: one direction alone is not keyed. A mixed key counts for both kinds. */
	channel_media_key(t.a, CHANNEL_I2R, CHANNEL_MIXED, t.now, key);
	channel_media_key(t.b, CHANNEL_I2R, CHANNEL_MIXED, t.now, key);
	channel_media_key(t.a, CHANNEL_R2I, CHANNEL_MICROPHONE, t.now, key);
	rig_run(&t, 3 * SEC);
	assert_int_equal(channel_level(t.a, CHANNEL_MICROPHONE), CHANNEL_LEVEL_CHANNEL);
	channel_media_key(t.b, CHANNEL_R2I, CHANNEL_MICROPHONE, t.now, key);
	rig_run(&t, 3 * SEC);
	assert_int_equal(channel_level(t.a, CHANNEL_MICROPHONE), CHANNEL_LEVEL_KEYED);
	assert_int_equal(channel_level(t.b, CHANNEL_MICROPHONE), CHANNEL_LEVEL_KEYED);
	channel_close(t.a, CHANNEL_END_HANGUP, t.now);
	assert_int_equal(channel_level(t.a, CHANNEL_MICROPHONE), CHANNEL_LEVEL_NONE);
	rig_free(&t);
}

static void unknown_level_counts_as_none(void **state)
{
	struct rig t = {};
	struct puppet p;
	struct blob b;

	puppet_live(&t, &p);
	puppet_data(&p, 2,
		    (struct wire_data){ .type = WIRE_HEARTBEAT, .echo_seq = 1, .levels = { 1, 3 } },
		    &b);
	assert_int_equal(rig_give(&t, t.a, &b), CHANNEL_OK);
	assert_int_equal(channel_level(t.a, CHANNEL_MICROPHONE), CHANNEL_LEVEL_CHANNEL);
	assert_int_equal(channel_level(t.a, CHANNEL_CAMERA), CHANNEL_LEVEL_NONE);
	rig_free(&t);
}

/* ---- the end ---- */

static void close_is_said_three_times_and_heard_once(void **state)
{
	struct blob b[3];
	struct rig t = {};

	rig_live(&t);
	channel_close(t.a, CHANNEL_END_WITHDRAWN, t.now);
	for (int i = 0; i < 3; i++)
		rig_must_pop(t.a, WIRE_DATA, &b[i]);
	rig_nothing_from(t.a);
	assert_int_equal(rig_give(&t, t.b, &b[2]), CHANNEL_ENDED);
	assert_int_equal(rig_give(&t, t.b, &b[0]), CHANNEL_CLOSED);
	assert_int_equal(channel_end_reason(t.b), CHANNEL_END_PEER_CLOSED);
	assert_int_equal(channel_peer_reason(t.b), CHANNEL_END_WITHDRAWN);
	/* It does not answer. */
	rig_nothing_from(t.b);
	rig_free(&t);
}

static void forged_close_is_refused_and_a_dropped_one_ends_by_itself(void **state)
{
	struct rig t = {};
	struct blob b;

	rig_live(&t);
	channel_close(t.a, CHANNEL_END_HANGUP, t.now);
	rig_must_pop(t.a, WIRE_DATA, &b);
	b.bytes[109] ^= 1;
	assert_int_equal(rig_give(&t, t.b, &b), CHANNEL_FORGED);
	assert_int_equal(channel_state(t.b, t.now), CHANNEL_STATE_LIVE);
	t.now += DEAD;
	channel_tick(t.b, t.now);
	assert_int_equal(channel_state(t.b, t.now), CHANNEL_STATE_STALLED);
	t.now += 30 * SEC;
	channel_tick(t.b, t.now);
	assert_int_equal(channel_end_reason(t.b), CHANNEL_END_LOST);
	rig_free(&t);
}

static void close_during_the_handshake(void **state)
{
	struct rig t = {};
	struct blob fin, b;

	/* The caller gives up after FIN, before READY. */
	rig_fin(&t, &fin);
	channel_close(t.a, CHANNEL_END_HANGUP, t.now);
	rig_must_pop(t.a, WIRE_DATA, &b);
	assert_int_equal(rig_give(&t, t.b, &b), CHANNEL_UNEXPECTED);
	assert_int_equal(rig_give(&t, t.b, &fin), CHANNEL_OK);
	assert_int_equal(rig_give(&t, t.b, &b), CHANNEL_ENDED);
	assert_int_equal(channel_end_reason(t.b), CHANNEL_END_PEER_CLOSED);
	rig_free(&t);
}

static void violation_is_answered_by_close(void **state)
{
	struct rig t = {};
	struct puppet p;
	struct blob b;

	puppet_live(&t, &p);
	puppet_data(&p, 2, (struct wire_data){ .type = WIRE_HEARTBEAT, .echo_seq = 9 }, &b);
	assert_int_equal(rig_give(&t, t.a, &b), CHANNEL_ENDED);
	rig_must_pop(t.a, WIRE_DATA, &b);
	puppet_hear(&p, &b);
	assert_int_equal(p.last.type, WIRE_CLOSE);
	assert_int_equal(p.last.reason, CHANNEL_END_ECHO);
	assert_int_equal(p.last.last_seq, p.last.number - 1);
	rig_free(&t);
}

static void output_that_nobody_carries_stays_bounded(void **state)
{
	struct rig t = {};
	struct blob b;
	size_t n = 0;

	rig_call(&t);
	for (int i = 0; i < 100; i++) {
		t.now += SEC;
		channel_tick(t.a, t.now);
	}
	while (rig_pop(t.a, &b))
		n++;
	assert_true(n > 0 && n <= QUEUE_MAX);
	rig_free(&t);
}

int main(void)
{
	struct unit u = {};

	UNIT(&u, claims_reach_the_other_end);
	UNIT(&u, claims_before_ready_are_in_ready);
	UNIT(&u, old_claims_do_not_replace_new_ones);
	UNIT(&u, deny_claiming_what_was_not_accepted);
	UNIT(&u, changing_claims_often_does_not_flood);
	UNIT(&u, numbers_that_differ_end_both_sides);
	UNIT(&u, media_keys_agree_and_differ);
	UNIT(&u, media_keys_are_refused);
	UNIT(&u, level_is_the_weaker_of_both_ends);
	UNIT(&u, unknown_level_counts_as_none);
	UNIT(&u, close_is_said_three_times_and_heard_once);
	UNIT(&u, forged_close_is_refused_and_a_dropped_one_ends_by_itself);
	UNIT(&u, close_during_the_handshake);
	UNIT(&u, violation_is_answered_by_close);
	UNIT(&u, output_that_nobody_carries_stays_bounded);
	return unit_run(&u);
}
