// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * org.callgate1.Device, and what a stream looks like in lists and signals.
 * Registered by manager.c. Which devices there are, and whether they are in
 * use, everybody may know; who uses them, only that user.
 */
#include "bus.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "util/macro.h"
#include "util/text.h"

#define NS_PER_US 1000u

void bus_device_path(uint32_t id, char ret_path[64])
{
	snprintf(ret_path, 64, BUS_DEVICE_PREFIX "%" PRIu32, id);
}

void bus_device_view(const struct service *service, const struct capture_device *device,
		     struct bus_device_view *ret_view)
{
	const struct dict_entry entries[] = {
		DICT_TEXT("Name", ret_view->name),
		DICT_U32("Kinds", device->kinds),
		DICT_TEXT("Node", ret_view->node),
		DICT_FLAG("InUse", captures_in_use(&service->captures, device->id)),
	};

	_Static_assert(ARRAY_SIZE(entries) == BUS_DEVICE_ENTRIES, "the view has room for all");
	bus_device_path(device->id, ret_view->path);
	text_show(ret_view->name, sizeof(ret_view->name), device->name);
	text_show(ret_view->node, sizeof(ret_view->node), device->node);
	memcpy(ret_view->entries, entries, sizeof(entries));
}

void bus_stream_view(const struct service *service, const struct capture *stream, bool own,
		     struct bus_stream_view *ret_view)
{
	const struct capture_device *device = captures_device(&service->captures, stream->device);
	const struct call *call = own ? calls_by_id(&service->calls, stream->session) : NULL;
	const struct dict_entry entries[] = {
		DICT_OBJECT("Device", ret_view->device),
		DICT_TEXT("DeviceName", ret_view->name),
		DICT_TEXT("Node", ret_view->node),
		DICT_U32("Kinds", stream->kinds),
		DICT_U32("Uid", stream->who.uid),
		DICT_U64("Since", stream->since / NS_PER_US),
		/* The viewer's own only. */
		DICT_U32("Pid", (uint32_t)stream->who.pid),
		DICT_TEXT("Executable", ret_view->exe),
		DICT_TEXT("App", ret_view->app),
		DICT_OBJECT("Session", call != NULL ? call->path : "/"),
	};

	struct app app;

	_Static_assert(ARRAY_SIZE(entries) == BUS_STREAM_ENTRIES, "the view has room for all");
	bus_device_path(stream->device, ret_view->device);
	text_show(ret_view->name, sizeof(ret_view->name), device != NULL ? device->name : "");
	text_show(ret_view->node, sizeof(ret_view->node), device != NULL ? device->node : "");
	text_show(ret_view->exe, sizeof(ret_view->exe), stream->who.exe);
	if (app_identify(&stream->who, &app) < 0)
		app.label[0] = '\0';
	memcpy(ret_view->app, app.label, sizeof(ret_view->app));
	memcpy(ret_view->entries, entries, sizeof(entries));
	ret_view->n = own ? BUS_STREAM_ENTRIES : BUS_STREAM_ENTRIES - 4;
}

static int find_device(sd_bus *bus, const char *path, const char *interface, void *userdata,
		       void **ret_found, sd_bus_error *error)
{
	const size_t prefix = strlen(BUS_DEVICE_PREFIX);
	struct service *service = userdata;
	const struct capture_device *device;
	unsigned long id;

	if (strncmp(path, BUS_DEVICE_PREFIX, prefix) != 0 ||
	    !text_to_number(path + prefix, 0, UINT32_MAX, &id))
		return bus_not_found(error);
	device = captures_device(&service->captures, (uint32_t)id);
	if (device == NULL)
		return bus_not_found(error);
	*ret_found = (void *)device;
	return 1;
}

static int get_property(sd_bus *bus, const char *path, const char *interface, const char *property,
			sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
	const struct capture_device *device = userdata;
	const struct service *service = sd_bus_slot_get_userdata(sd_bus_get_current_slot(bus));
	struct bus_device_view view;

	bus_device_view(service, device, &view);
	return bus_get(reply, property, view.entries, BUS_DEVICE_ENTRIES);
}

static const sd_bus_vtable device_vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_PROPERTY("Name", "s", get_property, 0, SD_BUS_VTABLE_PROPERTY_CONST),
	SD_BUS_PROPERTY("Kinds", "u", get_property, 0, SD_BUS_VTABLE_PROPERTY_CONST),
	SD_BUS_PROPERTY("Node", "s", get_property, 0, SD_BUS_VTABLE_PROPERTY_CONST),
	SD_BUS_PROPERTY("InUse", "b", get_property, 0, 0),
	SD_BUS_VTABLE_END,
};

int bus_device_register(struct service *service)
{
	return sd_bus_add_fallback_vtable(service->bus, NULL, BUS_PATH "/device", BUS_DEVICE,
					  device_vtable, find_device, service);
}
