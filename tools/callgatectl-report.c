// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The verb report: sums the history up, prints a summary, and has callgatectl-report-html.c write the page. Keeps no record
 * but the latest calls.
 */
#include "callgatectl-report.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "plain.h"
#include "util/hex.h"

#define DAY_SECONDS  86400u
#define SLOT_SECONDS (DAY_SECONDS / REPORT_SLOTS)
#define BAR	     30

const char *report_app_text(const char *label)
{
	const char *colon = strchr(label, ':');

	return colon && colon[1] ? colon + 1 : label;
}

void report_duration(uint64_t seconds, char ret[32])
{
	if (seconds < 60)
		snprintf(ret, 32, "%" PRIu64 " s", seconds);
	else if (seconds < 3600 && seconds % 60)
		snprintf(ret, 32, "%" PRIu64 " min %" PRIu64 " s", seconds / 60, seconds % 60);
	else if (seconds < 3600)
		snprintf(ret, 32, "%" PRIu64 " min", seconds / 60);
	else
		snprintf(ret, 32, "%" PRIu64 " h %" PRIu64 " min", seconds / 3600,
			 seconds / 60 % 60);
}

/* ---- summing up ---------------------------------------------------------------------------------- */

static struct report_day *get_day(struct report *r, uint32_t day)
{
	for (size_t i = 0; i < r->n_days; i++)
		if (r->days[i].day == day)
			return &r->days[i];
	if (r->n_days == KEYRING_DAYS_MAX)
		return NULL;
	r->days[r->n_days].day = day;
	return &r->days[r->n_days++];
}

static struct report_app *get_app(struct report *r, const char *label)
{
	struct report_app *app;

	for (size_t i = 0; i < r->n_apps; i++)
		if (!strcmp(r->apps[i].app, label))
			return &r->apps[i];
	if (r->n_apps == REPORT_APPS) {
		app = &r->apps[REPORT_APPS - 1];
		snprintf(app->app, sizeof(app->app), "others");
		return app;
	}
	app = &r->apps[r->n_apps++];
	snprintf(app->app, sizeof(app->app), "%s", label);
	return app;
}

static void add_denied(struct report *r, const struct record *record)
{
	uint32_t of = (uint32_t)(record->start / DAY_SECONDS);
	struct report_day *day = get_day(r, of);
	struct report_denied *denied = NULL;

	r->denied += record->count;
	if (day)
		day->denied += record->count;
	for (size_t i = 0; i < r->n_denials && !denied; i++)
		if (r->denials[i].kinds == record->kinds && !strcmp(r->denials[i].app, record->app))
			denied = &r->denials[i];
	if (!denied && r->n_denials == REPORT_DENIED) {
		denied = &r->denials[REPORT_DENIED - 1];
		denied->kinds |= record->kinds;
		snprintf(denied->app, sizeof(denied->app), "others");
	} else if (!denied) {
		denied = &r->denials[r->n_denials++];
		*denied = (struct report_denied){ .kinds = record->kinds,
						  .first_day = of,
						  .last_day = of };
		snprintf(denied->app, sizeof(denied->app), "%s", record->app);
	}
	denied->count += record->count;
	denied->first_day = of < denied->first_day ? of : denied->first_day;
	denied->last_day = of > denied->last_day ? of : denied->last_day;
}

/* All slots that the rounded times may mean, at most two days of them. */
static void mark_slots(struct report *r, const struct record *record)
{
	uint64_t end = record->end + record->unit, at = record->start;

	if (end > at + 2 * DAY_SECONDS)
		end = at + 2 * DAY_SECONDS;
	for (; at < end; at += SLOT_SECONDS - at % SLOT_SECONDS) {
		struct report_day *day = get_day(r, (uint32_t)(at / DAY_SECONDS));

		if (day)
			day->slots[at % DAY_SECONDS / SLOT_SECONDS] |= record->kinds;
	}
}

static void on_record(void *userdata, const struct record *record, const struct walk_place *place)
{
	static const uint8_t nobody[RECORD_PEER_LEN];
	char hex[2 * RECORD_PEER_LEN + 1];
	const struct history_name *name;
	struct report *r = userdata;
	struct report_call *call;
	struct report_app *app;
	struct report_day *day;

	if (record->type == RECORD_DENIED) {
		add_denied(r, record);
		return;
	}
	day = get_day(r, (uint32_t)(record->start / DAY_SECONDS));
	if (day) {
		day->calls++;
		day->microphone += record->seconds[0];
		day->camera += record->seconds[1];
	}
	app = get_app(r, record->app);
	app->calls++;
	app->microphone += record->seconds[0];
	app->camera += record->seconds[1];
	r->microphone += record->seconds[0];
	r->camera += record->seconds[1];
	if (record->kinds)
		mark_slots(r, record);
	call = &r->latest[r->calls++ % REPORT_CALLS];
	call->record = *record;
	name = history_name(r->view, record->peer);
	/* Enough to tell one from another; all of it is in the history. */
	hex_encode(record->peer, 4, hex);
	snprintf(call->peer, sizeof(call->peer), "%s",
		 strcmp(record->level, RECORD_LEVEL_LOCAL) == 0 ? "not a call, not encrypted"
		 : name						? name->name
		 : memcmp(record->peer, nobody, sizeof(nobody)) ? hex
								: "nobody");
}

static void on_problem(void *userdata, enum walk_problem problem, const struct walk_place *place)
{
	struct report *r = userdata;

	r->problems[problem]++;
}

static int by_day(const void *a, const void *b)
{
	const struct report_day *one = a, *other = b;

	return (one->day > other->day) - (one->day < other->day);
}

static int by_time(const void *a, const void *b)
{
	const struct report_app *one = a, *other = b;
	uint64_t x = one->microphone + one->camera, y = other->microphone + other->camera;

	return (x < y) - (x > y);
}

static int by_count(const void *a, const void *b)
{
	const struct report_denied *one = a, *other = b;

	return (one->count < other->count) - (one->count > other->count);
}

/* ---- the terminal -------------------------------------------------------------------------------- */

static void print_bar(const char *what, uint64_t seconds, uint64_t most)
{
	char duration[32];
	int len = most ? (int)(seconds * BAR / most) : 0;

	report_duration(seconds, duration);
	printf("    %-10s ", what);
	for (int i = 0; i < BAR; i++)
		fputs(i < len || (i == 0 && seconds) ? "█" : "·", stdout);
	printf("  %s\n", duration);
}

static void print_day(const struct report_day *day)
{
	static const char *const marks[] = { "·", "m", "c", "B" };
	char text[16];

	history_day_text(day->day, text);
	printf("  %s  ", text);
	/* Half hours; a quarter fills one. */
	for (size_t i = 0; i < REPORT_SLOTS; i += 2)
		fputs(marks[(day->slots[i] | day->slots[i + 1]) & 3], stdout);
	if (day->denied)
		printf("  denied %" PRIu64, day->denied);
	putchar('\n');
}

static void print_summary(const struct report *r)
{
	char camera[32], microphone[32], day[16];
	uint64_t most = 0;

	report_duration(r->camera, camera);
	report_duration(r->microphone, microphone);
	printf("%" PRIu64 " call%s, camera %s, microphone %s, %" PRIu64 " attempt%s denied\n",
	       r->calls, r->calls == 1 ? "" : "s", camera, microphone, r->denied,
	       r->denied == 1 ? "" : "s");
	for (size_t i = 0; i < r->n_apps; i++) {
		most = r->apps[i].camera > most ? r->apps[i].camera : most;
		most = r->apps[i].microphone > most ? r->apps[i].microphone : most;
	}
	for (size_t i = 0; i < r->n_apps; i++) {
		fputs("  ", stdout);
		print_text(stdout, report_app_text(r->apps[i].app));
		printf(", %" PRIu64 " call%s\n", r->apps[i].calls,
		       r->apps[i].calls == 1 ? "" : "s");
		print_bar("camera", r->apps[i].camera, most);
		print_bar("microphone", r->apps[i].microphone, most);
	}
	if (r->n_days)
		puts("  UTC         00          06          12          18          "
		     "(m microphone, c camera, B both)");
	for (size_t i = 0; i < r->n_days; i++)
		print_day(&r->days[i]);
	for (size_t i = 0; i < r->n_denials; i++) {
		printf("  denied %" PRIu64 " times: ", r->denials[i].count);
		print_text(stdout, r->denials[i].app);
		printf(" tried the %s\n", plain_kinds(r->denials[i].kinds));
	}
	printf("  kept for %u days", r->view->days);
	if (*history_deletion(r->view->keyring)) {
		history_day_text(r->view->keyring->deleted_day, day);
		printf("; last deleted %s: %s", day, history_deletion(r->view->keyring));
	}
	putchar('\n');
	for (size_t i = 0; i < WALK_PROBLEM_COUNT; i++)
		if (r->problems[i])
			ctl_complain("%s (%" PRIu64 "); see callgatectl history",
				     walk_problem_text(i), r->problems[i]);
	if (r->walk.anchor == WALK_ANCHOR_CHANGED)
		ctl_complain("the anchor does not fit; see callgatectl history --anchor");
}

/* ---- the page ------------------------------------------------------------------------------------ */

static int write_page(const char *path, const struct report *r)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), e = 0;
	FILE *out = fd < 0 ? NULL : fdopen(fd, "w");

	if (!out) {
		ctl_complain("%s cannot be written: %s", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return CTL_FAILED;
	}
	report_html(out, r);
	if (ferror(out))
		e = EIO;
	if (fclose(out) != 0)
		e = errno;
	if (e)
		ctl_complain("%s cannot be written: %s", path, strerror(e));
	return e ? CTL_FAILED : CTL_OK;
}

int verb_report(const struct ctl_request *request)
{
	const char *path = request->n_arguments ? request->arguments[0] : "callgate-report.html";
	struct report *report = calloc(1, sizeof(*report));
	struct history_view view;
	int r;

	if (!report)
		return CTL_FAILED;
	r = history_begin(request, &view);
	report->view = &view;
	report->now = (uint64_t)time(NULL);
	report->walk.on_record = on_record;
	report->walk.on_problem = on_problem;
	report->walk.userdata = report;
	if (r == CTL_OK)
		r = history_walk(&view, request, &report->walk);
	if (r == CTL_OK) {
		qsort(report->days, report->n_days, sizeof(report->days[0]), by_day);
		qsort(report->apps, report->n_apps, sizeof(report->apps[0]), by_time);
		qsort(report->denials, report->n_denials, sizeof(report->denials[0]), by_count);
		r = write_page(path, report);
	}
	if (r == CTL_OK) {
		print_summary(report);
		printf("The page is %s; it says who you talked with, so keep it to yourself.\n",
		       path);
		if (report->walk.problems || report->walk.anchor == WALK_ANCHOR_CHANGED)
			r = CTL_FORGED;
	}
	history_end(&view);
	free(report);
	return r;
}
