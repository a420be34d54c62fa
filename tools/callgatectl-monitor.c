// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * callgatectl monitor: prints the daemon's events as they come and outlives the
 * daemon's restart. The events are unicast, so it needs no match rule on the bus;
 * whatever does not come from the daemon is not printed.
 */
#include "callgatectl.h"

#include "plain.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-event.h>
#include <time.h>

struct monitor {
	const struct ctl_request *request;
	struct client client;
	sd_event *event;
	int exit;
};

static void stamp(void)
{
	time_t now = time(NULL);
	struct tm tm;
	char text[16];

	localtime_r(&now, &tm);
	strftime(text, sizeof(text), "%H:%M:%S", &tm);
	printf("%s  ", text);
}

static void people_stream(const char *what, const struct client_dict *dict)
{
	printf("%s: %s ", what, plain_kinds(client_number(dict, "Kinds")));
	print_text(stdout, client_text(dict, "DeviceName"));
	fputs(", by ", stdout);
	print_text(stdout, *client_text(dict, "Executable") ? client_text(dict, "Executable")
							    : "another user");
	if (client_number(dict, "Pid"))
		printf(" (pid %llu)", (unsigned long long)client_number(dict, "Pid"));
	putchar('\n');
}

static void people_event(const char *member, const struct client_dict *dict)
{
	stamp();
	if (!strcmp(member, "StreamStarted")) {
		people_stream("capture began", dict);
	} else if (!strcmp(member, "StreamStopped")) {
		people_stream("capture ended", dict);
	} else if (!strcmp(member, "Denied")) {
		printf("denied %llu times: %s to ",
		       (unsigned long long)client_number(dict, "Count"),
		       plain_kinds(client_number(dict, "Kinds")));
		print_text(stdout, client_text(dict, "Executable"));
		printf(" (pid %llu)\n", (unsigned long long)client_number(dict, "Pid"));
	} else if (!strcmp(member, "SessionAdded")) {
		printf("call %s: %s ", print_path_end(dict->path),
		       client_number(dict, "Incoming") ? "from" : "to");
		print_text(stdout, client_text(dict, "Contact"));
		printf(", %s, through ", plain_kinds(client_number(dict, "Kinds")));
		print_text(stdout, client_text(dict, "App"));
		putchar('\n');
	} else if (!strcmp(member, "SessionRemoved")) {
		printf("call %s ended: ", print_path_end(dict->path));
		print_text(stdout, client_text(dict, "EndMessage"));
		putchar('\n');
	} else if (!strcmp(member, "PropertiesChanged")) {
		printf("call %s:", print_path_end(dict->path));
		for (size_t i = 0; i < dict->n; i++) {
			const struct client_field *f = &dict->fields[i];

			printf(" %s=", f->name);
			if (f->type == 's')
				print_text(stdout, f->text);
			else if (!strcmp(f->name, "Granted") || !strcmp(f->name, "Approved") ||
				 !strcmp(f->name, "PeerCaptured"))
				fputs(plain_kinds(f->number), stdout);
			else
				printf("%llu", (unsigned long long)f->number);
		}
		putchar('\n');
	} else {
		printf("%s ", member);
		print_text(stdout, dict->path ? dict->path : "");
		putchar('\n');
	}
}

static void print_event(struct monitor *monitor, const char *member, const struct client_dict *dict)
{
	if (monitor->request->json) {
		printf("{\"event\": \"%s\"%s", member, dict->path || dict->n ? ", " : "");
		print_json_members(stdout, dict);
		puts("}");
	} else {
		people_event(member, dict);
	}
	if (fflush(stdout) != 0) {
		monitor->exit = CTL_FAILED;
		sd_event_exit(monitor->event, 0);
	}
}

/* Read what a known signal carries: an object path, a dictionary, or both. 0 for an unknown one. */
static int read_event(sd_bus_message *m, struct client_dict *ret)
{
	const char *signature = sd_bus_message_get_signature(m, true), *text;
	struct client_dict dict = { 0 };
	char *path = NULL;
	int r = 0;

	if (!strcmp(signature, "sa{sv}as")) {
		r = sd_bus_message_read(m, "s", &text);
		path = strdup(sd_bus_message_get_path(m));
		if (r >= 0)
			r = client_read_dict(m, &dict);
	} else if (!strcmp(signature, "oa{sv}") || !strcmp(signature, "o")) {
		r = sd_bus_message_read(m, "o", &text);
		if (r >= 0)
			path = strdup(text);
		if (r >= 0 && signature[1])
			r = client_read_dict(m, &dict);
	} else if (!strcmp(signature, "a{sv}")) {
		r = client_read_dict(m, &dict);
	} else {
		return 0;
	}
	if (r < 0) {
		free(path);
		return r;
	}
	dict.path = path;
	*ret = dict;
	return 1;
}

static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct monitor *monitor = userdata;
	const char *interface = sd_bus_message_get_interface(m),
		   *member = sd_bus_message_get_member(m);
	struct client_dict dict = { 0 };

	if (!sd_bus_message_is_signal(m, NULL, NULL) || !client_is_genuine(&monitor->client, m))
		return 0;
	if (strncmp(interface, CLIENT_NAME ".", strlen(CLIENT_NAME) + 1) &&
	    strcmp(member, "PropertiesChanged"))
		return 0;
	if (read_event(m, &dict) > 0)
		print_event(monitor, member, &dict);
	client_dict_clear(&dict);
	return 0;
}

static int subscribed(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct monitor *monitor = userdata;

	if (sd_bus_message_is_method_error(m, NULL)) {
		monitor->exit = ctl_explain("cannot subscribe", -sd_bus_message_get_errno(m),
					    sd_bus_message_get_error(m));
		sd_event_exit(monitor->event, 0);
	}
	return 0;
}

static int subscribe(struct monitor *monitor)
{
	return sd_bus_call_method_async(monitor->client.bus, NULL, CLIENT_NAME, CLIENT_ROOT,
					CLIENT_MANAGER, "Subscribe", subscribed, monitor, NULL);
}

static void on_owner(void *userdata)
{
	struct monitor *monitor = userdata;
	struct client_dict none = { 0 };

	if (monitor->client.owner && subscribe(monitor) < 0) {
		monitor->exit = CTL_FAILED;
		sd_event_exit(monitor->event, 0);
	}
	if (monitor->request->json)
		return print_event(monitor,
				   monitor->client.owner ? "DaemonStarted" : "DaemonStopped",
				   &none);
	stamp();
	puts(monitor->client.owner ? "callgated is back"
				   : "callgated is gone: running captures end within ten seconds");
	fflush(stdout);
}

static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct monitor *monitor = userdata;

	ctl_complain("the system bus is gone");
	monitor->exit = CTL_ABSENT;
	sd_event_exit(monitor->event, 0);
	return 0;
}

int verb_monitor(const struct ctl_request *request)
{
	struct monitor monitor = { .request = request };
	int r;

	r = sd_event_default(&monitor.event);
	if (r >= 0)
		r = client_on_signals(monitor.event, NULL, NULL);
	monitor.exit = ctl_connect(&monitor.client);
	if (monitor.exit != CTL_OK)
		goto out;
	monitor.client.on_owner = on_owner;
	monitor.client.userdata = &monitor;
	if (r >= 0)
		r = sd_bus_attach_event(monitor.client.bus, monitor.event, 0);
	if (r >= 0)
		r = sd_bus_add_filter(monitor.client.bus, NULL, on_message, &monitor);
	if (r >= 0)
		r = sd_bus_match_signal(monitor.client.bus, NULL, "org.freedesktop.DBus.Local",
					NULL, "org.freedesktop.DBus.Local", "Disconnected",
					on_disconnected, &monitor);
	if (r >= 0)
		r = subscribe(&monitor);
	if (r >= 0)
		r = sd_event_loop(monitor.event);
	if (r < 0) {
		ctl_complain("cannot monitor: %s", strerror(-r));
		monitor.exit = CTL_FAILED;
	}
out:
	client_close(&monitor.client);
	sd_event_unref(monitor.event);
	return monitor.exit;
}
