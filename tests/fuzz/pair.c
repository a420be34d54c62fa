// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Owns the whole call from which the fuzzers of the channel and of the handshake begin. Always the same bytes.
 */
#include "pair.h"

struct pair pair;

static uint64_t rng;

void pair_random(void *data, void *ret, size_t len)
{
	uint8_t *p = ret;

	for (size_t i = 0; i < len; i++) {
		uint64_t z = rng += UINT64_C(0x9e3779b97f4a7c15);

		z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
		p[i] = (uint8_t)(z >> 56);
	}
}

void pair_again(void)
{
	rng = 1;
}

bool pair_allowed(void *data, const uint8_t *key)
{
	return true;
}

static void pop(struct channel *c, struct blob *ret)
{
	MUST(channel_poll_output(c, ret->bytes, &ret->len));
}

static void give(struct channel *c, const struct blob *b)
{
	MUST(channel_receive(c, b->bytes, b->len, PAIR_START) == CHANNEL_OK);
}

void pair_begin(void)
{
	static const uint8_t key_a[32] = { 0xa1 }, key_b[32] = { 0xb1 };
	static const uint16_t accepted[2] = { CHANNEL_KINDS, CHANNEL_MICROPHONE };
	struct channel_params p = {
		.static_key = key_a,
		.offered = { CHANNEL_KINDS, CHANNEL_MICROPHONE },
		.peer_allowed = pair_allowed,
		.random = pair_random,
	};
	struct channel *a, *b;
	struct blob *blob = pair.blobs;
	uint8_t payload[64];
	size_t len;

	rng = 7;
	MUST(crypto_init() == 0);
	MUST(channel_new_initiator(&a, &p, PAIR_START) == 0);
	pop(a, &blob[0]);
	pair.at[AT_A_RINGING] = *a;
	p.static_key = key_b;
	MUST(channel_new_responder(&b, &p, blob[0].bytes, blob[0].len, PAIR_START) == 0);
	pair.at[AT_B_NEW] = *b;
	pair.before_resp = b->hs;
	MUST(channel_accept(b, accepted, PAIR_START) == 0);
	pop(b, &blob[1]);
	pair.at[AT_B_RESP] = *b;
	MUST(noise_handshake_read(&a->hs, &pair.before_fin, blob[1].bytes + WIRE_HEADER_LEN,
				  blob[1].len - WIRE_HEADER_LEN, payload, sizeof(payload),
				  &len) == 0);
	give(a, &blob[1]);
	pop(a, &blob[2]);
	pair.at[AT_A_FIN] = *a;
	give(b, &blob[2]);
	pop(b, &blob[3]);
	pair.at[AT_B_READY] = *b;
	give(a, &blob[3]);
	pop(a, &blob[4]);
	pair.at[AT_A_LIVE] = *a;
	give(b, &blob[4]);
	pop(b, &blob[5]);
	pair.at[AT_B_LIVE] = *b;
	pair.to_a = b->tx;
	pair.to_b = a->tx;
	channel_free(a);
	channel_free(b);
}
