// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * daemon/noise.c against the vectors of cacophony (beside the project) and of flynn/noise (a Debian package), and against a
 * relay that damages messages.
 */
#include "noise.h"
#include "unit.h"
#include "vectors.h"

#define PATTERN "Noise_XX_25519_ChaChaPoly_SHA512"
#define SUITE	"_25519_ChaChaPoly_SHA512"
#define FLYNN	"/usr/share/gocode/src/github.com/flynn/noise/vectors.txt"

#define MESSAGES_MAX 16

/* One handshake of either source. Transport messages alternate, the first one from @transport_first. */
struct vector {
	struct bytes prologue, init_s, init_e, resp_s, resp_e, hash;
	struct bytes payload[MESSAGES_MAX], cipher[MESSAGES_MAX];
	size_t n;
	bool initiator_first;
};

static json_t *cacophony;
static FILE *flynn;
static size_t flynn_run;

static void vector_check(const struct vector *v)
{
	struct noise_handshake end[2], next; /* 0: initiator */
	struct noise_cipher send[2], receive[2];
	static uint8_t out[NOISE_MSG_MAX], back[NOISE_MSG_MAX];
	size_t len, back_len;

	noise_handshake_init(&end[0], true, v->prologue.p, v->prologue.len, v->init_s.p, NULL,
			     v->init_e.p);
	noise_handshake_init(&end[1], false, v->prologue.p, v->prologue.len, v->resp_s.p, NULL,
			     v->resp_e.p);
	assert_true(v->n > NOISE_XX_MESSAGES);
	for (size_t i = 0; i < NOISE_XX_MESSAGES; i++) {
		struct noise_handshake *w = &end[i % 2], *r = &end[!(i % 2)];

		assert_int_equal(noise_handshake_write(w, v->payload[i].p, v->payload[i].len, out,
						       sizeof(out), &len),
				 0);
		assert_int_equal(len, v->cipher[i].len);
		assert_memory_equal(out, v->cipher[i].p, len);
		assert_int_equal(
			noise_handshake_read(r, &next, out, len, back, sizeof(back), &back_len), 0);
		assert_int_equal(back_len, v->payload[i].len);
		assert_memory_equal(back, v->payload[i].p, back_len);
		*r = next;
	}
	assert_memory_equal(end[0].hash, end[1].hash, NOISE_HASH_LEN);
	if (v->hash.len)
		assert_memory_equal(end[0].hash, v->hash.p, NOISE_HASH_LEN);
	assert_memory_equal(end[0].rs, end[1].s_pub, NOISE_KEY_LEN);
	assert_memory_equal(end[1].rs, end[0].s_pub, NOISE_KEY_LEN);
	assert_int_equal(noise_handshake_split(&end[0], &send[0], &receive[0]), 0);
	assert_int_equal(noise_handshake_split(&end[1], &receive[1], &send[1]), 0);
	for (size_t i = NOISE_XX_MESSAGES; i < v->n; i++) {
		size_t from = ((i - NOISE_XX_MESSAGES) % 2 == 0) != v->initiator_first;

		assert_int_equal(noise_cipher_seal(&send[from], NULL, 0, v->payload[i].p,
						   v->payload[i].len, out),
				 0);
		len = v->payload[i].len + CRYPTO_TAG_LEN;
		assert_int_equal(len, v->cipher[i].len);
		assert_memory_equal(out, v->cipher[i].p, len);
		assert_int_equal(noise_cipher_open(&receive[!from], NULL, 0, out, len, back), 0);
		assert_memory_equal(back, v->payload[i].p, v->payload[i].len);
	}
}

static void xx_agrees_with_cacophony(void **state)
{
	static struct vector v;
	size_t i, m, run = 0;
	json_t *test, *message;

	json_array_foreach(json_object_get(cacophony, "vectors"), i, test)
	{
		if (strcmp(vectors_text(test, "protocol_name"), PATTERN) != 0)
			continue;
		vectors_hex(test, "init_prologue", &v.prologue);
		vectors_hex(test, "init_static", &v.init_s);
		vectors_hex(test, "init_ephemeral", &v.init_e);
		vectors_hex(test, "resp_static", &v.resp_s);
		vectors_hex(test, "resp_ephemeral", &v.resp_e);
		vectors_hex(test, "handshake_hash", &v.hash);
		v.n = json_array_size(json_object_get(test, "messages"));
		assert_true(v.n <= MESSAGES_MAX);
		v.initiator_first = false;
		json_array_foreach(json_object_get(test, "messages"), m, message)
		{
			vectors_hex(message, "payload", &v.payload[m]);
			vectors_hex(message, "ciphertext", &v.cipher[m]);
		}
		vector_check(&v);
		run++;
	}
	assert_true(run > 0);
}

static size_t cacophony_others(void)
{
	size_t i, n = 0;
	json_t *test;

	json_array_foreach(json_object_get(cacophony, "vectors"), i, test)
	{
		const char *name = vectors_text(test, "protocol_name");
		const char *suite = strstr(name, SUITE);

		n += suite && strcmp(suite, SUITE) == 0 && strcmp(name, PATTERN) != 0;
	}
	return n;
}

/* Handshakes of the same suite in another pattern; the file is at its beginning before and after. */
static size_t flynn_others(void)
{
	static char line[70000];
	size_t n = 0;

	while (fgets(line, sizeof(line), flynn)) {
		char *end = line + strcspn(line, "\n");

		*end = '\0';
		n += strncmp(line, "handshake=", 10) == 0 && strcmp(line + 10, PATTERN) != 0 &&
		     (size_t)(end - line) > sizeof(SUITE) &&
		     strcmp(end - (sizeof(SUITE) - 1), SUITE) == 0;
	}
	rewind(flynn);
	return n;
}

/* Blocks of key=value lines, each begun by handshake=. */
static void xx_agrees_with_flynn(void **state)
{
	static char line[70000];
	static struct vector v;
	bool ours = false;

	while (fgets(line, sizeof(line), flynn)) {
		char *value = strchr(line, '=');
		unsigned int m;

		line[strcspn(line, "\n")] = '\0';
		if (!value) {
			if (ours) {
				vector_check(&v);
				flynn_run++;
			}
			ours = false;
			continue;
		}
		*value++ = '\0';
		if (strcmp(line, "handshake") == 0) {
			memset(&v, 0, sizeof(v));
			v.initiator_first = true;
			ours = strcmp(value, PATTERN) == 0;
		}
		if (!ours)
			continue;
		if (strcmp(line, "prologue") == 0)
			vectors_decode(value, &v.prologue);
		else if (strcmp(line, "init_static") == 0)
			vectors_decode(value, &v.init_s);
		else if (strcmp(line, "resp_static") == 0)
			vectors_decode(value, &v.resp_s);
		else if (strcmp(line, "gen_init_ephemeral") == 0)
			vectors_decode(value, &v.init_e);
		else if (strcmp(line, "gen_resp_ephemeral") == 0)
			vectors_decode(value, &v.resp_e);
		else if (sscanf(line, "msg_%u_payload", &m) == 1 && strstr(line, "payload"))
			vectors_decode(value, &v.payload[m % MESSAGES_MAX]);
		else if (sscanf(line, "msg_%u_ciphertext", &m) == 1) {
			vectors_decode(value, &v.cipher[m % MESSAGES_MAX]);
			v.n = m + 1;
		}
	}
	if (ours) {
		vector_check(&v);
		flynn_run++;
	}
	assert_true(flynn_run >= 4);
}

/* ---- against a relay ---- */

static const uint8_t key_a[32] = { 1 }, key_b[32] = { 2 }, key_c[32] = { 3 }, key_d[32] = { 4 };

struct pair {
	struct noise_handshake i, r;
	uint8_t msg[256];
	size_t len;
};

/* Both ends, with messages 0 to @n - 1 exchanged and message @n in @p->msg. */
static void pair_at(struct pair *p, unsigned int n)
{
	struct noise_handshake next;
	uint8_t back[256];
	size_t len;

	noise_handshake_init(&p->i, true, "x", 1, key_a, NULL, key_b);
	noise_handshake_init(&p->r, false, "x", 1, key_c, NULL, key_d);
	for (unsigned int m = 0;; m++) {
		struct noise_handshake *w = m % 2 ? &p->r : &p->i, *r = m % 2 ? &p->i : &p->r;

		assert_int_equal(
			noise_handshake_write(w, "hello", 5, p->msg, sizeof(p->msg), &p->len), 0);
		if (m == n)
			return;
		assert_int_equal(noise_handshake_read(r, &next, p->msg, p->len, back, sizeof(back),
						      &len),
				 0);
		*r = next;
	}
}

static void damage_is_refused_and_does_no_harm(void **state)
{
	for (unsigned int n = 1; n < NOISE_XX_MESSAGES; n++) {
		struct noise_handshake next, before, *r;
		uint8_t back[256];
		struct pair p;
		size_t len;

		pair_at(&p, n);
		r = n % 2 ? &p.i : &p.r;
		before = *r;
		for (size_t i = 0; i < p.len; i++) {
			p.msg[i] ^= 0x20;
			assert_true(noise_handshake_read(r, &next, p.msg, p.len, back, sizeof(back),
							 &len) < 0);
			p.msg[i] ^= 0x20;
			assert_int_equal(noise_handshake_read(r, &next, p.msg, i, back,
							      sizeof(back), &len),
					 -EBADMSG);
			assert_memory_equal(r, &before, sizeof(before));
		}
		assert_int_equal(
			noise_handshake_read(r, &next, p.msg, p.len, back, sizeof(back), &len), 0);
		assert_int_equal(len, 5);
	}
}

static void another_prologue_is_refused(void **state)
{
	struct noise_handshake other, next;
	struct pair p;
	uint8_t back[256], msg[256];
	size_t len, n;

	pair_at(&p, 0);
	noise_handshake_init(&other, false, "y", 1, key_c, NULL, key_d);
	assert_int_equal(
		noise_handshake_read(&other, &next, p.msg, p.len, back, sizeof(back), &len), 0);
	other = next;
	assert_int_equal(noise_handshake_write(&other, "", 0, msg, sizeof(msg), &n), 0);
	assert_int_equal(noise_handshake_read(&p.i, &next, msg, n, back, sizeof(back), &len),
			 -EBADMSG);
}

static void low_order_ephemeral_is_refused(void **state)
{
	struct noise_handshake next;
	struct pair p;
	uint8_t back[256], out[256];
	size_t len;

	pair_at(&p, 1);
	memset(p.msg, 0, NOISE_KEY_LEN);
	assert_int_equal(noise_handshake_read(&p.i, &next, p.msg, p.len, back, sizeof(back), &len),
			 -EPROTO);
	pair_at(&p, 0);
	memset(p.msg, 0, NOISE_KEY_LEN);
	assert_int_equal(noise_handshake_read(&p.r, &next, p.msg, p.len, back, sizeof(back), &len),
			 0);
	assert_int_equal(noise_handshake_write(&next, "", 0, out, sizeof(out), &len), -EPROTO);
}

static void turns_are_kept(void **state)
{
	struct noise_handshake next;
	struct noise_cipher a, b;
	struct pair p;
	uint8_t out[256];
	size_t len;

	pair_at(&p, 0);
	assert_int_equal(noise_handshake_write(&p.i, "", 0, out, sizeof(out), &len), -EINVAL);
	assert_int_equal(noise_handshake_write(&p.r, "", 0, out, sizeof(out), &len), -EINVAL);
	assert_int_equal(noise_handshake_split(&p.i, &a, &b), -EINVAL);
	pair_at(&p, 2);
	assert_int_equal(noise_handshake_read(&p.i, &next, p.msg, p.len, out, sizeof(out), &len),
			 -EINVAL);
	assert_int_equal(noise_handshake_write(&p.i, "", 0, out, sizeof(out), &len), -EINVAL);
	assert_int_equal(noise_handshake_split(&p.i, &a, &b), 0);
}

static void buffers_that_are_too_small_are_refused(void **state)
{
	struct noise_handshake hs, next;
	struct pair p;
	uint8_t out[256];
	size_t len;

	for (size_t size = 0; size < 37; size++) {
		noise_handshake_init(&hs, true, "", 0, key_a, NULL, key_b);
		assert_int_equal(noise_handshake_write(&hs, "hello", 5, out, size, &len), -ENOSPC);
	}
	pair_at(&p, 1);
	assert_int_equal(noise_handshake_read(&p.i, &next, p.msg, p.len, out, 4, &len), -ENOSPC);
	assert_int_equal(noise_handshake_read(&p.i, &next, p.msg, p.len, out, 5, &len), 0);
}

static void last_nonce_is_never_used(void **state)
{
	struct noise_cipher c = { .has_key = true, .nonce = UINT64_MAX };
	uint8_t out[32] = {};

	assert_int_equal(noise_cipher_seal(&c, NULL, 0, "a", 1, out), -EOVERFLOW);
	assert_int_equal(noise_cipher_open(&c, NULL, 0, out, 17, out), -EOVERFLOW);
	c.nonce--;
	assert_int_equal(noise_cipher_seal(&c, NULL, 0, "a", 1, out), 0);
}

int main(void)
{
	struct unit u = {};
	char others[64], flynn_too[64];
	int r;

	UNIT(&u, damage_is_refused_and_does_no_harm);
	UNIT(&u, another_prologue_is_refused);
	UNIT(&u, low_order_ephemeral_is_refused);
	UNIT(&u, turns_are_kept);
	UNIT(&u, buffers_that_are_too_small_are_refused);
	UNIT(&u, last_nonce_is_never_used);
	cacophony = vectors_load(&u, "xx_agrees_with_cacophony", "noise/cacophony.txt");
	if (cacophony) {
		UNIT(&u, xx_agrees_with_cacophony);
		snprintf(others, sizeof(others), "%zu further handshakes of cacophony",
			 cacophony_others());
		unit_skip(&u, others, "the channel uses the pattern XX only");
	}
	/* Required: tests/setup installs golang-github-flynn-noise-dev. */
	flynn = fopen(FLYNN, "re");
	if (!flynn) {
		puts("# " FLYNN " is missing; run 'make setup' as root");
	} else {
		snprintf(flynn_too, sizeof(flynn_too), "%zu further handshakes of flynn/noise",
			 flynn_others());
		unit_skip(&u, flynn_too, "the channel uses the pattern XX only");
		UNIT(&u, xx_agrees_with_flynn);
	}
	r = unit_run(&u);
	if (flynn)
		fclose(flynn);
	json_decref(cacophony);
	return flynn ? r : 1;
}
