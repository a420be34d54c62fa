// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the gate reported: devices and running captures. A mirror to show
 * people, filled by manager.c; no verdict depends on it.
 */
#include "capture.h"

#include <errno.h>
#include <stdlib.h>

#include "bounds.h"

void captures_init(struct captures *captures)
{
	*captures = (struct captures){ 0 };
	LIST_INIT(&captures->devices);
	LIST_INIT(&captures->streams);
}

void captures_clear(struct captures *captures)
{
	while (!LIST_EMPTY(&captures->streams))
		captures_remove_stream(captures, LIST_FIRST(&captures->streams)->id);
	while (!LIST_EMPTY(&captures->devices))
		captures_remove_device(captures, LIST_FIRST(&captures->devices)->id);
}

const struct capture_device *captures_device(const struct captures *captures, uint32_t id)
{
	struct capture_device *device;

	LIST_FOREACH(device, &captures->devices, all)
	if (device->id == id)
		return device;
	return NULL;
}

const struct capture *captures_stream(const struct captures *captures, uint64_t id)
{
	struct capture *stream;

	LIST_FOREACH(stream, &captures->streams, all)
	if (stream->id == id)
		return stream;
	return NULL;
}

int captures_add_device(struct captures *captures, const struct capture_device *device)
{
	struct capture_device *copy;

	if (captures_device(captures, device->id) != NULL)
		return -EEXIST;
	if (captures->n_devices >= BOUND_DEVICES)
		return -ENOSPC;
	copy = malloc(sizeof(*copy));
	if (copy == NULL)
		return -ENOMEM;
	*copy = *device;
	LIST_INSERT_HEAD(&captures->devices, copy, all);
	captures->n_devices++;
	return 0;
}

int captures_add_stream(struct captures *captures, const struct capture *stream)
{
	struct capture *copy;

	if (captures_stream(captures, stream->id) != NULL)
		return -EEXIST;
	if (captures->n_streams >= BOUND_STREAMS)
		return -ENOSPC;
	copy = malloc(sizeof(*copy));
	if (copy == NULL)
		return -ENOMEM;
	*copy = *stream;
	LIST_INSERT_HEAD(&captures->streams, copy, all);
	LIST_INSERT_HEAD(&captures->by_session[copy->session % CAPTURE_BUCKETS], copy, same);
	captures->n_streams++;
	return 0;
}

bool captures_remove_device(struct captures *captures, uint32_t id)
{
	struct capture_device *device = (struct capture_device *)captures_device(captures, id);

	if (device == NULL)
		return false;
	LIST_REMOVE(device, all);
	captures->n_devices--;
	free(device);
	return true;
}

bool captures_remove_stream(struct captures *captures, uint64_t id)
{
	struct capture *stream = (struct capture *)captures_stream(captures, id);

	if (stream == NULL)
		return false;
	LIST_REMOVE(stream, all);
	LIST_REMOVE(stream, same);
	captures->n_streams--;
	free(stream);
	return true;
}

uint32_t captures_of_session(const struct captures *captures, uint64_t session)
{
	struct capture *stream;
	uint32_t kinds = 0;

	LIST_FOREACH(stream, &captures->by_session[session % CAPTURE_BUCKETS], same)
	if (stream->session == session)
		kinds |= stream->kinds;
	return kinds;
}

bool captures_in_use(const struct captures *captures, uint32_t device)
{
	struct capture *stream;

	LIST_FOREACH(stream, &captures->streams, all)
	if (stream->device == device)
		return true;
	return false;
}
