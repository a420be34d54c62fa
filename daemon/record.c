// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The record codec: what the history holds of a session and of denied attempts, its bytes, and the one list of it that
 * people are shown. Pure. Must not encrypt (record-segment.c does) nor know where a record comes from. Called by history.c
 * when it writes, by callgatectl when it reads.
 *
 * There is one encoding of every record; what is not it is refused, so that nothing can hide in a record.
 */
#include "record.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "util/bytes.h"
#include "util/hex.h"
#include "util/text.h"

#define VERSION	      1
#define FLAG_INCOMING 1u
#define BOTH	      (1u << RECORD_SESSION | 1u << RECORD_DENIED)
#define SESSION	      (1u << RECORD_SESSION)
#define DENIED	      (1u << RECORD_DENIED)

/* ---- what there is ------------------------------------------------------------------------------ */

static const char *kind_name(uint8_t kinds)
{
	static const char *const names[] = {
		"",	   "microphone",	 "camera",	   "microphone camera",
		"speaker", "microphone speaker", "camera speaker", "microphone camera speaker",
	};

	return kinds < sizeof(names) / sizeof(names[0]) ? names[kinds] : "";
}

static void get_type(const struct record *record, char *text, size_t size)
{
	snprintf(text, size, "%s", record->type == RECORD_SESSION ? "session" : "denied");
}

static void get_start(const struct record *record, char *text, size_t size)
{
	snprintf(text, size, "%" PRIu64, record->start);
}

static void get_end(const struct record *record, char *text, size_t size)
{
	snprintf(text, size, "%" PRIu64, record->end);
}

static void get_unit(const struct record *record, char *text, size_t size)
{
	snprintf(text, size, "%" PRIu32, record->unit);
}

static void get_kinds(const struct record *record, char *text, size_t size)
{
	snprintf(text, size, "%s", kind_name(record->kinds));
}

static void get_microphone(const struct record *record, char *text, size_t size)
{
	snprintf(text, size, "%" PRIu32, record->seconds[0]);
}

static void get_camera(const struct record *record, char *text, size_t size)
{
	snprintf(text, size, "%" PRIu32, record->seconds[1]);
}

static void get_count(const struct record *record, char *text, size_t size)
{
	snprintf(text, size, "%" PRIu32, record->count);
}

static void get_app(const struct record *record, char *text, size_t size)
{
	snprintf(text, size, "%s", record->app);
}

static void get_peer(const struct record *record, char *text, size_t size)
{
	static const uint8_t nobody[RECORD_PEER_LEN];
	char hex[2 * RECORD_PEER_LEN + 1];

	hex_encode(record->peer, RECORD_PEER_LEN, hex);
	snprintf(text, size, "%s", memcmp(record->peer, nobody, sizeof(nobody)) ? hex : "");
}

static void get_direction(const struct record *record, char *text, size_t size)
{
	snprintf(text, size, "%s", record->incoming ? "incoming" : "outgoing");
}

static void get_level(const struct record *record, char *text, size_t size)
{
	snprintf(text, size, "%s", record->level);
}

static void get_auth(const struct record *record, char *text, size_t size)
{
	snprintf(text, size, "%s", record->auth);
}

static void get_reason(const struct record *record, char *text, size_t size)
{
	snprintf(text, size, "%s", record->end_reason);
}

static void get_uses(const struct record *record, char *text, size_t size)
{
	size_t at = 0;
	int n;

	text[0] = '\0';
	for (size_t i = 0; i < record->n_uses && at < size; i++) {
		n = snprintf(text + at, size - at, "%s%s %" PRIu32 " s %s", i ? "; " : "",
			     kind_name(record->uses[i].kind), record->uses[i].seconds,
			     record->uses[i].program);
		at += n > 0 ? (size_t)n : 0;
	}
}

static const struct record_field fields[] = {
	{ "type", BOTH, true, "whether it is a call or a denied attempt", get_type },
	{ "start", BOTH, false, "when it began, rounded down; of an attempt only the day",
	  get_start },
	{ "end", BOTH, false, "when it ended, rounded down; of an attempt only the day", get_end },
	{ "unit", BOTH, false, "to how many seconds the times are rounded", get_unit },
	{ "app", BOTH, true, "the app that called, or the program that tried", get_app },
	{ "kinds", BOTH, true, "what was captured in the call, or tried", get_kinds },
	{ "microphone_seconds", SESSION, false,
	  "for how many seconds the call captured the microphone", get_microphone },
	{ "camera_seconds", SESSION, false, "for how many seconds the call captured the camera",
	  get_camera },
	{ "direction", SESSION, true, "who called", get_direction },
	{ "peer", SESSION, true, "a pseudonym of the other side, another one each day", get_peer },
	{ "authentication", SESSION, true, "whether the other side's key was known or compared",
	  get_auth },
	{ "level", SESSION, true,
	  "how far the media was bound to the channel; local: not a call, not encrypted",
	  get_level },
	{ "end_reason", SESSION, true, "why the call ended", get_reason },
	{ "programs", SESSION, true,
	  "which programs had camera or microphone, or heard what was played (speaker), while the call lasted, and for how many seconds",
	  get_uses },
	{ "count", DENIED, false, "how many attempts were denied", get_count },
};

size_t record_fields(const struct record_field **ret_fields)
{
	*ret_fields = fields;
	return sizeof(fields) / sizeof(fields[0]);
}

uint64_t record_coarsen(uint64_t seconds, uint32_t unit)
{
	return unit > 1 ? seconds - seconds % unit : seconds;
}

static uint32_t add_seconds(uint32_t a, uint32_t b)
{
	return a + b < a ? UINT32_MAX : a + b;
}

void record_add_use(struct record *record, const char *program, uint8_t kind, uint32_t seconds)
{
	char shown[RECORD_PROGRAM_MAX + 1];
	size_t len = strlen(program);
	struct record_use *use;

	/* A path's end tells more than its beginning; what is cut in the middle of a character is shown as a mark. */
	if (len > RECORD_PROGRAM_MAX)
		program += len - RECORD_PROGRAM_MAX;
	text_show(shown, sizeof(shown), *program ? program : "unknown");
	for (size_t i = 0; i < record->n_uses; i++) {
		use = &record->uses[i];
		if (use->kind == kind && strcmp(use->program, shown) == 0) {
			use->seconds = add_seconds(use->seconds, seconds);
			return;
		}
	}
	if (record->n_uses == RECORD_USES_MAX) {
		/* The last one becomes the sum of what has no room. */
		use = &record->uses[RECORD_USES_MAX - 1];
		use->kind |= kind;
		use->seconds = add_seconds(use->seconds, seconds);
		snprintf(use->program, sizeof(use->program), "others");
		return;
	}
	use = &record->uses[record->n_uses++];
	use->kind = kind;
	use->seconds = seconds;
	memcpy(use->program, shown, sizeof(shown));
}

/* ---- bytes -------------------------------------------------------------------------------------- */

/* Lower-case words with dashes: what the daemon's tables have. */
static bool is_word(const char *text)
{
	return strspn(text, "abcdefghijklmnopqrstuvwxyz-") == strlen(text) &&
	       strlen(text) <= RECORD_WORD_MAX;
}

static bool kinds_valid(uint8_t kinds)
{
	return (kinds & ~(RECORD_MICROPHONE | RECORD_CAMERA | RECORD_SPEAKER)) == 0;
}

static bool is_valid(const struct record *record)
{
	const struct record plain = { .type = record->type };

	if (record->start > record->end || record->unit == 0 || record->unit > 86400 ||
	    record->start % record->unit || record->end % record->unit ||
	    !text_is_name(record->app, BOUND_LABEL) || !kinds_valid(record->kinds) ||
	    record->n_uses > RECORD_USES_MAX || !is_word(record->level) || !is_word(record->auth) ||
	    !is_word(record->end_reason))
		return false;
	for (size_t i = 0; i < record->n_uses; i++)
		if (!kinds_valid(record->uses[i].kind) || record->uses[i].kind == 0 ||
		    !text_is_name(record->uses[i].program, RECORD_PROGRAM_MAX))
			return false;
	switch (record->type) {
	case RECORD_SESSION:
		return record->count == 0;
	case RECORD_DENIED:
		return record->count > 0 && record->kinds != 0 && record->n_uses == 0 &&
		       !record->incoming && !record->seconds[0] && !record->seconds[1] &&
		       !*record->level && !*record->auth && !*record->end_reason &&
		       memcmp(record->peer, plain.peer, sizeof(plain.peer)) == 0;
	}
	return false;
}

static uint8_t *put_text(uint8_t *p, const char *text)
{
	size_t len = strlen(text);

	put_be16(p, (uint16_t)len);
	memcpy(p + 2, text, len);
	return p + 2 + len;
}

int record_encode(const struct record *record, uint8_t ret[RECORD_LEN_MAX])
{
	uint8_t *p = ret;

	_Static_assert(2 + 16 + 4 + 2 + 12 + RECORD_PEER_LEN + 2 + BOUND_LABEL +
				       3 * (2 + RECORD_WORD_MAX) + 1 +
				       RECORD_USES_MAX * (5 + 2 + RECORD_PROGRAM_MAX) <=
			       RECORD_LEN_MAX,
		       "the longest record has room");
	if (!is_valid(record))
		return -EINVAL;
	*p++ = VERSION;
	*p++ = (uint8_t)record->type;
	put_be64(p, record->start);
	put_be64(p + 8, record->end);
	put_be32(p + 16, record->unit);
	p += 20;
	*p++ = record->kinds;
	*p++ = record->incoming ? FLAG_INCOMING : 0;
	put_be32(p, record->seconds[0]);
	put_be32(p + 4, record->seconds[1]);
	put_be32(p + 8, record->count);
	memcpy(p + 12, record->peer, RECORD_PEER_LEN);
	p = put_text(p + 12 + RECORD_PEER_LEN, record->app);
	p = put_text(p, record->level);
	p = put_text(p, record->auth);
	p = put_text(p, record->end_reason);
	*p++ = (uint8_t)record->n_uses;
	for (size_t i = 0; i < record->n_uses; i++) {
		*p = record->uses[i].kind;
		put_be32(p + 1, record->uses[i].seconds);
		p = put_text(p + 5, record->uses[i].program);
	}
	return (int)(p - ret);
}

static uint64_t take_be64(struct reader *in)
{
	uint64_t high = reader_be32(in);

	return high << 32 | reader_be32(in);
}

static void take_text(struct reader *in, char *ret, size_t max)
{
	size_t len = reader_be16(in);

	if (len > max)
		in->bad = true;
	else
		reader_copy(in, ret, len);
	/* A NUL inside would hide what follows it. */
	if (!in->bad && memchr(ret, '\0', len))
		in->bad = true;
	ret[in->bad ? 0 : len] = '\0';
}

int record_decode(struct record *ret_record, const void *data, size_t len)
{
	struct reader in = { .p = data, .left = len };
	struct record record = { 0 };
	uint8_t flags;

	if (reader_u8(&in) != VERSION)
		return -EBADMSG;
	record.type = reader_u8(&in);
	record.start = take_be64(&in);
	record.end = take_be64(&in);
	record.unit = reader_be32(&in);
	record.kinds = reader_u8(&in);
	flags = reader_u8(&in);
	record.incoming = flags & FLAG_INCOMING;
	record.seconds[0] = reader_be32(&in);
	record.seconds[1] = reader_be32(&in);
	record.count = reader_be32(&in);
	reader_copy(&in, record.peer, sizeof(record.peer));
	take_text(&in, record.app, BOUND_LABEL);
	take_text(&in, record.level, RECORD_WORD_MAX);
	take_text(&in, record.auth, RECORD_WORD_MAX);
	take_text(&in, record.end_reason, RECORD_WORD_MAX);
	record.n_uses = reader_u8(&in);
	if (in.bad || record.n_uses > RECORD_USES_MAX || (flags & ~FLAG_INCOMING))
		return -EBADMSG;
	for (size_t i = 0; i < record.n_uses; i++) {
		record.uses[i].kind = reader_u8(&in);
		record.uses[i].seconds = reader_be32(&in);
		take_text(&in, record.uses[i].program, RECORD_PROGRAM_MAX);
	}
	if (!reader_done(&in) || !is_valid(&record))
		return -EBADMSG;
	*ret_record = record;
	return 0;
}
