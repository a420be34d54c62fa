/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Two channels with a relay in the test's hands between them, and a puppet: an end that knows the protocol, holds genuine
 * keys, and says whatever the test wants.
 */
#pragma once

#include "channel-private.h"
#include "noise.h"
#include "unit.h"
#include "util/bytes.h"

#define MSEC CHANNEL_NSEC_PER_MSEC
#define SEC  CHANNEL_NSEC_PER_SEC

static const uint8_t rig_static_a[32] = { 0xa1, 2, 3 }, rig_static_b[32] = { 0xb1, 5, 6 };

/* @a calls @b; @refuse_a and @refuse_b make their pin checks fail; @asked counts the checks. */
struct rig {
	struct channel *a, *b;
	uint64_t now;
	bool refuse_a, refuse_b;
	unsigned int asked_a, asked_b;
	struct blob init;
};

static inline bool rig_allowed_a(void *data, const uint8_t *key)
{
	struct rig *t = data;

	t->asked_a++;
	return !t->refuse_a;
}

static inline bool rig_allowed_b(void *data, const uint8_t *key)
{
	struct rig *t = data;

	t->asked_b++;
	return !t->refuse_b;
}

static inline bool rig_pop(struct channel *from, struct blob *ret)
{
	return channel_poll_output(from, ret->bytes, &ret->len);
}

static inline void rig_must_pop(struct channel *from, enum wire_type type, struct blob *ret)
{
	assert_true(rig_pop(from, ret));
	assert_int_equal(ret->bytes[1], type);
}

static inline void rig_nothing_from(struct channel *c)
{
	struct blob b;

	assert_false(rig_pop(c, &b));
}

static inline enum channel_result rig_give(struct rig *t, struct channel *to, const struct blob *b)
{
	return channel_receive(to, b->bytes, b->len, t->now);
}

static inline struct channel_params rig_params_a(struct rig *t)
{
	return (struct channel_params){
		.static_key = rig_static_a,
		.offered = { CHANNEL_KINDS, CHANNEL_MICROPHONE },
		.peer_allowed = rig_allowed_a,
		.data = t,
	};
}

static inline struct channel_params rig_params_b(struct rig *t)
{
	static uint8_t public[CHANNEL_KEY_LEN];

	/* One end hands in its public key, the other has it computed. */
	crypto_x25519_public(rig_static_b, public);
	return (struct channel_params){
		.static_key = rig_static_b,
		.static_public = public,
		.interval_ms = 2000,
		.gate = true,
		.peer_allowed = rig_allowed_b,
		.data = t,
	};
}

/* INIT is made and in @t->init. */
static inline void rig_call(struct rig *t)
{
	struct channel_params p = rig_params_a(t);

	if (!t->now)
		t->now = 1000 * SEC;
	assert_int_equal(channel_new_initiator(&t->a, &p, t->now), 0);
	rig_must_pop(t->a, WIRE_INIT, &t->init);
}

static inline void rig_ring(struct rig *t)
{
	struct channel_params p = rig_params_b(t);

	rig_call(t);
	assert_int_equal(channel_new_responder(&t->b, &p, t->init.bytes, t->init.len, t->now), 0);
}

static const uint16_t rig_all[2] = { CHANNEL_KINDS, CHANNEL_MICROPHONE };

/* RESP is made and in @ret. */
static inline void rig_accept(struct rig *t, struct blob *ret)
{
	rig_ring(t);
	assert_int_equal(channel_accept(t->b, rig_all, t->now), 0);
	rig_must_pop(t->b, WIRE_RESP, ret);
}

/* FIN is made and in @ret. */
static inline void rig_fin(struct rig *t, struct blob *ret)
{
	struct blob resp;

	rig_accept(t, &resp);
	assert_int_equal(rig_give(t, t->a, &resp), CHANNEL_OK);
	rig_must_pop(t->a, WIRE_FIN, ret);
}

/* READY is made and in @ret. */
static inline void rig_ready(struct rig *t, struct blob *ret)
{
	struct blob fin;

	rig_fin(t, &fin);
	assert_int_equal(rig_give(t, t->b, &fin), CHANNEL_OK);
	rig_must_pop(t->b, WIRE_DATA, ret);
}

/* Carries everything that waits, both ways, until nothing does. */
static inline void rig_carry(struct rig *t)
{
	struct blob b;
	bool any;

	do {
		any = false;
		while (rig_pop(t->a, &b)) {
			rig_give(t, t->b, &b);
			any = true;
		}
		while (rig_pop(t->b, &b)) {
			rig_give(t, t->a, &b);
			any = true;
		}
	} while (any);
}

static inline void rig_live(struct rig *t)
{
	struct blob ready;

	rig_ready(t, &ready);
	assert_int_equal(rig_give(t, t->a, &ready), CHANNEL_OK);
	rig_carry(t);
	assert_int_equal(channel_state(t->a, t->now), CHANNEL_STATE_LIVE);
	assert_int_equal(channel_state(t->b, t->now), CHANNEL_STATE_LIVE);
}

/* Lets time pass in steps of 100 ms with everything carried at once. */
static inline void rig_run(struct rig *t, uint64_t ns)
{
	for (uint64_t end = t->now + ns; t->now < end;) {
		t->now += 100 * MSEC;
		channel_tick(t->a, t->now);
		channel_tick(t->b, t->now);
		rig_carry(t);
	}
}

static inline void rig_drain(struct channel *c)
{
	struct blob b;

	while (rig_pop(c, &b))
		;
}

static inline void rig_free(struct rig *t)
{
	channel_free(t->a);
	channel_free(t->b);
}

/* ---- the puppet ---- */

struct puppet {
	bool initiator;
	uint8_t sid[CHANNEL_SID_LEN];
	struct noise_handshake hs;
	struct noise_cipher tx, rx;
	uint8_t nonce[32], m_i[32], m_r[32];
	struct wire_init offer;
	struct wire_data last; /* what the other end last said */
};

static const uint8_t puppet_static[32] = { 0xcc, 7 }, puppet_e[32] = { 0xdd, 8 };

static inline void puppet_begin(struct puppet *p, const uint8_t *s)
{
	uint8_t prologue[WIRE_PROLOGUE_MAX];
	size_t len = wire_prologue(prologue, p->sid, &p->offer);

	noise_handshake_init(&p->hs, p->initiator, prologue, len, s, NULL, puppet_e);
	memset(p->nonce, 0x11, sizeof(p->nonce));
	memset(p->m_i, 0x22, sizeof(p->m_i));
	memset(p->m_r, 0x33, sizeof(p->m_r));
}

static inline void puppet_split(struct puppet *p)
{
	assert_int_equal(noise_handshake_split(&p->hs, p->initiator ? &p->tx : &p->rx,
					       p->initiator ? &p->rx : &p->tx),
			 0);
}

/* Takes an INIT and answers with any 64 bytes. */
static inline void puppet_resp_raw(struct puppet *p, const struct blob *init, const uint8_t *s,
				   const uint8_t payload[WIRE_PAYLOAD_LEN], struct blob *ret)
{
	struct noise_handshake next;
	struct wire_header h;
	uint8_t commitment[64];
	size_t len;

	memset(p, 0, sizeof(*p));
	assert_int_equal(wire_header_get(init->bytes, init->len, &h), CHANNEL_OK);
	assert_true(wire_init_get(init->bytes, init->len, &p->offer));
	memcpy(p->sid, h.sid, sizeof(p->sid));
	puppet_begin(p, s);
	assert_int_equal(noise_handshake_read(&p->hs, &next, p->offer.noise, WIRE_NOISE1_LEN,
					      commitment, sizeof(commitment), &len),
			 0);
	p->hs = next;
	wire_header_put(ret->bytes, WIRE_RESP, p->sid);
	assert_int_equal(noise_handshake_write(&p->hs, payload, WIRE_PAYLOAD_LEN,
					       ret->bytes + WIRE_HEADER_LEN, 174, &len),
			 0);
	ret->len = WIRE_HEADER_LEN + len;
}

static inline struct wire_resp puppet_resp_default(void)
{
	return (struct wire_resp){
		.nonce = { 0x11 },
		.version = 1,
		.accepted = { CHANNEL_KINDS, CHANNEL_MICROPHONE },
		.interval_ms = 2000,
	};
}

static inline void puppet_resp(struct puppet *p, const struct blob *init, struct wire_resp resp,
			       struct blob *ret)
{
	uint8_t payload[WIRE_PAYLOAD_LEN];

	wire_resp_put(payload, &resp);
	puppet_resp_raw(p, init, puppet_static, payload, ret);
}

static inline void puppet_take_fin(struct puppet *p, const struct blob *fin)
{
	struct noise_handshake next;
	uint8_t payload[64];
	size_t len;

	assert_int_equal(noise_handshake_read(&p->hs, &next, fin->bytes + WIRE_HEADER_LEN,
					      fin->len - WIRE_HEADER_LEN, payload, sizeof(payload),
					      &len),
			 0);
	p->hs = next;
	memcpy(p->m_i, payload + 32, 32);
	puppet_split(p);
}

/* An INIT with any commitment. */
static inline void puppet_init(struct puppet *p, const uint8_t *s, const uint8_t commitment[32],
			       struct blob *ret)
{
	size_t head, len;

	memset(p, 0, sizeof(*p));
	p->initiator = true;
	memset(p->sid, 0x77, sizeof(p->sid));
	if (!p->offer.n_versions)
		p->offer = (struct wire_init){
			.n_versions = 1,
			.versions = { 1 },
			.media = { CHANNEL_KINDS, CHANNEL_MICROPHONE },
		};
	puppet_begin(p, s);
	wire_header_put(ret->bytes, WIRE_INIT, p->sid);
	head = wire_init_put(ret->bytes, &p->offer);
	assert_int_equal(noise_handshake_write(&p->hs, commitment, 32, ret->bytes + head,
					       CHANNEL_BLOB_MAX - head, &len),
			 0);
	ret->len = head + len;
}

/* The commitment that a genuine caller with @s and the puppet's sid and nonce makes. */
static inline void puppet_commitment(const uint8_t *s, uint8_t ret[32])
{
	uint8_t sid[CHANNEL_SID_LEN], nonce[32], public[32];

	memset(sid, 0x77, sizeof(sid));
	memset(nonce, 0x11, sizeof(nonce));
	crypto_x25519_public(s, public);
	wire_commitment(sid, public, nonce, ret);
}

static inline void puppet_fin(struct puppet *p, const struct blob *resp, struct blob *ret)
{
	struct noise_handshake next;
	uint8_t payload[64];
	size_t len;

	assert_int_equal(noise_handshake_read(&p->hs, &next, resp->bytes + WIRE_HEADER_LEN,
					      resp->len - WIRE_HEADER_LEN, payload, sizeof(payload),
					      &len),
			 0);
	p->hs = next;
	memcpy(payload, p->nonce, 32);
	memcpy(payload + 32, p->m_i, 32);
	wire_header_put(ret->bytes, WIRE_FIN, p->sid);
	assert_int_equal(noise_handshake_write(&p->hs, payload, 64, ret->bytes + WIRE_HEADER_LEN,
					       174, &len),
			 0);
	ret->len = WIRE_HEADER_LEN + len;
	puppet_split(p);
}

static inline void puppet_data_raw(struct puppet *p, uint64_t seq, const uint8_t plain[64],
				   struct blob *ret)
{
	wire_header_put(ret->bytes, WIRE_DATA, p->sid);
	put_be32(ret->bytes + 18, 0);
	put_be64(ret->bytes + 22, seq);
	p->tx.nonce = seq;
	assert_int_equal(noise_cipher_seal(&p->tx, ret->bytes, 30, plain, 64, ret->bytes + 30), 0);
	ret->len = WIRE_DATA_LEN;
}

static inline void puppet_data(struct puppet *p, uint64_t seq, struct wire_data d, struct blob *ret)
{
	uint8_t plain[64];

	if (!d.number)
		d.number = seq;
	wire_data_put(plain, &d);
	puppet_data_raw(p, seq, plain, ret);
}

static inline void puppet_hear(struct puppet *p, const struct blob *b)
{
	uint8_t plain[64];

	assert_int_equal(b->len, WIRE_DATA_LEN);
	p->rx.nonce = get_be64(b->bytes + 22);
	assert_int_equal(noise_cipher_open(&p->rx, b->bytes, 30, b->bytes + 30, 80, plain), 0);
	assert_true(wire_data_get(plain, &p->last));
}

/* @t->a called the puppet, which sends READY: live. The puppet's next seq is 2. */
static inline void puppet_live(struct rig *t, struct puppet *p)
{
	struct blob b;

	rig_call(t);
	puppet_resp(p, &t->init, puppet_resp_default(), &b);
	assert_int_equal(rig_give(t, t->a, &b), CHANNEL_OK);
	rig_must_pop(t->a, WIRE_FIN, &b);
	puppet_take_fin(p, &b);
	puppet_data(p, 1, (struct wire_data){ .type = WIRE_READY }, &b);
	assert_int_equal(rig_give(t, t->a, &b), CHANNEL_OK);
	rig_must_pop(t->a, WIRE_DATA, &b);
	puppet_hear(p, &b);
	assert_int_equal(channel_state(t->a, t->now), CHANNEL_STATE_LIVE);
}
