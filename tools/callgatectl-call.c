// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * callgatectl call and answer: one call from the command line to the exit code.
 * Carries blobs between daemon and relay without looking into them, begins the
 * command when the daemon says that it may capture, and winds everything up in
 * one place. Media is moved by callgatectl-call-pump.c.
 *
 * Security: it is an app like any other and believed by nobody. Signals count
 * only when they come from the daemon's own connection; the relay's word is
 * bounded by the carriage; the media keys are in memory that no program of the
 * same user can trace.
 */
#include "callgatectl-call.h"
#include "callgatectl-show.h"

#include "plain.h"
#include "util/text.h"

#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define ASKING_USEC    (150 * 1000000ull)
#define DELIVERING_MAX 32
#define REFUSED_MAX    16
/* How long a command may take to stop by itself, and again until it is killed. */
#define STOP_USEC      2000000ull
/* What is still under way when the other side hung up has this long between two frames. */
#define DRAIN_USEC     1000000ull
#define LINGER_USEC    300000ull
#define GIVE_UP_USEC   6000000ull
/* A daemon that is restarted takes the call up again, or else what may be captured has ended by then. */
#define RETURN_USEC    10000000ull

#define BLOB_INIT 1

void call_say(struct call *call, const char *event, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (!call->request->json)
		return ctl_complain("%s", text);
	fprintf(stderr, "{\"event\": \"%s\", \"message\": ", event);
	print_json_text(stderr, text);
	if (call->path) {
		fputs(", \"session\": {", stderr);
		print_json_members(stderr, &call->facts);
		fputc('}', stderr);
	}
	fputs("}\n", stderr);
}

static unsigned number(struct call *call, const char *name)
{
	return client_number(&call->facts, name);
}

static bool in_state(struct call *call, const char *state)
{
	return !strcmp(client_text(&call->facts, "State"), state);
}

static int set_timer(struct call *call, sd_event_source **timer, uint64_t usec,
		     sd_event_time_handler_t handler)
{
	*timer = sd_event_source_disable_unref(*timer);
	return sd_event_add_time_relative(call->event, timer, CLOCK_MONOTONIC, usec, 1000, handler,
					  call);
}

/* ---- winding up ---------------------------------------------------------------------------------------------- */

static int on_end_reply(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct call *call = userdata;

	call->gone = true;
	call_step(call);
	return 0;
}

static void end_session(struct call *call)
{
	if (call->ending || call->gone)
		return;
	call->ending = true;
	if (!call->path ||
	    sd_bus_call_method_async(call->client.bus, NULL, CLIENT_NAME, call->path,
				     CLIENT_SESSION, "End", on_end_reply, call, NULL) < 0)
		call->gone = true;
}

/* SIGTERM, then two seconds later SIGKILL. */
static int on_stop(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct call *call = userdata;

	call->stop_signal = call->stop_signal ? SIGKILL : SIGTERM;
	command_signal(&call->command, call->stop_signal);
	if (call->stop_signal == SIGTERM)
		set_timer(call, &call->stopping, STOP_USEC, on_stop);
	return 0;
}

static int on_finish(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct call *call = userdata;

	return sd_event_exit(call->event, 0);
}

void call_over(struct call *call, int exit, const char *format, ...)
{
	char text[512];
	va_list args;

	if (call->over)
		return;
	call->over = true;
	call->exit = exit;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	/* Media that was cut short by a failure does not claim to have ended in order. */
	if (exit == CTL_OK)
		pump_end_output(call);
	call_say(call, "over", "%s", text);
	end_session(call);
	/* One that captures must stop now; one that only receives can first finish with the end of its input. */
	if (call->begun && !call->sends)
		set_timer(call, &call->stopping, STOP_USEC, on_stop);
	else
		on_stop(NULL, 0, call);
	set_timer(call, &call->finishing, GIVE_UP_USEC, on_finish);
	pump_watch(call);
	call_step(call);
}

/* How the command ended decides, once everything that it wrote has left. */
static void over_by_command(struct call *call)
{
	const char *name = call->request->command[0];

	if (WIFEXITED(call->status) && WEXITSTATUS(call->status) == 0)
		call_over(call, CTL_OK, "%s is done; hung up", name);
	else if (WIFEXITED(call->status))
		call_over(call, CTL_FAILED, "%s failed with status %d; hung up", name,
			  WEXITSTATUS(call->status));
	else
		call_over(call, CTL_FAILED, "%s was ended by signal %d; hung up", name,
			  WTERMSIG(call->status));
}

/* Whether both directions ended in order, so that the end of the session is no loss. */
static bool is_complete(struct call *call)
{
	return call->begun && (!call->sends || call->output_done) &&
	       (!call->receives || call->input_ended);
}

static const struct {
	const char *reason;
	int exit;
} end_exits[] = {
	{ "denied", CTL_DENIED },   { "unanswered", CTL_DENIED }, { "not-compared", CTL_DENIED },
	{ "differs", CTL_DENIED },  { "blocked", CTL_DENIED },	  { "agent-gone", CTL_ABSENT },
	{ "shutdown", CTL_ABSENT }, { "internal", CTL_FAILED },
};

static int on_drained(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct call *call = userdata;
	const char *message = client_text(&call->facts, "EndMessage");

	if (!is_complete(call))
		call_over(call, CTL_ENDED, "the call ended: %s",
			  *message ? message : "the other side hung up");
	return 0;
}

void call_drain(struct call *call)
{
	set_timer(call, &call->finishing, DRAIN_USEC, on_drained);
}

static void session_closed(struct call *call)
{
	const char *reason = client_text(&call->facts, "EndReason");
	const char *message = client_text(&call->facts, "EndMessage");
	int exit = CTL_ENDED;

	if (call->gone)
		return;
	call->gone = true;
	if (call->over || is_complete(call))
		return;
	/* Our command ended, and we hear it soon; what it wrote still has to leave. */
	if (call->begun && !strcmp(reason, "subject-gone"))
		return;
	if (call->begun && !call->sends && !strcmp(reason, "peer-closed")) {
		call_drain(call);
		return;
	}
	for (size_t i = 0; i < sizeof(end_exits) / sizeof(end_exits[0]); i++)
		if (!strcmp(reason, end_exits[i].reason))
			exit = end_exits[i].exit;
	call_over(call, exit, "the call ended: %s",
		  *message  ? message
		  : *reason ? reason
			    : "the daemon closed it");
}

static int on_command_ended(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct call *call = userdata;

	if (command_reap(&call->command, &call->status) < 0)
		return 0;
	call->command_gone = true;
	call->ended = sd_event_source_disable_unref(call->ended);
	call->stopping = sd_event_source_disable_unref(call->stopping);
	call_step(call);
	return 0;
}

static int on_begun(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct call *call = userdata;
	int r;

	call->error = sd_event_source_disable_unref(call->error);
	r = command_check(&call->command);
	if (r < 0)
		call_over(call, CTL_FAILED, "cannot run %s: %s", call->request->command[0],
			  strerror(-r));
	return 0;
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
	struct call *call = userdata;

	if (call->over) {
		/* Asked twice: no patience. */
		command_signal(&call->command, SIGKILL);
		return 0;
	}
	call_over(call, call->begun ? CTL_OK : CTL_ENDED, "you hung up");
	return 0;
}

/* ---- the daemon ---------------------------------------------------------------------------------------------- */

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
	unsigned granted = number(call, "Granted");

	if (client_merge(&call->facts, news) < 0 || !before) {
		free(before);
		return call_over(call, CTL_FAILED, "out of memory");
	}
	if (in_state(call, "closed"))
		session_closed(call);
	else if (strcmp(before, client_text(&call->facts, "State")) && !call->over)
		say_state(call);
	if (granted != number(call, "Granted") && !call->over)
		call_say(call, "granted", "may be captured now: %s",
			 plain_kinds(number(call, "Granted")));
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

static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *error)
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
	if (!is_complete(call))
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

static void on_owner(void *userdata)
{
	struct call *call = userdata;

	if (call->gone)
		return;
	if (!call->path || call->over)
		return lost(call);
	if (!call->client.owner) {
		call_say(call, "away", "callgated is gone; the call ends unless it is back soon");
		if (set_timer(call, &call->away, RETURN_USEC, on_not_back) < 0)
			lost(call);
		return;
	}
	call->away = sd_event_source_disable_unref(call->away);
	if (sd_bus_call_method_async(call->client.bus, NULL, CLIENT_NAME, call->path,
				     "org.freedesktop.DBus.Properties", "GetAll", on_back, call,
				     "s", CLIENT_SESSION) < 0)
		lost(call);
}

static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *error)
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
		end_session(call);
		return 0;
	}
	sd_bus_call_method_async(call->client.bus, NULL, CLIENT_NAME, call->path,
				 "org.freedesktop.DBus.Properties", "GetAll", on_properties, call,
				 "s", CLIENT_SESSION);
	return 0;
}

static void ask_session(struct call *call)
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
		r = media_new(fd, call->incoming, call->request->kinds, &call->media, &why);
	if (r < 0)
		call_over(call, CTL_FAILED, "no media keys: %s", why);
	call_step(call);
	return 0;
}

static void ask_keys(struct call *call)
{
	call->keys_asked = true;
	/* From here on the keys are in our memory, where a program of the same user must not look. */
	prctl(PR_SET_DUMPABLE, 0);
	if (sd_bus_call_method_async(call->client.bus, NULL, CLIENT_NAME, call->path,
				     CLIENT_SESSION, "MediaKeys", on_keys, call, NULL) < 0)
		call_over(call, CTL_FAILED, "cannot ask for the media keys");
}

/* ---- the relay ----------------------------------------------------------------------------------------------- */

static void on_hello(void *userdata, const char *name)
{
	struct call *call = userdata;

	call->claimed = strdup(name);
	call_step(call);
}

static int on_delivered(sd_bus_message *m, void *userdata, sd_bus_error *unused)
{
	struct call *call = userdata;

	call->delivering--;
	carriage_pause(call->carriage, false);
	if (sd_bus_message_is_method_error(m, CLIENT_ERROR "NotFound"))
		session_closed(call);
	call_step(call);
	return 0;
}

static void on_blob(void *userdata, const uint8_t *data, size_t len)
{
	struct call *call = userdata;
	sd_bus_message *m = NULL;
	int r;

	if (call->gone)
		return;
	if (!call->path) {
		/* All but the first of a call is repeated until it is answered. */
		if (call->incoming && !call->asked && len > 2 && data[1] == BLOB_INIT) {
			memcpy(call->init, data, len);
			call->init_len = len;
			call_step(call);
		}
		return;
	}
	r = sd_bus_message_new_method_call(call->client.bus, &m, CLIENT_NAME, call->path,
					   CLIENT_SESSION, "Deliver");
	if (r >= 0)
		r = sd_bus_message_append_array(m, 'y', data, len);
	if (r >= 0)
		r = sd_bus_call_async(call->client.bus, NULL, m, on_delivered, call, 0);
	sd_bus_message_unref(m);
	if (r >= 0 && ++call->delivering >= DELIVERING_MAX)
		carriage_pause(call->carriage, true);
}

static void on_media(void *userdata, const uint8_t *data, size_t len, bool end)
{
	struct call *call = userdata;

	if (!call->over)
		pump_media(call, data, len, end);
}

static void on_room(void *userdata)
{
	struct call *call = userdata;

	call_step(call);
}

static void on_carriage_closed(void *userdata, int error, const char *reason)
{
	struct call *call = userdata;

	if (is_complete(call) || call->over)
		end_session(call);
	else if (call->gone)
		on_drained(NULL, 0, call);
	else
		call_over(call, CTL_ENDED, "the way to the other side is gone: %s", reason);
	call_step(call);
}

static const struct carriage_ops carriage_ops = {
	.hello = on_hello,
	.blob = on_blob,
	.media = on_media,
	.room = on_room,
	.closed = on_carriage_closed,
};

/* ---- the whole ----------------------------------------------------------------------------------------------- */

/* Whether the command may begin: what it is to capture may be captured. One that only receives captures nothing. */
static bool may_begin(struct call *call)
{
	unsigned kinds = call->request->kinds;

	if (!call->media || !in_state(call, "live"))
		return false;
	if (!call->sends)
		return true;
	if (call->enforced)
		return (number(call, "Granted") & kinds) == kinds;
	/* Without a gate nothing is ever granted, as nothing could be stopped. The camera waits all the same. */
	return (number(call, "Approved") & kinds) == kinds &&
	       (!(kinds & KIND_CAMERA) ||
		!strcmp(client_text(&call->facts, "PeerAuthentication"), "verified"));
}

static void begin(struct call *call)
{
	int r = command_begin(&call->command);

	call->begun = true;
	if (r >= 0)
		r = sd_event_add_io(call->event, &call->error, call->command.error, EPOLLIN,
				    on_begun, call);
	if (r >= 0)
		r = pump_start(call);
	if (r < 0)
		return call_over(call, CTL_FAILED, "cannot start %s: %s", call->request->command[0],
				 strerror(-r));
	call_say(call, "begun", "%s runs", call->request->command[0]);
}

static void step_waiting(struct call *call)
{
	unsigned kinds = call->request->kinds;

	if (!call->asked && (!call->incoming || (call->init_len && call->claimed)))
		ask_session(call);
	if (!in_state(call, "live"))
		return;
	if (call->sends && (number(call, "Approved") & kinds) != kinds)
		return call_over(call, CTL_DENIED, "you allowed only: %s; the command needs: %s",
				 plain_kinds(number(call, "Approved")),
				 plain_kinds(kinds & KIND_BOTH));
	if (!call->keys_asked)
		ask_keys(call);
	if (may_begin(call)) {
		begin(call);
	} else if (call->media && !call->told_waiting) {
		call->told_waiting = true;
		call_say(call, "waiting",
			 "%s waits until all that it needs may be captured (%s); "
			 "answer at your agent whether the numbers match",
			 call->request->command[0], plain_kinds(kinds));
	}
}

void call_step(struct call *call)
{
	if (call->command_gone && call->begun && call->sends && !call->over)
		pump_output(call);
	if (call->command_gone && !call->over) {
		if (!call->begun)
			call_over(call, CTL_FAILED,
				  "the waiting process was ended by somebody else");
		else if ((!call->sends || call->output_done) && carriage_is_flushed(call->carriage))
			over_by_command(call);
	}
	if (!call->over && !call->begun && !call->gone)
		step_waiting(call);
	if (!call->over && call->begun)
		pump_watch(call);
	if (call->over && call->command_gone && call->gone && !call->lingering &&
	    carriage_is_flushed(call->carriage)) {
		call->lingering = true;
		set_timer(call, &call->finishing, LINGER_USEC, on_finish);
	}
}

static int read_gate(struct call *call)
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

static const char *own_name(const struct ctl_request *request)
{
	const struct passwd *user;

	if (request->as)
		return request->as;
	user = getpwuid(getuid());
	return user && text_is_name(user->pw_name, CARRIAGE_NAME_MAX) ? user->pw_name : "somebody";
}

/* Event sources and connections; an exit code, with the reason told. */
static int prepare(struct call *call)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	const char *why = NULL;
	int r, fd;

	r = ctl_connect(&call->client);
	if (r == CTL_OK)
		r = read_gate(call);
	if (r != CTL_OK)
		return r;
	fd = carriage_connect(call->request->via, &why);
	if (fd < 0) {
		ctl_complain("cannot reach the relay at %s: %s", call->request->via, why);
		return CTL_FAILED;
	}
	r = carriage_new(call->event, fd, &carriage_ops, call, &call->carriage);
	if (r >= 0)
		r = carriage_send_hello(call->carriage, own_name(call->request));
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]) && r >= 0; i++)
		r = sd_event_add_signal(call->event, NULL, signals[i], on_signal, call);
	if (r >= 0)
		r = sd_event_add_io(call->event, &call->ended, call->command.pidfd, EPOLLIN,
				    on_command_ended, call);
	if (r >= 0)
		r = sd_bus_attach_event(call->client.bus, call->event, 0);
	if (r >= 0)
		r = sd_bus_add_filter(call->client.bus, NULL, on_message, call);
	if (r >= 0)
		r = sd_bus_match_signal(call->client.bus, NULL, "org.freedesktop.DBus.Local", NULL,
					"org.freedesktop.DBus.Local", "Disconnected",
					on_disconnected, call);
	if (r < 0) {
		ctl_complain("cannot prepare the call: %s", strerror(-r));
		return CTL_FAILED;
	}
	call->client.on_owner = on_owner;
	call->client.userdata = call;
	return CTL_OK;
}

static int run_call(struct call *call)
{
	const struct ctl_request *request = call->request;
	sigset_t set;
	int r;

	/* First of all, so that the waiting process holds nothing of ours. */
	r = command_fork(request->command, call->receives, call->sends, &call->command);
	if (r < 0) {
		ctl_complain("cannot make a process for %s: %s", request->command[0], strerror(-r));
		return CTL_FAILED;
	}
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	r = sd_event_default(&call->event);
	if (r < 0) {
		ctl_complain("cannot prepare the call: %s", strerror(-r));
		return CTL_FAILED;
	}
	call->exit = prepare(call);
	if (call->exit != CTL_OK)
		return call->exit;
	if (call->incoming)
		call_say(call, "waiting", "waiting for a call");
	call_step(call);
	r = sd_event_loop(call->event);
	if (r < 0) {
		ctl_complain("the call broke off: %s", strerror(-r));
		return CTL_FAILED;
	}
	return call->exit;
}

static int finish(struct call *call)
{
	int r = run_call(call);

	command_deinit(&call->command);
	sd_event_source_disable_unref(call->in);
	sd_event_source_disable_unref(call->out);
	sd_event_source_disable_unref(call->error);
	sd_event_source_disable_unref(call->ended);
	sd_event_source_disable_unref(call->stopping);
	sd_event_source_disable_unref(call->finishing);
	sd_event_source_disable_unref(call->away);
	carriage_free(call->carriage);
	media_free(call->media);
	client_dict_clear(&call->facts);
	client_close(&call->client);
	sd_event_unref(call->event);
	if (call->ring)
		explicit_bzero(call->ring, CARRIAGE_WINDOW);
	free(call->ring);
	free(call->path);
	free(call->claimed);
	return r;
}

int verb_call(const struct ctl_request *request)
{
	struct call call = {
		.request = request,
		.sends = true,
		.receives = request->receive,
		.command = COMMAND_INIT,
	};

	if (!text_is_name(request->arguments[0], CARRIAGE_NAME_MAX)) {
		ctl_complain("a contact's name is 1 to 63 bytes of visible text");
		return CTL_USAGE;
	}
	return finish(&call);
}

int verb_answer(const struct ctl_request *request)
{
	struct call call = {
		.request = request,
		.incoming = true,
		.sends = request->send,
		.receives = true,
		.command = COMMAND_INIT,
	};

	return finish(&call);
}
