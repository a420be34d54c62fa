// SPDX-License-Identifier: LGPL-2.1-or-later
/* What a descriptor says about a process counts only when it is a pidfd. */
#include "unit.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process.h"

static void a_pidfd_names_its_process(void **state)
{
	int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	pid_t pid = 0;

	assert_true(fd >= 0);
	assert_int_equal(process_pid(fd, &pid), 0);
	assert_int_equal(pid, getpid());
	close(fd);
	assert_int_equal(process_pid(fd, &pid), -EBADF);
}

static void one_of_a_process_that_ended_names_none(void **state)
{
	pid_t child = fork(), pid;
	int fd;

	if (child == 0)
		_exit(0);
	fd = (int)syscall(SYS_pidfd_open, child, 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(process_pid(fd, &pid), -ESRCH);
	close(fd);
}

static void another_file_names_none(void **state)
{
	int ends[2];
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(process_pid(ends[0], &pid), -EBADF);
	close(ends[0]);
	close(ends[1]);
}

static bool pretend(int fd, const char *text)
{
	char entry[64];
	FILE *file;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", "/proc", "tmpfs", 0, NULL) < 0 || mkdir("/proc/self", 0755) < 0 ||
	    mkdir("/proc/self/fdinfo", 0755) < 0)
		return false;
	snprintf(entry, sizeof(entry), "/proc/self/fdinfo/%d", fd);
	file = fopen(entry, "we");
	return file != NULL && fputs(text, file) >= 0 && fclose(file) == 0;
}

/* As a DMA buffer can whose owner named it so; here another /proc says it. */
static void not_even_when_it_says_a_number(void **state)
{
	int ends[2], status;
	pid_t child, pid;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		if (!pretend(ends[0], "name:\tx\nPid:\t1\n"))
			_exit(2);
		_exit(process_pid(ends[0], &pid) == -EBADF ? 0 : 1);
	}
	waitpid(child, &status, 0);
	close(ends[0]);
	close(ends[1]);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	struct unit u = {};

	UNIT(&u, a_pidfd_names_its_process);
	UNIT(&u, one_of_a_process_that_ended_names_none);
	UNIT(&u, another_file_names_none);
	if (geteuid() == 0)
		UNIT(&u, not_even_when_it_says_a_number);
	else
		unit_skip(&u, "not_even_when_it_says_a_number", "needs root, to mount");
	return unit_run(&u);
}
