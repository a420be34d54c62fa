// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the sessions tell and ask: to the gate, the bus, the history and the counters. Owns nothing. Called by call*.c through
 * the hooks that manager.c gives them. Must not decide: session.c does.
 */
#include "manager-calls.h"

#include <errno.h>
#include <string.h>

#include "util/log.h"
#include "util/macro.h"

static void on_added(void *userdata, struct call *call)
{
	struct service *service = userdata;

	metrics_session_began(&service->metrics, call->app, call->incoming);
	call->usage = usage_new(&service->usages, call->id, call->uid,
				gate_mode(service->gate) != GATE_ABSENT, call_clock());
	watchdog_hold(&service->watchdog);
	bus_send_session_added(service, call);
}

/* At the end, for the user: what captured while it lasted, here and, by its own word, at the other end. */
static void tell_programs(struct service *service, struct call *call)
{
	const struct dict_entry details[] = {
		DICT_OBJECT("Session", call->path),
		DICT_TEXT("Contact", call->contact),
	};
	struct channel_programs programs, *peer = NULL;
	char message[4096];

	if (call->usage == NULL || (!call->facts.confirmed && call->usage->n == 0))
		return;
	if (call->channel != NULL && channel_peer_programs(call->channel, &programs))
		peer = &programs;
	bus_send_programs(service, call, peer);
	if (call->facts.local)
		return;
	usage_text(call->usage, call_clock(), call->contact, peer, message, sizeof(message));
	approval_notify(&service->approvals, call->uid, "programs", message, details,
			ARRAY_SIZE(details));
}

static void on_removed(void *userdata, struct call *call)
{
	struct service *service = userdata;

	metrics_session_ended(&service->metrics, call->facts.end, call_clock() - call->began);
	tell_programs(service, call);
	history_session_removed(&service->history, call);
	call->usage = usage_free(call->usage);
	watchdog_release(&service->watchdog);
	bus_sound_refresh(service);
	bus_send_session_removed(service, call);
}

static void on_changed(void *userdata, struct call *call)
{
	struct service *service = userdata;

	history_session_changed(call);
	bus_sound_refresh(service);
	bus_send_session_changed(service, call);
}

static void on_blob(void *userdata, struct call *call, const void *blob, size_t len)
{
	bus_send_blob(userdata, call, blob, len);
}

static int ask_gate(void *userdata, pid_t pid, struct process_facts *ret_facts)
{
	struct service *service = userdata;

	return gate_identify(service->gate, pid, ret_facts);
}

static int on_identify(void *userdata, int pidfd, struct process_facts *ret_facts)
{
	const struct process_source source = { .identify = ask_gate, .userdata = userdata };
	struct service *service = userdata;

	/* The module may have been loaded since, and the news of it lost. */
	gate_look(service->gate);
	return process_identify(&source, pidfd, ret_facts);
}

static bool on_gate(void *userdata)
{
	struct service *service = userdata;

	return gate_mode(service->gate) != GATE_ABSENT;
}

/* Of a session that has nothing which the kernel knows, the kernel does not say that its subject is another now. */
static int check_subject(struct service *service, const struct call *call)
{
	struct process_facts facts;
	int r = on_identify(service, call->pidfd, &facts);

	if (r < 0)
		return r;
	return call->scope != NULL || facts.cookie == call->subject.cookie ? 0 : -ESRCH;
}

static int on_grant(void *userdata, struct call *call, uint32_t kinds, uint64_t deadline)
{
	struct service *service = userdata;
	const struct gate_grant grant = {
		.session = call->id,
		.cgroup_fd = call->scope != NULL ? scope_fd(call->scope) : -1,
		.who = &call->subject,
		.kinds = kinds & POLICY_KIND_DEVICES,
		.deadline = deadline,
	};
	int r;

	call_follow(call);
	if (grant.kinds != 0) {
		r = gate_grant(service->gate, &grant, NULL);
		service->metrics.grants[r < 0]++;
	} else {
		r = (call->granted & POLICY_KIND_DEVICES) != 0
			    ? gate_revoke(service->gate, call->id)
			    : 0;
		if (r == 0)
			r = check_subject(service, call);
	}
	if (r == 0)
		bus_sound_granted(service, call, kinds, deadline);
	return r;
}

static void on_revoke(void *userdata, struct call *call)
{
	struct service *service = userdata;
	int r = gate_revoke(service->gate, call->id);

	bus_sound_revoked(service, call->id);
	if (r < 0 && r != -ENODEV)
		log_event(LOG_EVENT_GATE_FAILED, LOG_NOBODY,
			  "The gate did not end a session at once: %s; it ends at its deadline.",
			  strerror(-r));
}

static void on_verdict(void *userdata, uint64_t request, bool allow)
{
	struct service *service = userdata;

	gate_verdict(service->gate, request, allow);
}

static uint32_t on_captured(void *userdata, struct call *call)
{
	const struct service *service = userdata;

	return captures_of_session(&service->captures, call->id);
}

static bool on_away(void *userdata, uid_t uid)
{
	struct service *service = userdata;

	return seats_away(&service->seats, uid);
}

static bool on_locked(void *userdata, uid_t uid)
{
	const struct service *service = userdata;

	return seats_locked(&service->seats, uid);
}

const struct call_hooks manager_call_hooks = {
	.added = on_added,
	.removed = on_removed,
	.changed = on_changed,
	.blob = on_blob,
	.identify = on_identify,
	.gate = on_gate,
	.grant = on_grant,
	.revoke = on_revoke,
	.verdict = on_verdict,
	.captured = on_captured,
	.away = on_away,
	.locked = on_locked,
};
