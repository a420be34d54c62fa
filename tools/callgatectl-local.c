// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * callgatectl local: runs a command that captures outside a call, where the policy lets the user be asked. Begins the command
 * when the daemon says that it may capture, stops it when it may not any more.
 *
 * Security: it is an app like any other and believed by nobody.
 */
#include "callgatectl.h"
#include "callgatectl-command.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>

#define ASKING_USEC (150 * 1000000ull)
#define STOP_USEC   2000000ull

struct local {
	const struct ctl_request *request;
	sd_event *event;
	struct client client;
	struct command command;
	struct client_dict facts;
	char *path;
	bool over;
	int exit;
};

static int on_stop(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct local *local = userdata;

	command_signal(&local->command, SIGKILL);
	return 0;
}

/* Once; the command's end ends the loop. */
static void over(struct local *local, int exit, const char *why)
{
	if (local->over)
		return;
	local->over = true;
	local->exit = exit;
	if (why)
		ctl_complain("%s", why);
	command_signal(&local->command, SIGTERM);
	sd_event_add_time_relative(local->event, NULL, CLOCK_MONOTONIC, STOP_USEC, 1000, on_stop,
				   local);
}

static int on_ended(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct local *local = userdata;
	int status;

	if (command_reap(&local->command, &status) < 0)
		return 0;
	if (!local->over)
		local->exit = WIFEXITED(status) && WEXITSTATUS(status) == 0 ? CTL_OK : CTL_FAILED;
	return sd_event_exit(local->event, 0);
}

static int on_begun(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct local *local = userdata;
	int r = command_check(&local->command);

	sd_event_source_set_enabled(source, SD_EVENT_OFF);
	if (r < 0) {
		ctl_complain("cannot run %s: %s", local->request->command[0], strerror(-r));
		over(local, CTL_FAILED, NULL);
	}
	return 0;
}

static void look(struct local *local)
{
	unsigned kinds = local->request->kinds;
	const char *reason = client_text(&local->facts, "EndReason");

	if (!strcmp(client_text(&local->facts, "State"), "closed")) {
		over(local,
		     !strcmp(reason, "denied") || !strcmp(reason, "unanswered") ? CTL_DENIED
										: CTL_ENDED,
		     client_text(&local->facts, "EndMessage"));
		return;
	}
	if (local->command.begun || (client_number(&local->facts, "Granted") & kinds) != kinds) {
		if (!local->command.begun && client_number(&local->facts, "Approved") &&
		    (client_number(&local->facts, "Approved") & kinds) != kinds)
			over(local, CTL_DENIED, "you did not allow all that the command needs");
		return;
	}
	if (command_begin(&local->command) < 0 ||
	    sd_event_add_io(local->event, NULL, local->command.error, EPOLLIN, on_begun, local) < 0)
		over(local, CTL_FAILED, "the command cannot be started");
}

static int on_changed(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct local *local = userdata;
	struct client_dict news = { 0 };
	const char *interface;

	if (!client_is_genuine(&local->client, m) ||
	    strcmp(sd_bus_message_get_path(m), local->path) != 0 ||
	    sd_bus_message_read(m, "s", &interface) < 0 || client_read_dict(m, &news) < 0)
		return 0;
	if (client_merge(&local->facts, &news) < 0)
		over(local, CTL_FAILED, "out of memory");
	client_dict_clear(&news);
	look(local);
	return 0;
}

static void on_owner(void *userdata)
{
	over(userdata, CTL_ABSENT, "callgated is gone, and what it allowed with it");
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
	over(userdata, CTL_OK, NULL);
	return 0;
}

/* An exit code, with the reason told. */
static int ask(struct local *local)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus_message *m = NULL, *reply = NULL;
	const char *path;
	int r;

	r = sd_bus_message_new_method_call(local->client.bus, &m, CLIENT_NAME, CLIENT_ROOT,
					   CLIENT_MANAGER, "CreateLocal");
	if (r >= 0)
		r = sd_bus_message_append(m, "uha{sv}", local->request->kinds, local->command.pidfd,
					  1, "scope", "b", true);
	if (r >= 0)
		r = sd_bus_call(local->client.bus, m, ASKING_USEC, &error, &reply);
	if (r >= 0)
		r = sd_bus_message_read(reply, "o", &path);
	if (r >= 0) {
		local->path = strdup(path);
		r = local->path ? 0 : -ENOMEM;
	}
	r = r < 0 ? ctl_explain("cannot ask", r, &error) : CTL_OK;
	sd_bus_message_unref(m);
	sd_bus_message_unref(reply);
	sd_bus_error_free(&error);
	return r;
}

static int run(struct local *local)
{
	int r;

	/* First of all, so that the waiting process holds nothing of ours. */
	r = command_fork(local->request->command, false, false, &local->command);
	if (r >= 0)
		r = sd_event_default(&local->event);
	if (r >= 0)
		r = client_on_signals(local->event, on_signal, local);
	if (r >= 0)
		r = sd_event_add_io(local->event, NULL, local->command.pidfd, EPOLLIN, on_ended,
				    local);
	if (r < 0) {
		ctl_complain("cannot make a process for %s: %s", local->request->command[0],
			     strerror(-r));
		return CTL_FAILED;
	}
	r = ctl_connect(&local->client);
	if (r != CTL_OK)
		return r;
	r = sd_bus_attach_event(local->client.bus, local->event, 0);
	if (r >= 0)
		r = sd_bus_match_signal(local->client.bus, NULL, NULL, NULL,
					"org.freedesktop.DBus.Properties", "PropertiesChanged",
					on_changed, local);
	if (r < 0) {
		ctl_complain("cannot prepare: %s", strerror(-r));
		return CTL_FAILED;
	}
	r = ask(local);
	if (r != CTL_OK)
		return r;
	local->client.on_owner = on_owner;
	local->client.userdata = local;
	ctl_complain("asking; answer at your agent. This is not a call, and not encrypted");
	r = sd_event_loop(local->event);
	return r < 0 ? CTL_FAILED : local->exit;
}

int verb_local(const struct ctl_request *request)
{
	struct local local = { .request = request, .command = COMMAND_INIT };
	int r;

	if (!request->command || !request->kinds) {
		ctl_complain("say --camera, --microphone or both, and the command after --");
		return CTL_USAGE;
	}
	r = run(&local);
	command_deinit(&local.command);
	client_dict_clear(&local.facts);
	client_close(&local.client);
	sd_event_unref(local.event);
	free(local.path);
	return r;
}
