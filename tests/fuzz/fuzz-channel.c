// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A channel at any step of a call, and an input that is a list of what happens to it: blobs of any bytes, genuine blobs changed,
 * plaintexts of any bytes sealed with genuine keys, time, and the local user.
 *
 * Input: failing allocations u8, step u8, then operations: op u8 and what it takes.
 */
#include "pair.h"
#include "util/text.h"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	pair_begin();
	return 0;
}

static bool is_a(enum at at)
{
	return at <= AT_A_LIVE;
}

static void receive(struct channel *c, const void *blob, size_t len, uint64_t now)
{
	uint8_t *copy = exact(blob, len);
	enum channel_result r = channel_receive(c, copy, len, now);

	MUST(channel_result_name(r) && channel_result_message(r));
	MUST(r != CHANNEL_ENDED || channel_end_reason(c) != CHANNEL_END_NONE);
	free(copy);
}

/* Any length, with version and sid of this call unless @raw. */
static void any_blob(struct channel *c, struct reader *in, bool raw, uint64_t now)
{
	uint8_t blob[255];
	size_t len = take_u8(in);

	take(in, blob, len);
	if (!raw) {
		blob[0] = WIRE_BLOB_VERSION;
		memcpy(blob + 2, c->sid, CHANNEL_SID_LEN);
	}
	receive(c, blob, len, now);
}

static void changed_blob(struct channel *c, struct reader *in, uint64_t now)
{
	struct blob b = pair.blobs[take_u8(in) % PAIR_BLOBS];
	uint8_t at = take_u8(in), with = take_u8(in), len = take_u8(in);

	b.bytes[at % b.len] ^= with;
	if (len && len <= CHANNEL_BLOB_MAX)
		b.len = len;
	receive(c, b.bytes, b.len, now);
}

static void sealed_data(struct channel *c, struct reader *in, enum at at, uint64_t now)
{
	struct noise_cipher tx = is_a(at) ? pair.to_a : pair.to_b;
	uint8_t blob[WIRE_DATA_LEN], plain[WIRE_PAYLOAD_LEN], how = take_u8(in);
	uint64_t seq = how & 1 ? take_u64(in) : take_u8(in);

	take(in, plain, sizeof(plain));
	if (how & 2) {
		/* Near enough to the truth to come far. */
		put_be64(plain + 1, seq);
		memset(plain + 9, 0, 4);
		put_be64(plain + 13, c->tx_seq < plain[20] ? c->tx_seq : plain[20]);
	}
	if (how & 4)
		memset(plain + 29, 0, sizeof(plain) - 29);
	wire_header_put(blob, WIRE_DATA, c->sid);
	put_be32(blob + 18, 0);
	put_be64(blob + 22, seq);
	if (seq == UINT64_MAX)
		return;
	tx.nonce = seq;
	MUST(noise_cipher_seal(&tx, blob, 30, plain, sizeof(plain), blob + 30) == 0);
	receive(c, blob, sizeof(blob), now);
}

/* RESP or FIN with genuine keys and any payload. */
static void made_handshake(struct channel *c, struct reader *in, enum at at, uint64_t now)
{
	struct noise_handshake hs = is_a(at) ? pair.before_resp : pair.before_fin;
	uint8_t blob[CHANNEL_BLOB_MAX], payload[CHANNEL_BLOB_MAX];
	size_t len = take_u8(in) % 100, made;

	if (len > 64)
		len = 64;
	take(in, payload, len);
	wire_header_put(blob, is_a(at) ? WIRE_RESP : WIRE_FIN, c->sid);
	if (noise_handshake_write(&hs, payload, len, blob + WIRE_HEADER_LEN,
				  sizeof(blob) - WIRE_HEADER_LEN, &made) == 0)
		receive(c, blob, WIRE_HEADER_LEN + made, now);
}

static void tell(struct channel *c, uint8_t x, uint64_t now)
{
	struct channel_programs list = { .n = x % (CHANNEL_PROGRAMS_MAX + 2) };

	for (unsigned int i = 0; i < list.n && i < CHANNEL_PROGRAMS_MAX; i++)
		list.list[i] = (struct channel_program){ { 1, x }, "program" };
	channel_tell_programs(c, &list, now);
}

static void look(struct channel *c, uint64_t now)
{
	uint64_t dead = CHANNEL_DEAD_INTERVALS * c->interval_ms * CHANNEL_NSEC_PER_MSEC;
	enum channel_state state = channel_state(c, now);
	struct channel_claims claims;
	struct channel_programs programs;
	uint8_t blob[CHANNEL_BLOB_MAX];
	char sas[CHANNEL_SAS_LEN];
	size_t len;

	while (channel_poll_output(c, blob, &len))
		MUST(len >= WIRE_HEADER_LEN && len <= CHANNEL_BLOB_MAX);
	MUST(channel_state_name(state) && channel_end_name(channel_end_reason(c)));
	MUST(channel_end_message(channel_end_reason(c)));
	channel_end_message(channel_peer_reason(c));
	for (unsigned int kind = 0; kind < 4; kind++)
		MUST(channel_level_name(channel_level(c, kind)));
	MUST(!channel_confirmed(c) || (channel_peer_key(c) && channel_sas(c, sas)));
	MUST(channel_own_dir(c) ==
	     (channel_role(c) == CHANNEL_INITIATOR ? CHANNEL_I2R : CHANNEL_R2I));
	MUST(channel_alive_until(c) <= c->now + dead);
	MUST(channel_peer_claims(c, &claims) ? claims.level[0] < CHANNEL_LEVEL_COUNT &&
						       claims.level[1] < CHANNEL_LEVEL_COUNT &&
						       claims.sas < CHANNEL_SAS_COUNT
					     : true);
	if (channel_peer_programs(c, &programs)) {
		MUST(programs.n <= CHANNEL_PROGRAMS_MAX);
		for (unsigned int i = 0; i < programs.n; i++)
			MUST(text_is_name(programs.list[i].name, CHANNEL_PROGRAM_NAME));
	}
	for (unsigned int dir = 0; dir < 2; dir++)
		MUST((channel_accepted(c, dir) & ~channel_offered(c, dir)) == 0);
	if (state != CHANNEL_STATE_CLOSED)
		return;
	MUST(!channel_sas(c, sas) && !channel_confirmed(c) && !channel_alive_until(c));
	MUST(!c->has_keys && channel_next_timeout(c) == UINT64_MAX);
}

static struct channel *begin(struct reader *in, enum at *ret_at)
{
	uint8_t failing = take_u8(in), at = take_u8(in) % (AT_COUNT + 2);
	struct channel_params p = {
		.static_key = pair.at[AT_B_NEW].own_static,
		.offered = { CHANNEL_KINDS, CHANNEL_MICROPHONE },
		.peer_allowed = pair_allowed,
		.random = pair_random,
	};
	struct channel *c = NULL;
	uint8_t init[CHANNEL_BLOB_MAX];
	size_t len;

	*ret_at = at < AT_COUNT ? at : AT_B_NEW;
	if (at < AT_COUNT) {
		c = crypto_secret_new(sizeof(*c));
		MUST(c);
		*c = pair.at[at];
		return c;
	}
	if (at == AT_COUNT) {
		*ret_at = AT_A_RINGING;
		fuzz_memory(failing);
		channel_new_initiator(&c, &p, PAIR_START);
	} else {
		uint8_t *copy;

		len = take_u8(in) % sizeof(init);
		take(in, init, len);
		copy = exact(init, len);
		fuzz_memory(failing);
		MUST(channel_new_responder(&c, &p, copy, len, PAIR_START) == 0 || !c);
		fuzz_memory(0);
		free(copy);
	}
	fuzz_memory(0);
	return c;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader in = { .p = data, .left = size };
	uint64_t now = PAIR_START;
	uint8_t key[CHANNEL_KEY_LEN], x;
	uint16_t accepted[2];
	struct channel *c;
	enum at at;

	pair_again();
	c = begin(&in, &at);
	for (unsigned int i = 0; c && in.left && i < 40; i++) {
		switch (take_u8(&in) % 11) {
		case 0:
			any_blob(c, &in, true, now);
			break;
		case 1:
			any_blob(c, &in, false, now);
			break;
		case 2:
			changed_blob(c, &in, now);
			break;
		case 3:
			sealed_data(c, &in, at, now);
			break;
		case 4:
			made_handshake(c, &in, at, now);
			break;
		case 5:
			now += (uint64_t)take_u8(&in) * 100 * CHANNEL_NSEC_PER_MSEC;
			channel_tick(c, now);
			break;
		case 6: /* also backwards, which must not hurt */
			now = PAIR_START +
			      (take_u64(&in) >> (take_u8(&in) % 64)) % (UINT64_MAX / 4);
			channel_tick(c, now);
			break;
		case 7:
			x = take_u8(&in);
			channel_set_local(c, x % 5, (x >> 3) % 5, (x >> 5) % 4, x & 1, now);
			break;
		case 8:
			x = take_u8(&in);
			channel_media_key(c, x % 3, (x >> 2) % 5, now, key);
			break;
		case 9:
			x = take_u8(&in);
			accepted[0] = x % 5;
			accepted[1] = (x >> 3) % 5;
			if (x & 64)
				channel_close(c, x % (CHANNEL_END_COUNT + 2), now);
			else
				channel_accept(c, accepted, now);
			break;
		case 10:
			tell(c, take_u8(&in), now);
			break;
		}
		look(c, now);
	}
	channel_free(c);
	return 0;
}
