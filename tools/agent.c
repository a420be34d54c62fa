// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * org.callgate1.Agent: takes the daemon's questions from the bus, hands them to
 * a front that asks a person, and sends the answers back. What the agents share.
 * Must not know how one asks. Called by callgate-agent-tty.c and callgate-agent.c.
 *
 * Security: an agent is setgid callgate-agent, which is what lets it register and
 * keeps other programs of the user from tracing or preloading it; so it believes
 * nothing that its caller chose: environment, descriptors, signal state. It
 * honours calls of the daemon's own connection only. Any failure answers no.
 */
#include "agent.h"

#include "plain.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define AGENT_PATH	"/org/callgate1/agent"
#define TIMEOUT_DEFAULT 60
#define TIMEOUT_MAX	660

/* ---- questions --------------------------------------------------------------------------------- */

static void reply_approve(sd_bus_message *m, unsigned kinds, enum agent_answer answer)
{
	bool allow = answer == AGENT_ALLOW || answer == AGENT_ALLOW_CAMERA ||
		     answer == AGENT_ALLOW_MICROPHONE;

	/* The daemon does not ask again for a while after a no; silence is none. */
	if (answer == AGENT_NO_ANSWER) {
		sd_bus_reply_method_errorf(m, CLIENT_ERROR "Denied", "nobody answered");
		return;
	}
	if (answer == AGENT_ALLOW_CAMERA)
		kinds &= KIND_CAMERA;
	if (answer == AGENT_ALLOW_MICROPHONE)
		kinds &= KIND_MICROPHONE;
	sd_bus_reply_method_return(m, "bu", allow, allow ? kinds : 0);
}

static void reply_compare(sd_bus_message *m, enum agent_answer answer)
{
	const char *word = NULL;

	if (answer == AGENT_MATCHES)
		word = "matches";
	else if (answer == AGENT_UNVERIFIED)
		word = "unverified";
	else if (answer == AGENT_DIFFERS)
		word = "differs";
	if (word)
		sd_bus_reply_method_return(m, "s", word);
	else
		sd_bus_reply_method_errorf(m, CLIENT_ERROR "Denied", "nobody answered");
}

static void question_free(struct agent_question *question)
{
	sd_bus_message_unref(question->message);
	client_dict_clear(&question->details);
	free(question->subject);
	free(question->session);
	free(question);
}

/* Through a pipe: what stands in a message, the bus and whoever watches it have as well. */
static void reply_passphrase(sd_bus_message *m, const char *passphrase)
{
	ssize_t length = (ssize_t)strlen(passphrase);
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0) {
		sd_bus_reply_method_errnof(m, errno, "no pipe");
		return;
	}
	/* A pipe takes so little at once. */
	if (write(fds[1], passphrase, length) == length) {
		close(fds[1]);
		sd_bus_reply_method_return(m, "h", fds[0]);
	} else {
		close(fds[1]);
		sd_bus_reply_method_errnof(m, EIO, "no pipe");
	}
	close(fds[0]);
}

static void question_unlink(struct agent_question *question)
{
	struct agent_question **p;

	for (p = &question->agent->questions; *p != question; p = &(*p)->next)
		;
	*p = question->next;
}

void agent_settle_secret(struct agent_question *question, const char *passphrase)
{
	question_unlink(question);
	if (passphrase)
		reply_passphrase(question->message, passphrase);
	else
		sd_bus_reply_method_errorf(question->message, CLIENT_ERROR "Denied",
					   "no passphrase was given");
	question_free(question);
}

void agent_settle(struct agent_question *question, enum agent_answer answer)
{
	question_unlink(question);
	switch (question->kind) {
	case AGENT_APPROVE:
		reply_approve(question->message, question->kinds, answer);
		break;
	case AGENT_COMPARE:
		reply_compare(question->message, answer);
		break;
	case AGENT_CONFIRM:
		sd_bus_reply_method_return(question->message, "b", answer == AGENT_ALLOW);
		break;
	case AGENT_PASSPHRASE:
		sd_bus_reply_method_errorf(
			question->message, CLIENT_ERROR "Denied",
			"this agent cannot ask for that; use callgate-agent-tty");
		break;
	}
	question_free(question);
}

/* session NULL: all of them. */
static void withdraw(struct agent *agent, const char *session)
{
	struct agent_question *question, *next;

	for (question = agent->questions; question; question = next) {
		next = question->next;
		if (!session || (question->session && !strcmp(question->session, session)))
			agent->front->withdraw(agent->userdata, question);
	}
}

static uint64_t deadline(struct agent *agent, const struct client_dict *details)
{
	uint64_t seconds = client_number(details, "Timeout"), now;

	if (!seconds)
		seconds = TIMEOUT_DEFAULT;
	if (seconds > TIMEOUT_MAX)
		seconds = TIMEOUT_MAX;
	sd_event_now(agent->event, CLOCK_MONOTONIC, &now);
	return now + seconds * 1000000;
}

static struct agent_question *question_new(struct agent *agent, sd_bus_message *m,
					   enum agent_kind kind, const char *session,
					   const char *subject)
{
	struct agent_question *question = calloc(1, sizeof(*question));

	if (!question)
		return NULL;
	question->agent = agent;
	question->kind = kind;
	question->message = sd_bus_message_ref(m);
	question->session = session ? strdup(session) : NULL;
	question->subject = subject ? strdup(subject) : NULL;
	if ((session && !question->session) || (subject && !question->subject)) {
		question_free(question);
		return NULL;
	}
	return question;
}

/* m is read up to the details. */
static int ask(struct agent *agent, sd_bus_message *m, enum agent_kind kind, const char *session,
	       const char *subject)
{
	struct agent_question *question = question_new(agent, m, kind, session, subject);
	int r;

	if (!question)
		return -ENOMEM;
	r = client_read_dict(m, &question->details);
	if (r < 0) {
		question_free(question);
		return r;
	}
	question->deadline = deadline(agent, &question->details);
	question->kinds = client_number(&question->details, "Kinds") & KIND_ALL;
	question->next = agent->questions;
	agent->questions = question;
	r = agent->front->ask(agent->userdata, question);
	if (r >= 0)
		return 1;
	if (r == -EOPNOTSUPP) {
		agent_settle(question, AGENT_DENY);
		return 1;
	}
	agent->questions = question->next;
	question_free(question);
	if (r != -EBUSY)
		return r;
	return sd_bus_reply_method_errorf(m, CLIENT_ERROR "Denied", "too many questions are open");
}

/* ---- the object -------------------------------------------------------------------------------- */

/* Another program on the bus may call us too. */
static int refuse_stranger(struct agent *agent, sd_bus_message *m, sd_bus_error *error)
{
	if (client_is_genuine(&agent->client, m))
		return 0;
	return sd_bus_error_set(error, SD_BUS_ERROR_ACCESS_DENIED,
				"only callgated asks this agent");
}

static int method_approve(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	const char *session;
	int r;

	r = refuse_stranger(userdata, m, error);
	if (r == 0)
		r = sd_bus_message_read(m, "o", &session);
	return r < 0 ? r : ask(userdata, m, AGENT_APPROVE, session, NULL);
}

static int method_compare(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	const char *session, *number;
	int r;

	r = refuse_stranger(userdata, m, error);
	if (r == 0)
		r = sd_bus_message_read(m, "os", &session, &number);
	return r < 0 ? r : ask(userdata, m, AGENT_COMPARE, session, number);
}

static int method_confirm(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	const char *action;
	int r;

	r = refuse_stranger(userdata, m, error);
	if (r == 0)
		r = sd_bus_message_read(m, "s", &action);
	return r < 0 ? r : ask(userdata, m, AGENT_CONFIRM, NULL, action);
}

static int method_passphrase(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	const char *action;
	int r;

	r = refuse_stranger(userdata, m, error);
	if (r == 0)
		r = sd_bus_message_read(m, "s", &action);
	return r < 0 ? r : ask(userdata, m, AGENT_PASSPHRASE, NULL, action);
}

static int method_notify(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct agent *agent = userdata;
	const char *what, *message;
	int r;

	r = refuse_stranger(agent, m, error);
	if (r == 0)
		r = sd_bus_message_read(m, "ss", &what, &message);
	if (r < 0)
		return r;
	agent->front->tell(agent->userdata, what, message);
	return sd_bus_reply_method_return(m, NULL);
}

static int method_cancel(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct agent *agent = userdata;
	const char *session;
	int r;

	r = refuse_stranger(agent, m, error);
	if (r == 0)
		r = sd_bus_message_read(m, "o", &session);
	if (r < 0)
		return r;
	withdraw(agent, session);
	return sd_bus_reply_method_return(m, NULL);
}

static const sd_bus_vtable vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD_WITH_ARGS("Approve", SD_BUS_ARGS("o", session, "a{sv}", details),
				SD_BUS_RESULT("b", allow, "u", kinds), method_approve,
				SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("Compare", SD_BUS_ARGS("o", session, "s", number, "a{sv}", details),
				SD_BUS_RESULT("s", answer), method_compare,
				SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("Confirm", SD_BUS_ARGS("s", action, "a{sv}", details),
				SD_BUS_RESULT("b", allow), method_confirm,
				SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("Passphrase", SD_BUS_ARGS("s", action, "a{sv}", details),
				SD_BUS_RESULT("h", pipe), method_passphrase,
				SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("Notify", SD_BUS_ARGS("s", what, "s", message, "a{sv}", details),
				SD_BUS_NO_RESULT, method_notify, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("Cancel", SD_BUS_ARGS("o", session), SD_BUS_NO_RESULT,
				method_cancel, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_VTABLE_END
};

/* ---- life -------------------------------------------------------------------------------------- */

void agent_quit(struct agent *agent, int exit)
{
	agent->exit = exit;
	withdraw(agent, NULL);
	sd_event_exit(agent->event, 0);
}

static int on_registered(sd_bus_message *m, void *userdata, sd_bus_error *unused)
{
	const sd_bus_error *error = sd_bus_message_get_error(m);
	struct agent *agent = userdata;
	char line[256];

	if (!error) {
		agent->front->status(agent->userdata, NULL);
		return 0;
	}
	snprintf(line, sizeof(line), "the daemon refused this agent: %s",
		 error->message && *error->message ? error->message : error->name);
	agent->front->status(agent->userdata, line);
	agent_quit(agent, 1);
	return 0;
}

static int enlist(struct agent *agent)
{
	sd_bus_message *m = NULL;
	int r;

	r = sd_bus_message_new_method_call(agent->client.bus, &m, CLIENT_NAME, CLIENT_ROOT,
					   CLIENT_MANAGER, "RegisterAgent");
	if (r >= 0)
		r = sd_bus_message_append(m, "o", AGENT_PATH);
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'a', "{sv}");
	for (const char *const *option = agent->front->options; r >= 0 && *option; option++)
		r = sd_bus_message_append(m, "{sv}", *option, "b", true);
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	if (r >= 0)
		r = sd_bus_call_async(agent->client.bus, NULL, m, on_registered, agent, 0);
	sd_bus_message_unref(m);
	return r;
}

static void on_owner(void *userdata)
{
	struct agent *agent = userdata;

	/* What the old one asked nobody wants to know any more. */
	withdraw(agent, NULL);
	if (!agent->client.owner)
		agent->front->status(agent->userdata,
				     "callgated is gone; questions come when it is back.");
	else if (enlist(agent) < 0)
		agent_quit(agent, 1);
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
	agent_quit(userdata, 0);
	return 0;
}

static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct agent *agent = userdata;

	agent->front->status(agent->userdata, "the system bus is gone.");
	agent_quit(agent, 4);
	return 0;
}

int agent_harden(void)
{
	static const struct rlimit no_core = { 0, 0 };
	struct sigaction action = { .sa_handler = SIG_DFL };
	sigset_t none;
	int fd;

	for (int i = 1; i < NSIG; i++)
		sigaction(i, &action, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* In the background we find out ourselves that we may not ask. */
	signal(SIGTTIN, SIG_IGN);
	signal(SIGTTOU, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= 2);
	if (fd < 0 || close_range(3, ~0u, 0) < 0)
		return -errno;
	if (getauxval(AT_SECURE) && clearenv() != 0)
		return -ENOMEM;
	umask(077);
	if (prctl(PR_SET_DUMPABLE, 0) < 0 || setrlimit(RLIMIT_CORE, &no_core) < 0 || chdir("/") < 0)
		return -errno;
	return 0;
}

int agent_start(struct agent *agent)
{
	int r;

	r = client_open(&agent->client);
	if (r < 0) {
		agent->exit = 4;
		return r;
	}
	r = sd_bus_add_object_vtable(agent->client.bus, NULL, AGENT_PATH, CLIENT_AGENT, vtable,
				     agent);
	if (r >= 0)
		r = client_follow(&agent->client);
	if (r >= 0)
		r = sd_bus_match_signal(agent->client.bus, NULL, "org.freedesktop.DBus.Local", NULL,
					"org.freedesktop.DBus.Local", "Disconnected",
					on_disconnected, agent);
	if (r >= 0)
		r = client_on_signals(agent->event, on_signal, agent);
	if (r >= 0)
		r = sd_bus_attach_event(agent->client.bus, agent->event, 0);
	if (r < 0)
		return r;
	agent->client.on_owner = on_owner;
	agent->client.userdata = agent;
	if (agent->client.owner)
		return enlist(agent);
	agent->front->status(agent->userdata,
			     "callgated does not run; questions come when it does.");
	return 0;
}

void agent_stop(struct agent *agent)
{
	withdraw(agent, NULL);
	client_close(&agent->client);
}
