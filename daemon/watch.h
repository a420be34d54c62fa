/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Connections whose end somebody waits for. */
#ifndef CALLGATE_WATCH_H
#define CALLGATE_WATCH_H

#include <stdbool.h>
#include <sys/queue.h>
#include <systemd/sd-bus.h>

#define WATCH_BUCKETS  256
#define WATCH_NAME_MAX 255

/**
 * struct watch - one who waits; lies in what waits, all zeros while nothing is waited for
 */
struct watch {
	LIST_ENTRY(watch) same; /* hash of @name */
	struct watches *watches;
	void (*gone)(void *userdata);
	void *userdata;
	char *name;
};

struct watches {
	LIST_HEAD(, watch) by_name[WATCH_BUCKETS];
	sd_bus *bus;
	sd_bus_slot *slot; /* while anybody waits */
	unsigned int n;
};

void watches_init(struct watches *watches, sd_bus *bus);
/* Nobody waits any more. */
void watches_deinit(struct watches *watches);

/**
 * watch_begin - have @gone called, once, when the connection ends
 * @name: unique
 *
 * Return: 0; -ENXIO: it has ended already; another negative errno. @gone is not called then.
 */
int watch_begin(struct watches *watches, struct watch *watch, const char *name,
		void (*gone)(void *userdata), void *userdata);
/* No effect where nothing is waited for. */
void watch_end(struct watch *watch);

#endif
