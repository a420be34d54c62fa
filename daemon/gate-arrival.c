// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Hears from the kernel when a netlink family comes, so that a module that is
 * loaded later obeys without anybody polling for it. Owns a socket of its own,
 * which no command goes over. Must not bind: gate.c, its only caller, does.
 *
 * Security: what comes here is a reason to look, never an answer.
 */
#include "gate-arrival.h"

#include <linux/genetlink.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "callgate.h"

struct arrival {
	struct nl_sock *sock;
	sd_event_source *io;
	void (*arrived)(void *userdata);
	void *userdata;
	bool seen;
};

static int on_news(struct nl_msg *msg, void *userdata)
{
	struct nlattr *attrs[CTRL_ATTR_MAX + 1];
	struct nlmsghdr *header = nlmsg_hdr(msg);
	struct arrival *arrival = userdata;

	if (genlmsg_valid_hdr(header, 0) && genlmsg_hdr(header)->cmd == CTRL_CMD_NEWFAMILY &&
	    genlmsg_parse(header, 0, attrs, CTRL_ATTR_MAX, NULL) == 0 &&
	    attrs[CTRL_ATTR_FAMILY_NAME] != NULL &&
	    !nla_strcmp(attrs[CTRL_ATTR_FAMILY_NAME], CALLGATE_GENL_NAME))
		arrival->seen = true;
	return NL_OK;
}

static int on_readable(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct arrival *arrival = userdata;
	int r = nl_recvmsgs_default(arrival->sock);

	/* What was lost may have been it. */
	if (r == -NLE_NOMEM)
		arrival->seen = true;
	else if (r < 0 && r != -NLE_AGAIN)
		sd_event_source_set_enabled(source, SD_EVENT_OFF);
	if (arrival->seen) {
		arrival->seen = false;
		arrival->arrived(arrival->userdata);
	}
	return 0;
}

struct arrival *arrival_new(sd_event *event, void (*arrived)(void *userdata), void *userdata)
{
	struct arrival *arrival = calloc(1, sizeof(*arrival));
	int group;

	if (arrival == NULL)
		return NULL;
	arrival->arrived = arrived;
	arrival->userdata = userdata;
	arrival->sock = nl_socket_alloc();
	if (arrival->sock == NULL || genl_connect(arrival->sock) < 0)
		return arrival_free(arrival);
	group = genl_ctrl_resolve_grp(arrival->sock, "nlctrl", "notify");
	nl_socket_disable_seq_check(arrival->sock);
	nl_socket_set_nonblocking(arrival->sock);
	if (group < 0 ||
	    nl_socket_modify_cb(arrival->sock, NL_CB_VALID, NL_CB_CUSTOM, on_news, arrival) < 0 ||
	    nl_socket_add_membership(arrival->sock, group) < 0 ||
	    sd_event_add_io(event, &arrival->io, nl_socket_get_fd(arrival->sock), EPOLLIN,
			    on_readable, arrival) < 0)
		return arrival_free(arrival);
	return arrival;
}

struct arrival *arrival_free(struct arrival *arrival)
{
	if (arrival == NULL)
		return NULL;
	sd_event_source_unref(arrival->io);
	if (arrival->sock != NULL)
		nl_socket_free(arrival->sock);
	free(arrival);
	return NULL;
}
