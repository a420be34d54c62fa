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

/**
 * struct history
 * @tell: a sentence for a user
 */
struct history {
	LIST_HEAD(, history_user) all;
	unsigned int count;
	const struct policy *policy;
	struct users *users;
	sd_event_source *midnight, *counting;
	void (*tell)(void *userdata, uid_t uid, const char *message);
	void *userdata;
};

/* Everything is the caller's. Lets what is older than the policy says expire, of all users, now and at each midnight UTC. */
int history_init(struct history *history, sd_event *event, const struct policy *policy,
		 struct users *users, void (*tell)(void *userdata, uid_t uid, const char *message),
		 void *userdata);
/* Writes what waits. */
void history_deinit(struct history *history);

/* May this user have a new session, as far as the history goes? 0; 1: refused. */
int history_check(struct history *history, uid_t uid, struct refusal *ret_refusal);

void history_session_changed(const struct call *call);
void history_session_removed(struct history *history, const struct call *call);
void history_denied(struct history *history, const struct capture *attempt);

/* The user's journal, with everything written that can be. -ENODATA: the policy keeps none; another negative errno. */
int history_journal(struct history *history, uid_t uid, struct journal **ret_journal);
/* Days since 1970, UTC. */
uint32_t history_today(void);

#endif
