// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The netlink family "callgate", kmod/uapi/callgate.yaml; with gate-command.c, gate-request.c and
 * gate-arrival.c the only caller of libnl. Owns the controller's socket. Must not decide anything:
 * events go up through the hooks, requests come down as functions.
 *
 * All but held callers goes over one socket, because the kernel obeys only the bound one.
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

#include "gate-arrival.h"
#include "gate-private.h"
#include "util/log.h"
#include "util/macro.h"

#define RECEIVE_BUFFER (1 << 20)
/* The kernel writes dumps in pieces of 32 KiB at most, and what a piece is cut short by is lost. */
#define MESSAGE_MAX    (64 * 1024)
/* Of what is sent: a header and a few numbers. */
#define COMMAND_MAX    512
#define ANSWER_MS      5000
#define EVENTS_AT_ONCE 4096
/* Messages that an earlier process can have left: its buffer holds fewer. */
#define DRAIN_AT_MOST  (RECEIVE_BUFFER / 16)

struct event {
	STAILQ_ENTRY(event) queue;
	struct nl_msg *msg;
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
	gate_requests_close(gate);
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
	log_event(LOG_EVENT_GATE_LOST, LOG_NOBODY,
		  "The gate is gone: %s. Restart callgated once it is back.", why);
	disconnect(gate);
	gate->hooks->changed(gate->userdata);
}

/* ---- attributes -------------------------------------------------------------------------------- */

uint32_t gate_u32(struct nlattr **attrs, int type)
{
	return attrs[type] != NULL && nla_len(attrs[type]) >= 4 ? nla_get_u32(attrs[type]) : 0;
}

uint64_t gate_u64(struct nlattr **attrs, int type)
{
	return attrs[type] != NULL && nla_len(attrs[type]) >= 8 ? nla_get_u64(attrs[type]) : 0;
}

static uint8_t gate_u8(struct nlattr **attrs, int type)
{
	return attrs[type] != NULL && nla_len(attrs[type]) >= 1 ? nla_get_u8(attrs[type]) : 0;
}

static void attr_text(struct nlattr **attrs, int type, char *ret_text, size_t size)
{
	ret_text[0] = '\0';
	if (attrs[type] != NULL)
		nla_strlcpy(ret_text, attrs[type], size);
}

void gate_parse_who(struct nlattr **attrs, struct process_facts *who)
{
	*who = (struct process_facts){
		.pid = (pid_t)gate_u32(attrs, CALLGATE_A_TGID),
		.cookie = gate_u64(attrs, CALLGATE_A_COOKIE),
		.start_time = gate_u64(attrs, CALLGATE_A_START_TIME),
		.uid = attrs[CALLGATE_A_UID] != NULL ? gate_u32(attrs, CALLGATE_A_UID) : (uid_t)-1,
		.cgroup = gate_u64(attrs, CALLGATE_A_CGROUP),
		.traced = gate_u8(attrs, CALLGATE_A_TRACED) != 0,
		.proven = true,
	};
	attr_text(attrs, CALLGATE_A_EXE, who->exe, sizeof(who->exe));
}

static void parse_capture(struct nlattr **attrs, uint64_t id, struct capture *capture)
{
	*capture = (struct capture){
		.id = id,
		.device = gate_u32(attrs, CALLGATE_A_DEVICE),
		.kinds = gate_u32(attrs, CALLGATE_A_KINDS),
		.session = gate_u64(attrs, CALLGATE_A_SESSION),
		.since = gate_u64(attrs, CALLGATE_A_SINCE),
		.count = gate_u32(attrs, CALLGATE_A_COUNT),
	};
	gate_parse_who(attrs, &capture->who);
}

static void parse_device(struct nlattr **attrs, struct capture_device *device)
{
	*device = (struct capture_device){
		.id = gate_u32(attrs, CALLGATE_A_DEVICE),
		.kinds = gate_u32(attrs, CALLGATE_A_KINDS),
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

/* What the socket's own source reads is delivered when it has been read. */
static void wake_later(struct gate *gate)
{
	if (gate->reading)
		return;
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
int gate_command(struct gate *gate, struct nl_msg *msg,
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

struct nl_msg *gate_message(struct gate *gate, uint8_t cmd, int flags)
{
	struct nl_msg *msg = nlmsg_alloc_size(COMMAND_MAX);

	if (msg != NULL && genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, gate->family, 0,
				       NLM_F_REQUEST | flags, cmd, CALLGATE_GENL_VERSION) == NULL) {
		nlmsg_free(msg);
		return NULL;
	}
	return msg;
}

/* A failed put leaves a message that the kernel would misread: it is not sent. */
struct nl_msg *gate_whole(struct nl_msg *msg, int failed)
{
	if (msg != NULL && failed != 0) {
		nlmsg_free(msg);
		return NULL;
	}
	return msg;
}

/* Errors that mean that nobody obeys this socket any more. */
int gate_check_lost(struct gate *gate, int r, bool no_such_means_lost)
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
	static const uint8_t cmds[] = { CALLGATE_CMD_DEVICE_GET, CALLGATE_CMD_STREAM_GET };

	for (size_t i = 0; i < ARRAY_SIZE(cmds); i++) {
		int r = gate_command(gate, gate_message(gate, cmds[i], NLM_F_DUMP), NULL, NULL);

		if (r < 0)
			return r;
	}
	return gate_requests_open(gate);
}

static void deliver(struct gate *gate, struct nl_msg *msg)
{
	struct nlattr *attrs[CALLGATE_A_MAX + 1];
	struct nlmsghdr *header = nlmsg_hdr(msg);
	struct capture_device device;
	struct capture capture;

	if (!parse(header, attrs))
		return;
	switch (genlmsg_hdr(header)->cmd) {
	case CALLGATE_CMD_DENIED_EVENT:
		parse_capture(attrs, 0, &capture);
		gate->hooks->denied(gate->userdata, &capture);
		break;
	case CALLGATE_CMD_STREAM_STARTED_EVENT:
	case CALLGATE_CMD_STREAM_GET:
		parse_capture(attrs, gate_u64(attrs, CALLGATE_A_STREAM), &capture);
		gate->hooks->stream_started(gate->userdata, &capture);
		break;
	case CALLGATE_CMD_STREAM_STOPPED_EVENT:
		gate->hooks->stream_stopped(gate->userdata, gate_u64(attrs, CALLGATE_A_STREAM));
		break;
	case CALLGATE_CMD_DEVICE_ADDED_EVENT:
	case CALLGATE_CMD_DEVICE_GET:
		parse_device(attrs, &device);
		gate->hooks->device_added(gate->userdata, &device);
		break;
	case CALLGATE_CMD_DEVICE_REMOVED_EVENT:
		gate->hooks->device_removed(gate->userdata, gate_u32(attrs, CALLGATE_A_DEVICE));
		break;
	}
}

static void deliver_all(struct gate *gate)
{
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
}

static int on_later(sd_event_source *source, void *userdata)
{
	deliver_all(userdata);
	return 0;
}

static int on_readable(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct gate *gate = userdata;
	int r;

	gate->reading = true;
	r = receive(gate);
	gate->reading = false;
	if (r < 0 && r != -EAGAIN && r != -ENOBUFS)
		lose(gate, "its socket failed");
	else
		deliver_all(gate);
	return 0;
}

/* ---- coming and going -------------------------------------------------------------------------- */

void gate_take_mode(struct gate *gate, struct nlattr **attrs, void *ret)
{
	*(uint8_t *)ret = gate_u8(attrs, CALLGATE_A_MODE);
}

/* The socket is there; from here on messages are ours. */
static void listen_to(struct gate *gate)
{
	int one = 1;

	nl_socket_set_buffer_size(gate->sock, RECEIVE_BUFFER, 0);
	setsockopt(nl_socket_get_fd(gate->sock), SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	nl_socket_set_nonblocking(gate->sock);
	/* Else each message is looked at once before it is read. */
	nl_socket_set_msg_buf_size(gate->sock, MESSAGE_MAX);
	nl_socket_disable_msg_peek(gate->sock);
	/* Who wants one asks for it. */
	nl_socket_disable_auto_ack(gate->sock);
	nl_cb_set(gate->cb, NL_CB_SEQ_CHECK, NL_CB_CUSTOM, on_any_sequence, gate);
	nl_cb_set(gate->cb, NL_CB_VALID, NL_CB_CUSTOM, on_message, gate);
	nl_cb_set(gate->cb, NL_CB_ACK, NL_CB_CUSTOM, on_ack, gate);
	nl_cb_set(gate->cb, NL_CB_FINISH, NL_CB_CUSTOM, on_ack, gate);
	nl_cb_err(gate->cb, NL_CB_CUSTOM, on_error, gate);
}

static int alloc_socket(struct gate *gate)
{
	gate->sock = nl_socket_alloc();
	gate->cb = nl_cb_alloc(NL_CB_DEFAULT);
	return gate->sock != NULL && gate->cb != NULL ? 0 : -ENOMEM;
}

/* @cmd: BIND or MODE, which answer with the mode. */
static int begin(struct gate *gate, uint8_t cmd)
{
	uint8_t mode = UINT8_MAX;
	int r = gate_command(gate, gate_message(gate, cmd, NLM_F_ACK), gate_take_mode, &mode);

	if (r >= 0 && mode != CALLGATE_MODE_ENFORCING && mode != CALLGATE_MODE_PERMISSIVE)
		r = -EIO;
	if (r < 0)
		return r;
	r = sd_event_add_io(gate->event, &gate->io, nl_socket_get_fd(gate->sock), EPOLLIN,
			    on_readable, gate);
	if (r < 0)
		return r;
	gate->mode = mode == CALLGATE_MODE_PERMISSIVE ? GATE_PERMISSIVE : GATE_PRESENT;
	return take_stock(gate);
}

/* 0, -ENODEV without the family, or why the kernel refused. */
static int become_controller(struct gate *gate)
{
	int r = alloc_socket(gate);

	if (r < 0)
		return r;
	if (genl_connect(gate->sock) < 0)
		return -EIO;
	gate->family = genl_ctrl_resolve(gate->sock, CALLGATE_GENL_NAME);
	if (gate->family < 0)
		return -ENODEV;
	listen_to(gate);
	return begin(gate, CALLGATE_CMD_BIND);
}

/* Over a socket of its own: what waits in the adopted one must not be taken for the answer. */
static int find_family(void)
{
	struct nl_sock *sock = nl_socket_alloc();
	int family = -ENODEV;

	if (sock != NULL && genl_connect(sock) == 0)
		family = genl_ctrl_resolve(sock, CALLGATE_GENL_NAME);
	nl_socket_free(sock);
	return family < 0 ? -ENODEV : family;
}

/*
 * Reads away what the earlier process left, before the first command: answers to its commands, a dump that it did
 * not finish. Events are kept, in their order; what they tell is in the dumps as well.
 */
static int drain(struct gate *gate)
{
	int r = 0;

	for (unsigned int i = 0; i < DRAIN_AT_MOST && r != -EAGAIN; i++) {
		r = receive(gate);
		if (r == -EIO)
			return r;
	}
	return r == -EAGAIN ? 0 : -EBUSY;
}

static int adopt(struct gate *gate, int fd)
{
	int r = alloc_socket(gate);

	if (r >= 0 && nl_socket_set_fd(gate->sock, NETLINK_GENERIC, fd) < 0)
		r = -EINVAL;
	if (r < 0) {
		close(fd);
		return r;
	}
	gate->family = find_family();
	if (gate->family < 0)
		return gate->family;
	listen_to(gate);
	r = drain(gate);
	return r < 0 ? r : begin(gate, CALLGATE_CMD_MODE);
}

int gate_adopt(struct gate *gate, int fd)
{
	int r;

	gate->why[0] = '\0';
	r = adopt(gate, fd);
	if (r < 0) {
		disconnect(gate);
		return r;
	}
	gate->hooks->changed(gate->userdata);
	return 0;
}

int gate_fd(const struct gate *gate)
{
	return gate->sock != NULL ? nl_socket_get_fd(gate->sock) : -1;
}

void gate_look(struct gate *gate)
{
	int r;

	if (gate->sock != NULL)
		return;
	gate->why[0] = '\0';
	r = become_controller(gate);
	if (r < 0) {
		disconnect(gate);
		if (r != -ENODEV)
			log_event(LOG_EVENT_GATE_FAILED, LOG_NOBODY, "The gate cannot be used: %s",
				  gate->why[0] != '\0' ? gate->why : strerror(-r));
		return;
	}
	gate->hooks->changed(gate->userdata);
}

static void on_arrival(void *userdata)
{
	gate_look(userdata);
}

int gate_new(struct gate **ret_gate, sd_event *event, const struct gate_hooks *hooks,
	     void *userdata)
{
	struct gate *gate = calloc(1, sizeof(*gate));
	int r;

	if (gate == NULL)
		return -ENOMEM;
	gate->requests = -1;
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
	/* Before anybody looks: what comes after is told. Without it a new session looks. */
	gate->arrival = arrival_new(event, on_arrival, gate);
	*ret_gate = gate;
	return 0;
}

struct gate *gate_free(struct gate *gate)
{
	if (gate == NULL)
		return NULL;
	disconnect(gate);
	arrival_free(gate->arrival);
	sd_event_source_unref(gate->later);
	sd_event_unref(gate->event);
	free(gate);
	return NULL;
}

enum gate_mode gate_mode(const struct gate *gate)
{
	return gate->mode;
}
