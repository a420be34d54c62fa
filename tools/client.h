/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CALLGATE_CLIENT_H
#define CALLGATE_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

#define CLIENT_NAME    "org.callgate1"
#define CLIENT_ROOT    "/org/callgate1"
#define CLIENT_MANAGER "org.callgate1.Manager"
#define CLIENT_SESSION "org.callgate1.Session"
#define CLIENT_PEER    "org.callgate1.Peer"
#define CLIENT_AGENT   "org.callgate1.Agent"
#define CLIENT_ERROR   "org.callgate1.Error."

/**
 * struct client_field - one entry of an a{sv}
 * @name: the key
 * @type: 's' text, 'u' number, 'b' truth value, 'a' list of texts; others are not kept
 * @number: for 'u' and 'b'
 * @text: for 's'
 * @list: for 'a', ends with NULL
 */
struct client_field {
	char *name;
	char type;
	uint64_t number;
	char *text;
	char **list;
};

/* One object or event of the daemon: what its a{sv} said. path is NULL where there is none. */
struct client_dict {
	char *path;
	size_t n;
	struct client_field *fields;
};

struct client_list {
	size_t n;
	struct client_dict *items;
};

/**
 * struct client - a connection to the system bus
 * @bus: the connection
 * @owner: unique name of the daemon, NULL while it does not run
 * @on_owner: called after @owner changed; may be NULL
 * @userdata: for @on_owner
 */
struct client {
	sd_bus *bus;
	char *owner;
	void (*on_owner)(void *userdata);
	void *userdata;
};

int client_open(struct client *client);
void client_close(struct client *client);

/* SIGINT, SIGTERM and SIGHUP come through the event loop from here on; without a handler they end it. */
int client_on_signals(sd_event *event, sd_event_signal_handler_t handler, void *userdata);

/* Learn who the daemon is and follow it. Starts it where the bus knows how; its absence is no error. */
int client_follow(struct client *client);

/* Whether a message comes from the daemon itself: the bus vouches for unique names. */
bool client_is_genuine(const struct client *client, sd_bus_message *m);

/* Read one a{sv}; refuses absurd sizes. ret is untouched on failure. */
int client_read_dict(sd_bus_message *m, struct client_dict *ret);
void client_dict_clear(struct client_dict *dict);
/* Move the fields of from into dict, in the place of those of the same name. from is empty afterwards. */
int client_merge(struct client_dict *dict, struct client_dict *from);

const struct client_field *client_find(const struct client_dict *dict, const char *name);
/* Never NULL; "" for what is absent or of another type. */
const char *client_text(const struct client_dict *dict, const char *name);
uint64_t client_number(const struct client_dict *dict, const char *name);

/* Call a List* method of the Manager. */
int client_fetch(struct client *client, const char *method, struct client_list *ret,
		 sd_bus_error *error);
void client_list_clear(struct client_list *list);

#endif
