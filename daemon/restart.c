// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Asks systemd, on its way out, whether the daemon will be started again at once: both stopping and restarting begin with
 * SIGTERM, and what calls have to do is the opposite. Called by manager.c, once. Owns nothing.
 */
#include "restart.h"

#include <stdint.h>
#include <string.h>

#define SYSTEMD	  "org.freedesktop.systemd1"
#define ANSWER_US 2000000u

/* A method's or a property's answer in time, or NULL. */
static sd_bus_message *ask(sd_bus *bus, sd_bus_message *m)
{
	sd_bus_message *reply = NULL;

	if (sd_bus_call(bus, m, ANSWER_US, NULL, &reply) < 0)
		reply = NULL;
	sd_bus_message_unref(m);
	return reply;
}

static sd_bus_message *get(sd_bus *bus, const char *path, const char *interface, const char *name)
{
	sd_bus_message *m = NULL;

	if (sd_bus_message_new_method_call(bus, &m, SYSTEMD, path,
					   "org.freedesktop.DBus.Properties", "Get") < 0)
		return NULL;
	if (sd_bus_message_append(m, "ss", interface, name) < 0) {
		sd_bus_message_unref(m);
		return NULL;
	}
	return ask(bus, m);
}

/* The unit that this process belongs to. */
static sd_bus_message *own_unit(sd_bus *bus)
{
	sd_bus_message *m = NULL;

	if (sd_bus_message_new_method_call(bus, &m, SYSTEMD, "/org/freedesktop/systemd1",
					   SYSTEMD ".Manager", "GetUnitByPID") < 0)
		return NULL;
	if (sd_bus_message_append(m, "u", 0) < 0) {
		sd_bus_message_unref(m);
		return NULL;
	}
	return ask(bus, m);
}

bool restart_is_asked(sd_bus *bus)
{
	sd_bus_message *unit = own_unit(bus), *job = NULL, *type = NULL;
	const char *path, *job_path, *word = "";
	uint32_t id = 0;

	if (unit != NULL && sd_bus_message_read(unit, "o", &path) > 0)
		job = get(bus, path, SYSTEMD ".Unit", "Job");
	if (job != NULL && sd_bus_message_read(job, "v", "(uo)", &id, &job_path) > 0 && id != 0)
		type = get(bus, job_path, SYSTEMD ".Job", "JobType");
	if (type != NULL && sd_bus_message_read(type, "v", "s", &word) <= 0)
		word = "";
	id = strcmp(word, "restart") == 0;
	sd_bus_message_unref(unit);
	sd_bus_message_unref(job);
	sd_bus_message_unref(type);
	return id != 0;
}
