// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What was counted of a session so far, as bytes, so that a session that outlives its daemon is one record. Captures that run
 * are not in it: the gate reports them to the next process, since when they run. Called by call-carry.c. Must not write files.
 */
#include "history.h"

#include <stdlib.h>
#include <string.h>

#include "record.h"
#include "util/bytes.h"
#include "util/text.h"

void history_pack(const struct call *call, struct writer *w)
{
	const struct history_call *mine = call->history;
	const struct record *record;

	writer_u8(w, mine != NULL);
	if (mine == NULL)
		return;
	record = mine->record;
	writer_be64(w, mine->began);
	writer_be64(w, mine->ns[0]);
	writer_be64(w, mine->ns[1]);
	writer_u8(w, (uint8_t)mine->level);
	writer_u8(w, record != NULL ? (uint8_t)record->n_uses : 0);
	for (size_t i = 0; record != NULL && i < record->n_uses; i++) {
		writer_u8(w, record->uses[i].kind);
		writer_be32(w, record->uses[i].seconds);
		writer_text(w, record->uses[i].program);
	}
}

static bool take_uses(struct reader *r, struct record *record)
{
	record->n_uses = reader_u8(r);
	if (record->n_uses > RECORD_USES_MAX)
		return false;
	for (size_t i = 0; i < record->n_uses; i++) {
		record->uses[i].kind = reader_u8(r);
		record->uses[i].seconds = reader_be32(r);
		reader_text(r, record->uses[i].program, sizeof(record->uses[i].program));
		if (record->uses[i].kind != RECORD_MICROPHONE &&
		    record->uses[i].kind != RECORD_CAMERA)
			return false;
	}
	return !r->bad;
}

bool history_unpack(struct call *call, struct reader *r)
{
	struct history_call counted = { .began = 0 }, *mine = call->history;
	struct record *record;
	uint8_t has = reader_u8(r);

	if (has != 1)
		return has == 0 && !r->bad;
	counted.began = reader_be64(r);
	counted.ns[0] = reader_be64(r);
	counted.ns[1] = reader_be64(r);
	counted.level = reader_u8(r);
	record = calloc(1, sizeof(*record));
	if (record == NULL || !take_uses(r, record) || counted.level >= CHANNEL_LEVEL_COUNT ||
	    counted.began > call_clock()) {
		free(record);
		return false;
	}
	/* The policy may keep none any more. */
	if (mine == NULL || record->n_uses == 0) {
		free(record);
		record = NULL;
	}
	if (mine == NULL)
		return true;
	mine->began = counted.began;
	memcpy(mine->ns, counted.ns, sizeof(mine->ns));
	mine->level = counted.level;
	mine->record = record;
	return true;
}
