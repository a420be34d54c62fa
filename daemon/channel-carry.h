/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A confirmed channel as bytes, for the next process of the same daemon. */
#pragma once

#include "channel.h"
#include "util/bytes.h"

#define CHANNEL_CARRY_MAX 2048

/**
 * channel_pack - move a channel into bytes
 * @w: memory that holds secrets from then on
 *
 * Its keys are gone from @c afterwards: two that seal under one number would give the other end's relay both texts. Only
 * what is confirmed, alive or stalled, and has nothing that waits to be carried can be packed.
 *
 * Return: false when it cannot be packed, or does not fit; then @c is as it was.
 */
bool channel_pack(struct channel *c, struct writer *w);

/**
 * channel_unpack - the reverse, once for each packing
 * @params: peer_allowed, data and random; the rest is in the bytes
 * @now: not before the time of packing
 *
 * Return: 0; -EBADMSG for what no channel packs; -EINVAL; -ENOMEM or -EPERM when no locked memory is to be had.
 */
int channel_unpack(struct channel **ret, const struct channel_params *params, struct reader *r,
		   uint64_t now);
