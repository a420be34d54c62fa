// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * SFrame: headers of any bytes, frames of any bytes, and genuine frames changed, cut and repeated.
 *
 * Input: kid u64, then operations: op u8 and what it takes.
 */
#include <errno.h>

#include "fuzz.h"
#include "sframe.h"

static const uint8_t base_key[32] = { 1, 2, 3 };

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	return crypto_init();
}

static void header(struct reader *in)
{
	uint8_t bytes[24], again[SFRAME_HEADER_MAX], *copy;
	size_t len = take_u8(in) % sizeof(bytes), used;
	struct sframe_header h;

	take(in, bytes, len);
	copy = exact(bytes, len);
	used = sframe_header_get(copy, len, &h);
	MUST(used <= len && used <= SFRAME_HEADER_MAX);
	if (used)
		MUST(sframe_header_put(again, &h) == used && memcmp(again, copy, used) == 0);
	free(copy);
}

static int open_frame(struct sframe_receiver *r, const uint8_t *frame, size_t len, size_t *got)
{
	uint8_t *copy = exact(frame, len), *ret = malloc(len ?: 1);
	int e = sframe_open(r, "metadata", 8, copy, len, ret, got);

	MUST(e != 0 || *got <= len);
	free(ret);
	free(copy);
	return e;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader in = { .p = data, .left = size };
	uint64_t kid = take_u64(&in);
	struct sframe_receiver receiver;
	struct sframe_sender sender;
	uint8_t plain[255], frame[255 + SFRAME_OVERHEAD];
	size_t len = 0, n, got;

	if (sframe_sender_init(&sender, kid, base_key, sizeof(base_key)) < 0 ||
	    sframe_receiver_init(&receiver, kid, base_key, sizeof(base_key)) < 0)
		return 0;
	while (in.left) {
		switch (take_u8(&in) % 6) {
		case 0:
			header(&in);
			break;
		case 1:
			n = take_u8(&in);
			take(&in, frame, n);
			MUST(open_frame(&receiver, frame, n, &got) != 0);
			len = 0;
			break;
		case 2:
			n = take_u8(&in);
			take(&in, plain, n);
			if (sframe_seal(&sender, "metadata", 8, plain, n, frame, &len) < 0)
				len = 0;
			break;
		case 3:
			if (!len || open_frame(&receiver, frame, len, &got) != 0)
				break;
			MUST(got == n);
			MUST(open_frame(&receiver, frame, len, &got) == -EALREADY);
			break;
		case 4:
			if (!len)
				break;
			frame[take_u8(&in) % len] ^= take_u8(&in) | 1;
			MUST(open_frame(&receiver, frame, len, &got) != 0);
			len = 0;
			break;
		case 5:
			sender.next += take_u64(&in) >> (take_u8(&in) % 64);
			break;
		}
	}
	sframe_sender_wipe(&sender);
	sframe_receiver_wipe(&receiver);
	return 0;
}
