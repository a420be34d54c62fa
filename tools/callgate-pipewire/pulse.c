// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pulse.h"

pid_t pulse_process(const struct graph *graph, const struct graph_client *client)
{
	return 0;
}
