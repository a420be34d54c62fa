// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Who a process is: its uid, image and executable, and the label of the app
 * that it runs. Must not remember anything. Called by call.c and the bus
 * objects with pidfds, never with bare pids: a pidfd that is alive before and
 * after a look-up by number proves that the number meant this process.
 *
 * Security: with a gate the kernel reads the process itself. Without one /proc
 * is read; what is found there the process can forge, so it gets a label class of
 * its own, "name:", and can never take the identity of a proven program.
 */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util/macro.h"
#include "util/text.h"

/* The number after a line's name in a small /proc file; negative errno. */
static int read_field(const char *path, const char *name, char *ret_value, size_t size)
{
	char line[256];
	FILE *file = fopen(path, "re");
	int r = -ENOENT;

	if (file == NULL)
		return -errno;
	while (fgets(line, sizeof(line), file) != NULL) {
		size_t length = strlen(name);

		if (strncmp(line, name, length) != 0)
			continue;
		line[strcspn(line, "\n")] = '\0';
		length += strspn(line + length, " \t");
		snprintf(ret_value, size, "%s", line + length);
		r = 0;
		break;
	}
	fclose(file);
	return r;
}

bool process_alive(int pidfd)
{
	struct pollfd fd = { .fd = pidfd, .events = POLLIN };

	return poll(&fd, 1, 0) == 0;
}

int process_pid(int pidfd, pid_t *ret_pid)
{
	char path[64], value[32];
	long pid;
	int r;

	/*
	 * Only a pidfd can be signalled. What fdinfo shows of other files may hold text that
	 * their owner chose and can change: the name of a DMA buffer may say "Pid:" too.
	 */
	if (syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0) < 0 && errno == EBADF)
		return -EBADF;
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	r = read_field(path, "Pid:", value, sizeof(value));
	if (r == -ENOENT)
		return -EBADF;
	if (r < 0)
		return r;
	pid = strtol(value, NULL, 10);
	if (pid == 0)
		return -EPERM;
	if (pid < 0 || !process_alive(pidfd))
		return -ESRCH;
	*ret_pid = (pid_t)pid;
	return 0;
}

/* What everybody may read in /proc. */
static int identify_unproven(pid_t pid, struct process_facts *facts)
{
	unsigned int real, effective, saved;
	char path[64], value[256];
	ssize_t length;
	int r;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	r = read_field(path, "Uid:", value, sizeof(value));
	if (r < 0)
		return r == -ENOENT ? -ESRCH : r;
	if (sscanf(value, "%u %u %u", &real, &effective, &saved) != 3)
		return -EIO;
	if (real != effective || real != saved)
		return -EPERM;
	facts->uid = real;
	r = read_field(path, "TracerPid:", value, sizeof(value));
	facts->traced = r < 0 || strcmp(value, "0") != 0;
	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	length = readlink(path, facts->exe, sizeof(facts->exe) - 1);
	if (length > 0) {
		facts->exe[length] = '\0';
		return 0;
	}
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	r = read_field(path, "Name:", value, sizeof(value));
	if (r < 0)
		return r;
	snprintf(facts->exe, sizeof(facts->exe), "%s", value);
	return 0;
}

int process_identify(const struct process_source *source, int pidfd,
		     struct process_facts *ret_facts)
{
	struct process_facts facts = { .proven = false };
	pid_t pid;
	int r;

	r = process_pid(pidfd, &pid);
	if (r < 0)
		return r;
	r = source->identify(source->userdata, pid, &facts);
	if (r == 0)
		facts.proven = true;
	else if (r == -ENODEV)
		r = identify_unproven(pid, &facts);
	if (r < 0)
		return r;
	if (!process_alive(pidfd))
		return -ESRCH;
	facts.pid = pid;
	*ret_facts = facts;
	return 0;
}

static bool only_root_writes(const struct stat *st)
{
	return st->st_uid == 0 && (st->st_mode & 022) == 0;
}

int process_root_owned(const char *path)
{
	char part[PROCESS_EXE_MAX + 1];
	struct stat st;

	if (path[0] != '/' || strlen(path) >= sizeof(part))
		return 0;
	for (const char *at = path; at != NULL; at = strchr(at + 1, '/')) {
		size_t length = at == path ? 1 : (size_t)(at - path);

		memcpy(part, path, length);
		part[length] = '\0';
		if (lstat(part, &st) < 0)
			return errno == ENOENT ? -ENOENT : 0;
		if (!S_ISDIR(st.st_mode) || !only_root_writes(&st))
			return 0;
	}
	if (lstat(path, &st) < 0)
		return errno == ENOENT ? -ENOENT : 0;
	return S_ISREG(st.st_mode) && only_root_writes(&st);
}

int process_label(const struct process_facts *facts, char *ret_label)
{
	const char *name = facts->exe, *class = "name:";

	if (facts->proven) {
		int r = process_root_owned(facts->exe);

		if (r < 0)
			return -ESTALE;
		class = r ? "exe:" : "user:";
	} else if (strrchr(name, '/') != NULL) {
		/* The same label whether or not /proc shows the path to this daemon's user. */
		name = strrchr(name, '/') + 1;
	}
	if (!text_is_name(name, PROCESS_EXE_MAX))
		return -EILSEQ;
	snprintf(ret_label, BOUND_LABEL + 1, "%s%s", class, name);
	return 0;
}
