// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * SetMode and ListDenials of org.callgate1.Manager: from reporting to enforcing
 * and back. Called by bus-manager.c's table. Who may is bus-admin.c's to say.
 */
#include "bus.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mode.h"
#include "util/log.h"
#include "util/macro.h"
#include "util/text.h"

#define ACTION "org.callgate1.set-mode"

static int set_mode(struct service *service, sd_bus_message *m, uint64_t argument,
		    sd_bus_error *error)
{
	bool before = service->permissive, permissive = argument != 0;
	struct refusal refusal;
	uid_t uid;
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
	if (bus_caller_uid(service, m, &uid) < 0)
		uid = LOG_NOBODY;
	log_event(LOG_EVENT_MODE_CHANGED, uid, "User %d made the gate %s.", (int)uid,
		  permissive ? "permissive" : "enforcing");
	return sd_bus_reply_method_return(m, NULL);
}

int bus_mode_set(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct refusal refusal;
	const char *word;
	bool permissive;
	int r;

	r = sd_bus_message_read(m, "s", &word);
	if (r < 0)
		return r;
	permissive = strcmp(word, "permissive") == 0;
	if (!permissive && strcmp(word, "enforcing") != 0) {
		refuse(&refusal, REFUSAL_BAD_ARGUMENT, "The mode is 'enforcing' or 'permissive'.");
		return bus_refused(error, &refusal);
	}
	return bus_admin(userdata, m, ACTION, set_mode, permissive, error);
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
