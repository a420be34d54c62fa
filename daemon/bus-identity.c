// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * ExportIdentity and ImportIdentity of org.callgate1.Manager: carrying a person
 * to another machine. Called by bus-manager.c's table.
 *
 * Security: any program of the user may ask, the agent answers: the passphrase
 * is typed there, in a process that other programs of the user cannot read, and
 * comes through a pipe, so that it is in no message. The asking program gets
 * and gives only what is sealed under it, and never sees a key. What an import
 * would lose is counted here, not believed from whoever asks, and looked at
 * again when the answer has come.
 */
#include "bus.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "passphrase.h"
#include "util/macro.h"

_Static_assert(CARRY_MAX <= BOUND_CARRIED, "a tool can read what was exported");

#define NS_PER_S 1000000000ull
/* To think of a passphrase and type it twice, on top of what any question gets. */
#define TYPING_S 60

/**
 * struct carry - one export or import, from the question to the answer
 * @file: of an import
 * @replace: whoever asks says that contacts here may be lost
 */
struct carry {
	LIST_ENTRY(carry) all;
	struct service *service;
	struct user *user;
	sd_bus_message *m;
	struct question *question;
	struct stretch *stretch;
	struct carry_head head;
	bool import;
	bool replace;
	uint8_t *file;
	size_t len;
};

struct carry *carry_free(struct carry *carry)
{
	if (carry == NULL)
		return NULL;
	LIST_REMOVE(carry, all);
	carry->user->held--;
	question_cancel(carry->question);
	stretch_free(carry->stretch);
	sd_bus_message_unref(carry->m);
	free(carry->file);
	free(carry);
	return NULL;
}

static int identity_failed(sd_bus_error *error, int r)
{
	struct refusal refusal;

	if (r == -ENOENT)
		refuse(&refusal, REFUSAL_NOT_FOUND,
		       "You have no identity yet; your first call makes one.");
	else
		refuse(&refusal, REFUSAL_FAILED,
		       "Your identity file in the service's state directory %s.",
		       user_identity_why(r));
	return bus_refused(error, &refusal);
}

/* How many contacts the user has here; *ret_exists: has he an identity at all? */
static int count_contacts(struct user *user, bool *ret_exists, uint32_t *ret_contacts)
{
	const struct identity_pin *pins;
	struct identity *identity;
	int r = user_identity(user, false, &identity);

	*ret_exists = r == 0;
	*ret_contacts = r == 0 ? (uint32_t)identity_pins(identity, &pins) : 0;
	return r == -ENOENT ? 0 : r;
}

/* 0: nothing that an import must not touch is there. Looked at before and after the question. */
static int check_import(struct service *service, struct user *user, bool replace,
			sd_bus_error *error)
{
	const struct call *call;
	struct refusal refusal;
	uint32_t contacts;
	bool exists;
	int r;

	r = count_contacts(user, &exists, &contacts);
	if (r < 0)
		return identity_failed(error, r);
	LIST_FOREACH(call, &service->calls.all, all)
	if (call->uid == user->uid) {
		refuse(&refusal, REFUSAL_NOT_ALLOWED,
		       "You have a call open, which speaks for the identity that is here; end it first.");
		return bus_refused(error, &refusal);
	}
	if (contacts > 0 && !replace) {
		refuse(&refusal, REFUSAL_EXISTS,
		       "There is an identity here that knows %u keys of contacts, and they would be lost. Export it "
		       "first if you want to keep it; then say --replace.",
		       contacts);
		return bus_refused(error, &refusal);
	}
	return 0;
}

/* ---- the end ----------------------------------------------------------------------------------- */

static int finish_export(struct carry *carry, const uint8_t *key, sd_bus_message *reply,
			 sd_bus_error *error)
{
	_cleanup_free_ uint8_t *data = NULL;
	struct identity *identity;
	size_t len;
	int r;

	r = user_identity(carry->user, false, &identity);
	if (r < 0)
		return identity_failed(error, r);
	r = identity_pack(identity, &carry->head, key, &data, &len);
	if (r >= 0)
		r = sd_bus_message_append_array(reply, 'y', data, len);
	return r < 0 ? bus_failed(error, r) : 0;
}

static int finish_import(struct carry *carry, const uint8_t *key, sd_bus_message *reply,
			 sd_bus_error *error)
{
	_cleanup_(identity_free_p) struct identity *identity = NULL;
	const struct identity_pin *pins;
	struct refusal refusal;
	uint32_t contacts;
	int r;

	r = identity_unpack(&identity, key, carry->file, carry->len);
	if (r == -EBADMSG) {
		refuse(&refusal, REFUSAL_BAD_ARGUMENT,
		       "The passphrase is not the one of this file, or the file was changed. Nothing was changed "
		       "here; try again.");
		return bus_refused(error, &refusal);
	}
	if (r < 0)
		return bus_failed(error, r);
	r = check_import(carry->service, carry->user, carry->replace, error);
	if (r < 0)
		return r;
	contacts = (uint32_t)identity_pins(identity, &pins);
	r = user_replace(carry->user, identity);
	if (r < 0)
		return bus_failed(error, r);
	identity = NULL;
	r = sd_bus_message_append(reply, "u", contacts);
	return r < 0 ? bus_failed(error, r) : 0;
}

static void on_stretched(void *userdata, int r, const uint8_t key[CRYPTO_KEY_LEN])
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus_message *reply = NULL;
	struct carry *carry = userdata;

	if (r >= 0)
		r = sd_bus_message_new_method_return(carry->m, &reply);
	if (r < 0)
		bus_failed(&error, r);
	else
		r = carry->import ? finish_import(carry, key, reply, &error)
				  : finish_export(carry, key, reply, &error);
	if (r < 0)
		sd_bus_reply_method_error(carry->m, &error);
	else
		sd_bus_send(carry->service->bus, reply, NULL);
	sd_bus_message_unref(reply);
	sd_bus_error_free(&error);
	carry_free(carry);
}

/* ---- the question ------------------------------------------------------------------------------ */

/* 0: the key is being made. */
static int take_passphrase(struct carry *carry, const struct question_answer *answer,
			   sd_bus_error *error)
{
	_cleanup_(crypto_secret_free_p) void *passphrase = NULL;
	struct refusal refusal;
	size_t len;
	int r;

	if (answer->result != QUESTION_ANSWERED) {
		refuse(&refusal, REFUSAL_DENIED,
		       answer->result == QUESTION_REFUSED
			       ? "You gave your agent no passphrase; nothing was done."
			       : "Nobody answered; nothing was done. Try again and answer the question.");
		return bus_refused(error, &refusal);
	}
	r = passphrase_read(answer->pipe, &passphrase, &len);
	if (r == -EINVAL || (r == 0 && !carry->import && len < CARRY_PASSPHRASE_MIN)) {
		refuse(&refusal, REFUSAL_BAD_ARGUMENT,
		       "A passphrase has %d to %d bytes. Nothing was done; try again.",
		       CARRY_PASSPHRASE_MIN, CARRY_PASSPHRASE_MAX);
		return bus_refused(error, &refusal);
	}
	if (r == 0)
		r = stretch_new(&carry->stretch, sd_bus_get_event(carry->service->bus),
				&carry->head, passphrase, len, on_stretched, carry);
	if (r == -EBUSY) {
		refuse(&refusal, REFUSAL_LIMIT,
		       "Another identity is being exported or imported; try again in some seconds.");
		return bus_refused(error, &refusal);
	}
	return r < 0 ? bus_failed(error, r) : 0;
}

static void on_answer(void *userdata, const struct question_answer *answer)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	struct carry *carry = userdata;

	carry->question = NULL;
	if (take_passphrase(carry, answer, &error) < 0) {
		sd_bus_reply_method_error(carry->m, &error);
		carry_free(carry);
	}
	sd_bus_error_free(&error);
}

static int ask(struct carry *carry, const struct bus_caller *caller, sd_bus_error *error)
{
	struct service *service = carry->service;
	uint64_t timeout_ns = service->policy.prompt_ns + TYPING_S * NS_PER_S;
	struct app app;
	struct process_facts facts;
	struct refusal refusal;
	uint32_t contacts;
	bool exists;
	int r;

	r = bus_caller_facts(service, caller, &facts);
	if (r >= 0)
		r = app_identify(&facts, &app);
	if (r < 0)
		app = (struct app){ .label = "unknown" };
	r = count_contacts(carry->user, &exists, &contacts);
	if (r < 0)
		return identity_failed(error, r);
	const struct dict_entry details[] = {
		DICT_TEXT("App", app.label),
		DICT_FLAG("AppProven", app.proven),
		DICT_FLAG("Replaces", carry->import && exists),
		DICT_U32("Contacts", contacts),
		DICT_U32("Timeout", (uint32_t)(timeout_ns / NS_PER_S)),
	};
	const struct question_text text = {
		.type = QUESTION_PASSPHRASE,
		.subject = carry->import ? "import" : "export",
		.details = details,
		.n_details = ARRAY_SIZE(details),
		.timeout_ns = timeout_ns,
	};

	r = question_ask(&service->approvals, carry->user->uid, &text, on_answer, carry,
			 &carry->question);
	if (r >= 0)
		return 1;
	if (r == -ENOENT)
		refuse(&refusal, REFUSAL_NO_AGENT,
		       "No program is there to ask you for the passphrase; start 'callgatectl agent'.");
	else if (r == -ENOSPC)
		refuse(&refusal, REFUSAL_LIMIT,
		       "Too many questions are open already; answer them first.");
	else
		return bus_failed(error, r);
	return bus_refused(error, &refusal);
}

static int begin(struct service *service, sd_bus_message *m, const struct carry *wanted,
		 sd_bus_error *error)
{
	struct bus_caller caller;
	struct carry *carry;
	struct user *user;
	bool exists;
	uint32_t contacts;
	int r;

	r = bus_caller(service, m, &caller);
	if (r >= 0)
		r = user_get(&service->users, caller.uid, &user);
	if (r < 0)
		return bus_failed(error, r);
	if (wanted->import)
		r = check_import(service, user, wanted->replace, error);
	else if ((r = count_contacts(user, &exists, &contacts)) < 0 || !exists)
		r = identity_failed(error, r < 0 ? r : -ENOENT);
	if (r < 0)
		return r;
	carry = malloc(sizeof(*carry));
	if (carry == NULL)
		return bus_failed(error, -ENOMEM);
	*carry = *wanted;
	carry->service = service;
	carry->user = user;
	carry->m = sd_bus_message_ref(m);
	user->held++;
	LIST_INSERT_HEAD(&service->carries, carry, all);
	if (wanted->len > 0) {
		carry->file = malloc(wanted->len);
		if (carry->file != NULL)
			memcpy(carry->file, wanted->file, wanted->len);
	}
	r = wanted->len > 0 && carry->file == NULL ? bus_failed(error, -ENOMEM)
						   : ask(carry, &caller, error);
	if (r < 0)
		carry_free(carry);
	return r;
}

int bus_identity_export(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct carry wanted = { .import = false };
	int r = bus_read_options(m, NULL, 0, error);

	if (r < 0)
		return r;
	carry_head_new(&wanted.head);
	return begin(userdata, m, &wanted, error);
}

int bus_identity_import(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct carry wanted = { .import = true };
	const struct dict_flag flags[] = { { "replace", &wanted.replace } };
	const char *why = NULL;
	struct refusal refusal;
	const void *file;
	int r;

	r = sd_bus_message_read_array(m, 'y', &file, &wanted.len);
	if (r >= 0)
		r = bus_read_options(m, flags, ARRAY_SIZE(flags), error);
	if (r < 0)
		return r;
	switch (carry_head_read(&wanted.head, file, wanted.len)) {
	case 0:
		break;
	case -EPROTONOSUPPORT:
		why = "The file was exported by a newer version of Callgate; install that first.";
		break;
	case -ERANGE:
		why = "The file asks for more memory or time than an export does; it was changed, or is a trap.";
		break;
	default:
		why = "This is no exported identity, or it was cut off; export it again.";
		break;
	}
	if (why != NULL) {
		refuse(&refusal, REFUSAL_BAD_ARGUMENT, "%s", why);
		return bus_refused(error, &refusal);
	}
	wanted.file = (uint8_t *)file;
	return begin(userdata, m, &wanted, error);
}
