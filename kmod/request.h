/* SPDX-License-Identifier: GPL-2.0-only */
/* Held callers: the kernel asks, the controller answers. */
#ifndef CALLGATE_REQUEST_H
#define CALLGATE_REQUEST_H

#include "device.h"
#include "event.h"

/*
 * callgate_request_hold() - hold current until the controller has answered
 * 0: it says allow, which proves nothing yet: check again. -EACCES: it says
 * deny, did not see the request in time, went away, or the device did. -EBUSY:
 * a cap is reached. -ENOTCONN: nobody to ask. -ERESTARTSYS: killed. Sleeps,
 * killable and freezable, no lock held. Allocates the event, and denies without it.
 */
int __must_check callgate_request_hold(struct callgate_device *dev, u8 op);

/* The controller acknowledges. -ENOENT: gone. */
int callgate_request_seen(u64 id);
/* The controller answers. -ENOENT: gone. */
int callgate_request_answer(u64 id, u8 verdict);

/* Denies every held caller of @dev, or of all devices when NULL. Called after new ones are impossible. */
void callgate_request_cancel(struct callgate_device *dev);

/* The held caller with the lowest id above @after; give it back with callgate_who_put(). */
bool callgate_request_next(u64 after, struct callgate_held *ret_held);
/* Changes whenever a request comes, goes or is seen. */
u32 callgate_request_generation(void);

/* Nobody is held any more. */
void callgate_request_exit(void);

#endif
