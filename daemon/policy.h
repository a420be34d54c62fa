/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the administrator decided. Pure. */
#ifndef CALLGATE_POLICY_H
#define CALLGATE_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define POLICY_KIND_MICROPHONE 1u
#define POLICY_KIND_CAMERA     2u
#define POLICY_KIND_SPEAKER \
	4u /* what is played: only a sound server has it, the kernel no device */
#define POLICY_KIND_DEVICES 3u
#define POLICY_KIND_ALL	    7u

/* What an agent asks on. */
#define POLICY_ASK_WINDOW   1u
#define POLICY_ASK_CONSOLE  2u
#define POLICY_ASK_TERMINAL 4u /* a pseudo-terminal */
#define POLICY_ASK_ALL	    7u

#define POLICY_GROUP_MAX 32
#define POLICY_PATH_MAX	 128
#define POLICY_HOLD_S	 65    /* the kernel itself holds a caller no longer */
#define POLICY_LIFE_S	 43200 /* protocol.md: no rekey in version 1 */
#define POLICY_LOCAL_S	 3600  /* the longest of a capture that is no call */

/**
 * struct policy - the configuration; with the rules applied, what holds for one session
 * @prompt_ns: how long an agent has to answer
 * @pseudo_terminal: agents may ask on a pseudo-terminal, where other programs of the user can type
 * @remote: agents may ask in a session that is not at this machine
 * @lock_ends: calls end when the screen is locked
 * @unverified_ns: how long a peer whose number was not compared yet may be talked to
 * @unverified_kinds: what may be captured for a peer who is not verified
 * @heartbeat_ms: of the channel, asked by the responder
 * @history_days: how long a call is remembered; 0: not at all
 * @history_unit: seconds to which the times in the history are rounded
 * @history_deny: no new sessions while the history cannot be written
 * @agent_group: name or number of the group that only agents run with
 * @local: the user may be asked to allow a capture that is no call
 * @local_ns: how long such a one lasts at most
 * @sound_manager: the one program that may speak for a sound server
 * @sound_server: the one program that may be it
 *
 * What only rules change (policy-rules.h):
 * @kinds: what may be captured at all
 * @asks: POLICY_ASK_*: the agents that may be asked
 * @lifetime_ns: of a session, from the confirmation of its keys
 * @hold_ns: how long a capture waits for its session to become live
 * @history: is anything kept of the session?
 */
struct policy {
	uint64_t prompt_ns;
	bool pseudo_terminal;
	bool remote;
	bool lock_ends;
	uint64_t unverified_ns;
	uint32_t unverified_kinds;
	uint32_t heartbeat_ms;
	uint32_t history_days;
	uint32_t history_unit;
	bool history_deny;
	char agent_group[POLICY_GROUP_MAX];
	bool local;
	uint64_t local_ns;
	char sound_manager[POLICY_PATH_MAX];
	char sound_server[POLICY_PATH_MAX];
	uint32_t kinds;
	uint32_t asks;
	uint64_t lifetime_ns;
	uint64_t hold_ns;
	bool history;
};

void policy_init(struct policy *policy);

/* What policy_set() says of a key that there is not. */
extern const char policy_no_such_key[];

/**
 * policy_set() - one line of the configuration
 * @ret_why: static sentence that says what is wrong
 * Return: false for an unknown key or a bad value; the policy is then untouched.
 */
bool policy_set(struct policy *policy, const char *section, const char *name, const char *value,
		const char **ret_why);

/* POLICY_ASK_* for people: "in a window or on a text console". */
const char *policy_asks_name(uint32_t asks);
/* "microphone", "camera", "microphone and camera", "microphone, camera and speaker", "nothing". */
const char *policy_kinds_name(uint32_t kinds);

#endif
