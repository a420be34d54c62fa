// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Who holds the other ends of a server's connections: the kernel's list of sockets
 * (sock_diag) says which belong together, /proc who has them open. Called by pulse.c
 * and portal.c. Must not believe what anybody says of himself.
 */
#include "sockets.h"

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
#include <unistd.h>

#include "util/text.h"

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

static void sort_sockets(struct sockets *all, int (*by)(const void *a, const void *b))
{
	qsort(all->list, all->n, sizeof(all->list[0]), by);
}

static struct connection *find_socket(struct sockets *all, struct connection key,
				      int (*by)(const void *a, const void *b))
{
	return bsearch(&key, all->list, all->n, sizeof(key), by);
}

/* ---- what a process holds --------------------------------------------------------------------------- */

static void each_socket(pid_t pid, bool (*each)(void *userdata, pid_t pid, int fd, uint32_t inode),
			void *userdata)
{
	char path[64], target[64];
	struct dirent *entry;
	unsigned long fd;
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
		if (sscanf(target, "socket:[%u]", &inode) == 1 &&
		    text_to_number(entry->d_name, 0, INT_MAX, &fd) &&
		    !each(userdata, pid, (int)fd, inode))
			break;
	}
	closedir(dir);
}

static bool take_server_socket(void *userdata, pid_t pid, int fd, uint32_t inode)
{
	struct sockets *all = userdata;

	if (all->n >= CONNECTIONS)
		return false;
	all->list[all->n++] = (struct connection){ .inode = inode, .server = pid, .fd = fd };
	return true;
}

size_t add_server(struct sockets *all, pid_t server)
{
	size_t before = all->n;

	each_socket(server, take_server_socket, all);
	return all->n - before;
}

/* What the process calls itself. */
static pid_t inside_of(pid_t pid)
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

static bool take_holder(void *userdata, pid_t pid, int fd, uint32_t inode)
{
	struct sockets *all = userdata;
	struct connection *connection =
		find_socket(all, (struct connection){ .peer = inode }, by_peer);

	if (connection == NULL || connection->server == pid || connection->holder == pid)
		return true;
	/* The first that is seen; whoever else holds it got it from there. */
	if (connection->holder == 0)
		connection->holder = pid;
	else
		connection->shared = true;
	return true;
}

void find_holders(struct sockets *all)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	unsigned long pid;

	if (dir == NULL)
		return;
	sort_sockets(all, by_peer);
	while ((entry = readdir(dir)) != NULL)
		if (text_to_number(entry->d_name, 1, INT_MAX, &pid))
			each_socket((pid_t)pid, take_holder, all);
	closedir(dir);
	for (size_t i = 0; i < all->n; i++)
		if (all->list[i].holder != 0)
			all->list[i].inside = inside_of(all->list[i].holder);
}

/* ---- the kernel's list of connections --------------------------------------------------------------- */

static void take_message(struct sockets *all, const struct nlmsghdr *header, const char *suffix)
{
	const struct unix_diag_msg *message = NLMSG_DATA(header);
	int left = (int)(header->nlmsg_len - NLMSG_LENGTH(sizeof(*message)));
	const struct nlattr *attr = (const struct nlattr *)(message + 1);
	struct connection *connection =
		find_socket(all, (struct connection){ .inode = message->udiag_ino }, by_inode);
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

int find_peers(struct sockets *all, const char *suffix)
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
	sort_sockets(all, by_inode);
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
