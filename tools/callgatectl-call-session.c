// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What callgatectl call and answer say to the daemon and hear from it. Called by callgatectl-call.c and by the bus.
 *
 * Security: signals count only when they come from the daemon's own connection. The media keys are in memory that no program of
 * the same user can trace.
 */
#include "callgatectl-call.h"

#include "callgatectl-show.h"
#include "plain.h"

#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#define ASKING_USEC (150 * 1000000ull)
#define REFUSED_MAX 16
/* A daemon that is restarted takes the call up again, or else what may be captured has ended by then. */
#define RETURN_USEC (10 * 1000000ull)

static void say_state(struct call *call)
{
	const char *state = client_text(&call->facts, "State"),
		   *contact = client_text(&call->facts, "Contact");

	if (!strcmp(state, "new"))
		call_say(call, state, "waiting for your answer at your agent");
	else if (!strcmp(state, "ringing"))
		call_say(call, state, "ringing %s", contact);
	else if (!strcmp(state, "handshaking"))
		call_say(call, state, "the other side answers; the two daemons prove their keys");
	else if (!strcmp(state, "live"))
		call_say(call, state, "live with %s (%s)", contact,
			 client_text(&call->facts, "PeerAuthentication"));
	else if (!strcmp(state, "stalled"))
		call_say(call, state,
			 "no proof of life from the other side; capture is stopped until there is");
}

/* Take over what the daemon says about the session, and tell what a person wants to know of it. */
static void learn(struct call *call, struct client_dict *news)
{
	char *before = strdup(client_text(&call->facts, "State"));
	unsigned granted = call_number(call, "Granted");

	if (client_merge(&call->facts, news) < 0 || !before) {
		free(before);
		return call_over(call, CTL_FAILED, "out of memory");
	}
	if (call_in_state(call, "closed"))
		call_session_closed(call);
	else if (strcmp(before, client_text(&call->facts, "State")) && !call->over)
		say_state(call);
	if (granted != call_number(call, "Granted") && !call->over)
		call_say(call, "granted", "may be captured now: %s",
			 plain_kinds(call_number(call, "Granted")));
	free(before);
}

static int on_properties(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct call *call = userdata;
	struct client_dict news = { 0 };
	const char *interface;

	if (sd_bus_message_is_method_error(m, NULL))
		return 0;
	if (sd_bus_message_is_signal(m, NULL, NULL) && sd_bus_message_read(m, "s", &interface) < 0)
		return 0;
	if (client_read_dict(m, &news) < 0)
		return 0;
	learn(call, &news);
	client_dict_clear(&news);
	call_step(call);
	return 0;
}

int call_on_message(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct call *call = userdata;
	const void *blob;
	size_t len;

	if (!sd_bus_message_is_signal(m, NULL, NULL) || !client_is_genuine(&call->client, m) ||
	    !call->path || strcmp(call->path, sd_bus_message_get_path(m)))
		return 0;
	if (sd_bus_message_is_signal(m, CLIENT_SESSION, "Blob") &&
	    sd_bus_message_read_array(m, 'y', &blob, &len) >= 0)
		carriage_send_blob(call->carriage, blob, len);
	else if (sd_bus_message_is_signal(m, CLIENT_SESSION, "Programs"))
		call_say_programs(call, m);
	else if (sd_bus_message_is_signal(m, "org.freedesktop.DBus.Properties",
					  "PropertiesChanged"))
		on_properties(m, call, error);
	return 0;
}

static void lost(struct call *call)
{
	call->away = sd_event_source_disable_unref(call->away);
	call->gone = true;
	if (!call_is_complete(call))
		call_over(call, CTL_ABSENT, "callgated is gone, and the call with it");
	call_step(call);
}

static int on_not_back(sd_event_source *source, uint64_t usec, void *userdata)
{
	lost(userdata);
	return 0;
}

/* What the new daemon knows of the session. */
static int on_back(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct call *call = userdata;

	/* This one went as well; what is to be done then is under way. */
	if (!call->client.owner || call->gone)
		return 0;
	if (sd_bus_message_is_method_error(m, NULL)) {
		lost(call);
		return 0;
	}
	call_say(call, "back", "callgated is back, and the call goes on");
	return on_properties(m, call, error);
}

void call_on_owner(void *userdata)
{
	struct call *call = userdata;

	if (call->gone)
		return;
	if (!call->path || call->over)
		return lost(call);
	if (!call->client.owner) {
		call_say(call, "away", "callgated is gone; the call ends unless it is back soon");
		if (call_set_timer(call, &call->away, RETURN_USEC, on_not_back) < 0)
			lost(call);
		return;
	}
	call->away = sd_event_source_disable_unref(call->away);
	if (sd_bus_call_method_async(call->client.bus, NULL, CLIENT_NAME, call->path,
				     "org.freedesktop.DBus.Properties", "GetAll", on_back, call,
				     "s", CLIENT_SESSION) < 0)
		lost(call);
}

int call_on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	lost(userdata);
	return 0;
}

static int on_session(sd_bus_message *m, void *userdata, sd_bus_error *unused)
{
	struct call *call = userdata;
	const sd_bus_error *error = sd_bus_message_get_error(m);
	const char *path;

	if (error) {
		/* A relay's rubbish must not keep the real call from coming. */
		if (call->incoming && !strcmp(error->name, CLIENT_ERROR "BadBlob") &&
		    ++call->refused < REFUSED_MAX && !call->over) {
			call->asked = false;
			call->init_len = 0;
			return 0;
		}
		call->gone = true;
		call_over(call, ctl_exit_for(0, error), "%s: %s",
			  call->incoming ? "cannot answer" : "cannot call", ctl_message(error));
		return 0;
	}
	if (sd_bus_message_read(m, "o", &path) < 0 || !(call->path = strdup(path))) {
		call_over(call, CTL_FAILED, "the daemon's answer is not what it should be");
		return 0;
	}
	if (call->over) {
		call->ending = call->gone = false;
		call_end_session(call);
		return 0;
	}
	sd_bus_call_method_async(call->client.bus, NULL, CLIENT_NAME, call->path,
				 "org.freedesktop.DBus.Properties", "GetAll", on_properties, call,
				 "s", CLIENT_SESSION);
	return 0;
}

void call_ask_session(struct call *call)
{
	const struct ctl_request *request = call->request;
	sd_bus_message *m = NULL;
	int r;

	call->asked = true;
	r = sd_bus_message_new_method_call(call->client.bus, &m, CLIENT_NAME, CLIENT_ROOT,
					   CLIENT_MANAGER,
					   call->incoming ? "AcceptSession" : "CreateSession");
	if (r >= 0 && call->incoming)
		r = sd_bus_message_append_array(m, 'y', call->init, call->init_len);
	if (r >= 0)
		r = sd_bus_message_append(m, "suha{sv}",
					  call->incoming ? call->claimed : request->arguments[0],
					  request->kinds, call->command.pidfd,
					  request->tell_programs ? 2 : 1, "scope", "b", true,
					  "tell-programs", "b", true);
	if (r >= 0)
		r = sd_bus_call_async(call->client.bus, NULL, m, on_session, call, ASKING_USEC);
	sd_bus_message_unref(m);
	if (r < 0)
		call_over(call, CTL_FAILED, "cannot ask the daemon: %s", strerror(-r));
	else
		call_say(call, "asking", "asking; answer at your agent");
}

static int on_keys(sd_bus_message *m, void *userdata, sd_bus_error *unused)
{
	struct call *call = userdata;
	const sd_bus_error *error = sd_bus_message_get_error(m);
	const char *why = "the daemon's answer is not what it should be";
	int fd, r;

	if (call->over)
		return 0;
	if (error) {
		call_over(call, ctl_exit_for(0, error), "no media keys: %s", ctl_message(error));
		return 0;
	}
	r = sd_bus_message_read(m, "h", &fd);
	if (r >= 0)
		r = media_new(fd, call->incoming, call->request->kinds & KIND_BOTH, &call->media,
			      &why);
	if (r < 0)
		call_over(call, CTL_FAILED, "no media keys: %s", why);
	call_step(call);
	return 0;
}

void call_ask_keys(struct call *call)
{
	call->keys_asked = true;
	/* From here on the keys are in our memory, where a program of the same user must not look. */
	prctl(PR_SET_DUMPABLE, 0);
	if (sd_bus_call_method_async(call->client.bus, NULL, CLIENT_NAME, call->path,
				     CLIENT_SESSION, "MediaKeys", on_keys, call, NULL) < 0)
		call_over(call, CTL_FAILED, "cannot ask for the media keys");
}

int call_read_gate(struct call *call)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	struct client_dict manager = { 0 };
	int r = show_properties(&call->client, CLIENT_ROOT, CLIENT_MANAGER, &manager, &error);

	if (r < 0) {
		r = ctl_explain("cannot read the daemon's state", r, &error);
	} else {
		r = CTL_OK;
		call->enforced = strcmp(client_text(&manager, "Gate"), "absent") != 0;
		if (!call->enforced)
			call_say(call, "gate",
				 "no kernel module here: nothing is enforced on this machine");
	}
	client_dict_clear(&manager);
	sd_bus_error_free(&error);
	return r;
}
