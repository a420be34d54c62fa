// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The channel's handshake with an other end that means harm: commitments, offers, keys, pins.
 */
#include "channel-rig.h"

/* ---- the commitment ---- */

/* A caller whose FIN holds @fin_static and another nonce than it committed to, if @swap_nonce. */
static enum channel_result puppet_calls(struct rig *t, const uint8_t *committed_static,
					const uint8_t *fin_static, bool swap_nonce)
{
	struct channel_params params = rig_params_b(t);
	uint8_t commitment[32];
	struct puppet p;
	struct blob b;

	t->now = 1000 * SEC;
	puppet_commitment(committed_static, commitment);
	puppet_init(&p, fin_static, commitment, &b);
	assert_int_equal(channel_new_responder(&t->b, &params, b.bytes, b.len, t->now), 0);
	assert_int_equal(channel_accept(t->b, rig_all, t->now), 0);
	rig_must_pop(t->b, WIRE_RESP, &b);
	if (swap_nonce)
		p.nonce[0] ^= 1;
	puppet_fin(&p, &b, &b);
	return rig_give(t, t->b, &b);
}

static void allow_the_committed_secret(void **state)
{
	char sas[CHANNEL_SAS_LEN];
	struct rig t = {};
	struct blob b;

	assert_int_equal(puppet_calls(&t, puppet_static, puppet_static, false), CHANNEL_OK);
	assert_true(channel_sas(t.b, sas));
	rig_must_pop(t.b, WIRE_DATA, &b);
	rig_free(&t);
}

static void deny_another_secret_than_committed_and_show_no_number(void **state)
{
	char sas[CHANNEL_SAS_LEN];
	struct rig t = {};

	assert_int_equal(puppet_calls(&t, puppet_static, puppet_static, true), CHANNEL_ENDED);
	assert_int_equal(channel_end_reason(t.b), CHANNEL_END_COMMITMENT);
	assert_false(channel_sas(t.b, sas));
	assert_int_equal(t.asked_b, 0);
	rig_nothing_from(t.b);
	rig_free(&t);
}

static void deny_another_static_key_than_committed(void **state)
{
	char sas[CHANNEL_SAS_LEN];
	struct rig t = {};

	assert_int_equal(puppet_calls(&t, rig_static_a, puppet_static, false), CHANNEL_ENDED);
	assert_int_equal(channel_end_reason(t.b), CHANNEL_END_COMMITMENT);
	assert_false(channel_sas(t.b, sas));
	rig_free(&t);
}

static void man_in_the_middle_shows_different_numbers(void **state)
{
	char sas_a[CHANNEL_SAS_LEN], sas_b[CHANNEL_SAS_LEN];
	struct rig t = {}, u = {};
	struct puppet p;
	struct blob b;

	puppet_live(&t, &p);
	assert_int_equal(puppet_calls(&u, puppet_static, puppet_static, false), CHANNEL_OK);
	assert_true(channel_sas(t.a, sas_a));
	assert_true(channel_sas(u.b, sas_b));
	assert_string_not_equal(sas_a, sas_b);
	rig_must_pop(u.b, WIRE_DATA, &b);
	rig_free(&t);
	rig_free(&u);
}

/* ---- offers ---- */

static void deny_versions_and_media_changed_by_the_relay(void **state)
{
	/* n_ver, versions..., media: rewritten before the responder sees them, so that its prologue differs. */
	static const struct {
		uint8_t offer[8];
		size_t len;
	} changed[] = {
		{ { 2, 1, 9, 0, 3, 0, 1 }, 7 }, /* a version added; stripping one is the same */
		{ { 1, 1, 0, 3, 0, 3 }, 6 },	/* camera both ways */
		{ { 1, 1, 0, 1, 0, 1 }, 6 },	/* camera taken out */
		{ { 1, 1, 0, 7, 0, 1 }, 6 },	/* a kind that does not exist */
	};
	struct rig t = {};
	struct channel_params p = rig_params_b(&t);
	struct blob resp;

	rig_call(&t);
	for (size_t i = 0; i < sizeof(changed) / sizeof(changed[0]); i++) {
		struct channel *b = NULL;
		uint8_t init[CHANNEL_BLOB_MAX];
		size_t len = WIRE_HEADER_LEN + changed[i].len + 64;

		memcpy(init, t.init.bytes, WIRE_HEADER_LEN);
		memcpy(init + WIRE_HEADER_LEN, changed[i].offer, changed[i].len);
		memcpy(init + len - 64, t.init.bytes + t.init.len - 64, 64);
		assert_int_equal(channel_new_responder(&b, &p, init, len, t.now), 0);
		assert_int_equal(channel_accept(b, (uint16_t[2]){ 1, 1 }, t.now), 0);
		rig_must_pop(b, WIRE_RESP, &resp);
		assert_int_equal(rig_give(&t, t.a, &resp), CHANNEL_FORGED);
		channel_free(b);
	}
	assert_int_equal(channel_new_responder(&t.b, &p, t.init.bytes, t.init.len, t.now), 0);
	assert_int_equal(channel_accept(t.b, (uint16_t[2]){ 1, 1 }, t.now), 0);
	rig_must_pop(t.b, WIRE_RESP, &resp);
	assert_int_equal(rig_give(&t, t.a, &resp), CHANNEL_OK);
	rig_free(&t);
}

static void absurd_offers_are_refused(void **state)
{
	static const struct {
		uint8_t offer[16];
		size_t len;
		enum channel_result result;
	} bad[] = {
		{ { 0, 0, 3, 0, 1 }, 5, CHANNEL_MALFORMED },				 /* none */
		{ { 9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 3, 0, 1 }, 14, CHANNEL_MALFORMED }, /* 9 */
		{ { 2, 1, 1, 0, 3, 0, 1 }, 7, CHANNEL_MALFORMED },			 /* twice */
		{ { 2, 2, 1, 0, 3, 0, 1 }, 7, CHANNEL_MALFORMED },			 /* order */
		{ { 2, 0, 1, 0, 3, 0, 1 }, 7, CHANNEL_MALFORMED },			 /* zero */
		{ { 1, 1, 0, 0, 0, 0 }, 6, CHANNEL_MALFORMED }, /* no media */
		{ { 1, 1, 0, 4, 0, 8 }, 6, CHANNEL_MALFORMED }, /* unknown */
		{ { 1, 2, 0, 3, 0, 1 }, 6, CHANNEL_VERSION_UNKNOWN },
		{ { 200, 1, 0, 3, 0, 1 }, 6, CHANNEL_MALFORMED },
		{ { 8, 1, 2, 3, 4, 5, 6, 7, 8, 0, 3, 0, 1 }, 13, CHANNEL_OK },
	};
	struct rig t = {};
	struct channel_params p = rig_params_b(&t);

	rig_call(&t);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct channel *b = NULL;
		uint8_t init[CHANNEL_BLOB_MAX];
		size_t len = WIRE_HEADER_LEN + bad[i].len + 64;

		memcpy(init, t.init.bytes, WIRE_HEADER_LEN);
		memcpy(init + WIRE_HEADER_LEN, bad[i].offer, bad[i].len);
		memcpy(init + len - 64, t.init.bytes + t.init.len - 64, 64);
		assert_int_equal(channel_new_responder(&b, &p, init, len, t.now), bad[i].result);
		assert_int_equal(b != NULL, bad[i].result == CHANNEL_OK);
		channel_free(b);
	}
	t.init.bytes[0] = 2;
	assert_int_equal(channel_new_responder(&t.b, &p, t.init.bytes, t.init.len, t.now),
			 CHANNEL_VERSION_UNKNOWN);
	t.init.bytes[0] = 1;
	t.init.bytes[1] = WIRE_RESP;
	assert_int_equal(channel_new_responder(&t.b, &p, t.init.bytes, t.init.len, t.now),
			 CHANNEL_UNEXPECTED);
	rig_free(&t);
}

static void accepting_more_than_offered_is_refused(void **state)
{
	struct blob b;
	struct rig t = {};

	rig_ring(&t);
	assert_int_equal(channel_accept(t.b, (uint16_t[2]){ 3, 3 }, t.now), -EINVAL);
	assert_int_equal(channel_accept(t.b, (uint16_t[2]){ 7, 1 }, t.now), -EINVAL);
	rig_nothing_from(t.b);
	assert_int_equal(channel_accept(t.b, (uint16_t[2]){ 1, 0 }, t.now), 0);
	rig_must_pop(t.b, WIRE_RESP, &b);
	assert_int_equal(rig_give(&t, t.a, &b), CHANNEL_OK);
	assert_int_equal(channel_accepted(t.a, CHANNEL_I2R), 1);
	assert_int_equal(channel_accepted(t.a, CHANNEL_R2I), 0);
	rig_free(&t);
}

/* What a genuine but broken or hostile callee may put into RESP. */
static void bad_resp_ends_the_call_before_fin(void **state)
{
	static const struct {
		struct wire_resp resp;
		enum channel_end end;
	} table[] = {
		{ { .version = 1, .accepted = { 3, 1 }, .interval_ms = 1000 }, CHANNEL_END_NONE },
		{ { .version = 1, .accepted = { 0, 0 }, .interval_ms = 15000 }, CHANNEL_END_NONE },
		{ { .version = 1, .accepted = { 3, 1 }, .interval_ms = 999 },
		  CHANNEL_END_VIOLATION },
		{ { .version = 1, .accepted = { 3, 1 }, .interval_ms = 15001 },
		  CHANNEL_END_VIOLATION },
		{ { .version = 0, .accepted = { 3, 1 }, .interval_ms = 2000 },
		  CHANNEL_END_VERSION },
		{ { .version = 2, .accepted = { 3, 1 }, .interval_ms = 2000 },
		  CHANNEL_END_VERSION },
		{ { .version = 1, .accepted = { 3, 3 }, .interval_ms = 2000 }, CHANNEL_END_MEDIA },
		{ { .version = 1, .accepted = { 7, 1 }, .interval_ms = 2000 }, CHANNEL_END_MEDIA },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct rig t = {};
		struct puppet p;
		struct blob b;

		rig_call(&t);
		puppet_resp(&p, &t.init, table[i].resp, &b);
		assert_int_equal(rig_give(&t, t.a, &b),
				 table[i].end == CHANNEL_END_NONE ? CHANNEL_OK : CHANNEL_ENDED);
		assert_int_equal(channel_end_reason(t.a), table[i].end);
		assert_int_equal(rig_pop(t.a, &b), table[i].end == CHANNEL_END_NONE);
		rig_free(&t);
	}
}

static void padding_of_resp_is_zero(void **state)
{
	struct wire_resp resp = puppet_resp_default();

	for (size_t i = 39; i <= WIRE_PAYLOAD_LEN; i++) {
		uint8_t payload[WIRE_PAYLOAD_LEN + 1];
		struct rig t = {};
		struct puppet p;
		struct blob b;

		rig_call(&t);
		wire_resp_put(payload, &resp);
		payload[i] = i < WIRE_PAYLOAD_LEN;
		puppet_resp_raw(&p, &t.init, puppet_static, payload, &b);
		assert_int_equal(rig_give(&t, t.a, &b),
				 i < WIRE_PAYLOAD_LEN ? CHANNEL_ENDED : CHANNEL_OK);
		rig_free(&t);
	}
}

/* ---- keys ---- */

static void low_order_points_end_the_call(void **state)
{
	static const uint8_t points[][32] = {
		{ 0 },
		{ 1 },
		{ 0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3,
		  0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32,
		  0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00 },
	};

	for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
		struct rig t = {};
		struct channel_params p = rig_params_b(&t);
		struct blob b;

		rig_accept(&t, &b);
		memcpy(b.bytes + WIRE_HEADER_LEN, points[i], 32);
		assert_int_equal(rig_give(&t, t.a, &b), CHANNEL_ENDED);
		assert_int_equal(channel_end_reason(t.a), CHANNEL_END_WEAK_POINT);
		rig_nothing_from(t.a);
		channel_free(t.b);
		memcpy(t.init.bytes + 24, points[i], 32);
		assert_int_equal(channel_new_responder(&t.b, &p, t.init.bytes, t.init.len, t.now),
				 0);
		assert_int_equal(channel_accept(t.b, rig_all, t.now), -EPROTO);
		assert_int_equal(channel_end_reason(t.b), CHANNEL_END_WEAK_POINT);
		rig_nothing_from(t.b);
		rig_free(&t);
	}
}

static void deny_talking_to_oneself(void **state)
{
	struct rig t = {};
	struct puppet p;
	struct blob b;
	uint8_t payload[WIRE_PAYLOAD_LEN];
	struct wire_resp resp = puppet_resp_default();

	/* A callee with the caller's own key: dropped, and the real one still gets through. */
	rig_accept(&t, &b);
	wire_resp_put(payload, &resp);
	puppet_resp_raw(&p, &t.init, rig_static_a, payload, &b);
	assert_int_equal(rig_give(&t, t.a, &b), CHANNEL_REFLECTED);
	assert_int_equal(t.asked_a, 0);
	t.now = channel_next_timeout(t.b);
	channel_tick(t.b, t.now);
	rig_carry(&t);
	assert_int_equal(channel_state(t.a, t.now), CHANNEL_STATE_LIVE);
	rig_free(&t);

	/* A caller with the callee's own key. */
	t = (struct rig){};
	assert_int_equal(puppet_calls(&t, rig_static_b, rig_static_b, false), CHANNEL_REFLECTED);
	assert_int_equal(t.asked_b, 0);
	rig_free(&t);
}

static void deny_splicing_two_sessions(void **state)
{
	struct rig t = {}, u = {};
	struct blob resp_t, resp_u, fin_t, fin_u;

	rig_accept(&t, &resp_t);
	rig_accept(&u, &resp_u);
	assert_int_equal(rig_give(&t, t.a, &resp_u), CHANNEL_FOREIGN);
	memcpy(resp_u.bytes + 2, channel_sid(t.a), CHANNEL_SID_LEN);
	assert_int_equal(rig_give(&t, t.a, &resp_u), CHANNEL_FORGED);
	memcpy(resp_u.bytes + 2, channel_sid(u.a), CHANNEL_SID_LEN);
	assert_int_equal(rig_give(&t, t.a, &resp_t), CHANNEL_OK);
	assert_int_equal(rig_give(&u, u.a, &resp_u), CHANNEL_OK);
	rig_must_pop(t.a, WIRE_FIN, &fin_t);
	rig_must_pop(u.a, WIRE_FIN, &fin_u);
	memcpy(fin_u.bytes + 2, channel_sid(t.a), CHANNEL_SID_LEN);
	assert_int_equal(rig_give(&t, t.b, &fin_u), CHANNEL_FORGED);
	assert_int_equal(rig_give(&t, t.b, &fin_t), CHANNEL_OK);
	rig_free(&t);
	rig_free(&u);
}

/* ---- pins ---- */

static void pin_mismatch_blocks_before_fin(void **state)
{
	struct rig t = { .refuse_a = true };
	struct blob b;

	rig_accept(&t, &b);
	assert_int_equal(rig_give(&t, t.a, &b), CHANNEL_ENDED);
	assert_int_equal(channel_end_reason(t.a), CHANNEL_END_PEER_REFUSED);
	assert_non_null(channel_peer_key(t.a));
	rig_nothing_from(t.a);
	rig_free(&t);
}

static void pin_mismatch_blocks_after_fin(void **state)
{
	char sas[CHANNEL_SAS_LEN];
	struct rig t = { .refuse_b = true };
	struct blob b;

	rig_fin(&t, &b);
	assert_int_equal(rig_give(&t, t.b, &b), CHANNEL_ENDED);
	assert_int_equal(channel_end_reason(t.b), CHANNEL_END_PEER_REFUSED);
	assert_false(channel_sas(t.b, sas));
	rig_nothing_from(t.b);
	rig_free(&t);
}

int main(void)
{
	struct unit u = {};

	UNIT(&u, allow_the_committed_secret);
	UNIT(&u, deny_another_secret_than_committed_and_show_no_number);
	UNIT(&u, deny_another_static_key_than_committed);
	UNIT(&u, man_in_the_middle_shows_different_numbers);
	UNIT(&u, deny_versions_and_media_changed_by_the_relay);
	UNIT(&u, absurd_offers_are_refused);
	UNIT(&u, accepting_more_than_offered_is_refused);
	UNIT(&u, bad_resp_ends_the_call_before_fin);
	UNIT(&u, padding_of_resp_is_zero);
	UNIT(&u, low_order_points_end_the_call);
	UNIT(&u, deny_talking_to_oneself);
	UNIT(&u, deny_splicing_two_sessions);
	UNIT(&u, pin_mismatch_blocks_before_fin);
	UNIT(&u, pin_mismatch_blocks_after_fin);
	return unit_run(&u);
}
