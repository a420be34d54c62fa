// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Owns the two machines, their clocks, and the relay's hands: what waits, what was ever sent, what is done to a blob on its
 * way. Each machine does with its channel what the daemon's call.c does: tick when due, carry, take the facts, ask
 * session_granted(). Must not judge: oracle.c does. Called by schedule.c.
 */
#include "sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/bytes.h"

#define EPHEMERALS 48

static const uint8_t statics[2][32] = { { 0xa1, 2, 3 }, { 0xb1, 5, 6 } };

uint64_t draw(uint64_t *rng)
{
	uint64_t z = *rng += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

void trace(const struct world *w, const char *format, ...)
{
	va_list args;

	if (!w->verbose)
		return;
	va_start(args, format);
	printf("# %12.3f  ", (double)w->now / (double)SEC);
	vprintf(format, args);
	putchar('\n');
	va_end(args);
}

uint64_t local_clock(const struct world *w, unsigned int side)
{
	return w->now + w->machines[side].offset;
}

bool run_open(const struct run *r)
{
	return r && r->c && channel_end_reason(r->c) == CHANNEL_END_NONE;
}

static bool awake(const struct world *w, unsigned int side)
{
	return w->now >= w->machines[side].asleep_until;
}

/* ---- what a channel is made from ---- */

/* The ephemeral key is a run's first draw of 32 bytes; there are few of them, and each is used once in a schedule. */
static void sim_random(void *data, void *ret, size_t len)
{
	struct run *r = data;
	uint8_t *p = ret;

	if (len == 32 && r->draws++ == 0) {
		memset(p, 0x40, len);
		p[1] = (uint8_t)(r->side + 1);
		p[2] = (uint8_t)r->number;
		return;
	}
	for (size_t i = 0; i < len; i += 8) {
		uint64_t v = draw(&r->rng);

		memcpy(p + i, &v, len - i < 8 ? len - i : 8);
	}
}

static bool sim_allowed(void *data, const uint8_t *key)
{
	struct run *r = data;
	uint8_t other[32];

	crypto_x25519_public(statics[!r->side], other);
	return memcmp(key, other, sizeof(other)) == 0 && !r->w->setting.refuse[r->side];
}

static struct run *run_new(struct world *w, unsigned int side, struct channel_params *params)
{
	const struct setting *s = &w->setting;
	struct run *r = &w->runs[w->n_runs];
	struct message *messages = r->messages;
	size_t room = r->room;

	_Static_assert(RUNS_MAX < EPHEMERALS, "an ephemeral key for each run");
	*r = (struct run){
		.w = w,
		.side = side,
		.number = w->n_runs,
		.rng = w->rng + w->n_runs * UINT64_C(0x632be59bd9b4e019),
		.born = local_clock(w, side),
		.messages = messages,
		.room = room,
	};
	*params = (struct channel_params){
		.static_key = statics[side],
		.offered = { s->offered[0], s->offered[1] },
		.interval_ms = s->interval_ms,
		.gate = w->machines[side].gate,
		.peer_allowed = sim_allowed,
		.random = sim_random,
		.data = r,
	};
	r->facts.asked = POLICY_KIND_DEVICES;
	return r;
}

static void run_made(struct world *w, struct run *r)
{
	w->machines[r->side].run = r;
	w->n_runs++;
	w->tally->runs++;
}

void world_crash(struct world *w, unsigned int side)
{
	struct run *r = w->machines[side].run;

	if (r && r->c)
		r->c = channel_free(r->c);
	w->machines[side].run = NULL;
}

void world_start(struct world *w, unsigned int side)
{
	struct channel_params params;
	struct run *r = w->machines[side].run;

	if (w->n_runs == RUNS_MAX || run_open(r) || !awake(w, side))
		return;
	world_crash(w, side);
	r = run_new(w, side, &params);
	r->approved = r->facts.approved = true;
	r->facts.approved_kinds = params.offered[0];
	r->facts.approved_on = POLICY_ASK_WINDOW;
	if (channel_new_initiator(&r->c, &params, local_clock(w, side)) != 0)
		abort();
	run_made(w, r);
	trace(w, "%c calls: run %u", 'A' + side, r->number);
	world_after(r);
}

static void take_init(struct world *w, unsigned int side, const struct blob *b)
{
	uint64_t after = w->setting.accept_after[side];
	struct channel_params params;
	struct run *r;

	if (w->n_runs == RUNS_MAX)
		return;
	world_crash(w, side);
	r = run_new(w, side, &params);
	if (channel_new_responder(&r->c, &params, b->bytes, b->len, local_clock(w, side)) != 0)
		return;
	r->accept_at = after == UINT64_MAX ? after : w->now + after;
	run_made(w, r);
	if (w->sabotage == SABOTAGE_UNAPPROVED) {
		world_accept(w, side);
		r->approved = false;
	}
	trace(w, "%c rings: run %u", 'A' + side, r->number);
	world_after(r);
}

void world_accept(struct world *w, unsigned int side)
{
	struct run *r = w->machines[side].run;
	uint64_t now = local_clock(w, side);
	uint16_t accepted[2];

	if (!run_open(r) || r->approved || !awake(w, side))
		return;
	/* As call-peer.c: all of theirs, and of one's own what was approved. */
	accepted[CHANNEL_I2R] = channel_offered(r->c, CHANNEL_I2R);
	accepted[CHANNEL_R2I] = channel_offered(r->c, CHANNEL_R2I) & w->setting.accepted[1];
	r->accept_at = UINT64_MAX;
	channel_tick(r->c, now);
	if (run_open(r)) {
		r->approved = r->facts.approved = true;
		r->facts.approved_kinds = w->setting.accepted[1];
		r->facts.approved_on = POLICY_ASK_WINDOW;
		w->acting = r;
		/* The caller's key may have become a point of low order on its way. */
		if (channel_accept(r->c, accepted, now) != 0 &&
		    channel_end_reason(r->c) != CHANNEL_END_WEAK_POINT)
			wrong(w, "an approval in time was not taken");
		w->acting = NULL;
		trace(w, "%c accepts", 'A' + side);
	}
	world_after(r);
}

/* ---- blobs ---- */

static void wait_for(struct world *w, uint64_t due, uint64_t carried, unsigned int to,
		     unsigned int mutation, uint64_t random)
{
	if (w->n_pending == PENDING_MAX)
		return;
	w->pending[w->n_pending++] = (struct pending){
		.due = due, .carried = carried, .to = to, .mutation = mutation, .random = random
	};
}

/* Takes one blob from a machine: into the store, and on its way as the relay pleases now. */
static void sent(struct world *w, struct run *r, const struct blob *b)
{
	uint64_t n = w->n_carried++, delay = w->setting.delay, dice;
	unsigned int to = !r->side;

	w->carried[n % CARRIED_MAX] = (struct carried){ .b = *b, .from = r->number };
	switch (w->machines[r->side].mode) {
	case CARRY_PROMPTLY:
		wait_for(w, w->now + delay, n, to, 0, 0);
		break;
	case CARRY_BADLY:
		dice = draw(&w->rng);
		if (dice % 10 < 3)
			break;
		delay += (dice >> 8) % (3 * SEC);
		wait_for(w, w->now + delay, n, to, (dice >> 40) % 20 == 0 ? 1 : 0, dice);
		if ((dice >> 50) % 10 == 0)
			wait_for(w, w->now + 2 * delay, n, to, 0, 0);
		break;
	case CARRY_NOTHING:
	case CARRY_COUNT:
		break;
	}
}

static void tick(struct run *r);

static void mutate(const struct world *w, const struct run *at, struct carried *c,
		   unsigned int mutation, uint64_t random)
{
	const struct blob before = c->b;
	struct blob *b = &c->b;
	size_t pos = random % b->len;

	switch (mutation) {
	case 1:
		b->bytes[pos] ^= (uint8_t)(1 << (random >> 32) % 8);
		break;
	case 2:
		b->len = pos;
		break;
	case 3:
		b->len = b->len + 1 + pos % (CHANNEL_BLOB_MAX - b->len);
		break;
	case 4:
		b->bytes[1] = (uint8_t)((random >> 32) % 6);
		break;
	case 5: /* into the session that is open now */
		if (at)
			memcpy(b->bytes + 2, channel_sid(at->c), CHANNEL_SID_LEN);
		break;
	case 6:
		if (b->len > 30)
			put_be64(b->bytes + 22, random >> 20);
		break;
	case 7:
		if (b->len > 22)
			put_be32(b->bytes + 18, 1);
		break;
	case 8: /* a point of low order, rarely, as it may end the run */
		if (b->len > 60 && (random >> 32) % 8 == 0)
			memset(b->bytes + 18 + (b->bytes[1] == WIRE_INIT ? 6 : 0), 0, 32);
		break;
	case 9:
		for (size_t i = 18; i < b->len; i++)
			b->bytes[i] = (uint8_t)draw(&random);
		break;
	default:
		return;
	}
	c->mutated |= before.len != b->len || memcmp(before.bytes, b->bytes, b->len) != 0;
}

void world_deliver(struct world *w, unsigned int to, uint64_t carried, unsigned int mutation,
		   uint64_t random)
{
	struct machine *m = &w->machines[to];
	struct run *r = m->run;
	struct carried c;
	uint64_t now = local_clock(w, to);

	if (carried >= w->n_carried || carried + CARRIED_MAX <= w->n_carried || !awake(w, to))
		return;
	c = w->carried[carried % CARRIED_MAX];
	mutate(w, r && r->c ? r : NULL, &c, mutation, random);
	w->tally->delivered++;
	w->work++;
	/* A run whose time is over must find that out by itself when a blob arrives, as after a suspend. */
	if (run_open(r) && !oracle_over(r, now))
		tick(r);
	/* New claims may have made a heartbeat due. */
	if (run_open(r) && !oracle_over(r, now) && channel_next_timeout(r->c) <= now)
		tick(r);
	if (r && r->c && (run_open(r) || c.b.bytes[1] != WIRE_INIT)) {
		enum channel_result result = oracle_receive(r, &c.b, &c, now);

		trace(w, "%c gets blob %llu (type %u of run %u%s): %s", 'A' + to,
		      (unsigned long long)carried, c.b.bytes[1], c.from,
		      c.mutated ? ", changed" : "", channel_result_name(result));
		world_after(r);
	} else if (c.b.len > 1 && c.b.bytes[1] == WIRE_INIT) {
		take_init(w, to, &c.b);
	}
}

/* ---- the daemon's part ---- */

static void drain(struct run *r)
{
	struct blob b;

	while (channel_poll_output(r->c, b.bytes, &b.len)) {
		oracle_output(r, &b);
		sent(r->w, r, &b);
	}
}

static void evaluate(struct run *r)
{
	struct world *w = r->w;
	struct session_facts *f = &r->facts;
	const struct machine *m = &w->machines[r->side];
	uint64_t now = local_clock(w, r->side), until;
	enum channel_sas sas = CHANNEL_SAS_NOT_COMPARED;
	struct policy policy = w->setting.policy;
	uint32_t kinds, own;

	f->gate = m->gate;
	f->blocked = m->blocked;
	f->offered = true;
	f->met = channel_peer_key(r->c) != NULL;
	f->alive_until = channel_alive_until(r->c);
	if (w->sabotage == SABOTAGE_STALE_FACTS)
		f->alive_until = r->alive_expected + 60 * SEC;
	if (!f->confirmed && channel_confirmed(r->c)) {
		f->confirmed = true;
		f->confirmed_at = now;
		w->tally->live[r->side]++;
	}
	w->acting = r;
	if (channel_end_reason(r->c) != CHANNEL_END_NONE)
		f->end = SESSION_END_BROKEN;
	else if (session_expiry(f, &w->setting.policy, now) != SESSION_OPEN) {
		f->end = session_expiry(f, &w->setting.policy, now);
		channel_close(r->c, CHANNEL_END_LOST, now);
	}
	if (w->sabotage == SABOTAGE_LOOSE_POLICY)
		policy.unverified_kinds = POLICY_KIND_DEVICES;
	if (w->sabotage == SABOTAGE_BLOCK_IGNORED)
		f->blocked = 0;
	kinds = session_granted(f, &policy, now, &until);
	oracle_captures(r, kinds, until, now);
	if (f->confirmed && f->end == SESSION_OPEN) {
		own = channel_accepted(r->c, channel_own_dir(r->c));
		if (f->verification == SESSION_VERIFIED)
			sas = CHANNEL_SAS_MATCHES;
		if (channel_set_local(r->c, kinds & own, kinds & own, sas, m->gate, now) != 0)
			wrong(w, "honest claims were refused");
		if (channel_state(r->c, now) == CHANNEL_STATE_STALLED)
			w->tally->stalled++;
	}
	w->acting = NULL;
}

/* After anything that a channel did. */
void world_after(struct run *r)
{
	drain(r);
	evaluate(r);
	drain(r);
	if (r->w->sabotage == SABOTAGE_NOT_WIPED && !run_open(r))
		r->c->prk[0] = 1;
	oracle_check(r);
}

/* ---- time ---- */

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* When the machine next has something to do by itself, in the world's time. */
static uint64_t machine_due(const struct world *w, unsigned int side)
{
	const struct machine *m = &w->machines[side];
	uint64_t at = UINT64_MAX, next;

	if (!run_open(m->run))
		return at;
	next = earlier(channel_next_timeout(m->run->c),
		       session_next_change(&m->run->facts, &w->setting.policy,
					   local_clock(w, side)));
	if (next != UINT64_MAX)
		at = next - m->offset + w->setting.late;
	if (!m->run->approved)
		at = earlier(at, m->run->accept_at);
	if (at < m->asleep_until)
		at = m->asleep_until;
	return at > w->now ? at : w->now;
}

static void tick(struct run *r)
{
	uint64_t now = local_clock(r->w, r->side);

	r->w->acting = r;
	channel_tick(r->c, now);
	r->w->acting = NULL;
	if (channel_next_timeout(r->c) <= now)
		wrong(r->w, "a tick that leaves itself due");
	world_after(r);
}

static void machine_wakes(struct world *w, unsigned int side)
{
	struct run *r = w->machines[side].run;

	w->work++;
	tick(r);
	if (run_open(r) && !r->approved && r->accept_at <= w->now)
		world_accept(w, side);
}

static bool deliver_pending(struct world *w)
{
	for (unsigned int i = 0; i < w->n_pending; i++) {
		struct pending p = w->pending[i];

		if (p.due > w->now || !awake(w, p.to))
			continue;
		/* In the order of sending where the times are equal. */
		memmove(&w->pending[i], &w->pending[i + 1],
			(w->n_pending - i - 1) * sizeof(w->pending[0]));
		w->n_pending--;
		world_deliver(w, p.to, p.carried, p.mutation, p.random);
		return true;
	}
	return false;
}

void world_pass(struct world *w, uint64_t ns)
{
	uint64_t end = w->now + ns, at;

	for (;;) {
		while (!w->wrong && deliver_pending(w))
			;
		if (w->work > WORK_MAX)
			w->cut = true;
		if (w->wrong || w->cut)
			return;
		at = earlier(machine_due(w, 0), machine_due(w, 1));
		for (unsigned int i = 0; i < w->n_pending; i++) {
			const struct pending *p = &w->pending[i];
			uint64_t due = p->due;

			if (due < w->machines[p->to].asleep_until)
				due = w->machines[p->to].asleep_until;
			at = earlier(at, due);
		}
		if (at > end)
			break;
		w->now = at > w->now ? at : w->now;
		/* After a suspend, blobs may come to the machine before its own timer does. */
		if (w->setting.blobs_first)
			while (!w->wrong && deliver_pending(w))
				;
		for (unsigned int side = 0; side < 2; side++)
			if (machine_due(w, side) <= w->now && awake(w, side))
				machine_wakes(w, side);
	}
	w->now = end;
}

void world_begin(struct world *w, const struct setting *s, uint64_t seed)
{
	w->now = SEC;
	w->rng = seed;
	w->setting = *s;
	w->n_runs = 0;
	w->n_carried = 0;
	w->n_pending = 0;
	w->acting = NULL;
	w->work = 0;
	w->cut = false;
	w->wrong = NULL;
	for (unsigned int side = 0; side < 2; side++)
		w->machines[side] = (struct machine){ .offset = s->offset[side], .gate = true };
	hooks_begin(w);
}

void world_end(struct world *w)
{
	world_crash(w, 0);
	world_crash(w, 1);
}
