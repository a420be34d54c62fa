// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * GetMetrics of org.callgate1.Manager. Called by bus-manager.c's table. Names and
 * values only: how they are written down is the tool's, tools/callgatectl-metrics.c.
 *
 * Security: the counts are of all users, so they are an administrator's. There
 * is no label for a peer or a user, and one for apps only when it is asked for.
 */
#include "bus.h"

#include <inttypes.h>
#include <stdio.h>

#include "util/macro.h"
#include "util/text.h"
#include "version.h"

#define ACTION	 "org.callgate1.read-metrics"
#define NS_PER_S 1e9

static const char *const kinds[] = { "microphone", "camera" };

/* A family of samples: opened, filled, closed. Each returns what sd-bus says. */
static int family(sd_bus_message *m, const char *name, const char *type, const char *unit,
		  const char *help)
{
	int r = sd_bus_message_open_container(m, 'r', "ssssa(sa{ss}d)");

	if (r >= 0)
		r = sd_bus_message_append(m, "ssss", name, type, unit, help);
	return r < 0 ? r : sd_bus_message_open_container(m, 'a', "(sa{ss}d)");
}

static int end_family(sd_bus_message *m)
{
	int r = sd_bus_message_close_container(m);

	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int sample(sd_bus_message *m, const char *suffix, const char *label, const char *value,
		  double number)
{
	return label == NULL
		       ? sd_bus_message_append(m, "(sa{ss}d)", suffix, 0, number)
		       : sd_bus_message_append(m, "(sa{ss}d)", suffix, 1, label, value, number);
}

static int one(sd_bus_message *m, const char *name, const char *type, const char *unit,
	       const char *help, double number)
{
	int r = family(m, name, type, unit, help);

	if (r >= 0)
		r = sample(m, type[0] == 'c' ? "_total" : "", NULL, NULL, number);
	return r < 0 ? r : end_family(m);
}

/* One sample for each of the values that a label has. */
static int several(sd_bus_message *m, const char *name, const char *help, const char *label,
		   const char *const *values, const uint64_t *numbers, size_t n)
{
	int r = family(m, name, "counter", "", help);

	for (size_t i = 0; i < n && r >= 0; i++)
		r = sample(m, "_total", label, values[i], (double)numbers[i]);
	return r < 0 ? r : end_family(m);
}

static int states(sd_bus_message *m, const char *name, const char *help, const char *const *values,
		  size_t n, const char *is)
{
	int r = family(m, name, "stateset", "", help);

	for (size_t i = 0; i < n && r >= 0; i++)
		r = sample(m, "", name, values[i], strcmp(values[i], is) == 0);
	return r < 0 ? r : end_family(m);
}

static int times(sd_bus_message *m, const char *name, const char *help,
		 const struct metrics_times *times)
{
	int r = family(m, name, "histogram", "seconds", help);
	char bound[32];

	for (size_t i = 0; i < METRICS_BUCKETS && r >= 0; i++) {
		snprintf(bound, sizeof(bound), "%.1f", times->bounds[i]);
		r = sample(m, "_bucket", "le", bound, (double)times->below[i]);
	}
	if (r >= 0)
		r = sample(m, "_bucket", "le", "+Inf", (double)times->count);
	if (r >= 0)
		r = sample(m, "_count", NULL, NULL, (double)times->count);
	if (r >= 0)
		r = sample(m, "_sum", NULL, NULL, times->seconds);
	return r < 0 ? r : end_family(m);
}

static int sessions(struct service *service, sd_bus_message *m)
{
	static const char *const ways[] = { "out", "in" };
	const char *names[_SESSION_STATE_MAX], *ends[_SESSION_END_MAX];
	const struct metrics *metrics = &service->metrics;
	uint64_t open[_SESSION_STATE_MAX] = { 0 };
	struct call *call;
	int r;

	LIST_FOREACH(call, &service->calls.all, all)
	open[call_state(call)]++;
	for (int i = 0; i < _SESSION_STATE_MAX; i++)
		names[i] = session_state_name((enum session_state)i);
	for (int i = 0; i < _SESSION_END_MAX; i++)
		ends[i] = session_end_name((enum session_end)i);
	r = family(m, "callgate_sessions", "gauge", "", "Sessions that are open.");
	for (size_t i = 0; i < SESSION_CLOSED && r >= 0; i++)
		r = sample(m, "", "state", names[i], (double)open[i]);
	if (r >= 0)
		r = end_family(m);
	if (r >= 0)
		r = several(m, "callgate_sessions_begun", "Sessions that the user was asked for.",
			    "direction", ways, metrics->sessions, 2);
	if (r >= 0)
		r = one(m, "callgate_sessions_refused", "counter", "",
			"Sessions that were refused before anybody was asked.",
			(double)metrics->refused);
	if (r >= 0)
		r = several(m, "callgate_sessions_ended", "Sessions that ended, and why.", "reason",
			    ends + 1, metrics->ended + 1, _SESSION_END_MAX - 1);
	return r < 0 ? r
		     : times(m, "callgate_session_duration_seconds",
			     "From the question to the end.", &metrics->lasted);
}

static int questions(struct service *service, sd_bus_message *m)
{
	static const char *const results[] = { "answered", "timeout", "agent-gone", "refused" };
	struct agent *agent;
	double agents = 0;
	int r;

	_Static_assert(ARRAY_SIZE(results) == _QUESTION_RESULT_MAX, "each result has a name");
	TAILQ_FOREACH(agent, &service->approvals.agents, all)
	agents++;
	r = one(m, "callgate_agents", "gauge", "", "Agents that can be asked.", agents);
	if (r >= 0)
		r = several(m, "callgate_questions", "Questions to people, and how they ended.",
			    "result", results, service->metrics.questions, ARRAY_SIZE(results));
	return r < 0 ? r
		     : times(m, "callgate_question_duration_seconds",
			     "How long questions were open.", &service->metrics.answered);
}

static int captures(struct service *service, sd_bus_message *m)
{
	static const char *const outcomes[] = { "given", "refused" };
	const struct metrics *metrics = &service->metrics;
	double running[2] = { 0, 0 }, devices[2] = { 0, 0 };
	struct capture_device *device;
	struct capture *stream;
	uint64_t now = call_clock();
	double seconds[2];
	int r;

	for (unsigned int i = 0; i < 2; i++)
		seconds[i] = (double)metrics->captured_ns[i];
	LIST_FOREACH(stream, &service->captures.streams, all)
	for (unsigned int i = 0; i < 2; i++) {
		running[i] += (stream->kinds & 1u << i) != 0;
		if ((stream->kinds & 1u << i) != 0 && now > stream->since)
			seconds[i] += (double)(now - stream->since);
	}
	LIST_FOREACH(device, &service->captures.devices, all)
	for (unsigned int i = 0; i < 2; i++)
		devices[i] += (device->kinds & 1u << i) != 0;
	r = family(m, "callgate_devices", "gauge", "", "Devices behind the gate.");
	for (unsigned int i = 0; i < 2 && r >= 0; i++)
		r = sample(m, "", "kind", kinds[i], devices[i]);
	r = r < 0 ? r : end_family(m);
	r = r < 0 ? r : family(m, "callgate_captures", "gauge", "", "Captures that run.");
	for (unsigned int i = 0; i < 2 && r >= 0; i++)
		r = sample(m, "", "kind", kinds[i], running[i]);
	r = r < 0 ? r : end_family(m);
	r = r < 0 ? r
		  : several(m, "callgate_captures_begun", "Captures that began.", "kind", kinds,
			    metrics->captures, 2);
	r = r < 0 ? r
		  : family(m, "callgate_capture_seconds", "counter", "seconds",
			   "How long was captured.");
	for (unsigned int i = 0; i < 2 && r >= 0; i++)
		r = sample(m, "_total", "kind", kinds[i], seconds[i] / NS_PER_S);
	r = r < 0 ? r : end_family(m);
	r = r < 0 ? r
		  : several(m, "callgate_denied", "Attempts to capture outside a session.", "kind",
			    kinds, metrics->denied, 2);
	return r < 0 ? r
		     : several(m, "callgate_grants",
			       "Grants that the gate was asked for, also renewals.", "outcome",
			       outcomes, metrics->grants, 2);
}

static int service_itself(struct service *service, sd_bus_message *m)
{
	static const char *const gates[] = { "present", "permissive", "absent" };
	static const char *const policies[] = { "loaded", "old", "broken" };
	static const char *const outcomes[] = { "understood", "failed" };
	int r = family(m, "callgate", "info", "", "The service.");

	if (r >= 0)
		r = sample(m, "_info", "version", CALLGATE_VERSION, 1);
	if (r >= 0)
		r = end_family(m);
	if (r >= 0)
		r = one(m, "callgate_start_time_seconds", "gauge", "seconds",
			"When the service was started, since 1970.",
			(double)service->metrics.started);
	if (r >= 0)
		r = states(m, "callgate_gate", "Whether the kernel denies.", gates,
			   ARRAY_SIZE(gates), bus_gate_name(gate_mode(service->gate)));
	if (r >= 0)
		r = states(m, "callgate_policy", "Whether the rules are understood.", policies,
			   ARRAY_SIZE(policies), bus_policy_state_name(service->policy_state));
	return r < 0 ? r
		     : several(m, "callgate_policy_reloads", "How often the policy was read anew.",
			       "outcome", outcomes, service->metrics.reloads, 2);
}

static int apps(const struct metrics *metrics, sd_bus_message *m, const char *name,
		const char *help, bool denied)
{
	int r = family(m, name, "counter", "", help);
	char shown[BOUND_LABEL + 1];

	for (size_t i = 0; i < BOUND_METRIC_APPS && r >= 0; i++) {
		const struct metrics_app *app = &metrics->apps[i];
		uint64_t count = denied ? app->denied : app->sessions;

		text_show(shown, sizeof(shown), app->name);
		if (count > 0)
			r = sample(m, "_total", "app", shown, (double)count);
	}
	return r < 0 ? r : end_family(m);
}

static int get_metrics(struct service *service, sd_bus_message *m, uint64_t with_apps,
		       sd_bus_error *error)
{
	sd_bus_message *reply = NULL;
	int r;

	r = sd_bus_message_new_method_return(m, &reply);
	if (r >= 0)
		r = sd_bus_message_open_container(reply, 'a', "(ssssa(sa{ss}d))");
	if (r >= 0)
		r = service_itself(service, reply);
	if (r >= 0)
		r = sessions(service, reply);
	if (r >= 0)
		r = questions(service, reply);
	if (r >= 0)
		r = captures(service, reply);
	if (r >= 0 && with_apps)
		r = apps(&service->metrics, reply, "callgate_app_sessions",
			 "Sessions of each calling program.", false);
	if (r >= 0 && with_apps)
		r = apps(&service->metrics, reply, "callgate_app_denied",
			 "Attempts of each program to capture outside a session.", true);
	if (r >= 0)
		r = sd_bus_message_close_container(reply);
	if (r >= 0)
		r = sd_bus_send(service->bus, reply, NULL);
	sd_bus_message_unref(reply);
	return r < 0 ? bus_failed(error, r) : 1;
}

int bus_metrics_get(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	bool with_apps = false;
	const struct dict_flag flags[] = { { "apps", &with_apps } };
	int r = bus_read_options(m, flags, ARRAY_SIZE(flags), error);

	return r < 0 ? r : bus_admin(userdata, m, ACTION, get_metrics, with_apps, error);
}
