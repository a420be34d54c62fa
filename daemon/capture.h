/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The gated devices and the running captures, as the gate reports them. */
#ifndef CALLGATE_CAPTURE_H
#define CALLGATE_CAPTURE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "process.h"

#define CAPTURE_NAME_MAX 63
#define CAPTURE_NODE_MAX 31
#define CAPTURE_BUCKETS	 256

struct capture_device {
	LIST_ENTRY(capture_device) all;
	uint32_t id;
	uint32_t kinds;
	char name[CAPTURE_NAME_MAX + 1];
	char node[CAPTURE_NODE_MAX + 1];
};

/**
 * struct capture - a running capture, or an attempt
 * @id: of the stream; of the request for an attempt that is held; else 0
 * @since: ns on CLOCK_BOOTTIME
 * @count: attempts that a denial stands for
 */
struct capture {
	LIST_ENTRY(capture) all;
	LIST_ENTRY(capture) same; /* hash of @session */
	uint64_t id;
	uint32_t device;
	uint32_t kinds;
	struct process_facts who;
	uint64_t session;
	uint64_t since;
	uint32_t count;
};

struct captures {
	LIST_HEAD(, capture_device) devices;
	LIST_HEAD(, capture) streams;
	LIST_HEAD(, capture) by_session[CAPTURE_BUCKETS];
	unsigned int n_devices, n_streams;
};

void captures_init(struct captures *captures);
/* Forgets everything: the gate is gone. */
void captures_clear(struct captures *captures);

/* Copies. -EEXIST: known already; -ENOSPC: more than the cap. */
int captures_add_device(struct captures *captures, const struct capture_device *device);
int captures_add_stream(struct captures *captures, const struct capture *stream);
/* false: not known. */
bool captures_remove_device(struct captures *captures, uint32_t id);
bool captures_remove_stream(struct captures *captures, uint64_t id);

const struct capture_device *captures_device(const struct captures *captures, uint32_t id);
const struct capture *captures_stream(const struct captures *captures, uint64_t id);
/* Kinds that a session captures now. */
uint32_t captures_of_session(const struct captures *captures, uint64_t session);
bool captures_in_use(const struct captures *captures, uint32_t device);

#endif
