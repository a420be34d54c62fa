// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Takes names of apps out of what the system keeps as text: control groups,
 * mounts, arguments. Pure; called by app.c. Must not take any of it for proof:
 * the user's own service manager names the units, the user mounts AppImages, and
 * a process can write over its arguments.
 */
#include "app-name.h"

#include <stdio.h>
#include <string.h>

#include "util/macro.h"

/* ---- units --------------------------------------------------------------------------------------- */

static int hex_of(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A unit's name has \x2d for a dash that is the app's. */
static bool unescape(const char *from, size_t length, char *ret_id)
{
	size_t n = 0;

	for (size_t i = 0; i < length; i++, n++) {
		if (n == APP_ID_MAX)
			return false;
		ret_id[n] = from[i];
		if (from[i] != '\\')
			continue;
		if (length - i < 4 || from[i + 1] != 'x' || hex_of(from[i + 2]) < 0 ||
		    hex_of(from[i + 3]) < 0)
			return false;
		ret_id[n] = (char)(hex_of(from[i + 2]) << 4 | hex_of(from[i + 3]));
		i += 3;
	}
	ret_id[n] = '\0';
	return n > 0 && strlen(ret_id) == n;
}

static const char *last_of(const char *from, const char *end, char c)
{
	while (end > from)
		if (*--end == c)
			return end;
	return NULL;
}

/* app[-LAUNCHER]-ID-RANDOM.scope, app[-LAUNCHER]-ID[@RANDOM].service */
static bool parse_app(const char *name, const char *end, bool scope, const char **ret_class,
		      char *ret_id)
{
	static const char flatpak[] = "app-flatpak-";
	const char *cut = scope ? last_of(name, end, '-') : last_of(name, end, '@');
	const char *id;

	if (scope && cut == NULL)
		return false;
	end = cut != NULL ? cut : end;
	id = last_of(name, end, '-');
	if (id == NULL || id + 1 == end)
		return false;
	*ret_class = strncmp(name, flatpak, strlen(flatpak)) == 0 ? "flatpak:" : "";
	return unescape(id + 1, (size_t)(end - id - 1), ret_id);
}

/* snap.NAME.APP… */
static bool parse_snap(const char *name, const char *end, const char **ret_class, char *ret_id)
{
	const char *id = name + strlen("snap.");
	const char *dot = memchr(id, '.', (size_t)(end - id));

	if (dot == NULL || dot == id || dot - id > APP_ID_MAX)
		return false;
	*ret_class = "snap:";
	memcpy(ret_id, id, (size_t)(dot - id));
	ret_id[dot - id] = '\0';
	return true;
}

static bool parse_unit(const char *name, size_t length, const char **ret_class, char *ret_id)
{
	static const char scope[] = ".scope", service[] = ".service";
	const char *end = name + length;
	bool is_scope = length > strlen(scope) &&
			strncmp(end - strlen(scope), scope, strlen(scope)) == 0;

	if (is_scope)
		end -= strlen(scope);
	else if (length > strlen(service) &&
		 strncmp(end - strlen(service), service, strlen(service)) == 0)
		end -= strlen(service);
	else
		return false;
	if (end - name > 4 && strncmp(name, "app-", 4) == 0)
		return parse_app(name, end, is_scope, ret_class, ret_id);
	if (end - name > 5 && strncmp(name, "snap.", 5) == 0)
		return parse_snap(name, end, ret_class, ret_id);
	return false;
}

bool app_name_unit(const char *cgroup, const char **ret_class, char *ret_id)
{
	bool found = false;

	/* The innermost; below an app there can be groups of its own, which are no apps. */
	while (*cgroup != '\0') {
		size_t length = strcspn(cgroup, "/");

		found |= length > 0 && parse_unit(cgroup, length, ret_class, ret_id);
		cgroup += length + strspn(cgroup + length, "/");
	}
	return found;
}

/* ---- mounts -------------------------------------------------------------------------------------- */

/* The field of that number in a line of mountinfo; fields end with a space. */
static const char *field_of(const char *line, unsigned int number)
{
	for (; line != NULL && number > 0; number--) {
		line = strchr(line, ' ');
		if (line != NULL)
			line++;
	}
	return line;
}

static bool image_of(const char *line, const char *exe, char *ret_name)
{
	static const char fuse[] = " - fuse";
	const char *point = field_of(line, 4), *rest = strstr(line, fuse);
	const char *source = rest != NULL ? field_of(rest + strlen(" - "), 1) : NULL;
	size_t length;

	if (point == NULL || source == NULL || source < point)
		return false;
	/* What mounted it may have a name there, or none; fuseblk is a disk. */
	if (rest[strlen(fuse)] != '.' && rest[strlen(fuse)] != ' ')
		return false;
	length = strcspn(point, " ");
	if (strncmp(point, exe, length) != 0 || exe[length] != '/')
		return false;
	length = strcspn(source, " ");
	while (memchr(source, '/', length) != NULL) {
		length -= (size_t)((const char *)memchr(source, '/', length) + 1 - source);
		source = strchr(source, '/') + 1;
	}
	if (length == 0 || length > APP_ID_MAX)
		return false;
	memcpy(ret_name, source, length);
	ret_name[length] = '\0';
	return true;
}

bool app_name_image(const char *mounts, const char *exe, char *ret_name)
{
	char line[1024];

	/* The AppImage runtime mounts itself there; its name is the file's beginning and six random characters. */
	if (strstr(exe, "/.mount_") == NULL)
		return false;
	while (*mounts != '\0') {
		size_t length = strcspn(mounts, "\n");

		snprintf(line, sizeof(line), "%.*s", (int)length, mounts);
		if (image_of(line, exe, ret_name))
			return true;
		mounts += length + (mounts[length] == '\n');
	}
	return false;
}

/* ---- interpreters -------------------------------------------------------------------------------- */

/**
 * struct interpreter
 * @name: of the executable, without a version
 * @code: letters of options whose value is the program itself
 * @values: options that have a value, each between spaces
 * @names: options whose value names the program, likewise
 */
static const struct interpreter {
	const char *name, *code, *values, *names;
} interpreters[] = {
	{ "python", "c", " -W -X --check-hash-based-pycs ", " -m " },
	{ "pypy", "c", " -W -X ", " -m " },
	{ "perl", "eE", " ", " " },
	{ "ruby", "e", " -r -I -C -E ", " " },
	{ "php", "r", " -d -c -z ", " -f " },
	{ "node", "ep", " -r --require --import --loader --experimental-loader -C ", " " },
	{ "nodejs", "ep", " -r --require --import --loader -C ", " " },
	{ "electron", "", " -r --require ", " " },
	{ "sh", "c", " -o ", " " },
	{ "dash", "c", " -o ", " " },
	{ "bash", "c", " -o -O --rcfile --init-file ", " " },
	{ "zsh", "c", " -o ", " " },
	{ "ksh", "c", " -o ", " " },
	{ "busybox", "", " ", " " },
	{ "lua", "e", " -l ", " " },
	{ "tclsh", "", " -encoding ", " " },
	{ "wish", "", " ", " " },
	{ "gjs", "c", " -I ", " -m " },
	{ "gjs-console", "c", " -I ", " -m " },
	{ "java", "", " -cp -classpath --class-path -p --module-path --add-modules ",
	  " -jar -m --module " },
	{ "mono", "", " ", " " },
	{ "dotnet", "", " ", " " },
};

static const struct interpreter *interpreter_of(const char *exe)
{
	const char *name = strrchr(exe, '/');
	size_t length;

	name = name != NULL ? name + 1 : exe;
	length = strlen(name);
	for (size_t i = 0; i < ARRAY_SIZE(interpreters); i++) {
		size_t own = strlen(interpreters[i].name);

		/* python3.11, perl5.36.0, lua5.4 */
		if (length >= own && strncmp(name, interpreters[i].name, own) == 0 &&
		    strspn(name + own, "0123456789.-") == length - own)
			return &interpreters[i];
	}
	return NULL;
}

bool app_name_is_interpreter(const char *exe)
{
	return interpreter_of(exe) != NULL;
}

static bool has_option(const char *list, const char *option)
{
	char word[64];

	return snprintf(word, sizeof(word), " %s ", option) < (int)sizeof(word) &&
	       strstr(list, word) != NULL;
}

/* -c, also at the end of others: -Ic. Long options with code: --eval, --print. */
static bool is_code(const struct interpreter *interpreter, const char *argument)
{
	size_t length = strlen(argument);

	if (strncmp(argument, "--eval", 6) == 0 || strncmp(argument, "--print", 7) == 0)
		return true;
	return argument[1] != '-' && strchr(interpreter->code, argument[length - 1]) != NULL;
}

void app_name_script(const char *exe, const char *arguments, size_t length, char *ret_script,
		     size_t size)
{
	const struct interpreter *interpreter = interpreter_of(exe);
	const char *end = arguments + length, *value = NULL;
	bool skip = true; /* what it was called by */

	snprintf(ret_script, size, "-");
	for (const char *at = arguments; interpreter != NULL && at < end; at = value) {
		const char *zero = memchr(at, '\0', (size_t)(end - at));

		if (zero == NULL)
			return;
		value = zero + 1;
		if (skip) {
			skip = false;
			continue;
		}
		if (has_option(interpreter->names, at)) {
			if (value < end && memchr(value, '\0', (size_t)(end - value)) != NULL)
				snprintf(ret_script, size, "%s", value);
			return;
		}
		if (strcmp(at, "--") == 0)
			continue;
		if (*at == '-' || *at == '+') {
			if (at[1] == '\0' || is_code(interpreter, at))
				return;
			skip = has_option(interpreter->values, at);
			continue;
		}
		if (*at != '\0')
			snprintf(ret_script, size, "%s", at);
		return;
	}
}
