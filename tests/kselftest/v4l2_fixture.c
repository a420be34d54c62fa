// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The camera tests' controller and camera. Each test is a process of its own,
 * so what is static here begins anew with each.
 */
#include "v4l2_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "harness.h"
#include "v4l2_ops.h"

#define USER 1000
#define SOON 5000

static struct gate *gate;
static char node[64];

static uint64_t session(const struct app *app)
{
	return 0x1000000 + app->pid;
}

bool find_camera(void)
{
	return camera_find(V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_READWRITE, node, sizeof(node));
}

const char *camera_node(void)
{
	return node[0] ? node : NULL;
}

struct app *app_on(const char *node, int flags)
{
	struct app *app;

	if (!gate)
		gate = gate_open_bound();
	app = app_start(node, USER);
	ASSERT_EQ(app_call(app, APP_OPEN, flags), 0);
	return app;
}

struct app *app(int flags)
{
	if (!node[0] && !find_camera())
		harness_skip("no vivid camera that can be read");
	return app_on(node, flags);
}

void end(struct app *app)
{
	app_end(app);
}

void allow_for(struct app *app, unsigned int ms)
{
	ASSERT_EQ(gate_allow(gate, app->pid, session(app), CALLGATE_KIND_CAMERA, ms), 0);
}

void allow(struct app *app)
{
	allow_for(app, 9900);
}

void forbid(struct app *app)
{
	ASSERT_EQ(gate_end(gate, session(app)), 0);
}

uint64_t request(struct app *app, uint8_t op)
{
	struct callgate_request request;

	while (gate_read(gate, SOON, &request))
		if (request.tgid == (uint32_t)app->pid && request.op == op)
			return request.id;
	return 0;
}

int verdict(uint64_t request, uint8_t verdict)
{
	return gate_verdict(gate, request, verdict);
}

/* Of one process, or of all when @tgid is 0. */
static int streams_of(uint32_t tgid)
{
	struct gate_message *list;
	int i, n, count = 0;

	n = gate_dump(gate, CALLGATE_CMD_STREAM_GET, &list);
	ASSERT(n >= 0);
	for (i = 0; i < n; i++)
		count += !tgid || list[i].tgid == tgid;
	free(list);
	return count;
}

int streams(struct app *app)
{
	return streams_of(app->pid);
}

static bool none(void *tgid)
{
	return streams_of(*(uint32_t *)tgid) == 0;
}

bool stopped(struct app *app)
{
	uint32_t tgid = app->pid;

	return harness_wait(none, &tgid, SOON);
}

static bool is_empty(void *app)
{
	return app_run(app, op_query, 0) == -EINVAL;
}

bool emptied(struct app *app)
{
	return harness_wait(is_empty, app, SOON);
}

bool idle(void)
{
	return harness_wait(none, &(uint32_t){ 0 }, SOON);
}

int cameras(void)
{
	struct gate_message *list;
	int i, n, count = 0;

	n = gate_dump(gate, CALLGATE_CMD_DEVICE_GET, &list);
	ASSERT(n >= 0);
	for (i = 0; i < n; i++)
		count += list[i].kinds == CALLGATE_KIND_CAMERA;
	free(list);
	return count;
}

void set_mode(int mode)
{
	ASSERT_EQ(gate_mode(gate, mode, NULL), 0);
}

void unbind(void)
{
	gate_close(gate);
	gate = NULL;
}

void bind_again(void)
{
	gate = gate_open_bound();
}

int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	int r;

	if (fd < 0)
		return -errno;
	r = write(fd, text, strlen(text)) < 0 ? -errno : 0;
	close(fd);
	return r;
}

int unload(void)
{
	return syscall(SYS_delete_module, "callgate", O_NONBLOCK) ? -errno : 0;
}

/* From where the rig took it: beside this program's folder. */
int load(void)
{
	char self[300], path[600];
	const char *from = getenv(HARNESS_CAME_FROM);
	struct utsname name;
	ssize_t n;
	int fd, r;

	n = from ? snprintf(self, sizeof(self), "%s", from)
		 : readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n < 0 || n >= (ssize_t)sizeof(self) || uname(&name))
		return -errno;
	self[n] = 0;
	for (r = 0; r < 3 && strrchr(self, '/'); r++)
		*strrchr(self, '/') = 0;
	snprintf(path, sizeof(path), "%s/module/%s/callgate.ko", self, name.release);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = syscall(SYS_finit_module, fd, "", 0) ? -errno : 0;
	close(fd);
	return r;
}
