/* SPDX-License-Identifier: GPL-2.0-only */
/* Held callers: the kernel asks, the controller answers. */
#ifndef CALLGATE_REQUEST_H
#define CALLGATE_REQUEST_H

#include <linux/wait.h>

#include "device.h"

/*
 * callgate_request_hold() - hold current until the controller has answered
 * 0: it says allow, which proves nothing yet: check again. -EACCES: it says
 * deny, did not read the request in time, went away, or the device did. -EBUSY:
 * a cap is reached. -ENOTCONN: nobody to ask. -ERESTARTSYS: killed. Sleeps,
 * killable and freezable, no lock held. Allocates nothing.
 */
int __must_check callgate_request_hold(struct callgate_device *dev, u8 op);

/* Who waits in the controller's files for somebody to be held. */
extern wait_queue_head_t callgate_request_readers;
/* Is there one who was not read yet? Any context. */
bool callgate_request_unread(void);
/*
 * Reads the one who has waited longest, or answers one. @controller: callgate_controller_generation() of who
 * asks; -ENOTCONN: that one has gone. -EAGAIN: nobody is to be read. -ENOENT: @id is held no more.
 */
int __must_check callgate_request_read(unsigned long controller,
				       struct callgate_request *ret_request);
int callgate_request_answer(unsigned long controller, u64 id, u8 verdict);
/* The controller asked for it and could not be given it: denies @id, and reports that. */
void callgate_request_lose(unsigned long controller, u64 id);
/* All who are held count as not read. */
void callgate_request_rewind(void);
/* A new file from which the present controller reads them, or an error. Callers serialise with its end. */
struct file *__must_check callgate_request_open(void);

/* Denies every held caller of @dev, or of all devices when NULL. Called after new ones are impossible. */
void callgate_request_cancel(struct callgate_device *dev);

/* Nobody is held any more. */
void callgate_request_exit(void);

#endif
