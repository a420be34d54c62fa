/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a program is called by those who started it: units, mounts, arguments. Pure. */
#ifndef CALLGATE_APP_NAME_H
#define CALLGATE_APP_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define APP_ID_MAX 255

/**
 * app_name_unit() - the app in a control group's path, as desktops name the units that they start apps in
 * @cgroup: "/user.slice/…/app-gnome-org.example.App-123.scope"
 * @ret_class: "flatpak:", "snap:", or "" for an app outside both
 * @ret_id: APP_ID_MAX + 1 bytes
 * Return: false: no part of it is such a unit.
 */
bool app_name_unit(const char *cgroup, const char **ret_class, char *ret_id);

/**
 * app_name_image() - the AppImage that a path lies in
 * @mounts: what /proc/PID/mountinfo says
 * @ret_name: APP_ID_MAX + 1 bytes: the image's file
 */
bool app_name_image(const char *mounts, const char *exe, char *ret_name);

/* Does this executable run programs that are other files? */
bool app_name_is_interpreter(const char *exe);

/**
 * app_name_script() - the program that an interpreter runs
 * @arguments: each with its zero byte, @length in all
 * @ret_script: @size bytes; "-" where the arguments name no file, but are the program or have none
 */
void app_name_script(const char *exe, const char *arguments, size_t length, char *ret_script,
		     size_t size);

#endif
