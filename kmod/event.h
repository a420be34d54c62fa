/* SPDX-License-Identifier: GPL-2.0-only */
/* The controller's socket, and the messages that are written for it. */
#ifndef CALLGATE_EVENT_H
#define CALLGATE_EVENT_H

#include "device.h"
#include "subject.h"

struct genl_family;
struct sk_buff;
struct sock;

void callgate_event_init(const struct genl_family *family);

/* The socket becomes the controller. -EBUSY while another one is. Callers serialise. */
int __must_check callgate_controller_bind(struct sock *sk, u32 portid);
/* Nobody is the controller any more. Callers serialise. */
void callgate_controller_unbind(void);
/* Is there one? Any context. */
bool callgate_controller_present(void);
/* Which one, of all since the module was loaded; 0: none. Any context. */
unsigned long callgate_controller_generation(void);
/* Is @portid its address? Only says which socket went away. */
bool callgate_controller_has(u32 portid);
/* Is it this socket? The answer that grants authority. */
bool __must_check callgate_controller_is(const struct sock *sk);

/* Attributes of one object. -EMSGSIZE: no room. May sleep (paths). */
int callgate_put_path(struct sk_buff *skb, const struct callgate_path *path);
size_t callgate_path_room(const struct callgate_path *path);
int callgate_put_device(struct sk_buff *skb, const struct callgate_device *dev);
int callgate_put_capture(struct sk_buff *skb, const struct callgate_device *dev,
			 const struct callgate_capture *capture);

/* Events. -ENOTCONN: no controller; other errors: it did not get it, which is counted. May sleep. */
int callgate_event_denied(const struct callgate_device *dev, const struct callgate_denied *denied);
int callgate_event_stream(const struct callgate_device *dev,
			  const struct callgate_capture *capture);
int callgate_event_device(const struct callgate_device *dev, bool added);

#endif
