/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whose the clients of pipewire-pulse are. */
#ifndef CALLGATE_PULSE_H
#define CALLGATE_PULSE_H

#include "graph.h"

/*
 * Fills in, for each client of pipewire-pulse, the process at the other end of its connection (@behind); 0: it is not
 * known for certain. Takes as long as there are processes, clients and connections.
 */
void pulse_find(struct graph *graph);

#endif
