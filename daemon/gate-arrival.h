/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For gate.c: the news that the kernel's family is there. */
#ifndef CALLGATE_GATE_ARRIVAL_H
#define CALLGATE_GATE_ARRIVAL_H

#include <systemd/sd-event.h>

struct arrival;

/* @arrived is called from the event loop, once for each time. NULL where the kernel cannot be asked. */
struct arrival *arrival_new(sd_event *event, void (*arrived)(void *userdata), void *userdata);
/* Returns NULL. Not from inside @arrived. */
struct arrival *arrival_free(struct arrival *arrival);

#endif
