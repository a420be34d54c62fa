// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Follows which programs of a user have camera or microphone while a session of theirs lasts: in memory, with the exact
 * times of the kernel's stream events. Must not keep those times: what leaves here are programs, kinds and whole seconds.
 * Called by manager.c with all news, by history.c for the record, by call.c for what the other end is told.
 *
 * Of several captures of one program at once the time counts once. Other users' programs are not looked at.
 */
#include "usage.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/macro.h"
#include "util/text.h"

#define NS_PER_S 1000000000ull

static const uint8_t kind_of[USAGE_KINDS] = { RECORD_MICROPHONE, RECORD_CAMERA, RECORD_SPEAKER };

/* ---- spans --------------------------------------------------------------------------------------- */

static void span_start(struct usage_span *span, uint64_t since)
{
	if (span->running++ == 0)
		span->since = since;
}

static void span_stop(struct usage_span *span, uint64_t now)
{
	if (span->running == 0 || --span->running != 0)
		return;
	if (now > span->since)
		span->ns += now - span->since;
}

uint64_t usage_ns(const struct usage_span *span, uint64_t now)
{
	return span->ns + (span->running && now > span->since ? now - span->since : 0);
}

uint32_t usage_seconds(const struct usage_span *span, uint64_t now)
{
	uint64_t seconds = (usage_ns(span, now) + NS_PER_S - 1) / NS_PER_S;

	return seconds > UINT32_MAX ? UINT32_MAX : (uint32_t)seconds;
}

/* ---- sessions ------------------------------------------------------------------------------------ */

/* A path's end tells more than its beginning. */
static const char *name_of(const struct capture *stream)
{
	const char *exe = stream->who.exe;
	size_t len = strlen(exe);

	if (len > RECORD_PROGRAM_MAX)
		exe += len - RECORD_PROGRAM_MAX;
	return *exe ? exe : "unknown";
}

static struct usage_program *find_program(const struct usage *usage, const struct capture *stream)
{
	for (unsigned int i = 0; i < usage->n; i++)
		if (strcmp(usage->programs[i].name, name_of(stream)) == 0)
			return &usage->programs[i];
	/* Once there is no more room the last one stands for all that have none. */
	return usage->n == USAGE_PROGRAMS ? &usage->programs[USAGE_PROGRAMS - 1] : NULL;
}

static struct usage_program *get_program(struct usage *usage, const struct capture *stream)
{
	struct usage_program *program = find_program(usage, stream);

	if (program != NULL && strcmp(program->name, name_of(stream)) != 0)
		snprintf(program->name, sizeof(program->name), "others");
	if (program != NULL)
		return program;
	if (usage->programs == NULL)
		usage->programs = calloc(USAGE_PROGRAMS, sizeof(*usage->programs));
	if (usage->programs == NULL)
		return NULL;
	program = &usage->programs[usage->n++];
	/* Zeroed, and name_of() fits. */
	memcpy(program->name, name_of(stream), strlen(name_of(stream)));
	return program;
}

static void started(struct usage *usage, const struct capture *stream)
{
	uint64_t since = stream->since > usage->began ? stream->since : usage->began;
	struct usage_program *program;

	if (usage->uid != stream->who.uid)
		return;
	program = get_program(usage, stream);
	for (unsigned int i = 0; i < USAGE_KINDS; i++) {
		if (!(stream->kinds & kind_of[i]))
			continue;
		if (usage->id == stream->session)
			span_start(&usage->own[i], since);
		if (program != NULL)
			span_start(&program->spans[i], since);
	}
}

void usages_init(struct usages *usages, const struct captures *captures)
{
	LIST_INIT(&usages->all);
	usages->captures = captures;
}

void usages_deinit(struct usages *usages)
{
	while (!LIST_EMPTY(&usages->all))
		usage_free(LIST_FIRST(&usages->all));
}

void usage_watch(struct usage *usage)
{
	const struct capture *stream;

	LIST_FOREACH(stream, &usage->captures->streams, all)
	started(usage, stream);
}

struct usage *usage_new(struct usages *usages, uint64_t session, uid_t uid, bool gate, uint64_t now)
{
	struct usage *usage = calloc(1, sizeof(*usage));

	if (usage == NULL)
		return NULL;
	usage->captures = usages->captures;
	usage->id = session;
	usage->uid = uid;
	usage->began = now;
	usage->blind = !gate;
	LIST_INSERT_HEAD(&usages->all, usage, all);
	usage_watch(usage);
	return usage;
}

struct usage *usage_free(struct usage *usage)
{
	if (usage == NULL)
		return NULL;
	LIST_REMOVE(usage, all);
	free(usage->programs);
	free(usage);
	return NULL;
}

void usages_started(struct usages *usages, const struct capture *stream)
{
	struct usage *usage;

	LIST_FOREACH(usage, &usages->all, all)
	started(usage, stream);
}

void usages_stopped(struct usages *usages, const struct capture *stream, uint64_t now)
{
	struct usage_program *program;
	struct usage *usage;

	LIST_FOREACH(usage, &usages->all, all)
	{
		if (usage->uid != stream->who.uid)
			continue;
		program = find_program(usage, stream);
		for (unsigned int i = 0; i < USAGE_KINDS; i++) {
			if (!(stream->kinds & kind_of[i]))
				continue;
			if (usage->id == stream->session)
				span_stop(&usage->own[i], now);
			if (program != NULL)
				span_stop(&program->spans[i], now);
		}
	}
}

void usages_lost(struct usages *usages, bool gate, uint64_t now)
{
	const struct capture *stream;
	struct usage *usage;

	/* The gate speaks before the state is there. */
	if (usages->captures == NULL)
		return;
	LIST_FOREACH(stream, &usages->captures->streams, all)
	usages_stopped(usages, stream, now);
	LIST_FOREACH(usage, &usages->all, all)
	usage->blind |= !gate;
}

/* ---- what leaves --------------------------------------------------------------------------------- */

void usage_record(const struct usage *usage, uint64_t now, struct record *ret_record)
{
	for (unsigned int i = 0; i < USAGE_KINDS; i++) {
		uint32_t seconds = usage_seconds(&usage->own[i], now);

		/* For how long what is played was heard stands with the programs. */
		if (i < sizeof(ret_record->seconds) / sizeof(ret_record->seconds[0]))
			ret_record->seconds[i] = seconds;
		if (seconds)
			ret_record->kinds |= kind_of[i];
	}
	for (unsigned int i = 0; i < usage->n; i++) {
		const struct usage_program *program = &usage->programs[i];

		for (unsigned int kind = 0; kind < USAGE_KINDS; kind++) {
			uint32_t seconds = usage_seconds(&program->spans[kind], now);

			if (seconds)
				record_add_use(ret_record, program->name, kind_of[kind], seconds);
		}
	}
}

/* The last part of a path, as a name that the protocol takes. */
static void short_name(const char *path, char ret[CHANNEL_PROGRAM_NAME + 1])
{
	const char *slash = strrchr(path, '/');
	size_t len;

	text_show(ret, CHANNEL_PROGRAM_NAME + 1, slash != NULL ? slash + 1 : path);
	for (len = strlen(ret); len > 0 && ret[len - 1] == ' '; len--)
		ret[len - 1] = '\0';
	if (!text_is_name(ret, CHANNEL_PROGRAM_NAME))
		snprintf(ret, CHANNEL_PROGRAM_NAME + 1, "unknown");
}

static struct channel_program *list_entry(struct channel_programs *list, const char *name)
{
	for (unsigned int i = 0; i < list->n; i++)
		if (strcmp(list->list[i].name, name) == 0)
			return &list->list[i];
	snprintf(list->list[list->n].name, sizeof(list->list[0].name), "%s", name);
	return &list->list[list->n++];
}

void usage_list(const struct usage *usage, uint64_t now, struct channel_programs *ret_list)
{
	_Static_assert((int)USAGE_PROGRAMS <= (int)CHANNEL_PROGRAMS_MAX, "all programs fit");
	*ret_list = (struct channel_programs){ .n = 0 };
	for (unsigned int i = 0; i < usage->n; i++) {
		uint32_t seconds[2] = { usage_seconds(&usage->programs[i].spans[0], now),
					usage_seconds(&usage->programs[i].spans[1], now) };
		char name[CHANNEL_PROGRAM_NAME + 1];
		struct channel_program *entry;

		/* One that began at this very moment has had nothing yet. */
		if (!seconds[0] && !seconds[1])
			continue;
		short_name(usage->programs[i].name, name);
		entry = list_entry(ret_list, name);
		for (unsigned int kind = 0; kind < 2; kind++)
			entry->seconds[kind] += seconds[kind];
	}
}

/*
 * "; "ffmpeg": camera 3 s, microphone 3 s". In quotes, of which a name has none, so that it cannot go on with the sentence. Return:
 * the new end of the text
 */
static size_t add_program(char *text, size_t size, size_t at, char *name,
			  const uint32_t seconds[USAGE_KINDS])
{
	static const char *const kinds[USAGE_KINDS] = { "microphone", "camera", "speaker" };
	const char *between = ": ";
	int n;

	for (char *p = name; *p; p++)
		if (*p == '"')
			*p = '\'';
	n = snprintf(text + at, size - at, "%s\"%s\"", at ? "; " : "", name);
	for (int kind = USAGE_KINDS - 1; kind >= 0 && n > 0 && (size_t)n < size - at; kind--) {
		if (!seconds[kind])
			continue;
		at += (size_t)n;
		n = snprintf(text + at, size - at, "%s%s %" PRIu32 " s", between, kinds[kind],
			     seconds[kind]);
		between = ", ";
	}
	return n > 0 && (size_t)n < size - at ? at + (size_t)n : size - 1;
}

void usage_text(const struct usage *usage, uint64_t now, const char *contact,
		const struct channel_programs *peer, char *ret_text, size_t size)
{
	char own[USAGE_PROGRAMS * (RECORD_PROGRAM_MAX + 96)] = "";
	char other[CHANNEL_PROGRAMS_MAX * (CHANNEL_PROGRAM_NAME + 64)] = "";
	size_t at = 0;
	int n;

	for (unsigned int i = 0; i < usage->n; i++) {
		const struct usage_program *program = &usage->programs[i];
		char name[RECORD_PROGRAM_MAX + 1];
		uint32_t seconds[USAGE_KINDS];

		for (unsigned int kind = 0; kind < USAGE_KINDS; kind++)
			seconds[kind] = usage_seconds(&program->spans[kind], now);
		text_show(name, sizeof(name), program->name);
		at = add_program(own, sizeof(own), at, name, seconds);
	}
	at = 0;
	for (unsigned int i = 0; peer != NULL && i < peer->n; i++) {
		const uint32_t seconds[USAGE_KINDS] = { peer->list[i].seconds[0],
							peer->list[i].seconds[1] };
		char name[CHANNEL_PROGRAM_NAME + 1];

		memcpy(name, peer->list[i].name, sizeof(name));
		at = add_program(other, sizeof(other), at, name, seconds);
	}
	if (*own)
		n = snprintf(
			ret_text, size,
			"During the call with %s these programs of yours had camera or microphone: %s.%s",
			contact, own,
			usage->blind ? " For a while there was no gate, and others were not seen."
				     : "");
	else
		n = snprintf(
			ret_text, size, "During the call with %s %s.", contact,
			usage->blind
				? "there was no gate, which alone sees which programs have camera or microphone"
				: "no program of yours had camera or microphone");
	if (peer == NULL || n < 0 || (size_t)n >= size)
		return;
	snprintf(ret_text + n, size - (size_t)n,
		 " %s's machine says of itself%s%s; that is only its word.", contact,
		 *other ? ": " : " that no program had them", other);
}
