/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What gate.c, gate-command.c and gate-request.c share, and nobody else sees. */
#ifndef CALLGATE_GATE_PRIVATE_H
#define CALLGATE_GATE_PRIVATE_H

#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "callgate.h"
#include "gate.h"

struct arrival;
struct event;

/**
 * struct gate
 * @sock: NULL while absent
 * @arrival: tells when it may not be any more; NULL where that cannot be known
 * @family: netlink message type
 * @requests: the requests file, or -1
 * @held: its event source
 * @delivered: the request that the hook is told of, or 0
 * @answer: what the hook has answered to it at once; its id is 0 before that
 * @asker: the last image that was held, so that the same is not looked up again; its cookie is 0 before the first
 * @waiting: sequence number of the command under way, or 0
 * @error: its result; 1 while there is none
 * @take: called for each message of its answer; NULL: they are kept as events, as dumps' are
 * @events: not delivered yet
 * @lost: events were lost; everything is asked again
 * @reading: the event loop has found something to read
 * @broken: nobody obeys this socket any more
 */
struct gate {
	sd_event *event;
	sd_event_source *io;
	sd_event_source *later;
	const struct gate_hooks *hooks;
	void *userdata;
	struct nl_sock *sock;
	struct arrival *arrival;
	struct nl_cb *cb;
	int family;
	int requests;
	sd_event_source *held;
	uint64_t delivered;
	struct callgate_request answer;
	struct process_facts asker;
	enum gate_mode mode;
	uint32_t waiting;
	int error;
	char why[160];
	void (*take)(struct gate *gate, struct nlattr **attrs, void *ret);
	void *ret;
	STAILQ_HEAD(, event) events;
	unsigned int n_events;
	bool lost;
	bool reading;
	bool broken;
};

uint32_t gate_u32(struct nlattr **attrs, int type);
uint64_t gate_u64(struct nlattr **attrs, int type);
void gate_parse_who(struct nlattr **attrs, struct process_facts *who);
/* For an answer with the mode; @ret: a uint8_t. */
void gate_take_mode(struct gate *gate, struct nlattr **attrs, void *ret);

/* NULL: no memory. */
struct nl_msg *gate_message(struct gate *gate, uint8_t cmd, int flags);
/* A failed put leaves a message that the kernel would misread: it is not sent. */
struct nl_msg *gate_whole(struct nl_msg *msg, int failed);
/* Sends, and waits for the kernel's answer. Consumes msg; NULL is -ENOMEM. */
int gate_command(struct gate *gate, struct nl_msg *msg,
		 void (*take)(struct gate *, struct nlattr **, void *), void *ret);
/* A new requests file: all who are held are told of, also those that were before. Where it fails the old one is gone, too. */
int gate_requests_open(struct gate *gate);
void gate_requests_close(struct gate *gate);
/* Errors that mean that nobody obeys this socket any more. Returns @r. */
int gate_check_lost(struct gate *gate, int r, bool no_such_means_lost);

#endif
