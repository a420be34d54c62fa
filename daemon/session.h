/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The facts of a session, and what follows from them. Pure: time is an argument. */
#ifndef CALLGATE_SESSION_H
#define CALLGATE_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "policy.h"

#define SESSION_NS_PER_S   1000000000ull
#define SESSION_LONGEST_NS (12 * 3600 * SESSION_NS_PER_S) /* protocol.md: no rekey in version 1 */
#define SESSION_GRANT_NS   (10 * SESSION_NS_PER_S)	  /* the longest deadline of a grant */
#define SESSION_STALLED_NS \
	(30 * SESSION_NS_PER_S) /* from the dead time until the keys are erased */

enum session_state {
	SESSION_NEW,
	SESSION_RINGING,
	SESSION_HANDSHAKING,
	SESSION_LIVE,
	SESSION_STALLED,
	SESSION_CLOSED,
	_SESSION_STATE_MAX
};

/* Why a session ended. */
enum session_end {
	SESSION_OPEN,
	SESSION_END_ENDED,	  /* End(), by a process of the user */
	SESSION_END_DENIED,	  /* the user said no */
	SESSION_END_UNANSWERED,	  /* nobody answered the prompt */
	SESSION_END_AGENT_GONE,	  /* the agent vanished while it asked */
	SESSION_END_NOT_COMPARED, /* nobody answered whether the numbers match */
	SESSION_END_DIFFERS,	  /* they do not match */
	SESSION_END_MISMATCH,	  /* the peer's key is not the pinned one */
	SESSION_END_OWNER_GONE,
	SESSION_END_SUBJECT_GONE,
	SESSION_END_SUBJECT_EXEC,
	SESSION_END_PEER_CLOSED,
	SESSION_END_NO_PEER, /* nobody answered the handshake */
	SESSION_END_LAPSED,  /* no proof of life */
	SESSION_END_BROKEN,  /* the channel failed for good */
	SESSION_END_EXPIRED, /* the longest that policy allows, 12 hours */
	SESSION_END_BLOCKED,
	SESSION_END_LOCKED, /* the screen, and policy says so */
	SESSION_END_SHUTDOWN,
	SESSION_END_RESTARTED, /* the daemon was, before the call was confirmed */
	SESSION_END_INTERNAL,
	_SESSION_END_MAX
};

enum session_verification {
	SESSION_UNCOMPARED, /* the question is open, or not asked yet */
	SESSION_UNVERIFIED, /* the user goes on without comparing */
	SESSION_VERIFIED,   /* compared now, or at an earlier call with this key */
	_SESSION_VERIFICATION_MAX
};

/**
 * struct session_facts - all that a verdict depends on
 * @local: it is no call: there is no other side, and @confirmed says only that the user said yes
 * @asked: kinds that the owner asked for
 * @approved: the user said yes, once
 * @approved_kinds: part of @asked
 * @approved_on: POLICY_ASK_*: on what the user was asked
 * @offered: a first blob is out (an initiator's INIT)
 * @met: the other side's daemon has answered
 * @confirmed: the channel's keys are confirmed
 * @confirmed_at: when that was
 * @alive_until: what the last proof of life covers; of a local one the time that the user was told
 * @verification: of the peer
 * @blocked: kinds that the user blocked
 * @away: the user's session is not in front
 * @locked: the user's screen is locked
 * @gate: the kernel enforces; without it nothing may be captured, as nothing could be stopped
 * @end: why it ended
 *
 * Times are ns on CLOCK_BOOTTIME.
 */
struct session_facts {
	bool local;
	uint32_t asked;
	bool approved;
	uint32_t approved_kinds;
	uint32_t approved_on;
	bool offered;
	bool met;
	bool confirmed;
	uint64_t confirmed_at;
	uint64_t alive_until;
	enum session_verification verification;
	uint32_t blocked;
	bool away;
	bool locked;
	bool gate;
	enum session_end end;
};

enum session_state session_state(const struct session_facts *facts, uint64_t now);

/**
 * session_granted() - the kinds that may be captured now
 * @ret_until: until when that holds if nothing changes, at most SESSION_GRANT_NS from now; 0 for no kinds
 */
uint32_t session_granted(const struct session_facts *facts, const struct policy *policy,
			 uint64_t now, uint64_t *ret_until);

/* When the facts alone, without news, change what session_state() or session_granted() says next; UINT64_MAX: never. */
uint64_t session_next_change(const struct session_facts *facts, const struct policy *policy,
			     uint64_t now);

/* Has time alone ended it? SESSION_OPEN, SESSION_END_EXPIRED or SESSION_END_LAPSED. */
enum session_end session_expiry(const struct session_facts *facts, const struct policy *policy,
				uint64_t now);

const char *session_state_name(enum session_state state);
const char *session_end_name(enum session_end end);
/* What happened and what to do, for people. @local: it was no call. */
const char *session_end_sentence(enum session_end end, bool local);

#endif
