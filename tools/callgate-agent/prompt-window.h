/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CALLGATE_AGENT_PROMPT_WINDOW_H
#define CALLGATE_AGENT_PROMPT_WINDOW_H

#include <adwaita.h>
#include <stdbool.h>

struct window;

/* Puts a question into the window; false for one that is not known. prompt-text.c. */
bool window_fill(struct window *window, GtkWindow *gtk, GHashTable *facts);

/* What a screen reader calls it; for a button by its label, which may mark a letter. */
void window_name(GtkWidget *widget, const char *name);
GtkWidget *window_named(GtkWidget *button, const char *label);
/* Instead of a window: why nobody was asked. An exit status. prompt-tell.c. */
int prompt_tell(const char *why);

/*
 * A button that gives something away, and one that does not. word: what the
 * broker is told; static text.
 */
void window_allow(struct window *window, GtkBox *box, const char *label, const char *word,
		  bool suggested);
void window_deny(struct window *window, GtkBox *box, const char *label, const char *word);
/* While this is chosen, allowing means the microphone only. */
void window_narrow(struct window *window, GtkCheckButton *button);

#endif
