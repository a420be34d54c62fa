// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * How callgatectl call and answer come to their end: the one place that decides the exit code, ends the session and stops the
 * command. Called by the other callgatectl-call files, when something is over. Must not begin anything.
 */
#include "callgatectl-call.h"

#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/wait.h>

/* How long a command may take to stop by itself, and again until it is killed. */
#define STOP_USEC    2000000ull
/* What is still under way when the other side hung up has this long between two frames. */
#define DRAIN_USEC   1000000ull
#define GIVE_UP_USEC 6000000ull

static int on_end_reply(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct call *call = userdata;

	call->gone = true;
	call_step(call);
	return 0;
}

void call_end_session(struct call *call)
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
		call_set_timer(call, &call->stopping, STOP_USEC, on_stop);
	return 0;
}

static int on_finish(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct call *call = userdata;

	return sd_event_exit(call->event, 0);
}

void call_finish_after(struct call *call, uint64_t usec)
{
	call_set_timer(call, &call->finishing, usec, on_finish);
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
	call_end_session(call);
	/* One that captures must stop now; one that only receives can first finish with the end of its input. */
	if (call->begun && !call->sends)
		call_set_timer(call, &call->stopping, STOP_USEC, on_stop);
	else
		on_stop(NULL, 0, call);
	call_set_timer(call, &call->finishing, GIVE_UP_USEC, on_finish);
	pump_watch(call);
	call_step(call);
}

/* How the command ended decides, once everything that it wrote has left. */
void call_over_by_command(struct call *call)
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
bool call_is_complete(struct call *call)
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
	{ "shutdown", CTL_ABSENT }, { "restarted", CTL_ABSENT },  { "internal", CTL_FAILED },
};

void call_drained(struct call *call)
{
	const char *message = client_text(&call->facts, "EndMessage");

	if (!call_is_complete(call))
		call_over(call, CTL_ENDED, "the call ended: %s",
			  *message ? message : "the other side hung up");
}

static int on_drained(sd_event_source *source, uint64_t usec, void *userdata)
{
	call_drained(userdata);
	return 0;
}

void call_drain(struct call *call)
{
	call_set_timer(call, &call->finishing, DRAIN_USEC, on_drained);
}

void call_session_closed(struct call *call)
{
	const char *reason = client_text(&call->facts, "EndReason");
	const char *message = client_text(&call->facts, "EndMessage");
	int exit = CTL_ENDED;

	if (call->gone)
		return;
	call->gone = true;
	if (call->over || call_is_complete(call))
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
