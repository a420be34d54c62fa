// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * SetMode and ListDenials of org.callgate1.Manager: from reporting to enforcing
 * and back. Called by bus-manager.c's table.
 *
 * Security: root may, by the bus's word. Anybody else has to be authorised by
 * polkit, asked about the connection, not about a process that could become
 * another one. No polkit, no answer, any error: no.
 */
#include "bus.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mode.h"
#include "util/macro.h"
#include "util/text.h"

#define POLKIT		"org.freedesktop.PolicyKit1"
#define POLKIT_PATH	"/org/freedesktop/PolicyKit1/Authority"
#define POLKIT_IFACE	"org.freedesktop.PolicyKit1.Authority"
#define POLKIT_ACTION	"org.callgate1.set-mode"
#define POLKIT_USEC	(120 * 1000000ull) /* somebody types a password */
#define POLKIT_INTERACT 1

/* A change that waits for polkit's answer. */
struct mode_change {
	LIST_ENTRY(mode_change) all;
	struct service *service;
	sd_bus_message *m;
	sd_bus_slot *slot;
	bool permissive;
};

static struct mode_change *change_free(struct mode_change *change)
{
	LIST_REMOVE(change, all);
	change->service->n_mode_changes--;
	sd_bus_message_unref(change->m);
	sd_bus_slot_unref(change->slot);
	free(change);
	return NULL;
}

void bus_mode_deinit(struct service *service)
{
	while (!LIST_EMPTY(&service->mode_changes))
		change_free(LIST_FIRST(&service->mode_changes));
}

static int set_mode(struct service *service, sd_bus_message *m, bool permissive,
		    sd_bus_error *error)
{
	struct refusal refusal;
	bool before = service->permissive;
	int r;

	/* First, because the gate's change is followed by a look at what was decided. */
	service->permissive = permissive;
	r = gate_set_mode(service->gate, permissive);
	/* Without a gate it is kept for when there is one. */
	if (r < 0 && r != -ENODEV) {
		service->permissive = before;
		refuse(&refusal, REFUSAL_FAILED, "The gate did not change its mode: %s.",
		       strerror(-r));
		return bus_refused(error, &refusal);
	}
	r = mode_save(service->users.dir_fd, permissive);
	if (r < 0) {
		refuse(&refusal, REFUSAL_FAILED,
		       "The gate is %s now, but this cannot be kept for the next start: %s.",
		       permissive ? "permissive" : "enforcing", strerror(-r));
		return bus_refused(error, &refusal);
	}
	return sd_bus_reply_method_return(m, NULL);
}

static int not_allowed(sd_bus_error *error)
{
	struct refusal refusal;

	refuse(&refusal, REFUSAL_NOT_ALLOWED,
	       "Only an administrator changes the mode; run this as root.");
	return bus_refused(error, &refusal);
}

static int on_polkit(sd_bus_message *reply, void *userdata, sd_bus_error *unused)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	struct mode_change *change = userdata;
	int allowed = 0, challenge = 0, r;

	if (sd_bus_message_is_method_error(reply, NULL) ||
	    sd_bus_message_enter_container(reply, 'r', "bba{ss}") < 0 ||
	    sd_bus_message_read(reply, "bb", &allowed, &challenge) < 0)
		allowed = 0;
	r = allowed == 1 ? set_mode(change->service, change->m, change->permissive, &error)
			 : not_allowed(&error);
	if (r < 0)
		sd_bus_reply_method_error(change->m, &error);
	sd_bus_error_free(&error);
	change_free(change);
	return 0;
}

static int ask_polkit(struct mode_change *change)
{
	sd_bus_message *call = NULL;
	bool interact = sd_bus_message_get_allow_interactive_authorization(change->m) > 0;
	int r;

	r = sd_bus_message_new_method_call(change->service->bus, &call, POLKIT, POLKIT_PATH,
					   POLKIT_IFACE, "CheckAuthorization");
	if (r >= 0)
		r = sd_bus_message_append(call, "(sa{sv})sa{ss}us", "system-bus-name", 1, "name",
					  "s", sd_bus_message_get_sender(change->m), POLKIT_ACTION,
					  0, interact ? POLKIT_INTERACT : 0, "");
	if (r >= 0)
		r = sd_bus_call_async(change->service->bus, &change->slot, call, on_polkit, change,
				      POLKIT_USEC);
	sd_bus_message_unref(call);
	return r;
}

int bus_mode_set(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct service *service = userdata;
	struct mode_change *change;
	struct refusal refusal;
	const char *word;
	bool permissive;
	uid_t uid;
	int r;

	r = sd_bus_message_read(m, "s", &word);
	if (r < 0)
		return r;
	permissive = strcmp(word, "permissive") == 0;
	if (!permissive && strcmp(word, "enforcing") != 0) {
		refuse(&refusal, REFUSAL_BAD_ARGUMENT, "The mode is 'enforcing' or 'permissive'.");
		return bus_refused(error, &refusal);
	}
	r = bus_caller_uid(service, m, &uid);
	if (r < 0)
		return bus_failed(error, r);
	if (uid == 0)
		return set_mode(service, m, permissive, error);
	if (service->n_mode_changes >= BOUND_MODE_CHANGES) {
		refuse(&refusal, REFUSAL_LIMIT,
		       "Others are being asked about the mode already; try again later.");
		return bus_refused(error, &refusal);
	}
	change = calloc(1, sizeof(*change));
	if (change == NULL)
		return bus_failed(error, -ENOMEM);
	change->service = service;
	change->m = sd_bus_message_ref(m);
	change->permissive = permissive;
	LIST_INSERT_HEAD(&service->mode_changes, change, all);
	service->n_mode_changes++;
	if (ask_polkit(change) >= 0)
		return 1;
	change_free(change);
	return not_allowed(error);
}

static int append_denial(sd_bus_message *reply, const struct denial *denial)
{
	char exe[PROCESS_EXE_MAX + 1];
	const struct dict_entry entries[] = {
		DICT_TEXT("Executable", exe),	  DICT_U32("Uid", denial->uid),
		DICT_U32("Kinds", denial->kinds), DICT_U64("Count", denial->count),
		DICT_U64("Last", denial->last),
	};

	text_show(exe, sizeof(exe), denial->exe);
	return dict_append(reply, entries, ARRAY_SIZE(entries));
}

int bus_mode_denials(struct service *service, uid_t uid, sd_bus_message *reply)
{
	int r = sd_bus_message_open_container(reply, 'a', "a{sv}");

	for (size_t i = 0; r >= 0 && i < BOUND_DENIALS; i++) {
		const struct denial *denial = &service->denials.denial[i];

		if (denial->last != 0 && (uid == 0 || denial->uid == uid))
			r = append_denial(reply, denial);
	}
	return r < 0 ? r : sd_bus_message_close_container(reply);
}
