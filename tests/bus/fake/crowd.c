// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Many callers, the app that hands their blobs to one daemon, and the agent that says yes: for tests/bus/many.py, which measures what
 * that costs the daemon. The callers are the product's channels, of which the daemon holds the other ends.
 *
 * Usage: crowd ADDRESS. Reads lines "open N" and "close N" (until there are N) and "beat", and answers each with a line, "ok" or what went wrong.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <systemd/sd-bus.h>
#include <time.h>
#include <unistd.h>

#include "channel.h"
#include "yes.h"

#define NAME	     "org.callgate1"
#define ROOT	     "/org/callgate1"
#define SESSIONS_MAX 16384
#define LIMIT	     (600 * CHANNEL_NSEC_PER_SEC)

struct caller {
	struct channel *c;
	char path[128];
	bool said; /* anything since its claims changed */
};

static struct caller callers[SESSIONS_MAX];
static unsigned int n_callers;
static struct yes yes = { .compared = "unverified" };
static sd_bus *app, *agent;

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * CHANNEL_NSEC_PER_SEC + (uint64_t)t.tv_nsec;
}

static void must(bool good, const char *what, int r)
{
	if (good)
		return;
	printf("%s: %s\n", what, strerror(-r));
	exit(1);
}

/* ---- the app ---- */

static int deliver_all(struct caller *k)
{
	uint8_t blob[CHANNEL_BLOB_MAX];
	size_t len;

	while (channel_poll_output(k->c, blob, &len)) {
		sd_bus_message *m = NULL;
		int r = sd_bus_message_new_method_call(app, &m, NAME, k->path, NAME ".Session",
						       "Deliver");

		if (r >= 0)
			r = sd_bus_message_append_array(m, 'y', blob, len);
		if (r >= 0)
			r = sd_bus_message_set_expect_reply(m, false);
		if (r >= 0)
			r = sd_bus_send(app, m, NULL);
		sd_bus_message_unref(m);
		if (r < 0)
			return r;
		k->said = true;
	}
	return 0;
}

static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	const char *path = sd_bus_message_get_path(m);
	const void *blob;
	size_t len;

	if (!sd_bus_message_is_signal(m, NAME ".Session", "Blob"))
		return 0;
	for (unsigned int i = n_callers; i-- > 0;) {
		struct caller *k = &callers[i];

		if (strcmp(k->path, path) != 0)
			continue;
		if (sd_bus_message_read_array(m, 'y', &blob, &len) < 0)
			return 0;
		channel_receive(k->c, blob, len, now_ns());
		return deliver_all(k);
	}
	return 0;
}

static bool process(void)
{
	int a = sd_bus_process(app, NULL), b = sd_bus_process(agent, NULL);

	must(a >= 0 && b >= 0, "the bus", a < 0 ? a : b);
	return a > 0 || b > 0;
}

/* Lets everything that waits be heard; then a moment for more to come. */
static void settle(void)
{
	while (process())
		;
	sd_bus_wait(app, 2000);
}

static bool allow(void *data, const uint8_t key[CHANNEL_KEY_LEN])
{
	return true;
}

static void open_one(unsigned int n)
{
	struct caller *k = &callers[n];
	sd_bus_message *m = NULL, *reply = NULL;
	sd_bus_error error = SD_BUS_ERROR_NULL;
	uint8_t key[32], init[CHANNEL_BLOB_MAX];
	const struct channel_params p = {
		.static_key = key,
		.offered = { CHANNEL_KINDS, CHANNEL_KINDS },
		.peer_allowed = allow,
	};
	uint64_t until = now_ns() + LIMIT;
	const char *path;
	size_t len = 0;
	int fd, r;

	crypto_random(key, sizeof(key));
	r = channel_new_initiator(&k->c, &p, now_ns());
	must(r == 0 && channel_poll_output(k->c, init, &len), "a caller", r);
	fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	r = sd_bus_message_new_method_call(app, &m, NAME, ROOT, NAME ".Manager", "AcceptSession");
	if (r >= 0)
		r = sd_bus_message_append_array(m, 'y', init, len);
	if (r >= 0)
		r = sd_bus_message_append(m, "suha{sv}", "somebody", 3u, fd, 0);
	must(r >= 0, "a message", r);
	r = sd_bus_call(app, m, 0, &error, &reply);
	close(fd);
	if (r < 0) {
		printf("session %u: %s\n", n, error.message);
		exit(1);
	}
	r = sd_bus_message_read(reply, "o", &path);
	must(r >= 0, "the reply", r);
	snprintf(k->path, sizeof(k->path), "%s", path);
	sd_bus_message_unref(reply);
	sd_bus_message_unref(m);
	n_callers = n + 1;
	while (yes.comparisons < n_callers) {
		if (!process())
			sd_bus_wait(agent, 100);
		must(now_ns() < until && channel_end_reason(k->c) == CHANNEL_END_NONE,
		     channel_end_message(channel_end_reason(k->c)), -ETIMEDOUT);
	}
}

/* Until the daemon has answered, it has done all that was asked before. */
static void ping(void)
{
	int r = sd_bus_call_method(app, NAME, ROOT, "org.freedesktop.DBus.Peer", "Ping", NULL, NULL,
				   NULL);

	must(r >= 0, "the daemon", r);
	while (process())
		;
}

/* Whoever has not said anything for an interval does, so that no call lapses meanwhile. */
static void keep_alive(void)
{
	for (unsigned int i = 0; i < n_callers; i++) {
		channel_tick(callers[i].c, now_ns());
		must(deliver_all(&callers[i]) >= 0, "a heartbeat", -EIO);
	}
}

static void open_more(unsigned int n)
{
	must(n <= SESSIONS_MAX, "too many", -E2BIG);
	keep_alive();
	for (unsigned int i = n_callers; i < n; i++) {
		if (i % 50 == 0)
			keep_alive();
		open_one(i);
	}
	ping();
}

/* All but the first @n hang up. */
static void close_down_to(unsigned int n)
{
	while (n_callers > n) {
		struct caller *k = &callers[--n_callers];

		channel_close(k->c, CHANNEL_END_HANGUP, now_ns());
		must(deliver_all(k) >= 0, "hanging up", -EIO);
		k->c = channel_free(k->c);
		yes.comparisons--;
	}
	ping();
}

/* One heartbeat of each caller: what it says changes, so it says so as soon as it may. */
static void beat(void)
{
	static bool granted;
	uint64_t until = now_ns() + LIMIT;

	granted = !granted;
	for (unsigned int i = 0; i < n_callers; i++) {
		callers[i].said = false;
		must(channel_set_local(callers[i].c, granted, 0, CHANNEL_SAS_NOT_COMPARED, true,
				       now_ns()) == 0 &&
			     deliver_all(&callers[i]) >= 0,
		     "a claim", -ENOTCONN);
	}
	for (unsigned int i = 0; i < n_callers; i++) {
		struct caller *k = &callers[i];

		while (!k->said) {
			must(now_ns() < until, "a heartbeat", -ETIMEDOUT);
			if (channel_next_timeout(k->c) > now_ns())
				settle();
			channel_tick(k->c, now_ns());
			must(deliver_all(k) >= 0, "a heartbeat", -EIO);
		}
		must(channel_state(k->c, now_ns()) == CHANNEL_STATE_LIVE, "a call that ended",
		     -ENOTCONN);
	}
	ping();
}

int main(int argc, char **argv)
{
	char line[64];
	unsigned int n;
	int r;

	if (argc != 2)
		return 2;
	setenv("DBUS_SYSTEM_BUS_ADDRESS", argv[1], 1);
	r = crypto_init();
	must(r == 0, "libsodium", r);
	r = sd_bus_open_system(&app);
	must(r >= 0, "the bus", r);
	r = sd_bus_open_system(&agent);
	must(r >= 0, "the bus", r);
	r = sd_bus_add_filter(app, NULL, on_message, NULL);
	if (r >= 0)
		r = yes_register(&yes, agent);
	must(r >= 0, "registering as agent", r);
	while (fgets(line, sizeof(line), stdin)) {
		if (sscanf(line, "open %u", &n) == 1)
			open_more(n);
		else if (sscanf(line, "close %u", &n) == 1)
			close_down_to(n);
		else if (strncmp(line, "beat", 4) == 0)
			beat();
		puts("ok");
		fflush(stdout);
	}
	return 0;
}
