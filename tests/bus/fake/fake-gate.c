// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * gate.h for tests: instead of the kernel, a test program answers, over the
 * sequenced-packet socket that CALLGATE_FAKE_GATE names. Without the variable
 * the gate is absent. One line of text a packet; lib/rig.py is the other side.
 */
#include "gate.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define LINE_MAX_LEN 4096

struct line {
	STAILQ_ENTRY(line) queue;
	char text[LINE_MAX_LEN];
};

struct gate {
	sd_event *event;
	const struct gate_hooks *hooks;
	void *userdata;
	int fd;
	enum gate_mode mode;
	sd_event_source *io;
	sd_event_source *later;
	STAILQ_HEAD(, line) lines;
};

/* Fields of one capture: DEVICE KINDS PID COOKIE UID CGROUP SESSION SINCE COUNT EXE. */
static bool parse_capture(const char *text, uint64_t id, struct capture *capture)
{
	int pid, at = 0;

	*capture = (struct capture){ .id = id };
	capture->who.proven = true;
	if (sscanf(text,
		   "%" SCNu32 " %" SCNu32 " %d %" SCNu64 " %u %" SCNu64 " %" SCNu64 " %" SCNu64
		   " %" SCNu32 " %n",
		   &capture->device, &capture->kinds, &pid, &capture->who.cookie, &capture->who.uid,
		   &capture->who.cgroup, &capture->session, &capture->since, &capture->count,
		   &at) < 9)
		return false;
	capture->who.pid = pid;
	snprintf(capture->who.exe, sizeof(capture->who.exe), "%s", text + at);
	return true;
}

static void deliver(struct gate *gate, const char *line)
{
	struct capture_device device = { .id = 0 };
	struct capture capture;
	char word[32];
	uint64_t id;
	int at = 0;

	if (sscanf(line, "event %31s %" SCNu64 " %n", word, &id, &at) < 2)
		return;
	line += at;
	if (strcmp(word, "device") == 0) {
		device.id = (uint32_t)id;
		at = 0;
		if (sscanf(line, "%" SCNu32 " %31s %n", &device.kinds, device.node, &at) == 2) {
			snprintf(device.name, sizeof(device.name), "%s", line + at);
			gate->hooks->device_added(gate->userdata, &device);
		}
	} else if (strcmp(word, "device-gone") == 0) {
		gate->hooks->device_removed(gate->userdata, (uint32_t)id);
	} else if (strcmp(word, "stop") == 0) {
		gate->hooks->stream_stopped(gate->userdata, id);
	} else if (strcmp(word, "gone") == 0) {
		gate->mode = GATE_ABSENT;
		gate->hooks->changed(gate->userdata);
	} else if (parse_capture(line, id, &capture)) {
		if (strcmp(word, "stream") == 0)
			gate->hooks->stream_started(gate->userdata, &capture);
		else if (strcmp(word, "denied") == 0)
			gate->hooks->denied(gate->userdata, &capture);
		else if (strcmp(word, "request") == 0)
			gate->hooks->request(gate->userdata, &capture);
	}
}

static int on_later(sd_event_source *source, void *userdata)
{
	struct gate *gate = userdata;
	struct line *line;

	while ((line = STAILQ_FIRST(&gate->lines)) != NULL) {
		STAILQ_REMOVE_HEAD(&gate->lines, queue);
		deliver(gate, line->text);
		free(line);
	}
	return 0;
}

/* One packet: an event is kept for later, an answer is returned. 0: nothing or an event; 1: an answer. */
static int receive(struct gate *gate, int flags, char *ret_answer)
{
	struct line *line = calloc(1, sizeof(*line));
	ssize_t n = recv(gate->fd, line->text, sizeof(line->text) - 1, flags);

	if (n <= 0) {
		free(line);
		return n == 0 ? -EIO : errno == EAGAIN ? 0 : -errno;
	}
	if (strncmp(line->text, "event ", 6) == 0) {
		STAILQ_INSERT_TAIL(&gate->lines, line, queue);
		sd_event_source_set_enabled(gate->later, SD_EVENT_ONESHOT);
		return 0;
	}
	if (ret_answer != NULL)
		memcpy(ret_answer, line->text, LINE_MAX_LEN);
	free(line);
	return 1;
}

static int on_readable(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	return receive(userdata, MSG_DONTWAIT, NULL) < 0 ? -EIO : 0;
}

/* 0 with the rest of the answer after "ok ", or the negative errno of "error N". */
static int ask(struct gate *gate, char answer[LINE_MAX_LEN], const char *question)
{
	int r = 0, error;

	if (gate->fd < 0 || gate->mode == GATE_ABSENT)
		return -ENODEV;
	if (send(gate->fd, question, strlen(question), MSG_NOSIGNAL) < 0)
		return -EIO;
	while (r == 0)
		r = receive(gate, 0, answer);
	if (r < 0)
		return -EIO;
	if (sscanf(answer, "error %d", &error) == 1)
		return -error;
	return strncmp(answer, "ok", 2) == 0 ? 0 : -EIO;
}

int gate_new(struct gate **ret_gate, sd_event *event, const struct gate_hooks *hooks,
	     void *userdata)
{
	struct gate *gate = calloc(1, sizeof(*gate));

	gate->event = event;
	gate->hooks = hooks;
	gate->userdata = userdata;
	gate->fd = -1;
	STAILQ_INIT(&gate->lines);
	*ret_gate = gate;
	return 0;
}

static void attach(struct gate *gate, int fd)
{
	gate->fd = fd;
	sd_event_add_io(gate->event, &gate->io, fd, EPOLLIN, on_readable, gate);
	sd_event_add_defer(gate->event, &gate->later, on_later, gate);
	sd_event_source_set_enabled(gate->later, SD_EVENT_OFF);
}

static void detach(struct gate *gate)
{
	gate->io = sd_event_source_disable_unref(gate->io);
	gate->later = sd_event_source_disable_unref(gate->later);
	if (gate->fd >= 0)
		close(gate->fd);
	gate->fd = -1;
	gate->mode = GATE_ABSENT;
}

struct gate *gate_free(struct gate *gate)
{
	if (gate == NULL)
		return NULL;
	while (!STAILQ_EMPTY(&gate->lines)) {
		struct line *line = STAILQ_FIRST(&gate->lines);

		STAILQ_REMOVE_HEAD(&gate->lines, queue);
		free(line);
	}
	detach(gate);
	free(gate);
	return NULL;
}

/* @word: what the test answers with its mode: as long as it obeys. */
static int begin(struct gate *gate, const char *word)
{
	char answer[LINE_MAX_LEN];

	gate->mode = GATE_PRESENT;
	if (ask(gate, answer, word) < 0) {
		detach(gate);
		return -EPERM;
	}
	if (strcmp(answer, "ok permissive") == 0)
		gate->mode = GATE_PERMISSIVE;
	gate->hooks->changed(gate->userdata);
	return 0;
}

void gate_look(struct gate *gate)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *path = getenv("CALLGATE_FAKE_GATE");
	int fd;

	if (gate->mode != GATE_ABSENT || path == NULL)
		return;
	if (gate->fd < 0) {
		snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
		fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
		if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
			close(fd);
			return;
		}
		attach(gate, fd);
	}
	begin(gate, "bind");
}

int gate_adopt(struct gate *gate, int fd)
{
	int r = 1;

	attach(gate, fd);
	/* Answers to the process before this one. */
	while (r > 0)
		r = receive(gate, MSG_DONTWAIT, NULL);
	return begin(gate, "adopt");
}

int gate_fd(const struct gate *gate)
{
	return gate->fd;
}

enum gate_mode gate_mode(const struct gate *gate)
{
	return gate->mode;
}

int gate_identify(struct gate *gate, pid_t pid, struct process_facts *ret_facts)
{
	struct process_facts facts = { .pid = pid, .proven = true };
	char question[64], answer[LINE_MAX_LEN];
	int traced = 0, at = 0, r;

	snprintf(question, sizeof(question), "identify %d", pid);
	r = ask(gate, answer, question);
	if (r < 0)
		return r;
	if (sscanf(answer, "ok %u %" SCNu64 " %" SCNu64 " %d %n", &facts.uid, &facts.cookie,
		   &facts.cgroup, &traced, &at) < 4)
		return -EIO;
	facts.traced = traced != 0;
	snprintf(facts.exe, sizeof(facts.exe), "%s", answer + at);
	*ret_facts = facts;
	return 0;
}

int gate_grant(struct gate *gate, const struct gate_grant *grant, uint64_t *ret_id)
{
	char question[256], answer[LINE_MAX_LEN];
	struct stat st = { .st_ino = 0 };
	uint64_t id = 0;
	int r;

	if (grant->cgroup_fd >= 0)
		fstat(grant->cgroup_fd, &st);
	snprintf(question, sizeof(question),
		 "grant %" PRIu64 " %d %" PRIu64 " %" PRIu64 " %u %" PRIu32 " %" PRIu64,
		 grant->session, grant->who->pid, grant->who->cookie, (uint64_t)st.st_ino,
		 grant->who->uid, grant->kinds, grant->deadline);
	r = ask(gate, answer, question);
	if (r == 0 && ret_id != NULL && sscanf(answer, "ok %" SCNu64, &id) == 1)
		*ret_id = id;
	return r;
}

int gate_revoke_grant(struct gate *gate, uint64_t id)
{
	char question[64], answer[LINE_MAX_LEN];

	snprintf(question, sizeof(question), "revoke-grant %" PRIu64, id);
	return ask(gate, answer, question);
}

int gate_revoke(struct gate *gate, uint64_t session)
{
	char question[64], answer[LINE_MAX_LEN];

	snprintf(question, sizeof(question), "revoke %" PRIu64, session);
	return ask(gate, answer, question);
}

int gate_set_mode(struct gate *gate, bool permissive)
{
	char answer[LINE_MAX_LEN];
	int r = ask(gate, answer, permissive ? "mode permissive" : "mode enforcing");

	if (r < 0)
		return r;
	gate->mode = permissive ? GATE_PERMISSIVE : GATE_PRESENT;
	gate->hooks->changed(gate->userdata);
	return 0;
}

int gate_verdict(struct gate *gate, uint64_t request, bool allow)
{
	char question[64], answer[LINE_MAX_LEN];

	snprintf(question, sizeof(question), "verdict %" PRIu64 " %d", request, allow);
	return ask(gate, answer, question);
}

/* The answer: for each grant ID SESSION PID COOKIE CGROUP UID KINDS. */
int gate_revoke_unknown(struct gate *gate,
			bool (*known)(void *userdata, const struct gate_held *held), void *userdata)
{
	char question[64], answer[LINE_MAX_LEN], *word, *rest;
	int r = ask(gate, answer, "grants");

	if (r < 0)
		return r;
	for (word = strtok_r(answer + 2, ",", &rest); word != NULL;
	     word = strtok_r(NULL, ",", &rest)) {
		struct gate_held held = { 0 };
		char ignored[LINE_MAX_LEN];

		if (sscanf(word, " %" SCNu64 " %" SCNu64 " %d %" SCNu64 " %" SCNu64 " %u %" SCNu32,
			   &held.id, &held.session, &held.pid, &held.cookie, &held.cgroup,
			   &held.uid, &held.kinds) < 7 ||
		    known(userdata, &held))
			continue;
		snprintf(question, sizeof(question), "revoke-grant %" PRIu64, held.id);
		ask(gate, ignored, question);
	}
	return 0;
}
