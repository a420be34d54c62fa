// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Which display is the one in front of the person. Asks logind and nobody else.
 * Called by callgate-agent.c for each question.
 *
 * Security: whoever starts the agent may want it on a display of his own, where
 * he presses the buttons. So nothing about the display comes from the
 * environment: the session has to be this user's, local, graphical and active on a
 * seat, the display is what the display manager told logind when it opened
 * that session, and its socket must belong to a process of root's or of this user's.
 * Under Wayland logind knows no display: there is no question in a window then.
 */
#include "display.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-login.h>
#include <unistd.h>

#define X_SOCKET "/tmp/.X11-unix/X"

void display_clear(struct display *display)
{
	free(display->session);
	free(display->seat);
	free(display->name);
	*display = (struct display){ 0 };
}

bool display_is_active(const struct display *display)
{
	return sd_session_is_active(display->session) > 0;
}

/* The X server that really listens there: root's, or ours where it runs without root. */
static bool is_served(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct ucred peer;
	socklen_t length = sizeof(peer);
	bool good;
	int fd;

	if (name[0] != ':' || name[1] == '\0' || strspn(name + 1, "0123456789") != strlen(name + 1))
		return false;
	if (snprintf(address.sun_path, sizeof(address.sun_path), X_SOCKET "%s", name + 1) >=
	    (int)sizeof(address.sun_path))
		return false;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	good = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
	       getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
	       (peer.uid == 0 || peer.uid == getuid());
	close(fd);
	return good;
}

static int read_session(const char *session, struct display *display, const char **ret_why)
{
	char *type = NULL;
	bool x11;

	*ret_why = "the session in front is not graphical";
	if (sd_session_get_type(session, &type) < 0)
		return -ENXIO;
	x11 = strcmp(type, "x11") == 0;
	if (strcmp(type, "wayland") == 0)
		*ret_why = "under Wayland it cannot be told yet which display is in front of you";
	free(type);
	if (!x11)
		return -EOPNOTSUPP;
	*ret_why = "the session in front is remote";
	if (sd_session_is_remote(session) != 0)
		return -EOPNOTSUPP;
	*ret_why = "logind knows no display of the session in front";
	if (sd_session_get_display(session, &display->name) < 0 || !is_served(display->name))
		return -ENXIO;
	return 0;
}

int display_find(struct display *ret, const char **ret_why)
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
			r = read_session(display.session, &display, ret_why);
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
