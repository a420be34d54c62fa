// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * org.callgate1.Session. Registered by manager.c. A handler finds its session,
 * checks who calls, calls one function of call.c, replies.
 *
 * Security: find_session() runs before every method, property and
 * introspection; for a session of another user it says that there is none.
 * Blobs and media keys are the owner connection's alone; ending is open to
 * every process of the user, since it only restricts.
 */
#include "bus.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "util/macro.h"

void bus_session_view(struct call *call, struct bus_session_view *ret_view)
{
	const struct dict_entry entries[] = {
		DICT_TEXT("State", session_state_name(call_state(call))),
		DICT_FLAG("Incoming", call->incoming),
		DICT_TEXT("Contact", call->contact),
		DICT_FLAG("ContactClaimed", call->claimed),
		DICT_TEXT("PeerAuthentication", identity_auth_name(call->auth)),
		DICT_TEXT("App", call->app),
		DICT_FLAG("AppProven", call->app_proven),
		DICT_TEXT("Subject", ret_view->subject),
		DICT_U32("Kinds", call->facts.asked),
		DICT_U32("Approved", call->facts.approved_kinds),
		DICT_U32("Granted", call->granted),
		DICT_TEXT("Level", channel_level_name(call_level(call))),
		DICT_U32("PeerCaptured", call_peer_captured(call)),
		DICT_FLAG("PeerGate", call_peer_gate(call)),
		DICT_FLAG("TellsPrograms", call->tells),
		DICT_FLAG("Local", call->facts.local),
		DICT_U64("Opened", call->opened),
		DICT_TEXT("EndReason", session_end_name(call->facts.end)),
		DICT_TEXT("EndMessage", call_end_message(call)),
	};

	_Static_assert(ARRAY_SIZE(entries) == BUS_SESSION_ENTRIES, "the view has room for all");
	call_subject_text(call, ret_view->subject, sizeof(ret_view->subject));
	memcpy(ret_view->entries, entries, sizeof(entries));
}

static int find_session(sd_bus *bus, const char *path, const char *interface, void *userdata,
			void **ret_found, sd_bus_error *error)
{
	struct service *service = userdata;
	struct call *call = calls_by_path(&service->calls, path);
	uid_t uid;

	if (call == NULL || bus_current_uid(service, &uid) < 0 || uid != call->uid)
		return bus_not_found(error);
	*ret_found = call;
	return 1;
}

static int get_property(sd_bus *bus, const char *path, const char *interface, const char *property,
			sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
	struct bus_session_view view;

	bus_session_view(userdata, &view);
	return bus_get(reply, property, view.entries, BUS_SESSION_ENTRIES);
}

/* 0, or the error for whoever is not the connection that made the session. */
static int check_owner(struct call *call, sd_bus_message *m, sd_bus_error *error)
{
	const char *sender = sd_bus_message_get_sender(m);
	struct refusal refusal;

	if (sender != NULL && strcmp(sender, call->owner) == 0)
		return 0;
	refuse(&refusal, REFUSAL_NOT_OWNER,
	       "Only the connection that made the session may do this.");
	return bus_refused(error, &refusal);
}

static int method_deliver(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct call *call = userdata;
	struct refusal refusal;
	const void *blob;
	size_t len;
	int r;

	r = check_owner(call, m, error);
	if (r >= 0)
		r = sd_bus_message_read_array(m, 'y', &blob, &len);
	if (r < 0)
		return r;
	r = call_deliver(call, blob, len, &refusal);
	if (r > 0)
		return bus_refused(error, &refusal);
	return r < 0 ? bus_failed(error, r) : sd_bus_reply_method_return(m, NULL);
}

static int method_media_keys(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	uint8_t records[CALL_KEY_RECORDS * CALL_KEY_RECORD];
	_cleanup_close_ int read_fd = -1, write_fd = -1;
	struct call *call = userdata;
	struct refusal refusal;
	int r, fds[2];
	size_t len;

	r = check_owner(call, m, error);
	if (r < 0)
		return r;
	r = call_media_keys(call, records, &len, &refusal);
	if (r > 0)
		return bus_refused(error, &refusal);
	if (r == 0 && pipe2(fds, O_CLOEXEC) < 0)
		r = -errno;
	if (r == 0) {
		read_fd = fds[0];
		write_fd = fds[1];
		/* Far less than a pipe holds: cannot block. */
		if (write(write_fd, records, len) != (ssize_t)len)
			r = -EIO;
	}
	crypto_wipe(records, sizeof(records));
	return r < 0 ? bus_failed(error, r) : sd_bus_reply_method_return(m, "h", read_fd);
}

static int method_end(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	call_end(userdata, SESSION_END_ENDED);
	return sd_bus_reply_method_return(m, NULL);
}

#define CONST_PROPERTY(name, type) \
	SD_BUS_PROPERTY(name, type, get_property, 0, SD_BUS_VTABLE_PROPERTY_CONST)
#define PROPERTY(name, type) \
	SD_BUS_PROPERTY(name, type, get_property, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE)

static const sd_bus_vtable session_vtable[] = {
	SD_BUS_VTABLE_START(0),
	PROPERTY("State", "s"),
	CONST_PROPERTY("Incoming", "b"),
	PROPERTY("Contact", "s"),
	PROPERTY("ContactClaimed", "b"),
	PROPERTY("PeerAuthentication", "s"),
	CONST_PROPERTY("App", "s"),
	CONST_PROPERTY("AppProven", "b"),
	CONST_PROPERTY("Subject", "s"),
	CONST_PROPERTY("Kinds", "u"),
	PROPERTY("Approved", "u"),
	PROPERTY("Granted", "u"),
	PROPERTY("Level", "s"),
	PROPERTY("PeerCaptured", "u"),
	PROPERTY("PeerGate", "b"),
	CONST_PROPERTY("TellsPrograms", "b"),
	CONST_PROPERTY("Local", "b"),
	CONST_PROPERTY("Opened", "t"),
	PROPERTY("EndReason", "s"),
	PROPERTY("EndMessage", "s"),
	SD_BUS_METHOD_WITH_ARGS("Deliver", SD_BUS_ARGS("ay", blob), SD_BUS_NO_RESULT,
				method_deliver, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("MediaKeys", SD_BUS_NO_ARGS, SD_BUS_RESULT("h", pipe),
				method_media_keys, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("End", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_end,
				SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_SIGNAL_WITH_ARGS("Blob", SD_BUS_ARGS("ay", blob), 0),
	SD_BUS_SIGNAL_WITH_ARGS("Programs", SD_BUS_ARGS("a(suu)", own, "b", told, "a(suu)", peer),
				0),
	SD_BUS_VTABLE_END,
};

int bus_session_register(struct service *service)
{
	return sd_bus_add_fallback_vtable(service->bus, NULL, BUS_PATH "/session", BUS_SESSION,
					  session_vtable, find_session, service);
}
