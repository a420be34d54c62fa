// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A source out of which nothing comes, with which WirePlumber links the streams of
 * sound that it holds. It is never driven, so that nobody linked with it gets a
 * buffer. Opened by graph.c. Must not send anything, nor know who is linked.
 *
 * A stream that is linked with nothing gets no format, and libpulse and GStreamer
 * give up after 30 seconds without one. Not for pictures: moved to a camera, a
 * stream of pictures gets a format anew, and GStreamer fails of the second.
 */
#include "hold.h"

#include <errno.h>
#include <spa/param/audio/format-utils.h>
#include <spa/pod/builder.h>

#define FORMAT_ROOM 1024

static void on_state(void *userdata, enum pw_stream_state old, enum pw_stream_state state,
		     const char *error)
{
	struct hold *hold = userdata;
	const struct pw_properties *props = pw_stream_get_properties(hold->stream);

	if (state == PW_STREAM_STATE_PAUSED)
		hold->known(hold->userdata,
			    pw_properties_get_uint64(props, PW_KEY_OBJECT_SERIAL, 0));
}

/* There is no "process", and nobody calls pw_stream_trigger_process(). */
static const struct pw_stream_events events = {
	PW_VERSION_STREAM_EVENTS,
	.state_changed = on_state,
};

int hold_open(struct hold *hold, struct pw_core *core,
	      void (*known)(void *userdata, uint64_t serial), void *userdata)
{
	struct spa_audio_info_raw info = { .format = SPA_AUDIO_FORMAT_F32P,
					   .channels = 2,
					   .rate = 48000,
					   .position = { SPA_AUDIO_CHANNEL_FL,
							 SPA_AUDIO_CHANNEL_FR } };
	const struct spa_pod *formats[1];
	struct spa_pod_builder builder;
	uint8_t room[FORMAT_ROOM];

	hold->known = known;
	hold->userdata = userdata;
	/* Of no priority: where there is another source, this one is nobody's default. */
	hold->stream = pw_stream_new(
		core, "Callgate",
		pw_properties_new(PW_KEY_MEDIA_CLASS, "Audio/Source", PW_KEY_NODE_NAME,
				  "callgate-hold", PW_KEY_NODE_DESCRIPTION,
				  "Microphone, in a call only", PW_KEY_NODE_VIRTUAL, "true",
				  PW_KEY_PRIORITY_SESSION, "0", PW_KEY_PRIORITY_DRIVER, "0", NULL));
	if (hold->stream == NULL)
		return -errno;
	pw_stream_add_listener(hold->stream, &hold->listener, &events, hold);
	spa_pod_builder_init(&builder, room, sizeof(room));
	formats[0] = spa_format_audio_raw_build(&builder, SPA_PARAM_EnumFormat, &info);
	return pw_stream_connect(hold->stream, PW_DIRECTION_OUTPUT, PW_ID_ANY,
				 PW_STREAM_FLAG_DRIVER, formats, 1);
}

void hold_close(struct hold *hold)
{
	if (hold->stream != NULL)
		pw_stream_destroy(hold->stream);
	hold->stream = NULL;
}
