/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CALLGATE_AGENT_H
#define CALLGATE_AGENT_H

#include "client.h"

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

enum agent_kind {
	AGENT_APPROVE,
	AGENT_COMPARE,
	AGENT_CONFIRM,
	AGENT_PASSPHRASE,
};

enum agent_answer {
	AGENT_NO_ANSWER,
	AGENT_DENY,
	AGENT_ALLOW,
	AGENT_ALLOW_CAMERA,
	AGENT_ALLOW_MICROPHONE,
	AGENT_MATCHES,
	AGENT_UNVERIFIED,
	AGENT_DIFFERS,
};

/**
 * struct agent_question - one open call of the daemon
 * @kind: which method it was
 * @subject: the number to compare, or the action; NULL for an approval
 * @details: as the daemon sent them
 * @kinds: asked for, where it is an approval
 * @deadline: CLOCK_MONOTONIC, µs; nobody answered by then
 * @front: for the front
 *
 * Owned by the agent, from the front's ask() until agent_settle().
 */
struct agent_question {
	enum agent_kind kind;
	char *subject;
	struct client_dict details;
	unsigned kinds;
	uint64_t deadline;
	void *front;

	struct agent *agent;
	sd_bus_message *message;
	char *session;
	struct agent_question *next;
};

/**
 * struct agent_front - how this agent asks
 * @options: of RegisterAgent: names of flags that are true, NULL at the end
 * @ask: shows a question some time; agent_settle() follows, not from within.
 *	-EBUSY: too many are open; -EOPNOTSUPP: it does not know what to ask, which is a no
 * @withdraw: takes it down; agent_settle() follows, from within
 * @tell: a sentence of the daemon for the user. what: as in doc/dbus.md
 * @status: a sentence about the agent itself
 */
struct agent_front {
	const char *const *options;
	int (*ask)(void *userdata, struct agent_question *question);
	void (*withdraw)(void *userdata, struct agent_question *question);
	void (*tell)(void *userdata, const char *what, const char *message);
	void (*status)(void *userdata, const char *sentence);
};

struct agent {
	sd_event *event;
	struct client client;
	const struct agent_front *front;
	void *userdata;
	struct agent_question *questions;
	int exit;
};

/*
 * Undo what whoever started us may have prepared: signals, descriptors, limits, and the environment of a
 * setgid program. Negative errno.
 */
int agent_harden(void);

/*
 * Connects and offers itself to the daemon, now and whenever it comes back. @event, @front and @userdata are
 * set. Negative errno; agent->exit is set where there is no bus.
 */
int agent_start(struct agent *agent);
/* Ends the event loop with this exit status; open questions are withdrawn. */
void agent_quit(struct agent *agent, int exit);
/* Withdraws what is open and closes the connection. */
void agent_stop(struct agent *agent);

/* Answers the daemon and frees the question. An answer of another kind of question is none. */
void agent_settle(struct agent_question *question, enum agent_answer answer);
/* The same for AGENT_PASSPHRASE; NULL: none was given. */
void agent_settle_secret(struct agent_question *question, const char *passphrase);

#endif
