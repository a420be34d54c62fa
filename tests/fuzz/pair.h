/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Two channels that went through a whole call once, kept as they were at each step: a fuzzer begins at any of them.
 */
#pragma once

#include "channel-private.h"
#include "fuzz.h"

enum at {
	AT_A_RINGING,
	AT_A_FIN,
	AT_A_LIVE,
	AT_B_NEW,
	AT_B_RESP,
	AT_B_READY,
	AT_B_LIVE,
	AT_COUNT,
};

#define PAIR_BLOBS 6
#define PAIR_START (1000 * CHANNEL_NSEC_PER_SEC)

/* @at: each step. @blobs: INIT, RESP, FIN, READY and one heartbeat of each. @hears: the handshake of the end that speaks to
 * A before RESP, and to B before FIN. @speaks: the cipher of the end that sends DATA to this one.
 */
struct pair {
	struct channel at[AT_COUNT];
	struct blob blobs[PAIR_BLOBS];
	struct noise_handshake before_resp, before_fin;
	struct noise_cipher to_a, to_b;
};

extern struct pair pair;

bool pair_allowed(void *data, const uint8_t *key);
void pair_random(void *data, void *ret, size_t len);
void pair_begin(void);
/* The same randomness again. */
void pair_again(void);
