// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What WirePlumber's script callgate/hold.lua is told, in the metadata object
 * "callgate": which streams may be linked, the source for those that are held, and
 * which of them have a relay.
 * Called by graph.c. Must not decide.
 *
 * PipeWire gives a change to nobody but a program that binds the object at that
 * moment. So this program listens as WirePlumber does, by a connection of its own:
 * whoever binds the object waits for its owner, which must not be the same one. What
 * it does not hear it says again, in other words, since PipeWire passes on nothing
 * that is as it was. A "no" is said, not taken away, for the same reason.
 */
#include "tell.h"

#include <errno.h>
#include <pipewire/extensions/metadata.h>
#include <pipewire/impl.h>
#include <stdio.h>
#include <string.h>

#include "relays.h"

#define KEY_ALLOW   "callgate.allow"
#define KEY_SPEAKER "callgate.speaker"
#define KEY_HOLD    "callgate.hold"
#define KEY_RELAY   "callgate.relay"

#define AGAIN_MS      50u
#define AGAIN_MS_ANEW 200u /* said so long ago and three times before, in vain: 350 ms */
#define AGAIN_MS_MAX  1600u
#define NS_PER_MS     1000000l
#define MS_PER_S      1000u

static void say(struct graph *graph, uint32_t subject, const char *key, uint64_t serial,
		uint64_t since)
{
	char text[80];

	/* hold.lua reads the first number and the last. */
	snprintf(text, sizeof(text), "%llu %u %llu", (unsigned long long)serial, graph->times_told,
		 (unsigned long long)since);
	pw_impl_metadata_set_property(graph->approvals, subject, key, NULL, text);
}

/* What is played is allowed by a word of its own, so that nobody gets a microphone by it. */
static void say_node(struct graph *graph, struct graph_node *node)
{
	bool speaker = node->kinds == GRAPH_SPEAKER;
	/* Where it has a relay, the relay's own stream is allowed. */
	bool direct = !speaker && !relays_waits(node);

	if (!node->stream)
		return;
	node->words = (struct words){ .told = ++graph->times_told, .unheard = 2 };
	say(graph, node->id, KEY_ALLOW, node->allowed && direct ? node->serial : 0,
	    node->allowed_since);
	say(graph, node->id, KEY_SPEAKER, node->allowed && speaker ? node->serial : 0,
	    node->allowed_since);
	if (node->relay_serial == 0)
		return;
	node->words.unheard++;
	say(graph, node->id, KEY_RELAY, node->relay_serial, node->serial);
}

static void say_hold(struct graph *graph)
{
	if (graph->hold_serial == 0)
		return;
	graph->hold_words = (struct words){ .told = ++graph->times_told, .unheard = 1 };
	say(graph, PW_ID_CORE, KEY_HOLD, graph->hold_serial, 0);
}

static void set_timer(struct graph *graph, unsigned int ms)
{
	struct timespec in = { .tv_sec = ms / MS_PER_S, .tv_nsec = ms % MS_PER_S * NS_PER_MS };

	pw_loop_update_timer(graph->loop, graph->again, &in, NULL, false);
}

static void listen_from_now(struct graph *graph)
{
	graph->again_ms = AGAIN_MS;
	set_timer(graph, graph->again_ms);
}

/* What was not heard, or all of it. */
static void say_again(struct graph *graph, bool all)
{
	struct graph_node *node;

	if (all || graph->hold_words.unheard != 0)
		say_hold(graph);
	LIST_FOREACH(node, &graph->nodes, all)
	if (all || node->words.unheard != 0)
		say_node(graph, node);
	set_timer(graph, graph->again_ms);
}

static bool is_all_heard(const struct graph *graph)
{
	const struct graph_node *node;

	LIST_FOREACH(node, &graph->nodes, all)
	if (node->words.unheard != 0)
		return false;
	return graph->hold_words.unheard == 0;
}

/* Only what is new: WirePlumber looks at its streams anew for each word. */
void tell_node(struct graph *graph, struct graph_node *node)
{
	say_node(graph, node);
	listen_from_now(graph);
}

void tell_hold(struct graph *graph)
{
	say_hold(graph);
	listen_from_now(graph);
}

static void withdraw(struct pw_proxy *metadata, struct pw_impl_metadata *approvals)
{
	if (metadata != NULL)
		pw_proxy_destroy(metadata);
	if (approvals != NULL)
		pw_impl_metadata_destroy(approvals);
}

/*
 * The last one stays until there is a third, and counts for nothing (callgate/hold.lua): WirePlumber, which may take
 * its time, would end every stream that it finds no word of.
 */
static int offer(struct graph *graph)
{
	static const struct spa_dict_item items[] = { { PW_KEY_METADATA_NAME, "callgate" } };
	static const struct spa_dict props = SPA_DICT_INIT_ARRAY(items);
	struct pw_impl_metadata *approvals =
		pw_context_create_metadata(graph->context, "callgate", NULL, 0);

	if (approvals == NULL)
		return -errno;
	withdraw(graph->last_metadata, graph->last_approvals);
	graph->last_metadata = graph->metadata;
	graph->last_approvals = graph->approvals;
	graph->approvals = approvals;
	/* Who binds it gets all that stands in it. */
	say_again(graph, true);
	graph->metadata = pw_core_export(graph->core, PW_TYPE_INTERFACE_Metadata, &props,
					 pw_impl_metadata_get_implementation(approvals), 0);
	return graph->metadata != NULL ? 0 : -errno;
}

static void stop_hearing(struct graph *graph)
{
	graph->hears = false;
	if (graph->heard != NULL) {
		spa_hook_remove(&graph->heard_listener);
		pw_proxy_destroy(graph->heard);
	}
	graph->heard = NULL;
}

static void on_again(void *userdata, uint64_t expirations)
{
	struct graph *graph = userdata;
	bool anew = graph->hears && graph->again_ms >= AGAIN_MS_ANEW;

	/* A stream that was not heard of has gone. */
	if (is_all_heard(graph))
		return;
	if (graph->again_ms < AGAIN_MS_MAX)
		graph->again_ms *= 2;
	if (!anew) {
		say_again(graph, false);
		return;
	}
	stop_hearing(graph);
	if (offer(graph) < 0)
		graph->hooks->end(graph->userdata, "PipeWire takes no metadata object");
}

static struct words *words_of(struct graph *graph, uint32_t subject, const char *key)
{
	struct graph_node *node;

	if (strcmp(key, KEY_HOLD) == 0)
		return &graph->hold_words;
	LIST_FOREACH(node, &graph->nodes, all)
	if (node->id == subject && node->stream)
		return &node->words;
	return NULL;
}

static int on_property(void *userdata, uint32_t subject, const char *key, const char *type,
		       const char *value)
{
	struct graph *graph = userdata;
	unsigned long long serial;
	struct words *words;
	unsigned int told;

	if (!graph->hears || key == NULL || value == NULL ||
	    sscanf(value, "%llu %u", &serial, &told) != 2)
		return 0;
	words = words_of(graph, subject, key);
	if (words == NULL || words->told != told || words->unheard == 0)
		return 0;
	words->unheard--;
	if (is_all_heard(graph))
		set_timer(graph, 0);
	return 0;
}

static const struct pw_metadata_events events = {
	PW_VERSION_METADATA_EVENTS,
	.property = on_property,
};

static void on_global(void *userdata, uint32_t id, uint32_t permissions, const char *type,
		      uint32_t version, const struct spa_dict *props)
{
	struct graph *graph = userdata;
	const char *name = props != NULL ? spa_dict_lookup(props, PW_KEY_METADATA_NAME) : NULL;

	if (props != NULL)
		relays_metadata(graph, id, props);
	if (graph->heard != NULL || name == NULL || strcmp(name, "callgate") != 0)
		return;
	graph->heard = pw_registry_bind(graph->listening, id, PW_TYPE_INTERFACE_Metadata,
					PW_VERSION_METADATA, 0);
	if (graph->heard == NULL)
		return;
	pw_metadata_add_listener((struct pw_metadata *)graph->heard, &graph->heard_listener,
				 &events, graph);
	graph->ear_sync = pw_core_sync(graph->ear, PW_ID_CORE, 0);
}

/* Until then it was the one that binds, and heard what others did not. */
static void on_done(void *userdata, uint32_t id, int seq)
{
	struct graph *graph = userdata;

	if (graph->heard == NULL || graph->hears || id != PW_ID_CORE || seq != graph->ear_sync)
		return;
	graph->hears = true;
	graph->again_ms = AGAIN_MS;
	say_again(graph, true);
}

static void on_error(void *userdata, uint32_t id, int seq, int res, const char *message)
{
	struct graph *graph = userdata;

	if (id == PW_ID_CORE && res == -EPIPE)
		graph->hooks->end(graph->userdata, "PipeWire closed a connection");
}

static const struct pw_core_events ear_events = {
	PW_VERSION_CORE_EVENTS,
	.done = on_done,
	.error = on_error,
};

static void on_global_remove(void *userdata, uint32_t id)
{
	relays_removed(userdata, id);
}

static const struct pw_registry_events registry_events = {
	PW_VERSION_REGISTRY_EVENTS,
	.global = on_global,
	.global_remove = on_global_remove,
};

int tell_init(struct graph *graph, struct pw_loop *loop, const char *socket)
{
	graph->loop = loop;
	graph->again_ms = AGAIN_MS;
	graph->again = pw_loop_add_timer(loop, on_again, graph);
	if (graph->again == NULL)
		return -ENOMEM;
	/* It is this program's own: when this program is gone, so is the object. */
	if (offer(graph) < 0)
		return -ECONNREFUSED;
	graph->ear = pw_context_connect(graph->context,
					pw_properties_new(PW_KEY_REMOTE_NAME, socket, NULL), 0);
	if (graph->ear == NULL)
		return -errno;
	pw_core_add_listener(graph->ear, &graph->ear_listener, &ear_events, graph);
	graph->listening = pw_core_get_registry(graph->ear, PW_VERSION_REGISTRY, 0);
	if (graph->listening == NULL)
		return -errno;
	pw_registry_add_listener(graph->listening, &graph->listening_listener, &registry_events,
				 graph);
	return 0;
}

void tell_deinit(struct graph *graph)
{
	if (graph->again != NULL)
		pw_loop_destroy_source(graph->loop, graph->again);
	graph->again = NULL;
	stop_hearing(graph);
	relays_removed(graph, graph->defaults_id);
	if (graph->listening != NULL)
		pw_proxy_destroy((struct pw_proxy *)graph->listening);
	graph->listening = NULL;
	if (graph->ear != NULL)
		pw_core_disconnect(graph->ear);
	graph->ear = NULL;
	withdraw(graph->last_metadata, graph->last_approvals);
	withdraw(graph->metadata, graph->approvals);
	graph->last_metadata = graph->metadata = NULL;
	graph->last_approvals = graph->approvals = NULL;
}
