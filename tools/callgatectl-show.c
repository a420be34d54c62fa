// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The verbs that only look: status, devices, sessions, and the list of peers.
 * Must not change anything. The daemon filters what this user may see.
 */
#include "callgatectl-show.h"

#include "plain.h"

#include <string.h>
#include <time.h>

static int fetch(struct client *client, const char *method, struct client_list *ret)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	int r = client_fetch(client, method, ret, &error);

	if (r < 0)
		r = ctl_explain("cannot read the daemon's answer", r, &error);
	sd_bus_error_free(&error);
	return r;
}

int show_properties(struct client *client, const char *path, const char *interface,
		    struct client_dict *ret, sd_bus_error *error)
{
	sd_bus_message *reply = NULL;
	int r;

	r = sd_bus_call_method(client->bus, CLIENT_NAME, path, "org.freedesktop.DBus.Properties",
			       "GetAll", error, &reply, "s", interface);
	if (r >= 0)
		r = client_read_dict(reply, ret);
	sd_bus_message_unref(reply);
	return r;
}

static const struct client_dict *by_path(const struct client_list *list, const char *path)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->items[i].path && !strcmp(list->items[i].path, path))
			return &list->items[i];
	return NULL;
}

static void print_or(const char *text, const char *otherwise)
{
	print_text(stdout, *text ? text : otherwise);
}

static void people_stream(const struct client_dict *stream, const struct client_list *sessions)
{
	const char *path = client_text(stream, "Session");
	const struct client_dict *session = by_path(sessions, path);
	uint64_t since = client_number(stream, "Since");
	struct timespec now;

	printf("  %s ", plain_kinds(client_number(stream, "Kinds")));
	print_or(client_text(stream, "DeviceName"), "unnamed device");
	fputs(" (", stdout);
	print_text(stdout, client_text(stream, "Node"));
	fputs("), by ", stdout);
	print_or(client_text(stream, "Executable"), "a program of another user");
	if (client_number(stream, "Pid"))
		printf(" (pid %llu)", (unsigned long long)client_number(stream, "Pid"));
	if (session && client_number(session, "Local")) {
		fputs(", allowed outside a call", stdout);
	} else if (session) {
		fputs(", in the call with ", stdout);
		print_or(client_text(session, "Contact"), "somebody");
	} else if (!strcmp(path, "/")) {
		fputs(", OUTSIDE ANY CALL", stdout);
	}
	clock_gettime(CLOCK_BOOTTIME, &now);
	if (since && since / 1000000 <= (uint64_t)now.tv_sec) {
		fputs(", for ", stdout);
		print_duration(stdout, now.tv_sec - since / 1000000);
	}
	putchar('\n');
}

static void people_peer(const struct client_dict *session)
{
	printf("%s ", client_number(session, "Incoming") ? "from" : "to");
	print_or(client_text(session, "Contact"), "somebody");
	printf(" (%s%s), ",
	       client_number(session, "ContactClaimed") ? "only the app says so; " : "",
	       client_text(session, "PeerAuthentication"));
}

static void people_sessions(const struct client_list *sessions)
{
	for (size_t i = 0; i < sessions->n; i++) {
		const struct client_dict *s = &sessions->items[i];
		uint64_t opened = client_number(s, "Opened");

		fputs("  ", stdout);
		print_text(stdout, print_path_end(s->path));
		printf("  %s  ", client_text(s, "State"));
		if (client_number(s, "Local"))
			fputs("not a call, not encrypted, ", stdout);
		else
			people_peer(s);
		print_text(stdout, client_text(s, "App"));
		printf("%s\n      asked: %s; ", client_number(s, "AppProven") ? "" : " (unproven)",
		       plain_kinds(client_number(s, "Kinds")));
		printf("may be captured now: %s; ", plain_kinds(client_number(s, "Granted")));
		printf("level %s", client_text(s, "Level"));
		if (!client_number(s, "Local"))
			printf("; the other side captures %s, its gate is %s",
			       plain_kinds(client_number(s, "PeerCaptured")),
			       client_number(s, "PeerGate") ? "present" : "absent");
		if (opened && opened <= (uint64_t)time(NULL)) {
			fputs("; for ", stdout);
			print_duration(stdout, time(NULL) - opened);
		}
		putchar('\n');
	}
}

static const char *gate_means(const char *gate)
{
	if (!strcmp(gate, "present"))
		return "the kernel denies capture outside approved calls";
	if (!strcmp(gate, "permissive"))
		return "what would be denied is only reported";
	if (!strcmp(gate, "absent"))
		return "no kernel module: nothing is enforced here and nothing granted; modprobe callgate";
	return "unknown to this version";
}

static void status_json(const struct client_dict *manager, const struct client_list *streams,
			const struct client_list *sessions)
{
	putchar('{');
	print_json_members(stdout, manager);
	fputs(", \"streams\": ", stdout);
	print_json_list(stdout, streams);
	fputs(", \"sessions\": ", stdout);
	print_json_list(stdout, sessions);
	puts("}");
}

static void status_people(const struct client_dict *manager, const struct client_list *streams,
			  const struct client_list *sessions)
{
	const char *gate = client_text(manager, "Gate");

	printf("Gate: %s (%s)\n", gate, gate_means(gate));
	if (*client_text(manager, "Policy") && strcmp(client_text(manager, "Policy"), "loaded"))
		printf("Policy: %s (see callgatectl policy check)\n",
		       client_text(manager, "Policy"));
	printf("Blocked by you: %s\n", plain_kinds(client_number(manager, "Blocked")));
	printf("Capturing now:%s\n", streams->n ? "" : " nothing");
	for (size_t i = 0; i < streams->n; i++)
		people_stream(&streams->items[i], sessions);
	printf("Your calls:%s\n", sessions->n ? "" : " none");
	people_sessions(sessions);
}

int verb_status(const struct ctl_request *request)
{
	struct client_list streams = { 0 }, sessions = { 0 };
	sd_bus_error error = SD_BUS_ERROR_NULL;
	struct client_dict manager = { 0 };
	struct client client = { 0 };
	int r = ctl_connect(&client);

	if (r == CTL_OK) {
		r = show_properties(&client, CLIENT_ROOT, CLIENT_MANAGER, &manager, &error);
		if (r < 0)
			r = ctl_explain("cannot read the daemon's state", r, &error);
		else
			r = CTL_OK;
	}
	if (r == CTL_OK)
		r = fetch(&client, "ListStreams", &streams);
	if (r == CTL_OK)
		r = fetch(&client, "ListSessions", &sessions);
	if (r == CTL_OK) {
		if (request->json)
			status_json(&manager, &streams, &sessions);
		else
			status_people(&manager, &streams, &sessions);
	}
	client_dict_clear(&manager);
	client_list_clear(&streams);
	client_list_clear(&sessions);
	sd_bus_error_free(&error);
	client_close(&client);
	return r;
}

static int show_list(const struct ctl_request *request, const char *method,
		     void (*people)(const struct client_list *list), const char *none)
{
	struct client_list list = { 0 };
	struct client client = { 0 };
	int r = ctl_connect(&client);

	if (r == CTL_OK)
		r = fetch(&client, method, &list);
	if (r == CTL_OK && request->json) {
		print_json_list(stdout, &list);
		putchar('\n');
	} else if (r == CTL_OK && list.n == 0) {
		puts(none);
	} else if (r == CTL_OK) {
		people(&list);
	}
	client_list_clear(&list);
	client_close(&client);
	return r;
}

static void people_devices(const struct client_list *devices)
{
	for (size_t i = 0; i < devices->n; i++) {
		const struct client_dict *d = &devices->items[i];

		printf("  %-10s ", plain_kinds(client_number(d, "Kinds")));
		print_text(stdout, client_text(d, "Name"));
		fputs(" (", stdout);
		print_text(stdout, client_text(d, "Node"));
		printf(")%s\n", client_number(d, "InUse") ? ", in use" : "");
	}
}

static void people_peers(const struct client_list *peers)
{
	for (size_t i = 0; i < peers->n; i++) {
		const struct client_dict *p = &peers->items[i];
		const struct client_field *keys = client_find(p, "Keys");

		fputs("  ", stdout);
		print_text(stdout, client_text(p, "Name"));
		printf(" (%s), for ", client_text(p, "Authentication"));
		print_text(stdout, client_text(p, "App"));
		putchar('\n');
		for (char **k = keys && keys->type == 'a' ? keys->list : NULL; k && *k; k++) {
			fputs("      ", stdout);
			print_text(stdout, *k);
			putchar('\n');
		}
	}
}

int verb_devices(const struct ctl_request *request)
{
	return show_list(
		request, "ListDevices", people_devices,
		"No device is behind the gate; without the kernel module there never is one.");
}

int verb_sessions(const struct ctl_request *request)
{
	return show_list(request, "ListSessions", people_sessions, "You have no calls.");
}

int show_peers(const struct ctl_request *request)
{
	return show_list(request, "ListPeers", people_peers,
			 "No peer is remembered yet; the first call does that.");
}
