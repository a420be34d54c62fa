/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CALLGATE_RESTART_H
#define CALLGATE_RESTART_H

#include <stdbool.h>
#include <systemd/sd-bus.h>

/* Is this service being stopped in order to be started again? Anything but a clear yes is a no. */
bool restart_is_asked(sd_bus *bus);

#endif
