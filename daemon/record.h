/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One entry of the private call history: what it has, and its bytes. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bounds.h"

#define RECORD_PEER_LEN	   16
#define RECORD_WORD_MAX	   23  /* bytes of a level, an authentication, an end */
#define RECORD_PROGRAM_MAX 255 /* bytes of a program's path; the end of a longer one is kept */
#define RECORD_USES_MAX	   8   /* programs that are named in one session */
#define RECORD_LEN_MAX	   4096

#define RECORD_MICROPHONE 1u
#define RECORD_CAMERA	  2u
#define RECORD_SPEAKER	  4u /* what was played, through a sound server */

/* In place of a channel's level: it was no call. */
#define RECORD_LEVEL_LOCAL "local"

enum record_type {
	RECORD_SESSION = 1,
	RECORD_DENIED = 2,
};

/**
 * struct record_use - one program that captured one kind while a session lasted, in it or not
 */
struct record_use {
	uint8_t kind;
	uint32_t seconds;
	char program[RECORD_PROGRAM_MAX + 1];
};

/**
 * struct record
 * @start: @end: seconds since 1970 UTC, multiples of @unit; of a denied attempt its day
 * @kinds: captured by the session; of a denied attempt the kind that was tried
 * @seconds: of microphone and camera
 * @count: denied attempts
 * @app: label of the session's owner; of a denied attempt who tried
 * @peer: pseudonym, keyed by the day; zeros: nobody answered
 * @level: @auth: @end_reason: words of the daemon's tables, as they were at the end
 * @uses: which programs had camera or microphone, or heard what was played, while it lasted
 */
struct record {
	enum record_type type;
	uint64_t start, end;
	uint32_t unit;
	uint8_t kinds;
	uint32_t seconds[2];
	uint32_t count;
	char app[BOUND_LABEL + 1];
	uint8_t peer[RECORD_PEER_LEN];
	bool incoming;
	char level[RECORD_WORD_MAX + 1];
	char auth[RECORD_WORD_MAX + 1];
	char end_reason[RECORD_WORD_MAX + 1];
	size_t n_uses;
	struct record_use uses[RECORD_USES_MAX];
};

/**
 * struct record_field - what a record has, for people and for programs; the whole list is record_fields()
 * @name: key in JSON, column in CSV
 * @types: mask of 1 << enum record_type
 * @quoted: a text in JSON; otherwise a number
 * @meaning: a sentence for the report
 * @get: its value as text
 */
struct record_field {
	const char *name;
	unsigned int types;
	bool quoted;
	const char *meaning;
	void (*get)(const struct record *record, char *ret_text, size_t size);
};

/* Longest text that a field's get() makes, with its NUL. */
#define RECORD_TEXT_MAX (RECORD_USES_MAX * (RECORD_PROGRAM_MAX + 32) + 1)

/** record_fields - everything that is recorded; nothing else is. Return: how many */
size_t record_fields(const struct record_field **ret_fields);

/** record_encode - Return: the length, or -EINVAL for a record that record_decode() would refuse */
int record_encode(const struct record *record, uint8_t ret[RECORD_LEN_MAX]);

/** record_decode - Return: 0; -EBADMSG for anything that record_encode() would not have written */
int record_decode(struct record *ret_record, const void *data, size_t len);

/** record_coarsen - a time, rounded down to a whole unit; unit 0 is taken as 1 */
uint64_t record_coarsen(uint64_t seconds, uint32_t unit);

/** record_add_use - counts seconds for a program; those past RECORD_USES_MAX go together as "others" */
void record_add_use(struct record *record, const char *program, uint8_t kind, uint32_t seconds);
