// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Which app a process is. The kernel proves an executable that is a file of this
 * machine's; where that says nothing (an interpreter, a file that is mounted anew
 * at each start, a sandbox whose files are elsewhere) the app is what those who
 * started it call it. Must not remember anything. Called by call-open.c and the bus objects.
 *
 * Security: such names are claims and are shown as claims: a program of the user
 * can start any other with any arguments, in any unit of the user's manager, in a
 * sandbox with any name. They keep the contacts of honest programs apart. A name of
 * this kind never looks like an executable's, and rules about the executable hold
 * for it, too. A program whose executable the kernel can name is never taken for a
 * sandboxed app. /.flatpak-info is not read: this service may not look into other
 * users' files, and the program could have made its own as well.
 */
#include "app.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app-name.h"
#include "util/macro.h"
#include "util/text.h"

#define FILE_MAX 65536

/* What the file of the process says, with a zero byte behind it; negative errno. */
static ssize_t read_proc(const struct process_facts *facts, const char *name, char *ret,
			 size_t size)
{
	_cleanup_close_ int fd = -1;
	size_t length = 0;
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/%s", facts->pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (length < size - 1) {
		n = read(fd, ret + length, size - 1 - length);
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		length += (size_t)n;
	}
	ret[length] = '\0';
	return (ssize_t)length;
}

static int take_name(struct app *app, const char *class, const char *name)
{
	if (!text_is_name(name, PROCESS_EXE_MAX))
		return -EILSEQ;
	snprintf(app->label, sizeof(app->label), "%s%s", class, name);
	app->proven = false;
	return 0;
}

/* Its executable is not among this machine's files: what started it names it, in the one place that it cannot change itself. */
static int identify_sandboxed(const struct process_facts *facts, struct app *app)
{
	char groups[4096], id[APP_ID_MAX + 1];
	const char *class, *path;

	if (read_proc(facts, "cgroup", groups, sizeof(groups)) < 0)
		return -ENXIO;
	path = strncmp(groups, "0::", 3) == 0 ? groups : strstr(groups, "\n0::");
	if (path == NULL)
		return -ENXIO;
	path = strchr(path, '/');
	if (path == NULL)
		return -ENXIO;
	groups[(size_t)(path - groups) + strcspn(path, "\n")] = '\0';
	if (!app_name_unit(path, &class, id) || *class == '\0')
		return -ENXIO;
	return take_name(app, class, id);
}

static int identify_image(const struct process_facts *facts, struct app *app)
{
	_cleanup_free_ char *mounts = malloc(FILE_MAX);
	char name[APP_ID_MAX + 1];

	if (mounts == NULL)
		return -ENOMEM;
	if (read_proc(facts, "mountinfo", mounts, FILE_MAX) < 0 ||
	    !app_name_image(mounts, facts->exe, name))
		return 0;
	memcpy(app->exe, app->label, sizeof(app->exe));
	return take_name(app, "appimage:", name);
}

static int identify_script(const struct process_facts *facts, struct app *app)
{
	char script[PROCESS_EXE_MAX + 1] = "-";
	_cleanup_free_ char *arguments = malloc(FILE_MAX);
	ssize_t length;

	if (arguments == NULL)
		return -ENOMEM;
	length = read_proc(facts, "cmdline", arguments, FILE_MAX);
	if (length > 0)
		app_name_script(facts->exe, arguments, (size_t)length, script, sizeof(script));
	memcpy(app->exe, app->label, sizeof(app->exe));
	return take_name(app, "script:", text_is_name(script, PROCESS_EXE_MAX) ? script : "-");
}

int app_identify(const struct process_facts *facts, struct app *ret_app)
{
	struct app app = { .proven = facts->proven };
	int r;

	if (facts->proven && facts->exe[0] == '\0') {
		r = identify_sandboxed(facts, &app);
	} else {
		r = process_label(facts, app.label);
		if (r == 0 && facts->proven && app_name_is_interpreter(facts->exe))
			r = identify_script(facts, &app);
		else if (r == 0 && facts->proven)
			r = identify_image(facts, &app);
	}
	if (r == 0)
		*ret_app = app;
	return r;
}
