// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Who is calling, and errors. Used by the bus objects.
 *
 * Security: a caller's uid, pid and groups are what the bus daemon took from
 * the socket when the connection was made; nothing that the message says counts.
 */
#include "bus.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int read_groups(sd_bus_message *m, struct bus_caller *caller)
{
	const void *groups;
	size_t size;
	int r;

	r = sd_bus_message_enter_container(m, 'v', "au");
	if (r >= 0)
		r = sd_bus_message_read_array(m, 'u', &groups, &size);
	if (r < 0)
		return r;
	if (size / sizeof(uint32_t) > BUS_GROUPS_MAX)
		return -E2BIG;
	caller->n_groups = size / sizeof(uint32_t);
	for (size_t i = 0; i < caller->n_groups; i++)
		caller->groups[i] = ((const uint32_t *)groups)[i];
	return sd_bus_message_exit_container(m);
}

static int read_credentials(sd_bus_message *m, struct bus_caller *caller)
{
	bool have_uid = false, have_pid = false;
	int r;

	r = sd_bus_message_enter_container(m, 'a', "{sv}");
	if (r < 0)
		return r;
	while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
		const char *key;
		uint32_t number;

		r = sd_bus_message_read_basic(m, 's', &key);
		if (r >= 0 && strcmp(key, "UnixUserID") == 0) {
			r = sd_bus_message_read(m, "v", "u", &number);
			caller->uid = number;
			have_uid = true;
		} else if (r >= 0 && strcmp(key, "ProcessID") == 0) {
			r = sd_bus_message_read(m, "v", "u", &number);
			caller->pid = (pid_t)number;
			have_pid = true;
		} else if (r >= 0 && strcmp(key, "UnixGroupIDs") == 0) {
			r = read_groups(m, caller);
		} else if (r >= 0) {
			r = sd_bus_message_skip(m, "v");
		}
		if (r >= 0)
			r = sd_bus_message_exit_container(m);
		if (r < 0)
			return r;
	}
	if (r < 0)
		return r;
	return have_uid && have_pid ? 0 : -ENODATA;
}

int bus_caller(struct service *service, sd_bus_message *m, struct bus_caller *ret_caller)
{
	sd_bus_message *call = NULL, *reply = NULL;
	const char *sender = sd_bus_message_get_sender(m);
	int r;

	ret_caller->n_groups = 0;
	if (sender == NULL)
		return -ENODATA;
	r = sd_bus_message_new_method_call(service->bus, &call, "org.freedesktop.DBus",
					   "/org/freedesktop/DBus", "org.freedesktop.DBus",
					   "GetConnectionCredentials");
	if (r >= 0)
		r = sd_bus_message_append(call, "s", sender);
	if (r >= 0)
		r = sd_bus_call(service->bus, call, BOUND_DRIVER_SECONDS * 1000000ull, NULL,
				&reply);
	if (r >= 0)
		r = read_credentials(reply, ret_caller);
	sd_bus_message_unref(call);
	sd_bus_message_unref(reply);
	return r < 0 ? r : 0;
}

int bus_caller_uid(struct service *service, sd_bus_message *m, uid_t *ret_uid)
{
	const char *sender = sd_bus_message_get_sender(m);
	struct bus_sender *slot;
	struct bus_caller caller;
	int r;

	if (sender == NULL || strlen(sender) > BOUND_BUS_NAME)
		return -ENODATA;
	for (unsigned int i = 0; i < BUS_SENDERS; i++) {
		if (strcmp(service->senders[i].name, sender) == 0) {
			*ret_uid = service->senders[i].uid;
			return 0;
		}
	}
	r = bus_caller(service, m, &caller);
	if (r < 0)
		return r;
	slot = &service->senders[service->next_sender++ % BUS_SENDERS];
	snprintf(slot->name, sizeof(slot->name), "%s", sender);
	slot->uid = caller.uid;
	*ret_uid = caller.uid;
	return 0;
}

int bus_current_uid(struct service *service, uid_t *ret_uid)
{
	sd_bus_message *m = sd_bus_get_current_message(service->bus);

	return m == NULL ? -ENODATA : bus_caller_uid(service, m, ret_uid);
}

int bus_refused(sd_bus_error *error, const struct refusal *refusal)
{
	return sd_bus_error_set(error, refusal_error(refusal->name),
				refusal->why[0] != '\0'
					? refusal->why
					: "The service refused it; its log may say more.");
}

int bus_failed(sd_bus_error *error, int r)
{
	struct refusal refusal;

	refuse(&refusal, REFUSAL_FAILED, "The service failed (%s); its log may say more.",
	       strerror(-r));
	return bus_refused(error, &refusal);
}

int bus_not_found(sd_bus_error *error)
{
	struct refusal refusal;

	refuse(&refusal, REFUSAL_NOT_FOUND,
	       "There is no such object; list what there is and take the path from there.");
	return bus_refused(error, &refusal);
}

int bus_get(sd_bus_message *reply, const char *property, const struct dict_entry *entries, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(entries[i].key, property) == 0)
			return dict_append_value(reply, &entries[i]);
	return -ENOENT;
}
