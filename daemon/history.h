/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What becomes a record, and when it is written. */
#ifndef CALLGATE_HISTORY_H
#define CALLGATE_HISTORY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "call.h"
#include "capture.h"
#include "journal.h"
#include "policy.h"
#include "refusal.h"
#include "user.h"

struct history_user;
struct record;

/**
 * struct history_call - a session that has not ended
 * @running: captures of the session itself, by kind; @since: when the first of them began; @ns: what is over
 * @record: which programs captured meanwhile; NULL while none has, which is most of the time
 */
struct history_call {
	LIST_ENTRY(history_call) all;
	uint64_t id;
	uid_t uid;
	uint64_t began;
	unsigned int running[2];
	uint64_t since[2], ns[2];
	enum channel_level level;
	struct record *record;
};

/**
 * struct history
 * @tell: a sentence for a user
 */
struct history {
	LIST_HEAD(, history_user) all;
	LIST_HEAD(, history_call) calls;
	unsigned int count;
	const struct policy *policy;
	struct users *users;
	const struct captures *captures;
	sd_event_source *midnight;
	void (*tell)(void *userdata, uid_t uid, const char *message);
	void *userdata;
};

/* Everything is the caller's. Lets what is older than the policy says expire, of all users, now and at each midnight UTC. */
int history_init(struct history *history, sd_event *event, const struct policy *policy,
		 struct users *users, const struct captures *captures,
		 void (*tell)(void *userdata, uid_t uid, const char *message), void *userdata);
/* Writes what waits, and ends the calls that are left. */
void history_deinit(struct history *history);

/* May this user have a new session, as far as the history goes? 0; 1: refused. */
int history_check(struct history *history, uid_t uid, struct refusal *ret_refusal);

void history_session_added(struct history *history, struct call *call);
void history_session_changed(const struct call *call);
void history_session_removed(struct history *history, struct call *call);
void history_stream_started(struct history *history, const struct capture *stream);
void history_stream_stopped(struct history *history, const struct capture *stream);
/* history-carry.c: what was counted of a session, for the next process; unpacking fills what history_session_added() made. */
void history_pack(const struct call *call, struct writer *w);
/* false: not what history_pack() writes. */
bool history_unpack(struct call *call, struct reader *r);
/* No stream is known any more. */
void history_streams_lost(struct history *history);
void history_denied(struct history *history, const struct capture *attempt);

/* The user's journal, with everything written that can be. -ENODATA: the policy keeps none; another negative errno. */
int history_journal(struct history *history, uid_t uid, struct journal **ret_journal);
/* Days since 1970, UTC. */
uint32_t history_today(void);

#endif
