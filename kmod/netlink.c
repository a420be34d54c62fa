// SPDX-License-Identifier: GPL-2.0-only
/*
 * The generic netlink family: policies and commands.
 *
 * Owns nothing but the order of commands: one lock makes each command, and the
 * loss of the controller, happen before or after another. Parses, asks whether
 * the sender is the controller, calls one function, replies. callgate.yaml is
 * the manual. Called by the generic netlink core and by netlink's notifier.
 *
 * The family lives in the initial network namespace only. Binding needs
 * CAP_MAC_ADMIN of the process that opened the socket and of the one that
 * sends; every other command needs the bound socket, so that the daemon can drop
 * the capability. What a policy does not name is refused.
 */
#include "netlink.h"

#include <linux/cgroup.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <net/genetlink.h>
#include <net/net_namespace.h>

#include "check.h"
#include "event.h"
#include "grant.h"
#include "request.h"
#include "stats.h"
#include "subject.h"

/* Serialises commands and the controller's end; every other lock nests inside. */
static DEFINE_MUTEX(commands_lock);

static int (*detach_all)(void);

/* clang-format off */
#define POLICY(name) static const struct nla_policy name[CALLGATE_A_MAX + 1]

/* Names no attribute: each one is refused. */
POLICY(nothing_policy) = {
	[CALLGATE_A_UNSPEC] = { .type = NLA_REJECT },
};

POLICY(identify_policy) = {
	[CALLGATE_A_TGID] = NLA_POLICY_MIN(NLA_U32, 1),
};

POLICY(grant_policy) = {
	[CALLGATE_A_SESSION] = NLA_POLICY_MIN(NLA_U64, 1),
	[CALLGATE_A_TGID] = NLA_POLICY_MIN(NLA_U32, 1),
	[CALLGATE_A_COOKIE] = { .type = NLA_U64 },
	[CALLGATE_A_CGROUP_FD] = { .type = NLA_U32 },
	[CALLGATE_A_UID] = { .type = NLA_U32 },
	[CALLGATE_A_KINDS] = NLA_POLICY_RANGE(NLA_U32, 1, CALLGATE_KIND_ALL),
	[CALLGATE_A_DEVICE] = { .type = NLA_U32 },
	[CALLGATE_A_DEADLINE] = { .type = NLA_U64 },
	[CALLGATE_A_PAD] = { .type = NLA_UNSPEC },
};

POLICY(revoke_policy) = {
	[CALLGATE_A_GRANT] = NLA_POLICY_MIN(NLA_U64, 1),
	[CALLGATE_A_SESSION] = NLA_POLICY_MIN(NLA_U64, 1),
};

POLICY(mode_policy) = {
	[CALLGATE_A_MODE] = NLA_POLICY_MAX(NLA_U8, CALLGATE_MODE_PERMISSIVE),
};

/* clang-format on */

static int refuse(struct genl_info *info, int err, const char *sentence)
{
	if (info->extack)
		info->extack->_msg = sentence;
	return err;
}

/* Takes the lock when the sender is the controller. */
static int enter(struct sk_buff *skb, struct genl_info *info)
{
	mutex_lock(&commands_lock);
	if (callgate_controller_is(NETLINK_CB(skb).sk))
		return 0;
	mutex_unlock(&commands_lock);
	return refuse(info, -EPERM, "Only the bound controller may do this; bind first");
}

static int leave(int err)
{
	mutex_unlock(&commands_lock);
	return err;
}

static struct sk_buff *reply_new(struct genl_info *info, size_t room, void **ret_header)
{
	struct sk_buff *skb = genlmsg_new(room, GFP_KERNEL);

	if (skb)
		*ret_header = genlmsg_put_reply(skb, info, &callgate_family, 0, info->genlhdr->cmd);
	return skb;
}

/* @err: of writing it. */
static int reply_send(struct sk_buff *skb, void *header, struct genl_info *info, int err)
{
	if (err) {
		nlmsg_free(skb);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, header);
	return genlmsg_reply(skb, info);
}

static struct sk_buff *mode_reply_new(struct genl_info *info, void **ret_header)
{
	return reply_new(info, nla_total_size(sizeof(u8)), ret_header);
}

static int mode_reply_send(struct sk_buff *skb, void *header, struct genl_info *info)
{
	u8 mode = callgate_check_permissive() ? CALLGATE_MODE_PERMISSIVE : CALLGATE_MODE_ENFORCING;

	return reply_send(skb, header, info, nla_put_u8(skb, CALLGATE_A_MODE, mode));
}

static void unbind(void)
{
	lockdep_assert_held(&commands_lock);
	callgate_controller_unbind();
	callgate_request_cancel(NULL);
}

/* Who was told that it is not the controller must not be it. */
static int bind_and_reply(struct sk_buff *skb, struct genl_info *info)
{
	struct sk_buff *reply;
	void *header;
	int err;

	reply = mode_reply_new(info, &header);
	if (!reply)
		return -ENOMEM;
	err = callgate_controller_bind(NETLINK_CB(skb).sk, info->snd_portid);
	if (err) {
		nlmsg_free(reply);
		return refuse(info, err, "Another socket is the controller; close it first");
	}
	err = mode_reply_send(reply, header, info);
	if (err)
		unbind();
	return err;
}

static int cmd_bind(struct sk_buff *skb, struct genl_info *info)
{
	int err;

	if (!netlink_capable(skb, CAP_MAC_ADMIN))
		return refuse(info, -EPERM, "Binding needs CAP_MAC_ADMIN");
	mutex_lock(&commands_lock);
	if (callgate_controller_is(NETLINK_CB(skb).sk))
		err = refuse(info, -EBUSY, "This socket is the controller already");
	else
		err = bind_and_reply(skb, info);
	mutex_unlock(&commands_lock);
	return err;
}

static int reply_identity(struct genl_info *info, const struct callgate_identity *identity)
{
	size_t room = 2 * nla_total_size(sizeof(u32)) + 3 * nla_total_size_64bit(sizeof(u64)) +
		      nla_total_size(sizeof(u8));
	struct callgate_path path;
	struct sk_buff *skb;
	void *header;
	int err = -ENOMEM;

	callgate_path_of(identity->exe, &path);
	skb = reply_new(info, room + callgate_path_room(&path), &header);
	if (!skb)
		goto end_path;
	err = nla_put_u32(skb, CALLGATE_A_TGID, identity->tgid) ||
	      nla_put_u64_64bit(skb, CALLGATE_A_COOKIE, identity->cookie, CALLGATE_A_PAD) ||
	      nla_put_u64_64bit(skb, CALLGATE_A_START_TIME, identity->start_time, CALLGATE_A_PAD) ||
	      nla_put_u32(skb, CALLGATE_A_UID, identity->uid) ||
	      nla_put_u64_64bit(skb, CALLGATE_A_CGROUP, identity->cgroup, CALLGATE_A_PAD) ||
	      nla_put_u8(skb, CALLGATE_A_TRACED, identity->traced) || callgate_put_path(skb, &path);
	err = reply_send(skb, header, info, err);
end_path:
	callgate_path_end(&path);
	return err;
}

static int cmd_identify(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *tgid = info->attrs[CALLGATE_A_TGID];
	struct callgate_identity identity;
	int err;

	err = enter(skb, info);
	if (err)
		return err;
	if (!tgid)
		return leave(refuse(info, -EINVAL, "identify needs tgid"));
	err = callgate_subject_identify(nla_get_u32(tgid), &identity, info->extack);
	if (!err) {
		err = reply_identity(info, &identity);
		callgate_identity_put(&identity);
	}
	return leave(err);
}

static int renew(struct genl_info *info, const struct callgate_grant_order *order)
{
	struct sk_buff *skb;
	void *header;
	u64 id;
	int err;

	/* First what can fail, so that a grant that is made is also known. */
	skb = reply_new(info, nla_total_size_64bit(sizeof(id)), &header);
	if (!skb)
		return -ENOMEM;
	err = callgate_grant_renew(order, &id, info->extack);
	if (err) {
		nlmsg_free(skb);
		return err;
	}
	return reply_send(skb, header, info,
			  nla_put_u64_64bit(skb, CALLGATE_A_GRANT, id, CALLGATE_A_PAD));
}

static int renew_process(struct genl_info *info, struct callgate_grant_order *order)
{
	struct nlattr *uid = info->attrs[CALLGATE_A_UID];
	struct callgate_identity identity;
	int err;

	if (!info->attrs[CALLGATE_A_TGID] || !info->attrs[CALLGATE_A_COOKIE])
		return refuse(info, -EINVAL, "A grant needs tgid and cookie, or cgroup-fd and uid");
	err = callgate_subject_identify(nla_get_u32(info->attrs[CALLGATE_A_TGID]), &identity,
					info->extack);
	if (err)
		return err;
	order->process = &identity;
	if (identity.cookie != nla_get_u64(info->attrs[CALLGATE_A_COOKIE]))
		err = refuse(info, -ESRCH,
			     "The process has called exec or is another one; identify it again");
	else if (uid && nla_get_u32(uid) != identity.uid)
		err = refuse(info, -EINVAL, "The process has another uid");
	else
		err = renew(info, order);
	callgate_identity_put(&identity);
	return err;
}

static int renew_cgroup(struct genl_info *info, struct callgate_grant_order *order)
{
	int err;

	if (info->attrs[CALLGATE_A_TGID] || info->attrs[CALLGATE_A_COOKIE])
		return refuse(info, -EINVAL, "A grant is for a process or for a cgroup, not both");
	if (!info->attrs[CALLGATE_A_UID])
		return refuse(info, -EINVAL, "A grant for a cgroup needs uid");
	order->uid = nla_get_u32(info->attrs[CALLGATE_A_UID]);
	order->cgroup = callgate_subject_cgroup(nla_get_u32(info->attrs[CALLGATE_A_CGROUP_FD]),
						info->extack);
	if (IS_ERR(order->cgroup))
		return PTR_ERR(order->cgroup);
	err = renew(info, order);
	cgroup_put(order->cgroup);
	return err;
}

static int order_grant(struct genl_info *info)
{
	struct nlattr **attrs = info->attrs;
	struct callgate_grant_order order = {};
	u32 kinds, device;

	if (!attrs[CALLGATE_A_SESSION] || !attrs[CALLGATE_A_DEADLINE])
		return refuse(info, -EINVAL, "A grant needs session and deadline");
	order.session = nla_get_u64(attrs[CALLGATE_A_SESSION]);
	order.deadline = nla_get_u64(attrs[CALLGATE_A_DEADLINE]);
	if (attrs[CALLGATE_A_KINDS]) {
		kinds = nla_get_u32(attrs[CALLGATE_A_KINDS]);
		order.kinds = &kinds;
	}
	if (attrs[CALLGATE_A_DEVICE]) {
		device = nla_get_u32(attrs[CALLGATE_A_DEVICE]);
		order.device = &device;
		if (device && !callgate_device_exists(device))
			return refuse(info, -ENODEV, "No gated device has this id");
	}
	if (attrs[CALLGATE_A_CGROUP_FD])
		return renew_cgroup(info, &order);
	return renew_process(info, &order);
}

static int cmd_grant(struct sk_buff *skb, struct genl_info *info)
{
	int err = enter(skb, info);

	return err ?: leave(order_grant(info));
}

static int cmd_revoke(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *id = info->attrs[CALLGATE_A_GRANT];
	struct nlattr *session = info->attrs[CALLGATE_A_SESSION];
	int err;

	err = enter(skb, info);
	if (err)
		return err;
	if (!id == !session)
		return leave(refuse(info, -EINVAL, "revoke needs one of grant and session"));
	err = callgate_grant_revoke(id ? nla_get_u64(id) : 0, session ? nla_get_u64(session) : 0);
	if (err)
		refuse(info, err, "No such grant is in force");
	return leave(err);
}

/* The file is the sender's only when the answer that names it is on its way. */
static int reply_requests(struct genl_info *info, int fd, struct file *file)
{
	struct sk_buff *skb;
	void *header;
	int err;

	skb = reply_new(info, nla_total_size(sizeof(u32)), &header);
	if (!skb)
		return -ENOMEM;
	err = reply_send(skb, header, info, nla_put_u32(skb, CALLGATE_A_REQUESTS_FD, fd));
	if (!err)
		fd_install(fd, file);
	return err;
}

static int open_requests(struct genl_info *info)
{
	struct file *file;
	int err, fd;

	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return refuse(info, fd, "No more files can be opened here");
	file = callgate_request_open();
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		return PTR_ERR(file);
	}
	err = reply_requests(info, fd, file);
	if (err) {
		put_unused_fd(fd);
		fput(file);
	}
	return err;
}

static int cmd_requests(struct sk_buff *skb, struct genl_info *info)
{
	int err = enter(skb, info);

	return err ?: leave(open_requests(info));
}

/* First what can fail: the gate is not opened by an order that was answered with an error. */
static int set_mode(struct nlattr *mode, struct genl_info *info)
{
	bool was_permissive = callgate_check_permissive();
	struct sk_buff *reply;
	void *header;
	int err;

	reply = mode_reply_new(info, &header);
	if (!reply)
		return -ENOMEM;
	if (mode)
		callgate_check_set_permissive(nla_get_u8(mode) == CALLGATE_MODE_PERMISSIVE);
	err = mode_reply_send(reply, header, info);
	if (err && !was_permissive && callgate_check_permissive())
		callgate_check_set_permissive(false);
	return err;
}

static int cmd_mode(struct sk_buff *skb, struct genl_info *info)
{
	int err = enter(skb, info);

	return err ?: leave(set_mode(info->attrs[CALLGATE_A_MODE], info));
}

static int cmd_detach(struct sk_buff *skb, struct genl_info *info)
{
	int err;

	err = enter(skb, info);
	if (err)
		return err;
	err = detach_all();
	if (err)
		refuse(info, err,
		       "A gated file is open, or another module sits on top of the gate");
	return leave(err);
}

static int cmd_stats(struct sk_buff *skb, struct genl_info *info)
{
	static const u16 attr[CALLGATE_STAT_COUNT] = {
		[CALLGATE_STAT_CHECKS] = CALLGATE_A_STAT_CHECKS,
		[CALLGATE_STAT_DENIED] = CALLGATE_A_STAT_DENIED,
		[CALLGATE_STAT_ASKED] = CALLGATE_A_STAT_ASKED,
		[CALLGATE_STAT_REVOKED] = CALLGATE_A_STAT_REVOKED,
		[CALLGATE_STAT_LOST] = CALLGATE_A_STAT_LOST,
	};
	struct sk_buff *reply;
	void *header;
	int err;
	int i;

	err = enter(skb, info);
	if (err)
		return err;
	reply = reply_new(info, CALLGATE_STAT_COUNT * nla_total_size_64bit(sizeof(u64)), &header);
	if (!reply)
		return leave(-ENOMEM);
	for (i = 0; !err && i < CALLGATE_STAT_COUNT; i++)
		err = nla_put_u64_64bit(reply, attr[i], callgate_stat_sum(i), CALLGATE_A_PAD);
	return leave(reply_send(reply, header, info, err));
}

/* clang-format off */
#define COMMAND(_cmd, _doit, _policy) \
	{ .cmd = (_cmd), .doit = (_doit), .policy = (_policy), .maxattr = CALLGATE_A_MAX }
#define DUMP(_cmd, _dumpit) \
	{ .cmd = (_cmd), .start = callgate_dump_start, .dumpit = (_dumpit), \
	  .policy = nothing_policy, .maxattr = CALLGATE_A_MAX }

static const struct genl_ops ops[] = {
	COMMAND(CALLGATE_CMD_BIND, cmd_bind, nothing_policy),
	COMMAND(CALLGATE_CMD_IDENTIFY, cmd_identify, identify_policy),
	COMMAND(CALLGATE_CMD_GRANT, cmd_grant, grant_policy),
	COMMAND(CALLGATE_CMD_REVOKE, cmd_revoke, revoke_policy),
	COMMAND(CALLGATE_CMD_REQUESTS, cmd_requests, nothing_policy),
	COMMAND(CALLGATE_CMD_MODE, cmd_mode, mode_policy),
	COMMAND(CALLGATE_CMD_DETACH, cmd_detach, nothing_policy),
	COMMAND(CALLGATE_CMD_STATS_GET, cmd_stats, nothing_policy),
	DUMP(CALLGATE_CMD_DEVICE_GET, callgate_dump_devices),
	DUMP(CALLGATE_CMD_GRANT_GET, callgate_dump_grants),
	DUMP(CALLGATE_CMD_STREAM_GET, callgate_dump_streams),
};

/* clang-format on */

/* No groups. The reserved header fields are checked for every command (resv_start_op is 0). */
struct genl_family callgate_family __ro_after_init = {
	.name = CALLGATE_GENL_NAME,
	.version = CALLGATE_GENL_VERSION,
	.maxattr = CALLGATE_A_MAX,
	.netnsok = false,
	.parallel_ops = true, /* ours is the lock: other families cannot hold up the controller */
	.module = THIS_MODULE,
	.ops = ops,
	.n_ops = ARRAY_SIZE(ops),
};

/* Grants run to their deadline: a daemon that is restarted takes them up again. */
static int socket_released(struct notifier_block *unused, unsigned long event, void *data)
{
	const struct netlink_notify *notify = data;

	if (event != NETLINK_URELEASE || notify->protocol != NETLINK_GENERIC ||
	    !net_eq(notify->net, &init_net) || !callgate_controller_has(notify->portid))
		return NOTIFY_DONE;
	mutex_lock(&commands_lock);
	if (callgate_controller_has(notify->portid))
		unbind();
	mutex_unlock(&commands_lock);
	return NOTIFY_DONE;
}

static struct notifier_block notifier = { .notifier_call = socket_released };

int callgate_netlink_init(int (*detach)(void))
{
	int err;

	detach_all = detach;
	callgate_event_init(&callgate_family);
	err = netlink_register_notifier(&notifier);
	if (err)
		return err;
	err = genl_register_family(&callgate_family);
	if (err)
		netlink_unregister_notifier(&notifier);
	return err;
}

void callgate_netlink_exit(void)
{
	genl_unregister_family(&callgate_family);
	netlink_unregister_notifier(&notifier);
	mutex_lock(&commands_lock);
	unbind();
	mutex_unlock(&commands_lock);
}
