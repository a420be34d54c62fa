/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a report says, summed up from the history; memory does not grow with it. */
#ifndef CALLGATE_CALLGATECTL_REPORT_H
#define CALLGATE_CALLGATECTL_REPORT_H

#include "callgatectl-journal.h"

#define REPORT_APPS   32 /* the last one stands for all that have no room */
#define REPORT_DENIED 32
#define REPORT_CALLS  200 /* the latest, each in a row of its own */
#define REPORT_SLOTS  96  /* quarters of an hour in a day */
#define REPORT_NAME   128

struct report_app {
	char app[BOUND_LABEL + 1];
	uint64_t calls, microphone, camera;
};

struct report_denied {
	char app[BOUND_LABEL + 1];
	uint8_t kinds;
	uint64_t count;
	uint32_t first_day, last_day;
};

/* Kinds that calls captured, for each slot. */
struct report_day {
	uint32_t day;
	uint8_t slots[REPORT_SLOTS];
	uint64_t calls, microphone, camera, denied;
};

struct report_call {
	struct record record;
	char peer[REPORT_NAME];
};

struct report {
	struct history_view *view;
	uint64_t calls, microphone, camera, denied;
	struct report_app apps[REPORT_APPS];
	size_t n_apps;
	struct report_denied denials[REPORT_DENIED];
	size_t n_denials;
	struct report_day days[KEYRING_DAYS_MAX];
	size_t n_days;
	struct report_call latest[REPORT_CALLS];
	uint64_t problems[WALK_PROBLEM_COUNT];
	struct walk walk;
	uint64_t now;
};

/* callgatectl-report-html.c */
void report_html(FILE *out, const struct report *report);
/* "exe:/usr/bin/ffmpeg" as people know it. */
const char *report_app_text(const char *label);
/* "1 h 5 min" */
void report_duration(uint64_t seconds, char ret[32]);

#endif
