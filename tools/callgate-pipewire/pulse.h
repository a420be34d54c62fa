/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whose a client of pipewire-pulse is. */
#ifndef CALLGATE_PULSE_H
#define CALLGATE_PULSE_H

#include <sys/types.h>

#include "graph.h"

/* The process at the other end of the client's connection to pipewire-pulse; 0: it is not known for certain. */
pid_t pulse_process(const struct graph *graph, const struct graph_client *client);

#endif
