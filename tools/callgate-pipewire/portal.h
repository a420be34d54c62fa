/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which process a client is that the desktop's portal has connected and handed on. */
#ifndef CALLGATE_PORTAL_H
#define CALLGATE_PORTAL_H

#include "graph.h"

/* Fills in who is behind each client of a portal's; 0: not known for certain. */
void portal_find(struct graph *graph);

#endif
