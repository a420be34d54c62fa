// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * One operation through io_uring, by system calls only. Owns its ring for the
 * length of the operation. Called in the tests' apps.
 */
#include "uring.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static long one(const struct io_uring_sqe *order, enum uring_mode mode)
{
	struct io_uring_params p = { .flags = mode == URING_SQPOLL ? IORING_SETUP_SQPOLL : 0,
				     .sq_thread_idle = 50 };
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
	unsigned int flags = IORING_ENTER_GETEVENTS;
	unsigned char *ring;
	size_t sq, cq, size;
	long r;
	int fd;

	fd = syscall(SYS_io_uring_setup, 1, &p);
	if (fd < 0)
		return -errno;
	sq = p.sq_off.array + p.sq_entries * sizeof(unsigned int);
	cq = p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe);
	size = sq > cq ? sq : cq;
	ring = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd,
		    IORING_OFF_SQ_RING);
	sqe = mmap(NULL, p.sq_entries * sizeof(*sqe), PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_POPULATE, fd, IORING_OFF_SQES);
	if (ring == MAP_FAILED || sqe == MAP_FAILED) {
		close(fd);
		return -ENOMEM;
	}
	*sqe = *order;
	if (mode == URING_ASYNC)
		sqe->flags |= IOSQE_ASYNC;
	*(unsigned int *)(ring + p.sq_off.array) = 0;
	__atomic_store_n((unsigned int *)(ring + p.sq_off.tail), 1, __ATOMIC_SEQ_CST);
	if (mode == URING_SQPOLL)
		flags |= IORING_ENTER_SQ_WAKEUP;
	r = syscall(SYS_io_uring_enter, fd, 1, 1, flags, NULL, 0);
	cqe = (struct io_uring_cqe *)(ring + p.cq_off.cqes);
	r = r < 0 ? -errno : cqe->res;
	munmap(ring, size);
	munmap(sqe, p.sq_entries * sizeof(*sqe));
	close(fd);
	return r;
}

long uring_read(int fd, void *data, size_t size, enum uring_mode mode)
{
	struct io_uring_sqe sqe = {
		.opcode = IORING_OP_READ, .fd = fd, .addr = (uintptr_t)data, .len = size
	};

	return one(&sqe, mode);
}

long uring_poll(int fd, unsigned int events, enum uring_mode mode)
{
	struct io_uring_sqe sqe = { .opcode = IORING_OP_POLL_ADD,
				    .fd = fd,
				    .poll32_events = events };

	return one(&sqe, mode);
}
