// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the hands at the seat press, as callgate-presence tells it. Owns that
 * process. Called by callgate-agent.c while a question is on the screen.
 *
 * Security: the socket is made here, with the agents' group, by which the helper
 * knows whom it serves. A press counts once, for the kind of thing that was
 * pressed, and within 50 ms of the time at which the window says that it saw it.
 */
#include "hand.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define HELPER	    "/usr/libexec/callgate-presence"
#define PRESSES_MAX 16

static const char *const kinds[] = { "pointer", "touch", "key" };

/**
 * struct hand
 * @presses: the last ones; kind is an index into kinds, or -1 where it was used or never was
 * @next: where the next one is put
 */
struct hand {
	pid_t pid;
	int socket;
	sd_event_source *io;
	bool ready, gone;
	struct {
		int kind;
		uint32_t at;
	} presses[PRESSES_MAX];
	unsigned int next;
	void (*heard)(void *userdata);
	void *userdata;
};

static int kind_of(const char *word)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(word, kinds[i]) == 0)
			return (int)i;
	return -1;
}

static void take_line(struct hand *hand, const char *line)
{
	char word[16];
	uint64_t at;

	if (strcmp(line, "ready\n") == 0) {
		hand->ready = true;
		return;
	}
	if (sscanf(line, "%15s %" SCNu64, word, &at) != 2)
		return;
	hand->presses[hand->next].kind = kind_of(word);
	hand->presses[hand->next].at = (uint32_t)at;
	hand->next = (hand->next + 1) % PRESSES_MAX;
}

static int on_socket(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct hand *hand = userdata;
	char line[64];
	ssize_t n = recv(fd, line, sizeof(line) - 1, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n > 0) {
		line[n] = '\0';
		take_line(hand, line);
	} else {
		hand->gone = true;
		hand->ready = false;
		sd_event_source_set_enabled(hand->io, SD_EVENT_OFF);
	}
	hand->heard(hand->userdata);
	return 0;
}

static int spawn_helper(struct hand *hand, const char *seat, int socket)
{
	char *argv[] = { (char *)HELPER, (char *)seat, NULL }, *envp[] = { NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none;
	int r;

	sigemptyset(&none);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, socket, STDIN_FILENO);
	r = posix_spawn(&hand->pid, HELPER, &actions, &attributes, argv, envp);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	if (r != 0)
		hand->pid = 0;
	return -r;
}

int hand_new(struct hand **ret, sd_event *event, const char *seat, void (*heard)(void *userdata),
	     void *userdata)
{
	struct hand *hand = calloc(1, sizeof(*hand));
	int pair[2], r;

	if (!hand)
		return -ENOMEM;
	hand->heard = heard;
	hand->userdata = userdata;
	hand->socket = -1;
	for (unsigned int i = 0; i < PRESSES_MAX; i++)
		hand->presses[i].kind = -1;
	/* Packets, so that a line comes whole. */
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		r = -errno;
		free(hand);
		return r;
	}
	hand->socket = pair[0];
	r = spawn_helper(hand, seat, pair[1]);
	close(pair[1]);
	if (r >= 0)
		r = sd_event_add_io(event, &hand->io, hand->socket, EPOLLIN, on_socket, hand);
	if (r < 0) {
		hand_free(hand);
		return r;
	}
	*ret = hand;
	return 0;
}

struct hand *hand_free(struct hand *hand)
{
	if (!hand)
		return NULL;
	sd_event_source_disable_unref(hand->io);
	/* Its end ends the helper, which is another user's process by now. */
	if (hand->socket >= 0)
		close(hand->socket);
	if (hand->pid > 0)
		waitpid(hand->pid, NULL, 0);
	free(hand);
	return NULL;
}

bool hand_is_ready(const struct hand *hand)
{
	return hand->ready;
}

bool hand_is_gone(const struct hand *hand)
{
	return hand->gone;
}

bool hand_pressed(struct hand *hand, const char *by, uint32_t at)
{
	int kind = kind_of(by);
	uint32_t apart;

	for (unsigned int i = 0; i < PRESSES_MAX && kind >= 0; i++) {
		if (hand->presses[i].kind != kind)
			continue;
		apart = at - hand->presses[i].at;
		if (apart > HAND_APART_MS && -apart > HAND_APART_MS)
			continue;
		hand->presses[i].kind = -1;
		return true;
	}
	return false;
}
