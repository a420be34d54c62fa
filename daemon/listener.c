// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Connections that subscribed to their user's events, each until its name
 * vanishes. Must not send anything: bus-event.c does, to these and to agents.
 */
#include "listener.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bounds.h"

void listeners_init(struct listeners *listeners, struct watches *watches)
{
	LIST_INIT(&listeners->all);
	listeners->watches = watches;
}

static void drop(struct listener *listener)
{
	LIST_REMOVE(listener, all);
	watch_end(&listener->watch);
	free(listener->name);
	free(listener);
}

void listeners_deinit(struct listeners *listeners)
{
	while (!LIST_EMPTY(&listeners->all))
		drop(LIST_FIRST(&listeners->all));
}

static void on_gone(void *userdata)
{
	drop(userdata);
}

static struct listener *find(struct listeners *listeners, const char *name)
{
	struct listener *listener;

	LIST_FOREACH(listener, &listeners->all, all)
	if (strcmp(listener->name, name) == 0)
		return listener;
	return NULL;
}

int listener_add(struct listeners *listeners, uid_t uid, const char *name)
{
	struct listener *listener;
	unsigned int count = 0;
	int r;

	if (find(listeners, name) != NULL)
		return 0;
	LIST_FOREACH(listener, &listeners->all, all)
	count += listener->uid == uid;
	if (count >= BOUND_SUBSCRIPTIONS_UID)
		return -ENOSPC;
	listener = calloc(1, sizeof(*listener));
	if (listener == NULL)
		return -ENOMEM;
	LIST_INSERT_HEAD(&listeners->all, listener, all);
	listener->uid = uid;
	listener->name = strdup(name);
	r = listener->name != NULL ? 0 : -ENOMEM;
	if (r >= 0)
		r = watch_begin(listeners->watches, &listener->watch, name, on_gone, listener);
	if (r < 0) {
		drop(listener);
		return r;
	}
	return 0;
}

void listener_remove(struct listeners *listeners, const char *name)
{
	struct listener *listener = find(listeners, name);

	if (listener != NULL)
		drop(listener);
}
