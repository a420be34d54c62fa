// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Children that capture on command. Each owns one camera file and its
 * mappings; the test talks to it over a socket pair and never touches a camera
 * itself. Uses system calls only, so that what is tested is the kernel.
 */
#include "camera.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <linux/videodev2.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "passing.h"

struct order {
	int op, a, b;
	app_fn fn;
	long arg;
};

int64_t boottime_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* ---- in the child ---------------------------------------------------------------------------------------------- */

static long control(struct app_state *s, unsigned long command, void *argument)
{
	return ioctl(s->fd, command, argument) < 0 ? -errno : 0;
}

static long enumerate(struct app_state *s)
{
	struct v4l2_format format = { .type = V4L2_BUF_TYPE_VIDEO_CAPTURE };
	struct v4l2_fmtdesc desc = { .type = V4L2_BUF_TYPE_VIDEO_CAPTURE };
	struct v4l2_control brightness = { .id = V4L2_CID_BRIGHTNESS };
	struct v4l2_requestbuffers none = { .type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
					    .memory = V4L2_MEMORY_MMAP };
	struct v4l2_create_buffers probe = { .memory = V4L2_MEMORY_MMAP };
	struct v4l2_capability cap;
	struct v4l2_input input = {};
	long r;

	r = control(s, VIDIOC_QUERYCAP, &cap);
	r = r ?: control(s, VIDIOC_ENUM_FMT, &desc);
	r = r ?: control(s, VIDIOC_ENUMINPUT, &input);
	r = r ?: control(s, VIDIOC_G_FMT, &format);
	r = r ?: control(s, VIDIOC_S_FMT, &format);
	r = r ?: control(s, VIDIOC_TRY_FMT, &format);
	r = r ?: control(s, VIDIOC_G_CTRL, &brightness);
	r = r ?: control(s, VIDIOC_REQBUFS, &none);
	probe.format = format;
	return r ?: control(s, VIDIOC_CREATE_BUFS, &probe);
}

static long request(struct app_state *s, int count)
{
	struct v4l2_requestbuffers r = { .count = count,
					 .type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
					 .memory = V4L2_MEMORY_MMAP };
	long err = control(s, VIDIOC_REQBUFS, &r);

	if (err)
		return err;
	s->count = r.count < CAMERA_BUFFERS ? r.count : CAMERA_BUFFERS;
	return r.count;
}

static long create(struct app_state *s, int count)
{
	struct v4l2_create_buffers c = { .count = count,
					 .memory = V4L2_MEMORY_MMAP,
					 .format.type = V4L2_BUF_TYPE_VIDEO_CAPTURE };
	long err = control(s, VIDIOC_G_FMT, &c.format);

	err = err ?: control(s, VIDIOC_CREATE_BUFS, &c);
	if (!err)
		s->count = count < CAMERA_BUFFERS ? count : CAMERA_BUFFERS;
	return err;
}

static struct v4l2_buffer buffer(int index)
{
	return (struct v4l2_buffer){ .index = index,
				     .type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
				     .memory = V4L2_MEMORY_MMAP };
}

/* The first page of the first buffer, whether there is one or not. */
static long map_blindly(struct app_state *s)
{
	void *p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, s->fd, 0);

	if (p == MAP_FAILED)
		return -errno;
	munmap(p, 4096);
	return 0;
}

static long map(struct app_state *s)
{
	struct v4l2_buffer b;
	unsigned i;
	long err;

	for (i = 0; i < (s->count ?: 1); i++) {
		b = buffer(i);
		err = control(s, VIDIOC_QUERYBUF, &b);
		/* What is asked here is whether it may be mapped. */
		if (err)
			return map_blindly(s) ?: err;
		s->length[i] = b.length;
		s->map[i] = mmap(NULL, b.length, PROT_READ, MAP_SHARED, s->fd, b.m.offset);
		if (s->map[i] == MAP_FAILED) {
			s->map[i] = NULL;
			return -errno;
		}
	}
	return 0;
}

static void unmap(struct app_state *s)
{
	int i;

	for (i = 0; i < CAMERA_BUFFERS; i++) {
		if (s->map[i])
			munmap(s->map[i], s->length[i]);
		s->map[i] = NULL;
	}
}

static long sum(const struct app_state *s)
{
	uint32_t total = 1;
	size_t n;
	int i;

	for (i = 0; i < CAMERA_BUFFERS; i++)
		for (n = 0; s->map[i] && n < s->length[i]; n += 5)
			total = total * 31 + ((volatile uint8_t *)s->map[i])[n];
	return total & 0x7fffffff;
}

static long on_buffer(struct app_state *s, unsigned long command, int index)
{
	struct v4l2_buffer b = buffer(index);
	long err = control(s, command, &b);

	return err ?: (long)b.index;
}

static long wait_events(struct app_state *s, int ms)
{
	struct epoll_event event;
	int n = epoll_wait(s->epoll, &event, 1, ms);

	return n < 0 ? -errno : n ? (long)event.events : 0;
}

static long add_events(struct app_state *s, int events)
{
	struct epoll_event event = { .events = events };

	s->epoll = epoll_create1(0);
	return epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->fd, &event) ? -errno : 0;
}

static long do_poll(struct app_state *s, int events, int ms)
{
	struct pollfd p = { .fd = s->fd, .events = events };
	int n = poll(&p, 1, ms);

	return n < 0 ? -errno : n ? p.revents : 0;
}

static long do_read(struct app_state *s, int size)
{
	char *data = malloc(size);
	ssize_t n = data ? read(s->fd, data, size) : -1;
	long r = n < 0 ? -errno : n;

	free(data);
	return r;
}

static long set_brightness(struct app_state *s)
{
	struct v4l2_control c = { .id = V4L2_CID_BRIGHTNESS };
	long err = control(s, VIDIOC_G_CTRL, &c);

	c.value ^= 1;
	return err ?: control(s, VIDIOC_S_CTRL, &c);
}

static void serve(struct app_state *s);

static long do_fork(struct app_state *s)
{
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair))
		return -errno;
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(pair[0]);
		close(s->sock);
		s->sock = pair[1];
		serve(s);
	}
	close(pair[1]);
	passing_send(s->sock, &(long){ pid }, sizeof(long), pair[0]);
	close(pair[0]);
	return 0;
}

static long do_exec(const struct app_state *s)
{
	char sock[16], fd[16];

	snprintf(sock, sizeof(sock), "%d", s->sock);
	snprintf(fd, sizeof(fd), "%d", s->fd);
	execl("/proc/self/exe", "app", "--app", sock, fd, s->node, NULL);
	return -errno;
}

static long obey(struct app_state *s, const struct order *o, int fd)
{
	int type;

	switch ((enum app_op)o->op) {
	case APP_OPEN:
		s->fd = open(s->node, O_RDWR | o->a);
		return s->fd < 0 ? -errno : 0;
	case APP_CLOSE:
		unmap(s);
		s->count = 0;
		return close(s->fd) ? -errno : 0;
	case APP_ENUMERATE:
		return enumerate(s);
	case APP_REQBUFS:
		return request(s, o->a);
	case APP_CREATE:
		return create(s, o->a);
	case APP_MMAP:
		return map(s);
	case APP_MMAP_BLIND:
		return map_blindly(s);
	case APP_MUNMAP:
		unmap(s);
		return 0;
	case APP_QBUF:
		return on_buffer(s, VIDIOC_QBUF, o->a);
	case APP_PREPARE:
		return on_buffer(s, VIDIOC_PREPARE_BUF, o->a);
	case APP_DQBUF:
		return on_buffer(s, VIDIOC_DQBUF, 0);
	case APP_EXPBUF: {
		struct v4l2_exportbuffer e = { .type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .index = o->a };
		long err = control(s, VIDIOC_EXPBUF, &e);

		if (!err)
			close(e.fd);
		return err;
	}
	case APP_ON:
		type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
		return control(s, VIDIOC_STREAMON, &type);
	case APP_OFF:
		type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
		return control(s, VIDIOC_STREAMOFF, &type);
	case APP_OFF_WRONG:
		type = V4L2_BUF_TYPE_VIDEO_OUTPUT;
		return control(s, VIDIOC_STREAMOFF, &type);
	case APP_READ:
		return do_read(s, o->a);
	case APP_POLL:
		return do_poll(s, o->a, o->b);
	case APP_SUBSCRIBE: {
		struct v4l2_event_subscription e = { .type = V4L2_EVENT_CTRL,
						     .id = V4L2_CID_BRIGHTNESS,
						     .flags = V4L2_EVENT_SUB_FL_ALLOW_FEEDBACK };

		return control(s, VIDIOC_SUBSCRIBE_EVENT, &e);
	}
	case APP_CONTROL:
		return set_brightness(s);
	case APP_EPOLL_ADD:
		return add_events(s, o->a);
	case APP_EPOLL_WAIT:
		return wait_events(s, o->a);
	case APP_SUM:
		return sum(s);
	case APP_FLAGS:
		return fcntl(s->fd, F_SETFL, o->a) ? -errno : 0;
	case APP_EXEC:
		return do_exec(s);
	case APP_FORK:
		return do_fork(s);
	case APP_GIVE:
		passing_send(s->sock, &(long){ 0 }, sizeof(long), s->fd);
		return 0;
	case APP_TAKE:
		s->fd = fd;
		return 0;
	case APP_RUN:
		return o->fn(s, o->arg);
	}
	return -ENOSYS;
}

static void serve(struct app_state *s)
{
	struct order o;
	long r;
	int fd;

	while (passing_receive(s->sock, &o, sizeof(o), 0, &fd) == sizeof(o)) {
		r = obey(s, &o, fd);
		/* These two have answered with a descriptor. */
		if ((o.op == APP_FORK || o.op == APP_GIVE) && r == 0)
			continue;
		passing_send(s->sock, &r, sizeof(r), -1);
	}
	_exit(0);
}

void app_main(int argc, char **argv)
{
	struct app_state s = { .epoll = -1 };

	if (argc != 5 || strcmp(argv[1], "--app"))
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	s.sock = atoi(argv[2]);
	s.fd = atoi(argv[3]);
	snprintf(s.node, sizeof(s.node), "%s", argv[4]);
	passing_send(s.sock, &(long){ 0 }, sizeof(long), -1);
	serve(&s);
}

/* ---- in the test ----------------------------------------------------------------------------------------------- */

struct app *app_start(const char *node, uid_t uid)
{
	struct app_state s = { .fd = -1, .epoll = -1 };
	struct app *app = calloc(1, sizeof(*app));
	int pair[2];

	if (!app || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair)) {
		perror("camera: socketpair");
		exit(9);
	}
	app->sock = pair[0];
	app->pid = fork();
	if (app->pid == 0) {
		/* No other app's socket, and nothing of the controller, may live on in this one. */
		close_range(3, pair[1] - 1, 0);
		close_range(pair[1] + 1, ~0u, 0);
		if (setgroups(0, NULL) || setresgid(uid, uid, uid) || setresuid(uid, uid, uid))
			_exit(9);
		/* A change of user clears it. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		snprintf(s.node, sizeof(s.node), "%s", node);
		s.sock = pair[1];
		serve(&s);
	}
	close(pair[1]);
	return app;
}

void app_end(struct app *app)
{
	if (!app)
		return;
	kill(app->pid, SIGKILL);
	/* A forked app is its parent's child; its end is seen by its socket. */
	if (waitpid(app->pid, NULL, 0) < 0) {
		struct pollfd p = { .fd = app->sock, .events = POLLIN };
		char rest[64];

		while (poll(&p, 1, 5000) == 1 && recv(app->sock, rest, sizeof(rest), 0) > 0)
			;
	}
	close(app->sock);
	free(app);
}

void app_send(struct app *app, enum app_op op, int a, int b)
{
	struct order o = { .op = op, .a = a, .b = b };

	app->busy = true;
	passing_send(app->sock, &o, sizeof(o), -1);
}

static long result_fd(struct app *app, int ms, int *ret_fd)
{
	struct pollfd p = { .fd = app->sock, .events = POLLIN };
	long r;

	*ret_fd = -1;
	if (poll(&p, 1, ms) != 1)
		return APP_BUSY;
	if (passing_receive(app->sock, &r, sizeof(r), 0, ret_fd) != sizeof(r))
		return -ESRCH;
	app->busy = false;
	return r;
}

long app_result(struct app *app, int ms)
{
	int fd;

	return result_fd(app, ms, &fd);
}

long app_call(struct app *app, enum app_op op, int a)
{
	app_send(app, op, a, 0);
	return app_result(app, 10000);
}

void app_send_run(struct app *app, app_fn fn, long a)
{
	struct order o = { .op = APP_RUN, .fn = fn, .arg = a };

	app->busy = true;
	passing_send(app->sock, &o, sizeof(o), -1);
}

long app_run(struct app *app, app_fn fn, long a)
{
	app_send_run(app, fn, a);
	return app_result(app, 10000);
}

struct app *app_fork(struct app *app)
{
	struct app *child = calloc(1, sizeof(*child));
	long r;

	app_send(app, APP_FORK, 0, 0);
	r = result_fd(app, 10000, &child->sock);
	if (child->sock < 0) {
		free(child);
		return NULL;
	}
	child->pid = r;
	return child;
}

long app_give(struct app *from, struct app *to)
{
	struct order o = { .op = APP_TAKE };
	long r;
	int fd;

	app_send(from, APP_GIVE, 0, 0);
	r = result_fd(from, 10000, &fd);
	if (fd < 0)
		return r ?: -EBADF;
	passing_send(to->sock, &o, sizeof(o), fd);
	close(fd);
	return app_result(to, 10000);
}

long app_stream(struct app *app)
{
	long r, n;
	int i;

	n = app_call(app, APP_REQBUFS, CAMERA_BUFFERS);
	if (n < 0)
		return n;
	r = app_call(app, APP_MMAP, 0);
	for (i = 0; i < n && r >= 0; i++)
		r = app_call(app, APP_QBUF, i);
	return r < 0 ? r : app_call(app, APP_ON, 0);
}

long app_frames(struct app *app, int n)
{
	long r = 0;

	while (n-- > 0 && r >= 0) {
		r = app_call(app, APP_DQBUF, 0);
		if (r >= 0)
			r = app_call(app, APP_QBUF, r);
	}
	return r < 0 ? r : 0;
}

bool camera_find(uint32_t caps, char *ret_node, size_t size)
{
	struct v4l2_capability cap;
	bool found = false;
	glob_t g;
	size_t i;
	int fd;

	if (glob("/dev/video*", 0, NULL, &g))
		return false;
	for (i = 0; i < g.gl_pathc && !found; i++) {
		fd = open(g.gl_pathv[i], O_RDWR | O_NONBLOCK);
		if (fd < 0)
			continue;
		if (!ioctl(fd, VIDIOC_QUERYCAP, &cap) && !strcmp((char *)cap.driver, "vivid") &&
		    (cap.device_caps & caps) == caps) {
			snprintf(ret_node, size, "%s", g.gl_pathv[i]);
			/* Who may open it is not what these tests are about. */
			found = !chmod(ret_node, 0666) || geteuid();
		}
		close(fd);
	}
	globfree(&g);
	return found;
}
