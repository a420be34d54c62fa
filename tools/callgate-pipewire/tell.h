/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What WirePlumber is told. */
#ifndef CALLGATE_TELL_H
#define CALLGATE_TELL_H

#include "graph.h"

int tell_init(struct graph *graph, struct pw_loop *loop);
void tell_deinit(struct graph *graph);

/* A stream may be linked now, or may not any more. */
void tell_node(struct graph *graph, const struct graph_node *node);
/* The source for streams that are held has this serial number. */
void tell_hold(struct graph *graph, uint64_t serial);

#endif
