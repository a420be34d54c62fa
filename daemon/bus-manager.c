// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * org.callgate1.Manager. Registered by manager.c. A handler parses, finds out
 * who calls, calls one function of the core, replies.
 *
 * Security: everything is done for the caller's own uid, as the bus knows it;
 * there is no argument that names another user.
 */
#include "bus.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util/macro.h"
#include "version.h"

/* ---- sessions ---------------------------------------------------------------------------------- */

/* The process behind the connection: by pidfd, so that the number is it throughout. */
int bus_caller_facts(struct service *service, const struct bus_caller *caller,
		     struct process_facts *ret_facts)
{
	_cleanup_close_ int pidfd = (int)syscall(SYS_pidfd_open, caller->pid, 0);
	int r;

	if (pidfd < 0)
		return -errno;
	r = service->calls.hooks->identify(service->calls.userdata, pidfd, ret_facts);
	if (r < 0)
		return r;
	return ret_facts->uid == caller->uid ? 0 : -EPERM;
}

int bus_read_options(sd_bus_message *m, const struct dict_flag *flags, size_t n,
		     sd_bus_error *error)
{
	struct refusal refusal;
	char bad[64] = "";
	int r = dict_read_flags(m, flags, n, bad, sizeof(bad));

	if (r != -EINVAL)
		return r;
	refuse(&refusal, REFUSAL_BAD_ARGUMENT,
	       "The option '%s' is not known or has the wrong type.", bad);
	return bus_refused(error, &refusal);
}

static int add_session(struct service *service, sd_bus_message *m, struct call_request *request,
		       sd_bus_error *error)
{
	const struct dict_flag flags[] = { { "scope", &request->scope },
					   { "tell-programs", &request->tells } };
	const size_t n_flags = request->local ? 1 : ARRAY_SIZE(flags);
	struct process_facts facts;
	struct bus_caller caller;
	struct refusal refusal;
	struct call *call;
	int r;

	r = request->local ? 0 : sd_bus_message_read(m, "s", &request->contact);
	if (r >= 0)
		r = sd_bus_message_read(m, "uh", &request->kinds, &request->pidfd);
	if (r >= 0)
		r = bus_read_options(m, flags, n_flags, error);
	if (r < 0)
		return r;
	r = bus_caller(service, m, &caller);
	if (r < 0)
		return bus_failed(error, r);
	r = bus_caller_facts(service, &caller, &facts);
	if (r == -ESRCH || r == -EPERM) {
		refuse(&refusal, REFUSAL_NOT_ALLOWED,
		       "The service cannot see who makes the call; make it from a process of this machine that "
		       "did not change its user.");
		return bus_refused(error, &refusal);
	}
	if (r < 0)
		return bus_failed(error, r);
	request->uid = caller.uid;
	request->owner = sd_bus_message_get_sender(m);
	request->owner_facts = &facts;
	request->groups = caller.groups;
	request->n_groups = caller.n_groups;
	r = history_check(&service->history, caller.uid, &refusal);
	if (r == 0)
		r = calls_add(&service->calls, request, &call, &refusal);
	if (r != 0)
		service->metrics.refused++;
	if (r > 0)
		return bus_refused(error, &refusal);
	return r < 0 ? bus_failed(error, r) : sd_bus_reply_method_return(m, "o", call->path);
}

static int method_create_session(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct call_request request = { .init = NULL };

	return add_session(userdata, m, &request, error);
}

static int method_accept_session(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct call_request request = { .scope = false };
	int r = sd_bus_message_read_array(m, 'y', &request.init, &request.init_len);

	if (r < 0)
		return r;
	if (request.init == NULL)
		request.init = "";
	return add_session(userdata, m, &request, error);
}

static int method_create_local(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct call_request request = { .local = true };

	return add_session(userdata, m, &request, error);
}

/* ---- lists ------------------------------------------------------------------------------------- */

static int append_object(sd_bus_message *reply, const char *path, const struct dict_entry *entries,
			 size_t n)
{
	int r = sd_bus_message_open_container(reply, 'r', "oa{sv}");

	if (r >= 0)
		r = sd_bus_message_append(reply, "o", path);
	if (r >= 0)
		r = dict_append(reply, entries, n);
	return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int list_sessions(struct service *service, uid_t uid, sd_bus_message *reply)
{
	struct bus_session_view view;
	struct call *call;
	int r = sd_bus_message_open_container(reply, 'a', "(oa{sv})");

	LIST_FOREACH(call, &service->calls.all, all)
	{
		if (r < 0)
			return r;
		if (call->uid != uid)
			continue;
		bus_session_view(call, &view);
		r = append_object(reply, call->path, view.entries, BUS_SESSION_ENTRIES);
	}
	return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int list_devices(struct service *service, uid_t uid, sd_bus_message *reply)
{
	struct capture_device *device;
	struct bus_device_view view;
	int r = sd_bus_message_open_container(reply, 'a', "(oa{sv})");

	LIST_FOREACH(device, &service->captures.devices, all)
	{
		if (r < 0)
			return r;
		bus_device_view(service, device, &view);
		r = append_object(reply, view.path, view.entries, BUS_DEVICE_ENTRIES);
	}
	return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int list_peers(struct service *service, uid_t uid, sd_bus_message *reply)
{
	struct user *user;
	int r = user_get(&service->users, uid, &user);

	return r < 0 ? r : bus_peer_list(user, reply);
}

static int list_streams(struct service *service, uid_t uid, sd_bus_message *reply)
{
	struct bus_stream_view view;
	struct capture *stream;
	int r = sd_bus_message_open_container(reply, 'a', "a{sv}");

	LIST_FOREACH(stream, &service->captures.streams, all)
	{
		if (r < 0)
			return r;
		bus_stream_view(service, stream, stream->who.uid == uid, &view);
		r = dict_append(reply, view.entries, view.n);
	}
	return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int reply_list(sd_bus_message *m, struct service *service, sd_bus_error *error,
		      int (*list)(struct service *, uid_t, sd_bus_message *))
{
	sd_bus_message *reply = NULL;
	uid_t uid;
	int r;

	r = bus_caller_uid(service, m, &uid);
	if (r >= 0)
		r = sd_bus_message_new_method_return(m, &reply);
	if (r >= 0)
		r = list(service, uid, reply);
	if (r >= 0)
		r = sd_bus_send(service->bus, reply, NULL);
	sd_bus_message_unref(reply);
	return r < 0 ? bus_failed(error, r) : 1;
}

static int method_list_sessions(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	return reply_list(m, userdata, error, list_sessions);
}

static int method_list_devices(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	return reply_list(m, userdata, error, list_devices);
}

static int method_list_peers(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	return reply_list(m, userdata, error, list_peers);
}

static int method_list_streams(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	return reply_list(m, userdata, error, list_streams);
}

static int method_list_denials(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	return reply_list(m, userdata, error, bus_mode_denials);
}

/* ---- agents ------------------------------------------------------------------------------------ */

static bool in_group(const struct bus_caller *caller, gid_t gid)
{
	for (size_t i = 0; i < caller->n_groups; i++)
		if (caller->groups[i] == gid)
			return true;
	return false;
}

/*
 * Does this agent ask somebody who is not at this machine? A window and a text console are at it, whoever
 * else has come in over the network; what is started in there is not believed to be.
 */
static bool is_elsewhere(const struct bus_caller *caller, bool pseudo)
{
	return pseudo ? seats_remote(caller->pid, caller->uid) : seats_remote_session(caller->pid);
}

/* May this connection answer for its user? 0, or the error. */
static int check_agent(struct service *service, const struct bus_caller *caller, bool pseudo,
		       bool password, sd_bus_error *error)
{
	struct process_facts facts;
	struct refusal refusal;
	int r = 0;

	if (service->agent_gid == (gid_t)-1 || !in_group(caller, service->agent_gid))
		r = refuse(
			&refusal, REFUSAL_NOT_ALLOWED,
			"Only a program that runs with the group %s may be an agent; install the agent setgid to it.",
			service->policy.agent_group);
	else if (pseudo && !password && !service->policy.pseudo_terminal)
		r = refuse(
			&refusal, REFUSAL_NOT_ALLOWED,
			"Approving on a pseudo-terminal is off: other programs of yours could type there. Use a text "
			"console, start the agent with --password, or set pseudo_terminal = yes under [prompt] in "
			"callgate.conf.");
	else if (!service->policy.remote && is_elsewhere(caller, pseudo))
		r = refuse(
			&refusal, REFUSAL_NOT_ALLOWED,
			"Approving from a session that is not at this machine is off. Start the agent at the machine, or set "
			"remote = yes under [prompt] in callgate.conf.");
	if (r > 0)
		return bus_refused(error, &refusal);
	r = gate_identify(service->gate, caller->pid, &facts);
	/* Without a gate nothing says which program it is; the group alone decides, and nothing is granted. */
	if (r == -ENODEV)
		return 0;
	if (r == 0 && facts.uid == caller->uid && process_root_owned(facts.exe) == 1)
		return 0;
	refuse(&refusal, REFUSAL_NOT_ALLOWED,
	       "An agent's program has to be a file that only root can change.");
	return bus_refused(error, &refusal);
}

static int method_register_agent(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	bool terminal = false, pseudo = false, password = false;
	const struct dict_flag flags[] = { { "terminal", &terminal },
					   { "pseudo", &pseudo },
					   { "password", &password } };
	struct service *service = userdata;
	struct bus_caller caller;
	struct refusal refusal;
	const char *path;
	int r;

	r = sd_bus_message_read(m, "o", &path);
	if (r >= 0)
		r = bus_read_options(m, flags, ARRAY_SIZE(flags), error);
	if (r < 0)
		return r;
	r = bus_caller(service, m, &caller);
	if (r < 0)
		return bus_failed(error, r);
	r = check_agent(service, &caller, pseudo, password, error);
	if (r < 0)
		return r;
	r = agent_add(&service->approvals, caller.uid,
		      pseudo	 ? POLICY_ASK_TERMINAL
		      : terminal ? POLICY_ASK_CONSOLE
				 : POLICY_ASK_WINDOW,
		      sd_bus_message_get_sender(m), path);
	if (r == -ENOSPC) {
		refuse(&refusal, REFUSAL_LIMIT, "You have %d agents already; end one first.",
		       BOUND_AGENTS_UID);
		return bus_refused(error, &refusal);
	}
	if (r < 0)
		return bus_failed(error, r);
	r = sd_bus_reply_method_return(m, NULL);
	calls_ask_again(&service->calls, caller.uid);
	return r;
}

static int method_unregister_agent(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct service *service = userdata;
	const char *path;
	int r;

	r = sd_bus_message_read(m, "o", &path);
	if (r < 0)
		return r;
	if (!agent_remove(&service->approvals, sd_bus_message_get_sender(m), path))
		return bus_not_found(error);
	return sd_bus_reply_method_return(m, NULL);
}

/* ---- blocks ------------------------------------------------------------------------------------ */

static int read_kinds(struct service *service, sd_bus_message *m, uint32_t *ret_kinds,
		      struct user **ret_user, sd_bus_error *error)
{
	struct refusal refusal;
	uid_t uid;
	int r;

	r = sd_bus_message_read(m, "u", ret_kinds);
	if (r < 0)
		return r;
	if (*ret_kinds == 0 || (*ret_kinds & ~POLICY_KIND_ALL) != 0) {
		refuse(&refusal, REFUSAL_BAD_ARGUMENT,
		       "Kinds is a mask of 1 (microphone), 2 (camera) and 4 (speaker), not %u.",
		       *ret_kinds);
		return bus_refused(error, &refusal);
	}
	r = bus_caller_uid(service, m, &uid);
	if (r >= 0)
		r = user_get(&service->users, uid, ret_user);
	return r < 0 ? bus_failed(error, r) : 0;
}

static int method_block(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct service *service = userdata;
	struct user *user;
	uint32_t kinds;
	int r, written;

	r = read_kinds(service, m, &kinds, &user, error);
	if (r < 0)
		return r;
	written = user_set_blocked(user, user->blocked | kinds);
	calls_refresh(&service->calls);
	bus_send_blocked(service, user);
	return written < 0 ? bus_failed(error, written) : sd_bus_reply_method_return(m, NULL);
}

static int apply_unblock(struct confirm *confirm, sd_bus_error *error)
{
	int r = user_set_blocked(confirm->user, confirm->user->blocked & ~confirm->kinds);

	calls_refresh(&confirm->service->calls);
	bus_send_blocked(confirm->service, confirm->user);
	return r < 0 ? bus_failed(error, r) : 0;
}

static int method_unblock(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct service *service = userdata;
	struct confirm *confirm;
	struct user *user;
	uint32_t kinds;
	int r;

	r = read_kinds(service, m, &kinds, &user, error);
	if (r < 0)
		return r;
	if ((user->blocked & kinds) == 0)
		return sd_bus_reply_method_return(m, NULL);
	confirm = confirm_new();
	if (confirm == NULL)
		return bus_failed(error, -ENOMEM);
	confirm->user = user;
	confirm->kinds = kinds;
	confirm->apply = apply_unblock;
	const struct dict_entry details[] = { DICT_U32("Kinds", kinds) };

	return bus_confirm(service, confirm, m, "unblock", details, ARRAY_SIZE(details), error);
}

/* ---- after a no -------------------------------------------------------------------------------- */

static int apply_ask_again(struct confirm *confirm, sd_bus_error *error)
{
	pause_lift(&confirm->service->calls.pauses, confirm->user->uid);
	return 0;
}

/* Whoever it is that wants this: it is one more question, and only one until the next no. */
static int method_ask_again(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct service *service = userdata;
	struct confirm *confirm;
	struct refusal refusal;
	struct user *user;
	bool asked;
	uid_t uid;
	int r;

	r = bus_caller_uid(service, m, &uid);
	if (r >= 0)
		r = user_get(&service->users, uid, &user);
	if (r < 0)
		return bus_failed(error, r);
	if (!pause_ask_lift(&service->calls.pauses, uid, call_clock(), &asked))
		return sd_bus_reply_method_return(m, NULL);
	if (asked) {
		refuse(&refusal, REFUSAL_DENIED,
		       "You were asked this already; wait until the time is over that the call's refusal said.");
		return bus_refused(error, &refusal);
	}
	confirm = confirm_new();
	if (confirm == NULL)
		return bus_failed(error, -ENOMEM);
	confirm->user = user;
	confirm->apply = apply_ask_again;
	return bus_confirm(service, confirm, m, "ask-again", NULL, 0, error);
}

/* ---- events ------------------------------------------------------------------------------------ */

static int method_subscribe(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct service *service = userdata;
	struct refusal refusal;
	uid_t uid;
	int r;

	r = bus_caller_uid(service, m, &uid);
	if (r >= 0)
		r = listener_add(&service->listeners, uid, sd_bus_message_get_sender(m));
	if (r == -ENOSPC) {
		refuse(&refusal, REFUSAL_LIMIT, "You have %d subscriptions already; end one first.",
		       BOUND_SUBSCRIPTIONS_UID);
		return bus_refused(error, &refusal);
	}
	return r < 0 ? bus_failed(error, r) : sd_bus_reply_method_return(m, NULL);
}

static int method_unsubscribe(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct service *service = userdata;

	listener_remove(&service->listeners, sd_bus_message_get_sender(m));
	return sd_bus_reply_method_return(m, NULL);
}

/* ---- properties -------------------------------------------------------------------------------- */

const char *bus_gate_name(enum gate_mode mode)
{
	switch (mode) {
	case GATE_PRESENT:
		return "present";
	case GATE_PERMISSIVE:
		return "permissive";
	case GATE_ABSENT:
		break;
	}
	return "absent";
}

static int get_property(sd_bus *bus, const char *path, const char *interface, const char *property,
			sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
	struct service *service = userdata;
	struct user *user;
	uid_t uid;
	int r;

	r = bus_current_uid(service, &uid);
	if (r >= 0)
		r = user_get(&service->users, uid, &user);
	if (r < 0)
		return bus_failed(error, r);
	const struct dict_entry entries[] = {
		DICT_TEXT("Version", CALLGATE_VERSION),
		DICT_TEXT("Gate", bus_gate_name(gate_mode(service->gate))),
		DICT_U32("Blocked", user->blocked),
		DICT_TEXT("SealedBy", vault_name(service->users.vault)),
		DICT_TEXT("Policy", bus_policy_state_name(service->policy_state)),
		DICT_FLAG("Agent", agent_of(&service->approvals, uid, POLICY_ASK_ALL) != NULL),
	};

	return bus_get(reply, property, entries, ARRAY_SIZE(entries));
}

#define NOTHING(name, handler)                                                   \
	SD_BUS_METHOD_WITH_ARGS(name, SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, handler, \
				SD_BUS_VTABLE_UNPRIVILEGED)

static const sd_bus_vtable manager_vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_PROPERTY("Version", "s", get_property, 0, SD_BUS_VTABLE_PROPERTY_CONST),
	SD_BUS_PROPERTY("Gate", "s", get_property, 0, 0),
	SD_BUS_PROPERTY("Blocked", "u", get_property, 0, 0),
	SD_BUS_PROPERTY("SealedBy", "s", get_property, 0, SD_BUS_VTABLE_PROPERTY_CONST),
	SD_BUS_PROPERTY("Policy", "s", get_property, 0, 0),
	SD_BUS_PROPERTY("Agent", "b", get_property, 0, 0),
	METHOD("CreateSession", ("s", contact, "u", kinds, "h", subject, "a{sv}", options),
	       ("o", session), method_create_session),
	METHOD("AcceptSession",
	       ("ay", init, "s", claimed, "u", kinds, "h", subject, "a{sv}", options),
	       ("o", session), method_accept_session),
	METHOD("CreateLocal", ("u", kinds, "h", subject, "a{sv}", options), ("o", session),
	       method_create_local),
	NO_ARGS("ListSessions", ("a(oa{sv})", sessions), method_list_sessions),
	NO_ARGS("ListDevices", ("a(oa{sv})", devices), method_list_devices),
	NO_ARGS("ListPeers", ("a(oa{sv})", peers), method_list_peers),
	NO_ARGS("ListStreams", ("aa{sv}", streams), method_list_streams),
	NO_ARGS("ListDenials", ("aa{sv}", denials), method_list_denials),
	NO_RESULT("SetMode", ("s", mode), bus_mode_set),
	NOTHING("ReloadPolicy", bus_policy_method_reload),
	METHOD("GetMetrics", ("a{sv}", options), ("a(ssssa(sa{ss}d))", families), bus_metrics_get),
	METHOD("EndSessionsOf", ("u", uid), ("u", count), bus_policy_method_end),
	METHOD("ExportIdentity", ("a{sv}", options), ("ay", file), bus_identity_export),
	METHOD("ImportIdentity", ("ay", file, "a{sv}", options), ("u", contacts),
	       bus_identity_import),
	NO_RESULT("RegisterAgent", ("o", object, "a{sv}", options), method_register_agent),
	NO_RESULT("UnregisterAgent", ("o", object), method_unregister_agent),
	NO_RESULT("Block", ("u", kinds), method_block),
	NO_RESULT("Unblock", ("u", kinds), method_unblock),
	NOTHING("AskAgain", method_ask_again),
	NOTHING("Subscribe", method_subscribe),
	NOTHING("Unsubscribe", method_unsubscribe),
	SD_BUS_SIGNAL_WITH_ARGS("SessionAdded", SD_BUS_ARGS("o", session, "a{sv}", properties), 0),
	SD_BUS_SIGNAL_WITH_ARGS("SessionRemoved", SD_BUS_ARGS("o", session, "a{sv}", properties),
				0),
	SD_BUS_SIGNAL_WITH_ARGS("StreamStarted", SD_BUS_ARGS("a{sv}", stream), 0),
	SD_BUS_SIGNAL_WITH_ARGS("StreamStopped", SD_BUS_ARGS("a{sv}", stream), 0),
	SD_BUS_SIGNAL_WITH_ARGS("Denied", SD_BUS_ARGS("a{sv}", attempt), 0),
	SD_BUS_SIGNAL_WITH_ARGS("DeviceAdded", SD_BUS_ARGS("o", device, "a{sv}", properties), 0),
	SD_BUS_SIGNAL_WITH_ARGS("DeviceRemoved", SD_BUS_ARGS("o", device), 0),
	SD_BUS_VTABLE_END,
};

int bus_manager_register(struct service *service)
{
	return sd_bus_add_object_vtable(service->bus, NULL, BUS_PATH, BUS_MANAGER, manager_vtable,
					service);
}
