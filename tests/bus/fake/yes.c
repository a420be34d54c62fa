// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * An agent that approves camera and microphone of every call, and says of every
 * number what it was told to. Owns nothing but its methods; whoever has its bus
 * serves it.
 */
#include "yes.h"

#define DAEMON "org.callgate1"

static int method_approve(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	return sd_bus_reply_method_return(m, "bu", 1, 3);
}

static int method_compare(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct yes *yes = userdata;

	yes->comparisons++;
	return sd_bus_reply_method_return(m, "s", yes->compared);
}

static int method_ignore(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	return sd_bus_reply_method_return(m, NULL);
}

static const sd_bus_vtable vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD("Approve", "oa{sv}", "bu", method_approve, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("Compare", "osa{sv}", "s", method_compare, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("Notify", "ssa{sv}", NULL, method_ignore, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("Cancel", "o", NULL, method_ignore, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_VTABLE_END,
};

int yes_register(struct yes *yes, sd_bus *bus)
{
	int r = sd_bus_add_object_vtable(bus, NULL, "/agent", DAEMON ".Agent", vtable, yes);

	if (r < 0)
		return r;
	return sd_bus_call_method(bus, DAEMON, "/org/callgate1", DAEMON ".Manager", "RegisterAgent",
				  NULL, NULL, "oa{sv}", "/agent", 0);
}
