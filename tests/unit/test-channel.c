// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The channel's handshake, as conversations through a relay that loses, repeats, reorders and damages. Each refusal has its
 * allow twin: the same path, undamaged, goes through. Other ends that mean harm are in test-channel-hostile.c, what is said
 * after the handshake in test-channel-data.c.
 */
#include "channel-rig.h"

/* ---- formulas, computed independently with Python's hashlib and hmac from protocol.md ---- */

static void formulas_are_the_protocols(void **state)
{
	static const uint8_t commitment[32] = { 0x5f, 0xbc, 0x8e, 0x78, 0x37, 0x0b, 0x21, 0xc4,
						0x03, 0x2d, 0x02, 0x8b, 0x41, 0x9b, 0xb3, 0x30,
						0x56, 0xf5, 0x2f, 0xaa, 0x64, 0xcd, 0x8f, 0xd1,
						0xbf, 0xc5, 0xde, 0x08, 0x90, 0x76, 0x28, 0x7a },
			     media[32] = { 0xa9, 0xad, 0x01, 0x06, 0x2c, 0xc8, 0x5b, 0x02,
					   0x86, 0xbb, 0x56, 0x97, 0xee, 0x98, 0xe5, 0xbd,
					   0x46, 0x75, 0xcb, 0x7b, 0x43, 0x42, 0x2e, 0xc4,
					   0x0a, 0x45, 0x95, 0x54, 0x3b, 0x5e, 0x08, 0xc3 };
	uint8_t f[10][64], out[32], prk[64], prologue[WIRE_PROLOGUE_MAX];
	const struct wire_init offer = { .n_versions = 2, .versions = { 1, 9 }, .media = { 3, 1 } };
	struct wire_sas_input in = { .prologue = prologue,
				     .r_i = f[1],
				     .r_r = f[2],
				     .s_i = f[3],
				     .s_r = f[4],
				     .e_i = f[5],
				     .e_r = f[6] };
	uint8_t sid[16];

	for (int i = 0; i < 10; i++)
		memset(f[i], i, sizeof(f[i]));
	memset(sid, 0x77, sizeof(sid));
	wire_commitment(sid, f[1], f[2], out);
	assert_memory_equal(out, commitment, 32);
	in.prologue_len = wire_prologue(prologue, sid, &offer);
	assert_int_equal(in.prologue_len, 36);
	assert_int_equal(wire_sas(&in), 67438384);
	wire_prk(f[7], f[8], f[9], prk);
	wire_media_key(prk, 1, 2, out);
	assert_memory_equal(out, media, 32);
}

/* ---- the straight way ---- */

static void handshake_goes_through(void **state)
{
	char sas_a[CHANNEL_SAS_LEN], sas_b[CHANNEL_SAS_LEN];
	struct blob resp, fin, ready, beat;
	uint8_t public_a[32], public_b[32];
	struct rig t = {};

	rig_ring(&t);
	assert_int_equal(t.init.len, 88);
	assert_int_equal(channel_state(t.a, t.now), CHANNEL_STATE_RINGING);
	assert_int_equal(channel_state(t.b, t.now), CHANNEL_STATE_NEW);
	assert_int_equal(channel_offered(t.b, CHANNEL_I2R), CHANNEL_KINDS);
	assert_int_equal(channel_offered(t.b, CHANNEL_R2I), CHANNEL_MICROPHONE);
	assert_int_equal(channel_accept(t.b, rig_all, t.now), 0);
	rig_must_pop(t.b, WIRE_RESP, &resp);
	assert_int_equal(resp.len, 178);
	assert_false(channel_sas(t.a, sas_a));

	assert_int_equal(rig_give(&t, t.a, &resp), CHANNEL_OK);
	rig_must_pop(t.a, WIRE_FIN, &fin);
	assert_int_equal(fin.len, 146);
	assert_true(channel_sas(t.a, sas_a));
	assert_int_equal(channel_state(t.a, t.now), CHANNEL_STATE_HANDSHAKING);
	assert_int_equal(channel_state(t.b, t.now), CHANNEL_STATE_HANDSHAKING);
	assert_false(channel_sas(t.b, sas_b));

	assert_int_equal(rig_give(&t, t.b, &fin), CHANNEL_OK);
	rig_must_pop(t.b, WIRE_DATA, &ready);
	assert_int_equal(ready.len, 110);
	assert_true(channel_sas(t.b, sas_b));
	assert_string_equal(sas_a, sas_b);
	assert_int_equal(strspn(sas_a, "0123456789 "), 11);
	assert_true(sas_a[3] == ' ' && sas_a[7] == ' ');
	/* A valid FIN alone confirms nothing to the responder. */
	assert_false(channel_confirmed(t.b));
	assert_int_equal(channel_alive_until(t.b), 0);

	assert_int_equal(rig_give(&t, t.a, &ready), CHANNEL_OK);
	assert_int_equal(channel_state(t.a, t.now), CHANNEL_STATE_LIVE);
	rig_must_pop(t.a, WIRE_DATA, &beat);
	assert_int_equal(rig_give(&t, t.b, &beat), CHANNEL_OK);
	assert_int_equal(channel_state(t.b, t.now), CHANNEL_STATE_LIVE);

	crypto_x25519_public(rig_static_a, public_a);
	crypto_x25519_public(rig_static_b, public_b);
	assert_memory_equal(channel_peer_key(t.a), public_b, 32);
	assert_memory_equal(channel_peer_key(t.b), public_a, 32);
	assert_memory_equal(channel_sid(t.a), channel_sid(t.b), CHANNEL_SID_LEN);
	assert_int_equal(t.asked_a, 1);
	assert_int_equal(t.asked_b, 1);
	assert_int_equal(channel_interval_ms(t.a), 2000);
	rig_free(&t);
}

static void runs_differ_in_everything(void **state)
{
	char sas_1[CHANNEL_SAS_LEN], sas_2[CHANNEL_SAS_LEN];
	struct rig t = {}, u = {};
	uint8_t k1[32], k2[32];

	rig_live(&t);
	rig_live(&u);
	assert_memory_not_equal(channel_sid(t.a), channel_sid(u.a), CHANNEL_SID_LEN);
	assert_memory_not_equal(t.init.bytes + 24, u.init.bytes + 24, 64);
	channel_sas(t.a, sas_1);
	channel_sas(u.a, sas_2);
	assert_string_not_equal(sas_1, sas_2);
	assert_int_equal(channel_media_key(t.a, CHANNEL_I2R, 1, t.now, k1), 0);
	assert_int_equal(channel_media_key(u.a, CHANNEL_I2R, 1, u.now, k2), 0);
	assert_memory_not_equal(k1, k2, 32);
	rig_free(&t);
	rig_free(&u);
}

/* ---- damage ---- */

static void assert_refused(enum channel_result r)
{
	assert_int_not_equal(r, CHANNEL_OK);
	assert_int_not_equal(r, CHANNEL_ENDED);
	assert_int_not_equal(r, CHANNEL_CLOSED);
}

/* Every byte flipped, every length but the right one, then the real blob. */
static void damage_then_deliver(struct rig *t, struct channel *to, const struct blob *real)
{
	uint8_t big[4096] = {};
	struct blob bad;

	for (size_t i = 0; i < real->len; i++) {
		for (unsigned int bit = 0; bit < 8; bit++) {
			bad = *real;
			bad.bytes[i] ^= (uint8_t)(1 << bit);
			assert_refused(rig_give(t, to, &bad));
			rig_nothing_from(to);
		}
	}
	memcpy(big, real->bytes, real->len);
	for (size_t len = 0; len < 400; len++)
		if (len != real->len)
			assert_refused(channel_receive(to, big, len, t->now));
	assert_refused(channel_receive(to, big, sizeof(big), t->now));
	assert_int_equal(rig_give(t, to, real), CHANNEL_OK);
}

static void damaged_resp_is_refused_and_does_no_harm(void **state)
{
	struct rig t = {};
	struct blob b;

	rig_accept(&t, &b);
	damage_then_deliver(&t, t.a, &b);
	rig_carry(&t);
	assert_int_equal(channel_state(t.b, t.now), CHANNEL_STATE_LIVE);
	rig_free(&t);
}

static void damaged_fin_is_refused_and_does_no_harm(void **state)
{
	struct rig t = {};
	struct blob b;

	rig_fin(&t, &b);
	damage_then_deliver(&t, t.b, &b);
	rig_carry(&t);
	assert_int_equal(channel_state(t.a, t.now), CHANNEL_STATE_LIVE);
	rig_free(&t);
}

static void damaged_ready_is_refused_and_does_no_harm(void **state)
{
	struct rig t = {};
	struct blob b;

	rig_ready(&t, &b);
	damage_then_deliver(&t, t.a, &b);
	assert_int_equal(channel_state(t.a, t.now), CHANNEL_STATE_LIVE);
	rig_free(&t);
}

/* A damaged INIT may look like another call, but no call ever comes of it. */
static void damaged_init_leads_nowhere(void **state)
{
	struct rig t = {};
	struct channel_params p = rig_params_b(&t);
	struct blob bad, resp;
	uint8_t big[4096] = {};

	rig_call(&t);
	for (size_t i = 0; i < t.init.len; i++) {
		struct channel *b = NULL;

		bad = t.init;
		bad.bytes[i] ^= 0x41;
		if (channel_new_responder(&b, &p, bad.bytes, bad.len, t.now) != 0) {
			assert_null(b);
			continue;
		}
		rig_nothing_from(b);
		if (channel_accept(b, (uint16_t[2]){ 0, 0 }, t.now) == 0) {
			rig_must_pop(b, WIRE_RESP, &resp);
			assert_refused(rig_give(&t, t.a, &resp));
		}
		channel_free(b);
	}
	memcpy(big, t.init.bytes, t.init.len);
	for (size_t len = 0; len < 400; len++)
		if (len != t.init.len)
			assert_true(channel_new_responder(&t.b, &p, big, len, t.now) > 0);
	assert_int_equal(channel_new_responder(&t.b, &p, t.init.bytes, t.init.len, t.now), 0);
	rig_free(&t);
}

/* ---- duplicates, loss, order ---- */

static void duplicates_are_told_and_answered_by_the_rules(void **state)
{
	struct blob resp, fin, ready, again;
	struct rig t = {};

	rig_accept(&t, &resp);
	assert_int_equal(rig_give(&t, t.b, &t.init), CHANNEL_DUPLICATE);
	rig_nothing_from(t.b);
	assert_int_equal(rig_give(&t, t.a, &resp), CHANNEL_OK);
	rig_must_pop(t.a, WIRE_FIN, &fin);
	assert_int_equal(rig_give(&t, t.a, &resp), CHANNEL_DUPLICATE);
	rig_nothing_from(t.a);
	assert_int_equal(rig_give(&t, t.b, &fin), CHANNEL_OK);
	rig_must_pop(t.b, WIRE_DATA, &ready);
	/* READY is lost: each further FIN is answered with the same bytes, later too. */
	for (int i = 0; i < 3; i++) {
		t.now += SEC;
		assert_int_equal(rig_give(&t, t.b, &fin), CHANNEL_DUPLICATE);
		rig_must_pop(t.b, WIRE_DATA, &again);
		assert_int_equal(again.len, ready.len);
		assert_memory_equal(again.bytes, ready.bytes, ready.len);
	}
	assert_int_equal(rig_give(&t, t.a, &again), CHANNEL_OK);
	assert_int_equal(rig_give(&t, t.a, &ready), CHANNEL_REPLAYED);
	rig_carry(&t);
	assert_int_equal(channel_state(t.b, t.now), CHANNEL_STATE_LIVE);
	/* Now the caller has spoken, and READY is no longer repeated. */
	assert_int_equal(rig_give(&t, t.b, &fin), CHANNEL_DUPLICATE);
	rig_nothing_from(t.b);
	rig_free(&t);
}

/* Collects when @c sends by itself, from @start until it ends, and checks that the bytes never change. */
static size_t resends(struct rig *t, struct channel *c, const struct blob *first, uint64_t *ret_at)
{
	uint64_t start = t->now;
	struct blob b;
	size_t n = 0;

	while (channel_next_timeout(c) != UINT64_MAX) {
		t->now = channel_next_timeout(c);
		channel_tick(c, t->now);
		if (channel_end_reason(c) != CHANNEL_END_NONE)
			break;
		assert_true(rig_pop(c, &b));
		assert_int_equal(b.len, first->len);
		assert_memory_equal(b.bytes, first->bytes, b.len);
		assert_true(n < 64);
		ret_at[n++] = (t->now - start) / MSEC;
	}
	ret_at[n] = (t->now - start) / MSEC;
	return n;
}

static void init_is_repeated_for_two_minutes(void **state)
{
	static const uint64_t first[] = { 500, 1500, 3500, 7500, 11500 };
	uint64_t at[65];
	struct rig t = {};
	size_t n;

	rig_call(&t);
	n = resends(&t, t.a, &t.init, at);
	assert_memory_equal(at, first, sizeof(first));
	for (size_t i = 4; i < n; i++)
		assert_int_equal(at[i] - at[i - 1], 4000);
	assert_int_equal(at[n], 120000);
	assert_int_equal(channel_end_reason(t.a), CHANNEL_END_NO_ANSWER);
	rig_free(&t);
}

static void resp_is_repeated_for_half_a_minute(void **state)
{
	uint64_t at[65];
	struct rig t = {};
	struct blob resp;
	size_t n;

	rig_accept(&t, &resp);
	n = resends(&t, t.b, &resp, at);
	assert_true(n >= 8);
	assert_int_equal(at[n], 30000);
	assert_int_equal(channel_end_reason(t.b), CHANNEL_END_NOT_CONFIRMED);
	rig_free(&t);
}

static void fin_is_repeated_for_half_a_minute(void **state)
{
	uint64_t at[65];
	struct rig t = {};
	struct blob fin;
	size_t n;

	rig_fin(&t, &fin);
	n = resends(&t, t.a, &fin, at);
	assert_true(n >= 8);
	assert_int_equal(at[n], 30000);
	assert_int_equal(channel_end_reason(t.a), CHANNEL_END_NOT_CONFIRMED);
	rig_free(&t);
}

static void every_first_copy_lost_is_survived(void **state)
{
	struct blob b;
	struct rig t = {};

	rig_accept(&t, &b);
	t.now = channel_next_timeout(t.b);
	channel_tick(t.b, t.now);
	rig_must_pop(t.b, WIRE_RESP, &b);
	assert_int_equal(rig_give(&t, t.a, &b), CHANNEL_OK);
	rig_drain(t.a);
	t.now = channel_next_timeout(t.a);
	channel_tick(t.a, t.now);
	rig_must_pop(t.a, WIRE_FIN, &b);
	assert_int_equal(rig_give(&t, t.b, &b), CHANNEL_OK);
	rig_drain(t.b);
	t.now = channel_next_timeout(t.a);
	channel_tick(t.a, t.now);
	rig_carry(&t);
	assert_int_equal(channel_state(t.a, t.now), CHANNEL_STATE_LIVE);
	assert_int_equal(channel_state(t.b, t.now), CHANNEL_STATE_LIVE);
	rig_free(&t);
}

static void waiting_ends_at_its_limit_and_not_before(void **state)
{
	struct blob b;
	struct rig t = {};
	uint64_t begun;

	rig_ring(&t);
	begun = t.now;
	t.now = begun + 120 * SEC - 1;
	channel_tick(t.b, t.now);
	assert_int_equal(channel_end_reason(t.b), CHANNEL_END_NONE);
	t.now++;
	assert_int_equal(channel_accept(t.b, rig_all, t.now), -EALREADY);
	assert_int_equal(channel_end_reason(t.b), CHANNEL_END_NOT_ACCEPTED);
	rig_nothing_from(t.b);
	rig_free(&t);

	/* READY out, the caller silent. */
	t = (struct rig){};
	rig_ready(&t, &b);
	begun = t.now;
	channel_tick(t.b, begun + 30 * SEC - 1);
	assert_int_equal(channel_end_reason(t.b), CHANNEL_END_NONE);
	channel_tick(t.b, begun + 30 * SEC);
	assert_int_equal(channel_end_reason(t.b), CHANNEL_END_NOT_CONFIRMED);
	rig_free(&t);

	/* A RESP that comes when the two minutes are over finds nobody. */
	t = (struct rig){};
	rig_accept(&t, &b);
	t.now += 120 * SEC;
	assert_int_equal(rig_give(&t, t.a, &b), CHANNEL_CLOSED);
	rig_free(&t);
}

static void blobs_out_of_place_are_refused(void **state)
{
	struct blob resp, fin, ready, beat;
	struct rig t = {}, early = {};

	rig_ready(&t, &ready);
	/* The caller's first DATA before FIN: give all to a responder that has none of it. */
	assert_int_equal(rig_give(&t, t.a, &ready), CHANNEL_OK);
	rig_must_pop(t.a, WIRE_DATA, &beat);
	rig_free(&t);

	rig_accept(&early, &resp);
	memcpy(beat.bytes + 2, channel_sid(early.b), CHANNEL_SID_LEN);
	assert_int_equal(rig_give(&early, early.b, &beat), CHANNEL_UNEXPECTED);
	assert_int_equal(rig_give(&early, early.a, &beat), CHANNEL_UNEXPECTED);
	/* RESP to a responder, FIN to an initiator: sent back. */
	assert_int_equal(rig_give(&early, early.b, &resp), CHANNEL_REFLECTED);
	assert_int_equal(rig_give(&early, early.a, &resp), CHANNEL_OK);
	rig_must_pop(early.a, WIRE_FIN, &fin);
	assert_int_equal(rig_give(&early, early.a, &fin), CHANNEL_REFLECTED);
	resp.bytes[100] ^= 1;
	assert_int_equal(rig_give(&early, early.b, &resp), CHANNEL_UNEXPECTED);
	fin.bytes[1] = 9;
	assert_int_equal(rig_give(&early, early.b, &fin), CHANNEL_MALFORMED);
	fin.bytes[1] = WIRE_FIN;
	assert_int_equal(rig_give(&early, early.b, &fin), CHANNEL_OK);
	rig_free(&early);
}

/* ---- one run for one approval ---- */

static void deny_resp_before_the_user_accepted(void **state)
{
	struct blob fin = { .len = WIRE_FIN_LEN };
	struct rig t = {};

	rig_ring(&t);
	wire_header_put(fin.bytes, WIRE_FIN, channel_sid(t.b));
	assert_int_equal(rig_give(&t, t.b, &fin), CHANNEL_UNEXPECTED);
	for (int i = 0; i < 100; i++) {
		t.now += SEC;
		channel_tick(t.b, t.now);
		assert_int_equal(rig_give(&t, t.b, &t.init), CHANNEL_DUPLICATE);
		rig_nothing_from(t.b);
	}
	assert_int_equal(channel_accept(t.b, rig_all, t.now), 0);
	rig_must_pop(t.b, WIRE_RESP, &fin);
	rig_free(&t);
}

static void deny_a_second_resp_for_one_approval(void **state)
{
	struct rig t = {}, other = {};
	struct channel_params p;
	struct blob one, two, fin;

	rig_accept(&t, &one);
	assert_int_equal(channel_accept(t.b, rig_all, t.now), -EALREADY);
	rig_nothing_from(t.b);
	/* Another responder answers the same INIT with its own R_R. */
	p = rig_params_b(&other);
	assert_int_equal(channel_new_responder(&other.b, &p, t.init.bytes, t.init.len, t.now), 0);
	assert_int_equal(channel_accept(other.b, rig_all, t.now), 0);
	rig_must_pop(other.b, WIRE_RESP, &two);
	assert_int_equal(rig_give(&t, t.a, &one), CHANNEL_OK);
	rig_must_pop(t.a, WIRE_FIN, &fin);
	assert_int_equal(rig_give(&t, t.a, &two), CHANNEL_CONFLICT);
	rig_nothing_from(t.a);
	/* And the other one cannot use the FIN. */
	assert_int_equal(rig_give(&t, other.b, &fin), CHANNEL_FORGED);
	assert_int_equal(rig_give(&t, t.b, &fin), CHANNEL_OK);
	rig_free(&t);
	rig_free(&other);
}

static void deny_another_init_for_the_same_session(void **state)
{
	struct rig t = {};
	struct blob b;

	rig_ring(&t);
	b = t.init;
	b.bytes[87] ^= 1;
	assert_int_equal(rig_give(&t, t.b, &b), CHANNEL_CONFLICT);
	assert_int_equal(rig_give(&t, t.b, &t.init), CHANNEL_DUPLICATE);
	rig_free(&t);
}

static void deny_anything_after_the_end(void **state)
{
	struct blob b;
	struct rig t = {};

	rig_accept(&t, &b);
	channel_close(t.a, CHANNEL_END_HANGUP, t.now);
	assert_int_equal(rig_give(&t, t.a, &b), CHANNEL_CLOSED);
	assert_int_equal(channel_state(t.a, t.now), CHANNEL_STATE_CLOSED);
	assert_int_equal(channel_next_timeout(t.a), UINT64_MAX);
	/* Without keys there is nothing to say it with. */
	rig_nothing_from(t.a);
	channel_close(t.a, CHANNEL_END_LOST, t.now);
	assert_int_equal(channel_end_reason(t.a), CHANNEL_END_HANGUP);
	assert_int_equal(channel_set_local(t.a, 0, 0, 0, true, t.now), -ENOTCONN);
	rig_free(&t);
}

static void deny_init_to_an_outgoing_session(void **state)
{
	struct rig t = {};
	struct blob stranger, resp;

	rig_accept(&t, &resp);
	assert_int_equal(rig_give(&t, t.a, &t.init), CHANNEL_INIT_TO_OUTGOING);
	stranger = t.init;
	stranger.bytes[60] ^= 1;
	assert_int_equal(rig_give(&t, t.a, &stranger), CHANNEL_INIT_TO_OUTGOING);
	rig_nothing_from(t.a);
	assert_int_equal(rig_give(&t, t.a, &resp), CHANNEL_OK);
	rig_free(&t);
}

/* ---- the rest ---- */

static void parameters_are_checked(void **state)
{
	struct rig t = {};
	struct channel_params p = rig_params_a(&t);
	struct channel *c = NULL;

	p.static_key = NULL;
	assert_int_equal(channel_new_initiator(&c, &p, 1), -EINVAL);
	p = rig_params_a(&t);
	p.peer_allowed = NULL;
	assert_int_equal(channel_new_initiator(&c, &p, 1), -EINVAL);
	p = rig_params_a(&t);
	p.offered[0] = p.offered[1] = 0;
	assert_int_equal(channel_new_initiator(&c, &p, 1), -EINVAL);
	p.offered[0] = 4;
	assert_int_equal(channel_new_initiator(&c, &p, 1), -EINVAL);
	assert_null(c);
	rig_call(&t);
	p = rig_params_b(&t);
	p.interval_ms = 999;
	assert_int_equal(channel_new_responder(&c, &p, t.init.bytes, t.init.len, 1), -EINVAL);
	p.interval_ms = 15001;
	assert_int_equal(channel_new_responder(&c, &p, t.init.bytes, t.init.len, 1), -EINVAL);
	assert_null(c);
	p.interval_ms = 0;
	assert_int_equal(channel_new_responder(&t.b, &p, t.init.bytes, t.init.len, t.now), 0);
	assert_int_equal(channel_interval_ms(t.b), CHANNEL_INTERVAL_DEFAULT_MS);
	rig_free(&t);
}

static void blob_sid_reads_any_header(void **state)
{
	uint8_t sid[CHANNEL_SID_LEN];
	struct rig t = {};

	rig_call(&t);
	assert_int_equal(channel_blob_sid(t.init.bytes, t.init.len, sid), CHANNEL_OK);
	assert_memory_equal(sid, channel_sid(t.a), sizeof(sid));
	assert_int_equal(channel_blob_sid(t.init.bytes, 17, sid), CHANNEL_MALFORMED);
	assert_int_equal(channel_blob_sid(t.init.bytes, 1 << 20, sid), CHANNEL_MALFORMED);
	t.init.bytes[0] = 0;
	assert_int_equal(channel_blob_sid(t.init.bytes, t.init.len, sid), CHANNEL_VERSION_UNKNOWN);
	rig_free(&t);
}

static void assert_zero(const void *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		assert_int_equal(((const uint8_t *)p)[i], 0);
}

static void ending_wipes_every_secret(void **state)
{
	struct rig t = {};
	struct channel *ends[2];

	rig_live(&t);
	ends[0] = t.a;
	ends[1] = t.b;
	for (int i = 0; i < 2; i++) {
		struct channel *c = ends[i];

		/* Live: what the handshake needed is gone already. */
		assert_zero(&c->hs, sizeof(c->hs));
		assert_zero(&c->next, sizeof(c->next));
		assert_zero(c->nonce, sizeof(c->nonce));
		assert_zero(c->peer_nonce, sizeof(c->peer_nonce));
		assert_zero(c->m_i, sizeof(c->m_i));
		channel_close(c, CHANNEL_END_HANGUP, t.now);
		assert_zero(&c->tx, sizeof(c->tx));
		assert_zero(&c->rx, sizeof(c->rx));
		assert_zero(c->prk, sizeof(c->prk));
		assert_int_equal(c->sas, 0);
	}
	rig_free(&t);
}

static void words_exist_for_every_number(void **state)
{
	for (unsigned int i = 0; i < CHANNEL_END_COUNT; i++) {
		assert_non_null(channel_end_name(i));
		assert_int_equal(channel_end_from_name(channel_end_name(i)), i);
		assert_int_equal(channel_end_message(i)[strlen(channel_end_message(i)) - 1], '.');
	}
	for (unsigned int i = 0; i < CHANNEL_RESULT_COUNT; i++) {
		assert_non_null(channel_result_name(i));
		assert_int_equal(channel_result_message(i)[strlen(channel_result_message(i)) - 1],
				 '.');
	}
	for (unsigned int i = 0; i < CHANNEL_STATE_COUNT; i++)
		assert_non_null(channel_state_name(i));
	for (unsigned int i = 0; i < CHANNEL_LEVEL_COUNT; i++)
		assert_non_null(channel_level_name(i));
	assert_null(channel_end_name(CHANNEL_END_COUNT));
	assert_null(channel_end_message(CHANNEL_END_COUNT));
	assert_null(channel_result_name(CHANNEL_RESULT_COUNT));
	assert_null(channel_result_message(CHANNEL_RESULT_COUNT));
	assert_null(channel_state_name(CHANNEL_STATE_COUNT));
	assert_null(channel_level_name(CHANNEL_LEVEL_COUNT));
	assert_int_equal(channel_end_from_name("nonsense"), CHANNEL_END_COUNT);
}

int main(void)
{
	struct unit u = {};

	UNIT(&u, formulas_are_the_protocols);
	UNIT(&u, handshake_goes_through);
	UNIT(&u, runs_differ_in_everything);
	UNIT(&u, damaged_resp_is_refused_and_does_no_harm);
	UNIT(&u, damaged_fin_is_refused_and_does_no_harm);
	UNIT(&u, damaged_ready_is_refused_and_does_no_harm);
	UNIT(&u, damaged_init_leads_nowhere);
	UNIT(&u, duplicates_are_told_and_answered_by_the_rules);
	UNIT(&u, init_is_repeated_for_two_minutes);
	UNIT(&u, resp_is_repeated_for_half_a_minute);
	UNIT(&u, fin_is_repeated_for_half_a_minute);
	UNIT(&u, every_first_copy_lost_is_survived);
	UNIT(&u, waiting_ends_at_its_limit_and_not_before);
	UNIT(&u, blobs_out_of_place_are_refused);
	UNIT(&u, deny_resp_before_the_user_accepted);
	UNIT(&u, deny_a_second_resp_for_one_approval);
	UNIT(&u, deny_another_init_for_the_same_session);
	UNIT(&u, deny_anything_after_the_end);
	UNIT(&u, deny_init_to_an_outgoing_session);
	UNIT(&u, parameters_are_checked);
	UNIT(&u, blob_sid_reads_any_header);
	UNIT(&u, ending_wipes_every_secret);
	UNIT(&u, words_exist_for_every_number);
	return unit_run(&u);
}
