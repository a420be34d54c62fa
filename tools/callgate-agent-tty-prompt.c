// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Questions on a terminal, one at a time. Owns the terminal while the agent runs.
 * Knows nothing of calls or of D-Bus.
 *
 * Security: a question is first shown and only a second later armed; what was
 * typed before that is thrown away unread, so that neither type-ahead nor a
 * burst of pasted text answers it. Only a whole word is an answer. The end of
 * input, a hang-up, a second wrong word and silence are a no. Text of others
 * comes here cleaned, and cannot begin a line.
 */
#include "callgate-agent-tty.h"

#include "plain.h"
#include "util/text.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define ARM_USEC	  1000000ull
#define VALUE_COLUMNS	  56
#define TOLD_MAX	  16
#define TTY_MAJOR_CONSOLE 4

/**
 * struct prompt
 * @first: the questions; the first is the one that is shown
 * @shown: it is on the terminal
 * @armed: and may be answered
 * @held: another program has the terminal
 * @told: lines that wait for it to go
 * @first_line: of a passphrase that is typed twice, where @have_first
 */
struct prompt {
	int fd;
	char *name;
	bool pseudo;
	struct termios before;
	sd_event *event;
	sd_event_source *io, *arm, *deadline, *next;
	void (*hangup)(void *userdata);
	void *userdata;
	struct prompt_question *first;
	bool shown, armed, held;
	char *told[TOLD_MAX];
	int n_told;
	char line[PROMPT_LINE_MAX], first_line[PROMPT_LINE_MAX];
	bool have_first;
	size_t line_len;
	bool line_lost;
};

static void put(struct prompt *prompt, const char *text)
{
	size_t len = strlen(text);
	ssize_t n;

	while (len) {
		n = write(prompt->fd, text, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		text += n;
		len -= n;
	}
}

static void set_echo(struct prompt *prompt, bool echo)
{
	struct termios mode = prompt->before;

	mode.c_iflag |= ICRNL;
	mode.c_iflag &= ~(tcflag_t)(IGNCR | INLCR);
	mode.c_oflag |= OPOST | ONLCR;
	mode.c_lflag |= ICANON | ISIG | (echo ? ECHO | ECHOE : 0);
	mode.c_lflag &= ~(tcflag_t)(echo ? 0 : ECHO | ECHONL);
	tcsetattr(prompt->fd, TCSANOW, &mode);
}

static bool in_background(struct prompt *prompt)
{
	pid_t group = tcgetpgrp(prompt->fd);

	return group > 0 && group != getpgrp();
}

static int show_next(sd_event_source *source, void *userdata);

static void schedule(struct prompt *prompt)
{
	prompt->next = sd_event_source_disable_unref(prompt->next);
	if (prompt->first && !prompt->shown && !prompt->held)
		sd_event_add_defer(prompt->event, &prompt->next, show_next, prompt);
}

static void unlink_question(struct prompt *prompt, struct prompt_question *question)
{
	struct prompt_question **p;

	for (p = &prompt->first; *p && *p != question; p = &(*p)->next)
		;
	assert(*p);
	*p = question->next;
}

static void wipe_lines(struct prompt *prompt)
{
	explicit_bzero(prompt->line, sizeof(prompt->line));
	explicit_bzero(prompt->first_line, sizeof(prompt->first_line));
	prompt->line_len = 0;
}

const char *prompt_secret(const struct prompt *prompt)
{
	return prompt->line;
}

/* Take a question away, shown or not, and report the answer. */
static void settle(struct prompt *prompt, struct prompt_question *question, int word,
		   const char *last)
{
	bool shown = question == prompt->first && prompt->shown;

	unlink_question(prompt, question);
	if (shown) {
		prompt->have_first = false;
		prompt->shown = prompt->armed = false;
		prompt->arm = sd_event_source_disable_unref(prompt->arm);
		prompt->deadline = sd_event_source_disable_unref(prompt->deadline);
		set_echo(prompt, true);
		put(prompt, last);
		put(prompt, "\n\n");
		for (int i = 0; i < prompt->n_told; i++) {
			put(prompt, prompt->told[i]);
			free(prompt->told[i]);
		}
		prompt->n_told = 0;
	}
	question->answered(question, word);
	if (shown)
		wipe_lines(prompt);
	schedule(prompt);
}

static int on_arm(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct prompt *prompt = userdata;

	prompt->line_len = 0;
	prompt->line_lost = false;
	set_echo(prompt, !prompt->first->secret);
	/* Before the hint is shown, not after: who answers it at once must not lose the answer. */
	tcflush(prompt->fd, TCIFLUSH);
	prompt->armed = true;
	put(prompt, prompt->first->hint);
	put(prompt, "\n> ");
	return 0;
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct prompt *prompt = userdata;

	settle(prompt, prompt->first, -1, "\nNobody answered: that is a no.");
	return 0;
}

static int show_next(sd_event_source *source, void *userdata)
{
	struct prompt *prompt = userdata;
	struct prompt_question *question = prompt->first;
	uint64_t now;

	prompt->next = sd_event_source_disable_unref(prompt->next);
	if (!question || prompt->shown || prompt->held)
		return 0;
	prompt->shown = true;
	sd_event_now(prompt->event, CLOCK_MONOTONIC, &now);
	if (in_background(prompt)) {
		settle(prompt, question, -1,
		       "Callgate could not ask you: the agent runs in the background.");
		return 0;
	}
	if (question->deadline <= now + ARM_USEC) {
		settle(prompt, question, -1,
		       "A question of Callgate waited too long and was answered with no.");
		return 0;
	}
	set_echo(prompt, false);
	put(prompt, "\n");
	put(prompt, question->text);
	if (sd_event_add_time(prompt->event, &prompt->arm, CLOCK_MONOTONIC, now + ARM_USEC, 1000,
			      on_arm, prompt) < 0 ||
	    sd_event_add_time(prompt->event, &prompt->deadline, CLOCK_MONOTONIC, question->deadline,
			      1000, on_deadline, prompt) < 0)
		settle(prompt, question, -1, "Out of memory: that is a no.");
	return 0;
}

/* A passphrase. Spaces are part of it. */
static void take_secret(struct prompt *prompt, const char *line)
{
	struct prompt_question *question = prompt->first;
	const char *why;

	if (!*line && !prompt->line_lost)
		return settle(prompt, question, -1, "\nNo passphrase: that is a no.");
	if (strlen(line) >= question->secret && question->twice && !prompt->have_first) {
		memcpy(prompt->first_line, line, strlen(line) + 1);
		prompt->have_first = true;
		return put(prompt, "\nType it once more:\n> ");
	}
	if (strlen(line) < question->secret)
		why = "\nThat is too short, or too long. ";
	else if (question->twice && strcmp(line, prompt->first_line) != 0)
		why = "\nThose two were not the same. ";
	else
		return settle(prompt, question, 0, "\nDone.");
	prompt->have_first = false;
	if (question->wrong++ >= 2)
		return settle(prompt, question, -1, "\nNo passphrase again: that is a no.");
	put(prompt, why);
	put(prompt, question->hint);
	put(prompt, "\n> ");
}

static void take_line(struct prompt *prompt, char *line)
{
	struct prompt_question *question = prompt->first;
	size_t len;

	while (isspace((unsigned char)*line))
		line++;
	len = strlen(line);
	while (len && isspace((unsigned char)line[len - 1]))
		line[--len] = '\0';
	for (int i = 0; i < question->n_words; i++)
		if (!strcasecmp(line, question->words[i]))
			return settle(prompt, question, i,
				      i == question->n_words - 1 ? "So be it: no." : "Done.");
	if (question->wrong++)
		return settle(prompt, question, -1, "Not one of the answers again: that is a no.");
	put(prompt, "That is none of the answers. ");
	put(prompt, question->hint);
	put(prompt, "\n> ");
}

static void take_input(struct prompt *prompt, const char *data, size_t len)
{
	for (size_t i = 0; i < len && prompt->armed; i++) {
		if (data[i] != '\n') {
			if (data[i] == '\0' || prompt->line_len + 1 >= sizeof(prompt->line))
				prompt->line_lost = true;
			else
				prompt->line[prompt->line_len++] = data[i];
			continue;
		}
		prompt->line[prompt->line_lost ? 0 : prompt->line_len] = '\0';
		prompt->line_len = 0;
		if (prompt->first->secret) {
			take_secret(prompt, prompt->line);
			prompt->line_lost = false;
			continue;
		}
		prompt->line_lost = false;
		/* At most one answer from what was read at once: the rest was typed before the next was shown. */
		take_line(prompt, prompt->line);
	}
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct prompt *prompt = userdata;
	char data[PROMPT_LINE_MAX];
	ssize_t n = 0;

	if (revents & EPOLLIN)
		n = read(fd, data, sizeof(data));
	if (n > 0) {
		take_input(prompt, data, n);
		explicit_bzero(data, sizeof(data));
		return 0;
	}
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (n < 0 || revents & (EPOLLHUP | EPOLLERR)) {
		prompt->io = sd_event_source_disable_unref(prompt->io);
		prompt->hangup(prompt->userdata);
		return 0;
	}
	/* The end of input was typed. */
	if (prompt->armed)
		settle(prompt, prompt->first, -1, "No answer: that is a no.");
	return 0;
}

/* Open the device anew, so that its mode flags are ours; else use standard input itself. */
static int open_terminal(const char *tty, char **ret_name, const char **ret_why)
{
	const char *name = tty ? tty : ttyname(STDIN_FILENO);
	struct stat st;
	int fd;

	if (!name) {
		*ret_why = "standard input is no terminal; say which one with --tty";
		return -ENOTTY;
	}
	fd = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 && !tty && (fcntl(STDIN_FILENO, F_GETFL) & O_ACCMODE) == O_RDWR)
		fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	if (fd < 0) {
		*ret_why = "the terminal cannot be opened";
		return -errno;
	}
	if (!isatty(fd) || fstat(fd, &st) < 0 || (tty && st.st_uid != getuid())) {
		*ret_why = "it is no terminal of yours";
		close(fd);
		return -ENOTTY;
	}
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	*ret_name = strdup(name);
	if (!*ret_name) {
		*ret_why = "out of memory";
		close(fd);
		return -ENOMEM;
	}
	return fd;
}

int prompt_open(sd_event *event, const char *tty, void (*hangup)(void *userdata), void *userdata,
		struct prompt **ret, const char **ret_why)
{
	struct prompt *prompt = calloc(1, sizeof(*prompt));
	struct stat st;
	int r;

	*ret_why = "out of memory";
	if (!prompt)
		return -ENOMEM;
	prompt->fd = open_terminal(tty, &prompt->name, ret_why);
	if (prompt->fd < 0) {
		r = prompt->fd;
		free(prompt);
		return r;
	}
	/* Passphrases: best effort, and what fails leaves them as well kept as all else that is typed. */
	mlock(prompt, sizeof(*prompt));
	prompt->event = sd_event_ref(event);
	prompt->hangup = hangup;
	prompt->userdata = userdata;
	prompt->pseudo = fstat(prompt->fd, &st) < 0 || major(st.st_rdev) != TTY_MAJOR_CONSOLE;
	if (tcgetattr(prompt->fd, &prompt->before) < 0) {
		*ret_why = "its mode cannot be read";
		r = -errno;
	} else {
		r = sd_event_add_io(event, &prompt->io, prompt->fd, EPOLLIN, on_io, prompt);
	}
	if (r < 0) {
		prompt_free(prompt);
		return r;
	}
	*ret = prompt;
	return 0;
}

struct prompt *prompt_free(struct prompt *prompt)
{
	if (!prompt)
		return NULL;
	assert(!prompt->first);
	tcsetattr(prompt->fd, TCSANOW, &prompt->before);
	sd_event_source_disable_unref(prompt->io);
	sd_event_source_disable_unref(prompt->next);
	sd_event_unref(prompt->event);
	close(prompt->fd);
	free(prompt->name);
	free(prompt);
	return NULL;
}

void prompt_hold(struct prompt *prompt)
{
	prompt->held = true;
	sd_event_source_set_enabled(prompt->io, SD_EVENT_OFF);
}

void prompt_resume(struct prompt *prompt)
{
	prompt->held = false;
	set_echo(prompt, true);
	/* What was typed for the other is no answer here. */
	tcflush(prompt->fd, TCIFLUSH);
	if (prompt->io)
		sd_event_source_set_enabled(prompt->io, SD_EVENT_ON);
	schedule(prompt);
}

const char *prompt_name(const struct prompt *prompt)
{
	return prompt->name;
}

bool prompt_is_pseudo(const struct prompt *prompt)
{
	return prompt->pseudo;
}

int prompt_ask(struct prompt *prompt, struct prompt_question *question)
{
	struct prompt_question **p;
	int n = 0;

	for (p = &prompt->first; *p; p = &(*p)->next)
		n++;
	if (n >= PROMPT_QUEUE_MAX)
		return -EBUSY;
	*p = question;
	schedule(prompt);
	return 0;
}

void prompt_withdraw(struct prompt *prompt, struct prompt_question *question)
{
	settle(prompt, question, -1, "\nThe question was withdrawn.");
}

void prompt_tell(struct prompt *prompt, const char *text)
{
	char *clean = plain_copy(text), *line = NULL;

	if (!clean || asprintf(&line, "%s\n", clean) < 0)
		line = NULL;
	free(clean);
	if (!line)
		return;
	if (!prompt->shown) {
		put(prompt, line);
		free(line);
	} else if (prompt->n_told < TOLD_MAX) {
		prompt->told[prompt->n_told++] = line;
	} else {
		free(line);
	}
}

bool prompt_line(char **text, const char *line)
{
	char *longer;

	if (asprintf(&longer, "%s%s\n", *text ? *text : "", line) < 0)
		return false;
	free(*text);
	*text = longer;
	return true;
}

bool prompt_field(char **text, const char *label, const char *value)
{
	char *clean = plain_copy(value), head[32];
	const char *p = clean;
	bool good = clean != NULL;

	snprintf(head, sizeof(head), "  %s:", label);
	do {
		char *line;
		size_t len = 0, n;
		int columns = 0;
		uint32_t c;

		for (; good && p[len]; len += n) {
			n = text_decode(p + len, &c);
			columns += c >= 0x1100 ? 2 : 1;
			if (n == 0 || columns > VALUE_COLUMNS)
				break;
		}
		good = good && asprintf(&line, "%-14s%.*s", head, (int)len, p) >= 0;
		if (good) {
			good = prompt_line(text, line);
			free(line);
			p += len;
		}
		strcpy(head, "            |");
	} while (good && *p);
	free(clean);
	return good;
}
