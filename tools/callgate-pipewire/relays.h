/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which streams have a relay, and of what formats. */
#ifndef CALLGATE_RELAYS_H
#define CALLGATE_RELAYS_H

#include "graph.h"

/* A port: of a camera it is asked for its formats, after the last of which relays_done() is told. */
void relays_port(struct graph *graph, uint32_t id, const struct spa_dict *props);
void relays_done(struct graph *graph, int seq);

/* A metadata object, of the connection that listens: of the camera that WirePlumber chooses for who asks for none. */
void relays_metadata(struct graph *graph, uint32_t id, const struct spa_dict *props);
void relays_removed(struct graph *graph, uint32_t id);

/* What a stream of pictures says of itself. */
void relays_stream(struct graph_node *stream, const struct spa_dict *props);
/* Gives the stream a relay, where it needs one and there is its camera. */
void relays_offer(struct graph_node *stream);
/* It is not to be linked with a camera itself: it has a relay, or may have one soon. */
bool relays_waits(const struct graph_node *stream);
/* Whether the stream may be linked is another. */
void relays_allow(struct graph_node *stream);
/* One of this program's own nodes: the serial number of the stream that it is a relay for; 0: it is no relay's. */
uint64_t relays_serial(const struct spa_dict *props);
/* The relay's camera is known: shows it to the stream's client, and has it linked. */
void relays_known(struct graph_node *out);
/* Of the stream that the node is a relay for; NULL: it has gone. */
struct graph_node *relays_stream_of(const struct graph_node *node);
/* The node is going. */
void relays_free(struct graph_node *node);

#endif
