/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The call channel, version 1, as a machine: blobs in, blobs out, time as an argument (CLOCK_BOOTTIME in nanoseconds).
 * doc/protocol.md is the text. One struct channel is one approval and one run; nothing revives it once it has ended.
 *
 * Use: make one with channel_new_initiator() or channel_new_responder(); after every call that takes a time, drain
 * channel_poll_output(), look at the getters, and call channel_tick() at channel_next_timeout().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto.h"

#define CHANNEL_NSEC_PER_SEC  UINT64_C(1000000000)
#define CHANNEL_NSEC_PER_MSEC UINT64_C(1000000)

#define CHANNEL_SID_LEN	 16
#define CHANNEL_KEY_LEN	 32
#define CHANNEL_BLOB_MAX 192 /* no blob of version 1 is longer */
#define CHANNEL_SAS_LEN	 12  /* "123 456 789" and its NUL */

#define CHANNEL_VERSION 1

/* Kinds, as bits of a mask and as the number of a media key; MIXED is one stream with both. */
#define CHANNEL_MICROPHONE 1
#define CHANNEL_CAMERA	   2
#define CHANNEL_MIXED	   3
#define CHANNEL_KINDS	   3

#define CHANNEL_INTERVAL_MIN_MS	    1000
#define CHANNEL_INTERVAL_MAX_MS	    15000
#define CHANNEL_INTERVAL_DEFAULT_MS 2000
/* Without proof of life for this many intervals, capture stops. */
#define CHANNEL_DEAD_INTERVALS	    5
/* A heartbeat comes this much sooner or later than the interval. */
#define CHANNEL_JITTER_PERCENT	    20
/* A changed claim is sent at once, but never sooner than this part of an interval after the last heartbeat. */
#define CHANNEL_URGENT_FRACTION	    8
#define CHANNEL_CLOSE_COPIES	    3

#define CHANNEL_ANSWER_TIMEOUT	(120 * CHANNEL_NSEC_PER_SEC)
#define CHANNEL_CONFIRM_TIMEOUT (30 * CHANNEL_NSEC_PER_SEC)
#define CHANNEL_ERASE_AFTER	(30 * CHANNEL_NSEC_PER_SEC)
#define CHANNEL_AGE_MAX		(12 * 3600 * CHANNEL_NSEC_PER_SEC)
#define CHANNEL_RESEND_FIRST	(500 * CHANNEL_NSEC_PER_MSEC)
#define CHANNEL_RESEND_MAX	(4 * CHANNEL_NSEC_PER_SEC)

/* The list of programs that an end may tell: how many, bytes of a name, and the most that a session can last. */
#define CHANNEL_PROGRAMS_MAX	8
#define CHANNEL_PROGRAM_NAME	24
#define CHANNEL_PROGRAM_SECONDS (12 * 3600)

enum channel_role {
	CHANNEL_INITIATOR,
	CHANNEL_RESPONDER,
};

/* Direction of media: also the index of every array with two entries. */
enum channel_dir {
	CHANNEL_I2R, /* initiator to responder */
	CHANNEL_R2I,
};

/* Derived from facts each time it is asked for. */
enum channel_state {
	CHANNEL_STATE_NEW,	   /* responder: the local user has not accepted */
	CHANNEL_STATE_RINGING,	   /* initiator: INIT is out */
	CHANNEL_STATE_HANDSHAKING, /* RESP, FIN or READY is out, nothing confirmed */
	CHANNEL_STATE_LIVE,	   /* confirmed by its keys, and alive */
	CHANNEL_STATE_STALLED,	   /* confirmed, no proof of life in time */
	CHANNEL_STATE_CLOSED,
	CHANNEL_STATE_COUNT,
};

/* How far the media is bound to the channel, as the byte on the wire. */
enum channel_level {
	CHANNEL_LEVEL_NONE,
	CHANNEL_LEVEL_CHANNEL,
	CHANNEL_LEVEL_KEYED,
	CHANNEL_LEVEL_COUNT,
};

enum channel_sas {
	CHANNEL_SAS_NOT_COMPARED,
	CHANNEL_SAS_MATCHES,
	CHANNEL_SAS_DIFFERS,
	CHANNEL_SAS_COUNT,
};

/* What became of a blob. All but OK and ENDED leave the channel as it was. */
enum channel_result {
	CHANNEL_OK,
	CHANNEL_ENDED,		  /* genuine, and it ended the channel: see channel_end_reason() */
	CHANNEL_DUPLICATE,	  /* seen before; answered again where the rules say so */
	CHANNEL_MALFORMED,	  /* length, type or fields are not of this protocol */
	CHANNEL_VERSION_UNKNOWN,  /* no version in common */
	CHANNEL_FOREIGN,	  /* another session's */
	CHANNEL_UNEXPECTED,	  /* of a type that has no place now */
	CHANNEL_INIT_TO_OUTGOING, /* somebody calls into an outgoing call */
	CHANNEL_CONFLICT,	  /* other bytes where these were already taken */
	CHANNEL_FORGED,		  /* not made by the other end, or damaged */
	CHANNEL_REFLECTED,	  /* one's own */
	CHANNEL_REPLAYED,	  /* number seen before or too old */
	CHANNEL_EPOCH,		  /* a key epoch that version 1 does not have */
	CHANNEL_CLOSED,		  /* the channel had ended */
	CHANNEL_RESULT_COUNT,
};

/* Why a channel ended. The numbers are the reason byte of CLOSE. */
enum channel_end {
	CHANNEL_END_NONE,
	CHANNEL_END_HANGUP,
	CHANNEL_END_SAS_DIFFERS,
	CHANNEL_END_PEER_REFUSED,
	CHANNEL_END_LOST,
	CHANNEL_END_AGE,
	CHANNEL_END_VIOLATION,
	CHANNEL_END_MEDIA,
	CHANNEL_END_ECHO,
	CHANNEL_END_EXHAUSTED,
	CHANNEL_END_WITHDRAWN,
	CHANNEL_END_SHUTDOWN,
	CHANNEL_END_PEER_CLOSED,
	CHANNEL_END_NO_ANSWER,
	CHANNEL_END_NOT_ACCEPTED,
	CHANNEL_END_NOT_CONFIRMED,
	CHANNEL_END_COMMITMENT,
	CHANNEL_END_WEAK_POINT,
	CHANNEL_END_VERSION,
	CHANNEL_END_DECLINED,
	CHANNEL_END_COUNT,
};

struct channel;

/**
 * struct channel_params - what a channel is made from
 * @static_key: the label's static private key; copied
 * @static_public: its public key; NULL to have it computed, which costs a tenth of a handshake
 * @offered: initiator: the most that each direction may ever carry, masks of kinds; ignored for a responder
 * @interval_ms: responder: heartbeat interval, 0 for the default; ignored for an initiator
 * @gate: whether this machine's kernel enforces, told to the other end
 * @peer_allowed: asked once, as soon as the other end's static key is proven: at the initiator before FIN is made, at the
 *	responder after FIN. False ends the channel (a pin that does not match). Required. Must not call back into the
 *	channel, but for channel_sid().
 * @random: source of randomness; NULL for the real one. Only tests set it.
 * @data: handed to both
 */
struct channel_params {
	const uint8_t *static_key;
	const uint8_t *static_public;
	uint16_t offered[2];
	uint16_t interval_ms;
	bool gate;
	bool (*peer_allowed)(void *data, const uint8_t key[CHANNEL_KEY_LEN]);
	void (*random)(void *data, void *ret, size_t len);
	void *data;
};

/**
 * struct channel_claims - what one end says about itself
 * @captured: kinds that run now
 * @granted: kinds that its gate would let run
 * @level: for the microphone and for the camera; of a peer, unknown levels are already NONE
 * @sas: whether its user compared the numbers
 * @gate: whether its kernel enforces
 */
struct channel_claims {
	uint16_t captured;
	uint16_t granted;
	enum channel_level level[2];
	enum channel_sas sas;
	bool gate;
};

/**
 * struct channel_program - a program that had camera or microphone during the call, as one end says
 * @seconds: of microphone and camera; one of them is not 0
 * @name: can be shown: text_is_name()
 */
struct channel_program {
	uint32_t seconds[2];
	char name[CHANNEL_PROGRAM_NAME + 1];
};

struct channel_programs {
	unsigned int n;
	struct channel_program list[CHANNEL_PROGRAMS_MAX];
};

/**
 * channel_new_initiator - call somebody; INIT is queued
 * @ret: the new channel; channel_free() it
 *
 * Return: 0; -EINVAL for a missing key or callback or an empty or unknown offer; -ENOMEM or -EPERM when no locked memory
 * is to be had.
 */
int channel_new_initiator(struct channel **ret, const struct channel_params *params, uint64_t now);

/**
 * channel_new_responder - take an INIT; nothing is sent until channel_accept()
 * @ret: the new channel, only when 0 is returned
 * @init: the blob
 *
 * The caller first looks up channel_blob_sid() among its sessions: a blob of a known session goes to that session's
 * channel_receive(), which tells duplicates, reflections and calls into outgoing sessions apart.
 *
 * Return: 0; an enum channel_result for a bad INIT; a negative errno as channel_new_initiator().
 */
int channel_new_responder(struct channel **ret, const struct channel_params *params,
			  const void *init, size_t len, uint64_t now);

/** channel_free - wipe and free, without a word to the other end; takes NULL, returns NULL */
struct channel *channel_free(struct channel *c);

DEFINE_CLEANUP(struct channel *, channel_free);

/**
 * channel_accept - the local user said yes: make and send the one RESP
 * @accepted: per direction, a part of channel_offered()
 *
 * Return: 0; -EINVAL for more than was offered; -EALREADY when this is no responder that waits, or has ended; -EPROTO
 * when the caller's key is a point of low order, which ends the channel.
 */
int channel_accept(struct channel *c, const uint16_t accepted[2], uint64_t now);

/**
 * channel_receive - a blob from the app, of any origin
 */
enum channel_result channel_receive(struct channel *c, const void *blob, size_t len, uint64_t now);

/**
 * channel_poll_output - the next blob to carry to the other end
 * @ret: room for CHANNEL_BLOB_MAX bytes
 *
 * Goes on giving the CLOSE blobs after the end.
 *
 * Return: true with the length in @ret_len, false when there is none.
 */
bool channel_poll_output(struct channel *c, uint8_t ret[CHANNEL_BLOB_MAX], size_t *ret_len);

/** channel_next_timeout - when channel_tick() is due; UINT64_MAX for never */
uint64_t channel_next_timeout(const struct channel *c);

/** channel_tick - let time pass: resend, give up, send heartbeats, erase keys */
void channel_tick(struct channel *c, uint64_t now);

/**
 * channel_set_local - what this end says about itself from now on
 * @captured: @granted: parts of what was accepted for this end's direction
 *
 * CHANNEL_SAS_DIFFERS is told to the other end and ends the channel.
 *
 * Return: 0, -EINVAL for a kind that was not accepted (nothing changes), -ENOTCONN when the channel has ended.
 */
int channel_set_local(struct channel *c, uint16_t granted, uint16_t captured, enum channel_sas sas,
		      bool gate, uint64_t now);

/**
 * channel_media_key - derive a media base key and mark its kind as fetched
 * @dir: direction of the media
 * @kind: CHANNEL_MICROPHONE, CHANNEL_CAMERA or CHANNEL_MIXED
 *
 * Return: 0; -EINVAL for no such direction or kind; -EACCES when the kind was not accepted in that direction; -ENOTCONN
 * unless the channel is live.
 */
int channel_media_key(struct channel *c, enum channel_dir dir, unsigned int kind, uint64_t now,
		      uint8_t ret_key[CHANNEL_KEY_LEN]);

/**
 * channel_close - end it here: tell the other end if there are keys to say it with, then wipe them
 *
 * Does nothing when it has ended.
 */
void channel_close(struct channel *c, enum channel_end reason, uint64_t now);

/** channel_state - derived from what is known at @now */
enum channel_state channel_state(const struct channel *c, uint64_t now);

enum channel_role channel_role(const struct channel *c);
/** channel_own_dir - the direction in which this end's media goes */
enum channel_dir channel_own_dir(const struct channel *c);
const uint8_t *channel_sid(const struct channel *c);

/**
 * channel_sas - the number that the two people compare, as "123 456 789"; for the agent only
 *
 * Return: false before FIN, after a failed commitment, and after the end.
 */
bool channel_sas(const struct channel *c, char ret[CHANNEL_SAS_LEN]);

/** channel_peer_key - the other end's proven static key, or NULL; stays after the end */
const uint8_t *channel_peer_key(const struct channel *c);

/** channel_confirmed - the other end has shown that it holds the keys, and the channel has not ended */
bool channel_confirmed(const struct channel *c);

/** channel_alive_until - what the last proof of life covers; 0 before the first and after the end */
uint64_t channel_alive_until(const struct channel *c);

/** channel_offered - the most that @dir may carry, as the initiator said it (known kinds only) */
uint16_t channel_offered(const struct channel *c, enum channel_dir dir);

/** channel_accepted - what the responder accepted for @dir; 0 before RESP */
uint16_t channel_accepted(const struct channel *c, enum channel_dir dir);

/** channel_interval_ms - heartbeat interval; 0 at an initiator before RESP */
unsigned int channel_interval_ms(const struct channel *c);

/** channel_peer_claims - what the other end last said; false before its first word and after the end */
bool channel_peer_claims(const struct channel *c, struct channel_claims *ret);

/**
 * channel_tell_programs - tell the other end from now on which programs had camera or microphone
 * @list: so far; more seconds of the same programs go out when their turn comes, a new program soon
 *
 * Return: 0; -EOPNOTSUPP when the other end is of a version that does not take it; -EINVAL for too many; -ENOMEM;
 * -ENOTCONN when the channel has ended.
 */
int channel_tell_programs(struct channel *c, const struct channel_programs *list, uint64_t now);

/** channel_takes_programs - the other end understands such a list */
bool channel_takes_programs(const struct channel *c);

/** channel_peer_programs - the last whole list that the other end told, its word only; false for none; stays after the end */
bool channel_peer_programs(const struct channel *c, struct channel_programs *ret);

/** channel_level - level of one kind (CHANNEL_MICROPHONE or CHANNEL_CAMERA): the weaker of both ends */
enum channel_level channel_level(const struct channel *c, unsigned int kind);

/** channel_end_reason - CHANNEL_END_NONE while it has not ended */
enum channel_end channel_end_reason(const struct channel *c);

/** channel_peer_reason - after CHANNEL_END_PEER_CLOSED: the reason byte that the other end gave */
uint8_t channel_peer_reason(const struct channel *c);

/**
 * channel_blob_sid - which session a blob claims to be of
 *
 * Return: CHANNEL_OK, CHANNEL_MALFORMED or CHANNEL_VERSION_UNKNOWN. Nothing is authenticated.
 */
enum channel_result channel_blob_sid(const void *blob, size_t len,
				     uint8_t ret_sid[CHANNEL_SID_LEN]);

/* Names for programs and sentences for people; NULL for a number outside the enum. */
const char *channel_state_name(enum channel_state s);
const char *channel_level_name(enum channel_level l);
const char *channel_result_name(enum channel_result r);
const char *channel_result_message(enum channel_result r);
const char *channel_end_name(enum channel_end e);
const char *channel_end_message(enum channel_end e);

/** channel_end_from_name - the reverse of channel_end_name(); CHANNEL_END_COUNT for no such name */
enum channel_end channel_end_from_name(const char *name);
