/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the bus objects share: the daemon's parts, who is calling, and sending to the right people. */
#ifndef CALLGATE_BUS_H
#define CALLGATE_BUS_H

#include <sys/queue.h>
#include <systemd/sd-bus.h>

#include "approval.h"
#include "call.h"
#include "capture.h"
#include "config.h"
#include "denial.h"
#include "dict.h"
#include "gate.h"
#include "history.h"
#include "listener.h"
#include "metrics.h"
#include "policy.h"
#include "refusal.h"
#include "seat.h"
#include "user.h"
#include "watchdog.h"

#define BUS_NAME	  "org.callgate1"
#define BUS_PATH	  "/org/callgate1"
#define BUS_MANAGER	  "org.callgate1.Manager"
#define BUS_SESSION	  "org.callgate1.Session"
#define BUS_PEER	  "org.callgate1.Peer"
#define BUS_HISTORY	  "org.callgate1.History"
#define BUS_DEVICE	  "org.callgate1.Device"
#define BUS_SOUND	  "org.callgate1.Sound"
#define BUS_PEER_PREFIX	  "/org/callgate1/peer/"
#define BUS_DEVICE_PREFIX "/org/callgate1/device/"
#define BUS_GROUPS_MAX	  256
#define BUS_SENDERS	  64

/* Entries of a vtable: names and types of the arguments in parentheses. */
#define METHOD(name, args, result, handler)                                            \
	SD_BUS_METHOD_WITH_ARGS(name, SD_BUS_ARGS args, SD_BUS_RESULT result, handler, \
				SD_BUS_VTABLE_UNPRIVILEGED)
#define NO_RESULT(name, args, handler)                                             \
	SD_BUS_METHOD_WITH_ARGS(name, SD_BUS_ARGS args, SD_BUS_NO_RESULT, handler, \
				SD_BUS_VTABLE_UNPRIVILEGED)
#define NO_ARGS(name, result, handler)                                               \
	SD_BUS_METHOD_WITH_ARGS(name, SD_BUS_NO_ARGS, SD_BUS_RESULT result, handler, \
				SD_BUS_VTABLE_UNPRIVILEGED)

/**
 * struct bus_sender - a connection whose user is known; unique names are never used again
 */
struct bus_sender {
	char name[BOUND_BUS_NAME + 1];
	uid_t uid;
};

/* A contact: all pins of one name under one label. Points into the identity: valid within one message. */
struct bus_contact {
	struct user *user;
	const char *label;
	const char *name;
};

enum bus_policy_state {
	BUS_POLICY_BROKEN, /* the rules were never understood: no session is allowed */
	BUS_POLICY_OLD, /* the files were changed and are not understood: the ones before are in force */
	BUS_POLICY_LOADED,
};

/**
 * struct service - the daemon's parts; manager.c owns and wires them
 * @agent_gid: group that only agents run with; -1: there is none, nobody can be an agent
 * @senders: a ring
 * @contact: what the find function of Peer objects found for the current message
 * @confirms: changes that wait for the user's confirmation
 * @policy: @rules: what is in force, read from @config_file and @rules_dir
 * @policy_state: how far that is what the files say
 * @permissive: what the administrator decided; the gate may be otherwise
 * @admins: changes that wait for an authorisation
 * @carries: identities that are being exported or imported
 * @sounds: sound servers that somebody manages
 */
struct service {
	sd_bus *bus;
	struct policy policy;
	struct rules *rules;
	enum bus_policy_state policy_state;
	const char *config_file, *rules_dir;
	gid_t agent_gid;
	struct watches watches;
	struct approvals approvals;
	struct listeners listeners;
	struct seats seats;
	struct users users;
	struct calls calls;
	struct captures captures;
	struct usages usages;
	struct history history;
	struct gate *gate;
	struct bus_sender senders[BUS_SENDERS];
	unsigned int next_sender;
	struct bus_contact contact;
	LIST_HEAD(, confirm) confirms;
	struct watchdog watchdog;
	struct denials denials;
	struct metrics metrics;
	bool permissive;
	LIST_HEAD(, admin) admins;
	unsigned int n_admins;
	LIST_HEAD(, carry) carries;
	LIST_HEAD(, sound) sounds;
};

/**
 * struct bus_caller - who sent a message, by the bus's own word
 */
struct bus_caller {
	uid_t uid;
	pid_t pid;
	size_t n_groups;
	gid_t groups[BUS_GROUPS_MAX];
};

/* Negative errno: the bus does not say; treat as a stranger. */
int bus_caller(struct service *service, sd_bus_message *m, struct bus_caller *ret_caller);
int bus_caller_uid(struct service *service, sd_bus_message *m, uid_t *ret_uid);
/* Of the message that is being handled, for find and property functions. */
int bus_current_uid(struct service *service, uid_t *ret_uid);

/* Turns a refusal into the error that a method returns. */
int bus_refused(sd_bus_error *error, const struct refusal *refusal);
/* Every negative errno of the core that is not a refusal. */
int bus_failed(sd_bus_error *error, int r);
/* The error for what is not there, or not for this caller. */
int bus_not_found(sd_bus_error *error);

/* A property getter's work: the value of the entry named property. */
int bus_get(sd_bus_message *reply, const char *property, const struct dict_entry *entries,
	    size_t n);

/* ---- bus-admin.c: what only an administrator may do */

/* Does it and answers the message; a negative result is the error to answer. */
typedef int (*bus_admin_apply)(struct service *service, sd_bus_message *m, uint64_t argument,
			       sd_bus_error *error);
/* At once for root, for others when polkit has authorised the action. As a method's return value: 1 or an error. */
int bus_admin(struct service *service, sd_bus_message *m, const char *action, bus_admin_apply apply,
	      uint64_t argument, sd_bus_error *error);
void bus_admin_deinit(struct service *service);

/* ---- bus-policy.c: two methods of the Manager */

/* Reads the rules at the start; those that are not understood deny everything, loudly. Negative errno: no memory. */
int bus_policy_load(struct service *service);
/* Reads both files anew. Sessions go on. Negative errno: not understood, and nothing has changed. */
int bus_policy_reload(struct service *service, struct config_error *ret_error);
const char *bus_policy_state_name(enum bus_policy_state state);
int bus_policy_method_reload(sd_bus_message *m, void *userdata, sd_bus_error *error);
int bus_policy_method_end(sd_bus_message *m, void *userdata, sd_bus_error *error);

/* ---- bus-metrics.c */

int bus_metrics_get(sd_bus_message *m, void *userdata, sd_bus_error *error);

/* ---- bus-mode.c */

int bus_mode_set(sd_bus_message *m, void *userdata, sd_bus_error *error);
/* What bus-manager.c's list functions do; root sees everybody's. */
int bus_mode_denials(struct service *service, uid_t uid, sd_bus_message *reply);

/* ---- bus-event.c: to the user's subscribers and agents, each alone */

void bus_send_session_added(struct service *service, struct call *call);
void bus_send_session_removed(struct service *service, struct call *call);
void bus_send_session_changed(struct service *service, struct call *call);
/* What captured while it lasted; peer: what the other end told of itself, or NULL. */
void bus_send_programs(struct service *service, struct call *call,
		       const struct channel_programs *peer);
void bus_send_blob(struct service *service, struct call *call, const void *blob, size_t len);
void bus_send_stream_started(struct service *service, const struct capture *stream);
void bus_send_stream_stopped(struct service *service, const struct capture *stream);
/* in_call: the program has a session, which does not let it capture now. */
void bus_send_denied(struct service *service, const struct capture *attempt, bool in_call);
void bus_send_blocked(struct service *service, const struct user *user);
void bus_send_device_added(struct service *service, const struct capture_device *device);
void bus_send_device_removed(struct service *service, uint32_t device);

/* ---- bus-confirm.c: changes that the agent confirms */

/**
 * struct confirm
 * @apply: does it, once the user said yes; 0, or what bus_refused() or bus_failed() returned
 */
struct confirm {
	LIST_ENTRY(confirm) all;
	struct service *service;
	sd_bus_message *m;
	struct question *question;
	struct user *user;
	int (*apply)(struct confirm *confirm, sd_bus_error *error);
	uint32_t kinds;
	char *label;
	char *name;
	char *new_name;
	uint8_t key[IDENTITY_KEY_LEN];
};

/* Takes the filled-in confirm; the message is answered later. As a method's return value: 1 or an error. */
int bus_confirm(struct service *service, struct confirm *confirm, sd_bus_message *m,
		const char *action, const struct dict_entry *details, size_t n,
		sd_bus_error *error);
struct confirm *confirm_new(void);
struct confirm *confirm_free(struct confirm *confirm);

/* ---- the objects */

#define BUS_SESSION_ENTRIES 19
struct bus_session_view {
	char subject[CALL_SUBJECT_MAX];
	struct dict_entry entries[BUS_SESSION_ENTRIES];
};

void bus_session_view(struct call *call, struct bus_session_view *ret_view);
int bus_session_register(struct service *service);

#define BUS_DEVICE_ENTRIES 4
struct bus_device_view {
	char path[64];
	char name[CAPTURE_NAME_MAX + 1];
	char node[CAPTURE_NODE_MAX + 1];
	struct dict_entry entries[BUS_DEVICE_ENTRIES];
};

void bus_device_view(const struct service *service, const struct capture_device *device,
		     struct bus_device_view *ret_view);
void bus_device_path(uint32_t id, char ret_path[64]);
int bus_device_register(struct service *service);

#define BUS_STREAM_ENTRIES 10
struct bus_stream_view {
	char device[64];
	char name[CAPTURE_NAME_MAX + 1];
	char node[CAPTURE_NODE_MAX + 1];
	char exe[PROCESS_EXE_MAX + 1];
	char app[BOUND_LABEL + 1];
	struct dict_entry entries[BUS_STREAM_ENTRIES];
	size_t n;
};

/* @own: the viewer's own stream; otherwise who captures is left out. */
void bus_stream_view(const struct service *service, const struct capture *stream, bool own,
		     struct bus_stream_view *ret_view);

/* Appends a(oa{sv}) of the user's contacts. */
int bus_peer_list(struct user *user, sd_bus_message *reply);
int bus_peer_register(struct service *service);

int bus_history_register(struct service *service);

const char *bus_gate_name(enum gate_mode mode);
int bus_manager_register(struct service *service);
/* The program behind a caller's connection. -ESRCH, -EPERM: it cannot be seen. */
int bus_caller_facts(struct service *service, const struct bus_caller *caller,
		     struct process_facts *ret_facts);
/* An a{sv} of flags; what is not known is refused. */
int bus_read_options(sd_bus_message *m, const struct dict_flag *flags, size_t n,
		     sd_bus_error *error);

/* ---- bus-sound.c: what sound servers' clients may */

int bus_sound_register(struct service *service);
void bus_sound_deinit(struct service *service);
/* What any session holds may have changed. */
void bus_sound_refresh(struct service *service);
/* The gate holds this for the session's subject now; it will be the session's, once this returns. */
void bus_sound_granted(struct service *service, const struct call *call, uint32_t kinds,
		       uint64_t until);
/* The gate holds nothing for the session any more. */
void bus_sound_revoked(struct service *service, uint64_t session);
void bus_sound_started(struct service *service, const struct capture *stream);
/* Some capture ended. */
void bus_sound_stopped(struct service *service);

/* ---- bus-identity.c: two methods of the Manager */

struct carry;
int bus_identity_export(sd_bus_message *m, void *userdata, sd_bus_error *error);
int bus_identity_import(sd_bus_message *m, void *userdata, sd_bus_error *error);
struct carry *carry_free(struct carry *carry);

#endif
