// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * callgatectl call and answer: one call from the command line to the exit code. Begins the command when the daemon says that it
 * may capture. callgatectl-call-session.c speaks with the daemon, -relay.c with the relay, -pump.c moves media, -end.c winds
 * up.
 *
 * Security: it is an app like any other and believed by nobody.
 */
#include "callgatectl-call.h"

#include "plain.h"
#include "util/text.h"

#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINGER_USEC 300000ull

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

unsigned call_number(struct call *call, const char *name)
{
	return client_number(&call->facts, name);
}

bool call_in_state(struct call *call, const char *state)
{
	return !strcmp(client_text(&call->facts, "State"), state);
}

int call_set_timer(struct call *call, sd_event_source **timer, uint64_t usec,
		   sd_event_time_handler_t handler)
{
	*timer = sd_event_source_disable_unref(*timer);
	return sd_event_add_time_relative(call->event, timer, CLOCK_MONOTONIC, usec, 1000, handler,
					  call);
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

/* Whether the command may begin: what it is to capture may be captured. One that only receives captures nothing. */
static bool may_begin(struct call *call)
{
	unsigned kinds = call->request->kinds;

	if (!call->media || !call_in_state(call, "live"))
		return false;
	if (!call->sends)
		return true;
	if (call->enforced)
		return (call_number(call, "Granted") & kinds) == kinds;
	/* Without a gate nothing is ever granted, as nothing could be stopped. The camera waits all the same. */
	return (call_number(call, "Approved") & kinds) == kinds &&
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
		call_ask_session(call);
	if (!call_in_state(call, "live"))
		return;
	if (call->sends && (call_number(call, "Approved") & kinds) != kinds)
		return call_over(call, CTL_DENIED, "you allowed only: %s; the command needs: %s",
				 plain_kinds(call_number(call, "Approved")), plain_kinds(kinds));
	if (!call->keys_asked)
		call_ask_keys(call);
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
			call_over_by_command(call);
	}
	if (!call->over && !call->begun && !call->gone)
		step_waiting(call);
	if (!call->over && call->begun)
		pump_watch(call);
	if (call->over && call->command_gone && call->gone && !call->lingering &&
	    carriage_is_flushed(call->carriage)) {
		call->lingering = true;
		call_finish_after(call, LINGER_USEC);
	}
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
		r = call_read_gate(call);
	if (r != CTL_OK)
		return r;
	fd = carriage_connect(call->request->via, &why);
	if (fd < 0) {
		ctl_complain("cannot reach the relay at %s: %s", call->request->via, why);
		return CTL_FAILED;
	}
	r = carriage_new(call->event, fd, &call_carriage_ops, call, &call->carriage);
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
		r = sd_bus_add_filter(call->client.bus, NULL, call_on_message, call);
	if (r >= 0)
		r = sd_bus_match_signal(call->client.bus, NULL, "org.freedesktop.DBus.Local", NULL,
					"org.freedesktop.DBus.Local", "Disconnected",
					call_on_disconnected, call);
	if (r < 0) {
		ctl_complain("cannot prepare the call: %s", strerror(-r));
		return CTL_FAILED;
	}
	call->client.on_owner = call_on_owner;
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
