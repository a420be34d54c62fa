// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The commands that the daemon gives to the kernel, each made of attributes,
 * sent over gate.c's socket and answered before it returns. Owns nothing.
 * Called by manager.c. Must not take an error, or an answer that is not
 * complete, for a yes.
 */
#include "gate-private.h"

#include <errno.h>
#include <stdlib.h>

#define GRANTS_MAX 16384 /* as the kernel holds, kmod/limits.h */

int gate_set_mode(struct gate *gate, bool permissive)
{
	uint8_t wanted = permissive ? CALLGATE_MODE_PERMISSIVE : CALLGATE_MODE_ENFORCING;
	uint8_t got = UINT8_MAX;
	struct nl_msg *msg;
	int r;

	if (gate->sock == NULL)
		return -ENODEV;
	msg = gate_message(gate, CALLGATE_CMD_MODE, NLM_F_ACK);
	msg = gate_whole(msg, msg == NULL || nla_put_u8(msg, CALLGATE_A_MODE, wanted));
	r = gate_check_lost(gate, gate_command(gate, msg, gate_take_mode, &got), false);
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
	gate_parse_who(attrs, ret);
}

int gate_identify(struct gate *gate, pid_t pid, struct process_facts *ret_facts)
{
	struct process_facts facts = { .pid = 0 };
	struct nl_msg *msg;
	int r;

	if (gate->sock == NULL)
		return -ENODEV;
	msg = gate_message(gate, CALLGATE_CMD_IDENTIFY, NLM_F_ACK);
	msg = gate_whole(msg, msg == NULL || nla_put_u32(msg, CALLGATE_A_TGID, (uint32_t)pid));
	r = gate_check_lost(gate, gate_command(gate, msg, take_who, &facts), true);
	if (r < 0)
		return r;
	if (facts.pid != pid || facts.uid == (uid_t)-1)
		return -EIO;
	*ret_facts = facts;
	return 0;
}

static void take_id(struct gate *gate, struct nlattr **attrs, void *ret)
{
	*(uint64_t *)ret = gate_u64(attrs, CALLGATE_A_GRANT);
}

int gate_grant(struct gate *gate, const struct gate_grant *grant, uint64_t *ret_id)
{
	struct nl_msg *msg;
	uint64_t id = 0;
	int bad, r;

	if (gate->sock == NULL)
		return -ENODEV;
	msg = gate_message(gate, CALLGATE_CMD_GRANT, NLM_F_ACK);
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
	r = gate_check_lost(gate, gate_command(gate, gate_whole(msg, bad), take_id, &id),
			    grant->cgroup_fd < 0);
	if (r == 0 && ret_id != NULL)
		*ret_id = id;
	return r;
}

static int end_grants(struct gate *gate, int attribute, uint64_t value)
{
	struct nl_msg *msg;
	int r;

	if (gate->sock == NULL)
		return -ENODEV;
	msg = gate_message(gate, CALLGATE_CMD_REVOKE, NLM_F_ACK);
	msg = gate_whole(msg, msg == NULL || nla_put_u64(msg, attribute, value));
	r = gate_check_lost(gate, gate_command(gate, msg, NULL, NULL), false);
	return r == -ENOENT ? 0 : r;
}

int gate_revoke(struct gate *gate, uint64_t session)
{
	return end_grants(gate, CALLGATE_A_SESSION, session);
}

int gate_revoke_grant(struct gate *gate, uint64_t id)
{
	return end_grants(gate, CALLGATE_A_GRANT, id);
}

/* ---- grants of an earlier life ------------------------------------------------------------------- */

/**
 * struct grants - being collected: no command can be given in the middle of a dump
 * @full: there was no memory for one of them
 */
struct grants {
	struct gate_held *held;
	size_t n;
	bool full;
};

static void take_grant(struct gate *gate, struct nlattr **attrs, void *ret)
{
	struct grants *grants = ret;
	struct gate_held *grown;

	if (grants->n % 64 == 0) {
		grown = grants->n < GRANTS_MAX
				? reallocarray(grants->held, grants->n + 64, sizeof(*grown))
				: NULL;
		if (grown == NULL) {
			grants->full = true;
			return;
		}
		grants->held = grown;
	}
	grants->held[grants->n++] = (struct gate_held){
		.id = gate_u64(attrs, CALLGATE_A_GRANT),
		.session = gate_u64(attrs, CALLGATE_A_SESSION),
		.pid = (pid_t)gate_u32(attrs, CALLGATE_A_TGID),
		.cookie = gate_u64(attrs, CALLGATE_A_COOKIE),
		.cgroup = gate_u64(attrs, CALLGATE_A_CGROUP),
		.uid = attrs[CALLGATE_A_UID] != NULL ? gate_u32(attrs, CALLGATE_A_UID) : (uid_t)-1,
		.kinds = gate_u32(attrs, CALLGATE_A_KINDS),
	};
}

int gate_revoke_unknown(struct gate *gate,
			bool (*known)(void *userdata, const struct gate_held *held), void *userdata)
{
	struct grants grants = { .held = NULL };
	int r, failed = 0;

	if (gate->sock == NULL)
		return -ENODEV;
	r = gate_check_lost(gate,
			    gate_command(gate,
					 gate_message(gate, CALLGATE_CMD_GRANT_GET, NLM_F_DUMP),
					 take_grant, &grants),
			    false);
	for (size_t i = 0; i < grants.n; i++) {
		if (known(userdata, &grants.held[i]))
			continue;
		failed = gate_revoke_grant(gate, grants.held[i].id);
		if (failed < 0)
			r = failed;
	}
	free(grants.held);
	return r < 0 ? r : grants.full ? -ENOMEM : 0;
}
