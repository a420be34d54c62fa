// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Writes the seeds of every fuzzer into DIR/<fuzzer>/, made by the code under test. Usage: make-corpus DIR
 * The results are kept in tests/fuzz/corpus; make them anew (make fuzz-corpus) when a format changes.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "identity-seal.h"
#include "identity.h"
#include "pair.h"
#include "record-walk.h"
#include "sframe.h"

static const char *dir;

struct seed {
	uint8_t bytes[4096];
	size_t len;
};

static void add(struct seed *s, const void *p, size_t len)
{
	MUST(s->len + len <= sizeof(s->bytes));
	memcpy(s->bytes + s->len, p, len);
	s->len += len;
}

static void add_u8(struct seed *s, uint8_t v)
{
	add(s, &v, 1);
}

static void add_text(struct seed *s, const char *text)
{
	add_u8(s, (uint8_t)strlen(text));
	add(s, text, strlen(text));
}

static void save(struct seed *s, const char *fuzzer, const char *name)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, fuzzer);
	mkdir(path, 0777);
	snprintf(path, sizeof(path), "%s/%s/%s", dir, fuzzer, name);
	f = fopen(path, "wb");
	if (!f || fwrite(s->bytes, 1, s->len, f) != s->len || fclose(f) != 0) {
		perror(path);
		exit(1);
	}
	s->len = 0;
}

static void channels(void)
{
	static const char *const names[AT_COUNT] = { "a-ringing", "a-fin",   "a-live", "b-new",
						     "b-resp",	  "b-ready", "b-live" };
	struct wire_data d = { .type = WIRE_HEARTBEAT, .echo_seq = 1, .captured = 1, .granted = 1 };
	struct wire_resp resp = { .version = 1, .accepted = { 3, 1 }, .interval_ms = 2000 };
	uint8_t plain[64];
	struct seed s = {};

	for (unsigned int at = 0; at < AT_COUNT; at++) {
		add(&s, (uint8_t[]){ 0, (uint8_t)at }, 2);
		if (at == AT_B_NEW)
			add(&s, (uint8_t[]){ 9, 3 | 1 << 3 }, 2);
		for (uint8_t i = 0; i < PAIR_BLOBS; i++)
			add(&s, (uint8_t[]){ 2, i, 0, 0, 0 }, 5);
		add(&s, (uint8_t[]){ 5, 20 }, 2);
		wire_data_put(plain, &d);
		add(&s, (uint8_t[]){ 3, 2, 9 }, 3);
		add(&s, plain, sizeof(plain));
		add(&s, (uint8_t[]){ 7, 9, 8, 4, 5, 200, 5, 200, 5, 200 }, 10);
		save(&s, "channel", names[at]);
	}
	/* Genuine RESP and FIN with payloads of one's own. */
	add(&s, (uint8_t[]){ 0, AT_A_RINGING, 4, 64 }, 4);
	wire_resp_put(plain, &resp);
	add(&s, plain, sizeof(plain));
	save(&s, "channel", "made-resp");
	add(&s, (uint8_t[]){ 0, AT_B_RESP, 4, 64 }, 4);
	add(&s, plain, sizeof(plain));
	save(&s, "channel", "made-fin");
	/* READY, CLOSE and a second READY under genuine keys. */
	add(&s, (uint8_t[]){ 0, AT_A_FIN }, 2);
	for (uint8_t type = WIRE_READY; type <= WIRE_CLOSE; type++) {
		d = (struct wire_data){
			.type = type, .number = type, .reason = 1, .last_seq = type - 1
		};
		d.echo_seq = type == WIRE_HEARTBEAT;
		wire_data_put(plain, &d);
		add(&s, (uint8_t[]){ 3, 0, type }, 3);
		add(&s, plain, sizeof(plain));
	}
	save(&s, "channel", "made-data");
	/* Two programs of a list; then this end tells some. */
	add(&s, (uint8_t[]){ 0, AT_A_LIVE }, 2);
	for (uint8_t i = 0; i < 2; i++) {
		d = (struct wire_data){ .type = WIRE_PROGRAMS, .number = 2 + i, .echo_seq = 1 };
		d.program = (struct wire_program){ .index = i,
						   .total = 2,
						   .program = { { 1, 2 }, "program" } };
		wire_data_put(plain, &d);
		add(&s, (uint8_t[]){ 3, 0, 2 + i }, 3);
		add(&s, plain, sizeof(plain));
	}
	add(&s, (uint8_t[]){ 10, 3, 5, 200, 5, 200 }, 6);
	save(&s, "channel", "programs");
	add(&s, (uint8_t[]){ 0, AT_COUNT, 5, 50 }, 4);
	save(&s, "channel", "new-a");
	add(&s, (uint8_t[]){ 0, AT_COUNT + 1, (uint8_t)pair.blobs[0].len }, 3);
	add(&s, pair.blobs[0].bytes, pair.blobs[0].len);
	add(&s, (uint8_t[]){ 9, 1 }, 2);
	save(&s, "channel", "new-b");
	add(&s, (uint8_t[]){ 0xff, AT_COUNT }, 2);
	save(&s, "channel", "no-memory");
	add(&s, (uint8_t[]){ 0, AT_B_LIVE, 0, 110 }, 4);
	add(&s, pair.blobs[5].bytes, 110);
	add(&s, (uint8_t[]){ 1, 110 }, 2);
	add(&s, pair.blobs[4].bytes, 110);
	save(&s, "channel", "raw");
}

static void handshakes(void)
{
	static const char *const names[] = { "message-1", "message-2", "message-3" };
	struct seed s = {};

	for (uint8_t i = 0; i < 3; i++) {
		const struct blob *b = &pair.blobs[i];
		size_t skip = i ? WIRE_HEADER_LEN : b->len - WIRE_NOISE1_LEN;

		add_u8(&s, i);
		add(&s, b->bytes + skip, b->len - skip);
		save(&s, "noise", names[i]);
	}
	add(&s, (uint8_t[]){ 9, 8 }, 2);
	add(&s, pair.blobs[1].bytes, 178);
	add(&s, pair.blobs[2].bytes, 146);
	add(&s, pair.blobs[1].bytes, 178);
	save(&s, "noise", "whole");
}

static void decoders(void)
{
	struct wire_resp resp = { .version = 1, .accepted = { 3, 1 }, .interval_ms = 2000 };
	struct wire_data d = {
		.number = 1, .echo_seq = 1, .granted = 3, .last_seq = 4, .reason = 2
	};
	uint8_t plain[64];
	struct seed s = {};

	add_u8(&s, 0);
	add(&s, pair.blobs[0].bytes, pair.blobs[0].len);
	save(&s, "data", "init");
	add_u8(&s, 1);
	add(&s, pair.blobs[3].bytes, pair.blobs[3].len);
	save(&s, "data", "header");
	wire_resp_put(plain, &resp);
	add_u8(&s, 2);
	add(&s, plain, sizeof(plain));
	save(&s, "data", "resp");
	d.program = (struct wire_program){ .total = 1, .program = { { 1, 2 }, "program" } };
	for (d.type = WIRE_READY; d.type <= WIRE_PROGRAMS; d.type++) {
		wire_data_put(plain, &d);
		add_u8(&s, 3);
		add(&s, plain, sizeof(plain));
		save(&s, "data",
		     d.type == WIRE_READY      ? "ready"
		     : d.type == WIRE_CLOSE    ? "close"
		     : d.type == WIRE_PROGRAMS ? "programs"
					       : "heartbeat");
	}
}

static void frames(void)
{
	uint8_t head[SFRAME_HEADER_MAX], kid[8] = { 0, 0, 0, 0, 0, 0, 0, 5 };
	struct sframe_header h;
	struct seed s = {};
	size_t len;

	add(&s, kid, sizeof(kid));
	for (unsigned int bits = 0; bits < 64; bits += 9) {
		h = (struct sframe_header){ .kid = UINT64_C(1) << bits, .ctr = UINT64_MAX >> bits };
		len = sframe_header_put(head, &h);
		add(&s, (uint8_t[]){ 0, (uint8_t)len }, 2);
		add(&s, head, len);
	}
	save(&s, "sframe", "headers");
	add(&s, kid, sizeof(kid));
	for (unsigned int i = 0; i < 3; i++) {
		add_u8(&s, 2);
		add_text(&s, "a frame of media");
		add(&s, (uint8_t[]){ 3, 3, 5, 0, 0, 0, 0, 0, 0, 0, 9, 0 }, 12);
	}
	add_u8(&s, 2);
	add_text(&s, "changed");
	add(&s, (uint8_t[]){ 4, 3, 1, 1, 2, 0, 0 }, 7);
	save(&s, "sframe", "frames");
}

static void identities(void)
{
	static const char *const names[] = { "empty", "empty-fail", "one",   "one-fail",
					     "two",   "two-fail",   "three", "three-fail" };
	uint8_t *file, root[64] = { 'C', 'G', 'I', 'D', 1 }, key[32] = { 1 };
	struct identity *id;
	struct seed s = {};
	size_t len;

	MUST(identity_decode(&id, root, 39) == 0);
	for (unsigned int pins = 0; pins < 4; pins++) {
		if (pins) {
			key[0] = (uint8_t)pins;
			MUST(identity_pin(id, "exe:/usr/bin/call",
					  pins == 2 ? "Bob Miller" : "Anna", key,
					  pins == 1 ? IDENTITY_PINNED : IDENTITY_VERIFIED) == 0);
		}
		MUST(identity_encode(id, &file, &len) == 0);
		for (unsigned int failing = 0; failing < 2; failing++) {
			add(&s,
			    (uint8_t[]){ failing ? 6 + 2 * pins : 0, (uint8_t)(len >> 8),
					 (uint8_t)len },
			    3);
			add(&s, file, len);
			for (uint8_t op = 0; op < 6; op++) {
				add(&s, (uint8_t[]){ op | 72, 1 }, 2);
				add_text(&s, "usr/bin/call");
				add_text(&s, "Anna");
				add_text(&s, "Carla");
			}
			add(&s, (uint8_t[]){ 128, 0, 0, 0, 1, 'X', 129, 0, 0, 0, 0 }, 11);
			save(&s, "identity", names[2 * pins + failing]);
		}
		crypto_secret_free(file);
	}
	identity_free(id);
}

static void seals(void)
{
	static const char *const names[] = { "disk",	     "carried",
					     "disk-genuine", "carried-genuine",
					     "disk-changed", "carried-changed" };
	uint8_t root[39] = { 'C', 'G', 'I', 'D', 1 }, key[32] = { 1 }, *file;
	struct carry_head head = { .passes = 1, .mib = CRYPTO_STRETCH_MIB_MIN };
	struct seal_key seal;
	struct identity *id;
	struct seed s = {};
	size_t len;

	seal_key_init(&seal, key);
	MUST(identity_decode(&id, root, sizeof(root)) == 0);
	MUST(identity_pin(id, "exe:/usr/bin/call", "Anna", key, IDENTITY_VERIFIED) == 0);
	for (uint8_t how = 0; how < 6; how++) {
		if (how >= 2) {
			MUST(identity_encode(id, &file, &len) == 0);
			add(&s, (uint8_t[]){ 0, how < 4 ? how : how | 2, 0, 20 }, 4);
			add(&s, file, len);
			crypto_secret_free(file);
		} else {
			MUST((how ? identity_pack(id, &head, root, &file, &len)
				  : identity_seal(id, &seal, 1, &file, &len)) == 0);
			add(&s, (uint8_t[]){ 0, how, 0, 0 }, 4);
			add(&s, file, len);
			free(file);
		}
		save(&s, "seal", names[how]);
	}
	identity_free(id);
}

static void texts(void)
{
	static const struct {
		const char *name;
		uint8_t which;
		const char *text;
		size_t len;
	} seeds[] = {
		{ "hex", 0, "00ffABcd", 8 },
		{ "hex-small", 7, "0011", 4 },
		{ "name", 14, "Anna \xc3\x84", 7 },
		{ "name-bad", 20, " \xe2\x80\xaex\xff\x1b", 7 },
		{ "number", 3, "123", 3 },
		{ "prompt", 4,
		  "prompt\0timeout\0"
		  "60",
		  17 },
		{ "kinds", 4, "unverified\0kinds\0microphone camera", 34 },
		{ "group", 4, "agent\0group\0callgate-agent", 26 },
		{ "terminal", 5, "a\\b\x1b[2J\xe2\x80\xae", 10 },
		{ "heartbeat", 4,
		  "channel\0heartbeat\0"
		  "2000",
		  22 },
	};
	struct seed s = {};

	for (size_t i = 0; i < sizeof(seeds) / sizeof(seeds[0]); i++) {
		add_u8(&s, seeds[i].which);
		add(&s, seeds[i].text, seeds[i].len);
		save(&s, "text", seeds[i].name);
	}
}

static void rules(void)
{
	static const struct {
		const char *name, *text;
		uint8_t failing;
	} seeds[] = {
		{ "deny", "# c\n[rule a]\naction = deny\nkinds = camera\napp = exe:/usr/*\n", 0 },
		{ "ask",
		  "[rule a]\naction = ask\nuser = u1 7\ngroup = g1\npeer = pinned\nask_on = window\n"
		  "prompt_seconds = 5\nlifetime_seconds = 60\nhold_seconds = 0\nhistory = no\n"
		  "unverified_kinds = microphone\nunverified_seconds = 9\n",
		  0 },
		{ "two",
		  "[rule a]\naction = ask\nkinds = camera\nask_on = console\n\n[rule b]\naction=deny\n",
		  0 },
		{ "no-memory", "[rule a]\naction = ask\napp = exe:/a\napp = exe:/b\n", 3 },
		{ "bad", "[rule a]\naction = allow\n continued\n", 0 },
	};
	struct seed s = {};

	for (size_t i = 0; i < sizeof(seeds) / sizeof(seeds[0]); i++) {
		add(&s, (uint8_t[]){ seeds[i].failing, 3, 1, 2 }, 4);
		add(&s, seeds[i].text, strlen(seeds[i].text));
		save(&s, "rules", seeds[i].name);
	}
}

static void streams(void)
{
	struct seed s = {};

	add(&s, (uint8_t[]){ 0, 1, 0, 0, 0, 4, 'A', 'n', 'n', 'a' }, 10);
	add(&s, (uint8_t[]){ 2, 0, 0, 0, 2, 'P', 'x', 5, 0, 0, 0, 4, 0, 0, 0x80, 0 }, 16);
	add(&s, (uint8_t[]){ 3, 0, 0, 0, 3, 1, 2, 3, 4, 0, 0, 0, 1, 9 }, 14);
	save(&s, "carriage", "call");
	add(&s, (uint8_t[]){ 0, 1, 0, 0, 0, 1, 'B', 3, 0, 0, 0x40, 0x41 }, 12);
	save(&s, "carriage", "too-long");
	add(&s, (uint8_t[]){ 0xaa, 1, 0, 0, 0, 1, 'B', 2, 0, 0, 0, 1, 7, 2, 0, 0, 0, 1, 8 }, 19);
	save(&s, "carriage", "no-memory");
}

static void journals(void)
{
	struct keyring keyring = { .has_public = 1 };
	struct record record = { .type = RECORD_SESSION,
				 .start = 900,
				 .end = 900,
				 .unit = 900,
				 .app = "exe:/usr/bin/a",
				 .level = "keyed" };
	uint8_t bytes[KEYRING_ENCODED_MAX], header[SEGMENT_HEADER_LEN], tag[SEGMENT_TAG_LEN];
	const struct segment_head head = { .day = 20000, .generation = 1 };
	struct segment_keys keys;
	struct seed s = {};
	size_t len;

	record_add_use(&record, "/usr/bin/b", RECORD_CAMERA, 9);
	len = (size_t)record_encode(&record, bytes);
	for (uint8_t which = 0; which < 4; which += 3) {
		add(&s, (uint8_t[]){ 0, which }, 2);
		if (which == 3)
			add_u8(&s, 0);
		add(&s, bytes, len);
		save(&s, "journal", which ? "sealed-record" : "record");
	}
	add(&s, (uint8_t[]){ 0, 3, 2, 1, 20, 4, 2, 0, 1 }, 9);
	add(&s, bytes, len);
	save(&s, "journal", "changed");
	keyring_today(&keyring, 20000, 7);
	len = keyring_encode(&keyring, bytes);
	add(&s, (uint8_t[]){ 0, 1 }, 2);
	add(&s, bytes, len);
	save(&s, "journal", "keys");
	segment_begin(&head, keyring.days[0].key, keyring.public_key, &keys, header, tag);
	add(&s, (uint8_t[]){ 0, 2 }, 2);
	add(&s, header, sizeof(header));
	save(&s, "journal", "segment");
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: make-corpus DIR\n");
		return 2;
	}
	dir = argv[1];
	mkdir(dir, 0777);
	pair_begin();
	channels();
	handshakes();
	decoders();
	frames();
	identities();
	seals();
	texts();
	rules();
	streams();
	journals();
	return 0;
}
