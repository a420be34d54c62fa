/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is linked with what. */
#ifndef CALLGATE_LINKS_H
#define CALLGATE_LINKS_H

#include "graph.h"

void links_add(struct graph *graph, uint32_t id, const struct spa_dict *props);
void links_remove(struct graph *graph, uint32_t id);
/* Looks at those that were added: later than their ends may be told of. */
void links_check(struct graph *graph);
/* The stream captures from something. */
bool links_has(const struct graph *graph, const struct graph_node *stream);
/* Destroys those of a stream with what it captures from. */
void links_cut(struct graph *graph, const struct graph_node *stream);
/* @change: 1: a source was linked with a first stream; -1: with none any more */
void links_count_source(struct graph *graph, const struct graph_node *source, int change);
void links_deinit(struct graph *graph);

#endif
