/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which programs have camera or microphone while a session lasts. */
#ifndef CALLGATE_USAGE_H
#define CALLGATE_USAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "capture.h"
#include "channel.h"
#include "record.h"

struct reader;
struct writer;

#define USAGE_KINDS    3 /* microphone, camera, speaker; the first two are the channel's */
#define USAGE_PROGRAMS 8 /* that are named in one session; the last stands for all further ones */

/**
 * struct usage_span - time in which at least one capture of a kind ran
 * @running: how many do; @since: when the first of them began; @ns: what is over. Times are ns on CLOCK_BOOTTIME
 */
struct usage_span {
	unsigned int running;
	uint64_t since, ns;
};

/**
 * struct usage_program
 * @name: its path, the end of a longer one; any bytes
 * @spans: of microphone, camera and speaker
 */
struct usage_program {
	char name[RECORD_PROGRAM_MAX + 1];
	struct usage_span spans[USAGE_KINDS];
};

/**
 * struct usage - of one session that has not ended
 * @began: nothing before it is counted any more
 * @level: the last one while it was live; history.c's
 * @blind: there was no gate, at least for a while: what captured then was not seen
 * @own: what the session itself captured
 * @programs: all of its user's that captured meanwhile, in it or not; NULL while none has, which is most of the time
 */
struct usage {
	LIST_ENTRY(usage) all;
	const struct captures *captures;
	uint64_t id;
	uid_t uid;
	uint64_t began;
	bool blind;
	enum channel_level level;
	struct usage_span own[USAGE_KINDS];
	struct usage_program *programs;
	unsigned int n;
};

struct usages {
	LIST_HEAD(, usage) all;
	const struct captures *captures;
};

void usages_init(struct usages *usages, const struct captures *captures);
void usages_deinit(struct usages *usages);

/* Begins to watch, with what captures already; without a gate nothing is seen. NULL: no memory. */
struct usage *usage_new(struct usages *usages, uint64_t session, uid_t uid, bool gate,
			uint64_t now);
struct usage *usage_free(struct usage *usage);
/* Counts what captures already; once, before any news. */
void usage_watch(struct usage *usage);

/* usage-carry.c: for the next process of the daemon. NULL is what is not counted, for want of memory. */
void usage_pack(const struct usage *usage, uint64_t now, struct writer *w);
/* In the place of what @usage counted. false: not what usage_pack() writes, or no memory. */
bool usage_unpack(struct usage *usage, uint64_t now, struct reader *r);

void usages_started(struct usages *usages, const struct capture *stream);
void usages_stopped(struct usages *usages, const struct capture *stream, uint64_t now);
/* No stream is known any more; gate: but those that run are told again. */
void usages_lost(struct usages *usages, bool gate, uint64_t now);

/* What is over and what runs, until now. */
uint64_t usage_ns(const struct usage_span *span, uint64_t now);
/* Whole seconds, rounded up: what ran at all is not nothing. */
uint32_t usage_seconds(const struct usage_span *span, uint64_t now);
/* Fills in kinds, seconds and uses. */
void usage_record(const struct usage *usage, uint64_t now, struct record *ret_record);
/* For the other end: the last part of each path, no more. */
void usage_list(const struct usage *usage, uint64_t now, struct channel_programs *ret_list);
/* Sentences for the user at the end; contact is a name, peer what the other side told of itself or NULL. */
void usage_text(const struct usage *usage, uint64_t now, const char *contact,
		const struct channel_programs *peer, char *ret_text, size_t size);

#endif
