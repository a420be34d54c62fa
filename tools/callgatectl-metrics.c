// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The verb metrics: the daemon's counts as OpenMetrics text, for monitoring.
 * Writes down what the daemon names; has no list of its own.
 */
#include "callgatectl.h"

#include <math.h>
#include <string.h>

/* In a quoted value. What cannot be shown was replaced by the daemon. */
static void print_value(const char *text)
{
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			putchar('\\');
		fputs(*text == '\n' ? "\\n" : (const char[]){ *text, '\0' }, stdout);
	}
}

static int print_sample(sd_bus_message *m, const char *name)
{
	const char *suffix, *label, *value, *between = "{";
	double number;
	int r = sd_bus_message_read(m, "s", &suffix);

	if (r < 0)
		return r;
	printf("%s%s", name, suffix);
	r = sd_bus_message_enter_container(m, 'a', "{ss}");
	while (r >= 0 && (r = sd_bus_message_read(m, "{ss}", &label, &value)) > 0) {
		printf("%s%s=\"", between, label);
		print_value(value);
		putchar('"');
		between = ",";
	}
	if (r >= 0)
		r = sd_bus_message_exit_container(m);
	if (r >= 0)
		r = sd_bus_message_read(m, "d", &number);
	if (r < 0)
		return r;
	if (*between == ',')
		putchar('}');
	printf(number == floor(number) ? " %.0f\n" : " %.3f\n", number);
	return 0;
}

static int print_family(sd_bus_message *m)
{
	const char *name, *type, *unit, *help;
	int r = sd_bus_message_read(m, "ssss", &name, &type, &unit, &help);

	if (r < 0)
		return r;
	printf("# TYPE %s %s\n", name, type);
	if (*unit)
		printf("# UNIT %s %s\n", name, unit);
	printf("# HELP %s %s\n", name, help);
	r = sd_bus_message_enter_container(m, 'a', "(sa{ss}d)");
	while (r >= 0 && (r = sd_bus_message_enter_container(m, 'r', "sa{ss}d")) > 0) {
		r = print_sample(m, name);
		if (r >= 0)
			r = sd_bus_message_exit_container(m);
	}
	return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int print_all(sd_bus_message *m)
{
	int r = sd_bus_message_enter_container(m, 'a', "(ssssa(sa{ss}d))");

	while (r >= 0 && (r = sd_bus_message_enter_container(m, 'r', "ssssa(sa{ss}d)")) > 0) {
		r = print_family(m);
		if (r >= 0)
			r = sd_bus_message_exit_container(m);
	}
	if (r >= 0)
		puts("# EOF");
	return r;
}

int verb_metrics(const struct ctl_request *request)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	struct client client = { 0 };
	sd_bus_message *reply = NULL;
	int r = ctl_connect(&client);

	if (r == CTL_OK) {
		r = ctl_admin(&client, "GetMetrics", &reply, &error, "a{sv}", 1, "apps", "b",
			      (int)request->apps);
		if (r >= 0)
			r = print_all(reply);
		r = r < 0 ? ctl_explain("no metrics", r, &error) : CTL_OK;
	}
	sd_bus_message_unref(reply);
	sd_bus_error_free(&error);
	client_close(&client);
	return r;
}
