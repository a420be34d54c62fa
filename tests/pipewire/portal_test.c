// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Which process a client is that a portal has handed on, with real processes and a socket of that name: this program is the
 * server, a child of it the portal, which connects, and has children of its own to hand on to.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const char *portal_program = "/proc/self/exe";

#define PORTAL portal_program
#include "../../tools/callgate-pipewire/portal.c"
#include "../../tools/callgate-pipewire/sockets.c"

#define CLIENTS 4
#define ORDER	'h' /* hand on to a new program */
#define KEEP	'k' /* and keep it, too */
#define OWN	'o' /* hand nothing on */
#define TWICE	't' /* hand on to two */

struct rig {
	char place[32];
	struct sockaddr_un address;
	int listener, orders[2], answers[2];
	pid_t portal;
	struct graph graph;
	size_t n;
	struct graph_client clients[CLIENTS];
	int accepted[CLIENTS];
};

/* Has no other than that when this returns. Ends with who started it, which may have ended before it could ask for that. */
static pid_t program(int fd)
{
	pid_t parent = getpid(), pid;
	int others[2];
	char c;

	assert_int_equal(pipe(others), 0);
	pid = fork();
	if (pid == 0) {
		if (fd > 3)
			close_range(3, (unsigned int)fd - 1, 0);
		close_range((unsigned int)fd + 1, ~0u, 0);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		while (getppid() == parent)
			pause();
		_exit(1);
	}
	close(others[1]);
	assert_int_equal(read(others[0], &c, 1), 0);
	close(others[0]);
	return pid;
}

static void be_portal(struct rig *rig)
{
	pid_t pid;
	char order;
	int fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGCHLD, SIG_IGN);
	/* Or it would wait for itself when a test has failed. */
	close(rig->orders[1]);
	while (read(rig->orders[0], &order, 1) == 1) {
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (connect(fd, (struct sockaddr *)&rig->address, sizeof(rig->address)) < 0)
			break;
		pid = order == OWN ? getpid() : program(fd);
		if (order == TWICE)
			program(fd);
		if (order == ORDER || order == TWICE)
			close(fd);
		if (write(rig->answers[1], &pid, sizeof(pid)) != sizeof(pid))
			break;
	}
	_exit(0);
}

static int setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	assert_non_null(rig);
	snprintf(rig->place, sizeof(rig->place), "/tmp/portal-test-XXXXXX");
	assert_non_null(mkdtemp(rig->place));
	rig->address.sun_family = AF_UNIX;
	snprintf(rig->address.sun_path, sizeof(rig->address.sun_path), "%s/" GRAPH_SOCKET,
		 rig->place);
	rig->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(
		bind(rig->listener, (struct sockaddr *)&rig->address, sizeof(rig->address)), 0);
	assert_int_equal(listen(rig->listener, CLIENTS), 0);
	assert_int_equal(pipe(rig->orders), 0);
	assert_int_equal(pipe(rig->answers), 0);
	LIST_INIT(&rig->graph.clients);
	rig->graph.server = getpid();
	rig->portal = fork();
	if (rig->portal == 0)
		be_portal(rig);
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	kill(rig->portal, SIGKILL);
	waitpid(rig->portal, NULL, 0);
	for (size_t i = 0; i < rig->n; i++)
		close(rig->accepted[i]);
	for (size_t i = 0; i < 2; i++) {
		close(rig->orders[i]);
		close(rig->answers[i]);
	}
	close(rig->listener);
	unlink(rig->address.sun_path);
	rmdir(rig->place);
	free(rig);
	return 0;
}

/* A client that the portal connected; returns who has it then. */
static pid_t come(struct rig *rig, char order, struct graph_client **ret_client)
{
	struct graph_client *client = &rig->clients[rig->n];
	pid_t pid = 0;

	assert_int_equal(write(rig->orders[1], &order, 1), 1);
	rig->accepted[rig->n] = accept4(rig->listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(rig->accepted[rig->n] >= 0);
	assert_int_equal(read(rig->answers[0], &pid, sizeof(pid)), sizeof(pid));
	*client =
		(struct graph_client){ .pid = rig->portal, .known = true, .portal = order != OWN };
	LIST_INSERT_HEAD(&rig->graph.clients, client, all);
	rig->n++;
	*ret_client = client;
	return pid;
}

static void handed_on(void **state)
{
	struct rig *rig = *state;
	struct graph_client *own, *client;
	pid_t pid;

	come(rig, OWN, &own);
	pid = come(rig, ORDER, &client);
	portal_find(&rig->graph);
	assert_int_equal(client->behind, pid);
	assert_int_equal(own->behind, 0);
}

static void not_handed_on(void **state)
{
	struct rig *rig = *state;
	struct graph_client *client;

	come(rig, OWN, &client);
	client->portal = true;
	portal_find(&rig->graph);
	assert_int_equal(client->behind, 0);
}

static void held_by_two(void **state)
{
	struct rig *rig = *state;
	struct graph_client *client;

	come(rig, KEEP, &client);
	portal_find(&rig->graph);
	assert_int_equal(client->behind, 0);
}

static void handed_to_two(void **state)
{
	struct rig *rig = *state;
	struct graph_client *client;

	come(rig, TWICE, &client);
	portal_find(&rig->graph);
	assert_int_equal(client->behind, 0);
}

/* Which of the two is which is not known. */
static void two_at_once(void **state)
{
	struct rig *rig = *state;
	struct graph_client *one, *other;

	come(rig, ORDER, &one);
	come(rig, ORDER, &other);
	portal_find(&rig->graph);
	assert_int_equal(one->behind, 0);
	assert_int_equal(other->behind, 0);
}

static void one_after_the_other(void **state)
{
	struct rig *rig = *state;
	struct graph_client *one, *other;
	pid_t first, second;

	first = come(rig, ORDER, &one);
	portal_find(&rig->graph);
	second = come(rig, ORDER, &other);
	portal_find(&rig->graph);
	assert_int_equal(one->behind, first);
	assert_int_equal(other->behind, second);
}

/* It says of what it holds itself that it was handed on, and has given another program a connection that is no client. */
static void more_than_clients(void **state)
{
	struct rig *rig = *state;
	struct graph_client *gone, *one, *other;

	come(rig, ORDER, &gone);
	LIST_REMOVE(gone, all);
	come(rig, ORDER, &one);
	portal_find(&rig->graph);
	assert_int_equal(one->behind, 0);
	come(rig, OWN, &other);
	other->portal = true;
	portal_find(&rig->graph);
	assert_int_equal(other->behind, 0);
}

static void another_program(void **state)
{
	struct rig *rig = *state;
	struct graph_client *client;
	pid_t pid;

	pid = come(rig, ORDER, &client);
	portal_program = "/bin/true";
	portal_find(&rig->graph);
	portal_program = "/proc/self/exe";
	assert_int_equal(client->behind, 0);
	portal_find(&rig->graph);
	assert_int_equal(client->behind, pid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(handed_on, setup, teardown),
		cmocka_unit_test_setup_teardown(not_handed_on, setup, teardown),
		cmocka_unit_test_setup_teardown(held_by_two, setup, teardown),
		cmocka_unit_test_setup_teardown(handed_to_two, setup, teardown),
		cmocka_unit_test_setup_teardown(two_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(one_after_the_other, setup, teardown),
		cmocka_unit_test_setup_teardown(more_than_clients, setup, teardown),
		cmocka_unit_test_setup_teardown(another_program, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
