// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What a process becomes that shows a window: callgate-prompt, with an environment of
 * ours. Called by callgate-agent.c, in a child.
 *
 * Security: no right of the agent's is left, and nothing that the user chose. The
 * session's bus is where screen readers are found; what presses a button from there
 * is no hand.
 */
#include "child.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define WINDOW "/usr/libexec/callgate-prompt"

void child_become(const char *language, const struct display *display, int input, int output)
{
	char where[64], words[64], bus[96];
	char *argv[] = { (char *)WINDOW, NULL };
	char *envp[] = { where,
			 display->name ? "GDK_BACKEND=x11" : "GDK_BACKEND=wayland",
			 "HOME=/nonexistent",
			 "XDG_CONFIG_HOME=/nonexistent",
			 "XDG_DATA_HOME=/nonexistent",
			 "XDG_CACHE_HOME=/nonexistent",
			 "XDG_RUNTIME_DIR=/nonexistent",
			 "XDG_DATA_DIRS=/usr/share",
			 "XDG_CONFIG_DIRS=/etc/xdg",
			 "PATH=/usr/bin:/bin",
			 "GSETTINGS_BACKEND=memory",
			 "GIO_USE_VFS=local",
			 "GTK_USE_PORTAL=0",
			 "ADW_DISABLE_PORTAL=1",
			 "GTK_IM_MODULE=gtk-im-context-simple",
			 "LC_ALL=C.UTF-8",
			 bus,
			 words,
			 NULL };
	gid_t gid = getgid();
	int kept = STDERR_FILENO;
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	snprintf(words, sizeof(words), "LANGUAGE=%s", language ? language : "en");
	snprintf(bus, sizeof(bus), "DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/%u/bus", getuid());
	if (setresgid(gid, gid, gid) < 0 || dup2(input, STDIN_FILENO) < 0 ||
	    dup2(output, STDOUT_FILENO) < 0)
		_exit(127);
	if (display->name) {
		snprintf(where, sizeof(where), "DISPLAY=%s", display->name);
	} else if (!display->server) {
		snprintf(where, sizeof(where), "DISPLAY=");
	} else {
		kept++;
		snprintf(where, sizeof(where), "WAYLAND_SOCKET=%d", kept);
		/* Where it has this number already, dup2 would leave it to close at exec. */
		if (dup2(display->connection, kept) < 0 || fcntl(kept, F_SETFD, 0) < 0)
			_exit(127);
	}
	if (close_range(kept + 1, ~0u, 0) < 0)
		_exit(127);
	execve(WINDOW, argv, envp);
	_exit(127);
}
