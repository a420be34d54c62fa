// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The tripwire: what is linked with what captures, and may be. A link that was not
 * allowed is destroyed and spoken of. Called by graph.c. Must not decide.
 *
 * Security: PipeWire makes no such link for a client that does not see the source, and
 * WirePlumber none that it was not told of. It takes a program at the managers' socket,
 * or one of the two that is not as it should be.
 */
#include "links.h"

#include <stdlib.h>

/* A link that WirePlumber had begun when its stream's time was up. */
#define LATE_NS 5000000000ull

void links_count_source(struct graph *graph, const struct graph_node *node, int change)
{
	if ((node->kinds & GRAPH_MICROPHONE) != 0)
		graph->linked[0] += (uint32_t)change;
	if ((node->kinds & GRAPH_CAMERA) != 0)
		graph->linked[1] += (uint32_t)change;
	graph->hooks->linked(graph->userdata);
}

static bool may_be_linked(const struct graph_node *from, const struct graph_node *to)
{
	/* What is not known here captures nothing, a screen mostly. */
	if (from == NULL)
		return to->relayed == 0;
	if (from->relayed != 0)
		return to != NULL && to->serial == from->relayed;
	if (to != NULL && to->stream)
		return to->allowed && (from->kinds & ~to->kinds) == 0;
	return from->plays;
}

/* WirePlumber's, while it did not know better. */
static bool is_late(const struct graph *graph, const struct graph_node *to)
{
	if (to == NULL)
		return false;
	/* An earlier one of this program had allowed it; an ordinary client makes no links. */
	if (!graph->ready && graph_find_client(graph, to->client) != NULL)
		return true;
	return to->allowed_until != 0 && graph_now() < to->allowed_until + LATE_NS;
}

/* true: the link is of a stream that captures, and stays. */
static bool check_link(struct graph *graph, struct graph_link *link)
{
	struct graph_node *from = graph_find_node(graph, link->output);
	struct graph_node *to = graph_find_node(graph, link->input);

	if (from == NULL ? to == NULL : from->stream || from->kinds == 0)
		return false;
	if (may_be_linked(from, to)) {
		if (from == NULL || from->relayed != 0)
			return false;
		link->serial = from->serial;
		if (from->source && from->links++ == 0)
			links_count_source(graph, from, 1);
		return to != NULL && to->stream;
	}
	pw_registry_destroy(graph->registry, link->id);
	if (!is_late(graph, to))
		graph->hooks->link(graph->userdata,
				   to != NULL ? graph_find_client(graph, to->client) : NULL,
				   from != NULL ? from->kinds : 0);
	return false;
}

void links_remove(struct graph *graph, uint32_t id)
{
	struct graph_link *link;
	struct graph_node *from;

	LIST_FOREACH(link, &graph->links, all)
	if (link->id == id)
		break;
	if (link == NULL)
		return;
	from = graph_find_node(graph, link->output);
	if (from != NULL && from->source && from->serial == link->serial && --from->links == 0) {
		links_count_source(graph, from, -1);
		graph_suspend(from);
	}
	LIST_REMOVE(link, all);
	free(link);
}

/* At the start a link may be told of before its ends are. */
void links_add(struct graph *graph, uint32_t id, const struct spa_dict *props)
{
	struct graph_link *link = calloc(1, sizeof(*link));

	if (link == NULL)
		return;
	link->id = id;
	link->output = (uint32_t)graph_number(props, PW_KEY_LINK_OUTPUT_NODE);
	link->input = (uint32_t)graph_number(props, PW_KEY_LINK_INPUT_NODE);
	LIST_INSERT_HEAD(&graph->early, link, all);
}

void links_check(struct graph *graph)
{
	struct graph_link *link;

	while ((link = LIST_FIRST(&graph->early)) != NULL) {
		LIST_REMOVE(link, all);
		if (check_link(graph, link))
			LIST_INSERT_HEAD(&graph->links, link, all);
		else
			free(link);
	}
}

bool links_has(const struct graph *graph, const struct graph_node *stream)
{
	const struct graph_link *link;

	LIST_FOREACH(link, &graph->links, all)
	if (link->input == stream->id)
		return true;
	return false;
}

void links_cut(struct graph *graph, const struct graph_node *stream)
{
	struct graph_link *link;

	LIST_FOREACH(link, &graph->links, all)
	if (link->input == stream->id)
		pw_registry_destroy(graph->registry, link->id);
}

void links_deinit(struct graph *graph)
{
	struct graph_link *link;

	while (!LIST_EMPTY(&graph->early) || !LIST_EMPTY(&graph->links)) {
		link = !LIST_EMPTY(&graph->early) ? LIST_FIRST(&graph->early)
						  : LIST_FIRST(&graph->links);
		LIST_REMOVE(link, all);
		free(link);
	}
}
