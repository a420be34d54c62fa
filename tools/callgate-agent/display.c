// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Which display is the one in front of the person. Asks logind and the bus, nobody
 * else. Called by callgate-agent.c for each question.
 *
 * Security: whoever starts the agent may want it on a display of his own, where
 * he presses the buttons. So nothing about the display comes from the
 * environment: the session has to be this user's, local, graphical and active on a
 * seat, and its display is the one that the server of that seat serves: a server of
 * root's that the display manager told logind of, or the process to which logind
 * gave the seat's devices (its controller, of which a session has one). A name or
 * a socket alone proves nothing: a server of this user's has its socket in a folder
 * where he may replace it. Under Wayland the connection is made here and passed on;
 * the window checks with whom it is connected in its turn.
 */
#include "display.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-login.h>
#include <unistd.h>

#define X_FOLDER     "/tmp/.X11-unix"
#define USERS	     "/run/user/"
#define SESSIONS     "/run/systemd/sessions/"
#define DISPLAYS_MAX 64
#define ANSWER_USEC  5000000ull

void display_clear(struct display *display)
{
	free(display->session);
	free(display->seat);
	free(display->name);
	if (display->connection > 0)
		close(display->connection);
	*display = (struct display){ 0 };
}

bool display_is_active(const struct display *display)
{
	return sd_session_is_active(display->session) > 0;
}

/*
 * The process to which logind gave the seat's devices; 0 for none. logind has no
 * method that tells, but writes down the name of its connection.
 */
static pid_t find_controller(const char *session, sd_bus *bus)
{
	char path[sizeof(SESSIONS) + 64], line[256], name[64] = "";
	sd_bus_message *m = NULL, *reply = NULL;
	uint32_t pid = 0;
	FILE *file;
	int r;

	if (snprintf(path, sizeof(path), SESSIONS "%s", session) >= (int)sizeof(path))
		return 0;
	file = fopen(path, "re");
	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "CONTROLLER=%63s", name) == 1)
			break;
	fclose(file);
	if (name[0] != ':')
		return 0;
	r = sd_bus_message_new_method_call(bus, &m, "org.freedesktop.DBus", "/org/freedesktop/DBus",
					   "org.freedesktop.DBus", "GetConnectionUnixProcessID");
	if (r >= 0)
		r = sd_bus_message_append(m, "s", name);
	if (r >= 0)
		r = sd_bus_call(bus, m, ANSWER_USEC, NULL, &reply);
	if (r >= 0)
		r = sd_bus_message_read(reply, "u", &pid);
	sd_bus_message_unref(m);
	sd_bus_message_unref(reply);
	return r < 0 ? 0 : (pid_t)pid;
}

/* A connection to whoever listens there; negative errno. */
static int connect_to(const char *path, struct ucred *ret_server)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	socklen_t length = sizeof(*ret_server);
	int fd, r = 0;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	/* One that is full is passed by, not waited for. */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, ret_server, &length) < 0)
		r = -errno;
	else if (ret_server->pid <= 0)
		r = -ESRCH;
	if (r < 0)
		close(fd);
	return r < 0 ? r : fd;
}

/* Who listens for ":N". */
static bool ask_server(const char *name, struct ucred *ret)
{
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	int fd;

	if (name[0] != ':' || name[1] == '\0' || strspn(name + 1, "0123456789") != strlen(name + 1))
		return false;
	if (snprintf(path, sizeof(path), X_FOLDER "/X%s", name + 1) >= (int)sizeof(path))
		return false;
	fd = connect_to(path, ret);
	if (fd < 0)
		return false;
	close(fd);
	return true;
}

/* Of a server that told nobody its name: what the controller of the session listens on. */
static int search_display(struct display *display, pid_t controller)
{
	DIR *folder = opendir(X_FOLDER);
	struct dirent *entry;
	struct ucred server;
	int n = 0;

	while (folder && !display->name && n++ < DISPLAYS_MAX && (entry = readdir(folder))) {
		if (entry->d_name[0] != 'X' ||
		    asprintf(&display->name, ":%s", entry->d_name + 1) < 0) {
			display->name = NULL;
			continue;
		}
		if (ask_server(display->name, &server) && server.pid == controller) {
			display->server = server.pid;
			break;
		}
		free(display->name);
		display->name = NULL;
	}
	if (folder)
		closedir(folder);
	return display->name ? 0 : -ENXIO;
}

static int find_server(struct display *display, sd_bus *bus, const char **ret_why)
{
	pid_t controller = find_controller(display->session, bus);
	struct ucred server;

	if (sd_session_get_display(display->session, &display->name) < 0) {
		display->name = NULL;
		*ret_why = "no X server that logind gave the seat to serves a display";
		return controller > 0 ? search_display(display, controller) : -ENXIO;
	}
	*ret_why = "the display of the session in front is not served by the X server of the seat";
	if (!ask_server(display->name, &server) ||
	    (server.uid != 0 && (controller <= 0 || server.pid != controller)))
		return -ENXIO;
	display->server = server.pid;
	return 0;
}

/*
 * Of the sockets in the user's folder the one on which the controller of the session
 * listens. Which name it has, and what the others are, does not matter.
 */
static int find_compositor(struct display *display, sd_bus *bus, const char **ret_why)
{
	pid_t controller = find_controller(display->session, bus);
	char folder[64], path[sizeof(folder) + NAME_MAX + 1];
	struct dirent *entry;
	struct ucred server;
	int n = 0, fd;
	DIR *sockets;

	*ret_why = "no compositor that logind gave the seat to serves a display";
	if (controller <= 0)
		return -ENXIO;
	snprintf(folder, sizeof(folder), USERS "%u", getuid());
	sockets = opendir(folder);
	while (sockets && !display->server && n < DISPLAYS_MAX && (entry = readdir(sockets))) {
		if (strncmp(entry->d_name, "wayland-", strlen("wayland-")) != 0)
			continue;
		n++;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		fd = connect_to(path, &server);
		if (fd >= 0 && server.pid == controller && server.uid == getuid()) {
			display->connection = fd;
			display->server = server.pid;
		} else if (fd >= 0) {
			close(fd);
		}
	}
	if (sockets)
		closedir(sockets);
	return display->server ? 0 : -ENXIO;
}

static int read_session(struct display *display, sd_bus *bus, const char **ret_why)
{
	const char *session = display->session;
	char *type = NULL;
	bool x11, wayland;

	*ret_why = "the session in front is not graphical";
	if (sd_session_get_type(session, &type) < 0)
		return -ENXIO;
	x11 = strcmp(type, "x11") == 0;
	wayland = strcmp(type, "wayland") == 0;
	free(type);
	if (!x11 && !wayland)
		return -EOPNOTSUPP;
	*ret_why = "the session in front is remote";
	if (sd_session_is_remote(session) != 0)
		return -EOPNOTSUPP;
	return x11 ? find_server(display, bus, ret_why) : find_compositor(display, bus, ret_why);
}

int display_find(struct display *ret, sd_bus *bus, const char **ret_why)
{
	struct display display = { 0 };
	char **seats = NULL;
	uid_t uid;
	int r = -ENXIO;

	*ret_why = "no session of yours is in front on a seat of this machine";
	if (sd_get_seats(&seats) < 0)
		return -ENXIO;
	for (char **seat = seats; seat && *seat; seat++) {
		if (r < 0 && sd_seat_get_active(*seat, &display.session, &uid) >= 0 &&
		    uid == getuid()) {
			r = read_session(&display, bus, ret_why);
			if (r >= 0)
				display.seat = strdup(*seat);
			if (r >= 0 && !display.seat)
				r = -ENOMEM;
		}
		if (r < 0)
			display_clear(&display);
		free(*seat);
	}
	free(seats);
	if (r >= 0)
		*ret = display;
	return r;
}
