// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * callgate-agent: asks the user in a window what the daemon wants to know, one
 * question at a time. agent.c owns the connection, hand.c knows what a hand
 * pressed, display.c what is in front of the person; callgate-prompt, a child
 * without the agents' group, shows the window.
 *
 * Security: any program of the user can press the buttons of a window. So what
 * gives something away counts only if a hand pressed the same kind of thing at the
 * seat within 50 ms of when the window saw it, if the session was in front all the
 * while, and if the question was on that session's own display. Where one of these
 * cannot be told the answer is no. The window's environment and arguments are ours.
 */
#include "agent-auth.h"
#include "agent.h"
#include "child.h"
#include "display.h"
#include "hand.h"
#include "plain.h"
#include "question.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define QUEUE_MAX   8
/* A press that the window saw first may still be on its way from the helper. */
#define HAND_USEC   300000ull
/* That questions cannot be asked is told once in a while. */
#define INFORM_USEC 60000000ull

/**
 * struct asked - a question and the window that shows it
 * @window: the process, or 0
 * @output: its answers
 * @auth: the user is asked for his password, where no hand was seen
 * @word, @by, @at: its answer, once it has given one
 */
struct asked {
	struct asked *next;
	struct broker *broker;
	struct agent_question *question;
	struct display display;
	struct hand *hand;
	struct agent_auth *auth;
	pid_t window;
	int output;
	sd_event_source *io, *deadline, *patience;
	char word[24], by[16];
	uint32_t at;
};

struct broker {
	struct agent agent;
	struct asked *first;
	sd_event_source *show;
	uint64_t informed;
	const char *style, *scale, *language;
	bool password;
};

/* ---- the end of a question --------------------------------------------------------------------- */

static int show_first(sd_event_source *source, void *userdata);

static void asked_free(struct asked *asked)
{
	sd_event_source_disable_unref(asked->io);
	sd_event_source_disable_unref(asked->deadline);
	sd_event_source_disable_unref(asked->patience);
	hand_free(asked->hand);
	agent_auth_free(asked->auth);
	if (asked->window > 0) {
		kill(asked->window, SIGKILL);
		waitpid(asked->window, NULL, 0);
	}
	if (asked->output >= 0)
		close(asked->output);
	display_clear(&asked->display);
	free(asked);
}

static void settle(struct asked *asked, enum agent_answer answer)
{
	struct broker *broker = asked->broker;
	struct asked **p;

	for (p = &broker->first; *p != asked; p = &(*p)->next)
		;
	*p = asked->next;
	agent_settle(asked->question, answer);
	asked_free(asked);
	if (broker->first)
		sd_event_source_set_enabled(broker->show, SD_EVENT_ONESHOT);
}

static void refuse(struct asked *asked, const char *why)
{
	fprintf(stderr, "callgate-agent: answered no: %s\n", why);
	settle(asked, AGENT_NO_ANSWER);
}

static void inform(struct broker *broker, const char *why);

/* The user saw nothing of it, and would wonder. */
static void refuse_unasked(struct asked *asked, const char *why)
{
	inform(asked->broker, why);
	refuse(asked, why);
}

static const struct {
	const char *word;
	enum agent_answer answer;
	bool gives; /* needs a hand */
} words[] = {
	{ "dismiss", AGENT_NO_ANSWER, false },
	{ "deny", AGENT_DENY, false },
	{ "differs", AGENT_DIFFERS, false },
	{ "allow", AGENT_ALLOW, true },
	{ "allow-microphone", AGENT_ALLOW_MICROPHONE, true },
	{ "matches", AGENT_MATCHES, true },
	{ "unverified", AGENT_UNVERIFIED, true },
};

static const char no_hand[] = "no hand at this seat pressed it when the window says";

/* In words; their number where it is none of them. */
static size_t find_word(const struct asked *asked)
{
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(words[i].word, asked->word) == 0)
			break;
	return i;
}

static void on_authenticated(void *userdata, bool yes)
{
	struct asked *asked = userdata;

	if (!display_is_active(&asked->display))
		refuse(asked, "the session is not in front any more");
	else if (yes)
		settle(asked, words[find_word(asked)].answer);
	else
		refuse(asked, "no hand at this seat pressed it, and no password was given");
}

/* A remote desktop, a keyboard on the screen, a switch: no hand, but perhaps somebody who can say so. */
static void refuse_or_authenticate(struct asked *asked, const char *why)
{
	if (!asked->broker->password)
		refuse(asked, why);
	else if (!asked->auth && agent_auth_new(&asked->auth, asked->broker->agent.client.bus,
						false, on_authenticated, asked) < 0)
		refuse(asked, "the password cannot be asked for");
}

/* Called whenever the window or the helper said something. */
static void look(struct asked *asked)
{
	size_t i = find_word(asked);

	if (asked->word[0] == '\0' || asked->auth)
		return;
	if (i == sizeof(words) / sizeof(words[0])) {
		refuse(asked, "the window gave an answer that is none");
		return;
	}
	if (!words[i].gives) {
		settle(asked, words[i].answer);
		return;
	}
	if (!display_is_active(&asked->display)) {
		refuse(asked, "the session is not in front any more");
		return;
	}
	if (hand_pressed(asked->hand, asked->by, asked->at))
		settle(asked, words[i].answer);
	else if (hand_is_gone(asked->hand))
		refuse_or_authenticate(asked, "nobody can tell whether a hand pressed it");
}

static void on_heard(void *userdata)
{
	struct asked *asked = userdata;

	if (hand_is_ready(asked->hand) || asked->word[0] != '\0')
		look(asked);
	else if (hand_is_gone(asked->hand) && !asked->broker->password)
		refuse_unasked(
			asked,
			"callgate-presence does not run; is it installed as the package does it?");
}

static int on_patience(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct asked *asked = userdata;

	if (!asked->auth)
		refuse_or_authenticate(asked, no_hand);
	return 0;
}

static int on_output(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct asked *asked = userdata;
	char line[QUESTION_LINE_MAX + 1];
	ssize_t n = read(fd, line, QUESTION_LINE_MAX);

	if (n < 0 && errno == EINTR)
		return 0;
	if (n <= 0) {
		refuse_unasked(asked, "the window ended without an answer");
		return 0;
	}
	line[n] = '\0';
	if (asked->word[0] != '\0' ||
	    sscanf(line, "%23s %15s %" SCNu32, asked->word, asked->by, &asked->at) != 3) {
		refuse(asked, "the window said something that is no answer");
		return 0;
	}
	sd_event_source_set_enabled(asked->io, SD_EVENT_OFF);
	if (sd_event_add_time_relative(asked->broker->agent.event, &asked->patience,
				       CLOCK_MONOTONIC, HAND_USEC, 1000, on_patience, asked) < 0) {
		refuse(asked, "out of memory");
		return 0;
	}
	look(asked);
	return 0;
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
	refuse(userdata, "nobody answered in time");
	return 0;
}

/* ---- the window -------------------------------------------------------------------------------- */

/* name and value, each with its end. A text that does not fit is none. */
static bool put(char *buffer, size_t *length, const char *name, const char *value)
{
	size_t n = strlen(name) + 1, m = strlen(value) + 1;

	if (*length + n + m > QUESTION_BYTES_MAX)
		return false;
	memcpy(buffer + *length, name, n);
	memcpy(buffer + *length + n, value, m);
	*length += n + m;
	return true;
}

static bool write_question(const struct asked *asked, char *buffer, size_t *length)
{
	static const char *const kinds[] = {
		[AGENT_APPROVE] = "approve",
		[AGENT_COMPARE] = "compare",
		[AGENT_CONFIRM] = "confirm",
	};
	const struct client_dict *details = &asked->question->details;
	const struct broker *broker = asked->broker;
	char number[24];
	bool good = true;

	for (size_t i = 0; i < details->n && good; i++) {
		const struct client_field *field = &details->fields[i];

		if (field->type == 's') {
			good = put(buffer, length, field->name, field->text);
		} else if (field->type == 'u' || field->type == 'b') {
			snprintf(number, sizeof(number), "%" PRIu64, field->number);
			good = put(buffer, length, field->name, number);
		}
	}
	/* Ours come last: of two with one name the last counts. */
	good = good && put(buffer, length, QUESTION_KIND, kinds[asked->question->kind]);
	if (asked->question->subject)
		good = good && put(buffer, length, QUESTION_SUBJECT, asked->question->subject);
	snprintf(number, sizeof(number), "%d", asked->display.server);
	good = good && put(buffer, length, QUESTION_SERVER, number);
	if (broker->style)
		good = good && put(buffer, length, QUESTION_STYLE, broker->style);
	if (broker->scale)
		good = good && put(buffer, length, QUESTION_SCALE, broker->scale);
	if (broker->password)
		good = good && put(buffer, length, QUESTION_PASSWORD, "1");
	return good;
}

static int start_window(struct asked *asked)
{
	char buffer[QUESTION_BYTES_MAX];
	int in[2] = { -1, -1 }, out[2] = { -1, -1 };
	size_t length = 0;
	int r = -E2BIG;

	if (!write_question(asked, buffer, &length))
		return r;
	/* A pipe takes this much at once, so that writing never waits. */
	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 ||
	    fcntl(in[1], F_SETPIPE_SZ, QUESTION_BYTES_MAX) < 0 ||
	    write(in[1], buffer, length) != (ssize_t)length) {
		r = -errno;
		goto out;
	}
	asked->window = fork();
	if (asked->window == 0)
		child_become(asked->broker->language, &asked->display, in[0], out[1]);
	r = asked->window < 0 ? -errno : 0;
	if (r < 0)
		goto out;
	asked->output = out[0];
	out[0] = -1;
	r = sd_event_add_io(asked->broker->agent.event, &asked->io, asked->output, EPOLLIN,
			    on_output, asked);
out:
	for (int i = 0; i < 2; i++) {
		if (in[i] >= 0)
			close(in[i]);
		if (out[i] >= 0)
			close(out[i]);
	}
	return r;
}

/* By a program that is no child of ours for long: nothing comes back from it. */
static void inform(struct broker *broker, const char *why)
{
	static const struct display nowhere = { 0 };
	int in[2] = { -1, -1 }, null = open("/dev/null", O_RDWR | O_CLOEXEC);
	char buffer[QUESTION_BYTES_MAX];
	size_t length = 0;
	uint64_t now = 0;
	pid_t pid = -1;

	sd_event_now(broker->agent.event, CLOCK_MONOTONIC, &now);
	if (null >= 0 && (!broker->informed || now - broker->informed >= INFORM_USEC) &&
	    put(buffer, &length, QUESTION_KIND, "tell") &&
	    put(buffer, &length, QUESTION_SUBJECT, why) && pipe2(in, O_CLOEXEC) == 0 &&
	    write(in[1], buffer, length) == (ssize_t)length) {
		broker->informed = now;
		pid = fork();
	}
	if (pid == 0) {
		if (fork() != 0)
			_exit(0);
		child_become(broker->language, &nowhere, in[0], null);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
	for (int i = 0; i < 2; i++)
		if (in[i] >= 0)
			close(in[i]);
	if (null >= 0)
		close(null);
}

static int show_first(sd_event_source *source, void *userdata)
{
	struct broker *broker = userdata;
	struct asked *asked = broker->first;
	char why[256];
	const char *end;
	int r;

	if (!asked || asked->window > 0)
		return 0;
	r = display_find(&asked->display, broker->agent.client.bus, &end);
	if (r < 0) {
		snprintf(why, sizeof(why), "it cannot be asked: %s", end);
		refuse_unasked(asked, why);
		return 0;
	}
	r = hand_new(&asked->hand, broker->agent.event, asked->display.seat, on_heard, asked);
	if (r >= 0)
		r = sd_event_add_time(broker->agent.event, &asked->deadline, CLOCK_MONOTONIC,
				      asked->question->deadline, 1000, on_deadline, asked);
	if (r >= 0)
		r = start_window(asked);
	if (r < 0) {
		snprintf(why, sizeof(why), "the question cannot be shown: %s", strerror(-r));
		refuse_unasked(asked, why);
	}
	return 0;
}

/* ---- what the agent calls ---------------------------------------------------------------------- */

static int ask(void *userdata, struct agent_question *question)
{
	struct broker *broker = userdata;
	struct asked *asked, **p;
	int n = 0;

	/* A secret is not typed where every program of the user can watch. */
	if (question->kind == AGENT_PASSPHRASE)
		return -EOPNOTSUPP;
	for (p = &broker->first; *p; p = &(*p)->next)
		n++;
	if (n >= QUEUE_MAX)
		return -EBUSY;
	asked = calloc(1, sizeof(*asked));
	if (!asked)
		return -ENOMEM;
	asked->broker = broker;
	asked->question = question;
	asked->output = -1;
	question->front = asked;
	*p = asked;
	sd_event_source_set_enabled(broker->show, SD_EVENT_ONESHOT);
	return 0;
}

static void withdraw(void *userdata, struct agent_question *question)
{
	settle(question->front, AGENT_NO_ANSWER);
}

/* Notices are for the desktop's own notifications, which need no right: the indicator shows them. */
static void tell(void *userdata, const char *what, const char *message)
{
	char *clean = plain_copy(message);

	if (clean)
		fprintf(stderr, "callgate-agent: %s\n", clean);
	free(clean);
}

static void status(void *userdata, const char *sentence)
{
	fprintf(stderr, "callgate-agent: %s\n",
		sentence ? sentence : "ready; questions are asked in a window.");
}

/* ---- beginning --------------------------------------------------------------------------------- */

static int run(struct broker *broker)
{
	static const char *const none[] = { NULL };
	static const struct agent_front front = {
		.options = none,
		.ask = ask,
		.withdraw = withdraw,
		.tell = tell,
		.status = status,
	};
	int r;

	r = sd_event_default(&broker->agent.event);
	if (r >= 0)
		r = sd_event_add_defer(broker->agent.event, &broker->show, show_first, broker);
	if (r >= 0)
		r = sd_event_source_set_enabled(broker->show, SD_EVENT_OFF);
	if (r < 0)
		return r;
	broker->agent.front = &front;
	broker->agent.userdata = broker;
	r = agent_start(&broker->agent);
	if (r < 0 && broker->agent.exit == 4) {
		fprintf(stderr, "callgate-agent: cannot connect to the system bus: %s\n",
			strerror(-r));
		return 0;
	}
	return r < 0 ? r : sd_event_loop(broker->agent.event);
}

static void usage(FILE *out)
{
	fputs("Usage: callgate-agent [OPTION]...\n\n"
	      "Asks you in a window before a program may capture in a call. Only a press of your own on this\n"
	      "machine's keyboard, pointer or touch screen allows something.\n\n"
	      "      --style STYLE    light, dark or contrast\n"
	      "      --scale PERCENT  size of text, 50 to 300\n"
	      "      --language LANG  ar, de, zh_CN; English is the default\n"
	      "      --password       where no hand was seen (a remote desktop, a keyboard on the screen, a\n"
	      "                       switch) have polkit ask for your password instead of denying\n"
	      "      --help           this text\n\n"
	      "It needs a session on X11 or Wayland that is in front on this machine; see callgate-agent(1).\n",
	      out);
}

static bool is_one_of(const char *word, const char *const *of)
{
	for (; *of; of++)
		if (strcmp(word, *of) == 0)
			return true;
	return false;
}

static bool is_made_of(const char *word, const char *letters)
{
	size_t length = strlen(word);

	return length > 0 && length < 32 && strspn(word, letters) == length;
}

int main(int argc, char **argv)
{
	static const char *const styles[] = { "light", "dark", "contrast", NULL };
	static const struct option options[] = {
		{ "style", required_argument, NULL, 's' },
		{ "scale", required_argument, NULL, 'c' },
		{ "language", required_argument, NULL, 'l' },
		{ "password", no_argument, NULL, 'p' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	struct broker broker = { 0 };
	bool good = true;
	int r, option;

	/* Standard error goes where the journal or the user looks; it is kept. */
	r = agent_harden();
	if (r < 0) {
		fprintf(stderr, "callgate-agent: cannot start safely: %s\n", strerror(-r));
		return 1;
	}
	while (good && (option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (option) {
		case 's':
			broker.style = optarg;
			good = is_one_of(optarg, styles);
			break;
		case 'c':
			broker.scale = optarg;
			good = is_made_of(optarg, "0123456789") && atoi(optarg) >= 50 &&
			       atoi(optarg) <= 300;
			break;
		case 'l':
			broker.language = optarg;
			good = is_made_of(
				optarg,
				"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.@-");
			break;
		case 'p':
			broker.password = true;
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			good = false;
		}
	}
	if (!good || optind < argc) {
		usage(stderr);
		return 2;
	}
	r = run(&broker);
	if (r < 0) {
		fprintf(stderr, "callgate-agent: %s\n", strerror(-r));
		broker.agent.exit = 1;
	}
	agent_stop(&broker.agent);
	sd_event_source_disable_unref(broker.show);
	sd_event_unref(broker.agent.event);
	return broker.agent.exit;
}
