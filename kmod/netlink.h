/* SPDX-License-Identifier: GPL-2.0-only */
/* The generic netlink family. */
#ifndef CALLGATE_NETLINK_H
#define CALLGATE_NETLINK_H

struct genl_family;
struct netlink_callback;
struct sk_buff;

extern struct genl_family callgate_family;

/* @detach: gives every device back; 0 or -EBUSY. Process context. */
int callgate_netlink_init(int (*detach)(void));
/* No command runs any more afterwards; the controller is unbound. */
void callgate_netlink_exit(void);

/* Dumps: netlink-dump.c. Each is a genl_ops.dumpit. */
int callgate_dump_devices(struct sk_buff *skb, struct netlink_callback *cb);
int callgate_dump_grants(struct sk_buff *skb, struct netlink_callback *cb);
int callgate_dump_streams(struct sk_buff *skb, struct netlink_callback *cb);
/* Their genl_ops.start: only the controller. */
int callgate_dump_start(struct netlink_callback *cb);

#endif
