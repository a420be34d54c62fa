/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What desktops call an app, and its icon. */
#ifndef CALLGATE_APP_ENTRY_H
#define CALLGATE_APP_ENTRY_H

#include <stdbool.h>

#define APP_ENTRY_MAX 127

/**
 * struct app_entry
 * @name: for people, as the file has it in English; empty: unknown
 * @icon: in the system's themes; or empty
 */
struct app_entry {
	char name[APP_ENTRY_MAX + 1];
	char icon[APP_ENTRY_MAX + 1];
};

/**
 * app_entry_find() - the desktop entry of an app
 * @dir: a directory that, with all above it, only root can change
 * @label: of the app: "exe:" and a path, whose entry is the one that starts it; "flatpak:" or "snap:" and a name, whose is
 *	called by that name
 * Return: false: there is none there.
 */
bool app_entry_find(const char *dir, const char *label, struct app_entry *ret_entry);

/* In the places where the system, Flatpak and Snap keep those that root installed. */
bool app_entry_lookup(const char *label, struct app_entry *ret_entry);

#endif
