// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * callgate-indicator: shows in the tray, or where there is none in a
 * notification, which camera and microphone are in use, by whom and since when. Holds
 * no right: it may see what concerns its user, end calls and block. Follows the
 * daemon's events, which come from the kernel's; an app has no say in what it shows.
 */
#include "notice.h"
#include "state.h"
#include "tray.h"

#include <getopt.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-event.h>

struct indicator {
	struct state state;
	struct tray tray;
	struct notice notice;
	sd_event *event;
	sd_event_source *refresh;
	int exit;
};

static int on_refresh(sd_event_source *source, void *userdata)
{
	struct indicator *indicator = userdata;

	state_refresh(&indicator->state);
	tray_update(&indicator->tray);
	notice_update(&indicator->notice, !indicator->tray.shown);
	return 0;
}

/* Many events at once make one look. */
static void refresh(struct indicator *indicator)
{
	sd_event_source_set_enabled(indicator->refresh, SD_EVENT_ONESHOT);
}

static void on_tray(void *userdata)
{
	struct indicator *indicator = userdata;

	notice_update(&indicator->notice, !indicator->tray.shown);
}

static int on_subscribed(sd_bus_message *m, void *userdata, sd_bus_error *unused)
{
	const sd_bus_error *error = sd_bus_message_get_error(m);

	if (error)
		fprintf(stderr, "callgate-indicator: the daemon tells nothing: %s\n",
			error->message ? error->message : error->name);
	return 0;
}

static void on_owner(void *userdata)
{
	struct indicator *indicator = userdata;

	if (indicator->state.client.owner)
		sd_bus_call_method_async(indicator->state.client.bus, NULL, CLIENT_NAME,
					 CLIENT_ROOT, CLIENT_MANAGER, "Subscribe", on_subscribed,
					 NULL, NULL);
	refresh(indicator);
}

/* The daemon's signals come to us alone, so no match is needed. */
static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct indicator *indicator = userdata;
	struct client_dict attempt = { 0 };

	if (!sd_bus_message_is_signal(m, NULL, NULL) ||
	    !client_is_genuine(&indicator->state.client, m))
		return 0;
	if (sd_bus_message_is_signal(m, CLIENT_MANAGER, "Denied")) {
		if (client_read_dict(m, &attempt) >= 0 && !client_number(&attempt, "InCall"))
			notice_denied(&indicator->notice, &attempt);
		client_dict_clear(&attempt);
	} else {
		refresh(indicator);
	}
	return 0;
}

static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct indicator *indicator = userdata;

	fprintf(stderr, "callgate-indicator: the bus is gone\n");
	indicator->exit = 4;
	sd_event_exit(indicator->event, 0);
	return 0;
}

static int attach(struct indicator *indicator, sd_bus *bus)
{
	int r = sd_bus_match_signal(bus, NULL, "org.freedesktop.DBus.Local", NULL,
				    "org.freedesktop.DBus.Local", "Disconnected", on_disconnected,
				    indicator);

	return r < 0 ? r : sd_bus_attach_event(bus, indicator->event, 0);
}

static int start(struct indicator *indicator)
{
	struct state *state = &indicator->state;
	int r = sd_event_default(&indicator->event);

	if (r >= 0)
		r = client_on_signals(indicator->event, NULL, NULL);
	if (r >= 0)
		r = sd_event_add_defer(indicator->event, &indicator->refresh, on_refresh,
				       indicator);
	if (r >= 0) {
		indicator->exit = 4;
		r = client_open(&state->client);
	}
	if (r >= 0)
		r = sd_bus_open_user(&state->desk);
	if (r < 0)
		return r;
	indicator->exit = 0;
	state->client.on_owner = on_owner;
	state->client.userdata = indicator;
	r = sd_bus_add_filter(state->client.bus, NULL, on_message, indicator);
	if (r >= 0)
		r = attach(indicator, state->client.bus);
	if (r >= 0)
		r = attach(indicator, state->desk);
	if (r >= 0)
		r = client_follow(&state->client);
	if (r >= 0)
		r = tray_start(&indicator->tray);
	if (r >= 0)
		r = notice_start(&indicator->notice);
	if (r >= 0)
		on_owner(indicator);
	return r;
}

static int usage(FILE *out)
{
	fputs("Usage: callgate-indicator [--locale-dir DIR]\n\n"
	      "Shows in the tray what captures, in which call, and since when. Its menu ends calls and blocks\n"
	      "camera and microphone. Without a tray there is a notification while something captures.\n\n"
	      "      --locale-dir DIR  where translations are\n"
	      "      --help            this text\n",
	      out);
	return out == stdout ? 0 : 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "locale-dir", required_argument, NULL, 'l' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	const char *locale_dir = "/usr/share/locale";
	struct indicator indicator = { 0 };
	int r, option;

	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (option == 'h')
			return usage(stdout);
		if (option != 'l')
			return usage(stderr);
		locale_dir = optarg;
	}
	if (optind < argc)
		return usage(stderr);
	setlocale(LC_ALL, "");
	bindtextdomain("callgate", locale_dir);
	bind_textdomain_codeset("callgate", "UTF-8");
	textdomain("callgate");
	indicator.tray.state = indicator.notice.state = &indicator.state;
	indicator.tray.changed = on_tray;
	indicator.tray.userdata = &indicator;
	r = start(&indicator);
	if (r >= 0)
		r = sd_event_loop(indicator.event);
	if (r < 0) {
		fprintf(stderr, "callgate-indicator: %s\n", strerror(-r));
		if (!indicator.exit)
			indicator.exit = 1;
	}
	notice_stop(&indicator.notice);
	state_clear(&indicator.state);
	sd_event_source_disable_unref(indicator.refresh);
	sd_event_unref(indicator.event);
	return indicator.exit;
}
