// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A call through callgated, for what measures how one ends. Owns two connections to the system bus, an agent that approves and finds
 * the numbers equal, and the other end's channel, whose key stays the same over calls. Measures nothing. Must run as a user who may be an agent.
 */
#include "call.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <systemd/sd-bus.h>
#include <time.h>
#include <unistd.h>

#include "channel.h"
#include "yes.h"

#define NAME  "org.callgate1"
#define ROOT  "/org/callgate1"
#define LIMIT (60 * CHANNEL_NSEC_PER_SEC)

static sd_bus *app, *agent;
static struct yes yes = { .compared = "matches" };
static struct channel *other;
static uint8_t key[CHANNEL_KEY_LEN];
static char path[128];

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * CHANNEL_NSEC_PER_SEC + (uint64_t)t.tv_nsec;
}

static void must(int r, const char *what)
{
	if (r >= 0)
		return;
	fprintf(stderr, "bench: %s: %s\n", what, strerror(-r));
	exit(1);
}

static void deliver_all(void)
{
	uint8_t blob[CHANNEL_BLOB_MAX];
	sd_bus_message *m;
	size_t len;

	while (channel_poll_output(other, blob, &len)) {
		m = NULL;
		must(sd_bus_message_new_method_call(app, &m, NAME, path, NAME ".Session",
						    "Deliver"),
		     "a blob");
		must(sd_bus_message_append_array(m, 'y', blob, len), "a blob");
		must(sd_bus_message_set_expect_reply(m, false), "a blob");
		must(sd_bus_send(app, m, NULL), "a blob");
		sd_bus_message_unref(m);
	}
	must(sd_bus_flush(app), "the bus");
}

static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	const void *blob;
	size_t len;

	if (!other || !sd_bus_message_is_signal(m, NAME ".Session", "Blob") ||
	    strcmp(sd_bus_message_get_path(m), path))
		return 0;
	if (sd_bus_message_read_array(m, 'y', &blob, &len) >= 0)
		channel_receive(other, blob, len, now_ns());
	return 0;
}

static bool allow(void *data, const uint8_t peer[CHANNEL_KEY_LEN])
{
	return true;
}

void call_connect(void)
{
	must(crypto_init(), "libsodium");
	crypto_random(key, sizeof(key));
	must(sd_bus_open_system(&app), "the bus");
	must(sd_bus_open_system(&agent), "the bus");
	must(sd_bus_add_filter(app, NULL, on_message, NULL), "the bus");
	must(yes_register(&yes, agent), "registering as agent");
}

void call_serve(void)
{
	int a, b;

	do {
		a = sd_bus_process(app, NULL);
		b = sd_bus_process(agent, NULL);
		must(a < 0 ? a : b, "the bus");
	} while (a > 0 || b > 0);
	if (other) {
		channel_tick(other, now_ns());
		deliver_all();
	}
	must(sd_bus_wait(agent, 1000), "the bus");
}

static uint32_t granted(void)
{
	uint32_t kinds = 0;

	if (channel_state(other, now_ns()) == CHANNEL_STATE_LIVE)
		must(sd_bus_get_property_trivial(app, NAME, path, NAME ".Session", "Granted", NULL,
						 'u', &kinds),
		     "Granted");
	return kinds;
}

void call_begin(pid_t pid)
{
	const struct channel_params params = {
		.static_key = key,
		.offered = { CHANNEL_KINDS, CHANNEL_KINDS },
		.peer_allowed = allow,
	};
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	sd_bus_message *m = NULL, *reply = NULL;
	sd_bus_error error = SD_BUS_ERROR_NULL;
	uint64_t until = now_ns() + LIMIT;
	uint8_t init[CHANNEL_BLOB_MAX];
	const char *object;
	size_t len = 0;

	if (fd < 0)
		must(-errno, "pidfd_open");
	other = channel_free(other);
	must(channel_new_initiator(&other, &params, now_ns()), "a channel");
	channel_poll_output(other, init, &len);
	must(sd_bus_message_new_method_call(app, &m, NAME, ROOT, NAME ".Manager", "AcceptSession"),
	     "a session");
	must(sd_bus_message_append_array(m, 'y', init, len), "a session");
	must(sd_bus_message_append(m, "suha{sv}", "somebody", 3u, fd, 0), "a session");
	if (sd_bus_call(app, m, 0, &error, &reply) < 0) {
		fprintf(stderr, "bench: AcceptSession: %s\n", error.message);
		exit(1);
	}
	must(sd_bus_message_read(reply, "o", &object), "a session");
	snprintf(path, sizeof(path), "%s", object);
	sd_bus_message_unref(reply);
	sd_bus_message_unref(m);
	close(fd);
	/* Live is not enough: at the first call the numbers are compared after that. */
	while (granted() != CHANNEL_KINDS) {
		call_serve();
		if (now_ns() > until || channel_end_reason(other) != CHANNEL_END_NONE) {
			fprintf(stderr, "bench: the call does not begin: %s\n",
				channel_end_message(channel_end_reason(other)));
			exit(1);
		}
	}
}

void call_end_by(enum call_ending how)
{
	if (how == CALL_ENDED) {
		must(sd_bus_call_method(app, NAME, path, NAME ".Session", "End", NULL, NULL, NULL),
		     "End");
	} else {
		channel_close(other, CHANNEL_END_HANGUP, now_ns());
		deliver_all();
	}
}
