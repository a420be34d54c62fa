/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Apps that capture: child processes which do to a camera what they are told,
 * one operation at a time, so that a test sees each one's errno and whether
 * it is being held.
 */
#ifndef KSELFTEST_CAMERA_H
#define KSELFTEST_CAMERA_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define CAMERA_BUFFERS 4

/* What app_call() returns while the operation has not returned. */
#define APP_BUSY 1000000

enum app_op {
	APP_OPEN, /* a: flags beside O_RDWR */
	APP_CLOSE,
	APP_ENUMERATE,	/* QUERYCAP, ENUM_FMT, S_FMT, G_CTRL: the first error */
	APP_REQBUFS,	/* a: count; the buffers granted */
	APP_CREATE,	/* a: count */
	APP_MMAP,	/* every buffer; the first error */
	APP_MMAP_BLIND, /* a page where the first one should be, without asking where it is */
	APP_MUNMAP,
	APP_QBUF,    /* a: index */
	APP_PREPARE, /* a: index */
	APP_DQBUF,   /* the index */
	APP_EXPBUF,  /* a: index */
	APP_ON,
	APP_OFF,
	APP_OFF_WRONG,	/* STREAMOFF of a type that the node does not have */
	APP_READ,	/* a: bytes; what was read */
	APP_POLL,	/* a: events, b: ms; the events that came, 0 at the timeout */
	APP_SUBSCRIBE,	/* control events */
	APP_CONTROL,	/* changes the brightness, which is such an event */
	APP_EPOLL_ADD,	/* a: events: an epoll set of its own */
	APP_EPOLL_WAIT, /* a: ms; the events that came */
	APP_SUM,	/* a checksum of the mapped buffers' content */
	APP_FLAGS,	/* a: O_NONBLOCK or 0 */
	APP_EXEC,	/* the same program again, with its files */
	APP_FORK,	/* a child that goes on with the same files; see app_fork() */
	APP_GIVE,	/* sends its file; see app_give() */
	APP_TAKE,
	APP_RUN, /* see app_run() */
};

/* What an app has. */
struct app_state {
	char node[64];
	int sock, fd, epoll;
	unsigned int count;
	void *map[CAMERA_BUFFERS];
	size_t length[CAMERA_BUFFERS];
};

/* An operation of a test's own; it is done in the app, which must not have called exec. */
typedef long (*app_fn)(struct app_state *s, long a);

struct app {
	pid_t pid;
	int sock;
	bool busy;
};

/* The main function must call this first: it is where an APP_EXEC arrives. */
void app_main(int argc, char **argv);

/* An app of the user @uid on the camera @node. */
struct app *app_start(const char *node, uid_t uid);
/* Ends it, whatever it is doing. */
void app_end(struct app *app);

void app_send(struct app *app, enum app_op op, int a, int b);
/* The result of what was sent: negative errno, or APP_BUSY after @ms. */
long app_result(struct app *app, int ms);
/* Both, waiting at most 10 s. */
long app_call(struct app *app, enum app_op op, int a);

/* As app_send() and app_call(), for what no enum app_op does. */
void app_send_run(struct app *app, app_fn fn, long a);
long app_run(struct app *app, app_fn fn, long a);

/* A child of @app that has its files. */
struct app *app_fork(struct app *app);
/* Hands @from's file to @to, which uses it from then on. */
long app_give(struct app *from, struct app *to);

/* REQBUFS, mmap, QBUF of all, STREAMON; the first error. */
long app_stream(struct app *app);
/* DQBUF and QBUF @n times; the first error. */
long app_frames(struct app *app, int n);

/* Where the first vivid node with all of @caps is; false if there is none. */
bool camera_find(uint32_t caps, char *ret_node, size_t size);

int64_t boottime_ms(void);

#endif
