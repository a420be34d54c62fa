// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Owns what really happened between the two machines, seen from outside the channel: each message at the moment at which it
 * is sealed, each key, each blob. Holds every invariant against that. Must not steer. Called by world.c
 * and, for what is sealed, by hooks.c.
 */
#include "sim.h"

#include <stdlib.h>
#include <string.h>

#include "util/bytes.h"

/* What each sabotage is to break; what else it breaks on the way does not show that this one is looked at. */
static const char *const broken[SABOTAGE_COUNT] = {
	[SABOTAGE_ALIVE_FROM_ARRIVAL] = "alive_until is beyond what the other end really did",
	[SABOTAGE_NO_WINDOW] = "one message was taken twice",
	[SABOTAGE_NUMBER_TWICE] = "two messages under one key and nonce",
	[SABOTAGE_OTHER_KEYS] = "both ends confirmed, and their media keys or numbers differ",
	[SABOTAGE_NEVER_LOST] = "a session does not end",
	[SABOTAGE_NOT_WIPED] = "a secret outlives its channel",
	[SABOTAGE_STALE_FACTS] = "capture beyond the last proof of life",
	[SABOTAGE_UNAPPROVED] = "capture without approval",
	[SABOTAGE_LOOSE_POLICY] = "capture for an unverified peer that is not allowed",
	[SABOTAGE_BLOCK_IGNORED] = "capture that is blocked",
};

void wrong(struct world *w, const char *what)
{
	if (broken[w->sabotage] && strcmp(broken[w->sabotage], what) != 0)
		return;
	if (!w->wrong) {
		w->wrong = what;
		trace(w, "WRONG: %s", what);
	}
}

/* ---- sealing ---- */

static bool tell_lie(struct run *r, enum lie lie, uint8_t plain[WIRE_PAYLOAD_LEN])
{
	bool beat = plain[0] == WIRE_HEARTBEAT;
	uint16_t accepted = r->c->accepted[channel_own_dir(r->c)];

	switch (lie) {
	case LIE_ECHO_FAR:
		put_be64(plain + 13, UINT64_C(1) << 40);
		return true;
	case LIE_ECHO_NEXT:
		if (!r->partner || !r->partner->c)
			return false;
		put_be64(plain + 13, r->partner->n_messages ? r->partner->n_messages : 1);
		return true;
	case LIE_ECHO_EPOCH:
		put_be32(plain + 9, 1);
		return true;
	case LIE_ECHO_NONE:
		if (beat)
			put_be64(plain + 13, 0);
		return beat;
	case LIE_MEDIA:
		put_be16(plain + 23, (uint16_t)(accepted ^ CHANNEL_KINDS ?: 0x8000));
		return true;
	case LIE_NUMBER:
		put_be64(plain + 1, get_be64(plain + 1) + 1);
		return true;
	case LIE_GATE:
		plain[28] = 2;
		return true;
	case LIE_SAS:
		plain[27] = CHANNEL_SAS_COUNT;
		return true;
	case LIE_DIFFERS:
		plain[27] = CHANNEL_SAS_DIFFERS;
		return true;
	case LIE_PADDING:
		plain[WIRE_PAYLOAD_LEN - 1] = 1;
		return true;
	case LIE_TYPE:
		plain[0] = 9;
		return true;
	case LIE_READY:
		if (beat)
			plain[0] = WIRE_READY;
		return beat;
	case LIE_LEVEL:
		plain[25] = 7;
		return true;
	case LIE_NONE:
	case LIE_COUNT:
		break;
	}
	return false;
}

static void learn_keys(struct run *r)
{
	struct world *w = r->w;

	if (r->has_keys || !r->c || !r->c->has_keys)
		return;
	r->has_keys = true;
	memcpy(r->tx_key, r->c->tx.key, sizeof(r->tx_key));
	memcpy(r->rx_key, r->c->rx.key, sizeof(r->rx_key));
	r->sas = r->c->sas;
	for (unsigned int i = 0; i < w->n_runs; i++) {
		struct run *o = &w->runs[i];

		if (o == r || !o->has_keys)
			continue;
		if (memcmp(o->tx_key, r->tx_key, 32) == 0)
			wrong(w, "two runs send under one key");
		if (memcmp(o->tx_key, r->rx_key, 32) || memcmp(o->rx_key, r->tx_key, 32))
			continue;
		if (o->side == r->side || o->partner || r->partner)
			wrong(w, "keys shared by more than one run at each end");
		o->partner = r;
		r->partner = o;
		if (o->sas != r->sas)
			wrong(w, "one handshake, two numbers");
	}
	/* The initiator is the first to have them. */
	if (r->c->role == CHANNEL_RESPONDER && !r->partner)
		wrong(w, "a responder has keys that no initiator has");
}

static uint64_t dead_time_of(const struct run *r)
{
	return CHANNEL_DEAD_INTERVALS * channel_interval_ns(r->c);
}

static bool sent_time(const struct run *r, uint64_t seq, uint64_t *ret)
{
	if (seq == 0)
		*ret = r->fin_at;
	else if (seq < r->n_messages)
		*ret = r->messages[seq].at;
	else
		return false;
	return seq || r->has_fin;
}

static void raise_time(uint64_t *t, uint64_t to)
{
	if (to > *t)
		*t = to;
}

void oracle_message(struct run *r, const uint8_t *key, uint64_t seq, uint8_t *plain)
{
	struct world *w = r->w;
	uint64_t now = local_clock(w, r->side), echoed;
	struct machine *m = &w->machines[r->side];
	enum lie lie = LIE_NONE;

	learn_keys(r);
	if (!r->has_keys || memcmp(key, r->tx_key, 32) != 0)
		wrong(w, "DATA under a key that is not the sender's");
	if (m->lie != LIE_NONE && tell_lie(r, m->lie, plain)) {
		lie = m->lie;
		m->lie = LIE_NONE;
		w->tally->lies[lie]++;
	}
	if (seq == 0 || (r->n_messages ? seq != r->n_messages : seq != 1))
		wrong(w, "numbers of DATA do not count up by one from 1");
	if (r->n_messages + 2 > r->room) {
		r->room = r->room ? 2 * r->room : 64;
		r->messages = realloc(r->messages, r->room * sizeof(*r->messages));
		if (!r->messages)
			abort();
	}
	if (!r->n_messages)
		r->n_messages = 1;
	seq = r->n_messages++;
	r->messages[seq] = (struct message){ .at = now, .lie = lie };
	memcpy(r->messages[seq].plain, plain, WIRE_PAYLOAD_LEN);
	if (plain[0] == WIRE_HEARTBEAT) {
		if (r->last_beat &&
		    now - r->last_beat < channel_interval_ns(r->c) / CHANNEL_URGENT_FRACTION)
			wrong(w, "heartbeats closer than an eighth of an interval");
		r->last_beat = now;
	}
	if (r->partner && r->partner->c && sent_time(r->partner, get_be64(plain + 13), &echoed))
		raise_time(&r->partner->alive_true, echoed + dead_time_of(r->partner));
}

/* ---- what comes out, and what it leaves behind ---- */

void oracle_output(struct run *r, const struct blob *b)
{
	struct world *w = r->w;
	unsigned int type = b->bytes[1];
	struct blob *made;

	if (b->len > CHANNEL_BLOB_MAX || type < WIRE_INIT || type > WIRE_DATA)
		wrong(w, "a blob that is none");
	if (r->c->role == CHANNEL_RESPONDER && !r->approved)
		wrong(w, "a responder spoke before its user accepted");
	if (type == WIRE_DATA) {
		uint64_t seq = get_be64(b->bytes + 22);

		if (seq == 0 || seq >= r->n_messages)
			wrong(w, "DATA that was never sealed");
		if (seq != 1)
			return;
	}
	made = &r->made[type];
	if (!made->len) {
		*made = *b;
		if (type == WIRE_FIN) {
			r->has_fin = true;
			r->fin_at = local_clock(w, r->side);
		}
	} else if (made->len != b->len || memcmp(made->bytes, b->bytes, b->len) != 0) {
		wrong(w, "one run made two different handshake blobs of one type");
	}
}

static bool all_zero(const void *p, size_t len)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < len; i++)
		if (b[i])
			return false;
	return true;
}

static void check_wiped(struct run *r)
{
	const struct channel *c = r->c;

	if (!all_zero(&c->hs, sizeof(c->hs)) || !all_zero(&c->next, sizeof(c->next)) ||
	    !all_zero(&c->tx, sizeof(c->tx)) || !all_zero(&c->rx, sizeof(c->rx)) ||
	    !all_zero(c->prk, sizeof(c->prk)) || !all_zero(c->nonce, sizeof(c->nonce)) ||
	    !all_zero(c->peer_nonce, sizeof(c->peer_nonce)) || !all_zero(c->m_i, sizeof(c->m_i)) ||
	    c->sas)
		wrong(r->w, "a secret outlives its channel");
	if (channel_confirmed(c) || channel_alive_until(c) || channel_next_timeout(c) != UINT64_MAX)
		wrong(r->w, "an ended channel claims life");
}

bool oracle_over(const struct run *r, uint64_t now)
{
	uint64_t age = now - r->born;

	if (!r->c->confirmed)
		return age >= (r->c->role == CHANNEL_INITIATOR ? 150 : 180) * SEC;
	return age >= CHANNEL_AGE_MAX || now >= r->alive_expected + CHANNEL_ERASE_AFTER;
}

/* After a tick at the machine's own time and all output taken. */
void oracle_check(struct run *r)
{
	const struct channel *c = r->c;
	uint64_t now = local_clock(r->w, r->side);
	struct world *w = r->w;

	if (channel_end_reason(c) != CHANNEL_END_NONE) {
		if (!r->ended_seen) {
			r->ended_seen = true;
			w->tally->ends[channel_end_reason(c)]++;
			check_wiped(r);
			if (channel_end_reason(c) == CHANNEL_END_COMMITMENT)
				wrong(w, "an honest caller's commitment was refused");
		}
		return;
	}
	learn_keys(r);
	/* Its own timer may be late, and whoever changes a setting of the user's comes before it. */
	if (now - r->born >= w->setting.late && oracle_over(r, now - w->setting.late))
		wrong(w, "a run outlives its bound");
	if (!c->confirmed)
		return;
	if (c->alive_until != r->alive_expected)
		wrong(w, "alive_until is not what the rule says");
	if (c->alive_until > r->alive_true)
		wrong(w, "alive_until is beyond what the other end really did");
	if (!r->partner)
		wrong(w, "confirmed with nobody at the other end");
	if (!r->has_prk) {
		r->has_prk = true;
		memcpy(r->prk, c->prk, sizeof(r->prk));
	}
	if (memcmp(c->tx.key, r->tx_key, 32) || memcmp(c->rx.key, r->rx_key, 32) ||
	    memcmp(c->prk, r->prk, sizeof(r->prk)) || c->sas != r->sas)
		wrong(w, "keys changed within a run");
	if (r->partner && r->partner->has_prk &&
	    (memcmp(r->prk, r->partner->prk, sizeof(r->prk)) != 0 || r->sas != r->partner->sas))
		wrong(w, "both ends confirmed, and their media keys or numbers differ");
	if (r->partner && r->partner->c && run_open(r->partner) && r->partner->c->confirmed &&
	    (memcmp(c->accepted, r->partner->c->accepted, sizeof(c->accepted)) != 0 ||
	     c->interval_ms != r->partner->c->interval_ms ||
	     memcmp(c->peer_static, r->partner->c->own_static, 32) != 0))
		wrong(w, "both ends confirmed, and they agreed on different things");
}

void oracle_captures(struct run *r, uint32_t kinds, uint64_t until, uint64_t now)
{
	const struct session_facts *f = &r->facts;
	const struct policy *p = &r->w->setting.policy;
	struct world *w = r->w;

	if (!kinds)
		return;
	w->tally->captures++;
	if (!r->approved)
		wrong(w, "capture without approval");
	if (kinds & ~f->approved_kinds)
		wrong(w, "capture of more than was approved");
	if (channel_end_reason(r->c) != CHANNEL_END_NONE)
		wrong(w, "capture after the end");
	if (!r->partner || r->partner->n_messages < 2)
		wrong(w, "capture without a confirmed other end");
	if (now >= r->alive_true || until > r->alive_true)
		wrong(w, "capture beyond the last proof of life");
	if (until > now + SESSION_GRANT_NS || until <= now)
		wrong(w, "a grant of the wrong length");
	if (kinds & w->machines[r->side].blocked || !w->machines[r->side].gate)
		wrong(w, "capture that is blocked");
	if (f->verification != SESSION_VERIFIED &&
	    (kinds & ~p->unverified_kinds ||
	     (f->verification == SESSION_UNCOMPARED && until > f->confirmed_at + p->unverified_ns)))
		wrong(w, "capture for an unverified peer that is not allowed");
	if (now >= r->born + CHANNEL_AGE_MAX)
		wrong(w, "capture after 12 hours");
}

/* ---- what comes in ---- */

static enum channel_end lie_ends(enum lie lie)
{
	switch (lie) {
	case LIE_ECHO_FAR:
	case LIE_ECHO_NEXT:
	case LIE_ECHO_EPOCH:
	case LIE_ECHO_NONE:
		return CHANNEL_END_ECHO;
	case LIE_MEDIA:
		return CHANNEL_END_MEDIA;
	case LIE_DIFFERS:
		return CHANNEL_END_SAS_DIFFERS;
	case LIE_NUMBER:
	case LIE_GATE:
	case LIE_SAS:
	case LIE_PADDING:
	case LIE_TYPE:
	case LIE_READY:
		return CHANNEL_END_VIOLATION;
	case LIE_NONE:
	case LIE_LEVEL:
	case LIE_COUNT:
		break;
	}
	return CHANNEL_END_NONE;
}

/* A genuine message of the partner that must count now. */
static void judge_taken(struct run *r, struct message *m, uint64_t seq, size_t sent_before,
			enum channel_result result)
{
	uint64_t echo = get_be64(m->plain + 13), at;
	enum channel_end due = lie_ends(m->lie);
	struct channel_claims claims;
	struct world *w = r->w;

	if (m->taken)
		wrong(w, "one message was taken twice");
	m->taken = true;
	if (m->lie == LIE_ECHO_NEXT && echo < sent_before)
		due = CHANNEL_END_NONE; /* by now it was sent */
	if (m->plain[0] == WIRE_CLOSE && due == CHANNEL_END_NONE)
		due = m->plain[27] == CHANNEL_SAS_DIFFERS ? CHANNEL_END_SAS_DIFFERS
							  : CHANNEL_END_PEER_CLOSED;
	if (m->plain[27] == CHANNEL_SAS_DIFFERS && due == CHANNEL_END_NONE)
		due = CHANNEL_END_SAS_DIFFERS;
	if (due != CHANNEL_END_NONE) {
		if (result != CHANNEL_ENDED)
			wrong(w, due == CHANNEL_END_ECHO
					 ? "an echo of what was never sent did not end it"
					 : "a genuine message that must end it did not");
		else if (channel_end_reason(r->c) != due)
			wrong(w, "ended for another reason than its own");
		return;
	}
	if (result != CHANNEL_OK) {
		wrong(w, "a genuine message was not taken");
		return;
	}
	if (sent_time(r, echo, &at) && (!echo || sent_before - 1 - echo < SENT_MAX)) {
		raise_time(&r->alive_expected, at + dead_time_of(r));
		if (m->lie == LIE_ECHO_NEXT)
			raise_time(&r->alive_true, at + dead_time_of(r));
	}
	if (seq > r->taken_highest)
		r->taken_highest = seq;
	m = &r->partner->messages[r->taken_highest];
	if (!channel_peer_claims(r->c, &claims) || claims.captured != get_be16(m->plain + 21) ||
	    claims.granted != get_be16(m->plain + 23) || claims.sas != m->plain[27] ||
	    claims.level[0] != (m->plain[25] < CHANNEL_LEVEL_COUNT ? m->plain[25] : 0))
		wrong(w, "the claims that count are not those of the newest message");
}

static void sabotage(struct run *r, enum sabotage s, uint64_t now)
{
	struct channel *c = r->c;

	if (c->end != CHANNEL_END_NONE)
		return;
	if (s == SABOTAGE_ALIVE_FROM_ARRIVAL && c->confirmed)
		c->alive_until = now + dead_time_of(r);
	if (s == SABOTAGE_NO_WINDOW)
		memset(&c->rx_window, 0, sizeof(c->rx_window));
	if (s == SABOTAGE_NUMBER_TWICE && c->tx_seq == 3)
		c->tx_seq--;
	if (s == SABOTAGE_OTHER_KEYS && c->confirmed && r->side == 1)
		c->prk[0] ^= 1;
	if (s == SABOTAGE_NEVER_LOST && c->confirmed)
		c->alive_until = UINT64_MAX / 2;
}

enum channel_result oracle_receive(struct run *r, const struct blob *b,
				   const struct carried *origin, uint64_t now)
{
	struct world *w = r->w;
	const struct run *from = &w->runs[origin->from];
	bool data = b->len == WIRE_DATA_LEN && b->bytes[1] == WIRE_DATA;
	bool genuine = !origin->mutated && r->partner == from;
	static struct channel before;
	struct message *m = NULL;
	enum channel_result result;
	bool open = run_open(r), over = open && oracle_over(r, now);
	bool fits = false;
	size_t sent_before = r->n_messages;
	uint64_t seq = 0;

	memcpy(&before, r->c, sizeof(before));
	if (data && genuine && open && !over && r->has_keys) {
		seq = get_be64(b->bytes + 22);
		m = &r->partner->messages[seq];
		fits = r->c->has_keys && !m->taken &&
		       (seq > r->c->rx_window.highest ||
			r->c->rx_window.highest - seq < WINDOW_BITS);
	}
	w->acting = r;
	result = channel_receive(r->c, b->bytes, b->len, now);
	w->acting = NULL;
	w->tally->results[result]++;
	learn_keys(r);
	if (over && result != CHANNEL_CLOSED)
		wrong(w, "a blob was looked at after the end of its run's time");
	if (over)
		return result;
	if (m && (fits || result == CHANNEL_OK || result == CHANNEL_ENDED))
		judge_taken(r, m, seq, sent_before, result);
	switch (result) {
	case CHANNEL_OK:
		if (origin->mutated || from->side == r->side || r->partner == NULL)
			if (b->bytes[1] != WIRE_RESP || origin->mutated || from->side == r->side)
				wrong(w, "a forged blob was taken");
		if (data && r->partner != from)
			wrong(w, "another run's message was taken");
		break;
	case CHANNEL_ENDED:
		if (origin->mutated && channel_end_reason(r->c) != CHANNEL_END_WEAK_POINT)
			wrong(w, "a forged blob ended a run");
		break;
	case CHANNEL_DUPLICATE:
		break;
	default:
		/* @next is scratch, @nonce of the receiving cipher is set before each use; time passes. */
		before.now = r->c->now;
		before.next = r->c->next;
		before.rx.nonce = r->c->rx.nonce;
		if (memcmp(&before, r->c, sizeof(before)) != 0)
			wrong(w, "a blob that was dropped changed something");
	}
	if (w->sabotage != SABOTAGE_NONE)
		sabotage(r, w->sabotage, now);
	return result;
}
