/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What WirePlumber is told. */
#ifndef CALLGATE_TELL_H
#define CALLGATE_TELL_H

#include "graph.h"

/* @socket: of PipeWire. -errno */
int tell_init(struct graph *graph, struct pw_loop *loop, const char *socket);
void tell_deinit(struct graph *graph);

/* Streams may be linked that might not, or the other way round, or the source for those that are held is another. */
void tell(struct graph *graph);

#endif
