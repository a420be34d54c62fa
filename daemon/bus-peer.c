// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * org.callgate1.Peer: one contact, as one app of the caller's knows it, with
 * all its pinned keys. Registered by manager.c.
 *
 * Security: a path is a hash of label and name and is looked up among the
 * caller's own pins, so that another user's contacts cannot even be named. Each
 * change waits for the agent.
 */
#include "bus.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/macro.h"
#include "util/text.h"

#define PATH_HASH_LEN 16
#define PATH_LEN      (sizeof(BUS_PEER_PREFIX) + 2 * PATH_HASH_LEN)

static void contact_path(const char *label, const char *name, char ret_path[PATH_LEN])
{
	const struct crypto_part parts[] = {
		{ .data = label, .len = strlen(label) + 1 },
		{ .data = name, .len = strlen(name) },
	};
	uint8_t hash[CRYPTO_SHA512_LEN];
	int at = snprintf(ret_path, PATH_LEN, "%s", BUS_PEER_PREFIX);

	crypto_sha512(parts, ARRAY_SIZE(parts), hash);
	for (size_t i = 0; i < PATH_HASH_LEN; i++)
		at += snprintf(ret_path + at, PATH_LEN - (size_t)at, "%02x", hash[i]);
}

/* Is pin i the first of its contact? */
static bool is_first(const struct identity_pin *pins, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (strcmp(pins[j].name, pins[i].name) == 0 &&
		    strcmp(pins[j].label, pins[i].label) == 0)
			return false;
	return true;
}

static bool is_of(const struct identity_pin *pin, const struct bus_contact *contact)
{
	return strcmp(pin->name, contact->name) == 0 && strcmp(pin->label, contact->label) == 0;
}

static size_t pins_of(const struct bus_contact *contact, const struct identity_pin **ret_pins)
{
	struct identity *identity;

	return user_identity(contact->user, false, &identity) < 0
		       ? 0
		       : identity_pins(identity, ret_pins);
}

static int append_keys(sd_bus_message *m, const struct bus_contact *contact)
{
	char fingerprint[IDENTITY_FINGERPRINT_LEN];
	const struct identity_pin *pins;
	size_t n = pins_of(contact, &pins);
	int r = sd_bus_message_open_container(m, 'a', "s");

	for (size_t i = 0; r >= 0 && i < n; i++) {
		if (!is_of(&pins[i], contact))
			continue;
		identity_fingerprint(pins[i].key, fingerprint);
		r = sd_bus_message_append_basic(m, 's', fingerprint);
	}
	return r < 0 ? r : sd_bus_message_close_container(m);
}

/* The weakest of its keys: a call may meet any of them. */
static const char *contact_auth(const struct bus_contact *contact)
{
	enum identity_auth auth = IDENTITY_VERIFIED;
	const struct identity_pin *pins;
	size_t n = pins_of(contact, &pins);

	for (size_t i = 0; i < n; i++)
		if (is_of(&pins[i], contact) && pins[i].auth < auth)
			auth = pins[i].auth;
	return identity_auth_name(auth);
}

static int append_contact(sd_bus_message *m, const struct bus_contact *contact)
{
	const struct dict_entry entries[] = {
		DICT_TEXT("Name", contact->name),
		DICT_TEXT("App", contact->label),
		DICT_TEXT("Authentication", contact_auth(contact)),
	};
	char path[PATH_LEN];
	int r;

	contact_path(contact->label, contact->name, path);
	r = sd_bus_message_open_container(m, 'r', "oa{sv}");
	if (r >= 0)
		r = sd_bus_message_append(m, "o", path);
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'a', "{sv}");
	if (r >= 0)
		r = dict_append_entries(m, entries, ARRAY_SIZE(entries));
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'e', "sv");
	if (r >= 0)
		r = sd_bus_message_append(m, "s", "Keys");
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'v', "as");
	if (r >= 0)
		r = append_keys(m, contact);
	for (int i = 0; r >= 0 && i < 4; i++)
		r = sd_bus_message_close_container(m);
	return r;
}

int bus_peer_list(struct user *user, sd_bus_message *reply)
{
	struct bus_contact contact = { .user = user };
	const struct identity_pin *pins;
	struct identity *identity;
	size_t n = 0;
	int r;

	r = user_identity(user, false, &identity);
	if (r < 0 && r != -ENOENT)
		return r;
	if (r == 0)
		n = identity_pins(identity, &pins);
	r = sd_bus_message_open_container(reply, 'a', "(oa{sv})");
	for (size_t i = 0; r >= 0 && i < n; i++) {
		if (!is_first(pins, i))
			continue;
		contact.label = pins[i].label;
		contact.name = pins[i].name;
		r = append_contact(reply, &contact);
	}
	return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int find_peer(sd_bus *bus, const char *path, const char *interface, void *userdata,
		     void **ret_found, sd_bus_error *error)
{
	struct service *service = userdata;
	const struct identity_pin *pins;
	struct identity *identity;
	struct user *user;
	char own[PATH_LEN];
	size_t n;
	uid_t uid;

	if (bus_current_uid(service, &uid) < 0 || user_get(&service->users, uid, &user) < 0 ||
	    user_identity(user, false, &identity) < 0)
		return bus_not_found(error);
	n = identity_pins(identity, &pins);
	for (size_t i = 0; i < n; i++) {
		contact_path(pins[i].label, pins[i].name, own);
		if (strcmp(own, path) != 0)
			continue;
		service->contact = (struct bus_contact){ user, pins[i].label, pins[i].name };
		*ret_found = service;
		return 1;
	}
	return bus_not_found(error);
}

static int get_text(sd_bus *bus, const char *path, const char *interface, const char *property,
		    sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
	const struct service *service = userdata;
	const struct dict_entry entries[] = {
		DICT_TEXT("Name", service->contact.name),
		DICT_TEXT("App", service->contact.label),
		DICT_TEXT("Authentication", contact_auth(&service->contact)),
	};

	return bus_get(reply, property, entries, ARRAY_SIZE(entries));
}

static int get_keys(sd_bus *bus, const char *path, const char *interface, const char *property,
		    sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
	const struct service *service = userdata;

	return append_keys(reply, &service->contact);
}

/* ---- changes ----------------------------------------------------------------------------------- */

static struct confirm *new_confirm(const struct service *service,
				   int (*apply)(struct confirm *, sd_bus_error *))
{
	struct confirm *confirm = confirm_new();

	if (confirm == NULL)
		return NULL;
	confirm->user = service->contact.user;
	confirm->apply = apply;
	confirm->label = strdup(service->contact.label);
	confirm->name = strdup(service->contact.name);
	if (confirm->label == NULL || confirm->name == NULL)
		return confirm_free(confirm);
	return confirm;
}

/* Between question and answer the contact may have changed. */
static int save(struct confirm *confirm, int r, sd_bus_error *error)
{
	struct refusal refusal;

	if (r == -ENOENT)
		return bus_not_found(error);
	if (r == -EEXIST) {
		refuse(&refusal, REFUSAL_BAD_ARGUMENT,
		       "Another contact has that name already; choose another one.");
		return bus_refused(error, &refusal);
	}
	if (r >= 0)
		r = user_save(confirm->user);
	return r < 0 ? bus_failed(error, r) : 0;
}

static int apply_rename(struct confirm *confirm, sd_bus_error *error)
{
	struct identity *identity;
	int r = user_identity(confirm->user, false, &identity);

	if (r >= 0)
		r = identity_rename(identity, confirm->label, confirm->name, confirm->new_name);
	return save(confirm, r, error);
}

static int apply_forget(struct confirm *confirm, sd_bus_error *error)
{
	struct identity *identity;
	int r = user_identity(confirm->user, false, &identity);

	if (r >= 0)
		r = identity_forget(identity, confirm->label, confirm->name) > 0 ? 0 : -ENOENT;
	return save(confirm, r, error);
}

static int apply_verify(struct confirm *confirm, sd_bus_error *error)
{
	struct identity *identity;
	int r = user_identity(confirm->user, false, &identity);

	if (r >= 0 && identity_by_key(identity, confirm->label, confirm->key, NULL) == NULL)
		r = -ENOENT;
	if (r >= 0)
		r = identity_pin(identity, confirm->label, confirm->name, confirm->key,
				 IDENTITY_VERIFIED);
	return save(confirm, r, error);
}

static int method_rename(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct service *service = userdata;
	struct confirm *confirm;
	struct refusal refusal;
	const char *name;
	int r;

	r = sd_bus_message_read(m, "s", &name);
	if (r < 0)
		return r;
	if (!text_is_name(name, BOUND_NAME)) {
		refuse(&refusal, REFUSAL_BAD_ARGUMENT,
		       "A contact's name is 1 to %d bytes of printable UTF-8.", BOUND_NAME);
		return bus_refused(error, &refusal);
	}
	confirm = new_confirm(service, apply_rename);
	if (confirm == NULL || (confirm->new_name = strdup(name)) == NULL) {
		confirm_free(confirm);
		return bus_failed(error, -ENOMEM);
	}
	const struct dict_entry details[] = {
		DICT_TEXT("Name", confirm->name),
		DICT_TEXT("NewName", confirm->new_name),
		DICT_TEXT("App", confirm->label),
	};

	return bus_confirm(service, confirm, m, "rename", details, ARRAY_SIZE(details), error);
}

static int method_forget(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct service *service = userdata;
	struct confirm *confirm = new_confirm(service, apply_forget);

	if (confirm == NULL)
		return bus_failed(error, -ENOMEM);
	const struct dict_entry details[] = {
		DICT_TEXT("Name", confirm->name),
		DICT_TEXT("App", confirm->label),
	};

	return bus_confirm(service, confirm, m, "forget", details, ARRAY_SIZE(details), error);
}

static int method_verify(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	char own[IDENTITY_FINGERPRINT_LEN];
	struct service *service = userdata;
	const struct identity_pin *pins, *found = NULL;
	const char *fingerprint;
	struct confirm *confirm;
	struct refusal refusal;
	size_t n;
	int r;

	r = sd_bus_message_read(m, "s", &fingerprint);
	if (r < 0)
		return r;
	n = pins_of(&service->contact, &pins);
	for (size_t i = 0; i < n; i++) {
		identity_fingerprint(pins[i].key, own);
		if (is_of(&pins[i], &service->contact) && strcmp(own, fingerprint) == 0)
			found = &pins[i];
	}
	if (found == NULL) {
		refuse(&refusal, REFUSAL_BAD_ARGUMENT,
		       "The contact has no key with this fingerprint; its Keys are listed.");
		return bus_refused(error, &refusal);
	}
	confirm = new_confirm(service, apply_verify);
	if (confirm == NULL)
		return bus_failed(error, -ENOMEM);
	memcpy(confirm->key, found->key, sizeof(confirm->key));
	const struct dict_entry details[] = {
		DICT_TEXT("Name", confirm->name),
		DICT_TEXT("Fingerprint", fingerprint),
		DICT_TEXT("App", confirm->label),
	};

	return bus_confirm(service, confirm, m, "verify", details, ARRAY_SIZE(details), error);
}

static const sd_bus_vtable peer_vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_PROPERTY("Name", "s", get_text, 0, 0),
	SD_BUS_PROPERTY("App", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
	SD_BUS_PROPERTY("Authentication", "s", get_text, 0, 0),
	SD_BUS_PROPERTY("Keys", "as", get_keys, 0, 0),
	SD_BUS_METHOD_WITH_ARGS("Rename", SD_BUS_ARGS("s", name), SD_BUS_NO_RESULT, method_rename,
				SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("Forget", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_forget,
				SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("Verify", SD_BUS_ARGS("s", fingerprint), SD_BUS_NO_RESULT,
				method_verify, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_VTABLE_END,
};

int bus_peer_register(struct service *service)
{
	return sd_bus_add_fallback_vtable(service->bus, NULL, BUS_PATH "/peer", BUS_PEER,
					  peer_vtable, find_peer, service);
}
