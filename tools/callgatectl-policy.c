// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The verb policy: is what the administrator wrote understood, and what follows
 * from it for an app. Reads the files itself, with the daemon's own parser and
 * rules, so that a draft can be tried before it is put in place. Has the daemon
 * read them anew, which says who may.
 */
#include "callgatectl.h"

#include "config.h"
#include "plain.h"
#include "policy-rules.h"
#include "util/text.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NS_PER_S   1000000000ull
#define GROUPS_MAX 256
#define LABEL_MAX  BOUND_LABEL

/* ---- check --------------------------------------------------------------------------------------- */

static bool is_configuration(const char *path)
{
	const char *name = strrchr(path, '/');

	return strcmp(name ? name + 1 : path, "callgate.conf") == 0;
}

static int check_file(const char *path, struct config_error *error)
{
	struct policy policy;
	struct rules *rules;
	int r;

	if (is_configuration(path) && access(path, R_OK) < 0) {
		r = -errno;
		snprintf(error->text, sizeof(error->text), "%s: %s", path, strerror(-r));
		return r;
	}
	if (is_configuration(path))
		return config_read(path, &policy, error);
	rules = rules_new();
	if (!rules)
		return -ENOMEM;
	r = config_check_rules(rules, path, error);
	rules_free(rules);
	return r;
}

/* What is in place: the configuration and all rules. */
static int check_installed(const char *dir, struct config_error *error)
{
	struct policy policy;
	struct rules *rules;
	int r = config_read(CONFIG_FILE, &policy, error);

	if (r < 0)
		return r;
	r = config_read_rules(dir, &rules, error);
	rules_free(rules);
	return r;
}

static void say_checked(const struct ctl_request *request, const char *path, int r,
			const struct config_error *error, bool last)
{
	if (!request->json) {
		if (r < 0)
			ctl_complain("%s", error->text);
		return;
	}
	fputs("  {\"file\": ", stdout);
	print_json_text(stdout, path);
	printf(", \"good\": %s, \"error\": ", r < 0 ? "false" : "true");
	print_json_text(stdout, r < 0 ? error->text : "");
	printf("}%s\n", last ? "" : ",");
}

static int check(const struct ctl_request *request)
{
	const char *dir = request->rules ? request->rules : CONFIG_RULES;
	struct config_error error = { "there is no memory for it" };
	int bad = 0, r;

	if (request->json)
		puts("[");
	for (int i = 1; i < request->n_arguments; i++) {
		r = check_file(request->arguments[i], &error);
		bad += r < 0;
		say_checked(request, request->arguments[i], r, &error,
			    i == request->n_arguments - 1);
	}
	if (request->n_arguments == 1) {
		r = check_installed(dir, &error);
		bad += r < 0;
		say_checked(request, dir, r, &error, true);
	}
	if (request->json)
		puts("]");
	else if (bad == 0)
		puts("All of it is understood.");
	return bad ? CTL_FAILED : CTL_OK;
}

/* ---- explain ------------------------------------------------------------------------------------- */

/**
 * struct question - whom explain is about
 */
struct question {
	struct rule_facts facts;
	char label[LABEL_MAX + 8];
	gid_t groups[GROUPS_MAX];
	uint32_t kinds;
};

bool ctl_find_user(const char *name, uid_t *ret_uid)
{
	const struct passwd *user;
	unsigned long number;

	if (text_to_number(name, 0, UINT32_MAX - 1, &number)) {
		*ret_uid = (uid_t)number;
		return true;
	}
	user = getpwnam(name);
	if (user)
		*ret_uid = user->pw_uid;
	else
		ctl_complain("there is no user %s", name);
	return user != NULL;
}

static int read_user(struct question *question, const char *name)
{
	const struct passwd *user;
	int n = GROUPS_MAX;

	question->facts.uid = getuid();
	if (name && !ctl_find_user(name, &question->facts.uid))
		return CTL_FAILED;
	user = getpwuid(question->facts.uid);
	question->facts.groups = question->groups;
	if (user && getgrouplist(user->pw_name, user->pw_gid, question->groups, &n) >= 0)
		question->facts.n_groups = (size_t)n;
	return CTL_OK;
}

static bool read_kinds(uint32_t *ret_kinds, const char *word)
{
	static const char *const words[] = { "none", "microphone", "camera", "both", "speaker" };

	for (uint32_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(word, words[i]) == 0) {
			*ret_kinds = i;
			return true;
		}
	}
	return false;
}

static bool read_peer(enum rule_peer *ret_peer, const char *word)
{
	static const char *const words[] = { "unknown", "pinned", "verified" };

	for (int i = 0; i < _RULE_PEER_MAX; i++) {
		if (strcmp(word, words[i]) == 0) {
			*ret_peer = (enum rule_peer)i;
			return true;
		}
	}
	return false;
}

static int read_question(const struct ctl_request *request, struct question *question)
{
	const char *app = request->app;

	if (!app || strlen(app) > LABEL_MAX) {
		ctl_complain(
			"say which app: --app /usr/bin/app, or the label that a question shows");
		return CTL_USAGE;
	}
	snprintf(question->label, sizeof(question->label), "%s%s", app[0] == '/' ? "exe:" : "",
		 app);
	question->facts.app = question->label;
	if (!read_kinds(&question->kinds, request->kind ? request->kind : "both")) {
		ctl_complain("--kind is none, microphone, camera, both or speaker");
		return CTL_USAGE;
	}
	if (!read_peer(&question->facts.peer, request->peer ? request->peer : "unknown")) {
		ctl_complain("--peer is unknown, pinned or verified");
		return CTL_USAGE;
	}
	return read_user(question, request->user);
}

static void print_conditions(const struct rules *rules, const struct question *question,
			     uint32_t kind)
{
	char place[512];

	for (unsigned int i = 0; i < rules->n_rules; i++) {
		const char *why = rule_mismatch(rules->rule[i], &question->facts, kind);

		rule_place(rules, rules->rule[i], place, sizeof(place));
		fputs("  ", stdout);
		print_text(stdout, place);
		printf(why ? ": %s is another\n" : ": decides, all of its conditions hold\n", why);
		if (!why)
			return;
	}
	puts("  no rule matches: the configuration alone decides");
}

static void print_asks(uint32_t asks)
{
	static const char *const names[] = { "window", "console", "terminal" };
	const char *between = "";

	for (int i = 0; i < 3; i++) {
		if (!(asks & 1u << i))
			continue;
		printf("%s%s", between, names[i]);
		between = ", ";
	}
}

static unsigned seconds(uint64_t ns)
{
	return (unsigned)(ns / NS_PER_S);
}

static void print_terms(const struct policy *terms)
{
	fputs("  asked on a ", stdout);
	print_asks(terms->asks);
	printf(", for %u s\n", seconds(terms->prompt_ns));
	printf("  held for at most %u s, lives for at most %u s\n", seconds(terms->hold_ns),
	       seconds(terms->lifetime_ns));
	printf("  %s with a peer who is not verified; the numbers are to be compared within %u"
	       " s\n",
	       terms->unverified_kinds ? "captured also" : "not captured",
	       seconds(terms->unverified_ns));
	printf("  %s\n", terms->history ? "in the history" : "not in the history");
	if (terms->local)
		printf("  outside a call asked each time, for at most %u s\n",
		       seconds(terms->local_ns));
	else
		puts("  outside a call denied");
}

static void explain_kind(const struct ctl_request *request, const struct rules *rules,
			 const struct policy *policy, const struct question *question,
			 uint32_t kind, bool last)
{
	const char *name = kind == 0		  ? "none"
			   : kind == KIND_CAMERA  ? "camera"
			   : kind == KIND_SPEAKER ? "speaker"
						  : "microphone";
	const struct rule *rule = rules_find(rules, &question->facts, kind);
	char place[512] = "";
	struct policy terms;
	bool ask = rules_decide(rules, policy, &question->facts, kind, &terms);

	if (rule)
		rule_place(rules, rule, place, sizeof(place));
	if (!request->json) {
		printf("%s: %s\n", kind == 0 ? "nothing to capture" : name, ask ? "ask" : "deny");
		print_conditions(rules, question, kind);
		if (ask)
			print_terms(&terms);
		return;
	}
	printf("  {\"kind\": \"%s\", \"action\": \"%s\", \"file\": ", name, ask ? "ask" : "deny");
	print_json_text(stdout, rule ? rules->file[rule->file] : "");
	printf(", \"line\": %u, \"rule\": ", rule ? rule->line : 0);
	print_json_text(stdout, rule ? rule->name : "");
	if (ask)
		printf(", \"ask_on\": %u, \"prompt_seconds\": %u"
		       ", \"hold_seconds\": %u, \"lifetime_seconds\": %u"
		       ", \"unverified_seconds\": %u, \"unverified\": %s, \"history\": %s"
		       ", \"local\": \"%s\", \"local_seconds\": %u",
		       terms.asks, seconds(terms.prompt_ns), seconds(terms.hold_ns),
		       seconds(terms.lifetime_ns), seconds(terms.unverified_ns),
		       terms.unverified_kinds ? "true" : "false", terms.history ? "true" : "false",
		       terms.local ? "ask" : "deny", seconds(terms.local_ns));
	printf("}%s\n", last ? "" : ",");
}

static int explain(const struct ctl_request *request)
{
	struct question question = { .kinds = 0 };
	struct rules *rules = NULL;
	struct config_error error;
	struct policy policy;
	int r = read_question(request, &question);

	if (r != CTL_OK)
		return r;
	if (config_read(CONFIG_FILE, &policy, &error) < 0 ||
	    config_read_rules(request->rules ? request->rules : CONFIG_RULES, &rules, &error) < 0) {
		ctl_complain("%s", error.text);
		rules_free(rules);
		return CTL_FAILED;
	}
	if (request->json)
		puts("[");
	if (question.kinds == 0)
		explain_kind(request, rules, &policy, &question, 0, true);
	for (uint32_t kind = KIND_MICROPHONE; kind <= KIND_SPEAKER; kind <<= 1)
		if (question.kinds & kind)
			explain_kind(request, rules, &policy, &question, kind,
				     (question.kinds & ~kind) < kind);
	if (request->json)
		puts("]");
	rules_free(rules);
	return CTL_OK;
}

/* ---- reload -------------------------------------------------------------------------------------- */

static int reload(void)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	struct client client = { 0 };
	int r = ctl_connect(&client);

	if (r == CTL_OK) {
		r = ctl_admin(&client, "ReloadPolicy", NULL, &error, "");
		r = r < 0 ? ctl_explain("the policy was not read anew", r, &error) : CTL_OK;
	}
	sd_bus_error_free(&error);
	client_close(&client);
	return r;
}

int verb_policy(const struct ctl_request *request)
{
	const char *what = request->arguments[0];

	if (strcmp(what, "check") == 0)
		return check(request);
	if (request->n_arguments == 1 && strcmp(what, "explain") == 0)
		return explain(request);
	if (request->n_arguments == 1 && strcmp(what, "reload") == 0)
		return reload();
	ctl_complain(
		"say policy check [FILE...], policy explain --app APP or policy reload; see callgatectl policy --help");
	return CTL_USAGE;
}
