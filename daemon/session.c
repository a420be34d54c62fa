// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What follows from the facts of a session: its state, and what its subject
 * may capture at this moment. Pure; called by call.c each time a fact changes.
 *
 * Security: there is no variable "allowed". The verdict starts as nothing and
 * becomes something only when every condition of protocol.md holds in the same
 * evaluation; each condition is one line in session_granted(). A fact that was
 * never set denies.
 */
#include "session.h"

#include <stddef.h>

enum session_state session_state(const struct session_facts *facts, uint64_t now)
{
	if (facts->end != SESSION_OPEN)
		return SESSION_CLOSED;
	if (!facts->approved)
		return SESSION_NEW;
	if (facts->confirmed)
		return now < facts->alive_until ? SESSION_LIVE : SESSION_STALLED;
	if (facts->met)
		return SESSION_HANDSHAKING;
	return facts->offered ? SESSION_RINGING : SESSION_NEW;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* How long a session lives at most, whatever the policy says. */
static uint64_t life(const struct policy *policy)
{
	return earlier(policy->lifetime_ns, SESSION_LONGEST_NS);
}

/* When one that is no call ends: as the user was told, or sooner where the policy says less by now. */
static uint64_t local_end(const struct session_facts *facts, const struct policy *policy)
{
	return earlier(facts->alive_until, facts->confirmed_at + policy->local_ns);
}

/* What the peer's verification leaves of the kinds, and until when. */
static uint32_t verified_kinds(const struct session_facts *facts, const struct policy *policy,
			       uint64_t now, uint64_t *until)
{
	uint64_t grace;

	switch (facts->verification) {
	case SESSION_VERIFIED:
		return POLICY_KIND_ALL;
	case SESSION_UNVERIFIED:
		return policy->unverified_kinds;
	case SESSION_UNCOMPARED:
		grace = facts->confirmed_at + policy->unverified_ns;
		if (now >= grace)
			return 0;
		*until = earlier(*until, grace);
		return policy->unverified_kinds;
	case _SESSION_VERIFICATION_MAX:
		break;
	}
	return 0;
}

uint32_t session_granted(const struct session_facts *facts, const struct policy *policy,
			 uint64_t now, uint64_t *ret_until)
{
	uint64_t until = now + SESSION_GRANT_NS;
	uint32_t kinds = 0;

	*ret_until = 0;
	if (!facts->gate || facts->away || !facts->approved || !facts->confirmed)
		return 0;
	if (session_state(facts, now) != SESSION_LIVE ||
	    session_expiry(facts, policy, now) != SESSION_OPEN)
		return 0;
	if ((facts->approved_on & policy->asks) == 0)
		return 0;
	kinds = facts->asked & facts->approved_kinds & ~facts->blocked & policy->kinds;
	if (!facts->local)
		kinds &= verified_kinds(facts, policy, now, &until);
	else if (!policy->local)
		return 0;
	else
		until = earlier(until, local_end(facts, policy));
	if (kinds == 0)
		return 0;
	until = earlier(until, facts->alive_until);
	until = earlier(until, facts->confirmed_at + life(policy));
	*ret_until = until;
	return kinds;
}

uint64_t session_next_change(const struct session_facts *facts, const struct policy *policy,
			     uint64_t now)
{
	uint64_t times[4], next = UINT64_MAX;

	if (!facts->confirmed || facts->end != SESSION_OPEN)
		return UINT64_MAX;
	times[0] = facts->alive_until;
	times[1] = facts->alive_until + SESSION_STALLED_NS;
	times[2] = facts->confirmed_at + life(policy);
	times[3] = facts->verification == SESSION_UNCOMPARED
			   ? facts->confirmed_at + policy->unverified_ns
			   : 0;
	if (facts->local)
		times[3] = local_end(facts, policy);
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
		if (times[i] > now)
			next = earlier(next, times[i]);
	return next;
}

enum session_end session_expiry(const struct session_facts *facts, const struct policy *policy,
				uint64_t now)
{
	if (!facts->confirmed)
		return SESSION_OPEN;
	if (now >= facts->confirmed_at + life(policy) ||
	    (facts->local && now >= local_end(facts, policy)))
		return SESSION_END_EXPIRED;
	if (now >= facts->alive_until + SESSION_STALLED_NS)
		return SESSION_END_LAPSED;
	return SESSION_OPEN;
}

const char *session_state_name(enum session_state state)
{
	switch (state) {
	case SESSION_NEW:
		return "new";
	case SESSION_RINGING:
		return "ringing";
	case SESSION_HANDSHAKING:
		return "handshaking";
	case SESSION_LIVE:
		return "live";
	case SESSION_STALLED:
		return "stalled";
	case SESSION_CLOSED:
	case _SESSION_STATE_MAX:
		break;
	}
	return "closed";
}

static const struct {
	const char *name;
	const char *sentence;
} ends[] = {
	[SESSION_OPEN] = { "", "" },
	[SESSION_END_ENDED] = { "ended", "The call was ended on this machine." },
	[SESSION_END_DENIED] = { "denied", "You did not allow the call." },
	[SESSION_END_UNANSWERED] = { "unanswered",
				     "Nobody answered the question whether to allow the call; call again and answer it." },
	[SESSION_END_AGENT_GONE] = { "agent-gone",
				     "The program that asks for your approval ended; start callgate-agent or "
				     "'callgatectl agent' and call again." },
	[SESSION_END_NOT_COMPARED] = { "not-compared",
				       "Nobody said whether the two numbers match; call again and compare them." },
	[SESSION_END_DIFFERS] = { "differs",
				  "The two numbers differ: somebody between you reads along, perhaps the service itself. "
				  "Do not trust this connection; reach the other person in another way." },
	[SESSION_END_MISMATCH] = { "mismatch",
				   "The other side does not have the key that is known for this contact. It can be a new machine, "
				   "or somebody between you, and the service itself may be interfering. Ask the contact in "
				   "another way." },
	[SESSION_END_OWNER_GONE] = { "owner-gone", "The program that made the call ended." },
	[SESSION_END_SUBJECT_GONE] = { "subject-gone", "The program that was to capture ended." },
	[SESSION_END_SUBJECT_EXEC] = { "subject-exec",
				       "The program that was to capture became another program; it has to make a call of its own." },
	[SESSION_END_PEER_CLOSED] = { "peer-closed", "The other side ended the call." },
	[SESSION_END_NO_PEER] = { "no-peer", "The other side did not answer; call again." },
	[SESSION_END_LAPSED] = { "lapsed",
				 "The connection to the other side was lost for too long; call again." },
	[SESSION_END_BROKEN] = { "broken",
				 "The handshake with the other side failed; call again, and if it happens again reach the "
				 "other person in another way." },
	[SESSION_END_EXPIRED] = { "expired",
				  "The call reached the longest duration that is allowed; call again." },
	[SESSION_END_BLOCKED] = { "blocked",
				  "You blocked what this call may capture; unblock it and call again." },
	[SESSION_END_LOCKED] = { "locked",
				 "The screen was locked, and calls end then on this machine; call again." },
	[SESSION_END_SHUTDOWN] = { "shutdown",
				   "The Callgate service was stopped; call again once it runs." },
	[SESSION_END_RESTARTED] = { "restarted",
				    "The Callgate service was restarted while the call was being set up; call again." },
	[SESSION_END_INTERNAL] = { "internal",
				   "The Callgate service could not go on with this call; its log says why." },
};

_Static_assert(sizeof(ends) / sizeof(ends[0]) == _SESSION_END_MAX, "each end has a name");

const char *session_end_name(enum session_end end)
{
	return end < _SESSION_END_MAX ? ends[end].name : ends[SESSION_END_INTERNAL].name;
}

const char *session_end_sentence(enum session_end end, bool local)
{
	if (local && end == SESSION_END_ENDED)
		return "The capture was ended on this machine.";
	if (local && end == SESSION_END_DENIED)
		return "You did not allow the capture.";
	if (local && end == SESSION_END_EXPIRED)
		return "The time for which you allowed the capture is over; start it again if you need longer.";
	return end < _SESSION_END_MAX ? ends[end].sentence : ends[SESSION_END_INTERNAL].sentence;
}
