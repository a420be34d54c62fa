/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of a call share: call*.c. */
#ifndef CALLGATE_CALL_PRIVATE_H
#define CALLGATE_CALL_PRIVATE_H

#include "call.h"

#define CALL_GROUPS_MAX 512 /* of a user and of the connection, together */

/* Where a call is found; each is in there from its making to its end. */
void call_enter(struct call *call);
void call_leave(struct call *call);
/* The user's open calls, among them perhaps others whose uid has the same hash: compare. */
#define CALL_FOREACH_OF(call, calls, owner) \
	LIST_FOREACH(call, &(calls)->by_uid[(owner) % CALL_BUCKETS], same_uid)

/* Releases everything, says nothing to anybody. */
void call_free(struct call *call);
/* Before the user is asked. @init: the first blob of a call that came in, or NULL. 0; 1: refused; negative errno. */
int call_peer_prepare(struct call *call, const void *init, size_t len, uint64_t now,
		      struct refusal *ret_refusal);
/* Once it is known who calls, and for what: asks the rules, and takes away the kinds that they deny. 0; 1: refused; negative errno. */
int call_policy_begin(struct call *call, const struct call_request *request,
		      struct refusal *ret_refusal);
/* Again, if more is known now, or if there are other rules. */
void call_policy_update(struct call *call);
/* The user said yes: the channel's one run begins. */
int call_peer_begin(struct call *call, uint64_t now);
/* The channel of a session that calls_pack() wrote. 0; -EBADMSG; another negative errno. */
int call_peer_unpack(struct call *call, struct reader *r, uint64_t now);
/* The question waits for the screen to be unlocked: asks it then, or ends the session when that takes too long. */
void call_open_later(struct call *call, uint64_t now);
/* What the subject says it is, anew. */
void call_name_subject(struct call *call);
/* Event sources: the subject's end, and the timer. */
int call_listen(struct call *call);
/* As watch_begin(). */
int call_watch_owner(struct call *call);
/* Asks the user whether the numbers match, until the time for that is over. */
void call_peer_ask(struct call *call);
/* The channel is confirmed: looks the key up, asks to compare unless it is verified. */
void call_peer_confirmed(struct call *call);
/* Tells the other end which programs capture here, if the user wants that. */
void call_peer_tell(struct call *call, uint64_t now);

#endif
