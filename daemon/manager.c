// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Owns the daemon's parts and wires them: news from the gate goes to the sessions and to the bus. The way back, from the
 * sessions to the gate and to the bus, is in manager-calls.c. Called by main.c. Must not decide: session.c does.
 */
#include "manager.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bus.h"
#include "denial-later.h"
#include "manager-calls.h"
#include "manager-restart.h"
#include "mode.h"
#include "privilege.h"
#include "restart.h"
#include "store.h"
#include "util/log.h"
#include "util/macro.h"
#include "util/text.h"

/* A program whose denial was told to its user lately. */
struct told {
	uid_t uid;
	uint32_t kinds;
	uint64_t at;
	char exe[PROCESS_EXE_MAX + 1];
};

struct manager {
	struct service service;
	sd_event *event;
	struct scopes *scopes;
	struct vault *vault;
	struct store store;
	int kept_fd; /* the gate's socket that the store has; -1 */
	struct told told[BOUND_TOLD];
	unsigned int next_told;
	struct denial_later later;
	bool started;
};

/* ---- from the gate ----------------------------------------------------------------------------- */

/* The module loads enforcing; the administrator may have decided otherwise. */
static void apply_mode(struct service *service)
{
	int r;

	if (!service->permissive || gate_mode(service->gate) != GATE_PRESENT)
		return;
	r = gate_set_mode(service->gate, true);
	if (r < 0)
		log_event(LOG_EVENT_GATE_FAILED, LOG_NOBODY,
			  "The gate did not become permissive: %s; it enforces.", strerror(-r));
	else
		log_event(
			LOG_EVENT_GATE_PERMISSIVE, LOG_NOBODY,
			"The gate is permissive: captures outside calls are reported, not denied. "
			"'callgatectl enforce' shows them and ends that.");
}

/* So that the kernel obeys the next process, too, and this one can be started again in the middle of a call. */
static void keep_gate(struct manager *manager)
{
	int fd = gate_fd(manager->service.gate);

	if (fd == manager->kept_fd)
		return;
	if (manager->kept_fd >= 0)
		store_remove(STORE_GATE);
	if (fd >= 0)
		store_put(STORE_GATE, fd);
	manager->kept_fd = fd;
}

/* Their ends were not seen. */
static void count_lost(struct service *service)
{
	const struct capture *stream;

	LIST_FOREACH(stream, &service->captures.streams, all)
	metrics_stream_stopped(&service->metrics, stream, call_clock());
}

static void on_gate_changed(void *userdata)
{
	struct manager *manager = userdata;
	struct service *service = &manager->service;

	keep_gate(manager);

	if (gate_mode(service->gate) == GATE_ABSENT) {
		count_lost(service);
		usages_lost(&service->usages, false, call_clock());
		captures_clear(&service->captures);
	}
	if (!manager->started)
		return;
	/* One that was not there at the start. */
	if (gate_mode(service->gate) != GATE_ABSENT && privilege_bound() < 0)
		abort();
	apply_mode(service);
	calls_refresh(&service->calls);
	bus_sound_refresh(service);
}

static void on_forget(void *userdata)
{
	struct manager *manager = userdata;

	count_lost(&manager->service);
	usages_lost(&manager->service.usages, true, call_clock());
	captures_clear(&manager->service.captures);
}

/* Has this program's denial been told to its user lately? Remembers that it is now. */
static bool told_before(struct manager *manager, const struct capture *attempt, uint64_t now)
{
	struct told *told;

	for (unsigned int i = 0; i < BOUND_TOLD; i++) {
		told = &manager->told[i];
		if (told->at != 0 && now < told->at + BOUND_NOTIFY_SECONDS * SESSION_NS_PER_S &&
		    told->uid == attempt->who.uid && (attempt->kinds & ~told->kinds) == 0 &&
		    strcmp(told->exe, attempt->who.exe) == 0)
			return true;
	}
	told = &manager->told[manager->next_told++ % BOUND_TOLD];
	*told = (struct told){ .uid = attempt->who.uid, .kinds = attempt->kinds, .at = now };
	memcpy(told->exe, attempt->who.exe, sizeof(told->exe));
	return false;
}

static void on_denied(void *userdata, const struct capture *attempt)
{
	struct manager *manager = userdata;
	struct service *service = &manager->service;
	const struct capture_device *device = captures_device(&service->captures, attempt->device);
	char exe[PROCESS_EXE_MAX + 1], name[CAPTURE_NAME_MAX + 1], message[PROCESS_EXE_MAX + 256];
	bool permissive = gate_mode(service->gate) == GATE_PERMISSIVE;
	/* Brought back into its scope it is let in the next time that it tries, or now if it is held. */
	bool in_call = calls_follow(&service->calls, &attempt->who) != NULL;
	const struct dict_entry details[] = {
		DICT_TEXT("Executable", exe),
		DICT_U32("Pid", (uint32_t)attempt->who.pid),
		DICT_U32("Kinds", attempt->kinds),
		DICT_TEXT("Device", name),
	};

	if (manager->started)
		history_denied(&service->history, attempt);
	bus_send_denied(service, attempt, in_call);
	denial_note(&service->denials, attempt, (uint64_t)time(NULL));
	metrics_denied(&service->metrics, attempt);
	if (in_call || agent_of(&service->approvals, attempt->who.uid, POLICY_ASK_ALL) == NULL)
		return;
	if (told_before(manager, attempt, attempt->since != 0 ? attempt->since : call_clock()))
		return;
	text_show(exe, sizeof(exe), attempt->who.exe[0] != '\0' ? attempt->who.exe : "A program");
	text_show(name, sizeof(name), device != NULL ? device->name : "");
	snprintf(
		message, sizeof(message),
		permissive
			? "%s (process %d) uses the %s%s%s outside a call. It will be denied once Callgate enforces."
			: "%s (process %d) tried to use the %s%s%s outside a call and was denied. If that was you, make a "
			  "call with it: callgatectl call.",
		exe, attempt->who.pid, policy_kinds_name(attempt->kinds),
		name[0] != '\0' ? " " : "", name);
	approval_notify(&service->approvals, attempt->who.uid, "denied", message, details,
			ARRAY_SIZE(details));
}

static void on_request(void *userdata, const struct capture *attempt)
{
	struct manager *manager = userdata;
	struct service *service = &manager->service;
	struct call *call = calls_follow(&service->calls, &attempt->who);

	if (call != NULL) {
		call_hold(call, attempt->id, attempt->kinds);
		return;
	}
	gate_verdict(service->gate, attempt->id, false);
	denial_later_add(&manager->later, attempt);
}

static void refresh_session_of(struct service *service, uint64_t session)
{
	struct call *call = calls_by_id(&service->calls, session);

	if (call != NULL)
		call_touch(call);
}

static void on_stream_started(void *userdata, const struct capture *stream)
{
	struct manager *manager = userdata;
	struct service *service = &manager->service;

	if (captures_add_stream(&service->captures, stream) < 0)
		return;
	usages_started(&service->usages, stream);
	metrics_stream_started(&service->metrics, stream);
	bus_send_stream_started(service, stream);
	bus_sound_started(service, stream);
	refresh_session_of(service, stream->session);
}

static void on_stream_stopped(void *userdata, uint64_t id)
{
	struct manager *manager = userdata;
	struct service *service = &manager->service;
	const struct capture *stream = captures_stream(&service->captures, id);
	uint64_t session;

	if (stream == NULL)
		return;
	session = stream->session;
	usages_stopped(&service->usages, stream, call_clock());
	metrics_stream_stopped(&service->metrics, stream, call_clock());
	bus_send_stream_stopped(service, stream);
	captures_remove_stream(&service->captures, id);
	bus_sound_stopped(service);
	refresh_session_of(service, session);
}

static void on_device_added(void *userdata, const struct capture_device *device)
{
	struct manager *manager = userdata;

	if (captures_add_device(&manager->service.captures, device) == 0)
		bus_send_device_added(&manager->service, device);
}

static void on_device_removed(void *userdata, uint32_t device)
{
	struct manager *manager = userdata;

	if (captures_remove_device(&manager->service.captures, device))
		bus_send_device_removed(&manager->service, device);
}

static const struct gate_hooks gate_hooks = {
	.changed = on_gate_changed,
	.forget = on_forget,
	.request = on_request,
	.denied = on_denied,
	.stream_started = on_stream_started,
	.stream_stopped = on_stream_stopped,
	.device_added = on_device_added,
	.device_removed = on_device_removed,
};

/* ---- from logind -------------------------------------------------------------------------------- */

static void on_seats(void *userdata)
{
	struct service *service = userdata;

	calls_refresh(&service->calls);
}

/* ---- from the questions ------------------------------------------------------------------------- */

static void on_settled(void *userdata, enum question_result result, uint64_t ns)
{
	struct service *service = userdata;

	metrics_question(&service->metrics, result, ns);
}

/* ---- from the history ---------------------------------------------------------------------------- */

static void on_history(void *userdata, uid_t uid, const char *message)
{
	struct service *service = userdata;

	approval_notify(&service->approvals, uid, "history", message, NULL, 0);
}

/* ---- coming and going -------------------------------------------------------------------------- */

/* A group's number, given its name or number; -1: there is none. */
static gid_t find_group(const char *name)
{
	const struct group *group;
	unsigned long number;

	if (text_to_number(name, 1, UINT32_MAX - 1, &number))
		return (gid_t)number;
	group = getgrnam(name);
	return group != NULL ? group->gr_gid : (gid_t)-1;
}

/* The socket of the process before this one, where the service manager kept it. */
static void adopt_gate(struct manager *manager)
{
	int fd = store_take(&manager->store, STORE_GATE);

	if (fd < 0)
		return;
	manager->kept_fd = fd;
	if (gate_adopt(manager->service.gate, fd) >= 0)
		return;
	/* The module was loaded anew, say. While anybody has the old socket open a new one may not be obeyed. */
	manager->kept_fd = -1;
	store_remove(STORE_GATE);
	store_settle();
}

int manager_new(struct manager **ret_manager, sd_event *event, const struct policy *policy,
		const struct manager_files *files, struct scopes *scopes, struct vault *vault)
{
	struct manager *manager = calloc(1, sizeof(*manager));
	struct service *service;
	int r;

	if (manager == NULL) {
		scopes_free(scopes);
		return -ENOMEM;
	}
	service = &manager->service;
	manager->event = sd_event_ref(event);
	manager->scopes = scopes;
	manager->vault = vault;
	service->policy = *policy;
	service->config_file = files->config;
	service->rules_dir = files->rules;
	service->users.dir_fd = -1;
	service->agent_gid = find_group(policy->agent_group);
	if (service->agent_gid == (gid_t)-1)
		log_event(
			LOG_EVENT_NO_AGENTS, LOG_NOBODY,
			"There is no group %s: no agent can register, and nothing can be approved. "
			"Make the group and restart.",
			policy->agent_group);
	LIST_INIT(&service->confirms);
	LIST_INIT(&service->admins);
	LIST_INIT(&service->carries);
	LIST_INIT(&service->sounds);
	watchdog_init(&service->watchdog, event);
	captures_init(&service->captures);
	manager->kept_fd = -1;
	store_init(&manager->store);
	usages_init(&service->usages, &service->captures);
	metrics_init(&service->metrics);
	r = denial_later_init(&manager->later, event, on_denied, manager);
	if (r >= 0)
		r = bus_policy_load(service);
	if (r >= 0)
		r = gate_new(&service->gate, event, &gate_hooks, manager);
	if (r < 0) {
		manager_free(manager);
		return r;
	}
	adopt_gate(manager);
	gate_look(service->gate);
	if (!manager_has_gate(manager))
		log_event(
			LOG_EVENT_GATE_ABSENT, LOG_NOBODY,
			"The gate is absent: nothing is enforced here, and nothing will be granted. "
			"Load the module with 'modprobe callgate'.");
	*ret_manager = manager;
	return 0;
}

bool manager_has_gate(const struct manager *manager)
{
	return gate_mode(manager->service.gate) != GATE_ABSENT;
}

static int open_bus(struct service *service, sd_event *event)
{
	int r;

	r = sd_bus_open_system(&service->bus);
	if (r < 0) {
		fprintf(stderr, "callgated: the system bus cannot be reached: %s\n", strerror(-r));
		return r;
	}
	r = sd_bus_attach_event(service->bus, event, SD_EVENT_PRIORITY_NORMAL);
	if (r >= 0)
		r = sd_bus_set_exit_on_disconnect(service->bus, true);
	return r;
}

static int take_name(struct service *service)
{
	int r;

	r = bus_manager_register(service);
	if (r >= 0)
		r = bus_session_register(service);
	if (r >= 0)
		r = bus_device_register(service);
	if (r >= 0)
		r = bus_peer_register(service);
	if (r >= 0)
		r = bus_history_register(service);
	if (r >= 0)
		r = bus_sound_register(service);
	if (r >= 0)
		r = sd_bus_request_name(service->bus, BUS_NAME, 0);
	if (r == -EEXIST)
		fprintf(stderr, "callgated: another callgated has the name %s; end it first\n",
			BUS_NAME);
	else if (r == -EACCES || r == -EPERM)
		fprintf(stderr,
			"callgated: the bus does not allow this user to own %s; install "
			"/usr/share/dbus-1/system.d/org.callgate1.conf\n",
			BUS_NAME);
	else if (r < 0)
		fprintf(stderr, "callgated: %s cannot be offered on the bus: %s\n", BUS_NAME,
			strerror(-r));
	return r;
}

void manager_ready(const struct manager *manager)
{
	watchdog_ready(&manager->service.watchdog);
}

int manager_start(struct manager *manager, const char *state_dir)
{
	struct service *service = &manager->service;
	struct calls *calls = &service->calls;
	int r;

	r = users_init(&service->users, state_dir, manager->vault);
	if (r == -EWOULDBLOCK)
		fprintf(stderr, "callgated: another callgated uses %s; end it first\n", state_dir);
	else if (r < 0)
		fprintf(stderr, "callgated: %s: %s\n", state_dir, strerror(-r));
	if (r >= 0)
		r = vault_open(manager->vault, service->users.dir_fd,
			       !users_have_sealed(&service->users), false);
	if (r < 0)
		return r;
	r = open_bus(service, manager->event);
	if (r < 0)
		return r;
	watches_init(&service->watches, service->bus);
	approvals_init(&service->approvals, service->bus, &service->watches);
	service->approvals.settled = on_settled;
	service->approvals.userdata = service;
	listeners_init(&service->listeners, &service->watches);
	r = calls_init(calls, service->bus, manager->event, &manager_call_hooks, service);
	if (r < 0)
		return r;
	r = history_init(&service->history, manager->event, &service->policy, &service->users,
			 on_history, service);
	if (r < 0)
		return r;
	r = seats_init(&service->seats, service->bus, manager->event, on_seats, service);
	if (r < 0)
		return r;
	calls_set_policy(calls, &service->policy, service->rules);
	calls->approvals = &service->approvals;
	calls->watches = &service->watches;
	calls->users = &service->users;
	calls->scopes = manager->scopes;
	manager->started = true;
	service->permissive = mode_load(service->users.dir_fd);
	apply_mode(service);
	r = take_name(service);
	if (r < 0)
		return r;
	/* Not before the name is there: the sessions' owners take nothing from anybody else. */
	manager_take_over(service, &manager->store);
	return 0;
}

void manager_reload(struct manager *manager)
{
	struct config_error error;

	if (manager->started)
		bus_policy_reload(&manager->service, &error);
}

void manager_stop(struct manager *manager)
{
	struct service *service = &manager->service;

	if (!manager->started)
		return;
	denial_later_flush(&manager->later);
	if (service->calls.n_open > 0 && restart_is_asked(service->bus))
		manager_hand_over(service);
	calls_end_all(&service->calls, SESSION_END_SHUTDOWN);
	sd_bus_flush(service->bus);
}

struct manager *manager_free(struct manager *manager)
{
	struct service *service;

	if (manager == NULL)
		return NULL;
	service = &manager->service;
	if (manager->started) {
		manager_stop(manager);
		while (!LIST_EMPTY(&service->confirms))
			confirm_free(LIST_FIRST(&service->confirms));
		bus_admin_deinit(service);
		bus_sound_deinit(service);
		while (!LIST_EMPTY(&service->carries))
			carry_free(LIST_FIRST(&service->carries));
		calls_deinit(&service->calls);
		seats_deinit(&service->seats);
		usages_deinit(&service->usages);
		history_deinit(&service->history);
		listeners_deinit(&service->listeners);
		approvals_deinit(&service->approvals);
		watches_deinit(&service->watches);
	}
	gate_free(service->gate);
	denial_later_deinit(&manager->later);
	store_deinit(&manager->store);
	captures_clear(&service->captures);
	users_deinit(&service->users);
	sd_bus_flush_close_unref(service->bus);
	scopes_free(manager->scopes);
	rules_free(service->rules);
	sd_event_unref(manager->event);
	free(manager);
	return NULL;
}
