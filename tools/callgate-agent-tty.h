/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CALLGATE_AGENT_TTY_H
#define CALLGATE_AGENT_TTY_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#define PROMPT_WORDS_MAX 4
#define PROMPT_QUEUE_MAX 8

/**
 * struct prompt_question - one question and what may be typed
 * @text: whole lines, cleaned; owned by the question
 * @hint: one line that begins with "Type"
 * @words: the answers, in lower case; the last is the one that denies
 * @n_words: how many
 * @deadline: CLOCK_MONOTONIC, µs; nobody answered by then
 * @secret: what is typed is a passphrase of at least so many bytes, not one of the words; not shown; an empty line denies
 * @twice: it has to be typed twice
 * @answered: called once, with the word's index, or -1 for no answer; may free the question
 *
 * Zero but for these; the rest belongs to the prompt.
 */
struct prompt_question {
	char *text;
	const char *hint;
	const char *words[PROMPT_WORDS_MAX];
	int n_words;
	uint64_t deadline;
	size_t secret;
	bool twice;
	void (*answered)(struct prompt_question *question, int word);

	struct prompt_question *next;
	int wrong;
};

/* The longest line, with its end. */
#define PROMPT_LINE_MAX 256

struct prompt;

/* In answered() with word 0 of a question with @secret: the passphrase. It is wiped afterwards. */
const char *prompt_secret(const struct prompt *prompt);

/**
 * prompt_open() - take a terminal to ask on
 * @tty: its device, or NULL for that of standard input
 * @hangup: called when it is gone or the user has typed an interrupt
 * @ret_why: on failure a sentence's end
 */
int prompt_open(sd_event *event, const char *tty, void (*hangup)(void *userdata), void *userdata,
		struct prompt **ret, const char **ret_why);
/* Restores the terminal. No question may be open. */
struct prompt *prompt_free(struct prompt *prompt);

/* Another program reads the terminal until it is resumed: nothing is asked or read meanwhile. */
void prompt_hold(struct prompt *prompt);
void prompt_resume(struct prompt *prompt);

const char *prompt_name(const struct prompt *prompt);
/* Another program may type there. True unless it is known to be a console or a serial line. */
bool prompt_is_pseudo(const struct prompt *prompt);

/* -EBUSY when too many wait. Otherwise answered() is called later, never from within. */
int prompt_ask(struct prompt *prompt, struct prompt_question *question);
/* Take a question down; answered() is called with -1. */
void prompt_withdraw(struct prompt *prompt, struct prompt_question *question);
/* Print one line, now or after the open question. */
void prompt_tell(struct prompt *prompt, const char *text);

/*
 * "  label: value" in whole lines, cleaned; a long value is continued under itself,
 * so that it cannot look like a line of its own. Appends to *text; false when memory is out.
 */
bool prompt_field(char **text, const char *label, const char *value);
bool prompt_line(char **text, const char *line);

#endif
