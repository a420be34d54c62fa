// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The icon in the tray and its menu: org.kde.StatusNotifierItem, whose menu is
 * com.canonical.dbusmenu. Says what the state says, and passes clicks on. Called by
 * callgate-indicator.c. Any program of the user may call it: a click can end and
 * block, no more.
 */
#include "tray.h"

#include "plain.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ITEM_PATH    "/StatusNotifierItem"
#define ITEM	     "org.kde.StatusNotifierItem"
#define WATCHER	     "org.kde.StatusNotifierWatcher"
#define WATCHER_PATH "/StatusNotifierWatcher"
#define MENU_PATH    "/StatusNotifierItem/menu"
#define MENU	     "com.canonical.dbusmenu"
#define ENTRIES_MAX  64

/* Numbers of the menu's entries. A call's and its end's follow from its own number. */
enum {
	ENTRY_ROOT,
	ENTRY_TITLE,
	ENTRY_LINE,
	ENTRY_BLOCK_CAMERA,
	ENTRY_BLOCK_MICROPHONE,
	ENTRY_BLOCK_ALL,
	ENTRY_STREAMS = 100,
	ENTRY_CALLS = 1000,
};

/**
 * struct entry - one line of the menu
 * @label: owned; NULL: a line between
 * @click: it does something
 * @check: 0 or 1 where it can be on, else -1
 */
struct entry {
	int id;
	char *label;
	bool click;
	int check;
};

struct entries {
	size_t n;
	struct entry entry[ENTRIES_MAX];
};

/* ---- the menu ---------------------------------------------------------------------------------- */

/* Takes label. */
static void add(struct entries *entries, int id, char *label, bool click, int check)
{
	if (entries->n == ENTRIES_MAX || (id != ENTRY_LINE && !label)) {
		free(label);
		return;
	}
	entries->entry[entries->n++] =
		(struct entry){ .id = id, .label = label, .click = click, .check = check };
}

static void fill(const struct state *state, struct entries *entries)
{
	add(entries, ENTRY_TITLE, state_title(state), false, -1);
	for (size_t i = 0; state->ids && i < state->calls.n && i < 16; i++) {
		int id = ENTRY_CALLS + 2 * state->ids[i];

		add(entries, id, state_call(&state->calls.items[i]), false, -1);
		add(entries, id + 1, strdup(_("End this call")), true, -1);
	}
	for (size_t i = 0; i < state->streams.n && i < 16; i++)
		add(entries, ENTRY_STREAMS + (int)i, state_stream(&state->streams.items[i]), false,
		    -1);
	if (!state->client.owner)
		return;
	add(entries, ENTRY_LINE, NULL, false, -1);
	add(entries, ENTRY_BLOCK_CAMERA, strdup(_("Block the camera")), true,
	    (state->blocked & KIND_CAMERA) != 0);
	add(entries, ENTRY_BLOCK_MICROPHONE, strdup(_("Block the microphone")), true,
	    (state->blocked & KIND_MICROPHONE) != 0);
	add(entries, ENTRY_BLOCK_ALL, strdup(_("Block both")), true,
	    (state->blocked & KIND_BOTH) == KIND_BOTH);
}

static void entries_clear(struct entries *entries)
{
	for (size_t i = 0; i < entries->n; i++)
		free(entries->entry[i].label);
	entries->n = 0;
}

/* An underscore would mark a key. */
static char *escape(const char *label)
{
	char *copy = malloc(2 * strlen(label) + 1), *p = copy;

	for (; copy && *label; label++) {
		if (*label == '_')
			*p++ = '_';
		*p++ = *label;
	}
	if (copy)
		*p = '\0';
	return copy;
}

static int append_properties(sd_bus_message *m, const struct entry *entry)
{
	char *label;
	int r;

	r = sd_bus_message_open_container(m, 'a', "{sv}");
	if (r >= 0 && !entry)
		r = sd_bus_message_append(m, "{sv}", "children-display", "s", "submenu");
	if (r >= 0 && entry && !entry->label)
		r = sd_bus_message_append(m, "{sv}", "type", "s", "separator");
	if (r >= 0 && entry && entry->label) {
		label = escape(entry->label);
		r = label ? sd_bus_message_append(m, "{sv}{sv}", "label", "s", label, "enabled",
						  "b", entry->click)
			  : -ENOMEM;
		free(label);
	}
	if (r >= 0 && entry && entry->check >= 0)
		r = sd_bus_message_append(m, "{sv}{sv}", "toggle-type", "s", "checkmark",
					  "toggle-state", "i", entry->check);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_entry(sd_bus_message *m, const struct entry *entry)
{
	int r;

	r = sd_bus_message_open_container(m, 'v', "(ia{sv}av)");
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'r', "ia{sv}av");
	if (r >= 0)
		r = sd_bus_message_append(m, "i", entry->id);
	if (r >= 0)
		r = append_properties(m, entry);
	if (r >= 0)
		r = sd_bus_message_append(m, "av", 0);
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_layout(sd_bus_message *m, const struct entries *entries, int parent, int depth)
{
	const struct entry *entry = NULL;
	int r;

	for (size_t i = 0; i < entries->n && parent != ENTRY_ROOT; i++)
		if (entries->entry[i].id == parent)
			entry = &entries->entry[i];
	if (parent != ENTRY_ROOT && !entry)
		return -ENOENT;
	r = sd_bus_message_open_container(m, 'r', "ia{sv}av");
	if (r >= 0)
		r = sd_bus_message_append(m, "i", parent);
	if (r >= 0)
		r = append_properties(m, entry);
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'a', "v");
	for (size_t i = 0; r >= 0 && !entry && depth != 0 && i < entries->n; i++)
		r = append_entry(m, &entries->entry[i]);
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int method_get_layout(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct tray *tray = userdata;
	struct entries entries = { 0 };
	sd_bus_message *reply = NULL;
	int parent, depth, r;

	r = sd_bus_message_read(m, "ii", &parent, &depth);
	if (r < 0)
		return r;
	fill(tray->state, &entries);
	r = sd_bus_message_new_method_return(m, &reply);
	if (r >= 0)
		r = sd_bus_message_append(reply, "u", tray->revision);
	if (r >= 0)
		r = append_layout(reply, &entries, parent, depth);
	if (r >= 0)
		r = sd_bus_send(NULL, reply, NULL);
	entries_clear(&entries);
	sd_bus_message_unref(reply);
	return r;
}

static bool is_asked(const int32_t *ids, size_t n, int id)
{
	for (size_t i = 0; i < n; i++)
		if (ids[i] == id)
			return true;
	return n == 0;
}

/* NULL: the menu itself, of which panels ask as of an entry. */
static int append_pair(sd_bus_message *m, int id, const struct entry *entry)
{
	int r = sd_bus_message_open_container(m, 'r', "ia{sv}");

	if (r >= 0)
		r = sd_bus_message_append(m, "i", id);
	if (r >= 0)
		r = append_properties(m, entry);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int method_get_properties(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct tray *tray = userdata;
	struct entries entries = { 0 };
	sd_bus_message *reply = NULL;
	const void *ids;
	size_t size;
	int r;

	r = sd_bus_message_read_array(m, 'i', &ids, &size);
	if (r < 0)
		return r;
	fill(tray->state, &entries);
	r = sd_bus_message_new_method_return(m, &reply);
	if (r >= 0)
		r = sd_bus_message_open_container(reply, 'a', "(ia{sv})");
	if (r >= 0 && is_asked(ids, size / sizeof(int32_t), ENTRY_ROOT))
		r = append_pair(reply, ENTRY_ROOT, NULL);
	for (size_t i = 0; r >= 0 && i < entries.n; i++)
		if (is_asked(ids, size / sizeof(int32_t), entries.entry[i].id))
			r = append_pair(reply, entries.entry[i].id, &entries.entry[i]);
	if (r >= 0)
		r = sd_bus_message_close_container(reply);
	if (r >= 0)
		r = sd_bus_send(NULL, reply, NULL);
	entries_clear(&entries);
	sd_bus_message_unref(reply);
	return r;
}

static void click(struct tray *tray, int id)
{
	struct state *state = tray->state;
	unsigned int kinds = 0;

	for (size_t i = 0; state->ids && i < state->calls.n; i++)
		if (id == ENTRY_CALLS + 2 * state->ids[i] + 1)
			state_end(state, state->calls.items[i].path);
	if (id == ENTRY_BLOCK_CAMERA)
		kinds = KIND_CAMERA;
	if (id == ENTRY_BLOCK_MICROPHONE)
		kinds = KIND_MICROPHONE;
	if (id == ENTRY_BLOCK_ALL)
		kinds = KIND_BOTH;
	if (kinds)
		state_block(state, kinds, (state->blocked & kinds) != kinds);
}

static int take_event(struct tray *tray, sd_bus_message *m)
{
	const char *what;
	uint32_t at;
	int id, r;

	r = sd_bus_message_read(m, "is", &id, &what);
	if (r >= 0)
		r = sd_bus_message_skip(m, "v");
	if (r >= 0)
		r = sd_bus_message_read(m, "u", &at);
	if (r >= 0 && strcmp(what, "clicked") == 0)
		click(tray, id);
	return r;
}

static int method_event(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	int r = take_event(userdata, m);

	return r < 0 ? r : sd_bus_reply_method_return(m, NULL);
}

static int method_event_group(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	int r = sd_bus_message_enter_container(m, 'a', "(isvu)");

	while (r >= 0 && (r = sd_bus_message_enter_container(m, 'r', "isvu")) > 0) {
		r = take_event(userdata, m);
		if (r >= 0)
			r = sd_bus_message_exit_container(m);
	}
	return r < 0 ? r : sd_bus_reply_method_return(m, "ai", 0);
}

static int method_about_to_show(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	return sd_bus_reply_method_return(m, "b", false);
}

static int method_about_to_show_group(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	return sd_bus_reply_method_return(m, "aiai", 0, 0);
}

static int get_menu(sd_bus *bus, const char *path, const char *interface, const char *property,
		    sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
	if (strcmp(property, "Version") == 0)
		return sd_bus_message_append(reply, "u", 3);
	if (strcmp(property, "IconThemePath") == 0)
		return sd_bus_message_append(reply, "as", 0);
	return sd_bus_message_append(reply, "s",
				     strcmp(property, "Status") == 0 ? "normal" : "ltr");
}

static const sd_bus_vtable menu_vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD("GetLayout", "iias", "u(ia{sv}av)", method_get_layout,
		      SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("GetGroupProperties", "aias", "a(ia{sv})", method_get_properties,
		      SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("Event", "isvu", NULL, method_event, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("EventGroup", "a(isvu)", "ai", method_event_group,
		      SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("AboutToShow", "i", "b", method_about_to_show, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("AboutToShowGroup", "ai", "aiai", method_about_to_show_group,
		      SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_PROPERTY("Version", "u", get_menu, 0, SD_BUS_VTABLE_PROPERTY_CONST),
	SD_BUS_PROPERTY("TextDirection", "s", get_menu, 0, SD_BUS_VTABLE_PROPERTY_CONST),
	SD_BUS_PROPERTY("Status", "s", get_menu, 0, SD_BUS_VTABLE_PROPERTY_CONST),
	SD_BUS_PROPERTY("IconThemePath", "as", get_menu, 0, SD_BUS_VTABLE_PROPERTY_CONST),
	SD_BUS_SIGNAL("LayoutUpdated", "ui", 0),
	SD_BUS_SIGNAL("ItemsPropertiesUpdated", "a(ia{sv})a(ias)", 0),
	SD_BUS_VTABLE_END
};

/* ---- the icon ---------------------------------------------------------------------------------- */

/* Names of which the theme that comes with the package has a picture; of some it has no other than the symbolic one. */
static const char *icon(const struct state *state)
{
	unsigned int kinds = state_kinds(state);

	if (kinds)
		return kinds == KIND_MICROPHONE ? "audio-input-microphone-symbolic"
						: "camera-web-symbolic";
	if (state->blocked)
		return "camera-disabled-symbolic";
	return state->calls.n ? "call-start-symbolic" : "camera-web-symbolic";
}

static const char *status(const struct state *state)
{
	return state_kinds(state) || state->calls.n || state->blocked ? "Active" : "Passive";
}

static int get_item(sd_bus *bus, const char *path, const char *interface, const char *property,
		    sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
	struct tray *tray = userdata;
	const struct state *state = tray->state;
	char *text;
	int r;

	if (strcmp(property, "Category") == 0)
		return sd_bus_message_append(reply, "s", "Hardware");
	if (strcmp(property, "Id") == 0)
		return sd_bus_message_append(reply, "s", "callgate");
	if (strcmp(property, "Status") == 0)
		return sd_bus_message_append(reply, "s", status(state));
	if (strcmp(property, "IconName") == 0)
		return sd_bus_message_append(reply, "s", icon(state));
	if (strcmp(property, "ItemIsMenu") == 0)
		return sd_bus_message_append(reply, "b", true);
	if (strcmp(property, "Menu") == 0)
		return sd_bus_message_append(reply, "o", MENU_PATH);
	text = state_title(state);
	r = text ? sd_bus_message_append(reply, "s", text) : -ENOMEM;
	free(text);
	return r;
}

static int get_tooltip(sd_bus *bus, const char *path, const char *interface, const char *property,
		       sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
	struct tray *tray = userdata;
	char *title = state_title(tray->state), *summary = state_summary(tray->state);
	int r = -ENOMEM;

	if (title && summary)
		r = sd_bus_message_append(reply, "(sa(iiay)ss)", icon(tray->state), 0, title,
					  summary);
	free(title);
	free(summary);
	return r;
}

/* A click on the icon opens the menu, which is the tray's to do. */
static int method_nothing(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	return sd_bus_reply_method_return(m, NULL);
}

static const sd_bus_vtable item_vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_PROPERTY("Category", "s", get_item, 0, SD_BUS_VTABLE_PROPERTY_CONST),
	SD_BUS_PROPERTY("Id", "s", get_item, 0, SD_BUS_VTABLE_PROPERTY_CONST),
	SD_BUS_PROPERTY("Title", "s", get_item, 0, 0),
	SD_BUS_PROPERTY("Status", "s", get_item, 0, 0),
	SD_BUS_PROPERTY("IconName", "s", get_item, 0, 0),
	SD_BUS_PROPERTY("ToolTip", "(sa(iiay)ss)", get_tooltip, 0, 0),
	SD_BUS_PROPERTY("ItemIsMenu", "b", get_item, 0, SD_BUS_VTABLE_PROPERTY_CONST),
	SD_BUS_PROPERTY("Menu", "o", get_item, 0, SD_BUS_VTABLE_PROPERTY_CONST),
	SD_BUS_METHOD("Activate", "ii", NULL, method_nothing, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("SecondaryActivate", "ii", NULL, method_nothing, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("ContextMenu", "ii", NULL, method_nothing, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("Scroll", "is", NULL, method_nothing, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_SIGNAL("NewTitle", NULL, 0),
	SD_BUS_SIGNAL("NewIcon", NULL, 0),
	SD_BUS_SIGNAL("NewToolTip", NULL, 0),
	SD_BUS_SIGNAL("NewStatus", "s", 0),
	SD_BUS_VTABLE_END
};

void tray_update(struct tray *tray)
{
	sd_bus *bus = tray->state->desk;

	tray->revision++;
	sd_bus_emit_signal(bus, ITEM_PATH, ITEM, "NewStatus", "s", status(tray->state));
	sd_bus_emit_signal(bus, ITEM_PATH, ITEM, "NewTitle", NULL);
	sd_bus_emit_signal(bus, ITEM_PATH, ITEM, "NewIcon", NULL);
	sd_bus_emit_signal(bus, ITEM_PATH, ITEM, "NewToolTip", NULL);
	sd_bus_emit_signal(bus, MENU_PATH, MENU, "LayoutUpdated", "ui", tray->revision, ENTRY_ROOT);
}

/* ---- the tray ---------------------------------------------------------------------------------- */

static void set_shown(struct tray *tray, bool shown)
{
	if (tray->shown == shown)
		return;
	tray->shown = shown;
	tray->changed(tray->userdata);
}

/* A watcher without a host has nobody who draws. */
static int on_host(sd_bus_message *m, void *userdata, sd_bus_error *unused)
{
	int there = false;

	if (!sd_bus_message_is_method_error(m, NULL) &&
	    sd_bus_message_enter_container(m, 'v', "b") >= 0)
		sd_bus_message_read(m, "b", &there);
	set_shown(userdata, there);
	return 0;
}

static void ask_host(struct tray *tray)
{
	sd_bus_call_method_async(tray->state->desk, NULL, WATCHER, WATCHER_PATH,
				 "org.freedesktop.DBus.Properties", "Get", on_host, tray, "ss",
				 WATCHER, "IsStatusNotifierHostRegistered");
}

static int on_registered(sd_bus_message *m, void *userdata, sd_bus_error *unused)
{
	if (sd_bus_message_is_method_error(m, NULL))
		set_shown(userdata, false);
	else
		ask_host(userdata);
	return 0;
}

static void enlist(struct tray *tray)
{
	const char *name;

	if (sd_bus_get_unique_name(tray->state->desk, &name) >= 0)
		sd_bus_call_method_async(tray->state->desk, NULL, WATCHER, WATCHER_PATH, WATCHER,
					 "RegisterStatusNotifierItem", on_registered, tray, "s",
					 name);
}

static int on_watcher(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	const char *name, *old, *new;

	if (sd_bus_message_read(m, "sss", &name, &old, &new) < 0)
		return 0;
	if (*new)
		enlist(userdata);
	else
		set_shown(userdata, false);
	return 0;
}

static int on_hosts(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	ask_host(userdata);
	return 0;
}

int tray_start(struct tray *tray)
{
	sd_bus *bus = tray->state->desk;
	int r;

	r = sd_bus_add_object_vtable(bus, NULL, ITEM_PATH, ITEM, item_vtable, tray);
	if (r >= 0)
		r = sd_bus_add_object_vtable(bus, NULL, MENU_PATH, MENU, menu_vtable, tray);
	if (r >= 0)
		r = sd_bus_add_match(bus, NULL,
				     "type='signal',sender='org.freedesktop.DBus',"
				     "interface='org.freedesktop.DBus',member='NameOwnerChanged',"
				     "arg0='" WATCHER "'",
				     on_watcher, tray);
	if (r >= 0)
		r = sd_bus_match_signal(bus, NULL, WATCHER, WATCHER_PATH, WATCHER,
					"StatusNotifierHostRegistered", on_hosts, tray);
	if (r >= 0)
		r = sd_bus_match_signal(bus, NULL, WATCHER, WATCHER_PATH, WATCHER,
					"StatusNotifierHostUnregistered", on_hosts, tray);
	if (r >= 0)
		enlist(tray);
	return r;
}
