// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Owns the words for channel.h's enums: names for programs, sentences for people. Decides nothing. Called by the D-Bus
 * objects and by whoever logs.
 */
#include "channel.h"

#include <string.h>

const char *channel_state_name(enum channel_state s)
{
	switch (s) {
	case CHANNEL_STATE_NEW:
		return "new";
	case CHANNEL_STATE_RINGING:
		return "ringing";
	case CHANNEL_STATE_HANDSHAKING:
		return "handshaking";
	case CHANNEL_STATE_LIVE:
		return "live";
	case CHANNEL_STATE_STALLED:
		return "stalled";
	case CHANNEL_STATE_CLOSED:
		return "closed";
	case CHANNEL_STATE_COUNT:
		break;
	}
	return NULL;
}

const char *channel_level_name(enum channel_level l)
{
	switch (l) {
	case CHANNEL_LEVEL_NONE:
		return "none";
	case CHANNEL_LEVEL_CHANNEL:
		return "channel";
	case CHANNEL_LEVEL_KEYED:
		return "keyed";
	case CHANNEL_LEVEL_COUNT:
		break;
	}
	return NULL;
}

struct words {
	const char *name;
	const char *message;
};

static const struct words results[CHANNEL_RESULT_COUNT] = {
	[CHANNEL_OK] = { "ok", "The blob was taken." },
	[CHANNEL_ENDED] = { "ended",
			    "The blob ended the call; the session's end reason says why." },
	[CHANNEL_DUPLICATE] = { "duplicate",
				"The blob had arrived before; there is nothing to do." },
	[CHANNEL_MALFORMED] = { "malformed",
				"The blob is not a Callgate blob, or it was cut or padded; carry "
				"each blob whole and unchanged." },
	[CHANNEL_VERSION_UNKNOWN] = { "version-unknown",
				      "The other side speaks a version of the protocol that this one "
				      "does not; update Callgate on the older machine." },
	[CHANNEL_FOREIGN] = { "foreign", "The blob belongs to another session; deliver it there." },
	[CHANNEL_UNEXPECTED] = { "unexpected",
				 "A blob of this type has no place in the session now; it was "
				 "dropped." },
	[CHANNEL_INIT_TO_OUTGOING] = { "init-to-outgoing",
				       "Somebody sent a new call into a session that is an outgoing "
				       "call; if both sides are calling, end one of the two." },
	[CHANNEL_CONFLICT] = { "conflict",
			       "The session has already taken a different blob of this type; this "
			       "one was dropped. The service may be interfering." },
	[CHANNEL_FORGED] = { "forged",
			     "The blob was damaged or was not made by the other side; it was "
			     "dropped." },
	[CHANNEL_REFLECTED] = { "reflected",
				"The blob came from this side and was sent back; it was dropped. "
				"Carry blobs only to the other side." },
	[CHANNEL_REPLAYED] = { "replayed",
			       "The blob is old or had arrived before; it was dropped." },
	[CHANNEL_EPOCH] = { "epoch",
			    "The blob uses keys that this version of the protocol does not have; it "
			    "was dropped." },
	[CHANNEL_CLOSED] = { "closed",
			     "The session has ended; start a new call to talk to the other side." },
};

static const struct words ends[CHANNEL_END_COUNT] = {
	[CHANNEL_END_NONE] = { "", "The call is open." },
	[CHANNEL_END_HANGUP] = { "hangup", "The call was ended." },
	[CHANNEL_END_SAS_DIFFERS] = { "sas-differs",
				      "The numbers differ: somebody between the two of you may be "
				      "listening. Do not use this service for the call." },
	[CHANNEL_END_PEER_REFUSED] = { "peer-refused",
				       "The other side's key is not the one that is kept for this "
				       "contact, so the call was blocked. The service itself may be "
				       "interfering; ask the contact over another way whether they "
				       "have a new machine." },
	[CHANNEL_END_LOST] = { "lost",
			       "The other side has not answered for too long, so the call was ended "
			       "and its keys erased. Call again." },
	[CHANNEL_END_AGE] = { "age", "The call reached its limit of 12 hours. Call again." },
	[CHANNEL_END_VIOLATION] = { "violation",
				    "The other side broke the rules of the protocol, so the call was "
				    "ended. Update Callgate on both machines and call again." },
	[CHANNEL_END_MEDIA] = { "media",
				"The other side claimed more cameras or microphones than were "
				"accepted, so the call was ended." },
	[CHANNEL_END_ECHO] = { "echo",
			       "The other side answered a message that was never sent, so the call "
			       "was ended. Call again." },
	[CHANNEL_END_EXHAUSTED] = { "exhausted",
				    "The call used up its message numbers. Call again." },
	[CHANNEL_END_WITHDRAWN] = { "withdrawn",
				    "The approval of the call was withdrawn, or its app is gone." },
	[CHANNEL_END_SHUTDOWN] = { "shutdown",
				   "Callgate is stopping on this machine. Call again later." },
	[CHANNEL_END_PEER_CLOSED] = { "peer-closed", "The other side ended the call." },
	[CHANNEL_END_NO_ANSWER] = { "no-answer",
				    "Nobody answered within two minutes. Call again later." },
	[CHANNEL_END_NOT_ACCEPTED] = { "not-accepted",
				       "The call was not accepted within two minutes." },
	[CHANNEL_END_NOT_CONFIRMED] = { "not-confirmed",
					"The other side did not finish the handshake within 30 "
					"seconds. Check the connection and call again." },
	[CHANNEL_END_COMMITMENT] = { "commitment",
				     "The caller changed its secret in the middle of the handshake, "
				     "as a man in the middle would. The call was ended; do not use "
				     "this service for it." },
	[CHANNEL_END_WEAK_POINT] = { "weak-point",
				     "The other side sent a key that would make the call readable "
				     "for everybody. The call was ended; do not use this service "
				     "for it." },
	[CHANNEL_END_VERSION] = { "version",
				  "The other side chose a version of the protocol that was not "
				  "offered. Update Callgate on both machines." },
	[CHANNEL_END_DECLINED] = { "declined", "The call was declined." },
};

const char *channel_result_name(enum channel_result r)
{
	return r < CHANNEL_RESULT_COUNT ? results[r].name : NULL;
}

const char *channel_result_message(enum channel_result r)
{
	return r < CHANNEL_RESULT_COUNT ? results[r].message : NULL;
}

const char *channel_end_name(enum channel_end e)
{
	return e < CHANNEL_END_COUNT ? ends[e].name : NULL;
}

const char *channel_end_message(enum channel_end e)
{
	return e < CHANNEL_END_COUNT ? ends[e].message : NULL;
}

enum channel_end channel_end_from_name(const char *name)
{
	for (unsigned int e = 0; e < CHANNEL_END_COUNT; e++)
		if (strcmp(ends[e].name, name) == 0)
			return e;
	return CHANNEL_END_COUNT;
}
