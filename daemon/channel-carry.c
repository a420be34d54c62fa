// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Owns the bytes in which a running channel passes from one process of the daemon to the next. Pure: where they lie meanwhile
 * is handover.c's. Called by call-carry.c.
 *
 * Security argument: packing takes the keys away from the channel that is packed, so that at any time at most one process can
 * seal, and the counters go with the keys. Only a confirmed channel is packed: of a handshake nothing is left by then but the
 * blobs by which duplicates are told. The bytes are the daemon's own and come back authenticated; what they say is looked at
 * all the same, so that nothing in them can lengthen a life or widen what was accepted.
 *
 * Integers big-endian, in the order in which they are written below.
 */
#include "channel-carry.h"

#include <errno.h>

#include "channel-private.h"

static void blob_put(struct writer *w, const struct blob *b)
{
	writer_u8(w, (uint8_t)b->len);
	writer_copy(w, b->bytes, b->len);
}

static void blob_get(struct reader *r, struct blob *ret)
{
	ret->len = reader_u8(r);
	if (ret->len > sizeof(ret->bytes))
		r->bad = true;
	else
		reader_copy(r, ret->bytes, ret->len);
}

static void pair_put(struct writer *w, const uint16_t pair[2])
{
	writer_be16(w, pair[0]);
	writer_be16(w, pair[1]);
}

static void pair_get(struct reader *r, uint16_t ret[2])
{
	ret[0] = reader_be16(r);
	ret[1] = reader_be16(r);
}

static void claims_put(struct writer *w, const struct channel_claims *claims)
{
	writer_be16(w, claims->captured);
	writer_be16(w, claims->granted);
	writer_u8(w, (uint8_t)claims->level[0]);
	writer_u8(w, (uint8_t)claims->level[1]);
	writer_u8(w, (uint8_t)claims->sas);
	writer_u8(w, claims->gate);
}

/* @allowed: kinds that it may name. */
static void claims_get(struct reader *r, struct channel_claims *ret, uint16_t allowed)
{
	ret->captured = reader_be16(r);
	ret->granted = reader_be16(r);
	ret->level[0] = reader_u8(r);
	ret->level[1] = reader_u8(r);
	ret->sas = reader_u8(r);
	ret->gate = reader_flag(r);
	if ((ret->captured | ret->granted) & ~allowed || ret->level[0] >= CHANNEL_LEVEL_COUNT ||
	    ret->level[1] >= CHANNEL_LEVEL_COUNT || ret->sas >= CHANNEL_SAS_DIFFERS)
		r->bad = true;
}

static void offer_put(struct writer *w, const struct channel *c)
{
	writer_u8(w, (uint8_t)c->role);
	writer_copy(w, c->sid, sizeof(c->sid));
	pair_put(w, c->offer.media);
	pair_put(w, c->accepted);
	for (unsigned int dir = 0; dir < 2; dir++)
		writer_u8(w, c->takes_programs[dir]);
	writer_be32(w, c->interval_ms);
	blob_put(w, &c->init);
	blob_put(w, &c->resp);
	blob_put(w, &c->fin);
}

static void offer_get(struct reader *r, struct channel *c)
{
	c->role = reader_u8(r);
	reader_copy(r, c->sid, sizeof(c->sid));
	pair_get(r, c->offer.media);
	pair_get(r, c->accepted);
	for (unsigned int dir = 0; dir < 2; dir++)
		c->takes_programs[dir] = reader_flag(r);
	c->interval_ms = reader_be32(r);
	blob_get(r, &c->init);
	blob_get(r, &c->resp);
	blob_get(r, &c->fin);
}

static void keys_put(struct writer *w, const struct channel *c)
{
	writer_copy(w, c->own_static, sizeof(c->own_static));
	writer_copy(w, c->peer_static, sizeof(c->peer_static));
	writer_be32(w, c->sas);
	writer_copy(w, c->tx.key, sizeof(c->tx.key));
	writer_copy(w, c->rx.key, sizeof(c->rx.key));
	writer_copy(w, c->prk, sizeof(c->prk));
	writer_be64(w, c->tx_seq);
	writer_be64(w, c->rx_seq);
	writer_be64(w, c->rx_window.highest);
	for (unsigned int i = 0; i < WINDOW_BITS / 64; i++)
		writer_be64(w, c->rx_window.seen[i]);
}

static void keys_get(struct reader *r, struct channel *c)
{
	reader_copy(r, c->own_static, sizeof(c->own_static));
	reader_copy(r, c->peer_static, sizeof(c->peer_static));
	c->sas = reader_be32(r);
	if (c->sas >= WIRE_SAS_NUMBERS)
		r->bad = true;
	reader_copy(r, c->tx.key, sizeof(c->tx.key));
	reader_copy(r, c->rx.key, sizeof(c->rx.key));
	reader_copy(r, c->prk, sizeof(c->prk));
	c->tx_seq = reader_be64(r);
	c->rx_seq = reader_be64(r);
	c->rx_window.highest = reader_be64(r);
	for (unsigned int i = 0; i < WINDOW_BITS / 64; i++)
		c->rx_window.seen[i] = reader_be64(r);
	c->tx.has_key = c->rx.has_key = c->rx_window.any = true;
	c->has_keys = c->has_sas = c->has_peer_static = c->confirmed = true;
}

static void times_put(struct writer *w, const struct channel *c)
{
	writer_be64(w, c->born);
	writer_be64(w, c->now);
	writer_be64(w, c->fin_at);
	writer_be64(w, c->alive_until);
	writer_be64(w, c->last_beat);
	writer_be64(w, c->beat_at);
	for (unsigned int i = 0; i < SENT_MAX; i++)
		writer_be64(w, c->sent_at[i]);
}

static void times_get(struct reader *r, struct channel *c)
{
	c->born = reader_be64(r);
	c->now = reader_be64(r);
	c->fin_at = reader_be64(r);
	c->alive_until = reader_be64(r);
	c->last_beat = reader_be64(r);
	c->beat_at = reader_be64(r);
	for (unsigned int i = 0; i < SENT_MAX; i++)
		c->sent_at[i] = reader_be64(r);
}

bool channel_pack(struct channel *c, struct writer *w)
{
	struct writer mine = *w;

	if (c->end != CHANNEL_END_NONE || !c->confirmed || !c->has_keys || c->queue_len)
		return false;
	offer_put(&mine, c);
	keys_put(&mine, c);
	times_put(&mine, c);
	pair_put(&mine, c->fetched);
	claims_put(&mine, &c->local);
	writer_u8(&mine, c->has_peer_claims);
	claims_put(&mine, &c->peer);
	if (mine.bad) {
		crypto_wipe(w->p, (size_t)(mine.p - w->p));
		return false;
	}
	*w = mine;
	channel_finish(c, CHANNEL_END_SHUTDOWN);
	return true;
}

static bool offer_valid(const struct channel *c)
{
	if (c->role != CHANNEL_INITIATOR && c->role != CHANNEL_RESPONDER)
		return false;
	for (unsigned int dir = 0; dir < 2; dir++)
		if (c->accepted[dir] & ~channel_offered(c, dir) ||
		    c->fetched[dir] & ~c->accepted[dir] ||
		    (c->takes_programs[dir] && !(c->offer.media[dir] & WIRE_MEDIA_PROGRAMS)))
			return false;
	return c->interval_ms >= CHANNEL_INTERVAL_MIN_MS &&
	       c->interval_ms <= CHANNEL_INTERVAL_MAX_MS && c->init.len && c->resp.len &&
	       c->fin.len;
}

static bool counters_valid(const struct channel *c)
{
	return c->tx_seq && c->tx_seq <= SEQ_LIMIT && c->rx_seq && c->rx_seq <= SEQ_LIMIT &&
	       c->rx_window.highest == c->rx_seq;
}

/* Nothing was sent in the future, and no proof reaches further than one that was sent at the last moment. */
static bool times_valid(const struct channel *c, uint64_t now)
{
	uint64_t interval = channel_interval_ns(c);

	if (c->now > now || c->born > c->now || c->fin_at > c->now || c->last_beat > c->now)
		return false;
	for (unsigned int i = 0; i < SENT_MAX; i++)
		if (c->sent_at[i] > c->now)
			return false;
	return c->alive_until <= c->now + CHANNEL_DEAD_INTERVALS * interval &&
	       c->beat_at <= c->now + 2 * interval;
}

int channel_unpack(struct channel **ret, const struct channel_params *params, struct reader *r,
		   uint64_t now)
{
	_cleanup_(channel_free_p) struct channel *c = NULL;

	if (!params->peer_allowed)
		return -EINVAL;
	c = crypto_secret_new(sizeof(*c));
	if (!c)
		return errno ? -errno : -ENOMEM;
	c->peer_allowed = params->peer_allowed;
	c->random = params->random;
	c->data = params->data;
	offer_get(r, c);
	keys_get(r, c);
	times_get(r, c);
	pair_get(r, c->fetched);
	claims_get(r, &c->local, c->accepted[channel_own_dir(c)]);
	c->has_peer_claims = reader_flag(r);
	claims_get(r, &c->peer, c->accepted[PEER(channel_own_dir(c))]);
	if (r->bad || !offer_valid(c) || !counters_valid(c) || !times_valid(c, now))
		return -EBADMSG;
	c->resend_at = UINT64_MAX;
	*ret = TAKE_PTR(c);
	return 0;
}
