/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the administrator decided. Pure. */
#ifndef CALLGATE_POLICY_H
#define CALLGATE_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define POLICY_KIND_MICROPHONE 1u
#define POLICY_KIND_CAMERA     2u
#define POLICY_KIND_ALL	       3u

#define POLICY_GROUP_MAX 32

/**
 * struct policy - the configuration
 * @prompt_ns: how long an agent has to answer
 * @pseudo_terminal: agents may ask on a pseudo-terminal, where other programs of the user can type
 * @unverified_ns: how long a peer whose number was not compared yet may be talked to
 * @unverified_kinds: what may be captured for a peer who is not verified
 * @heartbeat_ms: of the channel, asked by the responder
 * @history_days: how long a call is remembered; 0: not at all
 * @history_unit: seconds to which the times in the history are rounded
 * @history_deny: no new sessions while the history cannot be written
 * @agent_group: name or number of the group that only agents run with
 */
struct policy {
	uint64_t prompt_ns;
	bool pseudo_terminal;
	uint64_t unverified_ns;
	uint32_t unverified_kinds;
	uint32_t heartbeat_ms;
	uint32_t history_days;
	uint32_t history_unit;
	bool history_deny;
	char agent_group[POLICY_GROUP_MAX];
};

void policy_init(struct policy *policy);

/**
 * policy_set() - one line of the configuration
 * @ret_why: static sentence that says what is wrong
 * Return: false for an unknown key or a bad value; the policy is then untouched.
 */
bool policy_set(struct policy *policy, const char *section, const char *name, const char *value,
		const char **ret_why);

/* "microphone", "camera", "microphone and camera", "nothing". */
const char *policy_kinds_name(uint32_t kinds);

#endif
