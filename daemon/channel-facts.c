// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Owns the answers about a channel, each computed from its facts at the moment of asking. Changes nothing.
 */
#include "channel-private.h"

uint64_t channel_interval_ns(const struct channel *c)
{
	return c->interval_ms * CHANNEL_NSEC_PER_MSEC;
}

enum channel_dir channel_own_dir(const struct channel *c)
{
	return c->role == CHANNEL_INITIATOR ? CHANNEL_I2R : CHANNEL_R2I;
}

enum channel_level channel_own_level(const struct channel *c, unsigned int kind)
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
	own = channel_own_level(c, kind);
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
