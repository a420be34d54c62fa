/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A session in the daemon: its owner, subject, approval and channel. */
#ifndef CALLGATE_CALL_H
#define CALLGATE_CALL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "app.h"
#include "approval.h"
#include "bounds.h"
#include "channel.h"
#include "pause.h"
#include "policy-rules.h"
#include "policy.h"
#include "process.h"
#include "refusal.h"
#include "scope.h"
#include "session.h"
#include "usage.h"
#include "user.h"
#include "util/bytes.h"
#include "watch.h"

#define CALL_PATH_PREFIX "/org/callgate1/session/"
#define CALL_PATH_MAX	 64
#define CALL_BUCKETS	 256
#define CALL_SUBJECT_MAX (BOUND_LABEL + PROCESS_EXE_MAX + 64) /* of its text */
#define CALL_KEY_RECORD	 38				      /* direction, kind, epoch, key */
#define CALL_KEY_RECORDS 6

/* A capture that waits; @until: the rules let it wait no longer. */
struct call_held {
	uint64_t request;
	uint64_t until;
};

/**
 * struct call - one session
 * @id: chosen at random; the gate's session, the end of the path
 * @owner: unique bus name
 * @app: label of the owner; @app_exe: of its executable where that is another, see app.h
 * @pidfd: of the subject
 * @subject: who it was when the session was made; @subject_app: what it says it is where the executable does not tell, or empty
 * @scope: the control group that the subject was moved into, or NULL
 * @contact: whom the user talks to; @claimed while only the app says so
 * @auth: what is known about the peer's key
 * @peer_captured: @peer_gate: what the peer last said
 * @waits_until: the user is asked once the screen is unlocked, if that is before this; 0: asked already
 * @asked_ns: how long one that is no call may last, as the question says
 * @groups: of the connection that made it
 * @policy: what holds for this session, by the configuration and the rules as they were at @policy_generation for a peer
 *	of whom @policy_auth was known
 * @asks: POLICY_ASK_*: on what the user may be asked, whoever the other side will turn out to be
 * @granted: @granted_until: what the gate was told
 * @held: captures that wait for the session to become live
 * @tells: the user wants the other end to hear which programs capture here; @usage: which do, NULL without memory
 * @mismatch: the peer's key is not the pinned one
 * @unasked: the numbers are to be compared, and the question waits for an agent: the daemon was restarted
 */
struct call {
	LIST_ENTRY(call) all;
	LIST_ENTRY(call) same_id, same_uid; /* hash of each, while open */
	struct calls *calls;
	uint64_t id;
	char path[CALL_PATH_MAX];
	uid_t uid;
	struct user *user;
	char *owner;
	struct watch watch; /* of the owner */
	char app[BOUND_LABEL + 1];
	char app_exe[BOUND_LABEL + 1];
	bool app_proven;
	int pidfd;
	sd_event_source *pidfd_source;
	struct process_facts subject;
	char subject_app[BOUND_LABEL + 1];
	struct scope *scope;
	bool incoming;
	char contact[IDENTITY_NAME_MAX + 1];
	bool claimed;
	enum identity_auth auth;
	uint64_t waits_until;
	uint64_t asked_ns;
	gid_t *groups;
	size_t n_groups;
	struct policy policy;
	uint32_t asks;
	unsigned int policy_generation;
	enum identity_auth policy_auth;
	struct session_facts facts;
	struct channel *channel;
	struct question *question;
	sd_event_source *timer;
	uint32_t granted;
	uint64_t granted_until;
	struct call_held held[BOUND_HELD_SESSION];
	unsigned int n_held;
	bool mismatch;
	bool unasked;
	bool busy;
	uint64_t opened;
	uint64_t began; /* ns on CLOCK_BOOTTIME */
	enum session_state shown_state;
	uint32_t shown_granted, shown_captured;
	enum channel_level shown_level;
	bool shown_gate;
	char message[768];
	bool tells;
	struct usage *usage;
};

/**
 * struct call_hooks - news upward, and what only the upper files can do
 * @added: @removed: a session appeared; it ended, and is freed afterwards
 * @changed: properties may have changed
 * @blob: for the owner to carry
 * @identify: who is behind a pidfd, by the gate or without it
 * @gate: does the kernel enforce?
 * @grant: allow the call's subject these kinds until the deadline; -ESRCH: it is gone or called exec
 * @revoke: end that at once
 * @verdict: answer a held capture
 * @captured: kinds that the call's subject captures now
 * @away: @locked: is the user's session not in front; is it locked?
 */
struct call_hooks {
	void (*added)(void *userdata, struct call *call);
	void (*removed)(void *userdata, struct call *call);
	void (*changed)(void *userdata, struct call *call);
	void (*blob)(void *userdata, struct call *call, const void *blob, size_t len);
	int (*identify)(void *userdata, int pidfd, struct process_facts *ret_facts);
	bool (*gate)(void *userdata);
	int (*grant)(void *userdata, struct call *call, uint32_t kinds, uint64_t deadline);
	void (*revoke)(void *userdata, struct call *call);
	void (*verdict)(void *userdata, uint64_t request, bool allow);
	uint32_t (*captured)(void *userdata, struct call *call);
	bool (*away)(void *userdata, uid_t uid);
	bool (*locked)(void *userdata, uid_t uid);
};

struct calls {
	LIST_HEAD(, call) all;
	LIST_HEAD(, call) by_id[CALL_BUCKETS], by_uid[CALL_BUCKETS];
	unsigned int n_open;
	LIST_HEAD(, call) dead;
	sd_bus *bus;
	sd_event *event;
	sd_event_source *bury;
	const struct policy *policy;
	const struct rules *rules;
	unsigned int generation; /* of both; from 1 */
	struct approvals *approvals;
	struct watches *watches;
	struct users *users;
	struct scopes *scopes;
	struct pauses pauses;
	const struct call_hooks *hooks;
	void *userdata;
	uint64_t next_id;
};

/**
 * struct call_request - what a caller asked for; checked by calls_add()
 * @pidfd: of the subject; stays the caller's
 * @tells: the other end is told which programs capture
 * @local: no call: without contact and blobs
 * @owner_facts: the process behind the connection
 * @groups: that the bus says the connection has
 * @init: first blob of a call that came in, or NULL
 */
struct call_request {
	uid_t uid;
	const char *owner;
	const struct process_facts *owner_facts;
	const gid_t *groups;
	size_t n_groups;
	const char *contact;
	uint32_t kinds;
	int pidfd;
	bool scope, tells, local;
	const void *init;
	size_t init_len;
};

/* scopes may be NULL. Everything is the caller's and outlives the calls. */
int calls_init(struct calls *calls, sd_bus *bus, sd_event *event, const struct call_hooks *hooks,
	       void *userdata);
/* All have ended. */
void calls_deinit(struct calls *calls);

/* Makes a session and asks the user. 0; 1: refused; negative errno. */
int calls_add(struct calls *calls, const struct call_request *request, struct call **ret_call,
	      struct refusal *ret_refusal);
struct call *calls_by_path(const struct calls *calls, const char *path);
struct call *calls_by_id(const struct calls *calls, uint64_t id);
/* The user's open session that this process image belongs to, or NULL. */
struct call *calls_by_image(const struct calls *calls, const struct process_facts *who);
/* Likewise, and where the command started it and the user's service manager moved it, it is brought back before. */
struct call *calls_follow(struct calls *calls, const struct process_facts *who);
/* Brings the command itself back, if it has been moved. */
void call_follow(struct call *call);

/* The configuration or the rules are others: sessions go on, by what they say now. */
void calls_set_policy(struct calls *calls, const struct policy *policy, const struct rules *rules);

/* Something outside changed (a block, the gate, a capture): look at every session again. */
void calls_refresh(struct calls *calls);
/* An agent registered: it is asked what waited for one. */
void calls_ask_again(struct calls *calls, uid_t uid);
void calls_end_all(struct calls *calls, enum session_end reason);
/* How many there were. */
unsigned int calls_end_of(struct calls *calls, uid_t uid, enum session_end reason);

/* 0; 1: refused; negative errno. */
int call_deliver(struct call *call, const void *blob, size_t len, struct refusal *ret_refusal);
/* Writes *ret_len bytes of records. */
int call_media_keys(struct call *call, uint8_t ret_records[CALL_KEY_RECORDS * CALL_KEY_RECORD],
		    size_t *ret_len, struct refusal *ret_refusal);
void call_end(struct call *call, enum session_end reason);
/* A capture by the call's subject is held: answers it when that is decided. */
void call_hold(struct call *call, uint64_t request, uint32_t kinds);

/* call-carry.c */

/* What one session takes at most. */
#define CALL_CARRY_MAX 9728

/**
 * calls_pack() - move the sessions that are confirmed into bytes, and end the others
 * @w: memory for secrets; with CALL_CARRY_MAX for each session there is room
 *
 * Nothing can be sent for a session that was packed, and nobody is told of its end.
 * Return: how many.
 */
unsigned int calls_pack(struct calls *calls, struct writer *w);
/**
 * calls_unpack() - the reverse, in another process of the daemon
 * @n: as calls_pack() returned
 *
 * A session whose owner is not there any more is dropped; one whose subject is not, ended.
 * Return: 0; a negative errno: they are not what calls_pack() writes, and none is left.
 */
int calls_unpack(struct calls *calls, struct reader *r, unsigned int n);

/* Whatever changed a fact calls it: looks at the session again, and ends it where it has to end. */
void call_touch(struct call *call);
/* ns on CLOCK_BOOTTIME. */
uint64_t call_clock(void);

enum session_state call_state(const struct call *call);
/* The weakest level of the approved kinds. */
enum channel_level call_level(const struct call *call);
uint32_t call_peer_captured(const struct call *call);
bool call_peer_gate(const struct call *call);
const char *call_end_message(const struct call *call);
/* Executable and scope of who captures, and what it says it is. CALL_SUBJECT_MAX bytes are room enough. */
void call_subject_text(const struct call *call, char *ret_text, size_t size);

#endif
