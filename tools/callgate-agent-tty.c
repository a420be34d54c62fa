// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * callgate-agent-tty: asks the user, on a terminal, what the daemon wants to
 * know. This file joins agent.c, which owns the connection, callgate-agent-tty-text.c,
 * which has the words, and callgate-agent-tty-prompt.c, which owns the terminal. Must
 * not decide anything.
 *
 * Security: any failure answers no. What keeps others out of this process is in agent.c.
 */
#include "callgate-agent-tty.h"

#include "agent-auth.h"
#include "agent.h"
#include "callgate-agent-tty-text.h"
#include "plain.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/**
 * struct terminal
 * @password: other programs of the user may type here; what gives something away needs his password
 */
struct terminal {
	struct agent agent;
	struct prompt *prompt;
	bool password;
};

/**
 * struct asked - a question of the daemon on the terminal
 * @prompt: must be first
 * @on: where it is asked
 * @auth: the user is asked for his password before the answer counts
 * @answer: which waits for it
 * @answers: what each of its words means
 */
struct asked {
	struct prompt_question prompt;
	struct terminal *on;
	struct agent_auth *auth;
	enum agent_answer answer;
	struct agent_question *question;
	enum agent_answer answers[PROMPT_WORDS_MAX];
};

#define PASSPHRASE_MIN 12

static void settle(struct asked *asked, enum agent_answer answer)
{
	agent_settle(asked->question, answer);
	free(asked->prompt.text);
	free(asked);
}

static void on_authenticated(void *userdata, bool yes)
{
	struct asked *asked = userdata;
	struct terminal *terminal = asked->on;

	asked->auth = agent_auth_free(asked->auth);
	prompt_resume(terminal->prompt);
	if (!yes)
		prompt_tell(terminal->prompt, "Callgate: without your password that is a no.");
	settle(asked, yes ? asked->answer : AGENT_NO_ANSWER);
}

static bool gives(enum agent_answer answer)
{
	return answer != AGENT_NO_ANSWER && answer != AGENT_DENY && answer != AGENT_DIFFERS;
}

static void on_answered(struct prompt_question *prompt, int word)
{
	struct asked *asked = (struct asked *)prompt;
	struct terminal *terminal = asked->on;
	enum agent_answer answer = word >= 0 ? asked->answers[word] : AGENT_NO_ANSWER;

	if (asked->question->kind == AGENT_PASSPHRASE) {
		agent_settle_secret(asked->question,
				    word >= 0 ? prompt_secret(terminal->prompt) : NULL);
		free(asked->prompt.text);
		free(asked);
		return;
	}
	if (!terminal->password || !gives(answer)) {
		settle(asked, answer);
		return;
	}
	asked->answer = answer;
	prompt_hold(terminal->prompt);
	if (agent_auth_new(&asked->auth, terminal->agent.client.bus, true, on_authenticated,
			   asked) < 0)
		on_authenticated(asked, false);
}

static void add_word(struct asked *asked, const char *word, enum agent_answer answer)
{
	asked->prompt.words[asked->prompt.n_words] = word;
	asked->answers[asked->prompt.n_words++] = answer;
}

static void fill_passphrase(struct asked *asked, const struct agent_question *question)
{
	bool export = strcmp(question->subject, "export") == 0;

	if (!export && strcmp(question->subject, "import") != 0)
		return;
	asked->prompt.text = text_of_passphrase(export, &question->details);
	asked->prompt.hint =
		export ? "Type a passphrase of 12 or more characters, or nothing to refuse:"
		       : "Type the passphrase of the file, or nothing to refuse:";
	asked->prompt.secret = export ? PASSPHRASE_MIN : 1;
	asked->prompt.twice = export;
	add_word(asked, "", AGENT_DENY);
}

/* The last word is the one that denies. */
static void fill(struct asked *asked, const struct agent_question *question)
{
	const struct client_dict *details = &question->details;

	switch (question->kind) {
	case AGENT_APPROVE:
		asked->prompt.text = text_of_approve(details);
		add_word(asked, "allow", AGENT_ALLOW);
		asked->prompt.hint = "Type \"allow\" or \"deny\":";
		if ((question->kinds & KIND_BOTH) == KIND_BOTH) {
			add_word(asked, "allow camera", AGENT_ALLOW_CAMERA);
			add_word(asked, "allow microphone", AGENT_ALLOW_MICROPHONE);
			asked->prompt.hint =
				"Type \"allow\", \"allow camera\", \"allow microphone\" or \"deny\":";
		}
		add_word(asked, "deny", AGENT_DENY);
		break;
	case AGENT_COMPARE:
		asked->prompt.text = text_of_compare(question->subject, details);
		asked->prompt.hint = "Type \"matches\", \"differs\" or \"unverified\":";
		add_word(asked, "matches", AGENT_MATCHES);
		add_word(asked, "unverified", AGENT_UNVERIFIED);
		add_word(asked, "differs", AGENT_DIFFERS);
		break;
	case AGENT_CONFIRM:
		asked->prompt.text = text_of_confirm(question->subject, details);
		asked->prompt.hint = "Type \"allow\" or \"deny\":";
		add_word(asked, "allow", AGENT_ALLOW);
		add_word(asked, "deny", AGENT_DENY);
		break;
	case AGENT_PASSPHRASE:
		fill_passphrase(asked, question);
		break;
	}
}

static int ask(void *userdata, struct agent_question *question)
{
	struct terminal *terminal = userdata;
	struct asked *asked;
	int r;

	/* What is typed here others can read. */
	if (terminal->password && question->kind == AGENT_PASSPHRASE)
		return -EOPNOTSUPP;
	asked = calloc(1, sizeof(*asked));
	if (!asked)
		return -ENOMEM;
	asked->question = question;
	asked->on = terminal;
	asked->prompt.deadline = question->deadline;
	asked->prompt.answered = on_answered;
	fill(asked, question);
	/* What this version does not know it cannot ask about. */
	r = asked->prompt.text ? prompt_ask(terminal->prompt, &asked->prompt) : -EOPNOTSUPP;
	if (r < 0) {
		free(asked->prompt.text);
		free(asked);
		return r;
	}
	question->front = asked;
	return 0;
}

static void withdraw(void *userdata, struct agent_question *question)
{
	struct terminal *terminal = userdata;
	struct asked *asked = question->front;

	if (asked->auth)
		on_authenticated(asked, false);
	else
		prompt_withdraw(terminal->prompt, &asked->prompt);
}

static void tell(void *userdata, const char *what, const char *message)
{
	struct terminal *terminal = userdata;
	char *line;

	if (asprintf(&line, "Callgate: %s", message) < 0)
		return;
	prompt_tell(terminal->prompt, line);
	free(line);
}

static void status(void *userdata, const char *sentence)
{
	struct terminal *terminal = userdata;
	char line[320];

	if (sentence)
		snprintf(line, sizeof(line), "callgate-agent-tty: %s", sentence);
	else
		snprintf(
			line, sizeof(line),
			"callgate-agent-tty: ready; questions are asked here (%s%s). Ctrl-C ends it.",
			prompt_name(terminal->prompt),
			prompt_is_pseudo(terminal->prompt) ? ", a pseudo-terminal" : "");
	prompt_tell(terminal->prompt, line);
}

static void on_hangup(void *userdata)
{
	struct terminal *terminal = userdata;

	agent_quit(&terminal->agent, 0);
}

static int run(struct terminal *terminal, const char *tty)
{
	static const char *const console[] = { "terminal", NULL };
	static const char *const pseudo[] = { "terminal", "pseudo", NULL };
	static const char *const password[] = { "terminal", "pseudo", "password", NULL };
	static struct agent_front front = {
		.ask = ask,
		.withdraw = withdraw,
		.tell = tell,
		.status = status,
	};
	const char *why;
	int r;

	r = sd_event_default(&terminal->agent.event);
	if (r < 0)
		return r;
	r = prompt_open(terminal->agent.event, tty, on_hangup, terminal, &terminal->prompt, &why);
	if (r < 0) {
		fprintf(stderr, "callgate-agent-tty: cannot ask on this terminal: %s\n", why);
		terminal->agent.exit = 1;
		return 0;
	}
	/* On a console of the machine a hand types, and needs no password to prove it. */
	terminal->password = terminal->password && prompt_is_pseudo(terminal->prompt);
	front.options = console;
	if (prompt_is_pseudo(terminal->prompt))
		front.options = terminal->password ? password : pseudo;
	terminal->agent.front = &front;
	terminal->agent.userdata = terminal;
	r = agent_start(&terminal->agent);
	if (r < 0 && terminal->agent.exit == 4) {
		fprintf(stderr, "callgate-agent-tty: cannot connect to the system bus: %s\n",
			strerror(-r));
		return 0;
	}
	return r < 0 ? r : sd_event_loop(terminal->agent.event);
}

static void usage(FILE *out)
{
	fputs("Usage: callgate-agent-tty [--tty DEVICE] [--password]\n\n"
	      "Asks you on a terminal before a program may capture in a call. Nothing is approved without\n"
	      "an agent. Keep it open; Ctrl-C ends it, and then every question is answered with no.\n\n"
	      "      --tty DEVICE  ask on that terminal instead of that of standard input\n"
	      "      --password    on a pseudo-terminal: polkit asks for your password before a yes counts\n"
	      "      --help        this text\n\n"
	      "On a pseudo-terminal (a terminal window, ssh) other programs of yours may type as well as you can;\n"
	      "approving there needs --password, unless /etc/callgate/callgate.conf allows it without. See\n"
	      "callgate-agent-tty(1).\n",
	      out);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "tty", required_argument, NULL, 't' },
		{ "password", no_argument, NULL, 'p' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	struct terminal terminal = { 0 };
	const char *tty = NULL;
	int r, option;

	r = agent_harden();
	if (r < 0) {
		fprintf(stderr, "callgate-agent-tty: cannot start safely: %s\n", strerror(-r));
		return 1;
	}
	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (option) {
		case 't':
			tty = optarg;
			break;
		case 'p':
			terminal.password = true;
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
	r = run(&terminal, tty);
	if (r < 0) {
		fprintf(stderr, "callgate-agent-tty: %s\n", strerror(-r));
		terminal.agent.exit = 1;
	}
	agent_stop(&terminal.agent);
	prompt_free(terminal.prompt);
	sd_event_unref(terminal.agent.event);
	return terminal.agent.exit;
}
