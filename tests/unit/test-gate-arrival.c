// SPDX-License-Identifier: LGPL-2.1-or-later
/* News of netlink families, from the kernel's own group; but root sends them, in a network namespace of its own. */
#include "unit.h"

#include <linux/genetlink.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>
#include <sched.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "callgate.h"
#include "gate-arrival.h"

#define NONE_US 200000
#define SOME_US 20000000

static sd_event *loop;
static unsigned int arrived;

static void on_arrived(void *userdata)
{
	assert_ptr_equal(userdata, &arrived);
	arrived++;
}

/* What the kernel sends when a family comes. */
static void announce(uint8_t cmd, const char *family)
{
	struct nl_sock *sock = nl_socket_alloc();
	struct nl_msg *msg = nlmsg_alloc();

	assert_true(sock != NULL && msg != NULL);
	assert_int_equal(genl_connect(sock), 0);
	nl_socket_set_peer_groups(sock,
				  1u << (genl_ctrl_resolve_grp(sock, "nlctrl", "notify") - 1));
	assert_non_null(genlmsg_put(msg, 0, 0, GENL_ID_CTRL, 0, 0, cmd, 2));
	if (family != NULL)
		assert_int_equal(nla_put_string(msg, CTRL_ATTR_FAMILY_NAME, family), 0);
	assert_true(nl_send_auto(sock, msg) >= 0);
	nlmsg_free(msg);
	nl_socket_free(sock);
}

/* How often it was heard, once nothing more comes. */
static unsigned int heard(unsigned int wanted)
{
	arrived = 0;
	while (arrived < wanted && sd_event_run(loop, SOME_US) > 0)
		;
	while (sd_event_run(loop, NONE_US) > 0)
		;
	return arrived;
}

static void the_family_is_heard_of_each_time(void **state)
{
	struct arrival *arrival = arrival_new(loop, on_arrived, &arrived);

	assert_non_null(arrival);
	announce(CTRL_CMD_NEWFAMILY, CALLGATE_GENL_NAME);
	assert_int_equal(heard(1), 1);
	announce(CTRL_CMD_NEWFAMILY, CALLGATE_GENL_NAME);
	assert_int_equal(heard(1), 1);
	arrival_free(arrival);
}

static void nothing_else_is(void **state)
{
	struct arrival *arrival = arrival_new(loop, on_arrived, &arrived);

	assert_non_null(arrival);
	announce(CTRL_CMD_NEWFAMILY, "callgated");
	announce(CTRL_CMD_NEWFAMILY, "callgat");
	announce(CTRL_CMD_NEWFAMILY, NULL);
	announce(CTRL_CMD_DELFAMILY, CALLGATE_GENL_NAME);
	assert_int_equal(heard(0), 0);
	announce(CTRL_CMD_NEWFAMILY, CALLGATE_GENL_NAME);
	assert_int_equal(heard(1), 1);
	arrival_free(arrival);
}

int main(void)
{
	struct unit u = {};
	int r;

	if (geteuid() != 0 || unshare(CLONE_NEWNET) < 0) {
		unit_skip(&u, "news of netlink families", "needs root, for a network namespace");
		return unit_run(&u);
	}
	assert_true(sd_event_new(&loop) >= 0);
	UNIT(&u, the_family_is_heard_of_each_time);
	UNIT(&u, nothing_else_is);
	r = unit_run(&u);
	sd_event_unref(loop);
	return r;
}
