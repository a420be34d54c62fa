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

#define CONNECTIONS 512

/* One of pipewire-pulse's connections: who holds the other end, and who claims it. */
struct connection {
	uint32_t inode, peer;
	pid_t holder;
	bool claimed;
};

struct connections {
	size_t n;
	struct connection list[CONNECTIONS];
};

static struct connection *by_inode(struct connections *all, uint32_t inode)
{
	for (size_t i = 0; i < all->n; i++)
		if (all->list[i].inode == inode)
			return &all->list[i];
	return NULL;
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

static bool take_server_socket(void *userdata, pid_t pid, uint32_t inode)
{
	struct connections *all = userdata;

	if (all->n >= CONNECTIONS)
		return false;
	all->list[all->n++] = (struct connection){ .inode = inode };
	return true;
}

static bool take_holder(void *userdata, pid_t pid, uint32_t inode)
{
	struct connections *all = userdata;

	/* The first that is seen; whoever else holds it got it from there. */
	for (size_t i = 0; i < all->n; i++)
		if (all->list[i].peer == inode && all->list[i].holder == 0)
			all->list[i].holder = pid;
	return true;
}

static void find_holders(struct connections *all, pid_t server)
{
	struct dirent *entry;
	unsigned long pid;
	DIR *dir = opendir("/proc");

	if (dir == NULL)
		return;
	while ((entry = readdir(dir)) != NULL)
		if (text_to_number(entry->d_name, 1, INT_MAX, &pid) && (pid_t)pid != server)
			each_socket((pid_t)pid, take_holder, all);
	closedir(dir);
}

/* ---- the kernel's list of connections --------------------------------------------------------------- */

static void take_message(struct connections *all, const struct nlmsghdr *header, const char *suffix)
{
	const struct unix_diag_msg *message = NLMSG_DATA(header);
	int left = (int)(header->nlmsg_len - NLMSG_LENGTH(sizeof(*message)));
	const struct nlattr *attr = (const struct nlattr *)(message + 1);
	struct connection *connection = by_inode(all, message->udiag_ino);
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

/* The process that calls itself so: in a container it has another number inside. */
static bool is_called(pid_t pid, pid_t name)
{
	char path[64], line[256];
	bool found = pid == name;
	char *last;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = found ? NULL : fopen(path, "re");
	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		if (strncmp(line, "NSpid:", 6) != 0)
			continue;
		last = strrchr(line, '\t');
		found = last != NULL && atoi(last + 1) == name;
	}
	if (file != NULL)
		fclose(file);
	return found;
}

static bool claim(struct connections *all, const struct graph_client *client, pid_t *ret_pid)
{
	for (size_t i = 0; i < all->n; i++) {
		struct connection *connection = &all->list[i];

		if (connection->peer == 0 || connection->claimed || connection->holder == 0 ||
		    !is_called(connection->holder, client->claimed))
			continue;
		connection->claimed = true;
		*ret_pid = connection->holder;
		return true;
	}
	return false;
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

pid_t pulse_process(const struct graph *graph, const struct graph_client *client)
{
	const struct graph_client *other;
	struct connections *all;
	pid_t pid = 0, one = 0;
	bool good;

	all = calloc(1, sizeof(*all));
	if (all == NULL)
		return 0;
	each_socket(client->pid, take_server_socket, all);
	good = same_program(client->pid, graph->server) && all->n > 0 && all->n < CONNECTIONS &&
	       find_peers(all, "/pulse/native") == 0;
	if (good)
		find_holders(all, client->pid);
	LIST_FOREACH(other, &graph->clients, all)
	{
		if (!other->known || !other->pulse || other->pid != client->pid)
			continue;
		good = good && claim(all, other, &one);
		if (other == client)
			pid = one;
	}
	for (size_t i = 0; good && i < all->n; i++)
		good = all->list[i].peer == 0 || all->list[i].claimed;
	free(all);
	return good ? pid : 0;
}
