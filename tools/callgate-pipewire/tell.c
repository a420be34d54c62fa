// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What WirePlumber's script callgate/hold.lua is told, in the metadata object
 * "callgate": which streams may be linked, and the source for those that are held.
 * Called by graph.c. Must not decide.
 *
 * PipeWire gives a change to nobody but a program that binds the object at that
 * moment. So what holds is said again a little later, twice, each time in other
 * words: PipeWire passes on nothing that is as it was. A "no" is said, not taken away, for
 * the same reason.
 */
#include "tell.h"

#include <errno.h>
#include <pipewire/impl.h>
#include <stdio.h>

#define AGAIN_NS 300000000l
#define AGAIN_S	 2

static void say(const struct graph *graph, uint32_t subject, const char *key, uint64_t serial)
{
	char text[48];

	/* hold.lua reads the first number. */
	snprintf(text, sizeof(text), "%llu %u", (unsigned long long)serial, graph->times_told);
	pw_impl_metadata_set_property(graph->approvals, subject, key, NULL, text);
}

/* What is played is allowed by a word of its own, so that nobody gets a microphone by it. */
static void say_node(const struct graph *graph, const struct graph_node *node)
{
	bool speaker = node->kinds == GRAPH_SPEAKER;

	say(graph, node->id, "callgate.allow", node->allowed && !speaker ? node->serial : 0);
	say(graph, node->id, "callgate.speaker", node->allowed && speaker ? node->serial : 0);
}

static void say_later(struct graph *graph, long ns, time_t s)
{
	struct timespec in = { .tv_sec = s, .tv_nsec = ns };

	pw_loop_update_timer(graph->loop, graph->again, &in, NULL, false);
}

static void on_again(void *userdata, uint64_t expirations)
{
	struct graph *graph = userdata;
	const struct graph_node *node;

	graph->times_told++;
	if (graph->hold_serial != 0)
		say(graph, PW_ID_CORE, "callgate.hold", graph->hold_serial);
	LIST_FOREACH(node, &graph->nodes, all)
	if (node->stream)
		say_node(graph, node);
	if (graph->times_left-- > 1)
		say_later(graph, 0, AGAIN_S);
}

static void begin(struct graph *graph)
{
	graph->times_left = 2;
	say_later(graph, AGAIN_NS, 0);
}

void tell_node(struct graph *graph, const struct graph_node *node)
{
	say_node(graph, node);
	begin(graph);
}

void tell_hold(struct graph *graph, uint64_t serial)
{
	graph->hold_serial = serial;
	say(graph, PW_ID_CORE, "callgate.hold", serial);
	begin(graph);
}

int tell_init(struct graph *graph, struct pw_loop *loop)
{
	graph->loop = loop;
	graph->again = pw_loop_add_timer(loop, on_again, graph);
	return graph->again != NULL ? 0 : -ENOMEM;
}

void tell_deinit(struct graph *graph)
{
	if (graph->again != NULL)
		pw_loop_destroy_source(graph->loop, graph->again);
	graph->again = NULL;
}
