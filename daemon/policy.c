// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The configuration's keys, their defaults and their bounds. Pure: config.c
 * reads the file. Must not have a key that lets anything be captured without
 * an approval, nor for a call without a live channel; the loosest that keys can do
 * is to treat an unverified peer as a verified one, and to have the user asked
 * about a capture that is no call.
 */
#include "policy.h"

#include <stdio.h>
#include <string.h>

#include "util/text.h"

#define NS_PER_S 1000000000ull

const char policy_no_such_key[] =
	"there is no such key; the keys are [prompt] timeout, pseudo_terminal, remote; [lock] calls; [unverified] seconds, "
	"kinds; [channel] heartbeat; [history] days, unit, full; [agent] group; [local] action, seconds; "
	"[sound] manager, server";

void policy_init(struct policy *policy)
{
	*policy = (struct policy){
		.prompt_ns = 60 * NS_PER_S,
		.unverified_ns = 120 * NS_PER_S,
		.unverified_kinds = POLICY_KIND_MICROPHONE,
		.heartbeat_ms = 2000,
		.history_days = 7,
		.history_unit = 900,
		.history_deny = true,
		.agent_group = "callgate-agent",
		.local_ns = 300 * NS_PER_S,
		.sound_manager = "/usr/libexec/callgate-pipewire",
		.sound_server = "/usr/bin/pipewire",
		.kinds = POLICY_KIND_ALL,
		.asks = POLICY_ASK_ALL,
		.lifetime_ns = POLICY_LIFE_S * NS_PER_S,
		.hold_ns = POLICY_HOLD_S * NS_PER_S,
		.history = true,
	};
}

static bool set_flag(bool *flag, const char *value)
{
	if (strcmp(value, "yes") == 0)
		*flag = true;
	else if (strcmp(value, "no") == 0)
		*flag = false;
	else
		return false;
	return true;
}

static bool set_path(char path[POLICY_PATH_MAX], const char *value)
{
	if (value[0] != '/' || !text_is_name(value, POLICY_PATH_MAX - 1))
		return false;
	snprintf(path, POLICY_PATH_MAX, "%s", value);
	return true;
}

static bool set_kinds(uint32_t *kinds, const char *value)
{
	if (strcmp(value, "none") == 0)
		*kinds = 0;
	else if (strcmp(value, "microphone") == 0)
		*kinds = POLICY_KIND_MICROPHONE;
	else if (strcmp(value, "microphone camera") == 0)
		*kinds = POLICY_KIND_DEVICES;
	else if (strcmp(value, "microphone camera speaker") == 0)
		*kinds = POLICY_KIND_ALL;
	else
		return false;
	return true;
}

bool policy_set(struct policy *policy, const char *section, const char *name, const char *value,
		const char **ret_why)
{
	unsigned long number;

	if (strcmp(section, "prompt") == 0 && strcmp(name, "timeout") == 0) {
		*ret_why = "[prompt] timeout is a number of seconds from 1 to 600";
		if (!text_to_number(value, 1, 600, &number))
			return false;
		policy->prompt_ns = number * NS_PER_S;
	} else if (strcmp(section, "prompt") == 0 && strcmp(name, "pseudo_terminal") == 0) {
		*ret_why = "[prompt] pseudo_terminal is yes or no";
		return set_flag(&policy->pseudo_terminal, value);
	} else if (strcmp(section, "prompt") == 0 && strcmp(name, "remote") == 0) {
		*ret_why = "[prompt] remote is yes or no";
		return set_flag(&policy->remote, value);
	} else if (strcmp(section, "lock") == 0 && strcmp(name, "calls") == 0) {
		*ret_why = "[lock] calls is continue or end";
		if (strcmp(value, "continue") != 0 && strcmp(value, "end") != 0)
			return false;
		policy->lock_ends = strcmp(value, "end") == 0;
	} else if (strcmp(section, "unverified") == 0 && strcmp(name, "seconds") == 0) {
		*ret_why = "[unverified] seconds is a number from 1 to 3600";
		if (!text_to_number(value, 1, 3600, &number))
			return false;
		policy->unverified_ns = number * NS_PER_S;
	} else if (strcmp(section, "unverified") == 0 && strcmp(name, "kinds") == 0) {
		*ret_why =
			"[unverified] kinds is none, microphone, microphone camera, or microphone camera speaker";
		return set_kinds(&policy->unverified_kinds, value);
	} else if (strcmp(section, "channel") == 0 && strcmp(name, "heartbeat") == 0) {
		*ret_why = "[channel] heartbeat is a number of milliseconds from 1000 to 15000";
		if (!text_to_number(value, 1000, 15000, &number))
			return false;
		policy->heartbeat_ms = (uint32_t)number;
	} else if (strcmp(section, "history") == 0 && strcmp(name, "days") == 0) {
		*ret_why = "[history] days is a number from 0 (nothing is kept) to 90";
		if (!text_to_number(value, 0, 90, &number))
			return false;
		policy->history_days = (uint32_t)number;
	} else if (strcmp(section, "history") == 0 && strcmp(name, "unit") == 0) {
		*ret_why =
			"[history] unit is a number of seconds from 60 to 86400 that a day is a multiple of";
		if (!text_to_number(value, 60, 86400, &number) || 86400 % number != 0)
			return false;
		policy->history_unit = (uint32_t)number;
	} else if (strcmp(section, "history") == 0 && strcmp(name, "full") == 0) {
		*ret_why = "[history] full is deny or continue";
		if (strcmp(value, "deny") != 0 && strcmp(value, "continue") != 0)
			return false;
		policy->history_deny = strcmp(value, "deny") == 0;
	} else if (strcmp(section, "agent") == 0 && strcmp(name, "group") == 0) {
		*ret_why = "[agent] group is the name or number of a group";
		if (!text_is_name(value, POLICY_GROUP_MAX - 1))
			return false;
		snprintf(policy->agent_group, sizeof(policy->agent_group), "%s", value);
	} else if (strcmp(section, "local") == 0 && strcmp(name, "action") == 0) {
		*ret_why = "[local] action is deny or ask";
		if (strcmp(value, "deny") != 0 && strcmp(value, "ask") != 0)
			return false;
		policy->local = strcmp(value, "ask") == 0;
	} else if (strcmp(section, "local") == 0 && strcmp(name, "seconds") == 0) {
		*ret_why = "[local] seconds is a number from 1 to 3600";
		if (!text_to_number(value, 1, POLICY_LOCAL_S, &number))
			return false;
		policy->local_ns = number * NS_PER_S;
	} else if (strcmp(section, "sound") == 0 && strcmp(name, "manager") == 0) {
		*ret_why = "[sound] manager is the path of a program";
		return set_path(policy->sound_manager, value);
	} else if (strcmp(section, "sound") == 0 && strcmp(name, "server") == 0) {
		*ret_why = "[sound] server is the path of a program";
		return set_path(policy->sound_server, value);
	} else {
		*ret_why = policy_no_such_key;
		return false;
	}
	return true;
}

const char *policy_asks_name(uint32_t asks)
{
	static const char *const names[POLICY_ASK_ALL + 1] = {
		"nowhere",
		"in a window",
		"on a text console",
		"in a window or on a text console",
		"in a terminal window",
		"in a window, also of a terminal",
		"on a text console or in a terminal window",
		"in a window or on any terminal",
	};

	return names[asks & POLICY_ASK_ALL];
}

const char *policy_kinds_name(uint32_t kinds)
{
	static const char *const names[POLICY_KIND_ALL + 1] = {
		"nothing",
		"microphone",
		"camera",
		"microphone and camera",
		"speaker",
		"microphone and speaker",
		"camera and speaker",
		"microphone, camera and speaker",
	};

	return names[kinds & POLICY_KIND_ALL];
}
