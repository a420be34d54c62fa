/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CALLGATE_CALLGATECTL_CALL_H
#define CALLGATE_CALLGATECTL_CALL_H

#include "callgatectl.h"
#include "callgatectl-command.h"
#include "callgatectl-media.h"
#include "carriage.h"

#include <systemd/sd-event.h>

/**
 * struct call - one call, from the command line to the exit code
 * @incoming: we were called
 * @sends: what the command writes is sent
 * @receives: what the other side sends is given to the command
 * @enforced: a kernel module here decides what may be captured
 * @facts: the session's properties, as last heard
 * @path: the session; NULL until the daemon made it
 * @claimed: what the other side says it is called
 * @init: the first blob of an incoming call
 * @delivering: blobs given to the daemon that it has not answered for
 * @over: the call is being wound up; @exit is decided
 * @gone: the session is closed, or never was
 * @away: runs while there is no daemon
 * @lingering: everything is done; the last blobs get a moment
 * @stop_signal: what the command was sent last, 0 for nothing
 * @output_done: all that the command wrote is queued, and its end
 * @input_ended: the other side's end of media was opened
 * @ring: opened media that the command has not read yet, @held bytes from @at on
 * @owed: bytes of media that may be granted again
 */
struct call {
	const struct ctl_request *request;
	bool incoming, sends, receives, enforced;
	int exit;

	sd_event *event;
	sd_event_source *in, *out, *error, *ended, *stopping, *finishing, *away;
	struct client client;
	struct carriage *carriage;
	struct command command;
	struct media *media;

	struct client_dict facts;
	char *path, *claimed;
	uint8_t init[CARRIAGE_BLOB_MAX];
	size_t init_len;
	unsigned delivering, refused;

	bool asked, keys_asked, begun, told_waiting, told_lost;
	bool over, ending, gone, lingering;
	bool command_gone, output_done, input_ended;
	int status, stop_signal;

	uint8_t *ring;
	size_t at, held, owed;
};

/* callgatectl-call.c */
/* Print what happens, for people or as a JSON line. */
void call_say(struct call *call, const char *event, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Do whatever has become possible. Call it after every change. */
void call_step(struct call *call);
/* A property of the session. */
unsigned call_number(struct call *call, const char *name);
bool call_in_state(struct call *call, const char *state);
/* Anew where it runs. */
int call_set_timer(struct call *call, sd_event_source **timer, uint64_t usec,
		   sd_event_time_handler_t handler);

/* callgatectl-call-end.c */
/* Wind up, once; the first reason counts. */
void call_over(struct call *call, int exit, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* How the command ended decides, once everything that it wrote has left. */
void call_over_by_command(struct call *call);
/* Whether both directions ended in order, so that the end of the session is no loss. */
bool call_is_complete(struct call *call);
void call_end_session(struct call *call);
/* The daemon says that it is closed. */
void call_session_closed(struct call *call);
/* The session is closed, but media of the other side may still be under way: wait for it, a while after each frame. */
void call_drain(struct call *call);
/* Nothing of it comes any more. */
void call_drained(struct call *call);
/* Leave the event loop then. */
void call_finish_after(struct call *call, uint64_t usec);

/* callgatectl-call-session.c */
/* Whether something is enforced here; an exit code, with the reason told. */
int call_read_gate(struct call *call);
void call_ask_session(struct call *call);
void call_ask_keys(struct call *call);
int call_on_message(sd_bus_message *m, void *userdata, sd_bus_error *error);
int call_on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *error);
void call_on_owner(void *userdata);

/* callgatectl-call-relay.c */
extern const struct carriage_ops call_carriage_ops;

/* callgatectl-call-programs.c */
/* The session's signal Programs. */
void call_say_programs(struct call *call, sd_bus_message *m);

/* callgatectl-call-pump.c */
int pump_start(struct call *call);
/* Watch exactly those pipes that can move now. */
void pump_watch(struct call *call);
/* One frame of media from the other side. */
void pump_media(struct call *call, const uint8_t *data, size_t len, bool end);
/* Read what the command wrote, as far as there is room. */
void pump_output(struct call *call);
/* Say that nothing more comes, if anything could have been sent. */
void pump_end_output(struct call *call);

#endif
