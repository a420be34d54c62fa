// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The list of programs that had camera or microphone: told where the user wants it and the other end knows it, whole or not
 * at all, bounded, and never a reason for anything.
 */
#include "channel-rig.h"

static struct channel_programs list_of(unsigned int n)
{
	struct channel_programs list = { .n = n };

	for (unsigned int i = 0; i < n; i++) {
		list.list[i].seconds[i % 2] = i + 1;
		snprintf(list.list[i].name, sizeof(list.list[i].name), "program %u", i);
	}
	return list;
}

static void assert_same(const struct channel_programs *a, const struct channel_programs *b)
{
	assert_int_equal(a->n, b->n);
	for (unsigned int i = 0; i < a->n; i++) {
		assert_string_equal(a->list[i].name, b->list[i].name);
		assert_memory_equal(a->list[i].seconds, b->list[i].seconds,
				    sizeof(a->list[i].seconds));
	}
}

/* A puppet that called or answered with the bit, or without. */
static void puppet_live_with(struct rig *t, struct puppet *p, uint16_t bit)
{
	struct wire_resp resp = puppet_resp_default();
	struct blob b;

	resp.accepted[0] |= bit;
	resp.accepted[1] |= bit;
	rig_call(t);
	puppet_resp(p, &t->init, resp, &b);
	assert_int_equal(rig_give(t, t->a, &b), CHANNEL_OK);
	rig_must_pop(t->a, WIRE_FIN, &b);
	puppet_take_fin(p, &b);
	puppet_data(p, 1, (struct wire_data){ .type = WIRE_READY }, &b);
	assert_int_equal(rig_give(t, t->a, &b), CHANNEL_OK);
	rig_must_pop(t->a, WIRE_DATA, &b);
	puppet_hear(p, &b);
}

static struct wire_data piece(unsigned int round, unsigned int index, unsigned int total,
			      const char *name)
{
	struct wire_data d = {
		.type = WIRE_PROGRAMS,
		.echo_seq = 1,
		.program = { .round = (uint8_t)round,
			     .index = (uint8_t)index,
			     .total = (uint8_t)total,
			     .program = { .seconds = { total ? 7 : 0, 0 } } },
	};

	snprintf(d.program.program.name, sizeof(d.program.program.name), "%s", name);
	return d;
}

static void every_length_arrives_both_ways(void **state)
{
	for (unsigned int n = 0; n <= CHANNEL_PROGRAMS_MAX; n++) {
		struct channel_programs told = list_of(n), got;
		struct rig t = {};

		rig_live(&t);
		assert_int_equal(channel_tell_programs(t.a, &told, t.now), 0);
		assert_int_equal(channel_tell_programs(t.b, &told, t.now), 0);
		assert_false(channel_peer_programs(t.b, &got));
		rig_run(&t, (n + 1) * 3 * SEC);
		assert_true(channel_peer_programs(t.b, &got));
		assert_same(&got, &told);
		assert_true(channel_peer_programs(t.a, &got));
		assert_same(&got, &told);
		rig_free(&t);
	}
}

static void nothing_is_told_unless_asked(void **state)
{
	struct channel_programs told = list_of(1), got;
	struct rig t = {};

	rig_live(&t);
	assert_int_equal(channel_tell_programs(t.a, &told, t.now), 0);
	rig_run(&t, 30 * SEC);
	assert_true(channel_peer_programs(t.b, &got));
	assert_false(channel_peer_programs(t.a, &got));
	rig_free(&t);
}

static void what_was_told_stays_after_the_end_and_more_seconds_follow(void **state)
{
	struct channel_programs told = list_of(2), got;
	struct rig t = {};

	rig_live(&t);
	assert_int_equal(channel_tell_programs(t.a, &told, t.now), 0);
	rig_run(&t, 10 * SEC);
	told.list[0].seconds[0] = CHANNEL_PROGRAM_SECONDS + 5;
	assert_int_equal(channel_tell_programs(t.a, &told, t.now), 0);
	rig_run(&t, 10 * SEC);
	channel_close(t.a, CHANNEL_END_HANGUP, t.now);
	rig_carry(&t);
	assert_int_equal(channel_end_reason(t.b), CHANNEL_END_PEER_CLOSED);
	assert_true(channel_peer_programs(t.b, &got));
	told.list[0].seconds[0] = CHANNEL_PROGRAM_SECONDS;
	assert_same(&got, &told);
	assert_int_equal(channel_tell_programs(t.a, &told, t.now), -ENOTCONN);
	rig_free(&t);
}

static void a_new_program_is_told_soon_more_seconds_are_not(void **state)
{
	struct channel_programs told = list_of(1);
	struct rig t = {};
	uint64_t before;

	rig_live(&t);
	rig_run(&t, 10 * SEC);
	assert_int_equal(channel_tell_programs(t.a, &told, t.now), 0);
	assert_true(channel_next_timeout(t.a) <= t.now + 250 * MSEC);
	rig_run(&t, SEC);
	before = channel_next_timeout(t.a);
	told.list[0].seconds[0]++;
	assert_int_equal(channel_tell_programs(t.a, &told, t.now), 0);
	assert_int_equal(channel_next_timeout(t.a), before);
	rig_free(&t);
}

static void a_list_is_as_long_and_as_frequent_as_heartbeats(void **state)
{
	struct channel_programs told = list_of(CHANNEL_PROGRAMS_MAX);
	unsigned int with = 0;
	struct rig t = {};
	uint64_t seq = 2;
	struct puppet p;
	struct blob b;

	puppet_live_with(&t, &p, WIRE_MEDIA_PROGRAMS);
	assert_int_equal(channel_tell_programs(t.a, &told, t.now), 0);
	/* 80 seconds: 33 to 50 heartbeats, and a first one soon. */
	for (unsigned int tenths = 0; tenths < 800; tenths++) {
		t.now += 100 * MSEC;
		channel_tick(t.a, t.now);
		while (rig_pop(t.a, &b)) {
			puppet_hear(&p, &b);
			assert_int_equal(p.last.type, WIRE_PROGRAMS);
			with++;
		}
		if (tenths % 20)
			continue;
		puppet_data(&p, seq++,
			    (struct wire_data){ .type = WIRE_HEARTBEAT, .echo_seq = t.a->tx_seq },
			    &b);
		assert_int_equal(rig_give(&t, t.a, &b), CHANNEL_OK);
	}
	assert_in_range(with, 33, 52);
	rig_free(&t);
}

static void deny_telling_an_end_that_does_not_know_it(void **state)
{
	struct channel_programs told = list_of(1);
	struct rig t = {}, u = {};
	struct puppet p;
	struct blob b;

	puppet_live_with(&t, &p, 0);
	assert_false(channel_takes_programs(t.a));
	assert_int_equal(channel_tell_programs(t.a, &told, t.now), -EOPNOTSUPP);
	t.now += 3 * SEC;
	channel_tick(t.a, t.now);
	rig_must_pop(t.a, WIRE_DATA, &b);
	puppet_hear(&p, &b);
	assert_int_equal(p.last.type, WIRE_HEARTBEAT);
	rig_free(&t);
	puppet_live_with(&u, &p, WIRE_MEDIA_PROGRAMS);
	assert_true(channel_takes_programs(u.a));
	assert_int_equal(channel_tell_programs(u.a, &told, u.now), 0);
	rig_free(&u);
}

/* An end of before this message neither offers nor accepts the bit; what it offers else is accepted as ever. */
static void a_caller_that_does_not_offer_it_is_answered_without(void **state)
{
	struct channel_programs told = list_of(1);
	struct rig t = { .now = 1000 * SEC };
	struct channel_params params = rig_params_b(&t);
	uint8_t commitment[32];
	struct puppet p;
	struct blob b;

	puppet_commitment(puppet_static, commitment);
	puppet_init(&p, puppet_static, commitment, &b);
	assert_int_equal(channel_new_responder(&t.b, &params, b.bytes, b.len, t.now), 0);
	assert_int_equal(channel_accept(t.b, rig_all, t.now), 0);
	assert_false(channel_takes_programs(t.b));
	rig_must_pop(t.b, WIRE_RESP, &b);
	puppet_fin(&p, &b, &b);
	assert_int_equal(rig_give(&t, t.b, &b), CHANNEL_OK);
	rig_must_pop(t.b, WIRE_DATA, &b);
	assert_int_equal(channel_tell_programs(t.b, &told, t.now), -EOPNOTSUPP);
	puppet_data(&p, 1, piece(1, 0, 1, "cheese"), &b);
	assert_int_equal(rig_give(&t, t.b, &b), CHANNEL_ENDED);
	assert_int_equal(channel_end_reason(t.b), CHANNEL_END_VIOLATION);
	rig_free(&t);
}

static void only_a_whole_round_counts(void **state)
{
	struct channel_programs got;
	struct rig t = {};
	struct puppet p;
	struct blob b;

	puppet_live_with(&t, &p, WIRE_MEDIA_PROGRAMS);
	puppet_data(&p, 2, piece(1, 0, 2, "one"), &b);
	assert_int_equal(rig_give(&t, t.a, &b), CHANNEL_OK);
	assert_false(channel_peer_programs(t.a, &got));
	/* The second half of another round, and of a round of another length. */
	puppet_data(&p, 3, piece(2, 1, 2, "two"), &b);
	assert_int_equal(rig_give(&t, t.a, &b), CHANNEL_OK);
	puppet_data(&p, 4, piece(2, 0, 3, "three"), &b);
	assert_int_equal(rig_give(&t, t.a, &b), CHANNEL_OK);
	assert_false(channel_peer_programs(t.a, &got));
	puppet_data(&p, 6, piece(3, 1, 2, "new two"), &b);
	assert_int_equal(rig_give(&t, t.a, &b), CHANNEL_OK);
	/* Older than what was heard: it proves life and says nothing. */
	puppet_data(&p, 5, piece(3, 0, 2, "new one"), &b);
	assert_int_equal(rig_give(&t, t.a, &b), CHANNEL_OK);
	assert_false(channel_peer_programs(t.a, &got));
	puppet_data(&p, 7, piece(3, 0, 2, "new one"), &b);
	assert_int_equal(rig_give(&t, t.a, &b), CHANNEL_OK);
	assert_true(channel_peer_programs(t.a, &got));
	assert_int_equal(got.n, 2);
	assert_string_equal(got.list[0].name, "new one");
	assert_string_equal(got.list[1].name, "new two");
	puppet_data(&p, 8, piece(4, 0, 0, ""), &b);
	assert_int_equal(rig_give(&t, t.a, &b), CHANNEL_OK);
	assert_true(channel_peer_programs(t.a, &got));
	assert_int_equal(got.n, 0);
	rig_free(&t);
}

static const struct {
	const char *what, *name;
	unsigned int index, total;
	uint32_t microphone, camera;
	bool fine;
} pieces[] = {
	{ "a program", "cheese", 0, 1, 1, 0, true },
	{ "one for 12 hours", "cheese", 7, 8, 43200, 43200, true },
	{ "a name of 24 bytes", "abcdefghijklmnopqrstuvwx", 0, 1, 1, 0, true },
	{ "a name in Chinese", "茄子", 0, 1, 0, 1, true },
	{ "no name", "", 0, 1, 1, 0, false },
	{ "a name with an escape", "\033[2Jcheese", 0, 1, 1, 0, false },
	{ "a name with a line", "cheese\nApproved: yes", 0, 1, 1, 0, false },
	{ "a name that turns the text", "a\u202eb", 0, 1, 1, 0, false },
	{ "a name that is no UTF-8", "\xc3", 0, 1, 1, 0, false },
	{ "a name that ends with a space", "cheese ", 0, 1, 1, 0, false },
	{ "no seconds", "cheese", 0, 1, 0, 0, false },
	{ "more than 12 hours", "cheese", 0, 1, 43201, 0, false },
	{ "more than 12 hours of camera", "cheese", 0, 1, 0, 43201, false },
	{ "an index that is not below the total", "cheese", 1, 1, 1, 0, false },
	{ "more than eight", "cheese", 0, 9, 1, 0, false },
	{ "an empty list with a program", "cheese", 0, 0, 1, 0, false },
	{ "an empty list with an index", "", 1, 0, 0, 0, false },
};

static void judgement_of_a_program(void **state)
{
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		struct wire_data d = piece(1, pieces[i].index, pieces[i].total, pieces[i].name);
		struct rig t = {};
		struct puppet p;
		struct blob b;

		print_message("# %s\n", pieces[i].what);
		d.program.program.seconds[0] = pieces[i].microphone;
		d.program.program.seconds[1] = pieces[i].camera;
		puppet_live_with(&t, &p, WIRE_MEDIA_PROGRAMS);
		puppet_data(&p, 2, d, &b);
		assert_int_equal(rig_give(&t, t.a, &b),
				 pieces[i].fine ? CHANNEL_OK : CHANNEL_ENDED);
		assert_int_equal(channel_end_reason(t.a),
				 pieces[i].fine ? CHANNEL_END_NONE : CHANNEL_END_VIOLATION);
		rig_free(&t);
	}
}

static void padding_of_a_name_is_strict(void **state)
{
	for (unsigned int i = 47; i < 64; i++) {
		struct wire_data d = piece(1, 0, 1, "cheese"), back;
		uint8_t plain[64];

		wire_data_put(plain, &d);
		assert_true(wire_data_get(plain, &back));
		plain[i] = 1;
		assert_false(wire_data_get(plain, &back));
	}
}

/* Whatever is told, what may be captured and how long stays what it was. */
static void a_list_changes_nothing_else(void **state)
{
	struct channel_claims before, after;
	struct rig t = {};
	struct puppet p;
	struct blob b;

	puppet_live_with(&t, &p, WIRE_MEDIA_PROGRAMS);
	puppet_data(&p, 2, (struct wire_data){ .type = WIRE_HEARTBEAT, .echo_seq = 1 }, &b);
	assert_int_equal(rig_give(&t, t.a, &b), CHANNEL_OK);
	channel_peer_claims(t.a, &before);
	uint64_t alive = channel_alive_until(t.a);

	t.now += SEC;
	puppet_data(&p, 3, piece(1, 0, 1, "cheese"), &b);
	assert_int_equal(rig_give(&t, t.a, &b), CHANNEL_OK);
	channel_peer_claims(t.a, &after);
	assert_memory_equal(&before, &after, sizeof(before));
	assert_int_equal(channel_alive_until(t.a), alive);
	assert_int_equal(channel_accepted(t.a, CHANNEL_I2R), CHANNEL_KINDS);
	assert_int_equal(channel_accepted(t.a, CHANNEL_R2I), CHANNEL_MICROPHONE);
	rig_free(&t);
}

int main(void)
{
	struct unit u = {};

	UNIT(&u, every_length_arrives_both_ways);
	UNIT(&u, nothing_is_told_unless_asked);
	UNIT(&u, what_was_told_stays_after_the_end_and_more_seconds_follow);
	UNIT(&u, a_new_program_is_told_soon_more_seconds_are_not);
	UNIT(&u, a_list_is_as_long_and_as_frequent_as_heartbeats);
	UNIT(&u, deny_telling_an_end_that_does_not_know_it);
	UNIT(&u, a_caller_that_does_not_offer_it_is_answered_without);
	UNIT(&u, only_a_whole_round_counts);
	UNIT(&u, judgement_of_a_program);
	UNIT(&u, padding_of_a_name_is_strict);
	UNIT(&u, a_list_changes_nothing_else);
	return unit_run(&u);
}
