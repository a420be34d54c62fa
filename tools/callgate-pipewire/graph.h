/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What PipeWire shows: clients, what captures, what is linked. */
#ifndef CALLGATE_GRAPH_H
#define CALLGATE_GRAPH_H

#include <pipewire/pipewire.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "hold.h"

#define GRAPH_MICROPHONE 1u
#define GRAPH_CAMERA	 2u
#define GRAPH_SPEAKER	 4u /* what is played */
#define GRAPH_KINDS	 7u
#define GRAPH_DEVICES	 2    /* kinds of which there are devices: microphone, camera */
#define GRAPH_OBJECTS	 4096 /* at most, of each sort */
#define GRAPH_ACCESS	 "callgate"
#define GRAPH_SOCKET	 "pipewire-0" /* the ordinary one */
#define GRAPH_TEXT	 256

struct graph;

/**
 * struct graph_client - one connection to PipeWire, by the ordinary socket
 * @id: @serial: PipeWire's; the id is used again, the serial is not
 * @since: when it came, ns on CLOCK_MONOTONIC
 * @pid: at the other end of the socket, by the kernel's word
 * @pulse: it says that it is one of pipewire-pulse's, for the process @claimed
 * @portal: it says that a portal has handed it on
 * @behind: of both, the process that it really is of, by pulse_find() and portal_find(); 0: not known for certain
 * @connection: of a portal's client, the socket at PipeWire's end; 0: not known for certain
 * @pidfd: @process: that it is of; -1 while that is not known
 * @watched: the daemon's number for it; 0: it was not told
 * @kinds: what it may capture now
 * @used: kinds that the daemon was told it is linked for
 * @shown: kinds whose sources it sees
 */
struct graph_client {
	LIST_ENTRY(graph_client) all;
	struct graph *graph;
	uint32_t id;
	uint64_t serial, since;
	pid_t pid;
	bool known;
	bool pulse, portal;
	pid_t claimed, behind;
	uint32_t connection;
	char name[GRAPH_TEXT];
	int pidfd;
	pid_t process;
	uint32_t watched;
	uint32_t kinds;
	uint32_t used;
	uint32_t shown;
	struct pw_proxy *proxy;
	struct spa_hook listener;
};

/* What WirePlumber was told of something: under which number last, and how much of it was not heard yet. */
struct words {
	unsigned int told, unheard;
};

/**
 * struct graph_node - a stream that captures, or what there is to be captured
 * @stream: it is a stream that captures; otherwise something is captured from it
 * @source: a microphone or camera; otherwise it plays: a sink, or a stream that plays
 * @plays: a stream that plays, which is linked with sinks
 * @kinds: of a stream: what it would take, 0 while that is not known; of another: what it gives
 * @allowed: WirePlumber was told that the stream may be linked
 * @allowed_since: when that began last, ns on CLOCK_MONOTONIC
 * @allowed_until: when it ended last
 * @links: with streams that may
 * @name: @priority: of a source, as it says
 * @formats: of a camera
 * @settled: of a stream of pictures: it does not reconnect, as it says; @target: what it asks for, or NULL,
 *	@by_serial: where that is a number, which
 * @relay: that it has, or NULL: then it is linked with the camera itself
 * @relay_serial: of the relay's node that it is linked with; 0: not known
 * @relayed: of a relay's two nodes: the serial number of the stream that the relay is for; 0: of other nodes
 * @proxy: of a stream or a source
 */
struct graph_node {
	LIST_ENTRY(graph_node) all;
	struct graph *graph;
	uint32_t id;
	uint64_t serial;
	uint32_t client;
	uint32_t kinds;
	bool stream;
	bool source;
	bool plays;
	bool video;
	bool allowed;
	uint64_t allowed_since, allowed_until;
	unsigned int links;
	char name[GRAPH_TEXT];
	long priority;
	struct formats *formats;
	bool settled;
	bool by_serial;
	char *target;
	struct relay *relay;
	uint64_t relay_serial, relayed;
	struct words words;
	struct pw_proxy *proxy;
	struct spa_hook listener;
};

/* @serial: of the node that something comes out of, once it was looked at */
struct graph_link {
	LIST_ENTRY(graph_link) all;
	uint32_t id, output, input;
	uint64_t serial;
};

/**
 * struct graph_hooks - news upward
 * @ready: what there was at the start is known; @pid: of the server
 * @client: it is known now who this client is, or what it says of itself changed
 * @gone: a client is going; its streams have gone
 * @stream: a client's capture streams are others now
 * @linked: other numbers of microphones and cameras are linked with streams that may
 * @link: a link was made with a source, or from what a sink plays, that was not allowed; it has been destroyed
 * @end: the connection ended, or cannot be used: why
 */
struct graph_hooks {
	void (*ready)(void *userdata, pid_t pid);
	void (*client)(void *userdata, struct graph_client *client);
	void (*gone)(void *userdata, struct graph_client *client);
	void (*stream)(void *userdata, struct graph_client *client);
	void (*linked)(void *userdata);
	void (*link)(void *userdata, struct graph_client *client, uint32_t kinds);
	void (*end)(void *userdata, const char *why);
};

struct graph {
	const struct graph_hooks *hooks;
	void *userdata;
	struct pw_context *context;
	struct pw_core *core;
	struct pw_registry *registry;
	struct pw_impl_metadata *approvals, *last_approvals; /* which streams may be linked */
	struct pw_proxy *metadata, *last_metadata;
	struct spa_hook core_listener, registry_listener;
	struct hold hold;
	uint64_t hold_serial; /* 0: not known */
	struct words hold_words;
	struct pw_loop *loop;
	struct spa_source *again; /* what WirePlumber is told is told again */
	unsigned int times_told, again_ms;
	struct pw_core *ear; /* hears what is told, as WirePlumber does */
	struct pw_registry *listening;
	struct pw_proxy *heard;
	struct spa_hook heard_listener, listening_listener, ear_listener;
	int ear_sync;
	bool hears;
	int sync;
	bool ready;
	pid_t server;
	unsigned int n_clients, n_nodes, n_relays;
	struct pw_proxy *defaults;
	struct spa_hook defaults_listener;
	uint32_t defaults_id;
	char default_camera[GRAPH_TEXT];
	uint32_t linked[GRAPH_DEVICES]; /* microphones, cameras */
	LIST_HEAD(, graph_client) clients;
	LIST_HEAD(, graph_node) nodes;
	LIST_HEAD(, graph_link) early; /* seen, not looked at yet */
	LIST_HEAD(, graph_link) links; /* of streams that may, with what they capture from */
};

/* -errno: there is no PipeWire to speak with. */
int graph_init(struct graph *graph, struct pw_loop *loop, const struct graph_hooks *hooks,
	       void *userdata);
void graph_deinit(struct graph *graph);

/* ns on CLOCK_MONOTONIC */
uint64_t graph_now(void);
/* By PipeWire's number for it; NULL: there is none. */
struct graph_client *graph_find_client(const struct graph *graph, uint32_t id);
struct graph_node *graph_find_node(const struct graph *graph, uint32_t id);
/* A number that an object says; 0: none. */
uint64_t graph_number(const struct spa_dict *props, const char *key);
/* The kernel has stopped the device of a source, or may have: see graph.c. */
void graph_suspend(const struct graph_node *source);
/* Kinds for which a client has streams. */
uint32_t graph_wanted(const struct graph *graph, const struct graph_client *client);
/* It came less than two seconds ago. */
bool graph_is_new(const struct graph_client *client);
/* Shows the client the sources of these kinds, hides all others. */
void graph_show(struct graph *graph, struct graph_client *client, uint32_t kinds);
/* Has the client's streams of these kinds linked, and no others. */
void graph_allow(struct graph *graph, struct graph_client *client, uint32_t kinds);

#endif
