/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CALLGATE_AGENT_CHILD_H
#define CALLGATE_AGENT_CHILD_H

#include "display.h"

/**
 * child_become() - become the program that shows a question
 * @language: of the words, or NULL for English
 * @display: where; one without a server is none: it can only tell
 * @input, @output: its standard input and output
 */
_Noreturn void child_become(const char *language, const struct display *display, int input,
			    int output);

#endif
