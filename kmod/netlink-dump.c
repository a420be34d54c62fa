// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dumps of devices, grants and streams.
 *
 * Owns nothing. Objects have ids that only grow, so a dump goes on after the
 * last id that it wrote, however long the reader took; the generation tells the
 * reader when it changed meanwhile. Started by the controller only; a part of
 * the answer that is read later goes to the socket that asked. Called by the
 * generic netlink core.
 */
#include "netlink.h"

#include <net/genetlink.h>

#include "event.h"
#include "grant.h"
#include "stream.h"

int callgate_dump_start(struct netlink_callback *cb)
{
	if (callgate_controller_is(NETLINK_CB(cb->skb).sk))
		return 0;
	NL_SET_ERR_MSG(cb->extack, "Only the bound controller may do this; bind first");
	return -EPERM;
}

/* The last id that was written, kept between two parts. */
static u64 *cursor(struct netlink_callback *cb)
{
	BUILD_BUG_ON(sizeof(u64) > sizeof(cb->ctx));
	return (u64 *)cb->ctx;
}

static void *begin(struct sk_buff *skb, struct netlink_callback *cb, u8 cmd)
{
	void *header = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
				   &callgate_family, NLM_F_MULTI, cmd);

	if (header)
		genl_dump_check_consistent(cb, header);
	return header;
}

/* Keeps the message that was begun, or takes it back when it did not fit. */
static bool finish(struct sk_buff *skb, struct netlink_callback *cb, void *header, int err, u64 id)
{
	if (!header)
		return false;
	if (err) {
		genlmsg_cancel(skb, header);
		return false;
	}
	genlmsg_end(skb, header);
	*cursor(cb) = id;
	return true;
}

int callgate_dump_devices(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct callgate_device *dev;
	bool more = true;
	void *header;

	cb->seq = callgate_device_generation();
	while (more && (dev = callgate_device_next(*cursor(cb)))) {
		header = begin(skb, cb, CALLGATE_CMD_DEVICE_GET);
		more = finish(skb, cb, header, header ? callgate_put_device(skb, dev) : 0, dev->id);
		callgate_device_put(dev);
	}
	return skb->len;
}

static int put_grant(struct sk_buff *skb, const struct callgate_grant_facts *facts)
{
	const struct callgate_rule *rule = &facts->rule;
	int err;

	err = nla_put_u64_64bit(skb, CALLGATE_A_GRANT, facts->id, CALLGATE_A_PAD) ||
	      nla_put_u64_64bit(skb, CALLGATE_A_SESSION, facts->session, CALLGATE_A_PAD) ||
	      nla_put_u32(skb, CALLGATE_A_UID, rule->uid) ||
	      nla_put_u32(skb, CALLGATE_A_KINDS, rule->kinds) ||
	      nla_put_u32(skb, CALLGATE_A_DEVICE, rule->device) ||
	      nla_put_u64_64bit(skb, CALLGATE_A_DEADLINE, rule->deadline, CALLGATE_A_PAD);
	if (err)
		return err;
	if (!rule->pid)
		return nla_put_u64_64bit(skb, CALLGATE_A_CGROUP, rule->cgroup, CALLGATE_A_PAD);
	return nla_put_u32(skb, CALLGATE_A_TGID, facts->tgid) ||
	       nla_put_u64_64bit(skb, CALLGATE_A_COOKIE, facts->cookie, CALLGATE_A_PAD);
}

struct grant_dump {
	struct sk_buff *skb;
	struct netlink_callback *cb;
};

static bool dump_grant(const struct callgate_grant_facts *facts, void *arg)
{
	struct grant_dump *dump = arg;
	void *header = begin(dump->skb, dump->cb, CALLGATE_CMD_GRANT_GET);

	return finish(dump->skb, dump->cb, header, header ? put_grant(dump->skb, facts) : 0,
		      facts->id);
}

int callgate_dump_grants(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct grant_dump dump = { .skb = skb, .cb = cb };

	cb->seq = callgate_grant_generation();
	callgate_grant_walk(*cursor(cb), dump_grant, &dump);
	return skb->len;
}

int callgate_dump_streams(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct callgate_capture capture;
	struct callgate_device *dev;
	bool more = true;
	void *header;
	int err;

	cb->seq = callgate_stream_generation();
	while (more && callgate_stream_next(*cursor(cb), &capture, &dev)) {
		header = begin(skb, cb, CALLGATE_CMD_STREAM_GET);
		err = header ? callgate_put_capture(skb, dev, &capture) : 0;
		more = finish(skb, cb, header, err, capture.id);
		callgate_who_put(&capture.who);
		callgate_device_put(dev);
	}
	return skb->len;
}
