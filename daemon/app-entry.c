// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Name and icon of an app, from desktop entries. Called by call-open.c for what a
 * question shows. Must not remember anything, nor decide by what it finds.
 *
 * Security: only files that root alone can change are read; those in a user's
 * folder could give any program another's name and icon. An executable has the entry
 * that starts it, and no other: that a name of the same spelling exists is no reason.
 * An icon is a name in the system's themes, never a path.
 */
#include "app-entry.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "process.h"
#include "util/macro.h"
#include "util/text.h"

#define LINE_MAX_BYTES 1024
#define FILES_MAX      4096

/* The first word of a command, as the desktop would find it; false: it is not there. */
static bool program_of(const char *command, char ret_path[PATH_MAX])
{
	static const char *const places[] = { "/usr/bin/", "/usr/local/bin/", "/usr/games/" };
	int length = (int)strcspn(command, " \t");
	char path[LINE_MAX_BYTES + 32];

	snprintf(path, sizeof(path), "%.*s", length, command);
	if (*command == '/')
		return realpath(path, ret_path) != NULL;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		snprintf(path, sizeof(path), "%s%.*s", places[i], length, command);
		if (realpath(path, ret_path) != NULL)
			return true;
	}
	return false;
}

static void take_text(char ret[APP_ENTRY_MAX + 1], const char *value)
{
	if (ret[0] == '\0' && text_is_name(value, APP_ENTRY_MAX))
		memcpy(ret, value, strlen(value) + 1);
}

/* @exe: what it has to start; NULL: anything. */
static bool read_entry(const char *path, const char *exe, struct app_entry *ret_entry)
{
	char line[LINE_MAX_BYTES], program[PATH_MAX];
	struct app_entry entry = { .name = "" };
	bool inside = false, starts = exe == NULL;
	FILE *file;

	/* Flatpak has links there. */
	if (realpath(path, program) == NULL || process_root_owned(program) != 1)
		return false;
	file = fopen(program, "re");
	if (file == NULL)
		return false;
	while (fgets(line, sizeof(line), file) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '[')
			inside = strcmp(line, "[Desktop Entry]") == 0;
		if (!inside)
			continue;
		if (strncmp(line, "Name=", 5) == 0)
			take_text(entry.name, line + 5);
		else if (strncmp(line, "Icon=", 5) == 0 && strchr(line, '/') == NULL)
			take_text(entry.icon, line + 5);
		else if (strncmp(line, "Exec=", 5) == 0 && exe != NULL)
			starts = program_of(line + 5, program) && strcmp(program, exe) == 0;
	}
	fclose(file);
	if (!starts || entry.name[0] == '\0')
		return false;
	*ret_entry = entry;
	return true;
}

static bool is_entry_of(const char *file, const char *class, const char *name)
{
	size_t length = strlen(name);

	if (strncmp(file, name, length) != 0)
		return false;
	/* Snap has NAME_APP.desktop, Flatpak ID.desktop. */
	return strcmp(class, "snap:") == 0 ? file[length] == '_'
					   : strcmp(file + length, ".desktop") == 0;
}

bool app_entry_find(const char *dir, const char *label, struct app_entry *ret_entry)
{
	static const char *const classes[] = { "exe:", "flatpak:", "snap:" };
	const char *class = NULL, *exe = NULL;
	char path[PATH_MAX];
	struct dirent *entry;
	bool found = false;
	DIR *files;

	for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
		if (strncmp(label, classes[i], strlen(classes[i])) == 0)
			class = classes[i];
	if (class == NULL)
		return false;
	label += strlen(class);
	if (class == classes[0])
		exe = label;
	files = opendir(dir);
	if (files == NULL)
		return false;
	for (int i = 0; i < FILES_MAX && !found && (entry = readdir(files)) != NULL; i++) {
		size_t length = strlen(entry->d_name);

		if (length < 9 || strcmp(entry->d_name + length - 8, ".desktop") != 0 ||
		    (exe == NULL && !is_entry_of(entry->d_name, class, label)))
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		found = read_entry(path, exe, ret_entry);
	}
	closedir(files);
	return found;
}

bool app_entry_lookup(const char *label, struct app_entry *ret_entry)
{
	static const char *const dirs[] = {
		"/usr/local/share/applications",
		"/usr/share/applications",
		"/var/lib/flatpak/exports/share/applications",
		"/var/lib/snapd/desktop/applications",
	};

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		if (app_entry_find(dirs[i], label, ret_entry))
			return true;
	*ret_entry = (struct app_entry){ .name = "" };
	return false;
}
