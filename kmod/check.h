/* SPDX-License-Identifier: GPL-2.0-only */
/* The questions that the subsystems ask. */
#ifndef CALLGATE_CHECK_H
#define CALLGATE_CHECK_H

#include "device.h"

/*
 * callgate_check() - may current capture from @dev now?
 * Any context, any lock: takes no lock that another CPU can hold on the allow
 * path, writes no shared cache line, allocates nothing. A denial is counted and
 * (rate-limited, by a worker) reported with @op.
 * Returns 0 or -EACCES; always 0 in permissive mode (the denial is still reported).
 */
int __must_check callgate_check(struct callgate_device *dev, enum callgate_op op);

/*
 * callgate_deny() - a denial for a reason other than a missing grant, after callgate_check()
 * Counted and reported as one. Any context. Returns -EACCES; 0 in permissive mode.
 */
int __must_check callgate_deny(struct callgate_device *dev, enum callgate_op op);

/* callgate_check_quiet() - the same, without counting or reporting a denial; for poll and re-checks. */
int __must_check callgate_check_quiet(struct callgate_device *dev);

/*
 * callgate_ask() - callgate_check(), but where it would deny, hold the caller,
 * ask the controller and check again after the verdict. Sleeps (killable, freezable), no lock held.
 * Denied at once when there is no controller or a cap is reached. Returns 0, -EACCES, or
 * -ERESTARTSYS/-EINTR when killed.
 */
int __must_check callgate_ask(struct callgate_device *dev, enum callgate_op op);

/* Report only: every question is answered with yes. Any context. */
bool callgate_check_permissive(void);
void callgate_check_set_permissive(bool permissive);

#endif
