// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Attacks that need more than one run or more than one end: old blobs, a restarted end, somebody else's key, a secret that comes
 * late. Each ends with the honest run that the same ends can still make, or were in. The table at the end of doc/protocol.md says
 * which test is which attack.
 */
#include "channel-rig.h"

/* A new responder at the same end, approved, which has answered @init. */
static void answer_again(struct rig *t, const struct blob *init, struct blob *ret_resp)
{
	struct channel_params p = rig_params_b(t);

	assert_int_equal(channel_new_responder(&t->b, &p, init->bytes, init->len, t->now), 0);
	assert_int_equal(channel_accept(t->b, rig_all, t->now), 0);
	rig_must_pop(t->b, WIRE_RESP, ret_resp);
}

/* ---- R_R ---- */

/* The responder's secret is fixed before the caller's is known: whoever answers has to send it first. */
static void deny_the_callers_secret_before_the_answer(void **state)
{
	struct rig t = {};
	struct blob resp, fin;

	rig_accept(&t, &resp);
	/* Two minutes of silence bring nothing but the same INIT, in which the secret is not. */
	for (int i = 0; i < 100; i++) {
		struct blob b;

		t.now += SEC;
		channel_tick(t.a, t.now);
		while (rig_pop(t.a, &b)) {
			assert_int_equal(b.len, t.init.len);
			assert_memory_equal(b.bytes, t.init.bytes, b.len);
		}
	}
	assert_null(memmem(t.init.bytes, t.init.len, t.a->nonce, sizeof(t.a->nonce)));
	assert_int_equal(rig_give(&t, t.a, &resp), CHANNEL_OK);
	rig_must_pop(t.a, WIRE_FIN, &fin);
	rig_free(&t);
}

static void deny_another_answer_once_the_callers_secret_is_out(void **state)
{
	char before[CHANNEL_SAS_LEN], after[CHANNEL_SAS_LEN];
	struct wire_resp late = puppet_resp_default();
	struct rig t = {};
	struct puppet p;
	struct blob b;

	rig_call(&t);
	puppet_resp(&p, &t.init, puppet_resp_default(), &b);
	assert_int_equal(rig_give(&t, t.a, &b), CHANNEL_OK);
	rig_must_pop(t.a, WIRE_FIN, &b);
	assert_true(channel_sas(t.a, before));
	/* The same key, the same ephemeral key, only R_R is another one. */
	for (uint8_t i = 0; i < 16; i++) {
		struct puppet again;

		late.nonce[0] = (uint8_t)(0x80 + i);
		puppet_resp(&again, &t.init, late, &b);
		assert_int_equal(rig_give(&t, t.a, &b), CHANNEL_CONFLICT);
		rig_nothing_from(t.a);
	}
	assert_true(channel_sas(t.a, after));
	assert_string_equal(before, after);
	rig_free(&t);
}

/* ---- versions ---- */

/* A caller that speaks a later version too; the relay strips it so that both use the older one. */
static void strip(bool stripped, struct noise_handshake *caller, struct blob *ret_resp)
{
	static const struct wire_init offers[2] = {
		{ .n_versions = 2, .versions = { 1, 2 }, .media = { 3, 1 } },
		{ .n_versions = 1, .versions = { 1 }, .media = { 3, 1 } },
	};
	uint8_t sid[CHANNEL_SID_LEN] = { 0x55 }, prologue[WIRE_PROLOGUE_MAX], commitment[32] = {};
	struct rig t = { .now = 1000 * SEC };
	struct blob init;
	size_t head, len;

	len = wire_prologue(prologue, sid, &offers[0]);
	noise_handshake_init(caller, true, prologue, len, puppet_static, NULL, puppet_e);
	wire_header_put(init.bytes, WIRE_INIT, sid);
	head = wire_init_put(init.bytes, &offers[stripped]);
	assert_int_equal(noise_handshake_write(caller, commitment, 32, init.bytes + head,
					       CHANNEL_BLOB_MAX - head, &len),
			 0);
	init.len = head + len;
	answer_again(&t, &init, ret_resp);
	rig_free(&t);
}

static void deny_a_call_whose_versions_were_stripped(void **state)
{
	for (int stripped = 0; stripped < 2; stripped++) {
		struct noise_handshake caller, next;
		uint8_t payload[64];
		struct blob resp;
		size_t len;

		strip(stripped, &caller, &resp);
		assert_int_equal(noise_handshake_read(&caller, &next, resp.bytes + WIRE_HEADER_LEN,
						      resp.len - WIRE_HEADER_LEN, payload,
						      sizeof(payload), &len),
				 stripped ? -EBADMSG : 0);
	}
}

/* ---- old blobs ---- */

static void deny_an_old_init_resp_and_fin(void **state)
{
	struct rig old = {}, t = {};
	struct blob resp, fin, ready, again, b;

	/* A whole call, recorded, which then ended. */
	rig_accept(&old, &resp);
	assert_int_equal(rig_give(&old, old.a, &resp), CHANNEL_OK);
	rig_must_pop(old.a, WIRE_FIN, &fin);
	assert_int_equal(rig_give(&old, old.b, &fin), CHANNEL_OK);
	rig_must_pop(old.b, WIRE_DATA, &ready);
	rig_free(&old);

	/* The old INIT rings, and if the user accepts it that is all: the old FIN is not of this run. */
	t.now = old.now + SEC;
	answer_again(&t, &old.init, &again);
	assert_memory_not_equal(again.bytes + WIRE_HEADER_LEN, resp.bytes + WIRE_HEADER_LEN, 32);
	assert_int_equal(rig_give(&t, t.b, &fin), CHANNEL_FORGED);
	assert_int_equal(rig_give(&t, t.b, &ready), CHANNEL_UNEXPECTED);
	t.now += CHANNEL_CONFIRM_TIMEOUT;
	channel_tick(t.b, t.now);
	assert_int_equal(channel_end_reason(t.b), CHANNEL_END_NOT_CONFIRMED);
	t.b = channel_free(t.b);

	/* The old RESP to the same caller's next call, under its sid. */
	rig_accept(&t, &b);
	assert_int_equal(rig_give(&t, t.a, &resp), CHANNEL_FOREIGN);
	memcpy(resp.bytes + 2, channel_sid(t.a), CHANNEL_SID_LEN);
	assert_int_equal(rig_give(&t, t.a, &resp), CHANNEL_FORGED);
	/* The old FIN likewise, to the callee of that call. */
	assert_int_equal(rig_give(&t, t.b, &fin), CHANNEL_FOREIGN);
	memcpy(fin.bytes + 2, channel_sid(t.b), CHANNEL_SID_LEN);
	assert_int_equal(rig_give(&t, t.b, &fin), CHANNEL_FORGED);
	assert_int_equal(rig_give(&t, t.a, &b), CHANNEL_OK);
	rig_carry(&t);
	assert_int_equal(channel_state(t.b, t.now), CHANNEL_STATE_LIVE);
	rig_free(&t);
}

/* ---- one side restarted ---- */

static void a_restarted_callee_takes_nothing_and_the_caller_ends(void **state)
{
	struct rig t = {};
	struct blob resp, fin, b;
	uint64_t cut;

	rig_accept(&t, &resp);
	assert_int_equal(rig_give(&t, t.a, &resp), CHANNEL_OK);
	rig_must_pop(t.a, WIRE_FIN, &fin);
	assert_int_equal(rig_give(&t, t.b, &fin), CHANNEL_OK);
	rig_carry(&t);
	rig_run(&t, 20 * SEC);
	assert_int_equal(channel_state(t.a, t.now), CHANNEL_STATE_LIVE);
	cut = t.now;
	channel_free(t.b);
	/* All that the relay can make of what it has: the same INIT, approved once more. */
	answer_again(&t, &t.init, &b);
	assert_int_equal(rig_give(&t, t.a, &b), CHANNEL_CONFLICT);
	assert_int_equal(rig_give(&t, t.b, &fin), CHANNEL_FORGED);
	for (uint64_t at = cut; at < cut + 10 * SEC; at += 100 * MSEC) {
		t.now = at;
		channel_tick(t.a, t.now);
		while (rig_pop(t.a, &b))
			assert_int_equal(rig_give(&t, t.b, &b), CHANNEL_UNEXPECTED);
		while (rig_pop(t.b, &b))
			assert_int_equal(rig_give(&t, t.a, &b), CHANNEL_CONFLICT);
	}
	t.now = cut + 10 * SEC;
	assert_int_equal(channel_state(t.a, t.now), CHANNEL_STATE_STALLED);
	assert_false(channel_confirmed(t.b));
	t.now += CHANNEL_ERASE_AFTER;
	channel_tick(t.a, t.now);
	channel_tick(t.b, t.now);
	assert_int_equal(channel_end_reason(t.a), CHANNEL_END_LOST);
	assert_int_equal(channel_end_reason(t.b), CHANNEL_END_NOT_CONFIRMED);
	rig_free(&t);
}

/* ---- whose key it is ---- */

static void each_end_names_the_key_that_the_other_one_has(void **state)
{
	uint8_t a[32], b[32];
	struct rig t = {};

	rig_live(&t);
	crypto_x25519_public(rig_static_a, a);
	crypto_x25519_public(rig_static_b, b);
	assert_memory_equal(channel_peer_key(t.a), b, sizeof(b));
	assert_memory_equal(channel_peer_key(t.b), a, sizeof(a));
	rig_free(&t);
}

/* Somebody between them says that A's key is his, or that B's is, without having it. */
static void deny_a_key_whose_private_part_one_does_not_have(void **state)
{
	uint8_t a[32], b[32], payload[64], commitment[32], nonce[32];
	struct wire_resp resp = puppet_resp_default();
	struct rig t = {}, u = { .now = 1000 * SEC };
	struct channel_params params = rig_params_b(&u);
	struct noise_handshake next;
	struct wire_header h;
	struct puppet p;
	struct blob blob;
	size_t len;

	crypto_x25519_public(rig_static_a, a);
	crypto_x25519_public(rig_static_b, b);

	/* As callee, to A: B's public key in RESP. */
	rig_call(&t);
	memset(&p, 0, sizeof(p));
	assert_int_equal(wire_header_get(t.init.bytes, t.init.len, &h), CHANNEL_OK);
	assert_true(wire_init_get(t.init.bytes, t.init.len, &p.offer));
	memcpy(p.sid, h.sid, sizeof(p.sid));
	puppet_begin(&p, puppet_static);
	memcpy(p.hs.s_pub, b, sizeof(b));
	assert_int_equal(noise_handshake_read(&p.hs, &next, p.offer.noise, WIRE_NOISE1_LEN, payload,
					      sizeof(payload), &len),
			 0);
	p.hs = next;
	wire_resp_put(payload, &resp);
	wire_header_put(blob.bytes, WIRE_RESP, p.sid);
	assert_int_equal(noise_handshake_write(&p.hs, payload, WIRE_PAYLOAD_LEN,
					       blob.bytes + WIRE_HEADER_LEN, 174, &len),
			 0);
	blob.len = WIRE_HEADER_LEN + len;
	assert_int_equal(rig_give(&t, t.a, &blob), CHANNEL_FORGED);
	assert_int_equal(t.asked_a, 0);
	assert_null(channel_peer_key(t.a));
	/* With a key of his own he gets through, and is seen for who he is. */
	puppet_resp(&p, &t.init, resp, &blob);
	assert_int_equal(rig_give(&t, t.a, &blob), CHANNEL_OK);
	assert_memory_not_equal(channel_peer_key(t.a), b, sizeof(b));
	rig_free(&t);

	/* As caller, to B: A's public key, rightly committed to. */
	memset(&p, 0, sizeof(p));
	memset(nonce, 0x11, sizeof(nonce));
	memset(p.sid, 0x77, sizeof(p.sid));
	wire_commitment(p.sid, a, nonce, commitment);
	puppet_init(&p, puppet_static, commitment, &blob);
	assert_int_equal(channel_new_responder(&u.b, &params, blob.bytes, blob.len, u.now), 0);
	assert_int_equal(channel_accept(u.b, rig_all, u.now), 0);
	rig_must_pop(u.b, WIRE_RESP, &blob);
	memcpy(p.hs.s_pub, a, sizeof(a));
	puppet_fin(&p, &blob, &blob);
	assert_int_equal(rig_give(&u, u.b, &blob), CHANNEL_FORGED);
	assert_int_equal(u.asked_b, 0);
	assert_null(channel_peer_key(u.b));
	rig_free(&u);
}

/* A static key of low order, which makes its Diffie-Hellman step known to everybody. */
static void deny_a_static_key_of_low_order(void **state)
{
	uint8_t payload[64], commitment[32];
	struct wire_resp resp = puppet_resp_default();
	struct rig t = {}, u = { .now = 1000 * SEC };
	struct channel_params params = rig_params_b(&u);
	struct noise_handshake hs;
	struct puppet p;
	struct blob blob;
	size_t len;

	/* The writer computes its own part honestly; what it says its key is, is zero. */
	rig_call(&t);
	puppet_resp(&p, &t.init, resp, &blob);
	puppet_begin(&p, puppet_static);
	memset(p.hs.s_pub, 0, sizeof(p.hs.s_pub));
	assert_int_equal(noise_handshake_read(&p.hs, &hs, p.offer.noise, WIRE_NOISE1_LEN, payload,
					      sizeof(payload), &len),
			 0);
	wire_resp_put(payload, &resp);
	assert_int_equal(noise_handshake_write(&hs, payload, WIRE_PAYLOAD_LEN,
					       blob.bytes + WIRE_HEADER_LEN, 174, &len),
			 0);
	assert_int_equal(rig_give(&t, t.a, &blob), CHANNEL_ENDED);
	assert_int_equal(channel_end_reason(t.a), CHANNEL_END_WEAK_POINT);
	assert_int_equal(t.asked_a, 0);
	rig_nothing_from(t.a);
	rig_free(&t);

	puppet_commitment(puppet_static, commitment);
	puppet_init(&p, puppet_static, commitment, &blob);
	assert_int_equal(channel_new_responder(&u.b, &params, blob.bytes, blob.len, u.now), 0);
	assert_int_equal(channel_accept(u.b, rig_all, u.now), 0);
	rig_must_pop(u.b, WIRE_RESP, &blob);
	memset(p.hs.s_pub, 0, sizeof(p.hs.s_pub));
	puppet_fin(&p, &blob, &blob);
	assert_int_equal(rig_give(&u, u.b, &blob), CHANNEL_ENDED);
	assert_int_equal(channel_end_reason(u.b), CHANNEL_END_WEAK_POINT);
	assert_int_equal(u.asked_b, 0);
	rig_free(&u);
}

int main(void)
{
	struct unit u = {};

	UNIT(&u, deny_the_callers_secret_before_the_answer);
	UNIT(&u, deny_another_answer_once_the_callers_secret_is_out);
	UNIT(&u, deny_a_call_whose_versions_were_stripped);
	UNIT(&u, deny_an_old_init_resp_and_fin);
	UNIT(&u, a_restarted_callee_takes_nothing_and_the_caller_ends);
	UNIT(&u, each_end_names_the_key_that_the_other_one_has);
	UNIT(&u, deny_a_key_whose_private_part_one_does_not_have);
	UNIT(&u, deny_a_static_key_of_low_order);
	return unit_run(&u);
}
