// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The controller's side of the family "callgate", for tests.
 *
 * Owns one netlink socket, the requests file, and the events that came while something else was
 * waited for. Writes and parses with libnl, but reads the socket itself, because
 * tests look at the errno and the sentence of each refusal.
 */
#include "gate.h"

#include <errno.h>
#include <linux/netlink.h>
#include <netlink/attr.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness.h"

#define BUFFER	 (64 * 1024)
#define REPLY_MS 30000

struct event {
	struct gate_message message;
	struct event *next;
};

struct gate {
	struct nl_sock *sock;
	int family;
	int requests;
	uint32_t seq;
	char sentence[256];
	struct event *events;
	char buffer[BUFFER];
};

/* One answer that is being waited for. */
struct answer {
	uint32_t seq;
	bool done;
	int err;
	struct gate_message *reply;
	struct gate_message **objects;
	int count;
	bool interrupted;
};

struct gate *gate_open(void)
{
	struct gate *gate = calloc(1, sizeof(*gate));
	int one = 1;

	if (!gate)
		return NULL;
	gate->requests = -1;
	gate->sock = nl_socket_alloc();
	if (!gate->sock || genl_connect(gate->sock) < 0)
		goto fail;
	gate->family = genl_ctrl_resolve(gate->sock, CALLGATE_GENL_NAME);
	if (gate->family < 0)
		goto fail;
	setsockopt(gate_fd(gate), SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	gate->seq = 1000;
	return gate;

fail:
	gate_close(gate);
	errno = ENOENT;
	return NULL;
}

void gate_forget(struct gate *gate)
{
	struct event *event;

	/* Also those that are still in the socket. */
	while (gate_wait(gate, CALLGATE_CMD_UNSPEC, 0, NULL))
		;
	while ((event = gate->events)) {
		gate->events = event->next;
		free(event);
	}
}

void gate_close(struct gate *gate)
{
	struct event *event;

	if (!gate)
		return;
	while ((event = gate->events)) {
		gate->events = event->next;
		free(event);
	}
	if (gate->requests >= 0)
		close(gate->requests);
	nl_socket_free(gate->sock);
	free(gate);
}

struct gate *gate_open_bound(void)
{
	struct gate *gate = gate_open();
	int err;

	if (!gate) {
		harness_fail(__FILE__, __LINE__, "no family callgate: is the module loaded?");
		harness_end();
	}
	err = gate_bind(gate, NULL);
	if (err) {
		harness_fail(__FILE__, __LINE__, "bind: %s: %s", strerror(-err), gate->sentence);
		harness_end();
	}
	return gate;
}

int gate_fd(const struct gate *gate)
{
	return nl_socket_get_fd(gate->sock);
}

uint16_t gate_family(const struct gate *gate)
{
	return gate->family;
}

const char *gate_sentence(const struct gate *gate)
{
	return gate->sentence;
}

static void parse(struct nlmsghdr *header, struct gate_message *message)
{
	struct nlattr *attrs[CALLGATE_A_MAX + 1];
	int i;

	memset(message, 0, sizeof(*message));
	message->cmd = ((struct genlmsghdr *)nlmsg_data(header))->cmd;
	if (genlmsg_parse(header, 0, attrs, CALLGATE_A_MAX, NULL) < 0)
		return;
	for (i = 1; i <= CALLGATE_A_MAX; i++) {
		if (attrs[i])
			message->has |= 1ull << i;
	}
#define NUMBER(attr, field, bits)                                      \
	do {                                                           \
		if (attrs[attr])                                       \
			message->field = nla_get_u##bits(attrs[attr]); \
	} while (0)
#define STRING(attr, field)                                                               \
	do {                                                                              \
		if (attrs[attr])                                                          \
			nla_strlcpy(message->field, attrs[attr], sizeof(message->field)); \
	} while (0)
	NUMBER(CALLGATE_A_TGID, tgid, 32);
	NUMBER(CALLGATE_A_COOKIE, cookie, 64);
	NUMBER(CALLGATE_A_START_TIME, start_time, 64);
	NUMBER(CALLGATE_A_UID, uid, 32);
	NUMBER(CALLGATE_A_CGROUP, cgroup, 64);
	STRING(CALLGATE_A_EXE, exe);
	NUMBER(CALLGATE_A_TRACED, traced, 8);
	NUMBER(CALLGATE_A_DEVICE, device, 32);
	NUMBER(CALLGATE_A_KINDS, kinds, 32);
	STRING(CALLGATE_A_NAME, name);
	STRING(CALLGATE_A_NODE, node);
	NUMBER(CALLGATE_A_SESSION, session, 64);
	NUMBER(CALLGATE_A_GRANT, grant, 64);
	NUMBER(CALLGATE_A_DEADLINE, deadline, 64);
	NUMBER(CALLGATE_A_MODE, mode, 8);
	NUMBER(CALLGATE_A_OP, op, 8);
	NUMBER(CALLGATE_A_SINCE, since, 64);
	NUMBER(CALLGATE_A_REASON, reason, 8);
	NUMBER(CALLGATE_A_COUNT, count, 32);
	NUMBER(CALLGATE_A_REQUESTS_FD, requests_fd, 32);
	NUMBER(CALLGATE_A_STREAM, stream, 64);
	NUMBER(CALLGATE_A_STAT_CHECKS, checks, 64);
	NUMBER(CALLGATE_A_STAT_DENIED, denied, 64);
	NUMBER(CALLGATE_A_STAT_ASKED, asked, 64);
	NUMBER(CALLGATE_A_STAT_REVOKED, revoked, 64);
	NUMBER(CALLGATE_A_STAT_LOST, lost, 64);
#undef NUMBER
#undef STRING
}

/* The extended acknowledgement: attributes after the error and what it quotes. */
static void read_sentence(struct gate *gate, struct nlmsghdr *header)
{
	struct nlmsgerr *error = nlmsg_data(header);
	size_t skip = sizeof(*error);
	struct nlattr *attrs[NLMSGERR_ATTR_MAX + 1];
	int left;

	if (!(header->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	if (!(header->nlmsg_flags & NLM_F_CAPPED))
		skip += NLMSG_ALIGN(error->msg.nlmsg_len) - sizeof(error->msg);
	left = header->nlmsg_len - NLMSG_HDRLEN - NLMSG_ALIGN(skip);
	if (left <= 0)
		return;
	if (nla_parse(attrs, NLMSGERR_ATTR_MAX, (void *)((char *)error + NLMSG_ALIGN(skip)), left,
		      NULL) == 0 &&
	    attrs[NLMSGERR_ATTR_MSG])
		nla_strlcpy(gate->sentence, attrs[NLMSGERR_ATTR_MSG], sizeof(gate->sentence));
}

static void keep_event(struct gate *gate, struct nlmsghdr *header)
{
	struct event *event = calloc(1, sizeof(*event));
	struct event **last = &gate->events;

	ASSERT(event);
	parse(header, &event->message);
	/* The kernel's worker may tell the end of an earlier test's stream to this one's controller. */
	if (event->message.since && event->message.since < harness_begun()) {
		free(event);
		return;
	}
	while (*last)
		last = &(*last)->next;
	*last = event;
}

static void keep_object(struct answer *answer, struct nlmsghdr *header)
{
	struct gate_message *more;

	more = realloc(*answer->objects, (answer->count + 1) * sizeof(*more));
	ASSERT(more);
	parse(header, &more[answer->count++]);
	*answer->objects = more;
}

static void take(struct gate *gate, struct nlmsghdr *header, struct answer *answer)
{
	if (!answer || header->nlmsg_seq != answer->seq) {
		if (header->nlmsg_type == gate->family && header->nlmsg_seq == 0)
			keep_event(gate, header);
		return;
	}
	if (header->nlmsg_flags & NLM_F_DUMP_INTR)
		answer->interrupted = true;
	switch (header->nlmsg_type) {
	case NLMSG_ERROR:
		answer->err = ((struct nlmsgerr *)nlmsg_data(header))->error;
		read_sentence(gate, header);
		answer->done = true;
		break;
	case NLMSG_DONE:
		answer->err = *(int *)nlmsg_data(header);
		answer->done = true;
		break;
	default:
		if (answer->objects)
			keep_object(answer, header);
		else if (answer->reply)
			parse(header, answer->reply);
		break;
	}
}

/* Reads one datagram. False at the end of @ms. */
static bool receive(struct gate *gate, int ms, struct answer *answer)
{
	struct pollfd pfd = { .fd = gate_fd(gate), .events = POLLIN };
	struct nlmsghdr *header = (void *)gate->buffer;
	int left;

	if (poll(&pfd, 1, ms) <= 0)
		return false;
	left = recv(pfd.fd, gate->buffer, sizeof(gate->buffer), 0);
	if (left < 0)
		return errno == ENOBUFS || errno == EINTR;
	for (; nlmsg_ok(header, left); header = nlmsg_next(header, &left))
		take(gate, header, answer);
	return true;
}

static int transact(struct gate *gate, const void *bytes, size_t size, struct answer *answer)
{
	uint64_t end = harness_now() + REPLY_MS * 1000000ull;

	gate->sentence[0] = 0;
	if (send(gate_fd(gate), bytes, size, 0) < 0)
		return -errno;
	while (!answer->done) {
		if (harness_now() > end)
			return -ETIMEDOUT;
		receive(gate, 100, answer);
	}
	return answer->err;
}

struct nl_msg *gate_begin(struct gate *gate, uint8_t cmd, int flags)
{
	struct nl_msg *msg = nlmsg_alloc_size(BUFFER);

	ASSERT(msg);
	ASSERT(genlmsg_put(msg, NL_AUTO_PORT, ++gate->seq, gate->family, 0, NLM_F_REQUEST | flags,
			   cmd, CALLGATE_GENL_VERSION));
	return msg;
}

static int send_message(struct gate *gate, struct nl_msg *msg, struct answer *answer)
{
	struct nlmsghdr *header = nlmsg_hdr(msg);
	int err;

	header->nlmsg_pid = 0;
	answer->seq = header->nlmsg_seq;
	err = transact(gate, header, header->nlmsg_len, answer);
	nlmsg_free(msg);
	return err;
}

int gate_send(struct gate *gate, struct nl_msg *msg, struct gate_message *ret_reply)
{
	struct answer answer = { .reply = ret_reply };

	nlmsg_hdr(msg)->nlmsg_flags |= NLM_F_ACK;
	return send_message(gate, msg, &answer);
}

int gate_send_raw(struct gate *gate, const void *bytes, size_t size)
{
	struct answer answer = { .seq = ((const struct nlmsghdr *)bytes)->nlmsg_seq };

	return transact(gate, bytes, size, &answer);
}

int gate_bind(struct gate *gate, uint8_t *ret_mode)
{
	struct gate_message reply;
	int err = gate_send(gate, gate_begin(gate, CALLGATE_CMD_BIND, 0), &reply);

	if (!err && ret_mode)
		*ret_mode = reply.mode;
	return err;
}

int gate_identify(struct gate *gate, uint32_t tgid, struct gate_message *ret_identity)
{
	struct nl_msg *msg = gate_begin(gate, CALLGATE_CMD_IDENTIFY, 0);

	nla_put_u32(msg, CALLGATE_A_TGID, tgid);
	return gate_send(gate, msg, ret_identity);
}

int gate_grant(struct gate *gate, const struct gate_order *order, uint64_t *ret_grant)
{
	struct nl_msg *msg = gate_begin(gate, CALLGATE_CMD_GRANT, 0);
	struct gate_message reply = {};
	int err;

	nla_put_u64(msg, CALLGATE_A_SESSION, order->session);
	if (order->tgid)
		nla_put_u32(msg, CALLGATE_A_TGID, order->tgid);
	if (order->cookie)
		nla_put_u64(msg, CALLGATE_A_COOKIE, order->cookie);
	if (order->cgroup_fd >= 0)
		nla_put_u32(msg, CALLGATE_A_CGROUP_FD, order->cgroup_fd);
	if (order->has_uid)
		nla_put_u32(msg, CALLGATE_A_UID, order->uid);
	if (order->kinds)
		nla_put_u32(msg, CALLGATE_A_KINDS, order->kinds);
	if (order->has_device || order->device)
		nla_put_u32(msg, CALLGATE_A_DEVICE, order->device);
	if (order->deadline)
		nla_put_u64(msg, CALLGATE_A_DEADLINE, order->deadline);
	err = gate_send(gate, msg, &reply);
	if (!err && ret_grant)
		*ret_grant = reply.grant;
	return err;
}

int gate_allow_device(struct gate *gate, uint32_t tgid, uint64_t session, uint32_t kinds,
		      uint32_t device, unsigned int ms)
{
	struct gate_order order = { .session = session,
				    .tgid = tgid,
				    .cgroup_fd = -1,
				    .kinds = kinds,
				    .device = device,
				    .deadline = harness_now() + ms * 1000000ull };
	struct gate_message identity;
	int err;

	err = gate_identify(gate, tgid, &identity);
	if (err)
		return err;
	order.cookie = identity.cookie;
	return gate_grant(gate, &order, NULL);
}

int gate_allow(struct gate *gate, uint32_t tgid, uint64_t session, uint32_t kinds, unsigned int ms)
{
	return gate_allow_device(gate, tgid, session, kinds, 0, ms);
}

int gate_revoke(struct gate *gate, uint64_t grant, uint64_t session)
{
	struct nl_msg *msg = gate_begin(gate, CALLGATE_CMD_REVOKE, 0);

	if (grant)
		nla_put_u64(msg, CALLGATE_A_GRANT, grant);
	if (session)
		nla_put_u64(msg, CALLGATE_A_SESSION, session);
	return gate_send(gate, msg, NULL);
}

int gate_end(struct gate *gate, uint64_t session)
{
	int err = gate_revoke(gate, 0, session);

	return err == -ENOENT ? 0 : err;
}

int gate_requests(struct gate *gate)
{
	struct gate_message reply = {};
	int err = gate_send(gate, gate_begin(gate, CALLGATE_CMD_REQUESTS, 0), &reply);

	return err ?: (int)reply.requests_fd;
}

static int requests_of(struct gate *gate)
{
	if (gate->requests < 0)
		gate->requests = gate_requests(gate);
	ASSERT(gate->requests >= 0);
	return gate->requests;
}

bool gate_read(struct gate *gate, unsigned int ms, struct callgate_request *ret_request)
{
	struct pollfd pfd = { .fd = requests_of(gate), .events = POLLIN };

	*ret_request = (struct callgate_request){};
	return poll(&pfd, 1, (int)ms) == 1 && !ioctl(pfd.fd, CALLGATE_IOC_NEXT, ret_request);
}

int gate_verdict(struct gate *gate, uint64_t request, uint8_t verdict)
{
	struct callgate_request answer = { .id = request, .verdict = verdict };

	return ioctl(requests_of(gate), CALLGATE_IOC_ANSWER, &answer) ? -errno : 0;
}

int gate_held(struct gate *gate)
{
	struct callgate_request request;
	int count = 0;

	if (gate->requests >= 0)
		close(gate->requests);
	gate->requests = -1;
	while (gate_read(gate, 0, &request))
		count++;
	return count;
}

int gate_mode(struct gate *gate, int mode, uint8_t *ret_mode)
{
	struct nl_msg *msg = gate_begin(gate, CALLGATE_CMD_MODE, 0);
	struct gate_message reply = {};
	int err;

	if (mode >= 0)
		nla_put_u8(msg, CALLGATE_A_MODE, mode);
	err = gate_send(gate, msg, &reply);
	if (!err && ret_mode)
		*ret_mode = reply.mode;
	return err;
}

int gate_detach(struct gate *gate)
{
	return gate_send(gate, gate_begin(gate, CALLGATE_CMD_DETACH, 0), NULL);
}

int gate_stats(struct gate *gate, struct gate_message *ret_stats)
{
	return gate_send(gate, gate_begin(gate, CALLGATE_CMD_STATS_GET, 0), ret_stats);
}

int gate_dump(struct gate *gate, uint8_t cmd, struct gate_message **ret_objects)
{
	struct gate_message *objects = NULL;
	struct answer answer;
	int err;

	/* What changed meanwhile is read again. */
	do {
		free(objects);
		objects = NULL;
		answer = (struct answer){ .objects = &objects };
		err = send_message(gate, gate_begin(gate, cmd, NLM_F_DUMP), &answer);
	} while (!err && answer.interrupted);
	if (err) {
		free(objects);
		return err;
	}
	*ret_objects = objects;
	return answer.count;
}

uint32_t gate_device(struct gate *gate, const char *node)
{
	struct gate_message *devices;
	int count = gate_dump(gate, CALLGATE_CMD_DEVICE_GET, &devices);
	uint32_t id = 0;
	int i;

	for (i = 0; i < count; i++) {
		if (!strcmp(devices[i].node, node))
			id = devices[i].device;
	}
	if (count >= 0)
		free(devices);
	return id;
}

/* CALLGATE_CMD_UNSPEC takes any. */
static bool take_event(struct gate *gate, uint8_t cmd, struct gate_message *ret_event)
{
	struct event **link, *event;

	for (link = &gate->events; (event = *link); link = &event->next) {
		if (cmd != CALLGATE_CMD_UNSPEC && event->message.cmd != cmd)
			continue;
		if (ret_event)
			*ret_event = event->message;
		*link = event->next;
		free(event);
		return true;
	}
	return false;
}

bool gate_wait(struct gate *gate, uint8_t cmd, unsigned int ms, struct gate_message *ret_event)
{
	uint64_t end = harness_now() + ms * 1000000ull;
	int64_t left;

	while (!take_event(gate, cmd, ret_event)) {
		left = end - harness_now();
		if (!receive(gate, left > 0 ? left / 1000000 + 1 : 0, NULL) && left <= 0)
			return false;
	}
	return true;
}
