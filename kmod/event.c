// SPDX-License-Identifier: GPL-2.0-only
/*
 * The controller's socket, and what is written to it.
 *
 * Owns the fact who the controller is. Grants nothing: netlink.c asks here
 * whether a command came from the controller. Events are called for by workers
 * and by device.c, in process context, and never block on the reader: what does
 * not fit into the socket's buffer is counted as lost.
 *
 * Authority hangs on the struct sock, which is held and so cannot become another
 * one, not on the port number: a socket that is being closed gives its number
 * free before anyone is told. Events go to one port and to no group, because any
 * local process may join a group.
 */
#include "event.h"

#include <net/genetlink.h>
#include <net/net_namespace.h>
#include <net/sock.h>

#include "stats.h"

/* Room for every attribute but the path. */
#define MESSAGE_ROOM 384

static const struct genl_family *family __read_mostly;

/* Written by callers that serialise; read anywhere. */
static struct sock *controller;
static u32 controller_port;

void callgate_event_init(const struct genl_family *init_family)
{
	family = init_family;
}

int callgate_controller_bind(struct sock *sk, u32 portid)
{
	if (controller)
		return -EBUSY;
	sock_hold(sk);
	WRITE_ONCE(controller, sk);
	WRITE_ONCE(controller_port, portid);
	return 0;
}

void callgate_controller_unbind(void)
{
	struct sock *sk = controller;

	WRITE_ONCE(controller_port, 0);
	WRITE_ONCE(controller, NULL);
	if (sk)
		sock_put(sk);
}

bool callgate_controller_present(void)
{
	return READ_ONCE(controller_port) != 0;
}

bool callgate_controller_has(u32 portid)
{
	return portid && READ_ONCE(controller_port) == portid;
}

bool callgate_controller_is(const struct sock *sk)
{
	return sk && READ_ONCE(controller) == sk;
}

static int put_u64(struct sk_buff *skb, int attr, u64 value)
{
	return nla_put_u64_64bit(skb, attr, value, CALLGATE_A_PAD);
}

static int put_who(struct sk_buff *skb, const struct callgate_who *who)
{
	return nla_put_u32(skb, CALLGATE_A_TGID, pid_nr(who->pid)) ||
	       put_u64(skb, CALLGATE_A_COOKIE, who->cookie) ||
	       nla_put_u32(skb, CALLGATE_A_UID, who->image.uid) ||
	       put_u64(skb, CALLGATE_A_CGROUP, who->image.cgroup);
}

/* The path is left out where it is unknown or memory is short: it is for people only. */
static int put_exe(struct sk_buff *skb, const struct callgate_who *who)
{
	char *buf = kmalloc(CALLGATE_PATH_MAX + 1, GFP_KERNEL);
	const char *path;
	int err = 0;

	if (!buf)
		return 0;
	path = callgate_who_path(who, buf);
	if (path)
		err = nla_put_string(skb, CALLGATE_A_EXE, path);
	kfree(buf);
	return err;
}

int callgate_put_device(struct sk_buff *skb, const struct callgate_device *dev)
{
	if (nla_put_u32(skb, CALLGATE_A_DEVICE, dev->id) ||
	    nla_put_u32(skb, CALLGATE_A_KINDS, dev->kinds) ||
	    nla_put_string(skb, CALLGATE_A_NAME, dev->name) ||
	    nla_put_string(skb, CALLGATE_A_NODE, dev->node))
		return -EMSGSIZE;
	return 0;
}

int callgate_put_held(struct sk_buff *skb, const struct callgate_held *held)
{
	if (put_u64(skb, CALLGATE_A_REQUEST, held->id) ||
	    nla_put_u32(skb, CALLGATE_A_DEVICE, held->device) ||
	    nla_put_u32(skb, CALLGATE_A_KINDS, held->kinds) ||
	    nla_put_u8(skb, CALLGATE_A_OP, held->op) || put_who(skb, &held->who) ||
	    put_u64(skb, CALLGATE_A_SINCE, held->since) || put_exe(skb, &held->who))
		return -EMSGSIZE;
	return 0;
}

int callgate_put_capture(struct sk_buff *skb, const struct callgate_device *dev,
			 const struct callgate_capture *capture)
{
	if (put_u64(skb, CALLGATE_A_STREAM, capture->id) ||
	    nla_put_u32(skb, CALLGATE_A_DEVICE, dev->id) ||
	    nla_put_u32(skb, CALLGATE_A_KINDS, dev->kinds) || put_who(skb, &capture->who) ||
	    put_u64(skb, CALLGATE_A_SINCE, capture->since))
		return -EMSGSIZE;
	if (capture->grant && (put_u64(skb, CALLGATE_A_GRANT, capture->grant) ||
			       put_u64(skb, CALLGATE_A_SESSION, capture->session)))
		return -EMSGSIZE;
	if (capture->reason && nla_put_u8(skb, CALLGATE_A_REASON, capture->reason))
		return -EMSGSIZE;
	if (!capture->reason && put_exe(skb, &capture->who))
		return -EMSGSIZE;
	return 0;
}

static struct sk_buff *begin(u8 cmd, size_t room, void **ret_header)
{
	struct sk_buff *skb = genlmsg_new(room, GFP_KERNEL);

	if (!skb)
		return NULL;
	*ret_header = genlmsg_put(skb, 0, 0, family, 0, cmd);
	return skb;
}

/* Sends or frees @skb. @err: of writing it. */
static int finish(struct sk_buff *skb, void *header, int err)
{
	u32 port = READ_ONCE(controller_port);

	if (!port) {
		nlmsg_free(skb);
		return -ENOTCONN;
	}
	if (skb && !err) {
		genlmsg_end(skb, header);
		err = genlmsg_unicast(&init_net, skb, port);
	} else {
		nlmsg_free(skb);
		err = -ENOMEM;
	}
	if (err)
		callgate_stat_inc(CALLGATE_STAT_LOST);
	return err;
}

int callgate_event_request(const struct callgate_held *held)
{
	struct sk_buff *skb;
	void *header;

	if (!callgate_controller_present())
		return -ENOTCONN;
	skb = begin(CALLGATE_CMD_REQUEST_EVENT, MESSAGE_ROOM + CALLGATE_PATH_MAX, &header);
	return finish(skb, header, skb ? callgate_put_held(skb, held) : 0);
}

int callgate_event_denied(const struct callgate_device *dev, const struct callgate_denied *denied)
{
	struct sk_buff *skb;
	void *header;
	int err = 0;

	if (!callgate_controller_present())
		return -ENOTCONN;
	skb = begin(CALLGATE_CMD_DENIED_EVENT, MESSAGE_ROOM + CALLGATE_PATH_MAX, &header);
	if (skb)
		err = nla_put_u32(skb, CALLGATE_A_DEVICE, dev->id) ||
		      nla_put_u32(skb, CALLGATE_A_KINDS, dev->kinds) ||
		      nla_put_u8(skb, CALLGATE_A_OP, denied->op) || put_who(skb, &denied->who) ||
		      nla_put_u32(skb, CALLGATE_A_COUNT, denied->count) ||
		      put_exe(skb, &denied->who);
	return finish(skb, header, err);
}

int callgate_event_stream(const struct callgate_device *dev, const struct callgate_capture *capture)
{
	u8 cmd = capture->reason ? CALLGATE_CMD_STREAM_STOPPED_EVENT
				 : CALLGATE_CMD_STREAM_STARTED_EVENT;
	struct sk_buff *skb;
	void *header;

	if (!callgate_controller_present())
		return -ENOTCONN;
	skb = begin(cmd, MESSAGE_ROOM + CALLGATE_PATH_MAX, &header);
	return finish(skb, header, skb ? callgate_put_capture(skb, dev, capture) : 0);
}

int callgate_event_device(const struct callgate_device *dev, bool added)
{
	u8 cmd = added ? CALLGATE_CMD_DEVICE_ADDED_EVENT : CALLGATE_CMD_DEVICE_REMOVED_EVENT;
	struct sk_buff *skb;
	void *header;

	if (!callgate_controller_present())
		return -ENOTCONN;
	skb = begin(cmd, MESSAGE_ROOM, &header);
	return finish(skb, header, skb ? callgate_put_device(skb, dev) : 0);
}
