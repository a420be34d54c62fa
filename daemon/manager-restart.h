/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CALLGATE_MANAGER_RESTART_H
#define CALLGATE_MANAGER_RESTART_H

#include "bus.h"
#include "store.h"

/* Before the end: packs what can go on, ends the rest. Nothing of this process may be sent or granted afterwards. */
void manager_hand_over(struct service *service);
/* At the start, once the name is on the bus. */
void manager_take_over(struct service *service, struct store *store);

#endif
