// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The desktop's notifications: one that stands while something captures, where
 * there is no tray, and one for a program that tried to capture outside a call. Called
 * by callgate-indicator.c. They inform; a click on one can end calls, no more.
 */
#include "notice.h"

#include "plain.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SERVER	    "org.freedesktop.Notifications"
#define SERVER_PATH "/org/freedesktop/Notifications"
/* The same program is told again after this, s. */
#define AGAIN_S	    600

/* What others chose is no markup. */
static char *escape(const char *text)
{
	char *escaped = NULL;
	size_t size;
	FILE *file = open_memstream(&escaped, &size);

	for (; file && *text; text++) {
		if (*text == '&')
			fputs("&amp;", file);
		else if (*text == '<')
			fputs("&lt;", file);
		else if (*text == '>')
			fputs("&gt;", file);
		else
			fputc(*text, file);
	}
	if (file && fclose(file) != 0) {
		free(escaped);
		return NULL;
	}
	return escaped;
}

static int send(struct notice *notice, uint32_t replaces, const char *icon, const char *title,
		const char *body, bool standing, sd_bus_message_handler_t handler)
{
	sd_bus_message *m = NULL;
	char *escaped = escape(body);
	int r;

	r = sd_bus_message_new_method_call(notice->state->desk, &m, SERVER, SERVER_PATH, SERVER,
					   "Notify");
	if (r >= 0)
		r = escaped ? sd_bus_message_append(m, "susss", "Callgate", replaces, icon, title,
						    escaped)
			    : -ENOMEM;
	if (r >= 0)
		r = standing ? sd_bus_message_append(m, "as", 2, "end", _("End all calls"))
			     : sd_bus_message_append(m, "as", 0);
	if (r >= 0)
		r = standing ? sd_bus_message_append(m, "a{sv}", 2, "resident", "b", true,
						     "urgency", "y", 1)
			     : sd_bus_message_append(m, "a{sv}", 1, "urgency", "y", 1);
	/* 0: it does not go away by itself; -1: as long as usual. */
	if (r >= 0)
		r = sd_bus_message_append(m, "i", standing ? 0 : -1);
	if (r >= 0)
		r = sd_bus_call_async(notice->state->desk, NULL, m, handler, notice, 0);
	sd_bus_message_unref(m);
	free(escaped);
	return r;
}

static void take_down(struct notice *notice)
{
	if (notice->id)
		sd_bus_call_method_async(notice->state->desk, NULL, SERVER, SERVER_PATH, SERVER,
					 "CloseNotification", NULL, NULL, "u", notice->id);
	notice->id = 0;
	free(notice->shown);
	notice->shown = NULL;
}

static int on_shown(sd_bus_message *m, void *userdata, sd_bus_error *unused)
{
	struct notice *notice = userdata;

	notice->pending = false;
	if (sd_bus_message_is_method_error(m, NULL) ||
	    sd_bus_message_read(m, "u", &notice->id) < 0) {
		fprintf(stderr, "callgate-indicator: this desktop shows no notifications\n");
		return 0;
	}
	/* Meanwhile it may have changed. */
	notice_update(notice, notice->wanted);
	return 0;
}

void notice_update(struct notice *notice, bool wanted)
{
	char *title, *body;

	notice->wanted = wanted;
	if (notice->pending)
		return;
	if (!wanted || !state_kinds(notice->state)) {
		take_down(notice);
		return;
	}
	title = state_title(notice->state);
	body = state_summary(notice->state);
	if (title && body && (!notice->shown || strcmp(notice->shown, body) != 0)) {
		notice->pending = send(notice, notice->id, "camera-web-symbolic", title, body, true,
				       on_shown) >= 0;
		free(notice->shown);
		notice->shown = body;
		body = NULL;
	}
	free(title);
	free(body);
}

/* Is it one that was told lately? If not it is from now on. */
static bool was_told(struct notice *notice, const char *program, unsigned int kinds)
{
	struct timespec now;
	unsigned int i;

	clock_gettime(CLOCK_MONOTONIC, &now);
	for (i = 0; i < NOTICES_MAX; i++)
		if (notice->told[i].program && strcmp(notice->told[i].program, program) == 0 &&
		    (kinds & ~notice->told[i].kinds) == 0 &&
		    (uint64_t)now.tv_sec < notice->told[i].at + AGAIN_S)
			return true;
	i = notice->next++ % NOTICES_MAX;
	free(notice->told[i].program);
	notice->told[i].program = strdup(program);
	notice->told[i].kinds = kinds;
	notice->told[i].at = (uint64_t)now.tv_sec;
	return false;
}

void notice_denied(struct notice *notice, const struct client_dict *attempt)
{
	unsigned int kinds = (unsigned int)client_number(attempt, "Kinds") & KIND_BOTH;
	const char *executable = client_text(attempt, "Executable");
	const char *format;
	char *program, *body = NULL;

	if (was_told(notice, executable, kinds))
		return;
	format = kinds == KIND_MICROPHONE ? _("%s tried to use your microphone outside a call.")
		 : kinds == KIND_CAMERA	  ? _("%s tried to use your camera outside a call.")
					  : _("%s tried to use your camera and microphone "
						"outside a call.");
	program = plain_copy(*executable ? executable : _("A program"));
	if (program && asprintf(&body, format, program) >= 0) {
		send(notice, 0, "camera-disabled-symbolic", _("Callgate"), body, false, NULL);
		free(body);
	}
	free(program);
}

static int on_closed(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct notice *notice = userdata;
	uint32_t id, reason;

	if (sd_bus_message_read(m, "uu", &id, &reason) >= 0 && id == notice->id)
		notice->id = 0;
	return 0;
}

static int on_action(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct notice *notice = userdata;
	const struct client_list *calls = &notice->state->calls;
	const char *action;
	uint32_t id;

	if (sd_bus_message_read(m, "us", &id, &action) < 0 || id != notice->id || id == 0 ||
	    strcmp(action, "end") != 0)
		return 0;
	for (size_t i = 0; i < calls->n; i++)
		state_end(notice->state, calls->items[i].path);
	return 0;
}

int notice_start(struct notice *notice)
{
	sd_bus *bus = notice->state->desk;
	int r;

	r = sd_bus_match_signal(bus, NULL, SERVER, SERVER_PATH, SERVER, "NotificationClosed",
				on_closed, notice);
	return r < 0 ? r
		     : sd_bus_match_signal(bus, NULL, SERVER, SERVER_PATH, SERVER, "ActionInvoked",
					   on_action, notice);
}

void notice_stop(struct notice *notice)
{
	take_down(notice);
	for (unsigned int i = 0; i < NOTICES_MAX; i++)
		free(notice->told[i].program);
}
