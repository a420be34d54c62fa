// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A call with sd-bus, as an app would make it: this process is what captures. The app's own signalling carries
 * the blobs; here they are lines of hexadecimal, out at standard output and in at standard input, so that two of these
 * (or this and call.py) make a call when each one's output is the other's input. Its end of file ends the call.
 *
 *   cc -o call call.c $(pkg-config --cflags --libs libsystemd)
 *   call CONTACT             calls; CONTACT is the name by which the user knows the other side
 *   call --answer CLAIMED    waits for the first blob; CLAIMED is what the app says the caller's name is
 *
 * doc/dbus.md explains each method and error.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#define NAME	   "org.callgate1"
#define MANAGER	   "org.callgate1.Manager"
#define SESSION	   "org.callgate1.Session"
#define KINDS	   3u /* microphone and camera */
#define BLOB_MAX   256
#define RECORD_LEN 38

struct call {
	sd_bus *bus;
	sd_event *event;
	char *session;
	char *state;
};

static int fail(const char *what, int r, const sd_bus_error *error)
{
	/* The service's errors say what happened and what to do. */
	fprintf(stderr, "%s: %s\n", what,
		error != NULL && error->message != NULL ? error->message : strerror(-r));
	return r;
}

static int from_hex(const char *line, uint8_t *bytes, size_t *ret_len)
{
	size_t n = strspn(line, "0123456789abcdef");

	if (n % 2 != 0 || n / 2 > BLOB_MAX)
		return -EINVAL;
	for (size_t i = 0; i < n / 2; i++)
		sscanf(line + 2 * i, "%2" SCNx8, &bytes[i]);
	*ret_len = n / 2;
	return 0;
}

/* Method of the Manager that makes a session. @blob: the first one of a call that came in, or NULL. */
static int make_session(struct call *call, const char *name, const uint8_t *blob, size_t len)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus_message *m = NULL, *reply = NULL;
	const char *path;
	/* Who captures: this process, for as long as it does not become another program. */
	int subject = (int)syscall(SYS_pidfd_open, getpid(), 0);
	int r;

	r = subject < 0
		    ? -errno
		    : sd_bus_message_new_method_call(call->bus, &m, NAME, "/org/callgate1", MANAGER,
						     blob ? "AcceptSession" : "CreateSession");
	if (r >= 0 && blob != NULL)
		r = sd_bus_message_append_array(m, 'y', blob, len);
	if (r >= 0)
		r = sd_bus_message_append(m, "suha{sv}", name, KINDS, subject, 0);
	if (r >= 0)
		r = sd_bus_call(call->bus, m, 0, &error, &reply);
	if (r >= 0)
		r = sd_bus_message_read(reply, "o", &path);
	if (r >= 0)
		call->session = strdup(path);
	if (r < 0)
		fail("no session", r, &error);
	if (subject >= 0)
		close(subject);
	sd_bus_message_unref(m);
	sd_bus_message_unref(reply);
	sd_bus_error_free(&error);
	return r;
}

static int on_blob(sd_bus_message *m, void *userdata, sd_bus_error *unused)
{
	const uint8_t *bytes;
	size_t len;

	if (sd_bus_message_read_array(m, 'y', (const void **)&bytes, &len) < 0)
		return 0;
	for (size_t i = 0; i < len; i++)
		printf("%02x", bytes[i]);
	puts("");
	fflush(stdout);
	return 0;
}

/* The session's media keys, for an app that encrypts its media with them. */
static void fetch_keys(struct call *call)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus_message *reply = NULL;
	uint8_t records[16 * RECORD_LEN];
	ssize_t n = -1;
	int fd;

	if (sd_bus_call_method(call->bus, NAME, call->session, SESSION, "MediaKeys", &error, &reply,
			       "") >= 0 &&
	    sd_bus_message_read(reply, "h", &fd) >= 0)
		n = read(fd, records, sizeof(records));
	if (n < 0)
		fail("no media keys", -EIO, &error);
	else
		fprintf(stderr, "keys %zd\n", n / RECORD_LEN);
	explicit_bzero(records, sizeof(records));
	sd_bus_message_unref(reply);
	sd_bus_error_free(&error);
}

/* One property of those that a message has; those of other types are passed over. */
static int read_text(sd_bus_message *m, const char *wanted, char **ret_text)
{
	const char *name, *value;
	int r = sd_bus_message_enter_container(m, 'a', "{sv}");

	while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
		r = sd_bus_message_read(m, "s", &name);
		if (r >= 0 && strcmp(name, wanted) == 0) {
			r = sd_bus_message_read(m, "v", "s", &value);
			if (r >= 0) {
				free(*ret_text);
				*ret_text = strdup(value);
			}
		} else if (r >= 0) {
			r = sd_bus_message_skip(m, "v");
		}
		if (r >= 0)
			r = sd_bus_message_exit_container(m);
	}
	return r;
}

static int on_changed(sd_bus_message *m, void *userdata, sd_bus_error *unused)
{
	struct call *call = userdata;
	char *state = NULL;

	if (sd_bus_message_skip(m, "s") < 0 || read_text(m, "State", &state) < 0 || state == NULL)
		return 0;
	if (call->state == NULL || strcmp(call->state, state) != 0) {
		fprintf(stderr, "state %s\n", state);
		if (strcmp(state, "live") == 0)
			fetch_keys(call);
	}
	free(call->state);
	call->state = state;
	return 0;
}

static int on_removed(sd_bus_message *m, void *userdata, sd_bus_error *unused)
{
	struct call *call = userdata;
	const char *path;
	char *reason = NULL;

	if (sd_bus_message_read(m, "o", &path) < 0 || call->session == NULL ||
	    strcmp(path, call->session) != 0)
		return 0;
	read_text(m, "EndReason", &reason);
	fprintf(stderr, "ended %s\n", reason != NULL ? reason : "");
	free(reason);
	return sd_event_exit(call->event, 0);
}

static int end_session(struct call *call)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	int r = sd_bus_call_method(call->bus, NAME, call->session, SESSION, "End", &error, NULL,
				   "");

	if (r < 0)
		fail("the session was not ended", r, &error);
	sd_bus_error_free(&error);
	return r;
}

/* A line has come from the other side; or it has closed, and the call ends. */
static int on_input(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	struct call *call = userdata;
	sd_bus_message *m = NULL;
	char line[2 * BLOB_MAX + 2];
	uint8_t blob[BLOB_MAX];
	size_t len;
	int r;

	if (fgets(line, sizeof(line), stdin) == NULL) {
		sd_event_source_set_enabled(source, SD_EVENT_OFF);
		return end_session(call) < 0 ? sd_event_exit(call->event, 1) : 0;
	}
	if (from_hex(line, blob, &len) < 0)
		return 0;
	r = sd_bus_message_new_method_call(call->bus, &m, NAME, call->session, SESSION, "Deliver");
	if (r >= 0)
		r = sd_bus_message_append_array(m, 'y', blob, len);
	if (r >= 0)
		r = sd_bus_call(call->bus, m, 0, &error, NULL);
	/* BadBlob does no harm: the call goes on without that blob. */
	if (r < 0)
		fail("a blob was not taken", r, &error);
	sd_bus_message_unref(m);
	sd_bus_error_free(&error);
	return 0;
}

static int run(struct call *call, const char *name, bool answer)
{
	char line[2 * BLOB_MAX + 2];
	uint8_t blob[BLOB_MAX];
	size_t len = 0;
	int r;

	r = sd_event_default(&call->event);
	if (r >= 0)
		r = sd_bus_open_system(&call->bus);
	if (r >= 0)
		r = sd_bus_attach_event(call->bus, call->event, 0);
	/* Before the session is there, so that its first signal is not missed. */
	if (r >= 0)
		r = sd_bus_match_signal(call->bus, NULL, NAME, NULL, SESSION, "Blob", on_blob,
					call);
	if (r >= 0)
		r = sd_bus_match_signal(call->bus, NULL, NAME, NULL,
					"org.freedesktop.DBus.Properties", "PropertiesChanged",
					on_changed, call);
	if (r >= 0)
		r = sd_bus_match_signal(call->bus, NULL, NAME, "/org/callgate1", MANAGER,
					"SessionRemoved", on_removed, call);
	if (r < 0)
		return fail("the system bus", r, NULL);
	/* The event loop waits for the descriptor: nothing may stay behind in a buffer. */
	setvbuf(stdin, NULL, _IONBF, 0);
	if (answer && (fgets(line, sizeof(line), stdin) == NULL || from_hex(line, blob, &len) < 0))
		return fail("the first blob", -EINVAL, NULL);
	/* Asks the user; the first blob comes once the answer is yes. */
	r = make_session(call, name, answer ? blob : NULL, len);
	if (r >= 0)
		r = sd_event_add_io(call->event, NULL, STDIN_FILENO, EPOLLIN, on_input, call);
	return r < 0 ? r : sd_event_loop(call->event);
}

int main(int argc, char **argv)
{
	bool answer = argc == 3 && strcmp(argv[1], "--answer") == 0;
	struct call call = { .bus = NULL };
	int r;

	if (argc != 2 && !answer) {
		fprintf(stderr, "Usage: call CONTACT | call --answer CLAIMED\n");
		return 2;
	}
	r = run(&call, argv[argc - 1], answer);
	sd_bus_flush_close_unref(call.bus);
	sd_event_unref(call.event);
	free(call.session);
	free(call.state);
	return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
