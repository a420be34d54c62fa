/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What WirePlumber is told. */
#ifndef CALLGATE_TELL_H
#define CALLGATE_TELL_H

#include "graph.h"

/* @socket: of PipeWire. -errno */
int tell_init(struct graph *graph, struct pw_loop *loop, const char *socket);
void tell_deinit(struct graph *graph);

/* The stream may be linked and might not, or the other way round. */
void tell_node(struct graph *graph, struct graph_node *node);
/* The source for streams that are held is another. */
void tell_hold(struct graph *graph);

#endif
