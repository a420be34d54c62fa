// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Who waits for the end of which connection. Must not know why. Called by
 * sessions, agents and subscriptions, each of which ends with its connection.
 *
 * One match rule for all of them, and only while there is any: the bus allows
 * 512 rules to a connection and closes it at the next one's failure, so that a
 * rule for each name would let some users end the service for everybody.
 */
#include "watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void watches_init(struct watches *watches, sd_bus *bus)
{
	*watches = (struct watches){ .bus = bus };
}

void watches_deinit(struct watches *watches)
{
	watches->slot = sd_bus_slot_unref(watches->slot);
}

/* The end of a unique name: ":1.234". The digits after the point are the better part of it. */
static unsigned int bucket(const char *name)
{
	unsigned int hash = 0;

	while (*name != '\0')
		hash = hash * 31 + (unsigned char)*name++;
	return hash % WATCH_BUCKETS;
}

static struct watch *find(struct watches *watches, const char *name)
{
	struct watch *watch;

	LIST_FOREACH(watch, &watches->by_name[bucket(name)], same)
	if (strcmp(watch->name, name) == 0)
		return watch;
	return NULL;
}

static int on_owner_changed(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct watches *watches = userdata;
	const char *name, *old, *new;
	struct watch *watch;
	int r;

	r = sd_bus_message_read(m, "sss", &name, &old, &new);
	if (r < 0 || *new != '\0')
		return 0;
	/* Whoever is told may end the waiting of others, and begin some: look anew each time. */
	while ((watch = find(watches, name)) != NULL) {
		void (*gone)(void *userdata) = watch->gone;
		void *whose = watch->userdata;

		watch_end(watch);
		gone(whose);
	}
	return 0;
}

static int listen(struct watches *watches)
{
	if (watches->slot != NULL)
		return 0;
	return sd_bus_add_match(
		watches->bus, &watches->slot,
		"type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',"
		"interface='org.freedesktop.DBus',member='NameOwnerChanged',arg2=''",
		on_owner_changed, watches);
}

int watch_begin(struct watches *watches, struct watch *watch, const char *name,
		void (*gone)(void *userdata), void *userdata)
{
	int r;

	if (strlen(name) > WATCH_NAME_MAX)
		return -EINVAL;
	r = listen(watches);
	if (r < 0)
		return r;
	*watch = (struct watch){
		.watches = watches, .gone = gone, .userdata = userdata, .name = strdup(name)
	};
	if (watch->name == NULL) {
		watch->watches = NULL;
		return -ENOMEM;
	}
	LIST_INSERT_HEAD(&watches->by_name[bucket(name)], watch, same);
	watches->n++;
	/* It may have ended before anybody listened. */
	r = sd_bus_get_name_creds(watches->bus, name, 0, NULL);
	if (r < 0)
		watch_end(watch);
	return r < 0 ? r : 0;
}

void watch_end(struct watch *watch)
{
	struct watches *watches = watch->watches;

	if (watches == NULL)
		return;
	LIST_REMOVE(watch, same);
	free(watch->name);
	*watch = (struct watch){ 0 };
	if (--watches->n == 0)
		watches->slot = sd_bus_slot_unref(watches->slot);
}
