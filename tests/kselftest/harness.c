// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Runs the tests of one program, each in a process group of its own.
 *
 * Owns the list and the verdicts. Knows nothing of the gate. Every program of
 * this folder is linked with it.
 */
#include "harness.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Shared with the test's process. */
struct outcome {
	bool failed;
	bool skipped;
	char reason[200];
};

static struct harness_test *first, **last = &first;
static struct outcome *outcome;
static uint64_t begun;

void harness_register(struct harness_test *test)
{
	*last = test;
	last = &test->next;
}

void harness_note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	printf("# ");
	vprintf(format, args);
	printf("\n");
	va_end(args);
	fflush(stdout);
}

void harness_fail(const char *file, int line, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	printf("# %s:%d: ", file, line);
	vprintf(format, args);
	printf("\n");
	va_end(args);
	fflush(stdout);
	outcome->failed = true;
}

void harness_end(void)
{
	_exit(0);
}

void harness_skip(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(outcome->reason, sizeof(outcome->reason), format, args);
	va_end(args);
	outcome->skipped = true;
	_exit(0);
}

uint64_t harness_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

uint64_t harness_begun(void)
{
	return begun;
}

bool harness_wait(bool (*check)(void *arg), void *arg, unsigned int ms)
{
	uint64_t end = harness_now() + ms * 1000000ull;

	while (!check(arg)) {
		if (harness_now() > end)
			return check(arg);
		usleep(5000);
	}
	return true;
}

/*
 * Ends what the test's process left in its group, and waits for it: a file of
 * its own may be the controller's socket, which the next test wants.
 */
static void end_group(pid_t group)
{
	uint64_t end = harness_now() + 30 * 1000000000ull;
	pid_t pid;

	kill(-group, SIGKILL);
	while ((pid = waitpid(-group, NULL, WNOHANG)) >= 0) {
		if (harness_now() > end) {
			harness_fail("harness", 0, "a process of the test does not end");
			return;
		}
		if (pid == 0)
			usleep(2000);
	}
}

/* A debug kernel takes its time. */
static unsigned int slowness(void)
{
	struct utsname name;

	return uname(&name) == 0 && strstr(name.release, "-dbg") ? 8 : 1;
}

/* Waits for the test's process; its group is gone afterwards. */
static void wait_for(pid_t pid, unsigned int limit)
{
	uint64_t end = harness_now() + limit * 1000000000ull;
	bool late = false;
	int status;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (!late && harness_now() > end) {
			late = true;
			kill(pid, SIGKILL);
		}
		usleep(2000);
	}
	end_group(pid);
	if (late)
		harness_fail("harness", 0, "not finished after %u s", limit);
	else if (WIFSIGNALED(status))
		harness_fail("harness", 0, "ended by signal %d", WTERMSIG(status));
	else if (WEXITSTATUS(status))
		harness_fail("harness", 0, "ended with status %d", WEXITSTATUS(status));
}

static void run(struct harness_test *test)
{
	pid_t pid;

	memset(outcome, 0, sizeof(*outcome));
	begun = harness_now();
	fflush(stdout);
	pid = fork();
	if (pid < 0) {
		harness_fail("harness", 0, "fork: %s", strerror(errno));
		return;
	}
	if (pid == 0) {
		setpgid(0, 0);
		test->run();
		_exit(0);
	}
	setpgid(pid, pid);
	wait_for(pid, test->limit * slowness());
}

void harness_leave_shares(char **argv)
{
	char self[256], here[64], command[128];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n < 0) {
		perror("/proc/self/exe");
		exit(1);
	}
	self[n] = '\0';
	if (!strncmp(self, "/tmp/", 5))
		return;
	snprintf(here, sizeof(here), "/tmp/%.40s", basename(self));
	snprintf(command, sizeof(command), "cp /proc/$PPID/exe %s", here);
	setenv(HARNESS_CAME_FROM, self, 1);
	if (system(command) == 0)
		execv(here, argv);
	perror(here);
	exit(1);
}

static bool wanted(const struct harness_test *test, int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], test->name))
			return true;
	}
	return argc < 2;
}

int harness_main(int argc, char **argv)
{
	struct harness_test *test;
	bool failed = false;
	int count = 0;

	outcome = mmap(NULL, sizeof(*outcome), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	if (outcome == MAP_FAILED) {
		printf("Bail out! mmap: %s\n", strerror(errno));
		return 1;
	}
	/* What a test's process started becomes this one's child when that ends. */
	if (prctl(PR_SET_CHILD_SUBREAPER, 1)) {
		printf("Bail out! prctl: %s\n", strerror(errno));
		return 1;
	}
	for (test = first; test; test = test->next)
		count += wanted(test, argc, argv);
	printf("KTAP version 1\n1..%d\n", count);
	count = 0;
	for (test = first; test; test = test->next) {
		if (!wanted(test, argc, argv))
			continue;
		run(test);
		failed |= outcome->failed;
		printf("%s %d %s", outcome->failed ? "not ok" : "ok", ++count, test->name);
		if (outcome->skipped && !outcome->failed)
			printf(" # SKIP %s", outcome->reason);
		printf("\n");
		fflush(stdout);
	}
	return failed;
}
