/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the camera tests share: one controller, one camera, and words for what the controller does to an app. */
#ifndef KSELFTEST_V4L2_FIXTURE_H
#define KSELFTEST_V4L2_FIXTURE_H

#include "camera.h"
#include "gate.h"
#include "harness.h"

/* A new app of an ordinary user that has opened the camera. The first one binds the controller. */
struct app *app(int flags);
/* The same on another node. */
struct app *app_on(const char *node, int flags);
void end(struct app *app);
/* Where the camera is; NULL before the first app. */
const char *camera_node(void);
/* The camera's node may have another name after a hot-plug. */
bool find_camera(void);

/* Each app has a session of its own. */
void allow(struct app *app);
void allow_for(struct app *app, unsigned int ms);
void forbid(struct app *app);

/* The id of the held request of @app for @op; 0 if none comes. */
uint64_t request(struct app *app, uint8_t op);
int verdict(uint64_t request, uint8_t verdict);

/* How many captures of @app the gate lists. */
int streams(struct app *app);
/* Does the list lose them within some seconds? */
bool stopped(struct app *app);
/* The same for anybody's. */
bool idle(void);
/* Does its queue lose its buffers within some seconds? What streamed before the gate is in no list. */
bool emptied(struct app *app);
/* How many camera nodes the gate lists. */
int cameras(void);
/* The gate's mode: CALLGATE_MODE_*. */
void set_mode(int mode);

/* The controller's end, and its successor. */
void unbind(void);
void bind_again(void);

/* Negative errno. */
int write_file(const char *path, const char *text);
int unload(void);
int load(void);

#endif
