// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Owns what a schedule is: a seed, from which the setting follows, and steps that can be left out one by one. Plays them,
 * lets an honest call through in the end where the setting says so, and lets everything run out. Called by main.c.
 */
#include "sim.h"

#include <errno.h>
#include <string.h>

static uint64_t length_of_time(uint64_t a, uint64_t b)
{
	unsigned int dice = a % 2000;

	if (dice < 1100)
		return b % (5 * SEC);
	if (dice < 1700)
		return b % (60 * SEC);
	if (dice < 1980)
		return 60 * SEC + b % (120 * SEC);
	if (dice < 1999)
		return b % (1500 * SEC);
	return 12 * 3600 * SEC + b % (3600 * SEC);
}

static void make_setting(struct setting *s, uint64_t seed)
{
	static const uint16_t intervals[] = { 1000, 2000, 2000, 15000 };
	static const uint16_t offers[][2] = { { 3, 3 }, { 3, 1 }, { 1, 1 }, { 2, 0 }, { 0, 3 } };
	uint64_t rng = seed ^ UINT64_C(0xa0761d6478bd642f);

	memset(s, 0, sizeof(*s));
	policy_init(&s->policy);
	s->interval_ms = intervals[draw(&rng) % 4];
	memcpy(s->offered, offers[draw(&rng) % 5], sizeof(s->offered));
	s->accepted[1] = draw(&rng) % 4;
	s->delay = draw(&rng) % (300 * MSEC);
	s->late = draw(&rng) % 4 ? 0 : draw(&rng) % (3 * SEC);
	s->honest_end = draw(&rng) % 3 == 0;
	s->blobs_first = draw(&rng) % 2;
	s->policy.unverified_kinds = draw(&rng) % 4;
	for (unsigned int side = 0; side < 2; side++) {
		uint64_t dice = draw(&rng);

		s->refuse[side] = dice % 50 == 0;
		dice >>= 8;
		s->accept_after[side] = dice % 10 < 8 ? dice % (8 * SEC) : UINT64_MAX;
		if (dice % 10 == 9)
			s->accept_after[side] = 115 * SEC + dice % (10 * SEC);
		s->offset[side] = draw(&rng) % 2 ? draw(&rng) % (UINT64_C(1) << 50) : 0;
	}
}

void schedule_make(struct schedule *s, uint64_t seed)
{
	static const uint8_t weights[OP_COUNT] = {
		[OP_RUN] = 30,	 [OP_MODE] = 7,	   [OP_DELIVER] = 14, [OP_MUTATE] = 10,
		[OP_FLUSH] = 6,	 [OP_START] = 6,   [OP_CRASH] = 2,    [OP_CLOSE] = 1,
		[OP_ACCEPT] = 3, [OP_SUSPEND] = 3, [OP_COMPARE] = 4,  [OP_MEDIA] = 3,
		[OP_BLOCK] = 2,	 [OP_GATE] = 1,	   [OP_LIE] = 1,
	};
	uint64_t rng = seed;
	unsigned int total = 0, n;

	for (unsigned int i = 0; i < OP_COUNT; i++)
		total += weights[i];
	s->seed = seed;
	n = 10 + (unsigned int)(draw(&rng) % (draw(&rng) % 4 ? 50 : STEPS_MAX - 10));
	s->steps[0] = (struct step){ .op = OP_START };
	s->steps[1] = (struct step){ .op = OP_RUN, .b = draw(&rng) };
	for (s->n = 2; s->n < n; s->n++) {
		unsigned int dice = (unsigned int)(draw(&rng) % total), op = 0;

		while (dice >= weights[op])
			dice -= weights[op++];
		s->steps[s->n] = (struct step){ .op = op, .a = draw(&rng), .b = draw(&rng) };
	}
}

/* Mostly something recent. */
static uint64_t pick(const struct world *w, uint64_t a)
{
	uint64_t kept = w->n_carried < CARRIED_MAX ? w->n_carried : CARRIED_MAX, back;

	if (!kept)
		return 0;
	back = a & 1 ? (a >> 1) % 8 : (a >> 1) % kept;
	return w->n_carried - 1 - (back < kept ? back : kept - 1);
}

/* All that one machine sent lately, to the other: in order, backwards, or mixed. */
static void flush(struct world *w, unsigned int to, uint64_t how)
{
	uint64_t last = w->n_carried, n = last < 40 ? last : 40;

	for (uint64_t i = 0; i < n && !w->wrong; i++) {
		uint64_t at = how % 3 == 0   ? last - n + i
			      : how % 3 == 1 ? last - 1 - i
					     : last - 1 - draw(&w->rng) % n;

		if (w->runs[w->carried[at % CARRIED_MAX].from].side != to)
			world_deliver(w, to, at, 0, 0);
	}
}

static void set_media(struct world *w, struct run *r, uint64_t b)
{
	static uint8_t key[CHANNEL_KEY_LEN], other[CHANNEL_KEY_LEN];
	uint64_t now = local_clock(w, r->side);
	unsigned int kind = 1 + (b >> 8) % 3;
	enum channel_dir dir = b % 2;
	struct run *p = r->partner;
	int got;

	w->acting = r;
	got = channel_media_key(r->c, dir, kind, now, key);
	w->acting = NULL;
	if (got == 0 && (now >= r->alive_true || kind & ~r->c->accepted[dir]))
		wrong(w, "a media key without a live channel or an agreement");
	if (got == 0 && p && run_open(p)) {
		w->acting = p;
		if (channel_media_key(p->c, dir, kind, local_clock(w, p->side), other) == 0 &&
		    memcmp(key, other, sizeof(key)) != 0)
			wrong(w, "two media keys for one stream");
		w->acting = NULL;
		world_after(p);
	}
	trace(w, "%c asks for a media key: %s", 'A' + r->side, got ? strerror(-got) : "given");
	world_after(r);
}

static void play(struct world *w, const struct step *s)
{
	unsigned int side = s->a % 2;
	struct machine *m = &w->machines[side];
	struct run *r = m->run;
	uint64_t now = local_clock(w, side);
	bool can = run_open(r) && w->now >= m->asleep_until;

	w->work++;
	switch (s->op) {
	case OP_RUN:
		trace(w, "time passes: %.3f s", (double)length_of_time(s->a, s->b) / (double)SEC);
		world_pass(w, length_of_time(s->a, s->b));
		break;
	case OP_MODE:
		m->mode = s->b % CARRY_COUNT;
		trace(w, "blobs of %c are now carried %s", 'A' + side,
		      m->mode == CARRY_PROMPTLY ? "promptly"
		      : m->mode == CARRY_BADLY	? "badly"
						: "not at all");
		break;
	case OP_DELIVER:
		world_deliver(w, side, pick(w, s->b), 0, 0);
		break;
	case OP_MUTATE:
		world_deliver(w, side, pick(w, s->b),
			      1 + (unsigned int)((s->a >> 8) % (MUTATIONS - 1)), s->a >> 12);
		break;
	case OP_FLUSH:
		flush(w, side, s->b);
		break;
	case OP_START:
		world_start(w, side);
		break;
	case OP_CRASH:
		trace(w, "%c dies", 'A' + side);
		world_crash(w, side);
		break;
	case OP_CLOSE:
		if (!can)
			break;
		trace(w, "%c hangs up", 'A' + side);
		w->acting = r;
		channel_close(r->c, 1 + s->b % 11, now);
		w->acting = NULL;
		world_after(r);
		break;
	case OP_ACCEPT:
		world_accept(w, side);
		break;
	case OP_SUSPEND:
		m->asleep_until = w->now + length_of_time(s->b >> 32, s->b);
		trace(w, "%c is suspended for %.3f s", 'A' + side,
		      (double)(m->asleep_until - w->now) / (double)SEC);
		break;
	case OP_COMPARE:
		if (!can || !r->facts.confirmed)
			break;
		trace(w, "%c answers about the numbers", 'A' + side);
		if (s->b % 8 == 0) {
			w->acting = r;
			channel_set_local(r->c, 0, 0, CHANNEL_SAS_DIFFERS, m->gate, now);
			w->acting = NULL;
		} else {
			r->facts.verification = s->b % 4 ? SESSION_VERIFIED : SESSION_UNVERIFIED;
		}
		world_after(r);
		break;
	case OP_MEDIA:
		if (can)
			set_media(w, r, s->b);
		break;
	case OP_BLOCK:
		m->blocked = s->b % 4;
		if (can)
			world_after(r);
		break;
	case OP_GATE:
		m->gate = s->b % 4;
		if (can)
			world_after(r);
		break;
	case OP_LIE:
		m->lie = 1 + s->b % (LIE_COUNT - 1);
		trace(w, "%c will lie, kind %u", 'A' + side, m->lie);
		break;
	case OP_COUNT:
		break;
	}
}

/* A call that the relay carries, while it throws everything old at both ends: it must come to life. */
static void honest_call(struct world *w)
{
	struct run *a, *b;

	trace(w, "from here on an honest call");
	for (unsigned int side = 0; side < 2; side++) {
		struct machine *m = &w->machines[side];

		if (m->asleep_until > w->now)
			w->now = m->asleep_until;
		world_crash(w, side);
		*m = (struct machine){ .offset = m->offset, .gate = true };
	}
	if (w->n_runs + 2 > RUNS_MAX)
		return;
	w->n_pending = 0;
	w->setting.refuse[0] = w->setting.refuse[1] = false;
	w->setting.late = 0;
	w->setting.delay = 50 * MSEC;
	w->setting.accept_after[1] = SEC;
	world_start(w, 0);
	world_pass(w, 60 * MSEC);
	for (unsigned int i = 0; i < 20 && !w->wrong; i++) {
		uint64_t dice = draw(&w->rng);
		/* A point of low order would end it, and no one can keep the relay from that. */
		unsigned int mutation = (dice >> 8) % MUTATIONS;

		world_deliver(w, dice % 2, pick(w, dice >> 16), mutation == 8 ? 1 : mutation, dice);
		world_pass(w, (dice >> 20) % (400 * MSEC));
	}
	world_pass(w, 20 * SEC);
	a = w->machines[0].run;
	b = w->machines[1].run;
	if (w->wrong || w->cut)
		return;
	if (!run_open(a) || !run_open(b) || a->partner != b ||
	    channel_state(a->c, local_clock(w, 0)) != CHANNEL_STATE_LIVE ||
	    channel_state(b->c, local_clock(w, 1)) != CHANNEL_STATE_LIVE)
		wrong(w, "a call that was carried did not come to life");
	w->tally->honest_ends++;
}

static void run_out(struct world *w)
{
	trace(w, "from here on nothing is carried");
	w->n_pending = 0;
	for (unsigned int side = 0; side < 2; side++) {
		if (w->machines[side].asleep_until > w->now)
			w->now = w->machines[side].asleep_until;
		w->machines[side].mode = CARRY_NOTHING;
	}
	world_pass(w, 190 * SEC);
	if (!w->cut && (run_open(w->machines[0].run) || run_open(w->machines[1].run)))
		wrong(w, "a session does not end");
}

const char *schedule_play(struct world *w, const struct schedule *s, enum sabotage sabotage,
			  bool verbose)
{
	struct setting setting;

	make_setting(&setting, s->seed);
	w->verbose = verbose;
	w->sabotage = sabotage;
	world_begin(w, &setting, s->seed);
	for (unsigned int i = 0; i < s->n && !w->wrong && !w->cut; i++)
		play(w, &s->steps[i]);
	if (!w->wrong && !w->cut && setting.honest_end)
		honest_call(w);
	if (!w->wrong && !w->cut)
		run_out(w);
	w->tally->schedules++;
	w->tally->cut += w->cut;
	world_end(w);
	return w->wrong;
}

void schedule_shrink(struct world *w, struct schedule *s, enum sabotage sabotage)
{
	const char *what = schedule_play(w, s, sabotage, false);
	static struct schedule less;

	for (unsigned int chunk = s->n / 2 ?: 1; what;) {
		bool any = false;

		for (unsigned int at = 0; at + chunk <= s->n;) {
			less = *s;
			memmove(less.steps + at, less.steps + at + chunk,
				(s->n - at - chunk) * sizeof(s->steps[0]));
			less.n -= chunk;
			if (schedule_play(w, &less, sabotage, false) == what) {
				*s = less;
				any = true;
			} else {
				at++;
			}
		}
		if (chunk == 1 && !any)
			break;
		if (chunk > 1)
			chunk /= 2;
	}
}
