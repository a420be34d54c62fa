/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Agents, and the questions that they put to people. */
#ifndef CALLGATE_APPROVAL_H
#define CALLGATE_APPROVAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>
#include <systemd/sd-bus.h>

#include "dict.h"
#include "policy.h"
#include "watch.h"

struct question;

/**
 * struct agent
 * @asks: POLICY_ASK_*: on what it asks
 */
struct agent {
	TAILQ_ENTRY(agent) all;
	struct approvals *approvals;
	uid_t uid;
	uint32_t asks;
	char *name;
	char *path;
	struct watch watch;
};

enum question_result {
	QUESTION_ANSWERED,
	QUESTION_TIMEOUT,
	QUESTION_AGENT_GONE,
	QUESTION_REFUSED, /* an error, or an answer that is none */
	_QUESTION_RESULT_MAX
};

/**
 * struct approvals
 * @settled: called for each question that ended by itself, with how long it was open; may be NULL
 * @agents: oldest first; the newest of a user is asked
 */
struct approvals {
	sd_bus *bus;
	struct watches *watches;
	void (*settled)(void *userdata, enum question_result result, uint64_t ns);
	void *userdata;
	TAILQ_HEAD(agent_list, agent) agents;
	TAILQ_HEAD(, question) questions;
};

void approvals_init(struct approvals *approvals, sd_bus *bus, struct watches *watches);
/* Questions that are open get no answer any more: their askers are gone before. */
void approvals_deinit(struct approvals *approvals);

/* Replaces an earlier registration of the connection. -ENOSPC: the user has too many. */
int agent_add(struct approvals *approvals, uid_t uid, uint32_t asks, const char *name,
	      const char *path);
/* false: this connection registered no such object. */
bool agent_remove(struct approvals *approvals, const char *name, const char *path);
/* The one that would be asked, or NULL. @asks: POLICY_ASK_*: any of these. */
const struct agent *agent_of(const struct approvals *approvals, uid_t uid, uint32_t asks);

/**
 * struct question_answer
 * @asked_on: POLICY_ASK_*: what the agent asked on
 * @allow: Approve, Confirm
 * @kinds: Approve
 * @word: Compare
 * @pipe: Passphrase; only during the callback
 */
struct question_answer {
	enum question_result result;
	uint32_t asked_on;
	bool allow;
	uint32_t kinds;
	char word[16];
	int pipe;
};

enum question_type {
	QUESTION_APPROVE,
	QUESTION_COMPARE,
	QUESTION_CONFIRM,
	QUESTION_PASSPHRASE,
};

/**
 * struct question_text - what is asked
 * @subject: session path; action for QUESTION_CONFIRM and QUESTION_PASSPHRASE
 * @number: QUESTION_COMPARE: the nine digits
 * @asks: POLICY_ASK_*: what it may be asked on; 0: on anything
 */
struct question_text {
	enum question_type type;
	const char *subject;
	const char *number;
	const struct dict_entry *details;
	size_t n_details;
	uint64_t timeout_ns;
	uint32_t asks;
};

/* Called once, from the event loop, never from question_ask(); the question is freed afterwards. */
typedef void (*question_answered)(void *userdata, const struct question_answer *answer);

/* -ENOENT: the user has no agent. -ENOSPC: too many open questions. */
int question_ask(struct approvals *approvals, uid_t uid, const struct question_text *text,
		 question_answered answered, void *userdata, struct question **ret_question);
/* Withdraws it, and tells the agent. Takes NULL. Returns NULL. */
struct question *question_cancel(struct question *question);

/* Tells the user's agent, if there is one. */
void approval_notify(struct approvals *approvals, uid_t uid, const char *what, const char *message,
		     const struct dict_entry *details, size_t n);

#endif
