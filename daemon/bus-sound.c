// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * org.callgate1.Sound: for a sound server, of which the kernel sees one process
 * where there are many clients. callgate-pipewire, one for each user, says which
 * process a client is and for which kinds it is linked; this file says what that
 * process may, as the kernel would, and grants the same to the server for as
 * long. Called by manager.c. Must not decide who may: that is what a session holds.
 *
 * Security: what a caller says only ever picks among what the user's own live
 * sessions hold at that moment. A server's grant is of the session, so that it
 * ends with it, and of kinds that some linked client of that session may capture.
 * A program that could name any process as the server would capture by way of it
 * in every call: both have to be the programs that the configuration names.
 */
#include "bus-sound-private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/log.h"
#include "util/macro.h"
#include "util/text.h"

/* ---- what the kernel holds ---------------------------------------------------------------------- */

static struct sound_grant *find_grant(struct sound *sound, uint64_t session)
{
	struct sound_grant *grant;

	LIST_FOREACH(grant, &sound->grants, all)
	if (grant->session == session)
		return grant;
	return NULL;
}

static void forget_grant(struct sound_grant *grant)
{
	LIST_REMOVE(grant, all);
	free(grant);
}

/* Ends what the server may by this session, and what runs by it. */
static void end_grant(struct sound *sound, struct sound_grant *grant)
{
	int r = gate_revoke_grant(sound->service->gate, grant->id);

	if (r < 0 && r != -ENODEV)
		log_event(
			LOG_EVENT_GATE_FAILED, LOG_NOBODY,
			"The gate did not end a sound server's capture at once: %s; it ends at its deadline.",
			strerror(-r));
	forget_grant(grant);
}

void sound_end_grants(struct sound *sound)
{
	while (!LIST_EMPTY(&sound->grants))
		end_grant(sound, LIST_FIRST(&sound->grants));
}

static uint32_t kinds_used(const struct sound *sound, uint64_t session)
{
	struct sound_client *client;
	uint32_t kinds = 0;

	if (sound->tripped)
		return 0;
	LIST_FOREACH(client, &sound->clients, all)
	if (client->session == session)
		kinds |= client->used & client->kinds;
	return kinds;
}

/* Makes the gate hold for the server what its linked clients of this session may. @kinds: @until: of the session. */
static int apply(struct sound *sound, uint64_t session, uint32_t kinds, uint64_t until)
{
	struct sound_grant *grant = find_grant(sound, session);
	const struct gate_grant order = {
		.session = session,
		.cgroup_fd = -1,
		.who = &sound->server,
		.kinds = kinds_used(sound, session) & kinds & POLICY_KIND_DEVICES,
		.deadline = until,
	};
	int r;

	if (order.kinds == 0) {
		if (grant != NULL)
			end_grant(sound, grant);
		return 0;
	}
	if (grant == NULL) {
		grant = calloc(1, sizeof(*grant));
		if (grant == NULL)
			return -ENOMEM;
		grant->session = session;
		LIST_INSERT_HEAD(&sound->grants, grant, all);
	}
	r = gate_grant(sound->service->gate, &order, &grant->id);
	if (r < 0) {
		/* What is still allowed ends at its deadline, what is not any more ends now. */
		if (grant->kinds == 0)
			forget_grant(grant);
		else if ((grant->kinds & ~order.kinds) != 0)
			end_grant(sound, grant);
		return r;
	}
	grant->kinds = order.kinds;
	return 0;
}

/* ---- what a process may -------------------------------------------------------------------------- */

static int ask_gate(void *userdata, pid_t pid, struct process_facts *ret_facts)
{
	struct service *service = userdata;

	return gate_identify(service->gate, pid, ret_facts);
}

int sound_identify(const struct sound *sound, const struct sound_client *client,
		   struct process_facts *ret_facts)
{
	const struct process_source source = { .identify = ask_gate, .userdata = sound->service };
	int r = process_identify(&source, client->pidfd, ret_facts);

	return r == 0 && (!ret_facts->proven || ret_facts->uid != sound->uid) ? -ESRCH : r;
}

/* The process may have called exec, or be in another control group. */
static struct call *session_of(const struct sound *sound, const struct sound_client *client)
{
	struct process_facts facts;

	if (sound_identify(sound, client, &facts) < 0)
		return NULL;
	return calls_follow(&sound->service->calls, &facts);
}

static uint32_t look(const struct sound *sound, const struct sound_client *client,
		     uint64_t *ret_session)
{
	struct call *call;

	*ret_session = 0;
	if (sound->tripped)
		return 0;
	switch (gate_mode(sound->service->gate)) {
	case GATE_ABSENT:
		return 0;
	case GATE_PERMISSIVE:
		/* Nothing is denied there, and a sound server's clients are no exception. */
		return POLICY_KIND_ALL;
	case GATE_PRESENT:
		break;
	}
	call = session_of(sound, client);
	if (call == NULL || call->granted_until <= call_clock())
		return 0;
	*ret_session = call->id;
	return call->granted;
}

static void send_changed(struct sound *sound, const struct sound_client *client)
{
	sd_bus_message *m = NULL;

	if (sd_bus_message_new_signal(sound->service->bus, &m, BUS_PATH, BUS_SOUND, "Changed") >=
		    0 &&
	    sd_bus_message_append(m, "uu", client->id, client->kinds) >= 0 &&
	    sd_bus_message_set_destination(m, sound->name) >= 0)
		sd_bus_send(sound->service->bus, m, NULL);
	sd_bus_message_unref(m);
}

void sound_refresh(struct sound *sound)
{
	struct sound_client *client;
	uint64_t session;
	uint32_t kinds;

	LIST_FOREACH(client, &sound->clients, all)
	{
		kinds = look(sound, client, &session);
		client->session = session;
		if (kinds == client->kinds) {
			sound_hear(sound, client);
			continue;
		}
		client->kinds = kinds;
		client->used &= kinds;
		sound_hear(sound, client);
		send_changed(sound, client);
	}
}

void bus_sound_refresh(struct service *service)
{
	struct sound *sound;

	LIST_FOREACH(sound, &service->sounds, all)
	sound_refresh(sound);
}

void bus_sound_granted(struct service *service, const struct call *call, uint32_t kinds,
		       uint64_t until)
{
	struct sound *sound;
	int r;

	LIST_FOREACH(sound, &service->sounds, all)
	{
		if (sound->uid != call->uid)
			continue;
		r = apply(sound, call->id, kinds, until);
		if (r < 0 && r != -ESRCH && r != -EAGAIN)
			log_event(LOG_EVENT_GATE_FAILED, LOG_NOBODY,
				  "The gate refused a sound server: %s", strerror(-r));
	}
}

void bus_sound_revoked(struct service *service, uint64_t session)
{
	struct sound_grant *grant;
	struct sound *sound;

	LIST_FOREACH(sound, &service->sounds, all)
	{
		grant = find_grant(sound, session);
		if (grant != NULL)
			forget_grant(grant);
	}
}

/* After a client is linked for less: what no client of its session is linked for ends. */
static int settle(struct sound *sound, uint64_t session)
{
	struct call *call = calls_by_id(&sound->service->calls, session);

	if (call == NULL || call->granted == 0)
		return 0;
	return apply(sound, session, call->granted, call->granted_until);
}

void bus_sound_started(struct service *service, const struct capture *stream)
{
	struct sound *sound;

	LIST_FOREACH(sound, &service->sounds, all)
	{
		if (sound->server.pid != stream->who.pid ||
		    sound->server.cookie != stream->who.cookie)
			continue;
		/* A capture that began in the moment in which its last client went: the grant and the links agree again. */
		settle(sound, stream->session);
		sound_agree(sound);
	}
}

void bus_sound_stopped(struct service *service)
{
	struct sound *sound;

	LIST_FOREACH(sound, &service->sounds, all)
	sound_agree(sound);
}

/* ---- coming and going ---------------------------------------------------------------------------- */

static void drop_client(struct sound *sound, struct sound_client *client)
{
	client->used = 0;
	sound_hear(sound, client);
	LIST_REMOVE(client, all);
	sound->n_clients--;
	close(client->pidfd);
	free(client);
}

static void drop(struct sound *sound)
{
	while (!LIST_EMPTY(&sound->clients))
		drop_client(sound, LIST_FIRST(&sound->clients));
	sound_end_grants(sound);
	sd_event_source_disable_unref(sound->doubt);
	LIST_REMOVE(sound, all);
	watch_end(&sound->watch);
	free(sound->name);
	free(sound);
}

static void on_gone(void *userdata)
{
	drop(userdata);
}

void bus_sound_deinit(struct service *service)
{
	while (!LIST_EMPTY(&service->sounds))
		drop(LIST_FIRST(&service->sounds));
}

/* ---- methods ------------------------------------------------------------------------------------- */

static int refused(sd_bus_error *error, enum refusal_name name, const char *why)
{
	struct refusal refusal;

	refuse(&refusal, name, "%s", why);
	return bus_refused(error, &refusal);
}

/* The process behind a pidfd, if it is the user's. */
static int identify(struct service *service, uid_t uid, int pidfd, struct process_facts *ret_facts,
		    sd_bus_error *error)
{
	const struct process_source source = { .identify = ask_gate, .userdata = service };
	int r = process_identify(&source, pidfd, ret_facts);

	if (r == -EBADF)
		return refused(error, REFUSAL_BAD_ARGUMENT, "The process has to be a pidfd.");
	if (r < 0 || ret_facts->uid != uid)
		return refused(error, REFUSAL_NOT_FOUND,
			       "You have no such process, or it has ended.");
	return 0;
}

/* By the kernel's word, and nobody but root can have put something else there. */
static bool is_program(const struct process_facts *facts, const char *path)
{
	return facts->proven && strcmp(facts->exe, path) == 0 && process_root_owned(path) == 1;
}

static int method_attach(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct service *service = userdata;
	struct process_facts program, server;
	struct bus_caller caller;
	struct sound *sound;
	int r, pidfd;

	r = sd_bus_message_read(m, "h", &pidfd);
	if (r < 0)
		return r;
	r = bus_caller(service, m, &caller);
	if (r < 0)
		return bus_failed(error, r);
	gate_look(service->gate);
	r = bus_caller_facts(service, &caller, &program);
	if (r < 0 || !is_program(&program, service->policy.sound_manager))
		return refused(
			error, REFUSAL_NOT_ALLOWED,
			"Where the gate is, and only there, one program may manage a sound server: the one that "
			"[sound] manager names, which is callgate-pipewire, as installed by root. Look with "
			"'callgatectl status' whether the gate is there.");
	r = identify(service, caller.uid, pidfd, &server, error);
	if (r < 0)
		return r;
	if (!is_program(&server, service->policy.sound_server))
		return refused(
			error, REFUSAL_NOT_ALLOWED,
			"The sound server has to be the program that [sound] server names, as installed by "
			"root.");
	LIST_FOREACH(sound, &service->sounds, all)
	if (sound->uid == caller.uid)
		return refused(
			error, REFUSAL_EXISTS,
			"Another callgate-pipewire of yours is there already; end it first.");
	sound = calloc(1, sizeof(*sound));
	if (sound == NULL)
		return bus_failed(error, -ENOMEM);
	LIST_INSERT_HEAD(&service->sounds, sound, all);
	sound->service = service;
	sound->uid = caller.uid;
	sound->server = server;
	sound->name = strdup(sd_bus_message_get_sender(m));
	r = sound->name != NULL
		    ? watch_begin(&service->watches, &sound->watch, sound->name, on_gone, sound)
		    : -ENOMEM;
	if (r < 0) {
		drop(sound);
		return bus_failed(error, r);
	}
	return sd_bus_reply_method_return(m, NULL);
}

/* The server that the sender manages. 0; otherwise the method's result. */
static int find_sound(struct service *service, sd_bus_message *m, struct sound **ret_sound,
		      sd_bus_error *error)
{
	const char *sender = sd_bus_message_get_sender(m);
	struct sound *sound;

	LIST_FOREACH(sound, &service->sounds, all)
	{
		if (sender == NULL || strcmp(sound->name, sender) != 0)
			continue;
		*ret_sound = sound;
		return 0;
	}
	return refused(error, REFUSAL_NOT_OWNER,
		       "Only who called Attach may say anything of a sound server.");
}

static int find_client(struct service *service, sd_bus_message *m, uint32_t id,
		       struct sound **ret_sound, struct sound_client **ret_client,
		       sd_bus_error *error)
{
	struct sound *sound = NULL;
	struct sound_client *client;
	int r = find_sound(service, m, &sound, error);

	if (r < 0)
		return r;
	LIST_FOREACH(client, &sound->clients, all)
	{
		if (client->id != id)
			continue;
		*ret_sound = sound;
		*ret_client = client;
		return 0;
	}
	return bus_not_found(error);
}

static int method_watch(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct service *service = userdata;
	struct sound *sound = NULL;
	struct process_facts facts;
	struct sound_client *client;
	int r, pidfd;

	r = sd_bus_message_read(m, "h", &pidfd);
	if (r >= 0)
		r = find_sound(service, m, &sound, error);
	if (r < 0)
		return r;
	r = identify(service, sound->uid, pidfd, &facts, error);
	if (r < 0)
		return r;
	if (sound->n_clients >= BOUND_SOUND_CLIENTS)
		return refused(error, REFUSAL_LIMIT, "The sound server has too many clients.");
	client = calloc(1, sizeof(*client));
	if (client == NULL)
		return bus_failed(error, -ENOMEM);
	client->pidfd = fcntl(pidfd, F_DUPFD_CLOEXEC, 3);
	if (client->pidfd < 0) {
		r = -errno;
		free(client);
		return bus_failed(error, r);
	}
	client->id = ++sound->next_id;
	LIST_INSERT_HEAD(&sound->clients, client, all);
	sound->n_clients++;
	client->kinds = look(sound, client, &client->session);
	return sd_bus_reply_method_return(m, "uu", client->id, client->kinds);
}

static int method_unwatch(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct sound_client *client = NULL;
	struct sound *sound = NULL;
	uint64_t session;
	uint32_t id;
	int r;

	r = sd_bus_message_read(m, "u", &id);
	if (r >= 0)
		r = find_client(userdata, m, id, &sound, &client, error);
	if (r < 0)
		return r;
	session = client->session;
	drop_client(sound, client);
	settle(sound, session);
	return sd_bus_reply_method_return(m, NULL);
}

static int method_use(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct sound_client *client = NULL;
	struct sound *sound = NULL;
	uint32_t id, kinds;
	int r;

	r = sd_bus_message_read(m, "uu", &id, &kinds);
	if (r >= 0)
		r = find_client(userdata, m, id, &sound, &client, error);
	if (r < 0)
		return r;
	sound_refresh(sound);
	client->used = kinds & client->kinds;
	r = settle(sound, client->session);
	if (r < 0)
		client->used = 0;
	sound_hear(sound, client);
	if (r < 0)
		return bus_failed(error, r);
	return sd_bus_reply_method_return(m, "u", client->used);
}

static int method_intruder(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct sound *sound = NULL;
	char shown[PROCESS_EXE_MAX + 1];
	const char *who;
	uint32_t kinds;
	int r;

	r = sd_bus_message_read(m, "su", &who, &kinds);
	if (r >= 0)
		r = find_sound(userdata, m, &sound, error);
	if (r < 0)
		return r;
	text_show(shown, sizeof(shown), who);
	if (!sound->tripped)
		sound_trip(sound, shown, "got at", kinds);
	return sd_bus_reply_method_return(m, NULL);
}

static int method_linked(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	uint32_t linked[SOUND_DEVICES];
	struct sound *sound = NULL;
	int r;

	r = sd_bus_message_read(m, "uu", &linked[0], &linked[1]);
	if (r >= 0)
		r = find_sound(userdata, m, &sound, error);
	if (r < 0)
		return r;
	memcpy(sound->linked, linked, sizeof(sound->linked));
	sound_agree(sound);
	return sd_bus_reply_method_return(m, NULL);
}

static const sd_bus_vtable sound_vtable[] = {
	SD_BUS_VTABLE_START(0),
	NO_RESULT("Attach", ("h", server), method_attach),
	METHOD("Watch", ("h", client), ("u", id, "u", kinds), method_watch),
	NO_RESULT("Unwatch", ("u", id), method_unwatch),
	METHOD("Use", ("u", id, "u", kinds), ("u", granted), method_use),
	NO_RESULT("Linked", ("u", microphones, "u", cameras), method_linked),
	NO_RESULT("Intruder", ("s", who, "u", kinds), method_intruder),
	SD_BUS_SIGNAL_WITH_ARGS("Changed", SD_BUS_ARGS("u", id, "u", kinds), 0),
	SD_BUS_VTABLE_END,
};

int bus_sound_register(struct service *service)
{
	return sd_bus_add_object_vtable(service->bus, NULL, BUS_PATH, BUS_SOUND, sound_vtable,
					service);
}
