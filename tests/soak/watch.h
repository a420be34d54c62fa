/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Watchers: processes without a grant that try every way to a frame or a
 * sample, all the time, while something else is tested. What any of them gets
 * is a fault of the gate. Their twin does the same things with a grant, and so
 * proves that the watchers would see a frame if they were let in.
 */
#ifndef CALLGATE_WATCH_H
#define CALLGATE_WATCH_H

#include <stdbool.h>

/* Nothing is granted to this user. */
#define WATCH_UID 2001
#define TWIN_UID  2002

/* The ways, as bits. */
enum watch_way {
	WATCH_POLL,
	WATCH_READ,
	WATCH_BUFFERS,
	WATCH_CREATE,
	WATCH_MMAP,
	WATCH_QUEUE,
	WATCH_START,
	WATCH_DEQUEUE,
	WATCH_EXPORT,
	WATCH_MIC_READ,
	WATCH_MIC_START,
	WATCH_WAYS,
};

struct gate;

/* Starts @count watchers on the camera and the microphone. Ends the test as skipped where there is none. */
void watch_begin(int count);
/*
 * Ends them. Fails the test if one got something, or if they did not try. Says how often they tried, with @what. Returns
 * that number.
 */
unsigned long watch_end(const char *what);

/* The gate is about to be unloaded: the watchers let go of their files first. And it is loaded again. */
void watch_pause(void);
void watch_resume(void);

/* Fails the test unless the twin gets through by each way while @gate grants. Leaves no grant behind. */
void watch_twin(struct gate *gate);

#endif
