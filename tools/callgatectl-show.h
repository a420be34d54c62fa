/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CALLGATE_CALLGATECTL_SHOW_H
#define CALLGATE_CALLGATECTL_SHOW_H

#include "callgatectl.h"

int show_peers(const struct ctl_request *request);
/* All properties of one object. */
int show_properties(struct client *client, const char *path, const char *interface,
		    struct client_dict *ret, sd_bus_error *error);

#endif
