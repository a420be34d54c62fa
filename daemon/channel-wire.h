/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Layout of the channel's blobs and what is derived from their fields. For channel.c and its tests.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "channel.h"
#include "noise.h"

#define WIRE_BLOB_VERSION   1
#define WIRE_SUITE	    1
#define WIRE_HEADER_LEN	    18
#define WIRE_VERSIONS_MAX   8
#define WIRE_NOISE1_LEN	    64
#define WIRE_PAYLOAD_LEN    64 /* of RESP, FIN and DATA, before the tag */
#define WIRE_INIT_MIN	    (WIRE_HEADER_LEN + 1 + 4 + WIRE_NOISE1_LEN)
#define WIRE_RESP_LEN	    178
#define WIRE_FIN_LEN	    146
#define WIRE_DATA_AD_LEN    30
#define WIRE_DATA_LEN	    (WIRE_DATA_AD_LEN + WIRE_PAYLOAD_LEN + CRYPTO_TAG_LEN)
#define WIRE_SAS_NUMBERS    1000000000u /* nine digits */
#define WIRE_PROLOGUE_MAX   64
/* In the media masks of INIT and RESP: this direction may carry PROGRAMS. Who does not know the bit never accepts it. */
#define WIRE_MEDIA_PROGRAMS 0x8000

_Static_assert(WIRE_INIT_MIN + 1 == 88, "INIT with one version");
_Static_assert(WIRE_DATA_LEN == 110, "DATA");

enum wire_type {
	WIRE_INIT = 1,
	WIRE_RESP = 2,
	WIRE_FIN = 3,
	WIRE_DATA = 4,
};

enum wire_data_type {
	WIRE_READY = 1,
	WIRE_HEARTBEAT = 2,
	WIRE_CLOSE = 3,
	WIRE_PROGRAMS = 4, /* a heartbeat with one program of a list */
};

struct wire_header {
	uint8_t type;
	uint8_t sid[CHANNEL_SID_LEN];
};

/* @media: as on the wire, unknown bits included, because the prologue binds them. */
struct wire_init {
	uint8_t n_versions;
	uint8_t versions[WIRE_VERSIONS_MAX];
	uint16_t media[2];
	uint8_t noise[WIRE_NOISE1_LEN];
};

struct wire_resp {
	uint8_t nonce[32];
	uint8_t version;
	uint16_t accepted[2];
	uint16_t interval_ms;
};

/* @total: of the list, 0 for an empty one, which is one piece without a program. @index: below it. */
struct wire_program {
	uint8_t round;
	uint8_t index;
	uint8_t total;
	struct channel_program program;
};

/* @number: the blob's own seq again. @levels: as on the wire. @m_r: READY. @reason, @last_seq: CLOSE. @program: PROGRAMS. */
struct wire_data {
	uint8_t type;
	uint64_t number;
	uint32_t echo_epoch;
	uint64_t echo_seq;
	uint16_t captured;
	uint16_t granted;
	uint8_t levels[2];
	uint8_t sas;
	uint8_t gate;
	uint8_t m_r[32];
	uint8_t reason;
	uint64_t last_seq;
	struct wire_program program;
};

/* The encoders fill buffers whose size is the format's; each decoder is strict and says false for anything else. */
void wire_header_put(uint8_t *ret, enum wire_type type, const uint8_t *sid);
enum channel_result wire_header_get(const void *blob, size_t len, struct wire_header *ret);

/** wire_init_put - the part before the Noise message. Return: its length */
size_t wire_init_put(uint8_t *ret, const struct wire_init *in);
/** wire_init_get - a whole INIT; versions are 1 to 8, ascending, none of them 0 */
bool wire_init_get(const void *blob, size_t len, struct wire_init *ret);

void wire_resp_put(uint8_t ret[WIRE_PAYLOAD_LEN], const struct wire_resp *in);
bool wire_resp_get(const uint8_t in[WIRE_PAYLOAD_LEN], struct wire_resp *ret);

void wire_data_put(uint8_t ret[WIRE_PAYLOAD_LEN], const struct wire_data *in);
/** wire_data_get - layout only; what a field may say now is channel.c's to judge */
bool wire_data_get(const uint8_t in[WIRE_PAYLOAD_LEN], struct wire_data *ret);

/** wire_prologue - what both ends mix into the handshake first. Return: its length */
size_t wire_prologue(uint8_t ret[WIRE_PROLOGUE_MAX], const uint8_t *sid,
		     const struct wire_init *init);

/** wire_commitment - C: binds the caller's static key and nonce before the answer is known */
void wire_commitment(const uint8_t *sid, const uint8_t *s_i, const uint8_t *r_i, uint8_t ret[32]);

/**
 * struct wire_sas_input - everything that the number depends on
 */
struct wire_sas_input {
	const uint8_t *prologue;
	size_t prologue_len;
	const uint8_t *r_i, *r_r, *s_i, *s_r, *e_i, *e_r;
};

/** wire_sas - the number, below 10^9 */
uint32_t wire_sas(const struct wire_sas_input *in);

/** wire_prk - PRK0 from the handshake hash and both contributions */
void wire_prk(const uint8_t hash[NOISE_HASH_LEN], const uint8_t *m_i, const uint8_t *m_r,
	      uint8_t ret[CRYPTO_SHA512_LEN]);

/** wire_media_key - media base key of epoch 0 */
void wire_media_key(const uint8_t prk[CRYPTO_SHA512_LEN], uint8_t dir, uint8_t kind,
		    uint8_t ret[CHANNEL_KEY_LEN]);
