// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Reads the configuration file and the files of rules. Called by main.c at the
 * start, by manager.c at a reload, and by callgatectl to check what somebody
 * wrote. A file that cannot be understood whole is refused whole: a misspelt
 * restriction must not be silently missing.
 *
 * One parser for both, inih: rules are flat, administrators know the form from
 * systemd, and YAML would bring a second library with types and references
 * that a rule has no use for. inih tells no column, and a line only at its end;
 * so it is given its lines one at a time, and the place in the line is looked up
 * where something is wrong. Whatever inih would take in a way that is hard to
 * see (a continued line, one longer than its buffer) is refused first.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <ini.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/macro.h"
#include "util/text.h"

/* ---- one text ------------------------------------------------------------------------------------ */

/**
 * struct reading - a text on its way through the parser
 * @line: @length: the line that the parser works on, of @number
 * @section: called at each section and at the end; NULL: nobody wants to know
 * @key: called for each key; both return NULL, or what is wrong
 */
struct reading {
	const char *path;
	const char *text, *end;
	const char *line;
	size_t length;
	unsigned int number, section_number;
	const char *(*section)(void *userdata, unsigned int number);
	const char *(*key)(void *userdata, const char *section, const char *name, const char *value,
			   bool *ret_at_value);
	void *userdata;
	struct config_error *error;
	bool failed;
	unsigned int failed_number;
};

static void complain(struct config_error *error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void complain(struct config_error *error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
}

/* As an editor counts: characters, from 1. */
static unsigned int column_of(const char *line, size_t at)
{
	unsigned int column = 1;

	for (size_t i = 0; i < at; i++)
		column += (line[i] & 0xc0) != 0x80;
	return column;
}

static void fail_at(struct reading *reading, unsigned int number, unsigned int column,
		    const char *why)
{
	if (reading->failed)
		return;
	complain(reading->error, "%s:%u:%u: %s", reading->path, number, column, why);
	reading->failed = true;
	reading->failed_number = number;
}

/* Where the value begins on the present line. */
static size_t value_at(const struct reading *reading)
{
	size_t at = 0;

	while (at < reading->length && reading->line[at] != '=' && reading->line[at] != ':')
		at++;
	do
		at++;
	while (at < reading->length && (reading->line[at] == ' ' || reading->line[at] == '\t'));
	return at < reading->length ? at : reading->length;
}

static const char *end_section(struct reading *reading)
{
	return reading->section != NULL && reading->section_number != 0
		       ? reading->section(reading->userdata, 0)
		       : NULL;
}

static void begin_section(struct reading *reading)
{
	const char *why = end_section(reading);

	if (why != NULL)
		fail_at(reading, reading->section_number, 1, why);
	reading->section_number = reading->number;
	why = reading->section != NULL ? reading->section(reading->userdata, reading->number)
				       : NULL;
	if (why != NULL)
		fail_at(reading, reading->number, 1, why);
}

/* Text behind a space. The line does not end with a zero byte. */
static bool is_indented(const struct reading *reading)
{
	size_t blank = 0;

	while (blank < reading->length && strchr(" \t\r", reading->line[blank]) != NULL)
		blank++;
	return blank > 0 && blank < reading->length;
}

/* The parser's fgets(). */
static char *next_line(char *room, int size, void *stream)
{
	struct reading *reading = stream;
	const char *newline;
	size_t whole;

	if (reading->failed || reading->text == reading->end)
		return NULL;
	newline = memchr(reading->text, '\n', (size_t)(reading->end - reading->text));
	whole = (size_t)((newline != NULL ? newline + 1 : reading->end) - reading->text);
	reading->line = reading->text;
	reading->length = newline != NULL ? whole - 1 : whole;
	reading->text += whole;
	reading->number++;
	if (memchr(reading->line, '\0', whole) != NULL) {
		fail_at(reading, reading->number, 1, "there is a zero byte in this line");
	} else if (whole >= (size_t)size) {
		fail_at(reading, reading->number, (unsigned int)size - 1,
			"the line is too long; a path can be shortened with *");
	} else if (is_indented(reading)) {
		fail_at(reading, reading->number, 1,
			"the line begins with a space; a line cannot be continued, and begins at its first "
			"column");
	} else if (reading->line[0] == '[') {
		begin_section(reading);
	}
	if (reading->failed)
		return NULL;
	memcpy(room, reading->line, whole);
	room[whole] = '\0';
	return room;
}

static int take_key(void *userdata, const char *section, const char *name, const char *value)
{
	struct reading *reading = userdata;
	bool at_value = false;
	const char *why;

	if (reading->failed)
		return 0;
	why = reading->key(reading->userdata, section, name, value, &at_value);
	if (why == NULL)
		return 1;
	fail_at(reading, reading->number,
		column_of(reading->line, at_value ? value_at(reading) : 0), why);
	return 0;
}

static int read_text(struct reading *reading)
{
	const char *why;
	int r = ini_parse_stream(next_line, reading, take_key, reading);

	if (r < 0) {
		complain(reading->error, "%s: there is no memory for it", reading->path);
		return -ENOMEM;
	}
	/* The parser's own complaint, by its line; it knows no more of it. */
	if (r > 0 && (!reading->failed || (unsigned int)r < reading->failed_number)) {
		reading->failed = false;
		fail_at(reading, (unsigned int)r, 1,
			"this is no [section], no key = value and no # comment");
	}
	why = reading->failed ? NULL : end_section(reading);
	if (why != NULL)
		fail_at(reading, reading->section_number, 1, why);
	return reading->failed ? -EINVAL : 0;
}

/* ---- files --------------------------------------------------------------------------------------- */

/* May somebody change it who is neither root nor the reader? */
static bool is_safe(const struct stat *st)
{
	return (st->st_uid == 0 || st->st_uid == geteuid()) && (st->st_mode & 022) == 0;
}

/* A whole file that is not longer than it may be. -ENOENT; another negative errno with the error. */
static int slurp(int dir_fd, const char *name, const char *path, bool safe, char **ret_text,
		 size_t *ret_len, struct config_error *error)
{
	_cleanup_close_ int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	_cleanup_free_ char *text = malloc(BOUND_RULE_BYTES + 1);
	size_t len = 0;
	struct stat st;
	ssize_t n = -1;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0) {
		r = -errno;
		complain(error, "%s: %s", path, strerror(-r));
		return r;
	}
	if (!S_ISREG(st.st_mode)) {
		complain(error, "%s: this is no file", path);
		return -EINVAL;
	}
	if (safe && !is_safe(&st)) {
		complain(error, "%s: others than root can change this file; chown root, chmod go-w",
			 path);
		return -EPERM;
	}
	while (text != NULL && len <= BOUND_RULE_BYTES &&
	       (n = read(fd, text + len, BOUND_RULE_BYTES + 1 - len)) > 0)
		len += (size_t)n;
	if (n < 0) {
		r = text != NULL ? -errno : -ENOMEM;
		complain(error, "%s: %s", path, strerror(-r));
		return r;
	}
	if (len > BOUND_RULE_BYTES) {
		complain(error, "%s: the file is longer than %d bytes", path, BOUND_RULE_BYTES);
		return -EFBIG;
	}
	*ret_text = TAKE_PTR(text);
	*ret_len = len;
	return 0;
}

static const char *policy_key(void *userdata, const char *section, const char *name,
			      const char *value, bool *ret_at_value)
{
	struct policy *policy = userdata;
	const char *why;

	if (policy_set(policy, section, name, value, &why))
		return NULL;
	*ret_at_value = why != policy_no_such_key;
	return why;
}

int config_read(const char *path, struct policy *ret_policy, struct config_error *ret_error)
{
	_cleanup_free_ char *text = NULL;
	struct policy policy;
	size_t len;
	int r;

	policy_init(&policy);
	r = slurp(AT_FDCWD, path, path, false, &text, &len, ret_error);
	if (r == -ENOENT) {
		*ret_policy = policy;
		return 0;
	}
	if (r >= 0)
		r = read_text(&(struct reading){ .path = path,
						 .text = text,
						 .end = text + len,
						 .key = policy_key,
						 .userdata = &policy,
						 .error = ret_error });
	if (r >= 0)
		*ret_policy = policy;
	return r;
}

/* ---- rules --------------------------------------------------------------------------------------- */

static bool user_by_name(const char *name, uid_t *ret_uid)
{
	const struct passwd *user = getpwnam(name);

	if (user != NULL)
		*ret_uid = user->pw_uid;
	return user != NULL;
}

static bool group_by_name(const char *name, gid_t *ret_gid)
{
	const struct group *group = getgrnam(name);

	if (group != NULL)
		*ret_gid = group->gr_gid;
	return group != NULL;
}

static const struct rule_names system_names = { .user = user_by_name, .group = group_by_name };

struct rule_reading {
	struct rules *rules;
	const struct rule_names *names;
};

static const char *rule_section(void *userdata, unsigned int number)
{
	const struct rule_reading *reading = userdata;

	return number == 0 ? rules_end_rule(reading->rules)
			   : rules_begin_rule(reading->rules, number);
}

static const char *rule_key(void *userdata, const char *section, const char *name,
			    const char *value, bool *ret_at_value)
{
	const struct rule_reading *reading = userdata;

	return rules_set(reading->rules, reading->names, section, name, value, ret_at_value);
}

int config_parse_rules(struct rules *rules, const struct rule_names *names, const char *path,
		       const char *text, size_t len, struct config_error *ret_error)
{
	struct rule_reading userdata = { .rules = rules, .names = names };
	const char *why = rules_begin_file(rules, path);

	if (why != NULL) {
		complain(ret_error, "%s: %s", path, why);
		return -EINVAL;
	}
	return read_text(&(struct reading){ .path = path,
					    .text = text,
					    .end = text + len,
					    .section = rule_section,
					    .key = rule_key,
					    .userdata = &userdata,
					    .error = ret_error });
}

static int read_rules(struct rules *rules, int dir_fd, const char *name, const char *path,
		      bool safe, struct config_error *error)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = slurp(dir_fd, name, path, safe, &text, &len, error);

	return r < 0 ? r : config_parse_rules(rules, &system_names, path, text, len, error);
}

int config_check_rules(struct rules *rules, const char *path, struct config_error *ret_error)
{
	return read_rules(rules, AT_FDCWD, path, path, false, ret_error);
}

static int is_rule_file(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);

	return entry->d_name[0] != '.' && length > strlen(".conf") &&
	       strcmp(entry->d_name + length - strlen(".conf"), ".conf") == 0;
}

/* Not by the language of whoever reads, as alphasort() does. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int read_folder(struct rules *rules, int dir_fd, const char *dir, struct config_error *error)
{
	_cleanup_free_ struct dirent **entries = NULL;
	_cleanup_free_ char *path = NULL;
	int n = scandirat(dir_fd, ".", &entries, is_rule_file, by_name), r = 0;

	if (n < 0) {
		r = -errno;
		complain(error, "%s: %s", dir, strerror(-r));
	}
	for (int i = 0; i < n; i++) {
		if (r >= 0 && asprintf(&path, "%s/%s", dir, entries[i]->d_name) < 0) {
			path = NULL;
			r = -ENOMEM;
		}
		if (r >= 0)
			r = read_rules(rules, dir_fd, entries[i]->d_name, path, true, error);
		free(TAKE_PTR(path));
		free(entries[i]);
	}
	return r;
}

int config_read_rules(const char *dir, struct rules **ret_rules, struct config_error *ret_error)
{
	_cleanup_close_ int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct rules *rules = rules_new();
	struct stat st;
	int r = 0;

	*ret_rules = rules;
	complain(ret_error, "%s: there is no memory for it", dir);
	if (rules == NULL)
		return -ENOMEM;
	if (dir_fd < 0 && errno != ENOENT) {
		r = -errno;
		complain(ret_error, "%s: %s", dir, strerror(-r));
	} else if (dir_fd >= 0 && (fstat(dir_fd, &st) < 0 || !is_safe(&st))) {
		r = -EPERM;
		complain(ret_error,
			 "%s: others than root can change this folder; chown root, chmod go-w",
			 dir);
	} else if (dir_fd >= 0) {
		r = read_folder(rules, dir_fd, dir, ret_error);
	}
	rules->complete = r >= 0;
	return r;
}
