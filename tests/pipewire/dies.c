// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A program that dies while it binds a metadata object, the last that has the name
 * "callgate", by the managers' socket: its status is 0 where it had come so far. Its
 * caller sees to it that the object's owner does not answer. For apps.py.
 */
#include <linux/sockios.h>
#include <pipewire/extensions/metadata.h>
#include <pipewire/pipewire.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct dies {
	struct pw_main_loop *loop;
	struct pw_core *core;
	struct pw_registry *registry;
	int fd;
	uint32_t object;
};

static void on_global(void *userdata, uint32_t id, uint32_t permissions, const char *type,
		      uint32_t version, const struct spa_dict *props)
{
	const char *name = props != NULL ? spa_dict_lookup(props, PW_KEY_METADATA_NAME) : NULL;
	struct dies *dies = userdata;

	/* They come in the order in which they were made. */
	if (name != NULL && strcmp(name, "callgate") == 0)
		dies->object = id;
}

static const struct pw_registry_events registry_events = {
	PW_VERSION_REGISTRY_EVENTS,
	.global = on_global,
};

static void on_done(void *userdata, uint32_t id, int seq)
{
	struct dies *dies = userdata;

	if (dies->object == SPA_ID_INVALID)
		exit(EXIT_FAILURE);
	pw_registry_bind(dies->registry, dies->object, PW_TYPE_INTERFACE_Metadata,
			 PW_VERSION_METADATA, 0);
	pw_main_loop_quit(dies->loop);
}

static const struct pw_core_events core_events = {
	PW_VERSION_CORE_EVENTS,
	.done = on_done,
};

static int manager_socket(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *folder = getenv("XDG_RUNTIME_DIR");
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/pipewire-0-manager",
		 folder != NULL ? folder : "");
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		perror(address.sun_path);
		exit(EXIT_FAILURE);
	}
	return fd;
}

int main(int argc, char **argv)
{
	struct dies dies = { .object = SPA_ID_INVALID, .fd = manager_socket() };
	struct spa_hook core_hook, registry_hook;
	struct pw_context *context;
	int left = 1;

	pw_init(&argc, &argv);
	dies.loop = pw_main_loop_new(NULL);
	context = pw_context_new(pw_main_loop_get_loop(dies.loop), NULL, 0);
	dies.core = pw_context_connect_fd(context, dup(dies.fd), NULL, 0);
	if (dies.core == NULL) {
		perror("PipeWire");
		return EXIT_FAILURE;
	}
	dies.registry = pw_core_get_registry(dies.core, PW_VERSION_REGISTRY, 0);
	pw_registry_add_listener(dies.registry, &registry_hook, &registry_events, &dies);
	pw_core_add_listener(dies.core, &core_hook, &core_events, &dies);
	pw_core_sync(dies.core, PW_ID_CORE, 0);
	pw_main_loop_run(dies.loop);
	/* Until PipeWire has taken it: of a connection that is closed it reads no more. */
	while (left > 0) {
		pw_loop_iterate(pw_main_loop_get_loop(dies.loop), 10);
		if (ioctl(dies.fd, SIOCOUTQ, &left) < 0)
			return EXIT_FAILURE;
	}
	_exit(EXIT_SUCCESS);
}
