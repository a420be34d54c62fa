/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The service manager's watchdog, which runs only while there is a session. */
#ifndef CALLGATE_WATCHDOG_H
#define CALLGATE_WATCHDOG_H

#include <stdint.h>
#include <systemd/sd-event.h>

/**
 * struct watchdog
 * @event: the loop that has to turn
 * @period: in µs, as the service manager said; 0: it does not watch
 * @sessions: that are open
 */
struct watchdog {
	sd_event *event;
	uint64_t period;
	unsigned int sessions;
};

/* The event loop stays the caller's. */
void watchdog_init(struct watchdog *watchdog, sd_event *event);
/* The service is up: says so, and that it sleeps until there is a session. */
void watchdog_ready(const struct watchdog *watchdog);
/* A session began; one ended. */
void watchdog_hold(struct watchdog *watchdog);
void watchdog_release(struct watchdog *watchdog);

#endif
