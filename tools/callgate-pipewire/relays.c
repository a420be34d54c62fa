// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Which streams of pictures have a relay (relay.c): those that do not reconnect, as they
 * say, and whose camera is there. Called by graph.c. Must not decide who may capture.
 *
 * Security: nobody sees a relay but the client whose stream it is for. It captures as
 * this program, which sees everything, so that PipeWire does not keep it from anything:
 * callgate/hold.lua links it with what captures alone, links.c destroys any other link.
 * What an ordinary client plays as a camera has no relay: it would say how much is copied.
 */
#include "relays.h"

#include <pipewire/extensions/metadata.h>
#include <spa/pod/builder.h>
#include <spa/utils/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "links.h"
#include "relay.h"
#include "tell.h"
#include "util/text.h"

#define RELAYS	32 /* at once */
#define OWN	4  /* of one client */
#define FORMATS 64 /* of a camera */
#define DEFAULT "default.video.source"
#define PATH	"callgate-relay:"

/* @sync: that follows the last of them; 0: it has come */
struct formats {
	struct pw_proxy *port;
	struct spa_hook listener;
	struct spa_pod *list[FORMATS];
	uint32_t n;
	int sync;
};

/* ---- cameras --------------------------------------------------------------------------------------- */

static void on_format(void *userdata, int seq, uint32_t id, uint32_t index, uint32_t next,
		      const struct spa_pod *param)
{
	struct formats *formats = userdata;
	struct spa_pod *format;

	if (id != SPA_PARAM_EnumFormat || formats->n >= FORMATS)
		return;
	format = spa_pod_copy(param);
	if (format != NULL)
		formats->list[formats->n++] = format;
}

static const struct pw_port_events port_events = {
	PW_VERSION_PORT_EVENTS,
	.param = on_format,
};

/* They may not be linked with a camera directly that they could have a relay of. */
static void tell_settled(struct graph *graph)
{
	struct graph_node *node;

	LIST_FOREACH(node, &graph->nodes, all)
	if (node->settled && node->relay == NULL && node->allowed)
		tell_node(graph, node);
}

static void offer_all(struct graph *graph)
{
	struct graph_node *node;

	LIST_FOREACH(node, &graph->nodes, all)
	relays_offer(node);
	tell_settled(graph);
}

static void ask_for_formats(struct graph_node *camera, uint32_t port)
{
	struct graph *graph = camera->graph;
	struct formats *formats = calloc(1, sizeof(*formats));

	if (formats == NULL)
		return;
	formats->port =
		pw_registry_bind(graph->registry, port, PW_TYPE_INTERFACE_Port, PW_VERSION_PORT, 0);
	if (formats->port == NULL) {
		free(formats);
		return;
	}
	camera->formats = formats;
	pw_port_add_listener((struct pw_port *)formats->port, &formats->listener, &port_events,
			     formats);
	pw_port_enum_params((struct pw_port *)formats->port, 0, SPA_PARAM_EnumFormat, 0, FORMATS,
			    NULL);
	formats->sync = pw_core_sync(graph->core, PW_ID_CORE, 0);
	tell_settled(graph);
}

void relays_port(struct graph *graph, uint32_t id, const struct spa_dict *props)
{
	const char *direction = spa_dict_lookup(props, PW_KEY_PORT_DIRECTION);
	struct graph_node *node;

	if (direction == NULL || strcmp(direction, "out") != 0)
		return;
	node = graph_find_node(graph, (uint32_t)graph_number(props, PW_KEY_NODE_ID));
	if (node != NULL && node->source && node->video && node->formats == NULL &&
	    graph_find_client(graph, node->client) == NULL)
		ask_for_formats(node, id);
}

void relays_done(struct graph *graph, int seq)
{
	struct graph_node *node, *camera = NULL;

	LIST_FOREACH(node, &graph->nodes, all)
	if (node->formats != NULL && node->formats->sync == seq)
		camera = node;
	if (camera == NULL)
		return;
	camera->formats->sync = 0;
	offer_all(graph);
}

static bool has_formats(const struct graph_node *camera)
{
	return camera->formats != NULL && (camera->formats->sync != 0 || camera->formats->n > 0);
}

/*
 * What the stream would capture from: what it asks for, or else what WirePlumber chooses, by its word or, where it is not
 * heard, as it does where nobody has chosen. NULL: there is none, or it asks by a number for what is no camera, a screen
 * mostly.
 */
static const struct graph_node *find_camera(const struct graph_node *stream)
{
	const struct graph *graph = stream->graph;
	const struct graph_node *node, *best = NULL, *chosen = NULL;
	unsigned long number;
	bool by_number = stream->target != NULL &&
			 text_to_number(stream->target, 0, UINT32_MAX, &number);

	LIST_FOREACH(node, &graph->nodes, all)
	{
		if (!node->source || !node->video)
			continue;
		if (by_number) {
			if (number == (stream->by_serial ? node->serial : node->id))
				return node;
			continue;
		}
		if (stream->target != NULL && strcmp(node->name, stream->target) == 0)
			return node;
		if (strcmp(node->name, graph->default_camera) == 0)
			chosen = node;
		else if (has_formats(node) && (best == NULL || node->priority > best->priority))
			best = node;
	}
	return chosen != NULL ? chosen : best;
}

static int on_default(void *userdata, uint32_t subject, const char *key, const char *type,
		      const char *value)
{
	struct graph *graph = userdata;
	struct spa_json object, members;
	char name[GRAPH_TEXT];

	if (subject != PW_ID_CORE || key == NULL || strcmp(key, DEFAULT) != 0)
		return 0;
	graph->default_camera[0] = 0;
	if (value == NULL)
		return 0;
	spa_json_init(&object, value, strlen(value));
	if (spa_json_enter_object(&object, &members) <= 0)
		return 0;
	while (spa_json_get_string(&members, name, sizeof(name)) > 0)
		if (strcmp(name, "name") == 0 &&
		    spa_json_get_string(&members, name, sizeof(name)) > 0)
			memcpy(graph->default_camera, name, sizeof(name));
	offer_all(graph);
	return 0;
}

static const struct pw_metadata_events default_events = {
	PW_VERSION_METADATA_EVENTS,
	.property = on_default,
};

void relays_metadata(struct graph *graph, uint32_t id, const struct spa_dict *props)
{
	const char *name = spa_dict_lookup(props, PW_KEY_METADATA_NAME);

	if (graph->defaults != NULL || name == NULL || strcmp(name, "default") != 0)
		return;
	graph->defaults = pw_registry_bind(graph->listening, id, PW_TYPE_INTERFACE_Metadata,
					   PW_VERSION_METADATA, 0);
	if (graph->defaults == NULL)
		return;
	graph->defaults_id = id;
	pw_metadata_add_listener((struct pw_metadata *)graph->defaults, &graph->defaults_listener,
				 &default_events, graph);
}

void relays_removed(struct graph *graph, uint32_t id)
{
	if (graph->defaults == NULL || graph->defaults_id != id)
		return;
	spa_hook_remove(&graph->defaults_listener);
	pw_proxy_destroy(graph->defaults);
	graph->defaults = NULL;
}

/* ---- streams --------------------------------------------------------------------------------------- */

void relays_stream(struct graph_node *stream, const struct spa_dict *props)
{
	const char *settled = spa_dict_lookup(props, PW_KEY_NODE_DONT_RECONNECT);
	const char *target = spa_dict_lookup(props, PW_KEY_TARGET_OBJECT);

	stream->by_serial = target != NULL;
	if (target == NULL)
		target = spa_dict_lookup(props, "node.target");
	stream->settled = settled != NULL && spa_atob(settled);
	free(stream->target);
	stream->target = target != NULL ? strdup(target) : NULL;
}

static unsigned int count_own(const struct graph_node *stream)
{
	struct graph_node *node;
	unsigned int n = 0;

	LIST_FOREACH(node, &stream->graph->nodes, all)
	n += node->relay != NULL && node->client == stream->client;
	return n;
}

static bool may_have_another(const struct graph_node *stream)
{
	return stream->graph->n_relays < RELAYS && count_own(stream) < OWN;
}

/* One that is linked with a camera would have to leave it. */
void relays_offer(struct graph_node *stream)
{
	struct graph *graph = stream->graph;
	const struct graph_node *camera;
	char path[sizeof(PATH) + 20];

	if (!stream->settled || stream->relay != NULL || !may_have_another(stream) ||
	    links_has(graph, stream))
		return;
	camera = find_camera(stream);
	if (camera == NULL || !has_formats(camera) || camera->formats->sync != 0)
		return;
	snprintf(path, sizeof(path), PATH "%llu", (unsigned long long)stream->serial);
	/* Who asks for none follows the default one, that may be plugged in again under another name. */
	stream->relay = relay_open(graph->core, path, stream->target != NULL ? camera->name : NULL,
				   (const struct spa_pod **)camera->formats->list,
				   camera->formats->n);
	if (stream->relay == NULL)
		return;
	graph->n_relays++;
	relay_let(stream->relay, stream->allowed);
}

bool relays_waits(const struct graph_node *stream)
{
	const struct graph_node *camera;

	if (stream->relay != NULL)
		return true;
	if (!stream->settled || !may_have_another(stream))
		return false;
	camera = find_camera(stream);
	return camera != NULL && has_formats(camera);
}

void relays_allow(struct graph_node *stream)
{
	if (stream->relay != NULL)
		relay_let(stream->relay, stream->allowed);
}

uint64_t relays_serial(const struct spa_dict *props)
{
	const char *path = spa_dict_lookup(props, PW_KEY_OBJECT_PATH);
	unsigned long serial;

	if (path == NULL || strncmp(path, PATH, strlen(PATH)) != 0 ||
	    !text_to_number(path + strlen(PATH), 0, UINT32_MAX, &serial))
		return 0;
	return serial;
}

struct graph_node *relays_stream_of(const struct graph_node *relay)
{
	struct graph_node *node;

	LIST_FOREACH(node, &relay->graph->nodes, all)
	if (node->relay != NULL && node->serial == relay->relayed)
		return node;
	return NULL;
}

/* Hidden from all others, in case its id was another object's before. */
void relays_known(struct graph_node *out)
{
	struct graph_node *stream = relays_stream_of(out);
	struct pw_permission permission;
	struct graph_client *client;

	LIST_FOREACH(client, &out->graph->clients, all)
	{
		bool own = stream != NULL && client->id == stream->client;

		permission = PW_PERMISSION_INIT(out->id, own ? PW_PERM_R | PW_PERM_X : 0);
		pw_client_update_permissions((struct pw_client *)client->proxy, 1, &permission);
	}
	if (stream == NULL)
		return;
	stream->relay_serial = out->serial;
	tell_node(stream->graph, stream);
}

void relays_free(struct graph_node *node)
{
	struct formats *formats = node->formats;

	if (formats != NULL) {
		spa_hook_remove(&formats->listener);
		pw_proxy_destroy(formats->port);
		while (formats->n > 0)
			free(formats->list[--formats->n]);
	}
	free(formats);
	free(node->target);
	node->graph->n_relays -= node->relay != NULL;
	relay_close(node->relay);
}
