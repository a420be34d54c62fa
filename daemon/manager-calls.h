/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CALLGATE_MANAGER_CALLS_H
#define CALLGATE_MANAGER_CALLS_H

#include "bus.h"

/* Their userdata is the struct service. */
extern const struct call_hooks manager_call_hooks;

#endif
