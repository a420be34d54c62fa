// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Signals. Each goes to one connection at a time: the subscribers and agents
 * of the user whom it concerns, and the session's owner for what is the
 * session's. Must not broadcast: any connection may listen to broadcasts.
 */
#include "bus.h"

#include <errno.h>
#include <string.h>

#include "util/macro.h"
#include "util/text.h"

#define PROPERTIES "org.freedesktop.DBus.Properties"
#define EVERYBODY  ((uid_t)-1)

typedef int (*filler)(sd_bus_message *m, const void *data);

static void send_one(struct service *service, const char *destination, const char *path,
		     const char *interface, const char *member, filler fill, const void *data)
{
	sd_bus_message *m = NULL;

	if (sd_bus_message_new_signal(service->bus, &m, path, interface, member) >= 0 &&
	    sd_bus_message_set_destination(m, destination) >= 0 && fill(m, data) >= 0)
		sd_bus_send(service->bus, m, NULL);
	sd_bus_message_unref(m);
}

static bool listens(const struct service *service, const char *name)
{
	struct listener *listener;

	LIST_FOREACH(listener, &service->listeners.all, all)
	if (strcmp(listener->name, name) == 0)
		return true;
	return false;
}

/* To the subscribers and agents of a user, or of all; and to owner unless it is one of them, or NULL. */
static void send_all(struct service *service, uid_t uid, const char *owner, const char *path,
		     const char *interface, const char *member, filler fill, const void *data)
{
	struct listener *listener;
	struct agent *agent;

	if (service->bus == NULL)
		return;
	LIST_FOREACH(listener, &service->listeners.all, all)
	{
		if (uid != EVERYBODY && listener->uid != uid)
			continue;
		send_one(service, listener->name, path, interface, member, fill, data);
		if (owner != NULL && strcmp(owner, listener->name) == 0)
			owner = NULL;
	}
	TAILQ_FOREACH(agent, &service->approvals.agents, all)
	{
		if ((uid != EVERYBODY && agent->uid != uid) || listens(service, agent->name))
			continue;
		send_one(service, agent->name, path, interface, member, fill, data);
		if (owner != NULL && strcmp(owner, agent->name) == 0)
			owner = NULL;
	}
	if (owner != NULL)
		send_one(service, owner, path, interface, member, fill, data);
}

/* ---- sessions ---------------------------------------------------------------------------------- */

struct session_data {
	const char *path;
	struct bus_session_view view;
};

static int fill_session(sd_bus_message *m, const void *data)
{
	const struct session_data *session = data;
	int r = sd_bus_message_append(m, "o", session->path);

	return r < 0 ? r : dict_append(m, session->view.entries, BUS_SESSION_ENTRIES);
}

static int fill_changed(sd_bus_message *m, const void *data)
{
	const struct session_data *session = data;
	int r = sd_bus_message_append(m, "s", BUS_SESSION);

	if (r >= 0)
		r = dict_append(m, session->view.entries, BUS_SESSION_ENTRIES);
	return r < 0 ? r : sd_bus_message_append(m, "as", 0);
}

static void send_session(struct service *service, struct call *call, const char *owner,
			 const char *path, const char *interface, const char *member, filler fill)
{
	struct session_data data = { .path = call->path };

	bus_session_view(call, &data.view);
	send_all(service, call->uid, owner, path, interface, member, fill, &data);
}

void bus_send_session_added(struct service *service, struct call *call)
{
	send_session(service, call, NULL, BUS_PATH, BUS_MANAGER, "SessionAdded", fill_session);
}

void bus_send_session_removed(struct service *service, struct call *call)
{
	send_session(service, call, call->owner, BUS_PATH, BUS_MANAGER, "SessionRemoved",
		     fill_session);
}

void bus_send_session_changed(struct service *service, struct call *call)
{
	send_session(service, call, call->owner, call->path, PROPERTIES, "PropertiesChanged",
		     fill_changed);
}

struct programs_data {
	const struct usage *usage;
	const struct channel_programs *peer;
	uint64_t now;
};

static int fill_programs(sd_bus_message *m, const void *userdata)
{
	const struct programs_data *data = userdata;
	char name[RECORD_PROGRAM_MAX + 1];
	int r = sd_bus_message_open_container(m, 'a', "(suu)");

	for (unsigned int i = 0; i < data->usage->n && r >= 0; i++) {
		const struct usage_program *program = &data->usage->programs[i];

		/* One that only heard what was played had neither. */
		if (usage_ns(&program->spans[0], data->now) == 0 &&
		    usage_ns(&program->spans[1], data->now) == 0)
			continue;
		text_show(name, sizeof(name), program->name);
		r = sd_bus_message_append(m, "(suu)", name,
					  usage_seconds(&program->spans[0], data->now),
					  usage_seconds(&program->spans[1], data->now));
	}
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	if (r >= 0)
		r = sd_bus_message_append(m, "b", (int)(data->peer != NULL));
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'a', "(suu)");
	for (unsigned int i = 0; data->peer != NULL && i < data->peer->n && r >= 0; i++)
		r = sd_bus_message_append(m, "(suu)", data->peer->list[i].name,
					  data->peer->list[i].seconds[0],
					  data->peer->list[i].seconds[1]);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

void bus_send_programs(struct service *service, struct call *call,
		       const struct channel_programs *peer)
{
	const struct programs_data data = { call->usage, peer, call_clock() };

	send_all(service, call->uid, call->owner, call->path, BUS_SESSION, "Programs",
		 fill_programs, &data);
}

struct blob_data {
	const void *bytes;
	size_t len;
};

static int fill_blob(sd_bus_message *m, const void *data)
{
	const struct blob_data *blob = data;

	return sd_bus_message_append_array(m, 'y', blob->bytes, blob->len);
}

void bus_send_blob(struct service *service, struct call *call, const void *blob, size_t len)
{
	const struct blob_data data = { .bytes = blob, .len = len };

	send_one(service, call->owner, call->path, BUS_SESSION, "Blob", fill_blob, &data);
}

/* ---- captures ---------------------------------------------------------------------------------- */

static int fill_stream(sd_bus_message *m, const void *data)
{
	const struct bus_stream_view *view = data;

	return dict_append(m, view->entries, view->n);
}

static void send_stream(struct service *service, const struct capture *stream, const char *member)
{
	struct bus_stream_view view;

	bus_stream_view(service, stream, true, &view);
	send_all(service, stream->who.uid, NULL, BUS_PATH, BUS_MANAGER, member, fill_stream, &view);
}

void bus_send_stream_started(struct service *service, const struct capture *stream)
{
	send_stream(service, stream, "StreamStarted");
}

void bus_send_stream_stopped(struct service *service, const struct capture *stream)
{
	send_stream(service, stream, "StreamStopped");
}

struct denied_data {
	struct dict_entry entries[7];
};

static int fill_denied(sd_bus_message *m, const void *data)
{
	const struct denied_data *denied = data;

	return dict_append(m, denied->entries, ARRAY_SIZE(denied->entries));
}

void bus_send_denied(struct service *service, const struct capture *attempt, bool in_call)
{
	const struct capture_device *device = captures_device(&service->captures, attempt->device);
	char exe[PROCESS_EXE_MAX + 1], name[CAPTURE_NAME_MAX + 1];
	struct app app;

	text_show(exe, sizeof(exe), attempt->who.exe);
	text_show(name, sizeof(name), device != NULL ? device->name : "");
	if (app_identify(&attempt->who, &app) < 0)
		app.label[0] = '\0';
	const struct denied_data data = { .entries = {
						  DICT_TEXT("Executable", exe),
						  DICT_TEXT("App", app.label),
						  DICT_U32("Pid", (uint32_t)attempt->who.pid),
						  DICT_U32("Kinds", attempt->kinds),
						  DICT_TEXT("Device", name),
						  DICT_U32("Count", attempt->count),
						  DICT_FLAG("InCall", in_call),
					  } };

	send_all(service, attempt->who.uid, NULL, BUS_PATH, BUS_MANAGER, "Denied", fill_denied,
		 &data);
}

static int fill_blocked(sd_bus_message *m, const void *data)
{
	const struct dict_entry entry = DICT_U32("Blocked", *(const uint32_t *)data);
	int r = sd_bus_message_append(m, "s", BUS_MANAGER);

	if (r >= 0)
		r = dict_append(m, &entry, 1);
	return r < 0 ? r : sd_bus_message_append(m, "as", 0);
}

void bus_send_blocked(struct service *service, const struct user *user)
{
	send_all(service, user->uid, NULL, BUS_PATH, PROPERTIES, "PropertiesChanged", fill_blocked,
		 &user->blocked);
}

static int fill_device(sd_bus_message *m, const void *data)
{
	const struct bus_device_view *view = data;
	int r = sd_bus_message_append(m, "o", view->path);

	return r < 0 ? r : dict_append(m, view->entries, BUS_DEVICE_ENTRIES);
}

void bus_send_device_added(struct service *service, const struct capture_device *device)
{
	struct bus_device_view view;

	bus_device_view(service, device, &view);
	send_all(service, EVERYBODY, NULL, BUS_PATH, BUS_MANAGER, "DeviceAdded", fill_device,
		 &view);
}

static int fill_path(sd_bus_message *m, const void *data)
{
	return sd_bus_message_append(m, "o", data);
}

void bus_send_device_removed(struct service *service, uint32_t device)
{
	char path[64];

	bus_device_path(device, path);
	send_all(service, EVERYBODY, NULL, BUS_PATH, BUS_MANAGER, "DeviceRemoved", fill_path, path);
}
