// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * callgate-pipewire: joins PipeWire as the manager of access to microphones and
 * cameras. It says to the daemon which process each client is, and makes PipeWire
 * hold what the daemon answers. Started by the user's service manager. Must not
 * decide anything: without the daemon, or without an answer, nobody captures.
 *
 * Security: it runs as the user, as PipeWire does, and is no barrier against
 * programs that reach PipeWire's other socket; the kernel is, which lets PipeWire
 * capture only while a session of the user's holds that kind.
 */
#include <errno.h>
#include <getopt.h>
#include <pipewire/pipewire.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "client.h"
#include "graph.h"
#include "portal.h"
#include "pulse.h"

#define SOUND	    CLIENT_NAME ".Sound"
#define EXIT_OLD    3 /* this PipeWire cannot be used: the unit does not try again */
#define CALL_US	    10000000ull
#define PULSE_RETRY 1 /* seconds */

struct manager {
	struct pw_main_loop *loop;
	struct client client;
	struct graph graph;
	struct spa_source *bus_io, *bus_timer, *pulse_timer, *look;
	bool attached;
	bool told; /* of an intruder: the daemon grants nothing until this program is started again */
	int status;
};

static void quit(struct manager *manager, int status)
{
	manager->status = status;
	pw_main_loop_quit(manager->loop);
}

/* ---- the daemon ------------------------------------------------------------------------------------ */

/* A method of the daemon's; *ret_reply may be NULL. Prints why it failed, in the daemon's words. */
static int ask(struct manager *manager, sd_bus_message **ret_reply, const char *method,
	       const char *types, ...)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus_message *m = NULL, *reply = NULL;
	va_list arguments;
	int r;

	if (manager->client.owner == NULL)
		return -ENOTCONN;
	r = sd_bus_message_new_method_call(manager->client.bus, &m, manager->client.owner,
					   CLIENT_ROOT, SOUND, method);
	va_start(arguments, types);
	if (r >= 0)
		r = sd_bus_message_appendv(m, types, arguments);
	va_end(arguments);
	if (r >= 0)
		r = sd_bus_call(manager->client.bus, m, CALL_US, &error, &reply);
	if (r < 0)
		fprintf(stderr, SD_WARNING "The daemon refused %s: %s\n", method,
			error.message != NULL ? error.message : strerror(-r));
	if (r >= 0 && ret_reply != NULL)
		*ret_reply = sd_bus_message_ref(reply);
	sd_bus_error_free(&error);
	sd_bus_message_unref(m);
	sd_bus_message_unref(reply);
	return r < 0 ? r : 0;
}

/*
 * Kinds whose sources the client is to see. Firefox stands still for good, all that it does with sound, where it is told of
 * a new microphone just as it begins to ask for such news, which it does as soon as it is connected. So a pulse client that
 * has just come sees what it has streams for, and the rest a moment later.
 */
static uint32_t to_show(const struct graph_client *client, uint32_t wanted)
{
	if (client->pulse && graph_is_new(client))
		return client->kinds & (wanted | client->shown);
	return client->kinds;
}

/* Makes PipeWire hold for a client what it may, the daemon first. */
static void apply(struct manager *manager, struct graph_client *client)
{
	uint32_t wanted = graph_wanted(&manager->graph, client) & client->kinds, used = 0;
	sd_bus_message *reply = NULL;

	if (client->watched != 0 && wanted != client->used) {
		if (ask(manager, &reply, "Use", "uu", client->watched, wanted) < 0 ||
		    sd_bus_message_read(reply, "u", &used) < 0)
			used = 0;
		sd_bus_message_unref(reply);
		client->used = used & wanted;
	}
	/* Links go before the sight of the source does, and come after it, or the app would be told of an error. */
	graph_allow(&manager->graph, client, client->used & client->shown);
	graph_show(&manager->graph, client, to_show(client, wanted));
	graph_allow(&manager->graph, client, client->used);
}

static void forget(struct manager *manager, struct graph_client *client)
{
	uint32_t watched = client->watched;

	client->watched = 0;
	client->kinds = 0;
	client->used = 0;
	apply(manager, client);
	if (client->pidfd >= 0)
		close(client->pidfd);
	client->pidfd = -1;
	if (watched != 0)
		ask(manager, NULL, "Unwatch", "u", watched);
}

/* The process that a client is of, as far as it is known for certain; 0: it is not. */
static pid_t process_of(const struct graph_client *client)
{
	if (!client->known)
		return 0;
	return client->pulse || client->portal ? client->behind : client->pid;
}

static void watch(struct manager *manager, struct graph_client *client, pid_t pid)
{
	sd_bus_message *reply = NULL;
	uint32_t id, kinds;

	client->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (client->pidfd < 0)
		return;
	if (ask(manager, &reply, "Watch", "h", client->pidfd) == 0 &&
	    sd_bus_message_read(reply, "uu", &id, &kinds) >= 0) {
		client->watched = id;
		client->kinds = kinds & GRAPH_KINDS;
		client->process = pid;
	}
	sd_bus_message_unref(reply);
	apply(manager, client);
}

/*
 * Who the clients are may be another now: those of pipewire-pulse depend on each other. Whatever PipeWire tells at
 * once costs one look.
 */
static void on_look(void *userdata, uint64_t expirations)
{
	struct manager *manager = userdata;
	struct timespec in = { .tv_sec = PULSE_RETRY }, off = { 0 };
	struct graph_client *client;
	bool again = false;

	if (!manager->attached)
		return;
	pulse_find(&manager->graph);
	portal_find(&manager->graph);
	LIST_FOREACH(client, &manager->graph.clients, all)
	{
		pid_t pid = process_of(client);

		if (client->watched != 0 && client->process != pid)
			forget(manager, client);
		if (client->watched == 0 && pid != 0)
			watch(manager, client, pid);
		else if (client->shown != client->kinds)
			apply(manager, client);
		again = again || (client->known && pid == 0) || client->shown != client->kinds;
	}
	/* Until each connection to pipewire-pulse has said whose it is, and each client sees all that it may. */
	pw_loop_update_timer(pw_main_loop_get_loop(manager->loop), manager->pulse_timer,
			     again ? &in : &off, NULL, false);
}

static void look(struct manager *manager)
{
	pw_loop_signal_event(pw_main_loop_get_loop(manager->loop), manager->look);
}

/* The daemon compares it with what the kernel sees. */
static void tell_linked(struct manager *manager)
{
	if (manager->attached)
		ask(manager, NULL, "Linked", "uu", manager->graph.linked[0],
		    manager->graph.linked[1]);
}

static void attach(struct manager *manager)
{
	int pidfd, r;

	manager->attached = false;
	if (manager->client.owner == NULL || !manager->graph.ready)
		return;
	pidfd = (int)syscall(SYS_pidfd_open, manager->graph.server, 0);
	if (pidfd < 0) {
		fprintf(stderr, SD_ERR "PipeWire does not say which process it is.\n");
		quit(manager, EXIT_FAILURE);
		return;
	}
	r = ask(manager, NULL, "Attach", "h", pidfd);
	close(pidfd);
	if (r < 0) {
		quit(manager, EXIT_FAILURE);
		return;
	}
	manager->attached = true;
	tell_linked(manager);
	look(manager);
}

static void on_owner(void *userdata)
{
	struct manager *manager = userdata;
	struct graph_client *client;

	fprintf(stderr, manager->client.owner != NULL ? SD_NOTICE "The daemon is there.\n"
						      : SD_WARNING
				"The daemon is gone: nobody captures through PipeWire.\n");
	manager->attached = false;
	LIST_FOREACH(client, &manager->graph.clients, all)
	{
		client->watched = 0;
		forget(manager, client);
	}
	attach(manager);
}

static int on_changed(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct manager *manager = userdata;
	struct graph_client *client;
	uint32_t id, kinds;

	if (!client_is_genuine(&manager->client, m) ||
	    sd_bus_message_read(m, "uu", &id, &kinds) < 0)
		return 0;
	LIST_FOREACH(client, &manager->graph.clients, all)
	{
		if (client->watched != id)
			continue;
		client->kinds = kinds & GRAPH_KINDS;
		/* What it held is gone already. */
		client->used &= client->kinds;
		apply(manager, client);
	}
	return 0;
}

/* ---- PipeWire ------------------------------------------------------------------------------------- */

static void on_ready(void *userdata, pid_t pid)
{
	attach(userdata);
	sd_notify(0, "READY=1");
}

static void on_client(void *userdata, struct graph_client *client)
{
	struct manager *manager = userdata;

	/*
	 * It says something else of itself than before. What a portal has connected does so when its program begins to
	 * use it, and counts by who holds the connection: hidden for a moment, a camera is the end of Firefox.
	 */
	if (client->watched != 0 && !client->portal)
		forget(manager, client);
	look(manager);
}

static void on_gone(void *userdata, struct graph_client *client)
{
	struct manager *manager = userdata;

	if (client->watched != 0)
		ask(manager, NULL, "Unwatch", "u", client->watched);
	client->watched = 0;
	client->known = false;
	look(manager);
}

static void on_stream(void *userdata, struct graph_client *client)
{
	apply(userdata, client);
}

static void on_linked(void *userdata)
{
	tell_linked(userdata);
}

static void on_link(void *userdata, struct graph_client *client, uint32_t kinds)
{
	const char *who = client != NULL && client->name[0] != 0 ? client->name : "A program";
	struct manager *manager = userdata;

	/* Who goes on trying is cut off each time, and spoken of once. */
	if (manager->told)
		return;
	manager->told = kinds != 0;
	fprintf(stderr, SD_WARNING "%s was linked without being allowed; the link is destroyed.\n",
		who);
	if (kinds != 0)
		ask(userdata, NULL, "Intruder", "su", who, kinds);
}

static void on_end(void *userdata, const char *why)
{
	fprintf(stderr, SD_ERR "%s.\n", why);
	quit(userdata, EXIT_FAILURE);
}

static const struct graph_hooks graph_hooks = {
	.ready = on_ready,
	.client = on_client,
	.gone = on_gone,
	.stream = on_stream,
	.linked = on_linked,
	.link = on_link,
	.end = on_end,
};

/* ---- the loop ------------------------------------------------------------------------------------- */

static void set_bus_timer(struct manager *manager)
{
	struct timespec at = { 0 };
	uint64_t until;

	/* In µs on CLOCK_MONOTONIC, as the timer's are. */
	if (sd_bus_get_timeout(manager->client.bus, &until) >= 0 && until != UINT64_MAX) {
		at.tv_sec = (time_t)(until / 1000000);
		at.tv_nsec = (long)(until % 1000000) * 1000 + 1;
	}
	pw_loop_update_timer(pw_main_loop_get_loop(manager->loop), manager->bus_timer, &at, NULL,
			     true);
}

static void dispatch(struct manager *manager)
{
	int r;

	do
		r = sd_bus_process(manager->client.bus, NULL);
	while (r > 0);
	if (r < 0) {
		fprintf(stderr, SD_ERR "The system bus is gone: %s\n", strerror(-r));
		quit(manager, EXIT_FAILURE);
		return;
	}
	set_bus_timer(manager);
}

static void on_bus(void *userdata, int fd, uint32_t mask)
{
	dispatch(userdata);
}

static void on_bus_timer(void *userdata, uint64_t expirations)
{
	dispatch(userdata);
}

/* What a synchronous call read besides its answer lies in the bus's queue, where no descriptor tells of it. */
static void before_waiting(void *userdata)
{
	dispatch(userdata);
}

static void nothing(void *userdata)
{
}

static const struct spa_loop_control_hooks loop_hooks = {
	SPA_VERSION_LOOP_CONTROL_HOOKS,
	.before = before_waiting,
	.after = nothing,
};

static void on_signal(void *userdata, int number)
{
	quit(userdata, EXIT_SUCCESS);
}

/* From 0.3.77 on a client is not linked with what it does not see. */
static bool new_enough(const char *version)
{
	int major = 0, minor = 0, micro = 0;

	return sscanf(version, "%d.%d.%d", &major, &minor, &micro) >= 2 && major >= 1;
}

static int refuse_old(const char *version)
{
	fprintf(stderr,
		"callgate-pipewire: this is PipeWire %s, and 1.0 is the first that can be used: older ones link a client "
		"with a microphone or camera that it was not shown.\nCapture through PipeWire stays denied here. What "
		"works in a call: programs that open the camera (V4L2) or the sound card (ALSA, hw:...) themselves; and "
		"playing sound, through PipeWire too.\n",
		version);
	return EXIT_OLD;
}

static int run(struct manager *manager)
{
	struct pw_loop *loop = pw_main_loop_get_loop(manager->loop);
	struct spa_hook hook;
	int r;

	r = client_open(&manager->client);
	manager->client.on_owner = on_owner;
	manager->client.userdata = manager;
	if (r >= 0)
		r = client_follow(&manager->client);
	if (r >= 0)
		r = sd_bus_match_signal(manager->client.bus, NULL, CLIENT_NAME, CLIENT_ROOT, SOUND,
					"Changed", on_changed, manager);
	if (r < 0) {
		fprintf(stderr, "callgate-pipewire: the system bus cannot be used: %s\n",
			strerror(-r));
		return EXIT_FAILURE;
	}
	manager->look = pw_loop_add_event(loop, on_look, manager);
	r = graph_init(&manager->graph, loop, &graph_hooks, manager);
	if (r < 0) {
		fprintf(stderr,
			"callgate-pipewire: PipeWire cannot be reached: %s. Start it: systemctl --user start "
			"pipewire wireplumber\n",
			strerror(-r));
		return EXIT_FAILURE;
	}
	pw_loop_add_signal(loop, SIGINT, on_signal, manager);
	pw_loop_add_signal(loop, SIGTERM, on_signal, manager);
	manager->bus_io = pw_loop_add_io(loop, sd_bus_get_fd(manager->client.bus), SPA_IO_IN, false,
					 on_bus, manager);
	manager->bus_timer = pw_loop_add_timer(loop, on_bus_timer, manager);
	manager->pulse_timer = pw_loop_add_timer(loop, on_look, manager);
	pw_loop_add_hook(loop, &hook, &loop_hooks, manager);
	manager->status = EXIT_SUCCESS;
	pw_main_loop_run(manager->loop);
	spa_hook_remove(&hook);
	return manager->status;
}

static const char help[] =
	"Usage: callgate-pipewire [--help] [--version]\n"
	"\n"
	"Lets programs capture through PipeWire in approved calls, and only there. Runs for as\n"
	"long as PipeWire does; the user's service manager starts it: systemctl --user start\n"
	"callgate-pipewire. Nothing to set; see callgate-pipewire(1).\n"
	"\n"
	"Exit status: 0 when told to end; 1 when PipeWire, its configuration or the daemon is\n"
	"not as it has to be; 2 for wrong arguments; 3 for a PipeWire that is too old.\n";

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	struct manager manager = { 0 };
	int c, status;

	while ((c = getopt_long(argc, argv, "hV", options, NULL)) != -1) {
		if (c == 'h') {
			fputs(help, stdout);
			return EXIT_SUCCESS;
		}
		if (c != 'V') {
			fputs("callgate-pipewire: see --help\n", stderr);
			return 2;
		}
		printf("callgate-pipewire, PipeWire %s\n", pw_get_library_version());
		return EXIT_SUCCESS;
	}
	if (optind < argc) {
		fprintf(stderr, "callgate-pipewire: unknown argument '%s'; see --help\n",
			argv[optind]);
		return 2;
	}
	pw_init(&argc, &argv);
	if (!new_enough(pw_get_library_version()))
		return refuse_old(pw_get_library_version());
	manager.loop = pw_main_loop_new(NULL);
	if (manager.loop == NULL) {
		fprintf(stderr, "callgate-pipewire: %s\n", strerror(errno));
		return EXIT_FAILURE;
	}
	status = run(&manager);
	graph_deinit(&manager.graph);
	client_close(&manager.client);
	pw_main_loop_destroy(manager.loop);
	pw_deinit();
	return status;
}
