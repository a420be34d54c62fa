// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Reads the configuration file. Called once by main.c, as root, before
 * anything else. A file that cannot be understood whole is refused whole: a
 * misspelt restriction must not be silently missing.
 */
#include "config.h"

#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <string.h>

struct reading {
	struct policy policy;
	const char *why;
};

static int take(void *userdata, const char *section, const char *name, const char *value)
{
	struct reading *reading = userdata;
	const char *why;

	if (policy_set(&reading->policy, section, name, value, &why))
		return 1;
	if (reading->why == NULL)
		reading->why = why;
	return 0;
}

int config_read(const char *path, struct policy *ret_policy)
{
	struct reading reading = { .why = NULL };
	FILE *file;
	int r;

	policy_init(&reading.policy);
	file = fopen(path, "re");
	if (file == NULL && errno == ENOENT) {
		*ret_policy = reading.policy;
		return 0;
	}
	if (file == NULL) {
		r = -errno;
		fprintf(stderr, "callgated: %s: %s\n", path, strerror(-r));
		return r;
	}
	r = ini_parse_file(file, take, &reading);
	if (r == 0 && ferror(file))
		r = -1;
	fclose(file);
	if (r < 0) {
		fprintf(stderr, "callgated: %s cannot be read\n", path);
		return -EIO;
	}
	if (r > 0) {
		fprintf(stderr, "callgated: %s:%d: %s\n", path, r,
			reading.why ? reading.why : "not a [section], a key = value or a comment");
		return -EINVAL;
	}
	*ret_policy = reading.policy;
	return 0;
}
