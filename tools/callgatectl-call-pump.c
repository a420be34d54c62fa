// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The media of a call: from the command's standard output, sealed, to the relay;
 * from the relay, opened, to its standard input. Never holds more than one window
 * of opened media, and reads the command only when the frame can be queued.
 *
 * Security: nothing leaves unsealed; what does not open ends the call; the
 * window is granted only once the keys are there, so no frame waits unopened.
 */
#include "callgatectl-call.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Granted back in pieces: less chatter, and still far from the window. */
#define GRANT_STEP (32 * 1024)

static void give_back(struct call *call, size_t bytes)
{
	call->owed += bytes;
	if (call->owed < GRANT_STEP || call->over)
		return;
	if (carriage_grant(call->carriage, call->owed) >= 0)
		call->owed = 0;
}

/* Seal and queue one piece; wind the call up where that fails. */
static int send_piece(struct call *call, const uint8_t *plain, size_t len)
{
	uint8_t frame[CARRIAGE_MEDIA_MAX];
	size_t frame_len;
	int r;

	r = media_seal(call->media, plain, len, frame, sizeof(frame), &frame_len);
	if (r >= 0)
		r = len ? carriage_send_media(call->carriage, frame, frame_len)
			: carriage_send_end(call->carriage, frame, frame_len);
	if (r < 0)
		call_over(call, CTL_FAILED, "cannot seal and send what the command writes: %s",
			  strerror(-r));
	return r;
}

void pump_end_output(struct call *call)
{
	if (!call->sends || call->output_done)
		return;
	call->output_done = true;
	call->out = sd_event_source_disable_unref(call->out);
	command_close_out(&call->command);
	if (call->media && call->begun)
		send_piece(call, NULL, 0);
}

void pump_output(struct call *call)
{
	uint8_t plain[CARRIAGE_PLAIN_MAX];
	ssize_t n = 1;
	int error = 0;

	while (!call->over && !call->output_done && carriage_has_room(call->carriage)) {
		n = read(call->command.out, plain, sizeof(plain));
		error = errno;
		if (n <= 0 || send_piece(call, plain, n) < 0)
			break;
		/* One turn for everybody else between two full pieces. */
		if (n == sizeof(plain))
			break;
	}
	explicit_bzero(plain, sizeof(plain));
	if (n > 0 || call->over)
		return;
	/* A process that it left behind may hold the pipe open: its own end is what counts. */
	if (n == 0 || (error != EAGAIN && error != EINTR) || call->command_gone)
		pump_end_output(call);
}

static int on_output(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct call *call = userdata;

	pump_output(call);
	call_step(call);
	return 0;
}

static void close_input(struct call *call)
{
	call->in = sd_event_source_disable_unref(call->in);
	command_close_in(&call->command);
}

static int on_input(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct call *call = userdata;
	ssize_t n = 0;

	while (call->held) {
		size_t run = CARRIAGE_WINDOW - call->at;

		n = write(fd, call->ring + call->at, run < call->held ? run : call->held);
		if (n < 0)
			break;
		call->at = (call->at + n) % CARRIAGE_WINDOW;
		call->held -= n;
		give_back(call, n);
	}
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		/* It reads no more; the rest of the call is carried on without it until it ends. */
		give_back(call, call->held);
		call->held = 0;
		close_input(call);
	}
	call_step(call);
	return 0;
}

void pump_media(struct call *call, const uint8_t *data, size_t len, bool end)
{
	uint8_t plain[CARRIAGE_MEDIA_MAX];
	size_t plain_len = 0, tail, run;
	int r;

	if (!call->media || !call->receives)
		return call_over(call, CTL_ENDED,
				 "the other side sent media that was not asked for");
	r = media_open(call->media, data, len, plain, &plain_len);
	if (r == -EALREADY && !end)
		return give_back(call, len);
	if (r < 0 || end != (plain_len == 0))
		return call_over(
			call, CTL_ENDED,
			"a frame of media was not what the other side sealed; somebody between "
			"you and the other side changed it");
	if (media_lost(call->media) && !call->told_lost) {
		call->told_lost = true;
		call_say(call, "lost", "media was lost on the way (%llu frames so far)",
			 (unsigned long long)media_lost(call->media));
	}
	if (end) {
		call->input_ended = true;
		return call_step(call);
	}
	/* Sealing only adds: the plaintext of one window fits the ring. */
	give_back(call, len - plain_len);
	if (call->command.in < 0 || call->over) {
		give_back(call, plain_len);
	} else {
		tail = (call->at + call->held) % CARRIAGE_WINDOW;
		run = CARRIAGE_WINDOW - tail < plain_len ? CARRIAGE_WINDOW - tail : plain_len;
		memcpy(call->ring + tail, plain, run);
		memcpy(call->ring, plain + run, plain_len - run);
		call->held += plain_len;
	}
	explicit_bzero(plain, plain_len);
	if (call->gone && !call->over)
		call_drain(call);
	pump_watch(call);
}

int pump_start(struct call *call)
{
	int r = 0;

	if (call->receives) {
		call->ring = malloc(CARRIAGE_WINDOW);
		if (!call->ring)
			return -ENOMEM;
		r = sd_event_add_io(call->event, &call->in, call->command.in, 0, on_input, call);
		if (r >= 0)
			r = carriage_grant(call->carriage, CARRIAGE_WINDOW);
		if (r == -ENOTCONN)
			r = 0;
	}
	if (r >= 0 && call->sends)
		r = sd_event_add_io(call->event, &call->out, call->command.out, EPOLLIN, on_output,
				    call);
	pump_watch(call);
	return r;
}

void pump_watch(struct call *call)
{
	bool drained = call->input_ended || call->over;

	if (call->in && !call->held && drained)
		close_input(call);
	if (call->in) {
		sd_event_source_set_io_events(call->in, EPOLLOUT);
		sd_event_source_set_enabled(call->in, call->held ? SD_EVENT_ON : SD_EVENT_OFF);
	}
	if (call->out)
		sd_event_source_set_enabled(call->out,
					    !call->over && carriage_has_room(call->carriage)
						    ? SD_EVENT_ON
						    : SD_EVENT_OFF);
}
