// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The verbs that change something: block, unblock, end, peers, and agent, which
 * becomes the terminal agent. The daemon decides who may; what loosens is
 * confirmed at the user's agent, which may take a minute.
 */
#include "callgatectl.h"
#include "callgatectl-show.h"

#include "plain.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#ifndef CALLGATE_AGENT_TTY
#define CALLGATE_AGENT_TTY "/usr/libexec/callgate-agent-tty"
#endif

/* Longer than any question stands. */
#define ASKING_USEC (150 * 1000000ull)

/* One method call with at most one string; explains its failure. */
static int change(struct client *client, const char *what, const char *path, const char *interface,
		  const char *method, const char *text)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus_message *m = NULL;
	int r;

	r = sd_bus_message_new_method_call(client->bus, &m, CLIENT_NAME, path, interface, method);
	if (r >= 0 && text)
		r = sd_bus_message_append(m, "s", text);
	if (r >= 0)
		r = sd_bus_call(client->bus, m, ASKING_USEC, &error, NULL);
	r = r < 0 ? ctl_explain(what, r, &error) : CTL_OK;
	sd_bus_message_unref(m);
	sd_bus_error_free(&error);
	return r;
}

static int read_kinds(const struct ctl_request *request, unsigned *ret)
{
	unsigned kinds = 0;

	for (int i = 0; i < request->n_arguments; i++) {
		if (!strcmp(request->arguments[i], "camera")) {
			kinds |= KIND_CAMERA;
		} else if (!strcmp(request->arguments[i], "microphone")) {
			kinds |= KIND_MICROPHONE;
		} else if (!strcmp(request->arguments[i], "speaker")) {
			kinds |= KIND_SPEAKER;
		} else {
			ctl_complain("'%s' is none of camera, microphone and speaker",
				     request->arguments[i]);
			return CTL_USAGE;
		}
	}
	*ret = kinds ? kinds : KIND_ALL;
	return CTL_OK;
}

static int set_blocked(const struct ctl_request *request, const char *method)
{
	bool block = !strcmp(method, "Block");
	sd_bus_error error = SD_BUS_ERROR_NULL;
	struct client_dict manager = { 0 };
	struct client client = { 0 };
	sd_bus_message *m = NULL;
	unsigned kinds;
	int r;

	r = read_kinds(request, &kinds);
	if (r == CTL_OK)
		r = ctl_connect(&client);
	if (r != CTL_OK)
		goto out;
	r = sd_bus_message_new_method_call(client.bus, &m, CLIENT_NAME, CLIENT_ROOT, CLIENT_MANAGER,
					   method);
	if (r >= 0)
		r = sd_bus_message_append(m, "u", kinds);
	if (r >= 0)
		r = sd_bus_call(client.bus, m, ASKING_USEC, &error, NULL);
	if (r >= 0)
		r = show_properties(&client, CLIENT_ROOT, CLIENT_MANAGER, &manager, &error);
	if (r < 0) {
		r = ctl_explain(block ? "cannot block" : "cannot unblock", r, &error);
		goto out;
	}
	r = CTL_OK;
	if (request->json) {
		fputs("{\"blocked\": ", stdout);
		print_json_kinds(stdout, client_number(&manager, "Blocked"));
		puts("}");
	} else {
		printf("Blocked by you: %s\n", plain_kinds(client_number(&manager, "Blocked")));
	}
out:
	client_dict_clear(&manager);
	sd_bus_message_unref(m);
	sd_bus_error_free(&error);
	client_close(&client);
	return r;
}

int verb_block(const struct ctl_request *request)
{
	return set_blocked(request, "Block");
}

int verb_unblock(const struct ctl_request *request)
{
	return set_blocked(request, "Unblock");
}

int verb_retry(const struct ctl_request *request)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	struct client client = { 0 };
	sd_bus_message *m = NULL;
	int r = ctl_connect(&client);

	if (r != CTL_OK)
		goto out;
	r = sd_bus_message_new_method_call(client.bus, &m, CLIENT_NAME, CLIENT_ROOT, CLIENT_MANAGER,
					   "AskAgain");
	if (r >= 0)
		r = sd_bus_call(client.bus, m, ASKING_USEC, &error, NULL);
	r = r < 0 ? ctl_explain("nothing was changed", r, &error) : CTL_OK;
	if (r == CTL_OK)
		puts(request->json ? "{\"retry\": true}" : "You are asked again about every call.");
out:
	sd_bus_message_unref(m);
	sd_bus_error_free(&error);
	client_close(&client);
	return r;
}

static void tell_ended(const struct ctl_request *request, size_t ended)
{
	if (request->json)
		printf("{\"ended\": %zu}\n", ended);
	else
		printf("Ended %zu call%s.\n", ended, ended == 1 ? "" : "s");
}

/* What an administrator does to a user's calls. */
static int end_of_user(const struct ctl_request *request)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus_message *reply = NULL;
	struct client client = { 0 };
	uint32_t ended;
	uid_t uid;
	int r;

	if (!ctl_find_user(request->user, &uid))
		return CTL_FAILED;
	r = ctl_connect(&client);
	if (r == CTL_OK) {
		r = ctl_admin(&client, "EndSessionsOf", &reply, &error, "u", (uint32_t)uid);
		if (r >= 0)
			r = sd_bus_message_read(reply, "u", &ended);
		if (r >= 0)
			tell_ended(request, ended);
		r = r < 0 ? ctl_explain("the calls were not ended", r, &error) : CTL_OK;
	}
	sd_bus_message_unref(reply);
	sd_bus_error_free(&error);
	client_close(&client);
	return r;
}

int verb_end(const struct ctl_request *request)
{
	const char *wanted = request->n_arguments ? request->arguments[0] : NULL;
	sd_bus_error error = SD_BUS_ERROR_NULL;
	struct client_list sessions = { 0 };
	struct client client = { 0 };
	size_t ended = 0;
	int r, one;

	if (!!wanted + !!request->all + !!request->user != 1) {
		ctl_complain("say which call to end, --all or --user; see callgatectl sessions");
		return CTL_USAGE;
	}
	if (request->user)
		return end_of_user(request);
	r = ctl_connect(&client);
	if (r != CTL_OK)
		goto out;
	r = client_fetch(&client, "ListSessions", &sessions, &error);
	if (r < 0) {
		r = ctl_explain("cannot list the calls", r, &error);
		goto out;
	}
	r = CTL_OK;
	for (size_t i = 0; i < sessions.n; i++) {
		const char *path = sessions.items[i].path;

		if (!strcmp(client_text(&sessions.items[i], "State"), "closed"))
			continue;
		if (wanted && strcmp(wanted, path) && strcmp(wanted, print_path_end(path)))
			continue;
		one = change(&client, "cannot end the call", path, CLIENT_SESSION, "End", NULL);
		if (one == CTL_OK)
			ended++;
		else
			r = one;
	}
	if (r == CTL_OK && wanted && !ended) {
		ctl_complain("you have no call '%s'; see callgatectl sessions", wanted);
		r = CTL_FAILED;
	}
	if (r == CTL_OK)
		tell_ended(request, ended);
out:
	sd_bus_error_free(&error);
	client_list_clear(&sessions);
	client_close(&client);
	return r;
}

/* The one peer of that name; explains why there is none. */
static int find_peer(struct client *client, struct client_list *peers, const char *name,
		     const struct client_dict **ret)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	const struct client_dict *found = NULL;
	int r = client_fetch(client, "ListPeers", peers, &error);

	if (r < 0)
		r = ctl_explain("cannot list the peers", r, &error);
	sd_bus_error_free(&error);
	if (r != CTL_OK)
		return r;
	for (size_t i = 0; i < peers->n; i++) {
		const struct client_dict *peer = &peers->items[i];

		if (strcmp(name, client_text(peer, "Name")) && strcmp(name, peer->path))
			continue;
		if (found) {
			ctl_complain(
				"several peers are called '%s'; use the path that peers --json shows",
				name);
			return CTL_FAILED;
		}
		found = peer;
	}
	if (!found) {
		ctl_complain("no peer is called '%s'; see callgatectl peers", name);
		return CTL_FAILED;
	}
	*ret = found;
	return CTL_OK;
}

static int change_peer(struct client *client, const struct ctl_request *request)
{
	const char *verb = request->arguments[0], *text = request->arguments[2];
	struct client_list peers = { 0 };
	const struct client_dict *peer;
	const struct client_field *keys;
	const char *method = NULL;
	int r;

	r = find_peer(client, &peers, request->arguments[1], &peer);
	if (r != CTL_OK)
		goto out;
	if (!strcmp(verb, "rename")) {
		method = "Rename";
	} else if (!strcmp(verb, "forget")) {
		method = "Forget";
	} else {
		method = "Verify";
		keys = client_find(peer, "Keys");
		if (!text && keys && keys->type == 'a' && keys->list[0] && !keys->list[1])
			text = keys->list[0];
		if (!text) {
			ctl_complain(
				"this peer has several keys; say which, see callgatectl peers");
			r = CTL_USAGE;
			goto out;
		}
	}
	r = change(client, "nothing was changed", peer->path, CLIENT_PEER, method, text);
	if (r == CTL_OK && request->json)
		puts("{\"changed\": true}");
	else if (r == CTL_OK)
		puts("Done.");
out:
	client_list_clear(&peers);
	return r;
}

int verb_peers(const struct ctl_request *request)
{
	struct client client = { 0 };
	int n = request->n_arguments, r;
	bool good;

	if (n == 0)
		return show_peers(request);
	good = (!strcmp(request->arguments[0], "rename") && n == 3) ||
	       (!strcmp(request->arguments[0], "forget") && n == 2) ||
	       (!strcmp(request->arguments[0], "verify") && n >= 2);
	if (!good) {
		ctl_complain("say rename NAME NEW, forget NAME or verify NAME [FINGERPRINT]; "
			     "see callgatectl peers --help");
		return CTL_USAGE;
	}
	r = ctl_connect(&client);
	if (r == CTL_OK)
		r = change_peer(&client, request);
	client_close(&client);
	return r;
}

int verb_agent(const struct ctl_request *request)
{
	char *argv[] = { "callgate-agent-tty", NULL, NULL, NULL };

	if (request->tty) {
		argv[1] = "--tty";
		argv[2] = (char *)request->tty;
	}
	execv(CALLGATE_AGENT_TTY, argv);
	ctl_complain("cannot start %s: %s; is it installed?", CALLGATE_AGENT_TTY, strerror(errno));
	return CTL_FAILED;
}
