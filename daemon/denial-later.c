// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Owns the denials of held callers until they are told. The caller has its answer by then, and the next one, who
 * may be the same that tries again, is not to wait until it is written down: so that comes a moment later, when nothing else is
 * to be done, and once for all that a program has tried until then. Called by manager.c. Must not know what telling is.
 */
#include "denial-later.h"

#define WAIT_US	    100000
#define ACCURACY_US 50000

static struct capture *at(struct denial_later *later, unsigned int i)
{
	return &later->attempt[(later->first + i) % BOUND_DENIED_LATER];
}

static void tell_oldest(struct denial_later *later)
{
	struct capture attempt = *at(later, 0);

	later->first = (later->first + 1) % BOUND_DENIED_LATER;
	later->n--;
	later->tell(later->userdata, &attempt);
}

static int start(struct denial_later *later, uint64_t wait_us)
{
	int r = sd_event_source_set_time_relative(later->timer, wait_us);

	return r < 0 ? r : sd_event_source_set_enabled(later->timer, SD_EVENT_ONESHOT);
}

/* One at a time: a caller who comes meanwhile waits for one at most. */
static int on_time(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct denial_later *later = userdata;

	if (later->n > 0)
		tell_oldest(later);
	return later->n > 0 ? start(later, 0) : 0;
}

int denial_later_init(struct denial_later *later, sd_event *event,
		      void (*tell)(void *userdata, const struct capture *attempt), void *userdata)
{
	int r;

	later->tell = tell;
	later->userdata = userdata;
	r = sd_event_add_time(event, &later->timer, CLOCK_MONOTONIC, 0, ACCURACY_US, on_time,
			      later);
	if (r >= 0)
		r = sd_event_source_set_enabled(later->timer, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_source_set_priority(later->timer, SD_EVENT_PRIORITY_IDLE);
	return r;
}

void denial_later_deinit(struct denial_later *later)
{
	later->timer = sd_event_source_disable_unref(later->timer);
	later->n = 0;
}

static bool same(const struct capture *a, const struct capture *b)
{
	return a->who.cookie == b->who.cookie && a->who.pid == b->who.pid &&
	       a->device == b->device && a->kinds == b->kinds;
}

void denial_later_add(struct denial_later *later, const struct capture *attempt)
{
	struct capture *kept;

	/* The last is the likeliest. */
	for (unsigned int i = later->n; i-- > 0;) {
		kept = at(later, i);
		if (same(kept, attempt)) {
			kept->count++;
			return;
		}
	}
	if (later->n == BOUND_DENIED_LATER)
		tell_oldest(later);
	kept = at(later, later->n++);
	*kept = *attempt;
	kept->count = 1;
	if (later->n == 1 && start(later, WAIT_US) < 0)
		tell_oldest(later);
}

void denial_later_flush(struct denial_later *later)
{
	while (later->n > 0)
		tell_oldest(later);
	sd_event_source_set_enabled(later->timer, SD_EVENT_OFF);
}
