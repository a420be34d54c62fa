// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * For screen.py, preloaded into xdg-desktop-portal-wlr: that of Debian 13 (0.7.1) shares nothing where the compositor
 * has no buffers of a GPU to offer, though it would not use them. This says to it that there are. What it does with PipeWire, which is what
 * the test is about, stays as it is.
 */
#include <dlfcn.h>
#include <stdint.h>
#include <string.h>

#define XRGB8888 0x34325258u /* DRM's */

struct wl_proxy;

int wl_proxy_add_listener(struct wl_proxy *proxy, void (**listener)(void), void *data);

/* zwlr_screencopy_frame_v1's, as its protocol lists them. */
struct listener {
	void (*buffer)(void *, struct wl_proxy *, uint32_t, uint32_t, uint32_t, uint32_t);
	void (*flags)(void);
	void (*ready)(void);
	void (*failed)(void);
	void (*damage)(void);
	void (*linux_dmabuf)(void *, struct wl_proxy *, uint32_t, uint32_t, uint32_t);
	void (*buffer_done)(void);
};

static const struct listener *own; /* there is one for all frames */
static struct listener ours;

static void on_buffer(void *data, struct wl_proxy *frame, uint32_t format, uint32_t width,
		      uint32_t height, uint32_t stride)
{
	own->buffer(data, frame, format, width, height, stride);
	own->linux_dmabuf(data, frame, XRGB8888, width, height);
}

int wl_proxy_add_listener(struct wl_proxy *proxy, void (**listener)(void), void *data)
{
	int (*add)(struct wl_proxy *, void (**)(void), void *);
	const char *(*class_of)(struct wl_proxy *);

	*(void **)&add = dlsym(RTLD_NEXT, "wl_proxy_add_listener");
	*(void **)&class_of = dlsym(RTLD_NEXT, "wl_proxy_get_class");
	if (strcmp(class_of(proxy), "zwlr_screencopy_frame_v1") == 0) {
		own = (const struct listener *)listener;
		ours = *own;
		ours.buffer = on_buffer;
		listener = (void (**)(void)) & ours;
	}
	return add(proxy, listener, data);
}
