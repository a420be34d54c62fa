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

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/text.h"

#define CONNECTIONS 2048 /* of all servers together */
#define SERVERS	    16

/**
 * struct connection - one of a pipewire-pulse's
 * @peer: the socket at the other end; @holder: who has it open; 0: nobody was seen to
 * @inside: what the holder calls itself: in a container it has another number than outside
 */
struct connection {
	uint32_t inode, peer;
	pid_t server, holder, inside;
	bool claimed;
};

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
 * @list: sorted by inode, then by peer
 * @good: by server: everything about it could be read
 */
struct connections {
	size_t n, n_names, n_servers;
	pid_t server[SERVERS];
	bool good[SERVERS];
	struct connection list[CONNECTIONS];
	struct name names[2 * CONNECTIONS];
};

static int compare(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int by_inode(const void *a, const void *b)
{
	return compare(((const struct connection *)a)->inode,
		       ((const struct connection *)b)->inode);
}

static int by_peer(const void *a, const void *b)
{
	return compare(((const struct connection *)a)->peer, ((const struct connection *)b)->peer);
}

static int by_name(const void *a, const void *b)
{
	const struct name *one = a, *other = b;
	int r = compare((uint64_t)one->server, (uint64_t)other->server);

	return r != 0 ? r : compare((uint64_t)one->pid, (uint64_t)other->pid);
}

static void sort(struct connections *all, int (*by)(const void *a, const void *b))
{
	qsort(all->list, all->n, sizeof(all->list[0]), by);
}

static struct connection *find(struct connections *all, struct connection key,
			       int (*by)(const void *a, const void *b))
{
	return bsearch(&key, all->list, all->n, sizeof(key), by);
}

/* ---- what a process holds --------------------------------------------------------------------------- */

/* Calls back for each socket that the process has open, until it returns false. */
static void each_socket(pid_t pid, bool (*each)(void *userdata, pid_t pid, uint32_t inode),
			void *userdata)
{
	char path[64], target[64];
	struct dirent *entry;
	unsigned int inode;
	ssize_t length;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	if (dir == NULL)
		return;
	while ((entry = readdir(dir)) != NULL) {
		length = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);
		if (length < 0)
			continue;
		target[length] = '\0';
		if (sscanf(target, "socket:[%u]", &inode) == 1 && !each(userdata, pid, inode))
			break;
	}
	closedir(dir);
}

struct server {
	struct connections *all;
	size_t sockets;
};

static bool take_server_socket(void *userdata, pid_t pid, uint32_t inode)
{
	struct server *server = userdata;

	if (server->all->n >= CONNECTIONS)
		return false;
	server->all->list[server->all->n++] = (struct connection){ .inode = inode, .server = pid };
	server->sockets++;
	return true;
}

/* What the process calls itself. */
static pid_t inside(pid_t pid)
{
	char path[64], line[256];
	pid_t found = pid;
	char *last;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = fopen(path, "re");
	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		if (strncmp(line, "NSpid:", 6) != 0)
			continue;
		last = strrchr(line, '\t');
		if (last != NULL)
			found = atoi(last + 1);
	}
	if (file != NULL)
		fclose(file);
	return found;
}

static bool take_holder(void *userdata, pid_t pid, uint32_t inode)
{
	struct connections *all = userdata;
	struct connection *connection = find(all, (struct connection){ .peer = inode }, by_peer);

	/* The first that is seen; whoever else holds it got it from there. */
	if (connection != NULL && connection->holder == 0 && connection->server != pid)
		connection->holder = pid;
	return true;
}

static void find_holders(struct connections *all)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	unsigned long pid;

	if (dir == NULL)
		return;
	sort(all, by_peer);
	while ((entry = readdir(dir)) != NULL)
		if (text_to_number(entry->d_name, 1, INT_MAX, &pid))
			each_socket((pid_t)pid, take_holder, all);
	closedir(dir);
	for (size_t i = 0; i < all->n; i++)
		if (all->list[i].holder != 0)
			all->list[i].inside = inside(all->list[i].holder);
}

/* ---- the kernel's list of connections --------------------------------------------------------------- */

static void take_message(struct connections *all, const struct nlmsghdr *header, const char *suffix)
{
	const struct unix_diag_msg *message = NLMSG_DATA(header);
	int left = (int)(header->nlmsg_len - NLMSG_LENGTH(sizeof(*message)));
	const struct nlattr *attr = (const struct nlattr *)(message + 1);
	struct connection *connection =
		find(all, (struct connection){ .inode = message->udiag_ino }, by_inode);
	const char *name = NULL;
	size_t name_length = 0;
	uint32_t peer = 0;

	while (connection != NULL && left >= (int)sizeof(*attr) && attr->nla_len >= sizeof(*attr) &&
	       attr->nla_len <= left) {
		const void *payload = attr + 1;

		if (attr->nla_type == UNIX_DIAG_PEER && attr->nla_len >= NLA_HDRLEN + 4)
			memcpy(&peer, payload, sizeof(peer));
		if (attr->nla_type == UNIX_DIAG_NAME) {
			name = payload;
			name_length = attr->nla_len - NLA_HDRLEN;
		}
		left -= NLA_ALIGN(attr->nla_len);
		attr = (const struct nlattr *)((const char *)attr + NLA_ALIGN(attr->nla_len));
	}
	if (connection == NULL || name == NULL)
		return;
	/* Names of sockets in the file system end with a null byte, or do not. */
	while (name_length > 0 && name[name_length - 1] == '\0')
		name_length--;
	if (name_length >= strlen(suffix) &&
	    memcmp(name + name_length - strlen(suffix), suffix, strlen(suffix)) == 0)
		connection->peer = peer;
}

/* Fills in the peers of what was accepted at the socket whose path ends so. */
static int find_peers(struct connections *all, const char *suffix)
{
	struct {
		struct nlmsghdr header;
		struct unix_diag_req request;
	} question = {
		.header = { .nlmsg_len = sizeof(question),
			    .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.request = { .sdiag_family = AF_UNIX,
			     .udiag_states = ~0u,
			     .udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_PEER },
	};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG), r = -EIO;
	char buffer[32768] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct nlmsghdr *header;
	ssize_t length;

	if (fd < 0)
		return -errno;
	sort(all, by_inode);
	if (send(fd, &question, sizeof(question), 0) < 0)
		goto out;
	while ((length = recv(fd, buffer, sizeof(buffer), 0)) > 0) {
		int left = (int)length;

		for (header = (struct nlmsghdr *)buffer; NLMSG_OK(header, left);
		     header = NLMSG_NEXT(header, left)) {
			if (header->nlmsg_type == NLMSG_DONE)
				r = 0;
			if (header->nlmsg_type == NLMSG_DONE || header->nlmsg_type == NLMSG_ERROR)
				goto out;
			take_message(all, header, suffix);
		}
	}
out:
	close(fd);
	return r;
}

/* ---- claims ------------------------------------------------------------------------------------------ */

static void add_name(struct connections *all, struct connection *connection, pid_t pid)
{
	all->names[all->n_names++] = (struct name){ connection->server, pid, connection, 0 };
}

/* A connection of which nothing is known at its other end has no name, so that nobody can claim it. */
static void name_connections(struct connections *all)
{
	for (size_t i = 0; i < all->n; i++) {
		struct connection *connection = &all->list[i];

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
		struct server server = { .all = all };

		if (!client->known || !client->pulse || all->n_servers >= SERVERS ||
		    is_good(all, client->pid) != NULL)
			continue;
		each_socket(client->pid, take_server_socket, &server);
		all->good[all->n_servers] = server.sockets > 0 &&
					    same_program(client->pid, graph->server);
		all->server[all->n_servers++] = client->pid;
	}
	if (all->n_servers == 0)
		return;
	read = all->n < CONNECTIONS && find_peers(all, "/pulse/native") == 0;
	for (size_t i = 0; i < all->n_servers; i++)
		all->good[i] = all->good[i] && read;
	if (!read)
		return;
	find_holders(all);
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
	for (size_t i = 0; all != NULL && i < all->n; i++)
		if (all->list[i].peer != 0 && !all->list[i].claimed)
			*is_good(all, all->list[i].server) = false;
	LIST_FOREACH(client, &graph->clients, all)
	{
		good = all != NULL ? is_good(all, client->pid) : NULL;
		if (client->pulse && (good == NULL || !*good))
			client->behind = 0;
	}
	free(all);
}
