// SPDX-License-Identifier: GPL-2.0-only
/*
 * The controller's socket, and what is written to it.
 *
 * Owns the fact who the controller is. Grants nothing: netlink.c asks here
 * whether a command came from the controller. Events are called for by workers,
 * and by device.c, in process context, and never
 * block on the reader: what does not fit into the socket's buffer is counted as
 * lost. A message is no larger than it must be: the kernel clears each when it is
 * made, and copies one that is mostly empty.
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

#define U32_ROOM     nla_total_size(sizeof(u32))
#define U64_ROOM     nla_total_size_64bit(sizeof(u64))
#define U8_ROOM	     nla_total_size(sizeof(u8))
/* Of everything but paths. */
#define WHO_ROOM     (2 * U32_ROOM + 2 * U64_ROOM)
#define CAPTURE_ROOM (4 * U64_ROOM + 2 * U32_ROOM + U8_ROOM + WHO_ROOM)
#define DENIED_ROOM  (3 * U32_ROOM + U8_ROOM + WHO_ROOM)
#define DEVICE_ROOM                                                                  \
	(2 * U32_ROOM + nla_total_size(sizeof_field(struct callgate_device, name)) + \
	 nla_total_size(sizeof_field(struct callgate_device, node)))

static const struct genl_family *family __read_mostly;

/* Written by callers that serialise; read anywhere. */
static struct sock *controller;
static u32 controller_port;
static unsigned long controller_generation;

void callgate_event_init(const struct genl_family *init_family)
{
	family = init_family;
}

int callgate_controller_bind(struct sock *sk, u32 portid)
{
	if (controller)
		return -EBUSY;
	sock_hold(sk);
	WRITE_ONCE(controller_generation, controller_generation + 1);
	WRITE_ONCE(controller, sk);
	/* Pairs with callgate_controller_generation(). */
	smp_store_release(&controller_port, portid);
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

unsigned long callgate_controller_generation(void)
{
	/* Who sees the port of a controller sees its generation. */
	return smp_load_acquire(&controller_port) ? READ_ONCE(controller_generation) : 0;
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

size_t callgate_path_room(const struct callgate_path *path)
{
	return path->name ? nla_total_size(path->len + 1) : 0;
}

/* Left out where it is unknown: it is for people only. */
int callgate_put_path(struct sk_buff *skb, const struct callgate_path *path)
{
	return path->name ? nla_put(skb, CALLGATE_A_EXE, path->len + 1, path->name) : 0;
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

static int put_capture(struct sk_buff *skb, const struct callgate_device *dev,
		       const struct callgate_capture *capture, const struct callgate_path *path)
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
	return callgate_put_path(skb, path) ? -EMSGSIZE : 0;
}

/* Who has ended was named when it began. */
static void capture_path(const struct callgate_capture *capture, struct callgate_path *ret_path)
{
	if (capture->reason)
		callgate_path_none(ret_path);
	else
		callgate_who_path(&capture->who, ret_path);
}

int callgate_put_capture(struct sk_buff *skb, const struct callgate_device *dev,
			 const struct callgate_capture *capture)
{
	struct callgate_path path;
	int err;

	capture_path(capture, &path);
	err = put_capture(skb, dev, capture, &path);
	callgate_path_end(&path);
	return err;
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

static int put_denied(struct sk_buff *skb, const struct callgate_device *dev,
		      const struct callgate_denied *denied, const struct callgate_path *path)
{
	return nla_put_u32(skb, CALLGATE_A_DEVICE, dev->id) ||
	       nla_put_u32(skb, CALLGATE_A_KINDS, dev->kinds) ||
	       nla_put_u8(skb, CALLGATE_A_OP, denied->op) || put_who(skb, &denied->who) ||
	       nla_put_u32(skb, CALLGATE_A_COUNT, denied->count) || callgate_put_path(skb, path);
}

int callgate_event_denied(const struct callgate_device *dev, const struct callgate_denied *denied)
{
	struct callgate_path path;
	struct sk_buff *skb;
	void *header;
	int err;

	if (!callgate_controller_present())
		return -ENOTCONN;
	callgate_who_path(&denied->who, &path);
	skb = begin(CALLGATE_CMD_DENIED_EVENT, DENIED_ROOM + callgate_path_room(&path), &header);
	err = finish(skb, header, skb ? put_denied(skb, dev, denied, &path) : 0);
	callgate_path_end(&path);
	return err;
}

int callgate_event_stream(const struct callgate_device *dev, const struct callgate_capture *capture)
{
	u8 cmd = capture->reason ? CALLGATE_CMD_STREAM_STOPPED_EVENT
				 : CALLGATE_CMD_STREAM_STARTED_EVENT;
	struct callgate_path path;
	struct sk_buff *skb;
	void *header;
	int err;

	if (!callgate_controller_present())
		return -ENOTCONN;
	capture_path(capture, &path);
	skb = begin(cmd, CAPTURE_ROOM + callgate_path_room(&path), &header);
	err = finish(skb, header, skb ? put_capture(skb, dev, capture, &path) : 0);
	callgate_path_end(&path);
	return err;
}

int callgate_event_device(const struct callgate_device *dev, bool added)
{
	u8 cmd = added ? CALLGATE_CMD_DEVICE_ADDED_EVENT : CALLGATE_CMD_DEVICE_REMOVED_EVENT;
	struct sk_buff *skb;
	void *header;

	if (!callgate_controller_present())
		return -ENOTCONN;
	skb = begin(cmd, DEVICE_ROOM, &header);
	return finish(skb, header, skb ? callgate_put_device(skb, dev) : 0);
}
