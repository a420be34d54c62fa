// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the daemon says at this moment, and the sentences for it. Owns the
 * connection's answers; what captures is the kernel's word, what a call is about the
 * daemon's, never an app's. Called by callgate-indicator.c, tray.c and notice.c.
 *
 * Security: ending and blocking take something away, which any program of the user
 * may do. Unblocking only asks: the agent has a hand confirm it.
 */
#include "state.h"

#include "plain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void drop(struct state *state)
{
	client_list_clear(&state->calls);
	client_list_clear(&state->streams);
	free(state->ids);
	state->ids = NULL;
	free(state->gate);
	state->gate = NULL;
	state->blocked = 0;
}

void state_clear(struct state *state)
{
	drop(state);
	client_close(&state->client);
	state->desk = sd_bus_flush_close_unref(state->desk);
}

/* Known calls keep their numbers, by which a menu that is open names them. */
static void number_calls(struct state *state, const struct client_list *old, const int *old_ids)
{
	state->ids = calloc(state->calls.n + 1, sizeof(*state->ids));
	for (size_t i = 0; state->ids && i < state->calls.n; i++) {
		for (size_t j = 0; j < old->n && !state->ids[i]; j++)
			if (old_ids && strcmp(old->items[j].path, state->calls.items[i].path) == 0)
				state->ids[i] = old_ids[j];
		if (!state->ids[i])
			state->ids[i] = ++state->next_id;
	}
}

void state_refresh(struct state *state)
{
	struct client_list old = state->calls;
	int *old_ids = state->ids;
	sd_bus *bus = state->client.bus;

	state->calls = (struct client_list){ 0 };
	state->ids = NULL;
	drop(state);
	if (state->client.owner) {
		client_fetch(&state->client, "ListSessions", &state->calls, NULL);
		client_fetch(&state->client, "ListStreams", &state->streams, NULL);
		sd_bus_get_property_trivial(bus, CLIENT_NAME, CLIENT_ROOT, CLIENT_MANAGER,
					    "Blocked", NULL, 'u', &state->blocked);
		sd_bus_get_property_string(bus, CLIENT_NAME, CLIENT_ROOT, CLIENT_MANAGER, "Gate",
					   NULL, &state->gate);
	}
	number_calls(state, &old, old_ids);
	client_list_clear(&old);
	free(old_ids);
}

unsigned int state_kinds(const struct state *state)
{
	unsigned int kinds = 0;

	for (size_t i = 0; i < state->streams.n; i++)
		kinds |= client_number(&state->streams.items[i], "Kinds");
	return kinds & KIND_BOTH;
}

/* ---- sentences --------------------------------------------------------------------------------- */

static const char *name_kinds(unsigned int kinds)
{
	switch (kinds & KIND_BOTH) {
	case KIND_MICROPHONE:
		return _("microphone");
	case KIND_CAMERA:
		return _("camera");
	case KIND_BOTH:
		return _("camera and microphone");
	}
	return _("nothing");
}

static const char *name_state(const char *word)
{
	static const char *const words[][2] = {
		{ "new", "you are being asked" },
		{ "ringing", "ringing" },
		{ "handshaking", "connecting" },
		{ "live", "running" },
		{ "stalled", "no sign of life: capture is stopped" },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(words[i][0], word) == 0)
			return _(words[i][1]);
	return "";
}

char *state_title(const struct state *state)
{
	char *text = NULL;
	int r;

	if (!state->client.owner)
		r = asprintf(&text, "%s", _("Callgate does not run: nothing can be captured"));
	else if (state_kinds(state))
		r = asprintf(&text, _("In use: %s"), name_kinds(state_kinds(state)));
	else if (state->blocked)
		r = asprintf(&text, _("Blocked by you: %s"), name_kinds(state->blocked));
	else if (state->gate && strcmp(state->gate, "present") != 0)
		r = asprintf(&text, "%s", _("Callgate reports and denies nothing"));
	else
		r = asprintf(&text, "%s", _("Camera and microphone are shut"));
	return r < 0 ? NULL : text;
}

static void clock_of(time_t at, char text[static 16])
{
	struct tm tm;

	localtime_r(&at, &tm);
	strftime(text, 16, "%H:%M", &tm);
}

char *state_call(const struct client_dict *call)
{
	char *contact = plain_copy(client_number(call, "Local") ? _("Not a call")
								: client_text(call, "Contact"));
	char *app = plain_copy(client_text(call, "App"));
	bool claimed = client_number(call, "ContactClaimed");
	char since[16], *text = NULL;

	clock_of((time_t)client_number(call, "Opened"), since);
	/* Contact, whether that is proven, app, kinds, state, level, time. */
	if (contact && app &&
	    asprintf(&text, _("%s%s, through %s: %s; %s, level %s, since %s"), contact,
		     claimed ? _(" (the app’s word)") : "", app,
		     name_kinds((unsigned int)client_number(call, "Granted")),
		     name_state(client_text(call, "State")), client_text(call, "Level"), since) < 0)
		text = NULL;
	free(contact);
	free(app);
	return text;
}

char *state_stream(const struct client_dict *stream)
{
	struct timespec boot;
	char since[16], *program, *text = NULL;
	uint64_t began = client_number(stream, "Since") / 1000000;
	bool other = client_number(stream, "Uid") != getuid();

	if (!other && strcmp(client_text(stream, "Session"), "/") != 0)
		return NULL;
	clock_gettime(CLOCK_BOOTTIME, &boot);
	clock_of(time(NULL) - (time_t)((uint64_t)boot.tv_sec - began), since);
	program = plain_copy(other ? _("Another user") : client_text(stream, "Executable"));
	if (program &&
	    asprintf(&text, _("%s: %s, outside your calls, since %s"), program,
		     name_kinds((unsigned int)client_number(stream, "Kinds")), since) < 0)
		text = NULL;
	free(program);
	return text;
}

/* Takes line. */
static void add(FILE *file, char *line)
{
	if (line)
		fprintf(file, "%s\n", line);
	free(line);
}

char *state_summary(const struct state *state)
{
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	if (!file)
		return NULL;
	for (size_t i = 0; i < state->calls.n; i++)
		add(file, state_call(&state->calls.items[i]));
	for (size_t i = 0; i < state->streams.n; i++)
		add(file, state_stream(&state->streams.items[i]));
	return fclose(file) == 0 ? text : (free(text), NULL);
}

/* ---- what a click does ------------------------------------------------------------------------- */

static int on_done(sd_bus_message *m, void *userdata, sd_bus_error *unused)
{
	const sd_bus_error *error = sd_bus_message_get_error(m);

	if (error)
		fprintf(stderr, "callgate-indicator: %s\n",
			error->message && *error->message ? error->message : error->name);
	return 0;
}

void state_end(struct state *state, const char *path)
{
	sd_bus_call_method_async(state->client.bus, NULL, CLIENT_NAME, path, CLIENT_SESSION, "End",
				 on_done, NULL, NULL);
}

void state_block(struct state *state, unsigned int kinds, bool block)
{
	sd_bus_call_method_async(state->client.bus, NULL, CLIENT_NAME, CLIENT_ROOT, CLIENT_MANAGER,
				 block ? "Block" : "Unblock", on_done, NULL, "u", kinds);
}
