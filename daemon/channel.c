// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Owns the call channel's machine: who may say what when, what a proof of life is worth, when to resend, give up and erase.
 * Pure: no clock, no socket, no file; randomness through one function. Must not decide whether capture is allowed: it gives
 * the facts. Called by the session code. channel-wire.c has the layout, noise.c the handshake, doc/protocol.md the rules.
 *
 * Security argument: which step the channel is at follows from which blobs it has made and taken, and each of them is made
 * and taken once, so one approval is one run. Nothing is committed before it is authenticated. Time is let pass before a
 * blob is looked at, so that nothing arriving late can count. Ending wipes every key first and answers afterwards nothing.
 * The whole struct lives in secret memory.
 */
#include "channel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "channel-private.h"

/*
 * From a stock in the channel's own locked memory, each byte once: to ask the kernel for every few bytes would cost more than the
 * sealing that they are for.
 */
void channel_draw(struct channel *c, void *ret, size_t len)
{
	if (c->random) {
		c->random(c->data, ret, len);
		return;
	}
	if (len > sizeof(c->stock)) {
		crypto_random(ret, len);
		return;
	}
	if (len > c->stock_left) {
		crypto_random(c->stock, sizeof(c->stock));
		c->stock_left = sizeof(c->stock);
	}
	c->stock_left -= len;
	memcpy(ret, c->stock + c->stock_left, len);
	crypto_wipe(c->stock + c->stock_left, len);
}

/* ---- output ---- */

/* A full queue means that nobody carries blobs: the oldest is worth least. */
void channel_queue_put(struct channel *c, const struct blob *b)
{
	if (c->queue_len == QUEUE_MAX) {
		c->queue_first = (c->queue_first + 1) % QUEUE_MAX;
		c->queue_len--;
	}
	c->queue[(c->queue_first + c->queue_len) % QUEUE_MAX] = *b;
	c->queue_len++;
}

bool channel_poll_output(struct channel *c, uint8_t ret[CHANNEL_BLOB_MAX], size_t *ret_len)
{
	const struct blob *b = &c->queue[c->queue_first];

	if (!c->queue_len)
		return false;
	memcpy(ret, b->bytes, b->len);
	*ret_len = b->len;
	c->queue_first = (c->queue_first + 1) % QUEUE_MAX;
	c->queue_len--;
	return true;
}

/* Sends a handshake blob for the first time and starts its schedule. */
static void step_begin(struct channel *c, const struct blob *b)
{
	channel_queue_put(c, b);
	c->step_at = c->now;
	c->resend_gap = CHANNEL_RESEND_FIRST;
	c->resend_at = c->now + c->resend_gap;
}

/* ---- the end ---- */

/* Forgets every secret. What stays: who it was, why it ended, blobs that wait to be carried. */
void channel_finish(struct channel *c, enum channel_end why)
{
	c->end = why;
	noise_handshake_wipe(&c->hs);
	noise_handshake_wipe(&c->next);
	crypto_wipe(&c->tx, sizeof(c->tx));
	crypto_wipe(&c->rx, sizeof(c->rx));
	crypto_wipe(c->prk, sizeof(c->prk));
	crypto_wipe(c->nonce, sizeof(c->nonce));
	crypto_wipe(c->peer_nonce, sizeof(c->peer_nonce));
	crypto_wipe(c->m_i, sizeof(c->m_i));
	crypto_wipe(&c->sas, sizeof(c->sas));
	crypto_wipe(c->stock, sizeof(c->stock));
	c->stock_left = 0;
	c->has_sas = false;
	c->has_keys = false;
	c->confirmed = false;
	c->alive_until = 0;
	c->has_peer_claims = false;
}

void channel_pass_time(struct channel *c, uint64_t now)
{
	if (now > c->now)
		c->now = now;
}

void channel_close(struct channel *c, enum channel_end reason, uint64_t now)
{
	struct wire_data d = { .type = WIRE_CLOSE, .reason = (uint8_t)reason };
	struct blob b;

	if (c->end != CHANNEL_END_NONE || reason == CHANNEL_END_NONE || reason >= CHANNEL_END_COUNT)
		return;
	channel_pass_time(c, now);
	c->queue_len = 0;
	if (c->has_keys && channel_data_make(c, &d, &b))
		for (unsigned int i = 0; i < CHANNEL_CLOSE_COPIES; i++)
			channel_queue_put(c, &b);
	channel_finish(c, reason);
}

enum channel_result channel_end_with(struct channel *c, enum channel_end reason)
{
	channel_close(c, reason, c->now);
	return CHANNEL_ENDED;
}

/* ---- beginning ---- */

static int channel_alloc(struct channel **ret, const struct channel_params *p,
			 enum channel_role role, uint64_t now)
{
	struct channel *c;

	if (!p->static_key || !p->peer_allowed)
		return -EINVAL;
	c = crypto_secret_new(sizeof(*c));
	if (!c)
		return errno ? -errno : -ENOMEM;
	c->role = role;
	c->peer_allowed = p->peer_allowed;
	c->random = p->random;
	c->data = p->data;
	c->born = c->now = now;
	c->local.gate = p->gate;
	*ret = c;
	return 0;
}

/* With sid and offer in place. */
static void handshake_begin(struct channel *c, const struct channel_params *params)
{
	uint8_t e[NOISE_KEY_LEN];

	c->prologue_len = wire_prologue(c->prologue, c->sid, &c->offer);
	channel_draw(c, e, sizeof(e));
	noise_handshake_init(&c->hs, c->role == CHANNEL_INITIATOR, c->prologue, c->prologue_len,
			     params->static_key, params->static_public, e);
	crypto_wipe(e, sizeof(e));
	memcpy(c->own_static, c->hs.s_pub, sizeof(c->own_static));
	channel_draw(c, c->nonce, sizeof(c->nonce));
}

int channel_new_initiator(struct channel **ret, const struct channel_params *params, uint64_t now)
{
	_cleanup_(channel_free_p) struct channel *c = NULL;
	size_t head, len;
	int r;

	if (!(params->offered[0] | params->offered[1]) ||
	    (params->offered[0] | params->offered[1]) & ~CHANNEL_KINDS)
		return -EINVAL;
	r = channel_alloc(&c, params, CHANNEL_INITIATOR, now);
	if (r < 0)
		return r;
	channel_draw(c, c->sid, sizeof(c->sid));
	c->offer = (struct wire_init){
		.n_versions = 1,
		.versions = { CHANNEL_VERSION },
		.media = { params->offered[0] | WIRE_MEDIA_PROGRAMS,
			   params->offered[1] | WIRE_MEDIA_PROGRAMS },
	};
	handshake_begin(c, params);
	wire_commitment(c->sid, c->own_static, c->nonce, c->commitment);

	wire_header_put(c->init.bytes, WIRE_INIT, c->sid);
	head = wire_init_put(c->init.bytes, &c->offer);
	r = noise_handshake_write(&c->hs, c->commitment, sizeof(c->commitment),
				  c->init.bytes + head, CHANNEL_BLOB_MAX - head, &len);
	if (r < 0)
		return r;
	c->init.len = head + len;
	step_begin(c, &c->init);
	*ret = TAKE_PTR(c);
	return 0;
}

int channel_new_responder(struct channel **ret, const struct channel_params *params,
			  const void *init, size_t len, uint64_t now)
{
	_cleanup_(channel_free_p) struct channel *c = NULL;
	unsigned int interval = params->interval_ms ?: CHANNEL_INTERVAL_DEFAULT_MS;
	struct wire_header h;
	struct wire_init offer;
	enum channel_result result;
	size_t payload_len;
	int r;

	if (interval < CHANNEL_INTERVAL_MIN_MS || interval > CHANNEL_INTERVAL_MAX_MS)
		return -EINVAL;
	result = wire_header_get(init, len, &h);
	if (result != CHANNEL_OK)
		return result;
	if (h.type != WIRE_INIT)
		return CHANNEL_UNEXPECTED;
	if (!wire_init_get(init, len, &offer))
		return CHANNEL_MALFORMED;
	if (!memchr(offer.versions, CHANNEL_VERSION, offer.n_versions))
		return CHANNEL_VERSION_UNKNOWN;

	r = channel_alloc(&c, params, CHANNEL_RESPONDER, now);
	if (r < 0)
		return r;
	memcpy(c->sid, h.sid, sizeof(c->sid));
	c->offer = offer;
	c->interval_ms = interval;
	c->step_at = now;
	c->resend_at = UINT64_MAX;
	handshake_begin(c, params);
	r = noise_handshake_read(&c->hs, &c->next, offer.noise, sizeof(offer.noise), c->commitment,
				 sizeof(c->commitment), &payload_len);
	if (r < 0 || payload_len != sizeof(c->commitment))
		return CHANNEL_MALFORMED;
	c->hs = c->next;
	c->init.len = len;
	memcpy(c->init.bytes, init, len);
	*ret = TAKE_PTR(c);
	return 0;
}

struct channel *channel_free(struct channel *c)
{
	if (c)
		free(c->programs);
	return crypto_secret_free(c);
}

int channel_accept(struct channel *c, const uint16_t accepted[2], uint64_t now)
{
	uint8_t payload[WIRE_PAYLOAD_LEN];
	struct wire_resp resp;
	size_t len;
	int r;

	channel_tick(c, now);
	if (c->end != CHANNEL_END_NONE || c->role != CHANNEL_RESPONDER || c->resp.len)
		return -EALREADY;
	for (unsigned int dir = 0; dir < 2; dir++)
		if (accepted[dir] & ~channel_offered(c, dir))
			return -EINVAL;
	resp = (struct wire_resp){
		.version = CHANNEL_VERSION,
		.interval_ms = (uint16_t)c->interval_ms,
	};
	for (unsigned int dir = 0; dir < 2; dir++) {
		c->takes_programs[dir] = c->offer.media[dir] & WIRE_MEDIA_PROGRAMS;
		c->accepted[dir] = accepted[dir];
		resp.accepted[dir] = accepted[dir] | (c->offer.media[dir] & WIRE_MEDIA_PROGRAMS);
	}
	memcpy(resp.nonce, c->nonce, sizeof(resp.nonce));
	wire_resp_put(payload, &resp);
	wire_header_put(c->resp.bytes, WIRE_RESP, c->sid);
	r = noise_handshake_write(&c->hs, payload, sizeof(payload), c->resp.bytes + WIRE_HEADER_LEN,
				  CHANNEL_BLOB_MAX - WIRE_HEADER_LEN, &len);
	crypto_wipe(payload, sizeof(payload));
	crypto_wipe(&resp, sizeof(resp));
	if (r < 0) {
		channel_close(c, CHANNEL_END_WEAK_POINT, now);
		return -EPROTO;
	}
	c->resp.len = WIRE_HEADER_LEN + len;
	step_begin(c, &c->resp);
	return 0;
}

/* ---- handshake ---- */

static bool blob_is(const struct blob *b, const void *blob, size_t len)
{
	return b->len == len && memcmp(b->bytes, blob, len) == 0;
}

static void blob_keep(struct blob *b, const void *blob, size_t len)
{
	memcpy(b->bytes, blob, len);
	b->len = len;
}

/* Reads message 2 or 3 into c->next. CHANNEL_OK: genuine, from somebody else than oneself, not yet committed. */
static enum channel_result read_message(struct channel *c, const uint8_t *blob, size_t len,
					uint8_t payload[WIRE_PAYLOAD_LEN])
{
	size_t payload_len;
	int r;

	r = noise_handshake_read(&c->hs, &c->next, blob + WIRE_HEADER_LEN, len - WIRE_HEADER_LEN,
				 payload, WIRE_PAYLOAD_LEN, &payload_len);
	if (r == -EPROTO)
		return channel_end_with(c, CHANNEL_END_WEAK_POINT);
	if (r < 0 || payload_len != WIRE_PAYLOAD_LEN)
		return CHANNEL_FORGED;
	if (crypto_equal(c->next.rs, c->own_static, CHANNEL_KEY_LEN)) {
		noise_handshake_wipe(&c->next);
		return CHANNEL_REFLECTED;
	}
	return CHANNEL_OK;
}

static void commit_message(struct channel *c)
{
	c->hs = c->next;
	noise_handshake_wipe(&c->next);
	memcpy(c->peer_static, c->hs.rs, CHANNEL_KEY_LEN);
	c->has_peer_static = true;
}

/* After message 3, on both sides: the number and the transport keys. */
static bool establish(struct channel *c)
{
	bool initiator = c->role == CHANNEL_INITIATOR;
	const struct wire_sas_input in = {
		.prologue = c->prologue,
		.prologue_len = c->prologue_len,
		.r_i = initiator ? c->nonce : c->peer_nonce,
		.r_r = initiator ? c->peer_nonce : c->nonce,
		.s_i = initiator ? c->own_static : c->peer_static,
		.s_r = initiator ? c->peer_static : c->own_static,
		.e_i = initiator ? c->hs.e_pub : c->hs.re,
		.e_r = initiator ? c->hs.re : c->hs.e_pub,
	};

	if (noise_handshake_split(&c->hs, initiator ? &c->tx : &c->rx,
				  initiator ? &c->rx : &c->tx) < 0)
		return false;
	c->sas = wire_sas(&in);
	c->has_sas = true;
	c->has_keys = true;
	crypto_wipe(c->nonce, sizeof(c->nonce));
	crypto_wipe(c->peer_nonce, sizeof(c->peer_nonce));
	return true;
}

/* PRK0; afterwards nothing of the handshake is left. */
void channel_media_establish(struct channel *c, const uint8_t *m_r)
{
	wire_prk(c->hs.hash, c->m_i, m_r, c->prk);
	crypto_wipe(c->m_i, sizeof(c->m_i));
	noise_handshake_wipe(&c->hs);
}

static enum channel_result make_fin(struct channel *c)
{
	uint8_t payload[WIRE_PAYLOAD_LEN];
	size_t len;
	int r;

	channel_draw(c, c->m_i, sizeof(c->m_i));
	memcpy(payload, c->nonce, 32);
	memcpy(payload + 32, c->m_i, 32);
	wire_header_put(c->fin.bytes, WIRE_FIN, c->sid);
	r = noise_handshake_write(&c->hs, payload, sizeof(payload), c->fin.bytes + WIRE_HEADER_LEN,
				  CHANNEL_BLOB_MAX - WIRE_HEADER_LEN, &len);
	crypto_wipe(payload, sizeof(payload));
	if (r < 0)
		return channel_end_with(c, CHANNEL_END_WEAK_POINT);
	c->fin.len = WIRE_HEADER_LEN + len;
	if (!establish(c))
		return channel_end_with(c, CHANNEL_END_VIOLATION);
	/* Of the handshake, only the hash is still needed. */
	crypto_wipe(c->hs.s, sizeof(c->hs.s));
	crypto_wipe(c->hs.e, sizeof(c->hs.e));
	crypto_wipe(c->hs.chain, sizeof(c->hs.chain));
	crypto_wipe(&c->hs.cipher, sizeof(c->hs.cipher));
	step_begin(c, &c->fin);
	c->fin_at = c->now;
	return CHANNEL_OK;
}

static enum channel_result receive_resp(struct channel *c, const uint8_t *blob, size_t len)
{
	uint8_t payload[WIRE_PAYLOAD_LEN];
	struct wire_resp resp;
	enum channel_result result;
	bool valid;

	if (c->role != CHANNEL_INITIATOR)
		return blob_is(&c->resp, blob, len) ? CHANNEL_REFLECTED : CHANNEL_UNEXPECTED;
	if (len != WIRE_RESP_LEN)
		return CHANNEL_MALFORMED;
	if (c->resp.len)
		return blob_is(&c->resp, blob, len) ? CHANNEL_DUPLICATE : CHANNEL_CONFLICT;
	result = read_message(c, blob, len, payload);
	if (result != CHANNEL_OK)
		return result;
	blob_keep(&c->resp, blob, len);
	commit_message(c);
	valid = wire_resp_get(payload, &resp);
	crypto_wipe(payload, sizeof(payload));
	memcpy(c->peer_nonce, resp.nonce, sizeof(c->peer_nonce));
	crypto_wipe(resp.nonce, sizeof(resp.nonce));
	if (!valid || resp.interval_ms < CHANNEL_INTERVAL_MIN_MS ||
	    resp.interval_ms > CHANNEL_INTERVAL_MAX_MS)
		return channel_end_with(c, CHANNEL_END_VIOLATION);
	if (resp.version != CHANNEL_VERSION)
		return channel_end_with(c, CHANNEL_END_VERSION);
	for (unsigned int dir = 0; dir < 2; dir++)
		if (resp.accepted[dir] & ~c->offer.media[dir])
			return channel_end_with(c, CHANNEL_END_MEDIA);
	if (!c->peer_allowed(c->data, c->peer_static))
		return channel_end_with(c, CHANNEL_END_PEER_REFUSED);
	for (unsigned int dir = 0; dir < 2; dir++) {
		c->takes_programs[dir] = resp.accepted[dir] & WIRE_MEDIA_PROGRAMS;
		c->accepted[dir] = resp.accepted[dir] & CHANNEL_KINDS;
	}
	c->interval_ms = resp.interval_ms;
	return make_fin(c);
}

static enum channel_result make_ready(struct channel *c)
{
	struct wire_data d = { .type = WIRE_READY };

	if (!establish(c))
		return channel_end_with(c, CHANNEL_END_VIOLATION);
	channel_draw(c, d.m_r, sizeof(d.m_r));
	channel_media_establish(c, d.m_r);
	if (!channel_data_make(c, &d, &c->ready))
		return channel_end_with(c, CHANNEL_END_EXHAUSTED);
	crypto_wipe(&d, sizeof(d));
	step_begin(c, &c->ready);
	/* Asked for again by a duplicate FIN, not by time. */
	c->resend_at = UINT64_MAX;
	return CHANNEL_OK;
}

static enum channel_result receive_fin(struct channel *c, const uint8_t *blob, size_t len)
{
	uint8_t payload[WIRE_PAYLOAD_LEN], commitment[32];
	enum channel_result result;

	if (c->role != CHANNEL_RESPONDER)
		return blob_is(&c->fin, blob, len) ? CHANNEL_REFLECTED : CHANNEL_UNEXPECTED;
	if (len != WIRE_FIN_LEN)
		return CHANNEL_MALFORMED;
	if (!c->resp.len)
		return CHANNEL_UNEXPECTED;
	if (c->fin.len) {
		if (!blob_is(&c->fin, blob, len))
			return CHANNEL_CONFLICT;
		if (!c->confirmed)
			channel_queue_put(c, &c->ready);
		return CHANNEL_DUPLICATE;
	}
	result = read_message(c, blob, len, payload);
	if (result != CHANNEL_OK)
		return result;
	blob_keep(&c->fin, blob, len);
	commit_message(c);
	memcpy(c->peer_nonce, payload, 32);
	memcpy(c->m_i, payload + 32, 32);
	crypto_wipe(payload, sizeof(payload));
	wire_commitment(c->sid, c->peer_static, c->peer_nonce, commitment);
	if (!crypto_equal(commitment, c->commitment, sizeof(commitment)))
		return channel_end_with(c, CHANNEL_END_COMMITMENT);
	if (!c->peer_allowed(c->data, c->peer_static))
		return channel_end_with(c, CHANNEL_END_PEER_REFUSED);
	return make_ready(c);
}

enum channel_result channel_receive(struct channel *c, const void *blob, size_t len, uint64_t now)
{
	struct wire_header h;
	enum channel_result r;

	channel_tick(c, now);
	if (c->end != CHANNEL_END_NONE)
		return CHANNEL_CLOSED;
	r = wire_header_get(blob, len, &h);
	if (r != CHANNEL_OK)
		return r;
	if (memcmp(h.sid, c->sid, sizeof(h.sid)) != 0)
		return CHANNEL_FOREIGN;
	switch (h.type) {
	case WIRE_INIT:
		if (c->role == CHANNEL_INITIATOR)
			return CHANNEL_INIT_TO_OUTGOING;
		return blob_is(&c->init, blob, len) ? CHANNEL_DUPLICATE : CHANNEL_CONFLICT;
	case WIRE_RESP:
		return receive_resp(c, blob, len);
	case WIRE_FIN:
		return receive_fin(c, blob, len);
	case WIRE_DATA:
		return channel_data_receive(c, blob, len);
	default:
		return CHANNEL_MALFORMED;
	}
}

/* ---- time ---- */

/* The blob that is out and unanswered, if it is one that is repeated by time. */
static const struct blob *resendable(const struct channel *c)
{
	if (c->role == CHANNEL_INITIATOR)
		return c->fin.len ? &c->fin : &c->init;
	return c->resp.len && !c->ready.len ? &c->resp : NULL;
}

/* When an unconfirmed channel gives up, and what it then says. */
static uint64_t give_up_at(const struct channel *c, enum channel_end *ret_why)
{
	bool waits_for_person = c->role == CHANNEL_INITIATOR ? !c->fin.len : !c->resp.len;

	if (!waits_for_person) {
		*ret_why = CHANNEL_END_NOT_CONFIRMED;
		return c->step_at + CHANNEL_CONFIRM_TIMEOUT;
	}
	*ret_why = c->role == CHANNEL_INITIATOR ? CHANNEL_END_NO_ANSWER : CHANNEL_END_NOT_ACCEPTED;
	return c->step_at + CHANNEL_ANSWER_TIMEOUT;
}

void channel_tick(struct channel *c, uint64_t now)
{
	enum channel_end why;

	channel_pass_time(c, now);
	if (c->end != CHANNEL_END_NONE)
		return;
	if (c->now - c->born >= CHANNEL_AGE_MAX) {
		channel_close(c, CHANNEL_END_AGE, c->now);
	} else if (!c->confirmed) {
		if (c->now >= give_up_at(c, &why)) {
			channel_close(c, why, c->now);
		} else if (c->now >= c->resend_at && resendable(c)) {
			channel_queue_put(c, resendable(c));
			c->resend_gap *= 2;
			if (c->resend_gap > CHANNEL_RESEND_MAX)
				c->resend_gap = CHANNEL_RESEND_MAX;
			c->resend_at = c->now + c->resend_gap;
		}
	} else if (c->now >= c->alive_until + CHANNEL_ERASE_AFTER) {
		channel_close(c, CHANNEL_END_LOST, c->now);
	} else if (c->now >= c->beat_at) {
		channel_data_beat(c);
	}
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t channel_next_timeout(const struct channel *c)
{
	uint64_t at = c->born + CHANNEL_AGE_MAX;
	enum channel_end why;

	if (c->end != CHANNEL_END_NONE)
		return UINT64_MAX;
	if (!c->confirmed)
		return earlier(at, earlier(give_up_at(c, &why), c->resend_at));
	at = earlier(at, earlier(c->beat_at, c->alive_until + CHANNEL_ERASE_AFTER));
	/* So that whoever watches sees the stall when it happens. */
	return c->now < c->alive_until ? earlier(at, c->alive_until) : at;
}
