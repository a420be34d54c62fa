// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * callgated: arguments, privileges, event loop. Everything else is manager.c's.
 *
 * Started as root it takes what only root can have (the gate, the control
 * groups), then becomes its own user for good, before it talks to anybody.
 */
#include <errno.h>
#include <getopt.h>
#include <pwd.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "config.h"
#include "crypto.h"
#include "manager.h"
#include "privilege.h"
#include "user.h"
#include "util/log.h"
#include "util/macro.h"
#include "version.h"

struct options {
	struct manager_files files;
	const char *state_dir;
	const char *user;
	const char *scopes;
	bool reseal;
};

static void help(void)
{
	puts("Usage: callgated [OPTION]...\n"
	     "Lets programs use camera and microphone in approved, encrypted calls.\n\n"
	     "  --config FILE     configuration (default /etc/callgate/callgate.conf)\n"
	     "  --rules DIR       drop-in files with rules (default /etc/callgate/policy.d)\n"
	     "  --state-dir DIR   identities and contacts (default $STATE_DIRECTORY or\n"
	     "                    /var/lib/callgate)\n"
	     "  --user NAME       whom to become when started as root (default callgate)\n"
	     "  --scopes DIR      where to make control groups (default callgate, at the top\n"
	     "                    of the hierarchy of version 2)\n"
	     "  --reseal          seal every identity under the present key, and end: after the key\n"
	     "                    became a credential, or for identities that were never sealed\n"
	     "  --help, --version\n\n"
	     "SIGHUP makes it read configuration and rules anew. It listens on the system bus, at DBUS_SYSTEM_BUS_ADDRESS if that is set.");
}

/* 1: go on; 0: done; negative: bad usage. */
static int parse(int argc, char **argv, struct options *options)
{
	static const struct option known[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "rules", required_argument, NULL, 'p' },
		{ "state-dir", required_argument, NULL, 's' },
		{ "user", required_argument, NULL, 'u' },
		{ "scopes", required_argument, NULL, 'g' },
		{ "reseal", no_argument, NULL, 'r' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "h", known, NULL)) >= 0) {
		switch (c) {
		case 'c':
			options->files.config = optarg;
			break;
		case 'p':
			options->files.rules = optarg;
			break;
		case 's':
			options->state_dir = optarg;
			break;
		case 'u':
			options->user = optarg;
			break;
		case 'g':
			options->scopes = optarg;
			break;
		case 'r':
			options->reseal = true;
			break;
		case 'h':
			help();
			return 0;
		case 'v':
			puts("callgated " CALLGATE_VERSION);
			return 0;
		default:
			return -EINVAL;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "callgated: unexpected argument '%s'; see --help\n", argv[optind]);
		return -EINVAL;
	}
	return 1;
}

static int make_state_dir(const char *path, uid_t uid, gid_t gid)
{
	struct stat st;

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		goto bad;
	if (lstat(path, &st) < 0)
		goto bad;
	if (!S_ISDIR(st.st_mode)) {
		errno = ENOTDIR;
		goto bad;
	}
	if ((st.st_uid != uid || st.st_gid != gid) && chown(path, uid, gid) < 0)
		goto bad;
	if ((st.st_mode & 077) != 0 && chmod(path, 0700) < 0)
		goto bad;
	return 0;
bad:
	fprintf(stderr, "callgated: %s: %s\n", path, strerror(errno));
	return -errno;
}

static int on_term(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
	struct manager **manager = userdata;

	/* Before the loop ends: the bus connection ends with it. */
	if (*manager != NULL)
		manager_stop(*manager);
	return sd_event_exit(sd_event_source_get_event(source), 0);
}

static int on_hup(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
	struct manager **manager = userdata;

	if (*manager != NULL)
		manager_reload(*manager);
	return 0;
}

static int catch_signals(sd_event *event, struct manager **manager)
{
	sigset_t signals;
	int r;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
		return -errno;
	signal(SIGPIPE, SIG_IGN);
	r = sd_event_add_signal(event, NULL, SIGTERM, on_term, manager);
	if (r >= 0)
		r = sd_event_add_signal(event, NULL, SIGINT, on_term, manager);
	return r < 0 ? r : sd_event_add_signal(event, NULL, SIGHUP, on_hup, manager);
}

/* Whom to become: 0, or an error that is printed. */
static int find_user(const char *name, uid_t *ret_uid, gid_t *ret_gid)
{
	const struct passwd *user = getpwnam(name);

	if (user == NULL) {
		fprintf(stderr,
			"callgated: there is no user %s; make it (useradd --system --no-create-home %s) or name "
			"another one with --user\n",
			name, name);
		return -ESRCH;
	}
	*ret_uid = user->pw_uid;
	*ret_gid = user->pw_gid;
	return 0;
}

static int prepare(const struct options *options, sd_event *event, struct vault *vault,
		   struct manager **ret_manager)
{
	struct scopes *scopes = NULL;
	uid_t uid = getuid();
	gid_t gid = getgid();
	struct config_error error;
	struct policy policy;
	int r;

	r = config_read(options->files.config, &policy, &error);
	if (r < 0) {
		fprintf(stderr, "callgated: %s\n", error.text);
		return r;
	}
	if (geteuid() == 0) {
		r = find_user(options->user, &uid, &gid);
		if (r < 0)
			return r;
		r = make_state_dir(options->state_dir, uid, gid);
		if (r < 0)
			return r;
		r = scopes_new(&scopes, options->scopes);
		if (r < 0)
			log_event(
				LOG_EVENT_NO_SCOPES, LOG_NOBODY,
				"Control groups cannot be made (%s): calls cannot start commands of "
				"their own.",
				strerror(-r));
	}
	r = manager_new(ret_manager, event, &policy, &options->files, scopes, vault);
	if (r < 0)
		return r;
	if (geteuid() == 0)
		r = privilege_drop(uid, gid, !manager_has_gate(*ret_manager));
	if (r >= 0)
		r = privilege_close();
	if (r < 0)
		fprintf(stderr, "callgated: privileges cannot be dropped: %s\n", strerror(-r));
	return r;
}

/* As the service's user, as those files are his. */
static int reseal(const struct options *options, struct vault *vault)
{
	struct users users = { .dir_fd = -1 };
	uid_t uid = getuid();
	gid_t gid = getgid();
	int r = 0;

	if (geteuid() == 0) {
		r = find_user(options->user, &uid, &gid);
		if (r >= 0)
			r = privilege_drop(uid, gid, false);
	}
	if (r >= 0)
		r = privilege_close();
	if (r < 0)
		return r;
	r = users_init(&users, options->state_dir, vault);
	if (r == -EWOULDBLOCK)
		fprintf(stderr, "callgated: another callgated uses %s; end it first\n",
			options->state_dir);
	else if (r < 0)
		fprintf(stderr, "callgated: %s: %s\n", options->state_dir, strerror(-r));
	if (r >= 0)
		r = vault_open(vault, users.dir_fd, !users_have_sealed(&users), true);
	if (r >= 0)
		r = users_reseal(&users);
	if (r >= 0 && vault->old != NULL)
		puts("Everything is sealed under the credential; the file " VAULT_FILE
		     " is not needed any more.");
	users_deinit(&users);
	return r;
}

static int serve(const struct options *options, struct vault *vault)
{
	struct manager *manager = NULL;
	sd_event *event = NULL;
	int r;

	r = sd_event_default(&event);
	if (r >= 0)
		r = catch_signals(event, &manager);
	if (r >= 0)
		r = prepare(options, event, vault, &manager);
	if (r >= 0)
		r = manager_start(manager, options->state_dir);
	if (r >= 0) {
		manager_ready(manager);
		r = sd_event_loop(event);
		sd_notify(0, "STOPPING=1");
	}
	manager_free(manager);
	sd_event_unref(event);
	return r;
}

static int run(const struct options *options)
{
	struct vault vault = { .key = NULL };
	int r = crypto_init();

	if (r < 0) {
		fprintf(stderr, "callgated: the crypto library did not start\n");
		return r;
	}
	r = vault_read_credential(&vault);
	if (r >= 0)
		r = options->reseal ? reseal(options, &vault) : serve(options, &vault);
	vault_deinit(&vault);
	return r;
}

int main(int argc, char **argv)
{
	struct options options = {
		.files = { .config = CONFIG_FILE, .rules = CONFIG_RULES },
		.state_dir = getenv("STATE_DIRECTORY") ?: "/var/lib/callgate",
		.user = "callgate",
	};
	int r = parse(argc, argv, &options);

	if (r == 0)
		return EXIT_SUCCESS;
	if (r < 0)
		return 2;
	return run(&options) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
