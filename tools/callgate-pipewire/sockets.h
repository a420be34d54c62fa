/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who holds the other ends of a server's connections, by the kernel's word. */
#ifndef CALLGATE_SOCKETS_H
#define CALLGATE_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CONNECTIONS 2048 /* of all servers together */

/**
 * struct connection - one of a server's
 * @fd: what the server calls it
 * @peer: the socket at the other end; @holder: who has it open; 0: nobody was seen to
 * @inside: what the holder calls itself: in a container it has another number than outside
 * @shared: somebody else has it open, too
 */
struct connection {
	uint32_t inode, peer;
	pid_t server, holder, inside;
	int fd;
	bool shared;
	bool claimed;
};

/* @list: sorted by inode, then by peer */
struct sockets {
	size_t n;
	struct connection list[CONNECTIONS];
};

/* Adds the sockets that a server has open; returns how many. */
size_t add_server(struct sockets *all, pid_t server);
/* Fills in the peers of what was accepted at the socket whose path ends so. -errno: nothing is known. */
int find_peers(struct sockets *all, const char *suffix);
/* Fills in who holds them. */
void find_holders(struct sockets *all);

#endif
