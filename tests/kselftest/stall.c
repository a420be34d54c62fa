// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Pages that stop whoever touches them (userfaultfd), and a thread to run into
 * one. Owns one of each. Called in the tests' apps, but for stall_permit().
 */
#include "stall.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static int uffd = -1;
static char *page;
static size_t page_size;

bool stall_permit(void)
{
	int fd = open("/proc/sys/vm/unprivileged_userfaultfd", O_WRONLY);
	bool ok = fd >= 0 && write(fd, "1", 1) == 1;

	close(fd);
	return ok;
}

void *stall_page(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register area = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	char *two;

	page_size = sysconf(_SC_PAGESIZE);
	two = mmap(NULL, 2 * page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (two == MAP_FAILED)
		return NULL;
	memset(two, 0, page_size);
	page = two + page_size;
	uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	area.range.start = (uintptr_t)page;
	area.range.len = page_size;
	if (uffd < 0 || ioctl(uffd, UFFDIO_API, &api) || ioctl(uffd, UFFDIO_REGISTER, &area))
		return NULL;
	return page;
}

bool stall_reached(int ms)
{
	struct pollfd p = { .fd = uffd, .events = POLLIN };
	struct uffd_msg msg;

	return poll(&p, 1, ms) == 1 && read(uffd, &msg, sizeof(msg)) == sizeof(msg) &&
	       msg.event == UFFD_EVENT_PAGEFAULT;
}

void stall_end(void)
{
	struct uffdio_zeropage zero = { .range = { .start = (uintptr_t)page, .len = page_size } };

	ioctl(uffd, UFFDIO_ZEROPAGE, &zero);
	close(uffd);
	uffd = -1;
}

static struct {
	long (*fn)(void *arg);
	void *arg;
	_Atomic long result;
	atomic_bool done;
} job;

static void *run(void *unused)
{
	job.result = job.fn(job.arg);
	job.done = true;
	return NULL;
}

int stall_thread(long (*fn)(void *arg), void *arg)
{
	pthread_t thread;
	int r;

	job.fn = fn;
	job.arg = arg;
	job.done = false;
	r = pthread_create(&thread, NULL, run, NULL);
	return r ? -r : pthread_detach(thread);
}

long stall_result(int ms)
{
	while (!job.done && ms-- > 0)
		usleep(1000);
	return job.done ? job.result : -EBUSY;
}
