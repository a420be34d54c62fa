/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CALLGATE_INDICATOR_TRAY_H
#define CALLGATE_INDICATOR_TRAY_H

#include "state.h"

/**
 * struct tray - the icon and its menu
 * @shown: a tray shows it
 * @changed: called when @shown changed
 */
struct tray {
	struct state *state;
	unsigned int revision;
	bool shown;
	void (*changed)(void *userdata);
	void *userdata;
};

int tray_start(struct tray *tray);
/* What the state says has changed. */
void tray_update(struct tray *tray);

#endif
