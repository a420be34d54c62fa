// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Asks polkit whether the user has authenticated for an answer that no hand at the
 * machine can have given. Owns that question and, on a terminal, polkit's program
 * that takes the password. Called by callgate-agent.c and callgate-agent-tty.c.
 *
 * Security: polkit is asked about this agent's own connection, and what it does not
 * authorise, for whatever reason, is a no. The password goes from polkit's program to
 * polkit's helper; it does not come here. Whoever else has it can answer as the user.
 */
#include "agent-auth.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#define POLKIT		"org.freedesktop.PolicyKit1"
#define POLKIT_PATH	"/org/freedesktop/PolicyKit1/Authority"
#define POLKIT_IFACE	"org.freedesktop.PolicyKit1.Authority"
#define POLKIT_INTERACT 1
#define ACTION		"org.callgate1.approve"
#define TERMINAL_AGENT	"/usr/bin/pkttyagent"
/* Somebody types a password. */
#define ANSWER_USEC	(120 * 1000000ull)

/**
 * struct agent_auth
 * @slot: polkit's answer
 * @helper: the process that takes the password on a terminal, or 0
 * @ready: its pipe, which it closes when polkit knows it
 */
struct agent_auth {
	sd_bus *bus;
	sd_bus_slot *slot;
	pid_t helper;
	int ready;
	sd_event_source *io;
	void (*done)(void *userdata, bool yes);
	void *userdata;
};

struct agent_auth *agent_auth_free(struct agent_auth *auth)
{
	if (!auth)
		return NULL;
	sd_bus_slot_unref(auth->slot);
	sd_event_source_disable_unref(auth->io);
	if (auth->ready >= 0)
		close(auth->ready);
	if (auth->helper > 0) {
		kill(auth->helper, SIGTERM);
		waitpid(auth->helper, NULL, 0);
	}
	free(auth);
	return NULL;
}

static int on_polkit(sd_bus_message *reply, void *userdata, sd_bus_error *unused)
{
	struct agent_auth *auth = userdata;
	int allowed = 0, challenge = 0;

	if (sd_bus_message_is_method_error(reply, NULL) ||
	    sd_bus_message_enter_container(reply, 'r', "bba{ss}") < 0 ||
	    sd_bus_message_read(reply, "bb", &allowed, &challenge) < 0)
		allowed = 0;
	auth->done(auth->userdata, allowed == 1);
	return 0;
}

static int ask_polkit(struct agent_auth *auth)
{
	sd_bus_message *call = NULL;
	const char *name;
	int r;

	r = sd_bus_get_unique_name(auth->bus, &name);
	if (r >= 0)
		r = sd_bus_message_new_method_call(auth->bus, &call, POLKIT, POLKIT_PATH,
						   POLKIT_IFACE, "CheckAuthorization");
	if (r >= 0)
		r = sd_bus_message_append(call, "(sa{sv})sa{ss}us", "system-bus-name", 1, "name",
					  "s", name, ACTION, 0, POLKIT_INTERACT, "");
	if (r >= 0)
		r = sd_bus_call_async(auth->bus, &auth->slot, call, on_polkit, auth, ANSWER_USEC);
	sd_bus_message_unref(call);
	return r;
}

/* It has told polkit that it asks for us, or has ended; then polkit finds nobody to ask. */
static int on_ready(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct agent_auth *auth = userdata;

	sd_event_source_set_enabled(auth->io, SD_EVENT_OFF);
	if (ask_polkit(auth) < 0)
		auth->done(auth->userdata, false);
	return 0;
}

/* In the child: no right of the agent's is left, and nothing that the user chose. It asks for its parent. */
static _Noreturn void become_helper(int ready)
{
	char number[16], *argv[] = { "pkttyagent", "--notify-fd", number, NULL };
	char *envp[] = { "PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", NULL };
	struct sigaction action = { .sa_handler = SIG_DFL };
	gid_t gid = getgid();
	sigset_t none;

	snprintf(number, sizeof(number), "%d", STDERR_FILENO + 1);
	for (int i = 1; i < NSIG; i++)
		sigaction(i, &action, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* Where it has this number already, dup2 would leave it to close at exec. */
	if (setresgid(gid, gid, gid) < 0 || dup2(ready, STDERR_FILENO + 1) < 0 ||
	    fcntl(STDERR_FILENO + 1, F_SETFD, 0) < 0 || close_range(STDERR_FILENO + 2, ~0u, 0) < 0)
		_exit(127);
	execve(TERMINAL_AGENT, argv, envp);
	_exit(127);
}

static int start_helper(struct agent_auth *auth)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	auth->ready = fds[0];
	auth->helper = fork();
	if (auth->helper == 0)
		become_helper(fds[1]);
	close(fds[1]);
	if (auth->helper < 0)
		return -errno;
	return sd_event_add_io(sd_bus_get_event(auth->bus), &auth->io, auth->ready, EPOLLIN,
			       on_ready, auth);
}

int agent_auth_new(struct agent_auth **ret, sd_bus *bus, bool on_terminal,
		   void (*done)(void *userdata, bool yes), void *userdata)
{
	struct agent_auth *auth = calloc(1, sizeof(*auth));
	int r;

	if (!auth)
		return -ENOMEM;
	auth->bus = bus;
	auth->ready = -1;
	auth->done = done;
	auth->userdata = userdata;
	r = on_terminal ? start_helper(auth) : ask_polkit(auth);
	if (r < 0) {
		agent_auth_free(auth);
		return r;
	}
	*ret = auth;
	return 0;
}
