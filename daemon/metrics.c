// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Counts what happens, for monitoring. Called by manager.c and the bus objects;
 * bus-metrics.c tells. Must not hold anything about a peer, and nothing that says
 * when: who sees the counts is not who may see the history.
 */
#include "metrics.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define NS_PER_S 1e9

static const double long_bounds[METRICS_BUCKETS] = { 10, 60, 300, 900, 3600, 14400 };
static const double short_bounds[METRICS_BUCKETS] = { 1, 2, 5, 10, 30, 60 };

void metrics_init(struct metrics *metrics)
{
	*metrics = (struct metrics){ .started = (uint64_t)time(NULL),
				     .lasted = { .bounds = long_bounds },
				     .answered = { .bounds = short_bounds } };
}

static void metrics_time(struct metrics_times *times, uint64_t ns)
{
	double seconds = (double)ns / NS_PER_S;

	times->count++;
	times->seconds += seconds;
	for (unsigned int i = 0; i < METRICS_BUCKETS; i++)
		times->below[i] += seconds <= times->bounds[i];
}

static struct metrics_app *app_of(struct metrics *metrics, const char *name)
{
	struct metrics_app *app = &metrics->apps[0];

	for (unsigned int i = 0; i < BOUND_METRIC_APPS; i++) {
		app = &metrics->apps[i];
		if (app->name[0] == '\0')
			snprintf(app->name, sizeof(app->name), "%s",
				 i < BOUND_METRIC_APPS - 1 ? name : "others");
		if (strcmp(app->name, name) == 0)
			break;
	}
	return app;
}

void metrics_session_began(struct metrics *metrics, const char *app, bool incoming)
{
	metrics->sessions[incoming]++;
	app_of(metrics, app)->sessions++;
}

void metrics_session_ended(struct metrics *metrics, enum session_end end, uint64_t ns)
{
	metrics->ended[end < _SESSION_END_MAX ? end : SESSION_END_INTERNAL]++;
	metrics_time(&metrics->lasted, ns);
}

void metrics_question(struct metrics *metrics, enum question_result result, uint64_t ns)
{
	metrics->questions[result]++;
	metrics_time(&metrics->answered, ns);
}

void metrics_stream_started(struct metrics *metrics, const struct capture *stream)
{
	for (unsigned int i = 0; i < 2; i++)
		metrics->captures[i] += (stream->kinds & 1u << i) != 0;
}

void metrics_stream_stopped(struct metrics *metrics, const struct capture *stream, uint64_t now)
{
	for (unsigned int i = 0; i < 2; i++)
		if ((stream->kinds & 1u << i) != 0 && now > stream->since)
			metrics->captured_ns[i] += now - stream->since;
}

void metrics_denied(struct metrics *metrics, const struct capture *attempt)
{
	char label[BOUND_LABEL + 1];

	for (unsigned int i = 0; i < 2; i++)
		if ((attempt->kinds & 1u << i) != 0)
			metrics->denied[i] += attempt->count;
	if (process_label(&attempt->who, label) < 0)
		snprintf(label, sizeof(label), "unknown");
	app_of(metrics, label)->denied += attempt->count;
}
