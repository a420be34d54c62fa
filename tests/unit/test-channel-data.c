// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Sealed messages: replay, numbers, damage, and a puppet that holds genuine keys and breaks the rules.
 */
#include "channel-rig.h"

/* ---- replay, numbers, damage ---- */

static void damaged_heartbeat_is_refused_and_does_no_harm(void **state)
{
	struct blob good, bad;
	struct rig t = {};
	struct puppet p;

	puppet_live(&t, &p);
	puppet_data(&p, 2, (struct wire_data){ .type = WIRE_HEARTBEAT, .echo_seq = 1 }, &good);
	for (size_t i = 0; i < good.len * 8; i++) {
		enum channel_result r;

		bad = good;
		bad.bytes[i / 8] ^= (uint8_t)(1 << i % 8);
		r = rig_give(&t, t.a, &bad);
		assert_true(r != CHANNEL_OK && r != CHANNEL_ENDED);
	}
	for (size_t len = 0; len < CHANNEL_BLOB_MAX; len++)
		if (len != good.len)
			assert_int_equal(channel_receive(t.a, good.bytes, len, t.now),
					 CHANNEL_MALFORMED);
	assert_int_equal(rig_give(&t, t.a, &good), CHANNEL_OK);
	rig_free(&t);
}

static void deny_replay(void **state)
{
	struct rig t = {};
	struct puppet p;
	struct blob b;

	puppet_live(&t, &p);
	for (uint64_t seq = 2; seq < 50; seq++) {
		puppet_data(&p, seq, (struct wire_data){ .type = WIRE_HEARTBEAT, .echo_seq = 1 },
			    &b);
		assert_int_equal(rig_give(&t, t.a, &b), CHANNEL_OK);
		assert_int_equal(rig_give(&t, t.a, &b), CHANNEL_REPLAYED);
	}
	rig_free(&t);
}

static void window_edge(void **state)
{
	const struct wire_data beat = { .type = WIRE_HEARTBEAT, .echo_seq = 1 };
	struct rig t = {};
	struct puppet p;
	struct blob b;

	puppet_live(&t, &p);
	puppet_data(&p, 2000, beat, &b);
	assert_int_equal(rig_give(&t, t.a, &b), CHANNEL_OK);
	puppet_data(&p, 2000 - 1024, beat, &b);
	assert_int_equal(rig_give(&t, t.a, &b), CHANNEL_REPLAYED);
	puppet_data(&p, 2000 - 1023, beat, &b);
	assert_int_equal(rig_give(&t, t.a, &b), CHANNEL_OK);
	rig_free(&t);
}

static void numbers_never_wrap(void **state)
{
	const struct wire_data beat = { .type = WIRE_HEARTBEAT, .echo_seq = 1 };
	struct rig t = {};
	struct puppet p;
	struct blob b;

	puppet_live(&t, &p);
	puppet_data(&p, 0, beat, &b);
	assert_int_equal(rig_give(&t, t.a, &b), CHANNEL_FORGED);
	puppet_data(&p, UINT64_MAX - 1, beat, &b);
	put_be64(b.bytes + 22, UINT64_MAX);
	assert_int_equal(rig_give(&t, t.a, &b), CHANNEL_REPLAYED);
	puppet_data(&p, UINT64_MAX - 1, beat, &b);
	assert_int_equal(rig_give(&t, t.a, &b), CHANNEL_OK);
	/* And of its own numbers it does not use the last. */
	t.a->tx_seq = UINT64_MAX - 1;
	t.now = channel_next_timeout(t.a);
	channel_tick(t.a, t.now);
	assert_int_equal(channel_end_reason(t.a), CHANNEL_END_EXHAUSTED);
	rig_nothing_from(t.a);
	rig_free(&t);
}

static void deny_another_epoch(void **state)
{
	struct rig t = {};
	struct puppet p;
	struct blob b;

	puppet_live(&t, &p);
	puppet_data(&p, 2, (struct wire_data){ .type = WIRE_HEARTBEAT, .echo_seq = 1 }, &b);
	put_be32(b.bytes + 18, 1);
	assert_int_equal(rig_give(&t, t.a, &b), CHANNEL_EPOCH);
	put_be32(b.bytes + 18, 0);
	assert_int_equal(rig_give(&t, t.a, &b), CHANNEL_OK);
	rig_free(&t);
}

static void deny_reflected_data(void **state)
{
	struct rig t = {};
	struct blob b;

	rig_live(&t);
	t.now = channel_next_timeout(t.a);
	channel_tick(t.a, t.now);
	rig_must_pop(t.a, WIRE_DATA, &b);
	/* The number is one that the other end has not used, so it is the key that refuses. */
	put_be64(b.bytes + 22, 500);
	assert_int_equal(rig_give(&t, t.a, &b), CHANNEL_FORGED);
	put_be64(b.bytes + 22, t.a->tx_seq);
	assert_int_equal(rig_give(&t, t.b, &b), CHANNEL_OK);
	rig_free(&t);
}

static void deny_data_of_an_earlier_run(void **state)
{
	struct rig t = {}, u = {};
	struct blob b;

	rig_live(&t);
	t.now = channel_next_timeout(t.a);
	channel_tick(t.a, t.now);
	rig_must_pop(t.a, WIRE_DATA, &b);
	rig_live(&u);
	assert_int_equal(rig_give(&u, u.b, &b), CHANNEL_FOREIGN);
	memcpy(b.bytes + 2, channel_sid(u.b), CHANNEL_SID_LEN);
	assert_int_equal(rig_give(&u, u.b, &b), CHANNEL_FORGED);
	rig_free(&t);
	rig_free(&u);
}

/* ---- a genuine end that breaks the rules ---- */

struct wrong {
	const char *what;
	uint64_t seq;
	struct wire_data d;
	enum channel_end end;
};

static const struct wrong said_to_a_caller[] = {
	{ "nothing wrong", 2, { .type = WIRE_HEARTBEAT, .echo_seq = 1 }, CHANNEL_END_NONE },
	{ "kinds as accepted",
	  2,
	  { .type = WIRE_HEARTBEAT, .echo_seq = 1, .captured = 1, .granted = 1 },
	  CHANNEL_END_NONE },
	{ "a level of the future",
	  2,
	  { .type = WIRE_HEARTBEAT, .echo_seq = 1, .levels = { 9, 255 } },
	  CHANNEL_END_NONE },
	{ "an echo of the future", 2, { .type = WIRE_HEARTBEAT, .echo_seq = 2 }, CHANNEL_END_ECHO },
	{ "an echo of the far future",
	  2,
	  { .type = WIRE_HEARTBEAT, .echo_seq = UINT64_MAX },
	  CHANNEL_END_ECHO },
	{ "no echo", 2, { .type = WIRE_HEARTBEAT }, CHANNEL_END_ECHO },
	{ "an echo of another epoch",
	  2,
	  { .type = WIRE_HEARTBEAT, .echo_seq = 1, .echo_epoch = 1 },
	  CHANNEL_END_ECHO },
	{ "camera captured, microphone accepted",
	  2,
	  { .type = WIRE_HEARTBEAT, .echo_seq = 1, .captured = 2 },
	  CHANNEL_END_MEDIA },
	{ "camera granted, microphone accepted",
	  2,
	  { .type = WIRE_HEARTBEAT, .echo_seq = 1, .granted = 3 },
	  CHANNEL_END_MEDIA },
	{ "a kind that does not exist",
	  2,
	  { .type = WIRE_HEARTBEAT, .echo_seq = 1, .captured = 4 },
	  CHANNEL_END_MEDIA },
	{ "another number",
	  2,
	  { .type = WIRE_HEARTBEAT, .number = 3, .echo_seq = 1 },
	  CHANNEL_END_VIOLATION },
	{ "a second READY", 2, { .type = WIRE_READY, .echo_seq = 1 }, CHANNEL_END_VIOLATION },
	{ "SAS byte 3",
	  2,
	  { .type = WIRE_HEARTBEAT, .echo_seq = 1, .sas = 3 },
	  CHANNEL_END_VIOLATION },
	{ "gate byte 2",
	  2,
	  { .type = WIRE_HEARTBEAT, .echo_seq = 1, .gate = 2 },
	  CHANNEL_END_VIOLATION },
	{ "numbers differ",
	  2,
	  { .type = WIRE_HEARTBEAT, .echo_seq = 1, .sas = 2 },
	  CHANNEL_END_SAS_DIFFERS },
	{ "CLOSE",
	  2,
	  { .type = WIRE_CLOSE, .echo_seq = 1, .last_seq = 1, .reason = 1 },
	  CHANNEL_END_PEER_CLOSED },
	{ "CLOSE that skips",
	  2,
	  { .type = WIRE_CLOSE, .echo_seq = 1, .last_seq = 7, .reason = 1 },
	  CHANNEL_END_VIOLATION },
};

static void judgement_of_what_is_said_to_a_caller(void **state)
{
	for (size_t i = 0; i < sizeof(said_to_a_caller) / sizeof(said_to_a_caller[0]); i++) {
		const struct wrong *w = &said_to_a_caller[i];
		struct rig t = {};
		struct puppet p;
		struct blob b;

		puppet_live(&t, &p);
		puppet_data(&p, w->seq, w->d, &b);
		print_message("# %s\n", w->what);
		assert_int_equal(rig_give(&t, t.a, &b),
				 w->end == CHANNEL_END_NONE ? CHANNEL_OK : CHANNEL_ENDED);
		assert_int_equal(channel_end_reason(t.a), w->end);
		rig_free(&t);
	}
}

static const struct wrong said_first_to_a_caller[] = {
	{ "READY", 1, { .type = WIRE_READY }, CHANNEL_END_NONE },
	{ "CLOSE for READY", 1, { .type = WIRE_CLOSE, .reason = 1 }, CHANNEL_END_PEER_CLOSED },
	{ "CLOSE, READY lost", 2, { .type = WIRE_CLOSE, .last_seq = 1 }, CHANNEL_END_PEER_CLOSED },
	{ "READY with another number", 2, { .type = WIRE_READY }, CHANNEL_END_VIOLATION },
	{ "a heartbeat", 1, { .type = WIRE_HEARTBEAT }, CHANNEL_END_VIOLATION },
	{ "READY that echoes", 1, { .type = WIRE_READY, .echo_seq = 1 }, CHANNEL_END_ECHO },
	{ "READY with too much", 1, { .type = WIRE_READY, .granted = 2 }, CHANNEL_END_MEDIA },
};

static void judgement_of_what_is_said_first_to_a_caller(void **state)
{
	for (size_t i = 0; i < sizeof(said_first_to_a_caller) / sizeof(said_first_to_a_caller[0]);
	     i++) {
		const struct wrong *w = &said_first_to_a_caller[i];
		struct rig t = {};
		struct puppet p;
		struct blob b;

		rig_call(&t);
		puppet_resp(&p, &t.init, puppet_resp_default(), &b);
		assert_int_equal(rig_give(&t, t.a, &b), CHANNEL_OK);
		rig_must_pop(t.a, WIRE_FIN, &b);
		puppet_take_fin(&p, &b);
		puppet_data(&p, w->seq, w->d, &b);
		print_message("# %s\n", w->what);
		assert_int_equal(rig_give(&t, t.a, &b),
				 w->end == CHANNEL_END_NONE ? CHANNEL_OK : CHANNEL_ENDED);
		assert_int_equal(channel_end_reason(t.a), w->end);
		assert_int_equal(channel_confirmed(t.a), w->end == CHANNEL_END_NONE);
		rig_free(&t);
	}
}

static const struct wrong said_first_to_a_callee[] = {
	{ "a heartbeat", 1, { .type = WIRE_HEARTBEAT, .echo_seq = 1 }, CHANNEL_END_NONE },
	{ "a later heartbeat", 9, { .type = WIRE_HEARTBEAT, .echo_seq = 1 }, CHANNEL_END_NONE },
	{ "CLOSE without READY", 1, { .type = WIRE_CLOSE }, CHANNEL_END_PEER_CLOSED },
	{ "READY", 1, { .type = WIRE_READY, .echo_seq = 1 }, CHANNEL_END_VIOLATION },
	{ "a heartbeat that echoes nothing", 1, { .type = WIRE_HEARTBEAT }, CHANNEL_END_ECHO },
	{ "an echo of the future", 1, { .type = WIRE_HEARTBEAT, .echo_seq = 2 }, CHANNEL_END_ECHO },
};

static void judgement_of_what_is_said_first_to_a_callee(void **state)
{
	for (size_t i = 0; i < sizeof(said_first_to_a_callee) / sizeof(said_first_to_a_callee[0]);
	     i++) {
		const struct wrong *w = &said_first_to_a_callee[i];
		struct rig t = { .now = 1000 * SEC };
		struct channel_params params = rig_params_b(&t);
		uint8_t commitment[32];
		struct puppet p;
		struct blob b;

		puppet_commitment(puppet_static, commitment);
		puppet_init(&p, puppet_static, commitment, &b);
		assert_int_equal(channel_new_responder(&t.b, &params, b.bytes, b.len, t.now), 0);
		assert_int_equal(channel_accept(t.b, rig_all, t.now), 0);
		rig_must_pop(t.b, WIRE_RESP, &b);
		puppet_fin(&p, &b, &b);
		assert_int_equal(rig_give(&t, t.b, &b), CHANNEL_OK);
		rig_must_pop(t.b, WIRE_DATA, &b);
		puppet_data(&p, w->seq, w->d, &b);
		print_message("# %s\n", w->what);
		assert_int_equal(rig_give(&t, t.b, &b),
				 w->end == CHANNEL_END_NONE ? CHANNEL_OK : CHANNEL_ENDED);
		assert_int_equal(channel_end_reason(t.b), w->end);
		assert_int_equal(channel_confirmed(t.b), w->end == CHANNEL_END_NONE);
		rig_free(&t);
	}
}

static void padding_and_types_are_strict(void **state)
{
	for (unsigned int i = 29; i <= 64; i++) {
		uint8_t plain[65];
		struct rig t = {};
		struct puppet p;
		struct blob b;

		puppet_live(&t, &p);
		wire_data_put(plain, &(struct wire_data){
					     .type = WIRE_HEARTBEAT, .number = 2, .echo_seq = 1 });
		plain[i] = i < 64;
		puppet_data_raw(&p, 2, plain, &b);
		assert_int_equal(rig_give(&t, t.a, &b), i < 64 ? CHANNEL_ENDED : CHANNEL_OK);
		rig_free(&t);
	}
	for (unsigned int type = 0; type < 256; type++) {
		uint8_t plain[64];
		struct rig t = {};
		struct puppet p;
		struct blob b;

		if (type >= WIRE_READY && type <= WIRE_CLOSE)
			continue;
		puppet_live(&t, &p);
		wire_data_put(plain, &(struct wire_data){
					     .type = (uint8_t)type, .number = 2, .echo_seq = 1 });
		puppet_data_raw(&p, 2, plain, &b);
		assert_int_equal(rig_give(&t, t.a, &b), CHANNEL_ENDED);
		assert_int_equal(channel_end_reason(t.a), CHANNEL_END_VIOLATION);
		rig_free(&t);
	}
}

int main(void)
{
	struct unit u = {};

	UNIT(&u, damaged_heartbeat_is_refused_and_does_no_harm);
	UNIT(&u, deny_replay);
	UNIT(&u, window_edge);
	UNIT(&u, numbers_never_wrap);
	UNIT(&u, deny_another_epoch);
	UNIT(&u, deny_reflected_data);
	UNIT(&u, deny_data_of_an_earlier_run);
	UNIT(&u, judgement_of_what_is_said_to_a_caller);
	UNIT(&u, judgement_of_what_is_said_first_to_a_caller);
	UNIT(&u, judgement_of_what_is_said_first_to_a_callee);
	UNIT(&u, padding_and_types_are_strict);
	return unit_run(&u);
}
