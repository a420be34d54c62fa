// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Whose a client of pipewire-pulse is, with real processes and a socket of that name; this program is the server. And
 * how often /proc is read for it: once for everybody, however many clients there are.
 */
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static unsigned int folders;

static DIR *counted_opendir(const char *path)
{
	folders++;
	return opendir(path);
}

#define opendir counted_opendir
#include "../../tools/callgate-pipewire/sockets.c"
#include "../../tools/callgate-pipewire/pulse.c"
#undef opendir

#define CROWD 60

struct rig {
	char place[32];
	struct sockaddr_un address;
	int listener;
	struct graph graph;
};

struct person {
	pid_t pid;
	int accepted;
	struct graph_client client;
};

static int setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	assert_non_null(rig);
	snprintf(rig->place, sizeof(rig->place), "/tmp/pulse-test-XXXXXX");
	assert_non_null(mkdtemp(rig->place));
	rig->address.sun_family = AF_UNIX;
	snprintf(rig->address.sun_path, sizeof(rig->address.sun_path), "%s/pulse", rig->place);
	assert_int_equal(mkdir(rig->address.sun_path, 0700), 0);
	snprintf(rig->address.sun_path, sizeof(rig->address.sun_path), "%s/pulse/native",
		 rig->place);
	rig->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(
		bind(rig->listener, (struct sockaddr *)&rig->address, sizeof(rig->address)), 0);
	assert_int_equal(listen(rig->listener, CROWD), 0);
	LIST_INIT(&rig->graph.clients);
	rig->graph.server = getpid();
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	close(rig->listener);
	unlink(rig->address.sun_path);
	*strrchr(rig->address.sun_path, '/') = '\0';
	rmdir(rig->address.sun_path);
	rmdir(rig->place);
	free(rig);
	return 0;
}

/* A process that is connected; it claims its own number, as honest programs do. */
static void come(struct rig *rig, struct person *person)
{
	*person = (struct person){ .pid = fork() };
	assert_true(person->pid >= 0);
	if (person->pid == 0) {
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

		/* A test that fails leaves nobody behind. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (connect(fd, (struct sockaddr *)&rig->address, sizeof(rig->address)) == 0)
			pause();
		_exit(1);
	}
	person->accepted = accept4(rig->listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(person->accepted >= 0);
	person->client = (struct graph_client){
		.pid = getpid(), .known = true, .pulse = true, .claimed = person->pid
	};
	LIST_INSERT_HEAD(&rig->graph.clients, &person->client, all);
}

static void go(struct person *person)
{
	LIST_REMOVE(&person->client, all);
	kill(person->pid, SIGKILL);
	waitpid(person->pid, NULL, 0);
	close(person->accepted);
}

static void honest(void **state)
{
	struct rig *rig = *state;
	struct person people[3];

	for (size_t i = 0; i < 3; i++)
		come(rig, &people[i]);
	pulse_find(&rig->graph);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(people[i].client.behind, people[i].pid);
	for (size_t i = 0; i < 3; i++)
		go(&people[i]);
}

static void forged(void **state)
{
	struct rig *rig = *state;
	struct person good, forger;

	come(rig, &good);
	come(rig, &forger);
	forger.client.claimed = good.pid;
	pulse_find(&rig->graph);
	assert_int_equal(forger.client.behind, 0);
	assert_int_equal(good.client.behind, 0);
	/* One who is no peer at all. */
	forger.client.claimed = 1;
	pulse_find(&rig->graph);
	assert_int_equal(forger.client.behind, 0);
	/* Nor does it help not to be a client of PipeWire, while connected. */
	LIST_REMOVE(&forger.client, all);
	pulse_find(&rig->graph);
	assert_int_equal(good.client.behind, 0);
	LIST_INSERT_HEAD(&rig->graph.clients, &forger.client, all);
	go(&forger);
	pulse_find(&rig->graph);
	assert_int_equal(good.client.behind, good.pid);
	go(&good);
}

static void another_program(void **state)
{
	struct rig *rig = *state;
	struct person person;

	come(rig, &person);
	/* Its server is no PipeWire's: another program's number stands for that. */
	rig->graph.server = 1;
	pulse_find(&rig->graph);
	assert_int_equal(person.client.behind, 0);
	rig->graph.server = getpid();
	pulse_find(&rig->graph);
	assert_int_equal(person.client.behind, person.pid);
	go(&person);
}

static unsigned int processes(void)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	unsigned int n = 0;

	while ((entry = readdir(dir)) != NULL)
		n += entry->d_name[0] >= '1' && entry->d_name[0] <= '9';
	closedir(dir);
	return n;
}

static void crowd(void **state)
{
	struct rig *rig = *state;
	struct person people[CROWD];

	for (size_t i = 0; i < CROWD; i++)
		come(rig, &people[i]);
	folders = 0;
	pulse_find(&rig->graph);
	for (size_t i = 0; i < CROWD; i++)
		assert_int_equal(people[i].client.behind, people[i].pid);
	/* Others may start programs meanwhile. */
	assert_true(folders < 2 * processes());
	for (size_t i = 0; i < CROWD; i++)
		go(&people[i]);
}

/* What it calls itself is not what it is called outside. */
static void contained(void **state)
{
	struct rig *rig = *state;
	struct person person;

	if (unshare(CLONE_NEWPID) != 0) {
		print_message("no process namespace of one's own here: %s\n", strerror(errno));
		skip();
	}
	come(rig, &person);
	person.client.claimed = 1;
	pulse_find(&rig->graph);
	assert_int_equal(person.client.behind, person.pid);
	go(&person);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(honest, setup, teardown),
		cmocka_unit_test_setup_teardown(forged, setup, teardown),
		cmocka_unit_test_setup_teardown(another_program, setup, teardown),
		cmocka_unit_test_setup_teardown(crowd, setup, teardown),
		cmocka_unit_test_setup_teardown(contained, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
