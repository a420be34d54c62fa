// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A program that wants to capture through PipeWire, and counts what it gets. It
 * may try to help itself: make links, claim to be another; or use a connection that a
 * portal gave it; or show something, as a screen is shown, or play a camera, by the managers' socket. In a file stand at all times, as text:
 * the numbers of buffers, errors and sources that it saw, the first byte of the last picture, and the
 * number of objects that it saw go.
 * For tests/vm/guest/pipewire.py, apps.py and screen.py.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pipewire/pipewire.h>
#include <signal.h>
#include <spa/param/audio/format-utils.h>
#include <spa/param/video/format-utils.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define CAMERA_STRIDE 640 /* bytes: of 320 pixels */
#define CAMERA_HEIGHT 240
#define LATE_S	      2

struct victim {
	struct pw_main_loop *loop;
	struct pw_core *core;
	struct pw_stream *stream;
	int count_fd;
	unsigned long buffers, errors, seen, picture, gone;
	bool link, video, show, camera;
	uint32_t target, node;
	const char *port;
	struct spa_source *timer;
};

static void write_count(struct victim *victim)
{
	char text[64];
	int n = snprintf(text, sizeof(text), "%010lu %010lu %010lu %010lu %010lu\n",
			 victim->buffers, victim->errors, victim->seen, victim->picture,
			 victim->gone);

	if (pwrite(victim->count_fd, text, (size_t)n, 0) < 0)
		perror("count");
}

static void on_process(void *userdata)
{
	struct victim *victim = userdata;
	struct pw_buffer *buffer;
	struct spa_data *data;

	while ((buffer = pw_stream_dequeue_buffer(victim->stream)) != NULL) {
		victim->buffers++;
		data = &buffer->buffer->datas[0];
		if (victim->video && data->data != NULL && data->chunk->size > 0)
			victim->picture = ((uint8_t *)data->data)[data->chunk->offset];
		pw_stream_queue_buffer(victim->stream, buffer);
	}
	write_count(victim);
}

static void on_state(void *userdata, enum pw_stream_state old, enum pw_stream_state state,
		     const char *error)
{
	struct victim *victim = userdata;

	printf("%s%s%s\n", pw_stream_state_as_string(state), error != NULL ? " " : "",
	       error != NULL ? error : "");
	fflush(stdout);
	if (state == PW_STREAM_STATE_ERROR)
		victim->errors++;
	write_count(victim);
}

static const struct pw_stream_events stream_events = {
	PW_VERSION_STREAM_EVENTS,
	.state_changed = on_state,
	.process = on_process,
};

/* What it shows, as a compositor shows a screen: a picture at each tick. */
static void on_show_param(void *userdata, uint32_t id, const struct spa_pod *param)
{
	struct victim *victim = userdata;
	const struct spa_pod *params[1];
	struct spa_pod_builder builder;
	uint8_t room[256];

	if (!victim->camera || param == NULL || id != SPA_PARAM_Format)
		return;
	spa_pod_builder_init(&builder, room, sizeof(room));
	params[0] = spa_pod_builder_add_object(&builder, SPA_TYPE_OBJECT_ParamBuffers,
					       SPA_PARAM_Buffers, SPA_PARAM_BUFFERS_size,
					       SPA_POD_Int(CAMERA_STRIDE * CAMERA_HEIGHT),
					       SPA_PARAM_BUFFERS_stride,
					       SPA_POD_Int(CAMERA_STRIDE));
	pw_stream_update_params(victim->stream, params, 1);
}

static const struct pw_stream_events show_events = {
	PW_VERSION_STREAM_EVENTS,
	.state_changed = on_state,
	.param_changed = on_show_param,
};

static void on_tick(void *userdata, uint64_t expirations)
{
	struct victim *victim = userdata;
	struct pw_buffer *buffer = pw_stream_dequeue_buffer(victim->stream);
	struct spa_data *data;

	if (buffer == NULL)
		return;
	data = &buffer->buffer->datas[0];
	data->chunk->offset = 0;
	data->chunk->size = data->maxsize;
	data->chunk->stride = victim->camera ? CAMERA_STRIDE : 0;
	/* Each picture of another grey. */
	if (victim->camera)
		memset(data->data, (int)(victim->buffers * 16 % 256), data->maxsize);
	pw_stream_queue_buffer(victim->stream, buffer);
	victim->buffers++;
	write_count(victim);
}

/* Any way that a client has: a link from the source to itself. */
static void on_timer(void *userdata, uint64_t expirations)
{
	struct victim *victim = userdata;
	char from[16], to[16];
	const struct spa_dict_item items[] = {
		{ PW_KEY_LINK_OUTPUT_NODE, from },
		{ PW_KEY_LINK_INPUT_NODE, to },
		{ PW_KEY_OBJECT_LINGER, "true" },
		{ PW_KEY_LINK_OUTPUT_PORT, victim->port },
	};
	/* Without a port PipeWire takes one that nobody is linked with yet. */
	const struct spa_dict props = SPA_DICT_INIT(items, victim->port != NULL ? 4 : 3);
	uint32_t own = pw_stream_get_node_id(victim->stream);

	if (own == PW_ID_ANY)
		return;
	snprintf(from, sizeof(from), "%u", victim->target);
	snprintf(to, sizeof(to), "%u", own);
	pw_core_create_object(victim->core, "link-factory", PW_TYPE_INTERFACE_Link, PW_VERSION_LINK,
			      &props, 0);
}

static void on_global(void *userdata, uint32_t id, uint32_t permissions, const char *type,
		      uint32_t version, const struct spa_dict *props)
{
	struct victim *victim = userdata;
	const char *class = props != NULL ? spa_dict_lookup(props, PW_KEY_MEDIA_CLASS) : NULL;

	if (class != NULL && strstr(class, "Source") != NULL) {
		victim->seen++;
		write_count(victim);
	}
}

static void on_global_remove(void *userdata, uint32_t id)
{
	struct victim *victim = userdata;

	victim->gone++;
	write_count(victim);
}

static const struct pw_registry_events registry_events = {
	PW_VERSION_REGISTRY_EVENTS,
	.global = on_global,
	.global_remove = on_global_remove,
};

static void on_error(void *userdata, uint32_t id, int seq, int res, const char *message)
{
	printf("object %u: %s\n", id, message);
	fflush(stdout);
}

static const struct pw_core_events core_events = {
	PW_VERSION_CORE_EVENTS,
	.error = on_error,
};

static void on_signal(void *userdata, int number)
{
	struct victim *victim = userdata;

	pw_main_loop_quit(victim->loop);
}

static int connect_stream(struct victim *victim)
{
	struct spa_pod_builder builder;
	const struct spa_pod *params[1];
	uint8_t room[1024];

	spa_pod_builder_init(&builder, room, sizeof(room));
	if (victim->camera) {
		/* Browsers take a camera's formats where nothing is left to choose. */
		struct spa_video_info_raw info = { .format = SPA_VIDEO_FORMAT_YUY2,
						   .size = SPA_RECTANGLE(CAMERA_STRIDE / 2,
									 CAMERA_HEIGHT),
						   .framerate = SPA_FRACTION(20, 1) };

		params[0] = spa_format_video_raw_build(&builder, SPA_PARAM_EnumFormat, &info);
	} else if (victim->video) {
		params[0] = spa_pod_builder_add_object(
			&builder, SPA_TYPE_OBJECT_Format, SPA_PARAM_EnumFormat,
			SPA_FORMAT_mediaType, SPA_POD_Id(SPA_MEDIA_TYPE_video),
			SPA_FORMAT_mediaSubtype, SPA_POD_Id(SPA_MEDIA_SUBTYPE_raw),
			SPA_FORMAT_VIDEO_format,
			SPA_POD_CHOICE_ENUM_Id(8, SPA_VIDEO_FORMAT_YUY2, SPA_VIDEO_FORMAT_YUY2,
					       SPA_VIDEO_FORMAT_UYVY, SPA_VIDEO_FORMAT_RGB,
					       SPA_VIDEO_FORMAT_BGR, SPA_VIDEO_FORMAT_RGBx,
					       SPA_VIDEO_FORMAT_NV12, SPA_VIDEO_FORMAT_BGRx),
			SPA_FORMAT_VIDEO_size,
			SPA_POD_CHOICE_RANGE_Rectangle(&SPA_RECTANGLE(320, 180),
						       &SPA_RECTANGLE(1, 1),
						       &SPA_RECTANGLE(4096, 4096)),
			SPA_FORMAT_VIDEO_framerate,
			SPA_POD_CHOICE_RANGE_Fraction(&SPA_FRACTION(25, 1), &SPA_FRACTION(0, 1),
						      &SPA_FRACTION(1000, 1)));
	} else {
		struct spa_audio_info_raw info = { .format = SPA_AUDIO_FORMAT_F32,
						   .channels = 2,
						   .rate = 48000 };

		params[0] = spa_format_audio_raw_build(&builder, SPA_PARAM_EnumFormat, &info);
	}
	if (victim->show)
		return pw_stream_connect(victim->stream, PW_DIRECTION_OUTPUT, PW_ID_ANY,
					 PW_STREAM_FLAG_DRIVER | PW_STREAM_FLAG_MAP_BUFFERS, params,
					 1);
	return pw_stream_connect(victim->stream, PW_DIRECTION_INPUT, victim->node,
				 PW_STREAM_FLAG_MAP_BUFFERS |
					 (victim->link ? 0 : PW_STREAM_FLAG_AUTOCONNECT),
				 params, 1);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "video", no_argument, NULL, 'v' },
		{ "link", required_argument, NULL, 'l' },
		{ "claim", required_argument, NULL, 'c' },
		{ "name", required_argument, NULL, 'n' },
		{ "sink", no_argument, NULL, 's' },
		{ "port", required_argument, NULL, 'p' },
		{ "show", required_argument, NULL, 'S' },
		{ "camera", required_argument, NULL, 'C' },
		{ "target", required_argument, NULL, 't' },
		{ "fd", required_argument, NULL, 'f' },
		{ "late", no_argument, NULL, 'L' },
		{ "node", required_argument, NULL, 'N' },
		{ "portal", no_argument, NULL, 'P' },
		{ 0 },
	};
	struct timespec interval = { .tv_nsec = 50 * 1000000 };
	const char *screen = NULL, *target = NULL;
	struct victim victim = { .node = PW_ID_ANY };
	struct spa_hook core_hook, registry_hook, stream_hook;
	struct pw_properties *client, *props;
	struct pw_registry *registry;
	struct pw_context *context;
	const char *name = NULL, *claim = NULL;
	bool sink = false, portal = false, late = false;
	int c, fd = -1;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'v':
			victim.video = true;
			break;
		case 'l':
			victim.link = true;
			victim.target = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 'c':
			claim = optarg;
			break;
		case 'n':
			name = optarg;
			break;
		case 'p':
			victim.port = optarg;
			break;
		case 's':
			sink = true;
			break;
		case 'C':
			victim.camera = true;
			/* fall through */
		case 'S':
			screen = optarg;
			victim.show = victim.video = true;
			break;
		case 't':
			target = optarg;
			break;
		case 'f':
			fd = atoi(optarg);
			break;
		case 'L':
			late = true;
			break;
		case 'N':
			victim.node = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 'P':
			portal = true;
			break;
		default:
			return 2;
		}
	}
	if (optind + 1 != argc) {
		fputs("Usage: victim [--video] [--sink] [--link NODE [--port PORT]] [--claim PID] [--name NAME] [--show NAME | --camera NAME] [--target NAME] [--fd NUMBER [--late]] [--node ID] [--portal] COUNT-FILE\n",
		      stderr);
		return 2;
	}
	if (name != NULL)
		prctl(PR_SET_NAME, name);
	victim.count_fd = open(argv[optind], O_CREAT | O_WRONLY | O_TRUNC, 0644);
	if (victim.count_fd < 0) {
		perror(argv[optind]);
		return 1;
	}
	write_count(&victim);
	pw_init(NULL, NULL);
	victim.loop = pw_main_loop_new(NULL);
	context = pw_context_new(pw_main_loop_get_loop(victim.loop), NULL, 0);
	client = pw_properties_new(PW_KEY_APP_NAME, name != NULL ? name : "victim", NULL);
	/* What pipewire-pulse says of its clients. */
	if (claim != NULL) {
		pw_properties_set(client, PW_KEY_CLIENT_API, "pipewire-pulse");
		pw_properties_set(client, PW_KEY_APP_PROCESS_ID, claim);
		pw_properties_set(client, PW_KEY_SEC_PID, claim);
		pw_properties_set(client, PW_KEY_CLIENT_ACCESS, "unrestricted");
	}
	/* What the portal says of whom it lets see a screen. */
	if (portal) {
		pw_properties_set(client, "pipewire.access.portal.app_id", "");
		pw_properties_set(client, "pipewire.access.portal.media_roles", "");
	}
	/* Whose the connection is has been found out before a word is said by it. */
	if (late)
		sleep(LATE_S);
	victim.core = fd >= 0 ? pw_context_connect_fd(context, fd, client, 0)
			      : pw_context_connect(context, client, 0);
	if (victim.core == NULL) {
		perror("PipeWire");
		return 1;
	}
	pw_core_add_listener(victim.core, &core_hook, &core_events, &victim);
	registry = pw_core_get_registry(victim.core, PW_VERSION_REGISTRY, 0);
	pw_registry_add_listener(registry, &registry_hook, &registry_events, &victim);
	props = pw_properties_new(PW_KEY_MEDIA_TYPE, victim.video ? "Video" : "Audio",
				  PW_KEY_MEDIA_CATEGORY, "Capture", NULL);
	if (sink)
		pw_properties_set(props, PW_KEY_STREAM_CAPTURE_SINK, "true");
	if (target != NULL)
		pw_properties_set(props, PW_KEY_TARGET_OBJECT, target);
	if (screen != NULL) {
		pw_properties_set(props, PW_KEY_MEDIA_CLASS, "Video/Source");
		pw_properties_set(props, PW_KEY_NODE_NAME, screen);
		/* What is no device's, a program shows. */
		if (victim.camera) {
			pw_properties_set(props, PW_KEY_DEVICE_ID, "0");
			pw_properties_set(props, PW_KEY_MEDIA_ROLE, "Camera");
			pw_properties_set(props, PW_KEY_NODE_DESCRIPTION, screen);
		}
	}
	victim.stream = pw_stream_new(victim.core, "victim", props);
	pw_stream_add_listener(victim.stream, &stream_hook,
			       victim.show ? &show_events : &stream_events, &victim);
	if (connect_stream(&victim) < 0) {
		perror("stream");
		return 1;
	}
	if (victim.link) {
		victim.timer =
			pw_loop_add_timer(pw_main_loop_get_loop(victim.loop), on_timer, &victim);
		pw_loop_update_timer(pw_main_loop_get_loop(victim.loop), victim.timer, &interval,
				     &interval, false);
	}
	if (victim.show) {
		victim.timer =
			pw_loop_add_timer(pw_main_loop_get_loop(victim.loop), on_tick, &victim);
		pw_loop_update_timer(pw_main_loop_get_loop(victim.loop), victim.timer, &interval,
				     &interval, false);
	}
	pw_loop_add_signal(pw_main_loop_get_loop(victim.loop), SIGTERM, on_signal, &victim);
	pw_main_loop_run(victim.loop);
	pw_stream_destroy(victim.stream);
	pw_core_disconnect(victim.core);
	return 0;
}
