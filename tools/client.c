// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What callgatectl and the terminal agent share of the D-Bus API: the
 * connection, who the daemon is, and its dictionaries. Must not print. Runs in a
 * setgid program: trusts neither the environment (sd-bus reads it only where it
 * is not setgid) nor sizes that come from the bus.
 *
 * Security: any connection may send signals and calls; client_is_genuine() is
 * what tells the daemon's from others'.
 */
#include "client.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define FIELDS_MAX 64
#define ITEMS_MAX  4096

static int match_owner(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct client *client = userdata;
	const char *name, *old, *new;
	char *owner = NULL;

	if (sd_bus_message_read(m, "sss", &name, &old, &new) < 0 || strcmp(name, CLIENT_NAME))
		return 0;
	if (*new) {
		owner = strdup(new);
		if (!owner)
			return -ENOMEM;
	}
	free(client->owner);
	client->owner = owner;
	if (client->on_owner)
		client->on_owner(client->userdata);
	return 0;
}

int client_on_signals(sd_event *event, sd_event_signal_handler_t handler, void *userdata)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	sigset_t set;
	int r = 0;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaddset(&set, signals[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]) && r >= 0; i++)
		r = sd_event_add_signal(event, NULL, signals[i], handler, userdata);
	return r;
}

int client_open(struct client *client)
{
	int r = sd_bus_open_system(&client->bus);

	if (r < 0)
		return r;
	return sd_bus_set_exit_on_disconnect(client->bus, false);
}

void client_close(struct client *client)
{
	client->bus = sd_bus_flush_close_unref(client->bus);
	free(client->owner);
	client->owner = NULL;
}

static int get_owner(struct client *client)
{
	sd_bus_message *reply = NULL;
	const char *owner;
	char *copy;
	int r;

	r = sd_bus_call_method(client->bus, "org.freedesktop.DBus", "/org/freedesktop/DBus",
			       "org.freedesktop.DBus", "GetNameOwner", NULL, &reply, "s",
			       CLIENT_NAME);
	if (r < 0)
		return r;
	r = sd_bus_message_read(reply, "s", &owner);
	if (r >= 0) {
		copy = strdup(owner);
		if (!copy) {
			r = -ENOMEM;
		} else {
			free(client->owner);
			client->owner = copy;
		}
	}
	sd_bus_message_unref(reply);
	return r;
}

int client_follow(struct client *client)
{
	int r;

	r = sd_bus_add_match(
		client->bus, NULL,
		"type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',"
		"interface='org.freedesktop.DBus',member='NameOwnerChanged',arg0='" CLIENT_NAME "'",
		match_owner, client);
	if (r < 0)
		return r;
	if (get_owner(client) >= 0)
		return 0;
	sd_bus_call_method(client->bus, "org.freedesktop.DBus", "/org/freedesktop/DBus",
			   "org.freedesktop.DBus", "StartServiceByName", NULL, NULL, "su",
			   CLIENT_NAME, 0);
	get_owner(client);
	return 0;
}

bool client_is_genuine(const struct client *client, sd_bus_message *m)
{
	const char *sender = sd_bus_message_get_sender(m);

	return sender && client->owner && !strcmp(sender, client->owner);
}

static void field_clear(struct client_field *field)
{
	free(field->name);
	free(field->text);
	for (char **p = field->list; p && *p; p++)
		free(*p);
	free(field->list);
	*field = (struct client_field){ 0 };
}

static int read_number(sd_bus_message *m, char type, uint64_t *ret)
{
	union {
		uint8_t y;
		uint16_t q;
		uint32_t u;
		uint64_t t;
		int b;
	} v = { 0 };
	int r = sd_bus_message_read_basic(m, type, &v);

	if (r < 0)
		return r;
	switch (type) {
	case 'y':
		*ret = v.y;
		break;
	case 'n':
	case 'q':
		*ret = v.q;
		break;
	case 'b':
		*ret = v.b != 0;
		break;
	case 'i':
	case 'u':
		*ret = v.u;
		break;
	case 'x':
	case 't':
		*ret = v.t;
		break;
	}
	return 0;
}

/* 1 when the value was kept, 0 when it is of a type that nobody here needs. */
static int read_value(sd_bus_message *m, struct client_field *field)
{
	const char *contents, *text;
	char type;
	int r;

	r = sd_bus_message_peek_type(m, &type, &contents);
	if (r < 0)
		return r;
	if (type != 'v')
		return -EBADMSG;
	if (strchr("sog", contents[0]) && !contents[1]) {
		r = sd_bus_message_enter_container(m, 'v', contents);
		if (r >= 0)
			r = sd_bus_message_read_basic(m, contents[0], &text);
		if (r < 0)
			return r;
		field->type = 's';
		field->text = strdup(text);
		if (!field->text)
			return -ENOMEM;
	} else if (strchr("ynqbiuxt", contents[0]) && !contents[1]) {
		field->type = contents[0] == 'b' ? 'b' : 'u';
		type = contents[0];
		r = sd_bus_message_enter_container(m, 'v', contents);
		if (r >= 0)
			r = read_number(m, type, &field->number);
		if (r < 0)
			return r;
	} else if (!strcmp(contents, "as")) {
		r = sd_bus_message_enter_container(m, 'v', contents);
		if (r >= 0)
			r = sd_bus_message_read_strv(m, &field->list);
		if (r < 0)
			return r;
		if (!field->list)
			field->list = calloc(1, sizeof(char *));
		if (!field->list)
			return -ENOMEM;
		field->type = 'a';
	} else {
		r = sd_bus_message_skip(m, "v");
		return r < 0 ? r : 0;
	}
	r = sd_bus_message_exit_container(m);
	return r < 0 ? r : 1;
}

int client_read_dict(sd_bus_message *m, struct client_dict *ret)
{
	struct client_dict dict = { 0 };
	const char *name;
	int r;

	dict.fields = calloc(FIELDS_MAX, sizeof(*dict.fields));
	if (!dict.fields)
		return -ENOMEM;
	r = sd_bus_message_enter_container(m, 'a', "{sv}");
	while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
		struct client_field *field = &dict.fields[dict.n];

		if (dict.n == FIELDS_MAX) {
			r = -E2BIG;
			break;
		}
		r = sd_bus_message_read_basic(m, 's', &name);
		if (r < 0)
			break;
		r = read_value(m, field);
		if (r > 0) {
			field->name = strdup(name);
			dict.n++;
			if (!field->name)
				r = -ENOMEM;
		} else {
			field_clear(field);
		}
		if (r >= 0)
			r = sd_bus_message_exit_container(m);
	}
	if (r >= 0)
		r = sd_bus_message_exit_container(m);
	if (r < 0) {
		client_dict_clear(&dict);
		return r;
	}
	*ret = dict;
	return 0;
}

void client_dict_clear(struct client_dict *dict)
{
	for (size_t i = 0; i < dict->n; i++)
		field_clear(&dict->fields[i]);
	free(dict->fields);
	free(dict->path);
	*dict = (struct client_dict){ 0 };
}

int client_merge(struct client_dict *dict, struct client_dict *from)
{
	struct client_field *grown, *old;

	grown = reallocarray(dict->fields, dict->n + from->n + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	dict->fields = grown;
	for (size_t i = 0; i < from->n; i++) {
		old = (struct client_field *)client_find(dict, from->fields[i].name);
		if (old)
			field_clear(old);
		else
			old = &dict->fields[dict->n++];
		*old = from->fields[i];
		from->fields[i] = (struct client_field){ 0 };
	}
	client_dict_clear(from);
	return 0;
}

const struct client_field *client_find(const struct client_dict *dict, const char *name)
{
	for (size_t i = 0; i < dict->n; i++)
		if (!strcmp(dict->fields[i].name, name))
			return &dict->fields[i];
	return NULL;
}

const char *client_text(const struct client_dict *dict, const char *name)
{
	const struct client_field *field = client_find(dict, name);

	return field && field->type == 's' ? field->text : "";
}

uint64_t client_number(const struct client_dict *dict, const char *name)
{
	const struct client_field *field = client_find(dict, name);

	return field && (field->type == 'u' || field->type == 'b') ? field->number : 0;
}

static int read_item(sd_bus_message *m, bool with_path, struct client_dict *ret)
{
	struct client_dict dict = { 0 };
	const char *path;
	int r;

	if (!with_path)
		return client_read_dict(m, ret);
	r = sd_bus_message_enter_container(m, 'r', "oa{sv}");
	if (r < 0)
		return r;
	r = sd_bus_message_read_basic(m, 'o', &path);
	if (r >= 0)
		r = client_read_dict(m, &dict);
	if (r < 0)
		return r;
	dict.path = strdup(path);
	r = dict.path ? sd_bus_message_exit_container(m) : -ENOMEM;
	if (r < 0) {
		client_dict_clear(&dict);
		return r;
	}
	*ret = dict;
	return 0;
}

int client_fetch(struct client *client, const char *method, struct client_list *ret,
		 sd_bus_error *error)
{
	struct client_list list = { 0 };
	struct client_dict *grown;
	sd_bus_message *reply = NULL;
	bool with_path;
	int r;

	r = sd_bus_call_method(client->bus, CLIENT_NAME, CLIENT_ROOT, CLIENT_MANAGER, method, error,
			       &reply, NULL);
	if (r < 0)
		return r;
	with_path = !strcmp(sd_bus_message_get_signature(reply, true), "a(oa{sv})");
	r = sd_bus_message_enter_container(reply, 'a', with_path ? "(oa{sv})" : "a{sv}");
	while (r >= 0 && sd_bus_message_at_end(reply, false) == 0) {
		if (list.n == ITEMS_MAX) {
			r = -E2BIG;
			break;
		}
		grown = reallocarray(list.items, list.n + 1, sizeof(*grown));
		if (!grown) {
			r = -ENOMEM;
			break;
		}
		list.items = grown;
		r = read_item(reply, with_path, &list.items[list.n]);
		if (r >= 0)
			list.n++;
	}
	sd_bus_message_unref(reply);
	if (r < 0) {
		client_list_clear(&list);
		return r;
	}
	*ret = list;
	return 0;
}

void client_list_clear(struct client_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		client_dict_clear(&list->items[i]);
	free(list->items);
	*list = (struct client_list){ 0 };
}
