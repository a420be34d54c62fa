// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Which process a client is that xdg-desktop-portal has connected and handed on, for
 * the camera. PipeWire's socket says the portal's own process; who has the connection
 * is whoever the kernel says holds its other end. Called by callgate-pipewire.c.
 *
 * Security: PipeWire does not say which client is which connection. So all that has been
 * handed on since the last look must be one process's, and each held by that process alone;
 * otherwise none of them is known. Only the portal's own program counts: another could mark as handed on
 * what it keeps. Who connected is asked of PipeWire's end, which takes the right to trace
 * it: with kernel.yama.ptrace_scope above 0 nobody is known.
 */
#include "portal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sockets.h"

#ifndef PORTAL
#define PORTAL "/usr/libexec/xdg-desktop-portal"
#endif

static bool is_portal(pid_t pid)
{
	struct stat program, portal;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	return stat(path, &program) == 0 && stat(PORTAL, &portal) == 0 &&
	       program.st_dev == portal.st_dev && program.st_ino == portal.st_ino;
}

/* The process that connected; 0: not known. */
static pid_t connected_by(int server, const struct connection *connection)
{
	int fd = (int)syscall(SYS_pidfd_getfd, server, connection->fd, 0);
	struct ucred peer = { 0 };
	socklen_t length = sizeof(peer);
	struct stat stat;

	if (fd < 0)
		return 0;
	/* The number may be another socket's by now. */
	if (fstat(fd, &stat) < 0 || stat.st_ino != connection->inode ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0)
		peer.pid = 0;
	close(fd);
	return peer.pid;
}

/* What a portal connected, other than its own connections. */
static bool is_handed_on(int server, pid_t portal, const struct connection *connection,
			 bool *unknown)
{
	pid_t by;

	if (connection->peer == 0)
		return false;
	by = connected_by(server, connection);
	*unknown = *unknown || by == 0;
	return by == portal && (connection->holder != portal || connection->shared);
}

static bool has_one_holder(const struct connection *connection)
{
	return connection->holder != 0 && !connection->shared;
}

/* Those whose connection is known keep it, so that what comes later takes it from nobody. */
static void keep_known(struct graph *graph, struct sockets *all)
{
	struct graph_client *client;

	LIST_FOREACH(client, &graph->clients, all)
	{
		for (size_t i = 0; client->connection != 0 && i < all->n; i++) {
			struct connection *connection = &all->list[i];

			if (connection->inode != client->connection)
				continue;
			connection->claimed = true;
			if (has_one_holder(connection) && connection->holder != client->pid)
				client->behind = connection->holder;
		}
	}
}

static void find_new(struct graph *graph, struct sockets *all, int server, pid_t portal)
{
	struct connection *connection, *found = NULL;
	size_t n_clients = 0, n = 0;
	struct graph_client *client;
	bool unknown = false;

	LIST_FOREACH(client, &graph->clients, all)
	if (client->portal && client->pid == portal && client->connection == 0)
		n_clients++;
	if (n_clients == 0)
		return;
	for (connection = all->list; connection < all->list + all->n; connection++) {
		if (connection->claimed || !is_handed_on(server, portal, connection, &unknown))
			continue;
		if (!has_one_holder(connection) ||
		    (found != NULL && found->holder != connection->holder))
			return;
		found = connection;
		n++;
	}
	if (unknown || n != n_clients)
		return;
	LIST_FOREACH(client, &graph->clients, all)
	{
		if (!client->portal || client->pid != portal || client->connection != 0)
			continue;
		client->behind = found->holder;
		client->connection = n == 1 ? found->inode : 0;
	}
}

void portal_find(struct graph *graph)
{
	struct sockets *all = NULL;
	struct graph_client *client;
	pid_t portal = 0;
	int server;

	LIST_FOREACH(client, &graph->clients, all)
	{
		if (!client->known || !client->portal)
			continue;
		client->behind = 0;
		if (portal == 0 && is_portal(client->pid))
			portal = client->pid;
	}
	/* There is one, which owns its name on the bus. */
	if (portal == 0)
		return;
	all = calloc(1, sizeof(*all));
	server = (int)syscall(SYS_pidfd_open, graph->server, 0);
	if (all != NULL && server >= 0 && add_server(all, graph->server) > 0 &&
	    all->n < CONNECTIONS && find_peers(all, "/" GRAPH_SOCKET) == 0) {
		find_holders(all);
		keep_known(graph, all);
		find_new(graph, all, server, portal);
	}
	if (server >= 0)
		close(server);
	free(all);
}
