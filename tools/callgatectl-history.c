// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The verb history: what was recorded, as a table, JSON or CSV; the key and its passphrase; the anchor. Deleting and
 * exporting have files of their own. Prints as it reads, so that a million records need no more memory than one.
 */
#include "callgatectl-journal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plain.h"
#include "util/hex.h"
#include "util/macro.h"

#define PROBLEMS_SHOWN 100

struct problem {
	enum walk_problem problem;
	char segment[64];
	uint32_t day;
	uint64_t number, count;
	size_t offset;
};

struct printing {
	struct history_view *view;
	const struct ctl_request *request;
	bool first;
	struct problem problems[PROBLEMS_SHOWN];
	size_t n_problems;
};

/* ---- one record ---------------------------------------------------------------------------------- */

static const char *peer_text(const struct history_view *view, const struct record *record,
			     char hex[2 * RECORD_PEER_LEN + 1])
{
	static const uint8_t nobody[RECORD_PEER_LEN];
	const struct history_name *name;

	if (!memcmp(record->peer, nobody, sizeof(nobody)))
		return "nobody";
	name = history_name(view, record->peer);
	if (name)
		return name->name;
	hex_encode(record->peer, RECORD_PEER_LEN, hex);
	return hex;
}

void history_print_json(FILE *out, const struct history_view *view, const struct record *record)
{
	static char text[RECORD_TEXT_MAX];
	const struct record_field *fields;
	const struct history_name *name;
	size_t n = record_fields(&fields);
	bool first = true;

	fputc('{', out);
	for (size_t i = 0; i < n; i++) {
		if (!(fields[i].types & 1u << record->type))
			continue;
		fields[i].get(record, text, sizeof(text));
		fprintf(out, "%s\"%s\": ", first ? "" : ", ", fields[i].name);
		if (fields[i].quoted)
			print_json_text(out, text);
		else
			fputs(text, out);
		first = false;
	}
	name = record->type == RECORD_SESSION ? history_name(view, record->peer) : NULL;
	if (name) {
		fputs(", \"contact\": ", out);
		print_json_text(out, name->name);
	}
	fputc('}', out);
}

static void print_csv(const struct record *record)
{
	static char text[RECORD_TEXT_MAX];
	const struct record_field *fields;
	size_t n = record_fields(&fields);

	for (size_t i = 0; i < n; i++) {
		text[0] = '\0';
		if (fields[i].types & 1u << record->type)
			fields[i].get(record, text, sizeof(text));
		if (i)
			putchar(',');
		if (fields[i].quoted)
			putchar('"');
		/* A spreadsheet takes such a beginning for a formula. */
		if (fields[i].quoted && strchr("=+-@", text[0]) && text[0])
			putchar('\'');
		for (const char *p = text; *p; p++) {
			if (*p == '"')
				putchar('"');
			putchar(*p);
		}
		if (fields[i].quoted)
			putchar('"');
	}
	putchar('\n');
}

static void print_seconds(const char *kind, uint32_t seconds, bool *any)
{
	if (!seconds)
		return;
	printf("%s%s ", *any ? ", " : "", kind);
	print_duration(stdout, seconds);
	*any = true;
}

static void print_row(const struct history_view *view, const struct record *record)
{
	char when[24], hex[2 * RECORD_PEER_LEN + 1];
	bool any = false;

	history_time_text(record->start, when);
	if (record->type == RECORD_DENIED) {
		printf("%.10s        denied %" PRIu32 " time%s: ", when, record->count,
		       record->count == 1 ? "" : "s");
		print_text(stdout, record->app);
		printf(" tried the %s\n", plain_kinds(record->kinds));
		return;
	}
	if (strcmp(record->level, RECORD_LEVEL_LOCAL) == 0) {
		printf("%s  not a call, not encrypted: ", when);
	} else {
		printf("%s  %s ", when, record->incoming ? "call from" : "call to  ");
		print_text(stdout, peer_text(view, record, hex));
		printf(" (%s) through ", *record->auth ? record->auth : "unknown");
	}
	print_text(stdout, record->app);
	printf(": ");
	print_seconds("camera", record->seconds[1], &any);
	print_seconds("microphone", record->seconds[0], &any);
	printf("%s; level %s; %s\n", any ? "" : "nothing captured", record->level,
	       record->end_reason);
	for (size_t i = 0; i < record->n_uses; i++) {
		printf("                    while it lasted: ");
		print_text(stdout, record->uses[i].program);
		printf(", %s ", plain_kinds(record->uses[i].kind));
		print_duration(stdout, record->uses[i].seconds);
		putchar('\n');
	}
}

static void on_record(void *userdata, const struct record *record, const struct walk_place *place)
{
	struct printing *p = userdata;

	if (p->request->json) {
		fputs(p->first ? "\n  " : ",\n  ", stdout);
		history_print_json(stdout, p->view, record);
	} else if (p->request->csv) {
		print_csv(record);
	} else {
		print_row(p->view, record);
	}
	p->first = false;
}

/* ---- problems ------------------------------------------------------------------------------------ */

static void on_problem(void *userdata, enum walk_problem problem, const struct walk_place *place)
{
	struct printing *p = userdata;
	struct problem *one;

	if (p->n_problems == PROBLEMS_SHOWN)
		return;
	one = &p->problems[p->n_problems++];
	*one = (struct problem){ .problem = problem,
				 .day = place->day,
				 .number = place->number,
				 .count = place->count,
				 .offset = place->offset };
	snprintf(one->segment, sizeof(one->segment), "%s", place->segment);
}

static void tell_problems(const struct printing *p, const struct walk *walk)
{
	char day[16];

	for (size_t i = 0; i < p->n_problems; i++) {
		const struct problem *one = &p->problems[i];

		history_day_text(one->day, day);
		ctl_complain("%s: %s (%s, byte %zu, record cell %" PRIu64 ", %" PRIu64 " of them)",
			     one->problem == WALK_TORN ? "note" : "damage",
			     walk_problem_text(one->problem), one->segment, one->offset,
			     one->number, one->count);
	}
	if (walk->problems > PROBLEMS_SHOWN)
		ctl_complain("and %" PRIu64 " more", walk->problems - PROBLEMS_SHOWN);
	if (walk->anchor == WALK_ANCHOR_CHANGED && p->view->keyring->rewritten_day) {
		history_day_text(p->view->keyring->rewritten_day, day);
		ctl_complain(
			"the anchor does not fit: the history was rewritten to forget a peer, last on %s; "
			"if the anchor is newer, something was changed",
			day);
	} else if (walk->anchor == WALK_ANCHOR_CHANGED) {
		ctl_complain(
			"the anchor does not fit: something that it covers was changed or taken out");
	}
}

static const char *anchor_word(const struct printing *p, const struct walk *walk)
{
	if (!walk->has_anchor)
		return "none";
	switch (walk->anchor) {
	case WALK_ANCHOR_HELD:
		return "held";
	case WALK_ANCHOR_CHANGED:
		return "changed";
	case WALK_ANCHOR_NONE:
		break;
	}
	return "deleted";
}

static void json_end(const struct printing *p, const struct walk *walk)
{
	char hex[2 * SEGMENT_TAG_LEN + 1];

	fputs("],\n\"problems\": [", stdout);
	for (size_t i = 0; i < p->n_problems; i++) {
		const struct problem *one = &p->problems[i];

		printf("%s{\"segment\": ", i ? ", " : "");
		print_json_text(stdout, one->segment);
		printf(", \"offset\": %zu, \"number\": %" PRIu64 ", \"count\": %" PRIu64
		       ", \"loss\": %s, \"message\": ",
		       one->offset, one->number, one->count,
		       one->problem == WALK_TORN ? "false" : "true");
		print_json_text(stdout, walk_problem_text(one->problem));
		fputc('}', stdout);
	}
	hex_encode(walk->tag, SEGMENT_TAG_LEN, hex);
	printf("],\n\"records\": %" PRIu64 ", \"damaged\": %" PRIu64 ", \"anchor\": ",
	       walk->records, walk->problems);
	if (walk->started)
		printf("\"%" PRIu64 ":%s\"", walk->next - 1, hex);
	else
		fputs("null", stdout);
	printf(", \"compared\": \"%s\", \"days\": %u, \"protected\": %s}\n", anchor_word(p, walk),
	       p->view->days, p->view->protected_key ? "true" : "false");
}

static int show(const struct ctl_request *request, struct history_view *view)
{
	const struct record_field *fields;
	size_t n = record_fields(&fields);
	struct printing p = { .view = view, .request = request, .first = true };
	struct walk walk = { .on_record = on_record, .on_problem = on_problem, .userdata = &p };
	char day[16];
	int r;

	if (request->json)
		fputs("{\"history\": [", stdout);
	for (size_t i = 0; request->csv && i < n; i++)
		printf("%s%s%s", i ? "," : "", fields[i].name, i + 1 == n ? "\n" : "");
	r = history_walk(view, request, &walk);
	if (request->json)
		json_end(&p, &walk);
	if (r != CTL_OK)
		return r;
	tell_problems(&p, &walk);
	if (!request->json && !request->csv) {
		if (!walk.records)
			puts("Nothing is recorded.");
		if (*history_deletion(view->keyring)) {
			history_day_text(view->keyring->deleted_day, day);
			printf("Last deleted on %s: %s.\n", day, history_deletion(view->keyring));
		}
		printf("Times are UTC, rounded down to %u min. Kept for %u day%s.%s\n",
		       view->unit / 60, view->days, view->days == 1 ? "" : "s",
		       view->protected_key
			       ? ""
			       : " Your key has no passphrase: whoever reads your files "
				 "can read this ('callgatectl history passphrase').");
	}
	return walk.problems || walk.anchor == WALK_ANCHOR_CHANGED ? CTL_FORGED : CTL_OK;
}

/* ---- anchor, key --------------------------------------------------------------------------------- */

static void no_record(void *userdata, const struct record *record, const struct walk_place *place)
{
}

static int anchor(const struct ctl_request *request, struct history_view *view)
{
	struct printing p = { .view = view, .request = request };
	struct walk walk = { .on_record = no_record, .on_problem = on_problem, .userdata = &p };
	char hex[2 * SEGMENT_TAG_LEN + 1];
	int r = history_walk(view, request, &walk);

	if (r != CTL_OK)
		return r;
	tell_problems(&p, &walk);
	if (walk.problems)
		return CTL_FORGED;
	if (!walk.started) {
		ctl_complain("nothing is recorded yet; there is nothing to hold an anchor against");
		return CTL_FAILED;
	}
	hex_encode(walk.tag, SEGMENT_TAG_LEN, hex);
	printf("%" PRIu64 ":%s\n", walk.next - 1, hex);
	return CTL_OK;
}

static int append_public(sd_bus_message *m, void *userdata)
{
	return sd_bus_message_append_array(m, 'y', userdata, CRYPTO_KEY_LEN);
}

static enum key_lock lock_of(const struct ctl_request *request, enum key_lock otherwise)
{
	return request->secret_service ? KEY_SECRET_SERVICE
	       : request->passphrase   ? KEY_PASSPHRASE
				       : otherwise;
}

/* A key where there is none; where the daemon has another one the agent is asked. */
static int setup(const struct ctl_request *request)
{
	struct history_view view = { 0 };
	uint8_t public_key[CRYPTO_KEY_LEN];
	bool made = false;
	int r;

	if (crypto_init() < 0)
		return CTL_FAILED;
	r = ctl_connect(&view.client);
	if (r == CTL_OK)
		r = key_read(request->passphrase_fd, &view.key, &view.protected_key);
	if (r == CTL_OK && !view.key) {
		r = key_write(&view.key, lock_of(request, KEY_OPEN), request->passphrase_fd);
		made = r == CTL_OK;
	}
	if (r == CTL_OK) {
		crypto_x25519_public(view.key->private_key, public_key);
		r = history_call(&view, "the key was not set", "SetKey", append_public, public_key,
				 NULL);
	}
	/* A key that was refused must not lie where the right one is looked for. */
	if (r != CTL_OK && made)
		unlink(key_path());
	if (r == CTL_OK)
		printf("Your call history is sealed to the key in %s. Keep a copy of it.\n",
		       key_path());
	history_end(&view);
	return r;
}

static int set_passphrase(const struct ctl_request *request)
{
	struct history_key *key = NULL;
	bool protected_key = false;
	int r;

	if (crypto_init() < 0)
		return CTL_FAILED;
	r = key_read(request->passphrase_fd, &key, &protected_key);
	if (r == CTL_OK && !key) {
		ctl_complain(
			"you have no key yet; 'callgatectl history setup --passphrase' makes one");
		r = CTL_FAILED;
	}
	if (r == CTL_OK)
		r = key_write(&key, lock_of(request, KEY_PASSPHRASE), request->passphrase_fd);
	if (r == CTL_OK)
		printf("The key has a new passphrase%s. Copies of the old file open as before.\n",
		       request->secret_service ? ", which the Secret Service keeps" : "");
	crypto_secret_free(key);
	return r;
}

int verb_history(const struct ctl_request *request)
{
	static const struct {
		const char *name;
		int arguments;
		int (*without)(const struct ctl_request *request);
		int (*with)(const struct ctl_request *request, struct history_view *view);
	} words[] = {
		{ "anchor", 1, NULL, anchor },
		{ "setup", 1, setup, NULL },
		{ "passphrase", 1, set_passphrase, NULL },
		{ "forget", 1, history_forget, NULL },
		{ "export", 2, history_export, NULL },
	};
	struct history_view view = { 0 };
	int (*with)(const struct ctl_request *, struct history_view *) = show;
	int r;

	if (request->json && request->csv) {
		ctl_complain("--json and --csv exclude each other");
		return CTL_USAGE;
	}
	for (size_t i = 0; request->n_arguments && i < ARRAY_SIZE(words); i++) {
		if (strcmp(request->arguments[0], words[i].name) != 0)
			continue;
		if (request->n_arguments != words[i].arguments)
			break;
		if (words[i].without)
			return words[i].without(request);
		with = words[i].with;
	}
	if (request->n_arguments && with == show) {
		ctl_complain(
			"say anchor, setup, passphrase, forget or export FILE; see callgatectl history --help");
		return CTL_USAGE;
	}
	r = history_begin(request, &view);
	if (r == CTL_OK)
		r = with(request, &view);
	history_end(&view);
	return r;
}
