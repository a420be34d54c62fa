// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Agents and questions. Owns both lists. Must not know what a question is
 * for, and never answers one itself: who may be an agent is bus-manager.c's
 * to check, what an answer means call.c's.
 *
 * Security: a question goes to the unique name of one connection, and only a
 * reply that the bus says came from that connection is an answer. Everything
 * else (an error, a timeout, a malformed reply, the connection's end) is a no.
 */
#include "approval.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bounds.h"
#include "util/macro.h"

#define AGENT_INTERFACE "org.callgate1.Agent"

struct question {
	TAILQ_ENTRY(question) all;
	struct approvals *approvals;
	enum question_type type;
	uid_t uid;
	uint32_t asked_on;
	uint64_t asked_at; /* ns on CLOCK_BOOTTIME */
	char *agent_name;
	char *agent_path;
	char *session;
	sd_bus_slot *slot;
	question_answered answered;
	void *userdata;
};

void approvals_init(struct approvals *approvals, sd_bus *bus, struct watches *watches)
{
	approvals->bus = bus;
	approvals->watches = watches;
	approvals->settled = NULL;
	TAILQ_INIT(&approvals->agents);
	TAILQ_INIT(&approvals->questions);
}

static uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void question_drop(struct question *question)
{
	TAILQ_REMOVE(&question->approvals->questions, question, all);
	sd_bus_slot_unref(question->slot);
	free(question->agent_name);
	free(question->agent_path);
	free(question->session);
	free(question);
}

static void question_settle(struct question *question, const struct question_answer *answer)
{
	question_answered answered = question->answered;
	void *userdata = question->userdata;
	struct approvals *approvals = question->approvals;
	uint64_t asked_at = question->asked_at;

	question_drop(question);
	if (approvals->settled != NULL)
		approvals->settled(approvals->userdata, answer->result, clock_ns() - asked_at);
	answered(userdata, answer);
}

static void agent_drop(struct agent *agent)
{
	struct approvals *approvals = agent->approvals;
	_cleanup_free_ char *name = TAKE_PTR(agent->name);
	_cleanup_free_ char *path = TAKE_PTR(agent->path);
	struct question *question;

	TAILQ_REMOVE(&approvals->agents, agent, all);
	watch_end(&agent->watch);
	free(agent);
	if (name == NULL || path == NULL)
		return;
	/* Settling may ask or cancel others: begin again each time. */
again:
	TAILQ_FOREACH(question, &approvals->questions, all)
	{
		if (strcmp(question->agent_name, name) != 0 ||
		    strcmp(question->agent_path, path) != 0)
			continue;
		question_settle(question,
				&(struct question_answer){ .result = QUESTION_AGENT_GONE });
		goto again;
	}
}

void approvals_deinit(struct approvals *approvals)
{
	while (!TAILQ_EMPTY(&approvals->questions))
		question_drop(TAILQ_FIRST(&approvals->questions));
	while (!TAILQ_EMPTY(&approvals->agents))
		agent_drop(TAILQ_FIRST(&approvals->agents));
}

static void on_agent_gone(void *userdata)
{
	agent_drop(userdata);
}

int agent_add(struct approvals *approvals, uid_t uid, uint32_t asks, const char *name,
	      const char *path)
{
	struct agent *agent, *next;
	unsigned int count = 0;
	int r;

	for (agent = TAILQ_FIRST(&approvals->agents); agent != NULL; agent = next) {
		next = TAILQ_NEXT(agent, all);
		if (strcmp(agent->name, name) == 0)
			agent_drop(agent);
		else
			count += agent->uid == uid;
	}
	if (count >= BOUND_AGENTS_UID)
		return -ENOSPC;
	agent = calloc(1, sizeof(*agent));
	if (agent == NULL)
		return -ENOMEM;
	agent->approvals = approvals;
	agent->uid = uid;
	agent->asks = asks;
	TAILQ_INSERT_TAIL(&approvals->agents, agent, all);
	agent->name = strdup(name);
	agent->path = strdup(path);
	r = agent->name != NULL && agent->path != NULL ? 0 : -ENOMEM;
	if (r >= 0)
		r = watch_begin(approvals->watches, &agent->watch, name, on_agent_gone, agent);
	if (r < 0)
		agent_drop(agent);
	return r < 0 ? r : 0;
}

bool agent_remove(struct approvals *approvals, const char *name, const char *path)
{
	struct agent *agent;

	TAILQ_FOREACH(agent, &approvals->agents, all)
	{
		if (strcmp(agent->name, name) != 0 || strcmp(agent->path, path) != 0)
			continue;
		agent_drop(agent);
		return true;
	}
	return false;
}

const struct agent *agent_of(const struct approvals *approvals, uid_t uid, uint32_t asks)
{
	struct agent *agent;

	TAILQ_FOREACH_REVERSE(agent, &approvals->agents, agent_list, all)
	if (agent->uid == uid && (agent->asks & asks) != 0)
		return agent;
	return NULL;
}

static void read_answer(struct question *question, sd_bus_message *reply,
			struct question_answer *answer)
{
	const char *sender = sd_bus_message_get_sender(reply);
	const char *word;
	int allow;

	answer->result = QUESTION_REFUSED;
	if (sd_bus_message_is_method_error(reply, SD_BUS_ERROR_NO_REPLY) ||
	    sd_bus_message_is_method_error(reply, SD_BUS_ERROR_TIMEOUT))
		answer->result = QUESTION_TIMEOUT;
	if (sd_bus_message_is_method_error(reply, NULL))
		return;
	if (sender == NULL || strcmp(sender, question->agent_name) != 0)
		return;
	switch (question->type) {
	case QUESTION_APPROVE:
		if (!sd_bus_message_has_signature(reply, "bu") ||
		    sd_bus_message_read(reply, "bu", &allow, &answer->kinds) < 0)
			return;
		answer->allow = allow != 0;
		break;
	case QUESTION_COMPARE:
		if (!sd_bus_message_has_signature(reply, "s") ||
		    sd_bus_message_read(reply, "s", &word) < 0 ||
		    strlen(word) >= sizeof(answer->word))
			return;
		memcpy(answer->word, word, strlen(word) + 1);
		break;
	case QUESTION_CONFIRM:
		if (!sd_bus_message_has_signature(reply, "b") ||
		    sd_bus_message_read(reply, "b", &allow) < 0)
			return;
		answer->allow = allow != 0;
		break;
	case QUESTION_PASSPHRASE:
		if (!sd_bus_message_has_signature(reply, "h") ||
		    sd_bus_message_read(reply, "h", &answer->pipe) < 0)
			return;
		break;
	}
	answer->result = QUESTION_ANSWERED;
}

/* The agent takes a question down that nobody waits for any more. */
static void tell_cancelled(struct question *question)
{
	sd_bus_message *m = NULL;

	if (question->session == NULL)
		return;
	if (sd_bus_message_new_method_call(question->approvals->bus, &m, question->agent_name,
					   question->agent_path, AGENT_INTERFACE, "Cancel") >= 0 &&
	    sd_bus_message_append(m, "o", question->session) >= 0 &&
	    sd_bus_message_set_expect_reply(m, 0) >= 0)
		sd_bus_send(question->approvals->bus, m, NULL);
	sd_bus_message_unref(m);
}

static int on_reply(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	struct question *question = userdata;
	struct question_answer answer = { .asked_on = question->asked_on };

	read_answer(question, reply, &answer);
	if (answer.result == QUESTION_TIMEOUT)
		tell_cancelled(question);
	question_settle(question, &answer);
	return 0;
}

static bool about_session(enum question_type type)
{
	return type == QUESTION_APPROVE || type == QUESTION_COMPARE;
}

static int compose(struct approvals *approvals, const struct agent *agent,
		   const struct question_text *text, sd_bus_message **ret_m)
{
	static const char *const members[] = {
		[QUESTION_APPROVE] = "Approve",
		[QUESTION_COMPARE] = "Compare",
		[QUESTION_CONFIRM] = "Confirm",
		[QUESTION_PASSPHRASE] = "Passphrase",
	};
	sd_bus_message *m = NULL;
	int r;

	r = sd_bus_message_new_method_call(approvals->bus, &m, agent->name, agent->path,
					   AGENT_INTERFACE, members[text->type]);
	if (r >= 0)
		r = sd_bus_message_append_basic(m, about_session(text->type) ? 'o' : 's',
						text->subject);
	if (r >= 0 && text->type == QUESTION_COMPARE)
		r = sd_bus_message_append_basic(m, 's', text->number);
	if (r >= 0)
		r = dict_append(m, text->details, text->n_details);
	if (r < 0) {
		sd_bus_message_unref(m);
		return r;
	}
	*ret_m = m;
	return 0;
}

int question_ask(struct approvals *approvals, uid_t uid, const struct question_text *text,
		 question_answered answered, void *userdata, struct question **ret_question)
{
	const struct agent *agent = agent_of(approvals, uid, text->asks ?: POLICY_ASK_ALL);
	struct question *question;
	sd_bus_message *m = NULL;
	unsigned int count = 0;
	int r;

	if (agent == NULL)
		return -ENOENT;
	TAILQ_FOREACH(question, &approvals->questions, all)
	count += question->uid == uid;
	/* A session that the user approved has its comparison, however many others ring. There is one for each session. */
	if (count >= BOUND_QUESTIONS_UID && text->type != QUESTION_COMPARE)
		return -ENOSPC;
	question = calloc(1, sizeof(*question));
	if (question == NULL)
		return -ENOMEM;
	question->approvals = approvals;
	question->type = text->type;
	question->uid = uid;
	question->asked_on = agent->asks;
	question->asked_at = clock_ns();
	question->answered = answered;
	question->userdata = userdata;
	question->agent_name = strdup(agent->name);
	question->agent_path = strdup(agent->path);
	TAILQ_INSERT_TAIL(&approvals->questions, question, all);
	r = question->agent_name != NULL && question->agent_path != NULL ? 0 : -ENOMEM;
	if (r >= 0 && about_session(text->type)) {
		question->session = strdup(text->subject);
		r = question->session != NULL ? 0 : -ENOMEM;
	}
	if (r >= 0)
		r = compose(approvals, agent, text, &m);
	if (r >= 0)
		r = sd_bus_call_async(approvals->bus, &question->slot, m, on_reply, question,
				      text->timeout_ns / 1000);
	sd_bus_message_unref(m);
	if (r < 0) {
		question_drop(question);
		return r;
	}
	*ret_question = question;
	return 0;
}

struct question *question_cancel(struct question *question)
{
	if (question != NULL) {
		tell_cancelled(question);
		question_drop(question);
	}
	return NULL;
}

void approval_notify(struct approvals *approvals, uid_t uid, const char *what, const char *message,
		     const struct dict_entry *details, size_t n)
{
	const struct agent *agent = agent_of(approvals, uid, POLICY_ASK_ALL);
	sd_bus_message *m = NULL;

	if (agent == NULL)
		return;
	if (sd_bus_message_new_method_call(approvals->bus, &m, agent->name, agent->path,
					   AGENT_INTERFACE, "Notify") >= 0 &&
	    sd_bus_message_append(m, "ss", what, message) >= 0 && dict_append(m, details, n) >= 0 &&
	    sd_bus_message_set_expect_reply(m, 0) >= 0)
		sd_bus_send(approvals->bus, m, NULL);
	sd_bus_message_unref(m);
}
