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
#include <string.h>

#include "channel-wire.h"
#include "noise.h"
#include "util/bytes.h"
#include "util/window.h"

/* Send times kept: more messages than can be sent in a dead time, so what is forgotten proves nothing any more. */
#define SENT_MAX 64
_Static_assert(SENT_MAX > CHANNEL_DEAD_INTERVALS * CHANNEL_URGENT_FRACTION + CHANNEL_CLOSE_COPIES,
	       "a proof of life within the dead time finds its send time");

#define QUEUE_MAX 8
#define READY_SEQ 1 /* DATA counts from 1; 0 stands for FIN in an echo */
#define SEQ_LIMIT (UINT64_MAX - 1)
#define PEER(dir) ((enum channel_dir) !(dir))

struct blob {
	size_t len;
	uint8_t bytes[CHANNEL_BLOB_MAX];
};

struct channel {
	enum channel_role role;
	uint8_t sid[CHANNEL_SID_LEN];
	bool (*peer_allowed)(void *data, const uint8_t key[CHANNEL_KEY_LEN]);
	void (*random)(void *data, void *ret, size_t len);
	void *data;
	uint64_t born, now; /* @now: the latest time seen */

	/* The offer, as both ends bind it. */
	uint8_t prologue[WIRE_PROLOGUE_MAX];
	size_t prologue_len;
	struct wire_init offer;
	uint16_t accepted[2];
	unsigned int interval_ms;

	/* Made or taken, each at most once; their presence is the step of the handshake. */
	struct blob init, resp, fin, ready;
	uint64_t step_at, resend_at, resend_gap;

	struct noise_handshake hs, next;
	uint8_t own_static[CHANNEL_KEY_LEN], peer_static[CHANNEL_KEY_LEN];
	bool has_peer_static;
	uint8_t nonce[32], peer_nonce[32], commitment[32], m_i[32];
	uint32_t sas;
	bool has_sas;

	bool has_keys;
	struct noise_cipher tx, rx;
	uint8_t prk[CRYPTO_SHA512_LEN];
	uint64_t tx_seq, rx_seq; /* highest sent, highest authenticated; 0 for none */
	struct window rx_window;
	uint64_t sent_at[SENT_MAX]; /* by seq % SENT_MAX, for the last SENT_MAX of them */
	uint64_t fin_at;

	bool confirmed;
	uint64_t alive_until;
	uint64_t beat_at, last_beat;
	uint16_t fetched[2];
	struct channel_claims local, peer;
	bool has_peer_claims;

	enum channel_end end;
	uint8_t peer_reason;

	struct blob queue[QUEUE_MAX];
	unsigned int queue_first, queue_len;
};

static void draw(struct channel *c, void *ret, size_t len)
{
	if (c->random)
		c->random(c->data, ret, len);
	else
		crypto_random(ret, len);
}

static uint64_t interval_ns(const struct channel *c)
{
	return c->interval_ms * CHANNEL_NSEC_PER_MSEC;
}

static uint64_t dead_time(const struct channel *c)
{
	return CHANNEL_DEAD_INTERVALS * interval_ns(c);
}

enum channel_dir channel_own_dir(const struct channel *c)
{
	return c->role == CHANNEL_INITIATOR ? CHANNEL_I2R : CHANNEL_R2I;
}

/* ---- output -------------------------------------------------------------------------------------------------------- */

/* A full queue means that nobody carries blobs: the oldest is worth least. */
static void queue_put(struct channel *c, const struct blob *b)
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
	queue_put(c, b);
	c->step_at = c->now;
	c->resend_gap = CHANNEL_RESEND_FIRST;
	c->resend_at = c->now + c->resend_gap;
}

/* ---- the end ------------------------------------------------------------------------------------------------------- */

/* Forgets every secret. What stays: who it was, why it ended, blobs that wait to be carried. */
static void finish(struct channel *c, enum channel_end why)
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
	c->has_sas = false;
	c->has_keys = false;
	c->confirmed = false;
	c->alive_until = 0;
	c->has_peer_claims = false;
}

static enum channel_level own_level(const struct channel *c, unsigned int kind)
{
	bool keyed = false;

	if (!c->has_keys)
		return CHANNEL_LEVEL_NONE;
	for (unsigned int dir = 0; dir < 2; dir++) {
		if (!(c->accepted[dir] & kind))
			continue;
		if (!(c->fetched[dir] & kind))
			return CHANNEL_LEVEL_CHANNEL;
		keyed = true;
	}
	return keyed ? CHANNEL_LEVEL_KEYED : CHANNEL_LEVEL_NONE;
}

/* Seals one DATA blob. The caller fills type, m_r and reason. False: no number is left. */
static bool make_data(struct channel *c, struct wire_data *d, struct blob *ret)
{
	uint8_t plain[WIRE_PAYLOAD_LEN];

	if (c->tx_seq >= SEQ_LIMIT)
		return false;
	d->last_seq = c->tx_seq++;
	d->number = c->tx_seq;
	d->echo_epoch = 0;
	d->echo_seq = c->rx_seq;
	d->captured = c->local.captured;
	d->granted = c->local.granted;
	d->levels[0] = own_level(c, CHANNEL_MICROPHONE);
	d->levels[1] = own_level(c, CHANNEL_CAMERA);
	d->sas = c->local.sas;
	d->gate = c->local.gate;
	wire_data_put(plain, d);

	wire_header_put(ret->bytes, WIRE_DATA, c->sid);
	put_be32(ret->bytes + WIRE_HEADER_LEN, 0);
	put_be64(ret->bytes + WIRE_HEADER_LEN + 4, c->tx_seq);
	c->tx.nonce = c->tx_seq;
	noise_cipher_seal(&c->tx, ret->bytes, WIRE_DATA_AD_LEN, plain, sizeof(plain),
			  ret->bytes + WIRE_DATA_AD_LEN);
	ret->len = WIRE_DATA_LEN;
	crypto_wipe(plain, sizeof(plain));
	c->sent_at[c->tx_seq % SENT_MAX] = c->now;
	return true;
}

static void pass_time(struct channel *c, uint64_t now)
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
	pass_time(c, now);
	c->queue_len = 0;
	if (c->has_keys && make_data(c, &d, &b))
		for (unsigned int i = 0; i < CHANNEL_CLOSE_COPIES; i++)
			queue_put(c, &b);
	finish(c, reason);
}

static enum channel_result end_with(struct channel *c, enum channel_end reason)
{
	channel_close(c, reason, c->now);
	return CHANNEL_ENDED;
}

/* ---- beginning ----------------------------------------------------------------------------------------------------- */

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
static void handshake_begin(struct channel *c, const uint8_t *static_key)
{
	uint8_t e[NOISE_KEY_LEN];

	c->prologue_len = wire_prologue(c->prologue, c->sid, &c->offer);
	draw(c, e, sizeof(e));
	noise_handshake_init(&c->hs, c->role == CHANNEL_INITIATOR, c->prologue, c->prologue_len,
			     static_key, e);
	crypto_wipe(e, sizeof(e));
	memcpy(c->own_static, c->hs.s_pub, sizeof(c->own_static));
	draw(c, c->nonce, sizeof(c->nonce));
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
	draw(c, c->sid, sizeof(c->sid));
	c->offer = (struct wire_init){
		.n_versions = 1,
		.versions = { CHANNEL_VERSION },
		.media = { params->offered[0], params->offered[1] },
	};
	handshake_begin(c, params->static_key);
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
	handshake_begin(c, params->static_key);
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
	c->accepted[0] = accepted[0];
	c->accepted[1] = accepted[1];
	resp = (struct wire_resp){
		.version = CHANNEL_VERSION,
		.accepted = { accepted[0], accepted[1] },
		.interval_ms = (uint16_t)c->interval_ms,
	};
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

/* ---- handshake ----------------------------------------------------------------------------------------------------- */

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
		return end_with(c, CHANNEL_END_WEAK_POINT);
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
static void media_establish(struct channel *c, const uint8_t *m_r)
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

	draw(c, c->m_i, sizeof(c->m_i));
	memcpy(payload, c->nonce, 32);
	memcpy(payload + 32, c->m_i, 32);
	wire_header_put(c->fin.bytes, WIRE_FIN, c->sid);
	r = noise_handshake_write(&c->hs, payload, sizeof(payload), c->fin.bytes + WIRE_HEADER_LEN,
				  CHANNEL_BLOB_MAX - WIRE_HEADER_LEN, &len);
	crypto_wipe(payload, sizeof(payload));
	if (r < 0)
		return end_with(c, CHANNEL_END_WEAK_POINT);
	c->fin.len = WIRE_HEADER_LEN + len;
	if (!establish(c))
		return end_with(c, CHANNEL_END_VIOLATION);
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
		return end_with(c, CHANNEL_END_VIOLATION);
	if (resp.version != CHANNEL_VERSION)
		return end_with(c, CHANNEL_END_VERSION);
	for (unsigned int dir = 0; dir < 2; dir++)
		if (resp.accepted[dir] & ~c->offer.media[dir])
			return end_with(c, CHANNEL_END_MEDIA);
	if (!c->peer_allowed(c->data, c->peer_static))
		return end_with(c, CHANNEL_END_PEER_REFUSED);
	c->accepted[0] = resp.accepted[0];
	c->accepted[1] = resp.accepted[1];
	c->interval_ms = resp.interval_ms;
	return make_fin(c);
}

static enum channel_result make_ready(struct channel *c)
{
	struct wire_data d = { .type = WIRE_READY };

	if (!establish(c))
		return end_with(c, CHANNEL_END_VIOLATION);
	draw(c, d.m_r, sizeof(d.m_r));
	media_establish(c, d.m_r);
	if (!make_data(c, &d, &c->ready))
		return end_with(c, CHANNEL_END_EXHAUSTED);
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
			queue_put(c, &c->ready);
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
		return end_with(c, CHANNEL_END_COMMITMENT);
	if (!c->peer_allowed(c->data, c->peer_static))
		return end_with(c, CHANNEL_END_PEER_REFUSED);
	return make_ready(c);
}

/* ---- DATA ---------------------------------------------------------------------------------------------------------- */

static void send_heartbeat(struct channel *c)
{
	struct wire_data d = { .type = WIRE_HEARTBEAT };
	uint64_t span = 2 * CHANNEL_JITTER_PERCENT * interval_ns(c) / 100;
	uint8_t random[8];
	struct blob b;

	if (!make_data(c, &d, &b)) {
		channel_close(c, CHANNEL_END_EXHAUSTED, c->now);
		return;
	}
	queue_put(c, &b);
	draw(c, random, sizeof(random));
	c->last_beat = c->now;
	c->beat_at = c->now + interval_ns(c) - span / 2 + get_be64(random) % (span + 1);
}

static void want_heartbeat(struct channel *c)
{
	uint64_t at = c->last_beat + interval_ns(c) / CHANNEL_URGENT_FRACTION;

	if (c->confirmed && at < c->beat_at)
		c->beat_at = at > c->now ? at : c->now;
}

/* Until when the peer's having seen @seq proves life; 0 for a message whose send time is forgotten as too old to matter. */
static uint64_t echo_proves(const struct channel *c, uint64_t seq)
{
	if (seq == 0)
		return c->fin_at + dead_time(c);
	return c->tx_seq - seq < SENT_MAX ? c->sent_at[seq % SENT_MAX] + dead_time(c) : 0;
}

/* Whether what a genuine message says may be said now, by this end. */
static enum channel_end judge_data(const struct channel *c, const struct wire_data *d, uint64_t seq)
{
	uint16_t accepted = c->accepted[PEER(channel_own_dir(c))];
	bool before_first = false;

	if (d->number != seq || d->sas >= CHANNEL_SAS_COUNT || d->gate > 1)
		return CHANNEL_END_VIOLATION;
	switch ((enum wire_data_type)d->type) {
	case WIRE_READY:
		if (c->role != CHANNEL_INITIATOR || c->confirmed || seq != READY_SEQ)
			return CHANNEL_END_VIOLATION;
		before_first = true;
		break;
	case WIRE_HEARTBEAT:
		/* A responder beats only once it has an initiator's DATA, of which there is none before READY. */
		if (c->role == CHANNEL_INITIATOR && !c->confirmed)
			return CHANNEL_END_VIOLATION;
		break;
	case WIRE_CLOSE:
		before_first = true;
		if (d->last_seq != seq - 1)
			return CHANNEL_END_VIOLATION;
		break;
	}
	if (d->echo_epoch != 0 || d->echo_seq > c->tx_seq || (d->echo_seq == 0 && !before_first))
		return CHANNEL_END_ECHO;
	if ((d->captured | d->granted) & ~accepted)
		return CHANNEL_END_MEDIA;
	return CHANNEL_END_NONE;
}

static enum channel_level level_of(uint8_t byte)
{
	return byte < CHANNEL_LEVEL_COUNT ? byte : CHANNEL_LEVEL_NONE;
}

static void take_data(struct channel *c, const struct wire_data *d, uint64_t seq)
{
	uint64_t alive = echo_proves(c, d->echo_seq);

	/* Reordered messages prove life as well as others, but old claims do not replace new ones. */
	if (seq > c->rx_seq) {
		c->rx_seq = seq;
		c->peer = (struct channel_claims){
			.captured = d->captured,
			.granted = d->granted,
			.level = { level_of(d->levels[0]), level_of(d->levels[1]) },
			.sas = d->sas,
			.gate = d->gate,
		};
		c->has_peer_claims = true;
	}
	if (alive > c->alive_until)
		c->alive_until = alive;
	if (c->confirmed)
		return;
	c->confirmed = true;
	if (d->type == WIRE_READY)
		media_establish(c, d->m_r);
	send_heartbeat(c);
}

static enum channel_result receive_data(struct channel *c, const uint8_t *blob, size_t len)
{
	uint8_t plain[WIRE_PAYLOAD_LEN];
	struct wire_data d;
	enum channel_end wrong;
	uint64_t seq;
	bool valid;

	if (len != WIRE_DATA_LEN)
		return CHANNEL_MALFORMED;
	if (!c->has_keys)
		return CHANNEL_UNEXPECTED;
	if (get_be32(blob + WIRE_HEADER_LEN) != 0)
		return CHANNEL_EPOCH;
	seq = get_be64(blob + WIRE_HEADER_LEN + 4);
	if (seq == 0)
		return CHANNEL_FORGED;
	if (!window_fresh(&c->rx_window, seq))
		return CHANNEL_REPLAYED;
	c->rx.nonce = seq;
	if (noise_cipher_open(&c->rx, blob, WIRE_DATA_AD_LEN, blob + WIRE_DATA_AD_LEN,
			      len - WIRE_DATA_AD_LEN, plain) < 0)
		return CHANNEL_FORGED;
	window_mark(&c->rx_window, seq);
	valid = wire_data_get(plain, &d);
	crypto_wipe(plain, sizeof(plain));
	wrong = valid ? judge_data(c, &d, seq) : CHANNEL_END_VIOLATION;
	if (wrong == CHANNEL_END_NONE && d.type == WIRE_CLOSE) {
		c->peer_reason = d.reason;
		c->queue_len = 0;
		finish(c, d.sas == CHANNEL_SAS_DIFFERS ? CHANNEL_END_SAS_DIFFERS
						       : CHANNEL_END_PEER_CLOSED);
		return CHANNEL_ENDED;
	}
	if (wrong == CHANNEL_END_NONE && d.sas == CHANNEL_SAS_DIFFERS)
		wrong = CHANNEL_END_SAS_DIFFERS;
	if (wrong == CHANNEL_END_NONE)
		take_data(c, &d, seq);
	crypto_wipe(&d, sizeof(d));
	if (wrong != CHANNEL_END_NONE)
		return end_with(c, wrong);
	return c->end == CHANNEL_END_NONE ? CHANNEL_OK : CHANNEL_ENDED;
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
		return receive_data(c, blob, len);
	default:
		return CHANNEL_MALFORMED;
	}
}

/* ---- time ---------------------------------------------------------------------------------------------------------- */

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

	pass_time(c, now);
	if (c->end != CHANNEL_END_NONE)
		return;
	if (c->now - c->born >= CHANNEL_AGE_MAX) {
		channel_close(c, CHANNEL_END_AGE, c->now);
	} else if (!c->confirmed) {
		if (c->now >= give_up_at(c, &why)) {
			channel_close(c, why, c->now);
		} else if (c->now >= c->resend_at && resendable(c)) {
			queue_put(c, resendable(c));
			c->resend_gap *= 2;
			if (c->resend_gap > CHANNEL_RESEND_MAX)
				c->resend_gap = CHANNEL_RESEND_MAX;
			c->resend_at = c->now + c->resend_gap;
		}
	} else if (c->now >= c->alive_until + CHANNEL_ERASE_AFTER) {
		channel_close(c, CHANNEL_END_LOST, c->now);
	} else if (c->now >= c->beat_at) {
		send_heartbeat(c);
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

/* ---- what the session code asks and says --------------------------------------------------------------------------- */

int channel_set_local(struct channel *c, uint16_t granted, uint16_t captured, enum channel_sas sas,
		      bool gate, uint64_t now)
{
	struct channel_claims claims = {
		.captured = captured, .granted = granted, .sas = sas, .gate = gate
	};

	channel_tick(c, now);
	if (c->end != CHANNEL_END_NONE)
		return -ENOTCONN;
	if ((granted | captured) & ~c->accepted[channel_own_dir(c)] || sas >= CHANNEL_SAS_COUNT)
		return -EINVAL;
	if (claims.captured == c->local.captured && claims.granted == c->local.granted &&
	    claims.sas == c->local.sas && claims.gate == c->local.gate)
		return 0;
	c->local = claims;
	if (sas == CHANNEL_SAS_DIFFERS)
		channel_close(c, CHANNEL_END_SAS_DIFFERS, c->now);
	else
		want_heartbeat(c);
	return 0;
}

int channel_media_key(struct channel *c, enum channel_dir dir, unsigned int kind, uint64_t now,
		      uint8_t ret_key[CHANNEL_KEY_LEN])
{
	if (dir > CHANNEL_R2I || kind < CHANNEL_MICROPHONE || kind > CHANNEL_MIXED)
		return -EINVAL;
	channel_tick(c, now);
	if (channel_state(c, c->now) != CHANNEL_STATE_LIVE)
		return -ENOTCONN;
	if (kind & ~c->accepted[dir])
		return -EACCES;
	wire_media_key(c->prk, dir, kind, ret_key);
	if (kind & ~c->fetched[dir]) {
		c->fetched[dir] |= kind;
		want_heartbeat(c);
	}
	return 0;
}

enum channel_state channel_state(const struct channel *c, uint64_t now)
{
	if (c->end != CHANNEL_END_NONE)
		return CHANNEL_STATE_CLOSED;
	if (c->confirmed)
		return now < c->alive_until && c->now < c->alive_until ? CHANNEL_STATE_LIVE
								       : CHANNEL_STATE_STALLED;
	if (c->role == CHANNEL_INITIATOR)
		return c->fin.len ? CHANNEL_STATE_HANDSHAKING : CHANNEL_STATE_RINGING;
	return c->resp.len ? CHANNEL_STATE_HANDSHAKING : CHANNEL_STATE_NEW;
}

enum channel_role channel_role(const struct channel *c)
{
	return c->role;
}

const uint8_t *channel_sid(const struct channel *c)
{
	return c->sid;
}

bool channel_sas(const struct channel *c, char ret[CHANNEL_SAS_LEN])
{
	uint32_t n = c->sas;

	if (!c->has_sas)
		return false;
	for (int i = CHANNEL_SAS_LEN - 2; i >= 0; i--) {
		if (i == 3 || i == 7) {
			ret[i] = ' ';
			continue;
		}
		ret[i] = (char)('0' + n % 10);
		n /= 10;
	}
	ret[CHANNEL_SAS_LEN - 1] = '\0';
	return true;
}

const uint8_t *channel_peer_key(const struct channel *c)
{
	return c->has_peer_static ? c->peer_static : NULL;
}

bool channel_confirmed(const struct channel *c)
{
	return c->confirmed;
}

uint64_t channel_alive_until(const struct channel *c)
{
	return c->confirmed ? c->alive_until : 0;
}

uint16_t channel_offered(const struct channel *c, enum channel_dir dir)
{
	return c->offer.media[dir] & CHANNEL_KINDS;
}

uint16_t channel_accepted(const struct channel *c, enum channel_dir dir)
{
	return c->accepted[dir];
}

unsigned int channel_interval_ms(const struct channel *c)
{
	return c->interval_ms;
}

bool channel_peer_claims(const struct channel *c, struct channel_claims *ret)
{
	if (!c->has_peer_claims)
		return false;
	*ret = c->peer;
	return true;
}

enum channel_level channel_level(const struct channel *c, unsigned int kind)
{
	enum channel_level own, peer;

	if (!c->confirmed || (kind != CHANNEL_MICROPHONE && kind != CHANNEL_CAMERA))
		return CHANNEL_LEVEL_NONE;
	own = own_level(c, kind);
	peer = c->peer.level[kind == CHANNEL_CAMERA];
	return own < peer ? own : peer;
}

enum channel_end channel_end_reason(const struct channel *c)
{
	return c->end;
}

uint8_t channel_peer_reason(const struct channel *c)
{
	return c->peer_reason;
}
