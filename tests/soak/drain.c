// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Unloads and loads the module of the test build again and again, while threads
 * run through its wrappers; each of those stays a while where nothing but the
 * unloader's patience keeps the code in memory.
 *
 * Usage: drain SECONDS PARAMETERS...	prints how often it unloaded
 *
 * With test_no_drain=1 among the parameters the kernel dies of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <pthread.h>
#include <stdatomic.h>
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

static atomic_ulong opened;

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

static int load(char *parameters)
{
	const char *build = getenv("BUILD");
	struct utsname system;
	char path[256];
	int fd, err;

	uname(&system);
	snprintf(path, sizeof(path), "/callgate/%s/module-test/%s/callgate.ko",
		 build ? build : "build", system.release);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	err = syscall(SYS_finit_module, fd, parameters, 0) ? errno : 0;
	close(fd);
	return err;
}

int main(int argc, char **argv)
{
	time_t end = time(NULL) + (argc > 1 ? atoi(argv[1]) : 0);
	unsigned long unloaded = 0, busy = 0;
	char parameters[256] = "";
	pthread_t thread;
	long i;
	int err;

	if (argc < 3) {
		fprintf(stderr, "Usage: drain SECONDS PARAMETERS...\n");
		return 2;
	}
	for (i = 2; i < argc; i++) {
		strcat(parameters, argv[i]);
		strcat(parameters, " ");
	}
	for (i = 0; i < THREADS; i++)
		pthread_create(&thread, NULL, play, (void *)i);
	while (time(NULL) < end) {
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
		err = load(parameters);
		if (err) {
			fprintf(stderr, "drain: load: %s\n", strerror(err));
			return 1;
		}
	}
	printf("%lu times unloaded, %lu times in use, %lu files opened\n", unloaded, busy, opened);
	return unloaded && opened ? 0 : 1;
}
