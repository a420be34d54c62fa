// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What comes from the relay in callgatectl call and answer: blobs go to the daemon, unread, media to callgatectl-call-pump.c. Called by
 * the carriage. The relay's word is bounded by the carriage and believed by nobody.
 */
#include "callgatectl-call.h"

#include <string.h>

#define DELIVERING_MAX 32
#define BLOB_INIT      1

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
		call_session_closed(call);
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

	if (call_is_complete(call) || call->over)
		call_end_session(call);
	else if (call->gone)
		call_drained(call);
	else
		call_over(call, CTL_ENDED, "the way to the other side is gone: %s", reason);
	call_step(call);
}

const struct carriage_ops call_carriage_ops = {
	.hello = on_hello,
	.blob = on_blob,
	.media = on_media,
	.room = on_room,
	.closed = on_carriage_closed,
};
