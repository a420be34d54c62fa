// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * callgate-agent-tty: asks the user, on a terminal, what the daemon wants to
 * know. This file owns the connection and turns calls of org.callgate1.Agent into
 * questions; callgate-agent-tty-prompt.c owns the terminal. Must not decide anything.
 *
 * Security: it is setgid callgate-agent, which is what lets it register and what
 * keeps other programs of the user from tracing or preloading it; so it believes
 * nothing that its caller chose: environment, descriptors, signal state. It
 * honours calls of the daemon's own connection only, and every word of identity
 * in a question comes from there. Any failure answers no.
 */
#include "callgate-agent-tty.h"

#include "client.h"
#include "plain.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
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
#define TIMEOUT_MAX	300

enum kind {
	ASK_APPROVE,
	ASK_COMPARE,
	ASK_CONFIRM,
};

/**
 * struct asked - one open call of the daemon
 * @question: must be first
 * @message: to be answered
 * @session: for Cancel; NULL where it is about none
 * @kinds: asked for
 */
struct asked {
	struct prompt_question question;
	struct agent *agent;
	enum kind kind;
	sd_bus_message *message;
	char *session;
	unsigned kinds;
	struct asked *next;
};

struct agent {
	sd_event *event;
	struct client client;
	struct prompt *prompt;
	struct asked *asked;
	int exit;
};

static void reply(struct asked *asked, int word)
{
	bool allow = word >= 0 && word < asked->question.n_words - 1;
	const char *text = word >= 0 ? asked->question.words[word] : "";
	unsigned kinds = asked->kinds;

	switch (asked->kind) {
	case ASK_APPROVE:
		if (!strcmp(text, "allow camera"))
			kinds &= KIND_CAMERA;
		if (!strcmp(text, "allow microphone"))
			kinds &= KIND_MICROPHONE;
		sd_bus_reply_method_return(asked->message, "bu", allow, allow ? kinds : 0);
		break;
	case ASK_COMPARE:
		if (word >= 0)
			sd_bus_reply_method_return(asked->message, "s", text);
		else
			sd_bus_reply_method_errorf(asked->message, CLIENT_ERROR "Denied",
						   "nobody answered");
		break;
	case ASK_CONFIRM:
		sd_bus_reply_method_return(asked->message, "b", allow);
		break;
	}
}

static void asked_free(struct asked *asked)
{
	sd_bus_message_unref(asked->message);
	free(asked->question.text);
	free(asked->session);
	free(asked);
}

static void on_answered(struct prompt_question *question, int word)
{
	struct asked *asked = (struct asked *)question, **p;

	for (p = &asked->agent->asked; *p != asked; p = &(*p)->next)
		;
	*p = asked->next;
	reply(asked, word);
	asked_free(asked);
}

/* session NULL: all of them. */
static void withdraw(struct agent *agent, const char *session)
{
	struct asked *asked, *next;

	for (asked = agent->asked; asked; asked = next) {
		next = asked->next;
		if (!session || (asked->session && !strcmp(asked->session, session)))
			prompt_withdraw(agent->prompt, &asked->question);
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

/* Everything is in place but words and hint. Takes over text. */
static int ask(struct agent *agent, sd_bus_message *m, enum kind kind, const char *session,
	       unsigned kinds, char *text, const struct client_dict *details, const char *hint,
	       const char *const *words)
{
	struct asked *asked = calloc(1, sizeof(*asked));

	if (!asked) {
		free(text);
		return -ENOMEM;
	}
	asked->agent = agent;
	asked->kind = kind;
	asked->kinds = kinds;
	asked->message = sd_bus_message_ref(m);
	asked->session = session ? strdup(session) : NULL;
	asked->question.text = text;
	asked->question.hint = hint;
	asked->question.deadline = deadline(agent, details);
	asked->question.answered = on_answered;
	while (words[asked->question.n_words]) {
		asked->question.words[asked->question.n_words] = words[asked->question.n_words];
		asked->question.n_words++;
	}
	if (!text || (session && !asked->session)) {
		asked_free(asked);
		return -ENOMEM;
	}
	if (prompt_ask(agent->prompt, &asked->question) < 0) {
		asked_free(asked);
		return sd_bus_reply_method_errorf(m, CLIENT_ERROR "Denied",
						  "too many questions are open");
	}
	asked->next = agent->asked;
	agent->asked = asked;
	return 1;
}

/* Another program on the bus may call us too. */
static int refuse_stranger(struct agent *agent, sd_bus_message *m, sd_bus_error *error)
{
	if (client_is_genuine(&agent->client, m))
		return 0;
	return sd_bus_error_set(error, SD_BUS_ERROR_ACCESS_DENIED,
				"only callgated asks this agent");
}

static const char *means(const char *authentication)
{
	if (!strcmp(authentication, "verified"))
		return "their key is known, and you compared the numbers";
	if (!strcmp(authentication, "pinned"))
		return "their key is known, but you never compared the numbers";
	return "new: no key is known yet";
}

static char *approve_text(const struct client_dict *details)
{
	bool incoming = client_number(details, "Incoming"),
	     claimed = client_number(details, "ContactClaimed");
	char *text = NULL;
	bool good;

	good = prompt_line(&text, incoming ? "Callgate: a call comes in. Take it?"
					   : "Callgate: a program wants to call somebody. May it?");
	if (incoming && claimed)
		good = good && prompt_field(&text, "App says", client_text(details, "Contact")) &&
		       prompt_line(&text, "              (unproven: only the app's word)");
	else
		good = good &&
		       prompt_field(&text, incoming ? "From" : "Calls",
				    client_text(details, "Contact")) &&
		       prompt_field(&text, "Known",
				    means(client_text(details, "PeerAuthentication")));
	good = good && prompt_field(&text, "Through", client_text(details, "App"));
	if (!client_number(details, "AppProven"))
		good = good &&
		       prompt_line(&text,
				   "              (unproven: no gate identified this program)");
	good = good && prompt_field(&text, "Captures", client_text(details, "Subject"));
	if (client_number(details, "Traced"))
		good = good &&
		       prompt_line(
			       &text,
			       "              (a debugger is attached to it and sees what it captures)");
	good = good && prompt_field(&text, "With", plain_kinds(client_number(details, "Kinds")));
	if (good)
		return text;
	free(text);
	return NULL;
}

static int method_approve(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	static const char *const both[] = { "allow", "allow camera", "allow microphone", "deny" };
	static const char *const one[] = { "allow", "deny", NULL };
	struct client_dict details = { 0 };
	struct agent *agent = userdata;
	const char *words[PROMPT_WORDS_MAX + 1] = { 0 };
	const char *session;
	unsigned kinds;
	int r;

	r = refuse_stranger(agent, m, error);
	if (r == 0)
		r = sd_bus_message_read(m, "o", &session);
	if (r >= 0)
		r = client_read_dict(m, &details);
	if (r < 0)
		return r;
	kinds = client_number(&details, "Kinds") & KIND_BOTH;
	memcpy(words, kinds == KIND_BOTH ? both : one,
	       kinds == KIND_BOTH ? sizeof(both) : sizeof(one));
	r = ask(agent, m, ASK_APPROVE, session, kinds, approve_text(&details), &details,
		kinds == KIND_BOTH
			? "Type \"allow\", \"allow camera\", \"allow microphone\" or \"deny\":"
			: "Type \"allow\" or \"deny\":",
		words);
	client_dict_clear(&details);
	return r;
}

static char *compare_text(const char *number, const struct client_dict *details)
{
	bool claimed = client_number(details, "ContactClaimed");
	char *text = NULL;
	bool good;

	good = prompt_line(&text, "Callgate: compare this number with the other side.") &&
	       prompt_field(&text, claimed ? "App says" : "With",
			    client_text(details, "Contact")) &&
	       prompt_field(&text, "Known", means(client_text(details, "PeerAuthentication"))) &&
	       prompt_field(&text, "Number", number) &&
	       prompt_line(
		       &text,
		       "Read it to each other. If you see the same, nobody between your two machines has the keys.") &&
	       prompt_line(
		       &text,
		       "The app carries the voices and could imitate one: make sure whom you hear,") &&
	       prompt_line(
		       &text,
		       "or compare another way. \"differs\" ends the call; \"unverified\" goes on with the microphone only.");
	if (good)
		return text;
	free(text);
	return NULL;
}

static int method_compare(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	/* The last word is the one that denies. */
	static const char *const words[] = { "matches", "unverified", "differs", NULL };
	struct client_dict details = { 0 };
	struct agent *agent = userdata;
	const char *session, *number;
	int r;

	r = refuse_stranger(agent, m, error);
	if (r == 0)
		r = sd_bus_message_read(m, "os", &session, &number);
	if (r >= 0)
		r = client_read_dict(m, &details);
	if (r < 0)
		return r;
	r = ask(agent, m, ASK_COMPARE, session, 0, compare_text(number, &details), &details,
		"Type \"matches\", \"differs\" or \"unverified\":", words);
	client_dict_clear(&details);
	return r;
}

static char *confirm_text(const char *action, const struct client_dict *details)
{
	char *text = NULL;
	bool good;

	if (!strcmp(action, "unblock"))
		good = prompt_line(&text,
				   "Callgate: a program wants to lift your block. May it?") &&
		       prompt_field(&text, "Lifts", plain_kinds(client_number(details, "Kinds")));
	else if (!strcmp(action, "rename"))
		good = prompt_line(
			       &text,
			       "Callgate: a program wants to rename somebody you know. May it?") &&
		       prompt_field(&text, "Now", client_text(details, "Name")) &&
		       prompt_field(&text, "Then", client_text(details, "NewName"));
	else if (!strcmp(action, "forget"))
		good = prompt_line(
			       &text,
			       "Callgate: a program wants to forget somebody's keys. May it?") &&
		       prompt_field(&text, "Forgets", client_text(details, "Name"));
	else if (!strcmp(action, "verify"))
		good = prompt_line(&text,
				   "Callgate: did you compare this key with its owner yourself?") &&
		       prompt_field(&text, "Of", client_text(details, "Name")) &&
		       prompt_field(&text, "Key", client_text(details, "Fingerprint"));
	else
		good = false;
	/* Each app has contacts of its own: the same name may be somebody else's in another. */
	if (*client_text(details, "App"))
		good = good && prompt_field(&text, "In", client_text(details, "App"));
	if (good)
		return text;
	free(text);
	return NULL;
}

static int method_confirm(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	static const char *const words[] = { "allow", "deny", NULL };
	struct client_dict details = { 0 };
	struct agent *agent = userdata;
	const char *action;
	char *text;
	int r;

	r = refuse_stranger(agent, m, error);
	if (r == 0)
		r = sd_bus_message_read(m, "s", &action);
	if (r >= 0)
		r = client_read_dict(m, &details);
	if (r < 0)
		return r;
	text = confirm_text(action, &details);
	/* What this version does not know it cannot ask about. */
	if (!text)
		r = sd_bus_reply_method_return(m, "b", false);
	else
		r = ask(agent, m, ASK_CONFIRM, NULL, 0, text, &details,
			"Type \"allow\" or \"deny\":", words);
	client_dict_clear(&details);
	return r;
}

static int method_notify(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct agent *agent = userdata;
	const char *what, *message;
	char *line;
	int r;

	r = refuse_stranger(agent, m, error);
	if (r == 0)
		r = sd_bus_message_read(m, "ss", &what, &message);
	if (r < 0)
		return r;
	if (asprintf(&line, "Callgate: %s", message) >= 0) {
		prompt_tell(agent->prompt, line);
		free(line);
	}
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
	SD_BUS_METHOD_WITH_ARGS("Notify", SD_BUS_ARGS("s", what, "s", message, "a{sv}", details),
				SD_BUS_NO_RESULT, method_notify, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("Cancel", SD_BUS_ARGS("o", session), SD_BUS_NO_RESULT,
				method_cancel, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_VTABLE_END
};

static void quit(struct agent *agent, int exit)
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

	if (error) {
		snprintf(line, sizeof(line),
			 "callgate-agent-tty: the daemon refused this agent: %s",
			 error->message && *error->message ? error->message : error->name);
		prompt_tell(agent->prompt, line);
		quit(agent, 1);
		return 0;
	}
	snprintf(line, sizeof(line),
		 "callgate-agent-tty: ready; questions are asked here (%s%s). Ctrl-C ends it.",
		 prompt_name(agent->prompt),
		 prompt_is_pseudo(agent->prompt) ? ", a pseudo-terminal" : "");
	prompt_tell(agent->prompt, line);
	return 0;
}

static int enlist(struct agent *agent)
{
	return sd_bus_call_method_async(agent->client.bus, NULL, CLIENT_NAME, CLIENT_ROOT,
					CLIENT_MANAGER, "RegisterAgent", on_registered, agent,
					"oa{sv}", AGENT_PATH, 2, "terminal", "b", true, "pseudo",
					"b", prompt_is_pseudo(agent->prompt));
}

static void on_owner(void *userdata)
{
	struct agent *agent = userdata;

	/* What the old one asked nobody wants to know any more. */
	withdraw(agent, NULL);
	if (!agent->client.owner)
		prompt_tell(
			agent->prompt,
			"callgate-agent-tty: callgated is gone; questions come when it is back.");
	else if (enlist(agent) < 0)
		quit(agent, 1);
}

static void on_hangup(void *userdata)
{
	quit(userdata, 0);
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
	quit(userdata, 0);
	return 0;
}

static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct agent *agent = userdata;

	prompt_tell(agent->prompt, "callgate-agent-tty: the system bus is gone.");
	quit(agent, 4);
	return 0;
}

/* Undo what whoever started us may have prepared. */
static int harden(void)
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

static int add_signals(struct agent *agent)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	sigset_t set;
	int r = 0;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaddset(&set, signals[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]) && r >= 0; i++)
		r = sd_event_add_signal(agent->event, NULL, signals[i], on_signal, agent);
	return r;
}

static int run(struct agent *agent, const char *tty)
{
	const char *why;
	int r;

	r = sd_event_default(&agent->event);
	if (r < 0)
		return r;
	r = prompt_open(agent->event, tty, on_hangup, agent, &agent->prompt, &why);
	if (r < 0) {
		fprintf(stderr, "callgate-agent-tty: cannot ask on this terminal: %s\n", why);
		agent->exit = 1;
		return 0;
	}
	r = client_open(&agent->client);
	if (r < 0) {
		fprintf(stderr, "callgate-agent-tty: cannot connect to the system bus: %s\n",
			strerror(-r));
		agent->exit = 4;
		return 0;
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
		r = add_signals(agent);
	if (r >= 0)
		r = sd_bus_attach_event(agent->client.bus, agent->event, 0);
	if (r < 0)
		return r;
	agent->client.on_owner = on_owner;
	agent->client.userdata = agent;
	if (agent->client.owner)
		r = enlist(agent);
	else
		prompt_tell(
			agent->prompt,
			"callgate-agent-tty: callgated does not run; questions come when it does.");
	return r < 0 ? r : sd_event_loop(agent->event);
}

static void usage(FILE *out)
{
	fputs("Usage: callgate-agent-tty [--tty DEVICE]\n\n"
	      "Asks you on a terminal before a program may capture in a call. Nothing is approved without\n"
	      "an agent. Keep it open; Ctrl-C ends it, and then every question is answered with no.\n\n"
	      "      --tty DEVICE  ask on that terminal instead of that of standard input\n"
	      "      --help        this text\n\n"
	      "On a pseudo-terminal (a terminal window, ssh) other programs of yours may type as well as you can;\n"
	      "approving there is off unless /etc/callgate/callgate.conf allows it. See callgate-agent-tty(1).\n",
	      out);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "tty", required_argument, NULL, 't' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	struct agent agent = { 0 };
	const char *tty = NULL;
	int r, option;

	r = harden();
	if (r < 0) {
		fprintf(stderr, "callgate-agent-tty: cannot start safely: %s\n", strerror(-r));
		return 1;
	}
	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (option) {
		case 't':
			tty = optarg;
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (optind < argc) {
		usage(stderr);
		return 2;
	}
	r = run(&agent, tty);
	if (r < 0) {
		fprintf(stderr, "callgate-agent-tty: %s\n", strerror(-r));
		agent.exit = 1;
	}
	if (agent.prompt)
		withdraw(&agent, NULL);
	client_close(&agent.client);
	prompt_free(agent.prompt);
	sd_event_unref(agent.event);
	return agent.exit;
}
