// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The page that `callgatectl report` writes: one file, no script, nothing from elsewhere, for screens light and dark and for
 * paper. Must not trust a text: every one of a record is escaped. Called by callgatectl-report.c.
 */
#include "callgatectl-report.h"

#include <inttypes.h>
#include <string.h>

#include "plain.h"

static const char style[] =
	":root{--bg:#fff;--fg:#1b1f24;--dim:#57606a;--line:#d0d7de;--soft:#f3f5f7;--cam:#1f6feb;--mic:#c2560c;"
	"--bad:#b3261e;color-scheme:light dark}"
	"@media(prefers-color-scheme:dark){:root{--bg:#11151a;--fg:#e6edf3;--dim:#9aa7b4;--line:#333c46;"
	"--soft:#1a2027;--cam:#6cb0ff;--mic:#f0a05a;--bad:#ff8a80}}"
	"*{box-sizing:border-box}"
	"body{margin:0 auto;max-width:62rem;padding:2rem 1.5rem 4rem;background:var(--bg);color:var(--fg);"
	"font:16px/1.5 system-ui,sans-serif}"
	"h1{font-size:1.7rem;line-height:1.2;margin:0 0 .3rem}h2{font-size:1.15rem;margin:2.4rem 0 .6rem}"
	"p{margin:.3rem 0;max-width:46rem}.dim{color:var(--dim)}"
	".tiles{display:flex;flex-wrap:wrap;gap:1rem;margin:1.4rem 0 0}"
	".tile{flex:1 1 10rem;background:var(--soft);border-radius:.5rem;padding:.7rem 1rem}"
	".tile b{display:block;font-size:1.5rem;line-height:1.3}"
	".key{display:inline-block;width:.8em;height:.8em;border-radius:2px;margin:0 .35em 0 1em}"
	".cam{background:var(--cam);fill:var(--cam)}.mic{background:var(--mic);fill:var(--mic)}"
	".scroll{overflow-x:auto}"
	"table{border-collapse:collapse;width:100%;font-size:.92rem}"
	"th,td{text-align:left;padding:.35rem .7rem .35rem 0;border-bottom:1px solid var(--line);vertical-align:top}"
	"th{color:var(--dim);font-weight:600}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}.day>:first-child{white-space:nowrap}"
	".path{overflow-wrap:anywhere;min-width:9rem}.when{white-space:nowrap}.use{margin:0 0 .2rem}"
	".day{display:grid;grid-template-columns:8.8rem 1fr 9.5rem;gap:.7rem;align-items:center;margin:.25rem 0}"
	".day svg{width:100%;height:24px;display:block}.day .t{fill:var(--soft)}.day line{stroke:var(--line)}"
	".hours{display:flex;justify-content:space-between;color:var(--dim);font-size:.8rem}"
	".bar{display:grid;grid-template-columns:8.8rem 1fr 9.5rem;gap:.7rem;align-items:center;margin:.15rem 0}"
	".bar span:nth-child(2){background:var(--soft);border-radius:3px;display:block}"
	".bar i{display:block;height:.85rem;border-radius:3px}"
	".app{margin:.9rem 0 .2rem;font-weight:600;overflow-wrap:anywhere}"
	".bad{color:var(--bad);font-weight:600}"
	"@media(max-width:36rem){.day,.bar{grid-template-columns:5.4rem 1fr;}.day>:last-child{grid-column:2}}"
	"@media print{:root{--bg:#fff;--fg:#000;--dim:#444;--line:#999;--soft:#eee;--cam:#1f6feb;--mic:#c2560c}"
	"html{font-size:10px}body{padding:0;max-width:none;font-size:1.05rem}p{max-width:none}"
	"*{print-color-adjust:exact;-webkit-print-color-adjust:exact}"
	"h2,thead{break-after:avoid}tr,.day,.bar,.tile{break-inside:avoid}.app{break-after:avoid}"
	".scroll{overflow:visible}thead{display:table-header-group}table{font-size:1rem}th,td{padding:.25rem .7rem .25rem 0}}";

/* @paths: a long one may be broken after each of its parts. */
static void put_text(FILE *out, const char *p, bool paths)
{
	char *clean = plain_copy(p);

	for (const char *c = clean ? clean : "?"; *c; c++)
		switch (*c) {
		case '&':
			fputs("&amp;", out);
			break;
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		case '\'':
			fputs("&#39;", out);
			break;
		case '/':
			fputs(paths ? "/<wbr>" : "/", out);
			break;
		default:
			fputc(*c, out);
		}
	free(clean);
}

static void text(FILE *out, const char *p)
{
	put_text(out, p, false);
}

static void path_cell(FILE *out, const char *p)
{
	fputs("<td class=\"path\">", out);
	put_text(out, p, true);
	fputs("</td>", out);
}

static void cell(FILE *out, const char *class, const char *p)
{
	fprintf(out, "<td%s%s%s>", class ? " class=\"" : "", class ? class : "", class ? "\"" : "");
	text(out, p);
	fputs("</td>", out);
}

static void seconds_cell(FILE *out, uint64_t seconds)
{
	char duration[32];

	report_duration(seconds, duration);
	cell(out, "n", seconds ? duration : "–");
}

static void number_cell(FILE *out, uint64_t number)
{
	fprintf(out, "<td class=\"n\">%" PRIu64 "</td>", number);
}

static void tile(FILE *out, const char *value, const char *what)
{
	fputs("<div class=\"tile\"><b>", out);
	text(out, value);
	fputs("</b>", out);
	text(out, what);
	fputs("</div>", out);
}

static void head(FILE *out, const struct report *r)
{
	char number[32], when[24];

	history_time_text(r->now, when);
	fprintf(out,
		"<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
		"<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
		"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
		"<meta name=\"referrer\" content=\"no-referrer\"><title>Camera and microphone: your report</title>"
		"<style>%s</style></head><body>\n<h1>Camera and microphone on this machine</h1>\n"
		"<p class=\"dim\">Your calls and what was denied, as Callgate recorded it for you alone. Made %s UTC. "
		"All times are UTC, rounded down to %u minutes.</p>\n<div class=\"tiles\">",
		style, when, r->view->unit / 60);
	snprintf(number, sizeof(number), "%" PRIu64, r->calls);
	tile(out, number, r->calls == 1 ? "call" : "calls");
	report_duration(r->camera, number);
	tile(out, number, "camera");
	report_duration(r->microphone, number);
	tile(out, number, "microphone");
	snprintf(number, sizeof(number), "%" PRIu64, r->denied);
	tile(out, number, r->denied == 1 ? "attempt denied" : "attempts denied");
	fputs("</div>\n", out);
}

static void checks(FILE *out, const struct report *r)
{
	for (size_t i = 0; i < WALK_PROBLEM_COUNT; i++)
		if (r->problems[i]) {
			fprintf(out, "<p class=\"%s\">", i == WALK_TORN ? "dim" : "bad");
			text(out, walk_problem_text(i));
			fprintf(out, " (%" PRIu64 ")</p>\n", r->problems[i]);
		}
	if (r->walk.anchor == WALK_ANCHOR_CHANGED)
		fputs("<p class=\"bad\">The anchor that you kept does not fit: something that it covers was changed or "
		      "taken out.</p>\n",
		      out);
	else if (r->walk.anchor == WALK_ANCHOR_HELD)
		fputs("<p>The anchor that you kept fits: nothing up to it was changed.</p>\n", out);
}

/* ---- the timeline -------------------------------------------------------------------------------- */

/* One lane of a day: a bar for each run of slots. */
static void lane(FILE *out, const struct report_day *day, uint8_t kind, const char *class, int y)
{
	for (size_t from = 0; from < REPORT_SLOTS;) {
		size_t to = from;

		while (to < REPORT_SLOTS && day->slots[to] & kind)
			to++;
		if (to > from)
			fprintf(out,
				"<rect class=\"%s\" x=\"%zu\" y=\"%d\" width=\"%zu\" height=\"9\"><title>%s "
				"%02zu:%02zu–%02zu:%02zu</title></rect>",
				class, from * 10, y, (to - from) * 10, plain_kinds(kind), from / 4,
				from % 4 * 15, to / 4, to % 4 * 15);
		from = to > from ? to : from + 1;
	}
}

static void timeline(FILE *out, const struct report *r)
{
	/* The first of 1970 was one. */
	static const char *const weekdays[] = { "Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed" };
	char day[16];

	fputs("<h2>When<span class=\"key mic\"></span>microphone<span class=\"key cam\"></span>camera</h2>\n",
	      out);
	if (!r->n_days) {
		fputs("<p>Nothing was captured and nothing was denied.</p>\n", out);
		return;
	}
	fputs("<div class=\"day\"><span></span><span class=\"hours\"><span>0</span><span>6</span><span>12</span>"
	      "<span>18</span><span>24 h</span></span><span></span></div>\n",
	      out);
	for (size_t i = 0; i < r->n_days; i++) {
		const struct report_day *d = &r->days[i];

		history_day_text(d->day, day);
		fprintf(out,
			"<div class=\"day\"><span>%s %s</span><svg viewBox=\"0 0 960 24\" preserveAspectRatio=\"none\" "
			"role=\"img\" aria-label=\"%s: %" PRIu64
			" calls\"><rect class=\"t\" width=\"960\" height=\"24\"/>",
			weekdays[d->day % 7], day, day, d->calls);
		for (int hour = 6; hour < 24; hour += 6)
			fprintf(out, "<line x1=\"%d\" x2=\"%d\" y1=\"0\" y2=\"24\"/>", hour * 40,
				hour * 40);
		lane(out, d, RECORD_MICROPHONE, "mic", 2);
		lane(out, d, RECORD_CAMERA, "cam", 13);
		fprintf(out, "</svg><span class=\"dim\">%" PRIu64 " call%s", d->calls,
			d->calls == 1 ? "" : "s");
		if (d->denied)
			fprintf(out, ", <span class=\"bad\">%" PRIu64 " denied</span>", d->denied);
		fputs("</span></div>\n", out);
	}
}

/* ---- apps ---------------------------------------------------------------------------------------- */

static void bar(FILE *out, const char *what, const char *class, uint64_t seconds, uint64_t most)
{
	char duration[32];

	if (!seconds)
		return;
	report_duration(seconds, duration);
	fprintf(out,
		"<div class=\"bar\"><span class=\"dim\">%s</span><span><i class=\"%s\" style=\"width:%.2f%%\"></i></span>"
		"<span>%s</span></div>",
		what, class, most ? 100.0 * (double)seconds / (double)most : 0.0, duration);
}

static void apps(FILE *out, const struct report *r)
{
	uint64_t most = 0;

	fputs("<h2>Which apps captured, and how long</h2>\n", out);
	for (size_t i = 0; i < r->n_apps; i++) {
		most = r->apps[i].camera > most ? r->apps[i].camera : most;
		most = r->apps[i].microphone > most ? r->apps[i].microphone : most;
	}
	if (!r->n_apps)
		fputs("<p>None.</p>\n", out);
	for (size_t i = 0; i < r->n_apps; i++) {
		fputs("<div class=\"app\">", out);
		text(out, report_app_text(r->apps[i].app));
		fprintf(out, " <span class=\"dim\">in %" PRIu64 " call%s</span></div>\n",
			r->apps[i].calls, r->apps[i].calls == 1 ? "" : "s");
		bar(out, "microphone", "mic", r->apps[i].microphone, most);
		bar(out, "camera", "cam", r->apps[i].camera, most);
		if (!r->apps[i].microphone && !r->apps[i].camera)
			fputs("<div class=\"dim\">captured nothing</div>", out);
		fputc('\n', out);
	}
}

static void denied(FILE *out, const struct report *r)
{
	char first[16], last[16];

	fputs("<h2>Denied attempts</h2>\n", out);
	if (!r->n_denials) {
		fputs("<p>No program tried to capture outside a call.</p>\n", out);
		return;
	}
	fputs("<div class=\"scroll\"><table><thead><tr><th>Program</th><th>tried</th><th class=\"n\">times</th><th>days</th></tr></thead><tbody>\n",
	      out);
	for (size_t i = 0; i < r->n_denials; i++) {
		const struct report_denied *d = &r->denials[i];

		history_day_text(d->first_day, first);
		history_day_text(d->last_day, last);
		fputs("<tr>", out);
		path_cell(out, d->app);
		cell(out, NULL, plain_kinds(d->kinds));
		number_cell(out, d->count);
		fprintf(out, "<td>%s%s%s</td></tr>\n", first, strcmp(first, last) ? " to " : "",
			strcmp(first, last) ? last : "");
	}
	fputs("</tbody></table></div>\n", out);
}

/* ---- calls --------------------------------------------------------------------------------------- */

/* A program once, with all that it captured. */
static void uses(FILE *out, const struct record *record)
{
	char duration[32];

	for (size_t i = 0; i < record->n_uses; i++) {
		const struct record_use *use = &record->uses[i];
		size_t first = 0;

		while (strcmp(record->uses[first].program, use->program) != 0)
			first++;
		if (first != i)
			continue;
		fputs("<div class=\"use\">", out);
		put_text(out, use->program, true);
		fputs(" <span class=\"dim\">", out);
		for (size_t j = i; j < record->n_uses; j++) {
			if (strcmp(record->uses[j].program, use->program) != 0)
				continue;
			report_duration(record->uses[j].seconds, duration);
			fprintf(out, "%s%s %s", j == i ? "" : ", ",
				plain_kinds(record->uses[j].kind), duration);
		}
		fputs("</span></div>", out);
	}
}

static void call_row(FILE *out, const struct report_call *call)
{
	const struct record *record = &call->record;
	char when[24];

	history_time_text(record->start, when);
	fprintf(out, "<tr><td class=\"when\">%s</td><td>%s ", when,
		record->incoming ? "from" : "to");
	text(out, call->peer);
	fputs("<br><span class=\"dim\">", out);
	text(out, record->auth);
	fputs("</span></td>", out);
	path_cell(out, report_app_text(record->app));
	seconds_cell(out, record->seconds[0]);
	seconds_cell(out, record->seconds[1]);
	cell(out, NULL, record->level);
	cell(out, NULL, record->end_reason);
	fputs("<td class=\"path\">", out);
	uses(out, record);
	fputs("</td></tr>\n", out);
}

static void calls(FILE *out, const struct report *r)
{
	uint64_t n = r->calls < REPORT_CALLS ? r->calls : REPORT_CALLS;

	fputs("<h2>Calls</h2>\n", out);
	if (!n) {
		fputs("<p>None.</p>\n", out);
		return;
	}
	if (n < r->calls)
		fprintf(out,
			"<p class=\"dim\">The latest %" PRIu64 " of %" PRIu64
			"; <code>callgatectl history</code> shows all.</p>\n",
			n, r->calls);
	fputs("<div class=\"scroll\"><table><thead><tr><th>Began</th><th>With</th><th>Through</th><th class=\"n\">microphone</th>"
	      "<th class=\"n\">camera</th><th>level</th><th>ended</th><th>Programs that captured meanwhile</th></tr></thead><tbody>\n",
	      out);
	for (uint64_t i = 1; i <= n; i++)
		call_row(out, &r->latest[(r->calls - i) % REPORT_CALLS]);
	fputs("</tbody></table></div>\n"
	      "<p class=\"dim\">Level: how far a call's media was bound to the channel. none: no other end; channel: its daemon "
	      "was there; keyed: and both apps fetched keys. What the apps did with them is theirs.</p>\n",
	      out);
}

/* ---- what is stored ------------------------------------------------------------------------------ */

static void stored(FILE *out, const struct report *r)
{
	const struct keyring *keyring = r->view->keyring;
	const struct record_field *fields;
	size_t n = record_fields(&fields);
	char day[16], until[16];

	fprintf(out,
		"<h2>What is stored about you, and until when</h2>\n<p>Each day is kept for %u days and then its key is "
		"destroyed. The files are sealed to a key of yours, which %s.</p>\n",
		r->view->days,
		r->view->protected_key
			? "has a passphrase"
			: "<strong>has no passphrase</strong>: whoever reads your files can read this "
			  "(<code>callgatectl history passphrase</code>)");
	fputs("<div class=\"scroll\"><table><thead><tr><th>Day</th><th>destroyed on</th></tr></thead><tbody>\n",
	      out);
	for (size_t i = 0; i < keyring->n; i++) {
		history_day_text(keyring->days[i].day, day);
		history_day_text(keyring->days[i].until, until);
		fprintf(out, "<tr><td>%s</td><td>%s</td></tr>\n", day, until);
	}
	fputs("</tbody></table></div>\n<p>", out);
	if (*history_deletion(keyring)) {
		history_day_text(keyring->deleted_day, day);
		fprintf(out, "Last deleted on %s: %s.", day, history_deletion(keyring));
	} else {
		fputs("Nothing was deleted so far.", out);
	}
	fputs("</p>\n<p>Of each call and each denied attempt there is this and nothing else:</p>\n"
	      "<div class=\"scroll\"><table><thead><tr><th>Field</th><th>of calls</th><th>of attempts</th><th>meaning</th></tr></thead><tbody>\n",
	      out);
	for (size_t i = 0; i < n; i++) {
		fputs("<tr>", out);
		cell(out, NULL, fields[i].name);
		cell(out, NULL, fields[i].types & 1u << RECORD_SESSION ? "yes" : "");
		cell(out, NULL, fields[i].types & 1u << RECORD_DENIED ? "yes" : "");
		cell(out, NULL, fields[i].meaning);
		fputs("</tr>\n", out);
	}
	fputs("</tbody></table></div>\n<p class=\"dim\">Forget: <code>callgatectl history forget --before DAY</code>, "
	      "<code>--peer NAME</code> or <code>--all</code>. A disk may keep an old block for a while.</p>\n",
	      out);
}

void report_html(FILE *out, const struct report *report)
{
	head(out, report);
	checks(out, report);
	timeline(out, report);
	apps(out, report);
	denied(out, report);
	calls(out, report);
	stored(out, report);
	fputs("</body></html>\n", out);
}
