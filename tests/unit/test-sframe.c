// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tools/sframe.c against appendix C of RFC 9605, and against a relay.
 */
#include "sframe.h"
#include "unit.h"
#include "vectors.h"

#define SUITE 5

static json_t *rfc;

static void headers_agree_with_the_rfc(void **state)
{
	size_t i, tried = 0;
	json_t *test;

	json_array_foreach(json_object_get(rfc, "header"), i, test)
	{
		struct sframe_header h = { vectors_number(test, "kid"),
					   vectors_number(test, "ctr") },
				     back;
		uint8_t out[SFRAME_HEADER_MAX];
		struct bytes encoded;
		size_t len;

		vectors_hex(test, "encoded", &encoded);
		len = sframe_header_put(out, &h);
		assert_int_equal(len, encoded.len);
		assert_memory_equal(out, encoded.p, len);
		assert_int_equal(sframe_header_get(encoded.p, encoded.len, &back), encoded.len);
		assert_true(back.kid == h.kid && back.ctr == h.ctr);
		for (size_t cut = 0; cut < encoded.len; cut++)
			assert_int_equal(sframe_header_get(encoded.p, cut, &back), 0);
		tried++;
	}
	assert_true(tried >= 289);
}

/* With one library's cipher, or the one that is chosen. */
static void frames_agree(const struct crypto_aead *aead)
{
	size_t i, tried = 0;
	json_t *test;

	json_array_foreach(json_object_get(rfc, "sframe"), i, test)
	{
		struct sframe_sender s;
		struct sframe_receiver r;
		struct bytes base, key, salt, metadata, pt, ct;
		uint8_t out[512];
		size_t len;

		if (vectors_number(test, "cipher_suite") != SUITE)
			continue;
		vectors_hex(test, "base_key", &base);
		vectors_hex(test, "sframe_key", &key);
		vectors_hex(test, "sframe_salt", &salt);
		vectors_hex(test, "metadata", &metadata);
		vectors_hex(test, "pt", &pt);
		vectors_hex(test, "ct", &ct);
		assert_int_equal(
			sframe_sender_init(&s, vectors_number(test, "kid"), base.p, base.len), 0);
		assert_memory_equal(s.key, key.p, key.len);
		assert_memory_equal(s.salt, salt.p, salt.len);
		s.aead = aead;
		s.next = vectors_number(test, "ctr");
		assert_int_equal(sframe_seal(&s, metadata.p, metadata.len, pt.p, pt.len, out, &len),
				 0);
		assert_int_equal(len, ct.len);
		assert_memory_equal(out, ct.p, len);
		assert_int_equal(
			sframe_receiver_init(&r, vectors_number(test, "kid"), base.p, base.len), 0);
		r.aead = aead;
		assert_int_equal(sframe_open(&r, metadata.p, metadata.len, ct.p, ct.len, out, &len),
				 0);
		assert_int_equal(len, pt.len);
		assert_memory_equal(out, pt.p, len);
		tried++;
	}
	assert_true(tried > 0);
}

static void frames_agree_with_the_rfc(void **state)
{
	frames_agree(crypto_aead_get(CRYPTO_AES_256_GCM));
}

static void frames_of_libsodium_agree_with_the_rfc(void **state)
{
	frames_agree(crypto_aead_from(CRYPTO_AES_256_GCM, CRYPTO_SODIUM));
}

static void frames_of_openssl_agree_with_the_rfc(void **state)
{
	frames_agree(crypto_aead_from(CRYPTO_AES_256_GCM, CRYPTO_OPENSSL));
}

/* ---- without vectors ---- */

static void longer_encodings_are_refused(void **state)
{
	static const uint8_t bad[][4] = {
		{ 0x80, 0x07 },	      /* a key id of one byte that fits into the first one */
		{ 0x08, 0x00 },	      /* a counter likewise */
		{ 0x90, 0x00, 0xff }, /* a leading zero */
		{ 0x09, 0x00, 0x08 },
	};
	struct sframe_header h;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(sframe_header_get(bad[i], sizeof(bad[i]), &h), 0);
	/* The same shapes with numbers that need them. */
	assert_int_equal(sframe_header_get("\x80\x08", 2, &h), 2);
	assert_int_equal(sframe_header_get("\x09\x01\x00", 3, &h), 3);
}

#define FRAME "a frame of a call"

struct stream {
	struct sframe_sender s;
	struct sframe_receiver r;
	uint8_t frame[sizeof(FRAME) + SFRAME_OVERHEAD], out[sizeof(FRAME) + SFRAME_OVERHEAD];
	size_t len, out_len;
};

static void stream_init(struct stream *t)
{
	static const uint8_t base[32] = { 7 };

	assert_int_equal(sframe_sender_init(&t->s, SFRAME_KID(1, 2), base, sizeof(base)), 0);
	assert_int_equal(sframe_receiver_init(&t->r, SFRAME_KID(1, 2), base, sizeof(base)), 0);
}

static void stream_seal(struct stream *t)
{
	assert_int_equal(sframe_seal(&t->s, "m", 1, FRAME, sizeof(FRAME), t->frame, &t->len), 0);
}

static int stream_open(struct stream *t)
{
	return sframe_open(&t->r, "m", 1, t->frame, t->len, t->out, &t->out_len);
}

static void frames_come_back(void **state)
{
	struct stream t;

	stream_init(&t);
	for (int i = 0; i < 3000; i++) {
		stream_seal(&t);
		assert_int_equal(stream_open(&t), 0);
		assert_int_equal(t.out_len, sizeof(FRAME));
		assert_memory_equal(t.out, FRAME, sizeof(FRAME));
	}
}

static void damage_is_refused_and_does_no_harm(void **state)
{
	struct stream t;

	stream_init(&t);
	for (int i = 0; i < 9; i++)
		stream_seal(&t);
	for (size_t i = 0; i < t.len * 8; i++) {
		t.frame[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_true(stream_open(&t) < 0);
		t.frame[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	for (size_t len = t.len, cut = 0; cut < len; cut++) {
		t.len = cut;
		assert_true(stream_open(&t) < 0);
		t.len = len;
	}
	assert_int_equal(sframe_open(&t.r, "n", 1, t.frame, t.len, t.out, &t.out_len), -EBADMSG);
	assert_int_equal(sframe_open(&t.r, NULL, 0, t.frame, t.len, t.out, &t.out_len), -EBADMSG);
	assert_int_equal(stream_open(&t), 0);
}

static void deny_a_frame_twice(void **state)
{
	struct stream t;

	stream_init(&t);
	stream_seal(&t);
	assert_int_equal(stream_open(&t), 0);
	assert_int_equal(stream_open(&t), -EALREADY);
}

static void order_does_not_matter_within_the_window(void **state)
{
	static struct stream old[3], t;

	stream_init(&t);
	for (int i = 0; i < 3; i++) {
		stream_seal(&t);
		old[i] = t;
	}
	for (int i = 0; i < WINDOW_BITS - 2; i++)
		stream_seal(&t);
	assert_int_equal(stream_open(&t), 0); /* the number 1024 */
	for (int i = 0; i < 3; i++) {
		memcpy(t.frame, old[i].frame, sizeof(t.frame));
		t.len = old[i].len;
		assert_int_equal(stream_open(&t), i == 0 ? -EALREADY : 0);
	}
}

static void deny_a_frame_of_another_stream(void **state)
{
	struct stream t;

	stream_init(&t);
	t.s.kid = SFRAME_KID(0, 2);
	stream_seal(&t);
	assert_int_equal(stream_open(&t), -ENOKEY);
}

static void deny_sealing_with_a_counter_used_up(void **state)
{
	struct stream t;

	stream_init(&t);
	t.s.next = UINT64_MAX;
	assert_int_equal(sframe_seal(&t.s, NULL, 0, FRAME, sizeof(FRAME), t.frame, &t.len),
			 -EOVERFLOW);
	t.s.next--;
	assert_int_equal(sframe_seal(&t.s, NULL, 0, FRAME, sizeof(FRAME), t.frame, &t.len), 0);
	assert_int_equal(t.s.next, UINT64_MAX);
}

static void absurd_metadata_is_refused(void **state)
{
	static uint8_t metadata[SFRAME_METADATA_MAX + 1];
	struct stream t;

	stream_init(&t);
	assert_int_equal(sframe_seal(&t.s, metadata, sizeof(metadata), FRAME, sizeof(FRAME),
				     t.frame, &t.len),
			 -EINVAL);
	assert_int_equal(t.s.next, 0);
	assert_int_equal(sframe_seal(&t.s, metadata, sizeof(metadata) - 1, FRAME, sizeof(FRAME),
				     t.frame, &t.len),
			 0);
}

static void empty_frame_is_a_frame(void **state)
{
	struct stream t;

	stream_init(&t);
	assert_int_equal(sframe_seal(&t.s, NULL, 0, "", 0, t.frame, &t.len), 0);
	assert_int_equal(sframe_open(&t.r, NULL, 0, t.frame, t.len, t.out, &t.out_len), 0);
	assert_int_equal(t.out_len, 0);
}

int main(void)
{
	struct unit u = {};
	int r;

	if (crypto_init() < 0)
		return 1;
	UNIT(&u, longer_encodings_are_refused);
	rfc = vectors_load(&u, "sframe", "sframe/test-vectors.json");
	if (rfc)
		UNIT(&u, headers_agree_with_the_rfc);
	if (crypto_aead_get(CRYPTO_AES_256_GCM)) {
		if (rfc) {
			UNIT(&u, frames_agree_with_the_rfc);
			if (crypto_aead_from(CRYPTO_AES_256_GCM, CRYPTO_SODIUM))
				UNIT(&u, frames_of_libsodium_agree_with_the_rfc);
			else
				unit_skip(&u, "frames_of_libsodium_agree_with_the_rfc",
					  "this CPU has no AES-NI and PCLMUL");
			if (crypto_aead_from(CRYPTO_AES_256_GCM, CRYPTO_OPENSSL))
				UNIT(&u, frames_of_openssl_agree_with_the_rfc);
			else
				unit_skip(&u, "frames_of_openssl_agree_with_the_rfc",
					  "OpenSSL has no AES-256-GCM here");
		}
		UNIT(&u, frames_come_back);
		UNIT(&u, damage_is_refused_and_does_no_harm);
		UNIT(&u, deny_a_frame_twice);
		UNIT(&u, order_does_not_matter_within_the_window);
		UNIT(&u, deny_a_frame_of_another_stream);
		UNIT(&u, deny_sealing_with_a_counter_used_up);
		UNIT(&u, absurd_metadata_is_refused);
		UNIT(&u, empty_frame_is_a_frame);
	} else {
		unit_skip(&u, "sealing frames", "neither library has AES-256-GCM here");
	}
	r = unit_run(&u);
	json_decref(rfc);
	return r;
}
