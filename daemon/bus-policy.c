// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The policy that is in force: read at the start, read anew at a reload, by a
 * signal or by ReloadPolicy of org.callgate1.Manager; and EndSessionsOf, the
 * administrator's way to end what others do. Called by manager.c and by
 * bus-manager.c's table.
 *
 * Security: files that are not understood never loosen anything. At the start
 * no session is allowed then; at a reload what was in force stays.
 */
#include "bus.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "util/log.h"

#define ACTION_RELOAD "org.callgate1.reload-policy"
#define ACTION_END    "org.callgate1.end-sessions"

const char *bus_policy_state_name(enum bus_policy_state state)
{
	switch (state) {
	case BUS_POLICY_LOADED:
		return "loaded";
	case BUS_POLICY_OLD:
		return "old";
	case BUS_POLICY_BROKEN:
		break;
	}
	return "broken";
}

int bus_policy_load(struct service *service)
{
	struct config_error error;
	int r = config_read_rules(service->rules_dir, &service->rules, &error);

	if (service->rules == NULL)
		return -ENOMEM;
	service->policy_state = r < 0 ? BUS_POLICY_BROKEN : BUS_POLICY_LOADED;
	if (r < 0)
		log_event(LOG_EVENT_POLICY_BROKEN, LOG_NOBODY,
			  "The rules for calls are not understood, so no call is allowed: %s. "
			  "Correct it, then 'systemctl reload callgate'.",
			  error.text);
	return 0;
}

/* What is only read at the start stays as it is. */
static void keep_from_start(struct policy *policy, const struct policy *before)
{
	if (policy->history_days != before->history_days ||
	    strcmp(policy->agent_group, before->agent_group) != 0)
		log_event(LOG_EVENT_POLICY_READ, LOG_NOBODY,
			  "[history] days and [agent] group change when the service is restarted.");
	policy->history_days = before->history_days;
	memcpy(policy->agent_group, before->agent_group, sizeof(policy->agent_group));
}

int bus_policy_reload(struct service *service, struct config_error *ret_error)
{
	struct rules *rules = NULL;
	struct policy policy;
	int r;

	sd_notify(0, "RELOADING=1");
	r = config_read(service->config_file, &policy, ret_error);
	if (r >= 0)
		r = config_read_rules(service->rules_dir, &rules, ret_error);
	if (r >= 0) {
		keep_from_start(&policy, &service->policy);
		service->policy = policy;
		rules_free(service->rules);
		service->rules = rules;
		service->policy_state = BUS_POLICY_LOADED;
		calls_set_policy(&service->calls, &service->policy, service->rules);
		log_event(LOG_EVENT_POLICY_READ, LOG_NOBODY,
			  "The policy was read anew: %u rules in %u files.", rules->n_rules,
			  rules->n_files);
	} else {
		rules_free(rules);
		if (service->policy_state == BUS_POLICY_LOADED)
			service->policy_state = BUS_POLICY_OLD;
		log_event(LOG_EVENT_POLICY_KEPT, LOG_NOBODY, "The policy was not read anew: %s. %s",
			  ret_error->text,
			  service->policy_state == BUS_POLICY_OLD
				  ? "What was in force before stays."
				  : "Still no call is allowed.");
	}
	sd_notify(0, "READY=1");
	service->metrics.reloads[r < 0]++;
	return r;
}

static int reload(struct service *service, sd_bus_message *m, uint64_t unused, sd_bus_error *error)
{
	struct config_error wrong;
	struct refusal refusal;

	if (bus_policy_reload(service, &wrong) >= 0)
		return sd_bus_reply_method_return(m, NULL);
	refuse(&refusal, REFUSAL_FAILED, "%s. The policy is as it was before.", wrong.text);
	return bus_refused(error, &refusal);
}

int bus_policy_method_reload(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	return bus_admin(userdata, m, ACTION_RELOAD, reload, 0, error);
}

static int end_of(struct service *service, sd_bus_message *m, uint64_t uid, sd_bus_error *error)
{
	unsigned int ended = calls_end_of(&service->calls, (uid_t)uid, SESSION_END_ENDED);
	uid_t who;

	if (bus_caller_uid(service, m, &who) < 0)
		who = LOG_NOBODY;
	log_event(LOG_EVENT_SESSIONS_ENDED, who, "User %d ended %u calls of user %u.", (int)who,
		  ended, (unsigned int)uid);
	return sd_bus_reply_method_return(m, "u", ended);
}

int bus_policy_method_end(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	uint32_t uid;
	int r = sd_bus_message_read(m, "u", &uid);

	return r < 0 ? r : bus_admin(userdata, m, ACTION_END, end_of, uid, error);
}
