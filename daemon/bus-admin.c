// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Who is an administrator. Owns the changes that wait for polkit's answer. Used
 * by bus-mode.c and bus-policy.c; must not know what a change is.
 *
 * Security: root may, by the bus's word. Anybody else has to be authorised by
 * polkit, asked about the connection, not about a process that could become
 * another one. No polkit, no answer, any error: no.
 */
#include "bus.h"

#include <errno.h>
#include <stdlib.h>

#define POLKIT		"org.freedesktop.PolicyKit1"
#define POLKIT_PATH	"/org/freedesktop/PolicyKit1/Authority"
#define POLKIT_IFACE	"org.freedesktop.PolicyKit1.Authority"
#define POLKIT_USEC	(120 * 1000000ull) /* somebody types a password */
#define POLKIT_INTERACT 1

/* A change that waits. */
struct admin {
	LIST_ENTRY(admin) all;
	struct service *service;
	sd_bus_message *m;
	sd_bus_slot *slot;
	bus_admin_apply apply;
	uint64_t argument;
};

static void admin_free(struct admin *admin)
{
	LIST_REMOVE(admin, all);
	admin->service->n_admins--;
	sd_bus_message_unref(admin->m);
	sd_bus_slot_unref(admin->slot);
	free(admin);
}

void bus_admin_deinit(struct service *service)
{
	while (!LIST_EMPTY(&service->admins))
		admin_free(LIST_FIRST(&service->admins));
}

static int not_allowed(sd_bus_error *error)
{
	struct refusal refusal;

	refuse(&refusal, REFUSAL_NOT_ALLOWED,
	       "Only an administrator may do this; run it as root, or with polkit's authorisation.");
	return bus_refused(error, &refusal);
}

/* polkit would have asked for a password, and no agent of its was there. */
static int not_asked(sd_bus_error *error)
{
	struct refusal refusal;

	refuse(&refusal, REFUSAL_NOT_ALLOWED,
	       "An administrator's password is needed, and polkit has no agent here to ask for it; run it "
	       "as root, or start one first: pkttyagent --process $$ &");
	return bus_refused(error, &refusal);
}

static int on_polkit(sd_bus_message *reply, void *userdata, sd_bus_error *unused)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	int allowed = 0, unasked = 0, r;
	struct admin *admin = userdata;

	if (sd_bus_message_is_method_error(reply, NULL) ||
	    sd_bus_message_enter_container(reply, 'r', "bba{ss}") < 0 ||
	    sd_bus_message_read(reply, "bb", &allowed, &unasked) < 0)
		allowed = unasked = 0;
	if (allowed == 1)
		r = admin->apply(admin->service, admin->m, admin->argument, &error);
	else
		r = unasked ? not_asked(&error) : not_allowed(&error);
	if (r < 0)
		sd_bus_reply_method_error(admin->m, &error);
	sd_bus_error_free(&error);
	admin_free(admin);
	return 0;
}

static int ask_polkit(struct admin *admin, const char *action)
{
	bool interact = sd_bus_message_get_allow_interactive_authorization(admin->m) > 0;
	sd_bus_message *call = NULL;
	int r;

	r = sd_bus_message_new_method_call(admin->service->bus, &call, POLKIT, POLKIT_PATH,
					   POLKIT_IFACE, "CheckAuthorization");
	if (r >= 0)
		r = sd_bus_message_append(call, "(sa{sv})sa{ss}us", "system-bus-name", 1, "name",
					  "s", sd_bus_message_get_sender(admin->m), action, 0,
					  interact ? POLKIT_INTERACT : 0, "");
	if (r >= 0)
		r = sd_bus_call_async(admin->service->bus, &admin->slot, call, on_polkit, admin,
				      POLKIT_USEC);
	sd_bus_message_unref(call);
	return r;
}

int bus_admin(struct service *service, sd_bus_message *m, const char *action, bus_admin_apply apply,
	      uint64_t argument, sd_bus_error *error)
{
	struct refusal refusal;
	struct admin *admin;
	uid_t uid;
	int r;

	r = bus_caller_uid(service, m, &uid);
	if (r < 0)
		return bus_failed(error, r);
	if (uid == 0)
		return apply(service, m, argument, error);
	if (service->n_admins >= BOUND_ADMINS) {
		refuse(&refusal, REFUSAL_LIMIT,
		       "Others are being asked for their authorisation already; try again later.");
		return bus_refused(error, &refusal);
	}
	admin = calloc(1, sizeof(*admin));
	if (admin == NULL)
		return bus_failed(error, -ENOMEM);
	admin->service = service;
	admin->m = sd_bus_message_ref(m);
	admin->apply = apply;
	admin->argument = argument;
	LIST_INSERT_HEAD(&service->admins, admin, all);
	service->n_admins++;
	if (ask_polkit(admin, action) >= 0)
		return 1;
	admin_free(admin);
	return not_allowed(error);
}
