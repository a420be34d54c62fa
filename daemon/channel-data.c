// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Owns what is said under the channel's keys: sealing and opening DATA, what a genuine message may say, what its echo proves,
 * when a heartbeat is due, media keys. Must not touch the handshake. Called by channel.c, and by the session code for
 * claims and media keys.
 *
 * Security argument: life is proven only by the echo of a message of one's own, and only from the time at which that message
 * was sent, so nothing that a relay keeps back can prolong a call. A number is taken once, and only once authenticated.
 */
#include "channel-private.h"

#include <errno.h>

#include "util/bytes.h"

static uint64_t dead_time(const struct channel *c)
{
	return CHANNEL_DEAD_INTERVALS * channel_interval_ns(c);
}

/* Seals one DATA blob. The caller fills type, m_r and reason. False: no number is left. */
bool channel_data_make(struct channel *c, struct wire_data *d, struct blob *ret)
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
	d->levels[0] = channel_own_level(c, CHANNEL_MICROPHONE);
	d->levels[1] = channel_own_level(c, CHANNEL_CAMERA);
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

void channel_data_beat(struct channel *c)
{
	struct wire_data d = { .type = WIRE_HEARTBEAT };
	uint64_t span = 2 * CHANNEL_JITTER_PERCENT * channel_interval_ns(c) / 100;
	uint8_t random[8];
	struct blob b;

	if (channel_programs_next(c, &d.program))
		d.type = WIRE_PROGRAMS;
	if (!channel_data_make(c, &d, &b)) {
		channel_close(c, CHANNEL_END_EXHAUSTED, c->now);
		return;
	}
	channel_queue_put(c, &b);
	channel_draw(c, random, sizeof(random));
	c->last_beat = c->now;
	c->beat_at = c->now + channel_interval_ns(c) - span / 2 + get_be64(random) % (span + 1);
}

void channel_data_beat_soon(struct channel *c)
{
	uint64_t at = c->last_beat + channel_interval_ns(c) / CHANNEL_URGENT_FRACTION;

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
	case WIRE_PROGRAMS:
		if (!c->takes_programs[PEER(channel_own_dir(c))])
			return CHANNEL_END_VIOLATION;
		/* fall through */
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
		if (d->type == WIRE_PROGRAMS)
			channel_programs_hear(c, &d->program);
	}
	if (alive > c->alive_until)
		c->alive_until = alive;
	if (c->confirmed)
		return;
	c->confirmed = true;
	if (d->type == WIRE_READY)
		channel_media_establish(c, d->m_r);
	channel_data_beat(c);
}

enum channel_result channel_data_receive(struct channel *c, const uint8_t *blob, size_t len)
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
		channel_finish(c, d.sas == CHANNEL_SAS_DIFFERS ? CHANNEL_END_SAS_DIFFERS
							       : CHANNEL_END_PEER_CLOSED);
		return CHANNEL_ENDED;
	}
	if (wrong == CHANNEL_END_NONE && d.sas == CHANNEL_SAS_DIFFERS)
		wrong = CHANNEL_END_SAS_DIFFERS;
	if (wrong == CHANNEL_END_NONE)
		take_data(c, &d, seq);
	crypto_wipe(&d, sizeof(d));
	if (wrong != CHANNEL_END_NONE)
		return channel_end_with(c, wrong);
	return c->end == CHANNEL_END_NONE ? CHANNEL_OK : CHANNEL_ENDED;
}

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
		channel_data_beat_soon(c);
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
		channel_data_beat_soon(c);
	}
	return 0;
}
