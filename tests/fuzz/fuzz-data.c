// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The decoders of what is inside the blobs. Each message has one encoding: what a decoder takes, its encoder writes again.
 *
 * Input: which u8, then the bytes.
 */
#include "channel-wire.h"
#include "fuzz.h"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	return crypto_init();
}

static void init(const uint8_t *p, size_t len)
{
	uint8_t again[WIRE_INIT_MIN + WIRE_VERSIONS_MAX], prologue[WIRE_PROLOGUE_MAX];
	struct wire_header h;
	struct wire_init in;
	size_t head;

	if (wire_header_get(p, len, &h) != CHANNEL_OK || !wire_init_get(p, len, &in))
		return;
	wire_header_put(again, h.type, h.sid);
	head = wire_init_put(again, &in);
	memcpy(again + head, in.noise, sizeof(in.noise));
	MUST(head + sizeof(in.noise) == len && memcmp(again, p, len) == 0);
	MUST(wire_prologue(prologue, h.sid, &in) <= sizeof(prologue));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t again[WIRE_PAYLOAD_LEN], sid[CHANNEL_SID_LEN], *p;
	struct wire_resp resp;
	struct wire_data d;

	if (size < 1)
		return 0;
	p = exact(data + 1, size - 1);
	if (data[0] == 0) {
		init(p, size - 1);
	} else if (data[0] == 1) {
		channel_blob_sid(p, size - 1, sid);
	} else if (size - 1 >= WIRE_PAYLOAD_LEN && data[0] == 2) {
		if (wire_resp_get(p, &resp)) {
			wire_resp_put(again, &resp);
			MUST(memcmp(again, p, sizeof(again)) == 0);
		}
	} else if (size - 1 >= WIRE_PAYLOAD_LEN) {
		if (wire_data_get(p, &d)) {
			wire_data_put(again, &d);
			MUST(memcmp(again, p, sizeof(again)) == 0);
		}
	}
	free(p);
	return 0;
}
