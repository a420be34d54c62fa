/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CALLGATE_AGENT_HAND_H
#define CALLGATE_AGENT_HAND_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

/* A press and what the window saw of it are this far apart at most, ms. */
#define HAND_APART_MS 50

struct hand;

/**
 * hand_new() - listen to the hands at a seat, from now on
 * @seat: its name, by logind
 * @heard: called after each press, and when the helper ended; may free the hand
 *
 * Negative errno where the helper cannot be started.
 */
int hand_new(struct hand **ret, sd_event *event, const char *seat, void (*heard)(void *userdata),
	     void *userdata);
struct hand *hand_free(struct hand *hand);

/* Does the helper listen? Nothing that came before counts. */
bool hand_is_ready(const struct hand *hand);
bool hand_is_gone(const struct hand *hand);
/*
 * Did a hand press this at this time? at: CLOCK_MONOTONIC, ms, the low 32 bits, as display servers count. A
 * press is good for one answer.
 */
bool hand_pressed(struct hand *hand, const char *by, uint32_t at);

#endif
