/* SPDX-License-Identifier: GPL-2.0-only */
/* What a device has to tell the controller, from any context. */
#ifndef CALLGATE_REPORT_H
#define CALLGATE_REPORT_H

#include "device.h"

/* Current was denied @op. Any context. */
void callgate_report_denied(struct callgate_device *dev, u8 op);

/* @dev->streams or @dev->stopped changed; with @dev->lock held. */
void callgate_report_queue(struct callgate_device *dev);

/* The work function of @dev->report. */
void callgate_report_work(struct work_struct *work);

/* Sends what is left without waiting for its time. May sleep. */
void callgate_report_flush(struct callgate_device *dev);

#endif
