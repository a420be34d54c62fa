// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The connection to PipeWire by the managers' socket: keeps track of clients,
 * capture streams and sources, shows and hides sources, and has WirePlumber told
 * which streams may be linked. Called by callgate-pipewire.c. Must not decide.
 *
 * Security: ids are used again, so that whatever is remembered of an id goes with
 * the object, and WirePlumber compares the serial. A source that appears is hidden
 * from all whom it was not shown to, in case its id was another object's before.
 */
#include "graph.h"

#include <errno.h>
#include <pipewire/extensions/metadata.h>
#include <pipewire/impl.h>
#include <spa/node/command.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "links.h"
#include "relays.h"
#include "tell.h"
#include "util/text.h"

#define MANAGER_SOCKET GRAPH_SOCKET "-manager"
#define PORTAL_APP     "pipewire.access.portal.app_id"
#define NS_PER_S       1000000000ull
#define NEW_NS	       (2 * NS_PER_S)

uint64_t graph_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

struct graph_client *graph_find_client(const struct graph *graph, uint32_t id)
{
	struct graph_client *client;

	LIST_FOREACH(client, &graph->clients, all)
	if (client->id == id)
		return client;
	return NULL;
}

struct graph_node *graph_find_node(const struct graph *graph, uint32_t id)
{
	struct graph_node *node;

	LIST_FOREACH(node, &graph->nodes, all)
	if (node->id == id)
		return node;
	return NULL;
}

uint64_t graph_number(const struct spa_dict *props, const char *key)
{
	const char *text = spa_dict_lookup(props, key);
	unsigned long value;

	return text != NULL && text_to_number(text, 0, UINT32_MAX, &value) ? value : 0;
}

/* ---- what clients see, and what WirePlumber links -------------------------------------------------- */

bool graph_is_new(const struct graph_client *client)
{
	return graph_now() < client->since + NEW_NS;
}

void graph_show(struct graph *graph, struct graph_client *client, uint32_t kinds)
{
	struct pw_permission permission;
	struct graph_node *node;

	client->shown = kinds;
	LIST_FOREACH(node, &graph->nodes, all)
	{
		if (!node->source)
			continue;
		permission = PW_PERMISSION_INIT(node->id, (node->kinds & ~kinds) == 0
								  ? PW_PERM_R | PW_PERM_X
								  : 0);
		pw_client_update_permissions((struct pw_client *)client->proxy, 1, &permission);
	}
}

/*
 * The kernel has stopped the device, PipeWire has tried once to start it again, was denied, and takes it to run: whoever
 * is linked with it before it is suspended gets what lies in its buffer. A device that could not be started for somebody who
 * was not allowed is in error until then.
 */
void graph_suspend(const struct graph_node *source)
{
	static const struct spa_command command = SPA_NODE_COMMAND_INIT(SPA_NODE_COMMAND_Suspend);

	pw_node_send_command((struct pw_node *)source->proxy, &command);
}

static void suspend_idle(const struct graph *graph, uint32_t kinds)
{
	const struct graph_node *node;

	LIST_FOREACH(node, &graph->nodes, all)
	if (node->source && node->links == 0 && (node->kinds & kinds) != 0)
		graph_suspend(node);
}

static void allow_node(struct graph *graph, struct graph_node *node, bool allowed)
{
	struct graph_node *relay;

	if (allowed == node->allowed)
		return;
	relays_offer(node);
	node->allowed = allowed;
	relays_allow(node);
	if (allowed) {
		node->allowed_since = graph_now();
		suspend_idle(graph, node->kinds);
	} else {
		node->allowed_until = graph_now();
	}
	tell_node(graph, node);
	LIST_FOREACH(relay, &graph->nodes, all)
	if (relay->stream && relay->relayed != 0 && relay->relayed == node->serial)
		allow_node(graph, relay, allowed);
	if (allowed)
		return;
	/* WirePlumber takes its time; it hears of this after the word that it may not link them again. */
	links_cut(graph, node);
}

void graph_allow(struct graph *graph, struct graph_client *client, uint32_t kinds)
{
	struct graph_node *node;

	LIST_FOREACH(node, &graph->nodes, all)
	if (node->stream && node->client == client->id)
		allow_node(graph, node, node->kinds != 0 && (node->kinds & ~kinds) == 0);
}

uint32_t graph_wanted(const struct graph *graph, const struct graph_client *client)
{
	struct graph_node *node;
	uint32_t kinds = 0;

	LIST_FOREACH(node, &graph->nodes, all)
	if (node->stream && node->client == client->id)
		kinds |= node->kinds;
	return kinds;
}

/* ---- clients --------------------------------------------------------------------------------------- */

static void on_client_info(void *userdata, const struct pw_client_info *info)
{
	struct graph_client *client = userdata;
	const char *api = spa_dict_lookup(info->props, PW_KEY_CLIENT_API);
	const char *name = spa_dict_lookup(info->props, PW_KEY_APP_NAME);
	bool pulse = api != NULL && strcmp(api, "pipewire-pulse") == 0;
	bool portal = !pulse && spa_dict_lookup(info->props, PORTAL_APP) != NULL;
	pid_t claimed = (pid_t)graph_number(info->props, PW_KEY_APP_PROCESS_ID);
	bool same = client->known && client->pulse == pulse && client->portal == portal &&
		    client->claimed == claimed;

	text_show(client->name, sizeof(client->name), name != NULL ? name : "");
	client->pulse = pulse;
	client->portal = portal;
	client->claimed = claimed;
	client->known = true;
	if (!same)
		client->graph->hooks->client(client->graph->userdata, client);
}

static const struct pw_client_events client_events = {
	PW_VERSION_CLIENT_EVENTS,
	.info = on_client_info,
};

static void add_client(struct graph *graph, uint32_t id, const struct spa_dict *props)
{
	const char *access = spa_dict_lookup(props, PW_KEY_ACCESS);
	const char *socket = spa_dict_lookup(props, "pipewire.sec.socket");
	struct graph_client *client;

	if (access == NULL || strcmp(access, GRAPH_ACCESS) != 0) {
		/* Whoever is on the ordinary socket must be one that sees nothing; portals are held by WirePlumber. */
		if (socket != NULL && strcmp(socket, MANAGER_SOCKET) != 0 &&
		    (access == NULL || strcmp(access, "unrestricted") == 0))
			graph->hooks->end(
				graph->userdata,
				"PipeWire does not keep its clients from capturing: it has not read "
				"pipewire.conf.d/60-callgate.conf, or another file overrides it. Restart PipeWire: "
				"systemctl --user restart pipewire");
		return;
	}
	if (graph->n_clients >= GRAPH_OBJECTS)
		return;
	client = calloc(1, sizeof(*client));
	if (client == NULL)
		return;
	client->graph = graph;
	client->id = id;
	client->serial = graph_number(props, PW_KEY_OBJECT_SERIAL);
	client->since = graph_now();
	client->pid = (pid_t)graph_number(props, PW_KEY_SEC_PID);
	client->pidfd = -1;
	client->proxy = pw_registry_bind(graph->registry, id, PW_TYPE_INTERFACE_Client,
					 PW_VERSION_CLIENT, 0);
	if (client->proxy == NULL) {
		free(client);
		return;
	}
	LIST_INSERT_HEAD(&graph->clients, client, all);
	graph->n_clients++;
	pw_client_add_listener((struct pw_client *)client->proxy, &client->listener, &client_events,
			       client);
}

static void remove_client(struct graph *graph, struct graph_client *client)
{
	graph->hooks->gone(graph->userdata, client);
	LIST_REMOVE(client, all);
	graph->n_clients--;
	spa_hook_remove(&client->listener);
	pw_proxy_destroy(client->proxy);
	if (client->pidfd >= 0)
		close(client->pidfd);
	free(client);
}

/* ---- nodes ----------------------------------------------------------------------------------------- */

static uint32_t kinds_of(const char *class)
{
	return (strstr(class, "Audio") != NULL ? GRAPH_MICROPHONE : 0) |
	       (strstr(class, "Video") != NULL ? GRAPH_CAMERA : 0);
}

/* What a program shows, a screen mostly, and no device. As callgate/hold.lua sees it, but for relays. */
static bool is_shown(const char *class, const struct spa_dict *props)
{
	return strcmp(class, "Video/Source") == 0 &&
	       spa_dict_lookup(props, PW_KEY_DEVICE_ID) == NULL &&
	       spa_dict_lookup(props, PW_KEY_CLIENT_ID) != NULL;
}

/* Whether a stream takes what is played or what a microphone hears is its own word: WirePlumber looks at what it is linked with. */
static void on_node_info(void *userdata, const struct pw_node_info *info)
{
	struct graph_node *node = userdata;
	struct graph_client *client;
	struct graph_node *stream;
	const char *played;
	uint32_t kinds;

	if ((info->change_mask & PW_NODE_CHANGE_MASK_PROPS) == 0 || info->props == NULL)
		return;
	played = spa_dict_lookup(info->props, PW_KEY_STREAM_CAPTURE_SINK);
	kinds = node->video			     ? GRAPH_CAMERA
		: played != NULL && spa_atob(played) ? GRAPH_SPEAKER
						     : GRAPH_MICROPHONE;
	if (node->video && node->relayed == 0)
		relays_stream(node, info->props);
	if (kinds == node->kinds)
		return;
	allow_node(node->graph, node, false);
	node->kinds = kinds;
	relays_offer(node);
	stream = node->relayed != 0 ? relays_stream_of(node) : NULL;
	if (stream != NULL)
		allow_node(node->graph, node, stream->allowed);
	client = graph_find_client(node->graph, node->client);
	if (client != NULL)
		node->graph->hooks->stream(node->graph->userdata, client);
	/* Also of one that is held, which is linked with nothing before. */
	if (node->words.told == 0)
		tell_node(node->graph, node);
}

static const struct pw_node_events node_events = {
	PW_VERSION_NODE_EVENTS,
	.info = on_node_info,
};

/* Not from the node, whose name anybody can have. */
static void on_hold(void *userdata, uint64_t serial)
{
	struct graph *graph = userdata;

	/* It pauses whenever the last stream has left it. */
	if (serial == graph->hold_serial)
		return;
	graph->hold_serial = serial;
	tell_hold(graph);
}

static bool is_own(const struct graph *graph, const struct spa_dict *props)
{
	struct pw_proxy *self = (struct pw_proxy *)pw_core_get_client(graph->core);

	return spa_dict_lookup(props, PW_KEY_CLIENT_ID) != NULL &&
	       graph_number(props, PW_KEY_CLIENT_ID) == pw_proxy_get_bound_id(self);
}

/* A source is bound to be told what to do. */
static const struct pw_node_events no_events = {
	PW_VERSION_NODE_EVENTS,
};

static bool follow(struct graph_node *node)
{
	node->proxy = pw_registry_bind(node->graph->registry, node->id, PW_TYPE_INTERFACE_Node,
				       PW_VERSION_NODE, 0);
	if (node->proxy == NULL)
		return false;
	pw_node_add_listener((struct pw_node *)node->proxy, &node->listener,
			     node->stream ? &node_events : &no_events, node);
	return true;
}

static void add_node(struct graph *graph, uint32_t id, const struct spa_dict *props)
{
	const char *class = spa_dict_lookup(props, PW_KEY_MEDIA_CLASS);
	const char *name = spa_dict_lookup(props, PW_KEY_NODE_NAME);
	const char *priority = spa_dict_lookup(props, PW_KEY_PRIORITY_SESSION);
	bool own = is_own(graph, props);
	uint64_t relayed = own ? relays_serial(props) : 0;
	struct graph_client *client;
	struct graph_node *node;

	/* Of this program's own, what is no relay's gives nothing. */
	if (class == NULL || kinds_of(class) == 0 || (!own && is_shown(class, props)) ||
	    (own && relayed == 0) || graph->n_nodes >= GRAPH_OBJECTS)
		return;
	node = calloc(1, sizeof(*node));
	if (node == NULL)
		return;
	node->graph = graph;
	node->id = id;
	node->serial = graph_number(props, PW_KEY_OBJECT_SERIAL);
	node->client = (uint32_t)graph_number(props, PW_KEY_CLIENT_ID);
	node->video = strstr(class, "Video") != NULL;
	node->plays = strncmp(class, "Stream/Output/", 14) == 0;
	node->stream = !node->plays && strncmp(class, "Stream/", 7) == 0;
	node->relayed = relayed;
	node->source = !own && !node->plays && !node->stream &&
		       (strstr(class, "Source") != NULL || strstr(class, "Duplex") != NULL);
	if (node->source || (own && !node->stream))
		node->kinds = kinds_of(class);
	else if (!node->stream)
		node->kinds = node->video ? 0 : GRAPH_SPEAKER;
	if ((node->source || node->stream) && !follow(node)) {
		free(node);
		return;
	}
	LIST_INSERT_HEAD(&graph->nodes, node, all);
	graph->n_nodes++;
	if (own && !node->stream)
		relays_known(node);
	if (!node->source)
		return;
	text_show(node->name, sizeof(node->name), name != NULL ? name : "");
	node->priority = priority != NULL ? strtol(priority, NULL, 10) : 0;
	LIST_FOREACH(client, &graph->clients, all)
	graph_show(graph, client, client->shown);
}

static void free_node(struct graph_node *node)
{
	LIST_REMOVE(node, all);
	node->graph->n_nodes--;
	relays_free(node);
	if (node->proxy != NULL) {
		spa_hook_remove(&node->listener);
		pw_proxy_destroy(node->proxy);
	}
	free(node);
}

static void remove_node(struct graph *graph, struct graph_node *node)
{
	struct graph_client *client = node->stream ? graph_find_client(graph, node->client) : NULL;

	if (node->links > 0)
		links_count_source(graph, node, -1);
	free_node(node);
	if (client != NULL)
		graph->hooks->stream(graph->userdata, client);
}

static void on_global(void *userdata, uint32_t id, uint32_t permissions, const char *type,
		      uint32_t version, const struct spa_dict *props)
{
	struct graph *graph = userdata;

	if (props == NULL)
		return;
	if (strcmp(type, PW_TYPE_INTERFACE_Client) == 0)
		add_client(graph, id, props);
	else if (strcmp(type, PW_TYPE_INTERFACE_Node) == 0)
		add_node(graph, id, props);
	else if (strcmp(type, PW_TYPE_INTERFACE_Port) == 0)
		relays_port(graph, id, props);
	else if (strcmp(type, PW_TYPE_INTERFACE_Link) == 0)
		links_add(graph, id, props);
	if (graph->ready)
		links_check(graph);
}

static void on_global_remove(void *userdata, uint32_t id)
{
	struct graph *graph = userdata;
	struct graph_client *client = graph_find_client(graph, id);
	struct graph_node *node = graph_find_node(graph, id);

	links_remove(graph, id);
	if (node != NULL)
		remove_node(graph, node);
	if (client != NULL)
		remove_client(graph, client);
}

static const struct pw_registry_events registry_events = {
	PW_VERSION_REGISTRY_EVENTS,
	.global = on_global,
	.global_remove = on_global_remove,
};

/* ---- the connection ---------------------------------------------------------------------------------- */

static void on_core_info(void *userdata, const struct pw_core_info *info)
{
	struct graph *graph = userdata;

	graph->server = (pid_t)graph_number(info->props, PW_KEY_APP_PROCESS_ID);
}

static void on_core_done(void *userdata, uint32_t id, int seq)
{
	struct graph *graph = userdata;
	struct graph_client *client;

	relays_done(graph, seq);
	if (id != PW_ID_CORE || seq != graph->sync || graph->ready)
		return;
	links_check(graph);
	/* What an earlier one of this program has shown. */
	LIST_FOREACH(client, &graph->clients, all)
	graph_show(graph, client, 0);
	graph->ready = true;
	graph->hooks->ready(graph->userdata, graph->server);
}

static void on_core_error(void *userdata, uint32_t id, int seq, int res, const char *message)
{
	struct graph *graph = userdata;

	/* An object that went meanwhile is nothing to speak of. */
	if (id == PW_ID_CORE && res == -EPIPE)
		graph->hooks->end(graph->userdata, "PipeWire closed the connection");
}

static const struct pw_core_events core_events = {
	PW_VERSION_CORE_EVENTS,
	.info = on_core_info,
	.done = on_core_done,
	.error = on_core_error,
};

int graph_init(struct graph *graph, struct pw_loop *loop, const struct graph_hooks *hooks,
	       void *userdata)
{
	*graph = (struct graph){ .hooks = hooks, .userdata = userdata };
	LIST_INIT(&graph->clients);
	LIST_INIT(&graph->nodes);
	LIST_INIT(&graph->early);
	LIST_INIT(&graph->links);
	graph->context = pw_context_new(loop, NULL, 0);
	if (graph->context == NULL)
		return -errno;
	/* No other: by the ordinary socket this program would be a client like all others. */
	graph->core =
		pw_context_connect(graph->context,
				   pw_properties_new(PW_KEY_REMOTE_NAME, MANAGER_SOCKET, NULL), 0);
	if (graph->core == NULL)
		return -errno;
	pw_core_add_listener(graph->core, &graph->core_listener, &core_events, graph);
	graph->registry = pw_core_get_registry(graph->core, PW_VERSION_REGISTRY, 0);
	if (graph->registry == NULL)
		return -errno;
	if (tell_init(graph, loop, MANAGER_SOCKET) < 0)
		return -ECONNREFUSED;
	pw_registry_add_listener(graph->registry, &graph->registry_listener, &registry_events,
				 graph);
	/* Without it streams are held by no link at all, which some programs do not bear for long. */
	if (hold_open(&graph->hold, graph->core, on_hold, graph) < 0)
		fprintf(stderr, "PipeWire makes no source for streams that are held.\n");
	graph->sync = pw_core_sync(graph->core, PW_ID_CORE, 0);
	return 0;
}

void graph_deinit(struct graph *graph)
{
	while (!LIST_EMPTY(&graph->nodes))
		free_node(LIST_FIRST(&graph->nodes));
	links_deinit(graph);
	while (!LIST_EMPTY(&graph->clients))
		remove_client(graph, LIST_FIRST(&graph->clients));
	hold_close(&graph->hold);
	tell_deinit(graph);
	if (graph->registry != NULL)
		pw_proxy_destroy((struct pw_proxy *)graph->registry);
	if (graph->core != NULL)
		pw_core_disconnect(graph->core);
	if (graph->context != NULL)
		pw_context_destroy(graph->context);
}
