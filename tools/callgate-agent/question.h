/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the broker and its window say to each other, through two pipes.
 *
 * To the window: pairs of texts, each ended by a zero byte, until the end of
 * the pipe. From it: one line, WORD BY AT, e.g. "allow pointer 1234567", where
 * WORD is an answer, BY is how it was given and AT the time of the press, ms.
 */
#ifndef CALLGATE_AGENT_QUESTION_H
#define CALLGATE_AGENT_QUESTION_H

/* Longer than anything that the daemon sends. */
#define QUESTION_BYTES_MAX 16384
#define QUESTION_PAIRS_MAX 32
#define QUESTION_LINE_MAX  64

/* Names beside those of doc/dbus.md. */
#define QUESTION_KIND	 "Question"   /* approve, compare, confirm; tell */
#define QUESTION_SUBJECT "Concerning" /* the number, the action, what is told */
#define QUESTION_SERVER	 "Server"     /* process at the other end of the display's connection */
#define QUESTION_SCALE	 "Scale"      /* of text, in percent */
#define QUESTION_STYLE	 "Style"      /* light, dark, contrast */

#define QUESTION_PASSWORD \
	"Password" /* 1: what nobody pressed is answered, too; the broker asks for it */

#endif
