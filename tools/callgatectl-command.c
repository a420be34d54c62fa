// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The program that a call is for: forked early, so that the daemon can put the
 * waiting process into its control group, and executed when the call is live.
 * Owns the process and its pipes. Knows nothing of calls.
 *
 * Security: it starts with three descriptors and default signals, whatever we
 * have open; it dies with us; and the process that the daemon approved is the one that executes.
 */
#include "callgatectl-command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void default_signals(void)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		sigaction(i, &action, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void __attribute__((noreturn))
child(char **argv, pid_t parent, int go, int error, int in, int out)
{
	ssize_t n;
	char byte;
	int saved;

	setpgid(0, 0);
	default_signals();
	/* Whoever kills us with SIGKILL must not leave a program that captures. */
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 || getppid() != parent)
		_exit(127);
	do {
		n = read(go, &byte, 1);
	} while (n < 0 && errno == EINTR);
	if (n != 1)
		_exit(127);
	if (in < 0)
		in = open("/dev/null", O_RDONLY);
	if (in < 0 || dup2(in, 0) < 0 || (out >= 0 && dup2(out, 1) < 0) ||
	    close_range(3, ~0u, CLOSE_RANGE_CLOEXEC) < 0)
		goto fail;
	execvp(argv[0], argv);
fail:
	saved = errno;
	n = write(error, &saved, sizeof(saved));
	_exit(127);
}

/* Both ends are above 2: main() made sure that those are open. */
static int make_pipe(int ends[2])
{
	return pipe2(ends, O_CLOEXEC) < 0 ? -errno : 0;
}

int command_fork(char **argv, bool feed, bool collect, struct command *ret)
{
	int go[2] = { -1, -1 }, error[2] = { -1, -1 }, in[2] = { -1, -1 }, out[2] = { -1, -1 };
	struct command command = COMMAND_INIT;
	pid_t parent = getpid();
	int r;

	r = make_pipe(go);
	if (r >= 0)
		r = make_pipe(error);
	if (r >= 0 && feed)
		r = make_pipe(in);
	if (r >= 0 && collect)
		r = make_pipe(out);
	if (r < 0)
		goto out;
	command.pid = fork();
	if (command.pid < 0) {
		r = -errno;
		goto out;
	}
	if (command.pid == 0) {
		/* Its own copies of our ends would keep it waiting for itself. */
		close(go[1]);
		close_fd(&in[1]);
		child(argv, parent, go[0], error[1], in[0], out[1]);
	}
	setpgid(command.pid, command.pid);
	command.pidfd = pidfd_open(command.pid, 0);
	if (command.pidfd < 0) {
		r = -errno;
		kill(command.pid, SIGKILL);
		waitpid(command.pid, NULL, 0);
		goto out;
	}
	command.go = go[1];
	command.error = error[0];
	command.in = in[1];
	command.out = out[0];
	go[1] = error[0] = in[1] = out[0] = -1;
	if (command.in >= 0)
		fcntl(command.in, F_SETFL, O_NONBLOCK);
	if (command.out >= 0)
		fcntl(command.out, F_SETFL, O_NONBLOCK);
	*ret = command;
	r = 0;
out:
	for (int i = 0; i < 2; i++) {
		close_fd(&go[i]);
		close_fd(&error[i]);
		close_fd(&in[i]);
		close_fd(&out[i]);
	}
	return r;
}

int command_begin(struct command *command)
{
	ssize_t n;

	if (command->go < 0 || !command->pid)
		return -ESRCH;
	n = write(command->go, "", 1);
	if (n != 1)
		return n < 0 ? -errno : -EIO;
	close_fd(&command->go);
	command->begun = true;
	return 0;
}

int command_check(struct command *command)
{
	int error = 0;
	ssize_t n = read(command->error, &error, sizeof(error));

	close_fd(&command->error);
	return n == sizeof(error) ? -error : 0;
}

void command_signal(struct command *command, int number)
{
	if (!command->pid)
		return;
	if (!command->begun)
		close_fd(&command->go);
	else
		kill(-command->pid, number);
}

int command_reap(struct command *command, int *ret_status)
{
	if (!command->pid)
		return -ESRCH;
	if (waitpid(command->pid, ret_status, WNOHANG) != command->pid)
		return -EAGAIN;
	command->pid = 0;
	return 0;
}

void command_close_in(struct command *command)
{
	close_fd(&command->in);
}

void command_close_out(struct command *command)
{
	close_fd(&command->out);
}

void command_deinit(struct command *command)
{
	close_fd(&command->go);
	if (command->pid) {
		kill(command->begun ? -command->pid : command->pid, SIGKILL);
		waitpid(command->pid, NULL, 0);
		command->pid = 0;
	}
	close_fd(&command->pidfd);
	close_fd(&command->error);
	close_fd(&command->in);
	close_fd(&command->out);
}
