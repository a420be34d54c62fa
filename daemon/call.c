// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Sessions: keeps their facts up to date, does what follows from the facts,
 * and ends them. call-list.c finds them, call-open.c makes them and asks for approval, call-peer.c has
 * the part about who is at the other end. Must not know D-Bus objects or
 * netlink: both are behind struct call_hooks. Called by the bus objects and manager.c.
 *
 * Security: call_touch() is the only place that grants. It runs after
 * whatever could have changed a fact, computes from session.c what may be
 * captured now and until when, and makes the gate hold exactly that. An end is
 * final: facts.end is never cleared, one call is one approval and one channel.
 */
#include "call.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "call-private.h"
#include "util/bytes.h"
#include "util/log.h"
#include "util/macro.h"
#include "util/text.h"

#define NS_PER_US	1000u
/* A deadline that moved by less than this is not worth a message to the kernel. */
#define RENEW_GAIN_NS	(1 * SESSION_NS_PER_S)
/* A grant is renewed when a third of the longest deadline has passed. */
#define RENEW_BEFORE_NS (2 * SESSION_GRANT_NS / 3)

uint64_t call_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * SESSION_NS_PER_S + (uint64_t)now.tv_nsec;
}

/* ---- what others see --------------------------------------------------------------------------- */

enum session_state call_state(const struct call *call)
{
	return session_state(&call->facts, call_clock());
}

enum channel_level call_level(const struct call *call)
{
	enum channel_level level = CHANNEL_LEVEL_COUNT, one;
	uint32_t kinds = call->facts.approved_kinds & CHANNEL_KINDS;

	if (call->channel == NULL || !call->facts.confirmed)
		return CHANNEL_LEVEL_NONE;
	/* One who only listens and watches is told how far that is bound. */
	if (kinds == 0)
		kinds = channel_accepted(call->channel, !channel_own_dir(call->channel));
	for (unsigned int kind = CHANNEL_MICROPHONE; kind <= CHANNEL_CAMERA; kind++) {
		if ((kinds & kind) == 0)
			continue;
		one = channel_level(call->channel, kind);
		if (one < level)
			level = one;
	}
	return level == CHANNEL_LEVEL_COUNT ? CHANNEL_LEVEL_CHANNEL : level;
}

uint32_t call_peer_captured(const struct call *call)
{
	struct channel_claims claims;

	return call->channel != NULL && channel_peer_claims(call->channel, &claims)
		       ? claims.captured
		       : 0;
}

bool call_peer_gate(const struct call *call)
{
	struct channel_claims claims;

	return call->channel != NULL && channel_peer_claims(call->channel, &claims) && claims.gate;
}

const char *call_end_message(const struct call *call)
{
	return call->message[0] != '\0' ? call->message
					: session_end_sentence(call->facts.end, call->facts.local);
}

void call_subject_text(const struct call *call, char *ret_text, size_t size)
{
	char exe[PROCESS_EXE_MAX + 1], scope[64] = "";

	text_show(exe, sizeof(exe), call->subject.exe);
	if (call->scope != NULL)
		snprintf(scope, sizeof(scope), " and what it starts (scope %s)",
			 scope_name(call->scope));
	if (call->subject_app[0] == '\0')
		snprintf(ret_text, size, "%s%s", exe, scope);
	else if (exe[0] == '\0')
		snprintf(ret_text, size, "%s, by its own word%s", call->subject_app, scope);
	else
		snprintf(ret_text, size, "%s, by its own word; run by %s%s", call->subject_app, exe,
			 scope);
}

/* Tells upward when something that people see is another than last time. */
static void call_show(struct call *call)
{
	enum session_state state = call_state(call);
	enum channel_level level = call_level(call);
	uint32_t captured = call_peer_captured(call);
	bool gate = call_peer_gate(call);

	if (state == call->shown_state && call->granted == call->shown_granted &&
	    level == call->shown_level && captured == call->shown_captured &&
	    gate == call->shown_gate)
		return;
	call->shown_state = state;
	call->shown_granted = call->granted;
	call->shown_level = level;
	call->shown_captured = captured;
	call->shown_gate = gate;
	call->calls->hooks->changed(call->calls->userdata, call);
}

/* ---- ending ------------------------------------------------------------------------------------ */

static void flush_blobs(struct call *call)
{
	uint8_t blob[CHANNEL_BLOB_MAX];
	size_t length;

	while (call->channel != NULL && channel_poll_output(call->channel, blob, &length))
		call->calls->hooks->blob(call->calls->userdata, call, blob, length);
}

static enum channel_end end_for_peer(enum session_end reason)
{
	switch (reason) {
	case SESSION_END_DIFFERS:
		return CHANNEL_END_SAS_DIFFERS;
	case SESSION_END_MISMATCH:
		return CHANNEL_END_PEER_REFUSED;
	case SESSION_END_EXPIRED:
		return CHANNEL_END_AGE;
	case SESSION_END_LAPSED:
		return CHANNEL_END_LOST;
	case SESSION_END_SHUTDOWN:
	case SESSION_END_RESTARTED:
		return CHANNEL_END_SHUTDOWN;
	case SESSION_END_BLOCKED:
	case SESSION_END_LOCKED:
	case SESSION_END_NOT_COMPARED:
	case SESSION_END_AGENT_GONE:
		return CHANNEL_END_WITHDRAWN;
	case SESSION_END_DENIED:
	case SESSION_END_UNANSWERED:
		return CHANNEL_END_DECLINED;
	case SESSION_OPEN:
	case SESSION_END_ENDED:
	case SESSION_END_OWNER_GONE:
	case SESSION_END_SUBJECT_GONE:
	case SESSION_END_SUBJECT_EXEC:
	case SESSION_END_PEER_CLOSED:
	case SESSION_END_NO_PEER:
	case SESSION_END_BROKEN:
	case SESSION_END_INTERNAL:
	case _SESSION_END_MAX:
		break;
	}
	return CHANNEL_END_HANGUP;
}

static void settle_held(struct call *call, bool allow)
{
	for (unsigned int i = 0; i < call->n_held; i++)
		call->calls->hooks->verdict(call->calls->userdata, call->held[i].request, allow);
	call->n_held = 0;
}

/* Those that may not wait longer; the others stay. */
static void settle_late(struct call *call, uint64_t now)
{
	unsigned int kept = 0;

	for (unsigned int i = 0; i < call->n_held; i++) {
		if (now < call->held[i].until)
			call->held[kept++] = call->held[i];
		else
			call->calls->hooks->verdict(call->calls->userdata, call->held[i].request,
						    false);
	}
	call->n_held = kept;
}

static void notify_end(struct call *call)
{
	const struct dict_entry details[] = {
		DICT_OBJECT("Session", call->path),
		DICT_TEXT("Contact", call->contact),
		DICT_TEXT("App", call->app),
		DICT_TEXT("EndReason", session_end_name(call->facts.end)),
	};
	const char *what = call->facts.end == SESSION_END_MISMATCH ? "mismatch" : "ended";

	if (call->facts.approved)
		approval_notify(call->calls->approvals, call->uid, what, call_end_message(call),
				details, ARRAY_SIZE(details));
}

void call_end(struct call *call, enum session_end reason)
{
	struct calls *calls = call->calls;

	if (call->facts.end != SESSION_OPEN)
		return;
	call->facts.end = reason;
	if (call->granted != 0)
		calls->hooks->revoke(calls->userdata, call);
	call->granted = 0;
	settle_held(call, false);
	if (call->channel != NULL) {
		channel_close(call->channel, end_for_peer(reason), call_clock());
		flush_blobs(call);
	}
	call->question = question_cancel(call->question);
	call->timer = sd_event_source_disable_unref(call->timer);
	call->pidfd_source = sd_event_source_disable_unref(call->pidfd_source);
	notify_end(call);
	call_show(call);
	calls->hooks->removed(calls->userdata, call);
	/* Freed from the event loop: callers up the stack still hold it. */
	call_leave(call);
	LIST_INSERT_HEAD(&calls->dead, call, all);
	sd_event_source_set_enabled(calls->bury, SD_EVENT_ONESHOT);
}

/* The channel ended by itself: what that is called here, and the more exact sentence. */
static void end_with_channel(struct call *call)
{
	enum channel_end reason = channel_end_reason(call->channel);
	const char *sentence = channel_end_message(reason);
	enum session_end end = SESSION_END_BROKEN;

	switch (reason) {
	case CHANNEL_END_NONE:
		return;
	case CHANNEL_END_PEER_CLOSED:
		end = SESSION_END_PEER_CLOSED;
		sentence = NULL;
		if (channel_peer_reason(call->channel) != CHANNEL_END_HANGUP)
			sentence = channel_end_message(channel_peer_reason(call->channel));
		if (sentence != NULL)
			snprintf(call->message, sizeof(call->message),
				 "The other side ended the call. It says: %s", sentence);
		sentence = NULL;
		break;
	case CHANNEL_END_NO_ANSWER:
	case CHANNEL_END_NOT_ACCEPTED:
	case CHANNEL_END_NOT_CONFIRMED:
		end = SESSION_END_NO_PEER;
		break;
	case CHANNEL_END_LOST:
		end = SESSION_END_LAPSED;
		sentence = NULL;
		break;
	case CHANNEL_END_AGE:
		end = SESSION_END_EXPIRED;
		sentence = NULL;
		break;
	case CHANNEL_END_PEER_REFUSED:
		end = SESSION_END_MISMATCH;
		sentence = NULL;
		break;
	case CHANNEL_END_SAS_DIFFERS:
		end = SESSION_END_DIFFERS;
		sentence = NULL;
		break;
	case CHANNEL_END_HANGUP:
	case CHANNEL_END_VIOLATION:
	case CHANNEL_END_MEDIA:
	case CHANNEL_END_ECHO:
	case CHANNEL_END_EXHAUSTED:
	case CHANNEL_END_WITHDRAWN:
	case CHANNEL_END_SHUTDOWN:
	case CHANNEL_END_COMMITMENT:
	case CHANNEL_END_WEAK_POINT:
	case CHANNEL_END_VERSION:
	case CHANNEL_END_DECLINED:
	case CHANNEL_END_COUNT:
		break;
	}
	if (sentence != NULL)
		snprintf(call->message, sizeof(call->message), "%s", sentence);
	call_end(call, end);
}

void calls_end_all(struct calls *calls, enum session_end reason)
{
	while (!LIST_EMPTY(&calls->all))
		call_end(LIST_FIRST(&calls->all), reason);
}

unsigned int calls_end_of(struct calls *calls, uid_t uid, enum session_end reason)
{
	struct call *call, *next;
	unsigned int ended = 0;

	for (call = LIST_FIRST(&calls->all); call != NULL; call = next) {
		next = LIST_NEXT(call, all);
		if (call->uid != uid)
			continue;
		call_end(call, reason);
		ended++;
	}
	return ended;
}

/* ---- the facts, and what follows --------------------------------------------------------------- */

static void take_facts(struct call *call, uint64_t now)
{
	call->facts.gate = call->calls->hooks->gate(call->calls->userdata) && call->subject.proven;
	call->facts.blocked = call->user->blocked;
	call->facts.away = call->calls->hooks->away(call->calls->userdata, call->uid);
	call->facts.locked = call->calls->hooks->locked(call->calls->userdata, call->uid);
	if (call->channel == NULL)
		return;
	call->facts.met = channel_peer_key(call->channel) != NULL;
	call->facts.alive_until = channel_alive_until(call->channel);
	if (!call->facts.confirmed && channel_confirmed(call->channel)) {
		call->facts.confirmed = true;
		call->facts.confirmed_at = now;
		call_peer_confirmed(call);
	}
}

/* Makes the gate hold exactly these kinds until then. */
static void apply(struct call *call, uint32_t kinds, uint64_t until, uint64_t now)
{
	struct calls *calls = call->calls;
	int r;

	if (kinds == 0) {
		if (call->granted != 0)
			calls->hooks->revoke(calls->userdata, call);
		call->granted = 0;
		call->granted_until = 0;
		return;
	}
	if (kinds == call->granted && until < call->granted_until + RENEW_GAIN_NS &&
	    (until >= call->granted_until || call->granted_until <= now))
		return;
	r = calls->hooks->grant(calls->userdata, call, kinds, until);
	if (r == 0) {
		call->granted = kinds;
		call->granted_until = until;
		return;
	}
	if (r == -ESRCH) {
		call_end(call, process_alive(call->pidfd) ? SESSION_END_SUBJECT_EXEC
							  : SESSION_END_SUBJECT_GONE);
		return;
	}
	/* In the middle of exec: the next heartbeat tries again, an old grant of the same kinds ends by itself. */
	if (r == -EAGAIN && kinds == call->granted)
		return;
	/* What the gate still holds may be more than is allowed now. */
	if (call->granted != 0)
		calls->hooks->revoke(calls->userdata, call);
	call->granted = 0;
	call->granted_until = 0;
	/* No gate any more; or the deadline passed on the way there. */
	if (r == -EAGAIN || r == -ENODEV || r == -ERANGE)
		return;
	log_event(LOG_EVENT_GATE_FAILED, LOG_NOBODY, "The gate refused a grant: %s", strerror(-r));
	call_end(call, SESSION_END_INTERNAL);
}

static void set_timer(struct call *call, uint64_t now)
{
	uint64_t next = session_next_change(&call->facts, &call->policy, now);

	if (call->channel != NULL && channel_next_timeout(call->channel) < next)
		next = channel_next_timeout(call->channel);
	/* Only where a renewal would gain something; heartbeats refresh the session otherwise. */
	if (call->granted != 0 && call->facts.alive_until >= call->granted_until + RENEW_GAIN_NS &&
	    call->granted_until - RENEW_BEFORE_NS > now &&
	    call->granted_until - RENEW_BEFORE_NS < next)
		next = call->granted_until - RENEW_BEFORE_NS;
	if (call->waits_until != 0 && call->waits_until < next)
		next = call->waits_until;
	for (unsigned int i = 0; i < call->n_held; i++)
		if (call->held[i].until < next)
			next = call->held[i].until;
	if (next == UINT64_MAX) {
		sd_event_source_set_enabled(call->timer, SD_EVENT_OFF);
		return;
	}
	sd_event_source_set_time(call->timer, next / NS_PER_US + 1);
	sd_event_source_set_enabled(call->timer, SD_EVENT_ONESHOT);
}

static void claim(struct call *call, uint64_t now)
{
	enum channel_sas sas = CHANNEL_SAS_NOT_COMPARED;
	uint32_t own, captured;

	if (call->channel == NULL || !channel_confirmed(call->channel))
		return;
	own = channel_accepted(call->channel, channel_own_dir(call->channel));
	captured = call->calls->hooks->captured(call->calls->userdata, call) & own;
	if (call->facts.verification == SESSION_VERIFIED)
		sas = CHANNEL_SAS_MATCHES;
	channel_set_local(call->channel, call->granted & own, captured, sas, call->facts.gate, now);
	call_peer_tell(call, now);
}

void call_touch(struct call *call)
{
	uint64_t now = call_clock(), until;
	uint32_t kinds, wanted;

	if (call->facts.end != SESSION_OPEN || call->busy)
		return;
	call->busy = true;
	if (call->channel != NULL && now >= channel_next_timeout(call->channel))
		channel_tick(call->channel, now);
	flush_blobs(call);
	take_facts(call, now);
	call->busy = false;
	if (call->facts.end != SESSION_OPEN)
		return;
	if (call->channel != NULL && channel_end_reason(call->channel) != CHANNEL_END_NONE)
		end_with_channel(call);
	else if (session_expiry(&call->facts, &call->policy, now) != SESSION_OPEN)
		call_end(call, session_expiry(&call->facts, &call->policy, now));
	if (call->unasked && now >= call->facts.confirmed_at + call->policy.unverified_ns)
		call_end(call, SESSION_END_NOT_COMPARED);
	wanted = call->facts.approved ? call->facts.approved_kinds : call->facts.asked;
	if (wanted != 0 && (wanted & ~call->facts.blocked) == 0)
		call_end(call, SESSION_END_BLOCKED);
	if (call->waits_until != 0)
		call_open_later(call, now);
	if (call->facts.locked && call->calls->policy->lock_ends && call->facts.approved)
		call_end(call, SESSION_END_LOCKED);
	if (call->facts.end != SESSION_OPEN)
		return;
	call_policy_update(call);
	kinds = session_granted(&call->facts, &call->policy, now, &until);
	apply(call, kinds, until, now);
	if (call->facts.end != SESSION_OPEN)
		return;
	if (call->granted != 0)
		settle_held(call, true);
	settle_late(call, now);
	claim(call, now);
	flush_blobs(call);
	set_timer(call, now);
	call_show(call);
}

void calls_set_policy(struct calls *calls, const struct policy *policy, const struct rules *rules)
{
	calls->policy = policy;
	calls->rules = rules;
	calls->generation++;
	calls_refresh(calls);
}

void calls_refresh(struct calls *calls)
{
	struct call *call, *next;

	for (call = LIST_FIRST(&calls->all); call != NULL; call = next) {
		next = LIST_NEXT(call, all);
		call_touch(call);
	}
}

/* ---- what apps do ------------------------------------------------------------------------------- */

int call_deliver(struct call *call, const void *blob, size_t len, struct refusal *ret_refusal)
{
	enum channel_result result;

	if (len > BOUND_BLOB)
		return refuse(ret_refusal, REFUSAL_BAD_BLOB,
			      "The blob is longer than any blob can be.");
	if (call->channel == NULL || call_state(call) == SESSION_NEW)
		return refuse(ret_refusal, REFUSAL_BAD_BLOB,
			      "The session has not begun; nothing can have come for it.");
	result = channel_receive(call->channel, blob, len, call_clock());
	call_touch(call);
	if (result == CHANNEL_OK || result == CHANNEL_ENDED || result == CHANNEL_DUPLICATE)
		return 0;
	return refuse(ret_refusal, REFUSAL_BAD_BLOB, "%s", channel_result_message(result));
}

int call_media_keys(struct call *call, uint8_t ret_records[CALL_KEY_RECORDS * CALL_KEY_RECORD],
		    size_t *ret_len, struct refusal *ret_refusal)
{
	uint64_t now = call_clock();
	size_t length = 0;

	if (call->facts.local)
		return refuse(
			ret_refusal, REFUSAL_NOT_LIVE,
			"The session is no call: there is nobody whom keys could be shared with.");
	if (session_state(&call->facts, now) != SESSION_LIVE)
		return refuse(ret_refusal, REFUSAL_NOT_LIVE,
			      "The session is not live; wait until its State is 'live'.");
	for (unsigned int dir = CHANNEL_I2R; dir <= CHANNEL_R2I; dir++) {
		for (unsigned int kind = CHANNEL_MICROPHONE; kind <= CHANNEL_MIXED; kind++) {
			uint8_t *record = ret_records + length;
			int r = channel_media_key(call->channel, dir, kind, now, record + 6);

			if (r == -EACCES)
				continue;
			if (r < 0)
				return r;
			record[0] = (uint8_t)dir;
			record[1] = (uint8_t)kind;
			put_be32(record + 2, 0);
			length += CALL_KEY_RECORD;
		}
	}
	*ret_len = length;
	call_touch(call);
	return 0;
}

void call_hold(struct call *call, uint64_t request, uint32_t kinds)
{
	struct calls *calls = call->calls;

	/* It is told of again where the gate had to begin anew. */
	for (size_t i = 0; i < call->n_held; i++)
		if (call->held[i].request == request)
			return;
	if (call->granted != 0 && (kinds & ~call->granted) == 0) {
		calls->hooks->verdict(calls->userdata, request, true);
		return;
	}
	if (!call->facts.confirmed && (kinds & ~call->facts.asked) == 0 &&
	    call->n_held < BOUND_HELD_SESSION && call->policy.hold_ns > 0) {
		call->held[call->n_held++] =
			(struct call_held){ .request = request,
					    .until = call_clock() + call->policy.hold_ns };
		call_touch(call);
		return;
	}
	calls->hooks->verdict(calls->userdata, request, false);
}
