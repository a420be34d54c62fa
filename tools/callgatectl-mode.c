// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The verbs enforce and permissive: from reporting to denying and back. Shows
 * what will stop working before it asks. The daemon decides who may.
 */
#include "callgatectl.h"
#include "callgatectl-show.h"

#include "plain.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Longer than it takes to type a password. */
#define ASKING_USEC (150 * 1000000ull)

static void people_denials(const struct client_list *denials)
{
	uint64_t now = (uint64_t)time(NULL);

	if (denials->n == 0) {
		puts("Since the daemon started no program captured outside a call.");
		return;
	}
	puts("These programs captured, or tried to, outside a call since the daemon started. When the gate\n"
	     "enforces they are denied:");
	for (size_t i = 0; i < denials->n; i++) {
		const struct client_dict *d = &denials->items[i];
		uint64_t last = client_number(d, "Last");
		const char *exe = client_text(d, "Executable");

		fputs("  ", stdout);
		print_text(stdout, *exe ? exe : "a program without a name");
		printf(" (uid %llu): %s, %llu times, last ",
		       (unsigned long long)client_number(d, "Uid"),
		       plain_kinds(client_number(d, "Kinds")),
		       (unsigned long long)client_number(d, "Count"));
		print_duration(stdout, now > last ? now - last : 0);
		puts(" ago");
	}
}

static int agreed(void)
{
	char line[16];

	if (!isatty(STDIN_FILENO)) {
		ctl_complain("standard input is no terminal to ask on; say --yes");
		return CTL_USAGE;
	}
	fputs("Enforce now, and after each start? Type \"yes\": ", stdout);
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin) || strcmp(line, "yes\n")) {
		ctl_complain("nothing was changed");
		return CTL_DENIED;
	}
	return CTL_OK;
}

int ctl_admin(struct client *client, const char *method, sd_bus_message **ret_reply,
	      sd_bus_error *error, const char *types, ...)
{
	sd_bus_message *m = NULL;
	va_list arguments;
	int r;

	va_start(arguments, types);
	r = sd_bus_message_new_method_call(client->bus, &m, CLIENT_NAME, CLIENT_ROOT,
					   CLIENT_MANAGER, method);
	if (r >= 0)
		r = sd_bus_message_appendv(m, types, arguments);
	if (r >= 0)
		r = sd_bus_message_set_allow_interactive_authorization(m, true);
	if (r >= 0)
		r = sd_bus_call(client->bus, m, ASKING_USEC, error, ret_reply);
	sd_bus_message_unref(m);
	va_end(arguments);
	return r;
}

static int set_mode(struct client *client, const char *mode)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	int r = ctl_admin(client, "SetMode", NULL, &error, "s", mode);

	r = r < 0 ? ctl_explain("the mode was not changed", r, &error) : CTL_OK;
	sd_bus_error_free(&error);
	return r;
}

/* What the gate does now, which may not be what was asked for. */
static int tell(struct client *client, const struct ctl_request *request,
		const struct client_list *denials, const char *wanted)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	struct client_dict manager = { 0 };
	const char *gate;
	int r;

	r = show_properties(client, CLIENT_ROOT, CLIENT_MANAGER, &manager, &error);
	if (r < 0) {
		r = ctl_explain("cannot read the daemon's answer", r, &error);
		sd_bus_error_free(&error);
		return r;
	}
	gate = client_text(&manager, "Gate");
	r = CTL_OK;
	if (request->json) {
		fputs("{\"gate\": ", stdout);
		print_json_text(stdout, gate);
		fputs(", \"denials\": ", stdout);
		print_json_list(stdout, denials);
		puts("}");
	} else if (!strcmp(gate, "absent")) {
		printf("The gate is absent; it will be %s once its module is loaded: modprobe callgate\n",
		       wanted);
	} else {
		printf("The gate is %s.\n", strcmp(gate, "present") ? gate : "enforcing");
	}
	if (!strcmp(gate, "absent"))
		r = CTL_ABSENT;
	client_dict_clear(&manager);
	return r;
}

int verb_enforce(const struct ctl_request *request)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	struct client_list denials = { 0 };
	struct client client = { 0 };
	int r = ctl_connect(&client);

	if (r == CTL_OK && client_fetch(&client, "ListDenials", &denials, &error) < 0)
		r = ctl_explain("cannot read what would be denied", -EIO, &error);
	if (r == CTL_OK && !request->json)
		people_denials(&denials);
	if (r == CTL_OK && !request->yes)
		r = agreed();
	if (r == CTL_OK)
		r = set_mode(&client, "enforcing");
	if (r == CTL_OK)
		r = tell(&client, request, &denials, "enforcing");
	client_list_clear(&denials);
	sd_bus_error_free(&error);
	client_close(&client);
	return r;
}

int verb_permissive(const struct ctl_request *request)
{
	struct client_list none = { 0 };
	struct client client = { 0 };
	int r = ctl_connect(&client);

	if (r == CTL_OK)
		r = set_mode(&client, "permissive");
	if (r == CTL_OK)
		r = tell(&client, request, &none, "permissive");
	client_close(&client);
	return r;
}
