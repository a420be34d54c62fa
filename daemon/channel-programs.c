// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Owns what the two ends tell each other about the programs that had camera or microphone: the list that goes out, a
 * program with each heartbeat, round after round, and the list that comes in. Must not seal, nor decide when a heartbeat is
 * due. Called by channel.c and channel-data.c, and by the session code for the lists.
 *
 * Security argument: the list is the other machine's word and nothing follows from it. It is bounded, each name was checked
 * by channel-wire.c, and only a round that came whole is shown. A list is as authentic as any DATA: whoever has the keys can
 * have made it, which are both ends, so that it convinces the other one and nobody else.
 */
#include "channel-private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Made for the first list, so that a call without any needs no memory for them. NULL: there is none. */
static struct programs *get_programs(struct channel *c)
{
	if (!c->programs)
		c->programs = calloc(1, sizeof(*c->programs));
	return c->programs;
}

static bool same_programs(const struct channel_programs *a, const struct channel_programs *b)
{
	if (a->n != b->n)
		return false;
	for (unsigned int i = 0; i < a->n; i++) {
		if (strcmp(a->list[i].name, b->list[i].name) != 0)
			return false;
		for (unsigned int kind = 0; kind < 2; kind++)
			if (!a->list[i].seconds[kind] != !b->list[i].seconds[kind])
				return false;
	}
	return true;
}

int channel_tell_programs(struct channel *c, const struct channel_programs *list, uint64_t now)
{
	struct programs *p;
	bool news;

	channel_tick(c, now);
	if (c->end != CHANNEL_END_NONE)
		return -ENOTCONN;
	if (list->n > CHANNEL_PROGRAMS_MAX)
		return -EINVAL;
	if (!c->takes_programs[channel_own_dir(c)])
		return -EOPNOTSUPP;
	p = get_programs(c);
	if (!p)
		return -ENOMEM;
	news = !p->tells || !same_programs(&p->own, list);
	p->own = *list;
	p->tells = true;
	if (news)
		channel_data_beat_soon(c);
	return 0;
}

bool channel_takes_programs(const struct channel *c)
{
	return c->takes_programs[channel_own_dir(c)];
}

bool channel_peer_programs(const struct channel *c, struct channel_programs *ret)
{
	if (!c->programs || !c->programs->heard)
		return false;
	*ret = c->programs->peer;
	return true;
}

bool channel_programs_next(struct channel *c, struct wire_program *ret)
{
	struct programs *p = c->programs;

	if (!p || !p->tells)
		return false;
	/* A round is one list: what changed meanwhile waits for the next. */
	if (p->at >= p->said.n) {
		p->said = p->own;
		p->at = 0;
		p->round++;
	}
	*ret = (struct wire_program){ .round = p->round,
				      .index = (uint8_t)p->at,
				      .total = (uint8_t)p->said.n };
	if (p->said.n)
		ret->program = p->said.list[p->at];
	for (unsigned int kind = 0; kind < 2; kind++)
		if (ret->program.seconds[kind] > CHANNEL_PROGRAM_SECONDS)
			ret->program.seconds[kind] = CHANNEL_PROGRAM_SECONDS;
	p->at++;
	return true;
}

void channel_programs_hear(struct channel *c, const struct wire_program *piece)
{
	struct programs *p = get_programs(c);

	if (!p)
		return;
	if (!p->hears || piece->round != p->hearing_round || piece->total != p->hearing.n) {
		p->hears = true;
		p->hearing_round = piece->round;
		p->hearing = (struct channel_programs){ .n = piece->total };
		p->have = 0;
	}
	if (piece->total) {
		p->hearing.list[piece->index] = piece->program;
		p->have |= 1u << piece->index;
	}
	if (p->have != (1u << piece->total) - 1)
		return;
	p->peer = p->hearing;
	p->heard = true;
}
