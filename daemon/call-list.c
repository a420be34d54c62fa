// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The sessions that there are, and those that have ended and are still in use by whoever is running: they are freed from the
 * event loop. Owns the lists and numbers. Called by call*.c, the bus objects and manager.c.
 */
#include "call.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "call-private.h"
#include "util/macro.h"

void call_enter(struct call *call)
{
	struct calls *calls = call->calls;

	LIST_INSERT_HEAD(&calls->all, call, all);
	LIST_INSERT_HEAD(&calls->by_id[call->id % CALL_BUCKETS], call, same_id);
	LIST_INSERT_HEAD(&calls->by_uid[call->uid % CALL_BUCKETS], call, same_uid);
	calls->n_open++;
}

void call_leave(struct call *call)
{
	LIST_REMOVE(call, all);
	LIST_REMOVE(call, same_id);
	LIST_REMOVE(call, same_uid);
	call->calls->n_open--;
}

void call_free(struct call *call)
{
	if (call->facts.end == SESSION_OPEN)
		call_leave(call);
	else
		LIST_REMOVE(call, all);
	question_cancel(call->question);
	channel_free(call->channel);
	scope_put(call->scope);
	sd_event_source_disable_unref(call->timer);
	sd_event_source_disable_unref(call->pidfd_source);
	watch_end(&call->watch);
	if (call->pidfd >= 0)
		close(call->pidfd);
	free(call->owner);
	free(call->groups);
	call->user->held--;
	free(call);
}

static int on_bury(sd_event_source *source, void *userdata)
{
	struct calls *calls = userdata;

	while (!LIST_EMPTY(&calls->dead))
		call_free(LIST_FIRST(&calls->dead));
	return 0;
}

int calls_init(struct calls *calls, sd_bus *bus, sd_event *event, const struct call_hooks *hooks,
	       void *userdata)
{
	int r;

	LIST_INIT(&calls->all);
	LIST_INIT(&calls->dead);
	for (unsigned int i = 0; i < CALL_BUCKETS; i++) {
		LIST_INIT(&calls->by_id[i]);
		LIST_INIT(&calls->by_uid[i]);
	}
	calls->n_open = 0;
	calls->generation = 0;
	calls->bus = bus;
	calls->event = event;
	calls->hooks = hooks;
	calls->userdata = userdata;
	/* Not from 1: the kernel may still hold grants of the daemon's earlier life. */
	crypto_random(&calls->next_id, sizeof(calls->next_id));
	r = sd_event_add_defer(event, &calls->bury, on_bury, calls);
	if (r < 0)
		return r;
	return sd_event_source_set_enabled(calls->bury, SD_EVENT_OFF);
}

void calls_deinit(struct calls *calls)
{
	on_bury(NULL, calls);
	while (!LIST_EMPTY(&calls->all))
		call_free(LIST_FIRST(&calls->all));
	calls->bury = sd_event_source_disable_unref(calls->bury);
}

struct call *calls_by_path(const struct calls *calls, const char *path)
{
	struct call *call;
	uint64_t id;

	if (strncmp(path, CALL_PATH_PREFIX, strlen(CALL_PATH_PREFIX)) != 0)
		return NULL;
	id = strtoull(path + strlen(CALL_PATH_PREFIX), NULL, 16);
	call = calls_by_id(calls, id);
	/* A number has other spellings. */
	return call != NULL && strcmp(call->path, path) == 0 ? call : NULL;
}

struct call *calls_by_id(const struct calls *calls, uint64_t id)
{
	struct call *call;

	LIST_FOREACH(call, &calls->by_id[id % CALL_BUCKETS], same_id)
	if (call->id == id)
		return call;
	return NULL;
}

struct call *calls_by_image(const struct calls *calls, const struct process_facts *who)
{
	struct call *call;

	CALL_FOREACH_OF(call, calls, who->uid)
	{
		if (call->uid != who->uid || !call->subject.proven)
			continue;
		if (call->scope != NULL
			    ? scope_id(call->scope) == who->cgroup
			    : call->subject.pid == who->pid && call->subject.cookie == who->cookie)
			return call;
	}
	return NULL;
}
