// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The handshake, reading any bytes at each of its messages; and two handshakes whose payloads and randomness are the input.
 *
 * Input: which u8 (0 to 2: this message is the rest of the input; otherwise a whole handshake), then bytes.
 */
#include "pair.h"

static struct noise_handshake before[NOISE_XX_MESSAGES];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const uint8_t s[32] = { 0xb1 }, e[32] = { 0xe1 };

	pair_begin();
	noise_handshake_init(&before[0], false, "prologue", 8, s, NULL, e);
	before[1] = pair.at[AT_A_RINGING].hs;
	before[2] = pair.at[AT_B_RESP].hs;
	return 0;
}

static void read_any(unsigned int which, const uint8_t *data, size_t len, size_t room)
{
	const struct noise_handshake *hs = &before[which];
	struct noise_handshake next, copy = *hs;
	uint8_t *msg = exact(data, len), *payload = malloc(room ?: 1);
	struct noise_cipher i2r, r2i;
	size_t got = 0;

	if (noise_handshake_read(hs, &next, msg, len, payload, room, &got) == 0) {
		MUST(got <= room && next.next == hs->next + 1);
		MUST((noise_handshake_split(&next, &i2r, &r2i) == 0) == (which == 2));
	}
	MUST(memcmp(&copy, hs, sizeof(copy)) == 0);
	free(payload);
	free(msg);
}

static void whole(struct reader *in)
{
	struct noise_handshake end[2], next;
	struct noise_cipher tx[2], rx[2];
	uint8_t key[32], prologue[64], payload[256], msg[512], got[256];
	size_t size, made, len;

	size = take_u8(in) % sizeof(prologue);
	take(in, prologue, size);
	for (unsigned int i = 0; i < 2; i++) {
		uint8_t e[32];

		take(in, key, sizeof(key));
		take(in, e, sizeof(e));
		noise_handshake_init(&end[i], i == 0, prologue, size, key, NULL, e);
	}
	for (unsigned int i = 0; i < NOISE_XX_MESSAGES; i++) {
		size = take_u8(in);
		take(in, payload, size);
		if (noise_handshake_write(&end[i % 2], payload, size, msg, take_u8(in) + 128,
					  &made))
			return;
		MUST(noise_handshake_read(&end[!(i % 2)], &next, msg, made, got, sizeof(got),
					  &len) == 0);
		MUST(len == size && memcmp(got, payload, size) == 0);
		end[!(i % 2)] = next;
	}
	MUST(memcmp(end[0].hash, end[1].hash, sizeof(end[0].hash)) == 0);
	MUST(noise_handshake_split(&end[0], &tx[0], &rx[0]) == 0);
	MUST(noise_handshake_split(&end[1], &rx[1], &tx[1]) == 0);
	tx[0].nonce = rx[1].nonce = take_u64(in);
	if (noise_cipher_seal(&tx[0], prologue, 8, payload, size, msg) < 0)
		return;
	MUST(noise_cipher_open(&rx[1], prologue, 8, msg, size + CRYPTO_TAG_LEN, got) == 0);
	rx[1].nonce = tx[0].nonce - 1;
	msg[take_u8(in) % (size + CRYPTO_TAG_LEN)] ^= 1;
	MUST(noise_cipher_open(&rx[1], prologue, 8, msg, size + CRYPTO_TAG_LEN, got) < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader in = { .p = data, .left = size };
	uint8_t which = take_u8(&in);

	if (which < NOISE_XX_MESSAGES)
		read_any(which, in.p, in.left, in.left ? in.p[0] : 0);
	else
		whole(&in);
	return 0;
}
