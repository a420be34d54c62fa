// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Owns whether the service manager watches this daemon. Called by main.c and
 * manager.c. Must not know what a session is.
 *
 * A daemon without a session sleeps, which a watchdog would forbid; and one that
 * hangs then holds nothing open. With a session it could keep a capture
 * running until its deadline, so that is when it is watched.
 */
#include "watchdog.h"

#include <inttypes.h>
#include <stdbool.h>
#include <systemd/sd-daemon.h>

void watchdog_init(struct watchdog *watchdog, sd_event *event)
{
	*watchdog = (struct watchdog){ .event = event };
	if (sd_watchdog_enabled(0, &watchdog->period) <= 0)
		watchdog->period = 0;
}

void watchdog_ready(const struct watchdog *watchdog)
{
	if (watchdog->period > 0 && watchdog->sessions == 0)
		sd_notify(0, "READY=1\nWATCHDOG_USEC=0");
	else
		sd_notify(0, "READY=1");
}

void watchdog_hold(struct watchdog *watchdog)
{
	if (watchdog->sessions++ > 0 || watchdog->period == 0)
		return;
	/* Asked for first: the loop's first sign of life has to count. */
	sd_notifyf(0, "WATCHDOG_USEC=%" PRIu64, watchdog->period);
	sd_event_set_watchdog(watchdog->event, true);
}

void watchdog_release(struct watchdog *watchdog)
{
	if (watchdog->sessions == 0 || --watchdog->sessions > 0 || watchdog->period == 0)
		return;
	sd_notify(0, "WATCHDOG_USEC=0");
	sd_event_set_watchdog(watchdog->event, false);
}
