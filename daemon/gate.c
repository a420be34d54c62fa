// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The netlink family "callgate", kmod/uapi/callgate.yaml; the only caller of
 * libnl. Owns the controller's socket. Must not decide anything: events go up
 * through the hooks, requests come down as functions.
 *
 * Everything goes over one socket, because the kernel obeys only the bound one.
 * Commands are answered before sendmsg() returns, so they are made
 * synchronously; events that arrive in between are kept and delivered from the
 * event loop, never from inside a command.
 *
 * Security: whatever the kernel says is taken at its word, but no answer and no
 * error ever turns into an allowance: without a well-formed answer, a command
 * failed. When the socket fails the gate counts as absent.
 */
#include "gate.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>

#include "callgate.h"
#include "util/macro.h"

#define RECEIVE_BUFFER (1 << 20)
#define ANSWER_MS      5000
#define EVENTS_AT_ONCE 4096

struct event {
	STAILQ_ENTRY(event) queue;
	struct nl_msg *msg;
};

/**
 * struct gate
 * @sock: NULL while absent
 * @family: netlink message type
 * @waiting: sequence number of the command under way, or 0
 * @error: its result; 1 while there is none
 * @take: called for each message of its answer; NULL: they are kept as events, as dumps' are
 * @events: not delivered yet
 * @lost: events were lost; everything is asked again
 * @broken: nobody obeys this socket any more
 */
struct gate {
	sd_event *event;
	sd_event_source *io;
	sd_event_source *later;
	const struct gate_hooks *hooks;
	void *userdata;
	struct nl_sock *sock;
	struct nl_cb *cb;
	int family;
	enum gate_mode mode;
	uint32_t waiting;
	int error;
	char why[160];
	void (*take)(struct gate *gate, struct nlattr **attrs, void *ret);
	void *ret;
	STAILQ_HEAD(, event) events;
	unsigned int n_events;
	bool lost;
	bool broken;
};

static void drop_events(struct gate *gate)
{
	struct event *event;

	while ((event = STAILQ_FIRST(&gate->events)) != NULL) {
		STAILQ_REMOVE_HEAD(&gate->events, queue);
		nlmsg_free(event->msg);
		free(event);
	}
	gate->n_events = 0;
	gate->lost = gate->broken = false;
}

static void disconnect(struct gate *gate)
{
	gate->io = sd_event_source_unref(gate->io);
	drop_events(gate);
	if (gate->sock != NULL)
		nl_socket_free(gate->sock);
	gate->sock = NULL;
	if (gate->cb != NULL)
		nl_cb_put(gate->cb);
	gate->cb = NULL;
	gate->mode = GATE_ABSENT;
}

static void lose(struct gate *gate, const char *why)
{
	fprintf(stderr, SD_WARNING "The gate is gone: %s. Restart callgated once it is back.\n",
		why);
	disconnect(gate);
	gate->hooks->changed(gate->userdata);
}

/* ---- attributes -------------------------------------------------------------------------------- */

static uint32_t attr_u32(struct nlattr **attrs, int type)
{
	return attrs[type] != NULL && nla_len(attrs[type]) >= 4 ? nla_get_u32(attrs[type]) : 0;
}

static uint64_t attr_u64(struct nlattr **attrs, int type)
{
	return attrs[type] != NULL && nla_len(attrs[type]) >= 8 ? nla_get_u64(attrs[type]) : 0;
}

static uint8_t attr_u8(struct nlattr **attrs, int type)
{
	return attrs[type] != NULL && nla_len(attrs[type]) >= 1 ? nla_get_u8(attrs[type]) : 0;
}

static void attr_text(struct nlattr **attrs, int type, char *ret_text, size_t size)
{
	ret_text[0] = '\0';
	if (attrs[type] != NULL)
		nla_strlcpy(ret_text, attrs[type], size);
}

static void parse_who(struct nlattr **attrs, struct process_facts *who)
{
	*who = (struct process_facts){
		.pid = (pid_t)attr_u32(attrs, CALLGATE_A_TGID),
		.cookie = attr_u64(attrs, CALLGATE_A_COOKIE),
		.start_time = attr_u64(attrs, CALLGATE_A_START_TIME),
		.uid = attrs[CALLGATE_A_UID] != NULL ? attr_u32(attrs, CALLGATE_A_UID) : (uid_t)-1,
		.cgroup = attr_u64(attrs, CALLGATE_A_CGROUP),
		.traced = attr_u8(attrs, CALLGATE_A_TRACED) != 0,
		.proven = true,
	};
	attr_text(attrs, CALLGATE_A_EXE, who->exe, sizeof(who->exe));
}

static void parse_capture(struct nlattr **attrs, uint64_t id, struct capture *capture)
{
	*capture = (struct capture){
		.id = id,
		.device = attr_u32(attrs, CALLGATE_A_DEVICE),
		.kinds = attr_u32(attrs, CALLGATE_A_KINDS),
		.session = attr_u64(attrs, CALLGATE_A_SESSION),
		.since = attr_u64(attrs, CALLGATE_A_SINCE),
		.count = attr_u32(attrs, CALLGATE_A_COUNT),
	};
	parse_who(attrs, &capture->who);
}

static void parse_device(struct nlattr **attrs, struct capture_device *device)
{
	*device = (struct capture_device){
		.id = attr_u32(attrs, CALLGATE_A_DEVICE),
		.kinds = attr_u32(attrs, CALLGATE_A_KINDS),
	};
	attr_text(attrs, CALLGATE_A_NAME, device->name, sizeof(device->name));
	attr_text(attrs, CALLGATE_A_NODE, device->node, sizeof(device->node));
}

static bool parse(struct nlmsghdr *header, struct nlattr **attrs)
{
	return genlmsg_valid_hdr(header, 0) &&
	       genlmsg_parse(header, 0, attrs, CALLGATE_A_MAX, NULL) == 0;
}

/* ---- receiving --------------------------------------------------------------------------------- */

static void wake_later(struct gate *gate)
{
	sd_event_source_set_enabled(gate->later, SD_EVENT_ONESHOT);
}

static void keep_event(struct gate *gate, struct nl_msg *msg)
{
	struct event *event;

	if (gate->n_events >= EVENTS_AT_ONCE) {
		gate->lost = true;
		return;
	}
	event = malloc(sizeof(*event));
	if (event == NULL) {
		gate->lost = true;
		return;
	}
	nlmsg_get(msg);
	event->msg = msg;
	STAILQ_INSERT_TAIL(&gate->events, event, queue);
	gate->n_events++;
	wake_later(gate);
}

static int on_message(struct nl_msg *msg, void *userdata)
{
	struct nlattr *attrs[CALLGATE_A_MAX + 1];
	struct nlmsghdr *header = nlmsg_hdr(msg);
	struct gate *gate = userdata;

	if (header->nlmsg_type != gate->family)
		return NL_OK;
	if (header->nlmsg_seq == 0 || header->nlmsg_seq != gate->waiting || gate->take == NULL)
		keep_event(gate, msg);
	else if (parse(header, attrs))
		gate->take(gate, attrs, gate->ret);
	return NL_OK;
}

static int on_any_sequence(struct nl_msg *msg, void *userdata)
{
	return NL_OK;
}

static int on_ack(struct nl_msg *msg, void *userdata)
{
	struct gate *gate = userdata;

	if (nlmsg_hdr(msg)->nlmsg_seq == gate->waiting)
		gate->error = 0;
	return NL_OK;
}

static int on_error(struct sockaddr_nl *from, struct nlmsgerr *error, void *userdata)
{
	struct nlmsghdr *header = (struct nlmsghdr *)((char *)error - NLMSG_HDRLEN);
	struct gate *gate = userdata;
	struct nlattr *attr;
	int left;

	if (header->nlmsg_seq != gate->waiting)
		return NL_OK;
	gate->error = error->error < 0 ? error->error : -EIO;
	gate->why[0] = '\0';
	if ((header->nlmsg_flags & NLM_F_ACK_TLVS) == 0)
		return NL_OK;
	attr = (struct nlattr *)(error + 1);
	left = (int)(header->nlmsg_len - NLMSG_HDRLEN - sizeof(*error));
	if ((header->nlmsg_flags & NLM_F_CAPPED) == 0) {
		int body = (int)NLMSG_ALIGN(error->msg.nlmsg_len - NLMSG_HDRLEN);

		attr = (struct nlattr *)((char *)attr + body);
		left -= body;
	}
	for (; nla_ok(attr, left); attr = nla_next(attr, &left))
		if (nla_type(attr) == NLMSGERR_ATTR_MSG)
			nla_strlcpy(gate->why, attr, sizeof(gate->why));
	return NL_OK;
}

/* Reads what there is. 0, -EAGAIN, -ENOBUFS or what broke the socket. */
static int receive(struct gate *gate)
{
	int r = nl_recvmsgs(gate->sock, gate->cb);

	if (r >= 0)
		return 0;
	if (r == -NLE_AGAIN)
		return -EAGAIN;
	if (r == -NLE_NOMEM) {
		gate->lost = true;
		wake_later(gate);
		return -ENOBUFS;
	}
	return -EIO;
}

/* Sends, and waits for the kernel's answer. Consumes msg. */
static int command(struct gate *gate, struct nl_msg *msg,
		   void (*take)(struct gate *, struct nlattr **, void *), void *ret)
{
	struct pollfd fd = { .events = POLLIN };
	int r;

	if (msg == NULL)
		return -ENOMEM;
	/* Each would wait as long as the one that found out. */
	if (gate->broken) {
		nlmsg_free(msg);
		return -EIO;
	}
	nlmsg_hdr(msg)->nlmsg_seq = 0;
	nl_complete_msg(gate->sock, msg);
	gate->waiting = nlmsg_hdr(msg)->nlmsg_seq;
	gate->error = 1;
	gate->take = take;
	gate->ret = ret;
	r = nl_send(gate->sock, msg);
	nlmsg_free(msg);
	fd.fd = nl_socket_get_fd(gate->sock);
	while (r >= 0 && gate->error == 1) {
		r = receive(gate);
		if (r == -ENOBUFS)
			r = 0;
		if (r == -EAGAIN)
			r = poll(&fd, 1, ANSWER_MS) == 1 ? 0 : -ETIMEDOUT;
	}
	gate->waiting = 0;
	gate->take = NULL;
	if (r < 0)
		return -EIO;
	return gate->error;
}

static struct nl_msg *message(struct gate *gate, uint8_t cmd, int flags)
{
	struct nl_msg *msg = nlmsg_alloc();

	if (msg != NULL && genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, gate->family, 0,
				       NLM_F_REQUEST | flags, cmd, CALLGATE_GENL_VERSION) == NULL) {
		nlmsg_free(msg);
		return NULL;
	}
	return msg;
}

/* A failed put leaves a message that the kernel would misread: it is not sent. */
static struct nl_msg *whole(struct nl_msg *msg, int failed)
{
	if (msg != NULL && failed != 0) {
		nlmsg_free(msg);
		return NULL;
	}
	return msg;
}

/* Errors that mean that nobody obeys this socket any more. */
static int check_lost(struct gate *gate, int r, bool no_such_means_lost)
{
	/* The family is gone, or obeys another socket. */
	if (r == -EOPNOTSUPP || r == -EIO ||
	    (no_such_means_lost && (r == -ENOENT || r == -EPERM))) {
		gate->broken = true;
		wake_later(gate);
	}
	return r;
}

/* ---- what the kernel has now ------------------------------------------------------------------- */

/* The answers come through deliver() later. */
static int take_stock(struct gate *gate)
{
	static const uint8_t cmds[] = { CALLGATE_CMD_DEVICE_GET, CALLGATE_CMD_STREAM_GET,
					CALLGATE_CMD_REQUEST_GET };

	for (size_t i = 0; i < ARRAY_SIZE(cmds); i++) {
		int r = command(gate, message(gate, cmds[i], NLM_F_DUMP), NULL, NULL);

		if (r < 0)
			return r;
	}
	return 0;
}

static void deliver(struct gate *gate, struct nl_msg *msg)
{
	struct nlattr *attrs[CALLGATE_A_MAX + 1];
	struct nlmsghdr *header = nlmsg_hdr(msg);
	struct capture_device device;
	struct capture capture;
	struct nl_msg *seen;

	if (!parse(header, attrs))
		return;
	switch (genlmsg_hdr(header)->cmd) {
	case CALLGATE_CMD_REQUEST_EVENT:
	case CALLGATE_CMD_REQUEST_GET:
		parse_capture(attrs, attr_u64(attrs, CALLGATE_A_REQUEST), &capture);
		seen = message(gate, CALLGATE_CMD_SEEN, NLM_F_ACK);
		seen = whole(seen,
			     seen == NULL || nla_put_u64(seen, CALLGATE_A_REQUEST, capture.id));
		if (command(gate, seen, NULL, NULL) == 0)
			gate->hooks->request(gate->userdata, &capture);
		break;
	case CALLGATE_CMD_DENIED_EVENT:
		parse_capture(attrs, 0, &capture);
		gate->hooks->denied(gate->userdata, &capture);
		break;
	case CALLGATE_CMD_STREAM_STARTED_EVENT:
	case CALLGATE_CMD_STREAM_GET:
		parse_capture(attrs, attr_u64(attrs, CALLGATE_A_STREAM), &capture);
		gate->hooks->stream_started(gate->userdata, &capture);
		break;
	case CALLGATE_CMD_STREAM_STOPPED_EVENT:
		gate->hooks->stream_stopped(gate->userdata, attr_u64(attrs, CALLGATE_A_STREAM));
		break;
	case CALLGATE_CMD_DEVICE_ADDED_EVENT:
	case CALLGATE_CMD_DEVICE_GET:
		parse_device(attrs, &device);
		gate->hooks->device_added(gate->userdata, &device);
		break;
	case CALLGATE_CMD_DEVICE_REMOVED_EVENT:
		gate->hooks->device_removed(gate->userdata, attr_u32(attrs, CALLGATE_A_DEVICE));
		break;
	}
}

static int on_later(sd_event_source *source, void *userdata)
{
	struct gate *gate = userdata;
	struct event *event;

	while (gate->sock != NULL && (event = STAILQ_FIRST(&gate->events)) != NULL) {
		STAILQ_REMOVE_HEAD(&gate->events, queue);
		gate->n_events--;
		deliver(gate, event->msg);
		nlmsg_free(event->msg);
		free(event);
	}
	if (gate->sock != NULL && gate->broken) {
		lose(gate, "the kernel no longer answers");
	} else if (gate->sock != NULL && gate->lost) {
		gate->lost = false;
		gate->hooks->forget(gate->userdata);
		if (take_stock(gate) < 0)
			lose(gate, "events were lost");
	}
	return 0;
}

static int on_readable(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct gate *gate = userdata;
	int r = receive(gate);

	if (r < 0 && r != -EAGAIN && r != -ENOBUFS)
		lose(gate, "its socket failed");
	return 0;
}

/* ---- coming and going -------------------------------------------------------------------------- */

static void take_mode(struct gate *gate, struct nlattr **attrs, void *ret)
{
	*(uint8_t *)ret = attr_u8(attrs, CALLGATE_A_MODE);
}

/* 0, -ENODEV without the family, or why the kernel refused. */
static int become_controller(struct gate *gate)
{
	uint8_t mode = CALLGATE_MODE_ENFORCING;
	int one = 1, r;

	gate->sock = nl_socket_alloc();
	gate->cb = nl_cb_alloc(NL_CB_DEFAULT);
	if (gate->sock == NULL || gate->cb == NULL)
		return -ENOMEM;
	if (genl_connect(gate->sock) < 0)
		return -EIO;
	gate->family = genl_ctrl_resolve(gate->sock, CALLGATE_GENL_NAME);
	if (gate->family < 0)
		return -ENODEV;
	nl_socket_set_buffer_size(gate->sock, RECEIVE_BUFFER, 0);
	setsockopt(nl_socket_get_fd(gate->sock), SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	nl_socket_set_nonblocking(gate->sock);
	nl_cb_set(gate->cb, NL_CB_SEQ_CHECK, NL_CB_CUSTOM, on_any_sequence, gate);
	nl_cb_set(gate->cb, NL_CB_VALID, NL_CB_CUSTOM, on_message, gate);
	nl_cb_set(gate->cb, NL_CB_ACK, NL_CB_CUSTOM, on_ack, gate);
	nl_cb_set(gate->cb, NL_CB_FINISH, NL_CB_CUSTOM, on_ack, gate);
	nl_cb_err(gate->cb, NL_CB_CUSTOM, on_error, gate);
	r = command(gate, message(gate, CALLGATE_CMD_BIND, NLM_F_ACK), take_mode, &mode);
	if (r < 0)
		return r;
	r = sd_event_add_io(gate->event, &gate->io, nl_socket_get_fd(gate->sock), EPOLLIN,
			    on_readable, gate);
	if (r < 0)
		return r;
	gate->mode = mode == CALLGATE_MODE_PERMISSIVE ? GATE_PERMISSIVE : GATE_PRESENT;
	return 0;
}

void gate_look(struct gate *gate)
{
	int r;

	if (gate->sock != NULL)
		return;
	gate->why[0] = '\0';
	r = become_controller(gate);
	if (r == 0)
		r = take_stock(gate);
	if (r < 0) {
		disconnect(gate);
		if (r != -ENODEV)
			fprintf(stderr, SD_ERR "The gate cannot be used: %s\n",
				gate->why[0] != '\0' ? gate->why : strerror(-r));
		return;
	}
	gate->hooks->changed(gate->userdata);
}

int gate_new(struct gate **ret_gate, sd_event *event, const struct gate_hooks *hooks,
	     void *userdata)
{
	struct gate *gate = calloc(1, sizeof(*gate));
	int r;

	if (gate == NULL)
		return -ENOMEM;
	gate->event = sd_event_ref(event);
	gate->hooks = hooks;
	gate->userdata = userdata;
	STAILQ_INIT(&gate->events);
	r = sd_event_add_defer(event, &gate->later, on_later, gate);
	if (r >= 0)
		r = sd_event_source_set_enabled(gate->later, SD_EVENT_OFF);
	if (r < 0) {
		gate_free(gate);
		return r;
	}
	*ret_gate = gate;
	return 0;
}

struct gate *gate_free(struct gate *gate)
{
	if (gate == NULL)
		return NULL;
	disconnect(gate);
	sd_event_source_unref(gate->later);
	sd_event_unref(gate->event);
	free(gate);
	return NULL;
}

enum gate_mode gate_mode(const struct gate *gate)
{
	return gate->mode;
}

/* ---- commands ----------------------------------------------------------------------------------- */

int gate_set_mode(struct gate *gate, bool permissive)
{
	uint8_t wanted = permissive ? CALLGATE_MODE_PERMISSIVE : CALLGATE_MODE_ENFORCING;
	uint8_t got = UINT8_MAX;
	struct nl_msg *msg;
	int r;

	if (gate->sock == NULL)
		return -ENODEV;
	msg = message(gate, CALLGATE_CMD_MODE, NLM_F_ACK);
	msg = whole(msg, msg == NULL || nla_put_u8(msg, CALLGATE_A_MODE, wanted));
	r = check_lost(gate, command(gate, msg, take_mode, &got), false);
	if (r < 0)
		return r;
	if (got != wanted)
		return -EIO;
	gate->mode = permissive ? GATE_PERMISSIVE : GATE_PRESENT;
	gate->hooks->changed(gate->userdata);
	return 0;
}

static void take_who(struct gate *gate, struct nlattr **attrs, void *ret)
{
	parse_who(attrs, ret);
}

int gate_identify(struct gate *gate, pid_t pid, struct process_facts *ret_facts)
{
	struct process_facts facts = { .pid = 0 };
	struct nl_msg *msg;
	int r;

	if (gate->sock == NULL)
		return -ENODEV;
	msg = message(gate, CALLGATE_CMD_IDENTIFY, NLM_F_ACK);
	msg = whole(msg, msg == NULL || nla_put_u32(msg, CALLGATE_A_TGID, (uint32_t)pid));
	r = check_lost(gate, command(gate, msg, take_who, &facts), true);
	if (r < 0)
		return r;
	if (facts.pid != pid || facts.uid == (uid_t)-1)
		return -EIO;
	*ret_facts = facts;
	return 0;
}

int gate_grant(struct gate *gate, const struct gate_grant *grant)
{
	struct nl_msg *msg;
	int bad;

	if (gate->sock == NULL)
		return -ENODEV;
	msg = message(gate, CALLGATE_CMD_GRANT, NLM_F_ACK);
	if (msg == NULL)
		return -ENOMEM;
	bad = nla_put_u64(msg, CALLGATE_A_SESSION, grant->session) ||
	      nla_put_u32(msg, CALLGATE_A_KINDS, grant->kinds) ||
	      nla_put_u64(msg, CALLGATE_A_DEADLINE, grant->deadline) ||
	      nla_put_u32(msg, CALLGATE_A_UID, grant->who->uid);
	if (grant->cgroup_fd >= 0)
		bad = bad || nla_put_u32(msg, CALLGATE_A_CGROUP_FD, (uint32_t)grant->cgroup_fd);
	else
		bad = bad || nla_put_u32(msg, CALLGATE_A_TGID, (uint32_t)grant->who->pid) ||
		      nla_put_u64(msg, CALLGATE_A_COOKIE, grant->who->cookie);
	return check_lost(gate, command(gate, whole(msg, bad), NULL, NULL), grant->cgroup_fd < 0);
}

int gate_revoke(struct gate *gate, uint64_t session)
{
	struct nl_msg *msg;
	int r;

	if (gate->sock == NULL)
		return -ENODEV;
	msg = message(gate, CALLGATE_CMD_REVOKE, NLM_F_ACK);
	msg = whole(msg, msg == NULL || nla_put_u64(msg, CALLGATE_A_SESSION, session));
	r = check_lost(gate, command(gate, msg, NULL, NULL), false);
	return r == -ENOENT ? 0 : r;
}

int gate_verdict(struct gate *gate, uint64_t request, bool allow)
{
	struct nl_msg *msg;
	int r, bad;

	if (gate->sock == NULL)
		return -ENODEV;
	msg = message(gate, CALLGATE_CMD_VERDICT, NLM_F_ACK);
	bad = msg == NULL || nla_put_u64(msg, CALLGATE_A_REQUEST, request) ||
	      nla_put_u8(msg, CALLGATE_A_VERDICT,
			 allow ? CALLGATE_VERDICT_ALLOW : CALLGATE_VERDICT_DENY);
	r = check_lost(gate, command(gate, whole(msg, bad), NULL, NULL), false);
	return r == -ENOENT ? 0 : r;
}
