// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Knows which users are in front of the machine, from logind: by sd-login, which
 * reads what logind keeps in files and waits for changes of them, and, for the lock
 * of the screen, which is in no file, over the bus. Must not decide what follows.
 * Owned by manager.c.
 *
 * Security: signals are only a reason to ask logind, and its answers come from
 * the owner of its name. A desktop tells logind that it locked; one that does not is never locked here. A
 * program of the user can say so, too, and gains nothing: what is locked is less.
 */
#include "seat.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/macro.h"

#define LOGIN_NAME    "org.freedesktop.login1"
#define LOGIN_PATH    "/org/freedesktop/login1"
#define LOGIN_MANAGER "org.freedesktop.login1.Manager"
#define LOGIN_SESSION "org.freedesktop.login1.Session"
#define PROPERTIES    "org.freedesktop.DBus.Properties"
#define PROPERTIES_RULE                                                \
	"type='signal',sender='" LOGIN_NAME "',interface='" PROPERTIES \
	"',member='PropertiesChanged',path_namespace='" LOGIN_PATH     \
	"/session',arg0='" LOGIN_SESSION "'"

/* ---- in front ------------------------------------------------------------------------------------- */

static bool look(uid_t uid)
{
	return sd_uid_get_seats(uid, 0, NULL) > 0 && sd_uid_get_seats(uid, 1, NULL) == 0;
}

bool seats_away(struct seats *seats, uid_t uid)
{
	struct seat_user *user;

	/* Nothing would say when it changes. */
	if (seats->monitor == NULL)
		return look(uid);
	for (unsigned int i = 0; i < BOUND_USERS; i++)
		if (seats->users[i].known && seats->users[i].uid == uid)
			return seats->users[i].away;
	user = &seats->users[seats->next_user++ % BOUND_USERS];
	*user = (struct seat_user){ .uid = uid, .known = true, .away = look(uid) };
	return user->away;
}

static void forget(struct seats *seats)
{
	for (unsigned int i = 0; i < BOUND_USERS; i++)
		seats->users[i].known = false;
}

static int on_monitor(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct seats *seats = userdata;

	sd_login_monitor_flush(seats->monitor);
	forget(seats);
	seats->changed(seats->userdata);
	return 0;
}

static int watch_files(struct seats *seats)
{
	/* As long as logind never ran there is nothing to watch, and nobody is away. */
	if (seats->monitor != NULL || sd_login_monitor_new("uid", &seats->monitor) < 0)
		return 0;
	return sd_event_add_io(seats->event, &seats->io, sd_login_monitor_get_fd(seats->monitor),
			       (uint32_t)sd_login_monitor_get_events(seats->monitor), on_monitor,
			       seats);
}

/* ---- locked --------------------------------------------------------------------------------------- */

bool seats_locked(const struct seats *seats, uid_t uid)
{
	const struct seat_login *login;

	LIST_FOREACH(login, &seats->logins, all)
	if (login->uid == uid && login->active && login->locked)
		return true;
	return false;
}

static void drop(struct seat_login *login)
{
	LIST_REMOVE(login, all);
	login->seats->n_logins--;
	sd_bus_slot_unref(login->slot);
	free(login);
}

static int read_property(sd_bus_message *m, struct seat_login *login)
{
	const char *name;
	int flag, r;

	r = sd_bus_message_read_basic(m, 's', &name);
	if (r < 0)
		return r;
	if (strcmp(name, "User") == 0)
		return sd_bus_message_read(m, "v", "(uo)", &login->uid, NULL);
	if (strcmp(name, "LockedHint") != 0 && strcmp(name, "Active") != 0)
		return sd_bus_message_skip(m, "v");
	r = sd_bus_message_read(m, "v", "b", &flag);
	if (r >= 0)
		*(name[0] == 'L' ? &login->locked : &login->active) = flag != 0;
	return r;
}

static int on_properties(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct seat_login *login = userdata;
	struct seats *seats = login->seats;
	int r;

	login->slot = sd_bus_slot_unref(login->slot);
	/* It is gone, or logind is. */
	if (sd_bus_message_is_method_error(m, NULL)) {
		drop(login);
		seats->changed(seats->userdata);
		return 0;
	}
	r = sd_bus_message_enter_container(m, 'a', "{sv}");
	while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
		r = read_property(m, login);
		if (r >= 0)
			r = sd_bus_message_exit_container(m);
	}
	seats->changed(seats->userdata);
	return 0;
}

/* Asks logind about a session of its, anew. */
static void learn(struct seats *seats, const char *path)
{
	struct seat_login *login;

	LIST_FOREACH(login, &seats->logins, all)
	if (strcmp(login->path, path) == 0)
		break;
	if (login == NULL) {
		if (seats->n_logins >= BOUND_LOGINS || strlen(path) > BOUND_LOGIN_PATH)
			return;
		login = calloc(1, sizeof(*login));
		if (login == NULL)
			return;
		login->seats = seats;
		login->uid = (uid_t)-1;
		snprintf(login->path, sizeof(login->path), "%s", path);
		LIST_INSERT_HEAD(&seats->logins, login, all);
		seats->n_logins++;
	}
	/* An answer that is on its way is older than what we were told now. */
	login->slot = sd_bus_slot_unref(login->slot);
	if (sd_bus_call_method_async(seats->bus, &login->slot, LOGIN_NAME, path, PROPERTIES,
				     "GetAll", on_properties, login, "s", LOGIN_SESSION) < 0)
		drop(login);
}

static int on_changed(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	learn(userdata, sd_bus_message_get_path(m));
	return 0;
}

/* Came or went: either way logind is asked, so that nobody else can say so. */
static int on_session(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	const char *id, *path;

	watch_files(userdata);
	if (sd_bus_message_read(m, "so", &id, &path) >= 0)
		learn(userdata, path);
	return 0;
}

static int on_list(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	const char *path;
	int r;

	/* There is no logind. */
	if (sd_bus_message_is_method_error(m, NULL))
		return 0;
	r = sd_bus_message_enter_container(m, 'a', "(susso)");
	while (r >= 0 && (r = sd_bus_message_read(m, "(susso)", NULL, NULL, NULL, NULL, &path)) > 0)
		learn(userdata, path);
	return 0;
}

static int watch_bus(struct seats *seats)
{
	sd_bus_message *m = NULL;
	int r;

	r = sd_bus_add_match_async(seats->bus, &seats->slots[0], PROPERTIES_RULE, on_changed, NULL,
				   seats);
	if (r >= 0)
		r = sd_bus_match_signal_async(seats->bus, &seats->slots[1], LOGIN_NAME, LOGIN_PATH,
					      LOGIN_MANAGER, "SessionNew", on_session, NULL, seats);
	if (r >= 0)
		r = sd_bus_match_signal_async(seats->bus, &seats->slots[2], LOGIN_NAME, LOGIN_PATH,
					      LOGIN_MANAGER, "SessionRemoved", on_session, NULL,
					      seats);
	if (r >= 0)
		r = sd_bus_message_new_method_call(seats->bus, &m, LOGIN_NAME, LOGIN_PATH,
						   LOGIN_MANAGER, "ListSessions");
	/* Whoever does not run now says SessionNew when it does. */
	if (r >= 0)
		r = sd_bus_message_set_auto_start(m, 0);
	if (r >= 0)
		r = sd_bus_call_async(seats->bus, &seats->slots[3], m, on_list, seats, 0);
	sd_bus_message_unref(m);
	return r;
}

/* ---- elsewhere ------------------------------------------------------------------------------------ */

static bool is_remote(const char *session)
{
	/* Ended meanwhile, or not understood: nobody can say that it is not. */
	return sd_session_is_remote(session) != 0;
}

bool seats_remote_session(pid_t pid)
{
	_cleanup_free_ char *session = NULL;

	return sd_pid_get_session(pid, &session) >= 0 && is_remote(session);
}

bool seats_remote(pid_t pid, uid_t uid)
{
	_cleanup_free_ char *session = NULL;
	char **sessions = NULL;
	bool remote = false;

	if (sd_pid_get_session(pid, &session) >= 0)
		return is_remote(session);
	/* A unit of the user's manager, say, which any session of his can start. */
	if (sd_uid_get_sessions(uid, 0, &sessions) < 0)
		return false;
	for (char **one = sessions; one != NULL && *one != NULL; one++) {
		remote = remote || is_remote(*one);
		free(*one);
	}
	free(sessions);
	return remote;
}

/* ---- coming and going ----------------------------------------------------------------------------- */

int seats_init(struct seats *seats, sd_bus *bus, sd_event *event, void (*changed)(void *userdata),
	       void *userdata)
{
	int r;

	*seats = (struct seats){
		.bus = bus, .event = event, .changed = changed, .userdata = userdata
	};
	LIST_INIT(&seats->logins);
	r = watch_files(seats);
	return r < 0 ? r : watch_bus(seats);
}

void seats_deinit(struct seats *seats)
{
	for (size_t i = 0; i < ARRAY_SIZE(seats->slots); i++)
		seats->slots[i] = sd_bus_slot_unref(seats->slots[i]);
	while (!LIST_EMPTY(&seats->logins))
		drop(LIST_FIRST(&seats->logins));
	seats->io = sd_event_source_disable_unref(seats->io);
	seats->monitor = sd_login_monitor_unref(seats->monitor);
}
