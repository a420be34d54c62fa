// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A relay: a camera of one program's own, with the formats of the real one, and a
 * stream that captures from the real one in the format that the program has chosen.
 * Opened by relays.c. Must not decide: that stream is linked or not as the program's
 * would be, and while it may not be, nothing is passed on.
 *
 * It is for programs whose stream takes one format in its life, as GStreamer's
 * pipewiresrc does: PipeWire clears the format of a port that loses its last link, and
 * the link with the relay stays for as long as the stream does, whatever becomes of
 * the other.
 *
 * Security: each stream has a relay of its own, with its own memory, so that who is
 * linked with it sees no picture that was not his. What stands beside a picture is
 * written by another process, which may change it meanwhile: it is read once.
 */
#include "relay.h"

#include <spa/param/buffers.h>
#include <spa/param/video/format.h>
#include <spa/pod/builder.h>
#include <spa/pod/parser.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BUFFERS		4
#define BYTES_PER_PIXEL 4     /* at most; an encoded picture takes less */
#define SIDE		16384 /* pixels, at most */
#define LATE		2     /* pictures that wait for a program, at most */
#define ROOM		1024

/* @format: that the program has chosen; @in: NULL while there is none */
struct relay {
	struct pw_core *core;
	char *path, *camera;
	struct spa_pod *format;
	struct pw_stream *out, *in;
	struct spa_hook out_listener, in_listener;
	bool through;
	uint64_t seq;
};

/* Adds one block to what is there already. */
static bool add_block(const struct spa_data *from, struct spa_data *to, uint32_t *filled)
{
	uint32_t offset = __atomic_load_n(&from->chunk->offset, __ATOMIC_RELAXED);
	uint32_t size = __atomic_load_n(&from->chunk->size, __ATOMIC_RELAXED);

	if (from->data == NULL || offset > from->maxsize || size > from->maxsize - offset ||
	    size > to->maxsize - *filled)
		return false;
	memcpy(SPA_PTROFF(to->data, *filled, void), SPA_PTROFF(from->data, offset, void), size);
	*filled += size;
	return true;
}

/* Blocks are planes of one picture, one after the other. */
static bool copy(const struct spa_buffer *from, struct spa_buffer *to)
{
	struct spa_data *target = &to->datas[0];
	uint32_t filled = 0, i;

	if (to->n_datas != 1 || target->data == NULL)
		return false;
	for (i = 0; i < from->n_datas; i++)
		if (!add_block(&from->datas[i], target, &filled))
			return false;
	if (filled == 0)
		return false;
	target->chunk->offset = 0;
	target->chunk->size = filled;
	target->chunk->stride = from->datas[0].chunk->stride;
	target->chunk->flags = from->datas[0].chunk->flags;
	return true;
}

/* Always the same clock, as nobody keeps another: a camera's may not have been there before. GStreamer goes by the first. */
static void stamp(struct relay *relay, struct spa_buffer *picture)
{
	struct spa_meta_header *header =
		spa_buffer_find_meta_data(picture, SPA_META_Header, sizeof(*header));
	struct timespec now;

	if (header == NULL)
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	*header = (struct spa_meta_header){ .pts = (int64_t)SPA_TIMESPEC_TO_NSEC(&now),
					    .seq = relay->seq++ };
}

static void pass_on(struct relay *relay, const struct spa_buffer *picture)
{
	struct pw_buffer *to;
	struct pw_time time;

	if (!relay->through || pw_stream_get_state(relay->out, NULL) != PW_STREAM_STATE_STREAMING)
		return;
	/* Who took his time would be behind from then on. */
	if (pw_stream_get_time_n(relay->out, &time, sizeof(time)) == 0 &&
	    time.queued_buffers > LATE)
		pw_stream_flush(relay->out, false);
	to = pw_stream_dequeue_buffer(relay->out);
	if (to != NULL) {
		/* What cannot be passed on goes as a picture without size: there is no other way to give the buffer back. */
		if (!copy(picture, to->buffer))
			to->buffer->datas[0].chunk->size = 0;
		stamp(relay, to->buffer);
		pw_stream_queue_buffer(relay->out, to);
	}
	/* Also without one, or those that wait would wait for ever. */
	pw_stream_trigger_process(relay->out);
}

static void on_picture(void *userdata)
{
	struct relay *relay = userdata;
	struct pw_buffer *from;

	while ((from = pw_stream_dequeue_buffer(relay->in)) != NULL) {
		pass_on(relay, from->buffer);
		pw_stream_queue_buffer(relay->in, from);
	}
}

static const struct pw_stream_events in_events = {
	PW_VERSION_STREAM_EVENTS,
	.process = on_picture,
};

static void stop_capture(struct relay *relay)
{
	if (relay->in != NULL)
		pw_stream_destroy(relay->in);
	relay->in = NULL;
}

/* In this format alone: until there is a camera that has it, it waits. */
static void capture(struct relay *relay)
{
	const char *alone = relay->camera != NULL ? "true" : "false";

	stop_capture(relay);
	relay->in = pw_stream_new(
		relay->core, "Callgate",
		pw_properties_new(PW_KEY_MEDIA_TYPE, "Video", PW_KEY_MEDIA_CATEGORY, "Capture",
				  PW_KEY_MEDIA_ROLE, "Camera", PW_KEY_NODE_NAME, "callgate-relay",
				  PW_KEY_OBJECT_PATH, relay->path, PW_KEY_TARGET_OBJECT,
				  relay->camera, "node.dont-fallback", alone, "node.linger", "true",
				  NULL));
	if (relay->in == NULL)
		return;
	pw_stream_add_listener(relay->in, &relay->in_listener, &in_events, relay);
	if (pw_stream_connect(relay->in, PW_DIRECTION_INPUT, PW_ID_ANY,
			      PW_STREAM_FLAG_AUTOCONNECT | PW_STREAM_FLAG_MAP_BUFFERS,
			      (const struct spa_pod **)&relay->format, 1) < 0)
		stop_capture(relay);
}

/* The program's stream was linked with it, or has gone. */
static void on_out_format(void *userdata, uint32_t id, const struct spa_pod *param)
{
	struct relay *relay = userdata;
	struct spa_pod_builder builder;
	struct spa_rectangle size;
	const struct spa_pod *params[2];
	uint8_t room[ROOM];

	if (id != SPA_PARAM_Format)
		return;
	stop_capture(relay);
	free(relay->format);
	relay->format = NULL;
	if (param == NULL ||
	    spa_pod_parse_object(param, SPA_TYPE_OBJECT_Format, NULL, SPA_FORMAT_VIDEO_size,
				 SPA_POD_Rectangle(&size)) < 0 ||
	    size.width == 0 || size.height == 0 || size.width > SIDE || size.height > SIDE)
		return;
	relay->format = spa_pod_copy(param);
	if (relay->format == NULL)
		return;
	((struct spa_pod_object *)relay->format)->body.id = SPA_PARAM_EnumFormat;
	spa_pod_builder_init(&builder, room, sizeof(room));
	params[0] = spa_pod_builder_add_object(
		&builder, SPA_TYPE_OBJECT_ParamBuffers, SPA_PARAM_Buffers,
		SPA_PARAM_BUFFERS_buffers, SPA_POD_CHOICE_RANGE_Int(BUFFERS, 2, 2 * BUFFERS),
		SPA_PARAM_BUFFERS_blocks, SPA_POD_Int(1), SPA_PARAM_BUFFERS_size,
		SPA_POD_Int((int)(size.width * size.height) * BYTES_PER_PIXEL),
		SPA_PARAM_BUFFERS_dataType, SPA_POD_CHOICE_FLAGS_Int(1 << SPA_DATA_MemFd));
	params[1] = spa_pod_builder_add_object(&builder, SPA_TYPE_OBJECT_ParamMeta, SPA_PARAM_Meta,
					       SPA_PARAM_META_type, SPA_POD_Id(SPA_META_Header),
					       SPA_PARAM_META_size,
					       SPA_POD_Int(sizeof(struct spa_meta_header)));
	pw_stream_update_params(relay->out, params, 2);
	capture(relay);
}

/* There is no "process": a picture drives those who are linked with it. */
static const struct pw_stream_events out_events = {
	PW_VERSION_STREAM_EVENTS,
	.param_changed = on_out_format,
};

struct relay *relay_open(struct pw_core *core, const char *path, const char *camera,
			 const struct spa_pod **formats, uint32_t n_formats)
{
	struct relay *relay = calloc(1, sizeof(*relay));

	if (relay == NULL)
		return NULL;
	relay->core = core;
	relay->path = strdup(path);
	relay->camera = camera != NULL ? strdup(camera) : NULL;
	/* Of the least priority: nobody's camera but the stream's that callgate/hold.lua links with it. */
	if (relay->path != NULL && (camera == NULL || relay->camera != NULL))
		relay->out = pw_stream_new(
			core, "Callgate",
			pw_properties_new(PW_KEY_MEDIA_CLASS, "Video/Source", PW_KEY_NODE_NAME,
					  "callgate-camera", PW_KEY_NODE_DESCRIPTION,
					  "Camera, in a call only", PW_KEY_OBJECT_PATH, path,
					  PW_KEY_NODE_VIRTUAL, "true", PW_KEY_PRIORITY_SESSION,
					  "-1", PW_KEY_PRIORITY_DRIVER, "0", NULL));
	if (relay->out == NULL) {
		relay_close(relay);
		return NULL;
	}
	pw_stream_add_listener(relay->out, &relay->out_listener, &out_events, relay);
	if (pw_stream_connect(relay->out, PW_DIRECTION_OUTPUT, PW_ID_ANY,
			      PW_STREAM_FLAG_DRIVER | PW_STREAM_FLAG_MAP_BUFFERS, formats,
			      n_formats) < 0) {
		relay_close(relay);
		return NULL;
	}
	return relay;
}

void relay_let(struct relay *relay, bool through)
{
	relay->through = through;
	if (!through)
		pw_stream_flush(relay->out, false);
	else if (relay->in != NULL && pw_stream_get_state(relay->in, NULL) == PW_STREAM_STATE_ERROR)
		capture(relay);
}

void relay_close(struct relay *relay)
{
	if (relay == NULL)
		return;
	stop_capture(relay);
	if (relay->out != NULL)
		pw_stream_destroy(relay->out);
	free(relay->format);
	free(relay->path);
	free(relay->camera);
	free(relay);
}
