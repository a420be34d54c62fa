// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Owns the byte layout of the channel's blobs and the formulas over their fields. Must not keep state or judge order. Called
 * by channel.c only. doc/protocol.md is the text.
 *
 * Security argument: every length is checked against the one length the format has, padding is zero or the message is
 * refused, so each message has one encoding; labels of different derivations differ.
 */
#include "channel-wire.h"

#include <string.h>

#include "util/bytes.h"
#include "util/text.h"

#define PART(p, n)           \
	(struct crypto_part) \
	{                    \
		(p), (n)     \
	}
/* A string constant without its NUL. */
#define LABEL(s) PART(s, sizeof(s) - 1)

void wire_header_put(uint8_t *ret, enum wire_type type, const uint8_t *sid)
{
	ret[0] = WIRE_BLOB_VERSION;
	ret[1] = type;
	memcpy(ret + 2, sid, CHANNEL_SID_LEN);
}

enum channel_result wire_header_get(const void *blob, size_t len, struct wire_header *ret)
{
	const uint8_t *p = blob;

	if (len < WIRE_HEADER_LEN || len > CHANNEL_BLOB_MAX)
		return CHANNEL_MALFORMED;
	if (p[0] != WIRE_BLOB_VERSION)
		return CHANNEL_VERSION_UNKNOWN;
	ret->type = p[1];
	memcpy(ret->sid, p + 2, CHANNEL_SID_LEN);
	return CHANNEL_OK;
}

enum channel_result channel_blob_sid(const void *blob, size_t len, uint8_t ret_sid[CHANNEL_SID_LEN])
{
	struct wire_header h;
	enum channel_result r;

	r = wire_header_get(blob, len, &h);
	if (r == CHANNEL_OK)
		memcpy(ret_sid, h.sid, CHANNEL_SID_LEN);
	return r;
}

static size_t offer_put(uint8_t *ret, const struct wire_init *in)
{
	uint8_t *p = ret;

	*p++ = in->n_versions;
	memcpy(p, in->versions, in->n_versions);
	p += in->n_versions;
	put_be16(p, in->media[CHANNEL_I2R]);
	put_be16(p + 2, in->media[CHANNEL_R2I]);
	return (size_t)(p + 4 - ret);
}

size_t wire_init_put(uint8_t *ret, const struct wire_init *in)
{
	return offer_put(ret + WIRE_HEADER_LEN, in) + WIRE_HEADER_LEN;
}

bool wire_init_get(const void *blob, size_t len, struct wire_init *ret)
{
	struct reader r = { .p = blob, .left = len };
	struct wire_init in = {};

	reader_take(&r, WIRE_HEADER_LEN);
	in.n_versions = reader_u8(&r);
	if (in.n_versions < 1 || in.n_versions > WIRE_VERSIONS_MAX)
		return false;
	reader_copy(&r, in.versions, in.n_versions);
	for (unsigned int i = 0; i < in.n_versions; i++)
		if (in.versions[i] <= (i ? in.versions[i - 1] : 0))
			return false;
	in.media[CHANNEL_I2R] = reader_be16(&r);
	in.media[CHANNEL_R2I] = reader_be16(&r);
	if (!((in.media[CHANNEL_I2R] | in.media[CHANNEL_R2I]) & CHANNEL_KINDS))
		return false;
	reader_copy(&r, in.noise, sizeof(in.noise));
	if (!reader_done(&r))
		return false;
	*ret = in;
	return true;
}

static bool all_zero(const uint8_t *p, size_t len)
{
	uint8_t any = 0;

	for (size_t i = 0; i < len; i++)
		any |= p[i];
	return !any;
}

void wire_resp_put(uint8_t ret[WIRE_PAYLOAD_LEN], const struct wire_resp *in)
{
	memset(ret, 0, WIRE_PAYLOAD_LEN);
	memcpy(ret, in->nonce, 32);
	ret[32] = in->version;
	put_be16(ret + 33, in->accepted[CHANNEL_I2R]);
	put_be16(ret + 35, in->accepted[CHANNEL_R2I]);
	put_be16(ret + 37, in->interval_ms);
}

bool wire_resp_get(const uint8_t in[WIRE_PAYLOAD_LEN], struct wire_resp *ret)
{
	memcpy(ret->nonce, in, 32);
	ret->version = in[32];
	ret->accepted[CHANNEL_I2R] = get_be16(in + 33);
	ret->accepted[CHANNEL_R2I] = get_be16(in + 35);
	ret->interval_ms = get_be16(in + 37);
	return all_zero(in + 39, WIRE_PAYLOAD_LEN - 39);
}

/* Where the part that depends on the type begins. */
#define DATA_TAIL 29

#define PROGRAM_LEN (3 + 4 + 4 + CHANNEL_PROGRAM_NAME)
_Static_assert(DATA_TAIL + PROGRAM_LEN == WIRE_PAYLOAD_LEN, "a program fills the rest of DATA");

static void program_put(uint8_t ret[PROGRAM_LEN], const struct wire_program *in)
{
	ret[0] = in->round;
	ret[1] = in->index;
	ret[2] = in->total;
	put_be32(ret + 3, in->program.seconds[0]);
	put_be32(ret + 7, in->program.seconds[1]);
	memcpy(ret + 11, in->program.name, strnlen(in->program.name, CHANNEL_PROGRAM_NAME));
}

/* One encoding of each, and no name that could not be shown. */
static bool program_get(const uint8_t in[PROGRAM_LEN], struct wire_program *ret)
{
	struct channel_program *program = &ret->program;
	size_t len;

	ret->round = in[0];
	ret->index = in[1];
	ret->total = in[2];
	if (ret->total == 0)
		return all_zero(in + 1, PROGRAM_LEN - 1);
	program->seconds[0] = get_be32(in + 3);
	program->seconds[1] = get_be32(in + 7);
	memcpy(program->name, in + 11, CHANNEL_PROGRAM_NAME);
	len = strlen(program->name);
	return ret->total <= CHANNEL_PROGRAMS_MAX && ret->index < ret->total &&
	       (program->seconds[0] || program->seconds[1]) &&
	       program->seconds[0] <= CHANNEL_PROGRAM_SECONDS &&
	       program->seconds[1] <= CHANNEL_PROGRAM_SECONDS &&
	       text_is_name(program->name, CHANNEL_PROGRAM_NAME) &&
	       all_zero(in + 11 + len, CHANNEL_PROGRAM_NAME - len);
}

void wire_data_put(uint8_t ret[WIRE_PAYLOAD_LEN], const struct wire_data *in)
{
	memset(ret, 0, WIRE_PAYLOAD_LEN);
	ret[0] = in->type;
	put_be64(ret + 1, in->number);
	put_be32(ret + 9, in->echo_epoch);
	put_be64(ret + 13, in->echo_seq);
	put_be16(ret + 21, in->captured);
	put_be16(ret + 23, in->granted);
	ret[25] = in->levels[0];
	ret[26] = in->levels[1];
	ret[27] = in->sas;
	ret[28] = in->gate;
	if (in->type == WIRE_READY)
		memcpy(ret + DATA_TAIL, in->m_r, 32);
	if (in->type == WIRE_CLOSE) {
		ret[DATA_TAIL] = in->reason;
		put_be64(ret + DATA_TAIL + 1, in->last_seq);
	}
	if (in->type == WIRE_PROGRAMS)
		program_put(ret + DATA_TAIL, &in->program);
}

bool wire_data_get(const uint8_t in[WIRE_PAYLOAD_LEN], struct wire_data *ret)
{
	size_t used = DATA_TAIL;

	memset(ret, 0, sizeof(*ret));
	ret->type = in[0];
	ret->number = get_be64(in + 1);
	ret->echo_epoch = get_be32(in + 9);
	ret->echo_seq = get_be64(in + 13);
	ret->captured = get_be16(in + 21);
	ret->granted = get_be16(in + 23);
	ret->levels[0] = in[25];
	ret->levels[1] = in[26];
	ret->sas = in[27];
	ret->gate = in[28];
	switch (ret->type) {
	case WIRE_READY:
		memcpy(ret->m_r, in + DATA_TAIL, 32);
		used += 32;
		break;
	case WIRE_HEARTBEAT:
		break;
	case WIRE_CLOSE:
		ret->reason = in[DATA_TAIL];
		ret->last_seq = get_be64(in + DATA_TAIL + 1);
		used += 9;
		break;
	case WIRE_PROGRAMS:
		return program_get(in + DATA_TAIL, &ret->program);
	default:
		return false;
	}
	return all_zero(in + used, WIRE_PAYLOAD_LEN - used);
}

size_t wire_prologue(uint8_t ret[WIRE_PROLOGUE_MAX], const uint8_t *sid,
		     const struct wire_init *init)
{
	static const char name[] = "callgate/1"; /* with its NUL */
	uint8_t *p = ret;

	_Static_assert(sizeof(name) + 2 + CHANNEL_SID_LEN + 1 + WIRE_VERSIONS_MAX + 4 <=
			       WIRE_PROLOGUE_MAX,
		       "the longest prologue fits");
	memcpy(p, name, sizeof(name));
	p += sizeof(name);
	put_be16(p, WIRE_SUITE);
	p += 2;
	memcpy(p, sid, CHANNEL_SID_LEN);
	p += CHANNEL_SID_LEN;
	return (size_t)(p - ret) + offer_put(p, init);
}

void wire_commitment(const uint8_t *sid, const uint8_t *s_i, const uint8_t *r_i, uint8_t ret[32])
{
	const struct crypto_part parts[] = { LABEL("callgate/1 commit"), PART(sid, CHANNEL_SID_LEN),
					     PART(s_i, CHANNEL_KEY_LEN), PART(r_i, 32) };
	uint8_t hash[CRYPTO_SHA512_LEN];

	crypto_sha512(parts, ARRAY_SIZE(parts), hash);
	memcpy(ret, hash, 32);
}

uint32_t wire_sas(const struct wire_sas_input *in)
{
	const struct crypto_part prologue = PART(in->prologue, in->prologue_len);
	const struct crypto_part ikm[] = { PART(in->r_i, 32), PART(in->r_r, 32) };
	const struct crypto_part info[] = { LABEL("callgate/1 sas"), PART(in->s_i, CHANNEL_KEY_LEN),
					    PART(in->s_r, CHANNEL_KEY_LEN),
					    PART(in->e_i, CHANNEL_KEY_LEN),
					    PART(in->e_r, CHANNEL_KEY_LEN) };
	uint8_t salt[CRYPTO_SHA512_LEN], prk[CRYPTO_SHA512_LEN], out[8];
	uint32_t sas;

	crypto_sha512(&prologue, 1, salt);
	crypto_hkdf_extract(salt, sizeof(salt), ikm, ARRAY_SIZE(ikm), prk);
	crypto_hkdf_expand(prk, info, ARRAY_SIZE(info), out, sizeof(out));
	sas = (uint32_t)(get_be64(out) % WIRE_SAS_NUMBERS);
	crypto_wipe(prk, sizeof(prk));
	crypto_wipe(out, sizeof(out));
	return sas;
}

void wire_prk(const uint8_t hash[NOISE_HASH_LEN], const uint8_t *m_i, const uint8_t *m_r,
	      uint8_t ret[CRYPTO_SHA512_LEN])
{
	const struct crypto_part parts[] = { PART(m_i, 32), PART(m_r, 32) };

	crypto_hmac_sha512(hash, NOISE_HASH_LEN, parts, ARRAY_SIZE(parts), ret);
}

void wire_media_key(const uint8_t prk[CRYPTO_SHA512_LEN], uint8_t dir, uint8_t kind,
		    uint8_t ret[CHANNEL_KEY_LEN])
{
	static const uint8_t epoch[4];
	const struct crypto_part info[] = { LABEL("callgate/1 sframe "), PART(&dir, 1),
					    PART(&kind, 1), PART(epoch, sizeof(epoch)) };

	crypto_hkdf_expand(prk, info, ARRAY_SIZE(info), ret, CHANNEL_KEY_LEN);
}
