/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Counts and durations since the daemon started: how much, never with whom. */
#ifndef CALLGATE_METRICS_H
#define CALLGATE_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "approval.h"
#include "bounds.h"
#include "capture.h"
#include "session.h"

#define METRICS_BUCKETS 6

/**
 * struct metrics_times - durations, as a histogram
 * @below: how many were at most as long as each bound, the longer ones counted in each wider bound, too
 */
struct metrics_times {
	const double *bounds;
	uint64_t below[METRICS_BUCKETS];
	uint64_t count;
	double seconds;
};

/* @name: empty: free; the last one stands for all that have no room. */
struct metrics_app {
	char name[BOUND_LABEL + 1];
	uint64_t sessions;
	uint64_t denied;
};

/**
 * struct metrics
 * @started: CLOCK_REALTIME, seconds
 * @sessions: went out, came in
 * @refused: could not begin
 * @captures: @captured_ns: @denied: of the microphone, of the camera
 * @grants: given or renewed; refused by the gate
 * @reloads: of the policy; that failed
 */
struct metrics {
	uint64_t started;
	uint64_t sessions[2];
	uint64_t refused;
	uint64_t ended[_SESSION_END_MAX];
	uint64_t questions[_QUESTION_RESULT_MAX];
	struct metrics_times lasted;
	struct metrics_times answered;
	uint64_t captures[2];
	uint64_t captured_ns[2];
	uint64_t denied[2];
	uint64_t grants[2];
	uint64_t reloads[2];
	struct metrics_app apps[BOUND_METRIC_APPS];
};

void metrics_init(struct metrics *metrics);

void metrics_session_began(struct metrics *metrics, const char *app, bool incoming);
/* @ns: how long it was open. */
void metrics_session_ended(struct metrics *metrics, enum session_end end, uint64_t ns);
void metrics_question(struct metrics *metrics, enum question_result result, uint64_t ns);
void metrics_stream_started(struct metrics *metrics, const struct capture *stream);
void metrics_stream_stopped(struct metrics *metrics, const struct capture *stream, uint64_t now);
void metrics_denied(struct metrics *metrics, const struct capture *attempt);

#endif
