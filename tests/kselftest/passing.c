// SPDX-License-Identifier: LGPL-2.1-or-later
/* Messages with a descriptor. Owns nothing. Called by camera.c, microphone.c and actor.c on both ends. */
#include "passing.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

void passing_send(int sock, const void *data, size_t size, int fd)
{
	struct iovec iov = { .iov_base = (void *)data, .iov_len = size };
	char control[CMSG_SPACE(sizeof(int))] = {};
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c;

	if (fd >= 0) {
		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
	}
	if (sendmsg(sock, &msg, MSG_NOSIGNAL) != (ssize_t)size) {
		perror("passing: sendmsg");
		_exit(9);
	}
}

ssize_t passing_receive(int sock, void *data, size_t size, int flags, int *ret_fd)
{
	struct iovec iov = { .iov_base = data, .iov_len = size };
	char control[CMSG_SPACE(sizeof(int))];
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *c;
	ssize_t n = recvmsg(sock, &msg, flags);

	*ret_fd = -1;
	for (c = CMSG_FIRSTHDR(&msg); n > 0 && c; c = CMSG_NXTHDR(&msg, c))
		if (c->cmsg_type == SCM_RIGHTS)
			memcpy(ret_fd, CMSG_DATA(c), sizeof(int));
	return n;
}
