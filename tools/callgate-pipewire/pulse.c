// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Whose a client of pipewire-pulse is. PipeWire's socket says pipewire-pulse's
 * own process, and what the client calls itself is its claim; the kernel knows who
 * holds the other ends of pipewire-pulse's connections. Called by callgate-pipewire.c.
 *
 * Security: a claim counts only while connections and claims agree for everybody:
 * whoever claims to be another leaves a connection of his own that nobody claims.
 * What cannot be read (a connection whose other end nobody is seen to hold) is
 * such a connection, too.
 */
#include "pulse.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "sockets.h"

#define SERVERS 16

/**
 * struct name - what one may call the holder of a connection
 * @done: of the first of a name: how many after it are claimed, so that none is looked at twice
 */
struct name {
	pid_t server, pid;
	struct connection *connection;
	size_t done;
};

/**
 * struct connections - one look at who is connected with whom
 * @good: by server: everything about it could be read
 */
struct connections {
	size_t n_names, n_servers;
	pid_t server[SERVERS];
	bool good[SERVERS];
	struct sockets sockets;
	struct name names[2 * CONNECTIONS];
};

static int by_name(const void *a, const void *b)
{
	const struct name *one = a, *other = b;
	int r = (one->server > other->server) - (one->server < other->server);

	return r != 0 ? r : (one->pid > other->pid) - (one->pid < other->pid);
}

/* ---- claims ------------------------------------------------------------------------------------------ */

static void add_name(struct connections *all, struct connection *connection, pid_t pid)
{
	all->names[all->n_names++] = (struct name){ connection->server, pid, connection, 0 };
}

/* A connection of which nothing is known at its other end has no name, so that nobody can claim it. */
static void name_connections(struct connections *all)
{
	for (size_t i = 0; i < all->sockets.n; i++) {
		struct connection *connection = &all->sockets.list[i];

		if (connection->peer == 0 || connection->holder == 0)
			continue;
		add_name(all, connection, connection->holder);
		if (connection->inside != connection->holder)
			add_name(all, connection, connection->inside);
	}
	qsort(all->names, all->n_names, sizeof(all->names[0]), by_name);
}

static pid_t claim(struct connections *all, const struct graph_client *client)
{
	const struct name key = { .server = client->pid, .pid = client->claimed };
	struct name *end = all->names + all->n_names, *first = all->names, *name;

	for (size_t n = all->n_names; n > 0;) {
		size_t half = n / 2;

		if (by_name(first + half, &key) < 0) {
			first += half + 1;
			n -= half + 1;
		} else {
			n = half;
		}
	}
	if (first == end || by_name(first, &key) != 0)
		return 0;
	for (name = first + first->done; name < end && by_name(name, &key) == 0; name++) {
		first->done++;
		if (name->connection->claimed)
			continue;
		name->connection->claimed = true;
		return name->connection->holder;
	}
	return 0;
}

/* pipewire-pulse is another name of PipeWire's own program. */
static bool same_program(pid_t a, pid_t b)
{
	char path_a[64], path_b[64];
	struct stat of_a, of_b;

	snprintf(path_a, sizeof(path_a), "/proc/%d/exe", a);
	snprintf(path_b, sizeof(path_b), "/proc/%d/exe", b);
	return stat(path_a, &of_a) == 0 && stat(path_b, &of_b) == 0 && of_a.st_dev == of_b.st_dev &&
	       of_a.st_ino == of_b.st_ino;
}

static bool *is_good(struct connections *all, pid_t server)
{
	for (size_t i = 0; i < all->n_servers; i++)
		if (all->server[i] == server)
			return &all->good[i];
	return NULL;
}

/* Everybody's connections are looked at once, however many clients there are. */
static void look(struct connections *all, const struct graph *graph)
{
	const struct graph_client *client;
	bool read;

	LIST_FOREACH(client, &graph->clients, all)
	{
		if (!client->known || !client->pulse || all->n_servers >= SERVERS ||
		    is_good(all, client->pid) != NULL)
			continue;
		all->good[all->n_servers] = add_server(&all->sockets, client->pid) > 0 &&
					    same_program(client->pid, graph->server);
		all->server[all->n_servers++] = client->pid;
	}
	if (all->n_servers == 0)
		return;
	read = all->sockets.n < CONNECTIONS && find_peers(&all->sockets, "/pulse/native") == 0;
	for (size_t i = 0; i < all->n_servers; i++)
		all->good[i] = all->good[i] && read;
	if (!read)
		return;
	find_holders(&all->sockets);
	name_connections(all);
}

void pulse_find(struct graph *graph)
{
	struct connections *all = calloc(1, sizeof(*all));
	struct graph_client *client;
	bool *good;

	if (all != NULL)
		look(all, graph);
	LIST_FOREACH(client, &graph->clients, all)
	{
		if (!client->known || !client->pulse)
			continue;
		client->behind = all != NULL ? claim(all, client) : 0;
		good = all != NULL ? is_good(all, client->pid) : NULL;
		if (client->behind == 0 && good != NULL)
			*good = false;
	}
	for (size_t i = 0; all != NULL && i < all->sockets.n; i++)
		if (all->sockets.list[i].peer != 0 && !all->sockets.list[i].claimed)
			*is_good(all, all->sockets.list[i].server) = false;
	LIST_FOREACH(client, &graph->clients, all)
	{
		good = all != NULL ? is_good(all, client->pid) : NULL;
		if (client->pulse && (good == NULL || !*good))
			client->behind = 0;
	}
	free(all);
}
