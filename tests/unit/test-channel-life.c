// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What proves that the other end lives: heartbeats and echoes through a relay that delays, keeps back and stalls, and through
 * suspend.
 */
#include "channel-rig.h"

#define DEAD (10 * SEC) /* five intervals of two seconds */

/* ---- life ---- */

static void heartbeats_keep_a_call_alive(void **state)
{
	struct rig t = {};

	rig_live(&t);
	for (int i = 0; i < 600; i++) {
		rig_run(&t, SEC);
		assert_int_equal(channel_state(t.a, t.now), CHANNEL_STATE_LIVE);
		assert_int_equal(channel_state(t.b, t.now), CHANNEL_STATE_LIVE);
		/* What is proven never reaches further than a dead time from now. */
		assert_true(channel_alive_until(t.a) <= t.now + DEAD);
		assert_true(channel_alive_until(t.b) <= t.now + DEAD);
		/* Two intervals with jitter and the step of this loop. */
		assert_true(channel_alive_until(t.a) >= t.now + DEAD - 5 * SEC);
	}
	rig_free(&t);
}

static void heartbeats_come_at_the_interval_with_jitter(void **state)
{
	uint64_t least = UINT64_MAX, most = 0, sum = 0;
	struct rig t = {};
	struct puppet p;
	struct blob b;

	puppet_live(&t, &p);
	for (uint64_t i = 2; i < 400; i++) {
		uint64_t before = t.now;

		t.now = channel_next_timeout(t.a);
		channel_tick(t.a, t.now);
		rig_must_pop(t.a, WIRE_DATA, &b);
		rig_nothing_from(t.a);
		puppet_hear(&p, &b);
		assert_int_equal(p.last.type, WIRE_HEARTBEAT);
		assert_int_equal(p.last.number, i);
		assert_int_equal(p.last.echo_seq, i - 1);
		puppet_data(&p, i, (struct wire_data){ .type = WIRE_HEARTBEAT, .echo_seq = i }, &b);
		assert_int_equal(rig_give(&t, t.a, &b), CHANNEL_OK);
		least = t.now - before < least ? t.now - before : least;
		most = t.now - before > most ? t.now - before : most;
		sum += t.now - before;
	}
	assert_true(least >= 1600 * MSEC && least < 1700 * MSEC);
	assert_true(most <= 2400 * MSEC && most > 2300 * MSEC);
	assert_true(sum / 398 > 1950 * MSEC && sum / 398 < 2050 * MSEC);
	rig_free(&t);
}

/* Both ends fall silent: alive to the last nanosecond of the dead time, stalled at its end, erased 30 s later. */
static void silence_stalls_at_the_dead_time_and_erases_later(void **state)
{
	struct rig t = {};
	uint64_t until;

	rig_live(&t);
	rig_run(&t, 20 * SEC);
	until = channel_alive_until(t.a);
	while (channel_next_timeout(t.a) < until) {
		t.now = channel_next_timeout(t.a);
		channel_tick(t.a, t.now);
		rig_drain(t.a);
		assert_int_equal(channel_state(t.a, t.now), CHANNEL_STATE_LIVE);
	}
	assert_int_equal(channel_next_timeout(t.a), until);
	assert_int_equal(channel_state(t.a, until - 1), CHANNEL_STATE_LIVE);
	channel_tick(t.a, until);
	rig_drain(t.a);
	assert_int_equal(channel_state(t.a, until), CHANNEL_STATE_STALLED);
	assert_true(t.a->has_keys);
	channel_tick(t.a, until + 30 * SEC - 1);
	assert_int_equal(channel_state(t.a, until), CHANNEL_STATE_STALLED);
	channel_tick(t.a, until + 30 * SEC);
	assert_int_equal(channel_state(t.a, until), CHANNEL_STATE_CLOSED);
	assert_int_equal(channel_end_reason(t.a), CHANNEL_END_LOST);
	assert_false(t.a->has_keys);
	rig_free(&t);
}

static void stalled_call_revives_by_a_fresh_echo(void **state)
{
	struct rig t = {};

	rig_live(&t);
	for (int i = 0; i < 200; i++) {
		t.now += 100 * MSEC;
		channel_tick(t.a, t.now);
		channel_tick(t.b, t.now);
		rig_drain(t.a);
		rig_drain(t.b);
	}
	assert_int_equal(channel_state(t.a, t.now), CHANNEL_STATE_STALLED);
	assert_int_equal(channel_state(t.b, t.now), CHANNEL_STATE_STALLED);
	rig_run(&t, 8 * SEC);
	assert_int_equal(channel_state(t.a, t.now), CHANNEL_STATE_LIVE);
	assert_int_equal(channel_state(t.b, t.now), CHANNEL_STATE_LIVE);
	rig_free(&t);
}

/* The relay keeps the peer's heartbeats back, the peer dies, and the relay lets them go one by one. */
static void hoarded_heartbeats_do_not_prolong(void **state)
{
	struct blob hoard[32];
	struct rig t = {};
	uint64_t until;
	size_t n = 0;

	rig_live(&t);
	rig_run(&t, 10 * SEC);
	for (int i = 0; i < 80 && n < 32; i++) {
		struct blob b;

		t.now += 100 * MSEC;
		channel_tick(t.a, t.now);
		channel_tick(t.b, t.now);
		while (rig_pop(t.a, &b))
			rig_give(&t, t.b, &b);
		while (n < 32 && rig_pop(t.b, &hoard[n]))
			n++;
	}
	assert_true(n >= 3);
	/* The peer is dead from here on. Its last echo was of a message sent by now. */
	until = t.now + DEAD;
	for (size_t i = 0; i < n; i++) {
		t.now += 3 * SEC;
		rig_give(&t, t.a, &hoard[i]);
		rig_drain(t.a);
		assert_true(channel_alive_until(t.a) <= until);
	}
	t.now = until;
	channel_tick(t.a, t.now);
	assert_int_not_equal(channel_state(t.a, t.now), CHANNEL_STATE_LIVE);
	rig_free(&t);
}

/* An echo that comes @delay after the message it names was sent. */
static enum channel_state after_delay(uint64_t delay)
{
	enum channel_state s;
	struct rig t = {};
	struct puppet p;
	struct blob b;
	uint64_t sent;

	puppet_live(&t, &p);
	t.now = channel_next_timeout(t.a);
	sent = t.now;
	channel_tick(t.a, t.now);
	rig_must_pop(t.a, WIRE_DATA, &b);
	puppet_data(&p, 2, (struct wire_data){ .type = WIRE_HEARTBEAT, .echo_seq = 2 }, &b);
	t.now = sent + delay;
	assert_int_equal(rig_give(&t, t.a, &b), CHANNEL_OK);
	assert_int_equal(channel_alive_until(t.a), sent + DEAD);
	s = channel_state(t.a, t.now);
	rig_free(&t);
	return s;
}

static void allow_an_echo_just_under_the_dead_time(void **state)
{
	assert_int_equal(after_delay(DEAD - 1), CHANNEL_STATE_LIVE);
}

static void deny_an_echo_just_at_the_dead_time(void **state)
{
	assert_int_equal(after_delay(DEAD), CHANNEL_STATE_STALLED);
}

static void reordered_echo_does_not_shorten(void **state)
{
	struct blob older, newer;
	struct rig t = {};
	struct puppet p;
	uint64_t sent;

	puppet_live(&t, &p);
	t.now = sent = channel_next_timeout(t.a);
	channel_tick(t.a, t.now);
	puppet_data(&p, 2, (struct wire_data){ .type = WIRE_HEARTBEAT, .echo_seq = 1 }, &older);
	puppet_data(&p, 3, (struct wire_data){ .type = WIRE_HEARTBEAT, .echo_seq = 2 }, &newer);
	assert_int_equal(rig_give(&t, t.a, &newer), CHANNEL_OK);
	assert_int_equal(rig_give(&t, t.a, &older), CHANNEL_OK);
	assert_int_equal(channel_alive_until(t.a), sent + DEAD);
	rig_free(&t);
}

static void ready_that_comes_late_does_not_count_from_its_arrival(void **state)
{
	struct rig t = {};
	struct blob ready;
	uint64_t fin;

	rig_ready(&t, &ready);
	fin = t.now;
	t.now += DEAD - 1;
	assert_int_equal(rig_give(&t, t.a, &ready), CHANNEL_OK);
	assert_int_equal(channel_alive_until(t.a), fin + DEAD);
	assert_int_equal(channel_state(t.a, t.now), CHANNEL_STATE_LIVE);
	rig_free(&t);

	t = (struct rig){};
	rig_ready(&t, &ready);
	t.now += DEAD;
	assert_int_equal(rig_give(&t, t.a, &ready), CHANNEL_OK);
	assert_int_equal(channel_state(t.a, t.now), CHANNEL_STATE_STALLED);
	rig_free(&t);
}

static void relay_stalled_in_one_direction_stalls_both(void **state)
{
	struct rig t = {};
	struct blob b;

	rig_live(&t);
	for (int i = 0; i < 160; i++) {
		t.now += 100 * MSEC;
		channel_tick(t.a, t.now);
		channel_tick(t.b, t.now);
		while (rig_pop(t.b, &b))
			rig_give(&t, t.a, &b);
		rig_drain(t.a);
	}
	assert_int_equal(channel_state(t.a, t.now), CHANNEL_STATE_STALLED);
	assert_int_equal(channel_state(t.b, t.now), CHANNEL_STATE_STALLED);
	rig_free(&t);
}

static void suspend_ends_the_call_before_anything_is_heard(void **state)
{
	struct rig t = {};
	struct puppet p;
	struct blob b;

	puppet_live(&t, &p);
	puppet_data(&p, 2, (struct wire_data){ .type = WIRE_HEARTBEAT, .echo_seq = 1 }, &b);
	/* Short: stalled at once. */
	t.now += DEAD;
	assert_int_equal(channel_state(t.a, t.now), CHANNEL_STATE_STALLED);
	/* Long: the keys go before the blob that waited is looked at. */
	t.now += 3600 * SEC;
	assert_int_equal(rig_give(&t, t.a, &b), CHANNEL_CLOSED);
	assert_int_equal(channel_end_reason(t.a), CHANNEL_END_LOST);
	rig_free(&t);
}

static void clock_that_steps_back_is_ignored(void **state)
{
	struct rig t = {};
	uint64_t until;

	rig_live(&t);
	rig_run(&t, 5 * SEC);
	until = channel_alive_until(t.a);
	channel_tick(t.a, until);
	assert_int_equal(channel_state(t.a, until - SEC), CHANNEL_STATE_STALLED);
	channel_tick(t.a, 1);
	assert_int_equal(channel_state(t.a, until - SEC), CHANNEL_STATE_STALLED);
	assert_true(channel_next_timeout(t.a) > until);
	rig_free(&t);
}

static void call_ends_after_twelve_hours(void **state)
{
	uint64_t born;
	struct rig t = {};
	struct puppet p;
	struct blob b;

	puppet_live(&t, &p);
	born = t.now;
	for (uint64_t seq = 2; channel_end_reason(t.a) == CHANNEL_END_NONE; seq++) {
		t.now = channel_next_timeout(t.a);
		channel_tick(t.a, t.now);
		while (rig_pop(t.a, &b))
			puppet_hear(&p, &b);
		if (channel_end_reason(t.a) != CHANNEL_END_NONE)
			break;
		puppet_data(&p, seq,
			    (struct wire_data){ .type = WIRE_HEARTBEAT, .echo_seq = p.last.number },
			    &b);
		assert_int_equal(rig_give(&t, t.a, &b), CHANNEL_OK);
	}
	assert_int_equal(channel_end_reason(t.a), CHANNEL_END_AGE);
	assert_int_equal(t.now - born, 12 * 3600 * SEC);
	assert_int_equal(p.last.type, WIRE_CLOSE);
	rig_free(&t);
}

/* With losses of every pattern, whoever sleeps until channel_next_timeout() is never told to wake in the past. */
static void timeouts_lie_ahead(void **state)
{
	struct rig t = {};
	uint32_t x = 1;

	rig_live(&t);
	for (int i = 0; i < 20000; i++) {
		struct channel *ends[] = { t.a, t.b };
		uint64_t next = UINT64_MAX;
		struct blob b;

		for (int e = 0; e < 2; e++) {
			uint64_t at = channel_next_timeout(ends[e]);

			next = at < next ? at : next;
		}
		if (next == UINT64_MAX)
			break;
		assert_true(next > t.now);
		t.now = next;
		for (int e = 0; e < 2; e++) {
			channel_tick(ends[e], t.now);
			while (rig_pop(ends[e], &b)) {
				x = x * 1664525 + 1013904223;
				if (x >> 31)
					rig_give(&t, ends[!e], &b);
			}
		}
	}
	rig_free(&t);
}

int main(void)
{
	struct unit u = {};

	UNIT(&u, heartbeats_keep_a_call_alive);
	UNIT(&u, heartbeats_come_at_the_interval_with_jitter);
	UNIT(&u, silence_stalls_at_the_dead_time_and_erases_later);
	UNIT(&u, stalled_call_revives_by_a_fresh_echo);
	UNIT(&u, hoarded_heartbeats_do_not_prolong);
	UNIT(&u, allow_an_echo_just_under_the_dead_time);
	UNIT(&u, deny_an_echo_just_at_the_dead_time);
	UNIT(&u, reordered_echo_does_not_shorten);
	UNIT(&u, ready_that_comes_late_does_not_count_from_its_arrival);
	UNIT(&u, relay_stalled_in_one_direction_stalls_both);
	UNIT(&u, suspend_ends_the_call_before_anything_is_heard);
	UNIT(&u, clock_that_steps_back_is_ignored);
	UNIT(&u, call_ends_after_twelve_hours);
	UNIT(&u, timeouts_lie_ahead);
	return unit_run(&u);
}
