/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A small client of the family "callgate", with which a test is the controller. */
#ifndef KSELFTEST_GATE_H
#define KSELFTEST_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "callgate.h"

struct gate;
struct nl_msg;

/**
 * struct gate_message - a reply, an event or one object of a dump
 * @cmd: enum callgate_cmd
 * @has: bit 1 << attribute for each attribute that was there
 */
struct gate_message {
	uint8_t cmd;
	uint64_t has;
	uint32_t tgid, uid, device, kinds, count, requests_fd;
	uint64_t cookie, start_time, cgroup, session, grant, deadline, since, stream;
	uint8_t traced, mode, op, reason;
	uint64_t checks, denied, asked, revoked, lost;
	char exe[CALLGATE_PATH_MAX + 1];
	char name[CALLGATE_NAME_MAX + 1];
	char node[CALLGATE_NODE_MAX + 1];
};

#define GATE_HAS(message, attr) (((message)->has >> (attr)) & 1)

/**
 * struct gate_order - a GRANT command; what is 0 is left out
 * @cgroup_fd: -1 for none
 * @has_device: send @device even if it is 0
 */
struct gate_order {
	uint64_t session;
	uint32_t tgid;
	uint64_t cookie;
	int cgroup_fd;
	bool has_uid;
	uint32_t uid;
	uint32_t kinds;
	bool has_device;
	uint32_t device;
	uint64_t deadline;
};

/* An unbound socket; NULL with errno when there is no family. */
struct gate *gate_open(void);
void gate_close(struct gate *gate);
/* gate_open() and gate_bind(), or the test ends. */
struct gate *gate_open_bound(void);
int gate_fd(const struct gate *gate);
/* The sentence of the last refusal; "" when there was none. */
const char *gate_sentence(const struct gate *gate);

/* Each command: 0 or a negative errno. */
int gate_bind(struct gate *gate, uint8_t *ret_mode);
int gate_identify(struct gate *gate, uint32_t tgid, struct gate_message *ret_identity);
int gate_grant(struct gate *gate, const struct gate_order *order, uint64_t *ret_grant);
int gate_revoke(struct gate *gate, uint64_t grant, uint64_t session);
/* Ends the grants of @session; on a slow machine the deadline may have done so. */
int gate_end(struct gate *gate, uint64_t session);
int gate_mode(struct gate *gate, int mode, uint8_t *ret_mode); /* -1: only ask */
int gate_detach(struct gate *gate);
int gate_stats(struct gate *gate, struct gate_message *ret_stats);

/* Identifies @tgid and grants it @kinds on every device for @ms. */
int gate_allow(struct gate *gate, uint32_t tgid, uint64_t session, uint32_t kinds, unsigned int ms);
/* The same for @device only. */
int gate_allow_device(struct gate *gate, uint32_t tgid, uint64_t session, uint32_t kinds,
		      uint32_t device, unsigned int ms);

/* Dumps into a new array, which the caller frees. The number of objects or a negative errno. */
int gate_dump(struct gate *gate, uint8_t cmd, struct gate_message **ret_objects);
/* The id of the device with this node; 0: none. */
uint32_t gate_device(struct gate *gate, const char *node);

/* The next event @cmd; others stay for later calls. False after @ms. */
bool gate_wait(struct gate *gate, uint8_t cmd, unsigned int ms, struct gate_message *ret_event);
/* A new requests file, which begins with all who are held; or a negative errno. */
int gate_requests(struct gate *gate);
/* Reads the next held caller, from a file that is opened when it is needed first. False after @ms. */
bool gate_read(struct gate *gate, unsigned int ms, struct callgate_request *ret_request);
int gate_verdict(struct gate *gate, uint64_t request, uint8_t verdict);
/* How many are held; they all have been read then. */
int gate_held(struct gate *gate);

/* Forgets the events that have come. */
void gate_forget(struct gate *gate);

/* A message by hand: begin, add attributes, send. Frees @msg. @ret_reply may be NULL. */
struct nl_msg *gate_begin(struct gate *gate, uint8_t cmd, int flags);
int gate_send(struct gate *gate, struct nl_msg *msg, struct gate_message *ret_reply);
/* Any bytes, and the errno of the answer. */
int gate_send_raw(struct gate *gate, const void *bytes, size_t size);
uint16_t gate_family(const struct gate *gate);

#endif
