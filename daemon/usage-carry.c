// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What was counted of a session so far, as bytes, so that a session that outlives its daemon is one record. Captures that
 * run go on being counted from the time of packing, once the gate has reported them to the next process. Called by
 * call-carry.c. Must not write files.
 */
#include "usage.h"

#include <stdlib.h>
#include <string.h>

#include "util/bytes.h"

void usage_pack(const struct usage *usage, uint64_t now, struct writer *w)
{
	writer_u8(w, usage != NULL);
	if (usage == NULL)
		return;
	writer_be64(w, now);
	writer_u8(w, (uint8_t)usage->level);
	writer_u8(w, usage->blind);
	for (unsigned int kind = 0; kind < USAGE_KINDS; kind++)
		writer_be64(w, usage_ns(&usage->own[kind], now));
	writer_u8(w, (uint8_t)usage->n);
	for (unsigned int i = 0; i < usage->n; i++) {
		writer_text(w, usage->programs[i].name);
		for (unsigned int kind = 0; kind < USAGE_KINDS; kind++)
			writer_be64(w, usage_ns(&usage->programs[i].spans[kind], now));
	}
}

static void take_programs(struct reader *r, struct usage *usage)
{
	unsigned int n = reader_u8(r);

	if (n > USAGE_PROGRAMS)
		r->bad = true;
	if (r->bad || n == 0)
		return;
	usage->programs = calloc(USAGE_PROGRAMS, sizeof(*usage->programs));
	if (usage->programs == NULL) {
		r->bad = true;
		return;
	}
	for (usage->n = 0; usage->n < n; usage->n++) {
		struct usage_program *program = &usage->programs[usage->n];

		reader_text(r, program->name, sizeof(program->name));
		for (unsigned int kind = 0; kind < USAGE_KINDS; kind++)
			program->spans[kind].ns = reader_be64(r);
	}
}

bool usage_unpack(struct usage *usage, uint64_t now, struct reader *r)
{
	struct usage taken = { .n = 0 };
	uint8_t has = reader_u8(r);

	if (has != 1)
		return has == 0 && !r->bad;
	taken.began = reader_be64(r);
	taken.level = reader_u8(r);
	taken.blind = reader_flag(r);
	for (unsigned int kind = 0; kind < USAGE_KINDS; kind++)
		taken.own[kind].ns = reader_be64(r);
	take_programs(r, &taken);
	if (r->bad || taken.level >= CHANNEL_LEVEL_COUNT || taken.began > now) {
		free(taken.programs);
		return false;
	}
	if (usage == NULL) {
		free(taken.programs);
		return true;
	}
	free(usage->programs);
	usage->began = taken.began;
	usage->level = taken.level;
	usage->blind |= taken.blind;
	memcpy(usage->own, taken.own, sizeof(usage->own));
	usage->programs = taken.programs;
	usage->n = taken.n;
	usage_watch(usage);
	return true;
}
