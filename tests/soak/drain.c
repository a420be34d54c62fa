// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Unloads and loads the module of the test build again and again, while threads
 * run through its wrappers; each of those stays a while where nothing but the
 * unloader's patience keeps the code in memory.
 *
 * Usage: drain SECONDS PARAMETERS...	prints how often it unloaded
 *        drain --on-the-way-in SECONDS PARAMETERS...
 *
 * The second unloads when one thread has fetched a wrapper and not counted
 * itself yet, which takes a test_delay_ms of seconds. With a part of the patience
 * taken out by another parameter the kernel dies of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

/* One at the camera, one at the microphone: more would never leave the module unused. */
#define THREADS 2

/* How long before a wrapper is sure to have been fetched; a small part of test_delay_ms. */
#define FETCHED_US 100000

static atomic_ulong opened;
static atomic_int calling;

static void open_and_close(const char *node)
{
	int fd = open(node, O_RDWR | O_NONBLOCK);

	if (fd >= 0) {
		atomic_fetch_add(&opened, 1);
		close(fd);
	}
}

static void *play(void *number)
{
	int me = (long)number;

	for (;;) {
		open_and_close(me % 2 ? "/dev/snd/pcmC0D0c" : "/dev/video0");
		/* While a file is open nobody can unload. */
		usleep(1000);
	}
	return NULL;
}

static void *open_slowly(void *unused)
{
	for (;;) {
		while (!calling)
			usleep(1000);
		open_and_close("/dev/video0");
		calling = 0;
	}
	return NULL;
}

static void wait_for_return(void)
{
	while (calling)
		usleep(1000);
}

static bool load(char *parameters)
{
	const char *build = getenv("BUILD");
	struct utsname system;
	char path[256];
	bool err;
	int fd;

	uname(&system);
	snprintf(path, sizeof(path), "/callgate/%s/module-test/%s/callgate.ko",
		 build ? build : "build", system.release);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	err = fd < 0 || syscall(SYS_finit_module, fd, parameters, 0);
	if (err)
		perror("drain: load");
	close(fd);
	return err;
}

int main(int argc, char **argv)
{
	bool inward = argc > 1 && !strcmp(argv[1], "--on-the-way-in");
	unsigned long unloaded = 0, busy = 0;
	char parameters[256] = "";
	pthread_t thread;
	time_t end;
	long i;

	argv += inward;
	argc -= inward;
	if (argc < 3) {
		fprintf(stderr, "Usage: drain [--on-the-way-in] SECONDS PARAMETERS...\n");
		return 2;
	}
	for (i = 2; i < argc; i++) {
		strcat(parameters, argv[i]);
		strcat(parameters, " ");
	}
	if (syscall(SYS_delete_module, "callgate", 0) || load(parameters))
		return 1;
	end = time(NULL) + atoi(argv[1]);
	for (i = 0; i < (inward ? 1 : THREADS); i++)
		pthread_create(&thread, NULL, inward ? open_slowly : play, (void *)i);
	while (time(NULL) < end) {
		if (inward) {
			calling = 1;
			usleep(FETCHED_US);
		}
		if (syscall(SYS_delete_module, "callgate", O_NONBLOCK)) {
			if (errno != EWOULDBLOCK) {
				perror("drain: unload");
				return 1;
			}
			busy++;
			usleep(500);
			continue;
		}
		unloaded++;
		/* The same code loaded again may lie where it lay. */
		if (inward)
			wait_for_return();
		if (load(parameters))
			return 1;
	}
	printf("%lu times unloaded, %lu times in use, %lu files opened\n", unloaded, busy, opened);
	return unloaded && opened ? 0 : 1;
}
