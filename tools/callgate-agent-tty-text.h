/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The terminal agent's questions, as whole lines for free(); NULL when memory is out or the action is not known. */
#ifndef CALLGATE_AGENT_TTY_TEXT_H
#define CALLGATE_AGENT_TTY_TEXT_H

#include <stdbool.h>

#include "client.h"

char *text_of_approve(const struct client_dict *details);
char *text_of_compare(const char *number, const struct client_dict *details);
char *text_of_confirm(const char *action, const struct client_dict *details);
char *text_of_passphrase(bool export, const struct client_dict *details);

#endif
