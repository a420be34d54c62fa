// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Who is at the other end: opens the channel, holds its key against the pins,
 * has the user compare the numbers, and pins. Called by call.c.
 *
 * Security: a pin that does not match ends the call and is never replaced; the
 * initiator finds out before its own key is told. The number goes to the agent
 * only. An incoming name is the app's word until a pin or a comparison makes it
 * the user's; going on without comparing does not.
 */
#include "call-private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "channel-carry.h"
#include "util/log.h"
#include "util/macro.h"

/* Why the call is blocked: what it can mean, and what to do. Names were checked, and are at most 63 and 128 bytes. */
static void explain_mismatch(struct call *call, const struct identity_pin *pin)
{
	const char *who = call->contact;

	if (pin != NULL)
		snprintf(
			call->message, sizeof(call->message),
			"Who answered is not %s: you know this key as %s. The service may have connected you with "
			"the wrong person, by mistake or on purpose. If both are the same person, call under the "
			"name that you know.",
			who, pin->name);
	else
		snprintf(
			call->message, sizeof(call->message),
			"%s %s%s has another key than the one that you know. It can be a new machine, or one that "
			"was set up anew; or somebody between you, and the service itself may be interfering. "
			"Nothing was captured. Ask %s in another way. If it is a new machine, forget the old key "
			"(callgatectl peers forget), call again and compare the numbers; otherwise do not.",
			call->incoming ? "Who calls says to be" : "Who answered for", who,
			call->incoming ? ", but" : "", who);
}

static bool on_peer_key(void *userdata, const uint8_t key[CHANNEL_KEY_LEN])
{
	struct call *call = userdata;
	const struct identity_pin *pin;
	struct identity *identity;

	call->mismatch = true;
	if (user_identity(call->user, false, &identity) < 0)
		return false;
	pin = identity_by_key(identity, call->app, key, &call->auth);
	if (pin != NULL && call->incoming) {
		/* The name that the user knows this key by, whatever the app says. */
		snprintf(call->contact, sizeof(call->contact), "%s", pin->name);
		call->claimed = false;
	}
	switch (identity_match(identity, call->app, call->contact, key)) {
	case IDENTITY_MATCH_NEW:
	case IDENTITY_MATCH_OK:
		call->mismatch = false;
		break;
	case IDENTITY_MATCH_MISMATCH:
	case IDENTITY_MATCH_OTHER:
		explain_mismatch(call, pin);
		break;
	}
	return !call->mismatch;
}

static int make_params(struct call *call, struct channel_params *params, uint8_t *private_key)
{
	uint8_t public_key[IDENTITY_KEY_LEN];
	struct identity *identity;
	int r;

	r = user_identity(call->user, true, &identity);
	if (r < 0)
		return r;
	r = identity_static_key(identity, call->app, private_key, public_key);
	if (r < 0)
		return r;
	*params = (struct channel_params){
		.static_key = private_key,
		.interval_ms = (uint16_t)call->calls->policy->heartbeat_ms,
		.gate = call->calls->hooks->gate(call->calls->userdata),
		.peer_allowed = on_peer_key,
		.data = call,
	};
	params->offered[CHANNEL_I2R] = (uint16_t)(call->facts.approved_kinds & CHANNEL_KINDS);
	params->offered[CHANNEL_R2I] = CHANNEL_KINDS;
	return 0;
}

/* What is known about an outgoing call's contact before anybody answered: the weakest of its pins. */
static enum identity_auth known_contact(const struct call *call, const struct identity *identity)
{
	enum identity_auth auth = IDENTITY_AUTH_COUNT;
	const struct identity_pin *pins;
	size_t n = identity_pins(identity, &pins);

	for (size_t i = 0; i < n; i++)
		if (strcmp(pins[i].label, call->app) == 0 &&
		    strcmp(pins[i].name, call->contact) == 0 && pins[i].auth < auth)
			auth = pins[i].auth;
	return auth == IDENTITY_AUTH_COUNT ? IDENTITY_UNKNOWN : auth;
}

int call_peer_prepare(struct call *call, const void *init, size_t len, uint64_t now,
		      struct refusal *ret_refusal)
{
	_cleanup_(crypto_secret_free_p) void *key = crypto_secret_new(IDENTITY_KEY_LEN);
	uint8_t sid[CHANNEL_SID_LEN];
	struct channel_params params;
	struct identity *identity;
	const struct call *other;
	int r;

	if (key == NULL)
		return errno > 0 ? -errno : -ENOMEM;
	r = make_params(call, &params, key);
	if (r == -EBADMSG || r == -EPERM || r == -ELOOP || r == -EPROTONOSUPPORT || r == -ENOKEY ||
	    r == -EXDEV || r == -ENOMSG)
		return refuse(ret_refusal, REFUSAL_FAILED,
			      "Your identity file in the service's state directory %s.",
			      user_identity_why(r));
	if (r < 0)
		return r;
	if (init == NULL) {
		r = user_identity(call->user, false, &identity);
		if (r < 0)
			return r;
		call->auth = known_contact(call, identity);
		return 0;
	}
	if (len > BOUND_BLOB || channel_blob_sid(init, len, sid) != CHANNEL_OK)
		return refuse(ret_refusal, REFUSAL_BAD_BLOB,
			      "The blob is not the first blob of a call.");
	CALL_FOREACH_OF(other, call->calls, call->uid)
	if (other->channel != NULL && other->uid == call->uid &&
	    memcmp(channel_sid(other->channel), sid, sizeof(sid)) == 0)
		return refuse(ret_refusal, REFUSAL_BAD_BLOB,
			      "This blob is of a session that is open already; deliver it there.");
	r = channel_new_responder(&call->channel, &params, init, len, now);
	if (r > 0)
		return refuse(ret_refusal, REFUSAL_BAD_BLOB, "%s",
			      channel_result_message((enum channel_result)r));
	return r;
}

int call_peer_begin(struct call *call, uint64_t now)
{
	_cleanup_(crypto_secret_free_p) void *key = NULL;
	struct channel_params params;
	uint16_t accepted[2];
	int r;

	if (call->channel != NULL) {
		accepted[CHANNEL_I2R] = channel_offered(call->channel, CHANNEL_I2R);
		accepted[CHANNEL_R2I] = channel_offered(call->channel, CHANNEL_R2I) &
					(uint16_t)(call->facts.approved_kinds & CHANNEL_KINDS);
		r = channel_accept(call->channel, accepted, now);
		/* It ended while the user was asked, or the caller's key is bad: its end says so. */
		return r == -EPROTO || r == -EALREADY ? 0 : r;
	}
	key = crypto_secret_new(IDENTITY_KEY_LEN);
	if (key == NULL)
		return errno > 0 ? -errno : -ENOMEM;
	r = make_params(call, &params, key);
	if (r < 0)
		return r;
	return channel_new_initiator(&call->channel, &params, now);
}

int call_peer_unpack(struct call *call, struct reader *r, uint64_t now)
{
	const struct channel_params params = { .peer_allowed = on_peer_key, .data = call };

	return channel_unpack(&call->channel, &params, r, now);
}

static int pin(struct call *call, enum identity_auth auth)
{
	struct identity *identity;
	int r;

	r = user_identity(call->user, true, &identity);
	if (r >= 0)
		r = identity_pin(identity, call->app, call->contact,
				 channel_peer_key(call->channel), auth);
	if (r >= 0)
		r = user_save(call->user);
	return r;
}

static void on_compared(void *userdata, const struct question_answer *answer)
{
	struct call *call = userdata;
	int r = 0;

	call->question = NULL;
	if (answer->result == QUESTION_AGENT_GONE) {
		call_end(call, SESSION_END_AGENT_GONE);
	} else if (answer->result != QUESTION_ANSWERED) {
		call_end(call, SESSION_END_NOT_COMPARED);
	} else if (strcmp(answer->word, "matches") == 0) {
		r = pin(call, IDENTITY_VERIFIED);
		call->facts.verification = SESSION_VERIFIED;
		call->auth = IDENTITY_VERIFIED;
		call->claimed = false;
	} else if (strcmp(answer->word, "unverified") == 0) {
		if (!call->incoming) {
			r = pin(call, IDENTITY_PINNED);
			call->auth = IDENTITY_PINNED;
		}
		call->facts.verification = SESSION_UNVERIFIED;
	} else if (strcmp(answer->word, "differs") == 0) {
		call_end(call, SESSION_END_DIFFERS);
	} else {
		call_end(call, SESSION_END_NOT_COMPARED);
	}
	if (r < 0) {
		/* What cannot be remembered cannot be relied on at the next call. */
		log_event(LOG_EVENT_CALL_FAILED, call->uid, "A contact's key cannot be pinned: %s",
			  strerror(-r));
		call_end(call, SESSION_END_INTERNAL);
	}
	if (call->facts.end == SESSION_OPEN)
		call->calls->hooks->changed(call->calls->userdata, call);
	call_touch(call);
}

void call_peer_ask(struct call *call)
{
	uint64_t now = call_clock(), until = call->facts.confirmed_at + call->policy.unverified_ns;
	uint64_t left = until > now ? until - now : 0;
	char number[CHANNEL_SAS_LEN];
	const struct dict_entry details[] = {
		DICT_OBJECT("Session", call->path),
		DICT_TEXT("Contact", call->contact),
		DICT_FLAG("ContactClaimed", call->claimed),
		DICT_TEXT("PeerAuthentication", identity_auth_name(call->auth)),
		DICT_TEXT("Level", channel_level_name(call_level(call))),
		DICT_U32("Timeout", left / SESSION_NS_PER_S),
	};
	const struct question_text text = {
		.type = QUESTION_COMPARE,
		.subject = call->path,
		.number = number,
		.details = details,
		.n_details = ARRAY_SIZE(details),
		.timeout_ns = left,
		.asks = call->asks,
	};
	int r;

	if (!channel_sas(call->channel, number))
		return;
	if (left == 0) {
		call_end(call, SESSION_END_NOT_COMPARED);
		return;
	}
	r = question_ask(call->calls->approvals, call->uid, &text, on_compared, call,
			 &call->question);
	if (r < 0)
		call_end(call, r == -ENOENT ? SESSION_END_AGENT_GONE : SESSION_END_INTERNAL);
}

void call_peer_tell(struct call *call, uint64_t now)
{
	struct channel_programs programs;

	/* Without a gate nothing is known, which is not the same as that there was nothing. */
	if (!call->tells || call->usage == NULL || call->usage->blind)
		return;
	usage_list(call->usage, now, &programs);
	/* An end of an older version does not take it, and then nothing is told. */
	channel_tell_programs(call->channel, &programs, now);
}

void call_peer_confirmed(struct call *call)
{
	char number[CHANNEL_SAS_LEN], message[256];
	const struct dict_entry details[] = {
		DICT_OBJECT("Session", call->path),
		DICT_TEXT("Contact", call->contact),
		DICT_FLAG("ContactClaimed", call->claimed),
		DICT_TEXT("PeerAuthentication", identity_auth_name(call->auth)),
	};

	if (call->auth != IDENTITY_VERIFIED) {
		call_peer_ask(call);
		return;
	}
	if (!channel_sas(call->channel, number))
		return;
	call->facts.verification = SESSION_VERIFIED;
	snprintf(message, sizeof(message),
		 "The call with %s is verified by an earlier comparison. Its number is %s.",
		 call->contact, number);
	approval_notify(call->calls->approvals, call->uid, "number", message, details,
			ARRAY_SIZE(details));
}
